/* exposition - https://prometheus.io/docs/instrumenting/exposition_formats/ and OpenMetrics 1.0.0,
 * which differ in the names of counters, the escaping of help, and the last line. */
#include "wire/exposition.h"

#include <inttypes.h>

#include "base/assert.h"
#include "model/names.h"
#include "model/number.h"

void metric_family(const struct metric_sink *sink, const char *name, enum metric_type type,
                   const char *help)
{
    sink->family(sink->self, name, type, help);
}

void metric_sample(const struct metric_sink *sink, const char *suffix, const struct label *labels,
                   size_t label_count, double v)
{
    sink->sample(sink->self, suffix, labels, label_count, v);
}

void metric_single(const struct metric_sink *sink, const char *name, enum metric_type type,
                   const char *help, double v)
{
    metric_family(sink, name, type, help);
    metric_sample(sink, "", NULL, 0, v);
}

void metric_labeled(const struct metric_sink *sink, const char *label, struct str value, double v)
{
    struct label l = {.name = str_from(label), .value = value};
    metric_sample(sink, "", &l, 1, v);
}

void metric_rows(const struct metric_sink *sink, const struct metric_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++)
        metric_single(sink, rows[i].name, rows[i].type, rows[i].help, rows[i].value);
}

void metric_histogram(const struct metric_sink *sink, const struct label *labels,
                      size_t label_count, const struct histogram *h)
{
    struct label with_le[METRIC_HISTOGRAM_LABELS_MAX + 1];
    char le[NUMBER_TEXT_BYTES];
    uint64_t total = 0;
    ASSERT(label_count <= METRIC_HISTOGRAM_LABELS_MAX);
    for (size_t i = 0; i < label_count; i++)
        with_le[i] = labels[i];
    with_le[label_count].name = STR("le");
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        total += counter_read(&h->buckets[i]);
        if (i % 2 != 0) continue;
        double bound_s = (double)(UINT64_C(1) << i) / 1e6;
        with_le[label_count].value = (struct str){le, number_format_general(le, bound_s)};
        metric_sample(sink, "_bucket", with_le, label_count + 1, (double)total);
    }
    total += counter_read(&h->buckets[HISTOGRAM_BUCKETS]);
    with_le[label_count].value = STR("+Inf");
    metric_sample(sink, "_bucket", with_le, label_count + 1, (double)total);
    metric_sample(sink, "_sum", labels, label_count, (double)counter_read(&h->sum_ns) / 1e9);
    metric_sample(sink, "_count", labels, label_count, (double)total);
}

/* Text with \n, \ and (in label values) " escaped. */
static void put_escaped(struct buf *out, struct str text, bool quotes)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c == '\n') {
            buf_append_str(out, STR("\\n"));
        } else {
            if (c == '\\' || (c == '"' && quotes)) buf_append_byte(out, '\\');
            buf_append_byte(out, (uint8_t)c);
        }
    }
}

static const char *type_name(enum metric_type type, enum exposition_format format)
{
    switch (type) {
    case METRIC_COUNTER: return "counter";
    case METRIC_GAUGE: return "gauge";
    case METRIC_HISTOGRAM: return "histogram";
    case METRIC_SUMMARY: return "summary";
    case METRIC_UNTYPED: return format == EXPOSITION_OPENMETRICS ? "unknown" : "untyped";
    }
    UNREACHABLE();
}

static bool ends_with(struct str text, struct str end)
{
    return text.size >= end.size &&
           memcmp(text.data + text.size - end.size, end.data, end.size) == 0;
}

static void write_family(void *self, const char *name, enum metric_type type, const char *help)
{
    struct exposition *e = self;
    struct str family = str_from(name);
    const struct str total = STR("_total");
    bool open_metrics = e->format == EXPOSITION_OPENMETRICS;
    e->family = name;
    if (open_metrics && type == METRIC_COUNTER) {
        /* There _total belongs to the sample, not to the family, and a counter must have it. */
        if (ends_with(family, total))
            family.size -= total.size;
        else
            type = METRIC_UNTYPED;
    }
    buf_append_str(e->out, STR("# HELP "));
    buf_append_str(e->out, family);
    buf_append_byte(e->out, ' ');
    put_escaped(e->out, str_from(help), open_metrics);
    buf_append_str(e->out, STR("\n# TYPE "));
    buf_append_str(e->out, family);
    buf_append_byte(e->out, ' ');
    buf_append_str(e->out, str_from(type_name(type, e->format)));
    buf_append_byte(e->out, '\n');
}

static void write_sample(void *self, const char *suffix, const struct label *labels,
                         size_t label_count, double v)
{
    struct exposition *e = self;
    char value[NUMBER_TEXT_BYTES];
    buf_append_str(e->out, str_from(e->family));
    buf_append_str(e->out, str_from(suffix));
    for (size_t i = 0; i < label_count; i++) {
        buf_append_byte(e->out, i == 0 ? '{' : ',');
        buf_append_str(e->out, labels[i].name);
        buf_append_str(e->out, STR("=\""));
        put_escaped(e->out, labels[i].value, true);
        buf_append_byte(e->out, '"');
    }
    if (label_count > 0) buf_append_byte(e->out, '}');
    buf_append_byte(e->out, ' ');
    buf_append(e->out, value, number_format_general(value, v));
    buf_append_byte(e->out, '\n');
}

void exposition_init(struct exposition *e, struct buf *out, enum exposition_format format)
{
    *e = (struct exposition){
        .sink = {.self = e, .family = write_family, .sample = write_sample},
        .out = out,
        .format = format,
        .family = "",
    };
}

void exposition_finish(struct exposition *e)
{
    if (e->format == EXPOSITION_OPENMETRICS) buf_append_str(e->out, STR("# EOF\n"));
}

static void put_quoted(struct buf *out, struct str text)
{
    buf_append_byte(out, '"');
    put_escaped(out, text, true);
    buf_append_byte(out, '"');
}

/* As Prometheus does for scrapers that know no quotes. */
static void put_underscored(struct buf *out, struct str name)
{
    size_t step;
    for (size_t i = 0; i < name.size; i += step) {
        char c = name.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool kept = letter || c == '_' || c == ':' || (i > 0 && c >= '0' && c <= '9');
        buf_append_byte(out, kept ? (uint8_t)c : '_');
        step = name_character_size(name.data + i, name.size - i);
        if (step == 0) step = 1;
    }
}

static void put_name(struct buf *out, struct str name, bool legacy, bool utf8)
{
    if (legacy)
        buf_append_str(out, name);
    else if (utf8)
        put_quoted(out, name);
    else
        put_underscored(out, name);
}

static void put_pair(struct buf *out, bool first, const struct label *label, bool utf8)
{
    buf_append_byte(out, first ? '{' : ',');
    put_name(out, label->name, name_is_legacy_label(label->name), utf8);
    buf_append_byte(out, '=');
    put_quoted(out, label->value);
}

void exposition_put(struct buf *out, struct labels labels, struct sample sample, bool utf8,
                    struct str *family)
{
    const struct label no_instance = {STR("instance"), STR("")};
    struct str name = labels_get(labels, LABEL_METRIC_NAME);
    bool legacy = name_is_legacy_metric(name);
    bool first = legacy || !utf8; /* a quoted name stands among the labels */
    char value[NUMBER_TEXT_BYTES];
    if (!str_equal(name, *family)) {
        buf_append_str(out, STR("# TYPE "));
        put_name(out, name, legacy, utf8);
        buf_append_str(out, STR(" untyped\n"));
        *family = name;
    }
    if (!first) buf_append_byte(out, '{');
    put_name(out, name, legacy, utf8);
    for (size_t i = 0; i < labels.count; i++) {
        if (str_equal(labels.items[i].name, LABEL_METRIC_NAME)) continue;
        put_pair(out, first, &labels.items[i], utf8);
        first = false;
    }
    if (!labels_has(labels, no_instance.name)) put_pair(out, first, &no_instance, utf8);
    buf_append_str(out, STR("} "));
    buf_append(out, value, number_format_general(value, sample.v));
    buf_printf(out, " %" PRId64 "\n", sample.t_ms);
}

const char *exposition_content_type(enum exposition_format format)
{
    return format == EXPOSITION_OPENMETRICS
               ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
               : "text/plain; version=0.0.4; charset=utf-8";
}
