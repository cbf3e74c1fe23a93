/*
 * parser: the cases of tests/data/promql, what the tree holds that the printed form does not show,
 * and its ceilings.
 */
#include "promql/parser.h"

#include "promql/functions.h"
#include "tests/unit/promql/parsing.h"

START_TEST(every_case_of_the_file)
{
    static struct cases c;
    int count = 0;

    cases_open(&c, PARSER_CASES);
    while (cases_next(&c)) {
        struct parsed p;
        struct str printed;
        parsed_init(&p, str_from(c.query));
        count++;
        if (c.ok) {
            ck_assert_msg(p.status == OK, "%s: %s", c.query, p.error.text);
            ck_assert_int_eq(ast_print(p.tree, &p.arena, &printed, NULL), OK);
            ck_assert_str_eq(printed.data, c.expected);
        } else {
            ck_assert_msg(p.status == ERR_INVALID, "%s: parses", c.query);
            ck_assert_str_eq(p.error.text, c.expected);
        }
        parsed_release(&p);
    }
    ck_assert_int_ge(count, 250);
}
END_TEST

START_TEST(the_matcher_of_the_name_comes_last)
{
    struct parsed p;
    parsed_init_ok(&p, "up{job=~\"a.*\"}");
    ck_assert_int_eq(p.tree->kind, AST_VECTOR_SELECTOR);
    ck_assert_uint_eq(p.tree->selector.matcher_count, 2);
    ck_assert_ptr_nonnull(p.tree->selector.matchers[0].regex);
    ck_assert(str_equal(p.tree->selector.matchers[1].name, LABEL_METRIC_NAME));
    ck_assert(str_equal(p.tree->selector.matchers[1].value, STR("up")));
    parsed_release(&p);
}
END_TEST

START_TEST(shifts_and_ranges_are_in_milliseconds)
{
    struct parsed p;
    parsed_init_ok(&p, "rate(up[1.5] @ 2.345 offset -5m)");
    const struct ast *matrix = p.tree->call.args[0];
    ck_assert_int_eq(matrix->kind, AST_MATRIX_SELECTOR);
    ck_assert_int_eq(matrix->matrix.range_ms, 1500);
    ck_assert_int_eq(matrix->matrix.selector->selector.shift.at, AT_TIMESTAMP);
    ck_assert_int_eq(matrix->matrix.selector->selector.shift.at_ms, 2345);
    ck_assert_int_eq(matrix->matrix.selector->selector.shift.offset_ms, -300000);
    parsed_release(&p);

    parsed_init_ok(&p, "sum(up)[1h:] @ end()");
    ck_assert_int_eq(p.tree->kind, AST_SUBQUERY);
    ck_assert_int_eq(p.tree->subquery.range_ms, 3600000);
    ck_assert_int_eq(p.tree->subquery.step_ms, 0);
    ck_assert_ptr_null(p.tree->subquery.step_expr);
    ck_assert_int_eq(p.tree->subquery.shift.at, AT_END);
    parsed_release(&p);
}
END_TEST

START_TEST(matching_labels_are_sorted_and_unique)
{
    struct parsed p;
    parsed_init_ok(&p, "a * on(z, b, z, a) group_left(q) b");
    const struct vector_matching *m = p.tree->binary.matching;
    ck_assert_int_eq(m->cardinality, CARD_MANY_TO_ONE);
    ck_assert(m->on);
    ck_assert_uint_eq(m->labels.count, 3);
    ck_assert(str_equal(m->labels.items[0], STR("a")));
    ck_assert(str_equal(m->labels.items[2], STR("z")));
    ck_assert_uint_eq(m->written.count, 4);
    ck_assert(str_equal(m->include.items[0], STR("q")));
    parsed_release(&p);
}
END_TEST

START_TEST(positions_are_bytes_of_the_query)
{
    struct parsed p;
    parsed_init_ok(&p, " sum by (x) (a) + rate(b[5m] offset 1m)");
    ck_assert_uint_eq(p.tree->position.start, 1);
    ck_assert_uint_eq(p.tree->position.end, 39);
    ck_assert_uint_eq(p.tree->binary.lhs->position.end, 15);
    ck_assert_uint_eq(p.tree->binary.rhs->position.start, 18);
    ck_assert_uint_eq(p.tree->binary.rhs->call.args[0]->position.start, 23);
    ck_assert_uint_eq(p.tree->binary.rhs->call.args[0]->position.end, 38);
    ck_assert_str_eq(p.tree->binary.rhs->call.function->name, "rate");
    parsed_release(&p);
}
END_TEST

/* Parse head, then `count` times item, then tail. */
static enum status parse_repeated(const char *head, const char *item, size_t count,
                                  const char *tail, struct parsed *p)
{
    char *data = NULL;
    size_t size = 0;
    FILE *text = open_memstream(&data, &size);

    ck_assert_ptr_nonnull(text);
    fputs(head, text);
    for (size_t i = 0; i < count; i++)
        fputs(item, text);
    fputs(tail, text);
    ck_assert_int_eq(fclose(text), 0);
    parsed_init(p, (struct str){.data = data, .size = size});
    enum status st = p->status;
    parsed_release(p);
    free(data);
    return st;
}

START_TEST(depth_is_bounded_in_every_direction)
{
    struct parsed p;
    ck_assert_int_eq(parse_repeated("a", "+a", AST_DEPTH_MAX - 1, "", &p), OK);
    ck_assert_int_eq(parse_repeated("a", "+a", AST_DEPTH_MAX, "", &p), ERR_INVALID);
    ck_assert_int_eq(parse_repeated("a", "+a", 10000, "", &p), ERR_INVALID);
    ck_assert_str_eq(p.error.text,
                     "1:1: parse error: expression is nested more than 1000 levels deep "
                     "(a chain of binary operators counts one level each)");
    ck_assert_int_eq(parse_repeated("1", "^1", 500, "", &p), OK);
    ck_assert_int_eq(parse_repeated("1", "^1", 100000, "", &p), ERR_INVALID);
    ck_assert_int_eq(parse_repeated("", "(", 100000, "a", &p), ERR_INVALID);
    ck_assert_int_eq(parse_repeated("", "-", 100000, "a", &p), ERR_INVALID);
    ck_assert_int_eq(parse_repeated("", "sum(", 100000, "a", &p), ERR_INVALID);
    ck_assert_int_eq(parse_repeated("", "abs(", 100000, "a", &p), ERR_INVALID);
    ck_assert_int_eq(parse_repeated("a", "[1m:]", 100000, "", &p), ERR_INVALID);
    ck_assert_int_eq(parse_repeated("a[", "(", 100000, "5m", &p), ERR_INVALID);
    ck_assert_int_eq(parse_repeated("a[", "-", 100000, "5m]", &p), ERR_INVALID);
    ck_assert_int_eq(parse_repeated("a[5m", "+5m", 100000, "]", &p), ERR_INVALID);
    ck_assert_int_eq(parse_repeated("a offset ", "-", 100000, "5m", &p), ERR_INVALID);
}
END_TEST

START_TEST(a_long_flat_query_is_no_problem)
{
    struct parsed p;
    ck_assert_int_eq(parse_repeated("{", "b=\"c\",", PARSE_MATCHERS_MAX, "}", &p), OK);
    ck_assert_int_eq(parse_repeated("sum by (", "b,", PARSE_NAMES_MAX, ") (a)", &p), OK);
    ck_assert_int_eq(parse_repeated("label_join(a, \"b\", \"c\"", ", \"d\"", 100000, ")", &p), OK);
    ck_assert_int_eq(parse_repeated("{", "b=\"c\",", 100000, "}", &p), ERR_INVALID);
    ck_assert_str_eq(p.error.text,
                     "1:6002: parse error: more than 1000 label matchers in one selector");
    ck_assert_int_eq(parse_repeated("sum by (", "b,", 100000, ") (a)", &p), ERR_INVALID);
    ck_assert_str_eq(p.error.text, "1:2009: parse error: more than 1000 label names in one list");
    ck_assert_int_eq(parse_repeated("a + on (", "b,", 100000, ") a", &p), ERR_INVALID);
    ck_assert_int_eq(parse_repeated("a + on () group_left (", "b,", 100000, ") a", &p),
                     ERR_INVALID);
    ck_assert_int_eq(parse_repeated("", " ", PARSE_TEXT_BYTES_MAX, "a", &p), ERR_INVALID);
    ck_assert_str_eq(p.error.text, "the query has 1048577 bytes, more than 1048576");
}
END_TEST

/* Every allocation fails in turn; nothing leaks (the sanitizer's business) and nothing crashes. */
START_TEST(without_memory_it_says_so)
{
    const char *query =
        "sum by (x, \"y\\n\") (rate(a{b=~\"c.*\",d!~\"e|f\"}[5m+step()] offset (1h))) "
        "* on(a, b) group_left(c) (label_join(g, \"\\t\", `h`, \"i\") + 1_000) or "
        "topk(3, j{\"k.l\"=\"m\"}[1h:1m] @ start())";
    const struct parse_options options = {.experimental_functions = true};
    enum status st = ERR_NO_MEMORY;

    for (uint64_t allowed = 0; st == ERR_NO_MEMORY; allowed++) {
        struct arena a;
        struct ast *tree = NULL;
        struct error err;
        arena_init(&a, HEAP_QUERY, 1 << 20);
        heap_fail_after(allowed);
        st = parse_expr(str_from(query), &options, &a, &tree, &err);
        heap_fail_after(UINT64_MAX);
        ck_assert_msg(st == ERR_NO_MEMORY || st == ERR_INVALID, "%s", err.text);
        arena_release(&a);
    }
    ck_assert_int_eq(st, ERR_INVALID); /* topk of a range vector: the last thing to be found */
}
END_TEST

START_TEST(the_ceiling_of_the_arena_is_an_error)
{
    const struct parse_options options = {.experimental_functions = false};
    struct str query = STR("a{b=~\"c.*\"} + d{e=~\"f.*\"} + rate(g[5m]) + h + i + j + k + l + m");
    struct ast *tree;
    struct error err;
    bool refused = false;

    for (uint64_t ceiling = 0; ceiling < 1 << 16; ceiling += 512) {
        struct arena a;
        arena_init(&a, HEAP_QUERY, ceiling);
        enum status st = parse_expr(query, &options, &a, &tree, &err);
        ck_assert_msg(st == OK || st == ERR_TOO_LARGE, "%s", err.text);
        if (st) refused = true;
        if (!st) ast_release(tree);
        arena_release(&a);
    }
    ck_assert(refused);
}
END_TEST

static enum status select_only(const char *text, size_t *count, struct error *err)
{
    struct matcher *matchers;
    struct arena a;
    enum status st;

    arena_init(&a, HEAP_QUERY, 1 << 20);
    st = parse_selector(str_from(text), &a, &matchers, count, err);
    for (size_t i = 0; !st && i < *count; i++)
        matcher_release(&matchers[i]);
    arena_release(&a);
    return st;
}

START_TEST(a_selector_alone_is_for_match_parameters)
{
    struct error err;
    size_t count;

    ck_assert_int_eq(select_only("up{job=~\"a|b\",x=\"\"}", &count, &err), OK);
    ck_assert_uint_eq(count, 3);
    ck_assert_int_eq(select_only(" {\"my.metric\"} ", &count, &err), OK);
    ck_assert_uint_eq(count, 1);
    ck_assert_int_eq(select_only("sum", &count, &err), OK);
    ck_assert_int_eq(select_only("{x=~\".*\"}", &count, &err), ERR_INVALID);
    ck_assert_str_eq(err.text, "match[] must contain at least one non-empty matcher");
    ck_assert_int_eq(select_only("{}", &count, &err), ERR_INVALID);
    ck_assert_int_eq(select_only("", &count, &err), ERR_INVALID);
    ck_assert_str_eq(err.text, "unknown position: parse error: unexpected end of input");
    ck_assert_int_eq(select_only("up[5m]", &count, &err), ERR_INVALID);
    ck_assert_str_eq(err.text, "1:3: parse error: unexpected \"[\"");
    ck_assert_int_eq(select_only("up{a=~\"b\"} offset 5m", &count, &err), ERR_INVALID);
    ck_assert_int_eq(select_only("sum(up)", &count, &err), ERR_INVALID);
    ck_assert_int_eq(select_only("1", &count, &err), ERR_INVALID);
}
END_TEST

SUITE(parser, every_case_of_the_file, the_matcher_of_the_name_comes_last,
      shifts_and_ranges_are_in_milliseconds, matching_labels_are_sorted_and_unique,
      positions_are_bytes_of_the_query, depth_is_bounded_in_every_direction,
      a_long_flat_query_is_no_problem, without_memory_it_says_so,
      the_ceiling_of_the_arena_is_an_error, a_selector_alone_is_for_match_parameters)
