/* audit: the books and a walk agree, at rest; what is forgotten by one of the two is noticed. */
#include "alloc/audit.h"

#include <stdatomic.h>

#include "alloc/cache.h"
#include "alloc/central.h"
#include "alloc/heap.h"
#include "alloc/memstats.h"
#include "alloc/page_heap.h"
#include "alloc/region.h"
#include "alloc/size_class.h"
#include "alloc/tally.h"
#include "base/thread.h"
#include "tests/unit/alloc/death.h"
#include "tests/unit/alloc/random.h"
#include "tests/unit/suite.h"

enum { OBJECTS = 3000 };

static void *objects[OBJECTS];
static size_t sizes[OBJECTS];

static void take_all(struct random *r)
{
    for (int i = 0; i < OBJECTS; i++) {
        sizes[i] = random_size(r, random_below(r, 20) ? 3000 : 300000);
        objects[i] = heap_alloc(sizes[i], HEAP_CHUNKS);
    }
}

static void free_every(int step)
{
    for (int i = 0; i < OBJECTS; i += step) {
        if (objects[i]) heap_free(objects[i], sizes[i], HEAP_CHUNKS);
        objects[i] = NULL;
    }
}

START_TEST(the_books_are_what_a_walk_finds)
{
    struct random r = random_start("audit");
    ck_assert(audit_books());
    take_all(&r);
    ck_assert(audit_books());
    free_every(3);
    ck_assert(audit_books());
    heap_flush_thread();
    ck_assert(audit_books());
    free_every(1);
    ck_assert(audit_books());
}
END_TEST

/* Whether some class has shorter spans now. */
static bool any_shorter(void)
{
    for (unsigned c = 1; c < SIZE_CLASS_COUNT; c++)
        if (central_pages(c) < central_spans(c) * size_classes[c].pages) return true;
    return false;
}

START_TEST(spans_of_several_lengths_are_in_the_books)
{
    static struct memstats s;
    struct random r = random_start("audit");
    bool any = false;
    page_heap_big_from(0);
    for (int i = 0; i < 20; i++) {
        take_all(&r);
        ck_assert(audit_books());
        free_every(3);
        free_every(2);
        heap_flush_thread();
        ck_assert(audit_books());
        any |= any_shorter();
        memstats_read(&s);
        memstats_check(&s);
        heap_check();
        free_every(1);
    }
    ck_assert(any);
    page_heap_big_from(PAGE_HEAP_BIG_BYTES);
    ck_assert(audit_books());
}
END_TEST

static void take_half(void *arg)
{
    take_all(arg);
    free_every(2);
}

START_TEST(what_another_thread_did_and_left_is_counted)
{
    struct random r = random_start("audit of another thread");
    struct thread t;
    ck_assert_int_eq(thread_start(&t, "other", take_half, &r, NULL), OK);
    thread_join(&t);
    ck_assert(audit_books());
    free_every(1);
    ck_assert(audit_books());
}
END_TEST

/* An object that nobody was counted for, and one that was counted and is not there. */
static void take_uncounted(void)
{
    void *p;
    if (central_take(size_class_of(100), &p, 1) == 1) (void)!audit_books();
}

static void count_untaken(void)
{
    tally_add(&tally_shared.objects[size_class_of(100)].given[HEAP_QUERY], 1);
    (void)!audit_books();
}

static void count_untaken_large(void)
{
    tally_add(&tally_shared.large_bytes.given[HEAP_QUERY], HEAP_PAGE_BYTES);
    (void)!audit_books();
}

/* Of two objects of a class, one is counted for another owner than it has. */
static void count_for_another_owner(void)
{
    tally_add(&tally_shared.objects[size_class_of(100)].given[HEAP_LABELS], 1);
    tally_add(&tally_shared.objects[size_class_of(100)].taken[HEAP_QUERY], 1);
    (void)!audit_books();
}

static void count_large_bytes_for_another_owner(void)
{
    tally_add(&tally_shared.large_bytes.given[HEAP_LABELS], HEAP_PAGE_BYTES);
    tally_add(&tally_shared.large_bytes.taken[HEAP_QUERY], HEAP_PAGE_BYTES);
    (void)!audit_books();
}

/* Only debug builds know the owner of an object. */
START_TEST(a_wrong_owner_ends_the_process_too)
{
    void *small = heap_alloc(100, HEAP_QUERY);
    void *large = heap_alloc(100000, HEAP_QUERY);
    ck_assert(audit_books());
    ck_assert_int_eq(dies(count_for_another_owner), HEARTH_DEBUG);
    ck_assert_int_eq(dies(count_large_bytes_for_another_owner), HEARTH_DEBUG);
    heap_free(small, 100, HEAP_QUERY);
    heap_free(large, 100000, HEAP_QUERY);
}
END_TEST

START_TEST(regions_are_no_ones_objects_in_the_walk)
{
    struct region r;
    region_init(&r, HEAP_CHUNKS);
    ck_assert(region_alloc(&r, 100) != REGION_NONE);
    ck_assert(region_alloc(&r, 100000) != REGION_NONE);
    ck_assert(audit_books());
    region_delete(&r, 100);
    ck_assert(audit_books());
    region_release(&r);
    ck_assert(audit_books());
}
END_TEST

START_TEST(a_difference_ends_the_process)
{
    void *keeps_the_span = heap_alloc(100, HEAP_QUERY);
    void *large = heap_alloc(100000, HEAP_QUERY);
    ck_assert(audit_books());
    ck_assert(dies(take_uncounted));
    ck_assert(dies(count_untaken));
    ck_assert(dies(count_untaken_large));
    heap_free(keeps_the_span, 100, HEAP_QUERY);
    heap_free(large, 100000, HEAP_QUERY);
}
END_TEST

static atomic_int moment;
enum { INSIDE = 1, GO_ON, OUTSIDE, END };

static void await(int wanted)
{
    while (atomic_load(&moment) < wanted)
        thread_sleep_ms(1);
}

/* Stands still between taking an object and counting it. */
static void take_slowly(void *arg)
{
    unsigned size_class = size_class_of(100);
    void *p = heap_alloc(100, HEAP_QUERY);
    (void)arg;
    heap_free(p, 100, HEAP_QUERY);
    struct cache_bin *bin = &cache_enter()->bins[size_class];
    bin->top--;
    atomic_store(&moment, INSIDE);
    await(GO_ON);
    bin->top++;
    cache_leave();
    atomic_store(&moment, OUTSIDE);
    await(END);
}

START_TEST(nothing_is_said_while_a_thread_is_inside)
{
    struct thread t;
    ck_assert_int_eq(thread_start(&t, "slow", take_slowly, NULL, NULL), OK);
    await(INSIDE);
    ck_assert(!audit_books());
    atomic_store(&moment, GO_ON);
    await(OUTSIDE);
    ck_assert(audit_books());
    atomic_store(&moment, END);
    thread_join(&t);
}
END_TEST

static void fill_a_cache(void *arg)
{
    enum { COUNT = 1000 };
    void *p[COUNT];
    (void)arg;
    for (size_t i = 0; i < COUNT; i++)
        p[i] = heap_alloc(16 + i * 3, HEAP_CHUNKS);
    for (size_t i = 0; i < COUNT; i++)
        heap_free(p[i], 16 + i * 3, HEAP_CHUNKS);
}

enum { GUESTS = 2000 / SUITE_FEWER };
static atomic_int guests;

static void come_and_go(void *arg)
{
    for (; atomic_load(&guests) < GUESTS; atomic_fetch_add(&guests, 1)) {
        struct thread t;
        ck_assert_int_eq(thread_start(&t, "guest", fill_a_cache, arg, NULL), OK);
        thread_join(&t);
    }
}

/* What it gives back then moves, and no counter changes. */
START_TEST(nothing_is_said_while_a_thread_ends)
{
    struct thread t;
    ck_assert_int_eq(thread_start(&t, "host", come_and_go, NULL, NULL), OK);
    while (atomic_load(&guests) < GUESTS)
        (void)!audit_books();
    thread_join(&t);
    ck_assert(audit_books());
}
END_TEST

SUITE(audit, the_books_are_what_a_walk_finds, spans_of_several_lengths_are_in_the_books,
      what_another_thread_did_and_left_is_counted, a_difference_ends_the_process,
      a_wrong_owner_ends_the_process_too, regions_are_no_ones_objects_in_the_walk,
      nothing_is_said_while_a_thread_is_inside, nothing_is_said_while_a_thread_ends)
