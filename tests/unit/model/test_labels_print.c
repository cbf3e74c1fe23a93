/* labels_print: text for people, quoted as Go quotes, whole or cut to fit. */
#include "model/labels.h"

#include "tests/unit/suite.h"

static struct label pair(const char *name, const char *value)
{
    return (struct label){.name = str_from(name), .value = str_from(value)};
}

static void prints(struct label *items, size_t count, const char *expected)
{
    struct arena arena;
    struct labels set;
    struct str text;
    arena_init(&arena, HEAP_QUERY, 1 << 20);
    ck_assert_int_eq(labels_normalize(items, count, &set, NULL), OK);
    ck_assert_int_eq(labels_print(set, &arena, &text, NULL), OK);
    ck_assert_msg(str_equal(text, str_from(expected)), "%.*s, not %s", STR_ARG(text), expected);
    arena_release(&arena);
}

START_TEST(printing_quotes_as_go_does)
{
    struct label bare[] = {pair("__name__", "up")};
    struct label dotted[] = {pair("__name__", "my.metric"), pair("a", "1"), pair("b.c", "2")};
    struct label hard[] = {pair("a", "\"\\\n\t\x01\x7F\xC3\xA9\xC2\x85")};
    prints(bare, 0, "{}");
    prints(bare, 1, "up");
    prints(dotted, 3, "{\"my.metric\", a=\"1\", \"b.c\"=\"2\"}");
    prints(hard, 1, "{a=\"\\\"\\\\\\n\\t\\x01\\x7f\xC3\xA9\\u0085\"}");
}
END_TEST

START_TEST(the_short_form_is_cut_between_characters)
{
    char out[24];
    struct label items[] = {pair("job", "caf\xC3\xA9"), pair("__name__", "up")};
    struct label broken[] = {pair("a", "\xFF")};
    struct labels unsorted = {.items = items, .count = 2};
    ck_assert_str_eq(labels_print_short(unsorted, out, sizeof(out)), "up{job=\"caf\xC3\xA9\"}");
    ck_assert_str_eq(labels_print_short(unsorted, out, 18), "up{job=\"caf\xC3\xA9\"...");
    ck_assert_str_eq(labels_print_short(unsorted, out, 17), "up{job=\"caf\xC3\xA9...");
    ck_assert_str_eq(labels_print_short(unsorted, out, 16), "up{job=\"caf...");
    ck_assert_str_eq(labels_print_short((struct labels){broken, 1}, out, 16), "{a=\"\\xff\"}");
}
END_TEST

START_TEST(a_full_arena_is_an_error)
{
    struct label items[] = {pair("a", "1")};
    struct str text;
    struct arena small;
    arena_init(&small, HEAP_QUERY, 0);
    ck_assert_int_eq(labels_print((struct labels){items, 1}, &small, &text, NULL), ERR_TOO_LARGE);
    arena_release(&small);
}
END_TEST

SUITE(labels_print, printing_quotes_as_go_does, the_short_form_is_cut_between_characters,
      a_full_arena_is_an_error)
