/* Exact questions about which packets a list of boxes decides.
 *
 * A box is a range of cells in each of seven fields; the caller has numbered the cells, so that all values of a field that no
 * box tells apart are one. Boxes are given in the order tried: the first one that holds a packet decides it.
 *
 * Every question is a search for a packet of some kind in a box. A packet that is not of that kind comes with a zone around it
 * that holds no packet of that kind either; the zone is taken away, and what is left is searched on. So an answer is either a
 * packet or a proof that there is none, and never a guess: when the work a question may take is used up, it says so.
 *
 * The boxes are found by a tree of bounding boxes over all seven fields. Nothing here is limited to prefixes.
 */
#ifndef PASTORE_SETS_H
#define PASTORE_SETS_H

#include <stddef.h>
#include <stdint.h>

enum { SETS_SRC, SETS_DST, SETS_PROTOCOL, SETS_SPORT, SETS_DPORT, SETS_DIRECTION, SETS_INTERFACE, SETS_FIELDS };

typedef struct {
    uint32_t lo[SETS_FIELDS];
    uint32_t hi[SETS_FIELDS];
} sets_box;

typedef struct {
    int32_t owner;   /* the filter it came from */
    int32_t outcome; /* rows with the same number do the same to a packet */
    int32_t level;   /* rows of the same level are equally specific */
    uint8_t action;  /* 1 allow, 2 block, 3 protect */
    uint8_t dead;    /* set by the caller: never decides */
} sets_row;

typedef struct sets sets;

/* Answers. */
enum { SETS_NONE = 0, SETS_FOUND = 1, SETS_UNDECIDED = 2, SETS_NO_MEMORY = 3 };

typedef enum {
    /* A packet of the box that none of the rows `from` to `row` - 1 holds. */
    SETS_DECIDES,
    /* As SETS_DECIDES, and without the rows of its owner something else would happen to it: with all other rows, or with
     * those that are not dead. Takers are also the rows that would do the same. */
    SETS_CHANGES,
    /* As SETS_DECIDES, and without the rows of its owner the row `other` would decide it. */
    SETS_UNDOES,
    /* As SETS_DECIDES, and its answer, with the ends exchanged, is not blocked. */
    SETS_ANSWERED,
    /* As SETS_DECIDES, and none of the rows before `other` holds its answer. */
    SETS_ANSWERABLE,
    /* A packet that is not blocked, and whose answer is not blocked. */
    SETS_PASSES,
    /* As SETS_DECIDES, and the first of the rows from `other` on that holds it does not allow it. */
    SETS_OPENS,
} sets_kind;

typedef struct {
    sets_kind kind;
    size_t from;
    size_t row;
    size_t other;
    uint64_t work; /* how many nodes and boxes may be looked at */
} sets_question;

/* Whom a packet of the answer's kind was searched behind: rows that took something away, each once. */
typedef struct {
    int32_t *rows;
    size_t capacity;
    size_t count; /* may exceed the capacity: then some are not in rows */
} sets_list;

/* Build over n boxes; both arrays are used where they lie until sets_free. A search tries the usual packet first, as far as its
 * box allows: what is found is to be read by people. NULL without memory. */
sets *sets_new(const sets_box *boxes, const sets_row *rows, size_t n, const uint32_t *usual);
void sets_free(sets *all);

/* Search a box. `point` gets the packet found; `takers` may be NULL; `spent` is raised by the work done. */
int sets_search(sets *all, const sets_question *question, const sets_box *box, uint32_t *point, sets_list *takers,
                uint64_t *spent);

/* Whether some of the rows (given by number) hold the whole box. SETS_FOUND gives a packet that none of them holds. */
int sets_uncovered(sets *all, const int32_t *ids, size_t n, const sets_box *box, uint64_t work, uint32_t *point);

/* Pairs of a row and one after it, of another owner. */
typedef enum {
    /* Of the same level and another action, and there is a packet of both that the first decides. */
    SETS_DISAGREE,
    /* An allow that is wider in some field than a block, and a packet that would be blocked by it without the allow's owner. */
    SETS_UNDONE,
} sets_pairing;

/* Find the rows that make such a pair with question->row, of which `capacity` and their packets are written: 7 cells each.
 * SETS_NONE if there are none, SETS_FOUND if these are all, SETS_UNDECIDED if there may be more. */
int sets_pairs(sets *all, sets_pairing pairing, const sets_question *question, int32_t *found, uint32_t *points, size_t capacity,
               size_t *count, uint64_t *spent);

#endif
