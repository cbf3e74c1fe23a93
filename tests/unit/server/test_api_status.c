/* api_status: the shapes that clients parse. */
#include "server/api.h"

#include "tests/unit/server/served.h"

static struct served s;

START_TEST(buildinfo_is_a_version_without_features)
{
    served_open(&s, NULL);
    struct answer answer = served_get(&s, "/api/v1/status/buildinfo");
    expect_contains(answer, 200, "{\"status\":\"success\",\"data\":{\"version\":\"3.");
    ck_assert_ptr_null(strstr(answer.body, "features"));
    served_close(&s);
}
END_TEST

START_TEST(flags_are_a_flat_map)
{
    served_open(&s, "--query.timeout=90s", NULL);
    struct answer answer = served_get(&s, "/api/v1/status/flags");
    expect_contains(answer, 200, "\"query.timeout\":\"90s\"");
    expect_contains(answer, 200, "\"storage.windows\":\"8\"");
    served_close(&s);
}
END_TEST

START_TEST(runtimeinfo_has_the_keys_of_prometheus)
{
    static const char *const keys[] = {"startTime",
                                       "CWD",
                                       "hostname",
                                       "serverTime",
                                       "reloadConfigSuccess",
                                       "lastConfigTime",
                                       "corruptionCount",
                                       "goroutineCount",
                                       "GOMAXPROCS",
                                       "GOMEMLIMIT",
                                       "GOGC",
                                       "GODEBUG",
                                       "storageRetention"};
    char words[64];
    served_open(&s, NULL);
    struct answer answer = served_get(&s, "/api/v1/status/runtimeinfo");
    for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
        snprintf(words, sizeof(words), "\"%s\":", keys[i]);
        expect_contains(answer, 200, words);
    }
    expect_contains(answer, 200, "\"storageRetention\":\"1d8h\"");
    served_close(&s);
}
END_TEST

START_TEST(tsdb_counts_what_is_held)
{
    served_open(&s, "--self-scrape.interval=0", NULL);
    served_store(&s, "m", clock_wall_ms(), 1);
    struct answer answer = served_get(&s, "/api/v1/status/tsdb");
    expect_contains(answer, 200, "\"headStats\":{\"numSeries\":1,\"numLabelPairs\":2,");
    expect_contains(answer, 200, "\"seriesCountByMetricName\":[{\"name\":\"m\",\"value\":1}]");
    expect_contains(served_get(&s, "/api/v1/status/tsdb?limit=0"), 400, "bad_data");
    expect_contains(served_get(&s, "/api/v1/status/tsdb?limit=10001"), 400, "bad_data");
    expect_contains(served_get(&s, "/api/v1/status/tsdb?limit=-1"), 400, "bad_data");
    served_close(&s);
}
END_TEST

START_TEST(config_and_walreplay_answer)
{
    served_open(&s, "--self-scrape.interval=7s", NULL);
    expect_contains(served_get(&s, "/api/v1/status/config"), 200, "scrape_interval: 7s");
    expect_contains(served_get(&s, "/api/v1/status/walreplay"), 200, "\"current\":");
    served_close(&s);
}
END_TEST

SUITE(api_status, buildinfo_is_a_version_without_features, flags_are_a_flat_map,
      runtimeinfo_has_the_keys_of_prometheus, tsdb_counts_what_is_held, config_and_walreplay_answer)
