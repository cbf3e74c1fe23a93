/* scavenge: rounds against the real page heap, with a clock of our own. */
#include <stdatomic.h>
#include <string.h>

#include "alloc/heap.h"
#include "alloc/large_cache.h"
#include "alloc/page_heap.h"
#include "alloc/page_map.h"
#include "alloc/poison.h"
#include "base/thread.h"
#include "tests/unit/alloc/stats.h"
#include "tests/unit/suite.h"

#define SECOND INT64_C(1000000000)

#if defined(__SANITIZE_THREAD__) || POISON_ACTIVE
enum { SPIKE_SECONDS = 300 }; /* giving back is dearer then, and the pace takes its time */
#else
enum { SPIKE_SECONDS = 7 };
#endif

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

/* 256 MB again and again, then nothing: nine tenths of it are back two seconds after the idle age.
 */
START_TEST(a_spike_is_back_within_seven_seconds)
{
    enum { BYTES = 256 << 20, BLOCK = 1 << 20, SPIKES = 12 / SUITE_FEWER, FROM = 100 };
    static uint8_t *blocks[BYTES / BLOCK];
    for (int time = 0; time < SPIKES; time++) {
        for (int i = 0; i < BYTES / BLOCK; i++) {
            blocks[i] = heap_alloc(BLOCK, HEAP_QUERY);
            ck_assert_ptr_nonnull(blocks[i]);
            for (size_t page = 0; page < BLOCK; page += 4096)
                blocks[i][page] = 1;
        }
        for (int i = 0; i < BYTES / BLOCK; i++)
            heap_free(blocks[i], BLOCK, HEAP_QUERY);
        ck_assert_uint_eq(rounds(FROM + time, FROM + time + 1), 0);
    }
    ck_assert_uint_ge(resident_idle() + LARGE_CACHE_BYTES_MAX, BYTES);
    ck_assert_uint_ge(rounds(FROM + SPIKES, FROM + SPIKES + SPIKE_SECONDS), BYTES / 10 * 9);
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

enum { NODES = 400000 / SUITE_FEWER, NODE_BYTES = 200 };
static void *nodes[NODES];

static void alloc_nodes(int from, int step)
{
    for (int i = from; i < NODES; i += step) {
        ck_assert_ptr_nonnull(nodes[i] = heap_alloc(NODE_BYTES, HEAP_QUERY));
        memset(nodes[i], 3, NODE_BYTES);
    }
}

/* All but every 100th: no span becomes empty, and most of its pages lie free. */
static void free_most_nodes(void)
{
    for (int i = 0; i < NODES; i++) {
        if (i % 100 == 0) continue;
        heap_free(nodes[i], NODE_BYTES, HEAP_QUERY);
        nodes[i] = NULL;
    }
    heap_flush_thread();
}

static void free_all_nodes(void)
{
    for (int i = 0; i < NODES; i++)
        heap_free(nodes[i], NODE_BYTES, HEAP_QUERY);
    heap_flush_thread();
}

START_TEST(pages_inside_spans_go_after_five_seconds_and_are_told)
{
    alloc_nodes(0, 1);
    rounds(100, 110);
    uint64_t resident = resident_idle();
    uint64_t inuse = stats().heap_inuse;
    uint64_t before =
        stats().span_released; /* what was drained from this thread's cache, perhaps */
    free_most_nodes();
    uint64_t used = heap_used_bytes();
    rounds(110, 114);
    ck_assert_uint_le(stats().span_released, before);
    rounds(114, 400);
    struct memstats s = stats();
    ck_assert_uint_ge(s.span_released, s.heap_inuse / 2);
    ck_assert_uint_le(s.heap_inuse, inuse);
    ck_assert_uint_le(heap_used_bytes(), used - (s.span_released - before) + resident);
    heap_check();
    free_all_nodes();
    ck_assert_uint_le(stats().span_released, before);
    heap_check();
}
END_TEST

START_TEST(a_load_that_comes_and_goes_is_left_alone_after_a_while)
{
    uint64_t gone[8];
    int now = 100;
    alloc_nodes(0, 1);
    for (int turn = 0; turn < 8; turn++) {
        free_most_nodes();
        gone[turn] = rounds(now, now + 12);
        for (int i = 1; i < 100; i++)
            alloc_nodes(i, 100);
        rounds(now + 12, now + 13);
        now += 13;
    }
    ck_assert_uint_gt(gone[0], (uint64_t)NODES * NODE_BYTES / 2);
    ck_assert_uint_lt(gone[6] + gone[7], gone[0] / 4);
    free_all_nodes();
}
END_TEST

START_TEST(a_call_gives_back_what_lies_free_in_spans_at_once)
{
    alloc_nodes(0, 1);
    free_most_nodes();
    while (page_heap_release(UINT64_MAX))
        continue;
    uint64_t used = heap_used_bytes();
    uint64_t gone = heap_scavenge(10 << 20);
    ck_assert_uint_ge(gone, 10 << 20);
    ck_assert_uint_lt(gone, 11 << 20);
    gone += heap_scavenge(UINT64_MAX);
    ck_assert_uint_eq(stats().span_released, gone);
    ck_assert_uint_eq(stats().resident, heap_used_bytes());
    ck_assert_uint_eq(heap_used_bytes(), used - gone);
    free_all_nodes();
}
END_TEST

/* Rounds that start a sweep over all spans each, to which none is old enough: a turn of the clock
 * of spans passes between two. */
static void sweep_in_vain(void *arg)
{
    const atomic_bool *stop = arg;
    const int64_t turn_ns = 160 * SECOND;
    for (int64_t t = turn_ns; !atomic_load(stop); t += turn_ns) {
        heap_scavenge_round(t);
        thread_sleep_ms(1);
    }
}

START_TEST(a_call_gives_back_everything_beside_rounds_too)
{
    enum { TIMES = 8 / SUITE_FEWER };
    struct thread t;
    atomic_bool stop = false;
    ck_assert_int_eq(thread_start(&t, "rounds", sweep_in_vain, &stop, NULL), OK);
    for (int i = 0; i < TIMES; i++) {
        alloc_nodes(0, 1);
        free_most_nodes();
        heap_scavenge(UINT64_MAX);
        uint64_t released = stats().span_released;
        heap_scavenge(UINT64_MAX);
        ck_assert_uint_eq(stats().span_released, released);
        free_all_nodes();
    }
    atomic_store(&stop, true);
    thread_join(&t);
}
END_TEST

SUITE(scavenge, idle_memory_goes_after_five_seconds_and_not_before,
      a_spike_is_back_within_seven_seconds, memory_in_use_is_left_alone,
      lazily_released_memory_is_never_taken_for_zero,
      pages_inside_spans_go_after_five_seconds_and_are_told,
      a_load_that_comes_and_goes_is_left_alone_after_a_while,
      a_call_gives_back_what_lies_free_in_spans_at_once,
      a_call_gives_back_everything_beside_rounds_too)
