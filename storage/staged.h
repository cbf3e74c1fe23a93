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

/* A label set that nobody has found a series of; on the arena. Its symbols are there before the
 * shard is locked. */
struct newcomer {
    struct resolved set;
    struct newcomer *next; /* in the appender */
    bool refers;           /* to its symbols, until a series of it is in the store */
    /* That series: made before its shard is locked, so that series lie in memory in the order they
     * are sent in. NULL: it is not made yet, or in the store. */
    struct series *made;
};

/* Samples of one series; if there are more of them, a piece. */
enum { STAGED_SAMPLES_MAX = 32 };
struct staged {
    struct series *series; /* NULL before its newcomer is in the store */
    struct chunk *chunk;   /* open, of the first sample's window, when this was staged; or NULL */
    struct newcomer *newcomer; /* NULL: the series was found */
    const struct sample *samples;
    uint32_t count;
    uint32_t id; /* of the series; before it has one, the shard's number does */
};

/* A window and where series have it. */
struct staged_window {
    int64_t start_ms; /* 0 and 0: none */
    int64_t end_ms;   /* first behind it */
    uint32_t slot;
};

struct appender {
    struct storage *db;
    struct arena *arena;
    struct epoch_pin pin;
    struct staged_list VEC_OF(struct staged) staged;
    struct staged_window window; /* of the last sample that was first of its series */
    struct expect expect;
    struct resolver resolver;
    struct series *due;            /* the answer of the last appender_expect */
    struct newcomer *newcomers;    /* all of them */
    struct symbol_credits credits; /* for them */
    uint32_t newcomer_run;         /* of the last series so many were not found */
    bool refuses_new_series;
    bool witness;
    bool logged;    /* what it adds is in the journal already */
    bool surprised; /* the order was not the expected one, behind the first series */
};

/* The labels live until commit. It refers to its symbols, unless new series are refused or memory
 * is. NULL: the arena refuses. */
MUST_USE struct newcomer *newcomer_create(struct appender *app, struct labels labels);
/* The references that no series has taken over. */
void newcomers_release(struct appender *app);

#endif
