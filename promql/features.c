/* features - the names of Prometheus' --enable-feature and what they turn on here. */
#include "promql/engine.h"

enum feature {
    FEATURE_NONE, /* Prometheus has it; here it is always on, or about something else */
    FEATURE_ALL,
    FEATURE_EXPERIMENTAL_FUNCTIONS,
    FEATURE_EXTENDED_RANGE_SELECTORS,
    FEATURE_FILL_MODIFIERS,
    FEATURE_DELAYED_NAME_REMOVAL,
    FEATURE_TYPE_LABELS,
    FEATURE_PER_STEP_STATS,
};

static const struct {
    const char *name;
    enum feature feature;
} rows[] = {
    {"all", FEATURE_ALL},
    {"promql-experimental-functions", FEATURE_EXPERIMENTAL_FUNCTIONS},
    {"promql-extended-range-selectors", FEATURE_EXTENDED_RANGE_SELECTORS},
    {"promql-binop-fill-modifiers", FEATURE_FILL_MODIFIERS},
    {"promql-delayed-name-removal", FEATURE_DELAYED_NAME_REMOVAL},
    {"auto-gomaxprocs", FEATURE_NONE},
    {"auto-gomemlimit", FEATURE_NONE},
    {"auto-reload-config", FEATURE_NONE},
    {"concurrent-rule-eval", FEATURE_NONE},
    {"created-timestamp-zero-ingestion", FEATURE_NONE},
    {"delayed-compaction", FEATURE_NONE},
    {"exemplar-storage", FEATURE_NONE},
    {"extra-scrape-metrics", FEATURE_NONE},
    {"fast-startup", FEATURE_NONE},
    {"histograms-st-encoding", FEATURE_NONE},
    {"memory-snapshot-on-shutdown", FEATURE_NONE},
    {"metadata-wal-records", FEATURE_NONE},
    {"native-histograms", FEATURE_NONE},
    {"old-ui", FEATURE_NONE},
    {"ooo-native-histograms", FEATURE_NONE},
    {"otlp-deltatocumulative", FEATURE_NONE},
    {"otlp-native-delta-ingestion", FEATURE_NONE},
    {"promql-at-modifier", FEATURE_NONE},
    {"promql-duration-expr", FEATURE_NONE},
    {"promql-negative-offset", FEATURE_NONE},
    {"promql-per-step-stats", FEATURE_PER_STEP_STATS},
    {"search-api", FEATURE_NONE},
    {"st-storage", FEATURE_NONE},
    {"st-synthesis", FEATURE_NONE},
    {"type-and-unit-labels", FEATURE_TYPE_LABELS},
    {"use-start-timestamps", FEATURE_NONE},
    {"use-uncached-io", FEATURE_NONE},
    {"xor2-encoding", FEATURE_NONE},
};

static void turn_on(struct engine_options *options, enum feature feature)
{
    bool all = feature == FEATURE_ALL;
    if (all || feature == FEATURE_EXPERIMENTAL_FUNCTIONS)
        options->syntax.experimental_functions = true;
    if (all || feature == FEATURE_EXTENDED_RANGE_SELECTORS)
        options->syntax.extended_range_selectors = true;
    if (all || feature == FEATURE_FILL_MODIFIERS) options->syntax.fill_modifiers = true;
    if (all || feature == FEATURE_DELAYED_NAME_REMOVAL) options->delayed_name_removal = true;
    if (all || feature == FEATURE_PER_STEP_STATS) options->per_step_stats = true;
    if (feature == FEATURE_TYPE_LABELS) options->type_labels = true;
}

static enum status enable(struct engine_options *options, struct str name, struct error *err)
{
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if (!str_equal(str_from(rows[i].name), name)) continue;
        turn_on(options, rows[i].feature);
        return OK;
    }
    return error_set(err, ERR_INVALID,
                     "there is no feature \"%.*s\"; those of PromQL are "
                     "promql-experimental-functions, promql-extended-range-selectors, "
                     "promql-binop-fill-modifiers, promql-delayed-name-removal, "
                     "promql-per-step-stats, type-and-unit-labels and all",
                     STR_ARG(name));
}

enum status engine_enable_features(struct engine_options *options, struct str names,
                                   struct error *err)
{
    while (names.size) {
        const char *comma = memchr(names.data, ',', names.size);
        size_t size = comma ? (size_t)(comma - names.data) : names.size;
        struct str name = {.data = names.data, .size = size};
        enum status st = name.size ? enable(options, name, err) : OK;
        if (st) return st;
        size += comma != NULL;
        names = (struct str){.data = names.data + size, .size = names.size - size};
    }
    return OK;
}
