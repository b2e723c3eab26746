/* Addresses of one field become intervals: sorted ends, the search levels over them, and the intervals of every rule. */
#include <stdlib.h>
#include <string.h>

#include "compile.h"

/* The end of an interval, and whose: rule * 2, plus 1 if it is where the rule ends, else where the interval before it ends. */
typedef struct bound_of {
    key end;
    uint64_t whose;
} bound_of;

static unsigned digit_of(const bound_of *b, unsigned digit) {
    const uint64_t word = digit < 8 ? b->end.low : b->end.high;
    return word >> (digit % 8 * 8) & 255;
}

/* Sorts by end, a byte a pass; passes over bytes that are the same everywhere are left out. The result is in one of the two. */
static bound_of *sort_bounds(bound_of *from, bound_of *to, size_t n) {
    for (unsigned digit = 0; digit < 16; digit++) {
        size_t place[257] = {0};
        for (size_t i = 0; i < n; i++)
            place[digit_of(&from[i], digit) + 1]++;
        bool same = false;
        for (unsigned d = 1; d <= 256; d++)
            same |= place[d] == n;
        if (same)
            continue;
        for (unsigned d = 0; d < 256; d++)
            place[d + 1] += place[d];
        for (size_t i = 0; i < n; i++)
            to[place[digit_of(&from[i], digit)]++] = from[i];
        bound_of *sorted = to;
        to = from;
        from = sorted;
    }
    return from;
}

/* Collects the bounds of the field, sorts them, numbers the intervals of the rules, and leaves the distinct ends. */
static key *find_ends(compiler *c, arena *scratch, unsigned field, uint32_t *count) {
    address_part *p = &c->address[field];
    const key last = field_last(c->family, (enum field)field), zero = {0, 0};
    bound_of *bounds = arena_take(scratch, 2 * (size_t)c->count, sizeof *bounds),
             *other = arena_take(scratch, 2 * (size_t)c->count, sizeof *other);
    key *ends = arena_take(scratch, 2 * (size_t)c->count, sizeof *ends);
    p->lo = arena_zeroed(&c->arena, c->count, sizeof *p->lo);
    p->hi = arena_take(&c->arena, c->count, sizeof *p->hi);
    if (scratch->failed || c->arena.failed)
        return NULL;
    size_t n = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        const live_row *r = &c->rules[i];
        if (!key_equal(r->lo[field], zero))
            bounds[n++] = (bound_of){key_before(r->lo[field]), (uint64_t)i * 2};
        if (!key_equal(r->hi[field], last))
            bounds[n++] = (bound_of){r->hi[field], (uint64_t)i * 2 + 1};
        p->hi[i] = UINT32_MAX;
    }
    bounds = sort_bounds(bounds, other, n);
    uint32_t distinct = 0;
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || !key_equal(bounds[i].end, bounds[i - 1].end))
            ends[distinct++] = bounds[i].end;
        if (bounds[i].whose & 1)
            p->hi[bounds[i].whose / 2] = distinct - 1;
        else
            p->lo[bounds[i].whose / 2] = distinct;
    }
    for (uint32_t i = 0; i < c->count; i++)
        if (p->hi[i] == UINT32_MAX)
            p->hi[i] = distinct;
    p->intervals = distinct + 1;
    *count = distinct;
    return ends;
}

static uint32_t lines_of(uint32_t keys, uint32_t line) {
    return keys ? (keys - 1) / line + 1 : 1;
}

/* The levels over sorted keys: uint32_t for IPv4, else uint64_t. */
static bool build_levels4(compiler *c, address_part *p, const key *ends, uint32_t count) {
    const uint32_t *below = NULL;
    for (p->levels = 0, p->keys[0] = count;; p->levels++) {
        const uint32_t n = p->keys[p->levels], room = lines_of(n, LINE4) * LINE4;
        uint32_t *keys = arena_take(&c->arena, room, sizeof *keys);
        if (!keys)
            return false;
        for (uint32_t i = 0; i < room; i++)
            keys[i] = i >= n ? UINT32_MAX : below ? below[(i + 1) * LINE4] : (uint32_t)ends[i].low;
        p->level[p->levels] = below = keys;
        if (n <= LINE4)
            break;
        p->keys[p->levels + 1] = (n - 1) / LINE4;
    }
    p->levels++;
    return true;
}

static bool build_levels6(compiler *c, address_part *p, const uint64_t *highs, uint32_t count) {
    const uint64_t *below = NULL;
    for (p->levels = 0, p->keys[0] = count;; p->levels++) {
        const uint32_t n = p->keys[p->levels], behind = p->levels == 0; /* a key behind the last one */
        const uint32_t room = lines_of(n + behind, LINE6) * LINE6;
        uint64_t *keys = arena_take(&c->arena, room, sizeof *keys);
        if (!keys)
            return false;
        for (uint32_t i = 0; i < room; i++)
            keys[i] = i >= n ? UINT64_MAX : below ? below[(i + 1) * LINE6] : highs[i];
        p->level[p->levels] = below = keys;
        if (n <= LINE6)
            break;
        p->keys[p->levels + 1] = (n - 1) / LINE6;
    }
    p->levels++;
    return true;
}

/* Makes keys of the ends, if they can be folded. */
static bool build_fold(compiler *c, address_part *p, arena *scratch, const key *ends, uint32_t count, bool *folded) {
    bound_of *lows = arena_take(scratch, count, sizeof *lows), *other = arena_take(scratch, count, sizeof *other);
    uint64_t *values[2] = {arena_take(scratch, count, sizeof(uint64_t)), arena_take(scratch, count, sizeof(uint64_t))};
    fold *f = arena_zeroed(&c->arena, 1, sizeof *f);
    if (scratch->failed || !f)
        return false;
    for (uint32_t i = 0; i < count; i++)
        lows[i] = (bound_of){{0, ends[i].low}, 0};
    lows = sort_bounds(lows, other, count);
    uint32_t counts[2] = {0, 0};
    for (uint32_t i = 0; i < count; i++) {
        if (i == 0 || ends[i].high != ends[i - 1].high)
            values[0][counts[0]++] = ends[i].high;
        if (i == 0 || lows[i].end.low != lows[i - 1].end.low)
            values[1][counts[1]++] = lows[i].end.low;
    }
    *folded = fold_ends((const uint64_t *const *)values, counts, f);
    if (!*folded)
        return true;
    uint64_t *keys = arena_take(scratch, count, sizeof *keys);
    if (!keys)
        return false;
    for (uint32_t i = 0; i < count; i++)
        keys[i] = fold_key(f, ends[i]);
    p->fold = f;
    return build_levels6(c, p, keys, count);
}

/* Splits the ends into high words and their tails. */
static bool build_tails(compiler *c, address_part *p, arena *scratch, const key *ends, uint32_t count) {
    uint64_t *highs = arena_take(scratch, count, sizeof *highs);
    tail *tails = arena_zeroed(&c->arena, (size_t)count + 1, sizeof *tails);
    if (!highs || !tails)
        return false;
    uint32_t distinct = 0, lines = 1;
    for (uint32_t i = 0, next; i < count; i = next) {
        for (next = i; next < count && ends[next].high == ends[i].high; next++)
            ;
        uint32_t lows = next - i;
        lows -= ends[next - 1].low == UINT64_MAX;
        highs[distinct] = ends[i].high;
        tails[distinct++] = (tail){i, lows ? lines : 0, lows ? lines_of(lows, LINE6) : 0, 0};
        lines += lows ? lines_of(lows, LINE6) : 0;
    }
    tails[distinct].before = count;
    uint64_t *lows = arena_take(&c->arena, (size_t)lines * LINE6, sizeof *lows);
    if (!lows)
        return false;
    memset(lows, 0xFF, (size_t)lines * LINE6 * sizeof *lows);
    for (uint32_t t = 0; t < distinct; t++)
        for (uint32_t i = tails[t].before; tails[t].line_count && i < tails[t + 1].before; i++)
            lows[(size_t)tails[t].line * LINE6 + (i - tails[t].before)] = ends[i].low;
    p->tails = tails;
    p->halvings = halvings_of(tails, distinct);
    p->lows = lows;
    p->low_lines = lines;
    return build_levels6(c, p, highs, distinct);
}

static bool build_index6(compiler *c, address_part *p, arena *scratch, const key *ends, uint32_t count) {
    bool folded;
    return build_fold(c, p, scratch, ends, count, &folded) && (folded || build_tails(c, p, scratch, ends, count));
}

int index_addresses(compiler *c, unsigned field) {
    address_part *p = &c->address[field];
    arena scratch = {0};
    uint32_t count = 0;
    const key *ends = find_ends(c, &scratch, field, &count);
    const bool done = ends && (c->family == IPV4 ? build_levels4(c, p, ends, count) : build_index6(c, p, &scratch, ends, count));
    arena_empty(&scratch);
    return done ? PASTORE_OK : PASTORE_ERROR_NO_MEMORY;
}
