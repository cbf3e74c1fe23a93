/* open_lanes - which streams are worth it. */
#include "encoding/open_lanes.h"

enum {
    TOGETHER_MIN = 3,  /* fewer are faster one by one */
    CHANGING_BITS = 3, /* a sample, or more: streams of fewer are mostly repeats */
    CHANGING_MIN = 8   /* samples: shorter ones are over before they go in lock step */
};

bool open_lane_decode(struct open_lane *lane, struct bit_reader *r, struct open_state *state,
                      uint32_t from, uint32_t to)
{
    lane->status = OK;
    for (uint32_t n = from; n < to; n++) {
        if (!open_decode_next(r, state) || r->position > r->size_bits) {
            lane->status = ERR_CORRUPT;
            return false;
        }
        lane->t_ms[n] = state->t_ms;
        lane->v[n] = bits_to_double(state->v_bits);
    }
    return true;
}

static void decode_alone(struct open_lane *lane)
{
    struct open_state state;
    uint32_t count = lane->count;
    lane->status = open_decode(lane->bytes, lane->size, &count, lane->t_ms, lane->v, &state);
}

static bool is_changing(const struct open_lane *lane)
{
    uint64_t bits = (uint64_t)lane->size * 8;
    return lane->count >= CHANGING_MIN && bits <= UINT32_MAX &&
           bits >= OPEN_FIRST_BITS + (uint64_t)CHANGING_BITS * lane->count;
}

static void decode_group(struct open_lane *const *group, size_t count)
{
    open_lanes_function *together = open_lanes_avx512();
    if (!together) together = open_lanes_avx2();
    if (together && count >= TOGETHER_MIN) {
        together(group, count);
        return;
    }
    for (size_t i = 0; i < count; i++)
        decode_alone(group[i]);
}

void open_lanes_decode(struct open_lane *lanes, size_t count)
{
    struct open_lane *group[OPEN_LANES];
    size_t grouped = 0;
    for (size_t i = 0; i < count; i++) {
        if (is_changing(&lanes[i]))
            group[grouped++] = &lanes[i];
        else
            decode_alone(&lanes[i]);
        if (grouped < OPEN_LANES) continue;
        decode_group(group, grouped);
        grouped = 0;
    }
    decode_group(group, grouped);
}
