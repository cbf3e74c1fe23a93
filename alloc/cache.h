/*
 * cache - what a thread keeps at hand: per class a stack of free objects, without any lock.
 *
 *     bottom           top           ceiling
 *     | object | object |   room     |          alloc pops, free pushes
 *
 * An empty stack is refilled from alloc/central, a full one gives half of itself back. A stack
 * starts small and doubles at every trip, up to its class's maximum and as long as all stacks of
 * the thread together have room for CACHE_BYTES_MAX at most; beyond that the stacks that made no
 * trip lately shrink to their start. So a thread keeps much only of what it uses much, and never
 * more than that. The cache counts as it goes (alloc/tally.h). Spans of large objects are kept in
 * alloc/large_cache.
 *
 * A cache belongs to one thread at a time. When its thread ends, whoever started it, the objects go
 * back and the cache waits for the next thread; caches are never unmapped, so that memstats can
 * walk them at any moment.
 *
 * Threads: cache_mine and what it points to: the owner; cache_first and tallies: any.
 */
#ifndef HEARTH_ALLOC_CACHE_H
#define HEARTH_ALLOC_CACHE_H

#include <stdbool.h>
#include <stdint.h>

#include "alloc/large_cache.h"
#include "alloc/tally.h"
#include "base/compiler.h"

/* CACHE_START_OBJECTS fit in the cache itself; longer stacks are records of their own. */
enum { CACHE_START_OBJECTS = 8, CACHE_START_BYTES = 16 << 10, CACHE_BYTES_MAX = 2 << 20 };

struct cache_bin {
    void **top; /* one past the newest object */
    void **bottom;
    void **ceiling;         /* top never passes it */
    bool tripped;           /* since the last search for room */
    struct tally_row tally; /* of class 0 unused: see large_cache */
};

struct cache {
    struct cache_bin bins[SIZE_CLASS_COUNT];
    struct tally_requested requested;
    struct large_cache large;
    uint64_t room_bytes;     /* of the stacks that outgrew their start */
    unsigned hand;           /* where the search for room goes on */
    struct cache *next;      /* of all caches, constant once published */
    struct cache *next_free; /* of those without a thread */
    void *slots[SIZE_CLASS_COUNT][CACHE_START_OBJECTS];
};

extern _Thread_local struct cache *cache_mine; /* NULL: this thread has none (yet) */

/* Once, before everything else. */
void cache_init(void);

/* Give the calling thread a cache; NULL at the memory limit. */
struct cache *cache_attach(void);

/* Fill the empty stack of a class; false at the limit. */
MUST_USE bool cache_refill(struct cache *cache, unsigned size_class);

/* Make room on the full stack of a class. */
void cache_spill(struct cache *cache, unsigned size_class);

/* Give everything back, large spans too, and shrink to the start; returns how many objects that
 * were. */
uint64_t cache_flush(struct cache *cache);

/* Every cache there ever was; follow next. */
struct cache *cache_first(void);

/* Bytes of the caches that have a thread now. */
uint64_t cache_inuse_bytes(void);

/* For alloc/fork: no thread gets or leaves a cache between the two. */
void cache_hold(void);
void cache_let_go(void);

/* The owner's stacks: aborts when one holds what it should not. */
void cache_check(const struct cache *cache);

#endif
