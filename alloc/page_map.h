/*
 * page_map - the heap's address range, and what each of its pages belongs to.
 *
 *     range:   | page 0: never used | page 1 | page 2 | ... committed ... | ... reserved ... |
 *     spans:   uint32 per page, a reference to the span's record
 *     classes: uint8 per page, the size class of its objects, 0 for anything else
 *
 * Both arrays are flat, reserved for the whole range and made usable as it grows: 5 bytes per page
 * of 8 KiB. classes alone serves the fast path of heap_free. spans is set for every page of a class
 * span, and for the first and last page of any other run; others keep stale references.
 *
 * The highest bit of a class's entry says that the span is emptying (alloc/central.h).
 *
 * Threads: changed under LOCK_PAGE_HEAP. Reading the entries of a page is safe for whoever holds an
 * object in it, or that lock.
 */
#ifndef HEARTH_ALLOC_PAGE_MAP_H
#define HEARTH_ALLOC_PAGE_MAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/meta.h"
#include "alloc/os.h"
#include "alloc/span.h"

enum { PAGE_SHIFT = 13, PAGE_MAP_EMPTYING = 0x80 };

_Static_assert((int)SIZE_CLASS_COUNT <= (int)PAGE_MAP_EMPTYING, "the bit is no part of a class");

struct page_map {
    uint8_t *base;         /* of the heap's range */
    size_t reserved_bytes; /* of the heap's range */
    uint8_t *classes;
    uint32_t *spans;
    uint32_t pages; /* committed, page 0 included; LOCK_PAGE_HEAP */
    struct os_range heap_range, class_range, span_range;
};

extern struct page_map page_map; /* the first four fields are constant after page_map_init */

/* Reserve everything; once. The heap's range is as large as the system lets it be. */
void page_map_init(void);

/* Make the first `pages` pages of the heap's range usable, and their entries; the entries are
 * charged to the limit. False at the end of the range, or when the limit or the system refuses. */
MUST_USE bool page_map_commit(uint32_t pages);

/* Bytes of the arrays that are charged. LOCK_PAGE_HEAP. */
uint64_t page_map_bytes(void);

/* Write the entries of a run: all pages when it is of a class, else its two ends. */
void page_map_set(struct span *span);

/* Give back the entries of so many pages, which are in the middle of a run that is not resident:
 * they read as 0 from now on. They stay charged. */
void page_map_hollow(uint32_t page, uint32_t pages);

/* Forget the class of a span's pages, before they become a free run. */
void page_map_clear_classes(const struct span *span);

static inline unsigned page_map_entry(size_t page)
{
    const _Atomic uint8_t *entry = (const _Atomic uint8_t *)&page_map.classes[page];
    return atomic_load_explicit(entry, memory_order_relaxed);
}

/* The size class of a page's objects. */
static inline unsigned page_map_class(size_t page)
{
    return page_map_entry(page) & ~(unsigned)PAGE_MAP_EMPTYING;
}

static inline bool page_map_is_emptying(size_t page)
{
    return page_map_entry(page) & PAGE_MAP_EMPTYING;
}

/* For all pages of a class span, under the LOCK_CENTRAL of its class. */
void page_map_set_emptying(const struct span *span, bool emptying);

static inline uint8_t *page_map_address(uint32_t page)
{
    return page_map.base + ((size_t)page << PAGE_SHIFT);
}

/* Offset in the heap's range; at least reserved_bytes for anything that is not in it. */
static inline size_t page_map_offset(const void *p)
{
    return (size_t)((uintptr_t)p - (uintptr_t)page_map.base);
}

static inline struct span *page_map_span(uint32_t page)
{
    return meta_at(page_map.spans[page]);
}

/* The slot of its span that the object at p, in a class span, has. */
static inline uint32_t page_map_slot(const struct span *span, const void *p)
{
    size_t offset = page_map_offset(p) - ((size_t)span->page << PAGE_SHIFT);
    return size_class_slot(span->size_class, (uint32_t)offset);
}

#endif
