/* expiry - the sweep, and storage_maintain. */
#include "storage/expiry.h"

#include "base/assert.h"
#include "storage/state.h"

enum {
    SLICE_SERIES = 256,       /* visited in one hold of a lock */
    ROUND_SLICES = 32,        /* in one round */
    ROUND_COLLECT_MAX = 8192, /* objects freed in one round */
};

static bool has_late(const struct chunk *c)
{
    return atomic_load_explicit(&c->late_published, memory_order_relaxed) > 0;
}

static bool merge_late(struct storage *db, struct shard *sh, struct series *s, uint32_t slot)
{
    struct chunk *fresh = chunk_rewrite(series_chunk(s, slot), &db->maintain_scratch);
    if (!fresh) return false; /* no memory: the late run stays, and works */
    shard_replace_chunk(sh, s, slot, fresh, false);
    return true;
}

/* Returns true when a chunk was merged: that is enough for one hold of the lock. */
static bool sweep_series(struct storage *db, struct shard *sh, struct series *s,
                         int64_t current_window)
{
    bool merged = false;
    for (uint32_t slot = 0; slot < s->slots; slot++) {
        const struct chunk *c = series_chunk(s, slot);
        if (!c) continue;
        switch (expiry_decide(c->window, has_late(c), db->sweep.oldest_window, current_window)) {
        case EXPIRY_KEEP: break;
        case EXPIRY_DROP: shard_replace_chunk(sh, s, slot, NULL, true); break;
        case EXPIRY_MERGE: merged |= merge_late(db, sh, s, slot); break;
        }
    }
    if (series_is_empty(s)) {
        shard_forget_series(sh, s);
        atomic_fetch_sub_explicit(&db->series_live, 1, memory_order_relaxed);
    }
    return merged;
}

/* One hold of one shard's lock. Moves the sweep on; ends it behind the last shard. */
static void sweep_slice(struct storage *db, int64_t current_window)
{
    struct sweep *sweep = &db->sweep;
    struct shard *sh = &db->shards[sweep->shard];
    bool merged = false;
    rwlock_write_lock(&sh->lock);
    uint32_t high = directory_high(&sh->directory);
    uint32_t end = high - sweep->local > SLICE_SERIES ? sweep->local + SLICE_SERIES : high;
    while (sweep->local < end && !merged) {
        struct series *s = directory_get(&sh->directory, sweep->local++);
        if (s) merged = sweep_series(db, sh, s, current_window);
    }
    bool shard_done = sweep->local == high;
    rwlock_write_unlock(&sh->lock);
    if (!shard_done) return;
    sweep->local = 0;
    if (++sweep->shard < db->shard_count) return;
    sweep->running = false;
    atomic_store(&db->swept_window, sweep->oldest_window);
}

bool expiry_round(struct storage *db)
{
    struct storage_bounds bounds = storage_bounds(db);
    if (!db->sweep.running) {
        if (!expiry_is_due(atomic_load(&db->swept_window), bounds.oldest_window)) return false;
        db->sweep = (struct sweep){.running = true, .oldest_window = bounds.oldest_window};
    }
    for (uint32_t slice = 0; slice < ROUND_SLICES && db->sweep.running; slice++)
        sweep_slice(db, bounds.current_window);
    if (!db->sweep.running) arena_reset(&db->maintain_scratch);
    return db->sweep.running;
}

bool storage_maintain(struct storage *db)
{
    bool sweeping = expiry_round(db);
    bool freeing = epoch_collect(&db->epoch, ROUND_COLLECT_MAX);
    return sweeping || freeing;
}
