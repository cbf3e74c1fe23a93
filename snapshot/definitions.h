/*
 * definitions - which labels a series id stands for, while one segment is replayed.
 *
 *     id -> place in `words`: | label count | name, value | name, value | ...   (text_table
 * numbers)
 *
 * Threads: one at a time.
 */
#ifndef HEARTH_SNAPSHOT_DEFINITIONS_H
#define HEARTH_SNAPSHOT_DEFINITIONS_H

#include "alloc/buf.h"
#include "model/labels.h"
#include "snapshot/text_table.h"

struct definition_slot {
    uint32_t id;
    uint32_t place;        /* in words, plus one; 0: free */
    struct series *series; /* the caller's note whom it found by the labels; NULL: none */
};

struct definitions {
    struct text_table texts;
    struct buf words;              /* of uint32_t */
    struct definition_slot *slots; /* heap; open addressing */
    size_t slot_count;             /* a power of two, or 0 */
    size_t used;
};

void definitions_init(struct definitions *d);
void definitions_release(struct definitions *d);
void definitions_reset(struct definitions *d);

/* A later one of the same id replaces the earlier; the note stays with the same labels.
 * ERR_NO_MEMORY. */
MUST_USE enum status definitions_set(struct definitions *d, uint32_t id, struct labels labels,
                                     struct error *err);

/* NULL: not defined. Valid until the next set or reset. */
struct definition_slot *definitions_find(const struct definitions *d, uint32_t id);

/* Ask for the memory that definitions_find will look at. */
void definitions_prefetch(const struct definitions *d, uint32_t id);

/* The labels, array on the arena, texts in d until the next set or reset.
 * ERR_NOT_FOUND; ERR_NO_MEMORY, ERR_TOO_LARGE from the arena. */
MUST_USE enum status definitions_get(const struct definitions *d, uint32_t id, struct arena *a,
                                     struct labels *out, struct error *err);

#endif
