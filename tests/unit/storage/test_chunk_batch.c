/* chunk_batch: several chunks read at once give what chunk_read gives of each. */
#include "storage/chunk_batch.h"

#include <stdlib.h>

#include "storage/chunk_parts.h"
#include "tests/unit/suite.h"

static struct arena arena;

static struct chunk *chunk_random(uint32_t count)
{
    struct chunk *c = chunk_create(0);
    double v = (double)(random() % 1000);
    bool constant = random() % 4 == 0;
    ck_assert_ptr_nonnull(c);
    for (uint32_t i = 0; i < count; i++) {
        if (!constant) v += (double)(random() % 1000) / 100;
        EXPECT(chunk_add(c, (int64_t)i * 15000 + random() % 40, v) == CHUNK_APPENDED);
    }
    return c;
}

START_TEST(together_is_as_one_by_one)
{
    arena_init(&arena, HEAP_QUERY, UINT64_C(1) << 30);
    srandom(1);
    for (int round = 0; round < 40; round++) {
        struct chunk_batch_item items[CHUNK_BATCH_MAX];
        struct columns columns[CHUNK_BATCH_MAX];
        struct error err;
        size_t failed;
        size_t count = 1 + (size_t)random() % CHUNK_BATCH_MAX;
        int64_t t_min_ms = random() % 2 ? random() % 3000000 : INT64_MIN;
        int64_t t_max_ms = random() % 2 ? 3000000 + random() % 3000000 : INT64_MAX;
        for (size_t i = 0; i < count; i++) {
            columns[i] = (struct columns){.arena = &arena};
            items[i].chunk = chunk_random((uint32_t)random() % 500);
            items[i].extent = chunk_extent_now(items[i].chunk);
            items[i].columns = &columns[i];
        }
        for (size_t pass = 1; pass < 3; pass++) { /* the second time behind what is there */
            ck_assert(chunk_batch_read(items, count, t_min_ms, t_max_ms, &arena, &failed, &err) ==
                      OK);
            for (size_t i = 0; i < count; i++) {
                struct columns alone = {.arena = &arena};
                ck_assert(chunk_read(items[i].chunk, t_min_ms, t_max_ms, &alone, &err) == OK);
                ck_assert_uint_eq(columns[i].count, pass * alone.count);
                if (!alone.count) continue;
                size_t first = (pass - 1) * alone.count;
                ck_assert_mem_eq(columns[i].t_ms + first, alone.t_ms, alone.count * 8);
                ck_assert_mem_eq(columns[i].v + first, alone.v, alone.count * 8);
            }
        }
        for (size_t i = 0; i < count; i++)
            chunk_destroy((struct chunk *)(uintptr_t)items[i].chunk);
        arena_reset(&arena);
    }
    arena_release(&arena);
}
END_TEST

START_TEST(the_one_that_does_not_decode_is_named)
{
    struct chunk_batch_item items[3];
    struct columns columns[3];
    struct error err;
    size_t failed = 0;
    arena_init(&arena, HEAP_QUERY, UINT64_C(1) << 30);
    for (size_t i = 0; i < 3; i++) {
        columns[i] = (struct columns){.arena = &arena};
        items[i].chunk = chunk_random(50);
        items[i].extent = chunk_extent_now(items[i].chunk);
        items[i].columns = &columns[i];
    }
    items[1].extent.published += UINT64_C(1000) << 32; /* more samples than bits */
    ck_assert_int_eq(chunk_batch_read(items, 3, INT64_MIN, INT64_MAX, &arena, &failed, &err),
                     ERR_CORRUPT);
    ck_assert_uint_eq(failed, 1);
    for (size_t i = 0; i < 3; i++)
        chunk_destroy((struct chunk *)(uintptr_t)items[i].chunk);
    arena_release(&arena);
}
END_TEST

SUITE(chunk_batch, together_is_as_one_by_one, the_one_that_does_not_decode_is_named)
