/*
 * faults - a disk that asks a test before every operation whether it shall fail.
 */
#ifndef HEARTH_TESTS_UNIT_SNAPSHOT_FAULTS_H
#define HEARTH_TESTS_UNIT_SNAPSHOT_FAULTS_H

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/compiler.h"
#include "snapshot/disk.h"

enum fault_op {
    FAULT_OPEN,
    FAULT_READ,
    FAULT_WRITE,
    FAULT_SYNC,
    FAULT_TRUNCATE,
    FAULT_RENAME,
    FAULT_REMOVE,
    FAULT_FOLDER,
    FAULT_FOLDER_SYNC,
    FAULT_LIST,
    FAULT_LINK
};

/* 0: go on; FAULT_CUT: a write does half of its first piece; else the errno to fail with. */
enum { FAULT_CUT = -1 };
typedef int (*fault_decide)(enum fault_op op, const char *path);

static fault_decide _Atomic fault_now;

static int fault_ask(enum fault_op op, const char *path)
{
    fault_decide decide = atomic_load(&fault_now);
    int fault = decide ? decide(op, path) : 0;
    if (fault > 0) errno = fault;
    return fault;
}

static int fault_ask_open_file(enum fault_op op, int fd)
{
    char link[64];
    char path[512];
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t size = readlink(link, path, sizeof(path) - 1);
    path[size > 0 ? size : 0] = '\0';
    return fault_ask(op, path);
}

static int fault_open(const char *path, enum file_mode mode)
{
    return fault_ask(FAULT_OPEN, path) > 0 ? -1 : disk_system.open(path, mode);
}

static ssize_t fault_read(int fd, uint64_t offset, void *to, size_t size)
{
    if (fault_ask_open_file(FAULT_READ, fd) > 0) return -1;
    return disk_system.read(fd, offset, to, size);
}

static ssize_t fault_write(int fd, uint64_t offset, const struct iovec *pieces, int count)
{
    int fault = fault_ask_open_file(FAULT_WRITE, fd);
    if (fault > 0) return -1;
    if (fault == 0) return disk_system.write(fd, offset, pieces, count);
    struct iovec half = {.iov_base = pieces[0].iov_base, .iov_len = (pieces[0].iov_len + 1) / 2};
    return disk_system.write(fd, offset, &half, 1);
}

static int fault_sync(int fd)
{
    return fault_ask_open_file(FAULT_SYNC, fd) > 0 ? -1 : disk_system.sync(fd);
}

static int fault_truncate(int fd, uint64_t size)
{
    return fault_ask_open_file(FAULT_TRUNCATE, fd) > 0 ? -1 : disk_system.truncate(fd, size);
}

static int fault_rename(const char *from, const char *to)
{
    return fault_ask(FAULT_RENAME, to) > 0 ? -1 : disk_system.rename(from, to);
}

static int fault_remove(const char *path)
{
    return fault_ask(FAULT_REMOVE, path) > 0 ? -1 : disk_system.remove(path);
}

static int fault_link(const char *from, const char *to)
{
    return fault_ask(FAULT_LINK, to) > 0 ? -1 : disk_system.link(from, to);
}

static int fault_folder_make(const char *path)
{
    return fault_ask(FAULT_FOLDER, path) > 0 ? -1 : disk_system.folder_make(path);
}

static int fault_folder_sync(const char *path)
{
    return fault_ask(FAULT_FOLDER_SYNC, path) > 0 ? -1 : disk_system.folder_sync(path);
}

static int fault_folder_list(const char *path, bool (*each)(void *context, const char *name),
                             void *context)
{
    if (fault_ask(FAULT_LIST, path) > 0) return -1;
    return disk_system.folder_list(path, each, context);
}

/* From now on ask `decide`; NULL: nobody. */
UNUSED static void faults_set(fault_decide decide)
{
    static struct disk faulty;
    if (!faulty.open) {
        faulty = disk_system;
        faulty.open = fault_open;
        faulty.read = fault_read;
        faulty.write = fault_write;
        faulty.sync = fault_sync;
        faulty.truncate = fault_truncate;
        faulty.rename = fault_rename;
        faulty.remove = fault_remove;
        faulty.link = fault_link;
        faulty.folder_make = fault_folder_make;
        faulty.folder_sync = fault_folder_sync;
        faulty.folder_list = fault_folder_list;
    }
    atomic_store(&fault_now, decide);
    disk_use(decide ? &faulty : NULL);
}

#endif
