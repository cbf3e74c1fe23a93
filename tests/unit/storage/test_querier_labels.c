/* querier_labels - names and values, from the index and from series. */
#include "storage/querier.h"

#include <string.h>

#include "base/thread.h"
#include "tests/unit/storage/store.h"
#include "tests/unit/suite.h"

static const struct select_request everything = {.t_min_ms = INT64_MIN, .t_max_ms = INT64_MAX};

/* The list as one text, "a,b,c". */
static const char *joined(struct store *s, const struct str_list *list)
{
    const char *text = "";
    for (size_t i = 0; i < list->count; i++)
        text =
            arena_printf(&s->arena, "%s%s%.*s", text, i ? "," : "", STR_ARG(list->items[i])).data;
    return text;
}

static const char *names_of(struct store *s, const struct select_request *request)
{
    struct str_list list;
    struct error err;
    struct querier *q = store_query(s);
    ck_assert(querier_label_names(q, request, &list, &err) == OK);
    const char *text = joined(s, &list);
    querier_close(q);
    return text;
}

static const char *values_of(struct store *s, const char *name,
                             const struct select_request *request)
{
    struct str_list list;
    struct error err;
    struct querier *q = store_query(s);
    ck_assert(querier_label_values(q, str_from(name), request, &list, &err) == OK);
    const char *text = joined(s, &list);
    querier_close(q);
    return text;
}

/* One series in an older window, two in the current one. */
static void fill(struct store *s)
{
    store_append(s, store_labels(&s->arena, "__name__", "old", "job", "z", "zone", "a", NULL),
                 STORE_NOW_MS - 8 * HOUR_MS, 1);
    store_append(s, store_labels(&s->arena, "__name__", "up", "job", "b", NULL), STORE_NOW_MS, 1);
    store_append(s, store_labels(&s->arena, "__name__", "up", "job", "a", NULL), STORE_NOW_MS, 1);
}

START_TEST(lists_are_sorted_and_distinct)
{
    struct store s;
    store_open(&s);
    fill(&s);
    ck_assert_str_eq(names_of(&s, &everything), "__name__,job,zone");
    ck_assert_str_eq(values_of(&s, "job", &everything), "a,b,z");
    ck_assert_str_eq(values_of(&s, "__name__", &everything), "old,up");
    ck_assert_str_eq(values_of(&s, "none", &everything), "");
    store_close(&s);
}
END_TEST

START_TEST(a_range_leaves_out_series_without_a_chunk_in_it)
{
    struct store s;
    struct select_request now = {.t_min_ms = STORE_NOW_MS, .t_max_ms = STORE_NOW_MS};
    struct select_request never = {.t_min_ms = STORE_NOW_MS + 1, .t_max_ms = STORE_NOW_MS};
    store_open(&s);
    fill(&s);
    ck_assert_str_eq(names_of(&s, &now), "__name__,job");
    ck_assert_str_eq(values_of(&s, "job", &now), "a,b");
    ck_assert_str_eq(values_of(&s, "zone", &now), "");
    ck_assert_str_eq(values_of(&s, "job", &never), "");
    store_close(&s);
}
END_TEST

START_TEST(matchers_choose_the_series)
{
    struct store s;
    struct matcher m = store_matcher(MATCH_REGEX, "job", "[bz]");
    struct select_request chosen = everything;
    chosen.matchers = &m;
    chosen.matcher_count = 1;
    store_open(&s);
    fill(&s);
    ck_assert_str_eq(values_of(&s, "__name__", &chosen), "old,up");
    ck_assert_str_eq(values_of(&s, "job", &chosen), "b,z");
    matcher_release(&m);
    m = store_matcher(MATCH_EQUAL, "job", "a");
    ck_assert_str_eq(names_of(&s, &chosen), "__name__,job");
    store_close(&s);
}
END_TEST

START_TEST(late_samples_are_seen_in_their_window)
{
    struct store s;
    struct select_request then = {.t_min_ms = STORE_NOW_MS - 8 * HOUR_MS,
                                  .t_max_ms = STORE_NOW_MS - 8 * HOUR_MS};
    struct select_request between = {.t_min_ms = STORE_NOW_MS - 4 * HOUR_MS,
                                     .t_max_ms = STORE_NOW_MS - 4 * HOUR_MS};
    store_open(&s);
    fill(&s);
    store_append(&s, store_labels(&s.arena, "__name__", "up", "job", "a", NULL),
                 STORE_NOW_MS - 8 * HOUR_MS, 1);
    ck_assert_str_eq(values_of(&s, "job", &then), "a,z");
    ck_assert_str_eq(names_of(&s, &then), "__name__,job,zone");
    ck_assert_str_eq(values_of(&s, "job", &between), "");
    clock_advance(20 * HOUR_MS);
    store_settle(&s); /* sealed by now */
    ck_assert_str_eq(values_of(&s, "job", &then), "a,z");
    store_close(&s);
}
END_TEST

START_TEST(a_limit_cuts_the_sorted_list)
{
    struct store s;
    struct select_request two = everything;
    two.limit = 2;
    store_open(&s);
    fill(&s);
    ck_assert_str_eq(values_of(&s, "job", &two), "a,b");
    ck_assert_str_eq(names_of(&s, &two), "__name__,job");
    store_close(&s);
}
END_TEST

START_TEST(expired_values_are_gone_before_and_after_they_are_dropped)
{
    struct store s;
    store_open(&s);
    fill(&s);
    clock_advance(24 * HOUR_MS);
    ck_assert_str_eq(values_of(&s, "job", &everything), "a,b");
    store_settle(&s);
    ck_assert_str_eq(values_of(&s, "job", &everything), "a,b");
    ck_assert_str_eq(names_of(&s, &everything), "__name__,job");
    store_close(&s);
}
END_TEST

/* Values that come and go before a series is made of them. */
struct passing {
    struct store *store;
    _Atomic bool stop;
};

static void let_values_pass(void *arg)
{
    struct passing *passing = arg;
    struct sample sample = {STORE_NOW_MS, 1};
    struct arena a;
    arena_init(&a, HEAP_HTTP, 1 << 20);
    while (!atomic_load(&passing->stop)) {
        struct appender *app;
        struct labels labels = store_labels(&a, "a", "passes", NULL);
        EXPECT(appender_begin(passing->store->db, &a, &app, NULL) == OK);
        EXPECT(appender_add(app, labels, &sample, 1, NULL) == OK);
        appender_abort(app);
        storage_tidy(passing->store->db);
        arena_reset(&a);
    }
    arena_release(&a);
    heap_flush_thread();
}

START_TEST(values_of_one_name_that_come_and_go_hide_no_other_name)
{
    enum { VALUES = 20, ROUNDS = 16000 };
    struct store s;
    struct passing passing = {.store = &s};
    struct storage_options options = storage_options_default();
    struct thread thread;
    struct matcher m = store_matcher(MATCH_EQUAL, "__name__", "m");
    struct select_request chosen = everything;
    chosen.matchers = &m;
    chosen.matcher_count = 1;
    options.shards = 1;
    store_open_with(&s, options);
    for (int i = 0; i < VALUES * VALUES; i++) {
        const char *a = arena_printf(&s.arena, "%d", i % VALUES).data;
        const char *b = arena_printf(&s.arena, "%d", i / VALUES).data;
        struct labels labels =
            store_labels(&s.arena, "__name__", "m", "a", a, "b", b, "z", "same", NULL);
        store_append(&s, labels, STORE_NOW_MS, 1);
    }
    ck_assert(thread_start(&thread, "passing", let_values_pass, &passing, NULL) == OK);
    for (int round = 0; round < ROUNDS / SUITE_FEWER; round++) {
        EXPECT(strcmp(names_of(&s, &chosen), "__name__,a,b,z") == 0);
        arena_reset(&s.arena);
    }
    atomic_store(&passing.stop, true);
    thread_join(&thread);
    store_close(&s);
}
END_TEST

SUITE(querier_labels, values_of_one_name_that_come_and_go_hide_no_other_name,
      lists_are_sorted_and_distinct, a_range_leaves_out_series_without_a_chunk_in_it,
      matchers_choose_the_series, late_samples_are_seen_in_their_window,
      a_limit_cuts_the_sorted_list, expired_values_are_gone_before_and_after_they_are_dropped)
