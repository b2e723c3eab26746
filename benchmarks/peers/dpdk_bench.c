/* DPDK's librte_acl: dpdk_bench EAL-ARGUMENTS -- ROWS PACKETS rule|action MAX_SIZE_MB
 *
 * Variants are its classify algorithms. Everything that a fast path could do once is done before the clock starts: keys in
 * network order, an array of pointers to them. Its rules know prefixes for addresses and masks for protocols; a row with any
 * other range becomes several rules with one answer. Exit status 4: the rules do not build. */
#include <arpa/inet.h>
#include <rte_acl.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_malloc.h>
#include <rte_version.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

/* IPv6 addresses are four fields of 32 bits: the widest a field may be. Every field but the first starts at a word. */
typedef struct key4 {
    uint8_t protocol, unused[3];
    uint32_t src, dst;
    uint16_t sport, dport;
} key4;

typedef struct key6 {
    uint8_t protocol, unused[3];
    uint32_t src[4], dst[4];
    uint16_t sport, dport;
} key6;

enum { FIELDS4 = 5, FIELDS6 = 11, MOST_RULES = 4000000, NONE_SUCH = 4 };

typedef struct state {
    struct rte_acl_ctx *acl;
    const uint8_t **keys;
    uint32_t *answers;
} state;

/* The addresses lo to hi as prefixes, and the protocols lo to hi as masks. */
typedef struct pieces {
    struct {
        uint64_t value[2];
        uint8_t length;
    } piece[256];
    size_t n;
} pieces;

typedef unsigned __int128 address;

static void split(address lo, address hi, unsigned bits, pieces *out) {
    const address all = bits == 128 ? ~(address)0 : ((address)1 << bits) - 1;
    out->n = 0;
    for (;;) {
        unsigned free_bits = 0; /* the largest block that starts at lo and does not pass hi */
        while (free_bits < bits) {
            const address block = ((address)1 << free_bits << 1) - 1;
            const address mask = free_bits + 1 == 128 ? ~(address)0 : block;
            if ((lo & mask) != 0 || (lo | mask) > hi || (lo | mask) > all)
                break;
            free_bits++;
        }
        const address mask = free_bits == 128 ? ~(address)0 : ((address)1 << free_bits) - 1;
        out->piece[out->n].value[0] = (uint64_t)(lo >> 64);
        out->piece[out->n].value[1] = (uint64_t)lo;
        out->piece[out->n].length = (uint8_t)(bits - free_bits);
        out->n++;
        if ((lo | mask) == hi)
            return;
        lo = (lo | mask) + 1;
    }
}

static address address_of(const uint64_t words[2]) {
    return (address)words[0] << 64 | words[1];
}

static struct rte_acl_field *address_fields(struct rte_acl_field *field, int family, const uint64_t value[2], unsigned length) {
    if (family == 4) {
        field->value.u32 = (uint32_t)value[1];
        field->mask_range.u32 = length;
        return field + 1;
    }
    for (unsigned word = 0; word < 4; word++, field++) {
        const unsigned before = 32 * word;
        field->value.u32 = (uint32_t)(value[word / 2] >> (word % 2 ? 0 : 32));
        field->mask_range.u32 = length <= before ? 0 : length - before >= 32 ? 32 : length - before;
    }
    return field;
}

typedef struct rules {
    uint8_t *bytes;
    size_t n, room, size;
} rules;

static struct rte_acl_rule *next_rule(rules *all) {
    if (all->n == MOST_RULES)
        bench_fail(NONE_SUCH, "the rows need too many prefixes");
    if (all->n == all->room) {
        all->room = all->room ? 2 * all->room : 1024;
        all->bytes = realloc(all->bytes, all->room * all->size);
        if (!all->bytes)
            bench_fail(3, "out of memory");
    }
    struct rte_acl_rule *rule = (struct rte_acl_rule *)(void *)(all->bytes + all->n++ * all->size);
    memset(rule, 0, all->size);
    return rule;
}

static void add_row(rules *all, const bench_input *input, size_t number) {
    const pastore_row *row = &input->rows[number];
    const unsigned bits = row->family == 4 ? 32 : 128;
    pieces src, dst, protocol;
    split(address_of(row->src_lo), address_of(row->src_hi), bits, &src);
    split(address_of(row->dst_lo), address_of(row->dst_hi), bits, &dst);
    split(row->protocol_lo, row->protocol_hi, 8, &protocol);
    for (size_t s = 0; s < src.n; s++)
        for (size_t d = 0; d < dst.n; d++)
            for (size_t p = 0; p < protocol.n; p++) {
                struct rte_acl_rule *rule = next_rule(all);
                rule->data.category_mask = 1;
                rule->data.priority = RTE_ACL_MAX_PRIORITY - (int32_t)number;
                rule->data.userdata = input->actions ? row->action : (uint32_t)number + 1;
                struct rte_acl_field *field = rule->field;
                field->value.u8 = (uint8_t)protocol.piece[p].value[1];
                field->mask_range.u8 = (uint8_t)(0xFF00u >> protocol.piece[p].length);
                field = address_fields(field + 1, row->family, src.piece[s].value, src.piece[s].length);
                field = address_fields(field, row->family, dst.piece[d].value, dst.piece[d].length);
                field[0].value.u16 = row->sport_lo, field[0].mask_range.u16 = row->sport_hi;
                field[1].value.u16 = row->dport_lo, field[1].mask_range.u16 = row->dport_hi;
            }
}

static void define_fields(struct rte_acl_config *config, int family) {
    const unsigned words = family == 4 ? 2 : 8;
    struct rte_acl_field_def *def = config->defs;
    *def++ = (struct rte_acl_field_def){.type = RTE_ACL_FIELD_TYPE_BITMASK, .size = 1};
    for (unsigned word = 0; word < words; word++)
        *def++ = (struct rte_acl_field_def){.type = RTE_ACL_FIELD_TYPE_MASK,
                                            .size = 4,
                                            .field_index = (uint8_t)(word + 1),
                                            .input_index = (uint8_t)(word + 1),
                                            .offset = 4 + 4 * word};
    for (unsigned port = 0; port < 2; port++) /* both ports are one word of input */
        *def++ = (struct rte_acl_field_def){.type = RTE_ACL_FIELD_TYPE_RANGE,
                                            .size = 2,
                                            .field_index = (uint8_t)(words + 1 + port),
                                            .input_index = (uint8_t)(words + 1),
                                            .offset = 4 + 4 * words + 2 * port};
    config->num_fields = words + 3;
    config->num_categories = 1;
}

static void prepare_keys(state *s, const bench_input *in) {
    const size_t size = in->family == 4 ? sizeof(key4) : sizeof(key6);
    uint8_t *keys = bench_memory(in->packet_count * size);
    s->keys = bench_memory(in->packet_count * sizeof *s->keys);
    for (size_t i = 0; i < in->packet_count; i++) {
        uint8_t *at = keys + i * size;
        s->keys[i] = at;
        if (in->family == 4) {
            key4 key = {.protocol = in->protocol[i], .sport = htons(in->sport[i]), .dport = htons(in->dport[i])};
            uint32_t src, dst;
            memcpy(&src, in->src + 4 * i, 4);
            memcpy(&dst, in->dst + 4 * i, 4);
            key.src = htonl(src), key.dst = htonl(dst);
            memcpy(at, &key, sizeof key);
        } else {
            key6 key = {.protocol = in->protocol[i], .sport = htons(in->sport[i]), .dport = htons(in->dport[i])};
            memcpy(key.src, in->src + 16 * i, 16);
            memcpy(key.dst, in->dst + 16 * i, 16);
            memcpy(at, &key, sizeof key);
        }
    }
}

static const char *choose(void *context, const char *variant, size_t call) {
    static const struct {
        const char *name;
        enum rte_acl_classify_alg algorithm;
    } known[] = {{"scalar", RTE_ACL_CLASSIFY_SCALAR},
                 {"sse", RTE_ACL_CLASSIFY_SSE},
                 {"avx2", RTE_ACL_CLASSIFY_AVX2},
                 {"avx512x16", RTE_ACL_CLASSIFY_AVX512X16},
                 {"avx512x32", RTE_ACL_CLASSIFY_AVX512X32}};
    const state *s = context;
    (void)call;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].name, variant) == 0)
            return rte_acl_set_ctx_classify(s->acl, known[i].algorithm) == 0 ? NULL : "not on this machine";
    return "no such variant";
}

static void run(void *context, size_t packets, size_t call) {
    const state *s = context;
    for (size_t i = 0; i < packets; i += call)
        if (rte_acl_classify(s->acl, s->keys + i, s->answers + i, (uint32_t)(packets - i < call ? packets - i : call), 1) != 0)
            bench_fail(1, "rte_acl_classify refuses");
}

int main(int argc, char **argv) {
    const int used = rte_eal_init(argc, argv);
    if (used < 0)
        bench_fail(1, "the environment of DPDK does not start");
    argc -= used, argv += used;
    if (argc != 5)
        bench_fail(2, "usage: dpdk_bench EAL-ARGUMENTS -- ROWS PACKETS rule|action MAX_SIZE_MB");
    const bench_input input = bench_read(argv[1], argv[2], argv[3]);

    rules all = {.size = (size_t)RTE_ACL_RULE_SZ(input.family == 4 ? FIELDS4 : FIELDS6)};
    for (size_t i = 0; i < input.row_count; i++)
        add_row(&all, &input, i);
    const struct rte_acl_param parameters = {
        .name = "bench", .socket_id = SOCKET_ID_ANY, .rule_size = (uint32_t)all.size, .max_rule_num = (uint32_t)all.n};
    struct rte_acl_config config = {.max_size = strtoull(argv[4], NULL, 10) << 20};
    define_fields(&config, input.family);
    struct rte_malloc_socket_stats before, after;
    rte_malloc_get_socket_stats(0, &before);
    state s = {.acl = rte_acl_create(&parameters)};
    if (!s.acl)
        bench_fail(NONE_SUCH, rte_strerror(rte_errno));
    const double start = bench_now();
    int error = rte_acl_add_rules(s.acl, (const struct rte_acl_rule *)(const void *)all.bytes, (uint32_t)all.n);
    rte_malloc_get_socket_stats(0, &before); /* the rules themselves are not the structure */
    if (error == 0)
        error = rte_acl_build(s.acl, &config);
    const double seconds = bench_now() - start;
    if (error != 0)
        bench_fail(NONE_SUCH, rte_strerror(-error));
    rte_malloc_get_socket_stats(0, &after);
    free(all.bytes);
    prepare_keys(&s, &input);
    s.answers = bench_memory(input.packet_count * sizeof *s.answers);
    bench_ready("dpdk", &input, seconds, after.heap_allocsz_bytes - before.heap_allocsz_bytes, bench_reserved_kb(),
                rte_version());
    const bench_peer peer = {.state = &s, .choose = choose, .run = run, .answers = s.answers, .answer_width = 4};
    return bench_serve(&peer, &input);
}
