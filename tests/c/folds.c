/* Folds of IPv6 ends, each against what it is for: no address compares otherwise with an end when both are folded.
 *
 * usage: folds SEED
 *
 * Ends are drawn as sites have them, crowded at both ends and in the middle of the axis, in networks far apart, and from
 * anywhere. What the comment of fold.c promises to fold must be folded; what is folded is compared, end by end, with addresses on
 * and beside all ends and on and beside the cuts. Exit status 0: all agreed.
 */
#include "harness.h"

#include "compile.h"

enum { MOST_ENDS = 500, ROUNDS = 400 };

static key ends[MOST_ENDS];
static uint32_t count;
static uint64_t words[2][MOST_ENDS];
static uint32_t counts[2];
static unsigned long folded, refused;

static int compare_words(const void *left, const void *right) {
    const uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static bool fold_them(fold *f) {
    for (unsigned w = 0; w < 2; w++) {
        uint64_t all[MOST_ENDS];
        for (uint32_t i = 0; i < count; i++)
            all[i] = w ? ends[i].low : ends[i].high;
        qsort(all, count, sizeof *all, compare_words);
        counts[w] = 0;
        for (uint32_t i = 0; i < count; i++)
            if (i == 0 || all[i] != all[i - 1])
                words[w][counts[w]++] = all[i];
    }
    const uint64_t *const values[2] = {words[0], words[1]};
    return fold_ends(values, counts, f);
}

static void hold(const fold *f, key x) {
    const uint64_t folded_x = fold_key(f, x);
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t end = fold_key(f, ends[i]);
        if (key_less(ends[i], x) != (end < folded_x) || key_equal(ends[i], x) != (end == folded_x))
            fail("an address compares otherwise when it is folded", x.high, x.low);
    }
}

/* On a value, beside it, or anywhere. */
static uint64_t beside(uint64_t value) {
    return draw(9) ? value + draw(3) - 1 : draw(UINT64_MAX);
}

static void try_ends(bool must, bool may) {
    fold f;
    if (!fold_them(&f)) {
        if (must)
            fail("ends that can be folded are not", count, state);
        refused++;
        return;
    }
    if (!may)
        fail("ends are folded that need more than 64 bits", count, state);
    folded++;
    const key first = {0, 0}, last = {UINT64_MAX, UINT64_MAX};
    hold(&f, first);
    hold(&f, last);
    for (uint32_t i = 0; i < count; i++) {
        hold(&f, ends[i]);
        hold(&f, key_before(ends[i]));
        hold(&f, key_next(ends[i]));
        hold(&f, (key){beside(ends[draw(count)].high), beside(ends[draw(count)].low)});
    }
    for (unsigned w = 0; w < 2; w++)
        for (uint32_t k = 0; k < f.word[w].windows; k++) {
            const uint64_t cut = f.word[w].last[k] + draw(2), other = ends[draw(count)].high;
            hold(&f, w ? (key){other, cut} : (key){cut, draw(UINT64_MAX)});
        }
}

static void sites(void) {
    static const uint64_t networks[] = {0x20010DB800000000u, 0xFE80000000000000u, 0xFD00123400000000u, 0xFF02000000000000u, 0};
    for (uint32_t i = 0; i < count; i++) {
        ends[i].high = networks[draw(5)] + (draw(3) ? draw(1000) << 16 : 0) + draw(200);
        ends[i].low = draw(3) == 0 ? UINT64_MAX : draw(2) ? draw(300) : ((uint64_t)1 << draw(12)) - 1;
    }
}

static void crowds(void) {
    for (uint32_t i = 0; i < count; i++)
        ends[i] = (key){crowded(UINT64_MAX), crowded(UINT64_MAX)};
}

/* `clusters` of high words, each of a few, far apart; low words that are few. */
static void far_apart(uint32_t clusters) {
    for (uint32_t i = 0; i < count; i++)
        ends[i] = (key){(uint64_t)(i % clusters) * (UINT64_MAX / clusters) + (draw(100) << 20), draw(1 << 20)};
}

static void anywhere(void) {
    for (uint32_t i = 0; i < count; i++)
        ends[i] = (key){draw(UINT64_MAX), draw(UINT64_MAX)};
}

/* The two ends of the axis and nothing else: the widest gap there is. */
static void edges(void) {
    count = 2;
    ends[0] = (key){0, 0};
    ends[1] = (key){UINT64_MAX, UINT64_MAX - 1};
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: folds SEED\n");
        return 2;
    }
    state = strtoull(argv[1], NULL, 10);
    edges();
    try_ends(true, true);
    count = 0;
    fold f;
    if (!fold_them(&f) || f.word[0].windows != 1 || f.word[1].windows != 1 || f.low_bits)
        fail("without ends there is something to fold", f.word[0].windows, f.word[1].windows);
    for (int round = 0; round < ROUNDS; round++) {
        count = 1 + (uint32_t)draw(round % 2 ? 12 : MOST_ENDS);
        sites();
        try_ends(true, true);
        crowds();
        try_ends(true, true);
        far_apart(MOST_WINDOWS - 1); /* the first of them begins at 0, or near */
        try_ends(true, true);
        count = MOST_ENDS;
        far_apart(200);
        try_ends(false, false);
        anywhere();
        try_ends(false, false);
        count = 1 + (uint32_t)draw(MOST_WINDOWS - 1); /* a cut before each */
        anywhere();
        try_ends(true, true);
    }
    printf("%lu folded, %lu refused\n", folded, refused);
    return 0;
}
