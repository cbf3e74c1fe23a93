/* cache: stacks that widen, spill and flush; caches that outlive their threads. */
#include "alloc/cache.h"

#include "alloc/central.h"
#include "alloc/heap.h"
#include "alloc/transfer.h"
#include "base/thread.h"
#include "tests/unit/suite.h"

enum { CLASS_128 = 9 };

static struct cache *start(void)
{
    heap_free(heap_alloc(1, HEAP_PROCESS), 1, HEAP_PROCESS);
    heap_flush_thread();
    ck_assert_ptr_nonnull(cache_seat.owned);
    return cache_seat.owned;
}

static uint32_t held(const struct cache *cache, unsigned size_class)
{
    return (uint32_t)(cache->bins[size_class].top - cache->bins[size_class].bottom);
}

static uint32_t room(const struct cache *cache, unsigned size_class)
{
    return (uint32_t)(cache->bins[size_class].ceiling - cache->bins[size_class].bottom);
}

START_TEST(a_stack_widens_with_every_trip_up_to_its_maximum)
{
    enum { OBJECTS = 4096 };
    static void *p[OBJECTS];
    struct cache *cache = start();
    uint32_t most = size_classes[CLASS_128].cached_max;
    uint32_t before = room(cache, CLASS_128);
    ck_assert_uint_lt(before, most);
    for (int i = 0; i < OBJECTS; i++) {
        p[i] = heap_alloc(128, HEAP_CHUNKS);
        ck_assert_uint_ge(room(cache, CLASS_128), before);
        ck_assert_uint_le(room(cache, CLASS_128), most);
        before = room(cache, CLASS_128);
    }
    ck_assert_uint_eq(before, most);
    for (int i = 0; i < OBJECTS; i++) {
        heap_free(p[i], 128, HEAP_CHUNKS);
        ck_assert_uint_le(held(cache, CLASS_128), most);
    }
    cache_check(cache);
    ck_assert_uint_gt(held(cache, CLASS_128), 0);
    cache_flush(cache);
    transfer_flush();
    ck_assert_uint_eq(held(cache, CLASS_128), 0);
    ck_assert_uint_eq(central_spans(CLASS_128), 0);
}
END_TEST

enum { HANDED = 4096, HANDED_BYTES = 1152 };
static void *handed[HANDED];

static void free_handed(void *arg)
{
    uint64_t *kept_bytes = arg;
    unsigned size_class = size_class_of(HANDED_BYTES);
    for (int i = 0; i < HANDED; i++)
        heap_free(handed[i], HANDED_BYTES, HEAP_HTTP);
    *kept_bytes = (uint64_t)held(cache_seat.owned, size_class) * HANDED_BYTES;
    cache_check(cache_seat.owned);
}

/* One thread allocates and another frees: what the second one kept, nobody would come for. */
START_TEST(what_a_thread_only_frees_goes_on_to_the_others)
{
    enum { ROUNDS = 8 };
    struct cache *cache = start();
    uint64_t most = 0;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t kept_bytes = 0;
        struct thread t;
        for (int i = 0; i < HANDED; i++) {
            handed[i] = heap_alloc(HANDED_BYTES, HEAP_HTTP);
            ck_assert_ptr_nonnull(handed[i]);
        }
        ck_assert_int_eq(thread_start(&t, "freeing", free_handed, &kept_bytes, NULL), OK);
        thread_join(&t);
        if (kept_bytes > most) most = kept_bytes;
    }
    ck_assert_uint_gt(most, 0);
    ck_assert_uint_le(most, CACHE_ONE_WAY_BYTES);
    cache_check(cache);
}
END_TEST

START_TEST(the_object_freed_last_is_given_first)
{
    start();
    void *a = heap_alloc(128, HEAP_CHUNKS);
    void *b = heap_alloc(128, HEAP_CHUNKS);
    heap_free(b, 128, HEAP_CHUNKS);
    heap_free(a, 128, HEAP_CHUNKS);
    ck_assert_ptr_eq(heap_alloc(128, HEAP_CHUNKS), a);
    ck_assert_ptr_eq(heap_alloc(128, HEAP_CHUNKS), b);
    heap_free(a, 128, HEAP_CHUNKS);
    heap_free(b, 128, HEAP_CHUNKS);
}
END_TEST

static uint64_t kept_bytes(const struct cache *cache)
{
    uint64_t bytes = 0;
    for (unsigned c = 1; c < SIZE_CLASS_COUNT; c++)
        bytes += (uint64_t)held(cache, c) * size_classes[c].bytes;
    return bytes;
}

START_TEST(all_stacks_together_keep_no_more_than_the_maximum)
{
    enum { OBJECTS = 3000, STARTS_BYTES = 1 << 20, STEP = 4 /* past the cells */ };
    static void *p[OBJECTS];
    struct cache *cache = start();
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned c = 1; c < SIZE_CLASS_COUNT; c += STEP) {
            for (int i = 0; i < OBJECTS; i++)
                p[i] = heap_alloc(size_classes[c].bytes, HEAP_HTTP);
            for (int i = 0; i < OBJECTS; i++)
                heap_free(p[i], size_classes[c].bytes, HEAP_HTTP);
            cache_check(cache);
            ck_assert_uint_le(cache->room_bytes, CACHE_BYTES_MAX);
            ck_assert_uint_gt(held(cache, c), 0);
        }
    }
    /* Those used last have the room. */
    ck_assert_uint_eq(room(cache, CLASS_128), CACHE_START_OBJECTS);
    /* Those that are at their start hold something too, if each was used. */
    for (unsigned c = 1; c < SIZE_CLASS_COUNT; c++) {
        size_t size = c == SIZE_CLASS_CELLS ? 1 : size_classes[c].bytes;
        for (int i = 0; i < CACHE_START_OBJECTS; i++)
            p[i] = heap_alloc(size, HEAP_HTTP);
        for (int i = 0; i < CACHE_START_OBJECTS; i++)
            heap_free(p[i], size, HEAP_HTTP);
    }
    ck_assert_uint_gt(kept_bytes(cache), STARTS_BYTES / 2);
    ck_assert_uint_le(kept_bytes(cache), CACHE_BYTES_MAX + STARTS_BYTES);
    uint64_t inuse = cache_inuse_bytes();
    ck_assert_uint_gt(cache_flush(cache), 0);
    ck_assert_uint_eq(cache->room_bytes, 0);
    ck_assert_uint_lt(cache_inuse_bytes(), inuse);
    cache_check(cache);
}
END_TEST

static void report_cache(void *arg)
{
    heap_free(heap_alloc(64, HEAP_HTTP), 64, HEAP_HTTP);
    *(struct cache **)arg = cache_seat.owned;
}

START_TEST(the_cache_of_a_thread_that_ended_serves_the_next_one)
{
    struct cache *mine = start();
    struct cache *first = NULL;
    struct cache *second = NULL;
    struct thread t;
    uint64_t inuse = cache_inuse_bytes();
    ck_assert_int_eq(thread_start(&t, "first", report_cache, &first, NULL), OK);
    thread_join(&t);
    ck_assert_int_eq(thread_start(&t, "second", report_cache, &second, NULL), OK);
    thread_join(&t);
    ck_assert_ptr_eq(first, second);
    ck_assert_ptr_ne(first, mine);
    ck_assert_uint_eq(held(first, size_class_of(64)), 0);
    ck_assert_uint_eq(cache_inuse_bytes(), inuse);
    /* Both are still in the list that memstats sums. */
    int count = 0;
    for (struct cache *cache = cache_first(); cache; cache = cache->next)
        count++;
    ck_assert_int_eq(count, 2);
    ck_assert_uint_eq(tally_read(&first->bins[size_class_of(64)].objects.given[HEAP_HTTP]), 2);
}
END_TEST

START_TEST(at_the_limit_there_is_no_refill)
{
    struct cache *cache = start();
    heap_set_limit(1);
    ck_assert(!cache_refill(cache, CLASS_128));
    ck_assert_uint_eq(held(cache, CLASS_128), 0);
    heap_set_limit(0);
    ck_assert(cache_refill(cache, CLASS_128));
    ck_assert_uint_gt(held(cache, CLASS_128), 0);
    cache_check(cache);
}
END_TEST

SUITE(cache, a_stack_widens_with_every_trip_up_to_its_maximum,
      what_a_thread_only_frees_goes_on_to_the_others,
      all_stacks_together_keep_no_more_than_the_maximum, the_object_freed_last_is_given_first,
      the_cache_of_a_thread_that_ended_serves_the_next_one, at_the_limit_there_is_no_refill)
