/*
 * definitions - what a series id stands for, while one segment is replayed.
 *
 *     id -> the series, when the caller has found it: nearly always
 *           labels that the caller lends, until it has
 *           a place in `words`: | label count | name, value | name, value | ...
 *
 * Names and values there are numbers of `texts`. So the labels of a series that is there are not
 * held twice. An id is a word, since all of them
 * are there when a start has the most memory: 1 million are 8 MB.
 *
 * Threads: one at a time.
 */
#ifndef HEARTH_SNAPSHOT_DEFINITIONS_H
#define HEARTH_SNAPSHOT_DEFINITIONS_H

#include "alloc/buf.h"
#include "base/assert.h"
#include "model/labels.h"
#include "snapshot/text_table.h"

enum definition { DEFINITION_NONE, DEFINITION_SERIES, DEFINITION_LENT, DEFINITION_KEPT };

#define DEFINITION_AT_MAX ((UINT64_C(1) << 46) - 1)
struct definition_slot {
    uint64_t what : 2;  /* enum definition */
    uint64_t at : 46;   /* a place in words, or an address / 8: those have 48 bits */
    uint64_t note : 16; /* the caller's; 0 at first */
};

struct series;

static inline void definition_point(struct definition_slot *slot, enum definition what,
                                    const void *to)
{
    DEBUG_ASSERT((uintptr_t)to % 8 == 0 && (uintptr_t)to / 8 <= DEFINITION_AT_MAX);
    slot->what = what;
    slot->at = (uintptr_t)to / 8 & DEFINITION_AT_MAX;
}
static inline void *definition_address(const struct definition_slot *slot)
{
    uint64_t at = slot->at;             /* of all its bits, before it is multiplied */
    return (void *)(uintptr_t)(8 * at); // NOLINT(performance-no-int-to-ptr)
}
/* DEFINITION_SERIES */
static inline struct series *definition_series(const struct definition_slot *slot)
{
    return definition_address(slot);
}
/* DEFINITION_LENT */
static inline const struct labels *definition_labels(const struct definition_slot *slot)
{
    return definition_address(slot);
}

/* Ids are dense, but for what damage invents: slots of neighbours lie together. */
enum { DEFINITION_PAGE_IDS = 64 };
struct definition_page {
    struct definition_slot *slots; /* [DEFINITION_PAGE_IDS], heap; NULL: no page is here */
    uint32_t number;               /* id / DEFINITION_PAGE_IDS */
};

struct definitions {
    struct text_table texts;
    struct buf words;              /* of uint32_t */
    struct definition_page *pages; /* heap; open addressing */
    size_t capacity;               /* a power of two, or 0 */
    size_t count;
};

void definitions_init(struct definitions *d);
void definitions_release(struct definitions *d);
void definitions_reset(struct definitions *d);

/* The slot of an id, to be filled; with what it has, or DEFINITION_NONE. NULL at the limit. */
MUST_USE struct definition_slot *definitions_claim(struct definitions *d, uint32_t id);
/* Keep a copy of the labels. A later one of the same id replaces the earlier. ERR_NO_MEMORY. */
MUST_USE enum status definitions_set(struct definitions *d, uint32_t id, struct labels labels,
                                     struct error *err);

/* NULL: not defined. Valid until the next claim, set or reset. */
struct definition_slot *definitions_find(const struct definitions *d, uint32_t id);

/* Ask for the memory that definitions_find will look at. */
void definitions_prefetch(const struct definitions *d, uint32_t id);

/* Labels that are kept: array on the arena, texts in d until the next set or reset.
 * ERR_NOT_FOUND; ERR_NO_MEMORY, ERR_TOO_LARGE from the arena. */
MUST_USE enum status definitions_get(const struct definitions *d, uint32_t id, struct arena *a,
                                     struct labels *out, struct error *err);

#endif
