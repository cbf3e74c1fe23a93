/*
 * ledger - what was written and what was promised about it: the judge of a simulation.
 *
 * One entry per series and second of the retained time. A value follows from series, time and
 * variant, so that a wrong one is noticed; the variant in an entry is the one that counts.
 *
 *     TRIED    it may be there: nobody was told that it is stored
 *     PROMISED acknowledged: it survives the end of the process
 *     STABLE   and a power cut
 *
 * Threads: one.
 */
#ifndef HEARTH_TESTS_SIM_LEDGER_H
#define HEARTH_TESTS_SIM_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "storage/storage.h"

enum { LEDGER_SERIES = 12, LEDGER_SECONDS = 1024, LEDGER_VARIANTS = 2 };

enum ledger_state { LEDGER_NOTHING, LEDGER_TRIED, LEDGER_PROMISED, LEDGER_STABLE };

struct ledger_entry {
    int64_t t_s;
    enum ledger_state state;
    uint8_t tried;        /* a bit per variant */
    uint8_t promised;     /* which variant, once it is */
    bool synced_mode;     /* written under a policy that promises a sync */
    uint32_t batch;       /* the only one that ever tried it; 0: several */
    uint32_t promised_in; /* the last batch that was acknowledged with it */
};

struct ledger {
    struct ledger_entry entries[LEDGER_SERIES][LEDGER_SECONDS];
    uint32_t batches;
};

double ledger_value(unsigned series, int64_t t_s, unsigned variant);

/* The entry of a time; one of an older time gives way. */
struct ledger_entry *ledger_at(struct ledger *l, unsigned series, int64_t t_s);

void ledger_try(struct ledger_entry *e, unsigned variant, uint32_t batch);
void ledger_promise(struct ledger_entry *e, unsigned variant, uint32_t batch, bool synced_mode,
                    bool stable);

/* All that was promised is stable now; by a sync only what was written under such a policy, from
 * that batch on: what an earlier process had not synced is known to nobody. */
void ledger_settle(struct ledger *l, bool by_snapshot, uint32_t first_batch);
/* The power failed: what was not stable may be gone. */
void ledger_power_cut(struct ledger *l);
/* The disk lied: anything may be gone, nothing may be wrong. */
void ledger_forgive(struct ledger *l);

/* Everything promised and not older than oldest_ms is in storage, with its value and once; nothing
 * else is; of a batch that was not promised, all or nothing. False with the first fault in words.
 */
bool ledger_check(struct ledger *l, struct storage *db, int64_t oldest_ms, char *fault,
                  size_t size);

#endif
