/* columns - room grows, what is there stays. */
#include "storage/columns.h"

#include "tests/unit/suite.h"

START_TEST(growing_keeps_the_samples)
{
    struct arena a;
    arena_init(&a, HEAP_QUERY, 1 << 24);
    struct columns c = {.arena = &a};
    for (int i = 0; i < 10000; i++) {
        EXPECT(columns_reserve(&c, 1));
        EXPECT(c.capacity > c.count);
        c.t_ms[c.count] = i;
        c.v[c.count++] = i * 0.5;
    }
    for (int i = 0; i < 10000; i++)
        EXPECT(c.t_ms[i] == i && c.v[i] == i * 0.5);
    arena_release(&a);
}
END_TEST

START_TEST(room_that_is_there_is_used_again)
{
    struct arena a;
    arena_init(&a, HEAP_QUERY, 1 << 24);
    struct columns c = {.arena = &a};
    ck_assert(columns_reserve(&c, 1000));
    const int64_t *t_ms = c.t_ms;
    c.count = 0;
    ck_assert(columns_reserve(&c, 0));
    ck_assert(columns_reserve(&c, 1000));
    ck_assert_ptr_eq(c.t_ms, t_ms);
    arena_release(&a);
}
END_TEST

START_TEST(a_refusal_leaves_the_columns_as_they_were)
{
    struct arena a;
    arena_init(&a, HEAP_QUERY, 65536);
    struct columns c = {.arena = &a};
    ck_assert(columns_reserve(&c, 10));
    c.t_ms[0] = 7;
    c.v[0] = 8;
    c.count = 1;
    ck_assert(!columns_reserve(&c, 1 << 20));
    ck_assert_uint_eq(c.count, 1);
    ck_assert(c.t_ms[0] == 7 && c.v[0] == 8);
    ck_assert_int_eq(arena_error(&a, NULL), ERR_TOO_LARGE);
    arena_release(&a);
}
END_TEST

START_TEST(a_time_is_found_or_not_there)
{
    int64_t t_ms[] = {INT64_MIN, -3, 10, INT64_MAX};
    double v[] = {1, 2, 3, 4};
    struct columns c = {.t_ms = t_ms, .v = v, .count = ARRAY_COUNT(t_ms)};
    size_t found = 0;
    for (size_t i = 0; i < c.count; i++) {
        ck_assert(columns_find(&c, t_ms[i], &found));
        ck_assert_uint_eq(found, i);
    }
    ck_assert(!columns_find(&c, -4, &found));
    ck_assert(!columns_find(&c, 11, &found));
    c.count = 0;
    ck_assert(!columns_find(&c, -3, &found));
}
END_TEST

SUITE(columns, growing_keeps_the_samples, room_that_is_there_is_used_again,
      a_refusal_leaves_the_columns_as_they_were, a_time_is_found_or_not_there)
