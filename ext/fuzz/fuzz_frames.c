/* libFuzzer entry point of the packet walk: any bytes at all, counted and filled, with the invariants checked.
 *
 *     clang -g -fsanitize=fuzzer,address,undefined -Iext/core ext/fuzz/fuzz_frames.c ext/core/frames.c
 */
#include "frames.h"

#include <stdlib.h>

static void require(int condition) {
    if (!condition)
        abort();
}

static int fill(const pastore_capture *capture, size_t rows, pastore_walk *found) {
    pastore_frame_columns columns = {.capacity = rows};
    size_t room = rows ? rows : 1;
    columns.frame = malloc(room * sizeof *columns.frame);
    columns.family = malloc(room);
    columns.protocol = malloc(room);
    columns.sport = malloc(room * sizeof *columns.sport);
    columns.dport = malloc(room * sizeof *columns.dport);
    columns.src = malloc(room * 16);
    columns.dst = malloc(room * 16);
    int allocated =
        columns.frame && columns.family && columns.protocol && columns.sport && columns.dport && columns.src && columns.dst;
    if (allocated) {
        pastore_capture_walk(capture, &columns, found);
        for (size_t row = 0; row < found->packets; row++) {
            require(columns.family[row] == 4 || columns.family[row] == 6);
            require(columns.frame[row] > (row ? columns.frame[row - 1] : 0));
            require((size_t)columns.frame[row] <= found->frames);
        }
    }
    free(columns.frame);
    free(columns.family);
    free(columns.protocol);
    free(columns.sport);
    free(columns.dport);
    free(columns.src);
    free(columns.dst);
    return allocated;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    pastore_capture capture;
    if (pastore_capture_open(&capture, data, size) != PASTORE_CAPTURE_OK)
        return 0;
    pastore_walk counted, filled;
    pastore_capture_walk(&capture, NULL, &counted);
    require(counted.frames == counted.packets + counted.other + counted.broken);
    require(counted.stopped <= size && (counted.end == PASTORE_WALK_WHOLE) == (counted.stopped == size));
    if (fill(&capture, counted.packets, &filled)) {
        require(filled.packets == counted.packets && filled.frames == counted.frames && filled.end == counted.end);
        require(filled.stopped == counted.stopped);
    }
    if (counted.packets > 0 && fill(&capture, counted.packets - 1, &filled))
        require(filled.end == PASTORE_WALK_FULL && filled.packets == counted.packets - 1);
    return 0;
}
