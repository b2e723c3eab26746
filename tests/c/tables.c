/* Tables of seeded random rows against the rows themselves: nothing here is taken from the core but its public interface.
 *
 * usage: tables SEED ROUNDS SCRATCH-FILE
 *
 * Each round draws rows: every other one as policies have them (hosts, nets and services of a few sites, narrow and wide in
 * either address), else of a kind that is hard on a table (bounds that touch, nest and coincide, single points, chains of
 * prefixes, repetitions). Packets lie at their bounds. The first row that holds a packet is looked for here, rule by rule, and
 * classify, match and scan of a table in each layout must say the same, under memory limits too, and for one of them after it has
 * been saved, loaded, and opened from a file. Then rows and packets that are not well formed are handed in, and a stored table of
 * few rows is damaged, with and without a checksum that matches. Exit status 0: all agreed.
 */
#include "harness.h"

enum { MOST = 560, MOST_LIMITS = 3, FEW = 12, MOST_CHAIN = 48, MOST_CHECKED = 200 };

static pastore_row rows[MOST];
static size_t row_count;
static const char *scratch, *isa = "no table";

static bool between(const uint64_t lo[2], const uint64_t value[2], const uint64_t hi[2]) {
    const bool above = lo[0] < value[0] || (lo[0] == value[0] && lo[1] <= value[1]);
    return above && (value[0] < hi[0] || (value[0] == hi[0] && value[1] <= hi[1]));
}

static void words_of(const uint8_t *bytes, uint64_t words[2]) {
    words[0] = words[1] = 0;
    for (int i = 0; i < 16; i++)
        words[i / 8] = words[i / 8] << 8 | bytes[i];
}

static bool applies(const pastore_row *row, unsigned direction, unsigned interface) {
    return (row->direction == PASTORE_BOTH || row->direction == direction) &&
           (row->interface == PASTORE_ALL || row->interface == interface);
}

/* Whether all packets of a row are also those of another of its family. */
static bool within(const pastore_row *row, const pastore_row *other) {
    return between(other->src_lo, row->src_lo, row->src_hi) && between(other->src_lo, row->src_hi, other->src_hi) &&
           between(other->dst_lo, row->dst_lo, row->dst_hi) && between(other->dst_lo, row->dst_hi, other->dst_hi) &&
           other->sport_lo <= row->sport_lo && row->sport_hi <= other->sport_hi && other->dport_lo <= row->dport_lo &&
           row->dport_hi <= other->dport_hi && other->protocol_lo <= row->protocol_lo && row->protocol_hi <= other->protocol_hi;
}

static bool holds(const pastore_row *row, int family, size_t i) {
    uint64_t src[2] = {0, packets.src4[i]}, dst[2] = {0, packets.dst4[i]};
    if (family == 6) {
        words_of(packets.src6 + 16 * i, src);
        words_of(packets.dst6 + 16 * i, dst);
    }
    return row->family == family && applies(row, packets.direction[i], packets.interface[i]) &&
           between(row->src_lo, src, row->src_hi) && between(row->dst_lo, dst, row->dst_hi) &&
           row->sport_lo <= packets.sport[i] && packets.sport[i] <= row->sport_hi && row->dport_lo <= packets.dport[i] &&
           packets.dport[i] <= row->dport_hi && row->protocol_lo <= packets.protocol[i] &&
           packets.protocol[i] <= row->protocol_hi;
}

/* What the rows say, computed once a round. */
static struct answers wanted[2];

static void judge_by_rows(void) {
    for (int family = 4; family <= 6; family += 2)
        for (size_t i = 0; i < PACKETS; i++) {
            size_t row = 0;
            while (row < row_count && !holds(&rows[row], family, i))
                row++;
            wanted[family == 6].index[i] = row < row_count ? (int32_t)row : -1;
            wanted[family == 6].action[i] = row < row_count ? rows[row].action : PASTORE_NONE;
        }
}

/* How many rows can never be the answer: wherever they apply they lie within an earlier row. *sure: whether that is few enough
 * rows of one source and destination that the core promises to find them all. */
static size_t count_dead(bool *sure) {
    size_t dead = row_count;
    *sure = true;
    for (size_t i = 0; i < row_count; i++) {
        unsigned open = 0; /* bit for direction and interface */
        int alike = 0;
        const pastore_row *r = &rows[i];
        for (unsigned place = 0; place < 4; place++)
            open |= (unsigned)applies(r, place / 2, place % 2) << place;
        for (size_t k = 0; k < i; k++) {
            const pastore_row *a = &rows[k];
            if (a->family != r->family)
                continue;
            alike += memcmp(a->src_lo, r->src_lo, 4 * sizeof a->src_lo) == 0;
            if (within(r, a))
                for (unsigned place = 0; place < 4; place++)
                    if (applies(a, place / 2, place % 2))
                        open &= ~(1u << place);
        }
        *sure &= alike < MOST_CHAIN;
        dead -= open != 0;
    }
    return dead;
}

static void check(const pastore_table *table) {
    const char *broken = "";
    if (pastore_check(table, &broken))
        fail(broken, row_count, 0);
}

/* As build(), but that the table must speak for itself first. */
static pastore_table *made(size_t n, pastore_options options) {
    pastore_table *table = NULL;
    const int error = pastore_build(rows, n, &options, &table, NULL);
    if (error == PASTORE_ERROR_MEMORY_LIMIT && options.memory_limit && !table)
        return NULL;
    if (error)
        fail(pastore_strerror(error), n, 0);
    struct pastore_stats stats;
    pastore_stats(table, &stats);
    if (options.memory_limit && stats.bytes > options.memory_limit)
        fail("table exceeds its limit", stats.bytes, options.memory_limit);
    if (stats.rows != n || stats.verdict != options.verdict || !stats.isa || !stats.layout)
        fail("the facts about the table are wrong", stats.rows, n);
    isa = stats.isa;
    return table;
}

static void against_rows(const pastore_table *table, int numbered) {
    for (int family = 4; family <= 6; family += 2) {
        (family == 4 ? judge4 : judge6)(table, PACKETS, numbered ? fast.index : NULL, numbered ? slow.index : NULL);
        const struct answers *right = &wanted[family == 6];
        for (size_t i = 0; i < PACKETS; i++) {
            if (fast.action[i] != right->action[i] || slow.action[i] != right->action[i])
                fail("the action is not that of the rows", i, right->action[i]);
            if (numbered && (fast.index[i] != right->index[i] || slow.index[i] != right->index[i]))
                fail("the row is not the first that holds the packet", i, (uint64_t)(int64_t)right->index[i]);
        }
    }
    compare(table, rows, numbered); /* classify, match and scan with each other */
}

/* Rows. */

static void prefix(uint8_t family, uint64_t lo[2], uint64_t hi[2]) {
    static const uint64_t nets[] = {0, UINT64_MAX, 0xC0A80000C0A80000u, 0x8000000080000000u};
    const uint64_t net = nets[draw(4)];
    const unsigned bits = family == 4 ? 32 : 128, length = (unsigned)draw(bits + 1);
    for (unsigned word = 0; word < 2; word++) {
        const unsigned kept = family == 4 ? word * length : word ? (length > 64 ? length - 64 : 0) : length < 64 ? length : 64;
        const unsigned width = family == 4 ? 32 : 64;
        const uint64_t all = family == 4 ? (word ? UINT32_MAX : 0) : UINT64_MAX;
        const uint64_t mask = kept >= width ? 0 : all >> kept;
        lo[word] = net & all & ~mask;
        hi[word] = lo[word] | mask;
    }
}

/* Rows of sites, as policies have them. */

static struct site_plan {
    uint64_t nets, hosts, services, protocols; /* how many there are of each */
    bool sided, source_ports, from_anywhere, to_anywhere;
} plan;

static void site_address(uint8_t family, bool wide, bool anywhere, uint64_t lo[2], uint64_t hi[2]) {
    static const uint64_t first = 0x20010DB800000000u;
    const uint64_t net = draw(plan.nets), host = draw(plan.hosts), all = family == 4 ? UINT32_MAX : UINT64_MAX;
    lo[0] = hi[0] = family == 4 ? 0 : first + net;
    lo[1] = hi[1] = family == 4 ? 0x0A000000 + (net << 16) + host : draw(60) ? host : UINT64_MAX - draw(2);
    if (anywhere || (wide && draw(2))) {
        lo[0] = lo[1] = 0;
        hi[0] = family == 4 ? 0 : UINT64_MAX, hi[1] = all;
    } else if (wide) { /* most of a net, or of them all */
        lo[1] = family == 4 ? 0x0A000000 + draw(50) : draw(50);
        lo[0] = family == 4 ? 0 : draw(2) ? first : hi[0];
        hi[1] = family == 4 ? 0x0A000000 + ((plan.nets - 1) << 16) + plan.hosts - draw(50) : plan.hosts - draw(50);
    } else if (draw(3) == 0) /* some hosts */
        hi[1] = lo[1] + (all - lo[1] < 20 ? 0 : draw(20));
    else if (draw(3) == 0) { /* a prefix */
        const uint64_t mask = ((uint64_t)1 << draw(6)) - 1;
        lo[1] &= ~mask, hi[1] |= mask;
    }
}

static void site_row(pastore_row *row, bool late) {
    const bool wide_src = draw(3) == 0, wide_dst = wide_src ? late && draw(2) : draw(2);
    row->family = common_family != ANY ? common_family : draw(2) ? 4 : 6;
    site_address(row->family, wide_src, plan.from_anywhere, row->src_lo, row->src_hi);
    site_address(row->family, wide_dst, plan.to_anywhere, row->dst_lo, row->dst_hi);
    if (!wide_src && !wide_dst && draw(3) == 0) { /* so that narrow rows lie along the diagonal */
        memcpy(row->dst_lo, row->src_lo, sizeof row->dst_lo);
        memcpy(row->dst_hi, row->src_hi, sizeof row->dst_hi);
    }
    row->sport_lo = 0, row->sport_hi = UINT16_MAX;
    if (plan.source_ports && draw(3))
        row->sport_lo = (uint16_t)(1000 * draw(9)), row->sport_hi = (uint16_t)(row->sport_lo + 1000 * draw(9));
    row->dport_lo = row->dport_hi = (uint16_t)(7 + 100 * draw(plan.services));
    if (draw(4) == 0)
        row->dport_hi = (uint16_t)(row->dport_lo + 100 * draw(3) + draw(3));
    else if (draw(12) == 0)
        row->dport_lo = 0, row->dport_hi = UINT16_MAX;
    row->protocol_lo = row->protocol_hi = (uint8_t)(6 + 11 * draw(plan.protocols));
    if (draw(9) == 0)
        row->protocol_lo = 0, row->protocol_hi = UINT8_MAX;
    row->direction = plan.sided ? (uint8_t)draw(3) : PASTORE_BOTH;
    row->interface = plan.sided ? (uint8_t)draw(3) : PASTORE_ALL;
}

/* Takes every packet of its family, but for those with one value of one field. */
static void all_but_one(pastore_row *row) {
    const uint64_t last = row->family == 4 ? UINT32_MAX : UINT64_MAX;
    const bool first = draw(2), one = draw(8) != 0;
    memset(row->src_lo, 0, 4 * sizeof row->src_lo);
    row->src_hi[0] = row->dst_hi[0] = row->family == 4 ? 0 : UINT64_MAX;
    row->src_hi[1] = row->dst_hi[1] = last;
    row->sport_lo = row->dport_lo = 0, row->sport_hi = row->dport_hi = UINT16_MAX;
    row->protocol_lo = 0, row->protocol_hi = UINT8_MAX;
    row->direction = PASTORE_BOTH, row->interface = PASTORE_ALL;
    switch (one ? draw(5) : 5) {
    case 0:
        *(first ? &row->src_lo[1] : &row->src_hi[1]) ^= 1;
        break;
    case 1:
        *(first ? &row->dst_lo[1] : &row->dst_hi[1]) ^= 1;
        break;
    case 2:
        *(first ? &row->sport_lo : &row->sport_hi) ^= 1;
        break;
    case 3:
        *(first ? &row->dport_lo : &row->dport_hi) ^= 1;
        break;
    case 4:
        *(first ? &row->protocol_lo : &row->protocol_hi) ^= 1;
    }
}

static uint64_t first_turn; /* so that seeds differ from the first round on */

/* Hosts of IPv6 as drawn at random: the same rows in the same order, with low words so far apart that they cannot be folded. */
static void scatter(void) {
    uint64_t place[1024], at = 0;
    for (size_t i = 0; i < 1024; i++)
        place[i] = at += 1 + draw(UINT64_MAX / 1100);
    for (size_t i = 0; i < row_count; i++) {
        uint64_t *lows[] = {&rows[i].src_lo[1], &rows[i].src_hi[1], &rows[i].dst_lo[1], &rows[i].dst_hi[1]};
        for (unsigned k = 0; rows[i].family == 6 && k < 4; k++)
            *lows[k] = *lows[k] && *lows[k] < 1024 ? place[*lows[k]] : *lows[k];
    }
}

static void draw_site_rows(long round) {
    static const uint64_t nets[] = {1, 3, 20, 90},
                          services[] = {5, 30, 55, 130}; /* ends in registers, in tables of bytes, of words */
    common_family = draw(3) == 0 ? ANY : round / 2 % 2 ? 6 : 4;
    row_count = round % 8 < 4 ? MOST - draw(100) : 60 + draw(100);
    plan = (struct site_plan){.nets = round % 8 == 6 ? 90 : nets[draw(4)],
                              .hosts = 900,
                              .services = services[(first_turn + (uint64_t)round / 2) % 4],
                              .protocols = draw(3) ? 2 : 20,
                              .sided = draw(4) == 0,
                              .source_ports = draw(3) == 0,
                              .from_anywhere = round % 8 == 4,
                              .to_anywhere = round % 8 == 6};
    for (size_t i = 0; i < row_count; i++) {
        rows[i] = i && draw(16) == 0 ? rows[draw(i)] : (pastore_row){0};
        if (!rows[i].family)
            site_row(&rows[i], i > row_count / 4 * 3);
        if (!plan.from_anywhere && !plan.to_anywhere && row_count - i < 20 && i % 6 == 0)
            all_but_one(&rows[i]);
        rows[i].rank = (int32_t)i, rows[i].filter = (int32_t)i;
        rows[i].action = (uint8_t)(1 + draw(3));
    }
    if (round / 4 % 2)
        scatter();
}

static void draw_rows(void) {
    static const size_t edges[] = {0, 1, 2, 63, 64, 65, 127, 128, 129, 255, 256, 257};
    static const uint8_t families[] = {4, 6, ANY, ANY}, directions[] = {PASTORE_IN, PASTORE_OUT, PASTORE_BOTH, ANY};
    common_family = families[draw(sizeof families)];
    common_direction = directions[draw(sizeof directions)];
    row_count = draw(2) ? edges[draw(sizeof edges / sizeof *edges)] : draw(MOST / 3);
    const uint64_t kind = draw(5);
    int32_t rank = -(int32_t)draw(3);
    for (size_t i = 0; i < row_count; i++) {
        pastore_row *row = &rows[i];
        *row = i && draw(8) == 0 ? rows[draw(i)] : make_row(0);
        row->rank = rank += (int32_t)draw(2);
        row->exempt = (uint8_t)draw(6), row->flags = (uint8_t)draw(4), row->filter = (int32_t)i;
        if (kind == 1 || kind == 2) {
            prefix(row->family, row->src_lo, row->src_hi);
            prefix(row->family, row->dst_lo, row->dst_hi);
        }
        if (kind == 2) { /* as access lists are: exact or open */
            row->sport_lo = 0, row->sport_hi = UINT16_MAX;
            row->dport_hi = row->dport_lo;
            row->protocol_lo = draw(3) ? row->protocol_hi : 0;
        }
        if (kind == 3) { /* points */
            memcpy(row->src_hi, row->src_lo, sizeof row->src_hi);
            memcpy(row->dst_hi, row->dst_lo, sizeof row->dst_hi);
        }
        if (kind == 4 && i) /* alike but for the action */
            *row = rows[0], row->rank = rank, row->action = (uint8_t)(1 + draw(3));
        if (row->protocol_lo > row->protocol_hi)
            row->protocol_lo = row->protocol_hi;
    }
}

/* Packets: as crowded as the rows, and most of them aimed at the bounds of one, or of two. */

static uint64_t near_ends(uint64_t lo, uint64_t hi, uint64_t last) {
    switch (draw(5)) {
    case 0:
        return lo ? lo - 1 : lo;
    case 1:
        return lo;
    case 2:
        return hi;
    case 3:
        return hi < last ? hi + 1 : hi;
    default:
        return hi - lo == UINT64_MAX ? draw(UINT64_MAX) : lo + draw(hi - lo + 1);
    }
}

static void aim_address(const uint64_t lo[2], const uint64_t hi[2], uint32_t *four, uint8_t *six) {
    *four = (uint32_t)near_ends(lo[1] & UINT32_MAX, hi[1] & UINT32_MAX, UINT32_MAX);
    uint64_t words[2] = {lo[0], lo[1]};
    const uint64_t end = draw(4);
    if (end >= 2)
        words[0] = hi[0], words[1] = hi[1];
    if (end == 0) { /* one below, with the borrow */
        words[0] -= words[1] == 0 && words[0] != 0;
        words[1] -= words[1] != 0 || lo[0] != 0;
    } else if (end == 3) { /* one above, with the carry */
        words[0] += words[1] == UINT64_MAX && words[0] != UINT64_MAX;
        words[1] += words[1] != UINT64_MAX || hi[0] != UINT64_MAX;
    }
    for (int i = 0; i < 16; i++)
        six[i] = (uint8_t)(words[i / 8] >> (56 - 8 * (i % 8)));
}

static void draw_packets(void) {
    make_packets();
    for (size_t i = 0; row_count && i < PACKETS; i++) {
        const pastore_row *row = &rows[i % 6 ? draw(row_count) : row_count - 1 - draw(row_count < 20 ? row_count : 20)],
                          *other = draw(3) ? row : &rows[draw(row_count)];
        if (i % 8 == 7)
            continue;
        if (draw(8))
            aim_address(row->src_lo, row->src_hi, &packets.src4[i], packets.src6 + 16 * i);
        if (draw(8))
            aim_address(other->dst_lo, other->dst_hi, &packets.dst4[i], packets.dst6 + 16 * i);
        packets.sport[i] = (uint16_t)near_ends(row->sport_lo, row->sport_hi, UINT16_MAX);
        packets.dport[i] = (uint16_t)near_ends(row->dport_lo, row->dport_hi, UINT16_MAX);
        packets.protocol[i] = (uint8_t)near_ends(row->protocol_lo, row->protocol_hi, UINT8_MAX);
    }
}

/* Stored tables. */

typedef struct bytes {
    unsigned char *data;
    size_t n, room;
} bytes;

static int collect(void *context, const void *data, size_t n) {
    bytes *to = context;
    if (n > to->room - to->n) {
        to->room = 2 * (to->n + n);
        unsigned char *more = realloc(to->data, to->room);
        if (!more)
            return 1;
        to->data = more;
    }
    memcpy(to->data + to->n, data, n);
    to->n += n;
    return 0;
}

static uint64_t turn(uint64_t value, unsigned by) {
    return value << by | value >> (64 - by);
}

static uint64_t little(const unsigned char *from, unsigned n) {
    uint64_t value = 0;
    while (n--)
        value = value << 8 | from[n];
    return value;
}

/* XXH64 with seed 0, from its specification, of `n` bytes in one piece. */
static uint64_t xxh64(const unsigned char *p, size_t n) {
    const uint64_t p1 = 11400714785074694791u, p2 = 14029467366897019727u, p3 = 1609587929392839161u, p4 = 9650029242287828579u,
                   p5 = 2870177450012600261u;
    const unsigned char *end = p + n;
    uint64_t lanes[4] = {p1 + p2, p2, 0, 0 - p1}, hash = p5;
    if (n >= 32) {
        for (; end - p >= 32; p += 32)
            for (int i = 0; i < 4; i++)
                lanes[i] = turn(lanes[i] + little(p + 8 * i, 8) * p2, 31) * p1;
        hash = turn(lanes[0], 1) + turn(lanes[1], 7) + turn(lanes[2], 12) + turn(lanes[3], 18);
        for (int i = 0; i < 4; i++)
            hash = (hash ^ turn(lanes[i] * p2, 31) * p1) * p1 + p4;
    }
    hash += n;
    for (; end - p >= 8; p += 8)
        hash = turn(hash ^ turn(little(p, 8) * p2, 31) * p1, 27) * p1 + p4;
    if (end - p >= 4) {
        hash = turn(hash ^ little(p, 4) * p1, 23) * p2 + p3;
        p += 4;
    }
    for (; p < end; p++)
        hash = turn(hash ^ *p * p5, 11) * p1;
    hash = (hash ^ hash >> 33) * p2;
    hash = (hash ^ hash >> 29) * p3;
    return hash ^ hash >> 32;
}

static uint64_t checksum_in(unsigned char *table) { /* takes it out, too */
    uint64_t value;
    memcpy(&value, table + 24, sizeof value);
    memset(table + 24, 0, sizeof value);
    return value;
}

static void sign(unsigned char *table, size_t n) {
    checksum_in(table);
    const uint64_t value = xxh64(table, n);
    memcpy(table + 24, &value, sizeof value);
}

static bytes save(const pastore_table *table, const pastore_section *sections, size_t n) {
    bytes stored = {0};
    const int error = pastore_save(table, sections, n, collect, &stored);
    if (error)
        fail(pastore_strerror(error), n, 0);
    return stored;
}

static void is_section(const pastore_table *table, const pastore_section *given) {
    const pastore_section found = pastore_section_of(table, given->kind);
    if (!found.data || found.length != given->length || memcmp(found.data, given->data, given->length))
        fail("a section is not what was saved", given->kind, found.length);
}

static void expect(int want, int got, uint64_t where) {
    if (want != got)
        fail(pastore_strerror(got), where, (uint64_t)-want);
}

/* Rows that differ from those of the table in one thing are not its rows; what the core does not look at does not count. */
static void others_are_not_its_rows(const pastore_table *table) {
    if (row_count == 0)
        return;
    pastore_row *row = &rows[draw(row_count)];
    const pastore_row kept = *row;
    row->exempt ^= 1, row->flags ^= 1, row->filter++;
    expect(PASTORE_OK, pastore_same_rows(table, rows, row_count), 0);
    *row = kept;
    row->action = (uint8_t)(row->action % 3 + 1);
    expect(PASTORE_ERROR_DAMAGED, pastore_same_rows(table, rows, row_count), 1);
    *row = kept;
    if (row->dport_lo < row->dport_hi) {
        row->dport_lo++;
        expect(PASTORE_ERROR_DAMAGED, pastore_same_rows(table, rows, row_count), 2);
        *row = kept;
    }
    row->direction = (uint8_t)((row->direction + 1) % 3);
    expect(PASTORE_ERROR_DAMAGED, pastore_same_rows(table, rows, row_count), 3);
    *row = kept;
    row->family = 5;
    expect(PASTORE_ERROR_DAMAGED, pastore_same_rows(table, rows, row_count), 4);
    *row = kept;
    expect(PASTORE_ERROR_DAMAGED, pastore_same_rows(table, rows, row_count - 1), 5);
}

/* Whether the file is still mapped; where the system does not tell, no. */
static bool is_mapped(const char *path) {
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[4096];
    bool found = false;
    while (maps && fgets(line, sizeof line, maps))
        found |= strstr(line, path) != NULL;
    if (maps)
        fclose(maps);
    return found;
}

static void from_file(const bytes *stored, int numbered, const pastore_section *sections) {
    FILE *file = fopen(scratch, "wb");
    if (!file || fwrite(stored->data, 1, stored->n, file) != stored->n || fclose(file))
        fail("the scratch file cannot be written", stored->n, 0);
    pastore_table *table;
    expect(PASTORE_OK, pastore_open(scratch, &table), 0);
    against_rows(table, numbered);
    is_section(table, &sections[1]);
    pastore_close(table);
    if (is_mapped(scratch))
        fail("a closed table is still mapped", stored->n, 0);
    if (remove(scratch))
        fail("the scratch file cannot be removed: something still holds it", 0, 0);
    expect(PASTORE_ERROR_FILE, pastore_open(scratch, &table), 0);
}

/* Saved, loaded and saved again. */
static void store(const pastore_table *table, int numbered) {
    static const char text[] = "what the caller wants kept";
    const pastore_section sections[] = {{7, text, draw(sizeof text)}, {1u << 31, text, sizeof text}};
    bytes stored = save(table, sections, 2);
    if (little(stored.data + 16, 8) != stored.n && little(stored.data + 16, 8) != __builtin_bswap64(stored.n))
        fail("the length is not that of the file", stored.n, 0);
    const uint64_t sum = checksum_in(stored.data), right = xxh64(stored.data, stored.n);
    memcpy(stored.data + 24, &sum, sizeof sum);
    if (sum != right)
        fail("the checksum is not XXH64", sum, right);
    pastore_table *loaded;
    expect(PASTORE_OK, pastore_load(stored.data, stored.n, &loaded), 0);
    against_rows(loaded, numbered);
    expect(PASTORE_OK, pastore_same_rows(loaded, rows, row_count), 0);
    others_are_not_its_rows(loaded);
    is_section(loaded, &sections[0]);
    is_section(loaded, &sections[1]);
    if (pastore_section_of(loaded, 8).data || pastore_section_of(loaded, 0).data || pastore_section_of(table, 7).data)
        fail("a section that nobody gave", 8, 0);
    bytes again = save(loaded, sections, 2);
    if (again.n != stored.n || memcmp(again.data, stored.data, stored.n))
        fail("a loaded table is saved otherwise", again.n, stored.n);
    free(again.data);
    pastore_close(loaded);
    from_file(&stored, numbered, sections);
    expect(PASTORE_ERROR_ALIGNMENT, pastore_load(stored.data + 1, stored.n - 1, &loaded), 0);
    expect(PASTORE_ERROR_TRUNCATED, pastore_load(stored.data, draw(stored.n - 12) + 12, &loaded), 0);
    expect(PASTORE_ERROR_TRUNCATED, pastore_load(stored.data, stored.n - 1 - draw(60), &loaded), 0);
    expect(PASTORE_ERROR_NOT_TABLE, pastore_load(stored.data, 0, &loaded), 0);
    free(stored.data);
}

/* Bits of a stored table of few rows are changed: it is refused, or has other rows, and is right about those it has. */
static void damage(const pastore_table *table, int numbered) {
    bytes stored = save(table, NULL, 0);
    pastore_table *loaded;
    for (int i = 0; i < 160; i++) {
        const bool forged = i >= 20;
        const size_t most = draw(2) && stored.n > 1500 ? 1500 : stored.n; /* often where the rows are */
        unsigned char *byte = stored.data + (forged ? 32 : 0) + draw(most - (forged ? 32 : 0)), kept = *byte;
        *byte ^= (unsigned char)(1u << draw(8));
        if (forged)
            sign(stored.data, stored.n);
        const int error = pastore_load(stored.data, stored.n, &loaded);
        if (!error && !forged)
            fail("a changed bit was not noticed", (uint64_t)(byte - stored.data), 0);
        if (!error) {
            if (!pastore_same_rows(loaded, rows, row_count))
                against_rows(loaded, numbered);
            else
                compare(loaded, NULL, 0);
            check(loaded);
            pastore_close(loaded);
        }
        *byte = kept;
    }
    free(stored.data);
}

/* Rows and packets that are not well formed. */

static void blames(int want, size_t row) {
    pastore_table *table = NULL;
    size_t bad = SIZE_MAX;
    expect(want, pastore_build(rows, row_count, NULL, &table, &bad), row);
    if (bad != row || table)
        fail("another row is blamed", bad, row);
}

static void bad_rows(void) {
    if (row_count < 2)
        return;
    const size_t at = 1 + draw(row_count - 1);
    pastore_row *row = &rows[at];
    const pastore_row kept = *row;
    static const size_t codes[] = {offsetof(pastore_row, family), offsetof(pastore_row, direction),
                                   offsetof(pastore_row, interface), offsetof(pastore_row, action)};
    for (size_t i = 0; i < 4; i++) {
        ((uint8_t *)row)[codes[i]] = (uint8_t[]){5, 3, 3, 4}[i];
        blames(PASTORE_ERROR_CODE, at);
        *row = kept;
    }
    row->action = PASTORE_NONE;
    blames(PASTORE_ERROR_CODE, at);
    *row = kept;
    row->rank = rows[at - 1].rank - 1;
    blames(PASTORE_ERROR_ORDER, at);
    *row = kept;
    row->sport_lo = 9, row->sport_hi = 8;
    blames(PASTORE_ERROR_RANGE, at);
    *row = kept;
    row->dport_lo = UINT16_MAX, row->dport_hi = 0;
    blames(PASTORE_ERROR_RANGE, at);
    *row = kept;
    row->protocol_lo = 1, row->protocol_hi = 0;
    blames(PASTORE_ERROR_RANGE, at);
    *row = kept;
    for (int word = 0; word < 2; word++) {
        row->src_lo[0] = row->src_hi[0] = 0, row->src_lo[1] = row->src_hi[1] = 3;
        row->src_lo[word] = row->src_hi[word] + 1;
        blames(PASTORE_ERROR_RANGE, at);
        *row = kept;
        row->dst_lo[0] = row->dst_hi[0] = 0, row->dst_lo[1] = row->dst_hi[1] = 3;
        row->dst_lo[word] = row->dst_hi[word] + 1;
        blames(PASTORE_ERROR_RANGE, at);
        *row = kept;
        row->family = 4;
        row->src_hi[word] = word ? (uint64_t)UINT32_MAX + 1 : 1;
        blames(PASTORE_ERROR_RANGE, at);
        *row = kept;
        row->family = 4;
        row->dst_hi[word] = word ? (uint64_t)UINT32_MAX + 1 : 1;
        blames(PASTORE_ERROR_RANGE, at);
        *row = kept;
    }
}

static void bad_packets(const pastore_table *table) {
    const size_t at = draw(PACKETS);
    size_t bad = SIZE_MAX;
    pastore_columns4 four = {
        packets.src4, packets.dst4, packets.protocol, packets.sport, packets.dport, packets.direction, packets.interface, 0, 0};
    pastore_columns6 six = {
        packets.src6, packets.dst6, packets.protocol, packets.sport, packets.dport, packets.direction, packets.interface, 0, 0};
    uint8_t *const columns[] = {packets.direction, packets.interface};
    for (int column = 0; column < 2; column++) {
        const uint8_t kept = columns[column][at];
        columns[column][at] = 2;
        memset(fast.action, 0x55, sizeof fast.action);
        expect(PASTORE_ERROR_PACKET, pastore_classify4(table, &four, PACKETS, fast.action, NULL, &bad), at);
        if (bad != at || fast.action[0] != 0x55)
            fail("another packet is blamed, or an answer given", bad, at);
        expect(PASTORE_ERROR_PACKET, pastore_scan6(table, &six, PACKETS, fast.action, NULL, &bad), at);
        expect(PASTORE_OK, pastore_classify6(table, &six, at, fast.action, NULL, &bad), at); /* those before it */
        columns[column][at] = kept;
    }
    four.direction = NULL, four.one_direction = PASTORE_BOTH;
    expect(PASTORE_ERROR_PACKET, pastore_classify4(table, &four, PACKETS, fast.action, NULL, &bad), 0);
    expect(PASTORE_OK, pastore_classify4(table, &four, 0, NULL, NULL, NULL), 0);
    six.interface = NULL, six.one_interface = PASTORE_ALL;
    expect(PASTORE_ERROR_PACKET, pastore_scan6(table, &six, PACKETS, fast.action, NULL, NULL), 0);
    six.dst = NULL;
    expect(PASTORE_ERROR_ARGUMENT, pastore_classify6(table, &six, 1, fast.action, NULL, NULL), 0);
    four.sport = NULL;
    expect(PASTORE_ERROR_ARGUMENT, pastore_scan4(table, &four, 1, fast.action, NULL, NULL), 0);
    expect(PASTORE_ERROR_ARGUMENT, pastore_classify4(NULL, &four, 1, fast.action, NULL, NULL), 0);
}

/* Some packets by themselves, with one direction and interface type for all, get the answers that they get among others. */
static void some_alone(const pastore_table *table, int family, unsigned where, int numbered) {
    static const size_t sizes[] = {1, 6, 7, 31, 32, 33, 63, 64, 65, 96, 102, 103};
    const size_t n = sizes[draw(sizeof sizes / sizeof *sizes)], at = draw(PACKETS - n);
    const pastore_columns4 c4 = {.src = packets.src4 + at,
                                 .dst = packets.dst4 + at,
                                 .protocol = packets.protocol + at,
                                 .sport = packets.sport + at,
                                 .dport = packets.dport + at,
                                 .one_direction = (uint8_t)(where / 2),
                                 .one_interface = (uint8_t)(where % 2)};
    const pastore_columns6 c6 = {packets.src6 + 16 * at, packets.dst6 + 16 * at, c4.protocol, c4.sport, c4.dport, NULL, NULL,
                                 c4.one_direction,       c4.one_interface};
    const struct answers *right = &wanted[family == 6];
    const bool only_index = numbered && draw(2);
    uint8_t *action = only_index ? NULL : fast.action;
    memset(&fast, 0x55, sizeof fast);
    memset(&slow, 0x55, sizeof slow);
    if (family == 4) {
        expect(PASTORE_OK, pastore_classify4(table, &c4, n, action, numbered ? fast.index : NULL, NULL), where);
        expect(PASTORE_OK, pastore_scan4(table, &c4, n, slow.action, NULL, NULL), where);
    } else {
        expect(PASTORE_OK, pastore_classify6(table, &c6, n, action, numbered ? fast.index : NULL, NULL), where);
        expect(PASTORE_OK, pastore_scan6(table, &c6, n, slow.action, NULL, NULL), where);
    }
    for (size_t i = 0; i < n; i++)
        if (packets.direction[at + i] == where / 2 && packets.interface[at + i] == where % 2 &&
            ((action && fast.action[i] != right->action[at + i]) || (numbered && fast.index[i] != right->index[at + i]) ||
             slow.action[i] != right->action[at + i]))
            fail("without a column of directions the answer is another", i, where);
    if (fast.action[n] != 0x55 || fast.index[n] != 0x55555555 || slow.action[n] != 0x55)
        fail("more answers than packets", n, where);
}

static void without_columns(const pastore_table *table, int numbered) {
    for (unsigned where = 0; where < 4; where++)
        for (int again = 0; again < 2; again++) {
            some_alone(table, 4, where, numbered);
            some_alone(table, 6, where, numbered);
        }
}

/* More packets than are worked on at a time, all of one direction and interface type. */
static void many_at_once(const pastore_table *table, int numbered) {
    enum { TIMES = 4, MANY = TIMES * PACKETS };
    static uint32_t src4[MANY], dst4[MANY];
    static uint8_t src6[16 * MANY], dst6[16 * MANY], protocol[MANY], action[MANY];
    static uint16_t sport[MANY], dport[MANY];
    static int32_t index[MANY];
    for (size_t k = 0; k < TIMES; k++) {
        memcpy(src4 + k * PACKETS, packets.src4, sizeof packets.src4);
        memcpy(dst4 + k * PACKETS, packets.dst4, sizeof packets.dst4);
        memcpy(src6 + 16 * k * PACKETS, packets.src6, sizeof packets.src6);
        memcpy(dst6 + 16 * k * PACKETS, packets.dst6, sizeof packets.dst6);
        memcpy(protocol + k * PACKETS, packets.protocol, sizeof packets.protocol);
        memcpy(sport + k * PACKETS, packets.sport, sizeof packets.sport);
        memcpy(dport + k * PACKETS, packets.dport, sizeof packets.dport);
    }
    const uint8_t direction = (uint8_t)draw(2), interface = (uint8_t)draw(2);
    const pastore_columns4 c4 = {src4, dst4, protocol, sport, dport, NULL, NULL, direction, interface};
    const pastore_columns6 c6 = {src6, dst6, protocol, sport, dport, NULL, NULL, direction, interface};
    for (int family = 4; family <= 6; family += 2) {
        expect(PASTORE_OK,
               family == 4 ? pastore_classify4(table, &c4, MANY, action, numbered ? index : NULL, NULL)
                           : pastore_classify6(table, &c6, MANY, action, numbered ? index : NULL, NULL),
               MANY);
        for (size_t i = 0; i < MANY; i++) {
            const size_t of = i % PACKETS;
            const struct answers *right = &wanted[family == 6];
            if (packets.direction[of] == direction && packets.interface[of] == interface &&
                (action[i] != right->action[of] || (numbered && index[i] != right->index[of])))
                fail("among many, a packet gets another answer", i, of);
        }
    }
}

static void has_no_numbers(const pastore_table *table) {
    const pastore_columns4 four = {
        .src = packets.src4, .dst = packets.dst4, .protocol = packets.protocol, .sport = packets.sport, .dport = packets.dport};
    expect(PASTORE_ERROR_NO_INDEX, pastore_match4(table, &(pastore_packet4){0}, NULL, fast.index), 0);
    expect(PASTORE_ERROR_NO_INDEX, pastore_match6(table, &(pastore_packet6){.direction = 0}, fast.action, fast.index), 0);
    expect(PASTORE_ERROR_NO_INDEX, pastore_classify4(table, &four, PACKETS, NULL, fast.index, NULL), 0);
    expect(PASTORE_ERROR_NO_INDEX, pastore_scan4(table, &four, PACKETS, fast.action, fast.index, NULL), 0);
}

/* Rows that no caller could have given, in a table with the right checksum and nothing but the row list, are refused. */
static void rows_that_cannot_be(void) {
    enum { AT = 448 + 128 + 64 }; /* header, table, zeros: as load.c tells the format */
    common_family = 4;
    rows[0] = make_row(0);
    rows[0].src_lo[1] = rows[0].dst_hi[1] = 7, rows[0].src_hi[1] = 8, rows[0].dst_lo[1] = 0;
    pastore_table *table = made(1, (pastore_options){.layout = "linear"}), *loaded;
    bytes stored = save(table, NULL, 0);
    pastore_close(table);
    row4 row;
    memcpy(&row, stored.data + AT, sizeof row);
    if (row.src_lo != 7 || row.src_hi != 8 || row.dst_hi != 7 || row.action != rows[0].action)
        fail("the row is elsewhere", row.src_lo, row.src_hi);
    row4 wrong[8];
    for (int i = 0; i < 8; i++)
        wrong[i] = row;
    wrong[1].where |= 16, wrong[2].where = 0, wrong[3].action = 4, wrong[4].action = 0, wrong[5].src_lo = 9;
    wrong[6].dport_lo = 2, wrong[6].dport_hi = 1, wrong[7].where = 6;
    for (int i = 0; i < 8; i++) {
        memcpy(stored.data + AT, &wrong[i], sizeof row);
        sign(stored.data, stored.n);
        expect(i ? PASTORE_ERROR_DAMAGED : PASTORE_OK, pastore_load(stored.data, stored.n, &loaded), (uint64_t)i);
        pastore_close(loaded);
    }
    memcpy(stored.data + AT, &row, sizeof row);
    int32_t number;
    memcpy(&number, stored.data + AT + 64, sizeof number);
    if (number != 0)
        fail("the number of the row is elsewhere", (uint64_t)number, 0);
    number = 1;
    memcpy(stored.data + AT + 64, &number, sizeof number);
    sign(stored.data, stored.n);
    expect(PASTORE_ERROR_DAMAGED, pastore_load(stored.data, stored.n, &loaded), 0);
    free(stored.data);
}

/* Narrower and narrower limits: smaller chunks, simpler layouts, the row list. */
static void within_limits(int verdict, size_t whole, const char *layout) {
    size_t limit = whole - 1;
    for (int i = 0; i < MOST_LIMITS && limit > 64; i++, limit -= limit / 5) {
        pastore_table *table = made(row_count, (pastore_options){.memory_limit = limit, .verdict = verdict, .layout = layout});
        if (!table)
            break;
        against_rows(table, verdict == PASTORE_VERDICT_RULE);
        pastore_close(table);
    }
}

static void few_rows(void) {
    row_count = row_count < FEW ? row_count : FEW;
    draw_packets();
    judge_by_rows();
    for (int verdict = PASTORE_VERDICT_RULE; verdict <= PASTORE_VERDICT_ACTION; verdict++) {
        pastore_table *table = made(row_count, (pastore_options){.verdict = verdict, .layout = LAYOUTS_BY_NAME[draw(LAYOUTS)]});
        against_rows(table, verdict == PASTORE_VERDICT_RULE);
        damage(table, verdict == PASTORE_VERDICT_RULE);
        pastore_close(table);
    }
}

static void play(long round) {
    bool sure;
    if (round % 2)
        draw_rows();
    else
        draw_site_rows(round);
    draw_packets();
    judge_by_rows();
    const size_t dead = count_dead(&sure);
    const int looked_at = (int)draw(LAYOUTS);
    for (int layout = 0; layout <= LAYOUTS; layout++) { /* the last: whichever is best */
        const int verdict = (int)(draw(2) ? PASTORE_VERDICT_RULE : PASTORE_VERDICT_ACTION);
        const int numbered = verdict == PASTORE_VERDICT_RULE;
        const char *name = layout < LAYOUTS ? LAYOUTS_BY_NAME[layout] : NULL;
        pastore_table *table = made(row_count, (pastore_options){.verdict = verdict, .layout = name});
        struct pastore_stats stats;
        pastore_stats(table, &stats);
        if (stats.dead_rows > dead || (sure && stats.dead_rows != dead))
            fail("the rows that can never be the answer are others", stats.dead_rows, dead);
        against_rows(table, numbered);
        without_columns(table, numbered);
        many_at_once(table, numbered);
        if (layout == looked_at || layout == LAYOUT_LISTS) { /* of which no other layout has anything */
            store(table, numbered);
            bad_packets(table);
            if (row_count <= MOST_CHECKED) /* it takes long */
                check(table);
        }
        if (!numbered)
            has_no_numbers(table);
        pastore_close(table);
        if (layout <= LAYOUT_LISTS || layout == LAYOUTS)
            within_limits(verdict, stats.bytes, name);
    }
    bad_rows();
    few_rows();
    rows_that_cannot_be();
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: tables SEED ROUNDS SCRATCH-FILE\n");
        return 2;
    }
    state = first_turn = strtoull(argv[1], NULL, 10);
    scratch = argv[3];
    const long rounds = strtol(argv[2], NULL, 10);
    for (long i = 0; i < rounds; i++)
        play(i);
    printf("%ld rounds, %s\n", rounds, isa);
    return 0;
}
