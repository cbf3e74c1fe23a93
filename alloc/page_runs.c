/* page_runs - joining, cutting and finding free runs; a longer range when there is none. */
#include "alloc/page_runs.h"

#include "alloc/page_heap.h"
#include "alloc/page_map.h"
#include "base/assert.h"
#include "base/bits.h"

enum {
    GROW_PAGES = 512,       /* the range grows by 4 MiB at least */
    ALIGNED_TRIES_MAX = 16, /* runs that are long enough but lie askew */
};

struct page_runs page_runs = {.lock = MUTEX_INIT(LOCK_PAGE_HEAP),
                              .big_pages = PAGE_HEAP_BIG_BYTES >> PAGE_SHIFT};

static struct run_tree *tree_of(enum span_state state)
{
    DEBUG_ASSERT(state == SPAN_IDLE || state == SPAN_RELEASED);
    return state == SPAN_IDLE ? &page_runs.idle : &page_runs.released;
}

/* Join two free runs that touch; a lies before b, neither is in a tree. The smaller record stays.
 */
static struct span *join(struct span *a, struct span *b)
{
    struct span *kept = a->record_bytes <= b->record_bytes ? a : b;
    uint32_t page = a->page;
    uint32_t pages = a->pages + b->pages;
    span_destroy(kept == a ? b : a);
    kept->page = page;
    kept->pages = pages;
    kept->hollow = false;
    return kept;
}

struct span *page_runs_insert(struct span *run, enum span_state state)
{
    struct run_tree *tree = tree_of(state);
    run->state = (uint8_t)state;
    if (run->page > 1) {
        struct span *before = page_map_span(run->page - 1);
        if (before->state == state) {
            run_tree_remove(tree, before);
            run = join(before, run);
        }
    }
    if (run->page + run->pages < page_map.pages) {
        struct span *after = page_map_span(run->page + run->pages);
        if (after->state == state) {
            run_tree_remove(tree, after);
            run = join(run, after);
        }
    }
    run->state = (uint8_t)state;
    page_map_set(run);
    run_tree_insert(tree, run);
    return run;
}

void page_runs_push_quick(struct span *run)
{
    struct span **list = &page_runs.quick[run->pages];
    run->state = SPAN_QUICK;
    run->before = NULL;
    run->after = *list;
    if (run->after) run->after->before = run;
    *list = run;
    page_runs.quick_runs++;
}

void page_runs_unlink_quick(struct span *run)
{
    if (run->before)
        run->before->after = run->after;
    else
        page_runs.quick[run->pages] = run->after;
    if (run->after) run->after->before = run->before;
    page_runs.quick_runs--;
}

bool page_runs_join_quick(void)
{
    bool any = page_runs.quick_runs > 0;
    for (uint32_t pages = 1; pages <= QUICK_PAGES_MAX && page_runs.quick_runs; pages++) {
        while (page_runs.quick[pages]) {
            struct span *run = page_runs.quick[pages];
            page_runs_unlink_quick(run);
            page_runs_insert(run, SPAN_IDLE);
        }
    }
    return any;
}

static void put_back(struct span *run, enum span_state state, uint32_t page, uint32_t pages)
{
    run->state = (uint8_t)state;
    run->page = page;
    run->pages = pages;
    page_map_set(run);
    run_tree_insert(tree_of(state), run);
}

bool page_runs_cut(struct span *run, uint32_t page, uint32_t pages, struct span **unused)
{
    enum span_state state = (enum span_state)run->state;
    uint32_t first = run->page;
    uint32_t end = run->page + run->pages;
    bool front = first < page;
    bool tail = page + pages < end;
    struct span *second = run;
    if (front && tail) second = span_create(SIZE_CLASS_LARGE, page, pages);
    if (!second) return false;
    run_tree_remove(tree_of(state), run);
    if (front) put_back(run, state, first, page - first);
    if (tail) put_back(second, state, page + pages, end - (page + pages));
    *unused = front || tail ? NULL : run;
    return true;
}

/* A longer range; the new pages are a released run of at least `pages`, which is returned. */
static struct span *grow(uint32_t pages)
{
    uint32_t first = page_map.pages;
    uint32_t more = pages > GROW_PAGES ? pages : GROW_PAGES;
    uint32_t pages_max = (uint32_t)(page_map.reserved_bytes >> PAGE_SHIFT);
    if (more > pages_max - first) more = pages_max - first;
    if (more < pages) return NULL;
    struct span *run = span_create(SIZE_CLASS_LARGE, first, more);
    if (!run) return NULL;
    if (!page_map_commit(first + more)) {
        span_destroy(run);
        return NULL;
    }
    page_runs.sys_pages += more;
    page_runs.released_pages += more;
    return page_runs_insert(run, SPAN_RELEASED);
}

void page_runs_note_low(void)
{
    if (page_runs.idle_pages < page_runs.idle_pages_low)
        page_runs.idle_pages_low = page_runs.idle_pages;
}

void page_runs_count_taken(enum span_state from, uint32_t pages)
{
    page_runs.inuse_pages += pages;
    if (from == SPAN_IDLE) {
        page_runs.idle_pages -= pages;
        page_runs_note_low();
    } else {
        page_runs.released_pages -= pages;
        page_runs.taken_pages += pages;
    }
}

struct span *page_runs_take_quick(uint32_t pages)
{
    if (pages > QUICK_PAGES_MAX) return NULL;
    struct span *span = page_runs.quick[pages];
    if (!span) return NULL;
    page_runs_unlink_quick(span);
    span->state = SPAN_LARGE;
    span->known_zero = false;
    span->after = NULL;
    page_runs_count_taken(SPAN_IDLE, pages);
    return span;
}

/* A good fit for `pages` at a multiple of `alignment` pages, the best of all if that is 1; NULL
 * when there is none. */
static struct span *best(const struct run_tree *tree, uint32_t pages, uint32_t alignment)
{
    struct span *run = run_tree_best(tree, pages);
    for (int i = 0; run && i < ALIGNED_TRIES_MAX; i++) {
        if (page_runs_aligned(run, alignment) + pages <= run->page + run->pages) return run;
        run = run_tree_next(tree, run);
    }
    return run ? run_tree_best(tree, pages + alignment - 1) : NULL;
}

struct span *page_runs_find_idle(uint32_t pages, uint32_t alignment)
{
    struct span *run = best(&page_runs.idle, pages, alignment);
    if (!run && page_runs_join_quick()) run = best(&page_runs.idle, pages, alignment);
    return run;
}

struct span *page_runs_find_released(uint32_t pages)
{
    return best(&page_runs.released, pages, 1);
}

struct span *page_runs_find(uint32_t pages, uint32_t alignment)
{
    struct span *run = page_runs_find_idle(pages, alignment);
    if (!run) run = best(&page_runs.released, pages, alignment);
    if (!run) run = grow(pages + alignment - 1);
    return run;
}
