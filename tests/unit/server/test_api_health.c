/* api_health: probes, the front page, and the lifecycle switch. */
#include "server/api.h"

#include "server/version.h"

#include "tests/unit/server/served.h"

static struct served s;

START_TEST(probes_and_the_front_page_are_text)
{
    served_open(&s, NULL);
    expect_contains(served_get(&s, "/-/healthy"), 200, "Prometheus Server is Healthy.\n");
    expect_contains(served_get(&s, "/-/ready"), 200, "Prometheus Server is Ready.\n");
    struct answer answer = served_get(&s, "/");
    expect_contains(answer, 200, "/api/v1/query");
    expect_contains(answer, 200, HEARTH_VERSION);
    expect_header(answer, "Content-Type: text/plain");
    served_close(&s);
}
END_TEST

START_TEST(lifecycle_needs_its_flag)
{
    served_open(&s, NULL);
    expect_contains(served_ask(&s, "POST", "/-/quit", "", "", 0), 403,
                    "Lifecycle API is not enabled.");
    expect_contains(served_ask(&s, "POST", "/-/reload", "", "", 0), 403,
                    "Lifecycle API is not enabled.");
    ck_assert_int_eq(served_get(&s, "/-/quit").code, 405);
    served_close(&s);
    served_open(&s, "--web.enable-lifecycle", NULL);
    ck_assert_int_eq(served_ask(&s, "PUT", "/-/reload", "", "", 0).code, 200);
    served_close(&s);
}
END_TEST

SUITE(api_health, probes_and_the_front_page_are_text, lifecycle_needs_its_flag)
