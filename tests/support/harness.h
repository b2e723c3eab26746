/* What the harnesses share: seeded rows whose bounds crowd together, packets at those bounds, and judging them every way. */
#ifndef PASTORE_HARNESS_H
#define PASTORE_HARNESS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

enum { MOST_ROWS = 300, PACKETS = 600 };

static const char *const LAYOUTS_BY_NAME[LAYOUTS] = {"linear",     "bits", "lists",     "four/compare", "four/large",
                                                     "four/small", "two",  "one/shape", "one/direct",   "one/bands"};

static unsigned long allocations; /* counted where the harness says so */

static uint64_t state;

static uint64_t draw(uint64_t below) { /* splitmix64 */
    uint64_t z = state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (z ^ z >> 31) % below;
}

static void fail(const char *what, uint64_t a, uint64_t b) {
    fprintf(stderr, "harness: %s (%llu, %llu)\n", what, (unsigned long long)a, (unsigned long long)b);
    exit(1);
}

/* Few distinct values, at both ends and in the middle of the axis: bounds touch, nest and coincide. */
static uint64_t crowded(uint64_t last) {
    const uint64_t step = draw(12);
    switch (draw(3)) {
    case 0:
        return step;
    case 1:
        return last - step;
    default:
        return last / 2 + step;
    }
}

static inline void crowded_range(uint64_t last, uint64_t *lo, uint64_t *hi) {
    uint64_t a = crowded(last), b = crowded(last);
    if (draw(4) == 0)
        a = 0, b = last;
    *lo = a < b ? a : b;
    *hi = a < b ? b : a;
}

static inline void crowded_address(uint8_t family, uint64_t lo[2], uint64_t hi[2]) {
    lo[0] = hi[0] = 0;
    if (family == 4) {
        crowded_range(UINT32_MAX, &lo[1], &hi[1]);
        return;
    }
    crowded_range(UINT64_MAX, &lo[0], &hi[0]);
    crowded_range(UINT64_MAX, &lo[1], &hi[1]);
    if (draw(2)) /* within one high word */
        hi[0] = lo[0];
    else if (draw(2) && lo[0] < hi[0]) { /* the low words may run either way */
        lo[1] = crowded(UINT64_MAX);
        hi[1] = crowded(UINT64_MAX);
    }
}

/* What the rows of a round have in common; ANY leaves it to each row. Rows of one kind fill one side to the last bit. */
enum { ANY = 255 };
static uint8_t common_family = ANY, common_direction = ANY;

static inline pastore_row make_row(int32_t rank) {
    pastore_row row = {.rank = rank};
    row.family = common_family != ANY ? common_family : draw(2) ? 4 : 6;
    uint64_t lo, hi;
    crowded_address(row.family, row.src_lo, row.src_hi);
    crowded_address(row.family, row.dst_lo, row.dst_hi);
    crowded_range(UINT16_MAX, &lo, &hi);
    row.sport_lo = (uint16_t)lo, row.sport_hi = (uint16_t)hi;
    crowded_range(UINT16_MAX, &lo, &hi);
    row.dport_lo = (uint16_t)lo, row.dport_hi = (uint16_t)hi;
    crowded_range(UINT8_MAX, &lo, &hi);
    row.protocol_lo = (uint8_t)lo, row.protocol_hi = (uint8_t)hi;
    row.direction = common_direction != ANY ? common_direction : (uint8_t)draw(3);
    row.interface = (uint8_t)draw(3);
    row.action = (uint8_t)(1 + draw(3));
    return row;
}

static struct packets {
    uint32_t src4[PACKETS], dst4[PACKETS];
    uint8_t src6[PACKETS * 16], dst6[PACKETS * 16];
    uint8_t protocol[PACKETS], direction[PACKETS], interface[PACKETS];
    uint16_t sport[PACKETS], dport[PACKETS];
} packets;

static inline void crowded_bytes(uint8_t *bytes) {
    for (int word = 0; word < 2; word++) {
        const uint64_t value = crowded(UINT64_MAX);
        for (int i = 0; i < 8; i++)
            *bytes++ = (uint8_t)(value >> (56 - 8 * i));
    }
}

static inline void make_packets(void) {
    for (size_t i = 0; i < PACKETS; i++) {
        packets.src4[i] = (uint32_t)crowded(UINT32_MAX);
        packets.dst4[i] = (uint32_t)crowded(UINT32_MAX);
        crowded_bytes(packets.src6 + 16 * i);
        crowded_bytes(packets.dst6 + 16 * i);
        packets.protocol[i] = (uint8_t)crowded(UINT8_MAX);
        packets.sport[i] = (uint16_t)crowded(UINT16_MAX);
        packets.dport[i] = (uint16_t)crowded(UINT16_MAX);
        packets.direction[i] = (uint8_t)draw(2);
        packets.interface[i] = (uint8_t)draw(2);
    }
}

static struct answers {
    uint8_t action[PACKETS];
    int32_t index[PACKETS];
} fast, slow;

static inline void judge4(const pastore_table *table, size_t n, int32_t *fast_index, int32_t *slow_index) {
    const pastore_columns4 c = {.src = packets.src4,
                                .dst = packets.dst4,
                                .protocol = packets.protocol,
                                .sport = packets.sport,
                                .dport = packets.dport,
                                .direction = packets.direction,
                                .interface = packets.interface};
    if (pastore_classify4(table, &c, n, fast.action, fast_index, NULL) ||
        pastore_scan4(table, &c, n, slow.action, slow_index, NULL))
        fail("IPv4 lookup refused", n, 0);
}

static inline void judge6(const pastore_table *table, size_t n, int32_t *fast_index, int32_t *slow_index) {
    const pastore_columns6 c = {.src = packets.src6,
                                .dst = packets.dst6,
                                .protocol = packets.protocol,
                                .sport = packets.sport,
                                .dport = packets.dport,
                                .direction = packets.direction,
                                .interface = packets.interface};
    if (pastore_classify6(table, &c, n, fast.action, fast_index, NULL) ||
        pastore_scan6(table, &c, n, slow.action, slow_index, NULL))
        fail("IPv6 lookup refused", n, 0);
}

static void single(const pastore_table *table, int family, size_t i, uint8_t *action, int32_t *index) {
    int error;
    if (family == 4) {
        const pastore_packet4 p = {packets.src4[i],     packets.dst4[i],      packets.sport[i],    packets.dport[i],
                                   packets.protocol[i], packets.direction[i], packets.interface[i]};
        error = pastore_match4(table, &p, action, index);
    } else {
        pastore_packet6 p = {.sport = packets.sport[i],
                             .dport = packets.dport[i],
                             .protocol = packets.protocol[i],
                             .direction = packets.direction[i],
                             .interface = packets.interface[i]};
        memcpy(p.src, packets.src6 + 16 * i, 16);
        memcpy(p.dst, packets.dst6 + 16 * i, 16);
        error = pastore_match6(table, &p, action, index);
    }
    if (error)
        fail(pastore_strerror(error), i, 0);
}

static size_t judged = PACKETS; /* how many of the packets are compared */

static inline void compare(const pastore_table *table, const pastore_row *rows, int numbered) {
    const unsigned long before = allocations;
    for (int family = 4; family <= 6; family += 2) {
        memset(&fast, 0x55, sizeof fast);
        memset(&slow, 0x55, sizeof slow);
        (family == 4 ? judge4 : judge6)(table, judged, numbered ? fast.index : NULL, numbered ? slow.index : NULL);
        for (size_t i = 0; i < judged; i++) {
            uint8_t action = 0x55;
            int32_t index = 0x55555555;
            single(table, family, i, &action, numbered ? &index : NULL);
            if (fast.action[i] != slow.action[i] || action != slow.action[i])
                fail("actions differ", i, slow.action[i]);
            if (fast.index[i] != slow.index[i] || (numbered && index != slow.index[i]))
                fail("rows differ", i, (uint64_t)(int64_t)slow.index[i]);
            if (numbered && (slow.index[i] < 0 ? slow.action[i] != PASTORE_NONE : rows[slow.index[i]].action != slow.action[i]))
                fail("action is not the row's", i, slow.action[i]);
        }
    }
    if (allocations != before)
        fail("a lookup allocated", allocations - before, 0);
}

static inline pastore_table *build(const pastore_row *rows, size_t n, pastore_options options) {
    pastore_table *table = NULL;
    const char *broken = "";
    const int error = pastore_build(rows, n, &options, &table, NULL);
    if (error == PASTORE_ERROR_MEMORY_LIMIT && options.memory_limit && !table)
        return NULL;
    if (error)
        fail(pastore_strerror(error), n, 0);
    struct pastore_stats stats;
    pastore_stats(table, &stats);
    if (options.memory_limit && stats.bytes > options.memory_limit)
        fail("table exceeds its limit", stats.bytes, options.memory_limit);
    if (pastore_check(table, &broken))
        fail(broken, n, stats.chunk_rows);
    return table;
}

#endif
