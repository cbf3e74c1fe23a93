/*
 * record - see record.h.
 *
 * A damaged place is left by searching for the magic, byte by byte: pieces that a broken disk or a
 * partial copy moved by an odd number of bytes are found again. A header is believed only when its
 * crc agrees with the file's seed, so text inside a payload that looks like a record is not one.
 */
#include "snapshot/record.h"

#include <string.h>

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/endian.h"

#define RECORD_MAGIC UINT32_C(0x63655248) /* "HRec" */

enum {
    AT_TYPE = 4,
    AT_SIZE = 8,
    AT_PAYLOAD_CRC = 12,
    AT_SEQUENCE = 16,
    AT_HEADER_CRC = 28,
    READ_AHEAD_BYTES = 256 << 10
};

size_t record_begin(struct buf *b)
{
    static const uint8_t room[RECORD_HEADER_BYTES];
    size_t start = b->size;
    buf_append(b, room, sizeof(room));
    return start;
}

void record_header(uint8_t out[RECORD_HEADER_BYTES], enum record_type type, uint32_t size,
                   uint32_t payload_crc)
{
    memset(out, 0, RECORD_HEADER_BYTES);
    put_le32(out, RECORD_MAGIC);
    put_le32(out + AT_TYPE, (uint32_t)type);
    put_le32(out + AT_SIZE, size);
    put_le32(out + AT_PAYLOAD_CRC, payload_crc);
}

void record_end(struct buf *b, size_t start, enum record_type type)
{
    static const uint8_t zeros[RECORD_ALIGNMENT];
    size_t size = b->size - start - RECORD_HEADER_BYTES;
    buf_append(b, zeros, (RECORD_ALIGNMENT - size % RECORD_ALIGNMENT) % RECORD_ALIGNMENT);
    if (b->refused) return;
    ASSERT(size <= RECORD_PAYLOAD_MAX);
    uint8_t *header = b->data + start;
    record_header(header, type, (uint32_t)size, crc32c(0, header + RECORD_HEADER_BYTES, size));
}

void record_seal(uint8_t *header, uint32_t seed, uint64_t sequence)
{
    put_le64(header + AT_SEQUENCE, sequence);
    put_le32(header + AT_HEADER_CRC, crc32c(seed, header, AT_HEADER_CRC));
}

void record_scan_open(struct record_scan *scan, const struct file *file, uint64_t size,
                      uint64_t start, uint32_t seed, struct buf *buffer)
{
    buf_reset(buffer);
    *scan = (struct record_scan){.file = file,
                                 .size = size,
                                 .at = start,
                                 .seed = seed,
                                 .buffer = buffer,
                                 .ahead = READ_AHEAD_BYTES};
}

void record_scan_claim(struct record_scan *scan, const struct file *file, uint64_t start,
                       uint64_t end, uint32_t seed, struct buf *buffer)
{
    record_scan_open(scan, file, end, start, seed, buffer);
    if (end - start > READ_AHEAD_BYTES) scan->ahead = (size_t)(end - start);
}

void record_scan_memory(struct record_scan *scan, const uint8_t *memory, uint64_t size,
                        uint64_t start, uint32_t seed)
{
    *scan = (struct record_scan){.memory = memory, .size = size, .at = start, .seed = seed};
}

/* Bytes [offset, offset + want) of the file as one piece of memory, read ahead. *have is less than
 * want only at the end of the file. */
static enum status view(struct record_scan *scan, uint64_t offset, size_t want, const uint8_t **out,
                        size_t *have, struct error *err)
{
    uint64_t left = offset < scan->size ? scan->size - offset : 0;
    if (want > left) want = (size_t)left;
    *have = want;
    if (!scan->file) {
        *out = scan->memory + (want ? offset : 0);
        return OK;
    }

    struct buf *b = scan->buffer;
    uint64_t buffer_end = scan->buffer_offset + b->size;
    if (want == 0 || (offset >= scan->buffer_offset && offset + want <= buffer_end)) {
        *out = b->data + (want ? offset - scan->buffer_offset : 0);
        return OK;
    }
    size_t size = want > scan->ahead ? want : scan->ahead;
    if (size > left) size = (size_t)left;
    buf_reset(b);
    if (!buf_reserve(b, size)) return buf_status(b, err);
    size_t got;
    enum status st = file_read(scan->file, offset, b->data, size, &got, err);
    if (st) return st;
    b->size = got;
    scan->buffer_offset = offset;
    if (got < size) scan->size = offset + got; /* it was cut while we read */
    if (got < want) *have = got;
    *out = b->data;
    return OK;
}

/* An intact header, of a record that fits into the file from offset on? */
static bool read_header(const struct record_scan *scan, uint64_t offset, const uint8_t *bytes,
                        struct record *record)
{
    if (get_le32(bytes) != RECORD_MAGIC ||
        crc32c(scan->seed, bytes, AT_HEADER_CRC) != get_le32(bytes + AT_HEADER_CRC))
        return false;
    record->type = get_le32(bytes + AT_TYPE);
    record->size = get_le32(bytes + AT_SIZE);
    record->sequence = get_le64(bytes + AT_SEQUENCE);
    record->offset = offset;
    uint32_t size_max = record->type == RECORD_BATCH ? RECORD_BATCH_MAX : RECORD_PAYLOAD_MAX;
    return record->size <= size_max && record->size <= scan->size - offset - RECORD_HEADER_BYTES;
}

/* Where the record ends, with its padding. */
static uint64_t end_of(const struct record *record)
{
    return record->offset + RECORD_HEADER_BYTES + record->size +
           (RECORD_ALIGNMENT - record->size % RECORD_ALIGNMENT) % RECORD_ALIGNMENT;
}

/* Is there an intact record at offset? */
static enum status try_frame(struct record_scan *scan, uint64_t offset, struct record *record,
                             bool *intact, struct error *err)
{
    const uint8_t *bytes = NULL;
    size_t have = 0;
    *intact = false;
    enum status st = view(scan, offset, RECORD_HEADER_BYTES, &bytes, &have, err);
    if (st) return st;
    if (!bytes || have < RECORD_HEADER_BYTES || !read_header(scan, offset, bytes, record))
        return OK;
    uint32_t payload_crc = get_le32(bytes + AT_PAYLOAD_CRC);

    size_t whole = RECORD_HEADER_BYTES + (size_t)record->size;
    st = view(scan, offset, whole, &bytes, &have, err);
    if (st) return st;
    if (have < whole || crc32c(0, bytes + RECORD_HEADER_BYTES, record->size) != payload_crc)
        return OK;
    record->payload = bytes + RECORD_HEADER_BYTES;
    *intact = true;
    return OK;
}

/* The next place at or behind offset where the magic stands; the end of the file if none. */
static enum status find_magic(struct record_scan *scan, uint64_t offset, uint64_t *found,
                              struct error *err)
{
    uint8_t magic[4];
    put_le32(magic, RECORD_MAGIC);
    while (offset < scan->size && scan->size - offset >= RECORD_HEADER_BYTES) {
        const uint8_t *bytes = NULL;
        size_t have = 0;
        size_t want = READ_AHEAD_BYTES;
        enum status st = view(scan, offset, want, &bytes, &have, err);
        if (st) return st;
        const uint8_t *hit =
            bytes && have >= sizeof(magic) ? memmem(bytes, have, magic, sizeof(magic)) : NULL;
        if (hit) {
            *found = offset + (uint64_t)(hit - bytes);
            return OK;
        }
        if (offset + have >= scan->size || have < sizeof(magic)) break;
        offset += have - (sizeof(magic) - 1);
    }
    *found = scan->size;
    return OK;
}

enum status record_next(struct record_scan *scan, struct record *record, bool *more,
                        struct error *err)
{
    uint64_t start = scan->at < scan->size ? scan->at : scan->size;
    uint64_t at = start;
    *record = (struct record){.damaged_offset = start};
    *more = false;
    while (at < scan->size) {
        bool intact;
        enum status st = try_frame(scan, at, record, &intact, err);
        if (st) return st;
        if (intact) {
            scan->at = end_of(record);
            record->damaged_bytes = at - start;
            *more = true;
            return OK;
        }
        st = find_magic(scan, at + 1 < scan->size ? at + 1 : scan->size, &at, err);
        if (st) return st;
    }
    record->damaged_bytes = scan->size - (start < scan->size ? start : scan->size);
    scan->at = scan->size;
    return OK;
}

/* The header alone: the payload is for whoever gets the claim. */
static enum status try_header(const struct record_scan *scan, uint64_t offset,
                              struct record *record, bool *intact, struct error *err)
{
    uint8_t bytes[RECORD_HEADER_BYTES];
    size_t got = 0;
    *intact = false;
    if (scan->size - offset < sizeof(bytes)) return OK;
    enum status st = file_read(scan->file, offset, bytes, sizeof(bytes), &got, err);
    *intact = !st && got == sizeof(bytes) && read_header(scan, offset, bytes, record);
    return st;
}

enum status record_claim(struct record_scan *scan, uint64_t *start, uint64_t *end,
                         struct error *err)
{
    struct record record;
    bool intact;
    *start = *end = scan->at < scan->size ? scan->at : scan->size;
    enum status st = try_header(scan, *start, &record, &intact, err);
    if (!st && intact) *end = end_of(&record) < scan->size ? end_of(&record) : scan->size;
    while (!st && !intact && *end < scan->size) {
        st = find_magic(scan, *end + 1, end, err);
        if (!st) st = try_header(scan, *end, &record, &intact, err);
    }
    scan->at = *end;
    return st;
}
