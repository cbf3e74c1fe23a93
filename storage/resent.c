/* resent - each batch of streams as columns, held against the samples. */
#include "storage/resent.h"

#include "base/bits.h"
#include "storage/chunk_batch.h"

/* Mostly in order of time: then each is looked for from the one before on. */
static void judge(const struct columns *columns, struct resent *item)
{
    struct resent_known *known = &item->known;
    int64_t before_ms = INT64_MIN;
    size_t at = 0;
    for (uint32_t n = 0; n < item->count; n++) {
        const struct sample *sample = &item->samples[n];
        size_t from = sample->t_ms < before_ms ? 0 : at;
        before_ms = sample->t_ms;
        at = columns_lower_bound(columns->t_ms, from, columns->count, sample->t_ms);
        if (at == columns->count) continue;
        if (columns->t_ms[at] != sample->t_ms)
            known->absent |= 1u << n;
        else if (bits_from_double(columns->v[at]) == bits_from_double(sample->v))
            known->same |= 1u << n;
        else
            known->other |= 1u << n;
    }
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
        items[i].known = (struct resent_known){.same = 0};
    }
    if (chunk_batch_read(batch, count, INT64_MIN, INT64_MAX, scratch, &failed, NULL)) return;
    for (size_t i = 0; i < count; i++)
        judge(&columns[i], &items[i]);
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
