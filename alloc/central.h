/*
 * central - per size class, the spans that all threads share.
 *
 *     partial lists by how full a span is, the fullest served first, so that the emptier ones can
 *     become empty and go back to the page heap; and a list of those with nothing left
 *
 * Objects move in batches between here and the thread caches, by way of alloc/transfer. An empty
 * span is given back at once: what these two keep is what keeps that from happening in turns.
 *
 * What a thread frees is mostly what it gets next, and then no span that was full once ever becomes
 * empty. So where a class has more free slots than it soon needs, the emptiest spans are
 * *emptying*: their pages are marked in the page map, and an object that is freed there goes home
 * at once (alloc/heap.c) instead of into a cache. When only such spans have slots left, they serve
 * again.
 *
 * Of spans that nobody touched for a while, the system pages that lie free go back to the system
 * (central_trim); slots on resident pages are handed out first.
 *
 *     partial --trim--> moving --madvise, no lock--> partial, or gone: all its free slots lie on
 *     pages that are not resident; served last, and charged again then
 *
 * Threads: any; LOCK_CENTRAL, one per class. New spans are fetched outside the lock.
 */
#ifndef HEARTH_ALLOC_CENTRAL_H
#define HEARTH_ALLOC_CENTRAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

/* Once, before everything else. */
void central_init(void);

/* Up to `wanted` (>= 1) objects of a class into out, from few spans; returns how many, 0 at the
 * limit. */
MUST_USE uint32_t central_take(unsigned size_class, void **out, uint32_t wanted);

/* Take count objects of a class back. Aborts when one of them already lies in its span. */
void central_give(unsigned size_class, void *const *objects, uint32_t count);

/* Spans of the class that are in use now, the slots they are cut into, their pages: each a relaxed
 * read. */
uint64_t central_spans(unsigned size_class);
uint64_t central_slots(unsigned size_class);
uint64_t central_pages(unsigned size_class);

/* Slots that lie free in those spans: a walk over them. */
uint64_t central_free_slots(unsigned size_class);

/* The clock of spans, in units of the caller's choice, modulo 256. */
void central_tick(uint8_t now);

/* Give back pages of the class's spans that were not touched for `age` ticks, at most `bytes` and
 * those of one span more; lazily as os_release_lazily does. Returns how many bytes went. After
 * `bytes` the next call goes on where this one stopped; after less it starts anew. No lock is held
 * meanwhile, and none for more than a few spans. One caller at a time: two would pass over each
 * other's spans. */
uint64_t central_trim(unsigned size_class, uint8_t age, uint64_t bytes, bool lazily);

/* The next central_trim of the class starts anew in any case. */
void central_rewind(unsigned size_class);

/* Bytes of pages inside spans in use: a relaxed read of each class. */
enum central_bytes {
    CENTRAL_RELEASED, /* given back now */
    CENTRAL_TRIMMED,  /* given back, ever */
    CENTRAL_RETAKEN,  /* and charged again, ever */
    CENTRAL_BYTES_COUNT
};
uint64_t central_bytes(enum central_bytes which);

/* For alloc/fork: no object comes or goes between the two. */
void central_hold_all(void);
void central_let_go_all(void);

/* Walk all spans of all classes; aborts on a broken invariant. */
void central_check(void);

#endif
