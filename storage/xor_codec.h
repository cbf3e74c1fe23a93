/*
 * xor_codec - the bits of one sample after another: deltas of deltas, and XORed doubles.
 *
 *     time:   0                        delta unchanged
 *             10   + 14 bits           change of delta in [-8191, 8192]
 *             110  + 17                       in [-65535, 65536]
 *             1110 + 20                       in [-524287, 524288]
 *             1111 + 64
 *     value:  0                        same bits as before
 *             10   + bits              inside the last window of meaningful bits
 *             11   + 5 leading + 6 count + bits   a new window (count 0 stands for 64)
 *
 * Former versions wrote chunks like that. They are still read; only tests and
 * measurements encode.
 *
 * The first sample is 64 bits of time and 64 bits of value. Encoding: Pelkonen et al., "Gorilla",
 * VLDB 2015, 4.1, with the time widths Prometheus uses for milliseconds.
 *
 * Threads: no state but the caller's.
 */
#ifndef HEARTH_STORAGE_XOR_CODEC_H
#define HEARTH_STORAGE_XOR_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "encoding/bit_stream.h"
#include "storage/columns.h"

/* What encoder and decoder know after a sample. Zero before the first. */
struct xor_state {
    int64_t t_ms;
    int64_t delta_ms;
    uint64_t v_bits;
    uint32_t count;   /* samples so far */
    uint32_t bits;    /* of the stream so far */
    uint8_t leading;  /* zero bits before the window of meaningful bits; 0xFF: no window yet */
    uint8_t trailing; /* zero bits behind it */
};

/* Encode one more sample: fills *bits and moves the state on. t_ms is later than state->t_ms. */
void xor_encode(struct xor_state *state, int64_t t_ms, double v, struct sample_bits *bits);

/* Decode `count` samples from size bytes. Those in [t_min_ms, t_max_ms] are appended to the
 * columns, which have room for all (NULL: only check). Stops early once a time is beyond t_max_ms.
 * *state is what an encoder would know behind the last sample decoded.
 *
 * OK
 * ERR_CORRUPT   the bytes end early, or times do not strictly increase */
MUST_USE enum status xor_decode(const uint8_t *bytes, size_t size, uint32_t count, int64_t t_min_ms,
                                int64_t t_max_ms, struct columns *columns, struct xor_state *state);

#endif
