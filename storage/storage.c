/* storage - opening, closing, and numbers about it. */
#include "storage/storage.h"

#include <inttypes.h>

#include "base/assert.h"
#include "base/bits.h"
#include "base/clock.h"
#include "base/thread.h"
#include "storage/state.h"

enum {
    WINDOWS_MAX = 64,
    SLOTS_MAX = SEEN_WINDOWS,
    SHARDS_MIN = 16,
    SHARDS_MAX = 4096,
    SHARDS_PER_CORE = 4
};

_Static_assert((int)STORAGE_WINDOWS_MAX == 2 * (int)SLOTS_MAX, "those of two turns of the ring");

struct storage_options storage_options_default(void)
{
    return (struct storage_options){
        .chunk_ms = INT64_C(4) * 3600 * 1000,
        .windows = 8,
        .future_ms = INT64_C(10) * 60 * 1000,
        .patience_ms = INT64_C(60) * 1000,
    };
}

static uint32_t default_shards(void)
{
    uint32_t wanted = thread_cores() * SHARDS_PER_CORE;
    uint32_t shards = SHARDS_MIN;
    while (shards < wanted && shards < SHARDS_MAX)
        shards *= 2;
    return shards;
}

enum status storage_options_check(const struct storage_options *o, struct error *err)
{
    if (o->chunk_ms <= 0) return error_set(err, ERR_INVALID, "chunk_ms must be positive");
    if (o->windows < 1 || o->windows > WINDOWS_MAX)
        return error_set(err, ERR_INVALID, "windows must be between 1 and %d", WINDOWS_MAX);
    if (o->future_ms < 0) return error_set(err, ERR_INVALID, "future_ms must not be negative");
    int64_t ahead = window_ahead(o->chunk_ms, o->future_ms);
    if (ahead > SLOTS_MAX - (int64_t)o->windows)
        return error_set(err, ERR_INVALID,
                         "%u windows that are kept and %" PRId64 " for samples up to %" PRId64
                         " s ahead of the clock are too many: at "
                         "most %d together",
                         o->windows, ahead, o->future_ms / 1000, SLOTS_MAX);
    if (o->shards != 0 && (!bits_is_power_of_two(o->shards) || o->shards > SHARDS_MAX))
        return error_set(err, ERR_INVALID, "shards must be a power of two, at most %d", SHARDS_MAX);
    return OK;
}

/* A clock that is off by less than samples may be is no matter; seconds never are. */
static struct present *open_present(const struct storage_options *o)
{
    static const int64_t bound_min_ms = INT64_C(60) * 1000;
    struct present_options options = {.future_ms = o->future_ms, .patience_ms = o->patience_ms};
    options.bound_ms = o->future_ms > bound_min_ms ? o->future_ms : bound_min_ms;
    if (__builtin_mul_overflow(o->chunk_ms, o->windows, &options.limit_ms) ||
        options.limit_ms > INT64_MAX / NS_PER_MS)
        options.limit_ms = INT64_MAX / NS_PER_MS;
    struct present *p = heap_alloc(sizeof(*p), HEAP_PROCESS);
    if (p) present_init(p, &options);
    return p;
}

static void close_present(struct storage *db)
{
    present_release(db->present);
    heap_free(db->present, sizeof(*db->present), HEAP_PROCESS);
}

static void destroy_chunk(void *self, struct epoch_node *node)
{
    (void)self;
    chunk_destroy((struct chunk *)((char *)node - offsetof(struct chunk, retired)));
}

static void destroy_series(void *self, struct epoch_node *node)
{
    struct storage *db = self;
    struct series *s = (struct series *)node; /* the node is the first field */
    shard_destroy_retired(storage_shard_of(db, s->id), s);
}

static void destroy_segment(void *self, struct epoch_node *node)
{
    (void)self;
    directory_segment_destroy((struct directory_segment *)node); /* the node is the first field */
}

static void destroy_region(void *self, struct epoch_node *node)
{
    (void)self;
    regions_destroy_retired(node);
}

static epoch_destroy *const destroy_functions[EPOCH_KIND_COUNT] = {
    [EPOCH_REGION] = destroy_region,
    [EPOCH_CHUNK] = destroy_chunk,
    [EPOCH_SERIES] = destroy_series,
    [EPOCH_SYMBOL] = symbols_destroy_retired,
    [EPOCH_SYMBOL_SLOTS] = symbol_table_destroy_retired,
    [EPOCH_SEGMENT] = destroy_segment,
    [EPOCH_MATCHES] = match_cache_destroy_retired,
};

static enum status open_shards(struct storage *db, struct error *err)
{
    db->shards =
        heap_alloc_aligned(db->shard_count * sizeof(*db->shards), CACHE_LINE_BYTES, HEAP_PROCESS);
    if (!db->shards) return error_set(err, ERR_NO_MEMORY, "no memory for the shards");
    for (uint32_t i = 0; i < db->shard_count; i++) {
        if (shard_init(&db->shards[i], &db->common, i)) continue;
        while (i-- > 0)
            shard_release(&db->shards[i]);
        heap_free(db->shards, db->shard_count * sizeof(*db->shards), HEAP_PROCESS);
        return error_set(err, ERR_NO_MEMORY, "no memory for the shards");
    }
    return OK;
}

enum status storage_open(const struct storage_options *options, struct storage **out,
                         struct error *err)
{
    enum status st = storage_options_check(options, err);
    if (st) return st;
    struct storage *db = heap_alloc_aligned(sizeof(*db), CACHE_LINE_BYTES, HEAP_PROCESS);
    if (!db) return error_set(err, ERR_NO_MEMORY, "no memory for the storage");
    *db = (struct storage){.options = *options};
    db->shard_count = options->shards ? options->shards : default_shards();
    db->grid = (struct window_grid){
        .chunk_ms = options->chunk_ms,
        .future_ms = options->future_ms,
        .windows = options->windows,
        .slots = options->windows + (uint32_t)window_ahead(options->chunk_ms, options->future_ms),
    };
    db->present = open_present(options);
    if (!db->present) {
        heap_free(db, sizeof(*db), HEAP_PROCESS);
        return error_set(err, ERR_NO_MEMORY, "no memory for the storage");
    }
    epoch_init(&db->epoch, destroy_functions, db);
    symbols_init(&db->symbols, &db->epoch);
    match_cache_init(&db->matches, &db->epoch);
    views_init(&db->views);
    db->common = (struct shard_common){
        .epoch = &db->epoch,
        .symbols = &db->symbols,
        .regions = &db->regions,
        .grid = &db->grid,
        .shard_bits = (uint32_t)__builtin_ctz(db->shard_count),
    };
    atomic_store(&db->held_from_ms, INT64_MAX);
    if (!regions_init(&db->regions, &db->grid, &db->epoch))
        st = error_set(err, ERR_NO_MEMORY, "no memory for the windows");
    else if ((st = open_shards(db, err)) != OK)
        regions_release(&db->regions);
    if (st) {
        views_release(&db->views);
        symbols_release(&db->symbols);
        epoch_release(&db->epoch);
        close_present(db);
        heap_free(db, sizeof(*db), HEAP_PROCESS);
        return st;
    }
    db->swept_window = storage_bounds(db).oldest_window;
    db->late = (struct late){.ended_ms = INT64_MIN, .looked_ms = storage_now_ms(db)};
    sealer_init(&db->sealer);
    *out = db;
    return OK;
}

void storage_close(struct storage *db)
{
    if (!db) return;
    epoch_release(&db->epoch); /* first: retired series give their ids back to the shards */
    for (uint32_t i = 0; i < db->shard_count; i++)
        shard_release(&db->shards[i]);
    heap_free(db->shards, db->shard_count * sizeof(*db->shards), HEAP_PROCESS);
    regions_release(&db->regions);
    match_cache_release(&db->matches);
    views_release(&db->views);
    symbols_release(&db->symbols);
    sealer_release(&db->sealer);
    close_present(db);
    heap_free(db, sizeof(*db), HEAP_PROCESS);
}

void storage_set_journal(struct storage *db, struct journal journal)
{
    db->options.journal = journal;
}

void storage_limit_series(struct storage *db, uint64_t max_series)
{
    db->max_series = max_series;
}

int64_t storage_window_of(const struct storage *db, int64_t t_ms)
{
    return window_of(&db->grid, t_ms);
}

int64_t storage_window_start_ms(const struct storage *db, int64_t window)
{
    return window_start_ms(&db->grid, window);
}

const char *sample_refusal_name(enum sample_refusal reason)
{
    static const char *const names[REFUSED_REASON_COUNT] = {
        [REFUSED_TOO_OLD] = "too_old",       [REFUSED_TOO_NEW] = "too_new",
        [REFUSED_CONFLICT] = "conflict",     [REFUSED_MAX_SERIES] = "max_series",
        [REFUSED_NEW_SERIES] = "new_series", [REFUSED_NO_MEMORY] = "no_memory",
    };
    ASSERT(reason >= 0 && reason < REFUSED_REASON_COUNT);
    return names[reason];
}

static void add_counters(const struct shard_counters *c, struct storage_stats *out)
{
    out->series += (uint64_t)gauge_read(&c->series);
    out->series_created += counter_read(&c->series_created);
    out->series_forgotten += counter_read(&c->series_forgotten);
    out->chunks += (uint64_t)gauge_read(&c->chunks);
    out->chunks_created += counter_read(&c->chunks_created);
    out->chunks_expired += counter_read(&c->chunks_expired);
    out->chunk_bytes += (uint64_t)gauge_read(&c->chunk_bytes);
    out->samples += (uint64_t)gauge_read(&c->samples);
    out->samples_waiting += (uint64_t)gauge_read(&c->samples_waiting);
    out->samples_appended += counter_read(&c->samples_appended);
    out->samples_late += counter_read(&c->samples_late);
    out->samples_duplicate += counter_read(&c->samples_duplicate);
    for (size_t reason = 0; reason < REFUSED_REASON_COUNT; reason++)
        out->refused[reason] += counter_read(&c->refused[reason]);
}

/* Windows that are not retained any more do not count, dropped or not. */
static void add_extent(const struct shard *sh, int64_t oldest_window, struct storage_stats *out)
{
    for (uint32_t slot = 0; slot < sh->common->grid->slots; slot++) {
        const struct shard_window *w = &sh->windows[slot];
        if (atomic_load_explicit(&w->window, memory_order_acquire) < oldest_window) continue;
        if (atomic_load_explicit(&w->chunks, memory_order_relaxed) == 0) continue;
        int64_t t_min_ms = atomic_load_explicit(&w->t_min_ms, memory_order_relaxed);
        int64_t t_max_ms = atomic_load_explicit(&w->t_max_ms, memory_order_relaxed);
        if (t_min_ms < out->min_time_ms) out->min_time_ms = t_min_ms;
        if (t_max_ms > out->max_time_ms) out->max_time_ms = t_max_ms;
    }
}

void storage_stats_read(const struct storage *db, struct storage_stats *out)
{
    int64_t oldest_window = storage_bounds(db).oldest_window;
    *out = (struct storage_stats){.min_time_ms = INT64_MAX, .max_time_ms = INT64_MIN};
    for (uint32_t i = 0; i < db->shard_count; i++) {
        add_counters(&db->shards[i].counters, out);
        add_extent(&db->shards[i], oldest_window, out);
    }
    out->symbols = (uint64_t)gauge_read(&db->symbols.symbol_count);
    out->symbol_bytes = (uint64_t)gauge_read(&db->symbols.text_bytes);
    out->label_pairs = (uint64_t)gauge_read(&db->symbols.pair_count);
    out->match_hits = counter_read(&db->matches.hits);
    out->match_misses = counter_read(&db->matches.misses);
    out->views = atomic_load_explicit(&db->views.open, memory_order_relaxed);
    out->view_note_bytes = (uint64_t)gauge_read(&db->views.note_bytes);
    out->views_lost = counter_read(&db->views.lost);
    out->match_bytes = atomic_load_explicit(&db->matches.bytes, memory_order_relaxed);
}

size_t storage_window_bytes(struct storage *db, struct window_bytes out[STORAGE_WINDOWS_MAX])
{
    struct storage_bounds bounds = storage_bounds(db);
    int64_t newest_window = window_of(&db->grid, bounds.newest_ms);
    size_t count = 0;
    for (int64_t window = bounds.oldest_window; window <= newest_window; window++) {
        uint32_t slot = window_slot(&db->grid, window);
        struct window_bytes *row = &out[count];
        struct region_bytes region;
        int64_t open = 0;
        int64_t chunks = 0; /* may fall below 0 for a moment, as open may */
        regions_bytes(&db->regions, slot, &region);
        if (region.window != window) continue; /* nobody has entered it yet */
        for (uint32_t i = 0; i < db->shard_count; i++) {
            const struct shard_window *w = &db->shards[i].windows[slot];
            if (atomic_load_explicit(&w->window, memory_order_acquire) != window) continue;
            open += atomic_load_explicit(&w->open_bytes, memory_order_relaxed);
            chunks += (int64_t)(atomic_load_explicit(&w->chunks, memory_order_relaxed) -
                                atomic_load_explicit(&w->sealed_chunks, memory_order_relaxed));
        }
        *row = (struct window_bytes){.start_ms = window_start_ms(&db->grid, window),
                                     .blocks = region.block_count,
                                     .objects = region.objects,
                                     .chunks = chunks > 0 ? (uint64_t)chunks : 0,
                                     .open = open > 0 ? (uint64_t)open : 0,
                                     .sealed = region.live,
                                     .tail = region.blocks - region.live - region.deleted,
                                     .deleted = region.deleted};
        count++;
    }
    return count;
}

void storage_check(struct storage *db)
{
    for (uint32_t i = 0; i < db->shard_count; i++) {
        rwlock_write_lock(&db->shards[i].lock);
        shard_check(&db->shards[i]);
        rwlock_write_unlock(&db->shards[i].lock);
    }
    regions_check(&db->regions);
    symbols_check(&db->symbols);
}
