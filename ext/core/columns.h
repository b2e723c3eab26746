/* Packets out of the callers' columns, the same for the fast path and the scan. */
#ifndef PASTORE_COLUMNS_H
#define PASTORE_COLUMNS_H

#include <string.h>

#include "core.h"

/* pastore_columns4 and pastore_columns6 in one shape. */
typedef struct columns {
    const uint32_t *src4, *dst4;
    const uint8_t *src6, *dst6;
    const uint8_t *protocol;
    const uint16_t *sport, *dport;
    const uint8_t *direction, *interface;
    uint8_t one_direction, one_interface;
} columns;

static inline columns columns_of4(const pastore_columns4 *c) {
    return (columns){.src4 = c->src,
                     .dst4 = c->dst,
                     .protocol = c->protocol,
                     .sport = c->sport,
                     .dport = c->dport,
                     .direction = c->direction,
                     .interface = c->interface,
                     .one_direction = c->one_direction,
                     .one_interface = c->one_interface};
}

static inline columns columns_of6(const pastore_columns6 *c) {
    return (columns){.src6 = c->src,
                     .dst6 = c->dst,
                     .protocol = c->protocol,
                     .sport = c->sport,
                     .dport = c->dport,
                     .direction = c->direction,
                     .interface = c->interface,
                     .one_direction = c->one_direction,
                     .one_interface = c->one_interface};
}

static inline uint64_t word_from_network(const uint8_t *bytes) {
    uint64_t word; /* compilers do not see through a loop over bytes everywhere */
    memcpy(&word, bytes, sizeof word);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap64(word) : word;
}

static inline key key_from_network(const uint8_t *bytes) {
    return (key){word_from_network(bytes), word_from_network(bytes + 8)};
}

static inline uint8_t direction_at(const columns *c, size_t i) {
    return c->direction ? c->direction[i] : c->one_direction;
}

static inline packet packet_at(const columns *c, size_t i, enum family family) {
    packet p = {.sport = c->sport[i],
                .dport = c->dport[i],
                .protocol = c->protocol[i],
                .direction = direction_at(c, i),
                .interface = c->interface ? c->interface[i] : c->one_interface};
    if (family == IPV4) {
        p.src = (key){0, c->src4[i]};
        p.dst = (key){0, c->dst4[i]};
    } else {
        p.src = key_from_network(c->src6 + 16 * i);
        p.dst = key_from_network(c->dst6 + 16 * i);
    }
    return p;
}

/* Whether n packets can be judged at all. Runs before anything is written, so an error leaves the outputs untouched. */
static inline int columns_check(const pastore_table *table, const columns *c, size_t n, enum family family, const int32_t *index,
                                size_t *bad_packet) {
    if (index && table->verdict != PASTORE_VERDICT_RULE)
        return PASTORE_ERROR_NO_INDEX;
    if (n == 0)
        return PASTORE_OK;
    const bool addresses = family == IPV4 ? c->src4 && c->dst4 : c->src6 && c->dst6;
    if (!addresses || !c->protocol || !c->sport || !c->dport)
        return PASTORE_ERROR_ARGUMENT;
    const uint8_t direction = c->direction ? PASTORE_IN : c->one_direction;
    const uint8_t interface = c->interface ? PASTORE_LAN : c->one_interface;
    size_t bad = direction > PASTORE_OUT || interface > PASTORE_RAS ? 0 : n;
    for (size_t i = 0; c->direction && i < bad; i++)
        if (c->direction[i] > PASTORE_OUT)
            bad = i;
    for (size_t i = 0; c->interface && i < bad; i++)
        if (c->interface[i] > PASTORE_RAS)
            bad = i;
    if (bad == n)
        return PASTORE_OK;
    if (bad_packet)
        *bad_packet = bad;
    return PASTORE_ERROR_PACKET;
}

#endif
