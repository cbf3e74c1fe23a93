/*
 * postings - which series of a shard have a label: value symbol -> set of local ids
 * (storage/id_set.h).
 *
 * Sets are found by the address of the symbol in an open-addressed table.
 *
 * Threads: the shard's lock.
 */
#ifndef HEARTH_STORAGE_POSTINGS_H
#define HEARTH_STORAGE_POSTINGS_H

#include "storage/id_set.h"
#include "storage/symbols.h"

struct postings_entry {
    const struct symbol *symbol; /* NULL: the place is empty */
    struct id_set ids;
};

enum { POSTINGS_RECENT = 16 };

struct postings {
    struct postings_entry *entries; /* heap, HEAP_INDEX */
    uint32_t capacity;              /* 0 or a power of two */
    uint32_t count;
    /* Where the entries of the last series were, by place of the label: the next one shares most.
     */
    uint32_t recent[POSTINGS_RECENT];
};

void postings_release(struct postings *p);

/* Add an id to the sets of all symbols; false at the limit: nothing changed. */
MUST_USE bool postings_add(struct postings *p, struct symbol *const *symbols, size_t count,
                           uint32_t id);
/* Ask for the memory that postings_add will look at: where the sets are, and some series later the
 * sets. */
void postings_prefetch(const struct postings *p, struct symbol *const *symbols, size_t count);
void postings_prefetch_sets(const struct postings *p, struct symbol *const *symbols, size_t count);
/* Remove it from them; it is in each. */
void postings_remove(struct postings *p, struct symbol *const *symbols, size_t count, uint32_t id);
/* As series_map_move, of the table. */
void postings_move(struct postings *p);
/* NULL when no series has it. */
const struct id_set *postings_find(const struct postings *p, const struct symbol *symbol);

void postings_check(const struct postings *p);

#endif
