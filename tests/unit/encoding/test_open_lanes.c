/* open_lanes: streams decoded together give what each gives alone, damaged ones included. */
#include "encoding/open_lanes.h"

#include "tests/unit/encoding/bits_put.h"
#include "tests/unit/encoding/samples.h"
#include "tests/unit/suite.h"

enum { STREAM_BYTES = SAMPLES_MAX * 24, GROUPS = 300, GUARD = 0x5A };

struct stream {
    uint8_t bytes[STREAM_BYTES];
    size_t size;
    uint32_t count;
};

static void stream_encode(struct stream *s, const int64_t *t_ms, const double *v, uint32_t count)
{
    struct open_state state = {.bits = 0};
    memset(s->bytes, 0, sizeof(s->bytes));
    for (uint32_t i = 0; i < count; i++) {
        struct sample_bits bits;
        uint32_t at = state.bits;
        open_encode(&state, t_ms[i], v[i], &bits);
        bits_put(s->bytes, &at, &bits);
    }
    s->size = (state.bits + 7) / 8;
    s->count = count;
}

static void stream_random(struct stream *s, uint32_t count)
{
    int64_t t_ms[SAMPLES_MAX];
    double v[SAMPLES_MAX];
    samples_times(t_ms, count);
    samples_values(v, count);
    stream_encode(s, t_ms, v, count);
}

/* Copies of their exact sizes, so that ASan sees a read or a write too far. */
static void lane_open(struct open_lane *lane, const struct stream *s)
{
    uint8_t *bytes = malloc(s->size + OPEN_LANE_SLACK_BYTES);
    memcpy(bytes, s->bytes, s->size);
    memset(bytes + s->size, (int)random(), OPEN_LANE_SLACK_BYTES);
    *lane = (struct open_lane){.bytes = bytes,
                               .size = s->size,
                               .t_ms = malloc((s->count + 1) * sizeof(int64_t)),
                               .v = malloc((s->count + 1) * sizeof(double)),
                               .count = s->count,
                               .status = ERR_IO};
    lane->t_ms[s->count] = GUARD;
    lane->v[s->count] = GUARD;
}

static void lane_close(struct open_lane *lane)
{
    free((void *)(uintptr_t)lane->bytes);
    free(lane->t_ms);
    free(lane->v);
}

static void check_same(const struct open_lane *lane, const struct stream *s)
{
    int64_t t_ms[SAMPLES_MAX];
    double v[SAMPLES_MAX];
    struct open_state state;
    uint32_t count = s->count;
    enum status st = open_decode(s->bytes, s->size, &count, t_ms, v, &state);
    ck_assert_int_eq(lane->status, st);
    ck_assert_int_eq(lane->t_ms[s->count], GUARD);
    ck_assert(lane->v[s->count] == GUARD);
    if (st) return;
    ck_assert_mem_eq(lane->t_ms, t_ms, count * sizeof(*t_ms));
    ck_assert_mem_eq(lane->v, v, count * sizeof(*v));
}

/* By the given function, or as it is chosen (NULL). */
static void check_together(open_lanes_function *decode, const struct stream *streams, size_t count)
{
    struct open_lane lanes[OPEN_LANES];
    struct open_lane *group[OPEN_LANES];
    for (size_t i = 0; i < count; i++) {
        lane_open(&lanes[i], &streams[i]);
        group[i] = &lanes[i];
    }
    if (decode)
        decode(group, count);
    else
        open_lanes_decode(lanes, count);
    for (size_t i = 0; i < count; i++) {
        check_same(&lanes[i], &streams[i]);
        lane_close(&lanes[i]);
    }
}

static void check_groups(open_lanes_function *decode, bool damaged)
{
    struct stream *streams = calloc(OPEN_LANES, sizeof(*streams));
    samples_seed();
    for (int round = 0; round < GROUPS; round++) {
        size_t count = 1 + (size_t)random() % OPEN_LANES;
        uint32_t same = 2 + (uint32_t)random() % (SAMPLES_MAX - 2);
        for (size_t i = 0; i < count; i++) {
            uint32_t other = samples_count();
            stream_random(&streams[i], random() % 4 && other > 1 ? other : same);
            struct stream *s = &streams[i];
            if (!damaged || random() % 3 == 0) continue;
            if (random() % 2) s->size = 1 + (size_t)random() % s->size;
            for (long n = random() % 3; n > 0; n--)
                s->bytes[(size_t)random() % s->size] ^= (uint8_t)(1 + random() % 255);
        }
        check_together(decode, streams, count);
    }
    free(streams);
}

typedef void check_form(open_lanes_function *decode);

/* Whatever this CPU can do. */
static void check_all(check_form *check)
{
    open_lanes_function *const forms[] = {open_lanes_avx2(), open_lanes_avx512()};
    check(NULL);
    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
        if (forms[i]) check(forms[i]);
}

static void check_whole(open_lanes_function *decode)
{
    check_groups(decode, false);
}

static void check_damaged(open_lanes_function *decode)
{
    check_groups(decode, true);
}

/* Differences of about so many bits, now and then some more or fewer; some streams are pages. */
static void stream_of_bits(struct stream *s, uint32_t bits)
{
    int64_t t_ms[SAMPLES_MAX];
    double v[SAMPLES_MAX];
    const int64_t unit = random() % 3 ? 1 : 4096;
    const double divisor = random() % 2 ? 1 : 100;
    int64_t mantissa = 0;
    int64_t drift = random() % 2 ? (int64_t)1 << bits : 0;
    for (uint32_t i = 0; i < SAMPLES_MAX; i++) {
        uint32_t width = random() % 8 ? bits : bits + 3 - (uint32_t)random() % 6;
        int64_t most = (int64_t)1 << (width > 36 ? 36 : width);
        int64_t difference = drift + (((int64_t)random() << 31 ^ random()) & (most - 1));
        bool falls = mantissa > (int64_t)1 << 40 || random() % 3 == 0;
        mantissa += (falls ? -difference : difference) * unit;
        t_ms[i] = 1000000 + 15000 * (int64_t)i + (random() % 20 ? 0 : random() % 50);
        v[i] = (double)mantissa / divisor;
    }
    stream_encode(s, t_ms, v, SAMPLES_MAX);
}

/* Where one way to work out differences ends and another begins. */
static void check_lengths(open_lanes_function *decode)
{
    struct stream *streams = calloc(OPEN_LANES, sizeof(*streams));
    samples_seed();
    for (uint32_t bits = 3; bits < 30; bits++) {
        for (int round = 0; round < 4; round++) {
            for (size_t i = 0; i < OPEN_LANES; i++)
                stream_of_bits(&streams[i], bits);
            check_together(decode, streams, OPEN_LANES);
        }
    }
    free(streams);
}

START_TEST(together_is_as_alone)
{
    check_all(check_whole);
}
END_TEST

START_TEST(damage_is_told_as_alone)
{
    check_all(check_damaged);
}
END_TEST

START_TEST(differences_of_any_length_go_together)
{
    check_all(check_lengths);
}
END_TEST

START_TEST(streams_of_any_length_go_together)
{
    struct stream *streams = calloc(3 * OPEN_LANES, sizeof(*streams));
    struct open_lane lanes[3 * OPEN_LANES];
    samples_seed();
    for (size_t count = 0; count <= 3 * OPEN_LANES; count++) {
        for (size_t i = 0; i < count; i++) {
            stream_random(&streams[i], 1 + (uint32_t)random() % 5 * (uint32_t)random() % 60);
            lane_open(&lanes[i], &streams[i]);
        }
        open_lanes_decode(lanes, count);
        for (size_t i = 0; i < count; i++) {
            check_same(&lanes[i], &streams[i]);
            lane_close(&lanes[i]);
        }
    }
    free(streams);
}
END_TEST

SUITE(open_lanes, together_is_as_alone, damage_is_told_as_alone,
      differences_of_any_length_go_together, streams_of_any_length_go_together)
