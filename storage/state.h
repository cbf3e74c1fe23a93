/*
 * state - the inside of struct storage, for the files of this folder.
 *
 * Threads: options, grid and shards are fixed after storage_open; each part has its own rules.
 */
#ifndef HEARTH_STORAGE_STATE_H
#define HEARTH_STORAGE_STATE_H

#include "storage/in_flight.h"
#include "storage/match_cache.h"
#include "storage/present.h"
#include "storage/regions.h"
#include "storage/seal.h"
#include "storage/shard.h"
#include "storage/storage.h"
#include "storage/view.h"

/* Where the walk over all series is that drops expired windows and seals closed ones. */
struct sweep {
    bool running;
    bool starved;           /* something stayed open or unmoved for want of memory */
    bool scattered;         /* what the last one took out is not back in its spans */
    int64_t oldest_window;  /* chunks of older ones go */
    int64_t current_window; /* chunks of older ones are sealed */
    int64_t started_ns;
    int64_t cost_ns;  /* of its steps so far */
    uint64_t held_ns; /* all holds of the sweeps before it */
    uint32_t shard;
    uint32_t local;
};

/* What came for windows that had closed, and is open. */
struct late {
    uint64_t chunks;    /* or regions that are to be moved */
    uint64_t versions;  /* of these windows in all shards, summed up */
    int64_t looked_ms;  /* when this was last looked at */
    int64_t since_ms;   /* there was nothing until then */
    int64_t changed_ms; /* last seen to grow */
    int64_t ended_ms;   /* the last sweep; INT64_MIN: none yet */
    int64_t cost_ns;    /* of that */
    bool hurried;       /* memory is short, or late runs are long */
};

struct storage {
    struct epoch epoch;
    struct in_flight in_flight;
    struct symbols symbols;
    struct regions regions;
    struct match_cache matches;
    struct views views;
    struct storage_options options;
    struct present *present; /* heap: to look at the clock may change it */
    struct window_grid grid;
    struct shard_common common;
    struct shard *shards;                       /* heap; [shard_count] */
    uint32_t shard_count;                       /* a power of two */
    uint64_t max_series;                        /* 0: no limit of its own */
    CACHE_ALIGNED _Atomic uint64_t series_live; /* written by everybody, unlike what is above */
    _Atomic uint64_t queriers;                  /* ever opened */
    atomic_bool hurried;
    _Atomic int64_t held_from_ms; /* storage_hold_from */
    bool doubt_told;              /* about the clock, in the log; of storage_maintain alone */
    uint32_t jumps_told;          /* likewise */
    struct sweep sweep;           /* of storage_maintain alone */
    struct late late;             /* likewise */
    struct sweep_times sweep_times;
    int64_t swept_window; /* nothing older is held any more; of storage_maintain alone */
    struct sealer sealer; /* of storage_maintain alone */
};

/* The lower half of the hash is the series map's. */
static inline struct shard *storage_shard(struct storage *db, uint64_t hash)
{
    return &db->shards[hash >> 32 & (db->shard_count - 1)];
}

/* The shard of a series, by its id. */
static ALWAYS_INLINE struct shard *storage_shard_of(const struct storage *db, uint32_t id)
{
    return &db->shards[id & (db->shard_count - 1)];
}

/* storage_clock.c */

/* What the clock lets in: of a batch that comes from the log up to storage_room_ms, of others
 * nothing that could contradict what is held back. */
struct storage_bounds storage_commit_bounds(const struct storage *db, bool logged);

/* The log hears of jumps and their end. */
void storage_clock_round(struct storage *db);

/* In a doubt about the clock: listen to what an appender is about to commit. True when it is a
 * witness with samples that are not let in, and may be good. */
struct appender;
bool storage_clock_hear(struct storage *db, const struct appender *app);

#endif
