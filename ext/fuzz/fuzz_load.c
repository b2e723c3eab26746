/* libFuzzer entry point of stored tables: any bytes at all are loaded, as they are and with header and checksum made to match,
 * and whatever is accepted must be safe to look up in, and all that pastore_check recomputes must hold, but that of a table in
 * which packets differ in too many ways answers may be wrong; if they are not, packets must get those of its own row list.
 *
 *     clang -g -march=x86-64-v4 -fsanitize=fuzzer,address,undefined -Iext/core ext/fuzz/fuzz_load.c \
 *         $(ls ext/core/[a-z]*.c | grep -v frames)
 */
#include <stdlib.h>
#include <string.h>

#include "stored.h"

enum { PACKETS = 64 };

static void require(int condition) {
    if (!condition)
        abort();
}

/* Packets at the bounds of what is in the table: its own bytes, taken as columns. */
static void judge(const pastore_table *table, const uint8_t *data, size_t size) {
    const char *broken = NULL;
    const int right = pastore_check(table, &broken) == PASTORE_OK;
    require(right || strcmp(broken, "packets get the answers that the row list gives") == 0);
    static uint32_t addresses[2 * PACKETS];
    static uint16_t ports[2 * PACKETS];
    static uint8_t wide[2 * 16 * PACKETS], small[3 * PACKETS], fast[PACKETS], slow[PACKETS];
    for (size_t i = 0; i < sizeof wide; i++)
        wide[i] = data[(i * 31 + size / 2) % size];
    memcpy(addresses, wide, sizeof addresses);
    memcpy(ports, wide + sizeof addresses, sizeof ports);
    for (size_t i = 0; i < PACKETS; i++) {
        small[i] = wide[i];
        small[PACKETS + i] = wide[i] & 1;
        small[2 * PACKETS + i] = wide[i] >> 1 & 1;
    }
    const pastore_columns4 c4 = {.src = addresses,
                                 .dst = addresses + PACKETS,
                                 .protocol = small,
                                 .sport = ports,
                                 .dport = ports + PACKETS,
                                 .direction = small + PACKETS,
                                 .interface = small + 2 * PACKETS};
    const pastore_columns6 c6 = {.src = wide,
                                 .dst = wide + 16 * PACKETS,
                                 .protocol = small,
                                 .sport = ports,
                                 .dport = ports + PACKETS,
                                 .direction = small + PACKETS,
                                 .interface = small + 2 * PACKETS};
    require(pastore_classify4(table, &c4, PACKETS, fast, NULL, NULL) == PASTORE_OK);
    require(pastore_scan4(table, &c4, PACKETS, slow, NULL, NULL) == PASTORE_OK);
    require(!right || memcmp(fast, slow, PACKETS) == 0);
    require(pastore_classify6(table, &c6, PACKETS, fast, NULL, NULL) == PASTORE_OK);
    require(pastore_scan6(table, &c6, PACKETS, slow, NULL, NULL) == PASTORE_OK);
    require(!right || memcmp(fast, slow, PACKETS) == 0);
}

static void try_one(const uint8_t *data, size_t size) {
    pastore_table *table = NULL;
    const int error = pastore_load(data, size, &table);
    require(error ? table == NULL : table != NULL);
    if (error)
        return;
    judge(table, data, size);
    pastore_close(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t *copy = calloc(size ? size : 1, 1); /* libFuzzer's own buffer need not be aligned */
    if (!copy)
        return 0;
    if (size)
        memcpy(copy, data, size);
    try_one(copy, size);
    if (size >= sizeof(stored_header)) {
        stored_header header;
        memcpy(&header, copy, sizeof header);
        memcpy(header.label, STORED_LABEL, sizeof header.label);
        header.byte_order = STORED_BYTE_ORDER;
        header.version = STORED_VERSION;
        header.length = size;
        header.checksum = stored_checksum(&header, copy, size);
        memcpy(copy, &header, sizeof header);
        try_one(copy, size);
    }
    free(copy);
    return 0;
}
