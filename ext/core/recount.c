/* What a table says of its rows, held against its row list: which rows can be the answer, where intervals begin and end, port
 * classes, the rules of lists, the sets of chunks. All of it follows from the row list alone, whatever a group makes of it, so it
 * is computed once more and compared.
 *
 * Only whether cells and answers of groups lead to the right row is left to judge.c.
 */
#include <stdlib.h>
#include <string.h>

#include "compile.h"
#include "validate.h"

/* The first broken invariant ends the check: its sentence travels up through the returns. NULL: all is well. */
typedef const char *verdict;

static const verdict NO_ROOM = "there is memory to check with";

/* A side while it is checked. */
typedef struct side_check {
    const pastore_table *table;
    const side_index *side;
    enum family family;
    unsigned bit;
    compiler rules; /* of the side, taken once more: only take_rules has worked on it */
    uint8_t *live;  /* [rows of the family] */
    uint64_t most;  /* comparisons of rows with rows, or of rows with cells, that one step may make */
    arena scratch;
} side_check;

static bool holds(range r, key value) {
    return !key_less(value, r.lo) && !key_less(r.hi, value);
}

static bool holds_port(uint32_t value, uint32_t lo, uint32_t hi) {
    return lo <= value && value <= hi;
}

/* Rows */

static bool covers(const side_check *k, uint32_t row, uint32_t other) {
    for (enum field field = SRC; field < FIELDS; field++) {
        const range a = row_range(k->table, k->family, row, field), b = row_range(k->table, k->family, other, field);
        if (key_less(b.lo, a.lo) || key_less(a.hi, b.hi))
            return false;
    }
    return true;
}

/* A row that was left out lies within an earlier one of the side. */
static verdict check_dead(const side_check *k) {
    uint32_t live = 0;
    uint64_t compared = 0;
    for (uint32_t row = 0; row < k->table->list[k->family].count && compared < k->most; row++) {
        if (!(row_where(k->table, k->family, row) & k->bit))
            continue;
        if (live < k->rules.count && k->rules.rules[live].row == row) {
            live++;
            continue;
        }
        uint32_t i = live;
        while (i > 0 && !covers(k, k->rules.rules[i - 1].row, row))
            i--;
        compared += live - i + 1;
        if (i == 0)
            return "a row that can never be the answer lies within an earlier one";
    }
    return NULL;
}

/* Search trees */

static int compare_keys(const void *left, const void *right) {
    const key *a = left, *b = right;
    return (int)key_less(*b, *a) - (int)key_less(*a, *b);
}

static int compare_numbers(const void *left, const void *right) {
    const uint32_t *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

/* The ends of the intervals of the rules, sorted, each once. NULL: no memory. */
static key *ends_of(side_check *k, unsigned field, uint32_t *count) {
    const key last = field_last(k->family, (enum field)field);
    key *ends = arena_take(&k->scratch, 2 * (size_t)k->rules.count + 1, sizeof *ends);
    size_t n = 0;
    *count = 0;
    for (uint32_t i = 0; ends && i < k->rules.count; i++) {
        const live_row *r = &k->rules.rules[i];
        if (r->lo[field].high || r->lo[field].low)
            ends[n++] = key_before(r->lo[field]);
        if (!key_equal(r->hi[field], last))
            ends[n++] = r->hi[field];
    }
    if (ends)
        qsort(ends, n, sizeof *ends, compare_keys);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || !key_equal(ends[i], ends[*count - 1]))
            ends[(*count)++] = ends[i];
    return ends;
}

/* The interval of an address, found by counting ends level by level as side.h tells it. */
static uint32_t counted_interval(const side_check *k, const address_view *view, key address) {
    const uint32_t line = k->family == IPV4 ? LINE4 : LINE6;
    const uint64_t word = view->fold ? fold_key(view->fold, address) : address.high;
    size_t place = 0;
    for (uint32_t level = view->levels; level-- > 0;) {
        const size_t first = place * line;
        place = first;
        for (uint32_t i = 0; i < line; i++)
            place += k->family == IPV4 ? ((const uint32_t *)view->level[level])[first + i] < address.low
                                       : ((const uint64_t *)view->level[level])[first + i] < word;
    }
    if (k->family == IPV4 || view->fold)
        return (uint32_t)place;
    const tail *t = &view->tails[place];
    uint32_t interval = t->before;
    if (((const uint64_t *)view->level[0])[place] == address.high)
        for (uint32_t i = 0; i < t->line_count * LINE6; i++)
            interval += view->lows[(size_t)t->line * LINE6 + i] < address.low;
    return interval;
}

static verdict check_addresses(side_check *k, const side_view *view) {
    for (unsigned field = SRC; field <= DST; field++) {
        const address_index *index = &k->side->address[field];
        uint32_t n;
        const key *ends = ends_of(k, field, &n);
        if (!ends)
            return NO_ROOM;
        if (index->intervals != n + 1)
            return "there is an interval between each two ends of rows";
        for (uint32_t i = 0; i < n; i++) {
            if (!key_equal(interval_end(k->table, k->family, index, i), ends[i]))
                return "intervals end where rows end, or before rows begin";
            if (counted_interval(k, &view->address[field], ends[i]) != i ||
                counted_interval(k, &view->address[field], key_next(ends[i])) != i + 1)
                return "a search finds the interval of an address";
        }
        if (counted_interval(k, &view->address[field], (key){0, 0}) != 0 ||
            counted_interval(k, &view->address[field], field_last(k->family, (enum field)field)) != n)
            return "a search finds the first interval and the last";
    }
    return NULL;
}

/* Ports */

/* The last values of the intervals of a field, sorted, each once, but that of the last interval. NULL: no memory. */
static uint32_t *port_ends_of(side_check *k, enum field field, uint32_t *count) {
    const uint32_t last = (uint32_t)field_last(k->family, field).low;
    uint32_t *ends = arena_take(&k->scratch, 2 * (size_t)k->rules.count + 1, sizeof *ends);
    uint8_t *seen = arena_zeroed(&k->scratch, (size_t)last + 1, 1);
    size_t n = 0;
    *count = 0;
    if (!ends || !seen)
        return NULL;
    for (uint32_t i = 0; i < k->rules.count; i++) {
        const live_row *r = &k->rules.rules[i];
        const uint32_t lo = field == SPORT   ? r->sport_lo
                            : field == DPORT ? r->dport_lo
                                             : r->protocol_lo,
                       hi = field == SPORT   ? r->sport_hi
                            : field == DPORT ? r->dport_hi
                                             : r->protocol_hi;
        if (lo && !seen[lo - 1]) {
            seen[lo - 1] = 1;
            ends[n++] = lo - 1;
        }
        if (hi != last && !seen[hi]) {
            seen[hi] = 1;
            ends[n++] = hi;
        }
    }
    qsort(ends, n, sizeof *ends, compare_numbers);
    *count = (uint32_t)n;
    return ends;
}

/* Whether the intervals of a field are those of the rows; the first value of each is kept. */
static verdict check_axis(side_check *k, enum field field, const port_view *view, uint32_t **firsts, uint32_t *count) {
    const unsigned which = field == DPORT;
    uint32_t n;
    const uint32_t *ends = port_ends_of(k, field, &n), last = (uint32_t)field_last(k->family, field).low;
    *firsts = arena_take(&k->scratch, (size_t)n + 1, sizeof **firsts);
    if (!ends || !*firsts)
        return NO_ROOM;
    *count = n + 1;
    if (*count != (field == PROTOCOL ? view->protocols : view->intervals[which]))
        return "there are as many intervals as ends of rows say";
    for (uint32_t interval = 0, value = 0; interval <= n; interval++) {
        (*firsts)[interval] = value;
        if (field != PROTOCOL && view->ends[which] && interval < n && view->ends[which][interval] != ends[interval])
            return "ends of ports are those of the rows";
        for (const uint32_t end = interval < n ? ends[interval] : last; value <= end; value++)
            if (field == PROTOCOL ? view->protocol[value] != interval
                                  : (view->narrow[which] && view->narrow[which][value] != interval) ||
                                        (view->wide[which] && view->wide[which][value] != interval))
                return "ports and protocols have the intervals of the rows";
    }
    return NULL;
}

static bool rule_holds(const live_row *r, const uint32_t at[3]) {
    return holds_port(at[0], r->sport_lo, r->sport_hi) && holds_port(at[1], r->dport_lo, r->dport_hi) &&
           holds_port(at[2], r->protocol_lo, r->protocol_hi);
}

/* Cells of one class are in the same rules as the first of them. */
static verdict check_classes(side_check *k, const port_view *view, uint32_t *const firsts[3], const uint32_t n[3]) {
    const size_t cells = (size_t)n[0] * n[1] * n[2];
    size_t *first = arena_take(&k->scratch, (size_t)k->side->ports.class_count, sizeof *first);
    uint32_t seen = 0;
    if (!first)
        return NO_ROOM;
    for (size_t cell = 0; cell < cells && (uint64_t)cell * k->rules.count < k->most; cell++) {
        const uint32_t class = view->classes[cell];
        if (class == seen)
            first[seen++] = cell;
        const size_t other = first[class];
        const uint32_t here[3] = {firsts[0][cell / n[2] / n[1]], firsts[1][cell / n[2] % n[1]], firsts[2][cell % n[2]]},
                       there[3] = {firsts[0][other / n[2] / n[1]], firsts[1][other / n[2] % n[1]], firsts[2][other % n[2]]};
        for (uint32_t i = 0; other != cell && i < k->rules.count; i++)
            if (rule_holds(&k->rules.rules[i], here) != rule_holds(&k->rules.rules[i], there))
                return "no row tells ports of one class apart";
    }
    return NULL;
}

static verdict check_ports(side_check *k, const port_view *view) {
    uint32_t *firsts[3], n[3];
    for (unsigned a = 0; a < 3; a++) {
        verdict broken = check_axis(k, (enum field)(SPORT + a), view, &firsts[a], &n[a]);
        if (broken)
            return broken;
    }
    return check_classes(k, view, firsts, n);
}

/* Groups and chunks */

/* Every rule of a list is a rule of the side, and all of the list's class lead to it. */
static bool is_list_rule(const side_check *k, const address_view *views, const list_rule *l, const live_row *r) {
    const uint32_t lo[2] = {l->src, l->dst}, width[2] = {l->src_width, l->dst_width};
    for (unsigned f = SRC; f <= DST; f++)
        if (counted_interval(k, &views[f], r->lo[f]) != lo[f] || counted_interval(k, &views[f], r->hi[f]) != lo[f] + width[f])
            return false;
    return r->id == l->id && r->sport_lo == l->sport && r->sport_hi - r->sport_lo == l->sport_width && r->dport_lo == l->dport &&
           r->dport_hi - r->dport_lo == l->dport_width && r->protocol_lo == l->protocol &&
           r->protocol_hi - r->protocol_lo == l->protocol_width;
}

static verdict check_lists(const side_check *k, const side_view *view, const group *g) {
    const list_rule *rules = at(k->table, g->answers);
    uint64_t compared = 0;
    for (uint64_t i = 0; i < g->answer_count && compared < k->most / 64; i++) {
        uint32_t r = 0;
        while (rules[i].id != NO_ID && r < k->rules.count && !is_list_rule(k, view->address, &rules[i], &k->rules.rules[r]))
            r++;
        compared += r;
        if (r == k->rules.count)
            return "a rule of a list is a row that can be the answer";
    }
    return NULL;
}

/* A rule that is compared has the ports of a row that can be the answer by its id. In a table of actions an id stands for several
 * rows, and which of them is meant nothing says. */
static verdict check_compared(const side_check *k, const group *g) {
    const port_rule *rules = at(k->table, g->answers);
    uint64_t compared = 0;
    for (uint64_t i = 0; i < g->answer_count && compared < k->most / 64; i++) {
        const port_rule *p = &rules[i];
        const uint32_t id = p->id_low | (uint32_t)p->id_high << 16;
        uint32_t low = 0, high = k->rules.count; /* ids rise with rows */
        while (low < high && id != NO_ID) {
            const uint32_t middle = low + (high - low) / 2;
            if (k->rules.rules[middle].id < id)
                low = middle + 1;
            else
                high = middle;
        }
        bool found = id == NO_ID;
        for (; !found && low < k->rules.count && k->rules.rules[low].id == id; low++, compared++) {
            const live_row *r = &k->rules.rules[low];
            found = r->sport_lo == p->sport && r->sport_hi - r->sport_lo == p->sport_width && r->dport_lo == p->dport &&
                    r->dport_hi - r->dport_lo == p->dport_width && r->protocol_lo == p->protocol &&
                    r->protocol_hi - r->protocol_lo == p->protocol_width;
        }
        if (!found)
            return "a rule that is compared is a row that can be the answer";
    }
    return NULL;
}

/* The rows of an interval are those that hold its first value, and those that hold its last. */
static verdict check_chunk(const side_check *k, const chunk *c, enum field field) {
    const field_index *f = &c->field[field];
    const uint16_t *classes = at(k->table, f->classes);
    const uint64_t *sets = at(k->table, f->sets);
    const uint32_t *members = (const uint32_t *)at(k->table, k->side->rest_rows) + c->first;
    for (uint32_t row = 0; row < c->rows; row++) {
        const range r = row_range(k->table, k->family, members[row], field);
        for (uint32_t i = 0; i < f->intervals; i++) {
            const key first = field_start(k->table, k->family, field, f, i);
            const key last = i + 1 < f->intervals ? key_before(field_start(k->table, k->family, field, f, i + 1))
                                                  : field_last(k->family, field);
            const bool in_set = sets[(size_t)classes[i] * (1 + c->words) + 1 + row / WORD_BITS] >> (row % WORD_BITS) & 1;
            if (holds(r, first) != in_set || holds(r, last) != in_set)
                return "the set of an interval is the rows that hold all of it";
        }
    }
    return NULL;
}

/* A set of rows to be sorted next to its equals. */
typedef struct set_ref {
    const uint64_t *words;
    uint32_t count;
} set_ref;

static int compare_sets(const void *left, const void *right) {
    const set_ref *a = left, *b = right;
    return memcmp(a->words, b->words, a->count * sizeof *a->words);
}

static verdict check_sets(side_check *k, const chunk *c, const field_index *f) {
    const uint64_t *sets = at(k->table, f->sets);
    set_ref *refs = arena_take(&k->scratch, f->class_count, sizeof *refs);
    if (!refs)
        return NO_ROOM;
    for (uint32_t class = 0; class < f->class_count; class++)
        refs[class] = (set_ref){sets + (size_t)class * (1 + c->words) + 1, c->words};
    qsort(refs, f->class_count, sizeof *refs, compare_sets);
    for (uint32_t class = 1; class < f->class_count; class++)
        if (compare_sets(&refs[class - 1], &refs[class]) == 0)
            return "no two classes of a chunk have the same rows";
    return NULL;
}

/* Every row of the chunks is one that can be the answer, with its id. */
static verdict check_rest(side_check *k) {
    const uint32_t *ids = at(k->table, k->side->rest_ids), *rows = at(k->table, k->side->rest_rows);
    const chunk *chunks = at(k->table, k->side->chunks);
    uint32_t rule = 0;
    for (uint32_t i = 0; i < k->side->rest; i++) {
        while (rule < k->rules.count && k->rules.rules[rule].row < rows[i])
            rule++;
        if (rule == k->rules.count || k->rules.rules[rule].row != rows[i] || k->rules.rules[rule].id != ids[i])
            return "chunks hold rows that can be the answer, by their ids";
    }
    for (uint32_t c = 0; c < k->side->chunk_count; c++)
        for (enum field field = SRC; field < FIELDS; field++) {
            verdict broken = check_chunk(k, &chunks[c], field);
            if (!broken)
                broken = check_sets(k, &chunks[c], &chunks[c].field[field]);
            if (broken)
                return broken;
        }
    return NULL;
}

/* Sides */

/* The actions by id are those of the rules. */
static verdict check_actions(const side_check *k) {
    const uint8_t *actions = at(k->table, k->side->actions);
    for (uint32_t i = 0; i < k->rules.count; i++)
        if (actions[k->rules.rules[i].id + 1] != k->rules.rules[i].action)
            return "a side answers with the action of the row";
    return NULL;
}

static verdict check_rules(side_check *k, const side_view *view) {
    verdict broken = check_dead(k);
    if (broken || k->side->layout == LAYOUT_LINEAR)
        return broken;
    broken = check_actions(k);
    if (!broken && k->side->groups)
        broken = check_addresses(k, view);
    if (!broken && k->side->ports.class_count)
        broken = check_ports(k, &view->ports);
    for (uint32_t g = 0; !broken && g < k->side->groups; g++)
        if (k->side->group[g].pair == PAIR_LIST)
            broken = check_lists(k, view, &k->side->group[g]);
        else if (k->side->group[g].finish == FINISH_COMPARE)
            broken = check_compared(k, &k->side->group[g]);
    return broken || !k->side->rest ? broken : check_rest(k);
}

static verdict check_side(const pastore_table *table, uint32_t number, enum family family, unsigned bit, uint64_t most,
                          uint8_t *live) {
    side_check k = {.table = table,
                    .side = (const side_index *)at(table, table->sides) + number,
                    .family = family,
                    .bit = bit,
                    .live = live,
                    .most = most};
    const uint32_t listed = table->list[family].count;
    uint32_t *members = arena_take(&k.scratch, listed, sizeof *members), count = 0;
    verdict broken = members ? NULL : NO_ROOM;
    for (uint32_t row = 0; !broken && row < listed; row++)
        if (row_where(table, family, row) & bit)
            members[count++] = row;
    if (!broken && count != k.side->rows)
        broken = "a side has the rows that apply there";
    k.rules = (compiler){.table = table, .family = family};
    if (!broken && take_rules(&k.rules, members, count))
        broken = NO_ROOM;
    if (!broken && (k.rules.count != k.side->live || k.rules.ids != k.side->ids))
        broken = "a side counts the rows that can be the answer";
    for (uint32_t i = 0; !broken && i < k.rules.count; i++)
        live[k.rules.rules[i].row] = 1;
    if (!broken)
        broken = check_rules(&k, &table->views[number]);
    arena_empty(&k.rules.arena);
    arena_empty(&k.scratch);
    return broken;
}

static verdict check_sides(const pastore_table *table, uint64_t most, uint8_t *const live[FAMILIES]) {
    uint32_t checked = 0; /* sides are numbered as they come */
    for (enum family family = IPV4; family < FAMILIES; family++)
        for (unsigned direction = 0; direction < DIRECTIONS; direction++)
            for (unsigned interface = 0; interface < INTERFACES; interface++) {
                const uint32_t number = table->side_of[family][direction][interface];
                if (number < checked)
                    continue;
                checked = number + 1;
                const verdict broken = check_side(table, number, family, where_bit(direction, interface), most, live[family]);
                if (broken)
                    return broken;
            }
    size_t dead = table->rows;
    for (enum family family = IPV4; family < FAMILIES; family++)
        for (uint32_t row = 0; row < table->list[family].count; row++)
            dead -= live[family][row];
    return dead == table->dead ? NULL : "the table counts the rows that can never be the answer";
}

int recount(const pastore_table *table, uint64_t most, const char **broken) {
    arena scratch = {0};
    uint8_t *live[FAMILIES];
    for (enum family family = IPV4; family < FAMILIES; family++)
        live[family] = arena_zeroed(&scratch, table->list[family].count, 1);
    const verdict found = scratch.failed ? NO_ROOM : check_sides(table, most, live);
    arena_empty(&scratch);
    if (broken)
        *broken = found;
    return found == NO_ROOM ? PASTORE_ERROR_NO_MEMORY : found ? PASTORE_ERROR_DAMAGED : PASTORE_OK;
}
