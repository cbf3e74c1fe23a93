/*
 * directory - from a local id to its series, readable without a lock.
 *
 *     segment 0: 64 places | segment 1: 128 | segment 2: 256 | ...
 *
 * Segments double and never move, so a reader needs no lock and growth copies nothing. A place is a
 * series' address, or 2 * (next free id + 1) + 1 when the id is free, or 0.
 *
 * An id that was cleared is not given out again before directory_recycle, which the owner calls
 * when no reader can hold the id any more. Segments live as long as the directory.
 *
 * Threads: get from any thread inside the epoch; all else under the shard's write lock.
 */
#ifndef HEARTH_STORAGE_DIRECTORY_H
#define HEARTH_STORAGE_DIRECTORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

struct series;

enum { DIRECTORY_SEGMENTS = 26, DIRECTORY_FIRST_BITS = 6 };

struct directory {
    _Atomic(_Atomic uintptr_t *) segments[DIRECTORY_SEGMENTS]; /* heap, HEAP_INDEX */
    _Atomic uint32_t high;                                     /* ids ever used are below it */
    uint32_t limit;                                            /* ids are below it */
    uint32_t free_plus_1;                                      /* first free id; 0: none */
};

/* limit: how many ids there may be at most. */
void directory_init(struct directory *d, uint32_t limit);
void directory_release(struct directory *d);

/* Make sure that directory_add succeeds once. false at the memory limit or when ids ran out. */
MUST_USE bool directory_reserve(struct directory *d);
/* Give the series an id; reserved before. The series is complete: readers see it now. */
uint32_t directory_add(struct directory *d, struct series *s);
/* The id that directory_add will give next. */
uint32_t directory_peek(const struct directory *d);

/* NULL when the id has no series. */
struct series *directory_get(const struct directory *d, uint32_t local);
static inline uint32_t directory_high(const struct directory *d)
{
    return atomic_load_explicit(&d->high, memory_order_acquire);
}

/* Readers find it no more; the id stays taken ... */
void directory_clear(struct directory *d, uint32_t local);
/* ... until here. */
void directory_recycle(struct directory *d, uint32_t local);

#endif
