/* export and import - chunks go out and come back, alone, merged, twice, or damaged. */
#include "storage/export.h"

#include "alloc/memstats.h"
#include "base/bits.h"
#include "tests/unit/storage/store.h"
#include "tests/unit/suite.h"

/* A second storage beside the first, same clock. */
static struct storage *open_other(void)
{
    struct storage_options options = storage_options_default();
    struct storage *db;
    struct error err;
    options.shards = 1;
    ck_assert(storage_open(&options, &db, &err) == OK);
    return db;
}

/* Carry every chunk over; returns how many. */
static size_t copy_all(struct storage *from, struct storage *to)
{
    struct window_info windows[STORAGE_WINDOWS_MAX];
    struct arena a;
    struct error err;
    size_t copied = 0;
    size_t count = export_windows(from, windows);
    arena_init(&a, HEAP_SNAPSHOT, 1 << 26);
    for (size_t i = 0; i < count; i++) {
        struct exporter *e;
        struct chunk_image image;
        bool more;
        ck_assert(i == 0 || windows[i - 1].window < windows[i].window);
        ck_assert(export_open(from, windows[i].window, &a, &e, &err) == OK);
        while (ck_assert(export_next(e, &image, &more, &err) == OK), more) {
            ck_assert_int_eq(image.window, windows[i].window);
            ck_assert_msg(import_chunk(to, &image, &err) == OK, "%s", err.text);
            copied++;
        }
        export_close(e);
        arena_reset(&a);
    }
    arena_release(&a);
    return copied;
}

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
        ck_assert(labels_equal(as.series[i].labels, bs.series[i].labels));
        struct columns ac = store_read(s, a, &as.series[i]);
        struct columns bc = store_read(&o, b, &bs.series[i]);
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
        struct str text = arena_printf(&s->arena, "%d", i);
        struct labels labels = store_labels(&s->arena, "__name__", "m", "i", text.data, NULL);
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

START_TEST(importing_over_other_samples_merges_and_what_is_there_wins)
{
    struct store s;
    struct error err;
    size_t samples;
    store_open(&s);
    struct labels labels = store_labels(&s.arena, "__name__", "m", NULL);
    for (int i = 0; i < 10; i++)
        store_append(&s, labels, STORE_NOW_MS + i * 10, i);
    struct store o = {.db = open_other()};
    arena_init(&o.arena, HEAP_QUERY, 1 << 24);
    for (int i = 5; i < 15; i++)
        store_append(&o, labels, STORE_NOW_MS + i * 10, i == 7 ? 700 : i);
    store_append(&o, labels, STORE_NOW_MS - 5, -1);
    copy_all(s.db, o.db);
    ck_assert_uint_eq(store_count(&o, &samples), 1);
    ck_assert_uint_eq(samples, 16);
    struct querier *q = store_query(&o);
    struct selection selection = store_select(q, NULL, 0);
    struct columns columns = {.arena = &o.arena};
    ck_assert(series_read(q, &selection.series[0], STORE_NOW_MS + 70, STORE_NOW_MS + 70, &columns,
                          &err) == OK);
    ck_assert(columns.count == 1 && columns.v[0] == 700);
    querier_close(q);
    arena_release(&o.arena);
    storage_check(o.db);
    storage_close(o.db);
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

/* One good image, viewing the arena of the store. */
static struct chunk_image good_image(struct store *s, struct exporter **e)
{
    struct error err;
    struct chunk_image image;
    bool more;
    store_append(s, store_labels(&s->arena, "__name__", "m", "x", "y", NULL), STORE_NOW_MS, 1);
    int64_t window = storage_window_of(s->db, STORE_NOW_MS);
    ck_assert(export_open(s->db, window, &s->arena, e, &err) == OK);
    ck_assert(export_next(*e, &image, &more, &err) == OK && more);
    return image;
}

START_TEST(images_that_do_not_fit_are_refused_and_leave_nothing)
{
    struct store s;
    struct exporter *e;
    struct error err;
    struct storage_stats stats;
    store_open(&s);
    struct chunk_image good = good_image(&s, &e);
    struct storage *other = open_other();
    struct label bad_order[] = {good.labels.items[1], good.labels.items[0]};
    struct label no_value[] = {{STR("a"), {"", 0}}};
    struct chunk_image bad;

    bad = good;
    bad.window -= 8;
    ck_assert_int_eq(import_chunk(other, &bad, &err), ERR_OUT_OF_RANGE);
    bad.window = good.window + 1;
    ck_assert_int_eq(import_chunk(other, &bad, &err), ERR_OUT_OF_RANGE);
    bad.window = good.window - 1; /* retained, but the times are not in it */
    ck_assert_int_eq(import_chunk(other, &bad, &err), ERR_CORRUPT);
    bad = good;
    bad.encoding = 77;
    ck_assert_int_eq(import_chunk(other, &bad, &err), ERR_UNSUPPORTED);
    bad = good;
    bad.sample_count = 2;
    ck_assert_int_eq(import_chunk(other, &bad, &err), ERR_CORRUPT);
    bad = good;
    bad.labels = (struct labels){bad_order, 2};
    ck_assert_int_eq(import_chunk(other, &bad, &err), ERR_CORRUPT);
    bad.labels = (struct labels){no_value, 1};
    ck_assert_int_eq(import_chunk(other, &bad, &err), ERR_CORRUPT);
    storage_stats_read(other, &stats);
    ck_assert_uint_eq(stats.series, 0);
    ck_assert_uint_eq(stats.symbols, 0);
    ck_assert_int_eq(import_chunk(other, &good, &err), OK);
    export_close(e);
    storage_check(other);
    storage_close(other);
    store_close(&s);
}
END_TEST

START_TEST(an_import_that_finds_no_memory_changes_nothing)
{
    struct store s;
    struct exporter *e;
    struct error err;
    struct storage_stats stats;
    store_open(&s);
    struct chunk_image good = good_image(&s, &e);
    struct storage *other = open_other();
    struct store o = {.db = other};
    for (int merged = 0; merged < 2; merged++) {
        enum status st = ERR_NO_MEMORY;
        for (uint64_t n = 0; st; n++) {
            heap_fail_after(n);
            st = import_chunk(other, &good, &err);
            heap_fail_after(UINT64_MAX);
            ck_assert(st == OK || st == ERR_NO_MEMORY);
            storage_check(other);
            storage_stats_read(other, &stats);
            ck_assert_uint_eq(stats.samples, (st == OK) + 2 * merged);
            ck_assert_uint_eq(stats.series, merged || st == OK);
        }
        if (merged) break;
        clock_advance(32 * HOUR_MS); /* forget it, then put other samples where it goes */
        store_settle(&o);
        clock_freeze(STORE_NOW_MS);
        storage_close(other);
        o.db = other = open_other();
        store_append(&o, good.labels, STORE_NOW_MS + 1, 1);
        store_append(&o, good.labels, STORE_NOW_MS + 2, 1);
    }
    export_close(e);
    storage_close(other);
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
      importing_over_other_samples_merges_and_what_is_there_wins,
      versions_change_exactly_when_a_window_does,
      images_that_do_not_fit_are_refused_and_leave_nothing,
      an_import_that_finds_no_memory_changes_nothing,
      a_slow_export_holds_no_garbage_back_and_survives_forgetting)
