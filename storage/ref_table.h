/*
 * ref_table - references to objects of a region, found by the hash of what is in them.
 *
 * Open addressing; the table knows a part of the hash, whoever asks compares the objects:
 *
 *     uint32_t cursor = REF_TABLE_START;
 *     while ((reference = ref_table_next(t, hash, &cursor)) != REGION_NONE)
 *         if (it is that object) ...
 *
 * Entries lie on the heap, or on an arena: then the shorter ones of before stay there as long as it
 * does.
 *
 * Threads: one at a time.
 */
#ifndef HEARTH_STORAGE_REF_TABLE_H
#define HEARTH_STORAGE_REF_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "alloc/arena.h"
#include "base/compiler.h"

struct ref_table {
    struct arena *arena; /* of the entries; NULL: the heap (HEAP_CHUNKS) */
    uint64_t *entries;   /* reference << 28 | hash: 28, 0: free */
    uint32_t capacity;   /* a power of two, or 0 */
    uint32_t count;
};

#define REF_TABLE_START UINT32_MAX

/* The next reference that may be the one; REGION_NONE: no more. */
uint64_t ref_table_next(const struct ref_table *t, uint64_t hash, uint32_t *cursor);

/* A reference that is not in it. false at the limit, nothing changed. */
MUST_USE bool ref_table_add(struct ref_table *t, uint64_t hash, uint64_t reference);
/* false: it is not in it. */
bool ref_table_remove(struct ref_table *t, uint64_t hash, uint64_t reference);
void ref_table_release(struct ref_table *t);

#endif
