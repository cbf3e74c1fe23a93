/* file: reads, writes in pieces, refusals with verb and path, what is opened at all. */
#include "snapshot/file.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/snapshot/faults.h"
#include "tests/unit/suite.h"

static char folder[64];

static void folder_make(void)
{
    snprintf(folder, sizeof(folder), "/tmp/hearth-file-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static struct file_path in_folder(const char *name)
{
    struct file_path path;
    ck_assert_int_eq(file_path_join(&path, folder, name, NULL), OK);
    return path;
}

static int shorten(enum fault_op op, const char *path)
{
    (void)path;
    return op == FAULT_WRITE ? FAULT_CUT : 0;
}

START_TEST(pieces_are_written_whole_even_when_each_write_is_short)
{
    struct file f;
    char back[16];
    size_t got;
    folder_make();
    struct file_path path = in_folder("a");
    for (int round = 0; round < 2; round++) {
        struct file_piece pieces[] = {{"0123", 4}, {"", 0}, {"456", 3}, {"789", 3}, {"", 0}};
        ck_assert_int_eq(file_open(&f, path.text, FILE_OVERWRITE, NULL), OK);
        faults_set(round ? shorten : NULL);
        ck_assert_int_eq(file_write(&f, 2, pieces, ARRAY_COUNT(pieces), NULL), OK);
        faults_set(NULL);
        ck_assert_int_eq(file_read(&f, 0, back, sizeof(back), &got, NULL), OK);
        ck_assert_uint_eq(got, 12);
        ck_assert_mem_eq(back, "\0\0000123456789", 12);
        ck_assert_int_eq(file_truncate(&f, 5, NULL), OK);
        uint64_t size;
        ck_assert_int_eq(file_size(&f, &size, NULL), OK);
        ck_assert_uint_eq(size, 5);
        ck_assert_int_eq(file_sync(&f, NULL), OK);
        file_close(&f);
    }
    ck_assert_int_eq(file_remove(path.text, NULL), OK);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(refusals_name_verb_path_and_reason)
{
    struct file f;
    struct error err;
    folder_make();
    struct file_path path = in_folder("a");
    ck_assert_int_eq(file_open(&f, path.text, FILE_READ, &err), ERR_NOT_FOUND);
    ck_assert_ptr_nonnull(strstr(err.text, path.text));
    ck_assert_ptr_nonnull(strstr(err.text, "No such file"));
    ck_assert_int_eq(file_remove(path.text, &err), ERR_NOT_FOUND);
    ck_assert_int_eq(file_open(&f, path.text, FILE_CREATE, &err), OK);
    ck_assert_int_gt(f.fd, 2);
    file_close(&f);
    file_close(&f); /* twice is nothing */
    ck_assert_int_eq(file_open(&f, path.text, FILE_CREATE, &err), ERR_CONFLICT);
    ck_assert_int_eq(folder_prepare(path.text, &err), ERR_IO);
    ck_assert_int_eq(file_open(&f, folder, FILE_READ, &err), ERR_IO);
    ck_assert_int_eq(file_remove(path.text, &err), OK);

    struct file_path fifo = in_folder("fifo");
    struct file_path link = in_folder("link");
    ck_assert_int_eq(mkfifo(fifo.text, 0600), 0);
    ck_assert_int_eq(symlink("/etc/passwd", link.text), 0);
    ck_assert_int_eq(file_open(&f, fifo.text, FILE_READ, &err), ERR_IO);
    ck_assert_int_eq(file_open(&f, link.text, FILE_READ, &err), ERR_IO);
    ck_assert_ptr_nonnull(strstr(err.text, "a symbolic link"));
    ck_assert_int_eq(file_remove(fifo.text, &err), OK);
    ck_assert_int_eq(file_remove(link.text, &err), OK);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(a_lock_is_held_once)
{
    struct file a;
    struct file b;
    struct error err;
    folder_make();
    struct file_path path = in_folder("lock");
    ck_assert_int_eq(file_open(&a, path.text, FILE_CREATE, &err), OK);
    ck_assert_int_eq(file_open(&b, path.text, FILE_CHANGE, &err), OK);
    ck_assert_int_eq(file_lock(&a, &err), OK);
    ck_assert_int_eq(file_lock(&b, &err), ERR_UNAVAILABLE);
    file_close(&a);
    ck_assert_int_eq(file_lock(&b, &err), OK);
    file_close(&b);
    ck_assert_int_eq(file_remove(path.text, &err), OK);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(standard_streams_are_never_data_files)
{
    struct file f;
    folder_make();
    struct file_path path = in_folder("a");
    int saved = dup(STDIN_FILENO);
    close(STDIN_FILENO);
    ck_assert_int_eq(file_open(&f, path.text, FILE_CREATE, NULL), OK);
    ck_assert_int_gt(f.fd, STDERR_FILENO);
    dup2(saved, STDIN_FILENO);
    close(saved);
    file_close(&f);
    ck_assert_int_eq(file_remove(path.text, NULL), OK);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

START_TEST(a_folder_lists_everything_but_itself)
{
    struct arena arena;
    struct folder_names names;
    struct file f;
    folder_make();
    arena_init(&arena, HEAP_SNAPSHOT, 1 << 20);
    for (int i = 0; i < 30; i++) {
        char name[16];
        snprintf(name, sizeof(name), "%d", i);
        struct file_path path = in_folder(name);
        ck_assert_int_eq(file_open(&f, path.text, FILE_CREATE, NULL), OK);
        file_close(&f);
    }
    ck_assert_int_eq(folder_list(folder, &arena, &names, NULL), OK);
    ck_assert_uint_eq(names.count, 30);
    for (size_t i = 0; i < names.count; i++) {
        struct file_path path = in_folder(names.items[i]);
        ck_assert_int_eq(file_remove(path.text, NULL), OK);
    }
    arena_release(&arena);
    ck_assert_int_eq(folder_sync(folder, NULL), OK);
    ck_assert_int_eq(rmdir(folder), 0);
}
END_TEST

SUITE(file, pieces_are_written_whole_even_when_each_write_is_short,
      refusals_name_verb_path_and_reason, a_lock_is_held_once,
      standard_streams_are_never_data_files, a_folder_lists_everything_but_itself)
