/* What a table from bytes must prove before it is used.
 *
 * WHAT IS PROVED of any table, in time linear in its size, before the first lookup:
 *
 *   - Layout. Every array lies where the builder puts it: behind the one before, at the next multiple of BLOCK_ALIGN, zeros
 * between, inside of the block, the last one up to its end. So no two arrays overlap and no number from the file is used as an
 * offset. All that the format leaves unused is zero.
 *   - Rows. Ranges run forward, actions and places exist, the row numbers of both lists are 0, 1, 2 and so on. The sides are
 *     those that follow from where the rows apply, numbered as they come.
 *   - Answers by id. Of a table of rules: id i is the i-th row of the side, with its action and number. Of a table of actions:
 * ids are runs of one action, so neighbours differ.
 *   - Search trees. Ends rise strictly, every level is filled up with the largest key, every key of an upper level is the one
 * that it must be; high words and tails of IPv6 likewise, line after line. So a search ends at an interval, whatever the address.
 *   - Ports. The ends rise, the tables of 65536 say the same as the ends, protocols and classes are numbered as they first occur.
 *   - Groups. The largest word of one field plus the largest of the other is the last cell or before it. Every cell, and payload
 * 0, leads to a row that lies in the answers whatever the port class: whole (direct), with the largest place of its shape (shape,
 *     mapped), with four rules to read and one that holds everything at the very end (compare). Words of lists are beginnings of
 *     lists; the last list ends. Ids exist, and the smallest one is `first`. Rules of lists and rules that are compared are,
 * field by field, the row of their id, where ids are rows.
 *   - Chunks. From one interval to the next exactly those rows enter or leave the set whose range begins or ends there, and each
 *     came and went: so bit vectors answer as their rows do.
 *
 * Why that is enough to be safe: a lookup is made of searches, which end at intervals; of records, which are there for every
 * interval; of cells, which are there for every pair of words; of answers, which are there for every payload; of ids, which are
 * there in actions and numbers; and its loops end at keys, rules and ids that are proved to be there. scan_kernel.h lists the
 * bounds, one by one, that the code relies on.
 *
 * WHAT IS PROVED of a table that is not large (judge.c has the numbers): what it says of its rows is computed once more from the
 * row list (recount.c); and each side is tried in every way in which packets can differ, so that its answers are those of the row
 * list. Of a larger table, packets at the corners of rows are judged and compared with the row list: a forged one may be loaded,
 * and give wrong answers, safely. Whoever does not trust the author of a large file compiles its rows again.
 *
 * pastore_check shows the same more slowly, and more besides, in other words; tests hold the two against each other.
 */
#include "validate.h"

#include <string.h>

/* The zeros before an array are read, so the walk is over the whole block. */
bool takes(proof *p, uint64_t offset, uint64_t count, size_t size) {
    const size_t bytes = p->table->block_bytes, gap = (BLOCK_ALIGN - p->next % BLOCK_ALIGN) % BLOCK_ALIGN;
    if (gap > bytes - p->next || offset != p->next + gap || count > (bytes - p->next - gap) / size)
        return false;
    for (size_t i = p->next; i < p->next + gap; i++)
        if (p->table->block[i])
            return false;
    p->next += gap + (size_t)count * size;
    return true;
}

uint32_t next_member(const pastore_table *table, enum family family, unsigned bit, uint32_t row) {
    while (row < table->list[family].count && !(row_where(table, family, row) & bit))
        row++;
    return row;
}

static bool row_is_sound(const pastore_table *table, enum family family, uint32_t row) {
    const uint8_t where = row_where(table, family, row), action = row_action(table, family, row);
    const unsigned in = where & 3, out = where >> 2; /* interface types; a row that applies both ways has the same for both */
    if (where == 0 || where > 15 || (in && out && in != out) || action < PASTORE_ALLOW || action > PASTORE_PROTECT)
        return false;
    if (family == IPV6 && ((const row6 *)at(table, table->list[IPV6].rows))[row].reserved)
        return false;
    for (enum field field = SRC; field < FIELDS; field++) {
        const range r = row_range(table, family, row, field);
        if (key_less(r.hi, r.lo))
            return false; /* that it ends on its axis follows from the type */
    }
    return true;
}

static bool list_is_sound(proof *p, enum family family) {
    const row_list *list = &p->table->list[family];
    if (list->reserved || !takes(p, list->rows, list->count, family == IPV4 ? sizeof(row4) : sizeof(row6)))
        return false;
    if (p->table->verdict != PASTORE_VERDICT_RULE) {
        if (list->numbers)
            return false;
    } else if (!takes(p, list->numbers, list->count, sizeof(int32_t)))
        return false;
    for (uint32_t row = 0; row < list->count; row++)
        if (!row_is_sound(p->table, family, row))
            return false;
    return true;
}

/* Whether the row numbers of the two lists, merged, are 0, 1, 2 and so on: every row given is in one place. */
static bool numbers_are_sound(const pastore_table *table) {
    if ((uint64_t)table->list[IPV4].count + table->list[IPV6].count != table->rows || table->dead > table->rows)
        return false;
    if (table->verdict != PASTORE_VERDICT_RULE)
        return true;
    const int32_t *numbers[FAMILIES] = {at(table, table->list[IPV4].numbers), at(table, table->list[IPV6].numbers)};
    uint32_t used[FAMILIES] = {0, 0};
    for (size_t row = 0; row < table->rows; row++) {
        enum family family = IPV4;
        while (family < FAMILIES && (used[family] == table->list[family].count || numbers[family][used[family]] != (int32_t)row))
            family++;
        if (family == FAMILIES)
            return false;
        used[family]++;
    }
    return true;
}

static bool same_members(const pastore_table *table, enum family family, unsigned bit, unsigned other) {
    for (uint32_t row = 0; row < table->list[family].count; row++)
        if (!(row_where(table, family, row) & bit) != !(row_where(table, family, row) & other))
            return false;
    return true;
}

/* Whether the sides are numbered as they come, equal ones of a family by one number. */
static bool sides_are_numbered(proof *p) {
    const pastore_table *table = p->table;
    uint32_t found = 0;
    for (enum family family = IPV4; family < FAMILIES; family++)
        for (unsigned direction = 0; direction < DIRECTIONS; direction++)
            for (unsigned interface = 0; interface < INTERFACES; interface++) {
                const unsigned bit = where_bit(direction, interface);
                uint32_t side = 0;
                while (side < found && (p->family_of[side] != family || !same_members(table, family, bit, p->bit_of[side])))
                    side++;
                if (side == found) {
                    p->family_of[found] = family;
                    p->bit_of[found++] = bit;
                }
                if (table->side_of[family][direction][interface] != side)
                    return false;
            }
    return found == table->side_count;
}

static bool zero(const void *bytes, size_t n) {
    const unsigned char *b = bytes;
    for (size_t i = 0; i < n; i++)
        if (b[i])
            return false;
    return true;
}

/* How the rows of a side are divided. */
static bool counts_are_sound(const proof *p, unsigned number, const side_index *side) {
    uint64_t grouped = side->rest;
    uint32_t rows = 0;
    for (uint32_t row = 0;
         (row = next_member(p->table, p->family_of[number], p->bit_of[number], row)) < p->table->list[p->family_of[number]].count;
         row++)
        rows++;
    if (side->rows != rows || side->live > rows || (rows != 0) != (side->live != 0) || side->layout >= LAYOUTS ||
        side->groups > MOST_GROUPS)
        return false;
    if (p->table->verdict == PASTORE_VERDICT_RULE ? side->ids != rows
                                                  : side->ids > side->live || (side->ids != 0) != (side->live != 0))
        return false;
    for (uint32_t g = 0; g < side->groups; g++)
        grouped += side->group[g].rules;
    switch ((enum layout)side->layout) {
    case LAYOUT_LINEAR:
        return side->groups == 0 && grouped == 0;
    case LAYOUT_BITS:
        return side->groups == 0 && grouped == side->live;
    case LAYOUT_ONE_DIRECT:
    case LAYOUT_ONE_BANDS:
    case LAYOUT_ONE_SHAPE:
        return side->groups == 1 && side->rest == 0 && grouped == side->live;
    case LAYOUT_TWO:
        return side->groups == 2 && side->rest == 0 && grouped == side->live;
    case LAYOUT_LISTS:
        return side->groups && grouped == side->live;
    default:
        return side->groups && side->rest == 0 && grouped == side->live;
    }
}

/* Whether the next arrays of the block are those of the side. */
static bool side_lies_well(proof *p, unsigned number, const side_index *side) {
    const bool numbered = p->table->verdict == PASTORE_VERDICT_RULE;
    p->claim = "the counts of a side agree with each other and with its rows";
    if (!counts_are_sound(p, number, side))
        return false;
    p->claim = "what a side does not use is zero";
    if (side->layout == LAYOUT_LINEAR) {
        const side_index bare = {.rows = side->rows, .live = side->live, .ids = side->ids, .layout = side->layout};
        return memcmp(&bare, side, sizeof bare) == 0;
    }
    if ((!numbered && side->numbers) || !zero(side->group + side->groups, (MOST_GROUPS - side->groups) * sizeof *side->group) ||
        (side->groups == 0 && (!zero(side->address, sizeof side->address) || !zero(&side->ports, sizeof side->ports))))
        return false;
    p->claim = "actions and numbers of a side lie where they must";
    if (!takes(p, side->actions, (uint64_t)side->ids + 1, sizeof(uint8_t)) ||
        (numbered && !takes(p, side->numbers, (uint64_t)side->ids + 1, sizeof(int32_t))))
        return false;
    return groups_lie_well(p, p->family_of[number], side) && chunks_lie_well(p, p->family_of[number], side);
}

/* Whether ids mean what they must. */
static bool ids_are_sound(proof *p, unsigned number, const side_index *side) {
    const pastore_table *table = p->table;
    const enum family family = p->family_of[number];
    const uint8_t *actions = at(table, side->actions);
    p->claim = "the answer of an id is that of its row";
    if (actions[0] != PASTORE_NONE)
        return false;
    if (table->verdict != PASTORE_VERDICT_RULE) {
        for (uint32_t id = 0; id < side->ids; id++)
            if (actions[id + 1] < PASTORE_ALLOW || actions[id + 1] > PASTORE_PROTECT || actions[id + 1] == actions[id])
                return false;
        return true;
    }
    const int32_t *numbers = at(table, side->numbers), *given = at(table, table->list[family].numbers);
    if (numbers[0] != -1)
        return false;
    for (uint32_t id = 0, row = 0; id < side->ids; id++, row++) {
        row = next_member(table, family, p->bit_of[number], row);
        if (actions[id + 1] != row_action(table, family, row) || numbers[id + 1] != given[row])
            return false;
    }
    return true;
}

/* Rows that can be the answer somewhere are at least those of each side, at most those of all. */
static bool dead_are_sound(const pastore_table *table, const side_index *sides) {
    const uint64_t live = table->rows - table->dead;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < table->side_count; i++) {
        sum += sides[i].live;
        if (live < sides[i].live)
            return false;
    }
    return live <= sum;
}

static bool sides_are_sound(proof *p) {
    const pastore_table *table = p->table;
    p->claim = "the sides are those that the rows apply on";
    if (!sides_are_numbered(p) || !takes(p, table->sides, table->side_count, sizeof(side_index)))
        return false;
    const side_index *sides = at(table, table->sides);
    for (uint32_t i = 0; i < table->side_count; i++)
        if (!side_lies_well(p, i, &sides[i]))
            return false;
    p->claim = "the block ends where its last array does";
    if (p->next != table->block_bytes)
        return false;
    p->claim = "the number of dead rows is possible";
    if (!dead_are_sound(table, sides))
        return false;
    for (uint32_t i = 0; i < table->side_count; i++)
        if (sides[i].layout != LAYOUT_LINEAR &&
            (!ids_are_sound(p, i, &sides[i]) || !groups_are_sound(p, p->family_of[i], &sides[i]) ||
             !chunks_are_sound(p, i, &sides[i])))
            return false;
    return true;
}

static bool structure_is_sound(proof *p) {
    p->claim = "the block begins with zeros";
    if (!takes(p, 0, 1, BLOCK_ALIGN) || !zero(p->table->block, BLOCK_ALIGN))
        return false;
    p->claim = "the row lists hold rows";
    if (!list_is_sound(p, IPV4) || !list_is_sound(p, IPV6))
        return false;
    p->claim = "every row given is in one list";
    return numbers_are_sound(p->table) && sides_are_sound(p);
}

int prove_structure(const pastore_table *table, const char **broken) {
    proof p = {.table = table};
    const bool sound = structure_is_sound(&p);
    if (broken)
        *broken = sound ? NULL : p.no_memory ? "there is memory to check with" : p.claim;
    return sound ? PASTORE_OK : p.no_memory ? PASTORE_ERROR_NO_MEMORY : PASTORE_ERROR_DAMAGED;
}

static bool same4(const row4 *a, const row4 *b) {
    return memcmp(a, b, sizeof *a) == 0;
}

static bool same6(const row6 *a, const row6 *b) {
    return memcmp(a, b, sizeof *a) == 0;
}

int pastore_same_rows(const pastore_table *table, const pastore_row *rows, size_t n) {
    if (!table || (n && !rows))
        return PASTORE_ERROR_ARGUMENT;
    if (n != table->rows)
        return PASTORE_ERROR_DAMAGED;
    uint32_t used[FAMILIES] = {0, 0};
    for (size_t i = 0; i < n; i++) {
        if (row_error(&rows[i], i ? &rows[i - 1] : NULL))
            return PASTORE_ERROR_DAMAGED;
        const enum family family = rows[i].family == 4 ? IPV4 : IPV6;
        const row_list *list = &table->list[family];
        const uint32_t k = used[family]++;
        if (k == list->count)
            return PASTORE_ERROR_DAMAGED;
        const row4 as4 = row4_of(&rows[i]);
        const row6 as6 = row6_of(&rows[i]);
        if (family == IPV4 ? !same4(&as4, (const row4 *)at(table, list->rows) + k)
                           : !same6(&as6, (const row6 *)at(table, list->rows) + k))
            return PASTORE_ERROR_DAMAGED;
        if (table->verdict == PASTORE_VERDICT_RULE && ((const int32_t *)at(table, list->numbers))[k] != (int32_t)i)
            return PASTORE_ERROR_DAMAGED;
    }
    return PASTORE_OK;
}
