/* wal: many threads at once, changes of segment under them, snapshots meanwhile. */
#include "snapshot/wal.h"

#include <stdatomic.h>

#include "base/thread.h"
#include "snapshot/durability_state.h"
#include "tests/unit/snapshot/faults.h"
#include "tests/unit/snapshot/world.h"

enum { WRITERS = 4, PER_WRITER = 140 };

struct writer {
    struct world *w;
    size_t number;
    struct thread thread;
    _Atomic bool done;
};

static void write_share(void *arg)
{
    struct writer *writer = arg;
    for (size_t i = 0; i < PER_WRITER; i++) {
        struct error err = {0};
        size_t k = i * WRITERS + writer->number;
        EXPECT_MSG(world_write(writer->w, k, &err) == OK, "batch %zu: %s", k, err.text);
    }
    atomic_store(&writer->done, true);
}

static bool all_done(struct writer *writers)
{
    for (size_t i = 0; i < WRITERS; i++)
        if (!atomic_load(&writers[i].done)) return false;
    return true;
}

/* Four writers, and whatever `meanwhile` does until they are through. */
static void run_writers(struct world *w, void (*meanwhile)(struct world *w))
{
    static struct writer writers[WRITERS];
    struct error err;
    for (size_t i = 0; i < WRITERS; i++) {
        writers[i].w = w;
        writers[i].number = i;
        atomic_store(&writers[i].done, false);
        ck_assert_int_eq(thread_start(&writers[i].thread, "writer", write_share, &writers[i], &err),
                         OK);
    }
    while (!all_done(writers))
        meanwhile(w);
    for (size_t i = 0; i < WRITERS; i++)
        thread_join(&writers[i].thread);
}

static void expect_everything_after_restart(struct world *w)
{
    ck_assert_uint_eq(world_check(w, 0), (size_t)WRITERS * PER_WRITER);
    world_close(w);
    world_open(w);
    ck_assert_uint_eq(world_check(w, 0), (size_t)WRITERS * PER_WRITER);
    ck_assert_uint_eq(world_stats(w).wal_corruptions, 0);
    ck_assert_uint_eq(world_stats(w).wal_lost_batches, 0);
    ck_assert_uint_eq(world_stats(w).snapshot_corruptions, 0);
}

static void sync_round(struct world *w)
{
    durability_sync(w->d);
}

START_TEST(four_writers_and_a_syncer_lose_nothing)
{
    static const enum wal_sync modes[] = {WAL_SYNC_INTERVAL, WAL_SYNC_ALWAYS, WAL_SYNC_NEVER};
    for (size_t i = 0; i < ARRAY_COUNT(modes); i++) {
        struct world w;
        world_init(&w);
        w.options.sync = modes[i];
        world_open(&w);
        run_writers(&w, sync_round);
        ck_assert_uint_eq(world_stats(&w).wal_records, (size_t)WRITERS * PER_WRITER);
        expect_everything_after_restart(&w);
        world_release(&w);
    }
}
END_TEST

START_TEST(segments_that_change_under_the_writers_repeat_the_labels)
{
    for (uint64_t segment_bytes = 1; segment_bytes <= 1000; segment_bytes += 333) {
        struct world w;
        world_init(&w);
        w.options.sync = WAL_SYNC_INTERVAL;
        w.options.segment_bytes = segment_bytes;
        world_open(&w);
        run_writers(&w, sync_round);
        expect_everything_after_restart(&w);
        world_release(&w);
    }
}
END_TEST

static void count_news(void *self)
{
    (*(int *)self)++;
}

START_TEST(a_syncer_that_found_nothing_is_told_once_that_there_is_something)
{
    struct world w;
    int news = 0;
    world_init(&w);
    w.options.sync = WAL_SYNC_INTERVAL;
    w.options.news = count_news;
    w.options.news_self = &news;
    world_open(&w);
    while (durability_sync(w.d)) /* the segment that begins at a start */
        continue;
    ck_assert_int_eq(news, 0);
    world_write_all(&w, 0, 2);
    ck_assert_int_eq(news, 1);
    ck_assert(durability_sync(w.d));
    world_write_all(&w, 2, 3);
    ck_assert_int_eq(news, 1); /* nobody had been told that there was nothing */
    while (durability_sync(w.d))
        continue;
    world_snapshot(&w); /* begins a segment */
    ck_assert_int_eq(news, 2);
    world_release(&w);
}
END_TEST

static void snapshot_round(struct world *w)
{
    struct error err = {0};
    EXPECT_MSG(durability_snapshot(w->d, w->db, &err) == OK, "%s", err.text);
    durability_sync(w->d);
    while (storage_maintain(w->db))
        continue;
}

START_TEST(snapshots_while_writers_run_miss_nothing)
{
    struct world w;
    world_init(&w);
    w.options.sync = WAL_SYNC_INTERVAL;
    w.options.segment_bytes = 2000;
    world_open(&w);
    run_writers(&w, snapshot_round);
    expect_everything_after_restart(&w);
    world_snapshot(&w);
    world_snapshot(&w);
    expect_everything_after_restart(&w); /* now from window files */
    world_release(&w);
}
END_TEST

static _Atomic int turn;
static int fail_now_and_then(enum fault_op op, const char *path)
{
    if (op != FAULT_WRITE && op != FAULT_SYNC && op != FAULT_OPEN) return 0;
    if (!strstr(path, "/wal/")) return 0;
    return atomic_fetch_add(&turn, 1) % 7 == 6 ? 5 : 0; /* EIO */
}

static void write_stubbornly(void *arg)
{
    struct writer *writer = arg;
    for (size_t i = 0; i < PER_WRITER; i++) {
        struct error err;
        size_t k = i * WRITERS + writer->number;
        for (int tries = 0; world_write(writer->w, k, &err) != OK; tries++)
            EXPECT_MSG(tries < 1000, "batch %zu: %s", k, err.text);
    }
    atomic_store(&writer->done, true);
}

START_TEST(failures_under_load_lose_nothing_that_was_acknowledged)
{
    static struct writer writers[WRITERS];
    struct world w;
    struct error err;
    world_init(&w);
    w.options.sync = WAL_SYNC_ALWAYS;
    w.options.segment_bytes = 1500;
    world_open(&w);
    faults_set(fail_now_and_then);
    for (size_t i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.w = &w, .number = i};
        ck_assert_int_eq(
            thread_start(&writers[i].thread, "writer", write_stubbornly, &writers[i], &err), OK);
    }
    for (size_t i = 0; i < WRITERS; i++)
        thread_join(&writers[i].thread);
    faults_set(NULL);
    ck_assert_uint_gt(world_stats(&w).wal_write_errors, 0);
    ck_assert_uint_eq(world_check(&w, 0), (size_t)WRITERS * PER_WRITER);
    world_close(&w);
    world_open(&w);
    ck_assert_uint_eq(world_check(&w, 0), (size_t)WRITERS * PER_WRITER);
    world_release(&w);
}
END_TEST

/* Requests as storage would log them: series of one name, a sample each. */
enum { REQUEST_SERIES_MAX = 2000 };
struct request {
    struct journal log;
    struct journal_batch batch;
    struct journal_series series[REQUEST_SERIES_MAX];
    _Atomic uint32_t defined_in[REQUEST_SERIES_MAX];
    struct label label;
    struct sample sample;
    struct thread thread;
};

static void request_make(struct request *r, struct world *w, const char *name, uint32_t first_id,
                         size_t series)
{
    r->log = durability_journal(w->d);
    r->label = (struct label){LABEL_METRIC_NAME, str_from(name)};
    r->sample = (struct sample){WORLD_START_MS, 1.0 / 3};
    r->batch =
        (struct journal_batch){.series = r->series, .series_count = series, .sample_count = series};
    for (size_t i = 0; i < series; i++)
        r->series[i] = (struct journal_series){.id = first_id + (uint32_t)i,
                                               .labels = {&r->label, 1},
                                               .defined_in = &r->defined_in[i],
                                               .samples = &r->sample,
                                               .sample_count = 1};
}

static void request_log(void *arg)
{
    struct request *r = arg;
    struct error err = {0};
    EXPECT_MSG(r->log.log(r->log.self, &r->batch, &err) == OK, "%s", err.text);
}

static void request_start(struct request *r)
{
    ck_assert_int_eq(thread_start(&r->thread, "request", request_log, r, NULL), OK);
}

static atomic_bool disk_holds;
static atomic_bool disk_is_asked;

static int hold_writes(enum fault_op op, const char *path)
{
    if (op != FAULT_WRITE || !strstr(path, "/wal/")) return 0;
    atomic_store(&disk_is_asked, true);
    while (atomic_load(&disk_holds))
        thread_sleep_ms(1);
    return 0;
}

static bool is_queued(struct wal *w)
{
    mutex_lock(&w->lock);
    bool queued = w->first != NULL;
    mutex_unlock(&w->lock);
    return queued;
}

static size_t count_in_log(const struct world *w, const char *word)
{
    char path[512];
    size_t size;
    size_t count = 0;
    snprintf(path, sizeof(path), "%s/wal/00000001", w->path);
    uint8_t *bytes = world_read_file(path, &size);
    const uint8_t *end = bytes + size;
    for (const uint8_t *at = bytes; (at = memmem(at, (size_t)(end - at), word, strlen(word))); at++)
        count++;
    free(bytes);
    return count;
}

/* One that waits while others are written lies further on than when it was encoded, perhaps right
 * before the next one of its series: a lost page would take both copies of their labels. */
START_TEST(labels_are_written_once_more_where_two_copies_lie_together)
{
    static struct request large;
    static struct request small;
    struct world w;
    world_init(&w);
    world_open(&w);
    request_make(&large, &w, "large", 1, REQUEST_SERIES_MAX); /* more than two units */
    request_make(&small, &w, "lonely", REQUEST_SERIES_MAX + 1, 1);
    atomic_store(&disk_holds, true);
    faults_set(hold_writes);
    request_start(&large);
    while (!atomic_load(&disk_is_asked))
        thread_sleep_ms(1);
    request_start(&small);
    while (!is_queued(&w.d->wal))
        thread_sleep_ms(1);
    atomic_store(&disk_holds, false);
    thread_join(&large.thread);
    thread_join(&small.thread);
    faults_set(NULL);
    request_log(&small);
    ck_assert_uint_eq(count_in_log(&w, "lonely"), 2);
    for (int i = 0; i < 3; i++) {
        request_log(&large);
        request_log(&small);
        ck_assert_uint_eq(count_in_log(&w, "lonely"), 3);
    }
    world_release(&w);
}
END_TEST

SUITE(wal, four_writers_and_a_syncer_lose_nothing,
      segments_that_change_under_the_writers_repeat_the_labels,
      snapshots_while_writers_run_miss_nothing,
      a_syncer_that_found_nothing_is_told_once_that_there_is_something,
      labels_are_written_once_more_where_two_copies_lie_together,
      failures_under_load_lose_nothing_that_was_acknowledged)
