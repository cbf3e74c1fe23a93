/* api_status - what this server is, how it was started, and what it holds. */
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "model/duration.h"
#include "server/api.h"
#include "server/hearth.h"
#include "server/params.h"
#include "server/process.h"
#include "server/query_json.h"
#include "server/time_text.h"
#include "server/version.h"

enum { CARDINALITY_LIMIT_DEFAULT = 10, CARDINALITY_LIMIT_MAX = 10000 };

static void write_time(struct json *j, const char *key, int64_t t_ms)
{
    char text[TIME_TEXT_BYTES];
    size_t size = time_text_format(text, t_ms);
    json_text(j, key, (struct str){text, size});
}

static void answer_end(struct request *req, struct json *j)
{
    query_json_end(j, NULL);
    reply_json_done(&req->reply);
}

/* No "features": clients take a server that has them for another product. */
void api_status_buildinfo(struct request *req)
{
    struct json j;
    query_json_begin(&j, &req->reply.body);
    json_object_begin(&j);
    json_text(&j, "version", STR(HEARTH_API_VERSION));
    json_text(&j, "revision", STR(HEARTH_REVISION));
    json_text(&j, "branch", STR("main"));
    json_text(&j, "buildUser", STR(""));
    json_text(&j, "buildDate", STR(""));
    json_text(&j, "goVersion", STR(""));
    json_object_end(&j);
    answer_end(req, &j);
}

/* The keys that are named after Go are kept for their readers: threads for goroutines. */
void api_status_runtimeinfo(struct request *req)
{
    struct hearth *h = req->app;
    struct json j;
    struct process_stats process;
    struct durability_stats durability;
    char folder[4096];
    char host[256] = "";
    char retention[DURATION_TEXT_BYTES];
    process_stats_read(&process);
    durability_stats_read(h->durability, &durability);
    if (!getcwd(folder, sizeof(folder))) folder[0] = '\0';
    if (gethostname(host, sizeof(host) - 1) != 0) host[0] = '\0';
    size_t retention_size =
        duration_format(retention, h->config.chunk_ms * (int64_t)h->config.windows);
    query_json_begin(&j, &req->reply.body);
    json_object_begin(&j);
    write_time(&j, "startTime", h->start_ms);
    json_text(&j, "CWD", str_from(folder));
    json_text(&j, "hostname", str_from(host));
    write_time(&j, "serverTime", clock_wall_ms());
    json_key(&j, STR("reloadConfigSuccess"));
    json_bool(&j, true);
    write_time(&j, "lastConfigTime", h->start_ms);
    json_integer(&j, "corruptionCount", (int64_t)durability.wal_corruptions);
    json_integer(&j, "goroutineCount", (int64_t)process.threads);
    json_integer(&j, "GOMAXPROCS", thread_cores());
    json_integer(&j, "GOMEMLIMIT", (int64_t)h->memory_limit_bytes);
    json_text(&j, "GOGC", STR(""));
    json_text(&j, "GODEBUG", STR(""));
    json_text(&j, "storageRetention", (struct str){retention, retention_size});
    json_object_end(&j);
    answer_end(req, &j);
}

/* What a prometheus.yml would say of us. */
void api_status_config(struct request *req)
{
    struct json j;
    char interval[DURATION_TEXT_BYTES];
    int64_t scrape_ms = req->app->config.self_scrape_ms;
    size_t size = duration_format(interval, scrape_ms);
    struct str yaml = STR("global: {}\n");
    if (scrape_ms > 0)
        yaml = arena_printf(&req->mem,
                            "global:\n  scrape_interval: %.*s\nscrape_configs:\n"
                            "- job_name: prometheus\n  static_configs:\n  - targets:\n"
                            "    - %s\n",
                            (int)size, interval, http_address(req->app->http, 0));
    query_json_begin(&j, &req->reply.body);
    json_object_begin(&j);
    json_text(&j, "yaml", yaml);
    json_object_end(&j);
    answer_end(req, &j);
}

void api_status_flags(struct request *req)
{
    struct json j;
    struct config_flag flag;
    query_json_begin(&j, &req->reply.body);
    json_object_begin(&j);
    for (uint32_t i = 0; config_flag_at(&req->app->config, i, &flag); i++)
        json_text(&j, flag.name, str_from(flag.text));
    json_object_end(&j);
    answer_end(req, &j);
}

static void write_rows(struct json *j, const char *key, const struct cardinality_row *rows,
                       size_t count)
{
    json_key(j, str_from(key));
    json_array_begin(j);
    for (size_t i = 0; i < count; i++) {
        json_object_begin(j);
        json_text(j, "name", rows[i].name);
        json_count(j, "value", rows[i].value);
        json_object_end(j);
    }
    json_array_end(j);
}

static void write_tsdb(struct request *req, const struct cardinality *top)
{
    struct json j;
    struct storage_stats stats;
    storage_stats_read(req->app->storage, &stats);
    query_json_begin(&j, &req->reply.body);
    json_object_begin(&j);
    json_key(&j, STR("headStats"));
    json_object_begin(&j);
    json_integer(&j, "numSeries", (int64_t)stats.series);
    json_integer(&j, "numLabelPairs", (int64_t)stats.label_pairs);
    json_integer(&j, "chunkCount", (int64_t)stats.chunks);
    json_integer(&j, "minTime", stats.min_time_ms);
    json_integer(&j, "maxTime", stats.max_time_ms);
    json_object_end(&j);
    write_rows(&j, "seriesCountByMetricName", top->by_metric, top->by_metric_count);
    write_rows(&j, "labelValueCountByLabelName", top->by_label_values, top->by_label_values_count);
    write_rows(&j, "memoryInBytesByLabelName", top->by_label_bytes, top->by_label_bytes_count);
    write_rows(&j, "seriesCountByLabelValuePair", top->by_pair, top->by_pair_count);
    /* Ours: series and their samples, where Prometheus counts numbers only. */
    write_rows(&j, "memoryInBytesByMetricName", top->by_metric_bytes, top->by_metric_bytes_count);
    json_object_end(&j);
    answer_end(req, &j);
}

void api_status_tsdb(struct request *req)
{
    struct form form;
    struct error err;
    struct cardinality top;
    struct arena mem;
    uint64_t limit = 0;
    hearth_query_arena(req->app, &mem);
    enum status st = params_read(req, &form, &err);
    if (!st) st = params_count(&form, "limit", CARDINALITY_LIMIT_DEFAULT, &limit, &err);
    if (!st && (limit < 1 || limit > CARDINALITY_LIMIT_MAX))
        st = error_set(&err, ERR_INVALID,
                       "invalid parameter \"limit\": limit must be between 1 and %d",
                       CARDINALITY_LIMIT_MAX);
    if (!st) st = storage_cardinality(req->app->storage, (size_t)limit, &mem, &top, &err);
    if (st)
        reply_error(&req->reply, st, &err);
    else
        write_tsdb(req, &top);
    arena_release(&mem);
}

void api_status_walreplay(struct request *req)
{
    struct json j;
    struct recovery_progress progress;
    durability_progress(req->app->durability, &progress);
    query_json_begin(&j, &req->reply.body);
    json_object_begin(&j);
    json_integer(&j, "min", (int64_t)progress.first_segment);
    json_integer(&j, "max", (int64_t)progress.last_segment);
    json_integer(&j, "current", (int64_t)progress.current_segment);
    json_integer(&j, "restoredBytes", (int64_t)progress.bytes_done); /* Prometheus ends here */
    json_integer(&j, "totalBytes", (int64_t)progress.bytes_total);
    json_object_end(&j);
    answer_end(req, &j);
}
