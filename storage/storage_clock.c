/*
 * storage_clock - what storage does when the clock has jumped (storage/present.h).
 *
 * While nobody knows which time is right, samples of both are taken: windows expire by the one that
 * is believed, and forwards as many are let in as the ring has room for behind them. For what has
 * none senders come again.
 */
#include <inttypes.h>

#include "base/log.h"
#include "storage/staged.h"
#include "storage/window.h"

/* The newest sample, visible or not; INT64_MIN: none. */
static int64_t newest_held_ms(const struct storage *db)
{
    int64_t newest_ms = INT64_MIN;
    for (uint32_t n = 0; n < db->shard_count; n++) {
        for (uint32_t slot = 0; slot < db->grid.slots; slot++) {
            const struct shard_window *w = &db->shards[n].windows[slot];
            if (atomic_load_explicit(&w->chunks, memory_order_relaxed) == 0) continue;
            int64_t t_ms = atomic_load_explicit(&w->t_max_ms, memory_order_relaxed);
            if (t_ms > newest_ms) newest_ms = t_ms;
        }
    }
    return newest_ms;
}

/* The clock is somewhere else. An empty store has nothing to lose by it, and what is held already
 * shows that time has come so far. */
static COLD struct present_time jumped(const struct storage *db, struct present_time now)
{
    bool first = present_doubt(db->present, &now);
    if (atomic_load(&db->present->at_once)) return now; /* it is being filled */
    int64_t newest_ms = newest_held_ms(db);
    if (newest_ms == INT64_MIN)
        present_accept(db->present);
    else if (first)
        present_reach(db->present, &now, newest_ms);
    return present_now(db->present);
}

static struct present_time look(const struct storage *db)
{
    struct present_time now = present_now(db->present);
    return LIKELY(!present_differs(&now)) ? now : jumped(db, now);
}

int64_t storage_now_ms(const struct storage *db)
{
    return look(db).believed_ms;
}

static COLD struct storage_bounds doubtful_bounds(const struct window_grid *grid,
                                                  const struct present_time *now)
{
    struct storage_bounds bounds = window_bounds(grid, now->believed_ms);
    int64_t wall_newest_ms = window_bounds(grid, now->wall_ms).newest_ms;
    int64_t room_ms =
        window_end_ms(grid, bits_add_clamped(bounds.oldest_window, (int64_t)grid->slots - 1));
    int64_t newest_ms = wall_newest_ms < room_ms ? wall_newest_ms : room_ms;
    if (newest_ms > bounds.newest_ms) bounds.newest_ms = newest_ms;
    return bounds;
}

struct storage_bounds storage_bounds(const struct storage *db)
{
    struct present_time now = look(db);
    return LIKELY(!present_differs(&now)) ? window_bounds(&db->grid, now.wall_ms)
                                          : doubtful_bounds(&db->grid, &now);
}

/* The end of the newest window: so far there is room in the ring. */
static int64_t room_ms(const struct storage *db, const struct storage_bounds *bounds)
{
    return window_end_ms(&db->grid, window_of(&db->grid, bounds->newest_ms));
}

int64_t storage_room_ms(const struct storage *db)
{
    struct storage_bounds bounds = storage_bounds(db);
    return room_ms(db, &bounds);
}

void storage_hold_from(struct storage *db, int64_t from_ms)
{
    atomic_store(&db->held_from_ms, from_ms);
}

bool storage_held_is_due(const struct storage *db)
{
    int64_t from_ms = atomic_load_explicit(&db->held_from_ms, memory_order_relaxed);
    return from_ms < INT64_MAX && from_ms <= storage_room_ms(db);
}

struct storage_bounds storage_commit_bounds(const struct storage *db, bool logged)
{
    struct storage_bounds bounds = storage_bounds(db);
    int64_t from_ms = atomic_load_explicit(&db->held_from_ms, memory_order_acquire);
    if (UNLIKELY(logged))
        bounds.newest_ms = room_ms(db, &bounds);
    else if (UNLIKELY(bounds.newest_ms >= from_ms))
        bounds.newest_ms = from_ms - 1;
    return bounds;
}

void storage_resume_at(struct storage *db, int64_t t_ms)
{
    present_believe(db->present, t_ms);
    struct present_time now = present_now(db->present);
    present_hurry(db->present, present_differs(&now));
    db->swept_window = storage_bounds(db).oldest_window;
}

void storage_resumed(struct storage *db)
{
    present_hurry(db->present, false);
    if (newest_held_ms(db) == INT64_MIN) present_accept(db->present);
    struct present_time now = look(db);
    if (!present_differs(&now)) return;
    log_info("clock", "is not where the data ends, and believed when samples say so",
             "offset_ms=%" PRId64 " windows_go_by_ms=%" PRId64,
             bits_sub_clamped(now.wall_ms, now.believed_ms), now.believed_ms);
    db->doubt_told = true;
}

/* Of the samples that the wall clock allows. */
bool storage_log_is_ahead(const struct storage *db, const struct sample *samples, size_t count,
                          int64_t *newest_ms)
{
    struct present_time now = look(db);
    *newest_ms = INT64_MIN;
    if (!present_differs(&now) || now.wall_ms < now.believed_ms) return false;
    int64_t last_ms = window_bounds(&db->grid, now.wall_ms).newest_ms;
    for (size_t i = 0; i < count; i++)
        if (samples[i].t_ms <= last_ms && samples[i].t_ms > *newest_ms)
            *newest_ms = samples[i].t_ms;
    return *newest_ms > bits_add_clamped(now.believed_ms, db->options.future_ms);
}

void storage_hear_log(struct storage *db, int64_t newest_ms)
{
    struct present_time now = look(db);
    if (present_differs(&now)) (void)present_hear(db->present, &now, newest_ms);
}

void storage_reach(struct storage *db, int64_t t_ms)
{
    struct present_time now = look(db);
    if (present_differs(&now)) present_reach(db->present, &now, t_ms);
}

void storage_clock_read(const struct storage *db, struct storage_clock *out)
{
    struct present_time now = present_now(db->present);
    *out = (struct storage_clock){
        .offset_ms = bits_sub_clamped(now.wall_ms, now.believed_ms),
        .jumps = {counter_read(&db->present->jumps_forward),
                  counter_read(&db->present->jumps_back)},
    };
}

void storage_clock_round(struct storage *db)
{
    int64_t believed_ms = storage_now_ms(db);
    present_round(db->present);
    struct storage_clock clock;
    storage_clock_read(db, &clock);
    uint32_t jumps = (uint32_t)(clock.jumps[0] + clock.jumps[1]);
    if (jumps != db->jumps_told)
        log_warn("clock", clock.offset_ms ? "jumped, and is not believed yet" : "jumped",
                 "offset_ms=%" PRId64 " windows_go_by_ms=%" PRId64 " jumps=%" PRIu32,
                 clock.offset_ms, believed_ms, jumps);
    else if (db->doubt_told && !clock.offset_ms)
        log_info("clock", "is believed again", "now_ms=%" PRId64, believed_ms);
    db->jumps_told = jumps;
    db->doubt_told = clock.offset_ms != 0;
}

/* Samples that could be good by one of the two times, or by one in between, are waited for. When
 * the clock went back, those that are newer than both speak for the later time. */
static COLD bool hear(struct storage *db, const struct appender *app,
                      const struct present_time *now)
{
    const struct storage_bounds have = doubtful_bounds(&db->grid, now);
    const struct storage_bounds want = window_bounds(&db->grid, now->wall_ms);
    int64_t oldest_ms = have.oldest_ms < want.oldest_ms ? have.oldest_ms : want.oldest_ms;
    int64_t last_ms = have.newest_ms > want.newest_ms ? have.newest_ms : want.newest_ms;
    int64_t limit_ms = now->wall_ms > now->believed_ms ? last_ms : INT64_MAX;
    int64_t newest_ms = INT64_MIN;
    bool undecided = false;
    for (size_t i = 0; i < app->staged.count; i++) {
        const struct staged *staged = &app->staged.items[i];
        for (size_t s = 0; s < staged->count; s++) {
            int64_t t_ms = staged->samples[s].t_ms;
            if (t_ms < oldest_ms || t_ms > limit_ms) continue;
            if (t_ms > newest_ms) newest_ms = t_ms;
            undecided |= t_ms <= last_ms && (t_ms < have.oldest_ms || t_ms > have.newest_ms);
        }
    }
    if (newest_ms == INT64_MIN) return false;
    return !present_hear(db->present, now, newest_ms) && undecided && app->witness;
}

bool storage_clock_hear(struct storage *db, const struct appender *app)
{
    struct present_time now = look(db);
    if (LIKELY(!present_differs(&now))) return false;
    return (app->witness || atomic_load(&db->present->at_once)) && hear(db, app, &now);
}
