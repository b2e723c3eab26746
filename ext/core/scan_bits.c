/* The rows that are in no group, by the bit vectors of their chunks. core.h tells how these work. */
#include "side.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* The three searches: number of the last start that is not above the value. starts[0] is 0, so there is one. The comparison
 * becomes an addend, not a jump: what the data is like cannot cost a mispredicted branch. */
static ALWAYS_INLINE uint32_t search16(const uint16_t *starts, uint32_t n, uint16_t value) {
    uint32_t base = 0;
    while (n > 1) {
        const uint32_t half = n / 2;
        base += half & (0u - (uint32_t)(starts[base + half] <= value));
        n -= half;
    }
    return base;
}

static ALWAYS_INLINE uint32_t search32(const uint32_t *starts, uint32_t n, uint32_t value) {
    uint32_t base = 0;
    while (n > 1) {
        const uint32_t half = n / 2;
        base += half & (0u - (uint32_t)(starts[base + half] <= value));
        n -= half;
    }
    return base;
}

static ALWAYS_INLINE uint32_t search128(const key *starts, uint32_t n, key value) {
    uint32_t base = 0;
    while (n > 1) {
        const uint32_t half = n / 2;
        const key start = starts[base + half];
        const uint32_t below = (uint32_t)(start.high < value.high), level = (uint32_t)(start.high == value.high);
        base += half & (0u - (below | (level & (uint32_t)(start.low <= value.low))));
        n -= half;
    }
    return base;
}

static ALWAYS_INLINE const uint64_t *set_at(const pastore_table *table, const chunk *c, enum field field, uint32_t interval) {
    const field_index *f = &c->field[field];
    const size_t class = ((const uint16_t *)at(table, f->classes))[interval];
    return (const uint64_t *)at(table, f->sets) + class * (1 + c->words);
}

static ALWAYS_INLINE uint32_t search_address(const pastore_table *table, const field_index *f, key value, enum family family) {
    return family == IPV4 ? search32(at(table, f->starts), f->intervals, (uint32_t)value.low)
                          : search128(at(table, f->starts), f->intervals, value);
}

static ALWAYS_INLINE uint32_t search_port(const pastore_table *table, const field_index *f, uint16_t value) {
    return search16(at(table, f->starts), f->intervals, value);
}

/* First row of the chunk that holds the packet, counted over all chunks, or -1. */
static ALWAYS_INLINE int64_t find_in_chunk(const pastore_table *table, const chunk *c, const packet *p,
                                           const enum family family) {
    const uint64_t *src = set_at(table, c, SRC, search_address(table, &c->field[SRC], p->src, family));
    const uint64_t *dst = set_at(table, c, DST, search_address(table, &c->field[DST], p->dst, family));
    const uint64_t *sport = set_at(table, c, SPORT, search_port(table, &c->field[SPORT], p->sport));
    const uint64_t *dport = set_at(table, c, DPORT, search_port(table, &c->field[DPORT], p->dport));
    const uint64_t *protocol = set_at(table, c, PROTOCOL, p->protocol);
    uint64_t words = src[0] & dst[0] & sport[0] & dport[0] & protocol[0];
    for (; words; words &= words - 1) {
        const unsigned w = 1 + (unsigned)__builtin_ctzll(words);
        const uint64_t rows = src[w] & dst[w] & sport[w] & dport[w] & protocol[w];
        if (rows)
            return (int64_t)c->first + (w - 1) * WORD_BITS + (unsigned)__builtin_ctzll(rows);
    }
    return -1;
}

static ALWAYS_INLINE uint32_t scan(const pastore_table *table, const side_view *side, const packet *p, uint32_t best,
                                   const enum family family) {
    const uint32_t *ids = side->rest_ids;
    for (uint32_t k = 0; k < side->chunk_count && ids[side->chunks[k].first] < best; k++) {
        const int64_t row = find_in_chunk(table, &side->chunks[k], p, family);
        if (row >= 0)
            return ids[row] < best ? ids[row] : best;
    }
    return best;
}

uint32_t scan_chunks(const pastore_table *table, const side_view *side, const packet *p, uint32_t best) {
    return side->family == IPV4 ? scan(table, side, p, best, IPV4) : scan(table, side, p, best, IPV6);
}
