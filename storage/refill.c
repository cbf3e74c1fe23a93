/* refill - one shard locked after the other, one run of samples each time. */
#include "storage/refill.h"

#include "base/compiler.h"
#include "storage/shard_run.h"
#include "storage/state.h"

struct refill {
    struct storage *db;
    struct shard *shard; /* locked; NULL: none */
    struct shard_run run;
    uint64_t appended; /* since the lock was taken, */
    uint64_t total;    /* and before */
};

struct refill *refill_begin(struct storage *db, struct arena *a)
{
    struct refill *r = arena_calloc(a, 1, sizeof(*r));
    if (r) r->db = db;
    return r;
}

void refill_pause(struct refill *r)
{
    struct shard *sh = r->shard;
    if (!sh) return;
    shard_run_end(sh, &r->run);
    counter_add(&sh->counters.samples_appended, r->appended);
    r->total += r->appended;
    r->appended = 0;
    r->shard = NULL;
    rwlock_write_unlock(&sh->lock);
}

static NO_INLINE void enter(struct refill *r, struct shard *sh)
{
    refill_pause(r);
    rwlock_write_lock(&sh->lock);
    shard_run_begin(sh, &r->run, storage_commit_bounds(r->db, true));
    r->shard = sh;
}

/* The open chunk of the series in the window that the run is in. */
static ALWAYS_INLINE struct chunk *chunk_of(const struct refill *r, const struct series *s)
{
    return series_open_chunk(s, r->run.slot);
}

/* The word of the window may be in another line than the id. */
void refill_prefetch_series(const struct refill *r, const struct series *s)
{
    __builtin_prefetch(&s->id);
    __builtin_prefetch((const void *)&s->ring[r->run.slot]);
}

void refill_prefetch_chunk(const struct refill *r, const struct series *s)
{
    chunk_prefetch(chunk_of(r, s));
}

void refill_prefetch_end(const struct refill *r, const struct series *s)
{
    const struct chunk *c = chunk_of(r, s);
    if (c) chunk_prefetch_end(c);
}

size_t refill_append(struct refill *r, const struct series *s, const struct sample *samples,
                     size_t count)
{
    struct shard *sh = storage_shard_of(r->db, s->id);
    int64_t t_ms = samples[0].t_ms;
    if (UNLIKELY(sh != r->shard)) enter(r, sh);
    if (UNLIKELY(t_ms < r->run.start_ms || t_ms >= r->run.end_ms) &&
        !shard_run_move(sh, &r->run, t_ms))
        return 0;
    struct chunk *c = chunk_of(r, s);
    size_t done = c ? shard_run_append(&r->run, c, samples, count) : 0;
    if (LIKELY(done > 0)) shard_run_saw(sh, &r->run, s->id, &samples[done - 1]);
    r->appended += done;
    return done;
}

uint64_t refill_end(struct refill *r)
{
    refill_pause(r);
    return r->total;
}
