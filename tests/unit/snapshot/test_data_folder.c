/* data_folder: which names are ours. Lock and identity: test_durability.c, test_recover.c. */
#include "snapshot/data_folder.h"

#include "tests/unit/snapshot/faults.h"
#include "tests/unit/snapshot/world.h"

START_TEST(only_exact_names_are_ours)
{
    struct data_name name;
    ck_assert(data_name_parse("00000007", DATA_SEGMENT, &name) && name.number == 7);
    ck_assert(data_name_parse("123456789", DATA_MANIFEST, &name) && name.number == 123456789);
    ck_assert(data_name_parse("123470-00000012", DATA_WINDOW, &name));
    ck_assert(name.number == 123470 && name.snapshot == 12);
    ck_assert(data_name_parse("-3-00000001", DATA_WINDOW, &name) && name.number == -3);
    static const char *const foreign[] = {
        "",           "7",        "0000007",    "000000007",          "00000007 ",
        "+0000007",   "-0000007", "0x000007",   "00000007.tmp",       "99999999999999999999",
        "lost+found", "..",       "1-00000001", "9223372036854775807"};
    for (size_t i = 0; i < ARRAY_COUNT(foreign); i++)
        ck_assert_msg(!data_name_parse(foreign[i], DATA_SEGMENT, &name), "%s", foreign[i]);
    static const char *const windows[] = {"",
                                          "1",
                                          "1-",
                                          "-1",
                                          "01-00000001",
                                          "1-1",
                                          "--1-00000001",
                                          "1-00000001-",
                                          "1-000000001",
                                          "-0-00000001",
                                          "1-9223372036854775807",
                                          "9223372036854775807-00000001"};
    for (size_t i = 0; i < ARRAY_COUNT(windows); i++)
        ck_assert_msg(!data_name_parse(windows[i], DATA_WINDOW, &name), "%s", windows[i]);
}
END_TEST

static char synced_folders[512];

static int note_folder_syncs(enum fault_op op, const char *path)
{
    if (op == FAULT_FOLDER_SYNC) {
        strncat(synced_folders, strrchr(path, '/'), 64);
        strncat(synced_folders, " ", 2);
    }
    return 0;
}

/* A manifest that was renamed by a process that then ended: the next one goes by it and deletes
 * what it replaces, so its name has to be stable before. */
START_TEST(names_that_are_found_are_made_stable)
{
    struct world w;
    world_init(&w);
    world_open(&w);
    world_close(&w);
    synced_folders[0] = '\0';
    faults_set(note_folder_syncs);
    world_open(&w);
    faults_set(NULL);
    ck_assert_ptr_nonnull(strstr(synced_folders, "/wal "));
    ck_assert_ptr_nonnull(strstr(synced_folders, "/windows "));
    ck_assert_ptr_nonnull(strstr(synced_folders, "/manifests "));
    world_release(&w);
}
END_TEST

/* Else a power failure could take the folder, with what was acknowledged as durable. */
START_TEST(the_name_of_a_new_folder_is_made_stable)
{
    static const char *const names[] = {"/new", "/other//"};
    struct world w;
    struct arena a;
    world_init(&w);
    arena_init(&a, HEAP_SNAPSHOT, WORLD_ARENA_BYTES);
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        struct data_folder folder;
        char path[512];
        char parent[512];
        snprintf(path, sizeof(path), "%s%s", w.path, names[i]);
        snprintf(parent, sizeof(parent), "%s ", strrchr(w.path, '/'));
        synced_folders[0] = '\0';
        faults_set(note_folder_syncs);
        ck_assert_int_eq(data_folder_open(&folder, path, &a, NULL), OK);
        faults_set(NULL);
        ck_assert_ptr_nonnull(strstr(synced_folders, parent));
        data_folder_close(&folder);
    }
    arena_release(&a);
    world_release(&w);
}
END_TEST

SUITE(data_folder, only_exact_names_are_ours, names_that_are_found_are_made_stable,
      the_name_of_a_new_folder_is_made_stable)
