/* page_heap - lists of free runs by length, and two trees of them, over one growing range. */
#include "alloc/page_heap.h"

#include "alloc/limit.h"
#include "alloc/live.h"
#include "alloc/meta.h"
#include "alloc/page_map.h"
#include "alloc/poison.h"
#include "alloc/run_tree.h"
#include "base/assert.h"
#include "base/bits.h"
#include "base/lock.h"

enum {
    GROW_PAGES = 512,                    /* the range grows by 4 MiB at least */
    BLOCK_PAGES = PAGE_HEAP_BLOCK_PAGES, /* of a huge page */
    RELEASE_PAGES_MAX = 2 * BLOCK_PAGES, /* per madvise: no run is out of reach for long */
    ALLOC_ATTEMPTS_MAX = 8,              /* others may take what we had released for ourselves */
    ALIGNED_TRIES_MAX = 16,              /* runs that are long enough but lie askew */
    HOLLOW_PAGES_MIN = 8192,             /* 40 KiB of entries */
    QUICK_PAGES_MAX = 128,               /* longer runs are joined at once */
    QUICK_RUNS_MAX = 1024                /* what has to be joined in one go */
};

static struct {
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
    bool lazily;
    bool dirty; /* ever lazily: released pages need not read as zero */
} heap = {.lock = MUTEX_INIT(LOCK_PAGE_HEAP)};

static uint64_t bytes_of(uint64_t pages)
{
    return pages << PAGE_SHIFT;
}

static struct run_tree *tree_of(enum span_state state)
{
    DEBUG_ASSERT(state == SPAN_IDLE || state == SPAN_RELEASED);
    return state == SPAN_IDLE ? &heap.idle : &heap.released;
}

static uint32_t bytes_of_bits_apart(unsigned size_class)
{
    return span_bits_apart(size_class) ? span_words(size_class) * SPAN_WORD_BYTES : 0;
}

static struct span *record_create(unsigned size_class, uint32_t page, uint32_t pages)
{
    uint32_t bytes = span_record_bytes(size_class);
    uint32_t apart = bytes_of_bits_apart(size_class);
    struct span *span = meta_alloc(bytes, META_SPAN);
    if (!span) return NULL;
    const void *bits = apart ? meta_alloc(apart, META_BITS) : NULL;
    if (apart && !bits) {
        meta_free(span, bytes, META_SPAN);
        return NULL;
    }
    *span = (struct span){.page = page, .pages = pages, .record_bytes = (uint16_t)bytes};
    span->size_class = (uint8_t)size_class;
    if (apart) span->words[0] = meta_ref(bits);
    live_reset(span);
    return span;
}

static void record_destroy(struct span *span)
{
    uint32_t apart = bytes_of_bits_apart(span->size_class);
    if (apart) meta_free(span_bits(span), apart, META_BITS);
    meta_free(span, span->record_bytes, META_SPAN);
}

/* Join two free runs that touch; a lies before b, neither is in a tree. The smaller record stays.
 */
static struct span *join(struct span *a, struct span *b)
{
    struct span *kept = a->record_bytes <= b->record_bytes ? a : b;
    uint32_t page = a->page;
    uint32_t pages = a->pages + b->pages;
    record_destroy(kept == a ? b : a);
    kept->page = page;
    kept->pages = pages;
    kept->hollow = false;
    return kept;
}

/* Put a run into the tree of its kind, joined with its neighbours of that kind. */
static struct span *insert_run(struct span *run, enum span_state state)
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

static void push_quick(struct span *run)
{
    struct span **list = &heap.quick[run->pages];
    run->state = SPAN_QUICK;
    run->before = NULL;
    run->after = *list;
    if (run->after) run->after->before = run;
    *list = run;
    heap.quick_runs++;
}

static void unlink_quick(struct span *run)
{
    if (run->before)
        run->before->after = run->after;
    else
        heap.quick[run->pages] = run->after;
    if (run->after) run->after->before = run->before;
    heap.quick_runs--;
}

/* Join what was left apart. False when there was nothing. */
static bool join_quick(void)
{
    bool any = heap.quick_runs > 0;
    for (uint32_t pages = 1; pages <= QUICK_PAGES_MAX && heap.quick_runs; pages++) {
        while (heap.quick[pages]) {
            struct span *run = heap.quick[pages];
            unlink_quick(run);
            insert_run(run, SPAN_IDLE);
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

/* Take `pages` from `page` on out of a free run; what is left on either side goes back. *unused is
 * the record of the run when nothing was left, else NULL. False, nothing changed, when two sides
 * are left and there is no memory for a second record. */
static bool cut(struct span *run, uint32_t page, uint32_t pages, struct span **unused)
{
    enum span_state state = (enum span_state)run->state;
    uint32_t first = run->page;
    uint32_t end = run->page + run->pages;
    bool front = first < page;
    bool tail = page + pages < end;
    struct span *second = run;
    if (front && tail) second = record_create(SIZE_CLASS_LARGE, page, pages);
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
    struct span *run = record_create(SIZE_CLASS_LARGE, first, more);
    if (!run) return NULL;
    if (!page_map_commit(first + more)) {
        record_destroy(run);
        return NULL;
    }
    heap.sys_pages += more;
    heap.released_pages += more;
    return insert_run(run, SPAN_RELEASED);
}

static void note_low(void)
{
    if (heap.idle_pages < heap.idle_pages_low) heap.idle_pages_low = heap.idle_pages;
}

static void count_taken(enum span_state from, uint32_t pages)
{
    heap.inuse_pages += pages;
    if (from == SPAN_IDLE) {
        heap.idle_pages -= pages;
        note_low();
    } else {
        heap.released_pages -= pages;
        heap.taken_pages += pages;
    }
}

static struct span *take_quick(uint32_t pages)
{
    struct span *span = pages <= QUICK_PAGES_MAX ? heap.quick[pages] : NULL;
    if (!span) return NULL;
    unlink_quick(span);
    span->state = SPAN_LARGE;
    span->known_zero = false;
    span->after = NULL;
    count_taken(SPAN_IDLE, pages);
    return span;
}

static uint32_t aligned_page(const struct span *run, uint32_t alignment)
{
    return (uint32_t)bits_align_up(run->page, alignment);
}

/* A good fit for `pages` at a multiple of `alignment` pages, the best of all if that is 1; NULL
 * when there is none. */
static struct span *best(const struct run_tree *tree, uint32_t pages, uint32_t alignment)
{
    struct span *run = run_tree_best(tree, pages);
    for (int i = 0; run && i < ALIGNED_TRIES_MAX; i++) {
        if (aligned_page(run, alignment) + pages <= run->page + run->pages) return run;
        run = run_tree_next(tree, run);
    }
    return run ? run_tree_best(tree, pages + alignment - 1) : NULL;
}

static struct span *find_idle(uint32_t pages, uint32_t alignment)
{
    struct span *run = best(&heap.idle, pages, alignment);
    if (!run && join_quick()) run = best(&heap.idle, pages, alignment);
    return run;
}

static struct span *find_run(uint32_t pages, uint32_t alignment)
{
    struct span *run = find_idle(pages, alignment);
    if (!run) run = best(&heap.released, pages, alignment);
    if (!run) run = grow(pages + alignment - 1);
    return run;
}

/* One attempt under the lock; NULL when limit or range stand against it. */
static struct span *take(uint32_t pages, unsigned size_class, uint32_t alignment)
{
    if (size_class == SIZE_CLASS_LARGE) {
        struct span *span = take_quick(pages);
        if (span) return span;
    }
    struct span *run = find_run(pages, alignment);
    if (!run) return NULL;

    enum span_state from = (enum span_state)run->state;
    uint32_t page = aligned_page(run, alignment);
    struct span *span = record_create(size_class, page, pages);
    struct span *unused;
    if (!span) return NULL;
    if (from == SPAN_RELEASED && !limit_charge(bytes_of(pages))) {
        record_destroy(span);
        return NULL;
    }
    if (!cut(run, page, pages, &unused)) {
        if (from == SPAN_RELEASED) limit_uncharge(bytes_of(pages));
        record_destroy(span);
        return NULL;
    }
    if (unused) record_destroy(unused);
    span->state = size_class == SIZE_CLASS_LARGE ? SPAN_LARGE : SPAN_SMALL;
    span->known_zero = from == SPAN_RELEASED && !heap.dirty;
    count_taken(from, pages);
    page_map_set(span);
    return span;
}

/* No trading of idle pages for what cannot succeed in any case. */
static bool hopeless(uint32_t pages)
{
    uint64_t limit = heap_limit();
    return pages >= page_map.reserved_bytes >> PAGE_SHIFT || (limit && bytes_of(pages) > limit);
}

static struct span *alloc_aligned(uint32_t pages, unsigned size_class, uint32_t alignment)
{
    if (hopeless(pages)) return NULL;
    for (int attempt = 0; attempt < ALLOC_ATTEMPTS_MAX; attempt++) {
        mutex_lock(&heap.lock);
        struct span *span = take(pages, size_class, alignment);
        mutex_unlock(&heap.lock);
        if (span) return span;
        /* Idle runs that were too short for us are charged too: trade them in. A little more than
         * we need, for the records. */
        if (page_heap_release(bytes_of(pages + GROW_PAGES / 8)) == 0) return NULL;
    }
    return NULL;
}

struct span *page_heap_alloc(uint32_t pages, unsigned size_class)
{
    return alloc_aligned(pages, size_class, 1);
}

/* A block that is not resident yet; NULL when some idle run is long enough for `pages` of it, or
 * when there is no block to be had without giving up others. */
static struct span *take_fresh_block(uint32_t pages)
{
    mutex_lock(&heap.lock);
    bool idle = pages <= QUICK_PAGES_MAX && heap.quick[pages];
    struct span *block = NULL;
    if (!idle && !find_idle(pages, 1)) block = take(BLOCK_PAGES, SIZE_CLASS_LARGE, BLOCK_PAGES);
    mutex_unlock(&heap.lock);
    return block;
}

struct span *page_heap_alloc_resident(uint32_t pages)
{
    DEBUG_ASSERT(pages > 0 && pages <= BLOCK_PAGES);
    struct span *block = take_fresh_block(pages);
    if (!block) return page_heap_alloc(pages, SIZE_CLASS_LARGE);
    os_populate_huge(page_map_address(block->page), bytes_of(BLOCK_PAGES));
    if (page_heap_resize(block, pages)) return block;
    page_heap_free(block);
    return NULL;
}

struct span *page_heap_reuse(uint32_t pages, uint32_t wanted)
{
    struct span *first = NULL;
    mutex_lock(&heap.lock);
    for (; wanted; wanted--) {
        struct span *span = take_quick(pages);
        if (!span) break;
        span->after = first;
        first = span;
    }
    mutex_unlock(&heap.lock);
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
    span->known_zero = os_release(page_map_address(span->page), bytes_of(span->pages));
    limit_uncharge(bytes_of(span->pages) - gone);
}

static void free_released(struct span *span)
{
    heap.dirty |= !span->known_zero;
    span->gone = 0;
    heap.inuse_pages -= span->pages;
    heap.released_pages += span->pages;
    heap.released_pages_total += span->pages;
    page_map_clear_classes(span);
    insert_run(span, SPAN_RELEASED);
}

static void free_resident(struct span *span)
{
    heap.inuse_pages -= span->pages;
    heap.idle_pages += span->pages;
    if (span->state == SPAN_SMALL) {
        page_map_clear_classes(span);
        insert_run(span, SPAN_IDLE);
        return;
    }
    if (span->pages <= QUICK_PAGES_MAX && heap.quick_runs < QUICK_RUNS_MAX)
        push_quick(span);
    else
        insert_run(span, SPAN_IDLE);
}

void page_heap_free(struct span *first)
{
    for (struct span *span = first; span; span = span->after) {
        poison_hide(page_map_address(span->page), bytes_of(span->pages));
        span->block = false;
        if (span->gone) make_whole(span);
    }
    mutex_lock(&heap.lock);
    while (first) {
        struct span *span = first;
        first = span->after;
        (span->gone ? free_released : free_resident)(span);
    }
    mutex_unlock(&heap.lock);
}

static bool shrink(struct span *span, uint32_t pages)
{
    uint32_t less = span->pages - pages;
    struct span *tail = record_create(SIZE_CLASS_LARGE, span->page + pages, less);
    if (!tail) return false;
    poison_hide(page_map_address(tail->page), bytes_of(less));
    span->pages = pages;
    page_map_set(span);
    heap.inuse_pages -= less;
    heap.idle_pages += less;
    insert_run(tail, SPAN_IDLE);
    return true;
}

static bool extend(struct span *span, uint32_t pages)
{
    uint32_t more = pages - span->pages;
    uint32_t end = span->page + span->pages;
    if (end >= page_map.pages) return false;
    struct span *run = page_map_span(end);
    if (run->state == SPAN_QUICK) {
        unlink_quick(run);
        run = insert_run(run, SPAN_IDLE);
    }
    enum span_state from = (enum span_state)run->state;
    if ((from != SPAN_IDLE && from != SPAN_RELEASED) || run->pages < more) return false;
    if (from == SPAN_RELEASED && !limit_charge(bytes_of(more))) return false;
    struct span *unused;
    if (!cut(run, run->page, more, &unused)) return false; /* never: one side at most is left */
    if (unused) record_destroy(unused);
    span->pages = pages;
    count_taken(from, more);
    page_map_set(span);
    return true;
}

bool page_heap_resize(struct span *span, uint32_t pages)
{
    DEBUG_ASSERT(span->state == SPAN_LARGE && pages > 0);
    bool done = true;
    mutex_lock(&heap.lock);
    if (pages < span->pages)
        done = shrink(span, pages);
    else if (pages > span->pages)
        done = extend(span, pages);
    mutex_unlock(&heap.lock);
    return done;
}

/* At most `pages` of the run: whole blocks if it has any that fit, else from its start. */
static void choose_part(const struct span *run, uint32_t pages, uint32_t *page, uint32_t *count)
{
    uint32_t first = aligned_page(run, BLOCK_PAGES);
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
    struct span *run = run_tree_longest(&heap.idle);
    if (!run) return NULL;
    uint32_t page;
    uint32_t count;
    choose_part(run, pages, &page, &count);
    struct span *part = run;
    struct span *unused;
    if (run->pages > count) {
        part = record_create(SIZE_CLASS_LARGE, page, count);
        if (part && !cut(run, page, count, &unused)) {
            record_destroy(part);
            part = NULL;
        }
    }
    /* Without memory for records, all of it. */
    if (!part) part = run;
    if (part == run) run_tree_remove(&heap.idle, run);
    part->state = SPAN_MOVING;
    page_map_set(part);
    return part;
}

void page_heap_demand(struct scavenge_demand *out)
{
    mutex_lock(&heap.lock);
    *out = (struct scavenge_demand){
        .idle_bytes = bytes_of(heap.idle_pages),
        .low_bytes = bytes_of(heap.idle_pages_low),
        .taken_bytes = bytes_of(heap.taken_pages),
        .inuse_bytes = bytes_of(heap.inuse_pages),
    };
    heap.idle_pages_low = heap.idle_pages;
    heap.taken_pages = 0;
    mutex_unlock(&heap.lock);
}

bool page_heap_releases_lazily(void)
{
    mutex_lock(&heap.lock);
    bool lazily = heap.lazily;
    mutex_unlock(&heap.lock);
    return lazily;
}

void page_heap_release_lazily(bool lazily)
{
    mutex_lock(&heap.lock);
    heap.lazily = lazily;
    heap.dirty |= lazily;
    mutex_unlock(&heap.lock);
}

static bool release_run(const struct span *run, bool lazily)
{
    void *p = page_map_address(run->page);
    if (!(lazily ? os_release_lazily : os_release)(p, bytes_of(run->pages))) return false;
    limit_uncharge(bytes_of(run->pages));
    return true;
}

uint64_t page_heap_release(uint64_t bytes)
{
    uint64_t wanted = bytes >> PAGE_SHIFT;
    uint64_t gone = 0;
    bool willing = true;
    mutex_lock(&heap.lock);
    join_quick();
    while (gone < wanted && willing) {
        uint64_t step = wanted - gone;
        struct span *run =
            detach_idle(step < RELEASE_PAGES_MAX ? (uint32_t)step : RELEASE_PAGES_MAX);
        if (!run) break;
        uint32_t pages = run->pages;
        bool lazily = heap.lazily;
        mutex_unlock(&heap.lock);
        willing = release_run(run, lazily);
        mutex_lock(&heap.lock);
        if (willing) {
            gone += pages;
            heap.idle_pages -= pages;
            heap.released_pages += pages;
            heap.released_pages_total += pages;
            note_low();
        }
        insert_run(run, willing ? SPAN_RELEASED : SPAN_IDLE);
    }
    mutex_unlock(&heap.lock);
    return bytes_of(gone);
}

/* The longest released run, out of the tree, if its part of the page map is worth giving back. */
static struct span *detach_to_hollow(void)
{
    struct span *run = run_tree_longest(&heap.released);
    if (!run || run->hollow || run->pages < HOLLOW_PAGES_MIN) return NULL;
    run_tree_remove(&heap.released, run);
    run->state = SPAN_HOLLOWING;
    return run;
}

void page_heap_hollow(void)
{
    mutex_lock(&heap.lock);
    struct span *run = detach_to_hollow();
    if (run) {
        mutex_unlock(&heap.lock);
        page_map_hollow(run->page + 1, run->pages - 2); /* its ends are still asked for */
        mutex_lock(&heap.lock);
        run->hollow = true;
        insert_run(run, SPAN_RELEASED);
    }
    mutex_unlock(&heap.lock);
}

void page_heap_hold(struct page_heap_stats *out)
{
    mutex_lock(&heap.lock);
    *out = (struct page_heap_stats){
        .sys_bytes = bytes_of(heap.sys_pages),
        .inuse_bytes = bytes_of(heap.inuse_pages),
        .idle_bytes = bytes_of(heap.idle_pages + heap.released_pages),
        .released_bytes = bytes_of(heap.released_pages),
        .released_total = bytes_of(heap.released_pages_total),
        .map_bytes = page_map_bytes(),
    };
}

void page_heap_let_go(void)
{
    mutex_unlock(&heap.lock);
}

void page_heap_stats(struct page_heap_stats *out)
{
    page_heap_hold(out);
    page_heap_let_go();
}

void page_heap_visit(void (*visit)(void *arg, struct span *span), void *arg)
{
    mutex_lock(&heap.lock);
    for (uint32_t page = 1; page <= heap.sys_pages;) {
        struct span *span = page_map_span(page);
        if (span->state == SPAN_SMALL || span->state == SPAN_LARGE) visit(arg, span);
        page += span->pages;
    }
    mutex_unlock(&heap.lock);
}

static void check_span(struct span *span, uint32_t page)
{
    ASSERT(span->page == page && span->pages > 0);
    ASSERT(page + span->pages <= page_map.pages);
    ASSERT(page_map_span(page + span->pages - 1) == span);
    unsigned size_class = span->state == SPAN_SMALL ? span->size_class : SIZE_CLASS_LARGE;
    for (uint32_t i = 0; i < span->pages; i++)
        ASSERT(page_map.classes[page + i] == size_class);
    if (span->state == SPAN_LARGE || span->state == SPAN_QUICK) live_check_span(span);
    if (span->state != SPAN_SMALL) return;
    ASSERT(size_class > 0 && size_class < SIZE_CLASS_COUNT);
    ASSERT(span->pages == size_classes[size_class].pages);
    for (uint32_t i = 0; i < span->pages; i++)
        ASSERT(page_map_span(page + i) == span);
}

void page_heap_check(void)
{
    uint64_t pages[SPAN_LARGE + 1] = {0};
    size_t runs[SPAN_LARGE + 1] = {0};
    enum span_state before = SPAN_LARGE;
    mutex_lock(&heap.lock);
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
    ASSERT(pages[SPAN_SMALL] + pages[SPAN_LARGE] == heap.inuse_pages);
    ASSERT(pages[SPAN_IDLE] + pages[SPAN_QUICK] + pages[SPAN_MOVING] == heap.idle_pages);
    ASSERT(runs[SPAN_QUICK] == heap.quick_runs);
    ASSERT(pages[SPAN_RELEASED] + pages[SPAN_HOLLOWING] == heap.released_pages);
    ASSERT(heap.inuse_pages + heap.idle_pages + heap.released_pages == heap.sys_pages);
    ASSERT(runs[SPAN_IDLE] == heap.idle.count && runs[SPAN_RELEASED] == heap.released.count);
    run_tree_check(&heap.idle);
    run_tree_check(&heap.released);
    mutex_unlock(&heap.lock);
}
