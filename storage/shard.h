/*
 * shard - one slice of the series, chosen by the hash of the label set, under one lock.
 *
 *     map        hash -> local ids        (find)
 *     directory  local id -> series       (lock-free for readers)
 *     postings   value symbol -> local ids
 *     all        the local ids there are
 *     windows    per slot of the rings: which window is in it, version, extent
 *
 * The directory's bits of a slot are of the window that `windows` says is in it: clear means that a
 * series has nothing of that window, set that it has, or had when its region went.
 *
 * Threads: functions that change anything need the write lock, shard_find either; the directory,
 * counters and windows are read without it.
 */
#ifndef HEARTH_STORAGE_SHARD_H
#define HEARTH_STORAGE_SHARD_H

#include "base/counter.h"
#include "base/lock.h"
#include "storage/directory.h"
#include "storage/epoch.h"
#include "storage/newest.h"
#include "storage/postings.h"
#include "storage/series.h"
#include "storage/series_map.h"
#include "storage/symbols.h"
#include "storage/window.h"

/* What a shard holds of the window that is in one slot of its rings. Written under the write lock,
 * version last, so that who reads a version finds at least the changes it counts. */
struct shard_window {
    _Atomic int64_t window;   /* INT64_MIN: none yet */
    _Atomic uint64_t version; /* grows with every change; never reset */
    _Atomic uint64_t chunks;
    _Atomic int64_t open_bytes;     /* of the chunks that are not sealed, bases aside */
    _Atomic uint64_t sealed_chunks; /* of those; so many, with so much, go when the region goes */
    uint64_t sealed_bytes;
    uint64_t sealed_samples;
    uint32_t drops;           /* of the slot's region (storage/regions.h), as far as counted here */
    _Atomic int64_t t_min_ms; /* of all samples ever put into these chunks */
    _Atomic int64_t t_max_ms;
};

struct shard_counters {
    struct gauge series;
    struct counter series_created;
    struct counter series_forgotten;
    struct gauge chunks;
    struct counter chunks_created;
    struct counter chunks_expired;
    struct gauge chunk_bytes;
    struct gauge chunk_spare_bytes; /* of those: no sample is in them */
    struct gauge samples;
    struct gauge samples_waiting; /* of those, in late runs: to be merged */
    struct counter samples_appended;
    struct counter samples_late;
    struct counter samples_duplicate;
    struct counter refused[REFUSED_REASON_COUNT];
};

/* What all shards share; outlives them. */
struct shard_common {
    struct epoch *epoch;
    struct symbols *symbols;
    struct regions *regions;
    const struct window_grid *grid;
    uint32_t shard_bits;
    /* Series ever created: the birth of the newest. Written by everybody, unlike what is above. */
    CACHE_ALIGNED _Atomic uint64_t births;
};

struct shard {
    CACHE_ALIGNED struct rwlock lock;
    struct shard_common *common;
    uint32_t number;
    struct series_map map;
    struct directory directory;
    struct postings postings;
    struct id_set all;
    uint64_t newest_birth;        /* of its series */
    struct shard_window *windows; /* heap; [grid->slots] */
    struct shard_counters counters;
};

/* false at the memory limit; nothing to release then. */
MUST_USE bool shard_init(struct shard *sh, struct shard_common *common, uint32_t number);
/* Nobody uses it any more: frees series and chunks (not symbols), retired ones aside. */
void shard_release(struct shard *sh);

/* NULL when there is none. */
struct series *shard_find(const struct shard *sh, const struct resolved *set);
/* Ask for the memory that shard_find will look at first. */
static inline void shard_prefetch(const struct shard *sh, uint64_t hash)
{
    series_map_prefetch(&sh->map, (uint32_t)hash);
}
/* A series that series_create made becomes one of the shard, with its references to symbols; the
 * caller gives it a chunk or forgets it before it unlocks.
 * false at the memory limit (or when ids ran out), nothing changed. */
MUST_USE bool shard_add_series(struct shard *sh, struct series *s);
/* The same of one that is made here. NULL at the memory limit. */
MUST_USE struct series *shard_create_series(struct shard *sh, const struct resolved *set);
/* Tables that grew while others did lie between what those left: to better places, if they do. */
void shard_move_tables(struct shard *sh);
/* Out of every index, retired. Its ring is empty. */
void shard_forget_series(struct shard *sh, struct series *s);
/* For the epoch: free a retired series, and its id for reuse. Takes the lock. */
void shard_destroy_retired(struct shard *sh, struct series *s);

/* CHUNK_APPENDED and so on as chunk_add. SHARD_EXPIRED: the slot holds a newer window already. */
enum { SHARD_EXPIRED = CHUNK_NO_MEMORY + 1 };
/* Put one sample into the chunk of its window, which is created when missing; what is left of an
 * older window in that slot is dropped. absent: as chunk_add_absent, of the chunk it goes to. */
int shard_add_sample(struct shard *sh, struct series *s, const struct sample *sample, bool absent);
/* What samples have added to open chunks of one window. */
struct shard_growth {
    int64_t samples; /* at least one, of which */
    int64_t waiting; /* in late runs */
    int64_t t_min_ms;
    int64_t t_max_ms;
    struct chunk_growth chunks;
};
/* Count samples that went into chunks of the window in this slot without shard_add_sample. */
void shard_count_growth(struct shard *sh, uint32_t slot, const struct shard_growth *growth);
/* So much of the shard is late runs that they should be merged sooner. Any thread. */
bool shard_is_pressed(const struct shard *sh);
/* The late run of the chunk in this slot has grown so long that shard_merge_late should be called.
 */
bool shard_wants_merge(const struct shard *sh, const struct series *s, uint32_t slot);
/* Merge the late run of the chunk in this slot, if it still wants to be. The lock is not held but
 * taken, for an exchange of words: when more samples came meanwhile, the run stays. In the epoch.
 */
void shard_merge_late(struct shard *sh, struct series *s, uint32_t slot, struct arena *scratch);

/* The local id of a series of the shard, by its id. */
static inline uint32_t shard_local(const struct shard *sh, uint32_t id)
{
    return id >> sh->common->shard_bits;
}
/* Where the directory has the series. */
static inline struct directory_place *shard_place(const struct shard *sh, const struct series *s)
{
    return directory_place(&sh->directory, shard_local(sh, s->id));
}
/* The window that is in this slot now; INT64_MIN: none yet. */
static inline int64_t shard_window_in(const struct shard *sh, uint32_t slot)
{
    return atomic_load_explicit(&sh->windows[slot].window, memory_order_relaxed);
}
/* What the slot holds now. */
static inline struct held shard_hold(const struct shard *sh, const struct series *s, uint32_t slot)
{
    return series_hold(s, sh->common->regions, slot);
}
/* Put the word of a chunk of the slot's window into the slot, in place of what is there, which is
 * retired or counted as dead; 0 empties the slot, as does a word whose region has gone. */
void shard_put(struct shard *sh, struct series *s, uint32_t slot, uint64_t word);
/* Into the window, in which it had nothing, the series has got samples of which this is the newest.
 */
void shard_saw_first(struct shard *sh, const struct series *s, int64_t window, uint32_t newest);
/* The slots that hold windows of [first, last] now, newest first. */
struct shard_slots {
    uint32_t count;
    uint8_t items[SEEN_WINDOWS];
};
struct shard_slots shard_slots(const struct shard *sh, int64_t first_window, int64_t last_window);
/* Whether the series of the ids 64 * n .. 64 * n + 63 may have a chunk in one of the slots, a bit
 * for each: without a look at them, and without the lock. 0 is for sure. */
uint64_t shard_may_hold_word(const struct shard *sh, uint32_t n, const struct shard_slots *slots);
/* Bytes of the series and of its chunks; either lock. */
uint64_t shard_series_bytes(const struct shard *sh, const struct series *s);
/* Count off what went with regions that were dropped. */
void shard_catch_up(struct shard *sh, uint32_t slot);
/* The slot may take chunks of this window: false when it holds a newer one. */
bool shard_enter_window(struct shard *sh, int64_t window);
/* Count a change of the window in this slot. */
void shard_touch_window(struct shard *sh, uint32_t slot, int64_t t_min_ms, int64_t t_max_ms);

/* Aborts on a broken invariant; the write lock is held. */
void shard_check(struct shard *sh);

#endif
