/* aggregate_limit: what is taken of each group at each step, and when reading ends. */
#include "tests/unit/promql/asking.h"

enum { SERIES = 100, STEPS = 70, STEP_MS = 1000, LOOKBACK_MS = 500 };

/* m{i="0"} to m{i="99"}, each with a sample at each step but every nth, n = i % 7 + 2. */
static void store_hundred(struct asking *k)
{
    struct sample samples[STEPS];
    asking_open(k);
    k->engine.options.syntax.experimental_functions = true;
    k->engine.options.lookback_ms = LOOKBACK_MS;
    for (int i = 0; i < SERIES; i++) {
        char key[24];
        size_t count = 0;
        for (int s = 0; s < STEPS; s++)
            if ((s + 1) % (i % 7 + 2))
                samples[count++] = (struct sample){.t_ms = START_MS + s * STEP_MS, .v = i};
        snprintf(key, sizeof(key), "%d", i);
        asking_store(k, "m", "i", key, samples, count);
    }
}

static void ask_steps(struct asking *k, const char *text)
{
    enum status st = ask_range(k, text, 0, (STEPS - 1) * STEP_MS, STEP_MS);
    ck_assert_msg(st == OK, "%s: %s", text, k->err.text);
}

/* Of as many rows as an answer may have at each step. */
static void count_steps_of(const struct asking *k, size_t *counts)
{
    memset(counts, 0, STEPS * sizeof(counts[0]));
    for (size_t i = 0; i < k->query.value.series_count; i++) {
        const struct series_points *series = &k->query.value.series[i];
        for (size_t p = 0; p < series->count; p++)
            counts[(series->points[p].t_ms - START_MS) / STEP_MS]++;
    }
}

START_TEST(each_step_has_as_many_as_it_wants)
{
    struct asking k;
    size_t all[STEPS];
    size_t some[STEPS];
    store_hundred(&k);
    ask_steps(&k, "m");
    count_steps_of(&k, all);
    ask_steps(&k, "limitk(20, m)");
    count_steps_of(&k, some);
    for (size_t s = 0; s < STEPS; s++)
        ck_assert_uint_eq(some[s], all[s] < 20 ? all[s] : 20);
    ask_steps(&k, "limitk(scalar(count(m)) / 2, m)"); /* another number at each step */
    count_steps_of(&k, some);
    for (size_t s = 0; s < STEPS; s++)
        ck_assert_uint_eq(some[s], all[s] / 2);
    ask_steps(&k, "limit_ratio(0.3, m) or limit_ratio(-0.7, m)");
    count_steps_of(&k, some);
    for (size_t s = 0; s < STEPS; s++)
        ck_assert_uint_eq(some[s], all[s]);
    asking_close(&k);
}
END_TEST

START_TEST(nobody_reads_on_when_there_is_enough)
{
    static const struct {
        const char *text;
        bool stops;
    } asked[] = {
        {"limitk(3, m)", true},     {"limitk(2 + 0 * time(), m)", true},
        {"limitk(1000, m)", false}, {"limitk by (i) (1, m)", false},
        {"limitk(3, -m)", false},   {"limit_ratio(0.5, m)", false},
    };
    struct asking k;
    store_hundred(&k);
    ask_steps(&k, "m");
    uint64_t all = k.query.stats.samples_read;
    for (size_t i = 0; i < ARRAY_COUNT(asked); i++) {
        ask_steps(&k, asked[i].text);
        uint64_t reads = k.query.stats.samples_read;
        ck_assert_msg(asked[i].stops ? reads < all / 2 : reads == all, "%s: %llu of %llu",
                      asked[i].text, (unsigned long long)reads, (unsigned long long)all);
    }
    asking_close(&k);
}
END_TEST

SUITE(aggregate_limit, each_step_has_as_many_as_it_wants, nobody_reads_on_when_there_is_enough)
