/*
 * stats - the sums of the heap as a value, for conditions of tests.
 */
#ifndef HEARTH_TESTS_UNIT_ALLOC_STATS_H
#define HEARTH_TESTS_UNIT_ALLOC_STATS_H

#include "alloc/memstats.h"

static inline struct memstats stats(void)
{
    struct memstats s;
    memstats_read(&s);
    return s;
}

#endif
