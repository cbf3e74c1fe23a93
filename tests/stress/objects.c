/* objects - single objects of all sizes, ways and tags, and the table over which threads trade. */
#include "alloc/memstats.h"
#include "alloc/size_class.h"
#include "base/bits.h"
#include "base/lock.h"
#include "tests/stress/pattern.h"
#include "tests/stress/walk.h"

enum { TRADED = 256, TRADED_LOCKS = 16 };

/* Objects that wait for another owner; a lock per slice. */
static struct object traded[TRADED];
static struct mutex traded_locks[TRADED_LOCKS];

void objects_init(void)
{
    for (int i = 0; i < TRADED_LOCKS; i++)
        mutex_init(&traded_locks[i], LOCK_SHARD);
}

/* Mostly small, as everywhere; every size class with its edges; sometimes megabytes or nothing. */
static size_t choose_size(struct random *r)
{
    uint64_t what = random_below(r, 1000);
    if (what < 200) {
        const struct size_class *k = &size_classes[1 + random_below(r, SIZE_CLASS_COUNT - 1)];
        return k->bytes + random_below(r, 3) - 1;
    }
    if (what < 205) return 0;
    if (what < 210) return HEAP_SMALL_MAX - 1 + random_below(r, 3);
    if (what < 212) return random_size(r, 8 << 20);
    if (what < 230) return random_size(r, 512 << 10);
    if (what < 300) return random_size(r, 64 << 10);
    return random_size(r, 4096);
}

static void *allocate(struct walker *w, struct object *o)
{
    switch (random_below(&w->random, 10)) {
    case 0:
    case 1: {
        void *p = heap_calloc(1, o->size, o->tag);
        if (p) pattern_check_zero(p, o->size);
        return p;
    }
    case 2: {
        size_t alignment = (size_t)1 << random_below(&w->random, 14);
        o->size = bits_align_up(o->size, alignment);
        void *p = heap_alloc_aligned(o->size, alignment, o->tag);
        ASSERT((uintptr_t)p % alignment == 0);
        return p;
    }
    case 3: return heap_resize(NULL, 0, o->size, o->tag);
    default: return heap_alloc(o->size, o->tag);
    }
}

static void check_address(const struct object *o)
{
    ASSERT((uintptr_t)o->p % (o->size < HEAP_ALIGNMENT ? 8 : HEAP_ALIGNMENT) == 0);
    ASSERT(heap_usable_size(o->p) >= o->size);
}

static void create(struct walker *w, struct object *o)
{
    o->size = choose_size(&w->random);
    o->tag = (enum heap_tag)random_below(&w->random, HEAP_TAG_COUNT);
    uint64_t ticket = weather_ticket();
    o->p = allocate(w, o);
    if (!o->p) {
        weather_refused(w, ticket);
        return;
    }
    o->name = ++w->names * WALK_THREADS_MAX + w->index;
    check_address(o);
    pattern_write(o->p, o->size, o->name);
    w->bytes += o->size;
}

static void destroy(struct walker *w, struct object *o)
{
    pattern_check(o->p, o->size, o->size, o->name);
    w->bytes -= o->size;
    heap_free(o->p, o->size, o->tag);
    o->p = NULL;
}

static void resize(struct walker *w, struct object *o)
{
    size_t size = choose_size(&w->random);
    /* Often by little: then the class, or the pages behind, allow it in place. */
    if (random_below(&w->random, 2)) size = o->size + random_below(&w->random, 2 + o->size / 4);
    uint64_t ticket = weather_ticket();
    void *p = heap_resize(o->p, o->size, size, o->tag);
    if (!p) {
        weather_refused(w, ticket);
        pattern_check(o->p, o->size, o->size, o->name);
        return;
    }
    pattern_check(p, o->size, o->size < size ? o->size : size, o->name);
    w->moved += p != o->p;
    w->bytes += size - o->size;
    o->p = p;
    o->size = size;
    check_address(o);
    pattern_write(p, size, o->name);
}

static void trade(struct walker *w, struct object *o)
{
    size_t i = random_below(&w->random, TRADED);
    struct object mine = *o;
    mutex_lock(&traded_locks[i % TRADED_LOCKS]);
    *o = traded[i];
    traded[i] = mine;
    mutex_unlock(&traded_locks[i % TRADED_LOCKS]);
    w->bytes -= mine.size;
    w->traded++;
    if (!o->p) return;
    w->bytes += o->size;
    pattern_check(o->p, o->size, o->size, o->name);
}

void objects_step(struct walker *w)
{
    struct object *o = &w->slots[random_below(&w->random, WALK_SLOTS)];
    uint64_t what = random_below(&w->random, 100);
    if (!o->p)
        create(w, o);
    else if (what < 60 || w->bytes > WALK_BYTES_MAX)
        destroy(w, o);
    else if (what < 85)
        resize(w, o);
    else
        trade(w, o);
}

void objects_drop(struct walker *w)
{
    for (int i = 0; i < WALK_SLOTS; i++)
        if (w->slots[i].p) destroy(w, &w->slots[i]);
    for (int i = 0; i < TRADED; i++) {
        if (!traded[i].p) continue;
        w->bytes += traded[i].size;
        destroy(w, &traded[i]);
    }
    ASSERT(w->bytes == 0);
}

static void count(const struct object *o, struct census *census)
{
    if (!o->p || o->size == 0) return; /* no bytes: no object */
    census->objects[o->tag]++;
    census->bytes[o->tag] += heap_usable_size(o->p);
    census->requested[o->tag] += o->size;
}

void objects_count(const struct walker *w, struct census *census)
{
    for (int i = 0; i < WALK_SLOTS; i++)
        count(&w->slots[i], census);
}

void objects_count_traded(struct census *census)
{
    for (int i = 0; i < TRADED; i++)
        count(&traded[i], census);
}
