/* Bytes become a table, or a refusal.
 *
 * FORMAT, version 3
 *
 * All numbers have the byte order of the machine that saved; there is nothing to convert, so a table can be used where it lies.
 *
 *     offset  bytes
 *          0      8  label: 89 50 53 54 0D 0A 1A 0A, which no transfer as text leaves whole
 *          8      4  byte order: the number 0x01020304
 *         12      4  version of the format
 *         16      8  length of everything, in bytes
 *         24      8  checksum: XXH64, seed 0, of everything, with zeros in this place
 *         32      4  number of sections, 1 to 16
 *         36      4  zero
 *         40  16*24  sections: kind, zero (4 bytes each), offset from the start, length (8 each); zeros where there are fewer
 *        424     24  zeros
 *        448         the sections, in that order, each at the next multiple of 64, zeros between them, nothing after the last
 *
 * The first section has kind 0 and is the table: stored_table of stored.h, then the block. Other kinds are the caller's, nonzero
 * and different; what is in them is not looked at here. The label, the byte order and the version keep their places in every
 * version.
 *
 * The block is laid out in exactly one way, the one of build.c, store.c and chunks.c: 64 zeros; for each family its rows and
 * their numbers; the sides (side_index of side.h); then for each side its actions and numbers; for the source and for the
 * destination the search levels, for IPv6 the fold or tails and low words, and the records; the port tables; for each group its
 * cells, answers, shapes and map; the chunks, for each chunk and field the starts, classes and sets; the ids and rows of the
 * chunks. Every array starts at the next multiple of 64, in the block and therefore in the file. Nothing is left to the file, so
 * offsets are only compared with what they must be.
 *
 * WHAT IS CHECKED, in this order, each with an error of its own: label, byte order, version, length, checksum; then everything
 * else. The checksum finds accidents. Against a file made on purpose stands validate.c, which proves, in time linear in the size,
 * that no packet can lead a lookup astray, and judges packets aimed at the rows. Numbers from the file are compared before they
 * are added or multiplied.
 */
#include <stdlib.h>
#include <string.h>

#include "side.h"
#include "stored.h"
#include "validate.h"

static bool all_zero(const unsigned char *bytes, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (bytes[i])
            return false;
    return true;
}

/* What can be said before the numbers in the header are believed. */
static int check_label(const void *buffer, size_t length) {
    const stored_header *header = buffer;
    const size_t label = sizeof header->label;
    if (length == 0 || memcmp(buffer, STORED_LABEL, length < label ? length : label) != 0)
        return PASTORE_ERROR_NOT_TABLE;
    if (length < offsetof(stored_header, length))
        return PASTORE_ERROR_TRUNCATED;
    if (header->byte_order == 0x04030201u)
        return PASTORE_ERROR_BYTE_ORDER;
    if (header->byte_order != STORED_BYTE_ORDER)
        return PASTORE_ERROR_CHECKSUM; /* neither: no machine wrote this */
    if (header->version != STORED_VERSION)
        return PASTORE_ERROR_VERSION;
    if (length < sizeof *header || header->length > length)
        return PASTORE_ERROR_TRUNCATED;
    return stored_checksum(header, buffer, length) == header->checksum ? PASTORE_OK : PASTORE_ERROR_CHECKSUM;
}

/* Whether the sections tile the file: in order, aligned, zeros between, none twice. */
static bool sections_fit(const stored_header *header, size_t length) {
    const unsigned char *bytes = (const unsigned char *)header;
    const uint32_t n = header->section_count;
    if (header->length != length || n == 0 || n > STORED_SECTIONS || header->reserved ||
        !all_zero((const unsigned char *)header->filler, sizeof header->filler) ||
        !all_zero((const unsigned char *)(header->sections + n), (STORED_SECTIONS - n) * sizeof *header->sections))
        return false;
    size_t end = sizeof *header;
    for (uint32_t i = 0; i < n; i++) {
        const stored_section *section = &header->sections[i];
        const size_t gap = (STORED_ALIGN - end % STORED_ALIGN) % STORED_ALIGN;
        if (gap > length - end || section->offset != end + gap || section->length > length - end - gap || section->reserved ||
            !all_zero(bytes + end, gap) || (section->kind == 0) != (i == 0))
            return false;
        for (uint32_t j = 0; j < i; j++)
            if (header->sections[j].kind == section->kind)
                return false;
        end += gap + (size_t)section->length;
    }
    return end == length;
}

/* Fills in a table from the first section. */
static int take_over(pastore_table *table, const stored_header *header) {
    const stored_section *section = &header->sections[0];
    const stored_table *stored = (const void *)((const unsigned char *)header + section->offset);
    if (section->length < sizeof *stored || stored->block_bytes != section->length - sizeof *stored ||
        !all_zero((const unsigned char *)stored->filler, sizeof stored->filler) || stored->rows > INT32_MAX ||
        stored->dead > stored->rows || stored->verdict > PASTORE_VERDICT_ACTION)
        return PASTORE_ERROR_DAMAGED;
    table->stored = header;
    table->block = (unsigned char *)(uintptr_t)(stored + 1); /* never written: every loaded table is handed out for reading */
    table->block_bytes = (size_t)stored->block_bytes;
    table->rows = (size_t)stored->rows;
    table->dead = (size_t)stored->dead;
    table->sides = stored->sides;
    table->verdict = (int)stored->verdict;
    table->side_count = stored->side_count;
    table->isa = isa_chosen();
    memcpy(table->list, stored->list, sizeof table->list);
    memcpy(table->side_of, stored->side_of, sizeof table->side_of);
    int error = prove_structure(table, NULL);
    if (!error)
        error = view_table(table);
    return error ? error : prove_answers(table, NULL);
}

static void keep_block(pastore_table *table) {
    (void)table; /* the buffer is the caller's */
}

int pastore_load(const void *buffer, size_t length, pastore_table **out) {
    if (!out)
        return PASTORE_ERROR_ARGUMENT;
    *out = NULL;
    if (!buffer && length)
        return PASTORE_ERROR_ARGUMENT;
    if ((uintptr_t)buffer % _Alignof(uint64_t))
        return PASTORE_ERROR_ALIGNMENT;
    int error = check_label(buffer, length);
    if (error)
        return error;
    if (!sections_fit(buffer, length))
        return PASTORE_ERROR_DAMAGED;
    pastore_table *table = calloc(1, sizeof *table);
    if (!table)
        return PASTORE_ERROR_NO_MEMORY;
    table->release = keep_block;
    error = take_over(table, buffer);
    if (error) {
        pastore_close(table);
        return error;
    }
    *out = table;
    return PASTORE_OK;
}

pastore_section pastore_section_of(const pastore_table *table, uint32_t kind) {
    const stored_header *header = table ? table->stored : NULL;
    for (uint32_t i = 1; header && i < header->section_count; i++)
        if (header->sections[i].kind == kind)
            return (pastore_section){kind, (const unsigned char *)header + header->sections[i].offset,
                                     (size_t)header->sections[i].length};
    return (pastore_section){.kind = kind};
}
