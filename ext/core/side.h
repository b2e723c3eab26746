/* A compiled side: the shapes of what a block holds for it, and the view of them that lookups work with.
 *
 * core.h tells what the structures mean. Here is how they lie in memory. Every array is at an offset from the start of the block;
 * an offset of 0 stands for an array that is not there.
 */
#ifndef PASTORE_SIDE_H
#define PASTORE_SIDE_H

#include "core.h"

/* What an answer id is when there is none; as an id it is larger than any, so the smallest of several ids is the answer. */
#define NO_ID UINT32_MAX

enum {
    LINE4 = 16,           /* ends of IPv4 intervals in a cache line */
    LINE6 = 8,            /* ends of IPv6 intervals, folded, or their high words, in a cache line */
    PORT_LINE = 32,       /* ends of port intervals in a cache line */
    MOST_LEVELS = 12,     /* of a search tree over ends */
    MOST_WINDOWS = 8,     /* that a word of IPv6 addresses is cut into; fills a line */
    MOST_GROUPS = 4,      /* of a side */
    MOST_PORT_ENDS = 127, /* up to which the ends of port intervals are kept beside the table of 65536 */
    FEW_PORT_ENDS = 15    /* up to which there is no table of 65536 */
};

/* Address -> interval -> a word for each group.
 *
 * The intervals of a field are numbered from 0 in the order of their addresses. end[i] is the last address of interval i; the end
 * of the last interval is not kept. So the interval of address x is the number of ends that are less than x.
 *
 * IPv4: level 0 holds the ends, sorted. Level k + 1 holds every LINE4-th key of level k from key LINE4 on, so the keys of level
 * k + 1 less than x say which line of level k the count goes on in. Every level is filled up with the largest key to whole lines
 * (at least one), which counts as no key, as nothing is larger. The top level has one line.
 *
 * IPv6, folded (fold.c): level 0 holds the ends as keys of 64 bits, the levels above it are made as for IPv4, with lines of
 * LINE6.
 *
 * IPv6 in tails, where that cannot be: an end has a high and a low word. Level 0 holds the different high words, sorted, and at
 * least one filling key, so that there is a key behind the last one; the levels above it are the same. If j high words are less
 * than the high word of x, then tails[j] tells the rest: `before` ends have smaller high words than highs[j], and if x has this
 * very high word, the low words of its ends less than that of x count too. They are sorted, in `line_count` lines of LINE6 from
 * line `line` on, filled up with the largest word. (A low word that is the largest need not be kept: it is never counted.) tails
 * has one entry more than there are high words; the last has no line. Line 0 of the low words holds only the largest word, for
 * tails that keep none.
 */
typedef struct fold_word {
    uint64_t last[MOST_WINDOWS];  /* value before the next window; the largest for the last and for those that are not there */
    uint64_t shift[MOST_WINDOWS]; /* taken off a value in the window, */
    uint64_t top[MOST_WINDOWS];   /* which gives at most this */
    uint32_t windows, reserved;
} fold_word;

typedef struct fold {
    fold_word word[2]; /* high, low */
    uint32_t low_bits, reserved;
} fold;

/* What a value is folded to that lies in window k. */
static inline uint64_t fold_within(const fold_word *w, uint64_t x, uint32_t k) {
    const uint64_t shifted = x - w->shift[k];
    return shifted < w->top[k] ? shifted : w->top[k];
}

static inline uint64_t fold_value(const fold_word *w, uint64_t x) {
    uint32_t k = 0;
    while (w->last[k] < x) /* the last of them is the largest */
        k++;
    return fold_within(w, x, k);
}

static inline uint64_t fold_key(const fold *f, key x) {
    return fold_value(&f->word[0], x.high) << f->low_bits | fold_value(&f->word[1], x.low);
}

typedef struct tail {
    uint32_t before, line, line_count, reserved;
} tail;

typedef struct address_index {
    uint64_t level[MOST_LEVELS]; /* uint32_t or uint64_t, in lines; level 0 first */
    uint32_t keys[MOST_LEVELS];  /* of each level, the filling not counted */
    uint64_t fold;               /* fold; IPv6 only, or: */
    uint64_t tails;              /* tail [keys[0] + 1] */
    uint64_t lows;               /* uint64_t [low_lines][LINE6] */
    uint64_t records;            /* uint32_t [intervals][groups] */
    uint32_t levels, intervals, low_lines, reserved;
} address_index;

/* Source port, destination port and protocol -> port class.
 *
 * Values of one interval of a field, and the cells of the three-dimensional table that lie in the same port boxes, cannot be told
 * apart by any row. Ends as above: the interval of a port is the number of ends less than it. `ends` are kept where there are at
 * most MOST_PORT_ENDS of them, filled up with 0xffff to whole lines of PORT_LINE, to at least one; `intervals_of` where there are
 * more than FEW_PORT_ENDS, and is of uint8_t where there are at most 256 intervals, else of uint16_t.
 */
typedef struct port_axis {
    uint64_t ends;         /* uint16_t [] */
    uint64_t intervals_of; /* uint8_t or uint16_t [65536] */
    uint32_t intervals, reserved;
} port_axis;

typedef struct port_index {
    port_axis axis[2]; /* source port, destination port */
    uint64_t protocol; /* uint8_t [256]: protocol -> interval */
    uint64_t classes;  /* uint16_t [source ports][destination ports][protocols] */
    uint32_t protocols, class_count;
} port_index;

/* How a group goes on from the two words that its records give: to the payload of the row of the group that they select. */
enum pair {
    PAIR_ONE,    /* the other field has a single class: the word of field `major` is the payload */
    PAIR_DENSE,  /* uint32_t cells: the payload is cells[major word + minor word] */
    PAIR_SPARSE, /* uint64_t cells: c = cells[major word + minor word]. If the OWNER_BITS low bits of c are the major word, the
                    payload is the rest of c, else it is 0. Payload 0 is the row that holds nothing */
    PAIR_LIST,   /* the word of field `major` is the place of a list_rule; the first of the list that holds the packet is the
                    answer. The list ends at the first id that is not less than what is found already; NO_ID at the latest */
    PAIR_BANDS, /* uint16_t cells, a matrix for each band of port classes: c = cells[major word + minor word + (m >> COLUMN_BITS)]
                   with m = map[port class]. The payload is c << base_bits; the rest of m stands for the port class from here on
                 */
    PAIRS
};

enum { OWNER_BITS = 24, COLUMN_BITS = 8 };

/* How the group gets from a payload and the port class to an id. base = payload & ((1 << base_bits) - 1), top = payload >>
 * base_bits. Bands are always direct. */
enum finish {
    FINISH_DIRECT, /* uint16_t answers: id + 1, or 0 for none, is answers[payload + class] (base_bits is not used) */
    FINISH_SHAPE,  /* place = shapes[top * classes + class]; uint32_t answers: the id is answers[base + place], none if place is 0
                    */
    FINISH_MAPPED, /* the same with class = map[port class] */
    FINISH_COMPARE, /* port_rule answers: the first of answers[base...] that holds the ports and protocol. top is their number if
                       that is less than 4, else 4, and then the rules end with one that holds everything and has NO_ID. Three
                       rules that are never the answer come last of all, as four rules are read at a time */
    FINISHES
};

/* A rule of a list. Addresses as intervals of the side: x is in it if x - lo <= width, in uint32_t. */
typedef struct list_rule {
    uint32_t src, src_width, dst, dst_width;
    uint16_t sport, dport, protocol, sport_width, dport_width, protocol_width;
    uint32_t id;
} list_rule;

typedef struct port_rule {
    uint16_t sport, dport, protocol, id_low, sport_width, dport_width, protocol_width, id_high;
} port_rule;

_Static_assert(sizeof(list_rule) == 32 && sizeof(port_rule) == 16, "rules lie evenly in lines");

typedef struct group {
    uint32_t pair, finish; /* enum pair, enum finish */
    uint32_t major;        /* SRC or DST */
    uint32_t base_bits;
    uint32_t classes; /* of ports, in a row of answers (direct) or of shapes; of bands, their width, which is 1 << base_bits */
    uint32_t first;   /* the smallest id in the group */
    uint32_t rules, rows; /* for people */
    uint64_t cells, cell_count;
    uint64_t answers, answer_count; /* of a list: list_rule */
    uint64_t shapes, shape_count;   /* uint8_t [shape_count][classes] */
    uint64_t map;                   /* uint16_t [port classes of the side]; uint32_t of bands */
} group;

static inline size_t cell_size(const group *g) {
    return g->pair == PAIR_SPARSE ? sizeof(uint64_t) : g->pair == PAIR_BANDS ? sizeof(uint16_t) : sizeof(uint32_t);
}

static inline size_t map_entry_size(const group *g) {
    return g->pair == PAIR_BANDS ? sizeof(uint32_t) : sizeof(uint16_t);
}

static inline size_t answer_size(const group *g) {
    if (g->pair == PAIR_LIST)
        return sizeof(list_rule);
    return g->finish == FINISH_DIRECT ? sizeof(uint16_t) : g->finish == FINISH_COMPARE ? sizeof(port_rule) : sizeof(uint32_t);
}

/* The rows of a family that apply in a direction on an interface type. Those that can never be the answer are left out of groups
 * and chunks. A row that is in neither is dead. */
typedef struct side_index {
    uint32_t rows;    /* that apply here */
    uint32_t live;    /* that can be the answer */
    uint32_t ids;     /* ids are less than this. With PASTORE_VERDICT_RULE it is `rows`, else the number of runs of one action */
    uint32_t layout;  /* enum layout */
    uint64_t numbers; /* int32_t [ids + 1]: number of the row of id - 1; [0] is -1. Only with PASTORE_VERDICT_RULE */
    uint64_t actions; /* uint8_t [ids + 1]: its action; [0] is PASTORE_NONE */
    address_index address[2]; /* SRC, DST; all zero without groups */
    port_index ports;         /* all zero where no group needs port classes */
    group group[MOST_GROUPS];
    uint32_t groups;      /* tried first */
    uint32_t chunk_count; /* then the chunks of bit vectors, in order */
    uint32_t chunk_rows;  /* the largest number of rows of a chunk */
    uint32_t rest;        /* rows in chunks */
    uint64_t chunks;      /* chunk [chunk_count] */
    uint64_t rest_ids;    /* uint32_t [rest], rising: the id of the i-th row of the chunks */
    uint64_t rest_rows;   /* uint32_t [rest]: its place in the family's row list */
} side_index;

/* What a lookup works with: the same, as pointers, made when a table is built or loaded. */
typedef struct address_view {
    const void *level[MOST_LEVELS];
    uint32_t keys[MOST_LEVELS];
    const fold *fold; /* NULL if there are tails */
    const tail *tails;
    const uint64_t *lows;
    const uint32_t *records;
    uint32_t levels, intervals;
    uint32_t halvings; /* see halvings_of */
} address_view;

typedef struct group_view {
    uint32_t pair, finish, major, base_bits, classes, first;
    bool large; /* cells that do not stay in the second-level cache by themselves: worth fetching ahead */
    const void *cells, *answers;
    const uint8_t *shapes;
    const void *map;
} group_view;

typedef struct port_view {
    const uint16_t *ends[2];  /* NULL where there are too many */
    const uint8_t *narrow[2]; /* intervals_of, if of uint8_t */
    const uint16_t *wide[2];  /* intervals_of, if of uint16_t */
    const uint8_t *protocol;
    const uint16_t *classes;
    uint32_t intervals[2], protocols;
    uint32_t protocol_ends; /* number of them; all of them are in protocol_end if that is at most 16 */
    uint8_t protocol_end[16];
} port_view;

typedef struct side_view {
    enum family family;
    uint32_t groups, chunk_count;
    bool needs_class;    /* some group is finished by port class */
    bool needs_ports;    /* some group compares ports */
    bool needs_interval; /* some group is a list */
    bool dense;          /* one group, of dense cells, finished directly or by shape, or of bands */
    bool plain;          /* groups, and nothing else, say what its answers are */
    bool linear;         /* nothing but the row list says what its answers are */
    bool identity;       /* numbers[id + 1] == id: ids are row numbers */
    address_view address[2];
    port_view ports;
    group_view group[MOST_GROUPS];
    const struct chunk *chunks;
    const uint32_t *rest_ids;
    const int32_t *numbers; /* NULL with PASTORE_VERDICT_ACTION */
    const uint8_t *actions;
} side_view;

/* view.c: views from what is stored, or from arrays wherever they are. */
/* How often the lines of the longest tail are halved until one is left; 0 if few ends are in tails of more than one line. */
uint32_t halvings_of(const tail *tails, uint32_t count);
void view_ports(port_view *view, const uint16_t *const ends[2], const void *const intervals_of[2], const uint32_t intervals[2],
                const uint8_t *protocol, const uint16_t *classes, uint32_t protocols);
void view_group(group_view *view, const group *stored, const void *cells, const void *answers, const uint8_t *shapes,
                const void *map);
void view_needs(side_view *view);
void view_side(const pastore_table *table, enum family family, const side_index *side, side_view *view);
int view_table(pastore_table *table); /* all of them. 0 or PASTORE_ERROR_NO_MEMORY */

/* Packets of one side in columns. Addresses of IPv6 in network order. */
typedef struct side_packets {
    const uint32_t *src4, *dst4;
    const uint8_t *src6, *dst6; /* 16 bytes each */
    const uint16_t *sport, *dport;
    const uint8_t *protocol;
} side_packets;

/* Ways through the groups of a side, one for each instruction set: scan_scalar.c, scan_avx2.c, scan_avx512.c. `classify` gives
 * every packet the smallest id of all groups, or NO_ID. `match` does the same for one packet, whose source port, destination port
 * and protocol are the lowest, next and third 16 bits of `ports`; all of it comes in registers. They touch no chunks. */
typedef struct isa {
    const char *name;
    void (*classify4)(const side_view *side, const side_packets *packets, size_t n, uint32_t *ids);
    void (*classify6)(const side_view *side, const side_packets *packets, size_t n, uint32_t *ids);
    uint32_t (*match4)(const side_view *side, uint32_t src, uint32_t dst, uint64_t ports);
    uint32_t (*match6)(const side_view *side, key src, key dst, uint64_t ports);
} isa;

extern const isa isa_scalar;
#if defined(__x86_64__) || defined(_M_X64)
extern const isa isa_avx2, isa_avx512;
#endif

/* isa.c: the best of them that this machine has, or the one that the environment variable PASTORE_ISA names if it has that. */
const isa *isa_chosen(void);

/* scan_bits.c: the first row of the chunks that holds the packet, as an id less than `best`, else `best`. */
uint32_t scan_chunks(const pastore_table *table, const side_view *side, const packet *p, uint32_t best);

#endif
