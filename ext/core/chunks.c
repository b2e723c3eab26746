/* Bit vectors over rules, in chunks. */
#include <string.h>

#include "compile.h"

/* The chunk shrinks until the bit vectors are within this, or this much a rule where that is more; chunks of the smallest size
 * may exceed it. */
static const size_t BUDGET = (size_t)64 << 20, BUDGET_PER_RULE = 256;

typedef struct chunker {
    block *b;
    const compiler *c;
    const uint32_t *rules;
    uint32_t count;
    sweep sweep;
    side_index *side;
} chunker;

/* The starts of the sweep in the type in which the field is searched. */
static int store_starts(chunker *k, enum field field, uint64_t *offset) {
    const sweep *s = &k->sweep;
    const enum family family = k->c->family;
    if (field < SPORT && family == IPV6)
        return block_copy(k->b, s->starts, s->intervals, sizeof(key), offset);
    const size_t size = field_start_size(family, field);
    const int error = block_take(k->b, s->intervals, size, offset);
    for (uint32_t i = 0; !error && i < s->intervals; i++)
        if (size == sizeof(uint16_t))
            ((uint16_t *)in_block(k->b, *offset))[i] = (uint16_t)s->starts[i].low;
        else
            ((uint32_t *)in_block(k->b, *offset))[i] = (uint32_t)s->starts[i].low;
    return error;
}

/* Classes by value instead of by interval, for the field with few values. */
static int store_direct(chunker *k, uint32_t values, uint64_t *offset) {
    const sweep *s = &k->sweep;
    const int error = block_take(k->b, values, sizeof(uint16_t), offset);
    for (uint32_t value = 0, i = 0; !error && value < values; value++) {
        while (i + 1 < s->intervals && s->starts[i + 1].low <= value)
            i++;
        ((uint16_t *)in_block(k->b, *offset))[value] = s->classes[i];
    }
    return error;
}

static int store_field(chunker *k, enum field field, field_index *out) {
    const sweep *s = &k->sweep;
    int error;
    *out = (field_index){.intervals = s->intervals, .class_count = s->class_count};
    if (field == PROTOCOL) {
        out->intervals = (uint32_t)field_last(k->c->family, field).low + 1;
        error = store_direct(k, out->intervals, &out->classes);
    } else {
        error = store_starts(k, field, &out->starts);
        if (!error)
            error = block_copy(k->b, s->classes, s->intervals, sizeof(uint16_t), &out->classes);
    }
    return error ? error : block_copy(k->b, s->sets, s->class_count, (1 + s->words) * sizeof(uint64_t), &out->sets);
}

static int store_chunk(chunker *k, chunk *out) {
    for (enum field field = SRC; field < FIELDS; field++) {
        sweep_begin(&k->sweep, out->rows);
        for (uint32_t i = 0; i < out->rows; i++) {
            const uint32_t row = k->c->rules[k->rules[out->first + i]].row;
            sweep_add(&k->sweep, i, row_range(k->c->table, k->c->family, row, field), field_last(k->c->family, field));
        }
        sweep_finish(&k->sweep);
        const int error = store_field(k, field, &out->field[field]);
        if (error)
            return error;
    }
    return PASTORE_OK;
}

static int store_all(chunker *k, uint32_t chunk_rows) {
    side_index *side = k->side;
    side->rest = k->count;
    side->chunk_rows = chunk_rows;
    side->chunk_count = (k->count - 1) / chunk_rows + 1;
    int error = block_take(k->b, side->chunk_count, sizeof(chunk), &side->chunks);
    for (uint32_t n = 0; !error && n < side->chunk_count; n++) {
        const uint32_t first = n * chunk_rows, left = k->count - first;
        chunk built = {.first = first, .rows = left < chunk_rows ? left : chunk_rows};
        built.words = (built.rows + WORD_BITS - 1) / WORD_BITS;
        error = store_chunk(k, &built);
        ((chunk *)in_block(k->b, side->chunks))[n] = built;
    }
    if (!error)
        error = block_take(k->b, k->count, sizeof(uint32_t), &side->rest_ids);
    if (!error)
        error = block_take(k->b, k->count, sizeof(uint32_t), &side->rest_rows);
    for (uint32_t i = 0; !error && i < k->count; i++) {
        const live_row *r = &k->c->rules[k->rules[i]];
        ((uint32_t *)in_block(k->b, side->rest_ids))[i] = r->id;
        ((uint32_t *)in_block(k->b, side->rest_rows))[i] = r->row;
    }
    return error;
}

/* Halves the chunk until it fits. */
static int shrink(chunker *k, uint32_t largest) {
    block *b = k->b;
    const size_t before = b->table->block_bytes, limit = b->limit;
    const size_t share = (size_t)k->count * BUDGET_PER_RULE, budget = share > BUDGET ? share : BUDGET;
    int error = PASTORE_ERROR_MEMORY_LIMIT;
    for (uint32_t rows = largest; error == PASTORE_ERROR_MEMORY_LIMIT && rows >= SMALLEST_CHUNK; rows /= 2) {
        if (rows > SMALLEST_CHUNK && budget < limit - before)
            b->limit = before + budget;
        b->table->block_bytes = before;
        error = store_all(k, rows);
        b->limit = limit;
    }
    if (error) {
        b->table->block_bytes = before;
        k->side->chunks = k->side->rest_ids = k->side->rest_rows = 0;
        k->side->chunk_count = k->side->chunk_rows = k->side->rest = 0;
    }
    return error;
}

int store_chunks(block *b, const compiler *c, const uint32_t *rules, uint32_t count, side_index *side) {
    if (!count)
        return PASTORE_OK;
    uint32_t largest = SMALLEST_CHUNK;
    while (largest < LARGEST_CHUNK && largest < count)
        largest *= 2;
    chunker k = {.b = b, .c = c, .rules = rules, .count = count, .side = side};
    int error = sweep_open(&k.sweep, largest);
    if (!error) {
        error = shrink(&k, largest);
        sweep_close(&k.sweep);
    }
    return error;
}
