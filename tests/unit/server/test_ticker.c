/* ticker: called at once, again, and not after stop. */
#include "server/ticker.h"

#include <stdatomic.h>

#include "tests/unit/suite.h"

static atomic_int calls;

static int64_t often(void *arg)
{
    (void)arg;
    atomic_fetch_add(&calls, 1);
    return 1;
}

static int64_t once_a_day(void *arg)
{
    (void)arg;
    atomic_fetch_add(&calls, 1);
    return 86400000;
}

static int64_t when_woken(void *arg)
{
    (void)arg;
    atomic_fetch_add(&calls, 1);
    return TICKER_UNTIL_WOKEN;
}

static void wait_for_calls(int count)
{
    for (int waited = 0; atomic_load(&calls) < count; waited++) {
        ck_assert_int_lt(waited, 20000);
        thread_sleep_ms(1);
    }
}

START_TEST(it_is_called_at_once_and_again)
{
    struct ticker ticker = {0};
    struct error err;
    atomic_store(&calls, 0);
    ck_assert_int_eq(ticker_start(&ticker, "often", often, NULL, &err), OK);
    wait_for_calls(5);
    ticker_stop(&ticker);
    int after = atomic_load(&calls);
    thread_sleep_ms(20);
    ck_assert_int_eq(atomic_load(&calls), after);
}
END_TEST

START_TEST(stopping_does_not_wait_for_the_next_call)
{
    struct ticker ticker = {0};
    struct error err;
    atomic_store(&calls, 0);
    ck_assert_int_eq(ticker_start(&ticker, "daily", once_a_day, NULL, &err), OK);
    wait_for_calls(1);
    ticker_stop(&ticker);
    ck_assert_int_eq(atomic_load(&calls), 1);
    ticker_stop(&ticker); /* a second time does nothing */
}
END_TEST

START_TEST(waking_brings_the_next_round_now)
{
    struct ticker ticker = {0};
    struct error err;
    atomic_store(&calls, 0);
    ck_assert_int_eq(ticker_start(&ticker, "once", once_a_day, NULL, &err), OK);
    wait_for_calls(1);
    for (int round = 2; round < 50; round++) {
        ticker_wake(&ticker);
        wait_for_calls(round);
    }
    ticker_stop(&ticker);
}
END_TEST

START_TEST(a_round_with_nothing_to_do_waits_until_it_is_woken)
{
    struct ticker ticker = {0};
    struct error err;
    atomic_store(&calls, 0);
    ck_assert_int_eq(ticker_start(&ticker, "woken", when_woken, NULL, &err), OK);
    wait_for_calls(1);
    thread_sleep_ms(20);
    ck_assert_int_eq(atomic_load(&calls), 1);
    ticker_wake(&ticker);
    wait_for_calls(2);
    ticker_stop(&ticker);
    ck_assert_int_eq(atomic_load(&calls), 2);
}
END_TEST

SUITE(ticker, a_round_with_nothing_to_do_waits_until_it_is_woken, it_is_called_at_once_and_again,
      stopping_does_not_wait_for_the_next_call, waking_brings_the_next_round_now)
