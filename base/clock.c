/* clock - clock_gettime, or the two frozen readings a test has set. */
#include "base/clock.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

enum { MS_PER_S = 1000 };

static atomic_bool frozen;
static _Atomic int64_t frozen_wall_ms;
static _Atomic int64_t frozen_mono_ns;

static int64_t read_ns(clockid_t which)
{
    struct timespec now;
    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * MS_PER_S * NS_PER_MS + now.tv_nsec;
}

int64_t clock_wall_ms(void)
{
    if (atomic_load_explicit(&frozen, memory_order_acquire)) return atomic_load(&frozen_wall_ms);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * MS_PER_S + now.tv_nsec / NS_PER_MS;
}

int64_t clock_mono_ns(void)
{
    if (atomic_load_explicit(&frozen, memory_order_acquire)) return atomic_load(&frozen_mono_ns);
    return read_ns(CLOCK_MONOTONIC);
}

int64_t clock_process_cpu_ns(void)
{
    return read_ns(CLOCK_PROCESS_CPUTIME_ID);
}

int64_t clock_thread_cpu_ns(void)
{
    return read_ns(CLOCK_THREAD_CPUTIME_ID);
}

void clock_freeze(int64_t wall_ms)
{
    atomic_store(&frozen_wall_ms, wall_ms);
    if (!atomic_load(&frozen)) atomic_store(&frozen_mono_ns, read_ns(CLOCK_MONOTONIC));
    atomic_store_explicit(&frozen, true, memory_order_release);
}

void clock_advance(int64_t ms)
{
    atomic_fetch_add(&frozen_wall_ms, ms);
    atomic_fetch_add(&frozen_mono_ns, ms * NS_PER_MS);
}

void clock_thaw(void)
{
    atomic_store_explicit(&frozen, false, memory_order_release);
}
