/* See bench.h. */
#define _DEFAULT_SOURCE
#include "bench.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { HUGE_PAGE = 2 << 20, MOST_ROUNDS = 64, LONG_ENOUGH = 3 /* seconds */ };

_Noreturn void bench_fail(int status, const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(status);
}

double bench_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double processor_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Mapped for the purpose: what the heap has used before is in small pages, and stays so. Never given back. */
void *bench_memory(size_t bytes) {
    const size_t whole = (bytes + HUGE_PAGE) / HUGE_PAGE * HUGE_PAGE;
    unsigned char *map = mmap(NULL, whole + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED)
        bench_fail(3, "out of memory");
    unsigned char *memory = map + (HUGE_PAGE - (uintptr_t)map % HUGE_PAGE) % HUGE_PAGE;
    madvise(memory, whole, MADV_HUGEPAGE); /* a wish; what came of it is reported */
    memset(memory, 0, whole);
    return memory;
}

static void read_exactly(FILE *file, void *to, size_t bytes) {
    if (fread(to, 1, bytes, file) != bytes)
        bench_fail(2, "an input file is too short");
}

static FILE *open_file(const char *path, const char magic[8]) {
    char found[8];
    FILE *file = fopen(path, "rb");
    if (!file)
        bench_fail(2, "an input file cannot be opened");
    read_exactly(file, found, sizeof found);
    if (memcmp(found, magic, sizeof found) != 0)
        bench_fail(2, "an input file is of another kind");
    return file;
}

static uint64_t read_number(FILE *file) {
    uint64_t number;
    read_exactly(file, &number, sizeof number);
    return number;
}

static const void *read_column(FILE *file, size_t n, size_t width) {
    void *column = bench_memory(n * width);
    read_exactly(file, column, n * width);
    return column;
}

pastore_row *bench_rows(const char *path, size_t *count) {
    FILE *file = open_file(path, "PSROWS1\n");
    *count = read_number(file);
    pastore_row *rows = malloc(*count * sizeof *rows + 1);
    if (!rows)
        bench_fail(3, "out of memory");
    read_exactly(file, rows, *count * sizeof *rows);
    fclose(file);
    return rows;
}

void bench_packets(const char *path, bench_input *input) {
    FILE *file = open_file(path, "PSPACK1\n");
    input->packet_count = read_number(file);
    input->family = (int)read_number(file);
    const size_t width = input->family == 4 ? 4 : 16;
    input->src = read_column(file, input->packet_count, width);
    input->dst = read_column(file, input->packet_count, width);
    input->sport = read_column(file, input->packet_count, 2);
    input->dport = read_column(file, input->packet_count, 2);
    input->protocol = read_column(file, input->packet_count, 1);
    fclose(file);
}

pastore_packet4 *bench_packets4(const bench_input *input) {
    pastore_packet4 *packets = bench_memory(input->packet_count * sizeof *packets);
    for (size_t i = 0; i < input->packet_count; i++) {
        memcpy(&packets[i].src, input->src + 4 * i, 4);
        memcpy(&packets[i].dst, input->dst + 4 * i, 4);
        packets[i].sport = input->sport[i], packets[i].dport = input->dport[i], packets[i].protocol = input->protocol[i];
    }
    return packets;
}

pastore_packet6 *bench_packets6(const bench_input *input) {
    pastore_packet6 *packets = bench_memory(input->packet_count * sizeof *packets);
    for (size_t i = 0; i < input->packet_count; i++) {
        memcpy(packets[i].src, input->src + 16 * i, 16);
        memcpy(packets[i].dst, input->dst + 16 * i, 16);
        packets[i].sport = input->sport[i], packets[i].dport = input->dport[i], packets[i].protocol = input->protocol[i];
    }
    return packets;
}

bench_input bench_read(const char *rows, const char *packets, const char *verdict) {
    bench_input input = {.actions = strcmp(verdict, "action") == 0};
    if (!input.actions && strcmp(verdict, "rule") != 0)
        bench_fail(2, "a verdict is rule or action");
    input.rows = bench_rows(rows, &input.row_count);
    bench_packets(packets, &input);
    return input;
}

static size_t kilobytes(const char *path, const char *const names[]) {
    char line[256];
    size_t sum = 0;
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        for (size_t i = 0; names[i]; i++)
            if (strncmp(line, names[i], strlen(names[i])) == 0)
                sum += strtoull(line + strlen(names[i]), NULL, 10);
    if (file)
        fclose(file);
    return sum;
}

size_t bench_transparent_kb(void) {
    static const char *const names[] = {"AnonHugePages:", NULL};
    return kilobytes("/proc/self/smaps_rollup", names);
}

size_t bench_reserved_kb(void) {
    static const char *const names[] = {"Shared_Hugetlb:", "Private_Hugetlb:", NULL};
    return kilobytes("/proc/self/smaps_rollup", names);
}

void bench_ready(const char *peer, const bench_input *input, double build_seconds, size_t bytes, size_t huge_kb,
                 const char *how) {
    static const char *const most[] = {"VmHWM:", NULL};
    printf("{\"peer\": \"%s\", \"rows\": %zu, \"packets\": %zu, \"family\": %d, \"build_seconds\": %.6f, \"bytes\": %zu, "
           "\"how\": \"%s\", \"huge_kb\": %zu, \"peak_kb\": %zu}\n",
           peer, input->row_count, input->packet_count, input->family, build_seconds, bytes, how, huge_kb,
           kilobytes("/proc/self/status", most));
    fflush(stdout);
}

static uint64_t checksum(const bench_peer *peer, size_t packets) {
    uint64_t sum = 0;
    for (size_t i = 0; i < packets; i++) {
        const uint32_t answer =
            peer->answer_width == 1 ? ((const uint8_t *)peer->answers)[i] : ((const uint32_t *)peer->answers)[i];
        sum = sum * 1000003 + (uint32_t)(answer + peer->answer_bias);
    }
    return sum;
}

static void measure(const bench_peer *peer, const bench_input *input, const char *variant, size_t call, int rounds,
                    size_t packets) {
    const char *why = packets > input->packet_count || call == 0 || rounds < 1 || rounds > MOST_ROUNDS
                          ? "out of range"
                          : peer->choose(peer->state, variant, call);
    printf("{\"variant\": \"%s\", \"call\": %zu, \"packets\": %zu", variant, call, packets);
    if (why) {
        printf(", \"unavailable\": \"%s\"}\n", why);
        fflush(stdout);
        return;
    }
    double seconds[MOST_ROUNDS], wall = 0;
    peer->run(peer->state, packets, call);
    const double cpu = processor_seconds();
    int done = 0;
    while (done < rounds && wall < LONG_ENOUGH) {
        const double start = bench_now();
        peer->run(peer->state, packets, call);
        seconds[done] = bench_now() - start;
        wall += seconds[done++];
    }
    printf(", \"share\": %.3f", (processor_seconds() - cpu) / wall); /* of the core; less than 1 when it had other work */
    printf(", \"checksum\": \"%016" PRIx64 "\", \"seconds\": [", checksum(peer, packets));
    for (int round = 0; round < done; round++)
        printf("%s%.9f", round ? ", " : "", seconds[round]);
    printf("]}\n");
    fflush(stdout);
}

int bench_serve(const bench_peer *peer, const bench_input *input) {
    char line[256], variant[32];
    size_t call, packets;
    int rounds;
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "measure %31s %zu %d %zu", variant, &call, &rounds, &packets) != 4)
            bench_fail(2, "the only command is: measure VARIANT CALL ROUNDS PACKETS");
        measure(peer, input, variant, call, rounds, packets);
    }
    return 0;
}
