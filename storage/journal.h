/*
 * journal - what storage tells whoever makes it durable.
 *
 * Storage knows no files. A committed batch is applied to memory first and then handed to the
 * journal; only when the journal says OK does the appender say OK, and only then may the write be
 * acknowledged.
 *
 * Apply first, log second: the batch holds exactly the samples that memory accepted (or already
 * held with the same bits), so records never contradict each other and replay gives the same store
 * in any order; and a snapshot that starts after a segment was closed holds everything in that
 * segment, and parts of requests whose records come later (export_settle). A sample is visible to
 * queries a moment before it is durable; it is acknowledged after.
 *
 * Threads: log is called by any number of threads at once, with no storage lock held.
 */
#ifndef HEARTH_STORAGE_JOURNAL_H
#define HEARTH_STORAGE_JOURNAL_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "model/labels.h"
#include "model/sample.h"

struct arena;

struct series;

/* One series of a batch, valid during the call. */
struct journal_series {
    uint32_t id;                 /* of the series, in this process */
    const struct series *series; /* whose labels journal_labels tells; NULL: they are here */
    struct labels labels;
    /* Owned by the journal, kept in the series and 0 when it is new: in which segment the series'
     * labels were last written, so that they are repeated once a segment and not once a record. */
    _Atomic uint32_t *defined_in;
    const struct sample *samples;
    size_t sample_count;
};

struct journal_batch {
    struct journal_series *series;
    size_t series_count;
    struct arena *arena; /* for labels that somebody wants to see */
    size_t sample_count; /* of all series */
};

/* Room for the labels of one series, on the batch's arena. Zero: none yet. */
struct journal_room {
    struct label *items;
    size_t count;
};

/* The full label set of a series of the batch, normalized, in the room, which grows. Most batches
 * are logged without, so it is only made when it is asked for. ERR_NO_MEMORY, ERR_TOO_LARGE from
 * the arena. */
MUST_USE enum status journal_labels(const struct journal_batch *batch,
                                    const struct journal_series *series, struct journal_room *room,
                                    struct labels *out, struct error *err);

struct journal {
    void *self;
    /* OK                 the batch is as durable as the journal promises
     * ERR_UNAVAILABLE, ERR_IO, ERR_NO_MEMORY   it is not; the sender has to be told to come again
     */
    enum status (*log)(void *self, const struct journal_batch *batch, struct error *err);
};

#endif
