/* seal - merging, making room, copying, putting. */
#include "storage/seal.h"

#include <string.h>

#include "base/assert.h"

/* One chunk on its way. */
struct sealing {
    struct chunk *merged; /* ours, never seen by others; NULL: the chunk is plain itself */
    struct sealed *to;    /* NULL: there was no memory */
    uint64_t word;
};

/* Room in the region, and what has to be copied there. false at the limit. */
static bool prepare(struct shard *sh, const struct seal_item *item, struct arena *scratch,
                    struct sealing *sealing, struct cells_copy *copy)
{
    struct chunk *c = shard_hold(sh, item->series, item->slot).open;
    *sealing = (struct sealing){0};
    if (!c) return false; /* its base has gone */
    if (!chunk_is_plain(c)) {
        c = sealing->merged = chunk_rewrite(c, scratch);
        if (!c) return false;
    }
    struct chunk_stream stream = chunk_stream(c);
    sealing->word = regions_alloc(sh->common->regions, c->window, stream.size, &sealing->to);
    if (!sealing->word) return false;
    sealing->to->sample_count = stream.sample_count;
    *copy = (struct cells_copy){
        .cell = stream.first_cell, .bytes = stream.size, .out = sealing->to->bytes};
    return true;
}

uint32_t seal_chunks(struct shard *sh, const struct seal_item *items, uint32_t count,
                     struct arena *scratch)
{
    struct sealing sealings[SEAL_BATCH];
    struct cells_copy copies[SEAL_BATCH];
    uint32_t ready = 0;
    DEBUG_ASSERT(count <= SEAL_BATCH);
    for (uint32_t i = 0; i < count; i++)
        ready += prepare(sh, &items[i], scratch, &sealings[i], &copies[ready]);
    cells_gather(copies, ready);
    for (uint32_t i = 0; i < count; i++) {
        if (sealings[i].word) shard_put(sh, items[i].series, items[i].slot, sealings[i].word);
        chunk_destroy(sealings[i].merged);
    }
    return count - ready;
}

bool seal_image(struct shard *sh, struct series *s, const struct chunk_image *image)
{
    struct sealed *to;
    uint64_t word = regions_alloc(sh->common->regions, image->window, image->size, &to);
    if (!word) return false;
    to->sample_count = image->sample_count;
    memcpy(to->bytes, image->bytes, image->size);
    shard_put(sh, s, window_slot(sh->common->grid, image->window), word);
    return true;
}

bool seal_move(struct shard *sh, struct series *s, uint32_t slot)
{
    struct held held = shard_hold(sh, s, slot);
    struct sealed *to;
    if (!held.sealed) return true;
    uint64_t word = regions_alloc(sh->common->regions, held.window, held.sealed->size, &to);
    if (!word) return false;
    to->sample_count = held.sealed->sample_count;
    memcpy(to->bytes, held.sealed->bytes, held.sealed->size);
    shard_put(sh, s, slot, word);
    return true;
}
