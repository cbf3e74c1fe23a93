/*
 * expiry - what the passing of time takes away: deciding, and one round of doing.
 *
 * When the oldest retained window moves on, one walk over all series starts (a sweep): expired
 * chunks are dropped, series that hold nothing are forgotten, closed chunks with late runs are
 * merged into one stream. A round is a few holds of one shard's lock at a time, each over a bounded
 * number of series, so that nobody waits long; what was dropped is freed by the epoch.
 *
 * Nobody depends on the sweep to be right about what is visible: readers and writers go by the
 * clock.
 *
 * Threads: rounds from one thread at a time.
 */
#ifndef HEARTH_STORAGE_EXPIRY_H
#define HEARTH_STORAGE_EXPIRY_H

#include <stdbool.h>
#include <stdint.h>

struct storage;

enum expiry_action { EXPIRY_KEEP, EXPIRY_DROP, EXPIRY_MERGE };

/* What to do with a chunk of this window: pure. */
static inline enum expiry_action expiry_decide(int64_t window, bool has_late, int64_t oldest_window,
                                               int64_t current_window)
{
    if (window < oldest_window) return EXPIRY_DROP;
    return has_late && window < current_window ? EXPIRY_MERGE : EXPIRY_KEEP;
}

/* Whether a sweep has to start, when the last one that ended dropped all before swept_window. */
static inline bool expiry_is_due(int64_t swept_window, int64_t oldest_window)
{
    return oldest_window > swept_window;
}

/* One bounded round; true when there is more to do at once. */
bool expiry_round(struct storage *db);

#endif
