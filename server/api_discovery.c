/*
 * api_discovery - what a Prometheus with rules, alerts and targets would list. We scrape nothing
 * but ourselves and evaluate no rules, and say so in the shapes that clients expect.
 */
#include <strings.h>

#include "model/duration.h"
#include "promql/parser.h"
#include "server/api.h"
#include "server/hearth.h"
#include "server/params.h"
#include "server/query_json.h"
#include "server/time_text.h"

static void answer_end(struct request *req, struct json *j)
{
    query_json_end(j, NULL);
    reply_json_done(&req->reply);
}

static void write_empty_list(struct json *j, struct str key)
{
    json_key(j, key);
    json_array_begin(j);
    json_array_end(j);
}

static void write_empty_object(struct json *j, struct str key)
{
    json_key(j, key);
    json_object_begin(j);
    json_object_end(j);
}

/* Metadata in remote write is not kept. */
void api_metadata(struct request *req)
{
    struct form form;
    struct error err;
    struct json j;
    enum status st = params_read(req, &form, &err);
    if (!st) st = params_number(&form, "limit", &err);
    if (!st) st = params_number(&form, "limit_per_metric", &err);
    if (st) {
        reply_error(&req->reply, st, &err);
        return;
    }
    query_json_begin(&j, &req->reply.body);
    json_object_begin(&j);
    json_object_end(&j);
    answer_end(req, &j);
}

void api_rules(struct request *req)
{
    struct json j;
    query_json_begin(&j, &req->reply.body);
    json_object_begin(&j);
    write_empty_list(&j, STR("groups"));
    json_object_end(&j);
    answer_end(req, &j);
}

void api_alerts(struct request *req)
{
    struct json j;
    query_json_begin(&j, &req->reply.body);
    json_object_begin(&j);
    write_empty_list(&j, STR("alerts"));
    json_object_end(&j);
    answer_end(req, &j);
}

void api_alertmanagers(struct request *req)
{
    struct json j;
    query_json_begin(&j, &req->reply.body);
    json_object_begin(&j);
    write_empty_list(&j, STR("activeAlertmanagers"));
    write_empty_list(&j, STR("droppedAlertmanagers"));
    json_object_end(&j);
    answer_end(req, &j);
}

static bool scrapes_itself(const struct request *req)
{
    return req->app->config.self_scrape_ms > 0;
}

/* The one target we have: ourselves. */
static void write_self(struct request *req, struct json *j)
{
    struct hearth *h = req->app;
    const char *address = http_address(h->http, 0);
    struct str url = arena_printf(&req->mem, "http://%s/metrics", address);
    int64_t last_ms = gauge_read(&h->self_scrape.last_ms);
    char interval[DURATION_TEXT_BYTES];
    size_t interval_size = duration_format(interval, h->config.self_scrape_ms);
    char last[TIME_TEXT_BYTES];
    size_t last_size = time_text_format(last, last_ms);
    json_object_begin(j);
    json_key(j, STR("discoveredLabels"));
    json_object_begin(j);
    json_text(j, "__address__", str_from(address));
    json_text(j, "__metrics_path__", STR("/metrics"));
    json_text(j, "__scheme__", STR("http"));
    json_text(j, "job", STR("prometheus"));
    json_object_end(j);
    json_key(j, STR("labels"));
    json_object_begin(j);
    json_text(j, "instance", str_from(address));
    json_text(j, "job", STR("prometheus"));
    json_object_end(j);
    json_text(j, "scrapePool", STR("prometheus"));
    json_text(j, "scrapeUrl", url);
    json_text(j, "globalUrl", url);
    json_text(j, "lastError", STR(""));
    json_text(j, "lastScrape", (struct str){last, last_size});
    json_key(j, STR("lastScrapeDuration"));
    json_number(j, (double)gauge_read(&h->self_scrape.last_ns) / 1e9);
    json_text(j, "health", last_ms ? STR("up") : STR("unknown"));
    json_text(j, "scrapeInterval", (struct str){interval, interval_size});
    json_text(j, "scrapeTimeout", (struct str){interval, interval_size});
    json_object_end(j);
}

static bool shows_active(struct str state)
{
    static const char *const shown[] = {"", "any", "active"};
    for (size_t i = 0; i < ARRAY_COUNT(shown); i++)
        if (state.size == strlen(shown[i]) && strncasecmp(state.data, shown[i], state.size) == 0)
            return true;
    return false;
}

void api_targets(struct request *req)
{
    struct form form;
    struct error err;
    struct json j;
    enum status st = params_read(req, &form, &err);
    if (st) {
        reply_error(&req->reply, st, &err);
        return;
    }
    struct str scrape_pool = form_get(&form, STR("scrapePool"));
    bool wanted = scrapes_itself(req) && shows_active(form_get(&form, STR("state"))) &&
                  (scrape_pool.size == 0 || str_equal(scrape_pool, STR("prometheus")));
    query_json_begin(&j, &req->reply.body);
    json_object_begin(&j);
    json_key(&j, STR("activeTargets"));
    json_array_begin(&j);
    if (wanted) write_self(req, &j);
    json_array_end(&j);
    write_empty_list(&j, STR("droppedTargets"));
    write_empty_object(&j, STR("droppedTargetCounts"));
    json_object_end(&j);
    answer_end(req, &j);
}

static enum status check_target_selector(struct request *req, const struct form *form,
                                         struct error *err)
{
    struct str text = form_get(form, STR("match_target"));
    struct matcher *matchers;
    size_t count;
    if (text.size == 0) return OK;
    enum status st = parse_selector(text, &req->mem, &matchers, &count, err);
    if (st) return st == ERR_INVALID ? error_wrap(err, "invalid parameter \"match_target\": ") : st;
    for (size_t i = 0; i < count; i++)
        matcher_release(&matchers[i]);
    return OK;
}

/* As api_metadata. */
void api_target_metadata(struct request *req)
{
    struct form form;
    struct error err;
    struct json j;
    enum status st = params_read(req, &form, &err);
    if (!st) st = params_number(&form, "limit", &err);
    if (!st) st = check_target_selector(req, &form, &err);
    if (st) {
        reply_error(&req->reply, st, &err);
        return;
    }
    query_json_begin(&j, &req->reply.body);
    json_array_begin(&j);
    json_array_end(&j);
    answer_end(req, &j);
}

void api_scrape_pools(struct request *req)
{
    struct json j;
    query_json_begin(&j, &req->reply.body);
    json_object_begin(&j);
    json_key(&j, STR("scrapePools"));
    json_array_begin(&j);
    if (scrapes_itself(req)) json_string(&j, STR("prometheus"));
    json_array_end(&j);
    json_object_end(&j);
    answer_end(req, &j);
}
