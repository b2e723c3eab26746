/* Inside of the compiler: from the rows of a side to its groups. Nothing here is seen by a lookup.
 *
 * The way: rules.c takes the rows of the side and drops those that can never be the answer; addresses.c and ports.c turn the
 * fields into small numbers; tune.c splits the rules into groups in several ways, has dense.c, sparse.c and lists.c build them,
 * times the candidates and keeps one; store.c puts it into the block.
 *
 * WORK. Everything that could run away counts what it does in units of about a nanosecond and gives up at a limit that depends on
 * the number of rules alone. No clock decides what is built, so the same rules meet the same limits on a slow machine as on a
 * fast one, and in a slow moment as in a fast one.
 *
 * SIGNATURES. Which values of a field are of one class, and which cells of a matrix hold the same row, is decided by sums of
 * 128-bit numbers, one a rule: equal sets of rules have equal sums. The numbers come from a hash of all the rules, so nobody can
 * choose rules whose sums collide without changing the numbers, and by accident it does not happen in 2^100 tables.
 */
#ifndef PASTORE_COMPILE_H
#define PASTORE_COMPILE_H

#include "side.h"

/* arena.c: memory that is given back all at once. What it gives is aligned for a cache line and not cleared. */
typedef struct arena {
    struct arena_part *parts;
    size_t bytes; /* handed out */
    bool failed;  /* some request could not be met; it stays so */
} arena;

void *arena_take(arena *a, size_t count, size_t size);
void *arena_zeroed(arena *a, size_t count, size_t size);
void arena_empty(arena *a);
/* All of `from` now belongs to `to`. */
void arena_join(arena *to, arena *from);

/* pages.c: memory for large tables, in huge pages where the system has them to give. */
void *pages_take(size_t bytes);
void pages_give(void *pages);

typedef struct sum128 {
    uint64_t a, b;
} sum128;

static inline uint64_t mix64(uint64_t x) {
    x ^= x >> 32;
    x *= 0x9E3779B97F4A7C15u;
    x ^= x >> 29;
    x *= 0xBF58476D1CE4E5B9u;
    return x ^ x >> 32;
}

static inline sum128 sum_plus(sum128 x, sum128 y) {
    return (sum128){x.a + y.a, x.b + y.b};
}

static inline sum128 sum_minus(sum128 x, sum128 y) {
    return (sum128){x.a - y.a, x.b - y.b};
}

static inline bool sum_equal(sum128 x, sum128 y) {
    return x.a == y.a && x.b == y.b;
}

static inline uint64_t sum_hash(sum128 x) {
    return mix64(x.a ^ (x.b << 1));
}

/* One row of the side that can be the answer. */
typedef struct live_row {
    key lo[2], hi[2]; /* SRC, DST */
    uint16_t sport_lo, sport_hi, dport_lo, dport_hi;
    uint8_t protocol_lo, protocol_hi, action;
    uint32_t id;
    uint32_t row; /* of the family's list */
} live_row;

/* The distinct boxes of source port, destination port and protocol, in intervals of those fields. */
typedef struct port_box {
    uint16_t lo[3], hi[3];
} port_box;

/* What addresses.c and ports.c leave: arrays in the shapes of side.h, and their counts. */
typedef struct address_part {
    const void *level[MOST_LEVELS];
    uint32_t keys[MOST_LEVELS], levels, intervals, low_lines, halvings;
    const fold *fold; /* IPv6 only, or tails */
    const tail *tails;
    const uint64_t *lows;
    uint32_t *lo, *hi; /* [rules]: first and last interval of each rule */
} address_part;

typedef struct port_part {
    bool classed; /* there are port classes; without them all below is empty */
    const uint16_t *ends[2];
    const void *intervals_of[2];
    uint32_t intervals[2], protocols, class_count;
    const uint8_t *protocol;
    const uint16_t *classes;
    uint32_t box_count, box_words; /* of a bit vector over boxes */
    uint32_t *box_of;              /* [rules] */
    uint64_t *covered;             /* [box_count][box_words]: the boxes within a box */
    uint64_t *class_boxes;         /* [class_count][box_words]: the boxes that hold a class */
    uint64_t *box_classes;         /* [box_count][words of class_count bits]: the classes in a box */
} port_part;

typedef struct compiler {
    const pastore_table *table;
    const isa *isa;
    enum family family;
    arena arena;     /* for what all candidates share */
    live_row *rules; /* in order */
    uint32_t count;
    uint32_t ids;
    uint64_t seed; /* a hash of all rules */
    address_part address[2];
    port_part ports;
    uint64_t work, work_limit; /* done, and up to which the present candidate may go */
} compiler;

/* Counts work; false when the limit is passed. */
static inline bool works(compiler *c, uint64_t units) {
    c->work += units;
    return c->work <= c->work_limit;
}

/* The number of a rule in sums, given what it has in common with those it counts as equal to. */
static inline sum128 number_of(const compiler *c, uint64_t what) {
    const uint64_t x = mix64(what + c->seed);
    return (sum128){x, mix64(x ^ 0xD6E8FEB86659FD93u)};
}

/* rules.c */
int take_rules(compiler *c, const uint32_t *rows, uint32_t count);

/* addresses.c, ports.c. 0 or PASTORE_ERROR_NO_MEMORY. */
int index_addresses(compiler *c, unsigned field);
int index_ports(compiler *c);

/* fold.c: how ends are folded whose high and low words are `values`, sorted and different. False if they cannot be. */
bool fold_ends(const uint64_t *const values[2], const uint32_t counts[2], fold *out);

/* classes.c: the classes of a field as the rules of a group see it. A run is a stretch of intervals in the same rules. */
typedef struct field_classes {
    uint32_t runs, classes;
    uint32_t *run_of;         /* [intervals] */
    uint32_t *class_of;       /* [runs] */
    uint32_t *representative; /* [classes]: a run */
} field_classes;

bool find_classes(compiler *c, arena *a, const uint32_t *members, uint32_t count, unsigned field, field_classes *out);

/* rowset.c, finish.c: rows of a group, that is lists of rules in order, kept once each, with the shapes of their port boxes. */
typedef struct rowset {
    compiler *c;
    arena *arena;
    uint32_t *rules; /* all rows, one after the other */
    size_t rule_count, rule_room;
    uint32_t *start, *length, *shape; /* of each row */
    uint64_t *hash;
    uint32_t count, room;
    uint32_t *boxes; /* all shapes, one after the other */
    size_t box_count, box_room;
    uint32_t *shape_start, *shape_length;
    uint32_t shape_count, shape_room;
    uint32_t *slots, *shape_slots; /* hash tables: number + 1, or 0 */
    size_t slot_count, shape_slot_count;
    uint64_t *dead; /* [box_words] */
    uint32_t *kept, *kept_boxes;
    uint32_t longest;
} rowset;

enum { NO_ROW = UINT32_MAX };

bool rowset_open(rowset *r, compiler *c, arena *a, uint32_t most);
/* The number of the row of these rules, less those that earlier ones cover; row 0 is the empty one. NO_ROW: no memory. */
uint32_t row_of(rowset *r, const uint32_t *rules, uint32_t count);

/* A group as it is built: the stored shape, with arrays beside it instead of offsets. */
typedef struct built_group {
    group g;
    const void *cells, *answers;
    const uint8_t *shapes;
    const void *map;
    uint32_t *words[2]; /* [intervals]: of each field */
    size_t bytes;       /* of the arrays, records not counted */
} built_group;

/* Makes answers of the rows: payloads[row] is what leads to them. `finish` is what is wanted; false if that is not possible
 * within `room` bytes. */
bool finish_rows(rowset *r, enum finish finish, size_t room, built_group *out, uint64_t *payloads);

/* For every port class the place of the first box of a shape that holds it, from 1; 0 where none does: to place[class]. `open` is
 * for working in: a bit a class. */
void place_classes(compiler *c, const uint32_t *boxes, uint32_t count, uint64_t *open, uint16_t *place);

/* bands.c: cells and answers of a group in bands of port classes. cells[pairs] are the rows of the pairs of address classes. */
bool finish_bands(rowset *r, const uint32_t *cells, size_t pairs, size_t room, built_group *out);

/* How a group is wanted. */
typedef struct group_plan {
    const uint32_t *members; /* rules, rising */
    uint32_t count;
    enum finish finish; /* the first to try */
    bool bands;         /* in bands of port classes, and in no other way */
    size_t direct_room; /* bytes up to which answers may be direct */
    size_t room;        /* bytes of everything */
} group_plan;

/* dense.c: which row every pair of address classes has, and a group made of that. */
typedef struct dense_cells {
    field_classes f[2];
    rowset rows;
    const uint32_t *cells; /* [count]: rows; those of a source class one after the other */
    size_t count;
} dense_cells;

bool find_cells(compiler *c, arena *a, const group_plan *plan, dense_cells *out);
bool finish_dense(compiler *c, arena *a, const group_plan *plan, const dense_cells *d, built_group *out);

/* Both in one; sparse.c, lists.c. False if the group cannot be had within the room or the work. */
bool build_dense(compiler *c, arena *a, const group_plan *plan, built_group *out);
bool build_sparse(compiler *c, arena *a, const group_plan *plan, built_group *out);
bool build_list(compiler *c, arena *a, const group_plan *plan, unsigned field, built_group *out);

/* A way to compile a side. */
typedef struct candidate {
    enum layout layout;
    arena arena;
    built_group groups[MOST_GROUPS];
    uint32_t group_count;
    uint32_t *records[2]; /* [intervals][group_count] */
    const uint32_t *rest; /* rules that go into chunks, rising */
    uint32_t rest_count;
    size_t bytes;
    double seconds; /* what the packets of the trial took */
} candidate;

/* tune.c: the best candidate within `room` bytes; layout LAYOUT_BITS with all rules as the rest if there is none. */
int choose_candidate(compiler *c, size_t room, int wanted, candidate *best);

/* block.c: the block under construction. It grows by doubling and moves as it does: what is in it is reached by offset. */
typedef struct block {
    pastore_table *table;
    size_t room, limit; /* of the block, in bytes */
} block;

/* Appends count * size zeroed bytes, aligned for anything that is stored; their place goes to *offset. PASTORE_ERROR_MEMORY_LIMIT
 * if that is more than the limit. */
int block_take(block *b, size_t count, size_t size, uint64_t *offset);
int block_copy(block *b, const void *from, size_t count, size_t size, uint64_t *offset);

static inline void *in_block(const block *b, uint64_t offset) {
    return b->table->block + (size_t)offset;
}

/* store.c: the bytes that every candidate needs besides its groups, and a candidate as part of the block. */
size_t stored_bytes(const compiler *c);
int store_candidate(block *b, const compiler *c, const candidate *k, side_index *side);

/* chunks.c: bit vectors over rules of the compiler, as part of the block. */
int store_chunks(block *b, const compiler *c, const uint32_t *rules, uint32_t count, side_index *side);

/* trial.c: packets drawn from the rules, and the view with which a candidate judges them. */
typedef struct trial {
    side_packets packets;
    uint32_t *ids;
    uint32_t count;
} trial;

bool trial_open(compiler *c, arena *a, trial *t);
void view_candidate(const compiler *c, const candidate *k, side_view *view);
double trial_run(const compiler *c, const trial *t, const candidate *k);

#endif
