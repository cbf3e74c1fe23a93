/*
 * backup - see backup.h.
 */
#include "snapshot/backup.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "base/log.h"
#include "snapshot/data_file.h"

static const char folder_name[] = "snapshots";
static const char temporary_end[] = ".tmp";
static const enum data_kind kinds[] = {DATA_SEGMENT, DATA_WINDOW, DATA_MANIFEST};

/* As Prometheus names them: the time, and something that nobody else has. */
static enum status make_name(char out[BACKUP_NAME_BYTES], struct error *err)
{
    uint64_t random;
    struct tm utc;
    time_t now_s = (time_t)(clock_wall_ms() / 1000);
    if (getrandom(&random, sizeof(random), 0) != sizeof(random) || !gmtime_r(&now_s, &utc))
        return error_set(err, ERR_IO, "no random bytes for the name of a snapshot");
    size_t size = strftime(out, BACKUP_NAME_BYTES, "%Y%m%dT%H%M%SZ", &utc);
    (void)snprintf(out + size, BACKUP_NAME_BYTES - size, "-%016" PRIx64, random);
    return OK;
}

/* A name as make_name gives, of a folder that is not complete. */
static bool is_unfinished(const char *name)
{
    static const char shape[] = "ddddddddTddddddZ-xxxxxxxxxxxxxxxx"; /* digits, of ten and of 16 */
    const size_t size = sizeof(shape) - 1;
    if (strlen(name) < size || strcmp(name + size, temporary_end) != 0) return false;
    for (size_t i = 0; i < size; i++) {
        const char *digits = shape[i] == 'x' ? "0123456789abcdef" : "0123456789";
        bool digit = shape[i] == 'd' || shape[i] == 'x';
        if (digit ? !strchr(digits, name[i]) : name[i] != shape[i]) return false;
    }
    return true;
}

/* Another name for a file, or, where that cannot be, another file. */
static enum status link_or_copy(const struct file_path *old, const struct file_path *new,
                                const char *folder_path, struct error *err)
{
    enum status st = file_link(old->text, new->text, err);
    return st == ERR_UNSUPPORTED ? data_file_copy(old, new, folder_path, err) : st;
}

/* One window file of the data folder, under the same name. */
static enum status take_window(const struct data_folder *to, const struct data_folder *from,
                               const struct window_entry *entry, struct error *err)
{
    const struct data_name name = {.number = entry->window, .snapshot = entry->snapshot};
    struct file_path old;
    struct file_path new;
    struct file_path sub;
    data_folder_path(from, DATA_WINDOW, name, &old);
    data_folder_path(to, DATA_WINDOW, name, &new);
    data_folder_subfolder(to, DATA_WINDOW, &sub);
    return link_or_copy(&old, &new, sub.text, err);
}

static enum status take_identity(const struct data_folder *to, const struct data_folder *from,
                                 struct error *err)
{
    struct file_path old;
    struct file_path new;
    enum status st = file_path_join(&old, from->path, "HEARTH", err);
    if (st == OK) st = file_path_join(&new, to->path, "HEARTH", err);
    return st ? st : link_or_copy(&old, &new, to->path, err);
}

/* Everything in the folder and the folder; as far as it goes. */
static void remove_all(const struct data_folder *half, struct arena *a)
{
    struct file_path path;
    for (size_t k = 0; k < ARRAY_COUNT(kinds); k++) {
        struct folder_names names;
        struct file_path sub;
        data_folder_subfolder(half, kinds[k], &sub);
        if (folder_list(sub.text, a, &names, NULL)) names.count = 0;
        for (size_t i = 0; i < names.count; i++)
            if (file_path_join(&path, sub.text, names.items[i], NULL) == OK)
                (void)!file_remove(path.text, NULL);
        (void)!file_remove(sub.text, NULL);
    }
    if (file_path_join(&path, half->path, "HEARTH", NULL) == OK) {
        struct file_path temporary;
        data_folder_temporary(&path, &temporary);
        (void)!file_remove(temporary.text, NULL);
        (void)!file_remove(path.text, NULL);
    }
    (void)!file_remove(half->path, NULL);
}

/* What is replayed behind the windows: nothing, and nothing that is missing. */
static enum status make_segment(const struct data_folder *half, uint64_t number, struct error *err)
{
    struct file_path path;
    struct file_path sub;
    struct file f;
    data_folder_path(half, DATA_SEGMENT, (struct data_name){.number = (int64_t)number}, &path);
    data_folder_subfolder(half, DATA_SEGMENT, &sub);
    enum status st = file_open(&f, path.text, FILE_CREATE, err);
    file_close(&f);
    return st ? st : folder_sync(sub.text, err);
}

static enum status fill(const struct data_folder *half, const struct data_folder *from,
                        const struct manifest *m, struct error *err)
{
    enum status st = folder_prepare(half->path, err);
    for (size_t k = 0; st == OK && k < ARRAY_COUNT(kinds); k++) {
        struct file_path sub;
        data_folder_subfolder(half, kinds[k], &sub);
        st = folder_prepare(sub.text, err);
    }
    for (size_t i = 0; st == OK && i < m->count; i++)
        st = take_window(half, from, &m->entries[i], err);
    if (st == OK) st = take_identity(half, from, err);
    if (st == OK) st = make_segment(half, m->first_segment, err);
    if (st == OK) st = manifest_write(half, m, err); /* syncs its folder */
    struct file_path windows;
    data_folder_subfolder(half, DATA_WINDOW, &windows);
    if (st == OK) st = folder_sync(windows.text, err);
    return st == OK ? folder_sync(half->path, err) : st;
}

/* The path of a folder in data/snapshots, as a data folder without a lock. */
static enum status half_folder(const struct data_folder *folder, const struct file_path *parent,
                               const char *name, struct data_folder *out, struct error *err)
{
    *out = (struct data_folder){
        .root = FILE_CLOSED, .lock = FILE_CLOSED, .identity = folder->identity};
    int size = snprintf(out->path, sizeof(out->path), "%s/%s", parent->text, name);
    if (size > 0 && (size_t)size < sizeof(out->path)) return OK;
    return error_set(err, ERR_INVALID, "path too long: %.60s...", parent->text);
}

enum status backup_make(const struct data_folder *folder, const struct manifest *m,
                        char name[BACKUP_NAME_BYTES], struct error *err)
{
    char temporary[BACKUP_NAME_BYTES + sizeof(temporary_end)];
    struct file_path parent;
    struct file_path path;
    struct data_folder half;
    struct arena scratch;
    enum status st = make_name(name, err);
    if (st == OK) st = file_path_join(&parent, folder->path, folder_name, err);
    if (st == OK) st = file_path_join(&path, parent.text, name, err);
    if (st) return st;
    (void)snprintf(temporary, sizeof(temporary), "%s%s", name, temporary_end);
    st = half_folder(folder, &parent, temporary, &half, err);
    if (st == OK) st = folder_prepare(parent.text, err);
    if (st) return st;
    st = fill(&half, folder, m, err);
    if (st == OK) st = file_rename(half.path, path.text, err);
    if (st == OK) st = folder_sync(parent.text, err);
    if (st == OK) st = folder_sync(folder->path, err);
    if (st == OK) return OK;
    arena_init(&scratch, HEAP_SNAPSHOT, DATA_FOLDER_ARENA_BYTES_MAX);
    remove_all(&half, &scratch);
    arena_release(&scratch);
    return st;
}

void backup_clean(const struct data_folder *folder)
{
    struct file_path parent;
    struct folder_names names;
    struct arena scratch;
    arena_init(&scratch, HEAP_SNAPSHOT, DATA_FOLDER_ARENA_BYTES_MAX);
    if (file_path_join(&parent, folder->path, folder_name, NULL) ||
        folder_list(parent.text, &scratch, &names, NULL))
        names.count = 0; /* there was none yet */
    for (size_t i = 0; i < names.count; i++) {
        struct data_folder half;
        if (!is_unfinished(names.items[i])) continue;
        if (half_folder(folder, &parent, names.items[i], &half, NULL)) continue;
        log_info("snapshot", "unfinished copy removed", "folder=%s", LOG_TEXT(str_from(half.path)));
        remove_all(&half, &scratch);
    }
    arena_release(&scratch);
}
