/* Tuple space search with tuples in order of their best row: tuple_space ROWS PACKETS rule|action
 *
 * Srinivasan, Suri, Varghese: Packet classification using tuple space search, SIGCOMM 1999; the order, and the early end it
 * allows, are those of Open vSwitch. A tuple is the number of leading bits that all addresses of a row share on either side, and
 * whether the ports and the protocol are one value. Rows of a tuple with equal values there share an entry of its hash table and
 * lie side by side, best first; each is compared in full, so any range is answered exactly. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

#define ALWAYS_INLINE inline __attribute__((always_inline))

enum { MOST_WORDS = 5 }; /* of a key: two or four of addresses, one of ports and protocol */

typedef struct box {
    uint64_t src_lo[2], src_hi[2], dst_lo[2], dst_hi[2];
    uint16_t sport_lo, sport_hi, dport_lo, dport_hi;
    uint8_t protocol_lo, protocol_hi, action;
    bool last; /* of its entry */
    uint32_t row;
} box;

typedef struct slot {
    uint32_t tag;   /* part of the hash */
    uint32_t first; /* box, plus one; 0 where the slot is free */
} slot;

typedef struct tuple {
    uint64_t mask[MOST_WORDS];
    uint32_t best; /* row */
    uint32_t slot_mask;
    slot *slots;
} tuple;

typedef struct state {
    const bench_input *input;
    tuple *tuples;
    size_t tuple_count, bytes;
    box *boxes;
    slot *free_slots; /* while building */
    uint32_t *answers;
} state;

static ALWAYS_INLINE size_t words_of(int family) {
    return family == 4 ? 2 : 5;
}

static ALWAYS_INLINE void key_of(uint64_t key[MOST_WORDS], int family, const uint64_t src[2], const uint64_t dst[2],
                                 uint16_t sport, uint16_t dport, uint8_t protocol) {
    const uint64_t rest = (uint64_t)sport << 32 | (uint64_t)dport << 16 | protocol;
    if (family == 4) {
        key[0] = src[1] << 32 | dst[1], key[1] = rest;
        return;
    }
    key[0] = src[0], key[1] = src[1], key[2] = dst[0], key[3] = dst[1], key[4] = rest;
}

static ALWAYS_INLINE uint64_t hash_of(const uint64_t *key, const uint64_t *mask, size_t words) {
    uint64_t hash = 0x9E3779B97F4A7C15u;
    for (size_t w = 0; w < words; w++) {
        hash = (hash ^ (key[w] & mask[w])) * 0xD6E8FEB86659FD93u;
        hash ^= hash >> 32;
    }
    return hash;
}

static ALWAYS_INLINE bool within(const uint64_t lo[2], const uint64_t hi[2], const uint64_t value[2], int family) {
    if (family == 4)
        return value[1] - lo[1] <= hi[1] - lo[1];
    typedef unsigned __int128 wide;
    const wide low = (wide)lo[0] << 64 | lo[1], high = (wide)hi[0] << 64 | hi[1], v = (wide)value[0] << 64 | value[1];
    return v - low <= high - low;
}

/* The best box of one packet, or NULL. */
static ALWAYS_INLINE const box *look_up(const state *s, int family, const uint64_t src[2], const uint64_t dst[2], uint16_t sport,
                                        uint16_t dport, uint8_t protocol) {
    uint64_t key[MOST_WORDS];
    key_of(key, family, src, dst, sport, dport, protocol);
    const box *found = NULL;
    uint32_t best = UINT32_MAX;
    for (size_t t = 0; t < s->tuple_count && s->tuples[t].best < best; t++) {
        const tuple *here = &s->tuples[t];
        const uint64_t hash = hash_of(key, here->mask, words_of(family));
        for (uint32_t at = (uint32_t)hash & here->slot_mask; here->slots[at].first; at = (at + 1) & here->slot_mask) {
            if (here->slots[at].tag != (uint32_t)(hash >> 32))
                continue;
            for (const box *b = &s->boxes[here->slots[at].first - 1]; b->row < best; b++) {
                if (within(b->src_lo, b->src_hi, src, family) && within(b->dst_lo, b->dst_hi, dst, family) &&
                    (uint16_t)(sport - b->sport_lo) <= (uint16_t)(b->sport_hi - b->sport_lo) &&
                    (uint16_t)(dport - b->dport_lo) <= (uint16_t)(b->dport_hi - b->dport_lo) &&
                    (uint8_t)(protocol - b->protocol_lo) <= (uint8_t)(b->protocol_hi - b->protocol_lo)) {
                    found = b, best = b->row;
                    break;
                }
                if (b->last)
                    break;
            }
        }
    }
    return found;
}

static uint64_t word(const uint8_t *bytes) { /* network order */
    uint64_t value;
    memcpy(&value, bytes, 8);
    return __builtin_bswap64(value);
}

static ALWAYS_INLINE void run_family(const state *s, size_t packets, int family) {
    const bench_input *in = s->input;
    for (size_t i = 0; i < packets; i++) {
        uint64_t src[2] = {0}, dst[2] = {0};
        if (family == 4) {
            src[1] = ((const uint32_t *)(const void *)in->src)[i], dst[1] = ((const uint32_t *)(const void *)in->dst)[i];
        } else {
            src[0] = word(in->src + 16 * i), src[1] = word(in->src + 16 * i + 8);
            dst[0] = word(in->dst + 16 * i), dst[1] = word(in->dst + 16 * i + 8);
        }
        const box *found = look_up(s, family, src, dst, in->sport[i], in->dport[i], in->protocol[i]);
        s->answers[i] = found == NULL ? 0 : in->actions ? found->action : found->row + 1;
    }
}

static void run(void *context, size_t packets, size_t call) {
    const state *s = context;
    (void)call; /* there is nothing that a call would do once */
    if (s->input->family == 4)
        run_family(s, packets, 4);
    else
        run_family(s, packets, 6);
}

/* Ones where lo and hi agree from the front on. */
static void common_mask(const uint64_t lo[2], const uint64_t hi[2], int family, uint64_t mask[2]) {
    mask[0] = mask[1] = 0;
    for (int w = family == 4 ? 1 : 0; w < 2; w++) {
        const uint64_t differ = lo[w] ^ hi[w];
        mask[w] = differ == 0 ? ~(uint64_t)0 : ~(~(uint64_t)0 >> __builtin_clzll(differ));
        if (differ)
            break;
    }
    if (family == 4)
        mask[1] &= UINT32_MAX;
}

static void mask_of(const pastore_row *row, uint64_t mask[MOST_WORDS]) {
    uint64_t src[2], dst[2];
    common_mask(row->src_lo, row->src_hi, row->family, src);
    common_mask(row->dst_lo, row->dst_hi, row->family, dst);
    key_of(mask, row->family, src, dst, row->sport_lo == row->sport_hi ? UINT16_MAX : 0,
           row->dport_lo == row->dport_hi ? UINT16_MAX : 0, row->protocol_lo == row->protocol_hi ? UINT8_MAX : 0);
}

/* Rows in order of their tuple, then their values there, then their place in the list. */
typedef struct sorted {
    uint64_t mask[MOST_WORDS], value[MOST_WORDS];
    uint32_t row;
} sorted;

static int in_order(const void *left, const void *right) {
    const sorted *a = left, *b = right;
    for (size_t w = 0; w < MOST_WORDS; w++)
        if (a->mask[w] != b->mask[w])
            return a->mask[w] < b->mask[w] ? -1 : 1;
    for (size_t w = 0; w < MOST_WORDS; w++)
        if (a->value[w] != b->value[w])
            return a->value[w] < b->value[w] ? -1 : 1;
    return a->row < b->row ? -1 : 1;
}

static int by_best(const void *left, const void *right) {
    const tuple *a = left, *b = right;
    return a->best < b->best ? -1 : a->best > b->best;
}

static box box_of(const pastore_row *row, uint32_t number) {
    box b = {.sport_lo = row->sport_lo,
             .sport_hi = row->sport_hi,
             .dport_lo = row->dport_lo,
             .dport_hi = row->dport_hi,
             .protocol_lo = row->protocol_lo,
             .protocol_hi = row->protocol_hi,
             .action = row->action,
             .row = number};
    memcpy(b.src_lo, row->src_lo, 16), memcpy(b.src_hi, row->src_hi, 16);
    memcpy(b.dst_lo, row->dst_lo, 16), memcpy(b.dst_hi, row->dst_hi, 16);
    return b;
}

/* The hash table of rows first to end, which are one tuple. */
static tuple make_tuple(state *s, const sorted *rows, size_t first, size_t end) {
    const size_t words = words_of(s->input->family);
    tuple made = {.best = UINT32_MAX, .slot_mask = 3};
    memcpy(made.mask, rows[first].mask, sizeof made.mask);
    while (made.slot_mask < 2 * (end - first))
        made.slot_mask = 2 * made.slot_mask + 1;
    made.slots = s->free_slots;
    s->free_slots += made.slot_mask + (size_t)1;
    s->bytes += (made.slot_mask + (size_t)1) * sizeof *made.slots;
    for (size_t i = first; i < end; i++) {
        s->boxes[i] = box_of(&s->input->rows[rows[i].row], rows[i].row);
        s->boxes[i].last = i + 1 == end || memcmp(rows[i].value, rows[i + 1].value, sizeof rows[i].value) != 0;
        if (rows[i].row < made.best)
            made.best = rows[i].row;
        if (i > first && memcmp(rows[i].value, rows[i - 1].value, sizeof rows[i].value) == 0)
            continue;
        const uint64_t hash = hash_of(rows[i].value, made.mask, words);
        uint32_t at = (uint32_t)hash & made.slot_mask;
        while (made.slots[at].first)
            at = (at + 1) & made.slot_mask;
        made.slots[at] = (slot){(uint32_t)(hash >> 32), (uint32_t)i + 1};
    }
    return made;
}

static void build(state *s) {
    const bench_input *in = s->input;
    sorted *rows = calloc(in->row_count + 1, sizeof *rows);
    s->boxes = bench_memory(in->row_count * sizeof *s->boxes);
    s->tuples = calloc(in->row_count + 1, sizeof *s->tuples);
    s->free_slots = bench_memory(4 * in->row_count * sizeof *s->free_slots); /* half full at most, a power of two */
    if (!rows || !s->tuples)
        bench_fail(3, "out of memory");
    for (size_t i = 0; i < in->row_count; i++) {
        const pastore_row *row = &in->rows[i];
        mask_of(row, rows[i].mask);
        key_of(rows[i].value, row->family, row->src_lo, row->dst_lo, row->sport_lo, row->dport_lo, row->protocol_lo);
        for (size_t w = 0; w < MOST_WORDS; w++)
            rows[i].value[w] &= rows[i].mask[w];
        rows[i].row = (uint32_t)i;
    }
    qsort(rows, in->row_count, sizeof *rows, in_order);
    for (size_t first = 0, end; first < in->row_count; first = end) {
        for (end = first + 1; end < in->row_count && memcmp(rows[end].mask, rows[first].mask, sizeof rows[end].mask) == 0;)
            end++;
        s->tuples[s->tuple_count++] = make_tuple(s, rows, first, end);
    }
    qsort(s->tuples, s->tuple_count, sizeof *s->tuples, by_best);
    s->bytes += in->row_count * sizeof *s->boxes + s->tuple_count * sizeof *s->tuples;
    free(rows);
}

static const char *choose(void *context, const char *variant, size_t call) {
    (void)context, (void)call;
    return strcmp(variant, "single") == 0 ? NULL : "no such variant";
}

int main(int argc, char **argv) {
    if (argc != 4)
        bench_fail(2, "usage: tuple_space ROWS PACKETS rule|action");
    const bench_input input = bench_read(argv[1], argv[2], argv[3]);
    for (size_t i = 0; i < input.row_count; i++)
        if (input.rows[i].family != input.family)
            bench_fail(2, "rows and packets are of different families");
    state s = {.input = &input};
    const size_t huge_before = bench_transparent_kb();
    const double start = bench_now();
    build(&s);
    const double seconds = bench_now() - start;
    const size_t huge_kb = bench_transparent_kb() - huge_before;
    s.answers = bench_memory(input.packet_count * sizeof *s.answers);
    char how[32];
    snprintf(how, sizeof how, "%zu tuples", s.tuple_count);
    bench_ready("tuple space", &input, seconds, s.bytes, huge_kb, how);
    const bench_peer peer = {.state = &s, .choose = choose, .run = run, .answers = s.answers, .answer_width = 4};
    return bench_serve(&peer, &input);
}
