/*
 * epoch - when may memory that readers see without a lock be freed?
 *
 * A reader enters the current epoch and leaves it. A writer first takes an object out of every
 * place where readers find it, then retires it. An object retired in epoch e is freed once the
 * epoch has moved to e + 2: the step from e + 1 to e + 2 is only made when nobody is inside e any
 * more, and who enters later cannot find the object (Fraser, "Practical lock-freedom",
 * 2004, 5.2.3).
 *
 *     epoch:          e - 1          e          e + 1
 *     readers:      must be 0    may be there  (not yet)     to step from e to e + 1
 *     garbage of:     ready        waits         -           after the step
 *
 * Readers are counted in one of EPOCH_SLOTS cache lines, chosen by thread, in a counter per epoch
 * modulo 3: any number of readers, no registration, and a pin may be left by another thread.
 *
 * A long reader delays freeing, never a writer. Freeing happens in bounded rounds (epoch_collect).
 *
 * Threads: enter, leave and retire from any; collect from any, destroy functions run without
 * LOCK_EPOCH held.
 */
#ifndef HEARTH_STORAGE_EPOCH_H
#define HEARTH_STORAGE_EPOCH_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"
#include "base/lock.h"

enum { EPOCH_SLOTS = 64, EPOCH_GENERATIONS = 3 };

/* Embedded in what is retired. */
struct epoch_node {
    struct epoch_node *next;
};

/* What is retired; each kind has its own destroy function. */
enum epoch_kind {
    EPOCH_REGION,
    EPOCH_CHUNK,
    EPOCH_SERIES,
    EPOCH_SYMBOL,
    EPOCH_SYMBOL_SLOTS, /* of a table of them */
    EPOCH_SEGMENT,      /* of a directory */
    EPOCH_MATCHES,      /* what an expression matches */
    EPOCH_KIND_COUNT
};
/* May retire other things in turn. */
typedef void epoch_destroy(void *self, struct epoch_node *node);

struct epoch_slot {
    CACHE_ALIGNED _Atomic uint32_t readers[EPOCH_GENERATIONS];
};

struct epoch_list {
    struct epoch_node *first;
    struct epoch_node *last;
};

struct epoch {
    struct epoch_slot slots[EPOCH_SLOTS];
    _Atomic uint64_t now;
    epoch_destroy *destroy[EPOCH_KIND_COUNT];
    void *self;
    struct mutex lock; /* guards all below */
    struct epoch_list limbo[EPOCH_GENERATIONS][EPOCH_KIND_COUNT];
    struct epoch_list ready[EPOCH_KIND_COUNT];
    size_t limbo_count[EPOCH_GENERATIONS];
    size_t ready_count;
};

/* self is handed to the destroy functions. The epoch is aligned to cache lines. */
void epoch_init(struct epoch *e, epoch_destroy *const destroy[EPOCH_KIND_COUNT], void *self);
/* Nobody is inside: everything retired is destroyed. */
void epoch_release(struct epoch *e);

/* A stay inside an epoch; a value, zero when there is none. */
struct epoch_pin {
    _Atomic uint32_t *readers;
};
struct epoch_pin epoch_enter(struct epoch *e);
void epoch_leave(struct epoch_pin *pin); /* zeroes it; a zero pin is ignored */

/* The object can no longer be found by readers that enter from now on. Never fails. */
void epoch_retire(struct epoch *e, enum epoch_kind kind, struct epoch_node *node);

/* One round: move the epoch on if its readers allow it, destroy at most max objects. Returns true
 * when another round would make progress at once. */
bool epoch_collect(struct epoch *e, size_t max);

/* Objects retired and not destroyed yet. */
size_t epoch_garbage(struct epoch *e);

#endif
