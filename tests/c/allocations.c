/* Every allocation of the process is counted, also those inside libc: classify, match and scan must cause none.
 *
 * usage: allocations SEED ROUNDS SCRATCH-FILE
 *
 * On tables that were built, loaded, and opened from a file. Exit status 0: nothing was allocated, and nothing freed, from before
 * the first lookup of a table to after its last. For glibc, whose own allocator goes on working under other names.
 */
#include <errno.h>

#include "harness.h"

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t alignment, size_t n);
void __libc_free(void *p);

void *malloc(size_t n) {
    allocations++;
    return __libc_malloc(n);
}

void *calloc(size_t n, size_t size) {
    allocations++;
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n) {
    allocations++;
    return __libc_realloc(p, n);
}

void *memalign(size_t alignment, size_t n) {
    allocations++;
    return __libc_memalign(alignment, n);
}

void *aligned_alloc(size_t alignment, size_t n) {
    return memalign(alignment, n);
}

int posix_memalign(void **out, size_t alignment, size_t n) {
    *out = memalign(alignment, n);
    return *out ? 0 : ENOMEM;
}

void free(void *p) {
    allocations += p != NULL;
    __libc_free(p);
}

static void expect_counted(const char *what, unsigned long before) {
    if (allocations == before)
        fail(what, before, 0);
}

/* That the counting works at all: of our calls, of libc's, and of the core's. */
static void see_that_it_counts(const char *scratch) {
    unsigned long before = allocations;
    void *volatile p = malloc(1);
    expect_counted("malloc is not counted", before);
    before = allocations;
    free(p);
    expect_counted("free is not counted", before);
    before = allocations;
    FILE *file = fopen(scratch, "wb");
    expect_counted("libc's own allocations are not counted", before);
    if (file)
        fclose(file);
    before = allocations;
    pastore_close(build(NULL, 0, (pastore_options){.verdict = PASTORE_VERDICT_RULE}));
    expect_counted("the core's allocations are not counted", before);
}

static int put(void *context, const void *data, size_t n) {
    return fwrite(data, 1, n, context) != n;
}

static void save(const pastore_table *table, const char *path) {
    FILE *file = fopen(path, "wb");
    if (!file || pastore_save(table, NULL, 0, put, file) || fclose(file))
        fail("the table cannot be saved", 0, 0);
}

int main(int argc, char **argv) {
    static pastore_row rows[MOST_ROWS];
    if (argc != 4)
        return 2;
    state = strtoull(argv[1], NULL, 10);
    see_that_it_counts(argv[3]);
    unsigned long tables = 0;
    for (long round = strtol(argv[2], NULL, 10); round > 0; round--) {
        const size_t n = draw(MOST_ROWS + 1);
        for (size_t i = 0; i < n; i++)
            rows[i] = make_row(0);
        make_packets();
        for (int verdict = PASTORE_VERDICT_RULE; verdict <= PASTORE_VERDICT_ACTION; verdict++) {
            const int numbered = verdict == PASTORE_VERDICT_RULE;
            struct pastore_stats stats = {.bytes = 0};
            pastore_table *table;
            for (int i = 0; i < 4; i++) { /* ever slower layouts, down to the row list */
                const size_t limit = i == 0 ? 0 : stats.bytes * 2 / 3;
                table = build(rows, n, (pastore_options){.memory_limit = limit, .verdict = verdict});
                if (!table)
                    break;
                pastore_stats(table, &stats);
                compare(table, rows, numbered); /* fails when something is counted meanwhile */
                save(table, argv[3]);
                pastore_close(table);
                if (pastore_open(argv[3], &table))
                    fail("the table cannot be opened", n, 0);
                compare(table, rows, numbered);
                pastore_close(table);
                tables += 2;
            }
        }
    }
    remove(argv[3]);
    printf("%lu tables, no allocation\n", tables);
    return 0;
}
