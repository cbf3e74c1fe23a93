/*
 * wal_batch - one journal batch as the payload of a record, and back (docs/formats.md, "A
 * segment").
 *
 * Labels of a series are written in its first two batches of a segment, and a third time when those
 * two lie so close that one damaged page could take both. That is remembered in the series itself
 * (journal_series.defined_in):
 *
 *     ordinal of the segment in this process                19 bits
 *     copies in it: none, one, two that are near, enough     2
 *     unit of the last of them                              11
 *
 * It is only noted after the record is in the file, so a failed or repeated write can at most write
 * labels once too often; and a note of another segment is no note. All places behind WAL_UNIT_MAX
 * are one: there the first two copies have to do.
 *
 * Threads: encoding and noting from any thread, also of the same series at once.
 */
#ifndef HEARTH_SNAPSHOT_WAL_BATCH_H
#define HEARTH_SNAPSHOT_WAL_BATCH_H

#include "alloc/arena.h"
#include "alloc/buf.h"
#include "alloc/vec.h"
#include "storage/journal.h"

/* Ordinals start at 1; beyond the last one labels are written every time. */
enum { WAL_ORDINAL_MAX = (1 << 19) - 1, WAL_UNIT_BYTES = 8192, WAL_UNIT_MAX = (1 << 11) - 1 };
static inline uint32_t wal_unit_at(uint64_t offset)
{
    uint64_t unit = offset / WAL_UNIT_BYTES;
    return unit < WAL_UNIT_MAX ? (uint32_t)unit : WAL_UNIT_MAX;
}

/* Where a record is to go: it may come to lie in a later unit of that segment. */
struct wal_place {
    uint32_t ordinal;
    uint32_t unit;
};

/* Append the whole record (header not sealed); *labeled: of how many series with labels.
 * ERR_NO_MEMORY; ERR_TOO_LARGE: more than RECORD_BATCH_MAX. */
MUST_USE enum status wal_batch_encode(const struct journal_batch *batch, struct wal_place place,
                                      struct buf *out, size_t *labeled, struct error *err);

/* The record that wal_batch_encode made for this place is in the file, and begins in this unit.
 * Without labels in it there is nothing to note. */
void wal_batch_note(const struct journal_batch *batch, struct wal_place place, uint32_t unit);

/* A decoded batch: entries as they stood in it, each with the next `sample_count` of the samples.
 * Samples of ids that are equal modulo WAL_PARTS make a part, which can be applied apart from the
 * others: a series stays in one, whatever number it gets. */
enum { WAL_PARTS = 16 };
#define WAL_RUN_NONE UINT32_MAX
struct wal_entry {
    uint32_t id;
    uint32_t sample_count;
};
struct wal_definition {
    uint32_t entry;       /* whose labels they are */
    struct labels labels; /* normal; texts view the payload, the array is on the arena */
};
/* Neighbouring entries of one part. */
struct wal_run {
    uint32_t first; /* entry */
    uint32_t count;
    uint32_t first_sample;
    uint32_t next; /* run of the same part; WAL_RUN_NONE: none */
};
struct wal_batch {
    struct buf entries; /* struct wal_entry */
    struct buf samples; /* struct sample */
    struct wal_definitions VEC_OF(struct wal_definition) definitions;
    struct wal_runs VEC_OF(struct wal_run) runs;
    uint32_t first_run[WAL_PARTS];
    size_t entry_count;
    size_t sample_count;
};
void wal_batch_init(struct wal_batch *b);
void wal_batch_release(struct wal_batch *b);

static inline const struct wal_entry *wal_batch_entries(const struct wal_batch *b)
{
    return (const struct wal_entry *)(const void *)b->entries.data;
}
static inline const struct sample *wal_batch_samples(const struct wal_batch *b)
{
    return (const struct sample *)(const void *)b->samples.data;
}

/* In place of what the batch was before. The arena has had nothing from it since its reset.
 *
 * OK
 * ERR_CORRUPT     the payload is not a batch, to its last byte; nothing of it is to be used
 * ERR_NO_MEMORY, ERR_TOO_LARGE   the arena, the heap */
MUST_USE enum status wal_batch_decode(const uint8_t *payload, size_t size, struct arena *a,
                                      struct wal_batch *out, struct error *err);

#endif
