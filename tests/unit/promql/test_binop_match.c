/* binop_match: matching of whole rows against matching done step by step, element by element. */
#include "promql/binop.h"

#include "tests/unit/promql/asking.h"

enum { SERIES_MAX = 6, STEPS = 5 };

/* One side: series l{k="<key>", ...} with values at some steps. Stale markers make the gaps. */
struct side {
    unsigned key[SERIES_MAX];
    double v[SERIES_MAX][STEPS]; /* NaN: absent */
    size_t count;
};

static void store_side(struct asking *k, struct side *side, const char *prefix, uint64_t *state)
{
    side->count = next_random(state) % SERIES_MAX + 1;
    for (size_t i = 0; i < side->count; i++) {
        struct sample samples[STEPS];
        char name[32];
        char key[32];
        side->key[i] = (unsigned)(next_random(state) % 3);
        snprintf(name, sizeof(name), "%s%zu", prefix, i); /* names tell equal keys apart */
        snprintf(key, sizeof(key), "%u", side->key[i]);
        for (int s = 0; s < STEPS; s++) {
            bool absent = next_random(state) % 2 == 0;
            double v = (double)(next_random(state) % 4 + 1);
            side->v[i][s] = absent ? (double)NAN : v;
            samples[s] = (struct sample){.t_ms = START_MS + s * 1000,
                                         .v = absent ? bits_to_double(STALE_NAN_BITS) : v};
        }
        asking_store(k, name, "k", key, samples, STEPS);
    }
}

static size_t present_at(const struct side *side, unsigned key, int step, bool any_key,
                         double *last)
{
    size_t found = 0;
    for (size_t i = 0; i < side->count; i++) {
        if ((!any_key && side->key[i] != key) || isnan(side->v[i][step])) continue;
        *last = side->v[i][step];
        found++;
    }
    return found;
}

struct outcome {
    bool fails;
    double v[3][STEPS]; /* by key; NaN: absent */
};

/* lhs - on (k) rhs as Prometheus does it: at each step, if both sides have anything, the right one
 * must be unique by key, and then so must the left one where it matches. */
static void naive_minus(const struct side *left, const struct side *right, struct outcome *out)
{
    *out = (struct outcome){0};
    for (int s = 0; s < STEPS; s++) {
        double l = 0;
        double r = 0;
        bool both = present_at(left, 0, s, true, &l) && present_at(right, 0, s, true, &r);
        for (unsigned key = 0; key < 3; key++) {
            size_t rights = present_at(right, key, s, false, &r);
            size_t lefts = present_at(left, key, s, false, &l);
            out->v[key][s] = (double)NAN;
            out->fails = out->fails || (both && rights > 1) || (rights == 1 && lefts > 1);
            if (rights == 1 && lefts == 1) out->v[key][s] = l - r;
        }
    }
}

static void compare_outcome(const struct asking *k, const struct outcome *expected)
{
    for (unsigned key = 0; key < 3; key++) {
        char text[32];
        snprintf(text, sizeof(text), "%u", key);
        const struct series_points *got = answer_of(k, "k", text);
        size_t at = 0;
        for (int s = 0; s < STEPS; s++) {
            bool found = got && at < got->count && got->points[at].t_ms == START_MS + s * 1000;
            ck_assert_int_eq(found, !isnan(expected->v[key][s]));
            if (found) ck_assert_double_eq(got->points[at++].v, expected->v[key][s]);
        }
    }
}

START_TEST(rows_match_as_elements_do)
{
    uint64_t state = random_seed();
    int failures = 0;
    int answers = 0;
    for (int round = 0; round < 400; round++) {
        struct asking k;
        struct side left;
        struct side right;
        struct outcome expected;
        asking_open(&k);
        store_side(&k, &left, "l", &state);
        store_side(&k, &right, "r", &state);
        naive_minus(&left, &right, &expected);
        enum status st = ask_range(&k, "{__name__=~\"l.\"} - on (k) {__name__=~\"r.\"}", 0,
                                   (STEPS - 1) * 1000, 1000);
        ck_assert_int_eq(st, expected.fails ? ERR_CONFLICT : OK);
        if (!st) compare_outcome(&k, &expected);
        failures += st != OK;
        answers += st == OK;
        asking_close(&k);
    }
    ck_assert_int_gt(failures, 20);
    ck_assert_int_gt(answers, 20);
}
END_TEST

/* and, or, unless by key: presence alone decides. */
static void naive_set(const char *op, const struct side *left, const struct side *right, size_t *l,
                      size_t *r)
{
    *l = 0;
    *r = 0;
    for (int s = 0; s < STEPS; s++) {
        for (size_t i = 0; i < left->count; i++) {
            double v;
            bool other = present_at(right, left->key[i], s, false, &v) > 0;
            bool kept = !strcmp(op, "or") || (!strcmp(op, "and") ? other : !other);
            *l += !isnan(left->v[i][s]) && kept;
        }
        for (size_t i = 0; i < right->count && !strcmp(op, "or"); i++) {
            double v;
            bool other = present_at(left, right->key[i], s, false, &v) > 0;
            *r += !isnan(right->v[i][s]) && !other;
        }
    }
}

START_TEST(sets_are_of_elements)
{
    static const char *const ops[] = {"and", "or", "unless"};
    uint64_t state = random_seed();
    for (int round = 0; round < 200; round++) {
        struct asking k;
        struct side left;
        struct side right;
        asking_open(&k);
        store_side(&k, &left, "l", &state);
        store_side(&k, &right, "r", &state);
        for (size_t i = 0; i < ARRAY_COUNT(ops); i++) {
            char text[96];
            size_t expected[2];
            size_t got[2] = {0};
            naive_set(ops[i], &left, &right, &expected[0], &expected[1]);
            snprintf(text, sizeof(text), "{__name__=~\"l.\"} %s on (k) {__name__=~\"r.\"}", ops[i]);
            ck_assert_int_eq(ask_range(&k, text, 0, (STEPS - 1) * 1000, 1000), OK);
            for (size_t s = 0; s < k.query.value.series_count; s++) {
                const struct series_points *series = &k.query.value.series[s];
                struct str name = labels_get(series->labels, LABEL_METRIC_NAME);
                got[name.data[0] == 'r'] += series->count;
            }
            ck_assert_uint_eq(got[0], expected[0]);
            ck_assert_uint_eq(got[1], expected[1]);
        }
        asking_close(&k);
    }
}
END_TEST

/* Two hundred series, each with a partner and two of them with each half: enough for classes to be
 * given up, or not. */
START_TEST(many_series_match_by_any_labels)
{
    enum { MANY = 200 };
    static const struct {
        const char *text;
        double answer;
    } asked[] = {
        {"count(m + ignoring (half) n)", MANY},
        {"count(m + on (i, half) n)", MANY},
        {"count(m > on (i) n)", MANY},
        {"sum(m == on (i) n)", 0},
        {"sum(m - on (i) n)", MANY},
        {"count(m and on (i) n)", MANY},
        {"count(m unless ignoring () n)", 0},
        {"count(m or on (i) n)", MANY},
        {"count(m or n)", MANY},
        {"sum(m / on (half) group_left max by (half) (m)) > bool 100", 1},
        {"count(count by (i) (m * on (half) group_left count by (half) (n)))", MANY},
        {"count(m + on (i, __name__) m)", MANY},
        {"count(abs(m) + on (i, __name__) abs(m))", MANY},
        {"count(abs(m) and on (__name__) abs(n))", MANY},
        {"count(m and on (__name__) abs(n)) or on () vector(-1)", -1},
        {"count(m * on (i) group_left (half) n)", MANY},
    };
    struct asking k;
    asking_open(&k);
    for (int s = 0; s < 2 * MANY; s++) {
        char i[24];
        snprintf(i, sizeof(i), "%d", s / 2);
        struct sample sample = {.t_ms = START_MS, .v = s / 2 + (s % 2 ? 0 : 1)};
        struct label labels[] = {{.name = LABEL_METRIC_NAME, .value = s % 2 ? STR("n") : STR("m")},
                                 {.name = STR("half"), .value = s < MANY ? STR("a") : STR("b")},
                                 {.name = STR("i"), .value = str_from(i)}};
        asking_store_set(&k, labels, ARRAY_COUNT(labels), &sample, 1);
    }
    for (size_t i = 0; i < ARRAY_COUNT(asked); i++) {
        ck_assert_msg(ask(&k, asked[i].text, 0) == OK, "%s: %s", asked[i].text, k.err.text);
        double got = k.query.value.series_count ? k.query.value.series[0].points[0].v : 0;
        ck_assert_msg(got == asked[i].answer, "%s: %g", asked[i].text, got);
    }
    asking_close(&k);
}
END_TEST

SUITE(binop_match, rows_match_as_elements_do, sets_are_of_elements, many_series_match_by_any_labels)
