/* reply: statuses to HTTP, bodies byte for byte, compression. */
#include "server/reply.h"

#include <string.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "tests/unit/suite.h"

static struct reply reply;

static void setup(void)
{
    log_configure(LOG_ERROR, LOG_FORMAT_LOGFMT);
    reply_init(&reply);
}

static const char *header(const char *name)
{
    for (size_t i = 0; i < reply.header_count; i++)
        if (strcmp(reply.headers[i].name, name) == 0) return reply.headers[i].value;
    return NULL;
}

static void expect_body(const char *text)
{
    ck_assert_uint_eq(reply.body.size, strlen(text));
    ck_assert_mem_eq(reply.body.data, text, reply.body.size);
}

START_TEST(every_status_has_a_meaning)
{
    static const struct {
        enum status status;
        unsigned code;
        const char *type;
        bool retry;
    } expected[] = {{OK, 200, "", false},
                    {ERR_INVALID, 400, "bad_data", false},
                    {ERR_TOO_LARGE, 422, "execution", false},
                    {ERR_NOT_FOUND, 404, "not_found", false},
                    {ERR_CONFLICT, 422, "execution", false},
                    {ERR_OUT_OF_RANGE, 400, "bad_data", false},
                    {ERR_NO_MEMORY, 503, "unavailable", true},
                    {ERR_TIMEOUT, 503, "timeout", false},
                    {ERR_CANCELLED, 503, "canceled", false},
                    {ERR_UNAVAILABLE, 503, "unavailable", true},
                    {ERR_CORRUPT, 500, "internal", false},
                    {ERR_IO, 503, "unavailable", true},
                    {ERR_UNSUPPORTED, 400, "bad_data", false}};
    ck_assert_uint_eq(ARRAY_COUNT(expected), STATUS_COUNT);
    for (size_t i = 0; i < ARRAY_COUNT(expected); i++) {
        struct reply_meaning meaning = reply_meaning(expected[i].status);
        ck_assert_uint_eq(meaning.code, expected[i].code);
        ck_assert_str_eq(meaning.error_type, expected[i].type);
        ck_assert_int_eq(meaning.retry, expected[i].retry);
    }
}
END_TEST

START_TEST(an_error_is_json_as_prometheus_writes_it)
{
    struct error err;
    setup();
    error_set(&err, ERR_INVALID, "invalid parameter \"query\": 1:1: parse error: no");
    reply_error(&reply, ERR_INVALID, &err);
    ck_assert_uint_eq(reply.code, 400);
    ck_assert_str_eq(reply.content_type, "application/json");
    expect_body("{\"status\":\"error\",\"errorType\":\"bad_data\",\"error\":\"invalid parameter "
                "\\\"query\\\": 1:1: parse error: no\"}");
    ck_assert_ptr_null(header("Retry-After"));
    reply_release(&reply);
}
END_TEST

START_TEST(what_may_succeed_later_says_when)
{
    struct error err;
    setup();
    log_configure(LOG_ERROR, LOG_FORMAT_LOGFMT);
    error_set(&err, ERR_NO_MEMORY, "memory limit reached");
    reply_error_text(&reply, ERR_NO_MEMORY, &err);
    ck_assert_uint_eq(reply.code, 503);
    ck_assert_str_eq(header("Retry-After"), "5");
    ck_assert_str_eq(header("X-Content-Type-Options"), "nosniff");
    expect_body("memory limit reached\n");
    reply_release(&reply);
}
END_TEST

static int lines;

static void count_line(const char *line)
{
    (void)line;
    lines++;
}

START_TEST(a_flood_of_failures_is_one_line_a_second)
{
    enum { FAILURES = 1000 };
    struct error err;
    setup();
    clock_freeze(1000000);
    log_configure(LOG_WARN, LOG_FORMAT_LOGFMT);
    log_tap(count_line);
    lines = 0;
    error_set(&err, ERR_UNAVAILABLE, "not now");
    for (int i = 0; i < FAILURES; i++) {
        reply_error(&reply, ERR_UNAVAILABLE, &err);
        reply.header_count = 0;
    }
    ck_assert_int_eq(lines, 1);
    clock_advance(1001);
    reply_error(&reply, ERR_UNAVAILABLE, &err);
    ck_assert_int_eq(lines, 2);
    log_tap(NULL);
    clock_thaw();
    reply_release(&reply);
}
END_TEST

START_TEST(an_error_replaces_a_body_that_was_begun)
{
    struct error err;
    setup();
    buf_append_str(&reply.body, STR("{\"status\":\"success\",\"data\":["));
    error_set(&err, ERR_TIMEOUT, "query timed out");
    reply_error(&reply, ERR_TIMEOUT, &err);
    ck_assert_uint_eq(reply.code, 503);
    expect_body("{\"status\":\"error\",\"errorType\":\"timeout\",\"error\":\"query timed out\"}");
    reply_release(&reply);
}
END_TEST

START_TEST(a_success_that_does_not_fit_is_an_error)
{
    setup();
    buf_release(&reply.body);
    buf_init(&reply.body, HEAP_HTTP, 300);
    for (int i = 0; i < 1000; i++)
        buf_append_byte(&reply.body, 'x');
    reply_json_done(&reply);
    ck_assert_uint_eq(reply.code, 422);
    ck_assert_ptr_nonnull(strstr((char *)reply.body.data, "the answer is too large"));
    reply_release(&reply);
}
END_TEST

START_TEST(accept_encoding_is_read)
{
    ck_assert(reply_accepts_gzip(STR("gzip")));
    ck_assert(reply_accepts_gzip(STR("deflate, gzip;q=0.5")));
    ck_assert(reply_accepts_gzip(STR("br,GZIP")));
    ck_assert(reply_accepts_gzip(STR("gzip; q=1.0, identity")));
    ck_assert(!reply_accepts_gzip(STR("")));
    ck_assert(!reply_accepts_gzip(STR("identity")));
    ck_assert(!reply_accepts_gzip(STR("gzip;q=0")));
    ck_assert(!reply_accepts_gzip(STR("gzip;q=0.000, br")));
    ck_assert(!reply_accepts_gzip(STR("gzipped")));
    ck_assert(!reply_accepts_gzip(STR(",,,,;;;q=")));
}
END_TEST

START_TEST(large_bodies_are_compressed_and_come_back)
{
    enum { LINES = 20000, TEXT_BYTES = 1 << 20 };
    static char plain[TEXT_BYTES];
    static char back[TEXT_BYTES];
    setup();
    for (int i = 0; i < LINES; i++)
        buf_printf(&reply.body, "metric{n=\"%d\"} %d\n", i % 7, i);
    size_t size = reply.body.size;
    ck_assert_uint_lt(size, TEXT_BYTES);
    memcpy(plain, reply.body.data, size);
    reply_compress(&reply, STR("gzip"));
    ck_assert_str_eq(header("Content-Encoding"), "gzip");
    ck_assert_str_eq(header("Vary"), "Accept-Encoding");
    ck_assert_uint_lt(reply.body.size, size / 2);
    z_stream stream = {.next_in = reply.body.data,
                       .avail_in = (uInt)reply.body.size,
                       .next_out = (Bytef *)back,
                       .avail_out = TEXT_BYTES};
    ck_assert_int_eq(inflateInit2(&stream, 15 + 16), Z_OK);
    ck_assert_int_eq(inflate(&stream, Z_FINISH), Z_STREAM_END);
    ck_assert_uint_eq(stream.total_out, size);
    ck_assert_mem_eq(plain, back, size);
    inflateEnd(&stream);
    reply_release(&reply);
}
END_TEST

START_TEST(small_or_unwanted_compression_is_left_out)
{
    setup();
    reply_text(&reply, 200, "text/plain", STR("small"));
    reply_compress(&reply, STR("gzip"));
    ck_assert_ptr_null(header("Content-Encoding"));
    expect_body("small");
    for (int i = 0; i < REPLY_GZIP_BYTES_MIN; i++)
        buf_append_byte(&reply.body, 'x');
    reply_compress(&reply, STR("identity"));
    ck_assert_ptr_null(header("Content-Encoding"));
    reply_release(&reply);
}
END_TEST

SUITE(reply, every_status_has_a_meaning, an_error_is_json_as_prometheus_writes_it,
      what_may_succeed_later_says_when, a_flood_of_failures_is_one_line_a_second,
      an_error_replaces_a_body_that_was_begun, a_success_that_does_not_fit_is_an_error,
      accept_encoding_is_read, large_bodies_are_compressed_and_come_back,
      small_or_unwanted_compression_is_left_out)
