/* import_former - decode, append, export. */
#include "storage/import_former.h"

#include "encoding/open_former.h"
#include "storage/chunk.h"
#include "storage/xor_codec.h"

enum { FIRST_BYTES = 16 };

/* The first sample is 16 bytes, the others have a bit at least (two with XOR). */
static bool may_hold(const struct chunk_image *image)
{
    uint32_t per_byte = image->encoding == CHUNK_XOR ? 4 : 8;
    return image->sample_count > 0 && image->size >= FIRST_BYTES &&
           image->sample_count - 1 <= ((uint64_t)image->size - FIRST_BYTES) * per_byte;
}

/* Room is there. *decoded samples are in the columns then, of so many bits. */
static enum status decode_samples(const struct chunk_image *image, struct columns *columns,
                                  uint32_t *decoded, uint32_t *bits)
{
    if (image->encoding == CHUNK_OPEN_FORMER) {
        *decoded = image->sample_count;
        enum status st =
            open_former_decode(image->bytes, image->size, decoded, columns->t_ms, columns->v, bits);
        columns->count = *decoded;
        return st;
    }
    struct xor_state state = {.count = 0};
    enum status st = xor_decode(image->bytes, image->size, image->sample_count, INT64_MIN,
                                INT64_MAX, columns, &state);
    *decoded = state.count;
    *bits = state.bits;
    return st;
}

static enum status decode(const struct chunk_image *image, struct columns *columns,
                          struct error *err)
{
    uint32_t decoded = 0;
    uint32_t bits = 0;
    if (!may_hold(image))
        return error_set(err, ERR_CORRUPT, "chunk of %u samples in %u bytes", image->sample_count,
                         image->size);
    if (!columns_reserve(columns, image->sample_count)) return arena_error(columns->arena, err);
    if (decode_samples(image, columns, &decoded, &bits))
        return error_set(err, ERR_CORRUPT, "chunk does not decode after %u of %u samples", decoded,
                         image->sample_count);
    if (columns->t_ms[0] != image->t_first_ms ||
        columns->t_ms[columns->count - 1] != image->t_last_ms ||
        ((uint64_t)bits + 7) / 8 != image->size)
        return error_set(err, ERR_CORRUPT, "chunk and its description do not agree");
    return OK;
}

enum status import_former(const struct chunk_image *from, struct arena *a, struct chunk_image *to,
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
    if (!st) st = chunk_export(c, NULL, a, to, err);
    chunk_destroy(c);
    return st;
}
