/* window - the grid, at ordinary times and at the ends of int64. */
#include "storage/window.h"

#include "tests/unit/suite.h"

static struct window_grid grid_of(int64_t chunk_ms, uint32_t windows, int64_t future_ms)
{
    return (struct window_grid){
        .chunk_ms = chunk_ms,
        .windows = windows,
        .future_ms = future_ms,
        .slots = windows + (uint32_t)window_ahead(chunk_ms, future_ms),
    };
}

START_TEST(windows_are_aligned_to_zero_and_floor_negative_times)
{
    struct window_grid g = grid_of(100, 8, 10);
    ck_assert_int_eq(window_of(&g, 0), 0);
    ck_assert_int_eq(window_of(&g, 99), 0);
    ck_assert_int_eq(window_of(&g, 100), 1);
    ck_assert_int_eq(window_of(&g, -1), -1);
    ck_assert_int_eq(window_of(&g, -100), -1);
    ck_assert_int_eq(window_of(&g, -101), -2);
    ck_assert_int_eq(window_start_ms(&g, -1), -100);
    ck_assert_int_eq(window_end_ms(&g, -1), -1);
}
END_TEST

START_TEST(slots_cycle_through_negative_windows_too)
{
    struct window_grid g = grid_of(100, 8, 10);
    ck_assert_uint_eq(g.slots, 9);
    for (int64_t window = -40; window < 40; window++) {
        ck_assert_uint_lt(window_slot(&g, window), g.slots);
        ck_assert_uint_eq(window_slot(&g, window + 1), (window_slot(&g, window) + 1) % g.slots);
    }
}
END_TEST

START_TEST(bounds_hold_the_current_window_and_those_before_it)
{
    struct window_grid g = grid_of(100, 8, 10);
    struct storage_bounds b = window_bounds(&g, 1234);
    ck_assert_int_eq(b.current_window, 12);
    ck_assert_int_eq(b.oldest_window, 5);
    ck_assert_int_eq(b.oldest_ms, 500);
    ck_assert_int_eq(b.newest_ms, 1244);
}
END_TEST

START_TEST(the_ends_of_time_do_not_overflow)
{
    int64_t ends[] = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, INT64_MAX - 1, INT64_MAX};
    int64_t widths[] = {1, 2, 7, 14400000, INT64_MAX};
    for (size_t i = 0; i < ARRAY_COUNT(ends); i++) {
        for (size_t w = 0; w < ARRAY_COUNT(widths); w++) {
            struct window_grid g = grid_of(widths[w], 8, 10);
            int64_t window = window_of(&g, ends[i]);
            ck_assert_int_le(window_start_ms(&g, window), ends[i]);
            ck_assert_int_ge(window_end_ms(&g, window), ends[i]);
            struct storage_bounds b = window_bounds(&g, ends[i]);
            ck_assert_int_le(b.oldest_window, b.current_window);
            ck_assert_int_le(b.oldest_ms, ends[i]);
            ck_assert_int_ge(b.newest_ms, ends[i]);
            ck_assert_uint_lt(window_slot(&g, window), g.slots);
        }
    }
}
END_TEST

START_TEST(visible_windows_never_share_a_slot)
{
    int64_t futures[] = {0, 1, 99, 100, 101, 250, 1000};
    for (size_t f = 0; f < ARRAY_COUNT(futures); f++) {
        struct window_grid g = grid_of(100, 3, futures[f]);
        for (int64_t now = -500; now < 500; now += 7) {
            struct storage_bounds b = window_bounds(&g, now);
            int64_t newest = window_of(&g, b.newest_ms);
            ck_assert_int_le(newest - b.oldest_window + 1, (int64_t)g.slots);
        }
    }
}
END_TEST

SUITE(window, windows_are_aligned_to_zero_and_floor_negative_times,
      slots_cycle_through_negative_windows_too, bounds_hold_the_current_window_and_those_before_it,
      the_ends_of_time_do_not_overflow, visible_windows_never_share_a_slot)
