/* literal: numbers and strings in, quoted text out, as Go reads and writes them. */
#include "promql/literal.h"

#include <math.h>

#include "base/bits.h"
#include "tests/unit/suite.h"

static enum status read_number(const char *text, double *out, struct error *err)
{
    struct arena a;
    arena_init(&a, HEAP_QUERY, 1 << 20);
    enum status st = literal_number(str_from(text), &a, out, err);
    arena_release(&a);
    return st;
}

static void assert_number(const char *text, double expected)
{
    struct error err;
    double value;
    ck_assert_msg(read_number(text, &value, &err) == OK, "%s", err.text);
    ck_assert_msg(bits_from_double(value) == bits_from_double(expected), "%s is %.17g", text,
                  value);
}

static void assert_no_number(const char *text, const char *why)
{
    struct error err;
    double value;
    ck_assert_msg(read_number(text, &value, &err) == ERR_INVALID, "%s is %g", text, value);
    ck_assert_msg(strstr(err.text, why) != NULL, "%s: %s", text, err.text);
}

START_TEST(integers_have_the_base_of_their_prefix)
{
    assert_number("0", 0);
    assert_number("755", 755);
    assert_number("0755", 493);
    assert_number("0789", 789); /* no octal number, so a decimal one */
    assert_number("0xAf", 175);
    assert_number("9223372036854775807", 0x1p63);
    assert_number("18446744073709551616", 0x1p64);
    assert_no_number("0x", "invalid syntax");
    assert_no_number("0xFFFFFFFFFFFFFFFFF", "invalid syntax");
}
END_TEST

START_TEST(underscores_stand_between_digits)
{
    assert_number("1_000", 1000);
    assert_number("0_7", 7);
    assert_number("0x_1F", 31);
    assert_number("1_0.2_5e1_0", 10.25e10);
    assert_no_number("_1", "invalid syntax");
    assert_no_number("1_", "invalid syntax");
    assert_no_number("1__0", "invalid syntax");
    assert_no_number("1_.5", "invalid syntax");
    assert_no_number("0x1_", "invalid syntax");
}
END_TEST

START_TEST(floats_go_up_to_their_range)
{
    assert_number("1.5e300", 1.5e300);
    assert_number(".5", 0.5);
    assert_number("5.", 5);
    assert_number("1e-400", 0);
    assert_number("4.9e-324", 0x1p-1074);
    assert_number("inf", INFINITY);
    assert_no_number("1e309", "value out of range");
    assert_no_number("1e", "invalid syntax");
    assert_no_number(".", "invalid syntax");
    assert_no_number(".5.5", "invalid syntax");
    assert_no_number("0x.8", "invalid syntax");
}
END_TEST

static void assert_string(const char *quoted, const char *expected, size_t size)
{
    struct arena a;
    struct str text;
    arena_init(&a, HEAP_QUERY, 1 << 20);
    ck_assert_int_eq(literal_string(str_from(quoted), &a, &text, NULL), OK);
    ck_assert_uint_eq(text.size, size);
    ck_assert(size == 0 || memcmp(text.data, expected, size) == 0);
    arena_release(&a);
}

START_TEST(strings_lose_their_escapes)
{
    assert_string("\"\"", "", 0);
    assert_string("'plain'", "plain", 5);
    assert_string("\"\\a\\b\\f\\n\\r\\t\\v\\\\\\\"\"", "\a\b\f\n\r\t\v\\\"", 9);
    assert_string("'\\''", "'", 1);
    assert_string("\"\\x41\\000\\377\"", "A\0\xFF", 3);
    assert_string("\"\\u00e9\\u20ac\\U0001F600\"", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 9);
    assert_string("`\\n raw`", "\\n raw", 6);
}
END_TEST

static void assert_quoted(struct str text, const char *expected)
{
    char quoted[QUOTED_TEXT_BYTES];
    struct buf b;
    ck_assert_str_eq(quote_text(text, quoted), expected);
    buf_init(&b, HEAP_QUERY, 1 << 10);
    quote_append(&b, text);
    ck_assert_uint_eq(b.size, strlen(expected));
    ck_assert(memcmp(b.data, expected, b.size) == 0);
    buf_release(&b);
}

START_TEST(quotes_bring_them_back)
{
    assert_quoted(STR(""), "\"\"");
    assert_quoted(STR("it's"), "\"it's\"");
    assert_quoted(STR("a\"b\\c\n\x01\x7F\x00"), "\"a\\\"b\\\\c\\n\\x01\\x7f\\x00\"");
    assert_quoted(STR("\xC3\xA9\xFF\xC2\x85"), "\"\xC3\xA9\\xff\\u0085\"");
}
END_TEST

START_TEST(messages_cut_long_texts)
{
    char text[1000];
    char quoted[QUOTED_TEXT_BYTES];
    memset(text, '\n', sizeof(text));
    quote_text((struct str){.data = text, .size = sizeof(text)}, quoted);
    ck_assert_uint_lt(strlen(quoted), QUOTED_TEXT_BYTES);
    ck_assert_str_eq(quoted + strlen(quoted) - 3, "\\n\"");
}
END_TEST

SUITE(literal, integers_have_the_base_of_their_prefix, underscores_stand_between_digits,
      floats_go_up_to_their_range, strings_lose_their_escapes, quotes_bring_them_back,
      messages_cut_long_texts)
