/* Rows: as they are given, as a table keeps them, and their fields one by one. */
#include "core.h"

static key key_of(const uint64_t words[2]) {
    return (key){words[0], words[1]};
}

static bool backwards(const uint64_t lo[2], const uint64_t hi[2]) {
    return key_less(key_of(hi), key_of(lo));
}

int row_error(const pastore_row *row, const pastore_row *before) {
    if ((row->family != 4 && row->family != 6) || row->direction > PASTORE_BOTH || row->interface > PASTORE_ALL ||
        row->action < PASTORE_ALLOW || row->action > PASTORE_PROTECT)
        return PASTORE_ERROR_CODE;
    if (backwards(row->src_lo, row->src_hi) || backwards(row->dst_lo, row->dst_hi) || row->sport_lo > row->sport_hi ||
        row->dport_lo > row->dport_hi || row->protocol_lo > row->protocol_hi)
        return PASTORE_ERROR_RANGE;
    if (row->family == 4 && (row->src_hi[0] || row->dst_hi[0] || row->src_hi[1] > UINT32_MAX || row->dst_hi[1] > UINT32_MAX))
        return PASTORE_ERROR_RANGE;
    return before && row->rank < before->rank ? PASTORE_ERROR_ORDER : PASTORE_OK;
}

static uint8_t where_of(const pastore_row *row) {
    unsigned where = 0;
    for (unsigned direction = PASTORE_IN; direction <= PASTORE_OUT; direction++)
        for (unsigned interface = PASTORE_LAN; interface <= PASTORE_RAS; interface++)
            if ((row->direction == PASTORE_BOTH || row->direction == direction) &&
                (row->interface == PASTORE_ALL || row->interface == interface))
                where |= where_bit(direction, interface);
    return (uint8_t)where;
}

row4 row4_of(const pastore_row *row) {
    return (row4){.src_lo = (uint32_t)row->src_lo[1],
                  .src_hi = (uint32_t)row->src_hi[1],
                  .dst_lo = (uint32_t)row->dst_lo[1],
                  .dst_hi = (uint32_t)row->dst_hi[1],
                  .sport_lo = row->sport_lo,
                  .sport_hi = row->sport_hi,
                  .dport_lo = row->dport_lo,
                  .dport_hi = row->dport_hi,
                  .protocol_lo = row->protocol_lo,
                  .protocol_hi = row->protocol_hi,
                  .where = where_of(row),
                  .action = row->action};
}

row6 row6_of(const pastore_row *row) {
    return (row6){.src_lo = key_of(row->src_lo),
                  .src_hi = key_of(row->src_hi),
                  .dst_lo = key_of(row->dst_lo),
                  .dst_hi = key_of(row->dst_hi),
                  .sport_lo = row->sport_lo,
                  .sport_hi = row->sport_hi,
                  .dport_lo = row->dport_lo,
                  .dport_hi = row->dport_hi,
                  .protocol_lo = row->protocol_lo,
                  .protocol_hi = row->protocol_hi,
                  .where = where_of(row),
                  .action = row->action};
}

static const row4 *row4_at(const pastore_table *table, uint32_t row) {
    return (const row4 *)at(table, table->list[IPV4].rows) + row;
}

static const row6 *row6_at(const pastore_table *table, uint32_t row) {
    return (const row6 *)at(table, table->list[IPV6].rows) + row;
}

uint8_t row_where(const pastore_table *table, enum family family, uint32_t row) {
    return family == IPV4 ? row4_at(table, row)->where : row6_at(table, row)->where;
}

uint8_t row_action(const pastore_table *table, enum family family, uint32_t row) {
    return family == IPV4 ? row4_at(table, row)->action : row6_at(table, row)->action;
}

/* The last value on the axis of a field. */
key field_last(enum family family, enum field field) {
    switch (field) {
    case SPORT:
    case DPORT:
        return (key){0, UINT16_MAX};
    case PROTOCOL:
        return (key){0, UINT8_MAX};
    default:
        return family == IPV4 ? (key){0, UINT32_MAX} : (key){UINT64_MAX, UINT64_MAX};
    }
}

static range range_of(uint64_t lo, uint64_t hi) {
    return (range){{0, lo}, {0, hi}};
}

static range range4(const row4 *row, enum field field) {
    switch (field) {
    case SRC:
        return range_of(row->src_lo, row->src_hi);
    case DST:
        return range_of(row->dst_lo, row->dst_hi);
    case SPORT:
        return range_of(row->sport_lo, row->sport_hi);
    case DPORT:
        return range_of(row->dport_lo, row->dport_hi);
    default:
        return range_of(row->protocol_lo, row->protocol_hi);
    }
}

static range range6(const row6 *row, enum field field) {
    switch (field) {
    case SRC:
        return (range){row->src_lo, row->src_hi};
    case DST:
        return (range){row->dst_lo, row->dst_hi};
    case SPORT:
        return range_of(row->sport_lo, row->sport_hi);
    case DPORT:
        return range_of(row->dport_lo, row->dport_hi);
    default:
        return range_of(row->protocol_lo, row->protocol_hi);
    }
}

range row_range(const pastore_table *table, enum family family, uint32_t row, enum field field) {
    return family == IPV4 ? range4(row4_at(table, row), field) : range6(row6_at(table, row), field);
}

/* Where an interval begins. */
key field_start(const pastore_table *table, enum family family, enum field field, const field_index *f, uint32_t interval) {
    if (field == PROTOCOL)
        return (key){0, interval};
    if (field == SPORT || field == DPORT)
        return (key){0, ((const uint16_t *)at(table, f->starts))[interval]};
    if (family == IPV4)
        return (key){0, ((const uint32_t *)at(table, f->starts))[interval]};
    return ((const key *)at(table, f->starts))[interval];
}

size_t field_start_size(enum family family, enum field field) {
    if (field == SPORT || field == DPORT)
        return sizeof(uint16_t);
    return family == IPV4 ? sizeof(uint32_t) : sizeof(key);
}
