/* page_heap_release - pages back to the system, with no lock held while it takes them. */
#include "alloc/limit.h"
#include "alloc/page_heap.h"
#include "alloc/page_map.h"
#include "alloc/page_runs.h"
#include "base/lock.h"

enum {
    BLOCK_PAGES = PAGE_HEAP_BLOCK_PAGES, /* of a huge page */
    RELEASE_PAGES_MAX = 2 * BLOCK_PAGES, /* per madvise: no run is out of reach for long */
    HOLLOW_PAGES_MIN = 8192              /* 40 KiB of entries */
};

/* At most `pages` of the run: whole blocks if it has any that fit, else from its start. */
static void choose_part(const struct span *run, uint32_t pages, uint32_t *page, uint32_t *count)
{
    uint32_t first = page_runs_aligned(run, BLOCK_PAGES);
    uint32_t end = (run->page + run->pages) / BLOCK_PAGES * BLOCK_PAGES;
    *page = run->page;
    *count = run->pages < pages ? run->pages : pages;
    if (pages < BLOCK_PAGES || first >= end) return;
    uint32_t most = pages / BLOCK_PAGES * BLOCK_PAGES;
    *page = first;
    *count = end - first < most ? end - first : most;
}

/* Take the longest idle run, or `pages` of it, out of the tree. NULL when there is none. */
static struct span *detach_idle(uint32_t pages)
{
    struct span *run = run_tree_longest(&page_runs.idle);
    if (!run) return NULL;
    uint32_t page;
    uint32_t count;
    choose_part(run, pages, &page, &count);
    struct span *part = run;
    struct span *unused;
    if (run->pages > count) {
        part = span_create(SIZE_CLASS_LARGE, page, count);
        if (part && !page_runs_cut(run, page, count, &unused)) {
            span_destroy(part);
            part = NULL;
        }
    }
    /* Without memory for records, all of it. */
    if (!part) part = run;
    if (part == run) run_tree_remove(&page_runs.idle, run);
    part->state = SPAN_MOVING;
    page_map_set(part);
    return part;
}

void page_heap_demand(struct scavenge_demand *out)
{
    mutex_lock(&page_runs.lock);
    *out = (struct scavenge_demand){
        .idle_bytes = page_runs_bytes(page_runs.idle_pages),
        .low_bytes = page_runs_bytes(page_runs.idle_pages_low),
        .taken_bytes = page_runs_bytes(page_runs.taken_pages),
        .inuse_bytes = page_runs_bytes(page_runs.inuse_pages),
    };
    page_runs.idle_pages_low = page_runs.idle_pages;
    page_runs.taken_pages = 0;
    mutex_unlock(&page_runs.lock);
}

bool page_heap_releases_lazily(void)
{
    mutex_lock(&page_runs.lock);
    bool lazily = page_runs.lazily;
    mutex_unlock(&page_runs.lock);
    return lazily;
}

void page_heap_release_lazily(bool lazily)
{
    mutex_lock(&page_runs.lock);
    page_runs.lazily = lazily;
    page_runs.dirty |= lazily;
    mutex_unlock(&page_runs.lock);
}

static bool release_run(const struct span *run, bool lazily)
{
    void *p = page_map_address(run->page);
    if (!(lazily ? os_release_lazily : os_release)(p, page_runs_bytes(run->pages))) return false;
    limit_uncharge(page_runs_bytes(run->pages));
    return true;
}

uint64_t page_heap_release(uint64_t bytes)
{
    uint64_t wanted = bytes >> PAGE_SHIFT;
    uint64_t gone = 0;
    bool willing = true;
    mutex_lock(&page_runs.lock);
    page_runs_join_quick();
    while (gone < wanted && willing) {
        uint64_t step = wanted - gone;
        struct span *run =
            detach_idle(step < RELEASE_PAGES_MAX ? (uint32_t)step : RELEASE_PAGES_MAX);
        if (!run) break;
        uint32_t pages = run->pages;
        bool lazily = page_runs.lazily;
        mutex_unlock(&page_runs.lock);
        willing = release_run(run, lazily);
        mutex_lock(&page_runs.lock);
        if (willing) {
            gone += pages;
            page_runs.idle_pages -= pages;
            page_runs.released_pages += pages;
            page_runs.released_pages_total += pages;
            page_runs_note_low();
        }
        page_runs_insert(run, willing ? SPAN_RELEASED : SPAN_IDLE);
    }
    mutex_unlock(&page_runs.lock);
    return page_runs_bytes(gone);
}

/* The longest released run, out of the tree, if its part of the page map is worth giving back. */
static struct span *detach_to_hollow(void)
{
    struct span *run = run_tree_longest(&page_runs.released);
    if (!run || run->hollow || run->pages < HOLLOW_PAGES_MIN) return NULL;
    run_tree_remove(&page_runs.released, run);
    run->state = SPAN_HOLLOWING;
    return run;
}

void page_heap_hollow(void)
{
    mutex_lock(&page_runs.lock);
    struct span *run = detach_to_hollow();
    if (run) {
        mutex_unlock(&page_runs.lock);
        page_map_hollow(run->page + 1, run->pages - 2); /* its ends are still asked for */
        mutex_lock(&page_runs.lock);
        run->hollow = true;
        page_runs_insert(run, SPAN_RELEASED);
    }
    mutex_unlock(&page_runs.lock);
}
