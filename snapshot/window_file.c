/*
 * window_file - see window_file.h.
 */
#include "snapshot/window_file.h"

#include <inttypes.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/endian.h"
#include "base/log.h"
#include "base/varint.h"
#include "snapshot/record.h"

enum { END_BYTES = 32, ARENA_BYTES_MAX_SHIFT = 34 };

/* ---- writing ---- */

struct writer {
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
    uint8_t bytes[END_BYTES] = {0};
    put_le64(bytes, w->entry.chunks);
    put_le64(bytes + 8, w->entry.samples);
    put_le64(bytes + 16, w->records);
    put_le32(bytes + 24, w->crc);
    const struct file_piece payload = {.data = bytes, .size = sizeof(bytes)};
    return put_record(w, RECORD_WINDOW_END, &payload, 1, err);
}

static enum status put_chunks(struct writer *w, struct exporter *exporter,
                              const struct window_span *span, struct window_block *b,
                              struct error *err)
{
    window_block_reset(b);
    for (;;) {
        struct chunk_image image;
        bool more;
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
static enum status put_window(struct writer *w, const struct data_folder *folder,
                              struct storage *db, const struct window_span *span,
                              struct window_block *scratch, struct error *err)
{
    struct exporter *exporter;
    struct arena arena;
    uint8_t bytes[HEAD_BYTES];
    struct head head = {.kind = HEAD_WINDOW,
                        .identity = folder->identity,
                        .number = (uint64_t)span->window,
                        .sequence = w->entry.snapshot,
                        .chunk_ms = span->chunk_ms};
    head_encode(&head, bytes);
    w->seed = head_seed(&head);
    struct file_piece piece = {.data = bytes, .size = sizeof(bytes)};
    enum status st = put(w, &piece, 1, err);
    if (st) return st;

    arena_init(&arena, HEAP_SNAPSHOT, UINT64_C(1) << ARENA_BYTES_MAX_SHIFT);
    st = export_open(db, span->window, &arena, &exporter, err);
    if (st == OK) {
        st = put_chunks(w, exporter, span, scratch, err);
        export_close(exporter);
    }
    arena_release(&arena);
    return st ? st : put_end(w, err);
}

enum status window_file_write(const struct data_folder *folder, struct storage *db,
                              const struct window_span *span, uint64_t snapshot,
                              struct window_block *scratch, struct window_entry *out,
                              struct error *err)
{
    struct file_path path;
    struct file_path temporary;
    struct file_path sub;
    struct writer w = {.entry = {.window = span->window, .snapshot = snapshot}};
    data_folder_subfolder(folder, DATA_WINDOW, &sub);
    data_folder_path(folder, DATA_WINDOW,
                     (struct data_name){.number = span->window, .snapshot = snapshot}, &path);
    data_folder_temporary(&path, &temporary);
    enum status st = file_open(&w.file, temporary.text, FILE_OVERWRITE, err);
    if (st) return st;
    st = put_window(&w, folder, db, span, scratch, err);
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

/* ---- reading ---- */

void window_loader_init(struct window_loader *l, const struct data_folder *folder,
                        struct storage *db)
{
    *l = (struct window_loader){.folder = folder, .db = db};
    arena_init(&l->arena, HEAP_SNAPSHOT, UINT64_C(1) << ARENA_BYTES_MAX_SHIFT);
    buf_init(&l->buffer, HEAP_SNAPSHOT, 2 * (size_t)RECORD_PAYLOAD_MAX);
}

void window_loader_release(struct window_loader *l)
{
    arena_release(&l->arena);
    buf_release(&l->buffer);
}

/* One file on its way in. */
struct load {
    struct window_loader *loader;
    const struct file *file;
    struct window_span span;
    uint64_t records;
    uint64_t chunks; /* met, imported or not */
    bool ended;      /* the end was there, with the right counts */
    bool whole;
};

static void report(struct load *l, uint64_t offset, uint64_t bytes, const char *reason)
{
    l->whole = false;
    l->loader->totals.corruptions++;
    log_warn("snapshot", "damage skipped", "file=%s offset=%" PRIu64 " bytes=%" PRIu64 " reason=%s",
             LOG_TEXT(str_from(l->file->path.text)), offset, bytes, LOG_TEXT(str_from(reason)));
}

/* Chunks of a block that go in together. */
enum { BATCH_CHUNKS = 128 };

struct batch {
    struct chunk_image images[BATCH_CHUNKS];
    size_t count;
};

/* What one that is not in means for the file. */
static enum status note_refused(struct load *l, uint64_t offset, const struct chunk_image *image,
                                enum status st, const struct error *why, struct error *err)
{
    struct load_totals *totals = &l->loader->totals;
    switch (st) {
    case ERR_OUT_OF_RANGE:
        if (image->window > storage_bounds(l->loader->db).current_window)
            totals->too_new++;
        else
            totals->too_old++;
        return OK;
    case ERR_CORRUPT:
    case ERR_INVALID: report(l, offset, image->size, why->text); return OK;
    default: return error_set(err, st, "%s", why->text);
    }
}

static enum status load_batch(struct load *l, uint64_t offset, struct batch *batch,
                              struct error *err)
{
    struct load_totals *totals = &l->loader->totals;
    enum status st = OK;
    for (size_t first = 0; st == OK && first < batch->count;) {
        struct error why;
        size_t done;
        const struct chunk_image *images = batch->images + first;
        enum status refused =
            import_chunks(l->loader->db, images, batch->count - first, &done, &why);
        totals->chunks += done;
        for (size_t i = 0; i < done; i++)
            totals->samples += images[i].sample_count;
        if (refused) st = note_refused(l, offset, &images[done], refused, &why, err);
        first += done + (refused != OK);
    }
    l->chunks += batch->count;
    batch->count = 0;
    return st;
}

/* The next chunks of a block, until the batch is full or the block ends. */
static enum status fill_batch(struct load *l, uint64_t offset, struct window_cursor *cursor,
                              struct batch *batch, bool *more, struct error *err)
{
    while (batch->count < BATCH_CHUNKS) {
        struct chunk_image *image = &batch->images[batch->count];
        enum status st = window_cursor_next(cursor, &l->loader->arena, image, more, err);
        if (st == ERR_INVALID) {
            report(l, offset, image->size, err->text);
            l->chunks++;
            continue;
        }
        if (st || !*more) return st;
        batch->count++;
    }
    return OK;
}

static enum status load_block(struct load *l, const struct record *record, struct error *err)
{
    struct arena *a = &l->loader->arena;
    struct window_cursor cursor;
    struct batch batch = {.count = 0};
    struct error why;
    bool more = true;
    arena_reset(a);
    enum status st = window_cursor_open(&cursor, record->payload, record->size, &l->span, a, &why);
    struct arena_mark mark = arena_mark(a);
    while (st == OK && more) {
        st = fill_batch(l, record->offset, &cursor, &batch, &more, &why);
        enum status loaded = load_batch(l, record->offset, &batch, err);
        if (loaded) return loaded;
        arena_rewind(a, mark);
    }
    if (st == ERR_CORRUPT) {
        report(l, record->offset, record->size, why.text);
        return OK;
    }
    return st ? error_set(err, st, "%s", why.text) : OK;
}

static enum status load_record(struct load *l, const struct record *record, struct error *err)
{
    if (record->type == RECORD_CHUNKS) {
        l->records++;
        return load_block(l, record, err);
    }
    if (record->type == RECORD_WINDOW_END && record->size == END_BYTES) {
        l->ended =
            get_le64(record->payload) == l->chunks && get_le64(record->payload + 16) == l->records;
        return OK;
    }
    report(l, record->offset, record->size, "record of an unexpected type");
    return OK;
}

static enum status load_records(struct load *l, uint64_t size, uint32_t seed, struct error *err)
{
    struct record_scan scan;
    struct error why;
    bool more = true;
    record_scan_open(&scan, l->file, size, HEAD_BYTES, seed, &l->loader->buffer);
    while (more) {
        struct record record;
        enum status st = record_next(&scan, &record, &more, &why);
        if (st) return error_set(err, st, "%s", why.text);
        if (record.damaged_bytes)
            report(l, record.damaged_offset, record.damaged_bytes, "no intact record");
        if (more) st = load_record(l, &record, err);
        if (st) return st;
    }
    if (!l->ended && l->whole) report(l, size, 0, "the end of the window is missing");
    return OK;
}

/* As for segments: an intact head wins, a damaged one is replaced by what it should be. */
static enum status check_head(struct load *l, uint64_t snapshot, struct head *out, bool *ours,
                              struct error *err)
{
    uint8_t bytes[HEAD_BYTES];
    struct error why;
    size_t got = 0;
    struct head expected = {.kind = HEAD_WINDOW,
                            .identity = l->loader->folder->identity,
                            .number = (uint64_t)l->span.window,
                            .sequence = snapshot,
                            .chunk_ms = l->span.chunk_ms};
    *ours = true;
    enum status st = file_read(l->file, 0, bytes, sizeof(bytes), &got, err);
    if (st) return st;
    st = head_decode(bytes, got, HEAD_WINDOW, out, &why);
    if (st == ERR_UNSUPPORTED) return error_set(err, st, "%s", why.text);
    if (st) {
        report(l, 0, HEAD_BYTES, why.text);
        *out = expected;
        return OK;
    }
    *ours = memcmp(&out->identity, &expected.identity, sizeof(expected.identity)) == 0 &&
            out->number == expected.number && out->sequence == expected.sequence;
    if (*ours && out->chunk_ms != expected.chunk_ms)
        return error_set(err, ERR_UNSUPPORTED,
                         "written with windows of %" PRId64 " ms, and now they are %" PRId64 " ms",
                         out->chunk_ms, expected.chunk_ms);
    return OK;
}

/* ERR_IO when the disk refuses. */
static enum status load_file(struct load *l, struct file *f, const char *path, uint64_t snapshot,
                             struct error *err)
{
    struct head head;
    uint64_t size = 0;
    bool ours = true;
    enum status st = file_open(f, path, FILE_READ, err);
    if (st) return st;
    st = file_size(f, &size, err);
    if (st == OK) st = check_head(l, snapshot, &head, &ours, err);
    if (st == OK && !ours) report(l, 0, size, "it is another file under this name");
    if (st == OK && ours) {
        l->loader->totals.bytes += size;
        st = load_records(l, size, head_seed(&head), err);
    }
    file_close(f);
    return st;
}

enum status window_file_load(struct window_loader *loader, const struct window_span *span,
                             uint64_t snapshot, bool *whole, struct error *err)
{
    struct file_path path;
    struct file f;
    struct error why;
    const struct load_totals before = loader->totals;
    const struct load fresh = {.loader = loader, .file = &f, .span = *span, .whole = true};
    struct load l = fresh;
    data_folder_path(loader->folder, DATA_WINDOW,
                     (struct data_name){.number = span->window, .snapshot = snapshot}, &path);
    enum status st = load_file(&l, &f, path.text, snapshot, &why);
    if (st == ERR_IO) { /* once more: importing what is there already changes nothing */
        loader->totals = before;
        l = fresh;
        st = load_file(&l, &f, path.text, snapshot, &why);
    }
    if (st == ERR_IO || st == ERR_NOT_FOUND) {
        report(&l, 0, 0, why.text);
        if (st == ERR_IO) data_file_set_aside(path.text);
        st = OK;
    }
    *whole = l.whole;
    return st ? error_set(err, st, "%s: %s", path.text, why.text) : OK;
}
