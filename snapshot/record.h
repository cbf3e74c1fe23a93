/*
 * record - the unit of damage: header, payload, padding (docs/formats.md, "Records").
 *
 *     | magic | type | size | payload crc | sequence | 0 | header crc | payload ... | 0 .. |
 *
 * Writing: record_begin leaves room in a buffer, the payload is appended, record_end fills the
 * header but for the sequence and the header's crc, which record_seal adds when the place in the
 * file is known.
 *
 * Reading: record_scan walks a file (or memory) and hands out every intact record; what is damaged
 * is skipped byte by byte up to the next intact one, and told with its offset.
 *
 * Threads: one scan belongs to one thread.
 */
#ifndef HEARTH_SNAPSHOT_RECORD_H
#define HEARTH_SNAPSHOT_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/buf.h"
#include "base/error.h"
#include "snapshot/file.h"

enum record_type {
    RECORD_BATCH = 1,
    RECORD_CHUNKS = 2,
    RECORD_WINDOW_END = 3,
    RECORD_MANIFEST = 4
};

enum {
    RECORD_HEADER_BYTES = 32,
    RECORD_ALIGNMENT = 8,
    RECORD_PAYLOAD_MAX = 1 << 30,
    RECORD_BATCH_MAX = 64 << 20
};

/* Room for the header at the end of buf; returns where the record starts. Failure sticks to buf. */
size_t record_begin(struct buf *b);
/* Pad, and fill the header. The buffer has not failed, and the payload is no longer than
 * RECORD_PAYLOAD_MAX. */
void record_end(struct buf *b, size_t start, enum record_type type);
/* The same when the payload is in several pieces elsewhere: header only, padding is the caller's.
 */
void record_header(uint8_t out[RECORD_HEADER_BYTES], enum record_type type, uint32_t size,
                   uint32_t payload_crc);
void record_seal(uint8_t *header, uint32_t seed, uint64_t sequence);

struct record {
    uint32_t type;
    uint32_t size;
    uint64_t sequence;
    const uint8_t *payload;  /* valid until the next record_next */
    uint64_t offset;         /* of the header */
    uint64_t damaged_offset; /* of what was skipped right before it ... */
    uint64_t damaged_bytes;  /* ... 0: nothing */
};

struct record_scan {
    const struct file *file; /* NULL: memory is the whole file */
    const uint8_t *memory;
    uint64_t size;
    uint64_t at;
    uint32_t seed;
    struct buf *buffer;
    uint64_t buffer_offset; /* in the file, of buffer->data[0] */
    size_t ahead;           /* bytes read at once, at least */
};

/* Scan [start, size) of the file. buffer is the caller's, reused and grown up to the largest
 * record.
 */
void record_scan_open(struct record_scan *scan, const struct file *file, uint64_t size,
                      uint64_t start, uint32_t seed, struct buf *buffer);
/* Scan a claim, read at once. */
void record_scan_claim(struct record_scan *scan, const struct file *file, uint64_t start,
                       uint64_t end, uint32_t seed, struct buf *buffer);
void record_scan_memory(struct record_scan *scan, const uint8_t *memory, uint64_t size,
                        uint64_t start, uint32_t seed);

/* The next intact record. At the end *more is false, and record->damaged_* tell about a damaged
 * tail.
 *
 * OK
 * ERR_IO          the file cannot be read any further
 * ERR_NO_MEMORY   no buffer for a record of that size */
MUST_USE enum status record_next(struct record_scan *scan, struct record *record, bool *more,
                                 struct error *err);

/* For who scans a file with several hands: the place of the next record, from the end of the last
 * one on, by its header alone. Where no header is intact, all up to the next intact one is claimed
 * with it. Whoever scans the claim (record_scan_claim) sees what is in it, and what is damaged. At
 * the end of the file the claim is empty. Statuses as record_next. */
MUST_USE enum status record_claim(struct record_scan *scan, uint64_t *start, uint64_t *end,
                                  struct error *err);

#endif
