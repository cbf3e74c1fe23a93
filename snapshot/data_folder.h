/*
 * data_folder - the folder itself: its lock, its identity, and which names in it are ours.
 *
 *     lock   HEARTH   wal/00000007   windows/123470-00000012   manifests/00000012
 *
 * A name is ours only if it is exactly what we would write; everything else is never touched.
 *
 * Threads: path and identity are constant after data_folder_open, any thread may make paths; what
 * is open belongs to who opens, remakes and closes.
 */
#ifndef HEARTH_SNAPSHOT_DATA_FOLDER_H
#define HEARTH_SNAPSHOT_DATA_FOLDER_H

#include "snapshot/file.h"
#include "snapshot/head.h"

/* Room for our names behind it. */
enum { DATA_FOLDER_PATH_BYTES = FILE_PATH_BYTES - 100 };

struct data_folder {
    char path[DATA_FOLDER_PATH_BYTES];
    struct file root; /* the folder, locked: nobody takes that lock away by removing a file */
    struct file lock; /* says who has it; and locked, too: network file systems lock no folders */
    struct identity identity;
};

/* Make it if it is missing, lock it, read or make the identity, remove our temporary files. The
 * arena is for scratch. Nothing is made or changed in the data of another program (ERR_IO).
 *
 * ERR_UNAVAILABLE   in use by another process; the text has its pid
 * ERR_UNSUPPORTED   HEARTH is of another version; or it is missing, and another file is
 * ERR_IO, ERR_INVALID, ERR_NO_MEMORY */
MUST_USE enum status data_folder_open(struct data_folder *folder, const char *path, struct arena *a,
                                      struct error *err);
void data_folder_close(struct data_folder *folder);

/* Files of it are gone, or all of it: make what is missing, hold what is there now. Not in the data
 * of anybody else, another data folder of ours included (ERR_IO); else statuses as
 * data_folder_open. */
MUST_USE enum status data_folder_remake(struct data_folder *folder, struct arena *a,
                                        struct error *err);

/* ERR_IO when the folder holds files of another one, and none of its own: HEARTH is not the right
 * one. Reads the heads of files until one may be its own. */
MUST_USE enum status data_folder_check(const struct data_folder *folder, struct arena *a,
                                       struct error *err);

/* A file we keep. Segments and manifests have number only; windows have both. */
enum data_kind { DATA_SEGMENT, DATA_WINDOW, DATA_MANIFEST };
struct data_name {
    int64_t number;    /* segment, window, or snapshot of a manifest */
    uint64_t snapshot; /* of a window file */
};

static inline enum head_kind data_head_kind(enum data_kind kind)
{
    static const enum head_kind heads[] = {[DATA_SEGMENT] = HEAD_SEGMENT,
                                           [DATA_WINDOW] = HEAD_WINDOW,
                                           [DATA_MANIFEST] = HEAD_MANIFEST};
    return heads[kind];
}

/* "path/wal" and so on: cannot fail, data_folder_open has checked the length. */
void data_folder_subfolder(const struct data_folder *folder, enum data_kind kind,
                           struct file_path *out);
void data_folder_path(const struct data_folder *folder, enum data_kind kind, struct data_name name,
                      struct file_path *out);
void data_folder_temporary(const struct file_path *path, struct file_path *out);

/* A ceiling for the arenas of whoever lists a folder: only a folder full of strange names reaches
 * it. */
#define DATA_FOLDER_ARENA_BYTES_MAX (UINT64_C(1) << 30)

/* What the folder holds of one kind, ascending by number, then by snapshot; on the arena. */
struct data_names {
    struct data_name *items;
    size_t count;
    size_t capacity;
};
MUST_USE enum status data_folder_list(const struct data_folder *folder, enum data_kind kind,
                                      struct arena *a, struct data_names *out, struct error *err);

/* True and *out when the text is a name of that kind, exactly. */
bool data_name_parse(const char *text, enum data_kind kind, struct data_name *out);

#endif
