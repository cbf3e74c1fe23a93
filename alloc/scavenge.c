/*
 * scavenge - the doors of heap.h that give memory back: rounds by policy, and at once.
 *
 * A round asks the page heap what was needed since the last one, lets alloc/scavenge_policy decide,
 * and gives that much back outside all locks. What it leaves of its time goes to the class spans:
 * sweeps over all classes, a few times in the idle age, in steps that alloc/trim_policy allows.
 * Nobody but the caller of a round ever waits for it.
 *
 * Threads: any, one after the other: a round that finds another one, or a call, under way does
 * nothing; a call waits for it.
 */
#include "alloc/scavenge.h"

#include <stdatomic.h>

#include "alloc/central.h"
#include "alloc/door.h"
#include "alloc/drain.h"
#include "alloc/heap.h"
#include "alloc/page_heap.h"
#include "alloc/scavenge_policy.h"
#include "alloc/transfer.h"
#include "alloc/trim_policy.h"
#include "base/clock.h"
#include "base/thread.h"

enum {
    IDLE_AGE_S = 5,
    CPU_PERMILLE = 10,
    KEEP_PARTS = 2048,
    TICKS = 8 /* of the clock of spans, in the idle age: it is exact but for one of them */
};

#define IDLE_AGE_NS (IDLE_AGE_S * INT64_C(1000000000))
#define TICK_NS     (IDLE_AGE_NS / TICKS)

static atomic_flag busy = ATOMIC_FLAG_INIT; /* central_trim is for one at a time */
static struct scavenge_policy policy; /* of the round under way; options of 0 before the first */

static struct {
    struct trim_policy policy;
    uint64_t retaken_bytes; /* at the last round */
    unsigned next_class;    /* of the sweep under way */
    int64_t started_ns;
} sweep;

void scavenge_hold(void)
{
    while (atomic_flag_test_and_set_explicit(&busy, memory_order_acquire))
        thread_yield(); /* a round is short */
}

void scavenge_let_go(void)
{
    atomic_flag_clear_explicit(&busy, memory_order_release);
}

static void set_up(void)
{
    const struct scavenge_options options = {
        .idle_age_ns = IDLE_AGE_NS, .cpu_permille = CPU_PERMILLE, .keep_parts = KEEP_PARTS};
    scavenge_policy_init(&policy, &options);
    trim_policy_init(&sweep.policy, IDLE_AGE_NS);
    sweep.next_class = SIZE_CLASS_COUNT;
}

/* Go on with the sweep, up to so many bytes. */
static uint64_t trim(uint64_t bytes)
{
    uint8_t age = (uint8_t)(sweep.policy.age_ns / TICK_NS);
    bool lazily = page_heap_releases_lazily();
    uint64_t gone = 0;
    while (sweep.next_class < SIZE_CLASS_COUNT && gone < bytes) {
        gone += central_trim(sweep.next_class, age, bytes - gone, lazily);
        if (gone < bytes) sweep.next_class++;
    }
    return gone;
}

static uint64_t trim_round(int64_t now_ns)
{
    uint64_t retaken = central_bytes(CENTRAL_RETAKEN);
    uint64_t bytes = trim_policy_round(&sweep.policy, now_ns, retaken - sweep.retaken_bytes,
                                       scavenge_policy_budget_ns(&policy));
    sweep.retaken_bytes = retaken;
    if (sweep.next_class == SIZE_CLASS_COUNT && now_ns - sweep.started_ns >= 2 * TICK_NS) {
        sweep.next_class = 1;
        sweep.started_ns = now_ns;
    }
    if (bytes < OS_PAGE_BYTES || sweep.next_class == SIZE_CLASS_COUNT) return 0;
    int64_t cpu_ns = clock_thread_cpu_ns();
    uint64_t gone = trim(bytes);
    cpu_ns = clock_thread_cpu_ns() - cpu_ns;
    trim_policy_spent(&sweep.policy, gone, cpu_ns);
    scavenge_policy_pay(&policy, cpu_ns);
    return gone;
}

uint64_t heap_scavenge_round(int64_t now_ns)
{
    uint64_t gone = 0;
    struct scavenge_demand demand;
    if (atomic_flag_test_and_set_explicit(&busy, memory_order_acquire)) return 0;
    if (policy.options.idle_age_ns == 0) set_up();
    door_open();
    (void)drain_idle(now_ns);
    page_heap_demand(&demand);
    /* The reserve is a part of what is resident. Read at two moments: never below nothing. */
    uint64_t released = central_bytes(CENTRAL_RELEASED);
    demand.inuse_bytes -= released < demand.inuse_bytes ? released : demand.inuse_bytes;
    uint64_t wanted = scavenge_policy_round(&policy, now_ns, &demand);
    if (wanted >= HEAP_PAGE_BYTES) {
        int64_t cpu_ns = clock_thread_cpu_ns();
        gone = page_heap_release(wanted);
        scavenge_policy_spent(&policy, gone, clock_thread_cpu_ns() - cpu_ns);
    }
    page_heap_hollow();
    central_tick((uint8_t)(now_ns / TICK_NS));
    gone += trim_round(now_ns);
    scavenge_let_go();
    return gone;
}

static uint64_t trim_all(uint64_t bytes)
{
    bool lazily = page_heap_releases_lazily();
    uint64_t gone = 0;
    for (unsigned size_class = 1; size_class < SIZE_CLASS_COUNT && gone < bytes; size_class++) {
        central_rewind(size_class);
        gone += central_trim(size_class, 0, bytes - gone, lazily);
    }
    return gone;
}

uint64_t heap_scavenge(uint64_t bytes)
{
    door_open();
    scavenge_hold();
    (void)transfer_flush();
    uint64_t gone = page_heap_release(bytes);
    if (gone < bytes) gone += trim_all(bytes - gone);
    scavenge_let_go();
    return gone;
}

void heap_flush_all(void)
{
    (void)drain_all();
}

void heap_scavenge_lazily(bool lazily)
{
    page_heap_release_lazily(lazily);
}

bool heap_scavenges_lazily(void)
{
    return page_heap_releases_lazily();
}
