/* transfer - stacks of pointers, each under its lock. */
#include "alloc/transfer.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "alloc/central.h"
#include "alloc/live.h"
#include "alloc/meta.h"
#include "alloc/page_map.h"
#include "base/assert.h"
#include "base/lock.h"

enum {
    PORTION = 64, /* objects that go to central in one go, without the lock */
    START_OBJECTS = 64
};

struct transfer {
    CACHE_ALIGNED struct mutex lock; /* classes do not share cache lines */
    void **objects;                  /* NULL: none yet */
    uint32_t room;                   /* START_OBJECTS or twice, ..., up to most_objects() */
    uint32_t count;
    uint32_t low; /* the least of it since transfer_drain last looked */
    bool busy;    /* made a trip since the hand last came by */
};

static struct transfer transfers[SIZE_CLASS_COUNT];
static _Atomic uint64_t bytes_kept;  /* of the objects in all classes */
static _Atomic uint64_t stack_bytes; /* of the stacks */
static _Atomic uint32_t hand;        /* turns to the class after: who has room that others need */

void transfer_init(void)
{
    for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++)
        mutex_init(&transfers[i].lock, LOCK_TRANSFER);
}

static uint32_t most_objects(unsigned size_class)
{
    uint32_t objects = TRANSFER_BYTES_MAX / size_classes[size_class].bytes;
    return objects < TRANSFER_OBJECTS_MAX ? objects : TRANSFER_OBJECTS_MAX;
}

/* From bytes that all classes share: as many of count objects as there is room for. */
static uint32_t reserve(unsigned size_class, uint32_t count)
{
    uint64_t object_bytes = size_classes[size_class].bytes;
    uint64_t kept = atomic_load_explicit(&bytes_kept, memory_order_relaxed);
    do {
        uint64_t fits = (TRANSFER_BYTES_MAX - kept) / object_bytes;
        if (fits < count) count = (uint32_t)fits;
    } while (!atomic_compare_exchange_weak_explicit(&bytes_kept, &kept, kept + count * object_bytes,
                                                    memory_order_relaxed, memory_order_relaxed));
    return count;
}

static void unreserve(unsigned size_class, uint32_t count)
{
    atomic_fetch_sub_explicit(&bytes_kept, (uint64_t)count * size_classes[size_class].bytes,
                              memory_order_relaxed);
}

static void drop_stack(struct transfer *t)
{
    if (!t->objects) return;
    meta_free(t->objects, t->room * sizeof(void *), META_CACHE);
    atomic_fetch_sub_explicit(&stack_bytes, t->room * sizeof(void *), memory_order_relaxed);
    t->objects = NULL;
    t->room = 0;
}

/* Room for `wanted` objects if there may be so much, and memory for it; else as it is. */
static void widen(struct transfer *t, unsigned size_class, uint32_t wanted)
{
    uint32_t most = most_objects(size_class);
    uint32_t room = t->room ? t->room : START_OBJECTS;
    while (room < wanted && room < most)
        room *= 2;
    if (room > most) room = most;
    if (room == t->room) return;
    void **objects = meta_alloc(room * sizeof(void *), META_CACHE);
    if (!objects) return;
    if (t->count) memcpy(objects, t->objects, t->count * sizeof(void *));
    drop_stack(t);
    t->objects = objects;
    t->room = room;
    atomic_fetch_add_explicit(&stack_bytes, room * sizeof(void *), memory_order_relaxed);
}

static uint32_t pop(struct transfer *t, unsigned size_class, void **out, uint32_t wanted)
{
    uint32_t count = wanted < t->count ? wanted : t->count;
    if (!count) return 0;
    t->count -= count;
    if (t->count < t->low) t->low = t->count;
    memcpy(out, t->objects + t->count, count * sizeof(void *));
    unreserve(size_class, count);
    return count;
}

static uint32_t push(struct transfer *t, unsigned size_class, void *const *objects, uint32_t count)
{
    if (t->count + count > t->room) widen(t, size_class, t->count + count);
    uint32_t left = t->room - t->count;
    count = reserve(size_class, count < left ? count : left);
    if (!count) return 0;
    memcpy(t->objects + t->count, objects, count * sizeof(void *));
    t->count += count;
    return count;
}

/* From central: the lowest address shall be used first. */
static uint32_t take_reversed(unsigned size_class, void **out, uint32_t wanted)
{
    uint32_t got = central_take(size_class, out, wanted);
    for (uint32_t i = 0; i < got / 2; i++) {
        void *swapped = out[i];
        out[i] = out[got - 1 - i];
        out[got - 1 - i] = swapped;
    }
    return got;
}

/* Look at one class more; one that made no trip in a whole turn gives up so many bytes, or a few
 * objects. Turns are slow, so that of many busy classes none is taken for idle. */
static void make_room(uint64_t bytes)
{
    uint32_t turn = atomic_fetch_add_explicit(&hand, 1, memory_order_relaxed);
    unsigned size_class = turn % (SIZE_CLASS_COUNT - 1) + 1;
    uint64_t wanted = bytes / size_classes[size_class].bytes + 1;
    struct transfer *t = &transfers[size_class];
    void *portion[PORTION];
    uint32_t count = 0;
    mutex_lock(&t->lock);
    if (!t->busy)
        count = pop(t, size_class, portion, wanted < PORTION ? (uint32_t)wanted : PORTION);
    t->busy = false;
    mutex_unlock(&t->lock);
    if (count) central_give(size_class, portion, count);
}

uint32_t transfer_take(unsigned size_class, void **out, uint32_t wanted)
{
    struct transfer *t = &transfers[size_class];
    mutex_lock(&t->lock);
    uint32_t got = pop(t, size_class, out, wanted);
    t->busy = true;
    mutex_unlock(&t->lock);
    return got ? got : take_reversed(size_class, out, wanted);
}

void transfer_give(unsigned size_class, void *const *objects, uint32_t count)
{
    struct transfer *t = &transfers[size_class];
    mutex_lock(&t->lock);
    uint32_t kept = push(t, size_class, objects, count);
    bool full = t->count == most_objects(size_class);
    t->busy = true;
    mutex_unlock(&t->lock);
    if (kept == count) return;
    central_give(size_class, objects + kept, count - kept);
    if (!full) make_room((uint64_t)(count - kept) * size_classes[size_class].bytes);
}

static uint64_t flush(unsigned size_class)
{
    struct transfer *t = &transfers[size_class];
    void *portion[PORTION];
    uint64_t flushed = 0;
    uint32_t count;
    do {
        mutex_lock(&t->lock);
        count = pop(t, size_class, portion, PORTION);
        if (!t->count) drop_stack(t);
        mutex_unlock(&t->lock);
        if (count) central_give(size_class, portion, count);
        flushed += count;
    } while (count == PORTION);
    return flushed;
}

uint64_t transfer_flush(void)
{
    uint64_t flushed = 0;
    for (unsigned i = 1; i < SIZE_CLASS_COUNT; i++)
        flushed += flush(i);
    return flushed;
}

/* What nobody came for since the last look; a portion at most, the oldest. */
static uint32_t give_idle(unsigned size_class)
{
    struct transfer *t = &transfers[size_class];
    void *portion[PORTION];
    mutex_lock(&t->lock);
    uint32_t count = t->low < PORTION ? t->low : PORTION;
    if (count) {
        memcpy(portion, t->objects, count * sizeof(void *));
        memmove(t->objects, t->objects + count, (t->count - count) * sizeof(void *));
        t->count -= count;
        unreserve(size_class, count);
    }
    if (count && !t->count) drop_stack(t);
    t->low = t->count;
    mutex_unlock(&t->lock);
    if (count) central_give(size_class, portion, count);
    return count;
}

uint64_t transfer_drain(void)
{
    uint64_t drained = 0;
    for (unsigned i = 1; i < SIZE_CLASS_COUNT; i++)
        drained += give_idle(i);
    return drained;
}

uint32_t transfer_objects(unsigned size_class)
{
    struct transfer *t = &transfers[size_class];
    mutex_lock(&t->lock);
    uint32_t count = t->count;
    mutex_unlock(&t->lock);
    return count;
}

uint64_t transfer_inuse_bytes(void)
{
    return atomic_load_explicit(&stack_bytes, memory_order_relaxed);
}

void transfer_hold_all(void)
{
    for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++)
        mutex_lock(&transfers[i].lock);
}

void transfer_let_go_all(void)
{
    for (unsigned i = SIZE_CLASS_COUNT; i > 0; i--)
        mutex_unlock(&transfers[i - 1].lock);
}

void transfer_check(void)
{
    for (unsigned size_class = 1; size_class < SIZE_CLASS_COUNT; size_class++) {
        struct transfer *t = &transfers[size_class];
        mutex_lock(&t->lock);
        ASSERT(t->count <= t->room && t->room <= most_objects(size_class));
        for (uint32_t i = 0; i < t->count; i++) {
            size_t offset = page_map_offset(t->objects[i]);
            ASSERT(offset < page_map.reserved_bytes);
            ASSERT(page_map_class(offset >> PAGE_SHIFT) == size_class);
            live_check_free(t->objects[i]);
        }
        mutex_unlock(&t->lock);
    }
    ASSERT(atomic_load_explicit(&bytes_kept, memory_order_relaxed) <= TRANSFER_BYTES_MAX);
}
