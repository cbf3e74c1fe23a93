/* row: bitmaps, the hash index, label sets without names, merging. */
#include "promql/row.h"

#include "promql/eval.h"
#include "tests/unit/promql/asking.h"

START_TEST(bits_are_walked_in_order)
{
    uint64_t words[3] = {0};
    static const size_t set[] = {0, 1, 63, 64, 100, 127, 128, 129};
    for (size_t i = 0; i < ARRAY_COUNT(set); i++)
        bit_set(words, set[i]);
    struct bit_walk walk = bit_walk(words, 130);
    size_t at;
    size_t seen = 0;
    while (bit_walk_next(&walk, &at)) {
        ck_assert_uint_eq(at, set[seen++]);
        bit_clear(words, at);
    }
    ck_assert_uint_eq(seen, ARRAY_COUNT(set));
    ck_assert(!bits_any(words, 130));
}
END_TEST

START_TEST(filling_stops_at_the_last_step)
{
    for (size_t steps = 1; steps <= 130; steps++) {
        uint64_t words[4] = {0, 0, 0, 0};
        bits_fill(words, steps);
        ck_assert_uint_eq(bits_count(words, steps), steps);
    }
}
END_TEST

START_TEST(runs_are_all_that_is_set)
{
    uint64_t state = random_seed();
    for (int round = 0; round < 2000; round++) {
        uint64_t words[4] = {0};
        uint64_t covered[4] = {0};
        size_t steps = next_random(&state) % 256 + 1;
        size_t change = next_random(&state) % 80 + 1; /* one bit in so many differs from the last */
        bool set = false;
        for (size_t i = 0; i < steps; i++) {
            set ^= next_random(&state) % change == 0;
            if (set) bit_set(words, i);
        }
        struct bit_runs run = bit_runs(words, steps);
        size_t behind = 0;
        while (bit_runs_next(&run)) {
            ck_assert_uint_lt(run.from, run.to);
            ck_assert(run.from > behind || behind == 0); /* else they would be one */
            ck_assert_uint_le(run.to, steps);
            for (size_t i = run.from; i < run.to; i++)
                bit_set(covered, i);
            behind = run.to;
        }
        ck_assert_mem_eq(covered, words, sizeof(words));
    }
}
END_TEST

START_TEST(the_hash_index_finds_every_item_under_a_hash)
{
    struct arena a;
    struct hash_index ix = {0};
    uint64_t state = random_seed();
    enum { ITEMS = 1000, HASHES = 300 };
    size_t hash_of[ITEMS];
    arena_init(&a, HEAP_QUERY, UINT64_MAX);
    for (size_t i = 0; i < ITEMS; i++) {
        hash_of[i] = next_random(&state) % HASHES;
        ck_assert_int_eq(hash_index_add(&ix, hash_of[i], i, &a, NULL), OK);
    }
    for (size_t hash = 0; hash <= HASHES; hash++) {
        size_t probe = 0;
        size_t item;
        size_t found = 0;
        size_t expected = 0;
        while ((item = hash_index_next(&ix, hash, &probe)) != HASH_INDEX_END) {
            ck_assert_uint_eq(hash_of[item], hash);
            found++;
        }
        for (size_t i = 0; i < ITEMS; i++)
            expected += hash_of[i] == hash;
        ck_assert_uint_eq(found, expected);
    }
    arena_release(&a);
}
END_TEST

static struct labels unnamed(struct label *items, size_t count, struct arena *a)
{
    struct labels out;
    struct label_scratch scratch = {0};
    struct labels set = {.items = items, .count = count};
    ck_assert_int_eq(labels_unname(set, &scratch, a, &out, NULL), OK);
    return out;
}

START_TEST(names_and_their_metadata_are_dropped)
{
    struct arena a;
    arena_init(&a, HEAP_QUERY, UINT64_MAX);
    struct label first[] = {{STR("__name__"), STR("x")}, {STR("job"), STR("a")}};
    struct labels out = unnamed(first, 2, &a);
    ck_assert_uint_eq(out.count, 1);
    ck_assert_ptr_eq(out.items, &first[1]); /* a view */

    struct label mixed[] = {{STR("Zone"), STR("z")},
                            {STR("__address__"), STR("b")},
                            {STR("__name__"), STR("x")},
                            {STR("__tenant__"), STR("t")},
                            {STR("__type__"), STR("counter")},
                            {STR("__unit__"), STR("s")},
                            {STR("job"), STR("a")}};
    out = unnamed(mixed, 7, &a);
    ck_assert_uint_eq(out.count, 4);
    ck_assert(str_equal(out.items[0].name, STR("Zone")));
    ck_assert(str_equal(out.items[1].name, STR("__address__")));
    ck_assert(str_equal(out.items[2].name, STR("__tenant__")));
    ck_assert(str_equal(out.items[3].name, STR("job")));
    ck_assert_uint_eq(unnamed(first, 0, &a).count, 0);
    arena_release(&a);
}
END_TEST

START_TEST(label_sets_are_written_as_errors_show_them)
{
    struct arena a;
    struct str text;
    struct label items[] = {{STR("__name__"), STR("x")}, {STR("a.b"), STR("q\"\\\n")}};
    arena_init(&a, HEAP_QUERY, UINT64_MAX);
    ck_assert_int_eq(labels_text((struct labels){items, 2}, &a, &text, NULL), OK);
    ck_assert(str_equal(text, STR("{__name__=\"x\", \"a.b\"=\"q\\\"\\\\\\n\"}")));
    arena_release(&a);
}
END_TEST

/* A table of rows {i="..."} with the given bits at three steps. */
static void push_row(struct row_table *table, struct label *label, unsigned bits, double v,
                     struct arena *a)
{
    struct row *row = VEC_PUSH(table, a);
    ck_assert_ptr_nonnull(row);
    ck_assert_int_eq(row_alloc(row, 3, a, NULL), OK);
    row->labels = (struct labels){.items = label, .count = 1};
    row->present[0] = bits;
    for (size_t i = 0; i < 3; i++)
        row->v[i] = v;
}

START_TEST(equal_rows_merge_when_their_steps_do_not_meet)
{
    struct asking k;
    struct label one = {STR("i"), STR("1")};
    struct label two = {STR("i"), STR("2")};
    asking_open(&k);
    struct eval ev = {.engine = &k.engine, .query = &k.query, .arena = &k.arena};
    struct row_table table = {0};
    struct rows *rows;
    struct rows *merged;
    struct row *row;
    push_row(&table, &one, 1, 10, &k.arena);
    push_row(&table, &two, 7, 20, &k.arena);
    push_row(&table, &one, 4, 30, &k.arena);
    ck_assert_int_eq(rows_from_table(&ev, &table, 3, true, &rows, NULL), OK);
    ck_assert_int_eq(rows_merge(rows, MERGE_DISJOINT, &merged, NULL), OK);
    ck_assert_int_eq(merged->next(merged, &row, NULL), OK);
    ck_assert_uint_eq(row->present[0], 5);
    ck_assert_double_eq(row->v[0], 10);
    ck_assert_double_eq(row->v[2], 30);
    ck_assert_int_eq(merged->next(merged, &row, NULL), OK);
    ck_assert_uint_eq(row->present[0], 7);
    ck_assert_int_eq(merged->next(merged, &row, NULL), OK);
    ck_assert_ptr_null(row);
    asking_close(&k);
}
END_TEST

START_TEST(equal_rows_at_the_same_step_are_an_error)
{
    struct asking k;
    struct label one = {STR("i"), STR("1")};
    asking_open(&k);
    struct eval ev = {.engine = &k.engine, .query = &k.query, .arena = &k.arena};
    struct row_table table = {0};
    struct rows *rows;
    struct error err;
    push_row(&table, &one, 3, 10, &k.arena);
    push_row(&table, &one, 2, 30, &k.arena);
    ck_assert_int_eq(rows_from_table(&ev, &table, 3, true, &rows, NULL), OK);
    ck_assert_int_eq(rows_merge(rows, MERGE_DISJOINT, &rows, &err), ERR_CONFLICT);
    ck_assert_str_eq(err.text, "vector cannot contain metrics with the same labelset");
    asking_close(&k);
}
END_TEST

struct native_histogram {
    int any;
};

/* {i="..."} with a histogram at each of three steps that has a bit, and in `floats` a float. */
static void push_mixed(struct row_table *table, struct label *label, unsigned histograms,
                       unsigned floats, const struct native_histogram *h, struct arena *a)
{
    push_row(table, label, histograms | floats, 10, a);
    struct row *row = &table->items[table->count - 1];
    row->histograms = arena_calloc(a, 3, sizeof(row->histograms[0]));
    ck_assert_ptr_nonnull(row->histograms);
    for (size_t i = 0; i < 3; i++)
        if (histograms >> i & 1) row->histograms[i] = h;
}

START_TEST(one_kind_of_samples_can_be_taken_out)
{
    struct arena a;
    struct native_histogram h = {0};
    struct label one = {STR("i"), STR("1")};
    struct row_table table = {0};
    arena_init(&a, HEAP_QUERY, UINT64_MAX);
    for (int i = 0; i < 2; i++) {
        push_mixed(&table, &one, 1, 4, &h, &a);
        push_row(&table, &one, 5, 10, &a);
    }
    row_drop_histograms(&table.items[0], 3);
    row_drop_histograms(&table.items[1], 3);
    row_drop_floats(&table.items[2], 3);
    row_drop_floats(&table.items[3], 3);
    ck_assert_uint_eq(table.items[0].present[0], 4);
    ck_assert_ptr_null(table.items[0].histograms);
    ck_assert_uint_eq(table.items[1].present[0], 5);
    ck_assert_uint_eq(table.items[2].present[0], 1);
    ck_assert_ptr_eq(table.items[2].histograms[0], &h);
    ck_assert_uint_eq(table.items[3].present[0], 0);
    arena_release(&a);
}
END_TEST

START_TEST(histograms_are_copied_and_merged)
{
    struct asking k;
    struct native_histogram h[2] = {{0}, {0}};
    struct label one = {STR("i"), STR("1")};
    struct label two = {STR("i"), STR("2")};
    asking_open(&k);
    struct eval ev = {.engine = &k.engine, .query = &k.query, .arena = &k.arena};
    struct row_table table = {0};
    struct rows *rows;
    struct row *row;
    push_row(&table, &one, 1, 20, &k.arena);
    push_mixed(&table, &one, 4, 0, &h[0], &k.arena);
    push_mixed(&table, &two, 2, 1, &h[1], &k.arena);
    ck_assert_int_eq(rows_from_table(&ev, &table, 3, true, &rows, NULL), OK);
    rows->stable = false; /* so that they are copied */
    ck_assert_int_eq(rows_merge(rows, MERGE_DISJOINT, &rows, NULL), OK);
    ck_assert_int_eq(rows->next(rows, &row, NULL), OK);
    ck_assert_uint_eq(row->present[0], 5);
    ck_assert_double_eq(row->v[0], 20);
    ck_assert_ptr_null(row->histograms[0]);
    ck_assert_ptr_eq(row->histograms[2], &h[0]);
    ck_assert_int_eq(rows->next(rows, &row, NULL), OK);
    ck_assert_ptr_ne(row->histograms, table.items[2].histograms);
    ck_assert_double_eq(row->v[0], 10);
    ck_assert_ptr_eq(row->histograms[1], &h[1]);
    asking_close(&k);
}
END_TEST

SUITE(row, bits_are_walked_in_order, filling_stops_at_the_last_step, runs_are_all_that_is_set,
      the_hash_index_finds_every_item_under_a_hash, names_and_their_metadata_are_dropped,
      label_sets_are_written_as_errors_show_them, equal_rows_merge_when_their_steps_do_not_meet,
      equal_rows_at_the_same_step_are_an_error, one_kind_of_samples_can_be_taken_out,
      histograms_are_copied_and_merged)
