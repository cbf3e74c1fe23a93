/*
 * func_date - the parts of a date in UTC, and time().
 *
 * Values are seconds since 1970, cut to whole ones. The calendar is the proleptic Gregorian one,
 * by the day count of Hinnant, "chrono-compatible low-level date algorithms".
 */
#include "base/bits.h"
#include "promql/func_impl.h"

struct date {
    int64_t year;
    int month; /* 1 .. 12 */
    int day;   /* 1 .. 31 */
};

enum { SECONDS_PER_DAY = 86400 };

/* What Go makes of a double that no int64 holds, NaN too, on amd64: the least int64, which its
 * calendar then wraps to 2^63 seconds, a late December afternoon. */
struct moment {
    int64_t day; /* since 1970 */
    int64_t second_of_day;
};

static struct moment moment_of(double v)
{
    const double bound = 9223372036854775808.0;
    const uint64_t wrapped = UINT64_C(1) << 63;
    if (!(v > -bound && v < bound))
        return (struct moment){.day = (int64_t)(wrapped / SECONDS_PER_DAY),
                               .second_of_day = (int64_t)(wrapped % SECONDS_PER_DAY)};
    int64_t day = bits_floor_div((int64_t)v, SECONDS_PER_DAY);
    int64_t second = (int64_t)v % SECONDS_PER_DAY;
    return (struct moment){.day = day,
                           .second_of_day = second < 0 ? second + SECONDS_PER_DAY : second};
}

/* Years of this count start in March, so that the leap day is the last. */
static struct date date_of(int64_t days)
{
    enum { DAYS_PER_ERA = 146097, DAYS_TO_1970 = 719468 };
    days += DAYS_TO_1970;
    int64_t era = bits_floor_div(days, DAYS_PER_ERA);
    int64_t day_of_era = days - era * DAYS_PER_ERA;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t shifted = (5 * day_of_year + 2) / 153; /* 0: March */
    int month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
    return (struct date){
        .year = year_of_era + era * 400 + (month <= 2),
        .month = month,
        .day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1),
    };
}

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_before(const struct date *date)
{
    static const int before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
    return before[date->month - 1] + (date->month > 2 && is_leap(date->year));
}

static int days_in(const struct date *date)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[date->month - 1] + (date->month == 2 && is_leap(date->year));
}

static int week_day(int64_t days)
{
    int64_t since_sunday = days + 4; /* 1970-01-01 was a Thursday */
    return (int)(since_sunday - bits_floor_div(since_sunday, 7) * 7);
}

#define DATE_PART(name, expression)                                                                \
    static bool map_##name(double v, const double *args, size_t arg_count, double *out)            \
    {                                                                                              \
        (void)args;                                                                                \
        (void)arg_count;                                                                           \
        struct moment moment = moment_of(v);                                                       \
        struct date date = date_of(moment.day);                                                    \
        (void)date;                                                                                \
        int64_t part = (expression);                                                               \
        *out = (double)part;                                                                       \
        return true;                                                                               \
    }                                                                                              \
    const struct function_impl func_##name = {                                                     \
        .kind = FUNCTION_MAP, .uses_time = true, .map = map_##name}

DATE_PART(minute, moment.second_of_day / 60 % 60);
DATE_PART(hour, moment.second_of_day / 3600);
DATE_PART(day_of_week, week_day(moment.day));
DATE_PART(day_of_month, date.day);
DATE_PART(day_of_year, days_before(&date) + date.day);
DATE_PART(days_in_month, days_in(&date));
DATE_PART(month, date.month);
DATE_PART(year, date.year);

static enum status scalar_time(struct eval *ev, const struct ast *call,
                               const struct eval_range *range, double *out, struct error *err)
{
    (void)ev;
    (void)call;
    (void)err;
    for (size_t i = 0; i < range->steps; i++)
        out[i] = (double)eval_step_ms(range, i) / 1000;
    return OK;
}

const struct function_impl func_time = {
    .kind = FUNCTION_SCALAR, .uses_time = true, .scalar = scalar_time};
