/* page_map - reservation, halved until the system agrees, and the two arrays. */
#include "alloc/page_map.h"

#include <string.h>

#include "alloc/limit.h"
#include "alloc/poison.h"
#include "base/bits.h"

/* 512 GiB is what a 32-bit cell index reaches (alloc/cells.h). */
#define RESERVE_BYTES_MAX (UINT64_C(512) << 30)
#define RESERVE_BYTES_MIN (UINT64_C(64) << 20)

enum { COMMIT_STEP_BYTES = 16 << 10, META_PART = 16 };

_Static_assert(HEAP_PAGE_BYTES == 1 << PAGE_SHIFT, "the shift is the page's");

struct page_map page_map;

static void reserve(void)
{
    uint64_t bytes = RESERVE_BYTES_MAX;
    while (!os_range_reserve(&page_map.heap_range, bytes)) {
        /* Address space is rationed (ulimit -v). */
        bytes /= 2;
        if (bytes < RESERVE_BYTES_MIN) os_end_without_room();
    }
    /* When it is, use a quarter of what was granted and leave the rest to libc and the stacks. */
    if (bytes < RESERVE_BYTES_MAX) os_range_trim(&page_map.heap_range, bytes / 4);
}

void page_map_init(void)
{
    reserve();
    size_t bytes = page_map.heap_range.reserved_bytes;
    size_t pages = bytes >> PAGE_SHIFT;
    meta_init(bytes / META_PART);
    if (!os_range_reserve(&page_map.class_range, bits_align_up(pages, COMMIT_STEP_BYTES)) ||
        !os_range_reserve(&page_map.span_range,
                          bits_align_up(pages * sizeof(uint32_t), COMMIT_STEP_BYTES)))
        os_end_without_room();
    page_map.base = page_map.heap_range.base;
    page_map.reserved_bytes = bytes;
    page_map.classes = page_map.class_range.base;
    page_map.spans = (uint32_t *)(void *)page_map.span_range.base;
    page_map.pages = 1; /* page 0 stays out of reach: cell index 0 is nobody */
    poison_register_root(page_map.base, bytes);
}

static bool commit_entries(struct os_range *range, size_t bytes)
{
    size_t wanted = bits_align_up(bytes, COMMIT_STEP_BYTES);
    size_t more = wanted > range->committed_bytes ? wanted - range->committed_bytes : 0;
    if (!more) return true;
    if (!limit_charge(more)) return false;
    if (os_range_commit(range, wanted)) return true;
    limit_uncharge(more);
    return false;
}

bool page_map_commit(uint32_t pages)
{
    size_t bytes = (size_t)pages << PAGE_SHIFT;
    if (bytes > page_map.reserved_bytes) return false;
    if (!commit_entries(&page_map.class_range, pages)) return false;
    if (!commit_entries(&page_map.span_range, pages * sizeof(uint32_t))) return false;
    if (!os_range_commit(&page_map.heap_range, bytes)) return false;
    poison_hide(page_map_address(page_map.pages), bytes - ((size_t)page_map.pages << PAGE_SHIFT));
    page_map.pages = pages;
    return true;
}

uint64_t page_map_bytes(void)
{
    return page_map.class_range.committed_bytes + page_map.span_range.committed_bytes;
}

void page_map_set(struct span *span)
{
    uint32_t ref = meta_ref(span);
    if (span->state != SPAN_SMALL) {
        page_map.spans[span->page] = ref;
        page_map.spans[span->page + span->pages - 1] = ref;
        return;
    }
    for (uint32_t i = 0; i < span->pages; i++)
        page_map.spans[span->page + i] = ref;
    memset(&page_map.classes[span->page], span->size_class, span->pages);
}

static void hollow(struct os_range *range, size_t first_byte, size_t end_byte)
{
    size_t start = bits_align_up(first_byte, OS_PAGE_BYTES);
    size_t end = end_byte / OS_PAGE_BYTES * OS_PAGE_BYTES;
    if (start < end) (void)!os_release(range->base + start, end - start);
}

void page_map_hollow(uint32_t page, uint32_t pages)
{
    size_t end = (size_t)page + pages;
    hollow(&page_map.class_range, page, end);
    hollow(&page_map.span_range, page * sizeof(uint32_t), end * sizeof(uint32_t));
}

void page_map_clear_classes(const struct span *span)
{
    memset(&page_map.classes[span->page], 0, span->pages);
}

void page_map_set_emptying(const struct span *span, bool emptying)
{
    uint8_t entry = (uint8_t)(span->size_class | (emptying ? PAGE_MAP_EMPTYING : 0));
    for (uint32_t i = 0; i < span->pages; i++)
        atomic_store_explicit((_Atomic uint8_t *)&page_map.classes[span->page + i], entry,
                              memory_order_relaxed);
}
