/* vec: pushes, and a refused push that changes nothing. */
#include "alloc/vec.h"

#include "tests/unit/suite.h"

struct numbers VEC_OF(double);
struct wide_items VEC_OF(struct { char bytes[1000]; });

START_TEST(items_stay_in_order)
{
    struct arena a;
    struct numbers n = {0};
    arena_init(&a, HEAP_QUERY, 1 << 20);
    for (int i = 0; i < 10000; i++) {
        double *slot = VEC_PUSH(&n, &a);
        ck_assert_ptr_nonnull(slot);
        *slot = i;
        if (i % 100 == 0) ck_assert_ptr_nonnull(arena_alloc(&a, 8)); /* so that it has to move */
    }
    ck_assert_uint_eq(n.count, 10000);
    for (int i = 0; i < 10000; i++)
        ck_assert_double_eq(n.items[i], i);
    arena_release(&a);
}
END_TEST

START_TEST(a_refused_push_leaves_the_vector_as_it_was)
{
    struct arena a;
    struct wide_items w = {0};
    arena_init(&a, HEAP_QUERY, 100000);
    while (VEC_PUSH(&w, &a))
        w.items[w.count - 1].bytes[0] = (char)w.count;
    ck_assert_int_eq(a.refused, ERR_TOO_LARGE);
    ck_assert_uint_gt(w.count, 30);
    ck_assert_uint_eq(w.count, w.capacity);
    for (size_t i = 0; i < w.count; i++)
        ck_assert_int_eq(w.items[i].bytes[0], (char)(i + 1));
    arena_release(&a);
}
END_TEST

START_TEST(an_absurd_capacity_is_refused)
{
    struct arena a;
    struct wide_items w = {0};
    arena_init(&a, HEAP_QUERY, 100000);
    w.count = w.capacity = SIZE_MAX / 1000;
    ck_assert_ptr_null(VEC_PUSH(&w, &a));
    ck_assert_int_eq(arena_error(&a, NULL), ERR_TOO_LARGE);
    arena_release(&a);
}
END_TEST

SUITE(vec, items_stay_in_order, a_refused_push_leaves_the_vector_as_it_was,
      an_absurd_capacity_is_refused)
