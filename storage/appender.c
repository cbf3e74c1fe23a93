/*
 * appender - staging on the caller's arena, then one pass per shard, then the journal.
 *
 * The staged series are put in order of shard by counting, so a commit takes each shard's lock
 * once. It stays inside an epoch until the journal has answered: what the journal is shown
 * (defined_in) lives in the series.
 */
#include "storage/appender.h"

#include "alloc/vec.h"
#include "base/assert.h"
#include "storage/state.h"

/* Places in the order of shards are 32 bits wide. */
#define BATCH_SERIES_MAX UINT32_MAX

/* So many series ahead the place of the next one in the map is fetched. */
enum { PREFETCH_AHEAD = 6 };

struct staged {
    struct labels labels;
    const struct sample *samples;
    size_t count;
    uint64_t hash;
};

struct appender {
    struct storage *db;
    struct arena *arena;
    bool refuses_new_series;
    struct staged_list VEC_OF(struct staged) staged;
};

/* The state of one commit. */
struct commit {
    struct appender *app;
    struct append_result *result;
    struct storage_bounds bounds; /* by the clock when the shard at work was locked */
    struct journal_batch batch;
    struct journal_series *accepted; /* [staged.count]; batch.series */
    uint64_t late;                   /* of the shard at work */
    uint64_t stored;
    uint64_t duplicates;
    uint64_t refused[REFUSED_REASON_COUNT];
};

enum status appender_begin(struct storage *db, struct arena *a, struct appender **out,
                           struct error *err)
{
    struct appender *app = arena_calloc(a, 1, sizeof(*app));
    if (!app) return arena_error(a, err);
    app->db = db;
    app->arena = a;
    *out = app;
    return OK;
}

void appender_refuse_new_series(struct appender *app)
{
    app->refuses_new_series = true;
}

enum status appender_add(struct appender *app, struct labels labels, const struct sample *samples,
                         size_t count, struct error *err)
{
    if (labels.count > SERIES_LABELS_MAX)
        return error_set(err, ERR_TOO_LARGE, "series with %zu labels, at most %d are allowed",
                         labels.count, SERIES_LABELS_MAX);
    if (app->staged.count == BATCH_SERIES_MAX)
        return error_set(err, ERR_TOO_LARGE, "more than %u series in one batch", BATCH_SERIES_MAX);
    struct staged *staged = VEC_PUSH(&app->staged, app->arena);
    if (!staged) return arena_error(app->arena, err);
    *staged = (struct staged){
        .labels = labels, .samples = samples, .count = count, .hash = labels_hash(labels)};
    return OK;
}

static void refuse(struct commit *c, const struct staged *staged, const struct sample *sample,
                   enum sample_refusal reason)
{
    struct append_result *result = c->result;
    result->refused[reason]++;
    c->refused[reason]++;
    if (result->example_count == APPEND_EXAMPLES) return;
    result->examples[result->example_count++] =
        (struct append_refusal){.reason = reason, .labels = staged->labels, .sample = *sample};
}

/* Whether the clock lets the sample in; the refusal is counted. */
static bool in_bounds(struct commit *c, const struct staged *staged, const struct sample *sample)
{
    if (sample->t_ms < c->bounds.oldest_ms) {
        refuse(c, staged, sample, REFUSED_TOO_OLD);
        return false;
    }
    if (sample->t_ms > c->bounds.newest_ms) {
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
        return true;
    case CHUNK_APPENDED: c->stored++; return true;
    case CHUNK_DUPLICATE: c->duplicates++; return true;
    case CHUNK_CONFLICT: refuse(c, staged, sample, REFUSED_CONFLICT); return false;
    case SHARD_EXPIRED: refuse(c, staged, sample, REFUSED_TOO_OLD); return false;
    default: refuse(c, staged, sample, REFUSED_NO_MEMORY); return false;
    }
}

/* The series of a staged entry. NULL, and *why every sample of it is to be refused. */
static struct series *find_or_create(struct commit *c, struct shard *sh,
                                     const struct staged *staged, enum sample_refusal *why)
{
    struct storage *db = c->app->db;
    struct series *s = shard_find(sh, staged->hash, staged->labels);
    if (s) return s;
    *why = REFUSED_NEW_SERIES;
    if (c->app->refuses_new_series) return NULL;
    uint64_t live = atomic_fetch_add_explicit(&db->series_live, 1, memory_order_relaxed);
    if (db->options.max_series && live >= db->options.max_series) {
        *why = REFUSED_MAX_SERIES;
    } else {
        s = shard_create_series(sh, staged->hash, staged->labels);
        *why = REFUSED_NO_MEMORY;
    }
    if (!s) atomic_fetch_sub_explicit(&db->series_live, 1, memory_order_relaxed);
    return s;
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

/* Apply one staged series; what was accepted becomes an entry of the batch. */
static enum status apply(struct commit *c, struct shard *sh, const struct staged *staged,
                         struct error *err)
{
    struct series *s = NULL;
    struct accepted list = {.given = staged->samples};
    enum sample_refusal why = REFUSED_REASON_COUNT; /* why there is no series */
    enum status st = OK;
    for (size_t i = 0; i < staged->count && !st; i++) {
        const struct sample *sample = &staged->samples[i];
        if (!in_bounds(c, staged, sample)) continue;
        if (!s && why == REFUSED_REASON_COUNT) s = find_or_create(c, sh, staged, &why);
        if (!s) {
            refuse(c, staged, sample, why);
        } else if (settle(c, staged, sample, shard_add_sample(sh, s, sample, c->app->arena))) {
            st = accept(&list, sample, i, staged, c->app->arena, err);
        }
    }
    if (s && series_is_empty(s)) {
        shard_forget_series(sh, s); /* made for samples of which none found memory */
        atomic_fetch_sub_explicit(&c->app->db->series_live, 1, memory_order_relaxed);
    } else if (list.count > 0) {
        c->accepted[c->batch.series_count++] = (struct journal_series){
            .id = s->id,
            .labels = staged->labels,
            .defined_in = &s->defined_in,
            .samples = list.copy ? list.copy : list.given,
            .sample_count = list.count,
        };
        c->batch.sample_count += list.count;
    }
    return st;
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

/* The indexes of the staged series in order of shard, and where each shard's begin. */
struct shard_order {
    uint32_t *first; /* [shard_count + 1] */
    uint32_t *staged;
};

static uint32_t shard_number(const struct storage *db, uint64_t hash)
{
    return (uint32_t)(hash >> 32) & (db->shard_count - 1);
}

/* false when the arena refuses. */
static bool order_by_shard(const struct appender *app, struct shard_order *order)
{
    const struct storage *db = app->db;
    order->first = arena_calloc(app->arena, db->shard_count + 1, sizeof(*order->first));
    order->staged = arena_alloc_array(app->arena, app->staged.count, sizeof(*order->staged));
    if (!order->first || !order->staged) return false;
    for (size_t i = 0; i < app->staged.count; i++)
        order->first[shard_number(db, app->staged.items[i].hash) + 1]++;
    for (uint32_t n = 0; n < db->shard_count; n++)
        order->first[n + 1] += order->first[n];
    for (size_t i = 0; i < app->staged.count; i++)
        order->staged[order->first[shard_number(db, app->staged.items[i].hash)]++] = (uint32_t)i;
    for (uint32_t n = db->shard_count; n > 0; n--) /* each has moved on to the next one's start */
        order->first[n] = order->first[n - 1];
    order->first[0] = 0;
    return true;
}

static enum status apply_all(struct commit *c, const struct shard_order *order, struct error *err)
{
    struct storage *db = c->app->db;
    const struct staged *staged = c->app->staged.items;
    enum status st = OK;
    for (uint32_t n = 0; n < db->shard_count && !st; n++) {
        struct shard *sh = &db->shards[n];
        if (order->first[n] == order->first[n + 1]) continue;
        rwlock_write_lock(&sh->lock);
        /* Under the lock: a sweep that went by the clock later comes to this shard later, and finds
         * what was let in. */
        c->bounds = storage_bounds(db);
        const uint32_t *at = &order->staged[order->first[n]];
        const uint32_t *end = &order->staged[order->first[n + 1]];
        for (; at < end && !st; at++) {
            if (end - at > PREFETCH_AHEAD) shard_prefetch(sh, staged[at[PREFETCH_AHEAD]].hash);
            st = apply(c, sh, &staged[*at], err);
        }
        count_shard(c, &sh->counters);
        rwlock_write_unlock(&sh->lock);
    }
    return st;
}

enum status appender_commit(struct appender *app, struct append_result *result, struct error *err)
{
    struct storage *db = app->db;
    struct commit c = {.app = app, .result = result};
    struct shard_order order;
    *result = (struct append_result){0};
    if (app->staged.count == 0) return OK;
    c.accepted = arena_alloc_array(app->arena, app->staged.count, sizeof(*c.accepted));
    if (!c.accepted) return arena_error(app->arena, err);
    c.batch.series = c.accepted;
    if (!order_by_shard(app, &order)) return arena_error(app->arena, err);

    struct epoch_pin pin = epoch_enter(&db->epoch);
    enum status st = apply_all(&c, &order, err);
    if (!st && c.batch.sample_count > 0 && db->options.journal.log)
        st = db->options.journal.log(db->options.journal.self, &c.batch, err);
    epoch_leave(&pin);
    return st;
}

void appender_abort(struct appender *app)
{
    (void)app; /* nothing was done yet, and the arena is the caller's */
}
