/* How the ends of IPv6 intervals are folded: addresses of 128 bits become keys of 64 that compare in the same way with every end.
 *
 * THE PROBLEM
 *
 * Ends of intervals use few of the values that a word of 64 bits can have: the networks of a site share their first 32 or 48
 * bits, hosts in them are ::1 to ::ff, and the end of a network is all ones. What lies between does not need to be told apart.
 *
 * A WORD
 *
 * So the values of a word are cut into windows, at the widest gaps between those that ends have. In a window a value keeps its
 * distance from the first one, up to one more than the last value that an end has there; whatever is behind that and before the
 * next window counts as that one more:
 *
 *     values of ends           5 7          100 101                  ends 5 7 100 101, cut once:
 *     window, folded   0 1 ... 5 6 7 8 8 8 8  9  10 11 11 11 ...      9 = 8 + 1: windows follow each other
 *
 * A value that is no end's is never folded onto one that is, and order is kept, or becomes equality among values between the same
 * ends. So x > e exactly if folded x > folded e, and x = e exactly if they are equal, for every x and every e of an end.
 *
 * AN ADDRESS
 *
 * The key is the folded high word, and in its `low_bits` last bits the folded low word. It compares as the address does: by the
 * high word first, and where that is an end's own, by the low word. The fewest cuts are taken with which both words together have
 * at most 64 bits. Where MOST_WINDOWS for each do not suffice (addresses of hosts drawn at random in many networks far apart),
 * the ends are kept as two words, in tails.
 */
#include <string.h>

#include "compile.h"

/* A gap between values of ends: how far it is to the value behind it, and which value that is. */
typedef struct gap {
    uint64_t width;
    uint32_t behind;
} gap;

/* A word of the ends: its different values, and the widest gaps before some of them, widest first. */
typedef struct word_values {
    const uint64_t *values;
    uint32_t count, gap_count;
    gap gaps[MOST_WINDOWS - 1];
} word_values;

static void find_gaps(word_values *w) {
    for (uint32_t i = 0; i < w->count; i++) {
        /* Before the first value: as if there were one before 0. A gap of 1 is none, and cutting there would take a value more.
         */
        gap g = {i ? w->values[i] - w->values[i - 1] : w->values[0] == UINT64_MAX ? UINT64_MAX : w->values[0] + 1, i};
        if (g.width < 2)
            continue;
        uint32_t place = w->gap_count;
        while (place > 0 && w->gaps[place - 1].width < g.width)
            place--;
        if (place == MOST_WINDOWS - 1)
            continue;
        if (w->gap_count < MOST_WINDOWS - 1)
            w->gap_count++;
        memmove(w->gaps + place + 1, w->gaps + place, (w->gap_count - 1 - place) * sizeof g);
        w->gaps[place] = g;
    }
}

static unsigned bits_of(uint64_t x) {
    unsigned bits = 0;
    for (; x; x >>= 1)
        bits++;
    return bits;
}

/* Cuts a word at its `cuts` widest gaps. False if that takes all 64 bits and more. */
static bool cut(const word_values *w, uint32_t cuts, fold_word *out) {
    *out = (fold_word){.windows = cuts + 1};
    uint32_t places[MOST_WINDOWS];
    for (uint32_t k = 0; k < cuts; k++) {
        uint32_t place = k;
        for (; place > 0 && places[place - 1] > w->gaps[k].behind; place--)
            places[place] = places[place - 1];
        places[place] = w->gaps[k].behind;
    }
    uint64_t first = 0, offset = 0;
    for (uint32_t k = 0; k <= cuts; k++) {
        const uint32_t next = k < cuts ? places[k] : w->count;
        /* One more than the distance of the last value in the window; 0 if there is none in it. */
        uint64_t most = 0;
        if (next > 0 && (k == 0 || next > places[k - 1])) {
            most = w->values[next - 1] - first + 1;
            if (most == 0)
                return false;
        }
        out->shift[k] = first - offset;
        out->top[k] = offset + most;
        out->last[k] = k < cuts ? w->values[next] - 1 : UINT64_MAX;
        if (k < cuts) {
            first = w->values[next];
            offset = out->top[k] + 1; /* at most `first`, as a gap holds a value more at least: so nothing overflows */
        }
    }
    for (uint32_t k = cuts + 1; k < MOST_WINDOWS; k++)
        out->last[k] = UINT64_MAX;
    return true;
}

bool fold_ends(const uint64_t *const values[2], const uint32_t counts[2], fold *out) {
    word_values words[2];
    fold_word cuts[2][MOST_WINDOWS];
    unsigned bits[2][MOST_WINDOWS];
    for (unsigned w = 0; w < 2; w++) {
        words[w] = (word_values){.values = values[w], .count = counts[w]};
        find_gaps(&words[w]);
        for (uint32_t k = 0; k < MOST_WINDOWS; k++) {
            bits[w][k] = 65;
            if (k <= words[w].gap_count && cut(&words[w], k, &cuts[w][k]))
                bits[w][k] = bits_of(cuts[w][k].top[k]);
        }
    }
    for (uint32_t all = 0; all <= 2 * (MOST_WINDOWS - 1); all++)
        for (uint32_t high = 0; high <= all; high++) {
            const uint32_t low = all - high;
            if (high < MOST_WINDOWS && low < MOST_WINDOWS && bits[0][high] + bits[1][low] <= 64) {
                *out = (fold){.word = {cuts[0][high], cuts[1][low]}, .low_bits = bits[1][low]};
                return true;
            }
        }
    return false;
}
