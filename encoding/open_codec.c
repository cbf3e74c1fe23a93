/*
 * open_codec - encoder and decoder side by side. Arithmetic on times and mantissas wraps; the
 * decoder undoes exactly what the encoder did, and moves the state as the encoder did.
 */
#include "encoding/open_codec.h"

#include <stdbool.h>

#include "base/bits.h"
#include "encoding/xor_window.h"
#include "model/sample.h"

enum {
    CONTROL_ONES_MAX = 5,
    STEP_BITS = 20,
    LENGTH_BITS = 6,
    LEADING_MAX = 31, /* 5 bits */
    NO_WINDOW = 32    /* leading and trailing: no bit is left between them */
};

/* ---- What both sides know behind a part of a sample ---- */

/* A double in full has been written or read. */
static void move_scale(struct open_state *state, uint64_t v_bits)
{
    if (!decimal_may_be(v_bits)) return;
    uint32_t scale = decimal_find_scale(state->scale, bits_to_double(v_bits), &state->mantissa);
    state->scale = scale & 63;
    if (scale == OPEN_XOR) {
        state->leading = NO_WINDOW;
        state->trailing = NO_WINDOW;
    } else {
        state->slope = 0;
        state->pages = 0;
    }
}

/* A residual that was no Rice code says what is usual now; learning it step by step would take as
 * many of them. */
static void move_length(struct open_state *state, uint32_t length)
{
    state->length = (uint8_t)(length * 4);
}

/* A sample so long after the one before it starts a new grid. */
static ALWAYS_INLINE void move_step(struct open_state *state, uint64_t step)
{
    state->step_ms = step <= INT32_MAX ? (int32_t)step : 0;
    state->late_ms = 0;
}

/* ---- Encoding ---- */

static void put_ones(struct sample_bits *out, uint32_t count)
{
    sample_bits_put(out, UINT64_MAX, count);
}

static void put_decimal(struct open_state *state, struct sample_bits *out, uint64_t v_bits)
{
    int64_t m;
    uint64_t residual;
    if (!decimal_exact(decimal_scale(state->scale), bits_to_double(v_bits), &m)) {
        put_ones(out, OPEN_ONES_MAX);
        sample_bits_put(out, 0, LENGTH_BITS);
        sample_bits_put(out, v_bits, 64);
        move_scale(state, v_bits);
        return;
    }
    int64_t difference = m - state->mantissa;
    uint32_t low = open_low_bits(state);
    bool usual = open_residual(state, difference, &residual);
    if (usual && residual >> low < OPEN_ONES_MAX) {
        put_ones(out, (uint32_t)(residual >> low));
        sample_bits_put(out, 0, 1);
        sample_bits_put(out, residual, low);
        open_learn(state, difference, residual);
    } else {
        residual = bits_zigzag(difference - open_expected(state));
        uint32_t length = 64 - (uint32_t)__builtin_clzll(residual | 1);
        put_ones(out, OPEN_ONES_MAX);
        sample_bits_put(out, length, LENGTH_BITS);
        sample_bits_put(out, residual, length);
        open_learn(state, difference, residual);
        move_length(state, length);
    }
    state->mantissa = m;
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

/* A time that is not the next of the grid. */
static void put_time(struct open_state *state, struct sample_bits *out, int64_t t_ms,
                     int64_t lateness)
{
    const int64_t change_max = 1 << (STEP_BITS - 1);
    uint64_t step = (uint64_t)t_ms - (uint64_t)state->t_ms;
    int64_t change = (int64_t)(step - (uint64_t)state->step_ms);
    if (open_is_late(state, lateness)) {
        sample_bits_put(out, 6, 3);
        sample_bits_put(out, (uint64_t)lateness, OPEN_LATE_BITS);
        state->late_ms = open_next_late(state, lateness);
        return;
    }
    if (step <= INT32_MAX && change >= -change_max && change < change_max) {
        sample_bits_put(out, 14, 4);
        sample_bits_put(out, (uint64_t)change, STEP_BITS);
    } else {
        sample_bits_put(out, 30, 5);
        sample_bits_put(out, step, 64);
    }
    move_step(state, step);
}

static void put_next(struct open_state *state, struct sample_bits *out, int64_t t_ms,
                     uint64_t v_bits)
{
    int64_t lateness = open_lateness(state, t_ms);
    bool changed = v_bits != state->v_bits;
    if (lateness) {
        put_time(state, out, t_ms, lateness);
        sample_bits_put(out, changed, 1);
    } else {
        state->late_ms = 0;
        if (changed && v_bits == STALE_NAN_BITS) {
            put_ones(out, CONTROL_ONES_MAX);
            return;
        }
        sample_bits_put(out, changed ? 2 : 0, changed ? 2 : 1);
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

/* ---- Decoding ---- */

static ALWAYS_INLINE int64_t take_signed(struct bit_reader *r, uint32_t bits)
{
    return (int64_t)(bit_reader_take_short(r, bits) << (64 - bits)) >> (64 - bits);
}

/* The residual is known, and so is the value. */
static ALWAYS_INLINE void take_difference(struct open_state *state, int64_t difference,
                                          uint64_t residual)
{
    open_learn(state, difference, residual);
    state->mantissa = (int64_t)((uint64_t)state->mantissa + (uint64_t)difference);
    state->v_bits = bits_from_double(decimal_value(decimal_scale(state->scale), state->mantissa));
}

/* Behind the twelve ones. */
static ALWAYS_INLINE void take_unusual(struct bit_reader *r, struct open_state *state)
{
    uint32_t length = (uint32_t)bit_reader_take_short(r, LENGTH_BITS);
    if (length == 0) {
        state->v_bits = bit_reader_take(r, 64);
        move_scale(state, state->v_bits);
        return;
    }
    uint64_t residual = bit_reader_take(r, length);
    uint64_t off = (uint64_t)bits_unzigzag(residual);
    take_difference(state, (int64_t)(off + (uint64_t)open_expected(state)), residual);
    move_length(state, length);
}

static ALWAYS_INLINE void take_decimal(struct bit_reader *r, struct open_state *state)
{
    uint32_t ones = (uint32_t)__builtin_clzll(~bit_reader_peek(r) | 1);
    uint32_t low = open_low_bits(state);
    if (ones >= OPEN_ONES_MAX) {
        r->position += OPEN_ONES_MAX;
        take_unusual(r, state);
        return;
    }
    r->position += ones + 1;
    uint64_t residual = (uint64_t)ones << low | bit_reader_take(r, low);
    uint64_t off = (uint64_t)bits_unzigzag(residual) << open_page_shift(state);
    take_difference(state, (int64_t)(off + (uint64_t)open_expected(state)), residual);
}

static ALWAYS_INLINE bool take_value(struct bit_reader *r, struct open_state *state)
{
    if (state->scale == OPEN_XOR)
        return xor_value_take(r, &state->v_bits, &state->leading, &state->trailing);
    take_decimal(r, state);
    return true;
}

/* A time that is not the next of the grid, after 2, 3 or 4 ones. */
static ALWAYS_INLINE void take_time(struct bit_reader *r, struct open_state *state, uint32_t ones)
{
    if (ones == 2) {
        int64_t lateness = take_signed(r, OPEN_LATE_BITS);
        int64_t next_ms = (int64_t)state->step_ms - state->late_ms + lateness;
        state->t_ms = (int64_t)((uint64_t)state->t_ms + (uint64_t)next_ms);
        state->late_ms = open_next_late(state, lateness);
        return;
    }
    uint64_t step =
        ones == 3 ? (uint64_t)(state->step_ms + take_signed(r, STEP_BITS)) : bit_reader_take(r, 64);
    state->t_ms = (int64_t)((uint64_t)state->t_ms + step);
    move_step(state, step);
}

/* A sample that is not one zero bit. False for what no encoder writes. */
static ALWAYS_INLINE bool take_next(struct bit_reader *r, struct open_state *state)
{
    uint64_t ahead = bit_reader_peek(r);
    uint32_t ones = (uint32_t)__builtin_clzll(~ahead | 1);
    int64_t before_ms = state->t_ms;
    bool changed = ones == 1;
    if (ones < 2 || ones >= CONTROL_ONES_MAX) {
        int64_t step_ms = (int64_t)state->step_ms - state->late_ms;
        state->t_ms = (int64_t)((uint64_t)before_ms + (uint64_t)step_ms);
        state->late_ms = 0;
        r->position += ones < 2 ? ones + 1 : CONTROL_ONES_MAX;
        if (ones >= CONTROL_ONES_MAX) state->v_bits = STALE_NAN_BITS;
    } else {
        r->position += ones + 1;
        take_time(r, state, ones);
        changed = bit_reader_take_short(r, 1);
    }
    if (changed && !take_value(r, state)) return false;
    return state->t_ms > before_ms;
}

/* Samples that repeat, as many as one look ahead shows, and no more than `most`. */
static ALWAYS_INLINE uint32_t repeats_ahead(const struct bit_reader *r, uint32_t most)
{
    uint32_t zeros = (uint32_t)__builtin_clzll(bit_reader_peek(r) | 1);
    uint64_t left = r->position < r->size_bits ? r->size_bits - r->position : 0;
    if (zeros > BIT_READER_PEEK_BITS) zeros = BIT_READER_PEEK_BITS;
    if (zeros > most) zeros = most;
    return zeros < left ? zeros : (uint32_t)left;
}

/* So many of them, at least one. False for what no encoder writes. */
static ALWAYS_INLINE bool take_repeats(struct open_state *state, uint32_t count, int64_t *t_ms,
                                       double *v)
{
    int64_t step_ms = state->step_ms;
    uint64_t next_ms = (uint64_t)state->t_ms + (uint64_t)(step_ms - state->late_ms);
    int64_t last_ms = (int64_t)(next_ms + (count - 1) * (uint64_t)step_ms);
    if (step_ms <= 0 || step_ms <= state->late_ms || last_ms <= state->t_ms) return false;
    for (uint32_t i = 0; t_ms && i < count; i++) {
        t_ms[i] = (int64_t)(next_ms + i * (uint64_t)step_ms);
        v[i] = bits_to_double(state->v_bits);
    }
    state->t_ms = last_ms;
    state->late_ms = 0;
    return true;
}

/* ---- Decoding what most samples are, faster ---- */

enum { FILLED_BITS = 56 /* count after a fill, or more */ };

/* The next bits in a register: the load that brings more does not wait for the bits before it. */
struct bit_window {
    uint64_t word;       /* the first bit is the most significant */
    uint32_t valid;      /* bits of it that count */
    const uint8_t *at;   /* the byte behind them */
    const uint8_t *from; /* where `at` began, at this bit of the stream: */
    uint64_t from_bits;
    const uint8_t *last; /* eight bytes can be read from here, but not behind it */
};

/* Behind the stream are zeros: as many as may be read before the position is looked at again. */
enum { TAIL_BYTES = 24 };

static ALWAYS_INLINE uint64_t window_position(const struct bit_window *w)
{
    return w->from_bits + (uint64_t)(w->at - w->from) * 8 - w->valid;
}

/* Less than eight bytes are left: they go on in the tail. */
static NO_INLINE void window_enter_tail(struct bit_window *w, const struct bit_reader *r,
                                        uint8_t tail[TAIL_BYTES])
{
    uint64_t done = w->from_bits / 8 + (uint64_t)(w->at - w->from);
    memset(tail, 0, TAIL_BYTES);
    memcpy(tail, r->bytes + done, r->size_bits / 8 - done);
    w->from_bits = done * 8;
    w->at = w->from = tail;
    w->last = tail + TAIL_BYTES - sizeof(uint64_t);
}

static ALWAYS_INLINE void window_fill(struct bit_window *w, const struct bit_reader *r,
                                      uint8_t tail[TAIL_BYTES])
{
    uint64_t more;
    if (UNLIKELY(w->at > w->last)) window_enter_tail(w, r, tail);
    memcpy(&more, w->at, sizeof(more));
    w->word |= be64toh(more) >> w->valid;
    w->at += (63 - w->valid) / 8;
    w->valid |= FILLED_BITS;
}

static ALWAYS_INLINE void window_skip(struct bit_window *w, uint32_t bits)
{
    w->word <<= bits;
    w->valid -= bits;
}

/* A time on the grid or nearly, and whether there is a value: how many bits say so; 0: it is
 * something else. */
static ALWAYS_INLINE uint32_t usual_head(const struct open_state *state, uint64_t word,
                                         int64_t *step_ms, int8_t *late_ms, bool *changed)
{
    *step_ms = (int64_t)state->step_ms - state->late_ms;
    *late_ms = 0;
    *changed = true;
    if (LIKELY(word >> 62 == 2)) return 2;
    if (word >> 61 != 6) return 0;
    int64_t lateness = (int64_t)(word << 3) >> (64 - OPEN_LATE_BITS);
    *step_ms += lateness;
    *late_ms = open_next_late(state, lateness);
    *changed = word << (3 + OPEN_LATE_BITS) >> 63;
    return 3 + OPEN_LATE_BITS + 1;
}

/* The difference of the value, after the head of a sample of `bits` and as many as it takes up to
 * `left`: how many bits there are of both; 0: it is something else. */
static ALWAYS_INLINE uint32_t usual_difference(struct open_state *state, uint64_t ahead,
                                               uint32_t bits, uint64_t left)
{
    uint32_t ones = (uint32_t)__builtin_clzll(~ahead | 1);
    uint32_t low = open_low_bits(state);
    bits += ones + 1 + low;
    if (ones >= OPEN_ONES_MAX || bits > FILLED_BITS || bits > left) return 0;
    uint64_t residual = (uint64_t)ones << low | ahead << (ones + 1) >> 1 >> (63 - low);
    /* Both that it may be, before the trend is known: everybody waits for that. */
    int64_t off = bits_unzigzag(residual);
    int64_t flat =
        (int64_t)((uint64_t)off << (state->pages >= OPEN_PAGES_MIN ? OPEN_PAGE_SHIFT : 0));
    int64_t sloping = (int64_t)((uint64_t)off + (uint64_t)(int64_t)(state->slope >> 4));
    int64_t difference = state->trend > 0 ? sloping : flat;
    open_learn(state, difference, residual);
    state->mantissa = (int64_t)((uint64_t)state->mantissa + (uint64_t)difference);
    return bits;
}

/* Samples as long as they repeat, or are on the grid or nearly, with decimals of usual residuals.
 * Returns how many: up to the first that is something else, or `most`. */
static uint32_t take_usual(struct bit_reader *r, struct open_state *state, uint32_t most,
                           int64_t *t_ms, double *v)
{
    const struct decimal_scale *scale = decimal_scale(state->scale);
    const uint64_t size = r->size_bits / 8;
    const uint64_t end = r->size_bits < UINT32_MAX ? r->size_bits : UINT32_MAX;
    const uint8_t *start = r->bytes + r->position / 8;
    uint8_t tail[TAIL_BYTES];
    struct open_state s = *state;
    double value = bits_to_double(s.v_bits);
    uint32_t done = 0;
    struct bit_window w = {.at = start,
                           .from = start,
                           .from_bits = r->position / 8 * 8,
                           .last = size >= sizeof(uint64_t) ? r->bytes + size - sizeof(uint64_t)
                                                            : r->bytes - 1};
    window_fill(&w, r, tail);
    window_skip(&w, r->position % 8);
    while (done < most) {
        window_fill(&w, r, tail);
        uint64_t left = end - window_position(&w);
        if (!(w.word >> 63)) {
            uint32_t zeros = (uint32_t)__builtin_clzll(w.word | 1);
            if (zeros > w.valid) zeros = w.valid;
            if (zeros > most - done) zeros = most - done;
            if (zeros > left) zeros = (uint32_t)left;
            s.v_bits = bits_from_double(value);
            if (!zeros || !take_repeats(&s, zeros, t_ms + done, v + done)) break;
            window_skip(&w, zeros);
            done += zeros;
            continue;
        }
        int64_t step_ms;
        int8_t late_ms;
        bool changed;
        uint32_t bits = usual_head(&s, w.word, &step_ms, &late_ms, &changed);
        int64_t at_ms = (int64_t)((uint64_t)s.t_ms + (uint64_t)step_ms);
        if (!bits || at_ms <= s.t_ms) break;
        if (changed) bits = usual_difference(&s, w.word << bits, bits, left);
        if (!bits || bits > left) break;
        if (changed) value = decimal_value(scale, s.mantissa);
        window_skip(&w, bits);
        s.t_ms = at_ms;
        s.late_ms = late_ms;
        t_ms[done] = at_ms;
        v[done++] = value;
    }
    s.v_bits = bits_from_double(value);
    *state = s;
    r->position = window_position(&w);
    return done;
}

static void take_first(struct bit_reader *r, struct open_state *state)
{
    state->t_ms = (int64_t)bit_reader_take(r, 64);
    state->v_bits = bit_reader_take(r, 64);
    move_scale(state, state->v_bits);
}

bool open_decode_next(struct bit_reader *r, struct open_state *state)
{
    if (r->position) return take_next(r, state);
    take_first(r, state);
    return true;
}

enum status open_decode(const uint8_t *bytes, size_t size, uint32_t *count, int64_t *t_ms,
                        double *v, struct open_state *state)
{
    struct bit_reader reader = {.bytes = bytes, .size_bits = (uint64_t)size * 8};
    struct open_state s = {.bits = 0};
    uint32_t done = 0;
    bool whole = true;
    for (uint32_t taken = 1; done < *count; done += taken, taken = 1) {
        if (done && t_ms && s.scale != OPEN_XOR) {
            taken = take_usual(&reader, &s, *count - done, t_ms + done, v + done);
            if (taken) continue;
            taken = 1;
        }
        int64_t *to_t_ms = t_ms ? t_ms + done : NULL;
        double *to_v = t_ms ? v + done : NULL;
        uint32_t repeats = done ? repeats_ahead(&reader, *count - done) : 0;
        if (repeats) {
            taken = repeats;
            reader.position += repeats;
            whole = take_repeats(&s, repeats, to_t_ms, to_v);
        } else if (done) {
            whole = take_next(&reader, &s);
        } else {
            take_first(&reader, &s);
        }
        if (!whole || reader.position > reader.size_bits || reader.position > UINT32_MAX) break;
        if (!t_ms || repeats) continue;
        *to_t_ms = s.t_ms;
        *to_v = bits_to_double(s.v_bits);
    }
    whole = done == *count;
    s.bits = (uint32_t)reader.position;
    *state = s;
    *count = done;
    return whole ? OK : ERR_CORRUPT;
}
