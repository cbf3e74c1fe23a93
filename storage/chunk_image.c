/*
 * chunk - the stream as bytes for a snapshot, and back.
 */
#include <endian.h>
#include <string.h>

#include "storage/chunk_parts.h"

/* The stream of a chunk without late samples, as an image. */
static enum status export_stream(const struct chunk *c, struct arena *a, struct chunk_image *image,
                                 struct error *err)
{
    struct extent extent = extent_load(c);
    struct open_state state = {.count = 0};
    image->window = c->window;
    image->encoding = CHUNK_OPEN;
    image->sample_count = extent.count;
    if (extent.count == 0) return OK;
    uint8_t *bytes = arena_alloc(a, stream_bytes(extent));
    if (!bytes) return arena_error(a, err);
    chunk_stream_copy(c, extent, bytes);
    image->bytes = bytes;
    image->size = (uint32_t)(((uint64_t)extent.bits + 7) / 8);
    /* The last byte may hold the start of a sample that came meanwhile. */
    if (extent.bits % 8) bytes[image->size - 1] &= (uint8_t)(0xFF00 >> extent.bits % 8);
    enum status st = open_decode(bytes, image->size, extent.count, NULL, NULL, &state);
    if (st) return error_set(err, st, "chunk of window %lld does not decode", (long long)c->window);
    uint64_t t_first;
    memcpy(&t_first, bytes, sizeof(t_first));
    image->t_first_ms = (int64_t)be64toh(t_first);
    image->t_last_ms = state.t_ms;
    return OK;
}

enum status chunk_export(const struct chunk *c, struct arena *a, struct chunk_image *image,
                         struct error *err)
{
    if (!c->base && chunk_late_count(c) == 0) return export_stream(c, a, image, err);
    struct chunk *merged = chunk_rewrite(c, a);
    if (!merged) return error_set(err, ERR_NO_MEMORY, "no memory to merge late samples");
    enum status st = export_stream(merged, a, image, err);
    chunk_destroy(merged);
    return st;
}

/* Put checked bytes into cells: the reverse of stream_copy. */
static bool stream_load(struct chunk *c, const uint8_t *bytes, size_t size)
{
    struct cell *cell = NULL;
    for (size_t done = 0, index = CELL_WORDS; done < size; done += 4, index++) {
        if (index == CELL_WORDS) {
            if (chunk_link_cell(c, &c->first_cell, &c->last_cell) == CELL_NONE) return false;
            cell = cells_at(c->last_cell);
            index = 0;
        }
        uint32_t word = 0;
        memcpy(&word, bytes + done, size - done < 4 ? size - done : 4);
        word_store(cell, (uint32_t)index, be32toh(word));
    }
    return true;
}

static enum status check_image(const struct chunk_image *image, int64_t t_min_ms, int64_t t_max_ms,
                               struct open_state *state, struct error *err)
{
    if (image->encoding != CHUNK_OPEN)
        return error_set(err, ERR_UNSUPPORTED, "unknown chunk encoding %u", image->encoding);
    if (image->sample_count == 0 || image->size < 16)
        return error_set(err, ERR_CORRUPT, "chunk of %u samples in %u bytes", image->sample_count,
                         image->size);
    if (open_decode(image->bytes, image->size, image->sample_count, NULL, NULL, state))
        return error_set(err, ERR_CORRUPT, "chunk does not decode after %u of %u samples",
                         state->count, image->sample_count);
    uint64_t t_first;
    memcpy(&t_first, image->bytes, sizeof(t_first));
    t_first = be64toh(t_first);
    if ((int64_t)t_first != image->t_first_ms || state->t_ms != image->t_last_ms ||
        ((uint64_t)state->bits + 7) / 8 != image->size)
        return error_set(err, ERR_CORRUPT, "chunk and its description do not agree");
    if (image->t_first_ms < t_min_ms || image->t_last_ms > t_max_ms)
        return error_set(err, ERR_CORRUPT, "chunk holds times outside its window");
    return OK;
}

enum status chunk_import(const struct chunk_image *image, int64_t t_min_ms, int64_t t_max_ms,
                         struct chunk **out, struct error *err)
{
    struct open_state state = {.count = 0};
    enum status st = check_image(image, t_min_ms, t_max_ms, &state, err);
    if (st) return st;
    struct chunk *c = chunk_create(image->window);
    if (!c || !stream_load(c, image->bytes, image->size)) {
        chunk_destroy(c);
        return error_set(err, ERR_NO_MEMORY, "memory limit reached while loading a chunk");
    }
    /* What follows the last bit must be zero: append ORs the next sample into that word. */
    if (state.bits % WORD_BITS) {
        uint32_t index = state.bits % CELL_BITS / WORD_BITS;
        struct cell *last = cells_at(c->last_cell);
        uint32_t keep = UINT32_MAX << (WORD_BITS - state.bits % WORD_BITS);
        word_store(last, index, word_load(last, index) & keep);
    }
    c->state = state;
    c->t_first_ms = image->t_first_ms;
    extent_publish(c, state.count, state.bits);
    *out = c;
    return OK;
}
