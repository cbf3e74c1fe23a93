/*
 * walk - a random walk over every door of alloc/, beside a model that knows what must be there.
 *
 *     main (heap_walk.c)   turns: threads start, walk, end; then the books against the model
 *       objects.c          heap_alloc and its kin, tiny ones, resize, free, trade between threads
 *       bufs.c             bytes that grow
 *       arenas.c           an arena, from its start to its end
 *       chains.c           chains of cells that grow while others read them
 *       windows.c          regions: sealed into, read, moved, expired under their readers
 *       weather.c          the limit set low, failures, pages given back, walkers: at random
 *
 * What is handed out holds a pattern (pattern.h) that is checked when it is read, resized, freed,
 * traded. A refusal is right only while somebody has asked for refusals, and changes nothing.
 *
 * Threads: a walker belongs to one thread at a time; the rest is shared as said below.
 */
#ifndef HEARTH_TESTS_STRESS_WALK_H
#define HEARTH_TESTS_STRESS_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "alloc/buf.h"
#include "alloc/cells.h"
#include "alloc/heap.h"
#include "storage/epoch.h"
#include "tests/unit/alloc/random.h"

enum {
    WALK_THREADS_MAX = 16,
    WALK_SLOTS = 2048,
    WALK_BYTES_MAX = 48 << 20,
    WALK_BUFS = 16,
    WALK_SEEN = 8
};

struct object {
    void *p; /* NULL: an empty slot */
    size_t size;
    uint64_t name;
    enum heap_tag tag;
    bool tiny; /* from heap_alloc_tiny */
};

struct named_buf {
    struct buf buf; /* its bytes are the pattern of the name */
    uint64_t name;
};

/* Bytes of a region that were read, and may be read again until the epoch is left. */
struct seen {
    const void *p;
    uint32_t size;
    uint64_t name;
};

struct walker {
    struct random random;
    unsigned index;
    uint64_t ops_left; /* of this turn */
    uint64_t names;    /* given so far */
    uint64_t bytes;    /* of the objects in slots, as asked for */
    struct object slots[WALK_SLOTS];
    struct named_buf bufs[WALK_BUFS];
    struct epoch_pin pin; /* of a stay among the windows */
    struct seen seen[WALK_SEEN];
    unsigned seen_count;
    uint64_t refused, traded, moved; /* counts, to be seen at the end */
    uint64_t gathered, sealed, expired;
};

/* What the model says is live, by tag. */
struct census {
    uint64_t objects[HEAP_TAG_COUNT];
    uint64_t bytes[HEAP_TAG_COUNT];     /* usable */
    uint64_t requested[HEAP_TAG_COUNT]; /* asked for */
};

/* A pattern nobody else has. */
static inline uint64_t walk_name(struct walker *w)
{
    return ++w->names * WALK_THREADS_MAX + w->index;
}

static inline enum heap_tag walk_tag(struct walker *w)
{
    return (enum heap_tag)random_below(&w->random, HEAP_TAG_COUNT);
}

static inline void census_add(struct census *census, enum heap_tag tag, uint64_t bytes,
                              uint64_t requested)
{
    census->objects[tag]++;
    census->bytes[tag] += bytes;
    census->requested[tag] += requested;
}

/* Of each kind: one operation; the end of all that is left; the count of it. Drop and count are
 * called while no thread walks, and for each walker; _shared is what belongs to no walker. */
void objects_init(void);
void objects_step(struct walker *w);
void objects_drop(struct walker *w);
void objects_drop_shared(struct walker *w);
void objects_count(struct walker *walkers, unsigned count, struct census *census);

void bufs_init(struct walker *w);
void bufs_step(struct walker *w);
void bufs_drop(struct walker *w);
void bufs_count(const struct walker *w, struct census *census);

/* A life from its start to its end: nothing is left. */
void arenas_step(struct walker *w);

void chains_init(unsigned threads);
void chains_step(struct walker *w);
void chains_drop(struct walker *w);
void chains_count(const struct walker *w, struct census *census);
void chains_destroy(void *self, struct epoch_node *retired);

/* Hands out chains of the walker that are there, and of which something is to be copied; they stay
 * the walker's until chains_retire. Returns how many. */
struct ready_chain {
    unsigned slot;
    uint32_t first, bytes;
    uint64_t name;
};
unsigned chains_pick(struct walker *w, struct ready_chain out[CELLS_COPIES_MAX]);
void chains_retire(struct walker *w, unsigned slot);

void windows_init(void);
void windows_step(struct walker *w);
void windows_leave(struct walker *w); /* the walker holds no epoch any more */
void windows_drop_shared(struct walker *w);
void windows_count_shared(struct census *census);
void windows_destroy(void *self, struct epoch_node *retired);

/* The epoch that readers of chains and windows are in. */
extern struct epoch walk_epoch;

/* weather: something that happens to everybody. */
void weather_init(unsigned threads);
void weather_change(struct walker *w);
void weather_clear(void); /* no thread runs: no limit, no failures */

/* Around an allocation: was its refusal right? Reads as: ticket before, then the call, then
 * weather_refused(ticket) if it answered NULL; aborts when nobody had asked for refusals. */
uint64_t weather_ticket(void);
void weather_refused(struct walker *w, uint64_t ticket);

#endif
