/*
 * tally - who was given how many objects, counted by the thread that gave them.
 *
 * Two counters per class and tag, both only ever grow, and two per tag of the bytes asked for;
 * every sum of alloc/memstats.h follows from them. A tally has one writer, a thread: it adds with a
 * plain load and store (tally_bump), and anybody may read. The tally of a thread that ended stays
 * where it is and is carried on by the next thread that gets the cache around it, so that nothing
 * is ever moved while it is read.
 *
 * tally_shared takes what has no cache: threads that could not get one. It is written with
 * read-modify-write atomics (tally_add).
 *
 * Readers that sum what was given first and what was taken back afterwards never see more live
 * objects than there were at the moment between. An object is counted after it was taken from its
 * span and counted free before it can get back there.
 *
 * Threads: as said.
 */
#ifndef HEARTH_ALLOC_TALLY_H
#define HEARTH_ALLOC_TALLY_H

#include <stdatomic.h>
#include <stdint.h>

#include "alloc/heap.h"
#include "alloc/size_class.h"

/* Counters of one kind: objects, or bytes. */
struct tally {
    _Atomic uint64_t given[HEAP_TAG_COUNT];
    _Atomic uint64_t taken[HEAP_TAG_COUNT]; /* back */
};

struct tally_shared {
    struct tally objects[SIZE_CLASS_COUNT]; /* [0]: large ones */
    struct tally large_bytes; /* of large objects; growing one in place is given, shrinking taken */
    struct tally requested_bytes; /* as asked for: less than what objects of those sizes take */
};

extern struct tally_shared tally_shared;
/* The objects of all regions (alloc/region.h): counted by the class that would have held them, and
 * their bytes, which are not that class's, as large_bytes. */
extern struct tally_shared tally_regions;

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
/* By the owner only. One instruction, which compilers do not make of the two atomic steps below;
 * not locked, but its store is whole, and in order behind earlier ones. */
static inline void tally_grow(_Atomic uint64_t *counter, uint64_t n)
{
    __asm__("addq %1, %0" : "+m"(*counter) : "er"(n) : "memory");
}
#else
static inline void tally_grow(_Atomic uint64_t *counter, uint64_t n)
{
    uint64_t before = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, before + n, memory_order_release);
}
#endif

static inline void tally_bump(_Atomic uint64_t *counter)
{
    tally_grow(counter, 1);
}

/* By anybody. */
static inline void tally_add(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_fetch_add_explicit(counter, n, memory_order_release);
}

/* Acquire, so that what is read later was counted no earlier. */
static inline uint64_t tally_read(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_acquire);
}

#endif
