/* view - the gate, the list of open views, and the tables of their notes. */
#include "storage/view.h"

#include "base/assert.h"
#include "storage/state.h"

/* ---- Tables ---- */

enum { NOTES_MIN = 16 };

/* A slot of a series' ring, by the series' number in its shard. Numbers are given in order, so what
 * a request has lies together in a table, too. No number is given anew while a view is open that
 * may have it: the series it was of is seen in the epoch. */
static uint64_t slot_key(const struct shard_common *common, const struct series *s, uint32_t slot)
{
    return ((uint64_t)slot << 32 | s->id >> common->shard_bits) + 1;
}

static uint32_t key_place(uint64_t key)
{
    return (uint32_t)key + (uint32_t)(key >> 32) * 0x9E3779B9u;
}

/* A place of a table. The key is stored last, with release. */
struct noted {
    _Atomic uint64_t key; /* 0: an empty place */
    struct view_note note;
};
_Static_assert(sizeof(struct noted) == 32, "two to a cache line");

/* Open addressing; never more than three quarters full. Who reads may still be at a former table,
 * so these go with the view. */
struct view_notes {
    struct view_notes *former;
    uint32_t capacity; /* a power of two */
    uint32_t count;    /* the writer's */
    struct noted items[];
};

static size_t notes_bytes(uint32_t capacity)
{
    return sizeof(struct view_notes) + (size_t)capacity * sizeof(struct noted);
}

/* The place of a key, or the empty one where it would be: *there is false then. */
static struct noted *notes_find(struct view_notes *n, uint64_t key, bool *there)
{
    uint32_t mask = n->capacity - 1;
    for (uint32_t at = key_place(key) & mask;; at = (at + 1) & mask) {
        uint64_t found = atomic_load_explicit(&n->items[at].key, memory_order_acquire);
        *there = found == key;
        if (*there || found == 0) return &n->items[at];
    }
}

static void notes_put(struct view_notes *n, uint64_t key, const struct view_note *note)
{
    bool there;
    struct noted *place = notes_find(n, key, &there);
    place->note = *note;
    atomic_store_explicit(&place->key, key, memory_order_release);
    n->count++;
}

/* A table for so many more; NULL at the limit, or when memory is short. */
static struct view_notes *notes_grow(struct views *v, struct view_notes *former, uint32_t more)
{
    uint64_t needed = (former ? former->count : 0) + (uint64_t)more;
    uint32_t capacity = former ? former->capacity * 2 : NOTES_MIN;
    while (capacity < UINT32_MAX / 2 && (uint64_t)capacity / 4 * 3 < needed)
        capacity *= 2;
    if (heap_pressure() >= HEAP_HARD) return NULL;
    struct view_notes *n = heap_calloc(1, notes_bytes(capacity), HEAP_QUERY);
    if (!n) return NULL;
    n->former = former;
    n->capacity = capacity;
    for (uint32_t i = 0; former && i < former->capacity; i++) {
        const struct noted *place = &former->items[i];
        uint64_t key = atomic_load_explicit(&place->key, memory_order_relaxed);
        if (key) notes_put(n, key, &place->note);
    }
    gauge_add(&v->note_bytes, (int64_t)notes_bytes(capacity));
    return n;
}

static void notes_free(struct views *v, struct view_notes *n)
{
    while (n) {
        struct view_notes *former = n->former;
        gauge_add(&v->note_bytes, -(int64_t)notes_bytes(n->capacity));
        heap_free(n, notes_bytes(n->capacity), HEAP_QUERY);
        n = former;
    }
}

/* ---- Queries ---- */

void views_init(struct views *v)
{
    *v = (struct views){0};
    rwlock_init(&v->gate, LOCK_GATE);
    mutex_init(&v->lock, LOCK_VIEWS);
}

void views_release(struct views *v)
{
    ASSERT(!v->newest);
    mutex_release(&v->lock);
    rwlock_release(&v->gate);
}

static void lose(struct views *vs, struct view *v)
{
    if (!atomic_exchange_explicit(&v->lost, true, memory_order_relaxed)) counter_add(&vs->lost, 1);
}

/* Nothing was stored since the newest view was opened: it is the one that would be opened now. */
static struct view *share(struct views *vs)
{
    mutex_lock(&vs->lock);
    struct view *v = vs->newest;
    if (v && (v->stored || atomic_load_explicit(&v->lost, memory_order_relaxed))) v = NULL;
    if (v) v->queries++;
    mutex_unlock(&vs->lock);
    return v;
}

static void open_view(struct storage *db, struct view *v)
{
    struct views *vs = &db->views;
    rwlock_write_lock(&vs->gate);
    mutex_lock(&vs->lock);
    v->births = atomic_load(&db->common.births);
    v->oldest_window = storage_bounds(db).oldest_window;
    v->older = vs->newest;
    if (v->older) v->older->newer = v;
    vs->newest = v;
    atomic_fetch_add_explicit(&vs->open, 1, memory_order_relaxed); /* the gate publishes it */
    mutex_unlock(&vs->lock);
    rwlock_write_unlock(&vs->gate);
}

enum status views_open(struct storage *db, struct view **out, struct error *err)
{
    struct view *v =
        atomic_load_explicit(&db->views.open, memory_order_relaxed) > 0 ? share(&db->views) : NULL;
    if (!v) {
        v = heap_calloc(1, sizeof(*v), HEAP_QUERY);
        if (!v) return error_set(err, ERR_NO_MEMORY, "memory limit reached, try again later");
        v->queries = 1;
        open_view(db, v);
    }
    *out = v;
    return OK;
}

/* Nobody reads it, and nobody tells it anything. */
static void destroy(struct storage *db, struct view *v)
{
    struct view_shard *shards = atomic_load_explicit(&v->shards, memory_order_relaxed);
    for (uint32_t n = 0; shards && n < db->shard_count; n++)
        notes_free(&db->views, atomic_load_explicit(&shards[n].notes, memory_order_relaxed));
    heap_free(shards, db->shard_count * sizeof(*shards), HEAP_QUERY);
    heap_free(v, sizeof(*v), HEAP_QUERY);
}

void view_close(struct storage *db, struct view *v)
{
    struct views *vs = &db->views;
    mutex_lock(&vs->lock);
    bool last = --v->queries == 0;
    if (last) {
        if (v->older) v->older->newer = v->newer;
        *(v->newer ? &v->newer->older : &vs->newest) = v->older;
        atomic_fetch_sub_explicit(&vs->open, 1, memory_order_relaxed);
    }
    bool unused = last && v->commits == 0;
    mutex_unlock(&vs->lock);
    if (unused) destroy(db, v);
}

int64_t views_oldest_window(struct views *vs, int64_t oldest_window)
{
    bool waits = false;
    mutex_lock(&vs->lock);
    for (struct view *v = vs->newest; v; v = v->older) {
        if (v->oldest_window < oldest_window - 1) lose(vs, v);
        waits |= v->oldest_window == oldest_window - 1;
    }
    mutex_unlock(&vs->lock);
    return oldest_window - waits;
}

bool view_find(const struct view *v, const struct shard_common *common, const struct series *s,
               uint32_t slot, struct view_note *out)
{
    struct view_shard *shards = atomic_load_explicit(&v->shards, memory_order_acquire);
    if (!shards) return false;
    uint32_t shard = s->id & ((1u << common->shard_bits) - 1);
    struct view_notes *n = atomic_load_explicit(&shards[shard].notes, memory_order_acquire);
    if (!n) return false;
    bool there;
    const struct noted *place = notes_find(n, slot_key(common, s, slot), &there);
    if (there) *out = place->note;
    return there;
}

/* ---- Requests ---- */

static void join(struct storage *db, struct view *v)
{
    v->commits++;
    if (atomic_load_explicit(&v->shards, memory_order_relaxed)) return;
    struct view_shard *shards = heap_calloc(db->shard_count, sizeof(*shards), HEAP_QUERY);
    if (!shards) lose(&db->views, v);
    atomic_store_explicit(&v->shards, shards, memory_order_release);
}

/* All that are open, or none when the arena refuses, and then they are lost. */
static void gather_audience(struct storage *db, struct arena *a, struct view_audience *audience)
{
    struct views *vs = &db->views;
    mutex_lock(&vs->lock);
    uint32_t open = atomic_load_explicit(&vs->open, memory_order_relaxed);
    audience->views = arena_alloc_array(a, open, sizeof(struct view *));
    for (struct view *v = vs->newest; v; v = v->older) {
        v->stored = true;
        if (audience->views)
            join(db, audience->views[audience->count++] = v);
        else
            lose(vs, v);
    }
    mutex_unlock(&vs->lock);
}

void views_begin_commit(struct storage *db, struct arena *a, struct view_audience *audience)
{
    *audience = (struct view_audience){0};
    rwlock_read_lock(&db->views.gate);
    if (UNLIKELY(atomic_load_explicit(&db->views.open, memory_order_relaxed) > 0))
        gather_audience(db, a, audience);
}

void views_end_commit(struct storage *db, const struct view_audience *audience)
{
    struct views *vs = &db->views;
    rwlock_read_unlock(&vs->gate);
    if (audience->count == 0) return;
    uint32_t unused = 0;
    mutex_lock(&vs->lock);
    for (uint32_t i = 0; i < audience->count; i++) {
        struct view *v = audience->views[i];
        if (--v->commits == 0 && v->queries == 0) audience->views[unused++] = v;
    }
    mutex_unlock(&vs->lock);
    for (uint32_t i = 0; i < unused; i++)
        destroy(db, audience->views[i]);
}

/* The shard's table with room for a note; NULL: there is none, and the view is lost. */
static struct view_notes *room(struct views *vs, struct view *v, const struct shard *sh,
                               uint32_t more)
{
    struct view_shard *shard = &atomic_load_explicit(&v->shards, memory_order_relaxed)[sh->number];
    struct view_notes *n = atomic_load_explicit(&shard->notes, memory_order_relaxed);
    if (LIKELY(n && n->count < n->capacity / 4 * 3)) return n;
    n = notes_grow(vs, n, more);
    if (!n) lose(vs, v);
    if (n) atomic_store_explicit(&shard->notes, n, memory_order_release);
    return n;
}

/* What the slot holds; nothing when it does not count any more. */
static struct view_note note_of(const struct shard *sh, const struct series *s, uint32_t slot)
{
    struct held held = shard_hold(sh, s, slot);
    struct view_note note = {.word = held_any(&held) ? held.word : 0};
    if (held.open) note.extent = chunk_extent_now(held.open);
    return note;
}

void view_tell(const struct view_audience *audience, struct views *vs, const struct shard *sh,
               const struct series *s, uint32_t slot)
{
    for (uint32_t i = 0; i < audience->count; i++) {
        struct view *v = audience->views[i];
        if (atomic_load_explicit(&v->lost, memory_order_relaxed)) continue;
        struct view_note note;
        if (view_find(v, sh->common, s, slot, &note)) return;
        struct view_notes *n = room(vs, v, sh, audience->series);
        note = note_of(sh, s, slot);
        if (n) notes_put(n, slot_key(sh->common, s, slot), &note);
    }
}
