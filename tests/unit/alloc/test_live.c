/* live: every mistake with an object that a person can make ends the process, with a line that says
 * which object it was. Under AddressSanitizer the access itself does. */
#include "alloc/live.h"

#include <string.h>

#include "alloc/page_heap.h"
#include "alloc/page_map.h"
#include "alloc/region.h"
#include "alloc/tiny.h"
#include "base/assert.h"
#include "base/thread.h"
#include "tests/unit/alloc/death.h"
#include "tests/unit/suite.h"

#if POISON_ACTIVE
static const char overrun[] = "use-after-poison";
static const char late_write[] = "use-after-poison";
#else
static const char overrun[] = "written to behind its end";
static const char late_write[] = "written to after it was freed";
#endif

/* Through these the compiler does not see what is done here. */
static void write_at(void *p, size_t at)
{
    volatile uint8_t *bytes = p;
    bytes[at] = 1;
}

static void overrun_small(void)
{
    void *p = heap_alloc(100, HEAP_HTTP); /* of a class of 112 */
    write_at(p, 100);
    heap_free(p, 100, HEAP_HTTP);
}

static void overrun_by_the_last_byte_of_the_slot(void)
{
    void *p = heap_calloc(1, 100, HEAP_HTTP);
    write_at(p, 111);
    heap_free(p, 100, HEAP_HTTP);
}

static void overrun_large(void)
{
    void *p = heap_alloc(100000, HEAP_HTTP);
    write_at(p, 100000);
    heap_free(p, 100000, HEAP_HTTP);
}

static void overrun_after_resize(void)
{
    void *p = heap_alloc(110, HEAP_HTTP);
    p = heap_resize(p, 110, 98, HEAP_HTTP); /* in place */
    write_at(p, 98);
    heap_free(p, 98, HEAP_HTTP);
}

static void overrun_that_is_never_freed(void)
{
    write_at(heap_alloc(100, HEAP_HTTP), 100);
    heap_check();
}

static void overrun_of_a_large_one_that_is_never_freed(void)
{
    write_at(heap_alloc(100000, HEAP_HTTP), 100000);
    heap_check();
}

static void overrun_of_a_full_slot_into_a_free_one(void)
{
    void *p = heap_alloc(112, HEAP_HTTP);
    write_at(p, 112);
    heap_check();
}

/* With a neighbour that is in use: its owner is the one to suffer. */
static void overrun_of_a_full_slot(void *(*give)(void), size_t size)
{
    heap_red_zones();
    void *p[2] = {give(), give()};
    write_at(p[0], size);
    heap_free(p[0], size, HEAP_HTTP);
}

static void *give_full(void)
{
    return heap_alloc(112, HEAP_HTTP);
}

static void *give_zeros(void)
{
    return heap_calloc(4, 64, HEAP_HTTP);
}

static void *give_resized(void)
{
    return heap_resize(heap_alloc(100, HEAP_HTTP), 100, 1024, HEAP_HTTP);
}

static void *give_aligned(void)
{
    void *p = heap_alloc_aligned(512, 512, HEAP_HTTP);
    ASSERT((uintptr_t)p % 512 == 0);
    return p;
}

static void overrun_of_a_full_slot_by_a_byte(void)
{
    overrun_of_a_full_slot(give_full, 112);
}

static void overrun_of_zeros(void)
{
    overrun_of_a_full_slot(give_zeros, 256);
}

static void overrun_of_a_resized_one(void)
{
    overrun_of_a_full_slot(give_resized, 1024);
}

static void overrun_of_an_aligned_one(void)
{
    overrun_of_a_full_slot(give_aligned, 512);
}

static void overrun_of_a_full_slot_that_is_never_freed(void)
{
    heap_red_zones();
    write_at(heap_alloc(112, HEAP_HTTP), 112 + 7);
    heap_check();
}

static void overrun_a_tiny_one(void)
{
    heap_red_zones();
    uint8_t *p = heap_alloc_tiny(3, HEAP_HTTP);
    write_at(p, 3);
    heap_free_tiny(p, 3, HEAP_HTTP);
}

START_TEST(with_red_zones_a_write_behind_a_full_slot_is_found)
{
    ck_assert(dies_saying(overrun_of_a_full_slot_by_a_byte, overrun));
    ck_assert(dies_saying(overrun_of_zeros, overrun));
    ck_assert(dies_saying(overrun_of_a_resized_one, overrun));
    ck_assert(dies_saying(overrun_of_an_aligned_one, overrun));
    ck_assert(dies_saying(overrun_of_a_full_slot_that_is_never_freed, overrun));
    ck_assert(dies_saying(overrun_a_tiny_one, overrun));
}
END_TEST

START_TEST(with_red_zones_everything_else_is_as_without)
{
    enum { SIZES = HEAP_SMALL_MAX + 2 * HEAP_PAGE_BYTES };
    uint8_t *before = heap_alloc(128, HEAP_HTTP);
    heap_red_zones();
    for (size_t size = 1; size <= SIZES; size += size < 200 ? 1 : 61) {
        size_t good = heap_good_size(size);
        uint8_t *p = heap_alloc(size, HEAP_HTTP);
        memset(p, 1, size);
        p = heap_resize(p, size, good, HEAP_HTTP);
        memset(p, 2, good);
        ck_assert_uint_ge(heap_usable_size(p), good);
        heap_free_unsized(p, HEAP_HTTP);
    }
    heap_free_unsized(NULL, HEAP_HTTP);
    heap_free_unsized(heap_alloc(0, HEAP_HTTP), HEAP_HTTP);
    heap_free(before, 128, HEAP_HTTP);
    heap_free_cell(heap_alloc_cell(HEAP_HTTP), HEAP_HTTP);
    heap_check();
    heap_flush_thread();
    heap_check();
}
END_TEST

START_TEST(a_write_behind_the_end_is_found)
{
    ck_assert(dies_saying(overrun_small, overrun));
    ck_assert(dies_saying(overrun_by_the_last_byte_of_the_slot, overrun));
    ck_assert(dies_saying(overrun_large, overrun));
    ck_assert(dies_saying(overrun_after_resize, overrun));
    ck_assert(dies_saying(overrun_that_is_never_freed, overrun));
    ck_assert(dies_saying(overrun_of_a_large_one_that_is_never_freed, overrun));
    ck_assert(dies_saying(overrun_of_a_full_slot_into_a_free_one, late_write));
}
END_TEST

static void write_late(void)
{
    void *p = heap_alloc(100, HEAP_HTTP);
    heap_free(p, 100, HEAP_HTTP);
    write_at(p, 50);
    heap_free(heap_alloc(100, HEAP_HTTP), 100, HEAP_HTTP); /* the same slot */
}

static void write_late_and_check(void)
{
    void *p = heap_alloc(100, HEAP_HTTP);
    heap_free(p, 100, HEAP_HTTP);
    write_at(p, 0);
    heap_check();
}

static void write_to_what_lies_in_its_span(void)
{
    void *kept = heap_alloc(100, HEAP_HTTP);
    void *p = heap_alloc(100, HEAP_HTTP);
    heap_free(p, 100, HEAP_HTTP);
    heap_flush_thread();
    write_at(p, 111);
    heap_check();
    heap_free(kept, 100, HEAP_HTTP);
}

static void write_behind_the_last_slot(void)
{
    uint8_t *p = heap_alloc(112, HEAP_HTTP);
    struct span *span = page_map_span((uint32_t)(page_map_offset(p) >> PAGE_SHIFT));
    write_at(page_map_address(span->page), span->pages * (size_t)HEAP_PAGE_BYTES - 1);
    heap_check();
}

static void write_to_a_large_one_and_reuse_it(void)
{
    void *p = heap_alloc(100000, HEAP_HTTP);
    heap_free(p, 100000, HEAP_HTTP);
    write_at(p, 50000);
    heap_free(heap_alloc(100000, HEAP_HTTP), 100000, HEAP_HTTP); /* out of the thread's cache */
}

static void write_to_a_large_one_and_check(void)
{
    void *p = heap_alloc(100000, HEAP_HTTP);
    heap_free(p, 100000, HEAP_HTTP);
    write_at(p, 99999);
    heap_check();
}

static void write_to_a_large_one_in_the_page_heap(void)
{
    void *p = heap_alloc(100000, HEAP_HTTP);
    heap_free(p, 100000, HEAP_HTTP);
    heap_flush_thread();
    write_at(p, 0);
    heap_check();
}

static void write_to_a_large_one_out_of_the_page_heap(void)
{
    void *p = heap_alloc(100000, HEAP_HTTP);
    heap_free(p, 100000, HEAP_HTTP);
    heap_flush_thread();
    write_at(p, 0);
    heap_free(heap_alloc(100000, HEAP_HTTP), 100000, HEAP_HTTP);
}

START_TEST(a_write_after_the_free_of_a_large_object_is_found)
{
    ck_assert(dies_saying(write_to_a_large_one_and_reuse_it, late_write));
    ck_assert(dies_saying(write_to_a_large_one_and_check, late_write));
    ck_assert(dies_saying(write_to_a_large_one_in_the_page_heap, late_write));
    ck_assert(dies_saying(write_to_a_large_one_out_of_the_page_heap, late_write));
}
END_TEST

/* Whatever the pages of a large object are used for next: what is in them then is no late write. */
START_TEST(pages_of_a_large_object_may_become_anything)
{
    enum { BYTES = 64 << 10 };
    for (int i = 0; i < 4; i++) {
        heap_free(heap_alloc(BYTES, HEAP_HTTP), BYTES, HEAP_HTTP);
        heap_flush_thread();
        struct span *span = region_take_block(BYTES); /* the same run */
        poison_show(page_map_address(span->page), BYTES);
        memset(page_map_address(span->page), i, BYTES);
        page_heap_free(span);
        heap_check();
        void *p = heap_alloc(BYTES, HEAP_HTTP);
        memset(p, i, BYTES);
        p = heap_resize(p, BYTES, BYTES / 2 + 8192 * i, HEAP_HTTP);
        ck_assert_ptr_nonnull(p);
        memset(p, i, BYTES / 2 + 8192 * (size_t)i);
        heap_free(p, BYTES / 2 + 8192 * (size_t)i, HEAP_HTTP);
        heap_check();
        heap_flush_thread();
        heap_check();
        heap_scavenge(UINT64_MAX);
        heap_check();
    }
}
END_TEST

START_TEST(a_write_after_the_free_is_found)
{
    ck_assert(dies_saying(write_late, late_write));
    ck_assert(dies_saying(write_late_and_check, late_write));
    ck_assert(dies_saying(write_to_what_lies_in_its_span, late_write));
    ck_assert(dies(write_behind_the_last_slot));
}
END_TEST

static void free_twice(void)
{
    void *p = heap_alloc(100, HEAP_HTTP);
    heap_free(p, 100, HEAP_HTTP);
    heap_free(p, 100, HEAP_HTTP);
}

static void free_again(void *p)
{
    heap_free(p, 100, HEAP_HTTP);
}

static void free_in_another_thread_too(void)
{
    struct thread t;
    void *p = heap_alloc(100, HEAP_HTTP);
    heap_free(p, 100, HEAP_HTTP);
    if (thread_start(&t, "other", free_again, p, NULL) == OK) thread_join(&t);
}

static void free_large_twice(void)
{
    void *p = heap_alloc(100000, HEAP_HTTP);
    heap_free(p, 100000, HEAP_HTTP);
    heap_free(p, 100000, HEAP_HTTP);
}

static void resize_what_is_free(void)
{
    void *p = heap_alloc(100, HEAP_HTTP);
    heap_free(p, 100, HEAP_HTTP);
    p = heap_resize(p, 100, 105, HEAP_HTTP);
}

static void free_a_cell_twice(void)
{
    void *p = heap_alloc_cell(HEAP_CHUNKS);
    heap_free_cell(p, HEAP_CHUNKS);
    heap_free_cell(p, HEAP_CHUNKS);
}

static void free_a_tiny_one_twice(void)
{
    heap_red_zones();
    void *p = heap_alloc_tiny(3, HEAP_HTTP);
    heap_free_tiny(p, 3, HEAP_HTTP);
    heap_free_tiny(p, 3, HEAP_HTTP);
}

START_TEST(a_second_free_is_found)
{
    ck_assert(dies_saying(free_a_cell_twice, "freed twice"));
    ck_assert(dies_saying(free_a_tiny_one_twice, "freed twice"));
    ck_assert(dies_saying(free_twice, "freed twice"));
    ck_assert(dies_saying(free_in_another_thread_too, "freed twice"));
    ck_assert(dies_saying(free_large_twice, "freed twice"));
    ck_assert(dies_saying(resize_what_is_free, "resized after it was freed"));
}
END_TEST

static void free_under_another_tag(void)
{
    heap_free(heap_alloc(100, HEAP_HTTP), 100, HEAP_QUERY);
}

static void free_large_under_another_tag(void)
{
    heap_free(heap_alloc(100000, HEAP_HTTP), 100000, HEAP_QUERY);
}

static void free_with_another_size(void)
{
    heap_free(heap_alloc(100, HEAP_HTTP), 101, HEAP_HTTP); /* of the same class */
}

static void free_large_as_small(void)
{
    heap_free(heap_alloc(100000, HEAP_HTTP), 100, HEAP_HTTP);
}

static void resize_with_another_size(void)
{
    void *p = heap_alloc(100, HEAP_HTTP);
    p = heap_resize(p, 99, 200, HEAP_HTTP);
}

static void free_inside_an_object(void)
{
    heap_free((uint8_t *)heap_alloc(100, HEAP_HTTP) + 16, 100, HEAP_HTTP);
}

static void free_inside_a_large_object(void)
{
    heap_free((uint8_t *)heap_alloc(100000, HEAP_HTTP) + HEAP_PAGE_BYTES, 100000, HEAP_HTTP);
}

static void free_what_is_not_ours(void)
{
    int here;
    heap_free(&here, sizeof(here), HEAP_HTTP);
}

static void free_a_cell_as_another(void)
{
    heap_free(heap_alloc_cell(HEAP_CHUNKS), HEAP_CELL_BYTES, HEAP_CHUNKS);
}

static void free_a_cell_as_another_with_red_zones(void)
{
    heap_red_zones();
    free_a_cell_as_another();
}

static void free_another_as_a_cell(void)
{
    heap_free_cell(heap_alloc(HEAP_CELL_BYTES, HEAP_CHUNKS), HEAP_CHUNKS);
}

START_TEST(a_wrong_free_is_found)
{
    const char *here = "tests/unit/alloc/test_live.c";
    ck_assert(dies_saying(free_a_cell_as_another, "a cell, freed as another object"));
    ck_assert(dies_saying(free_a_cell_as_another_with_red_zones, "a cell, freed as another"));
    ck_assert(dies_saying(free_another_as_a_cell, "freed as a cell"));
    ck_assert(dies_saying(free_another_as_a_cell, here));
    ck_assert(dies_saying(free_under_another_tag, "another tag"));
    ck_assert(dies_saying(free_large_under_another_tag, "another tag"));
    ck_assert(dies_saying(free_with_another_size, "another size"));
    ck_assert(dies_saying(free_large_as_small, "another size"));
    ck_assert(dies_saying(resize_with_another_size, "another size"));
    ck_assert(dies_saying(free_inside_an_object, "inside an object"));
    ck_assert(dies_saying(free_inside_a_large_object, "no object of this heap"));
    ck_assert(dies_saying(free_what_is_not_ours, "no object of this heap"));
}
END_TEST

static struct span *span_of(const void *p)
{
    return page_map_span((uint32_t)(page_map_offset(p) >> PAGE_SHIFT));
}

static void lose_a_slot(void)
{
    struct span *span = span_of(heap_alloc(100, HEAP_HTTP));
    span->free_slots--;
    heap_check();
}

static void lose_a_bit(void)
{
    void *keeps_the_span = heap_alloc(100, HEAP_HTTP);
    heap_free(heap_alloc(100, HEAP_HTTP), 100, HEAP_HTTP);
    heap_flush_thread();
    struct span *span = span_of(keeps_the_span);
    span_bits(span)[0] ^= UINT64_C(1) << 40;
    heap_check();
}

static void give_an_object_to_its_span_as_well(void)
{
    void *p = heap_alloc(100, HEAP_HTTP);
    struct span *span = span_of(p);
    uint32_t slot = page_map_slot(span, p);
    if (!span->has_bits) span_start_bits(span);
    span_bits(span)[slot / 64] |= UINT64_C(1) << (slot % 64);
    span->free_slots++;
    span->first_word = 0;
    heap_check();
}

static void forget_a_page(void)
{
    void *p = heap_alloc(100000, HEAP_HTTP);
    span_of(p)->pages--;
    heap_check();
}

static void change_a_class(void)
{
    void *p = heap_alloc(100, HEAP_HTTP);
    page_map.classes[page_map_offset(p) >> PAGE_SHIFT]++;
    heap_check();
}

START_TEST(broken_records_are_found_by_the_walk)
{
    ck_assert(dies_saying(lose_a_slot, "span_slots(span) - span->fresh"));
    ck_assert(dies_saying(lose_a_bit, "set == span->free_slots"));
    ck_assert(dies(give_an_object_to_its_span_as_well));
    ck_assert(dies(forget_a_page));
    ck_assert(dies(change_a_class));
}
END_TEST

static void *made_before;

enum { LINE = __LINE__ };
static void free_twice_here(void)
{
    heap_free(made_before, 100, HEAP_SERIES); /* LINE + 3 */
    heap_free(made_before, 100, HEAP_SERIES);
}

static void free_as_labels(void)
{
    heap_free(made_before, 100, HEAP_LABELS);
}

START_TEST(the_last_words_name_the_object_and_its_places)
{
    char words[300];
    made_before = heap_alloc(100, HEAP_SERIES); /* LINE + 15 */
    (void)snprintf(words, sizeof(words),
                   "%s:%d: heap: freed twice: address=%p object=%p bytes=100 class=112 tag=none "
                   "allocated=%s:%d freed=%s:%d\n",
                   __FILE__, LINE + 4, made_before, made_before, __FILE__, LINE + 15, __FILE__,
                   LINE + 3);
    ck_assert(dies_saying(free_twice_here, words));
    (void)snprintf(words, sizeof(words), "class=112 tag=series allocated=%s:%d\n", __FILE__,
                   LINE + 15);
    ck_assert(dies_saying(free_as_labels, words));
    heap_free(made_before, 100, HEAP_SERIES);
}
END_TEST

START_TEST(what_usable_size_gives_away_may_be_used)
{
    void *p = heap_alloc(100, HEAP_HTTP);
    memset(p, 7, heap_usable_size(p));
    heap_check();
    heap_free(p, 100, HEAP_HTTP);
    p = heap_alloc(100000, HEAP_HTTP);
    memset(p, 7, heap_usable_size(p));
    heap_check();
    heap_free(p, 100000, HEAP_HTTP);
}
END_TEST

START_TEST(a_free_slot_holds_the_pattern)
{
    enum { OBJECTS = 100 };
    uint8_t *p[OBJECTS];
    for (int i = 0; i < OBJECTS; i++) {
        p[i] = heap_alloc(60, HEAP_HTTP);
        for (int j = 0; LIVE_FILLS && j < 64; j++)
            ck_assert_uint_eq(p[i][j], LIVE_PATTERN);
        memset(p[i], i, 60);
    }
    for (int i = 0; i < OBJECTS; i++)
        heap_free(p[i], 60, HEAP_HTTP);
    p[0] = heap_alloc(60, HEAP_HTTP);
    ck_assert_uint_eq(p[0][59], LIVE_FILLS ? LIVE_PATTERN : OBJECTS - 1);
    heap_free(p[0], 60, HEAP_HTTP);
}
END_TEST

struct sum {
    uint64_t objects, bytes, slack;
};

static void add_up(void *arg, const struct live_note *note, uint64_t bytes)
{
    struct sum *sum = arg;
    ck_assert_uint_eq(note->owner, HEAP_LABELS + 1);
    sum->objects++;
    sum->bytes += bytes;
    sum->slack += note->slack;
}

START_TEST(a_visit_sees_what_is_with_users)
{
    struct sum sum = {0};
    void *a = heap_alloc(101, HEAP_LABELS);
    void *b = heap_alloc(112, HEAP_LABELS);
    void *c = heap_alloc(110, HEAP_LABELS);
    void *large = heap_alloc(40000, HEAP_LABELS);
    heap_free(b, 112, HEAP_LABELS);
    live_visit(span_of(a), add_up, &sum);
    ck_assert_uint_eq(sum.objects, 2);
    ck_assert_uint_eq(sum.bytes, 2 * 112);
    ck_assert_uint_eq(sum.slack, 11 + 2);
    live_visit(span_of(large), add_up, &sum);
    ck_assert_uint_eq(sum.objects, 3);
    ck_assert_uint_eq(sum.bytes, 2 * 112 + 5 * HEAP_PAGE_BYTES);
    heap_free(a, 101, HEAP_LABELS);
    heap_free(c, 110, HEAP_LABELS);
    heap_free(large, 40000, HEAP_LABELS);
}
END_TEST

SUITE(live, a_write_behind_the_end_is_found, with_red_zones_a_write_behind_a_full_slot_is_found,
      with_red_zones_everything_else_is_as_without, a_write_after_the_free_is_found,
      a_write_after_the_free_of_a_large_object_is_found,
      pages_of_a_large_object_may_become_anything, a_second_free_is_found, a_wrong_free_is_found,
      broken_records_are_found_by_the_walk, the_last_words_name_the_object_and_its_places,
      what_usable_size_gives_away_may_be_used, a_free_slot_holds_the_pattern,
      a_visit_sees_what_is_with_users)
