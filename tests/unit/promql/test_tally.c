/* tally: what Prometheus would say it looked at, over all steps and at each. */
#include "tests/unit/promql/asking.h"

enum { EVERY_MS = 10000, STORED = 101 };

/* one, and three{i="0"} to three{i="2"}: a sample every 10 s. */
static void store_both(struct asking *k)
{
    static const char *const numbers[] = {"0", "1", "2"};
    struct sample samples[STORED];
    for (int i = 0; i < STORED; i++)
        samples[i] = (struct sample){.t_ms = START_MS + i * EVERY_MS, .v = i};
    asking_store(k, "one", "i", "0", samples, STORED);
    for (size_t i = 0; i < ARRAY_COUNT(numbers); i++)
        asking_store(k, "three", "i", numbers[i], samples, STORED);
}

START_TEST(an_instant_query_counts_what_it_looks_at)
{
    static const struct {
        const char *text;
        int64_t at_ms;
        uint64_t samples;
    } asked[] = {
        {"\"text\"", 21000, 0},
        {"1", 21000, 0},
        {"one", 21000, 1},
        {"timestamp(one)", 21000, 1},
        {"one @ 1700006415", 21000, 1},
        {"three", 21000, 3},
        {"one[60s]", 201000, 6},
        {"three[60s] offset 10s", 201000, 18},
        {"max_over_time(three[60s])", 201000, 18},
        {"absent_over_time(one[60s])", 201000, 6},
        {"one[60s:5s]", 201000, 12},
        {"max_over_time(one[60s])[20s:5s]", 201000, 24},
        {"max_over_time(one[61s])[20s:5s]", 201000, 26},
        {"max_over_time(three[60s:5s])", 201000, 36},
        {"sum_over_time(max_over_time(three[1h])[60s:5s])", 201000, 36},
        {"sum(max_over_time(three[60s:5s])) + sum(max_over_time(three[60s:5s]))", 201000, 72},
        {"sum(three) / count(three)", 201000, 6},
    };
    struct asking k;
    asking_open(&k);
    store_both(&k);
    for (size_t i = 0; i < ARRAY_COUNT(asked); i++) {
        ck_assert_int_eq(ask(&k, asked[i].text, asked[i].at_ms), OK);
        ck_assert_msg(k.query.stats.samples_queryable == asked[i].samples, "%s: %llu",
                      asked[i].text, (unsigned long long)k.query.stats.samples_queryable);
        ck_assert_ptr_null(k.query.stats.queryable_by_step);
    }
    asking_close(&k);
}
END_TEST

START_TEST(a_range_query_counts_step_by_step)
{
    static const struct {
        const char *text;
        uint64_t at_step; /* at each of the steps from 201 s to 216 s */
    } asked[] = {
        {"three", 3},
        {"timestamp(one)", 1},
        {"three @ end()", 3},
        {"rate(three[60s])", 18},
        {"sum(rate(three[60s] @ 1700006600))", 18},
        {"max_over_time(three[60s:5s])", 36},
        {"sum_over_time(max_over_time(three[1h])[60s:5s] @ end())", 36},
        {"sum(three) / count(three)", 6},
        {"quantile_over_time(scalar(one), three[60s] @ end())", 19},
    };
    struct asking k;
    asking_open(&k);
    store_both(&k);
    k.query.counts_steps = true;
    for (size_t part = 1; part <= 4; part += 3)
        for (size_t i = 0; i < ARRAY_COUNT(asked); i++) {
            k.engine.options.part_series = part;
            ck_assert_int_eq(ask_range(&k, asked[i].text, 201000, 219000, 5000), OK);
            ck_assert_ptr_nonnull(k.query.stats.queryable_by_step);
            for (size_t s = 0; s < 4; s++)
                ck_assert_msg(k.query.stats.queryable_by_step[s] == asked[i].at_step,
                              "%s at step %zu: %llu", asked[i].text, s,
                              (unsigned long long)k.query.stats.queryable_by_step[s]);
            ck_assert_uint_eq(k.query.stats.samples_queryable, 4 * asked[i].at_step);
        }
    asking_close(&k);
}
END_TEST

SUITE(tally, an_instant_query_counts_what_it_looks_at, a_range_query_counts_step_by_step)
