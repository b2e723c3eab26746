/* Every invariant of a table, recomputed from its row list. Tests call this after each build. */
#include <stdlib.h>

#include "compile.h"
#include "validate.h"

/* Comparisons that each step of the recount may make. */
static const uint64_t MOST_COMPARED = (uint64_t)1 << 31;

/* With views made anew, so that what is checked is what is stored, and not what was there when the table was made. */
static const char *check_with_views(const pastore_table *table) {
    pastore_table again = *table;
    const char *broken = NULL;
    again.views = NULL;
    if (view_table(&again))
        return "there is memory to check with";
    if (recount(&again, MOST_COMPARED, &broken) == PASTORE_OK)
        (void)judge_closely(&again, &broken);
    free(again.views);
    return broken;
}

/* The first broken invariant; NULL: all is well. */
static const char *check_table(const pastore_table *table) {
    const char *broken = NULL;
    const size_t fixed = sizeof *table + table->side_count * sizeof(side_view);
    if (table->memory_limit && fixed + table->block_bytes > table->memory_limit)
        return "the table keeps within its memory limit";
    if (prove_structure(table, &broken))
        return broken;
    return check_with_views(table);
}

int pastore_check(const pastore_table *table, const char **broken) {
    if (!table)
        return PASTORE_ERROR_ARGUMENT;
    const char *const found = check_table(table);
    if (broken)
        *broken = found;
    return found ? PASTORE_ERROR_BROKEN : PASTORE_OK;
}
