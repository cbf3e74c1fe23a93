/*
 * exposition - metrics about ourselves, and their text form on /metrics.
 *
 * What produces metrics writes to a metric_sink and does not know where they go: to text (here), or
 * to samples (the self-scrape of the server). A family is announced, then its samples follow:
 *
 *     metric_family(sink, "http_requests_total", METRIC_COUNTER, "Requests by code.");
 *     metric_sample(sink, "", (struct label[]){{STR("code"), STR("204")}}, 1, 12);
 *
 *     # HELP http_requests_total Requests by code.
 *     # TYPE http_requests_total counter
 *     http_requests_total{code="204"} 12
 *
 * Text is version 0.0.4 of Prometheus' format, or OpenMetrics 1.0.0.
 *
 * Threads: one at a time.
 */
#ifndef HEARTH_WIRE_EXPOSITION_H
#define HEARTH_WIRE_EXPOSITION_H

#include "alloc/buf.h"
#include "base/histogram.h"
#include "model/labels.h"
#include "model/sample.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM, METRIC_SUMMARY, METRIC_UNTYPED };

struct metric_sink {
    void *self;
    /* name and help live until the next family. */
    void (*family)(void *self, const char *name, enum metric_type type, const char *help);
    /* A sample of the last family; its metric name is the family's name and then suffix ("",
     * "_bucket", "_sum", "_count"). labels: any order, unique names, without __name__. */
    void (*sample)(void *self, const char *suffix, const struct label *labels, size_t label_count,
                   double v);
};

void metric_family(const struct metric_sink *sink, const char *name, enum metric_type type,
                   const char *help);
void metric_sample(const struct metric_sink *sink, const char *suffix, const struct label *labels,
                   size_t label_count, double v);

/* Shorthands: a family with one sample; a sample with one label. */
void metric_single(const struct metric_sink *sink, const char *name, enum metric_type type,
                   const char *help, double v);
void metric_labeled(const struct metric_sink *sink, const char *label, struct str value, double v);

/* Families with one sample each. */
struct metric_row {
    const char *name;
    enum metric_type type;
    const char *help;
    double value;
};
void metric_rows(const struct metric_sink *sink, const struct metric_row *rows, size_t count);

/* The samples of a duration histogram in seconds: every other bucket of base/histogram.h (1 us, 4
 * us, 16 us ... 1074 s), +Inf, _sum, _count. At most METRIC_HISTOGRAM_LABELS_MAX labels. */
enum { METRIC_HISTOGRAM_LABELS_MAX = 7 };
void metric_histogram(const struct metric_sink *sink, const struct label *labels,
                      size_t label_count, const struct histogram *h);

enum exposition_format { EXPOSITION_TEXT, EXPOSITION_OPENMETRICS };

struct exposition {
    struct metric_sink sink;
    struct buf *out;
    enum exposition_format format;
    const char *family;
};

/* Write to out through e->sink; e stays where it is. A full buffer is its sticky failure. */
void exposition_init(struct exposition *e, struct buf *out, enum exposition_format format);
/* The end of the text: OpenMetrics has a line for it. */
void exposition_finish(struct exposition *e);

/* One sample of any series, with its time, in version 0.0.4: for a Prometheus that federates. Its
 * type is untyped, and said before when the name is not *family, the last one's. A series without
 * instance gets an empty one, so that the scraper does not call it its own. Names that are not
 * legacy ones (model/names.h) are quoted for who reads that, utf8, and have _ for the other
 * characters else. */
void exposition_put(struct buf *out, struct labels labels, struct sample sample, bool utf8,
                    struct str *family);

/* The value of the Content-Type header. */
const char *exposition_content_type(enum exposition_format format);

#endif
