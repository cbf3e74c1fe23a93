/*
 * no_memory: whichever allocation fails, alone or with all behind it, the store is whole, nothing
 * has leaked, and the same operation succeeds when there is memory again. Expiry itself needs next
 * to none.
 */
#include "tests/unit/level.h"
#include "tests/unit/storage/store.h"
#include "tests/unit/suite.h"

enum {
    BATCH = 100, /* more than the first block of a request's arena can stage */
    N_MAX = 20000
};

/* A batch of new series, each with a sample and a late one. */
static enum status append_batch(struct storage *db, struct arena *a, const struct labels *labels,
                                struct append_result *result)
{
    static struct sample samples[BATCH][2];
    struct appender *app;
    struct error err;
    enum status st = appender_begin(db, a, &app, &err);
    for (int i = 0; i < BATCH && !st; i++) {
        samples[i][0] = (struct sample){STORE_NOW_MS + i, i};
        samples[i][1] = (struct sample){STORE_NOW_MS - 100 + i, i};
        st = appender_add(app, labels[i], samples[i], 2, &err);
        if (st) appender_abort(app);
    }
    return st ? st : appender_commit(app, result, &err);
}

START_TEST(an_append)
{
    struct level before = level_read();
    bool whole = false;
    uint64_t n = 0;
    for (; !whole; n = level_next(n)) {
        struct store s;
        struct arena a;
        struct append_result result = {0};
        struct labels labels[BATCH];
        size_t samples;
        ck_assert_uint_lt(n, N_MAX);
        store_open(&s);
        for (int i = 0; i < BATCH; i++)
            labels[i] = store_numbered(&s.arena, i);
        arena_init(&a, HEAP_HTTP, 1 << 20);
        level_inject(n, _i);
        enum status st = append_batch(s.db, &a, labels, &result);
        whole = level_injection_ended();
        ck_assert(st == OK || (st == ERR_NO_MEMORY && !whole));
        if (whole) ck_assert_uint_eq(result.stored, 2 * BATCH);
        if (st == OK)
            ck_assert_uint_eq(result.stored + result.refused[REFUSED_NO_MEMORY], 2 * BATCH);
        ck_assert_uint_eq(store_stats(&s).samples, result.stored);
        storage_check(s.db);
        arena_reset(&a);
        ck_assert_int_eq(append_batch(s.db, &a, labels, &result), OK);
        arena_release(&a);
        ck_assert_uint_eq(store_count(&s, &samples), BATCH);
        ck_assert_uint_eq(samples, 2 * BATCH);
        store_close(&s);
        level_expect(&before);
    }
    ck_assert_uint_gt(n, 20); /* else nothing was tried */
}
END_TEST

/* A window with late runs in it, and a series in each of the two windows before it. */
static void fill_windows(struct store *s)
{
    for (int i = 0; i < 40; i++) {
        store_append(s, store_numbered(&s->arena, i), STORE_NOW_MS, 1);
        store_append(s, store_numbered(&s->arena, i), STORE_NOW_MS - 1000 - i, i);
        store_append(s, store_numbered(&s->arena, 100 + i), STORE_NOW_MS - 4 * HOUR_MS, 1);
        arena_reset(&s->arena);
    }
}

START_TEST(the_closing_of_a_window)
{
    struct level before = level_read();
    bool whole = false;
    uint64_t n = 0;
    for (; !whole; n = level_next(n)) {
        struct store s;
        size_t samples;
        ck_assert_uint_lt(n, N_MAX);
        store_open(&s);
        fill_windows(&s);
        clock_advance(4 * HOUR_MS);
        level_inject(n, _i);
        for (int round = 0; round < 20; round++)
            storage_maintain(s.db);
        whole = level_injection_ended();
        storage_check(s.db);
        ck_assert_uint_eq(store_count(&s, &samples), 80);
        ck_assert_uint_eq(samples, 120);
        clock_advance(4 * HOUR_MS); /* the next one closes it again */
        store_settle(&s);
        storage_check(s.db);
        ck_assert_uint_eq(store_count(&s, &samples), 80);
        ck_assert_uint_eq(samples, 120);
        store_close(&s);
        level_expect(&before);
    }
    ck_assert_uint_gt(n, 20); /* else nothing was tried */
}
END_TEST

enum { SEALED_SERIES = 4 };

/* The samples of a sealed window that an append finds, two of a series: one that is there already,
 * and one that is new. */
static enum status append_to_sealed(struct store *s, const struct labels *labels,
                                    struct append_result *result)
{
    static struct sample samples[2];
    struct appender *app;
    struct arena a; /* so that only the memory of storage is short */
    struct error err;
    *result = (struct append_result){0};
    samples[0] = (struct sample){STORE_NOW_MS, 1};
    samples[1] = (struct sample){STORE_NOW_MS + 1, 2};
    arena_init(&a, HEAP_HTTP, 1 << 20);
    enum status st = appender_begin(s->db, &a, &app, &err);
    for (int i = 0; i < SEALED_SERIES && !st; i++) {
        st = appender_add(app, labels[i], samples, 2, &err);
        if (st) appender_abort(app);
    }
    if (!st) st = appender_commit(app, result, &err);
    arena_release(&a);
    return st;
}

START_TEST(an_append_to_a_sealed_window)
{
    struct level before = level_read();
    bool whole = false;
    uint64_t n = 0;
    for (; !whole; n = level_next(n)) {
        struct store s;
        struct append_result result;
        size_t samples;
        ck_assert_uint_lt(n, N_MAX);
        store_open(&s);
        struct labels labels[SEALED_SERIES];
        struct arena names;
        arena_init(&names, HEAP_HTTP, 1 << 20);
        for (int i = 0; i < SEALED_SERIES; i++) {
            labels[i] = store_numbered(&names, i);
            store_append(&s, labels[i], STORE_NOW_MS, 1);
        }
        clock_advance(4 * HOUR_MS);
        store_settle(&s);
        level_inject(n, _i);
        enum status st = append_to_sealed(&s, labels, &result);
        whole = level_injection_ended();
        ck_assert(st == OK || (st == ERR_NO_MEMORY && !whole));
        uint64_t refused = result.refused[REFUSED_NO_MEMORY];
        ck_assert(refused == 0 || !whole);
        if (st == OK)
            ck_assert_uint_eq(result.stored + result.duplicates + refused, 2 * SEALED_SERIES);
        storage_check(s.db);
        ck_assert_uint_eq(store_count(&s, &samples), SEALED_SERIES);
        ck_assert_uint_eq(samples, SEALED_SERIES + result.stored);
        ck_assert_int_eq(append_to_sealed(&s, labels, &result), OK);
        ck_assert_uint_eq(store_count(&s, &samples), SEALED_SERIES);
        ck_assert_uint_eq(samples, 2 * SEALED_SERIES);
        arena_release(&names);
        store_close(&s);
        level_expect(&before);
    }
    ck_assert_uint_gt(n, 2 * SEALED_SERIES); /* else not every sample was looked for in vain */
}
END_TEST

START_TEST(the_expiry_of_a_window)
{
    struct level before = level_read();
    bool whole = false;
    uint64_t n = 0;
    for (; !whole; n = level_next(n)) {
        struct store s;
        size_t samples;
        ck_assert_uint_lt(n, N_MAX);
        store_open(&s);
        fill_windows(&s);
        clock_advance(4 * HOUR_MS);
        store_settle(&s);
        clock_advance(24 * HOUR_MS); /* the older of the two windows goes */
        level_inject(n, _i);
        for (int round = 0; round < 20; round++)
            storage_maintain(s.db);
        whole = level_injection_ended();
        storage_check(s.db);
        ck_assert_uint_eq(store_count(&s, &samples), 40);
        ck_assert_uint_eq(samples, 80);
        clock_advance(8 * HOUR_MS);
        store_settle(&s);
        ck_assert_uint_eq(store_count(&s, &samples), 0);
        store_close(&s);
        level_expect(&before);
    }
}
END_TEST

enum { LARGE_SERIES = 48, LARGE_SAMPLES = 800 };

/* A sealed window whose chunks were all written anew: what is dead in its region is worth moving,
 * and the next sweep will do it. */
static void fill_with_dead_bytes(struct store *s)
{
    static struct sample samples[LARGE_SAMPLES];
    uint64_t value = 1;
    for (int i = 0; i < LARGE_SERIES; i++) {
        for (int k = 0; k < LARGE_SAMPLES; k++) {
            value = value * UINT64_C(6364136223846793005) + 1; /* does not compress */
            samples[k] = (struct sample){STORE_NOW_MS - 1000 * (LARGE_SAMPLES - k), (double)value};
        }
        store_append_many(s, store_numbered(&s->arena, i), samples, LARGE_SAMPLES);
    }
    clock_advance(4 * HOUR_MS);
    store_settle(s);
    for (int i = 0; i < LARGE_SERIES; i++)
        store_append(s, store_numbered(&s->arena, i), STORE_NOW_MS - 1, i);
    clock_advance(HOUR_MS / 2);
    store_settle(s);
    store_append(s, store_numbered(&s->arena, 0), STORE_NOW_MS - 2, 1);
    clock_advance(HOUR_MS / 2);
    arena_reset(&s->arena);
}

static uint64_t dead_bytes(struct store *s)
{
    struct window_bytes rows[STORAGE_WINDOWS_MAX];
    uint64_t bytes = 0;
    for (size_t i = storage_window_bytes(s->db, rows); i > 0; i--)
        bytes += rows[i - 1].deleted;
    return bytes;
}

START_TEST(the_emptying_of_a_region)
{
    struct level before = level_read();
    bool whole = false;
    uint64_t n = 0;
    for (; !whole; n = level_next(n)) {
        struct store s;
        size_t samples;
        ck_assert_uint_lt(n, N_MAX);
        store_open(&s);
        fill_with_dead_bytes(&s);
        uint64_t dead = dead_bytes(&s);
        ck_assert_uint_gt(dead, LARGE_SERIES * LARGE_SAMPLES * 7);
        level_inject(n, _i);
        for (int round = 0; round < 20; round++)
            storage_maintain(s.db);
        whole = level_injection_ended();
        storage_check(s.db);
        ck_assert_uint_eq(store_count(&s, &samples), LARGE_SERIES);
        ck_assert_uint_eq(samples, LARGE_SERIES * (LARGE_SAMPLES + 1) + 1);
        store_append(&s, store_numbered(&s.arena, 0), STORE_NOW_MS - 3,
                     1); /* a reason for a sweep */
        clock_advance(HOUR_MS);
        store_settle(&s);
        storage_check(s.db);
        ck_assert_uint_lt(dead_bytes(&s), dead / 4);
        ck_assert_uint_eq(store_count(&s, &samples), LARGE_SERIES);
        ck_assert_uint_eq(samples, LARGE_SERIES * (LARGE_SAMPLES + 1) + 2);
        store_close(&s);
        level_expect(&before);
    }
    ck_assert_uint_gt(n, LARGE_SERIES); /* else not every chunk was in the way once */
}
END_TEST

/* Series, their samples, and the lists of names and values. */
static enum status query(struct storage *db, struct arena *a, const struct matcher *matchers,
                         size_t count, size_t *samples)
{
    const struct select_request r = {.matchers = matchers,
                                     .matcher_count = count,
                                     .t_min_ms = INT64_MIN,
                                     .t_max_ms = INT64_MAX,
                                     .sorted = true};
    struct series_reader *reader;
    struct selection selection;
    struct cardinality cardinality;
    struct str_list list;
    struct querier *q;
    struct error err;
    enum status st = querier_open(db, a, &q, &err);
    if (st) return st;
    *samples = 0;
    st = querier_select(q, &r, &selection, &err);
    struct series_reader_request all = {.series = selection.series,
                                        .count = selection.count,
                                        .t_min_ms = INT64_MIN,
                                        .t_max_ms = INT64_MAX};
    if (!st) st = series_reader_create(q, &all, a, &reader, &err);
    for (size_t i = 0; !st && i < selection.count; i++) {
        const struct series *series;
        struct columns *columns;
        st = series_reader_next(reader, &series, &columns, &err);
        if (!st) *samples += columns->count;
    }
    if (!st) st = querier_label_names(q, &r, &list, &err);
    if (!st) st = querier_label_values(q, STR("i"), &r, &list, &err);
    if (!st) st = storage_cardinality(db, 10, a, &cardinality, &err);
    querier_close(q);
    return st;
}

/* Of everything, and of what some matchers mean. */
static void check_queries(struct store *s, int way, const struct matcher *matchers, size_t count,
                          size_t expected)
{
    struct arena a;
    bool whole = false;
    uint64_t n = 0;
    size_t samples;
    arena_init(&a, HEAP_QUERY, 1 << 26);
    ck_assert_int_eq(query(s->db, &a, matchers, count, &samples), OK);
    arena_reset(&a);
    struct level before = level_read();
    for (; !whole; n = level_next(n)) {
        ck_assert_uint_lt(n, N_MAX);
        level_inject(n, way);
        enum status st = query(s->db, &a, matchers, count, &samples);
        whole = level_injection_ended();
        ck_assert(st == OK || (st == ERR_NO_MEMORY && !whole));
        if (st == OK) ck_assert_uint_eq(samples, expected);
        arena_reset(&a);
        storage_check(s->db);
        level_expect(&before);
    }
    arena_release(&a);
    ck_assert_uint_gt(n, 3); /* else nothing was tried */
}

START_TEST(a_query)
{
    struct store s;
    store_open(&s);
    fill_windows(&s);
    clock_advance(4 * HOUR_MS);
    store_settle(&s);
    struct matcher matchers[] = {store_matcher(MATCH_REGEX, "i", ".*1.*"),
                                 store_matcher(MATCH_EQUAL, "__name__", "m"),
                                 store_matcher(MATCH_NOT_EQUAL, "i", "11")};
    check_queries(&s, _i, NULL, 0, 120);
    /* 13 of 0 to 39 have a 1, one of them is left out; two samples each. And all of 100 to 139. */
    check_queries(&s, _i, matchers, ARRAY_COUNT(matchers), 2 * 12 + 40);
    for (size_t i = 0; i < ARRAY_COUNT(matchers); i++)
        matcher_release(&matchers[i]);
    store_close(&s);
}
END_TEST

SUITE_TIMES(no_memory, LEVEL_WAYS, an_append, an_append_to_a_sealed_window, the_closing_of_a_window,
            the_expiry_of_a_window, the_emptying_of_a_region, a_query)
