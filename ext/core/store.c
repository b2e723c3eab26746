/* What the compiler built becomes part of the block. */
#include <string.h>

#include "compile.h"

static size_t padded(size_t keys, size_t line) {
    return (keys ? (keys - 1) / line + 1 : 1) * line;
}

static size_t level_keys(const compiler *c, const address_part *p, uint32_t level) {
    return c->family == IPV4 ? padded(p->keys[level], LINE4) : padded((size_t)p->keys[level] + (level == 0), LINE6);
}

static size_t key_size(const compiler *c) {
    return c->family == IPV4 ? sizeof(uint32_t) : sizeof(uint64_t);
}

static size_t interval_size(uint32_t intervals) {
    return intervals <= 256 ? sizeof(uint8_t) : sizeof(uint16_t);
}

static size_t port_cells(const port_part *p) {
    return (size_t)p->intervals[0] * p->intervals[1] * p->protocols;
}

/* Arrays are aligned, so each may take this much more. */
static size_t array(size_t count, size_t size) {
    return count * size + BLOCK_ALIGN;
}

size_t stored_bytes(const compiler *c) {
    const size_t answer = c->table->verdict == PASTORE_VERDICT_RULE ? sizeof(int32_t) + 1 : 1;
    size_t bytes = array((size_t)c->ids + 1, answer);
    for (unsigned f = SRC; f <= DST; f++) {
        const address_part *p = &c->address[f];
        for (uint32_t k = 0; k < p->levels; k++)
            bytes += array(level_keys(c, p, k), key_size(c));
        if (p->fold)
            bytes += array(1, sizeof(fold));
        if (p->tails)
            bytes += array((size_t)p->keys[0] + 1, sizeof(tail)) + array((size_t)p->low_lines * LINE6, sizeof(uint64_t));
    }
    if (c->ports.classed) {
        bytes += array(256, 1) + array(port_cells(&c->ports), sizeof(uint16_t));
        for (unsigned a = 0; a < 2; a++) {
            if (c->ports.ends[a])
                bytes += array(MOST_PORT_ENDS + 1, sizeof(uint16_t));
            if (c->ports.intervals_of[a])
                bytes += array(65536, interval_size(c->ports.intervals[a]));
        }
    }
    return bytes;
}

static int store_address(block *b, const compiler *c, const candidate *k, unsigned field, address_index *to) {
    const address_part *p = &c->address[field];
    int error = PASTORE_OK;
    to->levels = p->levels;
    to->intervals = p->intervals;
    to->low_lines = p->low_lines;
    memcpy(to->keys, p->keys, sizeof to->keys);
    for (uint32_t level = 0; !error && level < p->levels; level++)
        error = block_copy(b, p->level[level], level_keys(c, p, level), key_size(c), &to->level[level]);
    if (!error && p->fold)
        error = block_copy(b, p->fold, 1, sizeof *p->fold, &to->fold);
    if (!error && p->tails)
        error = block_copy(b, p->tails, (size_t)p->keys[0] + 1, sizeof(tail), &to->tails);
    if (!error && p->tails)
        error = block_copy(b, p->lows, (size_t)p->low_lines * LINE6, sizeof(uint64_t), &to->lows);
    if (!error)
        error = block_copy(b, k->records[field], (size_t)p->intervals * k->group_count, sizeof(uint32_t), &to->records);
    return error;
}

static int store_axis(block *b, const port_part *p, unsigned a, port_axis *to) {
    int error = PASTORE_OK;
    const uint32_t ends = p->intervals[a] - 1;
    to->intervals = p->intervals[a];
    if (p->ends[a])
        error = block_copy(b, p->ends[a], padded(ends, PORT_LINE), sizeof(uint16_t), &to->ends);
    if (!error && p->intervals_of[a])
        error = block_copy(b, p->intervals_of[a], 65536, interval_size(p->intervals[a]), &to->intervals_of);
    return error;
}

static int store_ports(block *b, const port_part *p, port_index *to) {
    int error = store_axis(b, p, 0, &to->axis[0]);
    if (!error)
        error = store_axis(b, p, 1, &to->axis[1]);
    to->protocols = p->protocols;
    to->class_count = p->class_count;
    if (!error)
        error = block_copy(b, p->protocol, 256, 1, &to->protocol);
    return error ? error : block_copy(b, p->classes, port_cells(p), sizeof(uint16_t), &to->classes);
}

static int store_group(block *b, const compiler *c, const built_group *from, group *to) {
    int error = PASTORE_OK;
    *to = from->g;
    if (from->cells)
        error = block_copy(b, from->cells, (size_t)to->cell_count, cell_size(to), &to->cells);
    if (!error)
        error = block_copy(b, from->answers, (size_t)to->answer_count, answer_size(to), &to->answers);
    if (!error && from->shapes)
        error = block_copy(b, from->shapes, (size_t)to->shape_count * to->classes, 1, &to->shapes);
    if (!error && from->map)
        error = block_copy(b, from->map, c->ports.class_count, map_entry_size(to), &to->map);
    return error;
}

int store_candidate(block *b, const compiler *c, const candidate *k, side_index *side) {
    int error = PASTORE_OK;
    bool classed = false;
    side->groups = k->group_count;
    for (unsigned f = SRC; !error && k->group_count && f <= DST; f++)
        error = store_address(b, c, k, f, &side->address[f]);
    for (uint32_t g = 0; g < k->group_count; g++)
        classed |= k->groups[g].g.finish != FINISH_COMPARE;
    if (!error && classed)
        error = store_ports(b, &c->ports, &side->ports);
    for (uint32_t g = 0; !error && g < k->group_count; g++)
        error = store_group(b, c, &k->groups[g], &side->group[g]);
    return error;
}
