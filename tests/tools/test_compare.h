/*
 * test_compare - an answer against what a test case expects, by the rules of Prometheus' runner.
 */
#ifndef HEARTH_TESTS_TOOLS_TEST_COMPARE_H
#define HEARTH_TESTS_TOOLS_TEST_COMPARE_H

#include "promql/engine.h"
#include "tests/tools/test_script.h"

/* As STR_ARG, but never cut. */
#define TEXT_ARG(s) (int)(s).size, ((s).size ? (s).data : "")

struct verdict {
    bool failed;
    char why[2048]; /* the first complaint */
};

PRINTF_LIKE(2, 3) void verdict_fail(struct verdict *v, const char *format, ...);

/* The value of the query as asked. */
void compare_value(const struct test_case *c, const struct value *value, struct arena *a,
                   struct verdict *v);
/* Of a range query, only what is there at c->at_ms; was_scalar: the instant query was one. */
void compare_middle(const struct test_case *c, const struct value *value, bool was_scalar,
                    struct arena *a, struct verdict *v);
void compare_remarks(const struct test_case *c, const struct annotations *got, struct verdict *v);
/* An error that was expected, words and all. */
void compare_error(const struct test_case *c, struct str words, struct verdict *v);

/* The value, one line per series, for people. */
void print_value(const struct value *value, struct arena *a);

#endif
