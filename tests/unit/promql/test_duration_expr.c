/* duration_expr: arithmetic of durations, with step() and range() of the query. */
#include "promql/duration_expr.h"

#include "tests/unit/promql/parsing.h"

static const struct duration_context context = {.step_ms = 15000, .range_ms = 3600000};

/* Resolve "a[<range>]" and return its range; or the error's words in *err. */
static enum status range_of(const char *range, int64_t *out_ms, struct error *err)
{
    char query[200];
    struct parsed p;
    enum status st;

    (void)snprintf(query, sizeof(query), "rate(a[%s])", range);
    parsed_init_ok(&p, query);
    st = ast_resolve_durations(p.tree, context, err);
    *out_ms = p.tree->call.args[0]->matrix.range_ms;
    parsed_release(&p);
    return st;
}

static void assert_range(const char *range, int64_t expected_ms)
{
    struct error err;
    int64_t ms;
    ck_assert_msg(range_of(range, &ms, &err) == OK, "%s: %s", range, err.text);
    ck_assert_msg(ms == expected_ms, "%s is %lld ms", range, (long long)ms);
}

static void assert_range_error(const char *range, const char *words)
{
    struct error err;
    int64_t ms;
    ck_assert_int_eq(range_of(range, &ms, &err), ERR_INVALID);
    ck_assert_str_eq(err.text, words);
}

START_TEST(durations_are_computed_in_seconds)
{
    assert_range("5m", 300000);
    assert_range("5m + 30s", 330000);
    assert_range("2 * (1h - 30m)", 3600000);
    assert_range("10 - 2 - 3", 5000);
    assert_range("2 ^ 3 ^ 2", 512000);
    assert_range("0 + -2 ^ 2 + 5", 1000);
    assert_range("7 % 4", 3000);
    assert_range("1 / 3", 333);
    assert_range("step()", 15000);
    assert_range("4 * step() + range()", 3660000);
    assert_range("min_of(step(), 1m)", 15000);
    assert_range("max_of(step(), 1m)", 60000);
    assert_range("-(-step())", 15000);
    assert_range("4s18ms + 0", 4018);
}
END_TEST

START_TEST(a_range_must_be_a_positive_number)
{
    assert_range_error("-step()", "7:14: duration must be greater than 0");
    assert_range_error("5m - 5m", "7:14: duration must be greater than 0");
    assert_range_error("1 / (5 - 5)", "7:17: division by zero");
    assert_range_error("1 % (step() - 15)", "7:23: modulo by zero");
    assert_range_error("10 ^ 400", "7:15: duration is NaN or infinite");
    assert_range_error("(0 - 1) ^ 0.5", "8:20: duration is NaN or infinite");
    assert_range_error("10 ^ 12", "7:14: duration is out of range");
}
END_TEST

START_TEST(everything_in_the_tree_is_resolved)
{
    struct parsed p;
    parsed_init_ok(&p, "-sum(a offset -(step())) + max_over_time((b)[2*step():step()] "
                       "offset (1m+1m))");
    ck_assert_int_eq(ast_resolve_durations(p.tree, context, NULL), OK);
    const struct ast *a = p.tree->binary.lhs->unary.expr->aggregate.expr;
    const struct ast *b = p.tree->binary.rhs->call.args[0];
    ck_assert_int_eq(a->selector.shift.offset_ms, -15000);
    ck_assert_int_eq(b->subquery.range_ms, 30000);
    ck_assert_int_eq(b->subquery.step_ms, 15000);
    ck_assert_int_eq(b->subquery.shift.offset_ms, 120000);
    parsed_release(&p);
}
END_TEST

SUITE(duration_expr, durations_are_computed_in_seconds, a_range_must_be_a_positive_number,
      everything_in_the_tree_is_resolved)
