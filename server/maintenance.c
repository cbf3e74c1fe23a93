/* maintenance - three tickers. */
#include "server/maintenance.h"

#include <inttypes.h>

#include "alloc/heap.h"
#include "alloc/memstats.h"
#include "base/clock.h"
#include "base/log.h"
#include "server/budget.h"
#include "server/process.h"

uint64_t maintenance_other_bytes(uint64_t lazyfree_bytes)
{
    struct memstats stats;
    uint64_t resident = process_resident_bytes();
    memstats_read(&stats);
    uint64_t known = stats.resident + lazyfree_bytes;
    return resident > known ? resident - known : 0;
}

static struct budget_reading read_budget(const struct maintenance *m)
{
    struct memstats stats;
    memstats_read(&stats);
    return (struct budget_reading){.limit_bytes = m->options.memory_limit_bytes,
                                   .used_bytes = heap_used_bytes(),
                                   .idle_bytes = stats.heap_idle - stats.heap_released,
                                   .query_bytes = stats.tag_bytes[HEAP_QUERY]};
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

static void give_back(struct maintenance *m, const struct budget_reading *reading,
                      enum heap_pressure pressure)
{
    uint64_t surplus = budget_surplus(reading, pressure);
    int64_t before_ns = clock_thread_cpu_ns();
    /* Idle pages go when they are due; under pressure at once, in steps. */
    if (surplus > 0)
        (void)heap_scavenge(surplus < SCAVENGE_STEP_BYTES ? surplus : SCAVENGE_STEP_BYTES);
    else
        (void)heap_scavenge_round(clock_mono_ns());
    counter_add(&m->scavenge_ns, (uint64_t)(clock_thread_cpu_ns() - before_ns));
}

/* What is not ours. With lazy release that takes the kernel a walk over all our pages: the longer
 * it took, the longer what it said holds. */
static void measure_other(struct maintenance *m)
{
    bool lazily = heap_scavenges_lazily();
    int64_t before_ns = clock_thread_cpu_ns();
    if (lazily && clock_mono_ns() < m->walk_due_ns) return;
    uint64_t lazyfree = lazily ? process_lazyfree_bytes() : 0;
    uint64_t other = maintenance_other_bytes(lazyfree);
    gauge_set(&m->lazyfree_bytes, (int64_t)lazyfree);
    gauge_set(&m->other_bytes, (int64_t)other);
    heap_set_other_bytes(other);
    m->walk_due_ns = clock_mono_ns() + MAINTENANCE_WALK_REST * (clock_thread_cpu_ns() - before_ns);
}

static void measure_memory(struct maintenance *m)
{
    measure_other(m);
    enum heap_pressure before = heap_pressure();
    if (before != HEAP_CALM) heap_flush_all();
    struct budget_reading reading = read_budget(m);
    enum heap_pressure now = budget_pressure(&reading, before);
    heap_set_pressure(now);
    storage_hurry(m->options.storage, now != HEAP_CALM);
    log_pressure(before, now, &reading);
    give_back(m, &reading, now);
}

/* A window has passed, and what it took away is gone. */
static void note_boundary(struct maintenance *m, int64_t oldest_window)
{
    if (oldest_window == m->oldest_window) return;
    m->oldest_window = oldest_window;
    gauge_set(&m->boundary_ms, clock_wall_ms());
}

/* Memory has been the same for a while, all of it is in use, and nothing is due within a rest. */
static bool may_rest(struct maintenance *m)
{
    struct budget_reading reading = read_budget(m);
    uint64_t used = reading.used_bytes;
    uint64_t change = used > m->used_bytes ? used - m->used_bytes : m->used_bytes - used;
    bool calm = change <= MAINTENANCE_CALM_BYTES && heap_pressure() == HEAP_CALM &&
                reading.idle_bytes <= MAINTENANCE_CALM_BYTES;
    m->calm_rounds = calm ? m->calm_rounds + 1 : 0;
    if (!calm) m->used_bytes = used;
    return m->calm_rounds >= MAINTENANCE_CALM_ROUNDS && m->options.rests;
}

static int64_t rest(struct maintenance *m)
{
    atomic_store(&m->rested_bytes, m->used_bytes + 2 * (uint64_t)MAINTENANCE_CALM_BYTES);
    return MAINTENANCE_REST_MS;
}

void maintenance_notice(struct maintenance *m)
{
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
    int64_t now_ns = clock_mono_ns();
    if (now_ns - m->measured_ns >= MAINTENANCE_MEASURE_MS * NS_PER_MS) {
        m->measured_ns = now_ns;
        measure_memory(m);
    }
    gauge_set(&m->cpu_ns, clock_thread_cpu_ns());
    /* A snapshot begins with reading that. */
    if (storage_held_is_due(m->options.storage)) ticker_wake(&m->snapshot);
    if (more) return 1;
    /* What waits for readers is tried again soon; otherwise nothing is so urgent. */
    if (storage_has_garbage(m->options.storage)) return MAINTENANCE_INTERVAL_MS;
    return may_rest(m) ? rest(m) : MAINTENANCE_IDLE_MS;
}

static int64_t snapshot_round(void *arg)
{
    struct maintenance *m = arg;
    struct error err;
    /* The first call is at the start, when everything is on disk already. */
    if (m->snapshot_due) {
        enum status st = durability_snapshot(m->options.durability, m->options.storage, &err);
        if (!st) atomic_store(&m->rescuing, false);
        if (st)
            log_error("snapshot", "snapshot failed, the previous one stays", "err=%s",
                      LOG_TEXT(str_from(err.text)));
    }
    m->snapshot_due = true;
    maintenance_notice(m);
    int64_t wait_ms = m->options.snapshot_interval_ms;
    if (durability_wants_snapshot(m->options.durability) && wait_ms > MAINTENANCE_RETRY_MS)
        wait_ms = MAINTENANCE_RETRY_MS;
    return wait_ms;
}

static int64_t sync_round(void *arg)
{
    struct maintenance *m = arg;
    durability_sync(m->options.durability);
    /* Once: on a disk that goes on failing, the retries are the snapshot thread's. */
    if (durability_wants_snapshot(m->options.durability) && !atomic_exchange(&m->rescuing, true))
        ticker_wake(&m->snapshot);
    return m->options.sync_interval_ms;
}

enum status maintenance_start(struct maintenance *m, const struct maintenance_options *options,
                              struct error *err)
{
    m->options = *options;
    m->start_ns = clock_mono_ns();
    m->oldest_window = storage_bounds(options->storage).oldest_window;
    enum status st = ticker_start(&m->maintain, "maintain", maintain_round, m, err);
    if (!st) st = ticker_start(&m->snapshot, "snapshot", snapshot_round, m, err);
    if (!st && options->sync_interval_ms > 0)
        st = ticker_start(&m->sync, "wal-sync", sync_round, m, err);
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
    double available_ns = (double)(clock_mono_ns() - m->start_ns) * process_cores();
    return m->start_ns && available_ns > 0 ? (double)gauge_read(&m->cpu_ns) / available_ns : 0;
}

/* Far from the limit this is two atomic loads. Near it every request looks at the exact numbers, so
 * that a burst between two measurements does not eat what is left for others. */
enum heap_pressure maintenance_pressure(const struct maintenance *m)
{
    enum heap_pressure before = heap_pressure();
    uint64_t hard = budget_hard_bytes(m->options.memory_limit_bytes);
    if (before < HEAP_HARD && heap_used_bytes() <= hard) return before;
    struct budget_reading reading = read_budget(m);
    return budget_pressure(&reading, before);
}
