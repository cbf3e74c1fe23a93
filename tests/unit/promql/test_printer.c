/* printer: what it prints parses to what it prints, for the cases of the file and for random
 * trees; labels and names in quotes exactly when they need them. */
#include "promql/printer.h"

#include "tests/unit/promql/parsing.h"

/* The printed form, on p's arena. */
static struct str print_again(struct parsed *p)
{
    struct str printed;
    ck_assert_int_eq(ast_print(p->tree, &p->arena, &printed, NULL), OK);
    return printed;
}

static void assert_fixed_point(const char *query)
{
    struct parsed first;
    struct parsed second;
    struct str once;
    struct str twice;

    parsed_init(&first, str_from(query));
    if (first.status == OK) {
        once = print_again(&first);
        parsed_init(&second, once);
        ck_assert_msg(second.status == OK, "%s, printed as %s: %s", query, once.data,
                      second.error.text);
        twice = print_again(&second);
        ck_assert_str_eq(twice.data, once.data);
        parsed_release(&second);
    }
    parsed_release(&first);
}

START_TEST(the_printed_form_is_its_own_printed_form)
{
    static struct cases c;
    cases_open(&c, PARSER_CASES);
    while (cases_next(&c))
        if (c.ok) assert_fixed_point(c.query);
}
END_TEST

/* Found by fuzzing. */
START_TEST(an_offset_that_began_with_two_signs_is_read_again)
{
    assert_fixed_point("foo[5m] offset --6--(+6)");
    assert_fixed_point("foo offset --6s*2 + 1");
}
END_TEST

static void assert_formatted(const char *query, size_t line_bytes, const char *expected)
{
    struct parsed p;
    struct str printed;
    parsed_init(&p, str_from(query));
    ck_assert_msg(p.status == OK, "%s", p.error.text);
    ck_assert_int_eq(ast_prettify(p.tree, line_bytes, &p.arena, &printed, NULL), OK);
    ck_assert_str_eq(printed.data, expected);
    parsed_release(&p);
}

START_TEST(what_is_long_is_split_into_lines)
{
    assert_formatted("sum(foo)  by(a)", 16, "sum by (a) (foo)");
    assert_formatted("sum(foo)  by(a)", 15, "sum by (a) (\n  foo\n)");
    assert_formatted("topk(5, abcdefgh)", 10, "topk(\n  5,\n  abcdefgh\n)");
    assert_formatted("a+b", 4, "  a\n+\n  b");
    assert_formatted("a + on(x) group_left(y) b * c", 10, "  a\n+ on (x) group_left (y)\n  b * c");
    assert_formatted("-(abc + def)", 6, "-(\n    abc\n  +\n    def\n)");
    assert_formatted("clamp(abc, 1, 2)", 10, "clamp(\n  abc,\n  1,\n  2\n)");
    assert_formatted("year(abcdef)[5m:1m] offset 1m", 10, "year(\n  abcdef\n)[5m:1m] offset 1m");
    assert_formatted("(a[1m:])", 6, "(\na[1m:]\n)");
    assert_formatted("(a[1m:])", 5, "(\n  a[1m:]\n)");
    assert_formatted("a_selector_that_cannot_be_split", 3, "a_selector_that_cannot_be_split");
    assert_formatted("absent(((abcdef)))", 12, "absent(\n  ((abcdef))\n)");
}
END_TEST

/* ---- Random queries ---- */

static unsigned seed = 20261121;

static const char *pick(const char *const *from, size_t count)
{
    return from[(size_t)rand_r(&seed) % count];
}

#define PICK(...)                                                                                  \
    pick((const char *const[]){__VA_ARGS__},                                                       \
         sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static void generate(FILE *out, int depth);

static void generate_pair(FILE *out, const char *before, const char *between, int depth)
{
    fputs(before, out);
    generate(out, depth - 1);
    fputs(between, out);
    generate(out, depth - 1);
    fputs(")", out);
}

/* Queries of every kind; many have type errors and are passed over. */
static void generate(FILE *out, int depth)
{
    const char *between;

    switch (depth > 0 ? rand_r(&seed) % 8 : 0) {
    case 1:
        between = PICK(" + ", "/", " ^ ", " > bool ", " and ", "* on(a) group_left ",
                       " - ignoring(\"x.y\", b) ", " or on() ", "<", " atan2 ");
        generate_pair(out, "(", between, depth);
        break;
    case 2:
        fputs(PICK("-", "+", "- -"), out);
        generate(out, depth - 1);
        break;
    case 3: generate_pair(out, PICK("topk(", "quantile by (a) ("), ", ", depth); break;
    case 4:
        fputs(PICK("sum(", "avg without (b, \"c d\") (", "abs(", "rate(", "absent("), out);
        generate(out, depth - 1);
        fputs(")", out);
        break;
    case 5:
        fputs("a{b!=\"c\"}", out);
        fputs(PICK("[5m]", "[2*step()]", "[1h:]", "[90s:(1m+range())]"), out);
        break;
    case 6: generate_pair(out, "clamp_max(", ", ", depth); break;
    case 7:
        generate(out, depth - 1);
        fputs(PICK(" offset 5m", " offset -(1h / 2)", " @ 12.5", " @ end() offset 90"), out);
        break;
    default:
        fputs(PICK("a", "{\"b c\",d=~\"e\\n.*\"}", "1e-9", "1h30m", "0x10", "'s\"t'", "NaN",
                   "sum{x=\"\\xff\"}"),
              out);
    }
}

START_TEST(random_trees_come_back_the_same)
{
    printf("seed %u\n", seed);
    for (int round = 0; round < 3000; round++) {
        char query[8192];
        FILE *out = fmemopen(query, sizeof(query), "w");
        generate(out, 1 + round % 5);
        (void)fclose(out);
        assert_fixed_point(query);
    }
}
END_TEST

START_TEST(types_have_the_words_of_messages)
{
    ck_assert_str_eq(value_type_words(VALUE_VECTOR), "instant vector");
    ck_assert_str_eq(value_type_words(VALUE_MATRIX), "range vector");
    ck_assert_str_eq(value_type_words(VALUE_SCALAR), "scalar");
    ck_assert_str_eq(value_type_words(VALUE_STRING), "string");
    ck_assert_str_eq(value_type_words(VALUE_NONE), "none");
}
END_TEST

START_TEST(without_memory_it_says_so)
{
    struct parsed p;
    struct str printed;
    struct error err;
    enum status st = ERR_NO_MEMORY;

    parsed_init_ok(&p, "sum by (x) (rate(a{b=~\"c.*\",d!=\"e\"}[5m])) + on(f) g");
    for (uint64_t allowed = 0; st == ERR_NO_MEMORY; allowed++) {
        heap_fail_after(allowed);
        st = ast_print(p.tree, &p.arena, &printed, &err);
        heap_fail_after(UINT64_MAX);
    }
    ck_assert_int_eq(st, OK);
    parsed_release(&p);
}
END_TEST

SUITE(printer, an_offset_that_began_with_two_signs_is_read_again, what_is_long_is_split_into_lines,
      the_printed_form_is_its_own_printed_form, random_trees_come_back_the_same,
      types_have_the_words_of_messages, without_memory_it_says_so)
