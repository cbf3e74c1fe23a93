/* in_flight - two counters; requests that begin count in the one whose turn it is. */
#include "storage/in_flight.h"

#include "base/thread.h"

enum { LOOK_MS = 1 };

uint32_t in_flight_begin(struct in_flight *f)
{
    uint32_t turn = atomic_load_explicit(&f->turn, memory_order_relaxed) % IN_FLIGHT_TURNS;
    /* Sequentially consistent, as the wait's load: who is not counted there has changed nothing
     * that was read before it. */
    atomic_fetch_add(&f->requests[turn], 1);
    return turn;
}

void in_flight_end(struct in_flight *f, uint32_t turn)
{
    atomic_fetch_sub_explicit(&f->requests[turn], 1, memory_order_release);
}

void in_flight_wait(struct in_flight *f)
{
    for (int i = 0; i < IN_FLIGHT_TURNS; i++) {
        uint32_t turn = atomic_fetch_add(&f->turn, 1) % IN_FLIGHT_TURNS;
        while (atomic_load(&f->requests[turn]) > 0)
            thread_sleep_ms(LOOK_MS);
    }
}
