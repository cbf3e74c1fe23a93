/* time_columns - linear probing; what is removed is closed up, so that no tombstones are left. */
#include "storage/time_columns.h"

#include <string.h>

#include "alloc/region.h"
#include "base/assert.h"
#include "base/hash.h"

enum { HASH_BITS = 64 - REGION_REF_BITS, CAPACITY_FIRST = 16 };

static uint64_t entry_of(uint64_t hash, uint64_t reference)
{
    return reference << HASH_BITS | (hash & ((UINT64_C(1) << HASH_BITS) - 1));
}

static uint64_t reference_of(uint64_t entry)
{
    return entry >> HASH_BITS;
}

/* Where the search for an entry starts. */
static uint32_t home_of(const struct time_columns *t, uint64_t entry)
{
    return (uint32_t)(entry & ((UINT64_C(1) << HASH_BITS) - 1)) & (t->capacity - 1);
}

static uint32_t next_of(const struct time_columns *t, uint32_t at)
{
    return (at + 1) & (t->capacity - 1);
}

uint64_t time_columns_hash(const struct sealed_parts *parts)
{
    return hash_bytes(parts->times, parts->times_size, 0);
}

uint64_t time_columns_find(const struct time_columns *t, uint64_t hash,
                           const struct sealed_parts *parts)
{
    if (t->count == 0) return REGION_NONE;
    for (uint32_t at = home_of(t, entry_of(hash, 0)); t->entries[at]; at = next_of(t, at)) {
        uint64_t reference = reference_of(t->entries[at]);
        if (t->entries[at] != entry_of(hash, reference)) continue;
        const struct sealed_times *times = region_at(reference);
        if (times->size == parts->times_size &&
            memcmp(times->bytes, parts->times, times->size) == 0)
            return reference;
    }
    return REGION_NONE;
}

static void put(struct time_columns *t, uint64_t entry)
{
    uint32_t at = home_of(t, entry);
    while (t->entries[at])
        at = next_of(t, at);
    t->entries[at] = entry;
}

static bool grow(struct time_columns *t)
{
    struct time_columns old = *t;
    t->capacity = old.capacity ? old.capacity * 2 : CAPACITY_FIRST;
    t->entries = heap_calloc(t->capacity, sizeof(*t->entries), HEAP_CHUNKS);
    if (!t->entries) {
        *t = old;
        return false;
    }
    for (uint32_t i = 0; i < old.capacity; i++)
        if (old.entries[i]) put(t, old.entries[i]);
    heap_free(old.entries, old.capacity * sizeof(*old.entries), HEAP_CHUNKS);
    return true;
}

bool time_columns_add(struct time_columns *t, uint64_t hash, uint64_t reference)
{
    if ((t->count + 1) * UINT64_C(2) > t->capacity && !grow(t)) return false;
    put(t, entry_of(hash, reference));
    t->count++;
    return true;
}

void time_columns_remove(struct time_columns *t, uint64_t hash, uint64_t reference)
{
    uint64_t entry = entry_of(hash, reference);
    uint32_t hole = home_of(t, entry);
    while (t->entries[hole] != entry) {
        ASSERT(t->entries[hole]);
        hole = next_of(t, hole);
    }
    t->entries[hole] = 0;
    t->count--;
    /* Whoever was pushed behind the hole moves up. */
    for (uint32_t at = next_of(t, hole); t->entries[at]; at = next_of(t, at)) {
        uint32_t distance = (at - home_of(t, t->entries[at])) & (t->capacity - 1);
        if (distance < ((at - hole) & (t->capacity - 1))) continue;
        t->entries[hole] = t->entries[at];
        t->entries[at] = 0;
        hole = at;
    }
}

void time_columns_release(struct time_columns *t)
{
    heap_free(t->entries, t->capacity * sizeof(*t->entries), HEAP_CHUNKS);
    *t = (struct time_columns){0};
}
