/* weather - the limit, failures, pages given back, books read: at random, while others walk. */
#include <stdatomic.h>

#include "alloc/audit.h"
#include "alloc/memstats.h"
#include "alloc/page_heap.h"
#include "alloc/tiny.h"
#include "base/assert.h"
#include "tests/stress/walk.h"

/* Odd while refusals are asked for. One thread at a time changes it. */
static _Atomic uint64_t season;
static atomic_flag changing = ATOMIC_FLAG_INIT;
/* heap_used_bytes may not pass it; 0: nothing known. */
static _Atomic uint64_t used_max;
/* What the other threads may have decided before the limit was set, and do behind it. */
static uint64_t late_bytes;
enum { LATE_BYTES_EACH = 10 << 20 };
static bool alone; /* one walker */
static _Atomic int64_t now_ns;
static const int64_t pause_max_ns = INT64_C(10000000000);

void weather_init(unsigned threads)
{
    alone = threads == 1;
    late_bytes = (uint64_t)(threads - 1) * LATE_BYTES_EACH;
}

uint64_t weather_ticket(void)
{
    return atomic_load(&season);
}

static void check_limit(void)
{
    uint64_t before = atomic_load(&season);
    uint64_t max = atomic_load(&used_max);
    uint64_t used = heap_used_bytes();
    if (max && before % 2 && atomic_load(&season) == before) ASSERT(used <= max + late_bytes);
}

void weather_refused(struct walker *w, uint64_t ticket)
{
    uint64_t now = atomic_load(&season);
    ASSERT(ticket % 2 || now % 2 || ticket != now); /* else nobody had asked for refusals */
    check_limit();                                  /* nowhere is what is used so near it */
    w->refused++;
}

void weather_clear(void)
{
    atomic_store(&used_max, 0);
    heap_set_limit(0);
    heap_set_other_bytes(0);
    heap_fail_after(UINT64_MAX);
    if (atomic_load(&season) % 2) atomic_fetch_add(&season, 1);
}

static void ask_for_refusals(struct random *r)
{
    atomic_fetch_add(&season, 1);
    if (random_below(r, 2)) {
        heap_fail_after(random_below(r, 1000));
        return;
    }
    heap_set_other_bytes(random_size(r, 64 << 20));
    uint64_t limit = random_below(r, 8) ? heap_used_bytes() + random_size(r, 8 << 20) : 1;
    heap_set_limit(limit);
    uint64_t used = heap_used_bytes();
    atomic_store(&used_max, used > limit ? used : limit);
}

static void change_season(struct random *r)
{
    if (atomic_flag_test_and_set(&changing)) return;
    if (atomic_load(&season) % 2)
        weather_clear();
    else if (random_below(r, 4) == 0)
        ask_for_refusals(r);
    atomic_flag_clear(&changing);
}

/* What can be said of the books while others change them, and what cannot. */
static void check_books(struct random *r)
{
    struct memstats s;
    memstats_read(&s);
    memstats_check(&s);
    if (alone && random_below(r, 8) == 0) ASSERT(audit_books());
}

/* Twice in a row: who did nothing in between is idle, and its cache is drained. */
static void let_time_pass(struct random *r)
{
    for (uint64_t rounds = random_below(r, 3); rounds < 3; rounds++) {
        int64_t pause = (int64_t)random_below(r, (uint64_t)pause_max_ns);
        heap_scavenge_round(atomic_fetch_add(&now_ns, pause) + pause);
    }
}

/* What is at hand: of this thread, or of all. */
static void flush(struct random *r)
{
    tiny_flush_thread();
    if (random_below(r, 2))
        heap_flush_thread();
    else
        heap_flush_all();
}

void weather_change(struct walker *w)
{
    struct random *r = &w->random;
    switch (random_below(r, 13)) {
    case 0: heap_scavenge(random_size(r, 64 << 20)); break;
    case 1: let_time_pass(r); break;
    case 2: flush(r); break;
    case 3: heap_scavenge_lazily(random_below(r, 2)); break;
    case 4: check_books(r); break;
    case 5:
        if (random_below(r, 4) == 0) heap_check();
        break;
    case 6: check_limit(); break;
    case 7:
        page_heap_big_from(random_below(r, 2) ? random_size(r, 64 << 20) : PAGE_HEAP_BIG_BYTES);
        break;
    default: change_season(r); break;
    }
}
