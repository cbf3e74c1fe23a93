/* page_heap: split, coalesce, resize in place, giving back, zeros. */
#include "alloc/page_heap.h"

#include <stdbool.h>
#include <string.h>

#include "alloc/heap.h"
#include "alloc/page_map.h"
#include "alloc/page_runs.h"
#include "alloc/poison.h"
#include "tests/unit/alloc/random.h"
#include "tests/unit/alloc/resident.h"
#include "tests/unit/suite.h"

/* The first allocation sets everything up; then all pages are one released run. */
static void start(void)
{
    heap_free(heap_alloc(1, HEAP_PROCESS), 1, HEAP_PROCESS);
    heap_flush_thread();
    page_heap_release(UINT64_MAX);
}

static struct page_heap_stats stats(void)
{
    struct page_heap_stats s;
    page_heap_stats(&s);
    return s;
}

static uint8_t *bytes_of(const struct span *span)
{
    return page_map_address(span->page);
}

START_TEST(neighbours_become_one_run_in_any_order_of_freeing)
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    start();
    for (int o = 0; o < 6; o++) {
        struct span *spans[3];
        for (int i = 0; i < 3; i++)
            ck_assert_ptr_nonnull(spans[i] = page_heap_alloc(7, SIZE_CLASS_LARGE));
        uint32_t lowest = spans[0]->page;
        for (int i = 0; i < 3; i++)
            page_heap_free(spans[orders[o][i]]);
        page_heap_check();
        struct span *whole = page_heap_alloc(21, SIZE_CLASS_LARGE);
        ck_assert_uint_eq(whole->page, lowest);
        page_heap_free(whole);
        page_heap_check();
    }
}
END_TEST

START_TEST(resident_runs_are_taken_before_released_ones)
{
    start();
    struct span *a = page_heap_alloc(100, SIZE_CLASS_LARGE);
    uint32_t page = a->page;
    page_heap_free(a);
    uint64_t released = stats().released_bytes;
    struct span *b = page_heap_alloc(3, SIZE_CLASS_LARGE);
    ck_assert_uint_eq(b->page, page);
    ck_assert_uint_eq(stats().released_bytes, released);
    page_heap_free(b);
}
END_TEST

START_TEST(released_pages_read_as_zero_and_are_known_to)
{
    start();
    struct span *a = page_heap_alloc(64, SIZE_CLASS_LARGE);
    poison_show(bytes_of(a), 64 * HEAP_PAGE_BYTES);
    memset(bytes_of(a), 0xA5, 64 * HEAP_PAGE_BYTES);
    page_heap_free(a);
    struct span *dirty = page_heap_alloc(64, SIZE_CLASS_LARGE);
    ck_assert(!dirty->known_zero);
    page_heap_free(dirty);
    while (page_heap_release(UINT64_MAX))
        continue;
    ck_assert_uint_eq(stats().released_bytes, stats().idle_bytes);
    struct span *clean = page_heap_alloc(64, SIZE_CLASS_LARGE);
    ck_assert(clean->known_zero);
    poison_show(bytes_of(clean), 64 * HEAP_PAGE_BYTES);
    for (size_t i = 0; i < 64 * HEAP_PAGE_BYTES; i++)
        if (bytes_of(clean)[i]) ck_abort_msg("byte %zu is not zero", i);
    page_heap_free(clean);
    page_heap_check();
}
END_TEST

START_TEST(no_more_is_given_back_than_asked)
{
    start();
    page_heap_free(page_heap_alloc(1000, SIZE_CLASS_LARGE));
    uint64_t used = heap_used_bytes();
    ck_assert_uint_eq(page_heap_release(HEAP_PAGE_BYTES - 1), 0);
    ck_assert_uint_eq(page_heap_release(10 * HEAP_PAGE_BYTES + 17), 10 * HEAP_PAGE_BYTES);
    ck_assert_uint_eq(heap_used_bytes(), used - 10 * HEAP_PAGE_BYTES);
    page_heap_check();
    ck_assert_uint_eq(page_heap_release(UINT64_MAX), 990 * HEAP_PAGE_BYTES);
    ck_assert_uint_eq(heap_used_bytes(), used - 1000 * HEAP_PAGE_BYTES);
    page_heap_check();
}
END_TEST

START_TEST(a_large_object_grows_into_the_free_run_behind_it)
{
    start();
    struct span *whole = page_heap_alloc(60, SIZE_CLASS_LARGE);
    uint32_t page = whole->page;
    page_heap_free(whole);
    struct span *a = page_heap_alloc(10, SIZE_CLASS_LARGE);
    ck_assert_uint_eq(a->page, page);
    ck_assert(page_heap_resize(a, 40));
    ck_assert_uint_eq(a->pages, 40);
    page_heap_check();
    struct span *b = page_heap_alloc(20, SIZE_CLASS_LARGE);
    ck_assert_uint_eq(b->page, page + 40);
    ck_assert(!page_heap_resize(a, 41));
    ck_assert(page_heap_resize(a, 5));
    page_heap_check();
    page_heap_free(a);
    page_heap_free(b);
    page_heap_check();
}
END_TEST

START_TEST(what_was_freed_lately_serves_its_own_length_without_a_split)
{
    start();
    struct span *a = page_heap_alloc(8, SIZE_CLASS_LARGE);
    struct span *b = page_heap_alloc(8, SIZE_CLASS_LARGE);
    uint32_t low = a->page;
    a->after = b;
    uint64_t idle = stats().idle_bytes;
    page_heap_free(a);
    page_heap_check();
    ck_assert_uint_eq(stats().idle_bytes, idle + 16 * HEAP_PAGE_BYTES);
    ck_assert_ptr_null(page_heap_reuse(7, 1));
    ck_assert_ptr_null(page_heap_reuse(8, 0));
    struct span *both = page_heap_reuse(8, 3);
    ck_assert_ptr_nonnull(both);
    ck_assert_ptr_nonnull(both->after);
    ck_assert_ptr_null(both->after->after);
    ck_assert(!both->known_zero);
    ck_assert_uint_eq(stats().idle_bytes, idle);
    page_heap_free(both);
    /* A longer one makes them one run. */
    struct span *whole = page_heap_alloc(16, SIZE_CLASS_LARGE);
    ck_assert_uint_eq(whole->page, low);
    page_heap_free(whole);
    page_heap_check();
}
END_TEST

static uint64_t resident_block(uint32_t page)
{
    return resident_bytes(page_map_address(page), PAGE_HEAP_BLOCK_PAGES * HEAP_PAGE_BYTES);
}

START_TEST(a_block_comes_at_once_and_serves_those_who_fill_spans)
{
    enum { BLOCK = PAGE_HEAP_BLOCK_PAGES, SPANS = BLOCK / 16 };
    struct span *spans[SPANS];
    start();
    struct span *idle = page_heap_alloc(3, SIZE_CLASS_LARGE);
    page_heap_free(idle); /* too short for any of them */
    struct page_heap_stats before = stats();
    for (int i = 0; i < SPANS; i++) {
        spans[i] = page_heap_alloc_resident(16, 16);
        ck_assert_ptr_nonnull(spans[i]);
        ck_assert_uint_eq(spans[i]->pages, 16);
        ck_assert_uint_eq(spans[i]->page, spans[0]->page + 16 * i);
        ck_assert_uint_eq(stats().released_bytes + BLOCK * HEAP_PAGE_BYTES,
                          before.released_bytes + stats().sys_bytes - before.sys_bytes);
    }
    ck_assert_uint_eq(spans[0]->page % BLOCK, 0);
    ck_assert_uint_eq(resident_block(spans[0]->page), BLOCK * HEAP_PAGE_BYTES);
    page_heap_check();
    uint32_t page = spans[0]->page;
    for (int i = 0; i < SPANS; i++)
        page_heap_free(spans[i]);
    /* All of it is idle now, and serves what is as long as a block, too. */
    uint64_t released = stats().released_bytes;
    struct span *whole = page_heap_alloc_resident(BLOCK, BLOCK);
    ck_assert_uint_eq(whole->page, page);
    ck_assert_uint_eq(stats().released_bytes, released);
    page_heap_free(whole);
    page_heap_check();
}
END_TEST

/* Runs of 12 and 20 idle pages, with something between that keeps them apart. */
static void make_two_idle_runs(void)
{
    struct span *spans[4];
    for (int i = 0; i < 4; i++)
        ck_assert_ptr_nonnull(spans[i] = page_heap_alloc(12 + 4 * (uint32_t)i, SIZE_CLASS_LARGE));
    page_heap_free(spans[0]);
    page_heap_free(spans[2]);
}

START_TEST(a_shorter_run_that_is_resident_goes_before_a_block)
{
    start();
    make_two_idle_runs();
    uint64_t blocks = stats().block_total;
    struct span *shorter = page_heap_alloc_resident(16, 32);
    ck_assert_uint_eq(shorter->pages, 20); /* the longest */
    ck_assert_uint_eq(stats().block_total, blocks);
    struct span *enough = page_heap_alloc_resident(16, 32);
    ck_assert_uint_eq(enough->pages, 32); /* 12 are too few */
    ck_assert_uint_eq(stats().block_total - blocks, PAGE_HEAP_BLOCK_PAGES * HEAP_PAGE_BYTES);
    page_heap_free(shorter);
    page_heap_free(enough);
    page_heap_check();
}
END_TEST

START_TEST(classes_of_a_big_heap_get_whole_blocks)
{
    enum { BLOCK = PAGE_HEAP_BLOCK_PAGES, CLASS = 9, PAGES = 4 };
    struct span *spans[3];
    start();
    ck_assert_uint_eq(size_classes[CLASS].pages, PAGES);
    struct span *small = page_heap_alloc(PAGES, CLASS);
    uint64_t blocks = stats().block_total;
    page_heap_big_from(stats().inuse_bytes);
    for (int i = 0; i < 3; i++)
        ck_assert_ptr_nonnull(spans[i] = page_heap_alloc(PAGES, CLASS));
    ck_assert_uint_eq(stats().block_total - blocks, BLOCK * HEAP_PAGE_BYTES);
    ck_assert_uint_eq(spans[0]->page % BLOCK, 0);
    ck_assert_uint_eq(resident_block(spans[0]->page), BLOCK * HEAP_PAGE_BYTES);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(spans[i]->state, SPAN_SMALL);
        ck_assert_uint_eq(spans[i]->page, spans[0]->page + PAGES * (uint32_t)i);
    }
    /* What is resident is counted, and what is left of the block goes like other idle pages. */
    struct page_heap_stats before = stats();
    ck_assert_uint_eq(before.inuse_bytes, 4 * PAGES * HEAP_PAGE_BYTES);
    ck_assert_uint_eq(before.idle_bytes - before.released_bytes,
                      (BLOCK - 3 * PAGES) * HEAP_PAGE_BYTES);
    ck_assert_uint_eq(page_heap_release(UINT64_MAX), (BLOCK - 3 * PAGES) * HEAP_PAGE_BYTES);
    ck_assert_uint_eq(resident_block(spans[0]->page), 3 * PAGES * HEAP_PAGE_BYTES);
    /* A run of released pages that has no block in it is used up first. */
    struct span *next = page_heap_alloc(PAGES, CLASS);
    ck_assert_uint_eq(stats().block_total, before.block_total);
    page_heap_check();
    page_heap_big_from(PAGE_HEAP_BIG_BYTES);
    page_heap_free(small);
    page_heap_free(next);
    for (int i = 0; i < 3; i++)
        page_heap_free(spans[i]);
    page_heap_check();
}
END_TEST

START_TEST(a_small_heap_that_is_to_grow_gets_whole_blocks_meanwhile)
{
    enum { CLASS = 9, PAGES = 4, SPANS = 2 * PAGE_HEAP_BLOCK_PAGES / PAGES };
    struct span *first[SPANS];
    start();
    uint64_t blocks = stats().block_total;
    heap_expect_growth(true);
    for (int i = 0; i < SPANS; i++)
        ck_assert_ptr_nonnull(first[i] = page_heap_alloc(PAGES, CLASS));
    heap_expect_growth(false);
    ck_assert_uint_eq(stats().block_total - blocks, 2 * OS_RANGE_ALIGNMENT);
    struct span *later = page_heap_alloc(PAGES, CLASS);
    ck_assert_uint_eq(stats().block_total - blocks, 2 * OS_RANGE_ALIGNMENT);
    page_heap_free(later);
    for (int i = 0; i < SPANS; i++)
        page_heap_free(first[i]);
    page_heap_check();
}
END_TEST

START_TEST(classes_of_a_big_heap_use_up_runs_that_are_too_short_for_them)
{
    enum { CLASS = 9, PAGES = 4, SCRAP = PAGES - 1 };
    start();
    ck_assert_uint_eq(size_classes[CLASS].pages, PAGES);
    ck_assert_uint_eq(size_classes[CLASS].shorter, 1 << 3 | 1 << 2 | 1 << 1);
    struct span *scrap = page_heap_alloc(SCRAP, SIZE_CLASS_LARGE);
    struct span *wall = page_heap_alloc(1, SIZE_CLASS_LARGE);
    uint32_t page = scrap->page;
    page_heap_free(scrap);
    struct span *whole = page_heap_alloc(PAGES, CLASS); /* a small heap leaves it to others */
    ck_assert_uint_eq(whole->pages, PAGES);
    page_heap_big_from(0);
    (void)page_runs_join_quick();
    struct span *shorter = page_heap_alloc(PAGES, CLASS);
    ck_assert_uint_eq(shorter->page, page);
    ck_assert_uint_eq(shorter->pages, SCRAP);
    ck_assert_uint_eq(span_slots(shorter), SCRAP * HEAP_PAGE_BYTES / size_classes[CLASS].bytes);
    struct span *next = page_heap_alloc(PAGES, CLASS);
    ck_assert_uint_eq(next->pages, PAGES);
    page_heap_check();
    page_heap_big_from(PAGE_HEAP_BIG_BYTES);
    page_heap_free(wall);
    page_heap_free(whole);
    page_heap_free(shorter);
    page_heap_free(next);
    page_heap_check();
}
END_TEST

START_TEST(an_emptied_span_serves_the_next_class_of_its_length)
{
    enum { CLASS = 9, OTHER = 10, PAGES = 4 };
    start();
    ck_assert_uint_eq(size_classes[OTHER].pages, PAGES);
    struct span *span = page_heap_alloc(PAGES, CLASS);
    struct span *behind = page_heap_alloc(1, SIZE_CLASS_LARGE);
    uint32_t page = span->page;
    page_heap_free(span);
    page_heap_free(behind); /* not joined */
    page_heap_check();
    ck_assert_int_eq(page_map_span(page)->state, SPAN_QUICK);
    span = page_heap_alloc(PAGES, OTHER);
    ck_assert_uint_eq(span->page, page);
    ck_assert_int_eq(span->state, SPAN_SMALL);
    ck_assert_uint_eq(span->size_class, OTHER);
    ck_assert(!span->has_bits && !span->gone && !span->known_zero);
    page_heap_check();
    page_heap_free(span);
    struct span *large = page_heap_alloc(PAGES, SIZE_CLASS_LARGE);
    ck_assert_uint_eq(large->page, page);
    ck_assert_int_eq(large->state, SPAN_LARGE);
    ck_assert_uint_eq(large->owner, 0);
    page_heap_check();
    page_heap_free(large);
    page_heap_check();
}
END_TEST

START_TEST(at_the_limit_no_block_is_taken_for_a_part_of_it)
{
    enum { BLOCK = PAGE_HEAP_BLOCK_PAGES };
    start();
    page_heap_release(UINT64_MAX);
    heap_set_limit(heap_used_bytes() + (256 << 10));
    struct span *span = page_heap_alloc_resident(16, 16);
    ck_assert_ptr_nonnull(span);
    ck_assert_uint_eq(span->pages, 16);
    ck_assert_ptr_null(page_heap_alloc_resident(BLOCK, BLOCK));
    heap_set_limit(0);
    page_heap_free(span);
    page_heap_check();
}
END_TEST

START_TEST(whole_blocks_are_given_back_before_their_ragged_ends)
{
    enum { BLOCK = PAGE_HEAP_BLOCK_PAGES };
    start();
    struct span *fresh = page_heap_alloc_resident(BLOCK, BLOCK); /* aligned */
    struct span *room = page_heap_alloc(3 * BLOCK, SIZE_CLASS_LARGE);
    uint32_t page = fresh->page;
    ck_assert_uint_eq(room->page, page + BLOCK);
    page_heap_free(fresh);
    page_heap_free(room);
    struct span *low = page_heap_alloc(100, SIZE_CLASS_LARGE); /* two blocks, ragged before */
    struct span *middle = page_heap_alloc(3 * BLOCK - 50, SIZE_CLASS_LARGE);
    ck_assert_uint_eq(low->page, page);
    page_heap_free(middle);
    page_heap_release((uint64_t)BLOCK * HEAP_PAGE_BYTES);
    ck_assert_uint_eq(page_map_span(page + BLOCK)->state, SPAN_RELEASED);
    ck_assert_uint_eq(page_map_span(page + BLOCK)->page, page + BLOCK);
    ck_assert_uint_eq(page_map_span(page + BLOCK)->pages, BLOCK);
    page_heap_check();
    page_heap_free(low);
    page_heap_check();
}
END_TEST

static struct span *alloc_somehow(struct random *r, uint32_t pages)
{
    if (random_below(r, 2)) {
        unsigned size_class = 1 + (unsigned)random_below(r, SIZE_CLASS_COUNT - 1);
        return page_heap_alloc(size_classes[size_class].pages, size_class);
    }
    if (pages > PAGE_HEAP_BLOCK_PAGES) pages = PAGE_HEAP_BLOCK_PAGES;
    return pages % 16 == 0 ? page_heap_alloc_resident(pages, pages)
                           : page_heap_alloc(pages, SIZE_CLASS_LARGE);
}

START_TEST(any_history_leaves_consistent_runs)
{
    enum { SPANS = 200, STEPS = 20000 };
    static struct span *spans[SPANS];
    struct random r = random_start("page_heap");
    start();
    uint64_t inuse = stats().inuse_bytes;
    for (int step = 0; step < STEPS; step++) {
        uint32_t i = (uint32_t)random_below(&r, SPANS);
        uint32_t pages = (uint32_t)random_size(&r, 300);
        if (!spans[i]) {
            spans[i] = alloc_somehow(&r, pages);
            ck_assert_ptr_nonnull(spans[i]);
            inuse += spans[i]->pages * (uint64_t)HEAP_PAGE_BYTES;
        } else if (spans[i]->state == SPAN_LARGE && random_below(&r, 3) == 0) {
            uint32_t before = spans[i]->pages;
            if (page_heap_resize(spans[i], pages))
                inuse += ((uint64_t)pages - before) * HEAP_PAGE_BYTES;
        } else {
            inuse -= spans[i]->pages * (uint64_t)HEAP_PAGE_BYTES;
            page_heap_free(spans[i]);
            spans[i] = NULL;
        }
        if (random_below(&r, 50) == 0) page_heap_release(random_size(&r, 4 << 20));
        if (random_below(&r, 50) == 0) page_heap_hollow();
        if (random_below(&r, 50) == 0) page_heap_big_from(random_size(&r, 64 << 20));
        ck_assert_uint_eq(stats().inuse_bytes, inuse);
        if (step % 100 == 0) page_heap_check();
    }
    for (int i = 0; i < SPANS; i++)
        if (spans[i]) page_heap_free(spans[i]);
    page_heap_check();
}
END_TEST

/* A heap of 128 MiB in small spans needs entries for all its pages; a free run only two. */
START_TEST(a_long_released_run_needs_no_page_map)
{
    enum { SPANS = 4096, CLASS = 40 };
    uint32_t pages = size_classes[CLASS].pages;
    struct span *spans[SPANS];
    start();
    for (int i = 0; i < SPANS; i++)
        ck_assert_ptr_nonnull(spans[i] = page_heap_alloc(pages, CLASS));
    void *entry = &page_map.spans[spans[SPANS / 2]->page];
    for (int i = 0; i < SPANS; i++)
        page_heap_free(spans[i]);
    page_heap_hollow(); /* not yet: its pages are resident */
    ck_assert(is_resident(entry));
    page_heap_release(UINT64_MAX);
    page_heap_hollow();
    ck_assert(!is_resident(entry));
    page_heap_check();
    for (int i = 0; i < SPANS; i++)
        ck_assert_ptr_nonnull(spans[i] = page_heap_alloc(pages, CLASS));
    page_heap_check();
    for (int i = 0; i < SPANS; i++)
        page_heap_free(spans[i]);
    page_heap_check();
}
END_TEST

SUITE(page_heap, neighbours_become_one_run_in_any_order_of_freeing,
      resident_runs_are_taken_before_released_ones, released_pages_read_as_zero_and_are_known_to,
      no_more_is_given_back_than_asked, a_large_object_grows_into_the_free_run_behind_it,
      what_was_freed_lately_serves_its_own_length_without_a_split,
      a_block_comes_at_once_and_serves_those_who_fill_spans,
      a_shorter_run_that_is_resident_goes_before_a_block, classes_of_a_big_heap_get_whole_blocks,
      a_small_heap_that_is_to_grow_gets_whole_blocks_meanwhile,
      classes_of_a_big_heap_use_up_runs_that_are_too_short_for_them,
      an_emptied_span_serves_the_next_class_of_its_length,
      at_the_limit_no_block_is_taken_for_a_part_of_it,
      whole_blocks_are_given_back_before_their_ragged_ends, a_long_released_run_needs_no_page_map,
      any_history_leaves_consistent_runs)
