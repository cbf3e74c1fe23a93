/* span: which system pages lie free, against a walk over every byte. */
#include "alloc/span.h"

#include <string.h>

#include "alloc/os.h"
#include "tests/unit/alloc/random.h"
#include "tests/unit/suite.h"

static struct span *create(unsigned size_class)
{
    struct span *span = heap_calloc(1, span_record_bytes(size_class), HEAP_PROCESS);
    ck_assert_ptr_nonnull(span);
    span->size_class = (uint8_t)size_class;
    return span;
}

static bool is_free(const struct span *span, uint32_t slot)
{
    return span->bits[slot / SPAN_WORD_BITS] >> (slot % SPAN_WORD_BITS) & 1;
}

static uint32_t naive_free_pages(const struct span *span)
{
    const struct size_class *k = &size_classes[span->size_class];
    uint32_t pages = UINT32_MAX >> (32 - 2 * k->pages);
    for (uint32_t slot = 0; slot < k->slots; slot++)
        for (uint32_t i = 0; i < k->bytes && !is_free(span, slot); i++)
            pages &= ~(UINT32_C(1) << ((slot * k->bytes + i) / OS_PAGE_BYTES));
    return pages;
}

static uint32_t naive_slots_on(const struct span *span, uint32_t pages)
{
    const struct size_class *k = &size_classes[span->size_class];
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < k->slots; slot++) {
        bool on = false;
        for (uint32_t i = 0; i < k->bytes && !on; i++)
            on = pages >> ((slot * k->bytes + i) / OS_PAGE_BYTES) & 1;
        count += on;
    }
    return count;
}

START_TEST(a_page_is_free_when_every_slot_that_touches_it_is)
{
    struct random r = random_start("span");
    for (unsigned c = 1; c < SIZE_CLASS_COUNT; c++) {
        struct span *span = create(c);
        for (uint32_t percent = 0; percent <= 100; percent += 20) {
            memset(span->bits, 0, span_words(c) * SPAN_WORD_BYTES);
            for (uint32_t slot = 0; slot < size_classes[c].slots; slot++)
                if (random_below(&r, 100) < percent)
                    span->bits[slot / SPAN_WORD_BITS] |= UINT64_C(1) << (slot % SPAN_WORD_BITS);
            ck_assert_uint_eq(span_free_pages(span), naive_free_pages(span));
            uint32_t some = (uint32_t)random_below(&r, UINT64_C(1) << 2 * size_classes[c].pages);
            ck_assert_uint_eq(span_slots_on(span, some), naive_slots_on(span, some));
        }
        heap_free(span, span_record_bytes(c), HEAP_PROCESS);
    }
}
END_TEST

START_TEST(a_slot_touches_the_pages_of_its_first_byte_to_its_last)
{
    for (unsigned c = 1; c < SIZE_CLASS_COUNT; c++)
        for (uint32_t slot = 0; slot < size_classes[c].slots; slot++) {
            uint32_t pages = 0;
            for (uint32_t i = 0; i < size_classes[c].bytes; i += 8)
                pages |= UINT32_C(1) << ((slot * size_classes[c].bytes + i) / OS_PAGE_BYTES);
            ck_assert_uint_eq(span_slot_pages(c, slot), pages);
        }
}
END_TEST

SUITE(span, a_page_is_free_when_every_slot_that_touches_it_is,
      a_slot_touches_the_pages_of_its_first_byte_to_its_last)
