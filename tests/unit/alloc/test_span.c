/* span: which system pages lie free, against a walk over every byte. */
#include "alloc/span.h"

#include <stdbool.h>
#include <string.h>

#include "alloc/os.h"
#include "tests/unit/alloc/random.h"
#include "tests/unit/suite.h"

static struct span *create(unsigned size_class, uint32_t pages)
{
    static bool started;
    if (!started) meta_init(1 << 26);
    started = true;
    struct span *span = meta_alloc(span_record_bytes(size_class), META_SPAN);
    uint64_t *bits = meta_alloc(span_words(size_class) * SPAN_WORD_BYTES, META_BITS);
    ck_assert(span && bits);
    *span = (struct span){.pages = pages, .size_class = (uint8_t)size_class};
    if (span_bits_apart(size_class)) span->words[0] = meta_ref(bits);
    return span;
}

/* The next length of a span of the class, from `pages` on; 0 behind the last. */
static uint32_t next_length(unsigned size_class, uint32_t pages)
{
    const struct size_class *k = &size_classes[size_class];
    while (pages < k->pages && !(k->shorter >> pages & 1))
        pages++;
    return pages <= k->pages ? pages : 0;
}

static bool is_free(struct span *span, uint32_t slot)
{
    return span_bits(span)[slot / SPAN_WORD_BITS] >> (slot % SPAN_WORD_BITS) & 1;
}

static uint32_t naive_free_pages(struct span *span)
{
    const struct size_class *k = &size_classes[span->size_class];
    uint32_t pages = UINT32_MAX >> (32 - 2 * span->pages);
    for (uint32_t slot = 0; slot < span_slots(span); slot++)
        for (uint32_t i = 0; i < k->bytes && !is_free(span, slot); i++)
            pages &= ~(UINT32_C(1) << ((slot * k->bytes + i) / OS_PAGE_BYTES));
    return pages;
}

static uint32_t naive_slots_on(const struct span *span, uint32_t pages)
{
    const struct size_class *k = &size_classes[span->size_class];
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < span_slots(span); slot++) {
        bool on = false;
        for (uint32_t i = 0; i < k->bytes && !on; i++)
            on = pages >> ((slot * k->bytes + i) / OS_PAGE_BYTES) & 1;
        count += on;
    }
    return count;
}

static void compare_free_pages(struct random *r, struct span *span)
{
    uint32_t words = span_words(span->size_class);
    for (uint32_t percent = 0; percent <= 100; percent += 20) {
        memset(span_bits(span), 0, words * SPAN_WORD_BYTES);
        for (uint32_t slot = 0; slot < span_slots(span); slot++)
            if (random_below(r, 100) < percent)
                span_bits(span)[slot / SPAN_WORD_BITS] |= UINT64_C(1) << (slot % SPAN_WORD_BITS);
        ck_assert_uint_eq(span_free_pages(span), naive_free_pages(span));
        uint32_t some = (uint32_t)random_below(r, UINT64_C(1) << 2 * span->pages);
        ck_assert_uint_eq(span_slots_on(span, some), naive_slots_on(span, some));
    }
}

START_TEST(a_page_is_free_when_every_slot_that_touches_it_is)
{
    struct random r = random_start("span");
    for (unsigned c = 1; c < SIZE_CLASS_COUNT; c++)
        for (uint32_t pages = 0; (pages = next_length(c, pages + 1));)
            compare_free_pages(&r, create(c, pages));
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

static void start_bits(unsigned c, uint32_t pages, uint32_t fresh)
{
    struct span *span = create(c, pages);
    uint32_t slots = pages * (uint32_t)HEAP_PAGE_BYTES / size_classes[c].bytes;
    ck_assert_uint_eq(span_slots(span), slots);
    memset(span_bits(span), 0x5A, span_words(c) * SPAN_WORD_BYTES);
    span->fresh = (uint16_t)fresh;
    for (uint32_t slot = 0; slot < slots; slot++)
        EXPECT_MSG(span_has(span, slot) == (slot >= fresh), "slot %u of %u", slot, slots);
    span_start_bits(span);
    ck_assert(span->has_bits);
    ck_assert_uint_eq(span->first_word, fresh / SPAN_WORD_BITS);
    for (uint32_t slot = 0; slot < span_words(c) * SPAN_WORD_BITS; slot++)
        EXPECT_MSG(span_has(span, slot) == (slot >= fresh && slot < slots), "slot %u of %u", slot,
                   slots);
}

START_TEST(bits_start_with_the_slots_that_never_left)
{
    for (unsigned c = 1; c < SIZE_CLASS_COUNT; c++)
        for (uint32_t pages = 0; (pages = next_length(c, pages + 1));) {
            uint32_t slots = pages * (uint32_t)HEAP_PAGE_BYTES / size_classes[c].bytes;
            uint32_t step = slots < 64 ? 1 : slots / 20 + 1;
            for (uint32_t fresh = 0; fresh < slots; fresh += step)
                start_bits(c, pages, fresh);
            start_bits(c, pages, slots);
        }
}
END_TEST

SUITE(span, bits_start_with_the_slots_that_never_left,
      a_page_is_free_when_every_slot_that_touches_it_is,
      a_slot_touches_the_pages_of_its_first_byte_to_its_last)
