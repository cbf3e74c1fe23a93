/* ast_json: each kind of node in the form of Prometheus' parse_query, and trees of any depth. */
#include "server/ast_json.h"

#include "promql/parser.h"
#include "tests/unit/suite.h"

static struct arena arena;
static struct buf out;

/* The tree of a query as JSON. */
static const char *json_of(const char *query)
{
    const struct parse_options options = {
        .experimental_functions = true, .extended_range_selectors = true, .fill_modifiers = true};
    struct ast *tree;
    struct error err;
    arena_init(&arena, HEAP_QUERY, UINT64_MAX);
    buf_init(&out, HEAP_HTTP, 1 << 20);
    enum status st = parse_expr(str_from(query), &options, &arena, &tree, &err);
    ck_assert_msg(st == OK, "%s: %s", query, err.text);
    ast_json_write(&out, tree);
    buf_append_byte(&out, '\0');
    ck_assert_int_eq(out.refused, OK);
    ast_release(tree);
    return (const char *)out.data;
}

static void expect_json(const char *query, const char *expected)
{
    ck_assert_str_eq(json_of(query), expected);
    buf_release(&out);
    arena_release(&arena);
}

#define PLAIN(name)                                                                                \
    "{\"anchored\":false,\"matchers\":[{\"name\":\"__name__\",\"type\":\"=\",\"value\":\"" name    \
    "\"}],\"name\":\"" name "\",\"offset\":0,\"offsetExpr\":null,\"smoothed\":false,"              \
    "\"startOrEnd\":null,\"timestamp\":null,\"type\":\"vectorSelector\"}"

START_TEST(selectors)
{
    expect_json("foo", PLAIN("foo"));
    expect_json(
        "{\"a b\",x!~\"\\\"<\"} offset -5m @ 1.5",
        "{\"anchored\":false,\"matchers\":[{\"name\":\"__name__\",\"type\":\"=\",\"value\":"
        "\"a b\"},{\"name\":\"x\",\"type\":\"!~\",\"value\":\"\\\"\\u003c\"}],\"name\":\"\","
        "\"offset\":-300000,\"offsetExpr\":null,\"smoothed\":false,\"startOrEnd\":null,"
        "\"timestamp\":1500,\"type\":\"vectorSelector\"}");
    expect_json("foo[1m] anchored @ start()",
                "{\"anchored\":true,\"matchers\":[{\"name\":\"__name__\",\"type\":\"=\",\"value\":"
                "\"foo\"}],\"name\":\"foo\",\"offset\":0,\"offsetExpr\":null,\"range\":60000,"
                "\"rangeExpr\":null,\"smoothed\":false,\"startOrEnd\":\"start\",\"timestamp\":null,"
                "\"type\":\"matrixSelector\"}");
    expect_json(
        "foo[(1m)*step():] @ end()",
        "{\"expr\":" PLAIN(
            "foo") ",\"offset\":0,\"offsetExpr\":null,\"range\":0,"
                   "\"rangeExpr\":{\"lhs\":{\"lhs\":null,\"op\":\"+\",\"rhs\":{\"duration\":true,"
                   "\"type\":\"numberLiteral\",\"val\":\"60\"},\"type\":\"durationExpr\","
                   "\"wrapped\":"
                   "true},\"op\":\"*\",\"rhs\":{\"lhs\":null,\"op\":\"step\",\"rhs\":null,\"type\":"
                   "\"durationExpr\",\"wrapped\":false},\"type\":\"durationExpr\",\"wrapped\":"
                   "false},"
                   "\"startOrEnd\":\"end\",\"step\":0,\"stepExpr\":null,\"timestamp\":null,"
                   "\"type\":"
                   "\"subquery\"}");
}
END_TEST

START_TEST(literals_and_signs)
{
    expect_json("1e3", "{\"type\":\"numberLiteral\",\"val\":\"1000\"}");
    expect_json("-Inf", "{\"type\":\"numberLiteral\",\"val\":\"-Inf\"}");
    expect_json("\"x\\n\"", "{\"type\":\"stringLiteral\",\"val\":\"x\\n\"}");
    expect_json("-(2)", "{\"expr\":{\"expr\":{\"type\":\"numberLiteral\",\"val\":\"2\"},\"type\":"
                        "\"parenExpr\"},\"op\":\"-\",\"type\":\"unaryExpr\"}");
}
END_TEST

START_TEST(calls_and_operators)
{
    expect_json("round(a, 2)",
                "{\"args\":[" PLAIN("a") ",{\"type\":\"numberLiteral\",\"val\":\"2\"}],\"func\":{"
                                         "\"argTypes\":[\"vector\",\"scalar\"],\"name\":\"round\","
                                         "\"returnType\":\"vector\","
                                         "\"variadic\":1},\"type\":\"call\"}");
    expect_json("time()", "{\"args\":[],\"func\":{\"argTypes\":[],\"name\":\"time\",\"returnType\":"
                          "\"scalar\",\"variadic\":0},\"type\":\"call\"}");
    expect_json(
        "topk without (x) (1, a)",
        "{\"expr\":" PLAIN(
            "a") ",\"grouping\":[\"x\"],\"op\":\"topk\",\"param\":{\"type\":"
                 "\"numberLiteral\",\"val\":\"1\"},\"type\":\"aggregation\",\"without\":true}");
    expect_json("1 == bool 2", "{\"bool\":true,\"lhs\":{\"type\":\"numberLiteral\",\"val\":\"1\"},"
                               "\"matching\":null,\"op\":\"==\",\"rhs\":{\"type\":"
                               "\"numberLiteral\",\"val\":\"2\"},\"type\":\"binaryExpr\"}");
    expect_json(
        "a / on (y, x) group_left (z) fill_left (2.5) b",
        "{\"bool\":false,\"lhs\":" PLAIN(
            "a") ",\"matching\":{\"card\":\"many-to-one\","
                 "\"fillValues\":{\"lhs\":2.5,\"rhs\":null},\"include\":[\"z\"],\"labels\":[\"y\","
                 "\"x\"],\"on\":true},\"op\":\"/\",\"rhs\":" PLAIN(
                     "b") ",\"type\":\"binaryExpr\"}");
    expect_json("a and b",
                "{\"bool\":false,\"lhs\":" PLAIN(
                    "a") ",\"matching\":{\"card\":"
                         "\"many-to-many\",\"fillValues\":{\"lhs\":null,\"rhs\":null},"
                         "\"include\":[],\"labels\":[],\"on\":false},\"op\":\"and\",\"rhs\":" PLAIN(
                             "b") ",\"type\":\"binaryExpr\"}");
}
END_TEST

/* Deeper than the JSON writer counts, which is a bug in it to ask for. */
START_TEST(a_tree_of_any_depth_is_written)
{
    enum { LEVELS = AST_DEPTH_MAX - 1 };
    char query[2 * LEVELS + 2];
    memset(query, '(', LEVELS);
    query[LEVELS] = '1';
    memset(query + LEVELS + 1, ')', LEVELS);
    query[sizeof(query) - 1] = '\0';
    const char *json = json_of(query);
    size_t seen = 0;
    for (const char *at = json; (at = strstr(at, "\"parenExpr\"}")) != NULL; at++)
        seen++;
    ck_assert_uint_eq(seen, LEVELS);
    buf_release(&out);
    arena_release(&arena);
}
END_TEST

SUITE(ast_json, selectors, literals_and_signs, calls_and_operators, a_tree_of_any_depth_is_written)
