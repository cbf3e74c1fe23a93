/*
 * storage - what is held in RAM: 32 hours of every series, and how to find it.
 *
 *     label set -> series (32-bit id) -> ring of windows -> open chunk -> cells
 *                                                       -> sealed chunk in the window's region
 *
 *     window = floor(t_ms / chunk_ms), aligned to UTC; the ring holds the current window, the
 *     windows - 1 before it, and those that samples up to future_ms ahead of the clock may be in:
 *     one, unless future_ms is more than chunk_ms.
 *
 * "Current" follows the clock, as far as it is believed (storage/present.h), never the data. What
 * is older than the oldest retained window is invisible at once, for reads and writes, and freed by
 * storage_maintain in bounded rounds.
 *
 * Series are split by label-set hash over shards, one lock each. Readers take no lock while they
 * decode: they enter an epoch, and what writers and expiry discard is freed when all readers that
 * could see it have left.
 *
 * Threads: every function from any thread, except open and close.
 * Does not: touch files (snapshot/), know HTTP, or evaluate anything.
 */
#ifndef HEARTH_STORAGE_STORAGE_H
#define HEARTH_STORAGE_STORAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/counter.h"
#include "base/error.h"
#include "base/histogram.h"
#include "storage/journal.h"

struct storage;

struct storage_options {
    int64_t chunk_ms;       /* width of a window; 4 h = 14,400,000 */
    uint32_t windows;       /* retained, the current one included; 8; at most 64 */
    int64_t future_ms;      /* how far ahead of the clock a sample may be; 10 min */
    int64_t patience_ms;    /* so long samples have to confirm a jump of the clock; 1 min */
    uint32_t shards;        /* a power of two; 0: 4 x cores, at least 16 */
    struct journal journal; /* .log may be NULL: nothing is logged */
};

struct storage_options storage_options_default(void);

/* ERR_INVALID names the option, or says which do not fit together. */
MUST_USE enum status storage_options_check(const struct storage_options *options,
                                           struct error *err);

/* ERR_INVALID as storage_options_check; ERR_NO_MEMORY. */
MUST_USE enum status storage_open(const struct storage_options *options, struct storage **out,
                                  struct error *err);
/* Nobody may be using it any more. Frees everything. */
void storage_close(struct storage *db);

/* Set or replace the journal; before the first writer starts (recovery runs without one). */
void storage_set_journal(struct storage *db, struct journal journal);

/* How many series there may be; 0: as many as memory holds. New series beyond it are refused
 * (REFUSED_MAX_SERIES), those that are there stay. Before the first writer starts: recovery runs
 * without a limit, because what it brings was acknowledged. */
void storage_limit_series(struct storage *db, uint64_t max_series);

/* One bounded round of background work: drop expired windows, forget series that hold nothing, seal
 * closed windows, free what no reader can see. Returns true when there is more to do at once. One
 * thread at a time. */
bool storage_maintain(struct storage *db);

/* For a start, in which nobody maintains while tables grow: free what no reader can see, and have
 * free memory that nobody came for serve others. Some 10 us, once for each megabyte or so of what
 * is read. Any thread that has no lock. */
void storage_tidy(struct storage *db);

/* Something that was taken out waits for readers that may still see it. Any thread. */
bool storage_has_garbage(struct storage *db);

/* Memory is short (or not any more): seal what late samples opened again after seconds instead of
 * minutes, and remember nothing that can be found out again. Any thread. */
void storage_hurry(struct storage *db, bool hurried);

/* The time by which windows go: the wall clock's, unless that has jumped and is not believed. */
int64_t storage_now_ms(const struct storage *db);

/* Before files are read: the time when they were written, INT64_MIN when that is not known. If the
 * clock is somewhere else, it is believed only as far as the samples say that are read, at once. */
void storage_resume_at(struct storage *db, int64_t t_ms);
/* Meanwhile time goes on with batches of the log, in their order: true when these samples are ahead
 * of it, and storage_hear_log is to be told how far before they are applied. */
bool storage_log_is_ahead(const struct storage *db, const struct sample *samples, size_t count,
                          int64_t *newest_ms);
void storage_hear_log(struct storage *db, int64_t newest_ms);
/* Everything was read. What is left of the difference is a jump of the clock like any other. */
void storage_resumed(struct storage *db);
/* Samples of t_ms were stored by an earlier process: if the clock does not contradict, time has
 * come so far. */
void storage_reach(struct storage *db, int64_t t_ms);

/* Samples of an earlier process wait on disk until the clock gets there, the first of them at
 * from_ms; INT64_MAX: none do. Others are not taken from there on, and their senders come again:
 * they could contradict what was acknowledged. Any thread. */
void storage_hold_from(struct storage *db, int64_t from_ms);
/* The clock is there, and what waits can be read. */
bool storage_held_is_due(const struct storage *db);
/* Up to here, the end of the window of the newest acceptable sample, what was stored once is taken
 * back (chunks, and batches of the log). */
int64_t storage_room_ms(const struct storage *db);

struct storage_clock {
    int64_t offset_ms; /* the wall clock less the time that is believed; 0: no doubt */
    uint64_t jumps[2]; /* met so far: forward, back */
};
void storage_clock_read(const struct storage *db, struct storage_clock *out);

/* The window a time belongs to, and the retained range by the clock now:
 * [oldest window's start, now + future_ms]. */
struct storage_bounds {
    int64_t oldest_ms;     /* first retained millisecond */
    int64_t newest_ms;     /* last acceptable millisecond */
    int64_t oldest_window; /* numbers of windows */
    int64_t current_window;
};
struct storage_bounds storage_bounds(const struct storage *db);
int64_t storage_window_of(const struct storage *db, int64_t t_ms);
int64_t storage_window_start_ms(const struct storage *db, int64_t window);

/* Why a sample was not stored; also the index of storage_stats.refused. */
enum sample_refusal {
    REFUSED_TOO_OLD,
    REFUSED_TOO_NEW,
    REFUSED_CONFLICT,   /* the same time with other bits is there already */
    REFUSED_MAX_SERIES, /* storage_limit_series */
    REFUSED_NEW_SERIES, /* appender_refuse_new_series */
    REFUSED_NO_MEMORY,
    REFUSED_REASON_COUNT
};
const char *sample_refusal_name(enum sample_refusal reason); /* "too_old", ... */

struct storage_stats {
    uint64_t series;           /* live now */
    uint64_t series_created;   /* ever */
    uint64_t series_forgotten; /* ever */
    uint64_t chunks;           /* live now */
    uint64_t chunks_created;
    uint64_t chunks_expired;
    /* Of live chunks: whole cells of open ones, sealed ones as they are, those that several series
     * share once for each. */
    uint64_t chunk_bytes;
    uint64_t samples;         /* held now, all windows (expired ones until dropped) */
    uint64_t samples_waiting; /* of those, came late and not merged yet: 16 bytes each */
    uint64_t samples_appended;
    uint64_t samples_late;      /* of those, accepted out of order */
    uint64_t samples_duplicate; /* same time, same bits: no-ops */
    uint64_t refused[REFUSED_REASON_COUNT];
    uint64_t symbols;
    uint64_t symbol_bytes;
    uint64_t label_pairs;  /* distinct name=value */
    uint64_t match_hits;   /* expressions whose values were known (storage/match_cache.h) */
    uint64_t match_misses; /* and those that were tried on values */
    uint64_t match_bytes;  /* of what is known */
    uint64_t views;        /* open now (storage/view.h) */
    uint64_t view_note_bytes;
    uint64_t views_lost;
    int64_t min_time_ms; /* of the samples held; INT64_MAX when empty */
    int64_t max_time_ms; /* INT64_MIN when empty */
};
void storage_stats_read(const struct storage *db, struct storage_stats *out);

/* The top `limit` of each kind, for status/tsdb; arrays on the arena, largest first. Bytes of
 * metrics take a look at every series, under its shard's lock for a few at a time; all else comes
 * from the symbols. ERR_NO_MEMORY, ERR_TOO_LARGE: the arena. */
struct cardinality_row {
    struct str name;
    uint64_t value;
};
struct cardinality {
    struct cardinality_row *by_metric; /* series per metric name */
    size_t by_metric_count;
    struct cardinality_row *by_label_values; /* distinct values per label name */
    size_t by_label_values_count;
    struct cardinality_row *by_label_bytes; /* bytes of the values per label name */
    size_t by_label_bytes_count;
    struct cardinality_row *by_pair; /* series per "name=value" */
    size_t by_pair_count;
    struct cardinality_row *by_metric_bytes; /* bytes of series and samples per metric name */
    size_t by_metric_bytes_count;
};
MUST_USE enum status storage_cardinality(struct storage *db, size_t limit, struct arena *a,
                                         struct cardinality *out, struct error *err);

/* Bytes of capacity that no data is in: empty places of hash tables, ends of arrays, the unfilled
 * cells of open chunks. Of the arrays of postings only whole objects are known. Waits for every
 * lock once. */
uint64_t storage_spare_bytes(struct storage *db);

/* More windows hold nothing: there are at most 65 slots in a ring, and while one goes on to a later
 * window some shards are in the one before. */
enum { STORAGE_WINDOWS_MAX = 2 * 65 };

/* Where the bytes of the chunks of each retained window are, oldest first; how many rows, those of
 * windows that hold anything. */
struct window_bytes {
    int64_t start_ms;
    uint64_t blocks;  /* of the window's region: how many */
    uint64_t objects; /* in the region: chunks, of equal ones one, and columns of times */
    uint64_t chunks;  /* in cells: how many */
    uint64_t open;    /* in cells */
    uint64_t sealed;  /* in the window's region */
    uint64_t tail;    /* of the blocks of the region */
    uint64_t deleted; /* in the region: sealed chunks that were written anew */
};
size_t storage_window_bytes(struct storage *db, struct window_bytes out[STORAGE_WINDOWS_MAX]);

/* How sweeps held others up. */
enum { SWEEP_PAUSES = 256 };
struct sweep_times {
    struct counter sweeps;                /* that came to their end */
    struct histogram holds;               /* of a shard's write lock, one by one */
    struct gauge pauses_ns[SWEEP_PAUSES]; /* all holds of a sweep, of the last ones, in a ring */
};
const struct sweep_times *storage_sweep_times(const struct storage *db);

/* Walk everything; aborts on a broken invariant. For tests; takes all shard locks in turn. */
void storage_check(struct storage *db);

#endif
