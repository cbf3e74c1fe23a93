/* slide: sliding forms against a walk over every window, and range queries against instant ones. */
#include "promql/slide.h"

#include "tests/unit/promql/asking.h"

enum { SAMPLES = 300, STEPS = 120 };

struct walk {
    double v[SAMPLES];
    uint32_t low[STEPS];
    uint32_t high[STEPS];
    struct kahan suffixes[SAMPLES];
    double out[STEPS];
};

/* Windows that move on by random strides, some of them empty, some all there is. */
static void make_windows(struct walk *w, uint64_t *state)
{
    size_t low = 0;
    size_t high = 0;
    size_t stride = 1 + next_random(state) % 12;
    for (size_t i = 0; i < STEPS; i++) {
        high += next_random(state) % stride;
        if (high > SAMPLES) high = SAMPLES;
        low += next_random(state) % stride;
        if (low > high) low = high;
        w->low[i] = (uint32_t)low;
        w->high[i] = (uint32_t)high;
    }
}

static void slide_over(struct walk *w, slide_function *slide)
{
    struct slide s = {.v = w->v,
                      .low = w->low,
                      .high = w->high,
                      .steps = STEPS,
                      .suffixes = w->suffixes,
                      .out = w->out};
    slide(&s);
}

static double naive(const struct walk *w, size_t step, slide_function *slide)
{
    struct kahan sum = {0};
    double best = w->v[w->low[step]];
    double changes = 0;
    for (size_t i = w->low[step]; i < w->high[step]; i++) {
        kahan_add(&sum, w->v[i]);
        if (slide == slide_max ? w->v[i] > best : w->v[i] < best) best = w->v[i];
        changes += i > w->low[step] && w->v[i] != w->v[i - 1];
    }
    double count = (double)(w->high[step] - w->low[step]);
    if (slide == slide_sum) return kahan_total(&sum);
    if (slide == slide_avg) return sum.sum / count + sum.lost / count;
    return slide == slide_changes ? changes : best;
}

static void check_against_naive(struct walk *w, slide_function *slide, double tolerance)
{
    slide_over(w, slide);
    for (size_t i = 0; i < STEPS; i++) {
        if (w->low[i] == w->high[i]) continue;
        double expected = naive(w, i, slide);
        ck_assert_msg(fabs(w->out[i] - expected) <= tolerance * fabs(expected),
                      "step %zu, [%u, %u): %.17g, expected %.17g", i, w->low[i], w->high[i],
                      w->out[i], expected);
    }
}

START_TEST(whole_numbers_slide_exactly)
{
    static struct walk w;
    uint64_t state = random_seed();
    for (int round = 0; round < 500; round++) {
        make_windows(&w, &state);
        for (size_t i = 0; i < SAMPLES; i++)
            w.v[i] = (double)(next_random(&state) % 7) - 3;
        check_against_naive(&w, slide_sum, 0);
        check_against_naive(&w, slide_avg, 0);
        check_against_naive(&w, slide_min, 0);
        check_against_naive(&w, slide_max, 0);
        check_against_naive(&w, slide_changes, 0);
    }
}
END_TEST

START_TEST(fractions_differ_in_the_last_bit_at_most)
{
    static struct walk w;
    uint64_t state = random_seed();
    for (int round = 0; round < 500; round++) {
        make_windows(&w, &state);
        for (size_t i = 0; i < SAMPLES; i++)
            w.v[i] = (double)(next_random(&state) % 100000) / 1000;
        check_against_naive(&w, slide_sum, 0x1p-52);
        check_against_naive(&w, slide_avg, 0x1p-51);
        check_against_naive(&w, slide_max, 0);
    }
}
END_TEST

START_TEST(what_cancels_out_is_not_lost)
{
    static struct walk w;
    for (size_t i = 0; i < SAMPLES; i++)
        w.v[i] = i % 4 == 1 ? 1e100 : i % 4 == 3 ? -1e100 : 1;
    for (size_t i = 0; i < STEPS; i++) {
        w.low[i] = (uint32_t)(2 * i);
        w.high[i] = (uint32_t)(2 * i + 8);
    }
    slide_over(&w, slide_sum);
    for (size_t i = 0; i < STEPS; i++)
        ck_assert_double_eq(w.out[i], 4);
}
END_TEST

START_TEST(of_two_zeros_the_first_stays)
{
    static struct walk w;
    for (size_t i = 0; i < SAMPLES; i++)
        w.v[i] = i % 2 ? -0.0 : 0.0;
    for (size_t i = 0; i < STEPS; i++) {
        w.low[i] = (uint32_t)i;
        w.high[i] = (uint32_t)(i + 5);
    }
    slide_over(&w, slide_max);
    for (size_t i = 0; i < STEPS; i++)
        ck_assert_int_eq(signbit(w.out[i]) != 0, i % 2 == 1);
    slide_over(&w, slide_min);
    for (size_t i = 0; i < STEPS; i++)
        ck_assert_int_eq(signbit(w.out[i]) != 0, i % 2 == 1);
}
END_TEST

static const char *const functions[] = {"sum_over_time",
                                        "avg_over_time",
                                        "min_over_time",
                                        "max_over_time",
                                        "changes",
                                        "resets",
                                        "rate",
                                        "increase",
                                        "delta",
                                        "irate",
                                        "idelta",
                                        "deriv",
                                        "last_over_time",
                                        "stddev_over_time",
                                        "count_over_time",
                                        "first_over_time",
                                        "stdvar_over_time"};

/* One series with a value of each kind now and then. */
static void store_series(struct asking *k, const char *key, bool wild, uint64_t *state)
{
    struct sample samples[SAMPLES];
    int64_t t_ms = START_MS;
    double v = 0;
    for (size_t i = 0; i < SAMPLES; i++) {
        t_ms += (int64_t)(next_random(state) % 25000) + 1;
        v = next_random(state) % 20 == 0 ? 0 : v + (double)(next_random(state) % 50) / 8;
        samples[i] = (struct sample){.t_ms = t_ms, .v = v};
        if (!wild) continue;
        uint64_t kind = next_random(state) % 24;
        if (kind == 0) samples[i].v = (double)INFINITY;
        if (kind == 1) samples[i].v = bits_to_double(NORMAL_NAN_BITS);
        if (kind == 2) samples[i].v = bits_to_double(STALE_NAN_BITS);
        if (kind == 3) samples[i].v = 1e300;
    }
    asking_store(k, "m", "k", key, samples, SAMPLES);
}

static bool same(double a, double b)
{
    return (isnan(a) && isnan(b)) || a == b || fabs(a - b) <= 1e-12 * (fabs(a) + fabs(b));
}

/* A range query answers at each step what an instant query does. */
static void compare_with_instants(struct asking *k, const char *text, int64_t end_ms,
                                  int64_t step_ms)
{
    static struct sample points[STEPS * 8];
    ck_assert_int_eq(ask_range(k, text, 0, end_ms, step_ms), OK);
    size_t count = k->query.value.series_count ? k->query.value.series[0].count : 0;
    ck_assert_uint_le(count, ARRAY_COUNT(points));
    for (size_t i = 0; i < count; i++)
        points[i] = k->query.value.series[0].points[i];
    size_t at = 0;
    for (int64_t t_ms = 0; t_ms <= end_ms; t_ms += step_ms) {
        ck_assert_int_eq(ask(k, text, t_ms), OK);
        if (!k->query.value.series_count) continue;
        double expected = k->query.value.series[0].points[0].v;
        ck_assert_uint_lt(at, count);
        ck_assert_int_eq(points[at].t_ms, START_MS + t_ms);
        ck_assert_msg(same(points[at].v, expected), "%s at %lld: %.17g, at once %.17g", text,
                      (long long)t_ms, expected, points[at].v);
        at++;
    }
    ck_assert_uint_eq(at, count);
}

START_TEST(a_range_answers_what_instants_do)
{
    uint64_t state = random_seed();
    struct asking k;
    asking_open(&k);
    store_series(&k, "tame", false, &state);
    store_series(&k, "wild", true, &state);
    for (size_t f = 0; f < ARRAY_COUNT(functions); f++) {
        char text[96];
        int64_t range_s = (int64_t)(next_random(&state) % 600) + 20;
        int64_t step_ms = (int64_t)(next_random(&state) % 40000) + 10000;
        snprintf(text, sizeof(text), "%s(m{k=\"%s\"}[%llds])", functions[f],
                 f % 2 ? "tame" : "wild", (long long)range_s);
        compare_with_instants(&k, text, INT64_C(3600) * 1000, step_ms);
        snprintf(text, sizeof(text), "%s(m{k=\"%s\"}[10m])", functions[f], f % 2 ? "wild" : "tame");
        compare_with_instants(&k, text, INT64_C(3600) * 1000, 15000);
    }
    asking_close(&k);
}
END_TEST

/* Series of three targets, one after the other; those of a target have the same times. */
static void store_targets(struct asking *k, uint64_t *state)
{
    enum { TARGETS = 3, SERIES = 12 };
    struct sample samples[TARGETS][SAMPLES];
    for (size_t t = 0; t < TARGETS; t++) {
        int64_t t_ms = START_MS + (int64_t)t;
        for (size_t i = 0; i < SAMPLES; i++)
            samples[t][i].t_ms = t_ms += (int64_t)(next_random(state) % 25000) + 1;
    }
    for (size_t series = 0; series < SERIES; series++) {
        struct sample *own = samples[series % TARGETS];
        char key[24];
        for (size_t i = 0; i < SAMPLES; i++)
            own[i].v = (double)(next_random(state) % 1000) / 8 + (double)(i * 100);
        if (series % 4 == 0) own[SAMPLES / 2].v = 1;
        snprintf(key, sizeof(key), "%02zu", series);
        asking_store(k, "m", "k", key, own, SAMPLES - series / TARGETS % 2);
    }
}

START_TEST(series_with_the_same_times_are_answered_as_each_alone)
{
    static struct sample points[STEPS * 4];
    static const char *const texts[] = {"rate", "increase", "delta", "sum_over_time", "changes"};
    uint64_t state = random_seed();
    struct asking k;
    asking_open(&k);
    store_targets(&k, &state);
    for (size_t f = 0; f < ARRAY_COUNT(texts); f++) {
        for (int series = 0; series < 12; series++) {
            char text[96];
            char key[24];
            snprintf(key, sizeof(key), "%02d", series);
            snprintf(text, sizeof(text), "%s(m[5m])", texts[f]);
            ck_assert_int_eq(ask_range(&k, text, 0, INT64_C(3600) * 1000, 10000), OK);
            const struct series_points *got = answer_of(&k, "k", key);
            size_t count = got->count;
            ck_assert_uint_le(count, ARRAY_COUNT(points));
            memcpy(points, got->points, count * sizeof(points[0]));
            snprintf(text, sizeof(text), "%s(m{k=\"%s\"}[5m])", texts[f], key);
            ck_assert_int_eq(ask_range(&k, text, 0, INT64_C(3600) * 1000, 10000), OK);
            got = answer_of(&k, "k", key);
            ck_assert_uint_eq(got->count, count);
            ck_assert_mem_eq(points, got->points, count * sizeof(points[0]));
        }
    }
    asking_close(&k);
}
END_TEST

SUITE(slide, whole_numbers_slide_exactly, fractions_differ_in_the_last_bit_at_most,
      what_cancels_out_is_not_lost, of_two_zeros_the_first_stays, a_range_answers_what_instants_do,
      series_with_the_same_times_are_answered_as_each_alone)
