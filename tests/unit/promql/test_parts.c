/* parts: the same answer on any number of threads, and limits that hold over all of them. */
#include "promql/crew.h"
#include "tests/unit/promql/asking.h"

enum { SERIES = 40, SAMPLES = 60, ROUNDS = 20 };

static const char *const aggregated[] = {
    "sum(m_total)",
    "sum by (half) (rate(m_total[30s]))",
    "avg(m_total)",
    "avg without (i) (m_total * 2)",
    "count by (half) (m_total > 40)",
    "group by (half) (m_total)",
    "min(-m_total)",
    "max by (half) (max_over_time(m_total[10s]))",
    "stddev by (half) (m_total)",
    "stdvar(abs(m_total))",
    "sum by (i) (clamp_max(m_total, 30))",
    "sum(avg_over_time(rate(m_total[10s])[20s:5s]))",
    "sum(m_total) / count(m_total)",
    "sum by (half) (m_total @ 1700006410)",
    "max(timestamp(m_total))",
    "count({__name__=~\".+\"})",
    "sum(m_total + on (i) m_total)",
    "quantile(0.5, sum by (i) (m_total))",
    "quantile by (half) (0.9, rate(m_total[10s]))",
    "topk by (half) (3, m_total)",
    "bottomk(2, max_over_time(m_total[10s]))",
    "m_total * on (i) group_left (half) rate(m_total[10s])",
};

/* Values of many sizes, with holes, so that the order of additions is seen in the sums. */
static void store_many(struct asking *k, uint64_t *random)
{
    for (int s = 0; s < SERIES; s++) {
        struct sample samples[SAMPLES];
        size_t count = 0;
        char key[24];
        for (int i = 0; i < SAMPLES; i++) {
            if (next_random(random) % 5 == 0) continue;
            double v = (double)(next_random(random) % 1000) * pow(10, s % 9);
            samples[count++] = (struct sample){.t_ms = START_MS + i * 1000, .v = v + 0.1};
        }
        snprintf(key, sizeof(key), "%d", s);
        struct label labels[] = {{.name = LABEL_METRIC_NAME, .value = STR("m_total")},
                                 {.name = STR("half"), .value = s % 2 ? STR("a") : STR("b")},
                                 {.name = STR("i"), .value = str_from(key)}};
        asking_store_set(k, labels, ARRAY_COUNT(labels), samples, count);
    }
}

struct points {
    double v[SERIES * SAMPLES];
    size_t count;
};

/* The values of the answer, in its order. */
static void keep_points(const struct asking *k, struct points *out)
{
    out->count = 0;
    for (size_t s = 0; s < k->query.value.series_count; s++)
        for (size_t i = 0; i < k->query.value.series[s].count; i++)
            out->v[out->count++] = k->query.value.series[s].points[i].v;
}

static void ask_all_times(struct asking *k, const char *text)
{
    enum status st = ask_range(k, text, 5000, 55000, 5000);
    ck_assert_msg(st == OK, "%s: %s", text, k->err.text);
}

static void set_parts(struct asking *k, size_t series, struct crew *crew, uint32_t threads)
{
    k->engine.options.part_series = series;
    k->engine.options.threads_max = threads;
    k->engine.crew = crew;
}

START_TEST(parts_give_what_the_whole_gives)
{
    static struct points whole;
    static struct points parts;
    struct asking k;
    uint64_t random = random_seed();
    asking_open(&k);
    store_many(&k, &random);
    for (size_t i = 0; i < ARRAY_COUNT(aggregated); i++) {
        set_parts(&k, 1000, NULL, 1);
        ask_all_times(&k, aggregated[i]);
        keep_points(&k, &whole);
        uint64_t reads = k.query.stats.samples_read;
        ck_assert_uint_gt(whole.count, 0);
        for (size_t size = 1; size < SERIES; size += 6) {
            set_parts(&k, size, NULL, 1);
            ask_all_times(&k, aggregated[i]);
            keep_points(&k, &parts);
            ck_assert_uint_eq(parts.count, whole.count);
            ck_assert_uint_eq(k.query.stats.samples_read, reads);
            for (size_t p = 0; p < whole.count; p++)
                ck_assert_msg(fabs(parts.v[p] - whole.v[p]) <= 1e-13 * fabs(whole.v[p]),
                              "%s: %.17g %.17g", aggregated[i], parts.v[p], whole.v[p]);
        }
    }
    asking_close(&k);
}
END_TEST

START_TEST(any_number_of_threads_gives_the_same_bits)
{
    static struct points alone;
    static struct points together;
    struct asking k;
    struct crew *crew;
    uint64_t random = random_seed();
    ck_assert_int_eq(crew_open(3, &crew, NULL), OK);
    asking_open(&k);
    store_many(&k, &random);
    for (size_t i = 0; i < ARRAY_COUNT(aggregated); i++) {
        set_parts(&k, 3, NULL, 1);
        ask_all_times(&k, aggregated[i]);
        keep_points(&k, &alone);
        for (uint32_t round = 0; round < ROUNDS; round++) {
            set_parts(&k, 3, crew, 2 + round % 3);
            ask_all_times(&k, aggregated[i]);
            keep_points(&k, &together);
            ck_assert_uint_eq(together.count, alone.count);
            ck_assert_mem_eq(together.v, alone.v, alone.count * sizeof(alone.v[0]));
            ck_assert_uint_eq(k.engine.options.samples_max, 50000000);
        }
    }
    asking_close(&k);
    crew_close(crew);
}
END_TEST

START_TEST(limits_hold_over_all_parts_together)
{
    struct asking k;
    struct crew *crew;
    uint64_t random = random_seed();
    atomic_bool cancelled = true;
    ck_assert_int_eq(crew_open(3, &crew, NULL), OK);
    asking_open(&k);
    store_many(&k, &random);
    set_parts(&k, 3, crew, 4);
    for (int round = 0; round < ROUNDS; round++) {
        /* Less than a series has. */
        k.engine.options.samples_max = 5;
        ck_assert_int_eq(ask_range(&k, aggregated[1], 5000, 55000, 5000), ERR_TOO_LARGE);
        ck_assert_ptr_nonnull(strstr(k.err.text, "too many samples"));
        k.engine.options.samples_max = 50000000;
        /* Less than all groups take. */
        k.arena.ceiling_bytes = 65536;
        ck_assert_int_eq(ask_range(&k, "sum by (i) (m_total)", 0, 59000, 20), ERR_TOO_LARGE);
        ck_assert_ptr_nonnull(strstr(k.err.text, "65536 bytes"));
        ck_assert_ptr_null(k.arena.common);
        k.arena.ceiling_bytes = UINT64_C(1) << 30;
        ask_all_times(&k, aggregated[1]);
    }
    query_finish(&k.query);
    k.query = (struct query){.text = STR("sum(m_total)"),
                             .start_ms = START_MS,
                             .end_ms = START_MS + 59000,
                             .step_ms = 2,
                             .arena = &k.arena,
                             .cancelled = &cancelled};
    ck_assert_int_eq(query_run(&k.engine, &k.query, &k.err), ERR_CANCELLED);
    query_finish(&k.query);
    k.query.cancelled = NULL;
    k.query.deadline_ns = 1;
    ck_assert_int_eq(query_run(&k.engine, &k.query, &k.err), ERR_TIMEOUT);
    asking_close(&k);
    crew_close(crew);
}
END_TEST

/* Series that become equal without their names have to be found in whatever parts they are. */
START_TEST(parts_do_not_hide_equal_series)
{
    struct asking k;
    asking_open(&k);
    for (int i = 0; i < 10; i++) {
        char name[24];
        snprintf(name, sizeof(name), "m%d", i);
        asking_store_one(&k, name, "i", i < 2 ? "same" : name, i);
    }
    set_parts(&k, 1, NULL, 1);
    ck_assert_int_eq(ask(&k, "sum(abs({i=~\".+\"}))", 0), ERR_CONFLICT);
    ck_assert_int_eq(ask(&k, "sum({i=~\".+\"})", 0), OK);
    ck_assert_double_eq(k.query.value.series[0].points[0].v, 45);
    asking_close(&k);
}
END_TEST

START_TEST(parts_are_explained_and_remark_as_the_whole)
{
    struct asking k;
    struct crew *crew;
    uint64_t random = random_seed();
    uint64_t series[8];
    uint64_t samples[8];
    ck_assert_int_eq(crew_open(1, &crew, NULL), OK);
    asking_open(&k);
    store_many(&k, &random);
    for (int i = 0; i < 3; i++) {
        char key[24];
        struct sample two[2] = {{.t_ms = START_MS, .v = i}, {.t_ms = START_MS + 9000, .v = i}};
        snprintf(key, sizeof(key), "%d", i);
        asking_store(&k, "gauge", "i", key, two, 2);
    }
    k.query.explains = true;
    ask_all_times(&k, "sum by (half) (-rate(m_total[30s]))");
    ck_assert_uint_eq(k.query.explained.count, 3);
    for (size_t i = 0; i < 3; i++) {
        series[i] = k.query.explained.items[i].series;
        samples[i] = k.query.explained.items[i].samples_read;
    }
    set_parts(&k, 2, crew, 2);
    ask_all_times(&k, "sum by (half) (-rate(m_total[30s]))");
    ck_assert_uint_eq(k.query.explained.count, 3);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_uint_eq(k.query.explained.items[i].depth, i);
        ck_assert_uint_eq(k.query.explained.items[i].series, series[i]);
        ck_assert_uint_eq(k.query.explained.items[i].samples_read, samples[i]);
    }
    ask_all_times(&k, "sum(rate(gauge[30s]))");
    ck_assert_uint_eq(k.query.annotations.info_count, 1);
    ck_assert_ptr_nonnull(strstr(k.query.annotations.infos[0].data, "(1:10)"));
    asking_close(&k);
    crew_close(crew);
}
END_TEST

SUITE(parts, parts_give_what_the_whole_gives, any_number_of_threads_gives_the_same_bits,
      limits_hold_over_all_parts_together, parts_do_not_hide_equal_series,
      parts_are_explained_and_remark_as_the_whole)
