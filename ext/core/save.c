/* A table and the caller's sections as bytes. The format is told at the top of load.c. */
#include <string.h>

#include "stored.h"

/* A run of bytes; `to` is where the next one begins, and what lies between is zero. */
typedef struct piece {
    const void *bytes;
    size_t n;
    uint64_t to;
} piece;

enum { MOST_PIECES = 2 + STORED_SECTIONS }; /* header, table, block, sections */

static uint64_t aligned(uint64_t offset) {
    return (offset + STORED_ALIGN - 1) / STORED_ALIGN * STORED_ALIGN;
}

static stored_table stored_form(const pastore_table *table) {
    stored_table stored = {.block_bytes = table->block_bytes,
                           .rows = table->rows,
                           .dead = table->dead,
                           .sides = table->sides,
                           .verdict = (uint32_t)table->verdict,
                           .side_count = table->side_count};
    memcpy(stored.list, table->list, sizeof stored.list);
    memcpy(stored.side_of, table->side_of, sizeof stored.side_of);
    return stored;
}

static int check_sections(const pastore_section *sections, size_t n) {
    if (n > PASTORE_MOST_SECTIONS || (n && !sections))
        return PASTORE_ERROR_ARGUMENT;
    for (size_t i = 0; i < n; i++) {
        if (sections[i].kind == 0 || (sections[i].length && !sections[i].data))
            return PASTORE_ERROR_ARGUMENT;
        for (size_t j = 0; j < i; j++)
            if (sections[j].kind == sections[i].kind)
                return PASTORE_ERROR_ARGUMENT;
    }
    return PASTORE_OK;
}

/* Enters a section of `length` bytes at the end of what there is so far. */
static int enter(stored_header *header, uint32_t kind, uint64_t length) {
    const uint64_t offset = aligned(header->length);
    if (length > (uint64_t)PTRDIFF_MAX - offset - STORED_ALIGN)
        return PASTORE_ERROR_NO_MEMORY;
    header->sections[header->section_count++] = (stored_section){.kind = kind, .offset = offset, .length = length};
    header->length = offset + length;
    return PASTORE_OK;
}

static const unsigned char ZEROS[STORED_ALIGN];

static uint64_t sum_of(const piece *pieces, size_t n) {
    checksum sum;
    checksum_begin(&sum);
    for (size_t i = 0; i < n; i++) {
        checksum_add(&sum, pieces[i].bytes, pieces[i].n);
        checksum_add(&sum, ZEROS, (size_t)(pieces[i].to - sum.total));
    }
    return checksum_finish(&sum);
}

static int write_all(const piece *pieces, size_t n, pastore_write *write, void *context) {
    uint64_t at = 0;
    for (size_t i = 0; i < n; i++) {
        if (pieces[i].n && write(context, pieces[i].bytes, pieces[i].n))
            return PASTORE_ERROR_FILE;
        at += pieces[i].n;
        if (pieces[i].to > at && write(context, ZEROS, (size_t)(pieces[i].to - at)))
            return PASTORE_ERROR_FILE;
        at = pieces[i].to;
    }
    return PASTORE_OK;
}

int pastore_save(const pastore_table *table, const pastore_section *sections, size_t n, pastore_write *write, void *context) {
    if (!table || !write)
        return PASTORE_ERROR_ARGUMENT;
    int error = check_sections(sections, n);
    if (error)
        return error;
    stored_header header = {.byte_order = STORED_BYTE_ORDER, .version = STORED_VERSION, .length = sizeof header};
    memcpy(header.label, STORED_LABEL, sizeof header.label);
    const stored_table stored = stored_form(table);
    error = enter(&header, 0, sizeof stored + (uint64_t)table->block_bytes);
    for (size_t i = 0; !error && i < n; i++)
        error = enter(&header, sections[i].kind, sections[i].length);
    if (error)
        return error;
    piece pieces[MOST_PIECES] = {{&header, sizeof header, sizeof header},
                                 {&stored, sizeof stored, sizeof header + sizeof stored},
                                 {table->block, table->block_bytes, 0}};
    for (size_t i = 0; i < n; i++)
        pieces[3 + i] = (piece){sections[i].data, sections[i].length, 0};
    for (size_t i = 1; i <= n; i++)
        pieces[1 + i].to = header.sections[i].offset;
    pieces[2 + n].to = header.length;
    header.checksum = sum_of(pieces, 3 + n);
    return write_all(pieces, 3 + n, write, context);
}
