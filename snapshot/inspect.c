/* inspect - see inspect.h: kinds by their heads, or by their names when those are damaged. */
#include "snapshot/inspect.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/compiler.h"
#include "base/crc32c.h"
#include "base/endian.h"
#include "snapshot/data_file.h"
#include "snapshot/manifest.h"
#include "snapshot/place.h"
#include "snapshot/record.h"
#include "snapshot/wal_batch.h"
#include "snapshot/window_block.h"
#include "storage/export.h"

enum { MANIFEST_BYTES_MAX = 1 << 20, DAMAGES_TOLD = 20, DAY_S = 86400 };
#define ARENA_BYTES_MAX (UINT64_C(2) << 30)

struct inspection {
    const char *path;
    bool verify;
    FILE *out;
    struct file file;
    uint64_t size;
    struct head head;
    struct arena arena; /* of one record */
    struct buf buffer;
    const char *refusal; /* why a start does not read it, though it is intact; NULL: it does */
    uint64_t damages;
    bool unreadable;
};

static const char *const kind_names[] = {[HEAD_IDENTITY] = "identity of a data folder",
                                         [HEAD_SEGMENT] = "segment of the log",
                                         [HEAD_WINDOW] = "samples of a window",
                                         [HEAD_MANIFEST] = "manifest of a snapshot"};

PRINTF_LIKE(3, 4)
static void tell(const struct inspection *in, const char *what, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fprintf(in->out, "  %-11s", what);
    (void)vfprintf(in->out, format, args);
    (void)fputc('\n', in->out);
    va_end(args);
}

static void damage(struct inspection *in, uint64_t offset, uint64_t bytes, const char *reason)
{
    if (in->damages++ < DAMAGES_TOLD)
        tell(in, "damaged", "at offset %" PRIu64 ", %" PRIu64 " bytes: %s", offset, bytes, reason);
}

static void unreadable(struct inspection *in, const char *reason)
{
    tell(in, "unreadable", "%s", reason);
    in->unreadable = true;
}

/* Times that a calendar has are shown with it. */
static void tell_time(const struct inspection *in, const char *what, int64_t t_ms)
{
    struct tm tm;
    char text[40] = "";
    time_t t_s = (time_t)(t_ms / 1000);
    if (t_s > 0 && t_s < (time_t)DAY_S * 366 * 8000 && gmtime_r(&t_s, &tm))
        (void)strftime(text, sizeof(text), " (%Y-%m-%dT%H:%M:%SZ)", &tm);
    tell(in, what, "%" PRId64 " ms%s", t_ms, text);
}

/* What a start does with the file: nothing, when it is where it does not belong. */
static void tell_start(const struct inspection *in, const char *what, const char *but)
{
    if (in->refusal)
        tell(in, "a start", "does not read it: %s", in->refusal);
    else
        tell(in, "a start", "%s%s", what, but);
}

struct extent {
    int64_t first_ms;
    int64_t last_ms;
};

static void extend(struct extent *e, int64_t first_ms, int64_t last_ms)
{
    if (first_ms < e->first_ms) e->first_ms = first_ms;
    if (last_ms > e->last_ms) e->last_ms = last_ms;
}

static void tell_extent(const struct inspection *in, const struct extent *e)
{
    if (e->first_ms > e->last_ms) return;
    tell_time(in, "oldest", e->first_ms);
    tell_time(in, "newest", e->last_ms);
}

/* ---- segments ---- */

struct segment_sums {
    uint64_t batches, samples, labels, unknown, missing;
    uint64_t first, last; /* sequence numbers */
    struct extent extent;
};

static void read_batch(struct inspection *in, const struct record *record, struct segment_sums *s)
{
    struct wal_batch batch;
    struct error err;
    if (s->batches + s->unknown == 0)
        s->first = record->sequence;
    else if (record->sequence > s->last + 1)
        s->missing += record->sequence - s->last - 1;
    if (record->sequence > s->last) s->last = record->sequence;
    if (record->type != RECORD_BATCH) {
        s->unknown++;
        return;
    }
    s->batches++;
    arena_reset(&in->arena);
    wal_batch_init(&batch);
    if (wal_batch_decode(record->payload, record->size, &in->arena, &batch, &err)) {
        damage(in, record->offset, record->size, err.text);
    } else {
        const struct sample *samples = wal_batch_samples(&batch);
        s->samples += batch.sample_count;
        s->labels += batch.definitions.count;
        for (size_t i = 0; i < batch.sample_count; i++)
            extend(&s->extent, samples[i].t_ms, samples[i].t_ms);
    }
    wal_batch_release(&batch);
}

/* Every intact record of the file; true when the last thing in it is damage. */
static bool each_record(struct inspection *in,
                        void (*each)(struct inspection *in, const struct record *r, void *sums),
                        void *sums)
{
    struct record_scan scan;
    struct error err;
    record_scan_open(&scan, &in->file, in->size, HEAD_BYTES, head_seed(&in->head), &in->buffer);
    for (;;) {
        struct record record;
        bool more;
        if (record_next(&scan, &record, &more, &err)) {
            unreadable(in, err.text);
            return false;
        }
        if (record.damaged_bytes)
            damage(in, record.damaged_offset, record.damaged_bytes, "no intact record");
        if (!more) return record.damaged_bytes > 0;
        each(in, &record, sums);
    }
}

static void each_batch(struct inspection *in, const struct record *record, void *sums)
{
    read_batch(in, record, sums);
}

static void inspect_segment(struct inspection *in)
{
    struct segment_sums s = {.extent = {INT64_MAX, INT64_MIN}};
    bool torn = each_record(in, each_batch, &s);
    tell(in, "holds", "%" PRIu64 " batches, %" PRIu64 " samples, %" PRIu64 " sets of labels",
         s.batches, s.samples, s.labels);
    if (s.batches + s.unknown)
        tell(in, "sequence", "%" PRIu64 " to %" PRIu64 ", %" PRIu64 " missing", s.first, s.last,
             s.missing);
    if (s.unknown) tell(in, "unknown", "%" PRIu64 " records of other types, skipped", s.unknown);
    tell_extent(in, &s.extent);
    tell_start(in, "replays it unless a manifest begins behind it",
               torn          ? "; the damaged end is cut off if it is the newest, else skipped"
               : in->damages ? "; what is damaged is skipped"
                             : "");
}

/* ---- windows ---- */

struct window_sums {
    uint64_t chunks, samples, blocks;
    bool ended;
    struct extent extent;
    struct window_span span;
};

static void check_chunk(struct inspection *in, const struct record *record,
                        const struct chunk_image *image, struct window_sums *s)
{
    struct error err;
    int64_t last_ms;
    if (__builtin_add_overflow(s->span.start_ms, s->span.chunk_ms - 1, &last_ms)) return;
    struct arena_mark mark = arena_mark(&in->arena);
    if (chunk_image_check(image, s->span.start_ms, last_ms, &in->arena, &err))
        damage(in, record->offset, image->size, err.text);
    arena_rewind(&in->arena, mark);
}

static void read_block(struct inspection *in, const struct record *record, struct window_sums *s)
{
    struct window_cursor cursor;
    struct chunk_image image;
    struct error err;
    bool more = true;
    arena_reset(&in->arena);
    enum status st =
        window_cursor_open(&cursor, record->payload, record->size, &s->span, &in->arena, &err);
    while (st == OK) {
        st = window_cursor_next(&cursor, &in->arena, &image, &more, &err);
        if (st == OK && !more) return;
        if (st == ERR_INVALID) {
            damage(in, record->offset, record->size, err.text);
            st = OK;
            continue;
        }
        if (st) break;
        s->chunks++;
        s->samples += image.sample_count;
        extend(&s->extent, image.t_first_ms, image.t_last_ms);
        if (in->verify) check_chunk(in, record, &image, s);
    }
    damage(in, record->offset, record->size, err.text);
}

static void read_end(struct inspection *in, const struct record *record, struct window_sums *s)
{
    uint32_t crc = 0;
    struct error err;
    s->ended = true;
    if (record->size != WINDOW_END_BYTES) {
        damage(in, record->offset, record->size, "the end has another size");
        return;
    }
    if (get_le64(record->payload) != s->chunks || get_le64(record->payload + 8) != s->samples ||
        get_le64(record->payload + 16) != s->blocks)
        damage(in, record->offset, record->size, "the end counts something else");
    uint32_t expected = get_le32(record->payload + 24);
    if (data_file_crc(&in->file, record->offset, &crc, &err))
        unreadable(in, err.text);
    else if (crc != expected)
        damage(in, 0, record->offset, "the checksum of the whole file is another one");
}

static void each_block(struct inspection *in, const struct record *record, void *sums)
{
    struct window_sums *s = sums;
    if (record->type == RECORD_CHUNKS) {
        read_block(in, record, s);
        s->blocks++;
    } else if (record->type == RECORD_WINDOW_END) {
        read_end(in, record, s);
    } else {
        damage(in, record->offset, record->size, "a record of another type");
    }
}

static void inspect_window(struct inspection *in)
{
    struct window_sums s = {
        .extent = {INT64_MAX, INT64_MIN},
        .span = {.window = (int64_t)in->head.number, .chunk_ms = in->head.chunk_ms}};
    if (in->head.chunk_ms <= 0 ||
        __builtin_mul_overflow(s.span.window, s.span.chunk_ms, &s.span.start_ms)) {
        damage(in, 0, HEAD_BYTES, "a window that cannot be");
        return;
    }
    (void)each_record(in, each_block, &s);
    if (!s.ended) damage(in, in->size, 0, "there is no end: the file is cut");
    tell(in, "window", "%" PRId64 " of %" PRId64 " s, by snapshot %" PRIu64, s.span.window,
         s.span.chunk_ms / 1000, in->head.sequence);
    tell(in, "holds", "%" PRIu64 " chunks, %" PRIu64 " samples in %" PRIu64 " blocks", s.chunks,
         s.samples, s.blocks);
    tell_extent(in, &s.extent);
    tell_start(in, "loads it if a manifest names it, or if no manifest verifies",
               in->damages ? "; an older file of the window and the log make up for the damage"
                           : "");
}

/* ---- manifests ---- */

/* A snapshot in a folder in use may have removed it since it was opened, and what it names. */
static bool is_gone(const struct inspection *in)
{
    struct file f;
    enum status st = file_open(&f, in->path, FILE_READ, NULL);
    file_close(&f);
    return st == ERR_NOT_FOUND;
}

static void check_entry(struct inspection *in, const struct window_entry *entry)
{
    char name[80];
    struct file_path path;
    struct file f;
    struct error err;
    uint64_t size = 0;
    uint32_t crc = entry->crc;
    (void)snprintf(name, sizeof(name), "windows/%" PRId64 "-%08" PRIu64, entry->window,
                   entry->snapshot);
    tell(in, "names", "%s: %" PRIu64 " chunks, %" PRIu64 " samples, %" PRIu64 " bytes", name,
         entry->chunks, entry->samples, entry->size);
    if (!place_sibling(in->path, name, &path)) return;
    enum status st = file_open(&f, path.text, FILE_READ, &err);
    if (st) {
        if (st != ERR_NOT_FOUND || !is_gone(in)) damage(in, 0, 0, err.text);
        return;
    }
    st = file_size(&f, &size, &err);
    if (st == OK && size == entry->size && in->verify) st = data_file_crc(&f, size, &crc, &err);
    file_close(&f);
    if (st)
        damage(in, 0, 0, err.text);
    else if (size != entry->size)
        damage(in, 0, size, "that file has another size");
    else if (crc != entry->crc)
        damage(in, 0, size, "that file has another checksum");
}

static void inspect_manifest(struct inspection *in)
{
    struct error err;
    size_t got = 0;
    struct manifest *m = arena_calloc(&in->arena, 1, sizeof(*m));
    uint8_t *bytes = in->size <= MANIFEST_BYTES_MAX ? arena_alloc(&in->arena, in->size) : NULL;
    if (!m || !bytes) {
        damage(in, 0, in->size, "longer than any manifest");
        return;
    }
    if (file_read(&in->file, 0, bytes, in->size, &got, &err)) {
        unreadable(in, err.text);
        return;
    }
    if (manifest_decode(bytes, got, &in->head.identity, m, &err)) {
        damage(in, 0, in->size, err.text);
        tell_start(in, "takes the manifest before it, and a longer part of the log", "");
        return;
    }
    tell(in, "snapshot", "%" PRIu64 ", the log goes on with segment %" PRIu64, m->snapshot,
         m->first_segment);
    tell_time(in, "taken", m->written_ms);
    for (size_t i = 0; i < m->count; i++)
        check_entry(in, &m->entries[i]);
    tell_start(in, "takes the newest manifest that verifies, and keeps the one before", "");
}

/* ---- any file ---- */

/* Records were sealed with a head; a damaged one can be made again of the name and the folder. */
static bool repair_head(struct inspection *in)
{
    return in->head.kind == HEAD_SEGMENT && place_identity(in->path, &in->head.identity);
}

static void inspect_content(struct inspection *in)
{
    switch (in->head.kind) {
    case HEAD_IDENTITY:
        if (in->size != HEAD_BYTES)
            damage(in, HEAD_BYTES, in->size - HEAD_BYTES, "more than a head");
        break;
    case HEAD_SEGMENT: inspect_segment(in); break;
    case HEAD_WINDOW: inspect_window(in); break;
    case HEAD_MANIFEST: inspect_manifest(in); break;
    }
}

/* Of names that are ours, and have lost what they should begin with. */
static void inspect_without_head(struct inspection *in, size_t got)
{
    static const char *const starts[] = {
        [HEAD_IDENTITY] = "takes the identity from the newest manifest, segment or window",
        [HEAD_SEGMENT] = "reads it with the head that its name and its folder promise",
        [HEAD_WINDOW] = "reads it with the head that its name and its folder promise",
        [HEAD_MANIFEST] = "takes the manifest before it, and a longer part of the log"};
    (void)place_head(in->path, &in->head);
    tell(in, "kind", "%s, by its name", kind_names[in->head.kind]);
    if (in->size == 0 && in->head.kind == HEAD_SEGMENT) {
        tell(in, "holds", "nothing yet");
        return;
    }
    damage(in, 0, got, "no intact head");
    if (repair_head(in))
        inspect_content(in);
    else
        tell_start(in, starts[in->head.kind], "");
}

/* Names that a start does not read. */
static void tell_place(const struct inspection *in, enum place_kind place)
{
    static const char *const texts[] = {
        [PLACE_LOCK] = "lock of a data folder; only held while a process has it open",
        [PLACE_UNFINISHED] = "not finished yet, or when a process ended; a start removes it",
        [PLACE_UNREADABLE] = "set aside because the disk refused to read it; never touched again",
        [PLACE_FOREIGN] = "set aside, from another data folder; never touched again",
        [PLACE_OTHER] = "not a file of Hearth; never read, changed or deleted"};
    tell(in, "kind", "%s", texts[place]);
}

/* The head in the first bytes of the file, of whatever kind. As head_decode; ERR_CORRUPT: none. */
static enum status find_head(struct inspection *in, const uint8_t *bytes, size_t size,
                             struct error *err)
{
    static const enum head_kind kinds[] = {HEAD_IDENTITY, HEAD_SEGMENT, HEAD_WINDOW, HEAD_MANIFEST};
    enum status st = ERR_CORRUPT;
    for (size_t i = 0; i < ARRAY_COUNT(kinds) && st == ERR_CORRUPT; i++) {
        in->head.kind = kinds[i];
        st = head_decode(bytes, size, kinds[i], &in->head, err);
    }
    return st;
}

static void inspect_with_head(struct inspection *in, enum place_kind place)
{
    char identity[2 * IDENTITY_BYTES + 1];
    for (size_t i = 0; i < IDENTITY_BYTES; i++)
        (void)snprintf(identity + 2 * i, 3, "%02x", in->head.identity.bytes[i]);
    tell(in, "kind", "%s", kind_names[in->head.kind]);
    tell(in, "version", "%d, folder %s, number %" PRId64, HEAD_VERSION, identity,
         (int64_t)in->head.number);
    in->refusal = place_refusal(in->path, &in->head);
    if (in->refusal) damage(in, 0, HEAD_BYTES, in->refusal);
    if (place == PLACE_UNREADABLE || place == PLACE_FOREIGN) in->refusal = "it was set aside";
    inspect_content(in);
}

static void inspect_by_head(struct inspection *in)
{
    uint8_t bytes[HEAD_BYTES];
    struct error err;
    size_t got = 0;
    enum place_kind place = place_of(in->path);
    if (place != PLACE_OURS && place != PLACE_OTHER) tell_place(in, place);
    if (place == PLACE_UNFINISHED) return;
    if (file_read(&in->file, 0, bytes, sizeof(bytes), &got, &err)) {
        unreadable(in, err.text);
        return;
    }
    enum status st = find_head(in, bytes, got, &err);
    if (st == OK) {
        inspect_with_head(in, place);
    } else if (st == ERR_UNSUPPORTED) {
        tell(in, "kind", "%s", kind_names[in->head.kind]);
        tell(in, "version", "%s: a start is refused", err.text);
        in->damages++;
    } else if (place == PLACE_OURS) {
        inspect_without_head(in, got);
    } else if (place == PLACE_OTHER) {
        tell_place(in, place);
    }
}

/* listed: its folder had it a moment ago. */
static enum inspect_verdict inspect_file(const char *path, bool verify, bool listed, FILE *out)
{
    struct inspection in = {.path = path, .verify = verify, .out = out};
    struct error err;
    enum status st = file_open(&in.file, path, FILE_READ, &err);
    if (st == ERR_NOT_FOUND && listed) return INSPECT_GOOD; /* whoever uses the folder removed it */
    (void)fprintf(out, "%s\n", path);
    if (st) {
        unreadable(&in, err.text);
        return INSPECT_UNREADABLE;
    }
    arena_init(&in.arena, HEAP_SNAPSHOT, ARENA_BYTES_MAX);
    buf_init(&in.buffer, HEAP_SNAPSHOT, ARENA_BYTES_MAX);
    if (file_size(&in.file, &in.size, &err)) {
        unreadable(&in, err.text);
    } else {
        tell(&in, "size", "%" PRIu64 " bytes", in.size);
        inspect_by_head(&in);
    }
    if (in.damages > DAMAGES_TOLD)
        tell(&in, "damaged", "%" PRIu64 " more places", in.damages - DAMAGES_TOLD);
    arena_release(&in.arena);
    buf_release(&in.buffer);
    file_close(&in.file);
    if (in.unreadable) return INSPECT_UNREADABLE;
    return in.damages ? INSPECT_DAMAGED : INSPECT_GOOD;
}

/* ---- folders ---- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static enum inspect_verdict worse(enum inspect_verdict a, enum inspect_verdict b)
{
    return a > b ? a : b;
}

/* Down from data/snapshots/<name>/wal. */
enum { DEPTH_MAX = 3 };

static enum inspect_verdict inspect_folder(const char *path, bool verify, int depth, FILE *out)
{
    struct arena arena;
    struct folder_names names;
    struct error err;
    enum inspect_verdict verdict = INSPECT_GOOD;
    arena_init(&arena, HEAP_SNAPSHOT, ARENA_BYTES_MAX);
    if (folder_list(path, &arena, &names, &err)) {
        arena_release(&arena);
        return inspect_file(path, verify, depth > 0, out);
    }
    if (depth > DEPTH_MAX) {
        (void)fprintf(out, "%s\n  %-11s%s\n", path, "kind", "a folder; not looked into");
        names.count = 0;
    }
    if (names.count) qsort(names.items, names.count, sizeof(names.items[0]), compare_names);
    for (size_t i = 0; i < names.count; i++) {
        struct file_path child;
        if (file_path_join(&child, path, names.items[i], &err)) {
            (void)fprintf(out, "%s\n", err.text);
            verdict = INSPECT_UNREADABLE;
        } else {
            verdict = worse(verdict, inspect_folder(child.text, verify, depth + 1, out));
        }
    }
    arena_release(&arena);
    return verdict;
}

enum inspect_verdict inspect_path(const char *path, bool verify, FILE *out)
{
    return inspect_folder(path, verify, 0, out);
}
