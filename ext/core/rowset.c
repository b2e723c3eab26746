/* The rows of a group and how their answers are kept.
 *
 * A row is the list of the rules that a cell of the group's matrix lies in, in order, without those whose port box lies within
 * that of an earlier rule of the list: they cannot win here. Many cells have the same row, and many rows the same sequence of
 * port boxes, the shape, with other rules in it.
 */
#include <string.h>

#include "compile.h"

/* Room for one more than `used` elements; the old ones stay in the arena until it is emptied. */
static bool grow(arena *a, void *pointer, size_t used, size_t wanted, size_t *room, size_t size) {
    void *old, *larger;
    if (wanted <= *room)
        return true;
    size_t more = *room ? *room : 256;
    while (more < wanted)
        more *= 2;
    larger = arena_take(a, more, size);
    if (!larger)
        return false;
    memcpy(&old, pointer, sizeof old);
    if (used)
        memcpy(larger, old, used * size);
    memcpy(pointer, &larger, sizeof larger);
    *room = more;
    return true;
}

static bool grow_rows(rowset *r) {
    if (r->count < r->room)
        return true;
    size_t room[4] = {r->room, r->room, r->room, r->room};
    const size_t n = r->count, more = n + 1;
    const bool done = grow(r->arena, &r->start, n, more, &room[0], sizeof *r->start) &&
                      grow(r->arena, &r->length, n, more, &room[1], sizeof *r->length) &&
                      grow(r->arena, &r->shape, n, more, &room[2], sizeof *r->shape) &&
                      grow(r->arena, &r->hash, n, more, &room[3], sizeof *r->hash);
    r->room = (uint32_t)room[0];
    return done;
}

static bool grow_shapes(rowset *r) {
    if (r->shape_count < r->shape_room)
        return true;
    size_t room[2] = {r->shape_room, r->shape_room};
    const size_t n = r->shape_count;
    const bool done = grow(r->arena, &r->shape_start, n, n + 1, &room[0], sizeof *r->shape_start) &&
                      grow(r->arena, &r->shape_length, n, n + 1, &room[1], sizeof *r->shape_length);
    r->shape_room = (uint32_t)room[0];
    return done;
}

static uint64_t hash_list(const uint32_t *list, uint32_t count) {
    uint64_t h = count;
    for (uint32_t i = 0; i < count; i++)
        h = mix64(h ^ list[i]);
    return h;
}

/* The hash table of shapes, twice as large and filled anew. */
static bool widen_shape_slots(rowset *r) {
    const size_t wider = r->shape_slot_count * 4;
    uint32_t *slots = arena_zeroed(r->arena, wider, sizeof *slots);
    if (!slots)
        return false;
    for (uint32_t s = 0; s < r->shape_count; s++) {
        size_t slot = hash_list(r->boxes + r->shape_start[s], r->shape_length[s]) & (wider - 1);
        while (slots[slot])
            slot = (slot + 1) & (wider - 1);
        slots[slot] = s + 1;
    }
    r->shape_slots = slots;
    r->shape_slot_count = wider;
    return true;
}

static uint32_t shape_of(rowset *r, uint32_t count) {
    const size_t mask = r->shape_slot_count - 1;
    size_t slot = hash_list(r->kept_boxes, count) & mask;
    for (; r->shape_slots[slot]; slot = (slot + 1) & mask) {
        const uint32_t s = r->shape_slots[slot] - 1;
        if (r->shape_length[s] == count &&
            (!count || memcmp(r->boxes + r->shape_start[s], r->kept_boxes, count * sizeof *r->boxes) == 0))
            return s;
    }
    if (!grow_shapes(r) || !grow(r->arena, &r->boxes, r->box_count, r->box_count + count + 1, &r->box_room, sizeof *r->boxes))
        return NO_ROW;
    const uint32_t shape = r->shape_count++;
    memcpy(r->boxes + r->box_count, r->kept_boxes, count * sizeof *r->boxes);
    r->shape_start[shape] = (uint32_t)r->box_count;
    r->shape_length[shape] = count;
    r->box_count += count;
    r->shape_slots[slot] = shape + 1;
    return r->shape_count * 2 > r->shape_slot_count && !widen_shape_slots(r) ? NO_ROW : shape;
}

static bool widen_slots(rowset *r) {
    const size_t wider = r->slot_count * 4;
    uint32_t *slots = arena_zeroed(r->arena, wider, sizeof *slots);
    if (!slots)
        return false;
    for (uint32_t row = 0; row < r->count; row++) {
        size_t slot = r->hash[row] & (wider - 1);
        while (slots[slot])
            slot = (slot + 1) & (wider - 1);
        slots[slot] = row + 1;
    }
    r->slots = slots;
    r->slot_count = wider;
    return true;
}

/* Leaves in kept and kept_boxes the rules that can win, as far as port boxes tell. */
static uint32_t keep_winners(rowset *r, const uint32_t *rules, uint32_t count) {
    const compiler *c = r->c;
    const port_part *p = &c->ports;
    uint32_t kept = 0;
    if (!p->classed) {
        for (uint32_t i = 0; i < count; i++) {
            r->kept_boxes[i] = 0;
            r->kept[i] = rules[i];
        }
        return count;
    }
    memset(r->dead, 0, p->box_words * sizeof *r->dead);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t box = p->box_of[rules[i]];
        if (r->dead[box / 64] >> box % 64 & 1)
            continue;
        r->kept_boxes[kept] = box;
        r->kept[kept++] = rules[i];
        const uint64_t *covered = p->covered + (size_t)box * p->box_words;
        for (uint32_t w = 0; w < p->box_words; w++)
            r->dead[w] |= covered[w];
    }
    return kept;
}

uint32_t row_of(rowset *r, const uint32_t *rules, uint32_t count) {
    r->c->work += (uint64_t)(count + 1) * (10 + r->c->ports.box_words);
    const uint32_t kept = keep_winners(r, rules, count);
    const uint64_t hash = hash_list(r->kept, kept);
    size_t slot = hash & (r->slot_count - 1);
    for (; r->slots[slot]; slot = (slot + 1) & (r->slot_count - 1)) {
        const uint32_t row = r->slots[slot] - 1;
        if (r->length[row] == kept && (!kept || memcmp(r->rules + r->start[row], r->kept, kept * sizeof *r->rules) == 0))
            return row;
    }
    const uint32_t shape = shape_of(r, kept);
    if (shape == NO_ROW || !grow_rows(r) || r->rule_count + kept > UINT32_MAX ||
        !grow(r->arena, &r->rules, r->rule_count, r->rule_count + kept + 1, &r->rule_room, sizeof *r->rules))
        return NO_ROW;
    const uint32_t row = r->count++;
    if (kept)
        memcpy(r->rules + r->rule_count, r->kept, kept * sizeof *r->rules);
    r->start[row] = (uint32_t)r->rule_count;
    r->length[row] = kept;
    r->shape[row] = shape;
    r->hash[row] = hash;
    r->rule_count += kept;
    r->longest = kept > r->longest ? kept : r->longest;
    r->slots[slot] = row + 1;
    return r->count * 2 > r->slot_count && !widen_slots(r) ? NO_ROW : row;
}

bool rowset_open(rowset *r, compiler *c, arena *a, uint32_t most) {
    *r = (rowset){.c = c, .arena = a, .slot_count = 1024, .shape_slot_count = 1024};
    r->slots = arena_zeroed(a, r->slot_count, sizeof *r->slots);
    r->shape_slots = arena_zeroed(a, r->shape_slot_count, sizeof *r->shape_slots);
    r->dead = arena_take(a, (size_t)c->ports.box_words + 1, sizeof *r->dead);
    r->kept = arena_take(a, (size_t)most + 1, sizeof *r->kept);
    r->kept_boxes = arena_take(a, (size_t)most + 1, sizeof *r->kept_boxes);
    return !a->failed && row_of(r, NULL, 0) == 0;
}
