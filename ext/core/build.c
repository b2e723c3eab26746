/* From rows to a table: validate, copy, find the sides, compile each, lay out the block. */
#include <stdlib.h>
#include <string.h>

#include "compile.h"

static const char *const LAYOUT_NAMES[LAYOUTS] = {"linear",     "bits", "lists",     "four/compare", "four/large",
                                                  "four/small", "two",  "one/shape", "one/direct",   "one/bands"};

/* What a side may take without a limit of the caller's: enough for the layouts that are fast because they stay in caches. */
static size_t default_room(uint32_t rows) {
    const size_t small = (size_t)7 << 20, large = (size_t)13 << 20, a_row = 256;
    const uint32_t few = 4000, many = 100000;
    return rows < few ? small : rows < many ? large : large + (rows - many) * a_row;
}

/* Validates the rows and counts those of each list. */
static int count_rows(pastore_table *table, const pastore_row *rows, size_t n, size_t *bad_row) {
    for (size_t i = 0; i < n; i++) {
        const int error = row_error(&rows[i], i ? &rows[i - 1] : NULL);
        if (error) {
            if (bad_row)
                *bad_row = i;
            return error;
        }
        table->list[rows[i].family == 4 ? IPV4 : IPV6].count++;
    }
    return PASTORE_OK;
}

/* The row lists: what every layout has. */
static int copy_rows(block *b, const pastore_row *rows, size_t n) {
    const bool numbered = b->table->verdict == PASTORE_VERDICT_RULE;
    for (enum family family = IPV4; family < FAMILIES; family++) {
        row_list *list = &b->table->list[family];
        int error = block_take(b, list->count, family == IPV4 ? sizeof(row4) : sizeof(row6), &list->rows);
        if (!error && numbered)
            error = block_take(b, list->count, sizeof(int32_t), &list->numbers);
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

/* Whether two sides of a family have the same rows. */
static bool same_members(const pastore_table *table, enum family family, unsigned bit, unsigned other) {
    for (uint32_t row = 0; row < table->list[family].count; row++)
        if (!(row_where(table, family, row) & bit) != !(row_where(table, family, row) & other))
            return false;
    return true;
}

/* Numbers the sides; equal ones are one. Gives the family and place of each. */
static void find_sides(pastore_table *table, enum family family_of[MOST_SIDES], unsigned bit_of[MOST_SIDES]) {
    for (enum family family = IPV4; family < FAMILIES; family++)
        for (unsigned direction = 0; direction < DIRECTIONS; direction++)
            for (unsigned interface = 0; interface < INTERFACES; interface++) {
                const unsigned bit = where_bit(direction, interface);
                uint32_t side = 0;
                while (side < table->side_count && (family_of[side] != family || !same_members(table, family, bit, bit_of[side])))
                    side++;
                if (side == table->side_count) {
                    family_of[side] = family;
                    bit_of[side] = bit;
                    table->side_count++;
                }
                table->side_of[family][direction][interface] = (uint8_t)side;
            }
}

static uint32_t count_members(const pastore_table *table, enum family family, unsigned bit) {
    uint32_t count = 0;
    for (uint32_t row = 0; row < table->list[family].count; row++)
        count += (row_where(table, family, row) & bit) != 0;
    return count;
}

/* What to answer with, by id. */
static int store_answers(block *b, const compiler *c, const uint32_t *members, side_index *side) {
    const bool numbered = b->table->verdict == PASTORE_VERDICT_RULE;
    int error = block_take(b, (size_t)c->ids + 1, sizeof(uint8_t), &side->actions);
    if (!error && numbered)
        error = block_take(b, (size_t)c->ids + 1, sizeof(int32_t), &side->numbers);
    if (error)
        return error;
    uint8_t *actions = in_block(b, side->actions);
    actions[0] = PASTORE_NONE;
    if (!numbered) {
        for (uint32_t i = 0; i < c->count; i++)
            actions[c->rules[i].id + 1] = c->rules[i].action;
        return PASTORE_OK;
    }
    int32_t *numbers = in_block(b, side->numbers);
    const int32_t *given = in_block(b, b->table->list[c->family].numbers);
    numbers[0] = -1;
    for (uint32_t id = 0; id < c->ids; id++) {
        actions[id + 1] = row_action(b->table, c->family, members[id]);
        numbers[id + 1] = given[members[id]];
    }
    return PASTORE_OK;
}

static int store_side(block *b, const compiler *c, const uint32_t *members, const candidate *k, side_index *side) {
    int error = store_answers(b, c, members, side);
    if (!error)
        error = store_candidate(b, c, k, side);
    return error ? error : store_chunks(b, c, k->rest, k->rest_count, side);
}

/* Puts a side into the block: as the candidate says, else as bit vectors, else as nothing but the row list. */
static int lay_out(block *b, compiler *c, const uint32_t *members, candidate *k, int wanted, side_index *side) {
    const size_t before = b->table->block_bytes;
    const side_index empty = *side;
    int error = PASTORE_ERROR_MEMORY_LIMIT;
    if (k->group_count) {
        side->layout = k->layout;
        error = store_side(b, c, members, k, side);
    }
    if (error == PASTORE_ERROR_MEMORY_LIMIT && wanted != LAYOUT_LINEAR) {
        b->table->block_bytes = before;
        *side = empty;
        side->layout = LAYOUT_BITS;
        uint32_t *all = arena_take(&c->arena, c->count, sizeof *all);
        if (!all)
            return PASTORE_ERROR_NO_MEMORY;
        for (uint32_t i = 0; i < c->count; i++)
            all[i] = i;
        error = store_side(b, c, members, &(candidate){.rest = all, .rest_count = c->count}, side);
    }
    if (error == PASTORE_ERROR_MEMORY_LIMIT) {
        b->table->block_bytes = before;
        *side = empty;
        side->layout = LAYOUT_LINEAR;
        error = PASTORE_OK;
    }
    return error;
}

/* Bytes up to which side i may go: its share of what is left to all from there on. A limit of the caller's says what may be
 * taken, so it takes the place of ours. */
static size_t room_for(const block *b, uint32_t rows, size_t rows_left) {
    const size_t left = b->limit - b->table->block_bytes, room = b->table->memory_limit ? left : default_room(rows);
    const double share = (double)left * rows / (double)(rows_left ? rows_left : 1);
    return share < (double)room ? (size_t)share : room;
}

static int compile_side(block *b, enum family family, const uint32_t *members, uint32_t count, size_t rows_left, int wanted,
                        uint8_t *live, side_index *side) {
    compiler c = {.table = b->table, .isa = b->table->isa, .family = family, .work_limit = UINT64_MAX};
    candidate best = {.layout = LAYOUT_BITS};
    int error = take_rules(&c, members, count);
    *side = (side_index){.rows = count, .live = c.count, .ids = c.ids};
    for (uint32_t i = 0; !error && i < c.count; i++)
        live[c.rules[i].row] = 1;
    const bool groups = c.count && wanted != LAYOUT_BITS && wanted != LAYOUT_LINEAR;
    for (unsigned field = SRC; !error && groups && field <= DST; field++)
        error = index_addresses(&c, field);
    if (!error && groups)
        error = index_ports(&c);
    if (!error && groups)
        error = choose_candidate(&c, room_for(b, count, rows_left), wanted, &best);
    if (!error)
        error = lay_out(b, &c, members, &best, wanted, side);
    arena_empty(&c.arena);
    return error;
}

static int compile_sides(block *b, const enum family *family_of, const unsigned *bit_of, int wanted, uint32_t *members,
                         uint8_t *const live[FAMILIES]) {
    pastore_table *table = b->table;
    side_index sides[MOST_SIDES];
    size_t rows_left = 0;
    int error = block_take(b, table->side_count, sizeof(side_index), &table->sides);
    for (uint32_t i = 0; i < table->side_count; i++)
        rows_left += count_members(table, family_of[i], bit_of[i]);
    for (uint32_t i = 0; !error && i < table->side_count; i++) {
        uint32_t count = 0;
        for (uint32_t row = 0; row < table->list[family_of[i]].count; row++)
            if (row_where(table, family_of[i], row) & bit_of[i])
                members[count++] = row;
        error = compile_side(b, family_of[i], members, count, rows_left, wanted, live[family_of[i]], &sides[i]);
        rows_left -= count;
    }
    if (!error)
        memcpy(in_block(b, table->sides), sides, table->side_count * sizeof *sides);
    return error;
}

/* The sides and how many rows are in none of them. */
static int build_sides(block *b, int wanted) {
    pastore_table *table = b->table;
    enum family family_of[MOST_SIDES];
    unsigned bit_of[MOST_SIDES];
    arena scratch = {0};
    uint32_t *members = arena_take(&scratch, table->rows, sizeof *members);
    uint8_t *live[FAMILIES];
    for (enum family family = IPV4; family < FAMILIES; family++)
        live[family] = arena_zeroed(&scratch, table->list[family].count, 1);
    int error = scratch.failed ? PASTORE_ERROR_NO_MEMORY : PASTORE_OK;
    if (!error) {
        find_sides(table, family_of, bit_of);
        const size_t views = table->side_count * sizeof(side_view);
        error = views > b->limit - table->block_bytes ? PASTORE_ERROR_MEMORY_LIMIT : PASTORE_OK;
        b->limit -= error ? 0 : views;
    }
    if (!error)
        error = compile_sides(b, family_of, bit_of, wanted, members, live);
    table->dead = table->rows;
    for (enum family family = IPV4; !error && family < FAMILIES; family++)
        for (uint32_t row = 0; row < table->list[family].count; row++)
            table->dead -= live[family][row];
    arena_empty(&scratch);
    return error;
}

/* Moves the finished block to where it takes no more room than it needs. */
static void trim(block *b) {
    pastore_table *table = b->table;
    unsigned char *moved = b->room > table->block_bytes ? pages_take(table->block_bytes) : NULL;
    if (!moved)
        return;
    memcpy(moved, table->block, table->block_bytes);
    pages_give(table->block);
    table->block = moved;
}

static int layout_of(const char *name) {
    for (int layout = 0; name && layout < LAYOUTS; layout++)
        if (strcmp(name, LAYOUT_NAMES[layout]) == 0)
            return layout;
    return -1;
}

int pastore_build(const pastore_row *rows, size_t n, const pastore_options *options, pastore_table **out, size_t *bad_row) {
    const pastore_options given = options ? *options : (pastore_options){0};
    if (!out)
        return PASTORE_ERROR_ARGUMENT;
    *out = NULL;
    const int wanted = layout_of(given.layout);
    if ((n && !rows) || given.verdict < PASTORE_VERDICT_RULE || given.verdict > PASTORE_VERDICT_ACTION ||
        (given.layout && wanted < 0))
        return PASTORE_ERROR_ARGUMENT;
    if (n > INT32_MAX)
        return PASTORE_ERROR_TOO_MANY;
    const size_t fixed = sizeof(pastore_table);
    if (given.memory_limit && given.memory_limit < fixed)
        return PASTORE_ERROR_MEMORY_LIMIT;
    pastore_table *table = calloc(1, sizeof *table);
    if (!table)
        return PASTORE_ERROR_NO_MEMORY;
    table->rows = n;
    table->verdict = given.verdict;
    table->memory_limit = given.memory_limit;
    table->isa = isa_chosen();
    block b = {.table = table, .limit = given.memory_limit ? given.memory_limit - fixed : SIZE_MAX};
    uint64_t first; /* nothing else is at offset 0, so that 0 can mean nowhere */
    int error = count_rows(table, rows, n, bad_row);
    if (!error)
        error = block_take(&b, 1, BLOCK_ALIGN, &first);
    if (!error)
        error = copy_rows(&b, rows, n);
    if (!error)
        error = build_sides(&b, wanted);
    if (!error) {
        trim(&b);
        error = view_table(table);
    }
    if (error) {
        pastore_close(table);
        return error;
    }
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
            pages_give(table->block);
        free(table->views);
        free(table);
    }
}

/* The side that most rows are in speaks for all. */
static const side_index *largest_side(const pastore_table *table) {
    const side_index *sides = at(table, table->sides), *largest = sides;
    for (uint32_t i = 1; i < table->side_count; i++)
        if (sides[i].live > largest->live)
            largest = &sides[i];
    return largest;
}

void pastore_stats(const pastore_table *table, struct pastore_stats *stats) {
    const side_index *side = largest_side(table);
    *stats = (struct pastore_stats){.rows = table->rows,
                                    .dead_rows = table->dead,
                                    .bytes = sizeof *table + table->side_count * sizeof(side_view) + table->block_bytes,
                                    .layout = LAYOUT_NAMES[side->layout],
                                    .groups = side->groups,
                                    .chunk_rows = side->chunk_rows,
                                    .isa = table->isa->name,
                                    .verdict = table->verdict};
}
