/* import - chunks come back, alone or merged; what does not fit leaves nothing. */
#include "tests/unit/storage/transfer.h"
#include "tests/unit/suite.h"

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
    ck_assert(series_read(q, selection.series[0], STORE_NOW_MS + 70, STORE_NOW_MS + 70, &columns,
                          &err) == OK);
    ck_assert(columns.count == 1 && columns.v[0] == 700);
    querier_close(q);
    arena_release(&o.arena);
    storage_check(o.db);
    storage_close(o.db);
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

START_TEST(a_batch_goes_in_up_to_the_first_that_does_not)
{
    enum { SERIES = 100, BAD = 70 };
    struct store s;
    struct exporter *e;
    struct error err;
    struct chunk_image images[SERIES];
    struct arena kept;
    size_t done;
    size_t samples;
    store_open(&s);
    arena_init(&kept, HEAP_QUERY, 1 << 24);
    for (int i = 0; i < SERIES; i++) {
        struct str text = arena_printf(&s.arena, "%d", i);
        store_append(&s, store_labels(&s.arena, "i", text.data, NULL), STORE_NOW_MS, i);
    }
    ck_assert(export_open(s.db, storage_window_of(s.db, STORE_NOW_MS), &s.arena, &e, &err) == OK);
    for (int i = 0; i < SERIES; i++) {
        bool more;
        struct chunk_image image;
        ck_assert(export_next(e, &image, &more, &err) == OK && more);
        images[i] = keep_image(&image, &kept);
    }
    export_close(e);

    struct store o = {.db = open_other()};
    arena_init(&o.arena, HEAP_QUERY, 1 << 24);
    images[BAD].sample_count++;
    ck_assert_int_eq(import_chunks(o.db, images, SERIES, &done, &err), ERR_CORRUPT);
    ck_assert_uint_eq(done, BAD);
    ck_assert_uint_eq(store_count(&o, &samples), BAD);
    images[BAD].sample_count--;
    ck_assert_int_eq(import_chunks(o.db, images + BAD, SERIES - BAD, &done, &err), OK);
    ck_assert_uint_eq(done, SERIES - BAD);
    ck_assert_uint_eq(store_count(&o, &samples), SERIES);
    ck_assert_uint_eq(samples, SERIES);
    ck_assert_int_eq(import_chunks(o.db, images, 0, &done, &err), OK);
    arena_release(&o.arena);
    arena_release(&kept);
    storage_check(o.db);
    storage_close(o.db);
    store_close(&s);
}
END_TEST

/* Neighbours with the same column of times: what is known of the first says nothing of values,
 * count and bounds of the second. */
START_TEST(a_column_of_times_that_was_checked_excuses_nothing_else)
{
    struct store s;
    struct exporter *e;
    struct error err;
    struct chunk_image images[2];
    struct arena kept;
    size_t done;
    store_open(&s);
    arena_init(&kept, HEAP_QUERY, 1 << 24);
    struct labels labels[2] = {store_labels(&s.arena, "i", "0", NULL),
                               store_labels(&s.arena, "i", "1", NULL)};
    for (int k = 0; k < 20; k++)
        for (int i = 0; i < 2; i++)
            store_append(&s, labels[i], STORE_NOW_MS + k, k * k);
    int64_t window = storage_window_of(s.db, STORE_NOW_MS);
    clock_advance(5 * HOUR_MS);
    store_settle(&s);
    ck_assert(export_open(s.db, window, &s.arena, &e, &err) == OK);
    for (int i = 0; i < 2; i++) {
        bool more;
        struct chunk_image image;
        ck_assert(export_next(e, &image, &more, &err) == OK && more);
        ck_assert_int_eq(image.encoding, CHUNK_SEALED);
        images[i] = keep_image(&image, &kept);
    }
    export_close(e);
    images[1].times = images[0].times;

    struct storage *other = open_other();
    struct chunk_image good = images[1];
    images[1].size--;
    ck_assert_int_eq(import_chunks(other, images, 2, &done, &err), ERR_CORRUPT);
    images[1] = good;
    images[1].sample_count--;
    ck_assert_int_eq(import_chunks(other, images, 2, &done, &err), ERR_CORRUPT);
    images[1] = good;
    images[1].t_last_ms++;
    ck_assert_int_eq(import_chunks(other, images, 2, &done, &err), ERR_CORRUPT);
    images[1] = good;
    images[1].window++;
    ck_assert_int_eq(import_chunks(other, images, 2, &done, &err), ERR_CORRUPT);
    ck_assert_uint_eq(done, 1);
    images[1] = good;
    ck_assert_int_eq(import_chunks(other, images, 2, &done, &err), OK);
    arena_release(&kept);
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

START_TEST(what_is_restored_lies_as_if_it_had_been_ingested)
{
    struct store s;
    struct window_bytes ingested[STORAGE_WINDOWS_MAX];
    struct window_bytes restored[STORAGE_WINDOWS_MAX];
    store_open(&s);
    for (int hour = 0; hour < 30; hour++, clock_advance(HOUR_MS))
        for (int i = 0; i < 200; i++) {
            struct str text = arena_printf(&s.arena, "%d", i);
            for (int k = 0; k < 4; k++)
                store_append(&s, store_labels(&s.arena, "i", text.data, NULL),
                             clock_wall_ms() + k * 15000, i * k);
        }
    store_settle(&s);
    struct store o = {.db = open_other()};
    arena_init(&o.arena, HEAP_QUERY, 1 << 24);
    copy_all(s.db, o.db);
    import_finish(o.db);
    size_t count = storage_window_bytes(s.db, ingested);
    ck_assert_uint_eq(storage_window_bytes(o.db, restored), count);
    ck_assert_uint_eq(count, 7); /* the newest ended this moment, and is open yet */
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(restored[i].start_ms, ingested[i].start_ms);
        ck_assert_uint_eq(restored[i].open, ingested[i].open);
        ck_assert_uint_eq(restored[i].sealed, ingested[i].sealed);
        ck_assert_uint_lt(restored[i].tail, HEAP_PAGE_BYTES + restored[i].sealed / 16);
        ck_assert((ingested[i].open == 0) == (i + 1 < count));
    }
    arena_release(&o.arena);
    storage_check(o.db);
    storage_close(o.db);
    store_close(&s);
}
END_TEST

SUITE(import, importing_over_other_samples_merges_and_what_is_there_wins,
      images_that_do_not_fit_are_refused_and_leave_nothing,
      a_batch_goes_in_up_to_the_first_that_does_not,
      a_column_of_times_that_was_checked_excuses_nothing_else,
      an_import_that_finds_no_memory_changes_nothing,
      what_is_restored_lies_as_if_it_had_been_ingested)
