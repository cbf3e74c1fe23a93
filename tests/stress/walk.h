/*
 * walk - a random walk over every door of alloc/, beside a model that knows what must be there.
 *
 *     main (heap_walk.c)   turns: threads start, walk, end; then the books against the model
 *       objects.c          heap_alloc and its kin, resize, free, trade with other threads
 *       lifetimes.c        arenas, chains of cells, regions with readers
 *       weather.c          the limit set low, failures, pages given back, walkers: at random
 *
 * What is handed out holds a pattern (pattern.h) that is checked when it is resized, freed, traded.
 * A refusal is right only while somebody has asked for refusals, and changes nothing.
 *
 * Threads: a walker belongs to one thread at a time; the rest is shared as said below.
 */
#ifndef HEARTH_TESTS_STRESS_WALK_H
#define HEARTH_TESTS_STRESS_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "alloc/arena.h"
#include "alloc/heap.h"
#include "tests/unit/alloc/random.h"

enum { WALK_THREADS_MAX = 16, WALK_SLOTS = 2048, WALK_BYTES_MAX = 48 << 20 };

struct object {
    void *p; /* NULL: an empty slot */
    size_t size;
    uint64_t name;
    enum heap_tag tag;
};

/* What the model says is live, by tag. */
struct census {
    uint64_t objects[HEAP_TAG_COUNT];
    uint64_t bytes[HEAP_TAG_COUNT];     /* usable */
    uint64_t requested[HEAP_TAG_COUNT]; /* asked for */
};

struct walker {
    struct random random;
    unsigned index;
    uint64_t ops_left; /* of this turn */
    uint64_t names;    /* given so far */
    uint64_t bytes;    /* of the objects in slots, as asked for */
    struct object slots[WALK_SLOTS];
    uint64_t refused, traded, moved; /* counts, to be seen at the end */
};

/* objects: one operation on a slot; the end of all; the count of what is left. */
void objects_init(void);
void objects_step(struct walker *w);
void objects_drop(struct walker *w); /* slots, and what waits to be traded */
void objects_count(const struct walker *w, struct census *census);
void objects_count_traded(struct census *census);

/* lifetimes: each call is a life from its start to its end. */
void lifetimes_arena(struct walker *w);
void lifetimes_chain(struct walker *w);

/* weather: something that happens to everybody. */
void weather_init(unsigned threads);
void weather_change(struct walker *w);
void weather_clear(void); /* no thread runs: no limit, no failures */

/* Around an allocation: was its refusal right? Reads as: ticket before, then the call, then
 * weather_refused(ticket) if it answered NULL; aborts when nobody had asked for refusals. */
uint64_t weather_ticket(void);
void weather_refused(struct walker *w, uint64_t ticket);

#endif
