/* image - decoding what came from outside: counts are believed only as far as bytes and window go.
 */
#include "storage/image.h"

#include "base/assert.h"
#include "encoding/open_codec.h"
#include "encoding/values.h"

static enum status corrupt(const struct chunk_image *image, const char *what, struct error *err)
{
    return error_set(err, ERR_CORRUPT, "chunk of %u samples in %u bytes: %s", image->sample_count,
                     image->size, what);
}

static enum status read_open(const struct chunk_image *image, struct columns *columns,
                             struct error *err)
{
    struct open_state state;
    uint32_t count = image->sample_count;
    /* The first sample is 128 bits, each other one at least. */
    if (image->size < 16 || image->sample_count - 1 > (uint64_t)image->size * 8 - 128)
        return corrupt(image, "too few bytes", err);
    if (!columns_reserve(columns, image->sample_count)) return arena_error(columns->arena, err);
    if (open_decode(image->bytes, image->size, &count, columns->t_ms + columns->count,
                    columns->v + columns->count, &state))
        return corrupt(image, "it does not decode", err);
    if (((uint64_t)state.bits + 7) / 8 != image->size) return corrupt(image, "too many bytes", err);
    return OK;
}

static enum status read_sealed(const struct chunk_image *image, struct columns *columns,
                               struct error *err)
{
    struct times_head head;
    if (!image->times || times_head(image->times, image->times_size, &head) ||
        head.count != image->sample_count)
        return corrupt(image, "its times do not decode", err);
    if ((uint64_t)head.last_ms - (uint64_t)head.first_ms < head.count - 1)
        return corrupt(image, "more samples than milliseconds", err);
    if (!columns_reserve(columns, image->sample_count)) return arena_error(columns->arena, err);
    if (times_decode(image->times, image->times_size, columns->t_ms + columns->count, head.count) ||
        values_decode(image->bytes, image->size, columns->v + columns->count, head.count, NULL))
        return corrupt(image, "it does not decode", err);
    return OK;
}

enum status image_read(const struct chunk_image *image, int64_t t_min_ms, int64_t t_max_ms,
                       struct columns *columns, struct error *err)
{
    if (image->encoding != CHUNK_OPEN && image->encoding != CHUNK_SEALED)
        return error_set(err, ERR_UNSUPPORTED, "unknown chunk encoding %u", image->encoding);
    if (image->sample_count == 0) return corrupt(image, "nothing in it", err);
    if (image->t_first_ms < t_min_ms || image->t_last_ms > t_max_ms ||
        image->t_last_ms < image->t_first_ms)
        return corrupt(image, "times outside its window", err);
    enum status st = image->encoding == CHUNK_SEALED ? read_sealed(image, columns, err)
                                                     : read_open(image, columns, err);
    if (st) return st;
    const int64_t *t_ms = columns->t_ms + columns->count;
    if (t_ms[0] != image->t_first_ms || t_ms[image->sample_count - 1] != image->t_last_ms)
        return corrupt(image, "it and its description do not agree", err);
    columns->count += image->sample_count;
    return OK;
}

static bool agrees(const struct chunk_image *image, const struct times_head *head)
{
    return head->count == image->sample_count && head->first_ms == image->t_first_ms &&
           head->last_ms == image->t_last_ms;
}

/* Series of one scrape have the same times, and mostly follow each other. */
enum status image_check(const struct chunk_image *image, int64_t t_min_ms, int64_t t_max_ms,
                        struct image_times *known, struct columns *scratch, struct error *err)
{
    DEBUG_ASSERT(image->encoding == CHUNK_SEALED);
    bool same = image->times && known->bytes == image->times && known->size == image->times_size;
    scratch->count = 0;
    if (!same || !agrees(image, &known->head) || image->t_first_ms < t_min_ms ||
        image->t_last_ms > t_max_ms) {
        enum status st = image_read(image, t_min_ms, t_max_ms, scratch, err);
        if (st) return st;
        known->bytes = image->times;
        known->size = image->times_size;
        return times_head(image->times, image->times_size, &known->head);
    }
    if (!columns_reserve(scratch, image->sample_count)) return arena_error(scratch->arena, err);
    if (values_decode(image->bytes, image->size, scratch->v, image->sample_count, NULL))
        return corrupt(image, "it does not decode", err);
    return OK;
}
