/* directory - ids are dense, stable, and given out again only after recycling. */
#include "storage/directory.h"

#include "alloc/heap.h"
#include "tests/unit/suite.h"

/* The directory never looks at a series: any aligned address will do. */
static struct series *address(uint32_t n)
{
    return (struct series *)(uintptr_t)(((uintptr_t)n + 1) * 16);
}

START_TEST(ids_are_dense_and_found_again)
{
    struct directory d;
    directory_init(&d, UINT32_MAX, 9);
    ck_assert_ptr_null(directory_get(&d, 0));
    for (uint32_t n = 0; n < 10000; n++) {
        ck_assert(directory_reserve(&d));
        ck_assert_uint_eq(directory_peek(&d), n);
        ck_assert_uint_eq(directory_add(&d, address(n)), n);
    }
    ck_assert_uint_eq(directory_high(&d), 10000);
    for (uint32_t n = 0; n < 10000; n++)
        ck_assert_ptr_eq(directory_get(&d, n), address(n));
    ck_assert_ptr_null(directory_get(&d, 10000));
    ck_assert_ptr_null(directory_get(&d, UINT32_MAX));
    directory_release(&d);
}
END_TEST

START_TEST(a_cleared_id_stays_taken_until_it_is_recycled)
{
    struct directory d;
    directory_init(&d, UINT32_MAX, 9);
    for (uint32_t n = 0; n < 100; n++) {
        ck_assert(directory_reserve(&d));
        directory_add(&d, address(n));
    }
    directory_clear(&d, 7);
    directory_clear(&d, 42);
    ck_assert_ptr_null(directory_get(&d, 7));
    ck_assert(directory_reserve(&d));
    ck_assert_uint_eq(directory_add(&d, address(100)), 100);
    ck_assert_ptr_null(directory_recycle(&d, 42));
    ck_assert_ptr_null(directory_recycle(&d, 7));
    ck_assert_ptr_null(directory_get(&d, 7));
    ck_assert(directory_reserve(&d));
    ck_assert_uint_eq(directory_add(&d, address(1)), 7);
    ck_assert(directory_reserve(&d));
    ck_assert_uint_eq(directory_add(&d, address(2)), 42);
    ck_assert(directory_reserve(&d));
    ck_assert_uint_eq(directory_add(&d, address(3)), 101);
    directory_release(&d);
}
END_TEST

/* 100,000 series come and go but for a few: their ids go first, and the room behind them is given
 * back. */
START_TEST(the_lowest_ids_are_used_and_empty_segments_leave)
{
    enum { COUNT = 100000, KEPT = 40 };
    struct directory d;
    uint32_t segments = 0;
    directory_init(&d, UINT32_MAX, 9);
    for (uint32_t n = 0; n < COUNT; n++) {
        ck_assert(directory_reserve(&d));
        directory_add(&d, address(n));
    }
    ck_assert_uint_eq(directory_places(&d), 131072);
    for (uint32_t n = COUNT; n-- > KEPT;) {
        directory_clear(&d, n);
        struct directory_segment *empty = directory_recycle(&d, n);
        segments += empty != NULL;
        directory_segment_destroy(empty);
        if (n % 1000 == 0) ck_assert_ptr_null(directory_get(&d, n));
    }
    ck_assert_uint_eq(segments, 11); /* all but the first */
    ck_assert_uint_eq(directory_places(&d), 64);
    ck_assert_uint_le(directory_high(&d), 64);
    ck_assert_ptr_null(directory_get(&d, COUNT - 1));
    ck_assert_ptr_eq(directory_get(&d, KEPT - 1), address(KEPT - 1));
    ck_assert(directory_reserve(&d));
    ck_assert_uint_eq(directory_add(&d, address(1)), KEPT);
    directory_release(&d);
}
END_TEST

/* An id in an empty segment between others is not found, and the segment comes back when needed. */
START_TEST(a_segment_in_the_middle_may_be_missing)
{
    struct directory d;
    directory_init(&d, UINT32_MAX, 9);
    for (uint32_t n = 0; n < 300; n++) {
        ck_assert(directory_reserve(&d));
        directory_add(&d, address(n));
    }
    struct directory_segment *empty = NULL;
    for (uint32_t n = 64; n < 128; n++) {
        ck_assert_ptr_null(empty);
        directory_clear(&d, n);
        empty = directory_recycle(&d, n);
    }
    ck_assert_ptr_nonnull(empty);
    directory_segment_destroy(empty);
    ck_assert_ptr_null(directory_get(&d, 100));
    ck_assert_ptr_eq(directory_get(&d, 299), address(299));
    for (uint32_t n = 0; n < 65; n++) {
        ck_assert(directory_reserve(&d));
        ck_assert_uint_eq(directory_add(&d, address(n)), n < 64 ? 64 + n : 300);
    }
    directory_release(&d);
}
END_TEST

START_TEST(ids_run_out_at_the_limit)
{
    struct directory d;
    directory_init(&d, 3, 9);
    for (uint32_t n = 0; n < 3; n++) {
        ck_assert(directory_reserve(&d));
        directory_add(&d, address(n));
    }
    ck_assert(!directory_reserve(&d));
    directory_clear(&d, 1);
    ck_assert(!directory_reserve(&d));
    ck_assert_ptr_null(directory_recycle(&d, 1));
    ck_assert(directory_reserve(&d));
    ck_assert_uint_eq(directory_add(&d, address(9)), 1);
    directory_release(&d);
}
END_TEST

START_TEST(no_memory_is_a_refusal)
{
    struct directory d;
    directory_init(&d, UINT32_MAX, 9);
    heap_fail_after(0);
    ck_assert(!directory_reserve(&d));
    heap_fail_after(UINT64_MAX);
    ck_assert(directory_reserve(&d));
    ck_assert_uint_eq(directory_add(&d, address(0)), 0);
    directory_release(&d);
}
END_TEST

SUITE(directory, ids_are_dense_and_found_again, a_cleared_id_stays_taken_until_it_is_recycled,
      the_lowest_ids_are_used_and_empty_segments_leave, a_segment_in_the_middle_may_be_missing,
      ids_run_out_at_the_limit, no_memory_is_a_refusal)
