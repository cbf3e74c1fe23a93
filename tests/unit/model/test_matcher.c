/* matcher: the four types, absent labels, and refusal. */
#include "model/matcher.h"

#include "tests/unit/suite.h"

static struct matcher made(enum matcher_type type, const char *value)
{
    struct matcher m;
    struct error err;
    ck_assert_msg(matcher_init(&m, type, STR("job"), str_from(value), &err) == OK, "%s", err.text);
    return m;
}

START_TEST(equality_compares_whole_values)
{
    struct matcher equal = made(MATCH_EQUAL, "node");
    struct matcher not_equal = made(MATCH_NOT_EQUAL, "node");
    ck_assert(matcher_matches(&equal, STR("node")));
    ck_assert(!matcher_matches(&equal, STR("node2")));
    ck_assert(!matcher_matches_empty(&equal));
    ck_assert(!matcher_matches(&not_equal, STR("node")));
    ck_assert(matcher_matches_empty(&not_equal));
    matcher_release(&equal);
    matcher_release(&not_equal);
}
END_TEST

START_TEST(expressions_are_anchored)
{
    struct matcher regex = made(MATCH_REGEX, "no.*");
    struct matcher not_regex = made(MATCH_NOT_REGEX, ".+");
    ck_assert(matcher_matches(&regex, STR("node")));
    ck_assert(!matcher_matches(&regex, STR("a node")));
    ck_assert(!matcher_matches_empty(&regex));
    ck_assert(matcher_matches_empty(&not_regex));
    ck_assert(!matcher_matches(&not_regex, STR("x")));
    matcher_release(&regex);
    matcher_release(&not_regex);
}
END_TEST

START_TEST(a_bad_expression_leaves_nothing_to_release)
{
    struct matcher m;
    ck_assert_int_eq(matcher_init(&m, MATCH_REGEX, STR("a"), STR("("), NULL), ERR_INVALID);
    ck_assert_ptr_null(m.regex);
    matcher_release(&m);
}
END_TEST

/* Within the parentheses that anchor it, a)(b would be an expression. */
START_TEST(an_expression_must_be_one_by_itself)
{
    struct matcher m;
    struct error err;
    ck_assert_int_eq(matcher_init(&m, MATCH_REGEX, STR("job"), STR("a)(b"), &err), ERR_INVALID);
    ck_assert_str_eq(err.text, "error parsing regexp: unexpected ): `a)(b`");
    ck_assert_int_eq(matcher_init(&m, MATCH_REGEX, STR("job"), STR("[a"), &err), ERR_INVALID);
    ck_assert_str_eq(err.text, "error parsing regexp: missing closing ]: `[a`");
}
END_TEST

START_TEST(symbols)
{
    ck_assert_str_eq(matcher_symbol(MATCH_EQUAL), "=");
    ck_assert_str_eq(matcher_symbol(MATCH_NOT_EQUAL), "!=");
    ck_assert_str_eq(matcher_symbol(MATCH_REGEX), "=~");
    ck_assert_str_eq(matcher_symbol(MATCH_NOT_REGEX), "!~");
}
END_TEST

SUITE(matcher, equality_compares_whole_values, expressions_are_anchored,
      a_bad_expression_leaves_nothing_to_release, an_expression_must_be_one_by_itself, symbols)
