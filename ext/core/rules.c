/* The rows of a side as rules, without those that can never be the answer: rows behind one that takes every packet, and rows
 * that lie within an earlier one, equal ones among them.
 *
 * Within an earlier one: if the earlier row's addresses are prefixes, of lengths s and d, then both address ranges of the later
 * row share their first s and d bits. So for each pair of lengths that has occurred, one look into a hash table by those bits
 * finds all earlier rows that may cover it. Earlier rows with other ranges are compared one by one, as far as the work allows.
 * What is not found costs time in lookups and changes no answer.
 */
#include <stdlib.h>
#include <string.h>

#include "compile.h"

static bool is_prefix(key lo, key hi) {
    const uint64_t high = lo.high ^ hi.high, low = lo.low ^ hi.low;
    if (high ? (high & (high + 1)) || low != UINT64_MAX : (low & (low + 1)) != 0)
        return false;
    return !(lo.high & high) && !(lo.low & low);
}

/* How many leading bits the two ends of a range share, counted from the first of 128. */
static unsigned shared_bits(key lo, key hi) {
    const uint64_t high = lo.high ^ hi.high, low = lo.low ^ hi.low;
    return high ? (unsigned)__builtin_clzll(high) : low ? 64 + (unsigned)__builtin_clzll(low) : 128;
}

static key first_bits(key a, unsigned bits) {
    return (key){bits == 0    ? 0
                 : bits >= 64 ? a.high
                              : a.high & ~(UINT64_MAX >> bits),
                 bits <= 64    ? 0
                 : bits == 128 ? a.low
                               : a.low & ~(UINT64_MAX >> (bits - 64))};
}

static bool covers(const live_row *a, const live_row *b) {
    for (unsigned f = SRC; f <= DST; f++)
        if (key_less(b->lo[f], a->lo[f]) || key_less(a->hi[f], b->hi[f]))
            return false;
    return a->sport_lo <= b->sport_lo && a->sport_hi >= b->sport_hi && a->dport_lo <= b->dport_lo && a->dport_hi >= b->dport_hi &&
           a->protocol_lo <= b->protocol_lo && a->protocol_hi >= b->protocol_hi;
}

static bool takes_all(const live_row *r, enum family family) {
    const key zero = {0, 0}, last = field_last(family, SRC);
    for (unsigned f = SRC; f <= DST; f++)
        if (!key_equal(r->lo[f], zero) || !key_equal(r->hi[f], last))
            return false;
    return !r->sport_lo && r->sport_hi == UINT16_MAX && !r->dport_lo && r->dport_hi == UINT16_MAX && !r->protocol_lo &&
           r->protocol_hi == UINT8_MAX;
}

enum { LENGTHS = 129, MOST_CHAIN = 64 };

static const uint64_t MOST_STEPS = 20u << 20;

/* The earlier rules, to be found by the first bits of their addresses. */
typedef struct finder {
    uint32_t *head, *next; /* rule + 1, or 0 */
    size_t mask;
    struct {
        uint8_t src, dst;
    } *pairs; /* of lengths that occur */
    uint32_t pair_count;
    uint8_t *seen;    /* [LENGTHS][LENGTHS] */
    uint32_t *ranges; /* rules whose addresses are not both prefixes */
    uint32_t range_count;
    uint64_t steps;
} finder;

static size_t slot_of(const finder *f, const live_row *r, unsigned src, unsigned dst) {
    const key s = first_bits(r->lo[SRC], src), d = first_bits(r->lo[DST], dst);
    uint64_t h = mix64(s.low ^ (uint64_t)src << 56 ^ (d.low << 32 | d.low >> 32));
    if (s.high | d.high)
        h = mix64(h + s.high) + mix64(d.high ^ (uint64_t)dst << 40);
    return (size_t)mix64(h + dst) & f->mask;
}

static bool covered_in_slot(const compiler *c, const finder *f, const live_row *r, size_t slot) {
    int chain = MOST_CHAIN;
    for (uint32_t i = f->head[slot]; i && chain--; i = f->next[i - 1])
        if (covers(&c->rules[i - 1], r))
            return true;
    return false;
}

static bool is_covered(const compiler *c, finder *f, const live_row *r, unsigned src, unsigned dst) {
    const bool hurried = f->steps > MOST_STEPS;
    for (uint32_t p = 0; p < f->pair_count; p++) {
        const unsigned s = f->pairs[p].src, d = f->pairs[p].dst;
        if (s > src || d > dst || (hurried && (s != src || d != dst)))
            continue;
        f->steps++;
        if (covered_in_slot(c, f, r, slot_of(f, r, s, d)))
            return true;
    }
    for (uint32_t k = 0; k < f->range_count && f->steps <= MOST_STEPS; k++, f->steps++)
        if (covers(&c->rules[f->ranges[k]], r))
            return true;
    return false;
}

static void enter(const compiler *c, finder *f, uint32_t i, unsigned src, unsigned dst) {
    const live_row *r = &c->rules[i];
    if (!is_prefix(r->lo[SRC], r->hi[SRC]) || !is_prefix(r->lo[DST], r->hi[DST])) {
        f->ranges[f->range_count++] = i;
        return;
    }
    const size_t slot = slot_of(f, r, src, dst);
    f->next[i] = f->head[slot];
    f->head[slot] = i + 1;
    if (!f->seen[src * LENGTHS + dst]) {
        f->seen[src * LENGTHS + dst] = 1;
        f->pairs[f->pair_count].src = (uint8_t)src;
        f->pairs[f->pair_count++].dst = (uint8_t)dst;
    }
}

/* Moves the rules that can be the answer to the front. */
static bool drop_dead(compiler *c) {
    arena scratch = {0};
    size_t slots = 1024;
    while (slots < 2 * (size_t)c->count)
        slots *= 2;
    finder f = {.head = arena_zeroed(&scratch, slots, sizeof *f.head),
                .next = arena_take(&scratch, c->count, sizeof *f.next),
                .mask = slots - 1,
                .pairs = arena_take(&scratch, (size_t)LENGTHS * LENGTHS, sizeof *f.pairs),
                .seen = arena_zeroed(&scratch, (size_t)LENGTHS * LENGTHS, 1),
                .ranges = arena_take(&scratch, c->count, sizeof *f.ranges)};
    uint32_t live = 0;
    for (uint32_t i = 0; !scratch.failed && i < c->count; i++) {
        const live_row r = c->rules[i];
        const unsigned src = shared_bits(r.lo[SRC], r.hi[SRC]), dst = shared_bits(r.lo[DST], r.hi[DST]);
        if (is_covered(c, &f, &r, src, dst))
            continue;
        c->rules[live] = r;
        enter(c, &f, live++, src, dst);
        if (takes_all(&r, c->family))
            break;
    }
    const bool done = !scratch.failed;
    arena_empty(&scratch);
    c->count = done ? live : c->count;
    return done;
}

static live_row live_row_of(const pastore_table *table, enum family family, uint32_t row, uint32_t id) {
    live_row r = {.action = row_action(table, family, row), .id = id, .row = row};
    for (unsigned f = SRC; f <= DST; f++) {
        const range x = row_range(table, family, row, (enum field)f);
        r.lo[f] = x.lo;
        r.hi[f] = x.hi;
    }
    const range sport = row_range(table, family, row, SPORT), dport = row_range(table, family, row, DPORT),
                protocol = row_range(table, family, row, PROTOCOL);
    r.sport_lo = (uint16_t)sport.lo.low;
    r.sport_hi = (uint16_t)sport.hi.low;
    r.dport_lo = (uint16_t)dport.lo.low;
    r.dport_hi = (uint16_t)dport.hi.low;
    r.protocol_lo = (uint8_t)protocol.lo.low;
    r.protocol_hi = (uint8_t)protocol.hi.low;
    return r;
}

static uint64_t hash_rule(uint64_t h, const live_row *r) {
    for (unsigned f = SRC; f <= DST; f++) {
        h = mix64(h ^ r->lo[f].low) + r->lo[f].high;
        h = mix64(h ^ r->hi[f].low) + r->hi[f].high;
    }
    h = mix64(h ^ ((uint64_t)r->sport_lo << 48 | (uint64_t)r->sport_hi << 32 | (uint64_t)r->dport_lo << 16 | r->dport_hi));
    return mix64(h + ((uint64_t)r->protocol_lo << 16 | (uint64_t)r->protocol_hi << 8 | r->action));
}

int take_rules(compiler *c, const uint32_t *rows, uint32_t count) {
    c->rules = arena_take(&c->arena, count, sizeof *c->rules);
    if (!c->rules)
        return PASTORE_ERROR_NO_MEMORY;
    c->count = count;
    c->seed = 0x243F6A8885A308D3u;
    for (uint32_t i = 0; i < count; i++) {
        c->rules[i] = live_row_of(c->table, c->family, rows[i], i);
        c->seed = hash_rule(c->seed, &c->rules[i]);
    }
    if (count && !drop_dead(c))
        return PASTORE_ERROR_NO_MEMORY;
    c->ids = count;
    if (c->table->verdict != PASTORE_VERDICT_ACTION)
        return PASTORE_OK;
    c->ids = 0; /* rows that follow each other and have one action are one answer */
    for (uint32_t i = 0; i < c->count; i++) {
        c->ids += i == 0 || c->rules[i].action != c->rules[i - 1].action;
        c->rules[i].id = c->ids - 1;
    }
    return PASTORE_OK;
}
