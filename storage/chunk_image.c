/*
 * chunk - the stream as bytes for a snapshot, and back.
 */
#include <endian.h>
#include <string.h>

#include "storage/chunk_parts.h"

bool chunk_read_end(const struct chunk *c, struct chunk_end *end)
{
    struct stream_extent extent = stream_extent_load(c);
    if (!chunk_is_plain(c) || chunk_is_discarded(c)) return false;
    *end = (struct chunk_end){.count = extent.count, .bits = extent.bits, .state = c->state};
    end->state.bits = extent.bits; /* as if zeros had been stored, too */
    return true;
}

/* The stream of a chunk without late samples, as an image. */
static enum status export_stream(const struct chunk *c, const struct chunk_end *end,
                                 struct arena *a, struct chunk_image *image, struct error *err)
{
    struct stream_extent extent = stream_extent_load(c);
    if (end) extent = (struct stream_extent){.count = end->count, .bits = end->bits};
    image->window = c->window;
    image->encoding = CHUNK_OPEN;
    image->sample_count = extent.count;
    if (extent.count == 0) return OK;
    uint8_t *bytes = arena_alloc(a, stream_bytes(extent));
    if (!bytes) return arena_error(a, err);
    chunk_stream_copy(c, extent, bytes);
    image->bytes = bytes;
    image->size = (uint32_t)(((uint64_t)extent.bits + 7) / 8);
    /* The last byte may hold the start of a sample that came meanwhile. */
    if (extent.bits % 8) bytes[image->size - 1] &= (uint8_t)(0xFF00 >> extent.bits % 8);
    enum status st = OK;
    if (end)
        image->state = end->state;
    else
        st = open_decode(bytes, image->size, &extent.count, NULL, NULL, &image->state);
    if (st) return error_set(err, st, "chunk of window %lld does not decode", (long long)c->window);
    uint64_t t_first;
    memcpy(&t_first, bytes, sizeof(t_first));
    image->t_first_ms = (int64_t)be64toh(t_first);
    image->t_last_ms = image->state.t_ms;
    return OK;
}

enum status chunk_export(const struct chunk *c, const struct chunk_end *end, struct arena *a,
                         struct chunk_image *image, struct error *err)
{
    struct chunk_end merged_end;
    if (end || chunk_is_plain(c)) return export_stream(c, end, a, image, err);
    struct chunk *merged = chunk_rewrite(c, a);
    if (!merged) return error_set(err, ERR_NO_MEMORY, "no memory to merge late samples");
    bool ends = chunk_read_end(merged, &merged_end);
    enum status st = export_stream(merged, ends ? &merged_end : NULL, a, image, err);
    chunk_destroy(merged);
    return st;
}

/* Word `index` of a stream of so many bits; what stands behind them does not count. */
static uint32_t word_of(const uint8_t *bytes, uint32_t bits, uint32_t index)
{
    uint32_t word = 0;
    uint32_t at = index * WORD_BITS;
    uint32_t left = bits - at < WORD_BITS ? bits - at : WORD_BITS;
    memcpy(&word, bytes + at / 8, (left + 7) / 8);
    return be32toh(word) & (uint32_t)(UINT64_MAX << (WORD_BITS - left));
}

/* How much of it has to be stored. */
static uint32_t bits_without_zeros(const uint8_t *bytes, uint32_t bits)
{
    for (uint32_t index = (bits - 1) / WORD_BITS; index * WORD_BITS >= OPEN_FIRST_BITS; index--) {
        uint32_t word = word_of(bytes, bits, index);
        if (word) return (index + 1) * WORD_BITS - (uint32_t)__builtin_ctz(word);
    }
    return OPEN_FIRST_BITS;
}

/* Whole words of the stream. Nobody else knows the chunk yet: no word has to be atomic. */
static void words_load(_Atomic uint32_t *words, const uint8_t *bytes, uint32_t count)
{
    uint32_t *to = (uint32_t *)(void *)words;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t word;
        memcpy(&word, bytes + (size_t)i * 4, sizeof(word));
        to[i] = be32toh(word);
    }
}

/* Put the bytes into the chunk and its cells, and say how far: the reverse of chunk_stream_copy.
 * Pieces end between words; the last word of the stream may be a part of one. */
static bool stream_load(struct chunk *c, const uint8_t *bytes, uint32_t bits)
{
    uint32_t stored = bits_without_zeros(bytes, bits);
    uint32_t whole = stored - stored % WORD_BITS;
    struct chunk_piece piece = {.words = c->words, .next = &c->next, .end_bit = CHUNK_BITS};
    if (!chunk_extend(c, stored)) return false;
    for (;;) {
        uint32_t end_bit = whole < piece.end_bit ? whole : piece.end_bit;
        words_load(piece.words, bytes + piece.first_bit / 8,
                   (end_bit - piece.first_bit) / WORD_BITS);
        if (stored <= piece.end_bit) break;
        chunk_piece_step(&piece);
    }
    if (whole < stored)
        word_store(&piece.words[(whole - piece.first_bit) / WORD_BITS],
                   word_of(bytes, bits, whole / WORD_BITS));
    c->state.bits = stored;
    return true;
}

/* No encoder leaves another state, and none could go on from one. */
static bool goes_on(const struct open_state *state)
{
    const int64_t most = INT64_C(1) << DECIMAL_MANTISSA_BITS;
    if (state->step_ms < 0) return false;
    if (state->scale == OPEN_XOR) return state->leading + state->trailing <= 64;
    return state->scale < OPEN_XOR && decimal_scale_exists(state->scale) &&
           state->pages <= OPEN_PAGES_MIN && state->trend >= -OPEN_TREND_MAX &&
           state->trend <= OPEN_TREND_MAX && state->mantissa >= -most && state->mantissa <= most;
}

/* What is known of the end of the stream: from the image, or by decoding it. */
static enum status read_state(const struct chunk_image *image, struct open_state *state,
                              struct error *err)
{
    uint32_t count = image->sample_count;
    *state = image->state;
    if (!image->verified) {
        if (open_decode(image->bytes, image->size, &count, NULL, NULL, state))
            return error_set(err, ERR_CORRUPT, "chunk does not decode after %u of %u samples",
                             count, image->sample_count);
        if (memcmp(state, &image->state, sizeof(*state)) != 0)
            return error_set(err, ERR_CORRUPT, "chunk does not end as it is told to");
    }
    /* A sample is a bit at least. */
    if (state->bits < OPEN_FIRST_BITS || count - 1 > state->bits - OPEN_FIRST_BITS)
        return error_set(err, ERR_CORRUPT, "chunk of %u samples in %u bits", count, state->bits);
    return OK;
}

static enum status check_image(const struct chunk_image *image, int64_t t_min_ms, int64_t t_max_ms,
                               struct open_state *state, struct error *err)
{
    if (image->encoding != CHUNK_OPEN)
        return error_set(err, ERR_UNSUPPORTED, "unknown chunk encoding %u", image->encoding);
    if (image->sample_count == 0 || image->size < OPEN_FIRST_BITS / 8)
        return error_set(err, ERR_CORRUPT, "chunk of %u samples in %u bytes", image->sample_count,
                         image->size);
    enum status st = read_state(image, state, err);
    if (st) return st;
    uint64_t t_first;
    memcpy(&t_first, image->bytes, sizeof(t_first));
    t_first = be64toh(t_first);
    if ((int64_t)t_first != image->t_first_ms || state->t_ms != image->t_last_ms ||
        image->t_last_ms < image->t_first_ms || ((uint64_t)state->bits + 7) / 8 != image->size)
        return error_set(err, ERR_CORRUPT, "chunk and its description do not agree");
    if (!goes_on(state)) return error_set(err, ERR_CORRUPT, "chunk with a number out of range");
    if (image->t_first_ms < t_min_ms || image->t_last_ms > t_max_ms)
        return error_set(err, ERR_CORRUPT, "chunk holds times outside its window");
    return OK;
}

enum status chunk_import(const struct chunk_image *image, int64_t t_min_ms, int64_t t_max_ms,
                         struct chunk **out, struct error *err)
{
    struct open_state state = {.bits = 0};
    enum status st = check_image(image, t_min_ms, t_max_ms, &state, err);
    if (st) return st;
    struct chunk *c = chunk_create(image->window);
    if (!c || !stream_load(c, image->bytes, state.bits)) {
        chunk_destroy(c);
        return error_set(err, ERR_NO_MEMORY, "memory limit reached while loading a chunk");
    }
    stream_extent_publish(c, image->sample_count, state.bits);
    state.bits = c->state.bits;
    c->state = state;
    *out = c;
    return OK;
}
