/* labels: normalising, lookup, order, derived sets. */
#include "model/labels.h"

#include <stdio.h>

#include "tests/unit/suite.h"

static struct arena arena;

/* The arena of the running test; made by the first that needs it, freed at its end. */
static struct arena *test_arena(void)
{
    if (arena.ceiling_bytes == 0) arena_init(&arena, HEAP_QUERY, 64 << 20);
    return &arena;
}

static struct label pair(const char *name, const char *value)
{
    return (struct label){.name = str_from(name), .value = str_from(value)};
}

static struct labels normal(struct label *items, size_t count)
{
    struct labels set;
    struct error err;
    ck_assert_msg(labels_normalize(items, count, &set, &err) == OK, "%s", err.text);
    return set;
}

static void is_text(struct str text, const char *expected)
{
    ck_assert_msg(str_equal(text, str_from(expected)), "%.*s, not %s", STR_ARG(text), expected);
}

static void prints(struct labels set, const char *expected)
{
    struct str text;
    ck_assert_int_eq(labels_print(set, test_arena(), &text, NULL), OK);
    is_text(text, expected);
}

START_TEST(normalising_sorts_and_drops_empty_values)
{
    struct label items[] = {pair("job", "node"), pair("env", ""), pair("__name__", "up"),
                            pair("instance", "a:1")};
    struct labels set = normal(items, 4);
    ck_assert_uint_eq(set.count, 3);
    is_text(set.items[0].name, "__name__");
    is_text(set.items[1].name, "instance");
    is_text(set.items[2].name, "job");
    ck_assert_uint_eq(normal(items, 0).count, 0);
}
END_TEST

static void refused(struct label *items, size_t count, const char *words)
{
    struct labels set;
    struct error err;
    ck_assert_int_eq(labels_normalize(items, count, &set, &err), ERR_INVALID);
    ck_assert_str_eq(err.text, words);
}

START_TEST(bad_labels_are_refused_by_name)
{
    struct label twice[] = {pair("b", "1"), pair("a", "1"), pair("b", "2")};
    struct label unnamed[] = {pair("", "1")};
    struct label broken_name[] = {pair("a\xFF", "1")};
    struct label broken_value[] = {pair("a", "x\xC3")};
    refused(twice, 3, "duplicate label name \"b\"");
    refused(unnamed, 1, "empty label name");
    refused(broken_name, 1, "label name is not valid UTF-8");
    refused(broken_value, 1, "value of label \"a\" is not valid UTF-8");
}
END_TEST

START_TEST(an_empty_twin_is_no_duplicate)
{
    struct label items[] = {pair("a", "1"), pair("a", "")};
    ck_assert_uint_eq(normal(items, 2).count, 1);
}
END_TEST

START_TEST(long_sets_in_any_order_are_sorted)
{
    enum { COUNT = 1000 };
    static char names[COUNT][8];
    static struct label items[COUNT];
    for (unsigned order = 0; order < 3; order++) {
        for (unsigned i = 0; i < COUNT; i++) {
            unsigned place = order == 0 ? i : order == 1 ? COUNT - 1 - i : i * 617 % COUNT;
            snprintf(names[i], sizeof(names[i]), "n%04u", i);
            items[place] = pair(names[i], "v");
        }
        struct labels set = normal(items, COUNT);
        for (unsigned i = 0; i < COUNT; i++) {
            is_text(set.items[i].name, names[i]);
            ck_assert(labels_has(set, str_from(names[i])));
        }
    }
}
END_TEST

START_TEST(lookup_finds_what_is_there)
{
    struct label items[] = {pair("a", "1"), pair("c", "3"), pair("e", "5")};
    struct labels set = normal(items, 3);
    is_text(labels_get(set, STR("a")), "1");
    is_text(labels_get(set, STR("e")), "5");
    is_text(labels_get(set, STR("b")), "");
    is_text(labels_get(set, STR("z")), "");
    ck_assert(!labels_has(set, STR("")));
    is_text(labels_get((struct labels){NULL, 0}, STR("a")), "");
}
END_TEST

START_TEST(order_is_by_pairs_then_by_length)
{
    struct label a[] = {pair("a", "1"), pair("b", "1")};
    struct label b[] = {pair("a", "1"), pair("b", "2")};
    struct label c[] = {pair("a", "1")};
    struct labels la = normal(a, 2);
    struct labels lb = normal(b, 2);
    struct labels lc = normal(c, 1);
    ck_assert_int_lt(labels_compare(la, lb), 0);
    ck_assert_int_gt(labels_compare(lb, la), 0);
    ck_assert_int_lt(labels_compare(lc, la), 0);
    ck_assert_int_eq(labels_compare(la, la), 0);
    ck_assert(labels_equal(la, la));
    ck_assert(!labels_equal(la, lb));
    ck_assert(!labels_equal(la, lc));
}
END_TEST

START_TEST(hashes_follow_content)
{
    struct label a[] = {pair("__name__", "up"), pair("ab", "c"), pair("x", "1")};
    struct label b[] = {pair("__name__", "up"), pair("a", "bc"), pair("x", "1")};
    struct label c[] = {pair("__name__", "down"), pair("ab", "c"), pair("x", "2")};
    struct labels la = normal(a, 3);
    struct labels lb = normal(b, 3);
    struct labels lc = normal(c, 3);
    const struct str x[] = {STR("x")};
    const struct str ab[] = {STR("ab")};
    ck_assert_uint_ne(labels_hash(la), labels_hash(lb));
    ck_assert_uint_eq(labels_hash_with(la, x, 1), labels_hash_with(lb, x, 1));
    ck_assert_uint_eq(labels_hash_with(la, ab, 1), labels_hash_with(lc, ab, 1));
    ck_assert_uint_ne(labels_hash_with(la, x, 1), labels_hash_with(lc, x, 1));
    /* __name__ never counts in "without" */
    ck_assert_uint_eq(labels_hash_without(la, x, 1), labels_hash_without(lc, x, 1));
    ck_assert_uint_ne(labels_hash_without(la, NULL, 0), labels_hash_without(lc, NULL, 0));
}
END_TEST

START_TEST(keep_drop_and_set_make_new_sets)
{
    struct label items[] = {pair("__name__", "up"), pair("b", "1"), pair("d", "2")};
    struct labels set = normal(items, 3);
    const struct str names[] = {STR("a"), STR("b"), STR("c")};
    struct labels out;
    ck_assert_int_eq(labels_keep(set, names, 3, test_arena(), &out, NULL), OK);
    prints(out, "{b=\"1\"}");
    ck_assert_int_eq(labels_drop(set, names, 3, test_arena(), &out, NULL), OK);
    prints(out, "up{d=\"2\"}");
    ck_assert_int_eq(labels_set(set, STR("c"), STR("new"), test_arena(), &out, NULL), OK);
    prints(out, "up{b=\"1\", c=\"new\", d=\"2\"}");
    ck_assert_int_eq(labels_set(set, STR("d"), STR("new"), test_arena(), &out, NULL), OK);
    prints(out, "up{b=\"1\", d=\"new\"}");
    ck_assert_int_eq(labels_set(set, STR("b"), STR(""), test_arena(), &out, NULL), OK);
    prints(out, "up{d=\"2\"}");
    ck_assert_int_eq(labels_set(set, STR("zz"), STR(""), test_arena(), &out, NULL), OK);
    ck_assert(labels_equal(out, set));
    prints(set, "up{b=\"1\", d=\"2\"}");
    arena_release(&arena);
}
END_TEST

START_TEST(a_copy_owns_its_texts)
{
    char value[] = "1";
    struct label items[] = {pair("a", value)};
    struct labels out;
    ck_assert_int_eq(labels_copy(normal(items, 1), test_arena(), &out, NULL), OK);
    value[0] = 'x';
    prints(out, "{a=\"1\"}");
    arena_release(&arena);
}
END_TEST

START_TEST(a_full_arena_is_an_error)
{
    struct label items[] = {pair("a", "1")};
    struct labels set = normal(items, 1);
    struct labels out;
    struct arena small;
    arena_init(&small, HEAP_QUERY, 0);
    ck_assert_int_eq(labels_copy(set, &small, &out, NULL), ERR_TOO_LARGE);
    ck_assert_int_eq(labels_set(set, STR("b"), STR("1"), &small, &out, NULL), ERR_TOO_LARGE);
    ck_assert_int_eq(labels_keep(set, NULL, 0, &small, &out, NULL), ERR_TOO_LARGE);
    arena_release(&small);
}
END_TEST

SUITE(labels, normalising_sorts_and_drops_empty_values, bad_labels_are_refused_by_name,
      an_empty_twin_is_no_duplicate, long_sets_in_any_order_are_sorted, lookup_finds_what_is_there,
      order_is_by_pairs_then_by_length, hashes_follow_content, keep_drop_and_set_make_new_sets,
      a_copy_owns_its_texts, a_full_arena_is_an_error)
