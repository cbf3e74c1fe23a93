/*
 * wal_batch - one journal batch as the payload of a record, and back (docs/formats.md, "A
 * segment").
 *
 * Labels of a series are written the first two times it occurs in a segment. That is remembered in
 * the series itself (journal_series.defined_in): the segment's ordinal in this process, times two,
 * plus one when both copies are written. It is only noted after the record is in the file, so that
 * a failed or repeated write can at most write labels once too often.
 *
 * Threads: encoding and noting from any thread, also of the same series at once.
 */
#ifndef HEARTH_SNAPSHOT_WAL_BATCH_H
#define HEARTH_SNAPSHOT_WAL_BATCH_H

#include "alloc/arena.h"
#include "alloc/buf.h"
#include "storage/journal.h"

/* Ordinals of segments start at 1. */
enum { WAL_ORDINAL_MAX = INT32_MAX };

/* Append the whole record (header not sealed) for the segment with this ordinal.
 * ERR_NO_MEMORY; ERR_TOO_LARGE: more than RECORD_BATCH_MAX. */
MUST_USE enum status wal_batch_encode(const struct journal_batch *batch, uint32_t ordinal,
                                      struct buf *out, struct error *err);

/* The record that wal_batch_encode made for ordinal is in that segment. */
void wal_batch_note(const struct journal_batch *batch, uint32_t ordinal);

/* A decoded series: texts view the payload, arrays are on the arena. */
struct wal_series {
    uint32_t id;
    bool defined;         /* labels were with it */
    struct labels labels; /* normal, when defined */
    const struct sample *samples;
    size_t sample_count;
};
struct wal_batch {
    struct wal_series *series;
    size_t series_count;
    size_t sample_count;
};

/* OK
 * ERR_CORRUPT     the payload is not a batch, to its last byte; nothing of it is to be used
 * ERR_NO_MEMORY, ERR_TOO_LARGE   the arena */
MUST_USE enum status wal_batch_decode(const uint8_t *payload, size_t size, struct arena *a,
                                      struct wal_batch *out, struct error *err);

#endif
