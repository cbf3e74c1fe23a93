/* region - the bump pointer, the choice of blocks, and the books. */
#include "alloc/region.h"

#include "alloc/door.h"
#include "alloc/limit.h"
#include "alloc/live.h"
#include "alloc/os.h"
#include "alloc/page_heap.h"
#include "alloc/page_map.h"
#include "alloc/poison.h"
#include "alloc/tally.h"
#include "base/assert.h"
#include "base/bits.h"

enum {
    TAIL_PARTS = 16,
    OWN_PAGES_PARTS = 4,
    AHEAD_PARTS = 2 /* when so much of a block is left, the next one is wanted */
};

struct tally_shared tally_regions;
static _Atomic uint64_t all_bytes;     /* of the blocks of all regions */
static _Atomic uint64_t full_bytes;    /* the same when one was given back last */
static _Atomic uint64_t unused_bytes;  /* of the blocks of all regions */
static _Atomic uint64_t deleted_bytes; /* of those: what was deleted */

static uint64_t span_bytes(const struct span *span)
{
    return (uint64_t)span->pages << PAGE_SHIFT;
}

static uint32_t rounded(uint32_t size)
{
    return (uint32_t)bits_align_up(size, REGION_ALIGNMENT);
}

static unsigned class_for(uint32_t size)
{
    return size <= HEAP_SMALL_MAX ? size_class_of(size) : SIZE_CLASS_LARGE;
}

void region_init(struct region *r, enum heap_tag tag)
{
    door_open();
    *r = (struct region){.tag = tag};
}

static void count_malloc(struct region *r, uint32_t size)
{
    unsigned size_class = class_for(size);
    r->live_bytes += rounded(size);
    r->requested_bytes += size;
    r->objects[size_class]++;
    atomic_fetch_sub_explicit(&unused_bytes, rounded(size), memory_order_relaxed);
    tally_add(&tally_regions.requested_bytes.given[r->tag], size);
    tally_add(&tally_regions.large_bytes.given[r->tag], rounded(size));
    tally_add(&tally_regions.objects[size_class].given[r->tag], 1);
}

void region_delete(struct region *r, uint32_t size)
{
    unsigned size_class = class_for(size);
    DEBUG_ASSERT(r->objects[size_class] > 0 && r->live_bytes >= rounded(size));
    r->live_bytes -= rounded(size);
    r->requested_bytes -= size;
    r->deleted_bytes += rounded(size);
    r->objects[size_class]--;
    atomic_fetch_add_explicit(&unused_bytes, rounded(size), memory_order_relaxed);
    atomic_fetch_add_explicit(&deleted_bytes, rounded(size), memory_order_relaxed);
    tally_add(&tally_regions.requested_bytes.taken[r->tag], size);
    tally_add(&tally_regions.large_bytes.taken[r->tag], rounded(size));
    tally_add(&tally_regions.objects[size_class].taken[r->tag], 1);
}

/* All that is left, at once. */
static void count_frees(const struct region *r)
{
    atomic_fetch_sub_explicit(&unused_bytes, r->block_bytes - r->live_bytes, memory_order_relaxed);
    atomic_fetch_sub_explicit(&deleted_bytes, r->deleted_bytes, memory_order_relaxed);
    tally_add(&tally_regions.requested_bytes.taken[r->tag], r->requested_bytes);
    tally_add(&tally_regions.large_bytes.taken[r->tag], r->live_bytes);
    for (unsigned c = 0; c < SIZE_CLASS_COUNT; c++)
        if (r->objects[c]) tally_add(&tally_regions.objects[c].taken[r->tag], r->objects[c]);
}

/* The tail of a block that was left for the next is shorter than the object that found no room:
 * less than a quarter of a block. */
_Static_assert(REGION_BLOCK_BYTES_MAX / OWN_PAGES_PARTS / REGION_ALIGNMENT <= UINT16_MAX + 1,
               "the granules of a tail have room");

static uint64_t tail_bytes(const struct span *block)
{
    return (uint64_t)block->tail_granules * REGION_ALIGNMENT;
}

/* Nobody wrote to the last so many bytes of a block. */
static void check_tail(const struct span *block, uint64_t bytes)
{
    const uint8_t *end = page_map_address(block->page) + span_bytes(block);
    live_check_unused(end - bytes, bytes);
}

static void check_tails(const struct region *r)
{
    for (const struct span *block = r->full; block; block = block->after)
        check_tail(block, tail_bytes(block));
    if (r->open) check_tail(r->open, (uint64_t)(r->end - r->at));
}

/* The open block gets no more objects. */
static void close_block(struct region *r)
{
    if (!r->open) return;
    r->open->tail_granules = (uint16_t)((r->end - r->at) / REGION_ALIGNMENT);
    r->open->after = r->full;
    r->full = r->open;
    r->open = NULL;
}

static void count_end(const struct region *r)
{
    if (!r->block_bytes) return;
    uint64_t all = atomic_fetch_sub_explicit(&all_bytes, r->block_bytes, memory_order_relaxed);
    atomic_store_explicit(&full_bytes, all, memory_order_relaxed);
}

void region_release(struct region *r)
{
    count_frees(r);
    count_end(r);
    check_tails(r);
    close_block(r);
    if (r->full) page_heap_free(r->full);
    if (r->ahead) page_heap_free(r->ahead);
    region_init(r, r->tag);
}

/* A sixteenth of what there is, as a power of two. */
static uint64_t next_block_bytes(const struct region *r)
{
    uint64_t bytes = REGION_BLOCK_BYTES_MIN;
    while (bytes < REGION_BLOCK_BYTES_MAX && bytes * 2 * TAIL_PARTS <= r->block_bytes)
        bytes *= 2;
    return bytes;
}

/* Regions that are no longer than a huge page have blocks of the least size: they do without. */
static bool is_alone(uint64_t bytes)
{
    return bytes <= REGION_BLOCK_BYTES_MIN || bytes > REGION_BLOCK_BYTES_MAX;
}

static struct span *take_block(uint64_t bytes_least, uint64_t bytes)
{
    uint32_t least = (uint32_t)(bytes_least >> PAGE_SHIFT);
    uint32_t pages = (uint32_t)(bytes >> PAGE_SHIFT);
    struct span *block = is_alone(bytes) ? page_heap_alloc(pages, SIZE_CLASS_LARGE)
                                         : page_heap_alloc_resident(least, pages);
    if (!block) return NULL;
    block->block = true;
    live_reset(block); /* it may have been a large object's */
    return block;
}

/* Where a region went and this one takes its place, half a block that is there will do rather than
 * a fresh one: the process would grow. Where regions become more, what lies idle is left to the
 * open chunks, whose writers should not wait for page faults. */
static uint64_t least_bytes(uint64_t bytes)
{
    uint64_t all = atomic_load_explicit(&all_bytes, memory_order_relaxed);
    uint64_t full = atomic_load_explicit(&full_bytes, memory_order_relaxed);
    return all + bytes <= full + REGION_BLOCK_BYTES_MAX ? bytes / 2 : bytes;
}

/* One that is alone may come from untouched memory: it is touched here, where nobody waits. */
struct span *region_take_block(uint64_t bytes)
{
    struct span *block = take_block(least_bytes(bytes), bytes);
    if (block && is_alone(bytes)) os_populate(page_map_address(block->page), span_bytes(block));
    return block;
}

static void count_block(struct region *r, const struct span *block)
{
    atomic_fetch_add_explicit(&all_bytes, span_bytes(block), memory_order_relaxed);
    atomic_fetch_add_explicit(&unused_bytes, span_bytes(block), memory_order_relaxed);
    r->block_bytes += span_bytes(block);
    r->block_count++;
}

uint64_t region_wants_block(const struct region *r)
{
    if (!r->open || r->ahead) return 0;
    bool soon = (uint64_t)(r->end - r->at) < span_bytes(r->open) / AHEAD_PARTS;
    return soon ? next_block_bytes(r) : 0;
}

void region_put_block(struct region *r, struct span *block)
{
    if (!block || !region_wants_block(r)) {
        page_heap_free(block);
        return;
    }
    count_block(r, block);
    r->ahead = block;
}

uint64_t region_ref(const void *object)
{
    return page_map_offset(object) / REGION_ALIGNMENT;
}

static uint64_t alloc_own_pages(struct region *r, uint32_t size)
{
    uint64_t bytes = bits_align_up(size, HEAP_PAGE_BYTES);
    struct span *block = take_block(bytes, bytes);
    if (!block) return REGION_NONE;
    count_block(r, block);
    block->tail_granules = (uint16_t)((span_bytes(block) - rounded(size)) / REGION_ALIGNMENT);
    block->after = r->full;
    r->full = block;
    uint8_t *p = page_map_address(block->page);
    live_fill_unused(p + rounded(size), tail_bytes(block));
    return region_ref(p);
}

static bool take_ahead(struct region *r)
{
    uint64_t bytes = next_block_bytes(r);
    r->ahead = take_block(least_bytes(bytes), bytes);
    if (r->ahead) count_block(r, r->ahead);
    return r->ahead;
}

static void open_ahead(struct region *r)
{
    close_block(r);
    r->open = r->ahead;
    r->ahead = NULL;
    r->at = page_map_address(r->open->page);
    r->end = r->at + span_bytes(r->open);
    live_fill_unused(r->at, span_bytes(r->open));
}

static bool is_long(uint32_t bytes, uint64_t block_bytes)
{
    return bytes > block_bytes / OWN_PAGES_PARTS;
}

static uint64_t bump(struct region *r, uint32_t size)
{
    uint32_t bytes = rounded(size);
    if ((size_t)(r->end - r->at) < bytes) {
        if (!r->ahead && is_long(bytes, next_block_bytes(r))) return alloc_own_pages(r, size);
        if (!r->ahead && !take_ahead(r)) return REGION_NONE;
        if (is_long(bytes, span_bytes(r->ahead))) return alloc_own_pages(r, size);
        open_ahead(r);
    }
    uint64_t ref = region_ref(r->at);
    r->at += bytes;
    return ref;
}

uint64_t region_alloc(struct region *r, uint32_t size)
{
    DEBUG_ASSERT(size > 0 && size <= UINT32_MAX - 2 * HEAP_PAGE_BYTES);
    if (door_refuses()) return REGION_NONE;
    uint64_t ref = bump(r, size);
    if (ref == REGION_NONE) {
        limit_count_refusal();
        return REGION_NONE;
    }
    poison_show(region_at(ref), size);
    count_malloc(r, size);
    return ref;
}

static void give_ahead_back(struct region *r)
{
    if (!r->ahead) return;
    r->block_bytes -= span_bytes(r->ahead);
    r->block_count--;
    atomic_fetch_sub_explicit(&all_bytes, span_bytes(r->ahead), memory_order_relaxed);
    atomic_fetch_sub_explicit(&unused_bytes, span_bytes(r->ahead), memory_order_relaxed);
    page_heap_free(r->ahead);
    r->ahead = NULL;
}

void region_trim(struct region *r)
{
    give_ahead_back(r);
    if (!r->open) return;
    uint8_t *base = page_map_address(r->open->page);
    uint64_t before = span_bytes(r->open);
    uint64_t after = bits_align_up((size_t)(r->at - base), HEAP_PAGE_BYTES);
    if (after == before || !page_heap_resize(r->open, (uint32_t)(after >> PAGE_SHIFT))) return;
    r->block_bytes -= before - after;
    atomic_fetch_sub_explicit(&all_bytes, before - after, memory_order_relaxed);
    atomic_fetch_sub_explicit(&unused_bytes, before - after, memory_order_relaxed);
    r->end = base + after;
}

void *region_at(uint64_t ref)
{
    return page_map.base + ref * REGION_ALIGNMENT;
}

uint64_t region_unused_bytes(void)
{
    return atomic_load_explicit(&unused_bytes, memory_order_relaxed);
}

uint64_t region_deleted_bytes(void)
{
    return atomic_load_explicit(&deleted_bytes, memory_order_relaxed);
}

void region_check(const struct region *r)
{
    uint64_t bytes = r->ahead ? span_bytes(r->ahead) : 0;
    uint32_t count = (r->open != NULL) + (r->ahead != NULL);
    for (const struct span *block = r->full; block; block = block->after, count++) {
        ASSERT(block->state == SPAN_LARGE && block->block);
        bytes += span_bytes(block);
    }
    ASSERT(count == r->block_count);
    if (r->open) {
        const uint8_t *base = page_map_address(r->open->page);
        bytes += span_bytes(r->open);
        ASSERT(base < r->at && r->at <= r->end && r->end == base + span_bytes(r->open));
    }
    check_tails(r);
    ASSERT(bytes == r->block_bytes);
    ASSERT(r->live_bytes + r->deleted_bytes <= r->block_bytes);
    ASSERT(r->requested_bytes <= r->live_bytes);
}
