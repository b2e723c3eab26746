"""Binding of ext/sets/sets.c: arrays in, questions without the interpreter lock."""

from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t

import numpy as np


cdef extern from "sets.h" nogil:
    enum:
        SETS_FIELDS
        SETS_NONE
        SETS_FOUND
        SETS_UNDECIDED

    ctypedef struct sets_box:
        uint32_t lo[7]
        uint32_t hi[7]

    ctypedef struct sets_row:
        int32_t owner
        int32_t outcome
        int32_t level
        uint8_t action
        uint8_t dead

    ctypedef enum sets_kind:
        SETS_DECIDES
        SETS_CHANGES
        SETS_UNDOES
        SETS_ANSWERED
        SETS_ANSWERABLE
        SETS_PASSES
        SETS_OPENS

    ctypedef enum sets_pairing:
        SETS_DISAGREE
        SETS_UNDONE

    ctypedef struct sets_question:
        sets_kind kind
        size_t start "from"
        size_t row
        size_t other
        uint64_t work

    ctypedef struct sets_list:
        int32_t *rows
        size_t capacity
        size_t count

    ctypedef struct sets:
        pass

    sets *sets_new(const sets_box *boxes, const sets_row *rows, size_t n, const uint32_t *usual)
    void sets_free(sets *all)
    int sets_search(sets *all, const sets_question *question, const sets_box *box, uint32_t *point, sets_list *takers,
                    uint64_t *spent)
    int sets_uncovered(sets *all, const int32_t *ids, size_t n, const sets_box *box, uint64_t work, uint32_t *point)
    int sets_pairs(sets *all, sets_pairing pairing, const sets_question *question, int32_t *found, uint32_t *points,
                   size_t capacity, size_t *count, uint64_t *spent)


NONE = SETS_NONE
FOUND = SETS_FOUND
UNDECIDED = SETS_UNDECIDED
DECIDES = SETS_DECIDES
CHANGES = SETS_CHANGES
UNDOES = SETS_UNDOES
ANSWERED = SETS_ANSWERED
ANSWERABLE = SETS_ANSWERABLE
PASSES = SETS_PASSES
OPENS = SETS_OPENS
DISAGREE = SETS_DISAGREE
UNDONE = SETS_UNDONE

ROW = np.dtype(
    [("owner", np.int32), ("outcome", np.int32), ("level", np.int32), ("action", np.uint8), ("dead", np.uint8)], align=True
)


cdef class Sets:
    """Boxes in the order tried; see ``_sets.pyi``."""

    cdef sets *all
    cdef object keep
    cdef const sets_box *boxes
    cdef size_t n

    def __cinit__(self, const uint32_t[:, ::1] boxes not None, rows not None, const uint32_t[::1] usual not None):
        if usual.shape[0] != SETS_FIELDS:
            raise ValueError("a packet has 7 cells")
        if boxes.shape[1] != 2 * SETS_FIELDS or rows.dtype != ROW or rows.shape != (boxes.shape[0],):
            raise ValueError("boxes must be (n, 14) uint32 and rows (n,) ROW")
        if rows.itemsize != sizeof(sets_row):
            raise SystemError("ROW does not have the layout of sets_row")
        self.n = <size_t>boxes.shape[0]
        cdef const uint8_t[::1] raw = rows.view(np.uint8)
        self.keep = (boxes, raw, rows)
        self.boxes = <const sets_box *>&boxes[0, 0] if self.n else NULL
        with nogil:
            self.all = sets_new(self.boxes, <const sets_row *>&raw[0] if self.n else NULL, self.n, &usual[0])
        if self.all is NULL:
            raise MemoryError

    def __dealloc__(self):
        sets_free(self.all)

    def search_rows(self, int kind, rows not None, size_t start, size_t other, uint64_t work, uint64_t budget):
        """Ask the same of many rows, each about its own box."""
        cdef const size_t[::1] asked = np.ascontiguousarray(rows, np.uintp)
        cdef size_t count = <size_t>asked.shape[0], at
        if count and int(np.max(asked)) >= self.n:
            raise IndexError("there are not so many rows")
        answers = np.full(count + 1, SETS_UNDECIDED, np.uint8)
        points = np.zeros((count + 1, SETS_FIELDS), np.uint32)
        cdef uint8_t[::1] answer = answers
        cdef uint32_t[:, ::1] point = points
        cdef sets_question question
        cdef uint64_t spent = 0
        question.kind = <sets_kind>kind
        question.start = start
        question.other = other
        with nogil:
            for at in range(count):
                if spent >= budget:
                    break
                question.row = asked[at]
                question.work = work if budget - spent > work else budget - spent
                answer[at] = <uint8_t>sets_search(self.all, &question, &self.boxes[asked[at]], &point[at, 0], NULL, &spent)
        return answers[:count], points[:count], spent

    def search(self, int kind, const uint32_t[::1] box not None, size_t start, size_t row, size_t other, uint64_t work,
               size_t capacity=0):
        """Ask about any box."""
        if box.shape[0] != 2 * SETS_FIELDS or row > self.n or other > self.n:
            raise ValueError("the box has 14 numbers, and rows are within the list")
        point = np.zeros(SETS_FIELDS, np.uint32)
        found = np.zeros(capacity + 1, np.int32)
        cdef uint32_t[::1] at = point
        cdef int32_t[::1] into = found
        cdef sets_list takers
        cdef sets_question question
        cdef uint64_t spent = 0
        cdef int answer
        takers.rows = &into[0]
        takers.capacity = capacity
        question.kind = <sets_kind>kind
        question.start = start
        question.row = row
        question.other = other
        question.work = work
        with nogil:
            answer = sets_search(self.all, &question, <const sets_box *>&box[0], &at[0], &takers, &spent)
        return answer, point, found[: min(takers.count, capacity)], takers.count, spent

    def uncovered(self, ids not None, const uint32_t[::1] box not None, uint64_t work):
        """Whether some rows leave something of a box."""
        cdef const int32_t[::1] held = np.append(np.asarray(ids, np.int32), np.int32(0))
        cdef size_t count = <size_t>held.shape[0] - 1
        if count and not 0 <= int(np.min(ids)) <= int(np.max(ids)) < self.n:
            raise IndexError("there are not so many rows")
        point = np.zeros(SETS_FIELDS, np.uint32)
        cdef uint32_t[::1] at = point
        cdef int answer
        with nogil:
            answer = sets_uncovered(self.all, &held[0], count, <const sets_box *>&box[0], work, &at[0])
        return answer, point

    def pairs(self, int pairing, rows not None, size_t start, uint64_t work, uint64_t budget, size_t capacity):
        """Find pairs of the given rows with rows after them."""
        cdef const size_t[::1] asked = np.ascontiguousarray(rows, np.uintp)
        cdef size_t count = <size_t>asked.shape[0], at, held = 0, more = 0, each
        if count and int(np.max(asked)) >= self.n:
            raise IndexError("there are not so many rows")
        answers = np.full(count + 1, SETS_UNDECIDED, np.uint8)
        firsts = np.zeros(capacity + 1, np.int32)
        others = np.zeros(capacity + 1, np.int32)
        points = np.zeros((capacity + 1, SETS_FIELDS), np.uint32)
        cdef uint8_t[::1] answer = answers
        cdef int32_t[::1] one = firsts
        cdef int32_t[::1] two = others
        cdef uint32_t[:, ::1] point = points
        cdef sets_question question
        cdef uint64_t spent = 0
        question.start = start
        with nogil:
            for at in range(count):
                if spent >= budget:
                    break
                question.row = asked[at]
                question.work = work if budget - spent > work else budget - spent
                answer[at] = <uint8_t>sets_pairs(self.all, <sets_pairing>pairing, &question, &two[held], &point[held, 0],
                                                 capacity - held, &more, &spent)
                for each in range(more):
                    one[held + each] = <int32_t>question.row
                held += more
                if held == capacity:
                    break
        return answers[:count], firsts[:held], others[:held], points[:held], spent
