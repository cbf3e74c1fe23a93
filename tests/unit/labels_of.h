/*
 * labels_of - the labels of a selected series, for as long as a thread does not ask for those of
 * many others.
 */
#ifndef HEARTH_TESTS_UNIT_LABELS_OF_H
#define HEARTH_TESTS_UNIT_LABELS_OF_H

#include "base/assert.h"
#include "storage/querier.h"

static inline struct labels labels_of(const struct series *s)
{
    enum { LABELS_MAX = 64, SETS = 8 };
    static _Thread_local struct label items[SETS][LABELS_MAX];
    static _Thread_local size_t next;
    ASSERT(series_label_count(s) <= LABELS_MAX);
    next = (next + 1) % SETS;
    return series_labels(s, items[next]);
}

#endif
