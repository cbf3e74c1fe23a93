/* func_rate: rates of random counters against the definition, window by window. */
#include "tests/unit/promql/asking.h"

enum { COUNT = 60 };

/* The definition of Prometheus' documentation and source: see func_rate.c. */
static bool naive_increase(const struct sample *s, int64_t start_ms, int64_t end_ms, double *out)
{
    double total = 0;
    size_t n = 0;
    const struct sample *first = NULL;
    const struct sample *last = NULL;
    for (size_t i = 0; i < COUNT; i++) {
        if (s[i].t_ms <= start_ms || s[i].t_ms > end_ms) continue;
        if (last) total += s[i].v >= last->v ? s[i].v - last->v : s[i].v;
        if (!first) first = &s[i];
        last = &s[i];
        n++;
    }
    if (n < 2) return false;
    double sampled = (double)(last->t_ms - first->t_ms) / 1000;
    double average = sampled / (double)(n - 1);
    double left = (double)(first->t_ms - start_ms) / 1000;
    double right = (double)(end_ms - last->t_ms) / 1000;
    if (left >= average * 1.1) left = average / 2;
    if (right >= average * 1.1) right = average / 2;
    if (total > 0) left = fmin(left, sampled * first->v / total);
    *out = total * (sampled + left + right) / sampled;
    return true;
}

START_TEST(increase_is_extrapolated_as_defined)
{
    uint64_t state = random_seed();
    for (int round = 0; round < 40; round++) {
        struct asking k;
        struct sample samples[COUNT];
        int64_t t_ms = START_MS;
        double v = 0;
        asking_open(&k);
        for (size_t i = 0; i < COUNT; i++) {
            t_ms += (int64_t)(next_random(&state) % 20000) + 1;
            v = next_random(&state) % 10 == 0 ? 0 : v + (double)(next_random(&state) % 50);
            samples[i] = (struct sample){.t_ms = t_ms, .v = v};
        }
        asking_store(&k, "c_total", "i", "1", samples, COUNT);
        ck_assert_int_eq(ask_range(&k, "increase(c_total[2m])", 0, 1200000, 7000), OK);
        const struct series_points *got = answer_of(&k, "i", "1");
        size_t at = 0;
        for (int64_t t = START_MS; t <= START_MS + 1200000; t += 7000) {
            double expected;
            bool there = naive_increase(samples, t - 120000, t, &expected);
            bool found = got && at < got->count && got->points[at].t_ms == t;
            ck_assert_int_eq(found, there);
            if (found) ck_assert_double_eq_tol(got->points[at++].v, expected, 1e-9);
        }
        ck_assert_uint_eq(k.query.annotations.info_count, 0);
        asking_close(&k);
    }
}
END_TEST

START_TEST(a_straight_line_is_found_exactly)
{
    struct asking k;
    struct sample samples[COUNT];
    asking_open(&k);
    for (int i = 0; i < COUNT; i++)
        samples[i] = (struct sample){.t_ms = START_MS + i * 10000, .v = 5 + 0.25 * 10 * i};
    asking_store(&k, "line", "i", "1", samples, COUNT);
    ck_assert_int_eq(ask(&k, "deriv(line[5m])", 590000), OK);
    ck_assert_double_eq_tol(answer_of(&k, "i", "1")->points[0].v, 0.25, 1e-12);
    ck_assert_int_eq(ask(&k, "predict_linear(line[5m], 100)", 590000), OK);
    ck_assert_double_eq_tol(answer_of(&k, "i", "1")->points[0].v, 5 + 0.25 * 690, 1e-9);
    asking_close(&k);
}
END_TEST

START_TEST(a_name_that_is_no_counter_s_is_remarked_once)
{
    struct asking k;
    struct sample samples[] = {{START_MS, 1}, {START_MS + 1000, 2}};
    asking_open(&k);
    asking_store(&k, "odd", "i", "1", samples, 2);
    asking_store(&k, "odd", "i", "2", samples, 2);
    ck_assert_int_eq(ask(&k, "sum(rate(odd[1m]))", 1000), OK);
    ck_assert_uint_eq(k.query.annotations.info_count, 1);
    ck_assert(str_equal(k.query.annotations.infos[0],
                        STR("PromQL info: metric might not be a counter, name does not end in "
                            "_total/_sum/_count/_bucket: \"odd\" (1:10)")));
    asking_close(&k);
}
END_TEST

SUITE(func_rate, increase_is_extrapolated_as_defined, a_straight_line_is_found_exactly,
      a_name_that_is_no_counter_s_is_remarked_once)
