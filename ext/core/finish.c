/* From the rows of a group to its answers: what is kept so that a row and a port class, or a row and the ports, give an id. */
#include <string.h>

#include "compile.h"

/* Above this many bytes of shapes, the group gets port classes of its own if that makes them a quarter fewer. */
static const size_t MAPPED_FROM = (size_t)512 << 10;

enum { LONGEST_SHAPE = 255, UNROLLED = 4 };

static uint32_t id_at(const rowset *r, uint32_t row, uint32_t place) {
    return r->c->rules[r->rules[r->start[row] + place]].id;
}

/* The classes that no box before had are kept as bits, so each is written once. */
void place_classes(compiler *c, const uint32_t *boxes, uint32_t count, uint64_t *open, uint16_t *place) {
    const port_part *p = &c->ports;
    const uint32_t words = (p->class_count + 63) / 64;
    memset(open, 0xFF, words * sizeof *open);
    memset(place, 0, p->class_count * sizeof *place);
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t *held = p->box_classes + (size_t)boxes[i] * words;
        for (uint32_t w = 0; w < words; w++) {
            uint64_t bits = open[w] & held[w];
            open[w] &= ~held[w];
            for (; bits; bits &= bits - 1)
                place[w * 64 + (unsigned)__builtin_ctzll(bits)] = (uint16_t)(i + 1);
        }
    }
    c->work += p->class_count + (uint64_t)count * words;
}

static bool finish_direct(rowset *r, size_t room, built_group *out, uint64_t *payloads) {
    const compiler *c = r->c;
    const uint32_t classes = c->ports.class_count;
    if (!c->ports.classed || c->ids >= UINT16_MAX || r->longest >= UINT16_MAX ||
        (uint64_t)r->count * classes > room / sizeof(uint16_t) || (uint64_t)r->count * classes > UINT32_MAX)
        return false;
    uint16_t *answers = arena_take(r->arena, (size_t)r->count * classes, sizeof *answers);
    uint16_t *place = arena_take(r->arena, classes, sizeof *place);
    uint64_t *open = arena_take(r->arena, classes / 64 + 1, sizeof *open);
    if (r->arena->failed)
        return false;
    for (uint32_t row = 0; row < r->count; row++) {
        uint16_t *to = answers + (size_t)row * classes;
        place_classes(r->c, r->boxes + r->shape_start[r->shape[row]], r->length[row], open, place);
        for (uint32_t k = 0; k < classes; k++)
            to[k] = place[k] ? (uint16_t)(id_at(r, row, place[k] - 1u) + 1) : 0;
        payloads[row] = (uint64_t)row * classes;
    }
    out->answers = answers;
    out->g.answer_count = (uint64_t)r->count * classes;
    out->g.classes = classes;
    out->g.finish = FINISH_DIRECT;
    out->bytes += (size_t)out->g.answer_count * sizeof *answers;
    return true;
}

/* Port classes that no shape of the group tells apart become one. Gives their number, and the map in *map. */
static uint32_t map_classes(rowset *r, const uint16_t **map) {
    const port_part *p = &r->c->ports;
    arena *a = r->arena;
    size_t slot_count = 16;
    while (slot_count < 2 * (size_t)p->class_count)
        slot_count *= 2;
    uint64_t *mine = arena_zeroed(a, p->box_words, sizeof *mine);
    uint64_t *hashes = arena_take(a, p->class_count, sizeof *hashes);
    uint32_t *slots = arena_zeroed(a, slot_count, sizeof *slots), *first = arena_take(a, p->class_count, sizeof *first);
    uint16_t *made = arena_take(a, p->class_count, sizeof *made);
    if (a->failed)
        return 0;
    for (size_t i = 0; i < r->box_count; i++)
        mine[r->boxes[i] / 64] |= (uint64_t)1 << r->boxes[i] % 64;
    uint32_t found = 0;
    for (uint32_t k = 0; k < p->class_count; k++) {
        const uint64_t *boxes = p->class_boxes + (size_t)k * p->box_words;
        uint64_t h = 7;
        for (uint32_t w = 0; w < p->box_words; w++)
            h = mix64(h ^ (boxes[w] & mine[w]));
        hashes[k] = h;
        size_t slot = h & (slot_count - 1);
        for (; slots[slot]; slot = (slot + 1) & (slot_count - 1)) {
            const uint32_t other = first[slots[slot] - 1];
            const uint64_t *others = p->class_boxes + (size_t)other * p->box_words;
            bool same = hashes[other] == h;
            for (uint32_t w = 0; same && w < p->box_words; w++)
                same = (boxes[w] & mine[w]) == (others[w] & mine[w]);
            if (same)
                break;
        }
        if (!slots[slot]) {
            first[found++] = k;
            slots[slot] = found;
        }
        made[k] = (uint16_t)(slots[slot] - 1);
    }
    *map = made;
    return found;
}

/* Bits that a number below n takes. */
static uint32_t bits_for(uint64_t n) {
    uint32_t bits = 1;
    while (bits < 32 && (uint64_t)1 << bits < n)
        bits++;
    return bits;
}

static bool finish_shape(rowset *r, size_t room, built_group *out, uint64_t *payloads) {
    const port_part *p = &r->c->ports;
    if (!p->classed || r->longest > LONGEST_SHAPE || r->rule_count >= UINT32_MAX)
        return false;
    uint32_t classes = p->class_count;
    const uint16_t *map = NULL;
    if ((uint64_t)classes * r->shape_count > MAPPED_FROM) {
        const uint32_t mapped = map_classes(r, &map);
        if (mapped && mapped < classes / 4 * 3)
            classes = mapped;
        else
            map = NULL;
    }
    const uint64_t shape_bytes = (uint64_t)classes * r->shape_count, map_bytes = map ? p->class_count * sizeof *map : 0;
    const uint64_t answer_count = r->rule_count + 1, bytes = shape_bytes + map_bytes + answer_count * sizeof(uint32_t);
    if (shape_bytes > INT32_MAX || bytes > room)
        return false;
    uint8_t *shapes = arena_take(r->arena, (size_t)shape_bytes, 1);
    uint32_t *answers = arena_take(r->arena, (size_t)answer_count, sizeof *answers);
    uint16_t *place = arena_take(r->arena, p->class_count, sizeof *place);
    uint64_t *open = arena_take(r->arena, p->class_count / 64 + 1, sizeof *open);
    if (r->arena->failed)
        return false;
    for (uint32_t s = 0; s < r->shape_count; s++) {
        uint8_t *to = shapes + (size_t)s * classes;
        place_classes(r->c, r->boxes + r->shape_start[s], r->shape_length[s], open, place);
        for (uint32_t k = 0; k < p->class_count; k++)
            to[map ? map[k] : k] = (uint8_t)place[k];
    }
    answers[0] = NO_ID; /* place 0 of a row at the very front; places count from 1 */
    for (size_t i = 0; i < r->rule_count; i++)
        answers[i + 1] = r->c->rules[r->rules[i]].id;
    out->g.base_bits = bits_for(answer_count);
    for (uint32_t row = 0; row < r->count; row++)
        payloads[row] = (uint64_t)r->shape[row] << out->g.base_bits | (r->length[row] ? r->start[row] : 0);
    out->shapes = shapes;
    out->answers = answers;
    out->map = map;
    out->g.shape_count = r->shape_count;
    out->g.answer_count = answer_count;
    out->g.classes = classes;
    out->g.finish = map ? FINISH_MAPPED : FINISH_SHAPE;
    out->bytes += (size_t)bytes;
    return true;
}

static port_rule port_rule_of(const live_row *r) {
    return (port_rule){r->sport_lo,
                       r->dport_lo,
                       r->protocol_lo,
                       (uint16_t)r->id,
                       (uint16_t)(r->sport_hi - r->sport_lo),
                       (uint16_t)(r->dport_hi - r->dport_lo),
                       (uint16_t)(r->protocol_hi - r->protocol_lo),
                       (uint16_t)(r->id >> 16)};
}

static bool finish_compare(rowset *r, size_t room, built_group *out, uint64_t *payloads) {
    const port_rule last = {0, 0, 0, UINT16_MAX, UINT16_MAX, UINT16_MAX, UINT16_MAX, UINT16_MAX};
    uint64_t count = UNROLLED; /* behind the last row stand as many that end every row */
    for (uint32_t row = 0; row < r->count; row++)
        count += r->length[row] + (r->length[row] >= UNROLLED);
    if (count > room / sizeof(port_rule) || count > UINT32_MAX)
        return false;
    port_rule *answers = arena_take(r->arena, (size_t)count, sizeof *answers);
    if (!answers)
        return false;
    out->g.base_bits = bits_for(count);
    size_t next = 0;
    for (uint32_t row = 0; row < r->count; row++) {
        const uint32_t length = r->length[row];
        payloads[row] = (uint64_t)(length < UNROLLED ? length : UNROLLED) << out->g.base_bits | next;
        for (uint32_t i = 0; i < length; i++)
            answers[next++] = port_rule_of(&r->c->rules[r->rules[r->start[row] + i]]);
        if (length >= UNROLLED)
            answers[next++] = last;
    }
    while (next < count)
        answers[next++] = last;
    out->answers = answers;
    out->g.answer_count = count;
    out->g.finish = FINISH_COMPARE;
    out->bytes += (size_t)count * sizeof *answers;
    return true;
}

bool finish_rows(rowset *r, enum finish finish, size_t room, built_group *out, uint64_t *payloads) {
    out->g.rows = r->count;
    switch (finish) {
    case FINISH_DIRECT:
        return finish_direct(r, room, out, payloads);
    case FINISH_SHAPE:
    case FINISH_MAPPED:
        return finish_shape(r, room, out, payloads);
    default:
        return finish_compare(r, room, out, payloads);
    }
}
