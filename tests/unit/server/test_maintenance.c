/* maintenance: expired windows go, snapshots come, memory is measured. */
#include "server/maintenance.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "alloc/heap.h"
#include "alloc/memstats.h"
#include "server/budget.h"
#include "snapshot/file.h"
#include "tests/unit/server/served.h"
#include "tests/unit/snapshot/faults.h"

static struct served s;

START_TEST(expired_samples_go_by_themselves)
{
    struct storage_stats stats;
    served_open(&s, "--self-scrape.interval=0", "--storage.chunk-duration=1s",
                "--storage.windows=2", "--storage.future-tolerance=1s", NULL);
    served_store(&s, "m", clock_wall_ms(), 1);
    int64_t start_ms = clock_wall_ms();
    for (int waited = 0;; waited++) {
        storage_stats_read(s.app->storage, &stats);
        if (stats.series == 0 && stats.samples == 0) break;
        ck_assert_int_lt(waited, 1500);
        thread_sleep_ms(10);
    }
    for (int waited = 0; gauge_read(&s.app->maintenance.boundary_ms) == 0; waited++) {
        ck_assert_int_lt(waited, 1500);
        thread_sleep_ms(10);
    }
    ck_assert_int_ge(gauge_read(&s.app->maintenance.boundary_ms), start_ms);
    ck_assert_int_le(gauge_read(&s.app->maintenance.boundary_ms), clock_wall_ms());
    served_close(&s);
}
END_TEST

START_TEST(snapshots_are_taken_at_their_interval)
{
    struct durability_stats stats;
    served_open(&s, "--snapshot.interval=1s", "--self-scrape.interval=100ms", NULL);
    for (int waited = 0;; waited++) {
        durability_stats_read(s.app->durability, &stats);
        if (stats.snapshots >= 1) break;
        ck_assert_int_lt(waited, 1500);
        thread_sleep_ms(10);
    }
    served_close(&s);
}
END_TEST

/* Syncs wait until there is a sample; then the first fails, as a disk that lost a page says it
 * once. */
static atomic_bool is_stored;
static atomic_bool sync_fails;

static int fail_one_sync(enum fault_op op, const char *path)
{
    (void)path;
    if (op != FAULT_SYNC) return 0;
    while (!atomic_load(&is_stored))
        thread_sleep_ms(1);
    return atomic_exchange(&sync_fails, false) ? EIO : 0;
}

START_TEST(a_failed_sync_of_the_log_brings_a_snapshot_at_once)
{
    struct durability_stats stats;
    served_open(&s, "--snapshot.interval=24h", "--wal.sync-interval=10ms",
                "--self-scrape.interval=0", NULL);
    atomic_store(&is_stored, false);
    atomic_store(&sync_fails, true);
    faults_set(fail_one_sync);
    served_store(&s, "m", clock_wall_ms(), 1);
    atomic_store(&is_stored, true);
    for (int waited = 0;; waited++) {
        durability_stats_read(s.app->durability, &stats);
        if (stats.snapshots >= 1) break;
        ck_assert_int_lt(waited, 1500);
        thread_sleep_ms(10);
    }
    ck_assert_uint_eq(stats.wal_write_errors, 1);
    ck_assert(!durability_wants_snapshot(s.app->durability));
    faults_set(NULL);
    served_close(&s);
}
END_TEST

/* A snapshot on demand lasts longer than the interval. */
static atomic_bool is_slow;
static _Atomic uint32_t errors_told;

static int wait_for_rename(enum fault_op op, const char *path)
{
    (void)path;
    while (op == FAULT_RENAME && atomic_load(&is_slow))
        thread_sleep_ms(1);
    return 0;
}

static void count_errors(const char *line)
{
    if (strstr(line, "level=error")) atomic_fetch_add(&errors_told, 1);
}

static void *take_backup(void *arg)
{
    char name[BACKUP_NAME_BYTES];
    struct error err;
    (void)arg;
    EXPECT(durability_backup(s.app->durability, s.app->storage, false, name, &err) == OK);
    return NULL;
}

START_TEST(a_snapshot_that_is_being_taken_is_no_failure)
{
    pthread_t thread;
    struct durability_stats stats;
    served_open(&s, "--snapshot.interval=1s", "--self-scrape.interval=0", NULL);
    served_store(&s, "m", clock_wall_ms(), 1);
    atomic_store(&errors_told, 0);
    atomic_store(&is_slow, true);
    log_tap(count_errors);
    faults_set(wait_for_rename);
    ck_assert_int_eq(pthread_create(&thread, NULL, take_backup, NULL), 0);
    thread_sleep_ms(1300);
    atomic_store(&is_slow, false);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    faults_set(NULL);
    log_tap(NULL);
    durability_stats_read(s.app->durability, &stats);
    ck_assert_uint_eq(stats.snapshot_failures, 0);
    ck_assert_uint_eq(atomic_load(&errors_told), 0);
    served_close(&s);
}
END_TEST

static void await_syncs(uint64_t wanted)
{
    struct durability_stats stats;
    for (int waited = 0;; waited++) {
        durability_stats_read(s.app->durability, &stats);
        uint64_t syncs = 0;
        for (size_t i = 0; i <= HISTOGRAM_BUCKETS; i++)
            syncs += counter_read(&stats.fsync->buckets[i]);
        if (syncs >= wanted) return;
        ck_assert_int_lt(waited, 1500);
        thread_sleep_ms(10);
    }
}

START_TEST(a_log_that_was_quiet_is_synced_when_something_comes)
{
    served_open(&s, "--wal.sync-interval=10ms", "--self-scrape.interval=0", NULL);
    for (uint64_t i = 1; i <= 3; i++) {
        thread_sleep_ms(50); /* the syncer finds nothing */
        served_store(&s, "m", clock_wall_ms(), 1);
        await_syncs(i);
    }
    served_close(&s);
}
END_TEST

START_TEST(memory_that_is_not_ours_is_measured)
{
    served_open(&s, NULL);
    for (int waited = 0; gauge_read(&s.app->maintenance.other_bytes) == 0; waited++) {
        ck_assert_int_lt(waited, 1500);
        thread_sleep_ms(10);
    }
    ck_assert_uint_gt(maintenance_other_bytes(0), 100 << 10);
    ck_assert_int_eq(maintenance_pressure(&s.app->maintenance), HEAP_CALM);
    served_close(&s);
}
END_TEST

START_TEST(what_went_lazily_is_not_taken_for_memory_of_others)
{
    enum { BYTES = 64 << 20 };
    served_open(&s, "--storage.memory-release=free", "--self-scrape.interval=0", NULL);
    const struct maintenance *m = &s.app->maintenance;
    void *p = heap_alloc(BYTES, HEAP_HTTP);
    ck_assert_ptr_nonnull(p);
    memset(p, 1, BYTES);
    heap_free(p, BYTES, HEAP_HTTP);
    heap_flush_thread();
    ck_assert_uint_ge(heap_scavenge(UINT64_MAX), BYTES);
    for (int waited = 0; gauge_read(&m->lazyfree_bytes) < BYTES / 2; waited++) {
        ck_assert_int_lt(waited, 1500);
        thread_sleep_ms(10);
    }
#if !defined(__SANITIZE_THREAD__) /* its shadow is several times as large */
    ck_assert_int_lt(gauge_read(&m->other_bytes), BYTES);
#endif
    ck_assert_uint_gt(maintenance_other_bytes(0), BYTES / 2);
    heap_scavenge_lazily(false);
    served_close(&s);
}
END_TEST

static void await_pressure(enum heap_pressure wanted)
{
    for (int waited = 0; heap_pressure() != wanted; waited++) {
        ck_assert_int_lt(waited, 1500);
        thread_sleep_ms(10);
    }
}

enum { HOARD_STEP_BYTES = 4 << 20, HOARD_MAX = 256 };

struct hoard {
    void *items[HOARD_MAX];
    size_t count;
};

/* Memory that nobody touches is not resident and hides what is not ours from the measurement: the
 * more of it, the less is other, until there is enough. */
static void hoard_until(struct hoard *h, uint64_t used_bytes, enum heap_pressure wanted)
{
    for (int waited = 0; heap_pressure() != wanted; waited++) {
        while (heap_used_bytes() <= used_bytes + HOARD_STEP_BYTES) {
            ck_assert_uint_lt(h->count, HOARD_MAX);
            h->items[h->count] = heap_alloc(HOARD_STEP_BYTES, HEAP_HTTP);
            ck_assert_ptr_nonnull(h->items[h->count++]);
        }
        ck_assert_int_lt(waited, 1500);
        thread_sleep_ms(10);
    }
}

/* What a query that starts now may take. */
static uint64_t query_bytes(const struct hearth *h)
{
    struct arena a;
    hearth_query_arena(h, &a);
    ck_assert_uint_eq(a.spare_bytes, budget_spare_bytes(h->memory_limit_bytes));
    ck_assert_uint_eq(a.granted_bytes, budget_granted_bytes(h->memory_limit_bytes));
    return a.ceiling_bytes;
}

START_TEST(pressure_follows_what_is_held_and_free_pages_go_back)
{
    struct hoard hoard = {0};
    served_open(&s, "--storage.memory-limit=1GiB", "--self-scrape.interval=0", NULL);
    uint64_t soft = budget_soft_bytes(s.app->memory_limit_bytes);
    uint64_t hard = budget_hard_bytes(s.app->memory_limit_bytes);
    uint64_t full = budget_full_bytes(s.app->memory_limit_bytes);
    await_pressure(HEAP_CALM);
    ck_assert_uint_eq(query_bytes(s.app), s.app->query_arena_bytes);
    hoard_until(&hoard, soft, HEAP_SOFT);
    ck_assert_int_eq(maintenance_pressure(&s.app->maintenance), HEAP_SOFT);
    hoard_until(&hoard, hard, HEAP_HARD);
    ck_assert_int_eq(maintenance_pressure(&s.app->maintenance), HEAP_HARD);
    ck_assert_uint_lt(query_bytes(s.app), s.app->query_arena_bytes);
    hoard_until(&hoard, full, HEAP_FULL);
    ck_assert_int_eq(maintenance_pressure(&s.app->maintenance), HEAP_FULL);
    ck_assert_uint_le(query_bytes(s.app), s.app->query_arena_bytes / 2);
    while (hoard.count > 0)
        heap_free(hoard.items[--hoard.count], HOARD_STEP_BYTES, HEAP_HTTP);
    ck_assert_int_le(maintenance_pressure(&s.app->maintenance), HEAP_SOFT); /* at once */
    await_pressure(HEAP_CALM);
    ck_assert_uint_le(heap_used_bytes(), soft);
    served_close(&s);
}
END_TEST

static uint64_t idle_bytes(void)
{
    struct memstats stats;
    memstats_read(&stats);
    return stats.heap_idle - stats.heap_released;
}

START_TEST(it_rests_when_nothing_happens_and_is_woken_by_who_takes_memory)
{
    enum { SPIKE_BYTES = 32 << 20 };
    served_open(&s, "--self-scrape.interval=0", NULL);
    struct maintenance *m = &s.app->maintenance;
    for (int waited = 0; atomic_load(&m->rested_bytes) == 0; waited++) {
        ck_assert_int_lt(waited, 6000);
        thread_sleep_ms(10);
    }
    maintenance_notice(m); /* nothing was taken */
    ck_assert_uint_ne(atomic_load(&m->rested_bytes), 0);
    void *spike = heap_alloc(SPIKE_BYTES, HEAP_QUERY);
    ck_assert_ptr_nonnull(spike);
    memset(spike, 1, SPIKE_BYTES);
    heap_free(spike, SPIKE_BYTES, HEAP_QUERY);
    ck_assert_uint_ge(idle_bytes(), SPIKE_BYTES);
    int64_t start_ns = clock_mono_ns();
    maintenance_notice(m);
    ck_assert_uint_eq(atomic_load(&m->rested_bytes), 0);
    while (idle_bytes() > SPIKE_BYTES / 8) {
        ck_assert_int_lt((clock_mono_ns() - start_ns) / NS_PER_MS, 60000);
        thread_sleep_ms(10);
    }
    served_close(&s);
}
END_TEST

SUITE(maintenance, it_rests_when_nothing_happens_and_is_woken_by_who_takes_memory,
      pressure_follows_what_is_held_and_free_pages_go_back, expired_samples_go_by_themselves,
      a_log_that_was_quiet_is_synced_when_something_comes, snapshots_are_taken_at_their_interval,
      a_failed_sync_of_the_log_brings_a_snapshot_at_once,
      a_snapshot_that_is_being_taken_is_no_failure, memory_that_is_not_ours_is_measured,
      what_went_lazily_is_not_taken_for_memory_of_others)
