/* corruption: whatever structure of the heap is damaged, a walk ends the process. (The records of
 * spans in use are in test_live, the books in test_audit.) */
#include "alloc/cache.h"
#include "alloc/central_lists.h"
#include "alloc/heap.h"
#include "alloc/memstats.h"
#include "alloc/meta.h"
#include "alloc/page_map.h"
#include "alloc/page_runs.h"
#include "alloc/region.h"
#include "alloc/transfer.h"
#include "tests/unit/alloc/death.h"
#include "tests/unit/suite.h"

enum { OBJECT_BYTES = 100, LARGE_BYTES = 100000 };

static struct cache_bin *bin_with_an_object(void)
{
    heap_free(heap_alloc(OBJECT_BYTES, HEAP_HTTP), OBJECT_BYTES, HEAP_HTTP);
    return &cache_seat.owned->bins[size_class_of(OBJECT_BYTES)];
}

static void an_object_twice_in_a_cache(void)
{
    struct cache_bin *bin = bin_with_an_object();
    bin->top[-2] = bin->top[-1];
    heap_check();
    (void)!heap_alloc(OBJECT_BYTES, HEAP_HTTP);
    heap_free(heap_alloc(OBJECT_BYTES, HEAP_HTTP), OBJECT_BYTES, HEAP_HTTP);
    heap_flush_thread(); /* both to their span */
}

static void a_strange_pointer_in_a_cache(void)
{
    static int strange;
    bin_with_an_object()->top[-1] = &strange;
    heap_check();
}

static void an_object_of_another_class_in_a_cache(void)
{
    void *other = heap_alloc(OBJECT_BYTES * 5, HEAP_HTTP);
    bin_with_an_object()->top[-1] = other;
    heap_check();
}

static void a_stack_without_end(void)
{
    struct cache_bin *bin = bin_with_an_object();
    bin->ceiling = bin->bottom + 2 * size_classes[size_class_of(OBJECT_BYTES)].cached_max;
    heap_check();
}

static void an_object_of_another_class_on_its_way(void)
{
    void *p = heap_alloc(OBJECT_BYTES, HEAP_HTTP);
    transfer_give(size_class_of(OBJECT_BYTES * 5), &p, 1);
    heap_check();
}

static void a_large_span_too_many(void)
{
    heap_free(heap_alloc(LARGE_BYTES, HEAP_HTTP), LARGE_BYTES, HEAP_HTTP);
    cache_seat.owned->large.bytes += HEAP_PAGE_BYTES;
    heap_check();
}

START_TEST(what_threads_keep_is_walked)
{
    ck_assert(dies(an_object_twice_in_a_cache));
    ck_assert(dies(a_strange_pointer_in_a_cache));
    ck_assert(dies(an_object_of_another_class_in_a_cache));
    ck_assert(dies(a_stack_without_end));
    ck_assert(dies(an_object_of_another_class_on_its_way));
    ck_assert(dies(a_large_span_too_many));
}
END_TEST

/* One with an object in use, in a list of its central. */
static struct span *span_in_use(void)
{
    const void *p = heap_alloc(OBJECT_BYTES, HEAP_HTTP);
    return page_map_span((uint32_t)(page_map_offset(p) >> PAGE_SHIFT));
}

static struct central *central_of(const struct span *span)
{
    return &centrals[span->size_class];
}

static void a_span_in_the_wrong_list(void)
{
    span_in_use()->list ^= 1;
    heap_check();
}

static void a_broken_link(void)
{
    struct span *span = span_in_use();
    span->before = span;
    heap_check();
}

static void a_lost_span(void)
{
    struct span *span = span_in_use();
    central_unlink(central_of(span), span);
    heap_check();
}

static void a_wrong_sum_of_free_slots(void)
{
    central_of(span_in_use())->loose++;
    heap_check();
}

static void a_mark_that_is_not_in_the_map(void)
{
    span_in_use()->emptying ^= 1;
    heap_check();
}

START_TEST(central_lists_are_walked)
{
    ck_assert(dies(a_span_in_the_wrong_list));
    ck_assert(dies(a_broken_link));
    ck_assert(dies(a_lost_span));
    ck_assert(dies(a_wrong_sum_of_free_slots));
    ck_assert(dies(a_mark_that_is_not_in_the_map));
}
END_TEST

/* Idle, and in its tree. */
static struct span *idle_run(void)
{
    heap_free(heap_alloc(LARGE_BYTES * 100, HEAP_HTTP), LARGE_BYTES * 100, HEAP_HTTP);
    return page_runs.idle.root;
}

static void a_run_of_another_length(void)
{
    idle_run()->pages--;
    heap_check();
}

static void a_run_in_another_state(void)
{
    idle_run()->state = SPAN_RELEASED;
    heap_check();
}

static void a_run_that_is_in_no_tree(void)
{
    run_tree_remove(&page_runs.idle, idle_run());
    heap_check();
}

static void runs_in_the_wrong_order(void)
{
    static struct span shorter = {.page = 1, .pages = 1};
    static struct span longer = {.page = 2, .pages = 2};
    struct run_tree tree = {0};
    run_tree_insert(&tree, &shorter);
    run_tree_insert(&tree, &longer);
    run_tree_check(&tree);
    struct span *before = tree.root->before;
    tree.root->before = tree.root->after;
    tree.root->after = before;
    run_tree_check(&tree);
}

static void pages_that_are_counted_twice(void)
{
    (void)idle_run();
    page_runs.idle_pages++;
    heap_check();
}

static void a_page_that_belongs_to_another(void)
{
    const struct span *span = span_in_use();
    page_map.spans[span->page + 1] = page_map.spans[idle_run()->page];
    heap_check();
}

START_TEST(runs_of_pages_are_walked)
{
    ck_assert(dies(a_run_of_another_length));
    ck_assert(dies(a_run_in_another_state));
    ck_assert(dies(a_run_that_is_in_no_tree));
    ck_assert(dies(runs_in_the_wrong_order));
    ck_assert(dies(pages_that_are_counted_twice));
    ck_assert(dies(a_page_that_belongs_to_another));
}
END_TEST

/* Of a size nothing else asks for. */
static void **free_record(void)
{
    enum { RECORD_BYTES = 4400 };
    void *p = meta_alloc(RECORD_BYTES, META_CACHE);
    void *q = meta_alloc(RECORD_BYTES, META_CACHE);
    meta_free(p, RECORD_BYTES, META_CACHE);
    meta_free(q, RECORD_BYTES, META_CACHE);
    return q;
}

static void a_free_record_that_was_written_to(void)
{
    static int strange;
    *free_record() = &strange;
    heap_check();
}

static void a_ring_of_free_records(void)
{
    void **record = free_record();
    *record = record;
    heap_check();
}

static void a_lost_record(void)
{
    *free_record() = NULL;
    heap_check();
}

START_TEST(records_are_walked)
{
    heap_free(heap_alloc(1, HEAP_HTTP), 1, HEAP_HTTP); /* opens the heap */
    ck_assert(dies(a_free_record_that_was_written_to));
    ck_assert(dies(a_ring_of_free_records));
    ck_assert(dies(a_lost_record));
}
END_TEST

static struct region region;

static void fill(void)
{
    region_init(&region, HEAP_CHUNKS);
    for (int i = 0; i < 2000; i++)
        if (region_alloc(&region, OBJECT_BYTES) == REGION_NONE) return;
}

static void a_region_that_lost_a_block(void)
{
    fill();
    region.full = region.full->after;
    region_check(&region);
}

static void a_region_with_more_objects_than_bytes(void)
{
    fill();
    region.live_bytes = region.block_bytes + 8;
    region_check(&region);
}

static void a_region_past_its_end(void)
{
    fill();
    region.at = region.end + 8;
    region_check(&region);
}

static void a_region_with_the_block_of_another(void)
{
    fill();
    region.full->block = false;
    region_check(&region);
}

START_TEST(regions_are_walked)
{
    ck_assert(dies(a_region_that_lost_a_block));
    ck_assert(dies(a_region_with_more_objects_than_bytes));
    ck_assert(dies(a_region_past_its_end));
    ck_assert(dies(a_region_with_the_block_of_another));
}
END_TEST

static void books_that_do_not_add_up(void)
{
    static struct memstats s;
    memstats_read(&s);
    s.heap_idle += HEAP_PAGE_BYTES;
    memstats_check(&s);
}

START_TEST(sound_structures_pass)
{
    (void)bin_with_an_object();
    (void)idle_run();
    (void)free_record();
    heap_check();
    fill();
    region_check(&region);
    region_release(&region);
    heap_flush_thread();
    heap_check();
    ck_assert(dies(books_that_do_not_add_up));
}
END_TEST

SUITE(corruption, what_threads_keep_is_walked, central_lists_are_walked, runs_of_pages_are_walked,
      records_are_walked, regions_are_walked, sound_structures_pass)
