/* objects - single objects of all sizes, ways and tags, and the table over which threads trade. */
#include <stdlib.h>

#include "alloc/size_class.h"
#include "alloc/tiny.h"
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
    if (what < 80) {
        const struct size_class *k = &size_classes[1 + random_below(r, SIZE_CLASS_COUNT - 1)];
        return k->bytes + random_below(r, 3) - 1;
    }
    if (what < 85) return 0;
    if (what < 90) return HEAP_SMALL_MAX - 1 + random_below(r, 3);
    if (what < 92) return random_size(r, 8 << 20);
    if (what < 110) return random_size(r, 512 << 10);
    if (what < 150) return random_size(r, 64 << 10);
    return random_size(r, 4096);
}

static void *allocate(struct walker *w, struct object *o)
{
    if (o->tiny) return heap_alloc_tiny(o->size, o->tag);
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

static bool shares_block(const struct object *o)
{
    return o->tiny && o->size > 0 && o->size <= TINY_BYTES_MAX;
}

/* Who asks for the usable size may use it: from then on nobody looks behind the end. So, rarely. */
static void check_address(struct walker *w, const struct object *o)
{
    size_t alignment = o->size < HEAP_ALIGNMENT ? 8 : HEAP_ALIGNMENT;
    if (shares_block(o)) {
        ASSERT((uintptr_t)o->p % TINY_BLOCK_BYTES + o->size <= TINY_BLOCK_BYTES);
        return;
    }
    ASSERT((uintptr_t)o->p % alignment == 0);
    if (random_below(&w->random, 16) == 0)
        ASSERT(heap_usable_size(o->p) == heap_good_size(o->size));
}

static void create(struct walker *w, struct object *o)
{
    o->tiny = random_below(&w->random, 12) == 0;
    o->size = o->tiny ? random_below(&w->random, TINY_BYTES_MAX + 3) : choose_size(&w->random);
    o->tag = walk_tag(w);
    uint64_t ticket = weather_ticket();
    o->p = allocate(w, o);
    if (!o->p) {
        weather_refused(w, ticket);
        return;
    }
    o->name = walk_name(w);
    check_address(w, o);
    pattern_write(o->p, o->size, o->name);
    w->bytes += o->size;
}

static void destroy(struct walker *w, struct object *o)
{
    pattern_check(o->p, o->size, o->size, o->name);
    w->bytes -= o->size;
    if (o->tiny)
        heap_free_tiny(o->p, o->size, o->tag);
    else
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
    check_address(w, o);
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
    else if (what < 85 && !o->tiny)
        resize(w, o);
    else
        trade(w, o);
}

void objects_drop(struct walker *w)
{
    for (int i = 0; i < WALK_SLOTS; i++)
        if (w->slots[i].p) destroy(w, &w->slots[i]);
    ASSERT(w->bytes == 0);
}

void objects_drop_shared(struct walker *w)
{
    for (int i = 0; i < TRADED; i++) {
        if (!traded[i].p) continue;
        w->bytes += traded[i].size;
        destroy(w, &traded[i]);
    }
}

/* Blocks of tiny objects that are counted: address and, in its last bits, tag. */
static uintptr_t tiny_blocks[WALK_THREADS_MAX * WALK_SLOTS + TRADED];

static int compare(const void *a, const void *b)
{
    uintptr_t first = *(const uintptr_t *)a, second = *(const uintptr_t *)b;
    return (first > second) - (first < second);
}

static void count_blocks(size_t tiny_count, struct census *census)
{
    _Static_assert((int)HEAP_TAG_COUNT <= (int)TINY_BLOCK_BYTES,
                   "a tag has room below a block's address");
    qsort(tiny_blocks, tiny_count, sizeof(tiny_blocks[0]), compare);
    for (size_t i = 0; i < tiny_count; i++) {
        if (i > 0 && tiny_blocks[i] == tiny_blocks[i - 1]) continue;
        census_add(census, (enum heap_tag)(tiny_blocks[i] % TINY_BLOCK_BYTES), TINY_BLOCK_BYTES,
                   TINY_BLOCK_BYTES);
    }
}

/* Returns how many tiny ones there are by now. */
static size_t count(const struct object *objects, size_t n, struct census *census, size_t tiny)
{
    for (size_t i = 0; i < n; i++) {
        const struct object *o = &objects[i];
        if (!o->p || o->size == 0) continue; /* no bytes: no object */
        if (shares_block(o))
            tiny_blocks[tiny++] = (uintptr_t)o->p / TINY_BLOCK_BYTES * TINY_BLOCK_BYTES + o->tag;
        else
            census_add(census, o->tag, heap_good_size(o->size), o->size);
    }
    return tiny;
}

void objects_count(struct walker *walkers, unsigned walker_count, struct census *census)
{
    size_t tiny = count(traded, TRADED, census, 0);
    for (unsigned i = 0; i < walker_count; i++)
        tiny = count(walkers[i].slots, WALK_SLOTS, census, tiny);
    count_blocks(tiny, census);
}
