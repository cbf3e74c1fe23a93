/*
 * scavenge_policy - how many idle bytes may go back to the system now. Arithmetic only: no memory,
 * no clock.
 *
 *     idle bytes   |\      ____
 *                  | \____/    \___     what was free even at the lowest point of the last idle
 *                  |  low           \   age was needed by nobody: it may go, less what is kept
 *                  +------------------ time
 *
 * Age: pages are alike, so it is the amount that has to be idle for scavenge_options.idle_age_ns,
 *      whichever pages make it up.
 * Pace: rounds may spend a share of one core, saved up for five minutes and spent at most twenty
 *       times as fast as it comes in; the cost per byte is learned from what they spent. The first
 *       five minutes' share is there from the start: with a hundredth of a core that is 3 s, enough
 *       for some ten GiB at once.
 * Target: a small part of the memory in use is kept as a reserve.
 * Hysteresis: what had to be taken from the system again soon after it had gone is kept from then
 *      on, until it was left alone for twice as long as that time: a load that comes and
 *      goes is let be, and leaves nothing when it has ended.
 *
 * Threads: one at a time.
 */
#ifndef HEARTH_ALLOC_SCAVENGE_POLICY_H
#define HEARTH_ALLOC_SCAVENGE_POLICY_H

#include <stdint.h>

struct scavenge_options {
    int64_t idle_age_ns;
    uint32_t cpu_permille; /* of one core */
    uint32_t keep_parts;   /* a reserve of one such part of what is in use */
};

enum { SCAVENGE_SLOTS = 9 }; /* eight whole ones cover the idle age, one is being filled */

struct scavenge_policy {
    struct scavenge_options options;
    int64_t now_ns;                /* of the last round; 0 before the first */
    int64_t slot_ns;               /* start of the current slot */
    unsigned slot;                 /* index of the current one */
    uint64_t lows[SCAVENGE_SLOTS]; /* least idle bytes in each slot */
    int64_t budget_ns;             /* CPU time saved up; negative when overdrawn */
    int64_t burst_ns;              /* of it, what this round may still spend */
    int64_t mib_ns;                /* what a MiB costs */
    uint64_t given_bytes;          /* lately: those that would be regretted */
    int64_t given_ns;              /* when the last of them went */
    uint64_t regret_bytes;         /* kept because they were taken again */
    int64_t regret_ns;             /* when it last grew, or was last looked at */
    int64_t patience_ns;           /* then it is looked at again */
    uint64_t regret_low;           /* least idle bytes since */
};

/* What the heap tells at each round. */
struct scavenge_demand {
    uint64_t idle_bytes;  /* free and resident now */
    uint64_t low_bytes;   /* the least of it since the last round */
    uint64_t taken_bytes; /* since the last round, out of pages that were not resident */
    uint64_t inuse_bytes; /* now */
};

void scavenge_policy_init(struct scavenge_policy *policy, const struct scavenge_options *options);

/* Bytes that may go at now_ns (monotonic). */
uint64_t scavenge_policy_round(struct scavenge_policy *policy, int64_t now_ns,
                               const struct scavenge_demand *demand);

/* CPU time that this round may still spend; negative when overdrawn. */
int64_t scavenge_policy_budget_ns(const struct scavenge_policy *policy);

/* CPU time went for something else. */
void scavenge_policy_pay(struct scavenge_policy *policy, int64_t cpu_ns);

/* So many bytes went since, at this cost. */
void scavenge_policy_spent(struct scavenge_policy *policy, uint64_t bytes, int64_t cpu_ns);

#endif
