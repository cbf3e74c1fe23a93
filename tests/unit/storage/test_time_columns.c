/* time_columns: a random walk beside a plain array. */
#include "storage/time_columns.h"

#include <stdio.h>

#include "alloc/region.h"
#include "base/clock.h"
#include "tests/unit/suite.h"

enum { COLUMNS = 300, STEPS = 20000, HASHES = 40 };

START_TEST(columns_are_found_while_they_are_in)
{
    static uint64_t references[COLUMNS];
    static bool in[COLUMNS];
    struct time_columns t = {0};
    struct region region;
    unsigned seed = (unsigned)clock_mono_ns();
    uint32_t count = 0;
    printf("seed %u\n", seed);
    srandom(seed);
    region_init(&region, HEAP_CHUNKS);
    for (uint32_t i = 0; i < COLUMNS; i++) {
        references[i] = region_alloc(&region, sizeof(struct sealed_times) + sizeof(i));
        struct sealed_times *times = region_at(references[i]);
        times->size = sizeof(i);
        memcpy(times->bytes, &i, sizeof(i));
    }
    for (int step = 0; step < STEPS; step++) {
        uint32_t i = (uint32_t)random() % COLUMNS;
        const struct sealed_parts parts = {.times = (const uint8_t *)&i, .times_size = sizeof(i)};
        uint64_t hash = i % HASHES; /* many of them are the same */
        ck_assert_uint_eq(time_columns_find(&t, hash, &parts), in[i] ? references[i] : 0);
        if (in[i])
            time_columns_remove(&t, hash, references[i]);
        else
            ck_assert(time_columns_add(&t, hash, references[i]));
        in[i] = !in[i];
        count += in[i] ? 1 : -1;
        ck_assert_uint_eq(t.count, count);
    }
    time_columns_release(&t);
    region_release(&region);
}
END_TEST

START_TEST(equal_bytes_have_equal_hashes)
{
    const struct sealed_parts a = {.times = (const uint8_t *)"abc", .times_size = 3};
    const struct sealed_parts b = {.times = (const uint8_t *)"abcd", .times_size = 3};
    ck_assert_uint_eq(time_columns_hash(&a), time_columns_hash(&b));
}
END_TEST

SUITE(time_columns, columns_are_found_while_they_are_in, equal_bytes_have_equal_hashes)
