/* times_cache - each column has one place, by its address; the last one that came is there. */
#include "storage/times_cache.h"

#include "base/hash.h"
#include "encoding/times.h"

struct times_cache *times_cache_create(struct arena *a)
{
    struct times_cache *cache = arena_calloc(a, 1, sizeof(*cache));
    if (cache) cache->arena = a;
    return cache;
}

void times_cache_begin(struct times_cache *cache, uint64_t reader)
{
    if (cache->reader == reader) return;
    cache->reader = reader;
    for (size_t i = 0; i < TIMES_CACHE_ENTRIES; i++)
        cache->entries[i].bytes = NULL;
}

enum status times_cache_get(struct times_cache *cache, const uint8_t *bytes, size_t size,
                            uint32_t count, const int64_t **t_ms)
{
    struct times_cache_entry *entry =
        &cache->entries[hash_mix((uintptr_t)bytes, 0) % TIMES_CACHE_ENTRIES];
    *t_ms = entry->t_ms;
    if (entry->bytes == bytes) return OK;
    entry->bytes = NULL;
    if (entry->capacity < count) {
        entry->t_ms = arena_alloc_array(cache->arena, count, sizeof(*entry->t_ms));
        entry->capacity = entry->t_ms ? count : 0;
        if (!entry->t_ms) return cache->arena->refused;
    }
    *t_ms = entry->t_ms;
    enum status st = times_decode(bytes, size, entry->t_ms, count);
    if (!st) entry->bytes = bytes;
    return st;
}
