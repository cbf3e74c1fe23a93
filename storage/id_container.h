/*
 * id_container - a set of 16-bit numbers, never empty: the part of an id set (storage/id_set.h)
 * whose ids share their upper half, the key.
 *
 *     array:  ids ascending, 2 bytes each          bits:  words 0 .. capacity, one bit a number
 *
 * These are Roaring's containers (Chambi et al., "Better bitmap performance with Roaring bitmaps",
 * 2016), but that bits end behind the largest number instead of always taking 8 KiB: the form is
 * whichever takes less for what is in it.
 *
 * Functions that change one take a pointer to it, because it may move. Growing can fail and changes
 * nothing then; removing cannot, and keeps the old form when there is no memory for the smaller.
 *
 * Threads: the owner's lock. Memory: heap, HEAP_INDEX.
 */
#ifndef HEARTH_STORAGE_ID_CONTAINER_H
#define HEARTH_STORAGE_ID_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

enum { ID_CONTAINER_WORDS = 1024, ID_CONTAINER_WORD_BITS = 64 };

struct id_container {
    uint16_t key;
    uint16_t capacity; /* array: numbers; bits: words */
    uint32_t count : 31;
    uint32_t is_bits : 1;
    uint64_t words[]; /* bits; an array lies in the same place */
};

/* Of one number, with room for another; NULL at the memory limit. */
MUST_USE struct id_container *id_container_create(uint16_t key, uint16_t low);
void id_container_destroy(struct id_container *c);

/* Add a number that is not in it; false at the memory limit. */
MUST_USE bool id_container_add(struct id_container **at, uint16_t low);
/* The same when there is room in the form it has: among bits, or at the end of an array. false: ask
 * id_container_add. */
static inline bool id_container_put(struct id_container *c, uint16_t low)
{
    if (c->is_bits) {
        if (low / ID_CONTAINER_WORD_BITS >= c->capacity) return false;
        c->words[low / ID_CONTAINER_WORD_BITS] |= UINT64_C(1) << low % ID_CONTAINER_WORD_BITS;
    } else {
        uint16_t *ids = (uint16_t *)c->words;
        if (c->count == c->capacity || ids[c->count - 1] > low) return false;
        ids[c->count] = low;
    }
    c->count++;
    return true;
}
/* Remove a number that is in it; with the last one it is destroyed and *at is NULL. */
void id_container_remove(struct id_container **at, uint16_t low);

bool id_container_contains(const struct id_container *c, uint16_t low);
uint16_t id_container_first(const struct id_container *c);

/* Numbers in one and in all others and in none of the excluded, with the key in front: ids,
 * ascending. All have the same key; out has room for as many as the first has. Returns how many. */
size_t id_container_intersect(const struct id_container *const *with, size_t with_count,
                              const struct id_container *const *without, size_t without_count,
                              uint32_t *out);

/* Some number, with the key in front, has its bit set among `words` words. */
bool id_container_touches(const struct id_container *c, const uint64_t *bits, size_t words);

/* Aborts on a broken invariant. */
void id_container_check(const struct id_container *c);

#endif
