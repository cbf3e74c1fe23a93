/* shard - finding, creating and forgetting series; putting chunks in and taking them out. */
#include "storage/shard.h"

#include "base/assert.h"

static void store_i64(_Atomic int64_t *at, int64_t v)
{
    atomic_store_explicit(at, v, memory_order_relaxed);
}

static int64_t load_i64(const _Atomic int64_t *at)
{
    return atomic_load_explicit(at, memory_order_relaxed);
}

/* Under the write lock there is one writer: a load and a store do for an increment. */
static void gauge_bump(struct gauge *g, int64_t n)
{
    gauge_set(g, gauge_read(g) + n);
}

static void chunks_add(struct shard_window *w, uint64_t n)
{
    uint64_t chunks = atomic_load_explicit(&w->chunks, memory_order_relaxed);
    atomic_store_explicit(&w->chunks, chunks + n, memory_order_relaxed);
}

static void version_step(struct shard_window *w)
{
    uint64_t version = atomic_load_explicit(&w->version, memory_order_relaxed);
    atomic_store_explicit(&w->version, version + 1, memory_order_release);
}

bool shard_init(struct shard *sh, struct shard_common *common, uint32_t number)
{
    *sh = (struct shard){.common = common, .number = number};
    sh->windows = heap_calloc(common->grid->slots, sizeof(*sh->windows), HEAP_PROCESS);
    if (!sh->windows) return false;
    for (uint32_t slot = 0; slot < common->grid->slots; slot++) {
        atomic_init(&sh->windows[slot].window, INT64_MIN);
        atomic_init(&sh->windows[slot].t_min_ms, INT64_MAX);
        atomic_init(&sh->windows[slot].t_max_ms, INT64_MIN);
    }
    rwlock_init(&sh->lock, LOCK_SHARD);
    directory_init(&sh->directory, UINT32_MAX >> common->shard_bits);
    return true;
}

void shard_release(struct shard *sh)
{
    for (uint32_t local = 0; local < directory_high(&sh->directory); local++) {
        struct series *s = directory_get(&sh->directory, local);
        if (!s) continue;
        for (uint32_t slot = 0; slot < s->slots; slot++)
            chunk_destroy(series_chunk(s, slot));
        series_destroy(s);
    }
    posting_release(&sh->all);
    postings_release(&sh->postings);
    series_map_release(&sh->map);
    directory_release(&sh->directory);
    heap_free(sh->windows, sh->common->grid->slots * sizeof(*sh->windows), HEAP_PROCESS);
    rwlock_release(&sh->lock);
}

struct series *shard_find(const struct shard *sh, uint64_t hash, struct labels labels)
{
    uint32_t cursor = SERIES_MAP_NONE;
    uint32_t local;
    while ((local = series_map_next(&sh->map, (uint32_t)hash, &cursor)) != SERIES_MAP_NONE) {
        struct series *s = directory_get(&sh->directory, local);
        if (series_has_labels(s, labels)) return s;
    }
    return NULL;
}

struct series *shard_create_series(struct shard *sh, uint64_t hash, struct labels labels)
{
    struct shard_common *common = sh->common;
    if (!directory_reserve(&sh->directory) || !series_map_reserve(&sh->map)) return NULL;
    struct series *s = series_create(common->symbols, labels, (uint32_t)hash, common->grid->slots);
    if (!s) return NULL;
    uint32_t local = directory_peek(&sh->directory);
    if (!posting_add(&sh->all, local)) goto drop_symbols;
    if (!postings_add(&sh->postings, series_symbols(s), s->label_count, local)) goto drop_all;

    /* Born after its symbols: a query that has seen this number finds them listed. */
    s->birth = atomic_fetch_add(&common->births, 1) + 1;
    s->id = local << common->shard_bits | sh->number;
    series_map_insert(&sh->map, s->hash, local);
    directory_add(&sh->directory, s);
    gauge_bump(&sh->counters.series, 1);
    counter_add(&sh->counters.series_created, 1);
    return s;

drop_all:
    posting_remove(&sh->all, local);
drop_symbols:
    symbols_drop(common->symbols, series_symbols(s), s->label_count);
    series_destroy(s);
    return NULL;
}

void shard_forget_series(struct shard *sh, struct series *s)
{
    uint32_t local = s->id >> sh->common->shard_bits;
    DEBUG_ASSERT(series_is_empty(s));
    series_map_remove(&sh->map, s->hash, local);
    postings_remove(&sh->postings, series_symbols(s), s->label_count, local);
    posting_remove(&sh->all, local);
    directory_clear(&sh->directory, local);
    symbols_drop(sh->common->symbols, series_symbols(s), s->label_count);
    gauge_bump(&sh->counters.series, -1);
    counter_add(&sh->counters.series_forgotten, 1);
    epoch_retire(sh->common->epoch, EPOCH_SERIES, &s->retired);
}

void shard_destroy_retired(struct shard *sh, struct series *s)
{
    rwlock_write_lock(&sh->lock);
    directory_recycle(&sh->directory, s->id >> sh->common->shard_bits);
    rwlock_write_unlock(&sh->lock);
    series_destroy(s);
}

bool shard_enter_window(struct shard *sh, int64_t window)
{
    struct shard_window *w = &sh->windows[window_slot(sh->common->grid, window)];
    int64_t present = load_i64(&w->window);
    if (LIKELY(present == window)) return true;
    if (present > window) return false;
    store_i64(&w->t_min_ms, INT64_MAX);
    store_i64(&w->t_max_ms, INT64_MIN);
    atomic_store_explicit(&w->chunks, 0, memory_order_relaxed);
    atomic_store_explicit(&w->window, window, memory_order_release);
    version_step(w);
    return true;
}

void shard_touch_window(struct shard *sh, uint32_t slot, int64_t t_min_ms, int64_t t_max_ms)
{
    struct shard_window *w = &sh->windows[slot];
    if (t_min_ms < load_i64(&w->t_min_ms)) store_i64(&w->t_min_ms, t_min_ms);
    if (t_max_ms > load_i64(&w->t_max_ms)) store_i64(&w->t_max_ms, t_max_ms);
    version_step(w);
}

void shard_replace_chunk(struct shard *sh, struct series *s, uint32_t slot, struct chunk *c,
                         bool expired)
{
    struct shard_window *w = &sh->windows[slot];
    struct shard_counters *counters = &sh->counters;
    struct chunk *old = series_chunk(s, slot);
    series_set_chunk(s, slot, c);
    if (c) {
        DEBUG_ASSERT(load_i64(&w->window) == c->window);
        chunks_add(w, 1);
        gauge_bump(&counters->chunks, 1);
        gauge_bump(&counters->chunk_bytes, (int64_t)chunk_bytes(c));
        gauge_bump(&counters->chunk_spare_bytes, (int64_t)chunk_spare_bytes(c));
        gauge_bump(&counters->samples, chunk_sample_count(c));
        if (!old || expired) counter_add(&counters->chunks_created, 1);
    }
    if (!old) return;
    if (load_i64(&w->window) == old->window) chunks_add(w, (uint64_t)-1);
    gauge_bump(&counters->chunks, -1);
    gauge_bump(&counters->chunk_bytes, -(int64_t)chunk_bytes(old));
    gauge_bump(&counters->chunk_spare_bytes, -(int64_t)chunk_spare_bytes(old));
    gauge_bump(&counters->samples, -(int64_t)chunk_sample_count(old));
    if (expired) counter_add(&counters->chunks_expired, 1);
    epoch_retire(sh->common->epoch, EPOCH_CHUNK, &old->retired);
}

/* The first sample of a window. The slot's old chunk, if any, is of an expired one. */
static enum chunk_outcome add_chunk(struct shard *sh, struct series *s, uint32_t slot,
                                    int64_t window, const struct sample *sample)
{
    struct chunk *c = chunk_create(window);
    if (!c) return CHUNK_NO_MEMORY;
    enum chunk_outcome outcome = chunk_add(c, sample->t_ms, sample->v);
    if (outcome != CHUNK_APPENDED) {
        chunk_destroy(c);
        return outcome;
    }
    shard_replace_chunk(sh, s, slot, c, series_chunk(s, slot) != NULL);
    return outcome;
}

int shard_add_sample(struct shard *sh, struct series *s, const struct sample *sample,
                     struct arena *scratch)
{
    int64_t window = window_of(sh->common->grid, sample->t_ms);
    uint32_t slot = window_slot(sh->common->grid, window);
    if (!shard_enter_window(sh, window)) return SHARD_EXPIRED;
    struct chunk *c = series_chunk(s, slot);
    enum chunk_outcome outcome;
    if (!c || c->window != window) {
        outcome = add_chunk(sh, s, slot, window, sample);
    } else {
        uint64_t bytes = chunk_bytes(c);
        uint64_t spare = chunk_spare_bytes(c);
        outcome = chunk_add(c, sample->t_ms, sample->v);
        gauge_bump(&sh->counters.chunk_bytes, (int64_t)(chunk_bytes(c) - bytes));
        gauge_bump(&sh->counters.chunk_spare_bytes, (int64_t)(chunk_spare_bytes(c) - spare));
        if (outcome == CHUNK_APPENDED || outcome == CHUNK_LATE)
            gauge_bump(&sh->counters.samples, 1);
        if (outcome == CHUNK_LATE && chunk_wants_rewrite(c)) {
            struct chunk *fresh = chunk_rewrite(c, scratch);
            if (fresh) shard_replace_chunk(sh, s, slot, fresh, false);
        }
    }
    if (outcome == CHUNK_APPENDED || outcome == CHUNK_LATE)
        shard_touch_window(sh, slot, sample->t_ms, sample->t_ms);
    return outcome;
}

struct chunk_sums {
    uint64_t chunks;
    uint64_t samples;
    uint64_t spare_bytes;
};

static void check_series(const struct shard *sh, const struct series *s, struct chunk_sums *sums)
{
    uint32_t local = s->id >> sh->common->shard_bits;
    ASSERT((s->id & ((1u << sh->common->shard_bits) - 1)) == sh->number);
    ASSERT(posting_contains(&sh->all, local));
    ASSERT(!series_is_empty(s));
    for (size_t i = 0; i < s->label_count; i++) {
        const struct posting *p = postings_find(&sh->postings, series_symbols(s)[i]);
        ASSERT(p && posting_contains(p, local));
    }
    for (uint32_t slot = 0; slot < s->slots; slot++) {
        const struct chunk *c = series_chunk(s, slot);
        if (!c) continue;
        ASSERT(window_slot(sh->common->grid, c->window) == slot);
        ASSERT(c->window <= load_i64(&sh->windows[slot].window));
        ASSERT(chunk_sample_count(c) > 0);
        chunk_check(c);
        sums->chunks++;
        sums->samples += chunk_sample_count(c);
        sums->spare_bytes += chunk_spare_bytes(c);
    }
}

void shard_check(const struct shard *sh)
{
    uint64_t series = 0;
    struct chunk_sums sums = {0};
    series_map_check(&sh->map);
    postings_check(&sh->postings);
    for (uint32_t local = 0; local < directory_high(&sh->directory); local++) {
        const struct series *s = directory_get(&sh->directory, local);
        if (!s) continue;
        series++;
        ASSERT(s->id >> sh->common->shard_bits == local);
        check_series(sh, s, &sums);
    }
    ASSERT(series == sh->map.count && series == posting_count(&sh->all));
    ASSERT(series == (uint64_t)gauge_read(&sh->counters.series));
    ASSERT(sums.chunks == (uint64_t)gauge_read(&sh->counters.chunks));
    ASSERT(sums.samples == (uint64_t)gauge_read(&sh->counters.samples));
    ASSERT(sums.spare_bytes == (uint64_t)gauge_read(&sh->counters.chunk_spare_bytes));
}
