/*
 * window_block - see window_block.h.
 */
#include "snapshot/window_block.h"

#include <inttypes.h>

#include "base/bits.h"
#include "base/endian.h"
#include "base/varint.h"
#include "snapshot/record.h"

void window_block_init(struct window_block *b)
{
    *b = (struct window_block){0};
    text_table_init(&b->texts);
    buf_init(&b->symbols, HEAP_SNAPSHOT, RECORD_PAYLOAD_MAX / 2);
    buf_init(&b->chunks, HEAP_SNAPSHOT, RECORD_PAYLOAD_MAX / 2);
}

void window_block_release(struct window_block *b)
{
    text_table_release(&b->texts);
    buf_release(&b->symbols);
    buf_release(&b->chunks);
}

void window_block_reset(struct window_block *b)
{
    text_table_reset(&b->texts);
    buf_reset(&b->symbols);
    buf_reset(&b->chunks);
    b->count = 0;
}

size_t window_block_bytes(const struct window_block *b)
{
    return b->symbols.size + b->chunks.size;
}

enum { STATE_BYTES = 13 }; /* behind three varints */

static void put_varint(struct buf *out, uint64_t v)
{
    uint8_t *at = buf_reserve(out, VARINT_BYTES_MAX);
    if (at) out->size += varint_encode(at, v);
}

/* What the encoder of an open chunk knows, but for the time, which is the last one's. */
static void put_state(struct buf *out, const struct open_state *state)
{
    put_varint(out, (uint32_t)state->step_ms);
    put_varint(out, bits_zigzag(state->mantissa));
    put_varint(out, bits_zigzag(state->slope));
    uint8_t *at = buf_reserve(out, STATE_BYTES);
    if (!at) return;
    put_le64(at, state->v_bits);
    at[8] = (uint8_t)(-state->bits % 8);
    at[9] = (uint8_t)(state->scale | state->pages << 6);
    at[10] = (uint8_t)state->late_ms;
    at[11] = state->leading;
    at[12] = state->trailing;
    out->size += STATE_BYTES;
}

static enum status put_symbol(struct window_block *b, struct str text, struct error *err)
{
    uint32_t known = b->texts.count;
    uint32_t number;
    enum status st = text_table_intern(&b->texts, text, &number, err);
    if (st) return st;
    if (number == known) {
        put_varint(&b->symbols, text.size);
        buf_append_str(&b->symbols, text);
    }
    put_varint(&b->chunks, number);
    return OK;
}

enum status window_block_add(struct window_block *b, const struct window_span *span,
                             const struct chunk_image *image, struct error *err)
{
    put_varint(&b->chunks, image->labels.count);
    for (size_t i = 0; i < image->labels.count; i++) {
        enum status st = put_symbol(b, image->labels.items[i].name, err);
        if (st == OK) st = put_symbol(b, image->labels.items[i].value, err);
        if (st) return st;
    }
    buf_append_byte(&b->chunks, image->encoding);
    put_varint(&b->chunks, image->sample_count);
    put_varint(&b->chunks, bits_zigzag(image->t_first_ms - span->start_ms));
    put_varint(&b->chunks, (uint64_t)image->t_last_ms - (uint64_t)image->t_first_ms);
    if (image->encoding == CHUNK_SEALED) {
        const struct str times = {.data = (const char *)image->times, .size = image->times_size};
        enum status st = put_symbol(b, times, err);
        if (st) return st;
    }
    if (image->encoding == CHUNK_OPEN) put_state(&b->chunks, &image->state);
    put_varint(&b->chunks, image->size);
    buf_append(&b->chunks, image->bytes, image->size);
    b->count++;
    enum status st = buf_status(&b->symbols, err);
    return st ? st : buf_status(&b->chunks, err);
}

static enum status corrupt(const struct window_cursor *c, const char *what, struct error *err)
{
    return error_set(err, ERR_CORRUPT, "%s at byte %zu of the block", what,
                     (size_t)(c->at - c->payload));
}

static bool get_varint(struct window_cursor *c, uint64_t *out)
{
    size_t n = varint_decode(c->at, c->end, out);
    c->at += n;
    return n > 0;
}

static size_t left(const struct window_cursor *c)
{
    return (size_t)(c->end - c->at);
}

enum status window_cursor_open(struct window_cursor *c, const uint8_t *payload, size_t size,
                               const struct window_span *span, struct arena *a, struct error *err)
{
    uint64_t count;
    *c = (struct window_cursor){
        .payload = payload, .at = payload, .end = payload + size, .span = *span};
    /* Each symbol takes at least a byte. */
    if (!get_varint(c, &count) || count > left(c)) return corrupt(c, "bad count of symbols", err);
    struct str *texts = arena_alloc_array(a, (size_t)count, sizeof(texts[0]));
    if (!texts) return arena_error(a, err);
    for (size_t i = 0; i < count; i++) {
        uint64_t bytes;
        if (!get_varint(c, &bytes) || bytes > left(c)) return corrupt(c, "bad symbol", err);
        texts[i] = (struct str){.data = (const char *)c->at, .size = (size_t)bytes};
        c->at += bytes;
    }
    c->texts = texts;
    c->text_count = (size_t)count;
    return OK;
}

static enum status get_labels(struct window_cursor *c, struct arena *a, struct chunk_image *image,
                              struct error *err)
{
    uint64_t count;
    if (!get_varint(c, &count) || count > left(c) / 2)
        return corrupt(c, "bad count of labels", err);
    uint32_t *numbers = arena_alloc_array(a, 2 * (size_t)count, sizeof(*numbers));
    if (!numbers) return arena_error(a, err);
    for (size_t i = 0; i < 2 * (size_t)count; i++) {
        uint64_t number;
        if (!get_varint(c, &number) || number >= c->text_count)
            return corrupt(c, "bad symbol number", err);
        numbers[i] = (uint32_t)number;
    }
    image->labels.count = (size_t)count;
    image->numbers = numbers;
    return OK;
}

/* The column of times of a sealed chunk. */
static bool get_times(struct window_cursor *c, struct chunk_image *image)
{
    uint64_t number;
    if (image->encoding != CHUNK_SEALED) return true;
    if (!get_varint(c, &number) || number >= c->text_count) return false;
    if (c->texts[number].size > UINT32_MAX) return false;
    image->times = (const uint8_t *)c->texts[number].data;
    image->times_size = (uint32_t)c->texts[number].size;
    return true;
}

static bool get_state(struct window_cursor *c, struct open_state *state)
{
    uint64_t step;
    uint64_t mantissa;
    uint64_t slope;
    if (!get_varint(c, &step) || !get_varint(c, &mantissa) || !get_varint(c, &slope)) return false;
    if (step > INT32_MAX || slope > UINT32_MAX || left(c) < STATE_BYTES) return false;
    *state = (struct open_state){.step_ms = (int32_t)step,
                                 .mantissa = bits_unzigzag(mantissa),
                                 .slope = (int32_t)bits_unzigzag(slope),
                                 .v_bits = get_le64(c->at),
                                 .bits = c->at[8], /* that are not used, until the size is known */
                                 .scale = c->at[9] & 63u,
                                 .pages = (unsigned)c->at[9] >> 6 & 3u,
                                 .late_ms = (int8_t)c->at[10],
                                 .leading = c->at[11],
                                 .trailing = c->at[12]};
    c->at += STATE_BYTES;
    return true;
}

/* The bytes are read to the end before anything is judged, so that the next chunk can be found. */
enum status window_cursor_next(struct window_cursor *c, struct arena *a, struct chunk_image *image,
                               bool *more, struct error *err)
{
    uint64_t samples;
    uint64_t first;
    uint64_t length_ms;
    uint64_t size;
    *more = c->at < c->end;
    if (!*more) return OK;
    *image = (struct chunk_image){.window = c->span.window};
    enum status st = get_labels(c, a, image, err);
    if (st) return st;
    if (left(c) == 0) return corrupt(c, "cut chunk", err);
    image->encoding = *c->at++;
    if (!get_varint(c, &samples) || !get_varint(c, &first) || !get_varint(c, &length_ms) ||
        !get_times(c, image) || (image->encoding == CHUNK_OPEN && !get_state(c, &image->state)) ||
        !get_varint(c, &size) || size > left(c))
        return corrupt(c, "bad chunk", err);
    image->bytes = c->at;
    image->size = (uint32_t)size;
    c->at += size;

    int64_t last_ms;
    uint64_t bits = size * 8 - image->state.bits;
    if (samples > UINT32_MAX || length_ms > INT64_MAX || bits > UINT32_MAX ||
        __builtin_add_overflow(c->span.start_ms, bits_unzigzag(first), &image->t_first_ms) ||
        __builtin_add_overflow(image->t_first_ms, (int64_t)length_ms, &last_ms))
        return error_set(err, ERR_INVALID, "a chunk with %" PRIu64 " samples over %" PRIu64 " ms",
                         samples, length_ms);
    image->sample_count = (uint32_t)samples;
    image->t_last_ms = last_ms;
    image->state.t_ms = last_ms;
    image->state.bits = (uint32_t)bits;
    return OK;
}
