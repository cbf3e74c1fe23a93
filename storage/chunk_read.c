/*
 * chunk - reading: stream, base and late run as columns, and one stream made of them.
 */
#include "base/assert.h"
#include "storage/chunk_parts.h"
#include "storage/regions.h"

void chunk_stream_copy(const struct chunk *c, struct extent extent, uint8_t *out)
{
    struct cells_copy copy = {
        .cell = c->first_cell, .bytes = (uint32_t)stream_bytes(extent), .out = out};
    cells_gather(&copy, 1);
}

enum status chunk_stream_find(const struct chunk *c, int64_t t_ms, bool *found, double *v)
{
    struct extent extent = extent_load(c);
    size_t size = bits_align_up(stream_bytes(extent), sizeof(int64_t));
    size_t scratch_bytes = size + extent.count * (sizeof(int64_t) + sizeof(double));
    struct open_state state;
    uint8_t *scratch = heap_alloc(scratch_bytes, HEAP_CHUNKS);
    if (!scratch) return ERR_NO_MEMORY;
    struct columns all = {.t_ms = (int64_t *)(void *)(scratch + size), .count = extent.count};
    all.v = (double *)(void *)(all.t_ms + extent.count);
    chunk_stream_copy(c, extent, scratch);
    enum status st = open_decode(scratch, size, extent.count, all.t_ms, all.v, &state);
    ASSERT(st == OK);
    size_t at;
    *found = columns_find(&all, t_ms, &at);
    if (*found) *v = all.v[at];
    heap_free(scratch, scratch_bytes, HEAP_CHUNKS);
    return OK;
}

/* The samples of the stream, or of the base; the columns have room. */
static enum status read_stream(const struct chunk *c, struct extent extent,
                               const int64_t range_ms[2], struct columns *columns,
                               struct error *err)
{
    struct open_state state;
    size_t first = columns->count;
    if (c->base) return sealed_read(regions_at(c->base), range_ms[0], range_ms[1], columns, err);
    if (extent.count == 0) return OK;
    uint8_t *bytes = arena_alloc(columns->arena, stream_bytes(extent));
    if (!bytes) return arena_error(columns->arena, err);
    chunk_stream_copy(c, extent, bytes);
    if (open_decode(bytes, stream_bytes(extent), extent.count, columns->t_ms + first,
                    columns->v + first, &state))
        return error_set(err, ERR_CORRUPT, "chunk of window %lld does not decode",
                         (long long)c->window);
    columns->count += extent.count;
    columns_keep(columns, first, range_ms[0], range_ms[1]);
    return OK;
}

enum status chunk_read(const struct chunk *c, int64_t t_min_ms, int64_t t_max_ms,
                       struct columns *columns, struct error *err)
{
    struct extent extent = extent_load(c);
    uint32_t late = chunk_late_count(c);
    size_t first = columns->count;
    const int64_t range_ms[2] = {t_min_ms, t_max_ms};
    if (!columns_reserve(columns, (size_t)c->base_count + extent.count + late))
        return arena_error(columns->arena, err);

    struct arena_mark mark = arena_mark(columns->arena);
    enum status st = read_stream(c, extent, range_ms, columns, err);
    if (!st && late) {
        st = chunk_late_merge(c, late, range_ms, columns, first);
        if (st) st = arena_error(columns->arena, err);
    }
    arena_rewind(columns->arena, mark);
    return st;
}

struct chunk *chunk_rewrite(const struct chunk *old, struct arena *scratch)
{
    struct arena_mark mark = arena_mark(scratch);
    struct columns columns = {.arena = scratch};
    struct chunk *fresh = NULL;
    if (chunk_read(old, INT64_MIN, INT64_MAX, &columns, NULL)) goto out;
    fresh = chunk_create(old->window);
    for (size_t i = 0; fresh && i < columns.count; i++) {
        if (chunk_append(fresh, columns.t_ms[i], columns.v[i]) == CHUNK_APPENDED) continue;
        chunk_destroy(fresh);
        fresh = NULL;
    }
out:
    arena_rewind(scratch, mark);
    return fresh;
}
