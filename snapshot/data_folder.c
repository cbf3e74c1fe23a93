/*
 * data_folder - see data_folder.h.
 */
#include "snapshot/data_folder.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "alloc/vec.h"
#include "base/assert.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "snapshot/data_file.h"

enum { NAME_BYTES = 64 };

/* Numbers are given out one by one: a stray file must not leave none behind its own. */
#define NUMBER_MAX (INT64_MAX / 2)

static const char *const subfolders[] = {
    [DATA_SEGMENT] = "wal", [DATA_WINDOW] = "windows", [DATA_MANIFEST] = "manifests"};
#define TEMPORARY_SUFFIX ".tmp"

static void name_format(enum data_kind kind, struct data_name name, char out[NAME_BYTES])
{
    if (kind == DATA_WINDOW)
        (void)snprintf(out, NAME_BYTES, "%" PRId64 "-%08" PRIu64, name.number, name.snapshot);
    else
        (void)snprintf(out, NAME_BYTES, "%08" PRId64, name.number);
}

/* Decimal digits at *at, which moves behind them; false without any or beyond int64. */
static bool digits_parse(const char **at, int64_t *out)
{
    int64_t v = 0;
    const char *p = *at;
    for (; *p >= '0' && *p <= '9'; p++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, *p - '0', &v))
            return false;
    if (p == *at) return false;
    *at = p;
    *out = v;
    return true;
}

bool data_name_parse(const char *text, enum data_kind kind, struct data_name *out)
{
    struct data_name name = {0};
    char again[NAME_BYTES];
    const char *at = text;
    bool negative = kind == DATA_WINDOW && *at == '-';
    if (negative) at++;
    if (!digits_parse(&at, &name.number)) return false;
    if (negative) name.number = -name.number;
    if (kind == DATA_WINDOW) {
        int64_t snapshot;
        if (*at++ != '-' || !digits_parse(&at, &snapshot)) return false;
        name.snapshot = (uint64_t)snapshot;
    }
    if (name.number > NUMBER_MAX || name.snapshot > NUMBER_MAX) return false;
    name_format(kind, name, again);
    if (strcmp(text, again) != 0) return false;
    *out = name;
    return true;
}

void data_folder_subfolder(const struct data_folder *folder, enum data_kind kind,
                           struct file_path *out)
{
    ASSERT(file_path_join(out, folder->path, subfolders[kind], NULL) == OK);
}

void data_folder_path(const struct data_folder *folder, enum data_kind kind, struct data_name name,
                      struct file_path *out)
{
    char text[NAME_BYTES];
    struct file_path sub;
    name_format(kind, name, text);
    data_folder_subfolder(folder, kind, &sub);
    ASSERT(file_path_join(out, sub.text, text, NULL) == OK);
}

void data_folder_temporary(const struct file_path *path, struct file_path *out)
{
    int size = snprintf(out->text, sizeof(out->text), "%s" TEMPORARY_SUFFIX, path->text);
    ASSERT(size > 0 && (size_t)size < sizeof(out->text));
}

static int name_compare(const void *a, const void *b)
{
    const struct data_name *x = a;
    const struct data_name *y = b;
    if (x->number != y->number) return x->number < y->number ? -1 : 1;
    return x->snapshot < y->snapshot ? -1 : x->snapshot > y->snapshot;
}

enum status data_folder_list(const struct data_folder *folder, enum data_kind kind, struct arena *a,
                             struct data_names *out, struct error *err)
{
    struct file_path sub;
    struct folder_names names;
    *out = (struct data_names){0};
    data_folder_subfolder(folder, kind, &sub);
    enum status st = folder_list(sub.text, a, &names, err);
    if (st) return st;
    for (size_t i = 0; i < names.count; i++) {
        struct data_name name;
        if (!data_name_parse(names.items[i], kind, &name)) continue;
        struct data_name *slot = VEC_PUSH(out, a);
        if (!slot) return arena_error(a, err);
        *slot = name;
    }
    if (out->count) qsort(out->items, out->count, sizeof(out->items[0]), name_compare);
    return OK;
}

/* One of our names with the temporary suffix. */
static bool is_temporary(const char *text, enum data_kind kind)
{
    char ours[NAME_BYTES];
    struct data_name name;
    size_t size = strlen(text);
    size_t suffix = sizeof(TEMPORARY_SUFFIX) - 1;
    if (size < suffix || size - suffix >= sizeof(ours)) return false;
    memcpy(ours, text, size - suffix);
    ours[size - suffix] = '\0';
    return strcmp(text + size - suffix, TEMPORARY_SUFFIX) == 0 &&
           data_name_parse(ours, kind, &name);
}

/* Remove what a crash left half-written. */
static enum status remove_temporaries(const struct data_folder *folder, enum data_kind kind,
                                      struct arena *a, struct error *err)
{
    struct file_path sub;
    struct folder_names names;
    data_folder_subfolder(folder, kind, &sub);
    enum status st = folder_list(sub.text, a, &names, err);
    for (size_t i = 0; st == OK && i < names.count; i++) {
        struct file_path path;
        struct error refused;
        if (!is_temporary(names.items[i], kind)) continue;
        st = file_path_join(&path, sub.text, names.items[i], err);
        if (st == OK && file_remove(path.text, &refused))
            log_warn("snapshot", "temporary file not removed", "reason=%s",
                     LOG_TEXT(str_from(refused.text)));
    }
    return st;
}

static void lock_write_pid(const struct file *lock)
{
    char text[24];
    int size = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    struct file_piece piece = {.data = text, .size = (size_t)size};
    /* Only for people, so a full disk is no reason not to start. */
    if (file_truncate(lock, 0, NULL) == OK) (void)!file_write(lock, 0, &piece, 1, NULL);
}

static enum status in_use(const struct data_folder *folder, struct error *err)
{
    struct file_path path;
    struct file lock;
    char text[24] = "";
    size_t got = 0;
    enum status st = file_path_join(&path, folder->path, "lock", err);
    if (st) return st;
    if (file_open(&lock, path.text, FILE_READ, NULL) == OK) {
        if (file_read(&lock, 0, text, sizeof(text) - 1, &got, NULL)) got = 0;
        file_close(&lock);
    }
    text[got] = '\0';
    text[strspn(text, "0123456789")] = '\0';
    return error_set(err, ERR_UNAVAILABLE, "data folder %s is in use by another process (pid %s)",
                     folder->path, text[0] ? text : "unknown");
}

/* Still, or again: instead of one that has been removed or replaced. */
static bool is_held(const struct file *f)
{
    return f->fd >= 0 && file_is_in_place(f);
}

static void hold(struct file *held, const struct file *now)
{
    file_close(held);
    *held = *now;
}

static enum status lock_root(struct data_folder *folder, struct error *err)
{
    struct file root;
    if (is_held(&folder->root)) return OK;
    enum status st = folder_open(&root, folder->path, err);
    if (st) return st;
    if (file_lock(&root, NULL) == ERR_UNAVAILABLE) {
        file_close(&root);
        return in_use(folder, err);
    }
    hold(&folder->root, &root);
    return OK;
}

static enum status take_lock(struct data_folder *folder, struct error *err)
{
    struct file_path path;
    struct file lock;
    enum status st = lock_root(folder, err);
    if (st || is_held(&folder->lock)) return st;
    st = file_path_join(&path, folder->path, "lock", err);
    if (st) return st;
    st = file_open(&lock, path.text, FILE_CHANGE, err);
    if (st == ERR_NOT_FOUND) st = file_open(&lock, path.text, FILE_OVERWRITE, err);
    if (st) return st;
    st = file_lock(&lock, err);
    if (st) {
        file_close(&lock);
        return st == ERR_UNAVAILABLE ? in_use(folder, err) : st;
    }
    lock_write_pid(&lock);
    hold(&folder->lock, &lock);
    return OK;
}

static const enum data_kind kinds[] = {DATA_MANIFEST, DATA_SEGMENT, DATA_WINDOW};

/* Neither a head of ours, damaged or not, nor what a power cut leaves of one. */
static bool is_strange(const uint8_t *bytes, size_t size)
{
    static const char all_heads[] = "hearth";
    size_t prefix = sizeof(all_heads) - 1 < size ? sizeof(all_heads) - 1 : size;
    size_t zeros = 0;
    while (zeros < size && bytes[zeros] == 0)
        zeros++;
    return zeros < size && memcmp(bytes, all_heads, prefix) != 0;
}

/* What is known of a folder that may not be ours. */
struct stranger {
    const struct identity *identity; /* of HEARTH; NULL: there is none */
    struct file_path path;           /* of a file that is not ours; empty: none yet */
    bool ours;                       /* another one is, or may be */
};

/* With an identity a stranger is a file of another folder of ours, without one anybody else's. */
static enum status judge(struct stranger *s, const struct file_path *path, enum head_kind kind,
                         struct error *err)
{
    struct head head;
    struct error why;
    uint8_t bytes[HEAD_BYTES];
    bool strange;
    size_t size = data_file_start(path->text, bytes);
    enum status intact = head_decode(bytes, size, kind, &head, &why);
    if (s->identity) {
        strange = intact == OK && memcmp(&head.identity, s->identity, sizeof(head.identity)) != 0;
        s->ours = !strange && size > 0;
    } else {
        if (intact == ERR_UNSUPPORTED)
            return error_set(err, intact, "%s: %s", path->text, why.text);
        strange = intact != OK && is_strange(bytes, size);
        s->ours = intact == OK;
    }
    if (strange && !s->path.text[0]) s->path = *path;
    return OK;
}

static enum status look_for_strangers(const struct data_folder *folder, enum data_kind kind,
                                      struct arena *a, struct stranger *s, struct error *err)
{
    struct data_names names;
    enum status st = data_folder_list(folder, kind, a, &names, err);
    for (size_t i = 0; st == OK && i < names.count && !s->ours; i++) {
        struct file_path path;
        data_folder_path(folder, kind, names.items[i], &path);
        st = judge(s, &path, data_head_kind(kind), err);
    }
    return st;
}

static enum status find_strangers(const struct data_folder *folder, struct arena *a,
                                  struct stranger *s, struct error *err)
{
    for (size_t i = 0; i < ARRAY_COUNT(kinds) && !s->ours; i++) {
        enum status st = look_for_strangers(folder, kinds[i], a, s, err);
        if (st && st != ERR_NOT_FOUND) return st;
    }
    return OK;
}

/* Prometheus' log has names like ours, and a start would cut and delete what it cannot read. So a
 * folder without an identity, in which such a file is not ours, and none is, is not for us. */
static enum status refuse_strangers(const struct data_folder *folder, struct arena *a,
                                    struct error *err)
{
    struct stranger s = {.ours = false};
    struct file_path path;
    struct file f;
    enum status st = file_path_join(&path, folder->path, "HEARTH", err);
    if (st) return st;
    st = file_open(&f, path.text, FILE_READ, err);
    if (st != ERR_NOT_FOUND) {
        file_close(&f);
        return OK; /* what is wrong with it is told when it is read */
    }
    st = find_strangers(folder, a, &s, err);
    if (st || s.ours || !s.path.text[0]) return st;
    return error_set(err, ERR_IO,
                     "%s is not a file of Hearth, and the folder has no HEARTH: choose another "
                     "folder for the data, or move that file away",
                     s.path.text);
}

enum status data_folder_check(const struct data_folder *folder, struct arena *a, struct error *err)
{
    struct stranger s = {.identity = &folder->identity};
    enum status st = find_strangers(folder, a, &s, err);
    if (st || s.ours || !s.path.text[0]) return st;
    return error_set(
        err, ERR_IO,
        "%s belongs to another data folder than %s/HEARTH, and no file belongs to "
        "that: remove that HEARTH if the files are the right ones, it is made again of "
        "them; or choose another folder",
        s.path.text, folder->path);
}

/* Any file of ours with an intact head tells the identity. One that cannot be read might have: then
 * nobody knows, and under a new one these files would be another folder's. */
static enum status identity_from(const struct data_folder *folder, enum data_kind kind,
                                 struct arena *a, bool *known, struct identity *out,
                                 struct error *err)
{
    struct data_names names;
    enum status st = data_folder_list(folder, kind, a, &names, err);
    if (st) return st;
    for (size_t i = names.count; i > 0 && !*known; i--) {
        struct file_path path;
        struct head head;
        uint8_t bytes[HEAD_BYTES];
        size_t size;
        data_folder_path(folder, kind, names.items[i - 1], &path);
        enum status read = data_file_read_start(path.text, bytes, &size, err);
        if (read) {
            st = read;
            continue;
        }
        *known = head_decode(bytes, size, data_head_kind(kind), &head, NULL) == OK;
        if (*known) *out = head.identity;
    }
    return *known ? OK : st;
}

/* Its own name, which it may have got a moment ago. Who may not read the parent has not made it. */
static void sync_name(const struct data_folder *folder)
{
    struct file_path parent;
    (void)snprintf(parent.text, sizeof(parent.text), "%s", folder->path);
    char *end = parent.text + strlen(parent.text);
    while (end > parent.text + 1 && end[-1] == '/')
        end--;
    while (end > parent.text && end[-1] != '/')
        end--;
    while (end > parent.text + 1 && end[-1] == '/')
        end--;
    *end = '\0';
    (void)!folder_sync(end == parent.text ? "." : parent.text, NULL);
}

/* Under the identity that is known, or that its files tell, or a new one. */
static enum status identity_make(struct data_folder *folder, const struct file_path *path,
                                 bool known, struct arena *a, struct error *err)
{
    struct identity *identity = &folder->identity;
    sync_name(folder);
    enum status unread = OK;
    for (size_t i = 0; i < ARRAY_COUNT(kinds) && !known; i++) {
        enum status st = identity_from(folder, kinds[i], a, &known, identity, err);
        if (st) unread = st;
    }
    if (!known && unread) return unread;
    if (!known && getrandom(identity->bytes, sizeof(identity->bytes), 0) != sizeof(identity->bytes))
        return error_set(err, ERR_IO, "no random bytes for the identity of %s", folder->path);

    struct file_path temporary;
    struct file f;
    uint8_t bytes[HEAD_BYTES];
    struct head head = {.kind = HEAD_IDENTITY, .identity = *identity};
    head_encode(&head, bytes);
    data_folder_temporary(path, &temporary);
    enum status st = file_open(&f, temporary.text, FILE_OVERWRITE, err);
    if (st) return st;
    struct file_piece piece = {.data = bytes, .size = sizeof(bytes)};
    st = file_write(&f, 0, &piece, 1, err);
    if (st) {
        file_close(&f);
        return st;
    }
    return data_file_publish(&f, path, folder->path, sizeof(bytes), crc32c(0, bytes, sizeof(bytes)),
                             err);
}

/* What HEARTH says. */
static enum status identity_read(const struct data_folder *folder, struct file_path *path,
                                 struct identity *out, struct error *err)
{
    struct file f;
    struct head head;
    uint8_t bytes[HEAD_BYTES];
    size_t got = 0;
    enum status st = file_path_join(path, folder->path, "HEARTH", err);
    if (st) return st;
    st = file_open(&f, path->text, FILE_READ, err);
    if (st) return st;
    st = file_read(&f, 0, bytes, sizeof(bytes), &got, err);
    file_close(&f);
    if (st) return st;
    st = head_decode(bytes, got, HEAD_IDENTITY, &head, err);
    if (st == OK) *out = head.identity;
    if (st && st != ERR_CORRUPT) (void)error_wrap(err, "%s: ", path->text);
    return st;
}

static enum status identify(struct data_folder *folder, bool known, struct arena *a,
                            struct error *err)
{
    struct file_path path;
    struct identity found;
    enum status st = identity_read(folder, &path, &found, err);
    if (st == ERR_CORRUPT)
        log_warn("snapshot", "identity of the data folder is damaged and made anew", "file=%s",
                 LOG_TEXT(str_from(path.text)));
    if (st == ERR_NOT_FOUND || st == ERR_CORRUPT)
        return identity_make(folder, &path, known, a, err);
    if (st == OK) folder->identity = found;
    return st;
}

static enum status prepare(struct data_folder *folder, bool known, struct arena *a,
                           struct error *err)
{
    enum status st = folder_prepare(folder->path, err);
    if (st == OK) st = refuse_strangers(folder, a, err);
    if (st == OK) st = take_lock(folder, err);
    for (size_t i = 0; st == OK && i < ARRAY_COUNT(kinds); i++) {
        struct file_path sub;
        data_folder_subfolder(folder, kinds[i], &sub);
        st = folder_prepare(sub.text, err);
        if (st == OK) st = remove_temporaries(folder, kinds[i], a, err);
        /* What is found here counts as published: its name must not go with the power, because what
         * it stands for will be deleted. The last process may have ended before it saw to that. */
        if (st == OK) st = folder_sync(sub.text, err);
    }
    if (st == OK) st = identify(folder, known, a, err);
    if (st == OK) st = folder_sync(folder->path, err);
    /* A missing parent or a full disk are one thing to the caller: it cannot be used. */
    if (st == ERR_NOT_FOUND || st == ERR_CONFLICT) st = err->status = ERR_IO;
    return st;
}

enum status data_folder_open(struct data_folder *folder, const char *path, struct arena *a,
                             struct error *err)
{
    struct error local;
    if (!err) err = &local;
    folder->root.fd = -1;
    folder->lock.fd = -1;
    int size = snprintf(folder->path, sizeof(folder->path), "%s", path);
    if (size <= 0 || (size_t)size >= sizeof(folder->path))
        return error_set(err, ERR_INVALID,
                         "path of the data folder: 1 to %d bytes expected, got %d",
                         DATA_FOLDER_PATH_BYTES - 1, size);
    enum status st = prepare(folder, false, a, err);
    if (st) data_folder_close(folder);
    return st;
}

enum status data_folder_remake(struct data_folder *folder, struct arena *a, struct error *err)
{
    struct file_path path;
    struct identity found;
    struct error local;
    if (!err) err = &local;
    enum status st = identity_read(folder, &path, &found, err);
    if (st == OK && memcmp(&found, &folder->identity, sizeof(found)) != 0)
        return error_set(err, ERR_IO,
                         "data folder %s has been replaced by another one: move that away, and "
                         "what is in memory is written to a new one",
                         folder->path);
    if (st && st != ERR_NOT_FOUND && st != ERR_CORRUPT) return st;
    return prepare(folder, true, a, err);
}

void data_folder_close(struct data_folder *folder)
{
    file_close(&folder->lock);
    file_close(&folder->root);
}
