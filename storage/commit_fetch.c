/* commit_fetch - what newcomers need: themselves, places in the map, postings, and their sets. */
#include "storage/commit_fetch.h"

enum { AHEAD_NEWCOMER = 48, AHEAD_SERIES = 24, AHEAD_ENTRIES = 8, AHEAD_SETS = 4 };

static ALWAYS_INLINE void fetch_postings(const struct shard *sh, const struct staged *staged,
                                         void (*prefetch)(const struct postings *,
                                                          struct symbol *const *, size_t))
{
    const struct newcomer *n = staged->series ? NULL : staged->newcomer;
    if (n && n->refers) prefetch(&sh->postings, n->set.symbols, n->set.labels.count);
}

NO_INLINE void commit_fetch_newcomers(const struct shard *sh, struct staged *const *at,
                                      struct staged *const *end, struct staged *const *all_end)
{
    if (all_end - at > AHEAD_NEWCOMER) __builtin_prefetch(at[AHEAD_NEWCOMER]->newcomer);
    if (end - at > AHEAD_SERIES && !at[AHEAD_SERIES]->series)
        shard_prefetch(sh, at[AHEAD_SERIES]->newcomer->set.hash);
    if (end - at > AHEAD_ENTRIES) fetch_postings(sh, at[AHEAD_ENTRIES], postings_prefetch);
    if (end - at > AHEAD_SETS) fetch_postings(sh, at[AHEAD_SETS], postings_prefetch_sets);
}

NO_INLINE void commit_fetch_first_newcomers(const struct shard *sh, struct staged *const *at,
                                            struct staged *const *end)
{
    for (size_t i = 0; i < AHEAD_SERIES && at < end; i++, at++)
        if (!(*at)->series) shard_prefetch(sh, (*at)->newcomer->set.hash);
}
