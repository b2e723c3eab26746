/* pastore as C programs have it, by nothing but pastore.h: pastore_bench ROWS PACKETS rule|action [MEMORY-LIMIT]
 *
 * Variants: batch (pastore_classify), single (pastore_match, one prepared packet a call), scan (pastore_scan). The instruction
 * set is the one PASTORE_ISA allows. */
#include <stdlib.h>
#include <string.h>

#include "bench.h"

typedef struct state {
    const pastore_table *table;
    const bench_input *input;
    const pastore_packet4 *packets4; /* for single */
    const pastore_packet6 *packets6;
    int32_t *index; /* the one that is not wanted is NULL */
    uint8_t *action;
    void (*run)(const struct state *state, size_t packets, size_t call);
} state;

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

static void must(int error) {
    if (error != PASTORE_OK)
        bench_fail(1, pastore_strerror(error));
}

typedef int classify4(const pastore_table *, const pastore_columns4 *, size_t, uint8_t *, int32_t *, size_t *);
typedef int classify6(const pastore_table *, const pastore_columns6 *, size_t, uint8_t *, int32_t *, size_t *);

static inline void many4(const state *s, size_t packets, size_t call, classify4 *classify) {
    const bench_input *in = s->input;
    const uint32_t *src = (const uint32_t *)(const void *)in->src, *dst = (const uint32_t *)(const void *)in->dst;
    for (size_t i = 0; i < packets; i += call) {
        const pastore_columns4 columns = {
            .src = src + i, .dst = dst + i, .protocol = in->protocol + i, .sport = in->sport + i, .dport = in->dport + i};
        must(classify(s->table, &columns, least(call, packets - i), s->action ? s->action + i : NULL,
                      s->index ? s->index + i : NULL, NULL));
    }
}

static inline void many6(const state *s, size_t packets, size_t call, classify6 *classify) {
    const bench_input *in = s->input;
    for (size_t i = 0; i < packets; i += call) {
        const pastore_columns6 columns = {.src = in->src + 16 * i,
                                          .dst = in->dst + 16 * i,
                                          .protocol = in->protocol + i,
                                          .sport = in->sport + i,
                                          .dport = in->dport + i};
        must(classify(s->table, &columns, least(call, packets - i), s->action ? s->action + i : NULL,
                      s->index ? s->index + i : NULL, NULL));
    }
}

static void batch(const state *s, size_t packets, size_t call) {
    if (s->input->family == 4)
        many4(s, packets, call, pastore_classify4);
    else
        many6(s, packets, call, pastore_classify6);
}

static void scan(const state *s, size_t packets, size_t call) {
    if (s->input->family == 4)
        many4(s, packets, call, pastore_scan4);
    else
        many6(s, packets, call, pastore_scan6);
}

static void single(const state *s, size_t packets, size_t call) {
    (void)call;
    if (s->input->family == 4)
        for (size_t i = 0; i < packets; i++)
            must(pastore_match4(s->table, &s->packets4[i], s->action ? s->action + i : NULL, s->index ? s->index + i : NULL));
    else
        for (size_t i = 0; i < packets; i++)
            must(pastore_match6(s->table, &s->packets6[i], s->action ? s->action + i : NULL, s->index ? s->index + i : NULL));
}

static const char *choose(void *context, const char *variant, size_t call) {
    state *s = context;
    s->run = strcmp(variant, "batch") == 0    ? batch
             : strcmp(variant, "scan") == 0   ? scan
             : strcmp(variant, "single") == 0 ? single
                                              : NULL;
    return s->run == NULL ? "no such variant" : s->run == single && call != 1 ? "single is one packet a call" : NULL;
}

static void run(void *context, size_t packets, size_t call) {
    const state *s = context;
    s->run(s, packets, call);
}

typedef struct image {
    unsigned char *bytes; /* NULL while only the length is wanted */
    size_t length;
} image;

static int append(void *context, const void *bytes, size_t n) {
    image *to = context;
    if (to->bytes)
        memcpy(to->bytes + to->length, bytes, n);
    to->length += n;
    return 0;
}

/* The same table in huge pages: nothing in pastore.h says where pastore_build puts one, but a table may be saved to memory of the
 * caller's, and used there. */
static pastore_table *in_huge_pages(const pastore_table *table) {
    image size = {0};
    must(pastore_save(table, NULL, 0, append, &size));
    image copy = {.bytes = bench_memory(size.length)};
    must(pastore_save(table, NULL, 0, append, &copy));
    pastore_table *moved;
    must(pastore_load(copy.bytes, copy.length, &moved));
    return moved;
}

int main(int argc, char **argv) {
    if (argc != 4 && argc != 5)
        bench_fail(2, "usage: pastore_bench ROWS PACKETS rule|action [MEMORY-LIMIT]");
    bench_input input = bench_read(argv[1], argv[2], argv[3]);
    const pastore_options options = {.verdict = input.actions ? PASTORE_VERDICT_ACTION : PASTORE_VERDICT_RULE,
                                     .memory_limit = argc == 5 ? strtoull(argv[4], NULL, 10) : 0};
    pastore_table *built;
    const double start = bench_now();
    must(pastore_build(input.rows, input.row_count, &options, &built, NULL));
    const double seconds = bench_now() - start;
    const size_t huge_before = bench_transparent_kb();
    pastore_table *table = in_huge_pages(built);
    const size_t huge_kb = bench_transparent_kb() - huge_before;
    pastore_close(built);
    struct pastore_stats stats;
    pastore_stats(table, &stats);

    state s = {.table = table, .input = &input};
    if (input.actions)
        s.action = bench_memory(input.packet_count);
    else
        s.index = bench_memory(input.packet_count * sizeof *s.index);
    s.packets4 = input.family == 4 ? bench_packets4(&input) : NULL;
    s.packets6 = input.family == 6 ? bench_packets6(&input) : NULL;
    bench_ready("pastore", &input, seconds, stats.bytes, huge_kb, stats.isa);
    const bench_peer peer = {.state = &s,
                             .choose = choose,
                             .run = run,
                             .answers = input.actions ? (void *)s.action : (void *)s.index,
                             .answer_width = input.actions ? 1 : 4,
                             .answer_bias = input.actions ? 0 : 1};
    const int status = bench_serve(&peer, &input);
    pastore_close(table);
    return status;
}
