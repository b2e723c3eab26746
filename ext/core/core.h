/* Inside of the core: theory of operation, and what its files share.
 *
 * PROBLEM
 *
 * Rows come in the order they are to be tried. A row is a box: an inclusive range in each of five fields (source, destination,
 * source port, destination port, protocol). A packet is a point. Wanted is the first row whose box holds the point, exactly, for
 * any ranges whatever: prefixes are not special here, and no rule set may take unbounded time or memory.
 *
 * Besides, a row applies to some directions and interface types. That makes eight sides: family, direction, interface type, each
 * with only its own rows. Equal sides are compiled once; where all rows apply everywhere there is one a family.
 *
 * WHY THESE STRUCTURES
 *
 * A lookup waits for memory. What counts is the number of loads a packet needs, whether they depend on each other, and how much
 * memory they are spread over; branches that depend on the packet cost more than either. So a lookup here is a fixed sequence of
 * loads from small tables, without a branch on data, done for many packets at once so that the loads of different packets
 * overlap.
 *
 * 1. Fields become small numbers. The rows cut an axis into elementary intervals; within one, no row can tell two values apart.
 *    Addresses: the interval's number is the number of interval ends that are less than the address. The ends are searched line
 * by line of cache, each line with one comparison of all its keys (side.h, address_index). Addresses of IPv6 are folded first:
 * the gaps that no end lies in are cut out of both words, so that what is left is a key of 64 bits (fold.c). Ports and protocol:
 * three interval numbers select a cell of a small table that gives the port class; cells in the same rows have the same class.
 * 2. Only (source interval, destination interval) remains. Intervals that the rows of a group cannot tell apart are a class.
 * Every interval has a record, with a word for each group, so one search of a field serves all groups.
 * 3. The matrix of classes, source by destination, is where tables explode. For some thousand rows it fits as it is (dense). For
 *    more, rules are split by shape: those that are narrow in both fields occupy few cells of a huge matrix, which row
 * displacement packs into little more than the occupied cells (sparse.c); those that are wide in a field have few classes in it,
 * so the matrix is long but thin (dense.c).
 * 4. A cell stands for a list of rules, in order, without those that cannot win there. With the port class it gives the answer:
 *    directly, by a table of lists and classes, if that is small, or if it becomes small when the classes are cut into bands with
 *    a matrix each (bands.c): the class is known before the cell is, so that costs no load that waits; else through the shape of
 *    the list, that is the sequence of its port boxes, which many lists share: the shape and the class give the place in the
 *    list, the list and the place the rule.
 * 5. Rules are numbered in order, so the answer is the smallest number over the groups.
 *
 * Sets for which the tables would be too large have simpler layouts (tune.c): port boxes compared instead of classed, lists by
 * the class of one field, and bit vectors (scan_bits.c). The last resort is the row list, tried row by row (scan_linear.c), which
 * is also what all others are held against.
 *
 * WORKED EXAMPLE
 *
 *     r0   10.0.0.8 - 10.0.0.11    -> 10.9.0.7    tcp  to port 445    block
 *     r1   10.0.0.0 - 10.0.0.255   -> 10.9.0.7    tcp                 protect
 *     r2   any                     -> 10.9.0.7    udp  to port 53     allow
 *     r3   any                     -> any                             block
 *
 * Compile. No row lies within an earlier one, so all are live. Ends of source intervals: 9.255.255.255, 10.0.0.7, 10.0.0.11,
 * 10.0.0.255, so the intervals S0 to S4. Of destinations: 10.9.0.6 and 10.9.0.7, so D0 to D2. Of destination ports: 52, 53, 444,
 * 445; of protocols: 5, 6, 16, 17; source ports have a single interval. Of the 5 x 5 cells of ports and protocols, most lie in
 * r3's box only: class A; tcp to any port but 445 in those of r1 and r3: B; udp to 53 in those of r2 and r3: C; tcp to 445 in
 * those of r0, r1 and r3: D.
 *
 * The rows are few, so they make one group. S0 and S4 are in the same rows (r2, r3), as are S1 and S3 (r1 too); S2 is in all. So
 * there are three source classes, s0, s1, s2; likewise two of destinations, d0 = {D0, D2} and d1 = {D1}. The cells:
 *
 *           d0      d1                    A   B   C   D
 *     s0    [r3]    [r2 r3]          []   -   -   -   -     row 0, which every group has
 *     s1    [r3]    [r1 r2 r3]       [r3]         r3  r3  r3  r3    row 1
 *     s2    [r3]    [r0 r1 r2 r3]    [r2 r3]      r3  r3  r2  r3    row 2
 *                                    [r1 r2 r3]   r3  r1  r2  r1    row 3
 *                                    [r0 ... r3]  r3  r1  r2  r0    row 4
 *
 * Answers are kept directly: answers[4 * row + class] is the number of the rule plus one. The record of a source interval says
 * 2 * class, that of a destination interval its class, and cells[6] says 4 * row: 4, 8, 4, 12, 4, 16.
 *
 * Lookup of 10.0.0.9 -> 10.9.0.7, tcp to port 445. Two source ends are less than 10.0.0.9: S2, whose record says 4. One
 * destination end is less than 10.9.0.7: D1, whose record says 1. Three ends of ports are less than 445 and one of protocols less
 * than 6: class D. cells[4 + 1] = 16, answers[16 + 3] = 1: r0, block. From 10.0.0.200 three ends are less: S3, whose record says
 * 2, cells[2 + 1] = 12, answers[12 + 3] = 2: r1, protect. From 10.9.9.9: S4, record 0; cells[0 + 1] = 8, answers[8 + 3] = 4: r3.
 *
 * COST
 *
 * Loads a packet, with lines of ends L deep (n ends take about log 17 of n for IPv4, log 9 for IPv6; the AVX-512 path holds the
 * upper levels in registers for 16 packets at once) and G groups:
 *
 *     search     2 L lines, compared whole; IPv6: two folds, or 2 tails and 2 lines of low words more
 *     records    2
 *     port class 1 to 4: the table of classes, and tables of intervals where the ends do not fit registers
 *     a group    2 where answers are direct, 3 with shapes or bands; 1 less if one of its fields has a single class
 *
 * So about 9 for a set of a thousand rows in one group, about 21 for one of a hundred thousand in four. A load costs some 0.3 ns
 * while its table stays in the first-level cache, 0.6 in the second, and 2 to 4 in the third, as long as there are others to
 * overlap with; which is why candidates are timed (tune.c) and larger tables are not simply better.
 *
 * Memory: a line of ends and a record an interval; 4 bytes a dense cell or 8 a sparse one; answers 2 bytes a list and class, or
 * 4 a rule in a list and 1 a shape and class. Every product of that kind has a limit (tune.c), and a layout that exceeds it is
 * not taken. Bit vectors and the row list have costs that grow with the number of rows alone; so the worst rule set, in which
 * every range overlaps half of the others, still compiles in bounded time and answers exactly.
 *
 * MEMORY
 *
 * A table is its header and one block that holds everything else at offsets, so it can be measured, moved, and mapped from a
 * file, as it is. The types in the block have the same shape on every machine of one byte order. Views (side.h) are the same with
 * pointers, made when a table is built or loaded. Nothing changes after that: any number of threads may look up in one table
 * without a lock, and a rebuilt table replaces the old one by swapping a pointer.
 *
 * FILES
 *
 *     build.c        validates and copies the rows, finds the sides, has each compiled, lays out the block
 *     rules.c        the rows of a side, without those that can never be the answer
 *     addresses.c    address intervals and the levels to search them
 *     fold.c         addresses of IPv6 as keys of 64 bits
 *     ports.c        port classes
 *     classes.c      what a group cannot tell apart in a field
 *     rowset.c       the lists of a group, each kept once, and their shapes
 *     finish.c       answers of lists
 *     dense.c        matrices kept whole
 *     bands.c        the same, one for each band of port classes
 *     sparse.c       matrices kept by row displacement
 *     lists.c        lists by the class of one field
 *     tune.c         candidates, and the choice
 *     trial.c        packets to choose by
 *     store.c        a candidate becomes part of the block
 *     chunks.c       bit vectors, of which intervals.c makes one field of one chunk
 *     block.c, arena.c, pages.c   memory
 *     view.c         offsets become pointers
 *     lookup.c       classify and match: the side, the groups, the chunks, the answer
 *     scan_kernel.h  the way through groups, for scan_scalar.c, scan_avx2.c and scan_avx512.c; isa.c chooses
 *     scan_bits.c    the way through chunks
 *     scan_linear.c  row after row: the oracle in bulk, and the layout of last resort
 *     check.c        every invariant
 *     save.c, load.c a table becomes bytes, and bytes a table; load.c opens with the format
 *     validate*.c, recount.c, judge.c   what a table from bytes must prove before it is used
 *     map.c          the same from a file, without reading it
 *     checksum.c     XXH64
 *     rows.c         the kept rows, field by field
 *     columns.h      packets out of the callers' columns
 *     strerror.c
 *
 * REFERENCES
 *
 * P. Gupta, N. McKeown: Packet classification on multiple fields, SIGCOMM 1999 (equivalence classes, cross products). R. E.
 * Tarjan, A. C. Yao: Storing a sparse table, CACM 1979 (row displacement). P.-V. Khuong, P. Morin: Array layouts for
 * comparison-based searching, JEA 2017 (a line of keys a step). T. V. Lakshman, D. Stiliadis: High-speed policy-based packet
 * forwarding using efficient multi-dimensional range matching, SIGCOMM 1998 (bit vectors a field). F. Baboescu, G. Varghese:
 * Scalable packet classification, SIGCOMM 2001 (summaries of bit vectors).
 */
#ifndef PASTORE_CORE_H
#define PASTORE_CORE_H

#include <stdbool.h>

#include "pastore.h"

enum { LARGEST_CHUNK = 4096, SMALLEST_CHUNK = 64, WORD_BITS = 64 };

_Static_assert(LARGEST_CHUNK / WORD_BITS <= WORD_BITS, "one summary word must cover a chunk");
_Static_assert(2 * LARGEST_CHUNK + 1 <= UINT16_MAX, "classes are numbered with 16 bits");

enum field { SRC, DST, SPORT, DPORT, PROTOCOL, FIELDS };

/* A value of any field, wide enough for IPv6. */
typedef struct key {
    uint64_t high, low;
} key;

static inline bool key_less(key a, key b) {
    return a.high < b.high || (a.high == b.high && a.low < b.low);
}

static inline bool key_equal(key a, key b) {
    return a.high == b.high && a.low == b.low;
}

static inline key key_next(key a) {
    return (key){a.high + (a.low == UINT64_MAX), a.low + 1};
}

static inline key key_before(key a) {
    return (key){a.high - (a.low == 0), a.low - 1};
}

/* A row as the table keeps it. Bit direction * 2 + interface of `where` says whether the row applies there. */
typedef struct row4 {
    uint32_t src_lo, src_hi, dst_lo, dst_hi;
    uint16_t sport_lo, sport_hi, dport_lo, dport_hi;
    uint8_t protocol_lo, protocol_hi;
    uint8_t where, action;
} row4;

typedef struct row6 {
    key src_lo, src_hi, dst_lo, dst_hi;
    uint16_t sport_lo, sport_hi, dport_lo, dport_hi;
    uint8_t protocol_lo, protocol_hi;
    uint8_t where, action;
    uint32_t reserved;
} row6;

static inline unsigned where_bit(unsigned direction, unsigned interface) {
    return 1u << (direction * 2 + interface);
}

/* One field of one chunk; `starts`, `classes` and `sets` are offsets into the block. */
typedef struct field_index {
    uint64_t starts;    /* uint32_t, key or uint16_t [intervals]; unused for protocol */
    uint64_t classes;   /* uint16_t [intervals], or [256] by protocol */
    uint64_t sets;      /* uint64_t [class_count][1 + words] */
    uint32_t intervals; /* 256 where there are no starts */
    uint32_t class_count;
} field_index;

typedef struct chunk {
    uint32_t first; /* which of the rows that are in chunks bit 0 stands for */
    uint32_t rows;
    uint32_t words; /* of a bit vector, the summary not counted */
    uint32_t reserved;
    field_index field[FIELDS];
} chunk;

/* The rows of a family in order. */
typedef struct row_list {
    uint64_t rows;    /* row4 or row6 [count] */
    uint64_t numbers; /* int32_t [count], the caller's row numbers; only with PASTORE_VERDICT_RULE */
    uint32_t count;
    uint32_t reserved;
} row_list;

/* What is stored is stored as it is, so these shapes belong to the format. */
_Static_assert(sizeof(row4) == 28 && sizeof(row6) == 80 && sizeof(key) == 16, "rows have no holes");
_Static_assert(sizeof(field_index) == 32 && sizeof(chunk) == 16 + FIELDS * sizeof(field_index), "chunks have no holes");
_Static_assert(sizeof(row_list) == 24, "lists have no holes");

/* Everything in the block starts at a multiple of this. */
enum { BLOCK_ALIGN = 64 };

enum family { IPV4, IPV6, FAMILIES };
enum { DIRECTIONS = 2, INTERFACES = 2, MOST_SIDES = FAMILIES * DIRECTIONS * INTERFACES };

struct stored_header;
struct side_index;
struct side_view;
struct isa;

/* Which structure a side has; tune.c tells when each is taken. */
enum layout {
    LAYOUT_LINEAR,
    LAYOUT_BITS,
    LAYOUT_LISTS,
    LAYOUT_FOUR_COMPARE,
    LAYOUT_FOUR_LARGE,
    LAYOUT_FOUR_SMALL,
    LAYOUT_TWO,
    LAYOUT_ONE_SHAPE,
    LAYOUT_ONE_DIRECT,
    LAYOUT_ONE_BANDS,
    LAYOUTS
};

struct pastore_table {
    unsigned char *block; /* of a loaded table: inside the caller's bytes, never written */
    size_t block_bytes;
    const struct stored_header *stored;           /* NULL for a built table */
    void (*release)(struct pastore_table *table); /* gives the block back; NULL: free */
    void *mapping;                                /* map.c */
    size_t mapping_bytes;
    size_t memory_limit; /* as asked for; 0: none */
    size_t rows, dead;   /* given; and of those, how many can never be the answer */
    int verdict;
    row_list list[FAMILIES];
    uint32_t side_count;
    uint64_t sides;                                                    /* side_index [side_count], in the block */
    uint8_t side_of[FAMILIES][DIRECTIONS][INTERFACES];                 /* equal sides are kept once */
    struct side_view *views;                                           /* [side_count] */
    const struct side_view *view_of[FAMILIES][DIRECTIONS][INTERFACES]; /* which of them */
    const struct isa *isa;
};

static inline const void *at(const pastore_table *table, uint64_t offset) {
    return table->block + (size_t)offset;
}

/* One packet of either family: an IPv4 address is the low word of the key. */
typedef struct packet {
    key src, dst;
    uint16_t sport, dport;
    uint8_t protocol, direction, interface;
} packet;

/* The range of one field of one row. */
typedef struct range {
    key lo, hi;
} range;

/* rows.c */
range row_range(const pastore_table *table, enum family family, uint32_t row, enum field field);
uint8_t row_where(const pastore_table *table, enum family family, uint32_t row);
uint8_t row_action(const pastore_table *table, enum family family, uint32_t row);
key field_last(enum family family, enum field field);
key field_start(const pastore_table *table, enum family family, enum field field, const field_index *f, uint32_t interval);
size_t field_start_size(enum family family, enum field field);
int row_error(const pastore_row *row, const pastore_row *before);
row4 row4_of(const pastore_row *row);
row6 row6_of(const pastore_row *row);

/* scan_linear.c: first row of the family's list that matches, or -1. */
int64_t scan_first(const pastore_table *table, enum family family, const packet *p);

/* intervals.c: scratch for one field of one chunk, and what a sweep leaves in it. */
typedef struct bound {
    key at;
    uint32_t row;
    bool opens;
} bound;

typedef struct sweep {
    bound *bounds; /* [2 * rows] */
    size_t bound_count;
    key *starts;       /* [2 * rows + 1] */
    uint16_t *classes; /* [2 * rows + 1] */
    uint64_t *sets;    /* [2 * rows + 1][1 + words] */
    uint32_t *slots;   /* hash table over the sets: class + 1, or 0 */
    size_t slot_count; /* a power of two */
    uint32_t intervals, class_count, words;
} sweep;

int sweep_open(sweep *s, uint32_t rows);
void sweep_close(sweep *s);
void sweep_begin(sweep *s, uint32_t rows);
void sweep_add(sweep *s, uint32_t row, range r, key last);
void sweep_finish(sweep *s);

#endif
