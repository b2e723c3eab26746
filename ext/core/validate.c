/* What a table from bytes must prove before it is used: that it is what pastore_build makes of the rows in it.
 *
 * pastore_check proves the same more slowly, and more besides, in other words; tests hold the two against each other.
 */
#include <string.h>

#include "core.h"

/* Follows the layout of the block, array by array. */
typedef struct walk {
    const pastore_table *table;
    size_t next; /* end of the array before */
} walk;

/* Whether the next array is at `offset` and in the block. The zeros before it are read, so the walk is over the whole block. */
static bool takes(walk *w, uint64_t offset, uint64_t count, size_t size) {
    const size_t bytes = w->table->block_bytes, gap = (BLOCK_ALIGN - w->next % BLOCK_ALIGN) % BLOCK_ALIGN;
    if (gap > bytes - w->next || offset != w->next + gap || count > (bytes - w->next - gap) / size)
        return false;
    for (size_t i = w->next; i < w->next + gap; i++)
        if (w->table->block[i])
            return false;
    w->next += gap + (size_t)count * size;
    return true;
}

static bool row_is_sound(const pastore_table *table, enum family family, uint32_t row) {
    const uint8_t where = row_where(table, family, row), action = row_action(table, family, row);
    const unsigned in = where & 3, out = where >> 2; /* interface types; a row that applies both ways has the same for both */
    if (where == 0 || where > 15 || (in && out && in != out) || action < PASTORE_ALLOW || action > PASTORE_PROTECT)
        return false;
    if (family == IPV6 && ((const row6 *)at(table, table->list[IPV6].rows))[row].reserved)
        return false;
    for (enum field field = SRC; field < INTERFACE; field++) {
        const range r = row_range(table, family, row, field, PASTORE_IN);
        if (key_less(r.hi, r.lo))
            return false; /* that it ends on its axis follows from the type */
    }
    return true;
}

static bool list_is_sound(walk *w, enum family family) {
    const row_list *list = &w->table->list[family];
    if (list->reserved || !takes(w, list->rows, list->count, family == IPV4 ? sizeof(row4) : sizeof(row6)))
        return false;
    if (w->table->verdict != PASTORE_VERDICT_RULE) {
        if (list->numbers)
            return false;
    } else if (!takes(w, list->numbers, list->count, sizeof(int32_t)))
        return false;
    for (uint32_t row = 0; row < list->count; row++)
        if (!row_is_sound(w->table, family, row))
            return false;
    return true;
}

/* Whether the row numbers of the two lists, merged, are 0, 1, 2 and so on: every row given is in one place. */
static bool numbers_are_sound(const pastore_table *table) {
    if ((uint64_t)table->list[IPV4].count + table->list[IPV6].count != table->rows)
        return false;
    if (table->verdict != PASTORE_VERDICT_RULE)
        return true;
    const int32_t *numbers[FAMILIES] = {at(table, table->list[IPV4].numbers), at(table, table->list[IPV6].numbers)};
    uint32_t used[FAMILIES] = {0, 0};
    for (size_t row = 0; row < table->rows; row++) {
        enum family family = IPV4;
        while (family < FAMILIES && (used[family] == table->list[family].count || numbers[family][used[family]] != (int32_t)row))
            family++;
        if (family == FAMILIES)
            return false;
        used[family]++;
    }
    return true;
}

/* Which rows of the family's list a side consists of, from `row` on; the list's count if none is left. */
static uint32_t next_member(const pastore_table *table, enum family family, unsigned direction, uint32_t row) {
    const unsigned wanted = where_bit(direction, PASTORE_LAN) | where_bit(direction, PASTORE_RAS);
    while (row < table->list[family].count && !(row_where(table, family, row) & wanted))
        row++;
    return row;
}

static bool summary_is_sound(const uint64_t *set, uint32_t words) {
    uint64_t summary = 0;
    for (uint32_t w = 0; w < words; w++)
        summary |= (uint64_t)(set[1 + w] != 0) << w;
    return set[0] == summary;
}

/* One field of one chunk while its intervals are gone through. */
typedef struct progress {
    const pastore_table *table;
    const chunk *c;
    const uint32_t *members; /* the chunk's rows, as rows of the list */
    enum family family;
    unsigned direction;
    enum field field;
    uint32_t opened, closed; /* how often a row began and ended */
} progress;

/* From the set `before` (NULL: no row) to the set `now`, rows may only change that begin or end at `start`. */
static bool changes_are_due(progress *p, const uint64_t *before, const uint64_t *now, key start, bool *changed) {
    for (uint32_t w = 0; w < p->c->words; w++) {
        uint64_t bits = now[1 + w] ^ (before ? before[1 + w] : 0);
        for (; bits; bits &= bits - 1) {
            const unsigned bit = (unsigned)__builtin_ctzll(bits);
            const uint32_t row = w * WORD_BITS + bit;
            if (row >= p->c->rows)
                return false;
            const range r = row_range(p->table, p->family, p->members[row], p->field, p->direction);
            const bool opens = now[1 + w] >> bit & 1;
            if (opens ? !key_equal(r.lo, start)
                      : !key_less(r.hi, field_last(p->family, p->field)) || !key_equal(key_next(r.hi), start))
                return false;
            p->opened += opens;
            p->closed += !opens;
            *changed = true;
        }
    }
    return true;
}

/* Whether every row began once and, unless it reaches the end of the axis, ended once. Starts rise, so none did so twice. */
static bool all_rows_came(const progress *p) {
    uint32_t ending = 0;
    for (uint32_t row = 0; row < p->c->rows; row++) {
        const range r = row_range(p->table, p->family, p->members[row], p->field, p->direction);
        ending += key_less(r.hi, field_last(p->family, p->field));
    }
    return p->opened == p->c->rows && p->closed == ending;
}

/* Starts rise from 0, classes are numbered as they first occur, summaries fit, and each set follows from the one before. */
static bool intervals_are_sound(progress *p) {
    const field_index *f = &p->c->field[p->field];
    const uint16_t *classes = at(p->table, f->classes);
    const uint64_t *sets = at(p->table, f->sets), *before = NULL;
    const bool direct = p->field >= PROTOCOL;
    key last = {0, 0};
    uint32_t seen = 0;
    for (uint32_t i = 0; i < f->intervals; i++) {
        const key start = field_start(p->table, p->family, p->field, f, i);
        if (classes[i] > seen || classes[i] >= f->class_count || (i ? !key_less(last, start) : start.high || start.low))
            return false;
        const uint64_t *now = sets + (size_t)classes[i] * (1 + p->c->words);
        if (classes[i] == seen) {
            seen++;
            if (!summary_is_sound(now, p->c->words))
                return false;
        }
        bool changed = false;
        if (now != before && !changes_are_due(p, before, now, start, &changed))
            return false;
        if (i && !direct && !changed)
            return false;
        last = start;
        before = now;
    }
    return seen == f->class_count && all_rows_came(p);
}

static bool field_is_sound(walk *w, progress *p) {
    const field_index *f = &p->c->field[p->field];
    if (p->field >= PROTOCOL) {
        if (f->intervals != field_last(p->family, p->field).low + 1 || f->starts)
            return false;
    } else if (f->intervals == 0 || f->intervals > 2 * p->c->rows + 1 ||
               !takes(w, f->starts, f->intervals, field_start_size(p->family, p->field)))
        return false;
    return f->class_count > 0 && f->class_count <= f->intervals && takes(w, f->classes, f->intervals, sizeof(uint16_t)) &&
           takes(w, f->sets, f->class_count, (1 + (size_t)p->c->words) * sizeof(uint64_t)) && intervals_are_sound(p);
}

static bool chunks_are_sound(walk *w, enum family family, unsigned direction) {
    const pastore_table *table = w->table;
    const side_index *side = &table->sides[family][direction];
    uint32_t members[LARGEST_CHUNK], row = 0;
    if (side->chunk_count != (side->count - 1) / table->chunk_rows + 1 ||
        !takes(w, side->chunks, side->chunk_count, sizeof(chunk)))
        return false;
    for (uint32_t k = 0; k < side->chunk_count; k++) {
        const chunk *c = (const chunk *)at(table, side->chunks) + k;
        const uint32_t left = side->count - k * table->chunk_rows;
        if (c->first != k * table->chunk_rows || c->rows != (left < table->chunk_rows ? left : table->chunk_rows) ||
            c->words != (c->rows + WORD_BITS - 1) / WORD_BITS || c->reserved)
            return false;
        for (uint32_t i = 0; i < c->rows; i++) {
            members[i] = next_member(table, family, direction, row);
            row = members[i] + 1;
        }
        for (enum field field = SRC; field < FIELDS; field++) {
            progress p = {table, c, members, family, direction, field, 0, 0};
            if (!field_is_sound(w, &p))
                return false;
        }
    }
    return true;
}

static bool answers_are_sound(walk *w, enum family family, unsigned direction) {
    const pastore_table *table = w->table;
    const side_index *side = &table->sides[family][direction];
    const row_list *list = &table->list[family];
    const bool numbered = table->verdict == PASTORE_VERDICT_RULE, shared = side->count == list->count;
    if (!takes(w, side->actions, side->count, sizeof(uint8_t)))
        return false;
    if (numbered && shared ? side->numbers != list->numbers
        : numbered         ? !takes(w, side->numbers, side->count, sizeof(int32_t))
                           : side->numbers != 0)
        return false;
    const uint8_t *actions = at(table, side->actions);
    const int32_t *numbers = at(table, side->numbers), *given = at(table, list->numbers);
    for (uint32_t i = 0, row = 0; i < side->count; i++, row++) {
        row = next_member(table, family, direction, row);
        if (actions[i] != row_action(table, family, row) || (numbered && numbers[i] != given[row]))
            return false;
    }
    return true;
}

/* Whether a side has as many rows as the list has for its direction. */
static bool count_is_sound(const pastore_table *table, enum family family, unsigned direction) {
    uint32_t count = 0;
    for (uint32_t row = 0; (row = next_member(table, family, direction, row)) < table->list[family].count; row++)
        count++;
    return count == table->sides[family][direction].count;
}

static bool side_is_sound(walk *w, enum family family, unsigned direction) {
    const side_index *side = &w->table->sides[family][direction];
    if (w->table->chunk_rows == 0 || side->count == 0)
        return side->chunks == 0 && side->numbers == 0 && side->actions == 0 && side->chunk_count == 0;
    return chunks_are_sound(w, family, direction) && answers_are_sound(w, family, direction);
}

static bool sides_are_sound(walk *w, enum family family) {
    const side_index *in = &w->table->sides[family][PASTORE_IN], *out = &w->table->sides[family][PASTORE_OUT];
    const uint32_t all = w->table->list[family].count;
    if (!count_is_sound(w->table, family, PASTORE_IN) || !count_is_sound(w->table, family, PASTORE_OUT) ||
        !side_is_sound(w, family, PASTORE_IN))
        return false;
    if (in->count == all && out->count == all)
        return memcmp(in, out, sizeof *in) == 0; /* one side, used twice */
    return side_is_sound(w, family, PASTORE_OUT);
}

bool table_is_sound(const pastore_table *table) {
    walk w = {table, 0};
    const uint32_t chunk_rows = table->chunk_rows;
    if (chunk_rows && (chunk_rows < SMALLEST_CHUNK || chunk_rows > LARGEST_CHUNK || (chunk_rows & (chunk_rows - 1))))
        return false;
    return list_is_sound(&w, IPV4) && list_is_sound(&w, IPV6) && numbers_are_sound(table) && sides_are_sound(&w, IPV4) &&
           sides_are_sound(&w, IPV6) && w.next == table->block_bytes;
}

static bool same4(const row4 *a, const row4 *b) {
    return memcmp(a, b, sizeof *a) == 0;
}

static bool same6(const row6 *a, const row6 *b) {
    return memcmp(a, b, sizeof *a) == 0;
}

int pastore_same_rows(const pastore_table *table, const pastore_row *rows, size_t n) {
    if (!table || (n && !rows))
        return PASTORE_ERROR_ARGUMENT;
    if (n != table->rows)
        return PASTORE_ERROR_DAMAGED;
    uint32_t used[FAMILIES] = {0, 0};
    for (size_t i = 0; i < n; i++) {
        if (row_error(&rows[i], i ? &rows[i - 1] : NULL))
            return PASTORE_ERROR_DAMAGED;
        const enum family family = rows[i].family == 4 ? IPV4 : IPV6;
        const row_list *list = &table->list[family];
        const uint32_t k = used[family]++;
        if (k == list->count)
            return PASTORE_ERROR_DAMAGED;
        const row4 as4 = row4_of(&rows[i]);
        const row6 as6 = row6_of(&rows[i]);
        if (family == IPV4 ? !same4(&as4, (const row4 *)at(table, list->rows) + k)
                           : !same6(&as6, (const row6 *)at(table, list->rows) + k))
            return PASTORE_ERROR_DAMAGED;
        if (table->verdict == PASTORE_VERDICT_RULE && ((const int32_t *)at(table, list->numbers))[k] != (int32_t)i)
            return PASTORE_ERROR_DAMAGED;
    }
    return PASTORE_OK;
}
