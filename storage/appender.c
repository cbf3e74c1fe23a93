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
    *out = app;
    return OK;
}

void appender_refuse_new_series(struct appender *app)
{
    app->refuses_new_series = true;
}

struct series *appender_expect(struct appender *app, struct str message, size_t *label_bytes)
{
    app->due = expect_match(&app->expect, app->db, message, label_bytes);
    return app->due;
}

struct series *appender_find(struct appender *app, struct labels labels)
{
    uint64_t hash = labels_hash(labels);
    struct shard *sh = storage_shard(app->db, hash);
    rwlock_read_lock(&sh->lock);
    struct series *s = shard_find(sh, hash, labels);
    rwlock_read_unlock(&sh->lock);
    return s;
}

/* In pieces: between two of them the lock of the shard can be given back. */
static enum status stage(struct appender *app, struct staged entry, struct error *err)
{
    size_t left = entry.count;
    do {
        entry.count = left < STAGED_SAMPLES_MAX ? left : STAGED_SAMPLES_MAX;
        if (app->staged.count == BATCH_SERIES_MAX)
            return error_set(err, ERR_TOO_LARGE, "more than %u series in one batch",
                             BATCH_SERIES_MAX);
        struct staged *staged = VEC_PUSH(&app->staged, app->arena);
        if (!staged) return arena_error(app->arena, err);
        *staged = entry;
        entry.samples += entry.count;
        left -= entry.count;
    } while (left > 0);
    return OK;
}

enum status appender_add_to(struct appender *app, struct series *s, const struct sample *samples,
                            size_t count, struct error *err)
{
    enum status st = stage(app,
                           (struct staged){.series = s,
                                           .samples = samples,
                                           .count = count,
                                           .shard = s->id & (app->db->shard_count - 1)},
                           err);
    if (st || s == app->due) return st;
    app->surprised |= app->staged.count > 1;
    expect_after(&app->expect, app->db, s);
    return OK;
}

enum status appender_add(struct appender *app, struct labels labels, const struct sample *samples,
                         size_t count, struct error *err)
{
    if (labels.count > SERIES_LABELS_MAX)
        return error_set(err, ERR_TOO_LARGE, "series with %zu labels, at most %d are allowed",
                         labels.count, SERIES_LABELS_MAX);
    struct newcomer *newcomer = arena_alloc(app->arena, sizeof(*newcomer));
    if (!newcomer) return arena_error(app->arena, err);
    *newcomer = (struct newcomer){.labels = labels, .hash = labels_hash(labels)};
    app->surprised = true;
    app->expect.count = 0; /* what follows a series without an id is not known */
    return stage(app,
                 (struct staged){.newcomer = newcomer,
                                 .samples = samples,
                                 .count = count,
                                 .shard = storage_shard(app->db, newcomer->hash)->number},
                 err);
}

enum status appender_commit(struct appender *app, struct append_result *result, struct error *err)
{
    enum status st = commit(app, result, err);
    epoch_leave(&app->pin);
    return st;
}

void appender_abort(struct appender *app)
{
    epoch_leave(&app->pin); /* nothing was done yet, and the arena is the caller's */
}
