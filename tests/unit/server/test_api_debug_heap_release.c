/* api_debug_heap_release: behind its flag, by POST only; what is free goes, and is counted. */
#include "server/api.h"

#include "alloc/memstats.h"
#include "tests/unit/server/served.h"

static struct served s;

static uint64_t resident_idle(void)
{
    struct memstats stats;
    memstats_read(&stats);
    return stats.heap_idle - stats.heap_released;
}

static struct answer release(const char *form)
{
    return served_form(&s, "/debug/heap/release", form);
}

static uint64_t released(struct answer answer)
{
    static const char key[] = "{\"status\":\"success\",\"data\":{\"releasedBytes\":";
    expect_contains(answer, 200, key);
    return strtoull(answer.body + sizeof(key) - 1, NULL, 10);
}

START_TEST(it_needs_its_flag)
{
    served_open(&s, NULL);
    expect_contains(release(""), 503, "\"error\":\"admin APIs disabled\"");
    served_close(&s);
}
END_TEST

START_TEST(it_is_for_post_only)
{
    served_open(&s, "--web.enable-admin-api", NULL);
    struct answer answer = served_get(&s, "/debug/heap/release");
    ck_assert_int_eq(answer.code, 405);
    expect_header(answer, "Allow: POST\r\n");
    served_close(&s);
}
END_TEST

START_TEST(what_is_free_goes_as_much_as_was_asked_for)
{
    enum { BYTES = 150 << 20, OTHERS = 4 << 20 }; /* what requests and threads take meanwhile */
    served_open(&s, "--web.enable-admin-api", "--self-scrape.interval=0", NULL);
    heap_free(heap_alloc(BYTES, HEAP_HTTP), BYTES, HEAP_HTTP); /* more than a step */
    ck_assert_uint_eq(released(release("bytes=1048576")), 1048576);
    ck_assert_uint_ge(resident_idle(), BYTES - OTHERS);
    ck_assert_uint_ge(released(release("")), BYTES - OTHERS);
    ck_assert_uint_lt(resident_idle(), OTHERS);
    ck_assert_uint_eq(counter_read(&s.app->maintenance.forced_releases), 2);
    expect_contains(served_get(&s, "/metrics"), 200, "\ngo_gc_cycles_forced_gc_cycles_total 2\n");
    served_close(&s);
}
END_TEST

START_TEST(wrong_amounts_are_refused)
{
    served_open(&s, "--web.enable-admin-api", NULL);
    expect_contains(release("bytes=0"), 400, "must be positive");
    expect_contains(release("bytes=-1"), 400, "non-negative");
    expect_contains(release("bytes=1e6"), 400, "parsing \\\"1e6\\\": invalid syntax");
    ck_assert_uint_eq(counter_read(&s.app->maintenance.forced_releases), 0);
    served_close(&s);
}
END_TEST

SUITE(api_debug_heap_release, it_needs_its_flag, it_is_for_post_only,
      what_is_free_goes_as_much_as_was_asked_for, wrong_amounts_are_refused)
