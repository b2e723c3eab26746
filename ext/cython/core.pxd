"""The public interface of the C core, as Cython sees it."""

from libc.stddef cimport size_t
from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t


cdef extern from "pastore.h" nogil:
    enum:
        PASTORE_OK
        PASTORE_ERROR_NO_MEMORY
        PASTORE_ERROR_MEMORY_LIMIT
        PASTORE_ERROR_RANGE
        PASTORE_ERROR_CODE
        PASTORE_ERROR_ORDER
        PASTORE_ERROR_PACKET
        PASTORE_ERROR_BROKEN
        PASTORE_ERROR_NOT_TABLE
        PASTORE_ERROR_BYTE_ORDER
        PASTORE_ERROR_VERSION
        PASTORE_ERROR_TRUNCATED
        PASTORE_ERROR_CHECKSUM
        PASTORE_ERROR_DAMAGED
        PASTORE_VERDICT_RULE
        PASTORE_VERDICT_ACTION

    ctypedef struct pastore_row:
        pass

    ctypedef struct pastore_table:
        pass

    ctypedef struct pastore_options:
        size_t memory_limit
        int verdict
        const char *layout

    ctypedef struct pastore_packet4:
        uint32_t src
        uint32_t dst
        uint16_t sport
        uint16_t dport
        uint8_t protocol
        uint8_t direction
        uint8_t interface

    ctypedef struct pastore_packet6:
        uint8_t[16] src
        uint8_t[16] dst
        uint16_t sport
        uint16_t dport
        uint8_t protocol
        uint8_t direction
        uint8_t interface

    ctypedef struct pastore_columns4:
        const uint32_t *src
        const uint32_t *dst
        const uint8_t *protocol
        const uint16_t *sport
        const uint16_t *dport
        const uint8_t *direction
        const uint8_t *interface
        uint8_t one_direction
        uint8_t one_interface

    ctypedef struct pastore_columns6:
        const uint8_t *src
        const uint8_t *dst
        const uint8_t *protocol
        const uint16_t *sport
        const uint16_t *dport
        const uint8_t *direction
        const uint8_t *interface
        uint8_t one_direction
        uint8_t one_interface

    ctypedef struct pastore_section:
        uint32_t kind
        const void *data
        size_t length

    enum:
        PASTORE_MOST_SECTIONS

    ctypedef int (*pastore_write)(void *context, const void *bytes, size_t n) noexcept

    struct pastore_stats:
        size_t rows
        size_t dead_rows
        size_t bytes
        const char *layout
        uint32_t groups
        uint32_t chunk_rows
        const char *isa
        int verdict

    int pastore_build(const pastore_row *rows, size_t n, const pastore_options *options, pastore_table **out, size_t *bad_row)
    int pastore_classify4(const pastore_table *table, const pastore_columns4 *packets, size_t n, uint8_t *action, int32_t *index,
                          size_t *bad_packet)
    int pastore_classify6(const pastore_table *table, const pastore_columns6 *packets, size_t n, uint8_t *action, int32_t *index,
                          size_t *bad_packet)
    int pastore_match4(const pastore_table *table, const pastore_packet4 *packet, uint8_t *action, int32_t *index)
    int pastore_match6(const pastore_table *table, const pastore_packet6 *packet, uint8_t *action, int32_t *index)
    int pastore_scan4(const pastore_table *table, const pastore_columns4 *packets, size_t n, uint8_t *action, int32_t *index,
                      size_t *bad_packet)
    int pastore_scan6(const pastore_table *table, const pastore_columns6 *packets, size_t n, uint8_t *action, int32_t *index,
                      size_t *bad_packet)
    int pastore_check(const pastore_table *table, const char **broken)
    void pastore_stats_call "pastore_stats" (const pastore_table *table, pastore_stats *stats)
    int pastore_load(const void *buffer, size_t length, pastore_table **out)
    int pastore_save(const pastore_table *table, const pastore_section *sections, size_t n, pastore_write write, void *context)
    pastore_section pastore_section_of(const pastore_table *table, uint32_t kind)
    int pastore_same_rows(const pastore_table *table, const pastore_row *rows, size_t n)
    void pastore_close(pastore_table *table)
    const char *pastore_strerror(int error)
