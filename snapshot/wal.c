/*
 * wal - see wal.h.
 */
#include "snapshot/wal.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "snapshot/record.h"
#include "snapshot/wal_batch.h"

enum waiter_state { WAITER_QUEUED, WAITER_TAKEN, WAITER_DONE };

/* One wal_log call, on its stack. */
struct wal_waiter {
    const struct journal_batch *batch;
    struct wal_place place; /* the record is encoded for */
    uint32_t unit;          /* in which it begins, when it is in the file */
    struct buf record;
    size_t labeled;          /* series in it whose labels were written */
    enum waiter_state state; /* under the lock, like next */
    struct wal_waiter *next;
    struct error error; /* status OK when it is in the file */
};

struct group {
    struct wal_waiter *items[FILE_PIECES_MAX];
    size_t count;
};

/* Records, their alignment and a buffer's growth. */
enum { RECORD_BUFFER_MAX = 2 * RECORD_BATCH_MAX };

void wal_init(struct wal *w, const struct wal_options *options)
{
    w->folder = options->folder;
    w->mode = options->mode;
    w->segment_bytes = options->segment_bytes;
    w->segment = (struct file)FILE_CLOSED;
    w->next_number = options->first_number;
    w->next_sequence = options->first_sequence;
    w->news = options->news;
    w->news_self = options->news_self;
    mutex_init(&w->lock, LOCK_WAL);
    cond_init(&w->changed);
}

/* ---- syncing ---- */

static enum status timed_sync(struct wal *w, const struct file *f, struct error *err)
{
    int64_t start_ns = clock_mono_ns();
    enum status st = file_sync(f, err);
    histogram_observe_ns(&w->fsync, clock_mono_ns() - start_ns);
    return st;
}

/* Memory has what files may not have any more. Both are told at once: a snapshot that comes to its
 * end meanwhile must not take this risk for one that it has made up for (wal_made_up). */
static void ask_for_snapshot(struct wal *w, enum wal_risk risk)
{
    mutex_lock(&w->lock);
    atomic_store(&w->wants_snapshot, true);
    if ((int)risk > atomic_load(&w->risk)) atomic_store(&w->risk, (int)risk);
    mutex_unlock(&w->lock);
    if (w->news) w->news(w->news_self);
}

void wal_made_up(struct wal *w)
{
    mutex_lock(&w->lock);
    if (!atomic_load(&w->wants_snapshot)) atomic_store(&w->risk, WAL_SAFE);
    mutex_unlock(&w->lock);
}

static void count_sync_failure(struct wal *w, const struct error *refused)
{
    counter_add(&w->write_errors, 1);
    /* With `always` nothing was acknowledged that this sync was for. */
    ask_for_snapshot(w, w->mode == WAL_SYNC_INTERVAL ? WAL_UNSYNCED : WAL_SAFE);
    log_error("wal", "sync failed, a snapshot will take over", "reason=%s",
              LOG_TEXT(str_from(refused->text)));
}

/* What one round has to bring to stable storage. */
struct sync_round {
    struct wal_retired retired[WAL_RETIRED_MAX];
    size_t retired_count;
    struct file current; /* a copy: nobody closes the descriptor while `syncing` is set */
    bool current_dirty;
    bool folder_dirty;
    uint64_t target; /* bytes of the current one that are safe then */
    uint32_t ordinal;
    bool tried; /* the current one was synced, or that was refused */
};

/* Lock held: the current segment has what is not on stable storage. */
static bool is_dirty(const struct wal *w)
{
    return w->segment.fd >= 0 && !w->failed && atomic_load(&w->written) > w->synced;
}

/* Lock held: there is something to sync. */
static bool is_behind(const struct wal *w)
{
    return is_dirty(w) || w->folder_unsynced || w->retired_count > 0;
}

/* Lock held. False when there is nothing to do. */
static bool sync_round_take(struct wal *w, struct sync_round *r)
{
    if (!is_behind(w)) return false;
    r->current = w->segment;
    r->target = atomic_load(&w->written);
    r->ordinal = atomic_load(&w->ordinal);
    r->current_dirty = is_dirty(w);
    r->folder_dirty = w->folder_unsynced;
    r->retired_count = w->retired_count;
    for (size_t i = 0; i < w->retired_count; i++)
        r->retired[i] = w->retired[i];
    w->retired_count = 0;
    w->folder_unsynced = false;
    w->syncing = true;
    return true;
}

/* Lock held: the sync of a segment failed that may have been put aside meanwhile. The next one
 * might succeed without having written what this one could not. */
static void forgo_sync(struct wal *w, uint32_t ordinal)
{
    for (size_t i = 0; i < w->retired_count; i++)
        if (w->retired[i].ordinal == ordinal) w->retired[i].sync = false;
}

/* Without the lock. The status is about the current segment and its name; older ones are only
 * counted. */
static enum status sync_round_do(struct wal *w, struct sync_round *r, struct error *refused)
{
    /* Names first: then each segment is safe as soon as it is synced, though the disk is behind. */
    enum status st = OK;
    if (r->folder_dirty) {
        struct file_path sub;
        data_folder_subfolder(w->folder, DATA_SEGMENT, &sub);
        st = folder_sync(sub.text, refused);
    }
    for (size_t i = 0; i < r->retired_count; i++) {
        struct error why;
        if (r->retired[i].sync && timed_sync(w, &r->retired[i].file, &why))
            count_sync_failure(w, &why);
        file_close(&r->retired[i].file);
    }
    r->tried = st == OK && r->current_dirty;
    if (r->tried) st = timed_sync(w, &r->current, refused);
    if (st) count_sync_failure(w, refused);
    return st;
}

static void sync_round_end(struct wal *w, const struct sync_round *r, enum status st)
{
    mutex_lock(&w->lock);
    w->syncing = false;
    if (r->ordinal == atomic_load(&w->ordinal)) {
        if (st) w->failed = true;
        if (!st && r->target > w->synced) w->synced = r->target;
    }
    if (st && r->tried) forgo_sync(w, r->ordinal);
    cond_broadcast(&w->changed);
    mutex_unlock(&w->lock);
}

static enum status sync_now(struct wal *w, struct error *err)
{
    struct sync_round r;
    struct error refused;
    mutex_lock(&w->lock);
    while (w->syncing)
        cond_wait(&w->changed, &w->lock);
    bool any = sync_round_take(w, &r);
    mutex_unlock(&w->lock);
    if (!any) return OK;
    enum status st = sync_round_do(w, &r, &refused);
    sync_round_end(w, &r, st);
    return st ? error_set(err, ERR_UNAVAILABLE, "%s", refused.text) : OK;
}

bool wal_sync(struct wal *w)
{
    mutex_lock(&w->lock);
    bool rests = !is_behind(w);
    if (rests) atomic_store(&w->rests, true);
    mutex_unlock(&w->lock);
    if (!rests) (void)!sync_now(w, NULL);
    return !rests;
}

/* There is something to sync. The lock was held since, and is not any more. */
static void tell_news(struct wal *w)
{
    if (!atomic_load_explicit(&w->rests, memory_order_relaxed)) return;
    if (atomic_exchange(&w->rests, false) && w->news) w->news(w->news_self);
}

/* ---- segments; the caller owns the current one ---- */

/* Put the current segment aside for the next sync to close. */
static void retire(struct wal *w)
{
    if (w->segment.fd < 0) return;
    mutex_lock(&w->lock);
    while (w->retired_count == WAL_RETIRED_MAX) {
        mutex_unlock(&w->lock);
        (void)!sync_now(w, NULL);
        mutex_lock(&w->lock);
    }
    w->retired[w->retired_count++] = (struct wal_retired){
        .file = w->segment,
        .ordinal = atomic_load(&w->ordinal),
        .sync = w->segment_records > 0 && !w->failed && w->mode != WAL_SYNC_NEVER};
    w->segment.fd = -1;
    mutex_unlock(&w->lock);
    if (w->mode == WAL_SYNC_NEVER) (void)!sync_now(w, NULL); /* nobody else would close it */
}

/* Leave the current segment for good. One without a record is not worth a file. */
static void abandon(struct wal *w)
{
    if (w->segment.fd < 0) return;
    struct file_path path = w->segment.path;
    bool empty = w->segment_records == 0 && file_is_in_place(&w->segment);
    retire(w);
    if (empty && file_remove(path.text, NULL) == OK) {
        gauge_add(&w->segments, -1);
        gauge_add(&w->disk_bytes, -(int64_t)HEAD_BYTES);
    }
}

static enum status create_file(struct wal *w, uint64_t *number, struct file *out, struct error *err)
{
    enum { ATTEMPTS = 64 };
    enum status st = OK;
    for (int i = 0; i < ATTEMPTS; i++) {
        struct file_path path;
        *number = w->next_number;
        data_folder_path(w->folder, DATA_SEGMENT, (struct data_name){.number = (int64_t)*number},
                         &path);
        st = file_open(out, path.text, FILE_CREATE, err);
        if (st != ERR_CONFLICT) return st;
        w->next_number++; /* something of that name is there: never touch it */
    }
    return ERR_IO;
}

/* Begin the next segment; the old one is retired only when that has succeeded. */
static enum status begin_segment(struct wal *w, struct error *err)
{
    struct file next;
    uint64_t number;
    uint8_t bytes[HEAD_BYTES];
    enum status st = create_file(w, &number, &next, err);
    if (st) return st;
    struct head head = {.kind = HEAD_SEGMENT, .identity = w->folder->identity, .number = number};
    head_encode(&head, bytes);
    struct file_piece piece = {.data = bytes, .size = sizeof(bytes)};
    st = file_write(&next, 0, &piece, 1, err);
    if (st) {
        file_close(&next);
        (void)!file_remove(next.path.text, NULL);
        return st;
    }
    gauge_add(&w->segments, 1);
    gauge_add(&w->disk_bytes, HEAD_BYTES);
    abandon(w);

    mutex_lock(&w->lock);
    ASSERT(atomic_load(&w->ordinal) < UINT32_MAX);
    w->segment = next;
    w->seed = head_seed(&head);
    w->segment_records = 0;
    w->next_number = number + 1;
    atomic_store(&w->written, HEAD_BYTES);
    w->synced = 0;
    w->failed = false;
    w->folder_unsynced = w->mode != WAL_SYNC_NEVER;
    atomic_fetch_add(&w->ordinal, 1);
    atomic_store(&w->number, number);
    mutex_unlock(&w->lock);
    tell_news(w);
    return OK;
}

static enum status refuse_at_risk(const struct wal *w, struct error *err)
{
    switch (atomic_load_explicit(&w->risk, memory_order_relaxed)) {
    case WAL_UNSYNCED:
        return error_set(err, ERR_UNAVAILABLE,
                         "a sync of the log failed: nothing is taken until a snapshot has what was "
                         "acknowledged before");
    case WAL_TAKEN_AWAY:
        return error_set(err, ERR_UNAVAILABLE,
                         "files of the data folder %s were removed or replaced: nothing is taken "
                         "until a snapshot has what was acknowledged before",
                         w->folder->path);
    default: return OK;
    }
}

/* The segment may be in nobody's folder, or in somebody else's: then it is left, and nothing is
 * made beside it before somebody has looked at what is there now. */
static enum status look(struct wal *w, struct error *err)
{
    if (w->segment.fd < 0 || file_is_in_place(&w->segment)) return OK;
    mutex_lock(&w->lock);
    w->failed = true;
    mutex_unlock(&w->lock);
    log_error("wal", "removed or replaced by somebody, a snapshot will write everything again",
              "file=%s", LOG_TEXT(str_from(w->segment.path.text)));
    retire(w);
    ask_for_snapshot(w, WAL_TAKEN_AWAY);
    return refuse_at_risk(w, err);
}

/* A segment that takes the next record. */
static enum status ensure_segment(struct wal *w, struct error *err)
{
    mutex_lock(&w->lock);
    bool usable = w->segment.fd >= 0 && !w->failed;
    bool full = w->segment_records > 0 && atomic_load(&w->written) >= w->segment_bytes;
    mutex_unlock(&w->lock);
    if (usable && !full) return OK;
    enum status st = look(w, err);
    if (st == OK && atomic_load(&w->risk) == WAL_TAKEN_AWAY) st = refuse_at_risk(w, err);
    if (st) return st;
    st = begin_segment(w, err);
    return usable ? OK : st; /* one that is too long is better than none */
}

/* ---- writing ---- */

static void complain(struct wal *w, const struct error *refused)
{
    counter_add(&w->write_errors, 1);
    if (w->complained) return;
    w->complained = true;
    log_error("wal", "write refused, samples are not acknowledged until it works again",
              "reason=%s", LOG_TEXT(str_from(refused->text)));
}

static void group_fail(struct group *g, const struct error *refused)
{
    for (size_t i = 0; i < g->count; i++)
        if (!g->items[i]->error.status)
            (void)error_set(&g->items[i]->error, ERR_UNAVAILABLE, "%s", refused->text);
}

/* Where the next record goes. */
static struct wal_place place_now(const struct wal *w)
{
    /* In this order: begin_segment sets them in the other one. */
    uint32_t ordinal = atomic_load(&w->ordinal);
    return (struct wal_place){.ordinal = ordinal, .unit = wal_unit_at(atomic_load(&w->written))};
}

/* Encode for the current segment and seal. Returns the bytes to write; those that cannot be encoded
 * know why. */
static size_t group_seal(struct wal *w, struct group *g, struct file_piece pieces[FILE_PIECES_MAX],
                         uint64_t *bytes)
{
    const struct wal_place place = place_now(w);
    uint64_t start = atomic_load(&w->written);
    uint64_t sequence = w->next_sequence;
    size_t count = 0;
    *bytes = 0;
    for (size_t i = 0; i < g->count; i++) {
        struct wal_waiter *waiter = g->items[i];
        if (waiter->place.ordinal != place.ordinal) {
            buf_reset(&waiter->record);
            waiter->place = place;
            waiter->error.status = wal_batch_encode(waiter->batch, place, &waiter->record,
                                                    &waiter->labeled, &waiter->error);
        }
        if (waiter->error.status) continue;
        record_seal(waiter->record.data, w->seed, sequence++);
        pieces[count++] =
            (struct file_piece){.data = waiter->record.data, .size = waiter->record.size};
        waiter->unit = wal_unit_at(start + *bytes);
        *bytes += waiter->record.size;
    }
    return count;
}

/* After a refused write: make as if nothing of it had been written. */
static void cut_off(struct wal *w, enum status why)
{
    struct error refused;
    bool clean = file_truncate(&w->segment, atomic_load(&w->written), &refused) == OK;
    if (!clean)
        log_warn("wal", "failed write not cut off", "reason=%s", LOG_TEXT(str_from(refused.text)));
    if (!clean || why != ERR_UNAVAILABLE) abandon(w);
}

static void group_write(struct wal *w, struct group *g)
{
    struct error refused;
    struct file_piece pieces[FILE_PIECES_MAX];
    uint64_t bytes;
    enum status st = ensure_segment(w, &refused);
    if (st) {
        complain(w, &refused);
        group_fail(g, &refused);
        return;
    }
    size_t count = group_seal(w, g, pieces, &bytes);
    if (count == 0) return;
    st = file_write(&w->segment, atomic_load(&w->written), pieces, count, &refused);
    if (st) {
        complain(w, &refused);
        cut_off(w, st);
        group_fail(g, &refused);
        return;
    }
    if (look(w, &refused)) {
        complain(w, &refused);
        group_fail(g, &refused);
        return;
    }
    mutex_lock(&w->lock);
    atomic_fetch_add(&w->written, bytes);
    mutex_unlock(&w->lock);
    tell_news(w);
    w->next_sequence += count;
    w->segment_records += count;
    gauge_add(&w->disk_bytes, (int64_t)bytes);
    if (w->mode == WAL_SYNC_ALWAYS && sync_now(w, &refused)) {
        group_fail(g, &refused);
        return;
    }
    w->complained = false;
    counter_add(&w->records, count);
    counter_add(&w->bytes, bytes);
}

/* Lock held, nobody writes: write the front of the queue. */
static void lead(struct wal *w)
{
    struct group g = {.count = 0};
    w->writing = true;
    while (w->first && g.count < FILE_PIECES_MAX) {
        struct wal_waiter *waiter = w->first;
        w->first = waiter->next;
        waiter->state = WAITER_TAKEN;
        g.items[g.count++] = waiter;
    }
    if (!w->first) w->last = NULL;
    mutex_unlock(&w->lock);

    group_write(w, &g);

    mutex_lock(&w->lock);
    for (size_t i = 0; i < g.count; i++)
        g.items[i]->state = WAITER_DONE;
    w->writing = false;
    cond_broadcast(&w->changed);
}

/* Lock held. */
static void enqueue(struct wal *w, struct wal_waiter *waiter)
{
    if (w->last)
        w->last->next = waiter;
    else
        w->first = waiter;
    w->last = waiter;
}

static void dequeue(struct wal *w, struct wal_waiter *waiter)
{
    struct wal_waiter *previous = NULL;
    for (struct wal_waiter *at = w->first; at != waiter; at = at->next)
        previous = at;
    if (previous)
        previous->next = waiter->next;
    else
        w->first = waiter->next;
    if (w->last == waiter) w->last = previous;
}

static void commit(struct wal *w, struct wal_waiter *self)
{
    /* Both must run out: a clock that jumps uses up one slice of waiting, not all of them; a wait
     * that returns at once (libfaketime) uses up slices, but no time. */
    int slices = 0;
    int64_t start_ns = clock_mono_ns();
    mutex_lock(&w->lock);
    enqueue(w, self);
    while (self->state != WAITER_DONE) {
        if (self->state == WAITER_QUEUED && !w->writing) {
            lead(w);
        } else if (!cond_wait_for(&w->changed, &w->lock, WAL_WAIT_MS / WAL_WAIT_SLICES) &&
                   self->state == WAITER_QUEUED && w->writing && ++slices >= WAL_WAIT_SLICES &&
                   clock_mono_ns() - start_ns >= WAL_WAIT_MS * NS_PER_MS) {
            dequeue(w, self);
            (void)error_set(&self->error, ERR_UNAVAILABLE,
                            "the disk has not finished a write for %d s", WAL_WAIT_MS / 1000);
            break;
        }
    }
    mutex_unlock(&w->lock);
}

static void buffer_take(struct wal *w, struct buf *out)
{
    mutex_lock(&w->lock);
    bool reused = w->buffer_count > 0;
    if (reused) *out = w->buffers[--w->buffer_count];
    mutex_unlock(&w->lock);
    if (reused)
        buf_reset(out);
    else
        buf_init(out, HEAP_SNAPSHOT, RECORD_BUFFER_MAX);
}

static void buffer_give(struct wal *w, struct buf *b)
{
    bool kept = false;
    if (b->capacity <= WAL_BUFFER_KEPT_MAX) {
        mutex_lock(&w->lock);
        kept = w->buffer_count < WAL_BUFFERS_MAX;
        if (kept) w->buffers[w->buffer_count++] = *b;
        mutex_unlock(&w->lock);
    }
    if (!kept) buf_release(b);
}

enum status wal_log(struct wal *w, const struct journal_batch *batch, struct error *err)
{
    enum status st = refuse_at_risk(w, err);
    if (st) return st;
    struct wal_waiter self = {.batch = batch, .place = place_now(w)};
    buffer_take(w, &self.record);
    st = wal_batch_encode(batch, self.place, &self.record, &self.labeled, &self.error);
    self.error.status = st;
    if (!st) {
        commit(w, &self);
        st = self.error.status;
    }
    if (!st && self.labeled > 0) wal_batch_note(batch, self.place, self.unit);
    buffer_give(w, &self.record);
    return st ? error_set(err, st, "%s", self.error.text) : OK;
}

/* The current segment belongs to the caller, as to a leader. */
static void take_segment(struct wal *w)
{
    mutex_lock(&w->lock);
    while (w->writing)
        cond_wait(&w->changed, &w->lock);
    w->writing = true;
    mutex_unlock(&w->lock);
}

static void give_segment(struct wal *w)
{
    mutex_lock(&w->lock);
    w->writing = false;
    cond_broadcast(&w->changed);
    mutex_unlock(&w->lock);
}

enum status wal_rotate(struct wal *w, uint64_t *current, struct error *err)
{
    take_segment(w);
    mutex_lock(&w->lock);
    bool fresh = w->segment.fd >= 0 && !w->failed && w->segment_records == 0;
    mutex_unlock(&w->lock);
    enum status st = fresh ? OK : begin_segment(w, err);
    *current = atomic_load(&w->number);
    give_segment(w);
    return st;
}

bool wal_look(struct wal *w)
{
    take_segment(w);
    enum status st = look(w, NULL);
    give_segment(w);
    return st == OK && atomic_load(&w->risk) != WAL_TAKEN_AWAY;
}

void wal_close(struct wal *w)
{
    if (w->mode != WAL_SYNC_NEVER) (void)!sync_now(w, NULL);
    for (size_t i = 0; i < w->retired_count; i++)
        file_close(&w->retired[i].file);
    file_close(&w->segment);
    for (size_t i = 0; i < w->buffer_count; i++)
        buf_release(&w->buffers[i]);
    cond_release(&w->changed);
    mutex_release(&w->lock);
}
