/* xor_codec: every double and every time survives; damaged bytes are an error, never an overrun. */
#include "storage/xor_codec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/bits.h"
#include "base/clock.h"
#include "model/sample.h"
#include "tests/unit/encoding/bits_put.h"
#include "tests/unit/suite.h"

enum { SAMPLES_MAX = 400, STREAM_BYTES = SAMPLES_MAX * 24 };

/* A plain bit sink: what chunk.c does with cells, done with an array. */
struct sink {
    uint8_t bytes[STREAM_BYTES];
    uint32_t bits;
};

static void encode_all(struct sink *sink, const int64_t *t_ms, const uint64_t *v, uint32_t count)
{
    struct xor_state state = {.count = 0};
    for (uint32_t i = 0; i < count; i++) {
        struct sample_bits bits;
        xor_encode(&state, t_ms[i], bits_to_double(v[i]), &bits);
        ck_assert_uint_le(bits.count, SAMPLE_BITS_MAX);
        bits_put(sink->bytes, &sink->bits, &bits);
        ck_assert_uint_eq(state.bits, sink->bits);
    }
}

static void check_round_trip(const int64_t *t_ms, const uint64_t *v, uint32_t count)
{
    struct sink *sink = calloc(1, sizeof(*sink));
    int64_t out_t[SAMPLES_MAX];
    double out_v[SAMPLES_MAX];
    struct columns columns = {.t_ms = out_t, .v = out_v, .capacity = SAMPLES_MAX};
    struct xor_state state;
    encode_all(sink, t_ms, v, count);
    size_t size = (sink->bits + 7) / 8;
    uint8_t *exact = malloc(size); /* so that ASan sees a read past the end */
    memcpy(exact, sink->bytes, size);
    ck_assert_int_eq(xor_decode(exact, size, count, INT64_MIN, INT64_MAX, &columns, &state), OK);
    ck_assert_uint_eq(columns.count, count);
    ck_assert_uint_eq(state.bits, sink->bits);
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_int_eq(out_t[i], t_ms[i]);
        ck_assert_uint_eq(bits_from_double(out_v[i]), v[i]);
    }
    free(exact);
    free(sink);
}

START_TEST(extreme_values_and_times_survive)
{
    const int64_t t_ms[] = {INT64_MIN, -1,    0,      1,      8193,    8194,
                            81000,     90000, 700000, 700001, 9000000, INT64_MAX};
    const uint64_t v[] = {bits_from_double(0.0),
                          bits_from_double(-0.0),
                          STALE_NAN_BITS,
                          NORMAL_NAN_BITS,
                          bits_from_double(INFINITY),
                          bits_from_double(-INFINITY),
                          1,
                          UINT64_MAX,
                          bits_from_double(1e308),
                          bits_from_double(1e-308),
                          bits_from_double(1e-308),
                          0x8000000000000000u};
    check_round_trip(t_ms, v, 12);
}
END_TEST

static uint64_t random_u64(void)
{
    uint64_t value = 0;
    for (int i = 0; i < 5; i++)
        value = value << 15 ^ (uint64_t)random();
    return value;
}

/* Steps and values of several kinds: regular, jittered, wild. */
static uint32_t random_samples(int64_t *t_ms, uint64_t *v)
{
    uint32_t count = 1 + (uint32_t)random() % SAMPLES_MAX;
    int kind = (int)(random() % 4);
    int64_t t = (int64_t)(random_u64() % 4000000000000u);
    double value = (double)(random() % 1000);
    for (uint32_t i = 0; i < count; i++) {
        t_ms[i] = t;
        t += 15000 + (kind == 1 ? random() % 40 : 0) + (kind == 2 ? random() % 2000000 : 0);
        if (random() % 3 == 0) value += (double)(random() % 100) / 8;
        v[i] = kind == 3 ? random_u64() : bits_from_double(value);
    }
    return count;
}

START_TEST(random_streams_survive)
{
    unsigned seed = (unsigned)clock_mono_ns();
    int64_t t_ms[SAMPLES_MAX];
    uint64_t v[SAMPLES_MAX];
    printf("seed %u\n", seed);
    srandom(seed);
    for (int round = 0; round < 500; round++) {
        uint32_t count = random_samples(t_ms, v);
        check_round_trip(t_ms, v, count);
    }
}
END_TEST

START_TEST(a_range_decodes_only_its_samples)
{
    int64_t t_ms[100];
    uint64_t v[100];
    struct sink *sink = calloc(1, sizeof(*sink));
    int64_t out_t[100];
    double out_v[100];
    struct columns columns = {.t_ms = out_t, .v = out_v, .capacity = 100};
    struct xor_state state;
    for (int i = 0; i < 100; i++) {
        t_ms[i] = i * 1000;
        v[i] = bits_from_double(i);
    }
    encode_all(sink, t_ms, v, 100);
    ck_assert_int_eq(
        xor_decode(sink->bytes, (sink->bits + 7) / 8, 100, 10000, 19999, &columns, &state), OK);
    ck_assert_uint_eq(columns.count, 10);
    ck_assert_int_eq(out_t[0], 10000);
    ck_assert_int_eq(out_t[9], 19000);
    free(sink);
}
END_TEST

START_TEST(cut_or_flipped_bytes_never_read_past_the_end)
{
    int64_t t_ms[SAMPLES_MAX];
    uint64_t v[SAMPLES_MAX];
    struct sink *sink = calloc(1, sizeof(*sink));
    struct xor_state state;
    srandom(7);
    uint32_t count = random_samples(t_ms, v);
    encode_all(sink, t_ms, v, count);
    size_t size = (sink->bits + 7) / 8;
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *exact = malloc(cut ? cut : 1);
        memcpy(exact, sink->bytes, cut);
        ck_assert_int_eq(xor_decode(exact, cut, count, INT64_MIN, INT64_MAX, NULL, &state),
                         ERR_CORRUPT);
        free(exact);
    }
    for (size_t i = 0; i < size; i++) {
        sink->bytes[i] ^= 0x55;
        enum status st = xor_decode(sink->bytes, size, count, INT64_MIN, INT64_MAX, NULL, &state);
        ck_assert(st == OK || st == ERR_CORRUPT);
        sink->bytes[i] ^= 0x55;
    }
    free(sink);
}
END_TEST

SUITE(xor_codec, extreme_values_and_times_survive, random_streams_survive,
      a_range_decodes_only_its_samples, cut_or_flipped_bytes_never_read_past_the_end)
