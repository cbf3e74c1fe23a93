/*
 * chunk - life, size, and the stream growing at the end.
 *
 * The last word of the stream is written again with every sample; readers never look past the bits
 * that were published with their count.
 */
#include "storage/chunk.h"

#include <string.h>

#include "base/assert.h"
#include "storage/chunk_parts.h"

struct chunk *chunk_create_over(int64_t window, uint64_t base)
{
    struct chunk *c = heap_alloc_cell(HEAP_CHUNKS);
    if (!c) return NULL;
    memset(c, 0, sizeof(*c));
    c->window = window;
    if (base && !chunk_side_create(c, base)) {
        heap_free_cell(c, HEAP_CHUNKS);
        return NULL;
    }
    return c;
}

struct chunk *chunk_create(int64_t window)
{
    return chunk_create_over(window, 0);
}

void chunk_destroy(struct chunk *c)
{
    if (!c) return;
    cells_free_chain(atomic_load_explicit(&c->next, memory_order_relaxed));
    cells_free_chain(atomic_load_explicit(&c->side, memory_order_relaxed));
    heap_free_cell(c, HEAP_CHUNKS);
}

bool chunk_extend(struct chunk *c, uint32_t bits)
{
    uint32_t first = CELL_NONE;
    uint32_t last = CELL_NONE;
    for (uint32_t n = stream_cells(bits) - stream_cells(c->state.bits); n > 0; n--) {
        uint32_t fresh = cells_alloc();
        if (fresh == CELL_NONE) {
            cells_free_chain(first);
            return false;
        }
        memset(cells_at(fresh), 0, CELL_PAYLOAD_BYTES);
        atomic_store_explicit(&cells_at(fresh)->next, first, memory_order_relaxed);
        if (first == CELL_NONE) last = fresh;
        first = fresh;
    }
    if (first == CELL_NONE) return true;
    _Atomic uint32_t *link = c->last_cell == CELL_NONE ? &c->next : &cells_at(c->last_cell)->next;
    c->last_cell = last;
    atomic_store_explicit(link, first, memory_order_release);
    return true;
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

/* Write the first `count` bits of a sample at bit `at` of the stream: in the piece, or behind it.
 */
static void write_bits(struct chunk_piece piece, uint32_t at, const struct sample_bits *bits,
                       uint32_t count)
{
    while (at >= piece.end_bit)
        chunk_piece_step(&piece);
    _Atomic uint32_t *word = &piece.words[(at - piece.first_bit) / WORD_BITS];
    uint32_t used = at % WORD_BITS;
    word_store(word, word_load(word) | bits_at(bits, 0) >> used);
    for (uint32_t done = WORD_BITS - used; done < count; done += WORD_BITS) {
        word++;
        if (at + done == piece.end_bit) {
            chunk_piece_step(&piece);
            word = piece.words;
        }
        word_store(word, bits_at(bits, done));
    }
}

/* The same for a sample of few bits when the last piece has room for three words: all of them are
 * written, since hardly anybody can foretell how many it will be. */
static ALWAYS_INLINE bool write_few(struct chunk *c, uint32_t at, const struct open_few *few)
{
    enum { ROOM_BITS = 3 * WORD_BITS };
    struct chunk_piece piece = chunk_last_piece(c);
    if (UNLIKELY((uint64_t)at + ROOM_BITS > piece.end_bit)) return false;
    _Atomic uint32_t *word = &piece.words[(at - piece.first_bit) / WORD_BITS];
    uint32_t used = at % WORD_BITS;
    uint64_t first = few->bits >> used;
    word_store(word, word_load(word) | (uint32_t)(first >> WORD_BITS));
    word_store(word + 1, (uint32_t)first);
    word_store(word + 2, (uint32_t)(few->bits << (WORD_BITS - used)));
    return true;
}

/* How many bits of a sample at bit `at` have to be stored: up to the last one, as a stream that is
 * loaded has them. Of the first sample all. */
static uint32_t stored_bits(uint32_t at, const struct sample_bits *bits)
{
    if (at == 0) return bits->count;
    uint32_t word = SAMPLE_BITS_WORDS - 1;
    while (word > 0 && bits->words[word] == 0)
        word--;
    return word * 64 + 64 - (uint32_t)__builtin_ctzll(bits->words[word]);
}

/* Put the first `count` bits of a sample behind the stream, in as many cells as it takes. */
static NO_INLINE bool write_more(struct chunk *c, uint32_t at, const struct sample_bits *bits,
                                 uint32_t count)
{
    struct chunk_piece piece = chunk_last_piece(c);
    if (!chunk_extend(c, at + count)) return false;
    write_bits(piece, at, bits, count);
    return true;
}

static NO_INLINE enum chunk_outcome append_any(struct chunk *c, struct stream_extent extent,
                                               int64_t t_ms, double v)
{
    struct open_state after = c->state;
    struct sample_bits bits;
    after.bits = extent.bits;
    open_encode(&after, t_ms, v, &bits);
    uint32_t stored = stored_bits(extent.bits, &bits);
    if (!write_more(c, extent.bits, &bits, stored)) return CHUNK_NO_MEMORY;
    after.bits = extent.bits + stored;
    open_move_on(&c->state, &after);
    stream_extent_publish(c, extent.count + 1, extent.bits + bits.count);
    return CHUNK_APPENDED;
}

/* A sample that may be the next one, on time, with the value of the last one: false when it is not;
 * nothing has happened then. */
static ALWAYS_INLINE bool append_repeat(struct chunk *c, int64_t t_ms, double v)
{
    uint64_t published = atomic_load_explicit(&c->published, memory_order_relaxed);
    if (!open_repeats(&c->state, t_ms, v) || (uint32_t)published > CHUNK_BITS_MAX) return false;
    open_take_repeat(&c->state, t_ms);
    atomic_store_explicit(&c->published, published + (UINT64_C(1) << 32 | 1), memory_order_release);
    return true;
}

/* No copy of the state is made: reading in one piece what was just written in several, the CPU has
 * to wait until it has arrived. */
static ALWAYS_INLINE enum chunk_outcome append(struct chunk *c, int64_t t_ms, double v)
{
    struct stream_extent extent = stream_extent_load(c);
    struct open_few few;
    if (append_repeat(c, t_ms, v)) return CHUNK_APPENDED;
    if (extent.bits > CHUNK_BITS_MAX) return CHUNK_NO_MEMORY;
    if (!open_encode_few(&c->state, t_ms, v, &few)) return append_any(c, extent, t_ms, v);
    uint32_t stored = 64 - (uint32_t)__builtin_ctzll(few.bits);
    if (!write_few(c, extent.bits, &few)) {
        struct sample_bits bits = {.words = {few.bits}, .count = few.count};
        if (!write_more(c, extent.bits, &bits, stored)) return CHUNK_NO_MEMORY;
    }
    open_take_few(&c->state, t_ms, v, &few, extent.bits + stored);
    stream_extent_publish(c, extent.count + 1, extent.bits + few.count);
    return CHUNK_APPENDED;
}

enum chunk_outcome chunk_append(struct chunk *c, int64_t t_ms, double v)
{
    return append(c, t_ms, v);
}

size_t chunk_append_run(struct chunk *c, const struct sample *samples, size_t count, int64_t end_ms,
                        struct chunk_growth *growth)
{
    uint32_t bits = c->state.bits;
    uint32_t last_cell = c->last_cell;
    size_t n = 0;
    if (UNLIKELY(!chunk_is_plain(c)) && stream_extent_load(c).count == 0)
        return 0; /* over a base */
    for (; n < count; n++) {
        int64_t t_ms = samples[n].t_ms;
        if (t_ms <= c->state.t_ms || t_ms >= end_ms) break;
        if (append(c, t_ms, samples[n].v) != CHUNK_APPENDED) break;
    }
    chunk_has_grown(c, last_cell, bits, growth);
    return n;
}

enum chunk_outcome chunk_add(struct chunk *c, int64_t t_ms, double v)
{
    if (stream_extent_load(c).count == 0)
        return chunk_base(c) ? chunk_add_late(c, t_ms, v) : chunk_append(c, t_ms, v);
    if (t_ms > c->state.t_ms) return chunk_append(c, t_ms, v);
    if (t_ms == c->state.t_ms) return same_or_conflict(bits_to_double(c->state.v_bits), v);
    return chunk_add_late(c, t_ms, v);
}

uint32_t chunk_sample_count(const struct chunk *c)
{
    const struct chunk_side *side = chunk_side(c);
    uint32_t count = stream_extent_load(c).count;
    return side ? count + side->base_count + late_count(side) : count;
}

uint64_t chunk_bytes(const struct chunk *c)
{
    const struct chunk_side *side = chunk_side(c);
    uint32_t cells = stream_cells(c->state.bits);
    if (side) cells += chunk_late_cells(late_count(side));
    return sizeof(*c) + (uint64_t)cells * CELL_BYTES;
}

uint64_t chunk_base_bytes(const struct chunk *c)
{
    const struct chunk_side *side = chunk_side(c);
    return side ? side->base_bytes : 0;
}

uint64_t chunk_spare_bytes(const struct chunk *c)
{
    const struct chunk_side *side = chunk_side(c);
    uint64_t bytes =
        chunk_bytes(c) - offsetof(struct chunk, words) - (uint64_t)stream_bytes_used(c->state.bits);
    return side ? bytes - sizeof(*side) - late_count(side) * sizeof(struct sample) : bytes;
}

void chunk_prefetch(const struct chunk *c)
{
    __builtin_prefetch(c, 1);
}

void chunk_prefetch_end(const struct chunk *c)
{
    uint32_t at = stream_extent_load(c).bits;
    if (at - c->state.bits >= WORD_BITS) return; /* the last ones were repeats: so will this be */
    const _Atomic uint32_t *words = c->words;
    if (c->last_cell != CELL_NONE) {
        words = cells_at(c->last_cell)->words;
        at = (at - CHUNK_BITS) % CELL_BITS;
    }
    __builtin_prefetch((const void *)&words[at / WORD_BITS], 1);
}

/* The cells are there, what is stored is as much as the state says, and zeros behind it. */
static void check_stored(const struct chunk *c, struct stream_extent extent)
{
    uint32_t cells = 0;
    ASSERT(c->state.bits <= extent.bits);
    for (uint32_t i = atomic_load(&c->next); i != CELL_NONE; i = atomic_load(&cells_at(i)->next)) {
        ASSERT(atomic_load(&cells_at(i)->next) != CELL_NONE || i == c->last_cell);
        cells++;
    }
    ASSERT(cells == stream_cells(c->state.bits));
    for (uint32_t at = c->state.bits; at < CHUNK_BITS; at += WORD_BITS - at % WORD_BITS)
        ASSERT(word_load(&c->words[at / WORD_BITS]) << at % WORD_BITS == 0);
}

static void check_side(const struct chunk *c)
{
    const struct chunk_side *side = chunk_side(c);
    uint32_t cells = 0;
    if (!side) return;
    ASSERT(side->base || late_count(side) > 0);
    ASSERT(!side->base || stream_extent_load(c).count == 0);
    for (uint32_t i = c->side; i != CELL_NONE; i = atomic_load(&cells_at(i)->next))
        cells++;
    ASSERT(cells == chunk_late_cells(late_count(side)));
}

void chunk_check(const struct chunk *c)
{
    struct stream_extent extent = stream_extent_load(c);
    struct open_state state;
    uint32_t count = extent.count;
    check_stored(c, extent);
    check_side(c);
    if (extent.count == 0) return;
    uint8_t *bytes = heap_alloc(stream_bytes(extent), HEAP_CHUNKS);
    if (!bytes) return;
    chunk_stream_copy(c, extent, bytes);
    ASSERT(open_decode(bytes, stream_bytes(extent), &count, NULL, NULL, &state) == OK);
    ASSERT(state.t_ms == c->state.t_ms && state.v_bits == c->state.v_bits);
    ASSERT(state.bits == extent.bits);
    heap_free(bytes, stream_bytes(extent), HEAP_CHUNKS);
}
