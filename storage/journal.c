/* journal - the labels of logged series. */
#include "storage/journal.h"

#include "storage/querier.h"
#include "storage/series.h"

enum status journal_labels(const struct journal_batch *batch, struct journal_series *series,
                           struct labels *out, struct error *err)
{
    if (series->series && !series->labels.items) {
        struct label *items =
            arena_alloc_array(batch->arena, series->series->label_count, sizeof(*items));
        if (!items) return arena_error(batch->arena, err);
        series->labels = series_labels(series->series, items);
    }
    *out = series->labels;
    return OK;
}
