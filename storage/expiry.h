/*
 * expiry - what the passing of time takes away or settles: deciding, and one round of doing.
 *
 * When the oldest retained window moves on, its region goes, and with it all that is sealed in it,
 * whoever holds words of it. Then one walk over all series starts (a sweep): words that count no
 * more and expired open chunks are taken out, series that hold nothing are forgotten, and the open
 * chunks of closed windows are sealed into the regions of theirs (storage/seal.h). Late samples may
 * open chunks of closed windows again; then another sweep comes by when no more of them come.
 *
 * A round is a bounded number of the sweep's steps (storage/sweep.h); what was dropped is freed by
 * the epoch. Sealing begins when no reader is left in the regions that were dropped: their blocks
 * are what it fills.
 *
 * Nobody depends on the sweep to be right about what is visible: readers and writers go by the
 * same time (storage_now_ms). It keeps a little behind the clock itself, because the last samples
 * of a window are still under way when it ends.
 *
 * Threads: rounds from one thread at a time.
 */
#ifndef HEARTH_STORAGE_EXPIRY_H
#define HEARTH_STORAGE_EXPIRY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bits.h"
#include "base/clock.h"
#include "storage/state.h"

enum expiry_action { EXPIRY_KEEP, EXPIRY_DROP, EXPIRY_SEAL };

/* What to do with an open chunk of this window: pure. */
static inline enum expiry_action expiry_decide(int64_t window, int64_t oldest_window,
                                               int64_t current_window)
{
    if (window < oldest_window) return EXPIRY_DROP;
    return window < current_window ? EXPIRY_SEAL : EXPIRY_KEEP;
}

/* How far a sweep keeps behind the clock. */
enum { EXPIRY_BEHIND_MS = 30000, EXPIRY_PARTS = 16 };
static inline int64_t expiry_behind_ms(int64_t chunk_ms)
{
    int64_t part_ms = chunk_ms / EXPIRY_PARTS;
    return part_ms < EXPIRY_BEHIND_MS ? part_ms : EXPIRY_BEHIND_MS;
}

/* Whether what came late is to be sealed now: pure. Not while more of it comes, since what is put
 * on top of a sealed chunk takes more, but after a part of a window at the latest; and not so often
 * that sweeps take more than a share of a core. When memory is short, seconds after the last sweep.
 */
enum { EXPIRY_QUIET_MS = 5000, EXPIRY_HURRIED_MS = 10000, EXPIRY_SHARE = 100 };
static inline bool expiry_is_due(const struct late *late, int64_t chunk_ms, int64_t now_ms)
{
    if (late->chunks == 0) return false;
    int64_t part_ms = chunk_ms / EXPIRY_PARTS;
    int64_t quiet_ms = part_ms < EXPIRY_QUIET_MS ? part_ms : EXPIRY_QUIET_MS;
    int64_t rested_ms = bits_sub_clamped(now_ms, late->ended_ms);
    if (bits_sub_clamped(now_ms, late->since_ms) >= part_ms) return true;
    if (late->hurried && rested_ms >= (part_ms < EXPIRY_HURRIED_MS ? part_ms : EXPIRY_HURRIED_MS))
        return true;
    return bits_sub_clamped(now_ms, late->changed_ms) >= quiet_ms &&
           rested_ms >= EXPIRY_SHARE * (late->cost_ns / NS_PER_MS);
}

/* The bounds a sweep goes by. */
struct storage_bounds expiry_bounds(const struct storage *db);

#endif
