/*
 * scavenge - the doors of heap.h that give memory back: rounds by policy, and at once.
 *
 * A round asks the page heap what was needed since the last one, lets alloc/scavenge_policy decide,
 * and gives that much back outside all locks. Nobody but the caller of a round ever waits for it.
 *
 * Threads: any; a round that finds another one under way does nothing.
 */
#include <stdatomic.h>

#include "alloc/drain.h"
#include "alloc/heap.h"
#include "alloc/page_heap.h"
#include "alloc/scavenge_policy.h"
#include "base/clock.h"

enum { IDLE_AGE_S = 5, CPU_PERMILLE = 10, KEEP_PARTS = 32 };

static atomic_flag busy = ATOMIC_FLAG_INIT;
static struct scavenge_policy policy; /* of the round under way; options of 0 before the first */

static void set_up(void)
{
    const struct scavenge_options options = {.idle_age_ns = IDLE_AGE_S * INT64_C(1000000000),
                                             .cpu_permille = CPU_PERMILLE,
                                             .keep_parts = KEEP_PARTS};
    scavenge_policy_init(&policy, &options);
}

uint64_t heap_scavenge_round(int64_t now_ns)
{
    uint64_t gone = 0;
    struct scavenge_demand demand;
    if (atomic_flag_test_and_set_explicit(&busy, memory_order_acquire)) return 0;
    if (policy.options.idle_age_ns == 0) set_up();
    (void)drain_idle(now_ns);
    page_heap_demand(&demand);
    uint64_t wanted = scavenge_policy_round(&policy, now_ns, &demand);
    if (wanted >= HEAP_PAGE_BYTES) {
        int64_t cpu_ns = clock_thread_cpu_ns();
        gone = page_heap_release(wanted);
        scavenge_policy_spent(&policy, gone, clock_thread_cpu_ns() - cpu_ns);
    }
    atomic_flag_clear_explicit(&busy, memory_order_release);
    return gone;
}

uint64_t heap_scavenge(uint64_t bytes)
{
    return page_heap_release(bytes);
}

void heap_scavenge_lazily(bool lazily)
{
    page_heap_release_lazily(lazily);
}
