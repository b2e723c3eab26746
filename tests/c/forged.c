/* Tables with one thing wrong that the rest of the table does not give away: prove_structure must name what it is.
 *
 * usage: forged SEED
 *
 * Tables of a few hundred rows in every layout, too many for all kinds of packets to be judged, so that nothing but the structure
 * stands between a forger and a lookup. Each of the things that validate.c promises is broken in the block of a built table, the
 * smallest step that breaks it, and put back. Exit status 0: every one was refused for the right reason.
 */
#include "harness.h"

#include "compile.h"
#include "validate.h"

enum { ROWS = 260, MANY = 6000 };

static pastore_row rows[MANY];
static unsigned long refused;
static unsigned reached;
static bool mapped, banded, in_folds, in_tail_lines;
static pastore_table *table;
static const side_index *side;

static const char RANGES[] = "the row lists hold rows", NUMBERS[] = "every row given is in one list",
                  SIDES[] = "the sides are those that the rows apply on",
                  COUNTS[] = "the counts of a side agree with each other and with its rows",
                  UNUSED[] = "what a side does not use is zero", IDS[] = "the answer of an id is that of its row",
                  ENDS[] = "the ends of intervals rise, level over level",
                  TREES[] = "search trees and records lie where they must", PORT_TABLES[] = "the port tables lie where they must",
                  PORTS[] = "every port and protocol has its interval, every cell of them a class",
                  KINDS[] = "groups are of one of the kinds, and lie where they must",
                  CELLS[] = "every cell of a group leads to answers", CHUNKS[] = "chunks lie where they must",
                  REST[] = "chunks hold rows of their side, in order",
                  SETS[] = "the set of an interval is the rows that hold all of it", BEGINNING[] = "the block begins with zeros";

static void sound(void) {
    const char *claim = "";
    if (prove_structure(table, &claim))
        fail(claim, side->layout, 0);
}

/* What is there as something that may be written to: the block of a built table. */
static void *in(uint64_t offset) {
    return table->block + (size_t)offset;
}

static void must_say(const char *claim, int line) {
    const char *said = "nothing";
    if (prove_structure(table, &said) != PASTORE_ERROR_DAMAGED || strcmp(said, claim) != 0) {
        fprintf(stderr, "harness: layout %u, line %d: instead of '%s': '%s'\n", side->layout, line, claim,
                said ? said : "nothing");
        exit(1);
    }
    refused++;
}

static void put(void *place, uint64_t value, size_t width) {
    memcpy(place, &value, width); /* of a machine whose low bytes come first, as those that tests run on */
}

static uint64_t get(const void *place, size_t width) {
    uint64_t value = 0;
    memcpy(&value, place, width);
    return value;
}

static void forge(void *place, size_t width, uint64_t value, const char *claim, int line) {
    const uint64_t kept = get(place, width);
    put(place, value, width);
    if (get(place, width) != kept)
        must_say(claim, line);
    put(place, kept, width);
}

#define FORGE(place, value, claim) forge(&(place), sizeof(place), (uint64_t)(value), claim, __LINE__)

static bool classed(void) {
    return side->ports.class_count != 0;
}

static void rows_and_sides(void) {
    side_index *s = in((uint64_t)((const unsigned char *)side - table->block));
    row_list *list = &table->list[table->list[IPV4].count ? IPV4 : IPV6];
    const bool four = list == &table->list[IPV4];
    unsigned char *row = in(list->rows);
    row4 *r4 = (row4 *)(void *)row;
    row6 *r6 = (row6 *)(void *)row;
    FORGE(table->block[0], 1, BEGINNING);
    FORGE(table->dead, table->rows + 1, NUMBERS);
    if (four) {
        FORGE(r4[3].action, 4, RANGES);
        FORGE(r4[3].where, 0, RANGES);
        FORGE(r4[3].where, 16, RANGES);
        if (r4[0].src_hi != UINT32_MAX)
            FORGE(r4[0].src_lo, r4[0].src_hi + 1, RANGES);
    } else {
        FORGE(r6[3].reserved, 1, RANGES);
        FORGE(r6[3].action, 0, RANGES);
        if (r6[0].src_hi.high != UINT64_MAX)
            FORGE(r6[0].src_lo.high, r6[0].src_hi.high + 1, RANGES);
    }
    if (table->verdict == PASTORE_VERDICT_RULE) {
        int32_t *numbers = in(list->numbers);
        FORGE(numbers[1], 0, NUMBERS);
        FORGE(numbers[list->count - 1], list->count, NUMBERS);
    }
    FORGE(table->side_of[0][0][0], 7, SIDES);
    FORGE(s->rows, s->rows - 1, COUNTS);
    FORGE(s->live, s->rows + 1, COUNTS);
    if (table->verdict == PASTORE_VERDICT_RULE)
        FORGE(s->ids, s->ids - 1, COUNTS);
    else
        FORGE(s->ids, s->rows + 1, COUNTS);
    FORGE(s->layout, LAYOUTS, COUNTS);
    FORGE(s->groups, MOST_GROUPS + 1, COUNTS);
    if (s->layout == LAYOUT_LINEAR) {
        FORGE(s->actions, 64, UNUSED);
        return;
    }
    FORGE(s->group[MOST_GROUPS - 1].rules, s->group[MOST_GROUPS - 1].rules + 1, s->groups == MOST_GROUPS ? COUNTS : UNUSED);
    uint8_t *actions = in(s->actions);
    FORGE(actions[0], PASTORE_ALLOW, IDS);
    if (table->verdict == PASTORE_VERDICT_RULE) {
        int32_t *numbers = in(s->numbers);
        FORGE(actions[2], actions[2] % 3 + 1, IDS);
        FORGE(numbers[0], 0, IDS);
        FORGE(numbers[2], numbers[1], IDS);
    } else if (s->ids > 1)
        FORGE(actions[2], actions[1], IDS);
    const size_t whole = table->block_bytes;
    table->block_bytes -= 1;
    const char *said = "nothing";
    if (prove_structure(table, &said) != PASTORE_ERROR_DAMAGED)
        fail("a block that ends early passes", whole, 0);
    table->block_bytes = whole;
}

static void trees4(address_index *index) {
    uint32_t *keys = in(index->level[0]);
    const uint32_t n = index->keys[0];
    FORGE(keys[n / 2], keys[n / 2 - 1], ENDS);
    FORGE(keys[n / 2], keys[n / 2 - 1] - 1, ENDS);
    FORGE(keys[n - 1], UINT32_MAX, ENDS);
    if (n % LINE4)
        FORGE(keys[n], UINT32_MAX - 1, ENDS);
    for (uint32_t level = 1; level < index->levels; level++) {
        uint32_t *upper = in(index->level[level]);
        FORGE(upper[0], upper[0] + 1, ENDS);
        FORGE(upper[index->keys[level] - 1], upper[index->keys[level] - 1] - 1, ENDS);
    }
    FORGE(index->tails, 64, TREES);
    FORGE(index->fold, 64, TREES);
}

static void folded(address_index *index) {
    in_folds = true;
    uint64_t *keys = in(index->level[0]);
    fold *f = in(index->fold);
    const uint32_t n = index->keys[0];
    FORGE(keys[n - 1], keys[n - 1] | (((uint64_t)1 << f->low_bits) - 1), ENDS);
    FORGE(f->low_bits, 64, ENDS);
    FORGE(f->low_bits, 64 + f->low_bits, ENDS); /* by which many processors shift as by low_bits */
    FORGE(f->reserved, 1, ENDS);
    for (unsigned k = 0; k < 2; k++) {
        fold_word *w = &f->word[k];
        const uint32_t final = w->windows - 1;
        FORGE(w->windows, 0, ENDS);
        FORGE(w->windows, MOST_WINDOWS + 1, ENDS);
        FORGE(w->windows, w->windows + 1, ENDS);
        FORGE(w->reserved, 1, ENDS);
        FORGE(w->shift[0], 1, ENDS);
        FORGE(w->last[final], UINT64_MAX - 1, ENDS);
        FORGE(w->last[MOST_WINDOWS - 1], UINT64_MAX - 1, ENDS);
        FORGE(w->top[final], 0, ENDS);
        FORGE(w->top[final], UINT64_MAX >> (k ? 64 - f->low_bits - 1 : f->low_bits) | (uint64_t)1 << 63, ENDS);
        if (final < MOST_WINDOWS - 1) {
            FORGE(w->shift[MOST_WINDOWS - 1], 1, ENDS);
            FORGE(w->top[MOST_WINDOWS - 1], 1, ENDS);
        }
        for (uint32_t i = 0; i < final; i++) {
            FORGE(w->last[i], w->last[i] + 1, ENDS);
            FORGE(w->last[i], UINT64_MAX, ENDS);
            FORGE(w->top[i], w->top[i] + 1, ENDS);
            FORGE(w->shift[i + 1], w->shift[i + 1] - 1, ENDS);
        }
    }
    FORGE(index->tails, 64, TREES);
    FORGE(index->lows, 64, TREES);
    FORGE(index->low_lines, 1, TREES);
    FORGE(index->fold, index->fold + BLOCK_ALIGN, TREES);
    FORGE(index->fold, 0, TREES);
    FORGE(index->keys[0], index->keys[0] + 1, TREES);
    FORGE(index->intervals, index->intervals + 1, TREES);
}

static void in_tails(address_index *index) {
    const uint32_t n = index->keys[0];
    uint64_t *lows = in(index->lows);
    tail *tails = in(index->tails);
    in_tail_lines |= index->low_lines > 10;
    FORGE(tails[0].before, 1, ENDS);
    FORGE(tails[n].before, tails[n].before - 1, ENDS);
    FORGE(tails[n].line_count, 1, ENDS);
    FORGE(tails[1].reserved, 1, ENDS);
    FORGE(lows[0], 5, ENDS);
    for (uint32_t t = 0; t < n; t++)
        if (tails[t].line_count) {
            FORGE(tails[t].line, tails[t].line + 1, ENDS);
            FORGE(tails[t].line_count, tails[t].line_count + 1, ENDS);
            FORGE(lows[(size_t)tails[t].line * LINE6], UINT64_MAX, ENDS);
            if (lows[(size_t)tails[t].line * LINE6 + 1] != UINT64_MAX)
                FORGE(lows[(size_t)tails[t].line * LINE6 + 1], lows[(size_t)tails[t].line * LINE6], ENDS);
        }
    FORGE(index->low_lines, index->low_lines + 1, TREES);
    FORGE(index->fold, 64, TREES);
}

static void trees6(address_index *index) {
    uint64_t *keys = in(index->level[0]);
    const uint32_t n = index->keys[0];
    if (n > 1)
        FORGE(keys[n / 2], keys[n / 2 - 1], ENDS);
    FORGE(keys[n], UINT64_MAX - 1, ENDS);
    for (uint32_t level = 1; level < index->levels; level++) {
        uint64_t *upper = in(index->level[level]);
        FORGE(upper[0], upper[0] + 1, ENDS);
    }
    (index->fold ? folded : in_tails)(index);
}

static void addresses(side_index *s, enum family family) {
    for (unsigned f = SRC; f <= DST; f++) {
        address_index *index = &s->address[f];
        (family == IPV4 ? trees4 : trees6)(index);
        if (family == IPV4) { /* of IPv6 in tails several ends may share a key */
            FORGE(index->keys[0], index->keys[0] + 1, TREES);
            FORGE(index->intervals, index->intervals + 1, TREES);
        }
        FORGE(index->levels, index->levels + 1, TREES);
        FORGE(index->reserved, 1, TREES);
        FORGE(index->level[0], index->level[0] + BLOCK_ALIGN, TREES);
        FORGE(index->records, index->records - BLOCK_ALIGN, TREES);
    }
}

static void ports(side_index *s) {
    if (!classed())
        return;
    uint8_t *protocol = in(s->ports.protocol);
    uint16_t *classes = in(s->ports.classes);
    FORGE(protocol[0], 1, PORTS);
    FORGE(protocol[255], protocol[255] + 1, PORTS);
    FORGE(classes[0], 1, PORTS);
    bool tied = false, reaches = false; /* rows of answers, or of shapes, have as many; a longer map is where something else is */
    for (uint32_t k = 0; k < s->groups; k++) {
        const group *g = &s->group[k];
        tied |= (g->finish == FINISH_DIRECT && g->pair != PAIR_BANDS) || g->finish == FINISH_SHAPE;
        const uint64_t map_bytes = s->ports.class_count * map_entry_size(g);
        reaches |= g->map && (map_bytes % BLOCK_ALIGN == 0 || g->map + map_bytes == table->block_bytes);
    }
    if (!reaches)
        FORGE(s->ports.class_count, s->ports.class_count + 1, tied ? KINDS : PORTS);
    FORGE(s->ports.protocols, 257, PORT_TABLES);
    for (unsigned a = 0; a < 2; a++) {
        port_axis *axis = &s->ports.axis[a];
        FORGE(axis->reserved, 1, PORT_TABLES);
        FORGE(axis->intervals, 0, PORT_TABLES);
        if (axis->ends && axis->intervals > 2) {
            uint16_t *ends = in(axis->ends);
            FORGE(ends[1], ends[0], PORTS);
            if ((axis->intervals - 1) % PORT_LINE)
                FORGE(ends[axis->intervals - 1], 77, PORTS);
        }
        if (axis->intervals_of && axis->intervals <= 256) {
            uint8_t *of = in(axis->intervals_of);
            FORGE(of[0], 1, PORTS);
            FORGE(of[65535], of[65535] - 1, PORTS);
        }
    }
}

static uint32_t *record_of(const side_index *s, unsigned field, uint32_t interval, uint32_t g) {
    return (uint32_t *)in(s->address[field].records) + (size_t)interval * s->groups + g;
}

static void answers(side_index *s, group *g) {
    if (g->pair == PAIR_LIST) {
        list_rule *rules = in(g->answers);
        FORGE(rules[0].id, 0, CELLS);
        FORGE(rules[1].id, s->ids, CELLS);
        FORGE(rules[1].src_width, s->address[SRC].intervals, CELLS);
        FORGE(rules[1].dst, s->address[DST].intervals, CELLS);
        FORGE(rules[g->answer_count - 1].sport, 1, CELLS);
        if (table->verdict == PASTORE_VERDICT_RULE)
            FORGE(rules[1].dport_width, rules[1].dport_width ^ 1, CELLS);
        for (uint64_t i = 2; i < g->answer_count; i++)
            if (rules[i].id != NO_ID && rules[i - 1].id != NO_ID) {
                const list_rule kept = rules[i]; /* a whole rule, in the wrong order */
                rules[i] = rules[i - 1];
                rules[i - 1] = kept;
                if (table->verdict == PASTORE_VERDICT_RULE || rules[i].id != rules[i - 1].id)
                    must_say(CELLS, __LINE__);
                rules[i - 1] = rules[i];
                rules[i] = kept;
                break;
            }
    } else if (g->finish == FINISH_DIRECT) {
        uint16_t *a = in(g->answers);
        FORGE(a[0], 1, CELLS);
        FORGE(a[g->answer_count - 1], s->ids + 1, CELLS);
    } else if (g->finish == FINISH_SHAPE || g->finish == FINISH_MAPPED) {
        uint32_t *a = in(g->answers);
        uint8_t *shapes = in(g->shapes);
        FORGE(a[0], 0, CELLS);
        FORGE(a[g->answer_count - 1], s->ids, CELLS);
        FORGE(shapes[0], 1, CELLS);
        if (g->finish == FINISH_MAPPED) {
            uint16_t *map = in(g->map);
            FORGE(map[0], 1, CELLS);
            FORGE(map[s->ports.class_count - 1], g->classes, CELLS);
        }
    } else {
        port_rule *rules = in(g->answers);
        FORGE(rules[0].id_high, 0x7FFF, CELLS);
        FORGE(rules[g->answer_count - 1].sport, 1, CELLS);
        FORGE(rules[g->answer_count - 1].id_low, 0, CELLS);
        if (table->verdict == PASTORE_VERDICT_RULE)
            FORGE(rules[0].protocol_width, rules[0].protocol_width ^ 1, CELLS);
    }
}

/* A payload that is just not one: between two rows, or of a row that ends just behind the last answer. */
static uint64_t astray(const group *g, uint64_t payload) {
    if (g->finish == FINISH_DIRECT)
        return g->classes > 1 ? payload + 1 : g->answer_count;
    const uint64_t top = payload >> g->base_bits;
    uint64_t last = 3; /* four rules are read at a time */
    if (g->finish != FINISH_COMPARE) {
        const uint8_t *shape = (const uint8_t *)at(table, g->shapes) + top * g->classes;
        last = 0;
        for (uint32_t k = 0; k < g->classes; k++)
            last = shape[k] > last ? shape[k] : last;
    }
    return top << g->base_bits | (g->answer_count - last);
}

static void cells(side_index *s, group *g, uint32_t number) {
    const uint32_t srcs = s->address[SRC].intervals, dsts = s->address[DST].intervals;
    if (g->pair == PAIR_ONE) {
        FORGE(*record_of(s, g->major, 0, number), astray(g, *record_of(s, g->major, 0, number)), CELLS);
        FORGE(*record_of(s, !g->major, 1, number), 1, CELLS);
    } else if (g->pair == PAIR_DENSE) {
        uint32_t *c = in(g->cells);
        FORGE(c[g->cell_count - 1], astray(g, c[g->cell_count - 1]), CELLS);
        FORGE(*record_of(s, SRC, srcs - 1, number), *record_of(s, SRC, srcs - 1, number) + 1, CELLS);
        FORGE(*record_of(s, DST, 0, number), 1, CELLS);
        FORGE(*record_of(s, DST, dsts - 1, number), UINT32_MAX, CELLS);
    } else if (g->pair == PAIR_BANDS) {
        uint16_t *c = in(g->cells);
        uint32_t *map = in(g->map), last = s->ports.class_count - 1;
        FORGE(c[g->cell_count - 1], g->rows, CELLS);
        FORGE(map[last], map[0], CELLS);                                         /* a column of two classes */
        FORGE(map[0], map[0] + (1u << COLUMN_BITS), CELLS);                      /* between two matrices */
        FORGE(map[0], map[0] + ((uint32_t)g->cell_count << COLUMN_BITS), CELLS); /* behind the last one */
        const uint32_t classes = s->ports.class_count, bands = (classes + g->classes - 1) / g->classes;
        if (classes % g->classes)
            FORGE(((uint16_t *)in(g->answers))[((size_t)c[g->cell_count - 1] << g->base_bits) + g->classes - 1], 1, CELLS);
        const uint32_t second = (uint32_t)g->cell_count / bands << COLUMN_BITS; /* the first place of the second band */
        for (uint32_t k = 0; g->base_bits < COLUMN_BITS && k < classes; k++)
            if (map[k] == second)
                FORGE(map[k], g->classes, CELLS); /* the same as one behind the last of the first */
        FORGE(*record_of(s, SRC, srcs - 1, number), *record_of(s, SRC, srcs - 1, number) + 1, CELLS);
        FORGE(*record_of(s, DST, 0, number), 1, CELLS);
        FORGE(*record_of(s, DST, dsts - 1, number), UINT32_MAX, CELLS);
    } else if (g->pair == PAIR_SPARSE) {
        uint64_t *c = in(g->cells), at_cell = g->cell_count - 1;
        while (!(c[at_cell] & ((1u << OWNER_BITS) - 1)))
            at_cell--;
        const uint64_t owner = c[at_cell] & ((1u << OWNER_BITS) - 1), payload = c[at_cell] >> OWNER_BITS;
        FORGE(c[at_cell], owner | astray(g, payload) << OWNER_BITS, CELLS);
        FORGE(c[at_cell], payload << OWNER_BITS, CELLS);
        FORGE(c[at_cell], payload << OWNER_BITS | (at_cell + 1), CELLS);
        FORGE(*record_of(s, g->major, 0, number), 0, CELLS);
        FORGE(*record_of(s, g->major, 0, number), g->cell_count, CELLS);
        FORGE(*record_of(s, !g->major, 0, number), UINT32_MAX, CELLS);
    } else {
        FORGE(*record_of(s, g->major, srcs > dsts ? 1 : 0, number), g->answer_count, CELLS);
        FORGE(*record_of(s, !g->major, 0, number), 1, CELLS);
    }
}

static void groups(side_index *s) {
    for (uint32_t k = 0; k < s->groups; k++) {
        group *g = &s->group[k];
        FORGE(g->pair, PAIRS, KINDS);
        FORGE(g->finish, FINISHES, classed() ? KINDS : PORT_TABLES);
        FORGE(g->major, 2, KINDS);
        FORGE(g->base_bits, g->base_bits + 1, KINDS);
        FORGE(g->classes, g->classes + 1, KINDS);
        FORGE(g->first, g->first + 1, CELLS);
        FORGE(g->rules, g->rules + 1, COUNTS);
        FORGE(g->answers, g->answers + BLOCK_ALIGN, KINDS);
        answers(s, g);
        cells(s, g, k);
    }
}

/* Every set of a field without a row: it never begins, and never ends. */
static void without(const chunk *c, enum field field, uint32_t row) {
    const field_index *f = &c->field[field];
    const size_t bytes = (size_t)f->class_count * (1 + c->words) * sizeof(uint64_t);
    uint64_t *sets = in(f->sets), *kept = malloc(bytes);
    if (!kept)
        fail("no memory", bytes, 0);
    memcpy(kept, sets, bytes);
    for (uint32_t class = 0; class < f->class_count; class++) {
        uint64_t *set = sets + (size_t)class * (1 + c->words), *word = &set[1 + row / WORD_BITS];
        *word &= ~((uint64_t)1 << row % WORD_BITS);
        if (*word == 0)
            set[0] &= ~((uint64_t)1 << row / WORD_BITS);
    }
    must_say(SETS, __LINE__);
    memcpy(sets, kept, bytes);
    free(kept);
}

static void chunks(side_index *s) {
    if (!s->rest)
        return;
    chunk *c = in(s->chunks);
    uint32_t *ids = in(s->rest_ids), *members = in(s->rest_rows);
    FORGE(s->chunk_rows, s->chunk_rows * 2, CHUNKS);
    FORGE(s->chunk_count, s->chunk_count + 1, CHUNKS);
    FORGE(c->first, 1, CHUNKS);
    FORGE(c->words, c->words + 1, CHUNKS);
    FORGE(c->reserved, 1, CHUNKS);
    FORGE(members[1], members[0], REST);
    FORGE(ids[0], s->ids, REST);
    if (table->verdict == PASTORE_VERDICT_RULE)
        FORGE(ids[1], ids[0], REST);
    for (enum field field = SRC; field < FIELDS; field++) {
        const field_index *f = &c->field[field];
        uint16_t *classes = in(f->classes);
        uint64_t *set = in(f->sets);
        FORGE(c->field[field].intervals, 0, CHUNKS);
        FORGE(c->field[field].class_count, 0, CHUNKS);
        FORGE(classes[0], 1, SETS);
        FORGE(set[0], set[0] ^ 1, SETS);
        FORGE(set[0], set[0] ^ (uint64_t)1 << 63, SETS);
        if (c->rows % WORD_BITS)
            FORGE(set[c->words], set[c->words] | (uint64_t)1 << 63, SETS); /* a row that is not there */
        without(c, field, 0);
        without(c, field, c->rows - 1);
        if (field == SRC || field == DST) {
            unsigned char *starts = in(f->starts);
            const size_t width = field_start_size(table->list[IPV4].count ? IPV4 : IPV6, field);
            forge(starts, width < 8 ? width : 8, 1, SETS, __LINE__);
        }
    }
}

/* Hosts of IPv6 have low words from anywhere, so their ends cannot be folded. */
static bool scattered;

/* Rows as sites have them, or as rows of few services, of which port tables stay small. */
static void draw_rows(uint8_t family, size_t n) {
    common_family = family;
    common_direction = PASTORE_BOTH;
    for (size_t i = 0; i < n; i++) {
        rows[i] = make_row((int32_t)i);
        rows[i].interface = PASTORE_ALL;
        for (unsigned f = 0; f < 2; f++) { /* hosts and small nets, here and there wide */
            uint64_t *lo = f ? rows[i].dst_lo : rows[i].src_lo, *hi = f ? rows[i].dst_hi : rows[i].src_hi;
            if (draw(6) == 0)
                continue;
            lo[0] = hi[0] = family == 6 ? 0x20010DB800000000u + draw(9) : 0;
            lo[1] = 0x0A000000u + draw(4000) * 8;
            if (scattered)
                lo[1] *= 0x9E3779B97F4A7C15u;
            hi[1] = lo[1] + (draw(2) || lo[1] > UINT64_MAX - 7 ? 0 : 7);
        }
        if (draw(3)) {
            rows[i].sport_lo = 0, rows[i].sport_hi = UINT16_MAX;
            rows[i].dport_lo = rows[i].dport_hi = (uint16_t)(20 + draw(20));
            rows[i].protocol_lo = rows[i].protocol_hi = draw(2) ? 6 : 17;
        } else
            rows[i].sport_lo = 0, rows[i].sport_hi = UINT16_MAX, rows[i].dport_lo = 0, rows[i].dport_hi = UINT16_MAX;
    }
}

/* So many services that the shapes of the narrow rules are kept by a map of the port classes: the wide ones have others. */
static void draw_services(uint8_t family, size_t n) {
    draw_rows(family, n);
    for (size_t i = 0; i < n; i++) {
        pastore_row *r = &rows[i];
        const bool wide = i >= n / 2;
        for (unsigned f = 0; f < 2; f++) {
            uint64_t *lo = f ? r->dst_lo : r->src_lo, *hi = f ? r->dst_hi : r->src_hi;
            lo[0] = hi[0] = lo[1] = 0, hi[0] = family == 6 ? UINT64_MAX : 0, hi[1] = family == 6 ? UINT64_MAX : UINT32_MAX;
            if (!wide || f)
                lo[0] = hi[0] = family == 6 ? 0x20010DB800000000u : 0, lo[1] = hi[1] = 0x0A000000u + (wide ? draw(40) : i / 4);
        }
        r->protocol_lo = r->protocol_hi = 6;
        r->dport_lo = r->dport_hi = (uint16_t)(wide ? 20000 + draw(1000) : 1000 + draw(1000));
    }
}

/* So many services between so few hosts that port classes are cut into several bands. */
static void draw_bands(uint8_t family, size_t n) {
    draw_rows(family, n);
    for (size_t i = 0; i < n; i++) {
        pastore_row *r = &rows[i];
        for (unsigned f = 0; f < 2; f++) {
            uint64_t *lo = f ? r->dst_lo : r->src_lo, *hi = f ? r->dst_hi : r->src_hi;
            const bool net = draw(3) == 0;
            lo[0] = hi[0] = family == 6 ? 0x20010DB800000000u : 0;
            lo[1] = 0x0A000000u + draw(20) * 4, hi[1] = lo[1] + (net ? 40 : 0);
        }
        r->protocol_lo = r->protocol_hi = 6;
        r->dport_lo = r->dport_hi = (uint16_t)(1000 + draw(300));
    }
}

static void try_table(uint8_t family, const char *layout, int verdict, size_t n) {
    const pastore_options options = {.layout = layout, .verdict = verdict};
    if (pastore_build(rows, n, &options, &table, NULL))
        fail("a table cannot be built", n, 0);
    side = (const side_index *)at(table, table->sides) + table->side_of[family == 6][0][0];
    reached |= 1u << side->layout; /* what does not fit becomes another */
    sound();
    side_index *s = in((uint64_t)((const unsigned char *)side - table->block));
    rows_and_sides();
    if (s->groups) {
        addresses(s, family == 4 ? IPV4 : IPV6);
        ports(s);
        groups(s);
    }
    chunks(s);
    for (uint32_t g = 0; g < s->groups; g++)
        mapped |= s->group[g].finish == FINISH_MAPPED;
    banded |= s->groups && s->group[0].pair == PAIR_BANDS && s->ports.class_count > 2 * s->group[0].classes;
    sound(); /* all is as it was */
    const char *broken = "";
    if (pastore_check(table, &broken))
        fail(broken, n, 0);
    pastore_close(table);
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: forged SEED\n");
        return 2;
    }
    state = strtoull(argv[1], NULL, 10);
    for (uint8_t family = 4; family <= 6; family += 2)
        for (int verdict = PASTORE_VERDICT_RULE; verdict <= PASTORE_VERDICT_ACTION; verdict++) {
            for (unsigned layout = 0; layout < LAYOUTS; layout++)
                for (int far = 0; far <= (family == 6); far++) {
                    scattered = far;
                    draw_rows(family, ROWS);
                    try_table(family, LAYOUTS_BY_NAME[layout], verdict, ROWS);
                }
            scattered = false;
            draw_services(family, MANY);
            try_table(family, "four/small", verdict, MANY);
            draw_bands(family, 4 * ROWS);
            try_table(family, "one/bands", verdict, 4 * ROWS);
        }
    if (reached != (1u << LAYOUTS) - 1 || !mapped || !banded || !in_folds || !in_tail_lines)
        fail("some layout was not tried", reached, mapped);
    printf("%lu refused\n", refused);
    return 0;
}
