/* durability: the whole way out and back, restarts, locks, versions, retention, clocks. */
#include "snapshot/durability.h"

#include <sys/wait.h>

#include "base/crc32c.h"
#include "base/endian.h"
#include "snapshot/head.h"
#include "tests/unit/snapshot/world.h"

/* Both generations of snapshots are new; nothing depends on what the log had. */
static void expect_all_after_snapshots(struct world *w, size_t batches)
{
    world_snapshot(w);
    world_snapshot(w);
    world_close(w);
    world_open(w);
    ck_assert_uint_eq(world_check(w, 0), batches);
}

START_TEST(a_fresh_folder_works)
{
    struct world w;
    world_init(&w);
    world_open(&w);
    ck_assert_uint_eq(world_check(&w, 0), 0);
    world_write_all(&w, 0, 10);
    ck_assert_uint_eq(world_check(&w, 0), 10);
    ck_assert_uint_eq(world_stats(&w).wal_records, 10);
    ck_assert_uint_eq(world_stats(&w).wal_segments, 1);
    world_release(&w);
}
END_TEST

START_TEST(the_log_alone_brings_everything_back)
{
    struct world w;
    world_init(&w);
    for (size_t round = 0; round < 4; round++) {
        world_open(&w);
        ck_assert_uint_eq(world_check(&w, 0), 25 * round);
        world_write_all(&w, 25 * round, 25 * (round + 1));
        world_close(&w);
    }
    world_open(&w);
    ck_assert_uint_eq(world_check(&w, 0), 100);
    ck_assert_uint_eq(world_stats(&w).recovered_samples, (uint64_t)100 * WORLD_SERIES);
    ck_assert_uint_eq(world_stats(&w).recovered_series, WORLD_SERIES);
    ck_assert_uint_eq(world_stats(&w).wal_corruptions, 0);
    ck_assert_uint_eq(world_stats(&w).wal_lost_batches, 0);
    world_release(&w);
}
END_TEST

START_TEST(snapshots_and_log_together_bring_everything_back)
{
    struct world w;
    world_init(&w);
    world_open(&w);
    for (size_t round = 0; round < 6; round++) {
        world_write_all(&w, 40 * round, 40 * round + 30);
        world_snapshot(&w);
        world_write_all(&w, 40 * round + 30, 40 * (round + 1));
        if (round % 2) {
            world_close(&w);
            world_open(&w);
            ck_assert_uint_eq(world_check(&w, 0), 40 * (round + 1));
            ck_assert_uint_eq(world_stats(&w).wal_lost_batches, 0);
            ck_assert_uint_eq(world_stats(&w).snapshot_corruptions, 0);
        }
    }
    world_release(&w);
}
END_TEST

START_TEST(tiny_segments_repeat_the_labels)
{
    struct world w;
    world_init(&w);
    w.options.segment_bytes = 1;
    world_open(&w);
    world_write_all(&w, 0, 50);
    ck_assert_uint_eq(world_stats(&w).wal_segments, 50);
    world_close(&w);
    world_open(&w);
    ck_assert_uint_eq(world_check(&w, 0), 50);
    world_release(&w);
}
END_TEST

static size_t count_files(const struct world *w, const char *sub)
{
    char path[512];
    size_t count = 0;
    struct dirent *entry;
    snprintf(path, sizeof(path), "%s/%s", w->path, sub);
    DIR *folder = opendir(path);
    ck_assert_ptr_nonnull(folder);
    while ((entry = readdir(folder)))
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

START_TEST(two_generations_are_kept_and_older_files_go)
{
    struct world w;
    world_init(&w);
    world_open(&w);
    for (size_t round = 0; round < 8; round++) {
        world_write_all(&w, round, round + 1);
        world_snapshot(&w);
        ck_assert_uint_eq(count_files(&w, "manifests"), round == 0 ? 1 : 2);
        ck_assert_uint_eq(count_files(&w, "windows"), round == 0 ? 1 : 2);
        ck_assert_uint_le(count_files(&w, "wal"), 3);
        ck_assert_uint_eq(count_files(&w, "wal"), world_stats(&w).wal_segments);
    }
    world_release(&w);
}
END_TEST

START_TEST(an_unchanged_window_keeps_its_file)
{
    struct world w;
    world_init(&w);
    world_open(&w);
    world_write_all(&w, 0, 10);
    world_snapshot(&w);
    uint64_t bytes = world_stats(&w).snapshot_bytes;
    world_snapshot(&w);
    ck_assert_uint_eq(world_stats(&w).snapshot_bytes, bytes);
    ck_assert_uint_eq(count_files(&w, "manifests"), 1); /* there was nothing to publish */
    world_close(&w);

    world_open(&w);
    world_snapshot(&w);
    ck_assert_uint_eq(world_stats(&w).snapshot_bytes, 0); /* not even after a restart */
    clock_advance(WORLD_CHUNK_MS);
    world_write_all(&w, 70, 80); /* another window */
    world_snapshot(&w);
    ck_assert_uint_eq(count_files(&w, "windows"), 2);
    world_release(&w);
}
END_TEST

START_TEST(expired_windows_leave_the_folder)
{
    struct world w;
    world_init(&w);
    world_open(&w);
    world_write_all(&w, 0, 10);
    world_snapshot(&w);
    clock_advance((int64_t)20 * WORLD_CHUNK_MS);
    while (storage_maintain(w.db))
        continue;
    for (size_t k = 1200; k < 1204; k++) {
        world_write_all(&w, k, k + 1);
        world_snapshot(&w);
    }
    ck_assert_uint_eq(count_files(&w, "windows"), 2); /* two generations of the current one */
    world_close(&w);
    world_open(&w);
    ck_assert_uint_eq(world_check(&w, 0), 4);
    world_release(&w);
}
END_TEST

START_TEST(a_snapshot_older_than_everything_retained_is_no_error)
{
    struct world w;
    world_init(&w);
    world_open(&w);
    world_write_all(&w, 0, 10);
    world_snapshot(&w);
    world_write_all(&w, 10, 20);
    world_close(&w);
    clock_advance((int64_t)60 * WORLD_CHUNK_MS);
    world_open(&w);
    ck_assert_uint_eq(world_check(&w, 0), 20); /* it may be the clock that is wrong */
    ck_assert_int_eq(world_write(&w, 3600, NULL), ERR_UNAVAILABLE);
    clock_advance(60000);
    ck_assert_int_eq(world_write(&w, 3660, NULL), OK);
    ck_assert_uint_eq(world_check(&w, 0), 1);
    ck_assert_uint_eq(world_stats(&w).snapshot_corruptions + world_stats(&w).wal_corruptions, 0);
    world_release(&w);
}
END_TEST

START_TEST(a_clock_that_was_wrong_loses_nothing)
{
    struct world w;
    world_init(&w);
    world_open(&w);
    world_write_all(&w, 0, 10);
    world_snapshot(&w);
    world_write_all(&w, 10, 20);
    world_close(&w);

    /* A day back: not believed at first. */
    clock_freeze(WORLD_START_MS - INT64_C(86400000));
    world_open(&w);
    ck_assert_uint_eq(world_check(&w, 0), 20);
    for (int i = 0; i < 4; i++)
        world_snapshot(&w);
    world_close(&w);
    world_open(&w);
    ck_assert_uint_eq(world_check(&w, 0), 20);

    /* It stays there, with a few snapshots that would have deleted what it does not reach. */
    clock_advance(9 * WORLD_CHUNK_MS);
    (void)storage_maintain(w.db);
    ck_assert_uint_eq(world_check(&w, WORLD_BATCHES_MAX), 0);
    for (int i = 0; i < 4; i++)
        world_snapshot(&w);
    world_close(&w);
    world_open(&w);
    for (int i = 0; i < 4; i++)
        world_snapshot(&w);

    /* The clock comes right under way: the next round loads it. */
    clock_freeze(WORLD_START_MS + 20000);
    world_snapshot(&w);
    ck_assert_uint_eq(world_check(&w, 0), 20);
    expect_all_after_snapshots(&w, 20);
    world_release(&w);
}
END_TEST

/* Written under a clock that was ahead, a manifest says a time that no sample speaks for. */
START_TEST(a_clock_that_was_ahead_expires_nothing_later)
{
    struct world w;
    world_init(&w);
    w.future_ms = WORLD_CHUNK_MS; /* what is further off is a jump */
    clock_freeze(WORLD_START_MS + 6 * WORLD_CHUNK_MS);
    world_open(&w);
    world_write_all(&w, 0, 20);
    world_snapshot(&w);
    world_close(&w);

    clock_freeze(WORLD_START_MS + 20000);
    world_open(&w);
    clock_advance(3 * WORLD_CHUNK_MS);
    while (storage_maintain(w.db)) {
    }
    world_snapshot(&w);
    ck_assert_uint_eq(world_check(&w, 0), 20);
    world_release(&w);
}
END_TEST

/* Written while windows went by a clock that was behind its newest samples; now it has got there.
 */
START_TEST(windows_later_than_their_snapshot_are_loaded_by_a_clock_that_has_got_there)
{
    struct world w;
    world_init(&w);
    w.future_ms = WORLD_CHUNK_MS / 2;
    world_open(&w);
    world_write_all(&w, 0, 20);
    clock_freeze(WORLD_START_MS - 11 * WORLD_CHUNK_MS);
    (void)storage_maintain(w.db);
    clock_advance(9 * WORLD_CHUNK_MS); /* it has lasted */
    (void)storage_maintain(w.db);
    world_snapshot(&w);
    world_close(&w);
    clock_freeze(WORLD_START_MS + 20000);
    world_open(&w);
    ck_assert_uint_eq(world_check(&w, 0), 20);
    world_close(&w);
    world_release(&w);
}
END_TEST

/* It may be on a full disk; and a snapshot will hold it. */
START_TEST(what_the_log_held_back_is_not_logged_again)
{
    struct world w;
    world_init(&w);
    world_open(&w);
    world_write_all(&w, 0, 20);
    world_close(&w);
    clock_freeze(WORLD_START_MS - INT64_C(86400000));
    world_open(&w);
    ck_assert_uint_eq(world_check(&w, WORLD_BATCHES_MAX), 0);
    uint64_t records = world_stats(&w).wal_records;
    clock_freeze(WORLD_START_MS + 20000);
    world_snapshot(&w);
    ck_assert_uint_eq(world_check(&w, 0), 20);
    ck_assert_uint_eq(world_stats(&w).wal_records, records);
    expect_all_after_snapshots(&w, 20);
    world_release(&w);
}
END_TEST

/* Another value for a time that the log has, or a window file: what was acknowledged comes first.
 */
static void expect_contradiction_waits(struct world *w, size_t k)
{
    struct arena arena;
    struct appender *app;
    struct append_result result;
    struct label labels[3] = {{LABEL_METRIC_NAME, STR("metric")},
                              {STR("instance"), STR("a:9100")},
                              {STR("series"), STR("0")}};
    const struct sample other = {world_time(k), world_value(0, k) + 1};
    for (int loaded = 0; loaded < 2; loaded++) {
        ck_assert_int_eq(storage_held_is_due(w->db), !loaded);
        arena_init(&arena, HEAP_HTTP, WORLD_ARENA_BYTES);
        ck_assert(appender_begin(w->db, &arena, &app, NULL) == OK);
        appender_is_witness(app);
        ck_assert(appender_add(app, (struct labels){labels, 3}, &other, 1, NULL) == OK);
        enum status st = appender_commit(app, &result, NULL);
        ck_assert_int_eq(st, loaded ? OK : ERR_UNAVAILABLE);
        ck_assert_uint_eq(result.stored, 0);
        ck_assert_uint_eq(result.refused[REFUSED_CONFLICT], loaded);
        arena_release(&arena);
        if (!loaded) world_snapshot(w);
    }
}

START_TEST(what_is_held_back_is_not_contradicted)
{
    for (int from_windows = 0; from_windows < 2; from_windows++) {
        struct world w;
        world_init(&w);
        w.future_ms = WORLD_CHUNK_MS / 2;
        world_open(&w);
        world_write_all(&w, 0, 20);
        if (from_windows) { /* as of a clock that was behind them */
            clock_freeze(WORLD_START_MS - 11 * WORLD_CHUNK_MS);
            (void)storage_maintain(w.db);
            clock_advance(9 * WORLD_CHUNK_MS);
            (void)storage_maintain(w.db);
            world_snapshot(&w);
            world_snapshot(&w);
        }
        world_close(&w);
        clock_freeze(WORLD_START_MS - INT64_C(86400000));
        world_open(&w);
        ck_assert(!storage_held_is_due(w.db));
        ck_assert_uint_eq(world_check(&w, WORLD_BATCHES_MAX), 0);
        clock_freeze(WORLD_START_MS + 20000);
        expect_contradiction_waits(&w, 7);
        ck_assert_uint_eq(world_check(&w, 0), 20);
        expect_all_after_snapshots(&w, 20);
        world_release(&w);
    }
}
END_TEST

/* The clock goes on at its pace: it need not get to the last of them before the first is there. */
START_TEST(what_is_held_back_is_loaded_window_by_window)
{
    struct world w;
    world_init(&w);
    world_open(&w);
    world_write_all(&w, 0, 150);
    world_close(&w);
    w.future_ms = 1;
    clock_freeze(WORLD_START_MS - 3 * WORLD_CHUNK_MS);
    world_open(&w);
    for (size_t there = 0; there < 150;) {
        clock_advance(1000);
        if (storage_held_is_due(w.db)) world_snapshot(&w);
        ck_assert(!storage_held_is_due(w.db));
        there = world_check(&w, WORLD_BATCHES_MAX);
        int64_t passed = (storage_now_ms(w.db) - WORLD_START_MS) / WORLD_STEP_MS;
        ck_assert_int_ge((int64_t)there, passed < 150 ? passed : 150);
    }
    expect_all_after_snapshots(&w, 150);
    world_release(&w);
}
END_TEST

/* Before the first sample; then the samples come, and the process is killed. */
START_TEST(an_empty_snapshot_of_a_clock_that_was_ahead_says_nothing)
{
    struct world w;
    world_init(&w);
    clock_freeze(WORLD_START_MS + INT64_C(119000000));
    world_open(&w);
    world_snapshot(&w);
    clock_freeze(WORLD_START_MS);
    world_write_all(&w, 0, 20);
    world_close(&w);
    world_open(&w);
    ck_assert_uint_eq(world_check(&w, 0), 20);
    world_close(&w);
    world_release(&w);
}
END_TEST

/* It says from which segment on the log counts; a power cut has taken the names of the last ones.
 */
START_TEST(a_manifest_that_is_readable_again_hides_no_segment)
{
    struct world w;
    char manifest[512];
    char logs[512];
    size_t size;
    world_init(&w);
    world_open(&w);
    world_write_all(&w, 0, 10);
    world_snapshot(&w);
    world_close(&w);
    snprintf(manifest, sizeof(manifest), "%s/manifests/00000001", w.path);
    snprintf(logs, sizeof(logs), "%s/wal", w.path);
    uint8_t *bytes = world_read_file(manifest, &size);
    world_write_file(manifest, bytes, size / 2);
    world_remove(logs);
    world_open(&w);
    world_write_all(&w, 10, 12);
    world_close(&w);
    world_write_file(manifest, bytes, size);
    world_open(&w);
    ck_assert_uint_eq(world_check(&w, 0), 12);
    free(bytes);
    world_release(&w);
}
END_TEST

START_TEST(another_process_is_told_who_holds_the_folder)
{
    struct world w;
    char expected[64];
    world_init(&w);
    world_open(&w);
    snprintf(expected, sizeof(expected), "in use by another process (pid %ld)", (long)getpid());
    pid_t child = fork();
    if (child == 0) {
        struct durability *d;
        struct error err = {0};
        enum status st = durability_open(&w.options, &d, &err);
        _exit(st == ERR_UNAVAILABLE && strstr(err.text, expected) ? 0 : 1);
    }
    int result;
    ck_assert_int_eq(waitpid(child, &result, 0), child);
    ck_assert_int_eq(result, 0);
    world_write_all(&w, 0, 3);
    world_close(&w);
    world_open(&w); /* free again */
    ck_assert_uint_eq(world_check(&w, 0), 3);
    world_release(&w);
}
END_TEST

START_TEST(the_lock_ends_with_its_process)
{
    struct world w;
    world_init(&w);
    pid_t child = fork();
    if (child == 0) {
        struct error err;
        _exit(world_start(&w, &err) == OK && world_write(&w, 0, &err) == OK ? 0 : 1);
    }
    int result;
    ck_assert_int_eq(waitpid(child, &result, 0), child);
    ck_assert_int_eq(result, 0);
    w.tried[0] = w.acknowledged[0] = true;
    world_open(&w);
    ck_assert_uint_eq(world_check(&w, 0), 1);
    world_release(&w);
}
END_TEST

static void expect_refusal(const char *path, enum status expected, const char *words)
{
    struct durability *d = NULL;
    struct error err = {0};
    struct durability_options options = {.path = path};
    ck_assert_int_eq(durability_open(&options, &d, &err), expected);
    ck_assert_msg(strstr(err.text, words) != NULL, "%s", err.text);
    ck_assert_ptr_null(strchr(err.text, '\n'));
}

START_TEST(unusable_paths_are_refused_with_one_line)
{
    struct world w;
    char path[512];
    char long_path[2048];
    world_init(&w);
    snprintf(path, sizeof(path), "%s/file", w.path);
    world_write_file(path, (const uint8_t *)"x", 1);
    expect_refusal(path, ERR_IO, "is not a folder");
    snprintf(path, sizeof(path), "%s/missing/folder", w.path);
    expect_refusal(path, ERR_IO, "No such file or directory");
    memset(long_path, 'a', sizeof(long_path));
    long_path[sizeof(long_path) - 1] = '\0';
    expect_refusal(long_path, ERR_INVALID, "path");
    expect_refusal("", ERR_INVALID, "path");
    expect_refusal("/proc", ERR_IO, "/proc");
    world_release(&w);
}
END_TEST

START_TEST(files_of_others_are_left_alone)
{
    struct world w;
    static const char *const names[] = {
        "notes.txt",   "wal/7",           "wal/00000001.bak",   "wal/lost+found",   "windows/x-1",
        "windows/1-1", "manifests/1.tmp", "manifests/0000000x", "wal/00000009x.tmp"};
    char path[512];
    world_init(&w);
    world_open(&w);
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", w.path, names[i]);
        world_write_file(path, (const uint8_t *)"mine", 4);
    }
    snprintf(path, sizeof(path), "%s/wal/00000005.tmp", w.path);
    world_write_file(path, (const uint8_t *)"half", 4);
    world_write_all(&w, 0, 5);
    for (size_t i = 0; i < 4; i++) {
        world_snapshot(&w);
        world_write_all(&w, 5 + i, 6 + i);
    }
    world_close(&w);
    world_open(&w);
    ck_assert_uint_eq(world_check(&w, 0), 9);
    ck_assert_int_ne(access(path, F_OK), 0); /* a temporary of ours is gone */
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", w.path, names[i]);
        ck_assert_msg(access(path, F_OK) == 0, "%s", names[i]);
    }
    world_release(&w);
}
END_TEST

static void reseal_head(uint8_t *bytes, uint32_t version)
{
    struct head head;
    enum head_kind kinds[] = {HEAD_IDENTITY, HEAD_SEGMENT, HEAD_WINDOW, HEAD_MANIFEST};
    for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
        if (head_decode(bytes, HEAD_BYTES, kinds[i], &head, NULL) == OK) {
            bytes[8] = (uint8_t)version;
            uint32_t crc = crc32c(0, bytes, 56);
            put_le32(bytes + 56, crc);
        }
}

START_TEST(a_newer_version_stops_the_start_and_names_both)
{
    static const char *const names[] = {"HEARTH", "wal/00000002", "manifests/00000001",
                                        "windows/28333333-00000001"};
    struct world w;
    world_init(&w);
    world_open(&w);
    world_write_all(&w, 0, 5);
    world_snapshot(&w);
    world_write_all(&w, 5, 10);
    world_close(&w);
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        char path[512];
        size_t size;
        struct error err = {0};
        snprintf(path, sizeof(path), "%s/%s", w.path, names[i]);
        uint8_t *bytes = world_read_file(path, &size);
        reseal_head(bytes, 7);
        world_write_file(path, bytes, size);
        ck_assert_msg(world_start(&w, &err) == ERR_UNSUPPORTED, "%s", names[i]);
        ck_assert_ptr_nonnull(strstr(err.text, "version 7"));
        ck_assert_ptr_nonnull(strstr(err.text, "version 1"));
        ck_assert_ptr_nonnull(strstr(err.text, names[i]));
        reseal_head(bytes, 1);
        bytes[8] = 1;
        put_le32(bytes + 56, crc32c(0, bytes, 56));
        world_write_file(path, bytes, size);
        free(bytes);
    }
    world_open(&w);
    ck_assert_uint_eq(world_check(&w, 0), 10);
    world_release(&w);
}
END_TEST

/* The identity made anew would make strangers of them for the program that can read them. */
START_TEST(a_newer_version_without_an_identity_gets_none)
{
    struct world w;
    struct error err = {0};
    char path[512];
    size_t size;
    world_init(&w);
    world_open(&w);
    world_write_all(&w, 0, 5);
    world_close(&w);
    snprintf(path, sizeof(path), "%s/wal/00000001", w.path);
    uint8_t *bytes = world_read_file(path, &size);
    reseal_head(bytes, 7);
    world_write_file(path, bytes, size);
    free(bytes);
    snprintf(path, sizeof(path), "%s/HEARTH", w.path);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(world_start(&w, &err), ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "version 7"));
    ck_assert_int_ne(access(path, F_OK), 0);
    world_release(&w);
}
END_TEST

START_TEST(another_width_of_windows_is_refused_clearly)
{
    struct world w;
    struct error err = {0};
    world_init(&w);
    world_open(&w);
    world_write_all(&w, 0, 5);
    world_snapshot(&w);
    world_close(&w);

    struct storage_options options = storage_options_default();
    options.chunk_ms = (int64_t)2 * WORLD_CHUNK_MS;
    ck_assert_int_eq(storage_open(&options, &w.db, &err), OK);
    ck_assert_int_eq(durability_open(&w.options, &w.d, &err), OK);
    ck_assert_int_eq(durability_recover(w.d, w.db, &err), ERR_UNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "windows of 60 s, and 120 s are configured"));
    world_release(&w);
}
END_TEST

START_TEST(a_folder_without_windows_takes_any_width)
{
    struct world w;
    struct error err = {0};
    world_init(&w);
    world_open(&w);
    world_snapshot(&w); /* a manifest, and nothing in it */
    world_close(&w);

    struct storage_options options = storage_options_default();
    options.chunk_ms = (int64_t)2 * WORLD_CHUNK_MS;
    ck_assert_int_eq(storage_open(&options, &w.db, &err), OK);
    ck_assert_int_eq(durability_open(&w.options, &w.d, &err), OK);
    ck_assert_msg(durability_recover(w.d, w.db, &err) == OK, "%s", err.text);
    storage_set_journal(w.db, durability_journal(w.d));
    world_write_all(&w, 0, 5);
    world_snapshot(&w);
    world_close(&w);
    ck_assert_int_eq(world_start(&w, &err), ERR_UNSUPPORTED); /* now it has one */
    world_release(&w);
}
END_TEST

/* Prometheus' log has names like ours: a start on its folder would cut and delete that. */
START_TEST(the_data_of_another_program_is_refused_and_stays_as_it_is)
{
    static const uint8_t log[] = "\x02 a record of a log, but not of ours, of any program";
    static const char *const files[] = {"wal/00000000", "windows/1-00000001", "manifests/00000001"};
    static const uint8_t zeros[4096];
    for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
        struct world w;
        struct error err = {0};
        char path[512];
        size_t size;
        world_init(&w);
        snprintf(path, sizeof(path), "%s/%s", w.path, files[i]);
        *strrchr(path, '/') = '\0';
        ck_assert_int_eq(mkdir(path, 0700), 0);
        snprintf(path, sizeof(path), "%s/%s", w.path, files[i]);
        world_write_file(path, log, sizeof(log));
        ck_assert_int_ne(world_start(&w, &err), OK);
        ck_assert_msg(strstr(err.text, files[i]) && strstr(err.text, "another folder"), "%s",
                      err.text);
        uint8_t *there = world_read_file(path, &size);
        ck_assert_uint_eq(size, sizeof(log));
        ck_assert_int_eq(memcmp(there, log, sizeof(log)), 0);
        free(there);
        ck_assert_uint_eq(count_files(&w, ""), 1); /* nothing was made beside it */

        world_write_file(path, zeros, sizeof(zeros)); /* what a power cut leaves of our own */
        world_open(&w);
        world_release(&w);
    }
}
END_TEST

START_TEST(no_memory_while_recovering_is_a_clear_refusal)
{
    struct world w;
    struct error err = {0};
    world_init(&w);
    world_open(&w);
    world_write_all(&w, 0, 60);
    world_snapshot(&w);
    world_write_all(&w, 60, 120);
    world_close(&w);
    enum status st = ERR_NO_MEMORY;
    for (uint64_t n = 0; st != OK; n++) {
        struct storage_options options = storage_options_default();
        options.chunk_ms = WORLD_CHUNK_MS;
        options.shards = 2;
        ck_assert_uint_lt(n, 100000);
        ck_assert_int_eq(storage_open(&options, &w.db, &err), OK);
        heap_fail_after(n);
        w.d = NULL;
        st = durability_open(&w.options, &w.d, &err);
        if (st == OK) st = durability_recover(w.d, w.db, &err);
        heap_fail_after(UINT64_MAX);
        ck_assert_msg(st == OK || st == ERR_NO_MEMORY, "%s: %s", status_name(st), err.text);
        if (st == OK) ck_assert_uint_eq(world_check(&w, 0), 120);
        world_close(&w);
    }
    world_release(&w);
}
END_TEST

START_TEST(a_restart_half_way_changes_nothing)
{
    enum { HOURS = 40, RESTART_HOUR = 20, PER_HOUR = 60, STEPS = HOURS * PER_HOUR };
    struct world w;
    world_init(&w);
    world_open(&w);
    /* An "hour" is 60 steps of a second, so a window is one of them and eight are retained. */
    for (size_t k = 0; k < STEPS; k++) {
        clock_freeze(world_time(k));
        world_write_all(&w, k, k + 1);
        if (k % 20 == 19) world_snapshot(&w);
        while (storage_maintain(w.db))
            continue;
        if (k % PER_HOUR != PER_HOUR - 1) continue;
        size_t expected = world_check(&w, 0);
        size_t retained = k + 1;
        int64_t oldest_ms = storage_bounds(w.db).oldest_ms;
        if (oldest_ms > WORLD_START_MS)
            retained -= (size_t)((oldest_ms - WORLD_START_MS + WORLD_STEP_MS - 1) / WORLD_STEP_MS);
        ck_assert_uint_eq(expected, retained);
        if (k / PER_HOUR != RESTART_HOUR) continue;
        world_close(&w);
        world_open(&w);
        ck_assert_uint_eq(world_check(&w, 0), expected);
    }
    ck_assert_uint_le(count_files(&w, "windows"), 10);
    world_release(&w);
}
END_TEST

/* What the last process wrote may not have been synced, and an fsync of it may have failed unseen
 * by this one: only writing it again makes it stable. */
START_TEST(a_log_that_was_replayed_asks_for_a_snapshot)
{
    struct world w;
    world_init(&w);
    w.options.sync = WAL_SYNC_INTERVAL;
    world_open(&w);
    ck_assert(!durability_wants_snapshot(w.d)); /* a fresh folder has nothing to lose */
    world_write_all(&w, 0, 3);
    world_close(&w);
    world_open(&w);
    ck_assert(durability_wants_snapshot(w.d));
    world_snapshot(&w);
    ck_assert(!durability_wants_snapshot(w.d));
    world_close(&w);
    world_open(&w);
    ck_assert(!durability_wants_snapshot(w.d)); /* nothing was replayed */
    world_release(&w);
}
END_TEST

SUITE(durability, a_fresh_folder_works, the_log_alone_brings_everything_back,
      snapshots_and_log_together_bring_everything_back, tiny_segments_repeat_the_labels,
      two_generations_are_kept_and_older_files_go, an_unchanged_window_keeps_its_file,
      expired_windows_leave_the_folder, a_snapshot_older_than_everything_retained_is_no_error,
      a_clock_that_was_wrong_loses_nothing, a_clock_that_was_ahead_expires_nothing_later,
      an_empty_snapshot_of_a_clock_that_was_ahead_says_nothing,
      what_the_log_held_back_is_not_logged_again, what_is_held_back_is_not_contradicted,
      what_is_held_back_is_loaded_window_by_window,
      windows_later_than_their_snapshot_are_loaded_by_a_clock_that_has_got_there,
      a_manifest_that_is_readable_again_hides_no_segment,
      another_process_is_told_who_holds_the_folder, the_lock_ends_with_its_process,
      unusable_paths_are_refused_with_one_line, files_of_others_are_left_alone,
      a_newer_version_stops_the_start_and_names_both, a_newer_version_without_an_identity_gets_none,
      another_width_of_windows_is_refused_clearly, a_folder_without_windows_takes_any_width,
      the_data_of_another_program_is_refused_and_stays_as_it_is,
      no_memory_while_recovering_is_a_clear_refusal, a_restart_half_way_changes_nothing,
      a_log_that_was_replayed_asks_for_a_snapshot)
