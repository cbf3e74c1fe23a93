/* scavenge_policy - a window of lows, a purse of CPU time, a memory of regrets. */
#include "alloc/scavenge_policy.h"

#define SECOND_NS INT64_C(1000000000)

enum {
    MIB = 1 << 20,
    START_MIB_NS = 80000,    /* giving back 4 KiB pages, measured */
    MIB_NS_MIN = 1000,       /* a lucky measurement must not lift the pace off the ground */
    COST_WEIGHT = 4,         /* a measurement counts for a quarter */
    PURSE_SECONDS = 300,     /* CPU time is saved up for so long */
    BURST_NS_MAX = 50000000, /* in one round, after a long sleep */
    BURST_TIMES = 20,        /* it is spent so much faster than it comes in, at most */
    REGRET_AGES = 4,         /* taken again within so many idle ages is soon */
    PATIENCE_TIMES = 2       /* regret lasts so many times as long as it was idle */
};

static uint64_t lesser(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t minus(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

void scavenge_policy_init(struct scavenge_policy *policy, const struct scavenge_options *options)
{
    /* lows of 0: nothing is old before the first idle age has passed. */
    *policy = (struct scavenge_policy){.options = *options, .mib_ns = START_MIB_NS};
}

static int64_t full_purse_ns(const struct scavenge_policy *policy)
{
    return PURSE_SECONDS * SECOND_NS / 1000 * policy->options.cpu_permille;
}

static void earn(struct scavenge_policy *policy, int64_t elapsed_ns)
{
    int64_t most = full_purse_ns(policy);
    if (elapsed_ns > PURSE_SECONDS * SECOND_NS) elapsed_ns = PURSE_SECONDS * SECOND_NS;
    policy->budget_ns += elapsed_ns / 1000 * policy->options.cpu_permille;
    if (policy->budget_ns > most) policy->budget_ns = most;
    policy->burst_ns = BURST_TIMES * (elapsed_ns / 1000 * policy->options.cpu_permille);
    if (policy->burst_ns > BURST_NS_MAX) policy->burst_ns = BURST_NS_MAX;
    if (policy->burst_ns > policy->budget_ns) policy->burst_ns = policy->budget_ns;
}

/* Write the low of the time since the last round into every slot that this time touches. */
static void slide(struct scavenge_policy *policy, uint64_t low)
{
    int64_t width = policy->options.idle_age_ns / (SCAVENGE_SLOTS - 1);
    if (width < 1) width = 1;
    policy->lows[policy->slot] = lesser(policy->lows[policy->slot], low);
    for (int i = 0; i < SCAVENGE_SLOTS && policy->now_ns - policy->slot_ns >= width; i++) {
        policy->slot_ns += width;
        policy->slot = (policy->slot + 1) % SCAVENGE_SLOTS;
        policy->lows[policy->slot] = low;
    }
    /* After a long sleep all slots are new. */
    if (policy->now_ns - policy->slot_ns >= width) policy->slot_ns = policy->now_ns;
}

/* From now on, what was idle and then needed is given another such time. */
static void start_regret_term(struct scavenge_policy *policy)
{
    policy->regret_ns = policy->now_ns;
    policy->regret_low = UINT64_MAX;
}

static void regret(struct scavenge_policy *policy, uint64_t taken)
{
    int64_t age = policy->options.idle_age_ns;
    int64_t gone_ns = policy->now_ns - policy->given_ns;
    if (gone_ns >= REGRET_AGES * age) policy->given_bytes = 0;
    uint64_t again = lesser(taken, policy->given_bytes);
    if (!again) return;
    int64_t patience_ns = PATIENCE_TIMES * (age + gone_ns);
    if (policy->patience_ns < patience_ns) policy->patience_ns = patience_ns;
    policy->given_bytes -= again;
    policy->regret_bytes += again;
    start_regret_term(policy);
}

/* What of it nobody touched in its term is not needed. */
static void forgive(struct scavenge_policy *policy, uint64_t low)
{
    if (policy->regret_bytes == 0) return;
    policy->regret_low = lesser(policy->regret_low, low);
    if (policy->now_ns - policy->regret_ns < policy->patience_ns) return;
    policy->regret_bytes = minus(policy->regret_bytes, policy->regret_low);
    if (policy->regret_bytes == 0) policy->patience_ns = 0;
    start_regret_term(policy);
}

uint64_t scavenge_policy_round(struct scavenge_policy *policy, int64_t now_ns,
                               const struct scavenge_demand *demand)
{
    if (policy->now_ns == 0 || now_ns < policy->now_ns) {
        policy->now_ns = policy->slot_ns = policy->regret_ns = policy->given_ns = now_ns;
        policy->budget_ns = full_purse_ns(policy);
        return 0;
    }
    earn(policy, now_ns - policy->now_ns);
    policy->now_ns = now_ns;
    uint64_t now_low = lesser(demand->low_bytes, demand->idle_bytes);
    regret(policy, demand->taken_bytes);
    forgive(policy, now_low);
    slide(policy, now_low);

    uint64_t low = demand->idle_bytes;
    for (unsigned i = 0; i < SCAVENGE_SLOTS; i++)
        low = lesser(low, policy->lows[i]);
    uint64_t keep = demand->inuse_bytes / policy->options.keep_parts;
    if (keep < policy->regret_bytes) keep = policy->regret_bytes;
    if (policy->burst_ns <= 0) return 0;
    uint64_t affordable = (uint64_t)policy->burst_ns * MIB / (uint64_t)policy->mib_ns;
    return lesser(minus(low, keep), affordable);
}

int64_t scavenge_policy_budget_ns(const struct scavenge_policy *policy)
{
    return policy->burst_ns;
}

void scavenge_policy_pay(struct scavenge_policy *policy, int64_t cpu_ns)
{
    policy->budget_ns -= cpu_ns;
    policy->burst_ns -= cpu_ns;
}

void scavenge_policy_spent(struct scavenge_policy *policy, uint64_t bytes, int64_t cpu_ns)
{
    scavenge_policy_pay(policy, cpu_ns);
    if (bytes == 0) return;
    policy->given_bytes += bytes;
    policy->given_ns = policy->now_ns;
    for (unsigned i = 0; i < SCAVENGE_SLOTS; i++)
        policy->lows[i] = minus(policy->lows[i], bytes);
    /* Small amounts say little about the price of a MiB. */
    if (bytes < MIB) return;
    int64_t mib_ns = (int64_t)((uint64_t)cpu_ns * MIB / bytes);
    policy->mib_ns += (mib_ns - policy->mib_ns) / COST_WEIGHT;
    if (policy->mib_ns < MIB_NS_MIN) policy->mib_ns = MIB_NS_MIN;
}
