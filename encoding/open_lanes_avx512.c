/*
 * open_lanes - eight streams in the lanes of AVX-512 registers.
 *
 * A field of open_state is a register, with the value of each stream in a lane of 64 bits. The
 * formulas are those of open_codec.c and open_codec.h, with masks in place of conditions.
 */
#include "encoding/open_lanes.h"

#if defined(__x86_64__)
#    include <immintrin.h>

#    include "encoding/decimal.h"

#    define AVX512 __attribute__((target("avx512f,avx512cd,avx512dq,avx512bw")))

enum {
    FIRST_SAMPLES = 2, /* decoded apart: the second one makes the grid */
    FILLED_BITS = 56,  /* there are so many in a lane before a sample is taken, or more */
    TREND_TOP = 2 * OPEN_TREND_MAX,
    HEAD_REPEATS = 1,
    HEAD_CHANGED = 2,
    HEAD_LATE = 3 + OPEN_LATE_BITS + 1,
    HEAD_OTHER = 64 /* more than there are: not for here */
};

/* What is known of each stream behind a sample. */
struct lanes {
    __m512i word;  /* the next bits, most significant first */
    __m512i valid; /* how many of them count: 56 or more when filled */
    __m512i at;    /* the address of the byte behind them */
    __m512i t_ms;
    __m512i step_ms;
    __m512i late_ms;
    __m512i mantissa;
    __m512i slope;
    __m512i trend; /* above its least value, so that it is never negative */
    __m512i pages; /* without end */
    __m512i length;
    __m512i v_bits;
};

/* What stays as it is over usual samples. */
struct scales {
    __m512i last; /* the last address that eight bytes may be read at */
    __m512d divide;
    __m512d divide_again;
    __m512d multiply;
    bool divides; /* any lane */
    bool divides_again;
    bool multiplies;
};

/* The same in memory, for what is done lane by lane. */
struct lane_words {
    uint64_t word[OPEN_LANES];
    uint64_t valid[OPEN_LANES];
    const uint8_t *at[OPEN_LANES];
    int64_t t_ms[OPEN_LANES];
    int64_t step_ms[OPEN_LANES];
    int64_t late_ms[OPEN_LANES];
    int64_t mantissa[OPEN_LANES];
    int64_t slope[OPEN_LANES];
    int64_t trend[OPEN_LANES];
    int64_t pages[OPEN_LANES];
    int64_t length[OPEN_LANES];
    uint64_t v_bits[OPEN_LANES];
};
_Static_assert(sizeof(struct lane_words) == sizeof(struct lanes), "field by field");

static AVX512 ALWAYS_INLINE __m512i set1(int64_t v)
{
    return _mm512_set1_epi64(v);
}

static AVX512 ALWAYS_INLINE __m512i zigzag(__m512i v)
{
    return _mm512_xor_si512(_mm512_add_epi64(v, v), _mm512_srai_epi64(v, 63));
}

/* As window_fill, in the lanes of the mask; others are not read from. */
static AVX512 ALWAYS_INLINE void fill(struct lanes *s, const struct scales *c, __mmask8 active)
{
    const __m512i swap =
        _mm512_broadcast_i32x4(_mm_set_epi8(8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
    __mmask8 inside = _mm512_mask_cmple_epu64_mask(active, s->at, c->last);
    __m512i more =
        _mm512_mask_i64gather_epi64(_mm512_setzero_si512(), inside, s->at, (const void *)0, 1);
    more = _mm512_shuffle_epi8(more, swap);
    s->word = _mm512_or_si512(s->word, _mm512_srlv_epi64(more, s->valid));
    s->at = _mm512_add_epi64(s->at, _mm512_srli_epi64(_mm512_sub_epi64(set1(63), s->valid), 3));
    s->valid = _mm512_or_si512(s->valid, set1(FILLED_BITS));
}

/* As open_learn, in the lanes of the mask. What comes of the old state alone is computed beside
 * what waits for the residual: length + ((bits * 4 - length + 3) >> 2) is
 * bits + ((length * 3 + 3) >> 2). */
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
    trend = _mm512_min_epu16(trend, set1(TREND_TOP));
    s->trend = _mm512_subs_epu16(trend, _mm512_maskz_mov_epi64(farther, set1(1)));

    __m512i thrice = _mm512_add_epi64(_mm512_add_epi64(s->length, s->length), s->length);
    __m512i most = _mm512_srli_epi64(_mm512_add_epi64(thrice, set1(64 * 4 + 3)), 2);
    s->length = _mm512_mask_sub_epi64(s->length, k, most, _mm512_lzcnt_epi64(residual));

    __mmask8 odd = _mm512_mask_test_epi64_mask(k, difference, set1((1 << OPEN_PAGE_SHIFT) - 1));
    s->pages = _mm512_mask_add_epi64(s->pages, k, s->pages, set1(1));
    s->pages = _mm512_maskz_mov_epi64((__mmask8)~odd, s->pages);
}

/* As decimal_value. */
static AVX512 ALWAYS_INLINE __m512i value_of(const struct scales *c, __m512i mantissa)
{
    const __m512d magic = _mm512_set1_pd(DECIMAL_MAGIC);
    __m512i shifted = _mm512_add_epi64(mantissa, _mm512_castpd_si512(magic));
    __m512d v = _mm512_sub_pd(_mm512_castsi512_pd(shifted), magic);
    if (c->divides) v = _mm512_div_pd(v, c->divide);
    if (c->divides_again) v = _mm512_div_pd(v, c->divide_again);
    if (c->multiplies) v = _mm512_mul_pd(v, c->multiply);
    return _mm512_castpd_si512(v);
}

/* One sample of each lane of the mask that has a usual one; returns the lanes that have not. */
static AVX512 ALWAYS_INLINE __mmask8 take_usual(struct lanes *s, const struct scales *c,
                                                __mmask8 active)
{
    /* By the first three bits: of how many the head of the sample is. */
    const __m512i heads = _mm512_set_epi64(HEAD_OTHER, HEAD_LATE, HEAD_CHANGED, HEAD_CHANGED,
                                           HEAD_REPEATS, HEAD_REPEATS, HEAD_REPEATS, HEAD_REPEATS);
    fill(s, c, active);
    __m512i head = _mm512_permutexvar_epi64(_mm512_srli_epi64(s->word, 61), heads);
    __mmask8 late = _mm512_cmpeq_epi64_mask(head, set1(HEAD_LATE));
    __mmask8 changed = _mm512_cmpeq_epi64_mask(head, set1(HEAD_CHANGED));
    changed |= _mm512_mask_test_epi64_mask(late, s->word, set1(INT64_C(1) << (64 - HEAD_LATE)));
    __m512i lateness =
        _mm512_maskz_srai_epi64(late, _mm512_slli_epi64(s->word, 3), 64 - OPEN_LATE_BITS);
    __m512i t_ms = _mm512_add_epi64(_mm512_add_epi64(s->t_ms, lateness),
                                    _mm512_sub_epi64(s->step_ms, s->late_ms));
    __mmask8 k = _mm512_mask_cmpgt_epi64_mask(active, t_ms, s->t_ms);

    __m512i ahead = _mm512_sllv_epi64(s->word, head);
    __m512i ones = _mm512_lzcnt_epi64(_mm512_xor_si512(ahead, set1(-1)));
    __m512i length = _mm512_srli_epi64(_mm512_add_epi64(s->length, set1(3)), 2);
    __m512i low = _mm512_subs_epu16(length, set1(1));
    /* The bit between the ones and the low ones is zero. */
    __m512i residual =
        _mm512_srlv_epi64(_mm512_sllv_epi64(ahead, ones), _mm512_sub_epi64(set1(63), low));
    residual = _mm512_or_si512(residual, _mm512_sllv_epi64(ones, low));
    __m512i bits = _mm512_add_epi64(_mm512_add_epi64(head, set1(1)), _mm512_add_epi64(ones, low));
    bits = _mm512_mask_mov_epi64(head, changed, bits);
    k = _mm512_mask_cmple_epu64_mask(k, bits, set1(FILLED_BITS));
    k &= (__mmask8)~_mm512_mask_cmpge_epu64_mask(changed, ones, set1(OPEN_ONES_MAX));
    changed &= k;

    __m512i half = _mm512_srli_epi64(residual, 1);
    __mmask8 negative = _mm512_test_epi64_mask(residual, set1(1));
    __m512i off = _mm512_mask_xor_epi64(half, negative, half, set1(-1));
    __m512i sloping = _mm512_srai_epi64(s->slope, 4);
    __mmask8 in_pages = _mm512_cmpge_epu64_mask(s->pages, set1(OPEN_PAGES_MIN));
    __mmask8 follows = _mm512_cmpgt_epi64_mask(s->trend, set1(OPEN_TREND_MAX));
    __m512i difference = _mm512_mask_slli_epi64(off, in_pages, off, OPEN_PAGE_SHIFT);
    difference = _mm512_mask_add_epi64(difference, follows, off, sloping);
    learn(s, changed, difference, sloping, residual);
    s->mantissa = _mm512_mask_add_epi64(s->mantissa, changed, s->mantissa, difference);
    s->v_bits = _mm512_mask_mov_epi64(s->v_bits, changed, value_of(c, s->mantissa));

    s->word = _mm512_mask_sllv_epi64(s->word, k, s->word, bits);
    s->valid = _mm512_mask_sub_epi64(s->valid, k, s->valid, bits);
    s->t_ms = _mm512_mask_mov_epi64(s->t_ms, k, t_ms);
    __mmask8 stays = _mm512_cmpeq_epi64_mask(lateness, s->late_ms);
    s->late_ms = _mm512_mask_mov_epi64(s->late_ms, k, lateness);
    s->late_ms = _mm512_maskz_mov_epi64((__mmask8) ~(stays & k), s->late_ms);
    return active & (__mmask8)~k;
}

/* ---- Lane by lane ---- */

struct group {
    union {
        struct lanes lanes;
        struct lane_words words;
    };
    struct scales scales;
    struct open_lane *const *streams;
    uint32_t scale[OPEN_LANES];
    uint32_t end[OPEN_LANES]; /* up to here samples are decoded in lock step */
    __mmask8 active;          /* the lanes that are not there yet */
};

static struct open_state lane_state(const struct group *g, uint32_t i)
{
    const struct lane_words *w = &g->words;
    return (struct open_state){
        .t_ms = w->t_ms[i],
        .v_bits = w->v_bits[i],
        .mantissa = w->mantissa[i],
        .step_ms = (int32_t)w->step_ms[i],
        .slope = (int32_t)w->slope[i],
        .scale = g->scale[i] & 63,
        .pages = w->pages[i] > OPEN_PAGES_MIN ? OPEN_PAGES_MIN : (uint32_t)w->pages[i] & 3,
        .late_ms = (int8_t)w->late_ms[i],
        .length = (uint8_t)w->length[i],
        .trend = (int8_t)(w->trend[i] - OPEN_TREND_MAX),
    };
}

static uint64_t lane_position(const struct group *g, uint32_t i)
{
    return (uint64_t)(g->words.at[i] - g->streams[i]->bytes) * 8 - g->words.valid[i];
}

static void lane_set(struct group *g, uint32_t i, const struct open_state *state,
                     const struct bit_reader *r)
{
    struct lane_words *w = &g->words;
    w->t_ms[i] = state->t_ms;
    w->v_bits[i] = state->v_bits;
    w->mantissa[i] = state->mantissa;
    w->step_ms[i] = state->step_ms;
    w->slope[i] = state->slope;
    w->pages[i] = state->pages;
    w->late_ms[i] = +state->late_ms;
    w->length[i] = state->length;
    w->trend[i] = state->trend + OPEN_TREND_MAX;
    w->word[i] = bit_reader_peek(r);
    w->valid[i] = 56 - r->position % 8;
    w->at[i] = r->bytes + r->position / 8 + 7;
    g->scale[i] = state->scale;
}

/* The lane ends before the sample `done`; the rest of its stream is decoded alone. */
static void lane_finish(struct group *g, uint32_t i, struct bit_reader r, struct open_state state,
                        uint32_t done)
{
    struct open_lane *stream = g->streams[i];
    g->end[i] = done;
    g->active &= (__mmask8) ~(1u << i);
    for (; done < stream->count; done++) {
        if (!open_decode_next(&r, &state) || r.position > r.size_bits) {
            stream->status = ERR_CORRUPT;
            return;
        }
        stream->t_ms[done] = state.t_ms;
        stream->v[done] = bits_to_double(state.v_bits);
    }
}

static struct bit_reader lane_reader(const struct open_lane *stream, uint64_t position)
{
    return (struct bit_reader){
        .bytes = stream->bytes, .size_bits = (uint64_t)stream->size * 8, .position = position};
}

static AVX512 void scales_load(struct group *g)
{
    double of[3][OPEN_LANES];
    struct scales *c = &g->scales;
    c->divides = c->divides_again = c->multiplies = false;
    for (uint32_t i = 0; i < OPEN_LANES; i++) {
        bool idle = !(g->active >> i & 1);
        const struct decimal_scale *s = decimal_scale(idle ? 0 : g->scale[i]);
        of[0][i] = s->divide;
        of[1][i] = s->divide_again;
        of[2][i] = s->multiply;
        c->divides |= s->divide != 1;
        c->divides_again |= s->divide_again != 1;
        c->multiplies |= s->multiply != 1;
    }
    c->divide = _mm512_loadu_pd(of[0]);
    c->divide_again = _mm512_loadu_pd(of[1]);
    c->multiply = _mm512_loadu_pd(of[2]);
}

/* The sample `done` of the lanes in the mask. */
static NO_INLINE void take_alone(struct group *g, __mmask8 lanes, uint32_t done)
{
    bool moved = false;
    for (uint32_t i = 0; i < OPEN_LANES; i++) {
        if (!(lanes >> i & 1)) continue;
        const struct bit_reader before = lane_reader(g->streams[i], lane_position(g, i));
        const struct open_state old = lane_state(g, i);
        struct bit_reader r = before;
        struct open_state state = old;
        bool whole = open_decode_next(&r, &state) && r.position <= r.size_bits;
        if (whole && state.scale != OPEN_XOR)
            lane_set(g, i, &state, &r);
        else
            lane_finish(g, i, before, old, done);
        moved = moved || state.scale != old.scale || g->end[i] == done;
    }
    if (moved) scales_load(g);
}

/* ---- In lock step ---- */

/* Rows of a sample of each lane become samples in a row, written behind `done` of each stream. */
static AVX512 void put_block(const struct group *g, const __m512i rows[OPEN_LANES], uint32_t done,
                             bool times)
{
    __m512i a[OPEN_LANES];
    __m512i b[OPEN_LANES];
    /* Two, four and eight rows are joined. */
    for (uint32_t i = 0; i < OPEN_LANES; i += 2) {
        a[i] = _mm512_unpacklo_epi64(rows[i], rows[i + 1]);
        a[i + 1] = _mm512_unpackhi_epi64(rows[i], rows[i + 1]);
    }
    for (uint32_t i = 0; i < OPEN_LANES; i += 4) {
        for (uint32_t k = 0; k < 2; k++) {
            b[i + k] = _mm512_shuffle_i64x2(a[i + k], a[i + k + 2], 0x88);
            b[i + k + 2] = _mm512_shuffle_i64x2(a[i + k], a[i + k + 2], 0xDD);
        }
    }
    for (uint32_t k = 0; k < 4; k++) {
        a[k] = _mm512_shuffle_i64x2(b[k], b[k + 4], 0x88);
        a[k + 4] = _mm512_shuffle_i64x2(b[k], b[k + 4], 0xDD);
    }
    for (uint32_t i = 0; i < OPEN_LANES; i++) {
        if (g->end[i] <= done) continue;
        uint32_t count = g->end[i] - done < OPEN_LANES ? g->end[i] - done : OPEN_LANES;
        __mmask8 part = (__mmask8)((1u << count) - 1);
        void *to = times ? (void *)(g->streams[i]->t_ms + done) : (void *)(g->streams[i]->v + done);
        _mm512_mask_storeu_epi64(to, part, a[i]);
    }
}

/* The first samples of a stream; then it is ready to go in lock step, if it does. */
static void lane_begin(struct group *g, uint32_t i)
{
    struct open_lane *stream = g->streams[i];
    struct open_state state = {.bits = 0};
    struct bit_reader r = lane_reader(stream, 0);
    stream->status = OK;
    for (uint32_t n = 0; n < FIRST_SAMPLES; n++) {
        if (!open_decode_next(&r, &state) || r.position > r.size_bits) {
            stream->status = ERR_CORRUPT;
            return;
        }
        stream->t_ms[n] = state.t_ms;
        stream->v[n] = bits_to_double(state.v_bits);
    }
    if (state.scale == OPEN_XOR) {
        lane_finish(g, i, r, state, FIRST_SAMPLES);
        return;
    }
    lane_set(g, i, &state, &r);
    g->end[i] = stream->count;
    g->active |= (__mmask8)(1u << i);
}

/* Eight samples of each lane. */
static AVX512 void take_block(struct group *g, uint32_t done)
{
    __m512i t_ms[OPEN_LANES];
    __m512i v[OPEN_LANES];
    struct lanes lanes = g->lanes;
    struct scales scales = g->scales;
    __m512i ends = _mm512_cvtepu32_epi64(_mm256_loadu_si256((const __m256i *)(void *)g->end));
    for (uint32_t k = 0; k < OPEN_LANES; k++) {
        __mmask8 active = g->active & _mm512_cmpgt_epu64_mask(ends, set1(done + k));
        __mmask8 rare = take_usual(&lanes, &scales, active);
        if (UNLIKELY(rare)) {
            g->lanes = lanes;
            take_alone(g, rare, done + k);
            lanes = g->lanes;
            scales = g->scales;
        }
        t_ms[k] = lanes.t_ms;
        v[k] = lanes.v_bits;
    }
    g->lanes = lanes;
    put_block(g, t_ms, done, true);
    put_block(g, v, done, false);
}

static AVX512 void decode(struct open_lane *const *streams, size_t count)
{
    struct group g = {.streams = streams};
    uint64_t last[OPEN_LANES] = {0};
    uint32_t most = 0;
    for (uint32_t i = 0; i < count; i++) {
        lane_begin(&g, i);
        last[i] = (uint64_t)(uintptr_t)(streams[i]->bytes + streams[i]->size);
        if (g.end[i] > most) most = g.end[i];
    }
    g.scales.last = _mm512_loadu_si512(last);
    scales_load(&g);
    for (uint32_t done = FIRST_SAMPLES; done < most && g.active; done += OPEN_LANES)
        take_block(&g, done);
    for (uint32_t i = 0; i < count; i++)
        if (g.active >> i & 1 && lane_position(&g, i) > (uint64_t)streams[i]->size * 8)
            streams[i]->status = ERR_CORRUPT;
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
