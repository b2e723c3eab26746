/* A group whose matrix is nearly empty, kept by row displacement.
 *
 * Each class of the major field has a line of the matrix. The lines are laid over each other in one array so that no two occupied
 * cells meet: line r is shifted by its displacement, which no other line has, and every cell carries it. A lookup adds the
 * displacement to the minor class, reads one cell, and compares: one load, no search.
 */
#include <string.h>

#include "compile.h"

/* One rule in one cell. */
typedef struct entry {
    uint32_t major, minor, rule;
} entry;

/* The occupied cells, line after line. */
typedef struct matrix {
    uint32_t majors, minors;
    uint32_t *first;  /* [majors + 1]: of the cells of a line */
    uint32_t *column; /* [cells]: minor class */
    uint32_t *row;    /* [cells]: of the rowset */
    uint32_t cells;
} matrix;

/* Cells tried for one line before it goes to the end of what is occupied. */
enum { MOST_TRIES = 1 << 14, LONG_LINE = 255, HINTS = (LONG_LINE + 1) * 32 + 1, WORD = 64 };

/* Stable sort by 11 bits a pass; the result is in one of the two. */
static entry *sort_entries(entry *from, entry *to, size_t n, bool by_major, uint32_t largest) {
    for (unsigned shift = 0; shift < 32 && largest >> shift; shift += 11) {
        size_t place[2049] = {0};
        for (size_t i = 0; i < n; i++)
            place[((by_major ? from[i].major : from[i].minor) >> shift & 2047) + 1]++;
        for (unsigned d = 0; d < 2048; d++)
            place[d + 1] += place[d];
        for (size_t i = 0; i < n; i++)
            to[place[(by_major ? from[i].major : from[i].minor) >> shift & 2047]++] = from[i];
        entry *sorted = to;
        to = from;
        from = sorted;
    }
    return from;
}

/* The classes of a field that a rule lies in, each once. */
static uint32_t classes_in(const compiler *c, unsigned field, const field_classes *f, uint32_t rule, uint32_t stamp,
                           uint32_t *stamps, uint32_t *found) {
    const uint32_t first = f->run_of[c->address[field].lo[rule]], last = f->run_of[c->address[field].hi[rule]];
    uint32_t count = 0;
    for (uint32_t run = first; run <= last; run++) {
        const uint32_t class = f->class_of[run];
        if (stamps[class] != stamp) {
            stamps[class] = stamp;
            found[count++] = class;
        }
    }
    return count;
}

/* All entries, in the order of the rules. NULL: too many. */
static entry *spread(compiler *c, arena *scratch, const group_plan *plan, const field_classes f[2], unsigned major,
                     size_t *count) {
    uint32_t *stamps[2], *found[2], n[2];
    for (unsigned field = SRC; field <= DST; field++) {
        stamps[field] = arena_zeroed(scratch, f[field].classes, sizeof *stamps[field]);
        found[field] = arena_take(scratch, f[field].classes, sizeof *found[field]);
    }
    if (scratch->failed)
        return NULL;
    const size_t most = plan->room / sizeof(uint64_t);
    size_t room = 2 * (size_t)plan->count + 1024;
    entry *entries = arena_take(scratch, room, sizeof *entries);
    *count = 0;
    for (uint32_t i = 0; entries && i < plan->count; i++) {
        const uint32_t rule = plan->members[i];
        for (unsigned field = SRC; field <= DST; field++)
            n[field] = classes_in(c, field, &f[field], rule, i + 1, stamps[field], found[field]);
        const uint64_t more = (uint64_t)n[SRC] * n[DST];
        if (*count + more > most || !works(c, 8 * (1 + more)))
            return NULL;
        if (*count + more > room) {
            while (*count + more > room)
                room *= 2;
            entry *wider = arena_take(scratch, room, sizeof *wider);
            if (wider)
                memcpy(wider, entries, *count * sizeof *entries);
            entries = wider;
        }
        for (uint32_t x = 0; entries && x < n[major]; x++)
            for (uint32_t y = 0; y < n[!major]; y++)
                entries[(*count)++] = (entry){found[major][x], found[!major][y], rule};
    }
    return entries;
}

/* Gathers the entries of each cell into a row. */
static bool make_matrix(compiler *c, arena *scratch, const group_plan *plan, const entry *entries, size_t count, rowset *rows,
                        matrix *m) {
    uint32_t *list = arena_take(scratch, plan->count, sizeof *list);
    m->first = arena_take(scratch, (size_t)m->majors + 1, sizeof *m->first);
    m->column = arena_take(scratch, count, sizeof *m->column);
    m->row = arena_take(scratch, count, sizeof *m->row);
    if (scratch->failed)
        return false;
    uint32_t line = 0;
    for (size_t i = 0; i < count;) {
        const entry *e = &entries[i];
        while (line <= e->major)
            m->first[line++] = m->cells;
        uint32_t length = 0;
        for (; i < count && entries[i].major == e->major && entries[i].minor == e->minor; i++)
            list[length++] = entries[i].rule;
        m->column[m->cells] = e->minor;
        m->row[m->cells] = row_of(rows, list, length);
        if (m->row[m->cells++] == NO_ROW || !works(c, 0))
            return false;
    }
    while (line <= m->majors)
        m->first[line++] = m->cells;
    return true;
}

/* The array into which the lines are laid. Cell `i` of it is cell i - minors of what is stored, so that shifts are not negative.
 */
typedef struct packing {
    uint64_t *cells;
    uint64_t *occupied;      /* a bit a cell */
    uint8_t *displaced;      /* a byte a displacement: taken */
    uint32_t *displacements; /* [majors] */
    uint32_t *hints;         /* where a line of this kind was laid last */
    size_t room, used, full; /* cells; behind the last occupied one; below which all words are full */
} packing;

/* Which of the 64 shifts from `at` on leave all cells of the line free. */
static uint64_t free_shifts(const packing *p, const uint32_t *columns, uint32_t length, size_t at) {
    uint64_t open = UINT64_MAX;
    for (uint32_t k = 0; k < length && open; k++) {
        const size_t cell = at + columns[k] - columns[0], word = cell / WORD;
        const unsigned bit = cell % WORD;
        const uint64_t taken = p->occupied[word] >> bit | (bit ? p->occupied[word + 1] << (WORD - bit) : 0);
        open &= ~taken;
    }
    return open;
}

static size_t first_try(const packing *p, uint32_t hint) {
    const size_t from = hint > p->full ? hint : p->full;
    return from / WORD * WORD;
}

/* Finds where the first cell of the line goes, or SIZE_MAX. */
static size_t find_place(compiler *c, packing *p, const uint32_t *columns, uint32_t length, uint32_t minors) {
    const uint32_t span = columns[length - 1] - columns[0];
    /* What lines of this kind did not find room in, this one will hardly: kinds are the number of cells and the size of the span.
     */
    const uint32_t kind = (length < LONG_LINE ? length : LONG_LINE) * 32 + (span ? 32 - (uint32_t)__builtin_clz(span) : 0);
    uint32_t *hint = &p->hints[kind];
    while (p->full < p->room && p->occupied[p->full / WORD] == UINT64_MAX)
        p->full += WORD;
    unsigned tries = 0;
    for (size_t at = first_try(p, *hint); at + 2 * WORD + span < p->room; at += WORD) {
        for (uint64_t open = free_shifts(p, columns, length, at); open; open &= open - 1) {
            const size_t cell = at + (unsigned)__builtin_ctzll(open);
            if (!p->displaced[cell - columns[0] + minors]) {
                *hint = (uint32_t)at;
                return cell;
            }
        }
        if (++tries == MOST_TRIES && at < p->used)
            at = p->used / WORD * WORD - WORD;
        if (!works(c, 2 + length / 4))
            return SIZE_MAX;
    }
    return SIZE_MAX;
}

/* Lines by falling number of cells. */
static uint32_t *longest_first(arena *scratch, const matrix *m) {
    uint32_t *order = arena_take(scratch, m->majors, sizeof *order),
             *place = arena_zeroed(scratch, (size_t)m->minors + 2, sizeof *place);
    if (scratch->failed)
        return NULL;
    for (uint32_t line = 0; line < m->majors; line++)
        place[m->minors - (m->first[line + 1] - m->first[line]) + 1]++;
    for (uint32_t k = 0; k <= m->minors; k++)
        place[k + 1] += place[k];
    for (uint32_t line = 0; line < m->majors; line++)
        order[place[m->minors - (m->first[line + 1] - m->first[line])]++] = line;
    return order;
}

static bool pack(compiler *c, arena *scratch, const matrix *m, const uint64_t *payloads, packing *p) {
    const uint32_t *order = longest_first(scratch, m);
    p->room = (size_t)m->cells * 6 + 2 * (size_t)m->majors + 4 * (size_t)m->minors + 4096;
    if (p->room > (size_t)1 << OWNER_BITS)
        p->room = (size_t)1 << OWNER_BITS;
    p->cells = arena_zeroed(scratch, p->room, sizeof *p->cells);
    p->occupied = arena_zeroed(scratch, p->room / WORD + 2, sizeof *p->occupied);
    p->displaced = arena_zeroed(scratch, p->room + m->minors + 1, 1);
    p->displacements = arena_take(scratch, m->majors, sizeof *p->displacements);
    p->hints = arena_zeroed(scratch, HINTS, sizeof *p->hints);
    if (scratch->failed)
        return false;
    const uint32_t none = m->minors; /* the displacement of lines without cells: no cell carries it */
    p->displaced[none] = 1;
    for (uint32_t k = 0; k < m->majors; k++) {
        const uint32_t line = order[k], length = m->first[line + 1] - m->first[line];
        p->displacements[line] = none;
        if (!length)
            continue;
        const uint32_t *columns = m->column + m->first[line];
        const size_t cell = find_place(c, p, columns, length, m->minors);
        if (cell == SIZE_MAX)
            return false;
        const size_t displacement = cell - columns[0] + m->minors;
        p->displaced[displacement] = 1;
        p->displacements[line] = (uint32_t)displacement;
        for (uint32_t i = 0; i < length; i++) {
            const size_t to = cell + columns[i] - columns[0];
            p->occupied[to / WORD] |= (uint64_t)1 << to % WORD;
            p->cells[to] = displacement | payloads[m->row[m->first[line] + i]] << OWNER_BITS;
            p->used = to + 1 > p->used ? to + 1 : p->used;
        }
    }
    return p->used + m->minors < (size_t)1 << OWNER_BITS;
}

static bool store(compiler *c, arena *a, const matrix *m, const packing *p, const field_classes f[2], built_group *out) {
    /* `minors` free cells on either side keep every displacement plus class inside. */
    const size_t count = p->used + 2 * (size_t)m->minors;
    const unsigned major = out->g.major;
    uint64_t *cells = arena_zeroed(a, count, sizeof *cells);
    if (!cells)
        return false;
    memcpy(cells + m->minors, p->cells, p->used * sizeof *cells);
    for (unsigned field = SRC; field <= DST; field++) {
        const uint32_t intervals = c->address[field].intervals;
        uint32_t *words = out->words[field] = arena_take(a, intervals, sizeof *words);
        if (!words)
            return false;
        for (uint32_t i = 0; i < intervals; i++) {
            const uint32_t class = f[field].class_of[f[field].run_of[i]];
            words[i] = field == major ? p->displacements[class] : class;
        }
    }
    out->cells = cells;
    out->g.cell_count = count;
    out->g.pair = PAIR_SPARSE;
    out->bytes += count * sizeof *cells;
    return true;
}

static bool build_lines(compiler *c, arena *a, arena *scratch, const group_plan *plan, built_group *out) {
    field_classes f[2];
    for (unsigned field = SRC; field <= DST; field++)
        if (!find_classes(c, scratch, plan->members, plan->count, field, &f[field]))
            return false;
    const unsigned major = f[SRC].classes >= f[DST].classes ? SRC : DST, minor = !major;
    out->g.major = major;
    size_t count = 0;
    entry *entries = spread(c, scratch, plan, f, major, &count);
    entry *other = arena_take(scratch, count, sizeof *other);
    if (!entries || !other)
        return false;
    entry *sorted = sort_entries(entries, other, count, false, f[minor].classes);
    sorted = sort_entries(sorted, sorted == entries ? other : entries, count, true, f[major].classes);
    rowset rows;
    matrix m = {.majors = f[major].classes, .minors = f[minor].classes};
    if (!rowset_open(&rows, c, a, plan->count) || !make_matrix(c, scratch, plan, sorted, count, &rows, &m))
        return false;
    uint64_t *payloads = arena_take(scratch, rows.count, sizeof *payloads);
    packing p = {0};
    if (!payloads || (size_t)m.cells * sizeof(uint64_t) > plan->room)
        return false;
    const size_t room = plan->room - (size_t)m.cells * sizeof(uint64_t);
    if (!(plan->finish == FINISH_DIRECT && finish_rows(&rows, FINISH_DIRECT, plan->direct_room, out, payloads)) &&
        !(plan->finish != FINISH_COMPARE && finish_rows(&rows, FINISH_SHAPE, room, out, payloads)) &&
        !finish_rows(&rows, FINISH_COMPARE, room, out, payloads))
        return false;
    for (uint32_t row = 0; row < rows.count; row++)
        if (payloads[row] >> (64 - OWNER_BITS))
            return false;
    return pack(c, scratch, &m, payloads, &p) && store(c, a, &m, &p, f, out) && out->bytes <= plan->room;
}

bool build_sparse(compiler *c, arena *a, const group_plan *plan, built_group *out) {
    arena scratch = {0};
    *out = (built_group){.g = {.rules = plan->count, .first = c->rules[plan->members[0]].id}};
    const bool done = build_lines(c, a, &scratch, plan, out);
    arena_empty(&scratch);
    return done;
}
