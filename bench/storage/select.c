/*
 * select - what finding costs: from matchers as text to series, and to names and values of labels,
 * without evaluating anything.
 *
 *     select [series=100000] [rounds=20]
 *
 * All series have a sample two windows ago, and the first quarter of their hosts one now: "now"
 * asks for the last minutes, everything else for all there is. Matchers are made anew each time, as
 * a server does it for each request; "first" is the first time that a line is asked.
 *
 * Prints the CPU in microseconds, the best of all rounds.
 */
#include "bench/storage/feed.h"
#include "bench/storage/program.h"
#include "storage/querier.h"

enum { STEP_MS = 15000, MATCHERS_MAX = 4, HOUR_MS = 3600000 };

enum question { SERIES, NAMES, VALUES };

struct line {
    const char *what;
    enum question question;
    const char *name; /* whose values */
    bool now;
    struct {
        const char *name;
        enum matcher_type type;
        const char *value;
    } matchers[MATCHERS_MAX];
};

#define METRIC  "__name__"
#define BUCKETS "http_request_duration_seconds_bucket"
#define HOST    "node-00042.example.internal:9100"

static const struct line lines[] = {
    {"one equality", SERIES, NULL, false, {{"instance", MATCH_EQUAL, HOST}}},
    {"one equality, many series", SERIES, NULL, false, {{METRIC, MATCH_EQUAL, BUCKETS}}},
    {"two equalities",
     SERIES,
     NULL,
     false,
     {{METRIC, MATCH_EQUAL, BUCKETS}, {"instance", MATCH_EQUAL, HOST}}},
    {"two equalities, both of many series",
     SERIES,
     NULL,
     false,
     {{METRIC, MATCH_EQUAL, BUCKETS}, {"le", MATCH_EQUAL, "0.25"}}},
    {"literals",
     SERIES,
     NULL,
     false,
     {{METRIC, MATCH_EQUAL, "node_load"},
      {"instance", MATCH_REGEX,
       "node-00001.example.internal:9100|node-00010.example.internal:9100|"
       "node-00100.example.internal:9100"}}},
    {"literals in a group",
     SERIES,
     NULL,
     false,
     {{METRIC, MATCH_EQUAL, "node_load"},
      {"instance", MATCH_REGEX, "node-00(001|010|100|123).example.internal:9100"}}},
    {"prefix",
     SERIES,
     NULL,
     false,
     {{METRIC, MATCH_EQUAL, "node_load"}, {"pod", MATCH_REGEX, "node-1.*"}}},
    {"prefixes",
     SERIES,
     NULL,
     false,
     {{METRIC, MATCH_EQUAL, "node_load"}, {"pod", MATCH_REGEX, "(node-1|node-2).*"}}},
    {"suffix",
     SERIES,
     NULL,
     false,
     {{METRIC, MATCH_EQUAL, "node_load"}, {"pod", MATCH_REGEX, ".*-0042"}}},
    {"contains",
     SERIES,
     NULL,
     false,
     {{METRIC, MATCH_EQUAL, "node_load"}, {"pod", MATCH_REGEX, ".*f1.*"}}},
    {"expression",
     SERIES,
     NULL,
     false,
     {{METRIC, MATCH_EQUAL, "node_load"},
      {"pod", MATCH_REGEX, "node-[0-9]{2}a[0-9a-f]*-0[01]+.*"}}},
    {"expression alone",
     SERIES,
     NULL,
     false,
     {{"pod", MATCH_REGEX, "node-[0-9]{2}a[0-9a-f]*-00.*"}}},
    {"negations",
     SERIES,
     NULL,
     false,
     {{METRIC, MATCH_EQUAL, "node_cpu_seconds_total"},
      {"mode", MATCH_NOT_EQUAL, "idle"},
      {"cpu", MATCH_NOT_REGEX, "cpu-[0-3]"}}},
    {"negation alone", SERIES, NULL, false, {{"job", MATCH_NOT_EQUAL, "node"}}},
    {"everything", SERIES, NULL, false, {{METRIC, MATCH_REGEX, ".+"}}},
    {"one equality, now", SERIES, NULL, true, {{METRIC, MATCH_EQUAL, BUCKETS}}},
    {"everything, now", SERIES, NULL, true, {{METRIC, MATCH_REGEX, ".+"}}},
    {"names", NAMES, NULL, false, {{0}}},
    {"names, now", NAMES, NULL, true, {{0}}},
    {"names of a job", NAMES, NULL, false, {{"job", MATCH_EQUAL, "node"}}},
    {"names of a job, now", NAMES, NULL, true, {{"job", MATCH_EQUAL, "node"}}},
    {"values", VALUES, "instance", false, {{0}}},
    {"values, now", VALUES, "instance", true, {{0}}},
    {"values of a job", VALUES, "instance", false, {{"job", MATCH_EQUAL, "node"}}},
    {"values of a job, now", VALUES, "instance", true, {{"job", MATCH_EQUAL, "node"}}},
    {"values of a host", VALUES, METRIC, false, {{"instance", MATCH_EQUAL, HOST}}},
};

static size_t ask(struct querier *q, const struct line *line, const struct select_request *request)
{
    struct error err;
    struct selection selection = {0};
    struct str_list list = {0};
    switch (line->question) {
    case SERIES: must(querier_select(q, request, &selection, &err), &err); break;
    case NAMES: must(querier_label_names(q, request, &list, &err), &err); break;
    case VALUES:
        must(querier_label_values(q, str_from(line->name), request, &list, &err), &err);
        break;
    }
    return selection.count + list.count;
}

/* The CPU of one time; how much was found. */
static double run(struct storage *db, struct arena *a, const struct line *line, size_t *found)
{
    struct matcher matchers[MATCHERS_MAX];
    struct select_request request = {
        .matchers = matchers, .t_min_ms = INT64_MIN, .t_max_ms = INT64_MAX};
    struct querier *q;
    struct error err;
    double start_s = cpu_s();
    if (line->now) request.t_min_ms = clock_wall_ms() - HOUR_MS / 12;
    for (size_t i = 0; i < MATCHERS_MAX && line->matchers[i].name; i++, request.matcher_count++)
        must(matcher_init(&matchers[i], line->matchers[i].type, str_from(line->matchers[i].name),
                          str_from(line->matchers[i].value), &err),
             &err);
    must(querier_open(db, a, &q, &err), &err);
    *found = ask(q, line, &request);
    querier_close(q);
    for (size_t i = 0; i < request.matcher_count; i++)
        matcher_release(&matchers[i]);
    double took_s = cpu_s() - start_s;
    arena_reset(a);
    return took_s;
}

static void fill(struct storage *db, struct arena *a, unsigned series, int64_t t_ms)
{
    struct feed feed;
    feed_make(&feed, series, 0, t_ms, STEP_MS);
    for (size_t i = 0; i < feed.count; i++) {
        feed_write(db, a, feed.items[i]);
        arena_reset(a);
    }
}

int main(int argc, char **argv)
{
    unsigned series = option(argc, argv, "series", 100000);
    unsigned rounds = option(argc, argv, "rounds", 20);
    struct storage_options options = storage_options_default();
    struct storage *db;
    struct arena a;
    struct error err;
    must(storage_open(&options, &db, &err), &err);
    arena_init(&a, HEAP_QUERY, UINT64_MAX);
    fill(db, &a, series, clock_wall_ms() - 2 * options.chunk_ms);
    fill(db, &a, series / 4, clock_wall_ms() - 2 * (int64_t)STEP_MS);
    printf("%-36s %10s %10s %10s\n", "", "found", "us", "first");
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        size_t found;
        double first_s = run(db, &a, &lines[i], &found);
        double best_s = first_s;
        for (unsigned round = 0; round < rounds; round++) {
            double s = run(db, &a, &lines[i], &found);
            if (s < best_s) best_s = s;
        }
        printf("%-36s %10zu %10.1f %10.1f\n", lines[i].what, found, best_s * 1e6, first_s * 1e6);
    }
    arena_release(&a);
    storage_close(db);
    return 0;
}
