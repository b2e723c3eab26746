#include "sets.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    LEAF = 8,        /* boxes in a leaf */
    PROBES = 24,     /* packets tried before anything is taken away */
    PIECES = 1 << 16 /* pieces that wait to be searched */
};

typedef struct {
    sets_box bound;
    uint32_t first, last; /* lowest and highest row below */
    uint32_t start, end;  /* of `order`, for a leaf */
    uint32_t right;       /* the left child follows its parent; 0 for a leaf */
} node;

struct sets {
    const sets_box *boxes;
    const sets_row *rows;
    size_t n;
    node *nodes;
    uint32_t nodes_used;
    uint32_t *order;
    sets_box *waiting;
    uint32_t *seen; /* the search that last met a row */
    uint32_t search;
    uint32_t usual[SETS_FIELDS];
};

/* The state of one question. */
typedef struct {
    sets *all;
    const sets_question *asked;
    uint64_t work; /* what is left */
    uint64_t random;
    bool out_of_work;
} run;

static bool holds(const sets_box *box, const uint32_t *point) {
    for (int field = 0; field < SETS_FIELDS; field++)
        if (point[field] < box->lo[field] || point[field] > box->hi[field])
            return false;
    return true;
}

static bool overlap(const sets_box *one, const sets_box *other) {
    for (int field = 0; field < SETS_FIELDS; field++)
        if (one->lo[field] > other->hi[field] || other->lo[field] > one->hi[field])
            return false;
    return true;
}

static void meet(sets_box *box, const sets_box *other) {
    for (int field = 0; field < SETS_FIELDS; field++) {
        if (box->lo[field] < other->lo[field])
            box->lo[field] = other->lo[field];
        if (box->hi[field] > other->hi[field])
            box->hi[field] = other->hi[field];
    }
}

/* A packet's answer: the other way, with the ends exchanged. Both ends have the same cells. */
static void turn(const uint32_t *point, uint32_t *answer) {
    answer[SETS_SRC] = point[SETS_DST];
    answer[SETS_DST] = point[SETS_SRC];
    answer[SETS_PROTOCOL] = point[SETS_PROTOCOL];
    answer[SETS_SPORT] = point[SETS_DPORT];
    answer[SETS_DPORT] = point[SETS_SPORT];
    answer[SETS_DIRECTION] = 1 - point[SETS_DIRECTION];
    answer[SETS_INTERFACE] = point[SETS_INTERFACE];
}

static sets_box turned(const sets_box *box) {
    sets_box other;

    turn(box->lo, other.lo);
    turn(box->hi, other.hi);
    other.lo[SETS_DIRECTION] = 1 - box->hi[SETS_DIRECTION];
    other.hi[SETS_DIRECTION] = 1 - box->lo[SETS_DIRECTION];
    return other;
}

/* The tree */

static uint64_t centre(const sets_box *box, int field) {
    return (uint64_t)box->lo[field] + box->hi[field];
}

/* Put the element that belongs in the middle there, smaller ones before it (quickselect by the middle of three). */
static void halve(const sets *all, uint32_t *order, size_t n, int field) {
    size_t low = 0, high = n - 1, middle = n / 2;

    while (low < high) {
        uint64_t a = centre(&all->boxes[order[low]], field);
        uint64_t b = centre(&all->boxes[order[(low + high) / 2]], field);
        uint64_t c = centre(&all->boxes[order[high]], field);
        uint64_t pivot = a < b ? (b < c ? b : (a < c ? c : a)) : (a < c ? a : (b < c ? c : b));
        size_t at = low, lower = low, upper = high;

        /* Three parts: below, equal, above; equal ones are many. */
        while (at <= upper) {
            uint64_t value = centre(&all->boxes[order[at]], field);
            uint32_t held = order[at];
            if (value < pivot) {
                order[at++] = order[lower];
                order[lower++] = held;
            } else if (value > pivot) {
                order[at] = order[upper];
                order[upper] = held;
                if (upper == 0)
                    break;
                upper--;
            } else {
                at++;
            }
        }
        if (middle < lower)
            high = lower - 1;
        else if (middle > upper)
            low = upper + 1;
        else
            return;
    }
}

static uint32_t grow(sets *all, size_t start, size_t end) {
    uint32_t at = all->nodes_used++;
    node *made = &all->nodes[at];
    uint64_t least[SETS_FIELDS], most[SETS_FIELDS];
    int widest = -1;
    double spread = 0;

    made->bound = all->boxes[all->order[start]];
    made->first = made->last = all->order[start];
    for (int field = 0; field < SETS_FIELDS; field++)
        least[field] = most[field] = centre(&made->bound, field);
    for (size_t item = start + 1; item < end; item++) {
        uint32_t row = all->order[item];
        const sets_box *box = &all->boxes[row];
        for (int field = 0; field < SETS_FIELDS; field++) {
            uint64_t middle = centre(box, field);
            if (box->lo[field] < made->bound.lo[field])
                made->bound.lo[field] = box->lo[field];
            if (box->hi[field] > made->bound.hi[field])
                made->bound.hi[field] = box->hi[field];
            if (middle < least[field])
                least[field] = middle;
            if (middle > most[field])
                most[field] = middle;
        }
        if (row < made->first)
            made->first = row;
        if (row > made->last)
            made->last = row;
    }
    made->start = (uint32_t)start;
    made->end = (uint32_t)end;
    made->right = 0;
    for (int field = 0; field < SETS_FIELDS; field++) {
        double extent = 2.0 * ((double)made->bound.hi[field] - made->bound.lo[field]);
        double share = extent > 0 ? (double)(most[field] - least[field]) / extent : 0;
        if (share > spread) {
            spread = share;
            widest = field;
        }
    }
    if (end - start <= LEAF || widest < 0)
        return at;
    halve(all, all->order + start, end - start, widest);
    size_t middle = start + (end - start) / 2;
    (void)grow(all, start, middle);
    uint32_t right = grow(all, middle, end);
    all->nodes[at].right = right;
    return at;
}

sets *sets_new(const sets_box *boxes, const sets_row *rows, size_t n, const uint32_t *usual) {
    sets *all = calloc(1, sizeof *all);

    if (!all || n >= UINT32_MAX / 2)
        goto fail;
    all->boxes = boxes;
    all->rows = rows;
    all->n = n;
    memcpy(all->usual, usual, sizeof all->usual);
    all->nodes = malloc((n ? n : 1) * sizeof *all->nodes); /* a leaf holds several boxes, or one node is all there is */
    all->order = malloc((n ? n : 1) * sizeof *all->order);
    all->seen = calloc(n ? n : 1, sizeof *all->seen);
    all->waiting = malloc((size_t)PIECES * sizeof *all->waiting);
    if (!all->nodes || !all->order || !all->seen || !all->waiting)
        goto fail;
    for (size_t row = 0; row < n; row++)
        all->order[row] = (uint32_t)row;
    if (n)
        (void)grow(all, 0, n);
    return all;
fail:
    sets_free(all);
    return NULL;
}

void sets_free(sets *all) {
    if (!all)
        return;
    free(all->nodes);
    free(all->order);
    free(all->seen);
    free(all->waiting);
    free(all);
}

/* Rows of a packet */

typedef struct {
    size_t from, until; /* rows asked about, `until` not included */
    int32_t except;     /* rows of this owner do not count; -1 for none */
    bool living;        /* dead ones do not count */
} choice;

static bool counts(const sets *all, size_t row, const choice *among) {
    return row >= among->from && row < among->until && all->rows[row].owner != among->except &&
           !(among->living && all->rows[row].dead);
}

static bool spend(run *running, uint64_t work) {
    if (running->work < work) {
        running->work = 0;
        running->out_of_work = true;
        return false;
    }
    running->work -= work;
    return true;
}

/* The first row of a choice that holds a packet, or n. */
static size_t first(run *running, const uint32_t *point, const choice *among) {
    const sets *all = running->all;
    uint32_t stack[64];
    size_t depth = 0, best = all->n;

    if (!all->n || among->from >= among->until)
        return best;
    stack[depth++] = 0;
    while (depth) {
        const node *at = &all->nodes[stack[--depth]];
        if (!spend(running, 1))
            return best;
        if (at->first >= best || at->first >= among->until || at->last < among->from || !holds(&at->bound, point))
            continue;
        if (at->right) {
            uint32_t left = (uint32_t)(at - all->nodes) + 1, right = at->right;
            bool swap = all->nodes[right].first < all->nodes[left].first;
            stack[depth++] = swap ? left : right; /* the one with the earlier row is looked at first */
            stack[depth++] = swap ? right : left;
            continue;
        }
        for (uint32_t item = at->start; item < at->end; item++) {
            uint32_t row = all->order[item];
            if (row < best && counts(all, row, among) && holds(&all->boxes[row], point))
                best = row;
        }
        if (!spend(running, at->end - at->start))
            return best;
    }
    return best;
}

static double share(const sets_box *box, const sets_box *other) {
    double product = 1;

    for (int field = 0; field < SETS_FIELDS; field++) {
        uint32_t lo = box->lo[field] > other->lo[field] ? box->lo[field] : other->lo[field];
        uint32_t hi = box->hi[field] < other->hi[field] ? box->hi[field] : other->hi[field];
        product *= ((double)hi - lo + 1) / ((double)box->hi[field] - box->lo[field] + 1);
    }
    return product;
}

/* Of the rows of a choice that hold a packet the one that takes most of a box, or n. */
static size_t largest(run *running, const uint32_t *point, const sets_box *box, const choice *among) {
    const sets *all = running->all;
    uint32_t stack[64];
    size_t depth = 0, best = all->n;
    double most = 0;

    if (!all->n || among->from >= among->until)
        return best;
    stack[depth++] = 0;
    while (depth) {
        const node *at = &all->nodes[stack[--depth]];
        if (!spend(running, 1))
            return best;
        if (at->first >= among->until || at->last < among->from || !holds(&at->bound, point))
            continue;
        if (at->right) {
            stack[depth++] = at->right;
            stack[depth++] = (uint32_t)(at - all->nodes) + 1;
            continue;
        }
        if (!spend(running, at->end - at->start))
            return best;
        for (uint32_t item = at->start; item < at->end; item++) {
            uint32_t row = all->order[item];
            if (!counts(all, row, among) || !holds(&all->boxes[row], point))
                continue;
            double taken = share(box, &all->boxes[row]);
            if (taken > most || (taken == most && row < best)) {
                most = taken;
                best = row;
            }
        }
    }
    return best;
}

/* Zones without a packet of the kind that is searched */

typedef bool (*predicate)(const sets *all, size_t row, int32_t value);

static bool does_otherwise(const sets *all, size_t row, int32_t outcome) {
    return all->rows[row].outcome != outcome;
}

static bool is_not_action(const sets *all, size_t row, int32_t action) {
    return all->rows[row].action != action;
}

/* Cut a zone so that it keeps the packet and leaves out a box that does not hold the packet, and lose as little as possible. */
static void leave_out(sets_box *zone, const sets_box *out, const uint32_t *point) {
    int where = 0;
    bool above = false;
    double best = -1;

    for (int field = 0; field < SETS_FIELDS; field++) {
        double extent = (double)zone->hi[field] - zone->lo[field] + 1, kept;
        if (point[field] < out->lo[field]) {
            kept = ((double)out->lo[field] - zone->lo[field]) / extent;
            if (kept > best) {
                best = kept;
                where = field;
                above = false;
            }
        } else if (point[field] > out->hi[field]) {
            kept = ((double)zone->hi[field] - out->hi[field]) / extent;
            if (kept > best) {
                best = kept;
                where = field;
                above = true;
            }
        }
    }
    if (above)
        zone->lo[where] = out->hi[where] + 1;
    else
        zone->hi[where] = out->lo[where] - 1;
}

/* Leave all rows of a choice with a property out of a zone. None of them may hold the packet. */
static void leave_all_out(run *running, sets_box *zone, const uint32_t *point, const choice *among, predicate matters,
                          int32_t value) {
    const sets *all = running->all;
    uint32_t stack[64];
    size_t depth = 0;

    if (!all->n || among->from >= among->until)
        return;
    stack[depth++] = 0;
    while (depth) {
        const node *at = &all->nodes[stack[--depth]];
        if (!spend(running, 1))
            return;
        if (at->first >= among->until || at->last < among->from || !overlap(&at->bound, zone))
            continue;
        if (at->right) {
            stack[depth++] = at->right;
            stack[depth++] = (uint32_t)(at - all->nodes) + 1;
            continue;
        }
        if (!spend(running, at->end - at->start))
            return;
        for (uint32_t item = at->start; item < at->end; item++) {
            uint32_t row = all->order[item];
            if (counts(all, row, among) && matters(all, row, value) && overlap(&all->boxes[row], zone))
                leave_out(zone, &all->boxes[row], point);
        }
    }
}

/* Whether a packet is blocked; if it is, cut the zone to where every packet is. */
static bool is_blocked(run *running, sets_box *zone, const uint32_t *point) {
    const sets *all = running->all;
    choice among = {running->asked->from, all->n, -1, false};
    size_t row = first(running, point, &among);

    if (row == all->n || all->rows[row].action != 2)
        return false;
    meet(zone, &all->boxes[row]);
    among.until = row;
    leave_all_out(running, zone, point, &among, is_not_action, 2);
    return true;
}

static bool answer_is_blocked(run *running, sets_box *zone, const uint32_t *point) {
    uint32_t answer[SETS_FIELDS];
    sets_box other = turned(zone);

    turn(point, answer);
    if (!is_blocked(running, &other, answer))
        return false;
    *zone = turned(&other);
    return true;
}

/* Whether without its owner's rows a packet of the asked row would meet the same fate; if so, cut the zone to where all do. */
static bool stays_the_same(run *running, sets_box *zone, const uint32_t *point, size_t *taker) {
    const sets *all = running->all;
    size_t row = running->asked->row;
    int32_t outcome = all->rows[row].outcome;
    choice others = {row + 1, all->n, all->rows[row].owner, false}, living = others;
    living.living = true;
    size_t next = first(running, point, &others), next_living = first(running, point, &living);

    if (next == all->n || next_living == all->n || all->rows[next].outcome != outcome ||
        all->rows[next_living].outcome != outcome)
        return false;
    *taker = next_living;
    meet(zone, &all->boxes[next_living]);
    if (next != next_living) {
        /* A dead row comes first: around this packet it does, or whatever else does the same. */
        meet(zone, &all->boxes[next]);
        others.until = next;
        leave_all_out(running, zone, point, &others, does_otherwise, outcome);
        living.until = next_living;
        leave_all_out(running, zone, point, &living, does_otherwise, outcome);
        return true;
    }
    others.until = next;
    leave_all_out(running, zone, point, &others, does_otherwise, outcome);
    return true;
}

/* Whether a packet is of the kind that is searched. If it is not, the zone is cut to where none is. */
static bool hits(run *running, sets_box *zone, const uint32_t *point, size_t *taker) {
    const sets *all = running->all;
    const sets_question *asked = running->asked;
    size_t row;

    *taker = all->n;
    if (asked->kind == SETS_PASSES)
        return !is_blocked(running, zone, point) && !answer_is_blocked(running, zone, point);
    choice before = {asked->from, asked->row, -1, false};
    row = largest(running, point, zone, &before);
    if (row < all->n) {
        meet(zone, &all->boxes[row]);
        *taker = row;
        return false;
    }
    switch (asked->kind) {
    case SETS_CHANGES:
        return !stays_the_same(running, zone, point, taker);
    case SETS_UNDOES: {
        choice after = {asked->row + 1, all->n, all->rows[asked->row].owner, false};
        row = first(running, point, &after);
        if (row == asked->other || row == all->n)
            return row == asked->other;
        meet(zone, &all->boxes[row]);
        return false;
    }
    case SETS_ANSWERABLE: {
        uint32_t answer[SETS_FIELDS];
        choice early = {0, asked->other, -1, false};
        turn(point, answer);
        row = first(running, answer, &early);
        if (row == all->n)
            return true;
        sets_box taken = turned(&all->boxes[row]);
        meet(zone, &taken);
        return false;
    }
    case SETS_ANSWERED:
        return !answer_is_blocked(running, zone, point);
    case SETS_OPENS: {
        choice after = {asked->other, all->n, -1, false};
        row = first(running, point, &after);
        if (row < all->n && all->rows[row].action != 1)
            return true;
        if (row < all->n) {
            meet(zone, &all->boxes[row]);
            after.until = row;
        }
        leave_all_out(running, zone, point, &after, is_not_action, 1);
        return false;
    }
    default:
        return true;
    }
}

/* The search */

static void anywhere(run *running, const sets_box *box, uint32_t *point) {
    for (int field = 0; field < SETS_FIELDS; field++) {
        running->random = running->random * 6364136223846793005u + 1442695040888963407u;
        uint64_t span = (uint64_t)box->hi[field] - box->lo[field] + 1;
        point[field] = box->lo[field] + (uint32_t)(((running->random >> 32) * span) >> 32);
    }
}

/* The packet of a box that is as usual as it can be. */
static void nearest(const sets *all, const sets_box *box, uint32_t *point) {
    for (int field = 0; field < SETS_FIELDS; field++) {
        uint32_t cell = all->usual[field];
        point[field] = cell < box->lo[field] ? box->lo[field] : cell > box->hi[field] ? box->hi[field] : cell;
    }
}

/* Put what is left of a piece when a zone within it is taken away on the stack; false if it is full. */
static bool split(sets *all, size_t *waiting, sets_box piece, const sets_box *zone) {
    if (*waiting + 2 * (size_t)SETS_FIELDS > PIECES)
        return false;
    for (int field = 0; field < SETS_FIELDS; field++) {
        if (piece.lo[field] < zone->lo[field]) {
            sets_box *rest = &all->waiting[(*waiting)++];
            *rest = piece;
            rest->hi[field] = zone->lo[field] - 1;
            piece.lo[field] = zone->lo[field];
        }
        if (piece.hi[field] > zone->hi[field]) {
            sets_box *rest = &all->waiting[(*waiting)++];
            *rest = piece;
            rest->lo[field] = zone->hi[field] + 1;
            piece.hi[field] = zone->hi[field];
        }
    }
    return true;
}

static void note(sets *all, sets_list *takers, size_t row) {
    if (!takers || row >= all->n || all->seen[row] == all->search)
        return;
    all->seen[row] = all->search;
    if (takers->count < takers->capacity)
        takers->rows[takers->count] = (int32_t)row;
    takers->count++;
}

int sets_search(sets *all, const sets_question *question, const sets_box *box, uint32_t *point, sets_list *takers,
                uint64_t *spent) {
    run running = {all, question, question->work, 88172645463325252u, false};
    size_t waiting = 1;
    int answer = SETS_NONE;

    all->search++;
    if (takers)
        takers->count = 0;
    for (int probe = 0; probe < PROBES && answer == SETS_NONE && !running.out_of_work; probe++) {
        sets_box zone = *box;
        size_t taker;
        if (probe == 0)
            nearest(all, box, point);
        else if (probe < 3)
            memcpy(point, probe == 1 ? box->lo : box->hi, sizeof box->lo);
        else
            anywhere(&running, box, point);
        if (hits(&running, &zone, point, &taker))
            answer = SETS_FOUND;
        else if (!memcmp(&zone, box, sizeof zone)) {
            note(all, takers, taker); /* one step takes it all */
            waiting = 0;
            break;
        }
    }
    all->waiting[0] = *box;
    while (answer == SETS_NONE && waiting && !running.out_of_work) {
        sets_box piece = all->waiting[--waiting], zone = piece;
        size_t taker;
        anywhere(&running, &piece, point);
        if (hits(&running, &zone, point, &taker))
            answer = SETS_FOUND;
        else if (!split(all, &waiting, piece, &zone))
            answer = SETS_UNDECIDED;
        note(all, takers, taker);
    }
    if (running.out_of_work)
        answer = SETS_UNDECIDED; /* whatever was seen last was seen in part only */
    *spent += question->work - running.work;
    return answer;
}

int sets_uncovered(sets *all, const int32_t *ids, size_t n, const sets_box *box, uint64_t work, uint32_t *point) {
    size_t waiting = 1;

    all->waiting[0] = *box;
    while (waiting) {
        sets_box piece = all->waiting[--waiting], zone = piece;
        const sets_box *best = NULL;
        double most = 0;
        if (work < n)
            return SETS_UNDECIDED;
        work -= n;
        memcpy(point, piece.lo, sizeof piece.lo);
        for (size_t at = 0; at < n; at++) {
            const sets_box *other = &all->boxes[ids[at]];
            if (!holds(other, point))
                continue;
            double taken = share(&piece, other);
            if (taken > most) {
                most = taken;
                best = other;
            }
        }
        if (!best)
            return SETS_FOUND;
        meet(&zone, best);
        if (!split(all, &waiting, piece, &zone))
            return SETS_UNDECIDED;
    }
    return SETS_NONE;
}

static bool is_pair(const sets *all, sets_pairing pairing, size_t row, size_t other) {
    const sets_row *one = &all->rows[row], *two = &all->rows[other];
    const sets_box *box = &all->boxes[row], *inner = &all->boxes[other];

    if (other <= row || one->owner == two->owner || one->action == two->action || !overlap(box, inner))
        return false;
    if (pairing == SETS_DISAGREE)
        return one->level == two->level;
    if (one->action != 1 || two->action != 2)
        return false;
    for (int field = 0; field < SETS_DIRECTION; field++) {
        bool around = box->lo[field] <= inner->lo[field] && inner->hi[field] <= box->hi[field];
        if (around && (box->lo[field] < inner->lo[field] || inner->hi[field] < box->hi[field]))
            return true;
    }
    return false;
}

int sets_pairs(sets *all, sets_pairing pairing, const sets_question *question, int32_t *found, uint32_t *points, size_t capacity,
               size_t *count, uint64_t *spent) {
    uint32_t stack[64];
    size_t depth = 0, row = question->row;
    uint64_t work = question->work;
    int answer = SETS_NONE;
    sets_question asked = *question;

    *count = 0;
    if (!all->n)
        return SETS_NONE;
    stack[depth++] = 0;
    while (depth && answer != SETS_UNDECIDED) {
        const node *at = &all->nodes[stack[--depth]];
        uint64_t cost = at->right ? 1 : 1 + (uint64_t)(at->end - at->start);
        if (work < cost) {
            answer = SETS_UNDECIDED;
            break;
        }
        work -= cost;
        if (at->last <= row || !overlap(&at->bound, &all->boxes[row]))
            continue;
        if (at->right) {
            stack[depth++] = at->right;
            stack[depth++] = (uint32_t)(at - all->nodes) + 1;
            continue;
        }
        for (uint32_t item = at->start; item < at->end && answer != SETS_UNDECIDED; item++) {
            size_t other = all->order[item];
            uint64_t used = 0;
            uint32_t point[SETS_FIELDS];
            if (!is_pair(all, pairing, row, other))
                continue;
            sets_box both = all->boxes[row];
            meet(&both, &all->boxes[other]);
            asked.kind = pairing == SETS_DISAGREE ? SETS_DECIDES : SETS_UNDOES;
            asked.other = other;
            asked.work = work;
            int each = sets_search(all, &asked, &both, point, NULL, &used);
            work -= used;
            if (each == SETS_UNDECIDED || (each == SETS_FOUND && *count == capacity)) {
                answer = SETS_UNDECIDED;
            } else if (each == SETS_FOUND) {
                answer = SETS_FOUND;
                memcpy(points + *count * SETS_FIELDS, point, sizeof point);
                found[(*count)++] = (int32_t)other;
            }
        }
    }
    *spent += question->work - work;
    return answer;
}
