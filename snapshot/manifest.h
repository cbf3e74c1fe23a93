/*
 * manifest - one snapshot: which window files belong to it and where the log goes on
 * (docs/formats.md, "A manifest").
 *
 * Threads: one at a time.
 */
#ifndef HEARTH_SNAPSHOT_MANIFEST_H
#define HEARTH_SNAPSHOT_MANIFEST_H

#include "alloc/buf.h"
#include "snapshot/data_folder.h"

/* Storage exports at most STORAGE_WINDOWS_MAX; files of later windows may be carried along. */
enum { MANIFEST_ENTRIES_MAX = 256 };

struct window_entry {
    int64_t window;
    uint64_t snapshot; /* in the file's name */
    uint64_t size;     /* bytes of the file */
    uint64_t chunks;   /* in it */
    uint64_t samples;
    uint32_t crc; /* of the whole file */
};

struct manifest {
    uint64_t snapshot;      /* its number; 0: there is none */
    int64_t chunk_ms;       /* width of a window */
    uint64_t first_segment; /* of the log, to replay behind the windows */
    int64_t written_ms;     /* as windows go by it (docs/architecture.md, Time) */
    size_t count;
    struct window_entry entries[MANIFEST_ENTRIES_MAX]; /* ascending by window */
};

/* The entry of a window; NULL: there is none. */
const struct window_entry *manifest_find(const struct manifest *m, int64_t window);

/* Append the file's bytes. ERR_NO_MEMORY. */
MUST_USE enum status manifest_encode(const struct manifest *m, const struct identity *identity,
                                     struct buf *out, struct error *err);

/* OK
 * ERR_CORRUPT       damaged, or of another folder
 * ERR_UNSUPPORTED   another version */
MUST_USE enum status manifest_decode(const uint8_t *bytes, size_t size,
                                     const struct identity *identity, struct manifest *out,
                                     struct error *err);

/* Publish under its number: statuses of data_file_publish. Read one back: of file.h and of
 * manifest_decode, ERR_CORRUPT also when it has another number than its name. */
MUST_USE enum status manifest_write(const struct data_folder *folder, const struct manifest *m,
                                    struct error *err);
MUST_USE enum status manifest_read(const struct data_folder *folder, uint64_t snapshot,
                                   struct manifest *out, struct error *err);

#endif
