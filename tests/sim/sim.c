/*
 * sim - a deterministic simulation of storage, log and snapshots: many processes after one another
 * on a simulated disk and clock, each of which ends somewhere, with the ledger as judge.
 *
 *     sim [--crashes N] [--seed S] [--dishonest]
 *
 * Crashes come in runs of LIVES on one disk; each run has a seed of its own, which is printed when
 * a promise is broken: `sim --seed S --crashes 1` does that run again, and VERBOSE=1 shows its log.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "tests/sim/life.h"

enum { LIVES = 25 };
#define START_MS INT64_C(1700000000000)

struct totals {
    uint64_t lives, kills, power_cuts, refused_starts, promised, snapshots, operations, refused,
        astray, unsynced, torn, rotted, jumps;
};

static void add(struct totals *t, const struct sim *s)
{
    struct sim_disk_stats disk = sim_disk_stats();
    t->lives += s->lives;
    t->kills += s->kills;
    t->power_cuts += s->power_cuts;
    t->refused_starts += s->refused_starts;
    t->promised += s->promised;
    t->snapshots += s->snapshots;
    t->jumps += s->jumps;
    t->operations += disk.operations;
    t->refused += disk.refused;
    t->astray += disk.astray;
    t->unsynced += disk.unsynced;
    t->torn += disk.torn;
    t->rotted += disk.rotted;
}

/* One disk's time. Returns its trace; 0 when a promise was broken. */
static uint64_t run(uint64_t seed, bool honest, struct totals *totals)
{
    static struct sim s;
    memset(&s, 0, sizeof(s));
    s.random.state = seed;
    s.honest = honest;
    s.jumpy = random_below(&s.random, 2) == 0;
    sim_disk_format(~seed);
    clock_freeze(START_MS);
    while (s.lives < LIVES && life_run(&s))
        continue;
    add(totals, &s);
    if (!s.fault[0]) return sim_disk_stats().trace | 1;
    fprintf(stderr, "sim: --seed %" PRIu64 "%s, life %" PRIu64 ": %s\n", seed,
            honest ? "" : " --dishonest", s.lives, s.fault);
    return 0;
}

static uint64_t next_seed(uint64_t seed)
{
    struct random r = {.state = seed};
    return random_next(&r);
}

static void print(const struct totals *t)
{
    printf("%" PRIu64 " lives: %" PRIu64 " killed, %" PRIu64 " power cuts, %" PRIu64
           " starts refused\n"
           "%" PRIu64 " samples promised, %" PRIu64 " snapshots, %" PRIu64
           " operations of the disk: %" PRIu64 " refused, %" PRIu64 " torn, %" PRIu64
           " astray, %" PRIu64 " not synced, %" PRIu64 " bits turned; %" PRIu64
           " jumps of the clock\n",
           t->lives, t->kills, t->power_cuts, t->refused_starts, t->promised, t->snapshots,
           t->operations, t->refused, t->torn, t->astray, t->unsynced, t->rotted, t->jumps);
}

int main(int argc, char **argv)
{
    uint64_t crashes = 10000;
    uint64_t seed = (uint64_t)clock_wall_ms();
    bool honest = true;
    for (int i = 1; i < argc; i++) {
        bool has_value = i + 1 < argc;
        if (strcmp(argv[i], "--dishonest") == 0) {
            honest = false;
        } else if (strcmp(argv[i], "--crashes") == 0 && has_value) {
            crashes = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--seed") == 0 && has_value) {
            seed = strtoull(argv[++i], NULL, 10);
        } else {
            fprintf(stderr, "usage: sim [--crashes N] [--seed S] [--dishonest]\n");
            return 2;
        }
    }
    /* A long walk is a new one each time. */
    if (getenv("HEARTH_LONG")) {
        crashes *= 100;
        seed ^= (uint64_t)clock_wall_ms();
    }
    log_configure(getenv("VERBOSE") ? LOG_DEBUG : LOG_ERROR + 1, LOG_FORMAT_LOGFMT);
    disk_use(&sim_disk);
    printf("sim: --seed %" PRIu64 " --crashes %" PRIu64 "%s\n", seed, crashes,
           honest ? "" : " --dishonest");
    fflush(stdout);

    struct totals totals = {0};
    uint64_t first_seed = seed;
    uint64_t first_trace = run(seed, honest, &totals);
    bool good = first_trace != 0;
    while (good && totals.lives < crashes) {
        seed = next_seed(seed);
        good = run(seed, honest, &totals) != 0;
    }
    if (good) print(&totals);
    struct totals again = {0};
    if (good && run(first_seed, honest, &again) != first_trace) {
        fprintf(stderr, "sim: --seed %" PRIu64 " did not go the same way twice\n", first_seed);
        good = false;
    }
    return good ? 0 : 1;
}
