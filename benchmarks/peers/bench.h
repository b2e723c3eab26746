/* What the programs that are measured share: the same input files, the same clock, the same commands.
 *
 * A program is started with a file of rows and one of packets, builds its structure, says so on one line, and then obeys lines of
 *
 *     measure VARIANT CALL ROUNDS PACKETS
 *
 * : judge the first PACKETS packets, CALL of them a call, one round to warm up and ROUNDS by the clock, or fewer when three
 * seconds are over. The answer is one line of JSON with the seconds of every round and a checksum over all answers. So any number
 * of programs can hold the same rows at the same time, and take turns at the clock without building anything twice.
 */
#ifndef PASTORE_BENCH_H
#define PASTORE_BENCH_H

#include <stddef.h>
#include <stdint.h>

#include "pastore.h"

typedef struct bench_input {
    pastore_row *rows;
    size_t row_count;
    int family;
    size_t packet_count;
    const uint8_t *src, *dst; /* 4 bytes a packet in host order, or 16 in network order */
    const uint16_t *sport, *dport;
    const uint8_t *protocol;
    int actions; /* answers are actions, not rows */
} bench_input;

/* A classifier under measurement. Answers are written as a row's number plus one, or 0 for none; of width 4, or of width 1 for
 * actions. */
typedef struct bench_peer {
    void *state;
    /* 0, or a sentence why this cannot be had. */
    const char *(*choose)(void *state, const char *variant, size_t call);
    void (*run)(void *state, size_t packets, size_t call);
    const void *answers;
    size_t answer_width;
    uint32_t answer_bias; /* added to an answer to make it a number as above */
} bench_peer;

/* Ends the program with a sentence on stderr, and the given status. */
_Noreturn void bench_fail(int status, const char *what);

double bench_now(void); /* seconds on the wall */

/* Zeroed memory for columns and answers, in huge pages where the kernel gives them. */
void *bench_memory(size_t bytes);

/* The rows of a file; the caller's to free. */
pastore_row *bench_rows(const char *path, size_t *count);

/* The packets of a file into the fields of `input` about packets. */
void bench_packets(const char *path, bench_input *input);

/* The packets one by one, as pastore_match4 and 6 take them. */
pastore_packet4 *bench_packets4(const bench_input *input);
pastore_packet6 *bench_packets6(const bench_input *input);

/* Reads both files. `verdict` is "rule" or "action". */
bench_input bench_read(const char *rows, const char *packets, const char *verdict);

/* Kilobytes of this process in huge pages: transparent ones, or reserved ones. */
size_t bench_transparent_kb(void);
size_t bench_reserved_kb(void);

/* Says that the structure is built. `bytes` is what it takes, `huge_kb` how much of that lies in huge pages, `how` one word. */
void bench_ready(const char *peer, const bench_input *input, double build_seconds, size_t bytes, size_t huge_kb, const char *how);

/* Obeys commands until there are no more. */
int bench_serve(const bench_peer *peer, const bench_input *input);

#endif
