/* pastore: packet classification by sorted interval tables. Plain C11, libc only, no Python.
 *
 * Public interface of the core. Everything returns 0 or a negative pastore_error; lookups neither allocate
 * nor lock, so any number of threads may share one table.
 *
 * How does it work?              core.h opens with that.
 * What is the right answer?      The first row, in the order given, whose ranges all contain the packet. pastore_scan4 and 6 are
 *                                that sentence in C.
 * What may run at the same time? Everything that takes a const pastore_table, on any number of threads. pastore_close alone must
 *                                come after all of them.
 */
#ifndef PASTORE_H
#define PASTORE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Set while libpastore is compiled: it exports what is declared here. Whatever else holds the core keeps it to itself. */
#if defined(PASTORE_EXPORT) && defined(__ELF__)
#pragma GCC visibility push(default)
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

#ifndef __cplusplus
_Static_assert(sizeof(pastore_row) == 88, "pastore_row must match pastore.filters.specific.ROW");
#endif

enum pastore_error {
    PASTORE_OK = 0,
    PASTORE_ERROR_NO_MEMORY = -1,    /* malloc failed, or a size does not fit in size_t */
    PASTORE_ERROR_MEMORY_LIMIT = -2, /* even the plain row list is larger than pastore_options.memory_limit */
    PASTORE_ERROR_TOO_MANY = -3,     /* more rows than an int32_t can number */
    PASTORE_ERROR_RANGE = -4,        /* a row's range runs backwards, or its address does not fit its family */
    PASTORE_ERROR_CODE = -5,         /* a row's family, direction, interface type or action is unknown */
    PASTORE_ERROR_ORDER = -6,        /* a row's rank is lower than that of the row before it */
    PASTORE_ERROR_PACKET = -7,       /* a packet's direction is neither in nor out, or its interface neither lan nor ras */
    PASTORE_ERROR_NO_INDEX = -8,     /* row numbers asked of a table built for PASTORE_VERDICT_ACTION */
    PASTORE_ERROR_ARGUMENT = -9,     /* a pointer that is needed is NULL, or an option is unknown */
    PASTORE_ERROR_BROKEN = -10,      /* pastore_check: an invariant does not hold */
    PASTORE_ERROR_NOT_TABLE = -11,   /* these bytes never were a table */
    PASTORE_ERROR_BYTE_ORDER = -12,  /* saved on a machine of the other byte order */
    PASTORE_ERROR_VERSION = -13,     /* saved in another version of the format */
    PASTORE_ERROR_TRUNCATED = -14,   /* fewer bytes than were saved */
    PASTORE_ERROR_CHECKSUM = -15,    /* bytes have changed since they were saved */
    PASTORE_ERROR_DAMAGED = -16,     /* the checksum holds, but this is nothing that pastore_save writes */
    PASTORE_ERROR_ALIGNMENT = -17,   /* the buffer does not start at a multiple of 8 */
    PASTORE_ERROR_FILE = -18         /* the file cannot be opened, mapped or written; errno says why */
};

/* A table from rows. Opaque, immutable, self-contained: the rows are copied. */
typedef struct pastore_table pastore_table;

enum pastore_verdict_kind {
    PASTORE_VERDICT_RULE = 0,  /* the table can say which row decided */
    PASTORE_VERDICT_ACTION = 1 /* a smaller table that knows actions only */
};

typedef struct pastore_options {
    size_t memory_limit; /* bytes the finished table may take; more may make it faster. 0: as many as caches like */
    int verdict;         /* enum pastore_verdict_kind */
    const char *layout;  /* NULL: the fastest. A name as in pastore_stats: that one, or the next simpler one where it cannot be */
} pastore_options;

/* One packet. Addresses of IPv6 are 16 bytes in network order, everything else is in host order. */
typedef struct pastore_packet4 {
    uint32_t src, dst;
    uint16_t sport, dport;
    uint8_t protocol;
    uint8_t direction; /* PASTORE_IN or PASTORE_OUT */
    uint8_t interface; /* PASTORE_LAN or PASTORE_RAS */
} pastore_packet4;

typedef struct pastore_packet6 {
    uint8_t src[16], dst[16];
    uint16_t sport, dport;
    uint8_t protocol;
    uint8_t direction;
    uint8_t interface;
} pastore_packet6;

/* Many packets, a column a field. A NULL direction or interface column means that all packets have the one value beside it.
 * The other columns are needed; they must be aligned for their type and as long as the number of packets says. */
typedef struct pastore_columns4 {
    const uint32_t *src, *dst;
    const uint8_t *protocol;
    const uint16_t *sport, *dport;
    const uint8_t *direction, *interface;
    uint8_t one_direction, one_interface;
} pastore_columns4;

typedef struct pastore_columns6 {
    const uint8_t *src, *dst; /* 16 bytes a packet, network order */
    const uint8_t *protocol;
    const uint16_t *sport, *dport;
    const uint8_t *direction, *interface;
    uint8_t one_direction, one_interface;
} pastore_columns6;

struct pastore_stats {
    size_t rows;         /* as given */
    size_t dead_rows;    /* of these, how many can never be the answer: earlier rows take all their packets */
    size_t bytes;        /* everything the table holds on to */
    const char *layout;  /* of the side with the most rows; static. tune.c tells what the names mean */
    uint32_t groups;     /* of that side */
    uint32_t chunk_rows; /* rows a bit vector of that side spans at most; 0: there are none */
    const char *isa;     /* instruction set of the lookup; static */
    int verdict;         /* enum pastore_verdict_kind */
};

/* Builds a table from n rows in the order they are to be tried. `options` may be NULL. On PASTORE_ERROR_RANGE, _CODE and _ORDER
 * the number of the first bad row goes to *bad_row, which may be NULL. On error *out is NULL. */
int pastore_build(const pastore_row *rows, size_t n, const pastore_options *options, pastore_table **out, size_t *bad_row);

/* The action of n packets, and the number of the row that decided, -1 (with PASTORE_NONE) where none matches. `action` and
 * `index` may each be NULL. On PASTORE_ERROR_PACKET the number of the first bad packet goes to *bad_packet, which may be NULL,
 * and nothing has been written. */
int pastore_classify4(const pastore_table *table, const pastore_columns4 *packets, size_t n, uint8_t *action, int32_t *index,
                      size_t *bad_packet);
int pastore_classify6(const pastore_table *table, const pastore_columns6 *packets, size_t n, uint8_t *action, int32_t *index,
                      size_t *bad_packet);

/* The same for one packet. */
int pastore_match4(const pastore_table *table, const pastore_packet4 *packet, uint8_t *action, int32_t *index);
int pastore_match6(const pastore_table *table, const pastore_packet6 *packet, uint8_t *action, int32_t *index);

/* As pastore_classify4 and 6, by trying row after row: what the fast path is compared with. */
int pastore_scan4(const pastore_table *table, const pastore_columns4 *packets, size_t n, uint8_t *action, int32_t *index,
                  size_t *bad_packet);
int pastore_scan6(const pastore_table *table, const pastore_columns6 *packets, size_t n, uint8_t *action, int32_t *index,
                  size_t *bad_packet);

/* Bytes the caller wants kept beside the table. `kind` is the caller's name for them: not 0, and no two alike. */
typedef struct pastore_section {
    uint32_t kind;
    const void *data;
    size_t length;
} pastore_section;

enum { PASTORE_MOST_SECTIONS = 15 };

/* Takes the next n bytes of a table that is being saved; anything but 0 ends that. */
typedef int pastore_write(void *context, const void *bytes, size_t n);

/* Writes the table and the sections, front to back, without allocating. PASTORE_ERROR_FILE if `write` failed. Equal tables with
 * equal sections give equal bytes. */
int pastore_save(const pastore_table *table, const pastore_section *sections, size_t n, pastore_write *write, void *context);

/* A table from the bytes that pastore_save wrote. Nothing is copied: the buffer stays the caller's, must start at a multiple of
 * 8, and must neither change nor go away before pastore_close. Whatever the bytes are, the call is safe, and takes time in
 * proportion to their number; so are lookups in a table that it accepts. Of a small table it proves that it answers as its rows
 * say, of a larger one it tries (validate.c, judge.c). On error *out is NULL. */
int pastore_load(const void *buffer, size_t length, pastore_table **out);

/* The same from a regular file, mapped read-only. Whoever replaces the file must do so by renaming another one over it: a file
 * that is cut short while it is mapped takes the program down (SIGBUS), one that is written to changes under the lookups. On
 * Windows the path is UTF-8. */
int pastore_open(const char *path, pastore_table **out);

/* The bytes kept under a kind, inside the loaded buffer and starting at a multiple of 8 there; `data` is NULL where there are
 * none. */
pastore_section pastore_section_of(const pastore_table *table, uint32_t kind);

/* Whether the rows are those the table was built from, in that order, and well formed: PASTORE_OK or PASTORE_ERROR_DAMAGED. */
int pastore_same_rows(const pastore_table *table, const pastore_row *rows, size_t n);

/* Recomputes everything the table claims from its row list: PASTORE_OK, or PASTORE_ERROR_BROKEN with a sentence about the
 * invariant in *broken, which may be NULL. Slow, and may allocate: for tests. */
int pastore_check(const pastore_table *table, const char **broken);

void pastore_stats(const pastore_table *table, struct pastore_stats *stats);

/* For every table, however it was made. NULL is allowed. No other thread may still be using the table. */
void pastore_close(pastore_table *table);

/* A static sentence without a full stop, for every integer. */
const char *pastore_strerror(int error);

#if defined(PASTORE_EXPORT) && defined(__ELF__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
