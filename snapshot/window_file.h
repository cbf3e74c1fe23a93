/*
 * window_file - one window of storage to a file, and back (docs/formats.md, "A window").
 *
 * Writing streams from the exporter, reading streams into import_chunks; both hold one block (1
 * MiB, or one chunk if that is larger) at a time.
 *
 * Threads: one at a time.
 */
#ifndef HEARTH_SNAPSHOT_WINDOW_FILE_H
#define HEARTH_SNAPSHOT_WINDOW_FILE_H

#include "snapshot/data_folder.h"
#include "snapshot/manifest.h"
#include "snapshot/window_block.h"
#include "storage/export.h"

/* Write and publish windows/<window>-<snapshot>; *out is its manifest entry. A window without
 * chunks leaves no file: out->chunks is 0. ERR_UNAVAILABLE, ERR_IO, ERR_NO_MEMORY, ERR_CORRUPT (a
 * chunk in memory is broken): no file. */
MUST_USE enum status window_file_write(const struct data_folder *folder, struct storage *db,
                                       const struct window_span *span, uint64_t snapshot,
                                       struct window_block *scratch, struct window_entry *out,
                                       struct error *err);

struct load_totals {
    uint64_t chunks; /* imported */
    uint64_t samples;
    uint64_t bytes;       /* of files read */
    uint64_t corruptions; /* damaged places, files and chunks; each was logged */
    uint64_t too_old;     /* chunks of windows not retained any more */
    uint64_t too_new;     /* chunks of windows that the clock has not reached */
};

struct window_loader {
    const struct data_folder *folder;
    struct storage *db;
    struct arena arena;
    struct buf buffer;
    struct load_totals totals;
};
void window_loader_init(struct window_loader *l, const struct data_folder *folder,
                        struct storage *db);
void window_loader_release(struct window_loader *l);

/* Load one file. *whole is false when something of it was damaged, refused or missing.
 *
 * OK                also after damage
 * ERR_UNSUPPORTED   another format version, another chunk_ms, an unknown chunk encoding
 * ERR_NO_MEMORY */
MUST_USE enum status window_file_load(struct window_loader *l, const struct window_span *span,
                                      uint64_t snapshot, bool *whole, struct error *err);

#endif
