/* matching - what matchers become, term by term. */
#include "storage/matching.h"

#include "tests/unit/storage/store.h"
#include "tests/unit/suite.h"

/* The plan of one matcher over the series job=a, job=b, job=c. */
static struct match_plan plan_of(struct store *s, enum matcher_type type, const char *name,
                                 const char *value)
{
    struct match_plan plan;
    struct error err;
    struct matcher m = store_matcher(type, name, value);
    ck_assert(match_plan_build(s->db, &m, 1, &s->arena, &plan, &err) == OK);
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
    ck_assert(match_plan_build(s.db, matchers, 3, &s.arena, &plan, &err) == OK);
    ck_assert_uint_eq(plan.count, 3);
    ck_assert_uint_eq(plan.terms[0].count, 1);
    ck_assert_uint_eq(plan.terms[1].count, 2);
    ck_assert(plan.terms[2].any);
    for (size_t i = 0; i < 3; i++)
        matcher_release(&matchers[i]);
    store_close(&s);
}
END_TEST

SUITE(matching, equality_includes_one_value_and_inequality_excludes_it,
      unknown_names_and_values_decide_at_once, patterns_become_lists_of_values_or_any,
      terms_with_few_values_come_first)
