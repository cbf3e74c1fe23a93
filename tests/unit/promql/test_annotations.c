/* annotations: once each, with a place, and not too many. */
#include "promql/annotations.h"

#include "tests/unit/promql/asking.h"

static struct arena arena;

static void set_up(void)
{
    arena_init(&arena, HEAP_QUERY, UINT64_MAX);
}

static void add(struct annotation_set *set, enum annotation_kind kind, const char *text,
                uint32_t at)
{
    struct ast_position position = {.start = at, .end = at + 1};
    ck_assert_int_eq(annotation_add(set, kind, str_from(text), position, &arena, NULL), OK);
}

static struct annotations render(const struct annotation_set *set, const char *query)
{
    struct annotations out;
    ck_assert_int_eq(annotations_render(set, str_from(query), &arena, &out, NULL), OK);
    return out;
}

START_TEST(equal_texts_are_one_with_the_last_place)
{
    struct annotation_set set = {0};
    set_up();
    add(&set, ANNOTATION_INFO, "same", 0);
    add(&set, ANNOTATION_WARNING, "same", 3);
    add(&set, ANNOTATION_INFO, "same", 9);
    struct annotations out = render(&set, "one +\ntwo + three");
    ck_assert_uint_eq(out.info_count, 1);
    ck_assert_uint_eq(out.warning_count, 1);
    ck_assert(str_equal(out.infos[0], STR("same (2:4)")));
    ck_assert(str_equal(out.warnings[0], STR("same (1:4)")));
    arena_release(&arena);
}
END_TEST

START_TEST(only_the_first_ten_are_shown)
{
    struct annotation_set set = {0};
    char text[32];
    set_up();
    for (int i = 0; i < ANNOTATIONS_KEPT_MAX + 5; i++) {
        snprintf(text, sizeof(text), "remark %d", i);
        add(&set, ANNOTATION_INFO, text, 0);
    }
    struct annotations out = render(&set, "q");
    ck_assert_uint_eq(out.info_count, ANNOTATIONS_SHOWN + 1);
    ck_assert(str_equal(out.infos[0], STR("remark 0 (1:1)")));
    ck_assert(str_equal(out.infos[ANNOTATIONS_SHOWN], STR("995 more info annotations omitted")));
    arena_release(&arena);
}
END_TEST

START_TEST(quantiles_are_written_as_go_does)
{
    struct annotation_set set = {0};
    struct ast_position at = {0};
    set_up();
    ck_assert_int_eq(annotation_add_quantile(&set, NAN, at, &arena, NULL), OK);
    ck_assert_int_eq(annotation_add_quantile(&set, 1e30, at, &arena, NULL), OK);
    struct annotations out = render(&set, "q");
    ck_assert(str_equal(out.warnings[0], STR("PromQL warning: quantile value should be between 0 "
                                             "and 1, got NaN (1:1)")));
    ck_assert(str_equal(out.warnings[1], STR("PromQL warning: quantile value should be between 0 "
                                             "and 1, got 1e+30 (1:1)")));
    arena_release(&arena);
}
END_TEST

START_TEST(repairs_of_buckets_add_up)
{
    struct annotation_set set = {0};
    struct ast_position at = {.start = 2};
    struct forced_monotonicity first = {.t_min_ms = 60000,
                                        .t_max_ms = 60000,
                                        .bucket_min = 1,
                                        .bucket_max = 2,
                                        .difference_max = 3,
                                        .samples = 1};
    struct forced_monotonicity second = {.t_min_ms = 0,
                                         .t_max_ms = 0,
                                         .bucket_min = 0.5,
                                         .bucket_max = 1,
                                         .difference_max = 0.25,
                                         .samples = 2};
    set_up();
    ck_assert_int_eq(annotation_add_forced(&set, STR(""), &first, at, &arena, NULL), OK);
    ck_assert_int_eq(annotation_add_forced(&set, STR(""), &second, at, &arena, NULL), OK);
    struct annotations out = render(&set, "query");
    ck_assert_uint_eq(out.info_count, 1);
    struct str text = out.infos[0];
    const char *end = ", from buckets 0.5 to 2, with a max diff of 3, over 3 samples from "
                      "1970-01-01T00:00:00Z to 1970-01-01T00:01:00Z (1:3)";
    ck_assert_uint_gt(text.size, strlen(end));
    ck_assert_int_eq(memcmp(text.data + text.size - strlen(end), end, strlen(end)), 0);
    arena_release(&arena);
}
END_TEST

SUITE(annotations, equal_texts_are_one_with_the_last_place, only_the_first_ten_are_shown,
      quantiles_are_written_as_go_does, repairs_of_buckets_add_up)
