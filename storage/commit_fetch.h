/*
 * commit_fetch - asking for the memory that the staged series further on will need.
 *
 * Memory decides how fast a commit is: of each sample the series, its chunk and the end of that
 * chunk are somewhere. They are asked for a few series ahead, each when the one before it has
 * arrived. Series that have to be looked up or made need other memory: where maps and postings have
 * them.
 *
 *     at[0]    is about to be applied, in the shard that is locked
 *     end      of the staged series of this shard
 *     all_end  of those of all shards, in order of shard
 *
 * Threads: the commit's; the shard's lock is held.
 */
#ifndef HEARTH_STORAGE_COMMIT_FETCH_H
#define HEARTH_STORAGE_COMMIT_FETCH_H

#include "storage/staged.h"

/* So many series ahead of the one at work. */
enum { COMMIT_AHEAD_CHUNK = 16, COMMIT_AHEAD_END = 8 };

/* For series that are looked up. Of other shards, behind `end`, only what may be looked at without
 * their lock. */
void commit_fetch_newcomers(const struct shard *sh, struct staged *const *at,
                            struct staged *const *end, struct staged *const *all_end);
/* The same for the first ones of a shard, which nobody has asked for. */
void commit_fetch_first_newcomers(const struct shard *sh, struct staged *const *at,
                                  struct staged *const *end);

static ALWAYS_INLINE void commit_fetch(const struct appender *app, const struct shard *sh,
                                       struct staged *const *at, struct staged *const *end,
                                       struct staged *const *all_end)
{
    if (LIKELY(all_end - at > COMMIT_AHEAD_CHUNK)) chunk_prefetch(at[COMMIT_AHEAD_CHUNK]->chunk);
    if (LIKELY(end - at > COMMIT_AHEAD_END)) {
        const struct chunk *chunk = at[COMMIT_AHEAD_END]->chunk;
        if (chunk) chunk_prefetch_end(chunk);
    }
    if (UNLIKELY(app->newcomers != NULL)) commit_fetch_newcomers(sh, at, end, all_end);
}

#endif
