/* duration: what Prometheus accepts, refuses and prints. */
#include "model/duration.h"

#include <inttypes.h>
#include <stdint.h>

#include "tests/unit/suite.h"

static int64_t parsed(const char *text)
{
    int64_t ms = -1;
    ck_assert_msg(duration_parse(str_from(text), &ms, NULL) == OK, "%s", text);
    return ms;
}

static void refused(const char *text, const char *words)
{
    struct error err;
    int64_t ms = 42;
    ck_assert_int_eq(duration_parse(str_from(text), &ms, &err), ERR_INVALID);
    ck_assert_str_eq(err.text, words);
    ck_assert_int_eq(ms, 42);
}

static const char *printed(int64_t ms)
{
    static char text[DURATION_TEXT_BYTES + 1];
    size_t size = duration_format(text, ms);
    ck_assert_uint_le(size, DURATION_TEXT_BYTES);
    text[size] = '\0';
    return text;
}

START_TEST(units_add_up)
{
    ck_assert_int_eq(parsed("0"), 0);
    ck_assert_int_eq(parsed("0s"), 0);
    ck_assert_int_eq(parsed("5ms"), 5);
    ck_assert_int_eq(parsed("1s"), 1000);
    ck_assert_int_eq(parsed("1h30m"), 5400000);
    ck_assert_int_eq(parsed("1y2w3d4h5m6s7ms"), 33019506007);
    ck_assert_int_eq(parsed("292y"), INT64_C(292) * 365 * 24 * 3600 * 1000);
}
END_TEST

START_TEST(bad_texts_are_refused_in_prometheus_words)
{
    refused("", "empty duration string");
    refused("1", "not a valid duration string: \"1\"");
    refused("-5m", "not a valid duration string: \"-5m\"");
    refused("m", "not a valid duration string: \"m\"");
    refused("1m1h", "not a valid duration string: \"1m1h\"");
    refused("1y1y", "not a valid duration string: \"1y1y\"");
    refused("1.5h", "unknown unit \".\" in duration \"1.5h\"");
    refused("5x", "unknown unit \"x\" in duration \"5x\"");
    refused("5 m", "unknown unit \" m\" in duration \"5 m\"");
    refused("1M", "unknown unit \"M\" in duration \"1M\"");
}
END_TEST

START_TEST(out_of_range_is_refused)
{
    refused("293y", "duration out of range");
    refused("99999999999999y", "duration out of range");
    refused("99999999999999999999999999999999ms", "duration out of range");
    refused("292y52w", "duration out of range");
    ck_assert_int_eq(parsed("9223372036854ms"), 9223372036854);
    refused("9223372036855ms", "duration out of range");
}
END_TEST

START_TEST(a_unit_cut_by_the_end_of_the_view_is_not_read)
{
    int64_t ms;
    ck_assert_int_eq(duration_parse((struct str){"5ms", 2}, &ms, NULL), OK);
    ck_assert_int_eq(ms, 300000);
}
END_TEST

START_TEST(printing_uses_years_and_weeks_only_when_exact)
{
    ck_assert_str_eq(printed(0), "0s");
    ck_assert_str_eq(printed(324), "324ms");
    ck_assert_str_eq(printed(300000), "5m");
    ck_assert_str_eq(printed(5400000), "1h30m");
    ck_assert_str_eq(printed(-300000), "-5m");
    ck_assert_str_eq(printed(INT64_C(7) * 86400000), "1w");
    ck_assert_str_eq(printed(INT64_C(8) * 86400000), "8d");
    ck_assert_str_eq(printed(INT64_C(365) * 86400000), "1y");
    ck_assert_str_eq(printed(INT64_C(366) * 86400000), "366d");
    ck_assert_str_eq(printed(90061001), "1d1h1m1s1ms");
    ck_assert_str_eq(printed(INT64_MIN), "-106751991167d7h12m55s808ms");
}
END_TEST

START_TEST(what_is_printed_reads_back)
{
    unsigned seed = 7;
    for (int i = 0; i < 20000; i++) {
        seed = seed * 1664525u + 1013904223u;
        int64_t ms = (int64_t)seed << (seed >> 29);
        ck_assert_msg(parsed(printed(ms)) == ms, "%" PRId64, ms);
    }
}
END_TEST

SUITE(duration, units_add_up, bad_texts_are_refused_in_prometheus_words, out_of_range_is_refused,
      a_unit_cut_by_the_end_of_the_view_is_not_read, printing_uses_years_and_weeks_only_when_exact,
      what_is_printed_reads_back)
