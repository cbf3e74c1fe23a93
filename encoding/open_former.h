/*
 * open_former - open chunks as they were written before encoding/open_codec.h: only read.
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
 * The first sample is 64 bits of time and 64 of value. Values are decimals as long as they can be:
 * the difference of mantissas at the present scale (encoding/decimal.h), zigzag, in a width that
 * moves:
 *
 *     value:    0  difference        in the present width
 *               1  width: 6  difference
 *               1  0: 6      64 bits of the double, which is no decimal at this scale
 *
 * Scales, and doubles that are no decimals, as in encoding/open_codec.h.
 *
 * Threads: no state but the caller's.
 */
#ifndef HEARTH_ENCODING_OPEN_FORMER_H
#define HEARTH_ENCODING_OPEN_FORMER_H

#include "base/status.h"
#include "encoding/bit_stream.h"
#include "encoding/decimal.h"

/* Decode *count samples from size bytes into t_ms[*count] and v[*count]; *bits of them were read.
 *
 * OK
 * ERR_CORRUPT   the bytes end early, or times do not strictly increase; *count samples are decoded
 */
MUST_USE enum status open_former_decode(const uint8_t *bytes, size_t size, uint32_t *count,
                                        int64_t *t_ms, double *v, uint32_t *bits);

#endif
