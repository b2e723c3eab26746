"""The C core for Python: buffers in, a call without the GIL, an error code out as an exception. No logic."""

from cpython.number cimport PyNumber_Index
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy

from core cimport (
    PASTORE_ERROR_BROKEN,
    PASTORE_ERROR_CODE,
    PASTORE_ERROR_MEMORY_LIMIT,
    PASTORE_ERROR_NO_MEMORY,
    PASTORE_ERROR_ORDER,
    PASTORE_ERROR_PACKET,
    PASTORE_ERROR_RANGE,
    PASTORE_VERDICT_ACTION,
    PASTORE_VERDICT_RULE,
    pastore_build,
    pastore_check,
    pastore_classify4,
    pastore_classify6,
    pastore_close,
    pastore_columns4,
    pastore_columns6,
    pastore_match4,
    pastore_match6,
    pastore_options,
    pastore_packet4,
    pastore_packet6,
    pastore_row,
    pastore_scan4,
    pastore_scan6,
    pastore_stats,
    pastore_stats_call,
    pastore_strerror,
    pastore_table,
)

from pastore.matcher.errors import MemoryLimitError


cdef object error_of(int error, size_t bad):
    text = pastore_strerror(error).decode()
    if error == PASTORE_ERROR_NO_MEMORY:
        return MemoryError(text)
    if error == PASTORE_ERROR_MEMORY_LIMIT:
        return MemoryLimitError(text)
    if error in (PASTORE_ERROR_RANGE, PASTORE_ERROR_CODE, PASTORE_ERROR_ORDER):
        return ValueError(f"row {bad}: {text}")
    if error == PASTORE_ERROR_PACKET:
        return ValueError(f"packet {bad}: {text}")
    return ValueError(text)


cdef class Table:
    """A built table. See `_matcher.pyi` for the types and ext/core/pastore.h for the meaning."""

    cdef pastore_table *table
    cdef readonly bint actions_only

    def __cinit__(self, const uint8_t[::1] rows not None, size_t memory_limit, bint actions_only):
        cdef pastore_options options
        cdef size_t n = rows.shape[0] // sizeof(pastore_row)
        cdef size_t bad = 0
        cdef const pastore_row *first = NULL
        cdef int error
        if n:
            first = <const pastore_row *>&rows[0]
        options.memory_limit = memory_limit
        options.verdict = PASTORE_VERDICT_ACTION if actions_only else PASTORE_VERDICT_RULE
        self.actions_only = actions_only
        with nogil:
            error = pastore_build(first, n, &options, &self.table, &bad)
        if error:
            raise error_of(error, bad)

    def __dealloc__(self):
        pastore_close(self.table)

    def match4(self, src, dst, protocol, sport, dport, uint8_t direction, uint8_t interface):
        cdef pastore_packet4 packet
        cdef uint8_t action = 0
        cdef int32_t index = -1
        # PyNumber_Index, because a conversion straight to a C integer would cut the fraction off a float.
        packet.src, packet.dst = PyNumber_Index(src), PyNumber_Index(dst)
        packet.sport, packet.dport = PyNumber_Index(sport), PyNumber_Index(dport)
        packet.protocol, packet.direction, packet.interface = PyNumber_Index(protocol), direction, interface
        cdef int error = pastore_match4(self.table, &packet, &action, NULL if self.actions_only else &index)
        if error:
            raise error_of(error, 0)
        return action, index

    def match6(self, const uint8_t[::1] src not None, const uint8_t[::1] dst not None, protocol, sport, dport,
               uint8_t direction, uint8_t interface):
        cdef pastore_packet6 packet
        cdef uint8_t action = 0
        cdef int32_t index = -1
        if src.shape[0] != 16 or dst.shape[0] != 16:
            raise ValueError("an IPv6 address is 16 bytes")
        memcpy(packet.src, &src[0], 16)
        memcpy(packet.dst, &dst[0], 16)
        packet.sport, packet.dport = PyNumber_Index(sport), PyNumber_Index(dport)
        packet.protocol, packet.direction, packet.interface = PyNumber_Index(protocol), direction, interface
        cdef int error = pastore_match6(self.table, &packet, &action, NULL if self.actions_only else &index)
        if error:
            raise error_of(error, 0)
        return action, index

    def classify4(self, bint scan, const uint32_t[::1] src not None, const uint32_t[::1] dst not None,
                  const uint8_t[::1] protocol not None, const uint16_t[::1] sport not None, const uint16_t[::1] dport not None,
                  const uint8_t[::1] direction, uint8_t one_direction, const uint8_t[::1] interface, uint8_t one_interface,
                  uint8_t[::1] action, int32_t[::1] index, Py_ssize_t start, Py_ssize_t stop):
        cdef pastore_columns4 c
        cdef size_t bad = 0
        cdef int error
        if not 0 <= start < stop:
            return
        check_lengths(stop, (src, dst, protocol, sport, dport, direction, interface, action, index))
        c.src, c.dst = &src[start], &dst[start]
        c.protocol, c.sport, c.dport = &protocol[start], &sport[start], &dport[start]
        c.direction = c.interface = NULL
        c.one_direction, c.one_interface = one_direction, one_interface
        if direction is not None:
            c.direction = &direction[start]
        if interface is not None:
            c.interface = &interface[start]
        cdef uint8_t *actions = NULL
        cdef int32_t *indices = NULL
        if action is not None:
            actions = &action[start]
        if index is not None:
            indices = &index[start]
        with nogil:
            if scan:
                error = pastore_scan4(self.table, &c, <size_t>(stop - start), actions, indices, &bad)
            else:
                error = pastore_classify4(self.table, &c, <size_t>(stop - start), actions, indices, &bad)
        if error:
            raise error_of(error, <size_t>start + bad)

    def classify6(self, bint scan, const uint8_t[:, ::1] src not None, const uint8_t[:, ::1] dst not None,
                  const uint8_t[::1] protocol not None, const uint16_t[::1] sport not None, const uint16_t[::1] dport not None,
                  const uint8_t[::1] direction, uint8_t one_direction, const uint8_t[::1] interface, uint8_t one_interface,
                  uint8_t[::1] action, int32_t[::1] index, Py_ssize_t start, Py_ssize_t stop):
        cdef pastore_columns6 c
        cdef size_t bad = 0
        cdef int error
        if not 0 <= start < stop:
            return
        check_lengths(stop, (src, dst, protocol, sport, dport, direction, interface, action, index))
        if src.shape[1] != 16 or dst.shape[1] != 16:
            raise ValueError("an IPv6 address is 16 bytes")
        c.src, c.dst = &src[start, 0], &dst[start, 0]
        c.protocol, c.sport, c.dport = &protocol[start], &sport[start], &dport[start]
        c.direction = c.interface = NULL
        c.one_direction, c.one_interface = one_direction, one_interface
        if direction is not None:
            c.direction = &direction[start]
        if interface is not None:
            c.interface = &interface[start]
        cdef uint8_t *actions = NULL
        cdef int32_t *indices = NULL
        if action is not None:
            actions = &action[start]
        if index is not None:
            indices = &index[start]
        with nogil:
            if scan:
                error = pastore_scan6(self.table, &c, <size_t>(stop - start), actions, indices, &bad)
            else:
                error = pastore_classify6(self.table, &c, <size_t>(stop - start), actions, indices, &bad)
        if error:
            raise error_of(error, <size_t>start + bad)

    def check(self):
        cdef const char *broken = NULL
        cdef int error
        with nogil:
            error = pastore_check(self.table, &broken)
        if error == PASTORE_ERROR_BROKEN:
            raise AssertionError(f"does not hold: {broken.decode()}")
        if error:
            raise error_of(error, 0)

    def stats(self):
        cdef pastore_stats stats
        pastore_stats_call(self.table, &stats)
        return stats.rows, stats.bytes, stats.chunk_rows, stats.isa.decode()


cdef int check_lengths(Py_ssize_t stop, tuple columns) except -1:
    for column in columns:
        if column is not None and len(column) < stop:
            raise ValueError("a column is shorter than the number of packets")
    return 0
