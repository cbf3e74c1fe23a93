/* wal: many threads at once, changes of segment under them, snapshots meanwhile. */
#include "snapshot/wal.h"

#include <stdatomic.h>

#include "base/thread.h"
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

SUITE(wal, four_writers_and_a_syncer_lose_nothing,
      segments_that_change_under_the_writers_repeat_the_labels,
      snapshots_while_writers_run_miss_nothing,
      a_syncer_that_found_nothing_is_told_once_that_there_is_something,
      failures_under_load_lose_nothing_that_was_acknowledged)
