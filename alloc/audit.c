/* audit - one walk between two readings of the books. */
#include "alloc/audit.h"

#include "alloc/cache.h"
#include "alloc/central.h"
#include "alloc/live.h"
#include "alloc/memstats.h"
#include "alloc/os.h"
#include "alloc/page_heap.h"
#include "alloc/region.h"
#include "alloc/transfer.h"
#include "base/assert.h"

struct walk {
    uint64_t objects[SIZE_CLASS_COUNT]; /* small ones with a user */
    uint64_t large_bytes;               /* and what lives in regions */
};

static void leave_out_cached(struct walk *walk)
{
    for (const struct cache *cache = cache_first(); cache; cache = cache->next) {
        for (unsigned c = 1; c < SIZE_CLASS_COUNT; c++)
            walk->objects[c] -= (uint64_t)(cache->bins[c].top - cache->bins[c].bottom);
        walk->large_bytes -= cache->large.bytes;
    }
}

static struct walk take_walk(const struct memstats *books)
{
    struct walk walk = {.large_bytes = books->heap_inuse - region_unused_bytes()};
    for (unsigned c = 1; c < SIZE_CLASS_COUNT; c++) {
        walk.objects[c] = central_slots(c) - central_free_slots(c) - transfer_objects(c);
        walk.large_bytes -= central_pages(c) * HEAP_PAGE_BYTES;
    }
    leave_out_cached(&walk);
    return walk;
}

static void compare(const struct walk *walk, const struct memstats *books)
{
    uint64_t large_bytes = books->heap_alloc;
    for (unsigned c = 1; c < SIZE_CLASS_COUNT; c++) {
        uint64_t objects = books->classes[c].mallocs - books->classes[c].frees;
        ASSERT(walk->objects[c] == objects);
        large_bytes -= objects * size_classes[c].bytes;
    }
    ASSERT(walk->large_bytes == large_bytes);
}

/* Walked by visitors: the class of the span that is visited, and what its objects add to. */
struct owners_walk {
    unsigned size_class;
    struct memstats_owners found;
};

static void add_object(void *arg, const struct live_note *note, uint64_t bytes)
{
    struct owners_walk *walk = arg;
    unsigned tag = note->owner - 1u;
    walk->found.objects[walk->size_class][tag]++;
    if (walk->size_class == SIZE_CLASS_LARGE) walk->found.large_bytes[tag] += bytes;
}

static void add_span(void *arg, struct span *span)
{
    struct owners_walk *walk = arg;
    walk->size_class = span->size_class;
    live_visit(span, add_object, walk);
}

static void compare_owners(const struct memstats_owners *found, const struct memstats_owners *books)
{
    for (unsigned t = 0; t < HEAP_TAG_COUNT; t++) {
        for (unsigned c = 0; c < SIZE_CLASS_COUNT; c++)
            ASSERT(found->objects[c][t] == books->objects[c][t]);
        ASSERT(found->large_bytes[t] == books->large_bytes[t]);
    }
}

/* A thread that stands still in the middle has taken an object and not counted it, or the reverse;
 * one that ends has given back a part of what it keeps. Whoever is outside has done and counted all
 * it began, for everybody to see after the barrier. */
static bool others_are_outside(void)
{
    bool outside = !cache_any_torn();
    bool seen = os_barrier();
    for (const struct cache *cache = cache_first(); cache; cache = cache->next)
        if (cache->seat && cache->seat != &cache_seat && atomic_load(&cache->seat->busy))
            outside = false;
    return outside || !seen; /* without barriers: for all we know */
}

/* Both ways of counting. */
struct findings {
    struct memstats books;
    struct walk walk;
    struct memstats_owners owner_books;
    struct owners_walk owners_walk;
};

/* The walk between two readings of the books; false when these differ. */
static bool count_both_ways(struct findings *found)
{
    struct memstats before;
    memstats_read(&before);
    found->walk = take_walk(&before);
    memstats_read_owners(&found->owner_books);
    if (HEARTH_DEBUG) page_heap_visit(add_span, &found->owners_walk);
    memstats_read(&found->books);
    return before.mallocs == found->books.mallocs && before.frees == found->books.frees &&
           before.heap_inuse == found->books.heap_inuse;
}

/* What began and ended in between makes a difference between the two readings, and what did not
 * end is seen. Held: nobody's cache goes back meanwhile. */
bool audit_books(void)
{
    struct findings found = {.owners_walk = {0}};
    cache_hold();
    bool known = others_are_outside() && count_both_ways(&found) && others_are_outside();
    cache_let_go();
    if (!known) return false;
    compare(&found.walk, &found.books);
    if (HEARTH_DEBUG) compare_owners(&found.owners_walk.found, &found.owner_books);
    return true;
}
