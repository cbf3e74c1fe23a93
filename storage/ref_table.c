/* ref_table - linear probing; what is removed is closed up, so that no tombstones are left. */
#include "storage/ref_table.h"

#include "alloc/heap.h"
#include "alloc/region.h"

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
static uint32_t home_of(const struct ref_table *t, uint64_t entry)
{
    return (uint32_t)(entry & ((UINT64_C(1) << HASH_BITS) - 1)) & (t->capacity - 1);
}

static uint32_t next_of(const struct ref_table *t, uint32_t at)
{
    return (at + 1) & (t->capacity - 1);
}

uint64_t ref_table_next(const struct ref_table *t, uint64_t hash, uint32_t *cursor)
{
    if (t->count == 0) return REGION_NONE;
    uint64_t wanted = entry_of(hash, 0);
    uint32_t at = *cursor == REF_TABLE_START ? home_of(t, wanted) : next_of(t, *cursor);
    for (; t->entries[at]; at = next_of(t, at)) {
        uint64_t reference = reference_of(t->entries[at]);
        if (t->entries[at] != entry_of(hash, reference)) continue;
        *cursor = at;
        return reference;
    }
    return REGION_NONE;
}

static void put(struct ref_table *t, uint64_t entry)
{
    uint32_t at = home_of(t, entry);
    while (t->entries[at])
        at = next_of(t, at);
    t->entries[at] = entry;
}

static uint64_t *take_entries(const struct ref_table *t)
{
    return t->arena ? arena_calloc(t->arena, t->capacity, sizeof(*t->entries))
                    : heap_calloc(t->capacity, sizeof(*t->entries), HEAP_CHUNKS);
}

static void give_entries_back(const struct ref_table *t)
{
    if (!t->arena) heap_free(t->entries, t->capacity * sizeof(*t->entries), HEAP_CHUNKS);
}

static bool grow(struct ref_table *t)
{
    struct ref_table old = *t;
    t->capacity = old.capacity ? old.capacity * 2 : CAPACITY_FIRST;
    t->entries = take_entries(t);
    if (!t->entries) {
        *t = old;
        return false;
    }
    for (uint32_t i = 0; i < old.capacity; i++)
        if (old.entries[i]) put(t, old.entries[i]);
    give_entries_back(&old);
    return true;
}

bool ref_table_add(struct ref_table *t, uint64_t hash, uint64_t reference)
{
    if ((t->count + 1) * UINT64_C(2) > t->capacity && !grow(t)) return false;
    put(t, entry_of(hash, reference));
    t->count++;
    return true;
}

bool ref_table_remove(struct ref_table *t, uint64_t hash, uint64_t reference)
{
    if (t->count == 0) return false;
    uint64_t entry = entry_of(hash, reference);
    uint32_t hole = home_of(t, entry);
    while (t->entries[hole] != entry) {
        if (!t->entries[hole]) return false;
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
    return true;
}

void ref_table_release(struct ref_table *t)
{
    give_entries_back(t);
    *t = (struct ref_table){0};
}
