/* trim_policy - an age that doubles on regret, a price that is learned. */
#include "alloc/trim_policy.h"

enum {
    MIB = 1 << 20,
    START_MIB_NS = 200000,    /* runs of two or three pages, measured */
    MIB_NS_MIN = 1000,        /* a lucky measurement must not lift the pace off the ground */
    MIB_NS_MAX = 5000000,     /* nor an unlucky one nail it down */
    COST_WEIGHT = 4,          /* a measurement counts for a quarter */
    COST_BYTES_MIN = 1 << 18, /* less says little about the price of a MiB */
    REGRET_PARTS = 4,         /* a quarter taken again is too much */
    REGRET_BYTES_MIN = MIB,   /* of more than this */
    REGRET_AGES = 4,          /* taken again within so many ages is soon */
    FADING_AGES = 6,          /* without regret, before the age halves */
    AGE_DOUBLINGS_MAX = 4
};

void trim_policy_init(struct trim_policy *policy, int64_t idle_age_ns)
{
    *policy = (struct trim_policy){
        .idle_age_ns = idle_age_ns, .age_ns = idle_age_ns, .mib_ns = START_MIB_NS};
}

static void forget(struct trim_policy *policy)
{
    policy->given_bytes = 0;
    policy->taken_bytes = 0;
}

static void regret(struct trim_policy *policy, int64_t now_ns, uint64_t retaken_bytes)
{
    if (now_ns - policy->given_ns >= REGRET_AGES * policy->age_ns) forget(policy);
    policy->taken_bytes += retaken_bytes;
    if (policy->given_bytes >= REGRET_BYTES_MIN &&
        policy->taken_bytes >= policy->given_bytes / REGRET_PARTS) {
        if (policy->age_ns < policy->idle_age_ns << AGE_DOUBLINGS_MAX) policy->age_ns *= 2;
        policy->changed_ns = now_ns;
        forget(policy);
    }
    if (policy->age_ns == policy->idle_age_ns) return;
    if (now_ns - policy->changed_ns < FADING_AGES * policy->age_ns) return;
    policy->age_ns /= 2;
    policy->changed_ns = now_ns;
}

uint64_t trim_policy_round(struct trim_policy *policy, int64_t now_ns, uint64_t retaken_bytes,
                           int64_t budget_ns)
{
    regret(policy, now_ns, retaken_bytes);
    policy->now_ns = now_ns;
    return budget_ns > 0 ? (uint64_t)budget_ns * MIB / (uint64_t)policy->mib_ns : 0;
}

void trim_policy_spent(struct trim_policy *policy, uint64_t bytes, int64_t cpu_ns)
{
    policy->given_bytes += bytes;
    if (bytes) policy->given_ns = policy->now_ns;
    if (bytes < COST_BYTES_MIN) return;
    int64_t mib_ns = (int64_t)((uint64_t)cpu_ns * MIB / bytes);
    policy->mib_ns += (mib_ns - policy->mib_ns) / COST_WEIGHT;
    if (policy->mib_ns < MIB_NS_MIN) policy->mib_ns = MIB_NS_MIN;
    if (policy->mib_ns > MIB_NS_MAX) policy->mib_ns = MIB_NS_MAX;
}
