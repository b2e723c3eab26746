/* The core as a plain C program, to be built with sanitizers or with counted allocations.
 *
 * usage: core_harness SEED ROUNDS
 *
 * Each round makes rows whose bounds crowd together, builds them under several memory limits and in a layout, runs pastore_check,
 * and compares classify and match with the linear scan on packets at the bounds. Then it hands in broken rows and packets, and
 * damages finished tables. Exit status 0: all agreed. With -DCOUNT_ALLOCATIONS and the linker's --wrap for malloc, calloc,
 * realloc and free, lookups must not call any of them.
 */
#include "harness.h"

#ifdef COUNT_ALLOCATIONS
void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void __real_free(void *);
void *__wrap_malloc(size_t n) {
    allocations++;
    return __real_malloc(n);
}
void *__wrap_calloc(size_t n, size_t size) {
    allocations++;
    return __real_calloc(n, size);
}
void *__wrap_realloc(void *p, size_t n) {
    allocations++;
    return __real_realloc(p, n);
}
void __wrap_free(void *p) {
    allocations++;
    __real_free(p);
}
#endif

static void good_round(void) {
    static pastore_row rows[MOST_ROWS];
    static const size_t edges[] = {0, 1, 63, 64, 65, 127, 128, 129, 256, 257};
    static const uint8_t families[] = {4, 6, ANY}, directions[] = {PASTORE_IN, PASTORE_OUT, PASTORE_BOTH, ANY};
    common_family = families[draw(sizeof families)];
    common_direction = directions[draw(sizeof directions)];
    const size_t n = draw(2) ? edges[draw(sizeof edges / sizeof *edges)] : draw(MOST_ROWS);
    for (size_t i = 0; i < n; i++)
        rows[i] = i && draw(6) == 0 ? rows[draw(i)] : make_row(0);
    make_packets();
    for (int verdict = PASTORE_VERDICT_RULE; verdict <= PASTORE_VERDICT_ACTION; verdict++) {
        pastore_table *table = build(rows, n, (pastore_options){.verdict = verdict});
        struct pastore_stats stats;
        pastore_stats(table, &stats);
        compare(table, rows, verdict == PASTORE_VERDICT_RULE);
        pastore_close(table);
        size_t limit = stats.bytes;
        for (; limit > 64 && (table = build(rows, n, (pastore_options){.memory_limit = limit, .verdict = verdict})); limit /= 2) {
            compare(table, rows, verdict == PASTORE_VERDICT_RULE);
            pastore_close(table);
        }
        table = build(rows, n, (pastore_options){.verdict = verdict, .layout = LAYOUTS_BY_NAME[draw(LAYOUTS)]});
        compare(table, rows, verdict == PASTORE_VERDICT_RULE);
        pastore_close(table);
    }
}

/* Flips bits of finished tables: pastore_check must survive it, see most of it, and whatever passes must still answer right. */
static void damage_round(void) {
    enum { ROWS = 16, FLIPS = 100 }; /* all kinds of packets are judged */
    static pastore_row rows[ROWS];
    common_family = draw(2) ? 4 : 6;
    common_direction = PASTORE_BOTH;
    for (size_t i = 0; i < ROWS; i++)
        rows[i] = make_row(0);
    make_packets();
    pastore_table *table = build(rows, ROWS, (pastore_options){.layout = LAYOUTS_BY_NAME[1 + draw(LAYOUTS - 1)]});
    unsigned seen = 0;
    for (int i = 0; i < FLIPS; i++) {
        unsigned char *byte = table->block + draw(table->block_bytes);
        const unsigned char bit = (unsigned char)(1u << draw(8));
        *byte ^= bit;
        if (pastore_check(table, NULL))
            seen++;
        else
            compare(table, rows, 1);
        *byte ^= bit;
    }
    if (seen < FLIPS / 2)
        fail("pastore_check overlooked damage", seen, FLIPS);
    pastore_close(table);
}

static void expect(int want, int got) {
    if (want != got)
        fail("unexpected error code", (uint64_t)-want, (uint64_t)-got);
}

static void bad_round(void) {
    common_family = common_direction = ANY;
    pastore_row rows[3] = {make_row(0), make_row(0), make_row(0)};
    pastore_table *table = NULL;
    size_t bad = 9;
    rows[2].family = 5;
    expect(PASTORE_ERROR_CODE, pastore_build(rows, 3, NULL, &table, &bad));
    if (bad != 2 || table)
        fail("wrong row blamed", bad, 2);
    rows[2] = make_row(0);
    rows[1].dport_lo = 7, rows[1].dport_hi = 6;
    expect(PASTORE_ERROR_RANGE, pastore_build(rows, 3, NULL, &table, &bad));
    if (bad != 1)
        fail("wrong row blamed", bad, 1);
    rows[1] = make_row(-1);
    expect(PASTORE_ERROR_ORDER, pastore_build(rows, 3, NULL, &table, &bad));
    expect(PASTORE_ERROR_ARGUMENT, pastore_build(NULL, 3, NULL, &table, NULL));
    expect(PASTORE_ERROR_ARGUMENT, pastore_build(rows, 1, NULL, NULL, NULL));
    expect(PASTORE_ERROR_TOO_MANY, pastore_build(rows, (size_t)INT32_MAX + 1, NULL, &table, NULL));
    expect(PASTORE_ERROR_ARGUMENT, pastore_build(rows, 1, &(pastore_options){.verdict = 2}, &table, NULL));
    expect(PASTORE_ERROR_ARGUMENT, pastore_build(rows, 1, &(pastore_options){.layout = "four"}, &table, NULL));
    expect(PASTORE_ERROR_MEMORY_LIMIT, pastore_build(rows, 1, &(pastore_options){.memory_limit = 1}, &table, NULL));

    expect(PASTORE_OK, pastore_build(rows, 1, NULL, &table, NULL));
    make_packets();
    packets.direction[PACKETS - 1] = 2;
    pastore_columns4 c = {.src = packets.src4,
                          .dst = packets.dst4,
                          .protocol = packets.protocol,
                          .sport = packets.sport,
                          .dport = packets.dport,
                          .direction = packets.direction,
                          .one_interface = PASTORE_RAS};
    memset(&fast, 0x55, sizeof fast);
    expect(PASTORE_ERROR_PACKET, pastore_classify4(table, &c, PACKETS, fast.action, NULL, &bad));
    if (bad != PACKETS - 1 || fast.action[0] != 0x55)
        fail("wrong packet blamed, or answers written", bad, fast.action[0]);
    c.interface = packets.interface;
    packets.interface[5] = 255;
    expect(PASTORE_ERROR_PACKET, pastore_scan4(table, &c, PACKETS, fast.action, NULL, &bad));
    if (bad != 5)
        fail("wrong packet blamed", bad, 5);
    c.interface = NULL, c.direction = NULL, c.one_direction = PASTORE_BOTH;
    expect(PASTORE_ERROR_PACKET, pastore_classify4(table, &c, 1, fast.action, NULL, NULL));
    c.one_direction = PASTORE_OUT;
    expect(PASTORE_OK, pastore_classify4(table, &c, PACKETS, NULL, NULL, NULL));
    c.dport = NULL;
    expect(PASTORE_ERROR_ARGUMENT, pastore_classify4(table, &c, 1, fast.action, NULL, NULL));
    expect(PASTORE_ERROR_PACKET, pastore_match4(table, &(pastore_packet4){.direction = 2}, fast.action, NULL));
    pastore_close(table);
    pastore_close(NULL);
    expect(PASTORE_OK, pastore_build(rows, 1, &(pastore_options){.verdict = PASTORE_VERDICT_ACTION}, &table, NULL));
    expect(PASTORE_ERROR_NO_INDEX, pastore_match4(table, &(pastore_packet4){.direction = 0}, NULL, fast.index));
    pastore_close(table);
}

int main(int argc, char **argv) {
    if (argc != 3)
        return 2;
    state = strtoull(argv[1], NULL, 10);
    const long rounds = strtol(argv[2], NULL, 10);
    for (long i = 0; i < rounds; i++) {
        good_round();
        bad_round();
        damage_round();
    }
#ifdef COUNT_ALLOCATIONS
    if (allocations == 0)
        fail("nothing was counted", 0, 0); /* the build allocates, so a count of none means that the wrap does not work */
#endif
    return 0;
}
