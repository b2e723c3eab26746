/* Source port, destination port and protocol become one number: the port class. */
#include <string.h>

#include "compile.h"

/* Up to these there are port classes. */
enum { MOST_BOXES = 20000, MOST_CLASSES = 65535 };

static const size_t MOST_CELLS = (size_t)4 << 20;
static const uint64_t MOST_BOX_TESTS = 1u << 28;

enum { SPORT_AXIS, DPORT_AXIS, PROTOCOL_AXIS, AXES };

typedef struct axis {
    uint16_t *interval_of; /* [values] */
    uint32_t values, intervals;
} axis;

static uint32_t bound_in(const live_row *r, unsigned which, bool hi) {
    switch (which) {
    case SPORT_AXIS:
        return hi ? r->sport_hi : r->sport_lo;
    case DPORT_AXIS:
        return hi ? r->dport_hi : r->dport_lo;
    default:
        return hi ? r->protocol_hi : r->protocol_lo;
    }
}

static bool find_intervals(const compiler *c, arena *scratch, unsigned which, axis *out) {
    out->values = which == PROTOCOL_AXIS ? 256 : 65536;
    out->interval_of = arena_take(scratch, out->values, sizeof *out->interval_of);
    uint8_t *starts = arena_zeroed(scratch, out->values + 1, 1);
    if (!starts || !out->interval_of)
        return false;
    for (uint32_t i = 0; i < c->count; i++) {
        starts[bound_in(&c->rules[i], which, false)] = 1;
        starts[bound_in(&c->rules[i], which, true) + 1] = 1;
    }
    uint32_t interval = 0;
    for (uint32_t value = 0; value < out->values; value++) {
        interval += value && starts[value];
        out->interval_of[value] = (uint16_t)interval;
    }
    out->intervals = interval + 1;
    return true;
}

static bool store_axis(compiler *c, unsigned which, const axis *from) {
    port_part *p = &c->ports;
    const uint32_t n = from->intervals, ends = n - 1;
    p->intervals[which] = n;
    if (ends <= MOST_PORT_ENDS) {
        const uint32_t room = (ends ? (ends - 1) / PORT_LINE + 1 : 1) * PORT_LINE;
        uint16_t *kept = arena_take(&c->arena, room, sizeof *kept);
        if (!kept)
            return false;
        memset(kept, 0xFF, room * sizeof *kept);
        for (uint32_t value = 1, k = 0; value < from->values; value++)
            if (from->interval_of[value] != from->interval_of[value - 1])
                kept[k++] = (uint16_t)(value - 1);
        p->ends[which] = kept;
    }
    if (ends > FEW_PORT_ENDS) {
        const bool narrow = n <= 256;
        uint8_t *table = arena_take(&c->arena, from->values, narrow ? sizeof(uint8_t) : sizeof(uint16_t));
        if (!table)
            return false;
        for (uint32_t value = 0; value < from->values; value++)
            if (narrow)
                table[value] = (uint8_t)from->interval_of[value];
            else
                ((uint16_t *)(void *)table)[value] = from->interval_of[value];
        p->intervals_of[which] = table;
    }
    return true;
}

static bool store_axes(compiler *c, const axis axes[AXES]) {
    uint8_t *protocol = arena_take(&c->arena, 256, 1);
    if (!protocol)
        return false;
    for (unsigned value = 0; value < 256; value++)
        protocol[value] = (uint8_t)axes[PROTOCOL_AXIS].interval_of[value];
    c->ports.protocol = protocol;
    c->ports.protocols = axes[PROTOCOL_AXIS].intervals;
    return store_axis(c, SPORT_AXIS, &axes[SPORT_AXIS]) && store_axis(c, DPORT_AXIS, &axes[DPORT_AXIS]);
}

static uint64_t hash_box(const port_box *b) {
    uint64_t h = 0;
    for (unsigned a = 0; a < AXES; a++)
        h = mix64(h + ((uint64_t)b->lo[a] << 16 | b->hi[a]) + a);
    return h;
}

/* The distinct boxes, and which one each rule has. NULL with *many set: more than we want. */
static port_box *find_boxes(compiler *c, arena *scratch, const axis axes[AXES], bool *many) {
    const size_t slot_count = (size_t)1 << 16; /* more than three times MOST_BOXES */
    port_part *p = &c->ports;
    port_box *boxes = arena_take(scratch, MOST_BOXES, sizeof *boxes);
    uint32_t *slots = arena_zeroed(scratch, slot_count, sizeof *slots);
    p->box_of = arena_take(&c->arena, c->count, sizeof *p->box_of);
    if (!boxes || !slots || !p->box_of)
        return NULL;
    for (uint32_t i = 0; i < c->count; i++) {
        port_box box;
        for (unsigned a = 0; a < AXES; a++) {
            box.lo[a] = axes[a].interval_of[bound_in(&c->rules[i], a, false)];
            box.hi[a] = axes[a].interval_of[bound_in(&c->rules[i], a, true)];
        }
        size_t slot = hash_box(&box) & (slot_count - 1);
        while (slots[slot] && memcmp(&boxes[slots[slot] - 1], &box, sizeof box) != 0)
            slot = (slot + 1) & (slot_count - 1);
        if (!slots[slot]) {
            if (p->box_count == MOST_BOXES) {
                *many = true;
                return NULL;
            }
            boxes[p->box_count++] = box;
            slots[slot] = p->box_count;
        }
        p->box_of[i] = slots[slot] - 1;
    }
    return boxes;
}

/* Gives every cell the sum of the numbers of the boxes that hold it: each box marks its corners, running sums do the rest. */
static void sum_cells(const compiler *c, const port_box *boxes, const size_t step[AXES], const uint32_t n[AXES], sum128 *cells) {
    for (uint32_t b = 0; b < c->ports.box_count; b++) {
        const sum128 number = number_of(c, (uint64_t)1 << 40 | b);
        for (unsigned corner = 0; corner < 8; corner++) {
            size_t at = 0;
            bool inside = true, minus = false;
            for (unsigned a = 0; a < AXES; a++) {
                const bool after = corner >> a & 1;
                const uint32_t x = after ? boxes[b].hi[a] + 1u : boxes[b].lo[a];
                inside &= x < n[a];
                minus ^= after;
                at += x * step[a];
            }
            if (inside)
                cells[at] = minus ? sum_minus(cells[at], number) : sum_plus(cells[at], number);
        }
    }
    const size_t all = (size_t)n[0] * n[1] * n[2];
    for (unsigned a = 0; a < AXES; a++)
        for (size_t line = 0; line < all; line += step[a] * n[a])
            for (size_t i = line + step[a]; i < line + step[a] * n[a]; i++)
                cells[i] = sum_plus(cells[i], cells[i - step[a]]);
}

/* Numbers the distinct sums; a cell of each goes to `representative`. 0: more classes than we want, or no memory. */
static uint32_t number_classes(arena *scratch, const sum128 *cells, size_t count, uint16_t *classes, uint32_t *representative) {
    size_t slot_count = 1024;
    uint32_t found = 0;
    while (slot_count < 4 * (size_t)MOST_CLASSES && slot_count < 2 * count)
        slot_count *= 2;
    uint32_t *slots = arena_zeroed(scratch, slot_count, sizeof *slots);
    if (!slots)
        return 0;
    for (size_t i = 0; i < count; i++) {
        size_t slot = sum_hash(cells[i]) & (slot_count - 1);
        while (slots[slot] && !sum_equal(cells[representative[slots[slot] - 1]], cells[i]))
            slot = (slot + 1) & (slot_count - 1);
        if (!slots[slot]) {
            if (found == MOST_CLASSES)
                return 0;
            representative[found++] = (uint32_t)i;
            slots[slot] = found;
        }
        classes[i] = (uint16_t)(slots[slot] - 1);
    }
    return found;
}

static bool box_holds(const port_box *b, const uint32_t at[AXES]) {
    for (unsigned a = 0; a < AXES; a++)
        if (at[a] < b->lo[a] || at[a] > b->hi[a])
            return false;
    return true;
}

static bool box_covers(const port_box *a, const port_box *b) {
    for (unsigned k = 0; k < AXES; k++)
        if (a->lo[k] > b->lo[k] || a->hi[k] < b->hi[k])
            return false;
    return true;
}

/* Which boxes hold which classes, and which boxes lie within which. */
static bool relate(compiler *c, const port_box *boxes, const uint32_t *representative, const size_t step[AXES],
                   const uint32_t n[AXES]) {
    port_part *p = &c->ports;
    const uint32_t words = (p->box_count + 63) / 64, class_words = (p->class_count + 63) / 64;
    p->box_words = words;
    p->covered = arena_zeroed(&c->arena, (size_t)p->box_count * words, sizeof *p->covered);
    p->class_boxes = arena_zeroed(&c->arena, (size_t)p->class_count * words, sizeof *p->class_boxes);
    p->box_classes = arena_zeroed(&c->arena, (size_t)p->box_count * class_words, sizeof *p->box_classes);
    if (c->arena.failed)
        return false;
    for (uint32_t k = 0; k < p->class_count; k++) {
        uint32_t at[AXES];
        for (unsigned a = 0; a < AXES; a++)
            at[a] = (uint32_t)(representative[k] / step[a] % n[a]);
        for (uint32_t b = 0; b < p->box_count; b++)
            if (box_holds(&boxes[b], at)) {
                p->class_boxes[(size_t)k * words + b / 64] |= (uint64_t)1 << b % 64;
                p->box_classes[(size_t)b * class_words + k / 64] |= (uint64_t)1 << k % 64;
            }
    }
    for (uint32_t a = 0; a < p->box_count; a++)
        for (uint32_t b = 0; b < p->box_count; b++)
            if (box_covers(&boxes[a], &boxes[b]))
                p->covered[(size_t)a * words + b / 64] |= (uint64_t)1 << b % 64;
    return true;
}

static int index_with(compiler *c, arena *scratch) {
    port_part *p = &c->ports;
    axis axes[AXES];
    for (unsigned a = 0; a < AXES; a++)
        if (!find_intervals(c, scratch, a, &axes[a]))
            return PASTORE_ERROR_NO_MEMORY;
    const uint32_t n[AXES] = {axes[0].intervals, axes[1].intervals, axes[2].intervals};
    const size_t step[AXES] = {(size_t)n[1] * n[2], n[2], 1};
    if ((size_t)n[0] * n[1] > MOST_CELLS / n[2])
        return PASTORE_OK;
    bool many = false;
    const port_box *boxes = find_boxes(c, scratch, axes, &many);
    if (!boxes)
        return many ? PASTORE_OK : PASTORE_ERROR_NO_MEMORY;
    const size_t cells = (size_t)n[0] * step[0];
    sum128 *sums = arena_zeroed(scratch, cells, sizeof *sums);
    uint16_t *classes = arena_take(&c->arena, cells, sizeof *classes);
    uint32_t *representative = arena_take(scratch, MOST_CLASSES, sizeof *representative);
    if (!sums || !classes || !representative)
        return PASTORE_ERROR_NO_MEMORY;
    sum_cells(c, boxes, step, n, sums);
    const uint32_t found = number_classes(scratch, sums, cells, classes, representative);
    if (scratch->failed)
        return PASTORE_ERROR_NO_MEMORY;
    if (!found || (uint64_t)found * p->box_count > MOST_BOX_TESTS)
        return PASTORE_OK;
    p->class_count = found;
    p->classes = classes;
    if (!store_axes(c, axes) || !relate(c, boxes, representative, step, n))
        return PASTORE_ERROR_NO_MEMORY;
    p->classed = true;
    return PASTORE_OK;
}

int index_ports(compiler *c) {
    arena scratch = {0};
    const int error = index_with(c, &scratch);
    arena_empty(&scratch);
    if (!c->ports.classed)
        c->ports = (port_part){0}; /* what it took stays in the arena until that goes */
    return error;
}
