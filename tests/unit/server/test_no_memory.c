/*
 * no_memory: whichever allocation of the server fails, in debug builds those of a request's arena
 * among them, alone or with all behind it, while a request is answered, the answer says so, the
 * store is whole, and the same request succeeds afterwards.
 *
 * Background threads allocate too, so that the n-th allocation is not the same in every run; all
 * of them come up.
 */
#include "base/endian.h"
#include "base/varint.h"
#include "tests/unit/level.h"
#include "tests/unit/server/served.h"

enum { N_MAX = 5000 };

static struct served s;

/* A write request with one sample of m{i="..."}, compressed. */
static struct str one_sample(struct arena *mem, uint64_t i, int64_t t_ms)
{
    uint8_t message[256];
    struct str body;
    struct error err;
    char value[24];
    int value_size = snprintf(value, sizeof(value), "%06u", (unsigned)i);
    uint8_t series[128] = "\x0a\x0d\x0a\x08__name__\x12\x01m\x0a\x0b\x0a\x01i\x12\x06";
    size_t size = 2 + 13 + 2 + 5;
    memcpy(series + size, value, (size_t)value_size);
    size += (size_t)value_size;
    uint8_t sample[32] = {1 << 3 | 1};
    put_le64(sample + 1, bits_from_double(7));
    sample[9] = 2 << 3;
    size_t sample_size = 10 + varint_encode(sample + 10, (uint64_t)t_ms);
    series[size++] = 2 << 3 | 2;
    series[size++] = (uint8_t)sample_size;
    memcpy(series + size, sample, sample_size);
    size += sample_size;
    message[0] = 1 << 3 | 2;
    message[1] = (uint8_t)size;
    memcpy(message + 2, series, size);
    ck_assert_int_eq(frame_encode((struct str){(char *)message, size + 2}, mem, &body, &err), OK);
    return body;
}

static int send_write(struct str body)
{
    static const char headers[] =
        "Content-Encoding: snappy\r\nContent-Type: application/x-protobuf\r\n";
    return served_ask(&s, "POST", "/api/v1/write", headers, body.data, body.size).code;
}

START_TEST(a_write)
{
    struct storage_stats stats;
    struct arena mem;
    uint64_t n = 0;
    uint64_t failures = 0;
    served_open(&s, "--self-scrape.interval=0", NULL);
    int64_t t_ms = clock_wall_ms();
    arena_init(&mem, HEAP_HTTP, 1 << 20);
    for (bool whole = false; !whole; n++) {
        ck_assert_uint_lt(n, N_MAX);
        struct str body = one_sample(&mem, n, t_ms);
        level_inject(n, _i);
        int code = send_write(body);
        whole = level_injection_ended();
        /* 0: not even the request had a place. */
        ck_assert_msg(code == 204 || (!whole && (code == 503 || code == 0)), "%d", code);
        failures += code != 204;
        storage_check(s.app->storage);
        ck_assert_int_eq(send_write(body), 204);
        arena_reset(&mem);
    }
    arena_release(&mem);
    ck_assert_uint_gt(failures, 3);
    storage_stats_read(s.app->storage, &stats);
    ck_assert_uint_eq(stats.samples, n);
    ck_assert_uint_eq(stats.series, n);
    served_close(&s);
}
END_TEST

static const char *const questions[] = {
    "/api/v1/query?query=sum(m)",
    "/api/v1/query_range?query=rate(m[1m])&start=1&end=100&step=10",
    "/api/v1/format_query?query=sum(m)",
    "/api/v1/parse_query?query=sum(m)",
    "/api/v1/series?match[]=m",
    "/api/v1/labels",
    "/api/v1/label/job/values",
    "/api/v1/query?query=m&stats=all",
    "/api/v1/labels?match[]=m",
    "/api/v1/label/job/values?match[]=m",
    "/api/v1/targets",
    "/api/v1/metadata",
    "/api/v1/status/tsdb",
    "/api/v1/status/config",
    "/api/v1/status/runtimeinfo",
    "/api/v1/status/active_queries",
    "/api/v1/status/flags",
    "/federate?match[]=m&match[]={job=\"test\"}",
    "/metrics",
    "/debug/heap",
};

START_TEST(a_question)
{
    uint64_t failures = 0;
    served_open(&s, "--self-scrape.interval=0", "--web.enable-admin-api", NULL);
    for (int i = 0; i < 20; i++)
        served_store(&s, "m", clock_wall_ms() - i * 1000, i);
    for (size_t q = 0; q < ARRAY_COUNT(questions); q++) {
        bool whole = false;
        for (uint64_t n = 0; !whole; n++) {
            ck_assert_uint_lt(n, N_MAX);
            level_inject(n, _i);
            int code = served_get(&s, questions[q]).code;
            whole = level_injection_ended();
            ck_assert_msg(code == 200 || (!whole && (code == 503 || code == 0)), "%s, n = %u: %d",
                          questions[q], (unsigned)n, code);
            failures += code != 200;
        }
        ck_assert_int_eq(served_get(&s, questions[q]).code, 200);
    }
    ck_assert_uint_gt(failures, (HEARTH_DEBUG ? 10 : 1) * ARRAY_COUNT(questions));
    storage_check(s.app->storage);
    served_close(&s);
}
END_TEST

START_TEST(a_server_that_met_failures_leaves_nothing)
{
    struct level before = level_read();
    served_open(&s, "--self-scrape.interval=0", NULL);
    served_store(&s, "m", clock_wall_ms(), 1);
    for (uint64_t n = 0; n < 40; n++) {
        level_inject(n, _i);
        served_get(&s, questions[0]);
        (void)level_injection_ended();
    }
    served_close(&s);
    level_expect(&before);
}
END_TEST

static enum status try_to_start(struct error *err)
{
    enum status st = hearth_open(&s.config, &s.app, err);
    if (st) return st;
    st = hearth_recover(s.app, err);
    if (st) hearth_close(s.app);
    return st;
}

START_TEST(a_start)
{
    struct storage_stats stats;
    struct error err = {0};
    bool whole = false;
    uint64_t n = 0;
    served_open(&s, "--self-scrape.interval=0", NULL);
    for (int i = 0; i < 20; i++)
        served_store(&s, "m", clock_wall_ms() - i * 1000, i);
    hearth_close(s.app);
    struct level before = level_read();
    for (; !whole; n++) {
        ck_assert_uint_lt(n, N_MAX);
        level_inject(n, _i);
        enum status st = try_to_start(&err);
        whole = level_injection_ended();
        ck_assert_msg(st == OK || (st == ERR_NO_MEMORY && !whole), "n = %u: %s", (unsigned)n,
                      err.text);
        if (st == OK) hearth_close(s.app);
        level_expect(&before);
    }
    ck_assert_uint_gt(n, 20); /* else nothing was tried */
    ck_assert_int_eq(try_to_start(&err), OK);
    storage_stats_read(s.app->storage, &stats);
    ck_assert_uint_eq(stats.samples, 20);
    served_close(&s);
}
END_TEST

SUITE_TIMES(no_memory, LEVEL_WAYS, a_write, a_question, a_server_that_met_failures_leaves_nothing,
            a_start)
