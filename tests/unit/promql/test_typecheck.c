/* typecheck: the types it writes into the tree, and what it does to the matching of operators. The
 * words of its errors are in tests/data/promql/parser_cases.txt. */
#include "promql/typecheck.h"

#include "tests/unit/promql/parsing.h"

static enum value_type type_of(const char *query)
{
    struct parsed p;
    parsed_init_ok(&p, query);
    enum value_type type = p.tree->type;
    parsed_release(&p);
    return type;
}

START_TEST(every_expression_has_a_type)
{
    ck_assert_int_eq(type_of("1"), VALUE_SCALAR);
    ck_assert_int_eq(type_of("'a'"), VALUE_STRING);
    ck_assert_int_eq(type_of("a"), VALUE_VECTOR);
    ck_assert_int_eq(type_of("a[5m]"), VALUE_MATRIX);
    ck_assert_int_eq(type_of("a[5m:]"), VALUE_MATRIX);
    ck_assert_int_eq(type_of("1 + 2"), VALUE_SCALAR);
    ck_assert_int_eq(type_of("1 + a"), VALUE_VECTOR);
    ck_assert_int_eq(type_of("1 > bool 2"), VALUE_SCALAR);
    ck_assert_int_eq(type_of("-(time())"), VALUE_SCALAR);
    ck_assert_int_eq(type_of("-a"), VALUE_VECTOR);
    ck_assert_int_eq(type_of("(a[5m])"), VALUE_MATRIX);
    ck_assert_int_eq(type_of("sum(a)"), VALUE_VECTOR);
    ck_assert_int_eq(type_of("scalar(a)"), VALUE_SCALAR);
}
END_TEST

static void assert_matching(const char *query, bool present, enum match_cardinality cardinality)
{
    struct parsed p;
    parsed_init_ok(&p, query);
    ck_assert_msg((p.tree->binary.matching != NULL) == present, "%s", query);
    if (present) ck_assert_int_eq(p.tree->binary.matching->cardinality, cardinality);
    parsed_release(&p);
}

START_TEST(matching_is_for_vectors)
{
    assert_matching("a + b", true, CARD_ONE_TO_ONE);
    assert_matching("a * on(x) group_right b", true, CARD_ONE_TO_MANY);
    assert_matching("a and b", true, CARD_MANY_TO_MANY);
    assert_matching("a or on(x) b", true, CARD_MANY_TO_MANY);
    assert_matching("a + 1", false, CARD_ONE_TO_ONE);
    assert_matching("1 + 1", false, CARD_ONE_TO_ONE);
    assert_matching("a + on() 1", false, CARD_ONE_TO_ONE);
}
END_TEST

START_TEST(the_innermost_error_is_the_one_told)
{
    assert_error("abs(sum(rate(a)))", "1:14: parse error: expected type range vector in call to "
                                      "function \"rate\", got instant vector");
    assert_error("{} + 'a'",
                 "1:1: parse error: vector selector must contain at least one non-empty matcher");
    assert_error("a\n  == bool bool[5m]", "2:11: parse error: unexpected <bool>");
    assert_error("topk({}, a[5m])", "1:10: parse error: expected type instant vector in "
                                    "aggregation expression, got range vector");
}
END_TEST

START_TEST(an_operator_is_found_behind_its_left_side)
{
    assert_error("1\n\t ==\n 1",
                 "2:3: parse error: comparisons between scalars must use BOOL modifier");
    assert_error("(1)+ bool(2)",
                 "1:4: parse error: bool modifier can only be used on comparison operators");
}
END_TEST

SUITE(typecheck, every_expression_has_a_type, matching_is_for_vectors,
      the_innermost_error_is_the_one_told, an_operator_is_found_behind_its_left_side)
