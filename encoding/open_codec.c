/*
 * open_codec - encoder and decoder side by side. Arithmetic on times and mantissas wraps; the
 * decoder undoes exactly what the encoder did, and moves the state as the encoder did.
 */
#include "encoding/open_codec.h"

#include <stdbool.h>

#include "base/bits.h"
#include "model/sample.h"

enum {
    CONTROL_BITS_MAX = 5,
    STEP_FORMS = 3,
    WIDTH_BITS = OPEN_WIDTH_BITS,
    LEADING_MAX = 31, /* 5 bits */
    NO_WINDOW = 32    /* leading and trailing: no bit is left between them */
};

/* Bits of a change of step by the number of ones before it, less two. */
static const uint8_t step_bits[STEP_FORMS] = {13, 20, 64};

static bool is_decimal(uint64_t v_bits)
{
    return (v_bits >> 52 & 0x7FF) != 0x7FF && v_bits != UINT64_C(1) << 63;
}

/* A double in full has been written or read. */
static void move_scale(struct open_state *state, uint64_t v_bits)
{
    if (!is_decimal(v_bits)) return;
    for (uint32_t scale = state->scale; scale < DECIMAL_SCALES; scale = decimal_next_scale(scale)) {
        if (!decimal_exact(decimal_scale(scale), bits_to_double(v_bits), &state->mantissa))
            continue;
        state->scale = (uint8_t)scale;
        return;
    }
    state->scale = OPEN_XOR;
    state->leading = NO_WINDOW;
    state->trailing = NO_WINDOW;
}

static void put_step(struct sample_bits *out, int64_t change)
{
    uint32_t form = 0;
    for (; form < STEP_FORMS - 1; form++) {
        int64_t most = INT64_C(1) << (step_bits[form] - 1);
        if (change >= -most && change < most) break;
    }
    sample_bits_put(out, (8u << form) - 2, form + 3); /* ones, then a zero */
    sample_bits_put(out, (uint64_t)change, step_bits[form]);
}

static void put_decimal(struct open_state *state, struct sample_bits *out, uint64_t v_bits)
{
    int64_t m;
    if (!decimal_exact(decimal_scale(state->scale), bits_to_double(v_bits), &m)) {
        sample_bits_put(out, 1u << WIDTH_BITS, 1 + WIDTH_BITS);
        sample_bits_put(out, v_bits, 64);
        move_scale(state, v_bits);
        return;
    }
    uint64_t difference = bits_zigzag(m - state->mantissa);
    state->mantissa = m;
    if (open_keeps_width(state, difference)) {
        sample_bits_put(out, 0, 1);
    } else {
        state->width = (uint8_t)(64 - (uint32_t)__builtin_clzll(difference | 1));
        sample_bits_put(out, 1u << WIDTH_BITS | state->width, 1 + WIDTH_BITS);
    }
    sample_bits_put(out, difference, state->width);
}

static void put_xor(struct open_state *state, struct sample_bits *out, uint64_t changed)
{
    uint32_t leading = (uint32_t)__builtin_clzll(changed);
    uint32_t trailing = (uint32_t)__builtin_ctzll(changed);
    if (leading > LEADING_MAX) leading = LEADING_MAX;
    if (leading >= state->leading && trailing >= state->trailing) {
        sample_bits_put(out, 0, 1);
    } else {
        state->leading = (uint8_t)leading;
        state->trailing = (uint8_t)trailing;
        sample_bits_put(out, 1, 1);
        sample_bits_put(out, leading, 5);
        sample_bits_put(out, 64 - leading - trailing, 6);
    }
    sample_bits_put(out, changed >> state->trailing, 64u - state->leading - state->trailing);
}

static void put_value(struct open_state *state, struct sample_bits *out, uint64_t v_bits)
{
    if (state->scale == OPEN_XOR)
        put_xor(state, out, v_bits ^ state->v_bits);
    else
        put_decimal(state, out, v_bits);
}

static void put_first(struct open_state *state, struct sample_bits *out, int64_t t_ms,
                      uint64_t v_bits)
{
    sample_bits_put(out, (uint64_t)t_ms, 64);
    sample_bits_put(out, v_bits, 64);
    move_scale(state, v_bits);
}

static void put_next(struct open_state *state, struct sample_bits *out, int64_t t_ms,
                     uint64_t v_bits)
{
    uint64_t step = (uint64_t)t_ms - (uint64_t)state->t_ms;
    uint64_t change = step - (uint64_t)state->step_ms;
    bool changed = v_bits != state->v_bits;
    state->step_ms = (int64_t)step;
    if (change) {
        put_step(out, (int64_t)change);
        sample_bits_put(out, changed, 1);
    } else if (!changed) {
        sample_bits_put(out, 0, 1);
    } else if (v_bits == STALE_NAN_BITS) {
        sample_bits_put(out, 0x1F, CONTROL_BITS_MAX);
        return;
    } else {
        sample_bits_put(out, 2, 2);
    }
    if (changed) put_value(state, out, v_bits);
}

void open_encode(struct open_state *state, int64_t t_ms, double v, struct sample_bits *bits)
{
    uint64_t v_bits = bits_from_double(v);
    *bits = (struct sample_bits){.count = 0};
    if (state->bits == 0)
        put_first(state, bits, t_ms, v_bits);
    else
        put_next(state, bits, t_ms, v_bits);
    state->t_ms = t_ms;
    state->v_bits = v_bits;
    state->bits += bits->count;
}

static bool take_xor(struct bit_reader *r, struct open_state *state)
{
    if (bit_reader_take_short(r, 1)) {
        uint32_t leading = (uint32_t)bit_reader_take_short(r, 5);
        uint32_t meaningful = (uint32_t)bit_reader_take_short(r, 6);
        if (meaningful == 0) meaningful = 64;
        if (leading + meaningful > 64) return false;
        state->leading = (uint8_t)leading;
        state->trailing = (uint8_t)(64 - leading - meaningful);
    }
    uint32_t meaningful = 64u - state->leading - state->trailing;
    state->v_bits ^= bit_reader_take(r, meaningful) << (state->trailing & 63);
    return true;
}

static bool take_decimal(struct bit_reader *r, struct open_state *state)
{
    uint64_t ahead = bit_reader_peek(r);
    if (ahead >> 63) {
        uint32_t width = (uint32_t)(ahead >> (63 - WIDTH_BITS)) & ((1u << WIDTH_BITS) - 1);
        r->position += WIDTH_BITS;
        if (width == 0) {
            r->position++;
            state->v_bits = bit_reader_take(r, 64);
            move_scale(state, state->v_bits);
            return true;
        }
        state->width = (uint8_t)width;
    }
    r->position++;
    uint64_t difference = bit_reader_take(r, state->width);
    state->mantissa = (int64_t)((uint64_t)state->mantissa + (uint64_t)bits_unzigzag(difference));
    state->v_bits = bits_from_double(decimal_value(decimal_scale(state->scale), state->mantissa));
    return true;
}

static bool take_value(struct bit_reader *r, struct open_state *state)
{
    return state->scale == OPEN_XOR ? take_xor(r, state) : take_decimal(r, state);
}

/* Changes the step; whether the value is changed, too. */
static bool take_step(struct bit_reader *r, struct open_state *state, uint32_t ones)
{
    uint32_t bits = step_bits[ones - 2];
    uint32_t unused = (64 - bits) & 63;
    int64_t change = (int64_t)(bit_reader_take(r, bits) << unused) >> unused;
    state->step_ms = (int64_t)((uint64_t)state->step_ms + (uint64_t)change);
    return bit_reader_take_short(r, 1);
}

static ALWAYS_INLINE bool take_next(struct bit_reader *r, struct open_state *state)
{
    uint64_t ahead = bit_reader_peek(r);
    int64_t before = state->t_ms;
    if (!(ahead >> 63)) {
        r->position += 1;
    } else {
        uint32_t ones = (uint32_t)__builtin_clzll(~ahead | 1);
        if (ones >= CONTROL_BITS_MAX) {
            r->position += CONTROL_BITS_MAX;
            state->v_bits = STALE_NAN_BITS;
        } else {
            r->position += ones + 1;
            if ((ones == 1 || take_step(r, state, ones)) && !take_value(r, state)) return false;
        }
    }
    state->t_ms = (int64_t)((uint64_t)before + (uint64_t)state->step_ms);
    return state->t_ms > before;
}

enum status open_decode(const uint8_t *bytes, size_t size, uint32_t *count, int64_t *t_ms,
                        double *v, struct open_state *state)
{
    struct bit_reader reader = {.bytes = bytes, .size_bits = (uint64_t)size * 8};
    struct open_state s = {.bits = 0};
    uint32_t done = 0;
    bool whole = true;
    for (; done < *count; done++) {
        if (done == 0) {
            s.t_ms = (int64_t)bit_reader_take(&reader, 64);
            s.v_bits = bit_reader_take(&reader, 64);
            move_scale(&s, s.v_bits);
        } else if (!take_next(&reader, &s)) {
            whole = false;
        }
        if (!whole || reader.position > reader.size_bits || reader.position > UINT32_MAX) break;
        if (!t_ms) continue;
        t_ms[done] = s.t_ms;
        v[done] = bits_to_double(s.v_bits);
    }
    whole = done == *count;
    s.bits = (uint32_t)reader.position;
    *state = s;
    *count = done;
    return whole ? OK : ERR_CORRUPT;
}
