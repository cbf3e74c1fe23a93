/*
 * open_avx2 - what the AVX2 kernels of open streams have in common (open_lanes, open_runs).
 *
 * Of eight streams a value of 32 bits is one register, one of 64 bits two halves. Lane i of 32 bits
 * is lane i / 2 of half i % 2: so a half is a shift away from the whole. Conditions are words of
 * ones or zeros. The names are short, because they are the words the kernels are written in.
 */
#ifndef HEARTH_ENCODING_OPEN_AVX2_H
#define HEARTH_ENCODING_OPEN_AVX2_H

#if defined(__x86_64__)
#    include <immintrin.h>

#    include "encoding/open_codec.h"

#    define AVX2      __attribute__((target("avx2,fma")))
/* What registers are stored into is read and written in parts. */
#    define IN_MEMORY __attribute__((may_alias))

enum {
    LANES = 8,
    HALVES = 2,
    HALF_LANES = LANES / HALVES,
    LENGTH_BIAS = 3, /* as open_low_bits rounds */
    DOUBLE_BITS = 52,
    DOUBLE_BIAS = 1023
};

/* Where the lane is in an array of words of 64 bits. */
static inline uint32_t slot(uint32_t lane)
{
    return lane % HALVES * HALF_LANES + lane / HALVES;
}

static AVX2 ALWAYS_INLINE __m256i each(int32_t v)
{
    return _mm256_set1_epi32(v);
}

static AVX2 ALWAYS_INLINE __m256i each64(int64_t v)
{
    return _mm256_set1_epi64x(v);
}

/* The lanes whose first bit is set. */
static AVX2 ALWAYS_INLINE uint32_t lanes_of(__m256i v)
{
    return (uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(v));
}

/* Ones in the lanes of a mask. */
static AVX2 ALWAYS_INLINE __m256i ones_in(uint32_t lanes)
{
    const __m256i bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_cmpeq_epi32(_mm256_and_si256(each((int32_t)lanes), bit), bit);
}

/* The first bit of each lane, in all of it. */
static AVX2 ALWAYS_INLINE __m256i spread(__m256i v)
{
    return _mm256_srai_epi32(v, 31);
}

/* ---- Between 8 lanes of 32 bits and 2 times 4 of 64 ---- */

static AVX2 ALWAYS_INLINE void widen(__m256i v, __m256i out[HALVES])
{
    out[0] = _mm256_blend_epi32(v, _mm256_setzero_si256(), 0xAA);
    out[1] = _mm256_srli_epi64(v, 32);
}

static AVX2 ALWAYS_INLINE void widen_signed(__m256i v, __m256i out[HALVES])
{
    __m256i signs = spread(v);
    out[0] = _mm256_blend_epi32(v, _mm256_slli_epi64(signs, 32), 0xAA);
    out[1] = _mm256_blend_epi32(_mm256_srli_epi64(v, 32), signs, 0xAA);
}

static AVX2 ALWAYS_INLINE __m256i low_words(const __m256i v[HALVES])
{
    return _mm256_blend_epi32(v[0], _mm256_slli_epi64(v[1], 32), 0xAA);
}

static AVX2 ALWAYS_INLINE __m256i high_words(const __m256i v[HALVES])
{
    return _mm256_blend_epi32(_mm256_srli_epi64(v[0], 32), v[1], 0xAA);
}

/* How many bits numbers of 64 bits have; of those below 2^52. */
static AVX2 ALWAYS_INLINE __m256i lengths(const __m256i v[HALVES])
{
    const __m256i two_52 = _mm256_castpd_si256(_mm256_set1_pd(0x1p52));
    __m256i exponents[HALVES];
    for (uint32_t h = 0; h < HALVES; h++) {
        __m256d number = _mm256_castsi256_pd(_mm256_or_si256(v[h], two_52)); /* exact */
        number = _mm256_sub_pd(number, _mm256_set1_pd(0x1p52));
        exponents[h] = _mm256_srli_epi64(_mm256_castpd_si256(number), DOUBLE_BITS);
    }
    return _mm256_subs_epu16(low_words(exponents), each(DOUBLE_BIAS - 1));
}

/* Numbers of 64 bits with sign, and where they do not fit something of their sign that is farther
 * than any slope. */
static AVX2 ALWAYS_INLINE __m256i nearest(const __m256i v[HALVES])
{
    __m256i low = low_words(v);
    __m256i high = high_words(v);
    __m256i farthest = _mm256_xor_si256(spread(high), each(INT32_MAX));
    return _mm256_blendv_epi8(farthest, low, _mm256_cmpeq_epi32(high, spread(low)));
}

/* ---- As open_codec ---- */

/* The same in each lane. There are more of them than registers, and GCC would make each anew for
 * every sample, with three instructions; from here it is an operand. */
struct constants {
    __m256i one;
    __m256i three;
    __m256i rounding; /* of a length */
    __m256i pages_few;
    __m256i page_shift;
    __m256i page_mask;
    __m256i near_max;
    __m256i near_min;
    __m256i trend_max;
    __m256i trend_min;
    __m256d magic;
};

static AVX2 inline void constants_init(struct constants *k)
{
    *k = (struct constants){
        .one = each(1),
        .three = each(3),
        .rounding = each(3 + LENGTH_BIAS),
        .pages_few = each(OPEN_PAGES_MIN - 1),
        .page_shift = each(OPEN_PAGE_SHIFT),
        .page_mask = each((1 << OPEN_PAGE_SHIFT) - 1),
        .near_max = each((1 << 27) - 1),
        .near_min = each(1 - (1 << 27)),
        .trend_max = each(OPEN_TREND_MAX),
        .trend_min = each(-OPEN_TREND_MAX),
        .magic = _mm256_set1_pd(DECIMAL_MAGIC),
    };
}

/* What streams have taught of the next difference of mantissas; of 32 bits each. */
struct learned {
    __m256i slope;
    __m256i trend;
    __m256i pages;  /* without end */
    __m256i length; /* and LENGTH_BIAS */
};

/* What the last one was, in the lanes where there was one; elsewhere the difference is 0. */
struct lesson {
    __m256i low;  /* words of the differences */
    __m256i near; /* themselves, or what has their sign and is as far as any slope */
    __m256i bits; /* of the residuals */
};

/* As open_learn, where something changed; sloping: the slope without its sixteenths. */
static AVX2 ALWAYS_INLINE void learn(struct learned *s, const struct constants *k, __m256i changed,
                                     __m256i sloping, const struct lesson *lesson)
{
    const __m256i near = _mm256_max_epi32(_mm256_min_epi32(lesson->near, k->near_max), k->near_min);

    /* zigzag(difference - sloping) < zigzag(difference) as one comparison: by the sign of the slope
     * it is whether twice the difference is below it. Without a slope they are the same. */
    __m256i above = _mm256_sub_epi32(_mm256_add_epi32(near, near), sloping);
    __m256i gain = _mm256_sign_epi32(_mm256_or_si256(spread(above), k->one), sloping);
    __m256i trend = _mm256_add_epi32(s->trend, _mm256_and_si256(gain, changed));
    s->trend = _mm256_max_epi32(_mm256_min_epi32(trend, k->trend_max), k->trend_min);

    /* slope + ((near * 16 - slope) >> 2), in 32 bits */
    __m256i flatter = _mm256_srai_epi32(_mm256_add_epi32(s->slope, k->three), 2);
    __m256i steeper = _mm256_sub_epi32(_mm256_slli_epi32(near, 2), flatter);
    s->slope = _mm256_add_epi32(s->slope, _mm256_and_si256(steeper, changed));

    /* length + ((bits * 4 - length + 3) >> 2) */
    __m256i shorter = _mm256_srai_epi32(_mm256_sub_epi32(k->rounding, s->length), 2);
    __m256i longer = _mm256_add_epi32(shorter, lesson->bits);
    s->length = _mm256_add_epi32(s->length, _mm256_and_si256(longer, changed));

    /* What has not changed differs by nothing, but is not counted. */
    __m256i in_page = _mm256_and_si256(lesson->low, k->page_mask);
    __m256i page = _mm256_cmpeq_epi32(in_page, _mm256_setzero_si256());
    s->pages = _mm256_and_si256(_mm256_sub_epi32(s->pages, changed), page);
}

/* What is expected of the next differences, as open_codec.h says of one. */
static AVX2 ALWAYS_INLINE __m256i sloping_of(const struct learned *s)
{
    return _mm256_srai_epi32(s->slope, 4);
}

static AVX2 ALWAYS_INLINE __m256i follows_slope(const struct learned *s)
{
    return _mm256_cmpgt_epi32(s->trend, _mm256_setzero_si256());
}

static AVX2 ALWAYS_INLINE __m256i page_shift_of(const struct learned *s, const struct constants *k,
                                                __m256i follows)
{
    __m256i in_pages = _mm256_cmpgt_epi32(s->pages, k->pages_few);
    return _mm256_andnot_si256(follows, _mm256_and_si256(in_pages, k->page_shift));
}

static AVX2 ALWAYS_INLINE __m256i low_bits_of(const struct learned *s, const struct constants *k)
{
    return _mm256_subs_epu16(_mm256_srli_epi32(s->length, 2), k->one);
}

/* The open_state of the streams, and the bits beside it: as a reader the next ones, as a writer
 * those that do not fill a word yet; the first one most significant. */
struct states {
    __m256i word[HALVES];
    __m256i t_ms[HALVES];
    __m256i v_bits[HALVES];
    __m256i shifted[HALVES]; /* mantissas, with the bits of DECIMAL_MAGIC added */
    __m256i late_ms;
    struct learned learned;
};

/* The same in memory. */
struct IN_MEMORY state_words {
    uint64_t word[LANES];
    int64_t t_ms[LANES];
    uint64_t v_bits[LANES];
    uint64_t shifted[LANES];
    int32_t late_ms[LANES];
    int32_t slope[LANES];
    int32_t trend[LANES];
    uint32_t pages[LANES];
    uint32_t length[LANES];
};
_Static_assert(sizeof(struct state_words) == sizeof(struct states), "field by field");

/* An assignment would be a copy in memory. */
static AVX2 ALWAYS_INLINE void states_copy(struct states *to, const struct states *from)
{
    for (uint32_t h = 0; h < HALVES; h++) {
        to->word[h] = from->word[h];
        to->t_ms[h] = from->t_ms[h];
        to->v_bits[h] = from->v_bits[h];
        to->shifted[h] = from->shifted[h];
    }
    to->late_ms = from->late_ms;
    to->learned.slope = from->learned.slope;
    to->learned.trend = from->learned.trend;
    to->learned.pages = from->learned.pages;
    to->learned.length = from->learned.length;
}

/* One lane of them; what is not there (scale, step_ms, bits) is not touched. */
static inline void lane_from_state(struct state_words *w, uint32_t i,
                                   const struct open_state *state)
{
    w->t_ms[slot(i)] = state->t_ms;
    w->v_bits[slot(i)] = state->v_bits;
    w->shifted[slot(i)] = (uint64_t)state->mantissa + bits_from_double(DECIMAL_MAGIC);
    w->late_ms[i] = +state->late_ms;
    w->slope[i] = state->slope;
    w->trend[i] = +state->trend;
    w->pages[i] = state->pages;
    w->length[i] = state->length + LENGTH_BIAS;
}

static inline void lane_to_state(const struct state_words *w, uint32_t i, struct open_state *state)
{
    state->t_ms = w->t_ms[slot(i)];
    state->v_bits = w->v_bits[slot(i)];
    state->mantissa = (int64_t)(w->shifted[slot(i)] - bits_from_double(DECIMAL_MAGIC));
    state->late_ms = (int8_t)w->late_ms[i];
    state->slope = w->slope[i];
    state->trend = (int8_t)w->trend[i];
    state->pages = w->pages[i] > OPEN_PAGES_MIN ? OPEN_PAGES_MIN : w->pages[i] & 3;
    state->length = (uint8_t)(w->length[i] - LENGTH_BIAS);
}

/* The scales of the streams, as sums to multiply by: an inverse, or a factor and nothing. */
struct scales {
    __m256d high[HALVES];
    __m256d low[HALVES];
    __m256d high_again[HALVES];
    __m256d low_again[HALVES];
    bool scales; /* any lane */
    bool scales_again;
};

/* The same in memory. */
struct IN_MEMORY scale_words {
    double high[LANES];
    double low[LANES];
    double high_again[LANES];
    double low_again[LANES];
    bool scales;
    bool scales_again;
};
_Static_assert(offsetof(struct scale_words, scales_again) == offsetof(struct scales, scales_again),
               "field by field");

/* Of all lanes, one after the other; `any` begins with no lane. */
static inline void scale_set(struct scale_words *any, uint32_t i, uint32_t scale)
{
    struct decimal_inverse first;
    struct decimal_inverse again;
    decimal_factors(scale, &first, &again);
    any->high[slot(i)] = first.high;
    any->low[slot(i)] = first.low;
    any->high_again[slot(i)] = again.high;
    any->low_again[slot(i)] = again.low;
    any->scales |= first.high != 1;
    any->scales_again |= again.high != 1;
}

/* As decimal_value, of mantissas with the bits of DECIMAL_MAGIC added. */
static AVX2 ALWAYS_INLINE __m256i value_of(const struct scales *c, const struct constants *k,
                                           uint32_t h, __m256i shifted)
{
    __m256d v = _mm256_sub_pd(_mm256_castsi256_pd(shifted), k->magic);
    if (c->scales) v = _mm256_fmadd_pd(v, c->high[h], _mm256_mul_pd(v, c->low[h]));
    if (c->scales_again)
        v = _mm256_fmadd_pd(v, c->high_again[h], _mm256_mul_pd(v, c->low_again[h]));
    return _mm256_castpd_si256(v);
}

#endif
#endif
