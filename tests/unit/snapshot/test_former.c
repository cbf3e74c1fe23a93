/* former: a folder that an older version wrote is read, to the last sample.
 *
 * tests/data/folders/N was written by the version before the one that introduced the N-th change of
 * the formats, with FORMER_MAKE=FOLDER test_former: windows that were sealed, one that was open, a
 * log behind the snapshot. Before the formats change, make the next one. */
#include "tests/unit/snapshot/world.h"

enum { SEALED_BATCHES = 120, OPEN_BATCHES = 150, LOGGED_BATCHES = 160 };

static void write_folder(struct world *w)
{
    world_open(w);
    for (size_t k = 0; k < SEALED_BATCHES; k++) {
        world_write_all(w, k, k + 1);
        clock_advance(WORLD_STEP_MS);
    }
    clock_advance(WORLD_CHUNK_MS);
    while (storage_maintain(w->db))
        continue;
    world_write_all(w, SEALED_BATCHES, OPEN_BATCHES);
    world_snapshot(w);
    world_write_all(w, OPEN_BATCHES, LOGGED_BATCHES);
}

/* As it was when the folder was written; and what was. */
static void expect_folder(struct world *w)
{
    clock_advance((int64_t)SEALED_BATCHES * WORLD_STEP_MS + WORLD_CHUNK_MS);
    for (size_t k = 0; k < LOGGED_BATCHES; k++)
        w->tried[k] = w->acknowledged[k] = true;
    world_open(w);
    ck_assert_uint_eq(world_check(w, 0), LOGGED_BATCHES);
    ck_assert_uint_eq(world_stats(w).snapshot_corruptions, 0);
    ck_assert_uint_eq(world_stats(w).wal_corruptions, 0);
    ck_assert_uint_eq(world_stats(w).wal_lost_batches, 0);
    storage_check(w->db);
}

START_TEST(folders_of_former_versions_are_read)
{
    static const char *const folders[] = {"1"};
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        struct world w;
        char from[512];
        world_init(&w);
        snprintf(from, sizeof(from), "%s%s", FOLDERS, folders[i]);
        world_copy(from, w.path);
        expect_folder(&w);
        world_write_all(&w, LOGGED_BATCHES, LOGGED_BATCHES + 1); /* and go on */
        world_snapshot(&w);
        world_close(&w);
        world_open(&w);
        ck_assert_uint_eq(world_check(&w, 0), LOGGED_BATCHES + 1);
        world_release(&w);
    }
}
END_TEST

START_TEST(a_folder_like_them_is_written_and_read_today)
{
    struct world w;
    world_init(&w);
    write_folder(&w);
    world_close(&w);
    const char *keep = getenv("FORMER_MAKE");
    if (keep) world_copy(w.path, keep);
    clock_freeze(WORLD_START_MS);
    expect_folder(&w);
    world_release(&w);
}
END_TEST

SUITE(former, folders_of_former_versions_are_read, a_folder_like_them_is_written_and_read_today)
