/*
 * directory - from a local id to its series, readable without a lock.
 *
 *     segment 0: 64 places | segment 1: 64 | segment 2: 128 | segment 3: 256 | ...
 *
 * Segments double and never move, so a reader needs no lock and growth copies nothing. A place is a
 * series' address, or 0. Beside its places a segment has a bit for each id that is free.
 *
 * The lowest free id is given out first: after many series have come and gone, those that are left
 * and those that come lie at the front, sets of ids (storage/id_set.h) stay as short as in a fresh
 * process, and segments at the end become empty. An empty one is handed back to the owner.
 *
 * An id that was cleared is not given out again before directory_recycle, which the owner calls
 * when no reader can hold the id any more.
 *
 * Behind the places a segment has a bit for each id and slot of the series' rings: whether the
 * series may hold something there. So whoever looks for the series of a window can leave the others
 * alone (storage/shard.h says when a bit counts).
 *
 * In each place stands its follower, too: the id of the series that came next the last time (of
 * whichever shard; storage/expect.h). It is a guess, written and read by anyone at any time. Beside
 * it is when the newest sample of the series was (storage/newest.h).
 *
 * Threads: get, place and held_word from any thread inside the epoch; all else under the shard's
 * write lock.
 */
#ifndef HEARTH_STORAGE_DIRECTORY_H
#define HEARTH_STORAGE_DIRECTORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"
#include "storage/epoch.h"
#include "storage/newest.h"

struct series;

enum { DIRECTORY_SEGMENTS = 26, DIRECTORY_FIRST_BITS = 6 };

struct directory_place {
    _Atomic uintptr_t series;
    _Atomic uint32_t follower;
    _Atomic uint32_t newest; /* of a series that holds anything */
};

/* On the heap, HEAP_INDEX; behind it as many places as ids, a bit for each that is free, and slots
 * times a bit for each. */
struct directory_segment {
    struct epoch_node retired; /* first: destroyed through it */
    uint32_t count;            /* of its ids */
    uint32_t taken;            /* ids that are not free */
    uint32_t free_from;        /* no free id in words of bits before this one */
    uint32_t slots;            /* of the directory */
    struct directory_place places[];
};

struct directory {
    _Atomic(struct directory_segment *) segments[DIRECTORY_SEGMENTS];
    _Atomic uint32_t high; /* ids in use are below it */
    uint32_t limit;        /* ids are below it */
    uint32_t next;         /* the id that was reserved */
    uint32_t slots;        /* of a series' ring */
};

/* limit: how many ids there may be at most. slots: of a series' ring. */
void directory_init(struct directory *d, uint32_t limit, uint32_t slots);
void directory_release(struct directory *d);

/* Make sure that directory_add succeeds once. false at the memory limit or when ids ran out. */
MUST_USE bool directory_reserve(struct directory *d);
/* Give the series an id; reserved before. The series is complete: readers see it now. */
uint32_t directory_add(struct directory *d, struct series *s);
/* The id that was reserved, and directory_add will give. */
static inline uint32_t directory_peek(const struct directory *d)
{
    return d->next;
}

/* The place of an id, to look at directly; NULL when there is none. Stays as long as the epoch. */
struct directory_place *directory_place(const struct directory *d, uint32_t local);
/* The series in a place; NULL when there is none. */
static inline struct series *directory_series(const struct directory_place *place)
{
    return (struct series *)atomic_load_explicit(&place->series, memory_order_acquire);
}

/* The place of an id, and of those that lie beside it: [count], from the id `first` on. */
struct directory_span {
    struct directory_place *places;
    uint32_t first;
    uint32_t count;
};
struct directory_span directory_span(const struct directory *d, uint32_t local);

/* The newest sample of the series is this one, ... */
static inline void directory_set_newest(struct directory_place *place, uint32_t newest)
{
    atomic_store_explicit(&place->newest, newest, memory_order_release);
}
/* ... or a later one that was seen before. */
static inline void directory_see(struct directory_place *place, uint32_t newest)
{
    if (newest_is_later(newest, atomic_load_explicit(&place->newest, memory_order_relaxed)))
        directory_set_newest(place, newest);
}

/* NULL when the id has no series. */
struct series *directory_get(const struct directory *d, uint32_t local);
static inline uint32_t directory_high(const struct directory *d)
{
    return atomic_load_explicit(&d->high, memory_order_acquire);
}

/* The series of this id may hold something in this slot; not any more; none does. */
void directory_mark(struct directory *d, uint32_t local, uint32_t slot);
void directory_unmark(struct directory *d, uint32_t local, uint32_t slot);
void directory_unmark_all(struct directory *d, uint32_t slot);
/* The bits of the ids 64 * n .. 64 * n + 63. */
uint64_t directory_held_word(const struct directory *d, uint32_t n, uint32_t slot);

/* Readers find it no more; the id stays taken ... */
void directory_clear(struct directory *d, uint32_t local);
/* ... until here. A segment that has become empty is not part of the directory any more: it is
 * returned, and to be destroyed when no reader can be in it; else NULL. */
MUST_USE struct directory_segment *directory_recycle(struct directory *d, uint32_t local);
void directory_segment_destroy(struct directory_segment *segment);

/* Ids that the segments have room for. */
uint64_t directory_places(const struct directory *d);

#endif
