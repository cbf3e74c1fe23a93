/*
 * staged - what an appender has collected, for the files that apply it.
 *
 * Threads: the appender's.
 */
#ifndef HEARTH_STORAGE_STAGED_H
#define HEARTH_STORAGE_STAGED_H

#include "alloc/vec.h"
#include "storage/appender.h"
#include "storage/expect.h"
#include "storage/state.h"

/* A series that nobody has found. */
struct newcomer {
    struct labels labels;
    uint64_t hash;
};

/* Samples of a series, or a piece of many. */
enum { STAGED_SAMPLES_MAX = 32 };
struct staged {
    struct series *series;           /* NULL before its newcomer is in the store */
    const struct newcomer *newcomer; /* NULL: the series was found */
    const struct sample *samples;
    size_t count;
    uint32_t shard;
};

struct appender {
    struct storage *db;
    struct arena *arena;
    struct epoch_pin pin;
    struct staged_list VEC_OF(struct staged) staged;
    struct expect expect;
    struct series *due; /* the answer of the last appender_expect */
    bool refuses_new_series;
    bool surprised; /* the order was not the expected one, behind the first series */
};

#endif
