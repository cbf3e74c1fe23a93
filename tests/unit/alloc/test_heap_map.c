/* heap_map: every page is in one run, wherever one starts to read. */
#include "alloc/heap_map.h"

#include <string.h>

#include "alloc/heap.h"
#include "alloc/memstats.h"
#include "alloc/page_heap.h"
#include "alloc/page_map.h"
#include "alloc/poison.h"
#include "alloc/region.h"
#include "base/clock.h"
#include "base/thread.h"
#include "tests/unit/alloc/random.h"
#include "tests/unit/suite.h"

static uint32_t page_of(const void *p)
{
    return (uint32_t)(page_map_offset(p) >> PAGE_SHIFT);
}

static struct heap_map_run run_of(const void *p)
{
    struct heap_map_run run;
    ck_assert_uint_eq(heap_map_read(page_of(p), &run, 1), 1);
    ck_assert_uint_le(run.page, page_of(p));
    ck_assert_uint_gt(run.page + run.pages, page_of(p));
    return run;
}

/* Pages by state of all runs, read `slice` at a time. */
static void read_all(uint64_t *pages, size_t slice)
{
    struct heap_map_run runs[HEAP_MAP_SLICE];
    uint32_t page = 1;
    size_t count;
    memset(pages, 0, HEAP_MAP_STATE_COUNT * sizeof(*pages));
    while ((count = heap_map_read(page, runs, slice)) > 0)
        for (size_t i = 0; i < count; i++) {
            ck_assert_uint_eq(runs[i].page, page);
            pages[runs[i].state] += runs[i].pages;
            page += runs[i].pages;
        }
    ck_assert_uint_eq(page, heap_map_pages());
}

START_TEST(runs_say_what_is_in_them)
{
    void *small = heap_alloc(100, HEAP_LABELS);
    void *large = heap_alloc(100000, HEAP_QUERY);
    struct heap_map_run run = run_of(small);
    ck_assert_int_eq(run.state, HEAP_MAP_SMALL);
    ck_assert_uint_eq(run.object_bytes, 112);
    ck_assert_uint_gt(run.slots, 100);
    ck_assert_uint_lt(run.free_slots, run.slots);
    ck_assert_int_eq(run.tag, -1);
    run = run_of((uint8_t *)large + 5 * HEAP_PAGE_BYTES); /* in the middle of it */
    ck_assert_int_eq(run.state, HEAP_MAP_LARGE);
    ck_assert_uint_eq(run.page, page_of(large));
    ck_assert_uint_eq(run.pages, 13);
    ck_assert_int_eq(run.tag, HEAP_QUERY);
    heap_free(small, 100, HEAP_LABELS);
    heap_free(large, 100000, HEAP_QUERY);
    heap_flush_thread();
    ck_assert_int_eq(run_of(large).state, HEAP_MAP_IDLE);
    heap_scavenge(UINT64_MAX);
    ck_assert_int_eq(run_of(large).state, HEAP_MAP_RELEASED);
    ck_assert_str_eq(heap_map_state_name(HEAP_MAP_RELEASED), "released");
}
END_TEST

START_TEST(blocks_of_regions_are_told_from_large_objects)
{
    struct region r;
    region_init(&r, HEAP_CHUNKS);
    const void *p = region_at(region_alloc(&r, 100));
    struct heap_map_run run = run_of(p);
    ck_assert_int_eq(run.state, HEAP_MAP_REGION);
    ck_assert_uint_eq(run.pages * HEAP_PAGE_BYTES, REGION_BLOCK_BYTES_MIN);
    ck_assert_int_eq(run.tag, -1);
    ck_assert_str_eq(heap_map_state_name(HEAP_MAP_REGION), "region");
    region_release(&r);
    ck_assert_int_eq(run_of(p).state, HEAP_MAP_IDLE);
    void *large = heap_alloc(REGION_BLOCK_BYTES_MIN, HEAP_QUERY); /* the same run */
    ck_assert_ptr_eq(large, p);
    ck_assert_int_eq(run_of(p).state, HEAP_MAP_LARGE);
    heap_free(large, REGION_BLOCK_BYTES_MIN, HEAP_QUERY);
}
END_TEST

START_TEST(nothing_lies_behind_the_end)
{
    struct heap_map_run run;
    heap_free(heap_alloc(1, HEAP_HTTP), 1, HEAP_HTTP);
    ck_assert_uint_eq(heap_map_read(heap_map_pages(), &run, 1), 0);
    ck_assert_uint_eq(heap_map_read(UINT32_MAX, &run, 1), 0);
    ck_assert_uint_eq(heap_map_read(0, &run, 1), 1);
    ck_assert_uint_eq(run.page, 1);
}
END_TEST

START_TEST(the_map_agrees_with_the_sums_after_any_history)
{
    enum { OBJECTS = 500, STEPS = 20000 };
    static struct {
        void *p;
        size_t size;
    } o[OBJECTS];
    struct random r = random_start("heap_map");
    uint64_t pages[HEAP_MAP_STATE_COUNT];
    struct memstats s;
    for (int step = 0; step < STEPS; step++) {
        size_t i = random_below(&r, OBJECTS);
        if (o[i].p) heap_free(o[i].p, o[i].size, HEAP_CHUNKS);
        o[i].size = random_size(&r, random_below(&r, 10) ? 3000 : 300000);
        o[i].p = random_below(&r, 3) ? heap_alloc(o[i].size, HEAP_CHUNKS) : NULL;
        if (random_below(&r, 1000) == 0) heap_scavenge(random_size(&r, 4 << 20));
        if (step % 500 != 499) continue;
        read_all(pages, 1 + random_below(&r, HEAP_MAP_SLICE));
        memstats_read(&s);
        ck_assert_uint_eq((pages[HEAP_MAP_SMALL] + pages[HEAP_MAP_LARGE]) * HEAP_PAGE_BYTES,
                          s.heap_inuse);
        ck_assert_uint_eq(pages[HEAP_MAP_RELEASED] * HEAP_PAGE_BYTES, s.heap_released);
        ck_assert_uint_eq(pages[HEAP_MAP_IDLE] * HEAP_PAGE_BYTES, s.heap_idle - s.heap_released);
        for (size_t k = 0; k < OBJECTS; k++)
            if (o[k].p) run_of((uint8_t *)o[k].p + random_below(&r, o[k].size));
    }
    for (int i = 0; i < OBJECTS; i++)
        heap_free(o[i].p, o[i].size, HEAP_CHUNKS);
}
END_TEST

static void churn(void *arg)
{
    struct random r = {.state = (uintptr_t)arg};
    for (int i = 0; i < 5000; i++) {
        size_t size = random_size(&r, 200000);
        heap_free(heap_alloc(size, HEAP_HTTP), size, HEAP_HTTP);
    }
}

START_TEST(the_map_is_read_while_others_allocate)
{
    struct thread threads[2];
    for (uintptr_t i = 0; i < 2; i++)
        ck_assert_int_eq(thread_start(&threads[i], "churn", churn, (void *)(i + 7), NULL), OK);
    for (int round = 0; round < 200; round++) {
        struct heap_map_run runs[16];
        uint32_t page = 1;
        size_t count;
        while ((count = heap_map_read(page, runs, 16)) > 0) {
            ck_assert_uint_le(runs[0].page, page);
            for (size_t i = 1; i < count; i++)
                ck_assert_uint_eq(runs[i].page, runs[i - 1].page + runs[i - 1].pages);
            page = runs[count - 1].page + runs[count - 1].pages;
        }
    }
    thread_join(&threads[0]);
    thread_join(&threads[1]);
}
END_TEST

/* Slice by slice, and not from the start of the range for each: that took seconds. Nobody touches
 * the pages, but a sanitizer would touch what it keeps of them. */
START_TEST(a_big_heap_without_classes_is_read_in_one_pass)
{
    enum { RUNS = POISON_ACTIVE ? 1000 : 1 << 18, PAGES = 8 };
    struct heap_map_run runs[HEAP_MAP_SLICE];
    struct span *first = NULL;
    uint32_t page = 1;
    size_t count;
    (void)heap_map_pages(); /* opens the heap */
    for (int i = 0; i < RUNS; i++) {
        struct span *span = page_heap_alloc(PAGES, SIZE_CLASS_LARGE);
        ck_assert_ptr_nonnull(span);
        span->after = first;
        first = span;
    }
    int64_t before_ns = clock_thread_cpu_ns();
    while ((count = heap_map_read(page, runs, ARRAY_COUNT(runs))) > 0)
        page = runs[count - 1].page + runs[count - 1].pages;
    ck_assert_int_lt(clock_thread_cpu_ns() - before_ns, 500000000);
    ck_assert_uint_gt(page, RUNS * PAGES);
    page_heap_free(first);
}
END_TEST

SUITE(heap_map, runs_say_what_is_in_them, blocks_of_regions_are_told_from_large_objects,
      nothing_lies_behind_the_end, the_map_agrees_with_the_sums_after_any_history,
      the_map_is_read_while_others_allocate, a_big_heap_without_classes_is_read_in_one_pass)
