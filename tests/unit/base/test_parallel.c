/* parallel: everybody takes part, and nobody is left when the call returns. */
#include "base/parallel.h"

#include <stdatomic.h>

#include "base/thread.h"
#include "tests/unit/suite.h"

struct work {
    _Atomic uint32_t began;
    _Atomic uint32_t ended;
    uint32_t wait_for;
};

/* Each waits for all: they do run at once. */
static void meet(void *arg)
{
    struct work *w = arg;
    atomic_fetch_add(&w->began, 1);
    while (atomic_load(&w->began) < w->wait_for)
        thread_yield();
    atomic_fetch_add(&w->ended, 1);
}

START_TEST(as_many_as_asked_run_at_once)
{
    static const uint32_t counts[] = {1, 2, 7, PARALLEL_THREADS_MAX};
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct work w = {.wait_for = counts[i]};
        parallel_run(counts[i], "meet", meet, &w);
        ck_assert_uint_eq(w.ended, counts[i]);
    }
}
END_TEST

START_TEST(none_is_one_and_too_many_are_fewer)
{
    struct work one = {.wait_for = 1};
    parallel_run(0, "meet", meet, &one);
    ck_assert_uint_eq(one.ended, 1);
    struct work many = {.wait_for = PARALLEL_THREADS_MAX};
    parallel_run(UINT32_MAX, "meet", meet, &many);
    ck_assert_uint_eq(many.ended, PARALLEL_THREADS_MAX);
    ck_assert_uint_ge(parallel_cores(), 1);
}
END_TEST

SUITE(parallel, as_many_as_asked_run_at_once, none_is_one_and_too_many_are_fewer)
