/* api_debug_heap: behind its flag; blocks, spans, and what is refused. */
#include "server/api.h"

#include "tests/unit/server/served.h"

static struct served s;

START_TEST(it_needs_its_flag)
{
    served_open(&s, NULL);
    expect_contains(served_get(&s, "/debug/heap"), 503,
                    "{\"status\":\"error\",\"errorType\":\"unavailable\","
                    "\"error\":\"admin APIs disabled\"}");
    served_close(&s);
}
END_TEST

START_TEST(it_tells_sums_and_blocks_or_a_range_of_spans)
{
    served_open(&s, "--web.enable-admin-api", "--storage.memory-limit=1GiB", NULL);
    struct answer answer = served_get(&s, "/debug/heap");
    expect_contains(answer, 200, "\"memStats\":{\"Alloc\":");
    expect_contains(answer, 200, "\"NextGC\":805306368,\"LastGC\":0,\"PauseTotalNs\":");
    expect_contains(answer, 200, ",\"NumForcedGC\":0,\"GCCPUFraction\":0");
    expect_contains(answer, 200, "\"EnableGC\":true,\"DebugGC\":false,\"BySize\":[{\"Size\":0,");
    const char *row = strstr(answer.body, "{\"Size\":128,"); /* one, though two classes have it */
    ck_assert_ptr_nonnull(row);
    ck_assert_ptr_null(strstr(row + 1, "{\"Size\":128,"));
    expect_contains(answer, 200, "\"fragmentation\":{\"roundingBytes\":");
    expect_contains(answer, 200, "\"blockBytes\":");
    expect_contains(answer, 200, "\"owner\":\"series\"");
    expect_contains(answer, 200, "\"regions\":[");
    expect_contains(answer, 200, "\"blocks\":[{\"page\":0,");
    answer = served_get(&s, "/debug/heap?detail=spans&from=1&pages=1");
    expect_contains(answer, 200, "\"spans\":[{\"page\":1,");
    expect_contains(served_get(&s, "/debug/heap?detail=spans&from=4000000000"), 200,
                    "\"spans\":[]");
    served_close(&s);
}
END_TEST

START_TEST(wrong_parameters_are_refused)
{
    served_open(&s, "--web.enable-admin-api", NULL);
    expect_contains(served_get(&s, "/debug/heap?detail=x"), 400, "only spans is known");
    expect_contains(served_get(&s, "/debug/heap?detail=spans&pages=0"), 400, "between 1 and 65536");
    expect_contains(served_get(&s, "/debug/heap?detail=spans&pages=65537"), 400, "between 1 and");
    expect_contains(served_get(&s, "/debug/heap?from=x"), 400, "from");
    expect_contains(served_get(&s, "/debug/heap?from=4294967295"), 400, "\\\"from\\\": must be");
    served_close(&s);
}
END_TEST

SUITE(api_debug_heap, it_needs_its_flag, it_tells_sums_and_blocks_or_a_range_of_spans,
      wrong_parameters_are_refused)
