/* form: Go's rules for query strings and bodies. */
#include "wire/form.h"

#include "tests/unit/suite.h"

static struct arena arena;
static struct form form;

static void begin(void)
{
    arena_init(&arena, HEAP_HTTP, 4 << 20);
    form = (struct form){0};
}

static void parse(const char *text)
{
    struct error err;
    ck_assert_msg(form_parse(&form, str_from(text), &arena, &err) == OK, "%s", err.text);
}

static void refused(const char *text, const char *words)
{
    struct error err;
    begin();
    ck_assert_int_eq(form_parse(&form, str_from(text), &arena, &err), ERR_INVALID);
    ck_assert_str_eq(err.text, words);
    arena_release(&arena);
}

static void is_text(struct str text, const char *expected)
{
    ck_assert_msg(str_equal(text, str_from(expected)), "%.*s, not %s", STR_ARG(text), expected);
}

START_TEST(parameters_are_decoded_in_order)
{
    begin();
    parse("query=up%7Bjob%3D%22a+b%22%7D&time=1.5&match[]=x&match%5B%5D=y&plus=%2B");
    ck_assert_uint_eq(form.count, 5);
    is_text(form_get(&form, STR("query")), "up{job=\"a b\"}");
    is_text(form_get(&form, STR("time")), "1.5");
    is_text(form_get(&form, STR("plus")), "+");
    struct str *values;
    size_t count;
    ck_assert_int_eq(form_get_all(&form, STR("match[]"), &arena, &values, &count, NULL), OK);
    ck_assert_uint_eq(count, 2);
    is_text(values[0], "x");
    is_text(values[1], "y");
    ck_assert_int_eq(form_get_all(&form, STR("none"), &arena, &values, &count, NULL), OK);
    ck_assert_uint_eq(count, 0);
    arena_release(&arena);
}
END_TEST

START_TEST(the_first_text_parsed_comes_first)
{
    begin();
    parse("query=body");
    parse("query=url&time=1");
    is_text(form_get(&form, STR("query")), "body");
    is_text(form_get(&form, STR("time")), "1");
    arena_release(&arena);
}
END_TEST

START_TEST(empty_pieces_and_values)
{
    begin();
    parse("");
    parse("&&a&b=&=c&d=1=2&");
    ck_assert_uint_eq(form.count, 4);
    ck_assert(form_has(&form, STR("a")));
    ck_assert(form_has(&form, STR("b")));
    ck_assert(form_has(&form, STR("")));
    ck_assert(!form_has(&form, STR("c")));
    is_text(form_get(&form, STR("a")), "");
    is_text(form_get(&form, STR("missing")), "");
    is_text(form_get(&form, STR("d")), "1=2");
    arena_release(&arena);
}
END_TEST

START_TEST(decoded_bytes_are_any_bytes)
{
    begin();
    parse("a=%00%FF%c3%A9");
    ck_assert(str_equal(form_get(&form, STR("a")), STR("\0\xFF\xC3\xA9")));
    arena_release(&arena);
}
END_TEST

START_TEST(bad_escapes_are_named)
{
    refused("a=%zz", "invalid URL escape \"%zz\"");
    refused("a=%zzz", "invalid URL escape \"%zz\"");
    refused("a=1%2", "invalid URL escape \"%2\"");
    refused("a=1%", "invalid URL escape \"%\"");
    refused("a%4=1", "invalid URL escape \"%4\"");
    refused("a=%\n\"", "invalid URL escape \"%\\n\\\"\"");
    refused("a=1;b=2", "invalid semicolon separator in query");
}
END_TEST

START_TEST(the_number_of_parameters_is_bounded)
{
    static char text[2 * (FORM_PARAMETERS_MAX + 1)];
    struct error err;
    begin();
    memset(text, '&', sizeof(text));
    for (size_t i = 0; i < sizeof(text); i += 2)
        text[i] = 'a';
    ck_assert_int_eq(form_parse(&form, (struct str){text, sizeof(text) - 2}, &arena, &err), OK);
    ck_assert_uint_eq(form.count, FORM_PARAMETERS_MAX);
    ck_assert_int_eq(form_parse(&form, STR("a"), &arena, &err), ERR_TOO_LARGE);
    ck_assert_str_eq(err.text, "more than 10000 parameters");
    arena_release(&arena);
}
END_TEST

START_TEST(paths_keep_their_plus)
{
    struct str out;
    begin();
    ck_assert_int_eq(form_unescape(STR("a+b%20c"), false, &arena, &out, NULL), OK);
    is_text(out, "a+b c");
    ck_assert_int_eq(form_unescape(STR("%"), false, &arena, &out, NULL), ERR_INVALID);
    arena_release(&arena);
}
END_TEST

SUITE(form, parameters_are_decoded_in_order, the_first_text_parsed_comes_first,
      empty_pieces_and_values, decoded_bytes_are_any_bytes, bad_escapes_are_named,
      the_number_of_parameters_is_bounded, paths_keep_their_plus)
