/* trim_policy: pace and hysteresis, with numbers alone. */
#include "alloc/trim_policy.h"

#include "tests/unit/suite.h"

#define SECOND INT64_C(1000000000)
#define MIB    (UINT64_C(1) << 20)

START_TEST(the_budget_is_all_that_may_be_spent)
{
    struct trim_policy policy;
    trim_policy_init(&policy, 5 * SECOND);
    ck_assert_uint_eq(trim_policy_round(&policy, SECOND, 0, 0), 0);
    ck_assert_uint_eq(trim_policy_round(&policy, SECOND, 0, -7), 0);
    uint64_t bytes = trim_policy_round(&policy, SECOND, 0, SECOND / 100);
    ck_assert_uint_gt(bytes, MIB);
    /* Dearer than thought: less for the same money, down to what it really is. */
    for (int i = 0; i < 40; i++)
        trim_policy_spent(&policy, MIB, 1000000);
    uint64_t fewer = trim_policy_round(&policy, 2 * SECOND, 0, SECOND / 100);
    ck_assert_uint_ge(fewer, 10 * MIB);
    ck_assert_uint_lt(fewer, 11 * MIB);
    /* A few pages say nothing about the price. */
    trim_policy_spent(&policy, 4096, SECOND);
    ck_assert_uint_eq(trim_policy_round(&policy, 2 * SECOND, 0, SECOND / 100), fewer);
}
END_TEST

START_TEST(what_is_taken_again_soon_doubles_the_age_up_to_a_ceiling)
{
    struct trim_policy policy;
    trim_policy_init(&policy, 5 * SECOND);
    int64_t now = SECOND;
    int64_t age = 5 * SECOND;
    for (int turn = 0; turn < 10; turn++) {
        ck_assert_int_eq(policy.age_ns, age);
        trim_policy_round(&policy, now, 0, SECOND);
        trim_policy_spent(&policy, 100 * MIB, 20000000);
        now += SECOND;
        trim_policy_round(&policy, now, 20 * MIB, SECOND);
        ck_assert_int_eq(policy.age_ns, age); /* a fifth is not much */
        trim_policy_round(&policy, now, 10 * MIB, SECOND);
        age = age < 80 * SECOND ? 2 * age : age;
    }
    ck_assert_int_eq(policy.age_ns, 80 * SECOND);
}
END_TEST

START_TEST(regret_fades_and_late_need_is_none)
{
    struct trim_policy policy;
    trim_policy_init(&policy, 5 * SECOND);
    trim_policy_round(&policy, SECOND, 0, SECOND);
    trim_policy_spent(&policy, 100 * MIB, 20000000);
    trim_policy_round(&policy, 22 * SECOND, 100 * MIB, SECOND);
    ck_assert_int_eq(policy.age_ns, 5 * SECOND);
    trim_policy_spent(&policy, 100 * MIB, 20000000);
    trim_policy_round(&policy, 23 * SECOND, 100 * MIB, SECOND);
    ck_assert_int_eq(policy.age_ns, 10 * SECOND);
    trim_policy_round(&policy, (23 + 59) * SECOND, 0, SECOND);
    ck_assert_int_eq(policy.age_ns, 10 * SECOND);
    trim_policy_round(&policy, (23 + 60) * SECOND, 0, SECOND);
    ck_assert_int_eq(policy.age_ns, 5 * SECOND);
    trim_policy_round(&policy, 9999 * SECOND, 0, SECOND);
    ck_assert_int_eq(policy.age_ns, 5 * SECOND);
}
END_TEST

SUITE(trim_policy, the_budget_is_all_that_may_be_spent,
      what_is_taken_again_soon_doubles_the_age_up_to_a_ceiling, regret_fades_and_late_need_is_none)
