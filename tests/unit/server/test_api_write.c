/* api_write: types, encodings, partial success, words and counts. */
#include "server/api.h"

#include <math.h>

#include "alloc/memstats.h"
#include "base/endian.h"
#include "base/varint.h"
#include "tests/unit/server/served.h"

static struct served s;
static struct arena mem;
static uint8_t message[1 << 16];
static size_t message_size;

static void put_bytes(uint8_t *out, size_t *size, uint64_t key, const void *bytes, size_t count)
{
    *size += varint_encode(out + *size, key << 3 | 2);
    *size += varint_encode(out + *size, count);
    memcpy(out + *size, bytes, count);
    *size += count;
}

/* One more series of the request: name="value" pairs end with NULL, one sample. */
static void add_series(int64_t t_ms, double v, ...)
{
    uint8_t series[4096];
    size_t size = 0;
    va_list pairs;
    va_start(pairs, v);
    for (const char *name; (name = va_arg(pairs, const char *)) != NULL;) {
        const char *value = va_arg(pairs, const char *);
        uint8_t label[1024];
        size_t label_size = 0;
        put_bytes(label, &label_size, 1, name, strlen(name));
        put_bytes(label, &label_size, 2, value, strlen(value));
        put_bytes(series, &size, 1, label, label_size);
    }
    va_end(pairs);
    uint8_t sample[32] = {1 << 3 | 1};
    put_le64(sample + 1, bits_from_double(v));
    sample[9] = 2 << 3;
    size_t sample_size = 10 + varint_encode(sample + 10, (uint64_t)t_ms);
    put_bytes(series, &size, 2, sample, sample_size);
    put_bytes(message, &message_size, 1, series, size);
}

static struct answer send_with(const char *headers)
{
    struct str body;
    struct error err;
    arena_init(&mem, HEAP_HTTP, 1 << 20);
    ck_assert_int_eq(frame_encode((struct str){(char *)message, message_size}, &mem, &body, &err),
                     OK);
    struct answer answer = served_ask(&s, "POST", "/api/v1/write", headers, body.data, body.size);
    arena_release(&mem);
    message_size = 0;
    return answer;
}

static struct answer send_message(void)
{
    return send_with("Content-Encoding: snappy\r\nContent-Type: application/x-protobuf\r\n");
}

static void open_server(void)
{
    message_size = 0;
    served_open(&s, "--self-scrape.interval=0", NULL);
}

START_TEST(a_good_request_is_204_and_readable_at_once)
{
    open_server();
    int64_t now_ms = clock_wall_ms();
    add_series(now_ms, 1.5, "job", "x", "__name__", "m", NULL);
    struct answer answer = send_message();
    ck_assert_int_eq(answer.code, 204);
    ck_assert_uint_eq(answer.body_size, 0);
    expect_contains(served_get(&s, "/api/v1/query?query=m"), 200, "\"1.5\"]");
    served_close(&s);
}
END_TEST

START_TEST(types_and_encodings_that_are_not_ours_are_415)
{
    static const char *const wrong[] = {
        "Content-Type: text/plain\r\nContent-Encoding: snappy\r\n",
        "Content-Type: application/x-protobuf;proto=io.prometheus.write.v2.Request\r\n"
        "Content-Encoding: snappy\r\n",
        "Content-Type: application/x-protobuf; charset=utf-8; proto=another.Request\r\n",
        "Content-Type: application/x-protobuf\r\nContent-Encoding: gzip\r\n",
        "Content-Type: application/x-protobuf\r\nContent-Encoding: zstd\r\n",
    };
    static const char *const right[] = {
        "Content-Encoding: snappy\r\n",
        "Content-Type: application/x-protobuf\r\n",
        "Content-Type: application/x-protobuf; proto=prometheus.WriteRequest\r\n",
        "Content-Type: application/x-protobuf; charset=utf-8\r\n",
        "Content-Type: application/x-protobuf\t\r\nContent-Encoding: snappy \r\n",
        "Content-Type: application/x-protobuf;proto=prometheus.WriteRequest; q=1;\r\n"};
    open_server();
    for (size_t i = 0; i < ARRAY_COUNT(wrong); i++)
        expect_contains(send_with(wrong[i]), 415, "unsupported Content-");
    for (size_t i = 0; i < ARRAY_COUNT(right); i++)
        ck_assert_int_eq(send_with(right[i]).code, 204);
    served_close(&s);
}
END_TEST

START_TEST(bodies_that_do_not_decode_are_400_with_words)
{
    static const char *const bodies[] = {"", "garbage", "\xff\xff\xff\xff\x0f\x00\x00",
                                         "\x80\x80\x80\x80\x04xxxxx"};
    open_server();
    for (size_t i = 0; i < ARRAY_COUNT(bodies); i++) {
        struct answer answer =
            served_ask(&s, "POST", "/api/v1/write", "Content-Encoding: snappy\r\n", bodies[i],
                       strlen(bodies[i]));
        ck_assert_int_eq(answer.code, 400);
        ck_assert_uint_gt(answer.body_size, 10);
    }
    static const uint8_t cut[] = {0x0a, 0x7f, 0x01};
    memcpy(message, cut, sizeof(cut));
    message_size = sizeof(cut);
    ck_assert_int_eq(send_message().code, 400);
    served_close(&s);
}
END_TEST

START_TEST(bad_series_are_named_and_the_good_ones_stored)
{
    open_server();
    int64_t now_ms = clock_wall_ms();
    add_series(now_ms, 1, "__name__", "good", NULL);
    add_series(now_ms, 1, "__name__", "twice", "a", "1", "a", "2", NULL);
    add_series(now_ms, 1, "job", "nameless", NULL);
    add_series(now_ms - INT64_C(60) * 3600 * 1000, 1, "__name__", "ancient", NULL);
    add_series(now_ms + INT64_C(3600) * 1000, 1, "__name__", "ahead", NULL);
    struct answer answer = send_message();
    expect_contains(answer, 400, "stored: 1\n");
    expect_contains(answer, 400, "too_old: 1\n");
    expect_contains(answer, 400, "too_new: 1\n");
    expect_contains(answer, 400, "series with invalid labels: 2\n");
    expect_contains(answer, 400, "ancient");
    expect_contains(answer, 400, "twice");
    expect_contains(served_get(&s, "/api/v1/label/__name__/values"), 200, "\"data\":[\"good\"]}");
    ck_assert_uint_eq(counter_read(&s.app->writes.stored), 1);
    ck_assert_uint_eq(counter_read(&s.app->writes.invalid), 2);
    served_close(&s);
}
END_TEST

START_TEST(the_same_again_is_fine_and_another_value_is_not)
{
    open_server();
    int64_t now_ms = clock_wall_ms();
    add_series(now_ms, 1, "__name__", "m", NULL);
    ck_assert_int_eq(send_message().code, 204);
    add_series(now_ms, 1, "__name__", "m", NULL);
    ck_assert_int_eq(send_message().code, 204);
    ck_assert_uint_eq(counter_read(&s.app->writes.duplicates), 1);
    add_series(now_ms, 2, "__name__", "m", NULL);
    expect_contains(send_message(), 400, "conflict: 1\n");
    served_close(&s);
}
END_TEST

START_TEST(short_memory_is_503_with_retry_after)
{
    open_server();
    maintenance_stop(&s.app->maintenance);
    s.app->maintenance.options.memory_limit_bytes = 1 << 20; /* far below what is used */
    add_series(clock_wall_ms(), 1, "__name__", "m", NULL);
    struct answer answer = send_message();
    expect_contains(answer, 503, "memory limit reached");
    expect_header(answer, "Retry-After: 5");
    ck_assert_uint_eq(counter_read(&s.app->writes.shed), 1);
    served_close(&s);
}
END_TEST

/* Between the hard and the full line by the middle, with enough memory held for what comes and goes
 * not to matter. */
static void set_pressure_hard(void)
{
    struct memstats stats;
    memstats_read(&stats);
    uint64_t kept = heap_used_bytes() - (stats.heap_idle - stats.heap_released);
    s.app->maintenance.options.memory_limit_bytes = kept / 13 * 16;
}

START_TEST(when_memory_is_short_known_series_go_on_and_new_ones_are_refused)
{
    enum { HOARD_BYTES = 100 << 20 };
    open_server();
    maintenance_stop(&s.app->maintenance);
    void *hoard = heap_alloc(HOARD_BYTES, HEAP_HTTP);
    ck_assert_ptr_nonnull(hoard);
    int64_t now_ms = clock_wall_ms();
    add_series(now_ms, 1, "__name__", "known", NULL);
    ck_assert_int_eq(send_message().code, 204);
    set_pressure_hard();
    ck_assert_int_eq(maintenance_pressure(&s.app->maintenance), HEAP_HARD);
    add_series(now_ms + 1, 2, "__name__", "known", NULL);
    ck_assert_int_eq(send_message().code, 204);
    add_series(now_ms + 2, 3, "__name__", "known", NULL);
    add_series(now_ms + 2, 4, "__name__", "new", NULL);
    struct answer answer = send_message();
    expect_header(answer, "Retry-After: 5");
    expect_contains(answer, 503, "stored: 1\n");
    expect_contains(answer, 503, "new_series: 1\n");
    expect_contains(answer, 503, "new_series: series new, timestamp");
    ck_assert_uint_eq(counter_read(&s.app->writes.stored), 3);
    ck_assert_uint_eq(counter_read(&s.app->writes.refused[REFUSED_NEW_SERIES]), 1);
    ck_assert_uint_eq(counter_read(&s.app->writes.shed_new_series), 1);
    ck_assert_uint_eq(counter_read(&s.app->writes.shed), 0);
    s.app->maintenance.options.memory_limit_bytes = s.app->memory_limit_bytes;
    add_series(now_ms + 2, 4, "__name__", "new", NULL);
    ck_assert_int_eq(send_message().code, 204);
    heap_free(hoard, HOARD_BYTES, HEAP_HTTP);
    served_close(&s);
}
END_TEST

START_TEST(the_receiver_can_be_switched_off)
{
    message_size = 0;
    served_open(&s, "--no-web.enable-remote-write-receiver", NULL);
    expect_contains(send_message(), 404, "--web.enable-remote-write-receiver");
    served_close(&s);
}
END_TEST

SUITE(api_write, a_good_request_is_204_and_readable_at_once,
      types_and_encodings_that_are_not_ours_are_415, bodies_that_do_not_decode_are_400_with_words,
      bad_series_are_named_and_the_good_ones_stored,
      the_same_again_is_fine_and_another_value_is_not, short_memory_is_503_with_retry_after,
      when_memory_is_short_known_series_go_on_and_new_ones_are_refused,
      the_receiver_can_be_switched_off)
