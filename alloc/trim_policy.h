/*
 * trim_policy - after which age, and how many bytes, class spans give back of their free pages.
 * Arithmetic only: no memory, no clock.
 *
 * Age: a span has a time of its last use, so each one has to be idle for so long.
 * Pace: a share of one core; whole runs (alloc/scavenge_policy) are served from it first, and what
 *       they leave is handed in here. The cost per byte is learned: single pages are dearer.
 * Hysteresis: when a good part of what went is taken again soon, spans have to be idle for twice as
 *       long from then on, up to a ceiling; that fades.
 *
 * Threads: one at a time.
 */
#ifndef HEARTH_ALLOC_TRIM_POLICY_H
#define HEARTH_ALLOC_TRIM_POLICY_H

#include <stdint.h>

struct trim_policy {
    int64_t idle_age_ns;  /* as the options say */
    int64_t age_ns;       /* now: the same times a power of two */
    int64_t mib_ns;       /* what a MiB costs */
    uint64_t given_bytes; /* lately */
    uint64_t taken_bytes; /* of those, again */
    int64_t now_ns;       /* of the last round */
    int64_t given_ns;     /* when the last of them went */
    int64_t changed_ns;   /* when age_ns last grew or faded */
};

void trim_policy_init(struct trim_policy *policy, int64_t idle_age_ns);

/* Bytes that may go at now_ns (monotonic) of spans idle for age_ns, when budget_ns of CPU time may
 * be spent and retaken_bytes had to be charged again since the last call. */
uint64_t trim_policy_round(struct trim_policy *policy, int64_t now_ns, uint64_t retaken_bytes,
                           int64_t budget_ns);

/* So many bytes went since, at this cost. */
void trim_policy_spent(struct trim_policy *policy, uint64_t bytes, int64_t cpu_ns);

#endif
