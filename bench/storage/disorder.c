/*
 * disorder - what samples cost that do not come in order, or come again.
 *
 *     disorder
 *
 * SERIES series have PREFIX samples each; then ROUNDS requests have EACH more of each series, in
 * one of several kinds of order. Prints per kind the CPU per sample of committing, the longest
 * commit, and what became of the samples.
 */
#include <inttypes.h>

#include "base/clock.h"
#include "bench/storage/program.h"
#include "storage/appender.h"

enum { SERIES = 2000, PREFIX = 240, ROUNDS = 40, EACH = 12, STEP_MS = 15000, LABELS = 2 };

enum kind {
    IN_ORDER,
    AGAIN,
    NEWEST_AGAIN,
    CONFLICTS,
    HALF_CONFLICTS,
    HALF_LATE,
    REQUESTS_BACKWARDS,
    BACKWARDS,
    ANYWHERE,
    KINDS
};
static const char *const names[KINDS] = {
    "in order",           "there already",     "the newest again",       "other values",
    "every second other", "every second late", "each request backwards", "all of it backwards",
    "anywhere in an hour"};

struct outcome {
    uint64_t stored;
    uint64_t duplicates;
    uint64_t conflicts;
    double cpu_s;
    double longest_s;
};

static struct sample regular(int64_t start_ms, int n)
{
    return (struct sample){start_ms + (int64_t)n * STEP_MS, n * 7 % 1000 / 100.0};
}

/* The n-th sample behind the first ones. */
static struct sample sample_of(enum kind kind, int64_t start_ms, int n)
{
    const int all = ROUNDS * EACH;
    struct sample old = regular(start_ms, n % PREFIX);
    struct sample next = regular(start_ms, PREFIX + n);
    struct sample other = {old.t_ms, -1};
    switch (kind) {
    case AGAIN: return old;
    case NEWEST_AGAIN: return regular(start_ms, PREFIX - 1);
    case CONFLICTS: return other;
    case HALF_CONFLICTS: return n % 2 ? other : next;
    case HALF_LATE: return n % 2 ? (struct sample){start_ms + n * (STEP_MS / 2) + 1, n} : next;
    case REQUESTS_BACKWARDS:
        return regular(start_ms, PREFIX + n / EACH * EACH + EACH - 1 - n % EACH);
    case BACKWARDS:
        next = regular(start_ms, PREFIX + all - 1 - n);
        next.t_ms += STEP_MS / 2;
        return next;
    case ANYWHERE:
        next.t_ms = start_ms + (int64_t)((uint64_t)n * 2654435761u % 3600000);
        return next;
    default: return next;
    }
}

/* The same samples to each series. */
static void write_request(struct storage *db, const struct labels *series,
                          const struct sample samples[EACH], struct outcome *out)
{
    struct arena a;
    struct appender *app;
    struct append_result result;
    struct error err;
    arena_init(&a, HEAP_HTTP, UINT64_MAX);
    must(appender_begin(db, &a, &app, &err), &err);
    for (int i = 0; i < SERIES; i++) {
        struct series *s = appender_find(app, series[i]);
        must(s ? appender_add_known(app, s, samples, EACH, &err)
               : appender_add(app, series[i], samples, EACH, &err),
             &err);
    }
    double start_s = cpu_s();
    must(appender_commit(app, &result, &err), &err);
    double took_s = cpu_s() - start_s;
    out->cpu_s += took_s;
    if (took_s > out->longest_s) out->longest_s = took_s;
    out->stored += result.stored;
    out->duplicates += result.duplicates;
    out->conflicts += result.refused[REFUSED_CONFLICT];
    arena_release(&a);
}

static struct outcome run(enum kind kind, const struct labels *series)
{
    struct storage_options options = storage_options_default();
    struct storage *db;
    struct error err;
    struct sample samples[EACH];
    struct outcome out = {0};
    must(storage_open(&options, &db, &err), &err);
    int64_t window_ms = options.chunk_ms;
    int64_t start_ms = clock_wall_ms() / window_ms * window_ms - window_ms + STEP_MS;
    for (int n = 0; n < PREFIX; n += EACH) {
        for (int i = 0; i < EACH; i++)
            samples[i] = regular(start_ms, n + i);
        write_request(db, series, samples, &out);
    }
    out = (struct outcome){0};
    for (int n = 0; n < ROUNDS * EACH; n += EACH) {
        for (int i = 0; i < EACH; i++)
            samples[i] = sample_of(kind, start_ms, n + i);
        write_request(db, series, samples, &out);
    }
    storage_close(db);
    return out;
}

static void make_series(struct arena *a, struct labels series[SERIES])
{
    for (int i = 0; i < SERIES; i++) {
        struct label *items = arena_alloc_array(a, LABELS, sizeof(*items));
        if (!items) exit(1);
        items[0] = (struct label){STR("__name__"), STR("m")};
        items[1] = (struct label){STR("i"), arena_printf(a, "%d", i)};
        series[i] = (struct labels){.items = items, .count = LABELS};
    }
}

int main(void)
{
    static struct labels series[SERIES];
    struct arena a;
    arena_init(&a, HEAP_PROCESS, UINT64_MAX);
    make_series(&a, series);
    for (int kind = 0; kind < KINDS; kind++) {
        struct outcome out = run((enum kind)kind, series);
        printf("%-22s %8.1f ns a sample, longest request %6.1f ms; stored %" PRIu64
               ", duplicates %" PRIu64 ", conflicts %" PRIu64 "\n",
               names[kind], out.cpu_s * 1e9 / ((double)SERIES * ROUNDS * EACH), out.longest_s * 1e3,
               out.stored, out.duplicates, out.conflicts);
    }
    arena_release(&a);
    return 0;
}
