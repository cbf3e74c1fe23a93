/*
 * present - the time that windows go by: the wall clock, as far as it is believed.
 *
 *     believed ----+----+----+----+-->           runs on with the monotonic clock
 *     wall     ----+----+          \
 *                        '----- jump ---> ...    is not followed at once
 *
 * The wall clock is followed as long as it keeps within bound_ms of what the monotonic clock says
 * has passed: so it may be slewed and put right by minutes. A greater difference is a jump, of the
 * clock or over a suspension, and nobody knows which of the two times is right: it is in doubt, and
 * believed time runs on from where it was, until
 *
 *     - the wall clock is back;
 *     - samples say so: for patience_ms they have come from the time of the wall clock and none
 *       from the believed one. Forwards, believed time then moves to the newest of them, so it
 *       never outruns the samples;
 *     - the jump has lasted limit_ms.
 *
 * Threads: all functions from any thread; present_now takes no lock unless there is a doubt to end.
 */
#ifndef HEARTH_STORAGE_PRESENT_H
#define HEARTH_STORAGE_PRESENT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/counter.h"
#include "base/lock.h"

struct present_options {
    int64_t future_ms;   /* samples may be so far ahead of the time they come from */
    int64_t bound_ms;    /* at least future_ms */
    int64_t patience_ms; /* 0: the first sample is believed */
    int64_t limit_ms;
};

struct present {
    struct present_options options;
    _Atomic int64_t base_ms; /* believed time less the monotonic one */
    _Atomic bool doubt;
    _Atomic bool at_once; /* no patience */

    struct mutex lock; /* LOCK_PRESENT; guards what follows up to the next comment */
    int64_t doubted_ns;
    int64_t voice_ns; /* since when samples say that the wall clock is right, and none that it is
                       * not; 0: none does */
    int64_t voice_ms; /* the newest of them */

    struct counter jumps_forward;
    struct counter jumps_back;
};

/* Believes the clock. */
void present_init(struct present *p, const struct present_options *options);
void present_release(struct present *p);

struct present_time {
    int64_t believed_ms;
    int64_t wall_ms; /* another one: a jump that is in doubt, or nobody has looked at yet */
    int64_t mono_ns;
};
struct present_time present_now(struct present *p);

static inline bool present_differs(const struct present_time *now)
{
    return now->believed_ms != now->wall_ms;
}

/* Looks at a difference; seen for the first time, it is counted. True then. */
bool present_doubt(struct present *p, const struct present_time *now);
/* Time has come to t_ms, as far as the wall clock agrees: of the two times believed is the later
 * one up to there. The doubt about the rest goes on. */
void present_reach(struct present *p, const struct present_time *now, int64_t t_ms);
/* The wall clock is right: there is nothing to lose by it. */
void present_accept(struct present *p);
/* It may be in doubt: believe t_ms instead, because it is known from elsewhere. */
void present_believe(struct present *p, int64_t t_ms);
/* A start: samples are believed at once, forwards, and the difference is not counted as a jump; or
 * that is over, and what is left of it is in doubt. */
void present_hurry(struct present *p, bool at_once);

/* While they differ: samples from outside were offered, t_ms is the newest of them. True when that
 * has decided it, and believed time has moved. */
bool present_hear(struct present *p, const struct present_time *now, int64_t t_ms);

/* Now and then: accepts what has lasted limit_ms. */
void present_round(struct present *p);

#endif
