/* The core as a plain C program, to be built with sanitizers or with counted allocations.
 *
 * usage: core_harness SEED ROUNDS
 *
 * Each round makes rows whose bounds crowd together, builds them under several memory limits, runs pastore_check, and compares
 * classify and match with the linear scan on packets at the bounds. Then it hands in broken rows and packets, and damages
 * finished tables. Exit status 0: all agreed. With -DCOUNT_ALLOCATIONS and the linker's --wrap for malloc, calloc, realloc and
 * free, lookups must not call any of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core.h"

enum { MOST_ROWS = 300, PACKETS = 600 };

static unsigned long allocations;

#ifdef COUNT_ALLOCATIONS
void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void __real_free(void *);
void *__wrap_malloc(size_t n) {
    allocations++;
    return __real_malloc(n);
}
void *__wrap_calloc(size_t n, size_t size) {
    allocations++;
    return __real_calloc(n, size);
}
void *__wrap_realloc(void *p, size_t n) {
    allocations++;
    return __real_realloc(p, n);
}
void __wrap_free(void *p) {
    allocations++;
    __real_free(p);
}
#endif

static uint64_t state;

static uint64_t draw(uint64_t below) { /* splitmix64 */
    uint64_t z = state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (z ^ z >> 31) % below;
}

static void fail(const char *what, uint64_t a, uint64_t b) {
    fprintf(stderr, "core_harness: %s (%llu, %llu)\n", what, (unsigned long long)a, (unsigned long long)b);
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

static void crowded_range(uint64_t last, uint64_t *lo, uint64_t *hi) {
    uint64_t a = crowded(last), b = crowded(last);
    if (draw(4) == 0)
        a = 0, b = last;
    *lo = a < b ? a : b;
    *hi = a < b ? b : a;
}

static void crowded_address(uint8_t family, uint64_t lo[2], uint64_t hi[2]) {
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

static pastore_row make_row(int32_t rank) {
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

static void crowded_bytes(uint8_t *bytes) {
    for (int word = 0; word < 2; word++) {
        const uint64_t value = crowded(UINT64_MAX);
        for (int i = 0; i < 8; i++)
            *bytes++ = (uint8_t)(value >> (56 - 8 * i));
    }
}

static void make_packets(void) {
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

static void judge4(const pastore_table *table, size_t n, int32_t *fast_index, int32_t *slow_index) {
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

static void judge6(const pastore_table *table, size_t n, int32_t *fast_index, int32_t *slow_index) {
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

static void compare(const pastore_table *table, const pastore_row *rows, int numbered) {
    const unsigned long before = allocations;
    for (int family = 4; family <= 6; family += 2) {
        memset(&fast, 0x55, sizeof fast);
        memset(&slow, 0x55, sizeof slow);
        (family == 4 ? judge4 : judge6)(table, PACKETS, numbered ? fast.index : NULL, numbered ? slow.index : NULL);
        for (size_t i = 0; i < PACKETS; i++) {
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

static pastore_table *build(const pastore_row *rows, size_t n, pastore_options options) {
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

static void good_round(void) {
    static pastore_row rows[MOST_ROWS];
    static const size_t edges[] = {0, 1, 63, 64, 65, 127, 128, 129, 256, 257};
    static const uint8_t families[] = {4, 6, ANY}, directions[] = {PASTORE_IN, PASTORE_OUT, PASTORE_BOTH, ANY};
    common_family = families[draw(sizeof families)];
    common_direction = directions[draw(sizeof directions)];
    const size_t n = draw(2) ? edges[draw(sizeof edges / sizeof *edges)] : draw(MOST_ROWS);
    for (size_t i = 0; i < n; i++)
        rows[i] = i && draw(6) == 0 ? rows[draw(i)] : make_row(0);
    make_packets();
    for (int verdict = PASTORE_VERDICT_RULE; verdict <= PASTORE_VERDICT_ACTION; verdict++) {
        pastore_table *table = build(rows, n, (pastore_options){.verdict = verdict});
        struct pastore_stats stats;
        pastore_stats(table, &stats);
        compare(table, rows, verdict == PASTORE_VERDICT_RULE);
        pastore_close(table);
        size_t limit = stats.bytes;
        for (; limit > 64 && (table = build(rows, n, (pastore_options){limit, verdict})); limit -= limit / 4) {
            compare(table, rows, verdict == PASTORE_VERDICT_RULE);
            pastore_close(table);
        }
    }
}

/* Flips bits of finished tables: pastore_check must survive it, see most of it, and whatever passes must still answer right. */
static void damage_round(void) {
    enum { ROWS = 100, FLIPS = 100 };
    static pastore_row rows[ROWS];
    common_family = draw(2) ? 4 : 6;
    common_direction = PASTORE_BOTH;
    for (size_t i = 0; i < ROWS; i++)
        rows[i] = make_row(0);
    make_packets();
    pastore_table *table = build(rows, ROWS, (pastore_options){0});
    unsigned seen = 0;
    for (int i = 0; i < FLIPS; i++) {
        unsigned char *byte = table->block + draw(table->block_bytes);
        const unsigned char bit = (unsigned char)(1u << draw(8));
        *byte ^= bit;
        if (pastore_check(table, NULL))
            seen++;
        else
            compare(table, rows, 1);
        *byte ^= bit;
    }
    if (seen < FLIPS / 2)
        fail("pastore_check overlooked damage", seen, FLIPS);
    pastore_close(table);
}

static void expect(int want, int got) {
    if (want != got)
        fail("unexpected error code", (uint64_t)-want, (uint64_t)-got);
}

static void bad_round(void) {
    common_family = common_direction = ANY;
    pastore_row rows[3] = {make_row(0), make_row(0), make_row(0)};
    pastore_table *table = NULL;
    size_t bad = 9;
    rows[2].family = 5;
    expect(PASTORE_ERROR_CODE, pastore_build(rows, 3, NULL, &table, &bad));
    if (bad != 2 || table)
        fail("wrong row blamed", bad, 2);
    rows[2] = make_row(0);
    rows[1].dport_lo = 7, rows[1].dport_hi = 6;
    expect(PASTORE_ERROR_RANGE, pastore_build(rows, 3, NULL, &table, &bad));
    if (bad != 1)
        fail("wrong row blamed", bad, 1);
    rows[1] = make_row(-1);
    expect(PASTORE_ERROR_ORDER, pastore_build(rows, 3, NULL, &table, &bad));
    expect(PASTORE_ERROR_ARGUMENT, pastore_build(NULL, 3, NULL, &table, NULL));
    expect(PASTORE_ERROR_ARGUMENT, pastore_build(rows, 1, NULL, NULL, NULL));
    expect(PASTORE_ERROR_TOO_MANY, pastore_build(rows, (size_t)INT32_MAX + 1, NULL, &table, NULL));
    expect(PASTORE_ERROR_ARGUMENT, pastore_build(rows, 1, &(pastore_options){.verdict = 2}, &table, NULL));
    expect(PASTORE_ERROR_MEMORY_LIMIT, pastore_build(rows, 1, &(pastore_options){.memory_limit = 1}, &table, NULL));

    expect(PASTORE_OK, pastore_build(rows, 1, NULL, &table, NULL));
    make_packets();
    packets.direction[PACKETS - 1] = 2;
    pastore_columns4 c = {.src = packets.src4,
                          .dst = packets.dst4,
                          .protocol = packets.protocol,
                          .sport = packets.sport,
                          .dport = packets.dport,
                          .direction = packets.direction,
                          .one_interface = PASTORE_RAS};
    memset(&fast, 0x55, sizeof fast);
    expect(PASTORE_ERROR_PACKET, pastore_classify4(table, &c, PACKETS, fast.action, NULL, &bad));
    if (bad != PACKETS - 1 || fast.action[0] != 0x55)
        fail("wrong packet blamed, or answers written", bad, fast.action[0]);
    c.interface = packets.interface;
    packets.interface[5] = 255;
    expect(PASTORE_ERROR_PACKET, pastore_scan4(table, &c, PACKETS, fast.action, NULL, &bad));
    if (bad != 5)
        fail("wrong packet blamed", bad, 5);
    c.interface = NULL, c.direction = NULL, c.one_direction = PASTORE_BOTH;
    expect(PASTORE_ERROR_PACKET, pastore_classify4(table, &c, 1, fast.action, NULL, NULL));
    c.one_direction = PASTORE_OUT;
    expect(PASTORE_OK, pastore_classify4(table, &c, PACKETS, NULL, NULL, NULL));
    c.dport = NULL;
    expect(PASTORE_ERROR_ARGUMENT, pastore_classify4(table, &c, 1, fast.action, NULL, NULL));
    expect(PASTORE_ERROR_PACKET, pastore_match4(table, &(pastore_packet4){.direction = 2}, fast.action, NULL));
    pastore_close(table);
    pastore_close(NULL);
    expect(PASTORE_OK, pastore_build(rows, 1, &(pastore_options){.verdict = PASTORE_VERDICT_ACTION}, &table, NULL));
    expect(PASTORE_ERROR_NO_INDEX, pastore_match4(table, &(pastore_packet4){.direction = 0}, NULL, fast.index));
    pastore_close(table);
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 2;
    state = strtoull(argv[1], NULL, 10);
    const long rounds = strtol(argv[2], NULL, 10);
    for (long i = 0; i < rounds; i++) {
        good_round();
        bad_round();
        damage_round();
    }
#ifdef COUNT_ALLOCATIONS
    if (allocations == 0)
        fail("nothing was counted", 0, 0); /* the build allocates, so a count of none means that the wrap does not work */
#endif
    return 0;
}
