/* thread: names, exit hooks and once. */
#include "base/thread.h"

#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "tests/unit/suite.h"

static atomic_int exits;
static atomic_int onces;
static struct thread_exit_hook hook;
static struct thread_once once = THREAD_ONCE_INIT;

static void on_exit_of_thread(void *value)
{
    atomic_fetch_add(&exits, *(int *)value);
}

static void count_once(void)
{
    atomic_fetch_add(&onces, 1);
}

static void set_hook(void *arg)
{
    thread_exit_hook_set(&hook, arg);
    thread_once(&once, count_once);
    ck_assert_int_eq(atomic_load(&onces), 1);
}

START_TEST(hooks_run_as_threads_end_and_once_runs_once)
{
    struct thread threads[4];
    int weight = 10;
    thread_exit_hook_init(&hook, on_exit_of_thread);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(thread_start(&threads[i], "hooked", set_hook, &weight, NULL), OK);
    for (int i = 0; i < 4; i++)
        thread_join(&threads[i]);
    ck_assert_int_eq(atomic_load(&exits), 40);
    ck_assert_int_eq(atomic_load(&onces), 1);
}
END_TEST

START_TEST(sleeping_takes_its_time)
{
    int64_t start_ns = clock_mono_ns();
    thread_sleep_ms(15);
    ck_assert_int_ge(clock_mono_ns() - start_ns, 15 * 1000000);
}
END_TEST

SUITE(thread, hooks_run_as_threads_end_and_once_runs_once, sleeping_takes_its_time)
