/* Inside of the core: theory of operation, and what its files share.
 *
 * PROBLEM
 *
 * Rows come in the order they are to be tried. A row is a box: an inclusive range in each of six fields (source, destination,
 * source port, destination port, protocol, interface type). A packet is a point. Wanted is the first row whose box holds the
 * point, exactly, for any ranges whatever: prefixes are not special here, and no rule set may take unbounded time or memory.
 *
 * STRUCTURE
 *
 * There are four sides: IPv4 in, IPv4 out, IPv6 in, IPv6 out, each with only its own rows. Within a side the rows are cut, in
 * order, into chunks of up to 4096. Inside a chunk each field is looked at alone. The bounds of the chunk's rows cut the field's
 * axis into elementary intervals; all values of one interval lie in the same rows. That set of rows is a bit vector, bit i for
 * the i-th row of the chunk. Intervals with equal sets share one class, and one copy of the vector. So a field of a chunk is
 *
 *     starts[]     where the intervals begin, sorted, starts[0] = 0
 *     classes[]    interval -> class
 *     sets[][]     class -> summary word, then the words of the bit vector; bit w of the summary says that word w is not zero
 *
 * Protocol and interface type have so few values that classes[] is indexed by the value itself and starts[] is not kept.
 *
 * Lookup finds the class of the packet in every field, ANDs the six summaries to learn which words can matter, and ANDs those
 * words of the six vectors, lowest first. The first bit that survives is the first row of the chunk that matches; the first chunk
 * that answers has the answer, because chunks are in order.
 *
 * WORKED EXAMPLE (two fields are enough)
 *
 *     r0   src 10.0.0.8 - 10.0.0.11    dport 80       block
 *     r1   src 10.0.0.0 - 10.0.0.255   dport 0-1023   protect
 *     r2   src any                     dport 80       allow
 *
 * Build, source: the lower bounds, and the values after the upper bounds, are 0.0.0.0, 10.0.0.0, 10.0.0.8, 10.0.0.12, 10.0.1.0.
 * Sweeping over them switches rows on and off (written r2 r1 r0): 100, 110, 111, 110, 100. Three different sets, so three classes
 * A = 100, B = 110, C = 111, and the five intervals are A B C B A. Destination port: the starts 0, 80, 81, 1024 have the sets
 * 010, 111, 010, 000: classes D = 010, E = 111, F = 000, intervals D E D F.
 *
 * Lookup of 10.0.0.9 port 80: the last start not above 10.0.0.9 is 10.0.0.8, class C; the last one not above 80 is 80, class E.
 * 111 & 111 = 111, lowest bit 0: r0, block. 10.0.0.200 port 80: B & E = 110: r1. 10.0.0.9 port 443: C & D = 010: r1.
 * 10.9.9.9 port 443: A & D = 000: not in this chunk; as there is no other, none.
 *
 * COST
 *
 * A chunk of B rows has at most 2B + 1 intervals, hence at most 2B + 1 classes, a field: a lookup takes four searches of about
 * log2(2B + 1) steps without a branch on data, two table reads, six summary words, and six words for every 64 rows that some row
 * shares with the packet in each field. Chunks that hold no match are passed by at that price. The sets dominate memory: at worst
 * (2B + 1) * B / 8 bytes a field and chunk, so B / 4 bytes a row and field; rule sets that people write share most of it. Larger
 * chunks are faster and fatter. The builder starts with the largest useful chunk and halves it until the table fits a budget;
 * each attempt stops at the moment it exceeds it. Where a hard limit leaves no room even for chunks of 64, the row list that is
 * kept for pastore_scan4 and 6 is the table. The choice depends on nothing but the rows and the limit: no clock, no random
 * numbers.
 *
 * MEMORY
 *
 * A table is its header and one block that holds everything else at offsets, so it can be measured, moved, and mapped from a
 * file, as it is. The types in the block have the same shape on every machine of one byte order.
 *
 * FILES
 *
 *     build.c        validates the rows, copies them, chooses the chunk, lays out the block
 *     intervals.c    one field of one chunk: bounds -> intervals, classes, sets
 *     lookup.c       classify and match
 *     scan_linear.c  row after row: the oracle in bulk, and the layout of last resort
 *     check.c        every invariant, recomputed from the row list
 *     save.c         a table becomes bytes
 *     load.c         bytes become a table; opens with the format
 *     validate.c     what a table from bytes must prove before it is used
 *     map.c          the same from a file, without reading it
 *     checksum.c     XXH64
 *     rows.c         the kept rows, field by field
 *     columns.h      packets out of the callers' columns
 *     strerror.c
 *
 * REFERENCES
 *
 * T. V. Lakshman, D. Stiliadis: High-speed policy-based packet forwarding using efficient multi-dimensional range matching,
 * SIGCOMM 1998 (bit vectors a field). F. Baboescu, G. Varghese: Scalable packet classification, SIGCOMM 2001 (summaries of bit
 * vectors). P. Gupta, N. McKeown: Packet classification on multiple fields, SIGCOMM 1999 (equivalence classes). P.-V. Khuong, P.
 * Morin: Array layouts for comparison-based searching, 2017 (the search without branches).
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
enum layout { LAYOUT_LINEAR, LAYOUT_BITS, LAYOUT_LISTS, LAYOUT_FOUR_COMPARE, LAYOUT_FOUR_LARGE, LAYOUT_FOUR_SMALL, LAYOUT_TWO, LAYOUT_ONE_SHAPE, LAYOUT_ONE_DIRECT, LAYOUTS };

struct pastore_table {
    unsigned char *block; /* of a loaded table: inside the caller's bytes, never written */
    size_t block_bytes;
    const struct stored_header *stored;           /* NULL for a built table */
    void (*release)(struct pastore_table *table); /* gives the block back; NULL: free */
    void *mapping;                                /* map.c */
    size_t mapping_bytes;
    size_t memory_limit; /* as asked for; 0: none */
    size_t rows, dead; /* given; and of those, how many can never be the answer */
    int verdict;
    row_list list[FAMILIES];
    uint32_t side_count;
    uint64_t sides;                                       /* side_index [side_count], in the block */
    uint8_t side_of[FAMILIES][DIRECTIONS][INTERFACES];    /* equal sides are kept once */
    struct side_view *views;                              /* [side_count] */
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

/* validate.c: whether a table that came as bytes is one that pastore_build could have made. */
bool table_is_sound(const pastore_table *table);

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
