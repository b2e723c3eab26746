/* The way through the groups with AVX-512 F, BW, VL and DQ: what every server since Skylake-SP and Zen 4 has. */
#if defined(__x86_64__) || defined(_M_X64)

#include <immintrin.h>

#include "scan_kernel.h"

static ALWAYS_INLINE uint32_t line4(const uint32_t *line, uint32_t x) {
    return (uint32_t)_mm_popcnt_u32(_cvtmask16_u32(_mm512_cmpgt_epu32_mask(_mm512_set1_epi32((int)x), _mm512_loadu_si512(line))));
}

static ALWAYS_INLINE uint32_t line6(const uint64_t *line, uint64_t x) {
    return (uint32_t)_mm_popcnt_u32(
        _cvtmask8_u32(_mm512_cmpgt_epu64_mask(_mm512_set1_epi64((long long)x), _mm512_loadu_si512(line))));
}

static ALWAYS_INLINE uint32_t few_ports(const uint16_t *ends, uint16_t x) {
    return (uint32_t)_mm_popcnt_u32(
        _cvtmask32_u32(_mm512_cmpgt_epu16_mask(_mm512_set1_epi16((short)x), _mm512_loadu_si512(ends))));
}

/* SEARCH IN REGISTERS
 *
 * Up to 127 keys lie in four pairs of registers. A pair is a table of 32 that one instruction looks up for 16 packets at once, so
 * five look-ups are a binary search among its first 31 keys. Its 32nd key says whether the next pair is the one to search. Keys
 * that are not there are the largest. The same with tables of 16 words of 64 bits for up to 63 high words of IPv6, and of 64 port
 * ends for up to 127 of them.
 */
enum { MOST_REGISTER_KEYS4 = 127, MOST_REGISTER_KEYS6 = 63 };

static ALWAYS_INLINE void load_lines(__m512i *registers, const void *keys, uint32_t lines, const unsigned n) {
    UNROLL(8)
    for (unsigned k = 0; k < n; k++)
        registers[k] = k < lines ? _mm512_loadu_si512((const char *)keys + (size_t)k * 64) : _mm512_set1_epi32(-1);
}

/* How many of the keys are less than each x. */
static ALWAYS_INLINE __m512i search32(const __m512i *keys, const __m512i *splits, __m512i x, const unsigned pairs) {
    __m512i place = _mm512_setzero_si512();
    __mmask16 behind[4];
    UNROLL(4)
    for (unsigned k = 1; k < pairs; k++)
        behind[k] = _mm512_cmpgt_epu32_mask(x, splits[k]);
    UNROLL(5)
    for (int step = 16; step; step >>= 1) {
        const __m512i probe = _mm512_add_epi32(place, _mm512_set1_epi32(step - 1));
        __m512i probed = _mm512_permutex2var_epi32(keys[0], probe, keys[1]);
        UNROLL(4)
        for (unsigned k = 1; k < pairs; k++)
            probed = _mm512_mask_mov_epi32(probed, behind[k], _mm512_permutex2var_epi32(keys[2 * k], probe, keys[2 * k + 1]));
        place = _mm512_mask_add_epi32(place, _mm512_cmpgt_epu32_mask(x, probed), place, _mm512_set1_epi32(step));
    }
    UNROLL(4)
    for (unsigned k = 1; k < pairs; k++)
        place = _mm512_mask_add_epi32(place, behind[k], place, _mm512_set1_epi32(32));
    return place;
}

static ALWAYS_INLINE __m512i search64(const __m512i *keys, const __m512i *splits, __m512i x, const unsigned pairs) {
    __m512i place = _mm512_setzero_si512();
    __mmask8 behind[4];
    UNROLL(4)
    for (unsigned k = 1; k < pairs; k++)
        behind[k] = _mm512_cmpgt_epu64_mask(x, splits[k]);
    UNROLL(4)
    for (int step = 8; step; step >>= 1) {
        const __m512i probe = _mm512_add_epi64(place, _mm512_set1_epi64(step - 1));
        __m512i probed = _mm512_permutex2var_epi64(keys[0], probe, keys[1]);
        UNROLL(4)
        for (unsigned k = 1; k < pairs; k++)
            probed = _mm512_mask_mov_epi64(probed, behind[k], _mm512_permutex2var_epi64(keys[2 * k], probe, keys[2 * k + 1]));
        place = _mm512_mask_add_epi64(place, _mm512_cmpgt_epu64_mask(x, probed), place, _mm512_set1_epi64(step));
    }
    UNROLL(4)
    for (unsigned k = 1; k < pairs; k++)
        place = _mm512_mask_add_epi64(place, behind[k], place, _mm512_set1_epi64(16));
    return place;
}

static ALWAYS_INLINE __m512i search16(const __m512i *keys, __m512i split, __m512i x, const unsigned pairs) {
    __m512i place = _mm512_setzero_si512();
    const __mmask32 behind = pairs > 1 ? _mm512_cmpgt_epu16_mask(x, split) : 0;
    UNROLL(6)
    for (int step = 32; step; step >>= 1) {
        const __m512i probe = _mm512_add_epi16(place, _mm512_set1_epi16((short)(step - 1)));
        __m512i probed = _mm512_permutex2var_epi16(keys[0], probe, keys[1]);
        if (pairs > 1)
            probed = _mm512_mask_mov_epi16(probed, behind, _mm512_permutex2var_epi16(keys[2], probe, keys[3]));
        place = _mm512_mask_add_epi16(place, _mm512_cmpgt_epu16_mask(x, probed), place, _mm512_set1_epi16((short)step));
    }
    return pairs > 1 ? _mm512_mask_add_epi16(place, behind, place, _mm512_set1_epi16(64)) : place;
}

static ALWAYS_INLINE void search_block4(const uint32_t *keys, uint32_t count, const uint32_t *x, uint32_t *place,
                                        const unsigned n, const unsigned pairs) {
    __m512i registers[8], splits[4];
    load_lines(registers, keys, (count + LINE4 - 1) / LINE4, 2 * pairs);
    UNROLL(4)
    for (unsigned k = 1; k < pairs; k++)
        splits[k] = _mm512_permutexvar_epi32(_mm512_set1_epi32(15), registers[2 * k - 1]);
    for (unsigned i = 0; i < n; i += 16)
        _mm512_store_si512(place + i, _mm512_slli_epi32(search32(registers, splits, _mm512_loadu_si512(x + i), pairs), 4));
}

static ALWAYS_INLINE uint32_t search_top4(const address_view *view, const uint32_t *x, uint32_t *place, const unsigned n) {
    uint32_t level = 0;
    while (view->keys[level] > MOST_REGISTER_KEYS4)
        level++;
    const uint32_t *keys = view->level[level], count = view->keys[level];
    if (count <= 31)
        search_block4(keys, count, x, place, n, 1);
    else if (count <= 63)
        search_block4(keys, count, x, place, n, 2);
    else
        search_block4(keys, count, x, place, n, 4);
    return level;
}

static ALWAYS_INLINE void search_block6(const uint64_t *keys, uint32_t count, const uint64_t *x, uint32_t *place,
                                        const unsigned n, const unsigned pairs) {
    __m512i registers[8], splits[4];
    load_lines(registers, keys, (count + LINE6 - 1) / LINE6, 2 * pairs);
    UNROLL(4)
    for (unsigned k = 1; k < pairs; k++)
        splits[k] = _mm512_permutexvar_epi64(_mm512_set1_epi64(7), registers[2 * k - 1]);
    for (unsigned i = 0; i < n; i += 8) {
        const __m512i less = search64(registers, splits, _mm512_load_si512(x + i), pairs);
        _mm256_store_si256((__m256i *)(void *)(place + i), _mm512_cvtepi64_epi32(_mm512_slli_epi64(less, 3)));
    }
}

static ALWAYS_INLINE uint32_t search_top6(const address_view *view, const uint64_t *x, uint32_t *place, const unsigned n) {
    uint32_t level = 0;
    while (view->keys[level] > MOST_REGISTER_KEYS6)
        level++;
    const uint64_t *keys = view->level[level];
    const uint32_t count = view->keys[level];
    if (count <= 15)
        search_block6(keys, count, x, place, n, 1);
    else if (count <= 31)
        search_block6(keys, count, x, place, n, 2);
    else
        search_block6(keys, count, x, place, n, 4);
    return level;
}

/* Up to 127 intervals: their records lie in registers, too. */
static ALWAYS_INLINE void search_records4(const address_view *view, const uint32_t *x, uint32_t *place, const unsigned n,
                                          const unsigned pairs) {
    const uint32_t *keys = view->level[0], count = view->keys[0], intervals = view->intervals;
    __m512i registers[8], splits[4], records[8];
    load_lines(registers, keys, (count + LINE4 - 1) / LINE4, 2 * pairs);
    UNROLL(4)
    for (unsigned k = 1; k < pairs; k++)
        splits[k] = _mm512_permutexvar_epi32(_mm512_set1_epi32(15), registers[2 * k - 1]);
    UNROLL(8)
    for (unsigned k = 0; k < 2 * pairs; k++) {
        const uint32_t from = smaller(16 * k, intervals), left = smaller(intervals - from, 16);
        records[k] = _mm512_maskz_loadu_epi32((__mmask16)((1u << left) - 1), view->records + from);
    }
    for (unsigned i = 0; i < n; i += 16) {
        const __m512i interval = search32(registers, splits, _mm512_loadu_si512(x + i), pairs);
        __m512i word = _mm512_permutex2var_epi32(records[0], interval, records[1]);
        UNROLL(4)
        for (unsigned k = 1; k < pairs; k++)
            word = _mm512_mask_mov_epi32(word, _mm512_cmpge_epu32_mask(interval, _mm512_set1_epi32((int)(32 * k))),
                                         _mm512_permutex2var_epi32(records[2 * k], interval, records[2 * k + 1]));
        _mm512_store_si512(place + i, word);
    }
}

static ALWAYS_INLINE bool small_records4(const address_view *view, const uint32_t *x, uint32_t *place, const unsigned n) {
    const uint32_t count = view->keys[0];
    if (count > MOST_REGISTER_KEYS4)
        return false;
    if (count <= 31)
        search_records4(view, x, place, n, 1);
    else if (count <= 63)
        search_records4(view, x, place, n, 2);
    else
        search_records4(view, x, place, n, 4);
    return true;
}

/* The words of eight addresses. */
static ALWAYS_INLINE void split_eight(const uint8_t *addresses, __m512i *high, __m512i *low) {
    const __m512i turn = _mm512_broadcast_i32x4(_mm_set_epi8(8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
    const __m512i even = _mm512_set_epi64(14, 12, 10, 8, 6, 4, 2, 0), odd = _mm512_set_epi64(15, 13, 11, 9, 7, 5, 3, 1);
    const __m512i a = _mm512_shuffle_epi8(_mm512_loadu_si512(addresses), turn);
    const __m512i b = _mm512_shuffle_epi8(_mm512_loadu_si512(addresses + 64), turn);
    *high = _mm512_permutex2var_epi64(a, even, b);
    *low = _mm512_permutex2var_epi64(a, odd, b);
}

static ALWAYS_INLINE void split_addresses(const uint8_t *addresses, uint64_t *high, uint64_t *low, const unsigned n) {
    for (unsigned i = 0; i < n; i += 8) {
        __m512i h, l;
        split_eight(addresses + (size_t)i * 16, &h, &l);
        _mm512_store_si512(high + i, h);
        _mm512_store_si512(low + i, l);
    }
}

static ALWAYS_INLINE __m512i fold_values(const fold_word *w, __m512i x) {
    __m512i shift = _mm512_set1_epi64((long long)w->shift[0]), top = _mm512_set1_epi64((long long)w->top[0]);
    for (uint32_t k = 1; k < w->windows; k++) {
        const __mmask8 behind = _mm512_cmpgt_epu64_mask(x, _mm512_set1_epi64((long long)w->last[k - 1]));
        shift = _mm512_mask_set1_epi64(shift, behind, (long long)w->shift[k]);
        top = _mm512_mask_set1_epi64(top, behind, (long long)w->top[k]);
    }
    return _mm512_min_epu64(_mm512_sub_epi64(x, shift), top);
}

static ALWAYS_INLINE void fold_addresses(const fold *f, const uint8_t *addresses, uint64_t *keys, const unsigned n) {
    const __m128i low_bits = _mm_cvtsi32_si128((int)f->low_bits);
    for (unsigned i = 0; i < n; i += 8) {
        __m512i high, low;
        split_eight(addresses + (size_t)i * 16, &high, &low);
        high = _mm512_sll_epi64(fold_values(&f->word[0], high), low_bits);
        _mm512_store_si512(keys + i, _mm512_or_si512(high, fold_values(&f->word[1], low)));
    }
}

/* Intervals of the ports of a block. More than 127 ends would take more registers than a load from the table is worth. */
static ALWAYS_INLINE void port_intervals(const port_view *view, const unsigned axis, const uint16_t *x, uint16_t *interval,
                                         const unsigned n) {
    const uint32_t ends = view->intervals[axis] - 1;
    __m512i keys[4];
    if (!view->ends[axis]) {
        const uint8_t *narrow = view->narrow[axis];
        const uint16_t *wide = view->wide[axis];
        if (narrow)
            for (unsigned i = 0; i < n; i++)
                interval[i] = narrow[x[i]];
        else
            for (unsigned i = 0; i < n; i++)
                interval[i] = wide[x[i]];
    } else if (ends == 0) {
        memset(interval, 0, n * sizeof *interval);
    } else if (ends <= 63) {
        load_lines(keys, view->ends[axis], (ends + PORT_LINE - 1) / PORT_LINE, 2);
        for (unsigned i = 0; i < n; i += 32)
            _mm512_store_si512(interval + i, search16(keys, keys[0], _mm512_loadu_si512(x + i), 1));
    } else {
        load_lines(keys, view->ends[axis], (ends + PORT_LINE - 1) / PORT_LINE, 4);
        const __m512i split = _mm512_permutexvar_epi16(_mm512_set1_epi16(31), keys[1]);
        for (unsigned i = 0; i < n; i += 32)
            _mm512_store_si512(interval + i, search16(keys, split, _mm512_loadu_si512(x + i), 2));
    }
}

static ALWAYS_INLINE void protocol_intervals(const port_view *view, const uint8_t *x, uint8_t *interval, const unsigned n) {
    const uint32_t ends = view->protocol_ends;
    if (ends > sizeof view->protocol_end) {
        const uint8_t *table = view->protocol;
        for (unsigned i = 0; i < n; i++)
            interval[i] = table[x[i]];
        return;
    }
    for (unsigned i = 0; i < n; i += 32) {
        const __m256i value = _mm256_loadu_si256((const __m256i *)(const void *)(x + i));
        __m256i place = _mm256_setzero_si256();
        for (uint32_t k = 0; k < ends; k++)
            place = _mm256_mask_add_epi8(place, _mm256_cmpgt_epu8_mask(value, _mm256_set1_epi8((char)view->protocol_end[k])),
                                         place, _mm256_set1_epi8(1));
        _mm256_store_si256((__m256i *)(void *)(interval + i), place);
    }
}

static ALWAYS_INLINE void port_cells(const port_view *view, const side_packets *p, size_t at, uint32_t *cells, const unsigned n) {
    uint16_t sport[BLOCK] LINE_ALIGNED, dport[BLOCK] LINE_ALIGNED;
    uint8_t protocol[BLOCK] LINE_ALIGNED;
    port_intervals(view, 0, p->sport + at, sport, n);
    port_intervals(view, 1, p->dport + at, dport, n);
    protocol_intervals(view, p->protocol + at, protocol, n);
    const __m512i dports = _mm512_set1_epi32((int)view->intervals[1]), protocols = _mm512_set1_epi32((int)view->protocols);
    for (unsigned i = 0; i < n; i += 16) {
        const __m512i s = _mm512_cvtepu16_epi32(_mm256_load_si256((const __m256i *)(const void *)(sport + i)));
        const __m512i d = _mm512_cvtepu16_epi32(_mm256_load_si256((const __m256i *)(const void *)(dport + i)));
        const __m512i q = _mm512_cvtepu8_epi32(_mm_load_si128((const __m128i *)(const void *)(protocol + i)));
        const __m512i row = _mm512_add_epi32(_mm512_mullo_epi32(s, dports), d);
        _mm512_store_si512(cells + i, _mm512_add_epi32(_mm512_mullo_epi32(row, protocols), q));
    }
}

/* Bit 8 * i: rule i of four holds the ports. Lanes of a rule: three values and their three widths; every fourth lane is of the
 * id. */
static ALWAYS_INLINE uint32_t four_rules(const port_rule *rules, __m512i ports) {
    const __m512i rule = _mm512_loadu_si512(rules), width = _mm512_shuffle_epi32(rule, _MM_PERM_BADC);
    const uint32_t within = _cvtmask32_u32(_mm512_cmple_epu16_mask(_mm512_sub_epi16(ports, rule), width));
    return within & within >> 1 & within >> 2 & 0x01010101;
}

static ALWAYS_INLINE uint32_t first_port_rule(const port_rule *rules, uint32_t count, uint64_t ports, uint32_t best) {
    const __m512i all_ports = _mm512_set1_epi64((long long)ports);
    uint32_t hits = _bzhi_u32(four_rules(rules, all_ports), 8 * count);
    while (__builtin_expect(!hits & (count == 4), 0)) {
        rules += 4;
        if ((rules->id_low | (uint32_t)rules->id_high << 16) >= best)
            return NO_ID;
        hits = four_rules(rules, all_ports);
    }
    rules += _tzcnt_u32(hits | 0x80000000u) >> 3;
    return (rules->id_low | (uint32_t)rules->id_high << 16) | (uint32_t)opaque(0 - (uint64_t)(hits == 0));
}

const isa isa_avx512 = {"avx512", classify4, classify6, match4, match6};

#else
typedef int not_for_this_machine; /* a file of C must hold something */
#endif
