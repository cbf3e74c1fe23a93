/*
 * remote_reference - protobuf-c over an arena, then our own nouns.
 *
 * protobuf-c checks bounds, wire types and nesting (the schema is three deep, groups are refused).
 * It takes every byte through the allocator below, so that the arena's ceiling bounds what a small
 * body can swell to; freeing is left to the arena.
 */
#include "tests/reference/remote_reference.h"

#include "tests/reference/remote.pb-c.h"

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

static const Prometheus__WriteRequest *message_of(const struct remote_reference *r)
{
    return (const Prometheus__WriteRequest *)r->message;
}

/* Field number 0 is not legal, but protobuf-c keeps it like any unknown field when it is written
 * with more than one byte. */
static bool has_field_zero(const ProtobufCMessage *message)
{
    for (unsigned i = 0; i < message->n_unknown_fields; i++) {
        if (message->unknown_fields[i].tag == 0) return true;
    }
    return false;
}

static bool series_has_field_zero(const Prometheus__TimeSeries *series)
{
    bool any = has_field_zero(&series->base);
    for (size_t i = 0; i < series->n_labels && !any; i++)
        any = has_field_zero(&series->labels[i]->base);
    for (size_t i = 0; i < series->n_samples && !any; i++)
        any = has_field_zero(&series->samples[i]->base);
    return any;
}

static bool count_all(struct remote_reference *r)
{
    const Prometheus__WriteRequest *message = message_of(r);
    r->counts.series = message->n_timeseries;
    r->counts.metadata = message->n_metadata;
    if (has_field_zero(&message->base)) return false;
    for (size_t i = 0; i < message->n_timeseries; i++) {
        const Prometheus__TimeSeries *series = message->timeseries[i];
        if (series_has_field_zero(series)) return false;
        r->counts.samples += series->n_samples;
        r->counts.exemplars += series->n_exemplars;
        r->counts.histograms += series->n_histograms;
    }
    return true;
}

enum status remote_reference_decode(struct remote_reference *r, struct str body, struct arena *a,
                                    struct error *err)
{
    struct unpack_memory memory = {.arena = a, .refused = false};
    ProtobufCAllocator allocator = {unpack_alloc, unpack_free, &memory};
    *r = (struct remote_reference){.arena = a};
    const Prometheus__WriteRequest *message =
        prometheus__write_request__unpack(&allocator, body.size, (const uint8_t *)body.data);
    if (!message && memory.refused) return arena_error(a, err);
    r->message = (const struct remote_reference_message *)message;
    if (!message || !count_all(r))
        return error_set(err, ERR_INVALID, "body is not a protobuf WriteRequest");
    return OK;
}

static struct str text_of(ProtobufCBinaryData bytes)
{
    return (struct str){.data = (const char *)bytes.data, .size = bytes.len};
}

bool remote_reference_next(struct remote_reference *r, struct remote_series *out)
{
    const Prometheus__WriteRequest *message = message_of(r);
    if (r->next == message->n_timeseries) return false;
    const Prometheus__TimeSeries *series = message->timeseries[r->next++];
    size_t label_count =
        series->n_labels < REMOTE_LABELS_MAX ? series->n_labels : REMOTE_LABELS_MAX;
    struct label *labels = arena_alloc_array(r->arena, label_count, sizeof(*labels));
    struct sample *samples = arena_alloc_array(r->arena, series->n_samples, sizeof(*samples));
    if (!labels || !samples) return false;
    for (size_t i = 0; i < label_count; i++)
        labels[i] = (struct label){.name = text_of(series->labels[i]->name),
                                   .value = text_of(series->labels[i]->value)};
    for (size_t i = 0; i < series->n_samples; i++)
        samples[i] =
            (struct sample){.t_ms = series->samples[i]->timestamp, .v = series->samples[i]->value};
    *out = (struct remote_series){
        .sent = {.items = labels, .count = label_count},
        .label_count = series->n_labels,
        .samples = samples,
        .sample_count = series->n_samples,
        .exemplar_count = series->n_exemplars,
        .histogram_count = series->n_histograms,
    };
    return true;
}
