/*
 * wal_replay - see wal_replay.h.
 */
#include "snapshot/wal_replay.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "snapshot/data_file.h"
#include "snapshot/record.h"

enum { PROGRESS_MS = 2000, PROGRESS_BYTES = 64 << 10 };

static void report(struct wal_replay *r, const char *path, uint64_t offset, uint64_t bytes,
                   const char *reason)
{
    r->totals.corruptions++;
    log_warn("wal", "damage skipped", "file=%s offset=%" PRIu64 " bytes=%" PRIu64 " reason=%s",
             LOG_TEXT(str_from(path)), offset, bytes, LOG_TEXT(str_from(reason)));
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

static void cut(struct wal_replay *r, const struct file *f, const struct record *tail)
{
    struct error refused;
    r->totals.truncations++;
    log_warn("wal", "torn tail cut off", "file=%s offset=%" PRIu64 " bytes=%" PRIu64,
             LOG_TEXT(str_from(f->path.text)), tail->damaged_offset, tail->damaged_bytes);
    if (file_truncate(f, tail->damaged_offset, &refused))
        log_warn("wal", "torn tail stays", "reason=%s", LOG_TEXT(str_from(refused.text)));
}

/* A segment may be read twice, and counts once. */
static void note_offset(struct wal_replay *r, uint64_t offset)
{
    if (offset <= r->offset) return;
    if (r->bytes_done) atomic_fetch_add(r->bytes_done, offset - r->offset);
    r->offset = offset;
}

/* A long replay says every few seconds where it is. */
static void tell_progress(struct wal_replay *r, const char *path, uint64_t offset)
{
    int64_t now_ns = clock_mono_ns();
    r->looked_offset = offset;
    if (now_ns - r->told_ns < PROGRESS_MS * NS_PER_MS) return;
    r->told_ns = now_ns;
    log_info("wal", "replaying", "file=%s offset=%" PRIu64, LOG_TEXT(str_from(path)), offset);
}

static void on_record(void *self, const struct record *record)
{
    struct wal_replay *r = self;
    const char *path = r->file->path.text;
    note_offset(r, record->offset);
    if (record->offset >= r->looked_offset + PROGRESS_BYTES) tell_progress(r, path, record->offset);
    if (record->damaged_bytes)
        report(r, path, record->damaged_offset, record->damaged_bytes, "no intact record");
    note_sequence(r, path, record);
    if (record->type == RECORD_BATCH) return;
    r->totals.skipped++;
    log_warn("wal", "record of unknown type skipped", "file=%s offset=%" PRIu64 " type=%u",
             LOG_TEXT(str_from(path)), record->offset, record->type);
}

static void on_refused(void *self, const struct record *record, const char *reason)
{
    struct wal_replay *r = self;
    report(r, r->file->path.text, record->offset, record->size, reason);
}

static void on_end(void *self, const struct record *tail)
{
    struct wal_replay *r = self;
    if (!tail->damaged_bytes) return;
    if (r->cut_tail)
        cut(r, r->file, tail);
    else
        report(r, r->file->path.text, tail->damaged_offset, tail->damaged_bytes,
               "no intact record");
}

/* What was applied before a failure is counted, too. */
static enum status replay_records(struct wal_replay *r, const struct file *f, uint64_t size,
                                  uint32_t seed, bool cut_tail, struct error *err)
{
    struct error why;
    r->file = f;
    r->cut_tail = cut_tail;
    r->ring->totals = replay_totals_none();
    enum status st = replay_ring_run(r->ring, f, size, HEAD_BYTES, seed, &why);
    replay_totals_add(&r->totals, &r->ring->totals);
    return st ? error_set(err, st, "%s: %s", f->path.text, why.text) : OK;
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
        log_warn("wal", "segment of another data folder is not read", "file=%s",
                 LOG_TEXT(str_from(path)));
    } else if (st == OK) {
        r->totals.bytes += size;
        tell_progress(r, path, 0);
        st = replay_records(r, &f, size, head_seed(&head), cut_tail, err);
    }
    note_offset(r, size);
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

enum status wal_replay_init(struct wal_replay *r, const struct data_folder *folder,
                            struct storage *db, bool alone, uint32_t threads, struct error *err)
{
    const struct replay_watcher watcher = {
        .self = r, .record = on_record, .refused = on_refused, .end = on_end};
    *r = (struct wal_replay){
        .folder = folder, .told_ns = clock_mono_ns(), .totals = replay_totals_none()};
    r->ring = heap_alloc(sizeof(*r->ring), HEAP_SNAPSHOT);
    if (!r->ring) return error_set(err, ERR_NO_MEMORY, "no memory to replay the log");
    replay_ring_init(r->ring, db, alone, threads, &watcher);
    return OK;
}

void wal_replay_release(struct wal_replay *r)
{
    replay_ring_release(r->ring);
    heap_free(r->ring, sizeof(*r->ring), HEAP_SNAPSHOT);
}

enum status wal_replay_segment(struct wal_replay *r, uint64_t number, bool cut_tail,
                               struct error *err)
{
    struct file_path path;
    struct error why;
    const struct replay_totals before = r->totals;
    r->offset = 0;
    data_folder_path(r->folder, DATA_SEGMENT, (struct data_name){.number = (int64_t)number}, &path);
    replay_ring_reset(r->ring);
    enum status st = replay_file(r, path.text, number, cut_tail, &why);
    if (st == ERR_IO) { /* once more: what was applied already is only a duplicate */
        r->totals = before;
        st = replay_file(r, path.text, number, cut_tail, &why);
    }
    if (st == OK && r->totals.orphans > before.orphans)
        st = replay_orphans(r, path.text, number, &before, &why);
    if (st == ERR_IO || st == ERR_NOT_FOUND) {
        report(r, path.text, 0, 0, why.text);
        if (st == ERR_IO) data_file_set_aside(r->folder, DATA_SEGMENT, path.text);
        return OK;
    }
    return st ? error_set(err, st, "%s", why.text) : OK;
}
