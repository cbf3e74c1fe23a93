/*
 * place - what the place of a file in a data folder says about it: its name, the folder that it is
 * in, and the HEARTH beside that. For whoever looks at a file without having the folder open.
 *
 * Threads: no state.
 */
#ifndef HEARTH_SNAPSHOT_PLACE_H
#define HEARTH_SNAPSHOT_PLACE_H

#include "snapshot/data_folder.h"

/* A name for people, and what a start does with files of it. */
enum place_kind {
    PLACE_OURS,       /* exactly a name of ours, where it belongs */
    PLACE_LOCK,       /* only held while a process has it open */
    PLACE_UNFINISHED, /* being written, or left by a process that ended meanwhile: removed */
    PLACE_UNREADABLE, /* set aside, because the disk refused to read it */
    PLACE_FOREIGN,    /* set aside, because it belongs to another folder */
    PLACE_OTHER       /* never read, changed or deleted */
};
enum place_kind place_of(const char *path);

/* The head that a file at this path should have, but for its identity and the width of windows;
 * false: nothing says. */
bool place_head(const char *path, struct head *out);

/* A path seen from the folder that has this file in a subfolder. False: no room for it. */
bool place_sibling(const char *path, const char *name, struct file_path *out);

/* The identity of that folder; false: it has none that is intact. */
bool place_identity(const char *path, struct identity *out);

/* Why a start does not read this file, though the head is intact; NULL: it does, for all that its
 * place says. */
const char *place_refusal(const char *path, const struct head *head);

#endif
