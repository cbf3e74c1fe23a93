/*
 * retain - which files of the data folder are still needed: a pure decision.
 *
 * Kept are the two newest published snapshots with all they refer to. Before there are two, every
 * segment is kept: the log alone must be able to stand in for a damaged first snapshot.
 *
 * Threads: no state.
 */
#ifndef HEARTH_SNAPSHOT_RETAIN_H
#define HEARTH_SNAPSHOT_RETAIN_H

#include "snapshot/manifest.h"

enum { RETAIN_GENERATIONS = 2 };

/* Newest first; one with snapshot 0 stands for none. */
struct retain {
    const struct manifest *generations[RETAIN_GENERATIONS];
};

bool retain_manifest(const struct retain *r, uint64_t snapshot);
bool retain_window(const struct retain *r, int64_t window, uint64_t snapshot);
bool retain_segment(const struct retain *r, uint64_t number);

#endif
