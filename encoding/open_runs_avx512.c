/*
 * open_runs - eight streams in the lanes of AVX-512 registers.
 *
 * A field of open_state is a register, with the value of each stream in a lane of 64 bits. The
 * formulas are those of open_encode_few and open_learn, with masks in place of conditions.
 */
#include "encoding/open_runs.h"

#if defined(__x86_64__)
#    include "encoding/avx512.h"

#    define AVX512 __attribute__((target("avx512f,avx512cd,avx512dq")))

enum { BLOCK = OPEN_RUNS /* samples of each lane, which are transposed together */ };

/* What is known of each stream behind a sample. */
struct lanes {
    __m512i t_ms;
    __m512i v_bits;
    __m512i mantissa;
    __m512i late_ms;
    __m512i slope;
    __m512i trend;
    __m512i pages; /* without end */
    __m512i length;
    __m512i word; /* the bits that do not fill a word yet, at its front */
    __m512i used; /* how many they are */
    __m512i done;
};

/* The same in memory. */
struct lane_words {
    int64_t t_ms[OPEN_RUNS];
    uint64_t v_bits[OPEN_RUNS];
    int64_t mantissa[OPEN_RUNS];
    int64_t late_ms[OPEN_RUNS];
    int64_t slope[OPEN_RUNS];
    int64_t trend[OPEN_RUNS];
    uint64_t pages[OPEN_RUNS];
    uint64_t length[OPEN_RUNS];
    uint64_t word[OPEN_RUNS];
    uint64_t used[OPEN_RUNS];
    uint64_t done[OPEN_RUNS];
    uint32_t filled[OPEN_RUNS]; /* whole words that were put out */
};

/* What stays as it is. */
struct fixed {
    __m512i last_ms;
    __m512i step_ms;
    __m512i count;
    __m512d power;
    __m512d divide;
    __m512d divide_again;
    __m512d multiply;
    bool divides_again; /* any lane */
    uint32_t most;      /* samples of the longest run */
};

static AVX512 ALWAYS_INLINE __m512i set1(int64_t v)
{
    return _mm512_set1_epi64(v);
}

static AVX512 ALWAYS_INLINE __m512i zigzag(__m512i v)
{
    return _mm512_xor_si512(_mm512_add_epi64(v, v), _mm512_srai_epi64(v, 63));
}

/* As open_learn, in the lanes of the mask. */
static AVX512 ALWAYS_INLINE void learn(struct lanes *s, __mmask8 k, __m512i difference,
                                       __m512i sloping, __m512i residual)
{
    __m512i near = _mm512_min_epi64(difference, set1((1 << 27) - 1));
    near = _mm512_max_epi64(near, set1(1 - (1 << 27)));
    __m512i steeper = _mm512_sub_epi64(_mm512_slli_epi64(near, 4), s->slope);
    s->slope = _mm512_mask_add_epi64(s->slope, k, s->slope, _mm512_srai_epi64(steeper, 2));

    __m512i flat_miss = zigzag(difference);
    __m512i slope_miss = zigzag(_mm512_sub_epi64(difference, sloping));
    __mmask8 nearer = _mm512_mask_cmplt_epu64_mask(k, slope_miss, flat_miss);
    __mmask8 farther = _mm512_mask_cmpgt_epu64_mask(k, slope_miss, flat_miss);
    __m512i trend = _mm512_mask_add_epi64(s->trend, nearer, s->trend, set1(1));
    trend = _mm512_mask_sub_epi64(trend, farther, trend, set1(1));
    trend = _mm512_min_epi64(trend, set1(OPEN_TREND_MAX));
    s->trend = _mm512_max_epi64(trend, set1(-OPEN_TREND_MAX));

    /* length + ((bits * 4 - length + 3) >> 2) is bits + ((length * 3 + 3) >> 2) */
    __m512i thrice = _mm512_add_epi64(_mm512_add_epi64(s->length, s->length), s->length);
    __m512i most = _mm512_srli_epi64(_mm512_add_epi64(thrice, set1(64 * 4 + 3)), 2);
    s->length = _mm512_mask_sub_epi64(s->length, k, most, _mm512_lzcnt_epi64(residual));

    /* Pages of what has not changed: its difference is 0, but they are not counted. */
    __mmask8 even = _mm512_testn_epi64_mask(difference, set1((1 << OPEN_PAGE_SHIFT) - 1));
    s->pages = _mm512_maskz_mov_epi64(even, _mm512_mask_add_epi64(s->pages, k, s->pages, set1(1)));
}

/* As decimal_value. */
static AVX512 ALWAYS_INLINE __m512i value_of(const struct fixed *c, __m512i mantissa)
{
    const __m512d magic = _mm512_set1_pd(DECIMAL_MAGIC);
    __m512i shifted = _mm512_add_epi64(mantissa, _mm512_castpd_si512(magic));
    __m512d v = _mm512_sub_pd(_mm512_castsi512_pd(shifted), magic);
    v = _mm512_div_pd(v, c->divide);
    if (UNLIKELY(c->divides_again)) v = _mm512_div_pd(v, c->divide_again);
    return _mm512_castpd_si512(_mm512_mul_pd(v, c->multiply));
}

/* As decimal_exact: which lanes of the mask have a mantissa. */
static AVX512 ALWAYS_INLINE __mmask8 mantissa_of(const struct fixed *c, __mmask8 k, __m512i v_bits,
                                                 __m512i *m)
{
    const __m512d magic = _mm512_set1_pd(DECIMAL_MAGIC);
    const __m512d limit = _mm512_set1_pd((double)(INT64_C(1) << DECIMAL_MANTISSA_BITS));
    __m512d scaled = _mm512_mul_pd(_mm512_castsi512_pd(v_bits), c->power);
    *m = _mm512_sub_epi64(_mm512_castpd_si512(_mm512_add_pd(scaled, magic)),
                          _mm512_castpd_si512(magic));
    k = _mm512_mask_cmp_pd_mask(k, _mm512_abs_pd(scaled), limit, _CMP_LT_OQ);
    return _mm512_mask_cmpeq_epi64_mask(k, value_of(c, *m), v_bits);
}

/* Bits behind those that are there; the lanes whose word is full then, which is *full. */
static AVX512 ALWAYS_INLINE __mmask8 put_bits(struct lanes *s, __m512i bits, __m512i count,
                                              __m512i *full)
{
    __m512i left = _mm512_sllv_epi64(bits, _mm512_sub_epi64(set1(64), count));
    __m512i used = _mm512_add_epi64(s->used, count);
    *full = _mm512_or_si512(s->word, _mm512_srlv_epi64(left, s->used));
    __mmask8 is_full = _mm512_cmpge_epu64_mask(used, set1(64));
    __m512i rest = _mm512_sllv_epi64(left, _mm512_sub_epi64(set1(64), s->used));
    s->word = _mm512_mask_mov_epi64(*full, is_full, rest);
    s->used = _mm512_and_si512(used, set1(63));
    return is_full;
}

/* What is put before the value of a sample off the grid. */
static AVX512 ALWAYS_INLINE __m512i late_control(__m512i lateness, __mmask8 changed)
{
    __m512i control = _mm512_and_si512(lateness, set1((1 << OPEN_LATE_BITS) - 1));
    control = _mm512_or_si512(_mm512_add_epi64(control, control), set1(6 << (OPEN_LATE_BITS + 1)));
    return _mm512_mask_add_epi64(control, changed, control, set1(1));
}

/* The lanes of the mask are at their end. */
static AVX512 ALWAYS_INLINE void finish(struct lane_words *end, const struct lanes *s, __mmask8 k)
{
    _mm512_mask_storeu_epi64(end->t_ms, k, s->t_ms);
    _mm512_mask_storeu_epi64(end->v_bits, k, s->v_bits);
    _mm512_mask_storeu_epi64(end->mantissa, k, s->mantissa);
    _mm512_mask_storeu_epi64(end->late_ms, k, s->late_ms);
    _mm512_mask_storeu_epi64(end->slope, k, s->slope);
    _mm512_mask_storeu_epi64(end->trend, k, s->trend);
    _mm512_mask_storeu_epi64(end->pages, k, s->pages);
    _mm512_mask_storeu_epi64(end->length, k, s->length);
    _mm512_mask_storeu_epi64(end->word, k, s->word);
    _mm512_mask_storeu_epi64(end->used, k, s->used);
    _mm512_mask_storeu_epi64(end->done, k, s->done);
}

/* One sample of each lane of *active; those that have another are at their end. Words that are full
 * as put_bits. Lanes that are not active go on with nonsense, of which no bit is put. */
static AVX512 ALWAYS_INLINE __mmask8 put_usual(struct lanes *s, const struct fixed *c,
                                               __mmask8 *active, __m512i t_ms, __m512i v_bits,
                                               struct lane_words *end, __m512i *full)
{
    const __m512i zero = _mm512_setzero_si512();
    const __m512i late_least = set1(-(1 << (OPEN_LATE_BITS - 1)));
    __m512i m;
    __m512i grid_ms = _mm512_sub_epi64(c->step_ms, s->late_ms);
    __m512i lateness = _mm512_sub_epi64(_mm512_sub_epi64(t_ms, s->t_ms), grid_ms);
    __mmask8 k = _mm512_mask_cmpgt_epi64_mask(*active, t_ms, s->t_ms);
    k = _mm512_mask_cmple_epi64_mask(k, t_ms, c->last_ms);
    k = _mm512_mask_cmplt_epu64_mask(k, _mm512_sub_epi64(lateness, late_least),
                                     set1(1 << OPEN_LATE_BITS));
    k = mantissa_of(c, k, v_bits, &m);

    __m512i difference = _mm512_sub_epi64(m, s->mantissa);
    __m512i sloping = _mm512_srai_epi64(s->slope, 4);
    __mmask8 follows = _mm512_cmpgt_epi64_mask(s->trend, zero);
    __mmask8 in_pages = _mm512_mask_cmpge_epu64_mask(_mm512_cmple_epi64_mask(s->trend, zero),
                                                     s->pages, set1(OPEN_PAGES_MIN));
    __m512i off = _mm512_mask_sub_epi64(difference, follows, difference, sloping);
    __m512i residual = zigzag(_mm512_mask_srai_epi64(off, in_pages, off, OPEN_PAGE_SHIFT));
    __m512i length = _mm512_srli_epi64(_mm512_add_epi64(s->length, set1(3)), 2);
    __m512i low = _mm512_sub_epi64(_mm512_max_epi64(length, set1(1)), set1(1));
    __m512i ones = _mm512_srlv_epi64(residual, low);
    __mmask8 changed = _mm512_mask_cmpneq_epi64_mask(*active, v_bits, s->v_bits);
    __mmask8 odd = _mm512_mask_test_epi64_mask(in_pages, off, set1((1 << OPEN_PAGE_SHIFT) - 1));
    odd |= _mm512_cmpge_epu64_mask(ones, set1(OPEN_ONES_MAX));
    k = _mm512_mask_cmple_epu64_mask(k, low, set1(OPEN_FEW_LOW_MAX));
    k &= (__mmask8) ~(odd & changed);
    if (UNLIKELY(k != *active)) {
        finish(end, s, *active & (__mmask8)~k);
        *active = k;
        changed &= k;
    }

    __mmask8 late = _mm512_test_epi64_mask(lateness, lateness);
    __m512i control = _mm512_maskz_mov_epi64(changed, set1(2));
    __m512i bits = _mm512_maskz_mov_epi64(k, set1(1));
    bits = _mm512_mask_mov_epi64(bits, changed, set1(2));
    if (UNLIKELY(late & k)) {
        control = _mm512_mask_mov_epi64(control, late, late_control(lateness, changed));
        bits = _mm512_mask_mov_epi64(bits, late & k, set1(3 + OPEN_LATE_BITS + 1));
    }
    /* Ones and a zero, then the low bits of the residual: all of it less what the ones say, plus
     * what they are as bits. */
    __m512i unary = _mm512_sub_epi64(_mm512_sllv_epi64(set1(2), ones), set1(2));
    __m512i value =
        _mm512_add_epi64(_mm512_sllv_epi64(_mm512_sub_epi64(unary, ones), low), residual);
    __m512i value_bits = _mm512_add_epi64(_mm512_add_epi64(ones, low), set1(1));
    control = _mm512_mask_sllv_epi64(control, changed, control, value_bits);
    control = _mm512_mask_or_epi64(control, changed, control, value);
    bits = _mm512_mask_add_epi64(bits, changed, bits, value_bits);
    __mmask8 is_full = put_bits(s, control, bits, full);

    learn(s, changed, difference, sloping, residual);
    s->mantissa = m;
    s->v_bits = v_bits;
    s->t_ms = t_ms;
    __mmask8 moves = _mm512_cmpneq_epi64_mask(lateness, s->late_ms);
    s->late_ms = _mm512_maskz_mov_epi64(moves, lateness);
    s->done = _mm512_add_epi64(s->done, set1(1));
    return is_full;
}

/* Rows become columns in a matrix of bits, a byte a row. */
static inline uint64_t transpose_bits(uint64_t x)
{
    uint64_t swapped = (x ^ x >> 7) & UINT64_C(0x00AA00AA00AA00AA);
    x ^= swapped ^ swapped << 7;
    swapped = (x ^ x >> 14) & UINT64_C(0x0000CCCC0000CCCC);
    x ^= swapped ^ swapped << 14;
    swapped = (x ^ x >> 28) & UINT64_C(0x00000000F0F0F0F0);
    return x ^ swapped ^ swapped << 28;
}

enum { HALF = BLOCK / 2 }; /* samples of a lane that one register has */

/* Times and values of four samples of each lane, one after the other. */
static AVX512 ALWAYS_INLINE void load(const struct open_run *runs, size_t count, uint32_t done,
                                      __m512i rows[BLOCK])
{
    for (uint32_t i = 0; i < BLOCK; i++)
        rows[i] = _mm512_setzero_si512();
    for (uint32_t i = 0; i < count; i++) {
        uint32_t left = runs[i].count > done ? runs[i].count - done : 0;
        uint32_t words = left < HALF ? 2 * left : 2 * HALF;
        __mmask8 part = (__mmask8)((1u << words) - 1);
        rows[i] = _mm512_maskz_loadu_epi64(part, runs[i].samples + done);
    }
    avx512_transpose(rows);
}

/* Up to eight samples of each lane; returns which lanes go on. */
static AVX512 ALWAYS_INLINE __mmask8 put_block(struct lanes *s, const struct fixed *c,
                                               __mmask8 active, struct open_run *runs, size_t count,
                                               uint32_t done, struct lane_words *end)
{
    __m512i full[BLOCK];
    uint64_t is_full = 0;
    for (uint32_t k = 0; k < BLOCK; k++)
        full[k] = _mm512_setzero_si512();
    for (uint32_t half = 0; half < BLOCK && done + half < c->most; half += HALF) {
        __m512i rows[BLOCK];
        load(runs, count, done + half, rows);
        for (size_t k = 0; k < HALF && done + half + k < c->most; k++) {
            __mmask8 left =
                _mm512_mask_cmpgt_epu64_mask(active, c->count, set1((int64_t)(done + half + k)));
            if (UNLIKELY(left != active)) finish(end, s, active & (__mmask8)~left);
            active = left;
            __mmask8 those =
                put_usual(s, c, &active, rows[2 * k], rows[2 * k + 1], end, &full[half + k]);
            is_full |= (uint64_t)those << (8 * (half + k));
        }
    }
    avx512_transpose(full);
    is_full = transpose_bits(is_full);
    for (uint32_t i = 0; i < count; i++) {
        __mmask8 those = (__mmask8)(is_full >> (8 * i));
        _mm512_storeu_si512(runs[i].words + end->filled[i],
                            _mm512_maskz_compress_epi64(those, full[i]));
        end->filled[i] += (uint32_t)__builtin_popcount(those);
    }
    return active;
}

/* What is known of the streams before; returns the lanes that have any samples for here. */
static AVX512 __mmask8 begin(const struct open_run *runs, size_t count, struct lane_words *w,
                             struct fixed *c)
{
    int64_t step_ms[OPEN_RUNS] = {0};
    uint64_t counts[OPEN_RUNS] = {0};
    double scale[4][OPEN_RUNS];
    __mmask8 active = 0;
    c->divides_again = false;
    c->most = 0;
    for (uint32_t i = 0; i < OPEN_RUNS; i++) {
        const struct open_run *run = &runs[i < count ? i : 0];
        const struct open_state *state = &run->state;
        bool idle = i >= count || run->count == 0 || state->scale == OPEN_XOR || !state->step_ms;
        const struct decimal_scale *d = decimal_scale(idle ? 0 : state->scale);
        w->t_ms[i] = state->t_ms;
        w->v_bits[i] = state->v_bits;
        w->mantissa[i] = state->mantissa;
        w->late_ms[i] = +state->late_ms;
        w->slope[i] = state->slope;
        w->trend[i] = +state->trend;
        w->pages[i] = state->pages;
        w->length[i] = state->length;
        w->word[i] = run->words[0];
        w->used[i] = run->bits;
        w->done[i] = 0;
        w->filled[i] = 0;
        if (i < count && run->count > c->most) c->most = run->count;
        step_ms[i] = state->step_ms;
        counts[i] = run->count;
        scale[0][i] = d->power;
        scale[1][i] = d->divide;
        scale[2][i] = d->divide_again;
        scale[3][i] = d->multiply;
        c->divides_again |= d->divide_again != 1;
        active |= (__mmask8)(!idle << i);
    }
    c->step_ms = _mm512_loadu_si512(step_ms);
    c->count = _mm512_loadu_si512(counts);
    c->power = _mm512_loadu_pd(scale[0]);
    c->divide = _mm512_loadu_pd(scale[1]);
    c->divide_again = _mm512_loadu_pd(scale[2]);
    c->multiply = _mm512_loadu_pd(scale[3]);
    return active;
}

/* Field by field: an assignment as a whole is a slow instruction. */
static AVX512 ALWAYS_INLINE struct lanes lanes_load(const struct lane_words *w)
{
    return (struct lanes){.t_ms = _mm512_loadu_si512(w->t_ms),
                          .v_bits = _mm512_loadu_si512(w->v_bits),
                          .mantissa = _mm512_loadu_si512(w->mantissa),
                          .late_ms = _mm512_loadu_si512(w->late_ms),
                          .slope = _mm512_loadu_si512(w->slope),
                          .trend = _mm512_loadu_si512(w->trend),
                          .pages = _mm512_loadu_si512(w->pages),
                          .length = _mm512_loadu_si512(w->length),
                          .word = _mm512_loadu_si512(w->word),
                          .used = _mm512_loadu_si512(w->used),
                          .done = _mm512_loadu_si512(w->done)};
}

static void state_store(const struct lane_words *w, uint32_t i, struct open_state *state)
{
    state->t_ms = w->t_ms[i];
    state->v_bits = w->v_bits[i];
    state->mantissa = w->mantissa[i];
    state->late_ms = (int8_t)w->late_ms[i];
    state->slope = (int32_t)w->slope[i];
    state->trend = (int8_t)w->trend[i];
    state->pages = w->pages[i] > OPEN_PAGES_MIN ? OPEN_PAGES_MIN : w->pages[i] & 3;
    state->length = (uint8_t)w->length[i];
}

static AVX512 void encode(struct open_run *runs, size_t count, int64_t last_ms)
{
    struct lane_words end;
    struct fixed c = {.last_ms = set1(last_ms)};
    __mmask8 active = begin(runs, count, &end, &c);
    struct lanes lanes = lanes_load(&end);
    for (uint32_t done = 0; done < c.most && active; done += BLOCK)
        active = put_block(&lanes, &c, active, runs, count, done, &end);
    finish(&end, &lanes, active);
    for (uint32_t i = 0; i < count; i++) {
        struct open_run *run = &runs[i];
        run->done = (uint32_t)end.done[i];
        run->words[end.filled[i]] = end.word[i];
        run->bits = end.filled[i] * 64 + (uint32_t)end.used[i];
        /* Streams that are not for here have something else in their fields. */
        if (run->done > 0) state_store(&end, i, &run->state);
    }
}

open_runs_function *open_runs_avx512(void)
{
    bool has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
               __builtin_cpu_supports("avx512dq");
    return has ? encode : NULL;
}

#else

open_runs_function *open_runs_avx512(void)
{
    return NULL;
}

#endif
