/*
 * write_counters - what became of the samples that came in by remote write.
 *
 * Threads: any.
 */
#ifndef HEARTH_SERVER_WRITE_COUNTERS_H
#define HEARTH_SERVER_WRITE_COUNTERS_H

#include "base/counter.h"
#include "storage/storage.h"

struct write_counters {
    struct counter stored;
    struct counter duplicates; /* same time, same bits: no-ops */
    struct counter refused[REFUSED_REASON_COUNT];
    struct counter invalid;            /* in series with bad labels */
    struct counter exemplars_ignored;  /* not kept by this version */
    struct counter histograms_refused; /* native ones, answered with 400 */
    struct counter shed;               /* requests refused for want of memory */
    struct counter shed_new_series; /* requests with samples that were, of series not known yet */
    struct gauge active;            /* requests being decoded or applied */
};

#endif
