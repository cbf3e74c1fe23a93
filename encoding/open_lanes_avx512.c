/*
 * open_lanes - sixteen streams in the lanes of AVX-512 registers.
 *
 * A field of open_state is a register of 16 lanes of 32 bits, or two of 8 lanes of 64 bits where
 * its values need so many. The formulas are those of open_codec.c and open_codec.h, with masks in
 * place of conditions. It is the number of instructions that decides how fast this is: what can be
 * told in 32 bits is, and what is needed only off the grid is left out when nobody is. Masks come
 * late: what waits for one waits seven cycles, so what follows a comparison is arithmetic where it
 * can be.
 */
#include "encoding/open_lanes.h"

#if defined(__x86_64__)
#    include "encoding/avx512.h"
#    include "encoding/decimal.h"

#    define AVX512 __attribute__((target("avx512f,avx512cd,avx512dq,avx512bw")))

enum {
    HALVES = 2,
    HALF_LANES = OPEN_LANES / HALVES,
    FIRST_SAMPLES = 2, /* decoded apart: the second one makes the grid */
    BLOCK_SAMPLES = 8,
    FEW_BITS = 40,       /* a lane that has less may have no whole sample */
    FILLED_BITS = 56,    /* there are so many in a lane when it is filled, or more */
    LOW_MAX = 44,        /* with more low bits differences of mantissas could overflow */
    PAIR_LOW_MAX = 20,   /* so many, or fewer: a filled lane has two usual samples */
    FOUR_LOW_MAX = 9,    /* it has four */
    NARROW_LOW_MAX = 15, /* a difference of pages has 32 bits */
    NARROW_LOW_BEGIN = NARROW_LOW_MAX - 2, /* it may grow over a block */
    LENGTH_BIAS = 3,                       /* as open_low_bits rounds */
    HEAD_REPEATS = 1,
    HEAD_CHANGED = 2,
    HEAD_LATE = 3 + OPEN_LATE_BITS + 1
};
/* With more samples than that a stream is decoded alone: times of fewer cannot overflow. */
static const uint32_t count_max = 1 << 30;

/* What is known of each stream behind a sample. Lane i of 32 bits is lane i / 2 of half i % 2: so
 * a half is a shift away from the whole. */
struct lanes {
    __m512i word[HALVES]; /* the next bits, most significant first */
    __m512i at[HALVES];   /* the address of the byte behind them */
    __m512i t_ms[HALVES];
    __m512i shifted[HALVES]; /* mantissas, with the bits of DECIMAL_MAGIC added */
    __m512i v_bits[HALVES];
    __m512i valid; /* how many bits of the word count: 56 or more when filled */
    __m512i late_ms;
    __m512i slope;
    __m512i trend;
    __m512i pages;      /* without end */
    __m512i length;     /* and LENGTH_BIAS */
    __mmask16 off_grid; /* late_ms is not zero */
    __mmask16 strays;   /* the last value is not that of the mantissa */
};

/* An assignment would be a copy in memory, of a sixth of the time. */
static AVX512 ALWAYS_INLINE void lanes_copy(struct lanes *to, const struct lanes *from)
{
    for (uint32_t h = 0; h < HALVES; h++) {
        to->word[h] = from->word[h];
        to->at[h] = from->at[h];
        to->t_ms[h] = from->t_ms[h];
        to->shifted[h] = from->shifted[h];
        to->v_bits[h] = from->v_bits[h];
    }
    to->valid = from->valid;
    to->late_ms = from->late_ms;
    to->slope = from->slope;
    to->trend = from->trend;
    to->pages = from->pages;
    to->length = from->length;
    to->off_grid = from->off_grid;
    to->strays = from->strays;
}

/* GCC makes a constant that it knows anew for every sample, with two instructions; one in memory is
 * an operand, a twenty-fifth less time. */
struct constants {
    int32_t one;
    int32_t three;
    int32_t ones_max;
    int32_t narrow_low_max;
    int32_t bits_31;
    int32_t bits_64;
    int32_t near_max; /* of differences that are learned from */
    int32_t near_min;
    int32_t trend_max;
    int32_t trend_min;
    int32_t page_mask;
    int32_t page_shift;
    int32_t rounding; /* of lengths, and 32 bits */
};

static const struct constants constants = {
    .one = 1,
    .three = 3,
    .ones_max = OPEN_ONES_MAX,
    .narrow_low_max = NARROW_LOW_MAX,
    .bits_31 = 31,
    .bits_64 = 64,
    .near_max = (1 << 27) - 1,
    .near_min = 1 - (1 << 27),
    .trend_max = OPEN_TREND_MAX,
    .trend_min = -OPEN_TREND_MAX,
    .page_mask = (1 << OPEN_PAGE_SHIFT) - 1,
    .page_shift = OPEN_PAGE_SHIFT,
    .rounding = 32 * 4 + 3 + LENGTH_BIAS,
};

/* What stays as it is over usual samples. */
struct fixed {
    __m512i last[HALVES]; /* the last addresses that eight bytes may be read at */
    __m512i step_ms;
    __m512d high[HALVES]; /* decimal_factors */
    __m512d low[HALVES];
    __m512d high_again[HALVES];
    __m512d low_again[HALVES];
    bool scales; /* any lane */
    bool scales_again;
    struct constants k;
};

/* The same in memory, for what is done lane by lane. */
struct lane_words {
    uint64_t word[OPEN_LANES];
    const uint8_t *at[OPEN_LANES];
    int64_t t_ms[OPEN_LANES];
    uint64_t shifted[OPEN_LANES];
    uint64_t v_bits[OPEN_LANES];
    uint32_t valid[OPEN_LANES];
    int32_t late_ms[OPEN_LANES];
    int32_t slope[OPEN_LANES];
    int32_t trend[OPEN_LANES];
    uint32_t pages[OPEN_LANES];
    uint32_t length[OPEN_LANES];
    __mmask16 off_grid;
    __mmask16 strays;
};
struct fixed_words {
    const uint8_t *last[OPEN_LANES];
    int32_t step_ms[OPEN_LANES];
    double high[OPEN_LANES];
    double low[OPEN_LANES];
    double high_again[OPEN_LANES];
    double low_again[OPEN_LANES];
    bool scales;
    bool scales_again;
    struct constants k;
};
_Static_assert(offsetof(struct lane_words, off_grid) == offsetof(struct lanes, off_grid),
               "field by field");
_Static_assert(offsetof(struct fixed_words, k) == offsetof(struct fixed, k), "field by field");

static AVX512 ALWAYS_INLINE __m512i each(int32_t v)
{
    return _mm512_set1_epi32(v);
}

static AVX512 ALWAYS_INLINE __m512i each64(int64_t v)
{
    return _mm512_set1_epi64(v);
}

/* ---- Between 16 lanes of 32 bits and 2 times 8 of 64 ---- */

static AVX512 ALWAYS_INLINE void widen(__m512i v, __m512i out[HALVES])
{
    out[0] = _mm512_and_si512(v, each64(UINT32_MAX));
    out[1] = _mm512_srli_epi64(v, 32);
}

static AVX512 ALWAYS_INLINE void widen_signed(__m512i v, __m512i out[HALVES])
{
    out[0] = _mm512_srai_epi64(_mm512_slli_epi64(v, 32), 32);
    out[1] = _mm512_srai_epi64(v, 32);
}

static AVX512 ALWAYS_INLINE __m512i low_words(const __m512i v[HALVES], uint32_t halves)
{
    if (halves == 1) return v[0];
    return _mm512_mask_mov_epi32(v[0], 0xAAAA, _mm512_slli_epi64(v[1], 32));
}

static AVX512 ALWAYS_INLINE __m512i high_words(const __m512i v[HALVES], uint32_t halves)
{
    if (halves == 1) return _mm512_srli_epi64(v[0], 32);
    return _mm512_mask_mov_epi32(_mm512_srli_epi64(v[0], 32), 0xAAAA, v[1]);
}

/* ---- One sample of each ---- */

/* As window_fill. Where the next bits are is known since the lanes were filled last, so that
 * nobody waits for them. */
static AVX512 ALWAYS_INLINE void fill(struct lanes *s, const struct fixed *c, uint32_t halves)
{
    const __m512i swap =
        _mm512_broadcast_i32x4(_mm_set_epi8(8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
    __m512i valid[HALVES];
    __m512i bytes[HALVES];
    widen(s->valid, valid);
    widen(_mm512_srli_epi32(_mm512_sub_epi32(each(63), s->valid), 3), bytes);
    for (uint32_t h = 0; h < halves; h++) {
        __mmask8 inside = _mm512_cmple_epu64_mask(s->at[h], c->last[h]);
        __m512i more = _mm512_mask_i64gather_epi64(_mm512_setzero_si512(), inside, s->at[h],
                                                   (const void *)0, 1);
        more = _mm512_srlv_epi64(_mm512_shuffle_epi8(more, swap), valid[h]);
        s->word[h] = _mm512_or_si512(s->word[h], more);
        s->at[h] = _mm512_add_epi64(s->at[h], bytes[h]);
    }
    s->valid = _mm512_or_si512(s->valid, each(FILLED_BITS));
}

/* What a difference of mantissas says of the next one. */
struct lesson {
    __m512i near;     /* the difference, clamped */
    __m512i low;      /* its low 32 bits */
    __m512i zeros;    /* before the residual */
    __m512i rounding; /* of lengths, and as many bits as the residual could have */
};

/* As open_learn, in the lanes of the mask; sloping: the slope without its sixteenths. */
static AVX512 ALWAYS_INLINE void learn(struct lanes *s, const struct constants *c, __mmask16 k,
                                       __m512i sloping, const struct lesson *lesson)
{
    const __m512i near = lesson->near;

    /* zigzag(difference - sloping) < zigzag(difference) as one comparison: by the sign of the slope
     * it is whether twice the difference is below it. Without a slope they are the same. */
    __mmask16 learns = _mm512_mask_test_epi32_mask(k, sloping, sloping);
    __m512i above = _mm512_sub_epi32(_mm512_add_epi32(near, near), sloping);
    __m512i farther = _mm512_srai_epi32(_mm512_xor_si512(above, sloping), 31);
    __m512i gain = _mm512_or_si512(farther, each(c->one));
    __m512i trend = _mm512_mask_add_epi32(s->trend, learns, s->trend, gain);
    s->trend = _mm512_max_epi32(_mm512_min_epi32(trend, each(c->trend_max)), each(c->trend_min));

    /* slope + ((near * 16 - slope) >> 2), in 32 bits */
    __m512i flatter = _mm512_srai_epi32(_mm512_add_epi32(s->slope, each(c->three)), 2);
    __m512i steeper = _mm512_sub_epi32(_mm512_slli_epi32(near, 2), flatter);
    s->slope = _mm512_mask_add_epi32(s->slope, k, s->slope, steeper);

    /* length + ((bits * 4 - length + 3) >> 2): bits, which wait for the residual, come last. */
    __m512i most = _mm512_srai_epi32(_mm512_sub_epi32(lesson->rounding, s->length), 2);
    most = _mm512_add_epi32(most, s->length);
    s->length = _mm512_mask_sub_epi32(s->length, k, most, lesson->zeros);

    __mmask16 page = _mm512_testn_epi32_mask(lesson->low, each(c->page_mask));
    __m512i pages = _mm512_maskz_add_epi32(page, s->pages, each(c->one));
    s->pages = _mm512_mask_mov_epi32(s->pages, k, pages);
}

/* What is known of a sample's value before its bits are looked at, and how they are laid out. What
 * is not changed has so many low bits that its residual is shifted out. */
struct expectation {
    __m512i expected; /* difference */
    __m512i page_shift;
    __m512i ones;
    __m512i low;
};

/* Differences of mantissas, where all residuals have 32 bits; ahead: what is behind the head of the
 * sample. */
static AVX512 ALWAYS_INLINE struct lesson narrow_difference(const struct constants *c,
                                                            const struct expectation *e,
                                                            __m512i ahead,
                                                            __m512i difference[HALVES])
{
    /* The bit between the ones and the low ones is zero. */
    __m512i residual = _mm512_srlv_epi32(_mm512_sllv_epi32(ahead, e->ones),
                                         _mm512_sub_epi32(each(c->bits_31), e->low));
    residual = _mm512_or_si512(residual, _mm512_sllv_epi32(e->ones, e->low));
    __m512i sign =
        _mm512_sub_epi32(_mm512_setzero_si512(), _mm512_and_si512(residual, each(c->one)));
    __m512i off = _mm512_xor_si512(_mm512_srli_epi32(residual, 1), sign);
    __m512i low = _mm512_add_epi32(_mm512_sllv_epi32(off, e->page_shift), e->expected);
    __m512i near = _mm512_max_epi32(_mm512_min_epi32(low, each(c->near_max)), each(c->near_min));
    widen_signed(low, difference);
    return (struct lesson){.near = near,
                           .low = low,
                           .zeros = _mm512_lzcnt_epi32(residual),
                           .rounding = each(c->rounding)};
}

static AVX512 ALWAYS_INLINE struct lesson
wide_difference(const struct constants *c, const struct expectation *e, const __m512i ahead[HALVES],
                __m512i difference[HALVES], uint32_t halves)
{
    __m512i ones[HALVES];
    __m512i low[HALVES];
    __m512i high[HALVES];
    __m512i expected[HALVES];
    __m512i page_shift[HALVES];
    __m512i near[HALVES];
    __m512i zeros[HALVES];
    widen(e->ones, ones);
    widen(e->low, low);
    widen(_mm512_sub_epi32(each(63), e->low), high);
    widen_signed(e->expected, expected);
    widen(e->page_shift, page_shift);
    for (uint32_t h = 0; h < halves; h++) {
        __m512i residual = _mm512_srlv_epi64(_mm512_sllv_epi64(ahead[h], ones[h]), high[h]);
        residual = _mm512_or_si512(residual, _mm512_sllv_epi64(ones[h], low[h]));
        __m512i sign =
            _mm512_sub_epi64(_mm512_setzero_si512(), _mm512_and_si512(residual, each64(1)));
        __m512i off = _mm512_xor_si512(_mm512_srli_epi64(residual, 1), sign);
        zeros[h] = _mm512_lzcnt_epi64(residual);
        difference[h] = _mm512_add_epi64(_mm512_sllv_epi64(off, page_shift[h]), expected[h]);
        near[h] = _mm512_max_epi64(_mm512_min_epi64(difference[h], each64(c->near_max)),
                                   each64(c->near_min));
    }
    return (struct lesson){.near = low_words(near, halves),
                           .low = low_words(difference, halves),
                           .zeros = low_words(zeros, halves),
                           .rounding = each(c->rounding + 32 * 4)};
}

/* As decimal_value. */
static AVX512 ALWAYS_INLINE __m512i value_of(const struct fixed *c, uint32_t h, __m512i shifted)
{
    __m512d v = _mm512_sub_pd(_mm512_castsi512_pd(shifted), _mm512_set1_pd(DECIMAL_MAGIC));
    if (c->scales) v = _mm512_fmadd_pd(v, c->high[h], _mm512_mul_pd(v, c->low[h]));
    if (c->scales_again)
        v = _mm512_fmadd_pd(v, c->high_again[h], _mm512_mul_pd(v, c->low_again[h]));
    return _mm512_castpd_si512(v);
}

/* Values that are none of their mantissas stay, until they change. */
static AVX512 ALWAYS_INLINE void keep_strays(const struct lanes *s, __m512i v_bits[HALVES],
                                             uint32_t halves)
{
    __m512i stays[HALVES];
    widen_signed(_mm512_movm_epi32(s->strays), stays);
    for (uint32_t h = 0; h < halves; h++)
        v_bits[h] = _mm512_mask_mov_epi64(v_bits[h], _mm512_movepi64_mask(stays[h]), s->v_bits[h]);
}

/* What the first bits of a sample say, besides its value. */
struct head {
    __m512i bits; /* when there is a value; else one */
    __m512i lateness;
    __mmask16 changed;
    __mmask16 known; /* it is for here */
    bool on_grid;    /* all lanes: there is nothing but `changed` */
};

static AVX512 ALWAYS_INLINE struct head read_head(__m512i top, __mmask16 first, __mmask16 second)
{
    __mmask16 third = _mm512_test_epi32_mask(top, each(1 << 29));
    __mmask16 late = (__mmask16)(second & ~third);
    __mmask16 changed = _mm512_mask_test_epi32_mask(late, top, each(1 << (32 - HEAD_LATE)));
    __m512i bits = _mm512_mask_mov_epi32(each(1), first, each(2));
    return (struct head){
        .bits = _mm512_mask_mov_epi32(bits, late, each(HEAD_LATE)),
        .lateness = _mm512_maskz_srai_epi32(late, _mm512_slli_epi32(top, 3), 32 - OPEN_LATE_BITS),
        .changed = (__mmask16)(changed | (first & ~second)),
        .known = (__mmask16) ~(second & third),
    };
}

/* The bits behind the heads: of all 64 when residuals may need them, of 32 in any case. */
static AVX512 ALWAYS_INLINE __m512i skip_heads(const struct lanes *s, const struct head *head,
                                               __m512i ahead[HALVES], uint32_t halves, bool wide)
{
    if (head->on_grid && !wide) return _mm512_slli_epi32(high_words(s->word, halves), HEAD_CHANGED);
    __m512i head_bits[HALVES];
    if (!head->on_grid) widen(head->bits, head_bits);
    for (uint32_t h = 0; h < halves; h++)
        ahead[h] = head->on_grid ? _mm512_slli_epi64(s->word[h], HEAD_CHANGED)
                                 : _mm512_sllv_epi64(s->word[h], head_bits[h]);
    return high_words(ahead, halves);
}

/* What is expected of the samples' values, in the lanes where they changed. */
static AVX512 ALWAYS_INLINE struct expectation expect(const struct lanes *s,
                                                      const struct constants *c, __mmask16 changed,
                                                      __m512i sloping, __m512i ones, __m512i low)
{
    const __m512i follows =
        _mm512_srai_epi32(_mm512_sub_epi32(_mm512_setzero_si512(), s->trend), 31);
    const __m512i in_pages = _mm512_srai_epi32(_mm512_sub_epi32(each(c->one), s->pages), 31);
    return (struct expectation){
        .expected = _mm512_maskz_and_epi32(changed, sloping, follows),
        .page_shift = _mm512_andnot_si512(follows, _mm512_and_si512(in_pages, each(c->page_shift))),
        .ones = ones,
        .low = _mm512_mask_mov_epi32(each(c->bits_64), changed, low),
    };
}

/* One sample of each active lane that has a usual one; returns the lanes that have not. Those of
 * `all` stay as they are then; others may do anything. */
static AVX512 ALWAYS_INLINE __mmask16 take(struct lanes *s, const struct fixed *c, __mmask16 all,
                                           __mmask16 active, const struct head *head,
                                           uint32_t halves, bool wide)
{
    const bool on_grid = head->on_grid;
    __m512i ahead[HALVES];
    __m512i step_ms = c->step_ms;
    __mmask16 k = active;
    if (!on_grid) {
        step_ms = _mm512_add_epi32(step_ms, _mm512_sub_epi32(head->lateness, s->late_ms));
        k = _mm512_mask_cmpgt_epi32_mask(k & head->known, step_ms, _mm512_setzero_si512());
    }
    __m512i ahead32 = skip_heads(s, head, ahead, halves, wide);
    __m512i ones = _mm512_lzcnt_epi32(_mm512_xor_si512(ahead32, each(-1)));
    __m512i low = _mm512_subs_epu16(_mm512_srli_epi32(s->length, 2), each(c->k.one));
    __m512i bits = _mm512_add_epi32(ones, low);
    bits = on_grid ? _mm512_mask_add_epi32(each(c->k.one), head->changed, bits, each(c->k.three))
                   : _mm512_mask_add_epi32(head->bits, head->changed, bits,
                                           _mm512_add_epi32(head->bits, each(c->k.one)));
    k = _mm512_mask_cmple_epu32_mask(k, bits, s->valid);
    k &= (__mmask16)~_mm512_mask_cmpge_epu32_mask(head->changed, ones, each(c->k.ones_max));
    k &= (__mmask16)~_mm512_mask_cmpgt_epu32_mask(head->changed, low,
                                                  each(wide ? LOW_MAX : c->k.narrow_low_max));
    __mmask16 changed = head->changed;
    if (UNLIKELY(all & ~k)) { /* else nobody waits for k; lanes that are none do anything */
        changed &= k;
        bits = _mm512_maskz_mov_epi32(k, bits);
        step_ms = _mm512_maskz_mov_epi32(k, step_ms);
    }
    s->valid = _mm512_sub_epi32(s->valid, bits);

    __m512i bits64[HALVES];
    __m512i step64[HALVES];
    __m512i difference[HALVES];
    __m512i v_bits[HALVES];
    const __m512i sloping = _mm512_srai_epi32(s->slope, 4);
    const struct expectation e = expect(s, &c->k, changed, sloping, ones, low);
    widen(bits, bits64);
    widen(step_ms, step64);
    const struct lesson lesson = wide ? wide_difference(&c->k, &e, ahead, difference, halves)
                                      : narrow_difference(&c->k, &e, ahead32, difference);
    learn(s, &c->k, changed, sloping, &lesson);
    for (uint32_t h = 0; h < halves; h++) {
        s->word[h] = _mm512_sllv_epi64(s->word[h], bits64[h]);
        s->t_ms[h] = _mm512_add_epi64(s->t_ms[h], step64[h]);
        s->shifted[h] = _mm512_add_epi64(s->shifted[h], difference[h]);
        v_bits[h] = value_of(c, h, s->shifted[h]);
    }
    s->strays &= (__mmask16)~changed;
    if (UNLIKELY(s->strays)) keep_strays(s, v_bits, halves);
    for (uint32_t h = 0; h < halves; h++)
        s->v_bits[h] = v_bits[h];
    if (!on_grid) {
        __mmask16 moves = _mm512_cmpneq_epi32_mask(head->lateness, s->late_ms);
        __m512i late_ms = _mm512_maskz_mov_epi32(moves, head->lateness);
        s->late_ms = _mm512_mask_mov_epi32(s->late_ms, k, late_ms);
        s->off_grid = _mm512_mask_test_epi32_mask(all, s->late_ms, s->late_ms);
    }
    return active & (__mmask16)~k;
}

static AVX512 ALWAYS_INLINE __mmask16 take_usual(struct lanes *s, const struct fixed *c,
                                                 __mmask16 all, __mmask16 active, uint32_t halves,
                                                 bool wide)
{
    __m512i top = high_words(s->word, halves);
    __mmask16 first = _mm512_movepi32_mask(top);
    __mmask16 second = _mm512_mask_test_epi32_mask(first, top, each(1 << 30));
    struct head head = {.changed = first, .on_grid = true};
    if ((active & second) | s->off_grid) {
        head = read_head(top, first, second);
        return take(s, c, all, active, &head, halves, wide);
    }
    return take(s, c, all, active, &head, halves, wide);
}

/* ---- Lane by lane ---- */

struct group {
    union {
        struct lanes lanes;
        struct lane_words words;
    };
    union {
        struct fixed fixed;
        struct fixed_words fixed_words;
    };
    struct open_lane *streams[OPEN_LANES];
    uint32_t scale[OPEN_LANES];
    uint32_t end[OPEN_LANES]; /* up to here samples are decoded in lock step */
    __mmask16 active;         /* the lanes that are not there yet */
};

/* Where the lane is in an array of words of 64 bits. */
static inline uint32_t slot(uint32_t lane)
{
    return lane % HALVES * HALF_LANES + lane / HALVES;
}

static struct open_state lane_state(const struct group *g, uint32_t i)
{
    const struct lane_words *w = &g->words;
    return (struct open_state){
        .t_ms = w->t_ms[slot(i)],
        .v_bits = w->v_bits[slot(i)],
        .mantissa = (int64_t)(w->shifted[slot(i)] - bits_from_double(DECIMAL_MAGIC)),
        .step_ms = g->fixed_words.step_ms[i],
        .slope = w->slope[i],
        .scale = g->scale[i] & 63,
        .pages = w->pages[i] > OPEN_PAGES_MIN ? OPEN_PAGES_MIN : w->pages[i] & 3,
        .late_ms = (int8_t)w->late_ms[i],
        .length = (uint8_t)(w->length[i] - LENGTH_BIAS),
        .trend = (int8_t)w->trend[i],
    };
}

static uint64_t lane_position(const struct group *g, uint32_t i)
{
    return (uint64_t)(g->words.at[slot(i)] - g->streams[i]->bytes) * 8 - g->words.valid[i];
}

static void mask_set(__mmask16 *k, uint32_t i, bool on)
{
    *k = (__mmask16)((*k & ~(1u << i)) | (uint32_t)on << i);
}

static void lane_leave(struct group *g, uint32_t i)
{
    mask_set(&g->active, i, false);
    mask_set(&g->words.off_grid, i, false);
    mask_set(&g->words.strays, i, false);
}

static void lane_set(struct group *g, uint32_t i, const struct open_state *state,
                     const struct bit_reader *r)
{
    struct lane_words *w = &g->words;
    double value = decimal_value(decimal_scale(state->scale), state->mantissa);
    w->t_ms[slot(i)] = state->t_ms;
    w->v_bits[slot(i)] = state->v_bits;
    w->shifted[slot(i)] = (uint64_t)state->mantissa + bits_from_double(DECIMAL_MAGIC);
    w->word[slot(i)] = bit_reader_peek(r);
    w->at[slot(i)] = r->bytes + r->position / 8 + 7;
    w->slope[i] = state->slope;
    w->pages[i] = state->pages;
    w->late_ms[i] = +state->late_ms;
    w->length[i] = state->length + LENGTH_BIAS;
    w->trend[i] = +state->trend;
    w->valid[i] = 56 - (uint32_t)(r->position % 8);
    mask_set(&w->off_grid, i, state->late_ms != 0);
    mask_set(&w->strays, i, bits_from_double(value) != state->v_bits);
    g->fixed_words.step_ms[i] = state->step_ms;
    g->scale[i] = state->scale;
}

/* The lane ends before the sample `done`; the rest of its stream is decoded alone. */
static void lane_finish(struct group *g, uint32_t i, struct bit_reader r, struct open_state state,
                        uint32_t done)
{
    struct open_lane *stream = g->streams[i];
    g->end[i] = done;
    lane_leave(g, i);
    (void)open_lane_decode(stream, &r, &state, done, stream->count);
}

static void scales_load(struct group *g)
{
    struct fixed_words *c = &g->fixed_words;
    c->scales = c->scales_again = false;
    for (uint32_t i = 0; i < OPEN_LANES; i++) {
        bool idle = !(g->active >> i & 1);
        struct decimal_inverse first;
        struct decimal_inverse again;
        decimal_factors(idle ? 0 : g->scale[i], &first, &again);
        c->high[slot(i)] = first.high;
        c->low[slot(i)] = first.low;
        c->high_again[slot(i)] = again.high;
        c->low_again[slot(i)] = again.low;
        c->scales |= first.high != 1;
        c->scales_again |= again.high != 1;
    }
}

/* The sample `done` of the lanes in the mask. */
static void take_alone(struct group *g, __mmask16 lanes, uint32_t done)
{
    bool moved = false;
    for (uint32_t left = lanes; left; left &= left - 1) {
        uint32_t i = (uint32_t)__builtin_ctz(left);
        const struct bit_reader before = open_lane_reader(g->streams[i], lane_position(g, i));
        const struct open_state old = lane_state(g, i);
        struct bit_reader r = before;
        struct open_state state = old;
        bool whole = open_decode_next(&r, &state) && r.position <= r.size_bits;
        if (whole && open_lane_may_go_on(&state))
            lane_set(g, i, &state, &r);
        else
            lane_finish(g, i, before, old, done);
        moved = moved || state.scale != old.scale || g->end[i] == done;
    }
    if (moved) scales_load(g);
}

/* The lanes with more low bits than that. */
static AVX512 ALWAYS_INLINE __mmask16 longer(const struct group *g, int32_t low)
{
    const __m512i length = each((low + 1) * 4 + LENGTH_BIAS);
    return _mm512_mask_cmpgt_epu32_mask(g->active, g->lanes.length, length);
}

/* The same, or only bits were missing, or there were too many. */
static AVX512 NO_INLINE void take_rare(struct group *g, __mmask16 active, uint32_t done)
{
    __mmask16 few = _mm512_cmplt_epu32_mask(g->lanes.valid, each(FEW_BITS));
    if (active & (few | longer(g, NARROW_LOW_MAX))) {
        struct lanes lanes;
        lanes_copy(&lanes, &g->lanes);
        fill(&lanes, &g->fixed, HALVES);
        active = take_usual(&lanes, &g->fixed, g->active, active, HALVES, true);
        lanes_copy(&g->lanes, &lanes);
    }
    if (active) take_alone(g, active, done);
}

/* ---- In lock step ---- */

/* Rows of a sample of each lane become samples in a row, written behind `done` of each stream. */
static AVX512 void put_half(const struct group *g, uint32_t half,
                            __m512i rows[BLOCK_SAMPLES][HALVES], uint32_t done, bool times)
{
    __m512i columns[HALF_LANES];
    for (uint32_t i = 0; i < BLOCK_SAMPLES; i++)
        columns[i] = rows[i][half];
    avx512_transpose(columns);
    for (uint32_t i = 0; i < HALF_LANES; i++) {
        uint32_t lane = i * HALVES + half;
        if (g->end[lane] <= done) continue;
        uint32_t left = g->end[lane] - done;
        uint32_t count = left < BLOCK_SAMPLES ? left : BLOCK_SAMPLES;
        struct open_lane *stream = g->streams[lane];
        void *to = times ? (void *)(stream->t_ms + done) : (void *)(stream->v + done);
        _mm512_mask_storeu_epi64(to, (__mmask8)((1u << count) - 1), columns[i]);
    }
}

/* The first samples of a stream; then it is ready to go in lock step, if it does. */
static void lane_begin(struct group *g, uint32_t i)
{
    struct open_lane *stream = g->streams[i];
    struct open_state state = {.bits = 0};
    struct bit_reader r = open_lane_reader(stream, 0);
    if (!open_lane_decode(stream, &r, &state, 0, FIRST_SAMPLES)) return;
    if (!open_lane_may_go_on(&state) || stream->count > count_max) {
        lane_finish(g, i, r, state, FIRST_SAMPLES);
        return;
    }
    lane_set(g, i, &state, &r);
    g->fixed_words.last[slot(i)] = stream->bytes + stream->size;
    g->end[i] = stream->count;
    mask_set(&g->active, i, true);
}

/* Lanes that are at their end, or behind that of their stream. */
static AVX512 void end_lanes(struct group *g, uint32_t done)
{
    __m512i ends = _mm512_loadu_si512(g->end);
    uint32_t ended = _mm512_mask_cmple_epu32_mask(g->active, ends, each((int32_t)done));
    for (; ended; ended &= ended - 1) {
        uint32_t i = (uint32_t)__builtin_ctz(ended);
        if (lane_position(g, i) > (uint64_t)g->streams[i]->size * 8)
            g->streams[i]->status = ERR_CORRUPT;
        lane_leave(g, i);
    }
}

/* Eight samples of each lane. Lanes are filled before a sample whose number has no bit of
 * `skipping`. */
static AVX512 ALWAYS_INLINE void take_block(struct group *g, uint32_t done, uint32_t halves,
                                            bool wide, uint32_t skipping)
{
    __m512i t_ms[BLOCK_SAMPLES][HALVES];
    __m512i v[BLOCK_SAMPLES][HALVES];
    struct lanes lanes;
    lanes_copy(&lanes, &g->lanes);
    __m512i ends = _mm512_loadu_si512(g->end);
    for (uint32_t n = 0; n < BLOCK_SAMPLES; n++) {
        __mmask16 active = g->active & _mm512_cmpgt_epu32_mask(ends, each((int32_t)(done + n)));
        if ((n & skipping) == 0) fill(&lanes, &g->fixed, halves);
        __mmask16 rare = take_usual(&lanes, &g->fixed, g->active, active, halves, wide);
        if (UNLIKELY(rare)) {
            lanes_copy(&g->lanes, &lanes);
            take_rare(g, rare, done + n);
            lanes_copy(&lanes, &g->lanes);
        }
        for (uint32_t h = 0; h < halves; h++) {
            t_ms[n][h] = lanes.t_ms[h];
            v[n][h] = lanes.v_bits[h];
        }
    }
    lanes_copy(&g->lanes, &lanes);
    for (uint32_t h = 0; h < halves; h++) {
        put_half(g, h, t_ms, done, true);
        put_half(g, h, v, done, false);
    }
}

static AVX512 NO_INLINE void take_narrow(struct group *g, uint32_t done, uint32_t skipping)
{
    take_block(g, done, HALVES, false, skipping);
}

static AVX512 NO_INLINE void take_wide(struct group *g, uint32_t done, uint32_t skipping)
{
    take_block(g, done, HALVES, true, skipping);
}

static AVX512 NO_INLINE void take_half(struct group *g, uint32_t done, uint32_t skipping)
{
    take_block(g, done, 1, true, skipping);
}

static AVX512 void decode(struct open_lane *const *streams, size_t count)
{
    struct group g = {.fixed_words.k = constants};
    const uint32_t halves = count > HALF_LANES ? HALVES : 1;
    uint32_t most = 0;
    for (uint32_t i = 0; i < OPEN_LANES; i++)
        g.words.at[slot(i)] = (const uint8_t *)1; /* behind `last`: idle lanes read nothing */
    for (uint32_t i = 0; i < count; i++) {
        uint32_t lane = i * HALVES / halves; /* of few, every second: that is a half */
        g.streams[lane] = streams[i];
        lane_begin(&g, lane);
        if (g.end[lane] > most) most = g.end[lane];
    }
    scales_load(&g);
    for (uint32_t done = FIRST_SAMPLES; done < most; done += BLOCK_SAMPLES) {
        end_lanes(&g, done);
        if (!g.active) return;
        uint32_t skipping = longer(&g, PAIR_LOW_MAX) ? 0 : longer(&g, FOUR_LOW_MAX) ? 1 : 3;
        if (halves == 1)
            take_half(&g, done, skipping);
        else if (longer(&g, NARROW_LOW_BEGIN))
            take_wide(&g, done, skipping);
        else
            take_narrow(&g, done, skipping);
    }
    end_lanes(&g, most);
}

open_lanes_function *open_lanes_avx512(void)
{
    bool has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
    return has ? decode : NULL;
}

#else

open_lanes_function *open_lanes_avx512(void)
{
    return NULL;
}

#endif
