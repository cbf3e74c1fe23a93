/* regions - slots, words, and the end of a region. */
#include "storage/regions.h"

#include "base/assert.h"
#include "base/compiler.h"

enum {
    NUMBER_BITS = 27,
    NUMBER_SHIFT = 1,
    REF_SHIFT = NUMBER_SHIFT + NUMBER_BITS,
    DEAD_PARTS = 4, /* a region with a quarter of it dead is worth moving, */
    DEAD_BYTES_MIN = 256 << 10,
    DEAD_PARTS_QUIET = 32,                 /* and with so much, when nothing more is expected */
    DEAD_BYTES_MIN_QUIET = HEAP_PAGE_BYTES /* less may not give a page back */
};

_Static_assert(REF_SHIFT + REGION_REF_BITS == 64, "a word is full");

static uint32_t number_of(uint64_t word)
{
    return (uint32_t)(word >> NUMBER_SHIFT) & ((1u << NUMBER_BITS) - 1);
}

const struct sealed *regions_at(uint64_t word)
{
    return region_at(word >> REF_SHIFT);
}

bool regions_init(struct regions *r, const struct window_grid *grid, struct epoch *epoch)
{
    *r = (struct regions){.grid = grid, .epoch = epoch};
    r->slots = heap_calloc(grid->slots, sizeof(*r->slots), HEAP_PROCESS);
    if (!r->slots) return false;
    for (uint32_t slot = 0; slot < grid->slots; slot++)
        atomic_init(&r->slots[slot].window, INT64_MIN);
    mutex_init(&r->lock, LOCK_REGIONS);
    return true;
}

static void destroy(struct window_region *w)
{
    if (!w) return;
    window_region_release(w);
    heap_free(w, sizeof(*w), HEAP_CHUNKS);
}

void regions_release(struct regions *r)
{
    for (uint32_t slot = 0; slot < r->grid->slots; slot++) {
        destroy(r->slots[slot].home);
        destroy(r->slots[slot].old);
    }
    heap_free(r->slots, r->grid->slots * sizeof(*r->slots), HEAP_PROCESS);
    mutex_release(&r->lock);
}

void regions_destroy_retired(struct epoch_node *node)
{
    struct window_region *w = (struct window_region *)node; /* the node is the first field */
    struct regions *r = w->owner;
    destroy(w);
    atomic_fetch_sub(&r->pending, 1);
}

static void retire(struct regions *r, struct window_region *w)
{
    if (!w) return;
    atomic_fetch_add(&r->pending, 1);
    epoch_retire(r->epoch, EPOCH_REGION, &w->retired);
}

static struct window_region *create(struct regions *r)
{
    struct window_region *w = heap_alloc(sizeof(*w), HEAP_CHUNKS);
    if (!w) return NULL;
    w->owner = r;
    r->last_number = r->last_number % ((1u << NUMBER_BITS) - 1) + 1;
    w->number = r->last_number;
    window_region_init(w);
    return w;
}

/* First out of everybody's sight, then counted: who counts off what went with the drop must not
 * find any of it afterwards and count it off again. Then retired. */
static void drop(struct regions *r, struct region_slot *s)
{
    struct window_region *home = s->home;
    struct window_region *old = s->old;
    s->home = NULL;
    s->old = NULL;
    atomic_store(&s->number, 0);
    atomic_store(&s->leaving, 0);
    if (home) atomic_fetch_add(&s->drops, 1);
    retire(r, home);
    retire(r, old);
}

static struct region_slot *slot_for(struct regions *r, int64_t window)
{
    return &r->slots[window_slot(r->grid, window)];
}

void regions_enter(struct regions *r, int64_t window)
{
    struct region_slot *s = slot_for(r, window);
    mutex_lock(&r->lock);
    if (atomic_load(&s->window) < window) {
        drop(r, s);
        atomic_store(&s->window, window);
    }
    mutex_unlock(&r->lock);
}

void regions_drop_before(struct regions *r, int64_t oldest_window)
{
    mutex_lock(&r->lock);
    for (uint32_t slot = 0; slot < r->grid->slots; slot++)
        if (atomic_load(&r->slots[slot].window) < oldest_window) drop(r, &r->slots[slot]);
    mutex_unlock(&r->lock);
}

static uint64_t put_locked(struct regions *r, struct region_slot *slot,
                           struct window_region_hash hash, const struct sealed_parts *parts)
{
    if (!slot->home) {
        slot->home = create(r);
        if (!slot->home) return 0;
        atomic_store(&slot->number, slot->home->number);
    }
    const struct sealed *s = window_region_put(slot->home, hash, parts);
    if (!s) return 0;
    return region_ref(s) << REF_SHIFT | (uint64_t)slot->home->number << NUMBER_SHIFT | 1;
}

void regions_put_all(struct regions *r, int64_t window, struct region_put *puts, size_t count)
{
    struct region_slot *s = slot_for(r, window);
    for (size_t i = 0; i < count; i++) {
        puts[i].hash = window_region_hash(puts[i].parts);
        puts[i].word = 0;
    }
    mutex_lock(&r->lock);
    for (size_t i = 0; i < count && atomic_load(&s->window) == window; i++)
        puts[i].word = put_locked(r, s, puts[i].hash, puts[i].parts);
    mutex_unlock(&r->lock);
}

uint64_t regions_put(struct regions *r, int64_t window, const struct sealed_parts *parts)
{
    struct region_put put = {.parts = parts};
    regions_put_all(r, window, &put, 1);
    return put.word;
}

void regions_prepare(struct regions *r, int64_t window)
{
    const struct region_slot *s = slot_for(r, window);
    mutex_lock(&r->lock);
    const struct window_region *w = atomic_load(&s->window) == window ? s->home : NULL;
    uint32_t number = w ? w->number : 0;
    uint64_t bytes = w ? region_wants_block(&w->region) : 0;
    mutex_unlock(&r->lock);
    if (!bytes) return;

    struct span *block = region_take_block(bytes);
    struct region none; /* wants no block: gives it back */
    region_init(&none, HEAP_CHUNKS);
    mutex_lock(&r->lock);
    bool same = s->home && s->home->number == number;
    region_put_block(same ? &s->home->region : &none, block);
    mutex_unlock(&r->lock);
}

void regions_delete(struct regions *r, uint32_t slot, uint64_t word)
{
    struct region_slot *s = &r->slots[slot];
    struct window_region *w = NULL;
    mutex_lock(&r->lock);
    if (s->home && s->home->number == number_of(word)) w = s->home;
    if (s->old && s->old->number == number_of(word)) w = s->old;
    if (w) window_region_delete(w, region_at(word >> REF_SHIFT));
    mutex_unlock(&r->lock);
}

/* The slot may move on to another window while we look. Numbers of one window are never valid in
 * another, and windows only go up: a number that was valid between two looks at the same window is
 * that window's. */
static bool is_valid(const struct region_slot *s, uint64_t word, int64_t *window)
{
    uint32_t number = number_of(word);
    *window = atomic_load(&s->window);
    if (number != atomic_load(&s->number) && number != atomic_load(&s->leaving)) return false;
    return atomic_load(&s->window) == *window;
}

struct held regions_hold(const struct regions *r, uint32_t slot, uint64_t word)
{
    const struct region_slot *s = &r->slots[slot];
    struct held held = {.word = word};
    if (ring_word_is_sealed(word)) {
        if (!is_valid(s, word, &held.window)) return (struct held){0};
        held.sealed = regions_at(word);
        return held;
    }
    struct chunk *c = ring_word_chunk(word);
    int64_t window;
    if (!c) return held;
    if (!chunk_is_plain(c) && chunk_base(c) && !is_valid(s, chunk_base(c), &window))
        return (struct held){0};
    held.open = c;
    held.window = c->window;
    return held;
}

uint32_t held_sample_count(const struct held *h)
{
    return h->open ? chunk_sample_count(h->open) : sealed_sample_count(h->sealed);
}

enum status held_read(const struct held *h, int64_t t_min_ms, int64_t t_max_ms,
                      struct columns *columns, struct error *err)
{
    if (h->open) return chunk_read(h->open, t_min_ms, t_max_ms, columns, err);
    if (!columns_reserve(columns, sealed_sample_count(h->sealed)))
        return arena_error(columns->arena, err);
    return sealed_read(h->sealed, t_min_ms, t_max_ms, columns, err);
}

enum status held_export(const struct held *h, const struct chunk_end *end, struct arena *a,
                        struct chunk_image *image, struct error *err)
{
    if (h->open) return chunk_export(h->open, end, a, image, err);
    image->window = h->window;
    return sealed_export(h->sealed, image, err);
}

static bool wants_moving(const struct region_slot *s, bool quiet)
{
    if (!s->home || s->old) return false;
    uint64_t dead = s->home->region.deleted_bytes;
    uint64_t all = s->home->region.block_bytes;
    if (quiet) return dead >= DEAD_BYTES_MIN_QUIET && dead >= all / DEAD_PARTS_QUIET;
    return dead >= DEAD_BYTES_MIN && dead >= all / DEAD_PARTS;
}

bool regions_wants_moving(struct regions *r, uint32_t slot, bool quiet)
{
    mutex_lock(&r->lock);
    bool wants = wants_moving(&r->slots[slot], quiet);
    mutex_unlock(&r->lock);
    return wants;
}

void regions_begin_moving(struct regions *r, uint32_t slot, bool quiet)
{
    struct region_slot *s = &r->slots[slot];
    mutex_lock(&r->lock);
    struct window_region *fresh = wants_moving(s, quiet) ? create(r) : NULL;
    if (fresh) {
        s->old = s->home;
        s->home = fresh;
        /* In this order: the old number is always one of the two. */
        atomic_store(&s->leaving, s->old->number);
        atomic_store(&s->number, fresh->number);
    }
    mutex_unlock(&r->lock);
}

bool regions_is_leaving(const struct regions *r, uint32_t slot, uint64_t word)
{
    return number_of(word) == atomic_load(&r->slots[slot].leaving);
}

void regions_settle(struct regions *r, uint32_t slot, bool moved)
{
    struct region_slot *s = &r->slots[slot];
    mutex_lock(&r->lock);
    if (s->home) window_region_settle(s->home);
    struct window_region *old = moved ? s->old : NULL;
    if (old) {
        s->old = NULL;
        atomic_store(&s->leaving, 0);
        retire(r, old);
    }
    mutex_unlock(&r->lock);
}

static void add_bytes(const struct window_region *w, struct region_bytes *out)
{
    if (!w) return;
    for (unsigned c = 0; c < ARRAY_COUNT(w->region.objects); c++)
        out->objects += w->region.objects[c];
    out->live += w->region.live_bytes;
    out->deleted += w->region.deleted_bytes;
    out->blocks += w->region.block_bytes;
    out->block_count += w->region.block_count;
}

void regions_bytes(struct regions *r, uint32_t slot, struct region_bytes *out)
{
    const struct region_slot *s = &r->slots[slot];
    mutex_lock(&r->lock);
    *out = (struct region_bytes){.window = atomic_load(&s->window)};
    add_bytes(s->home, out);
    add_bytes(s->old, out);
    mutex_unlock(&r->lock);
}

void regions_check(struct regions *r)
{
    mutex_lock(&r->lock);
    for (uint32_t slot = 0; slot < r->grid->slots; slot++) {
        const struct region_slot *s = &r->slots[slot];
        ASSERT(atomic_load(&s->number) == (s->home ? s->home->number : 0));
        ASSERT(atomic_load(&s->leaving) == (s->old ? s->old->number : 0));
        ASSERT(s->home || !s->old);
        if (s->home) region_check(&s->home->region);
        if (s->old) region_check(&s->old->region);
    }
    mutex_unlock(&r->lock);
}
