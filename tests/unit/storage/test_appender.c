/* appender - what becomes of samples, and what the journal is told. */
#include "storage/appender.h"

#include <stdio.h>
#include <stdlib.h>

#include "storage/staged.h"
#include "tests/unit/storage/store.h"
#include "tests/unit/suite.h"

START_TEST(an_acknowledged_sample_is_read_back)
{
    struct store s;
    store_open(&s);
    struct labels up = store_labels(&s.arena, "__name__", "up", "job", "node", NULL);
    struct append_result result = store_append(&s, up, STORE_NOW_MS, 1.5);
    ck_assert_uint_eq(result.stored, 1);
    struct querier *q = store_query(&s);
    struct matcher m = store_matcher(MATCH_EQUAL, "__name__", "up");
    struct selection selection = store_select(q, &m, 1);
    ck_assert_uint_eq(selection.count, 1);
    ck_assert(labels_equal(labels_of(selection.series[0]), up));
    struct columns columns = store_read(&s, q, selection.series[0]);
    ck_assert_uint_eq(columns.count, 1);
    ck_assert_int_eq(columns.t_ms[0], STORE_NOW_MS);
    ck_assert(columns.v[0] == 1.5);
    querier_close(q);
    store_close(&s);
}
END_TEST

START_TEST(the_same_sample_twice_is_a_duplicate_and_another_value_a_conflict)
{
    struct store s;
    store_open(&s);
    struct labels up = store_labels(&s.arena, "__name__", "up", NULL);
    ck_assert_uint_eq(store_append(&s, up, STORE_NOW_MS, 1).stored, 1);
    ck_assert_uint_eq(store_append(&s, up, STORE_NOW_MS, 1).duplicates, 1);
    struct append_result result = store_append(&s, up, STORE_NOW_MS, 2);
    ck_assert_uint_eq(result.stored, 0);
    ck_assert_uint_eq(result.refused[REFUSED_CONFLICT], 1);
    ck_assert_uint_eq(result.example_count, 1);
    ck_assert_int_eq(result.examples[0].reason, REFUSED_CONFLICT);
    ck_assert(labels_equal(result.examples[0].labels, up));
    store_close(&s);
}
END_TEST

START_TEST(the_clock_decides_what_is_too_old_and_too_new)
{
    struct store s;
    store_open(&s);
    struct storage_bounds bounds = storage_bounds(s.db);
    struct labels up = store_labels(&s.arena, "__name__", "up", NULL);
    struct sample samples[] = {
        {bounds.oldest_ms - 1, 1}, {bounds.oldest_ms, 2}, {bounds.newest_ms, 3},
        {bounds.newest_ms + 1, 4}, {INT64_MIN, 5},        {INT64_MAX, 6},
    };
    struct append_result result = store_append_many(&s, up, samples, ARRAY_COUNT(samples));
    ck_assert_uint_eq(result.stored, 2);
    ck_assert_uint_eq(result.refused[REFUSED_TOO_OLD], 2);
    ck_assert_uint_eq(result.refused[REFUSED_TOO_NEW], 2);
    struct storage_stats stats;
    storage_stats_read(s.db, &stats);
    ck_assert_uint_eq(stats.samples, 2);
    ck_assert_int_eq(stats.min_time_ms, bounds.oldest_ms);
    ck_assert_int_eq(stats.max_time_ms, bounds.newest_ms);
    store_close(&s);
}
END_TEST

START_TEST(a_series_of_refused_samples_only_is_not_created)
{
    struct store s;
    struct storage_stats stats;
    store_open(&s);
    struct labels up = store_labels(&s.arena, "__name__", "up", NULL);
    ck_assert_uint_eq(store_append(&s, up, 0, 1).refused[REFUSED_TOO_OLD], 1);
    storage_stats_read(s.db, &stats);
    ck_assert_uint_eq(stats.series, 0);
    ck_assert_uint_eq(stats.symbols, 0);
    store_close(&s);
}
END_TEST

START_TEST(more_series_than_allowed_are_refused_and_known_ones_go_on)
{
    struct store s;
    store_open(&s);
    storage_limit_series(s.db, 2);
    struct labels a = store_labels(&s.arena, "__name__", "a", NULL);
    struct labels b = store_labels(&s.arena, "__name__", "b", NULL);
    struct labels c = store_labels(&s.arena, "__name__", "c", NULL);
    ck_assert_uint_eq(store_append(&s, a, STORE_NOW_MS, 1).stored, 1);
    ck_assert_uint_eq(store_append(&s, b, STORE_NOW_MS, 1).stored, 1);
    ck_assert_uint_eq(store_append(&s, c, STORE_NOW_MS, 1).refused[REFUSED_MAX_SERIES], 1);
    ck_assert_uint_eq(store_append(&s, a, STORE_NOW_MS + 1, 1).stored, 1);
    store_close(&s);
}
END_TEST

static struct append_result append_known(struct store *s, struct labels labels, double v)
{
    struct appender *app;
    struct append_result result;
    struct error err;
    struct sample samples[2] = {{STORE_NOW_MS, v}, {STORE_NOW_MS + 1, v}};
    ck_assert_int_eq(appender_begin(s->db, &s->arena, &app, &err), OK);
    appender_refuse_new_series(app);
    ck_assert_int_eq(appender_add(app, labels, samples, 2, &err), OK);
    ck_assert_int_eq(appender_commit(app, &result, &err), OK);
    return result;
}

START_TEST(who_wants_no_new_series_gets_none_and_known_ones_go_on)
{
    struct store s;
    struct storage_stats stats;
    store_open(&s);
    struct labels known = store_labels(&s.arena, "__name__", "known", NULL);
    struct labels fresh = store_labels(&s.arena, "__name__", "fresh", NULL);
    store_append(&s, known, STORE_NOW_MS - 1, 1);
    ck_assert_uint_eq(append_known(&s, known, 2).stored, 2);
    struct append_result result = append_known(&s, fresh, 3);
    ck_assert_uint_eq(result.refused[REFUSED_NEW_SERIES], 2);
    ck_assert_uint_eq(result.stored, 0);
    storage_stats_read(s.db, &stats);
    ck_assert_uint_eq(stats.series, 1);
    ck_assert_uint_eq(stats.refused[REFUSED_NEW_SERIES], 2);
    ck_assert_uint_eq(store_append(&s, fresh, STORE_NOW_MS, 1).stored, 1); /* the next one */
    store_close(&s);
}
END_TEST

/* What a journal was told, flattened. */
struct told {
    size_t calls;
    size_t series;
    size_t samples;
    double sum;
    enum status answer;
};

static enum status tell(void *self, const struct journal_batch *batch, struct error *err)
{
    struct told *told = self;
    told->calls++;
    told->series += batch->series_count;
    told->samples += batch->sample_count;
    size_t samples = 0;
    for (size_t i = 0; i < batch->series_count; i++) {
        const struct journal_series *series = &batch->series[i];
        samples += series->sample_count;
        atomic_fetch_add(series->defined_in, 1);
        for (size_t n = 0; n < series->sample_count; n++)
            told->sum += series->samples[n].v;
    }
    ck_assert_uint_eq(samples, batch->sample_count);
    return told->answer ? error_set(err, told->answer, "told so") : OK;
}

START_TEST(the_journal_is_told_accepted_and_duplicate_samples_and_no_others)
{
    struct store s;
    struct told told = {0};
    store_open(&s);
    storage_set_journal(s.db, (struct journal){.self = &told, .log = tell});
    struct labels up = store_labels(&s.arena, "__name__", "up", NULL);
    store_append(&s, up, STORE_NOW_MS, 1);
    struct sample samples[] = {
        {STORE_NOW_MS, 1},     /* duplicate */
        {0, 100},              /* too old */
        {STORE_NOW_MS + 1, 2}, /* new */
        {STORE_NOW_MS, 100},   /* conflict */
        {STORE_NOW_MS + 2, 4}, /* new */
    };
    store_append_many(&s, up, samples, ARRAY_COUNT(samples));
    ck_assert_uint_eq(told.calls, 2);
    ck_assert_uint_eq(told.samples, 4);
    ck_assert(told.sum == 1 + 1 + 2 + 4);
    store_append(&s, up, 0, 1);
    ck_assert_uint_eq(told.calls, 2);
    store_close(&s);
}
END_TEST

/* Samples of a series that is known, in one batch. */
static struct append_result send_known(struct store *s, struct labels labels,
                                       const struct sample *samples, size_t count)
{
    struct append_result result;
    struct appender *app;
    ck_assert_int_eq(appender_begin(s->db, &s->arena, &app, NULL), OK);
    struct series *known = appender_find(app, labels);
    ck_assert_ptr_nonnull(known);
    ck_assert_int_eq(appender_add_to(app, known, samples, count, NULL), OK);
    ck_assert_int_eq(appender_commit(app, &result, NULL), OK);
    return result;
}

START_TEST(what_is_sent_again_with_more_behind_it_is_counted_and_logged)
{
    enum { OLD = 20, SAMPLES = 30 };
    struct store s;
    struct told told = {0};
    struct sample samples[SAMPLES];
    store_open(&s);
    struct labels up = store_labels(&s.arena, "__name__", "up", NULL);
    for (int i = 0; i < SAMPLES; i++)
        samples[i] = (struct sample){STORE_NOW_MS - 1000 + i, i};
    store_append_many(&s, up, samples, OLD);
    storage_set_journal(s.db, (struct journal){.self = &told, .log = tell});
    struct append_result result = send_known(&s, up, samples, SAMPLES);
    ck_assert_uint_eq(result.duplicates, OLD);
    ck_assert_uint_eq(result.stored, SAMPLES - OLD);
    ck_assert_uint_eq(told.samples, SAMPLES);
    samples[SAMPLES - 2].v = -1;
    result = send_known(&s, up, samples + 5, SAMPLES - 5);
    ck_assert_uint_eq(result.duplicates, SAMPLES - 6);
    ck_assert_uint_eq(result.stored, 0);
    ck_assert_uint_eq(result.refused[REFUSED_CONFLICT], 1);
    ck_assert_uint_eq(told.samples, SAMPLES + SAMPLES - 6);
    store_close(&s);
}
END_TEST

/* Of each series an old sample: there, there with another value, or not there. */
START_TEST(old_samples_of_many_series_are_told_apart)
{
    enum { SERIES = 300, SAMPLES = 9 };
    struct store s;
    struct appender *app;
    struct append_result result;
    struct told told = {0};
    struct labels labels[SERIES];
    struct sample old[SERIES];
    size_t count;
    store_open(&s);
    for (int i = 0; i < SERIES; i++) {
        char text[16];
        struct sample samples[SAMPLES];
        snprintf(text, sizeof(text), "%d", i);
        labels[i] = store_labels(&s.arena, "__name__", "up", "i", text, NULL);
        for (int n = 0; n < SAMPLES; n++)
            samples[n] = (struct sample){STORE_NOW_MS - 1000 + 10 * n, i * n};
        store_append_many(&s, labels[i], samples, SAMPLES);
        old[i] = samples[1 + i % (SAMPLES - 2)];
        if (i % 3 == 1) old[i].v = -1;
        if (i % 3 == 2) old[i].t_ms++;
    }
    storage_set_journal(s.db, (struct journal){.self = &told, .log = tell});
    ck_assert_int_eq(appender_begin(s.db, &s.arena, &app, NULL), OK);
    for (int i = 0; i < SERIES; i++)
        ck_assert_int_eq(appender_add_to(app, appender_find(app, labels[i]), &old[i], 1, NULL), OK);
    ck_assert_int_eq(appender_commit(app, &result, NULL), OK);
    ck_assert_uint_eq(result.duplicates, SERIES / 3);
    ck_assert_uint_eq(result.refused[REFUSED_CONFLICT], SERIES / 3);
    ck_assert_uint_eq(result.stored, SERIES / 3);
    ck_assert_uint_eq(told.samples, 2 * SERIES / 3);
    ck_assert_uint_eq(store_count(&s, &count), SERIES);
    ck_assert_uint_eq(count, SERIES * SAMPLES + SERIES / 3);
    store_close(&s);
}
END_TEST

/* What came in any order, beside an array of what should be there. */
enum { MODEL_SERIES = 12, MODEL_TIMES = 600, MODEL_BATCH = 70 };
struct model {
    struct labels labels[MODEL_SERIES];
    bool present[MODEL_SERIES][MODEL_TIMES];
    uint64_t stored;
    uint64_t duplicates;
    uint64_t conflicts;
};

/* A sample for the series; of another value only where there was one before this batch. */
static struct sample model_sample(struct model *m, int i, const bool before[MODEL_TIMES], int at)
{
    struct sample sample = {STORE_NOW_MS - HOUR_MS + at * 1000, at % 5 ? at : at / 5};
    if (before[at] && random() % 10 == 0) {
        sample.v = -1;
        m->conflicts++;
    } else if (m->present[i][at]) {
        m->duplicates++;
    } else {
        m->present[i][at] = true;
        m->stored++;
    }
    return sample;
}

/* One batch: of each series a piece of time, in order, backwards or at random. */
static void model_batch(struct store *s, struct model *m)
{
    struct sample samples[MODEL_SERIES][MODEL_BATCH];
    struct append_result result;
    struct appender *app;
    m->stored = m->duplicates = m->conflicts = 0;
    ck_assert_int_eq(appender_begin(s->db, &s->arena, &app, NULL), OK);
    for (int i = 0; i < MODEL_SERIES; i++) {
        bool before[MODEL_TIMES];
        int count = 1 + (int)(random() % MODEL_BATCH);
        int first = (int)(random() % (MODEL_TIMES - MODEL_BATCH));
        int order = (int)(random() % 3);
        memcpy(before, m->present[i], sizeof(before));
        for (int n = 0; n < count; n++) {
            int at = order == 0 ? n : order == 1 ? count - 1 - n : (int)(random() % MODEL_BATCH);
            samples[i][n] = model_sample(m, i, before, first + at);
        }
        struct series *known = appender_find(app, m->labels[i]);
        ck_assert_int_eq(known ? appender_add_to(app, known, samples[i], (size_t)count, NULL)
                               : appender_add(app, m->labels[i], samples[i], (size_t)count, NULL),
                         OK);
    }
    ck_assert_int_eq(appender_commit(app, &result, NULL), OK);
    ck_assert_uint_eq(result.stored, m->stored);
    ck_assert_uint_eq(result.duplicates, m->duplicates);
    ck_assert_uint_eq(result.refused[REFUSED_CONFLICT], m->conflicts);
}

START_TEST(samples_in_any_order_become_what_they_should)
{
    struct store s;
    struct model *m = calloc(1, sizeof(*m));
    unsigned seed = (unsigned)clock_mono_ns();
    struct arena keep;
    printf("seed %u\n", seed);
    srandom(seed);
    store_open(&s);
    arena_init(&keep, HEAP_PROCESS, 1 << 20);
    for (int i = 0; i < MODEL_SERIES; i++)
        m->labels[i] = store_numbered(&keep, i);
    for (int batch = 0; batch < 300; batch++) {
        model_batch(&s, m);
        arena_reset(&s.arena);
    }
    size_t held = 0;
    size_t count;
    for (int i = 0; i < MODEL_SERIES; i++)
        for (int at = 0; at < MODEL_TIMES; at++)
            held += m->present[i][at];
    ck_assert_uint_eq(store_count(&s, &count), MODEL_SERIES);
    ck_assert_uint_eq(count, held);
    arena_release(&keep);
    store_close(&s);
    free(m);
}
END_TEST

START_TEST(what_the_journal_refuses_is_not_acknowledged_and_can_be_sent_again)
{
    struct store s;
    struct told told = {.answer = ERR_UNAVAILABLE};
    struct append_result result;
    struct appender *app;
    struct error err;
    store_open(&s);
    storage_set_journal(s.db, (struct journal){.self = &told, .log = tell});
    struct labels up = store_labels(&s.arena, "__name__", "up", NULL);
    struct sample sample = {STORE_NOW_MS, 1};
    ck_assert(appender_begin(s.db, &s.arena, &app, &err) == OK);
    ck_assert(appender_add(app, up, &sample, 1, &err) == OK);
    ck_assert_int_eq(appender_commit(app, &result, &err), ERR_UNAVAILABLE);
    ck_assert_str_eq(err.text, "told so");
    ck_assert_uint_eq(result.stored, 1);
    told.answer = OK;
    ck_assert_uint_eq(store_append(&s, up, STORE_NOW_MS, 1).duplicates, 1);
    ck_assert_uint_eq(told.samples, 2);
    store_close(&s);
}
END_TEST

START_TEST(one_batch_may_name_a_series_twice_and_many_series)
{
    struct store s;
    struct append_result result;
    struct appender *app;
    struct error err;
    struct sample samples[500][2];
    store_open(&s);
    ck_assert(appender_begin(s.db, &s.arena, &app, &err) == OK);
    for (int i = 0; i < 500; i++) {
        struct str text = arena_printf(&s.arena, "%d", i % 250);
        struct labels set = store_labels(&s.arena, "__name__", "m", "i", text.data, NULL);
        samples[i][0] = (struct sample){STORE_NOW_MS + i, i};
        samples[i][1] = (struct sample){STORE_NOW_MS + 1000 + i, i};
        ck_assert(appender_add(app, set, samples[i], 2, &err) == OK);
    }
    ck_assert(appender_commit(app, &result, &err) == OK);
    ck_assert_uint_eq(result.stored, 1000);
    size_t count;
    ck_assert_uint_eq(store_count(&s, &count), 250);
    ck_assert_uint_eq(count, 1000);
    store_close(&s);
}
END_TEST

/* Whatever the reason. */
START_TEST(what_no_series_was_made_of_leaves_no_symbols)
{
    struct store s;
    struct appender *app;
    struct append_result result;
    struct error err;
    struct sample sample = {STORE_NOW_MS, 1};
    store_open(&s);
    struct labels up = store_labels(&s.arena, "__name__", "up", NULL);
    struct labels down = store_labels(&s.arena, "__name__", "down", NULL);
    ck_assert_uint_eq(store_append(&s, up, STORE_NOW_MS, 1).stored, 1);
    uint64_t before = store_stats(&s).symbols;
    storage_limit_series(s.db, 2);

    /* The limit is reached in the batch, and one series is in it twice. */
    ck_assert(appender_begin(s.db, &s.arena, &app, &err) == OK);
    ck_assert(appender_add(app, down, &sample, 1, &err) == OK);
    ck_assert(appender_add(app, down, &sample, 1, &err) == OK);
    ck_assert(appender_add(app, up, &sample, 1, &err) == OK);
    for (int i = 0; i < 10; i++) {
        const char *name = arena_printf(&s.arena, "more%d", i).data;
        struct labels more = store_labels(&s.arena, "__name__", name, "only", "here", NULL);
        ck_assert(appender_add(app, more, &sample, 1, &err) == OK);
    }
    ck_assert(appender_commit(app, &result, &err) == OK);
    ck_assert_uint_eq(result.stored, 1);
    ck_assert_uint_eq(result.duplicates, 2);
    ck_assert_uint_eq(result.refused[REFUSED_MAX_SERIES], 10);
    ck_assert_uint_eq(store_stats(&s).symbols, before + 1);
    store_close(&s);
}
END_TEST

START_TEST(known_series_are_found_behind_a_run_of_new_ones)
{
    enum { KNOWN = 30, NEW = 20 };
    struct store s;
    struct appender *app;
    struct append_result result;
    struct error err;
    struct sample sample = {STORE_NOW_MS + 1, 1};
    struct labels sets[NEW + KNOWN];
    size_t found = 0;
    store_open(&s);
    for (size_t i = 0; i < NEW + KNOWN; i++) {
        sets[i] = store_labels(&s.arena, "__name__", arena_printf(&s.arena, "m%zu", i).data, NULL);
        if (i >= NEW) store_append(&s, sets[i], STORE_NOW_MS, 1);
    }
    ck_assert(appender_begin(s.db, &s.arena, &app, &err) == OK);
    for (size_t i = 0; i < NEW + KNOWN; i++) {
        struct series *series = appender_find(app, sets[i]);
        found += series != NULL;
        ck_assert((series ? appender_add_to(app, series, &sample, 1, &err)
                          : appender_add(app, sets[i], &sample, 1, &err)) == OK);
    }
    ck_assert(appender_commit(app, &result, &err) == OK);
    ck_assert_uint_eq(result.stored, NEW + KNOWN);
    ck_assert_uint_ge(found, KNOWN - 8);
    struct storage_stats stats;
    storage_stats_read(s.db, &stats);
    ck_assert_uint_eq(stats.series, NEW + KNOWN);
    store_close(&s);
}
END_TEST

static void merge_late_samples(struct store *s, struct labels labels)
{
    enum { LATE = 1200 };
    struct sample samples[LATE];
    for (int i = 0; i < LATE; i++)
        samples[i] = (struct sample){STORE_NOW_MS - 1 - i * 7 % 1201, i};
    ck_assert_uint_eq(store_append_many(s, labels, samples, LATE).stored, LATE);
}

static void seal_the_window(struct store *s, struct labels labels)
{
    enum { ROUNDS = 100 };
    (void)labels;
    clock_advance(3 * HOUR_MS);
    for (int i = 0; i < ROUNDS; i++)
        (void)!storage_maintain(s->db);
}

/* Stage a sample, let its chunk go, commit: the sample is in the chunk that is there now. */
static void check_between(void (*happens)(struct store *s, struct labels labels))
{
    struct store s;
    struct appender *app;
    struct append_result result;
    struct sample next = {STORE_NOW_MS + 2, 42};
    store_open(&s);
    struct labels up = store_labels(&s.arena, "__name__", "up", NULL);
    store_append(&s, up, STORE_NOW_MS, 1);
    store_append(&s, up, STORE_NOW_MS + 1, 2);
    ck_assert_int_eq(appender_begin(s.db, &s.arena, &app, NULL), OK);
    struct series *series = appender_find(app, up);
    ck_assert_ptr_nonnull(series);
    ck_assert_int_eq(appender_add_to(app, series, &next, 1, NULL), OK);
    const struct chunk *chunk = app->staged.items[0].chunk;
    ck_assert(chunk && !chunk_is_discarded(chunk));
    happens(&s, up);
    ck_assert(chunk_is_discarded(chunk));
    ck_assert_int_eq(appender_commit(app, &result, NULL), OK);
    ck_assert_uint_eq(result.stored, 1);
    struct querier *q = store_query(&s);
    struct selection selection = store_select(q, NULL, 0);
    struct columns columns = store_read(&s, q, selection.series[0]);
    ck_assert_int_eq(columns.t_ms[columns.count - 1], next.t_ms);
    ck_assert(columns.v[columns.count - 1] == next.v);
    querier_close(q);
    store_close(&s);
}

START_TEST(a_chunk_that_goes_between_staging_and_committing_takes_nothing)
{
    check_between(merge_late_samples);
    check_between(seal_the_window);
}
END_TEST

START_TEST(aborting_leaves_nothing)
{
    struct store s;
    struct appender *app;
    struct error err;
    size_t count;
    struct sample sample = {STORE_NOW_MS, 1};
    store_open(&s);
    struct labels up = store_labels(&s.arena, "__name__", "up", NULL);
    ck_assert(appender_begin(s.db, &s.arena, &app, &err) == OK);
    ck_assert(appender_add(app, up, &sample, 1, &err) == OK);
    appender_abort(app);
    ck_assert_uint_eq(store_count(&s, &count), 0);
    ck_assert_uint_eq(store_stats(&s).symbols, 0);
    store_close(&s);
}
END_TEST

SUITE(appender, an_acknowledged_sample_is_read_back,
      the_same_sample_twice_is_a_duplicate_and_another_value_a_conflict,
      the_clock_decides_what_is_too_old_and_too_new,
      a_series_of_refused_samples_only_is_not_created,
      more_series_than_allowed_are_refused_and_known_ones_go_on,
      who_wants_no_new_series_gets_none_and_known_ones_go_on,
      the_journal_is_told_accepted_and_duplicate_samples_and_no_others,
      what_is_sent_again_with_more_behind_it_is_counted_and_logged,
      old_samples_of_many_series_are_told_apart, samples_in_any_order_become_what_they_should,
      what_the_journal_refuses_is_not_acknowledged_and_can_be_sent_again,
      one_batch_may_name_a_series_twice_and_many_series, aborting_leaves_nothing,
      what_no_series_was_made_of_leaves_no_symbols, known_series_are_found_behind_a_run_of_new_ones,
      a_chunk_that_goes_between_staging_and_committing_takes_nothing)
