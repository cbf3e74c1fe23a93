/*
 * no_memory: whichever allocation fails, alone or with all behind it, while a batch is logged, a
 * snapshot taken or a folder recovered, nothing acknowledged is lost, nothing has leaked, and the
 * next try succeeds.
 */
#include "tests/unit/level.h"
#include "tests/unit/snapshot/world.h"

enum { BATCHES = 150, N_MAX = 20000 };

START_TEST(a_logged_batch)
{
    bool whole = false;
    uint64_t n = 0;
    for (; !whole; n = level_next(n)) {
        struct level before = level_read();
        struct world w;
        struct error err = {0};
        ck_assert_uint_lt(n, N_MAX);
        world_init(&w);
        world_open(&w);
        world_write_all(&w, 0, 3);
        level_inject(n, _i);
        struct arena arena; /* the client's, so that only the server's memory is short */
        struct appender *app;
        struct append_result result = {0};
        struct label label = {LABEL_METRIC_NAME, STR("metric")};
        struct sample sample = {world_time(3), 0};
        arena_init(&arena, HEAP_HTTP, WORLD_ARENA_BYTES);
        enum status st = appender_begin(w.db, &arena, &app, &err);
        if (!st) {
            st = appender_add(app, (struct labels){&label, 1}, &sample, 1, &err);
            if (st)
                appender_abort(app);
            else
                st = appender_commit(app, &result, &err);
        }
        whole = level_injection_ended();
        arena_release(&arena);
        ck_assert_msg(st == OK || (st == ERR_NO_MEMORY && !whole), "%s: %s", status_name(st),
                      err.text);
        if (whole) ck_assert_uint_eq(result.stored, 1);
        storage_check(w.db);
        world_write_all(&w, 4, 6);
        uint64_t stored = st == OK ? result.stored : 0; /* else it need not be in the log */
        world_close(&w);
        world_open(&w);
        struct storage_stats stats;
        storage_stats_read(w.db, &stats);
        ck_assert_uint_ge(stats.samples, 5 * WORLD_SERIES + stored);
        storage_check(w.db);
        world_release(&w);
        level_expect(&before);
    }
    ck_assert_uint_gt(n, 2); /* else nothing was tried */
}
END_TEST

START_TEST(a_snapshot)
{
    struct level before = level_read();
    struct world w;
    struct error err = {0};
    bool whole = false;
    world_init(&w);
    world_open(&w);
    uint64_t n = 0;
    for (uint64_t batch = 0; !whole; n = level_next(n), batch++) {
        ck_assert_uint_lt(n, N_MAX);
        world_write_all(&w, batch % BATCHES, batch % BATCHES + 1); /* something to write */
        level_inject(n, _i);
        enum status st = durability_snapshot(w.d, w.db, &err);
        whole = level_injection_ended();
        ck_assert_msg(st == OK || (st == ERR_NO_MEMORY && !whole), "%s: %s", status_name(st),
                      err.text);
        storage_check(w.db);
        ck_assert_uint_eq(world_check(&w, 0), batch < BATCHES ? batch + 1 : BATCHES);
        /* One with news, which also takes away what this one could not. */
        world_write_all(&w, batch % BATCHES, batch % BATCHES + 1);
        world_snapshot(&w);
        world_close(&w);
        level_expect(&before);
        world_open(&w);
        world_check(&w, 0);
    }
    world_release(&w);
    level_expect(&before);
    ck_assert_uint_gt(n, 10); /* else nothing was tried */
}
END_TEST

/* The unfinished ones, or all others. */
static size_t backups_of(const struct world *w, bool unfinished)
{
    char path[512];
    struct dirent *entry;
    size_t count = 0;
    snprintf(path, sizeof(path), "%s/snapshots", w->path);
    DIR *folder = opendir(path);
    while (folder && (entry = readdir(folder)))
        count += entry->d_name[0] != '.' && (strstr(entry->d_name, ".tmp") != NULL) == unfinished;
    if (folder) closedir(folder);
    return count;
}

START_TEST(a_backup)
{
    struct level before = level_read();
    struct world w;
    struct error err = {0};
    bool whole = false;
    char name[BACKUP_NAME_BYTES];
    world_init(&w);
    world_open(&w);
    world_write_all(&w, 0, 3);
    uint64_t n = 0;
    size_t made = 0;
    for (; !whole; n = level_next(n)) {
        ck_assert_uint_lt(n, N_MAX);
        level_inject(n, _i);
        enum status st = durability_backup(w.d, w.db, false, name, &err);
        whole = level_injection_ended();
        ck_assert_msg(st == OK || (st == ERR_NO_MEMORY && !whole), "%s: %s", status_name(st),
                      err.text);
        made += st == OK;
        ck_assert_uint_eq(backups_of(&w, false), made);
    }
    world_close(&w);
    world_open(&w); /* what could not even be removed goes now */
    ck_assert_uint_eq(backups_of(&w, true), 0);
    ck_assert_uint_eq(backups_of(&w, false), made);
    world_check(&w, 0);
    world_release(&w);
    level_expect(&before);
    ck_assert_uint_gt(n, 5); /* else nothing was tried */
}
END_TEST

/* A lack of memory is not taken for damage. */
static void expect_no_damage(const struct durability *d)
{
    struct durability_stats stats;
    durability_stats_read(d, &stats);
    ck_assert_uint_eq(stats.snapshot_corruptions, 0);
    ck_assert_uint_eq(stats.wal_corruptions, 0);
    ck_assert_uint_eq(stats.wal_truncations, 0);
    ck_assert_uint_eq(stats.wal_lost_batches, 0);
}

/* Each start leaves a segment of the log, which the next one reads: a few go on from what the ones
 * before them left, all of them would take the square of their number. */
static void begin_again(const struct world *w, const char *kept)
{
    world_remove(w->path);
    world_copy(kept, w->path);
}

START_TEST(a_recovery)
{
    enum { IN_A_ROW = 8 };
    struct world w;
    bool whole = false;
    char kept[sizeof(w.path) + 8];
    world_init(&w);
    world_open(&w);
    world_write_all(&w, 0, 60);
    world_snapshot(&w);
    world_write_all(&w, 60, BATCHES);
    world_close(&w);
    snprintf(kept, sizeof(kept), "%s.kept", w.path);
    world_copy(w.path, kept);
    struct level before = level_read();
    uint64_t n = 0;
    for (unsigned start = 0; !whole; n = level_next(n), start++) {
        struct storage_options options = storage_options_default();
        struct error err = {0};
        ck_assert_uint_lt(n, N_MAX);
        if (start % IN_A_ROW == 0) begin_again(&w, kept);
        options.chunk_ms = WORLD_CHUNK_MS;
        options.shards = 2;
        ck_assert_int_eq(storage_open(&options, &w.db, &err), OK);
        level_inject(n, _i);
        w.d = NULL;
        enum status st = durability_open(&w.options, &w.d, &err);
        if (!st) st = durability_recover(w.d, w.db, &err);
        whole = level_injection_ended();
        ck_assert_msg(st == OK || (st == ERR_NO_MEMORY && !whole), "%s: %s", status_name(st),
                      err.text);
        storage_check(w.db);
        if (w.d) expect_no_damage(w.d);
        if (st == OK) ck_assert_uint_eq(world_check(&w, 0), BATCHES);
        world_close(&w);
        level_expect(&before);
    }
    world_release(&w);
    world_remove(kept);
    ck_assert_uint_gt(n, 50); /* else nothing was tried */
}
END_TEST

SUITE_TIMES(no_memory, LEVEL_WAYS, a_logged_batch, a_snapshot, a_backup, a_recovery)
