/* forecast: what a few windows say about all of them. */
#include "server/forecast.h"

#include "tests/unit/suite.h"

enum { CHUNK_MS = 1600, RETAINED = 8, REST = 1000 };

/* The forecast at a time, of windows that begin at 0, CHUNK_MS, ... */
static uint64_t at(int64_t now_ms, const struct window_bytes *windows, size_t count)
{
    struct forecast_input in = {.windows = windows,
                                .count = count,
                                .used_bytes = REST,
                                .now_ms = now_ms,
                                .chunk_ms = CHUNK_MS,
                                .retained = RETAINED};
    for (size_t i = 0; i < count; i++)
        in.used_bytes += windows[i].open + windows[i].sealed + windows[i].tail + windows[i].deleted;
    return forecast_bytes(&in);
}

START_TEST(nothing_is_said_before_a_pace_can_be_seen)
{
    const struct window_bytes first[] = {{.start_ms = 0, .open = 10}};
    ck_assert_uint_eq(at(CHUNK_MS / 16 - 1, first, 1), 0);
    ck_assert_uint_eq(at(CHUNK_MS / 16, NULL, 0), 0);
}
END_TEST

START_TEST(an_open_window_stands_in_for_sealed_ones_until_there_is_one)
{
    const struct window_bytes first[] = {{.start_ms = 0, .open = 100}};
    ck_assert_uint_eq(at(CHUNK_MS / 4, first, 1), REST + (RETAINED + 1) * 400);
    ck_assert_uint_eq(at(CHUNK_MS, first, 1), REST + (RETAINED + 1) * 100);
}
END_TEST

START_TEST(the_newest_sealed_window_speaks_for_all)
{
    const struct window_bytes rows[] = {
        {.start_ms = 0, .sealed = 500},
        {.start_ms = CHUNK_MS, .sealed = 80, .tail = 20, .deleted = 7},
        {.start_ms = 2 * (int64_t)CHUNK_MS, .open = 200}};
    ck_assert_uint_eq(at(2 * CHUNK_MS + CHUNK_MS / 2, rows, 3), REST + RETAINED * 100 + 400);
}
END_TEST

START_TEST(a_closed_window_that_is_not_sealed_yet_is_open)
{
    const struct window_bytes rows[] = {{.start_ms = 0, .sealed = 100},
                                        {.start_ms = CHUNK_MS, .open = 300, .sealed = 20},
                                        {.start_ms = 2 * (int64_t)CHUNK_MS, .open = 1}};
    ck_assert_uint_eq(at(2 * CHUNK_MS + 1, rows, 3), REST + RETAINED * 100 + 300);
}
END_TEST

SUITE(forecast, nothing_is_said_before_a_pace_can_be_seen,
      an_open_window_stands_in_for_sealed_ones_until_there_is_one,
      the_newest_sealed_window_speaks_for_all, a_closed_window_that_is_not_sealed_yet_is_open)
