/*
 * windows - regions that are filled, read, emptied into another, and dropped while they are read.
 *
 *     ring:  | window | window |  NULL  | window |      one store detaches a region
 *
 * Who changes a window holds the lock of its place in the ring; who reads one is in the epoch. A
 * window that was taken out of the ring is retired, and goes when its readers have left.
 */
#include "alloc/region.h"

#include "base/bits.h"
#include "base/lock.h"
#include "tests/stress/pattern.h"
#include "tests/stress/walk.h"

enum { WINDOWS = 4, SEALED_MAX = 512, DELETED_PARTS = 4 };

/* Constant once it is counted, but for `deleted`, which readers do not look at. */
struct sealed {
    uint64_t ref;
    uint64_t name;
    uint32_t size;
    bool deleted;
};

struct window {
    struct epoch_node retired; /* first: destroyed through it */
    struct region region;
    uint32_t size_max;      /* of what is sealed by itself */
    _Atomic uint32_t count; /* published */
    struct sealed sealed[SEALED_MAX];
};

struct place {
    struct mutex lock;
    _Atomic(struct window *) window; /* NULL: none yet */
};

struct epoch walk_epoch;
static struct place ring[WINDOWS];

static void never(void *self, struct epoch_node *retired)
{
    (void)self;
    (void)retired;
    ASSERT(false);
}

void windows_init(void)
{
    epoch_destroy *const destroy[EPOCH_KIND_COUNT] = {[EPOCH_REGION] = windows_destroy,
                                                      [EPOCH_CHUNK] = chains_destroy,
                                                      [EPOCH_SERIES] = never,
                                                      [EPOCH_SYMBOL] = never};
    epoch_init(&walk_epoch, destroy, NULL);
    for (int i = 0; i < WINDOWS; i++)
        mutex_init(&ring[i].lock, LOCK_REGIONS);
}

static struct window *create(struct walker *w, enum heap_tag tag)
{
    uint64_t ticket = weather_ticket();
    struct window *window = heap_calloc(1, sizeof(*window), HEAP_INDEX);
    if (!window) {
        weather_refused(w, ticket);
        return NULL;
    }
    region_init(&window->region, tag);
    window->size_max = 4096;
    if (random_below(&w->random, 8) == 0) window->size_max = 64 << 10;
    if (random_below(&w->random, 200) == 0) window->size_max = 1 << 20;
    return window;
}

static void destroy(struct window *window)
{
    region_check(&window->region);
    region_release(&window->region);
    heap_free(window, sizeof(*window), HEAP_INDEX);
}

void windows_destroy(void *self, struct epoch_node *retired)
{
    (void)self;
    destroy((struct window *)(void *)retired);
}

/* From here on nobody finds it. */
static void expire(struct walker *w, struct place *at)
{
    struct window *window = atomic_load_explicit(&at->window, memory_order_relaxed);
    if (!window) return;
    atomic_store_explicit(&at->window, NULL, memory_order_release);
    epoch_retire(&walk_epoch, EPOCH_REGION, &window->retired);
    w->expired++;
}

/* A place for `size` bytes; NULL at the limit. */
static void *reserve(struct walker *w, struct window *window, uint32_t size, uint64_t *ref)
{
    uint64_t ticket = weather_ticket();
    *ref = region_alloc(&window->region, size);
    if (*ref == REGION_NONE) {
        weather_refused(w, ticket);
        return NULL;
    }
    ASSERT((uintptr_t)region_at(*ref) % REGION_ALIGNMENT == 0);
    return region_at(*ref);
}

/* Once its bytes are there. */
static void publish(struct window *window, uint64_t ref, uint32_t size, uint64_t name)
{
    uint32_t count = atomic_load_explicit(&window->count, memory_order_relaxed);
    window->sealed[count] = (struct sealed){.ref = ref, .name = name, .size = size};
    atomic_store_explicit(&window->count, count + 1, memory_order_release);
}

/* Chains of the walker come to rest. */
static void seal_chains(struct walker *w, struct window *window)
{
    struct ready_chain chains[CELLS_COPIES_MAX];
    struct cells_copy copies[CELLS_COPIES_MAX];
    uint64_t refs[CELLS_COPIES_MAX];
    unsigned count = chains_pick(w, chains), room = 0;
    for (; room < count; room++) {
        void *p = reserve(w, window, chains[room].bytes, &refs[room]);
        if (!p) break;
        copies[room] =
            (struct cells_copy){.cell = chains[room].first, .bytes = chains[room].bytes, .out = p};
    }
    cells_gather(copies, room);
    for (unsigned i = 0; i < room; i++) {
        publish(window, refs[i], chains[i].bytes, chains[i].name);
        chains_retire(w, chains[i].slot);
    }
    w->sealed += room;
}

static void seal_other(struct walker *w, struct window *window)
{
    uint32_t size = (uint32_t)random_size(&w->random, window->size_max);
    uint64_t ref, name = walk_name(w);
    void *p = reserve(w, window, size, &ref);
    if (!p) return;
    pattern_write(p, size, name);
    publish(window, ref, size, name);
    w->sealed++;
}

static void seal(struct walker *w, struct place *at)
{
    struct window *window = atomic_load_explicit(&at->window, memory_order_relaxed);
    if (window && atomic_load_explicit(&window->count, memory_order_relaxed) + CELLS_COPIES_MAX >
                      SEALED_MAX) {
        expire(w, at);
        window = NULL;
    }
    if (!window) {
        window = create(w, walk_tag(w));
        if (!window) return;
        atomic_store_explicit(&at->window, window, memory_order_release);
    }
    if (random_below(&w->random, 8) == 0)
        seal_chains(w, window);
    else
        seal_other(w, window);
}

static void delete (struct walker *w, struct place *at)
{
    struct window *window = atomic_load_explicit(&at->window, memory_order_relaxed);
    uint32_t count = window ? atomic_load_explicit(&window->count, memory_order_relaxed) : 0;
    if (count == 0) return;
    struct sealed *sealed = &window->sealed[random_below(&w->random, count)];
    if (sealed->deleted) return;
    sealed->deleted = true;
    region_delete(&window->region, sealed->size);
}

/* False at the limit: some of it may be in the new window already. */
static bool copy_live(struct walker *w, struct window *to, const struct window *from)
{
    uint32_t count = atomic_load_explicit(&from->count, memory_order_relaxed);
    for (uint32_t i = 0; i < count; i++) {
        const struct sealed *sealed = &from->sealed[i];
        uint64_t ref;
        if (sealed->deleted) continue;
        void *p = reserve(w, to, sealed->size, &ref);
        if (!p) return false;
        memcpy(p, region_at(sealed->ref), sealed->size);
        publish(to, ref, sealed->size, sealed->name);
    }
    return true;
}

/* What is live in a window that is dead for a quarter goes into a new one. */
static void move(struct walker *w, struct place *at)
{
    struct window *window = atomic_load_explicit(&at->window, memory_order_relaxed);
    if (!window || window->region.deleted_bytes < window->region.block_bytes / DELETED_PARTS)
        return;
    struct window *moved = create(w, window->region.tag);
    if (!moved) return;
    if (!copy_live(w, moved, window)) {
        destroy(moved);
        return;
    }
    region_trim(&moved->region);
    atomic_store_explicit(&at->window, moved, memory_order_release);
    epoch_retire(&walk_epoch, EPOCH_REGION, &window->retired);
}

static void trim(struct place *at)
{
    struct window *window = atomic_load_explicit(&at->window, memory_order_relaxed);
    if (!window) return;
    region_trim(&window->region);
    region_check(&window->region);
}

static void change(struct walker *w)
{
    struct place *at = &ring[random_below(&w->random, WINDOWS)];
    uint64_t what = random_below(&w->random, 100);
    mutex_lock(&at->lock);
    if (what < 80)
        seal(w, at);
    else if (what < 90)
        delete (w, at);
    else if (what < 95)
        move(w, at);
    else if (what < 99)
        trim(at);
    else
        expire(w, at);
    mutex_unlock(&at->lock);
}

static void check_seen(const struct seen *seen)
{
    pattern_check(seen->p, seen->size, seen->size, seen->name);
}

static void read_one(struct walker *w)
{
    const struct place *at = &ring[random_below(&w->random, WINDOWS)];
    if (!w->pin.readers) w->pin = epoch_enter(&walk_epoch);
    const struct window *window = atomic_load_explicit(&at->window, memory_order_acquire);
    uint32_t count = window ? atomic_load_explicit(&window->count, memory_order_acquire) : 0;
    if (count == 0) return;
    const struct sealed *sealed = &window->sealed[random_below(&w->random, count)];
    struct seen seen = {.p = region_at(sealed->ref), .size = sealed->size, .name = sealed->name};
    check_seen(&seen);
    w->seen[w->seen_count++] = seen;
}

/* What was read is still there, whatever became of its window. */
void windows_leave(struct walker *w)
{
    for (; w->seen_count; w->seen_count--)
        check_seen(&w->seen[w->seen_count - 1]);
    epoch_leave(&w->pin);
}

void windows_step(struct walker *w)
{
    uint64_t what = random_below(&w->random, 100);
    if (what < 60)
        change(w);
    else if (what < 90 && w->seen_count < WALK_SEEN)
        read_one(w);
    else if (what < 95)
        windows_leave(w);
    else
        (void)epoch_collect(&walk_epoch, random_size(&w->random, 100));
}

void windows_drop_shared(struct walker *w)
{
    for (int i = 0; i < WINDOWS; i++)
        expire(w, &ring[i]);
}

static void count_window(const struct window *window, struct census *census)
{
    uint32_t count = atomic_load(&window->count);
    census_add(census, HEAP_INDEX, heap_good_size(sizeof(*window)), sizeof(*window));
    for (uint32_t i = 0; i < count; i++) {
        const struct sealed *sealed = &window->sealed[i];
        if (sealed->deleted) continue;
        census_add(census, window->region.tag, bits_align_up(sealed->size, REGION_ALIGNMENT),
                   sealed->size);
    }
}

void windows_count_shared(struct census *census)
{
    for (int i = 0; i < WINDOWS; i++) {
        const struct window *window = atomic_load(&ring[i].window);
        if (window) count_window(window, census);
    }
}
