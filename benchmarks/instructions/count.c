/* Lookups for valgrind to count the instructions of.
 *
 *     count build ROWS TABLE               compiles rows and saves the table; valgrind need not see that
 *     count batch|single TABLE PACKETS N   opens it and judges the first N packets, in calls of 256 or one a call
 *
 * Everything that is to be counted happens inside `counted`, which callgrind is told to collect from. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

enum { CALL = 256 };

static void must(int error) {
    if (error != PASTORE_OK)
        bench_fail(1, pastore_strerror(error));
}

static int write_to(void *file, const void *bytes, size_t n) {
    return fwrite(bytes, 1, n, file) != n;
}

static void build(const char *rows, const char *table_path) {
    size_t n;
    pastore_row *all = bench_rows(rows, &n);
    pastore_table *table;
    must(pastore_build(all, n, NULL, &table, NULL));
    FILE *file = fopen(table_path, "wb");
    if (!file)
        bench_fail(2, "the table cannot be written");
    must(pastore_save(table, NULL, 0, write_to, file));
    if (fclose(file) != 0)
        bench_fail(2, "the table cannot be written");
    pastore_close(table);
    free(all);
}

__attribute__((noinline)) static void counted(const pastore_table *table, const bench_input *in, const pastore_packet4 *packets4,
                                              const pastore_packet6 *packets6, size_t packets, int32_t *index) {
    const uint32_t *src4 = (const uint32_t *)(const void *)in->src, *dst4 = (const uint32_t *)(const void *)in->dst;
    if (packets4)
        for (size_t i = 0; i < packets; i++)
            must(pastore_match4(table, &packets4[i], NULL, &index[i]));
    else if (packets6)
        for (size_t i = 0; i < packets; i++)
            must(pastore_match6(table, &packets6[i], NULL, &index[i]));
    else
        for (size_t i = 0; i < packets; i += CALL) {
            const size_t n = packets - i < CALL ? packets - i : CALL;
            const pastore_columns4 four = {
                .src = src4 + i, .dst = dst4 + i, .protocol = in->protocol + i, .sport = in->sport + i, .dport = in->dport + i};
            const pastore_columns6 six = {.src = in->src + 16 * i,
                                          .dst = in->dst + 16 * i,
                                          .protocol = in->protocol + i,
                                          .sport = in->sport + i,
                                          .dport = in->dport + i};
            must(in->family == 4 ? pastore_classify4(table, &four, n, NULL, index + i, NULL)
                                 : pastore_classify6(table, &six, n, NULL, index + i, NULL));
        }
}

static void count(int single, const char *table_path, const char *packet_path, size_t packets) {
    bench_input input = {0};
    bench_packets(packet_path, &input);
    if (packets > input.packet_count)
        bench_fail(2, "there are not so many packets");
    pastore_table *table;
    must(pastore_open(table_path, &table));
    int32_t *index = bench_memory(packets * sizeof *index);
    counted(table, &input, single && input.family == 4 ? bench_packets4(&input) : NULL,
            single && input.family == 6 ? bench_packets6(&input) : NULL, packets, index);
    size_t matched = 0;
    for (size_t i = 0; i < packets; i++)
        matched += index[i] >= 0;
    struct pastore_stats stats;
    pastore_stats(table, &stats);
    printf("{\"isa\": \"%s\", \"bytes\": %zu, \"matched\": %zu}\n", stats.isa, stats.bytes, matched);
    pastore_close(table);
}

int main(int argc, char **argv) {
    if (argc == 4 && strcmp(argv[1], "build") == 0)
        build(argv[2], argv[3]);
    else if (argc == 5 && (strcmp(argv[1], "single") == 0 || strcmp(argv[1], "batch") == 0))
        count(argv[1][0] == 's', argv[2], argv[3], strtoull(argv[4], NULL, 10));
    else
        bench_fail(2, "usage: count build ROWS TABLE, or count batch|single TABLE PACKETS N");
    return 0;
}
