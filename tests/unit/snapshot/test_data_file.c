/* data_file: renewed whole or not at all. Publishing: test_faults.c; what is set aside or kept:
 * test_recover.c. */
#include "snapshot/data_file.h"

#include "tests/unit/snapshot/faults.h"
#include "tests/unit/snapshot/world.h"

static int refuse_writes(enum fault_op op, const char *path)
{
    return op == FAULT_WRITE && strstr(path, ".tmp") ? EIO : 0;
}

START_TEST(a_file_is_renewed_whole_or_stays)
{
    struct world w;
    struct data_folder folder;
    struct arena a;
    struct file_path path;
    const struct data_name name = {.number = 7};
    size_t size = 3 << 20;
    uint8_t *bytes = malloc(size);
    world_init(&w);
    arena_init(&a, HEAP_SNAPSHOT, WORLD_ARENA_BYTES);
    ck_assert_int_eq(data_folder_open(&folder, w.path, &a, NULL), OK);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * i >> 7);
    data_folder_path(&folder, DATA_SEGMENT, name, &path);
    ck_assert_int_eq(data_file_renew(&folder, DATA_SEGMENT, name, NULL), ERR_NOT_FOUND);
    world_write_file(path.text, bytes, size);
    for (int refused = 2; refused >= 0; refused--) {
        static const enum status answers[] = {OK, ERR_IO, ERR_NO_MEMORY};
        size_t there;
        faults_set(refused == 1 ? refuse_writes : NULL);
        if (refused == 2) (void)heap_fail_after(0);
        ck_assert_int_eq(data_file_renew(&folder, DATA_SEGMENT, name, NULL), answers[refused]);
        (void)heap_fail_after(UINT64_MAX);
        faults_set(NULL);
        uint8_t *read = world_read_file(path.text, &there);
        ck_assert_uint_eq(there, size);
        ck_assert_int_eq(memcmp(read, bytes, size), 0);
        free(read);
    }
    data_folder_close(&folder);
    arena_release(&a);
    free(bytes);
    world_release(&w);
}
END_TEST

/* Of a window file: what was asked of the disk last about its folder. */
static enum fault_op last_op;

static int note_op(enum fault_op op, const char *path)
{
    if (strstr(path, "/windows")) last_op = op;
    return 0;
}

/* Without that, a power cut brings it back behind samples that were acknowledged without it. */
START_TEST(what_is_set_aside_keeps_its_new_name)
{
    struct world w;
    struct data_folder folder;
    struct arena a;
    struct file_path path;
    struct file_path aside;
    size_t size;
    world_init(&w);
    arena_init(&a, HEAP_SNAPSHOT, WORLD_ARENA_BYTES);
    ck_assert_int_eq(data_folder_open(&folder, w.path, &a, NULL), OK);
    data_folder_path(&folder, DATA_WINDOW, (struct data_name){.number = 7, .snapshot = 2}, &path);
    (void)snprintf(aside.text, sizeof(aside.text), "%.*s.unreadable", 500, path.text);
    world_write_file(path.text, (const uint8_t *)"bytes", 5);
    faults_set(note_op);
    data_file_set_aside(&folder, DATA_WINDOW, path.text);
    faults_set(NULL);
    ck_assert_int_eq(last_op, FAULT_FOLDER_SYNC);
    uint8_t *read = world_read_file(aside.text, &size);
    ck_assert_uint_eq(size, 5);
    free(read);
    data_folder_close(&folder);
    arena_release(&a);
    world_release(&w);
}
END_TEST

SUITE(data_file, a_file_is_renewed_whole_or_stays, what_is_set_aside_keeps_its_new_name)
