/*
 * publish - from memory to files: one snapshot round, and what may be deleted after it.
 *
 *     close the segment -> write changed windows, oldest first
 *         -> wait for the log -> manifest -> delete
 *
 * The windows may hold a part of a request that was being applied. Its record is in the log, and as
 * durable as the manifest will be, before there is a manifest: so recovery finds it whole.
 * Nothing is deleted before the manifest that does not need it is on stable storage.
 */
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "snapshot/data_file.h"
#include "snapshot/durability_state.h"
#include "snapshot/retain.h"
#include "snapshot/window_file.h"
#include "storage/export.h"

/* A manifest in the making, with the state of each entry. */
struct draft {
    struct manifest manifest;
    struct entry_state states[MANIFEST_ENTRIES_MAX];
    uint64_t written; /* windows */
};

static void draft_add(struct draft *draft, const struct window_entry *entry,
                      struct entry_state state)
{
    struct manifest *m = &draft->manifest;
    size_t at = m->count;
    if (m->count == MANIFEST_ENTRIES_MAX) {
        log_warn("snapshot", "too many windows, one is left out", "window=%" PRId64, entry->window);
        return;
    }
    for (; at > 0 && m->entries[at - 1].window > entry->window; at--) {
        m->entries[at] = m->entries[at - 1];
        draft->states[at] = draft->states[at - 1];
    }
    m->entries[at] = *entry;
    draft->states[at] = state;
    m->count++;
}

/* The entry of the current manifest that is still exactly this window, or NULL. */
static const struct window_entry *unchanged(const struct durability *d,
                                            const struct window_info *info)
{
    for (size_t i = 0; i < d->current.count; i++)
        if (d->current.entries[i].window == info->window &&
            d->states[i].state == FILE_STATE_CURRENT && d->states[i].version == info->version)
            return &d->current.entries[i];
    return NULL;
}

static enum status add_window(struct durability *d, struct storage *db,
                              const struct window_info *info, struct draft *draft,
                              struct error *err)
{
    /* The version was read before the chunks will be: what changes meanwhile makes it stale. */
    const struct entry_state state = {.state = FILE_STATE_CURRENT, .version = info->version};
    const struct window_entry *kept = unchanged(d, info);
    if (kept) {
        draft_add(draft, kept, state);
        return OK;
    }
    struct window_entry entry;
    const struct window_span span = recover_span(db, info->window);
    const struct window_writer how = {
        .folder = &d->folder, .db = db, .scratch = &d->scratch, .hurried = &d->hurried};
    enum status st = window_file_write(&how, &span, draft->manifest.snapshot, &entry, err);
    if (st) return st;
    draft->written++;
    if (entry.chunks == 0) return OK;
    counter_add(&d->snapshot_bytes, entry.size);
    draft_add(draft, &entry, state);
    return OK;
}

static enum status add_windows(struct durability *d, struct storage *db, struct draft *draft,
                               struct error *err)
{
    struct window_info infos[STORAGE_WINDOWS_MAX];
    size_t count = export_windows(db, infos);
    int64_t oldest = storage_bounds(db).oldest_window;
    for (size_t i = 0; i < count; i++) {
        if (infos[i].window < oldest) continue;
        enum status st = add_window(d, db, &infos[i], draft, err);
        if (st) return st;
    }
    for (size_t i = 0; i < d->current.count; i++)
        if (d->states[i].state == FILE_STATE_PENDING &&
            !manifest_find(&draft->manifest, d->current.entries[i].window))
            draft_add(draft, &d->current.entries[i], d->states[i]);
    return OK;
}

/* ---- deleting ---- */

static bool is_needed(const struct durability *d, enum data_kind kind, const struct data_name *name,
                      const struct retain *r)
{
    switch (kind) {
    case DATA_MANIFEST: return retain_manifest(r, (uint64_t)name->number);
    case DATA_WINDOW: return retain_window(r, name->number, name->snapshot);
    case DATA_SEGMENT:
        return retain_segment(r, (uint64_t)name->number) ||
               (uint64_t)name->number >= atomic_load(&d->wal.number);
    }
    return true;
}

static bool remove_one(struct durability *d, enum data_kind kind, struct data_name name)
{
    struct file_path path;
    struct error refused;
    data_folder_path(&d->folder, kind, name, &path);
    uint64_t size = kind == DATA_SEGMENT ? data_file_size(&d->folder, kind, name) : 0;
    bool kept = data_file_keep_foreign(&d->folder, kind, name);
    if (!kept && file_remove(path.text, &refused)) {
        log_warn("snapshot", "file that is not needed stays", "reason=%s",
                 LOG_TEXT(str_from(refused.text)));
        return false;
    }
    if (kind == DATA_SEGMENT) {
        gauge_add(&d->wal.segments, -1);
        gauge_add(&d->wal.disk_bytes, -(int64_t)size);
    }
    return true;
}

/* Those that r does not need, or without it the windows of one snapshot. False when not all of them
 * have gone. */
static bool remove_kind(struct durability *d, enum data_kind kind, const struct retain *r,
                        uint64_t snapshot)
{
    struct arena arena;
    struct data_names names;
    struct error refused;
    bool all = true;
    arena_init(&arena, HEAP_SNAPSHOT, DATA_FOLDER_ARENA_BYTES_MAX);
    if (data_folder_list(&d->folder, kind, &arena, &names, &refused)) {
        log_warn("snapshot", "files that are not needed stay", "reason=%s",
                 LOG_TEXT(str_from(refused.text)));
        names.count = 0;
        all = false;
    }
    for (size_t i = 0; i < names.count; i++) {
        const struct data_name *name = &names.items[i];
        bool goes = r ? !is_needed(d, kind, name, r) : name->snapshot == snapshot;
        if (goes) all &= remove_one(d, kind, *name);
    }
    arena_release(&arena);
    return all;
}

/* Manifests go first, for good: one that is left over, or that comes back after a power failure,
 * must find all its files. It may be newer than those that are kept, if it could not be read. */
static void remove_unneeded(struct durability *d, const struct retain *r)
{
    struct file_path manifests;
    data_folder_subfolder(&d->folder, DATA_MANIFEST, &manifests);
    if (!remove_kind(d, DATA_MANIFEST, r, 0) || folder_sync(manifests.text, NULL)) return;
    (void)remove_kind(d, DATA_WINDOW, r, 0);
    (void)remove_kind(d, DATA_SEGMENT, r, 0);
}

void publish_count_disk_bytes(struct durability *d)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < d->current.count; i++)
        bytes += d->current.entries[i].size;
    for (size_t i = 0; i < d->previous.count; i++) {
        const struct window_entry *old = &d->previous.entries[i];
        const struct window_entry *now = manifest_find(&d->current, old->window);
        if (!now || now->snapshot != old->snapshot) bytes += old->size;
    }
    gauge_set(&d->snapshot_disk_bytes, (int64_t)bytes);
}

/* ---- the round ---- */

static bool is_news(const struct durability *d, const struct draft *draft)
{
    return !d->current.snapshot || draft->written > 0 ||
           draft->manifest.count != d->current.count ||
           draft->manifest.first_segment != d->current.first_segment;
}

/* Leave no half snapshot behind. A manifest that was named but perhaps not durably needs its files,
 * so it has to go first. While no manifest names what was loaded, nothing else goes. On a full disk
 * the older generation goes too, if nothing is known to be wrong with the newer one: that was read
 * back when it was written, and the room is needed for the next.
 */
static void clean_up(struct durability *d, const struct draft *draft, enum status why)
{
    struct file_path path;
    data_folder_path(&d->folder, DATA_MANIFEST,
                     (struct data_name){.number = (int64_t)draft->manifest.snapshot}, &path);
    enum status st = file_remove(path.text, NULL);
    if (st && st != ERR_NOT_FOUND) return;
    if (d->unlisted) {
        (void)remove_kind(d, DATA_WINDOW, NULL, draft->manifest.snapshot);
        return;
    }
    const struct retain r = {.generations = {&d->current, &d->previous}};
    if (why == ERR_UNAVAILABLE && d->current_whole && d->previous.snapshot) {
        log_warn("snapshot", "disk full, the older snapshot is given up",
                 "snapshot=%" PRIu64 " first_segment=%" PRIu64, d->previous.snapshot,
                 d->current.first_segment);
        d->previous = d->current;
        publish_count_disk_bytes(d);
    }
    remove_unneeded(d, &r);
}

/* Segments that a snapshot leaves to the log are as durable as the snapshot. */
static enum status renew_held(struct durability *d, struct error *err)
{
    if (!d->held || d->held_stable) return OK;
    struct arena arena;
    struct data_names names;
    arena_init(&arena, HEAP_SNAPSHOT, DATA_FOLDER_ARENA_BYTES_MAX);
    enum status st = data_folder_list(&d->folder, DATA_SEGMENT, &arena, &names, err);
    for (size_t i = 0; st == OK && i < names.count; i++) {
        uint64_t number = (uint64_t)names.items[i].number;
        if (number >= d->held_first_segment && number <= d->held_last_segment)
            st = data_file_renew(&d->folder, DATA_SEGMENT, names.items[i], err);
    }
    arena_release(&arena);
    d->held_stable = st == OK;
    return st;
}

static enum status draft_and_write(struct durability *d, struct storage *db, struct draft *draft,
                                   bool *news, struct error *err)
{
    uint64_t current_segment;
    enum status st = recover_held(d, db, err);
    if (st == OK) st = renew_held(d, err);
    if (st == OK) st = wal_rotate(&d->wal, &current_segment, err);
    if (st) return st;
    draft->manifest.chunk_ms = recover_span(db, 0).chunk_ms;
    draft->manifest.first_segment = d->held ? d->held_first_segment : current_segment;
    draft->manifest.written_ms = storage_now_ms(db);
    st = add_windows(d, db, draft, err);
    if (st) return st;
    *news = is_news(d, draft);
    if (!*news) return OK;
    export_settle(db);
    (void)durability_sync(d);
    return manifest_write(&d->folder, &draft->manifest, err);
}

/* ---- files that somebody took away ---- */

static bool is_there(const struct durability *d, enum data_kind kind, struct data_name name)
{
    struct file_path path;
    struct file f;
    data_folder_path(&d->folder, kind, name, &path);
    enum status st = file_open(&f, path.text, FILE_READ, NULL);
    file_close(&f);
    return st != ERR_NOT_FOUND;
}

/* What the newest manifest names, and itself. */
static bool snapshot_is_there(const struct durability *d)
{
    const struct manifest *m = &d->current;
    bool there = !m->snapshot ||
                 is_there(d, DATA_MANIFEST, (struct data_name){.number = (int64_t)m->snapshot});
    for (size_t i = 0; i < m->count && there; i++)
        there = d->states[i].state != FILE_STATE_CURRENT ||
                is_there(d, DATA_WINDOW,
                         (struct data_name){.number = m->entries[i].window,
                                            .snapshot = m->entries[i].snapshot});
    return there;
}

static void count_segments(struct durability *d, struct arena *a)
{
    struct data_names names;
    uint64_t bytes = 0;
    if (data_folder_list(&d->folder, DATA_SEGMENT, a, &names, NULL)) return;
    for (size_t i = 0; i < names.count; i++)
        bytes += data_file_size(&d->folder, DATA_SEGMENT, names.items[i]);
    gauge_set(&d->wal.segments, (int64_t)names.count);
    gauge_set(&d->wal.disk_bytes, (int64_t)bytes);
}

/* Files that nobody here has removed are gone: all of memory is written again, into the folder that
 * is there now, or a new one. */
static enum status make_up(struct durability *d, struct error *err)
{
    struct arena arena;
    log_error("snapshot", "files of the data folder are gone, all of memory is written again",
              "folder=%s", LOG_TEXT(str_from(d->folder.path)));
    atomic_store(&d->wal.wants_snapshot, true);
    d->current_whole = false;
    for (size_t i = 0; i < d->current.count; i++)
        if (d->states[i].state == FILE_STATE_CURRENT) d->states[i].state = FILE_STATE_STALE;
    arena_init(&arena, HEAP_SNAPSHOT, DATA_FOLDER_ARENA_BYTES_MAX);
    enum status st = data_folder_remake(&d->folder, &arena, err);
    if (st == OK) count_segments(d, &arena);
    arena_release(&arena);
    return st;
}

/* It is on stable storage: what neither it nor the one before needs goes. */
static void adopt(struct durability *d, const struct draft *draft)
{
    d->previous = d->current;
    d->current = draft->manifest;
    d->current_whole = true;
    d->unlisted = false;
    memcpy(d->states, draft->states, sizeof(d->states));
    const struct retain r = {.generations = {&d->current, &d->previous}};
    remove_unneeded(d, &r);
    publish_count_disk_bytes(d);
    log_info("snapshot", "published",
             "snapshot=%" PRIu64 " windows=%zu written=%" PRIu64 " first_segment=%" PRIu64,
             d->current.snapshot, d->current.count, draft->written, d->current.first_segment);
}

enum status publish_snapshot(struct durability *d, struct storage *db, struct error *err)
{
    bool news = false;
    struct error local;
    if (!err) err = &local;
    bool whole = wal_look(&d->wal);
    if (!whole || !snapshot_is_there(d)) {
        enum status st = make_up(d, err);
        if (st) return st;
    }
    struct draft *draft = heap_calloc(1, sizeof(*draft), HEAP_SNAPSHOT);
    if (!draft) return error_set(err, ERR_NO_MEMORY, "no memory for a snapshot");
    draft->manifest.snapshot = d->next_snapshot++;
    bool wanted = atomic_exchange(&d->wal.wants_snapshot, false);
    enum status st = draft_and_write(d, db, draft, &news, err);
    if (st) {
        if (wanted) atomic_store(&d->wal.wants_snapshot, true);
        clean_up(d, draft, st);
    } else {
        wal_made_up(&d->wal);
        if (news) adopt(d, draft);
    }
    heap_free(draft, sizeof(*draft), HEAP_SNAPSHOT);
    return st;
}
