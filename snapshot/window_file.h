/*
 * window_file - one window of storage to a file (docs/formats.md, "A window"); back it comes by
 * snapshot/window_load.h.
 *
 * It streams from the exporter, a block (1 MiB, or one chunk if that is larger) at a time.
 *
 * Threads: one at a time.
 */
#ifndef HEARTH_SNAPSHOT_WINDOW_FILE_H
#define HEARTH_SNAPSHOT_WINDOW_FILE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "snapshot/data_folder.h"
#include "snapshot/manifest.h"
#include "snapshot/window_block.h"
#include "storage/export.h"

struct window_writer {
    const struct data_folder *folder;
    struct storage *db;
    struct window_block *scratch;
    const _Atomic bool *hurried; /* while false, half of the time is left to others; NULL: never */
};

/* Write and publish windows/<window>-<snapshot>; *out is its manifest entry. A window without
 * chunks leaves no file: out->chunks is 0. ERR_UNAVAILABLE, ERR_IO, ERR_NO_MEMORY, ERR_CORRUPT (a
 * chunk in memory is broken): no file. */
MUST_USE enum status window_file_write(const struct window_writer *how,
                                       const struct window_span *span, uint64_t snapshot,
                                       struct window_entry *out, struct error *err);

#endif
