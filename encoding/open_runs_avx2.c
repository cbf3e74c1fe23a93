/*
 * open_runs - eight streams in the lanes of AVX2 registers.
 *
 * It is open_runs_avx512.c for CPUs without that: a field of open_state is a register of 8 lanes of
 * 32 bits, or two of 4 lanes of 64 bits where its values need so many, and conditions are words of
 * ones or zeros.
 */
#include "encoding/open_runs.h"

#if defined(__x86_64__)
#    include "encoding/open_avx2.h"

_Static_assert((int)LANES == (int)OPEN_RUNS, "a lane for each");

enum {
    HEAD_LATE = 3 + OPEN_LATE_BITS + 1,
    LATE_MAX = 1 << (OPEN_LATE_BITS - 1),
    /* A sample that stays on the grid is less than so far from one that is on it. */
    GRID_MS = 2 * LATE_MAX
};

/* What is known of each stream behind a sample. */
struct lanes {
    struct states state;
    __m256i used; /* bits of the word */
};

static AVX2 ALWAYS_INLINE void lanes_copy(struct lanes *to, const struct lanes *from)
{
    states_copy(&to->state, &from->state);
    to->used = from->used;
}

/* The same in memory. */
struct IN_MEMORY lane_words {
    struct state_words state;
    uint32_t used[LANES];
};
_Static_assert(sizeof(struct lane_words) == sizeof(struct lanes), "field by field");

/* What stays as it is. */
struct fixed {
    struct constants k;
    __m256i last_ms;
    __m256i grid_ms[HALVES]; /* the step less GRID_MS */
    __m256d power[HALVES];
    struct scales scales;
};
struct IN_MEMORY fixed_words {
    struct constants k;
    int64_t last_ms[HALF_LANES];
    int64_t grid_ms[LANES];
    double power[LANES];
    struct scale_words scales;
};
_Static_assert(offsetof(struct fixed_words, scales) == offsetof(struct fixed, scales),
               "field by field");

struct group {
    union {
        struct lanes lanes;
        struct lane_words words;
    };
    union {
        struct fixed fixed;
        struct fixed_words fixed_words;
    };
    struct open_run *runs;
    const struct sample *samples[LANES]; /* of lanes that are not active, something */
    uint64_t *filled[LANES];             /* where the next word that is full goes */
    uint64_t unwanted;                   /* words of lanes that are not active */
    uint32_t count[LANES];
    uint32_t active;
};

/* ---- One sample of each lane ---- */

static AVX2 ALWAYS_INLINE __m256i load_two(const struct sample *low, const struct sample *high)
{
    return _mm256_set_m128i(_mm_loadu_si128((const void *)high),
                            _mm_loadu_si128((const void *)low));
}

static AVX2 ALWAYS_INLINE void load(const struct group *g, uint32_t n, __m256i t_ms[HALVES],
                                    __m256i v_bits[HALVES])
{
    for (uint32_t h = 0; h < HALVES; h++) {
        __m256i even = load_two(g->samples[h] + n, g->samples[HALF_LANES + h] + n);
        __m256i odd = load_two(g->samples[HALVES + h] + n, g->samples[HALF_LANES + HALVES + h] + n);
        t_ms[h] = _mm256_unpacklo_epi64(even, odd);
        v_bits[h] = _mm256_unpackhi_epi64(even, odd);
    }
}

/* What both halves say of their lanes, in lanes of 32 bits. */
static AVX2 ALWAYS_INLINE __m256i join(__m256i even, __m256i odd)
{
    return _mm256_blend_epi32(even, odd, 0xAA);
}

/* And back: of half h. */
static AVX2 ALWAYS_INLINE __m256i part(__m256i condition, uint32_t h)
{
    return h ? _mm256_shuffle_epi32(condition, 0xF5) : _mm256_shuffle_epi32(condition, 0xA0);
}

/* 32 bits of each lane at the front of 64. */
static AVX2 ALWAYS_INLINE void widen_front(__m256i v, __m256i out[HALVES])
{
    out[0] = _mm256_slli_epi64(v, 32);
    out[1] = _mm256_andnot_si256(each64(UINT32_MAX), v);
}

/* As open_lateness, where the times are near enough to the grid, and later than the ones before
 * and not too late. */
static AVX2 ALWAYS_INLINE __m256i lateness_of(const struct lanes *s, const struct fixed *c,
                                              const __m256i t_ms[HALVES], __m256i *lateness)
{
    __m256i off[HALVES];
    __m256i ordered[HALVES];
    for (uint32_t h = 0; h < HALVES; h++) {
        off[h] = _mm256_sub_epi64(_mm256_sub_epi64(t_ms[h], s->state.t_ms[h]), c->grid_ms[h]);
        ordered[h] = _mm256_andnot_si256(_mm256_cmpgt_epi64(t_ms[h], c->last_ms),
                                         _mm256_cmpgt_epi64(t_ms[h], s->state.t_ms[h]));
    }
    __m256i low = _mm256_add_epi32(low_words(off), s->state.late_ms);
    *lateness = _mm256_sub_epi32(low, each(GRID_MS));
    low = _mm256_sub_epi32(low, each(GRID_MS - LATE_MAX));
    __m256i far = _mm256_andnot_si256(each(2 * LATE_MAX - 1), low);
    far = _mm256_or_si256(far, high_words(off));
    return _mm256_and_si256(_mm256_cmpeq_epi32(far, _mm256_setzero_si256()),
                            join(ordered[0], ordered[1]));
}

/* As decimal_exact: in which lanes values have mantissas. */
static AVX2 ALWAYS_INLINE __m256i mantissas_of(const struct fixed *c, const __m256i v_bits[HALVES],
                                               __m256i shifted[HALVES])
{
    const __m256d limit = _mm256_set1_pd((double)(INT64_C(1) << DECIMAL_MANTISSA_BITS));
    __m256i exact[HALVES];
    for (uint32_t h = 0; h < HALVES; h++) {
        __m256d scaled = _mm256_mul_pd(_mm256_castsi256_pd(v_bits[h]), c->power[h]);
        __m256d size = _mm256_andnot_pd(_mm256_set1_pd(-0.0), scaled);
        shifted[h] = _mm256_castpd_si256(_mm256_add_pd(scaled, c->k.magic));
        exact[h] = _mm256_cmpeq_epi64(value_of(&c->scales, &c->k, h, shifted[h]), v_bits[h]);
        exact[h] =
            _mm256_and_si256(exact[h], _mm256_castpd_si256(_mm256_cmp_pd(size, limit, _CMP_LT_OQ)));
    }
    return join(exact[0], exact[1]);
}

/* The values, as if all had changed. */
struct values {
    __m256i front[HALVES]; /* bits, at the front */
    __m256i bits;          /* how many */
    __m256i unusual;       /* lanes where it would be another form */
    __m256i sloping;
    struct lesson lesson;
};

/* Of the differences between mantissas. */
static AVX2 ALWAYS_INLINE struct values
values_of(const struct learned *s, const struct constants *k, const __m256i difference[HALVES])
{
    const __m256i all = each64(-1);
    const __m256i zero = _mm256_setzero_si256();
    const __m256i follows = follows_slope(s);
    const __m256i page_shift32 = page_shift_of(s, k, follows);
    const __m256i low32 = low_bits_of(s, k);
    struct values v = {.sloping = sloping_of(s)};
    __m256i expected[HALVES];
    __m256i page_shift[HALVES];
    __m256i low[HALVES];
    __m256i off[HALVES];
    __m256i residual[HALVES];
    __m256i ones[HALVES];
    __m256i many[HALVES];
    widen_signed(_mm256_and_si256(v.sloping, follows), expected);
    widen(page_shift32, page_shift);
    widen(low32, low);
    for (uint32_t h = 0; h < HALVES; h++) {
        /* Zigzag; of what is a multiple of pages it is the same to shift before or after it. */
        off[h] = _mm256_sub_epi64(difference[h], expected[h]);
        __m256i negative = _mm256_cmpgt_epi64(zero, off[h]);
        residual[h] = _mm256_xor_si256(_mm256_add_epi64(off[h], off[h]), negative);
        residual[h] = _mm256_srlv_epi64(residual[h], page_shift[h]);
        ones[h] = _mm256_srlv_epi64(residual[h], low[h]);
        many[h] = _mm256_cmpgt_epi64(ones[h], each64(OPEN_ONES_MAX - 1));
        /* Ones, a zero, the low bits of the residual. */
        __m256i unary = _mm256_xor_si256(_mm256_srlv_epi64(all, ones[h]), all);
        __m256i rest = _mm256_sllv_epi64(residual[h], _mm256_sub_epi64(each64(64), low[h]));
        rest = _mm256_srlv_epi64(rest, _mm256_sub_epi64(ones[h], all));
        v.front[h] = _mm256_or_si256(unary, rest);
    }
    v.bits = _mm256_add_epi32(_mm256_add_epi32(low_words(ones), low32), k->one);
    const __m256i in_page = _mm256_and_si256(_mm256_cmpgt_epi32(page_shift32, zero), k->page_mask);
    __m256i even = _mm256_cmpeq_epi32(_mm256_and_si256(low_words(off), in_page), zero);
    v.unusual = _mm256_or_si256(join(many[0], many[1]), _mm256_xor_si256(even, each(-1)));
    v.lesson = (struct lesson){
        .low = low_words(difference), .near = nearest(difference), .bits = lengths(residual)};
    return v;
}

/* What is put before the values: of each lane 32 bits with them at the front, and how many. */
static AVX2 ALWAYS_INLINE __m256i heads(__m256i changed, __m256i lateness, uint32_t active,
                                        __m256i *bits)
{
    __m256i head = _mm256_slli_epi32(changed, 31);
    *bits = _mm256_sub_epi32(each(1), changed);
    __m256i on_grid = _mm256_cmpeq_epi32(lateness, _mm256_setzero_si256());
    if (LIKELY((active & ~lanes_of(on_grid)) == 0)) return head;
    __m256i late = _mm256_slli_epi32(lateness, 32 - OPEN_LATE_BITS);
    late = _mm256_or_si256(_mm256_srli_epi32(late, 3), each((int32_t)(UINT32_C(6) << 29)));
    late = _mm256_or_si256(late, _mm256_and_si256(changed, each(1 << (32 - HEAD_LATE))));
    *bits = _mm256_blendv_epi8(each(HEAD_LATE), *bits, on_grid);
    return _mm256_blendv_epi8(late, head, on_grid);
}

/* Bits, which are at the front, behind those that are there. */
static AVX2 ALWAYS_INLINE void put_bits(struct group *g, struct lanes *s,
                                        const __m256i front[HALVES], __m256i bits)
{
    uint64_t words[LANES] __attribute__((aligned(32)));
    __m256i used[HALVES];
    widen(s->used, used);
    s->used = _mm256_add_epi32(s->used, bits);
    const __m256i is_full = _mm256_cmpgt_epi32(s->used, each(63));
    s->used = _mm256_and_si256(s->used, each(63));
    for (uint32_t h = 0; h < HALVES; h++) {
        __m256i word = _mm256_or_si256(s->state.word[h], _mm256_srlv_epi64(front[h], used[h]));
        __m256i rest = _mm256_sllv_epi64(front[h], _mm256_sub_epi64(each64(64), used[h]));
        _mm256_store_si256((__m256i *)words + h, word);
        s->state.word[h] = _mm256_blendv_epi8(word, rest, part(is_full, h));
    }
    const uint32_t full = lanes_of(is_full);
    for (uint32_t i = 0; i < LANES; i++) { /* without a branch: which are full changes */
        *g->filled[i] = words[slot(i)];
        g->filled[i] += full >> i & 1;
    }
}

static const struct sample nothing[OPEN_RUN_SAMPLES_MAX];

/* The lanes of the mask are at their end, before sample `done`. */
static AVX2 NO_INLINE void finish(struct group *g, const struct lanes *lanes, uint32_t mask,
                                  uint32_t done)
{
    const struct lane_words *w = &g->words;
    lanes_copy(&g->lanes, lanes);
    for (uint32_t left = mask; left; left &= left - 1) {
        uint32_t i = (uint32_t)__builtin_ctz(left);
        struct open_run *run = &g->runs[i];
        lane_to_state(&w->state, i, &run->state);
        run->done = done;
        run->bits = (uint32_t)(g->filled[i] - run->words) * 64 + w->used[i];
        *g->filled[i] = w->state.word[slot(i)];
        g->filled[i] = &g->unwanted;
        g->samples[i] = nothing;
    }
    g->active &= ~mask;
}

/* Sample n of each active lane; those that have another than usual are at their end. Lanes that are
 * not active go on with nonsense, of which no bit is put. */
static AVX2 ALWAYS_INLINE void put_usual(struct group *g, struct lanes *s, uint32_t n)
{
    const struct fixed *c = &g->fixed;
    __m256i t_ms[HALVES];
    __m256i v_bits[HALVES];
    __m256i shifted[HALVES];
    __m256i difference[HALVES];
    __m256i front[HALVES];
    __m256i equal[HALVES];
    __m256i lateness;
    load(g, n, t_ms, v_bits);
    __m256i usual = lateness_of(s, c, t_ms, &lateness);
    usual = _mm256_and_si256(usual, mantissas_of(c, v_bits, shifted));
    for (uint32_t h = 0; h < HALVES; h++) {
        equal[h] = _mm256_cmpeq_epi64(v_bits[h], s->state.v_bits[h]);
        difference[h] = _mm256_sub_epi64(shifted[h], s->state.shifted[h]);
    }
    const struct values values = values_of(&s->state.learned, &c->k, difference);
    __m256i same = join(equal[0], equal[1]);
    usual = _mm256_andnot_si256(_mm256_andnot_si256(same, values.unusual), usual);
    __m256i low = low_bits_of(&s->state.learned, &c->k);
    usual = _mm256_andnot_si256(_mm256_cmpgt_epi32(low, each(OPEN_FEW_LOW_MAX)), usual);
    uint32_t other = g->active & ~lanes_of(usual);
    if (UNLIKELY(other)) finish(g, s, other, n);

    __m256i active = ones_in(g->active);
    __m256i changed = _mm256_andnot_si256(same, active);
    __m256i head_bits;
    __m256i shift[HALVES];
    __m256i head = heads(changed, lateness, g->active, &head_bits);
    widen_front(head, front);
    widen(head_bits, shift);
    for (uint32_t h = 0; h < HALVES; h++) {
        __m256i value = _mm256_and_si256(values.front[h], part(changed, h));
        front[h] = _mm256_or_si256(front[h], _mm256_srlv_epi64(value, shift[h]));
        s->state.t_ms[h] = t_ms[h];
        s->state.v_bits[h] = v_bits[h];
        s->state.shifted[h] = shifted[h];
    }
    __m256i bits = _mm256_add_epi32(head_bits, _mm256_and_si256(values.bits, changed));
    put_bits(g, s, front, _mm256_and_si256(bits, active));
    learn(&s->state.learned, &c->k, changed, values.sloping, &values.lesson);
    __m256i stays = _mm256_cmpeq_epi32(lateness, s->state.late_ms);
    s->state.late_ms = _mm256_andnot_si256(stays, lateness);
}

/* ---- Runs ---- */

/* What is known of the streams before: which lanes have any samples for here. */
static void begin(struct group *g, size_t count)
{
    struct lane_words *w = &g->words;
    struct fixed_words *c = &g->fixed_words;
    for (uint32_t i = 0; i < LANES; i++) {
        struct open_run *run = &g->runs[i < count ? i : 0];
        const struct open_state *state = &run->state;
        bool idle = i >= count || run->count == 0 || state->scale == OPEN_XOR || !state->step_ms;
        const uint32_t scale = idle ? 0 : state->scale;
        lane_from_state(&w->state, i, state);
        w->state.word[slot(i)] = run->words[0];
        w->used[i] = run->bits;
        c->grid_ms[slot(i)] = (int64_t)state->step_ms - GRID_MS;
        c->power[slot(i)] = decimal_scale(scale)->power;
        scale_set(&c->scales, i, scale);
        g->samples[i] = idle ? nothing : run->samples;
        g->filled[i] = idle ? &g->unwanted : run->words;
        g->count[i] = idle ? 0 : run->count;
        g->active |= (uint32_t)!idle << i;
    }
}

static AVX2 void encode(struct open_run *runs, size_t count, int64_t last_ms)
{
    struct group g = {.runs = runs, .active = 0};
    struct lanes lanes;
    constants_init(&g.fixed.k);
    begin(&g, count);
    g.fixed.last_ms = each64(last_ms);
    lanes_copy(&lanes, &g.lanes);
    const __m256i counts = _mm256_loadu_si256((const __m256i *)g.count);
    for (uint32_t n = 0;; n++) {
        uint32_t left = lanes_of(_mm256_cmpgt_epi32(counts, each((int32_t)n)));
        if (UNLIKELY(g.active & ~left)) finish(&g, &lanes, g.active & ~left, n);
        if (!g.active) return;
        put_usual(&g, &lanes, n);
    }
}

open_runs_function *open_runs_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? encode : NULL;
}

#else

open_runs_function *open_runs_avx2(void)
{
    return NULL;
}

#endif
