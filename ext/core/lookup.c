/* The fast path: classify and match. Neither allocates nor locks. */
#include "columns.h"
#include "side.h"

#define NEVER_INLINE __attribute__((noinline))

/* SPAN packets of one side at a time keep their ids on the stack; MIXED_SPAN packets of several sides keep copies of their
 * columns there, too. */
enum { SPAN = 1024, MIXED_SPAN = 256 };

/* Where answers go. Either may be NULL. */
typedef struct outputs {
    uint8_t *action;
    int32_t *index;
} outputs;

static void answer_row(const pastore_table *table, enum family family, int64_t row, outputs out, size_t i) {
    if (out.action)
        out.action[i] = row < 0 ? PASTORE_NONE : row_action(table, family, (uint32_t)row);
    if (out.index)
        out.index[i] = row < 0 ? -1 : ((const int32_t *)at(table, table->list[family].numbers))[row];
}

static side_packets packets_of(const columns *c, size_t first, enum family family) {
    side_packets p = {.sport = c->sport + first, .dport = c->dport + first, .protocol = c->protocol + first};
    if (family == IPV4) {
        p.src4 = c->src4 + first;
        p.dst4 = c->dst4 + first;
    } else {
        p.src6 = c->src6 + 16 * first;
        p.dst6 = c->dst6 + 16 * first;
    }
    return p;
}

static void classify_groups(const pastore_table *table, const side_view *side, const side_packets *p, size_t n, uint32_t *ids) {
    if (side->family == IPV4)
        table->isa->classify4(side, p, n, ids);
    else
        table->isa->classify6(side, p, n, ids);
}

static packet packet_of(const side_packets *p, size_t i, enum family family) {
    packet one = {.sport = p->sport[i], .dport = p->dport[i], .protocol = p->protocol[i]};
    if (family == IPV4) {
        one.src = (key){0, p->src4[i]};
        one.dst = (key){0, p->dst4[i]};
    } else {
        one.src = key_from_network(p->src6 + 16 * i);
        one.dst = key_from_network(p->dst6 + 16 * i);
    }
    return one;
}

/* The ids of at most SPAN packets of a side. */
static void classify_side(const pastore_table *table, const side_view *side, const side_packets *p, size_t n, uint32_t *ids) {
    classify_groups(table, side, p, n, ids);
    if (side->chunk_count == 0)
        return;
    const uint32_t first = side->rest_ids[side->chunks[0].first];
    for (size_t i = 0; i < n; i++)
        if (ids[i] > first) {
            const packet one = packet_of(p, i, side->family);
            ids[i] = scan_chunks(table, side, &one, ids[i]);
        }
}

/* NO_ID is the id before 0, so its place in actions and numbers is 0. */
static void answer_ids(const side_view *side, const uint32_t *ids, size_t n, outputs out) {
    if (out.action)
        for (size_t i = 0; i < n; i++)
            out.action[i] = side->actions[(uint32_t)(ids[i] + 1)];
    if (!out.index)
        return;
    if (side->identity)
        memcpy(out.index, ids, n * sizeof *out.index);
    else
        for (size_t i = 0; i < n; i++)
            out.index[i] = side->numbers[(uint32_t)(ids[i] + 1)];
}

static outputs outputs_from(outputs out, size_t first) {
    return (outputs){out.action ? out.action + first : NULL, out.index ? out.index + first : NULL};
}

/* `n` packets from packet `first` of the columns on, all of one side. */
static void classify_alike(const pastore_table *table, const side_view *side, const columns *c, size_t first, size_t n,
                           outputs out) {
    const enum family family = side->family;
    if (side->linear) {
        for (size_t i = first; i < first + n; i++) {
            const packet p = packet_at(c, i, family);
            answer_row(table, family, scan_first(table, family, &p), out, i);
        }
        return;
    }
    if (out.index && !out.action && side->identity && side->chunk_count == 0) {
        const side_packets p = packets_of(c, first, family);
        classify_groups(table, side, &p, n, (uint32_t *)out.index + first); /* NO_ID is -1 */
        return;
    }
    for (size_t done = 0; done < n; done += SPAN) {
        const size_t length = n - done < SPAN ? n - done : SPAN;
        const side_packets p = packets_of(c, first + done, family);
        uint32_t ids[SPAN];
        classify_side(table, side, &p, length, ids);
        answer_ids(side, ids, length, outputs_from(out, first + done));
    }
}

/* Packets of several sides, at most MIXED_SPAN, side after side: those of a side are copied together, and their answers back. */
static void classify_mixed(const pastore_table *table, enum family family, const columns *c, size_t first, size_t n,
                           const uint8_t *side_of, outputs out) {
    uint32_t todo[MIXED_SPAN], count = (uint32_t)n;
    for (uint32_t i = 0; i < count; i++)
        todo[i] = i;
    while (count) {
        uint32_t chosen[MIXED_SPAN], alike = 0, others = 0;
        const uint8_t number = side_of[todo[0]];
        const side_view *side = &table->views[number];
        for (uint32_t k = 0; k < count; k++) {
            const uint32_t i = todo[k];
            if (side_of[i] == number)
                chosen[alike++] = i;
            else
                todo[others++] = i;
        }
        count = others;
        if (side->linear) {
            for (uint32_t k = 0; k < alike; k++)
                classify_alike(table, side, c, first + chosen[k], 1, out);
            continue;
        }
        uint32_t src4[MIXED_SPAN], dst4[MIXED_SPAN], ids[MIXED_SPAN];
        uint8_t src6[MIXED_SPAN * 16], dst6[MIXED_SPAN * 16], protocol[MIXED_SPAN];
        uint16_t sport[MIXED_SPAN], dport[MIXED_SPAN];
        for (uint32_t k = 0; k < alike; k++) {
            const size_t i = first + chosen[k];
            if (family == IPV4) {
                src4[k] = c->src4[i];
                dst4[k] = c->dst4[i];
            } else {
                memcpy(src6 + 16 * k, c->src6 + 16 * i, 16);
                memcpy(dst6 + 16 * k, c->dst6 + 16 * i, 16);
            }
            sport[k] = c->sport[i];
            dport[k] = c->dport[i];
            protocol[k] = c->protocol[i];
        }
        const side_packets p = {
            .src4 = src4, .dst4 = dst4, .src6 = src6, .dst6 = dst6, .sport = sport, .dport = dport, .protocol = protocol};
        classify_side(table, side, &p, alike, ids);
        for (uint32_t k = 0; k < alike; k++) {
            const size_t i = first + chosen[k];
            if (out.action)
                out.action[i] = side->actions[(uint32_t)(ids[k] + 1)];
            if (out.index)
                out.index[i] = side->numbers[(uint32_t)(ids[k] + 1)];
        }
    }
}

static uint8_t side_number(const pastore_table *table, const columns *c, size_t i, enum family family) {
    return table->side_of[family][direction_at(c, i)][c->interface ? c->interface[i] : c->one_interface];
}

static int classify(const pastore_table *table, const columns *c, size_t n, outputs out, size_t *bad_packet, enum family family) {
    const int error = columns_check(table, c, n, family, out.index, bad_packet);
    if (error)
        return error;
    if (n == 0)
        return PASTORE_OK;
    if (!c->direction && !c->interface) {
        classify_alike(table, &table->views[side_number(table, c, 0, family)], c, 0, n, out);
        return PASTORE_OK;
    }
    for (size_t first = 0; first < n; first += MIXED_SPAN) {
        const size_t length = n - first < MIXED_SPAN ? n - first : MIXED_SPAN;
        const uint8_t one = side_number(table, c, first, family);
        uint8_t sides[MIXED_SPAN], different = 0;
        for (size_t i = 0; i < length; i++) {
            sides[i] = side_number(table, c, first + i, family);
            different |= sides[i] ^ one;
        }
        if (different)
            classify_mixed(table, family, c, first, length, sides, out);
        else
            classify_alike(table, &table->views[one], c, first, length, out);
    }
    return PASTORE_OK;
}

int pastore_classify4(const pastore_table *table, const pastore_columns4 *packets, size_t n, uint8_t *action, int32_t *index,
                      size_t *bad_packet) {
    if (!table || !packets)
        return PASTORE_ERROR_ARGUMENT;
    const columns c = columns_of4(packets);
    return classify(table, &c, n, (outputs){action, index}, bad_packet, IPV4);
}

int pastore_classify6(const pastore_table *table, const pastore_columns6 *packets, size_t n, uint8_t *action, int32_t *index,
                      size_t *bad_packet) {
    if (!table || !packets)
        return PASTORE_ERROR_ARGUMENT;
    const columns c = columns_of6(packets);
    return classify(table, &c, n, (outputs){action, index}, bad_packet, IPV6);
}

/* Keeps loads of neighbouring fields apart. A caller writes the fields of a packet one by one, and a wider load that takes
 * several of them has to wait until they are all in the cache: nothing of this call would then overlap with the call before. */
static inline uint64_t apart(uint64_t value) {
    __asm__("" : "+r"(value));
    return value;
}

static inline uint64_t ports_of(uint64_t sport, uint64_t dport, uint64_t protocol) {
    return apart(sport) | apart(dport) << 16 | apart(protocol) << 32;
}

/* One packet of a side that has more than groups. */
static NEVER_INLINE int match_otherwise(const pastore_table *table, const side_view *side, const packet *p, outputs out) {
    if (side->linear) {
        answer_row(table, side->family, scan_first(table, side->family, p), out, 0);
        return PASTORE_OK;
    }
    uint32_t id = NO_ID;
    const uint64_t ports = ports_of(p->sport, p->dport, p->protocol);
    if (side->groups)
        id = side->family == IPV4 ? table->isa->match4(side, (uint32_t)p->src.low, (uint32_t)p->dst.low, ports)
                                  : table->isa->match6(side, p->src, p->dst, ports);
    if (side->chunk_count)
        id = scan_chunks(table, side, p, id);
    answer_ids(side, &id, 1, out);
    return PASTORE_OK;
}

static NEVER_INLINE int match_otherwise4(const pastore_table *table, const side_view *side, const pastore_packet4 *packet4,
                                         uint8_t *action, int32_t *index) {
    const packet p = {.src = {0, packet4->src},
                      .dst = {0, packet4->dst},
                      .sport = packet4->sport,
                      .dport = packet4->dport,
                      .protocol = packet4->protocol,
                      .direction = packet4->direction,
                      .interface = packet4->interface};
    return match_otherwise(table, side, &p, (outputs){action, index});
}

static NEVER_INLINE int match_otherwise6(const pastore_table *table, const side_view *side, const pastore_packet6 *packet6,
                                         uint8_t *action, int32_t *index) {
    const packet p = {.src = key_from_network(packet6->src),
                      .dst = key_from_network(packet6->dst),
                      .sport = packet6->sport,
                      .dport = packet6->dport,
                      .protocol = packet6->protocol,
                      .direction = packet6->direction,
                      .interface = packet6->interface};
    return match_otherwise(table, side, &p, (outputs){action, index});
}

static inline int match_error(const pastore_table *table, uint64_t direction, uint64_t interface, const int32_t *index) {
    if (index && table->verdict != PASTORE_VERDICT_RULE)
        return PASTORE_ERROR_NO_INDEX;
    return direction > PASTORE_OUT || interface > PASTORE_RAS ? PASTORE_ERROR_PACKET : PASTORE_OK;
}

static inline int answer_id(const side_view *side, uint32_t id, uint8_t *action, int32_t *index) {
    if (action)
        *action = side->actions[(uint32_t)(id + 1)];
    if (index)
        *index = side->numbers[(uint32_t)(id + 1)];
    return PASTORE_OK;
}

/* Nothing of the packet is needed behind the lookup, so little has to be kept over it: see "One packet" in scan_kernel.h. */
int pastore_match4(const pastore_table *table, const pastore_packet4 *packet4, uint8_t *action, int32_t *index) {
    if (!table || !packet4)
        return PASTORE_ERROR_ARGUMENT;
    const uint64_t direction = apart(packet4->direction), interface = apart(packet4->interface);
    const int error = match_error(table, direction, interface, index);
    if (error)
        return error;
    const side_view *side = table->view_of[IPV4][direction][interface];
    if (!side->plain)
        return match_otherwise4(table, side, packet4, action, index);
    const uint64_t ports = ports_of(packet4->sport, packet4->dport, packet4->protocol);
    const uint32_t id = table->isa->match4(side, (uint32_t)apart(packet4->src), (uint32_t)apart(packet4->dst), ports);
    return answer_id(side, id, action, index);
}

int pastore_match6(const pastore_table *table, const pastore_packet6 *packet6, uint8_t *action, int32_t *index) {
    if (!table || !packet6)
        return PASTORE_ERROR_ARGUMENT;
    const uint64_t direction = apart(packet6->direction), interface = apart(packet6->interface);
    const int error = match_error(table, direction, interface, index);
    if (error)
        return error;
    const side_view *side = table->view_of[IPV6][direction][interface];
    if (!side->plain)
        return match_otherwise6(table, side, packet6, action, index);
    const uint64_t ports = ports_of(packet6->sport, packet6->dport, packet6->protocol);
    const uint32_t id = table->isa->match6(side, key_from_network(packet6->src), key_from_network(packet6->dst), ports);
    return answer_id(side, id, action, index);
}
