/* A dense group in bands of port classes.
 *
 * Direct answers take a row of all port classes for every list of rules, and most lists differ from others in a few classes only.
 * So the classes are cut into bands of one width. Each band has a matrix of cells of its own, whose cells lead to rows as wide as
 * the band, and rows of equal answers are kept once for all bands. The port class is known before the cell is, so a lookup takes
 * no more loads that wait for each other than with direct answers. Classes that lie in the same boxes stand side by side, those
 * of the most common boxes first, so that bands are alike; the width is the one that takes the least room.
 */
#include <stdlib.h>
#include <string.h>

#include "compile.h"

enum { LEAST_SHIFT = 4, MOST_SHIFT = COLUMN_BITS, BLOCK_CLASSES = 1 << LEAST_SHIFT };

/* Answers of all lists and classes before they are cut, in bytes. */
static const size_t MOST_ANSWERS = (size_t)32 << 20;

/* All answers: of list i and the class in column j of the order, answers[i * stride + j]. */
typedef struct answers {
    const uint16_t *of;
    uint32_t rows, columns, stride; /* columns filled up with zeros to whole blocks */
} answers;

typedef struct ordered_class {
    const uint64_t *boxes; /* the most common box is the highest bit */
    uint32_t words, class;
} ordered_class;

typedef struct counted_box {
    uint32_t classes, box;
} counted_box;

static int compare_boxes(const void *left, const void *right) {
    const counted_box *a = left, *b = right;
    if (a->classes != b->classes)
        return a->classes > b->classes ? -1 : 1;
    return a->box < b->box ? -1 : a->box > b->box;
}

static int compare_classes(const void *left, const void *right) {
    const ordered_class *a = left, *b = right;
    for (uint32_t w = 0; w < a->words; w++)
        if (a->boxes[w] != b->boxes[w])
            return a->boxes[w] > b->boxes[w] ? -1 : 1;
    return a->class < b->class ? -1 : a->class > b->class;
}

/* The column of each class. */
static const uint32_t *order_classes(const compiler *c, arena *scratch) {
    const port_part *p = &c->ports;
    counted_box *boxes = arena_take(scratch, p->box_count, sizeof *boxes);
    uint32_t *rank = arena_take(scratch, p->box_count, sizeof *rank),
             *column = arena_take(scratch, p->class_count, sizeof *column);
    uint64_t *ranked = arena_zeroed(scratch, (size_t)p->class_count * p->box_words, sizeof *ranked);
    ordered_class *order = arena_take(scratch, p->class_count, sizeof *order);
    if (scratch->failed)
        return NULL;
    for (uint32_t i = 0; i < p->box_count; i++)
        boxes[i] = (counted_box){0, i};
    for (size_t i = 0; i < (size_t)p->class_count * p->box_words; i++)
        for (uint64_t bits = p->class_boxes[i]; bits; bits &= bits - 1)
            boxes[i % p->box_words * 64 + (unsigned)__builtin_ctzll(bits)].classes++;
    qsort(boxes, p->box_count, sizeof *boxes, compare_boxes);
    for (uint32_t i = 0; i < p->box_count; i++)
        rank[boxes[i].box] = i;
    for (uint32_t k = 0; k < p->class_count; k++) {
        uint64_t *to = ranked + (size_t)k * p->box_words;
        for (uint32_t w = 0; w < p->box_words; w++)
            for (uint64_t bits = p->class_boxes[(size_t)k * p->box_words + w]; bits; bits &= bits - 1) {
                const uint32_t r = rank[w * 64 + (unsigned)__builtin_ctzll(bits)];
                to[r / 64] |= (uint64_t)1 << (63 - r % 64);
            }
        order[k] = (ordered_class){to, p->box_words, k};
    }
    qsort(order, p->class_count, sizeof *order, compare_classes);
    for (uint32_t i = 0; i < p->class_count; i++)
        column[order[i].class] = i;
    return column;
}

static bool answer_lists(rowset *r, arena *scratch, const uint32_t *column, answers *out) {
    const compiler *c = r->c;
    const uint32_t classes = c->ports.class_count, stride = (classes + BLOCK_CLASSES - 1) / BLOCK_CLASSES * BLOCK_CLASSES;
    if ((uint64_t)r->count * stride > MOST_ANSWERS / sizeof(uint16_t) || !works(r->c, (uint64_t)r->count * stride))
        return false;
    uint16_t *to = arena_zeroed(scratch, (size_t)r->count * stride, sizeof *to);
    uint16_t *place = arena_take(scratch, classes, sizeof *place);
    uint16_t *answer = arena_take(scratch, (size_t)r->longest + 1, sizeof *answer); /* by place */
    uint64_t *open = arena_take(scratch, classes / 64 + 1, sizeof *open);
    if (scratch->failed)
        return false;
    *out = (answers){to, r->count, classes, stride};
    for (uint32_t row = 0; row < r->count; row++, to += stride) {
        const uint32_t *rules = r->rules + r->start[row], length = r->length[row];
        place_classes(r->c, r->boxes + r->shape_start[r->shape[row]], length, open, place);
        answer[0] = 0;
        for (uint32_t i = 0; i < length; i++)
            answer[i + 1] = (uint16_t)(c->rules[rules[i]].id + 1);
        for (uint32_t k = 0; k < classes; k++)
            to[column[k]] = answer[place[k]];
    }
    return true;
}

static uint32_t bands_of(const answers *a, uint32_t shift) {
    return (a->columns + (1u << shift) - 1) >> shift;
}

/* The hashes of all rows of bands of 1 << shift classes, from those of half as wide bands, in their place. */
static void hash_rows(const answers *a, uint32_t shift, uint64_t *hashes) {
    const uint32_t bands = bands_of(a, shift), narrow = bands_of(a, shift - 1);
    for (uint32_t row = 0; row < a->rows; row++)
        for (uint32_t band = 0; band < bands; band++) {
            uint64_t h = 1;
            if (shift > LEAST_SHIFT) {
                const uint64_t *halves = hashes + (size_t)row * narrow + 2 * (size_t)band;
                h = mix64(halves[0] ^ mix64(2 * band + 1 < narrow ? halves[1] : 1));
            } else {
                uint64_t words[BLOCK_CLASSES * sizeof(uint16_t) / sizeof(uint64_t)];
                memcpy(words, a->of + (size_t)row * a->stride + (size_t)band * BLOCK_CLASSES, sizeof words);
                for (unsigned w = 0; w < sizeof words / sizeof *words; w++)
                    h = mix64(h ^ words[w]);
            }
            hashes[(size_t)row * bands + band] = h | 1; /* 0 is a free slot */
        }
}

static size_t count_different(const uint64_t *hashes, size_t count, uint64_t *slots, size_t slot_count) {
    size_t found = 0;
    while (slot_count / 4 > count)
        slot_count /= 2;
    memset(slots, 0, slot_count * sizeof *slots);
    for (size_t i = 0; i < count; i++) {
        size_t slot = (hashes[i] >> 1) & (slot_count - 1);
        while (slots[slot] && slots[slot] != hashes[i])
            slot = (slot + 1) & (slot_count - 1);
        found += slots[slot] == 0;
        slots[slot] = hashes[i];
    }
    return found;
}

/* Bytes of cells and answers. */
static uint64_t bytes_for(const answers *a, uint64_t pairs, uint32_t shift, uint64_t rows) {
    return (pairs * bands_of(a, shift) + (rows << shift)) * sizeof(uint16_t);
}

/* The width that takes the least room, as a shift; 0 if none does with it or memory runs out. Rows are as many as hashes. */
static uint32_t choose_width(compiler *c, arena *scratch, const answers *a, uint64_t pairs, size_t room) {
    const size_t most = (size_t)a->rows * bands_of(a, LEAST_SHIFT);
    size_t slot_count = 16;
    while (slot_count < 2 * most)
        slot_count *= 2;
    uint64_t *hashes = arena_take(scratch, most, sizeof *hashes), *slots = arena_take(scratch, slot_count, sizeof *slots);
    uint32_t best = 0;
    uint64_t least = room;
    if (scratch->failed)
        return 0;
    for (uint32_t shift = LEAST_SHIFT; shift <= MOST_SHIFT; shift++) {
        const size_t count = (size_t)a->rows * bands_of(a, shift);
        hash_rows(a, shift, hashes);
        if (bytes_for(a, pairs, shift, 0) < least) {
            const uint64_t bytes = bytes_for(a, pairs, shift, count_different(hashes, count, slots, slot_count));
            best = bytes < least ? shift : best;
            least = bytes < least ? bytes : least;
        }
        c->work += 4 * (uint64_t)count;
        if (bands_of(a, shift) == 1)
            break;
    }
    return best;
}

/* The rows that are kept, found by what is in them. */
typedef struct kept_rows {
    uint16_t *of;
    uint32_t count, room, shift;
    uint32_t *slots; /* number + 1, or 0 */
    size_t slot_count;
} kept_rows;

static uint64_t hash_row(const uint16_t *row, uint32_t width) {
    uint64_t h = 3;
    for (uint32_t i = 0; i < width; i += 4) {
        uint64_t word;
        memcpy(&word, row + i, sizeof word);
        h = mix64(h ^ word);
    }
    return h;
}

/* The number of a row; NO_ROW if there are too many. */
static uint32_t keep_row(kept_rows *k, const uint16_t *row) {
    const uint32_t width = 1u << k->shift;
    size_t slot = hash_row(row, width) & (k->slot_count - 1);
    for (; k->slots[slot]; slot = (slot + 1) & (k->slot_count - 1))
        if (memcmp(k->of + ((size_t)(k->slots[slot] - 1) << k->shift), row, width * sizeof *row) == 0)
            return k->slots[slot] - 1;
    if (k->count == k->room)
        return NO_ROW;
    memcpy(k->of + ((size_t)k->count << k->shift), row, width * sizeof *row);
    k->slots[slot] = ++k->count;
    return k->count - 1;
}

/* The matrix of every band. cells[] say which list each pair of classes has. */
static bool fill_bands(const answers *a, kept_rows *kept, arena *scratch, const uint32_t *cells, size_t pairs, uint16_t *to) {
    const uint32_t width = 1u << kept->shift;
    uint16_t *number = arena_take(scratch, a->rows, sizeof *number), padded[1u << MOST_SHIFT] = {0};
    if (!number || keep_row(kept, padded) != 0) /* the first row is the empty one */
        return false;
    for (uint32_t from = 0; from < a->columns; from += width, to += pairs) {
        const uint32_t used = a->columns - from < width ? a->columns - from : width;
        memset(padded, 0, sizeof padded);
        for (uint32_t row = 0; row < a->rows; row++) {
            memcpy(padded, a->of + (size_t)row * a->stride + from, used * sizeof *padded);
            const uint32_t found = keep_row(kept, padded);
            if (found == NO_ROW)
                return false;
            number[row] = (uint16_t)found;
        }
        for (size_t i = 0; i < pairs; i++)
            to[i] = number[cells[i]];
    }
    return true;
}

static bool cut_bands(rowset *r, arena *scratch, const answers *a, const uint32_t *column, const uint32_t *cells, size_t pairs,
                      size_t room, built_group *out) {
    const uint32_t shift = choose_width(r->c, scratch, a, pairs, room), bands = bands_of(a, shift), classes = a->columns;
    const size_t map_bytes = classes * sizeof(uint32_t);
    const uint64_t fixed = bytes_for(a, pairs, shift, 0) + map_bytes, row_bytes = (uint64_t)sizeof(uint16_t) << shift;
    if (!shift || fixed + row_bytes > room || (uint64_t)pairs * bands > (uint64_t)1 << (32 - COLUMN_BITS) ||
        !works(r->c, 2 * (uint64_t)pairs * bands + (uint64_t)a->rows * a->stride))
        return false;
    const uint64_t rows_of_room = (room - fixed) / row_bytes, most = UINT16_MAX + UINT64_C(1);
    kept_rows kept = {
        .room = (uint32_t)(rows_of_room < most ? rows_of_room : most), .shift = shift, .slot_count = 4 * (size_t)most};
    kept.of = arena_take(scratch, (size_t)kept.room << shift, sizeof *kept.of);
    kept.slots = arena_zeroed(scratch, kept.slot_count, sizeof *kept.slots);
    uint16_t *to = arena_take(r->arena, pairs * bands, sizeof *to);
    uint32_t *map = arena_take(r->arena, classes, sizeof *map);
    if (scratch->failed || r->arena->failed || !fill_bands(a, &kept, scratch, cells, pairs, to))
        return false;
    uint16_t *rows = arena_take(r->arena, (size_t)kept.count << shift, sizeof *rows);
    if (!rows)
        return false;
    memcpy(rows, kept.of, ((size_t)kept.count << shift) * sizeof *rows);
    for (uint32_t k = 0; k < classes; k++)
        map[k] = (uint32_t)((column[k] >> shift) * pairs) << COLUMN_BITS | (column[k] & ((1u << shift) - 1));
    out->g.pair = PAIR_BANDS;
    out->g.finish = FINISH_DIRECT;
    out->g.base_bits = shift;
    out->g.classes = 1u << shift;
    out->g.rows = kept.count;
    out->g.cell_count = (uint64_t)pairs * bands;
    out->g.answer_count = (uint64_t)kept.count << shift;
    out->cells = to;
    out->answers = rows;
    out->map = map;
    out->bytes += map_bytes + (size_t)(kept.count * row_bytes); /* cells are counted by whoever asked */
    return true;
}

bool finish_bands(rowset *r, const uint32_t *cells, size_t pairs, size_t room, built_group *out) {
    arena scratch = {0};
    const compiler *c = r->c;
    bool done = false;
    if (c->ports.classed && c->ids < UINT16_MAX && r->longest < UINT16_MAX) {
        const uint32_t *column = order_classes(c, &scratch);
        answers a;
        done = column && answer_lists(r, &scratch, column, &a) && cut_bands(r, &scratch, &a, column, cells, pairs, room, out);
    }
    arena_empty(&scratch);
    return done;
}
