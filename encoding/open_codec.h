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

/* What encoder and decoder know after a sample. Zero before the first. */
struct open_state {
    int64_t t_ms;
    int64_t step_ms;
    uint64_t v_bits;
    int64_t mantissa; /* of the last decimal */
    uint32_t count;   /* samples so far */
    uint32_t bits;    /* of the stream so far */
    uint8_t scale;    /* encoding/decimal.h; OPEN_XOR when values are no decimals any more */
    uint8_t width;    /* of differences of mantissas */
    uint8_t leading;  /* of the window of meaningful bits: zero bits before it */
    uint8_t trailing; /* and behind it; both 32 when there is none yet */
};

/* Encode one more sample: fills *bits and moves the state on. t_ms is later than state->t_ms. */
void open_encode(struct open_state *state, int64_t t_ms, double v, struct sample_bits *bits);

/* Decode `count` samples from size bytes into t_ms[count] and v[count] (NULL both: only check).
 * *state is what an encoder would know behind the last one.
 *
 * OK
 * ERR_CORRUPT   the bytes end early, or times do not strictly increase; state->count samples are
 *               decoded */
MUST_USE enum status open_decode(const uint8_t *bytes, size_t size, uint32_t count, int64_t *t_ms,
                                 double *v, struct open_state *state);

#endif
