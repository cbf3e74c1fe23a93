/* wal_batch: round trips of random batches, which batches carry labels, damage. */
#include "snapshot/wal_batch.h"

#include <inttypes.h>
#include <stdio.h>

#include "snapshot/record.h"
#include "tests/unit/suite.h"

enum { SERIES_MAX = 12, SAMPLES_MAX = 20, LABELS_MAX = 4 };

static uint64_t random_state;
static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* A random batch with everything it points to. */
struct made {
    struct journal_batch batch;
    struct journal_series series[SERIES_MAX];
    struct label labels[SERIES_MAX][LABELS_MAX];
    struct sample samples[SERIES_MAX][SAMPLES_MAX];
    _Atomic uint32_t defined_in[SERIES_MAX];
};

static double random_value(void)
{
    static const uint64_t odd[] = {
        STALE_NAN_BITS, NORMAL_NAN_BITS, UINT64_C(1) << 63, 0, 1, UINT64_C(0x7FF0000000000000),
        UINT64_MAX};
    uint64_t r = random_next();
    switch (r % 4) {
    case 0: return bits_to_double(odd[r / 4 % ARRAY_COUNT(odd)]);
    case 1: return (double)(r >> 50);
    case 2: return (double)(r >> 40) / 100;
    default: return bits_to_double(random_next());
    }
}

static void make(struct made *m)
{
    static const char *const names[] = {"__name__", "instance", "job", "zone"};
    static const char *const values[] = {"a", "", "b:9100", "\xC3\xA4", "a long value with spaces"};
    memset(m, 0, sizeof(*m));
    m->batch.series = m->series;
    m->batch.series_count = random_next() % (SERIES_MAX + 1);
    for (size_t i = 0; i < m->batch.series_count; i++) {
        struct journal_series *s = &m->series[i];
        size_t labels = 0;
        for (size_t n = 0; n < LABELS_MAX; n++) {
            const char *value = values[random_next() % ARRAY_COUNT(values)];
            if (*value)
                m->labels[i][labels++] = (struct label){str_from(names[n]), str_from(value)};
        }
        s->id = (uint32_t)(random_next() % 3 ? random_next() % 100 : random_next());
        s->labels = (struct labels){m->labels[i], labels};
        s->defined_in = &m->defined_in[i];
        s->samples = m->samples[i];
        s->sample_count = random_next() % 2 ? 1 : random_next() % (SAMPLES_MAX + 1);
        int64_t t_ms = random_next() % 8 ? 1700000000000 : (int64_t)random_next();
        for (size_t k = 0; k < s->sample_count; k++) {
            m->samples[i][k] = (struct sample){t_ms, random_value()};
            t_ms = (int64_t)((uint64_t)t_ms + (random_next() % 9 ? 15000 : random_next()));
        }
        m->batch.sample_count += s->sample_count;
    }
}

static void expect_labels(const struct made *m, const struct wal_batch *out)
{
    ck_assert_uint_eq(out->definitions.count, m->batch.series_count);
    for (size_t i = 0; i < out->definitions.count; i++) {
        ck_assert_uint_eq(out->definitions.items[i].entry, i);
        ck_assert(labels_equal(out->definitions.items[i].labels, m->series[i].labels));
    }
}

static void expect_same(const struct made *m, const struct wal_batch *out)
{
    const struct sample *sample = wal_batch_samples(out);
    ck_assert_uint_eq(out->entry_count, m->batch.series_count);
    ck_assert_uint_eq(out->sample_count, m->batch.sample_count);
    for (size_t i = 0; i < out->entry_count; i++) {
        const struct wal_entry *entry = &wal_batch_entries(out)[i];
        ck_assert_uint_eq(entry->id, m->series[i].id);
        ck_assert_uint_eq(entry->sample_count, m->series[i].sample_count);
        for (size_t k = 0; k < entry->sample_count; k++, sample++) {
            ck_assert_int_eq(sample->t_ms, m->samples[i][k].t_ms);
            ck_assert_uint_eq(bits_from_double(sample->v), bits_from_double(m->samples[i][k].v));
        }
    }
}

/* Every entry is in one run of its part, in order. */
static void expect_runs(const struct wal_batch *out)
{
    size_t seen = 0;
    for (uint32_t part = 0; part < WAL_PARTS; part++) {
        uint32_t next = 0;
        for (uint32_t at = out->first_run[part]; at != WAL_RUN_NONE;
             at = out->runs.items[at].next) {
            const struct wal_run *run = &out->runs.items[at];
            uint32_t first_sample = 0;
            ck_assert_uint_ge(run->first, next);
            for (uint32_t i = 0; i < run->first; i++)
                first_sample += wal_batch_entries(out)[i].sample_count;
            ck_assert_uint_eq(run->first_sample, first_sample);
            for (uint32_t i = 0; i < run->count; i++)
                ck_assert_uint_eq(wal_batch_entries(out)[run->first + i].id % WAL_PARTS, part);
            next = run->first + run->count;
            seen += run->count;
        }
    }
    ck_assert_uint_eq(seen, out->entry_count);
}

START_TEST(random_batches_come_back_bit_for_bit)
{
    struct made *m = heap_alloc(sizeof(*m), HEAP_SNAPSHOT);
    struct buf b;
    struct arena arena;
    struct wal_batch out;
    wal_batch_init(&out);
    random_state = 0x9E3779B97F4A7C15u;
    printf("seed %" PRIu64 "\n", random_state);
    buf_init(&b, HEAP_SNAPSHOT, 1 << 20);
    arena_init(&arena, HEAP_SNAPSHOT, 1 << 22);
    for (int round = 0; round < 300; round++) {
        make(m);
        for (int times = 1; times <= 3; times++) {
            size_t labeled;
            const struct wal_place place = {.ordinal = 1, .unit = times < 3 ? 0 : 100};
            buf_reset(&b);
            arena_reset(&arena);
            ck_assert_int_eq(wal_batch_encode(&m->batch, place, &b, &labeled, NULL), OK);
            size_t size = b.data[8] + 256u * b.data[9] + 65536u * b.data[10];
            ck_assert_int_eq(
                wal_batch_decode(b.data + RECORD_HEADER_BYTES, size, &arena, &out, NULL), OK);
            expect_same(m, &out);
            expect_labels(m, &out);
            expect_runs(&out);
            wal_batch_note(&m->batch, place, place.unit);
        }
    }
    wal_batch_release(&out);
    arena_release(&arena);
    buf_release(&b);
    heap_free(m, sizeof(*m), HEAP_SNAPSHOT);
}
END_TEST

/* One series with one sample: are labels written for this place? */
static bool has_labels(_Atomic uint32_t *defined_in, struct wal_place place, bool note)
{
    const struct label label = {LABEL_METRIC_NAME, STR("up")};
    const struct sample sample = {1000, 1};
    struct journal_series series = {.id = 7,
                                    .labels = {&label, 1},
                                    .defined_in = defined_in,
                                    .samples = &sample,
                                    .sample_count = 1};
    const struct journal_batch batch = {.series = &series, .series_count = 1, .sample_count = 1};
    struct buf b;
    size_t labeled;
    buf_init(&b, HEAP_SNAPSHOT, 1 << 20);
    ck_assert_int_eq(wal_batch_encode(&batch, place, &b, &labeled, NULL), OK);
    bool written = memmem(b.data, b.size, "up", 2) != NULL;
    ck_assert_uint_eq(labeled, written);
    if (note) wal_batch_note(&batch, place, place.unit);
    buf_release(&b);
    return written;
}

#define PLACE(o, u) ((struct wal_place){.ordinal = (o), .unit = (u)})

START_TEST(labels_are_written_until_two_copies_lie_apart)
{
    _Atomic uint32_t d = 0;
    ck_assert(has_labels(&d, PLACE(1, 0), false)); /* not noted: the write had failed */
    ck_assert(has_labels(&d, PLACE(1, 0), true));
    ck_assert(has_labels(&d, PLACE(1, 1), true));
    ck_assert(!has_labels(&d, PLACE(1, 2), true)); /* too near to be worth it */
    ck_assert(has_labels(&d, PLACE(1, 3), true));
    for (uint32_t unit = 4; unit < WAL_UNIT_MAX; unit += 50)
        ck_assert(!has_labels(&d, PLACE(1, unit), true));
    ck_assert(has_labels(&d, PLACE(2, 0), true)); /* a new segment */
    ck_assert(has_labels(&d, PLACE(2, 9), true));
    ck_assert(!has_labels(&d, PLACE(2, 99), true)); /* those two were apart */
    ck_assert(has_labels(&d, PLACE(1, 99), true));  /* a late note of the old one ... */
    ck_assert(has_labels(&d, PLACE(2, 99), true));  /* ... costs a copy, no more */
    ck_assert(has_labels(&d, PLACE(WAL_ORDINAL_MAX, 0), true));
    for (int i = 0; i < 9; i++) /* ordinals that do not fit are never believed */
        ck_assert(has_labels(&d, PLACE((uint32_t)WAL_ORDINAL_MAX + 1, 5000), true));
}
END_TEST

START_TEST(no_prefix_and_no_flip_of_a_payload_is_dangerous)
{
    struct made *m = heap_alloc(sizeof(*m), HEAP_SNAPSHOT);
    struct buf b;
    struct arena arena;
    size_t labeled;
    struct wal_batch out;
    wal_batch_init(&out);
    random_state = 7;
    do
        make(m);
    while (m->batch.series_count < 3);
    buf_init(&b, HEAP_SNAPSHOT, 1 << 20);
    arena_init(&arena, HEAP_SNAPSHOT, 1 << 22);
    ck_assert_int_eq(wal_batch_encode(&m->batch, PLACE(1, 0), &b, &labeled, NULL), OK);
    size_t size = b.data[8] + 256u * b.data[9];
    for (size_t cut = 0; cut < size; cut++) {
        /* An exact copy, so that a read behind it is seen. */
        uint8_t *copy = heap_alloc(cut, HEAP_SNAPSHOT);
        memcpy(copy, b.data + RECORD_HEADER_BYTES, cut);
        enum status st = wal_batch_decode(copy, cut, &arena, &out, NULL);
        ck_assert(st == OK || st == ERR_CORRUPT);
        if (st == OK) ck_assert_uint_lt(out.entry_count, m->batch.series_count);
        heap_free(copy, cut, HEAP_SNAPSHOT);
        arena_reset(&arena);
    }
    for (size_t bit = 0; bit < 8 * size; bit++) {
        b.data[RECORD_HEADER_BYTES + bit / 8] ^= (uint8_t)(1 << bit % 8);
        enum status st = wal_batch_decode(b.data + RECORD_HEADER_BYTES, size, &arena, &out, NULL);
        ck_assert(st == OK || st == ERR_CORRUPT);
        b.data[RECORD_HEADER_BYTES + bit / 8] ^= (uint8_t)(1 << bit % 8);
        arena_reset(&arena);
    }
    wal_batch_release(&out);
    arena_release(&arena);
    buf_release(&b);
    heap_free(m, sizeof(*m), HEAP_SNAPSHOT);
}
END_TEST

/* What most of a log is: one sample of each series, without labels, at equal or other times. */
START_TEST(single_samples_without_labels_come_back_bit_for_bit)
{
    enum { COUNT = 3000 };
    static _Atomic uint32_t defined_in[COUNT];
    static struct journal_series series[COUNT];
    static struct sample samples[COUNT];
    const struct journal_batch batch = {
        .series = series, .series_count = COUNT, .sample_count = COUNT};
    const struct label label = {LABEL_METRIC_NAME, STR("up")};
    struct buf b;
    struct arena arena;
    struct wal_batch out;
    size_t labeled;
    random_state = 11;
    wal_batch_init(&out);
    buf_init(&b, HEAP_SNAPSHOT, 1 << 20);
    arena_init(&arena, HEAP_SNAPSHOT, 1 << 22);
    for (uint32_t i = 0; i < COUNT; i++) {
        bool far = random_next() % 50 == 0;
        int64_t t_ms = random_next() % 9 ? 1700000000000 : (int64_t)random_next();
        samples[i] = (struct sample){t_ms, random_value()};
        series[i] = (struct journal_series){.id = far ? (uint32_t)random_next() : i * 16 + i / 200,
                                            .labels = {&label, 1},
                                            .defined_in = &defined_in[i],
                                            .samples = &samples[i],
                                            .sample_count = 1};
    }
    for (uint32_t unit = 0; unit < 20; unit += 5)
        wal_batch_note(&batch, PLACE(1, unit), unit);
    ck_assert_int_eq(wal_batch_encode(&batch, PLACE(1, 20), &b, &labeled, NULL), OK);
    ck_assert_uint_eq(labeled, 0);
    size_t size = b.data[8] + 256u * b.data[9] + 65536u * b.data[10];
    ck_assert_int_eq(wal_batch_decode(b.data + RECORD_HEADER_BYTES, size, &arena, &out, NULL), OK);
    ck_assert_uint_eq(out.entry_count, COUNT);
    ck_assert_uint_eq(out.sample_count, COUNT);
    for (uint32_t i = 0; i < COUNT; i++) {
        ck_assert_uint_eq(wal_batch_entries(&out)[i].id, series[i].id);
        ck_assert_uint_eq(wal_batch_entries(&out)[i].sample_count, 1);
        ck_assert_int_eq(wal_batch_samples(&out)[i].t_ms, samples[i].t_ms);
        ck_assert_uint_eq(bits_from_double(wal_batch_samples(&out)[i].v),
                          bits_from_double(samples[i].v));
    }
    expect_runs(&out);
    wal_batch_release(&out);
    arena_release(&arena);
    buf_release(&b);
}
END_TEST

SUITE(wal_batch, random_batches_come_back_bit_for_bit,
      labels_are_written_until_two_copies_lie_apart,
      no_prefix_and_no_flip_of_a_payload_is_dangerous,
      single_samples_without_labels_come_back_bit_for_bit)
