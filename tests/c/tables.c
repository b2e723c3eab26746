/* Tables of seeded random rows against the rows themselves: nothing here is taken from the core but its public interface.
 *
 * usage: tables SEED ROUNDS SCRATCH-FILE
 *
 * Each round draws rows of a kind that is hard on a table (bounds that touch, nest and coincide, single points, chains of
 * prefixes, repetitions), and packets at their bounds. The first row that holds a packet is looked for here, rule by rule, and
 * classify, match and scan must say the same, before and after the table has been saved, loaded, and opened from a file. Then
 * rows and packets that are not well formed are handed in, and stored tables are damaged, with and without a checksum that
 * matches. Exit status 0: all agreed.
 */
#include "harness.h"

enum { MOST = 700, MOST_LIMITS = 3 };

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

static bool holds(const pastore_row *row, int family, size_t i) {
    uint64_t src[2] = {0, packets.src4[i]}, dst[2] = {0, packets.dst4[i]};
    if (family == 6) {
        words_of(packets.src6 + 16 * i, src);
        words_of(packets.dst6 + 16 * i, dst);
    }
    return row->family == family && (row->direction == PASTORE_BOTH || row->direction == packets.direction[i]) &&
           (row->interface == PASTORE_ALL || row->interface == packets.interface[i]) && between(row->src_lo, src, row->src_hi) &&
           between(row->dst_lo, dst, row->dst_hi) && row->sport_lo <= packets.sport[i] && packets.sport[i] <= row->sport_hi &&
           row->dport_lo <= packets.dport[i] && packets.dport[i] <= row->dport_hi && row->protocol_lo <= packets.protocol[i] &&
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

static void against_rows(const pastore_table *table, int numbered) {
    const char *broken = "";
    if (pastore_check(table, &broken))
        fail(broken, row_count, 0);
    compare(table, rows, numbered); /* classify, match and scan with each other */
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

static void draw_rows(void) {
    static const size_t edges[] = {0, 1, 2, 63, 64, 65, 127, 128, 129, 255, 256, 257, 511, 512, 513};
    static const uint8_t families[] = {4, 6, ANY}, directions[] = {PASTORE_IN, PASTORE_OUT, PASTORE_BOTH, ANY};
    common_family = families[draw(sizeof families)];
    common_direction = directions[draw(sizeof directions)];
    row_count = draw(2) ? edges[draw(sizeof edges / sizeof *edges)] : draw(MOST);
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

/* Packets: as crowded as the rows, and half of them aimed at the bounds of one. */

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
    for (size_t i = 0; row_count && i < PACKETS; i += 2) {
        const pastore_row *row = &rows[draw(row_count)];
        if (draw(8))
            aim_address(row->src_lo, row->src_hi, &packets.src4[i], packets.src6 + 16 * i);
        if (draw(8))
            aim_address(row->dst_lo, row->dst_hi, &packets.dst4[i], packets.dst6 + 16 * i);
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

/* Saved, loaded and saved again. Bits of the stored table are then changed, and it is refused or right about its own rows. */
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
    for (int i = 0; i < 60; i++) {
        const bool forged = i >= 20;
        const size_t most = draw(2) && stored.n > 1500 ? 1500 : stored.n; /* often where the numbers are */
        unsigned char *byte = stored.data + (forged ? 32 : 0) + draw(most - (forged ? 32 : 0)), kept = *byte;
        *byte ^= (unsigned char)(1u << draw(8));
        if (forged)
            sign(stored.data, stored.n);
        const int error = pastore_load(stored.data, stored.n, &loaded);
        if (!error && !forged)
            fail("a changed bit was not noticed", (uint64_t)(byte - stored.data), 0);
        if (!error) {
            const char *broken = "";
            if (pastore_check(loaded, &broken))
                fail(broken, (uint64_t)(byte - stored.data), 0);
            compare(loaded, NULL, 0);
            pastore_close(loaded);
        }
        *byte = kept;
    }
    sign(stored.data, stored.n);
    expect(PASTORE_ERROR_TRUNCATED, pastore_load(stored.data, draw(stored.n - 12) + 12, &loaded), 0);
    expect(PASTORE_ERROR_NOT_TABLE, pastore_load(stored.data, 0, &loaded), 0);
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

/* One direction and interface type for all packets is the same as a column of them. */
static void without_columns(const pastore_table *table) {
    for (uint8_t where = 0; where < 4; where++) {
        const pastore_columns4 c = {.src = packets.src4,
                                    .dst = packets.dst4,
                                    .protocol = packets.protocol,
                                    .sport = packets.sport,
                                    .dport = packets.dport,
                                    .one_direction = where / 2,
                                    .one_interface = where % 2};
        expect(PASTORE_OK, pastore_classify4(table, &c, PACKETS, fast.action, NULL, NULL), where);
        expect(PASTORE_OK, pastore_scan4(table, &c, PACKETS, slow.action, NULL, NULL), where);
        for (size_t i = 0; i < PACKETS; i++)
            if (packets.direction[i] == where / 2 && packets.interface[i] == where % 2 &&
                (fast.action[i] != wanted[0].action[i] || slow.action[i] != wanted[0].action[i]))
                fail("without a column of directions the answer is another", i, where);
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

static void play(void) {
    draw_rows();
    draw_packets();
    judge_by_rows();
    for (int verdict = PASTORE_VERDICT_RULE; verdict <= PASTORE_VERDICT_ACTION; verdict++) {
        const int numbered = verdict == PASTORE_VERDICT_RULE;
        pastore_table *table = build(rows, row_count, (pastore_options){.verdict = verdict});
        struct pastore_stats stats;
        pastore_stats(table, &stats);
        if (stats.rows != row_count || stats.verdict != verdict || !stats.isa)
            fail("the facts about the table are wrong", stats.rows, row_count);
        isa = stats.isa;
        against_rows(table, numbered);
        without_columns(table);
        store(table, numbered);
        bad_packets(table);
        if (!numbered)
            has_no_numbers(table);
        pastore_close(table);
        size_t limit = stats.bytes;
        for (int i = 0; i < MOST_LIMITS && limit > 64; i++, limit -= limit / 3) {
            table = build(rows, row_count, (pastore_options){.memory_limit = limit, .verdict = verdict});
            if (!table)
                break;
            against_rows(table, numbered);
            if (i == MOST_LIMITS - 1)
                store(table, numbered);
            pastore_close(table);
        }
    }
    bad_rows();
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: tables SEED ROUNDS SCRATCH-FILE\n");
        return 2;
    }
    state = strtoull(argv[1], NULL, 10);
    scratch = argv[3];
    const long rounds = strtol(argv[2], NULL, 10);
    for (long i = 0; i < rounds; i++)
        play();
    printf("%ld rounds, %s\n", rounds, isa);
    return 0;
}
