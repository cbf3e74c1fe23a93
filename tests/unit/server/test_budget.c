/* budget: shares of memory, and when writes stop and go on. */
#include "server/budget.h"

#include "tests/unit/suite.h"

#define MIB (UINT64_C(1) << 20)

START_TEST(a_limit_is_a_share_or_bytes)
{
    ck_assert_uint_eq(budget_resolve((struct config_limit){.bytes = 5}, 1000), 5);
    ck_assert_uint_eq(budget_resolve((struct config_limit){.percent = 75}, 1000), 750);
    ck_assert_uint_eq(budget_resolve((struct config_limit){.percent = 75}, 199), 149);
    ck_assert_uint_eq(budget_resolve((struct config_limit){.percent = 100}, UINT64_MAX),
                      UINT64_MAX);
}
END_TEST

START_TEST(headroom_is_a_quarter_but_bounded)
{
    ck_assert_uint_eq(budget_headroom(64 * MIB), 16 * MIB);
    ck_assert_uint_eq(budget_headroom(100000 * MIB), 256 * MIB);
}
END_TEST

START_TEST(without_a_limit_nothing_is_refused)
{
    ck_assert(!budget_refuses_writes(UINT64_MAX, 0, 0, false));
    ck_assert(!budget_refuses_writes(UINT64_MAX, 0, 0, true));
}
END_TEST

START_TEST(writes_stop_at_the_headroom)
{
    ck_assert(!budget_refuses_writes(48 * MIB, 0, 64 * MIB, false));
    ck_assert(budget_refuses_writes(48 * MIB + 1, 0, 64 * MIB, false));
    ck_assert(budget_refuses_writes(100 * MIB, 0, 64 * MIB, false));
}
END_TEST

START_TEST(idle_pages_are_room)
{
    ck_assert(!budget_refuses_writes(52 * MIB, 4 * MIB, 64 * MIB, false));
    ck_assert(budget_refuses_writes(52 * MIB, 3 * MIB, 64 * MIB, false));
    ck_assert(!budget_refuses_writes(1 * MIB, 4 * MIB, 64 * MIB, false));
}
END_TEST

START_TEST(refusing_ends_a_little_lower)
{
    ck_assert(budget_refuses_writes(48 * MIB, 0, 64 * MIB, true));
    ck_assert(!budget_refuses_writes(45 * MIB, 0, 64 * MIB, true));
}
END_TEST

SUITE(budget, a_limit_is_a_share_or_bytes, headroom_is_a_quarter_but_bounded,
      without_a_limit_nothing_is_refused, writes_stop_at_the_headroom, idle_pages_are_room,
      refusing_ends_a_little_lower)
