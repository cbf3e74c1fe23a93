/* export - chunks go out window by window, while everything else goes on. */
#include "storage/export.h"

#include "base/bits.h"
#include "tests/unit/storage/transfer.h"
#include "tests/unit/suite.h"

/* The same series with the same samples, bit for bit. */
static void check_same(struct store *s, struct storage *other)
{
    struct store o = {.db = other};
    arena_init(&o.arena, HEAP_QUERY, UINT64_C(1) << 30);
    struct querier *a = store_query(s);
    struct querier *b = store_query(&o);
    struct selection as = store_select(a, NULL, 0);
    struct selection bs = store_select(b, NULL, 0);
    ck_assert_uint_eq(as.count, bs.count);
    for (size_t i = 0; i < as.count; i++) {
        ck_assert(labels_equal(labels_of(as.series[i]), labels_of(bs.series[i])));
        struct columns ac = store_read(s, a, as.series[i]);
        struct columns bc = store_read(&o, b, bs.series[i]);
        ck_assert_uint_eq(ac.count, bc.count);
        ck_assert_mem_eq(ac.t_ms, bc.t_ms, ac.count * sizeof(*ac.t_ms));
        ck_assert_mem_eq(ac.v, bc.v, ac.count * sizeof(*ac.v));
    }
    querier_close(a);
    querier_close(b);
    arena_release(&o.arena);
}

static void fill(struct store *s, int series, int samples)
{
    for (int i = 0; i < series; i++) {
        struct labels labels = store_numbered(&s->arena, i);
        for (int n = 0; n < samples; n++) {
            /* every seventh is late */
            int64_t t_ms = STORE_NOW_MS - 10 * HOUR_MS + n * 600000 - (n % 7 == 0 ? 700001 : 0);
            store_append(s, labels, t_ms, n == 5 ? bits_to_double(STALE_NAN_BITS) : i * n * 0.1);
        }
    }
}

START_TEST(everything_exported_and_imported_is_the_same_store)
{
    struct store s;
    store_open(&s);
    fill(&s, 200, 50);
    struct storage *other = open_other();
    struct storage_stats before;
    struct storage_stats after;
    storage_stats_read(s.db, &before);
    ck_assert_uint_eq(copy_all(s.db, other), before.chunks);
    storage_stats_read(other, &after);
    ck_assert_uint_eq(after.samples, before.samples);
    ck_assert_uint_eq(after.samples_appended, before.samples);
    ck_assert_int_eq(after.min_time_ms, before.min_time_ms);
    ck_assert_int_eq(after.max_time_ms, before.max_time_ms);
    check_same(&s, other);
    storage_check(other);

    copy_all(s.db, other); /* a second time changes nothing */
    storage_stats_read(other, &after);
    ck_assert_uint_eq(after.samples, before.samples);
    ck_assert_uint_eq(after.samples_appended, before.samples);
    check_same(&s, other);
    storage_check(other);
    storage_close(other);
    store_close(&s);
}
END_TEST

START_TEST(versions_change_exactly_when_a_window_does)
{
    struct store s;
    struct window_info a[STORAGE_WINDOWS_MAX];
    struct window_info b[STORAGE_WINDOWS_MAX];
    store_open(&s);
    struct labels labels = store_labels(&s.arena, "__name__", "m", NULL);
    ck_assert_uint_eq(export_windows(s.db, a), 0);
    store_append(&s, labels, STORE_NOW_MS - 4 * HOUR_MS, 1);
    store_append(&s, labels, STORE_NOW_MS, 1);
    ck_assert_uint_eq(export_windows(s.db, a), 2);
    ck_assert_uint_eq(a[0].chunks, 1);
    store_append(&s, labels, STORE_NOW_MS, 1); /* a duplicate */
    store_append(&s, labels, STORE_NOW_MS, 2); /* a conflict */
    ck_assert_uint_eq(export_windows(s.db, b), 2);
    ck_assert_mem_eq(a, b, 2 * sizeof(*a));
    store_append(&s, labels, STORE_NOW_MS + 1, 1);
    ck_assert_uint_eq(export_windows(s.db, b), 2);
    ck_assert_uint_eq(b[0].version, a[0].version);
    ck_assert_uint_gt(b[1].version, a[1].version);
    clock_advance(28 * HOUR_MS);
    ck_assert_uint_eq(export_windows(s.db, b), 1);
    ck_assert_int_eq(b[0].window, a[1].window);
    store_close(&s);
}
END_TEST

START_TEST(a_slow_export_holds_no_garbage_back_and_survives_forgetting)
{
    struct store s;
    struct exporter *e;
    struct chunk_image image;
    struct error err;
    bool more = true;
    size_t seen = 0;
    struct arena a;
    store_open(&s);
    fill(&s, 50, 1);
    struct window_info windows[STORAGE_WINDOWS_MAX];
    ck_assert_uint_eq(export_windows(s.db, windows), 1);
    arena_init(&a, HEAP_SNAPSHOT, 1 << 24);
    ck_assert(export_open(s.db, windows[0].window, &a, &e, &err) == OK);
    while (seen < 10) {
        ck_assert(export_next(e, &image, &more, &err) == OK && more);
        seen++;
    }
    clock_advance(40 * HOUR_MS);
    store_settle(&s);
    ck_assert(labels_has(image.labels, STR("i"))); /* still readable: this call's epoch */
    ck_assert(export_next(e, &image, &more, &err) == OK);
    ck_assert(!more);
    export_close(e);
    arena_release(&a);
    store_close(&s);
}
END_TEST

SUITE(export, everything_exported_and_imported_is_the_same_store,
      versions_change_exactly_when_a_window_does,
      a_slow_export_holds_no_garbage_back_and_survives_forgetting)
