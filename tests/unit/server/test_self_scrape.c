/* self_scrape: our own metrics are series like any other, at once and again. */
#include "server/self_scrape.h"

#include "tests/unit/server/served.h"

static struct served s;

static void wait_for(const char *target, const char *words)
{
    for (int waited = 0;; waited++) {
        struct answer answer = served_get(&s, target);
        if (answer.code == 200 && strstr(answer.body, words)) return;
        ck_assert_msg(waited < 500, "\"%s\" never came: %s", words, answer.body);
        thread_sleep_ms(20);
    }
}

START_TEST(a_fresh_start_answers_up)
{
    char words[160];
    served_open(&s, NULL);
    snprintf(words, sizeof(words),
             "{\"__name__\":\"up\",\"instance\":\"127.0.0.1:%d\",\"job\":\"prometheus\"}", s.port);
    wait_for("/api/v1/query?query=up", words);
    wait_for("/api/v1/query?query=scrape_samples_scraped>100", "\"value\"");
    wait_for("/api/v1/query?query=scrape_duration_seconds<10", "\"value\"");
    wait_for("/api/v1/query?query=scrape_series_added==scrape_samples_scraped", "\"value\"");
    wait_for("/api/v1/query?query=scrape_samples_post_metric_relabeling", "\"value\"");
    wait_for("/api/v1/query?query=prometheus_build_info", "\"value\"");
    served_close(&s);
}
END_TEST

START_TEST(it_goes_on_at_its_interval)
{
    served_open(&s, "--self-scrape.interval=20ms", NULL);
    wait_for("/api/v1/query?query=count_over_time(up[1m])>5", "\"value\"");
    ck_assert_uint_eq(counter_read(&s.app->self_scrape.failures), 0);
    served_close(&s);
}
END_TEST

SUITE(self_scrape, a_fresh_start_answers_up, it_goes_on_at_its_interval)
