/* page_heap - taking runs, freeing them, and changing their length in place. */
#include "alloc/page_heap.h"

#include "alloc/heap.h"
#include "alloc/limit.h"
#include "alloc/page_map.h"
#include "alloc/page_runs.h"
#include "alloc/poison.h"
#include "base/assert.h"
#include "base/lock.h"

enum {
    BLOCK_PAGES = PAGE_HEAP_BLOCK_PAGES, /* of a huge page */
    ALLOC_ATTEMPTS_MAX = 8,              /* others may take what we had released for ourselves */
    SCRAPS_PARTS = 4096,                 /* of what is in use */
    RECORD_PAGES = 64 /* to be given back besides what is asked for, for records */
};

/* A run that was left apart, for a class if its record does. */
static struct span *take_quick(uint32_t pages, unsigned size_class)
{
    const struct span *first = page_runs_quick(pages);
    if (!first) return NULL;
    if (size_class == SIZE_CLASS_LARGE) return page_runs_take_quick(pages);
    if (span_bits_apart(size_class) || first->record_bytes < span_record_bytes(size_class))
        return NULL;
    struct span *span = page_runs_take_quick(pages);
    span_renew(span, size_class);
    span->state = SPAN_SMALL;
    page_map_set(span);
    return span;
}

/* One attempt under the lock; NULL when limit or range stand against it. */
static struct span *take(uint32_t pages, unsigned size_class, uint32_t alignment)
{
    struct span *quick = alignment == 1 ? take_quick(pages, size_class) : NULL;
    if (quick) return quick;
    struct span *run = page_runs_find(pages, alignment);
    if (!run) return NULL;

    enum span_state from = (enum span_state)run->state;
    uint32_t page = page_runs_aligned(run, alignment);
    struct span *span = span_create(size_class, page, pages);
    struct span *unused;
    if (!span) return NULL;
    if (from == SPAN_RELEASED && !limit_charge(page_runs_bytes(pages))) {
        span_destroy(span);
        return NULL;
    }
    if (!page_runs_cut(run, page, pages, &unused)) {
        if (from == SPAN_RELEASED) limit_uncharge(page_runs_bytes(pages));
        span_destroy(span);
        return NULL;
    }
    if (unused) span_destroy(unused);
    span->state = size_class == SIZE_CLASS_LARGE ? SPAN_LARGE : SPAN_SMALL;
    span->known_zero = from == SPAN_RELEASED && !page_runs.dirty;
    page_runs_count_taken(from, pages);
    page_map_set(span);
    return span;
}

/* No trading of idle pages for what cannot succeed in any case. */
static bool hopeless(uint32_t pages)
{
    uint64_t limit = heap_limit();
    return pages >= page_map.reserved_bytes >> PAGE_SHIFT ||
           (limit && page_runs_bytes(pages) > limit);
}

/* A block that is not resident yet, of released pages; NULL when there is none to be had without
 * giving up others. */
static struct span *take_fresh_block(void)
{
    struct span *block = take(BLOCK_PAGES, SIZE_CLASS_LARGE, BLOCK_PAGES);
    if (block) page_runs.block_pages_total += BLOCK_PAGES;
    return block;
}

static void populate(const struct span *block)
{
    os_populate_huge(page_map_address(block->page), page_runs_bytes(BLOCK_PAGES));
}

static bool has_block(const struct span *run)
{
    return page_runs_aligned(run, BLOCK_PAGES) + BLOCK_PAGES <= run->page + run->pages;
}

/* So much lies idle, in runs that are too short, that a block would be too much. */
static bool has_scraps(void)
{
    return page_runs.idle_pages > BLOCK_PAGES + page_runs.inuse_pages / SCRAPS_PARTS;
}

/* Whether pages for a class would come from untouched memory of a big heap. What is left between
 * others of released pages is used up as it is. */
static bool wants_block(uint32_t pages)
{
    if (page_runs.inuse_pages < page_runs.big_pages || page_runs_quick(pages) ||
        page_runs_find_idle(pages, 1) || has_scraps())
        return false;
    const struct span *released = page_runs_find_released(pages);
    return !released || has_block(released);
}

/* The longest of the idle runs that are shorter than a span of the class, if a span can be made of
 * it; in a big heap. */
static struct span *take_scrap(uint32_t pages, unsigned size_class)
{
    if (page_runs.inuse_pages < page_runs.big_pages) return NULL;
    for (uint32_t left = size_classes[size_class].shorter; left;) {
        uint32_t length = 31 - (uint32_t)__builtin_clz(left);
        const struct span *run = run_tree_best(&page_runs.idle, length);
        if (run && run->pages < pages) return take(length, size_class, 1);
        left ^= UINT32_C(1) << length;
    }
    return NULL;
}

struct span *page_heap_alloc(uint32_t pages, unsigned size_class)
{
    if (hopeless(pages)) return NULL;
    for (int attempt = 0; attempt < ALLOC_ATTEMPTS_MAX; attempt++) {
        struct span *block = NULL;
        mutex_lock(&page_runs.lock);
        struct span *span = take_scrap(pages, size_class);
        if (!span && size_class != SIZE_CLASS_LARGE && wants_block(pages))
            block = take_fresh_block();
        if (!span && !block) span = take(pages, size_class, 1);
        mutex_unlock(&page_runs.lock);
        if (span) return span;
        if (block) {
            populate(block);
            page_heap_free(block); /* idle now: for us, and whoever comes next */
            continue;
        }
        /* Idle runs that were too short for us are charged too: trade them in. A little more than
         * we need, for the records. */
        if (page_heap_release(page_runs_bytes(pages + RECORD_PAGES)) == 0) return NULL;
    }
    return NULL;
}

/* As many pages as an idle run has, if none has all of them; 0 when none has enough. */
static uint32_t idle_pages_for(uint32_t pages_least, uint32_t pages)
{
    if (page_runs_quick(pages) || page_runs_find_idle(pages, 1)) return pages;
    const struct span *longest = run_tree_longest(&page_runs.idle);
    return longest && longest->pages >= pages_least ? longest->pages : 0;
}

struct span *page_heap_alloc_resident(uint32_t pages_least, uint32_t pages)
{
    DEBUG_ASSERT(pages_least > 0 && pages_least <= pages && pages <= BLOCK_PAGES);
    mutex_lock(&page_runs.lock);
    uint32_t idle = idle_pages_for(pages_least, pages);
    struct span *span = idle ? take(idle, SIZE_CLASS_LARGE, 1) : NULL;
    struct span *block = span ? NULL : take_fresh_block();
    mutex_unlock(&page_runs.lock);
    if (span) return span;
    if (!block) return page_heap_alloc(pages, SIZE_CLASS_LARGE);
    populate(block);
    if (page_heap_resize(block, pages)) return block;
    page_heap_free(block);
    return NULL;
}

void page_heap_big_from(uint64_t bytes)
{
    mutex_lock(&page_runs.lock);
    page_runs.big_pages = bytes >> PAGE_SHIFT;
    mutex_unlock(&page_runs.lock);
}

void heap_expect_growth(bool much)
{
    page_heap_big_from(much ? 0 : PAGE_HEAP_BIG_BYTES);
}

struct span *page_heap_reuse(uint32_t pages, uint32_t wanted)
{
    struct span *first = NULL;
    mutex_lock(&page_runs.lock);
    for (; wanted; wanted--) {
        struct span *span = page_runs_take_quick(pages);
        if (!span) break;
        span->after = first;
        first = span;
    }
    mutex_unlock(&page_runs.lock);
    return first;
}

/* A run is resident as a whole or, still gone, not at all. */
static void make_whole(struct span *span)
{
    uint64_t gone = (uint64_t)__builtin_popcount(span->gone) * OS_PAGE_BYTES;
    if (limit_charge(gone)) {
        span->gone = 0;
        return;
    }
    /* Memory that was locked after it had gone in part is resident, but at least not taken for
     * zero. */
    span->known_zero = os_release(page_map_address(span->page), page_runs_bytes(span->pages));
    limit_uncharge(page_runs_bytes(span->pages) - gone);
}

static void free_released(struct span *span)
{
    page_runs.dirty |= !span->known_zero;
    span->gone = 0;
    page_runs.inuse_pages -= span->pages;
    page_runs.released_pages += span->pages;
    page_runs.released_pages_total += span->pages;
    page_map_clear_classes(span);
    page_runs_insert(span, SPAN_RELEASED);
}

static void free_resident(struct span *span)
{
    bool apart = span_bits_apart(span->size_class);
    page_runs.inuse_pages -= span->pages;
    page_runs.idle_pages += span->pages;
    if (span->state == SPAN_SMALL) {
        page_map_clear_classes(span);
        if (!apart) span_renew(span, SIZE_CLASS_LARGE);
    }
    if (!apart && span->pages <= QUICK_PAGES_MAX && page_runs.quick_runs < QUICK_RUNS_MAX)
        page_runs_push_quick(span);
    else
        page_runs_insert(span, SPAN_IDLE);
}

void page_heap_free(struct span *first)
{
    for (struct span *span = first; span; span = span->after) {
        poison_hide(page_map_address(span->page), page_runs_bytes(span->pages));
        span->block = false;
        if (span->gone) make_whole(span);
    }
    mutex_lock(&page_runs.lock);
    while (first) {
        struct span *span = first;
        first = span->after;
        (span->gone ? free_released : free_resident)(span);
    }
    mutex_unlock(&page_runs.lock);
}

static bool shrink(struct span *span, uint32_t pages)
{
    uint32_t less = span->pages - pages;
    struct span *tail = span_create(SIZE_CLASS_LARGE, span->page + pages, less);
    if (!tail) return false;
    poison_hide(page_map_address(tail->page), page_runs_bytes(less));
    span->pages = pages;
    page_map_set(span);
    page_runs.inuse_pages -= less;
    page_runs.idle_pages += less;
    page_runs_insert(tail, SPAN_IDLE);
    return true;
}

static bool extend(struct span *span, uint32_t pages)
{
    uint32_t more = pages - span->pages;
    uint32_t end = span->page + span->pages;
    if (end >= page_map.pages) return false;
    struct span *run = page_map_span(end);
    if (run->state == SPAN_QUICK) {
        page_runs_unlink_quick(run);
        run = page_runs_insert(run, SPAN_IDLE);
    }
    enum span_state from = (enum span_state)run->state;
    if ((from != SPAN_IDLE && from != SPAN_RELEASED) || run->pages < more) return false;
    if (from == SPAN_RELEASED && !limit_charge(page_runs_bytes(more))) return false;
    struct span *unused;
    if (!page_runs_cut(run, run->page, more, &unused))
        return false; /* never: one side at most is left */
    if (unused) span_destroy(unused);
    span->pages = pages;
    page_runs_count_taken(from, more);
    page_map_set(span);
    return true;
}

bool page_heap_resize(struct span *span, uint32_t pages)
{
    DEBUG_ASSERT(span->state == SPAN_LARGE && pages > 0);
    bool done = true;
    mutex_lock(&page_runs.lock);
    if (pages < span->pages)
        done = shrink(span, pages);
    else if (pages > span->pages)
        done = extend(span, pages);
    mutex_unlock(&page_runs.lock);
    return done;
}
