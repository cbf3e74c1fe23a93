/*
 * duration - a port of ParseDuration and String of prometheus/common/model, which count in
 * nanoseconds: the range is that of Go's time.Duration, 292 years.
 */
#include "model/duration.h"

#include <stdbool.h>
#include <stdio.h>

/* Biggest first: a text may only go down this table. */
static const struct unit {
    const char *name;
    uint64_t ms;
} units[] = {
    {"y", UINT64_C(365) * 24 * 3600 * 1000},
    {"w", UINT64_C(7) * 24 * 3600 * 1000},
    {"d", UINT64_C(24) * 3600 * 1000},
    {"h", UINT64_C(3600) * 1000},
    {"m", UINT64_C(60) * 1000},
    {"s", 1000},
    {"ms", 1},
};

enum { UNIT_COUNT = sizeof(units) / sizeof(units[0]) };

static const uint64_t ms_max = INT64_MAX / 1000000; /* what fits nanoseconds in an int64 */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Read digits from *at; ms_max + 1 stands for every larger number. */
static uint64_t take_number(const char **at, const char *end)
{
    uint64_t number = 0;
    for (; *at < end && is_digit(**at); (*at)++) {
        number = number * 10 + (uint64_t)(**at - '0');
        if (number > ms_max) number = ms_max + 1;
    }
    return number;
}

static struct str take_unit(const char **at, const char *end)
{
    const char *start = *at;
    while (*at < end && !is_digit(**at))
        (*at)++;
    return (struct str){.data = start, .size = (size_t)(*at - start)};
}

static int find_unit(struct str name)
{
    int i = 0;
    while (i < UNIT_COUNT && !str_equal(name, str_from(units[i].name)))
        i++;
    return i;
}

static enum status invalid(struct str text, struct error *err)
{
    return error_set(err, ERR_INVALID, "not a valid duration string: \"%.*s\"", STR_ARG(text));
}

enum status duration_parse(struct str text, int64_t *out_ms, struct error *err)
{
    if (text.size == 0) return error_set(err, ERR_INVALID, "empty duration string");
    uint64_t total = 0;
    const char *at = text.data;
    const char *end = at + text.size;
    int next = 0;

    if (str_equal(text, STR("0"))) {
        *out_ms = 0;
        return OK;
    }
    while (at < end) {
        if (!is_digit(*at)) return invalid(text, err);
        uint64_t number = take_number(&at, end);
        struct str name = take_unit(&at, end);
        if (name.size == 0) return invalid(text, err);
        int unit = find_unit(name);
        if (unit == UNIT_COUNT)
            return error_set(err, ERR_INVALID, "unknown unit \"%.*s\" in duration \"%.*s\"",
                             STR_ARG(name), STR_ARG(text));
        if (unit < next) return invalid(text, err);
        next = unit + 1;
        if (number > ms_max / units[unit].ms || total + number * units[unit].ms > ms_max)
            return error_set(err, ERR_INVALID, "duration out of range");
        total += number * units[unit].ms;
    }
    *out_ms = (int64_t)total;
    return OK;
}

size_t duration_format(char *out, int64_t ms)
{
    size_t size = 0;
    uint64_t rest = ms < 0 ? -(uint64_t)ms : (uint64_t)ms;
    if (rest == 0) return (size_t)snprintf(out, DURATION_TEXT_BYTES, "0s");
    if (ms < 0) out[size++] = '-';
    for (int i = 0; i < UNIT_COUNT; i++) {
        /* Years and weeks only when nothing is left over: 90d reads better than 12w6d. */
        bool whole_only = units[i].name[0] == 'y' || units[i].name[0] == 'w';
        if (whole_only && rest % units[i].ms != 0) continue;
        uint64_t count = rest / units[i].ms;
        if (count == 0) continue;
        size += (size_t)snprintf(out + size, DURATION_TEXT_BYTES - size, "%llu%s",
                                 (unsigned long long)count, units[i].name);
        rest -= count * units[i].ms;
    }
    return size;
}
