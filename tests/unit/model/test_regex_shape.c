/* regex_shape: which patterns are recognised, and that they match what the engine matches. */
#include "model/regex_shape.h"

#include "alloc/buf.h"
#include "base/compiler.h"
#include "model/regex.h"
#include "tests/unit/suite.h"

static enum regex_form form_of(const char *pattern)
{
    struct regex_shape shape;
    ck_assert_int_eq(regex_shape_init(&shape, str_from(pattern), NULL), OK);
    enum regex_form form = shape.form;
    regex_shape_release(&shape);
    return form;
}

START_TEST(lists_of_literals_are_sorted_and_unique)
{
    struct regex *re;
    size_t count = 0;
    ck_assert_int_eq(regex_create_matching(STR("(node\\.b|a:1||node\\.b)"), &re, NULL), OK);
    const struct str *literals = regex_literals(re, &count);
    ck_assert_uint_eq(count, 3);
    ck_assert(str_equal(literals[0], STR("")));
    ck_assert(str_equal(literals[1], STR("a:1")));
    ck_assert(str_equal(literals[2], STR("node.b")));
    regex_destroy(re);
    ck_assert_int_eq(regex_create_matching(STR("a.*"), &re, NULL), OK);
    ck_assert_ptr_null(regex_literals(re, &count));
    regex_destroy(re);
}
END_TEST

START_TEST(groups_and_classes_are_multiplied_out)
{
    static const char *const expected[] = {"a-0x", "a-0y", "a-1x", "a-1y",
                                           "b0x",  "b0y",  "b1x",  "b1y"};
    struct regex *re;
    size_t count = 0;
    ck_assert_int_eq(regex_create_matching(STR("(?:a-|b)[01](x|y)"), &re, NULL), OK);
    const struct str *literals = regex_literals(re, &count);
    ck_assert_uint_eq(count, ARRAY_COUNT(expected));
    for (size_t i = 0; i < count; i++)
        ck_assert(str_equal(literals[i], str_from(expected[i])));
    regex_destroy(re);
    ck_assert_int_eq(form_of("[0-9][0-9]"), REGEX_LITERALS);
    ck_assert_int_eq(form_of("[0-9][0-9][0-9]"), REGEX_OTHER); /* too many to be worth it */
}
END_TEST

START_TEST(lists_may_be_long)
{
    struct buf pattern;
    struct regex *re;
    size_t count = 0;
    buf_init(&pattern, HEAP_QUERY, REGEX_PATTERN_BYTES_MAX);
    for (int i = 0; i < 9000; i++)
        buf_printf(&pattern, "%s%d", i ? "|" : "", i);
    struct str text = {.data = (const char *)pattern.data, .size = pattern.size};
    ck_assert_int_eq(regex_create_matching(text, &re, NULL), OK);
    ck_assert_ptr_nonnull(regex_literals(re, &count));
    ck_assert_uint_eq(count, 9000);
    ck_assert(regex_matches(re, STR("8999")) && !regex_matches(re, STR("9000")));
    regex_destroy(re);
    buf_release(&pattern);
}
END_TEST

START_TEST(simple_forms_are_recognised)
{
    static const char *const literals[] = {
        "",      "a",   "a|b",    "(a|b)",  "()",    "caf\xC3\xA9|\\-", "|",          "^a",
        "a$",    "^a$", "^a|b$",  "(a)b",   "a(b)",  "(a)|(b)",         "((a))",      "(?:a)",
        "a|(b)", "[a]", "(a|b)c", "[a-c]x", "x[_-]", "a(|b)",           "(a|(b|c)d)e"};
    static const char *const around[] = {
        ".*",    ".+",      "a.*",   "a.+",     ".*a",         ".+a",    ".*a.*",   ".+a.+",
        "(.*)",  "(a.*)",   "a|b.*", ".*|a",    ".*a|b",       "\\.a.*", "(a|b).*", ".*(a|b)",
        "^a.*$", "(a.*|b)", "a(.*)", "a(.+|b)", "(.*|a)(b|c)", "[ab].*"};
    for (size_t i = 0; i < sizeof(literals) / sizeof(literals[0]); i++)
        ck_assert_msg(form_of(literals[i]) == REGEX_LITERALS, "%s", literals[i]);
    for (size_t i = 0; i < sizeof(around) / sizeof(around[0]); i++)
        ck_assert_msg(form_of(around[i]) == REGEX_AROUND, "%s", around[i]);
}
END_TEST

START_TEST(everything_else_is_left_to_the_engine)
{
    static const char *const others[] = {".",
                                         "a.b",
                                         "a*",
                                         "ab+",
                                         "a?",
                                         "a{2}",
                                         "[^a]",
                                         "(^a)",
                                         "(a$)",
                                         "[]a]",
                                         "\\d",
                                         "\\n",
                                         "(?i)a",
                                         ".*.*",
                                         ".*.+",
                                         ".**",
                                         ".*?",
                                         ".*?a",
                                         "a.*?",
                                         "a.*b",
                                         "a|b*",
                                         "a\\",
                                         "\\Qa",
                                         "a.",
                                         ".a",
                                         "(",
                                         "\\pL",
                                         "(a|b)*",
                                         "a$b",
                                         "[a-\\d]",
                                         "[a]+",
                                         "^*a",
                                         "a^b",
                                         "[b-a]",
                                         "[",
                                         "(a))",
                                         "((((((((((((((((((a))))))))))))))))))"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        ck_assert_msg(form_of(others[i]) == REGEX_OTHER, "%s", others[i]);
}
END_TEST

/* Whether the engine itself matches: expansion never takes the short way. */
static bool engine_matches(const struct regex *re, struct str text)
{
    struct arena a;
    struct str out;
    bool matched = false;
    arena_init(&a, HEAP_QUERY, 1 << 16);
    ck_assert_int_eq(regex_expand(re, text, STR(""), &a, &matched, &out, NULL), OK);
    arena_release(&a);
    return matched;
}

/* A text of up to count - 1 random pieces. */
static void compose(struct buf *out, unsigned *seed, int count, const char *const *pieces,
                    unsigned piece_count)
{
    buf_reset(out);
    *seed = *seed * 1664525u + 1013904223u;
    for (int n = (int)(*seed >> 16) % count; n > 0; n--) {
        *seed = *seed * 1664525u + 1013904223u;
        buf_append_str(out, str_from(pieces[(*seed >> 16) % piece_count]));
    }
}

static struct str view(const struct buf *b)
{
    return (struct str){.data = (const char *)b->data, .size = b->size};
}

START_TEST(random_patterns_match_as_the_engine_does)
{
    static const char *const pieces[] = {"a",   "b", "ab",   "|",   ".*",       ".+",
                                         "\\.", "(", ")",    "^",   "\xC3\xA9", "(a",
                                         "|b)", "$", "[ab]", "[a-", "-]"};
    static const char *const letters[] = {"a", "b", ".", "\n", "\xC3\xA9", "-"};
    unsigned seed = 3;
    int recognised = 0;
    struct buf pattern;
    struct buf text;
    buf_init(&pattern, HEAP_QUERY, 1024);
    buf_init(&text, HEAP_QUERY, 1024);
    for (int i = 0; i < 12000; i++) {
        struct regex *re;
        struct regex_shape shape;
        compose(&pattern, &seed, 8, pieces, sizeof(pieces) / sizeof(pieces[0]));
        ck_assert_int_eq(regex_shape_init(&shape, view(&pattern), NULL), OK);
        if (shape.form == REGEX_OTHER) continue;
        recognised++;
        ck_assert_msg(regex_create(view(&pattern), &re, NULL) == OK, "%.*s is no expression",
                      STR_ARG(view(&pattern)));
        for (int t = 0; t < 20; t++) {
            compose(&text, &seed, 5, letters, sizeof(letters) / sizeof(letters[0]));
            bool matched = regex_shape_matches(&shape, view(&text));
            if (matched != engine_matches(re, view(&text)))
                ck_abort_msg("%.*s on %.*s", STR_ARG(view(&pattern)), STR_ARG(view(&text)));
        }
        regex_shape_release(&shape);
        regex_destroy(re);
    }
    buf_release(&pattern);
    buf_release(&text);
    ck_assert_int_gt(recognised, 1000);
}
END_TEST

START_TEST(no_memory_is_an_error)
{
    struct regex_shape shape;
    heap_fail_after(0);
    ck_assert_int_eq(regex_shape_init(&shape, STR("a|b"), NULL), ERR_NO_MEMORY);
    heap_fail_after(UINT64_MAX);
}
END_TEST

SUITE(regex_shape, lists_of_literals_are_sorted_and_unique, groups_and_classes_are_multiplied_out,
      lists_may_be_long, simple_forms_are_recognised, everything_else_is_left_to_the_engine,
      random_patterns_match_as_the_engine_does, no_memory_is_an_error)
