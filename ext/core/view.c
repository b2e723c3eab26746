/* The stored shape of a side as pointers, so that a lookup adds no offsets. */
#include <stdlib.h>

#include "side.h"

/* Cells up to this size tend to stay in the second-level cache by themselves. */
static const uint64_t LARGE_CELLS = (uint64_t)256 << 10;

static const void *place(const pastore_table *table, uint64_t offset) {
    return offset ? at(table, offset) : NULL;
}

uint32_t halvings_of(const tail *tails, uint32_t count) {
    uint32_t most = 1, halvings = 0;
    uint64_t ends = 0, ends_of_long = 0;
    for (uint32_t t = 0; t < count; t++) {
        const uint32_t lines = tails[t].line_count, n = tails[t + 1].before - tails[t].before;
        most = lines > most ? lines : most;
        ends += n;
        ends_of_long += lines > 1 ? n : 0;
    }
    if (ends_of_long * 3 < ends)
        return 0;
    for (; most > 1; most -= most / 2)
        halvings++;
    return halvings;
}

static void view_address(const pastore_table *table, const address_index *index, address_view *view) {
    *view = (address_view){.fold = place(table, index->fold),
                           .tails = place(table, index->tails),
                           .lows = place(table, index->lows),
                           .records = place(table, index->records),
                           .levels = index->levels,
                           .intervals = index->intervals};
    for (uint32_t k = 0; k < index->levels; k++) {
        view->level[k] = place(table, index->level[k]);
        view->keys[k] = index->keys[k];
    }
    if (view->tails)
        view->halvings = halvings_of(view->tails, index->keys[0]);
}

void view_ports(port_view *view, const uint16_t *const ends[2], const void *const intervals_of[2], const uint32_t intervals[2],
                const uint8_t *protocol, const uint16_t *classes, uint32_t protocols) {
    *view = (port_view){.protocol = protocol, .classes = classes, .protocols = protocols};
    for (unsigned a = 0; a < 2; a++) {
        view->intervals[a] = intervals[a];
        view->ends[a] = ends[a];
        if (intervals[a] <= 256)
            view->narrow[a] = intervals_of[a];
        else
            view->wide[a] = intervals_of[a];
    }
    for (unsigned p = 1; p < 256; p++)
        if (protocol[p] != protocol[p - 1]) {
            if (view->protocol_ends < 16)
                view->protocol_end[view->protocol_ends] = (uint8_t)(p - 1);
            view->protocol_ends++;
        }
}

void view_group(group_view *view, const group *stored, const void *cells, const void *answers, const uint8_t *shapes,
                const void *map) {
    *view = (group_view){.pair = stored->pair,
                         .finish = stored->finish,
                         .major = stored->major,
                         .base_bits = stored->base_bits,
                         .classes = stored->classes,
                         .first = stored->first,
                         .large = stored->cell_count * cell_size(stored) > LARGE_CELLS,
                         .cells = cells,
                         .answers = answers,
                         .shapes = shapes,
                         .map = map};
}

void view_needs(side_view *view) {
    for (uint32_t g = 0; g < view->groups; g++) {
        const bool list = view->group[g].pair == PAIR_LIST, compares = view->group[g].finish == FINISH_COMPARE;
        view->needs_interval |= list;
        view->needs_ports |= !list && compares;
        view->needs_class |= !list && !compares;
    }
    const group_view *g = &view->group[0];
    view->dense = view->groups == 1 &&
                  (g->pair == PAIR_BANDS || (g->pair == PAIR_DENSE && (g->finish == FINISH_DIRECT || g->finish == FINISH_SHAPE)));
    view->plain = view->groups && !view->chunk_count && !view->linear;
}

void view_side(const pastore_table *table, enum family family, const side_index *side, side_view *view) {
    *view = (side_view){.family = family,
                        .groups = side->groups,
                        .chunk_count = side->chunk_count,
                        .linear = side->layout == LAYOUT_LINEAR,
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
    if (side->ports.class_count) {
        const port_index *p = &side->ports;
        view_ports(&view->ports, (const uint16_t *const[2]){place(table, p->axis[0].ends), place(table, p->axis[1].ends)},
                   (const void *const[2]){place(table, p->axis[0].intervals_of), place(table, p->axis[1].intervals_of)},
                   (const uint32_t[2]){p->axis[0].intervals, p->axis[1].intervals}, place(table, p->protocol),
                   place(table, p->classes), p->protocols);
    }
    for (uint32_t g = 0; g < side->groups; g++) {
        const group *stored = &side->group[g];
        view_group(&view->group[g], stored, place(table, stored->cells), place(table, stored->answers),
                   place(table, stored->shapes), place(table, stored->map));
    }
    view_needs(view);
}

int view_table(pastore_table *table) {
    const side_index *sides = at(table, table->sides);
    table->views = calloc(table->side_count, sizeof *table->views);
    if (!table->views)
        return PASTORE_ERROR_NO_MEMORY;
    for (unsigned family = 0; family < FAMILIES; family++)
        for (unsigned direction = 0; direction < DIRECTIONS; direction++)
            for (unsigned interface = 0; interface < INTERFACES; interface++) {
                const uint8_t side = table->side_of[family][direction][interface];
                view_side(table, (enum family)family, &sides[side], &table->views[side]);
                table->view_of[family][direction][interface] = &table->views[side];
            }
    return PASTORE_OK;
}
