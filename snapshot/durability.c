/*
 * durability - the doors: open, journal, sync, snapshot, close, numbers. The work is in recover.c,
 * wal.c and publish.c.
 */
#include "snapshot/durability.h"

#include <inttypes.h>

#include "base/clock.h"
#include "base/log.h"
#include "snapshot/backup.h"
#include "snapshot/durability_state.h"

enum { SEGMENT_BYTES_DEFAULT = 1 << 30 };

enum status durability_open(const struct durability_options *options, struct durability **out,
                            struct error *err)
{
    struct arena arena;
    struct durability *d = heap_calloc(1, sizeof(*d), HEAP_PROCESS);
    if (!d) return error_set(err, ERR_NO_MEMORY, "no memory to open %s", options->path);
    arena_init(&arena, HEAP_SNAPSHOT, DATA_FOLDER_ARENA_BYTES_MAX);
    enum status st = data_folder_open(&d->folder, options->path, &arena, err);
    arena_release(&arena);
    if (st == OK) backup_clean(&d->folder);
    if (st) {
        heap_free(d, sizeof(*d), HEAP_PROCESS);
        return st;
    }
    d->options = *options;
    d->options.path = d->folder.path;
    if (!d->options.segment_bytes) d->options.segment_bytes = SEGMENT_BYTES_DEFAULT;
    window_block_init(&d->scratch);
    *out = d;
    return OK;
}

void durability_close(struct durability *d)
{
    if (!d) return;
    if (d->recovered) wal_close(&d->wal);
    window_block_release(&d->scratch);
    data_folder_close(&d->folder);
    heap_free(d, sizeof(*d), HEAP_PROCESS);
}

static enum status journal_log(void *self, const struct journal_batch *batch, struct error *err)
{
    struct durability *d = self;
    return wal_log(&d->wal, batch, err);
}

struct journal durability_journal(struct durability *d)
{
    return (struct journal){.self = d, .log = journal_log};
}

bool durability_sync(struct durability *d)
{
    return d->options.sync == WAL_SYNC_INTERVAL && wal_sync(&d->wal);
}

bool durability_wants_snapshot(const struct durability *d)
{
    return atomic_load(&d->wal.wants_snapshot);
}

void durability_hurry(struct durability *d)
{
    atomic_store(&d->hurried, true);
}

static enum status begin_snapshot(struct durability *d, struct error *err)
{
    if (atomic_exchange(&d->snapshotting, true))
        return error_set(err, ERR_CONFLICT, "a snapshot is being taken already");
    return OK;
}

static void count_snapshot(struct durability *d, int64_t start_ns, enum status st)
{
    if (st) {
        counter_add(&d->snapshot_failures, 1);
        return;
    }
    counter_add(&d->snapshots, 1);
    gauge_set(&d->snapshot_last_ms, clock_wall_ms());
    gauge_set(&d->snapshot_last_ns, clock_mono_ns() - start_ns);
}

static enum status end_snapshot(struct durability *d, int64_t start_ns, enum status st,
                                struct error *err)
{
    count_snapshot(d, start_ns, st);
    atomic_store(&d->snapshotting, false);
    /* A file that is in the way is not a snapshot that is being taken. */
    if (st != ERR_CONFLICT) return st;
    if (err) err->status = ERR_IO;
    return ERR_IO;
}

enum status durability_snapshot(struct durability *d, struct storage *db, struct error *err)
{
    enum status st = begin_snapshot(d, err);
    if (st) return st;
    int64_t start_ns = clock_mono_ns();
    st = publish_snapshot(d, db, err);
    return end_snapshot(d, start_ns, st, err);
}

/* Of the current manifest, what a backup is to hold. */
static void choose_windows(const struct manifest *from, int64_t end_window, struct manifest *out)
{
    *out = *from;
    out->count = 0;
    for (size_t i = 0; i < from->count; i++)
        if (from->entries[i].window < end_window) out->entries[out->count++] = from->entries[i];
}

static enum status backup(struct durability *d, struct storage *db, bool without_open,
                          char name[BACKUP_NAME_BYTES], struct error *err)
{
    struct manifest *m = heap_alloc(sizeof(*m), HEAP_SNAPSHOT);
    if (!m) return error_set(err, ERR_NO_MEMORY, "no memory for a snapshot");
    enum status st = publish_snapshot(d, db, err);
    choose_windows(&d->current, without_open ? storage_bounds(db).current_window : INT64_MAX, m);
    if (st == OK) st = backup_make(&d->folder, m, name, err);
    heap_free(m, sizeof(*m), HEAP_SNAPSHOT);
    if (st == OK)
        log_info("snapshot", "kept", "name=%s snapshot=%" PRIu64, name, d->current.snapshot);
    return st;
}

enum status durability_backup(struct durability *d, struct storage *db, bool without_open,
                              char name[BACKUP_NAME_BYTES], struct error *err)
{
    enum status st = begin_snapshot(d, err);
    if (st) return st;
    int64_t start_ns = clock_mono_ns();
    st = backup(d, db, without_open, name, err);
    return end_snapshot(d, start_ns, st, err);
}

static uint64_t read_gauge(const struct gauge *g)
{
    int64_t v = gauge_read(g);
    return v > 0 ? (uint64_t)v : 0;
}

void durability_stats_read(const struct durability *d, struct durability_stats *out)
{
    *out = (struct durability_stats){
        .wal_records = counter_read(&d->wal.records),
        .wal_bytes = counter_read(&d->wal.bytes),
        .wal_segment = atomic_load(&d->wal.number),
        .wal_segments = read_gauge(&d->wal.segments),
        .wal_disk_bytes = read_gauge(&d->wal.disk_bytes),
        .wal_write_errors = counter_read(&d->wal.write_errors),
        .wal_corruptions = counter_read(&d->wal_corruptions),
        .wal_truncations = counter_read(&d->wal_truncations),
        .wal_lost_batches = counter_read(&d->wal_lost_batches),
        .snapshots = counter_read(&d->snapshots),
        .snapshot_failures = counter_read(&d->snapshot_failures),
        .snapshot_corruptions = counter_read(&d->snapshot_corruptions),
        .snapshot_bytes = counter_read(&d->snapshot_bytes),
        .snapshot_disk_bytes = read_gauge(&d->snapshot_disk_bytes),
        .snapshot_last_ms = gauge_read(&d->snapshot_last_ms),
        .snapshot_last_ns = gauge_read(&d->snapshot_last_ns),
        .recover_ns = gauge_read(&d->recover_ns),
        .recovered_samples = counter_read(&d->recovered_samples),
        .recovered_series = counter_read(&d->recovered_series),
        .fsync = &d->wal.fsync,
    };
}

void durability_progress(const struct durability *d, struct recovery_progress *out)
{
    bool done = atomic_load(&d->progress_done);
    uint64_t read = atomic_load(&d->progress_bytes);
    uint64_t total = atomic_load(&d->progress_total);
    *out = (struct recovery_progress){
        .bytes_done = done || read > total ? total : read,
        .bytes_total = total,
        .first_segment = atomic_load(&d->progress_first),
        .last_segment = atomic_load(&d->progress_last),
        .current_segment = atomic_load(&d->progress_current),
        .done = done,
    };
}
