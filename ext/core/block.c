/* The block under construction: everything a table holds, one array after the other. */
#include <stdlib.h>
#include <string.h>

#include "compile.h"

int block_take(block *b, size_t count, size_t size, uint64_t *offset) {
    pastore_table *table = b->table;
    const size_t align = BLOCK_ALIGN, used = table->block_bytes;
    if (used > SIZE_MAX - align || count > (SIZE_MAX - align - used) / size)
        return PASTORE_ERROR_NO_MEMORY;
    const size_t start = (used + align - 1) / align * align, end = start + count * size;
    if (end > b->limit)
        return PASTORE_ERROR_MEMORY_LIMIT;
    if (end > b->room || !table->block) {
        size_t room = b->room > SIZE_MAX / 2 ? SIZE_MAX : b->room * 2;
        room = room > b->limit ? b->limit : room;
        room = room < end ? end : room;
        unsigned char *moved = pages_take(room);
        if (!moved)
            return PASTORE_ERROR_NO_MEMORY;
        if (used)
            memcpy(moved, table->block, used);
        pages_give(table->block);
        table->block = moved;
        b->room = room;
    }
    memset(table->block + used, 0, end - used);
    table->block_bytes = end;
    *offset = start;
    return PASTORE_OK;
}

int block_copy(block *b, const void *from, size_t count, size_t size, uint64_t *offset) {
    const int error = block_take(b, count, size, offset);
    if (!error && count)
        memcpy(in_block(b, *offset), from, count * size);
    return error;
}
