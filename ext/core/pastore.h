/* pastore: packet classification by sorted interval tables. Plain C11, libc only, no Python.
 *
 * Public interface of the core. Everything returns 0 or a negative pastore_error; lookups neither allocate
 * nor lock, so any number of threads may share one table.
 */
#ifndef PASTORE_H
#define PASTORE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum pastore_action { PASTORE_NONE = 0, PASTORE_ALLOW = 1, PASTORE_BLOCK = 2, PASTORE_PROTECT = 3 };
enum pastore_direction { PASTORE_IN = 0, PASTORE_OUT = 1, PASTORE_BOTH = 2 };
enum pastore_interface { PASTORE_LAN = 0, PASTORE_RAS = 1, PASTORE_ALL = 2 };

/* One specific filter: every range is inclusive. Addresses are two 64-bit words in host order, high word
 * first; IPv4 is the low 32 bits of the low word. Mirrors pastore.filters.specific.ROW byte for byte. */
typedef struct pastore_row {
    uint64_t src_lo[2], src_hi[2], dst_lo[2], dst_hi[2];
    uint16_t sport_lo, sport_hi, dport_lo, dport_hi;
    uint8_t protocol_lo, protocol_hi;
    uint8_t family;        /* 4 or 6 */
    uint8_t direction;     /* enum pastore_direction */
    uint8_t interface;     /* enum pastore_interface */
    uint8_t action;        /* enum pastore_action, not PASTORE_NONE */
    uint8_t exempt, flags; /* not looked at by the core */
    int32_t rank;          /* rows must come in the order of rank */
    int32_t filter;        /* not looked at by the core */
} pastore_row;

_Static_assert(sizeof(pastore_row) == 88, "pastore_row must match pastore.filters.specific.ROW");

#ifdef __cplusplus
}
#endif

#endif
