/* tiny: sharing, alignment, whose the block is in the end, and the books. */
#include "alloc/tiny.h"

#include <stdatomic.h>
#include <string.h>

#include "alloc/memstats.h"
#include "base/thread.h"
#include "tests/unit/alloc/random.h"
#include "tests/unit/suite.h"

static struct memstats stats(void)
{
    static struct memstats s;
    memstats_read(&s);
    memstats_check(&s);
    return s;
}

static uintptr_t block_of(const void *p)
{
    return (uintptr_t)p / TINY_BLOCK_BYTES;
}

START_TEST(three_of_four_bytes_share_a_block)
{
    struct memstats before = stats();
    uint8_t *p[4];
    for (int i = 0; i < 4; i++) {
        p[i] = heap_alloc_tiny(4, HEAP_INDEX);
        ck_assert_uint_eq((uintptr_t)p[i] % 4, 0);
        memset(p[i], i, 4);
    }
    ck_assert_uint_eq(block_of(p[0]), block_of(p[2]));
    ck_assert_uint_ne(block_of(p[0]), block_of(p[3]));
    struct memstats now = stats();
    /* As in Go: two blocks are live, two objects more came and went. */
    ck_assert_uint_eq(now.heap_objects, before.heap_objects + 2);
    ck_assert_uint_eq(now.mallocs, before.mallocs + 4);
    ck_assert_uint_eq(now.frees, before.frees + 2);
    ck_assert_uint_eq(now.tiny_allocs, before.tiny_allocs + 2);
    ck_assert_uint_eq(now.tag_bytes[HEAP_INDEX], 2 * TINY_BLOCK_BYTES);
    for (int i = 0; i < 4; i++) {
        for (int b = 0; b < 4; b++)
            ck_assert_uint_eq(p[i][b], (unsigned)i);
        heap_free_tiny(p[i], 4, HEAP_INDEX);
    }
    ck_assert_uint_eq(stats().heap_objects, before.heap_objects + 1); /* the one being filled */
    tiny_flush_thread();
    ck_assert_uint_eq(stats().heap_objects, before.heap_objects);
}
END_TEST

START_TEST(sizes_are_aligned_as_they_are)
{
    void *one = heap_alloc_tiny(1, HEAP_LABELS);
    void *two = heap_alloc_tiny(2, HEAP_LABELS);
    void *four = heap_alloc_tiny(4, HEAP_LABELS);
    void *three = heap_alloc_tiny(3, HEAP_LABELS);
    ck_assert_uint_eq((uintptr_t)two % 2, 0);
    ck_assert_uint_eq((uintptr_t)four % 4, 0);
    ck_assert_uint_eq(block_of(one), block_of(three));
    heap_free_tiny(one, 1, HEAP_LABELS);
    heap_free_tiny(two, 2, HEAP_LABELS);
    heap_free_tiny(four, 4, HEAP_LABELS);
    heap_free_tiny(three, 3, HEAP_LABELS);
    tiny_flush_thread();
}
END_TEST

START_TEST(owners_do_not_share)
{
    void *a = heap_alloc_tiny(1, HEAP_LABELS);
    void *b = heap_alloc_tiny(1, HEAP_INDEX);
    ck_assert_uint_ne(block_of(a), block_of(b));
    heap_free_tiny(a, 1, HEAP_LABELS);
    heap_free_tiny(b, 1, HEAP_INDEX);
    tiny_flush_thread();
}
END_TEST

START_TEST(a_block_that_is_empty_is_filled_again)
{
    void *first = heap_alloc_tiny(4, HEAP_INDEX);
    uint64_t objects = stats().heap_objects;
    heap_free_tiny(first, 4, HEAP_INDEX);
    for (int i = 0; i < 1000; i++) {
        void *p = heap_alloc_tiny(4, HEAP_INDEX);
        ck_assert_ptr_eq(p, first);
        heap_free_tiny(p, 4, HEAP_INDEX);
    }
    ck_assert_uint_eq(stats().heap_objects, objects);
    tiny_flush_thread();
}
END_TEST

START_TEST(what_would_not_share_is_the_heaps)
{
    uint64_t before = stats().tiny_allocs;
    void *nothing = heap_alloc_tiny(0, HEAP_INDEX);
    void *large = heap_alloc_tiny(TINY_BYTES_MAX + 1, HEAP_INDEX);
    ck_assert_uint_eq((uintptr_t)large % 8, 0);
    heap_free_tiny(nothing, 0, HEAP_INDEX);
    heap_free_tiny(large, TINY_BYTES_MAX + 1, HEAP_INDEX);
    heap_free_tiny(NULL, 3, HEAP_INDEX);
    ck_assert_uint_eq(stats().tiny_allocs, before);
    ck_assert_uint_eq(stats().heap_objects, 0);
}
END_TEST

START_TEST(without_memory_the_block_being_filled_stays)
{
    void *p = heap_alloc_tiny(5, HEAP_INDEX);
    void *q = heap_alloc_tiny(5, HEAP_INDEX);
    void *r = heap_alloc_tiny(4, HEAP_INDEX);
    heap_fail_after(0);
    void *refused = heap_alloc_tiny(5, HEAP_INDEX);
    heap_fail_after(UINT64_MAX);
    ck_assert_ptr_null(refused);
    ck_assert_uint_eq(stats().heap_objects, 1);
    heap_free_tiny(p, 5, HEAP_INDEX);
    heap_free_tiny(q, 5, HEAP_INDEX);
    heap_free_tiny(r, 4, HEAP_INDEX);
    tiny_flush_thread();
    ck_assert_uint_eq(stats().heap_objects, 0);
}
END_TEST

enum { THREADS = 4, PLACES = 1000, STEPS = 40000 };

/* Whoever passes by swaps an object in and the one that was there out, and frees that. */
static _Atomic(uint8_t *) places[PLACES];

/* The size follows from the place, and every byte is the place's number. */
static size_t size_of(size_t place)
{
    return place % TINY_BYTES_MAX + 1;
}

static void give_back(uint8_t *p, size_t place)
{
    if (!p) return;
    for (size_t b = 0; b < size_of(place); b++)
        if (p[b] != (uint8_t)place) abort();
    heap_free_tiny(p, size_of(place), HEAP_INDEX);
}

static void swap_objects(void *arg)
{
    struct random *r = arg;
    for (int i = 0; i < STEPS; i++) {
        size_t place = random_below(r, PLACES);
        uint8_t *fresh = NULL;
        if (random_below(r, 3)) {
            fresh = heap_alloc_tiny(size_of(place), HEAP_INDEX);
            memset(fresh, (uint8_t)place, size_of(place));
        }
        give_back(atomic_exchange(&places[place], fresh), place);
    }
}

START_TEST(objects_freed_by_other_threads_leave_nothing)
{
    struct thread threads[THREADS];
    struct random randoms[THREADS];
    struct random r = random_start("tiny");
    for (int i = 0; i < THREADS; i++) {
        randoms[i].state = random_next(&r);
        ck_assert_int_eq(thread_start(&threads[i], "tiny", swap_objects, &randoms[i], NULL), OK);
    }
    for (int i = 0; i < THREADS; i++)
        thread_join(&threads[i]);
    struct memstats s = stats();
    ck_assert_uint_gt(s.heap_objects, PLACES / 15);
    ck_assert_uint_gt(s.tiny_allocs, 0);
    for (size_t place = 0; place < PLACES; place++)
        give_back(atomic_exchange(&places[place], NULL), place);
    ck_assert_uint_eq(stats().heap_objects, 0); /* blocks of ended threads, too */
    heap_check();
}
END_TEST

SUITE(tiny, three_of_four_bytes_share_a_block, sizes_are_aligned_as_they_are, owners_do_not_share,
      a_block_that_is_empty_is_filled_again, what_would_not_share_is_the_heaps,
      without_memory_the_block_being_filled_stays, objects_freed_by_other_threads_leave_nothing)
