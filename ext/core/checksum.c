/* XXH64, written from the specification of the xxHash algorithm family (Yann Collet, version 0.1.1), seed 0. */
#include <string.h>

#include "stored.h"

static const uint64_t PRIME1 = 0x9E3779B185EBCA87u, PRIME2 = 0xC2B2AE3D27D4EB4Fu, PRIME3 = 0x165667B19E3779F9u,
                      PRIME4 = 0x85EBCA77C2B2AE63u, PRIME5 = 0x27D4EB2F165667C5u;

enum { STRIPE = 32 };

static uint64_t rotate(uint64_t value, unsigned bits) {
    return value << bits | value >> (64 - bits);
}

/* Little-endian whatever the machine: a checksum means the same everywhere. */
static uint64_t read_bytes(const unsigned char *bytes, unsigned n) {
    uint64_t value = 0;
    for (unsigned i = 0; i < n; i++)
        value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

static uint64_t read_lane(const unsigned char *bytes) {
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
#else
    return read_bytes(bytes, 8);
#endif
}

static uint64_t mix(uint64_t lane, uint64_t input) {
    return rotate(lane + input * PRIME2, 31) * PRIME1;
}

void checksum_begin(checksum *sum) {
    *sum = (checksum){.lanes = {PRIME1 + PRIME2, PRIME2, 0, 0 - PRIME1}};
}

static void add_stripes(checksum *sum, const unsigned char *bytes, size_t stripes) {
    uint64_t a = sum->lanes[0], b = sum->lanes[1], c = sum->lanes[2], d = sum->lanes[3];
    for (; stripes; stripes--, bytes += STRIPE) {
        a = mix(a, read_lane(bytes));
        b = mix(b, read_lane(bytes + 8));
        c = mix(c, read_lane(bytes + 16));
        d = mix(d, read_lane(bytes + 24));
    }
    sum->lanes[0] = a, sum->lanes[1] = b, sum->lanes[2] = c, sum->lanes[3] = d;
}

void checksum_add(checksum *sum, const void *bytes, size_t n) {
    const unsigned char *next = bytes;
    size_t held = sum->total % STRIPE;
    sum->total += n;
    if (held) {
        const size_t room = STRIPE - held, taken = n < room ? n : room;
        if (taken)
            memcpy(sum->pending + held, next, taken);
        if (taken < room)
            return;
        add_stripes(sum, sum->pending, 1);
        next += taken;
        n -= taken;
    }
    add_stripes(sum, next, n / STRIPE);
    if (n % STRIPE)
        memcpy(sum->pending, next + n / STRIPE * STRIPE, n % STRIPE);
}

uint64_t checksum_finish(const checksum *sum) {
    const uint64_t *lanes = sum->lanes;
    uint64_t hash = PRIME5;
    if (sum->total >= STRIPE) {
        hash = rotate(lanes[0], 1) + rotate(lanes[1], 7) + rotate(lanes[2], 12) + rotate(lanes[3], 18);
        for (int i = 0; i < 4; i++)
            hash = (hash ^ mix(0, lanes[i])) * PRIME1 + PRIME4;
    }
    hash += sum->total;
    const unsigned char *next = sum->pending;
    size_t left = sum->total % STRIPE;
    for (; left >= 8; left -= 8, next += 8)
        hash = rotate(hash ^ mix(0, read_lane(next)), 27) * PRIME1 + PRIME4;
    if (left >= 4) {
        hash = rotate(hash ^ read_bytes(next, 4) * PRIME1, 23) * PRIME2 + PRIME3;
        left -= 4, next += 4;
    }
    for (; left; left--, next++)
        hash = rotate(hash ^ *next * PRIME5, 11) * PRIME1;
    hash = (hash ^ hash >> 33) * PRIME2;
    hash = (hash ^ hash >> 29) * PRIME3;
    return hash ^ hash >> 32;
}

uint64_t stored_checksum(const stored_header *header, const void *bytes, size_t length) {
    stored_header without = *header;
    checksum sum;
    without.checksum = 0;
    checksum_begin(&sum);
    checksum_add(&sum, &without, sizeof without);
    checksum_add(&sum, (const unsigned char *)bytes + sizeof without, length - sizeof without);
    return checksum_finish(&sum);
}
