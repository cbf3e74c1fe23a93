/* sealed: what open chunks hold comes back from the sealed form, in whole and in part. */
#include "storage/sealed.h"

#include <stdlib.h>

#include "storage/chunk.h"
#include "tests/unit/suite.h"

enum { SAMPLES = 500, STEP_MS = 15000 };

/* A sealed chunk of samples at STEP_MS, 2 * STEP_MS, ...; by malloc, outside any region. */
static struct sealed *sealed_create(struct arena *a)
{
    struct chunk_image image = {.window = 0};
    struct chunk *c = chunk_create(0);
    for (int i = 1; i <= SAMPLES; i++)
        ck_assert_int_eq(chunk_add(c, (int64_t)i * STEP_MS, i * 0.5), CHUNK_APPENDED);
    ck_assert_int_eq(chunk_export(c, a, &image, NULL), OK);
    chunk_destroy(c);
    struct sealed *s = malloc(sealed_bytes_for(image.size));
    ck_assert_ptr_nonnull(s);
    s->sample_count = image.sample_count;
    s->size = image.size;
    memcpy(s->bytes, image.bytes, image.size);
    return s;
}

START_TEST(a_range_is_read)
{
    struct arena a;
    arena_init(&a, HEAP_QUERY, 1 << 24);
    struct sealed *s = sealed_create(&a);
    struct columns columns = {.arena = &a};
    ck_assert(columns_reserve(&columns, SAMPLES));
    ck_assert_int_eq(sealed_read(s, 10 * STEP_MS, 20 * STEP_MS + 1, &columns, NULL), OK);
    ck_assert_uint_eq(columns.count, 11);
    for (size_t i = 0; i < columns.count; i++) {
        ck_assert_int_eq(columns.t_ms[i], (int64_t)(i + 10) * STEP_MS);
        ck_assert_double_eq(columns.v[i], (double)(i + 10) * 0.5);
    }
    free(s);
    arena_release(&a);
}
END_TEST

START_TEST(one_time_is_found_or_not)
{
    struct arena a;
    double v = 0;
    bool found;
    arena_init(&a, HEAP_QUERY, 1 << 24);
    struct sealed *s = sealed_create(&a);
    ck_assert_int_eq(sealed_find(s, 7 * STEP_MS, &found, &v), OK);
    ck_assert(found);
    ck_assert_double_eq(v, 3.5);
    ck_assert_int_eq(sealed_find(s, 7 * STEP_MS + 1, &found, &v), OK);
    ck_assert(!found);
    ck_assert_int_eq(sealed_find(s, 0, &found, &v), OK);
    ck_assert(!found);
    ck_assert_int_eq(sealed_find(s, (SAMPLES + 1) * STEP_MS, &found, &v), OK);
    ck_assert(!found);
    free(s);
    arena_release(&a);
}
END_TEST

START_TEST(the_image_is_the_bytes_and_their_ends)
{
    struct arena a;
    struct error err;
    struct chunk_image image = {.window = 3};
    arena_init(&a, HEAP_QUERY, 1 << 24);
    struct sealed *s = sealed_create(&a);
    ck_assert_int_eq(sealed_export(s, &image, &err), OK);
    ck_assert_ptr_eq(image.bytes, s->bytes);
    ck_assert_uint_eq(image.sample_count, SAMPLES);
    ck_assert_int_eq(image.t_first_ms, STEP_MS);
    ck_assert_int_eq(image.t_last_ms, SAMPLES * STEP_MS);
    ck_assert_int_eq(chunk_check_image(&image, 0, SAMPLES * STEP_MS, &err), OK);
    s->sample_count += 1000; /* more than the bytes hold */
    ck_assert_int_eq(sealed_export(s, &image, &err), ERR_CORRUPT);
    free(s);
    arena_release(&a);
}
END_TEST

SUITE(sealed, a_range_is_read, one_time_is_found_or_not, the_image_is_the_bytes_and_their_ends)
