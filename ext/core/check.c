/* Every invariant of a table, recomputed from its row list. Tests call this after each build. */
#include <stdlib.h>
#include <string.h>

#include "core.h"

/* The first broken invariant ends the check: its sentence travels up through the returns. NULL: all is well. */
typedef const char *verdict;

/* A set of rows to be sorted next to its equals. */
typedef struct set_ref {
    const uint64_t *words;
    uint32_t count;
} set_ref;

static int compare_sets(const void *left, const void *right) {
    const set_ref *a = left, *b = right;
    return memcmp(a->words, b->words, a->count * sizeof *a->words);
}

static bool fits(const pastore_table *table, uint64_t offset, size_t count, size_t size) {
    return offset <= table->block_bytes && count <= (table->block_bytes - offset) / size && offset % sizeof(uint64_t) == 0;
}

static key key_before(key a) {
    return (key){a.high - (a.low == 0), a.low - 1};
}

static bool holds(range r, key value) {
    return !key_less(value, r.lo) && !key_less(r.hi, value);
}

static verdict check_list(const pastore_table *table, enum family family) {
    const row_list *list = &table->list[family];
    if (!fits(table, list->rows, list->count, family == IPV4 ? sizeof(row4) : sizeof(row6)))
        return "the row list lies in the block";
    for (uint32_t row = 0; row < list->count; row++) {
        if (row_where(table, family, row) == 0 || row_where(table, family, row) > 15)
            return "a row applies somewhere";
        if (row_action(table, family, row) < PASTORE_ALLOW || row_action(table, family, row) > PASTORE_PROTECT)
            return "a row has an action";
        for (enum field field = SRC; field < FIELDS; field++) {
            const range r = row_range(table, family, row, field, row_where(table, family, row) & 3 ? PASTORE_IN : PASTORE_OUT);
            if (key_less(r.hi, r.lo) || key_less(field_last(family, field), r.hi))
                return "a row's ranges run forward and end on their axis";
        }
    }
    if (table->verdict != PASTORE_VERDICT_RULE)
        return list->numbers == 0 ? NULL : "a table of actions keeps no row numbers";
    if (!fits(table, list->numbers, list->count, sizeof(int32_t)))
        return "the row numbers lie in the block";
    const int32_t *numbers = at(table, list->numbers);
    for (uint32_t row = 0; row < list->count; row++)
        if (numbers[row] < 0 || (size_t)numbers[row] >= table->rows || (row && numbers[row] <= numbers[row - 1]))
            return "row numbers rise and are those of given rows";
    return NULL;
}

/* Layout of one field: what must hold before its contents can be read. */
static verdict check_shape(const pastore_table *table, enum family family, enum field field, const chunk *c) {
    const field_index *f = &c->field[field];
    const bool direct = field == PROTOCOL || field == INTERFACE;
    if (f->intervals == 0 || f->class_count == 0 || f->intervals > 2 * (uint32_t)LARGEST_CHUNK + 1 ||
        f->class_count > f->intervals)
        return "a field has at least one interval, and no more classes than intervals";
    if (direct && f->intervals != field_last(family, field).low + 1)
        return "a direct field has a class for every value";
    if (!direct && !fits(table, f->starts, f->intervals, field_start_size(family, field)))
        return "the starts lie in the block";
    if (!fits(table, f->classes, f->intervals, sizeof(uint16_t)) ||
        !fits(table, f->sets, f->class_count, (1 + c->words) * sizeof(uint64_t)))
        return "the classes and sets lie in the block";
    return NULL;
}

static verdict check_starts(const pastore_table *table, enum family family, enum field field, const field_index *f) {
    const uint16_t *classes = at(table, f->classes);
    const key first = field_start(table, family, field, f, 0);
    if (first.high || first.low)
        return "the first interval starts at 0";
    for (uint32_t i = 0; i < f->intervals; i++) {
        if (classes[i] >= f->class_count)
            return "every interval has a class that exists";
        if (i == 0)
            continue;
        if (!key_less(field_start(table, family, field, f, i - 1), field_start(table, family, field, f, i)))
            return "starts rise";
        if (field < PROTOCOL && classes[i] == classes[i - 1])
            return "neighbouring intervals differ in class";
    }
    return NULL;
}

/* Each set: summary in step with the words, no bit beyond the chunk, no two sets alike, each of them used. */
static verdict check_sets(const pastore_table *table, const field_index *f, const chunk *c) {
    const uint64_t *sets = at(table, f->sets);
    const uint16_t *classes = at(table, f->classes);
    set_ref *refs = malloc(f->class_count * sizeof *refs);
    bool *used = calloc(f->class_count, sizeof *used);
    verdict broken = refs && used ? NULL : "there is memory to check with";
    for (uint32_t class = 0; !broken && class < f->class_count; class++) {
        const uint64_t *set = sets + (size_t)class * (1 + c->words);
        refs[class] = (set_ref){set + 1, c->words};
        for (uint32_t w = 0; w < c->words; w++)
            if ((set[0] >> w & 1) != (set[1 + w] != 0))
                broken = "a summary bit says whether its word is zero";
        if (c->words < WORD_BITS && set[0] >> c->words)
            broken = "a summary has no bit beyond the words";
        if (c->rows % WORD_BITS && set[c->words] >> (c->rows % WORD_BITS))
            broken = "a set has no bit beyond the rows";
    }
    for (uint32_t i = 0; !broken && i < f->intervals; i++)
        used[classes[i]] = true;
    if (!broken)
        qsort(refs, f->class_count, sizeof *refs, compare_sets);
    for (uint32_t class = 0; !broken && class < f->class_count; class++)
        if (!used[class] || (class && compare_sets(&refs[class - 1], &refs[class]) == 0))
            broken = "every class is used, and no two have the same rows";
    free(refs);
    free(used);
    return broken;
}

/* The rows of an interval are those that hold its first value, and those that hold its last. */
static verdict check_rows(const pastore_table *table, enum family family, unsigned direction, enum field field, const chunk *c,
                          const uint32_t *members) {
    const field_index *f = &c->field[field];
    const uint16_t *classes = at(table, f->classes);
    const uint64_t *sets = at(table, f->sets);
    for (uint32_t row = 0; row < c->rows; row++) {
        const range r = row_range(table, family, members[c->first + row], field, direction);
        for (uint32_t i = 0; i < f->intervals; i++) {
            const key first = field_start(table, family, field, f, i);
            const key last =
                i + 1 < f->intervals ? key_before(field_start(table, family, field, f, i + 1)) : field_last(family, field);
            const bool in_set = sets[(size_t)classes[i] * (1 + c->words) + 1 + row / WORD_BITS] >> (row % WORD_BITS) & 1;
            if (holds(r, first) != in_set || holds(r, last) != in_set)
                return "the set of an interval is the rows that hold all of it";
        }
    }
    return NULL;
}

static verdict check_chunks(const pastore_table *table, enum family family, unsigned direction, const uint32_t *members) {
    const side_index *side = &table->sides[family][direction];
    uint32_t next = 0;
    for (uint32_t k = 0; k < side->chunk_count; k++) {
        const chunk *c = (const chunk *)at(table, side->chunks) + k;
        const bool last = k + 1 == side->chunk_count;
        if (c->first != next || c->rows == 0 || c->rows > table->chunk_rows || (!last && c->rows != table->chunk_rows) ||
            c->words != (c->rows + WORD_BITS - 1) / WORD_BITS)
            return "chunks follow each other, all but the last one full";
        next += c->rows;
        if (next > side->count)
            return "chunks end where the side does";
        for (enum field field = SRC; field < FIELDS; field++) {
            verdict broken = check_shape(table, family, field, c);
            if (!broken)
                broken = check_starts(table, family, field, &c->field[field]);
            if (!broken)
                broken = check_sets(table, &c->field[field], c);
            if (!broken)
                broken = check_rows(table, family, direction, field, c, members);
            if (broken)
                return broken;
        }
    }
    return next == side->count ? NULL : "chunks cover the side";
}

static verdict check_side(const pastore_table *table, enum family family, unsigned direction, uint32_t *members) {
    const row_list *list = &table->list[family];
    const side_index *side = &table->sides[family][direction];
    const unsigned wanted = where_bit(direction, PASTORE_LAN) | where_bit(direction, PASTORE_RAS);
    uint32_t count = 0;
    for (uint32_t row = 0; row < list->count; row++)
        if (row_where(table, family, row) & wanted)
            members[count++] = row;
    if (count != side->count)
        return "a side has the rows that apply in its direction";
    if (table->chunk_rows == 0 || count == 0)
        return side->chunk_count == 0 ? NULL : "the linear layout has no chunks";
    if (!fits(table, side->chunks, side->chunk_count, sizeof(chunk)) || !fits(table, side->actions, count, 1))
        return "chunks and actions lie in the block";
    for (uint32_t i = 0; i < count; i++)
        if (((const uint8_t *)at(table, side->actions))[i] != row_action(table, family, members[i]))
            return "a side answers with the action of the row";
    if (table->verdict == PASTORE_VERDICT_RULE) {
        if (!fits(table, side->numbers, count, sizeof(int32_t)))
            return "the row numbers of a side lie in the block";
        for (uint32_t i = 0; i < count; i++)
            if (((const int32_t *)at(table, side->numbers))[i] != ((const int32_t *)at(table, list->numbers))[members[i]])
                return "a side answers with the number of the row";
    }
    return check_chunks(table, family, direction, members);
}

static verdict check_table(const pastore_table *table) {
    if (table->memory_limit && sizeof *table + table->block_bytes > table->memory_limit)
        return "the table keeps within its memory limit";
    if ((size_t)table->list[IPV4].count + table->list[IPV6].count != table->rows)
        return "every row given is in a list";
    if (table->chunk_rows % WORD_BITS || table->chunk_rows > LARGEST_CHUNK)
        return "a chunk is a whole number of words, and not too large";
    uint32_t *members = malloc((table->rows ? table->rows : 1) * sizeof *members);
    if (!members)
        return "there is memory to check with";
    verdict broken = NULL;
    for (enum family family = IPV4; !broken && family < FAMILIES; family++) {
        broken = check_list(table, family);
        for (unsigned direction = 0; !broken && direction < DIRECTIONS; direction++)
            broken = check_side(table, family, direction, members);
    }
    free(members);
    return broken;
}

int pastore_check(const pastore_table *table, const char **broken) {
    if (!table)
        return PASTORE_ERROR_ARGUMENT;
    const verdict found = check_table(table);
    if (broken)
        *broken = found;
    return found ? PASTORE_ERROR_BROKEN : PASTORE_OK;
}
