/*
 * gather - the local ids of one shard that a plan means.
 *
 *     base       the term that includes with the fewest series here; none: all ids
 *     with       sets that the base's are narrowed by: terms that include one value
 *     without    terms that exclude one value
 *     lists      what is left of each set of the base
 *
 * Under the shard's read lock only sets are looked at. What they do not settle (terms of many
 * values, patterns, series younger than the plan) is asked of series, after the lock.
 *
 * Threads: one query; inside its epoch.
 */
#ifndef HEARTH_STORAGE_GATHER_H
#define HEARTH_STORAGE_GATHER_H

#include "storage/matching.h"
#include "storage/shard.h"

struct gather {
    const struct match_plan *plan;
    struct arena *arena;
    const struct match_term *base; /* NULL: all ids */
    const struct id_set **with;    /* [0] a set of the base */
    size_t with_count;
    const struct id_set **without;
    size_t without_count;
    struct id_list *lists; /* on the arena; one, or one per value of the base; no two share an id */
    size_t list_count;
    size_t id_count; /* in all lists */
    bool settled;    /* every id is of a series that the plan means */
};

/* ERR_TOO_LARGE, ERR_NO_MEMORY: the arena; so below. */
MUST_USE enum status gather_init(struct gather *g, const struct match_plan *plan, struct arena *a,
                                 struct error *err);

/* Ask one shard. */
MUST_USE enum status gather_ids(struct gather *g, struct shard *sh, struct error *err);

/* What the sets of this shard have not settled already. */
bool gather_accepts(const struct gather *g, const struct series *s);

#endif
