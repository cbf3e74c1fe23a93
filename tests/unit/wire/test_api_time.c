/* api_time: the milliseconds Go and Prometheus' parseTime arrive at. */
#include "wire/api_time.h"

#include "tests/unit/suite.h"

/* Printed by a Go program with parseTime of Prometheus' web/api/v1. */
static const struct golden {
    const char *text;
    int64_t t_ms;
} goldens[] = {
    {"0", 0},
    {"1", 1000},
    {"1.5", 1500},
    {"-1.5", -1500},
    {"1.0005", 1000},
    {"1.0004", 1000},
    {"1435781451.781", 1435781451781},
    {"1e9", 1000000000000},
    {"0.057", 57},
    {"-0.057", -57},
    {"1.001", 1001},
    {"1.999", 1999},
    {"1.9999", 2000},
    {"-0.0005", -1},
    {"0x10p0", 16000},
    {"1700000000.123456", 1700000000123},
    {"2015-07-01T20:10:51.781Z", 1435781451781},
    {"2015-07-01T20:10:51Z", 1435781451000},
    {"2015-07-01T20:10:51.781999999Z", 1435781451781},
    {"2015-07-01T20:10:51,7Z", 1435781451700},
    {"2015-07-01T20:10:51+01:30", 1435776051000},
    {"2015-07-01T20:10:51-08:00", 1435810251000},
    {"1969-12-31T23:59:59.999Z", -1},
    {"0001-01-01T00:00:00Z", -62135596800000},
    {"9999-12-31T23:59:59Z", 253402300799000},
    {"2016-02-29T00:00:00Z", 1456704000000},
    {"2000-02-29T12:00:00Z", 951825600000},
    {"1900-03-01T00:00:00Z", -2203891200000},
    {"0000-01-01T00:00:00Z", -62167219200000},
    {"2015-01-01T00:00:00+24:00", 1419984000000},
    {"2015-01-01T00:00:00+23:60", 1419984000000},
};

static int64_t time_of(const char *text)
{
    int64_t t_ms = 42;
    struct error err;
    ck_assert_msg(api_time_parse(str_from(text), &t_ms, &err) == OK, "%s", err.text);
    return t_ms;
}

START_TEST(times_agree_with_go)
{
    for (size_t i = 0; i < sizeof(goldens) / sizeof(goldens[0]); i++)
        ck_assert_msg(time_of(goldens[i].text) == goldens[i].t_ms, "%s", goldens[i].text);
}
END_TEST

START_TEST(the_ends_of_time_are_known)
{
    ck_assert_int_eq(time_of("-292273086-05-16T16:47:06Z"), API_TIME_MIN_MS);
    ck_assert_int_eq(time_of("292277025-08-18T07:12:54.999999999Z"), API_TIME_MAX_MS);
    ck_assert_int_eq(time_of("1e300"), API_TIME_MAX_MS);
    ck_assert_int_eq(time_of("-1e300"), API_TIME_MIN_MS);
    ck_assert_int_eq(time_of("Inf"), API_TIME_MAX_MS);
    ck_assert_int_eq(time_of("9223372036854775.807"), API_TIME_MAX_MS);
    ck_assert_int_eq(time_of("-9223372036854775808"), API_TIME_MIN_MS);
    ck_assert_int_eq(time_of("9223309901257970"), INT64_C(9223309901257970000));
}
END_TEST

START_TEST(other_texts_are_refused)
{
    static const char *const texts[] = {"2015-02-29T00:00:00Z",
                                        "1900-02-29T00:00:00Z",
                                        "2015-02-30T00:00:00Z",
                                        "2015-13-01T00:00:00Z",
                                        "2015-00-01T00:00:00Z",
                                        "2015-01-00T00:00:00Z",
                                        "2015-01-01T24:00:00Z",
                                        "2015-01-01T00:60:00Z",
                                        "2015-01-01T00:00:60Z",
                                        "2015-01-01T00:00:00",
                                        "2015-01-01",
                                        "2015-01-01 00:00:00Z",
                                        "2015-01-01T00:00:00.Z",
                                        "2015-01-01T00:00:00+0100",
                                        "2015-01-01T00:00:00z",
                                        "2015-01-01T00:00:00+25:00",
                                        "2015-01-01T00:00:00Zx",
                                        "abc",
                                        "",
                                        "1e400",
                                        "now",
                                        "NaN",
                                        "2015-07-01T20:10:51.781"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        int64_t t_ms;
        ck_assert_msg(api_time_parse(str_from(texts[i]), &t_ms, NULL) == ERR_INVALID, "%s",
                      texts[i]);
    }
    struct error err;
    int64_t t_ms;
    ck_assert_int_eq(api_time_parse(STR("x\"y"), &t_ms, &err), ERR_INVALID);
    ck_assert_str_eq(err.text, "cannot parse \"x\\\"y\" to a valid timestamp");
}
END_TEST

static int64_t duration_of(const char *text)
{
    int64_t ms = 42;
    struct error err;
    ck_assert_msg(api_duration_parse(str_from(text), &ms, &err) == OK, "%s", err.text);
    return ms;
}

START_TEST(durations_are_seconds_or_units)
{
    ck_assert_int_eq(duration_of("15"), 15000);
    ck_assert_int_eq(duration_of("0.25"), 250);
    ck_assert_int_eq(duration_of("-1"), -1000);
    ck_assert_int_eq(duration_of("0"), 0);
    ck_assert_int_eq(duration_of("1e-9"), 0);
    ck_assert_int_eq(duration_of("1h30m"), 5400000);
    ck_assert_int_eq(duration_of("500ms"), 500);
    ck_assert_int_eq(duration_of("9223372036"), 9223372036000);
}
END_TEST

static void duration_refused(const char *text, const char *words)
{
    int64_t ms;
    struct error err;
    ck_assert_int_eq(api_duration_parse(str_from(text), &ms, &err), ERR_INVALID);
    ck_assert_str_eq(err.text, words);
}

START_TEST(bad_durations_are_refused_in_prometheus_words)
{
    duration_refused("x", "cannot parse \"x\" to a valid duration");
    duration_refused("", "cannot parse \"\" to a valid duration");
    duration_refused("1ns", "cannot parse \"1ns\" to a valid duration");
    duration_refused("-1s", "cannot parse \"-1s\" to a valid duration");
    duration_refused("NaN", "cannot parse \"NaN\" to a valid duration");
    duration_refused("1e400", "cannot parse \"1e400\" to a valid duration");
    duration_refused("1e18", "cannot parse \"1e18\" to a valid duration. It overflows int64");
    duration_refused("-1e300", "cannot parse \"-1e300\" to a valid duration. It overflows int64");
    duration_refused("Inf", "cannot parse \"Inf\" to a valid duration. It overflows int64");
}
END_TEST

SUITE(api_time, times_agree_with_go, the_ends_of_time_are_known, other_texts_are_refused,
      durations_are_seconds_or_units, bad_durations_are_refused_in_prometheus_words)
