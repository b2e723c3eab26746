/* Groups of a stored side: search trees over addresses, port classes, cells and answers. */
#include <stdlib.h>
#include <string.h>

#include "validate.h"

/* Most classes that the compiler makes fit in 16 bits, and so do ports. */
enum { PORT_VALUES = 65536, MOST_INTERVALS = 65536, RULES_READ = 4 };

static uint64_t in_lines(uint64_t keys, uint64_t line) {
    return (keys ? (keys - 1) / line + 1 : 1) * line;
}

/* Layout */

/* How many keys of a level are stored: whole lines, and for IPv6 a key behind the last one at the bottom. */
static uint64_t stored_keys(enum family family, const address_index *index, uint32_t level) {
    return family == IPV4 ? in_lines(index->keys[level], LINE4) : in_lines((uint64_t)index->keys[level] + (level == 0), LINE6);
}

/* Levels follow from the number of keys in the lowest one. */
static bool levels_are_counted(enum family family, const address_index *index) {
    const uint32_t line = family == IPV4 ? LINE4 : LINE6;
    uint32_t level = 0;
    for (; index->keys[level] > line; level++)
        if (level + 1 == MOST_LEVELS || index->keys[level + 1] != (index->keys[level] - 1) / line)
            return false;
    if (index->levels != ++level)
        return false;
    for (; level < MOST_LEVELS; level++)
        if (index->keys[level] || index->level[level])
            return false;
    return true;
}

static bool address_lies_well(proof *p, enum family family, const address_index *index, uint32_t groups) {
    if (!levels_are_counted(family, index) || index->reserved || index->intervals <= index->keys[0] ||
        (family == IPV4 && index->fold) ||
        ((family == IPV4 || index->fold) &&
         (index->tails || index->lows || index->low_lines || index->intervals != index->keys[0] + 1)))
        return false;
    for (uint32_t k = 0; k < index->levels; k++)
        if (!takes(p, index->level[k], stored_keys(family, index, k), family == IPV4 ? sizeof(uint32_t) : sizeof(uint64_t)))
            return false;
    if (index->fold && !takes(p, index->fold, 1, sizeof(fold)))
        return false;
    if (family == IPV6 && !index->fold &&
        (!takes(p, index->tails, (uint64_t)index->keys[0] + 1, sizeof(tail)) || index->low_lines == 0 ||
         !takes(p, index->lows, (uint64_t)index->low_lines * LINE6, sizeof(uint64_t))))
        return false;
    return takes(p, index->records, (uint64_t)index->intervals * groups, sizeof(uint32_t));
}

static bool axis_lies_well(proof *p, const port_axis *axis) {
    if (axis->intervals == 0 || axis->intervals > MOST_INTERVALS || axis->reserved)
        return false;
    const uint32_t ends = axis->intervals - 1;
    if (ends <= MOST_PORT_ENDS ? !takes(p, axis->ends, in_lines(ends, PORT_LINE), sizeof(uint16_t)) : axis->ends != 0)
        return false;
    const size_t size = axis->intervals <= 256 ? sizeof(uint8_t) : sizeof(uint16_t);
    return ends > FEW_PORT_ENDS ? takes(p, axis->intervals_of, PORT_VALUES, size) : axis->intervals_of == 0;
}

static uint64_t port_cells(const port_index *ports) {
    return (uint64_t)ports->axis[0].intervals * ports->axis[1].intervals * ports->protocols; /* at most 2^40 */
}

/* There are port classes where a group needs them. */
static bool ports_lie_well(proof *p, const side_index *side) {
    const port_index *ports = &side->ports;
    bool classed = false;
    for (uint32_t g = 0; g < side->groups; g++)
        classed |= side->group[g].finish != FINISH_COMPARE;
    if (!classed) {
        static const port_index none;
        return memcmp(ports, &none, sizeof none) == 0;
    }
    return axis_lies_well(p, &ports->axis[0]) && axis_lies_well(p, &ports->axis[1]) && ports->protocols > 0 &&
           ports->protocols <= 256 && ports->class_count > 0 && ports->class_count <= UINT16_MAX &&
           takes(p, ports->protocol, 256, sizeof(uint8_t)) && port_cells(ports) <= UINT32_MAX &&
           takes(p, ports->classes, port_cells(ports), sizeof(uint16_t));
}

/* Bits that a number below n takes. */
static uint32_t bits_for(uint64_t n) {
    uint32_t bits = 1;
    while (bits < 32 && (uint64_t)1 << bits < n)
        bits++;
    return bits;
}

/* What the kind of a group says about the rest of it. */
static bool kind_is_sound(const side_index *side, const group *g) {
    const uint32_t classes = side->ports.class_count;
    const bool cells = g->pair == PAIR_DENSE || g->pair == PAIR_SPARSE || g->pair == PAIR_BANDS;
    const bool shapes = g->finish == FINISH_SHAPE || g->finish == FINISH_MAPPED;
    if (g->pair >= PAIRS || g->finish >= FINISHES || g->major > DST ||
        ((g->pair == PAIR_DENSE || g->pair == PAIR_BANDS) && g->major != SRC) ||
        (g->pair == PAIR_LIST && g->finish != FINISH_COMPARE) || g->rules == 0 || g->rows == 0 || g->answer_count == 0 ||
        g->answer_count > UINT32_MAX || (g->cell_count != 0) != cells || (g->shape_count != 0) != shapes)
        return false;
    if (g->pair == PAIR_BANDS)
        return g->finish == FINISH_DIRECT && g->base_bits <= COLUMN_BITS && g->classes == 1u << g->base_bits &&
               g->answer_count == (uint64_t)g->rows << g->base_bits;
    if (g->base_bits != (g->pair == PAIR_LIST || g->finish == FINISH_DIRECT ? 0 : bits_for(g->answer_count)))
        return false;
    switch ((enum finish)g->finish) {
    case FINISH_DIRECT:
        return g->classes == classes && g->answer_count == (uint64_t)g->rows * classes;
    case FINISH_SHAPE:
        return g->classes == classes;
    case FINISH_MAPPED:
        return g->classes > 0 && g->classes < classes;
    default:
        return g->classes == 0 && (g->pair == PAIR_LIST || g->answer_count >= RULES_READ);
    }
}

static bool group_lies_well(proof *p, const side_index *side, const group *g) {
    if (g->cell_count ? !takes(p, g->cells, g->cell_count, cell_size(g)) : g->cells != 0)
        return false;
    if (!takes(p, g->answers, g->answer_count, answer_size(g)) ||
        (g->shape_count ? !takes(p, g->shapes, g->shape_count, g->classes) : g->shapes != 0))
        return false;
    const bool mapped = g->finish == FINISH_MAPPED || g->pair == PAIR_BANDS;
    return mapped ? takes(p, g->map, side->ports.class_count, map_entry_size(g)) : g->map == 0;
}

bool groups_lie_well(proof *p, enum family family, const side_index *side) {
    if (side->groups == 0)
        return true;
    p->claim = "search trees and records lie where they must";
    for (unsigned f = SRC; f <= DST; f++)
        if (!address_lies_well(p, family, &side->address[f], side->groups))
            return false;
    p->claim = "the port tables lie where they must";
    if (!ports_lie_well(p, side))
        return false;
    p->claim = "groups are of one of the kinds, and lie where they must";
    for (uint32_t g = 0; g < side->groups; g++)
        if (!kind_is_sound(side, &side->group[g]) || !group_lies_well(p, side, &side->group[g]))
            return false;
    return true;
}

/* Search trees */

static bool levels4_are_sound(const pastore_table *table, const address_index *index) {
    const uint32_t *below = NULL;
    for (uint32_t level = 0; level < index->levels; level++) {
        const uint32_t *keys = at(table, index->level[level]), n = index->keys[level];
        for (uint32_t i = 0; i < n; i++)
            if (below ? keys[i] != below[((size_t)i + 1) * LINE4] : keys[i] == UINT32_MAX || (i && keys[i] <= keys[i - 1]))
                return false;
        for (uint64_t i = n; i < stored_keys(IPV4, index, level); i++)
            if (keys[i] != UINT32_MAX)
                return false;
        below = keys;
    }
    return true;
}

static bool levels6_are_sound(const pastore_table *table, const address_index *index) {
    const uint64_t *below = NULL;
    for (uint32_t level = 0; level < index->levels; level++) {
        const uint64_t *keys = at(table, index->level[level]);
        const uint32_t n = index->keys[level];
        for (uint32_t i = 0; i < n; i++)
            if (below ? keys[i] != below[((size_t)i + 1) * LINE6] : i && keys[i] <= keys[i - 1])
                return false;
        for (uint64_t i = n; i < stored_keys(IPV6, index, level); i++)
            if (keys[i] != UINT64_MAX)
                return false;
        below = keys;
    }
    return true;
}

/* Windows follow each other, before and after they are folded, and take no more room then, so nothing overflows; what is folded
 * has at most `bits`. */
static bool windows_are_sound(const fold_word *w, unsigned bits) {
    uint64_t first = 0, offset = 0;
    if (w->windows == 0 || w->windows > MOST_WINDOWS || w->reserved || w->last[MOST_WINDOWS - 1] != UINT64_MAX)
        return false;
    for (uint32_t k = 0; k < MOST_WINDOWS; k++) {
        if (k >= w->windows) {
            if (w->last[k] != UINT64_MAX || w->shift[k] || w->top[k])
                return false;
            continue;
        }
        const bool final = k + 1 == w->windows;
        const uint64_t kept = w->top[k] - offset; /* so many values are kept apart */
        if (w->shift[k] != first - offset || w->top[k] < offset || w->last[k] < first ||
            (kept && kept - final > w->last[k] - first) || (w->last[k] == UINT64_MAX) != final)
            return false;
        first = w->last[k] + 1;
        offset = w->top[k] + 1;
    }
    return bits == 64 || w->top[w->windows - 1] >> bits == 0;
}

/* The value that is folded to this one, and no other; false if there is no such value. */
static bool unfold(const fold_word *w, uint64_t folded, uint64_t *value) {
    uint32_t k = 0;
    while (k + 1 < w->windows && folded > w->top[k])
        k++;
    *value = folded + w->shift[k];
    return folded < w->top[k];
}

static bool unfold_key(const fold *f, uint64_t folded, key *end) {
    const bool high = unfold(&f->word[0], folded >> f->low_bits, &end->high),
               low = unfold(&f->word[1], folded & (((uint64_t)1 << f->low_bits) - 1), &end->low);
    return high && low;
}

/* Every key is an end that no other address is folded to. */
static bool fold_is_sound(const pastore_table *table, const address_index *index) {
    const fold *f = at(table, index->fold);
    const uint64_t *keys = at(table, index->level[0]);
    key end;
    if (f->low_bits >= 64 || f->reserved || !windows_are_sound(&f->word[0], 64 - f->low_bits) ||
        !windows_are_sound(&f->word[1], f->low_bits))
        return false;
    for (uint32_t i = 0; i < index->keys[0]; i++)
        if (!unfold_key(f, keys[i], &end) || (end.high & end.low) == UINT64_MAX) /* the end of the last interval is not kept */
            return false;
    return true;
}

/* How many low words of a tail are not filling, if they rise and are followed by nothing but filling; else more than there is
 * room for. */
static uint64_t count_lows(const uint64_t *lows, uint64_t room) {
    uint64_t n = 0;
    while (n < room && lows[n] != UINT64_MAX) {
        if (n && lows[n] <= lows[n - 1])
            return room + 1;
        n++;
    }
    for (uint64_t i = n; i < room; i++)
        if (lows[i] != UINT64_MAX)
            return room + 1;
    return n;
}

/* Tails follow each other line after line; each has the lines that its low words need. */
static bool tails_are_sound(const pastore_table *table, const address_index *index) {
    const tail *tails = at(table, index->tails);
    const uint64_t *highs = at(table, index->level[0]), *lows = at(table, index->lows);
    const uint32_t n = index->keys[0];
    uint32_t line = 1;
    if (count_lows(lows, LINE6) != 0 || tails[0].before != 0)
        return false;
    for (uint32_t t = 0; t < n; t++) {
        const uint32_t lines = tails[t].line_count, next = tails[t + 1].before;
        if (next <= tails[t].before || next >= index->intervals || tails[t].reserved || tails[t].line != (lines ? line : 0) ||
            lines > index->low_lines - line)
            return false;
        const uint64_t kept = count_lows(lows + (size_t)line * LINE6, (uint64_t)lines * LINE6);
        if (kept > (uint64_t)lines * LINE6 || (lines && kept + LINE6 <= (uint64_t)lines * LINE6))
            return false;
        /* The largest low word is not kept; as the end of the last interval, the largest of both is no end. */
        const uint32_t ends = next - tails[t].before;
        if (ends != kept && (ends != kept + 1 || highs[t] == UINT64_MAX))
            return false;
        line += lines;
    }
    return line == index->low_lines && tails[n].before == index->intervals - 1 && !tails[n].line && !tails[n].line_count &&
           !tails[n].reserved;
}

static bool ends_are_sound(const pastore_table *table, enum family family, const address_index *index) {
    if (family == IPV4)
        return levels4_are_sound(table, index);
    return levels6_are_sound(table, index) && (index->fold ? fold_is_sound(table, index) : tails_are_sound(table, index));
}

key interval_end(const pastore_table *table, enum family family, const address_index *index, uint32_t interval) {
    if (family == IPV4)
        return (key){0, ((const uint32_t *)at(table, index->level[0]))[interval]};
    if (index->fold) {
        key end;
        unfold_key(at(table, index->fold), ((const uint64_t *)at(table, index->level[0]))[interval], &end);
        return end;
    }
    const tail *tails = at(table, index->tails);
    uint32_t t = 0;
    for (uint32_t n = index->keys[0]; n > 1;) { /* the last tail that begins there or before */
        const uint32_t half = n / 2;
        t += tails[t + half].before <= interval ? half : 0;
        n -= half;
    }
    const uint64_t *lows = (const uint64_t *)at(table, index->lows) + (size_t)tails[t].line * LINE6;
    const uint32_t place = interval - tails[t].before;
    const bool kept = place < tails[t].line_count * LINE6;
    return (key){((const uint64_t *)at(table, index->level[0]))[t], kept ? lows[place] : UINT64_MAX};
}

/* Ports */

static bool axis_is_sound(const pastore_table *table, const port_axis *axis) {
    const uint32_t n = axis->intervals - 1;
    const uint16_t *ends = axis->ends ? at(table, axis->ends) : NULL;
    for (uint64_t i = 0; ends && i < in_lines(n, PORT_LINE); i++)
        if (i < n ? ends[i] == UINT16_MAX || (i && ends[i] <= ends[i - 1]) : ends[i] != UINT16_MAX)
            return false;
    if (!axis->intervals_of)
        return true;
    const uint8_t *narrow = axis->intervals <= 256 ? at(table, axis->intervals_of) : NULL;
    const uint16_t *wide = axis->intervals <= 256 ? NULL : at(table, axis->intervals_of);
    uint32_t interval = 0;
    for (uint32_t value = 0; value < PORT_VALUES; value++) {
        const uint32_t kept = narrow ? narrow[value] : wide[value];
        if (ends ? interval < n && ends[interval] < value : kept == interval + 1 && value)
            interval++;
        if (kept != interval)
            return false;
    }
    return interval == n;
}

static bool ports_are_sound(const pastore_table *table, const port_index *ports) {
    const uint8_t *protocol = at(table, ports->protocol);
    const uint16_t *classes = at(table, ports->classes);
    uint32_t interval = 0, seen = 0;
    for (unsigned value = 0; value < 256; value++) {
        interval += value && protocol[value] == interval + 1;
        if (protocol[value] != interval)
            return false;
    }
    for (uint64_t cell = 0; cell < port_cells(ports); cell++)
        if (!numbered_as_met(classes[cell], &seen))
            return false;
    return interval + 1 == ports->protocols && seen == ports->class_count && axis_is_sound(table, &ports->axis[0]) &&
           axis_is_sound(table, &ports->axis[1]);
}

/* Groups */

/* A group while it is looked at. */
typedef struct group_proof {
    proof *p;
    enum family family;
    const side_index *side;
    const group *g;
    const uint32_t *records[2]; /* of this group, `groups` apart */
    uint8_t *largest;           /* place of each shape */
    uint32_t smallest_id;
} group_proof;

static uint32_t word_of(const group_proof *q, unsigned field, uint32_t interval) {
    return q->records[field][(size_t)interval * q->side->groups];
}

static bool meets(group_proof *q, uint32_t id) {
    q->smallest_id = id < q->smallest_id ? id : q->smallest_id;
    return id < q->side->ids;
}

/* The row of an id in a table of rules: rows and their numbers rise together. */
static uint32_t row_of_id(const group_proof *q, uint32_t id) {
    const pastore_table *table = q->p->table;
    const int32_t *given = at(table, table->list[q->family].numbers), *numbers = at(table, q->side->numbers);
    uint32_t row = 0;
    for (uint32_t n = table->list[q->family].count; n > 1;) {
        const uint32_t half = n / 2;
        row += given[row + half] <= numbers[id + 1] ? half : 0;
        n -= half;
    }
    return row;
}

static bool ports_are_those(const group_proof *q, uint32_t row, const uint16_t lo[3], const uint16_t width[3]) {
    for (unsigned f = 0; f < 3; f++) {
        const range r = row_range(q->p->table, q->family, row, (enum field)(SPORT + f));
        if (r.lo.low != lo[f] || r.hi.low != (uint64_t)lo[f] + width[f])
            return false;
    }
    return true;
}

/* Whether a rule that is compared is the row of its id, as far as ids say which row that is. */
static bool ports_fit(const group_proof *q, uint32_t id, const uint16_t lo[3], const uint16_t width[3]) {
    if (q->p->table->verdict == PASTORE_VERDICT_RULE)
        return ports_are_those(q, row_of_id(q, id), lo, width);
    return lo[0] + width[0] <= UINT16_MAX && lo[1] + width[1] <= UINT16_MAX && lo[2] + width[2] <= UINT8_MAX;
}

static bool addresses_fit(const group_proof *q, uint32_t id, const uint32_t lo[2], const uint32_t width[2]) {
    const pastore_table *table = q->p->table;
    for (unsigned f = SRC; f <= DST; f++) {
        const address_index *index = &q->side->address[f];
        if (lo[f] >= index->intervals || width[f] >= index->intervals - lo[f])
            return false;
        if (table->verdict != PASTORE_VERDICT_RULE)
            continue;
        const range r = row_range(table, q->family, row_of_id(q, id), (enum field)f);
        const uint32_t last = lo[f] + width[f];
        const key first = lo[f] ? key_next(interval_end(table, q->family, index, lo[f] - 1)) : (key){0, 0};
        const key end =
            last + 1 < index->intervals ? interval_end(table, q->family, index, last) : field_last(q->family, (enum field)f);
        if (!key_equal(r.lo, first) || !key_equal(r.hi, end))
            return false;
    }
    return true;
}

static bool zero_rule(const list_rule *rule) {
    const list_rule end = {.id = NO_ID};
    return memcmp(rule, &end, sizeof end) == 0;
}

/* Lists: in each, ids rise; the first list is empty; each word of the major field is the beginning of one. */
static bool list_group_is_sound(group_proof *q) {
    const group *g = q->g;
    const list_rule *rules = at(q->p->table, g->answers);
    uint64_t lists = 0;
    if (!zero_rule(&rules[0]) || !zero_rule(&rules[g->answer_count - 1]))
        return false;
    for (uint64_t i = 1; i < g->answer_count; i++) {
        const list_rule *r = &rules[i], *before = &rules[i - 1];
        const bool begins = before->id == NO_ID;
        if (r->id == NO_ID) {
            if (begins || !zero_rule(r))
                return false;
            lists++;
        } else if (!meets(q, r->id) || (!begins && r->id < before->id) ||
                   (!begins && r->id == before->id && q->p->table->verdict == PASTORE_VERDICT_RULE) ||
                   !ports_fit(q, r->id, (const uint16_t[3]){r->sport, r->dport, r->protocol},
                              (const uint16_t[3]){r->sport_width, r->dport_width, r->protocol_width}) ||
                   !addresses_fit(q, r->id, (const uint32_t[2]){r->src, r->dst}, (const uint32_t[2]){r->src_width, r->dst_width}))
            return false;
    }
    bool empty = false;
    for (uint32_t i = 0; i < q->side->address[g->major].intervals; i++) {
        const uint32_t word = word_of(q, g->major, i);
        empty |= word == 0;
        if (word && (word >= g->answer_count - 1 || rules[word - 1].id != NO_ID || rules[word].id == NO_ID))
            return false;
    }
    for (uint32_t i = 0; i < q->side->address[!g->major].intervals; i++)
        if (word_of(q, !g->major, i))
            return false;
    return g->rows == lists + empty;
}

static bool direct_answers_are_sound(group_proof *q) {
    const group *g = q->g;
    const uint16_t *answers = at(q->p->table, g->answers);
    for (uint64_t i = 0; i < g->answer_count; i++)
        if (answers[i] && (i < g->classes || !meets(q, answers[i] - 1u))) /* the first row is the empty one */
            return false;
    return true;
}

static bool shaped_answers_are_sound(group_proof *q) {
    const group *g = q->g;
    const uint32_t *answers = at(q->p->table, g->answers);
    const uint8_t *shapes = at(q->p->table, g->shapes);
    if (answers[0] != NO_ID)
        return false;
    for (uint64_t i = 1; i < g->answer_count; i++)
        if (!meets(q, answers[i]))
            return false;
    q->largest = calloc((size_t)g->shape_count, 1);
    if (!q->largest) {
        q->p->no_memory = true;
        return false;
    }
    for (uint64_t s = 0; s < g->shape_count; s++) {
        const uint8_t *shape = shapes + (size_t)s * g->classes;
        for (uint32_t k = 0; k < g->classes; k++)
            q->largest[s] = shape[k] > q->largest[s] ? shape[k] : q->largest[s];
        if ((q->largest[s] == 0) != (s == 0)) /* the first shape is the one of the empty row */
            return false;
    }
    if (g->finish == FINISH_SHAPE)
        return true;
    const uint16_t *map = at(q->p->table, g->map);
    uint32_t seen = 0;
    for (uint32_t k = 0; k < q->side->ports.class_count; k++)
        if (!numbered_as_met(map[k], &seen))
            return false;
    return seen == g->classes;
}

static uint32_t rule_id(const port_rule *rule) {
    return rule->id_low | (uint32_t)rule->id_high << 16;
}

static bool compared_answers_are_sound(group_proof *q) {
    static const port_rule last = {0, 0, 0, UINT16_MAX, UINT16_MAX, UINT16_MAX, UINT16_MAX, UINT16_MAX};
    const group *g = q->g;
    const port_rule *rules = at(q->p->table, g->answers);
    for (uint64_t i = 0; i < g->answer_count; i++) {
        const port_rule *r = &rules[i];
        if (rule_id(r) == NO_ID || i + RULES_READ >= g->answer_count) {
            if (memcmp(r, &last, sizeof last) != 0)
                return false;
        } else if (!meets(q, rule_id(r)) || !ports_fit(q, rule_id(r), (const uint16_t[3]){r->sport, r->dport, r->protocol},
                                                       (const uint16_t[3]){r->sport_width, r->dport_width, r->protocol_width}))
            return false;
    }
    return true;
}

static bool answers_are_sound(group_proof *q) {
    switch ((enum finish)q->g->finish) {
    case FINISH_DIRECT:
        return direct_answers_are_sound(q);
    case FINISH_SHAPE:
    case FINISH_MAPPED:
        return shaped_answers_are_sound(q);
    default:
        return compared_answers_are_sound(q);
    }
}

/* Rules that are compared are in order; if there may be more of them than the first four, no end is among these. */
static bool compared_row_is_sound(const group_proof *q, uint64_t base, uint64_t top) {
    const port_rule *rules = (const port_rule *)at(q->p->table, q->g->answers) + base;
    for (uint64_t i = 0; i < top; i++)
        if (rule_id(&rules[i]) == NO_ID || (i && rule_id(&rules[i]) < rule_id(&rules[i - 1])))
            return false;
    return true;
}

/* Whether a payload leads to a row. */
static bool payload_is_sound(const group_proof *q, uint64_t payload) {
    const group *g = q->g;
    const uint64_t base = payload & (((uint64_t)1 << g->base_bits) - 1), top = payload >> g->base_bits;
    switch ((enum finish)g->finish) {
    case FINISH_DIRECT:
        return payload < g->answer_count && payload % g->classes == 0;
    case FINISH_SHAPE:
    case FINISH_MAPPED:
        return top < g->shape_count && base + q->largest[top] < g->answer_count && (top || base == 0);
    default:
        return top <= RULES_READ && base + RULES_READ <= g->answer_count && compared_row_is_sound(q, base, top);
    }
}

static uint32_t largest_word(const group_proof *q, unsigned field) {
    uint32_t largest = 0;
    for (uint32_t i = 0; i < q->side->address[field].intervals; i++)
        largest = word_of(q, field, i) > largest ? word_of(q, field, i) : largest;
    return largest;
}

/* Whether words of a field are classes, times `step`, numbered as they first occur. */
static bool words_are_classes(const group_proof *q, unsigned field, uint32_t step) {
    uint32_t seen = 0;
    for (uint32_t i = 0; i < q->side->address[field].intervals; i++) {
        const uint32_t word = word_of(q, field, i);
        if (word % step || !numbered_as_met(word / step, &seen))
            return false;
    }
    return true;
}

static bool one_is_sound(const group_proof *q) {
    const unsigned major = q->g->major;
    for (uint32_t i = 0; i < q->side->address[major].intervals; i++)
        if (!payload_is_sound(q, word_of(q, major, i)))
            return false;
    return largest_word(q, !major) == 0;
}

/* How many pairs of classes there are, or 0 if words of SRC are not classes times the number of those of DST. */
static uint64_t pairs_of_classes(const group_proof *q) {
    const uint64_t minors = (uint64_t)largest_word(q, DST) + 1;
    if (minors > UINT32_MAX || !words_are_classes(q, DST, 1) || !words_are_classes(q, SRC, (uint32_t)minors))
        return 0;
    return largest_word(q, SRC) + minors;
}

static bool dense_is_sound(const group_proof *q) {
    const group *g = q->g;
    const uint32_t *cells = at(q->p->table, g->cells);
    if (g->cell_count != pairs_of_classes(q) || g->cell_count > (uint64_t)UINT32_MAX + 1)
        return false;
    for (uint64_t i = 0; i < g->cell_count; i++)
        if (!payload_is_sound(q, cells[i]))
            return false;
    return true;
}

/* Every class has a column of its own; only the last band has columns of none, and no answers there. */
static bool bands_are_sound(const group_proof *q) {
    const group *g = q->g;
    const uint16_t *cells = at(q->p->table, g->cells), *answers = at(q->p->table, g->answers);
    const uint32_t *map = at(q->p->table, g->map), classes = q->side->ports.class_count;
    const uint64_t pairs = pairs_of_classes(q), bands = ((uint64_t)classes + g->classes - 1) / g->classes;
    if (pairs == 0 || g->cell_count != pairs * bands || g->cell_count > (uint64_t)1 << (32 - COLUMN_BITS))
        return false;
    bool *taken = calloc(classes, sizeof *taken);
    bool sound = taken != NULL;
    q->p->no_memory |= !taken;
    for (uint32_t k = 0; sound && k < classes; k++) {
        const uint64_t first = map[k] >> COLUMN_BITS, column = map[k] & ((1u << COLUMN_BITS) - 1);
        const uint64_t place = first / pairs * g->classes + column;
        sound = first % pairs == 0 && column < g->classes && place < classes && !taken[place];
        if (sound)
            taken[place] = true;
    }
    free(taken);
    for (uint64_t i = 0; sound && i < g->cell_count; i++)
        sound = cells[i] < g->rows;
    const uint32_t used = classes % g->classes;
    for (uint64_t i = pairs * (bands - 1); used && sound && i < g->cell_count; i++)
        for (uint32_t column = used; sound && column < g->classes; column++)
            sound = answers[((size_t)cells[i] << g->base_bits) + column] == 0;
    return sound;
}

/* Lines of the matrix are shifted by at least 1, and reach no further than the free cells on either side. */
static bool sparse_is_sound(const group_proof *q) {
    const group *g = q->g;
    const uint64_t *cells = at(q->p->table, g->cells), limit = (uint64_t)1 << OWNER_BITS;
    const uint64_t minors = (uint64_t)largest_word(q, !g->major) + 1;
    if (!words_are_classes(q, !g->major, 1) || largest_word(q, g->major) >= limit || g->cell_count > UINT32_MAX ||
        largest_word(q, g->major) + minors > g->cell_count || !payload_is_sound(q, 0))
        return false;
    for (uint64_t i = 0; i < g->cell_count; i++) {
        const uint64_t owner = cells[i] & (limit - 1);
        if (owner ? i < owner || i - owner >= minors || !payload_is_sound(q, cells[i] >> OWNER_BITS) : cells[i] != 0)
            return false;
    }
    for (uint32_t i = 0; i < q->side->address[g->major].intervals; i++)
        if (word_of(q, g->major, i) == 0)
            return false;
    return true;
}

static bool cells_are_sound(const group_proof *q) {
    switch ((enum pair)q->g->pair) {
    case PAIR_ONE:
        return one_is_sound(q);
    case PAIR_DENSE:
        return dense_is_sound(q);
    case PAIR_BANDS:
        return bands_are_sound(q);
    default:
        return sparse_is_sound(q);
    }
}

static bool group_is_sound(group_proof *q) {
    if (q->g->pair == PAIR_LIST)
        return list_group_is_sound(q) && q->smallest_id == q->g->first;
    return answers_are_sound(q) && q->smallest_id == q->g->first && cells_are_sound(q);
}

bool groups_are_sound(proof *p, enum family family, const side_index *side) {
    const pastore_table *table = p->table;
    if (side->groups == 0)
        return true;
    p->claim = "the ends of intervals rise, level over level";
    for (unsigned f = SRC; f <= DST; f++)
        if (!ends_are_sound(table, family, &side->address[f]))
            return false;
    p->claim = "every port and protocol has its interval, every cell of them a class";
    if (side->ports.class_count && !ports_are_sound(table, &side->ports))
        return false;
    p->claim = "every cell of a group leads to answers";
    for (uint32_t k = 0; k < side->groups; k++) {
        group_proof q = {.p = p, .family = family, .side = side, .g = &side->group[k], .smallest_id = NO_ID};
        for (unsigned f = SRC; f <= DST; f++)
            q.records[f] = (const uint32_t *)at(table, side->address[f].records) + k;
        const bool sound = group_is_sound(&q);
        free(q.largest);
        if (!sound)
            return false;
    }
    return true;
}
