/* tiny - the block of each tag that a thread fills, and the count in it. */
#define PLACE_OF_CALLER
#include "alloc/tiny.h"

#include <stdatomic.h>
#include <stdbool.h>

#include "alloc/door.h"
#include "base/assert.h"
#include "base/bits.h"
#include "base/thread.h"

struct block {
    _Atomic uint8_t holds; /* objects, and 1 while a thread fills it */
    uint8_t bytes[TINY_BLOCK_BYTES - 1];
};

_Static_assert(sizeof(struct block) == TINY_BLOCK_BYTES, "the count is the first byte");

/* What a thread fills. */
struct filling {
    struct block *block; /* NULL: none */
    size_t used;         /* bytes of it, the count included */
};

static _Thread_local struct filling mine[HEAP_TAG_COUNT];
static struct thread_once ready = THREAD_ONCE_INIT;
static struct thread_exit_hook hook;
static _Atomic uint64_t found_room;

/* One hold less; the last one gives the block back. Returns how many are left. */
static uint8_t let_go(struct block *block, enum heap_tag tag)
{
    uint8_t before = atomic_fetch_sub_explicit(&block->holds, 1, memory_order_acq_rel);
    ASSERT(before > 0); /* else freed twice */
    if (before == 1) heap_free(block, sizeof(*block), tag);
    return (uint8_t)(before - 1);
}

static void end_filling(struct filling *f, enum heap_tag tag)
{
    if (f->block) let_go(f->block, tag);
    *f = (struct filling){0};
}

void tiny_flush_thread(void)
{
    for (int tag = 0; tag < HEAP_TAG_COUNT; tag++)
        end_filling(&mine[tag], (enum heap_tag)tag);
}

static void end_thread(void *value)
{
    (void)value;
    tiny_flush_thread();
}

static void set_up(void)
{
    thread_exit_hook_init(&hook, end_thread);
}

static size_t place_for(const struct filling *f, size_t size)
{
    return size == 4 || size == 2 ? bits_align_up(f->used, size) : f->used;
}

/* Start a new block in place of the one that is full; false at the limit, nothing changed. */
static bool start_filling(struct filling *f, enum heap_tag tag)
{
    struct block *block = heap_alloc(sizeof(*block), tag);
    if (!block) return false;
    thread_once(&ready, set_up);
    thread_exit_hook_set(&hook, mine);
    atomic_init(&block->holds, 1);
    end_filling(f, tag);
    *f = (struct filling){.block = block, .used = offsetof(struct block, bytes)};
    return true;
}

void *heap_alloc_tiny(size_t size, enum heap_tag tag)
{
    if (size == 0 || size > TINY_BYTES_MAX || door_has_red_zones()) return heap_alloc(size, tag);
    struct filling *f = &mine[tag];
    if (f->block && place_for(f, size) + size <= TINY_BLOCK_BYTES)
        atomic_fetch_add_explicit(&found_room, 1, memory_order_relaxed);
    else if (!start_filling(f, tag))
        return NULL;
    size_t at = place_for(f, size);
    f->used = at + size;
    atomic_fetch_add_explicit(&f->block->holds, 1, memory_order_relaxed);
    return (uint8_t *)f->block + at;
}

void heap_free_tiny(void *p, size_t size, enum heap_tag tag)
{
    /* Blocks are objects of their size, and aligned to it; in front of one is its count. */
    size_t offset = (uintptr_t)p % TINY_BLOCK_BYTES;
    if (size == 0 || size > TINY_BYTES_MAX || offset == 0) {
        heap_free(p, size, tag);
        return;
    }
    struct filling *f = &mine[tag];
    struct block *block = (struct block *)(void *)((uint8_t *)p - offset);
    DEBUG_ASSERT(offset + size <= TINY_BLOCK_BYTES);
    if (let_go(block, tag) == 1 && block == f->block) f->used = offsetof(struct block, bytes);
}

uint64_t tiny_allocs(void)
{
    return atomic_load_explicit(&found_room, memory_order_relaxed);
}
