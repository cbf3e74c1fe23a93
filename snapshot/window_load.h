/*
 * window_load - window files back into storage, by several threads (docs/formats.md, "A window").
 *
 *     files -> pieces (snapshot/pieces.h) -> records -> blocks -> importer -> storage
 *
 * Each thread takes the next piece of its stretch of the first file that has one left, reads it,
 * checks it and imports its chunks; so files are begun in order, and every thread holds one block
 * (1 MiB, or one chunk if that is larger). What is in storage afterwards does not depend on who
 * took what. With one thread everything happens in order, in the caller's.
 *
 * Damage is logged where it is met, with file and offset, and counted; it ends nothing.
 *
 * Threads: window_load from one, which starts the others.
 */
#ifndef HEARTH_SNAPSHOT_WINDOW_LOAD_H
#define HEARTH_SNAPSHOT_WINDOW_LOAD_H

#include <stdatomic.h>

#include "snapshot/data_folder.h"
#include "snapshot/window_block.h"

struct load_totals {
    uint64_t chunks; /* imported */
    uint64_t samples;
    uint64_t bytes;       /* of files read */
    uint64_t corruptions; /* damaged places, files and chunks; each was logged */
    uint64_t too_old;     /* chunks of windows not retained any more */
    uint64_t too_new;     /* chunks of windows that the clock has not reached */
};
void load_totals_add(struct load_totals *to, const struct load_totals *more);

/* A file to load: windows/<span.window>-<snapshot>. */
struct window_load {
    struct window_span span;
    uint64_t snapshot;
    uint64_t size_expected; /* bytes */
    /* What came of it. */
    bool whole; /* nothing of it was damaged, refused or missing */
    struct load_totals totals;
};

struct window_loader {
    const struct data_folder *folder;
    struct storage *db;
    uint32_t threads;             /* at most; few bytes are not worth many */
    _Atomic uint64_t *bytes_done; /* counts up as files are read; NULL: nobody looks */
};

/* Load files.
 *
 * OK                also after damage
 * ERR_UNSUPPORTED   another format version, another chunk_ms, an unknown chunk encoding
 * ERR_NO_MEMORY */
MUST_USE enum status window_load(const struct window_loader *loader, struct window_load *files,
                                 size_t count, struct error *err);

#endif
