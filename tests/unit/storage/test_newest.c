/*
 * newest - when a series' newest sample was, known without a look at the series, is what reading it
 * tells.
 */
#include "storage/newest.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/storage/store.h"
#include "tests/unit/suite.h"

#define NOW_MS STORE_NOW_MS

static const struct window_grid four_hours = {.chunk_ms = 4 * HOUR_MS, .windows = 8, .slots = 9};

START_TEST(a_time_in_the_range_is_found)
{
    uint32_t word = newest_word(NOW_MS, false);
    int64_t t_ms;
    ck_assert(newest_within(word, NOW_MS - 10, NOW_MS + 10, &t_ms));
    ck_assert_int_eq(t_ms, NOW_MS);
    ck_assert(newest_within(word, NOW_MS, NOW_MS, &t_ms));
    ck_assert(!newest_within(word, NOW_MS + 1, NOW_MS + 10, &t_ms));
    ck_assert(!newest_within(word, NOW_MS - 10, NOW_MS - 1, &t_ms));
    ck_assert(!newest_within(word, NOW_MS + 1, NOW_MS, &t_ms)); /* nothing is in it */
    ck_assert(newest_within(newest_word(-5, false), -10, 10, &t_ms));
    ck_assert_int_eq(t_ms, -5);
}
END_TEST

START_TEST(a_stale_marker_is_not_found)
{
    struct sample marker = {NOW_MS, bits_to_double(STALE_NAN_BITS)};
    struct sample nan = {NOW_MS, bits_to_double(NORMAL_NAN_BITS)};
    int64_t t_ms;
    ck_assert(!newest_within(newest_of(&marker), NOW_MS - 10, NOW_MS + 10, &t_ms));
    ck_assert(newest_within(newest_of(&nan), NOW_MS - 10, NOW_MS + 10, &t_ms));
}
END_TEST

START_TEST(the_later_one_of_two_is_told_wherever_the_bits_end)
{
    for (int64_t t_ms = NOW_MS; t_ms < NOW_MS + 4 * NEWEST_SPAN_MS; t_ms += 1000003) {
        uint32_t word = newest_word(t_ms, false);
        uint32_t after = newest_word(t_ms + 1, true);
        uint32_t far = newest_word(t_ms + NEWEST_SPAN_MS - 1, false);
        EXPECT(newest_is_later(after, word) && !newest_is_later(word, after));
        EXPECT(newest_is_later(far, word) && !newest_is_later(word, far));
    }
}
END_TEST

START_TEST(windows_for_months_are_not_told_apart)
{
    struct window_grid days = {.chunk_ms = 7 * 24 * HOUR_MS, .windows = 8, .slots = 9};
    ck_assert(newest_serves(&four_hours));
    ck_assert(!newest_serves(&days));
}
END_TEST

/* ---- What is known of a series, and what is read of it ---- */

/* How many series were passed over. */
static size_t check_known(struct store *s, int64_t t_min_ms, int64_t t_max_ms)
{
    struct querier *q = store_query(s);
    struct select_request request = {.t_min_ms = t_min_ms, .t_max_ms = t_max_ms};
    struct selection found;
    struct error err;
    ck_assert(querier_select(q, &request, &found, &err) == OK);
    struct series_reader_request asked = {.series = found.series,
                                          .count = found.count,
                                          .t_min_ms = t_min_ms,
                                          .t_max_ms = t_max_ms,
                                          .newest = true,
                                          .newest_words = found.newest_words};
    struct series_reader *readers[2];
    for (size_t i = 0; i < 2; i++) {
        ck_assert(series_reader_create(q, &asked, &s->arena, &readers[i], &err) == OK);
        series_reader_skip_values(readers[i]);
    }
    struct columns columns = {.arena = &s->arena};
    size_t passed = 0;
    size_t passed_now = 0; /* and not read yet */
    for (size_t i = 0; i < found.count; i++) {
        const struct series *series;
        struct columns *read;
        EXPECT(series_read_newest(q, found.series[i], t_min_ms, t_max_ms, &columns, &err) == OK);
        bool is_value = columns.count > 0 && !sample_is_stale(columns.v[columns.count - 1]);
        EXPECT(series_reader_next(readers[0], &series, &read, &err) == OK);
        EXPECT(series == found.series[i] && (read->count > 0) == (columns.count > 0));
        if (read->count > 0) {
            EXPECT(read->t_ms[read->count - 1] == columns.t_ms[columns.count - 1]);
            EXPECT(sample_is_stale(read->v[read->count - 1]) == !is_value);
        }
        if (!passed_now) passed += passed_now = series_reader_pass_known(readers[1]);
        if (passed_now) {
            EXPECT(is_value);
            passed_now--;
            continue;
        }
        EXPECT(series_reader_next(readers[1], &series, &read, &err) == OK);
        EXPECT(series == found.series[i] && (read->count > 0) == (columns.count > 0));
    }
    querier_close(q);
    arena_reset(&s->arena);
    return passed;
}

static struct labels number(struct store *s, int i)
{
    return store_labels(&s->arena, "i", arena_printf(&s->arena, "%d", i).data, NULL);
}

enum { SERIES = 50 };

START_TEST(series_with_a_sample_now_are_passed_over)
{
    struct store s;
    store_open(&s);
    for (int i = 0; i < SERIES; i++)
        store_append(&s, number(&s, i), NOW_MS - i * 1000, 1);
    ck_assert_uint_eq(check_known(&s, NOW_MS - 5 * 60000, NOW_MS), SERIES);
    ck_assert_uint_le(check_known(&s, NOW_MS - 9999, NOW_MS), 10);
    store_append(&s, number(&s, 7), NOW_MS, bits_to_double(STALE_NAN_BITS));
    ck_assert_uint_lt(check_known(&s, NOW_MS - 5 * 60000, NOW_MS), SERIES);
    ck_assert_uint_lt(check_known(&s, NOW_MS - 5 * 60000, NOW_MS - 3000), SERIES - 3);
    store_close(&s);
}
END_TEST

START_TEST(an_older_sample_says_nothing_new)
{
    struct store s;
    store_open(&s);
    for (int i = 0; i < SERIES; i++) {
        store_append(&s, number(&s, i), NOW_MS, 1);
        store_append(&s, number(&s, i), NOW_MS - 1000, 1);        /* late */
        store_append(&s, number(&s, i), NOW_MS - 9 * HOUR_MS, 1); /* of a window before it */
        store_append(&s, number(&s, i), NOW_MS - 8 * HOUR_MS, bits_to_double(STALE_NAN_BITS));
    }
    ck_assert_uint_eq(check_known(&s, NOW_MS - 5 * 60000, NOW_MS), SERIES);
    store_close(&s);
}
END_TEST

START_TEST(a_view_that_was_told_of_a_change_looks)
{
    struct store s;
    store_open(&s);
    for (int i = 0; i < SERIES; i++)
        store_append(&s, number(&s, i), NOW_MS - 60000, 1);
    struct querier *q = store_query(&s);
    store_append(&s, number(&s, 3), NOW_MS, 1);
    struct select_request request = {.t_min_ms = NOW_MS - 5 * 60000, .t_max_ms = NOW_MS};
    struct selection found;
    ck_assert(querier_select(q, &request, &found, NULL) == OK);
    struct series_reader_request asked = {.series = found.series,
                                          .count = found.count,
                                          .t_min_ms = request.t_min_ms,
                                          .t_max_ms = request.t_max_ms,
                                          .newest = true,
                                          .newest_words = found.newest_words};
    struct series_reader *reader;
    ck_assert(series_reader_create(q, &asked, &s.arena, &reader, NULL) == OK);
    series_reader_skip_values(reader);
    ck_assert_uint_eq(series_reader_pass_known(reader), 0);
    for (size_t i = 0; i < SERIES; i++) {
        const struct series *series;
        struct columns *read;
        ck_assert(series_reader_next(reader, &series, &read, NULL) == OK);
        ck_assert_uint_eq(read->count, 1);
        ck_assert_int_eq(read->t_ms[0], NOW_MS - 60000);
    }
    querier_close(q);
    store_close(&s);
}
END_TEST

/* A few samples of a series around now: in order, late, far back, markers, runs. */
static void write_some(struct store *s, int64_t now_ms)
{
    static const int64_t backs_ms[] = {0, 0, 0, 0, 1000, 20000, HOUR_MS, 5 * HOUR_MS, 30 * HOUR_MS};
    struct sample samples[40];
    size_t count = random() % 5 ? 1 : 1 + (size_t)random() % 40;
    int64_t t_ms = now_ms - backs_ms[random() % (long)ARRAY_COUNT(backs_ms)];
    for (size_t n = count; n-- > 0; t_ms -= 1 + random() % 15000)
        samples[n] = (struct sample){t_ms, random() % 8 ? (double)(random() % 9)
                                                        : bits_to_double(STALE_NAN_BITS)};
    store_append_many(s, number(s, (int)(random() % SERIES)), samples, count);
    arena_reset(&s->arena);
}

START_TEST(whatever_came_what_is_known_is_what_is_read)
{
    struct store s;
    unsigned seed = 1;
    size_t passed = 0;
    srandom(seed);
    store_open(&s);
    for (int round = 0; round < 400; round++) {
        int64_t now_ms = clock_wall_ms();
        for (long n = random() % 60; n > 0; n--)
            write_some(&s, now_ms);
        if (random() % 4 == 0) store_settle(&s);
        int64_t t_max_ms = random() % 3 ? now_ms : now_ms - random() % (8 * HOUR_MS);
        passed += check_known(&s, t_max_ms - 300000 + 1, t_max_ms);
        clock_advance(random() % 30 ? random() % 30000 : random() % (40 * HOUR_MS));
    }
    printf("seed %u, passed %zu\n", seed, passed);
    ck_assert_uint_gt(passed, 1000);
    store_close(&s);
}
END_TEST

SUITE(newest, a_time_in_the_range_is_found, a_stale_marker_is_not_found,
      the_later_one_of_two_is_told_wherever_the_bits_end, windows_for_months_are_not_told_apart,
      series_with_a_sample_now_are_passed_over, an_older_sample_says_nothing_new,
      a_view_that_was_told_of_a_change_looks, whatever_came_what_is_known_is_what_is_read)
