/*
 * open_codec - the bits of one sample after another, for chunks that grow.
 *
 *     0                          time regular (the step before it again), value unchanged
 *     10     value               time regular
 *     110    13 bits  changed    change of the step in [-4096, 4095]
 *     1110   20 bits  changed                       in [-524288, 524287]
 *     11110  64 bits  changed
 *     11111                      time regular, value a stale marker
 *
 *     changed:  0   the value before it again     1 value
 *
 * The first sample is 64 bits of time and 64 of value. The control bits are those of Prometheus'
 * XOR2 chunks. Values are decimals as long as they can be: the difference of mantissas at the
 * present scale (encoding/decimal.h), zigzag, in a width that moves:
 *
 *     value:    0  difference        in the present width
 *               1  width: 6  difference
 *               1  0: 6      64 bits of the double, which is no decimal at this scale
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
    int64_t step_ms;
    uint64_t v_bits;
    int64_t mantissa; /* of the last decimal */
    uint32_t bits;    /* of the stream so far */
    uint8_t scale;    /* encoding/decimal.h; OPEN_XOR when values are no decimals any more */
    uint8_t width;    /* of differences of mantissas */
    uint8_t leading;  /* of the window of meaningful bits: zero bits before it */
    uint8_t trailing; /* and behind it; both 32 when there is none yet */
};

enum {
    OPEN_FIRST_BITS = 128, /* the first sample */
    OPEN_XOR = DECIMAL_SCALES,
    OPEN_WIDTH_BITS = 6,
    OPEN_WIDTH_SPARE_MAX = 3 /* a width so much too large is kept */
};

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

/* ---- The same bits as open_encode, faster for what most samples are ---- */

/* A sample that is one zero bit: all that it moves on is state->t_ms. False before the first. */
static ALWAYS_INLINE bool open_repeats(const struct open_state *state, int64_t t_ms, double v)
{
    return (uint64_t)t_ms - (uint64_t)state->t_ms == (uint64_t)state->step_ms &&
           bits_from_double(v) == state->v_bits && t_ms > state->t_ms;
}

/* Whether a difference, zigzag, is written in the present width. */
static ALWAYS_INLINE bool open_keeps_width(const struct open_state *state, uint64_t difference)
{
    uint32_t needed = difference ? 64 - (uint32_t)__builtin_clzll(difference) : 0;
    return state->width - needed < OPEN_WIDTH_SPARE_MAX + OPEN_WIDTH_BITS;
}

/* A sample of few bits: all of them fit into one word. */
enum {
    OPEN_SHORT_STEP_BITS = 13, /* of the first form of a change of step */
    OPEN_FEW_WIDTH_MAX = 64 - (3 + OPEN_SHORT_STEP_BITS + 1) - 1
};
struct open_few {
    uint64_t bits; /* the first one is the most significant; zeros behind the last */
    uint32_t count;
    int64_t step_ms;
    int64_t mantissa;
};

/* A sample whose step changes little or not at all, and whose value differs by a decimal of the
 * present width or not at all; false when it is another. The state is not changed. What it is of
 * these hardly anybody can foretell, so it is computed without a branch. */
static ALWAYS_INLINE bool open_encode_few(const struct open_state *state, int64_t t_ms, double v,
                                          struct open_few *few)
{
    const int64_t most = INT64_C(1) << (OPEN_SHORT_STEP_BITS - 1);
    uint32_t width = state->width;
    uint64_t step = (uint64_t)t_ms - (uint64_t)state->t_ms;
    int64_t change = (int64_t)(step - (uint64_t)state->step_ms);
    bool changed = bits_from_double(v) != state->v_bits;
    int64_t mantissa;
    if (state->bits == 0 || state->scale == OPEN_XOR || width > OPEN_FEW_WIDTH_MAX) return false;
    if (change < -most || change >= most) return false;
    if (!decimal_exact(decimal_scale(state->scale), v, &mantissa)) return false;
    uint64_t difference = bits_zigzag(mantissa - state->mantissa);
    if (changed & !open_keeps_width(state, difference)) return false;

    uint64_t control = (uint64_t)changed << 1;
    uint32_t control_bits = 1u + changed;
    if (change != 0) {
        uint64_t low = (uint64_t)change & (2 * (uint64_t)most - 1);
        control = (UINT64_C(6) << OPEN_SHORT_STEP_BITS | low) << 1 | changed;
        control_bits = 3 + OPEN_SHORT_STEP_BITS + 1;
    }
    uint32_t value_bits = changed ? width + 1 : 0;
    few->count = control_bits + value_bits;
    few->bits = (control << value_bits | (changed ? difference : 0)) << (64 - few->count);
    few->step_ms = (int64_t)step;
    few->mantissa = changed ? mantissa : state->mantissa;
    return true;
}

/* Move the state on behind it; state->bits too. */
static ALWAYS_INLINE void open_take_few(struct open_state *state, int64_t t_ms, double v,
                                        const struct open_few *few)
{
    state->t_ms = t_ms;
    state->step_ms = few->step_ms;
    state->v_bits = bits_from_double(v);
    state->mantissa = few->mantissa;
    state->bits += few->count;
}

#endif
