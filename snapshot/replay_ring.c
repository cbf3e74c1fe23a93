/* replay_ring - what is to be done next, and doing it without the lock. */
#include "snapshot/replay_ring.h"

#include "base/parallel.h"

enum {
    BYTES_MAX = 256 << 10,        /* of slots that are in use; one record may be larger */
    KEPT_BYTES_MAX = 128 << 10,   /* of a slot that is not: 2,000 series and samples need 100 KiB */
    BYTES_PER_THREAD = 256 << 10, /* of a segment: another thread for so many */
    TIDY_BYTES = 512 << 10
};

/* ---- slots ---- */

static void slot_init(struct replay_slot *s)
{
    buf_init(&s->payload, HEAP_SNAPSHOT, RECORD_BATCH_MAX);
    arena_init(&s->arena, HEAP_SNAPSHOT, UINT64_MAX);
    wal_batch_init(&s->batch);
}

static void slot_release(struct replay_slot *s)
{
    buf_release(&s->payload);
    arena_release(&s->arena);
    wal_batch_release(&s->batch);
}

static uint64_t slot_bytes(const struct replay_slot *s)
{
    return s->payload.capacity + s->batch.entries.capacity + s->batch.samples.capacity +
           s->arena.held_bytes;
}

static struct replay_slot *slot_of(const struct replay_ring *r, uint64_t number)
{
    return r->used[number % REPLAY_SLOTS];
}

static void slot_decode(struct replay_slot *s)
{
    arena_reset(&s->arena);
    s->st = wal_batch_decode(s->payload.data, s->payload.size, &s->arena, &s->batch, &s->why);
}

/* ---- what was read ---- */

/* The first record that not all parts have passed. */
static uint64_t tail(const struct replay_ring *r)
{
    uint64_t least = r->published;
    for (unsigned i = 0; i < WAL_PARTS; i++)
        if (r->applied[i] < least) least = r->applied[i];
    return least;
}

static void fail(struct replay_ring *r, enum status st, const struct error *why)
{
    if (!r->st) r->st = error_set(&r->err, st, "%s", why->text);
}

/* Time goes on with this batch: true when it has, or need not. */
static bool go_on(struct replay_ring *r, const struct wal_batch *batch)
{
    int64_t newest_ms;
    if (!storage_log_is_ahead(r->db, wal_batch_samples(batch), batch->sample_count, &newest_ms))
        return true;
    if (tail(r) < r->published) return false;
    storage_hear_log(r->db, newest_ms);
    return true;
}

/* Records that are decoded, in order, as far as they may be applied. */
static void publish(struct replay_ring *r)
{
    while (!r->st && r->published < r->read) {
        struct replay_slot *s = slot_of(r, r->published);
        if (!s->decoded) return;
        bool good = s->record.type == RECORD_BATCH && !s->st;
        if (good && !go_on(r, &s->batch)) return;
        r->watcher.record(r->watcher.self, &s->record);
        if (s->st == ERR_CORRUPT)
            r->watcher.refused(r->watcher.self, &s->record, s->why.text);
        else if (s->st)
            fail(r, s->st, &s->why);
        r->totals.batches += good;
        r->published++;
    }
}

/* ---- the three jobs: the lock is held, and given back meanwhile ---- */

static void wake(struct replay_ring *r)
{
    if (r->sleepers > 0) cond_broadcast(&r->changed);
}

/* The next record, in a slot. */
static enum status read_into(struct replay_ring *r, struct replay_slot *s, bool *more,
                             struct error *why)
{
    enum status st = record_next(&r->scan, &s->record, more, why);
    buf_reset(&s->payload);
    s->st = OK;
    s->decoded = false;
    if (!st && *more && s->record.type == RECORD_BATCH) {
        buf_append(&s->payload, s->record.payload, s->record.size);
        st = buf_status(&s->payload, why);
    }
    s->record.payload = NULL;
    return st;
}

static void end_reading(struct replay_ring *r, const struct replay_slot *s, enum status st,
                        const struct error *why)
{
    r->ended = true;
    r->tail = s->record;
    if (st == ERR_IO) {
        r->lost = st;
        r->lost_why = *why;
    } else if (st) {
        fail(r, st, why);
    }
}

static bool is_untidy(struct replay_ring *r, uint64_t bytes)
{
    r->untidied += bytes;
    if (r->untidied < TIDY_BYTES) return false;
    r->untidied = 0;
    return true;
}

static void do_read(struct replay_ring *r)
{
    struct error why;
    struct replay_slot *s = r->unused[--r->unused_count];
    bool more = false;
    r->reading = true;
    mutex_unlock(&r->lock);
    enum status st = read_into(r, s, &more, &why);
    mutex_lock(&r->lock);
    r->reading = false;
    if (st || !more) {
        end_reading(r, s, st, &why);
        r->unused[r->unused_count++] = s;
        wake(r);
        return;
    }
    r->used[r->read++ % REPLAY_SLOTS] = s;
    bool untidy = is_untidy(r, s->record.size);
    wake(r);
    mutex_unlock(&r->lock);
    if (untidy) storage_tidy(r->db);
    if (s->record.type == RECORD_BATCH) slot_decode(s);
    mutex_lock(&r->lock);
    s->decoded = true;
    s->bytes = slot_bytes(s);
    r->bytes += s->bytes;
    publish(r);
    wake(r);
}

/* Slots that everybody has passed are free, and give back what is more than usual. */
static void free_passed(struct replay_ring *r, uint64_t from)
{
    for (uint64_t end = tail(r); from < end; from++) {
        struct replay_slot *s = slot_of(r, from);
        r->bytes -= s->bytes;
        if (s->bytes > KEPT_BYTES_MAX) {
            slot_release(s);
            slot_init(s);
        }
        r->unused[r->unused_count++] = s;
    }
}

static void do_apply(struct replay_ring *r, unsigned number, struct replay_hand *hand)
{
    const struct wal_batch *batches[REPLAY_SLOTS];
    struct replay_totals totals = replay_totals_none();
    struct error why;
    uint64_t from = r->applied[number];
    uint64_t until = r->published;
    size_t count = 0;
    for (uint64_t i = from; i < until; i++) {
        const struct replay_slot *s = slot_of(r, i);
        if (s->record.type == RECORD_BATCH && !s->st) batches[count++] = &s->batch;
    }
    r->busy[number] = true;
    mutex_unlock(&r->lock);
    enum status st = replay_part_apply(&r->parts[number], batches, count, hand, &totals, &why);
    mutex_lock(&r->lock);
    r->busy[number] = false;
    replay_totals_add(&r->totals, &totals);
    if (st) fail(r, st, &why);
    uint64_t passed = tail(r);
    r->applied[number] = until;
    free_passed(r, passed);
    publish(r);
    wake(r);
}

/* ---- threads ---- */

/* The part that is furthest behind, of those that nobody is at; WAL_PARTS: none is behind. */
static unsigned find_part(const struct replay_ring *r)
{
    unsigned found = WAL_PARTS;
    for (unsigned i = 0; i < WAL_PARTS; i++)
        if (!r->busy[i] && r->applied[i] < r->published &&
            (found == WAL_PARTS || r->applied[i] < r->applied[found]))
            found = i;
    return found;
}

static bool may_read(const struct replay_ring *r)
{
    if (r->reading || r->ended || r->unused_count == 0) return false;
    return r->bytes < BYTES_MAX || r->read == tail(r);
}

static bool is_over(const struct replay_ring *r)
{
    return r->st || (r->ended && tail(r) == r->read);
}

/* What a thread applies with is made when it has something to apply. */
static void apply_with(struct replay_ring *r, unsigned part, struct replay_hand **hand)
{
    if (!*hand) *hand = replay_hand_create();
    if (*hand) {
        do_apply(r, part, *hand);
    } else {
        struct error why;
        fail(r, error_set(&why, ERR_NO_MEMORY, "no memory to replay the log"), &why);
    }
}

static void work(void *arg)
{
    struct replay_ring *r = arg;
    struct replay_hand *hand = NULL;
    mutex_lock(&r->lock);
    while (!is_over(r)) {
        unsigned part;
        if (may_read(r)) {
            do_read(r);
        } else if ((part = find_part(r)) < WAL_PARTS) {
            apply_with(r, part, &hand);
        } else {
            r->sleepers++;
            cond_wait(&r->changed, &r->lock);
            r->sleepers--;
        }
    }
    wake(r);
    mutex_unlock(&r->lock);
    replay_hand_destroy(hand);
}

static uint32_t threads_for(const struct replay_ring *r, uint64_t bytes)
{
    uint64_t threads = 1 + bytes / BYTES_PER_THREAD;
    return (uint32_t)(threads < r->threads ? threads : r->threads);
}

enum status replay_ring_run(struct replay_ring *r, const struct file *file, uint64_t size,
                            uint64_t start, uint32_t seed, struct error *err)
{
    record_scan_open(&r->scan, file, size, start, seed, &r->buffer);
    r->reading = r->ended = false;
    r->read = r->published = r->bytes = 0;
    r->st = r->lost = OK;
    for (r->unused_count = 0; r->unused_count < REPLAY_SLOTS; r->unused_count++)
        r->unused[r->unused_count] = &r->slots[r->unused_count];
    for (unsigned i = 0; i < WAL_PARTS; i++)
        r->applied[i] = 0;
    parallel_run(threads_for(r, size - start), "replay", work, r);
    if (r->st) return error_set(err, r->st, "%s", r->err.text);
    if (r->lost) return error_set(err, r->lost, "%s", r->lost_why.text);
    r->watcher.end(r->watcher.self, &r->tail);
    return OK;
}

void replay_ring_reset(struct replay_ring *r)
{
    for (unsigned i = 0; i < WAL_PARTS; i++)
        replay_part_reset(&r->parts[i]);
}

void replay_ring_init(struct replay_ring *r, struct storage *db, bool alone, uint32_t threads,
                      const struct replay_watcher *watcher)
{
    *r = (struct replay_ring){.db = db,
                              .threads = threads ? threads : 1,
                              .watcher = *watcher,
                              .totals = replay_totals_none()};
    buf_init(&r->buffer, HEAP_SNAPSHOT, 2 * (size_t)RECORD_PAYLOAD_MAX); /* of any type */
    mutex_init(&r->lock, LOCK_MAINTENANCE);
    cond_init(&r->changed);
    for (unsigned i = 0; i < REPLAY_SLOTS; i++)
        slot_init(&r->slots[i]);
    for (unsigned i = 0; i < WAL_PARTS; i++)
        replay_part_init(&r->parts[i], db, i, alone);
}

void replay_ring_release(struct replay_ring *r)
{
    buf_release(&r->buffer);
    for (unsigned i = 0; i < REPLAY_SLOTS; i++)
        slot_release(&r->slots[i]);
    for (unsigned i = 0; i < WAL_PARTS; i++)
        replay_part_release(&r->parts[i]);
    cond_release(&r->changed);
    mutex_release(&r->lock);
}
