/* sealed: what was encoded comes back from a region, in whole and in part. */
#include "storage/sealed.h"

#include "alloc/region.h"
#include "storage/image.h"
#include "storage/seal.h"
#include "tests/unit/suite.h"

enum { SAMPLES = 500, STEP_MS = 15000 };

static struct region region;
static struct sealer sealer;

/* A sealed chunk of samples at STEP_MS, 2 * STEP_MS, ... */
static struct sealed *setup(void)
{
    struct sealed_parts parts;
    region_init(&region, HEAP_CHUNKS);
    sealer_init(&sealer);
    struct columns columns = {.arena = &sealer.arena};
    ck_assert(columns_reserve(&columns, SAMPLES));
    for (int i = 1; i <= SAMPLES; i++, columns.count++) {
        columns.t_ms[columns.count] = (int64_t)i * STEP_MS;
        columns.v[columns.count] = i * 0.5;
    }
    ck_assert_int_eq(seal_encode(&sealer, &columns, &parts), OK);
    uint64_t column = region_alloc(&region, sizeof(struct sealed_times) + parts.times_size);
    struct sealed_times *times = region_at(column);
    times->size = parts.times_size;
    memcpy(times->bytes, parts.times, parts.times_size);
    struct sealed *s = region_at(region_alloc(&region, sealed_bytes_for(parts.values_size)));
    sealed_write(s, column, &parts);
    ck_assert_uint_eq(sealed_bytes(s), sealed_bytes_for(parts.values_size));
    ck_assert_uint_eq(sealed_column(s), column);
    ck_assert_uint_eq(sealed_sample_count(s), SAMPLES);
    return s;
}

static void teardown(void)
{
    sealer_release(&sealer);
    region_release(&region);
}

START_TEST(a_range_is_read)
{
    struct sealed *s = setup();
    struct columns columns = {.arena = &sealer.arena};
    ck_assert(columns_reserve(&columns, SAMPLES));
    ck_assert_int_eq(sealed_read(s, 10 * STEP_MS, 20 * STEP_MS + 1, &columns, NULL), OK);
    ck_assert_uint_eq(columns.count, 11);
    for (size_t i = 0; i < columns.count; i++) {
        ck_assert_int_eq(columns.t_ms[i], (int64_t)(i + 10) * STEP_MS);
        ck_assert_double_eq(columns.v[i], (double)(i + 10) * 0.5);
    }
    teardown();
}
END_TEST

START_TEST(one_time_is_found_or_not)
{
    struct sealed *s = setup();
    const int64_t not_there[] = {0, 7 * STEP_MS + 1, (SAMPLES + 1) * STEP_MS};
    double v = 0;
    bool found;
    ck_assert_int_eq(sealed_find(s, 7 * STEP_MS, &found, &v), OK);
    ck_assert(found);
    ck_assert_double_eq(v, 3.5);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(sealed_find(s, not_there[i], &found, &v), OK);
        ck_assert(!found);
    }
    teardown();
}
END_TEST

START_TEST(the_image_is_the_bytes_and_their_ends)
{
    struct sealed *s = setup();
    struct error err;
    struct chunk_image image = {.window = 3};
    struct columns columns = {.arena = &sealer.arena};
    ck_assert_int_eq(sealed_export(s, &image, &err), OK);
    ck_assert_uint_eq(image.encoding, CHUNK_SEALED);
    ck_assert_ptr_eq(image.bytes, sealed_parts(s).values);
    ck_assert_ptr_eq(image.times, sealed_parts(s).times);
    ck_assert_uint_eq(image.sample_count, SAMPLES);
    ck_assert_int_eq(image.t_first_ms, STEP_MS);
    ck_assert_int_eq(image.t_last_ms, SAMPLES * STEP_MS);
    ck_assert_int_eq(image_read(&image, 0, SAMPLES * STEP_MS, &columns, &err), OK);
    ck_assert_uint_eq(columns.count, SAMPLES);
    teardown();
}
END_TEST

SUITE(sealed, a_range_is_read, one_time_is_found_or_not, the_image_is_the_bytes_and_their_ends)
