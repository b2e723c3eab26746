/* Which layout a side gets: the candidates, what they may cost, and the trial between them.
 *
 * Rules are split by how many intervals they cover. In rule sets that people write, most rules are narrow in both addresses, and
 * the pairs of classes that they occupy are few; the others are wide in the source, in the destination or in both, and in a field
 * where all rules of a group are wide it has few classes.
 *
 *     one/direct, one/shape    all rules in one group with a cell for every pair of classes
 *     one/bands                the same with a matrix for each band of port classes
 *     four/small, four/large   narrow rules in a sparse group, the three kinds of wide ones in a dense group each, whose answers
 *                              are direct up to a smaller or a larger size
 *     two                      narrow rules in a sparse group, all others in one dense group
 *     four/compare             as four, but rows hold port boxes that are compared, for sets with too many port classes
 *     lists                    narrow rules as there, those wide in one field in lists by the classes of the other, those wide in
 *                              both in bit vectors
 *     bits                     bit vectors alone
 *     linear                   the row list
 *
 * For a few hundred rules one group is the fastest whenever it can be had, and nothing else is tried. Else candidates are built
 * in a fixed order; one that exceeds its work or the room is refused. Those that are left judge packets drawn from the rules, in
 * turn, several times; the one with the least time of its best turn is taken. So a slow moment must last through all turns of one
 * candidate, and no turn of another, to change the choice.
 */
#include <stdlib.h>
#include <string.h>

#include "compile.h"

enum part { NARROW, WIDE_SRC, WIDE_DST, WIDE_BOTH, PARTS };

enum {
    FIRST_TURNS = 3,
    LAST_TURNS = 5,
    TINY_SET = 256,
    SMALL_SET = 4000,
    LARGE_SET = 30000,
    HUGE_SET = 300000,
    MOST_FOR_ONE = 20000,
    FEW_PAIRS = 1 << 22
};

/* A rule is wide in a field if it covers more than this part of its intervals. */
enum { WIDE_SHARE = 96, MOST_NARROW = 4096, FEW = 4 };

/* The slower candidate is kept out of the last turns if it takes this many times as long as the fastest. */
static const double OUT_OF_REACH = 1.6;

static const uint32_t SMALL_DIRECT = 64u << 10, LARGE_DIRECT = 512u << 10, LARGE_ONE = 1u << 20;

typedef struct tuner {
    compiler *c;
    arena arena;
    uint32_t *members[PARTS], count[PARTS]; /* rules by part */
    uint32_t *all;
    built_group narrow; /* shared by candidates */
    bool narrow_built, narrow_refused;
    dense_cells cells; /* of all rules in one group; shared, too */
    bool cells_found, cells_refused;
    uint64_t done;             /* work of the candidates that were built */
    size_t room, shared_bytes; /* what every candidate needs besides its groups */
    candidate found[LAYOUTS];
    uint32_t found_count;
} tuner;

static uint64_t cells_covered(const compiler *c, uint32_t rule) {
    const address_part *src = &c->address[SRC], *dst = &c->address[DST];
    return (uint64_t)(src->hi[rule] - src->lo[rule] + 1) * (dst->hi[rule] - dst->lo[rule] + 1);
}

static bool is_wide(const compiler *c, uint32_t rule, unsigned field) {
    const address_part *p = &c->address[field];
    return (uint64_t)(p->hi[rule] - p->lo[rule] + 1) * WIDE_SHARE > p->intervals;
}

static enum part wide_part(const compiler *c, uint32_t rule) {
    const bool src = is_wide(c, rule, SRC), dst = is_wide(c, rule, DST);
    if (src || dst)
        return src && dst ? WIDE_BOTH : src ? WIDE_SRC : WIDE_DST;
    const address_part *s = &c->address[SRC], *d = &c->address[DST];
    const uint64_t src_share = (uint64_t)(s->hi[rule] - s->lo[rule] + 1) * d->intervals,
                   dst_share = (uint64_t)(d->hi[rule] - d->lo[rule] + 1) * s->intervals;
    return src_share > dst_share ? WIDE_SRC : WIDE_DST;
}

typedef struct sized {
    uint64_t cells;
    uint32_t rule;
} sized;

static int compare_sized(const void *left, const void *right) {
    const sized *a = left, *b = right;
    if (a->cells != b->cells)
        return a->cells < b->cells ? -1 : 1;
    return a->rule < b->rule ? -1 : a->rule > b->rule;
}

/* Narrow are the rules with the fewest cells, as long as all of them together have few. */
static bool split(tuner *t) {
    const compiler *c = t->c;
    arena scratch = {0};
    sized *sizes = arena_take(&scratch, c->count, sizeof *sizes);
    uint8_t *parts = arena_take(&scratch, c->count, 1);
    t->all = arena_take(&t->arena, c->count, sizeof *t->all);
    for (unsigned p = 0; p < PARTS; p++)
        t->members[p] = arena_take(&t->arena, (size_t)c->count, sizeof *t->members[p]);
    if (scratch.failed || t->arena.failed) {
        arena_empty(&scratch);
        return false;
    }
    for (uint32_t i = 0; i < c->count; i++)
        sizes[i] = (sized){cells_covered(c, i), i};
    qsort(sizes, c->count, sizeof *sizes, compare_sized);
    uint64_t cells = 0;
    const uint64_t most = 3 * (uint64_t)c->count + 20000;
    for (uint32_t k = 0; k < c->count; k++) {
        cells += sizes[k].cells < MOST_NARROW ? sizes[k].cells : most;
        parts[sizes[k].rule] = (uint8_t)(cells <= most ? NARROW : wide_part(c, sizes[k].rule));
    }
    uint32_t wide[PARTS] = {0};
    for (uint32_t i = 0; i < c->count; i++)
        wide[parts[i]]++;
    for (uint32_t i = 0; i < c->count; i++) { /* a handful of rules is not worth a group */
        const bool few = (parts[i] == WIDE_SRC || parts[i] == WIDE_DST) && wide[parts[i]] <= FEW;
        const enum part p = few ? WIDE_BOTH : (enum part)parts[i];
        t->members[p][t->count[p]++] = i;
        t->all[i] = i;
    }
    arena_empty(&scratch);
    return true;
}

/* Work in units of about a nanosecond that a candidate may do: plenty as long as there is none, then little more than the others
 * took together, for what costs so much is seldom the fastest. Bands are an exception. */
static uint64_t candidate_work(const tuner *t, enum layout layout) {
    const uint32_t n = t->c->count;
    const uint64_t first = n < SMALL_SET ? 60000000u : n < LARGE_SET ? 200000000u : n < HUGE_SET ? 700000000u : 8000000000u;
    const uint64_t later = (n < SMALL_SET && layout != LAYOUT_ONE_BANDS ? 4000000u : 20000000u) + 2 * t->done;
    return t->found_count && later < first ? later : first;
}

static size_t room_left(const tuner *t, const candidate *k) {
    const size_t used = t->shared_bytes + k->bytes;
    return used < t->room ? t->room - used : 0;
}

/* Has one group built and adds it to the candidate. */
static bool add(tuner *t, candidate *k, enum part part, enum finish finish, size_t direct_room, int list_field) {
    compiler *c = t->c;
    if (!t->count[part])
        return true;
    built_group *g = &k->groups[k->group_count];
    const group_plan plan = {t->members[part], t->count[part], finish, false, direct_room, room_left(t, k)};
    const bool narrow = part == NARROW && finish == FINISH_SHAPE;
    bool done;
    if (narrow && t->narrow_built) {
        *g = t->narrow;
        done = g->bytes <= plan.room;
    } else if (narrow) {
        done = !t->narrow_refused && build_sparse(c, &t->arena, &plan, g);
        t->narrow_built = done;
        t->narrow_refused = !done;
        t->narrow = *g;
    } else if (part == NARROW)
        done = build_sparse(c, &k->arena, &plan, g);
    else if (list_field >= 0)
        done = build_list(c, &k->arena, &plan, (unsigned)list_field, g);
    else
        done = build_dense(c, &k->arena, &plan, g);
    k->bytes += done ? g->bytes : 0;
    k->group_count += done;
    return done;
}

static bool add_dense(tuner *t, candidate *k, const uint32_t *members, uint32_t count, enum finish finish, size_t direct_room) {
    if (!count)
        return true;
    const group_plan plan = {members, count, finish, false, direct_room, room_left(t, k)};
    const bool done = build_dense(t->c, &k->arena, &plan, &k->groups[k->group_count]);
    k->bytes += done ? k->groups[k->group_count].bytes : 0;
    k->group_count += done;
    return done;
}

/* All rules in one group. */
static bool add_all(tuner *t, candidate *k, enum finish finish, size_t direct_room, bool bands) {
    const group_plan plan = {t->all, t->c->count, finish, bands, direct_room, room_left(t, k)};
    if (!t->cells_found && !t->cells_refused) {
        t->cells_found = find_cells(t->c, &t->arena, &plan, &t->cells);
        t->cells_refused = !t->cells_found;
    }
    const bool done = t->cells_found && finish_dense(t->c, &k->arena, &plan, &t->cells, &k->groups[0]);
    k->bytes += done ? k->groups[0].bytes : 0;
    k->group_count += done;
    return done;
}

/* Rules of some parts, in order. */
static const uint32_t *join(tuner *t, candidate *k, const bool parts[PARTS], uint32_t *count) {
    uint32_t *joined = arena_take(&k->arena, t->c->count, sizeof *joined), next[PARTS] = {0};
    *count = 0;
    for (uint32_t i = 0; joined && i < t->c->count; i++)
        for (unsigned p = 0; p < PARTS; p++)
            if (next[p] < t->count[p] && t->members[p][next[p]] == i) {
                next[p]++;
                if (parts[p])
                    joined[(*count)++] = i;
            }
    return joined;
}

static bool build_four(tuner *t, candidate *k, enum finish narrow, enum finish wide, size_t direct_room) {
    return add(t, k, NARROW, narrow, 0, -1) && add(t, k, WIDE_SRC, wide, direct_room, -1) &&
           add(t, k, WIDE_DST, wide, direct_room, -1) && add(t, k, WIDE_BOTH, wide, direct_room, -1);
}

static bool build_two(tuner *t, candidate *k) {
    uint32_t count;
    const uint32_t *wide = join(t, k, (const bool[PARTS]){false, true, true, true}, &count);
    return wide && t->count[NARROW] && count && add(t, k, NARROW, FINISH_SHAPE, 0, -1) &&
           add_dense(t, k, wide, count, FINISH_DIRECT, LARGE_DIRECT);
}

/* Whatever does not become a group goes into bit vectors. */
static bool build_lists(tuner *t, candidate *k) {
    bool rest[PARTS] = {false, false, false, true};
    rest[NARROW] = !(t->c->ports.classed && add(t, k, NARROW, FINISH_SHAPE, 0, -1)) && !add(t, k, NARROW, FINISH_COMPARE, 0, -1);
    rest[WIDE_SRC] = !add(t, k, WIDE_SRC, FINISH_COMPARE, 0, DST);
    rest[WIDE_DST] = !add(t, k, WIDE_DST, FINISH_COMPARE, 0, SRC);
    if (t->count[WIDE_BOTH] < FEW * FEW) /* too few to set up bit vectors for */
        rest[WIDE_BOTH] = !add_dense(t, k, t->members[WIDE_BOTH], t->count[WIDE_BOTH], FINISH_COMPARE, 0);
    k->rest = join(t, k, rest, &k->rest_count);
    return k->rest && k->rest_count <= t->c->count / 2; /* else bit vectors alone do as well */
}

static bool build(tuner *t, candidate *k) {
    const size_t all = SIZE_MAX;
    switch (k->layout) {
    case LAYOUT_ONE_DIRECT:
        return add_all(t, k, FINISH_DIRECT, all, false);
    case LAYOUT_ONE_BANDS:
        return add_all(t, k, FINISH_DIRECT, all, true);
    case LAYOUT_ONE_SHAPE:
        return add_all(t, k, FINISH_SHAPE, 0, false);
    case LAYOUT_FOUR_SMALL:
        return build_four(t, k, FINISH_SHAPE, FINISH_DIRECT, SMALL_DIRECT);
    case LAYOUT_FOUR_LARGE:
        return build_four(t, k, FINISH_SHAPE, FINISH_DIRECT, LARGE_DIRECT);
    case LAYOUT_FOUR_COMPARE:
        return build_four(t, k, FINISH_COMPARE, FINISH_COMPARE, 0);
    case LAYOUT_TWO:
        return build_two(t, k);
    case LAYOUT_LISTS:
        return build_lists(t, k);
    default:
        return false;
    }
}

/* The words of all groups, interleaved by interval. */
static bool make_records(const compiler *c, candidate *k) {
    for (unsigned f = SRC; f <= DST; f++) {
        const uint32_t n = c->address[f].intervals, groups = k->group_count;
        uint32_t *records = k->records[f] = arena_take(&k->arena, (size_t)n * groups, sizeof *records);
        if (!records)
            return false;
        for (uint32_t g = 0; g < groups; g++)
            for (uint32_t i = 0; i < n; i++)
                records[(size_t)i * groups + g] = k->groups[g].words[f][i];
        k->bytes += (size_t)n * groups * sizeof *records;
    }
    return true;
}

static bool looks_like(const candidate *a, const candidate *b) {
    bool same = a->group_count == b->group_count && a->bytes == b->bytes && a->rest_count == b->rest_count;
    for (uint32_t g = 0; same && g < a->group_count; g++)
        same = a->groups[g].g.pair == b->groups[g].g.pair && a->groups[g].g.finish == b->groups[g].g.finish &&
               a->groups[g].g.rules == b->groups[g].g.rules;
    return same;
}

static bool seen_before(const tuner *t, const candidate *k) {
    for (uint32_t i = 0; i < t->found_count; i++)
        if (looks_like(&t->found[i], k))
            return true;
    return false;
}

/* Builds one candidate and, unless it is refused, gives it its first turns. */
static void consider(tuner *t, enum layout layout, const trial *on) {
    compiler *c = t->c;
    candidate *k = &t->found[t->found_count];
    *k = (candidate){.layout = layout};
    const uint64_t before = c->work;
    c->work_limit = before + candidate_work(t, layout);
    const bool done = build(t, k) && make_records(c, k) && t->shared_bytes + k->bytes <= t->room;
    t->done += done ? c->work - before : 0;
    if (!done || seen_before(t, k)) {
        arena_empty(&k->arena);
        return;
    }
    k->seconds = 1e9;
    for (int turn = 0; turn <= FIRST_TURNS; turn++) {
        const double seconds = trial_run(c, on, k);
        if (turn && seconds < k->seconds) /* the first is for the caches */
            k->seconds = seconds;
    }
    t->found_count++;
}

/* Gives the close ones more turns, one after the other, and takes the fastest. */
static candidate *decide(tuner *t, const trial *on) {
    candidate *best = &t->found[0];
    for (uint32_t i = 1; i < t->found_count; i++)
        if (t->found[i].seconds < best->seconds)
            best = &t->found[i];
    const double reach = best->seconds * OUT_OF_REACH;
    for (int turn = 0; t->found_count > 1 && turn < LAST_TURNS; turn++)
        for (uint32_t i = 0; i < t->found_count; i++)
            if (t->found[i].seconds <= reach) {
                const double seconds = trial_run(t->c, on, &t->found[i]);
                if (seconds < t->found[i].seconds)
                    t->found[i].seconds = seconds;
            }
    for (uint32_t i = 0; i < t->found_count; i++)
        if (t->found[i].seconds < best->seconds)
            best = &t->found[i];
    return best;
}

/* One group for all is for sets that are not large, or of few pairs of intervals, as block lists are; by shapes only if it was
 * had directly, in bands only if it takes much without them, or cannot be had. */
static bool worth_trying(const tuner *t, enum layout layout) {
    bool direct = false, large = true;
    for (uint32_t i = 0; i < t->found_count; i++)
        if (t->found[i].layout == LAYOUT_ONE_DIRECT) {
            direct = t->found[i].groups[0].g.finish == FINISH_DIRECT;
            large = t->found[i].bytes > LARGE_ONE;
        }
    switch (layout) {
    case LAYOUT_ONE_DIRECT:
        return t->c->count <= MOST_FOR_ONE || (uint64_t)t->c->address[SRC].intervals * t->c->address[DST].intervals <= FEW_PAIRS;
    case LAYOUT_ONE_SHAPE:
        return direct;
    case LAYOUT_ONE_BANDS:
        return t->cells_found && large;
    default:
        return true;
    }
}

static void consider_all(tuner *t, const trial *on) {
    static const enum layout small[] = {LAYOUT_ONE_DIRECT, LAYOUT_ONE_BANDS, LAYOUT_FOUR_SMALL,
                                        LAYOUT_FOUR_LARGE, LAYOUT_ONE_SHAPE, LAYOUT_TWO},
                             large[] = {LAYOUT_FOUR_SMALL, LAYOUT_FOUR_LARGE, LAYOUT_ONE_DIRECT,
                                        LAYOUT_ONE_BANDS,  LAYOUT_ONE_SHAPE,  LAYOUT_TWO};
    const enum layout *order = t->c->count < SMALL_SET ? small : large;
    for (unsigned i = 0; t->c->ports.classed && i < sizeof small / sizeof *small; i++)
        if (worth_trying(t, order[i]) && !(t->found_count && t->c->count < TINY_SET))
            consider(t, order[i], on);
    if (!t->found_count)
        consider(t, LAYOUT_FOUR_COMPARE, on);
    if (!t->found_count)
        consider(t, LAYOUT_LISTS, on);
}

int choose_candidate(compiler *c, size_t room, int wanted, candidate *best) {
    *best = (candidate){.layout = LAYOUT_BITS};
    if (!c->count || wanted == LAYOUT_BITS || wanted == LAYOUT_LINEAR)
        return PASTORE_OK;
    tuner t = {.c = c, .room = room, .shared_bytes = stored_bytes(c)};
    trial on;
    int error = PASTORE_OK;
    if (!split(&t) || !trial_open(c, &t.arena, &on))
        error = PASTORE_ERROR_NO_MEMORY;
    else if (wanted >= 0)
        consider(&t, (enum layout)wanted, &on);
    else
        consider_all(&t, &on);
    if (!error && t.found_count)
        *best = *decide(&t, &on);
    for (uint32_t i = 0; i < t.found_count; i++)
        if (!best->group_count || t.found[i].layout != best->layout)
            arena_empty(&t.found[i].arena);
    arena_join(&c->arena, &best->arena);
    arena_join(&c->arena, &t.arena);
    return error;
}
