/* budget: shares of memory, and what happens on the way up to the limit and down again. */
#include "server/budget.h"

#include "tests/unit/suite.h"

#define MIB (UINT64_C(1) << 20)

/* Of 64 MiB: new series stop at 48, all samples at 56, the soft line is 95 % of 48; a step of
 * hysteresis is 2. */
#define LIMIT (64 * MIB)
#define FULL  (56 * MIB)
#define HARD  (48 * MIB)
#define SOFT  (HARD - HARD / 20)
#define STEP  (2 * MIB)

static enum heap_pressure pressure(uint64_t used, uint64_t idle, enum heap_pressure before)
{
    struct budget_reading now = {.limit_bytes = LIMIT, .used_bytes = used, .idle_bytes = idle};
    return budget_pressure(&now, before);
}

START_TEST(a_limit_is_a_share_or_bytes)
{
    ck_assert_uint_eq(budget_resolve((struct config_limit){.bytes = 5}, 1000), 5);
    ck_assert_uint_eq(budget_resolve((struct config_limit){.percent = 75}, 1000), 750);
    ck_assert_uint_eq(budget_resolve((struct config_limit){.percent = 75}, 199), 149);
    ck_assert_uint_eq(budget_resolve((struct config_limit){.percent = 100}, UINT64_MAX),
                      UINT64_MAX);
}
END_TEST

START_TEST(the_hard_line_leaves_a_quarter_but_not_more_than_enough)
{
    ck_assert_uint_eq(budget_hard_bytes(LIMIT), HARD);
    ck_assert_uint_eq(budget_hard_bytes(100000 * MIB), (100000 - 256) * MIB);
    ck_assert_uint_eq(budget_full_bytes(LIMIT), FULL);
    ck_assert_uint_eq(budget_full_bytes(100000 * MIB), (100000 - 128) * MIB);
    ck_assert_uint_eq(budget_spare_bytes(LIMIT), (LIMIT - FULL) / 2);
    ck_assert_uint_eq(budget_granted_bytes(LIMIT), MIB / 4);
    ck_assert_uint_eq(budget_spare_bytes(0), 0);
}
END_TEST

START_TEST(the_soft_line_is_below_the_hard_one_at_any_limit)
{
    ck_assert_uint_eq(budget_soft_bytes(LIMIT), SOFT);
    for (uint64_t limit = 64; limit < UINT64_MAX / 3; limit *= 3) {
        ck_assert_uint_lt(budget_soft_bytes(limit), budget_hard_bytes(limit));
        ck_assert_uint_le(budget_hard_bytes(limit), budget_full_bytes(limit));
        ck_assert_uint_lt(budget_full_bytes(limit), limit);
    }
}
END_TEST

START_TEST(without_a_limit_it_is_always_calm)
{
    struct budget_reading now = {.used_bytes = UINT64_MAX, .idle_bytes = 5};
    ck_assert_int_eq(budget_pressure(&now, HEAP_CALM), HEAP_CALM);
    ck_assert_int_eq(budget_pressure(&now, HEAP_HARD), HEAP_CALM);
    ck_assert_uint_eq(budget_surplus(&now, HEAP_CALM), 0);
}
END_TEST

START_TEST(levels_begin_behind_their_lines)
{
    ck_assert_int_eq(pressure(SOFT, 0, HEAP_CALM), HEAP_CALM);
    ck_assert_int_eq(pressure(SOFT + 1, 0, HEAP_CALM), HEAP_SOFT);
    ck_assert_int_eq(pressure(HARD, 0, HEAP_CALM), HEAP_SOFT);
    ck_assert_int_eq(pressure(HARD + 1, 0, HEAP_CALM), HEAP_HARD);
    ck_assert_int_eq(pressure(FULL, 0, HEAP_CALM), HEAP_HARD);
    ck_assert_int_eq(pressure(FULL + 1, 0, HEAP_CALM), HEAP_FULL);
    ck_assert_int_eq(pressure(2 * LIMIT, 0, HEAP_CALM), HEAP_FULL);
}
END_TEST

START_TEST(idle_pages_are_room_for_writes_but_are_asked_for)
{
    ck_assert_int_eq(pressure(HARD + 4 * MIB, 4 * MIB, HEAP_CALM), HEAP_SOFT);
    ck_assert_int_eq(pressure(HARD + 4 * MIB, 3 * MIB, HEAP_CALM), HEAP_HARD);
    ck_assert_int_eq(pressure(FULL + 4 * MIB, 4 * MIB, HEAP_CALM), HEAP_HARD);
    ck_assert_int_eq(pressure(FULL + 4 * MIB, 3 * MIB, HEAP_CALM), HEAP_FULL);
    ck_assert_int_eq(pressure(1 * MIB, 4 * MIB, HEAP_CALM), HEAP_CALM);
}
END_TEST

START_TEST(what_queries_hold_keeps_new_series_out_and_samples_not)
{
    struct budget_reading now = {
        .limit_bytes = LIMIT, .used_bytes = FULL - MIB, .query_bytes = FULL / 2};
    ck_assert_int_eq(budget_pressure(&now, HEAP_CALM), HEAP_SOFT);
    now.used_bytes = FULL + 2 * MIB;
    ck_assert_int_eq(budget_pressure(&now, HEAP_CALM), HEAP_HARD);
    now.used_bytes = LIMIT;
    ck_assert_int_eq(budget_pressure(&now, HEAP_CALM), HEAP_HARD);
    now.query_bytes = LIMIT - FULL - MIB;
    ck_assert_int_eq(budget_pressure(&now, HEAP_CALM), HEAP_FULL);
}
END_TEST

START_TEST(a_level_ends_a_step_below_its_line)
{
    ck_assert_int_eq(pressure(FULL, 0, HEAP_FULL), HEAP_FULL);
    ck_assert_int_eq(pressure(FULL - STEP, 0, HEAP_FULL), HEAP_HARD);
    ck_assert_int_eq(pressure(HARD, 0, HEAP_FULL), HEAP_HARD);
    ck_assert_int_eq(pressure(HARD, 0, HEAP_HARD), HEAP_HARD);
    ck_assert_int_eq(pressure(HARD - STEP, 0, HEAP_HARD), HEAP_SOFT);
    ck_assert_int_eq(pressure(SOFT, 0, HEAP_HARD), HEAP_SOFT);
    ck_assert_int_eq(pressure(SOFT, 0, HEAP_SOFT), HEAP_SOFT);
    ck_assert_int_eq(pressure(SOFT - STEP, 0, HEAP_SOFT), HEAP_CALM);
}
END_TEST

START_TEST(under_pressure_what_is_idle_goes_back_until_the_pressure_ends)
{
    struct budget_reading now = {.limit_bytes = LIMIT, .used_bytes = SOFT, .idle_bytes = 9 * MIB};
    ck_assert_uint_eq(budget_surplus(&now, HEAP_CALM), 0);
    now.used_bytes = SOFT + 5 * MIB;
    uint64_t surplus = budget_surplus(&now, HEAP_SOFT);
    ck_assert_uint_eq(surplus, 5 * MIB + STEP);
    ck_assert_int_eq(pressure(now.used_bytes - surplus, 9 * MIB - surplus, HEAP_SOFT), HEAP_CALM);
    now.used_bytes = SOFT - STEP + 1;
    ck_assert_uint_eq(budget_surplus(&now, HEAP_SOFT), HEAP_PAGE_BYTES);
    now.used_bytes = SOFT + 50 * MIB;
    ck_assert_uint_eq(budget_surplus(&now, HEAP_HARD), 9 * MIB);
}
END_TEST

START_TEST(queries_share_the_room_that_is_left)
{
    ck_assert_uint_eq(budget_query_bytes(80 * MIB, 100 * MIB, 1), 80 * MIB);
    ck_assert_uint_eq(budget_query_bytes(80 * MIB, 60 * MIB, 1), 60 * MIB);
    ck_assert_uint_eq(budget_query_bytes(80 * MIB, 60 * MIB, 2), 30 * MIB);
    ck_assert_uint_eq(budget_query_bytes(80 * MIB, 60 * MIB, 20), 10 * MIB);
    ck_assert_uint_eq(budget_query_bytes(80 * MIB, 0, 1), 10 * MIB);
    ck_assert_uint_eq(budget_query_bytes(80 * MIB, 60 * MIB, 0), 60 * MIB); /* not counted yet */
}
END_TEST

SUITE(budget, queries_share_the_room_that_is_left, a_limit_is_a_share_or_bytes,
      the_hard_line_leaves_a_quarter_but_not_more_than_enough,
      the_soft_line_is_below_the_hard_one_at_any_limit, without_a_limit_it_is_always_calm,
      levels_begin_behind_their_lines, idle_pages_are_room_for_writes_but_are_asked_for,
      what_queries_hold_keeps_new_series_out_and_samples_not, a_level_ends_a_step_below_its_line,
      under_pressure_what_is_idle_goes_back_until_the_pressure_ends)
