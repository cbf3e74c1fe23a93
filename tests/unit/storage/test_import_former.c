/* import_former: chunks of former versions come in with every sample; damaged ones do not. */
#include "storage/import_former.h"

#include "model/sample.h"
#include "storage/chunk.h"
#include "storage/xor_codec.h"
#include "tests/unit/encoding/bits_put.h"
#include "tests/unit/encoding/former_stream.h"
#include "tests/unit/suite.h"

enum { SAMPLES = 300, STREAM_BYTES = SAMPLES * 24, STEP_MS = 15000 };

static double value_at(int i)
{
    return i % 7 == 0 ? bits_to_double(STALE_NAN_BITS) : i * 0.37;
}

/* As version 1 wrote it; the bytes are the caller's. */
static struct chunk_image image_of_version_1(uint8_t bytes[STREAM_BYTES])
{
    struct xor_state state = {.count = 0};
    struct chunk_image image = {.encoding = CHUNK_XOR,
                                .window = 5,
                                .bytes = bytes,
                                .sample_count = SAMPLES,
                                .t_first_ms = 7,
                                .t_last_ms = 7 + (SAMPLES - 1) * STEP_MS};
    memset(bytes, 0, STREAM_BYTES);
    for (int i = 0; i < SAMPLES; i++) {
        struct sample_bits bits;
        uint32_t at = state.bits;
        xor_encode(&state, 7 + (int64_t)i * STEP_MS, value_at(i), &bits);
        bits_put(bytes, &at, &bits);
    }
    image.size = (state.bits + 7) / 8;
    return image;
}

/* The image comes in as an open chunk of these samples. */
static void check_comes_in(const struct chunk_image *from, struct arena *a, const int64_t *t_ms,
                           const double *v)
{
    struct chunk_image to;
    struct chunk *c;
    ck_assert_int_eq(import_former(from, a, &to, NULL), OK);
    ck_assert_uint_eq(to.encoding, CHUNK_OPEN);
    ck_assert_int_eq(chunk_import(&to, from->t_first_ms, from->t_last_ms, &c, NULL), OK);
    struct columns columns = {.arena = a};
    ck_assert_int_eq(chunk_read(c, INT64_MIN, INT64_MAX, &columns, NULL), OK);
    ck_assert_uint_eq(columns.count, from->sample_count);
    for (uint32_t i = 0; i < from->sample_count; i++) {
        ck_assert_int_eq(columns.t_ms[i], t_ms[i]);
        ck_assert_uint_eq(bits_from_double(columns.v[i]), bits_from_double(v[i]));
    }
    chunk_destroy(c);
}

START_TEST(every_sample_comes_in)
{
    static uint8_t bytes[STREAM_BYTES];
    struct chunk_image from = image_of_version_1(bytes);
    int64_t t_ms[SAMPLES];
    double v[SAMPLES];
    struct arena a;
    for (int i = 0; i < SAMPLES; i++) {
        t_ms[i] = 7 + (int64_t)i * STEP_MS;
        v[i] = value_at(i);
    }
    arena_init(&a, HEAP_QUERY, 1 << 20);
    check_comes_in(&from, &a, t_ms, v);
    arena_release(&a);
}
END_TEST

START_TEST(open_chunks_of_the_last_version_come_in)
{
    const struct chunk_image from = {.encoding = CHUNK_OPEN_FORMER,
                                     .window = 5,
                                     .bytes = former_stream,
                                     .size = FORMER_BYTES,
                                     .sample_count = FORMER_SAMPLES,
                                     .t_first_ms = former_t_ms[0],
                                     .t_last_ms = former_t_ms[FORMER_SAMPLES - 1]};
    struct chunk_image to;
    double v[FORMER_SAMPLES];
    struct arena a;
    for (uint32_t i = 0; i < FORMER_SAMPLES; i++)
        v[i] = former_v(i);
    arena_init(&a, HEAP_QUERY, 1 << 20);
    check_comes_in(&from, &a, former_t_ms, v);
    struct chunk_image bad[] = {from, from, from};
    bad[0].sample_count = UINT32_MAX;
    bad[1].t_last_ms--;
    bad[2].size--;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_int_eq(import_former(&bad[i], &a, &to, NULL), ERR_CORRUPT);
    arena_release(&a);
}
END_TEST

START_TEST(what_does_not_agree_is_refused)
{
    static uint8_t bytes[STREAM_BYTES];
    const struct chunk_image good = image_of_version_1(bytes);
    struct chunk_image to;
    struct arena a;
    struct chunk_image bad[] = {good, good, good, good, good};
    bad[0].sample_count = 0;
    bad[1].sample_count = UINT32_MAX;
    bad[2].t_first_ms++;
    bad[3].t_last_ms--;
    bad[4].size--;
    arena_init(&a, HEAP_QUERY, 1 << 20);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        ck_assert_int_eq(import_former(&bad[i], &a, &to, NULL), ERR_CORRUPT);
    arena_release(&a);
    arena_init(&a, HEAP_QUERY, 1000);
    ck_assert_int_eq(import_former(&good, &a, &to, NULL), ERR_TOO_LARGE);
    arena_release(&a);
}
END_TEST

SUITE(import_former, every_sample_comes_in, open_chunks_of_the_last_version_come_in,
      what_does_not_agree_is_refused)
