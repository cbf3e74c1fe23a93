/* backup: a folder that starts and holds the same; whole or not there; without the open window. */
#include "snapshot/backup.h"

#include "tests/unit/snapshot/faults.h"
#include "tests/unit/snapshot/world.h"

enum { BATCHES = 100 }; /* over two windows */

static void path_of(const struct world *w, const char *name, char out[512])
{
    snprintf(out, 512, "%s/snapshots/%s", w->path, name);
}

static size_t count_in(const char *path)
{
    size_t count = 0;
    DIR *folder = opendir(path);
    struct dirent *entry;
    while (folder && (entry = readdir(folder)))
        count += entry->d_name[0] != '.';
    if (folder) closedir(folder);
    return count;
}

/* What a server that is started on the folder holds, without a word of warning. */
static size_t batches_in(const struct world *original, const char *name)
{
    static struct world copy;
    char path[512];
    copy = (struct world){.options = original->options};
    path_of(original, name, path);
    copy.options.path = path;
    memcpy(copy.tried, original->tried, sizeof(copy.tried));
    world_open_heard(&copy);
    ck_assert_str_eq(world_told, "");
    size_t count = world_check(&copy, 0);
    ck_assert_uint_eq(world_stats(&copy).snapshot_corruptions, 0);
    world_write_all(&copy, 0, 1); /* it is a data folder like any other */
    world_close(&copy);
    return count;
}

START_TEST(a_folder_of_its_own_holds_the_same)
{
    struct world w;
    char name[BACKUP_NAME_BYTES];
    char second[BACKUP_NAME_BYTES];
    struct error err = {0};
    world_init(&w);
    world_open(&w);
    clock_advance((int64_t)BATCHES * WORLD_STEP_MS);
    world_write_all(&w, 0, BATCHES);
    ck_assert_msg(durability_backup(w.d, w.db, false, name, &err) == OK, "%s", err.text);
    ck_assert_uint_eq(strlen(name), strlen("20060102T150405Z-0123456789abcdef"));
    world_write_all(&w, BATCHES, BATCHES + 10);
    ck_assert_msg(durability_backup(w.d, w.db, false, second, &err) == OK, "%s", err.text);
    ck_assert_str_ne(name, second);
    for (int i = 0; i < 3; i++) { /* what it needs is not needed here any more */
        world_write_all(&w, BATCHES + 10 + (size_t)i, BATCHES + 11 + (size_t)i);
        world_snapshot(&w);
    }
    ck_assert_uint_eq(batches_in(&w, name), BATCHES);
    ck_assert_uint_eq(batches_in(&w, second), BATCHES + 10);
    world_close(&w);
    world_open(&w); /* and what was done to them is not seen here */
    ck_assert_uint_eq(world_check(&w, 0), BATCHES + 13);
    world_release(&w);
}
END_TEST

START_TEST(the_open_window_can_be_left_out)
{
    struct world w;
    char name[BACKUP_NAME_BYTES];
    world_init(&w);
    world_open(&w);
    clock_advance((int64_t)(BATCHES - 20) * WORLD_STEP_MS);
    world_write_all(&w, 0, BATCHES);
    ck_assert_int_eq(durability_backup(w.d, w.db, true, name, NULL), OK);
    int64_t closed_ms = storage_window_start_ms(w.db, storage_bounds(w.db).current_window);
    size_t expected = 0;
    while (world_time(expected) < closed_ms)
        expected++;
    ck_assert_uint_gt(expected, 0);
    ck_assert_uint_lt(expected, BATCHES);
    ck_assert_uint_eq(batches_in(&w, name), expected);
    world_release(&w);
}
END_TEST

START_TEST(an_empty_store_gives_an_empty_folder)
{
    struct world w;
    char name[BACKUP_NAME_BYTES];
    world_init(&w);
    world_open(&w);
    ck_assert_int_eq(durability_backup(w.d, w.db, false, name, NULL), OK);
    ck_assert_uint_eq(batches_in(&w, name), 0);
    world_release(&w);
}
END_TEST

static _Atomic int left; /* operations until the one that fails */

static int fail_one(enum fault_op op, const char *path)
{
    (void)path;
    if (op == FAULT_REMOVE) return 0; /* or nothing could be cleaned up */
    return atomic_fetch_sub(&left, 1) == 0 ? EIO : 0;
}

static _Atomic int no_links; /* why the file system makes none */

static int refuse_links(enum fault_op op, const char *path)
{
    (void)path;
    return op == FAULT_LINK ? atomic_load(&no_links) : 0;
}

static int fail_one_without_links(enum fault_op op, const char *path)
{
    int fault = fail_one(op, path);
    return fault ? fault : refuse_links(op, path);
}

/* Windows on another disk, a file system that has no hard links, or too many of them. */
START_TEST(where_nothing_can_be_linked_it_is_copied)
{
    static const int reasons[] = {EXDEV, EPERM, EMLINK, EOPNOTSUPP, ENOSYS};
    for (size_t i = 0; i < ARRAY_COUNT(reasons); i++) {
        struct world w;
        char name[BACKUP_NAME_BYTES];
        struct error err = {0};
        world_init(&w);
        world_open(&w);
        world_write_all(&w, 0, BATCHES);
        atomic_store(&no_links, reasons[i]);
        faults_set(refuse_links);
        ck_assert_msg(durability_backup(w.d, w.db, false, name, &err) == OK, "%s", err.text);
        faults_set(NULL);
        ck_assert_uint_eq(batches_in(&w, name), BATCHES);
        world_release(&w);
    }
}
END_TEST

/* Complete under its name, or nothing at all; of links, and of copies. */
START_TEST(whatever_fails_there_is_no_half_folder)
{
    fault_decide decide = _i == 0 ? fail_one : fail_one_without_links;
    struct world w;
    char parent[512];
    bool failed = true;
    size_t whole = 0;
    world_init(&w);
    world_open(&w);
    world_write_all(&w, 0, 20);
    world_snapshot(&w);
    snprintf(parent, sizeof(parent), "%s/snapshots", w.path);
    atomic_store(&no_links, EPERM);
    for (int n = 0; failed; n++) {
        char name[BACKUP_NAME_BYTES];
        struct error err = {0};
        left = n;
        faults_set(decide);
        failed = durability_backup(w.d, w.db, false, name, &err) != OK;
        faults_set(NULL);
        bool passed = left >= 0; /* it had not come to the fault */
        if (failed) ck_assert(err.text[0] != '\0');
        if (!failed) ck_assert_uint_eq(batches_in(&w, name), 20);
        whole = count_in(parent);
        DIR *folder = opendir(parent);
        struct dirent *entry;
        while (folder && (entry = readdir(folder))) {
            if (entry->d_name[0] == '.') continue;
            ck_assert_ptr_null(strstr(entry->d_name, ".tmp"));
            ck_assert_uint_eq(batches_in(&w, entry->d_name), 20);
        }
        if (folder) closedir(folder);
        world_write_all(&w, 0, 1); /* the server goes on */
        failed = failed || !passed;
    }
    ck_assert_uint_ge(whole, 1);
    world_release(&w);
}
END_TEST

START_TEST(what_a_crash_left_half_made_goes_at_the_next_start)
{
    struct world w;
    char name[BACKUP_NAME_BYTES];
    char path[512];
    char half[520];
    char copied[560];
    world_init(&w);
    world_open(&w);
    world_write_all(&w, 0, 20);
    ck_assert_int_eq(durability_backup(w.d, w.db, false, name, NULL), OK);
    path_of(&w, name, path);
    snprintf(half, sizeof(half), "%s.tmp", path);
    ck_assert_int_eq(rename(path, half), 0);
    snprintf(copied, sizeof(copied), "%s/HEARTH.tmp", half);
    world_write_file(copied, (const uint8_t *)"", 0);
    snprintf(copied, sizeof(copied), "%s/windows/1-00000001.tmp", half);
    world_write_file(copied, (const uint8_t *)"", 0);
    ck_assert_int_eq(durability_backup(w.d, w.db, false, name, NULL), OK);
    world_close(&w);
    world_open(&w);
    ck_assert_int_ne(access(half, F_OK), 0);
    ck_assert_uint_eq(batches_in(&w, name), 20);
    world_release(&w);
}
END_TEST

/* Somebody copies a folder away by hand, beside it. */
START_TEST(what_has_another_name_stays)
{
    static const char *const names[] = {"mine.tmp", "20261127T101500Z-0123456789ABCDEF.tmp",
                                        "20261127T101500Z-0123456789abcde.tmp",
                                        "20261127T101500Z-0123456789abcdef0.tmp", ".tmp"};
    struct world w;
    char name[BACKUP_NAME_BYTES];
    char whole[512];
    char copied[512];
    world_init(&w);
    world_open(&w);
    world_write_all(&w, 0, 20);
    ck_assert_int_eq(durability_backup(w.d, w.db, false, name, NULL), OK);
    path_of(&w, name, whole);
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        path_of(&w, names[i], copied);
        world_copy(whole, copied);
    }
    world_close(&w);
    world_open(&w);
    for (size_t i = 0; i < ARRAY_COUNT(names); i++)
        ck_assert_uint_eq(batches_in(&w, names[i]), 20);
    world_release(&w);
}
END_TEST

SUITE_TIMES(backup, 2, a_folder_of_its_own_holds_the_same, the_open_window_can_be_left_out,
            an_empty_store_gives_an_empty_folder, where_nothing_can_be_linked_it_is_copied,
            whatever_fails_there_is_no_half_folder,
            what_a_crash_left_half_made_goes_at_the_next_start, what_has_another_name_stays)
