/* shard_run - moving from window to window, appending, and counting what came of it. */
#include "storage/shard_run.h"

void shard_run_end(struct shard *sh, struct shard_run *run)
{
    if (run->growth.samples == 0) return;
    shard_count_growth(sh, run->slot, &run->growth);
    run->growth = (struct shard_growth){0};
}

/* The run continues in the window of this time, which the shard has entered. */
static void run_enter(const struct shard *sh, struct shard_run *run, int64_t t_ms)
{
    const struct window_grid *grid = sh->common->grid;
    run->window = window_of(grid, t_ms);
    run->slot = window_slot(grid, run->window);
    run->is_last = true;
    for (uint32_t slot = 0; slot < grid->slots; slot++)
        run->is_last = run->is_last && shard_window_in(sh, slot) <= run->window;
    int64_t last_ms = window_end_ms(grid, run->window);
    run->start_ms = window_start_ms(grid, run->window);
    if (run->start_ms < run->bounds.oldest_ms) run->start_ms = run->bounds.oldest_ms;
    if (last_ms > run->bounds.newest_ms) last_ms = run->bounds.newest_ms;
    run->end_ms = bits_add_clamped(last_ms, 1);
}

void shard_run_begin(struct shard *sh, struct shard_run *run, struct storage_bounds bounds)
{
    const struct window_grid *grid = sh->common->grid;
    bool any = run->end_ms != 0;
    int64_t window = run->window;
    *run = (struct shard_run){.bounds = bounds};
    if (any && shard_window_in(sh, window_slot(grid, window)) == window)
        run_enter(sh, run, window_start_ms(grid, window));
}

bool shard_run_move(struct shard *sh, struct shard_run *run, int64_t t_ms)
{
    const struct window_grid *grid = sh->common->grid;
    int64_t window = window_of(grid, t_ms);
    if (t_ms < run->bounds.oldest_ms || t_ms > run->bounds.newest_ms ||
        shard_window_in(sh, window_slot(grid, window)) != window)
        return false;
    shard_run_end(sh, run);
    run_enter(sh, run, t_ms);
    return true;
}

/* These samples, in order of time, are in. */
static void run_count(struct shard_run *run, const struct sample *samples, size_t count)
{
    int64_t first_ms = samples[0].t_ms;
    int64_t last_ms = samples[count - 1].t_ms;
    struct shard_growth *growth = &run->growth;
    if (growth->samples == 0 || first_ms < growth->t_min_ms) growth->t_min_ms = first_ms;
    if (growth->samples == 0 || last_ms > growth->t_max_ms) growth->t_max_ms = last_ms;
    growth->samples += (int64_t)count;
}

static enum chunk_outcome run_add_to(struct shard_run *run, struct chunk *c,
                                     const struct sample *sample, bool absent)
{
    int64_t bytes = (int64_t)chunk_bytes(c);
    int64_t used_bytes = bytes - (int64_t)chunk_spare_bytes(c);
    enum chunk_outcome outcome = chunk_add_known(c, sample, absent);
    int64_t now_bytes = (int64_t)chunk_bytes(c);
    run->growth.chunks.bytes += now_bytes - bytes;
    run->growth.chunks.used_bytes += now_bytes - (int64_t)chunk_spare_bytes(c) - used_bytes;
    return outcome;
}

size_t shard_run_append(struct shard_run *run, struct chunk *c, const struct sample *samples,
                        size_t count)
{
    if (chunk_is_discarded(c) || c->window != run->window || samples[0].t_ms < run->start_ms)
        return 0;
    size_t n = chunk_append_run(c, samples, count, run->end_ms, &run->growth.chunks);
    if (n > 0) run_count(run, samples, n);
    return n;
}

void shard_run_append_runs(struct shard_run *run, struct chunk_run *runs, size_t count)
{
    chunk_runs_append(runs, count, run->end_ms, &run->growth.chunks);
    for (size_t i = 0; i < count; i++)
        if (runs[i].done > 0) run_count(run, runs[i].samples, runs[i].done);
}

bool shard_run_holds(const struct shard_run *run, const struct chunk *c, int64_t t_ms)
{
    return !chunk_is_discarded(c) && c->window == run->window && t_ms >= run->start_ms &&
           t_ms < run->end_ms;
}

int shard_run_add(struct shard *sh, struct shard_run *run, struct series *s,
                  const struct sample *sample, bool absent)
{
    int64_t t_ms = sample->t_ms;
    bool in_run = t_ms >= run->start_ms && t_ms < run->end_ms;
    struct chunk *c = in_run ? series_open_chunk(s, run->slot) : NULL;
    if (c && c->window == run->window && chunk_is_plain(c)) {
        enum chunk_outcome outcome = run_add_to(run, c, sample, absent);
        if (outcome == CHUNK_APPENDED) shard_run_saw(sh, run, s->id, sample);
        if (outcome == CHUNK_APPENDED || outcome == CHUNK_LATE) run_count(run, sample, 1);
        run->growth.waiting += outcome == CHUNK_LATE;
        return (int)outcome;
    }
    shard_run_end(sh, run);
    int outcome = shard_add_sample(sh, s, sample, absent);
    if (outcome != SHARD_EXPIRED) run_enter(sh, run, t_ms);
    if (outcome == CHUNK_LATE && shard_wants_merge(sh, s, run->slot)) {
        run->merge = s;
        run->merge_slot = run->slot;
    }
    return outcome;
}
