/* window_region: what is equal is there once, as long as somebody uses it. */
#include "storage/window_region.h"

#include <string.h>

#include "alloc/memstats.h"
#include "tests/unit/suite.h"

enum { SIZE = 1000, CHUNK_BYTES = SIZE + 8, COLUMN_BYTES = 16 };

/* A column of one time, and values that nobody decodes. */
static const uint8_t times[] = {1, 0, 0, 0, 16, 0};
static const uint8_t values[SIZE] = {[SIZE - 1] = 7};
static const struct sealed_parts parts = {
    .times = times, .times_size = sizeof(times), .values = values, .values_size = SIZE};
static struct window_region w;

static void setup(void)
{
    window_region_init(&w);
}

static void teardown(void)
{
    struct memstats s;
    region_check(&w.region);
    window_region_release(&w);
    memstats_read(&s);
    ck_assert_uint_eq(s.tag_objects[HEAP_CHUNKS], 0);
}

static struct sealed *put(const struct sealed_parts *of)
{
    const struct sealed *s = window_region_put(&w, window_region_hash(of), of);
    ck_assert_ptr_nonnull(s);
    return region_at(region_ref(s));
}

START_TEST(equal_chunks_are_one_until_the_last_of_their_users_has_gone)
{
    const uint8_t other_times[] = {1, 2, 0, 0, 16, 0};
    const uint8_t other_values[SIZE] = {[SIZE - 1] = 8};
    struct sealed_parts later = parts;
    struct sealed_parts higher = parts;
    later.times = other_times;
    higher.values = other_values;
    setup();
    struct sealed *one = put(&parts);
    ck_assert_ptr_eq(put(&parts), one);
    ck_assert_ptr_ne(put(&later), one);
    ck_assert_ptr_ne(put(&higher), one);
    ck_assert_uint_eq(w.region.live_bytes, 3 * CHUNK_BYTES + 2 * COLUMN_BYTES);
    window_region_delete(&w, one);
    ck_assert_ptr_eq(put(&parts), one);
    window_region_delete(&w, one);
    window_region_delete(&w, one);
    ck_assert_uint_eq(w.region.deleted_bytes, CHUNK_BYTES);
    struct sealed *again = put(&parts); /* what is dead is not found */
    ck_assert_ptr_ne(again, one);
    ck_assert_uint_eq(sealed_column(again), sealed_column(one));
    teardown();
}
END_TEST

START_TEST(chunks_that_were_put_before_it_was_settled_are_not_looked_for)
{
    setup();
    struct sealed *one = put(&parts);
    window_region_settle(&w);
    ck_assert_ptr_null(w.chunks);
    struct sealed *two = put(&parts);
    ck_assert_ptr_ne(one, two);
    window_region_delete(&w, one);
    ck_assert_uint_eq(w.region.deleted_bytes, CHUNK_BYTES); /* the column has a user */
    ck_assert_ptr_eq(put(&parts), two);
    teardown();
}
END_TEST

/* Tables of all chunks, which grow; between their entries there would be what stays. */
START_TEST(what_is_forgotten_when_it_is_settled_takes_no_small_objects)
{
    enum { CHUNKS = 8192 };
    static struct memstats_owners owners;
    uint64_t small = 0;
    setup();
    for (uint32_t i = 0; i < CHUNKS; i++) {
        uint8_t bytes[8];
        memcpy(bytes, &(uint64_t){i}, sizeof(bytes));
        struct sealed_parts distinct = parts;
        distinct.values = bytes;
        distinct.values_size = sizeof(bytes);
        put(&distinct);
    }
    memstats_read_owners(&owners);
    for (unsigned c = 1; c < MEMSTATS_CLASSES_MAX; c++)
        small += owners.objects[c][HEAP_CHUNKS];
    ck_assert_uint_lt(small, 8);
    window_region_settle(&w);
    teardown();
}
END_TEST

START_TEST(a_chunk_of_more_users_than_are_counted_goes_with_the_region)
{
    setup();
    struct sealed *one = put(&parts);
    for (int i = 1; i < 2 * SEALED_USERS_MAX; i++)
        ck_assert_ptr_eq(put(&parts), one);
    for (int i = 0; i < 2 * SEALED_USERS_MAX; i++)
        window_region_delete(&w, one);
    ck_assert_uint_eq(w.region.deleted_bytes, 0);
    teardown();
}
END_TEST

SUITE(window_region, equal_chunks_are_one_until_the_last_of_their_users_has_gone,
      chunks_that_were_put_before_it_was_settled_are_not_looked_for,
      what_is_forgotten_when_it_is_settled_takes_no_small_objects,
      a_chunk_of_more_users_than_are_counted_goes_with_the_region)
