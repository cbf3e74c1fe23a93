/* window_region - putting and deleting, columns first, then chunks. */
#include "storage/window_region.h"

#include <string.h>

#include "base/assert.h"
#include "base/hash.h"

enum { CHUNK_TABLES = 256 };

struct window_region_hash window_region_hash(const struct sealed_parts *parts)
{
    return (struct window_region_hash){.times = hash_bytes(parts->times, parts->times_size, 0),
                                       .values = hash_bytes(parts->values, parts->values_size, 0)};
}

static void delete_column(struct window_region *w, uint64_t hash, struct sealed_times *column)
{
    bool known = ref_table_remove(&w->columns, hash, region_ref(column));
    ASSERT(known);
    region_delete(&w->region, sealed_times_bytes(column));
}

static struct sealed_times *find_column(const struct window_region *w, uint64_t hash,
                                        const struct sealed_parts *parts)
{
    uint32_t cursor = REF_TABLE_START;
    uint64_t ref;
    while ((ref = ref_table_next(&w->columns, hash, &cursor)) != REGION_NONE) {
        struct sealed_times *column = region_at(ref);
        if (column->size == parts->times_size &&
            memcmp(column->bytes, parts->times, column->size) == 0)
            return column;
    }
    return NULL;
}

/* A new column without users; NULL at the limit. */
static struct sealed_times *create_column(struct window_region *w, uint64_t hash,
                                          const struct sealed_parts *parts)
{
    uint32_t bytes = (uint32_t)sizeof(struct sealed_times) + parts->times_size;
    uint64_t ref = region_alloc(&w->region, bytes);
    if (ref == REGION_NONE) return NULL;
    if (!ref_table_add(&w->columns, hash, ref)) {
        region_delete(&w->region, bytes);
        return NULL;
    }
    struct sealed_times *column = region_at(ref);
    column->users = 0;
    column->size = parts->times_size;
    memcpy(column->bytes, parts->times, parts->times_size);
    return column;
}

/* Many small tables instead of one: none takes long to grow. */
static uint64_t hash_chunk(const struct sealed_times *column, struct window_region_hash hash)
{
    return hash_mix(hash.values, region_ref(column));
}

static struct ref_table *chunk_table(const struct window_region *w, uint64_t hash)
{
    return w->chunks ? &w->chunks[hash >> 32 & (CHUNK_TABLES - 1)] : NULL;
}

static struct sealed *find_chunk(const struct window_region *w, uint64_t hash,
                                 const struct sealed_times *column,
                                 const struct sealed_parts *parts)
{
    const struct ref_table *table = chunk_table(w, hash);
    uint32_t cursor = REF_TABLE_START;
    uint64_t ref;
    while (table && (ref = ref_table_next(table, hash, &cursor)) != REGION_NONE) {
        struct sealed *s = region_at(ref);
        struct sealed_parts there = sealed_parts(s);
        if (sealed_column(s) == region_ref(column) && there.values_size == parts->values_size &&
            memcmp(there.values, parts->values, there.values_size) == 0)
            return s;
    }
    return NULL;
}

/* NULL at the limit. */
static struct ref_table *create_tables(struct window_region *w)
{
    struct ref_table *tables = arena_alloc_array(&w->passing, CHUNK_TABLES, sizeof(*tables));
    for (uint32_t i = 0; tables && i < CHUNK_TABLES; i++)
        tables[i] = (struct ref_table){.arena = &w->passing};
    return tables;
}

/* To be found by those that come after it, if there is memory for that. */
static void remember_chunk(struct window_region *w, uint64_t hash, const struct sealed *s)
{
    if (!w->chunks) w->chunks = create_tables(w);
    if (w->chunks) (void)!ref_table_add(chunk_table(w, hash), hash, region_ref(s));
}

static void forget_chunks(struct window_region *w)
{
    w->chunks = NULL;
    arena_release(&w->passing);
}

/* A new chunk without users; NULL at the limit. */
static struct sealed *create_chunk(struct window_region *w, struct sealed_times *column,
                                   const struct sealed_parts *parts)
{
    uint64_t ref = region_alloc(&w->region, sealed_bytes_for(parts->values_size));
    if (ref == REGION_NONE) return NULL;
    struct sealed *s = region_at(ref);
    sealed_write(s, region_ref(column), parts);
    column->users++;
    return s;
}

/* The chunk of these parts, if need be a new one without users. */
static struct sealed *find_or_create_chunk(struct window_region *w, uint64_t hash,
                                           struct sealed_times *column,
                                           const struct sealed_parts *parts)
{
    struct sealed *s = find_chunk(w, hash, column, parts);
    if (s) return s;
    s = create_chunk(w, column, parts);
    if (s) remember_chunk(w, hash, s);
    return s;
}

const struct sealed *window_region_put(struct window_region *w, struct window_region_hash hash,
                                       const struct sealed_parts *parts)
{
    struct sealed_times *column = find_column(w, hash.times, parts);
    if (!column) column = create_column(w, hash.times, parts);
    if (!column) return NULL;
    struct sealed *s = find_or_create_chunk(w, hash_chunk(column, hash), column, parts);
    if (!s && column->users == 0) delete_column(w, hash.times, column);
    if (s && s->users < SEALED_USERS_MAX) s->users++;
    return s;
}

void window_region_delete(struct window_region *w, struct sealed *s)
{
    if (s->users == SEALED_USERS_MAX || --s->users > 0) return;
    struct sealed_parts parts = sealed_parts(s);
    struct sealed_times *column = region_at(sealed_column(s));
    struct window_region_hash hashes = window_region_hash(&parts);
    uint64_t hash = hash_chunk(column, hashes);
    struct ref_table *table = chunk_table(w, hash);
    if (table) (void)ref_table_remove(table, hash, region_ref(s));
    region_delete(&w->region, sealed_bytes(s));
    if (--column->users == 0) delete_column(w, hashes.times, column);
}

void window_region_settle(struct window_region *w)
{
    region_trim(&w->region);
    forget_chunks(w);
}

void window_region_init(struct window_region *w)
{
    region_init(&w->region, HEAP_CHUNKS);
    arena_init(&w->passing, HEAP_CHUNKS, UINT64_MAX);
    w->columns = (struct ref_table){0};
    w->chunks = NULL;
}

void window_region_release(struct window_region *w)
{
    region_release(&w->region);
    ref_table_release(&w->columns);
    forget_chunks(w);
}
