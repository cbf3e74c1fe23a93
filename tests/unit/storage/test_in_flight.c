/* in_flight: a wait ends with the requests that had begun, whatever begins meanwhile. */
#include "storage/in_flight.h"

#include "base/thread.h"
#include "tests/unit/suite.h"

START_TEST(nothing_to_wait_for)
{
    struct in_flight f = {0};
    in_flight_wait(&f);
    in_flight_end(&f, in_flight_begin(&f));
    in_flight_wait(&f);
}
END_TEST

struct waiting {
    struct in_flight f;
    _Atomic bool over;
};

static void wait_for_all(void *arg)
{
    struct waiting *w = arg;
    in_flight_wait(&w->f);
    atomic_store(&w->over, true);
}

START_TEST(a_wait_ends_with_the_requests_that_had_begun)
{
    for (uint32_t turns = 0; turns < 4; turns++) {
        struct waiting w = {.over = false};
        struct thread t;
        struct error err;
        for (uint32_t i = 0; i < turns; i++) /* begin with either counter, changed or not */
            in_flight_wait(&w.f);
        uint32_t first = in_flight_begin(&w.f);
        uint32_t second = in_flight_begin(&w.f);
        ck_assert_int_eq(thread_start(&t, "waiting", wait_for_all, &w, &err), OK);
        thread_sleep_ms(5);
        in_flight_end(&w.f, first);
        thread_sleep_ms(5);
        ck_assert(!atomic_load(&w.over));
        in_flight_end(&w.f, second);
        thread_join(&t);
        ck_assert(atomic_load(&w.over));
    }
}
END_TEST

struct traffic {
    struct waiting waiting;
    _Atomic bool stop;
};

/* There is always one under way: the next one begins before the last one ends. */
static void always_one(void *arg)
{
    struct traffic *t = arg;
    uint32_t last = in_flight_begin(&t->waiting.f);
    while (!atomic_load(&t->stop)) {
        uint32_t next = in_flight_begin(&t->waiting.f);
        in_flight_end(&t->waiting.f, last);
        last = next;
    }
    in_flight_end(&t->waiting.f, last);
}

START_TEST(requests_that_never_cease_hold_up_nobody)
{
    struct traffic traffic = {.stop = false};
    struct thread threads[2];
    struct error err;
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(thread_start(&threads[i], "traffic", always_one, &traffic, &err), OK);
    for (int i = 0; i < 20; i++)
        in_flight_wait(&traffic.waiting.f);
    atomic_store(&traffic.stop, true);
    for (int i = 0; i < 2; i++)
        thread_join(&threads[i]);
    for (int i = 0; i < IN_FLIGHT_TURNS; i++)
        ck_assert_uint_eq(atomic_load(&traffic.waiting.f.requests[i]), 0);
}
END_TEST

SUITE(in_flight, nothing_to_wait_for, a_wait_ends_with_the_requests_that_had_begun,
      requests_that_never_cease_hold_up_nobody)
