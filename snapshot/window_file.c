/*
 * window_file - see window_file.h.
 */
#include "snapshot/window_file.h"

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/endian.h"
#include "base/thread.h"
#include "base/varint.h"
#include "snapshot/data_file.h"
#include "snapshot/record.h"

/* A writer that goes on without a pause takes a core, and requests wait milliseconds for it. */
enum { ARENA_BYTES_MAX_SHIFT = 34, WORK_NS = 500000, PAUSE_MS = 1 };

struct writer {
    const struct window_writer *how;
    int64_t since_ns; /* the last pause */
    struct file file;
    uint32_t seed;
    uint32_t crc; /* of everything written */
    uint64_t offset;
    uint64_t records;
    struct window_entry entry;
};

static enum status put(struct writer *w, struct file_piece *pieces, size_t count, struct error *err)
{
    uint64_t offset = w->offset;
    for (size_t i = 0; i < count; i++) {
        w->crc = crc32c(w->crc, pieces[i].data, pieces[i].size);
        w->offset += pieces[i].size;
    }
    return file_write(&w->file, offset, pieces, count, err);
}

static enum status put_record(struct writer *w, enum record_type type,
                              const struct file_piece *payload, size_t count, struct error *err)
{
    enum { PAYLOAD_PIECES_MAX = 3 };
    static const uint8_t zeros[RECORD_ALIGNMENT];
    uint8_t header[RECORD_HEADER_BYTES];
    struct file_piece pieces[PAYLOAD_PIECES_MAX + 2];
    uint32_t crc = 0;
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        crc = crc32c(crc, payload[i].data, payload[i].size);
        size += payload[i].size;
        pieces[1 + i] = payload[i];
    }
    if (size > RECORD_PAYLOAD_MAX)
        return error_set(err, ERR_TOO_LARGE, "a block of %zu bytes", size);
    record_header(header, type, (uint32_t)size, crc);
    record_seal(header, w->seed, w->records++);
    pieces[0] = (struct file_piece){.data = header, .size = sizeof(header)};
    pieces[1 + count] = (struct file_piece){
        .data = zeros, .size = (RECORD_ALIGNMENT - size % RECORD_ALIGNMENT) % RECORD_ALIGNMENT};
    return put(w, pieces, count + 2, err);
}

static enum status put_block(struct writer *w, const struct window_block *b, struct error *err)
{
    uint8_t count[VARINT_BYTES_MAX];
    const struct file_piece payload[] = {
        {.data = count, .size = varint_encode(count, b->texts.count)},
        {.data = b->symbols.data, .size = b->symbols.size},
        {.data = b->chunks.data, .size = b->chunks.size},
    };
    return put_record(w, RECORD_CHUNKS, payload, ARRAY_COUNT(payload), err);
}

static enum status put_end(struct writer *w, struct error *err)
{
    uint8_t bytes[WINDOW_END_BYTES] = {0};
    put_le64(bytes, w->entry.chunks);
    put_le64(bytes + 8, w->entry.samples);
    put_le64(bytes + 16, w->records);
    put_le32(bytes + 24, w->crc);
    const struct file_piece payload = {.data = bytes, .size = sizeof(bytes)};
    return put_record(w, RECORD_WINDOW_END, &payload, 1, err);
}

static void pause_at_times(struct writer *w)
{
    if (!w->how->hurried || atomic_load_explicit(w->how->hurried, memory_order_relaxed)) return;
    if (clock_mono_ns() - w->since_ns < WORK_NS) return;
    thread_sleep_ms(PAUSE_MS);
    w->since_ns = clock_mono_ns();
}

static enum status put_chunks(struct writer *w, struct exporter *exporter,
                              const struct window_span *span, struct error *err)
{
    struct window_block *b = w->how->scratch;
    window_block_reset(b);
    for (;;) {
        struct chunk_image image;
        bool more;
        pause_at_times(w);
        enum status st = export_next(exporter, &image, &more, err);
        if (st == OK && !more) break;
        if (st == OK && image.sample_count == 0) continue;
        if (st == OK) st = window_block_add(b, span, &image, err);
        if (st) return st;
        w->entry.chunks++;
        w->entry.samples += image.sample_count;
        if (window_block_bytes(b) < WINDOW_BLOCK_BYTES) continue;
        st = put_block(w, b, err);
        if (st) return st;
        window_block_reset(b);
    }
    return b->count ? put_block(w, b, err) : OK;
}

/* Everything between a fresh file and its publication. */
static enum status put_window(struct writer *w, const struct window_span *span, struct error *err)
{
    struct exporter *exporter;
    struct arena arena;
    uint8_t bytes[HEAD_BYTES];
    struct head head = {.kind = HEAD_WINDOW,
                        .identity = w->how->folder->identity,
                        .number = (uint64_t)span->window,
                        .sequence = w->entry.snapshot,
                        .chunk_ms = span->chunk_ms};
    head_encode(&head, bytes);
    w->seed = head_seed(&head);
    struct file_piece piece = {.data = bytes, .size = sizeof(bytes)};
    enum status st = put(w, &piece, 1, err);
    if (st) return st;

    arena_init(&arena, HEAP_SNAPSHOT, UINT64_C(1) << ARENA_BYTES_MAX_SHIFT);
    st = export_open(w->how->db, span->window, &arena, &exporter, err);
    if (st == OK) {
        st = put_chunks(w, exporter, span, err);
        export_close(exporter);
    }
    arena_release(&arena);
    return st ? st : put_end(w, err);
}

enum status window_file_write(const struct window_writer *how, const struct window_span *span,
                              uint64_t snapshot, struct window_entry *out, struct error *err)
{
    const struct data_folder *folder = how->folder;
    struct file_path path;
    struct file_path temporary;
    struct file_path sub;
    struct writer w = {.how = how,
                       .since_ns = clock_mono_ns(),
                       .entry = {.window = span->window, .snapshot = snapshot}};
    data_folder_subfolder(folder, DATA_WINDOW, &sub);
    data_folder_path(folder, DATA_WINDOW,
                     (struct data_name){.number = span->window, .snapshot = snapshot}, &path);
    data_folder_temporary(&path, &temporary);
    enum status st = file_open(&w.file, temporary.text, FILE_OVERWRITE, err);
    if (st) return st;
    st = put_window(&w, span, err);
    w.entry.size = w.offset;
    w.entry.crc = w.crc;
    *out = w.entry;
    if (st || w.entry.chunks == 0) {
        file_close(&w.file);
        (void)!file_remove(temporary.text, NULL);
        return st;
    }
    return data_file_publish(&w.file, &path, sub.text, w.entry.size, w.entry.crc, err);
}
