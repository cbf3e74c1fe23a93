/* journal - the labels of logged series. */
#include "storage/journal.h"

#include "storage/querier.h"
#include "storage/series.h"

static bool reserve(struct journal_room *room, size_t count, struct arena *a)
{
    if (count <= room->count) return true;
    struct label *items = arena_alloc_array(a, count, sizeof(*items));
    if (!items) return false;
    *room = (struct journal_room){.items = items, .count = count};
    return true;
}

enum status journal_labels(const struct journal_batch *batch, const struct journal_series *series,
                           struct journal_room *room, struct labels *out, struct error *err)
{
    *out = series->labels;
    if (!series->series) return OK;
    if (!reserve(room, series->series->label_count, batch->arena))
        return arena_error(batch->arena, err);
    *out = series_labels(series->series, room->items);
    return OK;
}
