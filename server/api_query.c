/* api_query - PromQL over HTTP: instant and range queries, formatting, the exemplar probe. */

#include "base/clock.h"
#include "promql/parser.h"
#include "promql/printer.h"
#include "server/api.h"
#include "server/ast_json.h"
#include "server/hearth.h"
#include "server/params.h"
#include "server/query_json.h"
#include "wire/api_time.h"

enum { RANGE_POINTS_MAX = 11000 };

static enum status warn_of_stats(struct str word, struct arena *a, struct str *out,
                                 struct error *err)
{
    *out = arena_printf(
        a,
        "value %s for parameter \"stats\" is deprecated and will be rejected in the next major "
        "release, use \"true\" or \"all\"",
        LOG_TEXT(word));
    return out->data ? OK : arena_error(a, err);
}

/* Parameters that instant and range queries share. */
static enum status read_common(struct request *req, const struct form *form, struct query *query,
                               struct query_json_options *options, struct error *err)
{
    query->text = form_get(form, STR("query"));
    query->deadline_ns = req->deadline_ns;
    query->cancelled = &req->task.cancelled;
    if (form_get(form, STR("timeout")).size > 0) {
        int64_t timeout_ms;
        enum status st = params_duration(form, "timeout", &timeout_ms, err);
        if (st) return st;
        int64_t room_ms = (query->deadline_ns - req->start_ns) / 1000000;
        if (timeout_ms < room_ms)
            query->deadline_ns = timeout_ms > 0 ? req->start_ns + timeout_ms * 1000000 : 1;
    }
    if (form_get(form, STR("lookback_delta")).size > 0) {
        struct str text = form_get(form, STR("lookback_delta"));
        enum status st = api_duration_parse(text, &query->lookback_ms, err);
        if (st) return error_wrap(err, "error parsing lookback delta duration: ");
        if (query->lookback_ms < 0) query->lookback_ms = 0; /* as absent */
    }
    struct str stats = form_get(form, STR("stats"));
    options->stats = stats.size > 0 ? QUERY_JSON_STATS : QUERY_JSON_NO_STATS;
    query->explains = str_equal(stats, STR("all"));
    if (stats.size > 0 && !query->explains && !str_equal(stats, STR("true"))) {
        enum status st = warn_of_stats(stats, &req->mem, &options->warning, err);
        if (st) return st;
    }
    query->counts_steps = query->explains && req->app->engine.options.per_step_stats;
    options->queued_ns = req->task.queued_ns;
    return OK;
}

static enum status read_instant(struct request *req, const struct form *form, struct query *query,
                                struct query_json_options *options, struct error *err)
{
    enum status st = params_count(form, "limit", 0, &options->limit, err);
    if (st) return st;
    st = params_time(form, "time", storage_now_ms(req->app->storage), &query->start_ms, err);
    if (st) return st;
    query->end_ms = query->start_ms;
    query->step_ms = 0;
    return read_common(req, form, query, options, err);
}

static enum status read_range(struct request *req, const struct form *form, struct query *query,
                              struct query_json_options *options, struct error *err)
{
    enum status st = params_count(form, "limit", 0, &options->limit, err);
    if (!st) st = params_required_time(form, "start", &query->start_ms, err);
    if (!st) st = params_required_time(form, "end", &query->end_ms, err);
    if (st) return st;
    if (query->end_ms < query->start_ms)
        return error_set(err, ERR_INVALID,
                         "invalid parameter \"end\": end timestamp must not be "
                         "before start time");
    st = params_duration(form, "step", &query->step_ms, err);
    if (st) return st;
    if (query->step_ms <= 0)
        return error_set(err, ERR_INVALID,
                         "invalid parameter \"step\": zero or negative query resolution step "
                         "widths are not accepted. Try a positive integer");
    uint64_t span_ms = (uint64_t)query->end_ms - (uint64_t)query->start_ms;
    if (span_ms / (uint64_t)query->step_ms > RANGE_POINTS_MAX)
        return error_set(err, ERR_INVALID,
                         "exceeded maximum resolution of 11,000 points per timeseries. Try "
                         "decreasing the query resolution (?step=XX)");
    return read_common(req, form, query, options, err);
}

static void count_query(struct query_counters *counters, const struct query *query, enum status st)
{
    histogram_observe_ns(&counters->prepare_time, query->stats.parse_ns);
    histogram_observe_ns(&counters->eval_time, query->stats.eval_ns);
    counter_add(&counters->samples_read, query->stats.samples_read);
    counter_add(&counters->samples_queryable, query->stats.samples_queryable);
    if (st == ERR_TOO_LARGE || st == ERR_NO_MEMORY) counter_add(&counters->refused, 1);
}

/* The engine looks at the clock only now and then: a deadline that has passed already is seen here.
 */
static enum status run(const struct hearth *h, struct query *query, struct error *err)
{
    if (clock_mono_ns() >= query->deadline_ns)
        return error_set(err, ERR_TIMEOUT, "query timed out in expression evaluation");
    return query_run(&h->engine, query, err);
}

/* The answer views the query's arena and pinned storage, so it is written out before they go. */
static void evaluate(struct request *req, struct query *query,
                     const struct query_json_options *options)
{
    struct hearth *h = req->app;
    struct arena mem;
    struct error err;
    hearth_query_arena(h, &mem);
    query->arena = &mem;
    query->quick = req->tries;
    enum status st = run(h, query, &err);
    if (query->gave_up) {
        req->gave_up = true;
        query_finish(query);
        arena_release(&mem);
        return;
    }
    /* A text that is too long or too deep to parse is a bad query, not one that failed. */
    if (st == ERR_TOO_LARGE && !query->tree) {
        error_wrap(&err, "invalid parameter \"query\": ");
        st = ERR_INVALID;
    }
    count_query(&h->queries, query, st);
    counter_add(&h->queries.at_once, req->tries);
    if (st) {
        reply_error(&req->reply, st, &err);
    } else {
        query_json_write(&req->reply.body, query, options);
        reply_json_done(&req->reply);
    }
    query_finish(query);
    arena_release(&mem);
}

typedef enum status query_reader(struct request *req, const struct form *form, struct query *query,
                                 struct query_json_options *options, struct error *err);

static void answer(struct request *req, query_reader *read)
{
    struct form form;
    struct query query = {0};
    struct query_json_options options = {0};
    struct error err;
    enum status st = params_read(req, &form, &err);
    if (!st) st = read(req, &form, &query, &options, &err);
    if (st)
        reply_error(&req->reply, st, &err);
    else
        evaluate(req, &query, &options);
}

void api_query(struct request *req)
{
    answer(req, read_instant);
}

void api_query_range(struct request *req)
{
    answer(req, read_range);
}

/* Parse `query`; *tree is to be released. */
static enum status parse_parameter(struct request *req, const struct form *form, struct ast **tree,
                                   struct error *err)
{
    const struct parse_options *syntax = &req->app->engine.options.syntax;
    enum status st = parse_expr(form_get(form, STR("query")), syntax, &req->mem, tree, err);
    return st == ERR_INVALID ? error_wrap(err, "invalid parameter \"query\": ") : st;
}

void api_format_query(struct request *req)
{
    struct form form;
    struct error err;
    struct ast *tree;
    struct str text;
    struct json j;
    enum status st = params_read(req, &form, &err);
    if (!st) st = parse_parameter(req, &form, &tree, &err);
    if (st) {
        reply_error(&req->reply, st, &err);
        return;
    }
    st = ast_prettify(tree, PRETTY_LINE_BYTES, &req->mem, &text, &err);
    if (st) {
        reply_error(&req->reply, st, &err);
    } else {
        query_json_begin(&j, &req->reply.body);
        json_string(&j, text);
        query_json_end(&j, NULL);
        reply_json_done(&req->reply);
    }
    ast_release(tree);
}

void api_parse_query(struct request *req)
{
    struct form form;
    struct error err;
    struct ast *tree;
    enum status st = params_read(req, &form, &err);
    if (!st) st = parse_parameter(req, &form, &tree, &err);
    if (st) {
        reply_error(&req->reply, st, &err);
        return;
    }
    struct buf *body = &req->reply.body;
    buf_append_str(body, STR("{\"status\":\"success\",\"data\":"));
    ast_json_write(body, tree);
    buf_append_byte(body, '}');
    reply_json_done(&req->reply);
    ast_release(tree);
}

/* No exemplars are kept: a query that parses has none. */
void api_query_exemplars(struct request *req)
{
    struct form form;
    struct error err;
    struct ast *tree;
    struct json j;
    int64_t start_ms;
    int64_t end_ms;
    enum status st = params_read(req, &form, &err);
    if (!st) st = params_time(&form, "start", API_TIME_MIN_MS, &start_ms, &err);
    if (!st) st = params_time(&form, "end", API_TIME_MAX_MS, &end_ms, &err);
    if (!st && end_ms < start_ms)
        st = error_set(&err, ERR_INVALID, "end timestamp must not be before start timestamp");
    if (!st)
        st = parse_expr(form_get(&form, STR("query")), &req->app->engine.options.syntax, &req->mem,
                        &tree, &err);
    if (st) {
        reply_error(&req->reply, st, &err);
        return;
    }
    ast_release(tree);
    query_json_begin(&j, &req->reply.body);
    json_array_begin(&j);
    json_array_end(&j);
    query_json_end(&j, NULL);
    reply_json_done(&req->reply);
}
