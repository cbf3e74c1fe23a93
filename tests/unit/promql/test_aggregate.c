/* aggregate: groups of random vectors against sums done by hand, and how sums are kept exact. */
#include "promql/aggregate.h"

#include "base/bits.h"
#include "promql/kahan.h"
#include "promql/quantile.h"
#include "tests/unit/promql/asking.h"

enum { SERIES_MAX = 40, GROUPS = 3 };

struct model {
    double v[SERIES_MAX];
    size_t group[SERIES_MAX];
    size_t count;
};

/* Series m<group>{i=...}: the name is the group. */
static void store_random(struct asking *k, struct model *m, uint64_t *state)
{
    m->count = next_random(state) % SERIES_MAX + 1;
    for (size_t i = 0; i < m->count; i++) {
        char name[32];
        char value[32];
        m->group[i] = next_random(state) % GROUPS;
        m->v[i] = (double)(next_random(state) % 100) / 4;
        snprintf(name, sizeof(name), "m%zu", m->group[i]);
        snprintf(value, sizeof(value), "%zu", i);
        asking_store_one(k, name, "i", value, m->v[i]);
    }
}

/* The answer of one group; NaN when it is not there. */
static double answer(const struct asking *k, size_t group)
{
    char name[32];
    snprintf(name, sizeof(name), "m%zu", group);
    const struct series_points *series = answer_of(k, "__name__", name);
    return series ? series->points[0].v : (double)NAN;
}

static size_t values_of(const struct model *m, size_t group, double *out)
{
    size_t count = 0;
    for (size_t i = 0; i < m->count; i++)
        if (m->group[i] == group) out[count++] = m->v[i];
    return count;
}

static double by_hand(const char *op, double *v, size_t count)
{
    double sum = 0;
    double least = INFINITY;
    double most = -INFINITY;
    double squares = 0;
    if (!count) return (double)NAN;
    for (size_t i = 0; i < count; i++) {
        sum += v[i];
        least = fmin(least, v[i]);
        most = fmax(most, v[i]);
    }
    for (size_t i = 0; i < count; i++)
        squares += (v[i] - sum / (double)count) * (v[i] - sum / (double)count);
    if (!strcmp(op, "sum")) return sum;
    if (!strcmp(op, "avg")) return sum / (double)count;
    if (!strcmp(op, "min")) return least;
    if (!strcmp(op, "max")) return most;
    if (!strcmp(op, "count")) return (double)count;
    if (!strcmp(op, "group")) return 1;
    if (!strcmp(op, "stdvar")) return squares / (double)count;
    if (!strcmp(op, "stddev")) return sqrt(squares / (double)count);
    return quantile_of(0.3, v, count);
}

START_TEST(groups_hold_what_a_loop_finds)
{
    static const char *const ops[] = {"sum",    "avg",    "min",   "max",     "count",
                                      "stdvar", "stddev", "group", "quantile"};
    uint64_t state = random_seed();
    for (int round = 0; round < 40; round++) {
        struct asking k;
        struct model m;
        asking_open(&k);
        store_random(&k, &m, &state);
        for (size_t i = 0; i < ARRAY_COUNT(ops); i++) {
            char text[96];
            double v[SERIES_MAX];
            snprintf(text, sizeof(text), "%s by (__name__) (%s{__name__=~\"m.\"})", ops[i],
                     strcmp(ops[i], "quantile") == 0 ? "0.3, " : "");
            ck_assert_int_eq(ask(&k, text, 0), OK);
            for (size_t g = 0; g < GROUPS; g++) {
                double expected = by_hand(ops[i], v, values_of(&m, g, v));
                double got = answer(&k, g);
                if (isnan(expected))
                    ck_assert_double_nan(got);
                else
                    ck_assert_double_eq_tol(got, expected, 1e-9);
            }
        }
        asking_close(&k);
    }
}
END_TEST

START_TEST(topk_takes_the_largest_of_each_group)
{
    uint64_t state = random_seed();
    for (int round = 0; round < 60; round++) {
        struct asking k;
        struct model m;
        char text[96];
        asking_open(&k);
        store_random(&k, &m, &state);
        size_t limit = next_random(&state) % 6 + 1;
        bool top = next_random(&state) % 2;
        snprintf(text, sizeof(text), "%s by (__name__) (%zu, {__name__=~\"m.\"})",
                 top ? "topk" : "bottomk", limit);
        ck_assert_int_eq(ask(&k, text, 0), OK);
        size_t expected = 0;
        for (size_t g = 0; g < GROUPS; g++) {
            double v[SERIES_MAX];
            size_t count = values_of(&m, g, v);
            expected += count < limit ? count : limit;
        }
        ck_assert_uint_eq(k.query.value.series_count, expected);
        /* In order within a group; and nothing that was left out is better than what is in. */
        const struct series_points *series = k.query.value.series;
        for (size_t i = 1; i < expected; i++) {
            struct str name = labels_get(series[i].labels, LABEL_METRIC_NAME);
            if (!str_equal(name, labels_get(series[i - 1].labels, LABEL_METRIC_NAME))) continue;
            double before = series[i - 1].points[0].v;
            double after = series[i].points[0].v;
            ck_assert(top ? before >= after : before <= after);
        }
        for (size_t g = 0; g < GROUPS; g++) {
            double v[SERIES_MAX];
            char name[32];
            size_t count = values_of(&m, g, v);
            size_t better = 0;
            double worst = top ? INFINITY : -INFINITY;
            snprintf(name, sizeof(name), "m%zu", g);
            for (size_t i = 0; i < expected; i++)
                if (str_equal(labels_get(series[i].labels, LABEL_METRIC_NAME), str_from(name)))
                    worst = top ? fmin(worst, series[i].points[0].v)
                                : fmax(worst, series[i].points[0].v);
            for (size_t i = 0; i < count; i++)
                better += top ? v[i] > worst : v[i] < worst;
            ck_assert_uint_lt(better, limit + (count == 0));
        }
        asking_close(&k);
    }
}
END_TEST

START_TEST(sums_remember_what_rounding_takes)
{
    struct kahan k = {0};
    static const double values[] = {1, 1e100, 1, -1e100};
    for (size_t i = 0; i < ARRAY_COUNT(values); i++)
        kahan_add(&k, values[i]);
    ck_assert_double_eq(kahan_total(&k), 2);
}
END_TEST

/* At each step another two of the odd ones. */
START_TEST(columns_of_sums_have_the_bits_of_sums)
{
    static const double odd[] = {0.0, -0.0, 1, -1, 1e100, -1e100, 1.7e308, -1.7e308, INFINITY};
    enum { ODD = ARRAY_COUNT(odd), PAIRS = ODD * ODD, STEP_MS = 1000 };
    struct sample left[PAIRS];
    struct sample right[PAIRS];
    struct asking k;
    for (size_t i = 0; i < PAIRS; i++) {
        int64_t t_ms = START_MS + (int64_t)i * STEP_MS;
        left[i] = (struct sample){.t_ms = t_ms, .v = odd[i / ODD]};
        right[i] = (struct sample){.t_ms = t_ms, .v = odd[i % ODD]};
    }
    asking_open(&k);
    asking_store(&k, "m", "k", "left", left, PAIRS);
    asking_store(&k, "m", "k", "right", right, PAIRS);
    ck_assert_int_eq(ask_range(&k, "sum(m)", 0, (PAIRS - 1) * STEP_MS, STEP_MS), OK);
    const struct series_points *sums = &k.query.value.series[0];
    for (size_t i = 0; i < PAIRS; i++) {
        struct kahan sum = {.sum = left[i].v};
        kahan_add(&sum, right[i].v);
        ck_assert_uint_eq(bits_from_double(sums->points[i].v), bits_from_double(kahan_total(&sum)));
    }
    asking_close(&k);
}
END_TEST

START_TEST(means_do_not_overflow)
{
    struct kahan_mean m = {0};
    for (int i = 0; i < 5; i++)
        kahan_mean_add(&m, 1.5e308);
    ck_assert_double_eq_tol(kahan_mean_value(&m) / 1.5e308, 1, 1e-12);
    m = (struct kahan_mean){0};
    kahan_mean_add(&m, INFINITY);
    kahan_mean_add(&m, 1);
    ck_assert_double_eq(kahan_mean_value(&m), INFINITY);
    kahan_mean_add(&m, -INFINITY);
    ck_assert_double_nan(kahan_mean_value(&m));
}
END_TEST

/* Read once, and yet each as if it were alone. */
START_TEST(aggregations_of_the_same_series_share_them)
{
    static const struct {
        const char *text;
        uint64_t reads; /* how many times the samples are read */
        double answer;
    } asked[] = {
        {"sum(m) / count(m)", 1, 6.0 / 3},
        {"sum(m) / scalar(count(m)) + avg( m)", 1, 4}, /* the scalar comes first */
        {"sum(m) + sum((m)) by ()", 1, 12},
        {"sum(-m) + sum(m)", 2, 0},
        {"sum(m) + sum(m offset 0s)", 1, 12},
        {"sum(m) + sum(m offset -1s)", 2, 12},
        {"max(m) + min(m) + sum(m) + count(m) + avg(m) + group(m)", 2, 16},
        {"sum(m) + sum(sum_over_time(sum(m)[1s:1s]))", 2, 12},
        {"max by () (sum(m) + count(m)) + max(sum(m) + count(m))", 1, 18},
        {"topk(1, sum(m)) + sum(m)", 1, 12},
        {"max_over_time((sum(m) / count(m))[2s:1s])", 1, 2},
        /* Rows that are kept: */
        {"sum(m / ignoring (i) group_left sum(m))", 1, 1},
        {"sum(sum(m) * ignoring (i) group_right m)", 1, 36},
        {"sum(m * on (i) m)", 1, 14},
        {"sum(m) + on () topk(1, m) + quantile(0.5, m)", 1, 11},
        {"sum(m + on (i) m * 2) + sum(m)", 2, 24},
        {"sum(-m / ignoring (i) group_left sum(m))", 2, -1},
        {"sum((m > 1) / ignoring (i) group_left sum(m > 1)) + 0 * count(m)", 2, 1},
        {"sum(m * on (i) sum by (i) (m))", 1, 14},
    };
    struct asking k;
    asking_open(&k);
    for (int i = 1; i <= 3; i++) {
        char key[24];
        snprintf(key, sizeof(key), "%d", i);
        asking_store_one(&k, "m", "i", key, i);
    }
    for (size_t i = 0; i < ARRAY_COUNT(asked); i++) {
        ck_assert_int_eq(ask_range(&k, asked[i].text, 0, 2000, 1000), OK);
        ck_assert_uint_eq(k.query.value.series_count, 1);
        ck_assert_uint_eq(k.query.value.series[0].count, 3);
        ck_assert_msg(k.query.value.series[0].points[2].v == asked[i].answer, "%s: %g",
                      asked[i].text, k.query.value.series[0].points[2].v);
        ck_assert_msg(k.query.stats.samples_read == 3 * asked[i].reads, "%s: %llu", asked[i].text,
                      (unsigned long long)k.query.stats.samples_read);
    }
    asking_close(&k);
}
END_TEST

/* leaves times text, added up in pairs so that the tree is flat. */
static char *sum_of_many(const char *text, int leaves, char *at)
{
    if (leaves == 1) return at + sprintf(at, "%s", text);
    *at++ = '(';
    at = sum_of_many(text, leaves / 2, at);
    *at++ = '+';
    at = sum_of_many(text, leaves - leaves / 2, at);
    *at++ = ')';
    *at = 0;
    return at;
}

/* To look for all of them from each of them would take for ever. */
START_TEST(a_long_query_is_not_searched_to_its_end)
{
    enum { LEAVES = 2048 };
    static char text[LEAVES * 16];
    struct asking k;
    asking_open(&k);
    asking_store_one(&k, "m", "i", "1", 3);
    sum_of_many("sum(m)", LEAVES, text);
    ck_assert_int_eq(ask_range(&k, text, 0, 2000, 1000), OK);
    ck_assert(k.query.value.series[0].points[2].v == 3 * LEAVES);
    ck_assert_uint_gt(k.query.stats.samples_read, LEAVES / 2); /* one is read, and most anew */
    ck_assert_uint_lt(k.query.stats.samples_read, LEAVES);
    asking_close(&k);
}
END_TEST

/* A hundred series, of which the readers take 16 at a time. */
START_TEST(nobody_reads_on_when_the_answer_is_known)
{
    static const struct {
        const char *text;
        size_t series;
        bool stops;
    } asked[] = {
        {"group(m)", 1, true},    {"group by (none) (m)", 1, false},
        {"count(m)", 1, false},   {"group(m) + count(m)", 1, false},
        {"absent(m)", 0, true},   {"absent_over_time(m[1m])", 0, true},
        {"absent(-m)", 0, false},
    };
    struct asking k;
    asking_open(&k);
    for (int i = 0; i < 100; i++) {
        char key[24];
        snprintf(key, sizeof(key), "%d", i);
        asking_store_one(&k, "m", "i", key, i);
    }
    for (size_t i = 0; i < ARRAY_COUNT(asked); i++) {
        ck_assert_int_eq(ask_range(&k, asked[i].text, 0, 2000, 1000), OK);
        ck_assert_msg(k.query.value.series_count == asked[i].series, "%s: %zu", asked[i].text,
                      k.query.value.series_count);
        ck_assert_msg((k.query.stats.samples_read < 50) == asked[i].stops, "%s: %llu",
                      asked[i].text, (unsigned long long)k.query.stats.samples_read);
    }
    asking_close(&k);
}
END_TEST

/* Series whose newest sample is known without a look at them, and others: one that has ended, one
 * that came late, one in an older window. Who adds 0 looks at all of them. */
START_TEST(counting_without_a_look_is_counting)
{
    static const char *const pairs[][2] = {
        {"count(m)", "count(m + 0)"},
        {"count by (i) (m)", "count by (i) (m + 0)"},
        {"group(m)", "group(m + 0)"},
        {"count({__name__=~\".+\"})", "count({__name__=~\".+\"} * 1)"},
        {"count(m) + sum(m)", "count(m + 0) + sum(m + 0)"},
        {"count(m @ 1700006500)", "count(m @ 1700006500 + 0)"},
        {"count(m offset 2m)", "count(m offset 2m + 0)"},
        {"sum(timestamp(m))", "sum(timestamp(m) + 0)"},
        {"absent(m)", "absent(m + 0)"},
    };
    uint64_t state = random_seed();
    struct asking k;
    asking_open(&k);
    for (int i = 0; i < 300; i++) {
        struct sample samples[3];
        char value[16];
        int64_t t_ms = START_MS + (int64_t)(next_random(&state) % 1200000);
        snprintf(value, sizeof(value), "%d", i);
        for (int n = 0; n < 3; n++, t_ms += 1 + (int64_t)(next_random(&state) % 400000)) {
            bool ends = next_random(&state) % 8 == 0;
            samples[n] = (struct sample){t_ms, ends ? bits_to_double(STALE_NAN_BITS) : i};
        }
        if (i % 7 == 0) samples[2].t_ms = samples[0].t_ms - 1;
        asking_store(&k, "m", "i", value, samples, 3);
    }
    for (size_t part_series = 64; part_series <= 4096; part_series *= 8) {
        k.engine.options.part_series = part_series;
        for (size_t i = 0; i < 40 * ARRAY_COUNT(pairs); i++) {
            const char *const *pair = pairs[i % ARRAY_COUNT(pairs)];
            int64_t at_ms = (int64_t)(next_random(&state) % 2400000);
            ck_assert_int_eq(ask(&k, pair[1], at_ms), OK);
            size_t series = k.query.value.series_count;
            double v = series ? k.query.value.series[0].points[0].v : 0;
            uint64_t queryable = k.query.stats.samples_queryable;
            ck_assert_int_eq(ask(&k, pair[0], at_ms), OK);
            ck_assert_uint_eq(k.query.value.series_count, series);
            if (series) ck_assert_double_eq(k.query.value.series[0].points[0].v, v);
            if (pair[0][0] != 'g' && pair[0][0] != 'a') /* those stop when they know */
                ck_assert_uint_eq(k.query.stats.samples_queryable, queryable);
        }
    }
    asking_close(&k);
}
END_TEST

SUITE(aggregate, counting_without_a_look_is_counting, nobody_reads_on_when_the_answer_is_known,
      groups_hold_what_a_loop_finds, topk_takes_the_largest_of_each_group,
      sums_remember_what_rounding_takes, columns_of_sums_have_the_bits_of_sums,
      means_do_not_overflow, aggregations_of_the_same_series_share_them,
      a_long_query_is_not_searched_to_its_end)
