/*
 * expect - which series comes next? The one that followed last time.
 *
 * Senders repeat their order, so almost every series of a request is found by following the links
 * that earlier requests left in the directories, and recognized by comparing bytes. Memory is asked
 * for ahead of time, in two steps, because the address of a series is in its place:
 *
 *     last series added -> 0 -> 1 -> ... -> 19 -> 20 -> ... -> 31
 *                          '-- their series ---'   '- their places -'
 *
 * A link is a guess: it may lead to another series by now, or to none.
 *
 * Threads: one at a time, inside the epoch from expect_after to the last expect_match.
 */
#ifndef HEARTH_STORAGE_EXPECT_H
#define HEARTH_STORAGE_EXPECT_H

#include "storage/state.h"

enum {
    EXPECT_PLACES = 32, /* a power of two */
    EXPECT_SERIES = 20, /* so many of them are fetched with their series */
    EXPECT_TRIES = 2    /* so that one series that has ended does not stop it */
};

/* Zero: nothing is expected. */
struct expect {
    const struct directory_place *last;                  /* where the links go on */
    const struct directory_place *places[EXPECT_PLACES]; /* a ring */
    struct series *series[EXPECT_PLACES]; /* in the first EXPECT_SERIES of them; NULL: none */
    uint32_t first;
    uint32_t count;
    bool skipped; /* some series did not come */
};

/* Expect what followed this series. `skipped` stays. */
void expect_after(struct expect *e, const struct storage *db, const struct series *s);

/* The expected series whose labels are at the start of the message: *label_bytes of it, more labels
 * may follow. NULL: none of them. */
struct series *expect_match(struct expect *e, const struct storage *db, struct str message,
                            size_t *label_bytes);

/* Remember that `next` came after `s`. */
void expect_learn(const struct storage *db, const struct series *s, const struct series *next);

#endif
