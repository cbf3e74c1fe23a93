/*
 * values - the values of a sealed chunk, every bit of them.
 *
 *     form CONSTANT:  | form: 8 | the value, an integer: varint |      always this one
 *     form CONSTANT | RAW:      | form: 8 | the value's bits: 64 |
 *     otherwise:      | form: 8 | [positions] | numbers |
 *
 * Numbers are those of all samples, or only where the value changes; the form says how the
 * positions of the changes are told: one bit per sample (BITMAP), or an ints column of them (GAPS).
 * Numbers:
 *
 *     DECIMAL         | scale: 8 | mantissas: ints |                (encoding/decimal.h)
 *     DECIMAL_NEAR    | scale: 8 | mantissas: ints | distances in units in the last place: ints |
 *     RAW             | bits of the doubles: ints |
 *
 * each with a list of strays behind it, if the form says so: numbers that are no decimals (NaN,
 * the infinities, -0, a few long ones).
 *
 * Threads: no state but the caller's.
 */
#ifndef HEARTH_ENCODING_VALUES_H
#define HEARTH_ENCODING_VALUES_H

#include "alloc/arena.h"
#include "alloc/buf.h"

/* Append count (> 0) values to a buffer. ERR_NO_MEMORY, ERR_TOO_LARGE: the arena or the buffer. */
MUST_USE enum status values_encode(const double *v, uint32_t count, struct arena *scratch,
                                   struct buf *out);

/* Decode into v[count]. *ascends, unless NULL: no value is below the one before it and none is NaN,
 * as far as that is known without a look at the values; of damaged bytes it says nothing.
 * ERR_CORRUPT: the bytes are not so many values, or not only that. */
MUST_USE enum status values_decode(const uint8_t *bytes, size_t size, double *v, uint32_t count,
                                   bool *ascends);

#endif
