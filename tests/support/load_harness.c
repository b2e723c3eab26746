/* Saved tables, whole and damaged, as a plain C program to be built with sanitizers.
 *
 * usage: load_harness SEED FOLDER STRIDE STRIDE_OF_16_KB
 *
 * Round trips: tables of all layouts are saved, loaded and opened, must pass pastore_check, and answer as the built ones. Damage:
 * every STRIDE-th bit of a small table of every layout, and of one of 16 KB, is flipped, and lengths are cut, each in a buffer of
 * exactly its size. With the checksum as it was, every one must be refused. With the checksum made to match again, each must be
 * refused, or be safe: pass pastore_check, and answer like the rows it was built of or have others. Then bits of a larger table,
 * of which loading does not prove all answers; and whole numbers are replaced by extreme ones, the checksum matching. Exit status
 * 0: all held.
 */
#include "harness.h"

#include <errno.h>

#include "stored.h"

static void expect(int want, int got, uint64_t where) {
    if (want != got) {
        fprintf(stderr, "harness: expected '%s', got '%s' (%llu)\n", pastore_strerror(want), pastore_strerror(got),
                (unsigned long long)where);
        exit(1);
    }
}

/* Grows as it is written to. */
typedef struct bytes {
    unsigned char *data;
    size_t n;
} bytes;

static int append(void *context, const void *data, size_t n) {
    bytes *b = context;
    b->data = realloc(b->data, b->n + n);
    if (!b->data)
        fail("no memory", n, 0);
    memcpy(b->data + b->n, data, n);
    b->n += n;
    return 0;
}

static const pastore_section SECTIONS[] = {{7, "seven", 5}, {3, NULL, 0}, {0xFFFFFFFFu, "last", 4}};

static bytes saved(const pastore_table *table, size_t sections) {
    bytes b = {NULL, 0};
    expect(PASTORE_OK, pastore_save(table, SECTIONS, sections, append, &b), sections);
    return b;
}

static void sign(unsigned char *data, size_t n) {
    stored_header header;
    memcpy(&header, data, sizeof header);
    header.checksum = stored_checksum(&header, data, n);
    memcpy(data, &header, sizeof header);
}

/* Loads a copy in a buffer of exactly its size, so that a sanitizer sees the first byte too far. */
static int try_copy(const unsigned char *data, size_t n, pastore_table **table, unsigned char **copy) {
    *copy = malloc(n ? n : 1);
    if (!*copy)
        fail("no memory", n, 0);
    if (n)
        memcpy(*copy, data, n);
    const int error = pastore_load(*copy, n, table);
    if (error && *table)
        fail("a refusal gave a table", n, 0);
    return error;
}

static void refused(int want, const unsigned char *data, size_t n, uint64_t where) {
    pastore_table *table = NULL;
    unsigned char *copy;
    expect(want, try_copy(data, n, &table, &copy), where);
    free(copy);
}

static unsigned long safe, turned_down, wrong;
static size_t row_count; /* of the table that is damaged */

/* Refused as damaged, or as good as any other table. Of a table in which packets differ in too many ways for all to be judged,
 * only answers may be wrong, and nothing else. */
static void refused_or_safe(const unsigned char *data, size_t n, const pastore_row *rows, bool proved, uint64_t where) {
    pastore_table *table = NULL;
    unsigned char *copy;
    const char *broken = "";
    const int error = try_copy(data, n, &table, &copy);
    if (error) {
        turned_down++;
        if (error > PASTORE_ERROR_NOT_TABLE || error < PASTORE_ERROR_DAMAGED)
            fail(pastore_strerror(error), where, 0);
    } else if (pastore_check(table, &broken)) {
        if (proved || strcmp(broken, "packets get the answers that the row list gives") != 0)
            fail(broken, where, 0);
        judge4(table, PACKETS, NULL, NULL);
        judge6(table, PACKETS, NULL, NULL);
        wrong++;
    } else if (pastore_same_rows(table, rows, row_count) != PASTORE_OK)
        turned_down++; /* another policy; whoever opens the table compares the rows */
    else {
        safe++;
        if (proved)
            compare(table, rows, table->verdict == PASTORE_VERDICT_RULE);
    }
    pastore_close(table);
    free(copy);
}

static size_t some_rows(pastore_row *rows, size_t n, uint8_t family, uint8_t direction) {
    common_family = family;
    common_direction = direction;
    for (size_t i = 0; i < n; i++)
        rows[i] = i && draw(6) == 0 ? rows[draw(i)] : make_row(0);
    return n;
}

static void write_file(const char *path, const unsigned char *data, size_t n) {
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, n, file) != n || fclose(file))
        fail("cannot write", n, 0);
}

static int refuse_to_write(void *context, const void *data, size_t n) {
    (void)data;
    size_t *left = context;
    if (n > *left)
        return -1;
    *left -= n;
    return 0;
}

static void round_trip(const pastore_row *rows, size_t n, pastore_options options, const char *folder) {
    pastore_table *built = build(rows, n, options), *loaded = NULL, *opened = NULL;
    if (!built)
        return;
    const int numbered = options.verdict == PASTORE_VERDICT_RULE;
    bytes b = saved(built, 3), again;
    const char *broken = "";
    expect(PASTORE_OK, pastore_load(b.data, b.n, &loaded), n);
    if (pastore_check(loaded, &broken))
        fail(broken, n, 0);
    compare(loaded, rows, numbered);
    expect(PASTORE_OK, pastore_same_rows(loaded, rows, n), n);
    again = saved(loaded, 3);
    if (again.n != b.n || memcmp(again.data, b.data, b.n) != 0)
        fail("saving what was loaded gives other bytes", b.n, again.n);
    char path[4096];
    snprintf(path, sizeof path, "%s/table.pastore", folder);
    write_file(path, b.data, b.n);
    expect(PASTORE_OK, pastore_open(path, &opened), n);
    compare(opened, rows, numbered);
    const pastore_section seven = pastore_section_of(opened, 7), empty = pastore_section_of(opened, 3);
    if (seven.length != 5 || memcmp(seven.data, "seven", 5) != 0 || (uintptr_t)seven.data % 8 || !empty.data || empty.length ||
        pastore_section_of(opened, 8).data || pastore_section_of(built, 7).data || pastore_section_of(opened, 0).data)
        fail("a section is not what was saved", seven.length, empty.length);
    struct pastore_stats was, is;
    pastore_stats(built, &was);
    pastore_stats(opened, &is);
    if (was.rows != is.rows || was.bytes != is.bytes || was.chunk_rows != is.chunk_rows)
        fail("facts about the table differ", was.bytes, is.bytes);
    for (size_t left = 0; left < b.n; left += 1 + b.n / 7)
        expect(PASTORE_ERROR_FILE, pastore_save(built, SECTIONS, 3, refuse_to_write, &(size_t){left}), left);
    if (n) {
        pastore_row other = rows[n / 2];
        static pastore_row changed[MOST_ROWS];
        memcpy(changed, rows, n * sizeof *rows);
        other.action = (uint8_t)(other.action % 3 + 1);
        changed[n / 2] = other;
        expect(PASTORE_ERROR_DAMAGED, pastore_same_rows(loaded, changed, n), n);
        expect(PASTORE_ERROR_DAMAGED, pastore_same_rows(loaded, rows, n - 1), n);
    }
    pastore_close(built);
    pastore_close(loaded);
    pastore_close(opened);
    free(b.data);
    free(again.data);
}

static void round_trips(const char *folder) {
    static const uint8_t families[] = {4, 6, ANY}, directions[] = {PASTORE_IN, PASTORE_OUT, PASTORE_BOTH, ANY};
    static const size_t counts[] = {0, 1, 8, 65, 130};
    static pastore_row rows[MOST_ROWS];
    for (size_t c = 0; c < sizeof counts / sizeof *counts; c++)
        for (unsigned k = 0; k < LAYOUTS + 3; k++) { /* each layout, and three limits */
            some_rows(rows, counts[c], families[draw(3)], directions[draw(4)]);
            make_packets();
            pastore_options options = {.verdict = k % 2, .layout = k < LAYOUTS ? LAYOUTS_BY_NAME[k] : NULL};
            if (k >= LAYOUTS)
                options.memory_limit = (size_t)10000 << (k - LAYOUTS);
            round_trip(rows, counts[c], options, folder);
            options.verdict = !options.verdict;
            round_trip(rows, counts[c], options, folder);
        }
}

enum { FEW_ROWS = 6, DAMAGE_ROWS4 = 50, DAMAGE_ROWS6 = 10, DAMAGE_ROWS = DAMAGE_ROWS4 + DAMAGE_ROWS6 };

static bytes table_of(const pastore_row *rows, size_t n, pastore_options options) {
    make_packets();
    judged = 100;
    row_count = n;
    pastore_table *table = build(rows, n, options);
    const bytes b = saved(table, 3);
    pastore_close(table);
    return b;
}

/* Both families, which take turns. */
static bytes table_to_damage(pastore_row *rows, uint8_t direction, pastore_options options) {
    some_rows(rows, DAMAGE_ROWS4, 4, direction);
    some_rows(rows + DAMAGE_ROWS4, DAMAGE_ROWS6, 6, PASTORE_BOTH);
    for (size_t i = 0; i < DAMAGE_ROWS4 / 2; i++)
        if (draw(5) == 0) {
            const pastore_row row = rows[i];
            rows[i] = rows[DAMAGE_ROWS - 1 - i];
            rows[DAMAGE_ROWS - 1 - i] = row;
        }
    return table_of(rows, DAMAGE_ROWS, options);
}

/* Every stride-th bit: what is as it should be before must be refused or safe after. */
static void flip(bytes b, const pastore_row *rows, size_t stride, size_t from) {
    pastore_table *table = NULL;
    unsigned char *copy;
    const unsigned long before = safe;
    refused_or_safe(b.data, b.n, rows, true, 0);
    if (safe != before + 1)
        fail("the whole table is refused", b.n, 0);
    for (size_t bit = from; bit < 8 * b.n; bit += stride) {
        b.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
        if (bit % 16 == 0 || bit < 8 * sizeof(stored_header)) {
            if (try_copy(b.data, b.n, &table, &copy) == PASTORE_OK)
                fail("a flipped bit was overlooked", bit, 0);
            free(copy);
        }
        if (bit / 64 != offsetof(stored_header, checksum) / 8) {
            unsigned char sum[8];
            memcpy(sum, b.data + offsetof(stored_header, checksum), 8);
            sign(b.data, b.n);
            refused_or_safe(b.data, b.n, rows, true, bit);
            memcpy(b.data + offsetof(stored_header, checksum), sum, 8);
        }
        b.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
}

static void cut(bytes b, size_t stride) {
    refused(PASTORE_ERROR_NOT_TABLE, b.data, 0, 0);
    for (size_t n_bytes = 1; n_bytes < b.n; n_bytes += stride)
        refused(PASTORE_ERROR_TRUNCATED, b.data, n_bytes, n_bytes);
    for (size_t n_bytes = sizeof(stored_header); n_bytes < b.n; n_bytes += stride) { /* and the header changed to agree */
        bytes part = {malloc(n_bytes), n_bytes};
        memcpy(part.data, b.data, n_bytes);
        ((stored_header *)(void *)part.data)->length = n_bytes;
        sign(part.data, n_bytes);
        refused(PASTORE_ERROR_DAMAGED, part.data, n_bytes, n_bytes);
        free(part.data);
    }
    bytes longer = {NULL, 0};
    append(&longer, b.data, b.n);
    append(&longer, "\0", 1);
    refused(PASTORE_ERROR_CHECKSUM, longer.data, longer.n, longer.n);
    sign(longer.data, longer.n);
    refused(PASTORE_ERROR_DAMAGED, longer.data, longer.n, longer.n);
    free(longer.data);
}

/* Small tables of every layout, all bits if the stride is 1. */
static void damage_layouts(size_t stride) {
    static pastore_row rows[FEW_ROWS];
    for (unsigned layout = 0; layout < LAYOUTS; layout++) {
        some_rows(rows, FEW_ROWS, layout % 3 == 2 ? 6 : 4, PASTORE_BOTH);
        const pastore_options options = {.verdict = layout % 2, .layout = LAYOUTS_BY_NAME[layout]};
        bytes b = table_of(rows, FEW_ROWS, options);
        flip(b, rows, stride, draw(stride));
        cut(b, stride);
        free(b.data);
    }
}

/* A row of a site: from some network or anywhere to some host, a service or everything. */
static pastore_row site_row(uint8_t family) {
    static const uint16_t ports[] = {53, 80, 443, 3389, 88};
    pastore_row row = {.family = family, .direction = PASTORE_BOTH, .interface = PASTORE_ALL, .action = (uint8_t)(1 + draw(3))};
    uint64_t *const lo[] = {row.src_lo, row.dst_lo}, *const hi[] = {row.src_hi, row.dst_hi};
    for (int field = 0; field < 2; field++) {
        const uint64_t host = 0x0A000000u + draw(6) * 256 + draw(3), width = (uint64_t[]){0, 0, 7, 255}[draw(4)];
        lo[field][0] = hi[field][0] = family == 6 ? 0x20010DB800000000u + draw(2) : 0;
        lo[field][1] = host & ~width, hi[field][1] = host | width;
        if (draw(8) == 0)
            lo[field][0] = lo[field][1] = 0, hi[field][0] = family == 6 ? UINT64_MAX : 0,
            hi[field][1] = family == 6 ? UINT64_MAX : UINT32_MAX;
    }
    row.sport_hi = UINT16_MAX;
    row.dport_hi = UINT16_MAX;
    row.protocol_hi = UINT8_MAX;
    if (draw(4)) {
        row.dport_lo = row.dport_hi = ports[draw(sizeof ports / sizeof *ports)];
        row.protocol_lo = row.protocol_hi = draw(2) ? 6 : 17;
    }
    return row;
}

/* Tables of at least 16 KB in every layout, all bits if the stride is 1. */
static void damage_sixteen(size_t stride) {
    enum { MOST = 600 };
    static pastore_row rows[MOST];
    for (unsigned layout = 0; layout < LAYOUTS; layout++) {
        const pastore_options options = {.verdict = layout % 2, .layout = LAYOUTS_BY_NAME[layout]};
        const uint8_t family = layout % 3 == 2 ? 6 : 4;
        size_t n = 0;
        bytes b = {NULL, 0};
        for (common_family = family; b.n < 16384 && n < MOST; b = table_of(rows, n, options)) {
            free(b.data);
            rows[n++] = site_row(family);
        }
        if (b.n < 16384 || b.n > 20000)
            fail("a table of 16 KB has another size", b.n, layout);
        flip(b, rows, stride, draw(stride));
        cut(b, stride);
        free(b.data);
    }
}

/* Tables of any rows of both families: bits and numbers here and there. */
static void damage_large(size_t stride) {
    static pastore_row rows[DAMAGE_ROWS];
    for (unsigned layout = 0; layout < LAYOUTS; layout++) {
        const pastore_options options = {.verdict = (int)layout % 2, .layout = LAYOUTS_BY_NAME[layout]};
        bytes b = table_to_damage(rows, PASTORE_IN, options), work = {malloc(b.n), b.n};
        memcpy(work.data, b.data, b.n);
        for (size_t i = 0; i < 2000 / stride; i++) {
            const size_t bit = draw(draw(2) ? 8 * 8000 : 8 * b.n) % (8 * b.n);
            work.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
            sign(work.data, work.n);
            refused_or_safe(work.data, work.n, rows, false, bit);
            work.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
        }
        free(work.data);
        free(b.data);
    }
}

/* Numbers of every width, at the ends of their range or a little off, one to four at a time, the checksum matching. */
static void extremes(int verdict, const char *layout, unsigned rounds) {
    static pastore_row rows[FEW_ROWS];
    some_rows(rows, FEW_ROWS, ANY, PASTORE_BOTH);
    bytes b = table_of(rows, FEW_ROWS, (pastore_options){.verdict = verdict, .layout = layout}), work = {malloc(b.n), b.n};
    for (unsigned round = 0; round < rounds; round++) {
        memcpy(work.data, b.data, b.n);
        for (uint64_t changes = 1 + draw(4); changes; changes--) {
            const size_t width = (size_t)1 << draw(4), limit = draw(2) ? 2400 : b.n;
            unsigned char *place = work.data + draw(limit / width) * width;
            uint64_t value = 0;
            memcpy(&value, place, width);
            switch (draw(6)) {
            case 0:
                value = 0;
                break;
            case 1:
                value = UINT64_MAX;
                break;
            case 2:
                value = (uint64_t)1 << (8 * width - 1);
                break;
            case 3:
                value += draw(2) ? 1 : (uint64_t)-1;
                break;
            case 4:
                value += draw(2) ? 16 : (uint64_t)-16;
                break;
            default:
                value = draw(2 * b.n);
            }
            memcpy(place, &value, width);
        }
        sign(work.data, work.n);
        refused_or_safe(work.data, work.n, rows, true, round);
    }
    free(work.data);
    free(b.data);
}

static void refusals(const char *folder) {
    pastore_row rows[2] = {make_row(0), make_row(0)};
    row_count = 2;
    pastore_table *table = build(rows, 2, (pastore_options){0}), *none = NULL;
    bytes b = saved(table, 1);
    unsigned char *odd = malloc(b.n + 1);
    memcpy(odd + 1, b.data, b.n);
    expect(PASTORE_ERROR_ALIGNMENT, pastore_load(odd + 1, b.n, &none), 0);
    free(odd);
    stored_header *header = (stored_header *)(void *)b.data;
    header->version = 1;
    refused(PASTORE_ERROR_VERSION, b.data, b.n, 0);
    refused(PASTORE_ERROR_VERSION, b.data, 40, 0); /* whatever follows in another version */
    header->byte_order = 0x04030201u, header->version = 0x01000000u;
    refused(PASTORE_ERROR_BYTE_ORDER, b.data, b.n, 0);
    header->byte_order = STORED_BYTE_ORDER, header->version = STORED_VERSION;
    refused_or_safe(b.data, b.n, rows, true, 0);
    refused(PASTORE_ERROR_NOT_TABLE, (const unsigned char *)"MZ", 2, 0);
    expect(PASTORE_ERROR_ARGUMENT, pastore_load(NULL, 9, &none), 0);
    expect(PASTORE_ERROR_ARGUMENT, pastore_load(b.data, b.n, NULL), 0);
    expect(PASTORE_ERROR_ARGUMENT, pastore_open(NULL, &none), 0);
    expect(PASTORE_ERROR_ARGUMENT, pastore_save(table, NULL, 1, append, &b), 0);
    expect(PASTORE_ERROR_ARGUMENT, pastore_save(table, SECTIONS, 1, NULL, NULL), 0);
    const pastore_section twice[] = {{1, "a", 1}, {1, "b", 1}}, nameless = {0, "a", 1}, nothing = {1, NULL, 1};
    expect(PASTORE_ERROR_ARGUMENT, pastore_save(table, twice, 2, append, &b), 0);
    expect(PASTORE_ERROR_ARGUMENT, pastore_save(table, &nameless, 1, append, &b), 0);
    expect(PASTORE_ERROR_ARGUMENT, pastore_save(table, &nothing, 1, append, &b), 0);
    static pastore_section many[PASTORE_MOST_SECTIONS + 1];
    for (size_t i = 0; i <= PASTORE_MOST_SECTIONS; i++)
        many[i] = (pastore_section){(uint32_t)i + 1, "x", 1};
    expect(PASTORE_ERROR_ARGUMENT, pastore_save(table, many, PASTORE_MOST_SECTIONS + 1, append, &b), 0);
    bytes full = {NULL, 0};
    expect(PASTORE_OK, pastore_save(table, many, PASTORE_MOST_SECTIONS, append, &full), 0);
    refused_or_safe(full.data, full.n, rows, true, 0);
    if (safe != 2)
        fail("a whole table is refused", safe, 2);
    free(full.data);
    char path[4096];
    errno = 0;
    expect(PASTORE_ERROR_FILE, pastore_open(folder, &none), 0);
    if (errno != EISDIR)
        fail("a folder is not called one", (uint64_t)errno, 0);
    snprintf(path, sizeof path, "%s/missing", folder);
    expect(PASTORE_ERROR_FILE, pastore_open(path, &none), 0);
    if (errno != ENOENT)
        fail("a missing file is not called that", (uint64_t)errno, 0);
    snprintf(path, sizeof path, "%s/empty", folder);
    write_file(path, b.data, 0);
    expect(PASTORE_ERROR_NOT_TABLE, pastore_open(path, &none), 0);
    write_file(path, b.data, 300);
    expect(PASTORE_ERROR_TRUNCATED, pastore_open(path, &none), 0);
    if (none)
        fail("a refusal gave a table", 0, 0);
    free(b.data);
    pastore_close(table);
}

/* Answers of the reference implementation of XXH64 with seed 0, for input in pieces of every size. */
static void known_checksums(void) {
    static const struct {
        size_t n;
        uint64_t sum;
    } known[] = {{0, 0xEF46DB3751D8E999u},  {1, 0x1F25C8D0BC1F4BB6u},  {3, 0x31D2363F52E564C9u},  {4, 0x9BB64B7D66EE9FDAu},
                 {8, 0xDAB99D95C6F90092u},  {14, 0xC7F1D4D0ACFA5A14u}, {31, 0xA2AA5F33CC4A6119u}, {32, 0x23C3C17EF790FD97u},
                 {33, 0x50A7CFC7BA588784u}, {63, 0x5E3E54B431C7493Cu}, {64, 0x0EB64B3EF6EEB01Fu}, {101, 0xBAD4D3BF033BDA4Cu}};
    unsigned char text[101];
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (unsigned char)(i * 7 + 3);
    for (size_t k = 0; k < sizeof known / sizeof *known; k++)
        for (size_t piece = 1; piece <= 101; piece++) {
            checksum sum;
            checksum_begin(&sum);
            for (size_t done = 0; done < known[k].n; done += piece)
                checksum_add(&sum, text + done, known[k].n - done < piece ? known[k].n - done : piece);
            if (checksum_finish(&sum) != known[k].sum)
                fail("not XXH64", known[k].n, piece);
        }
}

int main(int argc, char **argv) {
    if (argc != 5)
        return 2;
    state = strtoull(argv[1], NULL, 10);
    const size_t stride = strtoull(argv[3], NULL, 10), sixteen = strtoull(argv[4], NULL, 10);
    known_checksums();
    refusals(argv[2]);
    round_trips(argv[2]);
    damage_layouts(stride);
    damage_sixteen(sixteen);
    damage_large(stride);
    for (unsigned layout = 0; layout < LAYOUTS; layout++)
        extremes((int)layout % 2, LAYOUTS_BY_NAME[layout], (unsigned)(2000 / stride));
    printf("%lu refused, %lu safe, %lu not proved\n", turned_down, safe, wrong);
    return turned_down > safe + wrong ? 0 : 1;
}
