/* series_map - linear probing with gaps closed on removal. */
#include "storage/series_map.h"

#include <string.h>

#include "alloc/heap.h"
#include "base/assert.h"
#include "base/bits.h"

enum { CAPACITY_MIN = 32 };

void series_map_release(struct series_map *m)
{
    heap_free(m->entries, m->capacity * sizeof(*m->entries), HEAP_INDEX);
    *m = (struct series_map){0};
}

static void place(struct series_map_entry *entries, uint32_t mask, struct series_map_entry entry)
{
    uint32_t at = entry.hash & mask;
    while (entries[at].local_plus_1)
        at = (at + 1) & mask;
    entries[at] = entry;
}

static bool resize(struct series_map *m, uint32_t capacity)
{
    struct series_map_entry *entries = heap_alloc(capacity * sizeof(*entries), HEAP_INDEX);
    if (!entries) return false;
    /* Not heap_calloc: a fresh page that is read first is the system's page of zeros, and has to be
     * replaced by the first write, on all cores. */
    memset(entries, 0, capacity * sizeof(*entries));
    for (uint32_t i = 0; i < m->capacity; i++) {
        if (m->entries[i].local_plus_1) place(entries, capacity - 1, m->entries[i]);
    }
    heap_free(m->entries, m->capacity * sizeof(*m->entries), HEAP_INDEX);
    m->entries = entries;
    m->capacity = capacity;
    return true;
}

void series_map_move(struct series_map *m)
{
    if (heap_is_emptying(m->entries)) (void)resize(m, m->capacity); /* refused: it stays */
}

bool series_map_reserve(struct series_map *m)
{
    if ((uint64_t)(m->count + 1) * 4 <= (uint64_t)m->capacity * 3) return true;
    return resize(m, m->capacity ? m->capacity * 2 : CAPACITY_MIN);
}

void series_map_insert(struct series_map *m, uint32_t hash, uint32_t local)
{
    DEBUG_ASSERT(m->count < m->capacity);
    place(m->entries, m->capacity - 1,
          (struct series_map_entry){.hash = hash, .local_plus_1 = local + 1});
    m->count++;
}

void series_map_remove(struct series_map *m, uint32_t hash, uint32_t local)
{
    uint32_t mask = m->capacity - 1;
    uint32_t gap = hash & mask;
    while (m->entries[gap].local_plus_1 != local + 1) {
        DEBUG_ASSERT(m->entries[gap].local_plus_1);
        gap = (gap + 1) & mask;
    }
    /* Every later entry of the run that may move towards its home does (Knuth, 6.4 R). */
    for (uint32_t at = (gap + 1) & mask; m->entries[at].local_plus_1; at = (at + 1) & mask) {
        uint32_t from_home = (at - m->entries[at].hash) & mask;
        if (from_home < ((at - gap) & mask)) continue;
        m->entries[gap] = m->entries[at];
        gap = at;
    }
    m->entries[gap] = (struct series_map_entry){0};
    m->count--;
    if (m->count == 0) {
        series_map_release(m);
    } else if (m->capacity > CAPACITY_MIN && m->count < m->capacity / 4) {
        (void)resize(m, m->capacity / 2); /* refused: it stays large, and works */
    }
}

uint32_t series_map_next(const struct series_map *m, uint32_t hash, uint32_t *cursor)
{
    if (m->capacity == 0) return SERIES_MAP_NONE;
    uint32_t mask = m->capacity - 1;
    uint32_t at = *cursor == SERIES_MAP_NONE ? hash & mask : (*cursor + 1) & mask;
    for (; m->entries[at].local_plus_1; at = (at + 1) & mask) {
        if (m->entries[at].hash != hash) continue;
        *cursor = at;
        return m->entries[at].local_plus_1 - 1;
    }
    return SERIES_MAP_NONE;
}

void series_map_check(const struct series_map *m)
{
    uint32_t count = 0;
    ASSERT(m->capacity == 0 || bits_is_power_of_two(m->capacity));
    for (uint32_t i = 0; i < m->capacity; i++) {
        const struct series_map_entry *entry = &m->entries[i];
        uint32_t mask = m->capacity - 1;
        if (!entry->local_plus_1) continue;
        count++;
        for (uint32_t at = entry->hash & mask; at != i; at = (at + 1) & mask)
            ASSERT(m->entries[at].local_plus_1); /* reachable from its home */
    }
    ASSERT(count == m->count);
}
