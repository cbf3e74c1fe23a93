/*
 * live - debug builds know of every object whose it is, how long, and who asked for it; and every
 * byte that belongs to nobody holds a pattern.
 *
 *     slot, with a user:   | size asked for: the user's | slack: pattern |
 *     slot, free:          | pattern                                     |
 *
 * A note per slot lies behind the bits of its span. What ends the process on the spot, with a line
 * that names the address, the size class, the tag, and where it was allocated and freed:
 *
 *     in heap_free     a second free, by any thread; a free under another tag or size; of something
 *                      inside an object; of something that is not ours; of a cell as another object
 *                      and the reverse; a write behind the end, into the slack
 *     in heap_alloc    a write into a small object after it was freed, wherever it lay since; into
 *                      the start of a large one, if its pages were kept together for the next of
 *                      that length: in a thread's cache or in the page heap
 *     in heap_check    both kinds of writes, in all spans and in the thread's own cache
 *
 * Where an object fills its slot, a write behind its end is found when the next slot is free (as a
 * write after the free of that one), and always with heap_red_zones: slots are longer then, and
 * classes and the sums of the books others than in release builds, so that tests of them would
 * prove nothing. Hence unit tests do without, and debug builds of the server have them. Cells and
 * objects of regions have no room for any.
 *
 * What is not caught without a sanitizer: writes into the pages of large objects that were joined
 * with others after their free. Under AddressSanitizer there is no pattern, because alloc/poison
 * makes each of those accesses, and reads as well, end the process by itself.
 *
 * The slack starts behind what the user may use: heap_usable_size gives it away.
 *
 * Release builds keep no notes and no pattern; they notice a double free when both copies reach the
 * span (alloc/central).
 *
 * Threads: any; the note is the owner's, atomic so that the mistakes it looks for are not races.
 */
#ifndef HEARTH_ALLOC_LIVE_H
#define HEARTH_ALLOC_LIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "alloc/heap.h"
#include "alloc/poison.h"
#include "alloc/span.h"

enum { LIVE_PATTERN = 0xD5, LIVE_FILLS = HEARTH_DEBUG && !POISON_ACTIVE };

/* Of a large object that is freed, so much from its start on is filled. */
enum { LIVE_LARGE_BYTES = 256 << 10 };

/* Eight bytes, changed as one. */
struct live_note {
    uint16_t slack;     /* bytes of the slot behind the size asked for */
    uint16_t allocated; /* alloc/place: of the last heap_alloc */
    uint16_t freed;     /* and of the last heap_free */
    uint8_t owner;      /* tag + 1; 0: free */
    uint8_t turn : 6;   /* changes with every use: a walker knows whether it looked at one */
    uint8_t open : 1;   /* the slack is the user's too */
    uint8_t filled : 1; /* a large object, free: it holds the pattern, as far as that goes */
};

/* What follows is for debug builds; the inline functions below it are the doors. */
void live_debug_mark(void *p, size_t size, enum heap_tag tag);
void live_debug_unmark(void *p, size_t size, enum heap_tag tag);
void live_debug_expect(const void *p, bool cell);
void live_debug_examine(const void *p, size_t size, enum heap_tag tag);
void live_debug_open(const void *p);
void live_debug_close(void *p, size_t size);
void live_debug_reset(struct span *span);
void live_debug_fill(struct span *span);
void live_debug_refill(struct span *span, uint32_t pages);
void live_debug_check_span(struct span *span);
void live_debug_check_free(const void *p);
void live_debug_fill_unused(void *p, size_t size);
void live_debug_check_unused(const void *p, size_t size);

/* p, fresh from its span, a cache or the page heap, goes to a user. */
static inline void live_mark(void *p, size_t size, enum heap_tag tag)
{
    if (HEARTH_DEBUG) live_debug_mark(p, size, tag);
}

/* p comes back from a user. */
static inline void live_unmark(void *p, size_t size, enum heap_tag tag)
{
    if (HEARTH_DEBUG) live_debug_unmark(p, size, tag);
}

/* p is a cell, or it is none. */
static inline void live_expect(const void *p, bool cell)
{
    if (HEARTH_DEBUG) live_debug_expect(p, cell);
}

/* p is with a user who says so much of it. */
static inline void live_examine(const void *p, size_t size, enum heap_tag tag)
{
    if (HEARTH_DEBUG) live_debug_examine(p, size, tag);
}

/* The slack of p is not watched any more: its user may have it, or it changes. */
static inline void live_open(const void *p)
{
    if (HEARTH_DEBUG) live_debug_open(p);
}

/* p has `size` bytes from now on, and slack behind them. */
static inline void live_close(void *p, size_t size)
{
    if (HEARTH_DEBUG) live_debug_close(p, size);
}

/* What the user of p asked for; 0 for NULL and for the object of no bytes. Debug builds only. */
size_t live_size(const void *p);

/* A new record: nothing in it is with a user. */
static inline void live_reset(struct span *span)
{
    if (HEARTH_DEBUG) live_debug_reset(span);
}

/* The memory of a new span of a class: it is all free. */
static inline void live_fill(struct span *span)
{
    if (HEARTH_DEBUG) live_debug_fill(span);
}

/* System pages of it that had been given back (span.gone) are about to be used again. */
static inline void live_refill(struct span *span, uint32_t pages)
{
    if (HEARTH_DEBUG) live_debug_refill(span, pages);
}

/* All slots of a span in use. The lock that its bits belong to is held: of its class, or of the
 * page heap for a large object. Others may take and free objects meanwhile. */
static inline void live_check_span(struct span *span)
{
    if (HEARTH_DEBUG) live_debug_check_span(span);
}

/* p, in the calling thread's cache, is free and was not written to. */
static inline void live_check_free(const void *p)
{
    if (HEARTH_DEBUG) live_debug_check_free(p);
}

/* size bytes of a region's block that no object is in yet. */
static inline void live_fill_unused(void *p, size_t size)
{
    if (HEARTH_DEBUG) live_debug_fill_unused(p, size);
}

/* Nobody wrote to them. */
static inline void live_check_unused(const void *p, size_t size)
{
    if (HEARTH_DEBUG) live_debug_check_unused(p, size);
}

/* Visit every object of a span that is with a user; the span does not go away meanwhile. */
typedef void live_visit_fn(void *arg, const struct live_note *note, uint64_t bytes);
void live_visit(struct span *span, live_visit_fn *visit, void *arg);

#endif
