/* The way of a block of packets through the groups of a side. Included by each scan_*.c, which defines the steps declared under
 * "What an instruction set supplies"; everything here is compiled anew for each of them.
 *
 * HOW IT IS FAST
 *
 * BLOCK packets go through short passes, each a loop of independent iterations without a jump that depends on a packet, so that
 * the processor overlaps the cache misses of many packets. Functions take what is the same for a whole block (family, kind of
 * pair and finish, number of packets) as constant parameters and are inlined, so each loop is compiled for its case; a switch
 * before the loop chooses. What comes from tables is loaded by scalar loads: gathers are no faster where these were measured.
 *
 * WHAT IS RELIED ON
 *
 * A lookup stays inside of the arrays whatever the packet is, provided that (this is what validate.c proves of stored tables):
 *
 *   - the keys that fill a level up to whole lines are the largest; level k + 1 has (keys of level k - 1) / LINE keys, or none
 *     if level k has no more than a line; the top level has at most a line of keys. Then a count never exceeds the number of
 * keys, and a count at level k + 1 is the number of a line of level k. Order of keys is not needed for safety.
 *   - IPv4, and IPv6 if folded: keys[0] < intervals; of a fold, at most MOST_WINDOWS windows, and the last of `last` is the
 * largest value, so what is folded, whatever comes of it, is a key. IPv6 in tails: level 0 has at least one filling key; there
 * are keys[0] + 1 tails; line + line_count (at least line + 1) of a tail is at most low_lines; before + keys in its lines that
 * are not the largest word < intervals.
 *   - intervals_of and protocol hold numbers below those of intervals; ends are filled up with 0xffff, and there are fewer ends
 *     than intervals; classes hold numbers below class_count; map below `classes` of its group, or class_count is.
 *   - of a group: the largest word of major + that of minor < cell_count <= 2^32; of PAIR_ONE, every word is a payload; of bands,
 *     these and the place of any matrix, and cells lead to whole rows, in which all columns of the map lie.
 *   - of a payload: direct: payload + classes <= answer_count; shape, mapped: (top + 1) * classes <= shape_count, base + the
 *     largest place of that shape < answer_count; compare: base + 4 <= answer_count, and the last rule but three, and so the end
 *     of every search, is one that holds everything. A sparse cell of another owner counts as payload 0, so that is one, too.
 *   - of a list: every word of major < answer_count, the last rule has NO_ID. Nothing else is read, so nothing else can go wrong.
 *   - ids are less than `ids`, or NO_ID.
 */
#ifndef PASTORE_SCAN_KERNEL_H
#define PASTORE_SCAN_KERNEL_H

#include <string.h>

#include "columns.h"
#include "side.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))
#define NEVER_INLINE __attribute__((noinline))
#define LINE_ALIGNED __attribute__((aligned(64)))

#define UNROLL_TEXT(text) _Pragma(#text)
#ifdef __clang__
#define UNROLL(n) UNROLL_TEXT(unroll n)
#define KEEP_ROLLED _Pragma("nounroll")
#else
#define UNROLL(n) UNROLL_TEXT(GCC unroll n)
#define KEEP_ROLLED UNROLL_TEXT(GCC unroll 1)
#endif

/* Packets of a block. A call ends with a half block where that holds what is left. */
enum { BLOCK = 64, HALF_BLOCK = 32 };

/* So few packets are matched one by one, which takes less time than a half block that is mostly empty. */
enum { SINGLES = 6 };

/* Record words that take more than this are worth fetching ahead. */
enum { LARGE_RECORDS = 24 << 10 };

/* What the passes over a block hand on. `place` of a field is a record word where there is one group, else where the records of
 * the packet begin. */
typedef struct block {
    uint32_t place[2][BLOCK] LINE_ALIGNED;
    uint32_t class[BLOCK] LINE_ALIGNED;
    uint64_t ports[BLOCK] LINE_ALIGNED; /* as ports_word() */
} block;

/* What an instruction set supplies. `n` is BLOCK or HALF_BLOCK. */

/* How many keys of a line are less than x; of port ends, of the first FEW_PORT_ENDS. */
static ALWAYS_INLINE uint32_t line4(const uint32_t *line, uint32_t x);
static ALWAYS_INLINE uint32_t line6(const uint64_t *line, uint64_t x);
static ALWAYS_INLINE uint32_t few_ports(const uint16_t *ends, uint16_t x);

/* Search the upper levels of an index: returns the level whose counts are in place[], times keys of a line: where the line of the
 * next level begins. */
static ALWAYS_INLINE uint32_t search_top4(const address_view *view, const uint32_t *x, uint32_t *place, unsigned n);
static ALWAYS_INLINE uint32_t search_top6(const address_view *view, const uint64_t *x, uint32_t *place, unsigned n);

/* For a small index of a side with one group: the record words, and true; or false. */
static ALWAYS_INLINE bool small_records4(const address_view *view, const uint32_t *x, uint32_t *place, unsigned n);

/* Addresses of IPv6 as pairs of words, and as keys. */
static ALWAYS_INLINE void split_addresses(const uint8_t *addresses, uint64_t *high, uint64_t *low, unsigned n);
static ALWAYS_INLINE void fold_addresses(const fold *f, const uint8_t *addresses, uint64_t *keys, unsigned n);

/* Cells of the three-dimensional table of port classes. */
static ALWAYS_INLINE void port_cells(const port_view *view, const side_packets *p, size_t at, uint32_t *cells, unsigned n);

/* The first of the `count` rules, or if that is 4, of the rules up to the one that holds everything, that holds the ports: its
 * id. NO_ID if there is none, or as soon as it cannot be less than best. */
static ALWAYS_INLINE uint32_t first_port_rule(const port_rule *rules, uint32_t count, uint64_t ports, uint32_t best);

/* Hides from the compiler what it knows about a mask, so that it does not make a jump of what is to be arithmetic. A jump that
 * depends on packets is mispredicted half of the time; keeping these masks is worth up to 40 %. */
static ALWAYS_INLINE uint64_t opaque(uint64_t mask) {
    __asm__("" : "+r"(mask));
    return mask;
}

static ALWAYS_INLINE uint64_t ports_word(uint16_t sport, uint16_t dport, uint8_t protocol) {
    return sport | (uint64_t)dport << 16 | (uint64_t)protocol << 32;
}

/* Addresses */

/* One step towards the last of the lines whose first word is less than x. */
static ALWAYS_INLINE void halve_lines(const uint64_t *lines, uint64_t x, uint32_t *line, uint32_t *left) {
    const uint32_t half = *left / 2;
    *line += half & (uint32_t)opaque(0 - (uint64_t)(lines[(size_t)(*line + half) * LINE6] < x));
    *left -= half;
}

/* How many low words that belong to a high word are less than x. Where tails of more than one line are an exception, a jump finds
 * them. Where they are not, it would be mispredicted too often: every packet takes as many steps as the longest tail needs. */
static ALWAYS_INLINE uint32_t low_words(const address_view *view, const tail *t, uint64_t x, const bool often) {
    const uint64_t *lines = view->lows + (size_t)t->line * LINE6;
    uint32_t line = 0, left = t->line_count;
    if (often)
        for (uint32_t step = view->halvings; step; step--)
            halve_lines(lines, x, &line, &left);
    else if (__builtin_expect(left > 1, 0))
        while (left > 1)
            halve_lines(lines, x, &line, &left);
    return line * LINE6 + line6(lines + (size_t)line * LINE6, x);
}

/* The key of an address, as fold_key() has it: the window of a value is the number of them that end before it. */
static ALWAYS_INLINE uint64_t key_of_address(const fold *f, key x) {
    const fold_word *high = &f->word[0], *low = &f->word[1];
    return fold_within(high, x.high, line6(high->last, x.high)) << f->low_bits | fold_within(low, x.low, line6(low->last, x.low));
}

/* From the number of high words less than that of an address to its interval. */
static ALWAYS_INLINE uint32_t finish_search6(const address_view *view, uint32_t place, uint64_t high, uint64_t low,
                                             const bool often) {
    const uint64_t *highs = view->level[0];
    const tail *t = &view->tails[place];
    const uint32_t same = (uint32_t)opaque(0 - (uint64_t)(highs[place] == high));
    return t->before + (low_words(view, t, low, often) & same);
}

/* One packet's interval becomes what is kept of it. */
static ALWAYS_INLINE void keep_place(const address_view *view, uint32_t interval, uint32_t groups, uint32_t *place,
                                     const bool only, const bool large) {
    if (only) {
        *place = view->records[interval];
    } else {
        *place = interval * groups;
        if (large)
            __builtin_prefetch(view->records + *place);
    }
}

/* The places of the packets. With `leave`, the search may end above the last lines: then they are places of lines, and the answer
 * is true. */
static ALWAYS_INLINE bool address_pass4(const address_view *side, const uint32_t *x, uint32_t groups, uint32_t *place,
                                        const unsigned n, const bool only, const bool leave) {
    const address_view view = *side;
    if (only && small_records4(&view, x, place, n))
        return false;
    uint32_t level = search_top4(&view, x, place, n);
    for (; level > 1; level--) {
        const uint32_t *lines = view.level[level - 1];
        UNROLL(4)
        for (unsigned i = 0; i < n; i++) {
            const size_t first = place[i];
            place[i] = ((uint32_t)first + line4(lines + first, x[i])) * LINE4;
        }
    }
    if (leave && level > 0)
        return true;
    const bool large = (uint64_t)view.intervals * groups * sizeof *view.records > LARGE_RECORDS;
    const uint32_t *lines = view.level[0];
    if (level == 0) {
        for (unsigned i = 0; i < n; i++)
            keep_place(&view, place[i] / LINE4, groups, &place[i], only, false);
    } else if (large) {
        UNROLL(4)
        for (unsigned i = 0; i < n; i++) {
            const size_t first = place[i];
            keep_place(&view, (uint32_t)first + line4(lines + first, x[i]), groups, &place[i], only, true);
        }
    } else {
        UNROLL(4)
        for (unsigned i = 0; i < n; i++) {
            const size_t first = place[i];
            keep_place(&view, (uint32_t)first + line4(lines + first, x[i]), groups, &place[i], only, false);
        }
    }
    return false;
}

/* The lines of the lowest level in which the search for each x ends. */
static ALWAYS_INLINE uint32_t search_levels6(const address_view *view, const uint64_t *x, uint32_t *place, const unsigned n) {
    uint32_t level = search_top6(view, x, place, n);
    for (; level > 1; level--) {
        const uint64_t *lines = view->level[level - 1];
        UNROLL(4)
        for (unsigned i = 0; i < n; i++) {
            const size_t first = place[i];
            place[i] = ((uint32_t)first + line6(lines + first, x[i])) * LINE6;
        }
    }
    return level;
}

static ALWAYS_INLINE void folded_pass6(const address_view *view, const uint64_t *x, uint32_t groups, uint32_t *place,
                                       const unsigned n, const bool only) {
    const uint32_t level = search_levels6(view, x, place, n);
    const bool large = (uint64_t)view->intervals * groups * sizeof *view->records > LARGE_RECORDS;
    const uint64_t *lines = view->level[0];
    if (level == 0) {
        for (unsigned i = 0; i < n; i++)
            keep_place(view, place[i] / LINE6, groups, &place[i], only, false);
    } else {
        UNROLL(4)
        for (unsigned i = 0; i < n; i++) {
            const size_t first = place[i];
            keep_place(view, (uint32_t)first + line6(lines + first, x[i]), groups, &place[i], only, large);
        }
    }
}

static NEVER_INLINE void tails_pass6(const address_view *side, const uint8_t *x, uint32_t groups, uint32_t *place,
                                     const unsigned n, const bool only) {
    const address_view view = *side;
    uint64_t high[BLOCK] LINE_ALIGNED, low[BLOCK] LINE_ALIGNED;
    split_addresses(x, high, low, n);
    uint32_t level = search_levels6(&view, high, place, n);
    if (level) {
        const uint64_t *lines = view.level[0];
        UNROLL(4)
        for (unsigned i = 0; i < n; i++) {
            const size_t first = place[i];
            place[i] = ((uint32_t)first + line6(lines + first, high[i])) * LINE6;
        }
    }
    const bool large = (uint64_t)view.intervals * groups * sizeof *view.records > LARGE_RECORDS;
    if (view.halvings)
        for (unsigned i = 0; i < n; i++)
            keep_place(&view, finish_search6(&view, place[i] / LINE6, high[i], low[i], true), groups, &place[i], only, large);
    else
        for (unsigned i = 0; i < n; i++)
            keep_place(&view, finish_search6(&view, place[i] / LINE6, high[i], low[i], false), groups, &place[i], only, large);
}

static ALWAYS_INLINE void address_pass6(const address_view *side, const uint8_t *x, uint32_t groups, uint32_t *place,
                                        const unsigned n, const bool only) {
    if (!side->fold) {
        tails_pass6(side, x, groups, place, n, only);
        return;
    }
    const address_view view = *side;
    uint64_t keys[BLOCK] LINE_ALIGNED;
    fold_addresses(view.fold, x, keys, n);
    folded_pass6(&view, keys, groups, place, n, only);
}

/* Ports */

static ALWAYS_INLINE void class_pass(const port_view *view, const side_packets *p, size_t at, uint32_t *class, const unsigned n) {
    const uint16_t *classes = view->classes;
    port_cells(view, p, at, class, n);
    UNROLL(8)
    for (unsigned i = 0; i < n; i++)
        class[i] = classes[class[i]];
}

static ALWAYS_INLINE void ports_pass(const side_packets *p, size_t at, uint64_t *ports, const unsigned n) {
    for (unsigned i = 0; i < n; i++)
        ports[i] = ports_word(p->sport[at + i], p->dport[at + i], p->protocol[at + i]);
}

/* Groups */

/* Of bands: the place of the matrix of a port class becomes part of the minor word, its column takes the place of the class. */
static ALWAYS_INLINE void enter_band(const group_view *g, uint32_t *minor, uint32_t *class) {
    const uint32_t place = ((const uint32_t *)g->map)[*class];
    *minor += place >> COLUMN_BITS;
    *class = place & ((1u << COLUMN_BITS) - 1);
}

static ALWAYS_INLINE uint64_t payload_of(const group_view *g, uint32_t major, uint32_t minor, const enum pair pair) {
    if (pair == PAIR_ONE)
        return major;
    if (pair == PAIR_BANDS)
        return (uint64_t)((const uint16_t *)g->cells)[(uint32_t)(major + minor)] << g->base_bits;
    if (pair == PAIR_DENSE)
        return ((const uint32_t *)g->cells)[(uint32_t)(major + minor)];
    const uint64_t cell = ((const uint64_t *)g->cells)[(uint32_t)(major + minor)];
    const uint32_t owner = (uint32_t)cell & ((1u << OWNER_BITS) - 1);
    return (cell >> OWNER_BITS) & opaque(0 - (uint64_t)(owner == major));
}

static ALWAYS_INLINE uint32_t finish_payload(const group_view *g, uint64_t payload, uint32_t class, uint64_t ports, uint32_t best,
                                             const enum finish finish) {
    if (finish == FINISH_DIRECT)
        return (uint32_t)((const uint16_t *)g->answers)[payload + class] - 1;
    const uint64_t base = payload & (((uint64_t)1 << g->base_bits) - 1), top = payload >> g->base_bits;
    if (finish == FINISH_COMPARE)
        return first_port_rule((const port_rule *)g->answers + base, (uint32_t)top, ports, best);
    if (finish == FINISH_MAPPED)
        class = ((const uint16_t *)g->map)[class];
    const uint32_t shape_place = g->shapes[top * g->classes + class];
    const uint32_t id = ((const uint32_t *)g->answers)[base + shape_place];
    return id | (uint32_t)opaque((uint64_t)((int64_t)shape_place - 1) >> 32); /* place 0: all ones */
}

static ALWAYS_INLINE uint32_t smaller(uint32_t a, uint32_t b) {
    return a < b ? a : b;
}

/* Where the words of a group are: in place[] itself, or in records from there on. */
typedef struct word_places {
    const uint32_t *major, *minor;                 /* place of each packet */
    const uint32_t *major_records, *minor_records; /* of this group */
} word_places;

static ALWAYS_INLINE word_places words_of(const side_view *side, uint32_t g, const block *b) {
    const uint32_t major = side->group[g].major & 1;
    return (word_places){b->place[major], b->place[!major], side->address[major].records + g, side->address[!major].records + g};
}

static ALWAYS_INLINE uint32_t major_word(const word_places *w, unsigned i, const bool only) {
    return only ? w->major[i] : w->major_records[w->major[i]];
}

static ALWAYS_INLINE uint32_t minor_word(const word_places *w, unsigned i, const bool only) {
    return only ? w->minor[i] : w->minor_records[w->minor[i]];
}

static ALWAYS_INLINE void group_pass(const group_view *stored, const word_places *of, const block *b, uint32_t *ids,
                                     const unsigned n, const bool only, const enum pair pair, const enum finish finish) {
    const group_view g = *stored; /* here so that the places of its tables stay in registers */
    const word_places w = *of;
    uint32_t found[BLOCK] LINE_ALIGNED;
    UNROLL(4)
    for (unsigned i = 0; i < n; i++) {
        uint32_t minor = pair == PAIR_ONE ? 0 : minor_word(&w, i, only), class = finish == FINISH_COMPARE ? 0 : b->class[i];
        const uint32_t major = major_word(&w, i, only);
        if (pair == PAIR_BANDS)
            enter_band(&g, &minor, &class);
        const uint64_t ports = finish == FINISH_COMPARE ? b->ports[i] : 0;
        const uint32_t id = finish_payload(&g, payload_of(&g, major, minor, pair), class, ports, only ? NO_ID : ids[i], finish);
        if (only)
            ids[i] = id;
        else
            found[i] = id;
    }
    for (unsigned i = 0; !only && i < n; i++)
        ids[i] = smaller(ids[i], found[i]);
}

static ALWAYS_INLINE void group_of_pair(const group_view *g, const word_places *w, const block *b, uint32_t *ids,
                                        const unsigned n, const bool only, const enum pair pair) {
    switch ((enum finish)g->finish) {
    case FINISH_DIRECT:
        group_pass(g, w, b, ids, n, only, pair, FINISH_DIRECT);
        break;
    case FINISH_SHAPE:
        group_pass(g, w, b, ids, n, only, pair, FINISH_SHAPE);
        break;
    case FINISH_MAPPED:
        group_pass(g, w, b, ids, n, only, pair, FINISH_MAPPED);
        break;
    default:
        group_pass(g, w, b, ids, n, only, pair, FINISH_COMPARE);
    }
}

/* Starts to fetch the cells that the group is going to need. */
static ALWAYS_INLINE void fetch_pass(const group_view *g, const word_places *of, const unsigned n, const bool only) {
    const word_places w = *of;
    const size_t size = g->pair == PAIR_SPARSE ? sizeof(uint64_t) : sizeof(uint32_t);
    const unsigned char *cells = g->cells;
    for (unsigned i = 0; i < n; i++)
        __builtin_prefetch(cells + size * (uint32_t)(major_word(&w, i, only) + minor_word(&w, i, only)));
}

/* The first rule of a list that holds the packet, or best if no rule before that could win does. */
static ALWAYS_INLINE uint32_t scan_list(const list_rule *rule, uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport,
                                        uint8_t protocol, uint32_t best) {
    for (; rule->id < best; rule++)
        if ((src - rule->src <= rule->src_width) & (dst - rule->dst <= rule->dst_width) &
            ((uint16_t)(sport - rule->sport) <= rule->sport_width) & ((uint16_t)(dport - rule->dport) <= rule->dport_width) &
            ((uint16_t)(protocol - rule->protocol) <= rule->protocol_width))
            return rule->id;
    return best;
}

/* Lists come late, when most packets have an answer that no rule of the list can beat. */
static NEVER_INLINE void list_pass(const side_view *side, uint32_t g, const block *b, const side_packets *p, size_t at,
                                   uint32_t *ids, unsigned n) {
    const list_rule *rules = side->group[g].answers;
    const uint32_t groups = side->groups, first = side->group[g].first;
    const word_places w = words_of(side, g, b);
    for (unsigned i = 0; i < n; i++)
        if (ids[i] > first)
            __builtin_prefetch(rules + major_word(&w, i, false));
    for (unsigned i = 0; i < n; i++)
        if (ids[i] > first)
            ids[i] = scan_list(rules + major_word(&w, i, false), b->place[SRC][i] / groups, b->place[DST][i] / groups,
                               p->sport[at + i], p->dport[at + i], p->protocol[at + i], ids[i]);
}

static ALWAYS_INLINE void whole_group(const side_view *side, uint32_t k, const block *b, uint32_t *ids, const unsigned n,
                                      const bool only) {
    const group_view *g = &side->group[k];
    const word_places w = words_of(side, k, b);
    if (only && g->large && g->pair != PAIR_ONE && g->pair != PAIR_BANDS)
        fetch_pass(g, &w, n, only);
    switch ((enum pair)g->pair) {
    case PAIR_ONE:
        group_of_pair(g, &w, b, ids, n, only, PAIR_ONE);
        break;
    case PAIR_DENSE:
        group_of_pair(g, &w, b, ids, n, only, PAIR_DENSE);
        break;
    case PAIR_BANDS:
        group_pass(g, &w, b, ids, n, only, PAIR_BANDS, FINISH_DIRECT);
        break;
    default:
        group_of_pair(g, &w, b, ids, n, only, PAIR_SPARSE);
    }
}

/* Ways of a whole block */

static ALWAYS_INLINE void address_passes(const side_view *side, const side_packets *p, size_t at, block *b, const unsigned n,
                                         const enum family family, const bool only) {
    if (family == IPV4) {
        address_pass4(&side->address[SRC], p->src4 + at, side->groups, b->place[SRC], n, only, false);
        address_pass4(&side->address[DST], p->dst4 + at, side->groups, b->place[DST], n, only, false);
    } else {
        address_pass6(&side->address[SRC], p->src6 + 16 * at, side->groups, b->place[SRC], n, only);
        address_pass6(&side->address[DST], p->dst6 + 16 * at, side->groups, b->place[DST], n, only);
    }
    if (side->needs_class)
        class_pass(&side->ports, p, at, b->class, n);
    if (side->needs_ports)
        ports_pass(p, at, b->ports, n);
}

/* A side of one group with dense cells is what small sets have, and there every store that a later pass loads again counts. So
 * the last line of the search for the destination, the port class, cell and answer are one pass. (The source's line, too, would
 * take more registers for the places of tables than there are.) */
static ALWAYS_INLINE void last_pass(const side_view *side, const uint32_t *dst4, const block *b, uint32_t *ids, const unsigned n,
                                    const enum pair pair, const enum finish finish, const bool dst_line) {
    const group_view g = side->group[0];
    const uint32_t *lines = side->address[DST].level[0], *records = side->address[DST].records;
    const uint16_t *classes = side->ports.classes;
    UNROLL(4)
    for (unsigned i = 0; i < n; i++) {
        const size_t first = b->place[DST][i];
        uint32_t dst = dst_line ? records[first + line4(lines + first, dst4[i])] : (uint32_t)first;
        uint32_t class = classes[b->class[i]];
        if (pair == PAIR_BANDS)
            enter_band(&g, &dst, &class);
        ids[i] = finish_payload(&g, payload_of(&g, b->place[SRC][i], dst, pair), class, 0, NO_ID, finish);
    }
}

static ALWAYS_INLINE void last_pass_of(const side_view *side, const uint32_t *dst4, const block *b, uint32_t *ids,
                                       const unsigned n, const bool dst_line) {
    if (side->group[0].pair == PAIR_BANDS)
        last_pass(side, dst4, b, ids, n, PAIR_BANDS, FINISH_DIRECT, dst_line);
    else if (side->group[0].finish == FINISH_DIRECT)
        last_pass(side, dst4, b, ids, n, PAIR_DENSE, FINISH_DIRECT, dst_line);
    else
        last_pass(side, dst4, b, ids, n, PAIR_DENSE, FINISH_SHAPE, dst_line);
}

static ALWAYS_INLINE void dense_block4(const side_view *side, const side_packets *p, size_t at, block *b, uint32_t *ids,
                                       const unsigned n) {
    const uint32_t *dst4 = p->dst4 + at;
    address_pass4(&side->address[SRC], p->src4 + at, 1, b->place[SRC], n, true, false);
    const bool dst_line = address_pass4(&side->address[DST], dst4, 1, b->place[DST], n, true, true);
    port_cells(&side->ports, p, at, b->class, n);
    if (dst_line)
        last_pass_of(side, dst4, b, ids, n, true);
    else
        last_pass_of(side, dst4, b, ids, n, false);
}

static ALWAYS_INLINE void classify_block(const side_view *side, const side_packets *p, size_t at, uint32_t *ids, const unsigned n,
                                         const enum family family) {
    block b;
    if (side->groups == 1 && !side->needs_interval) {
        const group_view *g = &side->group[0];
        if (family == IPV4 && side->dense && (g->finish == FINISH_DIRECT || !g->large)) {
            dense_block4(side, p, at, &b, ids, n);
            return;
        }
        address_passes(side, p, at, &b, n, family, true);
        whole_group(side, 0, &b, ids, n, true);
        return;
    }
    memset(ids, 0xff, n * sizeof *ids); /* NO_ID */
    if (side->groups == 0)
        return;
    address_passes(side, p, at, &b, n, family, false);
    for (uint32_t k = 0; k < side->groups; k++)
        if (side->group[k].large && (side->group[k].pair == PAIR_DENSE || side->group[k].pair == PAIR_SPARSE)) {
            const word_places w = words_of(side, k, &b);
            fetch_pass(&side->group[k], &w, n, false);
        }
    for (uint32_t k = 0; k < side->groups; k++)
        if (side->group[k].pair == PAIR_LIST)
            list_pass(side, k, &b, p, at, ids, n);
        else
            whole_group(side, k, &b, ids, n, false);
}

static NEVER_INLINE void whole_block4(const side_view *side, const side_packets *p, size_t at, uint32_t *ids) {
    classify_block(side, p, at, ids, BLOCK, IPV4);
}

static NEVER_INLINE void half_block4(const side_view *side, const side_packets *p, size_t at, uint32_t *ids) {
    classify_block(side, p, at, ids, HALF_BLOCK, IPV4);
}

static NEVER_INLINE void whole_block6(const side_view *side, const side_packets *p, size_t at, uint32_t *ids) {
    classify_block(side, p, at, ids, BLOCK, IPV6);
}

static NEVER_INLINE void half_block6(const side_view *side, const side_packets *p, size_t at, uint32_t *ids) {
    classify_block(side, p, at, ids, HALF_BLOCK, IPV6);
}

/* One packet
 *
 * Its loads depend on each other, so most of its time is waiting, and that is overlapped with packets of later calls as far as
 * the processor sees ahead: so many instructions, not so many packets. What counts is how few instructions a packet takes. */

static ALWAYS_INLINE size_t interval4(const address_view *view, uint32_t x) {
    size_t first = 0;
    KEEP_ROLLED
    for (const void *const *level = view->level + view->levels - 1; level > view->level; level--)
        first = (first + line4((const uint32_t *)*level + first, x)) * LINE4;
    const uint32_t *lines = view->level[0];
    return first + line4(lines + first, x);
}

static ALWAYS_INLINE size_t interval6(const address_view *view, key x) {
    size_t first = 0;
    const uint64_t word = view->fold ? key_of_address(view->fold, x) : x.high;
    KEEP_ROLLED
    for (const void *const *level = view->level + view->levels - 1; level > view->level; level--)
        first = (first + line6((const uint64_t *)*level + first, word)) * LINE6;
    const uint64_t *lines = view->level[0];
    if (view->fold)
        return first + line6(lines + first, word);
    return finish_search6(view, (uint32_t)first + line6(lines + first, word), x.high, x.low, false);
}

static ALWAYS_INLINE uint32_t port_interval(const port_view *view, unsigned axis, uint16_t port) {
    if (view->narrow[axis])
        return view->narrow[axis][port];
    return view->wide[axis] ? view->wide[axis][port] : few_ports(view->ends[axis], port);
}

static ALWAYS_INLINE uint32_t port_class(const port_view *view, uint64_t ports) {
    const uint32_t sport = port_interval(view, 0, (uint16_t)ports), dport = port_interval(view, 1, (uint16_t)(ports >> 16));
    const uint32_t row = sport * view->intervals[1] + dport;
    return view->classes[row * view->protocols + view->protocol[(uint8_t)(ports >> 32)]];
}

static ALWAYS_INLINE uint32_t match_payload(const group_view *g, uint64_t payload, uint32_t class, uint64_t ports, uint32_t best,
                                            const bool classes_only) {
    if (g->finish == FINISH_DIRECT)
        return finish_payload(g, payload, class, ports, best, FINISH_DIRECT);
    if (g->finish == FINISH_SHAPE)
        return finish_payload(g, payload, class, ports, best, FINISH_SHAPE);
    if (classes_only || g->finish == FINISH_MAPPED)
        return finish_payload(g, payload, class, ports, best, FINISH_MAPPED);
    return finish_payload(g, payload, class, ports, best, FINISH_COMPARE);
}

/* What is left when the intervals are known. */
static ALWAYS_INLINE uint32_t match_groups(const side_view *side, size_t src, size_t dst, uint64_t ports,
                                           const bool classes_only) {
    const uint32_t groups = side->groups;
    const uint32_t *src_words = side->address[SRC].records + src * groups;
    const uint32_t *dst_words = side->address[DST].records + dst * groups;
    const uint32_t class = classes_only || side->needs_class ? port_class(&side->ports, ports) : 0;
    uint32_t best = NO_ID;
    for (uint32_t k = 0; k < groups; k++) {
        const group_view *g = &side->group[k];
        const uint32_t major = g->major == SRC ? src_words[k] : dst_words[k],
                       minor = g->major == SRC ? dst_words[k] : src_words[k];
        uint32_t id;
        if (!classes_only && g->pair == PAIR_LIST)
            id = scan_list((const list_rule *)g->answers + major, (uint32_t)src, (uint32_t)dst, (uint16_t)ports,
                           (uint16_t)(ports >> 16), (uint8_t)(ports >> 32), best);
        else if (g->pair == PAIR_DENSE)
            id = match_payload(g, payload_of(g, major, minor, PAIR_DENSE), class, ports, best, classes_only);
        else if (g->pair == PAIR_SPARSE)
            id = match_payload(g, payload_of(g, major, minor, PAIR_SPARSE), class, ports, best, classes_only);
        else
            id = match_payload(g, major, class, ports, best, classes_only);
        best = smaller(best, id);
    }
    return best;
}

static ALWAYS_INLINE uint32_t match_dense(const side_view *side, size_t src, size_t dst, uint64_t ports) {
    const group_view *g = &side->group[0];
    const uint32_t major = side->address[SRC].records[src];
    uint32_t minor = side->address[DST].records[dst], class = port_class(&side->ports, ports);
    if (g->pair == PAIR_BANDS) {
        enter_band(g, &minor, &class);
        return finish_payload(g, payload_of(g, major, minor, PAIR_BANDS), class, ports, NO_ID, FINISH_DIRECT);
    }
    const uint64_t payload = payload_of(g, major, minor, PAIR_DENSE);
    return g->finish == FINISH_DIRECT ? finish_payload(g, payload, class, ports, NO_ID, FINISH_DIRECT)
                                      : finish_payload(g, payload, class, ports, NO_ID, FINISH_SHAPE);
}

static NEVER_INLINE uint32_t match_any4(const side_view *side, uint32_t src, uint32_t dst, uint64_t ports) {
    return match_groups(side, interval4(&side->address[SRC], src), interval4(&side->address[DST], dst), ports, false);
}

static NEVER_INLINE uint32_t match_classes4(const side_view *side, uint32_t src, uint32_t dst, uint64_t ports) {
    return match_groups(side, interval4(&side->address[SRC], src), interval4(&side->address[DST], dst), ports, true);
}

static uint32_t match4(const side_view *side, uint32_t src, uint32_t dst, uint64_t ports) {
    if (side->needs_interval || side->needs_ports)
        return match_any4(side, src, dst, ports);
    if (!side->dense)
        return match_classes4(side, src, dst, ports);
    return match_dense(side, interval4(&side->address[SRC], src), interval4(&side->address[DST], dst), ports);
}

static NEVER_INLINE uint32_t match_any6(const side_view *side, key src, key dst, uint64_t ports) {
    return match_groups(side, interval6(&side->address[SRC], src), interval6(&side->address[DST], dst), ports, false);
}

static NEVER_INLINE uint32_t match_classes6(const side_view *side, key src, key dst, uint64_t ports) {
    return match_groups(side, interval6(&side->address[SRC], src), interval6(&side->address[DST], dst), ports, true);
}

static uint32_t match6(const side_view *side, key src, key dst, uint64_t ports) {
    if (side->needs_interval || side->needs_ports)
        return match_any6(side, src, dst, ports);
    if (!side->dense)
        return match_classes6(side, src, dst, ports);
    return match_dense(side, interval6(&side->address[SRC], src), interval6(&side->address[DST], dst), ports);
}

static NEVER_INLINE void classify_singles(const side_view *side, const side_packets *p, size_t at, size_t n, uint32_t *ids,
                                          const enum family family) {
    for (size_t i = at; i < at + n; i++) {
        const uint64_t ports = ports_word(p->sport[i], p->dport[i], p->protocol[i]);
        ids[i - at] = family == IPV4
                          ? match4(side, p->src4[i], p->dst4[i], ports)
                          : match6(side, key_from_network(p->src6 + 16 * i), key_from_network(p->dst6 + 16 * i), ports);
    }
}

/* What is left of a call is taken out of its columns, so that nothing behind their ends is read. */
static NEVER_INLINE void classify_rest(const side_view *side, const side_packets *p, size_t at, size_t n, uint32_t *ids,
                                       const enum family family) {
    uint32_t src4[HALF_BLOCK] = {0}, dst4[HALF_BLOCK] = {0}, found[HALF_BLOCK] LINE_ALIGNED;
    uint8_t src6[HALF_BLOCK * 16] = {0}, dst6[HALF_BLOCK * 16] = {0}, protocol[HALF_BLOCK] = {0};
    uint16_t sport[HALF_BLOCK] = {0}, dport[HALF_BLOCK] = {0};
    if (family == IPV4) {
        memcpy(src4, p->src4 + at, n * sizeof *src4);
        memcpy(dst4, p->dst4 + at, n * sizeof *dst4);
    } else {
        memcpy(src6, p->src6 + 16 * at, n * 16);
        memcpy(dst6, p->dst6 + 16 * at, n * 16);
    }
    memcpy(sport, p->sport + at, n * sizeof *sport);
    memcpy(dport, p->dport + at, n * sizeof *dport);
    memcpy(protocol, p->protocol + at, n * sizeof *protocol);
    const side_packets rest = {
        .src4 = src4, .dst4 = dst4, .src6 = src6, .dst6 = dst6, .sport = sport, .dport = dport, .protocol = protocol};
    if (family == IPV4)
        half_block4(side, &rest, 0, found);
    else
        half_block6(side, &rest, 0, found);
    memcpy(ids, found, n * sizeof *ids);
}

static void classify4(const side_view *side, const side_packets *p, size_t n, uint32_t *ids) {
    size_t i = 0;
    for (; n - i >= BLOCK; i += BLOCK)
        whole_block4(side, p, i, ids + i);
    for (; n - i >= HALF_BLOCK; i += HALF_BLOCK)
        half_block4(side, p, i, ids + i);
    if (side->groups && n - i <= SINGLES)
        classify_singles(side, p, i, n - i, ids + i, IPV4);
    else if (i < n)
        classify_rest(side, p, i, n - i, ids + i, IPV4);
}

static void classify6(const side_view *side, const side_packets *p, size_t n, uint32_t *ids) {
    size_t i = 0;
    for (; n - i >= BLOCK; i += BLOCK)
        whole_block6(side, p, i, ids + i);
    for (; n - i >= HALF_BLOCK; i += HALF_BLOCK)
        half_block6(side, p, i, ids + i);
    if (side->groups && n - i <= SINGLES)
        classify_singles(side, p, i, n - i, ids + i, IPV6);
    else if (i < n)
        classify_rest(side, p, i, n - i, ids + i, IPV6);
}

#endif
