/* The stored shape of a side as pointers, so that a lookup adds no offsets. */
#include "side.h"

/* Cells up to this size tend to stay in the second-level cache by themselves. */
static const uint64_t LARGE_CELLS = (uint64_t)256 << 10;

static const void *place(const pastore_table *table, uint64_t offset) {
    return offset ? at(table, offset) : NULL;
}

static void view_address(const pastore_table *table, const address_index *index, address_view *view) {
    *view = (address_view){.tails = place(table, index->tails),
                           .lows = place(table, index->lows),
                           .records = place(table, index->records),
                           .levels = index->levels,
                           .intervals = index->intervals};
    for (uint32_t k = 0; k < index->levels; k++) {
        view->level[k] = place(table, index->level[k]);
        view->keys[k] = index->keys[k];
    }
}

static void view_ports(const pastore_table *table, const port_index *index, port_view *view) {
    *view = (port_view){.protocol = place(table, index->protocol),
                        .classes = place(table, index->classes),
                        .protocols = index->protocols};
    for (unsigned a = 0; a < 2; a++) {
        const port_axis *axis = &index->axis[a];
        const void *table_of = place(table, axis->intervals_of);
        view->intervals[a] = axis->intervals;
        view->ends[a] = place(table, axis->ends);
        if (axis->intervals <= 256)
            view->narrow[a] = table_of;
        else
            view->wide[a] = table_of;
    }
    for (unsigned p = 1; view->protocol && p < 256; p++)
        if (view->protocol[p] != view->protocol[p - 1]) {
            if (view->protocol_ends < 16)
                view->protocol_end[view->protocol_ends] = (uint8_t)(p - 1);
            view->protocol_ends++;
        }
}

static void view_group(const pastore_table *table, const group *stored, group_view *view) {
    const uint64_t size = stored->pair == PAIR_SPARSE ? sizeof(uint64_t) : sizeof(uint32_t);
    *view = (group_view){.pair = stored->pair,
                         .finish = stored->finish,
                         .major = stored->major,
                         .base_bits = stored->base_bits,
                         .classes = stored->classes,
                         .first = stored->first,
                         .large = stored->cell_count * size > LARGE_CELLS,
                         .cells = place(table, stored->cells),
                         .answers = place(table, stored->answers),
                         .shapes = place(table, stored->shapes),
                         .map = place(table, stored->map)};
}

void view_side(const pastore_table *table, enum family family, const side_index *side, side_view *view) {
    *view = (side_view){.family = family,
                        .groups = side->groups,
                        .chunk_count = side->chunk_count,
                        .chunks = place(table, side->chunks),
                        .rest_ids = place(table, side->rest_ids),
                        .numbers = place(table, side->numbers),
                        .actions = place(table, side->actions)};
    view->identity = view->numbers != NULL;
    for (uint32_t id = 0; view->identity && id < side->ids; id++)
        view->identity = view->numbers[id + 1] == (int32_t)id;
    if (side->groups == 0)
        return;
    for (unsigned field = SRC; field <= DST; field++)
        view_address(table, &side->address[field], &view->address[field]);
    view_ports(table, &side->ports, &view->ports);
    for (uint32_t g = 0; g < side->groups; g++) {
        view_group(table, &side->group[g], &view->group[g]);
        const bool list = side->group[g].pair == PAIR_LIST, compares = side->group[g].finish == FINISH_COMPARE;
        view->needs_interval |= list;
        view->needs_ports |= !list && compares;
        view->needs_class |= !list && !compares;
    }
}
