/* query_json - values to JSON. */
#include "server/query_json.h"

#include "base/assert.h"
#include "model/number.h"
#include "promql/printer.h"

void query_json_begin(struct json *j, struct buf *out)
{
    json_init(j, out);
    json_object_begin(j);
    json_text(j, "status", STR("success"));
    json_key(j, STR("data"));
}

static void write_remarks(struct json *j, struct str key, const struct str *items, size_t count)
{
    if (count == 0) return;
    json_key(j, key);
    json_array_begin(j);
    for (size_t i = 0; i < count; i++)
        json_string(j, items[i]);
    json_array_end(j);
}

void query_json_end(struct json *j, const struct annotations *annotations)
{
    if (annotations) {
        write_remarks(j, STR("warnings"), annotations->warnings, annotations->warning_count);
        write_remarks(j, STR("infos"), annotations->infos, annotations->info_count);
    }
    json_object_end(j);
    ASSERT(json_is_complete(j));
}

static void write_vector(struct json *j, const struct value *value, size_t count)
{
    json_array_begin(j);
    for (size_t i = 0; i < count; i++) {
        const struct series_points *s = &value->series[i];
        json_object_begin(j);
        json_key(j, STR("metric"));
        json_labels(j, s->labels);
        json_key(j, STR("value"));
        json_point(j, s->points[0].t_ms, s->points[0].v);
        json_object_end(j);
    }
    json_array_end(j);
}

static void write_matrix(struct json *j, const struct value *value, size_t count)
{
    json_array_begin(j);
    for (size_t i = 0; i < count; i++) {
        const struct series_points *s = &value->series[i];
        json_object_begin(j);
        json_key(j, STR("metric"));
        json_labels(j, s->labels);
        json_key(j, STR("values"));
        json_array_begin(j);
        for (size_t p = 0; p < s->count; p++)
            json_point(j, s->points[p].t_ms, s->points[p].v);
        json_array_end(j);
        json_object_end(j);
    }
    json_array_end(j);
}

/* Scalars and strings are written by other code than series in Prometheus: the time has as many
 * digits as it needs, a value never has an exponent. */
static void write_lone_time(struct json *j, int64_t t_ms)
{
    json_number(j, (double)t_ms / 1000);
}

static void write_scalar(struct json *j, const struct value *value)
{
    char text[NUMBER_TEXT_BYTES];
    size_t size = number_format_plain(text, value->scalar);
    json_array_begin(j);
    write_lone_time(j, value->t_ms);
    json_string(j, (struct str){text, size});
    json_array_end(j);
}

static void write_result(struct json *j, const struct value *value, size_t count)
{
    json_text(j, "resultType", str_from(value_type_name(value->type)));
    json_key(j, STR("result"));
    switch (value->type) {
    case VALUE_SCALAR: write_scalar(j, value); return;
    case VALUE_STRING:
        json_array_begin(j);
        write_lone_time(j, value->t_ms);
        json_string(j, value->string);
        json_array_end(j);
        return;
    case VALUE_VECTOR: write_vector(j, value, count); return;
    case VALUE_MATRIX: write_matrix(j, value, count); return;
    case VALUE_NONE: break;
    }
    UNREACHABLE();
}

static void write_seconds(struct json *j, const char *key, int64_t ns)
{
    json_key(j, str_from(key));
    json_number(j, (double)ns / 1e9);
}

/* The part of the text that a node is, cut between characters. */
static struct str node_text(const struct query *query, struct ast_position position)
{
    enum { NODE_TEXT_BYTES = 200 };
    struct str text = {query->text.data + position.start, position.end - position.start};
    if (text.size > NODE_TEXT_BYTES) text.size = str_whole_characters(text.data, NODE_TEXT_BYTES);
    return text;
}

/* No part of Prometheus' statistics. */
static void write_nodes(struct json *j, const struct query *query)
{
    json_key(j, STR("nodes"));
    json_array_begin(j);
    for (size_t i = 0; i < query->explained.count; i++) {
        const struct explained *node = &query->explained.items[i];
        json_object_begin(j);
        json_count(j, "depth", node->depth);
        json_text(j, "expr", node_text(query, node->position));
        json_count(j, "series", node->series);
        json_count(j, "values", node->values);
        json_count(j, "samplesRead", node->samples_read);
        json_count(j, "bytes", node->bytes);
        write_seconds(j, "time", node->ns);
        json_object_end(j);
    }
    json_array_end(j);
}

static void write_steps(struct json *j, const struct query *query)
{
    const struct query_stats *stats = &query->stats;
    json_key(j, STR("totalQueryableSamplesPerStep"));
    json_array_begin(j);
    for (size_t i = 0; i < query_steps(query); i++) {
        uint64_t *by_step = stats->queryable_by_step;
        json_array_begin(j);
        json_number(j, (double)(query->start_ms + (int64_t)i * query->step_ms) / 1000);
        json_number(j, (double)(by_step ? by_step[i] : stats->samples_queryable));
        json_array_end(j);
    }
    json_array_end(j);
}

/* The names of Prometheus' statistics; what is not a phase of ours is 0. */
static void write_stats(struct json *j, const struct query *query, int64_t queued_ns)
{
    const struct query_stats *stats = &query->stats;
    json_key(j, STR("stats"));
    json_object_begin(j);
    json_key(j, STR("timings"));
    json_object_begin(j);
    write_seconds(j, "evalTotalTime", stats->parse_ns + stats->eval_ns);
    write_seconds(j, "resultSortTime", 0);
    write_seconds(j, "queryPreparationTime", stats->parse_ns);
    write_seconds(j, "innerEvalTime", stats->eval_ns);
    write_seconds(j, "execQueueTime", queued_ns);
    write_seconds(j, "execTotalTime", queued_ns + stats->parse_ns + stats->eval_ns);
    json_object_end(j);
    json_key(j, STR("samples"));
    json_object_begin(j);
    if (query->counts_steps) write_steps(j, query);
    json_count(j, "totalQueryableSamples", stats->samples_queryable);
    json_count(j, "samplesRead", stats->samples_read);
    json_count(j, "peakSamples", stats->samples_peak);
    json_object_end(j);
    if (query->explains) write_nodes(j, query);
    json_object_end(j);
}

/* Those about the request and not its query come first. */
enum { REQUEST_REMARKS_MAX = 2, REMARKS_MAX = REQUEST_REMARKS_MAX + ANNOTATIONS_SHOWN + 1 };

static void add_warning(struct annotations *annotations, struct str *remarks, struct str text)
{
    size_t kept = annotations->warning_count;
    ASSERT(kept < REMARKS_MAX);
    for (size_t i = kept; i > 0; i--)
        remarks[i] = annotations->warnings[i - 1];
    remarks[0] = text;
    annotations->warnings = remarks;
    annotations->warning_count = kept + 1;
}

void query_json_write(struct buf *out, const struct query *query,
                      const struct query_json_options *options)
{
    struct json j;
    struct annotations annotations = query->annotations;
    struct str remarks[REMARKS_MAX];
    const struct value *value = &query->value;
    size_t count = value->series_count;
    if (options->limit > 0 && count > options->limit) {
        count = (size_t)options->limit;
        add_warning(&annotations, remarks, QUERY_JSON_TRUNCATED);
    }
    if (options->warning.size) add_warning(&annotations, remarks, options->warning);
    query_json_begin(&j, out);
    json_object_begin(&j);
    write_result(&j, value, count);
    if (options->stats == QUERY_JSON_STATS) write_stats(&j, query, options->queued_ns);
    json_object_end(&j);
    query_json_end(&j, &annotations);
}
