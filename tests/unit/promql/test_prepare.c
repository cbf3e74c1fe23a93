/* prepare: what is marked as the same at every step, and what becomes a number. */
#include "promql/prepare.h"

#include "promql/functions.h"
#include "promql/parser.h"
#include "tests/unit/promql/asking.h"

static struct arena arena;

static struct ast *prepared(const char *text)
{
    struct parse_options options = {.experimental_functions = true};
    struct prepare_times times = {.start_ms = 10000, .end_ms = 40000, .step_ms = 5000};
    struct ast *tree;
    struct error err;
    ck_assert_msg(!parse_expr(str_from(text), &options, &arena, &tree, &err), "%s", err.text);
    ck_assert_int_eq(prepare_tree(&tree, &times, &arena, &err), OK);
    return tree;
}

static bool is_marked(const char *text)
{
    struct ast *tree = prepared(text);
    bool marked = tree->kind == AST_STEP_INVARIANT;
    ast_release(tree);
    return marked;
}

START_TEST(what_does_not_depend_on_the_step_is_marked_whole)
{
    arena_init(&arena, HEAP_QUERY, UINT64_MAX);
    ck_assert(is_marked("m @ 1"));
    ck_assert(is_marked("sum(rate(m[5m] @ end()))"));
    ck_assert(is_marked("1 + 1"));
    ck_assert(is_marked("-m @ 1"));
    ck_assert(is_marked("topk(3, m @ 1)"));
    ck_assert(is_marked("timestamp(m @ 1)"));
    ck_assert(is_marked("sum_over_time(m[1m:10s] @ 1)"));
    arena_release(&arena);
}
END_TEST

START_TEST(what_depends_on_the_step_is_not)
{
    arena_init(&arena, HEAP_QUERY, UINT64_MAX);
    ck_assert(!is_marked("m"));
    ck_assert(!is_marked("1"));
    ck_assert(!is_marked("time()"));
    ck_assert(!is_marked("m[5m] @ 1"));
    ck_assert(!is_marked("predict_linear(m[5m] @ 1, 1)"));
    ck_assert(!is_marked("timestamp(abs(m @ 1))"));
    ck_assert(!is_marked("hour()"));
    ck_assert(!is_marked("topk(scalar(n), m @ 1)"));
    arena_release(&arena);
}
END_TEST

START_TEST(parts_are_marked_on_their_own)
{
    arena_init(&arena, HEAP_QUERY, UINT64_MAX);
    struct ast *tree = prepared("m + n @ 1");
    ck_assert_int_eq(tree->kind, AST_BINARY);
    ck_assert_int_eq(tree->binary.lhs->kind, AST_VECTOR_SELECTOR);
    ck_assert_int_eq(tree->binary.rhs->kind, AST_STEP_INVARIANT);
    ck_assert_int_eq(tree->binary.rhs->type, VALUE_VECTOR);
    ast_release(tree);
    tree = prepared("predict_linear(m[5m] @ 1, scalar(n @ 1))");
    ck_assert_int_eq(tree->call.args[0]->kind, AST_MATRIX_SELECTOR);
    ck_assert_int_eq(tree->call.args[1]->kind, AST_STEP_INVARIANT);
    ast_release(tree);
    tree = prepared("sum_over_time((m @ 1)[1m:10s])");
    ck_assert_int_eq(tree->call.args[0]->subquery.expr->kind, AST_STEP_INVARIANT);
    ast_release(tree);
    arena_release(&arena);
}
END_TEST

START_TEST(start_and_end_become_times)
{
    arena_init(&arena, HEAP_QUERY, UINT64_MAX);
    struct ast *tree = prepared("m @ start() + m @ end()");
    struct ast *sum = tree->inner;
    ck_assert_int_eq(sum->binary.lhs->selector.shift.at, AT_TIMESTAMP);
    ck_assert_int_eq(sum->binary.lhs->selector.shift.at_ms, 10000);
    ck_assert_int_eq(sum->binary.rhs->selector.shift.at_ms, 40000);
    ast_release(tree);
    arena_release(&arena);
}
END_TEST

START_TEST(the_times_of_the_query_become_numbers)
{
    static const struct {
        const char *text;
        double v;
    } cases[] = {{"start()", 10}, {"end()", 40}, {"range()", 30}, {"step()", 5}};
    arena_init(&arena, HEAP_QUERY, UINT64_MAX);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct ast *tree = prepared(cases[i].text);
        ck_assert_int_eq(tree->kind, AST_NUMBER);
        ck_assert_double_eq(tree->number.value, cases[i].v);
        ast_release(tree);
    }
    arena_release(&arena);
}
END_TEST

SUITE(prepare, what_does_not_depend_on_the_step_is_marked_whole, what_depends_on_the_step_is_not,
      parts_are_marked_on_their_own, start_and_end_become_times,
      the_times_of_the_query_become_numbers)
