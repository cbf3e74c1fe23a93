/* times_cache: what was decoded is not decoded again, by the same reader. */
#include "storage/times_cache.h"

#include "alloc/buf.h"
#include "encoding/times.h"
#include "tests/unit/suite.h"

enum { COLUMNS = 3 * TIMES_CACHE_ENTRIES, COUNT = 100 };

static struct arena arena;
static struct buf columns[COLUMNS];

static void setup(void)
{
    arena_init(&arena, HEAP_QUERY, 1 << 20);
    for (int64_t n = 0; n < COLUMNS; n++) {
        int64_t t_ms[COUNT];
        for (int64_t i = 0; i < COUNT; i++)
            t_ms[i] = n * 1000000 + i * 15000 + i % 3;
        buf_init(&columns[n], HEAP_QUERY, 1 << 20);
        ck_assert_int_eq(times_encode(t_ms, COUNT, &arena, &columns[n]), OK);
    }
}

static void teardown(void)
{
    for (int n = 0; n < COLUMNS; n++)
        buf_release(&columns[n]);
    arena_release(&arena);
}

static const int64_t *get(struct times_cache *cache, int n)
{
    const int64_t *t_ms;
    ck_assert_int_eq(times_cache_get(cache, columns[n].data, columns[n].size, COUNT, &t_ms), OK);
    return t_ms;
}

START_TEST(every_column_is_what_it_was_encoded_from)
{
    setup();
    struct times_cache *cache = times_cache_create(&arena);
    ck_assert_ptr_nonnull(cache);
    times_cache_begin(cache, 1);
    for (int round = 0; round < 3; round++) {
        for (int n = 0; n < COLUMNS; n++) {
            const int64_t *t_ms = get(cache, n);
            for (int64_t i = 0; i < COUNT; i++)
                ck_assert_int_eq(t_ms[i], n * 1000000 + i * 15000 + i % 3);
        }
    }
    teardown();
}
END_TEST

START_TEST(a_column_is_decoded_once_by_each_reader)
{
    setup();
    struct times_cache *cache = times_cache_create(&arena);
    ck_assert_ptr_nonnull(cache);
    times_cache_begin(cache, 1);
    const int64_t *first = get(cache, 0);
    ((int64_t *)(uintptr_t)first)[COUNT - 1] = 7; /* a mark */
    times_cache_begin(cache, 1);
    ck_assert_int_eq(get(cache, 0)[COUNT - 1], 7);
    times_cache_begin(cache, 2);
    ck_assert_int_eq(get(cache, 0)[COUNT - 1], (COUNT - 1) * 15000);
    teardown();
}
END_TEST

START_TEST(damage_and_want_of_memory_leave_nothing_behind)
{
    setup();
    struct times_cache *cache = times_cache_create(&arena);
    const int64_t *t_ms;
    ck_assert_ptr_nonnull(cache);
    times_cache_begin(cache, 1);
    const uint8_t *bytes = columns[0].data;
    ck_assert_int_eq(times_cache_get(cache, bytes, columns[0].size - 1, COUNT, &t_ms), ERR_CORRUPT);
    ck_assert_int_eq(get(cache, 0)[1], 15001);
    ck_assert_int_eq(times_cache_get(cache, columns[1].data, columns[1].size, 1 << 20, &t_ms),
                     ERR_TOO_LARGE);
    teardown();
}
END_TEST

SUITE(times_cache, every_column_is_what_it_was_encoded_from,
      a_column_is_decoded_once_by_each_reader, damage_and_want_of_memory_leave_nothing_behind)
