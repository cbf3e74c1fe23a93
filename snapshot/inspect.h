/*
 * inspect - the truth about any file of a data folder, or about a whole one, for people.
 *
 * Reads only, takes no lock, and changes nothing: a server may be using the folder. Says what a
 * file is, what is in it, what of it is damaged and where, and what a start would do with it.
 * Checksums are always checked; with `verify` every chunk is decoded, too, and each file that a
 * manifest names is compared with what that says.
 *
 * Threads: any, each with its own stream.
 */
#ifndef HEARTH_SNAPSHOT_INSPECT_H
#define HEARTH_SNAPSHOT_INSPECT_H

#include <stdbool.h>
#include <stdio.h>

enum inspect_verdict { INSPECT_GOOD, INSPECT_DAMAGED, INSPECT_UNREADABLE };

enum inspect_verdict inspect_path(const char *path, bool verify, FILE *out);

#endif
