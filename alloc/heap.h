/*
 * heap - all memory of the process that is ours: give it, take it back, account for every byte.
 *
 *     thread cache (per thread, no lock)         alloc/cache
 *       -> transfer stack (per size class)       alloc/transfer
 *         -> central list (per size class)       alloc/central
 *           -> spans of 8 KiB pages              alloc/page_heap: best fit, split, coalesce
 *             -> one reserved address range      alloc/os
 *
 * Small objects (up to HEAP_SMALL_MAX) are rounded up to a size class, larger ones to whole pages.
 * The design follows Go's runtime (mheap, mcentral, mcache) and TCMalloc (Ghemawat, Menage); no
 * span ever belongs to a thread, so that memory freed by one serves the others.
 *
 * Every allocation carries the tag of its owner; the same tag goes into heap_free, and so does the
 * size that was asked for: the owner knows it, it says the class without a look at the page, and
 * the books know what was asked as exactly as what was given. Exact sums by tag and by class are in
 * alloc/memstats.h.
 *
 * The limit is hard: at it, allocation answers NULL, and every caller has an answer to that. Free
 * objects are poisoned under AddressSanitizer.
 *
 * Threads: every function from any thread, no set-up needed.
 */
#ifndef HEARTH_ALLOC_HEAP_H
#define HEARTH_ALLOC_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

enum heap_tag {
    HEAP_SERIES,   /* series records and their rings */
    HEAP_LABELS,   /* symbols and label sets */
    HEAP_INDEX,    /* postings, series maps */
    HEAP_CHUNKS,   /* samples: cells, sealed chunks, late runs */
    HEAP_QUERY,    /* arenas of queries, regex caches of ours */
    HEAP_HTTP,     /* request bodies and replies */
    HEAP_SNAPSHOT, /* buffers of the WAL and of snapshots */
    HEAP_PROCESS,  /* set-up that lives as long as the process */
    HEAP_TAG_COUNT
};

enum {
    HEAP_PAGE_BYTES = 8192,
    HEAP_SMALL_MAX = 32768,
    HEAP_ALIGNMENT = 16, /* of every result of 16 bytes or more; smaller ones: 8 */
    HEAP_CELL_BYTES = 128
};

/* size bytes, contents undefined. Size 0 gives one static address that heap_free ignores.
 * NULL at the limit (or when the address range is used up); nothing has changed then. */
MUST_USE void *heap_alloc(size_t size, enum heap_tag tag);

/* count * size bytes of zeros; NULL also when the product overflows. */
MUST_USE void *heap_calloc(size_t count, size_t size, enum heap_tag tag);

/* alignment is a power of two up to HEAP_PAGE_BYTES, size a multiple of it. */
MUST_USE void *heap_alloc_aligned(size_t size, size_t alignment, enum heap_tag tag);

/* Move to a new size, in place where class or pages allow; p may be NULL (then as heap_alloc, and
 * old_size is ignored). old_size as in heap_free. NULL at the limit, for a smaller size too: p is
 * untouched, of its old size, and still owned by the caller. */
MUST_USE void *heap_resize(void *p, size_t old_size, size_t size, enum heap_tag tag);

/* Give back; NULL is ignored, whatever its size. size is what was asked for, at the allocation or
 * at the last resize, tag the one it was allocated with; debug builds abort when either is another,
 * and on a second free. */
void heap_free(void *p, size_t size, enum heap_tag tag);

/* HEAP_CELL_BYTES for one of many that live about as long as each other, apart from all other
 * objects of that size: where a long-lived one lies between, the span stays when the others are
 * gone. As aligned as a multiple of 128 is. NULL at the limit. */
MUST_USE void *heap_alloc_cell(enum heap_tag tag);
void heap_free_cell(void *cell, enum heap_tag tag); /* and by nothing else; NULL is ignored */

/* For callers that cannot know the size, malloc's: of an object that was asked for with a size of
 * heap_good_size, so that all it can hold is what was asked. */
void heap_free_unsized(void *p, enum heap_tag tag);

/* The bytes there are at p: the class or page size, at least what was asked. Who wants to use them
 * asks for heap_good_size at once: the heap counts what was asked. */
size_t heap_usable_size(const void *p);

/* Whether the object lies in a span that shall become empty (alloc/central.h): most likely one that
 * is asked for now does not. Who can move it, and asks at times, saves the span. */
bool heap_is_emptying(const void *p);

/* The usable size an allocation of `size` would get: grow buffers to this. */
size_t heap_good_size(size_t size);

/* The hard limit for everything the process holds: our resident pages, our metadata, and what
 * heap_set_other_bytes last said of memory that is not ours (libc, stacks). 0 (the start): none. */
void heap_set_limit(uint64_t bytes);
uint64_t heap_limit(void);
void heap_set_other_bytes(uint64_t bytes);

/* Bytes counted against the limit right now. Cheap: one atomic load. */
uint64_t heap_used_bytes(void);

/* How short memory is, as whoever set the limit sees it; nothing in here decides by it. */
enum heap_pressure {
    HEAP_CALM, /* the start */
    HEAP_SOFT, /* keep nothing at hand that others could use: heap_flush_thread after a piece of
                  work */
    HEAP_HARD, /* begin nothing new that stays */
    HEAP_FULL  /* take no new data in */
};
void heap_set_pressure(enum heap_pressure pressure);
enum heap_pressure heap_pressure(void);

/* Return free pages to the operating system, at most `bytes` of them, at once; returns how many
 * bytes went. */
uint64_t heap_scavenge(uint64_t bytes);

/* The same, as much as is due: what nobody needed for five seconds, at one per cent of a core (see
 * alloc/scavenge_policy.h). For a background thread, ten times to once a second; now_ns is
 * clock_mono_ns(). Returns how many bytes went. */
uint64_t heap_scavenge_round(int64_t now_ns);

/* How pages go from now on. false (the start): they leave the resident set now. true: the kernel
 * takes them when it wants them (MADV_FREE); that is cheaper to undo, but until then they count as
 * resident with the kernel, though not here. */
void heap_scavenge_lazily(bool lazily);
bool heap_scavenges_lazily(void);

/* Much is about to be allocated that stays, or that is over. While it is, fresh memory of a small
 * heap comes in huge pages, too, as that of a big one always does: fewer faults, and up to some MiB
 * more that is idle and goes back later. */
void heap_expect_growth(bool much);

/* Give the calling thread's cached objects back to the central lists, and with them all that lies
 * on the transfer stacks. */
void heap_flush_thread(void);
/* Give back its large objects alone: they are few, and up to 2 MiB. For threads of which there are
 * many, after a piece of work: the next one may be another's. */
void heap_flush_large(void);

/* heap_flush_thread for every thread that is not allocating or freeing just now (where the system
 * lets one know: see alloc/drain.h). */
void heap_flush_all(void);

/* For tests: let the next `count` allocations of this process succeed and fail every one after, or
 * only the next; UINT64_MAX (the start) switches it off. Counts calls of heap_alloc and its kin,
 * and in debug builds those of arenas, in any thread. Returns what was left of the count before:
 * unless 0, none has failed. */
uint64_t heap_fail_after(uint64_t count);
uint64_t heap_fail_once(uint64_t count);

/* Debug builds: the calling thread's next allocation, resize or free is asked for at this place.
 * What follows says it for every call. */
void heap_place(const char *file, int line);

/* Debug builds, once and for the rest of the process: from now on eight bytes at least behind every
 * small object are nobody's, also where its size is that of a class, which then is the next longer
 * one. So a write behind the end is found wherever it goes (alloc/live.h). Classes and sums are not
 * those of release builds any more: not for tests of them. */
void heap_red_zones(void);

/* Walk all spans, lists and caches of the calling thread; aborts on a broken invariant. */
void heap_check(void);

#if HEARTH_DEBUG && !defined(PLACE_OF_CALLER)
#    define HEAP_PLACE()              heap_place(__FILE__, __LINE__)
#    define heap_alloc(size, tag)     (HEAP_PLACE(), heap_alloc(size, tag))
#    define heap_calloc(n, size, tag) (HEAP_PLACE(), heap_calloc(n, size, tag))
#    define heap_alloc_aligned(size, alignment, tag)                                               \
        (HEAP_PLACE(), heap_alloc_aligned(size, alignment, tag))
#    define heap_resize(p, old_size, size, tag) (HEAP_PLACE(), heap_resize(p, old_size, size, tag))
#    define heap_free(p, size, tag)             (HEAP_PLACE(), heap_free(p, size, tag))
#    define heap_free_unsized(p, tag)           (HEAP_PLACE(), heap_free_unsized(p, tag))
#    define heap_alloc_cell(tag)                (HEAP_PLACE(), heap_alloc_cell(tag))
#    define heap_free_cell(p, tag)              (HEAP_PLACE(), heap_free_cell(p, tag))
#endif

#endif
