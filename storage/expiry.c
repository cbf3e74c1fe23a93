/* expiry - when a sweep is due, its beginning and end, and storage_maintain. */
#include "storage/expiry.h"

#include "alloc/heap.h"
#include "base/clock.h"
#include "storage/seal.h"
#include "storage/sweep.h"

enum {
    ROUND_STEPS = 32,         /* of a sweep, in one round */
    ROUND_COLLECT_MAX = 8192, /* objects freed in one round */
};

/* A reader that stays longer in a region that was dropped is not waited for. */
#define READERS_WAIT_NS (INT64_C(60) * 1000000000)

struct storage_bounds expiry_bounds(const struct storage *db)
{
    return window_bounds(&db->grid,
                         bits_sub_clamped(storage_now_ms(db), expiry_behind_ms(db->grid.chunk_ms)));
}

static void count_sweep(struct sweep_times *times, uint64_t held_before_ns)
{
    uint64_t held_ns = counter_read(&times->holds.sum_ns) - held_before_ns;
    uint64_t number = counter_read(&times->sweeps);
    gauge_set(&times->pauses_ns[number % SWEEP_PAUSES], (int64_t)held_ns);
    counter_add(&times->sweeps, 1);
}

static void end_sweep(struct storage *db)
{
    struct sweep *sweep = &db->sweep;
    db->late.ended_ms = storage_now_ms(db);
    db->late.cost_ns = sweep->cost_ns;
    db->late.chunks = 0; /* seen anew from here on */
    count_sweep(&db->sweep_times, sweep->held_ns);
    for (uint32_t slot = 0; slot < db->grid.slots; slot++)
        regions_settle(&db->regions, slot, !sweep->starved);
    db->swept_window = sweep->oldest_window;
    sealer_reset(&db->sealer);
    sweep->scattered = true;
}

/* Open chunks in this slot, of a window that has closed; its versions are added to *versions. */
static uint64_t late_chunks(const struct storage *db, uint32_t slot,
                            const struct storage_bounds *bounds, uint64_t *versions)
{
    uint64_t chunks = 0;
    for (uint32_t n = 0; n < db->shard_count; n++) {
        const struct shard_window *w = &db->shards[n].windows[slot];
        int64_t window = atomic_load_explicit(&w->window, memory_order_relaxed);
        if (window < bounds->oldest_window || window >= bounds->current_window) continue;
        uint64_t sealed = atomic_load_explicit(&w->sealed_chunks, memory_order_relaxed);
        uint64_t all = atomic_load_explicit(&w->chunks, memory_order_relaxed);
        if (all > sealed) chunks += all - sealed;
        *versions += atomic_load_explicit(&w->version, memory_order_relaxed);
    }
    return chunks;
}

/* Late runs of any shard are long: see shard_is_pressed. */
static bool is_hurried(const struct storage *db)
{
    bool hurried = atomic_load(&db->hurried);
    for (uint32_t n = 0; n < db->shard_count; n++)
        hurried |= shard_is_pressed(&db->shards[n]);
    return hurried;
}

/* Look at what came late; quiet[slot]: nothing did, in that slot's window. */
static void look_for_late(struct storage *db, const struct storage_bounds *bounds, int64_t now_ms,
                          bool quiet[STORAGE_WINDOWS_MAX])
{
    struct late *late = &db->late;
    bool any = late->chunks > 0;
    uint64_t versions = 0;
    late->chunks = 0;
    for (uint32_t slot = 0; slot < db->grid.slots; slot++) {
        uint64_t chunks = late_chunks(db, slot, bounds, &versions);
        quiet[slot] = chunks == 0;
        late->chunks += chunks + (quiet[slot] && regions_wants_moving(&db->regions, slot, true));
    }
    bool back = now_ms < late->looked_ms; /* the clock went */
    if (!any || back) late->since_ms = back ? now_ms : late->looked_ms;
    if (!any || back || versions != late->versions) late->changed_ms = now_ms;
    late->looked_ms = now_ms;
    late->versions = versions;
    late->hurried = is_hurried(db);
}

static bool start_sweep(struct storage *db)
{
    struct storage_bounds bounds = expiry_bounds(db);
    int64_t now_ms = storage_now_ms(db);
    bool quiet[STORAGE_WINDOWS_MAX] = {false};
    look_for_late(db, &bounds, now_ms, quiet);
    bounds.oldest_window = views_oldest_window(&db->views, bounds.oldest_window);
    /* Smaller: the clock went back. */
    if (bounds.oldest_window == db->swept_window &&
        !expiry_is_due(&db->late, db->grid.chunk_ms, now_ms))
        return false;
    sweep_start(db, &bounds);
    regions_drop_before(&db->regions, db->sweep.oldest_window);
    for (uint32_t slot = 0; slot < db->grid.slots; slot++)
        regions_begin_moving(&db->regions, slot, quiet[slot]);
    return true;
}

/* True when there is more to do at once. */
static bool sweep_round(struct storage *db)
{
    if (!db->sweep.running && !start_sweep(db)) return false;
    bool in_use = atomic_load(&db->regions.pending) > 0;
    if (in_use && clock_mono_ns() - db->sweep.started_ns < READERS_WAIT_NS) return false;
    int64_t start_ns = clock_mono_ns();
    for (uint32_t step = 0; step < ROUND_STEPS && db->sweep.running; step++)
        sweep_step(db);
    db->sweep.cost_ns += clock_mono_ns() - start_ns;
    if (!db->sweep.running) end_sweep(db);
    return db->sweep.running;
}

const struct sweep_times *storage_sweep_times(const struct storage *db)
{
    return &db->sweep_times;
}

void storage_hurry(struct storage *db, bool hurried)
{
    atomic_store(&db->hurried, hurried);
    match_cache_close(&db->matches, hurried);
}

bool storage_has_garbage(struct storage *db)
{
    return epoch_garbage(&db->epoch) > 0;
}

void storage_tidy(struct storage *db)
{
    (void)epoch_collect(&db->epoch, ROUND_COLLECT_MAX);
    heap_flush_large();
    (void)heap_scavenge_round(clock_mono_ns());
}

/* The last of a window's cells would be kept at hand, and the next window get them from here and
 * there, out of spans that are empty but for them. */
static void put_back(struct storage *db)
{
    if (!db->sweep.scattered || storage_has_garbage(db)) return;
    heap_flush_thread();
    db->sweep.scattered = false;
}

bool storage_maintain(struct storage *db)
{
    storage_clock_round(db);
    bool sweeping = sweep_round(db);
    bool freeing = epoch_collect(&db->epoch, ROUND_COLLECT_MAX);
    if (!sweeping && !freeing) put_back(db);
    return sweeping || freeing;
}
