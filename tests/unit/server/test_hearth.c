/* hearth: open, recover, close; what was written is there after a restart. */
#include "server/hearth.h"

#include "base/thread.h"
#include "server/metrics.h"
#include "tests/unit/server/served.h"
#include "wire/exposition.h"

static struct served s;

START_TEST(a_restart_keeps_the_samples)
{
    struct error err;
    served_open(&s, "--self-scrape.interval=0", NULL);
    int64_t now_ms = clock_wall_ms();
    served_store(&s, "m", now_ms, 42);
    hearth_close(s.app);
    ck_assert_int_eq(hearth_open(&s.config, &s.app, &err), OK);
    ck_assert_int_eq(hearth_recover(s.app, &err), OK);
    s.port = served_port_of(s.app);
    expect_contains(served_get(&s, "/api/v1/query?query=m"), 200, "\"42\"]");
    served_close(&s);
}
END_TEST

struct watcher {
    struct hearth *h;
    _Atomic bool done;
    _Atomic int looks;
};

static void watch(void *arg)
{
    struct watcher *w = arg;
    while (!atomic_load(&w->done)) {
        struct buf out;
        struct exposition exposition;
        struct durability_stats stats;
        struct recovery_progress progress;
        buf_init(&out, HEAP_HTTP, 4 << 20);
        exposition_init(&exposition, &out, EXPOSITION_TEXT);
        metrics_collect(w->h, &exposition.sink);
        exposition_finish(&exposition);
        buf_release(&out);
        durability_stats_read(w->h->durability, &stats);
        durability_progress(w->h->durability, &progress);
        atomic_fetch_add(&w->looks, 1);
    }
}

/* /metrics answers from the moment on that the server listens. */
START_TEST(numbers_are_read_while_a_start_goes_on)
{
    struct error err;
    served_open(&s, "--self-scrape.interval=0", NULL);
    served_store(&s, "m", clock_wall_ms(), 1);
    for (int round = 0; round < 5; round++) {
        struct watcher w = {.done = false};
        struct thread thread;
        hearth_close(s.app);
        ck_assert_int_eq(hearth_open(&s.config, &s.app, &err), OK);
        w.h = s.app;
        ck_assert_int_eq(thread_start(&thread, "watch", watch, &w, &err), OK);
        while (atomic_load(&w.looks) == 0)
            thread_sleep_ms(1);
        ck_assert_int_eq(hearth_recover(s.app, &err), OK);
        int looks = atomic_load(&w.looks);
        while (atomic_load(&w.looks) < looks + 2)
            thread_sleep_ms(1);
        atomic_store(&w.done, true);
        thread_join(&thread);
    }
    served_close(&s);
}
END_TEST

START_TEST(a_locked_folder_is_refused)
{
    struct config config;
    struct hearth *second;
    struct error err;
    served_open(&s, NULL);
    config = s.config;
    ck_assert_int_eq(hearth_open(&config, &second, &err), ERR_UNAVAILABLE);
    ck_assert_ptr_nonnull(strstr(err.text, s.folder));
    served_close(&s);
}
END_TEST

START_TEST(a_folder_that_is_a_file_is_refused)
{
    struct config config;
    struct hearth *h;
    struct error err;
    served_open(&s, NULL);
    config = s.config;
    config.storage_path = "/dev/null";
    ck_assert_int_ne(hearth_open(&config, &h, &err), OK);
    ck_assert_ptr_nonnull(strstr(err.text, "/dev/null"));
    served_close(&s);
}
END_TEST

START_TEST(closing_before_recovery_is_fine)
{
    struct hearth *h;
    struct error err;
    served_open(&s, NULL);
    hearth_close(s.app);
    ck_assert_int_eq(hearth_open(&s.config, &h, &err), OK);
    s.app = h;
    served_close(&s);
}
END_TEST

START_TEST(closing_answers_or_ends_what_runs)
{
    enum { CLIENTS = 20 };
    static const char query[] =
        "GET /api/v1/query?query=count_over_time(vector(1)[10d:1s]) HTTP/1.1\r\nHost: a\r\n\r\n";
    int fds[CLIENTS];
    served_open(&s, "--query.max-concurrency=1", NULL);
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = served_connect(&s);
        served_send(fds[i], query, sizeof(query) - 1);
    }
    int64_t start_ns = clock_mono_ns();
    served_close(&s);
    ck_assert_int_lt((clock_mono_ns() - start_ns) / 1000000, 60000);
    for (int i = 0; i < CLIENTS; i++)
        close(fds[i]);
}
END_TEST

SUITE(hearth, a_restart_keeps_the_samples, numbers_are_read_while_a_start_goes_on,
      a_locked_folder_is_refused, a_folder_that_is_a_file_is_refused,
      closing_before_recovery_is_fine, closing_answers_or_ends_what_runs)
