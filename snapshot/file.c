/*
 * file - see file.h: loops over the operations of disk.h, and words for what they refuse.
 */
#include "snapshot/file.h"

#include <stdio.h>
#include <string.h>

#include "alloc/vec.h"

static enum status refuse(struct error *err, const char *verb, const char *path)
{
    int why = errno;
    enum status st = ERR_IO;
    switch (why) {
    case ENOENT: st = ERR_NOT_FOUND; break;
    case EEXIST: st = ERR_CONFLICT; break;
    case ENOSPC:
    case EDQUOT:
    case EWOULDBLOCK: st = ERR_UNAVAILABLE; break;
    case ELOOP: return error_set(err, ERR_IO, "%s %s: a symbolic link", verb, path);
    case DISK_OTHER_KIND: return error_set(err, ERR_IO, "%s %s: not a regular file", verb, path);
    default: break;
    }
    return error_set_errno(err, st, why, "%s %s", verb, path);
}

enum status file_path_join(struct file_path *out, const char *folder, const char *name,
                           struct error *err)
{
    int size = snprintf(out->text, sizeof(out->text), "%s/%s", folder, name);
    if (size >= 0 && (size_t)size < sizeof(out->text)) return OK;
    return error_set(err, ERR_INVALID, "path too long (at most %d bytes): %.60s...",
                     FILE_PATH_BYTES - 1, folder);
}

static enum status set_path(struct file *f, const char *path, struct error *err)
{
    f->fd = -1;
    int size = snprintf(f->path.text, sizeof(f->path.text), "%s", path);
    if (size >= 0 && (size_t)size < sizeof(f->path.text)) return OK;
    return error_set(err, ERR_INVALID, "path too long: %.60s...", path);
}

enum status file_open(struct file *f, const char *path, enum file_mode mode, struct error *err)
{
    enum status st = set_path(f, path, err);
    if (st) return st;
    do {
        f->fd = disk()->open(path, mode);
    } while (f->fd < 0 && errno == EINTR);
    return f->fd >= 0 ? OK : refuse(err, "open", path);
}

void file_close(struct file *f)
{
    if (f->fd >= 0) disk()->close(f->fd);
    f->fd = -1;
}

enum status file_size(const struct file *f, uint64_t *out, struct error *err)
{
    return disk()->size(f->fd, out) == 0 ? OK : refuse(err, "stat", f->path.text);
}

enum status file_read(const struct file *f, uint64_t offset, void *to, size_t size, size_t *got,
                      struct error *err)
{
    *got = 0;
    while (*got < size) {
        ssize_t n = disk()->read(f->fd, offset + *got, (uint8_t *)to + *got, size - *got);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return refuse(err, "read", f->path.text);
        if (n == 0) break;
        *got += (size_t)n;
    }
    return OK;
}

/* One write of the pieces, as far as it goes. */
static ssize_t write_some(const struct file *f, uint64_t offset, const struct file_piece *pieces,
                          size_t count)
{
    struct iovec iov[FILE_PIECES_MAX];
    for (size_t i = 0; i < count; i++) {
        /* writev never writes through iov_base; its type has no const. */
        memcpy(&iov[i].iov_base, &pieces[i].data, sizeof(iov[i].iov_base));
        iov[i].iov_len = pieces[i].size;
    }
    return disk()->write(f->fd, offset, iov, (int)count);
}

enum status file_write(const struct file *f, uint64_t offset, struct file_piece *pieces,
                       size_t count, struct error *err)
{
    size_t first = 0;
    int stalls = 0;
    while (first < count) {
        if (pieces[first].size == 0) {
            first++;
            continue;
        }
        ssize_t n = write_some(f, offset, pieces + first, count - first);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return refuse(err, "write", f->path.text);
        if (n == 0 && ++stalls > 3) {
            errno = ENOSPC; /* a disk that takes nothing and gives no reason is treated as full */
            return refuse(err, "write", f->path.text);
        }
        offset += (uint64_t)n;
        for (size_t left = (size_t)n; left > 0;) {
            size_t step = left < pieces[first].size ? left : pieces[first].size;
            pieces[first].data = (const uint8_t *)pieces[first].data + step;
            pieces[first].size -= step;
            left -= step;
            if (pieces[first].size == 0) first++;
        }
    }
    return OK;
}

enum status file_sync(const struct file *f, struct error *err)
{
    return disk()->sync(f->fd) == 0 ? OK : refuse(err, "sync", f->path.text);
}

enum status file_truncate(const struct file *f, uint64_t size, struct error *err)
{
    int result;
    do {
        result = disk()->truncate(f->fd, size);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? OK : refuse(err, "truncate", f->path.text);
}

enum status file_lock(const struct file *f, struct error *err)
{
    return disk()->lock(f->fd) == 0 ? OK : refuse(err, "lock", f->path.text);
}

bool file_is_in_place(const struct file *f)
{
    return disk()->at(f->fd, f->path.text) != 0;
}

enum status file_rename(const char *from, const char *to, struct error *err)
{
    return disk()->rename(from, to) == 0 ? OK : refuse(err, "rename to", to);
}

enum status file_remove(const char *path, struct error *err)
{
    return disk()->remove(path) == 0 ? OK : refuse(err, "remove", path);
}

enum status file_link(const char *from, const char *to, struct error *err)
{
    if (disk()->link(from, to) == 0) return OK;
    int why = errno;
    switch (why) {
    case EXDEV:
    case EPERM:
    case EMLINK:
    case EOPNOTSUPP:
    case ENOSYS: return error_set_errno(err, ERR_UNSUPPORTED, why, "link to %s", to);
    default: return refuse(err, "link to", to);
    }
}

enum status folder_prepare(const char *path, struct error *err)
{
    if (disk()->folder_make(path) == 0) return OK;
    if (errno == DISK_OTHER_KIND) return error_set(err, ERR_IO, "%s is not a folder", path);
    return refuse(err, "use folder", path);
}

enum status folder_open(struct file *f, const char *path, struct error *err)
{
    enum status st = set_path(f, path, err);
    if (st) return st;
    do {
        f->fd = disk()->folder_open(path);
    } while (f->fd < 0 && errno == EINTR);
    return f->fd >= 0 ? OK : refuse(err, "open folder", path);
}

enum status folder_sync(const char *path, struct error *err)
{
    return disk()->folder_sync(path) == 0 ? OK : refuse(err, "sync folder", path);
}

/* Names on their way to an arena. */
struct listing {
    struct arena *arena;
    struct folder_names *names;
    bool whole;
};

static bool listing_add(void *context, const char *text)
{
    struct listing *l = context;
    struct str name = arena_copy(l->arena, str_from(text));
    const char **slot = name.data ? VEC_PUSH(l->names, l->arena) : NULL;
    l->whole = slot != NULL;
    if (slot) *slot = name.data;
    return l->whole;
}

enum status folder_list(const char *path, struct arena *a, struct folder_names *out,
                        struct error *err)
{
    *out = (struct folder_names){0};
    struct listing l = {.arena = a, .names = out, .whole = true};
    if (disk()->folder_list(path, listing_add, &l) != 0) return refuse(err, "list", path);
    return l.whole ? OK : arena_error(a, err);
}
