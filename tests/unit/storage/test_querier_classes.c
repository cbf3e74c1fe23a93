/* querier: classes of series, compared with what their labels say. */
#include "base/hash.h"
#include "storage/querier.h"
#include "tests/unit/storage/store.h"
#include "tests/unit/suite.h"

enum { SERIES = 500, NAMES_MAX = 3 };

static void fill(struct store *s)
{
    for (int i = 0; i < SERIES; i++) {
        uint64_t draw = hash_mix((uint64_t)i, 7);
        struct str number = arena_printf(&s->arena, "%d", i);
        struct str job = arena_printf(&s->arena, "%d", (int)(draw % 5));
        struct str mode = arena_printf(&s->arena, "%d", (int)(draw >> 8) % 3);
        struct labels labels =
            store_labels(&s->arena, "__name__", draw >> 16 & 1 ? "a" : "b", "i", number.data, "job",
                         draw >> 20 & 1 ? job.data : "", "mode", mode.data, NULL);
        store_append(s, labels, STORE_NOW_MS, i);
    }
}

/* What is left of a label set. */
static struct labels kept(struct store *s, const struct series *series,
                          const struct series_classes_request *r)
{
    struct labels out;
    struct error err;
    struct labels all = labels_of(series);
    ck_assert((r->without ? labels_drop : labels_keep)(all, r->names, r->name_count, &s->arena,
                                                       &out, &err) == OK);
    return out;
}

static void check(struct store *s, struct querier *q, const struct series_classes_request *r)
{
    struct selection selection = store_select(q, NULL, 0);
    struct series_classes *classes;
    struct labels first[SERIES];
    uint32_t count = 0;
    struct error err;
    ck_assert(series_classes_create(q, r, &s->arena, &classes, &err) == OK);
    ck_assert_uint_eq(selection.count, SERIES);
    for (size_t i = 0; i < selection.count; i++) {
        uint32_t number;
        bool is_new;
        struct labels labels = kept(s, selection.series[i], r);
        ck_assert(series_classes_find(classes, selection.series[i], &number, &is_new, &err) == OK);
        ck_assert_int_eq(is_new, number == count);
        if (is_new) {
            for (uint32_t other = 0; other < count; other++)
                EXPECT(!labels_equal(labels, first[other]));
            first[count++] = labels;
        }
        ck_assert_uint_lt(number, count);
        ck_assert(labels_equal(labels, first[number]));
    }
}

START_TEST(series_of_a_class_have_the_same_labels)
{
    static const char *const lists[][NAMES_MAX] = {
        {NULL},      {"mode"}, {"job", "mode"}, {"__name__"},    {"__name__", "job", "mode"},
        {"no_such"}, {"i"},    {"i", "job"},    {"i", "no_such"}};
    struct store s;
    store_open(&s);
    fill(&s);
    struct querier *q = store_query(&s);
    for (size_t list = 0; list < ARRAY_COUNT(lists); list++) {
        struct str names[NAMES_MAX];
        struct series_classes_request r = {.names = names};
        while (r.name_count < NAMES_MAX && lists[list][r.name_count]) {
            names[r.name_count] = str_from(lists[list][r.name_count]);
            r.name_count++;
        }
        check(&s, q, &r);
        r.without = true;
        check(&s, q, &r);
    }
    querier_close(q);
    store_close(&s);
}
END_TEST

START_TEST(a_series_tells_its_labels_one_by_one)
{
    struct store s;
    store_open(&s);
    store_append(&s, store_labels(&s.arena, "__name__", "up", "job", "x", NULL), STORE_NOW_MS, 1);
    struct querier *q = store_query(&s);
    struct selection selection = store_select(q, NULL, 0);
    ck_assert_uint_eq(selection.count, 1);
    ck_assert(str_equal(series_label(selection.series[0], STR("job")), STR("x")));
    ck_assert_uint_eq(series_label(selection.series[0], STR("pod")).size, 0);
    ck_assert(selection_has_label(q, &selection, STR("job")));
    ck_assert(!selection_has_label(q, &selection, STR("pod")));
    querier_close(q);
    store_close(&s);
}
END_TEST

SUITE(querier_classes, series_of_a_class_have_the_same_labels, a_series_tells_its_labels_one_by_one)
