/*
 * manifest - see manifest.h.
 */
#include "snapshot/manifest.h"

#include <inttypes.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/endian.h"
#include "snapshot/data_file.h"
#include "snapshot/record.h"

enum { PREFACE_BYTES = 24, ENTRY_BYTES = 48 };
enum {
    MANIFEST_BYTES_MAX =
        HEAD_BYTES + RECORD_HEADER_BYTES + PREFACE_BYTES + MANIFEST_ENTRIES_MAX * ENTRY_BYTES
};

const struct window_entry *manifest_find(const struct manifest *m, int64_t window)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->entries[i].window == window) return &m->entries[i];
    return NULL;
}

static void entry_encode(const struct window_entry *entry, uint8_t out[ENTRY_BYTES])
{
    put_le64(out, (uint64_t)entry->window);
    put_le64(out + 8, entry->snapshot);
    put_le64(out + 16, entry->size);
    put_le64(out + 24, entry->chunks);
    put_le64(out + 32, entry->samples);
    put_le32(out + 40, entry->crc);
    put_le32(out + 44, 0);
}

static void entry_decode(const uint8_t *bytes, struct window_entry *out)
{
    out->window = (int64_t)get_le64(bytes);
    out->snapshot = get_le64(bytes + 8);
    out->size = get_le64(bytes + 16);
    out->chunks = get_le64(bytes + 24);
    out->samples = get_le64(bytes + 32);
    out->crc = get_le32(bytes + 40);
}

enum status manifest_encode(const struct manifest *m, const struct identity *identity,
                            struct buf *out, struct error *err)
{
    uint8_t bytes[HEAD_BYTES];
    uint8_t preface[PREFACE_BYTES];
    struct head head = {.kind = HEAD_MANIFEST,
                        .identity = *identity,
                        .sequence = m->snapshot,
                        .chunk_ms = m->chunk_ms};
    head_encode(&head, bytes);
    buf_append(out, bytes, sizeof(bytes));

    size_t start = record_begin(out);
    put_le64(preface, m->first_segment);
    put_le64(preface + 8, (uint64_t)m->written_ms);
    put_le64(preface + 16, m->count);
    buf_append(out, preface, sizeof(preface));
    for (size_t i = 0; i < m->count; i++) {
        uint8_t entry[ENTRY_BYTES];
        entry_encode(&m->entries[i], entry);
        buf_append(out, entry, sizeof(entry));
    }
    record_end(out, start, RECORD_MANIFEST);
    enum status st = buf_status(out, err);
    if (st) return st;
    record_seal(out->data + start, head_seed(&head), 0);
    return OK;
}

static enum status payload_decode(const struct record *record, struct manifest *out,
                                  struct error *err)
{
    if (record->size < PREFACE_BYTES)
        return error_set(err, ERR_CORRUPT, "a manifest of %u bytes", record->size);
    uint64_t count = get_le64(record->payload + 16);
    if (count > MANIFEST_ENTRIES_MAX || record->size != PREFACE_BYTES + count * ENTRY_BYTES)
        return error_set(err, ERR_CORRUPT, "%" PRIu64 " entries in %u bytes", count, record->size);
    out->first_segment = get_le64(record->payload);
    out->written_ms = (int64_t)get_le64(record->payload + 8);
    out->count = (size_t)count;
    for (size_t i = 0; i < out->count; i++) {
        entry_decode(record->payload + PREFACE_BYTES + i * ENTRY_BYTES, &out->entries[i]);
        if (i > 0 && out->entries[i].window <= out->entries[i - 1].window)
            return error_set(err, ERR_CORRUPT, "windows out of order");
    }
    return OK;
}

enum status manifest_decode(const uint8_t *bytes, size_t size, const struct identity *identity,
                            struct manifest *out, struct error *err)
{
    struct head head;
    struct record_scan scan;
    struct record record;
    bool more;
    enum status st = head_decode(bytes, size, HEAD_MANIFEST, &head, err);
    if (st) return st;
    if (memcmp(&head.identity, identity, sizeof(*identity)) != 0)
        return error_set(err, ERR_CORRUPT, "belongs to another data folder");
    record_scan_memory(&scan, bytes, size, HEAD_BYTES, head_seed(&head));
    st = record_next(&scan, &record, &more, err);
    if (st) return st;
    if (!more || record.type != RECORD_MANIFEST)
        return error_set(err, ERR_CORRUPT, "no intact manifest record");
    out->snapshot = head.sequence;
    out->chunk_ms = head.chunk_ms;
    return payload_decode(&record, out, err);
}

enum status manifest_write(const struct data_folder *folder, const struct manifest *m,
                           struct error *err)
{
    struct file_path path;
    struct file_path temporary;
    struct file_path sub;
    struct file f;
    struct buf bytes;
    buf_init(&bytes, HEAP_SNAPSHOT, MANIFEST_BYTES_MAX);
    enum status st = manifest_encode(m, &folder->identity, &bytes, err);
    if (st) goto out;
    data_folder_subfolder(folder, DATA_MANIFEST, &sub);
    data_folder_path(folder, DATA_MANIFEST, (struct data_name){.number = (int64_t)m->snapshot},
                     &path);
    data_folder_temporary(&path, &temporary);
    st = file_open(&f, temporary.text, FILE_OVERWRITE, err);
    if (st) goto out;
    struct file_piece piece = {.data = bytes.data, .size = bytes.size};
    st = file_write(&f, 0, &piece, 1, err);
    if (st) {
        file_close(&f);
        (void)!file_remove(temporary.text, NULL);
        goto out;
    }
    st = data_file_publish(&f, &path, sub.text, bytes.size, crc32c(0, bytes.data, bytes.size), err);
out:
    buf_release(&bytes);
    return st;
}

enum status manifest_read(const struct data_folder *folder, uint64_t snapshot, struct manifest *out,
                          struct error *err)
{
    struct file_path path;
    struct file f;
    size_t got = 0;
    data_folder_path(folder, DATA_MANIFEST, (struct data_name){.number = (int64_t)snapshot}, &path);
    enum status st = file_open(&f, path.text, FILE_READ, err);
    if (st) return st;
    uint8_t *bytes = heap_alloc(MANIFEST_BYTES_MAX, HEAP_SNAPSHOT);
    if (bytes)
        st = file_read(&f, 0, bytes, MANIFEST_BYTES_MAX, &got, err);
    else
        st = error_set(err, ERR_NO_MEMORY, "no memory to read %s", path.text);
    file_close(&f);
    if (st == OK) {
        struct error why;
        st = manifest_decode(bytes, got, &folder->identity, out, &why);
        if (st == OK && out->snapshot != snapshot)
            st = error_set(&why, ERR_CORRUPT, "it is manifest %" PRIu64 " under another name",
                           out->snapshot);
        if (st) (void)error_set(err, st, "%s: %s", path.text, why.text);
    }
    heap_free(bytes, MANIFEST_BYTES_MAX, HEAP_SNAPSHOT);
    return st;
}
