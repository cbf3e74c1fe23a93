/*
 * file - whole reads and writes, with words for every refusal.
 *
 * The operations themselves are those of disk.h. Short reads and writes and EINTR are finished here
 * and invisible above. Only regular files are opened: a folder, a symbolic link or a FIFO in the
 * place of a file is a refusal.
 *
 * Statuses of all functions:
 *     ERR_NOT_FOUND     no such file
 *     ERR_CONFLICT      it exists already (FILE_CREATE)
 *     ERR_UNAVAILABLE   disk or quota full; or the lock is held by another process
 *     ERR_INVALID       a path that is too long (FILE_PATH_BYTES)
 *     ERR_IO            everything else; the text has verb, path and reason
 *
 * Threads: no state but the caller's; one file may be written and synced by two threads at once.
 */
#ifndef HEARTH_SNAPSHOT_FILE_H
#define HEARTH_SNAPSHOT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/arena.h"
#include "base/error.h"
#include "snapshot/disk.h"

enum { FILE_PATH_BYTES = 1024 };
struct file_path {
    char text[FILE_PATH_BYTES]; /* NUL-terminated */
};

/* "a/b" */
MUST_USE enum status file_path_join(struct file_path *out, const char *folder, const char *name,
                                    struct error *err);

struct file {
    int fd; /* -1: not open */
    struct file_path path;
};
#define FILE_CLOSED                                                                                \
    {                                                                                              \
        .fd = -1                                                                                   \
    }

/* Descriptors 0 to 2 are never used, even when they are free. */
MUST_USE enum status file_open(struct file *f, const char *path, enum file_mode mode,
                               struct error *err);
/* Nothing happens to a closed one. Does not sync. */
void file_close(struct file *f);

MUST_USE enum status file_size(const struct file *f, uint64_t *out, struct error *err);

/* size bytes from offset; *got is less only at the end of the file. */
MUST_USE enum status file_read(const struct file *f, uint64_t offset, void *to, size_t size,
                               size_t *got, struct error *err);

struct file_piece {
    const void *data;
    size_t size;
};
enum { FILE_PIECES_MAX = 256 };
/* The pieces one behind the other from offset, at most FILE_PIECES_MAX of them; the array is used
 * up. After a refusal any part of them may be in the file. */
MUST_USE enum status file_write(const struct file *f, uint64_t offset, struct file_piece *pieces,
                                size_t count, struct error *err);

/* Data and size on stable storage. Never call it again for a file that it has failed for: the
 * kernel may have dropped what it could not write, and a second call would not tell. */
MUST_USE enum status file_sync(const struct file *f, struct error *err);
MUST_USE enum status file_truncate(const struct file *f, uint64_t size, struct error *err);

/* The lock of the whole file (flock): held until it is closed or the process ends.
 * ERR_UNAVAILABLE when another process, or another open file of this one, holds it. */
MUST_USE enum status file_lock(const struct file *f, struct error *err);

/* False when its path leads to another file, or nowhere: somebody has removed or replaced it, or a
 * folder above it. True also when the disk does not tell. */
bool file_is_in_place(const struct file *f);

MUST_USE enum status file_rename(const char *from, const char *to, struct error *err);
/* A file, or an empty folder. */
MUST_USE enum status file_remove(const char *path, struct error *err);
/* Another name for the same file, in the same file system. ERR_UNSUPPORTED: there can be none. */
MUST_USE enum status file_link(const char *from, const char *to, struct error *err);

/* Make the folder when it is missing (its parent exists), and check that files can be made in it.
 */
MUST_USE enum status folder_prepare(const char *path, struct error *err);
/* The folder itself, for file_lock and file_is_in_place. */
MUST_USE enum status folder_open(struct file *f, const char *path, struct error *err);
/* Names made, renamed and removed in it are on stable storage. */
MUST_USE enum status folder_sync(const char *path, struct error *err);

/* Names of everything in the folder but "." and "..", in no order, on the arena; also what that
 * refuses with. */
struct folder_names {
    const char **items;
    size_t count;
    size_t capacity;
};
MUST_USE enum status folder_list(const char *path, struct arena *a, struct folder_names *out,
                                 struct error *err);

#endif
