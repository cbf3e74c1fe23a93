/* links: snapshot */
/*
 * hearth inspect: the input as a file of each kind, as it is, and as the payload of an intact
 * record of one, so that checksums hide nothing. What is said must be something, and no more than
 * the input gives reason for.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "snapshot/head.h"
#include "snapshot/inspect.h"
#include "snapshot/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct {
    const char *name;
    enum head_kind head;
    enum record_type record;
} kinds[] = {
    {"wal/00000001", HEAD_SEGMENT, RECORD_BATCH},
    {"windows/5-00000001", HEAD_WINDOW, RECORD_CHUNKS},
    {"windows/5-00000001", HEAD_WINDOW, RECORD_WINDOW_END},
    {"manifests/00000001", HEAD_MANIFEST, RECORD_MANIFEST},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]), SAID_MAX = 4096, SAID_PER_BYTE = 512 };

enum { PATH_BYTES = 128 };

static const char *const parts[] = {"wal", "windows", "manifests"};
enum { PARTS = sizeof(parts) / sizeof(parts[0]) };

static void remove_folder(void);

/* A data folder of this process, and a path in it. */
static const char *in_folder(const char *name)
{
    static char folder[] = "/tmp/hearth-fuzz-inspect-XXXXXX";
    static char path[PATH_BYTES];
    static bool made;
    if (!made) {
        ASSERT(mkdtemp(folder));
        made = true;
        for (size_t i = 0; i < PARTS; i++)
            ASSERT(mkdir(in_folder(parts[i]), 0700) == 0);
        ASSERT(atexit(remove_folder) == 0);
    }
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static void remove_folder(void)
{
    for (size_t kind = 0; kind < KINDS; kind++)
        (void)unlink(in_folder(kinds[kind].name));
    for (size_t i = 0; i < PARTS; i++)
        (void)rmdir(in_folder(parts[i]));
    (void)rmdir(in_folder(""));
}

static void write_file(const char *name, const void *bytes, size_t size)
{
    FILE *f = fopen(in_folder(name), "wb");
    ASSERT(f);
    ASSERT(size == 0 || fwrite(bytes, 1, size, f) == size);
    ASSERT(fclose(f) == 0);
}

static void inspect(const char *path, size_t size)
{
    char *said = NULL;
    size_t said_bytes = 0;
    FILE *out = open_memstream(&said, &said_bytes);
    ASSERT(out);
    (void)inspect_path(path, true, out);
    ASSERT(fclose(out) == 0);
    ASSERT(said_bytes > 0 && said_bytes <= SAID_MAX + size * SAID_PER_BYTE);
    free(said);
}

static void inspect_record(size_t kind, const uint8_t *data, size_t size)
{
    struct buf b;
    uint8_t bytes[HEAD_BYTES];
    struct head head = {.kind = kinds[kind].head,
                        .number = kinds[kind].head == HEAD_WINDOW ? 5 : 1,
                        .sequence = kinds[kind].head != HEAD_SEGMENT,
                        .chunk_ms = 14400000};
    buf_init(&b, HEAP_SNAPSHOT, SIZE_MAX / 2);
    head_encode(&head, bytes);
    buf_append(&b, bytes, sizeof(bytes));
    size_t start = record_begin(&b);
    buf_append(&b, data, size);
    record_end(&b, start, kinds[kind].record);
    ASSERT(!b.refused);
    record_seal(b.data + start, head_seed(&head), 0);
    write_file(kinds[kind].name, b.data, b.size);
    inspect(in_folder(kinds[kind].name), b.size);
    buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (size_t kind = 0; kind < KINDS; kind++) {
        write_file(kinds[kind].name, data, size);
        inspect(in_folder(kinds[kind].name), size);
        inspect_record(kind, data, size);
    }
    inspect(in_folder(""), 2 * size);
    return 0;
}
