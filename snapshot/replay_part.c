/* replay_part - what is simple a thousand at a time, the rest one by one. */
#include "snapshot/replay_part.h"

#include "storage/appender.h"
#include "storage/refill.h"

struct replay_totals replay_totals_none(void)
{
    return (struct replay_totals){.too_new_from_ms = INT64_MAX, .too_new_until_ms = INT64_MIN};
}

void replay_totals_add(struct replay_totals *to, const struct replay_totals *more)
{
    to->batches += more->batches;
    to->samples += more->samples;
    to->duplicates += more->duplicates;
    to->bytes += more->bytes;
    to->corruptions += more->corruptions;
    to->truncations += more->truncations;
    to->skipped += more->skipped;
    to->missing += more->missing;
    to->orphans += more->orphans;
    to->too_old += more->too_old;
    to->too_new += more->too_new;
    to->refused += more->refused;
    if (more->too_new_from_ms < to->too_new_from_ms) to->too_new_from_ms = more->too_new_from_ms;
    if (more->too_new_until_ms > to->too_new_until_ms)
        to->too_new_until_ms = more->too_new_until_ms;
}

void replay_part_init(struct replay_part *p, struct storage *db, uint32_t number, bool alone)
{
    *p = (struct replay_part){.db = db, .number = number, .alone = alone};
    definitions_init(&p->definitions);
}

void replay_part_release(struct replay_part *p)
{
    definitions_release(&p->definitions);
}

void replay_part_reset(struct replay_part *p)
{
    definitions_reset(&p->definitions);
    p->turn = 0;
}

/* Samples of a series that is known, which may go to the end of its chunk. */
struct simple {
    struct definition_slot *slot;
    const struct sample *samples;
    uint32_t count;
};

/* One call of replay_part_apply. What goes to the appender is in when a turn ends: before more of
 * the same series does, since within one commit samples that have to be looked up come last.
 * slot->note is the turn in which something of the series went there; one that is the same by
 * chance, after 65,536 turns, only ends a turn early. */
enum { SIMPLE_MAX = 1024 };
struct turn {
    struct replay_part *part;
    const struct wal_batch *const *batches;
    size_t at;      /* of these, which is being applied; */
    size_t defined; /* of the first so many labels are known, */
    size_t settled; /* and of so many series, as far as they are there */
    struct arena *arena;
    struct arena_mark mark; /* what a turn takes comes behind it */
    struct appender *app;
    struct refill *refill;
    struct replay_totals *totals;
    struct simple *simple; /* [SIMPLE_MAX] */
    size_t simple_count;
};

struct replay_hand {
    struct arena arena;
    struct simple simple[SIMPLE_MAX];
};

struct replay_hand *replay_hand_create(void)
{
    struct replay_hand *hand = heap_alloc(sizeof(*hand), HEAP_SNAPSHOT);
    if (hand) arena_init(&hand->arena, HEAP_SNAPSHOT, UINT64_MAX);
    return hand;
}

void replay_hand_destroy(struct replay_hand *hand)
{
    if (hand) arena_release(&hand->arena);
    heap_free(hand, sizeof(*hand), HEAP_SNAPSHOT);
}

/* The labels of a series that is there need not be kept. */
static bool note_series(struct definition_slot *slot, struct appender *app, struct labels labels)
{
    struct series *s = appender_find(app, labels);
    if (!s) return false;
    definition_point(slot, DEFINITION_SERIES, s);
    return true;
}

/* Those of a batch that are later than room_ms. */
static void note_too_new(struct turn *t, const struct wal_batch *batch, int64_t room_ms)
{
    struct replay_totals *totals = t->totals;
    for (uint32_t at = batch->first_run[t->part->number]; at != WAL_RUN_NONE;) {
        const struct wal_run *run = &batch->runs.items[at];
        const struct wal_entry *entries = wal_batch_entries(batch) + run->first;
        const struct sample *sample = wal_batch_samples(batch) + run->first_sample;
        for (uint32_t i = 0; i < run->count; i++) {
            for (const struct sample *end = sample + entries[i].sample_count; sample < end;
                 sample++) {
                if (sample->t_ms <= room_ms) continue;
                if (sample->t_ms < totals->too_new_from_ms) totals->too_new_from_ms = sample->t_ms;
                if (sample->t_ms > totals->too_new_until_ms)
                    totals->too_new_until_ms = sample->t_ms;
            }
        }
        at = run->next;
    }
}

static enum status add_result(struct turn *t, const struct append_result *result, struct error *err)
{
    t->totals->samples += result->stored;
    t->totals->duplicates += result->duplicates;
    t->totals->too_old += result->refused[REFUSED_TOO_OLD];
    t->totals->too_new += result->refused[REFUSED_TOO_NEW];
    t->totals->refused += result->refused[REFUSED_CONFLICT];
    if (result->refused[REFUSED_NO_MEMORY])
        return error_set(err, ERR_NO_MEMORY, "the memory limit was reached while replaying");
    return OK;
}

/* They are in: a series that was new is there now, or none of its samples was taken. */
static enum status settle(struct turn *t, const struct wal_batch *batch, struct error *err)
{
    struct definitions *d = &t->part->definitions;
    enum status st = OK;
    for (size_t i = 0; i < batch->definitions.count && st == OK; i++) {
        const struct wal_definition *definition = &batch->definitions.items[i];
        uint32_t id = wal_batch_entries(batch)[definition->entry].id;
        if (id % WAL_PARTS != t->part->number) continue;
        struct definition_slot *slot = definitions_find(d, id / WAL_PARTS);
        if (slot->what != DEFINITION_LENT || definition_labels(slot) != &definition->labels)
            continue;
        if (!note_series(slot, t->app, definition->labels))
            st = definitions_set(d, id / WAL_PARTS, definition->labels, err);
    }
    return st;
}

static enum status begin_turn(struct turn *t, struct error *err)
{
    t->part->turn++;
    enum status st = appender_begin(t->part->db, t->arena, &t->app, err);
    if (st)
        t->app = NULL;
    else
        appender_is_logged(t->app);
    return st;
}

static enum status end_turn(struct turn *t, struct error *err)
{
    struct append_result result;
    int64_t room_ms = storage_room_ms(t->part->db); /* before it: time may go on meanwhile */
    refill_pause(t->refill);
    enum status st = appender_commit(t->app, &result, err);
    t->app = NULL;
    if (!st) st = add_result(t, &result, err);
    for (size_t i = 0; i <= t->at && result.refused[REFUSED_TOO_NEW]; i++)
        note_too_new(t, t->batches[i], room_ms);
    return st;
}

/* What went to the appender is in, and series that were new are known. */
static enum status next_turn(struct turn *t, struct error *err)
{
    enum status st = end_turn(t, err);
    arena_rewind(t->arena, t->mark);
    if (!st) st = begin_turn(t, err);
    for (; t->settled < t->defined && !st && t->part->alone; t->settled++)
        st = settle(t, t->batches[t->settled], err);
    return st;
}

/* Of each sample the slot of its id, the series, its chunk and the end of that are somewhere: each
 * is asked for when what tells its place has arrived, so many samples ahead. */
enum { AHEAD_SLOT = 16, AHEAD_SERIES = 24, AHEAD_CHUNK = 16, AHEAD_END = 8 };

static void fetch_ahead(const struct turn *t, size_t at)
{
    const struct simple *next = t->simple + at;
    size_t left = t->simple_count - at;
    if (left > AHEAD_SERIES)
        refill_prefetch_series(t->refill, definition_series(next[AHEAD_SERIES].slot));
    if (left > AHEAD_CHUNK)
        refill_prefetch_chunk(t->refill, definition_series(next[AHEAD_CHUNK].slot));
    if (left > AHEAD_END) refill_prefetch_end(t->refill, definition_series(next[AHEAD_END].slot));
}

/* Nothing of this series is with the appender, from here on. */
static ALWAYS_INLINE enum status clear_way(struct turn *t, const struct definition_slot *slot,
                                           struct error *err)
{
    return LIKELY(slot->note != t->part->turn) ? OK : next_turn(t, err);
}

static enum status append_simple(struct turn *t, struct error *err)
{
    enum status st = OK;
    for (size_t i = 0; i < t->simple_count && !st; i++) {
        const struct simple *s = &t->simple[i];
        fetch_ahead(t, i);
        st = clear_way(t, s->slot, err);
        if (st) break;
        struct series *series = definition_series(s->slot);
        size_t done = refill_append(t->refill, series, s->samples, s->count);
        if (LIKELY(done == s->count)) continue;
        s->slot->note = t->part->turn;
        st = appender_add_known(t->app, series, s->samples + done, s->count - done, err);
    }
    t->simple_count = 0;
    refill_pause(t->refill);
    return st;
}

/* An entry with labels. Those of a new series are lent until the batches are in. */
static enum status define(struct turn *t, uint32_t key, const struct labels *labels,
                          struct error *err)
{
    struct definitions *d = &t->part->definitions;
    if (!t->part->alone) return definitions_set(d, key, *labels, err);
    struct definition_slot *slot = definitions_claim(d, key);
    if (!slot) return error_set(err, ERR_NO_MEMORY, "no memory for the series of the log");
    if (note_series(slot, t->app, *labels)) return OK;
    definition_point(slot, DEFINITION_LENT, labels);
    return OK;
}

/* Labels of a batch are there before its samples; what came before them is applied by the old
 * ones. */
static enum status define_all(struct turn *t, const struct wal_batch *batch, struct error *err)
{
    enum status st = batch->definitions.count ? append_simple(t, err) : OK;
    for (size_t i = 0; i < batch->definitions.count && !st; i++) {
        const struct wal_definition *definition = &batch->definitions.items[i];
        uint32_t id = wal_batch_entries(batch)[definition->entry].id;
        if (id % WAL_PARTS == t->part->number)
            st = define(t, id / WAL_PARTS, &definition->labels, err);
    }
    t->defined++;
    return st;
}

/* Samples of a series that is found by its labels. */
static enum status stage(struct turn *t, struct definition_slot *slot, uint32_t key,
                         const struct sample *samples, size_t count, struct error *err)
{
    struct labels labels;
    enum status st = OK;
    if (slot->what == DEFINITION_LENT) {
        labels = *definition_labels(slot);
    } else {
        st = definitions_get(&t->part->definitions, key, t->arena, &labels, err);
        if (!st && t->part->alone) (void)note_series(slot, t->app, labels);
    }
    slot->note = t->part->turn;
    return st ? st : appender_add(t->app, labels, samples, count, err);
}

static ALWAYS_INLINE enum status put(struct turn *t, const struct wal_entry *entry,
                                     const struct sample *samples, struct error *err)
{
    uint32_t key = entry->id / WAL_PARTS;
    struct definition_slot *slot = definitions_find(&t->part->definitions, key);
    if (UNLIKELY(!slot)) {
        t->totals->orphans += entry->sample_count;
        return OK;
    }
    if (UNLIKELY(entry->sample_count == 0)) return OK;
    if (UNLIKELY(slot->what != DEFINITION_SERIES)) {
        enum status st = clear_way(t, slot, err);
        if (st) return st;
    }
    if (UNLIKELY(slot->what != DEFINITION_SERIES))
        return stage(t, slot, key, samples, entry->sample_count, err);
    t->simple[t->simple_count++] =
        (struct simple){.slot = slot, .samples = samples, .count = entry->sample_count};
    return UNLIKELY(t->simple_count == SIMPLE_MAX) ? append_simple(t, err) : OK;
}

static enum status put_all(struct turn *t, const struct wal_batch *batch, struct error *err)
{
    const struct definitions *d = &t->part->definitions;
    enum status st = define_all(t, batch, err);
    for (uint32_t at = batch->first_run[t->part->number]; at != WAL_RUN_NONE && !st;) {
        const struct wal_run *run = &batch->runs.items[at];
        const struct wal_entry *entries = wal_batch_entries(batch) + run->first;
        const struct sample *samples = wal_batch_samples(batch) + run->first_sample;
        for (uint32_t i = 0; i < run->count && !st; i++) {
            if (run->count - i > AHEAD_SLOT)
                definitions_prefetch(d, entries[i + AHEAD_SLOT].id / WAL_PARTS);
            st = put(t, &entries[i], samples, err);
            samples += entries[i].sample_count;
        }
        at = run->next;
    }
    return st;
}

static enum status begin(struct turn *t, struct error *err)
{
    arena_reset(t->arena);
    t->refill = refill_begin(t->part->db, t->arena);
    if (!t->refill) return arena_error(t->arena, err);
    t->mark = arena_mark(t->arena);
    return begin_turn(t, err);
}

enum status replay_part_apply(struct replay_part *p, const struct wal_batch *const *batches,
                              size_t count, struct replay_hand *hand, struct replay_totals *totals,
                              struct error *err)
{
    struct turn t = {.part = p,
                     .batches = batches,
                     .arena = &hand->arena,
                     .totals = totals,
                     .simple = hand->simple};
    if (count == 0) return OK;
    enum status st = begin(&t, err);
    if (st) return st;
    for (; t.at < count && !st; t.at++)
        st = put_all(&t, batches[t.at], err);
    t.at = count - 1;
    if (!st) st = append_simple(&t, err);
    if (!st) st = next_turn(&t, err);
    t.totals->samples += refill_end(t.refill);
    if (t.app) appender_abort(t.app);
    return st;
}
