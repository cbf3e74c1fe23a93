/* cardinality - the largest of everything, in a fixed order. */
#include "base/hash.h"
#include "tests/unit/storage/store.h"
#include "tests/unit/suite.h"

static void check_row(const struct cardinality_row *row, const char *name, uint64_t value)
{
    ck_assert_msg(str_equal(row->name, str_from(name)), "%.*s", STR_ARG(row->name));
    ck_assert_uint_eq(row->value, value);
}

START_TEST(the_largest_come_first_and_ties_by_name)
{
    struct store s;
    struct cardinality c;
    struct error err;
    store_open(&s);
    for (int i = 0; i < 30; i++) {
        struct str text = arena_printf(&s.arena, "%02d", i);
        const char *name = i < 20 ? "big" : i < 25 ? "b" : "a";
        store_append(&s,
                     store_labels(&s.arena, "__name__", name, "i", text.data, "job", "node", NULL),
                     STORE_NOW_MS, 1);
    }
    ck_assert(storage_cardinality(s.db, 3, &s.arena, &c, &err) == OK);
    ck_assert_uint_eq(c.by_metric_count, 3);
    check_row(&c.by_metric[0], "big", 20);
    check_row(&c.by_metric[1], "a", 5);
    check_row(&c.by_metric[2], "b", 5);
    ck_assert_uint_eq(c.by_label_values_count, 3);
    check_row(&c.by_label_values[0], "i", 30);
    check_row(&c.by_label_values[1], "__name__", 3);
    check_row(&c.by_label_values[2], "job", 1);
    check_row(&c.by_label_bytes[0], "i", 60);
    check_row(&c.by_label_bytes[1], "__name__", 5);
    check_row(&c.by_label_bytes[2], "job", 4);
    ck_assert_uint_eq(c.by_pair_count, 3);
    check_row(&c.by_pair[0], "job=node", 30);
    check_row(&c.by_pair[1], "__name__=big", 20);
    check_row(&c.by_pair[2], "__name__=a", 5);
    store_close(&s);
}
END_TEST

/* What the series of a metric take, samples and all, is what storage counts as a whole. */
START_TEST(bytes_of_a_metric_are_those_of_its_series_and_chunks)
{
    struct store s;
    struct cardinality c;
    struct storage_stats stats;
    struct error err;
    store_open(&s);
    for (int64_t i = 0; i < 3000; i++) {
        struct labels labels =
            store_labels(&s.arena, "__name__", "long", "i", i % 2 ? "odd" : "even", NULL);
        store_append(&s, labels, STORE_NOW_MS - 6 * HOUR_MS + i * 1000, (double)(i * i));
    }
    store_append(&s, store_labels(&s.arena, "__name__", "short", NULL), STORE_NOW_MS, 1);
    store_append(&s, store_labels(&s.arena, "job", "nameless", NULL), STORE_NOW_MS, 1);
    clock_advance(4 * HOUR_MS);
    store_settle(&s); /* some are sealed */
    ck_assert(storage_cardinality(s.db, 3, &s.arena, &c, &err) == OK);
    storage_stats_read(s.db, &stats);
    ck_assert_uint_eq(c.by_metric_bytes_count, 2);
    ck_assert(str_equal(c.by_metric_bytes[0].name, STR("long")));
    ck_assert(str_equal(c.by_metric_bytes[1].name, STR("short")));
    uint64_t chunks = stats.chunk_bytes - stats.chunk_bytes / stats.chunks; /* of about the rest */
    ck_assert_uint_gt(c.by_metric_bytes[0].value, chunks / 2);
    ck_assert_uint_lt(c.by_metric_bytes[0].value + c.by_metric_bytes[1].value,
                      stats.chunk_bytes + 3 * 256);
    store_close(&s);
}
END_TEST

START_TEST(a_limit_larger_than_everything_or_nothing_at_all_is_fine)
{
    struct store s;
    struct cardinality c;
    struct error err;
    store_open(&s);
    ck_assert(storage_cardinality(s.db, 10, &s.arena, &c, &err) == OK);
    ck_assert_uint_eq(c.by_pair_count, 0);
    store_append(&s, store_labels(&s.arena, "__name__", "up", NULL), STORE_NOW_MS, 1);
    ck_assert(storage_cardinality(s.db, SIZE_MAX, &s.arena, &c, &err) == OK);
    ck_assert_uint_eq(c.by_pair_count, 1);
    ck_assert(storage_cardinality(s.db, 0, &s.arena, &c, &err) == OK);
    ck_assert_uint_eq(c.by_pair_count, 0);
    store_close(&s);
}
END_TEST

START_TEST(the_top_of_many_is_what_sorting_would_give)
{
    enum { METRICS = 200, TOP = 17 };
    struct store s;
    struct cardinality c;
    struct error err;
    uint64_t sizes[METRICS];
    store_open(&s);
    for (uint64_t m = 0; m < METRICS; m++) {
        sizes[m] = 1 + hash_mix(5, m) % 20;
        for (uint64_t i = 0; i < sizes[m]; i++)
            store_append(&s,
                         store_labels(&s.arena, "__name__",
                                      arena_printf(&s.arena, "m%03d", (int)m).data, "i",
                                      arena_printf(&s.arena, "%d", (int)i).data, NULL),
                         STORE_NOW_MS, 1);
    }
    ck_assert(storage_cardinality(s.db, TOP, &s.arena, &c, &err) == OK);
    ck_assert_uint_eq(c.by_metric_count, TOP);
    for (size_t at = 0; at < TOP; at++) {
        size_t best = 0;
        for (size_t m = 1; m < METRICS; m++) {
            if (sizes[m] > sizes[best]) best = m;
        }
        check_row(&c.by_metric[at], arena_printf(&s.arena, "m%03d", (int)best).data, sizes[best]);
        sizes[best] = 0;
    }
    store_close(&s);
}
END_TEST

SUITE(cardinality, the_largest_come_first_and_ties_by_name,
      bytes_of_a_metric_are_those_of_its_series_and_chunks,
      a_limit_larger_than_everything_or_nothing_at_all_is_fine,
      the_top_of_many_is_what_sorting_would_give)
