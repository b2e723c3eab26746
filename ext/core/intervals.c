/* One field of one chunk: the bounds of its rows become intervals, classes of intervals, and a set of rows for each class. */
#include <stdlib.h>
#include <string.h>

#include "core.h"

static uint32_t words_for(uint32_t rows) {
    return (rows + WORD_BITS - 1) / WORD_BITS;
}

/* Room for chunks of up to `rows` rows. The sizes cannot overflow: rows <= LARGEST_CHUNK. */
int sweep_open(sweep *s, uint32_t rows) {
    const size_t intervals = 2 * (size_t)rows + 1;
    *s = (sweep){.slot_count = 2};
    while (s->slot_count < 2 * intervals)
        s->slot_count *= 2;
    s->bounds = malloc(2 * (size_t)rows * sizeof *s->bounds);
    s->starts = malloc(intervals * sizeof *s->starts);
    s->classes = malloc(intervals * sizeof *s->classes);
    s->sets = malloc((intervals + 1) * (1 + words_for(rows)) * sizeof *s->sets); /* one more for the set being swept */
    s->slots = malloc(s->slot_count * sizeof *s->slots);
    if (s->bounds && s->starts && s->classes && s->sets && s->slots)
        return PASTORE_OK;
    sweep_close(s);
    return PASTORE_ERROR_NO_MEMORY;
}

void sweep_close(sweep *s) {
    free(s->bounds);
    free(s->starts);
    free(s->classes);
    free(s->sets);
    free(s->slots);
    *s = (sweep){0};
}

void sweep_begin(sweep *s, uint32_t rows) {
    s->words = words_for(rows);
    s->bound_count = 0;
    s->intervals = 0;
    s->class_count = 0;
}

/* Takes in row number `row` of the chunk, whose range is `r`, on an axis that ends at `last`. */
void sweep_add(sweep *s, uint32_t row, range r, key last) {
    s->bounds[s->bound_count++] = (bound){r.lo, row, true};
    if (key_less(r.hi, last)) /* nothing begins after the end of the axis */
        s->bounds[s->bound_count++] = (bound){key_next(r.hi), row, false};
}

static int compare_bounds(const void *left, const void *right) {
    const key a = ((const bound *)left)->at, b = ((const bound *)right)->at;
    return (int)key_less(b, a) - (int)key_less(a, b);
}

static uint64_t hash_words(const uint64_t *words, size_t n) {
    uint64_t hash = 0;
    for (size_t i = 0; i < n; i++) {
        hash = (hash ^ words[i]) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 29;
    }
    return hash;
}

/* The class whose set equals the words at `current`; the set becomes a new class if there is none. `current` is the place right
 * after the last class, so becoming one is not even a copy. */
static uint16_t class_of(sweep *s, const uint64_t *current) {
    const size_t stride = 1 + s->words;
    size_t slot = (size_t)hash_words(current + 1, s->words) & (s->slot_count - 1);
    for (; s->slots[slot]; slot = (slot + 1) & (s->slot_count - 1)) {
        const uint32_t class = s->slots[slot] - 1;
        if (memcmp(s->sets + class * stride + 1, current + 1, s->words * sizeof *current) == 0)
            return (uint16_t)class;
    }
    s->slots[slot] = ++s->class_count;
    return (uint16_t)(s->class_count - 1);
}

static uint64_t summary_of(const uint64_t *words, uint32_t n) {
    uint64_t summary = 0;
    for (uint32_t w = 0; w < n; w++)
        summary |= (uint64_t)(words[w] != 0) << w;
    return summary;
}

/* Sweeps over the bounds in order, switching rows on and off, and closes an interval wherever the value changes. */
void sweep_finish(sweep *s) {
    const size_t stride = 1 + s->words;
    qsort(s->bounds, s->bound_count, sizeof *s->bounds, compare_bounds);
    memset(s->slots, 0, s->slot_count * sizeof *s->slots);
    uint64_t *current = s->sets;
    memset(current, 0, stride * sizeof *current);
    key start = {0, 0};
    for (size_t i = 0;;) {
        for (; i < s->bound_count && key_equal(s->bounds[i].at, start); i++) {
            const bound *b = &s->bounds[i];
            current[1 + b->row / WORD_BITS] ^= (uint64_t)1 << (b->row % WORD_BITS);
        }
        current[0] = summary_of(current + 1, s->words);
        s->starts[s->intervals] = start;
        s->classes[s->intervals] = class_of(s, current);
        s->intervals++;
        if (s->sets + s->class_count * stride != current) { /* it became a class: go on in a copy */
            memcpy(current + stride, current, stride * sizeof *current);
            current += stride;
        }
        if (i == s->bound_count)
            return;
        start = s->bounds[i].at;
    }
}
