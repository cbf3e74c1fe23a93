/* chunk: appending, late samples, rewriting, images; then random walks against a sorted array. */
#include "storage/chunk.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "alloc/memstats.h"
#include "base/bits.h"
#include "base/clock.h"
#include "tests/unit/encoding/bits_put.h"
#include "tests/unit/suite.h"

enum { ARENA_BYTES = 64 << 20 };

static struct arena arena;

static void setup(void)
{
    arena_init(&arena, HEAP_QUERY, ARENA_BYTES);
}

static void teardown(struct chunk *c)
{
    struct memstats stats;
    if (c) chunk_check(c);
    chunk_destroy(c);
    arena_release(&arena);
    memstats_read(&stats);
    ck_assert_uint_eq(stats.tag_objects[HEAP_CHUNKS], 0);
}

static struct columns read_all(const struct chunk *c)
{
    struct columns columns = {.arena = &arena};
    struct error err;
    ck_assert_int_eq(chunk_read(c, INT64_MIN, INT64_MAX, &columns, &err), OK);
    return columns;
}

START_TEST(samples_come_back_in_order)
{
    setup();
    struct chunk *c = chunk_create(3);
    for (int i = 0; i < 2000; i++)
        ck_assert_int_eq(chunk_add(c, 1000 + i * 15000, i * 0.1), CHUNK_APPENDED);
    struct columns columns = read_all(c);
    ck_assert_uint_eq(columns.count, 2000);
    for (int i = 0; i < 2000; i++) {
        ck_assert_int_eq(columns.t_ms[i], 1000 + i * 15000);
        ck_assert(columns.v[i] == i * 0.1);
    }
    ck_assert_uint_eq(chunk_sample_count(c), 2000);
    teardown(c);
}
END_TEST

START_TEST(late_samples_are_merged_duplicates_ignored_conflicts_refused)
{
    setup();
    struct chunk *c = chunk_create(0);
    ck_assert_int_eq(chunk_add(c, 100, 1), CHUNK_APPENDED);
    ck_assert_int_eq(chunk_add(c, 100, 1), CHUNK_DUPLICATE);
    ck_assert_int_eq(chunk_add(c, 300, 3), CHUNK_APPENDED);
    ck_assert_int_eq(chunk_add(c, 300, 3), CHUNK_DUPLICATE);
    ck_assert_int_eq(chunk_add(c, 300, 4), CHUNK_CONFLICT);
    ck_assert_int_eq(chunk_add(c, 200, 2), CHUNK_LATE);
    ck_assert_int_eq(chunk_add(c, 200, 2), CHUNK_DUPLICATE);
    ck_assert_int_eq(chunk_add(c, 200, 2.5), CHUNK_CONFLICT);
    ck_assert_int_eq(chunk_add(c, 100, 1), CHUNK_DUPLICATE);
    ck_assert_int_eq(chunk_add(c, 100, 9), CHUNK_CONFLICT);
    ck_assert_int_eq(chunk_add(c, 50, 0.5), CHUNK_LATE);
    struct columns columns = read_all(c);
    const int64_t expected[] = {50, 100, 200, 300};
    ck_assert_uint_eq(columns.count, 4);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(columns.t_ms[i], expected[i]);
    struct chunk *fresh = chunk_rewrite(c, &arena);
    ck_assert_ptr_nonnull(fresh);
    chunk_check(fresh);
    ck_assert_uint_eq(chunk_sample_count(fresh), 4);
    chunk_destroy(c);
    teardown(fresh);
}
END_TEST

static void check_same(const struct chunk *a, const struct chunk *b)
{
    struct columns left = read_all(a);
    struct columns right = read_all(b);
    ck_assert_uint_eq(left.count, right.count);
    for (size_t i = 0; i < left.count; i++) {
        EXPECT(left.t_ms[i] == right.t_ms[i]);
        EXPECT(bits_from_double(left.v[i]) == bits_from_double(right.v[i]));
    }
}

START_TEST(an_imported_image_continues_as_the_original)
{
    setup();
    for (int count = 1; count < 300; count++) {
        struct chunk *c = chunk_create(0);
        struct chunk *copy = NULL;
        struct chunk_image image = {.labels = {0}};
        struct error err;
        for (int i = 0; i < count; i++)
            EXPECT(chunk_add(c, i * 1000 + i % 7, i % 5 ? i : i * 0.3) == CHUNK_APPENDED);
        if (count % 3 == 0) ck_assert_int_eq(chunk_add(c, 500, -1), CHUNK_LATE);
        ck_assert_int_eq(chunk_export(c, NULL, &arena, &image, &err), OK);
        ck_assert_int_eq(chunk_import(&image, 0, 1000000, &copy, &err), OK);
        chunk_check(copy);
        ck_assert_int_eq(chunk_add(c, 900000, 1), CHUNK_APPENDED);
        ck_assert_int_eq(chunk_add(copy, 900000, 1), CHUNK_APPENDED);
        check_same(c, copy);
        chunk_check(copy);
        chunk_destroy(copy);
        chunk_destroy(c);
        arena_reset(&arena);
    }
    teardown(NULL);
}
END_TEST

/* What the encoder knows at the end, and what a decoder learns of the bytes, is the same. */
START_TEST(an_image_up_to_an_end_is_the_decoded_one)
{
    setup();
    struct chunk *c = chunk_create(0);
    struct error err;
    for (int i = 0; i < 1500; i++) {
        struct chunk_end end;
        struct chunk_image decoded = {.labels = {0}};
        struct chunk_image image = {.labels = {0}};
        double v = i < 400 ? i / 40 : i < 800 ? i * 0.3 : i < 1100 ? sqrt(i) : NAN;
        ck_assert_int_eq(chunk_add(c, i * 1000 + i % 11 * (i % 3), v), CHUNK_APPENDED);
        ck_assert(chunk_read_end(c, &end));
        ck_assert_int_eq(chunk_export(c, NULL, &arena, &decoded, &err), OK);
        ck_assert_int_eq(chunk_add(c, i * 1000 + 500, -v), CHUNK_APPENDED); /* behind the end */
        ck_assert_int_eq(chunk_export(c, &end, &arena, &image, &err), OK);
        ck_assert_uint_eq(image.sample_count, decoded.sample_count);
        ck_assert_uint_eq(image.size, decoded.size);
        ck_assert_mem_eq(image.bytes, decoded.bytes, image.size);
        ck_assert_mem_eq(&image.state, &decoded.state, sizeof(image.state));
        ck_assert_int_eq(image.t_first_ms, decoded.t_first_ms);
        ck_assert_int_eq(image.t_last_ms, decoded.t_last_ms);
        arena_reset(&arena);
    }
    teardown(c);
}
END_TEST

START_TEST(only_what_is_nothing_but_a_stream_has_an_end)
{
    setup();
    struct chunk *c = chunk_create(0);
    struct chunk_end end;
    ck_assert(chunk_read_end(c, &end));
    ck_assert_uint_eq(end.count, 0);
    ck_assert_int_eq(chunk_add(c, 1000, 1), CHUNK_APPENDED);
    ck_assert_int_eq(chunk_add(c, 500, 1), CHUNK_LATE);
    ck_assert(!chunk_read_end(c, &end));
    chunk_destroy(c);
    c = chunk_create(0);
    chunk_discard(c);
    ck_assert(!chunk_read_end(c, &end));
    chunk_destroy(c);
    teardown(NULL);
}
END_TEST

START_TEST(damaged_images_are_refused_or_harmless)
{
    setup();
    struct chunk *c = chunk_create(0);
    struct chunk_image image = {.labels = {0}};
    struct error err;
    for (int i = 0; i < 50; i++)
        ck_assert_int_eq(chunk_add(c, i * 997, i * 1.7), CHUNK_APPENDED);
    ck_assert_int_eq(chunk_export(c, NULL, &arena, &image, &err), OK);
    uint8_t *bytes = (uint8_t *)image.bytes;
    for (uint32_t i = 0; i < image.size; i++) {
        struct chunk *copy = NULL;
        bytes[i] ^= 0xA5;
        if (chunk_import(&image, 0, 1000000, &copy, &err) == OK) chunk_check(copy);
        chunk_destroy(copy);
        bytes[i] ^= 0xA5;
    }
    struct chunk *copy = NULL;
    struct chunk_image wrong = image;
    wrong.encoding = 99;
    ck_assert_int_eq(chunk_import(&wrong, 0, 1000000, &copy, &err), ERR_UNSUPPORTED);
    wrong = image;
    wrong.sample_count++;
    ck_assert_int_eq(chunk_import(&wrong, 0, 1000000, &copy, &err), ERR_CORRUPT);
    wrong = image;
    wrong.size--;
    ck_assert_int_eq(chunk_import(&wrong, 0, 1000000, &copy, &err), ERR_CORRUPT);
    ck_assert_int_eq(chunk_import(&image, 0, image.t_last_ms - 1, &copy, &err), ERR_CORRUPT);
    teardown(c);
}
END_TEST

/* One append, checked at each step against what the codec alone makes of all samples. */
struct reference {
    struct open_state state;
    uint32_t count;
    int64_t t_ms[4000];
    double v[4000];
    uint8_t bytes[4000 * SAMPLE_BITS_MAX / 8];
};

static void add_to_both(struct chunk *c, struct reference *r, int64_t step_ms, double v)
{
    struct sample_bits bits;
    int64_t t_ms = r->state.t_ms + step_ms;
    uint32_t at = r->state.bits;
    open_encode(&r->state, t_ms, v, &bits);
    bits_put(r->bytes, &at, &bits);
    r->t_ms[r->count] = t_ms;
    r->v[r->count++] = v;
    ck_assert_int_eq(chunk_add(c, t_ms, v), CHUNK_APPENDED);
}

static void check_against(const struct chunk *c, const struct reference *r)
{
    struct chunk_image image = {.labels = {0}};
    struct error err;
    struct columns columns = read_all(c);
    chunk_check(c);
    ck_assert_uint_eq(columns.count, r->count);
    ck_assert_mem_eq(columns.t_ms, r->t_ms, r->count * sizeof(*r->t_ms));
    ck_assert_mem_eq(columns.v, r->v, r->count * sizeof(*r->v));
    ck_assert_int_eq(chunk_export(c, NULL, &arena, &image, &err), OK);
    ck_assert_uint_eq(image.size, (r->state.bits + 7) / 8);
    ck_assert_mem_eq(image.bytes, r->bytes, image.size);
}

/* A value like the one before it more often than not; else a step, a long decimal, or any bits. */
static double next_value(double before)
{
    uint64_t any = (uint64_t)random() << 32 ^ (uint64_t)random() << 16 ^ (uint64_t)random();
    switch (random() % 16) {
    case 0: return before + 1;
    case 1: return (double)(random() % 1000) / 100;
    case 2: return random() % 4 ? before : (double)random() / 1e9;
    case 3: return random() % 4 ? before : bits_to_double(any);
    default: return before;
    }
}

START_TEST(a_stream_is_the_codecs_with_zeros_implied)
{
    static struct reference r;
    unsigned seed = (unsigned)clock_mono_ns();
    printf("seed %u\n", seed);
    srandom(seed);
    setup();
    for (int round = 0; round < 40; round++) {
        struct chunk *c = chunk_create(0);
        struct chunk *copy = NULL;
        struct chunk_image image = {.labels = {0}};
        struct error err;
        long calm = 1 + random() % 400; /* changes in a row, then repeats in a row */
        long jitter_ms = 1 + round % 2 * 4;
        double v = 1;
        r = (struct reference){.count = 0};
        for (int i = 0; i < 3000; i++) {
            if (random() % calm == 0 || i / calm % 2) v = next_value(v);
            long step_ms = random() % 100 ? 15000 : random() % 20000;
            add_to_both(c, &r, step_ms + 1 + random() % jitter_ms, v);
        }
        check_against(c, &r);
        ck_assert_int_eq(chunk_export(c, NULL, &arena, &image, &err), OK);
        ck_assert_int_eq(chunk_import(&image, 0, INT64_MAX, &copy, &err), OK);
        chunk_destroy(c);
        ck_assert_uint_le(chunk_bytes(copy), sizeof(*copy) + (r.state.bits / 992 + 1) * 128);
        for (int i = 0; i < 500; i++)
            add_to_both(copy, &r, 15000, v = next_value(v));
        check_against(copy, &r);
        chunk_destroy(copy);
        arena_reset(&arena);
    }
    teardown(NULL);
}
END_TEST

START_TEST(what_repeats_takes_no_memory)
{
    static struct reference r;
    struct chunk_image image = {.labels = {0}};
    struct chunk *copy = NULL;
    struct error err;
    setup();
    r = (struct reference){.count = 0};
    struct chunk *c = chunk_create(0);
    for (int i = 0; i < 3000; i++)
        add_to_both(c, &r, 15000, 0.25);
    ck_assert_uint_eq(chunk_bytes(c), sizeof(*c));
    check_against(c, &r);
    ck_assert_int_eq(chunk_export(c, NULL, &arena, &image, &err), OK);
    ck_assert_int_eq(chunk_import(&image, 0, INT64_MAX, &copy, &err), OK);
    ck_assert_uint_eq(chunk_bytes(copy), sizeof(*c));
    chunk_destroy(copy);

    /* The change that follows lies behind several cells of zeros; all or none are there. */
    uint64_t cells = (r.state.bits - 480 + 991) / 992;
    int64_t t_ms = r.state.t_ms + 15000;
    for (uint64_t allowed = 0; allowed < cells; allowed++) {
        heap_fail_after(allowed);
        ck_assert_int_eq(chunk_add(c, t_ms, 1), CHUNK_NO_MEMORY);
        heap_fail_after(UINT64_MAX);
        ck_assert_uint_eq(chunk_bytes(c), sizeof(*c));
        check_against(c, &r);
    }
    add_to_both(c, &r, 15000, 1);
    ck_assert_uint_eq(chunk_bytes(c), sizeof(*c) + cells * 128);
    check_against(c, &r);
    teardown(c);
}
END_TEST

/* Add runs of up to 40 samples to one chunk, and each sample to the other one. */
static void add_runs(struct chunk *c, struct chunk *single)
{
    struct sample samples[40];
    struct chunk_growth growth = {.bytes = 0};
    int64_t bytes = (int64_t)chunk_bytes(c);
    int64_t spare_bytes = (int64_t)chunk_spare_bytes(c);
    int64_t t_ms = single->state.t_ms;
    for (int run = 0; run < 60; run++) {
        size_t count = (size_t)random() % 40 + 1;
        for (size_t i = 0; i < count; i++) {
            t_ms += 15000 + random() % 3;
            samples[i] = (struct sample){.t_ms = t_ms, .v = next_value((double)(t_ms % 7))};
            ck_assert_int_eq(chunk_add(single, t_ms, samples[i].v), CHUNK_APPENDED);
        }
        ck_assert_uint_eq(chunk_append_run(c, samples, count, t_ms + 1, &growth), count);
    }
    ck_assert_int_eq(growth.bytes, (int64_t)chunk_bytes(c) - bytes);
    ck_assert_int_eq(growth.bytes - growth.used_bytes, (int64_t)chunk_spare_bytes(c) - spare_bytes);
}

START_TEST(a_run_is_appended_like_its_samples)
{
    unsigned seed = (unsigned)clock_mono_ns();
    printf("seed %u\n", seed);
    srandom(seed);
    setup();
    for (int round = 0; round < 20; round++) {
        struct chunk *c = chunk_create(0);
        struct chunk *single = chunk_create(0);
        add_runs(c, single);
        check_same(c, single);
        chunk_check(c);
        chunk_destroy(single);
        chunk_destroy(c);
        arena_reset(&arena);
    }
    teardown(NULL);
}
END_TEST

START_TEST(a_run_ends_before_what_is_not_for_the_end_of_the_stream)
{
    setup();
    struct chunk_growth growth = {.bytes = 0};
    struct chunk *c = chunk_create(0);
    const struct sample late[] = {{100, 1}, {200, 2}, {150, 3}, {300, 4}};
    const struct sample twice[] = {{300, 1}, {300, 1}};
    const struct sample beyond[] = {{400, 1}, {500, 2}};
    ck_assert_uint_eq(chunk_append_run(c, late, 4, 1000, &growth), 2);
    ck_assert_uint_eq(chunk_append_run(c, twice, 2, 1000, &growth), 1);
    ck_assert_uint_eq(chunk_append_run(c, beyond, 2, 500, &growth), 1);
    ck_assert_uint_eq(chunk_append_run(c, beyond + 1, 1, 500, &growth), 0);
    ck_assert_uint_eq(chunk_sample_count(c), 4);
    ck_assert_int_eq(chunk_add(c, 250, 1), CHUNK_LATE);
    ck_assert_uint_eq(chunk_append_run(c, beyond + 1, 1, 1000, &growth), 1);
    ck_assert_uint_eq(chunk_sample_count(c), 6);
    teardown(c);
}
END_TEST

START_TEST(a_run_ends_where_memory_does)
{
    setup();
    for (uint64_t allowed = 0; allowed < 10; allowed++) {
        struct sample samples[600];
        struct chunk_growth growth = {.bytes = 0};
        struct chunk *c = chunk_create(0);
        for (int i = 0; i < 600; i++)
            samples[i] = (struct sample){.t_ms = i * 1000 + i % 3, .v = i % 7 ? i * 0.01 : i / 7.0};
        ck_assert_int_eq(chunk_add(c, -1, 0), CHUNK_APPENDED);
        heap_fail_after(allowed);
        size_t count = chunk_append_run(c, samples, 600, INT64_MAX, &growth);
        heap_fail_after(UINT64_MAX);
        ck_assert_uint_lt(count, 600);
        chunk_check(c);
        ck_assert_uint_eq(chunk_bytes(c), sizeof(*c) + allowed * 128);
        ck_assert_int_eq(growth.bytes, (int64_t)allowed * 128);
        ck_assert_uint_eq(read_all(c).count, count + 1);
        ck_assert_uint_eq(chunk_append_run(c, samples + count, 600 - count, INT64_MAX, &growth),
                          600 - count);
        chunk_check(c);
        chunk_destroy(c);
        arena_reset(&arena);
    }
    teardown(NULL);
}
END_TEST

/* The model: value by time, in a flat array of times 0 .. TIMES-1. */
enum { TIMES = 3000 };

START_TEST(random_order_equals_the_model)
{
    unsigned seed = (unsigned)clock_mono_ns();
    static double model[TIMES];
    static bool present[TIMES];
    printf("seed %u\n", seed);
    srandom(seed);
    setup();
    struct chunk *c = chunk_create(0);
    for (int step = 0; step < 6000; step++) {
        int late = (int)(random() % 2);
        int64_t t = late ? random() % TIMES : (step / 2) % TIMES;
        double v = (double)(random() % 3);
        enum chunk_outcome outcome = chunk_add(c, t, v);
        if (present[t]) {
            ck_assert_int_eq(outcome, model[t] == v ? CHUNK_DUPLICATE : CHUNK_CONFLICT);
            continue;
        }
        ck_assert(outcome == CHUNK_APPENDED || outcome == CHUNK_LATE);
        present[t] = true;
        model[t] = v;
        if (chunk_wants_rewrite(c, false)) {
            struct chunk *fresh = chunk_rewrite(c, &arena);
            ck_assert_ptr_nonnull(fresh);
            chunk_destroy(c);
            c = fresh;
        }
    }
    struct columns columns = read_all(c);
    size_t i = 0;
    for (int64_t t = 0; t < TIMES; t++) {
        if (!present[t]) continue;
        ck_assert_int_eq(columns.t_ms[i], t);
        ck_assert(columns.v[i++] == model[t]);
    }
    ck_assert_uint_eq(i, columns.count);
    teardown(c);
}
END_TEST

START_TEST(every_refused_allocation_leaves_the_chunk_whole)
{
    setup();
    for (uint64_t allowed = 0; allowed < 40; allowed++) {
        heap_fail_after(UINT64_MAX);
        struct chunk *c = chunk_create(0);
        uint32_t stored = 0;
        heap_fail_after(allowed);
        for (int i = 0; i < 500; i++) {
            int64_t t = i % 3 == 2 ? i * 1000 - 1500 : i * 1000;
            enum chunk_outcome outcome = chunk_add(c, t, i * 0.7);
            stored += outcome != CHUNK_NO_MEMORY;
        }
        struct chunk *fresh = chunk_rewrite(c, &arena);
        heap_fail_after(UINT64_MAX);
        chunk_check(c);
        ck_assert_uint_eq(chunk_sample_count(c), stored);
        ck_assert_uint_eq(read_all(c).count, stored);
        chunk_destroy(fresh);
        chunk_destroy(c);
        arena_reset(&arena);
    }
    teardown(NULL);
}
END_TEST

SUITE(chunk, samples_come_back_in_order,
      late_samples_are_merged_duplicates_ignored_conflicts_refused,
      an_imported_image_continues_as_the_original, a_stream_is_the_codecs_with_zeros_implied,
      what_repeats_takes_no_memory, a_run_is_appended_like_its_samples,
      a_run_ends_before_what_is_not_for_the_end_of_the_stream, a_run_ends_where_memory_does,
      an_image_up_to_an_end_is_the_decoded_one, only_what_is_nothing_but_a_stream_has_an_end,
      damaged_images_are_refused_or_harmless, random_order_equals_the_model,
      every_refused_allocation_leaves_the_chunk_whole)
