/* inspect: the truth about good files, and about every byte of damaged ones. */
#include "snapshot/inspect.h"

#include "tests/unit/snapshot/world.h"

static char text[1 << 20];

/* What it says is in `text`. */
static enum inspect_verdict inspect(const char *path, bool verify)
{
    FILE *out = fmemopen(text, sizeof(text), "w");
    ck_assert_ptr_nonnull(out);
    enum inspect_verdict verdict = inspect_path(path, verify, out);
    fclose(out);
    return verdict;
}

static void expect_text(const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "\"%s\" is not in:\n%s", part, text);
}

/* A snapshot of two windows, one of which was sealed, and a segment behind it. */
static void make_folder(struct world *w)
{
    world_init(w);
    world_open(w);
    world_write_all(w, 0, 20);
    clock_advance(3 * WORLD_CHUNK_MS);
    while (storage_maintain(w->db))
        continue;
    world_write_all(w, 180, 190);
    world_snapshot(w);
    world_write_all(w, 190, 195);
}

static void path_of(const struct world *w, const char *name, char out[512])
{
    snprintf(out, 512, "%s/%s", w->path, name);
}

START_TEST(a_folder_that_is_in_use_is_told_whole)
{
    struct world w;
    make_folder(&w);
    ck_assert_int_eq(inspect(w.path, true), INSPECT_GOOD);
    expect_text("identity of a data folder");
    expect_text("segment of the log");
    expect_text("5 batches, 25 samples");
    expect_text("samples of a window");
    expect_text("manifest of a snapshot");
    expect_text("the log goes on with segment 2");
    expect_text("lock of a data folder");
    world_release(&w);
}
END_TEST

START_TEST(other_files_are_told_for_what_they_are)
{
    struct world w;
    char path[512];
    make_folder(&w);
    path_of(&w, "wal/notes.txt", path);
    world_write_file(path, (const uint8_t *)"hello", 5);
    ck_assert_int_eq(inspect(path, true), INSPECT_GOOD);
    expect_text("not a file of Hearth");
    path_of(&w, "windows/5-00000001.tmp", path);
    world_write_file(path, (const uint8_t *)"hello", 5);
    ck_assert_int_eq(inspect(path, true), INSPECT_GOOD);
    expect_text("a start removes it");
    path_of(&w, "nothing", path);
    ck_assert_int_eq(inspect(path, true), INSPECT_UNREADABLE);
    expect_text("No such file");
    world_release(&w);
}
END_TEST

START_TEST(a_missing_window_is_named)
{
    struct world w;
    char path[512];
    char name[64];
    make_folder(&w);
    int64_t window = WORLD_START_MS / WORLD_CHUNK_MS + 3;
    snprintf(name, sizeof(name), "windows/%lld-00000001", (long long)window);
    path_of(&w, name, path);
    ck_assert_int_eq(unlink(path), 0);
    path_of(&w, "manifests/00000001", path);
    ck_assert_int_eq(inspect(path, false), INSPECT_DAMAGED);
    expect_text(name);
    expect_text("No such file");
    world_release(&w);
}
END_TEST

/* A snapshot that was asked for is a data folder inside of one. */
START_TEST(kept_snapshots_are_looked_into)
{
    struct world w;
    char name[BACKUP_NAME_BYTES];
    char path[512];
    char part[600];
    make_folder(&w);
    ck_assert_int_eq(durability_backup(w.d, w.db, false, name, NULL), OK);
    ck_assert_int_eq(inspect(w.path, true), INSPECT_GOOD);
    snprintf(part, sizeof(part), "snapshots/%s/HEARTH", name);
    expect_text(part);
    snprintf(part, sizeof(part), "snapshots/%s/windows/", name);
    expect_text(part);
    snprintf(part, sizeof(part), "snapshots/%s/windows/deeper", name);
    path_of(&w, part, path);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(inspect(w.path, true), INSPECT_GOOD);
    expect_text("not looked into");
    world_release(&w);
}
END_TEST

static void rename_in(const struct world *w, const char *from, const char *to)
{
    char old[512];
    char new[512];
    path_of(w, from, old);
    path_of(w, to, new);
    ck_assert_int_eq(rename(old, new), 0);
}

/* Intact, and yet a start does not take them, or not for what their name says. */
START_TEST(files_in_a_wrong_place_are_told_as_such)
{
    struct world w;
    struct world other;
    char path[512];
    char name[64];
    make_folder(&w);
    world_init(&other);
    world_open(&other);
    world_write_all(&other, 0, 3);
    world_close(&other);
    path_of(&other, "wal/00000001", path);
    size_t size;
    uint8_t *bytes = world_read_file(path, &size);
    path_of(&w, "wal/00000009", path);
    world_write_file(path, bytes, size);
    ck_assert_int_eq(inspect(path, false), INSPECT_DAMAGED);
    expect_text("another data folder");
    ck_assert_ptr_null(strstr(text, "a start    replays it"));
    rename_in(&w, "wal/00000009", "wal/00000009.foreign");
    path_of(&w, "wal/00000009.foreign", path);
    ck_assert_int_eq(inspect(path, false), INSPECT_GOOD);
    expect_text("3 batches, 15 samples");
    expect_text("never touched again");

    rename_in(&w, "wal/00000002", "wal/00000007"); /* read, under its own number */
    path_of(&w, "wal/00000007", path);
    ck_assert_int_eq(inspect(path, false), INSPECT_GOOD);
    expect_text("number 2");

    snprintf(name, sizeof(name), "windows/%lld-00000001",
             (long long)(WORLD_START_MS / WORLD_CHUNK_MS));
    rename_in(&w, name, "windows/1-00000001");
    path_of(&w, "windows/1-00000001", path);
    ck_assert_int_eq(inspect(path, false), INSPECT_DAMAGED);
    expect_text("another name");
    rename_in(&w, "manifests/00000001", "manifests/00000005");
    path_of(&w, "manifests/00000005", path);
    ck_assert_int_eq(inspect(path, false), INSPECT_DAMAGED);
    expect_text("another name");
    rename_in(&w, "manifests/00000005", "wal/00000005");
    path_of(&w, "wal/00000005", path);
    ck_assert_int_eq(inspect(path, false), INSPECT_DAMAGED);
    expect_text("another kind");
    free(bytes);
    world_release(&other);
    world_release(&w);
}
END_TEST

/* While a server writes it. */
START_TEST(what_is_not_finished_is_not_damaged)
{
    struct world w;
    char path[512];
    size_t size;
    make_folder(&w);
    path_of(&w, "manifests/00000001", path);
    uint8_t *bytes = world_read_file(path, &size);
    path_of(&w, "manifests/00000002.tmp", path);
    world_write_file(path, bytes, size / 2 + 8);
    ck_assert_int_eq(inspect(w.path, true), INSPECT_GOOD);
    expect_text("a start removes it");
    free(bytes);
    world_release(&w);
}
END_TEST

/* Bytes that no checksum covers: the second half of the head's last word. */
static bool is_spare(size_t at)
{
    return at >= 60 && at < 64;
}

static void damage_file(struct world *w, const char *name)
{
    char path[512];
    size_t size;
    size_t unnoticed = 0;
    path_of(w, name, path);
    uint8_t *bytes = world_read_file(path, &size);
    for (size_t at = 0; at < size; at++) {
        for (int bit = 0; bit < 8; bit += 3) {
            bytes[at] ^= (uint8_t)(1 << bit);
            world_write_file(path, bytes, size);
            unnoticed += inspect(path, true) == INSPECT_GOOD && !is_spare(at);
            bytes[at] ^= (uint8_t)(1 << bit);
        }
    }
    for (size_t length = 0; length < size; length++) {
        world_write_file(path, bytes, length);
        (void)inspect(path, true);
    }
    world_write_file(path, bytes, size);
    ck_assert_int_eq(inspect(path, true), INSPECT_GOOD);
    /* Zeros behind a record are not covered either: seven at most for each. */
    ck_assert_msg(unnoticed <= size / 8, "%s: %zu of %zu", name, unnoticed, 3 * size);
    free(bytes);
}

START_TEST(no_byte_of_damage_does_harm_and_nearly_all_is_told)
{
    struct world w;
    char name[64];
    make_folder(&w);
    damage_file(&w, "HEARTH");
    damage_file(&w, "wal/00000002");
    damage_file(&w, "manifests/00000001");
    snprintf(name, sizeof(name), "windows/%lld-00000001",
             (long long)(WORLD_START_MS / WORLD_CHUNK_MS));
    damage_file(&w, name);
    world_release(&w);
}
END_TEST

SUITE(inspect, a_folder_that_is_in_use_is_told_whole, other_files_are_told_for_what_they_are,
      a_missing_window_is_named, kept_snapshots_are_looked_into,
      files_in_a_wrong_place_are_told_as_such, what_is_not_finished_is_not_damaged,
      no_byte_of_damage_does_harm_and_nearly_all_is_told)
