/* page_map: growth, entries of class spans and of other runs. */
#include "alloc/page_map.h"

#include "alloc/heap.h"
#include "tests/unit/suite.h"

static struct span *make_span(uint32_t page, uint32_t pages, unsigned size_class)
{
    struct span *span = meta_alloc(span_record_bytes(size_class), META_SPAN);
    *span = (struct span){.page = page, .pages = pages, .size_class = (uint8_t)size_class};
    span->state = size_class ? SPAN_SMALL : SPAN_LARGE;
    return span;
}

START_TEST(pages_become_usable_as_it_grows)
{
    page_map_init();
    ck_assert_uint_eq(page_map.pages, 1);
    ck_assert(page_map_commit(100));
    ck_assert_uint_eq(page_map.pages, 100);
    ck_assert_uint_gt(page_map_bytes(), 0);
    ck_assert_uint_eq((uintptr_t)page_map_address(1) % HEAP_PAGE_BYTES, 0);
    ck_assert_uint_eq(page_map_offset(page_map_address(7)), 7 * HEAP_PAGE_BYTES);
    ck_assert_uint_ge(page_map_offset(NULL), page_map.reserved_bytes);
    ck_assert_uint_ge(page_map_offset(&page_map), page_map.reserved_bytes);
    ck_assert(!page_map_commit((uint32_t)(page_map.reserved_bytes / HEAP_PAGE_BYTES) + 1));
    ck_assert_uint_eq(page_map.pages, 100);
}
END_TEST

START_TEST(every_page_of_a_class_span_knows_span_and_class)
{
    unsigned size_class = size_class_of(128);
    page_map_init();
    ck_assert(page_map_commit(100));
    struct span *span = make_span(10, size_classes[size_class].pages, size_class);
    page_map_set(span);
    for (uint32_t i = 0; i < span->pages; i++) {
        ck_assert_ptr_eq(page_map_span(10 + i), span);
        ck_assert_uint_eq(page_map.classes[10 + i], size_class);
    }
    ck_assert_uint_eq(page_map.classes[9], 0);
    ck_assert_uint_eq(page_map.classes[10 + span->pages], 0);
    ck_assert_uint_eq(page_map_slot(span, page_map_address(11)), HEAP_PAGE_BYTES / 128);
    page_map_clear_classes(span);
    for (uint32_t i = 0; i < span->pages; i++)
        ck_assert_uint_eq(page_map.classes[10 + i], 0);
}
END_TEST

START_TEST(other_runs_are_known_at_both_ends)
{
    page_map_init();
    ck_assert(page_map_commit(100));
    struct span *span = make_span(20, 30, SIZE_CLASS_LARGE);
    page_map_set(span);
    ck_assert_ptr_eq(page_map_span(20), span);
    ck_assert_ptr_eq(page_map_span(49), span);
    ck_assert_uint_eq(page_map.classes[20], 0);
}
END_TEST

START_TEST(entries_are_charged_and_may_be_refused)
{
    page_map_init();
    heap_set_limit(100000);
    uint64_t used = heap_used_bytes();
    ck_assert(page_map_commit(1000));
    ck_assert_uint_eq(heap_used_bytes(), used + page_map_bytes());
    ck_assert(!page_map_commit(1000000));
    ck_assert_uint_eq(page_map.pages, 1000);
    ck_assert_uint_eq(heap_used_bytes(), used + page_map_bytes());
    ck_assert_uint_le(heap_used_bytes(), 100000);
    heap_set_limit(0);
    ck_assert(page_map_commit(1000000));
}
END_TEST

SUITE(page_map, pages_become_usable_as_it_grows, every_page_of_a_class_span_knows_span_and_class,
      other_runs_are_known_at_both_ends, entries_are_charged_and_may_be_refused)
