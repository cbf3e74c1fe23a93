/*
 * crew - threads that help queries with their work, shared by all of them.
 *
 *     crew_call(crew, &work, 3);     at most three of those that are idle, now or later, run it too
 *     work.run(&work);               so does the caller, who waits for nobody
 *     crew_dismiss(crew, &work);     nobody begins any more; those that are in it come to its end
 *
 * Work must come out right on any number of threads: that the crew is busy elsewhere is nothing but
 * slower. run() returns when nothing is left to do.
 *
 * Threads: call and dismiss from any; open and close from one.
 */
#ifndef HEARTH_PROMQL_CREW_H
#define HEARTH_PROMQL_CREW_H

#include <stdint.h>

#include "base/error.h"

struct crew;

/* On the caller's stack, at one address from call to dismiss. */
struct crew_work {
    void (*run)(struct crew_work *work);
    /* The crew's own, under its lock. */
    uint32_t wanted; /* helpers that may still begin */
    uint32_t active; /* and those that did */
    struct crew_work *next;
    struct crew_work *previous;
};

/* ERR_NO_MEMORY, ERR_IO (no threads). */
MUST_USE enum status crew_open(uint32_t threads, struct crew **out, struct error *err);
/* When nothing is called any more. NULL is ignored. */
void crew_close(struct crew *crew);

void crew_call(struct crew *crew, struct crew_work *work, uint32_t helpers);
void crew_dismiss(struct crew *crew, struct crew_work *work);

#endif
