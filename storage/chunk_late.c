/*
 * chunk - the late run: samples that came after later ones, raw, in order of arrival.
 */
#include "storage/chunk_parts.h"
#include "storage/regions.h"

/* The first cell begins with the side's record. */
enum {
    LATE_WORDS = 4, /* of a sample: t low, t high, v low, v high */
    SIDE_WORDS = sizeof(struct chunk_side) / 4,
    LATE_OF_SIDE = (CELL_WORDS - SIDE_WORDS) / LATE_WORDS,
    LATE_PER_CELL = CELL_WORDS / LATE_WORDS,
    LATE_REWRITE_MIN = 18 * LATE_PER_CELL,   /* shorter runs are not worth a rewrite, */
    LATE_REWRITE_MAX = 4 * LATE_REWRITE_MIN, /* longer ones would take long to search and sort */
    LATE_PRESSED_MAX = 2 * LATE_PER_CELL
};

uint32_t chunk_late_cells(uint32_t count)
{
    if (count <= LATE_OF_SIDE) return 1;
    return 1 + (count - LATE_OF_SIDE + LATE_PER_CELL - 1) / LATE_PER_CELL;
}

struct chunk_side *chunk_side_create(struct chunk *c, uint64_t base)
{
    uint32_t cell = cells_alloc();
    if (cell == CELL_NONE) return NULL;
    struct chunk_side *side = (struct chunk_side *)(void *)cells_at(cell);
    *side = (struct chunk_side){.base = base, .late_last_cell = cell};
    if (base) side->base_count = sealed_sample_count(regions_at(base));
    if (base) side->base_bytes = sealed_bytes(regions_at(base));
    atomic_store_explicit(&c->side, cell, memory_order_release);
    return side;
}

/* A walk along the run: where the next sample is. */
struct late_place {
    const struct cell *cell;
    uint32_t word;
};

static struct late_place late_first(const struct chunk_side *side)
{
    return (struct late_place){.cell = (const struct cell *)(const void *)side, .word = SIDE_WORDS};
}

/* The sample there; the walk goes on. */
static struct sample late_next(struct late_place *at)
{
    if (at->word + LATE_WORDS > CELL_WORDS) {
        at->cell = cells_at(atomic_load_explicit(&at->cell->next, memory_order_acquire));
        at->word = 0;
    }
    const _Atomic uint32_t *words = &at->cell->words[at->word];
    uint64_t t = word_load(words) | (uint64_t)word_load(words + 1) << 32;
    uint64_t v_bits = word_load(words + 2) | (uint64_t)word_load(words + 3) << 32;
    at->word += LATE_WORDS;
    return (struct sample){.t_ms = (int64_t)t, .v = bits_to_double(v_bits)};
}

/* Where the sample behind `count` others goes; NULL at the limit. */
static _Atomic uint32_t *late_room(struct chunk_side *side, uint32_t count)
{
    struct cell *last = cells_at(side->late_last_cell);
    if (count < LATE_OF_SIDE) return &last->words[SIDE_WORDS + (size_t)count * LATE_WORDS];
    uint32_t slot = (count - LATE_OF_SIDE) % LATE_PER_CELL;
    if (slot > 0) return &last->words[(size_t)slot * LATE_WORDS];
    uint32_t fresh = cells_alloc();
    if (fresh == CELL_NONE) return NULL;
    atomic_store_explicit(&last->next, fresh, memory_order_release);
    side->late_last_cell = fresh;
    return cells_at(fresh)->words;
}

static enum chunk_outcome append_late(struct chunk *c, int64_t t_ms, double v)
{
    struct chunk_side *side = chunk_side(c);
    if (!side) side = chunk_side_create(c, 0);
    if (!side) return CHUNK_NO_MEMORY;
    uint32_t count = late_count(side);
    uint64_t v_bits = bits_from_double(v);
    _Atomic uint32_t *words = late_room(side, count);
    if (!words) return CHUNK_NO_MEMORY;
    word_store(words, (uint32_t)t_ms);
    word_store(words + 1, (uint32_t)((uint64_t)t_ms >> 32));
    word_store(words + 2, (uint32_t)v_bits);
    word_store(words + 3, (uint32_t)(v_bits >> 32));
    atomic_store_explicit(&side->late_count, count + 1, memory_order_release);
    return CHUNK_LATE;
}

/* Look for a time in the late run. */
static bool late_find(const struct chunk *c, int64_t t_ms, double *v)
{
    const struct chunk_side *side = chunk_side(c);
    if (!side) return false;
    struct late_place at = late_first(side);
    for (uint32_t left = late_count(side); left > 0; left--) {
        struct sample sample = late_next(&at);
        if (sample.t_ms != t_ms) continue;
        *v = sample.v;
        return true;
    }
    return false;
}

enum chunk_outcome chunk_add_absent(struct chunk *c, int64_t t_ms, double v)
{
    double present;
    if (late_find(c, t_ms, &present)) return same_or_conflict(present, v);
    return append_late(c, t_ms, v);
}

enum chunk_outcome chunk_add_late(struct chunk *c, int64_t t_ms, double v)
{
    double present;
    bool found = false;
    uint64_t base = chunk_base(c);
    if (late_find(c, t_ms, &present)) return same_or_conflict(present, v);
    enum status st = base ? sealed_find(regions_at(base), t_ms, &found, &present)
                          : chunk_stream_find(c, t_ms, &found, &present);
    if (st) return CHUNK_NO_MEMORY;
    if (found) return same_or_conflict(present, v);
    return append_late(c, t_ms, v);
}

uint32_t chunk_late_count(const struct chunk *c)
{
    const struct chunk_side *side = chunk_side(c);
    return side ? late_count(side) : 0;
}

bool chunk_wants_rewrite(const struct chunk *c, bool pressed)
{
    const struct chunk_side *side = chunk_side(c);
    if (!side) return false;
    uint32_t late = late_count(side);
    uint32_t most = (chunk_sample_count(c) - late) / 8;
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

enum status chunk_late_merge(const struct chunk_side *side, uint32_t count,
                             const int64_t range_ms[2], struct columns *columns, size_t first)
{
    struct sample *late = arena_alloc_array(columns->arena, count, sizeof(*late));
    struct late_place at = late_first(side);
    uint32_t kept = 0;
    if (!late) return columns->arena->refused;
    for (; count > 0; count--) {
        struct sample sample = late_next(&at);
        if (sample.t_ms >= range_ms[0] && sample.t_ms <= range_ms[1]) late[kept++] = sample;
    }
    sort_samples(late, kept);
    merge_late(columns, first, late, kept);
    return OK;
}
