/* querier_select - which series a list of matchers means. */
#include "storage/select.h"

#include "tests/unit/storage/store.h"
#include "tests/unit/suite.h"

static size_t count_matches(struct store *s, enum matcher_type type, const char *name,
                            const char *value)
{
    struct matcher m = store_matcher(type, name, value);
    struct querier *q = store_query(s);
    size_t count = store_select(q, &m, 1).count;
    querier_close(q);
    matcher_release(&m);
    return count;
}

START_TEST(absent_labels_have_the_empty_value)
{
    struct store s;
    store_open(&s);
    store_append(&s, store_labels(&s.arena, "__name__", "a", "job", "x", NULL), STORE_NOW_MS, 1);
    store_append(&s, store_labels(&s.arena, "__name__", "b", "job", "y", NULL), STORE_NOW_MS, 1);
    store_append(&s, store_labels(&s.arena, "__name__", "c", NULL), STORE_NOW_MS, 1);
    store_append(&s, (struct labels){0}, STORE_NOW_MS, 1);
    ck_assert_uint_eq(count_matches(&s, MATCH_EQUAL, "job", ""), 2);
    ck_assert_uint_eq(count_matches(&s, MATCH_NOT_EQUAL, "job", ""), 2);
    ck_assert_uint_eq(count_matches(&s, MATCH_NOT_EQUAL, "job", "x"), 3);
    ck_assert_uint_eq(count_matches(&s, MATCH_REGEX, "job", ".*"), 4);
    ck_assert_uint_eq(count_matches(&s, MATCH_REGEX, "job", ".+"), 2);
    ck_assert_uint_eq(count_matches(&s, MATCH_REGEX, "job", "x|"), 3);
    ck_assert_uint_eq(count_matches(&s, MATCH_REGEX, "job", "x|y"), 2);
    ck_assert_uint_eq(count_matches(&s, MATCH_NOT_REGEX, "job", "x|"), 1);
    ck_assert_uint_eq(count_matches(&s, MATCH_NOT_REGEX, "job", ".+"), 2);
    ck_assert_uint_eq(count_matches(&s, MATCH_NOT_REGEX, "job", ".*"), 0);
    ck_assert_uint_eq(count_matches(&s, MATCH_EQUAL, "zone", ""), 4);
    ck_assert_uint_eq(count_matches(&s, MATCH_NOT_EQUAL, "zone", ""), 0);
    ck_assert_uint_eq(count_matches(&s, MATCH_EQUAL, "zone", "z"), 0);
    ck_assert_uint_eq(count_matches(&s, MATCH_NOT_EQUAL, "zone", "z"), 4);
    ck_assert_uint_eq(count_matches(&s, MATCH_REGEX, "zone", "z.*"), 0);
    store_close(&s);
}
END_TEST

START_TEST(series_come_sorted_and_no_more_than_the_limit)
{
    struct store s;
    struct error err;
    store_open(&s);
    for (int i = 0; i < 300; i++) {
        struct str text = arena_printf(&s.arena, "%d", i * 7919 % 1000);
        store_append(&s, store_labels(&s.arena, "__name__", "m", "i", text.data, NULL),
                     STORE_NOW_MS, 1);
    }
    store_append(&s, store_labels(&s.arena, "__name__", "m", NULL), STORE_NOW_MS, 1);
    struct querier *q = store_query(&s);
    struct selection selection = store_select(q, NULL, 0);
    ck_assert_uint_eq(selection.count, 301);
    for (size_t i = 1; i < selection.count; i++)
        ck_assert_int_lt(
            labels_compare(labels_of(selection.series[i - 1]), labels_of(selection.series[i])), 0);
    struct select_request request = {.t_min_ms = INT64_MIN, .t_max_ms = INT64_MAX, .limit = 10};
    ck_assert(querier_select(q, &request, &selection, &err) == OK);
    ck_assert_uint_eq(selection.count, 10);
    querier_close(q);
    store_close(&s);
}
END_TEST

/* Series i has even = yes or no, and tens = i / 10. */
static void fill(struct store *s, int count)
{
    for (int i = 0; i < count; i++) {
        struct str number = arena_printf(&s->arena, "%d", i);
        struct str tens = arena_printf(&s->arena, "%d", i / 10);
        store_append(s,
                     store_labels(&s->arena, "even", i % 2 ? "no" : "yes", "i", number.data, "tens",
                                  tens.data, NULL),
                     STORE_NOW_MS, 1);
    }
}

START_TEST(large_sets_and_small_ones_are_combined_in_any_order)
{
    struct store s;
    store_open(&s);
    fill(&s, 6000); /* more values than are looked up in the postings */
    struct {
        struct matcher matchers[3];
        size_t count;
        size_t expected;
    } cases[] = {
        {{store_matcher(MATCH_EQUAL, "even", "yes")}, 1, 3000},
        {{store_matcher(MATCH_NOT_EQUAL, "even", "yes")}, 1, 3000},
        {{store_matcher(MATCH_REGEX, "i", "[0-9]*7")}, 1, 600},
        {{store_matcher(MATCH_REGEX, "i", "[0-9]+")}, 1, 6000},
        {{store_matcher(MATCH_REGEX, "i", "[0-9]?[0-9]?[0-9]?[1-9]")}, 1, 5400},
        {{store_matcher(MATCH_NOT_REGEX, "i", "[0-9]*[1-9]")}, 1, 600},
        {{store_matcher(MATCH_REGEX, "i", "[0-9]*7"), store_matcher(MATCH_EQUAL, "even", "yes")},
         2,
         0},
        {{store_matcher(MATCH_REGEX, "i", "[0-9]*[78]"), store_matcher(MATCH_EQUAL, "even", "yes"),
          store_matcher(MATCH_EQUAL, "tens", "12")},
         3,
         1},
        {{store_matcher(MATCH_REGEX, "tens", "1|2|3"),
          store_matcher(MATCH_NOT_EQUAL, "even", "no")},
         2,
         15},
        {{store_matcher(MATCH_NOT_REGEX, "tens", "[1-9].*"), store_matcher(MATCH_REGEX, "i", ".+")},
         2,
         10},
    };
    for (size_t c = 0; c < ARRAY_COUNT(cases); c++) {
        struct querier *q = store_query(&s);
        ck_assert_uint_eq(store_select(q, cases[c].matchers, cases[c].count).count,
                          cases[c].expected);
        querier_close(q);
        for (size_t i = 0; i < cases[c].count; i++)
            matcher_release(&cases[c].matchers[i]);
        arena_reset(&s.arena);
    }
    store_close(&s);
}
END_TEST

START_TEST(a_range_is_cut_to_what_is_retained)
{
    struct store s;
    store_open(&s);
    struct storage_bounds b = storage_bounds(s.db);
    struct querier *q = store_query(&s);
    struct select_range all = select_clamp(q, INT64_MIN, INT64_MAX);
    ck_assert(!all.empty);
    ck_assert_int_eq(all.t_min_ms, b.oldest_ms);
    ck_assert_int_eq(all.t_max_ms, b.newest_ms);
    ck_assert_int_eq(all.first_window, b.oldest_window);
    ck_assert(select_clamp(q, INT64_MIN, b.oldest_ms - 1).empty);
    ck_assert(select_clamp(q, b.newest_ms + 1, INT64_MAX).empty);
    ck_assert(select_clamp(q, STORE_NOW_MS, STORE_NOW_MS - 1).empty);
    ck_assert(!select_clamp(q, STORE_NOW_MS, STORE_NOW_MS).empty);
    querier_close(q);
    store_close(&s);
}
END_TEST

SUITE(querier_select, absent_labels_have_the_empty_value,
      series_come_sorted_and_no_more_than_the_limit,
      large_sets_and_small_ones_are_combined_in_any_order, a_range_is_cut_to_what_is_retained)
