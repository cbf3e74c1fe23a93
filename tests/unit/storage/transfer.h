/*
 * transfer - carrying the chunks of one storage into another, for tests of export and import.
 */
#ifndef HEARTH_TESTS_UNIT_STORAGE_TRANSFER_H
#define HEARTH_TESTS_UNIT_STORAGE_TRANSFER_H

#include "storage/export.h"
#include "tests/unit/storage/store.h"

/* A second storage beside the first, same clock. */
static inline struct storage *open_other(void)
{
    struct storage_options options = storage_options_default();
    struct storage *db;
    struct error err;
    options.shards = 1;
    ck_assert(storage_open(&options, &db, &err) == OK);
    return db;
}

/* An image that outlives the exporter's step. */
static inline struct chunk_image keep_image(const struct chunk_image *image, struct arena *a)
{
    struct chunk_image kept = *image;
    struct error err;
    struct str bytes = arena_copy(a, (struct str){(const char *)image->bytes, image->size});
    ck_assert(bytes.data);
    kept.bytes = (const uint8_t *)bytes.data;
    if (image->times) {
        struct str times =
            arena_copy(a, (struct str){(const char *)image->times, image->times_size});
        ck_assert(times.data);
        kept.times = (const uint8_t *)times.data;
    }
    ck_assert(labels_copy(image->labels, a, &kept.labels, &err) == OK);
    return kept;
}

/* One chunk. */
static inline enum status import_chunk(struct storage *db, const struct chunk_image *image,
                                       struct error *err)
{
    size_t done;
    enum status st = import_chunks(db, image, 1, &done, err);
    ck_assert_uint_eq(done, st == OK);
    return st;
}

/* Carry every chunk over; returns how many. */
static inline size_t copy_all(struct storage *from, struct storage *to)
{
    struct window_info windows[STORAGE_WINDOWS_MAX];
    struct arena a;
    struct error err;
    size_t copied = 0;
    size_t count = export_windows(from, windows);
    arena_init(&a, HEAP_SNAPSHOT, 1 << 26);
    for (size_t i = 0; i < count; i++) {
        struct exporter *e;
        struct chunk_image image;
        bool more;
        ck_assert(i == 0 || windows[i - 1].window < windows[i].window);
        ck_assert(export_open(from, windows[i].window, &a, &e, &err) == OK);
        while (ck_assert(export_next(e, &image, &more, &err) == OK), more) {
            ck_assert_int_eq(image.window, windows[i].window);
            ck_assert_msg(import_chunk(to, &image, &err) == OK, "%s", err.text);
            copied++;
        }
        export_close(e);
        arena_reset(&a);
    }
    arena_release(&a);
    return copied;
}

#endif
