/* links: encoding */
/*
 * A stream of samples from outside: 2 bytes of count, little-endian, then the stream. What decodes
 * is in order, and encodes to something that decodes to the same. Parts of it decoded together give
 * what each gives alone, and so do runs of its samples encoded together.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/endian.h"
#include "encoding/open_lanes.h"
#include "encoding/open_runs.h"
#include "tests/unit/encoding/bits_put.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADER_BYTES = 2, SAMPLES_MAX = 1 << 16, SAMPLE_BYTES_MAX = SAMPLE_BITS_MAX / 8 };

static int64_t t_ms[SAMPLES_MAX];
static double v[SAMPLES_MAX];
static int64_t again_t_ms[SAMPLES_MAX];
static double again_v[SAMPLES_MAX];
static uint8_t stream[SAMPLES_MAX * SAMPLE_BYTES_MAX];

/* What the fast forms say of the next sample is what open_encode does with it. */
static void check_fast(const struct open_state *before, int64_t at_ms, double value,
                       const struct open_state *after, const struct sample_bits *bits)
{
    struct open_few few;
    struct open_state fast = *before;
    if (open_repeats(before, at_ms, value)) {
        ASSERT(bits->count == 1 && bits->words[0] == 0);
        open_take_repeat(&fast, at_ms);
        fast.bits++;
    } else if (open_encode_few(before, at_ms, value, &few)) {
        ASSERT(bits->count == few.count && bits->words[0] == few.bits);
        open_take_few(&fast, at_ms, value, &few, fast.bits + few.count);
    } else {
        return;
    }
    ASSERT(memcmp(&fast, after, sizeof(fast)) == 0);
}

/* What a run became is what open_encode makes of so many of its samples, up to one that is not
 * usual. */
static void check_run(const struct open_run *run, struct open_state state)
{
    uint64_t words[OPEN_RUN_SAMPLES_MAX + 1] = {0};
    uint32_t at = 0;
    for (uint32_t i = 0; i < run->done; i++) {
        struct sample_bits bits;
        open_encode(&state, run->samples[i].t_ms, run->samples[i].v, &bits);
        ASSERT(bits.count <= 64);
        for (uint32_t bit = 0; bit < bits.count; bit++, at++)
            words[at / 64] |= (bits.words[0] >> (63 - bit) & 1) << (63 - at % 64);
    }
    if (run->done < run->count) {
        const struct sample *next = &run->samples[run->done];
        struct open_few few;
        ASSERT(!state.step_ms || state.scale == OPEN_XOR ||
               !open_encode_few(&state, next->t_ms, next->v, &few));
    }
    state.bits = run->state.bits;
    ASSERT(run->bits == at && memcmp(run->words, words, (at + 63) / 64 * sizeof(words[0])) == 0);
    ASSERT(memcmp(&run->state, &state, sizeof(state)) == 0);
}

/* Samples of the stream, encoded alone up to somewhere and together from there on. */
static void check_runs(open_runs_function *together, uint32_t count)
{
    struct open_run runs[OPEN_RUNS];
    struct open_state states[OPEN_RUNS];
    struct sample samples[OPEN_RUNS][OPEN_RUN_SAMPLES_MAX];
    struct open_state state = {.bits = 0};
    uint32_t encoded = 0;
    if (!together) return;
    for (uint32_t i = 0; i < OPEN_RUNS; i++) {
        uint32_t first = count * i / OPEN_RUNS;
        uint32_t left = count - first;
        for (; encoded < first; encoded++) {
            struct sample_bits bits;
            open_encode(&state, t_ms[encoded], v[encoded], &bits);
        }
        states[i] = state;
        runs[i] =
            (struct open_run){.samples = samples[i],
                              .count = left < OPEN_RUN_SAMPLES_MAX ? left : OPEN_RUN_SAMPLES_MAX,
                              .state = state};
        for (uint32_t n = 0; n < runs[i].count; n++)
            samples[i][n] = (struct sample){.t_ms = t_ms[first + n], .v = v[first + n]};
    }
    together(runs, OPEN_RUNS, INT64_MAX);
    for (uint32_t i = 0; i < OPEN_RUNS; i++)
        check_run(&runs[i], states[i]);
}

static size_t encode_all(uint32_t count, struct open_state *state)
{
    *state = (struct open_state){.bits = 0};
    memset(stream, 0, ((size_t)count + 1) * SAMPLE_BYTES_MAX);
    for (uint32_t i = 0; i < count; i++) {
        struct sample_bits bits;
        uint32_t at = state->bits;
        struct open_state before = *state;
        open_encode(state, t_ms[i], v[i], &bits);
        check_fast(&before, t_ms[i], v[i], state, &bits);
        bits_put(stream, &at, &bits);
    }
    return (state->bits + 7) / 8;
}

/* The stream, and less and less of it, from its start and from further on. */
static void check_together(open_lanes_function *together, const uint8_t *bytes, size_t size,
                           uint32_t count)
{
    struct open_lane lanes[OPEN_LANES];
    struct open_lane *group[OPEN_LANES];
    const size_t lane_count = size % 2 ? OPEN_LANES : OPEN_LANES / 2; /* few go another way */
    if (!together || count < 2) return;
    for (size_t i = 0; i < lane_count; i++) {
        size_t from = i % 2 ? size * i / (2 * OPEN_LANES) : 0;
        struct open_lane *lane = group[i] = &lanes[i];
        *lane = (struct open_lane){.size = size - from - (i > 1 ? (size - from) / (2 * i) : 0),
                                   .count = count < 2 + i ? 2 : count - (uint32_t)i,
                                   .t_ms = malloc(count * sizeof(*t_ms)),
                                   .v = malloc(count * sizeof(*v))};
        uint8_t *copy = malloc(lane->size + OPEN_LANE_SLACK_BYTES);
        ASSERT(copy && lane->t_ms && lane->v);
        memcpy(copy, bytes + from, lane->size);
        memset(copy + lane->size, 0xFF, OPEN_LANE_SLACK_BYTES);
        lane->bytes = copy;
    }
    together(group, lane_count);
    for (size_t i = 0; i < lane_count; i++) {
        struct open_state state;
        uint32_t decoded = lanes[i].count;
        ASSERT(open_decode(lanes[i].bytes, lanes[i].size, &decoded, again_t_ms, again_v, &state) ==
               lanes[i].status);
        ASSERT(lanes[i].status || memcmp(again_t_ms, lanes[i].t_ms, decoded * sizeof(*t_ms)) == 0);
        ASSERT(lanes[i].status || memcmp(again_v, lanes[i].v, decoded * sizeof(*v)) == 0);
        free((void *)(uintptr_t)lanes[i].bytes);
        free(lanes[i].t_ms);
        free(lanes[i].v);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct open_state encoded;
    struct open_state decoded;
    if (size < HEADER_BYTES) return 0;
    uint32_t count = get_le16(data);
    uint32_t checked = count;
    check_together(open_lanes_avx2(), data + HEADER_BYTES, size - HEADER_BYTES, count);
    check_together(open_lanes_avx512(), data + HEADER_BYTES, size - HEADER_BYTES, count);
    enum status st =
        open_decode(data + HEADER_BYTES, size - HEADER_BYTES, &count, t_ms, v, &decoded);
    /* Without arrays another loop goes over the bits. */
    ASSERT(open_decode(data + HEADER_BYTES, size - HEADER_BYTES, &checked, NULL, NULL, &encoded) ==
           st);
    ASSERT(st || memcmp(&decoded, &encoded, sizeof(decoded)) == 0);
    ASSERT(count <= get_le16(data));
    for (uint32_t i = 1; i < count; i++)
        ASSERT(t_ms[i - 1] < t_ms[i]);
    check_runs(open_runs_avx2(), count);
    check_runs(open_runs_avx512(), count);
    size_t bytes = encode_all(count, &encoded);
    ASSERT(open_decode(stream, bytes, &count, again_t_ms, again_v, &decoded) == OK);
    ASSERT(memcmp(again_t_ms, t_ms, count * sizeof(*t_ms)) == 0);
    ASSERT(memcmp(again_v, v, count * sizeof(*v)) == 0);
    ASSERT(memcmp(&decoded, &encoded, sizeof(decoded)) == 0);
    return 0;
}
