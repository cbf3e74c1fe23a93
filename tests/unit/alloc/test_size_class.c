/* size_class: the lookup against a search of the table, and the division by multiplication. */
#include "alloc/size_class.h"

#include "tests/unit/suite.h"

START_TEST(every_size_gets_the_smallest_class_that_holds_it)
{
    unsigned expected = 1;
    for (size_t size = 1; size <= HEAP_SMALL_MAX; size++) {
        while (size_classes[expected].bytes < size)
            expected++;
        if (expected == SIZE_CLASS_CELLS) expected++;
        ck_assert_uint_eq(size_class_of(size), expected);
    }
    ck_assert_uint_eq(expected, SIZE_CLASS_COUNT - 1);
}
END_TEST

START_TEST(every_offset_in_a_span_belongs_to_the_right_slot)
{
    for (unsigned c = 1; c < SIZE_CLASS_COUNT; c++) {
        const struct size_class *k = &size_classes[c];
        for (uint32_t offset = 0; offset < k->pages * (uint32_t)HEAP_PAGE_BYTES; offset++)
            if (size_class_slot(c, offset) != offset / k->bytes)
                ck_abort_msg("class %u offset %u", c, offset);
    }
}
END_TEST

START_TEST(cells_have_a_class_of_their_own)
{
    ck_assert_uint_eq(size_classes[SIZE_CLASS_CELLS].bytes, HEAP_CELL_BYTES);
    for (size_t size = 1; size <= HEAP_SMALL_MAX; size++)
        ck_assert_uint_ne(size_class_of(size), SIZE_CLASS_CELLS);
}
END_TEST

START_TEST(no_request_wastes_an_eighth_of_a_span_of_any_length)
{
    for (unsigned c = SIZE_CLASS_CELLS + 1; c < SIZE_CLASS_COUNT; c++) {
        const struct size_class *k = &size_classes[c];
        uint32_t worst = c == SIZE_CLASS_CELLS + 1 ? HEAP_CELL_BYTES + 1 : k[-1].bytes + 1;
        uint32_t lengths = k->shorter | UINT32_C(1) << k->pages;
        ck_assert_uint_lt(k->shorter, UINT32_C(1) << k->pages);
        for (uint32_t pages = 1; pages <= k->pages; pages++) {
            uint32_t bytes = pages * (uint32_t)HEAP_PAGE_BYTES;
            if (lengths >> pages & 1) ck_assert_uint_ge(bytes / k->bytes * worst, bytes / 8 * 7);
        }
    }
}
END_TEST

START_TEST(metadata_of_a_span_stays_small)
{
    for (unsigned c = 1; c < SIZE_CLASS_COUNT; c++) {
        const struct size_class *k = &size_classes[c];
        ck_assert_uint_ge(k->slots, 4);
        ck_assert_uint_le(k->slots, SIZE_CLASS_SLOTS_MAX);
        ck_assert_uint_ge(k->cached_max, 4);
    }
}
END_TEST

SUITE(size_class, every_size_gets_the_smallest_class_that_holds_it,
      every_offset_in_a_span_belongs_to_the_right_slot, cells_have_a_class_of_their_own,
      no_request_wastes_an_eighth_of_a_span_of_any_length, metadata_of_a_span_stays_small)
