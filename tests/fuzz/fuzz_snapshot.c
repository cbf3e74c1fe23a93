/* links: snapshot */
/*
 * The files of a snapshot: the input as a block of a window (symbols, chunks, and the chunks' bytes
 * through import into a store), as a manifest, and as the head of each kind.
 */
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/clock.h"
#include "snapshot/manifest.h"
#include "snapshot/window_block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ARENA_BYTES = 64 << 20 };
#define NOW_MS INT64_C(1700000000000)

static void read_block(const uint8_t *data, size_t size)
{
    struct storage_options options = storage_options_default();
    struct storage *db;
    struct importer *importer;
    struct window_cursor cursor;
    struct arena a;
    bool more = true;
    clock_freeze(NOW_MS);
    options.shards = 1;
    if (storage_open(&options, &db, NULL) != OK) return;
    if (importer_open(db, &importer, NULL) != OK) {
        storage_close(db);
        return;
    }
    struct window_span span = {.window = storage_window_of(db, NOW_MS),
                               .chunk_ms = options.chunk_ms};
    span.start_ms = storage_window_start_ms(db, span.window);
    arena_init(&a, HEAP_SNAPSHOT, ARENA_BYTES);
    enum status st = window_cursor_open(&cursor, data, size, &span, &a, NULL);
    if (st == OK) st = importer_texts(importer, cursor.texts, cursor.text_count, NULL);
    while (more && (st == OK || st == ERR_INVALID)) {
        struct chunk_image image;
        struct error err;
        st = window_cursor_next(&cursor, &a, &image, &more, &err);
        size_t done;
        if (st == OK && more && importer_put(importer, &image, 1, &done, &err) != OK)
            ASSERT(done == 0 && err.text[0] != '\0');
    }
    importer_close(importer);
    storage_check(db);
    arena_release(&a);
    storage_close(db);
}

static void read_manifest(const uint8_t *data, size_t size)
{
    static struct manifest m;
    struct head head;
    struct error err;
    struct identity identity = {{0}};
    static const enum head_kind kinds[] = {HEAD_IDENTITY, HEAD_SEGMENT, HEAD_WINDOW, HEAD_MANIFEST};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (head_decode(data, size, kinds[i], &head, &err) == OK) identity = head.identity;
    if (manifest_decode(data, size, &identity, &m, &err) == OK)
        for (size_t i = 0; i < m.count; i++)
            ASSERT(manifest_find(&m, m.entries[i].window) == &m.entries[i]);
    else
        ASSERT(err.text[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_block(data, size);
    read_manifest(data, size);
    return 0;
}
