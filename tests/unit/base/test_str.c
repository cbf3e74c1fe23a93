/* str: views that may be empty. */
#include "base/str.h"

#include <stdio.h>

#include "tests/unit/suite.h"

static const struct str nothing = {.data = NULL, .size = 0};

START_TEST(equality_is_by_bytes)
{
    ck_assert(str_equal(STR("ab"), str_from("ab")));
    ck_assert(!str_equal(STR("ab"), STR("abc")));
    ck_assert(!str_equal(STR("a\0b"), STR("a\0c")));
    ck_assert(str_equal(nothing, STR("")));
}
END_TEST

START_TEST(order_is_by_bytes_then_size)
{
    ck_assert_int_lt(str_compare(STR("a"), STR("b")), 0);
    ck_assert_int_lt(str_compare(STR("a"), STR("ab")), 0);
    ck_assert_int_gt(str_compare(STR("b"), STR("ab")), 0);
    ck_assert_int_gt(str_compare(STR("\xC3"), STR("z")), 0);
    ck_assert_int_eq(str_compare(STR("x"), STR("x")), 0);
    ck_assert_int_eq(str_compare(nothing, STR("")), 0);
    ck_assert_int_lt(str_compare(nothing, STR("a")), 0);
}
END_TEST

START_TEST(prefixes)
{
    ck_assert(str_starts_with(STR("abc"), STR("ab")));
    ck_assert(str_starts_with(STR("abc"), nothing));
    ck_assert(!str_starts_with(STR("a"), STR("ab")));
    ck_assert(!str_starts_with(STR("xabc"), STR("ab")));
}
END_TEST

START_TEST(printing_is_cut_and_takes_nothing)
{
    char text[512];
    char many[300];
    memset(many, 'x', sizeof(many));
    snprintf(text, sizeof(text), "[%.*s]", STR_ARG(nothing));
    ck_assert_str_eq(text, "[]");
    struct str longest = {.data = many, .size = sizeof(many)};
    ck_assert_int_eq(snprintf(text, sizeof(text), "%.*s", STR_ARG(longest)), 200);
}
END_TEST

START_TEST(a_character_cut_in_two_is_dropped)
{
    static const char text[] = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80";
    static const size_t whole[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10};
    for (size_t size = 0; size < sizeof(text); size++)
        ck_assert_uint_eq(str_whole_characters(text, size), whole[size]);
    ck_assert_uint_eq(str_whole_characters("\x80\x80\x80\x80\x80", 5), 5);
    ck_assert_uint_eq(str_whole_characters("\x80", 1), 1);
}
END_TEST

SUITE(str, a_character_cut_in_two_is_dropped, equality_is_by_bytes, order_is_by_bytes_then_size,
      prefixes, printing_is_cut_and_takes_nothing)
