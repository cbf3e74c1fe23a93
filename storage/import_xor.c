/* import_xor - decode, append, export. */
#include "storage/import_xor.h"

#include "storage/chunk.h"
#include "storage/xor_codec.h"

enum { STREAM_BYTES_MIN = 16 };

/* The first sample is 16 bytes, the others have two bits at least. */
static bool may_hold(const struct chunk_image *image)
{
    return image->sample_count > 0 && image->size >= STREAM_BYTES_MIN &&
           image->sample_count - 1 <= ((uint64_t)image->size - STREAM_BYTES_MIN) * 4;
}

static enum status decode(const struct chunk_image *image, struct columns *columns,
                          struct error *err)
{
    struct xor_state state = {.count = 0};
    if (!may_hold(image))
        return error_set(err, ERR_CORRUPT, "chunk of %u samples in %u bytes", image->sample_count,
                         image->size);
    if (!columns_reserve(columns, image->sample_count)) return arena_error(columns->arena, err);
    if (xor_decode(image->bytes, image->size, image->sample_count, INT64_MIN, INT64_MAX, columns,
                   &state))
        return error_set(err, ERR_CORRUPT, "chunk does not decode after %u of %u samples",
                         state.count, image->sample_count);
    if (columns->t_ms[0] != image->t_first_ms || state.t_ms != image->t_last_ms ||
        ((uint64_t)state.bits + 7) / 8 != image->size)
        return error_set(err, ERR_CORRUPT, "chunk and its description do not agree");
    return OK;
}

enum status import_xor(const struct chunk_image *from, struct arena *a, struct chunk_image *to,
                       struct error *err)
{
    struct columns columns = {.arena = a};
    enum status st = decode(from, &columns, err);
    if (st) return st;
    struct chunk *c = chunk_create(from->window);
    st = c ? OK : ERR_NO_MEMORY;
    for (size_t i = 0; !st && i < columns.count; i++)
        if (chunk_add(c, columns.t_ms[i], columns.v[i]) != CHUNK_APPENDED) st = ERR_NO_MEMORY;
    if (st) error_set(err, st, "memory limit reached while loading a chunk");
    *to = *from;
    if (!st) st = chunk_export(c, a, to, err);
    chunk_destroy(c);
    return st;
}
