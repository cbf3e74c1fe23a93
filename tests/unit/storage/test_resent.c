/* resent: what comes again is known, and nothing else is. */
#include "storage/resent.h"

#include "alloc/memstats.h"
#include "tests/unit/suite.h"

enum { SAMPLES = 50, CHUNKS = 40, ARENA_BYTES = 16 << 20 };

static struct sample samples[SAMPLES];
static struct arena arena;

static void setup(void)
{
    arena_init(&arena, HEAP_HTTP, ARENA_BYTES);
    for (int i = 0; i < SAMPLES; i++)
        samples[i] = (struct sample){1000 + 10 * i, i % 7 ? i : -0.0};
}

static void teardown(void)
{
    struct memstats stats;
    arena_release(&arena);
    memstats_read(&stats);
    ck_assert_uint_eq(stats.tag_objects[HEAP_CHUNKS], 0);
}

static struct chunk *make(int count)
{
    struct chunk *c = chunk_create(0);
    for (int i = 0; i < count; i++)
        ck_assert_int_eq(chunk_add(c, samples[i].t_ms, samples[i].v), CHUNK_APPENDED);
    return c;
}

static struct resent_known known(const struct chunk *c, const struct sample *of, uint32_t count)
{
    struct resent item = {.chunk = c, .samples = of, .count = count};
    resent_find(&item, 1, &arena);
    return item.known;
}

static void expect(const struct chunk *c, const struct sample *of, uint32_t count, uint32_t same,
                   uint32_t other, uint32_t absent)
{
    struct resent_known of_stream = known(c, of, count);
    ck_assert_uint_eq(of_stream.same, same);
    ck_assert_uint_eq(of_stream.other, other);
    ck_assert_uint_eq(of_stream.absent, absent);
}

START_TEST(what_a_stream_has_is_told_from_what_it_never_will_have)
{
    setup();
    struct chunk *c = make(SAMPLES);
    for (uint32_t first = 0; first < SAMPLES; first++) {
        uint32_t count =
            SAMPLES - first < RESENT_SAMPLES_MAX ? SAMPLES - first : RESENT_SAMPLES_MAX;
        expect(c, samples + first, count, (uint32_t)((UINT64_C(1) << count) - 1), 0, 0);
    }
    const struct sample with_gaps[] = {samples[3], samples[9], samples[49], {2000, 1}};
    const struct sample conflict[] = {samples[3], {samples[7].t_ms, 0.0}, samples[8]};
    const struct sample between[] = {samples[3], {samples[3].t_ms + 1, 3}, samples[4]};
    const struct sample backwards[] = {samples[3], samples[2], {999, 1}, samples[5]};
    expect(c, with_gaps, 4, 7, 0, 0);
    expect(c, conflict, 3, 5, 2, 0);
    expect(c, between, 3, 5, 0, 2);
    expect(c, backwards, 4, 11, 0, 4);
    const struct sample ahead[] = {{2000, 1}, samples[4], {3000, 1}, samples[4], samples[4]};
    const struct sample mixed[] = {{samples[3].t_ms, 0},
                                   {samples[4].t_ms, 0},
                                   {1001, 1},
                                   {1002, 1},
                                   {samples[5].t_ms, 0},
                                   {1003, 1}};
    expect(c, ahead, 5, 2 | 8 | 16, 0, 0);
    expect(c, mixed, 6, 0, 1 | 2 | 16, 4 | 8 | 32);
    expect(c, samples, 0, 0, 0, 0);
    /* Of a late run nothing is said. */
    ck_assert_int_eq(chunk_add(c, samples[3].t_ms + 1, 1), CHUNK_LATE);
    expect(c, between, 3, 5, 0, 2);
    chunk_destroy(c);
    teardown();
}
END_TEST

START_TEST(each_of_many_is_held_against_its_own_chunk)
{
    struct resent items[CHUNKS];
    setup();
    for (int i = 0; i < CHUNKS; i++) {
        const struct sample *of = samples + i / 2;
        items[i] = (struct resent){.chunk = make(1 + i), .samples = of, .count = 3};
    }
    resent_find(items, CHUNKS, &arena);
    for (int i = 0; i < CHUNKS; i++) {
        int there = 1 + i - i / 2;
        ck_assert_uint_eq(items[i].known.same, (1u << (there < 3 ? there : 3)) - 1);
        chunk_destroy((struct chunk *)items[i].chunk);
    }
    teardown();
}
END_TEST

START_TEST(without_memory_nothing_is_found)
{
    struct arena tight;
    setup();
    struct chunk *c = make(SAMPLES);
    struct resent item = {.chunk = c, .samples = samples, .count = 1, .known = {1, 2, 4}};
    arena_init(&tight, HEAP_HTTP, 64);
    resent_find(&item, 1, &tight);
    ck_assert_uint_eq(item.known.same | item.known.other | item.known.absent, 0);
    arena_release(&tight);
    chunk_destroy(c);
    teardown();
}
END_TEST

START_TEST(only_what_is_inside_a_stream_may_be_there)
{
    setup();
    struct chunk *c = make(SAMPLES);
    ck_assert(chunk_may_have(c, 1000));
    ck_assert(chunk_may_have(c, samples[SAMPLES - 1].t_ms - 1));
    ck_assert(!chunk_may_have(c, 999));
    ck_assert(!chunk_may_have(c, samples[SAMPLES - 1].t_ms)); /* the encoder knows */
    ck_assert_int_eq(chunk_add(c, 1001, 1), CHUNK_LATE);
    ck_assert(chunk_may_have(c, 1000));
    chunk_destroy(c);
    teardown();
}
END_TEST

SUITE(resent, what_a_stream_has_is_told_from_what_it_never_will_have,
      each_of_many_is_held_against_its_own_chunk, without_memory_nothing_is_found,
      only_what_is_inside_a_stream_may_be_there)
