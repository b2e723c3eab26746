/* Whether a table answers as its row list says, by judging packets.
 *
 * All packets that agree in which rows hold them, field by field, are alike to the row list. The recount (recount.c) has shown
 * that the table's own intervals change only where some row begins or ends; so they are alike to the table, too, if besides their
 * addresses have the same words for every group, and their ports the same class. Where the product of these kinds of source,
 * destination and ports is small, one packet of each kind is judged, and the answers are proved. Where it is not, packets at the
 * corners of rows are judged, next to them, and inside.
 */
#include <stdlib.h>
#include <string.h>

#include "compile.h"
#include "validate.h"

enum { BATCH = 256, AXES = FIELDS };

/* How much may be done. A packet that the row list judges counts as a step for each row, and LOOKUP more. */
typedef struct limits {
    uint32_t rows;    /* of a side, up to which packets of all kinds are thought of */
    uint64_t cells;   /* of ports and protocol whose rows are looked at, a side */
    uint64_t kinds;   /* of packets that are judged, a side */
    uint64_t aimed;   /* steps of the row list on aimed packets, a table */
    uint32_t packets; /* aimed ones, a table */
    bool both;        /* aimed ones besides all kinds; each alone, too */
} limits;

enum { LOOKUP = 64 };

/* Up to so many rows of a table are counted again when it is loaded, with so many comparisons in each step. */
enum { MOST_RECOUNTED = 1 << 12, RECOUNT_STEPS = 1 << 20 };

static const limits LOADING = {512, (uint64_t)1 << 17, (uint64_t)1 << 17, (uint64_t)1 << 24, 1 << 14, false};
static const limits CLOSELY = {1024, (uint64_t)1 << 17, (uint64_t)1 << 18, (uint64_t)1 << 29, 20000, true};

/* Where rows of the side begin, and behind where they end, on one axis; and the rows that hold what follows. Of addresses, only
 * the first of those that are alike are left. */
typedef struct axis {
    key *starts;
    uint64_t *sets; /* [count][words] */
    uint32_t count;
} axis;

/* Ports and protocols that the same rows hold, by one of them. */
typedef struct ports_kind {
    uint16_t sport, dport;
    uint8_t protocol;
    uint32_t class;
} ports_kind;

typedef struct packet_batch {
    uint32_t src4[BATCH], dst4[BATCH];
    uint8_t src6[16 * BATCH], dst6[16 * BATCH];
    uint16_t sport[BATCH], dport[BATCH];
    uint8_t protocol[BATCH], action[BATCH], wanted_action[BATCH];
    int32_t index[BATCH], wanted_index[BATCH];
    uint32_t count;
} packet_batch;

typedef struct judge {
    const pastore_table *table;
    const side_index *side;
    const side_view *view;
    enum family family;
    unsigned direction, interface;
    const limits *limits;
    arena arena;
    uint32_t *members, words; /* rows of the side; words of a set of them */
    axis axes[AXES];
    ports_kind *kinds;
    uint64_t *kind_sets; /* [kind_count][words] */
    uint32_t kind_count;
    packet_batch *batch;
    const char *broken;
} judge;

static bool breaks(judge *j, const char *claim) {
    j->broken = claim;
    return false;
}

/* Packets */

static void to_network(key a, uint8_t *bytes) {
    for (unsigned i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(a.high >> (56 - 8 * i));
        bytes[8 + i] = (uint8_t)(a.low >> (56 - 8 * i));
    }
}

static void add_packet(judge *j, key src, key dst, uint16_t sport, uint16_t dport, uint8_t protocol) {
    packet_batch *b = j->batch;
    const uint32_t i = b->count++;
    if (j->family == IPV4) {
        b->src4[i] = (uint32_t)src.low;
        b->dst4[i] = (uint32_t)dst.low;
    } else {
        to_network(src, b->src6 + 16 * (size_t)i);
        to_network(dst, b->dst6 + 16 * (size_t)i);
    }
    b->sport[i] = sport;
    b->dport[i] = dport;
    b->protocol[i] = protocol;
}

static pastore_columns4 columns4(const judge *j) {
    const packet_batch *b = j->batch;
    return (pastore_columns4){
        b->src4, b->dst4, b->protocol, b->sport, b->dport, NULL, NULL, (uint8_t)j->direction, (uint8_t)j->interface};
}

static pastore_columns6 columns6(const judge *j) {
    const packet_batch *b = j->batch;
    return (pastore_columns6){
        b->src6, b->dst6, b->protocol, b->sport, b->dport, NULL, NULL, (uint8_t)j->direction, (uint8_t)j->interface};
}

static void match_one(const judge *j, uint32_t i, uint8_t *action, int32_t *index) {
    const packet_batch *b = j->batch;
    if (j->family == IPV4) {
        const pastore_packet4 p = {
            b->src4[i], b->dst4[i], b->sport[i], b->dport[i], b->protocol[i], (uint8_t)j->direction, (uint8_t)j->interface};
        pastore_match4(j->table, &p, action, index);
    } else {
        pastore_packet6 p = {.sport = b->sport[i],
                             .dport = b->dport[i],
                             .protocol = b->protocol[i],
                             .direction = (uint8_t)j->direction,
                             .interface = (uint8_t)j->interface};
        memcpy(p.src, b->src6 + 16 * (size_t)i, 16);
        memcpy(p.dst, b->dst6 + 16 * (size_t)i, 16);
        pastore_match6(j->table, &p, action, index);
    }
}

/* Judges the batch, and compares with what is wanted. */
static bool judge_batch(judge *j) {
    packet_batch *b = j->batch;
    const bool numbered = j->table->verdict == PASTORE_VERDICT_RULE;
    const pastore_columns4 c4 = columns4(j);
    const pastore_columns6 c6 = columns6(j);
    const int error = j->family == IPV4 ? pastore_classify4(j->table, &c4, b->count, b->action, numbered ? b->index : NULL, NULL)
                                        : pastore_classify6(j->table, &c6, b->count, b->action, numbered ? b->index : NULL, NULL);
    if (error || memcmp(b->action, b->wanted_action, b->count) != 0 ||
        (numbered && memcmp(b->index, b->wanted_index, b->count * sizeof *b->index) != 0))
        return breaks(j, "packets get the answers that the row list gives");
    for (uint32_t i = 0; j->limits->both && i < b->count; i++) {
        uint8_t action = UINT8_MAX;
        int32_t index = b->wanted_index[i];
        match_one(j, i, &action, numbered ? &index : NULL);
        if (action != b->wanted_action[i] || index != b->wanted_index[i])
            return breaks(j, "a packet alone gets the answer that it gets among others");
    }
    b->count = 0;
    return true;
}

/* The same, with what is wanted out of the row list. */
static bool judge_scanned(judge *j) {
    packet_batch *b = j->batch;
    int32_t *index = j->table->verdict == PASTORE_VERDICT_RULE ? b->wanted_index : NULL;
    const pastore_columns4 c4 = columns4(j);
    const pastore_columns6 c6 = columns6(j);
    if (j->family == IPV4 ? pastore_scan4(j->table, &c4, b->count, b->wanted_action, index, NULL)
                          : pastore_scan6(j->table, &c6, b->count, b->wanted_action, index, NULL))
        return breaks(j, "the row list can be scanned");
    return judge_batch(j);
}

/* Kinds of packets */

static int compare_keys(const void *left, const void *right) {
    const key *a = left, *b = right;
    return (int)key_less(*b, *a) - (int)key_less(*a, *b);
}

static bool holds(range r, key value) {
    return !key_less(value, r.lo) && !key_less(r.hi, value);
}

static bool find_axis(judge *j, enum field field) {
    axis *a = &j->axes[field];
    const uint32_t rows = j->side->rows;
    const key last = field_last(j->family, field);
    a->starts = arena_take(&j->arena, 2 * (size_t)rows + 1, sizeof *a->starts);
    if (!a->starts)
        return false;
    uint32_t n = 1;
    a->starts[0] = (key){0, 0};
    for (uint32_t i = 0; i < rows; i++) {
        const range r = row_range(j->table, j->family, j->members[i], field);
        a->starts[n++] = r.lo;
        if (key_less(r.hi, last))
            a->starts[n++] = key_next(r.hi);
    }
    qsort(a->starts, n, sizeof *a->starts, compare_keys);
    for (uint32_t i = 0; i < n; i++)
        if (i == 0 || !key_equal(a->starts[i], a->starts[a->count - 1]))
            a->starts[a->count++] = a->starts[i];
    return true;
}

static bool fill_sets(judge *j, enum field field) {
    axis *a = &j->axes[field];
    a->sets = arena_zeroed(&j->arena, (size_t)a->count * j->words, sizeof *a->sets);
    if (!a->sets)
        return false;
    for (uint32_t r = 0; r < j->side->rows; r++) {
        const range held = row_range(j->table, j->family, j->members[r], field);
        for (uint32_t i = 0; i < a->count; i++)
            if (holds(held, a->starts[i]))
                a->sets[(size_t)i * j->words + r / WORD_BITS] |= (uint64_t)1 << r % WORD_BITS;
    }
    return true;
}

static uint32_t interval_of(const port_view *view, unsigned which, uint16_t port) {
    if (view->narrow[which])
        return view->narrow[which][port];
    if (view->wide[which])
        return view->wide[which][port];
    uint32_t interval = 0;
    while (interval + 1 < view->intervals[which] && view->ends[which][interval] < port)
        interval++;
    return interval;
}

static uint32_t class_of(const judge *j, const ports_kind *k) {
    const port_view *view = &j->view->ports;
    if (!view->classes)
        return 0;
    const size_t row = (size_t)interval_of(view, 0, k->sport) * view->intervals[1] + interval_of(view, 1, k->dport);
    return view->classes[row * view->protocols + view->protocol[k->protocol]];
}

static uint64_t hash_set(const uint64_t *set, uint32_t words) {
    uint64_t h = 0;
    for (uint32_t w = 0; w < words; w++)
        h = mix64(h ^ set[w]);
    return h;
}

/* The kinds of ports and protocol, and that the table has one class for each. */
static bool find_kinds(judge *j) {
    const axis *s = &j->axes[SPORT], *d = &j->axes[DPORT], *q = &j->axes[PROTOCOL];
    const size_t cells = (size_t)s->count * d->count * q->count;
    size_t slot_count = 16;
    while (slot_count < 2 * cells)
        slot_count *= 2;
    uint32_t *slots = arena_zeroed(&j->arena, slot_count, sizeof *slots);
    j->kinds = arena_take(&j->arena, cells, sizeof *j->kinds);
    j->kind_sets = arena_take(&j->arena, cells * j->words, sizeof *j->kind_sets);
    if (j->arena.failed)
        return false;
    for (size_t cell = 0; cell < cells; cell++) {
        const size_t x = cell / q->count / d->count, y = cell / q->count % d->count, z = cell % q->count;
        const ports_kind here = {(uint16_t)s->starts[x].low, (uint16_t)d->starts[y].low, (uint8_t)q->starts[z].low, 0};
        const uint32_t class = class_of(j, &here);
        uint64_t *set = j->kind_sets + (size_t)j->kind_count * j->words;
        for (uint32_t w = 0; w < j->words; w++)
            set[w] = s->sets[x * j->words + w] & d->sets[y * j->words + w] & q->sets[z * j->words + w];
        size_t slot = hash_set(set, j->words) & (slot_count - 1);
        while (slots[slot] && memcmp(j->kind_sets + (size_t)(slots[slot] - 1) * j->words, set, j->words * sizeof *set) != 0)
            slot = (slot + 1) & (slot_count - 1);
        if (!slots[slot]) {
            j->kinds[j->kind_count] = here;
            j->kinds[j->kind_count++].class = class;
            slots[slot] = j->kind_count;
        } else if (j->kinds[slots[slot] - 1].class != class)
            return breaks(j, "ports that no row tells apart are of one class");
    }
    return true;
}

/* Leaves one of the addresses that the same rows hold and that have the same words for every group. */
static bool leave_one_of_each(judge *j, enum field field) {
    axis *a = &j->axes[field];
    const address_index *index = &j->side->address[field];
    const uint32_t *records = j->view->address[field].records, groups = j->side->groups;
    size_t slot_count = 16;
    while (slot_count < 2 * (size_t)a->count)
        slot_count *= 2;
    uint32_t *slots = arena_zeroed(&j->arena, slot_count, sizeof *slots),
             *record_of = arena_take(&j->arena, a->count, sizeof *record_of);
    if (j->arena.failed)
        return false;
    uint32_t kept = 0, interval = 0;
    for (uint32_t i = 0; i < a->count; i++) {
        while (interval + 1 < index->intervals && key_less(interval_end(j->table, j->family, index, interval), a->starts[i]))
            interval++;
        const uint32_t *record = records + (size_t)interval * groups;
        const uint64_t *set = a->sets + (size_t)i * j->words;
        uint64_t hash = hash_set(set, j->words);
        for (uint32_t g = 0; g < groups; g++)
            hash = mix64(hash ^ record[g]);
        size_t slot = hash & (slot_count - 1);
        while (slots[slot] &&
               (memcmp(a->sets + (size_t)(slots[slot] - 1) * j->words, set, j->words * sizeof *set) != 0 ||
                memcmp(records + (size_t)record_of[slots[slot] - 1] * groups, record, groups * sizeof *record) != 0))
            slot = (slot + 1) & (slot_count - 1);
        if (slots[slot])
            continue;
        memmove(a->sets + (size_t)kept * j->words, set, j->words * sizeof *set);
        a->starts[kept] = a->starts[i];
        record_of[kept++] = interval;
        slots[slot] = kept;
    }
    a->count = kept;
    return true;
}

static void want(judge *j, uint32_t i, uint32_t member) {
    packet_batch *b = j->batch;
    b->wanted_action[i] = PASTORE_NONE;
    b->wanted_index[i] = -1;
    if (member == NO_ID)
        return;
    const uint32_t row = j->members[member];
    b->wanted_action[i] = row_action(j->table, j->family, row);
    if (j->table->verdict == PASTORE_VERDICT_RULE)
        b->wanted_index[i] = ((const int32_t *)at(j->table, j->table->list[j->family].numbers))[row];
}

static bool judge_kinds(judge *j) {
    const axis *s = &j->axes[SRC], *d = &j->axes[DST];
    for (uint32_t x = 0; x < s->count; x++)
        for (uint32_t y = 0; y < d->count; y++)
            for (uint32_t k = 0; k < j->kind_count; k++) {
                uint32_t first = NO_ID;
                for (uint32_t w = 0; w < j->words && first == NO_ID; w++) {
                    const uint64_t rows = s->sets[(size_t)x * j->words + w] & d->sets[(size_t)y * j->words + w] &
                                          j->kind_sets[(size_t)k * j->words + w];
                    first = rows ? w * WORD_BITS + (unsigned)__builtin_ctzll(rows) : NO_ID;
                }
                want(j, j->batch->count, first);
                add_packet(j, s->starts[x], d->starts[y], j->kinds[k].sport, j->kinds[k].dport, j->kinds[k].protocol);
                if (j->batch->count == BATCH && !judge_batch(j))
                    return false;
            }
    return judge_batch(j);
}

/* Judges all kinds of packets if that is little work. *all: whether it was. */
static bool try_kinds(judge *j, bool *all) {
    *all = false;
    if (j->side->rows > j->limits->rows)
        return true;
    for (enum field field = SRC; field < FIELDS; field++)
        if (!find_axis(j, field))
            return false;
    const uint64_t cells = (uint64_t)j->axes[SPORT].count * j->axes[DPORT].count * j->axes[PROTOCOL].count;
    if (cells * j->words > j->limits->cells)
        return true;
    for (enum field field = SRC; field < FIELDS; field++)
        if (!fill_sets(j, field))
            return false;
    if (!find_kinds(j) || !leave_one_of_each(j, SRC) || !leave_one_of_each(j, DST))
        return false;
    if ((uint64_t)j->axes[SRC].count * j->axes[DST].count * j->kind_count > j->limits->kinds)
        return true;
    *all = true;
    return judge_kinds(j);
}

/* Aimed packets */

static uint64_t draw(uint64_t *state) {
    *state += 0x9E3779B97F4A7C15u;
    return mix64(*state);
}

static uint64_t between(uint64_t lo, uint64_t hi, uint64_t *state) {
    const uint64_t r = draw(state), width = hi - lo;
    return lo + (width == UINT64_MAX ? r : r % (width + 1));
}

/* An end of the range, the value before or behind it, or one within. */
static key aim(const judge *j, uint32_t row, enum field field, uint64_t *state) {
    const range r = row_range(j->table, j->family, row, field);
    switch (draw(state) % 8) {
    case 0:
    case 1:
        return r.lo;
    case 2:
    case 3:
        return r.hi;
    case 4:
        return r.lo.high || r.lo.low ? key_before(r.lo) : r.lo;
    case 5:
        return key_less(r.hi, field_last(j->family, field)) ? key_next(r.hi) : r.hi;
    default: {
        const uint64_t high = between(r.lo.high, r.hi.high, state);
        return (key){high, between(high == r.lo.high ? r.lo.low : 0, high == r.hi.high ? r.hi.low : UINT64_MAX, state)};
    }
    }
}

static bool try_aimed(judge *j, bool all) {
    const uint32_t rows = j->side->rows, listed = j->table->list[j->family].count;
    uint64_t packets = j->limits->aimed / ((uint64_t)listed + LOOKUP), state = j->table->rows;
    packets = (packets < j->limits->packets ? packets : j->limits->packets) / j->table->side_count;
    packets = all && packets > BATCH ? BATCH : packets; /* nothing is left to be seen but that the row list says the same */
    if (rows == 0)
        return true;
    for (uint64_t i = 0; i < packets; i++) {
        /* Two rows that lie in each other's way are found by taking one's source and the other's destination at times. */
        const uint32_t row = j->members[draw(&state) % rows], other = draw(&state) % 4 ? row : j->members[draw(&state) % rows];
        const key src = aim(j, row, SRC, &state), dst = aim(j, other, DST, &state), sport = aim(j, row, SPORT, &state),
                  dport = aim(j, row, DPORT, &state), protocol = aim(j, row, PROTOCOL, &state);
        add_packet(j, src, dst, (uint16_t)sport.low, (uint16_t)dport.low, (uint8_t)protocol.low);
        if (j->batch->count == BATCH && !judge_scanned(j))
            return false;
    }
    return judge_scanned(j);
}

static bool judge_side(judge *j) {
    const unsigned bit = where_bit(j->direction, j->interface);
    j->words = j->side->rows ? (j->side->rows - 1) / WORD_BITS + 1 : 1;
    j->members = arena_take(&j->arena, j->side->rows, sizeof *j->members);
    j->batch = arena_zeroed(&j->arena, 1, sizeof *j->batch);
    if (j->arena.failed)
        return false;
    for (uint32_t i = 0, row = 0; i < j->side->rows; i++, row++)
        row = j->members[i] = next_member(j->table, j->family, bit, row);
    /* Without groups, chunks and the row list answer, of which nothing is left to prove. */
    bool all = j->side->groups == 0;
    return (all || try_kinds(j, &all)) && ((all && !j->limits->both) || try_aimed(j, all));
}

/* Gives the first place of a side in side_of. */
static void find_side(const pastore_table *table, uint32_t number, judge *j) {
    for (unsigned place = MOST_SIDES; place-- > 0;)
        if (table->side_of[place >> 2][place >> 1 & 1][place & 1] == number) {
            j->family = (enum family)(place >> 2);
            j->direction = place >> 1 & 1;
            j->interface = place & 1;
        }
}

static int judge_table(const pastore_table *table, const limits *given, const char **broken) {
    const side_index *sides = at(table, table->sides);
    const char *claim = NULL;
    bool failed = false;
    for (uint32_t i = 0; !claim && !failed && i < table->side_count; i++) {
        judge j = {.table = table, .side = &sides[i], .view = &table->views[i], .limits = given};
        find_side(table, i, &j);
        judge_side(&j);
        failed = j.arena.failed;
        claim = j.broken;
        arena_empty(&j.arena);
    }
    if (failed)
        claim = "there is memory to check with";
    if (broken)
        *broken = claim;
    return failed ? PASTORE_ERROR_NO_MEMORY : claim ? PASTORE_ERROR_DAMAGED : PASTORE_OK;
}

int prove_answers(const pastore_table *table, const char **broken) {
    const int error = table->rows <= MOST_RECOUNTED ? recount(table, RECOUNT_STEPS, broken) : PASTORE_OK;
    return error ? error : judge_table(table, &LOADING, broken);
}

int judge_closely(const pastore_table *table, const char **broken) {
    return judge_table(table, &CLOSELY, broken);
}
