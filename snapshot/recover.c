/*
 * recover - from files to memory: the newest manifest that verifies, its windows, the log behind
 * it.
 *
 * Whatever is damaged in the newest generation is looked for in the older one: its file of the same
 * window, and the log from where the older manifest says. Both only add what is missing.
 */
#include <inttypes.h>

#include "base/bits.h"
#include "base/clock.h"
#include "base/log.h"
#include "snapshot/data_file.h"
#include "snapshot/durability_state.h"
#include "snapshot/wal_replay.h"
#include "snapshot/window_load.h"
#include "storage/export.h"

struct window_span recover_span(const struct storage *db, int64_t window)
{
    int64_t start_ms = storage_window_start_ms(db, window);
    return (struct window_span){.window = window,
                                .start_ms = start_ms,
                                .chunk_ms = storage_window_start_ms(db, window + 1) - start_ms};
}

/* ---- manifests ---- */

/* The two newest that verify; next_snapshot is beyond every number in use. */
static enum status read_manifests(struct durability *d, struct arena *a, struct error *err)
{
    struct data_names names;
    struct data_names windows;
    enum status st = data_folder_list(&d->folder, DATA_MANIFEST, a, &names, err);
    if (st == OK) st = data_folder_list(&d->folder, DATA_WINDOW, a, &windows, err);
    if (st) return st;
    d->next_snapshot = 1;
    for (size_t i = 0; i < windows.count; i++)
        if (windows.items[i].snapshot >= d->next_snapshot)
            d->next_snapshot = windows.items[i].snapshot + 1;

    struct manifest *next = &d->current;
    for (size_t i = names.count; i > 0 && next; i--) {
        struct error why;
        uint64_t number = (uint64_t)names.items[i - 1].number;
        if (number >= d->next_snapshot) d->next_snapshot = number + 1;
        st = manifest_read(&d->folder, number, next, &why);
        if (st == ERR_IO) st = manifest_read(&d->folder, number, next, &why);
        if (st == OK) {
            next = next == &d->current ? &d->previous : NULL;
            continue;
        }
        next->snapshot = 0;
        next->count = 0;
        if (st == ERR_UNSUPPORTED || st == ERR_NO_MEMORY) return error_set(err, st, "%s", why.text);
        d->manifest_unread = true;
        counter_add(&d->snapshot_corruptions, 1);
        log_warn("snapshot", "manifest cannot be used", "reason=%s", LOG_TEXT(str_from(why.text)));
    }
    return OK;
}

static enum status check_chunk_ms(const struct durability *d, const struct storage *db,
                                  struct error *err)
{
    int64_t configured_ms = recover_span(db, 0).chunk_ms;
    /* While neither generation holds a window, there is none to move. */
    if (d->current.count + d->previous.count == 0 || d->current.chunk_ms == configured_ms)
        return OK;
    return error_set(err, ERR_UNSUPPORTED,
                     "data folder %s holds windows of %" PRId64 " s, and %" PRId64
                     " s are configured: start with the old chunk duration, or with another folder",
                     d->folder.path, d->current.chunk_ms / 1000, configured_ms / 1000);
}

/* ---- windows ---- */

static struct window_loader loader_of(struct durability *d, struct storage *db, uint32_t threads)
{
    return (struct window_loader){
        .folder = &d->folder, .db = db, .threads = threads, .bytes_done = &d->progress_bytes};
}

static void note_state(struct entry_state *state, const struct window_load *load)
{
    if (load->totals.too_new > 0)
        state->state = FILE_STATE_PENDING;
    else if (load->whole && load->totals.too_old == 0)
        state->state = FILE_STATE_CURRENT;
    else
        state->state = FILE_STATE_STALE;
}

/* Where an entry was not whole, the older generation has to help: its file of the same window, and
 * the log from where its manifest says. Fills loads[]; returns how many there are. */
static size_t older_loads(const struct durability *d, const struct window_load *loads, size_t count,
                          struct window_load *older_loads, uint64_t *first_segment)
{
    size_t older_count = 0;
    uint64_t older_first = d->previous.snapshot ? d->previous.first_segment : 0;
    for (size_t i = 0; i < count; i++) {
        if (loads[i].whole) continue;
        const struct window_entry *older = manifest_find(&d->previous, loads[i].span.window);
        if (d->previous.snapshot && older && older->snapshot != loads[i].snapshot)
            older_loads[older_count++] = (struct window_load){
                .span = loads[i].span, .snapshot = older->snapshot, .size_expected = older->size};
        if (older_first < *first_segment) *first_segment = older_first;
    }
    return older_count;
}

enum { LOADS_MAX = 2 * MANIFEST_ENTRIES_MAX }; /* of both generations */

/* Files of so many bytes become at least as many in memory. */
static bool is_much(const struct window_load *loads, size_t count)
{
    enum { MUCH_BYTES = 16 << 20 };
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += loads[i].size_expected;
    return bytes >= MUCH_BYTES;
}

/* The entries of the current manifest, or only those that are pending. *first_segment is lowered
 * when the older generation has to help. */
static enum status load_entries(struct durability *d, struct storage *db, bool pending_only,
                                struct load_totals *totals, uint64_t *first_segment,
                                struct error *err)
{
    /* Later, the server serves beside it. */
    const struct window_loader loader =
        loader_of(d, db, pending_only ? 1 : d->options.restore_threads);
    struct window_load *loads = heap_calloc(LOADS_MAX, sizeof(*loads), HEAP_SNAPSHOT);
    size_t places[MANIFEST_ENTRIES_MAX];
    size_t count = 0;
    if (!loads) return error_set(err, ERR_NO_MEMORY, "no memory to load windows");
    for (size_t i = 0; i < d->current.count; i++) {
        const struct window_entry *entry = &d->current.entries[i];
        if (pending_only && d->states[i].state != FILE_STATE_PENDING) continue;
        places[count] = i;
        loads[count++] = (struct window_load){.span = recover_span(db, entry->window),
                                              .snapshot = entry->snapshot,
                                              .size_expected = entry->size};
    }
    heap_expect_growth(is_much(loads, count));
    enum status st = window_load(&loader, loads, count, err);
    heap_expect_growth(false);
    struct window_load *older = loads + MANIFEST_ENTRIES_MAX;
    size_t older_count = st ? 0 : older_loads(d, loads, count, older, first_segment);
    for (size_t i = 0; st == OK && i < count; i++) {
        note_state(&d->states[places[i]], &loads[i]);
        d->current_whole &= loads[i].whole;
    }
    if (st == OK) st = window_load(&loader, older, older_count, err);
    for (size_t i = 0; i < count; i++)
        load_totals_add(totals, &loads[i].totals);
    for (size_t i = 0; i < older_count; i++)
        load_totals_add(totals, &older[i].totals);
    heap_free(loads, LOADS_MAX * sizeof(*loads), HEAP_SNAPSHOT);
    return st;
}

/* There never was a manifest, and the log is there from its first segment on: window files are what
 * an interrupted first snapshot left. They may hold a request in part, and the log has all of it.
 * Where no segment is the first, because it stayed empty, nobody knows. */
static enum status never_finished(const struct durability *d, struct arena *a, bool *out,
                                  struct error *err)
{
    struct data_names segments;
    *out = false;
    if (d->current.snapshot || d->manifest_unread) return OK;
    enum status st = data_folder_list(&d->folder, DATA_SEGMENT, a, &segments, err);
    if (st) return st;
    *out = segments.count > 0 && segments.items[0].number == 1;
    return OK;
}

/* Without any manifest: everything that is there. */
static enum status load_all(struct durability *d, struct storage *db, struct arena *a,
                            bool log_is_read, struct load_totals *totals, struct error *err)
{
    const struct window_loader loader = loader_of(d, db, d->options.restore_threads);
    struct data_names names;
    enum status st = data_folder_list(&d->folder, DATA_WINDOW, a, &names, err);
    if (st) return st;
    d->unlisted = names.count > 0;
    if (names.count) {
        log_warn("snapshot", "no manifest verifies, every window file is loaded", "files=%zu",
                 names.count);
        int64_t start_ms = recover_span(db, names.items[names.count - 1].number).start_ms;
        if (log_is_read)
            storage_reach(db, start_ms);
        else
            storage_resume_at(db, start_ms);
    }
    struct window_load *loads = arena_calloc(a, names.count, sizeof(*loads));
    if (!loads) return arena_error(a, err);
    for (size_t i = 0; i < names.count; i++)
        loads[i] = (struct window_load){.span = recover_span(db, names.items[i].number),
                                        .snapshot = names.items[i].snapshot};
    st = window_load(&loader, loads, names.count, err);
    for (size_t i = 0; i < names.count; i++)
        load_totals_add(totals, &loads[i].totals);
    return st;
}

/* Files that are loaded whole need not be written again as long as storage's version stays. */
static void note_versions(struct durability *d, struct storage *db)
{
    struct window_info infos[STORAGE_WINDOWS_MAX];
    size_t count = export_windows(db, infos);
    for (size_t i = 0; i < d->current.count; i++) {
        if (d->states[i].state != FILE_STATE_CURRENT) continue;
        d->states[i].state = FILE_STATE_STALE;
        for (size_t k = 0; k < count; k++) {
            if (infos[k].window != d->current.entries[i].window) continue;
            d->states[i] =
                (struct entry_state){.state = FILE_STATE_CURRENT, .version = infos[k].version};
        }
    }
}

static enum status load_windows(struct durability *d, struct storage *db, struct arena *a,
                                bool log_is_read, uint64_t *first_segment, struct error *err)
{
    struct load_totals totals = {0};
    *first_segment = d->current.snapshot ? d->current.first_segment : 0;
    d->current_whole = true;
    enum status st = d->current.snapshot ? load_entries(d, db, false, &totals, first_segment, err)
                                         : load_all(d, db, a, log_is_read, &totals, err);
    if (st == OK) note_versions(d, db);
    counter_add(&d->recovered_samples, totals.samples);
    counter_add(&d->snapshot_corruptions, totals.corruptions);
    if (st == OK)
        log_info("snapshot", "windows loaded",
                 "files=%zu chunks=%" PRIu64 " samples=%" PRIu64 " bytes=%" PRIu64
                 " damaged=%" PRIu64 " too_old=%" PRIu64 " too_new=%" PRIu64,
                 d->current.count, totals.chunks, totals.samples, totals.bytes, totals.corruptions,
                 totals.too_old, totals.too_new);
    return st;
}

/* ---- the log ---- */

static void add_replay_totals(struct durability *d, const struct replay_totals *t)
{
    counter_add(&d->recovered_samples, t->samples);
    counter_add(&d->wal_corruptions, t->corruptions);
    counter_add(&d->wal_truncations, t->truncations);
    counter_add(&d->wal_lost_batches, t->missing);
    log_info("wal", "replayed",
             "batches=%" PRIu64 " samples=%" PRIu64 " duplicates=%" PRIu64 " bytes=%" PRIu64
             " damaged=%" PRIu64 " cut=%" PRIu64 " missing=%" PRIu64 " skipped=%" PRIu64
             " orphans=%" PRIu64 " too_old=%" PRIu64 " too_new=%" PRIu64 " refused=%" PRIu64,
             t->batches, t->samples, t->duplicates, t->bytes, t->corruptions, t->truncations,
             t->missing, t->skipped, t->orphans, t->too_old, t->too_new, t->refused);
}

/* Keep what the clock has not reached: it may be the clock that is wrong. */
static void note_held(struct durability *d, const struct replay_totals *t, uint64_t first,
                      uint64_t last)
{
    d->held = t->too_new > 0;
    d->held_from_ms = t->too_new_from_ms;
    d->held_until_ms = t->too_new_until_ms;
    d->held_first_segment = first;
    d->held_last_segment = last;
    if (d->held)
        log_warn("wal", "samples later than the clock are kept in the log until it gets there",
                 "samples=%" PRIu64 " until_ms=%" PRId64, t->too_new, t->too_new_until_ms);
}

enum {
    /* A manifest that could not be read may come back, and say that the log counts only from a
     * segment on whose name a power cut has taken: what is written meanwhile comes behind it. */
    SEGMENTS_SKIPPED = 1 << 20
};

struct log_end {
    uint64_t next_number;
    uint64_t next_sequence;
    uint64_t segments; /* on disk */
    uint64_t bytes;
    bool replayed; /* it held something */
};

/* What is walked over in one go. */
struct log_walk {
    struct wal_replay replay;
    struct data_names names;
    uint64_t first; /* segment; 0: none */
    uint64_t last;
};

static enum status walk_log(struct durability *d, struct log_walk *w, uint64_t first_segment,
                            struct error *err)
{
    enum status st = OK;
    for (size_t i = 0; i < w->names.count && st == OK; i++) {
        uint64_t number = (uint64_t)w->names.items[i].number;
        if (number < first_segment) continue;
        if (!w->first) w->first = number;
        w->last = number;
        atomic_store(&d->progress_current, number);
        st = wal_replay_segment(&w->replay, number, i + 1 == w->names.count, err);
    }
    return st;
}

/* A snapshot without samples says a time that none speaks for. It is gone by as long as those of
 * the log agree with it: when some are too old, and none is of its window, the clock was ahead. */
static bool was_ahead(const struct durability *d, struct storage *db, const struct replay_totals *t)
{
    struct window_info infos[STORAGE_WINDOWS_MAX];
    if (!d->current.snapshot || d->current.count > 0 || t->too_old == 0) return false;
    size_t count = export_windows(db, infos);
    return count == 0 || infos[count - 1].window < storage_window_of(db, d->current.written_ms);
}

/* Once more, by no time but that of the samples. What was seen is told already. */
static enum status walk_again(struct durability *d, struct storage *db, struct log_walk *w,
                              uint64_t first_segment, struct error *err)
{
    const struct replay_totals seen = w->replay.totals;
    log_warn("clock", "was ahead when nothing was held yet, and the log is replayed by itself",
             "written_ms=%" PRId64 " too_old=%" PRIu64, d->current.written_ms, seen.too_old);
    storage_resume_at(db, INT64_MIN);
    w->replay.totals = replay_totals_none();
    w->replay.totals.samples = seen.samples;
    enum status st = walk_log(d, w, first_segment, err);
    w->replay.totals.corruptions = seen.corruptions;
    w->replay.totals.truncations = seen.truncations;
    w->replay.totals.missing = seen.missing;
    return st;
}

/* Of what is missing at the beginning no gap in the sequence tells. It may have been empty. */
static void expect_first(const struct durability *d, const struct data_names *names, uint64_t first)
{
    struct file_path path;
    for (size_t i = 0; i < names->count; i++)
        if ((uint64_t)names->items[i].number == first) return;
    data_folder_path(&d->folder, DATA_SEGMENT, (struct data_name){.number = (int64_t)first}, &path);
    log_warn("wal", "the segment that a snapshot goes on with is missing", "file=%s",
             LOG_TEXT(str_from(path.text)));
}

static enum status replay_log(struct durability *d, struct storage *db, struct arena *a,
                              uint64_t first_segment, struct log_end *end, struct error *err)
{
    struct log_walk w = {.first = 0};
    enum status st = data_folder_list(&d->folder, DATA_SEGMENT, a, &w.names, err);
    if (st) return st;
    if (d->current.snapshot) expect_first(d, &w.names, d->current.first_segment);
    if (d->current.snapshot && first_segment && first_segment < d->current.first_segment)
        expect_first(d, &w.names, first_segment);
    st = wal_replay_init(&w.replay, &d->folder, db, true, d->options.restore_threads, err);
    if (st) return st;
    w.replay.bytes_done = &d->progress_bytes;
    st = walk_log(d, &w, first_segment, err);
    w.replay.bytes_done = NULL;
    if (st == OK && was_ahead(d, db, &w.replay.totals))
        st = walk_again(d, db, &w, first_segment, err);
    end->segments = w.names.count;
    for (size_t i = 0; i < w.names.count; i++)
        end->bytes += data_file_size(&d->folder, DATA_SEGMENT, w.names.items[i]);
    end->next_number = w.names.count ? (uint64_t)w.names.items[w.names.count - 1].number + 1 : 1;
    if (end->next_number < d->current.first_segment) end->next_number = d->current.first_segment;
    if (d->manifest_unread) end->next_number += SEGMENTS_SKIPPED;
    end->next_sequence = w.replay.next_sequence ? w.replay.next_sequence : 1;
    end->replayed = w.replay.totals.batches > 0;
    add_replay_totals(d, &w.replay.totals);
    if (st == OK) note_held(d, &w.replay.totals, w.first, w.last);
    wal_replay_release(&w.replay);
    return st;
}

static bool log_lost_any(const struct durability *d)
{
    return counter_read(&d->wal_corruptions) + counter_read(&d->wal_lost_batches) > 0;
}

/* What there is to read, and where the log begins and ends, is known before it is its turn. */
static enum status note_progress(struct durability *d, struct arena *a, struct error *err)
{
    uint64_t bytes = 0;
    struct data_names names;
    uint64_t first = d->current.snapshot ? d->current.first_segment : 0;
    enum status st = data_folder_list(&d->folder, DATA_SEGMENT, a, &names, err);
    for (size_t i = 0; i < d->current.count; i++)
        bytes += d->current.entries[i].size;
    for (size_t i = 0; st == OK && i < names.count; i++)
        if ((uint64_t)names.items[i].number >= first)
            bytes += data_file_size(&d->folder, DATA_SEGMENT, names.items[i]);
    atomic_store(&d->progress_total, bytes);
    if (st || !names.count) return st;
    if (first < (uint64_t)names.items[0].number) first = (uint64_t)names.items[0].number;
    atomic_store(&d->progress_last, (uint64_t)names.items[names.count - 1].number);
    atomic_store(&d->progress_first, first);
    atomic_store(&d->progress_current, first);
    return OK;
}

/* A full disk must not keep the server down: the log begins when there is room. */
static enum status start_log(struct durability *d, const struct log_end *end, struct error *err)
{
    struct error why;
    uint64_t current;
    const struct wal_options options = {.folder = &d->folder,
                                        .mode = d->options.sync,
                                        .segment_bytes = d->options.segment_bytes,
                                        .first_number = end->next_number,
                                        .first_sequence = end->next_sequence,
                                        .news = d->options.news,
                                        .news_self = d->options.news_self};
    wal_init(&d->wal, &options);
    gauge_set(&d->wal.segments, (int64_t)end->segments);
    gauge_set(&d->wal.disk_bytes, (int64_t)end->bytes);
    /* Nobody knows how much of it the last process had synced, or failed to, before it ended. */
    if (end->replayed) atomic_store(&d->wal.wants_snapshot, d->options.sync != WAL_SYNC_NEVER);
    d->recovered = true;
    enum status st = wal_rotate(&d->wal, &current, &why);
    if (st == ERR_UNAVAILABLE) {
        log_warn("wal", "no new segment yet, writes wait for room on the disk", "reason=%s",
                 LOG_TEXT(str_from(why.text)));
        return OK;
    }
    return st ? error_set(err, st, "%s", why.text) : OK;
}

/* The time to go on from: the clock may be wrong today, so it is when this was written. Then it may
 * have been wrong, too, and ahead of the samples: it is not later than the newest window of them.
 * Of a snapshot without any the log tells (was_ahead). */
static int64_t time_of(const struct durability *d, const struct storage *db)
{
    const struct manifest *m = &d->current;
    if (!m->snapshot) return INT64_MIN;
    if (m->count == 0) return m->written_ms;
    struct window_span newest = recover_span(db, m->entries[m->count - 1].window);
    int64_t last_ms = bits_add_clamped(newest.start_ms, newest.chunk_ms - 1);
    return last_ms < m->written_ms ? last_ms : m->written_ms;
}

/* What its windows hold was acknowledged once: a clock that has got there needs no other witness.
 */
static void reach_windows(const struct durability *d, struct storage *db)
{
    for (size_t i = 0; i < d->current.count; i++)
        storage_reach(db, recover_span(db, d->current.entries[i].window).start_ms);
}

/* From where on storage must wait for what is held back, in the log or in windows. */
static void hold(const struct durability *d, struct storage *db)
{
    int64_t from_ms = d->held ? d->held_from_ms : INT64_MAX;
    for (size_t i = 0; i < d->current.count; i++) {
        int64_t start_ms = recover_span(db, d->current.entries[i].window).start_ms;
        if (d->states[i].state == FILE_STATE_PENDING && start_ms < from_ms) from_ms = start_ms;
    }
    storage_hold_from(db, from_ms);
}

enum status durability_recover(struct durability *d, struct storage *db, struct error *err)
{
    struct arena arena;
    struct error local;
    struct storage_stats stats;
    struct log_end end = {0};
    uint64_t first_segment = 0;
    int64_t start_ns = clock_mono_ns();
    if (!err) err = &local;
    arena_init(&arena, HEAP_SNAPSHOT, DATA_FOLDER_ARENA_BYTES_MAX);
    enum status st = read_manifests(d, &arena, err);
    if (st == OK) st = check_chunk_ms(d, db, err);
    if (st == OK) st = note_progress(d, &arena, err);
    if (st == OK) st = data_folder_check(&d->folder, &arena, err);
    storage_resume_at(db, time_of(d, db));
    reach_windows(d, db);
    bool unfinished = false;
    if (st == OK) st = never_finished(d, &arena, &unfinished, err);
    if (st == OK && !unfinished) st = load_windows(d, db, &arena, false, &first_segment, err);
    if (st == OK) st = replay_log(d, db, &arena, first_segment, &end, err);
    /* What is lost of the log may be in them, and a part is better than nothing. */
    if (st == OK && unfinished && log_lost_any(d))
        st = load_windows(d, db, &arena, true, &first_segment, err);
    if (st == OK) st = start_log(d, &end, err);
    storage_resumed(db);
    hold(d, db);
    import_finish(db);
    arena_release(&arena);
    if (st) return st;

    storage_stats_read(db, &stats);
    counter_add(&d->recovered_series, stats.series);
    publish_count_disk_bytes(d);
    gauge_set(&d->recover_ns, clock_mono_ns() - start_ns);
    atomic_store(&d->progress_done, true);
    return OK;
}

/* ---- later ---- */

/* The same for what is waited for. */
static void reach_held(const struct durability *d, struct storage *db)
{
    if (d->held) storage_reach(db, d->held_until_ms);
    for (size_t i = 0; i < d->current.count; i++)
        if (d->states[i].state == FILE_STATE_PENDING)
            storage_reach(db, recover_span(db, d->current.entries[i].window).start_ms);
}

static bool has_pending(const struct durability *d, const struct storage *db)
{
    int64_t reached = storage_window_of(db, storage_room_ms(db));
    for (size_t i = 0; i < d->current.count; i++)
        if (d->states[i].state == FILE_STATE_PENDING && d->current.entries[i].window <= reached)
            return true;
    return false;
}

static enum status replay_held(struct durability *d, struct storage *db, struct error *err)
{
    struct wal_replay replay;
    struct data_names names;
    struct arena arena;
    arena_init(&arena, HEAP_SNAPSHOT, DATA_FOLDER_ARENA_BYTES_MAX);
    enum status st = data_folder_list(&d->folder, DATA_SEGMENT, &arena, &names, err);
    if (!st) st = wal_replay_init(&replay, &d->folder, db, false, 1, err);
    if (st) {
        arena_release(&arena);
        return st;
    }
    for (size_t i = 0; st == OK && i < names.count; i++) {
        uint64_t number = (uint64_t)names.items[i].number;
        if (number < d->held_first_segment || number > d->held_last_segment) continue;
        st = wal_replay_segment(&replay, number, false, err);
    }
    add_replay_totals(d, &replay.totals);
    if (st == OK) note_held(d, &replay.totals, d->held_first_segment, d->held_last_segment);
    wal_replay_release(&replay);
    arena_release(&arena);
    return st;
}

enum status recover_held(struct durability *d, struct storage *db, struct error *err)
{
    enum status st = OK;
    reach_held(d, db);
    if (has_pending(d, db)) {
        struct load_totals totals = {0};
        uint64_t first = 0;
        st = load_entries(d, db, true, &totals, &first, err);
        counter_add(&d->recovered_samples, totals.samples);
        counter_add(&d->snapshot_corruptions, totals.corruptions);
        /* Memory may have held other samples of that window already. */
        for (size_t i = 0; i < d->current.count; i++)
            if (d->states[i].state == FILE_STATE_CURRENT && d->states[i].version == 0)
                d->states[i].state = FILE_STATE_STALE;
    }
    if (st == OK && d->held && d->held_from_ms <= storage_room_ms(db)) st = replay_held(d, db, err);
    if (st == OK) hold(d, db);
    return st;
}
