/* annotations - collecting, joining and wording of remarks. */
#include "promql/annotations.h"

#include <time.h>

#include "base/assert.h"
#include "model/number.h"
#include "promql/literal.h"

static struct annotation *find(struct annotation_set *set, enum annotation_kind kind,
                               struct str text)
{
    for (size_t i = set->list.count; i-- > 0;) {
        struct annotation *note = &set->list.items[i];
        if (note->kind == kind && str_equal(note->text, text)) return note;
    }
    return NULL;
}

static enum status find_or_add(struct annotation_set *set, enum annotation_kind kind,
                               struct str text, struct arena *a, struct annotation **out,
                               struct error *err)
{
    *out = find(set, kind, text);
    if (*out) return OK;
    if (set->list.count >= ANNOTATIONS_KEPT_MAX) {
        set->beyond[kind]++;
        return OK;
    }
    struct str copy = arena_copy(a, text);
    struct annotation *note = copy.data ? VEC_PUSH(&set->list, a) : NULL;
    if (!note) return arena_error(a, err);
    *note = (struct annotation){.kind = kind, .text = copy};
    *out = note;
    return OK;
}

enum status annotation_add(struct annotation_set *set, enum annotation_kind kind, struct str text,
                           struct ast_position position, struct arena *a, struct error *err)
{
    struct annotation *note;
    enum status st = find_or_add(set, kind, text, a, &note, err);
    if (!st && note) note->position = position;
    return st;
}

enum status annotation_add_forced(struct annotation_set *set, struct str metric,
                                  const struct forced_monotonicity *forced,
                                  struct ast_position position, struct arena *a, struct error *err)
{
    struct annotation *note;
    struct str text = STR("PromQL info: input to histogram_quantile needed to be fixed for "
                          "monotonicity (see https://prometheus.io/docs/prometheus/latest/querying/"
                          "functions/#histogram_quantile)");
    char quoted[QUOTED_TEXT_BYTES];
    if (metric.size)
        text = arena_printf(a, "%.*s for metric name %s", (int)text.size, text.data,
                            quote_text(metric, quoted));
    if (!text.data) return arena_error(a, err);
    enum status st = find_or_add(set, ANNOTATION_INFO, text, a, &note, err);
    if (st || !note) return st;
    note->position = position;
    struct forced_monotonicity *old = &note->forced;
    if (!old->samples) {
        *old = *forced;
        return OK;
    }
    if (forced->t_min_ms < old->t_min_ms) old->t_min_ms = forced->t_min_ms;
    if (forced->t_max_ms > old->t_max_ms) old->t_max_ms = forced->t_max_ms;
    if (forced->bucket_min < old->bucket_min) old->bucket_min = forced->bucket_min;
    if (forced->bucket_max > old->bucket_max) old->bucket_max = forced->bucket_max;
    if (forced->difference_max > old->difference_max) old->difference_max = forced->difference_max;
    old->samples += forced->samples;
    return OK;
}

enum status annotation_add_quantile(struct annotation_set *set, double q,
                                    struct ast_position position, struct arena *a,
                                    struct error *err)
{
    char number[NUMBER_TEXT_BYTES];
    size_t size = number_format_general(number, q);
    struct str text = arena_printf(
        a, "PromQL warning: quantile value should be between 0 and 1, got %.*s", (int)size, number);
    if (!text.data) return arena_error(a, err);
    return annotation_add(set, ANNOTATION_WARNING, text, position, a, err);
}

enum status annotations_join(struct annotation_set *set, const struct annotation_set *part,
                             struct arena *a, struct error *err)
{
    enum status st = OK;
    for (size_t i = 0; !st && i < part->list.count; i++) {
        const struct annotation *note = &part->list.items[i];
        DEBUG_ASSERT(!note->forced.samples); /* what works on single series makes none of these */
        st = annotation_add(set, note->kind, note->text, note->position, a, err);
    }
    set->beyond[ANNOTATION_WARNING] += part->beyond[ANNOTATION_WARNING];
    set->beyond[ANNOTATION_INFO] += part->beyond[ANNOTATION_INFO];
    return st;
}

struct place {
    size_t line;
    size_t column;
};

static struct place place_of(struct str query, size_t offset)
{
    struct place at = {.line = 1, .column = 1};
    for (size_t i = 0; i < offset && i < query.size; i++) {
        at.column++;
        if (query.data[i] == '\n') at = (struct place){.line = at.line + 1, .column = 1};
    }
    return at;
}

enum { TIME_TEXT_BYTES = 40 };

static void format_time(char *out, int64_t t_ms)
{
    time_t seconds = (time_t)(t_ms / 1000);
    struct tm parts;
    out[0] = 0;
    if (gmtime_r(&seconds, &parts)) strftime(out, TIME_TEXT_BYTES, "%Y-%m-%dT%H:%M:%SZ", &parts);
}

static struct str render_forced(const struct annotation *note, struct place at, struct arena *a)
{
    const struct forced_monotonicity *f = &note->forced;
    char low[NUMBER_TEXT_BYTES];
    char high[NUMBER_TEXT_BYTES];
    char from[TIME_TEXT_BYTES];
    char to[TIME_TEXT_BYTES];
    int low_size = (int)number_format_general(low, f->bucket_min);
    int high_size = (int)number_format_general(high, f->bucket_max);
    format_time(from, f->t_min_ms);
    format_time(to, f->t_max_ms);
    return arena_printf(a,
                        "%.*s, from buckets %.*s to %.*s, with a max diff of %.2g, over %llu "
                        "samples from %s to %s (%zu:%zu)",
                        (int)note->text.size, note->text.data, low_size, low, high_size, high,
                        f->difference_max, (unsigned long long)f->samples, from, to, at.line,
                        at.column);
}

static struct str render_one(const struct annotation *note, struct str query, struct arena *a)
{
    struct place at = place_of(query, note->position.start);
    if (note->forced.samples) return render_forced(note, at, a);
    return arena_printf(a, "%.*s (%zu:%zu)", (int)note->text.size, note->text.data, at.line,
                        at.column);
}

static enum status render_kind(const struct annotation_set *set, enum annotation_kind kind,
                               struct str query, struct arena *a, struct str **items, size_t *count,
                               struct error *err)
{
    uint64_t more = set->beyond[kind];
    struct str *texts = arena_calloc(a, ANNOTATIONS_SHOWN + 1, sizeof(*texts));
    if (!texts) return arena_error(a, err);
    *items = texts;
    *count = 0;
    for (size_t i = 0; i < set->list.count; i++) {
        if (set->list.items[i].kind != kind) continue;
        if (*count == ANNOTATIONS_SHOWN) {
            more++;
            continue;
        }
        struct str text = render_one(&set->list.items[i], query, a);
        if (!text.data) return arena_error(a, err);
        texts[(*count)++] = text;
    }
    if (!more) return OK;
    struct str text = arena_printf(a, "%llu more %s annotations omitted", (unsigned long long)more,
                                   kind == ANNOTATION_WARNING ? "warning" : "info");
    if (!text.data) return arena_error(a, err);
    texts[(*count)++] = text;
    return OK;
}

enum status annotations_render(const struct annotation_set *set, struct str query, struct arena *a,
                               struct annotations *out, struct error *err)
{
    *out = (struct annotations){0};
    if (!set->list.count) return OK;
    enum status st =
        render_kind(set, ANNOTATION_WARNING, query, a, &out->warnings, &out->warning_count, err);
    if (!st) st = render_kind(set, ANNOTATION_INFO, query, a, &out->infos, &out->info_count, err);
    return st;
}
