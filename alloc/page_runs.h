/*
 * page_runs - the free runs of alloc/page_heap: a tree and lists of idle ones, a tree of released
 * ones, and how many pages are of which kind. Whoever takes or brings pages counts them here.
 *
 * Threads: everything under the lock, which is LOCK_PAGE_HEAP.
 */
#ifndef HEARTH_ALLOC_PAGE_RUNS_H
#define HEARTH_ALLOC_PAGE_RUNS_H

#include <stdbool.h>
#include <stdint.h>

#include "alloc/page_map.h"
#include "alloc/run_tree.h"
#include "alloc/span.h"
#include "base/bits.h"
#include "base/compiler.h"
#include "base/lock.h"

enum {
    QUICK_PAGES_MAX = 128, /* longer runs are joined at once */
    QUICK_RUNS_MAX = 1024  /* what has to be joined in one go */
};

struct page_runs {
    struct mutex lock;
    struct run_tree idle;
    struct run_tree released;
    struct span *quick[QUICK_PAGES_MAX + 1]; /* by length; doubly linked */
    uint32_t quick_runs;
    uint64_t sys_pages;
    uint64_t inuse_pages;
    uint64_t idle_pages; /* resident ones: in the tree, quick, and on the move */
    uint64_t released_pages;
    uint64_t released_pages_total;
    uint64_t idle_pages_low; /* since the last page_heap_demand */
    uint64_t taken_pages;    /* released ones, since then */
    uint64_t big_pages;      /* in use: see page_heap_big_from */
    uint64_t block_pages_total;
    bool lazily;
    bool dirty; /* ever lazily: released pages need not read as zero */
};

extern struct page_runs page_runs;

static inline uint64_t page_runs_bytes(uint64_t pages)
{
    return pages << PAGE_SHIFT;
}

/* The first page of a run that is a multiple of `alignment`; it may lie behind the end. */
static inline uint32_t page_runs_aligned(const struct span *run, uint32_t alignment)
{
    return (uint32_t)bits_align_up(run->page, alignment);
}

/* Put a run, which is in no tree, into the tree of its kind, joined with its neighbours of that
 * kind: SPAN_IDLE or SPAN_RELEASED. Returns what it is a part of now. */
struct span *page_runs_insert(struct span *run, enum span_state state);

/* In and out of the list of its length. */
void page_runs_push_quick(struct span *run);
void page_runs_unlink_quick(struct span *run);

/* A run of exactly `pages` that was left apart; NULL when there is none. */
static inline const struct span *page_runs_quick(uint32_t pages)
{
    return pages <= QUICK_PAGES_MAX ? page_runs.quick[pages] : NULL;
}

/* The same one out of its list, as a SPAN_LARGE; NULL when there is none. */
struct span *page_runs_take_quick(uint32_t pages);

/* Join what was left apart. False when there was nothing. */
bool page_runs_join_quick(void);

/* A good fit for `pages` at a multiple of `alignment` pages, the best of all if that is 1; an idle
 * one, and NULL when there is none. */
struct span *page_runs_find_idle(uint32_t pages, uint32_t alignment);

/* The best fit of the released ones. */
struct span *page_runs_find_released(uint32_t pages);

/* An idle run, else a released one, else a longer range. NULL at the end of the range, and when
 * there is no memory for records. */
struct span *page_runs_find(uint32_t pages, uint32_t alignment);

/* Take `pages` from `page` on out of a free run; what is left on either side goes back. *unused is
 * the record of the run when nothing was left, else NULL. False, nothing changed, when two sides
 * are left and there is no memory for a second record. */
MUST_USE bool page_runs_cut(struct span *run, uint32_t page, uint32_t pages, struct span **unused);

/* So many pages of a kind are in use now. */
void page_runs_count_taken(enum span_state from, uint32_t pages);

/* There are fewer idle pages than before. */
void page_runs_note_low(void);

#endif
