/* binop: the operators on two numbers. */
#include "promql/binop.h"

#include "tests/unit/suite.h"

#include <math.h>

START_TEST(arithmetic_is_go_s)
{
    ck_assert_double_eq(binop_scalar(OP_ADD, 1, 2), 3);
    ck_assert_double_eq(binop_scalar(OP_SUB, 1, 2), -1);
    ck_assert_double_eq(binop_scalar(OP_MUL, 3, 2), 6);
    ck_assert_double_eq(binop_scalar(OP_DIV, 1, 0), INFINITY);
    ck_assert_double_nan(binop_scalar(OP_DIV, 0, 0));
    ck_assert_double_eq(binop_scalar(OP_MOD, -7, 3), -1);
    ck_assert_double_nan(binop_scalar(OP_MOD, 1, 0));
    ck_assert_double_eq(binop_scalar(OP_POW, 2, -1), 0.5);
    ck_assert_double_eq(binop_scalar(OP_POW, 1, NAN), 1);
    ck_assert_double_eq(binop_scalar(OP_ATAN2, 0, 1), 0);
}
END_TEST

START_TEST(comparisons_of_scalars_are_0_or_1)
{
    static const struct {
        enum ast_op op;
        double less, equal, greater;
    } cases[] = {{OP_EQL, 0, 1, 0}, {OP_NEQ, 1, 0, 1}, {OP_GTR, 0, 0, 1},
                 {OP_LSS, 1, 0, 0}, {OP_GTE, 0, 1, 1}, {OP_LTE, 1, 1, 0}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ck_assert_double_eq(binop_scalar(cases[i].op, 1, 2), cases[i].less);
        ck_assert_double_eq(binop_scalar(cases[i].op, 2, 2), cases[i].equal);
        ck_assert_double_eq(binop_scalar(cases[i].op, 3, 2), cases[i].greater);
        ck_assert_double_eq(binop_scalar(cases[i].op, NAN, 2), cases[i].op == OP_NEQ);
    }
}
END_TEST

START_TEST(comparisons_of_elements_keep_the_left_value)
{
    double v;
    ck_assert(binop_element(OP_GTR, 3, 2, &v));
    ck_assert_double_eq(v, 3);
    ck_assert(!binop_element(OP_LSS, 3, 2, &v));
    ck_assert(binop_element(OP_ADD, 3, 2, &v));
    ck_assert_double_eq(v, 5);
}
END_TEST

SUITE(binop, arithmetic_is_go_s, comparisons_of_scalars_are_0_or_1,
      comparisons_of_elements_keep_the_left_value)
