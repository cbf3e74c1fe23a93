/*
 * open_lanes - eight streams in the lanes of AVX2 registers, sixteen in two goes.
 *
 * A field of open_state is a register of 8 lanes of 32 bits, or two of 4 lanes of 64 bits where its
 * values need so many. It is open_lanes_avx512.c for CPUs without that, and what they lack makes
 * its form: conditions are words of ones or zeros, what counts zeros is the exponent of a float,
 * and residuals are worked out in 32 bits as long as all of them are short, which most are.
 */
#include "encoding/open_lanes.h"

#if defined(__x86_64__)
#    include "encoding/decimal.h"
#    include "encoding/open_avx2.h"

enum {
    FIRST_SAMPLES = 2, /* decoded apart: the second one makes the grid */
    BLOCK_SAMPLES = 8,
    FEW_BITS = 40,       /* a lane that has less may have no whole sample */
    FILLED_BITS = 56,    /* there are so many in a lane when it is filled, or more */
    LOW_MAX = 44,        /* with more low bits differences of mantissas could overflow */
    NARROW_LOW_MAX = 15, /* so many, or fewer: a difference of pages has 32 bits */
    NARROW_LOW_BEGIN = NARROW_LOW_MAX - 2, /* it may grow over a block */
    HEAD_REPEATS = 1,
    HEAD_CHANGED = 2,
    HEAD_LATE = 3 + OPEN_LATE_BITS + 1,
    FLOAT_BITS = 23, /* below the exponent */
    FLOAT_BIAS = 127
};
/* Streams with more than that are decoded alone: times and places of others cannot overflow. */
static const uint32_t count_max = 1 << 24;
static const size_t size_max = 1 << 30;

/* What is known of each stream behind a sample. */
struct lanes {
    struct states state;
    __m256i at;        /* which byte of the stream is behind the word */
    __m256i valid;     /* how many bits of the word count: 56 or more when filled */
    uint32_t off_grid; /* the lanes whose late_ms is not zero */
    uint32_t strays;   /* whose last value is not that of the mantissa */
};

static AVX2 ALWAYS_INLINE void lanes_copy(struct lanes *to, const struct lanes *from)
{
    states_copy(&to->state, &from->state);
    to->at = from->at;
    to->valid = from->valid;
    to->off_grid = from->off_grid;
    to->strays = from->strays;
}

/* Constants of bits, as struct constants. */
struct bit_constants {
    __m256i swap; /* the bytes of words of 64 bits */
    __m256i two;
    __m256i bits_31;
    __m256i bits_63;
    __m256i filled_bits;
    __m256i ones_mask;
    __m256i ones_exponent;
    __m256i exponent; /* of a float of 1, less one */
    __m256i low_max;
};

/* What stays as it is over usual samples. */
struct fixed {
    struct constants k;
    struct bit_constants bit;
    const uint8_t *bytes[LANES];
    __m256i last; /* of a stream, the last byte that eight may be read from */
    __m256i step_ms;
    struct scales scales;
};

/* The same in memory, for what is done lane by lane. */
struct IN_MEMORY lane_words {
    struct state_words state;
    uint32_t at[LANES];
    uint32_t valid[LANES];
    uint32_t off_grid;
    uint32_t strays;
};
struct IN_MEMORY fixed_words {
    struct constants k;
    struct bit_constants bit;
    const uint8_t *bytes[LANES];
    uint32_t last[LANES];
    int32_t step_ms[LANES];
    struct scale_words scales;
};
_Static_assert(offsetof(struct lane_words, strays) == offsetof(struct lanes, strays),
               "field by field");
_Static_assert(offsetof(struct fixed_words, scales) == offsetof(struct fixed, scales),
               "field by field");

static AVX2 void bit_constants_init(struct bit_constants *bit)
{
    *bit = (struct bit_constants){
        .swap = _mm256_broadcastsi128_si256(
            _mm_set_epi8(8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7)),
        .two = each(2),
        .bits_31 = each(31),
        .bits_63 = each(63),
        .filled_bits = each(FILLED_BITS),
        .ones_mask = each((1 << OPEN_ONES_MAX) - 1),
        .ones_exponent = each(OPEN_ONES_MAX - 1 + FLOAT_BIAS),
        .exponent = each(FLOAT_BIAS - 1),
        .low_max = each(NARROW_LOW_MAX),
    };
}

/* ---- One sample of each ---- */

/* As window_fill. Where the next bits are is known since the lanes were filled last, so that nobody
 * waits for them. */
static AVX2 ALWAYS_INLINE void fill(struct lanes *s, const struct fixed *c)
{
    uint32_t at[LANES] __attribute__((aligned(32)));
    __m256i valid[HALVES];
    int64_t more[LANES];
    _mm256_store_si256((__m256i *)at, _mm256_min_epu32(s->at, c->last));
    for (uint32_t i = 0; i < LANES; i++)
        memcpy(&more[i], c->bytes[i] + at[i], sizeof(more[i]));
    widen(s->valid, valid);
    for (uint32_t h = 0; h < HALVES; h++) {
        __m256i next = _mm256_set_epi64x(more[6 + h], more[4 + h], more[2 + h], more[h]);
        next = _mm256_srlv_epi64(_mm256_shuffle_epi8(next, c->bit.swap), valid[h]);
        s->state.word[h] = _mm256_or_si256(s->state.word[h], next);
    }
    s->at =
        _mm256_add_epi32(s->at, _mm256_srli_epi32(_mm256_sub_epi32(c->bit.bits_63, s->valid), 3));
    s->valid = _mm256_or_si256(s->valid, c->bit.filled_bits);
}

/* What a value says, in the lanes where there is one; elsewhere the difference is 0. */
struct change {
    __m256i difference[HALVES]; /* of mantissas */
    struct lesson lesson;
};

/* What is expected of differences, and that where the bits of the residuals are. */
struct expectation {
    __m256i expected;   /* 0 where nothing changed */
    __m256i page_shift; /* where something changed */
    __m256i ones;       /* before the bits that are as they are */
    __m256i low;        /* how many of those */
};

/* All residuals and differences have 32 bits. ahead: what is behind the head of the sample. */
static AVX2 ALWAYS_INLINE struct change
narrow_change(const struct fixed *c, const struct expectation *e, __m256i ahead, __m256i changed)
{
    struct change change;
    /* The bit between the ones and the low ones is zero. */
    __m256i residual = _mm256_srlv_epi32(_mm256_sllv_epi32(ahead, e->ones),
                                         _mm256_sub_epi32(c->bit.bits_31, e->low));
    residual = _mm256_or_si256(residual, _mm256_sllv_epi32(e->ones, e->low));
    residual = _mm256_and_si256(residual, changed);
    __m256i odd = _mm256_and_si256(residual, c->k.one);
    __m256i sign = _mm256_sub_epi32(_mm256_setzero_si256(), odd);
    __m256i off = _mm256_xor_si256(_mm256_srli_epi32(residual, 1), sign);
    __m256i bits = _mm256_castps_si256(_mm256_cvtepi32_ps(residual)); /* exact */
    bits = _mm256_srli_epi32(bits, FLOAT_BITS);
    change.lesson.bits = _mm256_subs_epu16(bits, c->bit.exponent);
    change.lesson.low = _mm256_add_epi32(_mm256_sllv_epi32(off, e->page_shift), e->expected);
    change.lesson.near = change.lesson.low;
    widen_signed(change.lesson.low, change.difference);
    return change;
}

static AVX2 ALWAYS_INLINE struct change wide_change(const struct expectation *e,
                                                    const __m256i ahead[HALVES], __m256i changed)
{
    struct change change;
    __m256i ones[HALVES];
    __m256i low[HALVES];
    __m256i high[HALVES];
    __m256i expected[HALVES];
    __m256i page_shift[HALVES];
    __m256i residual[HALVES];
    /* What is not changed differs by nothing: its residual is shifted out. */
    __m256i low32 = _mm256_blendv_epi8(each(64), e->low, changed);
    widen(low32, low);
    widen(_mm256_sub_epi32(each(63), low32), high);
    widen(e->ones, ones);
    widen(e->page_shift, page_shift);
    widen_signed(e->expected, expected);
    for (uint32_t h = 0; h < HALVES; h++) {
        residual[h] = _mm256_srlv_epi64(_mm256_sllv_epi64(ahead[h], ones[h]), high[h]);
        residual[h] = _mm256_or_si256(residual[h], _mm256_sllv_epi64(ones[h], low[h]));
        __m256i odd = _mm256_and_si256(residual[h], each64(1));
        __m256i sign = _mm256_sub_epi64(_mm256_setzero_si256(), odd);
        __m256i off = _mm256_xor_si256(_mm256_srli_epi64(residual[h], 1), sign);
        change.difference[h] = _mm256_add_epi64(_mm256_sllv_epi64(off, page_shift[h]), expected[h]);
    }
    change.lesson.bits = lengths(residual);
    change.lesson.low = low_words(change.difference);
    change.lesson.near = nearest(change.difference);
    return change;
}

/* Values that are none of their mantissas stay, until they change. */
static AVX2 ALWAYS_INLINE void keep_strays(const struct lanes *s, __m256i v_bits[HALVES])
{
    __m256i stays[HALVES];
    widen_signed(ones_in(s->strays), stays);
    for (uint32_t h = 0; h < HALVES; h++)
        v_bits[h] = _mm256_blendv_epi8(v_bits[h], s->state.v_bits[h], stays[h]);
}

/* What the first bits of a sample say, besides its value. */
struct head {
    __m256i bits; /* when there is a value; else one */
    __m256i lateness;
    __m256i changed;
    __m256i unknown; /* it is not for here */
};

static AVX2 ALWAYS_INLINE struct head read_head(__m256i top)
{
    const __m256i first = spread(top);
    const __m256i second = _mm256_and_si256(first, spread(_mm256_slli_epi32(top, 1)));
    const __m256i third = spread(_mm256_slli_epi32(top, 2));
    const __m256i late = _mm256_andnot_si256(third, second);
    const __m256i lateness = _mm256_srai_epi32(_mm256_slli_epi32(top, 3), 32 - OPEN_LATE_BITS);
    const __m256i changed = spread(_mm256_slli_epi32(top, HEAD_LATE - 1));
    const __m256i bits = _mm256_sub_epi32(each(HEAD_REPEATS), first);
    return (struct head){
        .bits = _mm256_blendv_epi8(bits, each(HEAD_LATE), late),
        .lateness = _mm256_and_si256(lateness, late),
        .changed = _mm256_blendv_epi8(_mm256_andnot_si256(second, first), changed, late),
        .unknown = _mm256_and_si256(second, third),
    };
}

/* The bits behind the heads: of all 64 when residuals may need them, of 32 in any case. */
static AVX2 ALWAYS_INLINE __m256i skip_heads(const struct lanes *s, const struct head *head,
                                             bool on_grid, __m256i ahead[HALVES], bool wide)
{
    if (on_grid && !wide) return _mm256_slli_epi32(high_words(s->state.word), HEAD_CHANGED);
    __m256i head_bits[HALVES];
    widen(head->bits, head_bits);
    for (uint32_t h = 0; h < HALVES; h++)
        ahead[h] = on_grid ? _mm256_slli_epi64(s->state.word[h], HEAD_CHANGED)
                           : _mm256_sllv_epi64(s->state.word[h], head_bits[h]);
    return high_words(ahead);
}

/* The ones in front, by the exponent of a float. Where there are twelve or more, it is as if there
 * were many more. */
static AVX2 ALWAYS_INLINE __m256i count_ones(const struct fixed *c, __m256i ahead32)
{
    const __m256i zeros =
        _mm256_xor_si256(_mm256_srli_epi32(ahead32, 32 - OPEN_ONES_MAX), c->bit.ones_mask);
    const __m256i exponent =
        _mm256_srli_epi32(_mm256_castps_si256(_mm256_cvtepi32_ps(zeros)), FLOAT_BITS);
    return _mm256_sub_epi32(c->bit.ones_exponent, exponent);
}

/* One sample of each active lane that has a usual one; returns the lanes that have not. Those of
 * `all` stay as they are then; others may do anything. */
static AVX2 ALWAYS_INLINE uint32_t take(struct lanes *s, const struct fixed *c, uint32_t all,
                                        uint32_t active, const struct head *head, bool on_grid,
                                        bool wide)
{
    __m256i ahead[HALVES];
    __m256i step_ms = c->step_ms;
    __m256i changed = head->changed;
    __m256i k = each(-1);
    const __m256i ahead32 = skip_heads(s, head, on_grid, ahead, wide);
    const __m256i ones = count_ones(c, ahead32);
    const __m256i low = low_bits_of(&s->state.learned, &c->k);
    __m256i bits = _mm256_add_epi32(ones, low);
    if (on_grid) {
        bits = _mm256_and_si256(_mm256_add_epi32(bits, c->bit.two), changed);
        bits = _mm256_add_epi32(bits, c->k.one);
    } else {
        bits = _mm256_and_si256(_mm256_add_epi32(bits, c->k.one), changed);
        bits = _mm256_add_epi32(bits, head->bits);
    }
    __m256i rare = _mm256_cmpgt_epi32(low, wide ? each(LOW_MAX) : c->bit.low_max);
    rare = _mm256_or_si256(_mm256_and_si256(rare, changed), _mm256_cmpgt_epi32(bits, s->valid));
    if (!on_grid) {
        step_ms = _mm256_add_epi32(step_ms, _mm256_sub_epi32(head->lateness, s->state.late_ms));
        rare = _mm256_or_si256(rare, _mm256_cmpgt_epi32(c->k.one, step_ms));
        rare = _mm256_or_si256(rare, head->unknown);
    }
    uint32_t usual = active & ~lanes_of(rare);
    if (UNLIKELY(all & ~usual)) { /* lanes that are none do anything */
        k = ones_in(usual);
        changed = _mm256_and_si256(changed, k);
        bits = _mm256_and_si256(bits, k);
        step_ms = _mm256_and_si256(step_ms, k);
    }
    s->valid = _mm256_sub_epi32(s->valid, bits);

    const __m256i follows = follows_slope(&s->state.learned);
    const __m256i sloping = sloping_of(&s->state.learned);
    const struct expectation e = {
        .expected = _mm256_and_si256(_mm256_and_si256(sloping, follows), changed),
        .page_shift = page_shift_of(&s->state.learned, &c->k, follows),
        .ones = ones,
        .low = low,
    };
    const struct change change =
        wide ? wide_change(&e, ahead, changed) : narrow_change(c, &e, ahead32, changed);
    __m256i bits64[HALVES];
    __m256i step64[HALVES];
    __m256i v_bits[HALVES];
    widen(bits, bits64);
    widen(step_ms, step64);
    learn(&s->state.learned, &c->k, changed, sloping, &change.lesson);
    for (uint32_t h = 0; h < HALVES; h++) {
        s->state.word[h] = _mm256_sllv_epi64(s->state.word[h], bits64[h]);
        s->state.t_ms[h] = _mm256_add_epi64(s->state.t_ms[h], step64[h]);
        s->state.shifted[h] = _mm256_add_epi64(s->state.shifted[h], change.difference[h]);
        v_bits[h] = value_of(&c->scales, &c->k, h, s->state.shifted[h]);
    }
    s->strays &= ~lanes_of(changed);
    if (UNLIKELY(s->strays)) keep_strays(s, v_bits);
    for (uint32_t h = 0; h < HALVES; h++)
        s->state.v_bits[h] = v_bits[h];
    if (!on_grid) {
        __m256i same = _mm256_cmpeq_epi32(head->lateness, s->state.late_ms);
        __m256i late_ms = _mm256_andnot_si256(same, head->lateness);
        s->state.late_ms = _mm256_blendv_epi8(s->state.late_ms, late_ms, k);
        s->off_grid = all & ~lanes_of(_mm256_cmpeq_epi32(s->state.late_ms, _mm256_setzero_si256()));
    }
    return active & ~usual;
}

static AVX2 ALWAYS_INLINE uint32_t take_usual(struct lanes *s, const struct fixed *c, uint32_t all,
                                              uint32_t active, bool wide)
{
    __m256i top = high_words(s->state.word);
    struct head head = {.changed = spread(top)};
    uint32_t unusual = lanes_of(_mm256_and_si256(top, _mm256_slli_epi32(top, 1))) & active;
    if (unusual | s->off_grid) {
        head = read_head(top);
        return take(s, c, all, active, &head, false, wide);
    }
    return take(s, c, all, active, &head, true, wide);
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
    struct open_lane *streams[LANES];
    uint32_t scale[LANES];
    uint32_t end[LANES]; /* up to here samples are decoded in lock step */
    uint32_t active;     /* the lanes that are not there yet */
};

static struct open_state lane_state(const struct group *g, uint32_t i)
{
    struct open_state state = {.step_ms = g->fixed_words.step_ms[i], .scale = g->scale[i] & 63};
    lane_to_state(&g->words.state, i, &state);
    return state;
}

static uint64_t lane_position(const struct group *g, uint32_t i)
{
    return (uint64_t)g->words.at[i] * 8 - g->words.valid[i];
}

static void mask_set(uint32_t *k, uint32_t i, bool on)
{
    *k = (*k & ~(1u << i)) | (uint32_t)on << i;
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
    lane_from_state(&w->state, i, state);
    w->state.word[slot(i)] = bit_reader_peek(r);
    w->at[i] = (uint32_t)(r->position / 8) + 7;
    w->valid[i] = FILLED_BITS - (uint32_t)(r->position % 8);
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
    struct scale_words *scales = &g->fixed_words.scales;
    scales->scales = scales->scales_again = false;
    for (uint32_t i = 0; i < LANES; i++) {
        bool idle = !(g->active >> i & 1);
        scale_set(scales, i, idle ? 0 : g->scale[i]);
    }
}

/* The sample `done` of the lanes in the mask. */
static void take_alone(struct group *g, uint32_t lanes, uint32_t done)
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
static AVX2 ALWAYS_INLINE uint32_t longer(const struct group *g, int32_t low)
{
    const __m256i length = each((low + 1) * 4 + LENGTH_BIAS);
    return g->active & lanes_of(_mm256_cmpgt_epi32(g->lanes.state.learned.length, length));
}

/* The same, or only bits were missing, or there were too many. */
static AVX2 NO_INLINE void take_rare(struct group *g, uint32_t rare, uint32_t done)
{
    uint32_t few = lanes_of(_mm256_cmpgt_epi32(each(FEW_BITS), g->lanes.valid));
    if (rare & (few | longer(g, NARROW_LOW_MAX))) {
        struct lanes lanes;
        lanes_copy(&lanes, &g->lanes);
        fill(&lanes, &g->fixed);
        rare = take_usual(&lanes, &g->fixed, g->active, rare, true);
        lanes_copy(&g->lanes, &lanes);
    }
    if (rare) take_alone(g, rare, done);
}

/* ---- In lock step ---- */

/* Rows become columns. */
static AVX2 ALWAYS_INLINE void transpose(__m256i rows[HALF_LANES])
{
    __m256i a = _mm256_unpacklo_epi64(rows[0], rows[1]);
    __m256i b = _mm256_unpackhi_epi64(rows[0], rows[1]);
    __m256i c = _mm256_unpacklo_epi64(rows[2], rows[3]);
    __m256i d = _mm256_unpackhi_epi64(rows[2], rows[3]);
    rows[0] = _mm256_permute2x128_si256(a, c, 0x20);
    rows[1] = _mm256_permute2x128_si256(b, d, 0x20);
    rows[2] = _mm256_permute2x128_si256(a, c, 0x31);
    rows[3] = _mm256_permute2x128_si256(b, d, 0x31);
}

/* Rows of a sample of each lane become samples in a row, written behind `done` of each stream. */
static AVX2 ALWAYS_INLINE void put_half(const struct group *g, uint32_t half,
                                        __m256i rows[BLOCK_SAMPLES][HALVES], uint32_t done,
                                        bool times)
{
    __m256i columns[2][HALF_LANES];
    for (uint32_t i = 0; i < BLOCK_SAMPLES; i++)
        columns[i / HALF_LANES][i % HALF_LANES] = rows[i][half];
    transpose(columns[0]);
    transpose(columns[1]);
    for (uint32_t i = 0; i < HALF_LANES; i++) {
        uint32_t lane = i * HALVES + half;
        const __m256i column[2] = {columns[0][i], columns[1][i]};
        if (g->end[lane] <= done) continue;
        uint32_t left = g->end[lane] - done;
        struct open_lane *stream = g->streams[lane];
        __m256i *to = times ? (void *)(stream->t_ms + done) : (void *)(stream->v + done);
        if (LIKELY(left >= BLOCK_SAMPLES)) {
            _mm256_storeu_si256(to, column[0]);
            _mm256_storeu_si256(to + 1, column[1]);
        } else {
            memcpy(to, column, left * sizeof(uint64_t));
        }
    }
}

/* The first samples of a stream; then it is ready to go in lock step, if it does. */
static void lane_begin(struct group *g, uint32_t i)
{
    struct open_lane *stream = g->streams[i];
    struct open_state state = {.bits = 0};
    struct bit_reader r = open_lane_reader(stream, 0);
    if (!open_lane_decode(stream, &r, &state, 0, FIRST_SAMPLES)) return;
    if (!open_lane_may_go_on(&state) || stream->count > count_max || stream->size > size_max) {
        lane_finish(g, i, r, state, FIRST_SAMPLES);
        return;
    }
    lane_set(g, i, &state, &r);
    g->fixed_words.bytes[i] = stream->bytes;
    g->fixed_words.last[i] = (uint32_t)stream->size;
    g->end[i] = stream->count;
    mask_set(&g->active, i, true);
}

/* Lanes that are at their end, or behind that of their stream. */
static AVX2 void end_lanes(struct group *g, uint32_t done)
{
    __m256i ends = _mm256_loadu_si256((const __m256i *)g->end);
    uint32_t ended = g->active & ~lanes_of(_mm256_cmpgt_epi32(ends, each((int32_t)done)));
    for (; ended; ended &= ended - 1) {
        uint32_t i = (uint32_t)__builtin_ctz(ended);
        if (lane_position(g, i) > (uint64_t)g->streams[i]->size * 8)
            g->streams[i]->status = ERR_CORRUPT;
        lane_leave(g, i);
    }
}

/* Eight samples of each lane. */
static AVX2 ALWAYS_INLINE void take_block(struct group *g, uint32_t done, bool wide)
{
    __m256i t_ms[BLOCK_SAMPLES][HALVES];
    __m256i v[BLOCK_SAMPLES][HALVES];
    struct lanes lanes;
    lanes_copy(&lanes, &g->lanes);
    const uint32_t skipping = wide ? 0 : 1; /* every second sample finds enough bits */
    __m256i ends = _mm256_loadu_si256((const __m256i *)g->end);
    for (uint32_t n = 0; n < BLOCK_SAMPLES; n++) {
        uint32_t active = g->active & lanes_of(_mm256_cmpgt_epi32(ends, each((int32_t)(done + n))));
        if ((n & skipping) == 0) fill(&lanes, &g->fixed);
        uint32_t rare = take_usual(&lanes, &g->fixed, g->active, active, wide);
        if (UNLIKELY(rare)) {
            lanes_copy(&g->lanes, &lanes);
            take_rare(g, rare, done + n);
            lanes_copy(&lanes, &g->lanes);
        }
        for (uint32_t h = 0; h < HALVES; h++) {
            t_ms[n][h] = lanes.state.t_ms[h];
            v[n][h] = lanes.state.v_bits[h];
        }
    }
    lanes_copy(&g->lanes, &lanes);
    for (uint32_t h = 0; h < HALVES; h++) {
        put_half(g, h, t_ms, done, true);
        put_half(g, h, v, done, false);
    }
}

static AVX2 NO_INLINE void take_narrow(struct group *g, uint32_t done)
{
    take_block(g, done, false);
}

static AVX2 NO_INLINE void take_wide(struct group *g, uint32_t done)
{
    take_block(g, done, true);
}

static AVX2 void decode_group(struct open_lane *const *streams, size_t count)
{
    static const uint8_t nothing[sizeof(uint64_t)];
    struct group g = {.active = 0};
    uint32_t most = 0;
    constants_init(&g.fixed.k);
    bit_constants_init(&g.fixed.bit);
    for (uint32_t i = 0; i < LANES; i++)
        g.fixed_words.bytes[i] = nothing;
    for (uint32_t i = 0; i < count; i++) {
        g.streams[i] = streams[i];
        lane_begin(&g, i);
        if (g.end[i] > most) most = g.end[i];
    }
    scales_load(&g);
    for (uint32_t done = FIRST_SAMPLES; done < most; done += BLOCK_SAMPLES) {
        end_lanes(&g, done);
        if (!g.active) return;
        if (longer(&g, NARROW_LOW_BEGIN))
            take_wide(&g, done);
        else
            take_narrow(&g, done);
    }
    end_lanes(&g, most);
}

static AVX2 void decode(struct open_lane *const *streams, size_t count)
{
    const size_t first = count > LANES ? (count + 1) / 2 : count;
    decode_group(streams, first);
    if (count > first) decode_group(streams + first, count - first);
}

open_lanes_function *open_lanes_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? decode : NULL;
}

#else

open_lanes_function *open_lanes_avx2(void)
{
    return NULL;
}

#endif
