/* chunk_runs - to the encoder and back, a chunk at a time. */
#include "storage/chunk_runs.h"

#include "storage/chunk_parts.h"

/* The stream may grow by a run. */
static bool has_room(uint32_t bits)
{
    return bits <= CHUNK_BITS_MAX - OPEN_RUN_SAMPLES_MAX * 64;
}

/* The word that the next bit of the stream goes into; zero where nothing was stored yet. */
static uint32_t word_at_end(struct chunk *c, uint32_t bits)
{
    uint32_t word_bit = bits - bits % WORD_BITS;
    if (word_bit >= c->state.bits) return 0;
    struct chunk_piece piece = chunk_last_piece(c);
    return word_load(&piece.words[(word_bit - piece.first_bit) / WORD_BITS]);
}

static void begin(const struct chunk_run *item, struct stream_extent extent, struct open_run *run)
{
    struct chunk *c = item->chunk;
    bool fits = extent.count > 0 && has_room(extent.bits);
    run->samples = item->samples;
    run->count = fits ? (uint32_t)item->count : 0;
    run->done = 0;
    run->state = c->state;
    run->bits = extent.bits % WORD_BITS;
    run->words[0] = (uint64_t)word_at_end(c, extent.bits) << WORD_BITS;
}

/* Bits up to the last one that is set. */
static uint32_t bits_to_store(const struct open_run *run)
{
    uint32_t word = (run->bits + 63) / 64;
    while (word > 0 && run->words[word - 1] == 0)
        word--;
    return word ? word * 64 - (uint32_t)__builtin_ctzll(run->words[word - 1]) : 0;
}

/* Store the first `count` bits of a run from `bit` of the stream on: in the piece, or behind it. */
static void write_run(struct chunk_piece piece, uint32_t bit, const struct open_run *run,
                      uint32_t count)
{
    for (uint32_t done = 0; done < count; done += WORD_BITS, bit += WORD_BITS) {
        while (UNLIKELY(bit >= piece.end_bit))
            chunk_piece_step(&piece);
        word_store(&piece.words[(bit - piece.first_bit) / WORD_BITS],
                   (uint32_t)(run->words[done / 64] << done % 64 >> WORD_BITS));
    }
}

/* false at the limit, nothing changed. */
static bool put(struct chunk *c, struct stream_extent extent, struct open_run *run)
{
    uint32_t bit = extent.bits - extent.bits % WORD_BITS;
    uint32_t count = bits_to_store(run);
    run->state.bits = c->state.bits;
    if (count > 0 && bit + count > c->state.bits) {
        struct chunk_piece piece = chunk_last_piece(c);
        if (!chunk_extend(c, bit + count)) return false;
        write_run(piece, bit, run, count);
        run->state.bits = bit + count;
    }
    open_move_on(&c->state, &run->state);
    stream_extent_publish(c, extent.count + run->done, bit + run->bits);
    return true;
}

/* What was encoded goes in, and one by one what follows it. */
static size_t append(const struct chunk_run *item, struct stream_extent extent,
                     struct open_run *run, int64_t end_ms, struct chunk_growth *growth)
{
    struct chunk *c = item->chunk;
    uint32_t last_cell = c->last_cell;
    uint32_t bits = c->state.bits;
    size_t done = 0;
    if (run->done > 0 && put(c, extent, run)) {
        done = run->done;
        chunk_has_grown(c, last_cell, bits, growth);
    }
    if (done == item->count) return done;
    return done + chunk_append_run(c, item->samples + done, item->count - done, end_ms, growth);
}

void chunk_runs_append(struct chunk_run *items, size_t count, int64_t end_ms,
                       struct chunk_growth *growth)
{
    open_runs_function *encode = open_runs_avx512();
    if (!encode) encode = open_runs_avx2();
    struct open_run runs[CHUNK_RUNS_MAX];
    struct stream_extent extents[CHUNK_RUNS_MAX];
    DEBUG_ASSERT(count <= CHUNK_RUNS_MAX);
    for (size_t i = 0; i < count; i++) {
        extents[i] = stream_extent_load(items[i].chunk);
        begin(&items[i], extents[i], &runs[i]);
    }
    if (encode) encode(runs, count, end_ms - 1);
    for (size_t i = 0; i < count; i++) {
        bool has_grown = stream_extent_load(items[i].chunk).count != extents[i].count;
        items[i].done = has_grown ? 0 : append(&items[i], extents[i], &runs[i], end_ms, growth);
    }
}
