"""Binding of ext/core/frames.c: a buffer in, columns out, the walk without the interpreter lock."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t

import numpy as np


cdef extern from "frames.h" nogil:
    ctypedef struct pastore_capture:
        uint16_t version_major
        uint16_t version_minor
        uint16_t linktype

    ctypedef struct pastore_frame_columns:
        size_t capacity
        int64_t *frame
        uint8_t *family
        uint8_t *protocol
        uint16_t *sport
        uint16_t *dport
        uint8_t *src
        uint8_t *dst

    ctypedef struct pastore_walk:
        size_t frames
        size_t packets
        size_t other
        size_t broken
        size_t stopped
        uint32_t claim
        int end

    int PASTORE_CAPTURE_OK
    int PASTORE_CAPTURE_UNKNOWN
    int PASTORE_CAPTURE_SHORT
    int PASTORE_CAPTURE_PCAPNG
    int PASTORE_CAPTURE_VERSION
    int PASTORE_CAPTURE_LINK
    int PASTORE_WALK_WHOLE
    int PASTORE_WALK_CUT_HEADER
    int PASTORE_WALK_CUT_FRAME
    int PASTORE_WALK_ABSURD
    int PASTORE_WALK_FULL

    int pastore_capture_open(pastore_capture *capture, const uint8_t *data, size_t length)
    void pastore_capture_walk(const pastore_capture *capture, const pastore_frame_columns *columns, pastore_walk *found)


OK = PASTORE_CAPTURE_OK
UNKNOWN = PASTORE_CAPTURE_UNKNOWN
SHORT = PASTORE_CAPTURE_SHORT
PCAPNG = PASTORE_CAPTURE_PCAPNG
VERSION = PASTORE_CAPTURE_VERSION
LINK = PASTORE_CAPTURE_LINK
WHOLE = PASTORE_WALK_WHOLE
CUT_HEADER = PASTORE_WALK_CUT_HEADER
CUT_FRAME = PASTORE_WALK_CUT_FRAME
ABSURD = PASTORE_WALK_ABSURD
FULL = PASTORE_WALK_FULL


def walk(const uint8_t[::1] data not None):
    """Read a whole capture; see ``_frames.pyi``."""
    cdef pastore_capture capture
    cdef pastore_walk found
    cdef pastore_frame_columns columns
    cdef const uint8_t *start = &data[0] if data.shape[0] else NULL
    cdef size_t length = <size_t>data.shape[0]
    cdef int error

    error = pastore_capture_open(&capture, start, length)
    header = (capture.version_major, capture.version_minor, capture.linktype)
    if error != PASTORE_CAPTURE_OK:
        return error, header, None, None
    with nogil:
        pastore_capture_walk(&capture, NULL, &found)
    cdef size_t rows = found.packets
    kinds = (np.int64, np.uint8, np.uint8, np.uint16, np.uint16)
    # A row too many: an empty array has no first element to point to.
    arrays = [np.empty(rows + 1, kind) for kind in kinds] + [np.empty((rows + 1, 16), np.uint8) for _ in range(2)]
    cdef int64_t[::1] frame = arrays[0]
    cdef uint8_t[::1] family = arrays[1]
    cdef uint8_t[::1] protocol = arrays[2]
    cdef uint16_t[::1] sport = arrays[3]
    cdef uint16_t[::1] dport = arrays[4]
    cdef uint8_t[:, ::1] src = arrays[5]
    cdef uint8_t[:, ::1] dst = arrays[6]
    columns.capacity = rows
    columns.frame = &frame[0]
    columns.family = &family[0]
    columns.protocol = &protocol[0]
    columns.sport = &sport[0]
    columns.dport = &dport[0]
    columns.src = &src[0, 0]
    columns.dst = &dst[0, 0]
    with nogil:
        pastore_capture_walk(&capture, &columns, &found)
    rows = found.packets
    return (
        error,
        header,
        tuple([array[:rows] for array in arrays]),
        (found.frames, found.other, found.broken, found.stopped, found.claim, found.end),
    )
