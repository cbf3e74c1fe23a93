/*
 * sample - one value at one time, and the marker that ends a series.
 */
#ifndef HEARTH_MODEL_SAMPLE_H
#define HEARTH_MODEL_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bits.h"

struct sample {
    int64_t t_ms; /* Unix milliseconds */
    double v;     /* any bits, NaN payloads included: they are kept */
};

/* Prometheus' NaNs: the stale marker, and the ordinary NaN it writes everywhere else. */
#define STALE_NAN_BITS  UINT64_C(0x7FF0000000000002)
#define NORMAL_NAN_BITS UINT64_C(0x7FF8000000000001)

static inline bool sample_is_stale(double v)
{
    return bits_from_double(v) == STALE_NAN_BITS;
}

#endif
