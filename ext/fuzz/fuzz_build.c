/* libFuzzer entry point of the compiler: any rows at all, in any layout and for any instruction set, must compile into a table
 * that keeps its own invariants and judges packets at the bounds of its rows as the row list does, alone and together.
 *
 *     clang -g -fsanitize=fuzzer,address,undefined -Iext/core ext/fuzz/fuzz_build.c ext/core/[!f]*.c
 */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pastore.h"

enum { MOST_ROWS = 96, PACKETS = 128 };

static const char *const LAYOUTS[] = {NULL,           "one/direct", "one/shape", "two",    "four/small", "four/large",
                                      "four/compare", "lists",      "bits",      "linear", "one/bands"};
static const char *const SETS[] = {"scalar", "avx2", "avx512"};

static void require(int condition) {
    if (!condition)
        abort();
}

/* Bytes of the input, and zeros when they have run out. */
typedef struct input {
    const uint8_t *next, *end;
} input;

static uint8_t byte(input *in) {
    return in->next < in->end ? *in->next++ : 0;
}

/* A value of `bits` bits that crowds at few places, so that ranges touch and repeat: the byte says the place and what is added.
 */
static uint64_t crowded(uint8_t from, unsigned bits) {
    const uint64_t all = bits == 64 ? UINT64_MAX : ((uint64_t)1 << bits) - 1;
    const uint64_t places[] = {0, all / 3, all / 2, all / 7 * 5, all - 15, (uint64_t)1 << (bits / 2), all - (all >> 4), all >> 8};
    return (places[from >> 5] + (from & 15)) & all;
}

static void order(uint64_t *lo, uint64_t *hi) {
    if (*lo > *hi) {
        const uint64_t swapped = *lo;
        *lo = *hi;
        *hi = swapped;
    }
}

static void ports(input *in, uint16_t *lo, uint16_t *hi) {
    uint64_t a = crowded(byte(in), 16), b = crowded(byte(in), 16);
    order(&a, &b);
    *lo = (uint16_t)a;
    *hi = (uint16_t)b;
}

/* A range of addresses. Of IPv6 both words may differ. */
static void addresses(input *in, int family, uint64_t lo[2], uint64_t hi[2]) {
    const uint8_t a = byte(in), b = byte(in);
    lo[0] = hi[0] = 0;
    if (family == 4) {
        lo[1] = crowded(a, 32);
        hi[1] = a == 255 ? UINT32_MAX : crowded(b, 32);
        order(&lo[1], &hi[1]);
        return;
    }
    const uint8_t words = byte(in);
    lo[0] = crowded(a, 64);
    hi[0] = words & 1 ? lo[0] : crowded(b, 64);
    order(&lo[0], &hi[0]);
    lo[1] = words & 2 ? crowded(words, 64) : 0;
    hi[1] = words & 4 ? crowded(b ^ words, 64) : UINT64_MAX;
    if (lo[0] == hi[0])
        order(&lo[1], &hi[1]);
}

static size_t rows_of(input *in, pastore_row *rows) {
    size_t n = 0;
    for (; n < MOST_ROWS && in->next < in->end; n++) {
        pastore_row *row = &rows[n];
        const uint8_t kinds = byte(in), protocol = byte(in);
        memset(row, 0, sizeof *row);
        row->family = kinds & 1 ? 6 : 4;
        row->direction = kinds >> 1 & 3;
        row->direction = row->direction > PASTORE_BOTH ? PASTORE_BOTH : row->direction;
        row->interface = kinds >> 3 & 3;
        row->interface = row->interface > PASTORE_ALL ? PASTORE_ALL : row->interface;
        row->action = (uint8_t)(1 + (kinds >> 5) % 3);
        row->protocol_lo = protocol & 1 ? 0 : protocol;
        row->protocol_hi = protocol & 1 ? 255 : protocol;
        addresses(in, row->family, row->src_lo, row->src_hi);
        addresses(in, row->family, row->dst_lo, row->dst_hi);
        ports(in, &row->sport_lo, &row->sport_hi);
        ports(in, &row->dport_lo, &row->dport_hi);
        row->rank = (int32_t)n;
    }
    return n;
}

static uint32_t draw(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* One of the two ends, or a step beyond. */
static uint64_t near(uint64_t lo, uint64_t hi, uint32_t *state) {
    const uint32_t r = draw(state);
    return (r & 1 ? lo : hi) + (r >> 1) % 3 - 1;
}

static void to_network(uint64_t high, uint64_t low, uint8_t *bytes) {
    for (unsigned i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(high >> (56 - 8 * i));
        bytes[8 + i] = (uint8_t)(low >> (56 - 8 * i));
    }
}

/* Packets at the bounds of rows: source of one, destination of another as often as not. */
static void judge(const pastore_table *table, const pastore_row *rows, size_t n, int numbered) {
    static uint32_t src[PACKETS], dst[PACKETS];
    static uint8_t src6[16 * PACKETS], dst6[16 * PACKETS], protocol[PACKETS], direction[PACKETS], interface[PACKETS];
    static uint16_t sport[PACKETS], dport[PACKETS];
    uint32_t state = (uint32_t)n * 2654435761u;
    for (size_t i = 0; i < PACKETS; i++) {
        const pastore_row *a = &rows[draw(&state) % n], *b = draw(&state) & 1 ? a : &rows[draw(&state) % n];
        src[i] = (uint32_t)near(a->src_lo[1], a->src_hi[1], &state);
        dst[i] = (uint32_t)near(b->dst_lo[1], b->dst_hi[1], &state);
        to_network(near(a->src_lo[0], a->src_hi[0], &state), near(a->src_lo[1], a->src_hi[1], &state), src6 + 16 * i);
        to_network(near(b->dst_lo[0], b->dst_hi[0], &state), near(b->dst_lo[1], b->dst_hi[1], &state), dst6 + 16 * i);
        sport[i] = (uint16_t)near(a->sport_lo, a->sport_hi, &state);
        dport[i] = (uint16_t)near(b->dport_lo, b->dport_hi, &state);
        protocol[i] = (uint8_t)near(a->protocol_lo, a->protocol_hi, &state);
        direction[i] = draw(&state) & 1;
        interface[i] = draw(&state) & 1;
    }
    const pastore_columns4 c4 = {src, dst, protocol, sport, dport, direction, interface, 0, 0};
    const pastore_columns6 c6 = {src6, dst6, protocol, sport, dport, direction, interface, 0, 0};
    for (int family = 4; family <= 6; family += 2) {
        uint8_t fast[PACKETS], slow[PACKETS];
        int32_t found[PACKETS] = {0}, right[PACKETS] = {0};
        int32_t *fast_index = numbered ? found : NULL, *slow_index = numbered ? right : NULL;
        if (family == 4) {
            require(pastore_classify4(table, &c4, PACKETS, fast, fast_index, NULL) == PASTORE_OK);
            require(pastore_scan4(table, &c4, PACKETS, slow, slow_index, NULL) == PASTORE_OK);
        } else {
            require(pastore_classify6(table, &c6, PACKETS, fast, fast_index, NULL) == PASTORE_OK);
            require(pastore_scan6(table, &c6, PACKETS, slow, slow_index, NULL) == PASTORE_OK);
        }
        require(memcmp(fast, slow, sizeof fast) == 0 && memcmp(found, right, sizeof found) == 0);
        for (size_t i = 0; i < PACKETS; i++) {
            uint8_t action;
            int32_t index = right[i];
            if (family == 4) {
                const pastore_packet4 p = {src[i], dst[i], sport[i], dport[i], protocol[i], direction[i], interface[i]};
                require(pastore_match4(table, &p, &action, numbered ? &index : NULL) == PASTORE_OK);
            } else {
                pastore_packet6 p = {.sport = sport[i],
                                     .dport = dport[i],
                                     .protocol = protocol[i],
                                     .direction = direction[i],
                                     .interface = interface[i]};
                memcpy(p.src, src6 + 16 * i, 16);
                memcpy(p.dst, dst6 + 16 * i, 16);
                require(pastore_match6(table, &p, &action, numbered ? &index : NULL) == PASTORE_OK);
            }
            require(action == slow[i] && index == right[i]);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static pastore_row rows[MOST_ROWS];
    input in = {data, data + size};
    const uint8_t how = byte(&in), limit = byte(&in);
    const size_t n = rows_of(&in, rows);
    if (n == 0)
        return 0;
    const pastore_options options = {.memory_limit = limit ? (size_t)limit << 10 : 0,
                                     .verdict = how & 1,
                                     .layout = LAYOUTS[(how >> 3) % (sizeof LAYOUTS / sizeof *LAYOUTS)]};
    require(setenv("PASTORE_ISA", SETS[(how >> 1) % 3], 1) == 0);
    pastore_table *table = NULL;
    const int error = pastore_build(rows, n, &options, &table, NULL);
    require(error == PASTORE_OK || (error == PASTORE_ERROR_MEMORY_LIMIT && limit));
    if (error)
        return 0;
    const char *broken = NULL;
    if (pastore_check(table, &broken) != PASTORE_OK) {
        fprintf(stderr, "does not hold: %s\n", broken);
        abort();
    }
    judge(table, rows, n, !options.verdict);
    pastore_close(table);
    return 0;
}
