/* links: promql */
/*
 * fuzz_query - any query over a small storage is answered or refused, within its limits.
 *
 * The first byte chooses an instant or a range query and its step, the rest is the text; series are
 * evaluated in parts when there is an odd number of bytes. An answer
 * must hold: label sets sorted where it is a matrix, no two of them equal, times ascending and
 * inside the query's range, at least one point in every series.
 */
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "promql/engine.h"
#include "storage/appender.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SAMPLES = 40, SAMPLES_MAX = 100000, ARENA_BYTES_MAX = 16 << 20 };
static const int64_t start_ms = INT64_C(1700006400000);
static const int64_t minute_ms = 60000;

static void store(struct storage *db, struct labels set, unsigned salt)
{
    struct arena a;
    struct appender *app;
    struct append_result result;
    struct sample samples[SAMPLES];
    for (unsigned i = 0; i < SAMPLES; i++) {
        double v = (i * salt) % 11;
        if ((i + salt) % 13 == 0) v = bits_to_double(STALE_NAN_BITS);
        if ((i + salt) % 17 == 0) v = bits_to_double(NORMAL_NAN_BITS);
        samples[i] = (struct sample){.t_ms = start_ms + i * minute_ms / 4, .v = v};
    }
    arena_init(&a, HEAP_QUERY, UINT64_MAX);
    ASSERT(appender_begin(db, &a, &app, NULL) == OK);
    ASSERT(appender_add(app, set, samples, SAMPLES, NULL) == OK);
    ASSERT(appender_commit(app, &result, NULL) == OK);
    arena_release(&a);
}

static struct storage *small_storage(void)
{
    static const char *const names[] = {"a", "b_total", "h_bucket"};
    static const char *const bounds[] = {"0.1", "1", "+Inf"};
    struct storage_options options = storage_options_default();
    struct storage *db;
    options.shards = 1;
    clock_freeze(start_ms + 10 * minute_ms);
    ASSERT(storage_open(&options, &db, NULL) == OK);
    for (unsigned i = 0; i < 9; i++) {
        const struct label items[] = {
            {.name = LABEL_METRIC_NAME, .value = str_from(names[i % 3])},
            {.name = STR("job"), .value = i < 5 ? STR("x") : STR("y")},
            {.name = STR("le"), .value = str_from(bounds[i / 3])},
        };
        store(db, (struct labels){.items = items, .count = 3}, i + 1);
    }
    return db;
}

static void check_answer(const struct query *q)
{
    const struct value *value = &q->value;
    for (size_t i = 0; i < value->series_count; i++) {
        const struct series_points *s = &value->series[i];
        ASSERT(s->count > 0);
        for (size_t k = 1; k < s->count; k++)
            ASSERT(s->points[k - 1].t_ms < s->points[k].t_ms);
        if (q->step_ms) {
            ASSERT(s->points[0].t_ms >= q->start_ms && s->points[s->count - 1].t_ms <= q->end_ms);
        }
        /* A range vector by itself keeps names; everything else is distinct. */
        for (size_t k = 0; k < i; k++)
            ASSERT(!labels_equal(value->series[k].labels, s->labels));
        if (i && value->type == VALUE_MATRIX)
            ASSERT(labels_compare(value->series[i - 1].labels, s->labels) < 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct storage *db;
    if (!db) db = small_storage();
    if (size < 1) return 0;
    struct engine engine = {.db = db, .options = engine_options_default()};
    engine.options.samples_max = SAMPLES_MAX;
    struct arena a;
    struct error err;
    engine.options.syntax.experimental_functions = data[0] & 1;
    if (data[0] & 8) ASSERT(!engine_enable_features(&engine.options, STR("all"), &err));
    if (size & 1) engine.options.part_series = 2;
    arena_init(&a, HEAP_QUERY, ARENA_BYTES_MAX);
    struct query q = {
        .text = {.data = (const char *)data + 1, .size = size - 1},
        .start_ms = start_ms + (data[0] >> 4) * minute_ms / 2,
        .arena = &a,
    };
    q.end_ms = q.start_ms;
    if (data[0] & 2) {
        q.step_ms = (data[0] & 4) ? minute_ms / 4 : minute_ms / 7;
        q.end_ms = q.start_ms + 5 * minute_ms;
    }
    if (query_run(&engine, &q, &err) == OK) check_answer(&q);
    query_finish(&q);
    arena_release(&a);
    return 0;
}
