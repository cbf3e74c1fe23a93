/*
 * ledger - what became of each request of a plan, and the judge of what a server shows after it was
 * killed.
 *
 *     NOTHING   never sent
 *     TRIED     sent, not acknowledged: it may be there, whole
 *     SEEN      not acknowledged, but a server has shown it after a restart: it may not go again
 *     KEPT      acknowledged: it is there
 *     PARTLY    after a power cut, which may take any part of what was not synced
 *
 * Threads: ledger_set and ledger_get from any; ledger_check from one while nobody writes.
 */
#ifndef HEARTH_TESTS_CRASH_LEDGER_H
#define HEARTH_TESTS_CRASH_LEDGER_H

#include <stdatomic.h>

#include "tests/crash/client.h"
#include "tests/crash/plan.h"

enum ledger_state { LEDGER_NOTHING, LEDGER_TRIED, LEDGER_PARTLY, LEDGER_SEEN, LEDGER_KEPT };

struct ledger_entry {
    _Atomic uint8_t state;
    uint16_t found;       /* samples, in a check */
    uint16_t part;        /* of PARTLY: what was there once has been read from disk, and stays */
    uint32_t answered_ms; /* when it was acknowledged, of the monotonic clock; 0: it is stable */
};

enum { LEDGER_MAX = 1 << 24 };

struct ledger {
    struct plan plan;
    struct ledger_entry *entries; /* [LEDGER_MAX], made as they are used */
    _Atomic uint32_t next;        /* number of the next request */
};

void ledger_init(struct ledger *l, const struct plan *plan);

static inline enum ledger_state ledger_get(const struct ledger *l, uint32_t number)
{
    return (enum ledger_state)atomic_load(&l->entries[number].state);
}

/* Never downwards, but by a power cut. */
void ledger_set(struct ledger *l, uint32_t number, enum ledger_state state);

struct ledger_question {
    int64_t now_ms;    /* of the server's clock */
    int64_t oldest_ms; /* what is older may have expired */
    bool power_cut;    /* what was acknowledged since stable_ms may be gone, in any part */
    uint32_t stable_ms;
};

struct ledger_verdict {
    uint64_t samples, series; /* there */
    uint64_t kept;            /* samples of KEPT requests that were looked for */
    uint64_t lost, wrong, twice, invented, torn, gone; /* samples; torn: requests; gone: samples of
                                                          KEPT ones that the power cut took */
    char first[300];                                   /* fault, in words; empty: none */
};

/* Ask the server for everything and compare. False: it did not answer, `first` says what. */
bool ledger_check(struct ledger *l, struct client *c, const struct ledger_question *question,
                  struct ledger_verdict *out);

#endif
