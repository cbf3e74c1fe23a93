/*
 * disk - the operations asked of a file system, as a table: the only place where snapshot/ meets
 * the operating system.
 *
 * The server uses disk_system. Tests put other tables in its place: one that refuses (each
 * operation in turn, short writes, a full disk), one that is simulated in memory and loses what was
 * not synced.
 *
 * All functions answer -1 with errno, as the system calls behind them do; none is called again by
 * itself after EINTR.
 *
 * Threads: any number at once.
 */
#ifndef HEARTH_SNAPSHOT_DISK_H
#define HEARTH_SNAPSHOT_DISK_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

enum file_mode {
    FILE_READ,
    FILE_CHANGE,   /* an existing file, to read and write */
    FILE_CREATE,   /* a new one; EEXIST when the name is taken */
    FILE_OVERWRITE /* a new one, or an old one emptied */
};

/* The errno for a folder or a FIFO in the place of a file, and for a file in the place of a folder:
 * none is meant for that. */
#define DISK_OTHER_KIND EBADFD

struct disk {
    /* A descriptor above 2. Only regular files: ELOOP for a symbolic link, DISK_OTHER_KIND for
     * what else is not one. */
    int (*open)(const char *path, enum file_mode mode);
    void (*close)(int fd);
    int (*size)(int fd, uint64_t *out);
    ssize_t (*read)(int fd, uint64_t offset, void *to, size_t size);
    ssize_t (*write)(int fd, uint64_t offset, const struct iovec *pieces, int count);
    int (*sync)(int fd); /* data and size */
    int (*truncate)(int fd, uint64_t size);
    int (*lock)(int fd);                 /* EWOULDBLOCK: somebody else has it */
    int (*at)(int fd, const char *path); /* 1: the path leads to this file or folder; 0: not, or
                                          * nowhere */

    int (*rename)(const char *from, const char *to);
    int (*remove)(const char *path);               /* a file, or an empty folder */
    int (*link)(const char *from, const char *to); /* another name for a file */

    int (*folder_make)(const char *path); /* 0 when it is there already and can be used */
    int (*folder_open)(const char *path); /* a descriptor, as of open, to lock and to know it by */
    int (*folder_sync)(const char *path); /* the names in it */
    /* Tells every name but "." and ".."; `each` answers false to end early. */
    int (*folder_list)(const char *path, bool (*each)(void *context, const char *name),
                       void *context);
};

extern const struct disk disk_system;

/* The table that file.c asks. disk_use: for tests, while nothing else runs; NULL for
 * disk_system. */
const struct disk *disk(void);
void disk_use(const struct disk *d);

#endif
