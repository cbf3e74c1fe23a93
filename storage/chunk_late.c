/*
 * chunk - the late run: samples that came after later ones, raw, in order of arrival.
 */
#include "base/assert.h"
#include "storage/chunk_parts.h"
#include "storage/regions.h"

enum {
    LATE_PER_CELL = CELL_WORDS / LATE_WORDS,
    LATE_REWRITE_MIN = 18 * LATE_PER_CELL,   /* shorter runs are not worth a rewrite, */
    LATE_REWRITE_MAX = 4 * LATE_REWRITE_MIN, /* longer ones would take long to search and sort */
    LATE_PRESSED_MAX = 2 * LATE_PER_CELL
};

static void late_store(struct cell *cell, uint32_t slot, int64_t t_ms, uint64_t v_bits)
{
    uint32_t at = slot * LATE_WORDS;
    word_store(cell, at, (uint32_t)t_ms);
    word_store(cell, at + 1, (uint32_t)((uint64_t)t_ms >> 32));
    word_store(cell, at + 2, (uint32_t)v_bits);
    word_store(cell, at + 3, (uint32_t)(v_bits >> 32));
}

static struct sample late_load(const struct cell *cell, uint32_t slot)
{
    uint32_t at = slot * LATE_WORDS;
    uint64_t t = word_load(cell, at) | (uint64_t)word_load(cell, at + 1) << 32;
    uint64_t v_bits = word_load(cell, at + 2) | (uint64_t)word_load(cell, at + 3) << 32;
    return (struct sample){.t_ms = (int64_t)t, .v = bits_to_double(v_bits)};
}

static enum chunk_outcome append_late(struct chunk *c, int64_t t_ms, double v)
{
    uint32_t count = chunk_late_count(c);
    uint32_t slot = count % LATE_PER_CELL;
    if (slot == 0 && chunk_link_cell(c, &c->late_first_cell, &c->late_last_cell) == CELL_NONE)
        return CHUNK_NO_MEMORY;
    late_store(cells_at(c->late_last_cell), slot, t_ms, bits_from_double(v));
    if (t_ms < atomic_load_explicit(&c->late_min_ms, memory_order_relaxed))
        atomic_store_explicit(&c->late_min_ms, t_ms, memory_order_relaxed);
    atomic_store_explicit(&c->late_published, count + 1, memory_order_release);
    return CHUNK_LATE;
}

/* Copy `count` samples of the late run, in order of arrival. */
static void late_copy(const struct chunk *c, uint32_t count, struct sample *out)
{
    const struct cell *cell = cells_at(c->late_first_cell);
    for (uint32_t i = 0; i < count; i++) {
        out[i] = late_load(cell, i % LATE_PER_CELL);
        if (i + 1 < count && (i + 1) % LATE_PER_CELL == 0)
            cell = cells_at(atomic_load_explicit(&cell->next, memory_order_relaxed));
    }
}

/* Look for a time in the late run. */
static bool late_find(const struct chunk *c, int64_t t_ms, double *v)
{
    uint32_t count = chunk_late_count(c);
    if (count == 0) return false;
    const struct cell *cell = cells_at(c->late_first_cell);
    for (uint32_t i = 0; i < count; i++) {
        struct sample sample = late_load(cell, i % LATE_PER_CELL);
        if (sample.t_ms == t_ms) {
            *v = sample.v;
            return true;
        }
        if (i + 1 < count && (i + 1) % LATE_PER_CELL == 0)
            cell = cells_at(atomic_load_explicit(&cell->next, memory_order_relaxed));
    }
    return false;
}

enum chunk_outcome chunk_add_late(struct chunk *c, int64_t t_ms, double v)
{
    double present;
    bool found = false;
    if (late_find(c, t_ms, &present)) return same_or_conflict(present, v);
    enum status st = OK;
    if (c->base)
        st = sealed_find(regions_at(c->base), t_ms, &found, &present);
    else if (t_ms >= c->t_first_ms)
        st = chunk_stream_find(c, t_ms, &found, &present);
    if (st) return CHUNK_NO_MEMORY;
    if (found) return same_or_conflict(present, v);
    return append_late(c, t_ms, v);
}

uint32_t chunk_late_count(const struct chunk *c)
{
    return atomic_load_explicit(&c->late_published, memory_order_acquire);
}

bool chunk_wants_rewrite(const struct chunk *c, bool pressed)
{
    uint32_t late = chunk_late_count(c);
    uint32_t most = (c->base_count + extent_load(c).count) / 8;
    if (most < LATE_REWRITE_MIN) most = LATE_REWRITE_MIN;
    if (most > LATE_REWRITE_MAX) most = LATE_REWRITE_MAX;
    return late >= (pressed ? LATE_PRESSED_MAX : most);
}

/* Sorted by time, by insertion: runs are short and often nearly sorted. */
static void sort_samples(struct sample *samples, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        struct sample moving = samples[i];
        uint32_t hole = i;
        for (; hole > 0 && samples[hole - 1].t_ms > moving.t_ms; hole--)
            samples[hole] = samples[hole - 1];
        samples[hole] = moving;
    }
}

/* Merge sorted late samples into columns[first ..], which has room; from the back, so that nothing
 * is overwritten before it was moved. */
static void merge_late(struct columns *columns, size_t first, const struct sample *late,
                       size_t count)
{
    size_t from = columns->count;
    size_t to = columns->count + count;
    columns->count = to;
    while (count > 0) {
        to--;
        if (from > first && columns->t_ms[from - 1] > late[count - 1].t_ms) {
            from--;
            columns->t_ms[to] = columns->t_ms[from];
            columns->v[to] = columns->v[from];
        } else {
            count--;
            columns->t_ms[to] = late[count].t_ms;
            columns->v[to] = late[count].v;
        }
    }
}

enum status chunk_late_merge(const struct chunk *c, uint32_t count, const int64_t range_ms[2],
                             struct columns *columns, size_t first)
{
    struct sample *late = arena_alloc_array(columns->arena, count, sizeof(*late));
    if (!late) return columns->arena->refused;
    late_copy(c, count, late);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (late[i].t_ms >= range_ms[0] && late[i].t_ms <= range_ms[1]) late[kept++] = late[i];
    }
    sort_samples(late, kept);
    merge_late(columns, first, late, kept);
    return OK;
}
