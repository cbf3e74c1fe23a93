/*
 * data_file - one file of a data folder: given its name when it is complete, copied, looked at, and
 * kept when it is not ours to delete.
 *
 * Statuses as in file.h; ERR_NO_MEMORY where something is read to its end.
 *
 * Threads: no state.
 */
#ifndef HEARTH_SNAPSHOT_DATA_FILE_H
#define HEARTH_SNAPSHOT_DATA_FILE_H

#include "snapshot/data_folder.h"

/* Give complete bytes their final name, so that after a crash it stands for all of them or does not
 * exist: sync the file, read it back against crc, rename it, sync the folder. The file is closed
 * whatever happens; a refused one is removed. ERR_IO also when it does not read back. */
MUST_USE enum status data_file_publish(struct file *temporary, const struct file_path *path,
                                       const char *folder_path, uint64_t size, uint32_t crc,
                                       struct error *err);

/* The same bytes under another path, or the same one, made and published as a new file is. */
MUST_USE enum status data_file_copy(const struct file_path *from, const struct file_path *to,
                                    const char *folder_path, struct error *err);

/* Write a file of the folder anew under its name, so that all it holds is on stable storage. That
 * is not known of one that another process wrote: its sync may have failed, and the next would not
 * tell (file_sync). */
MUST_USE enum status data_file_renew(const struct data_folder *folder, enum data_kind kind,
                                     struct data_name name, struct error *err);

/* Rename a file that the disk refuses to read to <name>.unreadable: from then on it is not ours, so
 * it is not deleted, and people may still save it. The name is synced: what is acknowledged without
 * the file must not meet it again. A refusal is logged. */
void data_file_set_aside(const struct data_folder *folder, enum data_kind kind, const char *path);

/* Before a file is deleted. True when its head is intact and of another folder: then it is not, but
 * renamed to <name>.foreign, for whoever put it there. */
bool data_file_keep_foreign(const struct data_folder *folder, enum data_kind kind,
                            struct data_name name);

/* The crc of a file's first size bytes; ERR_CORRUPT when it is shorter. */
MUST_USE enum status data_file_crc(const struct file *f, uint64_t size, uint32_t *out,
                                   struct error *err);

/* The first bytes of a file, and how many there are. */
MUST_USE enum status data_file_read_start(const char *path, uint8_t out[HEAD_BYTES], size_t *size,
                                          struct error *err);
/* None when the disk does not give them. */
size_t data_file_start(const char *path, uint8_t out[HEAD_BYTES]);

/* The size of a file in bytes; 0 when there is none, or the disk does not tell. */
uint64_t data_file_size(const struct data_folder *folder, enum data_kind kind,
                        struct data_name name);

#endif
