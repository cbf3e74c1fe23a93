/*
 * shard_run - samples that go into a shard under one hold of its lock, most of them to the ends of
 * open chunks of one window.
 *
 *     shard_run_begin -> shard_run_append, shard_run_append_runs, shard_run_add ... ->
 * shard_run_end
 *
 * What such samples change of the shard's numbers is summed up in the run, and counted at once. The
 * run moves on to another window with the first sample that goes there.
 *
 * Threads: the write lock of the shard is held, from begin to end.
 */
#ifndef HEARTH_STORAGE_SHARD_RUN_H
#define HEARTH_STORAGE_SHARD_RUN_H

#include "storage/chunk_runs.h"
#include "storage/shard.h"

/* Zero but for the bounds: no window yet. */
struct shard_run {
    struct storage_bounds bounds; /* what the clock lets in */
    int64_t start_ms;             /* of the window, inside the bounds; 0 and 0: none */
    int64_t end_ms;               /* first behind it */
    int64_t window;
    uint32_t slot;
    bool is_last;               /* no series of the shard has anything in a later window */
    struct directory_span span; /* of the series that was at work last */
    struct shard_growth growth; /* not counted yet */
    struct series *merge;       /* the last one whose late run wants to be merged, or NULL; */
    uint32_t merge_slot;        /* where that is */
};

/* A new hold of a lock: what is in the run was counted (shard_run_end). It goes on in the window it
 * is in, if the shard has entered that. */
void shard_run_begin(struct shard *sh, struct shard_run *run, struct storage_bounds bounds);
/* Count what the run has summed up; before the lock goes. The run may go on. */
void shard_run_end(struct shard *sh, struct shard_run *run);

/* Go on in the window of this time; false when the shard is not in it, or it is out of bounds. */
bool shard_run_move(struct shard *sh, struct shard_run *run, int64_t t_ms);

/* Whether samples of this time are for this chunk, found earlier in the caller's stay in the epoch:
 * it has not been taken out of its series since, and the run is in its window. */
bool shard_run_holds(const struct shard_run *run, const struct chunk *c, int64_t t_ms);

/* Put samples to the end of a chunk that was found earlier in the caller's stay in the epoch: how
 * many went in, the first ones. The next one is for shard_run_add; none go in when the chunk has
 * been taken out of its series since. The caller then calls shard_run_saw. */
size_t shard_run_append(struct shard_run *run, struct chunk *c, const struct sample *samples,
                        size_t count);
/* The same of several chunks; shard_run_holds is true of each and the first of its samples. */
void shard_run_append_runs(struct shard_run *run, struct chunk_run *runs, size_t count);

/* The last sample that went to the end of a chunk of the series of this id. */
static ALWAYS_INLINE void shard_run_saw(const struct shard *sh, struct shard_run *run, uint32_t id,
                                        const struct sample *last)
{
    uint32_t local = shard_local(sh, id);
    if (UNLIKELY(local - run->span.first >= run->span.count))
        run->span = directory_span(&sh->directory, local);
    struct directory_place *place = &run->span.places[local - run->span.first];
    if (LIKELY(run->is_last))
        directory_set_newest(place, newest_of(last));
    else
        directory_see(place, newest_of(last));
}

/* shard_add_sample, as a part of the run: for a sample within the bounds. */
int shard_run_add(struct shard *sh, struct shard_run *run, struct series *s,
                  const struct sample *sample, bool absent);

#endif
