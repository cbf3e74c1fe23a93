/* resent - each batch of streams as columns, held against the samples. */
#include "storage/resent.h"

#include "base/bits.h"
#include "storage/chunk_batch.h"

/* In order of time, which is the order of those that come again. */
static uint32_t count_duplicates(const struct columns *columns, const struct resent *item)
{
    uint32_t n = 0;
    for (size_t at = 0; n < item->count; n++, at++) {
        const struct sample *sample = &item->samples[n];
        at = columns_lower_bound(columns->t_ms, at, columns->count, sample->t_ms);
        if (at == columns->count || columns->t_ms[at] != sample->t_ms) break;
        if (bits_from_double(columns->v[at]) != bits_from_double(sample->v)) break;
    }
    return n;
}

static void find_in_batch(struct resent *items, size_t count, struct arena *scratch)
{
    struct columns columns[CHUNK_BATCH_MAX];
    struct chunk_batch_item batch[CHUNK_BATCH_MAX] = {0};
    size_t failed;
    for (size_t i = 0; i < count; i++) {
        columns[i] = (struct columns){.arena = scratch};
        batch[i] = (struct chunk_batch_item){.chunk = items[i].chunk,
                                             .extent = chunk_extent_now(items[i].chunk),
                                             .columns = &columns[i]};
        items[i].duplicates = 0;
    }
    if (chunk_batch_read(batch, count, INT64_MIN, INT64_MAX, scratch, &failed, NULL)) return;
    for (size_t i = 0; i < count; i++)
        items[i].duplicates = count_duplicates(&columns[i], &items[i]);
}

void resent_find(struct resent *items, size_t count, struct arena *scratch)
{
    struct arena_mark mark = arena_mark(scratch);
    for (size_t i = 0; i < count; i += CHUNK_BATCH_MAX) {
        find_in_batch(items + i, count - i < CHUNK_BATCH_MAX ? count - i : CHUNK_BATCH_MAX,
                      scratch);
        arena_rewind(scratch, mark);
    }
}
