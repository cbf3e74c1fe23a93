/* view: what a querier sees is what finished requests had stored when it was opened. */
#include "tests/unit/level.h"
#include "tests/unit/storage/store.h"
#include "tests/unit/suite.h"

enum { SERIES = 40 };

/* One request: a sample of each series. */
static void append_all(struct store *s, int64_t t_ms, double v)
{
    struct arena_mark mark = arena_mark(&s->arena);
    struct sample sample = {t_ms, v};
    struct append_result result;
    struct appender *app;
    struct error err;
    struct arena a;
    arena_init(&a, HEAP_HTTP, 1 << 20);
    ck_assert(appender_begin(s->db, &a, &app, &err) == OK);
    for (int i = 0; i < SERIES; i++)
        ck_assert(appender_add(app, store_numbered(&s->arena, i), &sample, 1, &err) == OK);
    ck_assert_msg(appender_commit(app, &result, &err) == OK, "%s", err.text);
    arena_release(&a);
    arena_rewind(&s->arena, mark);
}

struct seen_samples {
    size_t series; /* that have samples */
    size_t samples;
    double sum;
    double newest; /* of the newest sample of each series */
};

/* By all ways to read; they have to agree. */
static struct seen_samples look(struct store *s, struct querier *q)
{
    struct arena_mark mark = arena_mark(&s->arena);
    struct selection selection = store_select(q, NULL, 0);
    struct series_reader_request request = {.series = selection.series,
                                            .count = selection.count,
                                            .t_min_ms = INT64_MIN,
                                            .t_max_ms = INT64_MAX};
    struct series_reader_request newest_request = request;
    struct columns alone = {.arena = &s->arena};
    struct columns newest = {.arena = &s->arena};
    struct series_reader *all;
    struct series_reader *last;
    struct seen_samples seen = {0};
    struct error err;
    newest_request.newest = true;
    ck_assert(series_reader_create(q, &request, &s->arena, &all, &err) == OK);
    ck_assert(series_reader_create(q, &newest_request, &s->arena, &last, &err) == OK);
    for (size_t i = 0; i < selection.count; i++) {
        const struct series *series;
        struct columns *read;
        struct columns *read_last;
        ck_assert(series_reader_next(all, &series, &read, &err) == OK);
        ck_assert(series_reader_next(last, &series, &read_last, &err) == OK);
        EXPECT(series_read(q, series, INT64_MIN, INT64_MAX, &alone, &err) == OK);
        EXPECT(series_read_newest(q, series, INT64_MIN, INT64_MAX, &newest, &err) == OK);
        EXPECT(read->count == alone.count);
        for (size_t n = 0; n < read->count; n++) {
            EXPECT(read->t_ms[n] == alone.t_ms[n] && read->v[n] == alone.v[n]);
            EXPECT(n == 0 || read->t_ms[n - 1] < read->t_ms[n]);
            seen.sum += read->v[n];
        }
        seen.samples += read->count;
        seen.series += read->count > 0;
        EXPECT((newest.count > 0) == (read->count > 0));
        EXPECT((read_last->count > 0) == (read->count > 0));
        if (read->count == 0) continue;
        EXPECT(newest.t_ms[newest.count - 1] == read->t_ms[read->count - 1]);
        EXPECT(read_last->t_ms[read_last->count - 1] == read->t_ms[read->count - 1]);
        seen.newest += read->v[read->count - 1];
    }
    arena_rewind(&s->arena, mark);
    return seen;
}

static void expect_seen(struct store *s, struct querier *q, size_t samples, double sum,
                        double newest)
{
    struct seen_samples seen = look(s, q);
    ck_assert_uint_eq(seen.samples, samples * SERIES);
    ck_assert_uint_eq(seen.series, samples ? SERIES : 0);
    ck_assert_double_eq(seen.sum, sum * SERIES);
    ck_assert_double_eq(seen.newest, newest * SERIES);
}

START_TEST(what_comes_after_the_opening_is_not_seen)
{
    struct level before = level_read();
    struct store s;
    store_open(&s);
    struct querier *none = store_query(&s);
    append_all(&s, STORE_NOW_MS, 1);
    struct querier *one = store_query(&s);
    append_all(&s, STORE_NOW_MS + 1000, 2);
    append_all(&s, STORE_NOW_MS + 2000, 2); /* repeats: no bits are written */
    append_all(&s, STORE_NOW_MS + 3000, 2);
    struct querier *four = store_query(&s);
    append_all(&s, STORE_NOW_MS + 4000, 2);
    struct querier *five = store_query(&s);
    for (int round = 0; round < 2; round++) {
        expect_seen(&s, none, 0, 0, 0);
        expect_seen(&s, one, 1, 1, 1);
        expect_seen(&s, four, 4, 7, 2);
        expect_seen(&s, five, 5, 9, 2);
        append_all(&s, STORE_NOW_MS + 10000 + round, 100);
    }
    /* Whichever goes first. */
    querier_close(four);
    expect_seen(&s, one, 1, 1, 1);
    querier_close(none);
    append_all(&s, STORE_NOW_MS + 20000, 100);
    expect_seen(&s, one, 1, 1, 1);
    expect_seen(&s, five, 5, 9, 2);
    querier_close(five);
    expect_seen(&s, one, 1, 1, 1);
    ck_assert_uint_gt(store_stats(&s).view_note_bytes, 0);
    querier_close(one);
    ck_assert_uint_eq(store_stats(&s).view_note_bytes, 0);
    ck_assert_uint_eq(store_stats(&s).views, 0);
    ck_assert_uint_eq(store_stats(&s).views_lost, 0);
    store_close(&s);
    level_expect(&before);
}
END_TEST

START_TEST(late_samples_are_not_seen_either)
{
    struct store s;
    store_open(&s);
    append_all(&s, STORE_NOW_MS, 1);
    struct querier *one = store_query(&s);
    append_all(&s, STORE_NOW_MS - 1000, 2); /* the chunk gets a late run */
    struct querier *two = store_query(&s);
    append_all(&s, STORE_NOW_MS - 500, 4); /* which grows, */
    append_all(&s, STORE_NOW_MS - 500, 4); /* and not by what is there */
    append_all(&s, STORE_NOW_MS + 500, 8);
    expect_seen(&s, one, 1, 1, 1);
    expect_seen(&s, two, 2, 3, 1);
    for (int i = 1; i < 300; i++) /* and is merged */
        append_all(&s, STORE_NOW_MS - 1000 - i, 16);
    expect_seen(&s, one, 1, 1, 1);
    expect_seen(&s, two, 2, 3, 1);
    querier_close(one);
    querier_close(two);
    struct querier *all = store_query(&s);
    expect_seen(&s, all, 303, 15 + 299 * 16, 8);
    querier_close(all);
    store_close(&s);
}
END_TEST

START_TEST(sealing_and_what_comes_over_sealed_chunks)
{
    struct store s;
    store_open(&s);
    append_all(&s, STORE_NOW_MS, 1);
    struct querier *open = store_query(&s);
    clock_advance(4 * HOUR_MS);
    store_settle(&s); /* sealed */
    expect_seen(&s, open, 1, 1, 1);
    struct querier *sealed = store_query(&s);
    append_all(&s, STORE_NOW_MS - 1000, 2); /* over the sealed chunk, */
    struct querier *over = store_query(&s);
    append_all(&s, STORE_NOW_MS - 500, 4);
    expect_seen(&s, open, 1, 1, 1);
    expect_seen(&s, sealed, 1, 1, 1);
    expect_seen(&s, over, 2, 3, 1);
    clock_advance(HOUR_MS / 2);
    store_settle(&s); /* and sealed with it */
    clock_advance(HOUR_MS / 2);
    store_settle(&s);
    append_all(&s, STORE_NOW_MS + 4 * HOUR_MS, 8); /* the window after it */
    expect_seen(&s, open, 1, 1, 1);
    expect_seen(&s, sealed, 1, 1, 1);
    expect_seen(&s, over, 2, 3, 1);
    querier_close(sealed);
    querier_close(over);
    querier_close(open);
    struct querier *all = store_query(&s);
    expect_seen(&s, all, 4, 15, 8);
    querier_close(all);
    store_close(&s);
}
END_TEST

START_TEST(windows_wait_for_those_who_may_read_them)
{
    struct store s;
    store_open(&s);
    append_all(&s, STORE_NOW_MS, 1);
    clock_advance(4 * HOUR_MS);
    append_all(&s, STORE_NOW_MS + 4 * HOUR_MS, 2);
    clock_advance(24 * HOUR_MS);
    store_settle(&s);
    struct querier *q = store_query(&s);
    clock_advance(4 * HOUR_MS); /* the first window expires */
    store_settle(&s);
    expect_seen(&s, q, 2, 3, 2);
    struct querier *after = store_query(&s);
    expect_seen(&s, after, 1, 2, 2);
    querier_close(after);
    store_settle(&s);
    ck_assert_uint_eq(store_stats(&s).samples, 2 * SERIES);
    querier_close(q);
    store_settle(&s);
    ck_assert_uint_eq(store_stats(&s).samples, SERIES);
    ck_assert_uint_eq(store_stats(&s).views_lost, 0);
    store_close(&s);
}
END_TEST

START_TEST(a_window_does_not_wait_for_ever)
{
    struct store s;
    store_open(&s);
    append_all(&s, STORE_NOW_MS, 1);
    struct querier *q = store_query(&s);
    clock_advance(64 * HOUR_MS);
    store_settle(&s);
    ck_assert_uint_eq(store_stats(&s).samples, 0);
    ck_assert_uint_eq(store_stats(&s).views_lost, 1);
    struct querier *another = store_query(&s); /* does not share what is lost */
    ck_assert_uint_eq(store_stats(&s).views, 2);
    append_all(&s, clock_wall_ms(), 1);
    expect_seen(&s, another, 0, 0, 0);
    querier_close(another);
    querier_close(q);
    store_close(&s);
}
END_TEST

START_TEST(who_begins_when_nothing_was_stored_shares_a_view)
{
    struct store s;
    store_open(&s);
    append_all(&s, STORE_NOW_MS, 1);
    struct querier *first = store_query(&s);
    struct querier *second = store_query(&s);
    ck_assert_uint_eq(store_stats(&s).views, 1);
    append_all(&s, STORE_NOW_MS + 1, 1);
    struct querier *third = store_query(&s);
    ck_assert_uint_eq(store_stats(&s).views, 2);
    querier_close(first);
    append_all(&s, STORE_NOW_MS + 2, 1);
    expect_seen(&s, second, 1, 1, 1);
    expect_seen(&s, third, 2, 2, 1);
    querier_close(second);
    querier_close(third);
    ck_assert_uint_eq(store_stats(&s).views, 0);
    store_close(&s);
}
END_TEST

/* The journal, slow as a disk may be: queries begin and end meanwhile. */
static enum status look_while_logging(void *self, const struct journal_batch *batch,
                                      struct error *err)
{
    struct store *s = self;
    struct querier *q = store_query(s);
    (void)batch;
    (void)err;
    struct seen_samples seen = look(s, q);
    ck_assert_uint_eq(seen.samples % SERIES, 0);
    ck_assert_uint_gt(seen.samples, 0);
    querier_close(q);
    return OK;
}

START_TEST(no_query_waits_for_the_log)
{
    struct store s;
    store_open(&s);
    storage_set_journal(s.db, (struct journal){.self = &s, .log = look_while_logging});
    append_all(&s, STORE_NOW_MS, 1);
    append_all(&s, STORE_NOW_MS + 1, 1);
    store_close(&s);
}
END_TEST

/* Many requests while a view is open leave one note for each chunk. */
START_TEST(notes_do_not_grow_with_time)
{
    struct store s;
    store_open(&s);
    append_all(&s, STORE_NOW_MS, 1);
    struct querier *q = store_query(&s);
    append_all(&s, STORE_NOW_MS + 1, 1);
    uint64_t bytes = store_stats(&s).view_note_bytes;
    for (int i = 2; i < 1000; i++)
        append_all(&s, STORE_NOW_MS + i, i);
    ck_assert_uint_eq(store_stats(&s).view_note_bytes, bytes);
    expect_seen(&s, q, 1, 1, 1);
    querier_close(q);
    store_close(&s);
}
END_TEST

START_TEST(without_memory_the_view_is_lost_and_not_the_request)
{
    struct store s;
    store_open(&s);
    append_all(&s, STORE_NOW_MS, 1);
    struct querier *q = store_query(&s);
    heap_set_pressure(HEAP_HARD);
    append_all(&s, STORE_NOW_MS + 1, 2);
    heap_set_pressure(HEAP_CALM);
    ck_assert_uint_eq(store_stats(&s).views_lost, 1);
    expect_seen(&s, q, 2, 3, 2);
    append_all(&s, STORE_NOW_MS + 2, 2);
    expect_seen(&s, q, 3, 5, 2);
    ck_assert_uint_eq(store_stats(&s).views_lost, 1);
    struct querier *another = store_query(&s);
    append_all(&s, STORE_NOW_MS + 3, 2);
    expect_seen(&s, another, 3, 5, 2);
    querier_close(another);
    querier_close(q);
    store_close(&s);
}
END_TEST

/* Whichever allocation of a request fails. */
START_TEST(a_view_is_as_it_was_or_lost)
{
    struct level before = level_read();
    bool whole = false;
    for (uint64_t n = 0; !whole; n++) {
        struct store s;
        store_open(&s);
        append_all(&s, STORE_NOW_MS, 1);
        struct querier *q = store_query(&s);
        struct append_result result;
        struct appender *app;
        struct error err;
        struct arena a;
        struct sample sample = {STORE_NOW_MS + 1, 2};
        struct labels labels[SERIES];
        for (int i = 0; i < SERIES; i++)
            labels[i] = store_numbered(&s.arena, i);
        arena_init(&a, HEAP_HTTP, 1 << 20);
        heap_fail_after(n);
        enum status st = appender_begin(s.db, &a, &app, &err);
        for (int i = 0; !st && i < SERIES; i++) {
            st = appender_add(app, labels[i], &sample, 1, &err);
            if (st) appender_abort(app);
        }
        if (!st) st = appender_commit(app, &result, &err);
        whole = level_injection_ended();
        ck_assert(st == OK || st == ERR_NO_MEMORY);
        arena_release(&a);
        if (store_stats(&s).views_lost == 0) expect_seen(&s, q, 1, 1, 1);
        if (whole) ck_assert_uint_eq(store_stats(&s).views_lost, 0);
        querier_close(q);
        ck_assert_uint_eq(store_stats(&s).view_note_bytes, 0);
        store_close(&s);
        level_expect(&before);
        ck_assert_uint_lt(n, 1000);
    }
}
END_TEST

SUITE(view, what_comes_after_the_opening_is_not_seen, late_samples_are_not_seen_either,
      sealing_and_what_comes_over_sealed_chunks, windows_wait_for_those_who_may_read_them,
      a_window_does_not_wait_for_ever, who_begins_when_nothing_was_stored_shares_a_view,
      no_query_waits_for_the_log, notes_do_not_grow_with_time, a_view_is_as_it_was_or_lost,
      without_memory_the_view_is_lost_and_not_the_request)
