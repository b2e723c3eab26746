/* From rows to a table: validate, copy, choose the chunk, lay out the block. */
#include <stdlib.h>
#include <string.h>

#include "core.h"

/* Whatever the memory limit, the chunk shrinks until the table is within this, or this much a row where that is more; chunks of
 * the smallest size may exceed it. So a limit never makes a table larger. */
static const size_t BUDGET = (size_t)64 << 20, BUDGET_PER_ROW = 256;

/* A table under construction. Its block grows by doubling and moves as it does: everything in it is reached through `in_block`.
 */
typedef struct builder {
    pastore_table *table;
    size_t room, limit; /* of the block */
    sweep sweep;
    uint32_t *members; /* rows of the list that belong to the side being built */
} builder;

static void *in_block(const builder *b, uint64_t offset) {
    return b->table->block + (size_t)offset;
}

/* Appends count * size zeroed bytes to the block, aligned for anything we store; their place goes to *offset. */
static int take(builder *b, size_t count, size_t size, uint64_t *offset) {
    pastore_table *table = b->table;
    const size_t align = BLOCK_ALIGN, used = table->block_bytes;
    if (used > SIZE_MAX - align || count > (SIZE_MAX - align - used) / size)
        return PASTORE_ERROR_NO_MEMORY;
    const size_t start = (used + align - 1) / align * align, end = start + count * size;
    if (end > b->limit)
        return PASTORE_ERROR_MEMORY_LIMIT;
    if (end > b->room || !table->block) {
        size_t room = b->room > SIZE_MAX / 2 ? SIZE_MAX : b->room * 2;
        room = room > b->limit ? b->limit : room;
        room = room < end ? end : room;
        unsigned char *block = realloc(table->block, room ? room : 1); /* never NULL, not even for a table without rows */
        if (!block)
            return PASTORE_ERROR_NO_MEMORY;
        table->block = block;
        b->room = room;
    }
    memset(table->block + used, 0, end - used);
    table->block_bytes = end;
    *offset = start;
    return PASTORE_OK;
}

static int take_copy(builder *b, const void *from, size_t count, size_t size, uint64_t *offset) {
    const int error = take(b, count, size, offset);
    if (!error && count)
        memcpy(in_block(b, *offset), from, count * size);
    return error;
}

/* Validates the rows and counts those of each list and side. */
static int count_rows(pastore_table *table, const pastore_row *rows, size_t n, size_t *bad_row) {
    for (size_t i = 0; i < n; i++) {
        const int error = row_error(&rows[i], i ? &rows[i - 1] : NULL);
        if (error) {
            if (bad_row)
                *bad_row = i;
            return error;
        }
        const enum family family = rows[i].family == 4 ? IPV4 : IPV6;
        table->list[family].count++;
        table->sides[family][PASTORE_IN].count += rows[i].direction != PASTORE_OUT;
        table->sides[family][PASTORE_OUT].count += rows[i].direction != PASTORE_IN;
    }
    return PASTORE_OK;
}

/* The row lists: what every layout has. */
static int copy_rows(builder *b, const pastore_row *rows, size_t n) {
    const bool numbered = b->table->verdict == PASTORE_VERDICT_RULE;
    for (enum family family = IPV4; family < FAMILIES; family++) {
        row_list *list = &b->table->list[family];
        int error = take(b, list->count, family == IPV4 ? sizeof(row4) : sizeof(row6), &list->rows);
        if (!error && numbered)
            error = take(b, list->count, sizeof(int32_t), &list->numbers);
        if (error)
            return error;
        void *kept = in_block(b, list->rows);
        int32_t *numbers = in_block(b, list->numbers);
        uint32_t k = 0;
        for (size_t i = 0; i < n; i++) {
            if (rows[i].family != (family == IPV4 ? 4 : 6))
                continue;
            if (family == IPV4)
                ((row4 *)kept)[k] = row4_of(&rows[i]);
            else
                ((row6 *)kept)[k] = row6_of(&rows[i]);
            if (numbered)
                numbers[k] = (int32_t)i;
            k++;
        }
    }
    return PASTORE_OK;
}

/* The starts of the sweep in the type in which the field is searched. */
static int store_starts(builder *b, enum family family, enum field field, uint64_t *offset) {
    const sweep *s = &b->sweep;
    if (field == SPORT || field == DPORT) {
        const int error = take(b, s->intervals, sizeof(uint16_t), offset);
        for (uint32_t i = 0; !error && i < s->intervals; i++)
            ((uint16_t *)in_block(b, *offset))[i] = (uint16_t)s->starts[i].low;
        return error;
    }
    if (family == IPV6)
        return take_copy(b, s->starts, s->intervals, sizeof(key), offset);
    const int error = take(b, s->intervals, sizeof(uint32_t), offset);
    for (uint32_t i = 0; !error && i < s->intervals; i++)
        ((uint32_t *)in_block(b, *offset))[i] = (uint32_t)s->starts[i].low;
    return error;
}

/* Classes by value instead of by interval, for the fields with few values. */
static int store_direct(builder *b, uint32_t values, uint64_t *offset) {
    const sweep *s = &b->sweep;
    const int error = take(b, values, sizeof(uint16_t), offset);
    for (uint32_t value = 0, i = 0; !error && value < values; value++) {
        while (i + 1 < s->intervals && s->starts[i + 1].low <= value)
            i++;
        ((uint16_t *)in_block(b, *offset))[value] = s->classes[i];
    }
    return error;
}

static int store_field(builder *b, enum family family, enum field field, field_index *out) {
    const sweep *s = &b->sweep;
    int error;
    *out = (field_index){.intervals = s->intervals, .class_count = s->class_count};
    if (field == PROTOCOL || field == INTERFACE) {
        out->intervals = (uint32_t)field_last(family, field).low + 1;
        error = store_direct(b, out->intervals, &out->classes);
    } else {
        error = store_starts(b, family, field, &out->starts);
        if (!error)
            error = take_copy(b, s->classes, s->intervals, sizeof(uint16_t), &out->classes);
    }
    return error ? error : take_copy(b, s->sets, s->class_count, (1 + s->words) * sizeof(uint64_t), &out->sets);
}

static int build_chunk(builder *b, enum family family, unsigned direction, chunk *out) {
    for (enum field field = SRC; field < FIELDS; field++) {
        sweep_begin(&b->sweep, out->rows);
        for (uint32_t i = 0; i < out->rows; i++)
            sweep_add(&b->sweep, i, row_range(b->table, family, b->members[out->first + i], field, direction),
                      field_last(family, field));
        sweep_finish(&b->sweep);
        const int error = store_field(b, family, field, &out->field[field]);
        if (error)
            return error;
    }
    return PASTORE_OK;
}

/* What to answer with when a row of the side decides. */
static int store_answers(builder *b, enum family family, side_index *side) {
    const pastore_table *table = b->table;
    int error = take(b, side->count, sizeof(uint8_t), &side->actions);
    for (uint32_t i = 0; !error && i < side->count; i++)
        ((uint8_t *)in_block(b, side->actions))[i] = row_action(table, family, b->members[i]);
    if (error || table->verdict != PASTORE_VERDICT_RULE)
        return error;
    if (side->count == table->list[family].count) { /* every row of the list is a row of the side */
        side->numbers = table->list[family].numbers;
        return PASTORE_OK;
    }
    error = take(b, side->count, sizeof(int32_t), &side->numbers);
    for (uint32_t i = 0; !error && i < side->count; i++)
        ((int32_t *)in_block(b, side->numbers))[i] = ((const int32_t *)in_block(b, table->list[family].numbers))[b->members[i]];
    return error;
}

static void find_members(builder *b, enum family family, unsigned direction) {
    const unsigned wanted = where_bit(direction, PASTORE_LAN) | where_bit(direction, PASTORE_RAS);
    uint32_t count = 0;
    for (uint32_t row = 0; row < b->table->list[family].count; row++)
        if (row_where(b->table, family, row) & wanted)
            b->members[count++] = row;
}

static int build_side(builder *b, enum family family, unsigned direction) {
    const uint32_t chunk_rows = b->table->chunk_rows;
    side_index *side = &b->table->sides[family][direction];
    *side = (side_index){.count = side->count};
    if (side->count == 0)
        return PASTORE_OK;
    find_members(b, family, direction);
    side->chunk_count = (side->count - 1) / chunk_rows + 1;
    int error = take(b, side->chunk_count, sizeof(chunk), &side->chunks);
    for (uint32_t c = 0; !error && c < side->chunk_count; c++) {
        const uint32_t first = c * chunk_rows, left = side->count - first;
        chunk built = {.first = first, .rows = left < chunk_rows ? left : chunk_rows};
        built.words = (built.rows + WORD_BITS - 1) / WORD_BITS;
        error = build_chunk(b, family, direction, &built);
        ((chunk *)in_block(b, side->chunks))[c] = built;
    }
    return error ? error : store_answers(b, family, side);
}

/* All sides with chunks of table->chunk_rows rows. A family whose rows all apply both ways needs one side, used twice. */
static int build_sides(builder *b) {
    for (enum family family = IPV4; family < FAMILIES; family++) {
        side_index *in = &b->table->sides[family][PASTORE_IN], *out = &b->table->sides[family][PASTORE_OUT];
        const uint32_t all = b->table->list[family].count;
        int error = build_side(b, family, PASTORE_IN);
        if (!error && in->count == all && out->count == all)
            *out = *in;
        else if (!error)
            error = build_side(b, family, PASTORE_OUT);
        if (error)
            return error;
    }
    return PASTORE_OK;
}

/* Halves the chunk until the table fits; the last resort are the row lists alone. */
static int choose_layout(builder *b, uint32_t largest) {
    pastore_table *table = b->table;
    const size_t lists = table->block_bytes, limit = b->limit;
    const size_t share = table->rows > SIZE_MAX / BUDGET_PER_ROW ? SIZE_MAX : table->rows * BUDGET_PER_ROW;
    for (uint32_t rows = largest; rows >= SMALLEST_CHUNK; rows /= 2) {
        const size_t budget = rows == SMALLEST_CHUNK ? SIZE_MAX : share > BUDGET ? share : BUDGET;
        b->limit = budget < limit ? budget : limit;
        table->chunk_rows = rows;
        const int error = build_sides(b);
        if (error != PASTORE_ERROR_MEMORY_LIMIT)
            return error;
        table->block_bytes = lists;
    }
    table->chunk_rows = 0;
    for (enum family family = IPV4; family < FAMILIES; family++)
        for (unsigned direction = 0; direction < DIRECTIONS; direction++)
            table->sides[family][direction] = (side_index){.count = table->sides[family][direction].count};
    return PASTORE_OK;
}

/* The smallest chunk that takes in the largest side whole, within the bounds there are. */
static uint32_t largest_useful_chunk(const pastore_table *table) {
    uint32_t rows = SMALLEST_CHUNK;
    for (enum family family = IPV4; family < FAMILIES; family++)
        for (unsigned direction = 0; direction < DIRECTIONS; direction++)
            while (rows < LARGEST_CHUNK && rows < table->sides[family][direction].count)
                rows *= 2;
    return rows;
}

static int build_layout(builder *b) {
    const uint32_t largest = largest_useful_chunk(b->table);
    int error = sweep_open(&b->sweep, largest);
    if (error)
        return error;
    b->members = malloc((b->table->rows ? b->table->rows : 1) * sizeof *b->members);
    error = b->members ? choose_layout(b, largest) : PASTORE_ERROR_NO_MEMORY;
    free(b->members);
    sweep_close(&b->sweep);
    return error;
}

/* Gives back the room that the finished block does not need. */
static void trim(builder *b) {
    pastore_table *table = b->table;
    unsigned char *block = table->block_bytes && table->block_bytes < b->room ? realloc(table->block, table->block_bytes) : NULL;
    if (block)
        table->block = block;
}

int pastore_build(const pastore_row *rows, size_t n, const pastore_options *options, pastore_table **out, size_t *bad_row) {
    const pastore_options given = options ? *options : (pastore_options){0};
    if (!out)
        return PASTORE_ERROR_ARGUMENT;
    *out = NULL;
    if ((n && !rows) || given.verdict < PASTORE_VERDICT_RULE || given.verdict > PASTORE_VERDICT_ACTION)
        return PASTORE_ERROR_ARGUMENT;
    if (n > INT32_MAX)
        return PASTORE_ERROR_TOO_MANY;
    if (given.memory_limit && given.memory_limit < sizeof(pastore_table))
        return PASTORE_ERROR_MEMORY_LIMIT;
    pastore_table *table = calloc(1, sizeof *table);
    if (!table)
        return PASTORE_ERROR_NO_MEMORY;
    table->rows = n;
    table->verdict = given.verdict;
    table->memory_limit = given.memory_limit;
    builder b = {.table = table, .limit = given.memory_limit ? given.memory_limit - sizeof *table : SIZE_MAX};
    int error = count_rows(table, rows, n, bad_row);
    if (!error)
        error = copy_rows(&b, rows, n);
    if (!error)
        error = build_layout(&b);
    if (error) {
        pastore_close(table);
        return error;
    }
    trim(&b);
#ifdef PASTORE_DEBUG
    if (pastore_check(table, NULL) != PASTORE_OK)
        abort(); /* not assert: Python's own flags switch that off */
#endif
    *out = table;
    return PASTORE_OK;
}

void pastore_close(pastore_table *table) {
    if (table) {
        if (table->release)
            table->release(table);
        else
            free(table->block);
        free(table);
    }
}

void pastore_stats(const pastore_table *table, struct pastore_stats *stats) {
    *stats = (struct pastore_stats){.rows = table->rows,
                                    .bytes = sizeof *table + table->block_bytes,
                                    .chunk_rows = table->chunk_rows,
                                    .isa = "scalar",
                                    .verdict = table->verdict};
}
