/* shard - finding, creating and forgetting series; putting chunks in and taking them out, and
 * counting what there is. */
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

static void chunks_add(_Atomic uint64_t *chunks, uint64_t n)
{
    uint64_t before = atomic_load_explicit(chunks, memory_order_relaxed);
    atomic_store_explicit(chunks, before + n, memory_order_relaxed);
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
    directory_init(&sh->directory, UINT32_MAX >> common->shard_bits, common->grid->slots);
    return true;
}

void shard_release(struct shard *sh)
{
    for (uint32_t local = 0; local < directory_high(&sh->directory); local++) {
        struct series *s = directory_get(&sh->directory, local);
        if (!s) continue;
        for (uint32_t slot = 0; slot < s->slots; slot++) {
            uint64_t word = series_word(s, slot);
            if (!ring_word_is_sealed(word)) chunk_destroy(ring_word_chunk(word));
        }
        series_destroy(s);
    }
    id_set_release(&sh->all);
    postings_release(&sh->postings);
    series_map_release(&sh->map);
    directory_release(&sh->directory);
    heap_free(sh->windows, sh->common->grid->slots * sizeof(*sh->windows), HEAP_PROCESS);
    rwlock_release(&sh->lock);
}

struct series *shard_find(const struct shard *sh, const struct resolved *set)
{
    uint32_t hash = (uint32_t)set->hash;
    uint32_t cursor = SERIES_MAP_NONE;
    uint32_t local;
    while ((local = series_map_next(&sh->map, hash, &cursor)) != SERIES_MAP_NONE) {
        struct series *s = directory_get(&sh->directory, local);
        if (series_has_labels(s, set)) return s;
    }
    return NULL;
}

bool shard_add_series(struct shard *sh, struct series *s)
{
    struct shard_common *common = sh->common;
    if (!directory_reserve(&sh->directory) || !series_map_reserve(&sh->map)) return false;
    uint32_t local = directory_peek(&sh->directory);
    if (!id_set_add(&sh->all, local)) return false;
    if (!postings_add(&sh->postings, series_symbols(s), s->label_count, local)) {
        id_set_remove(&sh->all, local);
        return false;
    }
    /* Born after its symbols: a query that has seen this number finds them listed. */
    s->birth = atomic_fetch_add(&common->births, 1) + 1;
    sh->newest_birth = s->birth;
    s->id = local << common->shard_bits | sh->number;
    series_map_insert(&sh->map, s->hash, local);
    directory_add(&sh->directory, s);
    gauge_bump(&sh->counters.series, 1);
    counter_add(&sh->counters.series_created, 1);
    return true;
}

struct series *shard_create_series(struct shard *sh, const struct resolved *set)
{
    struct series *s = series_create(set, sh->common->grid->slots);
    if (!s || shard_add_series(sh, s)) return s;
    series_destroy(s);
    return NULL;
}

void shard_move_tables(struct shard *sh)
{
    series_map_move(&sh->map);
    postings_move(&sh->postings);
}

void shard_forget_series(struct shard *sh, struct series *s)
{
    uint32_t local = shard_local(sh, s->id);
    DEBUG_ASSERT(series_is_empty(s));
    series_map_remove(&sh->map, s->hash, local);
    postings_remove(&sh->postings, series_symbols(s), s->label_count, local);
    id_set_remove(&sh->all, local);
    directory_clear(&sh->directory, local);
    symbols_drop(sh->common->symbols, series_symbols(s), s->label_count);
    s->forgotten = true;
    gauge_bump(&sh->counters.series, -1);
    counter_add(&sh->counters.series_forgotten, 1);
    epoch_retire(sh->common->epoch, EPOCH_SERIES, &s->retired);
}

void shard_destroy_retired(struct shard *sh, struct series *s)
{
    rwlock_write_lock(&sh->lock);
    struct directory_segment *empty = directory_recycle(&sh->directory, shard_local(sh, s->id));
    rwlock_write_unlock(&sh->lock);
    if (empty) epoch_retire(sh->common->epoch, EPOCH_SEGMENT, &empty->retired);
    series_destroy(s);
}

bool shard_enter_window(struct shard *sh, int64_t window)
{
    struct shard_window *w = &sh->windows[window_slot(sh->common->grid, window)];
    int64_t present = load_i64(&w->window);
    if (LIKELY(present == window)) return true;
    if (present > window) return false;
    regions_enter(sh->common->regions, window);
    shard_catch_up(sh, window_slot(sh->common->grid, window));
    store_i64(&w->t_min_ms, INT64_MAX);
    store_i64(&w->t_max_ms, INT64_MIN);
    store_i64(&w->open_bytes, 0);
    atomic_store_explicit(&w->chunks, 0, memory_order_relaxed);
    directory_unmark_all(&sh->directory, window_slot(sh->common->grid, window));
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

/* What a chunk adds to the numbers. */
struct chunk_size {
    int64_t bytes;
    int64_t spare_bytes;
    int64_t samples;
    int64_t waiting;
};

/* Late runs of a shard may be so long, or a part of all its bytes: then it is pressed. */
enum { WAITING_BYTES_MIN = 512 << 10, WAITING_PARTS = 16 };

static struct chunk_size size_of(const struct held *h)
{
    if (h->sealed)
        return (struct chunk_size){.bytes = sealed_bytes(h->sealed),
                                   .samples = sealed_sample_count(h->sealed)};
    return (struct chunk_size){.bytes = (int64_t)(chunk_bytes(h->open) + chunk_base_bytes(h->open)),
                               .spare_bytes = (int64_t)chunk_spare_bytes(h->open),
                               .samples = chunk_sample_count(h->open),
                               .waiting = chunk_late_count(h->open)};
}

uint64_t shard_series_bytes(const struct shard *sh, const struct series *s)
{
    uint64_t bytes = series_bytes(s);
    for (uint32_t slot = 0; slot < s->slots; slot++) {
        struct held held = shard_hold(sh, s, slot);
        if (held_any(&held)) bytes += (uint64_t)size_of(&held).bytes;
    }
    return bytes;
}

static void add_open_bytes(struct shard_window *w, int64_t bytes)
{
    store_i64(&w->open_bytes, load_i64(&w->open_bytes) + bytes);
}

/* times is 1 or -1. */
static void count_size(struct shard *sh, struct chunk_size size, int64_t times)
{
    struct shard_counters *counters = &sh->counters;
    gauge_bump(&counters->chunk_bytes, times * size.bytes);
    gauge_bump(&counters->chunk_spare_bytes, times * size.spare_bytes);
    gauge_bump(&counters->samples, times * size.samples);
    if (size.waiting) gauge_bump(&counters->samples_waiting, times * size.waiting);
}

static void count_held(struct shard *sh, uint32_t slot, const struct held *h, int64_t times)
{
    struct shard_window *w = &sh->windows[slot];
    struct chunk_size size = size_of(h);
    count_size(sh, size, times);
    gauge_bump(&sh->counters.chunks, times);
    if (load_i64(&w->window) == h->window) {
        chunks_add(&w->chunks, (uint64_t)times);
        if (h->open) add_open_bytes(w, times * (int64_t)chunk_bytes(h->open));
    }
    if (!h->sealed) return;
    chunks_add(&w->sealed_chunks, (uint64_t)times);
    w->sealed_bytes += (uint64_t)(times * size.bytes);
    w->sealed_samples += (uint64_t)(times * size.samples);
}

void shard_catch_up(struct shard *sh, uint32_t slot)
{
    struct shard_window *w = &sh->windows[slot];
    uint32_t drops =
        atomic_load_explicit(&sh->common->regions->slots[slot].drops, memory_order_acquire);
    if (LIKELY(drops == w->drops)) return;
    uint64_t chunks = atomic_load_explicit(&w->sealed_chunks, memory_order_relaxed);
    w->drops = drops;
    count_size(sh,
               (struct chunk_size){.bytes = (int64_t)w->sealed_bytes,
                                   .samples = (int64_t)w->sealed_samples},
               -1);
    gauge_bump(&sh->counters.chunks, -(int64_t)chunks);
    counter_add(&sh->counters.chunks_expired, chunks);
    chunks_add(&w->chunks, -chunks);
    atomic_store_explicit(&w->sealed_chunks, 0, memory_order_relaxed);
    w->sealed_bytes = 0;
    w->sealed_samples = 0;
}

/* An open chunk counts here also when its base has gone: it has to be retired all the same. */
static struct held held_of(const struct shard *sh, uint32_t slot, uint64_t word)
{
    struct chunk *c = ring_word_chunk(word);
    if (word == 0 || ring_word_is_sealed(word))
        return regions_hold(sh->common->regions, slot, word);
    return (struct held){.word = word, .open = c, .window = c->window};
}

static struct held present(const struct shard *sh, const struct series *s, uint32_t slot)
{
    return held_of(sh, slot, series_word(s, slot));
}

/* Before the word is there: who finds the bit clear finds no word either. */
static void mark_held(struct shard *sh, const struct series *s, uint32_t slot,
                      const struct held *new)
{
    uint32_t local = shard_local(sh, s->id);
    if (!held_any(new))
        directory_unmark(&sh->directory, local, slot);
    else if (new->window == shard_window_in(sh, slot))
        directory_mark(&sh->directory, local, slot);
}

struct shard_slots shard_slots(const struct shard *sh, int64_t first_window, int64_t last_window)
{
    const struct window_grid *grid = sh->common->grid;
    struct shard_slots slots = {0};
    for (int64_t n = 0; n < (int64_t)grid->slots && n <= last_window - first_window; n++) {
        uint32_t slot = window_slot(grid, last_window - n);
        if (atomic_load_explicit(&sh->windows[slot].window, memory_order_acquire) ==
            last_window - n)
            slots.items[slots.count++] = (uint8_t)slot;
    }
    return slots;
}

uint64_t shard_may_hold_word(const struct shard *sh, uint32_t n, const struct shard_slots *slots)
{
    uint64_t word = 0;
    for (uint32_t i = 0; i < slots->count; i++)
        word |= directory_held_word(&sh->directory, n, slots->items[i]);
    return word;
}

void shard_put(struct shard *sh, struct series *s, uint32_t slot, uint64_t word)
{
    shard_catch_up(sh, slot); /* before looking: what goes later is counted off the next time */
    struct held old = present(sh, s, slot);
    struct held new = held_of(sh, slot, word);
    if (!held_any(&new)) word = 0; /* its region has gone since it came there */
    bool same_window = held_any(&old) && held_any(&new) && old.window == new.window;
    if (held_any(&new)) count_held(sh, slot, &new, 1);
    if (held_any(&old)) count_held(sh, slot, &old, -1);
    if (held_any(&new) && !same_window) {
        counter_add(&sh->counters.chunks_created, 1);
        symbols_mark_seen(sh->common->symbols, series_symbols(s), s->label_count, new.window);
    }
    if (held_any(&old) && !same_window) counter_add(&sh->counters.chunks_expired, 1);
    mark_held(sh, s, slot, &new);
    series_set_word(s, slot, word);
    uint64_t dead = held_sealed_word(&old);
    bool stays = new.open ? chunk_base(new.open) == dead : false; /* it stands on it now */
    if (dead && !stays) regions_delete(sh->common->regions, slot, dead);
    if (old.open) {
        chunk_discard(old.open);
        epoch_retire(sh->common->epoch, EPOCH_CHUNK, &old.open->retired);
    }
}

void shard_saw_first(struct shard *sh, const struct series *s, int64_t window, uint32_t newest)
{
    for (uint32_t slot = 0; slot < s->slots; slot++) {
        struct held held = present(sh, s, slot);
        if (held_any(&held) && held.window > window) return;
    }
    directory_set_newest(shard_place(sh, s), newest);
}

/* Start a chunk with this sample: the first of its window, or over a sealed one. */
static enum chunk_outcome start_chunk(struct shard *sh, struct series *s, uint32_t slot,
                                      int64_t window, uint64_t base, const struct sample *sample)
{
    struct chunk *c = chunk_create_over(window, base);
    if (!c) return CHUNK_NO_MEMORY;
    enum chunk_outcome outcome = chunk_add(c, sample->t_ms, sample->v);
    if (outcome == CHUNK_APPENDED || outcome == CHUNK_LATE)
        shard_put(sh, s, slot, ring_word(c));
    else
        chunk_destroy(c);
    if (outcome == CHUNK_APPENDED) shard_saw_first(sh, s, window, newest_of(sample));
    return outcome;
}

static enum chunk_outcome add_to_open(struct shard *sh, uint32_t slot, struct chunk *c,
                                      const struct sample *sample, bool absent)
{
    struct held held = {.open = c};
    int64_t bytes = (int64_t)chunk_bytes(c);
    count_size(sh, size_of(&held), -1);
    enum chunk_outcome outcome = chunk_add_known(c, sample, absent);
    count_size(sh, size_of(&held), 1);
    bytes = (int64_t)chunk_bytes(c) - bytes;
    if (bytes) add_open_bytes(&sh->windows[slot], bytes);
    return outcome;
}

bool shard_is_pressed(const struct shard *sh)
{
    int64_t waiting_bytes =
        gauge_read(&sh->counters.samples_waiting) * (int64_t)sizeof(struct sample);
    return waiting_bytes > WAITING_BYTES_MIN &&
           waiting_bytes > gauge_read(&sh->counters.chunk_bytes) / WAITING_PARTS;
}

static bool wants_merge(const struct shard *sh, const struct held *held)
{
    return held->open && chunk_wants_rewrite(held->open, shard_is_pressed(sh));
}

bool shard_wants_merge(const struct shard *sh, const struct series *s, uint32_t slot)
{
    struct held held = shard_hold(sh, s, slot);
    return wants_merge(sh, &held);
}

void shard_merge_late(struct shard *sh, struct series *s, uint32_t slot, struct arena *scratch)
{
    struct held held = shard_hold(sh, s, slot);
    if (!wants_merge(sh, &held)) return;
    struct chunk *merged = chunk_rewrite(held.open, scratch);
    if (!merged) return;
    rwlock_write_lock(&sh->lock);
    if (!s->forgotten && series_word(s, slot) == held.word &&
        chunk_sample_count(held.open) == chunk_sample_count(merged)) {
        shard_put(sh, s, slot, ring_word(merged));
        merged = NULL;
    }
    rwlock_write_unlock(&sh->lock);
    chunk_destroy(merged);
}

int shard_add_sample(struct shard *sh, struct series *s, const struct sample *sample, bool absent)
{
    int64_t window = window_of(sh->common->grid, sample->t_ms);
    uint32_t slot = window_slot(sh->common->grid, window);
    enum chunk_outcome outcome;
    if (!shard_enter_window(sh, window)) return SHARD_EXPIRED;
    struct held held = shard_hold(sh, s, slot);
    if (!held_any(&held) || held.window != window)
        outcome = start_chunk(sh, s, slot, window, 0, sample);
    else if (held.sealed)
        outcome = start_chunk(sh, s, slot, window, held.word, sample);
    else
        outcome = add_to_open(sh, slot, held.open, sample, absent);
    if (outcome == CHUNK_APPENDED || outcome == CHUNK_LATE) {
        directory_see(shard_place(sh, s), newest_of(sample));
        shard_touch_window(sh, slot, sample->t_ms, sample->t_ms);
    }
    return outcome;
}

void shard_count_growth(struct shard *sh, uint32_t slot, const struct shard_growth *growth)
{
    const struct chunk_growth *chunks = &growth->chunks;
    count_size(sh,
               (struct chunk_size){.bytes = chunks->bytes,
                                   .spare_bytes = chunks->bytes - chunks->used_bytes,
                                   .samples = growth->samples,
                                   .waiting = growth->waiting},
               1);
    add_open_bytes(&sh->windows[slot], chunks->bytes);
    shard_touch_window(sh, slot, growth->t_min_ms, growth->t_max_ms);
}

struct chunk_sums {
    int64_t chunks;
    struct chunk_size size;
};

/* Where it can be told without decoding, and what came last has not gone with its region: that may
 * be too far away for a comparison. */
static void check_newest(const struct shard *sh, const struct series *s)
{
    uint32_t word = atomic_load_explicit(&shard_place(sh, s)->newest, memory_order_relaxed);
    struct held newest = {0};
    struct sample last;
    if (!newest_serves(sh->common->grid)) return;
    for (uint32_t slot = 0; slot < s->slots; slot++) {
        struct held held = present(sh, s, slot);
        if (!held_any(&held) && series_word(s, slot)) return;
        if (held_any(&held) && (!held_any(&newest) || held.window > newest.window)) newest = held;
    }
    if (newest.open && chunk_last(newest.open, &last))
        ASSERT(word == newest_word(last.t_ms, true) || !newest_is_later(newest_of(&last), word));
}

static void check_series(const struct shard *sh, const struct series *s, struct chunk_sums *sums)
{
    uint32_t local = shard_local(sh, s->id);
    ASSERT((s->id & ((1u << sh->common->shard_bits) - 1)) == sh->number);
    ASSERT(id_set_contains(&sh->all, local));
    ASSERT(!series_is_empty(s));
    for (size_t i = 0; i < s->label_count; i++) {
        const struct id_set *p = postings_find(&sh->postings, series_symbols(s)[i]);
        ASSERT(p && id_set_contains(p, local));
    }
    for (uint32_t slot = 0; slot < s->slots; slot++) {
        struct held held = present(sh, s, slot);
        if (!held_any(&held)) continue;
        struct chunk_size size = size_of(&held);
        ASSERT(window_slot(sh->common->grid, held.window) == slot);
        ASSERT(held.window <= shard_window_in(sh, slot));
        for (size_t i = 0; i < s->label_count; i++) {
            const struct seen *seen = &series_symbols(s)[i]->seen;
            ASSERT(seen_within(seen, held.window, held.window) || seen_forgot(seen, held.window));
        }
        ASSERT(size.samples > 0);
        ASSERT(directory_held_word(&sh->directory, local / 64, slot) >> local % 64 & 1 ||
               held.window < shard_window_in(sh, slot));
        if (held.open) chunk_check(held.open);
        sums->chunks++;
        sums->size.bytes += size.bytes;
        sums->size.spare_bytes += size.spare_bytes;
        sums->size.samples += size.samples;
        sums->size.waiting += size.waiting;
    }
    check_newest(sh, s);
}

void shard_check(struct shard *sh)
{
    uint64_t series = 0;
    for (uint32_t slot = 0; slot < sh->common->grid->slots; slot++)
        shard_catch_up(sh, slot);
    struct chunk_sums sums = {0};
    series_map_check(&sh->map);
    postings_check(&sh->postings);
    id_set_check(&sh->all);
    for (uint32_t local = 0; local < directory_high(&sh->directory); local++) {
        const struct series *s = directory_get(&sh->directory, local);
        if (!s) continue;
        series++;
        ASSERT(shard_local(sh, s->id) == local);
        check_series(sh, s, &sums);
    }
    ASSERT(series == sh->map.count && series == id_set_count(&sh->all));
    ASSERT(series == (uint64_t)gauge_read(&sh->counters.series));
    ASSERT(sums.chunks == gauge_read(&sh->counters.chunks));
    ASSERT(sums.size.bytes == gauge_read(&sh->counters.chunk_bytes));
    ASSERT(sums.size.samples == gauge_read(&sh->counters.samples));
    ASSERT(sums.size.waiting == gauge_read(&sh->counters.samples_waiting));
    ASSERT(sums.size.spare_bytes == gauge_read(&sh->counters.chunk_spare_bytes));
}
