/* xor_codec - one function per field, encoder and decoder side by side. Arithmetic on times wraps,
 * so that every int64 time survives; the decoder undoes exactly what the encoder did. */
#include "storage/xor_codec.h"

#include <stdbool.h>

#include "base/bits.h"
#include "encoding/xor_window.h"

enum {
    NO_WINDOW = 0xFF,
    LEADING_MAX = 31, /* 5 bits */
    DOD_FORMS = 3
};

/* The three short forms of a change of delta: prefix, its length, bits of the number. */
static const struct {
    uint8_t prefix;
    uint8_t prefix_bits;
    uint8_t bits;
} dod_forms[DOD_FORMS] = {{0x2, 2, 14}, {0x6, 3, 17}, {0xE, 4, 20}};

static void put_dod(struct sample_bits *out, int64_t dod)
{
    if (dod == 0) {
        sample_bits_put(out, 0, 1);
        return;
    }
    for (int form = 0; form < DOD_FORMS; form++) {
        int64_t most = INT64_C(1) << (dod_forms[form].bits - 1);
        if (dod > -most && dod <= most) {
            sample_bits_put(out, dod_forms[form].prefix, dod_forms[form].prefix_bits);
            sample_bits_put(out, (uint64_t)dod, dod_forms[form].bits);
            return;
        }
    }
    sample_bits_put(out, 0xF, 4);
    sample_bits_put(out, (uint64_t)dod, 64);
}

static void put_value(struct xor_state *state, struct sample_bits *out, uint64_t changed)
{
    if (changed == 0) {
        sample_bits_put(out, 0, 1);
        return;
    }
    uint32_t leading = (uint32_t)__builtin_clzll(changed);
    uint32_t trailing = (uint32_t)__builtin_ctzll(changed);
    if (leading > LEADING_MAX) leading = LEADING_MAX;
    if (state->leading != NO_WINDOW && leading >= state->leading && trailing >= state->trailing) {
        sample_bits_put(out, 0x2, 2);
        sample_bits_put(out, changed >> state->trailing, 64u - state->leading - state->trailing);
        return;
    }
    uint32_t meaningful = 64 - leading - trailing;
    state->leading = (uint8_t)leading;
    state->trailing = (uint8_t)trailing;
    sample_bits_put(out, 0x3, 2);
    sample_bits_put(out, leading, 5);
    sample_bits_put(out, meaningful & 63, 6);
    sample_bits_put(out, changed >> trailing, meaningful);
}

void xor_encode(struct xor_state *state, int64_t t_ms, double v, struct sample_bits *bits)
{
    uint64_t v_bits = bits_from_double(v);
    *bits = (struct sample_bits){.count = 0};
    if (state->count == 0) {
        sample_bits_put(bits, (uint64_t)t_ms, 64);
        sample_bits_put(bits, v_bits, 64);
        state->leading = NO_WINDOW;
    } else {
        uint64_t delta = (uint64_t)t_ms - (uint64_t)state->t_ms;
        put_dod(bits, (int64_t)(delta - (uint64_t)state->delta_ms));
        put_value(state, bits, v_bits ^ state->v_bits);
        state->delta_ms = (int64_t)delta;
    }
    state->t_ms = t_ms;
    state->v_bits = v_bits;
    state->count++;
    state->bits += bits->count;
}

static int64_t take_dod(struct bit_reader *r)
{
    uint64_t ahead = bit_reader_peek(r);
    if (!(ahead >> 63)) {
        r->position += 1;
        return 0;
    }
    for (int form = 0; form < DOD_FORMS; form++) {
        uint32_t prefix_bits = dod_forms[form].prefix_bits;
        if (ahead >> (64 - prefix_bits) != dod_forms[form].prefix) continue;
        uint32_t width = dod_forms[form].bits;
        r->position += prefix_bits;
        int64_t value = (int64_t)bit_reader_take_short(r, width);
        return value > (INT64_C(1) << (width - 1)) ? value - (INT64_C(1) << width) : value;
    }
    r->position += 4;
    return (int64_t)bit_reader_take(r, 64);
}

/* The changed bits of the next value; false when a window is used before one was set, or is wider
 * than a double. */
static bool take_value(struct bit_reader *r, struct xor_state *state, uint64_t *changed)
{
    uint64_t ahead = bit_reader_peek(r);
    *changed = 0;
    if (!(ahead >> 63)) {
        r->position += 1;
        return true;
    }
    r->position += 2;
    if (ahead >> 62 == 3 && !xor_window_take(r, &state->leading, &state->trailing)) return false;
    if (state->leading == NO_WINDOW) return false;
    *changed = bit_reader_take(r, 64u - state->leading - state->trailing) << state->trailing;
    return true;
}

static bool decode_one(struct bit_reader *r, struct xor_state *state)
{
    if (state->count == 0) {
        state->t_ms = (int64_t)bit_reader_take(r, 64);
        state->v_bits = bit_reader_take(r, 64);
        state->leading = NO_WINDOW;
    } else {
        uint64_t changed;
        int64_t before = state->t_ms;
        state->delta_ms = (int64_t)((uint64_t)state->delta_ms + (uint64_t)take_dod(r));
        state->t_ms = (int64_t)((uint64_t)before + (uint64_t)state->delta_ms);
        if (!take_value(r, state, &changed) || state->t_ms <= before) return false;
        state->v_bits ^= changed;
    }
    state->count++;
    return r->position <= r->size_bits;
}

enum status xor_decode(const uint8_t *bytes, size_t size, uint32_t count, int64_t t_min_ms,
                       int64_t t_max_ms, struct columns *columns, struct xor_state *state)
{
    struct bit_reader reader = {.bytes = bytes, .size_bits = (uint64_t)size * 8};
    *state = (struct xor_state){.count = 0};
    while (state->count < count) {
        if (!decode_one(&reader, state)) return ERR_CORRUPT;
        if (state->t_ms > t_max_ms) break;
        if (!columns || state->t_ms < t_min_ms) continue;
        columns->t_ms[columns->count] = state->t_ms;
        columns->v[columns->count++] = bits_to_double(state->v_bits);
    }
    if (reader.position > UINT32_MAX) return ERR_CORRUPT;
    state->bits = (uint32_t)reader.position;
    return OK;
}
