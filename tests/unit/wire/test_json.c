/* json: what is written, how it is escaped, and that misuse ends the process. */
#include "wire/json.h"

#include <math.h>
#include <stdio.h>

#include "tests/unit/aborts.h"
#include "tests/unit/suite.h"

static struct buf out;
static struct json j;

static void begin(void)
{
    buf_init(&out, HEAP_HTTP, 1 << 20);
    json_init(&j, &out);
}

static void wrote(const char *expected)
{
    struct str text = {(const char *)out.data, out.size};
    ck_assert(json_is_complete(&j));
    ck_assert_int_eq(buf_status(&out, NULL), OK);
    ck_assert_msg(str_equal(text, str_from(expected)), "%.*s, not %s", STR_ARG(text), expected);
    buf_release(&out);
}

static void string_is(struct str text, const char *expected)
{
    begin();
    json_string(&j, text);
    wrote(expected);
}

START_TEST(members_are_written_in_one_call)
{
    begin();
    json_object_begin(&j);
    json_text(&j, "text", STR("a\"b"));
    json_count(&j, "count", UINT64_MAX);
    json_integer(&j, "integer", INT64_MIN);
    json_object_end(&j);
    wrote("{\"text\":\"a\\\"b\",\"count\":18446744073709551615,"
          "\"integer\":-9223372036854775808}");
}
END_TEST

START_TEST(commas_and_colons_fall_into_place)
{
    begin();
    json_object_begin(&j);
    json_key(&j, STR("status"));
    json_string(&j, STR("success"));
    json_key(&j, STR("data"));
    json_array_begin(&j);
    json_array_begin(&j);
    json_array_end(&j);
    json_object_begin(&j);
    json_object_end(&j);
    json_int(&j, INT64_MIN);
    json_uint(&j, UINT64_MAX);
    json_bool(&j, true);
    json_bool(&j, false);
    json_null(&j);
    json_array_end(&j);
    json_key(&j, STR("n"));
    json_number(&j, 1.5);
    json_object_end(&j);
    wrote("{\"status\":\"success\",\"data\":[[],{},-9223372036854775808,18446744073709551615,true,"
          "false,null],\"n\":1.5}");
}
END_TEST

START_TEST(strings_are_escaped_as_prometheus_does)
{
    string_is(STR(""), "\"\"");
    string_is(STR("plain"), "\"plain\"");
    string_is(STR("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"");
    string_is(STR("\n\r\t\b\f\x01\x1F\x7F"), "\"\\n\\r\\t\\u0008\\u000c\\u0001\\u001f\x7F\"");
    string_is(STR("<a href='&'>"), "\"\\u003ca href='\\u0026'\\u003e\"");
    string_is(STR("caf\xC3\xA9 \xF0\x9F\x98\x80"), "\"caf\xC3\xA9 \xF0\x9F\x98\x80\"");
    string_is(STR("\xE2\x80\xA7\xE2\x80\xA8\xE2\x80\xA9\xE2\x80\xAA"),
              "\"\xE2\x80\xA7\\u2028\\u2029\xE2\x80\xAA\"");
    string_is((struct str){"a\0b", 3}, "\"a\\u0000b\"");
}
END_TEST

START_TEST(bytes_that_are_not_utf8_are_replaced)
{
    string_is(STR("a\xFF"
                  "b"),
              "\"a\\ufffdb\"");
    string_is(STR("\xC3"), "\"\\ufffd\"");
    string_is(STR("\xE2\x82"), "\"\\ufffd\\ufffd\"");
    string_is(STR("\xED\xA0\x80"), "\"\\ufffd\\ufffd\\ufffd\"");
}
END_TEST

/* What a string of this one byte has between its quotes. */
static struct str escape_of(uint8_t c, char *room)
{
    begin();
    json_string(&j, (struct str){(const char *)&c, 1});
    struct str inside = {room, out.size - 2};
    memcpy(room, out.data + 1, inside.size);
    buf_release(&out);
    return inside;
}

START_TEST(a_byte_is_escaped_wherever_it_stands)
{
    enum { SIZE_MAX_TRIED = 26 };
    char room[16];
    char text[SIZE_MAX_TRIED];
    char expected[SIZE_MAX_TRIED + 2 * sizeof(room)];
    for (unsigned c = 0; c < 256; c++) {
        struct str escape = escape_of((uint8_t)c, room);
        for (size_t size = 1; size <= sizeof(text); size++) {
            size_t at = (size * 7 + c) % size;
            memset(text, 'a', size);
            text[at] = (char)c;
            struct label label = {STR("n"), {text, size}};
            int written = snprintf(expected, sizeof(expected), "{\"n\":\"%.*s%.*s%.*s\"}", (int)at,
                                   "aaaaaaaaaaaaaaaaaaaaaaaaaa", STR_ARG(escape),
                                   (int)(size - at - 1), "aaaaaaaaaaaaaaaaaaaaaaaaaa");
            ck_assert_int_lt(written, (int)sizeof(expected));
            begin();
            json_labels(&j, (struct labels){&label, 1});
            wrote(expected);
        }
    }
}
END_TEST

START_TEST(samples_are_written_as_the_query_api_does)
{
    begin();
    json_array_begin(&j);
    json_point(&j, 1435781451781, 1);
    json_point(&j, 1435781451000, NAN);
    json_point(&j, -1500, -INFINITY);
    json_point(&j, INT64_MIN, -1.7976931348623157e308);
    json_point(&j, 0, -1e-7);
    json_point(&j, 1005, 1e21);
    json_number(&j, INFINITY);
    json_array_end(&j);
    wrote("[[1435781451.781,\"1\"],[1435781451,\"NaN\"],[-1.500,\"-Inf\"],"
          "[-9223372036854775.808,\"-1.7976931348623157e+308\"],[0,\"-1e-07\"],"
          "[1.005,\"1e+21\"],null]");
}
END_TEST

START_TEST(labels_are_an_object)
{
    struct label items[] = {{STR("__name__"), STR("up")}, {STR("a"), STR("\"")}};
    begin();
    json_labels(&j, (struct labels){items, 2});
    wrote("{\"__name__\":\"up\",\"a\":\"\\\"\"}");
    begin();
    json_labels(&j, (struct labels){NULL, 0});
    wrote("{}");
}
END_TEST

START_TEST(deep_nesting_keeps_its_state)
{
    static char expected[2 * JSON_DEPTH_MAX + 64];
    size_t size = 0;
    begin();
    for (int i = 0; i < JSON_DEPTH_MAX; i++) {
        json_array_begin(&j);
        expected[size++] = '[';
    }
    json_int(&j, 1);
    expected[size++] = '1';
    for (int i = 0; i < JSON_DEPTH_MAX; i++) {
        json_array_end(&j);
        expected[size++] = ']';
    }
    wrote(expected);
}
END_TEST

START_TEST(a_full_buffer_is_reported_once_at_the_end)
{
    buf_init(&out, HEAP_HTTP, 64);
    json_init(&j, &out);
    json_array_begin(&j);
    for (int i = 0; i < 1000; i++) {
        json_point(&j, i, 1.5);
        json_string(&j, STR("text"));
    }
    json_array_end(&j);
    ck_assert_int_eq(buf_status(&out, NULL), ERR_TOO_LARGE);
    buf_release(&out);
}
END_TEST

static void a_value_without_its_key(void)
{
    begin();
    json_object_begin(&j);
    json_int(&j, 1);
}

static void a_key_in_an_array(void)
{
    begin();
    json_array_begin(&j);
    json_key(&j, STR("k"));
}

static void a_key_without_its_value(void)
{
    begin();
    json_object_begin(&j);
    json_key(&j, STR("k"));
    json_object_end(&j);
}

static void a_wrong_end(void)
{
    begin();
    json_array_begin(&j);
    json_object_end(&j);
}

static void a_second_value_at_the_top(void)
{
    begin();
    json_null(&j);
    json_null(&j);
}

static void nesting_too_deep(void)
{
    begin();
    for (int i = 0; i <= JSON_DEPTH_MAX; i++)
        json_array_begin(&j);
}

START_TEST(misuse_ends_the_process)
{
    ck_assert(aborts(a_value_without_its_key));
    ck_assert(aborts(a_key_in_an_array));
    ck_assert(aborts(a_key_without_its_value));
    ck_assert(aborts(a_wrong_end));
    ck_assert(aborts(a_second_value_at_the_top));
    ck_assert(aborts(nesting_too_deep));
}
END_TEST

SUITE(json, commas_and_colons_fall_into_place, members_are_written_in_one_call,
      strings_are_escaped_as_prometheus_does, bytes_that_are_not_utf8_are_replaced,
      a_byte_is_escaped_wherever_it_stands, samples_are_written_as_the_query_api_does,
      labels_are_an_object, deep_nesting_keeps_its_state, a_full_buffer_is_reported_once_at_the_end,
      misuse_ends_the_process)
