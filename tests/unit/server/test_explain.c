/* explain: what query_json writes is what is read, and nothing else is taken for it. */
#include "server/explain.h"

#include <string.h>

#include "server/query_json.h"
#include "tests/unit/suite.h"

static char printed[4096];

static bool print(const struct buf *body)
{
    FILE *out = fmemopen(printed, sizeof(printed), "w");
    ck_assert_ptr_nonnull(out);
    bool done = explain_print((struct str){(const char *)body->data, body->size}, out);
    ck_assert_int_eq(fclose(out), 0);
    return done;
}

START_TEST(an_answer_becomes_a_tree)
{
    struct explained nodes[] = {{.position = {0, 17},
                                 .series = 3,
                                 .values = 30,
                                 .samples_read = 7000,
                                 .bytes = 123,
                                 .ns = 1500000},
                                {.position = {4, 16},
                                 .depth = 1,
                                 .series = 4,
                                 .values = 40,
                                 .samples_read = 7000,
                                 .bytes = 100,
                                 .ns = 1000000}};
    struct query query = {.text = STR("sum(up{a=\"\\\\é\n\"})"),
                          .explains = true,
                          .value = {.type = VALUE_VECTOR},
                          .stats = {.samples_peak = 17, .eval_ns = 2000000},
                          .explained = {.items = nodes, .count = 2}};
    struct query_json_options options = {.stats = QUERY_JSON_STATS};
    struct buf body;
    query.text.size = strlen(query.text.data);
    nodes[0].position.end = (uint32_t)query.text.size;
    nodes[1].position.end = (uint32_t)query.text.size - 1;
    buf_init(&body, HEAP_HTTP, 1 << 20);
    query_json_write(&body, &query, &options);
    ck_assert(print(&body));
    ck_assert_ptr_nonnull(
        strstr(printed, "       1.500         7000          3           30          123  "
                        "sum(up{a=\"\\\\é \"})\n"
                        "       1.000         7000          4           40          100    "
                        "up{a=\"\\\\é \"}\n"
                        "2.000 ms in all, at most 17 samples held at once\n"));
    buf_release(&body);
}
END_TEST

START_TEST(what_explains_nothing_is_no_answer)
{
    static const char *const texts[] = {
        "", "{\"status\":\"error\",\"error\":\"x\"}", "{\"status\":\"success\",\"data\":{}}",
        "{\"data\":{\"stats\":{\"timings\":{\"execTotalTime\":0.1}}}}"};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        struct buf body;
        buf_init(&body, HEAP_HTTP, 1 << 20);
        buf_append_str(&body, str_from(texts[i]));
        ck_assert(!print(&body));
        buf_release(&body);
    }
    /* Cut anywhere, it is read to its end and no further. */
    static const char whole[] =
        "{\"stats\":{\"execTotalTime\":0.1,\"nodes\":[{\"depth\":0,\"expr\":"
        "\"\\u001f\\n\",\"series\":1}]}}";
    for (size_t size = 0; size < sizeof(whole); size++) {
        struct buf body;
        buf_init(&body, HEAP_HTTP, 1 << 20);
        buf_append(&body, whole, size);
        (void)print(&body);
        buf_release(&body);
    }
}
END_TEST

/* The server decides what it says, not how much is printed. */
START_TEST(no_depth_is_believed_that_a_query_cannot_have)
{
    static const char *const depths[] = {"1001", "2000000000", "1e300", "-1", "-1e300"};
    for (size_t i = 0; i < ARRAY_COUNT(depths); i++) {
        struct buf body;
        buf_init(&body, HEAP_HTTP, 1 << 20);
        buf_printf(&body, "{\"stats\":{\"nodes\":[{\"depth\":%s,\"expr\":\"up\"}]}}", depths[i]);
        ck_assert(print(&body));
        ck_assert_uint_lt(strlen(printed), 3000);
        ck_assert_ptr_nonnull(strstr(printed, " up\n"));
        buf_release(&body);
    }
}
END_TEST

SUITE(explain, an_answer_becomes_a_tree, what_explains_nothing_is_no_answer,
      no_depth_is_believed_that_a_query_cannot_have)
