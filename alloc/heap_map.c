/* heap_map - copies of span records, a slice at a time. */
#include "alloc/heap_map.h"

#include "alloc/door.h"
#include "alloc/page_heap.h"
#include "alloc/page_map.h"
#include "base/assert.h"
#include "base/compiler.h"

/* Free slots, owners and marks change under other locks than the page heap's, or none: what is read
 * is some value of the moment, and all that is done with it is to show it. */
__attribute__((no_sanitize("thread"))) static void copy_unlocked(struct heap_map_run *run,
                                                                 const volatile struct span *span)
{
    if (run->state == HEAP_MAP_SMALL) {
        uint32_t free = span->free_slots;
        run->free_slots = free < run->slots ? free : run->slots;
    }
    if (run->state == HEAP_MAP_LARGE) {
        if (span->block)
            run->state = HEAP_MAP_REGION;
        else
            run->tag = (int)span->owner - 1;
    }
}

static enum heap_map_state state_of(const struct span *span)
{
    switch ((enum span_state)span->state) {
    case SPAN_IDLE:
    case SPAN_QUICK:
    case SPAN_MOVING: return HEAP_MAP_IDLE;
    case SPAN_HOLLOWING:
    case SPAN_RELEASED: return HEAP_MAP_RELEASED;
    case SPAN_SMALL: return HEAP_MAP_SMALL;
    case SPAN_LARGE: return HEAP_MAP_LARGE;
    case SPAN_NONE: break;
    }
    UNREACHABLE();
}

static struct heap_map_run copy(const struct span *span)
{
    struct heap_map_run run = {
        .page = span->page, .pages = span->pages, .state = state_of(span), .tag = -1};
    if (run.state == HEAP_MAP_SMALL) {
        run.object_bytes = size_classes[span->size_class].bytes;
        run.slots = span_slots(span);
    }
    copy_unlocked(&run, span);
    return run;
}

/* The run that has the page. It starts there if the page says so, as where the slice before ended
 * it mostly does. Else: only pages of class spans say their span wherever one looks; start behind
 * the last such span before. */
static struct span *run_at(uint32_t page)
{
    struct span *first = page_map_span(page);
    if (first->page == page && first->state != SPAN_NONE) return first;
    uint32_t at = page;
    while (at > 1 && page_map_class(at) == SIZE_CLASS_LARGE)
        at--;
    struct span *span = page_map_span(at);
    while (span->page + span->pages <= page)
        span = page_map_span(span->page + span->pages);
    return span;
}

uint32_t heap_map_pages(void)
{
    struct page_heap_stats unread;
    door_open();
    page_heap_hold(&unread);
    uint32_t pages = page_map.pages;
    page_heap_let_go();
    return pages;
}

size_t heap_map_read(uint32_t from_page, struct heap_map_run *out, size_t max)
{
    struct page_heap_stats unread;
    size_t count = 0;
    uint32_t page = from_page > 1 ? from_page : 1;
    if (max > HEAP_MAP_SLICE) max = HEAP_MAP_SLICE;
    door_open();
    page_heap_hold(&unread);
    if (page < page_map.pages) page = run_at(page)->page;
    while (count < max && page < page_map.pages) {
        out[count] = copy(page_map_span(page));
        page += out[count++].pages;
    }
    page_heap_let_go();
    return count;
}

const char *heap_map_state_name(enum heap_map_state state)
{
    static const char *const names[HEAP_MAP_STATE_COUNT] = {[HEAP_MAP_IDLE] = "idle",
                                                            [HEAP_MAP_RELEASED] = "released",
                                                            [HEAP_MAP_SMALL] = "small",
                                                            [HEAP_MAP_LARGE] = "large",
                                                            [HEAP_MAP_REGION] = "region"};
    ASSERT((unsigned)state < HEAP_MAP_STATE_COUNT);
    return names[state];
}
