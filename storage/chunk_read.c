/*
 * chunk - reading: stream, base and late run as columns, and one stream made of them.
 */
#include <endian.h>
#include <string.h>

#include "storage/chunk_parts.h"
#include "storage/regions.h"

struct cells_copy chunk_stream_begin(const struct chunk *c, struct stream_extent extent,
                                     uint8_t *out)
{
    uint32_t bytes = (uint32_t)stream_bytes(extent);
    uint32_t here = bytes < CHUNK_WORDS * 4 ? bytes : CHUNK_WORDS * 4;
    for (uint32_t i = 0; i < here / 4; i++) {
        uint32_t word = htobe32(word_load(&c->words[i]));
        memcpy(out + (size_t)i * 4, &word, sizeof(word));
    }
    return (struct cells_copy){.cell = atomic_load_explicit(&c->next, memory_order_acquire),
                               .bytes = bytes - here,
                               .out = out + here};
}

void chunk_stream_copy(const struct chunk *c, struct stream_extent extent, uint8_t *out)
{
    struct cells_copy rest = chunk_stream_begin(c, extent, out);
    cells_gather(&rest, 1);
}

enum status chunk_undecodable(const struct chunk *c, struct error *err)
{
    return error_set(err, ERR_CORRUPT, "chunk of window %lld does not decode",
                     (long long)c->window);
}

/* The time of the first sample; there is one. */
static int64_t first_ms(const struct chunk *c)
{
    return (int64_t)((uint64_t)word_load(&c->words[0]) << 32 | word_load(&c->words[1]));
}

bool chunk_may_have(const struct chunk *c, int64_t t_ms)
{
    return stream_extent_load(c).count > 0 && t_ms < c->state.t_ms && t_ms >= first_ms(c);
}

/* All of a stream, for a moment. */
struct decoded {
    int64_t *t_ms;
    double *v;
    uint8_t *scratch; /* heap, HEAP_CHUNKS */
    size_t scratch_bytes;
};

/* ERR_NO_MEMORY, ERR_CORRUPT: nothing to free. */
static enum status decode_stream(const struct chunk *c, struct stream_extent extent,
                                 struct decoded *out)
{
    size_t size = bits_align_up(stream_bytes(extent), sizeof(int64_t));
    struct open_state state;
    out->scratch_bytes = size + extent.count * (sizeof(int64_t) + sizeof(double));
    out->scratch = heap_alloc(out->scratch_bytes, HEAP_CHUNKS);
    if (!out->scratch) return ERR_NO_MEMORY;
    out->t_ms = (int64_t *)(void *)(out->scratch + size);
    out->v = (double *)(void *)(out->t_ms + extent.count);
    chunk_stream_copy(c, extent, out->scratch);
    enum status st = open_decode(out->scratch, size, &extent.count, out->t_ms, out->v, &state);
    if (st) heap_free(out->scratch, out->scratch_bytes, HEAP_CHUNKS);
    return st;
}

enum status chunk_stream_find(const struct chunk *c, int64_t t_ms, bool *found, double *v)
{
    struct stream_extent extent = stream_extent_load(c);
    struct decoded all;
    *found = false;
    if (extent.count == 0 || t_ms < first_ms(c)) return OK;
    enum status st = decode_stream(c, extent, &all);
    if (st) return st;
    const struct columns columns = {.t_ms = all.t_ms, .v = all.v, .count = extent.count};
    size_t at;
    *found = columns_find(&columns, t_ms, &at);
    if (*found) *v = all.v[at];
    heap_free(all.scratch, all.scratch_bytes, HEAP_CHUNKS);
    return OK;
}

/* The samples of the stream; the columns have room. */
static enum status read_stream(const struct chunk *c, struct stream_extent extent,
                               const int64_t range_ms[2], struct columns *columns,
                               struct error *err)
{
    struct open_state state;
    size_t first = columns->count;
    if (extent.count == 0) return OK;
    uint8_t *bytes = arena_alloc(columns->arena, stream_bytes(extent));
    if (!bytes) return arena_error(columns->arena, err);
    chunk_stream_copy(c, extent, bytes);
    if (open_decode(bytes, stream_bytes(extent), &extent.count, columns->t_ms + first,
                    columns->v + first, &state))
        return chunk_undecodable(c, err);
    columns->count += extent.count;
    columns_keep(columns, first, range_ms[0], range_ms[1]);
    return OK;
}

enum status chunk_read(const struct chunk *c, int64_t t_min_ms, int64_t t_max_ms,
                       struct columns *columns, struct error *err)
{
    return chunk_read_until(c, chunk_extent_now(c), t_min_ms, t_max_ms, columns, err);
}

enum status chunk_read_until(const struct chunk *c, struct chunk_extent until, int64_t t_min_ms,
                             int64_t t_max_ms, struct columns *columns, struct error *err)
{
    struct stream_extent extent = stream_extent_of(until.published);
    const struct chunk_side *side = chunk_side(c);
    uint64_t base = side ? side->base : 0;
    uint32_t late = until.late;
    size_t first = columns->count;
    const int64_t range_ms[2] = {t_min_ms, t_max_ms};
    size_t count = (size_t)extent.count + late + (side ? side->base_count : 0);
    if (!columns_reserve(columns, count)) return arena_error(columns->arena, err);

    enum status st = OK;
    if (base) st = sealed_read(regions_at(base), t_min_ms, t_max_ms, columns, err);
    struct arena_mark mark = arena_mark(columns->arena); /* behind the times that are kept */
    if (!base) st = read_stream(c, extent, range_ms, columns, err);
    if (!st && late) {
        st = chunk_late_merge(side, late, range_ms, columns, first);
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
