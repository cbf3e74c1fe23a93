/*
 * open_lanes - several streams of open_codec decoded at once.
 *
 * What a bit of a stream means depends on all bits before it, so one stream is decoded no faster
 * than the longest chain of dependent instructions of a sample. Streams do not depend on each
 * other: here sixteen of them go in lock step, a sample of each at a time, in the lanes of vector
 * registers. What most samples are (open_encode_few, and repeats) is computed for all lanes without
 * a branch; a lane that has something else takes that one sample as open_decode does. Streams that
 * are mostly repeats are left to open_decode, which takes those by the dozen.
 *
 * Threads: no state; the choice is made once, by what the CPU can do.
 */
#ifndef HEARTH_ENCODING_OPEN_LANES_H
#define HEARTH_ENCODING_OPEN_LANES_H

#include "encoding/open_codec.h"

enum {
    OPEN_LANES = 16,
    OPEN_LANE_SLACK_BYTES = 8 /* to be readable behind a stream, whatever they are */
};

/* One stream, and where its samples go. */
struct open_lane {
    const uint8_t *bytes; /* [size + OPEN_LANE_SLACK_BYTES] */
    size_t size;
    int64_t *t_ms; /* [count] */
    double *v;     /* [count] */
    uint32_t count;
    enum status status; /* set: as open_decode; what is decoded of a corrupt stream is not told */
};

/* Decode all of them, as open_decode does one. */
void open_lanes_decode(struct open_lane *lanes, size_t count);

/* ---- For this module and its tests ---- */

/* At most OPEN_LANES lanes, of two samples or more. */
typedef void open_lanes_function(struct open_lane *const *lanes, size_t count);
/* NULL: the CPU has none. */
open_lanes_function *open_lanes_avx512(void);
open_lanes_function *open_lanes_avx2(void);

#endif
