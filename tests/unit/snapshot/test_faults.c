/* What the operating system refuses: each operation in turn, once and for good; a process that ends
 * at each operation; a power cut; a full disk that gets room again. The ledger is the judge. */
#include <errno.h>
#include <glob.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "snapshot/durability_state.h"
#include "snapshot/inspect.h"
#include "tests/unit/snapshot/faults.h"
#include "tests/unit/snapshot/world.h"

enum fault_kind { FAULT_ONCE, FAULT_FROM_THEN_ON, FAULT_SHORT_WRITES, FAULT_END, FAULT_END_SHORT };

static struct {
    enum fault_kind kind;
    _Atomic int64_t left; /* operations until it happens */
    int errno_value;
    uint64_t happened;
} plan;

static int decide(enum fault_op op, const char *path)
{
    (void)path;
    int64_t left = atomic_fetch_sub(&plan.left, 1);
    if (plan.kind == FAULT_SHORT_WRITES) return op == FAULT_WRITE && left % 2 ? FAULT_CUT : 0;
    if (left > 0) return 0;
    switch (plan.kind) {
    case FAULT_ONCE:
        if (left < 0) return 0;
        break;
    case FAULT_END: _exit(0);
    case FAULT_END_SHORT:
        if (left == 0 && op == FAULT_WRITE) return FAULT_CUT; /* and then the end */
        _exit(0);
    default: break;
    }
    plan.happened++;
    return plan.errno_value;
}

static void plan_start(enum fault_kind kind, int64_t after, int errno_value)
{
    plan.kind = kind;
    plan.happened = 0;
    plan.errno_value = errno_value;
    atomic_store(&plan.left, after);
    faults_set(decide);
}

/* Told of each acknowledged batch; the parent of a process that ends keeps the ledger. */
static int ledger_fd = -1;

static void script_write(struct world *w, size_t from, size_t to)
{
    struct error err;
    for (size_t k = from; k < to; k++)
        if (world_write(w, k, &err) == OK && ledger_fd >= 0)
            ck_assert_int_eq(write(ledger_fd, &k, sizeof(k)), sizeof(k));
}

static void script_session(struct world *w, size_t from)
{
    struct error err;
    if (world_start(w, &err)) return; /* refused to start: nothing is acknowledged */
    script_write(w, from, from + 3);
    durability_sync(w->d);
    (void)!durability_snapshot(w->d, w->db, &err);
    script_write(w, from + 3, from + 6);
    durability_sync(w->d);
    script_write(w, from + 6, from + 7);
    char name[BACKUP_NAME_BYTES];
    (void)!durability_backup(w->d, w->db, false, name, &err);
    script_write(w, from + 7, from + 9);
    world_close(w);
}

enum { SCRIPT_BATCHES = 18 };
static void script(struct world *w)
{
    script_session(w, 0);
    clock_freeze(WORLD_START_MS + 50000);
    script_session(w, 9);
}

/* Snapshots that were asked for are whole, and after a start nothing half made is left. */
static size_t check_kept(const struct world *w, int64_t n)
{
    glob_t found;
    char pattern[512];
    FILE *nowhere = fopen("/dev/null", "w");
    snprintf(pattern, sizeof(pattern), "%s/snapshots/*", w->path);
    size_t count = glob(pattern, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
    for (size_t i = 0; i < count; i++) {
        char manifests[600];
        snprintf(manifests, sizeof(manifests), "%s/manifests", found.gl_pathv[i]);
        EXPECT_MSG(!strstr(found.gl_pathv[i], ".tmp"), "after operation %ld: %s", (long)n,
                   found.gl_pathv[i]);
        EXPECT_MSG(access(manifests, F_OK) == 0, "after operation %ld: %s", (long)n, manifests);
        EXPECT_MSG(inspect_path(found.gl_pathv[i], true, nowhere) == INSPECT_GOOD,
                   "after operation %ld: %s", (long)n, found.gl_pathv[i]);
    }
    globfree(&found);
    fclose(nowhere);
    return count;
}

static void check_after(struct world *w, int64_t n)
{
    struct error err = {0};
    faults_set(NULL);
    ck_assert_msg(world_start(w, &err) == OK, "after operation %ld: %s", (long)n, err.text);
    world_check(w, 0);
    (void)check_kept(w, n);
    world_write_all(w, 100, 103);
    world_snapshot(w);
    world_close(w);
    world_open(w);
    world_check(w, 0);
    world_release(w);
}

static void fail_each(enum fault_kind kind, int errno_value, enum wal_sync sync)
{
    for (int64_t n = 0;; n++) {
        struct world w;
        world_init(&w);
        w.options.sync = sync;
        w.options.segment_bytes = 200;
        plan_start(kind, n, errno_value);
        script(&w);
        if (getenv("VERBOSE"))
            fprintf(stderr, "---- kind %d errno %d sync %d n %ld\n", kind, errno_value, sync,
                    (long)n);
        bool happened = plan.happened > 0;
        check_after(&w, n);
        if (!happened) {
            ck_assert_int_gt(n, 50);
            break;
        }
    }
}

START_TEST(each_operation_fails_once)
{
    fail_each(FAULT_ONCE, EIO, WAL_SYNC_INTERVAL);
    fail_each(FAULT_ONCE, EIO, WAL_SYNC_ALWAYS);
    fail_each(FAULT_ONCE, ENOSPC, WAL_SYNC_NEVER);
}
END_TEST

START_TEST(everything_fails_from_some_operation_on)
{
    fail_each(FAULT_FROM_THEN_ON, EIO, WAL_SYNC_ALWAYS);
    fail_each(FAULT_FROM_THEN_ON, ENOSPC, WAL_SYNC_INTERVAL);
}
END_TEST

START_TEST(short_writes_are_invisible)
{
    struct world w;
    world_init(&w);
    w.options.sync = WAL_SYNC_ALWAYS;
    plan_start(FAULT_SHORT_WRITES, 1000000, 0);
    script(&w);
    for (size_t k = 0; k < SCRIPT_BATCHES; k++)
        ck_assert(w.acknowledged[k]);
    ck_assert_uint_eq(check_kept(&w, 0), 2);
    world_open(&w);
    ck_assert_uint_eq(world_check(&w, 0), SCRIPT_BATCHES);
    ck_assert_uint_eq(world_stats(&w).wal_corruptions + world_stats(&w).wal_truncations, 0);
    faults_set(NULL);
    world_release(&w);
}
END_TEST

/* Run the script in a process that ends before operation n; true when it got to the end. */
static bool run_until(struct world *w, enum fault_kind kind, int64_t n)
{
    int fds[2];
    int result;
    ck_assert_int_eq(pipe(fds), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        close(fds[0]);
        ledger_fd = fds[1];
        plan_start(kind, n, 0);
        script(w);
        _exit(42);
    }
    close(fds[1]);
    size_t k;
    while (read(fds[0], &k, sizeof(k)) == sizeof(k))
        w->acknowledged[k] = true;
    close(fds[0]);
    for (k = 0; k < SCRIPT_BATCHES; k++)
        w->tried[k] = true;
    ck_assert_int_eq(waitpid(child, &result, 0), child);
    ck_assert(WIFEXITED(result));
    return WEXITSTATUS(result) == 42;
}

static void end_at_each(enum fault_kind kind)
{
    for (int64_t n = 0;; n++) {
        struct world w;
        world_init(&w);
        w.options.segment_bytes = 200;
        bool whole = run_until(&w, kind, n);
        clock_freeze(WORLD_START_MS + 50000);
        check_after(&w, n);
        if (whole) {
            ck_assert_int_gt(n, 50);
            break;
        }
    }
}

START_TEST(a_process_that_ends_at_any_operation_loses_nothing_acknowledged)
{
    end_at_each(FAULT_END);
    end_at_each(FAULT_END_SHORT);
}
END_TEST

/* What is on stable storage, by file: a power cut takes the rest. */
enum { SYNCED_MAX = 64 };
static struct synced {
    char path[512];
    off_t size;
} synced[SYNCED_MAX];
static size_t synced_count;

static int note_syncs(enum fault_op op, const char *path)
{
    struct stat st;
    if (op != FAULT_SYNC || stat(path, &st) != 0) return 0;
    size_t i = 0;
    while (i < synced_count && strcmp(synced[i].path, path) != 0)
        i++;
    ck_assert_uint_lt(i, SYNCED_MAX);
    if (i == synced_count)
        snprintf(synced[synced_count++].path, sizeof(synced[0].path), "%s", path);
    synced[i].size = st.st_size;
    return 0;
}

/* Cut every segment back to what was synced, plus a part of the rest. */
static void power_cut(const struct world *w, size_t part)
{
    char path[1024];
    struct dirent *entry;
    snprintf(path, sizeof(path), "%s/wal", w->path);
    DIR *folder = opendir(path);
    ck_assert_ptr_nonnull(folder);
    while ((entry = readdir(folder))) {
        struct stat st;
        off_t kept = 0;
        if (entry->d_name[0] == '.') continue;
        snprintf(path, sizeof(path), "%s/wal/%s", w->path, entry->d_name);
        ck_assert_int_eq(stat(path, &st), 0);
        for (size_t i = 0; i < synced_count; i++)
            if (strcmp(synced[i].path, path) == 0) kept = synced[i].size;
        kept += (st.st_size - kept) * (off_t)part / 7;
        ck_assert_int_eq(truncate(path, kept), 0);
    }
    closedir(folder);
}

START_TEST(a_power_cut_costs_nothing_with_always_and_one_interval_otherwise)
{
    for (size_t part = 0; part < 7; part++) {
        for (int always = 0; always < 2; always++) {
            struct world w;
            world_init(&w);
            w.options.sync = always ? WAL_SYNC_ALWAYS : WAL_SYNC_INTERVAL;
            w.options.segment_bytes = 300;
            synced_count = 0;
            faults_set(note_syncs);
            world_open(&w);
            world_write_all(&w, 0, 10);
            world_snapshot(&w);
            world_write_all(&w, 10, 20);
            durability_sync(w.d);
            world_write_all(&w, 20, 23); /* younger than the last sync */
            faults_set(NULL);
            char copy[sizeof(w.path)];
            snprintf(copy, sizeof(copy), "%.240s.cut", w.path);
            world_copy(w.path, copy);
            /* The copy has the same relative files; cut it by the original's names. */
            for (size_t i = 0; i < synced_count; i++) {
                char moved[512];
                snprintf(moved, sizeof(moved), "%s%s", copy, synced[i].path + strlen(w.path));
                snprintf(synced[i].path, sizeof(synced[i].path), "%s", moved);
            }
            world_close(&w);
            struct world after = w;
            snprintf(after.path, sizeof(after.path), "%s", copy);
            after.options.path = after.path;
            power_cut(&after, part);
            world_open(&after);
            if (!always)
                for (size_t k = 20; k < 23; k++)
                    after.acknowledged[k] = false;
            ck_assert_uint_ge(world_check(&after, 0), 20);
            world_release(&after);
            world_release(&w);
        }
    }
}
END_TEST

static int disk_full(enum fault_op op, const char *path)
{
    (void)path;
    return op == FAULT_WRITE ? ENOSPC : 0;
}

START_TEST(a_full_disk_refuses_writes_and_recovers_by_itself)
{
    struct world w;
    struct error err = {0};
    world_init(&w);
    world_open(&w);
    world_write_all(&w, 0, 5);
    world_snapshot(&w);
    world_write_all(&w, 5, 10);
    faults_set(disk_full);
    for (size_t k = 10; k < 60; k++) {
        ck_assert_int_eq(world_write(&w, k, &err), ERR_UNAVAILABLE);
        ck_assert_ptr_nonnull(strstr(err.text, "No space left on device"));
    }
    ck_assert_uint_le(world_stats(&w).wal_segments, 3); /* no file per refusal */
    ck_assert_int_eq(durability_snapshot(w.d, w.db, &err), ERR_UNAVAILABLE);
    ck_assert_uint_eq(world_stats(&w).snapshot_failures, 1);
    world_close(&w);

    ck_assert_msg(world_start(&w, &err) == OK, "%s", err.text); /* a start on the full disk */
    world_check(&w, 0);
    ck_assert_int_eq(world_write(&w, 60, &err), ERR_UNAVAILABLE);
    faults_set(NULL);
    world_write_all(&w, 61, 70); /* room again */
    world_snapshot(&w);
    world_close(&w);
    world_open(&w);
    world_check(&w, 0);
    world_release(&w);
}
END_TEST

static int sync_fails(enum fault_op op, const char *path)
{
    static char failed[512];
    if (op != FAULT_SYNC) return 0;
    if (strstr(path, "/wal/") == NULL) return 0;
    ck_assert_msg(strcmp(failed, path) != 0, "%s was synced again", path);
    snprintf(failed, sizeof(failed), "%s", path);
    return EIO;
}

START_TEST(a_failed_sync_is_never_repeated_on_the_same_file)
{
    struct world w;
    struct error err = {0};
    world_init(&w);
    w.options.sync = WAL_SYNC_ALWAYS;
    world_open(&w);
    world_write_all(&w, 0, 5);
    faults_set(sync_fails);
    for (size_t k = 5; k < 9; k++)
        ck_assert_int_eq(world_write(&w, k, &err), ERR_UNAVAILABLE);
    ck_assert_uint_eq(world_stats(&w).wal_write_errors, 4);
    faults_set(NULL);
    world_write_all(&w, 9, 12);
    world_close(&w);
    world_open(&w);
    world_check(&w, 0);
    world_close(&w);

    w.options.sync = WAL_SYNC_INTERVAL;
    world_open(&w);
    world_snapshot(&w); /* what was replayed wants one */
    world_write_all(&w, 12, 15);
    ck_assert(!durability_wants_snapshot(w.d));
    faults_set(sync_fails);
    durability_sync(w.d);
    ck_assert(durability_wants_snapshot(w.d)); /* memory has what the disk may have lost */
    durability_sync(w.d);
    faults_set(NULL);
    ck_assert_int_eq(world_write(&w, 15, &err), ERR_UNAVAILABLE); /* nothing more until it has */
    world_snapshot(&w);
    ck_assert(!durability_wants_snapshot(w.d));
    world_write_all(&w, 15, 18); /* in a new segment */
    world_release(&w);
}
END_TEST

static struct wal *changing;

static int sync_fails_while_the_segment_changes(enum fault_op op, const char *path)
{
    uint64_t number;
    struct wal *w = changing;
    if (op == FAULT_SYNC && w) {
        changing = NULL;
        ck_assert_int_eq(wal_rotate(w, &number, NULL), OK);
    }
    return sync_fails(op, path);
}

START_TEST(a_sync_that_failed_while_the_segment_changed_is_not_repeated)
{
    struct world w;
    world_init(&w);
    w.options.sync = WAL_SYNC_INTERVAL;
    world_open(&w);
    world_write_all(&w, 0, 3);
    changing = &w.d->wal;
    faults_set(sync_fails_while_the_segment_changes);
    durability_sync(w.d);
    ck_assert(durability_wants_snapshot(w.d));
    durability_sync(w.d); /* what was put aside meanwhile */
    faults_set(NULL);
    world_release(&w);
}
END_TEST

static bool spoiling;

/* What was written to windows does not come back as it was. */
static ssize_t read_spoilt(int fd, uint64_t offset, void *to, size_t size)
{
    char link[64];
    char path[512] = "";
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t got = disk_system.read(fd, offset, to, size);
    if (readlink(link, path, sizeof(path) - 1) < 0 || !strstr(path, "/windows/")) return got;
    if (spoiling && got > 0) ((uint8_t *)to)[got / 2] ^= 1;
    return got;
}

START_TEST(no_segment_goes_for_a_snapshot_that_does_not_read_back)
{
    struct world w;
    struct error err = {0};
    world_init(&w);
    world_open(&w);
    struct disk spoilt = disk_system;
    spoilt.read = read_spoilt;
    for (size_t k = 0; k < 3; k++) { /* so that segments would go */
        world_write_all(&w, k, k + 1);
        world_snapshot(&w);
    }
    uint64_t segments = world_stats(&w).wal_segments;
    disk_use(&spoilt);
    spoiling = true;
    for (size_t k = 3; k < 8; k++) {
        world_write_all(&w, k, k + 1);
        ck_assert_int_eq(durability_snapshot(w.d, w.db, &err), ERR_IO);
        ck_assert_ptr_nonnull(strstr(err.text, "does not read back"));
        ck_assert_uint_eq(world_stats(&w).wal_segments, ++segments);
    }
    spoiling = false;
    disk_use(NULL);
    world_close(&w);
    world_open(&w); /* all of it is still in the log */
    ck_assert_uint_eq(world_check(&w, 0), 8);
    ck_assert_uint_eq(world_stats(&w).snapshot_corruptions, 0);
    world_snapshot(&w);
    ck_assert_uint_lt(world_stats(&w).wal_segments, segments + 2);
    world_release(&w);
}
END_TEST

static size_t count_windows(const struct world *w)
{
    glob_t found;
    char pattern[512];
    snprintf(pattern, sizeof(pattern), "%s/windows/*", w->path);
    size_t count = glob(pattern, 0, NULL, &found) == 0 ? found.gl_pathc : 0;
    globfree(&found);
    return count;
}

static int manifests_stay(enum fault_op op, const char *path)
{
    return op == FAULT_REMOVE && strstr(path, "/manifests/") ? EIO : 0;
}

/* Also one that nobody knows at the moment, because it could not be read. */
START_TEST(what_a_manifest_names_stays_as_long_as_it)
{
    struct world w;
    world_init(&w);
    world_open(&w);
    faults_set(manifests_stay);
    for (size_t k = 0; k < 6; k++) {
        world_write_all(&w, k, k + 1);
        world_snapshot(&w);
        ck_assert_uint_eq(count_windows(&w), k + 1);
    }
    faults_set(NULL);
    world_write_all(&w, 6, 7);
    world_snapshot(&w);
    ck_assert_uint_eq(count_windows(&w), 2);
    world_release(&w);
}
END_TEST

START_TEST(a_full_disk_takes_no_snapshot_that_a_damaged_one_needs)
{
    struct world w;
    struct error err = {0};
    char path[512];
    world_init(&w);
    world_open(&w);
    for (size_t k = 0; k < 6; k++) {
        world_write_all(&w, k, k + 1);
        world_snapshot(&w);
    }
    world_close(&w);
    snprintf(path, sizeof(path), "%s/windows/%lld-00000006", w.path,
             (long long)(WORLD_START_MS / WORLD_CHUNK_MS));
    ck_assert_int_eq(unlink(path), 0);
    world_open(&w);
    ck_assert_uint_eq(world_check(&w, 0), 6);
    faults_set(disk_full);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(durability_snapshot(w.d, w.db, &err), ERR_UNAVAILABLE);
    faults_set(NULL);
    world_close(&w);
    world_open(&w);
    ck_assert_uint_eq(world_check(&w, 0), 6);
    world_release(&w);
}
END_TEST

static int new_windows_fail_with;

static int refuse_new_windows(enum fault_op op, const char *path)
{
    return op == FAULT_WRITE && strstr(path, ".tmp") ? new_windows_fail_with : 0;
}

static void damage_all(const struct world *w, const char *sub)
{
    char pattern[512];
    glob_t found;
    snprintf(pattern, sizeof(pattern), "%s/%s/*", w->path, sub);
    ck_assert_int_eq(glob(pattern, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        size_t size;
        uint8_t *bytes = world_read_file(found.gl_pathv[i], &size);
        bytes[size - 9] ^= 1;
        world_write_file(found.gl_pathv[i], bytes, size);
        free(bytes);
    }
    globfree(&found);
}

/* Then only the window files hold what the log does not have any more, and no manifest names them:
 * they stay until there is one. */
START_TEST(a_failed_snapshot_without_any_manifest_takes_no_window)
{
    for (int why = 0; why < 2; why++) {
        struct world w;
        struct error err;
        world_init(&w);
        world_open(&w);
        for (size_t k = 0; k < 4; k++) {
            world_write_all(&w, k, k + 1);
            world_snapshot(&w);
        }
        world_close(&w);
        damage_all(&w, "manifests");
        world_open(&w);
        ck_assert_uint_eq(world_check(&w, 0), 4);
        new_windows_fail_with = why == 0 ? ENOSPC : EIO;
        faults_set(refuse_new_windows);
        ck_assert_int_ne(durability_snapshot(w.d, w.db, &err), OK);
        faults_set(NULL);
        world_close(&w); /* as by kill -9: it writes nothing */
        world_open(&w);
        ck_assert_uint_eq(world_check(&w, 0), 4);
        world_snapshot(&w);
        world_close(&w);
        world_open(&w);
        ck_assert_uint_eq(world_check(&w, 0), 4);
        world_release(&w);
    }
}
END_TEST

static enum fault_op refused_op;

static int refuse_the_log(enum fault_op op, const char *path)
{
    return op == refused_op && strstr(path, "/wal") ? EIO : 0;
}

/* Under a new one, the next start would find the files of another folder. */
START_TEST(no_identity_is_made_while_the_files_that_tell_it_cannot_be_read)
{
    static const enum fault_op ops[] = {FAULT_OPEN, FAULT_READ, FAULT_LIST};
    struct world w;
    struct error err = {0};
    char path[512];
    world_init(&w);
    world_open(&w);
    world_write_all(&w, 0, 4);
    world_close(&w);
    snprintf(path, sizeof(path), "%s/HEARTH", w.path);
    world_write_file(path, (const uint8_t *)"damaged", 7);
    for (size_t i = 0; i < ARRAY_COUNT(ops); i++) {
        refused_op = ops[i];
        faults_set(refuse_the_log);
        ck_assert_int_eq(world_start(&w, &err), ERR_IO);
        faults_set(NULL);
    }
    world_open(&w);
    ck_assert_uint_eq(world_check(&w, 0), 4);
    world_release(&w);
}
END_TEST

SUITE(faults, no_segment_goes_for_a_snapshot_that_does_not_read_back, each_operation_fails_once,
      everything_fails_from_some_operation_on, short_writes_are_invisible,
      a_process_that_ends_at_any_operation_loses_nothing_acknowledged,
      a_power_cut_costs_nothing_with_always_and_one_interval_otherwise,
      a_full_disk_refuses_writes_and_recovers_by_itself,
      a_failed_sync_is_never_repeated_on_the_same_file,
      a_sync_that_failed_while_the_segment_changed_is_not_repeated,
      what_a_manifest_names_stays_as_long_as_it,
      a_full_disk_takes_no_snapshot_that_a_damaged_one_needs,
      a_failed_snapshot_without_any_manifest_takes_no_window,
      no_identity_is_made_while_the_files_that_tell_it_cannot_be_read)
