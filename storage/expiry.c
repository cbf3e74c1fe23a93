/* expiry - the sweep, and storage_maintain. */
#include "storage/expiry.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/thread.h"
#include "storage/seal.h"
#include "storage/state.h"

enum {
    SLICE_SERIES = 256,       /* visited in one hold of a lock, unless */
    SLICE_NS = 100000,        /* sealing and moving their chunks takes so long */
    FETCH_SERIES_AHEAD = 8,   /* so many places of the directory ahead, */
    FETCH_CHUNKS_AHEAD = 4,   /* and the chunk of the window that closed */
    ROUND_SLICES = 32,        /* in one round */
    ROUND_COLLECT_MAX = 8192, /* objects freed in one round */
};

/* A reader that stays longer in a region that was dropped is not waited for. */
#define READERS_WAIT_NS (INT64_C(60) * 1000000000)

struct storage_bounds expiry_bounds(const struct storage *db)
{
    return window_bounds(&db->grid, clock_wall_ms() - expiry_behind_ms(db->grid.chunk_ms));
}

/* One hold of a lock. */
struct slice {
    struct storage *db;
    struct shard *shard;
    uint32_t closed_slot; /* of the window that closed last */
};

static enum expiry_action decide(const struct slice *slice, uint32_t slot, const struct chunk *c)
{
    const struct sweep *sweep = &slice->db->sweep;
    /* Of an open window, too, if the clock went back: what it stands on is about to go. */
    bool leaving = c->base && regions_is_leaving(&slice->db->regions, slot, c->base);
    enum expiry_action action =
        expiry_decide(c->window, sweep->oldest_window, sweep->current_window);
    return action == EXPIRY_KEEP && leaving ? EXPIRY_SEAL : action;
}

static void sweep_open(struct slice *slice, struct series *s, uint32_t slot, const struct chunk *c)
{
    switch (decide(slice, slot, c)) {
    case EXPIRY_KEEP: break;
    case EXPIRY_DROP: shard_put(slice->shard, s, slot, 0); break;
    case EXPIRY_SEAL:
        if (!seal_chunk(slice->shard, s, slot, &slice->db->sealer)) slice->db->sweep.starved = true;
        break;
    }
}

static void sweep_sealed(struct slice *slice, struct series *s, uint32_t slot, uint64_t word)
{
    struct held held = shard_hold(slice->shard, s, slot);
    if (!held.sealed) {
        shard_put(slice->shard, s, slot, 0);
    } else if (regions_is_leaving(&slice->db->regions, slot, word)) {
        if (!seal_move(slice->shard, s, slot)) slice->db->sweep.starved = true;
    }
}

static void sweep_series(struct slice *slice, struct series *s)
{
    for (uint32_t slot = 0; slot < s->slots; slot++) {
        uint64_t word = series_word(s, slot);
        if (word == 0) continue;
        if (ring_word_is_sealed(word))
            sweep_sealed(slice, s, slot, word);
        else
            sweep_open(slice, s, slot, ring_word_chunk(word));
    }
    if (!series_is_empty(s)) return;
    shard_forget_series(slice->shard, s);
    atomic_fetch_sub_explicit(&slice->db->series_live, 1, memory_order_relaxed);
}

static void end_sweep(struct storage *db)
{
    struct sweep *sweep = &db->sweep;
    sweep->running = false;
    sweep->ended_ms = clock_wall_ms();
    counter_add(&db->sweep_times.sweeps, 1);
    for (uint32_t slot = 0; slot < db->grid.slots; slot++)
        regions_settle(&db->regions, slot, !sweep->starved);
    db->swept_window = sweep->oldest_window;
    sealer_reset(&db->sealer);
}

/* What the series at this place and the one some places before it will be asked for. */
static void fetch_ahead(const struct slice *slice, uint32_t local, uint32_t high)
{
    const struct directory *d = &slice->shard->directory;
    uint32_t ahead = local + FETCH_SERIES_AHEAD;
    const struct series *s = ahead < high ? directory_get(d, ahead) : NULL;
    if (s) {
        __builtin_prefetch(s);
        __builtin_prefetch(&s->ring[slice->closed_slot]);
    }
    ahead = local + FETCH_CHUNKS_AHEAD;
    s = ahead < high ? directory_get(d, ahead) : NULL;
    if (!s) return;
    uint64_t word = series_word(s, slice->closed_slot);
    if (word == 0 || ring_word_is_sealed(word)) return;
    const struct chunk *c = ring_word_chunk(word);
    __builtin_prefetch(c);
    __builtin_prefetch(&c->state);
}

/* One hold of one shard's lock. Moves the sweep on; ends it behind the last shard. */
static void sweep_slice(struct storage *db)
{
    struct sweep *sweep = &db->sweep;
    struct shard *sh = &db->shards[sweep->shard];
    int64_t closed_window = sweep->current_window - 1;
    struct slice slice = {
        .db = db, .shard = sh, .closed_slot = window_slot(&db->grid, closed_window)};
    regions_prepare(&db->regions, closed_window);
    thread_yield(); /* on a busy machine, rather here than under the lock */
    rwlock_write_lock(&sh->lock);
    int64_t start_ns = clock_mono_ns();
    for (uint32_t slot = 0; slot < db->grid.slots; slot++)
        shard_catch_up(sh, slot);
    uint32_t high = directory_high(&sh->directory);
    uint32_t end = sweep->local + SLICE_SERIES < high ? sweep->local + SLICE_SERIES : high;
    while (sweep->local < end && clock_mono_ns() - start_ns < SLICE_NS) {
        fetch_ahead(&slice, sweep->local, high);
        struct series *s = directory_get(&sh->directory, sweep->local++);
        if (s) sweep_series(&slice, s);
    }
    bool shard_done = sweep->local >= high; /* it may have become lower */
    histogram_observe_ns(&db->sweep_times.holds, clock_mono_ns() - start_ns);
    rwlock_write_unlock(&sh->lock);
    if (!shard_done) return;
    sweep->local = 0;
    if (++sweep->shard == db->shard_count) end_sweep(db);
}

/* Open chunks of windows before this one. */
static uint64_t late_chunks(const struct storage *db, const struct storage_bounds *bounds)
{
    uint64_t chunks = 0;
    for (uint32_t n = 0; n < db->shard_count; n++) {
        for (uint32_t slot = 0; slot < db->grid.slots; slot++) {
            const struct shard_window *w = &db->shards[n].windows[slot];
            int64_t window = atomic_load_explicit(&w->window, memory_order_relaxed);
            if (window < bounds->oldest_window || window >= bounds->current_window) continue;
            uint64_t sealed = atomic_load_explicit(&w->sealed_chunks, memory_order_relaxed);
            uint64_t all = atomic_load_explicit(&w->chunks, memory_order_relaxed);
            if (all > sealed) chunks += all - sealed;
        }
    }
    return chunks;
}

static bool start_sweep(struct storage *db)
{
    struct storage_bounds bounds = expiry_bounds(db);
    if (!expiry_is_due(db->swept_window, bounds.oldest_window, late_chunks(db, &bounds),
                       db->sweep.ended_ms, clock_wall_ms(),
                       expiry_wait_ms(db->grid.chunk_ms, atomic_load(&db->hurried))))
        return false;
    db->sweep = (struct sweep){.running = true,
                               .oldest_window = bounds.oldest_window,
                               .current_window = bounds.current_window,
                               .started_ns = clock_mono_ns()};
    regions_drop_before(&db->regions, db->sweep.oldest_window);
    for (uint32_t slot = 0; slot < db->grid.slots; slot++)
        regions_begin_moving(&db->regions, slot);
    return true;
}

bool expiry_round(struct storage *db)
{
    if (!db->sweep.running && !start_sweep(db)) return false;
    bool in_use = atomic_load(&db->regions.pending) > 0;
    if (in_use && clock_mono_ns() - db->sweep.started_ns < READERS_WAIT_NS) return false;
    for (uint32_t slice = 0; slice < ROUND_SLICES && db->sweep.running; slice++)
        sweep_slice(db);
    return db->sweep.running;
}

const struct sweep_times *storage_sweep_times(const struct storage *db)
{
    return &db->sweep_times;
}

void storage_hurry(struct storage *db, bool hurried)
{
    atomic_store(&db->hurried, hurried);
}

bool storage_has_garbage(struct storage *db)
{
    return epoch_garbage(&db->epoch) > 0;
}

bool storage_maintain(struct storage *db)
{
    bool sweeping = expiry_round(db);
    bool freeing = epoch_collect(&db->epoch, ROUND_COLLECT_MAX);
    return sweeping || freeing;
}
