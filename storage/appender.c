/*
 * appender - finding series, and staging their samples on the caller's arena.
 *
 * It stays inside an epoch from begin to the end, so that series that were found stay readable, and
 * what the journal is shown, too. storage/commit.c applies what was staged.
 */
#include "storage/appender.h"

#include "storage/commit.h"

/* Places in the order of shards are 32 bits wide. */
#define BATCH_SERIES_MAX UINT32_MAX

enum status appender_begin(struct storage *db, struct arena *a, struct appender **out,
                           struct error *err)
{
    struct appender *app = arena_calloc(a, 1, sizeof(*app));
    if (!app) return arena_error(a, err);
    app->db = db;
    app->arena = a;
    app->pin = epoch_enter(&db->epoch);
    resolver_init(&app->resolver, &db->symbols, a);
    *out = app;
    return OK;
}

void appender_refuse_new_series(struct appender *app)
{
    app->refuses_new_series = true;
}

void appender_is_witness(struct appender *app)
{
    app->witness = true;
}

void appender_is_logged(struct appender *app)
{
    app->logged = true;
}

struct series *appender_expect(struct appender *app, struct str message, size_t *label_bytes)
{
    app->due = expect_match(&app->expect, app->db, message, label_bytes);
    return app->due;
}

/* New series come in runs, and looking for one that is not there is a fifth of what making it
 * takes; commit looks anyway, when memory has been asked for ahead. So in a run only some are
 * looked for, to see its end. */
static bool leave_to_commit(const struct appender *app)
{
    enum { RUN_MIN = 8, LOOKS_APART = 8 };
    return app->newcomer_run >= RUN_MIN && app->newcomer_run % LOOKS_APART != 0;
}

struct series *appender_find(struct appender *app, struct labels labels)
{
    struct resolved set;
    if (leave_to_commit(app)) return NULL;
    /* What the arena refuses now it will refuse again when the labels are added. */
    if (!resolve(&app->resolver, labels, &set) || !set.complete) return NULL;
    struct shard *sh = storage_shard(app->db, set.hash);
    rwlock_read_lock(&sh->lock);
    struct series *s = shard_find(sh, &set);
    rwlock_read_unlock(&sh->lock);
    return s;
}

/* In pieces: between two of them the lock of the shard can be given back. Each is written where it
 * lies: a copy of one made elsewhere would wait for its stores to arrive. */
static ALWAYS_INLINE enum status stage(struct appender *app, struct staged entry, size_t count,
                                       struct error *err)
{
    do {
        if (app->staged.count == BATCH_SERIES_MAX)
            return error_set(err, ERR_TOO_LARGE, "more than %u series in one batch",
                             BATCH_SERIES_MAX);
        struct staged *staged = VEC_PUSH(&app->staged, app->arena);
        if (!staged) return arena_error(app->arena, err);
        staged->series = entry.series;
        staged->chunk = entry.chunk;
        staged->newcomer = entry.newcomer;
        staged->samples = entry.samples;
        staged->count = count < STAGED_SAMPLES_MAX ? (uint32_t)count : STAGED_SAMPLES_MAX;
        staged->id = entry.id;
        entry.samples += staged->count;
        count -= staged->count;
    } while (UNLIKELY(count > 0));
    return OK;
}

static void enter_window(struct appender *app, int64_t t_ms)
{
    const struct window_grid *grid = &app->db->grid;
    int64_t window = window_of(grid, t_ms);
    app->window = (struct staged_window){.start_ms = window_start_ms(grid, window),
                                         .end_ms = bits_add_clamped(window_end_ms(grid, window), 1),
                                         .slot = window_slot(grid, window)};
}

/* The open chunk that a sample of this time would go into now. The series has just been looked at;
 * when its shard is locked, memory has long forgotten it. */
static ALWAYS_INLINE struct chunk *chunk_now(struct appender *app, const struct series *s,
                                             int64_t t_ms)
{
    if (UNLIKELY(t_ms < app->window.start_ms || t_ms >= app->window.end_ms))
        enter_window(app, t_ms);
    return series_open_chunk(s, app->window.slot);
}

static ALWAYS_INLINE enum status stage_known(struct appender *app, struct series *s,
                                             const struct sample *samples, size_t count,
                                             struct error *err)
{
    struct staged entry = {.series = s, .samples = samples, .id = s->id};
    if (LIKELY(count > 0)) entry.chunk = chunk_now(app, s, samples[0].t_ms);
    app->newcomer_run = 0;
    return stage(app, entry, count, err);
}

enum status appender_add_known(struct appender *app, struct series *s, const struct sample *samples,
                               size_t count, struct error *err)
{
    return stage_known(app, s, samples, count, err);
}

enum status appender_add_to(struct appender *app, struct series *s, const struct sample *samples,
                            size_t count, struct error *err)
{
    enum status st = stage_known(app, s, samples, count, err);
    if (LIKELY(st || s == app->due)) return st;
    app->surprised |= app->staged.count > 1;
    expect_after(&app->expect, app->db, s);
    return OK;
}

/* A flood of series that are all refused must not make and drop symbols. */
static bool may_create(const struct appender *app)
{
    const struct storage *db = app->db;
    if (app->refuses_new_series) return false;
    return !db->max_series ||
           atomic_load_explicit(&db->series_live, memory_order_relaxed) < db->max_series;
}

struct newcomer *newcomer_create(struct appender *app, struct labels labels)
{
    struct newcomer *newcomer = arena_alloc(app->arena, sizeof(*newcomer));
    if (!newcomer || !resolve(&app->resolver, labels, &newcomer->set)) return NULL;
    struct symbol **symbols = newcomer->set.symbols;
    newcomer->refers =
        may_create(app) && symbols_acquire_next(&app->db->symbols, &app->credits, labels, symbols);
    if (!resolved_keep(&newcomer->set, app->arena)) {
        if (newcomer->refers) symbols_drop(&app->db->symbols, symbols, labels.count);
        return NULL;
    }
    newcomer->made = newcomer->refers ? series_create(&newcomer->set, app->db->grid.slots) : NULL;
    newcomer->next = app->newcomers;
    app->newcomers = newcomer;
    return newcomer;
}

void newcomers_release(struct appender *app)
{
    for (struct newcomer *n = app->newcomers; n; n = n->next) {
        if (n->refers) symbols_drop(&app->db->symbols, n->set.symbols, n->set.labels.count);
        if (n->made) series_destroy(n->made);
        n->refers = false;
        n->made = NULL;
    }
    symbols_settle(&app->db->symbols, &app->credits);
}

enum status appender_add(struct appender *app, struct labels labels, const struct sample *samples,
                         size_t count, struct error *err)
{
    if (labels.count > SERIES_LABELS_MAX)
        return error_set(err, ERR_TOO_LARGE, "series with %zu labels, at most %d are allowed",
                         labels.count, SERIES_LABELS_MAX);
    struct newcomer *newcomer = newcomer_create(app, labels);
    if (!newcomer) return arena_error(app->arena, err);
    app->newcomer_run++;
    app->surprised = true;
    app->expect.count = 0; /* what follows a series without an id is not known */
    return stage(app,
                 (struct staged){.newcomer = newcomer,
                                 .samples = samples,
                                 .id = storage_shard(app->db, newcomer->set.hash)->number},
                 count, err);
}

enum status appender_commit(struct appender *app, struct append_result *result, struct error *err)
{
    enum status st = commit(app, result, err);
    newcomers_release(app);
    epoch_leave(&app->pin);
    return st;
}

void appender_abort(struct appender *app)
{
    newcomers_release(app);
    epoch_leave(&app->pin);
}
