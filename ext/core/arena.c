/* Memory that is given back all at once: whatever a candidate builds goes away with it, from wherever it gives up. */
#include <stdlib.h>
#include <string.h>

#include "compile.h"

typedef struct arena_part {
    struct arena_part *next;
    unsigned char *at; /* the first free byte */
    size_t left;
} arena_part;

enum { LINE = 64 };

static const size_t PART = (size_t)256 << 10;

static unsigned char *aligned(unsigned char *at) {
    return at + (LINE - (uintptr_t)at % LINE) % LINE;
}

void *arena_take(arena *a, size_t count, size_t size) {
    if (a->failed || (size && count > (SIZE_MAX - PART) / size)) {
        a->failed = true;
        return NULL;
    }
    const size_t bytes = (count * size + LINE - 1) / LINE * LINE;
    if (!a->parts || a->parts->left < bytes) {
        const size_t room = bytes > PART / 4 ? bytes : PART;
        arena_part *part = pages_take(sizeof *part + LINE + room);
        if (!part) {
            a->failed = true;
            return NULL;
        }
        part->at = aligned((unsigned char *)(part + 1));
        part->left = room;
        if (room == bytes && a->parts) { /* keep filling the part there is */
            part->next = a->parts->next;
            a->parts->next = part;
            part->left = 0;
            a->bytes += bytes;
            return part->at;
        }
        part->next = a->parts;
        a->parts = part;
    }
    void *taken = a->parts->at;
    a->parts->at += bytes;
    a->parts->left -= bytes;
    a->bytes += bytes;
    return taken;
}

void *arena_zeroed(arena *a, size_t count, size_t size) {
    void *taken = arena_take(a, count, size);
    if (taken)
        memset(taken, 0, count * size);
    return taken;
}

void arena_empty(arena *a) {
    while (a->parts) {
        arena_part *part = a->parts;
        a->parts = part->next;
        pages_give(part);
    }
    *a = (arena){0};
}

void arena_join(arena *to, arena *from) {
    arena_part **end = &to->parts;
    while (*end)
        end = &(*end)->next;
    *end = from->parts;
    to->bytes += from->bytes;
    to->failed |= from->failed;
    *from = (arena){0};
}
