/*
 * totals - a metric sink that adds up the samples of each name, whatever their labels.
 */
#ifndef HEARTH_TESTS_UNIT_SERVER_TOTALS_H
#define HEARTH_TESTS_UNIT_SERVER_TOTALS_H

#include "tests/unit/server/served.h"
#include "wire/exposition.h"

struct totals {
    const char *family;
    struct {
        char name[96];
        double sum;
        unsigned samples;
    } rows[256];
    size_t count;
};

static void totals_family(void *self, const char *name, enum metric_type type, const char *help)
{
    struct totals *t = self;
    (void)type;
    (void)help;
    t->family = name;
}

static void totals_sample(void *self, const char *suffix, const struct label *labels,
                          size_t label_count, double v)
{
    struct totals *t = self;
    char name[sizeof(t->rows[0].name)];
    size_t i = 0;
    (void)labels;
    (void)label_count;
    snprintf(name, sizeof(name), "%s%s", t->family, suffix);
    while (i < t->count && strcmp(t->rows[i].name, name) != 0)
        i++;
    ck_assert_uint_lt(i, ARRAY_COUNT(t->rows));
    if (i == t->count) snprintf(t->rows[t->count++].name, sizeof(name), "%s", name);
    t->rows[i].sum += v;
    t->rows[i].samples++;
}

static UNUSED struct metric_sink totals_sink(struct totals *t)
{
    memset(t, 0, sizeof(*t));
    return (struct metric_sink){.self = t, .family = totals_family, .sample = totals_sample};
}

static UNUSED double totals_of(const struct totals *t, const char *name)
{
    for (size_t i = 0; i < t->count; i++)
        if (strcmp(t->rows[i].name, name) == 0) return t->rows[i].sum;
    ck_abort_msg("no %s", name);
    return 0;
}

#endif
