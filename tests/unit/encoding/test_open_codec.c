/* open_codec: every double and every time survives, any prefix decodes; damaged bytes are an error,
 * never an overrun. */
#include "encoding/open_codec.h"

#include "tests/unit/encoding/bits_put.h"
#include "tests/unit/encoding/samples.h"
#include "tests/unit/suite.h"

enum { STREAM_BYTES = SAMPLES_MAX * 24 };

/* A plain bit sink: what chunk.c does with cells, done with an array. */
struct sink {
    uint8_t bytes[STREAM_BYTES];
    uint32_t bits;
};

/* What the fast forms say of the next sample is what open_encode does with it. */
static void check_fast(const struct open_state *before, int64_t t_ms, double v,
                       const struct open_state *after, const struct sample_bits *bits)
{
    struct open_few few;
    struct open_state state = *before;
    if (open_repeats(before, t_ms, v)) {
        ck_assert_uint_eq(bits->count, 1);
        ck_assert_uint_eq(bits->words[0], 0);
        open_take_repeat(&state, t_ms);
        state.bits++;
    } else if (open_encode_few(before, t_ms, v, &few)) {
        ck_assert_uint_eq(bits->count, few.count);
        ck_assert_uint_eq(bits->words[0], few.bits);
        open_take_few(&state, t_ms, v, &few, state.bits + few.count);
    } else {
        return;
    }
    ck_assert_mem_eq(&state, after, sizeof(state));
}

static struct sink *encode_all(const int64_t *t_ms, const double *v, uint32_t count,
                               struct open_state *state)
{
    struct sink *sink = calloc(1, sizeof(*sink));
    *state = (struct open_state){.bits = 0};
    for (uint32_t i = 0; i < count; i++) {
        struct sample_bits bits;
        struct open_state before = *state;
        open_encode(state, t_ms[i], v[i], &bits);
        check_fast(&before, t_ms[i], v[i], state, &bits);
        EXPECT(bits.count <= SAMPLE_BITS_MAX);
        bits_put(sink->bytes, &sink->bits, &bits);
        ck_assert_uint_eq(state->bits, sink->bits);
    }
    return sink;
}

/* Returns the size in bits. */
static uint32_t check_round_trip(const int64_t *t_ms, const double *v, uint32_t count)
{
    struct open_state end;
    struct open_state state;
    struct sink *sink = encode_all(t_ms, v, count, &end);
    int64_t out_t[SAMPLES_MAX];
    double out_v[SAMPLES_MAX];
    size_t size = (sink->bits + 7) / 8;
    uint8_t *exact = malloc(size); /* so that ASan sees a read past the end */
    memcpy(exact, sink->bytes, size);
    uint32_t decoded = count;
    ck_assert_int_eq(open_decode(exact, size, &decoded, out_t, out_v, &state), OK);
    ck_assert_mem_eq(out_t, t_ms, count * sizeof(*t_ms));
    ck_assert_mem_eq(out_v, v, count * sizeof(*v));
    /* So that a decoded stream can be appended to. */
    ck_assert_mem_eq(&state, &end, sizeof(state));
    free(exact);
    free(sink);
    return end.bits;
}

START_TEST(extreme_values_and_times_survive)
{
    const int64_t t_ms[] = {INT64_MIN, -1,    0,      1,      8193,    8194,
                            81000,     90000, 700000, 700001, 9000000, INT64_MAX};
    const double v[] = {0.0,
                        -0.0,
                        bits_to_double(STALE_NAN_BITS),
                        bits_to_double(NORMAL_NAN_BITS),
                        INFINITY,
                        -INFINITY,
                        5e-324,
                        bits_to_double(UINT64_MAX),
                        1e308,
                        1e-308,
                        1e-308,
                        -0.0};
    (void)check_round_trip(t_ms, v, 12);
}
END_TEST

START_TEST(random_streams_survive)
{
    int64_t t_ms[SAMPLES_MAX];
    double v[SAMPLES_MAX];
    samples_seed();
    for (int round = 0; round < 600; round++) {
        uint32_t count = samples_count();
        samples_times(t_ms, count);
        samples_values(v, count);
        (void)check_round_trip(t_ms, v, count);
    }
}
END_TEST

START_TEST(what_does_not_change_is_one_bit)
{
    int64_t t_ms[100];
    double v[100];
    for (int i = 0; i < 100; i++) {
        t_ms[i] = 1795177537350 + i * 15000;
        v[i] = 0.25;
    }
    /* 128 bits, a step of 20 bits with its prefix and one for the value, and one each. */
    ck_assert_uint_eq(check_round_trip(t_ms, v, 100), 128 + 4 + 20 + 1 + 98);
    v[50] = bits_to_double(STALE_NAN_BITS);
    ck_assert_uint_eq(check_round_trip(t_ms, v, 51), 128 + 25 + 48 + 5);
}
END_TEST

static void on_a_grid(int64_t *t_ms, int count)
{
    for (int i = 0; i < count; i++)
        t_ms[i] = 1795177537350 + i * 15000;
}

/* The first sample, and a step of 20 bits with its prefix and one for the value. */
enum { START_BITS = 128 + 4 + 20 + 1 };

START_TEST(a_late_scrape_is_paid_once)
{
    int64_t t_ms[100];
    double v[100] = {0};
    on_a_grid(t_ms, 100);
    t_ms[50] += 63;
    t_ms[70] -= 64;
    ck_assert_uint_eq(check_round_trip(t_ms, v, 100), START_BITS + 96 + 2 * (3 + 7 + 1));
    t_ms[90] += 64; /* too late for that: a step, one back, and the usual one */
    ck_assert_uint_eq(check_round_trip(t_ms, v, 100),
                      START_BITS + 93 + 2 * (3 + 7 + 1) + 3 * (4 + 20 + 1));
}
END_TEST

START_TEST(a_grid_moves_to_where_samples_stay)
{
    int64_t t_ms[100];
    double v[100] = {0};
    on_a_grid(t_ms, 100);
    for (int i = 50; i < 100; i++)
        t_ms[i] += 20;
    ck_assert_uint_eq(check_round_trip(t_ms, v, 100), START_BITS + 96 + 2 * (3 + 7 + 1));
    t_ms[0] += 20; /* the first step is 14980: three are late, then there is a new one */
    ck_assert_uint_eq(check_round_trip(t_ms, v, 100),
                      START_BITS + 92 + 5 * (3 + 7 + 1) + (4 + 20 + 1));
}
END_TEST

START_TEST(decimals_take_the_bits_of_what_is_not_expected_of_them)
{
    int64_t t_ms[500];
    double v[500];
    srandom(1);
    on_a_grid(t_ms, 500);
    for (int i = 0; i < 500; i++)
        v[i] = (double)(100000 + i * 400 + random() % 2) / 100; /* differences of 399 to 401 */
    ck_assert_uint_le(check_round_trip(t_ms, v, 500), START_BITS + 200 + 499 * (2 + 3));
    for (int i = 0; i < 500; i++)
        v[i] = (double)(100000 + random() % 16) / 100; /* no slope */
    ck_assert_uint_le(check_round_trip(t_ms, v, 500), START_BITS + 200 + 499 * (2 + 5));
}
END_TEST

START_TEST(pages_are_counted_in_pages)
{
    int64_t t_ms[500];
    double v[500];
    srandom(1);
    on_a_grid(t_ms, 500);
    for (int i = 0; i < 500; i++)
        v[i] = (double)(100000 + random() % 16) * 4096;
    ck_assert_uint_le(check_round_trip(t_ms, v, 500), START_BITS + 300 + 499 * (2 + 5));
    v[250] += 1;
    ck_assert_uint_le(check_round_trip(t_ms, v, 500), START_BITS + 500 + 499 * (2 + 5));
}
END_TEST

START_TEST(any_prefix_decodes)
{
    int64_t t_ms[100];
    double v[100];
    int64_t out_t[100];
    double out_v[100];
    struct open_state state;
    samples_seed();
    samples_times(t_ms, 100);
    samples_values(v, 100);
    struct sink *sink = encode_all(t_ms, v, 100, &state);
    for (uint32_t count = 0; count <= 100; count++) {
        uint32_t decoded = count;
        ck_assert_int_eq(
            open_decode(sink->bytes, (sink->bits + 7) / 8, &decoded, out_t, out_v, &state), OK);
        ck_assert_mem_eq(out_v, v, count * sizeof(*v));
    }
    free(sink);
}
END_TEST

START_TEST(cut_or_flipped_bytes_never_read_past_the_end)
{
    int64_t t_ms[200];
    double v[200];
    int64_t out_t[200];
    double out_v[200];
    struct open_state state;
    samples_seed();
    for (int round = 0; round < 8; round++) {
        samples_times(t_ms, 200);
        samples_values(v, 200);
        struct sink *sink = encode_all(t_ms, v, 200, &state);
        size_t size = (sink->bits + 7) / 8;
        for (size_t cut = 0; cut < size; cut++) {
            uint8_t *exact = malloc(cut ? cut : 1);
            memcpy(exact, sink->bytes, cut);
            uint32_t decoded = 200;
            ck_assert_int_eq(open_decode(exact, cut, &decoded, out_t, out_v, &state), ERR_CORRUPT);
            ck_assert_uint_lt(decoded, 200);
            free(exact);
        }
        for (size_t i = 0; i < size; i++) {
            sink->bytes[i] ^= (uint8_t)(1 + random() % 255);
            uint32_t decoded = 200;
            enum status st = open_decode(sink->bytes, size, &decoded, out_t, out_v, &state);
            ck_assert(st == OK || st == ERR_CORRUPT);
            /* Without arrays another loop goes over the bits. */
            struct open_state other;
            uint32_t checked = 200;
            ck_assert(open_decode(sink->bytes, size, &checked, NULL, NULL, &other) == st);
            if (st == OK) ck_assert_mem_eq(&other, &state, sizeof(state));
            for (uint32_t j = 1; j < decoded; j++)
                EXPECT(out_t[j] > out_t[j - 1]);
        }
        free(sink);
    }
}
END_TEST

SUITE(open_codec, extreme_values_and_times_survive, random_streams_survive,
      what_does_not_change_is_one_bit, a_late_scrape_is_paid_once,
      a_grid_moves_to_where_samples_stay, decimals_take_the_bits_of_what_is_not_expected_of_them,
      pages_are_counted_in_pages, any_prefix_decodes, cut_or_flipped_bytes_never_read_past_the_end)
