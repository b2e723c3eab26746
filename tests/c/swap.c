/* Readers judge packets while a writer puts new tables in the place of old ones: for ThreadSanitizer, and as a pattern.
 *
 * usage: swap SEED TABLES
 *
 * Eight readers take the current table, classify and match with it, and hold it against answers that were computed before the
 * table was published. A writer builds TABLES tables one after the other, publishes each, and closes the one before as soon as no
 * reader has it. Exit status 0: every answer was right.
 *
 * How an old table is known to be free: each reader has a slot. It writes there which table it is about to use, and looks again
 * whether that is still the current one; if not, it starts over. The writer exchanges the current table first and looks into the
 * slots afterwards. Both sides write and then read, in one order for all threads (seq_cst), so either the reader sees that its
 * table is no longer current, or the writer sees it in the slot. Readers never wait; only the writer does.
 */
#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "harness.h"

enum { READERS = 8, ROWS = 150 };

/* A table and what it must answer. Everything here is finished before the table is published. */
typedef struct snapshot {
    pastore_table *table;
    struct answers right[2];
} snapshot;

static _Atomic(snapshot *) current;
static _Atomic(snapshot *) in_use[READERS];
static atomic_bool finished;
static atomic_ulong judged_with[READERS]; /* tables taken */

static snapshot *take(size_t reader) {
    snapshot *taken;
    do {
        taken = atomic_load(&current);
        atomic_store(&in_use[reader], taken);
    } while (taken != atomic_load(&current));
    return taken;
}

static void give_back(size_t reader) {
    atomic_store(&in_use[reader], NULL);
}

static void publish(snapshot *next) {
    snapshot *old = atomic_exchange(&current, next);
    if (!old)
        return;
#ifndef CLOSE_AT_ONCE /* a mistake for the test of the test */
    for (size_t reader = 0; reader < READERS; reader++)
        while (atomic_load(&in_use[reader]) == old)
            sched_yield();
#endif
    pastore_close(old->table);
    memset(old, 0x55, sizeof *old); /* whoever still reads it does not get away with it */
    free(old);
}

static pastore_columns4 four(void) {
    return (pastore_columns4){
        packets.src4, packets.dst4, packets.protocol, packets.sport, packets.dport, packets.direction, packets.interface, 0, 0};
}

static pastore_columns6 six(void) {
    return (pastore_columns6){
        packets.src6, packets.dst6, packets.protocol, packets.sport, packets.dport, packets.direction, packets.interface, 0, 0};
}

static snapshot *make_snapshot(void) {
    pastore_row rows[ROWS];
    for (size_t i = 0; i < ROWS; i++)
        rows[i] = make_row(0);
    snapshot *made = malloc(sizeof *made);
    if (!made || pastore_build(rows, ROWS, NULL, &made->table, NULL))
        fail("no table", 0, 0);
    const pastore_columns4 c4 = four();
    const pastore_columns6 c6 = six();
    if (pastore_scan4(made->table, &c4, PACKETS, made->right[0].action, made->right[0].index, NULL) ||
        pastore_scan6(made->table, &c6, PACKETS, made->right[1].action, made->right[1].index, NULL))
        fail("no answer", 0, 0);
    return made;
}

static void *read_on(void *argument) {
    const size_t reader = (size_t)((atomic_ulong *)argument - judged_with);
    const pastore_columns4 c4 = four();
    const pastore_columns6 c6 = six();
    size_t i = reader;
    while (!atomic_load(&finished)) {
        struct answers got[2];
        uint8_t action = 0x55;
        int32_t index = 0x55;
        const snapshot *s = take(reader);
        if (pastore_classify4(s->table, &c4, PACKETS, got[0].action, got[0].index, NULL) ||
            pastore_classify6(s->table, &c6, PACKETS, got[1].action, got[1].index, NULL))
            fail("no answer", reader, 0);
        if (memcmp(got, s->right, sizeof got) != 0)
            fail("a reader got the answers of another table", reader, 0);
        i = (i + 1) % PACKETS;
        single(s->table, 4, i, &action, &index);
        if (action != s->right[0].action[i] || index != s->right[0].index[i])
            fail("a reader got the answer of another table", reader, i);
        give_back(reader);
        atomic_fetch_add_explicit(&judged_with[reader], 1, memory_order_relaxed);
    }
    return NULL;
}

int main(int argc, char **argv) {
    pthread_t readers[READERS];
    if (argc != 3)
        return 2;
    state = strtoull(argv[1], NULL, 10);
    make_packets();
    publish(make_snapshot());
    for (size_t i = 0; i < READERS; i++)
        if (pthread_create(&readers[i], NULL, read_on, &judged_with[i]))
            fail("no thread", i, 0);
    for (long left = strtol(argv[2], NULL, 10); left > 0; left--) {
        snapshot *next = make_snapshot();
        const unsigned long before = atomic_load(&judged_with[left % READERS]);
        publish(next);
        while (atomic_load(&judged_with[left % READERS]) == before) /* each table is read before it goes */
            sched_yield();
    }
    atomic_store(&finished, true);
    unsigned long total = 0;
    for (size_t i = 0; i < READERS; i++) {
        pthread_join(readers[i], NULL);
        total += atomic_load(&judged_with[i]);
    }
    publish(NULL); /* closes the last one */
    printf("%lu times taken\n", total);
    return total == 0;
}
