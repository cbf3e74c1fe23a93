/* maintenance - three tickers. */
#include "server/maintenance.h"

#include <inttypes.h>

#include "alloc/heap.h"
#include "alloc/memstats.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "server/budget.h"
#include "server/process.h"

static uint64_t other_bytes(const struct memstats *stats, uint64_t lazyfree_bytes)
{
    uint64_t resident = process_resident_bytes();
    uint64_t known = stats->resident + lazyfree_bytes;
    return resident > known ? resident - known : 0;
}

uint64_t maintenance_other_bytes(uint64_t lazyfree_bytes)
{
    struct memstats stats;
    memstats_read(&stats);
    return other_bytes(&stats, lazyfree_bytes);
}

uint64_t maintenance_other_now(const struct maintenance *m, const struct memstats *stats)
{
    return heap_scavenges_lazily() ? (uint64_t)gauge_read(&m->other_bytes) : other_bytes(stats, 0);
}

static struct budget_reading budget_of(const struct maintenance *m, const struct memstats *stats)
{
    return (struct budget_reading){.limit_bytes = m->options.memory_limit_bytes,
                                   .used_bytes = heap_used_bytes(),
                                   .idle_bytes = stats->heap_idle - stats->heap_released,
                                   .query_bytes = stats->tag_bytes[HEAP_QUERY]};
}

static void log_pressure(enum heap_pressure before, enum heap_pressure now,
                         const struct budget_reading *reading)
{
    static const struct {
        enum heap_pressure level;
        const char *begins;
        const char *ends;
    } rows[] = {
        {HEAP_HARD, "near the limit, new series are refused", "new series are accepted again"},
        {HEAP_FULL, "at the limit, all samples are refused", "samples are accepted again"}};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if (now >= rows[i].level && before < rows[i].level)
            log_warn("memory", rows[i].begins, "used_bytes=%" PRIu64 " limit_bytes=%" PRIu64,
                     reading->used_bytes, reading->limit_bytes);
        if (now < rows[i].level && before >= rows[i].level)
            log_info("memory", rows[i].ends, "used_bytes=%" PRIu64 " limit_bytes=%" PRIu64,
                     reading->used_bytes, reading->limit_bytes);
    }
}

static uint64_t give_back(struct maintenance *m, const struct budget_reading *reading,
                          enum heap_pressure pressure)
{
    uint64_t surplus = budget_surplus(reading, pressure);
    int64_t before_ns = clock_thread_cpu_ns();
    /* Idle pages go when they are due; under pressure at once, in steps. */
    uint64_t gone =
        surplus > 0 ? heap_scavenge(surplus < SCAVENGE_STEP_BYTES ? surplus : SCAVENGE_STEP_BYTES)
                    : heap_scavenge_round(clock_mono_ns());
    counter_add(&m->scavenge_ns, (uint64_t)(clock_thread_cpu_ns() - before_ns));
    return gone;
}

/* What is not ours. With lazy release that takes the kernel a walk over all our pages: the longer
 * it took, the longer what it said holds. */
static void measure_other(struct maintenance *m, const struct memstats *stats)
{
    bool lazily = heap_scavenges_lazily();
    int64_t before_ns = clock_thread_cpu_ns();
    if (lazily && clock_mono_ns() < m->walk_due_ns) return;
    uint64_t lazyfree = lazily ? process_lazyfree_bytes() : 0;
    uint64_t other = other_bytes(stats, lazyfree);
    gauge_set(&m->lazyfree_bytes, (int64_t)lazyfree);
    gauge_set(&m->other_bytes, (int64_t)other);
    heap_set_other_bytes(other);
    m->walk_due_ns = clock_mono_ns() + MAINTENANCE_WALK_REST * (clock_thread_cpu_ns() - before_ns);
}

/* True when that was work: memory went, or is short. */
static bool measure_memory(struct maintenance *m)
{
    struct memstats stats;
    memstats_read(&stats);
    measure_other(m, &stats);
    enum heap_pressure before = heap_pressure();
    if (before != HEAP_CALM) {
        heap_flush_all();
        memstats_read(&stats);
    }
    struct budget_reading reading = budget_of(m, &stats);
    enum heap_pressure now = budget_pressure(&reading, before);
    heap_set_pressure(now);
    storage_hurry(m->options.storage, now != HEAP_CALM);
    log_pressure(before, now, &reading);
    uint64_t gone = give_back(m, &reading, now);
    m->used_bytes = heap_used_bytes();
    return gone > 0 || now != HEAP_CALM;
}

/* A window has passed, and what it took away is gone. */
static void note_boundary(struct maintenance *m, int64_t oldest_window)
{
    if (oldest_window == m->oldest_window) return;
    m->oldest_window = oldest_window;
    gauge_set(&m->boundary_ms, clock_wall_ms());
}

/* Since memory was measured somebody has worked, or there is more or less of it; or it is short. */
static bool has_news(struct maintenance *m)
{
    uint64_t used = heap_used_bytes();
    uint64_t change = used > m->used_bytes ? used - m->used_bytes : m->used_bytes - used;
    return atomic_exchange(&m->noticed, false) || change > MAINTENANCE_CALM_BYTES ||
           used > budget_soft_bytes(m->options.memory_limit_bytes);
}

/* Measure memory, if anything may have changed; true: look again soon. Without news once more, when
 * what is free has been so for long enough to go, and then until nothing went. */
static bool look_at_memory(struct maintenance *m)
{
    bool news = has_news(m);
    int64_t now_ns = clock_mono_ns();
    int64_t due_ms = m->settled ? MAINTENANCE_SETTLED_MS : MAINTENANCE_REST_MS;
    if (!news && now_ns - m->measured_ns < due_ms * NS_PER_MS) return false;
    m->measured_ns = now_ns;
    bool busy = measure_memory(m) || news;
    m->settled = !busy;
    return busy || !m->options.rests;
}

static int64_t rest(struct maintenance *m)
{
    atomic_store(&m->rested_bytes, m->used_bytes + 2 * (uint64_t)MAINTENANCE_CALM_BYTES);
    return MAINTENANCE_REST_MS;
}

void maintenance_notice(struct maintenance *m)
{
    if (!atomic_load_explicit(&m->noticed, memory_order_relaxed)) atomic_store(&m->noticed, true);
    uint64_t rested = atomic_load_explicit(&m->rested_bytes, memory_order_relaxed);
    if (rested == 0 || heap_used_bytes() <= rested) return;
    if (atomic_exchange(&m->rested_bytes, 0) != 0) ticker_wake(&m->maintain);
}

static int64_t maintain_round(void *arg)
{
    struct maintenance *m = arg;
    atomic_store(&m->rested_bytes, 0);
    int64_t oldest_window = storage_bounds(m->options.storage).oldest_window;
    bool more = true;
    for (int i = 0; more && i < MAINTENANCE_ROUNDS_MAX; i++) {
        int64_t before_ns = clock_mono_ns();
        more = storage_maintain(m->options.storage);
        histogram_observe_ns(&m->rounds, clock_mono_ns() - before_ns);
    }
    if (!more) note_boundary(m, oldest_window);
    bool wait = clock_mono_ns() - m->measured_ns < MAINTENANCE_MEASURE_MS * NS_PER_MS;
    bool busy = wait || look_at_memory(m);
    gauge_set(&m->cpu_ns, clock_thread_cpu_ns());
    if (more) return 1;
    /* What waits for readers is tried again soon; otherwise nothing is so urgent. */
    if (storage_has_garbage(m->options.storage)) return MAINTENANCE_INTERVAL_MS;
    return busy || !m->options.rests ? MAINTENANCE_IDLE_MS : rest(m);
}

/* False: somebody else is taking one, and it is tried again soon. */
static bool take_snapshot(struct maintenance *m)
{
    struct error err;
    enum status st = durability_snapshot(m->options.durability, m->options.storage, &err);
    if (st == ERR_CONFLICT) return false;
    if (st)
        log_error("snapshot", "snapshot failed, the previous one stays", "err=%s",
                  LOG_TEXT(str_from(err.text)));
    else
        atomic_store(&m->rescuing, false);
    return true;
}

static int64_t snapshot_round(void *arg)
{
    struct maintenance *m = arg;
    /* The first call is at the start, when everything is on disk already. */
    bool soon = m->snapshot_due && !take_snapshot(m);
    m->snapshot_due = true;
    maintenance_notice(m);
    soon = soon || durability_wants_snapshot(m->options.durability);
    int64_t wait_ms = m->options.snapshot_interval_ms;
    return soon && wait_ms > MAINTENANCE_RETRY_MS ? MAINTENANCE_RETRY_MS : wait_ms;
}

static int64_t sync_round(void *arg)
{
    struct maintenance *m = arg;
    bool any = durability_sync(m->options.durability);
    /* Once: on a disk that goes on failing, the retries are the snapshot thread's. */
    if (durability_wants_snapshot(m->options.durability) && !atomic_exchange(&m->rescuing, true))
        ticker_wake(&m->snapshot);
    return any ? m->options.sync_interval_ms : TICKER_UNTIL_WOKEN;
}

void maintenance_logged(struct maintenance *m)
{
    ticker_wake(&m->sync);
}

enum status maintenance_start(struct maintenance *m, const struct maintenance_options *options,
                              struct error *err)
{
    m->options = *options;
    m->cores = thread_cores();
    atomic_store(&m->start_ns, clock_mono_ns());
    m->oldest_window = storage_bounds(options->storage).oldest_window;
    enum status st = ticker_start(&m->maintain, "maintain", maintain_round, m, err);
    if (!st) st = ticker_start(&m->snapshot, "snapshot", snapshot_round, m, err);
    if (!st) st = ticker_start(&m->sync, "wal-sync", sync_round, m, err);
    if (st) maintenance_stop(m);
    return st;
}

void maintenance_stop(struct maintenance *m)
{
    ticker_stop(&m->sync);
    ticker_stop(&m->snapshot);
    ticker_stop(&m->maintain);
}

double maintenance_cpu_fraction(const struct maintenance *m)
{
    int64_t start_ns = atomic_load(&m->start_ns);
    if (start_ns == 0) return 0;
    double available_ns = (double)(clock_mono_ns() - start_ns) * m->cores;
    return available_ns > 0 ? (double)gauge_read(&m->cpu_ns) / available_ns : 0;
}

/* Far from the limit this is two atomic loads. Near it every request looks at the exact numbers, so
 * that a burst between two measurements does not eat what is left for others. */
enum heap_pressure maintenance_pressure(const struct maintenance *m)
{
    enum heap_pressure before = heap_pressure();
    uint64_t hard = budget_hard_bytes(m->options.memory_limit_bytes);
    if (before < HEAP_HARD && heap_used_bytes() <= hard) return before;
    struct memstats stats;
    memstats_read(&stats);
    struct budget_reading reading = budget_of(m, &stats);
    return budget_pressure(&reading, before);
}
