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
 * Threads: no state; the kernel is the best that the CPU can run.
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

/* What kernels do with one lane apart from the others: its first samples, one that is unusual, and
 * the rest of a stream that cannot go on in lock step. */
static inline struct bit_reader open_lane_reader(const struct open_lane *lane, uint64_t position)
{
    return (struct bit_reader){
        .bytes = lane->bytes, .size_bits = (uint64_t)lane->size * 8, .position = position};
}

/* Decode the samples [from, to), as open_decode does. false: lane->status says why. */
bool open_lane_decode(struct open_lane *lane, struct bit_reader *r, struct open_state *state,
                      uint32_t from, uint32_t to);

/* Nothing that usual samples may lead to from here overflows in a kernel. */
static inline bool open_lane_may_go_on(const struct open_state *state)
{
    const int64_t near_ms = INT64_C(1) << 62;
    const int32_t step_ms_max = 1 << 30;
    return state->scale != OPEN_XOR && state->step_ms > 0 && state->step_ms <= step_ms_max &&
           state->t_ms < near_ms && state->t_ms > -near_ms;
}

#endif
