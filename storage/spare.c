/*
 * spare - what the tables and open chunks of storage hold and do not use.
 *
 * Open addressing needs empty places and growing arrays have ends, so some of it is the price of
 * the structure; it is counted all the same, because nothing of it is anybody's data. Each table is
 * looked at under its own lock, one after the other.
 */
#include "storage/state.h"

static uint64_t unused(uint64_t capacity, uint64_t count, size_t item_bytes)
{
    return (capacity - count) * item_bytes;
}

static uint64_t shard_spare(struct shard *sh)
{
    rwlock_read_lock(&sh->lock);
    uint64_t bytes = unused(sh->map.capacity, sh->map.count, sizeof(*sh->map.entries));
    bytes += unused(sh->postings.capacity, sh->postings.count, sizeof(*sh->postings.entries));
    bytes +=
        unused(directory_places(&sh->directory), sh->map.count, sizeof(struct directory_place));
    bytes += (uint64_t)gauge_read(&sh->counters.chunk_spare_bytes);
    rwlock_read_unlock(&sh->lock);
    return bytes;
}

static uint64_t symbols_spare(struct symbols *s)
{
    uint64_t bytes = 0;
    rwlock_read_lock(&s->lock);
    for (size_t i = 0; i < SYMBOL_TABLES; i++)
        bytes += symbol_table_spare(&s->tables[i]);
    bytes += unused(s->family_capacity, s->family_count, sizeof(*s->families));
    for (uint32_t i = 0; i < s->family_count; i++)
        bytes += unused(s->families[i].capacity, s->families[i].count, sizeof(struct symbol *));
    rwlock_read_unlock(&s->lock);
    return bytes;
}

uint64_t storage_spare_bytes(struct storage *db)
{
    uint64_t bytes = symbols_spare(&db->symbols);
    for (uint32_t i = 0; i < db->shard_count; i++)
        bytes += shard_spare(&db->shards[i]);
    return bytes;
}
