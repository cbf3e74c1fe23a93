/* engine - parse, check, prepare, evaluate. */
#include "promql/engine.h"

#include "base/clock.h"
#include "promql/answer.h"
#include "promql/duration_expr.h"
#include "promql/eval.h"
#include "promql/parser.h"
#include "promql/prepare.h"
#include "promql/printer.h"

struct engine_options engine_options_default(void)
{
    return (struct engine_options){
        .lookback_ms = INT64_C(5) * 60 * 1000,
        .samples_max = 50000000,
        .default_step_ms = INT64_C(60) * 1000,
        .threads_max = 1,
        .part_series = 2048,
    };
}

static enum status parse(const struct engine *engine, struct query *q, struct error *err)
{
    struct ast *tree;
    enum status st = parse_expr(q->text, &engine->options.syntax, q->arena, &tree, err);
    if (st == ERR_INVALID) return error_wrap(err, "invalid parameter \"query\": ");
    if (st) return st;
    q->tree = tree;
    if (q->step_ms == 0) return OK;
    enum value_type type = q->tree->type;
    if (type == VALUE_SCALAR || type == VALUE_VECTOR) return OK;
    return error_set(err, ERR_INVALID,
                     "invalid parameter \"query\": invalid expression type \"%s\" for range query, "
                     "must be Scalar or instant Vector",
                     value_type_words(type));
}

/* As far as text and times tell. */
static bool may_be_quick(const struct query *q)
{
    for (size_t i = 1; i < q->text.size; i++)
        if (q->text.data[i] == '~') return false; /* compiling the pattern is work already */
    return q->text.size <= QUICK_TEXT_BYTES &&
           (q->step_ms == 0 || (q->end_ms - q->start_ms) / q->step_ms < QUICK_STEPS);
}

static enum status prepare(struct query *q, struct error *err)
{
    struct prepare_times times = {
        .start_ms = q->start_ms, .end_ms = q->end_ms, .step_ms = q->step_ms};
    struct duration_context context = {.step_ms = q->step_ms, .range_ms = q->end_ms - q->start_ms};
    enum status st = ast_resolve_durations(q->tree, context, err);
    if (st == ERR_INVALID) return error_wrap(err, "invalid parameter \"query\": ");
    return st ? st : prepare_tree(&q->tree, &times, q->arena, err);
}

static enum status count_steps(struct query *q, struct error *err)
{
    if (!q->counts_steps || q->step_ms == 0) return OK;
    q->stats.queryable_by_step = arena_calloc(q->arena, query_steps(q), sizeof(uint64_t));
    return q->stats.queryable_by_step ? OK : arena_error(q->arena, err);
}

enum status query_run(const struct engine *engine, struct query *query, struct error *err)
{
    int64_t began_ns = clock_mono_ns();
    query->querier = NULL;
    query->tree = NULL;
    query->value = (struct value){0};
    query->annotations = (struct annotations){0};
    query->stats = (struct query_stats){0};
    query->explained = (struct explained_list){0};
    query->gave_up = false;

    if (query->step_ms < 0 || query->end_ms < query->start_ms)
        return error_set(err, ERR_INVALID, "end timestamp must not be before start time");
    if (query->quick && !may_be_quick(query)) return query_give_up(query, err);
    enum status st = parse(engine, query, err);
    if (!st) st = prepare(query, err);
    int64_t parsed_ns = clock_mono_ns();
    query->stats.parse_ns = parsed_ns - began_ns;
    if (!st) st = querier_open(engine->db, query->arena, &query->querier, err);
    if (st) return st;

    struct eval ev = {
        .engine = engine,
        .query = query,
        .querier = query->querier,
        .arena = query->arena,
        .lookback_ms = query->lookback_ms ? query->lookback_ms : engine->options.lookback_ms,
        .scope = query->tree,
        .delays_names = engine->options.delayed_name_removal,
        .tally = {.users = 1, .repeats = 1},
    };
    st = count_steps(query, err);
    if (!st) st = answer_query(&ev, err);
    if (!st)
        st = annotations_render(&ev.notes, query->text, query->arena, &query->annotations, err);
    query->stats.eval_ns = clock_mono_ns() - parsed_ns;
    return st;
}

void query_finish(struct query *query)
{
    if (query->querier) querier_close(query->querier);
    if (query->tree) ast_release(query->tree);
    query->querier = NULL;
    query->tree = NULL;
}
