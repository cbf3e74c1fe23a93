/*
 * commit - the staged series in order of shard, under the lock of each.
 *
 * A hold of the lock ends early when it has become long, and when a late run is to be merged. What
 * a chunk may have already is put aside until the lock is free, looked up, and settled under
 * another hold (storage/resent.h).
 */
#include "storage/commit.h"

#include "base/clock.h"
#include "storage/commit_fetch.h"
#include "storage/querier.h"
#include "storage/resent.h"
#include "storage/shard_run.h"

/* A hold of a lock ends behind the series that makes it HOLD_NS, as far as somebody looks: after so
 * many series, and after each that took longer than appending does. */
enum { HOLD_NS = 50000, HOLD_SERIES = 128 };

/* Staged samples that may be in memory already. */
_Static_assert((int)STAGED_SAMPLES_MAX <= (int)RESENT_SAMPLES_MAX, "a bit for each");
struct doubt {
    struct staged *staged;
    uint32_t done;             /* of its samples, the first ones that are in */
    struct resent_known known; /* of all of them; of the first ones nothing */
};
struct doubt_vec VEC_OF(struct doubt);

/* The state of one commit. */
struct commit {
    struct appender *app;
    struct append_result *result;
    struct shard_run run; /* of the shard at work, with bounds by the clock when it was locked */
    int64_t held_ns;      /* when that was */
    uint32_t unlooked;    /* series since the clock was read; HOLD_SERIES: it is time */
    struct journal_batch batch;
    struct view_audience audience;
    uint64_t late; /* of the shard at work */
    uint64_t stored;
    uint64_t duplicates;
    uint64_t refused[REFUSED_REASON_COUNT];
    struct doubt_vec doubts; /* of the shard at work */
};

/* The labels of a series, copied because it may go; empty when the arena refuses. */
static struct labels copy_labels(const struct appender *app, const struct series *s)
{
    struct labels copy = {0};
    struct label *items = arena_alloc_array(app->arena, s->label_count, sizeof(*items));
    if (!items || labels_copy(series_labels(s, items), app->arena, &copy, NULL))
        return (struct labels){0};
    return copy;
}

static void refuse(struct commit *c, const struct staged *staged, const struct sample *sample,
                   enum sample_refusal reason)
{
    struct append_result *result = c->result;
    result->refused[reason]++;
    c->refused[reason]++;
    if (result->example_count == APPEND_EXAMPLES) return;
    result->examples[result->example_count++] =
        (struct append_refusal){.reason = reason,
                                .labels = staged->newcomer ? staged->newcomer->set.labels
                                                           : copy_labels(c->app, staged->series),
                                .sample = *sample};
}

/* Whether the clock lets the sample in; the refusal is counted. */
static bool in_bounds(struct commit *c, const struct staged *staged, const struct sample *sample)
{
    if (sample->t_ms < c->run.bounds.oldest_ms) {
        refuse(c, staged, sample, REFUSED_TOO_OLD);
        return false;
    }
    if (sample->t_ms > c->run.bounds.newest_ms) {
        refuse(c, staged, sample, REFUSED_TOO_NEW);
        return false;
    }
    return true;
}

/* Count what became of a sample; true when it is in. */
static bool settle(struct commit *c, const struct staged *staged, const struct sample *sample,
                   int outcome)
{
    switch (outcome) {
    case CHUNK_LATE:
        c->late++;
        c->stored++;
        c->unlooked = HOLD_SERIES;
        return true;
    case CHUNK_APPENDED: c->stored++; return true;
    case CHUNK_DUPLICATE:
        c->duplicates++;
        c->unlooked = HOLD_SERIES;
        return true;
    case CHUNK_CONFLICT:
        refuse(c, staged, sample, REFUSED_CONFLICT);
        c->unlooked = HOLD_SERIES;
        return false;
    case SHARD_EXPIRED: refuse(c, staged, sample, REFUSED_TOO_OLD); return false;
    default: refuse(c, staged, sample, REFUSED_NO_MEMORY); return false;
    }
}

/* The newcomer's series goes into the shard; what it lacks is tried for once more. NULL at the
 * memory limit. */
static struct series *create_of(struct storage *db, struct shard *sh, struct newcomer *newcomer)
{
    struct resolved *set = &newcomer->set;
    if (!newcomer->refers)
        newcomer->refers = symbols_acquire(&db->symbols, set->labels, set->symbols);
    if (newcomer->refers && !newcomer->made) newcomer->made = series_create(set, db->grid.slots);
    struct series *s = newcomer->made;
    if (!s || !shard_add_series(sh, s)) return NULL;
    newcomer->refers = false;
    newcomer->made = NULL;
    return s;
}

/* Make the series of a staged entry. NULL, and *why every sample of it is to be refused. */
static struct series *create(struct commit *c, struct shard *sh, struct newcomer *newcomer,
                             enum sample_refusal *why)
{
    struct storage *db = c->app->db;
    struct series *s = NULL;
    *why = REFUSED_NEW_SERIES;
    if (c->app->refuses_new_series) return NULL;
    uint64_t live = atomic_fetch_add_explicit(&db->series_live, 1, memory_order_relaxed);
    if (db->max_series && live >= db->max_series) {
        *why = REFUSED_MAX_SERIES;
    } else {
        s = create_of(db, sh, newcomer);
        *why = REFUSED_NO_MEMORY;
    }
    if (!s) atomic_fetch_sub_explicit(&db->series_live, 1, memory_order_relaxed);
    return s;
}

/* The series was forgotten after it had been found: it is a newcomer again. */
static enum status resurrect(struct appender *app, struct staged *staged, struct error *err)
{
    const struct series *gone = staged->series;
    struct labels labels = copy_labels(app, gone);
    if (labels.count < gone->label_count) return arena_error(app->arena, err);
    staged->series = NULL;
    staged->newcomer = newcomer_create(app, labels);
    return staged->newcomer ? OK : arena_error(app->arena, err);
}

/* Samples that memory accepted, in the order given. As long as all of them are, they are the
 * caller's own array; from the first refusal on, a copy. */
struct accepted {
    const struct sample *given;
    struct sample *copy; /* NULL: all of given[0 .. count) */
    size_t count;
};

static enum status accept(struct accepted *list, const struct sample *sample, size_t at,
                          const struct staged *staged, struct arena *a, struct error *err)
{
    if (!list->copy && list->count != at) {
        list->copy = arena_alloc_array(a, staged->count, sizeof(*list->copy));
        if (!list->copy) return arena_error(a, err);
        memcpy(list->copy, list->given, list->count * sizeof(*list->copy));
    }
    if (list->copy) list->copy[list->count] = *sample;
    list->count++;
    return OK;
}

/* Tell the views what the series holds in the windows of these samples, before it changes. */
static NO_INLINE void tell_views(struct commit *c, const struct shard *sh, const struct series *s,
                                 const struct sample *samples, size_t count)
{
    const struct window_grid *grid = &c->app->db->grid;
    uint32_t told = UINT32_MAX;
    for (size_t i = 0; i < count; i++) {
        int64_t t_ms = samples[i].t_ms;
        bool in_run = t_ms >= c->run.start_ms && t_ms < c->run.end_ms;
        uint32_t slot = in_run ? c->run.slot : window_slot(grid, window_of(grid, t_ms));
        if (slot != told) view_tell(&c->audience, &c->app->db->views, sh, s, slot);
        told = slot;
    }
}

/* Add a sample of a series, or know what would become of it. */
static int add_sample(struct commit *c, struct shard *sh, const struct staged *staged, size_t at,
                      const struct resent_known *known)
{
    const struct sample *sample = &staged->samples[at];
    uint32_t bit = UINT32_C(1) << at;
    bool any = (known->same | known->other | known->absent) & bit;
    bool holds = any && shard_run_holds(&c->run, staged->chunk, sample->t_ms);
    if (holds && known->same & bit) return CHUNK_DUPLICATE;
    if (holds && known->other & bit) return CHUNK_CONFLICT;
    return shard_run_add(sh, &c->run, staged->series, sample, holds);
}

/* The samples of one staged series behind those that are in the list already; what was accepted
 * goes to the list. */
static enum status apply_samples(struct commit *c, struct shard *sh, struct staged *staged,
                                 const struct resent_known *known, struct accepted *list,
                                 struct error *err)
{
    enum sample_refusal why = REFUSED_REASON_COUNT; /* why there is no series */
    enum status st = OK;
    for (size_t i = list->count; i < staged->count && !st; i++) {
        const struct sample *sample = &staged->samples[i];
        if (!in_bounds(c, staged, sample)) continue;
        if (!staged->series && why == REFUSED_REASON_COUNT) {
            struct newcomer *newcomer = staged->newcomer;
            staged->series = shard_find(sh, &newcomer->set);
            if (!staged->series)
                staged->series = create(c, sh, newcomer, &why); /* no view sees it */
            else if (c->audience.count > 0)
                tell_views(c, sh, staged->series, staged->samples, staged->count);
        }
        struct series *s = staged->series;
        if (!s)
            refuse(c, staged, sample, why);
        else if (settle(c, staged, sample, add_sample(c, sh, staged, i, known)))
            st = accept(list, sample, i, staged, c->app->arena, err);
    }
    return st;
}

/* What was accepted becomes an entry of the batch. */
static ALWAYS_INLINE void add_entry(struct commit *c, struct series *s, uint32_t id,
                                    const struct sample *samples, size_t count)
{
    struct journal_series *entry = &c->batch.series[c->batch.series_count++];
    entry->id = id;
    entry->series = s;
    entry->labels = (struct labels){.items = NULL};
    entry->defined_in = &s->defined_in;
    entry->samples = samples;
    entry->sample_count = count;
    c->batch.sample_count += count;
}

/* Apply one staged series; the samples that are in the list already are in memory. */
static NO_INLINE enum status apply_carefully(struct commit *c, struct shard *sh,
                                             struct staged *staged,
                                             const struct resent_known *known, struct accepted list,
                                             struct error *err)
{
    enum status st = OK;
    if (staged->series && staged->series->forgotten) st = resurrect(c->app, staged, err);
    if (!st) st = apply_samples(c, sh, staged, known, &list, err);
    struct series *s = staged->series;
    if (s && list.count > 0) {
        add_entry(c, s, s->id, list.copy ? list.copy : list.given, list.count);
    } else if (s && series_is_empty(s)) {
        shard_forget_series(sh, s); /* made for samples of which none found memory */
        staged->series = NULL;
        atomic_fetch_sub_explicit(&c->app->db->series_live, 1, memory_order_relaxed);
    }
    return st;
}

/* Samples behind the first `done` that their chunk may have already; whether it has is looked up
 * for several at once when the lock is free. */
static NO_INLINE enum status put_aside(struct commit *c, struct staged *staged, size_t done,
                                       struct error *err)
{
    struct doubt *doubt = VEC_PUSH(&c->doubts, c->app->arena);
    if (!doubt) return arena_error(c->app->arena, err);
    *doubt = (struct doubt){.staged = staged, .done = (uint32_t)done};
    return OK;
}

static bool is_doubtful(const struct commit *c, const struct staged *staged, size_t done)
{
    if (!shard_run_holds(&c->run, staged->chunk, staged->samples[done].t_ms)) return false;
    for (; done < staged->count; done++)
        if (chunk_may_have(staged->chunk, staged->samples[done].t_ms)) return true;
    return false;
}

/* What is left of a staged series when the first `done` samples are in memory, but not all. */
static NO_INLINE enum status apply_rest(struct commit *c, struct shard *sh, struct staged *staged,
                                        size_t done, struct error *err)
{
    if (staged->chunk && is_doubtful(c, staged, done)) return put_aside(c, staged, done, err);
    const struct resent_known nothing = {.same = 0};
    struct accepted list = {.given = staged->samples, .count = done};
    return apply_carefully(c, sh, staged, &nothing, list, err);
}

/* Its samples, as many as are for the end of the chunk that the series had. */
static ALWAYS_INLINE size_t append(struct commit *c, struct shard *sh, const struct staged *staged)
{
    if (UNLIKELY(!staged->chunk)) return 0;
    size_t done = shard_run_append(&c->run, staged->chunk, staged->samples, staged->count);
    if (LIKELY(done > 0)) shard_run_saw(sh, &c->run, staged->id, &staged->samples[done - 1]);
    return done;
}

/* Apply one staged series. Nearly always the chunk it had is still its chunk, and its samples come
 * in order; then nothing else of the series is looked at. The first `done` of them are in. */
static ALWAYS_INLINE enum status apply(struct commit *c, struct shard *sh, struct staged *staged,
                                       size_t done, struct error *err)
{
    if (LIKELY(done == 0)) {
        if (UNLIKELY(c->audience.count > 0) && staged->series)
            tell_views(c, sh, staged->series, staged->samples, staged->count);
        done = append(c, sh, staged);
        c->stored += done;
    }
    if (UNLIKELY(done == 0 || done < staged->count)) return apply_rest(c, sh, staged, done, err);
    add_entry(c, staged->series, staged->id, staged->samples, done);
    return OK;
}

/* Add what this commit did to a shard to the shard's numbers and the result. */
static void count_shard(struct commit *c, struct shard_counters *counters)
{
    counter_add(&counters->samples_appended, c->stored);
    if (c->late) counter_add(&counters->samples_late, c->late);
    if (c->duplicates) counter_add(&counters->samples_duplicate, c->duplicates);
    for (size_t reason = 0; reason < REFUSED_REASON_COUNT; reason++) {
        if (c->refused[reason]) counter_add(&counters->refused[reason], c->refused[reason]);
        c->refused[reason] = 0;
    }
    c->result->stored += c->stored;
    c->result->duplicates += c->duplicates;
    c->late = 0;
    c->stored = 0;
    c->duplicates = 0;
}

/* The staged series in order of shard, and where each shard's begin. The first is the shard of the
 * first series: requests that come at the same time would wait for each other at every shard if all
 * began with the same one. */
struct shard_order {
    uint32_t start;  /* number of the first shard */
    uint32_t *first; /* [shard_count + 1] */
    struct staged **staged;
};

/* false when the arena refuses. */
static bool order_by_shard(const struct appender *app, struct shard_order *order)
{
    struct staged *staged = app->staged.items;
    uint32_t shard_count = app->db->shard_count;
    uint32_t mask = shard_count - 1;
    uint32_t start = staged[0].id & mask;
    order->start = start;
    order->first = arena_calloc(app->arena, shard_count + 1, sizeof(*order->first));
    order->staged = arena_alloc_array(app->arena, app->staged.count, sizeof(*order->staged));
    if (!order->first || !order->staged) return false;
    for (size_t i = 0; i < app->staged.count; i++)
        order->first[((staged[i].id - start) & mask) + 1]++;
    for (uint32_t n = 0; n < shard_count; n++)
        order->first[n + 1] += order->first[n];
    for (size_t i = 0; i < app->staged.count; i++)
        order->staged[order->first[(staged[i].id - start) & mask]++] = &staged[i];
    for (uint32_t n = shard_count; n > 0; n--) /* each has moved on to the next one's start */
        order->first[n] = order->first[n - 1];
    order->first[0] = 0;
    return true;
}

static void enter(struct commit *c, struct shard *sh)
{
    rwlock_write_lock(&sh->lock);
    /* Under the lock: a sweep that went by the clock later comes to this shard later, and finds
     * what was let in. */
    shard_run_begin(sh, &c->run, storage_commit_bounds(c->app->db, c->app->logged));
    c->held_ns = clock_mono_ns();
    c->unlooked = 0;
}

static void leave(struct commit *c, struct shard *sh)
{
    shard_run_end(sh, &c->run);
    count_shard(c, &sh->counters);
    rwlock_write_unlock(&sh->lock);
}

/* Between two series: let others in when the hold has become long, and to merge a late run. */
static ALWAYS_INLINE void pause(struct commit *c, struct shard *sh)
{
    struct series *merge = c->run.merge;
    uint32_t slot = c->run.merge_slot;
    if (c->unlooked++ < HOLD_SERIES && !merge) return;
    c->unlooked = 0;
    if (!merge && clock_mono_ns() - c->held_ns < HOLD_NS) return;
    leave(c, sh);
    if (merge) shard_merge_late(sh, merge, slot, c->app->arena);
    enter(c, sh);
}

/* Several samples of a series that go to the end of a chunk. */
static bool is_run(const struct commit *c, const struct staged *staged)
{
    return staged->count >= CHUNK_RUN_SAMPLES_MIN && staged->chunk &&
           shard_run_holds(&c->run, staged->chunk, staged->samples[0].t_ms);
}

/* The next staged series that are runs, each of another chunk than the one before it; how many. */
static size_t collect_runs(const struct commit *c, struct staged *const *at,
                           struct staged *const *end, struct chunk_run runs[CHUNK_RUNS_MAX])
{
    size_t count = 0;
    for (; count < CHUNK_RUNS_MAX && at + count < end && is_run(c, at[count]); count++) {
        const struct staged *staged = at[count];
        if (count > 0 && runs[count - 1].chunk == staged->chunk) break;
        runs[count] = (struct chunk_run){
            .chunk = staged->chunk, .samples = staged->samples, .count = staged->count};
    }
    return count;
}

/* The samples of each, as many as are for the end of its chunk. */
static void append_runs(struct commit *c, struct shard *sh, struct staged *const *at,
                        struct chunk_run *runs, size_t count)
{
    for (size_t i = 0; i < count && c->audience.count > 0; i++)
        tell_views(c, sh, at[i]->series, at[i]->samples, at[i]->count);
    shard_run_append_runs(&c->run, runs, count);
    for (size_t i = 0; i < count; i++) {
        if (runs[i].done > 0)
            shard_run_saw(sh, &c->run, at[i]->id, &runs[i].samples[runs[i].done - 1]);
        c->stored += runs[i].done;
    }
}

/* The staged series of a shard, several at once where they are runs. */
static NO_INLINE enum status apply_runs(struct commit *c, struct shard *sh,
                                        struct staged *const *at, struct staged *const *end,
                                        struct staged *const *all_end, struct error *err)
{
    enum status st = OK;
    while (at < end && !st) {
        struct chunk_run runs[CHUNK_RUNS_MAX];
        size_t count = collect_runs(c, at, end, runs);
        if (count >= CHUNK_RUNS_MIN) {
            append_runs(c, sh, at, runs, count);
        } else {
            count = 1;
            runs[0].done = 0;
        }
        for (size_t i = 0; i < count && !st; i++, at++) {
            commit_fetch(c->app, sh, at, end, all_end);
            st = apply(c, sh, *at, runs[i].done, err);
            if (at + 1 < end || c->run.merge) pause(c, sh);
        }
    }
    return st;
}

/* The staged series of a shard, one after the other. */
static ALWAYS_INLINE enum status apply_each(struct commit *c, struct shard *sh,
                                            struct staged *const *at, struct staged *const *end,
                                            struct staged *const *all_end, struct error *err)
{
    enum status st = OK;
    for (; at < end && !st; at++) {
        commit_fetch(c->app, sh, at, end, all_end);
        st = apply(c, sh, *at, 0, err);
        if (at + 1 < end || c->run.merge) pause(c, sh);
    }
    return st;
}

/* Look for what was put aside in its chunks; the lock is free. */
static void look_up(struct commit *c)
{
    struct arena *a = c->app->arena;
    struct arena_mark mark = arena_mark(a);
    struct resent *items = arena_alloc_array(a, c->doubts.count, sizeof(*items));
    if (!items) return;
    for (size_t i = 0; i < c->doubts.count; i++) {
        const struct doubt *doubt = &c->doubts.items[i];
        items[i] = (struct resent){.chunk = doubt->staged->chunk,
                                   .samples = doubt->staged->samples + doubt->done,
                                   .count = doubt->staged->count - doubt->done};
    }
    resent_find(items, c->doubts.count, a);
    for (size_t i = 0; i < c->doubts.count; i++) {
        struct doubt *doubt = &c->doubts.items[i];
        doubt->known = (struct resent_known){.same = items[i].known.same << doubt->done,
                                             .other = items[i].known.other << doubt->done,
                                             .absent = items[i].known.absent << doubt->done};
    }
    arena_rewind(a, mark);
}

static enum status settle_doubt(struct commit *c, struct shard *sh, const struct doubt *doubt,
                                struct error *err)
{
    struct staged *staged = doubt->staged;
    size_t done = doubt->done;
    while (done < staged->count && doubt->known.same >> done & 1 &&
           shard_run_holds(&c->run, staged->chunk, staged->samples[done].t_ms)) {
        c->duplicates++;
        done++;
    }
    if (done < staged->count) {
        struct accepted list = {.given = staged->samples, .count = done};
        return apply_carefully(c, sh, staged, &doubt->known, list, err);
    }
    add_entry(c, staged->series, staged->id, staged->samples, done);
    return OK;
}

/* What was put aside of a shard, by another hold of its lock. */
static NO_INLINE enum status settle_doubts(struct commit *c, struct shard *sh, struct error *err)
{
    enum status st = OK;
    look_up(c);
    enter(c, sh);
    for (size_t i = 0; i < c->doubts.count && !st; i++) {
        st = settle_doubt(c, sh, &c->doubts.items[i], err);
        if (i + 1 < c->doubts.count || c->run.merge) pause(c, sh);
    }
    leave(c, sh);
    c->doubts.count = 0;
    return st;
}

static enum status apply_all(struct commit *c, const struct shard_order *order, struct error *err)
{
    struct storage *db = c->app->db;
    struct staged *const *all_end = &order->staged[order->first[db->shard_count]];
    enum status st = OK;
    for (uint32_t n = 0; n < db->shard_count && !st; n++) {
        struct shard *sh = &db->shards[(order->start + n) & (db->shard_count - 1)];
        struct staged *const *at = &order->staged[order->first[n]];
        struct staged *const *end = &order->staged[order->first[n + 1]];
        if (at == end) continue;
        c->audience.series = (uint32_t)(end - at);
        enter(c, sh);
        if (UNLIKELY(c->app->newcomers != NULL)) commit_fetch_first_newcomers(sh, at, end);
        /* Senders that have several samples of one series have them of most. */
        if (UNLIKELY(is_run(c, *at)))
            st = apply_runs(c, sh, at, end, all_end, err);
        else
            st = apply_each(c, sh, at, end, all_end, err);
        leave(c, sh);
        if (UNLIKELY(!st && c->doubts.count > 0)) st = settle_doubts(c, sh, err);
    }
    return st;
}

/* The next batch that comes in this order will be expected. */
static void learn(const struct appender *app)
{
    const struct series *last = NULL;
    for (size_t i = 0; i < app->staged.count; i++) {
        const struct series *s = app->staged.items[i].series;
        if (last && s && s != last) expect_learn(app->db, last, s);
        last = s;
    }
}

enum status commit(struct appender *app, struct append_result *result, struct error *err)
{
    struct storage *db = app->db;
    struct commit c = {.app = app, .result = result, .batch = {.arena = app->arena}};
    struct shard_order order;
    *result = (struct append_result){0};
    if (app->staged.count == 0) return OK;
    c.batch.series = arena_alloc_array(app->arena, app->staged.count, sizeof(*c.batch.series));
    if (!c.batch.series) return arena_error(app->arena, err);
    if (!order_by_shard(app, &order)) return arena_error(app->arena, err);

    bool undecided = storage_clock_hear(db, app);
    uint32_t turn = in_flight_begin(&db->in_flight);
    views_begin_commit(db, app->arena, &c.audience);
    enum status st = apply_all(&c, &order, err);
    views_end_commit(db, &c.audience);
    if (result->refused[REFUSED_TOO_OLD] + result->refused[REFUSED_TOO_NEW] > 0)
        undecided |= storage_clock_hear(db, app); /* it may have jumped meanwhile */
    if (!st && (app->surprised || app->expect.skipped)) learn(app);
    if (!st && c.batch.sample_count > 0 && db->options.journal.log && !app->logged)
        st = db->options.journal.log(db->options.journal.self, &c.batch, err);
    in_flight_end(&db->in_flight, turn);
    if (!st && result->refused[REFUSED_TOO_NEW] && !app->logged && storage_held_is_due(db))
        st = error_set(err, ERR_UNAVAILABLE,
                       "what was stored of this time before the last start is being read: send "
                       "them again");
    if (!st && undecided)
        st = error_set(err, ERR_UNAVAILABLE,
                       "the clock of this server has jumped, and with it the time of these samples "
                       "is in doubt: send them again");
    return st;
}
