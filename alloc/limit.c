/* limit - one atomic sum; the doors of heap.h that set and read it are here too. */
#include "alloc/limit.h"

#include <stdatomic.h>

#include "alloc/heap.h"
#include "base/assert.h"

static _Atomic uint64_t limit_bytes; /* 0: none */
static _Atomic uint64_t used_bytes;  /* other_bytes included */
static _Atomic uint64_t other_bytes;
static _Atomic uint64_t refusals;
static _Atomic int pressure_level; /* enum heap_pressure */

bool limit_charge(uint64_t bytes)
{
    uint64_t limit = atomic_load_explicit(&limit_bytes, memory_order_relaxed);
    uint64_t used = atomic_load_explicit(&used_bytes, memory_order_relaxed);
    do {
        if (limit && (used > limit || bytes > limit - used)) return false;
    } while (!atomic_compare_exchange_weak_explicit(&used_bytes, &used, used + bytes,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

void limit_uncharge(uint64_t bytes)
{
    uint64_t before = atomic_fetch_sub_explicit(&used_bytes, bytes, memory_order_relaxed);
    DEBUG_ASSERT(before >= bytes);
    (void)before;
}

void limit_count_refusal(void)
{
    atomic_fetch_add_explicit(&refusals, 1, memory_order_relaxed);
}

uint64_t limit_refusals(void)
{
    return atomic_load_explicit(&refusals, memory_order_relaxed);
}

void heap_set_limit(uint64_t bytes)
{
    atomic_store_explicit(&limit_bytes, bytes, memory_order_relaxed);
}

uint64_t heap_limit(void)
{
    return atomic_load_explicit(&limit_bytes, memory_order_relaxed);
}

void heap_set_other_bytes(uint64_t bytes)
{
    uint64_t before = atomic_exchange_explicit(&other_bytes, bytes, memory_order_relaxed);
    /* One step up or down, modulo 2^64: nobody sees both or neither counted. */
    atomic_fetch_add_explicit(&used_bytes, bytes - before, memory_order_relaxed);
}

uint64_t heap_used_bytes(void)
{
    return atomic_load_explicit(&used_bytes, memory_order_relaxed);
}

void heap_set_pressure(enum heap_pressure pressure)
{
    atomic_store_explicit(&pressure_level, pressure, memory_order_relaxed);
}

enum heap_pressure heap_pressure(void)
{
    return (enum heap_pressure)atomic_load_explicit(&pressure_level, memory_order_relaxed);
}
