/* transfer: stacks between threads and central: what fits, what goes on, what goes back when idle.
 */
#include "alloc/transfer.h"

#include <string.h>

#include "alloc/audit.h"
#include "alloc/cache.h"
#include "alloc/central.h"
#include "alloc/memstats.h"
#include "base/thread.h"
#include "tests/unit/alloc/random.h"
#include "tests/unit/suite.h"

enum { CLASS_128 = 9, SLOTS = 256, OBJECTS = 512 };

static void start(void)
{
    heap_free(heap_alloc(1, HEAP_PROCESS), 1, HEAP_PROCESS);
    heap_flush_thread();
    ck_assert_uint_eq(size_classes[CLASS_128].bytes, 128);
    ck_assert_uint_eq(central_spans(CLASS_128), 0);
}

static void take_all(unsigned size_class, void **out, uint32_t count)
{
    for (uint32_t got = 0; got < count;) {
        uint32_t more = transfer_take(size_class, out + got, count - got);
        ck_assert_uint_gt(more, 0);
        got += more;
    }
}

START_TEST(what_came_last_goes_first)
{
    void *p[OBJECTS];
    void *again[OBJECTS];
    start();
    take_all(CLASS_128, p, OBJECTS);
    transfer_give(CLASS_128, p, OBJECTS);
    ck_assert_uint_eq(transfer_objects(CLASS_128), OBJECTS);
    ck_assert_uint_eq(transfer_take(CLASS_128, again, 100), 100);
    ck_assert_mem_eq(again, p + OBJECTS - 100, 100 * sizeof(void *));
    ck_assert_uint_eq(transfer_take(CLASS_128, again, OBJECTS), OBJECTS - 100);
    ck_assert_mem_eq(again, p, (OBJECTS - 100) * sizeof(void *));
    transfer_give(CLASS_128, p, OBJECTS);
    transfer_check();
    ck_assert_uint_eq(transfer_flush(), OBJECTS);
    ck_assert_uint_eq(transfer_flush(), 0);
    ck_assert_uint_eq(central_spans(CLASS_128), 0);
}
END_TEST

START_TEST(objects_of_a_new_span_are_used_from_its_start)
{
    void *p[8];
    start();
    ck_assert_uint_eq(transfer_take(CLASS_128, p, 8), 8);
    for (int i = 1; i < 8; i++)
        ck_assert_ptr_eq(p[i - 1], (uint8_t *)p[i] + 128);
    central_give(CLASS_128, p, 8);
}
END_TEST

START_TEST(what_does_not_fit_goes_on_to_central)
{
    enum { MORE = TRANSFER_OBJECTS_MAX + 300 };
    static void *p[MORE];
    start();
    take_all(CLASS_128, p, MORE);
    transfer_give(CLASS_128, p, MORE);
    ck_assert_uint_eq(transfer_objects(CLASS_128), TRANSFER_OBJECTS_MAX);
    ck_assert_uint_eq(central_spans(CLASS_128), TRANSFER_OBJECTS_MAX / SLOTS);
    transfer_check();
    transfer_flush();
}
END_TEST

START_TEST(all_classes_together_keep_no_more_than_their_bytes)
{
    static void *p[TRANSFER_OBJECTS_MAX];
    uint64_t kept = 0;
    start();
    for (unsigned c = SIZE_CLASS_COUNT - 8; c < SIZE_CLASS_COUNT; c++) {
        uint32_t count = TRANSFER_BYTES_MAX / 2 / size_classes[c].bytes;
        take_all(c, p, count);
        transfer_give(c, p, count);
        kept += (uint64_t)transfer_objects(c) * size_classes[c].bytes;
        ck_assert_uint_le(kept, TRANSFER_BYTES_MAX);
    }
    ck_assert_uint_gt(kept, TRANSFER_BYTES_MAX - size_classes[SIZE_CLASS_COUNT - 1].bytes);
    transfer_check();
    transfer_flush();
    for (unsigned c = 1; c < SIZE_CLASS_COUNT; c++)
        ck_assert_uint_eq(transfer_objects(c), 0);
}
END_TEST

/* The room is with a class that nobody uses any more: after a turn or two it is where it is needed,
 * and stays there while the other one is quiet. */
START_TEST(an_idle_class_makes_room_for_a_busy_one)
{
    enum { IDLE = SIZE_CLASS_COUNT - 1, BUSY = IDLE - 8, TRIP = 32, TURNS = 4 };
    static void *p[TRANSFER_OBJECTS_MAX];
    uint32_t count = TRANSFER_BYTES_MAX / size_classes[IDLE].bytes;
    start();
    take_all(IDLE, p, count);
    transfer_give(IDLE, p, count);
    ck_assert_uint_eq(transfer_objects(IDLE), count);
    uint32_t wanted = TRANSFER_BYTES_MAX / 2 / size_classes[BUSY].bytes;
    for (unsigned i = 0; i < TURNS * SIZE_CLASS_COUNT; i++) {
        take_all(BUSY, p, wanted);
        for (uint32_t at = 0; at < wanted; at += TRIP)
            transfer_give(BUSY, p + at, wanted - at < TRIP ? wanted - at : TRIP);
    }
    ck_assert_uint_eq(transfer_objects(BUSY), wanted);
    ck_assert_uint_gt(transfer_objects(IDLE), 0); /* no more than was needed */
    transfer_check();
    transfer_flush();
}
END_TEST

START_TEST(what_nobody_came_for_goes_back_and_what_is_used_stays)
{
    enum { OTHER_CLASS = CLASS_128 + 1 };
    void *p[8];
    void *q[8];
    start();
    take_all(CLASS_128, p, 8);
    take_all(OTHER_CLASS, q, 8);
    transfer_give(CLASS_128, p, 8);
    transfer_give(OTHER_CLASS, q, 8);
    ck_assert_uint_eq(transfer_drain(), 0); /* seen for the first time */
    take_all(OTHER_CLASS, q, 4);
    transfer_give(OTHER_CLASS, q, 4);
    ck_assert_uint_eq(transfer_drain(), 8 + 4); /* of the other, four were never wanted */
    ck_assert_uint_eq(transfer_objects(CLASS_128), 0);
    ck_assert_uint_eq(transfer_objects(OTHER_CLASS), 4);
    take_all(OTHER_CLASS, q, 4);
    transfer_give(OTHER_CLASS, q, 4);
    ck_assert_uint_eq(transfer_drain(), 0);
    ck_assert_uint_eq(transfer_drain(), 4);
    central_check();
}
END_TEST

START_TEST(at_the_limit_what_is_kept_serves_other_classes)
{
    enum { LAST_CLASS = SIZE_CLASS_COUNT - 1, COUNT = 32, LARGE_BYTES = 512 << 10 };
    void *p[COUNT];
    start();
    (void)heap_scavenge(UINT64_MAX); /* no idle pages: they would do */
    take_all(LAST_CLASS, p, COUNT);
    transfer_give(LAST_CLASS, p, COUNT);
    heap_set_limit(heap_used_bytes() + LARGE_BYTES / 2);
    void *other = heap_alloc(LARGE_BYTES, HEAP_HTTP);
    heap_set_limit(0);
    ck_assert_ptr_nonnull(other);
    ck_assert_uint_eq(transfer_objects(LAST_CLASS), 0);
    heap_free(other, LARGE_BYTES, HEAP_HTTP);
}
END_TEST

/* Threads that hand objects on to each other, over many classes. */
static void give_and_take(void *arg)
{
    enum { HELD = 256 };
    struct random *r = arg;
    void *p[HELD] = {0};
    size_t sizes[HELD];
    for (int step = 0; step < 40000; step++) {
        size_t i = random_below(r, HELD);
        if (p[i]) {
            heap_free(p[i], sizes[i], HEAP_QUERY);
            p[i] = NULL;
        } else {
            sizes[i] = random_size(r, 4000);
            ck_assert_ptr_nonnull(p[i] = heap_alloc(sizes[i], HEAP_QUERY));
            memset(p[i], (int)i, sizes[i]);
        }
        if (step % 5000 == 0) heap_check();
        if (step % 7000 == 0) (void)transfer_flush();
        if (step % 9000 == 0) (void)transfer_drain();
    }
    for (size_t i = 0; i < HELD; i++)
        if (p[i]) heap_free(p[i], sizes[i], HEAP_QUERY);
}

START_TEST(threads_that_use_the_same_stacks_lose_nothing)
{
    enum { THREADS = 4 };
    struct random r = random_start("transfer");
    struct thread threads[THREADS];
    struct random seeds[THREADS];
    start();
    for (int i = 0; i < THREADS; i++) {
        seeds[i].state = random_next(&r);
        ck_assert_int_eq(thread_start(&threads[i], "exchange", give_and_take, &seeds[i], NULL), OK);
    }
    for (int i = 0; i < THREADS; i++)
        thread_join(&threads[i]);
    ck_assert(audit_books());
    heap_flush_thread();
    struct memstats s;
    memstats_read(&s);
    ck_assert_uint_eq(s.heap_inuse, 0);
    heap_check();
}
END_TEST

SUITE(transfer, what_came_last_goes_first, objects_of_a_new_span_are_used_from_its_start,
      what_does_not_fit_goes_on_to_central, all_classes_together_keep_no_more_than_their_bytes,
      an_idle_class_makes_room_for_a_busy_one,
      what_nobody_came_for_goes_back_and_what_is_used_stays,
      at_the_limit_what_is_kept_serves_other_classes, threads_that_use_the_same_stacks_lose_nothing)
