/* central: batches out of spans and back, the fullest span first. */
#include "alloc/central.h"

#include <stdbool.h>
#include <string.h>

#include "alloc/heap.h"
#include "alloc/live.h"
#include "alloc/os.h"
#include "alloc/page_heap.h"
#include "alloc/page_map.h"
#include "alloc/poison.h"
#include "tests/unit/aborts.h"
#include "tests/unit/alloc/random.h"
#include "tests/unit/alloc/resident.h"
#include "tests/unit/suite.h"

enum { CLASS_128 = 9, SLOTS = 256 }; /* of 128 bytes, in spans of 4 pages */

static void start(void)
{
    heap_free(heap_alloc(1, HEAP_PROCESS), 1, HEAP_PROCESS);
    heap_flush_thread();
    ck_assert_uint_eq(size_classes[CLASS_128].bytes, 128);
    ck_assert_uint_eq(size_classes[CLASS_128].slots, SLOTS);
}

/* Exactly count objects, from as many spans as it takes. */
static void take_all(void **out, uint32_t count)
{
    for (uint32_t got = 0; got < count;) {
        uint32_t more = central_take(CLASS_128, out + got, count - got);
        ck_assert_uint_gt(more, 0);
        got += more;
    }
}

START_TEST(objects_of_a_new_span_come_in_the_order_of_addresses)
{
    void *p[SLOTS];
    start();
    ck_assert_uint_eq(central_take(CLASS_128, p, 100), 100);
    ck_assert_uint_eq(central_take(CLASS_128, p + 100, SLOTS), SLOTS - 100);
    for (int i = 1; i < SLOTS; i++)
        ck_assert_ptr_eq(p[i], (uint8_t *)p[i - 1] + 128);
    ck_assert_uint_eq(central_spans(CLASS_128), 1);
    central_check();
    central_give(CLASS_128, p, SLOTS);
    ck_assert_uint_eq(central_spans(CLASS_128), 0);
    central_check();
    page_heap_check();
}
END_TEST

START_TEST(the_fullest_span_is_served_first)
{
    enum { SPANS = 3 };
    void *p[SPANS * SLOTS];
    start();
    take_all(p, SPANS * SLOTS);
    ck_assert_uint_eq(central_spans(CLASS_128), SPANS);
    central_give(CLASS_128, p, 200);             /* 200 free in the first span */
    central_give(CLASS_128, p + SLOTS, 10);      /* 10 in the second */
    central_give(CLASS_128, p + 2 * SLOTS, 120); /* 120 in the third */
    central_check();
    void *got[10];
    ck_assert_uint_eq(central_take(CLASS_128, got, 10), 10);
    for (int i = 0; i < 10; i++)
        ck_assert_ptr_eq(got[i], p[SLOTS + i]);
    ck_assert_uint_eq(central_take(CLASS_128, got, 10), 10);
    for (int i = 0; i < 10; i++)
        ck_assert_ptr_eq(got[i], p[2 * SLOTS + i]);
    central_give(CLASS_128, got, 10);
    central_give(CLASS_128, p + 200, SLOTS - 200);
    ck_assert_uint_eq(central_spans(CLASS_128), SPANS - 1); /* the first is empty and gone */
    central_give(CLASS_128, p + SLOTS, SLOTS);
    central_give(CLASS_128, p + 2 * SLOTS + 120, SLOTS - 120);
    ck_assert_uint_eq(central_spans(CLASS_128), 0);
    central_check();
}
END_TEST

/* Whoever allocates waits for each of them. */
START_TEST(one_trip_goes_to_few_spans)
{
    enum { SPANS = 4 };
    void *p[SPANS * SLOTS];
    void *got[SPANS];
    start();
    take_all(p, SPANS * SLOTS);
    for (int i = 0; i < SPANS; i++)
        central_give(CLASS_128, p + i * SLOTS, 1);
    ck_assert_uint_eq(central_take(CLASS_128, got, SPANS), 2);
    ck_assert_uint_eq(central_take(CLASS_128, got + 2, SPANS), 2);
    ck_assert_uint_eq(central_spans(CLASS_128), SPANS);
    central_check();
    central_give(CLASS_128, got, SPANS);
    for (int i = 0; i < SPANS; i++)
        central_give(CLASS_128, p + i * SLOTS + 1, SLOTS - 1);
    ck_assert_uint_eq(central_spans(CLASS_128), 0);
    central_check();
}
END_TEST

static bool is_emptying(const void *p)
{
    return page_map_is_emptying(page_map_offset(p) >> PAGE_SHIFT);
}

/* Its record is fetched beside the other's, and it has more to give than another full one. */
START_TEST(the_second_span_of_a_trip_is_of_the_next_list)
{
    enum { SPANS = 3 };
    void *p[SPANS * SLOTS];
    void *got[6];
    start();
    take_all(p, SPANS * SLOTS);
    central_give(CLASS_128, p, 1);
    central_give(CLASS_128, p + SLOTS, 1);
    central_give(CLASS_128, p + 2 * SLOTS, 5);
    ck_assert_uint_eq(central_take(CLASS_128, got, 6), 6);
    ck_assert_ptr_eq(got[0], p[SLOTS]);
    for (int i = 0; i < 5; i++)
        ck_assert_ptr_eq(got[1 + i], p[2 * SLOTS + i]);
    ck_assert_uint_eq(central_take(CLASS_128, got, 6), 1);
    ck_assert_ptr_eq(got[0], p[0]);
    central_give(CLASS_128, p, SPANS * SLOTS);
    central_check();
}
END_TEST

START_TEST(the_emptiest_spans_give_nothing_away_while_others_can)
{
    enum { SPANS = 4 };
    void *p[SPANS * SLOTS];
    void *got[SPANS * SLOTS];
    start();
    take_all(p, SPANS * SLOTS);
    central_give(CLASS_128, p, 200);
    ck_assert(!is_emptying(p[0])); /* its slots are all there is */
    for (int i = 1; i < SPANS; i++)
        central_give(CLASS_128, p + i * SLOTS, 100);
    ck_assert(is_emptying(p[0]));
    for (int i = 1; i < SPANS; i++)
        ck_assert(!is_emptying(p[i * SLOTS]));
    central_check();
    take_all(got, 300);
    for (int i = 0; i < 300; i++)
        ck_assert(got[i] < p[0] || got[i] > p[SLOTS - 1]);
    ck_assert(is_emptying(p[0]));
    ck_assert_uint_eq(central_take(CLASS_128, got + 300, 1), 1); /* rather than a new span */
    ck_assert_ptr_eq(got[300], p[0]);
    ck_assert(!is_emptying(p[0]));
    central_check();
    central_give(CLASS_128, got, 301);
    ck_assert(is_emptying(p[0]));
    central_give(CLASS_128, p + 200, SLOTS - 200);
    ck_assert_uint_eq(central_spans(CLASS_128), SPANS - 1);
    ck_assert(!is_emptying(p[0])); /* the pages are nobody's */
    for (int i = 1; i < SPANS; i++)
        central_give(CLASS_128, p + i * SLOTS + 100, SLOTS - 100);
    ck_assert_uint_eq(central_spans(CLASS_128), 0);
    central_check();
    page_heap_check();
}
END_TEST

START_TEST(an_object_of_an_emptying_span_goes_home_when_it_is_freed)
{
    enum { SPANS = 4, COUNT = SPANS * SLOTS };
    static void *p[COUNT];
    start();
    for (int i = 0; i < COUNT; i++)
        ck_assert_ptr_nonnull(p[i] = heap_alloc(128, HEAP_PROCESS));
    heap_flush_thread();
    for (int i = 0; i < COUNT; i++) /* of each page one stays */
        if (page_map_offset(p[i]) % HEAP_PAGE_BYTES) heap_free(p[i], 128, HEAP_PROCESS);
    heap_flush_thread();
    uint64_t emptying = 0;
    uint64_t others = 0;
    for (int i = 0; i < COUNT; i++) {
        if (page_map_offset(p[i]) % HEAP_PAGE_BYTES) continue;
        uint64_t before = central_free_slots(CLASS_128);
        uint64_t spans = central_spans(CLASS_128);
        bool home = is_emptying(p[i]);
        *(home ? &emptying : &others) += 1;
        heap_free(p[i], 128, HEAP_PROCESS);
        if (central_spans(CLASS_128) < spans) continue; /* it was the last one */
        ck_assert_uint_eq(central_free_slots(CLASS_128), before + home);
    }
    ck_assert_uint_gt(emptying, 0);
    ck_assert_uint_gt(others, 0);
    heap_flush_thread();
    heap_check();
}
END_TEST

START_TEST(at_the_limit_there_is_nothing_but_what_comes_back)
{
    void *p[SLOTS];
    void *one;
    start();
    take_all(p, SLOTS);
    heap_set_limit(1);
    ck_assert_uint_eq(central_take(CLASS_128, &one, 1), 0);
    central_give(CLASS_128, &p[17], 1);
    ck_assert_uint_eq(central_take(CLASS_128, &one, 1), 1);
    ck_assert_ptr_eq(one, p[17]);
    heap_set_limit(0);
    central_give(CLASS_128, p, SLOTS);
}
END_TEST

/* Write count objects: anything, or what debug builds want to find in free ones. */
static void fill(void *const *objects, uint32_t count, int value)
{
    for (uint32_t i = 0; i < count; i++) {
        poison_show(objects[i], 128);
        memset(objects[i], value, 128);
    }
}

static void give_clean(void *const *objects, uint32_t count)
{
    fill(objects, count, LIVE_PATTERN);
    central_give(CLASS_128, objects, count);
}

START_TEST(pages_that_lie_free_go_back_and_are_charged_again_when_taken)
{
    enum { PER_PAGE = OS_PAGE_BYTES / 128, PAGES = SLOTS / PER_PAGE };
    void *p[SLOTS];
    void *again[SLOTS];
    start();
    take_all(p, SLOTS);
    fill(p, SLOTS, 0x5A);
    /* One object stays on every other page. */
    for (int page = 0; page < PAGES; page++)
        give_clean(p + page * PER_PAGE + page % 2, PER_PAGE - page % 2);
    uint64_t used = heap_used_bytes();
    ck_assert_uint_eq(central_trim(CLASS_128, 1, UINT64_MAX, false), 0); /* too young */
    ck_assert_uint_eq(central_trim(CLASS_128, 0, UINT64_MAX, false), PAGES / 2 * OS_PAGE_BYTES);
    ck_assert_uint_eq(central_trim(CLASS_128, 0, UINT64_MAX, false), 0);
    ck_assert_uint_eq(central_bytes(CENTRAL_RELEASED), PAGES / 2 * OS_PAGE_BYTES);
    ck_assert_uint_eq(heap_used_bytes(), used - PAGES / 2 * OS_PAGE_BYTES);
    central_check();
    for (int page = 0; page < PAGES; page++)
        ck_assert_int_eq(is_resident(p[page * PER_PAGE]), page % 2);

    /* Resident slots first, all of them; then page by page. */
    uint32_t resident = PAGES / 2 * (PER_PAGE - 1);
    ck_assert_uint_eq(central_take(CLASS_128, again, SLOTS), resident);
    ck_assert_uint_eq(heap_used_bytes(), used - PAGES / 2 * OS_PAGE_BYTES);
    ck_assert_uint_eq(central_take(CLASS_128, again + resident, 5), 5);
    ck_assert_uint_eq(heap_used_bytes(), used - (PAGES / 2 - 1) * OS_PAGE_BYTES);
    ck_assert_uint_eq(central_bytes(CENTRAL_RETAKEN), OS_PAGE_BYTES);
    central_check();
    heap_set_limit(1);
    uint32_t last = central_take(CLASS_128, again + resident + 5, SLOTS);
    ck_assert_uint_eq(last, PER_PAGE - 5); /* the rest of the page that is charged */
    ck_assert_uint_eq(central_take(CLASS_128, again, 1), 0);
    heap_set_limit(0);
    central_check();
    for (int page = 1; page < PAGES; page += 2) {
        poison_show(p[page * PER_PAGE], 128);
        ck_assert_int_eq(*(uint8_t *)p[page * PER_PAGE], 0x5A);
        give_clean(p + page * PER_PAGE, 1);
    }
    give_clean(again, resident + PER_PAGE);
    ck_assert_uint_eq(central_spans(CLASS_128), 0);
    ck_assert_uint_eq(central_bytes(CENTRAL_RELEASED), 0);
    ck_assert_uint_eq(heap_used_bytes(), used);
    central_check();
    page_heap_check();
}
END_TEST

START_TEST(an_empty_span_with_pages_gone_is_a_released_run_at_the_limit)
{
    void *p[SLOTS];
    start();
    take_all(p, SLOTS);
    fill(p, SLOTS, 0x5A);
    give_clean(p, SLOTS - 1);
    uint64_t used = heap_used_bytes();
    uint64_t gone = central_trim(CLASS_128, 0, UINT64_MAX, false);
    ck_assert_uint_eq(gone, (size_t)SLOTS * 128 - OS_PAGE_BYTES);
    heap_set_limit(1);
    give_clean(&p[SLOTS - 1], 1);
    ck_assert_uint_eq(heap_used_bytes(), used - SLOTS * 128);
    ck_assert(!is_resident(p[SLOTS - 1]));
    heap_set_limit(0);
    central_check();
    page_heap_check();
}
END_TEST

START_TEST(a_span_is_idle_for_as_many_ticks_as_nobody_touched_it)
{
    void *p[SLOTS];
    void *one;
    start();
    take_all(p, SLOTS);
    central_tick(250);
    central_give(CLASS_128, p, SLOTS - 1);
    central_tick(1); /* seven later: the clock goes round */
    ck_assert_uint_eq(central_trim(CLASS_128, 8, UINT64_MAX, false), 0);
    ck_assert_uint_eq(central_take(CLASS_128, &one, 1), 1);
    central_tick(2);
    ck_assert_uint_eq(central_trim(CLASS_128, 8, UINT64_MAX, false), 0);
    central_tick(9);
    ck_assert_uint_gt(central_trim(CLASS_128, 8, 1, false), 0);
    central_give(CLASS_128, &one, 1);
    central_give(CLASS_128, &p[SLOTS - 1], 1);
    central_tick(0);
    central_check();
}
END_TEST

START_TEST(any_history_of_giving_back_keeps_what_is_in_use)
{
    enum { CLASSES = 6, OBJECTS = 3000, STEPS = 60000 };
    static const unsigned classes[CLASSES] = {1, 9, 20, 40, 60, SIZE_CLASS_COUNT - 1};
    static uint64_t *objects[OBJECTS];
    struct random r = random_start("central");
    start();
    for (int step = 0; step < STEPS; step++) {
        uint32_t i = (uint32_t)random_below(&r, OBJECTS);
        unsigned size_class = classes[i % CLASSES];
        void *p = objects[i];
        if (p) {
            poison_show(p, sizeof(uint64_t));
            ck_assert_uint_eq(*objects[i], i ^ (uintptr_t)p);
            memset(p, LIVE_PATTERN, sizeof(uint64_t));
            central_give(size_class, &p, 1);
            objects[i] = NULL;
        } else if (random_below(&r, 4000) > (uint64_t)(step % 4000)) { /* ebb and flow */
            ck_assert_uint_eq(central_take(size_class, &p, 1), 1);
            poison_show(p, sizeof(uint64_t));
            objects[i] = p;
            *objects[i] = i ^ (uintptr_t)p;
        }
        if (random_below(&r, 200) == 0)
            central_trim(classes[random_below(&r, CLASSES)], 0, random_size(&r, 1 << 20), false);
        if (step % 2000 == 0) central_check();
    }
    for (uint32_t i = 0; i < OBJECTS; i++) {
        void *p = objects[i];
        if (!p) continue;
        memset(p, LIVE_PATTERN, sizeof(uint64_t));
        central_give(classes[i % CLASSES], &p, 1);
    }
    ck_assert_uint_eq(central_bytes(CENTRAL_RELEASED), 0);
    central_check();
    page_heap_check();
}
END_TEST

static void give_twice(void)
{
    void *p[2];
    if (central_take(CLASS_128, p, 2) != 2) return;
    p[1] = p[0];
    central_give(CLASS_128, p, 2);
}

START_TEST(an_object_given_back_twice_ends_the_process)
{
    start();
    ck_assert(aborts(give_twice));
}
END_TEST

SUITE(central, objects_of_a_new_span_come_in_the_order_of_addresses,
      the_fullest_span_is_served_first, one_trip_goes_to_few_spans,
      the_second_span_of_a_trip_is_of_the_next_list,
      the_emptiest_spans_give_nothing_away_while_others_can,
      an_object_of_an_emptying_span_goes_home_when_it_is_freed,
      at_the_limit_there_is_nothing_but_what_comes_back,
      pages_that_lie_free_go_back_and_are_charged_again_when_taken,
      an_empty_span_with_pages_gone_is_a_released_run_at_the_limit,
      a_span_is_idle_for_as_many_ticks_as_nobody_touched_it,
      any_history_of_giving_back_keeps_what_is_in_use, an_object_given_back_twice_ends_the_process)
