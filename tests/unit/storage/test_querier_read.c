/* querier_read: many series read together give what each gives alone, whatever their windows hold.
 */
#include <stdlib.h>

#include "base/bits.h"
#include "storage/querier.h"
#include "tests/unit/storage/store.h"
#include "tests/unit/suite.h"

enum { SERIES = 70, STEP_MS = 15000 };

/* Counters of 70 series in two windows; some constant, some of true doubles, some with samples that
 * came late. */
static void fill(struct store *s)
{
    srandom(1);
    for (int i = 0; i < SERIES; i++) {
        struct sample samples[700];
        size_t count = 1 + (size_t)random() % 700;
        int64_t end_ms = STORE_NOW_MS - (int64_t)(random() % 4) * HOUR_MS;
        double v = (double)(random() % 1000);
        for (size_t n = 0; n < count; n++) {
            samples[n].t_ms = end_ms - (int64_t)(count - n) * STEP_MS + random() % 30;
            samples[n].v = i % 7 == 3 ? (double)random() / 3 : v;
            if (i % 5) v += (double)(random() % 200) / (i % 2 ? 100 : 1);
        }
        const char *name = arena_printf(&s->arena, "m%d", i).data;
        struct labels labels = store_labels(&s->arena, "__name__", name, NULL);
        struct sample late = samples[count / 2];
        if (i % 6 == 2 && count > 2)
            memmove(&samples[count / 2], &samples[count / 2 + 1],
                    (count - count / 2 - 1) * sizeof(late));
        store_append_many(s, labels, samples, i % 6 == 2 && count > 2 ? count - 1 : count);
        if (i % 6 == 2) store_append_many(s, labels, &late, 1);
    }
}

/* Anything; what rises until the window ends; or what never falls. */
static double value_at(int series, int64_t t_ms)
{
    const int64_t window_ms = 4 * (int64_t)HOUR_MS;
    if (series % 3 == 0) return (double)(random() % 100);
    return (double)((series % 3 == 1 ? t_ms % window_ms : t_ms) / 100) / 10;
}

/* Series of three targets in three windows: those of a target have the same times, but for some
 * that lost a sample, or got one late. */
static void fill_targets(struct store *s)
{
    enum { TARGETS = 3, COUNT = 2000 };
    srandom(2);
    int64_t t_ms[TARGETS][COUNT];
    for (int n = 0; n < TARGETS * COUNT; n++)
        t_ms[n / COUNT][n % COUNT] =
            STORE_NOW_MS - (COUNT - n % COUNT) * STEP_MS + n / COUNT * 1000 + random() % 30;
    for (int i = 0; i < SERIES; i++) {
        static struct sample samples[COUNT];
        size_t count = i % 11 == 5 ? COUNT - 300 : COUNT;
        size_t lost = i % 5 == 3 ? (size_t)random() % count : COUNT;
        size_t kept = 0;
        for (size_t n = 0; n < count; n++) {
            samples[kept] =
                (struct sample){t_ms[i / 4 % TARGETS][n], value_at(i, t_ms[i / 4 % TARGETS][n])};
            kept += n != lost;
        }
        const char *name = arena_printf(&s->arena, "m%d", i).data;
        struct labels labels = store_labels(&s->arena, "__name__", name, NULL);
        store_append_many(s, labels, samples, kept);
        struct sample late = {t_ms[i / 4 % TARGETS][lost % COUNT] + 1, 7};
        if (i % 10 == 3) store_append_many(s, labels, &late, 1);
    }
}

static void check_same(const struct columns *a, const struct columns *b)
{
    ck_assert_uint_eq(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        EXPECT(a->t_ms[i] == b->t_ms[i]);
        EXPECT(bits_from_double(a->v[i]) == bits_from_double(b->v[i]));
    }
}

/* What chains say: equal ones are equal times. */
struct seen_chain {
    struct columns_chain chain;
    int64_t *t_ms;
};

/* Returns whether it was seen before. */
static bool check_chain(struct store *s, struct seen_chain seen[SERIES], size_t at,
                        const struct columns *c)
{
    size_t bytes = c->chain.count * sizeof(c->t_ms[0]);
    ck_assert_uint_le(c->chain.count, c->count);
    seen[at] = (struct seen_chain){c->chain, arena_alloc(&s->arena, bytes + 1)};
    if (bytes) memcpy(seen[at].t_ms, c->t_ms, bytes);
    for (size_t i = 0; c->chain.id && i < at; i++) {
        if (seen[i].chain.id != c->chain.id) continue;
        ck_assert_uint_eq(seen[i].chain.count, c->chain.count);
        ck_assert_mem_eq(seen[i].t_ms, c->t_ms, bytes);
        return true;
    }
    return false;
}

/* Before its times are laid, a chain has the first and the last, and what is behind it has all. */
static void check_later(struct columns *c, const struct columns *all)
{
    struct error err;
    ck_assert_uint_eq(c->count, all->count);
    if (!c->count) return;
    EXPECT(c->t_ms[0] == all->t_ms[0]);
    for (size_t i = c->chain.count ? c->chain.count - 1 : 0; i < c->count; i++)
        EXPECT(c->t_ms[i] == all->t_ms[i]);
    ck_assert(columns_lay_times(c, &err) == OK);
}

static void check_rising(const struct columns *c)
{
    ck_assert_uint_le(c->rising, c->chain.count);
    for (size_t i = 1; i < c->rising; i++)
        EXPECT(c->v[i] >= c->v[i - 1]);
}

/* Returns how many series had the chain of one before them. */
static size_t check_reading(struct store *s, int64_t t_min_ms, int64_t t_max_ms, bool newest,
                            bool times_later)
{
    struct querier *q = store_query(s);
    struct selection selection = store_select(q, NULL, 0);
    struct series_reader_request request = {.series = selection.series,
                                            .count = selection.count,
                                            .t_min_ms = t_min_ms,
                                            .t_max_ms = t_max_ms,
                                            .newest = newest,
                                            .times_later = times_later};
    struct columns alone = {.arena = &s->arena};
    struct series_reader *reader;
    const struct series *series;
    struct columns *columns;
    struct error err;
    struct seen_chain seen[SERIES];
    size_t known = 0;
    ck_assert_uint_eq(selection.count, SERIES);
    ck_assert(series_reader_create(q, &request, &s->arena, &reader, &err) == OK);
    for (size_t i = 0; i < selection.count; i++) {
        ck_assert_msg(series_reader_next(reader, &series, &columns, &err) == OK, "%s", err.text);
        ck_assert_ptr_eq(series, selection.series[i]);
        ck_assert((newest ? series_read_newest : series_read)(q, series, t_min_ms, t_max_ms, &alone,
                                                              &err) == OK);
        if (times_later) check_later(columns, &alone);
        check_same(columns, &alone);
        check_rising(columns);
        known += check_chain(s, seen, i, columns);
        if (i % 9 != 4 || !columns->count) continue;
        columns->t_ms[0] = -1; /* as who leaves out stale markers */
        columns_forget_chain(columns);
    }
    for (int again = 0; again < 2; again++) {
        ck_assert(series_reader_next(reader, &series, &columns, &err) == OK);
        ck_assert_ptr_null(series);
    }
    querier_close(q);
    return known;
}

static size_t check_range(struct store *s, int64_t t_min_ms, int64_t t_max_ms, bool newest)
{
    (void)check_reading(s, t_min_ms, t_max_ms, newest, true);
    return check_reading(s, t_min_ms, t_max_ms, newest, false);
}

static void check_ranges(struct store *s)
{
    for (int newest = 0; newest < 2; newest++) {
        check_range(s, INT64_MIN, INT64_MAX, newest);
        check_range(s, STORE_NOW_MS - HOUR_MS, STORE_NOW_MS, newest);
        check_range(s, STORE_NOW_MS - 5 * HOUR_MS, STORE_NOW_MS - 2 * HOUR_MS, newest);
        check_range(s, STORE_NOW_MS - 1, STORE_NOW_MS - 1, newest);
    }
}

START_TEST(many_series_are_read_as_one_by_one)
{
    struct store s;
    store_open(&s);
    fill(&s);
    check_ranges(&s);
    store_close(&s);
}
END_TEST

START_TEST(sealed_ones_too)
{
    struct store s;
    store_open(&s);
    fill(&s);
    clock_advance(4 * HOUR_MS);
    store_settle(&s);
    struct window_bytes windows[STORAGE_WINDOWS_MAX];
    ck_assert_uint_gt(storage_window_bytes(s.db, windows), 0);
    ck_assert_uint_gt(windows[0].sealed, 0);
    check_ranges(&s);
    store_close(&s);
}
END_TEST

START_TEST(series_of_a_target_have_its_times)
{
    struct store s;
    store_open(&s);
    fill_targets(&s);
    check_ranges(&s);
    clock_advance(4 * HOUR_MS);
    store_settle(&s);
    check_ranges(&s);
    ck_assert_uint_gt(check_range(&s, INT64_MIN, INT64_MAX, false), SERIES / 2);
    ck_assert_uint_gt(check_range(&s, STORE_NOW_MS - 5 * HOUR_MS, STORE_NOW_MS - HOUR_MS, false),
                      SERIES / 2);
    store_close(&s);
}
END_TEST

START_TEST(what_is_not_retained_is_no_series)
{
    struct store s;
    struct querier *q;
    struct series_reader *reader;
    const struct series *series;
    struct columns *columns;
    struct error err;
    store_open(&s);
    fill(&s);
    q = store_query(&s);
    struct selection selection = store_select(q, NULL, 0);
    struct series_reader_request request = {
        .series = selection.series, .count = selection.count, .t_min_ms = 0, .t_max_ms = 1};
    ck_assert(series_reader_create(q, &request, &s.arena, &reader, &err) == OK);
    ck_assert(series_reader_next(reader, &series, &columns, &err) == OK);
    ck_assert_ptr_null(series);
    querier_close(q);
    store_close(&s);
}
END_TEST

/* More samples than are decoded together, and then few again. */
START_TEST(short_series_behind_long_ones_are_read_together)
{
    enum { LONG = 6, SHORT = 20, MANY = 40000 };
    static struct sample samples[MANY];
    struct store s;
    struct series_reader *reader;
    const struct series *series;
    struct columns *columns;
    store_open(&s);
    for (int n = 0; n < MANY; n++)
        samples[n] = (struct sample){STORE_NOW_MS - MANY + n, n};
    for (int i = 0; i < LONG + SHORT; i++) {
        const char *name = arena_printf(&s.arena, i < LONG ? "a%d" : "b%d", i).data;
        struct labels labels = store_labels(&s.arena, "__name__", name, NULL);
        store_append_many(&s, labels, samples, i < LONG ? MANY : 10);
    }
    clock_advance(4 * HOUR_MS);
    store_settle(&s);
    struct querier *q = store_query(&s);
    struct selection selection = store_select(q, NULL, 0);
    struct series_reader_request request = {.series = selection.series,
                                            .count = selection.count,
                                            .t_min_ms = INT64_MIN,
                                            .t_max_ms = INT64_MAX};
    ck_assert(series_reader_create(q, &request, &s.arena, &reader, NULL) == OK);
    size_t together = 0; /* a series that is read alone has no chain */
    while (ck_assert(series_reader_next(reader, &series, &columns, NULL) == OK), series)
        together += columns->chain.links > 0;
    ck_assert_uint_ge(together, LONG + SHORT - 1);
    querier_close(q);
    store_close(&s);
}
END_TEST

/* With every ceiling: a clear error, or all samples. */
START_TEST(a_small_arena_is_a_clear_error)
{
    struct store s;
    struct error err;
    bool whole = false;
    store_open(&s);
    fill(&s);
    for (uint64_t ceiling = 8192; !whole; ceiling += 8192) {
        struct querier *q = store_query(&s);
        struct selection selection = store_select(q, NULL, 0);
        struct series_reader_request request = {.series = selection.series,
                                                .count = selection.count,
                                                .t_min_ms = INT64_MIN,
                                                .t_max_ms = INT64_MAX};
        struct series_reader *reader;
        const struct series *series = NULL;
        struct columns *columns;
        struct arena small;
        arena_init(&small, HEAP_QUERY, ceiling);
        enum status st = series_reader_create(q, &request, &small, &reader, &err);
        do {
            if (!st) st = series_reader_next(reader, &series, &columns, &err);
        } while (!st && series);
        whole = st == OK;
        if (st) ck_assert_int_eq(st, ERR_TOO_LARGE);
        querier_close(q);
        arena_release(&small);
    }
    store_close(&s);
}
END_TEST

SUITE(querier_read, many_series_are_read_as_one_by_one, sealed_ones_too,
      series_of_a_target_have_its_times, short_series_behind_long_ones_are_read_together,
      what_is_not_retained_is_no_series, a_small_arena_is_a_clear_error)
