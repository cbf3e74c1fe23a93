/* The data folder, or a part of it, is removed or replaced under a running process: nothing is
 * acknowledged into files that nobody will find, and memory writes all of it again. */
#include <sys/wait.h>

#include "snapshot/data_folder.h"
#include "tests/unit/snapshot/world.h"

static void path_in(const struct world *w, const char *name, char out[512])
{
    snprintf(out, 512, "%s%s%s", w->path, *name ? "/" : "", name);
}

static size_t asked; /* how often a snapshot was asked for */

static void on_news(void *self)
{
    struct world *w = self;
    if (w->d && durability_wants_snapshot(w->d)) asked++;
}

static void begin(struct world *w, enum wal_sync sync)
{
    world_init(w);
    asked = 0;
    w->options.sync = sync;
    w->options.news = on_news;
    w->options.news_self = w;
    world_open(w);
    world_write_all(w, 0, 70); /* windows that are closed, and the open one */
    world_snapshot(w);
    world_write_all(w, 70, 75);
}

/* A batch that may be in no file is not acknowledged; whoever takes snapshots is told. */
static void expect_refused(struct world *w, size_t k)
{
    struct error err = {0};
    ck_assert_int_eq(world_write(w, k, &err), ERR_UNAVAILABLE);
    ck_assert_msg(strstr(err.text, w->path) != NULL, "%s", err.text);
    ck_assert_msg(strstr(err.text, "removed or replaced") != NULL, "%s", err.text);
    ck_assert(durability_wants_snapshot(w->d));
    ck_assert_uint_gt(asked, 0);
    world_check(w, 0); /* queries go on */
}

/* It goes on, and a process that ends without a word has lost nothing. */
static void expect_whole(struct world *w, size_t from)
{
    ck_assert(!durability_wants_snapshot(w->d));
    world_write_all(w, from, from + 5);
    world_close(w);
    world_open(w);
    world_check(w, 0);
    world_release(w);
}

/* Whole, with each subfolder alone, and its content. */
START_TEST(what_is_removed_is_written_again)
{
    static const char *const parts[] = {"", "wal", "wal/00000002"};
    static const enum wal_sync modes[] = {WAL_SYNC_INTERVAL, WAL_SYNC_ALWAYS, WAL_SYNC_NEVER};
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++)
        for (size_t m = 0; m < ARRAY_COUNT(modes); m++) {
            struct world w;
            char path[512];
            begin(&w, modes[m]);
            path_in(&w, parts[i], path);
            world_remove(path);
            expect_refused(&w, 75);
            expect_refused(&w, 76);
            world_snapshot(&w);
            expect_whole(&w, 75);
        }
}
END_TEST

/* With nothing written meanwhile the next snapshot notices. */
START_TEST(a_snapshot_notices_what_is_gone)
{
    static const char *const parts[] = {"", "wal", "windows", "manifests"};
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        struct world w;
        char path[512];
        begin(&w, WAL_SYNC_INTERVAL);
        world_snapshot(&w);
        path_in(&w, parts[i], path);
        world_remove(path);
        world_snapshot(&w);
        path_in(&w, "HEARTH", path);
        ck_assert_int_eq(access(path, F_OK), 0);
        expect_whole(&w, 75);
    }
}
END_TEST

/* The folder has been moved away; `moved` is a process on it where it is now. */
static void begin_moved(struct world *w, struct world *moved)
{
    begin(w, WAL_SYNC_INTERVAL);
    *moved = *w;
    memcpy(moved->path + strlen(moved->path), ".moved", sizeof(".moved"));
    moved->options.path = moved->path;
    ck_assert_int_eq(rename(w->path, moved->path), 0);
}

/* An empty folder is one to write to, whoever made it; the one that was moved is not written to. */
START_TEST(a_new_folder_in_its_place_gets_everything)
{
    struct world w;
    struct world moved;
    struct error err = {0};
    begin_moved(&w, &moved);
    ck_assert_int_eq(mkdir(w.path, 0700), 0);
    expect_refused(&w, 75);
    ck_assert_int_eq(world_start(&moved, &err), ERR_UNAVAILABLE); /* still held */
    world_snapshot(&w);
    world_write_all(&w, 75, 80);
    world_open(&moved);     /* whoever wants it has it now */
    moved.tried[75] = true; /* it was refused, and may be there */
    world_check(&moved, 0);
    world_release(&moved);
    clock_freeze(WORLD_START_MS);
    expect_whole(&w, 80);
}
END_TEST

/* Somebody else's data in its place is not touched; when that is gone, all is well again. */
START_TEST(another_folder_in_its_place_is_left_alone)
{
    struct world w;
    struct world moved;
    struct world other;
    struct error err = {0};
    begin_moved(&w, &moved);
    world_init(&other);
    world_open(&other);
    world_write_all(&other, 0, 10);
    world_snapshot(&other);
    world_close(&other);
    ck_assert_int_eq(rename(other.path, w.path), 0);
    expect_refused(&w, 75);
    for (size_t i = 0; i < 2; i++) {
        ck_assert_int_eq(durability_snapshot(w.d, w.db, &err), ERR_IO);
        ck_assert_msg(strstr(err.text, "replaced by another one") != NULL, "%s", err.text);
        ck_assert(durability_wants_snapshot(w.d));
        expect_refused(&w, 76);
    }
    ck_assert_int_eq(rename(w.path, other.path), 0);
    world_open(&other);
    ck_assert_uint_eq(world_check(&other, 0), 10);
    world_release(&other);
    clock_freeze(WORLD_START_MS);
    ck_assert_int_eq(rename(moved.path, w.path), 0);
    world_snapshot(&w);
    expect_whole(&w, 75);
}
END_TEST

/* Removing the file `lock` does not open the folder for a second process. */
START_TEST(the_lock_is_not_only_a_file)
{
    struct world w;
    char path[512];
    world_init(&w);
    world_open(&w);
    path_in(&w, "lock", path);
    ck_assert_int_eq(unlink(path), 0);
    pid_t child = fork();
    if (child == 0) {
        struct error err = {0};
        struct durability *d;
        enum status st = durability_open(&w.options, &d, &err);
        _exit(st == ERR_UNAVAILABLE && strstr(err.text, "in use by another process") ? 0 : 1);
    }
    int result;
    ck_assert_int_eq(waitpid(child, &result, 0), child);
    ck_assert_int_eq(result, 0);
    ck_assert_int_ne(access(path, F_OK), 0);
    world_write_all(&w, 0, 5);
    expect_whole(&w, 5);
}
END_TEST

SUITE(taken_away, what_is_removed_is_written_again, a_snapshot_notices_what_is_gone,
      a_new_folder_in_its_place_gets_everything, another_folder_in_its_place_is_left_alone,
      the_lock_is_not_only_a_file)
