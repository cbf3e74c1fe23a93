/* regex: Go's dialect and words over RE2, anchoring, expansion by Go's rules. */
#include "model/regex.h"

#include "tests/unit/suite.h"

static struct regex *compiled(const char *pattern)
{
    struct regex *re = NULL;
    struct error err;
    ck_assert_msg(regex_create(str_from(pattern), &re, &err) == OK, "%s: %s", pattern, err.text);
    return re;
}

static bool matches(const char *pattern, const char *text)
{
    struct regex *engine = compiled(pattern);
    struct regex *re;
    struct error err;
    ck_assert_int_eq(regex_create_matching(str_from(pattern), &re, &err), OK);
    bool result = regex_matches(re, str_from(text));
    ck_assert_msg(regex_matches(engine, str_from(text)) == result, "%s on %s", pattern, text);
    regex_destroy(engine);
    regex_destroy(re);
    return result;
}

static void refused(const char *pattern, const char *words)
{
    struct regex *re = NULL;
    struct error err;
    ck_assert_int_eq(regex_create(str_from(pattern), &re, &err), ERR_INVALID);
    ck_assert_str_eq(err.text, words);
    ck_assert_ptr_null(re);
    /* The same words about the pattern itself. */
    size_t shared = strlen("error parsing regexp: invalid ");
    ck_assert_int_eq(regex_create_matching(str_from(pattern), &re, &err), ERR_INVALID);
    ck_assert(strncmp(err.text, words, shared) == 0);
    ck_assert_ptr_null(re);
}

static void expands(const char *pattern, const char *text, const char *replacement,
                    const char *expected)
{
    struct regex *re = compiled(pattern);
    struct arena a;
    bool matched = false;
    struct str out = {0};
    arena_init(&a, HEAP_QUERY, 1 << 20);
    ck_assert_int_eq(
        regex_expand(re, str_from(text), str_from(replacement), &a, &matched, &out, NULL), OK);
    ck_assert(matched == (expected != NULL));
    if (expected)
        ck_assert_msg(str_equal(out, str_from(expected)), "%s: \"%.*s\"", replacement,
                      STR_ARG(out));
    arena_release(&a);
    regex_destroy(re);
}

START_TEST(the_whole_text_must_match)
{
    ck_assert(matches("node", "node"));
    ck_assert(!matches("node", "nodes"));
    ck_assert(!matches("a|b", "ab"));
    ck_assert(matches("", ""));
    ck_assert(!matches("", "x"));
    ck_assert(!matches("a", "a\n"));
}
END_TEST

START_TEST(a_dot_matches_newlines)
{
    ck_assert(matches("a.b", "a\nb"));
    ck_assert(matches(".*", "line\nline\n"));
    ck_assert(!matches("(?-s)a.b", "a\nb"));
}
END_TEST

START_TEST(go_syntax_is_understood)
{
    ck_assert(matches("(?i)NODE", "node"));
    ck_assert(matches("\\d+\\.\\d+", "12.5"));
    ck_assert(matches("[[:alpha:]]+", "abc"));
    ck_assert(matches("\\pL+", "caf\xC3\xA9"));
    ck_assert(matches(".", "\xE2\x82\xAC"));
    ck_assert(matches("(?P<x>a)(?<y>b)", "ab"));
    ck_assert(matches("[(?<z>]+", "(?<z>"));
    ck_assert(matches("[](?<z>]+", "]<"));
    ck_assert(matches("[^](?<z>]+", "abc"));
    ck_assert(matches("\\Q(?<z>\\C\\E", "(?<z>\\C"));
    ck_assert(matches("\\(?<a", "(<a"));
    ck_assert(matches("\\\\C", "\\C"));
}
END_TEST

START_TEST(wrapping_hides_some_mistakes_and_matching_does_not)
{
    struct regex *re = compiled("a)(b"); /* Prometheus wraps text around text; so do we */
    struct error err;
    ck_assert(regex_matches(re, STR("ab")));
    regex_destroy(re);
    ck_assert_int_eq(regex_create_matching(STR("a)(b"), &re, &err), ERR_INVALID);
}
END_TEST

START_TEST(bad_expressions_are_refused_in_gos_words)
{
    refused("(", "error parsing regexp: missing closing ): `^(?s:()$`");
    refused("a)", "error parsing regexp: unexpected ): `^(?s:a))$`");
    refused("[a", "error parsing regexp: missing closing ]: `[a)$`");
    refused("[b-a]", "error parsing regexp: invalid character class range: `b-a`");
    refused("[[:nope:]]", "error parsing regexp: invalid character class range: `[:nope:]`");
    refused("a**", "error parsing regexp: invalid nested repetition operator: `**`");
    refused("*a", "error parsing regexp: missing argument to repetition operator: `*`");
    refused("a{1001}", "error parsing regexp: invalid repeat count: `{1001}`");
    refused("\\C", "error parsing regexp: invalid escape sequence: `\\C`");
    refused("(a)\\1", "error parsing regexp: invalid escape sequence: `\\1`");
    refused("(?=a)", "error parsing regexp: invalid or unsupported Perl syntax: `(?=`");
    refused("(?<!a)b", "error parsing regexp: invalid or unsupported Perl syntax: `(?<`");
    refused("(?P<n", "error parsing regexp: invalid named capture: `(?P<n)$`");
    refused("\\p{Nope}", "error parsing regexp: invalid character class range: `\\p{Nope}`");
    refused("\xFF", "error parsing regexp: invalid UTF-8");
}
END_TEST

START_TEST(size_has_ceilings)
{
    static char dots[REGEX_PATTERN_BYTES_MAX + 1];
    struct regex *re = NULL;
    memset(dots, '.', sizeof(dots));
    ck_assert_int_eq(regex_create((struct str){dots, sizeof(dots)}, &re, NULL), ERR_TOO_LARGE);
    ck_assert_int_eq(regex_create(STR("\\pL{1000}"), &re, NULL), ERR_TOO_LARGE);
    ck_assert_ptr_null(re);
}
END_TEST

START_TEST(catastrophic_patterns_take_linear_time)
{
    char text[4096];
    memset(text, 'x', sizeof(text));
    struct regex *re = compiled("(x+x+)+y");
    ck_assert(!regex_matches(re, (struct str){text, sizeof(text)}));
    regex_destroy(re);
}
END_TEST

START_TEST(expansion_follows_go)
{
    expands("(.*):(.*)", "host:80", "$1", "host");
    expands("(.*):(.*)", "host:80", "${2}-$1", "80-host");
    expands("(.*):(.*)", "host:80", "$1x", ""); /* the name is 1x */
    expands("(.*):(.*)", "host:80", "${1}x", "hostx");
    expands("(.*):(.*)", "host:80", "$0", "host:80");
    expands("(.*):(.*)", "host:80", "$3", "");
    expands("(.*):(.*)", "host:80", "$01", ""); /* no leading zeros */
    expands("(.*):(.*)", "host:80", "$$1", "$1");
    expands("(.*):(.*)", "host:80", "a$", "a$");
    expands("(.*):(.*)", "host:80", "$-", "$-");
    expands("(.*):(.*)", "host:80", "${1", "${1");
    expands("(.*):(.*)", "host:80", "${}", "${}");
    expands("(.*):(.*)", "host:80", "$999999999999999", "");
    expands("(?P<h>.*):(?P<p_1>.*)", "host:80", "$h/${p_1}/$p", "host/80/");
    expands("(?<h>.*):.*", "host:80", "$h", "host");
    expands("(a)|b", "b", "[$1]", "[]");
    expands("(.*)", "x", "$1\xC3\xA9", ""); /* letters of any script belong to the name */
    expands("(.*)", "x", "${1}\xC3\xA9", "x\xC3\xA9");
    expands("", "", "new", "new");
    expands("a", "b", "$0", NULL);
}
END_TEST

START_TEST(expansion_is_bounded)
{
    struct regex *re = compiled("(.*)");
    struct arena a;
    bool matched;
    struct str out;
    char text[4096];
    memset(text, 'x', sizeof(text));
    arena_init(&a, HEAP_QUERY, 8192);
    ck_assert_int_eq(regex_expand(re, (struct str){text, sizeof(text)}, STR("$1$1$1$1$1"), &a,
                                  &matched, &out, NULL),
                     ERR_TOO_LARGE);
    arena_release(&a);
    regex_destroy(re);
}
END_TEST

SUITE(regex, the_whole_text_must_match, a_dot_matches_newlines, go_syntax_is_understood,
      wrapping_hides_some_mistakes_and_matching_does_not, bad_expressions_are_refused_in_gos_words,
      size_has_ceilings, catastrophic_patterns_take_linear_time, expansion_follows_go,
      expansion_is_bounded)
