/* arena - blocks in a chain, newest first, and a bump pointer through the newest. */
#define PLACE_OF_CALLER
#include "alloc/arena.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "alloc/arena_share.h"
#include "alloc/door.h"
#include "alloc/memstats.h"
#include "alloc/poison.h"
#include "base/assert.h"
#include "base/bits.h"

enum { BLOCK_BYTES_MIN = 4096, BLOCK_BYTES_MAX = 1 << 20 };

/* Lies at the start of its memory; _Alignas keeps what follows it aligned. */
struct arena_block {
    _Alignas(HEAP_ALIGNMENT) struct arena_block *before;
    size_t bytes; /* with this header */
};

/* What an allocation takes of its block. Under AddressSanitizer its end is never the start of the
 * next one: what runs over it is seen. */
static size_t room_for(size_t size)
{
    return bits_align_up(size + POISON_ACTIVE, HEAP_ALIGNMENT);
}

static uint8_t *block_start(struct arena_block *block)
{
    return (uint8_t *)(block + 1);
}

static uint8_t *block_end(struct arena_block *block)
{
    return (uint8_t *)block + block->bytes;
}

void arena_init(struct arena *a, enum heap_tag tag, uint64_t ceiling_bytes)
{
    *a = (struct arena){.tag = tag, .ceiling_bytes = ceiling_bytes};
}

void arena_share(struct arena *of, struct arena_common *common)
{
    atomic_init(&common->held_bytes, of->held_bytes);
    of->common = common;
}

void arena_unshare(struct arena *of)
{
    DEBUG_ASSERT(atomic_load(&of->common->held_bytes) == of->held_bytes);
    of->common = NULL;
}

void arena_init_beside(struct arena *a, const struct arena *of)
{
    *a = (struct arena){.tag = of->tag,
                        .ceiling_bytes = of->ceiling_bytes,
                        .spare_bytes = of->spare_bytes,
                        .granted_bytes = of->granted_bytes,
                        .common = of->common};
}

/* Of all that share the ceiling. */
static uint64_t held_together(const struct arena *a)
{
    return a->common ? atomic_load_explicit(&a->common->held_bytes, memory_order_relaxed)
                     : a->held_bytes;
}

/* Count bytes before they are taken; false: others were faster, and there is no room left. */
static bool count_in(struct arena *a, size_t bytes)
{
    if (a->common &&
        atomic_fetch_add_explicit(&a->common->held_bytes, bytes, memory_order_relaxed) + bytes >
            a->ceiling_bytes) {
        atomic_fetch_sub_explicit(&a->common->held_bytes, bytes, memory_order_relaxed);
        return false;
    }
    a->held_bytes += bytes;
    return true;
}

static void count_out(struct arena *a, size_t bytes)
{
    a->held_bytes -= bytes;
    if (a->common) atomic_fetch_sub_explicit(&a->common->held_bytes, bytes, memory_order_relaxed);
}

/* Free the newest block; the one before it is entered at its end, without room. */
static void drop_block(struct arena *a)
{
    struct arena_block *block = a->last;
    a->last = block->before;
    count_out(a, block->bytes);
    heap_free(block, block->bytes, a->tag);
}

void arena_reset(struct arena *a)
{
    while (a->last)
        drop_block(a);
    a->at = NULL;
    a->end = NULL;
    a->refused = OK;
}

void arena_release(struct arena *a)
{
    arena_reset(a);
}

static void *refuse(struct arena *a, enum status why)
{
    a->refused = why;
    return NULL;
}

/* heap_fail_after: blocks are large, and seldom would anyone meet a failure of theirs. */
static bool is_to_fail(void)
{
    return HEARTH_DEBUG && door_refuses();
}

/* The size of a new block with room for `size` bytes: twice the last one while the ceiling permits,
 * just enough otherwise; 0 when even that is too much. */
static size_t block_size(const struct arena *a, size_t size)
{
    size_t least = size + sizeof(struct arena_block);
    if (least < size || heap_good_size(least) < least) return 0;
    uint64_t held = held_together(a);
    uint64_t room = held < a->ceiling_bytes ? a->ceiling_bytes - held : 0;
    if (heap_good_size(least) > room) return 0;
    size_t liked = a->last ? a->last->bytes * 2 : BLOCK_BYTES_MIN;
    if (liked > BLOCK_BYTES_MAX) liked = BLOCK_BYTES_MAX;
    if (liked < least || heap_good_size(liked) > room) liked = least;
    return heap_good_size(liked);
}

/* What is held has been counted. Free pages are room, too: they are counted until they go back to
 * the system. */
static bool leaves_spare(const struct arena *a, size_t bytes)
{
    uint64_t limit = heap_limit();
    uint64_t used = heap_used_bytes();
    if (!limit || held_together(a) <= a->granted_bytes) return true;
    if (!a->spare_bytes || used + bytes + a->spare_bytes <= limit) return true;
    struct memstats stats;
    memstats_read(&stats);
    uint64_t idle = stats.heap_idle - stats.heap_released;
    return (used > idle ? used - idle : 0) + bytes + a->spare_bytes <= limit;
}

/* NULL: a->refused says why. */
static struct arena_block *take_block(struct arena *a, size_t bytes)
{
    if (!bytes || !count_in(a, bytes)) return refuse(a, ERR_TOO_LARGE);
    struct arena_block *block = leaves_spare(a, bytes) ? heap_alloc(bytes, a->tag) : NULL;
    if (block) return block;
    count_out(a, bytes);
    return refuse(a, ERR_NO_MEMORY);
}

static bool add_block(struct arena *a, size_t size)
{
    size_t bytes = block_size(a, size);
    struct arena_block *block = take_block(a, bytes);
    size_t least = heap_good_size(size + sizeof(*block));
    if (!block && least < bytes) {
        bytes = least;
        block = take_block(a, bytes);
    }
    if (!block) return false;
    block->before = a->last;
    block->bytes = bytes;
    a->last = block;
    a->at = block_start(block);
    a->end = block_end(block);
    poison_hide(a->at, (size_t)(a->end - a->at));
    return true;
}

void *arena_alloc(struct arena *a, size_t size)
{
    static _Alignas(HEAP_ALIGNMENT) uint8_t nothing[1];
    if (size == 0) return nothing;
    if (size > SIZE_MAX - (size_t)2 * HEAP_ALIGNMENT) return refuse(a, ERR_TOO_LARGE);
    if (is_to_fail()) return refuse(a, ERR_NO_MEMORY);
    size_t rounded = room_for(size);
    if (rounded > (size_t)(a->end - a->at) && !add_block(a, rounded)) return NULL;
    void *p = a->at;
    a->at += rounded;
    poison_show(p, size);
    return p;
}

void *arena_alloc_array(struct arena *a, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) return refuse(a, ERR_TOO_LARGE);
    return arena_alloc(a, bytes);
}

void *arena_calloc(struct arena *a, size_t count, size_t size)
{
    void *p = arena_alloc_array(a, count, size);
    if (p) memset(p, 0, count * size);
    return p;
}

/* p was the last allocation and new_size fits behind its start: move the bump pointer. */
static bool resize_last(struct arena *a, uint8_t *p, size_t old_size, size_t new_size)
{
    if (old_size == 0 || p + room_for(old_size) != a->at) return false;
    if (new_size > (size_t)(a->end - p)) return false;
    size_t rounded = room_for(new_size);
    if (rounded > (size_t)(a->end - p)) return false;
    a->at = p + rounded;
    poison_show(p, new_size);
    poison_hide(p + new_size, (size_t)(a->end - p) - new_size);
    return true;
}

void *arena_resize(struct arena *a, void *p, size_t old_size, size_t new_size)
{
    if (!p) return arena_alloc(a, new_size);
    if (new_size > old_size && is_to_fail()) return refuse(a, ERR_NO_MEMORY);
    if (resize_last(a, p, old_size, new_size)) return p;
    if (new_size <= old_size) return p;
    void *moved = arena_alloc(a, new_size);
    if (moved && old_size) memcpy(moved, p, old_size);
    return moved;
}

struct str arena_copy(struct arena *a, struct str text)
{
    if (text.size == SIZE_MAX) {
        a->refused = ERR_TOO_LARGE;
        return (struct str){0};
    }
    char *data = arena_alloc(a, text.size + 1);
    if (!data) return (struct str){0};
    if (text.size) memcpy(data, text.data, text.size);
    data[text.size] = '\0';
    return (struct str){.data = data, .size = text.size};
}

struct str arena_printf(struct arena *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ASSERT(length >= 0);
    size_t size = (size_t)length;
    char *data = arena_alloc(a, size + 1);
    if (!data) return (struct str){0};
    va_start(args, format);
    vsnprintf(data, size + 1, format, args);
    va_end(args);
    return (struct str){.data = data, .size = size};
}

enum status arena_error(const struct arena *a, struct error *err)
{
    if (a->refused == ERR_TOO_LARGE)
        return error_set(err, ERR_TOO_LARGE, "needs more than %llu bytes of memory (%s)",
                         (unsigned long long)a->ceiling_bytes, heap_tag_name(a->tag));
    return error_set(err, ERR_NO_MEMORY, "the memory limit is reached (%s)", heap_tag_name(a->tag));
}

struct arena_mark arena_mark(const struct arena *a)
{
    return (struct arena_mark){.last = a->last, .at = a->at};
}

void arena_rewind(struct arena *a, struct arena_mark mark)
{
    while (a->last != mark.last) {
        ASSERT(a->last); /* the mark is of another arena, or rewound before */
        drop_block(a);
    }
    a->at = mark.at;
    a->end = a->last ? block_end(a->last) : NULL;
    if (a->last) poison_hide(a->at, (size_t)(a->end - a->at));
}
