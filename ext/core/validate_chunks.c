/* Bit vectors of a stored side: that they are those of their rows. */
#include "validate.h"

static uint32_t words_for(uint32_t rows) {
    return (rows + WORD_BITS - 1) / WORD_BITS;
}

static bool field_lies_well(proof *p, enum family family, enum field field, const chunk *c) {
    const field_index *f = &c->field[field];
    if (field == PROTOCOL) {
        if (f->intervals != field_last(family, field).low + 1 || f->starts)
            return false;
    } else if (f->intervals == 0 || f->intervals > 2 * c->rows + 1 ||
               !takes(p, f->starts, f->intervals, field_start_size(family, field)))
        return false;
    return f->class_count > 0 && f->class_count <= f->intervals && takes(p, f->classes, f->intervals, sizeof(uint16_t)) &&
           takes(p, f->sets, f->class_count, (1 + (size_t)c->words) * sizeof(uint64_t));
}

/* All chunks are full but the last one. */
static bool chunk_is_sound(const side_index *side, uint32_t k, const chunk *c) {
    const uint64_t first = (uint64_t)k * side->chunk_rows;
    const uint64_t left = side->rest - first;
    return c->first == first && c->rows == (left < side->chunk_rows ? left : side->chunk_rows) &&
           c->words == words_for(c->rows) && !c->reserved;
}

bool chunks_lie_well(proof *p, enum family family, const side_index *side) {
    const uint32_t rows = side->chunk_rows;
    p->claim = "chunks lie where they must";
    if (side->rest == 0)
        return !side->chunk_count && !rows && !side->chunks && !side->rest_ids && !side->rest_rows;
    if (rows < SMALLEST_CHUNK || rows > LARGEST_CHUNK || (rows & (rows - 1)) ||
        (rows > SMALLEST_CHUNK && rows / 2 >= side->rest) || side->chunk_count != (side->rest - 1) / rows + 1 ||
        !takes(p, side->chunks, side->chunk_count, sizeof(chunk)))
        return false;
    const chunk *chunks = at(p->table, side->chunks);
    for (uint32_t k = 0; k < side->chunk_count; k++) {
        if (!chunk_is_sound(side, k, &chunks[k]))
            return false;
        for (enum field field = SRC; field < FIELDS; field++)
            if (!field_lies_well(p, family, field, &chunks[k]))
                return false;
    }
    return takes(p, side->rest_ids, side->rest, sizeof(uint32_t)) && takes(p, side->rest_rows, side->rest, sizeof(uint32_t));
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
            const range r = row_range(p->table, p->family, p->members[row], p->field);
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
        const range r = row_range(p->table, p->family, p->members[row], p->field);
        ending += key_less(r.hi, field_last(p->family, p->field));
    }
    return p->opened == p->c->rows && p->closed == ending;
}

/* Starts rise from 0, classes are numbered as they first occur, summaries fit, and each set follows from the one before. */
static bool intervals_are_sound(progress *p) {
    const field_index *f = &p->c->field[p->field];
    const uint16_t *classes = at(p->table, f->classes);
    const uint64_t *sets = at(p->table, f->sets), *before = NULL;
    key last = {0, 0};
    uint32_t seen = 0;
    for (uint32_t i = 0; i < f->intervals; i++) {
        const key start = field_start(p->table, p->family, p->field, f, i);
        const uint32_t known = seen;
        if (!numbered_as_met(classes[i], &seen) || seen > f->class_count ||
            (i ? !key_less(last, start) : start.high || start.low))
            return false;
        const uint64_t *now = sets + (size_t)classes[i] * (1 + p->c->words);
        if (seen > known && !summary_is_sound(now, p->c->words))
            return false;
        bool changed = false;
        if (now != before && !changes_are_due(p, before, now, start, &changed))
            return false;
        if (i && p->field != PROTOCOL && !changed)
            return false;
        last = start;
        before = now;
    }
    return seen == f->class_count && all_rows_came(p);
}

/* Which rows are in the chunks: some of the side's, in order, and with the ids of those rows. */
static bool rest_is_sound(const proof *p, unsigned number, const side_index *side) {
    const pastore_table *table = p->table;
    const enum family family = p->family_of[number];
    const bool numbered = table->verdict == PASTORE_VERDICT_RULE;
    const uint32_t *ids = at(table, side->rest_ids), *rows = at(table, side->rest_rows);
    const uint8_t *actions = at(table, side->actions);
    for (uint32_t i = 0; i < side->rest; i++) {
        if (rows[i] >= table->list[family].count || (i && rows[i] <= rows[i - 1]) ||
            !(row_where(table, family, rows[i]) & p->bit_of[number]) || ids[i] >= side->ids ||
            actions[ids[i] + 1] != row_action(table, family, rows[i]))
            return false;
        if (numbered && ((const int32_t *)at(table, side->numbers))[ids[i] + 1] !=
                            ((const int32_t *)at(table, table->list[family].numbers))[rows[i]])
            return false;
        if (i && ids[i] < ids[i - 1])
            return false;
        if (!numbered && side->groups == 0 && ids[i] - (i ? ids[i - 1] : 0) > (i ? 1 : 0))
            return false; /* all runs are here, and a run has one action */
    }
    return numbered || side->groups || side->rest == 0 || ids[side->rest - 1] + 1 == side->ids;
}

bool chunks_are_sound(proof *p, unsigned number, const side_index *side) {
    if (side->rest == 0)
        return true;
    p->claim = "chunks hold rows of their side, in order";
    if (!rest_is_sound(p, number, side))
        return false;
    const chunk *chunks = at(p->table, side->chunks);
    const uint32_t *rows = at(p->table, side->rest_rows);
    p->claim = "the set of an interval is the rows that hold all of it";
    for (uint32_t k = 0; k < side->chunk_count; k++)
        for (enum field field = SRC; field < FIELDS; field++) {
            progress field_progress = {p->table, &chunks[k], rows + chunks[k].first, p->family_of[number], field, 0, 0};
            if (!intervals_are_sound(&field_progress))
                return false;
        }
    return true;
}
