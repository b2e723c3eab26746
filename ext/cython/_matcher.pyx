"""The C core for Python: buffers in, a call without the GIL, an error code out as an exception. No logic."""

from cpython.buffer cimport PyBUF_READ
from cpython.memoryview cimport PyMemoryView_FromMemory
from cpython.number cimport PyNumber_Index
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcpy

from core cimport (
    PASTORE_ERROR_BROKEN,
    PASTORE_ERROR_BYTE_ORDER,
    PASTORE_ERROR_CHECKSUM,
    PASTORE_ERROR_CODE,
    PASTORE_ERROR_DAMAGED,
    PASTORE_ERROR_MEMORY_LIMIT,
    PASTORE_ERROR_NO_MEMORY,
    PASTORE_ERROR_NOT_TABLE,
    PASTORE_ERROR_ORDER,
    PASTORE_ERROR_PACKET,
    PASTORE_ERROR_RANGE,
    PASTORE_ERROR_TRUNCATED,
    PASTORE_ERROR_VERSION,
    PASTORE_MOST_SECTIONS,
    PASTORE_VERDICT_ACTION,
    PASTORE_VERDICT_RULE,
    pastore_build,
    pastore_check,
    pastore_classify4,
    pastore_classify6,
    pastore_close,
    pastore_columns4,
    pastore_columns6,
    pastore_load,
    pastore_match4,
    pastore_match6,
    pastore_options,
    pastore_packet4,
    pastore_packet6,
    pastore_row,
    pastore_same_rows,
    pastore_save,
    pastore_scan4,
    pastore_scan6,
    pastore_section,
    pastore_section_of,
    pastore_stats,
    pastore_stats_call,
    pastore_strerror,
    pastore_table,
)

from pastore.matcher.errors import MemoryLimitError, TableError


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
    if error in (PASTORE_ERROR_NOT_TABLE, PASTORE_ERROR_BYTE_ORDER, PASTORE_ERROR_VERSION, PASTORE_ERROR_TRUNCATED,
                 PASTORE_ERROR_CHECKSUM, PASTORE_ERROR_DAMAGED):
        return TableError(text)
    return ValueError(text)


cdef int hand_over(void *context, const void *data, size_t n) noexcept with gil:
    """Gives bytes to the first of the two things in a list; an exception becomes the second."""
    cdef list pair = <list>context
    try:
        pair[0](PyMemoryView_FromMemory(<char *>data, <Py_ssize_t>n, PyBUF_READ))
    except BaseException as error:
        pair[1] = error
        return -1
    return 0


cdef class Table:
    """A built or loaded table. See `_matcher.pyi` for the types and ext/core/pastore.h for the meaning."""

    cdef pastore_table *table
    cdef const uint8_t[::1] buffer  # what a loaded table lies in
    cdef readonly bint actions_only

    @staticmethod
    def build(const uint8_t[::1] rows not None, size_t memory_limit, bint actions_only, layout):
        cdef Table self = Table.__new__(Table)
        cdef pastore_options options
        cdef size_t n = rows.shape[0] // sizeof(pastore_row)
        cdef size_t bad = 0
        cdef const pastore_row *first = NULL
        cdef bytes name = b"" if layout is None else layout.encode()
        cdef int error
        if n:
            first = <const pastore_row *>&rows[0]
        options.memory_limit = memory_limit
        options.layout = NULL if layout is None else <const char *>name
        options.verdict = PASTORE_VERDICT_ACTION if actions_only else PASTORE_VERDICT_RULE
        self.actions_only = actions_only
        with nogil:
            error = pastore_build(first, n, &options, &self.table, &bad)
        if error:
            raise error_of(error, bad)
        return self

    @staticmethod
    def load(const uint8_t[::1] buffer not None):
        cdef Table self = Table.__new__(Table)
        cdef const uint8_t *first = NULL
        cdef size_t length = buffer.shape[0]
        cdef pastore_stats stats
        cdef int error
        if length:
            first = &buffer[0]
        self.buffer = buffer
        with nogil:
            error = pastore_load(first, length, &self.table)
        if error:
            raise error_of(error, 0)
        pastore_stats_call(self.table, &stats)
        self.actions_only = stats.verdict == PASTORE_VERDICT_ACTION
        return self

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

    def save(self, list sections not None, write not None):
        cdef pastore_section[PASTORE_MOST_SECTIONS] given
        cdef const uint8_t[::1] view
        cdef list kept = []
        cdef list pair = [write, None]
        cdef size_t n = 0
        cdef int error
        if len(sections) > PASTORE_MOST_SECTIONS:
            raise ValueError("more sections than a table has room for")
        for kind, data in sections:
            view = data
            kept.append(view)
            given[n].kind = kind
            given[n].data = NULL
            given[n].length = view.shape[0]
            if view.shape[0]:
                given[n].data = &view[0]
            n += 1
        error = pastore_save(self.table, given, n, hand_over, <void *>pair)
        if pair[1] is not None:
            raise pair[1]
        if error:
            raise error_of(error, 0)

    def section(self, uint32_t kind):
        cdef pastore_section found = pastore_section_of(self.table, kind)
        cdef Py_ssize_t start
        if found.data == NULL:
            return None
        start = <const uint8_t *>found.data - &self.buffer[0]
        return memoryview(self.buffer)[start:start + <Py_ssize_t>found.length]

    def same_rows(self, const uint8_t[::1] rows not None):
        cdef size_t n = rows.shape[0] // sizeof(pastore_row)
        cdef const pastore_row *first = NULL
        cdef int error
        if n:
            first = <const pastore_row *>&rows[0]
        with nogil:
            error = pastore_same_rows(self.table, first, n)
        if error:
            raise error_of(error, 0)

    def stats(self):
        cdef pastore_stats stats
        if self.table == NULL:
            raise ValueError("an empty table; use build or load")
        pastore_stats_call(self.table, &stats)
        return stats.rows, stats.dead_rows, stats.bytes, stats.layout.decode(), stats.groups, stats.isa.decode()


cdef int check_lengths(Py_ssize_t stop, tuple columns) except -1:
    for column in columns:
        if column is not None and len(column) < stop:
            raise ValueError("a column is shorter than the number of packets")
    return 0
