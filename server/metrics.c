/* metrics - names for what storage, the log, queries, HTTP and the process count. */
#include "server/metrics.h"

#include <inttypes.h>
#include <stdio.h>

#include "model/number.h"
#include "server/hearth.h"
#include "server/process.h"
#include "server/routes.h"
#include "server/version.h"
#include "storage/export.h"

static void counter_of(const struct metric_sink *sink, const char *name, const char *help,
                       uint64_t value)
{
    metric_single(sink, name, METRIC_COUNTER, help, (double)value);
}

static void gauge_of(const struct metric_sink *sink, const char *name, const char *help, double v)
{
    metric_single(sink, name, METRIC_GAUGE, help, v);
}

static void collect_build(const struct hearth *h, const struct metric_sink *sink)
{
    metric_family(sink, "prometheus_build_info", METRIC_GAUGE,
                  "1, labeled with the Prometheus version whose API is spoken.");
    struct label compatible[] = {{STR("version"), STR(HEARTH_API_VERSION)},
                                 {STR("revision"), STR(HEARTH_REVISION)},
                                 {STR("branch"), STR("main")}};
    metric_sample(sink, "", compatible, ARRAY_COUNT(compatible), 1);
    metric_family(sink, "hearth_build_info", METRIC_GAUGE, "1, labeled with our own version.");
    struct label own[] = {{STR("version"), STR(HEARTH_VERSION)},
                          {STR("revision"), STR(HEARTH_REVISION)}};
    metric_sample(sink, "", own, ARRAY_COUNT(own), 1);
    gauge_of(sink, "prometheus_ready", "1 when queries and writes are answered.",
             atomic_load(&h->state) == HEARTH_READY);
    gauge_of(sink, "prometheus_config_last_reload_successful",
             "1: the configuration is the command line, and it was accepted.", 1);
    gauge_of(sink, "prometheus_config_last_reload_success_timestamp_seconds",
             "When the configuration was read.", (double)h->start_ms / 1000);
}

static void collect_process(const struct hearth *h, const struct process_stats *s,
                            const struct metric_sink *sink)
{
    metric_single(sink, "process_cpu_seconds_total", METRIC_COUNTER,
                  "User and system CPU time spent in seconds.", s->cpu_seconds);
    gauge_of(sink, "process_open_fds", "Open file descriptors.", (double)s->open_fds);
    gauge_of(sink, "process_max_fds", "Most file descriptors that may be open.",
             (double)s->max_fds);
    gauge_of(sink, "process_virtual_memory_bytes", "Virtual memory in bytes.",
             (double)s->virtual_bytes);
    gauge_of(sink, "process_virtual_memory_max_bytes", "Most virtual memory in bytes.",
             (double)s->virtual_max_bytes);
    gauge_of(sink, "process_resident_memory_bytes", "Resident memory in bytes.",
             (double)s->resident_bytes);
    gauge_of(sink, "process_threads", "Threads of the process.", (double)s->threads);
    gauge_of(sink, "process_start_time_seconds", "When the process started, Unix time.",
             (double)h->start_ms / 1000);
}

/* A family whose samples are all floats, as the type label says. */
static void by_type(const struct metric_sink *sink, const char *name, const char *help,
                    uint64_t value)
{
    metric_family(sink, name, METRIC_COUNTER, help);
    metric_labeled(sink, "type", STR("float"), (double)value);
}

static void collect_head(const struct metric_sink *sink, const struct storage_stats *s)
{
    gauge_of(sink, "prometheus_tsdb_head_series", "Series held.", (double)s->series);
    gauge_of(sink, "prometheus_tsdb_head_chunks", "Chunks held.", (double)s->chunks);
    counter_of(sink, "prometheus_tsdb_head_series_created_total", "Series ever created.",
               s->series_created);
    counter_of(sink, "prometheus_tsdb_head_series_removed_total", "Series ever forgotten.",
               s->series_forgotten);
    counter_of(sink, "prometheus_tsdb_head_chunks_created_total", "Chunks ever created.",
               s->chunks_created);
    counter_of(sink, "prometheus_tsdb_head_chunks_removed_total", "Chunks ever expired.",
               s->chunks_expired);
    by_type(sink, "prometheus_tsdb_head_samples_appended_total", "Samples stored.",
            s->samples_appended);
    by_type(sink, "prometheus_tsdb_out_of_order_samples_appended_total",
            "Samples stored out of order.", s->samples_late);
    gauge_of(sink, "hearth_storage_samples_waiting",
             "Samples that came out of order and wait, raw, to be merged into their chunks.",
             (double)s->samples_waiting);
    by_type(sink, "prometheus_tsdb_too_old_samples_total",
            "Samples refused because they are older than the oldest window.",
            s->refused[REFUSED_TOO_OLD]);
    by_type(sink, "prometheus_tsdb_out_of_bound_samples_total",
            "Samples refused because they are too far in the future.", s->refused[REFUSED_TOO_NEW]);
    gauge_of(sink, "prometheus_tsdb_symbol_table_size_bytes", "Bytes of distinct label strings.",
             (double)s->symbol_bytes);
}

/* Times of the samples held; without any, Prometheus' values for an empty head. */
static void collect_times(const struct metric_sink *sink, const struct storage_stats *s)
{
    double min_ms = (double)s->min_time_ms;
    double max_ms = (double)s->max_time_ms;
    gauge_of(sink, "prometheus_tsdb_lowest_timestamp", "Time of the oldest sample, milliseconds.",
             min_ms);
    gauge_of(sink, "prometheus_tsdb_lowest_timestamp_seconds", "Time of the oldest sample.",
             min_ms / 1000);
    gauge_of(sink, "prometheus_tsdb_head_min_time", "Time of the oldest sample, milliseconds.",
             min_ms);
    gauge_of(sink, "prometheus_tsdb_head_min_time_seconds", "Time of the oldest sample.",
             min_ms / 1000);
    gauge_of(sink, "prometheus_tsdb_head_max_time", "Time of the newest sample, milliseconds.",
             max_ms);
    gauge_of(sink, "prometheus_tsdb_head_max_time_seconds", "Time of the newest sample.",
             max_ms / 1000);
}

static void collect_clock(const struct hearth *h, const struct metric_sink *sink)
{
    struct storage_clock clock;
    storage_clock_read(h->storage, &clock);
    gauge_of(sink, "hearth_clock_offset_seconds",
             "The clock less the time that windows go by: not 0 while a jump is in doubt.",
             (double)clock.offset_ms / 1000);
    metric_family(sink, "hearth_clock_jumps_total", METRIC_COUNTER, "Jumps of the clock.");
    metric_labeled(sink, "direction", STR("forward"), (double)clock.jumps[0]);
    metric_labeled(sink, "direction", STR("back"), (double)clock.jumps[1]);
}

static void collect_windows(struct hearth *h, const struct metric_sink *sink)
{
    struct window_info windows[STORAGE_WINDOWS_MAX];
    char text[32];
    size_t count = export_windows(h->storage, windows);
    gauge_of(sink, "prometheus_tsdb_blocks_loaded", "Windows that hold samples.", (double)count);
    gauge_of(sink, "prometheus_tsdb_retention_limit_seconds", "Time that is kept.",
             (double)h->config.chunk_ms / 1000 * (double)h->config.windows);
    metric_family(sink, "hearth_window_chunks", METRIC_GAUGE,
                  "Chunks by window, labeled with the window's start as Unix seconds.");
    for (size_t i = 0; i < count; i++) {
        int64_t start_ms = storage_window_start_ms(h->storage, windows[i].window);
        int size = snprintf(text, sizeof(text), "%" PRId64, start_ms / 1000);
        metric_labeled(sink, "window", (struct str){text, (size_t)size}, (double)windows[i].chunks);
    }
}

static void collect_storage(struct hearth *h, const struct metric_sink *sink)
{
    struct storage_stats s;
    storage_stats_read(h->storage, &s);
    collect_head(sink, &s);
    collect_times(sink, &s);
    collect_windows(h, sink);
    collect_clock(h, sink);
    gauge_of(sink, "prometheus_tsdb_head_active_appenders", "Write requests under way.",
             (double)gauge_read(&h->writes.active));
    gauge_of(sink, "hearth_samples", "Samples held.", (double)s.samples);
    gauge_of(
        sink, "hearth_chunk_bytes",
        "Bytes of compressed samples: whole cells of open chunks, sealed ones as they are, those "
        "that several series share once for each.",
        (double)s.chunk_bytes);
    gauge_of(sink, "hearth_symbols", "Distinct label strings.", (double)s.symbols);
    gauge_of(sink, "hearth_label_pairs", "Distinct pairs of label name and value.",
             (double)s.label_pairs);
    counter_of(sink, "hearth_matches_found_total",
               "Expressions of selectors whose values were known from before.", s.match_hits);
    counter_of(sink, "hearth_matches_missed_total",
               "Expressions of selectors whose values were not known.", s.match_misses);
    gauge_of(sink, "hearth_matches_bytes", "Bytes of known values of expressions.",
             (double)s.match_bytes);
    gauge_of(sink, "hearth_views", "Views of storage that queries have open.", (double)s.views);
    gauge_of(sink, "hearth_view_note_bytes",
             "Bytes of notes of what chunks held when views were opened.",
             (double)s.view_note_bytes);
    counter_of(
        sink, "hearth_views_lost_total",
        "Views that were open when a note found no memory, or a window could wait no longer: "
        "from there on they may have shown a part of a request.",
        s.views_lost);
    metric_family(sink, "hearth_samples_refused_total", METRIC_COUNTER,
                  "Samples that storage did not take, by reason.");
    for (int reason = 0; reason < REFUSED_REASON_COUNT; reason++)
        metric_labeled(sink, "reason", str_from(sample_refusal_name((enum sample_refusal)reason)),
                       (double)s.refused[reason]);
}

static void collect_writes(const struct hearth *h, const struct metric_sink *sink)
{
    static const char *const outcomes[REFUSED_REASON_COUNT] = {[REFUSED_TOO_OLD] = "too_old",
                                                               [REFUSED_TOO_NEW] = "future",
                                                               [REFUSED_CONFLICT] = "conflict",
                                                               [REFUSED_MAX_SERIES] = "max_series",
                                                               [REFUSED_NEW_SERIES] =
                                                                   "budget_new_series",
                                                               [REFUSED_NO_MEMORY] = "budget"};
    const struct write_counters *w = &h->writes;
    metric_family(sink, "hearth_write_samples_total", METRIC_COUNTER,
                  "Samples that came by remote write, by what became of them.");
    metric_labeled(sink, "outcome", STR("stored"), (double)counter_read(&w->stored));
    metric_labeled(sink, "outcome", STR("noop"), (double)counter_read(&w->duplicates));
    metric_labeled(sink, "outcome", STR("invalid"), (double)counter_read(&w->invalid));
    for (int i = 0; i < REFUSED_REASON_COUNT; i++)
        metric_labeled(sink, "outcome", str_from(outcomes[i]),
                       (double)counter_read(&w->refused[i]));
    counter_of(sink, "prometheus_api_remote_write_invalid_labels_samples_total",
               "Samples of series with invalid labels.", counter_read(&w->invalid));
    counter_of(sink, "hearth_write_exemplars_ignored_total",
               "Exemplars that came by remote write; they are not kept.",
               counter_read(&w->exemplars_ignored));
    counter_of(sink, "hearth_write_histograms_refused_total",
               "Native histograms that came by remote write; they are answered with 400.",
               counter_read(&w->histograms_refused));
    metric_family(sink, "hearth_shed_total", METRIC_COUNTER,
                  "Requests refused to stay within limits, by kind.");
    metric_labeled(sink, "action", STR("refuse_write"), (double)counter_read(&w->shed));
    metric_labeled(sink, "action", STR("refuse_new_series"),
                   (double)counter_read(&w->shed_new_series));
    metric_labeled(sink, "action", STR("refuse_query"), (double)counter_read(&h->queries.refused));
}

static void collect_log(const struct hearth *h, const struct metric_sink *sink,
                        const struct durability_stats *d)
{
    counter_of(sink, "hearth_wal_records_total", "Batches written to the log.", d->wal_records);
    counter_of(sink, "hearth_wal_written_bytes_total", "Bytes written to the log.", d->wal_bytes);
    gauge_of(sink, "prometheus_tsdb_wal_segment_current", "Number of the log's current segment.",
             (double)d->wal_segment);
    gauge_of(sink, "hearth_wal_segments", "Segments of the log on disk.", (double)d->wal_segments);
    gauge_of(sink, "prometheus_tsdb_wal_storage_size_bytes", "Bytes of the log on disk.",
             (double)d->wal_disk_bytes);
    counter_of(sink, "prometheus_tsdb_wal_writes_failed_total",
               "Writes or syncs of the log that failed.", d->wal_write_errors);
    counter_of(sink, "prometheus_tsdb_wal_corruptions_total",
               "Damaged records met when the log was read.", d->wal_corruptions);
    counter_of(sink, "hearth_wal_torn_ends_total", "Torn ends cut off when the log was read.",
               d->wal_truncations);
    counter_of(sink, "hearth_wal_lost_batches_total",
               "Batches that were missing when the log was read: damaged, or of missing segments.",
               d->wal_lost_batches);
    metric_family(sink, "hearth_wal_fsync_duration_seconds", METRIC_HISTOGRAM,
                  "How long syncs of the log took.");
    metric_histogram(sink, NULL, 0, d->fsync);
    metric_family(sink, "hearth_maintenance_round_duration_seconds", METRIC_HISTOGRAM,
                  "How long rounds of background work in storage took.");
    metric_histogram(sink, NULL, 0, &h->maintenance.rounds);
    metric_family(sink, "hearth_sweep_hold_seconds", METRIC_HISTOGRAM,
                  "How long expiry and sealing held a shard's lock, each time: what a request may "
                  "have waited for.");
    metric_histogram(sink, NULL, 0, &storage_sweep_times(h->storage)->holds);
}

static void collect_snapshots(const struct metric_sink *sink, const struct durability_stats *d)
{
    counter_of(sink, "hearth_snapshots_total", "Snapshots taken since the start.", d->snapshots);
    counter_of(sink, "hearth_snapshot_failures_total", "Snapshots that failed.",
               d->snapshot_failures);
    counter_of(sink, "hearth_snapshot_corruptions_total",
               "Damaged places met when windows and manifests were read.", d->snapshot_corruptions);
    counter_of(sink, "hearth_snapshot_written_bytes_total",
               "Bytes written to snapshots since the start.", d->snapshot_bytes);
    gauge_of(sink, "hearth_snapshot_bytes", "Bytes of the snapshot on disk.",
             (double)d->snapshot_disk_bytes);
    gauge_of(sink, "hearth_snapshot_duration_seconds", "How long the last snapshot took.",
             (double)d->snapshot_last_ns / 1e9);
    gauge_of(sink, "hearth_snapshot_last_timestamp_seconds",
             "When the last snapshot was taken; 0: none since the start.",
             (double)d->snapshot_last_ms / 1000);
    gauge_of(sink, "prometheus_tsdb_data_replay_duration_seconds", "How long recovery took.",
             (double)d->recover_ns / 1e9);
    gauge_of(sink, "hearth_restore_samples", "Samples that recovery brought back.",
             (double)d->recovered_samples);
    gauge_of(sink, "hearth_restore_series", "Series that recovery brought back.",
             (double)d->recovered_series);
}

static void collect_queries(struct hearth *h, const struct metric_sink *sink)
{
    struct query_pool_stats p;
    query_pool_stats_read(h->pool, &p);
    gauge_of(sink, "prometheus_engine_queries", "Queries being evaluated.", (double)p.running);
    gauge_of(sink, "prometheus_engine_queries_concurrent_max",
             "Queries evaluated at once, at most.", (double)p.threads);
    gauge_of(sink, "hearth_queries_queued", "Queries waiting for their turn.", (double)p.queued);
    counter_of(sink, "hearth_queries_at_once_total",
               "Queries of so little work that no worker was asked for them.",
               counter_read(&h->queries.at_once));
    metric_family(sink, "hearth_query_killed_total", METRIC_COUNTER,
                  "Queries that were not answered, by reason.");
    metric_labeled(sink, "reason", STR("queue_full"), (double)p.rejected);
    metric_labeled(sink, "reason", STR("queue_timeout"), (double)p.expired);
    metric_labeled(sink, "reason", STR("canceled"), (double)p.cancelled);
    metric_labeled(sink, "reason", STR("limit"), (double)counter_read(&h->queries.refused));
    counter_of(sink, "prometheus_engine_query_samples_total",
               "Samples that queries looked at, again at each step.",
               counter_read(&h->queries.samples_queryable));
    counter_of(sink, "prometheus_engine_query_samples_read_total", "Samples read by queries.",
               counter_read(&h->queries.samples_read));
    metric_family(sink, "hearth_query_duration_seconds", METRIC_HISTOGRAM,
                  "How long queries took, by phase.");
    struct label slice = {STR("slice"), STR("queue_time")};
    metric_histogram(sink, &slice, 1, p.queue_time);
    slice.value = STR("prepare_time");
    metric_histogram(sink, &slice, 1, &h->queries.prepare_time);
    slice.value = STR("inner_eval");
    metric_histogram(sink, &slice, 1, &h->queries.eval_time);
}

static struct str code_text(unsigned code, char text[8])
{
    if (code == 0) return STR("other");
    return (struct str){text, (size_t)snprintf(text, 8, "%u", code)};
}

static void collect_requests(const struct traffic *traffic, const struct metric_sink *sink)
{
    char text[8];
    metric_family(sink, "prometheus_http_requests_total", METRIC_COUNTER,
                  "HTTP requests, by handler and code.");
    for (size_t r = 0; r < routes_count(); r++) {
        for (size_t c = 0; c < TRAFFIC_CODES; c++) {
            uint64_t count = counter_read(&traffic->routes[r].requests[c]);
            if (count == 0 && c > 0) continue; /* code 200 is always there */
            struct label labels[] = {{STR("handler"), str_from(routes_at(r)->pattern)},
                                     {STR("code"), code_text(traffic_codes[c], text)}};
            metric_sample(sink, "", labels, ARRAY_COUNT(labels), (double)count);
        }
    }
    counter_of(sink, "hearth_http_unrouted_requests_total",
               "HTTP requests that no handler has seen: malformed, or no such path.",
               counter_read(&traffic->unrouted));
}

/* One route's buckets, cumulated; bound i is bounds(i). */
static void write_buckets(const struct metric_sink *sink, struct str handler,
                          const struct counter *buckets, const double *bounds, size_t count,
                          double sum)
{
    char text[NUMBER_TEXT_BYTES];
    uint64_t cumulative = 0;
    struct label labels[] = {{STR("handler"), handler}, {STR("le"), STR("+Inf")}};
    for (size_t i = 0; i < count; i++) {
        cumulative += counter_read(&buckets[i]);
        labels[1].value = (struct str){text, number_format_general(text, bounds[i])};
        metric_sample(sink, "_bucket", labels, 2, (double)cumulative);
    }
    cumulative += counter_read(&buckets[count]);
    labels[1].value = STR("+Inf");
    metric_sample(sink, "_bucket", labels, 2, (double)cumulative);
    metric_sample(sink, "_sum", labels, 1, sum);
    metric_sample(sink, "_count", labels, 1, (double)cumulative);
}

static bool was_used(const struct traffic_route *route)
{
    for (size_t i = 0; i <= TRAFFIC_DURATIONS; i++)
        if (counter_read(&route->durations[i])) return true;
    return false;
}

static void collect_traffic(const struct traffic *traffic, const struct metric_sink *sink)
{
    double sizes[TRAFFIC_SIZES];
    double bound = 100;
    for (size_t i = 0; i < TRAFFIC_SIZES; i++) {
        sizes[i] = bound;
        bound *= 10;
    }
    collect_requests(traffic, sink);
    metric_family(sink, "prometheus_http_request_duration_seconds", METRIC_HISTOGRAM,
                  "How long HTTP requests took, by handler.");
    for (size_t r = 0; r < routes_count(); r++) {
        const struct traffic_route *route = &traffic->routes[r];
        if (!was_used(route)) continue;
        write_buckets(sink, str_from(routes_at(r)->pattern), route->durations,
                      traffic_duration_bounds, TRAFFIC_DURATIONS,
                      (double)counter_read(&route->duration_ns) / 1e9);
    }
    metric_family(sink, "prometheus_http_response_size_bytes", METRIC_HISTOGRAM,
                  "Bytes of HTTP answers, by handler.");
    for (size_t r = 0; r < routes_count(); r++) {
        const struct traffic_route *route = &traffic->routes[r];
        if (!was_used(route)) continue;
        write_buckets(sink, str_from(routes_at(r)->pattern), route->sizes, sizes, TRAFFIC_SIZES,
                      (double)counter_read(&route->size_bytes));
    }
}

/* Locks nobody has ever waited for have no series. */
static void collect_lock_waits(const struct metric_sink *sink, bool seconds)
{
    for (int rank = 0; rank < LOCK_RANK_COUNT; rank++) {
        struct lock_waits w;
        lock_waits_read((enum lock_rank)rank, &w);
        struct label labels[] = {{STR("lock"), str_from(lock_rank_name((enum lock_rank)rank))},
                                 {STR("mode"), STR("read")}};
        if (w.reads > 0)
            metric_sample(sink, "", labels, 2, seconds ? (double)w.read_ns / 1e9 : (double)w.reads);
        labels[1].value = STR("write");
        if (w.writes > 0)
            metric_sample(sink, "", labels, 2,
                          seconds ? (double)w.write_ns / 1e9 : (double)w.writes);
    }
}

static void collect_locks(const struct metric_sink *sink)
{
    metric_family(sink, "hearth_lock_waits_total", METRIC_COUNTER,
                  "How often a lock was not free, by what it protects and what it was wanted for.");
    collect_lock_waits(sink, false);
    metric_family(sink, "hearth_lock_wait_seconds_total", METRIC_COUNTER,
                  "How long was waited for locks.");
    collect_lock_waits(sink, true);
}

void metrics_collect(struct hearth *h, const struct metric_sink *sink)
{
    struct durability_stats durability;
    struct process_stats process;
    durability_stats_read(h->durability, &durability);
    process_stats_read(&process);
    collect_build(h, sink);
    collect_process(h, &process, sink);
    metrics_collect_memory(h, &process, sink);
    collect_storage(h, sink);
    collect_writes(h, sink);
    collect_log(h, sink, &durability);
    collect_snapshots(sink, &durability);
    collect_queries(h, sink);
    collect_traffic(&h->traffic, sink);
    collect_locks(sink);
    counter_of(sink, "hearth_self_scrape_failures_total",
               "Scrapes of ourselves whose samples were not all stored.",
               counter_read(&h->self_scrape.failures));
}
