/*
 * asking - a storage of a few series, and queries about it: the frame of the engine's tests.
 *
 * Times are milliseconds after START_MS, so that all of them are retained.
 */
#ifndef HEARTH_TESTS_UNIT_PROMQL_ASKING_H
#define HEARTH_TESTS_UNIT_PROMQL_ASKING_H

#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "promql/engine.h"
#include "storage/appender.h"
#include "tests/unit/suite.h"

#define START_MS INT64_C(1700006400000)

struct asking {
    struct storage *db;
    struct engine engine;
    struct arena arena; /* of the last query */
    struct query query;
    struct error err;
};

static UNUSED void asking_open(struct asking *k)
{
    struct storage_options options = storage_options_default();
    options.shards = 2;
    *k = (struct asking){0};
    clock_freeze(START_MS + 3600 * 1000);
    ck_assert_int_eq(storage_open(&options, &k->db, &k->err), OK);
    k->engine = (struct engine){.db = k->db, .options = engine_options_default()};
    arena_init(&k->arena, HEAP_QUERY, UINT64_C(1) << 30);
}

static UNUSED void asking_close(struct asking *k)
{
    query_finish(&k->query);
    arena_release(&k->arena);
    storage_close(k->db);
}

/* A series of these labels, in any order. */
static UNUSED void asking_store_set(struct asking *k, struct label *items, size_t label_count,
                                    const struct sample *samples, size_t count)
{
    struct arena batch;
    struct appender *app;
    struct append_result result;
    struct labels set;
    ck_assert_int_eq(labels_normalize(items, label_count, &set, &k->err), OK);
    arena_init(&batch, HEAP_QUERY, UINT64_MAX);
    ck_assert_int_eq(appender_begin(k->db, &batch, &app, &k->err), OK);
    ck_assert_int_eq(appender_add(app, set, samples, count, &k->err), OK);
    ck_assert_int_eq(appender_commit(app, &result, &k->err), OK);
    ck_assert_uint_eq(result.stored, count);
    arena_release(&batch);
}

/* A series name{key="value"}. */
static UNUSED void asking_store(struct asking *k, const char *name, const char *key,
                                const char *value, const struct sample *samples, size_t count)
{
    struct label items[] = {{.name = LABEL_METRIC_NAME, .value = str_from(name)},
                            {.name = str_from(key), .value = str_from(value)}};
    asking_store_set(k, items, ARRAY_COUNT(items), samples, count);
}

/* One sample at START_MS. */
static UNUSED void asking_store_one(struct asking *k, const char *name, const char *key,
                                    const char *value, double v)
{
    struct sample sample = {.t_ms = START_MS, .v = v};
    asking_store(k, name, key, value, &sample, 1);
}

/* Ask at START_MS + at_ms; with step_ms, from there to START_MS + end_ms. The answer is in
 * k->query until the next one. */
static UNUSED enum status ask_range(struct asking *k, const char *text, int64_t at_ms,
                                    int64_t end_ms, int64_t step_ms)
{
    query_finish(&k->query);
    arena_reset(&k->arena);
    k->query = (struct query){
        .explains = k->query.explains,
        .counts_steps = k->query.counts_steps,
        .quick = k->query.quick,
        .text = str_from(text),
        .start_ms = START_MS + at_ms,
        .end_ms = START_MS + end_ms,
        .step_ms = step_ms,
        .arena = &k->arena,
    };
    return query_run(&k->engine, &k->query, &k->err);
}

static UNUSED enum status ask(struct asking *k, const char *text, int64_t at_ms)
{
    return ask_range(k, text, at_ms, at_ms, 0);
}

/* The series whose label has the value; NULL: none. */
static UNUSED const struct series_points *answer_of(const struct asking *k, const char *key,
                                                    const char *value)
{
    for (size_t i = 0; i < k->query.value.series_count; i++)
        if (str_equal(labels_get(k->query.value.series[i].labels, str_from(key)), str_from(value)))
            return &k->query.value.series[i];
    return NULL;
}

/* xorshift: the same walk for the same seed. */
static UNUSED uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static UNUSED uint64_t random_seed(void)
{
    uint64_t seed = (uint64_t)clock_process_cpu_ns() * UINT64_C(0x9E3779B97F4A7C15) + 1;
    printf("seed %llu\n", (unsigned long long)seed);
    return seed;
}

#endif
