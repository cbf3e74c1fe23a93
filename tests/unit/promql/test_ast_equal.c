/* ast_equal: whatever is written differently and means another thing makes trees differ. */
#include "tests/unit/promql/parsing.h"

static const char *const different[] = {
    "m",
    "n",
    "m{a=\"1\"}",
    "m{a!=\"1\"}",
    "m{a=~\"1\"}",
    "m{a=\"2\"}",
    "m{b=\"1\"}",
    "m{a=\"1\",b=\"1\"}",
    "m offset 1m",
    "m offset -1m",
    "m @ 1",
    "m @ 2",
    "m @ start()",
    "m[1m]",
    "m[2m]",
    "m[1m] offset 1m",
    "m[1m:]",
    "m[1m:1s]",
    "m[2m:1s]",
    "m[1m:1s] @ 1",
    "rate(m[1m])",
    "increase(m[1m])",
    "rate(m[1m:1s])",
    "clamp(m, 1, 2)",
    "clamp(m, 1, 3)",
    "label_replace(m, \"a\", \"b\", \"c\", \"d\")",
    "label_replace(m, \"a\", \"b\", \"c\", \"e\")",
    "-m",
    "sum(m)",
    "sum by (a) (m)",
    "sum by (a, b) (m)",
    "sum without (a) (m)",
    "max(m)",
    "topk(1, m)",
    "topk(2, m)",
    "quantile(1, m)",
    "m + n",
    "m - n",
    "n + m",
    "m + on () n",
    "m + on (a) n",
    "m + ignoring (a) n",
    "m + on (a) group_left n",
    "m + on (a) group_left (b) n",
    "m + on (a) group_right n",
    "m > n",
    "m > bool n",
    "m > 1",
    "1",
    "-1",
    "0",
    "\"text\"",
    "time()",
};

START_TEST(different_trees_differ)
{
    for (size_t i = 0; i < ARRAY_COUNT(different); i++) {
        struct parsed a;
        parsed_init_ok(&a, different[i]);
        for (size_t k = 0; k < ARRAY_COUNT(different); k++) {
            struct parsed b;
            parsed_init_ok(&b, different[k]);
            ck_assert_msg(ast_equal(a.tree, b.tree) == (i == k), "%s, %s", different[i],
                          different[k]);
            parsed_release(&b);
        }
        parsed_release(&a);
    }
}
END_TEST

START_TEST(spelling_makes_no_difference)
{
    static const char *const pairs[][2] = {
        {"rate(m[5m])", " rate ( ((m[300s])) )"},
        {"sum(m) by (a)", "sum by (a) ((m))"},
        {"m + n", "(m) + ignoring () (n)"},
        {"{__name__=\"m\"}", "m"},
        {"m offset 0s", "m"},
        {"0x10", "16"},
        {"'text'", "\"text\""},
    };
    for (size_t i = 0; i < ARRAY_COUNT(pairs); i++) {
        struct parsed a;
        struct parsed b;
        parsed_init_ok(&a, pairs[i][0]);
        parsed_init_ok(&b, pairs[i][1]);
        ck_assert_msg(ast_equal(a.tree, b.tree), "%s, %s", pairs[i][0], pairs[i][1]);
        parsed_release(&a);
        parsed_release(&b);
    }
}
END_TEST

SUITE(ast_equal, different_trees_differ, spelling_makes_no_difference)
