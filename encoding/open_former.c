/* open_former - the decoder alone; the encoder was encoding/open_codec.h's. */
#include "encoding/open_former.h"

#include <stdbool.h>

#include "base/bits.h"
#include "encoding/xor_window.h"
#include "model/sample.h"

enum {
    CONTROL_BITS_MAX = 5,
    STEP_FORMS = 3,
    WIDTH_BITS = 6,
    NO_WINDOW = 32, /* leading and trailing: no bit is left between them */
    XOR = DECIMAL_SCALES
};

/* Bits of a change of step by the number of ones before it, less two. */
static const uint8_t step_bits[STEP_FORMS] = {13, 20, 64};

/* What was known after a sample. */
struct former_state {
    int64_t t_ms;
    int64_t step_ms;
    uint64_t v_bits;
    int64_t mantissa; /* of the last decimal */
    uint8_t scale;    /* XOR when values are no decimals any more */
    uint8_t width;    /* of differences of mantissas */
    uint8_t leading;  /* of the window of meaningful bits: zero bits before it */
    uint8_t trailing; /* and behind it; both 32 when there is none yet */
};

/* A double in full has been written or read. */
static void move_scale(struct former_state *state, uint64_t v_bits)
{
    if (!decimal_may_be(v_bits)) return;
    uint32_t scale = decimal_find_scale(state->scale, bits_to_double(v_bits), &state->mantissa);
    state->scale = (uint8_t)scale;
    if (scale != XOR) return;
    state->leading = NO_WINDOW;
    state->trailing = NO_WINDOW;
}

static bool take_decimal(struct bit_reader *r, struct former_state *state)
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

static bool take_value(struct bit_reader *r, struct former_state *state)
{
    return state->scale == XOR
               ? xor_value_take(r, &state->v_bits, &state->leading, &state->trailing)
               : take_decimal(r, state);
}

/* Changes the step; whether the value is changed, too. */
static bool take_step(struct bit_reader *r, struct former_state *state, uint32_t ones)
{
    uint32_t bits = step_bits[ones - 2];
    uint32_t unused = (64 - bits) & 63;
    int64_t change = (int64_t)(bit_reader_take(r, bits) << unused) >> unused;
    state->step_ms = (int64_t)((uint64_t)state->step_ms + (uint64_t)change);
    return bit_reader_take_short(r, 1);
}

static ALWAYS_INLINE bool take_next(struct bit_reader *r, struct former_state *state)
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

enum status open_former_decode(const uint8_t *bytes, size_t size, uint32_t *count, int64_t *t_ms,
                               double *v, uint32_t *bits)
{
    struct bit_reader reader = {.bytes = bytes, .size_bits = (uint64_t)size * 8};
    struct former_state s = {.t_ms = 0};
    const uint32_t wanted = *count;
    for (*count = 0; *count < wanted; ++*count) {
        bool whole = true;
        if (*count == 0) {
            s.t_ms = (int64_t)bit_reader_take(&reader, 64);
            s.v_bits = bit_reader_take(&reader, 64);
            move_scale(&s, s.v_bits);
        } else {
            whole = take_next(&reader, &s);
        }
        if (!whole || reader.position > reader.size_bits || reader.position > UINT32_MAX)
            return ERR_CORRUPT;
        t_ms[*count] = s.t_ms;
        v[*count] = bits_to_double(s.v_bits);
    }
    *bits = (uint32_t)reader.position;
    return OK;
}
