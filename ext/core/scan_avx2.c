/* The way through the groups with AVX2, BMI and POPCNT: every x86-64 server since Haswell and Zen. */
#if defined(__x86_64__) || defined(_M_X64)

#include <immintrin.h>

#include "scan_kernel.h"

/* Comparisons are signed here, so what is compared as unsigned has its sign bit turned, or goes through a maximum: the larger of
 * a key and x is the key unless the key is less. */
static ALWAYS_INLINE uint32_t line4(const uint32_t *line, uint32_t x) {
    const __m256i value = _mm256_set1_epi32((int)x);
    const __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)line),
                  b = _mm256_loadu_si256((const __m256i *)(const void *)(line + 8));
    const __m256i not_less =
        _mm256_packs_epi32(_mm256_cmpeq_epi32(_mm256_max_epu32(a, value), a), _mm256_cmpeq_epi32(_mm256_max_epu32(b, value), b));
    return 16 - (uint32_t)_mm_popcnt_u32((uint32_t)_mm256_movemask_epi8(not_less)) / 2;
}

static ALWAYS_INLINE uint32_t line6(const uint64_t *line, uint64_t x) {
    const __m256i sign = _mm256_set1_epi64x((long long)(UINT64_C(1) << 63)),
                  value = _mm256_set1_epi64x((long long)(x ^ UINT64_C(1) << 63));
    const __m256i a = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(const void *)line), sign);
    const __m256i b = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(const void *)(line + 4)), sign);
    const __m256i less = _mm256_packs_epi32(_mm256_cmpgt_epi64(value, a), _mm256_cmpgt_epi64(value, b));
    return (uint32_t)_mm_popcnt_u32((uint32_t)_mm256_movemask_epi8(less)) / 4;
}

static ALWAYS_INLINE uint32_t few_ports(const uint16_t *ends, uint16_t x) {
    const __m256i line = _mm256_loadu_si256((const __m256i *)(const void *)ends);
    const __m256i not_less = _mm256_cmpeq_epi16(_mm256_max_epu16(line, _mm256_set1_epi16((short)x)), line);
    return 16 - (uint32_t)_mm_popcnt_u32((uint32_t)_mm256_movemask_epi8(not_less)) / 2;
}

/* At the top all packets meet the same keys: each key is compared with eight packets at once. */
static ALWAYS_INLINE uint32_t search_top4(const address_view *view, const uint32_t *x, uint32_t *place, const unsigned n) {
    const uint32_t level = view->levels - 1, count = view->keys[level];
    const uint32_t *keys = view->level[level];
    const __m256i sign = _mm256_set1_epi32(INT32_MIN);
    for (unsigned i = 0; i < n; i += 32) {
        __m256i value[4], less[4];
        UNROLL(4)
        for (unsigned k = 0; k < 4; k++) {
            value[k] = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(const void *)(x + i + 8 * k)), sign);
            less[k] = _mm256_setzero_si256();
        }
        for (uint32_t j = 0; j < count; j++) {
            const __m256i edge = _mm256_set1_epi32((int)(keys[j] ^ 1u << 31));
            UNROLL(4)
            for (unsigned k = 0; k < 4; k++)
                less[k] = _mm256_sub_epi32(less[k], _mm256_cmpgt_epi32(value[k], edge));
        }
        UNROLL(4)
        for (unsigned k = 0; k < 4; k++)
            _mm256_store_si256((__m256i *)(void *)(place + i + 8 * k), _mm256_slli_epi32(less[k], 4));
    }
    return level;
}

static ALWAYS_INLINE uint32_t search_top6(const address_view *view, const uint64_t *x, uint32_t *place, const unsigned n) {
    const uint32_t level = view->levels - 1, count = view->keys[level];
    const uint64_t *keys = view->level[level];
    const __m256i sign = _mm256_set1_epi64x((long long)(UINT64_C(1) << 63));
    for (unsigned i = 0; i < n; i += 16) {
        __m256i value[4], less[4];
        UNROLL(4)
        for (unsigned k = 0; k < 4; k++) {
            value[k] = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(const void *)(x + i + 4 * k)), sign);
            less[k] = _mm256_setzero_si256();
        }
        for (uint32_t j = 0; j < count; j++) {
            const __m256i edge = _mm256_set1_epi64x((long long)(keys[j] ^ UINT64_C(1) << 63));
            UNROLL(4)
            for (unsigned k = 0; k < 4; k++)
                less[k] = _mm256_sub_epi64(less[k], _mm256_cmpgt_epi64(value[k], edge));
        }
        UNROLL(2)
        for (unsigned k = 0; k < 4; k += 2) { /* the lower halves of the counts, in their order */
            const __m256i both = _mm256_or_si256(less[k], _mm256_slli_epi64(less[k + 1], 32));
            const __m256i order = _mm256_permutevar8x32_epi32(both, _mm256_set_epi32(7, 5, 3, 1, 6, 4, 2, 0));
            _mm256_store_si256((__m256i *)(void *)(place + i + 4 * k), _mm256_slli_epi32(order, 3));
        }
    }
    return level;
}

static ALWAYS_INLINE bool small_records4(const address_view *view, const uint32_t *x, uint32_t *place, const unsigned n) {
    (void)view, (void)x, (void)place, (void)n;
    return false;
}

static ALWAYS_INLINE void split_addresses(const uint8_t *addresses, uint64_t *high, uint64_t *low, const unsigned n) {
    const __m256i turn = _mm256_broadcastsi128_si256(_mm_set_epi8(8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
    for (unsigned i = 0; i < n; i += 4) {
        const __m256i a =
            _mm256_shuffle_epi8(_mm256_loadu_si256((const __m256i *)(const void *)(addresses + (size_t)i * 16)), turn);
        const __m256i b =
            _mm256_shuffle_epi8(_mm256_loadu_si256((const __m256i *)(const void *)(addresses + (size_t)i * 16 + 32)), turn);
        _mm256_store_si256((__m256i *)(void *)(high + i), _mm256_permute4x64_epi64(_mm256_unpacklo_epi64(a, b), 0xd8));
        _mm256_store_si256((__m256i *)(void *)(low + i), _mm256_permute4x64_epi64(_mm256_unpackhi_epi64(a, b), 0xd8));
    }
}

/* Values with their sign bits turned. */
static ALWAYS_INLINE __m256i fold_values(const fold_word *w, __m256i x) {
    const long long sign = (long long)(UINT64_C(1) << 63);
    __m256i shift = _mm256_set1_epi64x((long long)w->shift[0]), top = _mm256_set1_epi64x((long long)w->top[0] ^ sign);
    for (uint32_t k = 1; k < w->windows; k++) {
        const __m256i behind = _mm256_cmpgt_epi64(x, _mm256_set1_epi64x((long long)w->last[k - 1] ^ sign));
        shift = _mm256_blendv_epi8(shift, _mm256_set1_epi64x((long long)w->shift[k]), behind);
        top = _mm256_blendv_epi8(top, _mm256_set1_epi64x((long long)w->top[k] ^ sign), behind);
    }
    const __m256i shifted = _mm256_sub_epi64(x, shift);
    return _mm256_blendv_epi8(shifted, top, _mm256_cmpgt_epi64(shifted, top));
}

static ALWAYS_INLINE void fold_addresses(const fold *f, const uint8_t *addresses, uint64_t *keys, const unsigned n) {
    uint64_t high[BLOCK] LINE_ALIGNED, low[BLOCK] LINE_ALIGNED;
    const __m256i sign = _mm256_set1_epi64x((long long)(UINT64_C(1) << 63));
    const __m128i low_bits = _mm_cvtsi32_si128((int)f->low_bits);
    split_addresses(addresses, high, low, n);
    for (unsigned i = 0; i < n; i += 4) {
        const __m256i h =
            fold_values(&f->word[0], _mm256_xor_si256(_mm256_load_si256((const __m256i *)(void *)(high + i)), sign));
        const __m256i l = fold_values(&f->word[1], _mm256_xor_si256(_mm256_load_si256((const __m256i *)(void *)(low + i)), sign));
        const __m256i shifted = _mm256_sll_epi64(h, low_bits); /* the sign bit goes: where there are ends, there are low bits */
        _mm256_store_si256((__m256i *)(void *)(keys + i), _mm256_or_si256(shifted, _mm256_xor_si256(l, sign)));
    }
}

/* Up to FEW_PORT_ENDS are compared with sixteen packets at once; more are looked up. */
static ALWAYS_INLINE void port_intervals(const port_view *view, const unsigned axis, const uint16_t *x, uint16_t *interval,
                                         const unsigned n) {
    const uint8_t *narrow = view->narrow[axis];
    const uint16_t *wide = view->wide[axis], *ends = view->ends[axis];
    if (narrow) {
        UNROLL(8)
        for (unsigned i = 0; i < n; i++)
            interval[i] = narrow[x[i]];
    } else if (wide) {
        UNROLL(8)
        for (unsigned i = 0; i < n; i++)
            interval[i] = wide[x[i]];
    } else {
        const __m256i sign = _mm256_set1_epi16(INT16_MIN);
        const uint32_t count = view->intervals[axis] - 1;
        for (unsigned i = 0; i < n; i += 32) {
            const __m256i a = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(const void *)(x + i)), sign);
            const __m256i b = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(const void *)(x + i + 16)), sign);
            __m256i a_less = _mm256_setzero_si256(), b_less = _mm256_setzero_si256();
            for (uint32_t k = 0; k < count; k++) {
                const __m256i edge = _mm256_set1_epi16((short)(ends[k] ^ 0x8000));
                a_less = _mm256_sub_epi16(a_less, _mm256_cmpgt_epi16(a, edge));
                b_less = _mm256_sub_epi16(b_less, _mm256_cmpgt_epi16(b, edge));
            }
            _mm256_store_si256((__m256i *)(void *)(interval + i), a_less);
            _mm256_store_si256((__m256i *)(void *)(interval + i + 16), b_less);
        }
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
    const __m256i sign = _mm256_set1_epi8(INT8_MIN);
    for (unsigned i = 0; i < n; i += 32) {
        const __m256i value = _mm256_xor_si256(_mm256_loadu_si256((const __m256i *)(const void *)(x + i)), sign);
        __m256i less = _mm256_setzero_si256();
        for (uint32_t k = 0; k < ends; k++)
            less = _mm256_sub_epi8(less, _mm256_cmpgt_epi8(value, _mm256_set1_epi8((char)(view->protocol_end[k] ^ 0x80))));
        _mm256_store_si256((__m256i *)(void *)(interval + i), less);
    }
}

static ALWAYS_INLINE void port_cells(const port_view *view, const side_packets *p, size_t at, uint32_t *cells, const unsigned n) {
    uint16_t sport[BLOCK] LINE_ALIGNED, dport[BLOCK] LINE_ALIGNED;
    uint8_t protocol[BLOCK] LINE_ALIGNED;
    port_intervals(view, 0, p->sport + at, sport, n);
    port_intervals(view, 1, p->dport + at, dport, n);
    protocol_intervals(view, p->protocol + at, protocol, n);
    const uint32_t dports = view->intervals[1], protocols = view->protocols;
    for (unsigned i = 0; i < n; i++)
        cells[i] = (sport[i] * dports + dport[i]) * protocols + protocol[i];
}

/* Bits 16 * i: rule i of two holds the ports. Lanes of a rule: three values and their three widths; every fourth lane is of the
 * id. */
static ALWAYS_INLINE uint32_t two_rules(const port_rule *rules, __m256i ports) {
    const __m256i rule = _mm256_loadu_si256((const __m256i *)(const void *)rules), width = _mm256_shuffle_epi32(rule, 0x4e);
    const __m256i within = _mm256_cmpeq_epi16(_mm256_max_epu16(_mm256_sub_epi16(ports, rule), width), width);
    const uint32_t lanes = (uint32_t)_mm256_movemask_epi8(within);
    return lanes & lanes >> 2 & lanes >> 4 & 0x00010001;
}

static ALWAYS_INLINE uint64_t four_rules(const port_rule *rules, __m256i ports) {
    return two_rules(rules, ports) | (uint64_t)two_rules(rules + 2, ports) << 32;
}

static ALWAYS_INLINE uint32_t first_port_rule(const port_rule *rules, uint32_t count, uint64_t ports, uint32_t best) {
    const __m256i all_ports = _mm256_set1_epi64x((long long)ports);
    uint64_t hits = _bzhi_u64(four_rules(rules, all_ports), 16 * count);
    while (__builtin_expect(!hits & (count == 4), 0)) {
        rules += 4;
        if ((rules->id_low | (uint32_t)rules->id_high << 16) >= best)
            return NO_ID;
        hits = four_rules(rules, all_ports);
    }
    rules += _tzcnt_u64(hits | UINT64_C(1) << 63) >> 4;
    return (rules->id_low | (uint32_t)rules->id_high << 16) | (uint32_t)opaque(0 - (uint64_t)(hits == 0));
}

const isa isa_avx2 = {"avx2", classify4, classify6, match4, match6};

#else
typedef int not_for_this_machine; /* a file of C must hold something */
#endif
