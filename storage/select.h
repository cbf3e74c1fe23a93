/*
 * select - the series a request means, before anything is made of them.
 *
 * Per shard, under its read lock: the ids that the plan's sets leave (storage/gather.h), copied.
 * Everything else happens after the lock: ids of series that have nothing in the range are left
 * out, then ids become series, and what sets cannot say is asked of the series themselves.
 *
 * Threads: one query; inside its epoch.
 */
#ifndef HEARTH_STORAGE_SELECT_H
#define HEARTH_STORAGE_SELECT_H

#include "storage/gather.h"
#include "storage/querier.h"
#include "storage/series.h"

struct querier {
    struct storage *db;
    struct arena *arena;
    struct epoch_pin pin;
    struct view *view;
    struct storage_bounds bounds; /* by the clock at open */
    uint64_t serial;
};

/* For who keeps what it finds by address: no two queriers or readers have the same; not 0. */
uint64_t querier_serial(struct storage *db);

/* The part of [t_min_ms, t_max_ms] that is retained, in times and windows. */
struct select_range {
    int64_t t_min_ms;
    int64_t t_max_ms;
    int64_t first_window;
    int64_t last_window;
    bool empty;
};
struct select_range select_clamp(const struct querier *q, int64_t t_min_ms, int64_t t_max_ms);

/* Beside each series when its newest sample was (storage/newest.h), looked at when it was found. */
struct series_list {
    const struct series **items;
    uint32_t *newest;
    size_t count;
    size_t capacity;
};

/* At most request->limit series, unless that is 0; in no order.
 * ERR_TOO_LARGE, ERR_NO_MEMORY from the arena. */
MUST_USE enum status select_series(struct querier *q, const struct select_request *request,
                                   struct series_list *out, struct error *err);

/* The same of one shard, after gather_ids, added to out. */
MUST_USE enum status select_in_shard(struct gather *g, struct shard *sh,
                                     const struct select_range *range, size_t limit,
                                     struct series_list *out, struct error *err);

#endif
