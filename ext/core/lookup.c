/* The fast path: classify and match. Neither allocates nor locks. */
#include "columns.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* Packets that are taken through the chunks together, so that a chunk is fetched once for all of them. */
enum { BLOCK = 256 };

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

/* First row of the chunk that matches, as a row of the side, or -1. */
static ALWAYS_INLINE int64_t find_in_chunk(const pastore_table *table, const chunk *c, const packet *p, enum family family) {
    const uint64_t *src = set_at(table, c, SRC, search_address(table, &c->field[SRC], p->src, family));
    const uint64_t *dst = set_at(table, c, DST, search_address(table, &c->field[DST], p->dst, family));
    const uint64_t *sport = set_at(table, c, SPORT, search_port(table, &c->field[SPORT], p->sport));
    const uint64_t *dport = set_at(table, c, DPORT, search_port(table, &c->field[DPORT], p->dport));
    const uint64_t *protocol = set_at(table, c, PROTOCOL, p->protocol);
    const uint64_t *interface = set_at(table, c, INTERFACE, p->interface);
    uint64_t words = src[0] & dst[0] & sport[0] & dport[0] & protocol[0] & interface[0];
    for (; words; words &= words - 1) {
        const unsigned w = 1 + (unsigned)__builtin_ctzll(words);
        const uint64_t rows = src[w] & dst[w] & sport[w] & dport[w] & protocol[w] & interface[w];
        if (rows)
            return (int64_t)c->first + (w - 1) * WORD_BITS + (unsigned)__builtin_ctzll(rows);
    }
    return -1;
}

/* Where answers go. Either may be NULL. */
typedef struct answers {
    uint8_t *action;
    int32_t *index;
} answers;

static ALWAYS_INLINE void answer(const pastore_table *table, uint64_t actions, uint64_t numbers, answers out, size_t i,
                                 int64_t row) {
    if (out.action)
        out.action[i] = row < 0 ? PASTORE_NONE : ((const uint8_t *)at(table, actions))[row];
    if (out.index)
        out.index[i] = row < 0 ? -1 : ((const int32_t *)at(table, numbers))[row];
}

/* Takes the `left` packets base + pending[] through the chunks of one side; each drops out at the first chunk that answers. */
static ALWAYS_INLINE void settle_block(const pastore_table *table, const side_index *side, const columns *c, size_t base,
                                       uint16_t *pending, uint32_t left, answers out, enum family family) {
    const chunk *chunks = at(table, side->chunks);
    for (uint32_t k = 0; k < side->chunk_count && left; k++) {
        uint32_t kept = 0;
        for (uint32_t j = 0; j < left; j++) {
            const packet p = packet_at(c, base + pending[j], family);
            const int64_t row = find_in_chunk(table, &chunks[k], &p, family);
            if (row >= 0)
                answer(table, side->actions, side->numbers, out, base + pending[j], row);
            else
                pending[kept++] = pending[j];
        }
        left = kept;
    }
    for (uint32_t j = 0; j < left; j++)
        answer(table, 0, 0, out, base + pending[j], -1);
}

static ALWAYS_INLINE int classify(const pastore_table *table, const columns *c, size_t n, answers out, size_t *bad_packet,
                                  enum family family) {
    const int error = columns_check(table, c, n, family, out.index, bad_packet);
    if (error)
        return error;
    for (size_t base = 0; base < n; base += BLOCK) {
        const uint32_t length = (uint32_t)(n - base < BLOCK ? n - base : BLOCK);
        uint16_t pending[DIRECTIONS][BLOCK];
        uint32_t count[DIRECTIONS] = {0};
        for (uint32_t j = 0; j < length; j++) {
            const uint8_t direction = direction_at(c, base + j);
            pending[direction][count[direction]++] = (uint16_t)j;
        }
        for (unsigned direction = 0; direction < DIRECTIONS; direction++)
            settle_block(table, &table->sides[family][direction], c, base, pending[direction], count[direction], out, family);
    }
    return PASTORE_OK;
}

int pastore_classify4(const pastore_table *table, const pastore_columns4 *packets, size_t n, uint8_t *action, int32_t *index,
                      size_t *bad_packet) {
    if (!table || !packets)
        return PASTORE_ERROR_ARGUMENT;
    if (table->chunk_rows == 0)
        return pastore_scan4(table, packets, n, action, index, bad_packet);
    const columns c = columns_of4(packets);
    return classify(table, &c, n, (answers){action, index}, bad_packet, IPV4);
}

int pastore_classify6(const pastore_table *table, const pastore_columns6 *packets, size_t n, uint8_t *action, int32_t *index,
                      size_t *bad_packet) {
    if (!table || !packets)
        return PASTORE_ERROR_ARGUMENT;
    if (table->chunk_rows == 0)
        return pastore_scan6(table, packets, n, action, index, bad_packet);
    const columns c = columns_of6(packets);
    return classify(table, &c, n, (answers){action, index}, bad_packet, IPV6);
}

static ALWAYS_INLINE int match(const pastore_table *table, const packet *p, uint8_t *action, int32_t *index, enum family family) {
    if (index && table->verdict != PASTORE_VERDICT_RULE)
        return PASTORE_ERROR_NO_INDEX;
    if (p->direction > PASTORE_OUT || p->interface > PASTORE_RAS)
        return PASTORE_ERROR_PACKET;
    if (table->chunk_rows == 0) {
        const int64_t row = scan_first(table, family, p);
        if (action)
            *action = row < 0 ? PASTORE_NONE : row_action(table, family, (uint32_t)row);
        if (index)
            *index = row < 0 ? -1 : ((const int32_t *)at(table, table->list[family].numbers))[row];
        return PASTORE_OK;
    }
    const side_index *side = &table->sides[family][p->direction];
    const chunk *chunks = at(table, side->chunks);
    int64_t row = -1;
    for (uint32_t k = 0; k < side->chunk_count && row < 0; k++)
        row = find_in_chunk(table, &chunks[k], p, family);
    answer(table, side->actions, side->numbers, (answers){action, index}, 0, row);
    return PASTORE_OK;
}

int pastore_match4(const pastore_table *table, const pastore_packet4 *packet4, uint8_t *action, int32_t *index) {
    if (!table || !packet4)
        return PASTORE_ERROR_ARGUMENT;
    const packet p = {.src = {0, packet4->src},
                      .dst = {0, packet4->dst},
                      .sport = packet4->sport,
                      .dport = packet4->dport,
                      .protocol = packet4->protocol,
                      .direction = packet4->direction,
                      .interface = packet4->interface};
    return match(table, &p, action, index, IPV4);
}

int pastore_match6(const pastore_table *table, const pastore_packet6 *packet6, uint8_t *action, int32_t *index) {
    if (!table || !packet6)
        return PASTORE_ERROR_ARGUMENT;
    const packet p = {.src = key_from_network(packet6->src),
                      .dst = key_from_network(packet6->dst),
                      .sport = packet6->sport,
                      .dport = packet6->dport,
                      .protocol = packet6->protocol,
                      .direction = packet6->direction,
                      .interface = packet6->interface};
    return match(table, &p, action, index, IPV6);
}
