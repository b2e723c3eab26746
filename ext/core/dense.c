/* A group with a cell for every pair of a source class and a destination class.
 *
 * For each class of the field with fewer of them, a sweep goes over the runs of the other field, with the rules that are active
 * kept in order. Sets that occurred before are known by their sums, so a row is made once.
 */
#include <string.h>

#include "compile.h"

/* Where in both fields a rule of the group is, in runs of its classes; ends exclusive. */
typedef struct extent {
    uint32_t outer, outer_end, inner, inner_end;
} extent;

/* Row by the sum of its rules' numbers. */
typedef struct known_rows {
    sum128 *sums;
    uint32_t *rows; /* + 1, or 0 */
    size_t slots, used;
} known_rows;

typedef struct sweeper {
    compiler *c;
    const group_plan *plan;
    const extent *extents; /* [plan->count] */
    const field_classes *inner;
    rowset rows;
    known_rows known;
    uint32_t *starts_at, *ends_at; /* [runs + 2] */
    uint32_t *starting, *ending;   /* members by run */
    uint32_t *here;                /* members in the outer class */
    uint32_t *active;              /* rules, in order */
    uint32_t active_count;
} sweeper;

/* What a rule counts for in the sum of a cell. Rules of one answer and the same port box are the same to it. */
static sum128 number_in_cell(const compiler *c, uint32_t rule) {
    if (c->table->verdict != PASTORE_VERDICT_ACTION || !c->ports.classed)
        return number_of(c, rule);
    return number_of(c, (uint64_t)2 << 56 | (uint64_t)c->rules[rule].id << 24 | c->ports.box_of[rule]);
}

static uint32_t place_in(const uint32_t *sorted, uint32_t count, uint32_t value) {
    uint32_t base = 0;
    while (count) {
        const uint32_t half = count / 2;
        if (sorted[base + half] < value) {
            base += half + 1;
            count -= half + 1;
        } else
            count = half;
    }
    return base;
}

static void switch_off(sweeper *s, uint32_t rule) {
    const uint32_t at = place_in(s->active, s->active_count, rule);
    s->active_count--;
    memmove(s->active + at, s->active + at + 1, (s->active_count - at) * sizeof *s->active);
}

static void switch_on(sweeper *s, uint32_t rule) {
    const uint32_t at = place_in(s->active, s->active_count, rule);
    memmove(s->active + at + 1, s->active + at, (s->active_count - at) * sizeof *s->active);
    s->active[at] = rule;
    s->active_count++;
}

static bool widen_known(known_rows *k, arena *a) {
    const size_t wider = k->slots ? k->slots * 4 : 1024;
    known_rows w = {.sums = arena_take(a, wider, sizeof *w.sums), .rows = arena_zeroed(a, wider, sizeof *w.rows), .slots = wider};
    if (a->failed)
        return false;
    w.used = k->used;
    for (size_t i = 0; i < k->slots; i++) {
        if (!k->rows[i])
            continue;
        size_t slot = sum_hash(k->sums[i]) & (wider - 1);
        while (w.rows[slot])
            slot = (slot + 1) & (wider - 1);
        w.rows[slot] = k->rows[i];
        w.sums[slot] = k->sums[i];
    }
    *k = w;
    return true;
}

/* The row of the active rules. */
static uint32_t active_row(sweeper *s, sum128 sum) {
    known_rows *k = &s->known;
    if (k->used * 2 >= k->slots && !widen_known(k, s->rows.arena))
        return NO_ROW;
    size_t slot = sum_hash(sum) & (k->slots - 1);
    while (k->rows[slot] && !sum_equal(k->sums[slot], sum))
        slot = (slot + 1) & (k->slots - 1);
    if (!k->rows[slot]) {
        const uint32_t row = row_of(&s->rows, s->active, s->active_count);
        if (row == NO_ROW)
            return NO_ROW;
        k->sums[slot] = sum;
        k->rows[slot] = row + 1;
        k->used++;
    }
    return k->rows[slot] - 1;
}

/* Sorts the members that lie in the outer class, which run `outer` stands for, by the runs of the other field. */
static void gather(sweeper *s, uint32_t outer) {
    const uint32_t runs = s->inner->runs;
    uint32_t count = 0;
    memset(s->starts_at, 0, (runs + 2) * sizeof *s->starts_at);
    memset(s->ends_at, 0, (runs + 2) * sizeof *s->ends_at);
    for (uint32_t i = 0; i < s->plan->count; i++)
        if (s->extents[i].outer <= outer && outer < s->extents[i].outer_end) {
            s->here[count++] = i;
            s->starts_at[s->extents[i].inner + 1]++;
            s->ends_at[s->extents[i].inner_end + 1]++;
        }
    for (uint32_t run = 0; run <= runs; run++) {
        s->starts_at[run + 1] += s->starts_at[run];
        s->ends_at[run + 1] += s->ends_at[run];
    }
    for (uint32_t k = 0; k < count; k++) { /* x_at[run] moves from the first of the run to behind its last */
        const uint32_t i = s->here[k];
        s->starting[s->starts_at[s->extents[i].inner]++] = i;
        s->ending[s->ends_at[s->extents[i].inner_end]++] = i;
    }
    s->c->work += s->plan->count + 2 * (uint64_t)runs + 8 * (uint64_t)count;
}

/* Cells of one outer class: to cells[k * step] for inner class k. */
static bool sweep_class(sweeper *s, uint32_t *cells, size_t step) {
    sum128 sum = {0, 0};
    s->active_count = 0;
    for (uint32_t run = 0; run < s->inner->runs; run++) {
        for (uint32_t k = run ? s->ends_at[run - 1] : 0; k < s->ends_at[run]; k++) {
            const uint32_t rule = s->plan->members[s->ending[k]];
            sum = sum_minus(sum, number_in_cell(s->c, rule));
            switch_off(s, rule);
        }
        for (uint32_t k = run ? s->starts_at[run - 1] : 0; k < s->starts_at[run]; k++) {
            const uint32_t rule = s->plan->members[s->starting[k]];
            sum = sum_plus(sum, number_in_cell(s->c, rule));
            switch_on(s, rule);
        }
        const uint32_t class = s->inner->class_of[run];
        if (s->inner->representative[class] != run)
            continue;
        const uint32_t row = active_row(s, sum);
        if (row == NO_ROW)
            return false;
        cells[class * step] = row;
    }
    return works(s->c, 4 * (uint64_t)s->inner->runs);
}

static bool fill_cells(sweeper *s, const field_classes *outer, bool outer_is_major, uint32_t *cells) {
    const uint32_t inner = s->inner->classes, runs = s->inner->runs, count = s->plan->count;
    arena *a = s->rows.arena;
    s->starts_at = arena_take(a, (size_t)runs + 2, sizeof *s->starts_at);
    s->ends_at = arena_take(a, (size_t)runs + 2, sizeof *s->ends_at);
    s->starting = arena_take(a, count, sizeof *s->starting);
    s->ending = arena_take(a, count, sizeof *s->ending);
    s->here = arena_take(a, count, sizeof *s->here);
    s->active = arena_take(a, (size_t)count + 1, sizeof *s->active);
    if (a->failed)
        return false;
    for (uint32_t k = 0; k < outer->classes; k++) {
        gather(s, outer->representative[k]);
        uint32_t *to = outer_is_major ? cells + (size_t)k * inner : cells + k;
        if (!sweep_class(s, to, outer_is_major ? 1 : outer->classes) || s->rows.rule_count * sizeof(uint32_t) > s->plan->room)
            return false;
    }
    return true;
}

bool find_cells(compiler *c, arena *a, const group_plan *plan, dense_cells *out) {
    arena scratch = {0};
    bool done = true;
    for (unsigned field = SRC; done && field <= DST; field++)
        done = find_classes(c, a, plan->members, plan->count, field, &out->f[field]);
    const field_classes *f = out->f;
    out->count = done ? (size_t)f[SRC].classes * f[DST].classes : 0;
    if (!done || out->count > plan->room / sizeof(uint32_t) || !works(c, out->count))
        return false;
    const unsigned outer = f[SRC].classes <= f[DST].classes ? SRC : DST, inner = !outer;
    extent *extents = arena_take(&scratch, plan->count, sizeof *extents);
    uint32_t *cells = arena_take(a, out->count, sizeof *cells);
    sweeper s = {.c = c, .plan = plan, .extents = extents, .inner = &f[inner]};
    if (extents && cells && rowset_open(&s.rows, c, a, plan->count)) {
        for (uint32_t i = 0; i < plan->count; i++) {
            const uint32_t rule = plan->members[i];
            extents[i] = (extent){f[outer].run_of[c->address[outer].lo[rule]], f[outer].run_of[c->address[outer].hi[rule]] + 1,
                                  f[inner].run_of[c->address[inner].lo[rule]], f[inner].run_of[c->address[inner].hi[rule]] + 1};
        }
        done = fill_cells(&s, &f[outer], outer == SRC, cells);
    } else
        done = false;
    out->rows = s.rows;
    out->cells = cells;
    arena_empty(&scratch);
    return done;
}

/* Makes answers of the rows, directly if they are small enough, and puts payloads into cells. */
static bool finish_cells(rowset *rows, const dense_cells *d, const group_plan *plan, built_group *out) {
    const size_t room = plan->room - d->count * sizeof(uint32_t);
    const size_t direct = plan->direct_room < room ? plan->direct_room : room;
    uint64_t *payloads = arena_take(rows->arena, rows->count, sizeof *payloads);
    uint32_t *cells = arena_take(rows->arena, d->count, sizeof *cells);
    if (rows->arena->failed)
        return false;
    const bool done = (plan->finish == FINISH_DIRECT && finish_rows(rows, FINISH_DIRECT, direct, out, payloads)) ||
                      (plan->finish != FINISH_COMPARE && finish_rows(rows, FINISH_SHAPE, room, out, payloads)) ||
                      finish_rows(rows, FINISH_COMPARE, room, out, payloads);
    if (!done)
        return false;
    for (uint32_t row = 0; row < rows->count; row++)
        if (payloads[row] > UINT32_MAX)
            return false;
    for (size_t i = 0; i < d->count; i++)
        cells[i] = (uint32_t)payloads[d->cells[i]];
    const field_classes *f = d->f;
    out->cells = cells;
    out->g.pair = f[SRC].classes == 1 || f[DST].classes == 1 ? PAIR_ONE : PAIR_DENSE;
    out->g.major = f[DST].classes == 1 ? SRC : f[SRC].classes == 1 ? DST : SRC;
    out->g.cell_count = d->count;
    return true;
}

/* What the records say: with one class in a field the payload itself, else the cell's two halves. */
static bool make_words(compiler *c, arena *a, const field_classes f[2], built_group *out) {
    const uint32_t minors = f[DST].classes, *cells = out->cells;
    for (unsigned field = SRC; field <= DST; field++) {
        const uint32_t intervals = c->address[field].intervals;
        uint32_t *words = out->words[field] = arena_zeroed(a, intervals, sizeof *words);
        if (!words)
            return false;
        for (uint32_t i = 0; i < intervals; i++) {
            const uint32_t class = f[field].class_of[f[field].run_of[i]];
            if (out->g.pair == PAIR_ONE)
                words[i] = field == out->g.major ? cells[class] : 0;
            else
                words[i] = field == SRC ? class * minors : class;
        }
    }
    return true;
}

bool finish_dense(compiler *c, arena *a, const group_plan *plan, const dense_cells *d, built_group *out) {
    *out = (built_group){.g = {.rules = plan->count, .first = c->rules[plan->members[0]].id, .major = SRC}};
    rowset rows = d->rows;
    rows.arena = a;
    const bool banded = plan->bands && d->f[SRC].classes > 1 && d->f[DST].classes > 1;
    if (plan->bands ? !banded || !finish_bands(&rows, d->cells, d->count, plan->room, out) : !finish_cells(&rows, d, plan, out))
        return false;
    if (!make_words(c, a, d->f, out))
        return false;
    if (out->g.pair == PAIR_ONE) { /* what was in the cells is in the words */
        out->cells = NULL;
        out->g.cell_count = 0;
    }
    out->bytes += (size_t)out->g.cell_count * cell_size(&out->g);
    return true;
}

bool build_dense(compiler *c, arena *a, const group_plan *plan, built_group *out) {
    dense_cells d;
    return find_cells(c, a, plan, &d) && finish_dense(c, a, plan, &d, out);
}
