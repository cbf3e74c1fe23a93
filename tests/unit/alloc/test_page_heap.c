/* page_heap: split, coalesce, resize in place, giving back, zeros. */
#include "alloc/page_heap.h"

#include <string.h>

#include "alloc/heap.h"
#include "alloc/page_map.h"
#include "alloc/poison.h"
#include "tests/unit/alloc/random.h"
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

START_TEST(blocks_of_2_mib_are_aligned_and_others_need_not_be)
{
    enum { BLOCK = PAGE_HEAP_BLOCK_PAGES, BLOCKS = 6 };
    struct span *blocks[BLOCKS];
    start();
    struct span *askew = page_heap_alloc(3, SIZE_CLASS_LARGE);
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = page_heap_alloc_block(BLOCK, i % 2);
        ck_assert_ptr_nonnull(blocks[i]);
        ck_assert_uint_eq(blocks[i]->page % BLOCK, 0);
        ck_assert_uint_eq(blocks[i]->pages, BLOCK);
        ck_assert_uint_eq(blocks[i]->huge, i % 2);
    }
    struct span *small = page_heap_alloc_block(8, true);
    ck_assert_uint_eq(small->pages, 8);
    ck_assert(!small->huge);
    page_heap_check();
    page_heap_free(askew);
    page_heap_free(small);
    for (int i = 0; i < BLOCKS; i++)
        page_heap_free(blocks[i]);
    page_heap_check();
}
END_TEST

START_TEST(a_freed_block_serves_the_next_one_although_another_run_is_as_long)
{
    enum { BLOCK = PAGE_HEAP_BLOCK_PAGES };
    start();
    struct span *room = page_heap_alloc_block(3 * BLOCK, false);
    uint32_t page = room->page;
    page_heap_free(room);
    struct span *low = page_heap_alloc(1, SIZE_CLASS_LARGE);
    struct span *askew = page_heap_alloc(BLOCK, SIZE_CLASS_LARGE);
    ck_assert_uint_eq(low->page, page);
    ck_assert_uint_eq(askew->page, page + 1);
    struct span *guard = page_heap_alloc(1, SIZE_CLASS_LARGE);
    struct span *block = page_heap_alloc_block(BLOCK, false);
    ck_assert_uint_eq(block->page, page + 2 * BLOCK);
    page_heap_free(askew); /* an idle run of the same length at a lower address */
    page_heap_free(block);
    uint64_t released = stats().released_bytes;
    ck_assert_ptr_nonnull(block = page_heap_alloc_block(BLOCK, true));
    ck_assert_uint_eq(block->page, page + 2 * BLOCK);
    ck_assert_uint_eq(stats().released_bytes, released);
    page_heap_free(block);
    page_heap_free(low);
    page_heap_free(guard);
    page_heap_check();
}
END_TEST

START_TEST(whole_blocks_are_given_back_before_their_ragged_ends)
{
    enum { BLOCK = PAGE_HEAP_BLOCK_PAGES };
    start();
    struct span *room = page_heap_alloc_block(4 * BLOCK, false);
    uint32_t page = room->page;
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
            bool block = pages % 16 == 0;
            if (block) pages = PAGE_HEAP_BLOCK_PAGES;
            spans[i] = block ? page_heap_alloc_block(pages, random_below(&r, 2))
                             : page_heap_alloc(pages, SIZE_CLASS_LARGE);
            ck_assert_ptr_nonnull(spans[i]);
            inuse += pages * (uint64_t)HEAP_PAGE_BYTES;
        } else if (random_below(&r, 3) == 0 && !spans[i]->huge) {
            uint32_t before = spans[i]->pages;
            if (page_heap_resize(spans[i], pages))
                inuse += ((uint64_t)pages - before) * HEAP_PAGE_BYTES;
        } else {
            inuse -= spans[i]->pages * (uint64_t)HEAP_PAGE_BYTES;
            page_heap_free(spans[i]);
            spans[i] = NULL;
        }
        if (random_below(&r, 50) == 0) page_heap_release(random_size(&r, 4 << 20));
        ck_assert_uint_eq(stats().inuse_bytes, inuse);
        if (step % 100 == 0) page_heap_check();
    }
    for (int i = 0; i < SPANS; i++)
        if (spans[i]) page_heap_free(spans[i]);
    page_heap_check();
}
END_TEST

SUITE(page_heap, neighbours_become_one_run_in_any_order_of_freeing,
      resident_runs_are_taken_before_released_ones, released_pages_read_as_zero_and_are_known_to,
      no_more_is_given_back_than_asked, a_large_object_grows_into_the_free_run_behind_it,
      what_was_freed_lately_serves_its_own_length_without_a_split,
      blocks_of_2_mib_are_aligned_and_others_need_not_be,
      a_freed_block_serves_the_next_one_although_another_run_is_as_long,
      whole_blocks_are_given_back_before_their_ragged_ends, any_history_leaves_consistent_runs)
