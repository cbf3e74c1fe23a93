/*
 * file - see file.h. Every system call goes through ask(), so that tests can make each one fail.
 */
#include "snapshot/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "alloc/vec.h"

static int (*_Atomic faults)(enum file_op op, const char *path);

void file_set_faults(int (*decide)(enum file_op op, const char *path))
{
    atomic_store(&faults, decide);
}

/* 0, FILE_FAULT_SHORT or the errno to fail with. */
static int ask(enum file_op op, const char *path)
{
    int (*decide)(enum file_op, const char *) = atomic_load_explicit(&faults, memory_order_relaxed);
    return UNLIKELY(decide != NULL) ? decide(op, path) : 0;
}

static enum status refuse(struct error *err, int errno_value, const char *verb, const char *path)
{
    enum status st = ERR_IO;
    switch (errno_value) {
    case ENOENT: st = ERR_NOT_FOUND; break;
    case EEXIST: st = ERR_CONFLICT; break;
    case ENOSPC:
    case EDQUOT:
    case EWOULDBLOCK: st = ERR_UNAVAILABLE; break;
    default: break;
    }
    return error_set_errno(err, st, errno_value, "%s %s", verb, path);
}

enum status file_path_join(struct file_path *out, const char *folder, const char *name,
                           struct error *err)
{
    int size = snprintf(out->text, sizeof(out->text), "%s/%s", folder, name);
    if (size >= 0 && (size_t)size < sizeof(out->text)) return OK;
    return error_set(err, ERR_INVALID, "path too long (at most %d bytes): %.60s...",
                     FILE_PATH_BYTES - 1, folder);
}

/* A descriptor above stderr: a server started with closed standard streams must not log into its
 * data. */
static int lift(int fd)
{
    if (fd > STDERR_FILENO) return fd;
    int lifted = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    int saved = errno;
    close(fd);
    errno = saved;
    return lifted;
}

static int open_raw(const char *path, int flags)
{
    int fd;
    do {
        fd = open(path, flags | O_CLOEXEC, 0640);
    } while (fd < 0 && errno == EINTR);
    return fd < 0 ? fd : lift(fd);
}

enum status file_open(struct file *f, const char *path, enum file_mode mode, struct error *err)
{
    static const int flags[] = {
        [FILE_READ] = O_RDONLY,
        [FILE_CHANGE] = O_RDWR,
        [FILE_CREATE] = O_RDWR | O_CREAT | O_EXCL,
        [FILE_OVERWRITE] = O_RDWR | O_CREAT | O_TRUNC,
    };
    f->fd = -1;
    int size = snprintf(f->path.text, sizeof(f->path.text), "%s", path);
    if (size < 0 || (size_t)size >= sizeof(f->path.text))
        return error_set(err, ERR_INVALID, "path too long: %.60s...", path);

    int fault = ask(FILE_OP_OPEN, path);
    if (fault > 0) return refuse(err, fault, "open", path);
    /* O_NONBLOCK: opening a FIFO must not wait for its other end. */
    int fd = open_raw(path, flags[mode] | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return refuse(err, errno, "open", path);

    struct stat st;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return error_set(err, ERR_IO, "open %s: not a regular file", path);
    }
    f->fd = fd;
    return OK;
}

void file_close(struct file *f)
{
    if (f->fd >= 0) close(f->fd);
    f->fd = -1;
}

enum status file_size(const struct file *f, uint64_t *out, struct error *err)
{
    struct stat st;
    if (fstat(f->fd, &st) != 0) return refuse(err, errno, "stat", f->path.text);
    *out = (uint64_t)st.st_size;
    return OK;
}

enum status file_read(const struct file *f, uint64_t offset, void *to, size_t size, size_t *got,
                      struct error *err)
{
    *got = 0;
    while (*got < size) {
        int fault = ask(FILE_OP_READ, f->path.text);
        if (fault > 0) return refuse(err, fault, "read", f->path.text);
        ssize_t n = pread(f->fd, (uint8_t *)to + *got, size - *got, (off_t)(offset + *got));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return refuse(err, errno, "read", f->path.text);
        if (n == 0) break;
        *got += (size_t)n;
    }
    return OK;
}

/* One pwritev of the pieces, or of half the first one's bytes when a test asks for it. */
static ssize_t write_some(const struct file *f, uint64_t offset, const struct file_piece *pieces,
                          size_t count, bool cut)
{
    struct iovec iov[FILE_PIECES_MAX];
    for (size_t i = 0; i < count; i++) {
        /* writev never writes through iov_base; its type has no const. */
        memcpy(&iov[i].iov_base, &pieces[i].data, sizeof(iov[i].iov_base));
        iov[i].iov_len = pieces[i].size;
    }
    if (cut) {
        count = 1;
        iov[0].iov_len = (iov[0].iov_len + 1) / 2;
    }
    return pwritev(f->fd, iov, (int)count, (off_t)offset);
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
        int fault = ask(FILE_OP_WRITE, f->path.text);
        if (fault > 0) return refuse(err, fault, "write", f->path.text);
        ssize_t n = write_some(f, offset, pieces + first, count - first, fault == FILE_FAULT_SHORT);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return refuse(err, errno, "write", f->path.text);
        /* A disk that takes nothing and gives no reason is treated as full. */
        if (n == 0 && ++stalls > 3) return refuse(err, ENOSPC, "write", f->path.text);
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
    int fault = ask(FILE_OP_SYNC, f->path.text);
    if (fault > 0) return refuse(err, fault, "sync", f->path.text);
    if (fdatasync(f->fd) != 0) return refuse(err, errno, "sync", f->path.text);
    return OK;
}

enum status file_truncate(const struct file *f, uint64_t size, struct error *err)
{
    int fault = ask(FILE_OP_TRUNCATE, f->path.text);
    if (fault > 0) return refuse(err, fault, "truncate", f->path.text);
    int result;
    do {
        result = ftruncate(f->fd, (off_t)size);
    } while (result != 0 && errno == EINTR);
    return result == 0 ? OK : refuse(err, errno, "truncate", f->path.text);
}

enum status file_lock(const struct file *f, struct error *err)
{
    if (flock(f->fd, LOCK_EX | LOCK_NB) == 0) return OK;
    return refuse(err, errno, "lock", f->path.text);
}

enum status file_rename(const char *from, const char *to, struct error *err)
{
    int fault = ask(FILE_OP_RENAME, to);
    if (fault > 0) return refuse(err, fault, "rename to", to);
    return rename(from, to) == 0 ? OK : refuse(err, errno, "rename to", to);
}

enum status file_remove(const char *path, struct error *err)
{
    int fault = ask(FILE_OP_REMOVE, path);
    if (fault > 0) return refuse(err, fault, "remove", path);
    return unlink(path) == 0 ? OK : refuse(err, errno, "remove", path);
}

enum status folder_prepare(const char *path, struct error *err)
{
    struct stat st;
    int fault = ask(FILE_OP_FOLDER, path);
    if (fault > 0) return refuse(err, fault, "create folder", path);
    if (mkdir(path, 0750) != 0 && errno != EEXIST) return refuse(err, errno, "create folder", path);
    if (stat(path, &st) != 0) return refuse(err, errno, "stat", path);
    if (!S_ISDIR(st.st_mode)) return error_set(err, ERR_IO, "%s is not a folder", path);
    if (access(path, R_OK | W_OK | X_OK) != 0) return refuse(err, errno, "use folder", path);
    return OK;
}

enum status folder_sync(const char *path, struct error *err)
{
    int fault = ask(FILE_OP_FOLDER_SYNC, path);
    if (fault > 0) return refuse(err, fault, "sync folder", path);
    int fd = open_raw(path, O_RDONLY | O_DIRECTORY);
    if (fd < 0) return refuse(err, errno, "open folder", path);
    int result = fsync(fd);
    int saved = errno;
    close(fd);
    return result == 0 ? OK : refuse(err, saved, "sync folder", path);
}

enum status folder_list(const char *path, struct arena *a, struct folder_names *out,
                        struct error *err)
{
    *out = (struct folder_names){0};
    int fault = ask(FILE_OP_LIST, path);
    if (fault > 0) return refuse(err, fault, "list", path);
    DIR *folder = opendir(path);
    if (!folder) return refuse(err, errno, "list", path);

    enum status st = OK;
    for (;;) {
        errno = 0;
        /* One thread per DIR, which is all that readdir asks for. */
        /* cppcheck-suppress readdirCalled */
        const struct dirent *entry = readdir(folder);
        if (!entry) {
            if (errno) st = refuse(err, errno, "list", path);
            break;
        }
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        struct str name = arena_copy(a, str_from(entry->d_name));
        const char **slot = name.data ? VEC_PUSH(out, a) : NULL;
        if (!slot) {
            st = arena_error(a, err);
            break;
        }
        *slot = name.data;
    }
    closedir(folder);
    return st;
}
