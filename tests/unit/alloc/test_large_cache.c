/* large_cache: what is kept, how much of it, and that the books know. */
#include "alloc/large_cache.h"

#include "alloc/cache.h"
#include "alloc/page_heap.h"
#include "tests/unit/alloc/random.h"
#include "tests/unit/alloc/stats.h"
#include "tests/unit/suite.h"

static struct large_cache *start(void)
{
    heap_free(heap_alloc(1, HEAP_PROCESS), 1, HEAP_PROCESS);
    heap_flush_thread();
    return &cache_seat.owned->large;
}

START_TEST(a_freed_object_serves_the_next_request_of_its_length)
{
    struct large_cache *cache = start();
    void *p = heap_alloc(65536, HEAP_HTTP);
    uint64_t inuse = stats().heap_inuse;
    heap_free(p, 65536, HEAP_HTTP);
    ck_assert_uint_eq(cache->bytes, 65536);
    /* In a cache it is free, but its pages are not. */
    ck_assert_uint_eq(stats().heap_inuse, inuse);
    ck_assert_uint_eq(stats().tag_bytes[HEAP_HTTP], 0);
    ck_assert_ptr_eq(heap_alloc(65536, HEAP_SERIES), p);
    ck_assert_uint_eq(stats().tag_bytes[HEAP_SERIES], 65536);
    heap_free(p, 65536, HEAP_SERIES);
    heap_flush_thread();
    ck_assert_uint_eq(cache->bytes, 0);
    ck_assert_uint_eq(stats().heap_inuse, inuse - 65536);
    heap_check();
}
END_TEST

START_TEST(large_objects_are_given_back_and_small_ones_kept)
{
    struct large_cache *cache = start();
    void *small = heap_alloc(64, HEAP_HTTP);
    void *large = heap_alloc(65536, HEAP_HTTP);
    heap_free(small, 64, HEAP_HTTP);
    heap_free(large, 65536, HEAP_HTTP);
    heap_flush_large();
    ck_assert_uint_eq(cache->bytes, 0);
    ck_assert_uint_gt(stats().heap_inuse, 0);
    ck_assert_ptr_eq(heap_alloc(64, HEAP_HTTP), small);
    heap_free(small, 64, HEAP_HTTP);
    heap_check();
}
END_TEST

START_TEST(it_keeps_no_more_than_its_maximum)
{
    enum { OBJECTS = 64 };
    void *p[OBJECTS];
    struct large_cache *cache = start();
    for (size_t pages = 5; pages <= LARGE_CACHE_PAGES_MAX + 2; pages++) {
        for (int i = 0; i < OBJECTS; i++)
            ck_assert_ptr_nonnull(p[i] = heap_alloc(pages * HEAP_PAGE_BYTES, HEAP_HTTP));
        for (int i = 0; i < OBJECTS; i++) {
            heap_free(p[i], pages * HEAP_PAGE_BYTES, HEAP_HTTP);
            large_cache_check(cache);
        }
    }
    heap_check();
    ck_assert_uint_gt(heap_scavenge(UINT64_MAX), 0);
    heap_flush_thread();
    ck_assert_uint_eq(stats().heap_inuse, 0);
    heap_check();
}
END_TEST

START_TEST(at_the_limit_kept_spans_serve_other_lengths)
{
    start();
    heap_set_limit(heap_used_bytes() + (1 << 20));
    void *a = heap_alloc(40 * HEAP_PAGE_BYTES / 2, HEAP_HTTP);
    void *b = heap_alloc(40 * HEAP_PAGE_BYTES / 2, HEAP_HTTP);
    ck_assert_ptr_nonnull(a);
    ck_assert_ptr_nonnull(b);
    heap_free(a, 40 * HEAP_PAGE_BYTES / 2, HEAP_HTTP);
    heap_free(b, 40 * HEAP_PAGE_BYTES / 2, HEAP_HTTP);
    void *whole = heap_alloc(100 * HEAP_PAGE_BYTES, HEAP_HTTP);
    ck_assert_ptr_nonnull(whole);
    heap_free(whole, 100 * HEAP_PAGE_BYTES, HEAP_HTTP);
    heap_set_limit(0);
    heap_check();
}
END_TEST

START_TEST(any_history_keeps_the_books)
{
    enum { OBJECTS = 100, STEPS = 20000 };
    static struct {
        void *p;
        size_t size;
    } o[OBJECTS];
    struct random r = random_start("large_cache");
    uint64_t live = 0;
    start();
    for (int step = 0; step < STEPS; step++) {
        size_t i = (size_t)random_below(&r, OBJECTS);
        if (o[i].p) {
            live -= heap_usable_size(o[i].p);
            heap_free(o[i].p, o[i].size, HEAP_QUERY);
            o[i].p = NULL;
        } else {
            o[i].size = HEAP_SMALL_MAX + 1 + (size_t)random_below(&r, 300000);
            ck_assert_ptr_nonnull(o[i].p = heap_alloc(o[i].size, HEAP_QUERY));
            live += heap_usable_size(o[i].p);
        }
        ck_assert_uint_eq(stats().tag_bytes[HEAP_QUERY], live);
        if (step % 500 == 0) heap_check();
    }
    for (int i = 0; i < OBJECTS; i++)
        heap_free(o[i].p, o[i].size, HEAP_QUERY);
    ck_assert_uint_eq(stats().heap_alloc, 0);
    heap_flush_thread();
    ck_assert_uint_eq(stats().heap_inuse, 0);
    heap_check();
}
END_TEST

SUITE(large_cache, a_freed_object_serves_the_next_request_of_its_length,
      large_objects_are_given_back_and_small_ones_kept, it_keeps_no_more_than_its_maximum,
      at_the_limit_kept_spans_serve_other_lengths, any_history_keeps_the_books)
