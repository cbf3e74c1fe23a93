/* chunk_runs: several runs at once make the chunks that each makes alone. */
#include "storage/chunk_runs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "storage/chunk_parts.h"
#include "tests/unit/suite.h"

enum { STEP_MS = 15000, PASSES = 40 };

/* Two chunks that get the same samples, and what the next ones are. */
struct twins {
    struct chunk *together;
    struct chunk *alone;
    int64_t t_ms;
    double v;
    int kind;
    struct sample samples[OPEN_RUN_SAMPLES_MAX];
    size_t count;
};

static double next_value(struct twins *twins)
{
    switch (twins->kind) {
    case 0: return twins->v;
    case 1: return twins->v += (double)(random() % 300);
    case 2: return twins->v = round((twins->v + (double)(random() % 100) / 100) * 100) / 100;
    case 3: return twins->v = (double)(random() % 1000) * 4096;
    case 4: return twins->v = sin((double)random());
    default: return random() % 20 ? twins->v : NAN;
    }
}

static void next_run(struct twins *twins)
{
    twins->count = 1 + (size_t)random() % OPEN_RUN_SAMPLES_MAX;
    for (size_t i = 0; i < twins->count; i++) {
        twins->t_ms += STEP_MS;
        int64_t late_ms = random() % 10 ? 0 : random() % 80;
        twins->samples[i] = (struct sample){.t_ms = twins->t_ms + late_ms, .v = next_value(twins)};
    }
    if (random() % 10 == 0) { /* there is, or will be, a late run */
        enum chunk_outcome outcome = chunk_add(twins->alone, twins->t_ms / 2, 1);
        ck_assert_int_eq(chunk_add(twins->together, twins->t_ms / 2, 1), outcome);
    }
    if (random() % 20 == 0) twins->samples[random() % (long)twins->count].t_ms -= 2 * STEP_MS;
}

static void check_same(const struct chunk *a, const struct chunk *b)
{
    struct stream_extent extent = stream_extent_load(a);
    static uint8_t bytes[2][1 << 16];
    chunk_check(a);
    ck_assert_uint_eq(atomic_load(&a->published), atomic_load(&b->published));
    ck_assert_mem_eq(&a->state, &b->state, sizeof(a->state));
    ck_assert_uint_eq(chunk_bytes(a), chunk_bytes(b));
    ck_assert_uint_lt(stream_bytes(extent), sizeof(bytes[0]));
    chunk_stream_copy(a, extent, bytes[0]);
    chunk_stream_copy(b, extent, bytes[1]);
    ck_assert_mem_eq(bytes[0], bytes[1], stream_bytes(extent));
}

/* One more run of each; memory may be refused after so many objects. */
static void append(struct twins *twins, size_t count, uint64_t allowed)
{
    struct chunk_run runs[CHUNK_RUNS_MAX];
    struct chunk_growth growth[2] = {{.bytes = 0}, {.bytes = 0}};
    int64_t end_ms = random() % 10 ? INT64_MAX : twins[0].t_ms;
    for (size_t i = 0; i < count; i++) {
        next_run(&twins[i]);
        runs[i] = (struct chunk_run){
            .chunk = twins[i].together, .samples = twins[i].samples, .count = twins[i].count};
    }
    heap_fail_after(allowed);
    chunk_runs_append(runs, count, end_ms, &growth[0]);
    heap_fail_after(allowed);
    for (size_t i = 0; i < count; i++) {
        size_t done =
            chunk_append_run(twins[i].alone, twins[i].samples, twins[i].count, end_ms, &growth[1]);
        ck_assert_uint_eq(runs[i].done, done);
    }
    heap_fail_after(UINT64_MAX);
    for (size_t i = 0; i < count; i++)
        check_same(twins[i].together, twins[i].alone);
    ck_assert_int_eq(growth[0].bytes, growth[1].bytes);
    ck_assert_int_eq(growth[0].used_bytes, growth[1].used_bytes);
}

static void check_random(bool refusing)
{
    unsigned seed = (unsigned)clock_mono_ns();
    printf("seed %u\n", seed);
    srandom(seed);
    for (int round = 0; round < 60; round++) {
        struct twins twins[CHUNK_RUNS_MAX];
        size_t count = 1 + (size_t)random() % CHUNK_RUNS_MAX;
        for (size_t i = 0; i < count; i++)
            twins[i] = (struct twins){
                .together = chunk_create(0), .alone = chunk_create(0), .kind = (int)(random() % 6)};
        for (int pass = 0; pass < PASSES; pass++)
            append(twins, count, refusing && random() % 2 ? (uint64_t)random() % 2 : UINT64_MAX);
        for (size_t i = 0; i < count; i++) {
            chunk_destroy(twins[i].together);
            chunk_destroy(twins[i].alone);
        }
    }
}

START_TEST(runs_make_the_same_chunks_as_one_by_one)
{
    check_random(false);
}
END_TEST

START_TEST(runs_end_where_memory_does)
{
    check_random(true);
}
END_TEST

START_TEST(a_chunk_that_is_there_twice_takes_its_first_run)
{
    const struct sample samples[] = {{15000, 1}, {30000, 2}, {45000, 3}, {60000, 4}};
    struct chunk_growth growth = {.bytes = 0};
    struct chunk *c = chunk_create(0);
    ck_assert_int_eq(chunk_add(c, 0, 0), CHUNK_APPENDED);
    struct chunk_run runs[] = {{.chunk = c, .samples = samples, .count = 2},
                               {.chunk = c, .samples = samples + 2, .count = 2}};
    chunk_runs_append(runs, 2, INT64_MAX, &growth);
    ck_assert_uint_eq(runs[0].done, 2);
    ck_assert_uint_eq(runs[1].done, 0);
    ck_assert_uint_eq(chunk_sample_count(c), 3);
    chunk_check(c);
    chunk_destroy(c);
}
END_TEST

SUITE(chunk_runs, runs_make_the_same_chunks_as_one_by_one, runs_end_where_memory_does,
      a_chunk_that_is_there_twice_takes_its_first_run)
