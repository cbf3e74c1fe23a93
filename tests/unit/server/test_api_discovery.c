/* api_discovery: empty but valid, and ourselves as the one target. */
#include "server/api.h"

#include "tests/unit/server/served.h"

static struct served s;

START_TEST(what_we_do_not_have_is_empty_and_valid)
{
    static const struct {
        const char *target;
        const char *body;
    } cases[] = {
        {"/api/v1/metadata", "{\"status\":\"success\",\"data\":{}}"},
        {"/api/v1/metadata?limit=-1&limit_per_metric=0", "{\"status\":\"success\",\"data\":{}}"},
        {"/api/v1/targets/metadata?match_target=up&metric=up&limit=3",
         "{\"status\":\"success\",\"data\":[]}"},
        {"/api/v1/rules", "{\"status\":\"success\",\"data\":{\"groups\":[]}}"},
        {"/api/v1/alerts", "{\"status\":\"success\",\"data\":{\"alerts\":[]}}"},
        {"/api/v1/alertmanagers", "{\"status\":\"success\",\"data\":{\"activeAlertmanagers\":[],"
                                  "\"droppedAlertmanagers\":[]}}"},
        {"/api/v1/targets?state=dropped",
         "{\"status\":\"success\",\"data\":{\"activeTargets\":[],\"droppedTargets\":[],"
         "\"droppedTargetCounts\":{}}}"},
    };
    served_open(&s, NULL);
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct answer answer = served_get(&s, cases[i].target);
        ck_assert_int_eq(answer.code, 200);
        ck_assert_str_eq(answer.body, cases[i].body);
    }
    expect_contains(served_get(&s, "/api/v1/metadata?limit=abc"), 400, "bad_data");
    expect_contains(served_get(&s, "/api/v1/metadata?limit=abc"), 400, "limit must be a number");
    expect_contains(served_get(&s, "/api/v1/targets/metadata?limit=1.5"), 400,
                    "limit must be a number");
    expect_contains(served_get(&s, "/api/v1/targets/metadata?match_target=a{"), 400,
                    "invalid parameter \\\"match_target\\\": 1:3: parse error: ");
    served_close(&s);
}
END_TEST

START_TEST(we_are_our_own_target)
{
    served_open(&s, NULL);
    struct answer answer = served_get(&s, "/api/v1/targets");
    expect_contains(answer, 200, "\"scrapePool\":\"prometheus\"");
    expect_contains(answer, 200, "\"scrapeInterval\":\"15s\"");
    expect_contains(served_get(&s, "/api/v1/targets?state=ANY"), 200, "\"health\"");
    expect_contains(served_get(&s, "/api/v1/targets?state=some"), 200, "\"activeTargets\":[]");
    expect_contains(served_get(&s, "/api/v1/scrape_pools"), 200,
                    "{\"scrapePools\":[\"prometheus\"]}");
    served_close(&s);
    served_open(&s, "--self-scrape.interval=0", NULL);
    expect_contains(served_get(&s, "/api/v1/targets"), 200, "\"activeTargets\":[]");
    expect_contains(served_get(&s, "/api/v1/scrape_pools"), 200, "{\"scrapePools\":[]}");
    served_close(&s);
}
END_TEST

SUITE(api_discovery, what_we_do_not_have_is_empty_and_valid, we_are_our_own_target)
