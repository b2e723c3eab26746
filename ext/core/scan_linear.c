/* Row after row: the first row whose ranges all hold the packet. */
#include "columns.h"

static inline bool within(uint32_t value, uint32_t lo, uint32_t hi) {
    return lo <= value && value <= hi;
}

static inline bool key_within(key value, key lo, key hi) {
    return !key_less(value, lo) && !key_less(hi, value);
}

static int64_t scan4(const row4 *rows, uint32_t n, const packet *p) {
    const uint32_t src = (uint32_t)p->src.low, dst = (uint32_t)p->dst.low;
    const unsigned here = where_bit(p->direction, p->interface);
    for (uint32_t i = 0; i < n; i++) {
        const row4 *row = &rows[i];
        if (within(src, row->src_lo, row->src_hi) && within(dst, row->dst_lo, row->dst_hi) &&
            within(p->sport, row->sport_lo, row->sport_hi) && within(p->dport, row->dport_lo, row->dport_hi) &&
            within(p->protocol, row->protocol_lo, row->protocol_hi) && (row->where & here))
            return i;
    }
    return -1;
}

static int64_t scan6(const row6 *rows, uint32_t n, const packet *p) {
    const unsigned here = where_bit(p->direction, p->interface);
    for (uint32_t i = 0; i < n; i++) {
        const row6 *row = &rows[i];
        if (key_within(p->src, row->src_lo, row->src_hi) && key_within(p->dst, row->dst_lo, row->dst_hi) &&
            within(p->sport, row->sport_lo, row->sport_hi) && within(p->dport, row->dport_lo, row->dport_hi) &&
            within(p->protocol, row->protocol_lo, row->protocol_hi) && (row->where & here))
            return i;
    }
    return -1;
}

int64_t scan_first(const pastore_table *table, enum family family, const packet *p) {
    const row_list *list = &table->list[family];
    return family == IPV4 ? scan4(at(table, list->rows), list->count, p) : scan6(at(table, list->rows), list->count, p);
}

static int scan(const pastore_table *table, const columns *c, size_t n, enum family family, uint8_t *action, int32_t *index,
                size_t *bad_packet) {
    const int error = columns_check(table, c, n, family, index, bad_packet);
    if (error)
        return error;
    for (size_t i = 0; i < n; i++) {
        const packet p = packet_at(c, i, family);
        const int64_t row = scan_first(table, family, &p);
        if (action)
            action[i] = row < 0 ? PASTORE_NONE : row_action(table, family, (uint32_t)row);
        if (index)
            index[i] = row < 0 ? -1 : ((const int32_t *)at(table, table->list[family].numbers))[row];
    }
    return PASTORE_OK;
}

int pastore_scan4(const pastore_table *table, const pastore_columns4 *packets, size_t n, uint8_t *action, int32_t *index,
                  size_t *bad_packet) {
    if (!table || !packets)
        return PASTORE_ERROR_ARGUMENT;
    const columns c = columns_of4(packets);
    return scan(table, &c, n, IPV4, action, index, bad_packet);
}

int pastore_scan6(const pastore_table *table, const pastore_columns6 *packets, size_t n, uint8_t *action, int32_t *index,
                  size_t *bad_packet) {
    if (!table || !packets)
        return PASTORE_ERROR_ARGUMENT;
    const columns c = columns_of6(packets);
    return scan(table, &c, n, IPV6, action, index, bad_packet);
}
