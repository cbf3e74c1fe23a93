/* times_cache - each column has one place, by its address; the last one that came is there. */
#include "storage/times_cache.h"

#include "base/hash.h"
#include "encoding/times.h"
#include "storage/columns.h"

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
    cache->chains = 0;
    for (size_t i = 0; i < TIMES_CACHE_LINKS; i++)
        cache->links[i].chain = 0;
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

static enum status find_range(struct times_cache *cache, size_t size, const int64_t range_ms[2],
                              struct times_link *link)
{
    struct times_head head;
    const int64_t *t_ms;
    enum status st = times_head(link->bytes, size, &head);
    if (st) return st;
    link->count = head.count;
    link->from = link->end = 0;
    if (head.last_ms < range_ms[0] || head.first_ms > range_ms[1]) return OK;
    link->end = head.count;
    link->first_ms = head.first_ms;
    link->last_ms = head.last_ms;
    if (head.first_ms >= range_ms[0] && head.last_ms <= range_ms[1]) return OK;
    st = times_cache_get(cache, link->bytes, size, head.count, &t_ms);
    if (st) return st;
    link->from = (uint32_t)columns_lower_bound(t_ms, 0, head.count, range_ms[0]);
    if (range_ms[1] < head.last_ms)
        link->end = (uint32_t)columns_lower_bound(t_ms, link->from, head.count, range_ms[1] + 1);
    if (link->from == link->end) return OK;
    link->first_ms = t_ms[link->from];
    link->last_ms = t_ms[link->end - 1];
    return OK;
}

enum status times_cache_link(struct times_cache *cache, uint64_t before, const uint8_t *bytes,
                             size_t size, const int64_t range_ms[2], struct times_link *out)
{
    struct times_link *link = &cache->links[hash_mix((uintptr_t)bytes, before) % TIMES_CACHE_LINKS];
    if (!link->chain || link->bytes != bytes || link->before != before) {
        *link = (struct times_link){.before = before, .bytes = bytes};
        enum status st = find_range(cache, size, range_ms, link);
        if (st) return st;
        link->chain = cache->reader << TIMES_CACHE_CHAIN_BITS | ++cache->chains;
    }
    *out = *link;
    return OK;
}

double *times_cache_values(struct times_cache *cache, uint32_t count)
{
    if (cache->values_capacity < count) {
        cache->values = arena_alloc_array(cache->arena, count, sizeof(*cache->values));
        cache->values_capacity = cache->values ? count : 0;
    }
    return cache->values;
}
