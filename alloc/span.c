/* span - records; and slots to system pages and back, by arithmetic on the bits. */
#include "alloc/span.h"

#include <stdbool.h>
#include <stddef.h>

#include "alloc/live.h"
#include "alloc/os.h"
#include "base/assert.h"

_Static_assert(offsetof(struct span, state) >= sizeof(void *),
               "alloc/meta's link leaves the state");

static uint32_t bytes_of_bits_apart(unsigned size_class)
{
    return span_bits_apart(size_class) ? span_words(size_class) * SPAN_WORD_BYTES : 0;
}

struct span *span_create(unsigned size_class, uint32_t page, uint32_t pages)
{
    uint32_t bytes = span_record_bytes(size_class);
    uint32_t apart = bytes_of_bits_apart(size_class);
    struct span *span = meta_alloc(bytes, META_SPAN);
    if (!span) return NULL;
    const void *bits = apart ? meta_alloc(apart, META_BITS) : NULL;
    if (apart && !bits) {
        meta_free(span, bytes, META_SPAN);
        return NULL;
    }
    *span = (struct span){.page = page, .pages = pages, .record_bytes = (uint16_t)bytes};
    span->size_class = (uint8_t)size_class;
    if (apart) span->words[0] = meta_ref(bits);
    live_reset(span);
    return span;
}

void span_renew(struct span *span, unsigned size_class)
{
    DEBUG_ASSERT(!span_bits_apart(span->size_class) && !span_bits_apart(size_class));
    DEBUG_ASSERT(span->record_bytes >= span_record_bytes(size_class));
    *span =
        (struct span){.page = span->page, .pages = span->pages, .record_bytes = span->record_bytes};
    span->size_class = (uint8_t)size_class;
    live_reset(span);
}

void span_destroy(struct span *span)
{
    uint32_t apart = bytes_of_bits_apart(span->size_class);
    if (apart) meta_free(span_bits(span), apart, META_BITS);
    span->state = SPAN_NONE;
    meta_free(span, span->record_bytes, META_SPAN);
}

void span_start_bits(struct span *span)
{
    uint64_t *bits = span_bits(span);
    uint32_t words = span_words(span->size_class);
    uint32_t slots = span_slots(span);
    uint32_t first = span->fresh / SPAN_WORD_BITS;
    uint32_t end = slots / SPAN_WORD_BITS;
    for (uint32_t w = 0; w < words; w++)
        bits[w] = w < first || w > end ? 0 : UINT64_MAX;
    if (first < words) bits[first] <<= span->fresh % SPAN_WORD_BITS;
    if (end < words) bits[end] &= (UINT64_C(1) << slots % SPAN_WORD_BITS) - 1;
    span->first_word = (uint8_t)first;
    span->gone_slots = 0;
    span->has_bits = true;
}

static uint32_t slot_at(const struct span *span, uint32_t offset)
{
    return size_class_slot(span->size_class, offset);
}

static uint32_t first_slot(const struct span *span, uint32_t os_page)
{
    return slot_at(span, os_page * OS_PAGE_BYTES);
}

/* Past the last one, or the number of slots. */
static uint32_t end_slot(const struct span *span, uint32_t os_page)
{
    uint32_t slots = span_slots(span);
    uint32_t end = slot_at(span, (os_page + 1) * OS_PAGE_BYTES - 1) + 1;
    return end < slots ? end : slots;
}

static bool all_free(struct span *span, uint32_t slot, uint32_t end)
{
    const uint64_t *bits = span_bits(span);
    while (slot < end) {
        uint32_t bit = slot % SPAN_WORD_BITS;
        uint32_t count = SPAN_WORD_BITS - bit < end - slot ? SPAN_WORD_BITS - bit : end - slot;
        uint64_t wanted = (UINT64_MAX >> (SPAN_WORD_BITS - count)) << bit;
        if ((bits[slot / SPAN_WORD_BITS] & wanted) != wanted) return false;
        slot += count;
    }
    return true;
}

static uint32_t os_pages(const struct span *span)
{
    return span->pages * (uint32_t)(HEAP_PAGE_BYTES / OS_PAGE_BYTES);
}

uint32_t span_slot_pages(unsigned size_class, uint32_t slot)
{
    uint32_t bytes = size_classes[size_class].bytes;
    uint32_t first = slot * bytes / OS_PAGE_BYTES;
    uint32_t last = (slot * bytes + bytes - 1) / OS_PAGE_BYTES;
    return (UINT32_MAX >> (31 - (last - first))) << first;
}

uint32_t span_free_pages(struct span *span)
{
    uint32_t pages = 0;
    for (uint32_t p = 0; p < os_pages(span); p++)
        if (all_free(span, first_slot(span, p), end_slot(span, p))) pages |= UINT32_C(1) << p;
    return pages;
}

uint32_t span_slots_on(const struct span *span, uint32_t pages)
{
    uint32_t count = 0;
    uint32_t counted = 0; /* slots below this one are */
    for (; pages; pages &= pages - 1) {
        uint32_t p = (uint32_t)__builtin_ctz(pages);
        uint32_t first = first_slot(span, p);
        uint32_t end = end_slot(span, p);
        if (first < counted) first = counted;
        if (first >= end) continue;
        count += end - first;
        counted = end;
    }
    return count;
}
