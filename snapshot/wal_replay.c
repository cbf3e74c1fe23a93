/*
 * wal_replay - see wal_replay.h.
 */
#include "snapshot/wal_replay.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "snapshot/record.h"
#include "snapshot/wal_batch.h"
#include "storage/appender.h"

struct replay_totals replay_totals_none(void)
{
    return (struct replay_totals){.too_new_from_ms = INT64_MAX, .too_new_until_ms = INT64_MIN};
}

void wal_replay_init(struct wal_replay *r, const struct data_folder *folder, struct storage *db,
                     bool alone)
{
    *r = (struct wal_replay){
        .folder = folder, .db = db, .alone = alone, .totals = replay_totals_none()};
    arena_init(&r->arena, HEAP_SNAPSHOT, UINT64_MAX);
    buf_init(&r->buffer, HEAP_SNAPSHOT, 2 * (size_t)RECORD_BATCH_MAX);
    definitions_init(&r->definitions);
}

void wal_replay_release(struct wal_replay *r)
{
    arena_release(&r->arena);
    buf_release(&r->buffer);
    definitions_release(&r->definitions);
}

static void report(struct wal_replay *r, const char *path, uint64_t offset, uint64_t bytes,
                   const char *reason)
{
    r->totals.corruptions++;
    log_warn("wal", "damage skipped", "file=%s offset=%" PRIu64 " bytes=%" PRIu64 " reason=%s",
             LOG_TEXT(str_from(path)), offset, bytes, LOG_TEXT(str_from(reason)));
}

/* Those of the batch that are later than room_ms. */
static void note_too_new(struct wal_replay *r, const struct wal_batch *batch, int64_t room_ms)
{
    struct replay_totals *totals = &r->totals;
    for (size_t i = 0; i < batch->series_count; i++) {
        const struct wal_series *series = &batch->series[i];
        for (size_t s = 0; s < series->sample_count; s++) {
            int64_t t_ms = series->samples[s].t_ms;
            if (t_ms <= room_ms) continue;
            if (t_ms < totals->too_new_from_ms) totals->too_new_from_ms = t_ms;
            if (t_ms > totals->too_new_until_ms) totals->too_new_until_ms = t_ms;
        }
    }
}

static enum status add_result(struct wal_replay *r, const struct wal_batch *batch,
                              const struct append_result *result, int64_t room_ms,
                              struct error *err)
{
    r->totals.batches++;
    r->totals.samples += result->stored;
    r->totals.duplicates += result->duplicates;
    r->totals.too_old += result->refused[REFUSED_TOO_OLD];
    r->totals.too_new += result->refused[REFUSED_TOO_NEW];
    r->totals.refused += result->refused[REFUSED_CONFLICT];
    if (result->refused[REFUSED_TOO_NEW]) note_too_new(r, batch, room_ms);
    if (result->refused[REFUSED_NO_MEMORY])
        return error_set(err, ERR_NO_MEMORY, "the memory limit was reached while replaying");
    return OK;
}

/* The labels of a series that is there need not be kept. */
static bool note_series(struct definition_slot *slot, struct appender *app, struct labels labels)
{
    struct series *s = appender_find(app, labels);
    if (!s) return false;
    slot->what = DEFINITION_SERIES;
    slot->series = s;
    return true;
}

/* An entry with labels. Those of a new series are lent until the batch is in. */
static enum status define(struct wal_replay *r, struct appender *app,
                          const struct wal_series *series, struct error *err)
{
    if (!r->alone) return definitions_set(&r->definitions, series->id, series->labels, err);
    struct definition_slot *slot = definitions_claim(&r->definitions, series->id);
    if (!slot) return error_set(err, ERR_NO_MEMORY, "no memory for the series of the log");
    if (note_series(slot, app, series->labels)) return OK;
    slot->what = DEFINITION_LENT;
    slot->labels = &series->labels;
    return OK;
}

/* It is in: a series that was new is there now, or none of its samples was taken. */
static enum status settle(struct wal_replay *r, const struct wal_batch *batch, struct error *err)
{
    struct appender *app;
    enum status st = appender_begin(r->db, &r->arena, &app, err);
    if (st) return st;
    for (size_t i = 0; i < batch->series_count && st == OK; i++) {
        const struct wal_series *series = &batch->series[i];
        if (!series->defined) continue;
        struct definition_slot *slot = definitions_find(&r->definitions, series->id);
        if (slot->what != DEFINITION_LENT || note_series(slot, app, series->labels)) continue;
        st = definitions_set(&r->definitions, series->id, series->labels, err);
    }
    appender_abort(app);
    return st;
}

/* One series of a batch; by its labels only until it has been found once. */
static enum status stage(struct wal_replay *r, struct appender *app,
                         const struct wal_series *series, struct error *err)
{
    struct labels labels = series->labels;
    struct definition_slot *slot = definitions_find(&r->definitions, series->id);
    if (!slot) {
        r->totals.orphans += series->sample_count;
        return OK;
    }
    if (slot->what == DEFINITION_LENT)
        labels = *slot->labels;
    else if (slot->what >= DEFINITION_KEPT) {
        enum status st = definitions_get(&r->definitions, series->id, &r->arena, &labels, err);
        if (st) return st;
        if (r->alone) (void)note_series(slot, app, labels);
    }
    if (slot->what != DEFINITION_SERIES)
        return appender_add(app, labels, series->samples, series->sample_count, err);
    /* With labels: the order that senders keep is learnt once more. */
    if (series->defined)
        return appender_add_to(app, slot->series, series->samples, series->sample_count, err);
    return appender_add_known(app, slot->series, series->samples, series->sample_count, err);
}

/* Of each sample the slot of its id and the series are somewhere: they are asked for ahead. */
static void fetch_ahead(const struct wal_replay *r, const struct wal_batch *batch, size_t at)
{
    enum { AHEAD_SLOT = 16, AHEAD_SERIES = 8 };
    if (at + AHEAD_SLOT < batch->series_count)
        definitions_prefetch(&r->definitions, batch->series[at + AHEAD_SLOT].id);
    if (at + AHEAD_SERIES >= batch->series_count) return;
    const struct definition_slot *slot =
        definitions_find(&r->definitions, batch->series[at + AHEAD_SERIES].id);
    if (slot && slot->what == DEFINITION_SERIES) __builtin_prefetch(slot->series);
}

/* All or nothing: the batch is staged whole before anything is applied. */
static enum status apply(struct wal_replay *r, const struct wal_batch *batch, struct error *err)
{
    struct appender *app;
    bool defines = false;
    enum status st = appender_begin(r->db, &r->arena, &app, err);
    if (st) return st;
    appender_is_logged(app);
    for (size_t i = 0; i < batch->series_count && st == OK; i++) {
        if (!batch->series[i].defined) continue;
        st = define(r, app, &batch->series[i], err);
        defines = true;
    }
    for (size_t i = 0; i < batch->series_count && st == OK; i++) {
        fetch_ahead(r, batch, i);
        st = stage(r, app, &batch->series[i], err);
    }
    if (st) {
        appender_abort(app);
        return st;
    }
    struct append_result result;
    int64_t room_ms = storage_room_ms(r->db); /* before it: time may go on meanwhile */
    st = appender_commit(app, &result, err);
    if (st == OK && r->alone && defines) st = settle(r, batch, err);
    return st ? st : add_result(r, batch, &result, room_ms, err);
}

static void note_sequence(struct wal_replay *r, const char *path, const struct record *record)
{
    if (r->next_sequence && record->sequence > r->next_sequence) {
        uint64_t missing = record->sequence - r->next_sequence;
        r->totals.missing += missing;
        log_warn("wal", "batches are missing",
                 "file=%s offset=%" PRIu64 " missing=%" PRIu64 " next=%" PRIu64,
                 LOG_TEXT(str_from(path)), record->offset, missing, record->sequence);
    }
    if (record->sequence >= r->next_sequence) r->next_sequence = record->sequence + 1;
}

static enum status replay_record(struct wal_replay *r, const char *path,
                                 const struct record *record, struct error *err)
{
    struct wal_batch batch;
    struct error why;
    note_sequence(r, path, record);
    if (record->type != RECORD_BATCH) {
        r->totals.skipped++;
        log_warn("wal", "record of unknown type skipped", "file=%s offset=%" PRIu64 " type=%u",
                 LOG_TEXT(str_from(path)), record->offset, record->type);
        return OK;
    }
    arena_reset(&r->arena);
    enum status st = wal_batch_decode(record->payload, record->size, &r->arena, &batch, &why);
    if (st == ERR_CORRUPT) {
        report(r, path, record->offset, record->size, why.text);
        return OK;
    }
    if (st) return error_set(err, st, "%s", why.text);
    return apply(r, &batch, err);
}

static void cut(struct wal_replay *r, const struct file *f, const struct record *tail)
{
    struct error refused;
    r->totals.truncations++;
    log_warn("wal", "torn tail cut off", "file=%s offset=%" PRIu64 " bytes=%" PRIu64,
             LOG_TEXT(str_from(f->path.text)), tail->damaged_offset, tail->damaged_bytes);
    if (file_truncate(f, tail->damaged_offset, &refused))
        log_warn("wal", "torn tail stays", "reason=%s", LOG_TEXT(str_from(refused.text)));
}

static enum status scan(struct wal_replay *r, const struct file *f, uint64_t size, uint32_t seed,
                        bool cut_tail, struct error *err)
{
    struct record_scan scan;
    struct error why;
    record_scan_open(&scan, f, size, HEAD_BYTES, seed, &r->buffer);
    for (;;) {
        struct record record;
        bool more;
        enum status st = record_next(&scan, &record, &more, &why);
        if (st) return error_set(err, st, "%s", why.text);
        if (!more && record.damaged_bytes && cut_tail) {
            cut(r, f, &record);
            return OK;
        }
        if (record.damaged_bytes)
            report(r, f->path.text, record.damaged_offset, record.damaged_bytes,
                   "no intact record");
        if (!more) return OK;
        st = replay_record(r, f->path.text, &record, err);
        if (st) return error_wrap(err, "%s: ", f->path.text);
    }
}

/* The head the records were sealed with: the file's own when it is intact, else the one its name
 * promises. False: it belongs to another folder. */
static enum status segment_head(struct wal_replay *r, const struct file *f, uint64_t number,
                                struct head *out, bool *ours, struct error *err)
{
    uint8_t bytes[HEAD_BYTES];
    struct error why;
    size_t got = 0;
    struct head expected = {
        .kind = HEAD_SEGMENT, .identity = r->folder->identity, .number = number};
    *ours = true;
    *out = expected;
    enum status st = file_read(f, 0, bytes, sizeof(bytes), &got, err);
    if (st || got == 0) return st; /* empty: made, and nothing written yet */
    st = head_decode(bytes, got, HEAD_SEGMENT, out, &why);
    if (st == ERR_UNSUPPORTED) return error_set(err, st, "%s: %s", f->path.text, why.text);
    if (st) {
        report(r, f->path.text, 0, HEAD_BYTES, why.text);
        *out = expected;
        return OK;
    }
    *ours = memcmp(&out->identity, &expected.identity, sizeof(expected.identity)) == 0;
    return OK;
}

/* ERR_IO when the disk refuses. */
static enum status replay_file(struct wal_replay *r, const char *path, uint64_t number,
                               bool cut_tail, struct error *err)
{
    struct file f;
    struct head head;
    uint64_t size = 0;
    bool ours = true;
    cut_tail = cut_tail && file_open(&f, path, FILE_CHANGE, NULL) == OK;
    enum status st = cut_tail ? OK : file_open(&f, path, FILE_READ, err);
    if (st) return st;
    st = file_size(&f, &size, err);
    if (st == OK) st = segment_head(r, &f, number, &head, &ours, err);
    if (st == OK && !ours) {
        r->totals.skipped++;
        log_warn("wal", "segment of another data folder set aside", "file=%s",
                 LOG_TEXT(str_from(path)));
    } else if (st == OK) {
        r->totals.bytes += size;
        st = scan(r, &f, size, head_seed(&head), cut_tail, err);
    }
    file_close(&f);
    return st;
}

/* Labels that damage took may stand again further on: with what is known now, everything is
 * replayed once more. An id that was given to another series in between cannot mislead: the first
 * series was forgotten because all its samples had expired, so they are refused. */
static enum status replay_orphans(struct wal_replay *r, const char *path, uint64_t number,
                                  const struct replay_totals *before, struct error *err)
{
    const struct replay_totals first = r->totals;
    log_warn("wal", "labels are missing, the segment is replayed once more",
             "file=%s samples=%" PRIu64, LOG_TEXT(str_from(path)), first.orphans - before->orphans);
    enum status st = replay_file(r, path, number, false, err);
    uint64_t samples = r->totals.samples;
    uint64_t orphans = r->totals.orphans - first.orphans;
    r->totals = first;
    r->totals.samples = samples;
    r->totals.orphans = before->orphans + orphans;
    return st;
}

enum status wal_replay_segment(struct wal_replay *r, uint64_t number, bool cut_tail,
                               struct error *err)
{
    struct file_path path;
    struct error why;
    const struct replay_totals before = r->totals;
    data_folder_path(r->folder, DATA_SEGMENT, (struct data_name){.number = (int64_t)number}, &path);
    definitions_reset(&r->definitions);
    enum status st = replay_file(r, path.text, number, cut_tail, &why);
    if (st == ERR_IO) { /* once more: what was applied already is only a duplicate */
        r->totals = before;
        st = replay_file(r, path.text, number, cut_tail, &why);
    }
    if (st == OK && r->totals.orphans > before.orphans)
        st = replay_orphans(r, path.text, number, &before, &why);
    if (st == ERR_IO || st == ERR_NOT_FOUND) {
        report(r, path.text, 0, 0, why.text);
        if (st == ERR_IO) data_file_set_aside(path.text);
        return OK;
    }
    return st ? error_set(err, st, "%s", why.text) : OK;
}
