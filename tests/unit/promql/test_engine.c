/* engine: answers by type, the words of errors, and every limit. */
#include "tests/unit/promql/asking.h"

static void store_two(struct asking *k)
{
    struct sample one[60];
    struct sample two[60];
    for (int i = 0; i < 60; i++) {
        one[i] = (struct sample){.t_ms = START_MS + i * 1000, .v = i};
        two[i] = (struct sample){.t_ms = START_MS + i * 1000, .v = 2 * i};
    }
    asking_store(k, "m_total", "i", "1", one, 60);
    asking_store(k, "m_total", "i", "2", two, 60);
}

START_TEST(every_type_has_its_answer)
{
    struct asking k;
    asking_open(&k);
    store_two(&k);

    ck_assert_int_eq(ask(&k, "1 + 1", 0), OK);
    ck_assert_int_eq(k.query.value.type, VALUE_SCALAR);
    ck_assert_double_eq(k.query.value.scalar, 2);
    ck_assert_int_eq(k.query.value.t_ms, START_MS);

    ck_assert_int_eq(ask(&k, "\"text\"", 0), OK);
    ck_assert_int_eq(k.query.value.type, VALUE_STRING);
    ck_assert(str_equal(k.query.value.string, STR("text")));

    ck_assert_int_eq(ask(&k, "m_total", 5000), OK);
    ck_assert_int_eq(k.query.value.type, VALUE_VECTOR);
    ck_assert_uint_eq(k.query.value.series_count, 2);
    ck_assert_double_eq(answer_of(&k, "i", "2")->points[0].v, 10);
    ck_assert_int_eq(answer_of(&k, "i", "2")->points[0].t_ms, START_MS + 5000);

    ck_assert_int_eq(ask(&k, "m_total[3s]", 5000), OK);
    ck_assert_int_eq(k.query.value.type, VALUE_MATRIX);
    ck_assert_uint_eq(answer_of(&k, "i", "1")->count, 3);
    ck_assert_int_eq(answer_of(&k, "i", "1")->points[0].t_ms, START_MS + 3000);

    ck_assert_int_eq(ask_range(&k, "sum(rate(m_total[10s]))", 20000, 40000, 10000), OK);
    ck_assert_int_eq(k.query.value.type, VALUE_MATRIX);
    ck_assert_uint_eq(k.query.value.series_count, 1);
    ck_assert_uint_eq(k.query.value.series[0].count, 3);
    ck_assert_double_eq_tol(k.query.value.series[0].points[2].v, 3, 1e-12);
    ck_assert_uint_gt(k.query.stats.samples_read, 0);

    ck_assert_int_eq(ask_range(&k, "time()", 0, 2500, 1000), OK);
    ck_assert_uint_eq(k.query.value.series_count, 1);
    ck_assert_uint_eq(k.query.value.series[0].count, 3);
    asking_close(&k);
}
END_TEST

START_TEST(a_range_answer_is_in_the_order_of_its_labels)
{
    struct asking k;
    asking_open(&k);
    asking_store_one(&k, "m", "i", "9", 1);
    asking_store_one(&k, "m", "i", "10", 1);
    asking_store_one(&k, "m", "i", "1", 1);
    ck_assert_int_eq(ask_range(&k, "m", 0, 1000, 1000), OK);
    ck_assert_uint_eq(k.query.value.series_count, 3);
    for (size_t i = 1; i < 3; i++)
        ck_assert_int_lt(
            labels_compare(k.query.value.series[i - 1].labels, k.query.value.series[i].labels), 0);
    asking_close(&k);
}
END_TEST

START_TEST(errors_say_what_prometheus_says)
{
    struct asking k;
    asking_open(&k);
    ck_assert_int_eq(ask(&k, "sum(", 0), ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(k.err.text, "invalid parameter \"query\": 1:5: parse error: "));
    ck_assert_int_eq(ask_range(&k, "m[5m]", 0, 1000, 1000), ERR_INVALID);
    ck_assert_str_eq(k.err.text, "invalid parameter \"query\": invalid expression type \"range "
                                 "vector\" for range query, must be Scalar or instant Vector");
    ck_assert_int_eq(ask(&k, "mad_over_time(m[5m])", 0), ERR_INVALID);
    ck_assert_int_eq(ask(&k, "count_over_time(m[1s - 1s])", 0), ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(k.err.text, "duration must be greater than 0"));
    asking_close(&k);
}
END_TEST

START_TEST(samples_are_limited)
{
    struct asking k;
    asking_open(&k);
    store_two(&k);
    k.engine.options.samples_max = 100;
    ck_assert_int_eq(ask(&k, "m_total[1m]", 59000), ERR_TOO_LARGE);
    ck_assert_str_eq(k.err.text, "query processing would load too many samples into memory in "
                                 "query execution");
    /* One series at a time: 60 samples are held, not 120. */
    ck_assert_int_eq(ask(&k, "sum(sum_over_time(m_total[1m]))", 59000), OK);
    ck_assert_uint_le(k.query.stats.samples_peak, 100);
    ck_assert_int_eq(ask_range(&k, "m_total", 0, 59000, 1000), ERR_TOO_LARGE);
    asking_close(&k);
}
END_TEST

START_TEST(memory_is_limited)
{
    struct asking k;
    asking_open(&k);
    store_two(&k);
    arena_release(&k.arena);
    arena_init(&k.arena, HEAP_QUERY, 1 << 20);
    ck_assert_int_eq(ask(&k, "sum(sum_over_time(m_total[1m]))", 59000), OK);
    ck_assert_int_eq(ask(&k, "count_over_time(m_total[1h:1ms])", 59000), ERR_TOO_LARGE);
    asking_close(&k);
}
END_TEST

/* Enough work for the clock to be looked at. */
static const char long_query[] = "count_over_time(vector(1)[1h:100ms])";

START_TEST(the_deadline_and_the_cancel_flag_end_a_query)
{
    struct asking k;
    atomic_bool cancelled = false;
    asking_open(&k);
    store_two(&k);
    ck_assert_int_eq(ask(&k, long_query, 59000), OK);

    query_finish(&k.query);
    k.query.deadline_ns = clock_mono_ns() - 1;
    ck_assert_int_eq(query_run(&k.engine, &k.query, &k.err), ERR_TIMEOUT);
    ck_assert_str_eq(k.err.text, "query timed out in expression evaluation");

    query_finish(&k.query);
    k.query.deadline_ns = 0;
    k.query.cancelled = &cancelled;
    ck_assert_int_eq(query_run(&k.engine, &k.query, &k.err), OK);
    query_finish(&k.query);
    atomic_store(&cancelled, true);
    ck_assert_int_eq(query_run(&k.engine, &k.query, &k.err), ERR_CANCELLED);
    ck_assert_str_eq(k.err.text, "query was canceled in expression evaluation");
    asking_close(&k);
}
END_TEST

/* A few rows that take long each: the clock is looked at all the same. */
START_TEST(work_is_counted_by_what_it_takes_not_by_rows)
{
    enum { REFERENCES = 20000 };
    static char text[2 * REFERENCES + 100];
    struct asking k;
    asking_open(&k);
    store_two(&k);
    size_t size = (size_t)sprintf(text, "label_replace(m_total, \"a\", \"");
    for (int i = 0; i < REFERENCES; i++)
        size += (size_t)sprintf(text + size, "$2");
    sprintf(text + size, "\", \"i\", \"(.*)(x?)\")");
    ck_assert_int_eq(ask(&k, text, 59000), OK);
    query_finish(&k.query);
    k.query.deadline_ns = clock_mono_ns() - 1;
    ck_assert_int_eq(query_run(&k.engine, &k.query, &k.err), ERR_TIMEOUT);
    asking_close(&k);
}
END_TEST

START_TEST(the_lookback_can_be_given_with_the_query)
{
    struct asking k;
    asking_open(&k);
    asking_store_one(&k, "m", "i", "1", 1);
    ck_assert_int_eq(ask(&k, "m", 60000), OK);
    ck_assert_uint_eq(k.query.value.series_count, 1);
    query_finish(&k.query);
    k.query.lookback_ms = 60000;
    ck_assert_int_eq(query_run(&k.engine, &k.query, &k.err), OK);
    ck_assert_uint_eq(k.query.value.series_count, 0);
    asking_close(&k);
}
END_TEST

/* Each of these uses another operator's memory. */
static const char *const hungry[] = {
    "sum by (i) (rate(m_total[10s]))",
    "topk(1, m_total) + on (i) group_left (j) label_join(m_total, \"j\", \"-\", \"i\", \"i\")",
    "m_total > 1 or -m_total unless m_total{i=\"1\"}",
    "quantile(0.5, m_total) / scalar(count_values(\"v\", m_total))",
    "histogram_quantile(0.5, label_replace(m_total, \"le\", \"$1\", \"i\", \"(.*)\"))",
    "max_over_time(abs(m_total)[20s:5s] @ end())",
    "sort(quantile_over_time(2, m_total[5s]))",
    "absent(m_total) or absent_over_time(m_total[1s])",
    "bottomk by (i) (2, m_total) or count_values without (i) (\"w\", m_total)",
    "time() + vector(1) * scalar(m_total{i=\"1\"}) - day_of_week()",
    "stddev by (i) (m_total) + stdvar(m_total) + avg(m_total) + group(m_total)",
    "increase(m_total[10s] offset 2s) + resets(m_total[10s]) + idelta(m_total[10s])",
    "sum by (i) (m_total) * on (i) group_right (j) m_total",
    "histogram_fraction(0, 1, label_replace(m_total, \"le\", \"$1\", \"i\", \"(.*)\"))",
    "rate({__name__=~\"m.*\"}[1m:5s]) + avg_over_time(sum by (i) (m_total)[20s:5s])",
};

START_TEST(every_allocation_may_fail)
{
    struct asking k;
    asking_open(&k);
    store_two(&k);
    for (size_t i = 0; i < ARRAY_COUNT(hungry); i++) {
        enum status st = ERR_NO_MEMORY;
        for (uint64_t after = 0; st == ERR_NO_MEMORY; after++) {
            query_finish(&k.query);
            arena_release(&k.arena);
            heap_fail_after(after);
            st = ask_range(&k, hungry[i], 20000, 40000, 10000);
            heap_fail_after(UINT64_MAX);
            ck_assert_uint_lt(after, 10000);
        }
        ck_assert_msg(st == OK, "%s: %s", hungry[i], k.err.text);
    }
    asking_close(&k);
}
END_TEST

/* The n-th node of the list: where it begins in the text, how deep, and what it gave. */
static void check_node(const struct query *q, size_t n, const char *text, uint32_t depth,
                       uint64_t series, uint64_t values)
{
    const struct explained *node = &q->explained.items[n];
    struct str part = {q->text.data + node->position.start,
                       node->position.end - node->position.start};
    ck_assert_msg(str_equal(part, str_from(text)), "%.*s", STR_ARG(part));
    ck_assert_uint_eq(node->depth, depth);
    ck_assert_uint_eq(node->series, series);
    ck_assert_uint_eq(node->values, values);
    ck_assert_int_ge(node->ns, 0); /* the clock stands still */
}

START_TEST(a_query_explains_its_nodes)
{
    struct asking k;
    asking_open(&k);
    store_two(&k);
    ck_assert_int_eq(ask_range(&k, "max(m_total)", 20000, 40000, 10000), OK);
    ck_assert_uint_eq(k.query.explained.count, 0);
    k.query.explains = true;
    ck_assert_int_eq(
        ask_range(&k, "sum(rate(m_total[10s])) / (max(m_total @ end()))", 20000, 40000, 10000), OK);
    const struct query *q = &k.query;
    ck_assert_uint_eq(q->explained.count, 5);
    check_node(q, 0, "sum(rate(m_total[10s])) / (max(m_total @ end()))", 0, 1, 3);
    check_node(q, 1, "sum(rate(m_total[10s]))", 1, 1, 3);
    check_node(q, 2, "rate(m_total[10s])", 2, 2, 6);
    check_node(q, 3, "max(m_total @ end())", 1, 1, 1);
    check_node(q, 4, "m_total @ end()", 2, 2, 2);
    ck_assert_uint_eq(q->explained.items[0].samples_read, q->stats.samples_read);
    ck_assert_uint_gt(q->explained.items[2].samples_read, 0);
    ck_assert_int_ge(q->explained.items[1].ns, q->explained.items[2].ns);
    asking_close(&k);
}
END_TEST

static void check_gives_up(struct asking *k, const char *text)
{
    ck_assert_int_eq(ask_range(k, text, 0, 40000, 1000), ERR_CANCELLED);
    ck_assert_msg(k->query.gave_up, "%s", text);
    k->query.quick = false;
    ck_assert_int_eq(ask_range(k, text, 0, 40000, 1000), OK);
    ck_assert(!k->query.gave_up);
    k->query.quick = true;
}

START_TEST(a_query_that_is_to_be_quick_gives_up)
{
    struct asking k;
    char series[24];
    char text[2 * QUICK_TEXT_BYTES];
    asking_open(&k);
    store_two(&k);
    for (int i = 0; i < QUICK_SERIES + 1; i++) {
        snprintf(series, sizeof(series), "%d", i);
        asking_store_one(&k, "many", "i", series, 1);
    }
    k.query.quick = true;
    ck_assert_int_eq(ask(&k, "sum(rate(m_total[10s]))", 30000), OK);
    ck_assert_uint_eq(k.query.value.series_count, 1);
    ck_assert_int_eq(ask(&k, "m_total + on(j) m_total", 30000), ERR_CONFLICT);
    ck_assert(!k.query.gave_up);
    check_gives_up(&k, "count(many)");
    check_gives_up(&k, "m_total{i=~\"1\"}");
    check_gives_up(&k, "max_over_time(m_total[20s:1s])");
    snprintf(text, sizeof(text), "%*s", QUICK_TEXT_BYTES + 1, "m_total");
    check_gives_up(&k, text);
    ck_assert_int_eq(ask_range(&k, "m_total", 0, QUICK_STEPS, 1), ERR_CANCELLED);
    ck_assert_int_eq(ask_range(&k, "m_total * 2 or m_total", 0, 900, 1), OK);
    ck_assert_int_eq(ask_range(&k, "sort(m_total) or m_total or m_total offset 1ms", 0, 999, 1),
                     ERR_CANCELLED); /* too much is held */
    asking_close(&k);
}
END_TEST

SUITE(engine, a_query_that_is_to_be_quick_gives_up, a_query_explains_its_nodes,
      every_type_has_its_answer, a_range_answer_is_in_the_order_of_its_labels,
      errors_say_what_prometheus_says, samples_are_limited, memory_is_limited,
      the_deadline_and_the_cancel_flag_end_a_query, work_is_counted_by_what_it_takes_not_by_rows,
      the_lookback_can_be_given_with_the_query, every_allocation_may_fail)
