/* spare: unused capacity is part of what is held, and goes with it. */
#include "storage/storage.h"

#include "alloc/memstats.h"
#include "storage/symbols.h"
#include "tests/unit/storage/store.h"
#include "tests/unit/suite.h"

static uint64_t held_bytes(void)
{
    static struct memstats s;
    memstats_read(&s);
    return s.tag_requested[HEAP_INDEX] + s.tag_requested[HEAP_LABELS] +
           s.tag_requested[HEAP_CHUNKS];
}

START_TEST(an_empty_store_has_no_spare_capacity)
{
    struct store s;
    store_open(&s);
    ck_assert_uint_eq(storage_spare_bytes(s.db), 0);
    store_close(&s);
}
END_TEST

START_TEST(one_series_leaves_the_rest_of_each_table)
{
    struct storage_options options = storage_options_default();
    struct store s;
    options.shards = 1;
    store_open_with(&s, options);
    store_append(&s, store_labels(&s.arena, "a", "1", NULL), STORE_NOW_MS, 1);
    /* Map 32 x 8 with 1, postings 32 x 16 with 1, directory 64 x 16 with 1; two symbols in tables
     * of 16 x 12 each or together, one family of 2 x 32, one value of 2 x 8. */
    uint64_t shard = 31 * 8 + 31 * 16 + 63 * 16;
    uint64_t lists = sizeof(struct symbol_family) + sizeof(void *);
    uint64_t spare = storage_spare_bytes(s.db) - (64 - 16); /* a chunk with one sample */
    ck_assert(spare == shard + lists + 2 * 15 * 12 || spare == shard + lists + 14 * 12);
    store_close(&s);
}
END_TEST

START_TEST(samples_fill_the_cells_of_a_chunk)
{
    struct store s;
    store_open(&s);
    struct labels labels = store_labels(&s.arena, "a", "1", NULL);
    store_append(&s, labels, STORE_NOW_MS, 1);
    uint64_t spare = storage_spare_bytes(s.db);
    /* 1110, a step of 20 bits whose last one is a zero, and a zero for the value: 23 are stored */
    store_append(&s, labels, STORE_NOW_MS + 10, 1);
    ck_assert_uint_eq(storage_spare_bytes(s.db), spare - 3);
    store_append(&s, labels, STORE_NOW_MS - 10, 2); /* late: a cell of its own, 40 bytes of it */
    ck_assert_uint_eq(storage_spare_bytes(s.db), spare - 3 + 128 - 40);
    store_close(&s);
}
END_TEST

START_TEST(spare_capacity_is_a_part_of_the_tables_and_goes_with_them)
{
    struct store s;
    store_open(&s);
    for (int i = 0; i < 5000; i++) {
        struct labels labels = store_numbered(&s.arena, i);
        store_append(&s, labels, STORE_NOW_MS, 1);
        arena_reset(&s.arena);
        if (i % 100) continue;
        uint64_t spare = storage_spare_bytes(s.db);
        ck_assert_uint_gt(spare, 0);
        ck_assert_uint_lt(spare, held_bytes());
    }
    clock_advance(48 * HOUR_MS);
    store_settle(&s);
    ck_assert_uint_eq(storage_spare_bytes(s.db), 0);
    store_close(&s);
}
END_TEST

SUITE(spare, an_empty_store_has_no_spare_capacity, one_series_leaves_the_rest_of_each_table,
      samples_fill_the_cells_of_a_chunk, spare_capacity_is_a_part_of_the_tables_and_goes_with_them)
