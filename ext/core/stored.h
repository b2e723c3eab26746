/* The shapes of a stored table. What they mean is told at the top of load.c. */
#ifndef PASTORE_STORED_H
#define PASTORE_STORED_H

#include "core.h"

enum { STORED_VERSION = 3, STORED_ALIGN = 64, STORED_SECTIONS = 1 + PASTORE_MOST_SECTIONS };

#define STORED_LABEL "\x89PST\r\n\x1a\n"
#define STORED_BYTE_ORDER 0x01020304u

typedef struct stored_section {
    uint32_t kind, reserved;
    uint64_t offset, length; /* from the start of the file, in bytes */
} stored_section;

typedef struct stored_header {
    uint8_t label[8];
    uint32_t byte_order;
    uint32_t version;
    uint64_t length;   /* of everything */
    uint64_t checksum; /* of everything, with 0 in this place */
    uint32_t section_count;
    uint32_t reserved;
    stored_section sections[STORED_SECTIONS];
    uint64_t filler[3];
} stored_header;

/* The section of kind 0: this, then the block. */
typedef struct stored_table {
    uint64_t block_bytes, rows, dead, sides;
    row_list list[FAMILIES];
    uint32_t verdict, side_count;
    uint8_t side_of[FAMILIES][DIRECTIONS][INTERFACES];
    uint64_t filler[4];
} stored_table;

_Static_assert(sizeof(stored_header) == 448 && sizeof(stored_header) % STORED_ALIGN == 0, "the header belongs to the format");
_Static_assert(sizeof(stored_table) == 128 && sizeof(stored_table) % BLOCK_ALIGN == 0, "so does this");
_Static_assert(STORED_ALIGN % BLOCK_ALIGN == 0, "what is aligned in the block is aligned in a mapped file");

/* checksum.c: XXH64 with seed 0, over bytes as they come. */
typedef struct checksum {
    uint64_t lanes[4], total;
    unsigned char pending[32];
} checksum;

void checksum_begin(checksum *sum);
void checksum_add(checksum *sum, const void *bytes, size_t n);
uint64_t checksum_finish(const checksum *sum);

/* The checksum of a stored table whose header is `header` and whose other bytes are those after `bytes` + the header's size. */
uint64_t stored_checksum(const stored_header *header, const void *bytes, size_t length);

#endif
