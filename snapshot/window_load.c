/*
 * window_load - see window_load.h.
 */
#include "snapshot/window_load.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/endian.h"
#include "base/lock.h"
#include "base/log.h"
#include "base/parallel.h"
#include "snapshot/data_file.h"
#include "snapshot/manifest.h"
#include "snapshot/pieces.h"
#include "snapshot/record.h"

enum {
    BATCH_CHUNKS = 128,          /* chunks of a block that are imported together */
    BYTES_PER_THREAD = 16 << 20, /* another thread for so many */
    ARENA_BYTES_MAX_SHIFT = 34,
    PROGRESS_MS = 2000
};

void load_totals_add(struct load_totals *to, const struct load_totals *more)
{
    to->chunks += more->chunks;
    to->samples += more->samples;
    to->bytes += more->bytes;
    to->corruptions += more->corruptions;
    to->too_old += more->too_old;
    to->too_new += more->too_new;
}

/* ---- what is shared ---- */

/* A file on its way in; under the pool's lock, but for what is fixed once it is open. */
struct source {
    struct window_load *load;
    struct file file;
    uint64_t size;
    uint32_t seed;
    struct pieces pieces;
    bool begun;
    unsigned busy;    /* pieces that somebody is at */
    bool exhausted;   /* nothing is left to take */
    enum status lost; /* ERR_IO, ERR_NOT_FOUND: the disk refused */
    struct error why;
    uint64_t records; /* of chunks */
    uint64_t chunks;  /* met, imported or not */
    bool ended;       /* the end was met, and says: */
    uint64_t end_chunks;
    uint64_t end_records;
};

struct pool {
    const struct window_loader *loader;
    struct mutex lock; /* everything below; finding the records of a file reads their headers */
    struct source *sources;
    size_t count;
    size_t next;       /* the first source that is not exhausted */
    uint32_t hands;    /* threads of this run, */
    uint32_t arrived;  /* and how many have begun */
    struct buf search; /* of records in damaged files */
    int64_t told_ns;   /* when the log was told how far it is */
    enum status st;    /* the first failure that ends all */
    struct error err;
};

static void note(struct source *s, struct load_totals *totals, uint64_t offset, uint64_t bytes,
                 const char *reason)
{
    totals->corruptions++;
    log_warn("snapshot", "damage skipped", "file=%s offset=%" PRIu64 " bytes=%" PRIu64 " reason=%s",
             LOG_TEXT(str_from(s->file.path.text)), offset, bytes, LOG_TEXT(str_from(reason)));
}

/* Before anybody else sees the source, or under the lock. */
static void report(struct source *s, uint64_t offset, uint64_t bytes, const char *reason)
{
    s->load->whole = false;
    note(s, &s->load->totals, offset, bytes, reason);
}

/* ---- files ---- */

/* As for segments: an intact head wins, a damaged one is replaced by what it should be. */
static enum status check_head(struct source *s, const struct window_loader *loader,
                              struct head *out, bool *ours, struct error *err)
{
    uint8_t bytes[HEAD_BYTES];
    struct error why;
    size_t got = 0;
    struct head expected = {.kind = HEAD_WINDOW,
                            .identity = loader->folder->identity,
                            .number = (uint64_t)s->load->span.window,
                            .sequence = s->load->snapshot,
                            .chunk_ms = s->load->span.chunk_ms};
    *ours = true;
    enum status st = file_read(&s->file, 0, bytes, sizeof(bytes), &got, err);
    if (st) return st;
    st = head_decode(bytes, got, HEAD_WINDOW, out, &why);
    if (st == ERR_UNSUPPORTED) return error_set(err, st, "%s", why.text);
    if (st) {
        report(s, 0, HEAD_BYTES, why.text);
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

static enum status open_source(struct pool *p, struct source *s, struct error *err)
{
    struct head head;
    struct file_path path;
    uint64_t size = 0;
    bool ours = true;
    data_folder_path(
        p->loader->folder, DATA_WINDOW,
        (struct data_name){.number = s->load->span.window, .snapshot = s->load->snapshot}, &path);
    enum status st = file_open(&s->file, path.text, FILE_READ, err);
    if (st == OK) st = file_size(&s->file, &size, err);
    if (st == OK) st = check_head(s, p->loader, &head, &ours, err);
    if (st) return st;
    if (!ours) report(s, 0, size, "it is another file under this name");
    if (ours) s->load->totals.bytes = size;
    s->size = ours ? size : 0;
    s->seed = head_seed(&head);
    return OK;
}

/* By the headers of the records. */
static enum status find_pieces(struct pool *p, struct source *s, struct error *err)
{
    struct record_scan scan;
    uint64_t start = 0;
    uint64_t end = 0;
    record_scan_open(&scan, &s->file, s->size, HEAD_BYTES, s->seed, &p->search);
    enum status st;
    while ((st = record_claim(&scan, &start, &end, err)) == OK && start < end)
        if (!pieces_add(&s->pieces, start, end)) return buf_status(&s->pieces.items, err);
    pieces_divide(&s->pieces, p->hands);
    return st;
}

/* The first failure of the whole. */
static void fail(struct pool *p, const struct source *s, enum status st, const struct error *why)
{
    if (p->st) return;
    p->st = error_set(&p->err, st, "%s: %s", s->file.path.text, why->text);
}

/* The disk refused: a part of this file is not read. Anything else ends all. */
static void lose(struct pool *p, struct source *s, enum status st, const struct error *why)
{
    if (st != ERR_IO && st != ERR_NOT_FOUND) {
        fail(p, s, st, why);
        return;
    }
    s->lost = st;
    s->why = *why;
}

/* What was found before the disk refused is read. */
static void begin_source(struct pool *p, struct source *s)
{
    struct error why;
    enum status st = open_source(p, s, &why);
    if (st == OK) st = find_pieces(p, s, &why);
    if (st) lose(p, s, st, &why);
    s->begun = true;
}

/* The next piece of this file. */
static bool take_from(struct pool *p, struct source *s, uint32_t hand, struct piece *piece)
{
    if (!s->begun) begin_source(p, s);
    if (p->st || s->exhausted) return false;
    s->exhausted = !pieces_take(&s->pieces, hand, piece);
    if (!s->exhausted) s->busy++;
    return !s->exhausted;
}

/* A long load says every few seconds where it is. */
static void tell(struct pool *p)
{
    int64_t now_ns = clock_mono_ns();
    if (now_ns - p->told_ns < PROGRESS_MS * NS_PER_MS) return;
    p->told_ns = now_ns;
    log_info("snapshot", "loading windows", "file=%zu files=%zu", p->next + 1, p->count);
}

/* Nobody is at it any more. */
static void end_source(struct pool *p, struct source *s)
{
    file_close(&s->file);
    import_finish_window(p->loader->db, s->load->span.window);
}

static bool take_next(struct pool *p, uint32_t hand, struct source **source, struct piece *piece)
{
    bool found = false;
    mutex_lock(&p->lock);
    while (!found && p->st == OK && p->next < p->count) {
        struct source *s = *source = &p->sources[p->next];
        found = take_from(p, s, hand, piece);
        if (found) {
            tell(p);
            break;
        }
        p->next++;
        if (s->busy == 0) end_source(p, s);
    }
    mutex_unlock(&p->lock);
    return found;
}

/* ---- one thread ---- */

struct batch {
    struct chunk_image images[BATCH_CHUNKS];
    size_t count;
};

/* What came of a piece is its own until it is through. */
struct worker {
    struct pool *pool;
    struct importer *importer;
    struct arena arena;
    struct buf buffer;
    struct batch batch;

    struct source *source;
    struct load_totals totals;
    uint64_t records;
    uint64_t chunks;
    bool ended;
    uint8_t end[WINDOW_END_BYTES]; /* payload of the end record */
};

static void piece_done(struct worker *w, enum status st, const struct error *why)
{
    struct pool *p = w->pool;
    struct source *s = w->source;
    storage_tidy(p->loader->db);
    mutex_lock(&p->lock);
    if (w->totals.corruptions) s->load->whole = false;
    load_totals_add(&s->load->totals, &w->totals);
    s->records += w->records;
    s->chunks += w->chunks;
    if (w->ended) {
        s->ended = true;
        s->end_chunks = get_le64(w->end);
        s->end_records = get_le64(w->end + 16);
    }
    if (st) {
        lose(p, s, st, why);
        s->exhausted = true;
    }
    s->busy--;
    if (s->busy == 0 && s->exhausted) end_source(p, s);
    mutex_unlock(&p->lock);
}

/* What one that is not in means for the file. */
static enum status note_refused(struct worker *w, uint64_t offset, const struct chunk_image *image,
                                enum status st, const struct error *why, struct error *err)
{
    switch (st) {
    case ERR_OUT_OF_RANGE:
        if (image->window > storage_bounds(w->pool->loader->db).current_window)
            w->totals.too_new++;
        else
            w->totals.too_old++;
        return OK;
    case ERR_CORRUPT:
    case ERR_INVALID: note(w->source, &w->totals, offset, image->size, why->text); return OK;
    default: return error_set(err, st, "%s", why->text);
    }
}

static enum status load_batch(struct worker *w, uint64_t offset, struct error *err)
{
    struct batch *batch = &w->batch;
    enum status st = OK;
    for (size_t first = 0; st == OK && first < batch->count;) {
        struct error why;
        size_t done;
        const struct chunk_image *images = batch->images + first;
        enum status refused = importer_put(w->importer, images, batch->count - first, &done, &why);
        w->totals.chunks += done;
        for (size_t i = 0; i < done; i++)
            w->totals.samples += images[i].sample_count;
        if (refused) st = note_refused(w, offset, &images[done], refused, &why, err);
        first += done + (refused != OK);
    }
    w->chunks += batch->count;
    batch->count = 0;
    return st;
}

/* The next chunks of a block, until the batch is full or the block ends. */
static enum status fill_batch(struct worker *w, uint64_t offset, struct window_cursor *cursor,
                              bool *more, struct error *err)
{
    struct batch *batch = &w->batch;
    while (batch->count < BATCH_CHUNKS) {
        struct chunk_image *image = &batch->images[batch->count];
        enum status st = window_cursor_next(cursor, &w->arena, image, more, err);
        if (st == ERR_INVALID) {
            note(w->source, &w->totals, offset, image->size, err->text);
            w->chunks++;
            continue;
        }
        if (st || !*more) return st;
        image->verified = true; /* the record is intact */
        batch->count++;
    }
    return OK;
}

static enum status load_block(struct worker *w, const struct record *record, struct error *err)
{
    struct arena *a = &w->arena;
    struct window_cursor cursor;
    struct error why;
    bool more = true;
    arena_reset(a);
    w->batch.count = 0;
    enum status st =
        window_cursor_open(&cursor, record->payload, record->size, &w->source->load->span, a, &why);
    if (st == OK) st = importer_texts(w->importer, cursor.texts, cursor.text_count, &why);
    struct arena_mark mark = arena_mark(a);
    while (st == OK && more) {
        st = fill_batch(w, record->offset, &cursor, &more, &why);
        enum status loaded = load_batch(w, record->offset, err);
        if (loaded) return loaded;
        arena_rewind(a, mark);
    }
    if (st == ERR_CORRUPT) {
        note(w->source, &w->totals, record->offset, record->size, why.text);
        return OK;
    }
    return st ? error_set(err, st, "%s", why.text) : OK;
}

static enum status load_record(struct worker *w, const struct record *record, struct error *err)
{
    if (record->type == RECORD_CHUNKS) {
        w->records++;
        return load_block(w, record, err);
    }
    if (record->type == RECORD_WINDOW_END && record->size == WINDOW_END_BYTES) {
        memcpy(w->end, record->payload, WINDOW_END_BYTES);
        w->ended = true;
        return OK;
    }
    note(w->source, &w->totals, record->offset, record->size, "record of an unexpected type");
    return OK;
}

static enum status load_piece(struct worker *w, const struct piece *piece, struct error *err)
{
    struct record_scan scan;
    struct error why;
    bool more = true;
    w->totals = (struct load_totals){0};
    w->records = 0;
    w->chunks = 0;
    w->ended = false;
    record_scan_claim(&scan, &w->source->file, piece->start, piece->end, w->source->seed,
                      &w->buffer);
    while (more) {
        struct record record;
        enum status st = record_next(&scan, &record, &more, &why);
        if (st) return error_set(err, st, "%s", why.text);
        if (record.damaged_bytes)
            note(w->source, &w->totals, record.damaged_offset, record.damaged_bytes,
                 "no intact record");
        if (more) st = load_record(w, &record, err);
        if (st) return st;
    }
    return OK;
}

static void work(void *arg)
{
    struct pool *p = arg;
    struct piece piece;
    struct error err;
    struct worker *w = heap_calloc(1, sizeof(*w), HEAP_SNAPSHOT);
    enum status st = w ? OK : error_set(&err, ERR_NO_MEMORY, "no memory to load windows");
    if (st == OK) st = importer_open(p->loader->db, &w->importer, &err);
    if (st) {
        mutex_lock(&p->lock);
        fail(p, &p->sources[0], st, &err);
        mutex_unlock(&p->lock);
        heap_free(w, sizeof(*w), HEAP_SNAPSHOT);
        return;
    }
    w->pool = p;
    mutex_lock(&p->lock);
    uint32_t hand = p->arrived++;
    mutex_unlock(&p->lock);
    arena_init(&w->arena, HEAP_SNAPSHOT, UINT64_C(1) << ARENA_BYTES_MAX_SHIFT);
    buf_init(&w->buffer, HEAP_SNAPSHOT, 2 * (size_t)RECORD_PAYLOAD_MAX);
    while (take_next(p, hand, &w->source, &piece)) {
        st = load_piece(w, &piece, &err);
        piece_done(w, st, &err);
        if (p->loader->bytes_done)
            atomic_fetch_add_explicit(p->loader->bytes_done, piece.end - piece.start,
                                      memory_order_relaxed);
    }
    importer_close(w->importer);
    arena_release(&w->arena);
    buf_release(&w->buffer);
    heap_free(w, sizeof(*w), HEAP_SNAPSHOT);
}

/* ---- all of it ---- */

static void source_init(struct source *s, struct window_load *load)
{
    *s = (struct source){.load = load, .file = FILE_CLOSED};
    pieces_init(&s->pieces);
    load->whole = true;
    load->totals = (struct load_totals){0};
}

static uint32_t threads_for(const struct pool *p)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < p->count; i++)
        bytes += p->sources[i].load->size_expected;
    uint64_t threads = 1 + bytes / BYTES_PER_THREAD;
    if (threads > p->loader->threads) threads = p->loader->threads;
    if (threads > PARALLEL_THREADS_MAX) threads = PARALLEL_THREADS_MAX;
    return threads ? (uint32_t)threads : 1;
}

static enum status run(struct pool *p, struct error *err)
{
    p->next = 0;
    p->arrived = 0;
    p->hands = threads_for(p);
    parallel_run(p->hands, "restore", work, p);
    for (size_t i = 0; i < p->count; i++) {
        file_close(&p->sources[i].file);
        pieces_release(&p->sources[i].pieces);
    }
    return p->st ? error_set(err, p->st, "%s", p->err.text) : OK;
}

/* What the disk did not give the first time, once more: importing what is there already changes
 * nothing. */
static enum status run_again(struct pool *p, struct error *err)
{
    bool any = false;
    for (size_t i = 0; i < p->count; i++) {
        if (p->sources[i].lost != ERR_IO) continue;
        source_init(&p->sources[i], p->sources[i].load);
        any = true;
    }
    return any ? run(p, err) : OK;
}

static void finish(const struct pool *p, struct source *s)
{
    if (s->lost) {
        report(s, 0, 0, s->why.text);
        if (s->lost == ERR_IO)
            data_file_set_aside(p->loader->folder, DATA_WINDOW, s->file.path.text);
        return;
    }
    bool agrees = s->ended && s->end_chunks == s->chunks && s->end_records == s->records;
    if (!agrees && s->load->whole)
        report(s, s->load->totals.bytes, 0, "the end of the window is missing");
}

enum status window_load(const struct window_loader *loader, struct window_load *files, size_t count,
                        struct error *err)
{
    struct pool p = {.loader = loader, .count = count, .told_ns = clock_mono_ns()};
    if (count == 0) return OK;
    p.sources = heap_calloc(count, sizeof(*p.sources), HEAP_SNAPSHOT);
    if (!p.sources) return error_set(err, ERR_NO_MEMORY, "no memory to load %zu windows", count);
    mutex_init(&p.lock, LOCK_MAINTENANCE);
    buf_init(&p.search, HEAP_SNAPSHOT, 2 * (size_t)RECORD_PAYLOAD_MAX);
    for (size_t i = 0; i < count; i++)
        source_init(&p.sources[i], &files[i]);
    enum status st = run(&p, err);
    if (st == OK) st = run_again(&p, err);
    for (size_t i = 0; st == OK && i < count; i++)
        finish(&p, &p.sources[i]);
    buf_release(&p.search);
    mutex_release(&p.lock);
    heap_free(p.sources, count * sizeof(*p.sources), HEAP_SNAPSHOT);
    return st;
}
