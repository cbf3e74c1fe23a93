/* matching - what matchers become, term by term. */
#include "storage/matching.h"

#include <stdio.h>

#include "tests/unit/storage/store.h"
#include "tests/unit/suite.h"

/* The plan of one matcher over the series job=a, job=b, job=c. */
static struct match_plan plan_of(struct store *s, enum matcher_type type, const char *name,
                                 const char *value)
{
    struct match_plan plan;
    struct error err;
    struct matcher m = store_matcher(type, name, value);
    struct select_request request = {.matchers = &m, .matcher_count = 1};
    ck_assert(match_plan_build(s->db, &request, &s->arena, &plan, &err) == OK);
    matcher_release(&m);
    return plan;
}

static void fill(struct store *s)
{
    static const char *const jobs[] = {"a", "b", "c"};
    for (size_t i = 0; i < ARRAY_COUNT(jobs); i++)
        store_append(s, store_labels(&s->arena, "job", jobs[i], NULL), STORE_NOW_MS, 1);
}

START_TEST(equality_includes_one_value_and_inequality_excludes_it)
{
    struct store s;
    store_open(&s);
    fill(&s);
    struct match_plan plan = plan_of(&s, MATCH_EQUAL, "job", "a");
    ck_assert(plan.count == 1 && plan.terms[0].count == 1 && !plan.terms[0].exclude);
    plan = plan_of(&s, MATCH_NOT_EQUAL, "job", "a");
    ck_assert(plan.count == 1 && plan.terms[0].count == 1 && plan.terms[0].exclude);
    ck_assert_uint_eq(plan.newest_birth, 3);
    store_close(&s);
}
END_TEST

START_TEST(unknown_names_and_values_decide_at_once)
{
    struct store s;
    store_open(&s);
    fill(&s);
    ck_assert(plan_of(&s, MATCH_EQUAL, "job", "x").impossible);
    ck_assert(plan_of(&s, MATCH_EQUAL, "none", "x").impossible);
    ck_assert(plan_of(&s, MATCH_REGEX, "none", ".+").impossible);
    ck_assert(plan_of(&s, MATCH_NOT_EQUAL, "none", "").impossible);
    ck_assert_uint_eq(plan_of(&s, MATCH_NOT_EQUAL, "job", "x").count, 0);
    ck_assert_uint_eq(plan_of(&s, MATCH_EQUAL, "none", "").count, 0);
    ck_assert_uint_eq(plan_of(&s, MATCH_REGEX, "none", ".*").count, 0);
    store_close(&s);
}
END_TEST

START_TEST(patterns_become_lists_of_values_or_any)
{
    struct store s;
    store_open(&s);
    fill(&s);
    struct match_plan plan = plan_of(&s, MATCH_REGEX, "job", "a|b|x");
    ck_assert(plan.count == 1 && plan.terms[0].count == 2 && !plan.terms[0].exclude);
    plan = plan_of(&s, MATCH_REGEX, "job", "a|");
    ck_assert(plan.count == 1 && plan.terms[0].count == 2 && plan.terms[0].exclude);
    plan = plan_of(&s, MATCH_REGEX, "job", ".+");
    ck_assert(plan.count == 1 && plan.terms[0].any && !plan.terms[0].exclude);
    plan = plan_of(&s, MATCH_NOT_REGEX, "job", ".+");
    ck_assert(plan.count == 1 && plan.terms[0].any && plan.terms[0].exclude);
    ck_assert_uint_eq(plan_of(&s, MATCH_REGEX, "job", ".*").count, 0);
    store_close(&s);
}
END_TEST

START_TEST(terms_with_few_values_come_first)
{
    struct store s;
    struct match_plan plan;
    struct error err;
    store_open(&s);
    fill(&s);
    struct matcher matchers[] = {store_matcher(MATCH_NOT_EQUAL, "job", ""),
                                 store_matcher(MATCH_REGEX, "job", "a|b"),
                                 store_matcher(MATCH_EQUAL, "job", "b")};
    struct select_request request = {.matchers = matchers, .matcher_count = 3};
    ck_assert(match_plan_build(s.db, &request, &s.arena, &plan, &err) == OK);
    ck_assert_uint_eq(plan.count, 3);
    ck_assert_uint_eq(plan.terms[0].count, 1);
    ck_assert_uint_eq(plan.terms[1].count, 2);
    ck_assert(plan.terms[2].any);
    for (size_t i = 0; i < 3; i++)
        matcher_release(&matchers[i]);
    store_close(&s);
}
END_TEST

static enum status refuse_second(void *self, uint64_t work, struct error *err)
{
    int *ticks = self;
    ck_assert_uint_gt(work, 0);
    return ++*ticks < 2 ? OK : error_set(err, ERR_TIMEOUT, "enough");
}

/* Of an expression that is tried on the values, and one that is asked of the series. */
START_TEST(patterns_end_when_the_tick_says_so)
{
    enum { SERIES = 400 };
    struct store s;
    struct match_plan plan;
    struct querier *q;
    struct selection selection;
    struct error err;
    char name[16];
    int ticks = 0;
    store_open(&s);
    for (int i = 0; i < SERIES; i++) {
        snprintf(name, sizeof(name), "j%d", i);
        struct labels set = store_labels(&s.arena, "job", name, "odd", i % 2 ? "yes" : "no", NULL);
        store_append(&s, set, STORE_NOW_MS, 1);
    }
    struct matcher matchers[] = {store_matcher(MATCH_REGEX, "job", "j.*[02468]|j1"),
                                 store_matcher(MATCH_EQUAL, "odd", "yes")};
    struct select_request request = {.matchers = matchers,
                                     .matcher_count = 1,
                                     .tick = refuse_second,
                                     .tick_self = &ticks,
                                     .t_min_ms = STORE_NOW_MS,
                                     .t_max_ms = STORE_NOW_MS};
    ck_assert_int_eq(match_plan_build(s.db, &request, &s.arena, &plan, &err), ERR_TIMEOUT);
    ck_assert_str_eq(err.text, "enough");

    ticks = 0;
    request.matcher_count = 2;
    ck_assert_int_eq(match_plan_build(s.db, &request, &s.arena, &plan, &err), OK);
    ck_assert(match_plan_has_patterns(&plan));
    ck_assert_int_eq(querier_open(s.db, &s.arena, &q, &err), OK);
    ck_assert_int_eq(querier_select(q, &request, &selection, &err), ERR_TIMEOUT);
    request.tick = NULL;
    ck_assert_int_eq(querier_select(q, &request, &selection, &err), OK);
    ck_assert_uint_eq(selection.count, 1);
    querier_close(q);
    for (size_t i = 0; i < ARRAY_COUNT(matchers); i++)
        matcher_release(&matchers[i]);
    store_close(&s);
}
END_TEST

SUITE(matching, patterns_end_when_the_tick_says_so,
      equality_includes_one_value_and_inequality_excludes_it,
      unknown_names_and_values_decide_at_once, patterns_become_lists_of_values_or_any,
      terms_with_few_values_come_first)
