/*
 * postings - which series of a shard have a label: value symbol -> set of local ids.
 *
 * A set is one 64-bit word, tagged in its lowest bits:
 *
 *     0               empty
 *     id << 2 | 1     one id
 *     address | 2     a sorted array of ids on our heap, up to POSTING_ARRAY_MAX
 *     address | 3     a Roaring bitmap (Chambi et al., 2016; CRoaring)
 *
 * Most sets of a shard are tiny and most ids are in few large ones, so the first two forms save
 * memory where Roaring's fixed cost would be paid a million times, and Roaring saves it for the
 * rest: 2 bytes an id at most. This version of CRoaring (0.2) has no hook for memory: its bitmaps
 * live in libc's heap and are seen there.
 *
 * Sets are found by the address of the symbol in an open-addressed table.
 *
 * Threads: the shard's lock.
 */
#ifndef HEARTH_STORAGE_POSTINGS_H
#define HEARTH_STORAGE_POSTINGS_H

#include "alloc/arena.h"
#include "storage/symbols.h"

enum { POSTING_ARRAY_MAX = 256 };

struct posting {
    uint64_t word;
};

/* Add an id that is not in it. false at the memory limit: unchanged. */
MUST_USE bool posting_add(struct posting *p, uint32_t id);
/* Remove an id that is in it. */
void posting_remove(struct posting *p, uint32_t id);
void posting_release(struct posting *p);
size_t posting_count(const struct posting *p);
bool posting_contains(const struct posting *p, uint32_t id);

struct id_list {
    uint32_t *items; /* on the arena; ascending */
    size_t count;
};

/* Ids in `base` and in each of `with` and in none of `without`; base is best the smallest.
 * ERR_TOO_LARGE, ERR_NO_MEMORY from the arena. */
struct posting_terms {
    const struct posting *base;
    const struct posting *const *with;
    size_t with_count;
    const struct posting *const *without;
    size_t without_count;
};
MUST_USE enum status posting_intersect(const struct posting_terms *terms, struct arena *a,
                                       struct id_list *out, struct error *err);

struct postings_entry {
    const struct symbol *symbol; /* NULL: the place is empty */
    struct posting posting;
};

struct postings {
    struct postings_entry *entries; /* heap, HEAP_INDEX */
    uint32_t capacity;              /* 0 or a power of two */
    uint32_t count;
};

void postings_release(struct postings *p);

/* Add an id to the sets of all symbols; false at the limit: nothing changed. */
MUST_USE bool postings_add(struct postings *p, struct symbol *const *symbols, size_t count,
                           uint32_t id);
/* Remove it from them; it is in each. */
void postings_remove(struct postings *p, struct symbol *const *symbols, size_t count, uint32_t id);
/* NULL when no series has it. */
const struct posting *postings_find(const struct postings *p, const struct symbol *symbol);

void postings_check(const struct postings *p);

#endif
