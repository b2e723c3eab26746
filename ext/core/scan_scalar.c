/* The way through the groups for every machine: what the compiler makes of plain loops, with the vectors that every machine of
 * the architecture has. */
#include "scan_kernel.h"

/* Counts that have no jump in them and become vector instructions. */
static ALWAYS_INLINE uint32_t line4(const uint32_t *line, uint32_t x) {
    uint32_t less = 0;
    for (unsigned k = 0; k < LINE4; k++)
        less += line[k] < x;
    return less;
}

/* A halving search: few machines compare words of 64 bits in vectors by themselves. */
static ALWAYS_INLINE uint32_t line6(const uint64_t *line, uint64_t x) {
    uint32_t less = 4 & (uint32_t)opaque(0 - (uint64_t)(line[3] < x));
    less += 2 & (uint32_t)opaque(0 - (uint64_t)(line[less + 1] < x));
    less += line[less] < x;
    return less + (line[less] < x);
}

static ALWAYS_INLINE uint32_t few_ports(const uint16_t *ends, uint16_t x) {
    uint16_t less = 0;
    for (unsigned k = 0; k < 16; k++)
        less = (uint16_t)(less + (ends[k] < x));
    return less;
}

/* At the top all packets meet the same keys: each key is compared with several packets at once. */
static ALWAYS_INLINE uint32_t search_top4(const address_view *view, const uint32_t *x, uint32_t *place, const unsigned n) {
    const uint32_t level = view->levels - 1, count = view->keys[level];
    const uint32_t *keys = view->level[level];
    memset(place, 0, n * sizeof *place);
    for (uint32_t k = 0; k < count; k++) {
        const uint32_t edge = keys[k];
        for (unsigned i = 0; i < n; i++)
            place[i] += edge < x[i] ? LINE4 : 0;
    }
    return level;
}

static ALWAYS_INLINE uint32_t search_top6(const address_view *view, const uint64_t *x, uint32_t *place, const unsigned n) {
    memset(place, 0, n * sizeof *place);
    (void)x;
    return view->levels;
}

static ALWAYS_INLINE bool small_records4(const address_view *view, const uint32_t *x, uint32_t *place, const unsigned n) {
    (void)view, (void)x, (void)place, (void)n;
    return false;
}

static ALWAYS_INLINE void split_addresses(const uint8_t *addresses, uint64_t *high, uint64_t *low, const unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        high[i] = word_from_network(addresses + (size_t)i * 16);
        low[i] = word_from_network(addresses + (size_t)i * 16 + 8);
    }
}

static ALWAYS_INLINE void fold_addresses(const fold *f, const uint8_t *addresses, uint64_t *keys, const unsigned n) {
    for (unsigned i = 0; i < n; i++)
        keys[i] = key_of_address(f, key_from_network(addresses + (size_t)i * 16));
}

/* Up to FEW_PORT_ENDS are compared with several packets at once; more are looked up. */
static ALWAYS_INLINE void port_intervals(const port_view *view, const unsigned axis, const uint16_t *x, uint16_t *interval,
                                         const unsigned n) {
    const uint8_t *narrow = view->narrow[axis];
    const uint16_t *wide = view->wide[axis], *ends = view->ends[axis];
    if (narrow) {
        for (unsigned i = 0; i < n; i++)
            interval[i] = narrow[x[i]];
    } else if (wide) {
        for (unsigned i = 0; i < n; i++)
            interval[i] = wide[x[i]];
    } else {
        memset(interval, 0, n * sizeof *interval);
        for (uint32_t k = 0; k + 1 < view->intervals[axis]; k++) {
            const uint16_t edge = ends[k];
            for (unsigned i = 0; i < n; i++)
                interval[i] = (uint16_t)(interval[i] + (edge < x[i]));
        }
    }
}

static ALWAYS_INLINE void port_cells(const port_view *view, const side_packets *p, size_t at, uint32_t *cells, const unsigned n) {
    uint16_t sport[BLOCK] LINE_ALIGNED, dport[BLOCK] LINE_ALIGNED;
    const uint32_t dports = view->intervals[1], protocols = view->protocols;
    const uint8_t *protocol = view->protocol;
    port_intervals(view, 0, p->sport + at, sport, n);
    port_intervals(view, 1, p->dport + at, dport, n);
    for (unsigned i = 0; i < n; i++)
        cells[i] = (sport[i] * dports + dport[i]) * protocols + protocol[p->protocol[at + i]];
}

static ALWAYS_INLINE bool holds_ports(const port_rule *rule, uint64_t ports) {
    return ((uint16_t)(ports - rule->sport) <= rule->sport_width) &
           ((uint16_t)((ports >> 16) - rule->dport) <= rule->dport_width) &
           ((uint16_t)((ports >> 32) - rule->protocol) <= rule->protocol_width);
}

static ALWAYS_INLINE uint32_t first_port_rule(const port_rule *rules, uint32_t count, uint64_t ports, uint32_t best) {
    for (uint32_t k = 0; count == 4 || k < count; k++) {
        const uint32_t id = rules[k].id_low | (uint32_t)rules[k].id_high << 16;
        if (id >= best)
            break;
        if (holds_ports(&rules[k], ports))
            return id;
    }
    return NO_ID;
}

const isa isa_scalar = {"scalar", classify4, classify6, match4, match6};
