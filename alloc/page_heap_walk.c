/* page_heap_walk - its sums, and walks over all runs. */
#include <stddef.h>

#include "alloc/live.h"
#include "alloc/page_heap.h"
#include "alloc/page_map.h"
#include "alloc/page_runs.h"
#include "base/assert.h"
#include "base/lock.h"

void page_heap_hold(struct page_heap_stats *out)
{
    mutex_lock(&page_runs.lock);
    *out = (struct page_heap_stats){
        .sys_bytes = page_runs_bytes(page_runs.sys_pages),
        .inuse_bytes = page_runs_bytes(page_runs.inuse_pages),
        .idle_bytes = page_runs_bytes(page_runs.idle_pages + page_runs.released_pages),
        .released_bytes = page_runs_bytes(page_runs.released_pages),
        .released_total = page_runs_bytes(page_runs.released_pages_total),
        .block_total = page_runs_bytes(page_runs.block_pages_total),
        .map_bytes = page_map_bytes(),
    };
}

void page_heap_let_go(void)
{
    mutex_unlock(&page_runs.lock);
}

void page_heap_stats(struct page_heap_stats *out)
{
    page_heap_hold(out);
    page_heap_let_go();
}

void page_heap_visit(void (*visit)(void *arg, struct span *span), void *arg)
{
    mutex_lock(&page_runs.lock);
    for (uint32_t page = 1; page <= page_runs.sys_pages;) {
        struct span *span = page_map_span(page);
        if (span->state == SPAN_SMALL || span->state == SPAN_LARGE) visit(arg, span);
        page += span->pages;
    }
    mutex_unlock(&page_runs.lock);
}

static void check_span(struct span *span, uint32_t page)
{
    ASSERT(span->page == page && span->pages > 0);
    ASSERT(page + span->pages <= page_map.pages);
    ASSERT(page_map_span(page + span->pages - 1) == span);
    unsigned size_class = span->state == SPAN_SMALL ? span->size_class : SIZE_CLASS_LARGE;
    for (uint32_t i = 0; i < span->pages; i++)
        ASSERT(page_map_class(page + i) == size_class);
    if (span->state == SPAN_LARGE || span->state == SPAN_QUICK) live_check_span(span);
    if (span->state != SPAN_SMALL) return;
    ASSERT(size_class > 0 && size_class < SIZE_CLASS_COUNT);
    ASSERT(span->pages == size_classes[size_class].pages ||
           size_classes[size_class].shorter >> span->pages & 1);
    for (uint32_t i = 0; i < span->pages; i++)
        ASSERT(page_map_span(page + i) == span);
}

void page_heap_check(void)
{
    uint64_t pages[SPAN_LARGE + 1] = {0};
    size_t runs[SPAN_LARGE + 1] = {0};
    enum span_state before = SPAN_LARGE;
    mutex_lock(&page_runs.lock);
    for (uint32_t page = 1; page < page_map.pages;) {
        struct span *span = page_map_span(page);
        ASSERT(span->state <= SPAN_LARGE);
        check_span(span, page);
        bool free = span->state == SPAN_IDLE || span->state == SPAN_RELEASED;
        ASSERT(!free || span->state != before); /* neighbours of a kind are joined */
        before = (enum span_state)span->state;
        pages[before] += span->pages;
        runs[before]++;
        page += span->pages;
    }
    ASSERT(pages[SPAN_SMALL] + pages[SPAN_LARGE] == page_runs.inuse_pages);
    ASSERT(pages[SPAN_IDLE] + pages[SPAN_QUICK] + pages[SPAN_MOVING] == page_runs.idle_pages);
    ASSERT(runs[SPAN_QUICK] == page_runs.quick_runs);
    ASSERT(pages[SPAN_RELEASED] + pages[SPAN_HOLLOWING] == page_runs.released_pages);
    ASSERT(page_runs.inuse_pages + page_runs.idle_pages + page_runs.released_pages ==
           page_runs.sys_pages);
    ASSERT(runs[SPAN_IDLE] == page_runs.idle.count &&
           runs[SPAN_RELEASED] == page_runs.released.count);
    run_tree_check(&page_runs.idle);
    run_tree_check(&page_runs.released);
    mutex_unlock(&page_runs.lock);
}
