/* select: lookback, windows and subqueries against a naive reading of the same samples. */
#include "promql/select.h"

#include "tests/unit/promql/asking.h"

enum { SAMPLES_MAX = 200 };

struct walk {
    struct sample samples[SAMPLES_MAX];
    size_t count;
};

/* Samples at random distances, some of them stale markers, from START_MS on. */
static void random_samples(struct walk *w, uint64_t *state)
{
    int64_t t_ms = START_MS;
    w->count = next_random(state) % SAMPLES_MAX + 1;
    for (size_t i = 0; i < w->count; i++) {
        t_ms += (int64_t)(next_random(state) % 30000) + 1;
        double v = (double)(next_random(state) % 1000);
        if (next_random(state) % 8 == 0) v = bits_to_double(STALE_NAN_BITS);
        w->samples[i] = (struct sample){.t_ms = t_ms, .v = v};
    }
}

static bool naive_lookback(const struct walk *w, int64_t t_ms, int64_t lookback_ms, double *out)
{
    const struct sample *last = NULL;
    for (size_t i = 0; i < w->count; i++)
        if (w->samples[i].t_ms <= t_ms && w->samples[i].t_ms > t_ms - lookback_ms)
            last = &w->samples[i];
    if (!last || sample_is_stale(last->v)) return false;
    *out = last->v;
    return true;
}

static bool naive_sum(const struct walk *w, int64_t t_ms, int64_t range_ms, double *out)
{
    size_t count = 0;
    *out = 0;
    for (size_t i = 0; i < w->count; i++) {
        const struct sample *s = &w->samples[i];
        if (s->t_ms > t_ms || s->t_ms <= t_ms - range_ms || sample_is_stale(s->v)) continue;
        *out += s->v;
        count++;
    }
    return count > 0;
}

/* Every step of the answer is as the naive function says. */
static void compare(const struct asking *k, const struct walk *w, int64_t shift_ms,
                    int64_t width_ms,
                    bool (*naive)(const struct walk *, int64_t, int64_t, double *))
{
    const struct series_points *got = answer_of(k, "i", "1");
    size_t at = 0;
    for (int64_t t = k->query.start_ms; t <= k->query.end_ms; t += k->query.step_ms) {
        double v;
        bool expected = naive(w, t - shift_ms, width_ms, &v);
        bool found = got && at < got->count && got->points[at].t_ms == t;
        ck_assert_int_eq(found, expected);
        if (found) ck_assert_double_eq(got->points[at++].v, v);
    }
}

START_TEST(selectors_read_what_a_naive_reader_reads)
{
    uint64_t state = random_seed();
    for (int round = 0; round < 60; round++) {
        struct asking k;
        struct walk w;
        char text[128];
        asking_open(&k);
        random_samples(&w, &state);
        asking_store(&k, "m", "i", "1", w.samples, w.count);
        for (int question = 0; question < 10; question++) {
            int64_t step_ms = (int64_t)(next_random(&state) % 90000) + 1000;
            int64_t offset_ms = (int64_t)(next_random(&state) % 200000);
            int64_t range_ms = (int64_t)(next_random(&state) % 200000) + 1;
            k.engine.options.lookback_ms = range_ms;
            snprintf(text, sizeof(text), "m offset %lldms", (long long)offset_ms);
            ck_assert_int_eq(ask_range(&k, text, -100000, 3000000, step_ms), OK);
            compare(&k, &w, offset_ms, range_ms, naive_lookback);
            snprintf(text, sizeof(text), "sum_over_time(m[%lldms] offset -%lldms)",
                     (long long)range_ms, (long long)offset_ms);
            ck_assert_int_eq(ask_range(&k, text, -100000, 3000000, step_ms), OK);
            compare(&k, &w, -offset_ms, range_ms, naive_sum);
        }
        asking_close(&k);
    }
}
END_TEST

/* Prometheus' definition of a subquery: the inner expression at each multiple of the step. */
static double naive_subquery(const struct walk *w, int64_t t_ms, int64_t range_ms, int64_t step_ms,
                             int64_t lookback_ms)
{
    double total = 0;
    for (int64_t t = 0; t <= t_ms; t += step_ms) {
        double v;
        if (t < t_ms - range_ms - step_ms) t = (t_ms - range_ms) / step_ms * step_ms;
        if (t > t_ms - range_ms && naive_lookback(w, t, lookback_ms, &v)) total += v;
    }
    return total;
}

START_TEST(subqueries_step_on_multiples)
{
    uint64_t state = random_seed();
    for (int round = 0; round < 40; round++) {
        struct asking k;
        struct walk w;
        char text[128];
        asking_open(&k);
        random_samples(&w, &state);
        asking_store(&k, "m", "i", "1", w.samples, w.count);
        for (int question = 0; question < 10; question++) {
            int64_t at_ms = (int64_t)(next_random(&state) % 2000000);
            int64_t range_ms = (int64_t)(next_random(&state) % 300000) + 1;
            int64_t step_ms = (int64_t)(next_random(&state) % 60000) + 1000;
            snprintf(text, sizeof(text), "sum_over_time(m[%lldms:%lldms])", (long long)range_ms,
                     (long long)step_ms);
            ck_assert_int_eq(ask(&k, text, at_ms), OK);
            const struct series_points *got = answer_of(&k, "i", "1");
            double expected = naive_subquery(&w, START_MS + at_ms, range_ms, step_ms,
                                             k.engine.options.lookback_ms);
            ck_assert_double_eq(got ? got->points[0].v : 0, expected);
        }
        asking_close(&k);
    }
}
END_TEST

START_TEST(a_fixed_time_is_the_same_at_every_step)
{
    struct asking k;
    struct sample samples[] = {{START_MS, 1}, {START_MS + 10000, 2}};
    asking_open(&k);
    asking_store(&k, "m", "i", "1", samples, 2);
    ck_assert_int_eq(ask_range(&k, "m @ 1700006410", 0, 600000, 60000), OK);
    const struct series_points *got = answer_of(&k, "i", "1");
    ck_assert_ptr_nonnull(got);
    ck_assert_uint_eq(got->count, 11);
    for (size_t i = 0; i < got->count; i++)
        ck_assert_double_eq(got->points[i].v, 2);
    asking_close(&k);
}
END_TEST

SUITE(select, selectors_read_what_a_naive_reader_reads, subqueries_step_on_multiples,
      a_fixed_time_is_the_same_at_every_step)
