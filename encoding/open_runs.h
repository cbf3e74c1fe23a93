/*
 * open_runs - the next samples of several streams of open_codec encoded at once.
 *
 * How a sample is encoded depends on the ones before it, so a run of them takes as long as its
 * chain of dependent instructions. Streams do not depend on each other: here eight of them go in
 * lock step, a sample of each at a time, in the lanes of vector registers, and the bits of many
 * samples are put together before anybody stores them. It takes what most samples are
 * (open_encode_few, and repeats); a run ends before the first that is something else.
 *
 * Threads: no state; the kernel is the best that the CPU can run.
 */
#ifndef HEARTH_ENCODING_OPEN_RUNS_H
#define HEARTH_ENCODING_OPEN_RUNS_H

#include "encoding/open_codec.h"
#include "model/sample.h"

enum { OPEN_RUNS = 8, OPEN_RUN_SAMPLES_MAX = 32 };

struct open_run {
    const struct sample *samples;
    uint32_t count; /* at most OPEN_RUN_SAMPLES_MAX; those that are encoded become `done` */
    uint32_t done;
    struct open_state state; /* before, and then behind them, but for state.bits */
    /* The bits, most significant first. At the start of words[0] are, before and after, those that
     * the stream has already of the word that goes on, `bits` of them (fewer than 64). */
    uint32_t bits;
    uint64_t words[OPEN_RUN_SAMPLES_MAX + 8]; /* zeros behind `bits`, in its word */
};

/* Encode the first samples of each run, as many as are usual and not later than last_ms. At most
 * OPEN_RUNS runs. */
typedef void open_runs_function(struct open_run *runs, size_t count, int64_t last_ms);
/* NULL: the CPU has none. */
open_runs_function *open_runs_avx512(void);
open_runs_function *open_runs_avx2(void);

#endif
