/*
 * wal_batch - one journal batch as the payload of a record, and back (docs/formats.md, "A
 * segment").
 *
 * Labels of a series are written in its first two batches of a segment, and a third time when those
 * two lie so close that one damaged page could take both. That is remembered in the series itself
 * (journal_series.defined_in):
 *
 *     | ordinal of the segment in this process: 19 bits | copies: 2 | place in it, 8 KiB units: 11
 * |
 *
 * It is only noted after the record is in the file, so a failed or repeated write can at most write
 * labels once too often; and a note of another segment is no note.
 *
 * Threads: encoding and noting from any thread, also of the same series at once.
 */
#ifndef HEARTH_SNAPSHOT_WAL_BATCH_H
#define HEARTH_SNAPSHOT_WAL_BATCH_H

#include "alloc/arena.h"
#include "alloc/buf.h"
#include "storage/journal.h"

/* Where a record goes. Ordinals start at 1; beyond the last one labels are written every time. */
enum { WAL_ORDINAL_MAX = (1 << 19) - 1, WAL_UNIT_BYTES = 8192, WAL_UNIT_MAX = (1 << 11) - 1 };
struct wal_place {
    uint32_t ordinal;
    uint32_t unit; /* offset / WAL_UNIT_BYTES, at most WAL_UNIT_MAX; may be too low, not too high */
};

/* Append the whole record (header not sealed); *labeled: of how many series with labels.
 * ERR_NO_MEMORY; ERR_TOO_LARGE: more than RECORD_BATCH_MAX. */
MUST_USE enum status wal_batch_encode(const struct journal_batch *batch, struct wal_place place,
                                      struct buf *out, size_t *labeled, struct error *err);

/* The record that wal_batch_encode made for this place is in the file. Without labels in it there
 * is nothing to note. */
void wal_batch_note(const struct journal_batch *batch, struct wal_place place);

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
