/* Packet walk over capture files: classic pcap in memory -> columns of addresses, protocols and ports.
 *
 * How it works, what it follows and what it refuses is told at the top of frames.c. Nothing here allocates, locks,
 * or keeps state: the caller gives a buffer and, for the second pass, the columns to fill.
 *
 *     pastore_capture capture;
 *     pastore_walk found;
 *     int error = pastore_capture_open(&capture, bytes, length);
 *     pastore_capture_walk(&capture, NULL, &found);        first pass: how many rows
 *     ... allocate found.packets rows ...
 *     pastore_capture_walk(&capture, &columns, &found);    second pass: fill them
 */
#ifndef PASTORE_FRAMES_H
#define PASTORE_FRAMES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum pastore_capture_error {
    PASTORE_CAPTURE_OK = 0,
    PASTORE_CAPTURE_UNKNOWN = -1, /* no known magic number */
    PASTORE_CAPTURE_SHORT = -2,   /* the magic number is there, the rest of the file header is not */
    PASTORE_CAPTURE_PCAPNG = -3,  /* the next generation format */
    PASTORE_CAPTURE_VERSION = -4, /* a version other than 2.4 and its successors 2.x */
    PASTORE_CAPTURE_LINK = -5     /* a link type that is not walked */
};

/* Why a walk ended. */
enum pastore_walk_end {
    PASTORE_WALK_WHOLE = 0,      /* at the end of the last frame */
    PASTORE_WALK_CUT_HEADER = 1, /* inside the 16 (24) bytes before a frame */
    PASTORE_WALK_CUT_FRAME = 2,  /* a frame says it is longer than what is left of the file */
    PASTORE_WALK_ABSURD = 3,     /* a frame says it is longer than any capture of this snapshot length can hold */
    PASTORE_WALK_FULL = 4        /* more packets than the columns have rows */
};

typedef struct pastore_capture {
    const uint8_t *bytes;
    size_t length;
    uint16_t version_major, version_minor;
    uint32_t snaplen;
    uint16_t linktype;
    uint8_t big_endian;    /* of the file's own fields; packets are in network order */
    uint8_t record_header; /* bytes before each frame */
} pastore_capture;

/* Where packets go: each points to `capacity` elements, an address being 16 bytes: IPv4 in the first four, the rest 0. */
typedef struct pastore_frame_columns {
    size_t capacity;
    int64_t *frame; /* number of the frame in the file, from 1 */
    uint8_t *family, *protocol;
    uint16_t *sport, *dport;
    uint8_t *src, *dst;
} pastore_frame_columns;

typedef struct pastore_walk {
    size_t frames;  /* whole frames seen */
    size_t packets; /* IP packets among them */
    size_t other;   /* frames of other protocols */
    size_t broken;  /* frames whose link or IP header is cut or contradicts itself */
    size_t stopped; /* offset of the first byte that is not part of a whole frame; the file's length when nothing is missing */
    uint32_t claim; /* length the frame claims at which the walk stopped (CUT_FRAME, ABSURD) */
    int end;        /* enum pastore_walk_end */
} pastore_walk;

/* Read the file header. `bytes` may be NULL when `length` is 0; it must stay while the capture is walked.
 * On PASTORE_CAPTURE_VERSION the version, on PASTORE_CAPTURE_LINK the link type too has been filled in. */
int pastore_capture_open(pastore_capture *capture, const uint8_t *bytes, size_t length);

/* Walk every frame; with `columns` write a row for each packet, without only count. */
void pastore_capture_walk(const pastore_capture *capture, const pastore_frame_columns *columns, pastore_walk *found);

#ifdef __cplusplus
}
#endif

#endif
