/*
 * chunk_runs - samples for the ends of several chunks, encoded at once.
 *
 * What most samples are is encoded in lock step (encoding/open_runs.h), which takes half to two
 * thirds of the time; each chunk is then looked at once for all of its samples.
 *
 * Threads: as the writer of each chunk.
 */
#ifndef HEARTH_STORAGE_CHUNK_RUNS_H
#define HEARTH_STORAGE_CHUNK_RUNS_H

#include "encoding/open_runs.h"
#include "storage/chunk.h"

enum {
    CHUNK_RUNS_MAX = OPEN_RUNS,
    /* Fewer are faster one by one: */
    CHUNK_RUNS_MIN = 4,
    CHUNK_RUN_SAMPLES_MIN = 8
};

struct chunk_run {
    struct chunk *chunk; /* one that is there several times takes none but the first of its runs */
    const struct sample *samples;
    size_t count; /* at most OPEN_RUN_SAMPLES_MAX */
    size_t done;  /* set: how many of them went in, as chunk_append_run says */
};

/* chunk_append_run of each, of chunks that are there once. */
void chunk_runs_append(struct chunk_run *items, size_t count, int64_t end_ms,
                       struct chunk_growth *growth);

#endif
