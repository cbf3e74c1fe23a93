/* scavenge: rounds against the real page heap, with a clock of our own. */
#include <string.h>

#include "alloc/heap.h"
#include "alloc/memstats.h"
#include "alloc/page_map.h"
#include "tests/unit/suite.h"

#define SECOND INT64_C(1000000000)

static struct memstats stats(void)
{
    struct memstats s;
    memstats_read(&s);
    return s;
}

static uint64_t resident_idle(void)
{
    struct memstats s = stats();
    return s.heap_idle - s.heap_released;
}

/* Rounds every 100 ms of [from, to). Returns the bytes that went. */
static uint64_t rounds(int from_s, int to_s)
{
    uint64_t gone = 0;
    for (int64_t t = from_s * SECOND; t < to_s * SECOND; t += SECOND / 10)
        gone += heap_scavenge_round(t);
    return gone;
}

START_TEST(idle_memory_goes_after_five_seconds_and_not_before)
{
    enum { BYTES = 64 << 20 };
    uint8_t *p = heap_alloc(BYTES, HEAP_QUERY);
    ck_assert_ptr_nonnull(p);
    memset(p, 1, BYTES);
    rounds(100, 120);
    heap_free(p, BYTES, HEAP_QUERY);
    ck_assert_uint_ge(resident_idle(), BYTES);
    uint64_t used = heap_used_bytes();
    ck_assert_uint_eq(rounds(120, 124), 0);
    /* Sanitizers make it dearer; the pace then takes its time. */
    uint64_t gone = rounds(124, 400);
    ck_assert_uint_ge(gone, BYTES);
    ck_assert_uint_eq(heap_used_bytes(), used - gone);
    ck_assert_uint_eq(stats().scavenged_total, gone);
    heap_check();
}
END_TEST

START_TEST(memory_in_use_is_left_alone)
{
    void *p = heap_alloc(8 << 20, HEAP_QUERY);
    ck_assert_ptr_nonnull(p);
    heap_flush_thread();
    heap_scavenge(UINT64_MAX);
    memset(p, 7, 8 << 20);
    ck_assert_uint_eq(rounds(100, 130), 0);
    for (size_t i = 0; i < 8 << 20; i += 4096)
        ck_assert_int_eq(((uint8_t *)p)[i], 7);
    heap_free(p, 8 << 20, HEAP_QUERY);
}
END_TEST

START_TEST(lazily_released_memory_is_never_taken_for_zero)
{
    enum { BYTES = 8 << 20 };
    heap_scavenge_lazily(true);
    void *p = heap_alloc(BYTES, HEAP_QUERY);
    memset(p, 0xAA, BYTES);
    heap_free(p, BYTES, HEAP_QUERY);
    ck_assert_uint_ge(heap_scavenge(UINT64_MAX), BYTES);
    ck_assert_uint_eq(resident_idle(), 0);
    uint8_t *zeros = heap_calloc(1, BYTES, HEAP_QUERY);
    for (size_t i = 0; i < BYTES; i++)
        if (zeros[i]) ck_abort_msg("byte %zu is not zero", i);
    heap_free(zeros, BYTES, HEAP_QUERY);
    heap_scavenge_lazily(false);
    heap_check();
}
END_TEST

SUITE(scavenge, idle_memory_goes_after_five_seconds_and_not_before, memory_in_use_is_left_alone,
      lazily_released_memory_is_never_taken_for_zero)
