/* image: samples of good images, and refusals of those that lie. */
#include "storage/image.h"

#include "storage/chunk.h"
#include "storage/seal.h"
#include "tests/unit/suite.h"

enum { SAMPLES = 200, STEP_MS = 1000, LAST_MS = (SAMPLES - 1) * STEP_MS, ARENA_BYTES = 1 << 22 };

static struct arena arena;
static struct sealer sealer;

static void setup(struct chunk_image images[2])
{
    struct sealed_parts parts;
    arena_init(&arena, HEAP_QUERY, ARENA_BYTES);
    sealer_init(&sealer);
    struct chunk *c = chunk_create(0);
    for (int i = 0; i < SAMPLES; i++)
        ck_assert_int_eq(chunk_add(c, (int64_t)i * STEP_MS, i * 1.7), CHUNK_APPENDED);
    images[0] = (struct chunk_image){.window = 0};
    ck_assert_int_eq(chunk_export(c, NULL, &arena, &images[0], NULL), OK);
    struct columns columns = {.arena = &arena};
    ck_assert_int_eq(chunk_read(c, INT64_MIN, INT64_MAX, &columns, NULL), OK);
    ck_assert_int_eq(seal_encode(&sealer, &columns, &parts), OK);
    images[1] = images[0];
    images[1].encoding = CHUNK_SEALED;
    images[1].bytes = parts.values;
    images[1].size = parts.values_size;
    images[1].times = parts.times;
    images[1].times_size = parts.times_size;
    chunk_destroy(c);
}

static void teardown(void)
{
    sealer_release(&sealer);
    arena_release(&arena);
}

START_TEST(both_encodings_are_read)
{
    struct chunk_image images[2];
    setup(images);
    for (int i = 0; i < 2; i++) {
        struct columns columns = {.arena = &arena};
        ck_assert_int_eq(image_read(&images[i], 0, LAST_MS, &columns, NULL), OK);
        ck_assert_int_eq(image_read(&images[i], 0, LAST_MS, &columns, NULL), OK); /* appends */
        ck_assert_uint_eq(columns.count, 2 * SAMPLES);
        for (int k = 0; k < 2 * SAMPLES; k++) {
            ck_assert_int_eq(columns.t_ms[k], k % SAMPLES * STEP_MS);
            ck_assert_double_eq(columns.v[k], k % SAMPLES * 1.7);
        }
    }
    teardown();
}
END_TEST

START_TEST(what_does_not_agree_is_refused)
{
    struct chunk_image images[2];
    setup(images);
    for (int i = 0; i < 2; i++) {
        const struct chunk_image good = images[i];
        struct chunk_image bad[] = {good, good, good, good, good, good, good};
        struct columns columns = {.arena = &arena};
        bad[0].sample_count = 0;
        bad[1].sample_count = UINT32_MAX;
        bad[2].sample_count--;
        bad[3].t_first_ms++;
        bad[4].t_last_ms--;
        bad[5].size--;
        bad[6].size = 0;
        for (size_t k = 0; k < sizeof(bad) / sizeof(bad[0]); k++)
            ck_assert_int_eq(image_read(&bad[k], 0, LAST_MS, &columns, NULL), ERR_CORRUPT);
        ck_assert_int_eq(image_read(&good, 1, LAST_MS, &columns, NULL), ERR_CORRUPT);
        ck_assert_int_eq(image_read(&good, 0, LAST_MS - 1, &columns, NULL), ERR_CORRUPT);
        ck_assert_uint_eq(columns.count, 0);
        bad[0] = good;
        bad[0].encoding = 99;
        ck_assert_int_eq(image_read(&bad[0], 0, LAST_MS, &columns, NULL), ERR_UNSUPPORTED);
    }
    images[1].times = NULL;
    struct columns columns = {.arena = &arena};
    ck_assert_int_eq(image_read(&images[1], 0, LAST_MS, &columns, NULL), ERR_CORRUPT);
    teardown();
}
END_TEST

SUITE(image, both_encodings_are_read, what_does_not_agree_is_refused)
