/*
 * view - a query sees each request whole or not at all.
 *
 * A request changes one shard after the other, and a query reads one series after the other. So a
 * query opens a view: of all that finished requests have stored, and nothing of the others, however
 * long it reads. Two things make it one.
 *
 * The gate. A request that is being applied holds the gate, shared; who opens a view takes it
 * alone, for a moment: requests under way come to their end, and none begins. The log is written
 * after the gate was left, so a slow disk holds up nobody here.
 *
 * Notes. While views are open, a request that is about to change what a slot of a series' ring
 * holds tells each of them what it held before: the word, and of an open chunk how much there was.
 * The first note of a slot is the right one, so there is never a second:
 *
 *     view, newest      slot -> note | slot -> note | ...        one table per shard
 *       | older
 *     view              what a newer one was told, or more
 *
 * A view that has a note of a slot knows that all older ones have, so a request asks the newest
 * first and stops at the one that knows. A reader looks at the slot, and how far its chunk goes,
 * and then for a note; what is there without a note has not changed since the view was opened. What
 * a note speaks of stays in memory by the reader's stay in the epoch, which began before. Sealing,
 * merging and moving change the form of a chunk and nothing of its samples, and leave no notes.
 * Series that are born later are not selected (births), and have none either.
 *
 * While no view is open a request pays for the gate, and a load. Queries that begin while nothing
 * was stored share a view.
 *
 * Bounds: a view has at most one note of 32 bytes, and as much of empty places, for each chunk that
 * changed while it was open. When there is no memory for one, or memory is short, the view is lost:
 * from there on it sees what comes; that is counted. The window that is to expire waits for those
 * who may look at it, but not longer than until the next one is to, or samples come of the window
 * that takes its place in the ring: with windows of hours that is hours.
 *
 * Threads: views_open and view_close from any, an open view is read by any number. Notes are told
 * under the write lock of the shard, and looked for without a lock.
 */
#ifndef HEARTH_STORAGE_VIEW_H
#define HEARTH_STORAGE_VIEW_H

#include "storage/shard.h"

struct view_notes; /* of one shard */
struct view_shard {
    struct view_notes *_Atomic notes; /* NULL: none yet */
};

/* On the heap (HEAP_QUERY). */
struct view {
    uint64_t births;                   /* series born later are not seen */
    int64_t oldest_window;             /* which may be read */
    struct view_shard *_Atomic shards; /* heap; NULL: nothing was stored since */
    atomic_bool lost;
    /* Under the lock of the views: */
    struct view *older;
    struct view *newer;
    uint32_t queries;
    uint32_t commits; /* that may tell it something */
    bool stored;      /* one has begun since it was opened */
};

struct views {
    struct rwlock gate;
    struct mutex lock;
    struct view *newest; /* of those that have queries */
    _Atomic uint32_t open;
    struct gauge note_bytes;
    struct counter lost;
};

/* What a slot of a ring held. */
struct view_note {
    uint64_t word; /* 0: nothing that counted */
    struct chunk_extent extent;
};

void views_init(struct views *v);
/* None is open. */
void views_release(struct views *v);

/* The caller is in the epoch already. ERR_NO_MEMORY: the limit. */
MUST_USE enum status views_open(struct storage *db, struct view **out, struct error *err);
/* One query less; with the last one the view goes. */
void view_close(struct storage *db, struct view *v);

/* What the oldest window is to be: `oldest_window`, or the one before it as long as an open view
 * may look at that. Views that may look at more are lost. */
int64_t views_oldest_window(struct views *v, int64_t oldest_window);

/* It may have notes. */
static inline bool view_was_told(const struct view *v)
{
    return atomic_load_explicit(&v->shards, memory_order_acquire) != NULL;
}

/* What was told of the slot since the view was opened. Only what was looked at before is known not
 * to have changed when there is no note. */
MUST_USE bool view_find(const struct view *v, const struct shard_common *common,
                        const struct series *s, uint32_t slot, struct view_note *out);

/* ---- Requests ---- */

/* The views that are open while a request is applied. */
struct view_audience {
    struct view **views; /* newest first */
    uint32_t count;
    uint32_t series; /* that the request has in the shard at work, about: room is made for them */
};

/* Between the two no view is opened. Scratch stays on the arena. */
void views_begin_commit(struct storage *db, struct arena *a, struct view_audience *audience);
void views_end_commit(struct storage *db, const struct view_audience *audience);

/* What the slot holds is about to change; the shard's write lock is held. */
void view_tell(const struct view_audience *audience, struct views *v, const struct shard *sh,
               const struct series *s, uint32_t slot);

#endif
