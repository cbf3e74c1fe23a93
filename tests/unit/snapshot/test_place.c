/* place: what a path says, and when a start does not read what lies there. */
#include "snapshot/place.h"

#include "tests/unit/snapshot/world.h"

START_TEST(names_tell_what_a_start_does)
{
    static const struct {
        const char *path;
        enum place_kind kind;
    } rows[] = {{"d/HEARTH", PLACE_OURS},
                {"HEARTH", PLACE_OURS},
                {"d/wal/00000007", PLACE_OURS},
                {"wal/00000007", PLACE_OURS},
                {"d/wal/7", PLACE_OTHER},
                {"d/00000007", PLACE_OTHER},
                {"00000007", PLACE_OTHER},
                {"d/windows/-3-00000001", PLACE_OURS},
                {"d/windows/00000001", PLACE_OTHER},
                {"d/manifests/00000001", PLACE_OURS},
                {"d/lock", PLACE_LOCK},
                {"d/windows/1-00000001.tmp", PLACE_UNFINISHED},
                {"d/wal/00000007.unreadable", PLACE_UNREADABLE},
                {"d/wal/00000007.foreign", PLACE_FOREIGN},
                {"d/wal/7.tmp", PLACE_OTHER},
                {"d/wal/notes.unreadable", PLACE_OTHER},
                {"d/notes.foreign", PLACE_OTHER},
                {".tmp", PLACE_OTHER},
                {"", PLACE_OTHER},
                {"/", PLACE_OTHER}};
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++)
        ck_assert_msg(place_of(rows[i].path) == rows[i].kind, "%s", rows[i].path);
}
END_TEST

START_TEST(numbers_of_a_head_follow_from_the_name)
{
    struct head head;
    ck_assert(place_head("d/wal/00000007", &head));
    ck_assert(head.kind == HEAD_SEGMENT && head.number == 7);
    ck_assert(place_head("d/windows/-3-00000012", &head));
    ck_assert(head.kind == HEAD_WINDOW && (int64_t)head.number == -3 && head.sequence == 12);
    ck_assert(!place_head("d/windows/x", &head));
    struct file_path path;
    char long_path[FILE_PATH_BYTES];
    memset(long_path, 'x', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = '\0';
    long_path[sizeof(long_path) - 4] = '/';
    ck_assert(!place_sibling(long_path, "HEARTH", &path));
    ck_assert(place_sibling("d/wal/1", "HEARTH", &path));
    ck_assert_str_eq(path.text, "d/wal/../HEARTH");
    ck_assert(place_sibling("1", "HEARTH", &path));
    ck_assert_str_eq(path.text, "./../HEARTH");
}
END_TEST

START_TEST(only_files_of_the_folder_are_read)
{
    struct world w;
    struct identity identity;
    char path[512];
    world_init(&w);
    world_open(&w);
    snprintf(path, sizeof(path), "%s/wal/00000002", w.path);
    ck_assert(place_identity(path, &identity));
    struct head head = {.kind = HEAD_SEGMENT, .identity = identity, .number = 1};
    ck_assert_ptr_null(place_refusal(path, &head)); /* the head wins over the name */
    head.identity.bytes[3] ^= 1;
    ck_assert_ptr_nonnull(place_refusal(path, &head));
    head = (struct head){.kind = HEAD_WINDOW, .identity = identity, .number = 2};
    ck_assert_ptr_nonnull(place_refusal(path, &head));
    snprintf(path, sizeof(path), "%s/windows/2-00000003", w.path);
    ck_assert_ptr_nonnull(place_refusal(path, &head));
    head.sequence = 3;
    ck_assert_ptr_null(place_refusal(path, &head));
    snprintf(path, sizeof(path), "%s/manifests/00000003", w.path);
    head.kind = HEAD_MANIFEST;
    ck_assert_ptr_null(place_refusal(path, &head));
    head.sequence = 4;
    ck_assert_ptr_nonnull(place_refusal(path, &head));
    ck_assert_ptr_null(place_refusal("/elsewhere/a-copy", &head));
    world_release(&w);
}
END_TEST

SUITE(place, names_tell_what_a_start_does, numbers_of_a_head_follow_from_the_name,
      only_files_of_the_folder_are_read)
