/* The rows a table keeps, field by field. */
#include "core.h"

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
    case INTERFACE:
        return (key){0, PASTORE_RAS};
    default:
        return family == IPV4 ? (key){0, UINT32_MAX} : (key){UINT64_MAX, UINT64_MAX};
    }
}

static range range_of(uint64_t lo, uint64_t hi) {
    return (range){{0, lo}, {0, hi}};
}

static range interface_range(uint8_t where, unsigned direction) {
    const bool lan = where & where_bit(direction, PASTORE_LAN), ras = where & where_bit(direction, PASTORE_RAS);
    return range_of(lan ? PASTORE_LAN : PASTORE_RAS, ras ? PASTORE_RAS : PASTORE_LAN);
}

static range range4(const row4 *row, enum field field, unsigned direction) {
    switch (field) {
    case SRC:
        return range_of(row->src_lo, row->src_hi);
    case DST:
        return range_of(row->dst_lo, row->dst_hi);
    case SPORT:
        return range_of(row->sport_lo, row->sport_hi);
    case DPORT:
        return range_of(row->dport_lo, row->dport_hi);
    case PROTOCOL:
        return range_of(row->protocol_lo, row->protocol_hi);
    default:
        return interface_range(row->where, direction);
    }
}

static range range6(const row6 *row, enum field field, unsigned direction) {
    switch (field) {
    case SRC:
        return (range){row->src_lo, row->src_hi};
    case DST:
        return (range){row->dst_lo, row->dst_hi};
    case SPORT:
        return range_of(row->sport_lo, row->sport_hi);
    case DPORT:
        return range_of(row->dport_lo, row->dport_hi);
    case PROTOCOL:
        return range_of(row->protocol_lo, row->protocol_hi);
    default:
        return interface_range(row->where, direction);
    }
}

range row_range(const pastore_table *table, enum family family, uint32_t row, enum field field, unsigned direction) {
    return family == IPV4 ? range4(row4_at(table, row), field, direction) : range6(row6_at(table, row), field, direction);
}
