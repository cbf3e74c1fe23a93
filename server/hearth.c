/* hearth - open everything in order, close it in reverse. */
#include "server/hearth.h"

#include <inttypes.h>
#include <unistd.h>

#include "alloc/heap.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/parallel.h"
#include "base/thread.h"
#include "server/budget.h"
#include "server/dispatch.h"
#include "server/process.h"
#include "server/routes.h"
#include "server/version.h"

enum {
    STOP_GRACE_MS = 5000,  /* running requests may finish */
    STOP_CANCEL_MS = 3000, /* then queries are cancelled, and have so long to notice */
    STOP_POLL_MS = 10,
    WRITER_THREADS = 32,    /* with wal.sync=always: so many share a sync, */
    WRITER_QUEUE_MAX = 256, /* and so many wait for them */
    RESTS_CHUNK_MS = 600000,
    RECOVERY_DIVISOR = 4 /* so great a part beyond the limit may be taken while recovering */
};

/* Bytes kept for the process when neither the machine nor a flag says how much there is. */
#define MEMORY_UNKNOWN_BYTES (UINT64_C(1) << 30)

static void open_budget(struct hearth *h)
{
    uint64_t available = process_memory_available_bytes();
    if (available == 0) available = MEMORY_UNKNOWN_BYTES;
    h->memory_limit_bytes = budget_resolve(h->config.memory_limit, available);
    h->query_arena_bytes = budget_resolve(h->config.query_memory, h->memory_limit_bytes);
    if (h->memory_limit_bytes > available)
        log_warn("memory", "the limit is above what there is",
                 "limit_bytes=%" PRIu64 " available_bytes=%" PRIu64, h->memory_limit_bytes,
                 available);
    heap_scavenge_lazily(h->config.memory_release == MEMORY_RELEASE_FREE);
    heap_set_limit(h->memory_limit_bytes);
    heap_set_other_bytes(maintenance_other_bytes(0));
}

static uint64_t query_bytes(const struct hearth *h)
{
    if (heap_pressure() == HEAP_CALM) return h->query_arena_bytes;
    struct query_pool_stats pool;
    query_pool_stats_read(h->pool, &pool);
    uint64_t used = heap_used_bytes();
    uint64_t room = used < h->memory_limit_bytes ? h->memory_limit_bytes - used : 0;
    return budget_query_bytes(h->query_arena_bytes, room, pool.running);
}

void hearth_query_arena(const struct hearth *h, struct arena *a)
{
    arena_init(a, HEAP_QUERY, query_bytes(h));
    a->spare_bytes = budget_spare_bytes(h->memory_limit_bytes);
    a->granted_bytes = budget_granted_bytes(h->memory_limit_bytes);
}

static enum status open_storage(struct hearth *h, struct error *err)
{
    struct storage_options options = storage_options_default();
    options.chunk_ms = h->config.chunk_ms;
    options.windows = (uint32_t)h->config.windows;
    options.future_ms = h->config.future_ms;
    options.patience_ms = h->config.patience_ms;
    enum status st = storage_open(&options, &h->storage, err);
    if (st) return st;
    h->engine = (struct engine){.db = h->storage, .options = engine_options_default()};
    h->engine.options.lookback_ms = h->config.query_lookback_ms;
    h->engine.options.samples_max = h->config.query_samples_max;
    for (uint32_t i = 0; i < h->config.feature_count && !st; i++)
        st = engine_enable_features(&h->engine.options, str_from(h->config.features[i]), err);
    return st;
}

static void on_news(void *self)
{
    struct hearth *h = self;
    maintenance_logged(&h->maintenance);
}

static enum status open_durability(struct hearth *h, struct error *err)
{
    const struct durability_options options = {.path = h->config.storage_path,
                                               .sync = (enum wal_sync)h->config.wal_sync,
                                               .segment_bytes = h->config.wal_segment_bytes,
                                               .restore_threads = parallel_cores(),
                                               .news = on_news,
                                               .news_self = h};
    return durability_open(&options, &h->durability, err);
}

/* The threads that help with queries. */
static enum status open_crew(struct hearth *h, struct error *err)
{
    uint32_t threads =
        h->config.query_threads ? (uint32_t)h->config.query_threads : parallel_cores();
    h->engine.options.threads_max = threads;
    if (threads < 2) return OK;
    enum status st = crew_open(threads - 1, &h->crew, err);
    h->engine.crew = h->crew;
    return st;
}

static uint64_t http_threads(const struct config *config)
{
    enum { LEAST = 2, MOST = 16 };
    if (config->web_threads > 0) return config->web_threads;
    uint32_t cores = thread_cores();
    if (cores < LEAST) return LEAST;
    return cores > MOST ? MOST : cores;
}

static enum status open_http(struct hearth *h, struct error *err)
{
    const struct config *c = &h->config;
    const struct http_options options = {.addresses = c->listen_addresses,
                                         .address_count = c->listen_address_count,
                                         .connections_max = c->web_connections_max,
                                         .threads = http_threads(c),
                                         .read_timeout_ms = c->web_read_timeout_ms,
                                         .idle_timeout_ms = c->web_idle_timeout_ms,
                                         .body_bytes_max = c->web_body_bytes_max,
                                         .arena_bytes_max = HEARTH_REQUEST_ARENA_BYTES_MAX,
                                         .app = h,
                                         .callbacks = dispatch_callbacks()};
    enum status st = http_open(&options, &h->http, err);
    if (st) return st;
    for (uint32_t i = 0; i < c->listen_address_count; i++)
        log_info("http", "listening", "address=%s", http_address(h->http, i));
    return OK;
}

enum status hearth_open(const struct config *config, struct hearth **out, struct error *err)
{
    ASSERT(routes_count() <= TRAFFIC_ROUTES_MAX);
    struct hearth *h = heap_calloc(1, sizeof(*h), HEAP_PROCESS);
    if (!h) return error_set(err, ERR_NO_MEMORY, "no memory for the server");
    h->config = *config;
    h->start_ms = clock_wall_ms();
    atomic_store(&h->state, HEARTH_STARTING);
    log_info("server", "starting", "version=%s revision=%s pid=%d", HEARTH_VERSION, HEARTH_REVISION,
             (int)getpid());
    process_raise_fd_limit();
    open_budget(h);
    enum status st = regex_create_matching(str_from(config->cors_origin), &h->cors_origin, err);
    if (!st) st = open_storage(h, err);
    if (!st) st = open_durability(h, err);
    if (!st) st = open_crew(h, err);
    if (!st)
        st = query_pool_open((uint32_t)config->query_concurrency, config->query_queue_max, &h->pool,
                             err);
    if (!st && config->wal_sync == WAL_SYNC_ALWAYS)
        st = query_pool_open(WRITER_THREADS, WRITER_QUEUE_MAX, &h->writers, err);
    if (!st) st = open_http(h, err);
    if (st) {
        hearth_close(h);
        return st;
    }
    *out = h;
    return OK;
}

static enum status start_background(struct hearth *h, struct error *err)
{
    const struct maintenance_options options = {.storage = h->storage,
                                                .durability = h->durability,
                                                .memory_limit_bytes = h->memory_limit_bytes,
                                                .snapshot_interval_ms =
                                                    h->config.snapshot_interval_ms,
                                                .sync_interval_ms = h->config.wal_sync_interval_ms,
                                                .rests = h->config.chunk_ms >= RESTS_CHUNK_MS};
    enum status st = maintenance_start(&h->maintenance, &options, err);
    if (!st) st = self_scrape_start(&h->self_scrape, h, err);
    return st;
}

/* While the log is read its names are held beside the series that it makes: a process that was at
 * its limit needs more to come up again than it had, and gives it back at once. */
static uint64_t recovery_limit_bytes(const struct hearth *h)
{
    uint64_t limit = h->memory_limit_bytes;
    uint64_t available = process_memory_available_bytes();
    uint64_t most = limit + limit / RECOVERY_DIVISOR;
    if (available > 0 && most > available) most = available;
    return most > limit ? most : limit;
}

enum status hearth_recover(struct hearth *h, struct error *err)
{
    int64_t start_ns = clock_mono_ns();
    struct durability_stats stats;
    heap_set_limit(recovery_limit_bytes(h));
    enum status st = durability_recover(h->durability, h->storage, err);
    if (st == ERR_NO_MEMORY)
        return error_wrap(err,
                          "the data does not fit into --storage.memory-limit, %" PRIu64
                          " MiB: start with a larger one; nothing is lost: ",
                          h->memory_limit_bytes >> 20);
    if (st) return st;
    heap_flush_thread(); /* it took part, and has little to do from here on */
    (void)heap_scavenge(UINT64_MAX);
    heap_set_limit(h->memory_limit_bytes);
    storage_set_journal(h->storage, durability_journal(h->durability));
    storage_limit_series(h->storage, h->config.max_series);
    st = start_background(h, err);
    if (st) return st;
    atomic_store(&h->state, HEARTH_READY);
    durability_stats_read(h->durability, &stats);
    log_info("server", "ready",
             "series=%" PRIu64 " samples=%" PRIu64 " start_ms=%" PRId64
             " memory_limit_bytes=%" PRIu64,
             stats.recovered_series, stats.recovered_samples,
             (clock_mono_ns() - start_ns) / 1000000, h->memory_limit_bytes);
    return OK;
}

static bool wait_for_requests(struct hearth *h, int64_t grace_ms)
{
    for (int64_t waited_ms = 0; http_active(h->http) > 0; waited_ms += STOP_POLL_MS) {
        if (waited_ms >= grace_ms) return false;
        thread_sleep_ms(STOP_POLL_MS);
    }
    return true;
}

/* New requests get 503 from here on; the running ones may finish, queries not for ever. */
static void drain(struct hearth *h)
{
    if (!h->http || wait_for_requests(h, STOP_GRACE_MS)) return;
    log_warn("server", "cancelling queries to stop", "requests=%" PRId64, http_active(h->http));
    query_pool_cancel_all(h->pool);
    (void)wait_for_requests(h, STOP_CANCEL_MS);
}

static void last_snapshot(struct hearth *h)
{
    struct error err;
    if (durability_snapshot(h->durability, h->storage, &err) == OK) return;
    log_error("snapshot", "the last snapshot failed, the log has everything", "err=%s",
              LOG_TEXT(str_from(err.text)));
}

void hearth_close(struct hearth *h)
{
    if (!h) return;
    bool was_ready = atomic_exchange(&h->state, HEARTH_STOPPING) == HEARTH_READY;
    drain(h);
    if (h->pool) query_pool_stop(h->pool); /* resumes what is parked: connections go after it */
    if (h->writers) query_pool_stop(h->writers);
    self_scrape_stop(&h->self_scrape);
    if (h->durability) durability_hurry(h->durability);
    maintenance_stop(&h->maintenance);
    http_close(h->http);
    query_pool_close(h->pool); /* its numbers were read until here */
    query_pool_close(h->writers);
    crew_close(h->crew);
    if (was_ready) last_snapshot(h);
    if (h->durability) durability_close(h->durability);
    if (h->storage) storage_close(h->storage);
    if (was_ready)
        log_info("server", "stopped", "uptime_ms=%" PRId64, clock_wall_ms() - h->start_ms);
    regex_destroy(h->cors_origin);
    heap_free(h, sizeof(*h), HEAP_PROCESS);
}
