/*
 * api_time - the arithmetic of parseTime and parseDuration in Prometheus' web/api/v1, doubles and
 * all, so that a time given as text falls on the same millisecond there and here.
 */
#include "wire/api_time.h"

#include <math.h>
#include <stdbool.h>

#include "base/bits.h"
#include "base/log.h"
#include "model/duration.h"
#include "model/number.h"

static int64_t clamp(int64_t t_ms)
{
    if (t_ms < API_TIME_MIN_MS) return API_TIME_MIN_MS;
    return t_ms > API_TIME_MAX_MS ? API_TIME_MAX_MS : t_ms;
}

static int64_t ms_from_seconds(double seconds)
{
    const double seconds_bound = 9223309901257974.0;
    if (seconds >= seconds_bound) return API_TIME_MAX_MS;
    if (seconds <= -seconds_bound) return API_TIME_MIN_MS;
    double whole;
    double fraction = round(modf(seconds, &whole) * 1000) / 1000;
    int64_t ns = (int64_t)(fraction * 1e9);
    return clamp((int64_t)whole * 1000 + bits_floor_div(ns, 1000000));
}

/* A reader of fixed-width texts; failed is sticky. */
struct reader {
    const char *at;
    const char *end;
    bool failed;
};

static int take_digits(struct reader *r, int count)
{
    int number = 0;
    for (; count > 0; count--) {
        if (r->at == r->end || *r->at < '0' || *r->at > '9') {
            r->failed = true;
            return 0;
        }
        number = number * 10 + (*r->at++ - '0');
    }
    return number;
}

static bool take_if(struct reader *r, char c)
{
    if (r->at == r->end || *r->at != c) return false;
    r->at++;
    return true;
}

static void take(struct reader *r, char c)
{
    if (!take_if(r, c)) r->failed = true;
}

static int take_in_range(struct reader *r, int least, int most)
{
    int number = take_digits(r, 2);
    if (number < least || number > most) r->failed = true;
    return number;
}

/* Decimals behind the seconds: milliseconds, the rest is only checked. */
static int64_t take_fraction_ms(struct reader *r)
{
    int64_t ms = 0;
    int64_t weight = 100;
    if (!take_if(r, '.') && !take_if(r, ',')) return 0;
    if (r->at == r->end || *r->at < '0' || *r->at > '9') r->failed = true;
    for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++) {
        ms += (*r->at - '0') * weight;
        weight /= 10;
    }
    return ms;
}

/* Z, +hh:mm or -hh:mm, with the bounds Go's parser has. */
static int64_t take_offset_s(struct reader *r)
{
    if (take_if(r, 'Z')) return 0;
    bool west = take_if(r, '-');
    if (!west) take(r, '+');
    int64_t offset = take_in_range(r, 0, 24) * INT64_C(3600);
    take(r, ':');
    offset += take_in_range(r, 0, 60) * INT64_C(60);
    return west ? -offset : offset;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* Days since 1970-01-01 of a date of the Gregorian calendar (H. Hinnant, days_from_civil): years
 * are counted from March, so that the leap day is the last of its year. */
static int64_t days_from_date(int year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = bits_floor_div(y, 400);
    int64_t year_of_era = y - era * 400;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146097 + day_of_era - 719468;
}

static bool parse_rfc3339(struct str text, int64_t *out_t_ms)
{
    struct reader r = {.at = text.data, .end = text.data + text.size, .failed = false};
    int year = take_digits(&r, 4);
    take(&r, '-');
    int month = take_in_range(&r, 1, 12);
    take(&r, '-');
    if (r.failed) return false;
    int day = take_in_range(&r, 1, days_in_month(year, month));
    take(&r, 'T');
    int64_t seconds = days_from_date(year, month, day) * 86400;
    seconds += take_in_range(&r, 0, 23) * INT64_C(3600);
    take(&r, ':');
    seconds += take_in_range(&r, 0, 59) * INT64_C(60);
    take(&r, ':');
    seconds += take_in_range(&r, 0, 59);
    int64_t fraction_ms = take_fraction_ms(&r);
    seconds -= take_offset_s(&r);
    if (r.failed || r.at != r.end) return false;
    *out_t_ms = seconds * 1000 + fraction_ms;
    return true;
}

enum status api_time_parse(struct str text, int64_t *out_t_ms, struct error *err)
{
    double seconds;
    if (number_parse(text, &seconds) && !isnan(seconds)) {
        *out_t_ms = ms_from_seconds(seconds);
        return OK;
    }
    if (text.size > 0 && parse_rfc3339(text, out_t_ms)) return OK;
    if (str_equal(text, STR("-292273086-05-16T16:47:06Z"))) {
        *out_t_ms = API_TIME_MIN_MS;
        return OK;
    }
    if (str_equal(text, STR("292277025-08-18T07:12:54.999999999Z"))) {
        *out_t_ms = API_TIME_MAX_MS;
        return OK;
    }
    return error_set(err, ERR_INVALID, "cannot parse %s to a valid timestamp", LOG_TEXT(text));
}

enum status api_duration_parse(struct str text, int64_t *out_ms, struct error *err)
{
    double seconds;
    if (number_parse(text, &seconds) && !isnan(seconds)) {
        /* Go counts in nanoseconds; 2^63 of them are the bound. */
        if (fabs(seconds * 1e9) > 0x1p63)
            return error_set(err, ERR_INVALID,
                             "cannot parse %s to a valid duration. It overflows int64",
                             LOG_TEXT(text));
        *out_ms = (int64_t)(seconds * 1e9 / 1e6);
        return OK;
    }
    if (duration_parse(text, out_ms, NULL) == OK) return OK;
    return error_set(err, ERR_INVALID, "cannot parse %s to a valid duration", LOG_TEXT(text));
}
