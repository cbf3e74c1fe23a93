/*
 * open_codec - the bits of one sample after another, for chunks that grow.
 *
 *     0                          on time, value unchanged
 *     10     value               on time
 *     110    7 bits   changed    off the grid by [-64, 63] ms, which stays where it is
 *     1110   20 bits  changed    a new grid from here on: change of the step in [-524288, 524287]
 *     11110  64 bits  changed                             milliseconds since the sample before
 *     11111                      on time, value a stale marker
 *
 *     changed:  0   the value before it again     1 value
 *
 * The first sample is 64 bits of time and 64 of value. Times are scrapes of a grid, most of them
 * just on it and some a few milliseconds late: a late one costs bits once, the next one is on time
 * again. When two in a row are off by the same, the grid goes there.
 *
 * Values are decimals as long as they can be: mantissas at the present scale (encoding/decimal.h).
 * What is stored of one is its residual, zigzag: how far it is from the one before it, or from
 * where the slope of the last ones leads, whichever came nearer lately. Residuals are written in
 * Rice's code ("Some Practical Universal Noiseless Coding Techniques", JPL 1979), with a parameter
 * that follows their usual length. Differences that are all multiples of 4096, pages of memory, are
 * coded in pages.
 *
 *     value:    q ones  0  k bits             residual = q << k | bits, q < 12
 *               12 ones  length: 6  residual  in so many bits, which are usual from then on; in
 *                                             units of one, not in pages
 *               12 ones  0: 6  64 bits        of the double, which is no decimal at this scale
 *
 * A double in full moves the scale on to the first one that fits it. When there is none, values are
 * XORed with their predecessors from then on ("Gorilla", Pelkonen et al., VLDB 2015, 4.1):
 *
 *     value:    0  bits inside the present window of meaningful bits
 *               1  leading: 5  count: 6 (0 stands for 64)  bits
 *
 * NaN, the infinities and -0, in full, move nothing. Every double and every int64 time survives;
 * any prefix decodes.
 *
 * Threads: no state but the caller's.
 */
#ifndef HEARTH_ENCODING_OPEN_CODEC_H
#define HEARTH_ENCODING_OPEN_CODEC_H

#include "base/status.h"
#include "encoding/bit_stream.h"
#include "encoding/decimal.h"

/* What encoder and decoder know after a sample. Zero before the first. */
struct open_state {
    int64_t t_ms;
    uint64_t v_bits;
    int64_t mantissa;  /* of the last decimal */
    uint32_t bits;     /* of the stream so far */
    int32_t step_ms;   /* of the grid; 0: none yet */
    int32_t slope;     /* of mantissas, in sixteenths; of those that changed, the last ones */
    uint8_t scale : 6; /* encoding/decimal.h; OPEN_XOR when values are no decimals any more */
    uint8_t pages : 2; /* the last differences that were multiples of 4096, no more than 2 */
    int8_t late_ms;    /* of the last sample, behind the grid */
    union {
        uint8_t length;  /* usual one of residuals, in quarters of bits */
        uint8_t leading; /* OPEN_XOR: zero bits before the window of meaningful bits */
    };
    union {
        int8_t trend;     /* above 0: the slope came nearer than no slope lately */
        uint8_t trailing; /* OPEN_XOR: and behind it; both 32 when there is no window yet */
    };
};

enum {
    OPEN_FIRST_BITS = 128, /* the first sample */
    OPEN_XOR = DECIMAL_SCALES,
    OPEN_ONES_MAX = 12, /* so many before a residual say that it is no Rice code */
    OPEN_LATE_BITS = 7,
    OPEN_TREND_MAX = 7,
    OPEN_PAGE_SHIFT = 12,
    OPEN_PAGES_MIN = 2
};
_Static_assert(sizeof(struct open_state) == 40, "no padding: states are compared");
_Static_assert(OPEN_XOR < 1 << 6, "a scale and OPEN_XOR fit into open_state.scale");

/* Encode one more sample: fills *bits and moves the state on. t_ms is later than state->t_ms. */
void open_encode(struct open_state *state, int64_t t_ms, double v, struct sample_bits *bits);

/* Decode *count samples from size bytes into t_ms[*count] and v[*count] (NULL both: only check).
 * *state is what an encoder would know behind the last one.
 *
 * OK
 * ERR_CORRUPT   the bytes end early, or times do not strictly increase; *count samples are decoded
 */
MUST_USE enum status open_decode(const uint8_t *bytes, size_t size, uint32_t *count, int64_t *t_ms,
                                 double *v, struct open_state *state);

/* Decode one more sample: of the reader's next bits, or the first. Moves the state on, but for
 * state->bits. false: what no encoder writes. */
MUST_USE bool open_decode_next(struct bit_reader *r, struct open_state *state);

/* ---- The last sample, read while another thread encodes the next ---- */

/* Time and value are two words, and a reader must not get one of this sample and one of the next.
 * So the encoder stores first how many bits there will be, then time and value. A reader loads time
 * and value first and then the bits: if these are no more than it knows to be published, the words
 * are of published samples, and the value belongs to the time (a sample that repeats adds no bits,
 * and changes the time alone). */
static ALWAYS_INLINE void open_begin_last(struct open_state *state, uint32_t bits)
{
    __atomic_store_n(&state->bits, bits, __ATOMIC_RELAXED);
}
static ALWAYS_INLINE void open_end_last(struct open_state *state, int64_t t_ms, uint64_t v_bits)
{
    __atomic_store_n(&state->t_ms, t_ms, __ATOMIC_RELEASE);
    __atomic_store_n(&state->v_bits, v_bits, __ATOMIC_RELEASE);
}

/* Move on to the state that is behind a sample encoded apart; of more bits. */
static inline void open_move_on(struct open_state *state, const struct open_state *after)
{
    const size_t rest = offsetof(struct open_state, step_ms);
    open_begin_last(state, after->bits);
    state->mantissa = after->mantissa;
    memcpy((char *)state + rest, (const char *)after + rest, sizeof(*state) - rest);
    open_end_last(state, after->t_ms, after->v_bits);
}

/* false when the next sample is just being encoded. published_bits: read with acquire before. */
static ALWAYS_INLINE bool open_last(const struct open_state *state, uint32_t published_bits,
                                    int64_t *t_ms, uint64_t *v_bits)
{
    *t_ms = __atomic_load_n(&state->t_ms, __ATOMIC_ACQUIRE);
    *v_bits = __atomic_load_n(&state->v_bits, __ATOMIC_ACQUIRE);
    return __atomic_load_n(&state->bits, __ATOMIC_RELAXED) <= published_bits;
}

/* ---- The same bits as open_encode, faster for what most samples are ---- */

/* Milliseconds from where the grid has its next sample. */
static ALWAYS_INLINE int64_t open_lateness(const struct open_state *state, int64_t t_ms)
{
    int64_t grid_ms = (int64_t)state->step_ms - state->late_ms;
    return (int64_t)((uint64_t)t_ms - (uint64_t)state->t_ms - (uint64_t)grid_ms);
}

/* A sample that is one zero bit. False before the second. */
static ALWAYS_INLINE bool open_repeats(const struct open_state *state, int64_t t_ms, double v)
{
    return open_lateness(state, t_ms) == 0 && bits_from_double(v) == state->v_bits &&
           t_ms > state->t_ms;
}

/* Move the state on behind it, but for state->bits. */
static ALWAYS_INLINE void open_take_repeat(struct open_state *state, int64_t t_ms)
{
    __atomic_store_n(&state->t_ms, t_ms, __ATOMIC_RELEASE); /* open_last */
    state->late_ms = 0;
}

/* What follows has no branches: series differ, and their samples come in turn. */

/* The difference of mantissas that is expected. */
static ALWAYS_INLINE int64_t open_expected(const struct open_state *state)
{
    return (state->slope >> 4) & -(state->trend > 0);
}

/* Low bits of differences that are expected to be zeros, and are not stored. */
static ALWAYS_INLINE uint32_t open_page_shift(const struct open_state *state)
{
    return OPEN_PAGE_SHIFT & -(uint32_t)(state->pages >= OPEN_PAGES_MIN && state->trend <= 0);
}

/* Rice's parameter: the low bits of a residual that are stored as they are. */
static ALWAYS_INLINE uint32_t open_low_bits(const struct open_state *state)
{
    uint32_t length = (state->length + 3u) / 4;
    return length ? length - 1 : 0;
}

/* How far the difference of mantissas is from the expected one, as it is stored; false when pages
 * are expected and it is none. */
static ALWAYS_INLINE bool open_residual(const struct open_state *state, int64_t difference,
                                        uint64_t *residual)
{
    uint32_t shift = open_page_shift(state);
    int64_t off = (int64_t)((uint64_t)difference - (uint64_t)open_expected(state));
    *residual = bits_zigzag(off >> shift);
    return ((uint64_t)off & ((UINT64_C(1) << shift) - 1)) == 0;
}

static ALWAYS_INLINE int32_t open_clamp(int64_t v, int32_t most)
{
    int64_t low = v < -most ? -most : v;
    return (int32_t)(low > most ? most : low);
}

/* What the difference of two mantissas, whose residual was this, says of the next one. */
static ALWAYS_INLINE void open_learn(struct open_state *state, int64_t difference,
                                     uint64_t residual)
{
    const int32_t difference_max = (1 << 27) - 1;
    int64_t near = open_clamp(difference, difference_max);
    uint64_t ahead = (uint64_t)difference - (uint64_t)(int64_t)(state->slope >> 4);
    uint64_t flat_miss = bits_zigzag(difference);
    uint64_t slope_miss = bits_zigzag((int64_t)ahead);
    int32_t gain = (slope_miss < flat_miss) - (slope_miss > flat_miss);
    int32_t bits = 63 - __builtin_clzll(residual << 1 | 1);
    uint32_t page = (difference & ((1 << OPEN_PAGE_SHIFT) - 1)) == 0;
    uint32_t pages = (state->pages + 1u) & -page;
    state->pages = (pages > OPEN_PAGES_MIN ? OPEN_PAGES_MIN : pages) & 3;
    state->trend = (int8_t)(open_clamp(state->trend + gain, OPEN_TREND_MAX));
    state->slope += (int32_t)((near * 16 - state->slope) >> 2);
    state->length = (uint8_t)(state->length + ((bits * 4 - state->length + 3) >> 2));
}

/* Near enough to the grid that it stays where it is. */
static ALWAYS_INLINE bool open_is_late(const struct open_state *state, int64_t lateness)
{
    const int64_t most = 1 << (OPEN_LATE_BITS - 1);
    return state->step_ms && lateness >= -most && lateness < most;
}

/* What is kept of a sample off the grid. */
static ALWAYS_INLINE int8_t open_next_late(const struct open_state *state, int64_t lateness)
{
    return (int8_t)(lateness == state->late_ms ? 0 : lateness);
}

/* A sample of few bits: all of them fit into one word. */
enum { OPEN_FEW_LOW_MAX = 64 - (3 + OPEN_LATE_BITS + 1) - OPEN_ONES_MAX };
struct open_few {
    uint64_t bits; /* the first one is the most significant; zeros behind the last */
    uint32_t count;
    int8_t late_ms;
    bool changed;
    int64_t mantissa;
    uint64_t residual;
};

/* A sample on the grid, or nearly, whose value differs by a decimal of a usual residual or not at
 * all; false when it is another. The state is not changed. Which of these it is changes from sample
 * to sample, so that branches would be predicted wrongly: there are none. */
static ALWAYS_INLINE bool open_encode_few(const struct open_state *state, int64_t t_ms, double v,
                                          struct open_few *few)
{
    int64_t lateness = open_lateness(state, t_ms);
    uint32_t low = open_low_bits(state);
    bool changed = bits_from_double(v) != state->v_bits;
    if (state->scale == OPEN_XOR || low > OPEN_FEW_LOW_MAX) return false;
    if (!open_is_late(state, lateness)) return false;
    if (!decimal_exact(decimal_scale(state->scale), v, &few->mantissa)) return false;
    bool usual = open_residual(state, few->mantissa - state->mantissa, &few->residual);
    uint64_t ones = few->residual >> low;
    if (changed & (!usual | (ones >= OPEN_ONES_MAX))) return false;

    uint64_t control = (uint64_t)changed << 1;
    uint32_t control_bits = 1u + changed;
    if (lateness != 0) {
        uint64_t late = (uint64_t)lateness & ((1 << OPEN_LATE_BITS) - 1);
        control = 6 << (OPEN_LATE_BITS + 1) | late << 1 | changed;
        control_bits = 3 + OPEN_LATE_BITS + 1;
    }
    uint32_t value_bits = changed ? (uint32_t)ones + 1 + low : 0;
    uint64_t value = ((UINT64_C(2) << (ones & 63)) - 2) << low;
    value |= few->residual & ((UINT64_C(1) << low) - 1);
    few->count = control_bits + value_bits;
    few->bits = (control << value_bits | (changed ? value : 0)) << (64 - few->count);
    few->late_ms = open_next_late(state, lateness);
    few->changed = changed;
    return true;
}

/* Move the state on behind it. bits: what state->bits is to be then; more than it was. */
static ALWAYS_INLINE void open_take_few(struct open_state *state, int64_t t_ms, double v,
                                        const struct open_few *few, uint32_t bits)
{
    open_begin_last(state, bits);
    if (few->changed) {
        open_learn(state, few->mantissa - state->mantissa, few->residual);
        state->mantissa = few->mantissa;
    }
    state->late_ms = few->late_ms;
    open_end_last(state, t_ms, bits_from_double(v));
}

#endif
