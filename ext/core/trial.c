/* Candidates are tried on packets drawn from the rules: half of them corners of a rule, half random points within one. */
#if defined(__unix__) || defined(__APPLE__)
#define _POSIX_C_SOURCE 199309L
#endif
#include <string.h>
#include <time.h>

#include "compile.h"

/* Seconds that this thread has worked: what other programs do meanwhile should not choose a layout. */
static double now(void) {
#if defined(_POSIX_C_SOURCE)
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
#else
    return (double)clock() / CLOCKS_PER_SEC;
#endif
}

static uint64_t draw(uint64_t *state) {
    *state += 0x9E3779B97F4A7C15u;
    return mix64(*state);
}

/* A value between two, or one of them. */
static uint64_t between(uint64_t lo, uint64_t hi, bool corner, uint64_t *state) {
    const uint64_t r = draw(state), width = hi - lo;
    if (corner)
        return r & 1 ? lo : hi;
    return lo + (width == UINT64_MAX ? r : r % (width + 1));
}

static key address_between(const live_row *r, unsigned field, bool corner, uint64_t *state) {
    const key lo = r->lo[field], hi = r->hi[field];
    const uint64_t high = between(lo.high, hi.high, corner, state);
    const uint64_t from = high == lo.high ? lo.low : 0, to = high == hi.high ? hi.low : UINT64_MAX;
    return (key){high, between(from, to, corner, state)};
}

static void to_network(key a, uint8_t *bytes) {
    for (unsigned i = 0; i < 8; i++) {
        bytes[i] = (uint8_t)(a.high >> (56 - 8 * i));
        bytes[8 + i] = (uint8_t)(a.low >> (56 - 8 * i));
    }
}

bool trial_open(compiler *c, arena *a, trial *t) {
    *t = (trial){.count = c->count < 256 ? 64 : c->count < 4000 ? 8192 : c->count < 300000 ? 32768 : 131072};
    const uint32_t n = t->count;
    uint32_t *address4[2] = {NULL, NULL};
    uint8_t *address6[2] = {NULL, NULL};
    for (unsigned f = SRC; f <= DST; f++)
        if (c->family == IPV4)
            address4[f] = arena_take(a, n, sizeof(uint32_t));
        else
            address6[f] = arena_take(a, n, 16);
    uint16_t *sport = arena_take(a, n, sizeof *sport), *dport = arena_take(a, n, sizeof *dport);
    uint8_t *protocol = arena_take(a, n, 1);
    t->ids = arena_take(a, n, sizeof *t->ids);
    if (a->failed)
        return false;
    uint64_t state = c->seed;
    for (uint32_t i = 0; i < n; i++) {
        const live_row *r = &c->rules[draw(&state) % c->count];
        const bool corner = i % 2;
        for (unsigned f = SRC; f <= DST; f++) {
            const key address = address_between(r, f, corner, &state);
            if (c->family == IPV4)
                address4[f][i] = (uint32_t)address.low;
            else
                to_network(address, address6[f] + 16 * (size_t)i);
        }
        sport[i] = (uint16_t)between(r->sport_lo, r->sport_hi, corner, &state);
        dport[i] = (uint16_t)between(r->dport_lo, r->dport_hi, corner, &state);
        protocol[i] = (uint8_t)between(r->protocol_lo, r->protocol_hi, corner, &state);
    }
    t->packets = (side_packets){address4[SRC], address4[DST], address6[SRC], address6[DST], sport, dport, protocol};
    return true;
}

void view_candidate(const compiler *c, const candidate *k, side_view *view) {
    *view = (side_view){.family = c->family, .groups = k->group_count};
    for (unsigned f = SRC; f <= DST; f++) {
        const address_part *p = &c->address[f];
        address_view *to = &view->address[f];
        *to = (address_view){.fold = p->fold,
                             .tails = p->tails,
                             .lows = p->lows,
                             .records = k->records[f],
                             .levels = p->levels,
                             .intervals = p->intervals,
                             .halvings = p->halvings};
        memcpy(to->level, p->level, sizeof to->level);
        memcpy(to->keys, p->keys, sizeof to->keys);
    }
    if (c->ports.classed)
        view_ports(&view->ports, c->ports.ends, c->ports.intervals_of, c->ports.intervals, c->ports.protocol, c->ports.classes,
                   c->ports.protocols);
    for (uint32_t g = 0; g < k->group_count; g++) {
        const built_group *b = &k->groups[g];
        view_group(&view->group[g], &b->g, b->cells, b->answers, b->shapes, b->map);
    }
    view_needs(view);
}

double trial_run(const compiler *c, const trial *t, const candidate *k) {
    side_view view;
    view_candidate(c, k, &view);
    const double before = now();
    if (c->family == IPV4)
        c->isa->classify4(&view, &t->packets, t->count, t->ids);
    else
        c->isa->classify6(&view, &t->packets, t->count, t->ids);
    return now() - before;
}
