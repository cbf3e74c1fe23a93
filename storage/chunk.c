/*
 * chunk - life, size, and the stream growing at the end.
 *
 * The last word of the stream is written again with every sample; readers never look past the bits
 * that were published with their count.
 */
#include "storage/chunk.h"

#include "base/assert.h"
#include "storage/chunk_parts.h"
#include "storage/regions.h"

struct chunk *chunk_create_over(int64_t window, uint64_t base)
{
    struct chunk *c = heap_calloc(1, sizeof(*c), HEAP_CHUNKS);
    if (!c) return NULL;
    c->window = window;
    c->base = base;
    if (base) c->base_count = sealed_sample_count(regions_at(base));
    if (base) c->base_bytes = sealed_bytes(regions_at(base));
    atomic_init(&c->late_min_ms, INT64_MAX);
    return c;
}

struct chunk *chunk_create(int64_t window)
{
    return chunk_create_over(window, 0);
}

void chunk_destroy(struct chunk *c)
{
    if (!c) return;
    cells_free_chain(c->first_cell);
    cells_free_chain(c->late_first_cell);
    heap_free(c, sizeof(*c), HEAP_CHUNKS);
}

uint32_t chunk_link_cell(struct chunk *c, uint32_t *first, uint32_t *last)
{
    uint32_t index = cells_alloc();
    if (index == CELL_NONE) return CELL_NONE;
    if (*first == CELL_NONE)
        *first = index;
    else
        atomic_store_explicit(&cells_at(*last)->next, index, memory_order_relaxed);
    *last = index;
    c->cell_count++;
    return index;
}

/* 32 bits of the sample from bit `position` on; zeros behind its end. */
static uint32_t bits_at(const struct sample_bits *bits, uint32_t position)
{
    uint32_t word = position / 64;
    uint32_t shift = position % 64;
    uint64_t value = bits->words[word] << shift;
    if (shift > WORD_BITS && word + 1 < SAMPLE_BITS_WORDS)
        value |= bits->words[word + 1] >> (64 - shift);
    return (uint32_t)(value >> WORD_BITS);
}

/* Write the bits of a sample at bit `at` of the stream; the cells are there: the one that holds bit
 * `at`, and its successor when they do not fit. */
static void write_bits(struct cell *cell, uint32_t at, const struct sample_bits *bits)
{
    uint32_t index = at % CELL_BITS / WORD_BITS;
    uint32_t used = at % WORD_BITS;
    uint32_t word = bits_at(bits, 0) >> used;
    if (used) word |= word_load(cell, index);
    word_store(cell, index, word);
    for (uint32_t done = WORD_BITS - used; done < bits->count; done += WORD_BITS) {
        if (++index == CELL_WORDS) {
            cell = cells_at(atomic_load_explicit(&cell->next, memory_order_relaxed));
            index = 0;
        }
        word_store(cell, index, bits_at(bits, done));
    }
}

enum chunk_outcome chunk_append(struct chunk *c, int64_t t_ms, double v)
{
    struct open_state state = c->state;
    struct sample_bits bits;
    uint32_t at = state.bits;
    if (at > UINT32_MAX - SAMPLE_BITS_MAX) return CHUNK_NO_MEMORY;
    open_encode(&state, t_ms, v, &bits);

    uint32_t cell = c->last_cell; /* holds bit `at`, unless that starts a new one */
    uint32_t room = at % CELL_BITS ? CELL_BITS - at % CELL_BITS : 0;
    if (bits.count > room) {
        uint32_t fresh = chunk_link_cell(c, &c->first_cell, &c->last_cell);
        if (fresh == CELL_NONE) return CHUNK_NO_MEMORY;
        if (room == 0) cell = fresh;
    }
    write_bits(cells_at(cell), at, &bits);
    if (state.count == 1) c->t_first_ms = t_ms;
    c->state = state;
    extent_publish(c, state.count, state.bits);
    return CHUNK_APPENDED;
}

enum chunk_outcome chunk_add(struct chunk *c, int64_t t_ms, double v)
{
    if (c->base) return chunk_add_late(c, t_ms, v);
    if (c->state.count == 0 || t_ms > c->state.t_ms) return chunk_append(c, t_ms, v);
    if (t_ms == c->state.t_ms) return same_or_conflict(bits_to_double(c->state.v_bits), v);
    return chunk_add_late(c, t_ms, v);
}

uint32_t chunk_sample_count(const struct chunk *c)
{
    return c->base_count + extent_load(c).count + chunk_late_count(c);
}

uint64_t chunk_bytes(const struct chunk *c)
{
    return (uint64_t)c->cell_count * CELL_BYTES + c->base_bytes;
}

void chunk_prefetch(const struct chunk *c)
{
    for (size_t at = 0; at < sizeof(*c); at += CACHE_LINE_BYTES)
        __builtin_prefetch((const char *)c + at);
}

void chunk_prefetch_end(const struct chunk *c)
{
    uint32_t index = c->state.bits % CELL_BITS / WORD_BITS;
    if (c->last_cell != CELL_NONE) __builtin_prefetch(&cells_at(c->last_cell)->words[index]);
}

bool chunk_is_plain(const struct chunk *c)
{
    return !c->base && chunk_late_count(c) == 0;
}

uint64_t chunk_spare_bytes(const struct chunk *c)
{
    uint64_t late_bytes = (uint64_t)chunk_late_count(c) * LATE_WORDS * sizeof(uint32_t);
    return (uint64_t)c->cell_count * CELL_BYTES - (c->state.bits + 7) / 8 - late_bytes;
}

void chunk_check(const struct chunk *c)
{
    struct extent extent = extent_load(c);
    uint32_t cells = 0;
    ASSERT(extent.count == c->state.count && extent.bits == c->state.bits);
    for (uint32_t i = c->first_cell; i != CELL_NONE; i = atomic_load(&cells_at(i)->next))
        cells++;
    ASSERT(cells == (extent.bits + CELL_BITS - 1) / CELL_BITS);
    for (uint32_t i = c->late_first_cell; i != CELL_NONE; i = atomic_load(&cells_at(i)->next))
        cells++;
    ASSERT(cells == c->cell_count);
    ASSERT(!c->base || extent.count == 0);
    if (extent.count == 0) return;
    uint8_t *bytes = heap_alloc(stream_bytes(extent), HEAP_CHUNKS);
    struct open_state state;
    if (!bytes) return;
    chunk_stream_copy(c, extent, bytes);
    ASSERT(open_decode(bytes, stream_bytes(extent), extent.count, NULL, NULL, &state) == OK);
    ASSERT(state.t_ms == c->state.t_ms && state.v_bits == c->state.v_bits);
    heap_free(bytes, stream_bytes(extent), HEAP_CHUNKS);
}
