/* open_runs: streams encoded together get the bits that each gets alone, up to what is not usual.
 */
#include "encoding/open_runs.h"

#include "tests/unit/encoding/samples.h"
#include "tests/unit/suite.h"

enum { GROUPS = 20000 / SUITE_FEWER, BEFORE_MAX = 40 };

/* A run's own samples, and those before it. */
struct stream {
    struct sample samples[BEFORE_MAX + OPEN_RUN_SAMPLES_MAX];
    uint32_t before;
    struct open_run run;
};

/* Bits one behind the other. */
struct text {
    uint64_t words[OPEN_RUN_SAMPLES_MAX * SAMPLE_BITS_WORDS + 2];
    uint32_t bits;
};

static void text_put(struct text *text, uint64_t front, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++, text->bits++)
        text->words[text->bits / 64] |= (front >> (63 - i) & 1) << (63 - text->bits % 64);
}

static void stream_random(struct stream *s)
{
    int64_t t_ms[SAMPLES_MAX];
    double v[SAMPLES_MAX];
    samples_times(t_ms, SAMPLES_MAX);
    samples_values(v, SAMPLES_MAX);
    s->before = (uint32_t)random() % BEFORE_MAX;
    s->run = (struct open_run){.samples = s->samples + s->before,
                               .count = 1 + (uint32_t)random() % OPEN_RUN_SAMPLES_MAX,
                               .bits = (uint32_t)random() % 64};
    for (uint32_t i = 0; i < s->before + s->run.count; i++)
        s->samples[i] = (struct sample){.t_ms = t_ms[i], .v = v[i]};
    if (random() % 8 == 0) {
        struct sample *back = &s->samples[random() % (s->before + s->run.count)];
        back->t_ms = bits_sub_clamped(back->t_ms, random() % 60000);
    }
    for (uint32_t i = 0; i < s->before; i++) {
        struct sample_bits bits;
        open_encode(&s->run.state, s->samples[i].t_ms, s->samples[i].v, &bits);
    }
    if (s->run.bits) s->run.words[0] = samples_u64() << (64 - s->run.bits);
}

/* What open_codec.h calls usual. */
static bool is_usual(const struct open_state *state, const struct sample *sample, int64_t last_ms)
{
    struct open_few few;
    return state->step_ms && state->scale != OPEN_XOR && sample->t_ms > state->t_ms &&
           sample->t_ms <= last_ms && open_encode_few(state, sample->t_ms, sample->v, &few);
}

static void check_as_alone(const struct open_run *run, const struct open_run *before,
                           int64_t last_ms)
{
    struct text text = {.bits = 0};
    struct open_state state = before->state;
    text_put(&text, before->words[0], before->bits);
    for (uint32_t i = 0; i < run->done; i++) {
        struct sample_bits bits;
        EXPECT_MSG(is_usual(&state, &run->samples[i], last_ms), "sample %u is special", i);
        open_encode(&state, run->samples[i].t_ms, run->samples[i].v, &bits);
        text_put(&text, bits.words[0], bits.count);
    }
    if (run->done < run->count) ck_assert(!is_usual(&state, &run->samples[run->done], last_ms));
    state.bits = run->state.bits;
    ck_assert_mem_eq(&state, &run->state, sizeof(state));
    ck_assert_uint_eq(run->bits, text.bits);
    ck_assert_mem_eq(run->words, text.words, (run->bits + 63) / 64 * sizeof(uint64_t));
}

static void check_together(open_runs_function *encode)
{
    struct stream *streams = calloc(OPEN_RUNS, sizeof(*streams));
    samples_seed();
    for (int round = 0; encode && round < GROUPS; round++) {
        size_t count = 1 + (size_t)random() % OPEN_RUNS;
        struct open_run before[OPEN_RUNS];
        struct open_run runs[OPEN_RUNS];
        for (size_t i = 0; i < count; i++) {
            stream_random(&streams[i]);
            before[i] = runs[i] = streams[i].run;
        }
        int64_t last_ms = random() % 3 ? INT64_MAX : streams[0].samples[streams[0].before].t_ms;
        encode(runs, count, last_ms);
        for (size_t i = 0; i < count; i++)
            check_as_alone(&runs[i], &before[i], last_ms);
    }
    free(streams);
}

START_TEST(together_is_as_alone_with_avx512)
{
    check_together(open_runs_avx512());
}
END_TEST

START_TEST(together_is_as_alone_with_avx2)
{
    check_together(open_runs_avx2());
}
END_TEST

SUITE(open_runs, together_is_as_alone_with_avx512, together_is_as_alone_with_avx2)
