/* What a table from bytes must prove before it is used; validate.c says what that is and why it is enough. */
#ifndef PASTORE_VALIDATE_H
#define PASTORE_VALIDATE_H

#include "side.h"

/* validate.c: whether every array is where it must be and holds what lookups rely on. Needs no views. */
int prove_structure(const pastore_table *table, const char **broken);

/* recount.c: whether what the table says of its rows is what follows from the row list. A step ends early, and is taken as well
 * done, after `most` comparisons. Needs the structure and the views, as the next two do. All give 0, PASTORE_ERROR_DAMAGED with
 * what does not hold in *broken, which may be NULL, or PASTORE_ERROR_NO_MEMORY. */
int recount(const pastore_table *table, uint64_t most, const char **broken);

/* judge.c: whether the answers are those of the row list, as far as can be told within bounded work; of a table that is not
 * large, after a recount. */
int prove_answers(const pastore_table *table, const char **broken);

/* judge.c: the same with more work, for each packet also alone, and without the recount. */
int judge_closely(const pastore_table *table, const char **broken);

/* A proof under way. */
typedef struct proof {
    const pastore_table *table;
    size_t next;       /* end of the array before, while the layout is followed */
    const char *claim; /* what is being proved: what does not hold if a step fails */
    bool no_memory;
    enum family family_of[MOST_SIDES];
    unsigned bit_of[MOST_SIDES]; /* of row_where: rows with it are of the side */
} proof;

/* Whether the next array is at `offset` and in the block. */
bool takes(proof *p, uint64_t offset, uint64_t count, size_t size);

/* The first row of the family's list from `row` on that has the bit; the list's count if none is left. */
uint32_t next_member(const pastore_table *table, enum family family, unsigned bit, uint32_t row);

/* Whether values up to `limit` are numbered from 0 as they first occur: called with one after the other. */
static inline bool numbered_as_met(uint32_t value, uint32_t *seen) {
    *seen += value == *seen;
    return value < *seen;
}

/* validate_groups.c, validate_chunks.c: whether the next arrays are those of the groups and of the chunks; and what is in them.
 */
bool groups_lie_well(proof *p, enum family family, const side_index *side);
bool groups_are_sound(proof *p, enum family family, const side_index *side);
bool chunks_lie_well(proof *p, enum family family, const side_index *side);
bool chunks_are_sound(proof *p, unsigned number, const side_index *side);

/* validate_groups.c: the last address of an interval but the last. */
key interval_end(const pastore_table *table, enum family family, const address_index *index, uint32_t interval);

#endif
