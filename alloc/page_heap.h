/*
 * page_heap - runs of 8 KiB pages: best fit, split, coalesce, give back.
 *
 *     idle:     free and resident; taken first, because the kernel need not be asked
 *     quick:    idle too, but not joined with its neighbours: what was freed lately, by length,
 *               because the next request is likely to be for the same one
 *     released: free and not resident, the never touched end of the range included; reads as zero
 *
 * Each kind has a tree (alloc/run_tree) and is coalesced only with its own kind, so that a run is
 * resident as a whole or not at all. Taking released pages charges the limit; when the limit
 * refuses, idle runs are given back first.
 *
 * Threads: any; LOCK_PAGE_HEAP. madvise is called outside the lock.
 */
#ifndef HEARTH_ALLOC_PAGE_HEAP_H
#define HEARTH_ALLOC_PAGE_HEAP_H

#include <stdbool.h>
#include <stdint.h>

#include "alloc/os.h"
#include "alloc/scavenge_policy.h"
#include "alloc/span.h"
#include "base/compiler.h"

/* A span of `pages`: SPAN_LARGE for SIZE_CLASS_LARGE, else SPAN_SMALL without bits and in no list;
 * a chain of one. NULL at the limit or the end of the range. A class gets a shorter span in a big
 * heap (page_heap_big_from) where an idle run is too short for a whole one: nobody else uses those
 * up, and they become more for as long as objects come and go. */
MUST_USE struct span *page_heap_alloc(uint32_t pages, unsigned size_class);

/* The same for SIZE_CLASS_LARGE and at most PAGE_HEAP_BLOCK_PAGES, for those who fill spans to the
 * end and can do with a shorter one, of at least pages_least. When no idle run is long enough, the
 * longest of the shorter ones is taken; when none of those is, a whole block of
 * PAGE_HEAP_BLOCK_PAGES is made resident, as a huge page: one fault instead of hundreds. What is
 * left of it is idle and serves the next. That may take some 100 us. */
enum { PAGE_HEAP_BLOCK_PAGES = OS_RANGE_ALIGNMENT / HEAP_PAGE_BYTES };
MUST_USE struct span *page_heap_alloc_resident(uint32_t pages_least, uint32_t pages);

/* From so many bytes in use on, pages for classes come from such blocks, too, unless there are
 * shorter runs of released pages to use up. In a heap of gigabytes nearly every object is a miss of
 * the TLB, and one in small pages among the slowest twice as often; in a small heap a block would
 * be a large part of the whole. */
#define PAGE_HEAP_BIG_BYTES (UINT64_C(64) << 20)
void page_heap_big_from(uint64_t bytes);

/* Up to `wanted` spans of exactly `pages` that were freed lately, SPAN_LARGE and chained by after:
 * no split, no join, no system call. NULL when there is none. */
MUST_USE struct span *page_heap_reuse(uint32_t pages, uint32_t wanted);

/* The spans chained by after become free runs; the records are gone for the caller. System pages
 * that a class span had given back are charged again, as resident ones are; at the limit the span
 * goes back as a whole. */
void page_heap_free(struct span *first);

/* Change the length of a SPAN_LARGE in place: to fewer pages, or into the free run
 * behind it. False, nothing changed, when that is not possible. */
MUST_USE bool page_heap_resize(struct span *span, uint32_t pages);

/* What was needed since the last call; one caller. */
void page_heap_demand(struct scavenge_demand *out);

/* Whether page_heap_release leaves it to the system when pages really go (os_release_lazily). */
void page_heap_release_lazily(bool lazily);
bool page_heap_releases_lazily(void);

/* Give idle pages back to the system, longest runs first and of those the whole blocks of 2 MiB, so
 * that no huge page is split while there is another choice; at most `bytes`; returns how many bytes
 * went. (When the limit refuses even the record of a split, a whole run may go instead.) */
uint64_t page_heap_release(uint64_t bytes);

/* Give back the page map's entries in the middle of the longest released run, when they are many:
 * some megabytes after a heap of gigabytes is gone. */
void page_heap_hollow(void);

struct page_heap_stats {
    uint64_t sys_bytes; /* = inuse + idle */
    uint64_t inuse_bytes;
    uint64_t idle_bytes; /* released ones included */
    uint64_t released_bytes;
    uint64_t released_total; /* ever given back */
    uint64_t block_total;    /* ever made resident in whole blocks */
    uint64_t map_bytes;      /* of the page map */
};
void page_heap_stats(struct page_heap_stats *out);

/* The same, and no span comes or goes until page_heap_let_go. */
void page_heap_hold(struct page_heap_stats *out);
void page_heap_let_go(void);

/* Call visit for every span in use. The page heap is held meanwhile: spans neither come nor go. */
void page_heap_visit(void (*visit)(void *arg, struct span *span), void *arg);

/* Walk all runs and both trees; aborts on a broken invariant. */
void page_heap_check(void);

#endif
