/*
 * remote_write - protobuf-c over an arena, then our own nouns.
 *
 * protobuf-c checks bounds, wire types and nesting (the schema is three deep, groups are refused).
 * It takes every byte through the allocator below, so that the arena's ceiling bounds what a small
 * body can swell to; freeing is left to the arena.
 *
 * Room for all labels and samples is taken at once in decode, so that next cannot fail.
 */
#include "wire/remote_write.h"

#include "wire/remote.pb-c.h"

/* The arena, and whether it was what made unpacking fail. */
struct unpack_memory {
    struct arena *arena;
    bool refused;
};

static void *unpack_alloc(void *context, size_t size)
{
    struct unpack_memory *memory = context;
    void *p = arena_alloc(memory->arena, size);
    if (!p) memory->refused = true;
    return p;
}

static void unpack_free(void *context, void *p)
{
    (void)context;
    (void)p;
}

static const Prometheus__WriteRequest *message_of(const struct remote_write *rw)
{
    return (const Prometheus__WriteRequest *)rw->message;
}

/* Field number 0 is not legal, but protobuf-c keeps it like any unknown field. */
static bool has_field_zero(const ProtobufCMessage *message)
{
    for (unsigned i = 0; i < message->n_unknown_fields; i++) {
        if (message->unknown_fields[i].tag == 0) return true;
    }
    return false;
}

static struct str text_of(ProtobufCBinaryData bytes)
{
    return (struct str){.data = (const char *)bytes.data, .size = bytes.len};
}

/* Count everything; *label_count is what the series inside the ceiling need. */
static bool count_all(struct remote_write *rw, size_t *label_count)
{
    const Prometheus__WriteRequest *message = message_of(rw);
    *label_count = 0;
    rw->counts.series = message->n_timeseries;
    rw->counts.metadata = message->n_metadata;
    if (has_field_zero(&message->base)) return false;
    for (size_t i = 0; i < message->n_timeseries; i++) {
        const Prometheus__TimeSeries *series = message->timeseries[i];
        if (has_field_zero(&series->base)) return false;
        rw->counts.samples += series->n_samples;
        rw->counts.exemplars += series->n_exemplars;
        rw->counts.histograms += series->n_histograms;
        if (series->n_labels <= REMOTE_LABELS_MAX) *label_count += series->n_labels;
    }
    return true;
}

enum status remote_write_decode(struct remote_write *rw, struct str body, struct arena *a,
                                struct error *err)
{
    struct unpack_memory memory = {.arena = a, .refused = false};
    ProtobufCAllocator allocator = {unpack_alloc, unpack_free, &memory};
    size_t label_count;
    *rw = (struct remote_write){.next = 0};
    const Prometheus__WriteRequest *message =
        prometheus__write_request__unpack(&allocator, body.size, (const uint8_t *)body.data);
    if (!message && memory.refused) return arena_error(a, err);
    if (!message) return error_set(err, ERR_INVALID, "body is not a protobuf WriteRequest");
    rw->message = (const struct remote_write_message *)message;
    if (!count_all(rw, &label_count))
        return error_set(err, ERR_INVALID, "body is not a protobuf WriteRequest: field number 0");
    rw->labels_at = arena_alloc_array(a, label_count, sizeof(*rw->labels_at));
    if (!rw->labels_at) return arena_error(a, err);
    rw->samples_at = arena_alloc_array(a, rw->counts.samples, sizeof(*rw->samples_at));
    if (!rw->samples_at) return arena_error(a, err);
    return OK;
}

/* View the labels in the order they were sent. */
static struct labels take_labels(struct remote_write *rw, const Prometheus__TimeSeries *series)
{
    struct label *items = rw->labels_at;
    for (size_t i = 0; i < series->n_labels; i++) {
        items[i].name = text_of(series->labels[i]->name);
        items[i].value = text_of(series->labels[i]->value);
    }
    rw->labels_at += series->n_labels;
    return (struct labels){.items = items, .count = series->n_labels};
}

static void take_samples(struct remote_write *rw, const Prometheus__TimeSeries *series,
                         struct remote_series *out)
{
    for (size_t i = 0; i < series->n_samples; i++) {
        rw->samples_at[i].t_ms = series->samples[i]->timestamp;
        rw->samples_at[i].v = series->samples[i]->value;
    }
    out->samples = rw->samples_at;
    rw->samples_at += series->n_samples;
}

static enum status check_sizes(struct labels set, struct error *err)
{
    size_t total = 0;
    for (size_t i = 0; i < set.count; i++) {
        struct label l = set.items[i];
        if (l.name.size > REMOTE_NAME_BYTES_MAX)
            return error_set(err, ERR_TOO_LARGE, "label name of %zu bytes, at most %d are allowed",
                             l.name.size, REMOTE_NAME_BYTES_MAX);
        if (l.value.size > REMOTE_VALUE_BYTES_MAX)
            return error_set(err, ERR_TOO_LARGE, "label value of %zu bytes, at most %d are allowed",
                             l.value.size, REMOTE_VALUE_BYTES_MAX);
        total += l.name.size + l.value.size;
    }
    if (total > REMOTE_LABELS_BYTES_MAX)
        return error_set(err, ERR_TOO_LARGE, "labels of %zu bytes, at most %d are allowed", total,
                         REMOTE_LABELS_BYTES_MAX);
    return OK;
}

static enum status check_labels(struct labels set, struct label *items, struct labels *out,
                                struct error *err)
{
    if (set.count == 0) return error_set(err, ERR_INVALID, "no labels");
    enum status st = check_sizes(set, err);
    if (st == OK) st = labels_normalize(items, set.count, out, err);
    if (st == OK && !labels_has(*out, LABEL_METRIC_NAME))
        st = error_set(err, ERR_INVALID, "no metric name");
    return st;
}

/* Say which series the error is about, in the words it was sent in: normalizing has moved them. */
static void name_series(struct remote_write *rw, const Prometheus__TimeSeries *series,
                        struct label *items, struct error *err)
{
    enum { SERIES_TEXT_BYTES = 160 };
    char text[SERIES_TEXT_BYTES];
    rw->labels_at = items;
    labels_print_short(take_labels(rw, series), text, sizeof(text));
    error_wrap(err, "series %s: ", text);
}

bool remote_write_next(struct remote_write *rw, struct remote_series *out)
{
    const Prometheus__WriteRequest *message = message_of(rw);
    if (rw->next == message->n_timeseries) return false;
    const Prometheus__TimeSeries *series = message->timeseries[rw->next++];
    out->labels = (struct labels){.items = NULL, .count = 0};
    out->sample_count = series->n_samples;
    out->exemplar_count = series->n_exemplars;
    out->histogram_count = series->n_histograms;
    take_samples(rw, series, out);
    if (series->n_labels > REMOTE_LABELS_MAX) {
        out->status =
            error_set(&out->error, ERR_TOO_LARGE, "series with %zu labels, at most %d are allowed",
                      series->n_labels, REMOTE_LABELS_MAX);
        return true;
    }
    struct label *items = rw->labels_at;
    out->status = check_labels(take_labels(rw, series), items, &out->labels, &out->error);
    if (out->status) {
        out->labels = (struct labels){.items = NULL, .count = 0};
        name_series(rw, series, items, &out->error);
    }
    return true;
}
