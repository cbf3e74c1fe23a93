/*
 * regions - the region of each window in the ring, and what a slot of a series' ring holds.
 *
 *     word:  0                                         nothing
 *            address of a struct chunk                 open
 *            reference: 36 | region's number: 27 | 1   sealed
 *
 *     slot:  window | number ----> region (alloc/region.h)     number of the one being left, or 0
 *
 * A sealed word counts only while its slot still has the region of that number. So a window expires
 * by one store to its slot, whatever its series still hold; the words go when somebody passes by.
 * Numbers are never used twice (before 2^27 regions, centuries of windows, have been).
 *
 * A region with too many deleted chunks is emptied into a new one: meanwhile the slot has both.
 *
 * Threads: everything that changes a slot is under LOCK_REGIONS. regions_hold needs no lock but an
 * epoch, or the shard's lock for the words of that shard. A region that lost its slot is retired
 * and goes when no reader can be in it any more.
 */
#ifndef HEARTH_STORAGE_REGIONS_H
#define HEARTH_STORAGE_REGIONS_H

#include "alloc/region.h"
#include "base/lock.h"
#include "storage/chunk.h"
#include "storage/epoch.h"
#include "storage/sealed.h"
#include "storage/window.h"
#include "storage/window_region.h"

struct region_slot {
    _Atomic int64_t window;   /* INT64_MIN: none yet; never goes back */
    _Atomic uint32_t number;  /* of home; 0: none */
    _Atomic uint32_t leaving; /* of old; 0: none */
    _Atomic uint32_t drops;   /* how often everything sealed in this slot has gone */
    struct window_region *home;
    struct window_region *old; /* being emptied into home */
};

struct regions {
    struct mutex lock;
    const struct window_grid *grid;
    struct epoch *epoch;
    uint32_t last_number;
    struct region_slot *slots; /* heap; [grid->slots] */
    _Atomic uint32_t pending;  /* retired and not destroyed yet */
};

/* What a slot of a ring holds; all NULL: nothing. */
struct held {
    uint64_t word;
    struct chunk *open;
    const struct sealed *sealed;
    int64_t window;
};

static inline bool held_any(const struct held *h)
{
    return h->open || h->sealed;
}

/* The sealed chunk whose bytes are in use; 0: none. */
static inline uint64_t held_sealed_word(const struct held *h)
{
    if (h->sealed) return h->word;
    return h->open ? chunk_base(h->open) : 0;
}

/* false at the memory limit; nothing to release then. */
MUST_USE bool regions_init(struct regions *r, const struct window_grid *grid, struct epoch *epoch);
void regions_release(struct regions *r);

/* The slot is of this window from now on. An older one's region is retired; a newer one stays. */
void regions_enter(struct regions *r, int64_t window);
/* Retire the regions of all windows before this one. */
void regions_drop_before(struct regions *r, int64_t oldest_window);

/* Put a sealed chunk of these parts into the region; the column of times only if it is not there
 * yet, and of equal chunks only the first since regions_settle. The chunk's word, 0 at the limit or
 * when the slot is not of this window (any more). */
MUST_USE uint64_t regions_put(struct regions *r, int64_t window, const struct sealed_parts *parts);
/* The same for several: who has many spends more on the lock than under it. */
struct region_put {
    const struct sealed_parts *parts;
    struct window_region_hash hash; /* filled in */
    uint64_t word;                  /* filled in */
};
void regions_put_all(struct regions *r, int64_t window, struct region_put *puts, size_t count);
/* Before locks that others wait for are taken: so that regions_put need not ask the system for
 * memory, if chunks of this window have been sealed already. */
void regions_prepare(struct regions *r, int64_t window);
/* The sealed chunk of a word. */
const struct sealed *regions_at(uint64_t word);
/* The word is given up: count its chunk as dead with the last word of it, and the column of times
 * with the last chunk of that; their bytes go with the region. Nothing happens when it did already.
 */
void regions_delete(struct regions *r, uint32_t slot, uint64_t word);

/* What the word of a slot holds, by what the slot is now. */
struct held regions_hold(const struct regions *r, uint32_t slot, uint64_t word);

/* chunk_sample_count, chunk_read and chunk_export of either form; end: of the open one, or NULL. */
uint32_t held_sample_count(const struct held *h);
MUST_USE enum status held_read(const struct held *h, int64_t t_min_ms, int64_t t_max_ms,
                               struct columns *columns, struct error *err);
MUST_USE enum status held_export(const struct held *h, const struct chunk_end *end, struct arena *a,
                                 struct chunk_image *image, struct error *err);

/* Enough of the region in this slot is dead to be worth moving what lives; less is enough when it
 * is quiet, so that this will have been the last time. */
bool regions_wants_moving(struct regions *r, uint32_t slot, bool quiet);
/* Begin to empty the region in this slot, if it wants to: from now on regions_put serves a new one,
 * and words for which regions_is_leaving says so should be moved there. */
void regions_begin_moving(struct regions *r, uint32_t slot, bool quiet);
bool regions_is_leaving(const struct regions *r, uint32_t slot, uint64_t word);
/* For now nothing more is to be sealed in this slot: give back what is unused at the end of the
 * region, and retire the one that was left if all its words were moved. */
void regions_settle(struct regions *r, uint32_t slot, bool moved);

/* For the epoch. */
void regions_destroy_retired(struct epoch_node *node);

/* Bytes of the window in this slot. */
struct region_bytes {
    int64_t window;
    uint64_t objects; /* chunks and columns of times */
    uint64_t live;    /* bytes of those */
    uint64_t deleted; /* bytes of those that were given up */
    uint64_t blocks;  /* bytes of all blocks, the unfilled end included */
    uint64_t block_count;
};
void regions_bytes(struct regions *r, uint32_t slot, struct region_bytes *out);

/* Aborts on a broken invariant. */
void regions_check(struct regions *r);

static inline uint64_t ring_word(struct chunk *open)
{
    return (uint64_t)(uintptr_t)open;
}

/* Of a word that is not sealed. */
static inline struct chunk *ring_word_chunk(uint64_t word)
{
    return (struct chunk *)(uintptr_t)word;
}

static inline bool ring_word_is_sealed(uint64_t word)
{
    return word & 1;
}

#endif
