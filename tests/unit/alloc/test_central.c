/* central: batches out of spans and back, the fullest span first. */
#include "alloc/central.h"

#include <stdbool.h>

#include "alloc/heap.h"
#include "alloc/live.h"
#include "alloc/page_heap.h"
#include "alloc/page_map.h"
#include "tests/unit/aborts.h"
#include "tests/unit/suite.h"

enum { CELL_CLASS = 9, SLOTS = 256 }; /* of 128 bytes, in spans of 4 pages */

static void start(void)
{
    heap_free(heap_alloc(1, HEAP_PROCESS), 1, HEAP_PROCESS);
    heap_flush_thread();
    ck_assert_uint_eq(size_classes[CELL_CLASS].bytes, 128);
    ck_assert_uint_eq(size_classes[CELL_CLASS].slots, SLOTS);
}

/* Exactly count objects, from as many spans as it takes. */
static void take_all(void **out, uint32_t count)
{
    for (uint32_t got = 0; got < count;) {
        uint32_t more = central_take(CELL_CLASS, out + got, count - got);
        ck_assert_uint_gt(more, 0);
        got += more;
    }
}

START_TEST(objects_of_a_new_span_come_in_the_order_of_addresses)
{
    void *p[SLOTS];
    start();
    ck_assert_uint_eq(central_take(CELL_CLASS, p, 100), 100);
    ck_assert_uint_eq(central_take(CELL_CLASS, p + 100, SLOTS), SLOTS - 100);
    for (int i = 1; i < SLOTS; i++)
        ck_assert_ptr_eq(p[i], (uint8_t *)p[i - 1] + 128);
    ck_assert_uint_eq(central_spans(CELL_CLASS), 1);
    central_check();
    central_give(CELL_CLASS, p, SLOTS);
    ck_assert_uint_eq(central_spans(CELL_CLASS), 0);
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
    ck_assert_uint_eq(central_spans(CELL_CLASS), SPANS);
    central_give(CELL_CLASS, p, 200);             /* 200 free in the first span */
    central_give(CELL_CLASS, p + SLOTS, 10);      /* 10 in the second */
    central_give(CELL_CLASS, p + 2 * SLOTS, 120); /* 120 in the third */
    central_check();
    void *got[10];
    ck_assert_uint_eq(central_take(CELL_CLASS, got, 10), 10);
    for (int i = 0; i < 10; i++)
        ck_assert_ptr_eq(got[i], p[SLOTS + i]);
    ck_assert_uint_eq(central_take(CELL_CLASS, got, 10), 10);
    for (int i = 0; i < 10; i++)
        ck_assert_ptr_eq(got[i], p[2 * SLOTS + i]);
    central_give(CELL_CLASS, got, 10);
    central_give(CELL_CLASS, p + 200, SLOTS - 200);
    ck_assert_uint_eq(central_spans(CELL_CLASS), SPANS - 1); /* the first is empty and gone */
    central_give(CELL_CLASS, p + SLOTS, SLOTS);
    central_give(CELL_CLASS, p + 2 * SLOTS + 120, SLOTS - 120);
    ck_assert_uint_eq(central_spans(CELL_CLASS), 0);
    central_check();
}
END_TEST

START_TEST(at_the_limit_there_is_nothing_but_what_comes_back)
{
    void *p[SLOTS];
    void *one;
    start();
    take_all(p, SLOTS);
    heap_set_limit(1);
    ck_assert_uint_eq(central_take(CELL_CLASS, &one, 1), 0);
    central_give(CELL_CLASS, &p[17], 1);
    ck_assert_uint_eq(central_take(CELL_CLASS, &one, 1), 1);
    ck_assert_ptr_eq(one, p[17]);
    heap_set_limit(0);
    central_give(CELL_CLASS, p, SLOTS);
}
END_TEST

static void give_twice(void)
{
    void *p[2];
    if (central_take(CELL_CLASS, p, 2) != 2) return;
    p[1] = p[0];
    central_give(CELL_CLASS, p, 2);
}

START_TEST(an_object_given_back_twice_ends_the_process)
{
    start();
    ck_assert(aborts(give_twice));
}
END_TEST

SUITE(central, objects_of_a_new_span_come_in_the_order_of_addresses,
      the_fullest_span_is_served_first, at_the_limit_there_is_nothing_but_what_comes_back,
      an_object_given_back_twice_ends_the_process)
