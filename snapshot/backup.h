/*
 * backup - the newest snapshot under a name of its own: a folder that can be carried away, and
 * started on.
 *
 *     data/snapshots/20261127T101500Z-1a2b3c4d5e6f7081/
 *         HEARTH   manifests/   wal/   windows/         as docs/formats.md says of a data folder
 *
 * Window files never change, so they are hard links: a backup takes no time and no room, until
 * windows expire that it still holds. Where there are no hard links they are copies. It is put
 * together under a temporary name; a folder without ".tmp" is complete and on stable storage.
 *
 * Threads: with the one that snapshots.
 */
#ifndef HEARTH_SNAPSHOT_BACKUP_H
#define HEARTH_SNAPSHOT_BACKUP_H

#include "snapshot/durability.h"
#include "snapshot/manifest.h"

/* Link or copy the files of this manifest. ERR_UNAVAILABLE: disk full; ERR_IO, ERR_NO_MEMORY.
 * Nothing is left then. */
MUST_USE enum status backup_make(const struct data_folder *folder, const struct manifest *m,
                                 char name[BACKUP_NAME_BYTES], struct error *err);

/* What a crash has left half made goes. */
void backup_clean(const struct data_folder *folder);

#endif
