/* sweep - looking, applying, and moving on. */
#include "storage/sweep.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "storage/expiry.h"
#include "storage/seal.h"

enum {
    LOOK_SERIES = 1024,     /* looked at in one step, unless */
    CHANGES_MAX = 128,      /* so much is to be changed */
    FETCH_SERIES_AHEAD = 8, /* so many places of the directory ahead, */
    FETCH_CHUNKS_AHEAD = 4  /* and the chunk of the window that closed */
};

/* A word to be put in the place of another. */
struct change {
    struct series *series;
    uint64_t before;
    uint64_t after;   /* sealed, in its region already; 0: nothing is to be there */
    uint32_t samples; /* of the open chunk, if it was read */
    uint32_t slot;
};

struct step {
    struct storage *db;
    struct shard *shard;
    uint32_t closed_slot; /* of the window that closed last */
    uint32_t count;
    uint32_t waiting; /* open chunks that are to be sealed together */
    struct change changes[CHANGES_MAX];
    struct change unsealed[SEAL_TOGETHER];
    struct sealing sealing[SEAL_TOGETHER];
};

void sweep_start(struct storage *db, const struct storage_bounds *bounds)
{
    db->sweep = (struct sweep){.running = true,
                               .oldest_window = bounds->oldest_window,
                               .current_window = bounds->current_window,
                               .started_ns = clock_mono_ns(),
                               .held_ns = counter_read(&db->sweep_times.holds.sum_ns)};
}

static void add_change(struct step *step, const struct change *change)
{
    DEBUG_ASSERT(step->count < CHANGES_MAX);
    step->changes[step->count++] = *change;
}

static enum expiry_action decide(const struct step *step, uint32_t slot, const struct chunk *c)
{
    const struct sweep *sweep = &step->db->sweep;
    /* Of an open window, too, if the clock went back: what it stands on is about to go. */
    uint64_t base = chunk_base(c);
    bool leaving = base && regions_is_leaving(&step->db->regions, slot, base);
    enum expiry_action action =
        expiry_decide(c->window, sweep->oldest_window, sweep->current_window);
    return action == EXPIRY_KEEP && leaving ? EXPIRY_SEAL : action;
}

static void add_sealed(struct step *step, const struct sealing *sealing,
                       const struct change *unsealed)
{
    struct change change = *unsealed;
    if (sealing->status == ERR_CORRUPT)
        log_error("seal", "chunk does not come back the same, it stays open",
                  "series=%u window=%lld", change.series->id, (long long)sealing->chunk->window);
    if (sealing->status) {
        step->db->sweep.starved = true;
        return;
    }
    change.after = sealing->word;
    change.samples = sealing->samples;
    add_change(step, &change);
}

/* Encode the open chunks that wait for it, as they are now. */
static void seal_waiting(struct step *step)
{
    struct storage *db = step->db;
    if (step->waiting == 0) return;
    seal_chunks(&db->sealer, &db->regions, step->sealing, step->waiting);
    for (uint32_t i = 0; i < step->waiting; i++)
        add_sealed(step, &step->sealing[i], &step->unsealed[i]);
    step->waiting = 0;
}

static void seal_open(struct step *step, struct series *s, uint32_t slot, uint64_t word)
{
    struct held held = regions_hold(&step->db->regions, slot, word);
    if (!held.open) { /* its base has gone */
        step->db->sweep.starved = true;
        return;
    }
    step->sealing[step->waiting] = (struct sealing){.chunk = held.open};
    step->unsealed[step->waiting] = (struct change){.series = s, .before = word, .slot = slot};
    if (++step->waiting == SEAL_TOGETHER) seal_waiting(step);
}

static void look_at_open(struct step *step, struct series *s, uint32_t slot, uint64_t word)
{
    switch (decide(step, slot, ring_word_chunk(word))) {
    case EXPIRY_KEEP: break;
    case EXPIRY_DROP:
        add_change(step, &(struct change){.series = s, .before = word, .slot = slot});
        break;
    case EXPIRY_SEAL: seal_open(step, s, slot, word); break;
    }
}

static void look_at_sealed(struct step *step, struct series *s, uint32_t slot, uint64_t word)
{
    struct regions *regions = &step->db->regions;
    struct held held = regions_hold(regions, slot, word);
    struct change change = {.series = s, .before = word, .slot = slot};
    if (held.sealed) {
        if (!regions_is_leaving(regions, slot, word)) return;
        struct sealed_parts parts = sealed_parts(held.sealed);
        change.after = regions_put(regions, held.window, &parts);
        if (!change.after) step->db->sweep.starved = true;
        if (!change.after) return;
    }
    add_change(step, &change);
}

static void look_at(struct step *step, struct series *s)
{
    for (uint32_t slot = 0; slot < s->slots; slot++) {
        uint64_t word = series_word(s, slot);
        if (word == 0) continue;
        if (ring_word_is_sealed(word))
            look_at_sealed(step, s, slot, word);
        else
            look_at_open(step, s, slot, word);
    }
}

/* What the series at this place and the one some places before it will be asked for. */
static void fetch_ahead(const struct step *step, uint32_t local, uint32_t high)
{
    const struct directory *d = &step->shard->directory;
    uint32_t ahead = local + FETCH_SERIES_AHEAD;
    const struct series *s = ahead < high ? directory_get(d, ahead) : NULL;
    if (s) {
        __builtin_prefetch(s);
        __builtin_prefetch(&s->ring[step->closed_slot]);
    }
    ahead = local + FETCH_CHUNKS_AHEAD;
    s = ahead < high ? directory_get(d, ahead) : NULL;
    if (!s) return;
    uint64_t word = series_word(s, step->closed_slot);
    if (word == 0 || ring_word_is_sealed(word)) return;
    const struct chunk *c = ring_word_chunk(word);
    __builtin_prefetch(c);
    __builtin_prefetch((const void *)c->words);
}

/* Find changes, from the sweep's place on. */
static void look(struct step *step)
{
    struct sweep *sweep = &step->db->sweep;
    const struct directory *d = &step->shard->directory;
    uint32_t high = directory_high(d);
    uint32_t end = sweep->local + LOOK_SERIES < high ? sweep->local + LOOK_SERIES : high;
    while (sweep->local < end &&
           step->count + step->waiting + step->db->grid.slots <= CHANGES_MAX) {
        fetch_ahead(step, sweep->local, high);
        struct series *s = directory_get(d, sweep->local++);
        if (s) look_at(step, s);
    }
    seal_waiting(step);
}

/* Nothing else was put there, and no sample was added to what was read. */
static bool is_as_seen(const struct change *change)
{
    if (change->series->forgotten) return false;
    if (series_word(change->series, change->slot) != change->before) return false;
    if (!change->after || ring_word_is_sealed(change->before)) return true;
    return chunk_sample_count(ring_word_chunk(change->before)) == change->samples;
}

/* Under the lock. */
static void apply(struct step *step, const struct change *change)
{
    struct series *s = change->series;
    if (!is_as_seen(change)) {
        if (change->after) regions_delete(&step->db->regions, change->slot, change->after);
        step->db->sweep.starved = true;
        return;
    }
    shard_put(step->shard, s, change->slot, change->after);
    if (!series_is_empty(s)) return;
    shard_forget_series(step->shard, s);
    atomic_fetch_sub_explicit(&step->db->series_live, 1, memory_order_relaxed);
}

/* One hold of the lock, at least; from the first change on. */
static void apply_all(struct step *step)
{
    struct shard *sh = step->shard;
    for (uint32_t done = 0; done < step->count;) {
        thread_yield(); /* on a busy machine, rather here than under the lock */
        rwlock_write_lock(&sh->lock);
        int64_t start_ns = clock_mono_ns();
        do
            apply(step, &step->changes[done++]);
        while (done < step->count && clock_mono_ns() - start_ns < SWEEP_HOLD_NS);
        histogram_observe_ns(&step->db->sweep_times.holds, clock_mono_ns() - start_ns);
        rwlock_write_unlock(&sh->lock);
    }
}

/* Whoever had the lock before went by the clock of a time before the sweep; from now on, nobody
 * puts in what the sweep would take out. */
static void enter_shard(struct step *step)
{
    struct shard *sh = step->shard;
    rwlock_write_lock(&sh->lock);
    int64_t start_ns = clock_mono_ns();
    for (uint32_t slot = 0; slot < step->db->grid.slots; slot++)
        shard_catch_up(sh, slot);
    shard_move_tables(sh);
    histogram_observe_ns(&step->db->sweep_times.holds, clock_mono_ns() - start_ns);
    rwlock_write_unlock(&sh->lock);
}

void sweep_step(struct storage *db)
{
    struct sweep *sweep = &db->sweep;
    int64_t closed_window = sweep->current_window - 1;
    struct step step = {.db = db,
                        .shard = &db->shards[sweep->shard],
                        .closed_slot = window_slot(&db->grid, closed_window)};
    if (sweep->local == 0) enter_shard(&step);
    regions_prepare(&db->regions, closed_window);
    struct epoch_pin pin = epoch_enter(&db->epoch);
    look(&step);
    apply_all(&step);
    epoch_leave(&pin);
    if (sweep->local < directory_high(&step.shard->directory)) return;
    sweep->local = 0;
    sweep->running = ++sweep->shard < db->shard_count;
}
