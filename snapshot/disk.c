/*
 * disk - see disk.h: the operating system's own.
 */
#include "snapshot/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static int keep_errno_and_close(int fd, int result)
{
    int saved = errno;
    close(fd);
    errno = saved;
    return result;
}

/* A descriptor above stderr: a server started with closed standard streams must not log into its
 * data. */
static int lift(int fd)
{
    if (fd > STDERR_FILENO) return fd;
    return keep_errno_and_close(fd, fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1));
}

static int system_open(const char *path, enum file_mode mode)
{
    static const int flags[] = {
        [FILE_READ] = O_RDONLY,
        [FILE_CHANGE] = O_RDWR,
        [FILE_CREATE] = O_RDWR | O_CREAT | O_EXCL,
        [FILE_OVERWRITE] = O_RDWR | O_CREAT | O_TRUNC,
    };
    struct stat st;
    /* O_NONBLOCK: opening a FIFO must not wait for its other end. */
    int fd = open(path, flags[mode] | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0640);
    if (fd >= 0) fd = lift(fd);
    if (fd < 0) return -1;
    if (fstat(fd, &st) != 0) return keep_errno_and_close(fd, -1);
    if (S_ISREG(st.st_mode)) return fd;
    close(fd);
    errno = DISK_OTHER_KIND;
    return -1;
}

static void system_close(int fd)
{
    close(fd);
}

static int system_size(int fd, uint64_t *out)
{
    struct stat st;
    if (fstat(fd, &st) != 0) return -1;
    *out = (uint64_t)st.st_size;
    return 0;
}

static ssize_t system_read(int fd, uint64_t offset, void *to, size_t size)
{
    return pread(fd, to, size, (off_t)offset);
}

static ssize_t system_write(int fd, uint64_t offset, const struct iovec *pieces, int count)
{
    return pwritev(fd, pieces, count, (off_t)offset);
}

static int system_truncate(int fd, uint64_t size)
{
    return ftruncate(fd, (off_t)size);
}

static int system_lock(int fd)
{
    return flock(fd, LOCK_EX | LOCK_NB);
}

static int system_at(int fd, const char *path)
{
    struct stat here;
    struct stat there;
    if (fstat(fd, &here) != 0) return -1;
    if (stat(path, &there) != 0) return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
    return here.st_dev == there.st_dev && here.st_ino == there.st_ino;
}

static int system_folder_make(const char *path)
{
    struct stat st;
    if (mkdir(path, 0750) != 0 && errno != EEXIST) return -1;
    if (stat(path, &st) != 0) return -1;
    if (!S_ISDIR(st.st_mode)) {
        errno = DISK_OTHER_KIND;
        return -1;
    }
    return access(path, R_OK | W_OK | X_OK);
}

static int system_folder_open(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 ? lift(fd) : -1;
}

static int system_folder_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -1 : keep_errno_and_close(fd, fsync(fd));
}

static int system_folder_list(const char *path, bool (*each)(void *context, const char *name),
                              void *context)
{
    DIR *folder = opendir(path);
    if (!folder) return -1;
    bool more = true;
    while (more) {
        errno = 0;
        /* One thread per DIR, which is all that readdir asks for. */
        /* cppcheck-suppress readdirCalled */
        const struct dirent *entry = readdir(folder);
        if (!entry) break;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        more = each(context, entry->d_name);
    }
    int saved = more ? errno : 0;
    closedir(folder);
    errno = saved;
    return saved ? -1 : 0;
}

const struct disk disk_system = {
    .open = system_open,
    .close = system_close,
    .size = system_size,
    .read = system_read,
    .write = system_write,
    .sync = fdatasync,
    .truncate = system_truncate,
    .lock = system_lock,
    .at = system_at,
    .rename = rename,
    .remove = remove,
    .link = link,
    .folder_make = system_folder_make,
    .folder_open = system_folder_open,
    .folder_sync = system_folder_sync,
    .folder_list = system_folder_list,
};

static const struct disk *_Atomic in_use = &disk_system;

const struct disk *disk(void)
{
    return atomic_load_explicit(&in_use, memory_order_acquire);
}

void disk_use(const struct disk *d)
{
    atomic_store(&in_use, d ? d : &disk_system);
}
