/*
 * cache - what a thread keeps at hand: per class a stack of free objects, without any lock.
 *
 *     bottom           top           ceiling
 *     | object | object |   room     |          alloc pops, free pushes
 *
 * An empty stack makes a trip to alloc/transfer and is refilled, a full one gives a part of itself
 * back. A stack starts small and doubles at every trip, up to three bounds:
 *
 *     its class           size_class.cached_max objects
 *     all stacks          CACHE_BYTES_MAX for those that have doubled. Where more is wanted, stacks
 *                         that made none of the last trips go back to their start; when there are
 *                         none, all stay as they are
 *     one that only fills CACHE_ONE_WAY_BYTES: it is full again and was never empty meanwhile, so
 *                         its objects come from other threads, and would wait here for nobody
 *
 * So a thread keeps much only of what it uses much. What stacks hold that are at their start comes
 * on top: 1 MiB, if it used every class there is. The cache counts as it goes (alloc/tally.h).
 * Spans of large objects are kept in alloc/large_cache, within a bound of their own.
 *
 * A cache belongs to one thread at a time. When its thread ends, whoever started it, the objects go
 * back and the cache waits for the next thread; caches are never unmapped, so that memstats can
 * walk them at any moment. What a thread frees after that goes to the central lists directly.
 *
 * A thread finds its cache in its seat, and it is marked busy from there on until it is done:
 *
 *     owner   busy = true;  look into the seat;  ... use the cache ...;  busy = false
 *     drain   empty the seat;  barrier in all threads;  look at busy;  if not: use the cache
 *
 * Of the two, one at least sees what the other wrote first. The owner pays two plain stores for it:
 * the barrier is the drainer's (alloc/drain), and makes the owner's two steps happen in order
 * whatever the processor thinks of them. ThreadSanitizer does not know such barriers; for it the
 * two steps are sequentially consistent.
 *
 * Threads: a cache: its owner between cache_enter and cache_leave, or who took it out of the seat;
 * seat, next_free and watch: LOCK_CACHES; cache_first and tallies: any.
 */
#ifndef HEARTH_ALLOC_CACHE_H
#define HEARTH_ALLOC_CACHE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "alloc/large_cache.h"
#include "alloc/tally.h"
#include "base/compiler.h"

/* CACHE_START_OBJECTS fit in the cache itself; longer stacks are records of their own. */
enum {
    CACHE_START_OBJECTS = 8,
    CACHE_START_BYTES = 16 << 10,
    CACHE_ONE_WAY_BYTES = 64 << 10,
    CACHE_BYTES_MAX = 2 << 20
};

struct cache_bin {
    void **top; /* one past the newest object */
    void **bottom;
    void **ceiling;       /* top never passes it */
    struct tally objects; /* of class 0: large ones, though its stack is unused */
};

/* What alloc/drain knows of a cache. */
struct cache_watch {
    uint64_t bytes;   /* asked for and given back when it last looked */
    int64_t since_ns; /* since when it is so */
    bool drained;     /* and nothing since */
};

struct cache {
    struct cache_bin bins[SIZE_CLASS_COUNT];
    struct tally requested_bytes;
    struct large_cache large;
    uint64_t room_bytes;                   /* of the stacks that outgrew their start */
    uint32_t trips;                        /* of all stacks, modulo 2^32 */
    unsigned hand;                         /* where the search for room goes on */
    uint32_t last_trips[SIZE_CLASS_COUNT]; /* trips as it was at each stack's last one */
    bool emptied[SIZE_CLASS_COUNT];        /* the stack was, since it was full */
    struct cache *next;                    /* of all caches, constant once published */
    struct cache *next_free;               /* of those without a thread */
    struct cache_seat *seat;               /* of its thread; NULL: nobody may take it */
    struct cache_watch watch;
    void *slots[SIZE_CLASS_COUNT][CACHE_START_OBJECTS];
};

struct cache_seat {
    _Atomic(struct cache *) cache; /* cache_none: none yet, or taken away for a moment */
    atomic_bool busy;
    bool left;           /* the thread ends: no other cache for it */
    struct cache *owned; /* the same when it is taken away */
};

extern _Thread_local struct cache_seat cache_seat;

/* What a thread without a cache has: stacks that are empty and have no room. So the fast path need
 * not ask. */
extern struct cache cache_none;

#if defined(__SANITIZE_THREAD__)
enum { CACHE_ENTER_STORE = memory_order_seq_cst, CACHE_ENTER_LOAD = memory_order_seq_cst };
#else
enum { CACHE_ENTER_STORE = memory_order_relaxed, CACHE_ENTER_LOAD = memory_order_acquire };
#endif

/* The calling thread's cache, which is its own until cache_leave. cache_none: cache_join knows why.
 */
static inline struct cache *cache_enter(void)
{
    atomic_store_explicit(&cache_seat.busy, true, CACHE_ENTER_STORE);
    atomic_signal_fence(memory_order_seq_cst); /* the compiler keeps the order */
    return atomic_load_explicit(&cache_seat.cache, CACHE_ENTER_LOAD);
}

static inline void cache_leave(void)
{
    atomic_store_explicit(&cache_seat.busy, false, memory_order_release);
}

/* Once, before everything else. */
void cache_init(void);

/* After a cache_enter that gave cache_none: get the thread a cache, or wait until it is back. NULL
 * at the memory limit, and for a thread that ends. */
struct cache *cache_join(void);

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

/* LOCK_CACHES: no thread gets or leaves a cache between the two, and none is taken. */
void cache_hold(void);
void cache_let_go(void);

/* For alloc/fork, in the child, held: the other threads are gone, and their seats with them. */
void cache_forget_others(void);

/* Whether that ever was; held. What such a cache holds and what it counted were copied while its
 * thread ran, one page after the other: the two need not agree. */
bool cache_any_torn(void);

/* The owner's stacks: aborts when one holds what it should not. */
void cache_check(const struct cache *cache);

#endif
