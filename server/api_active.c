/*
 * api_active - the requests on the query pool, waiting and running, and an end to one of them.
 *
 * The list has VictoriaMetrics' form. It is written under the pool's lock, which keeps the
 * requests: of each it views what was there before it was queued.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "server/api.h"
#include "server/hearth.h"
#include "server/params.h"
#include "server/query_json.h"

enum { TEXT_BYTES_MAX = 4096 }; /* of a query, the list shows */

static void write_time(struct json *j, const char *key, const struct form *form, const char *name)
{
    struct error err;
    int64_t t_ms;
    if (params_required_time(form, name, &t_ms, &err)) return; /* absent, or its answer says why */
    json_integer(j, key, t_ms);
}

static void write_parameters(struct json *j, const struct form *form)
{
    struct error err;
    int64_t step_ms;
    struct str text = form_get(form, STR("query"));
    if (text.size > TEXT_BYTES_MAX) text.size = str_whole_characters(text.data, TEXT_BYTES_MAX);
    json_text(j, "query", text);
    bool instant = form_has(form, STR("time"));
    write_time(j, "start", form, instant ? "time" : "start");
    write_time(j, "end", form, instant ? "time" : "end");
    if (params_duration(form, "step", &step_ms, &err)) return;
    json_integer(j, "step", step_ms);
}

static void write_task(void *self, const struct query_task *task, bool running)
{
    struct json *j = self;
    const struct request *req = task->owner;
    char id[24];
    char peer[LISTENER_ADDRESS_BYTES];
    char duration[32];
    int64_t age_ms = (clock_mono_ns() - req->start_ns) / 1000000;
    snprintf(id, sizeof(id), "%" PRIu64, task->id);
    snprintf(duration, sizeof(duration), "%" PRId64 ".%03ds", age_ms / 1000, (int)(age_ms % 1000));
    http_peer(req, peer);
    json_object_begin(j);
    json_text(j, "id", str_from(id));
    json_text(j, "state", running ? STR("running") : STR("queued"));
    json_text(j, "duration", str_from(duration));
    json_text(j, "remote_addr", str_from(peer));
    json_text(j, "path", req->path);
    write_parameters(j, &req->form);
    json_object_end(j);
}

void api_active_queries(struct request *req)
{
    struct json j;
    query_json_begin(&j, &req->reply.body);
    json_array_begin(&j);
    query_pool_visit(req->app->pool, write_task, &j);
    json_array_end(&j);
    query_json_end(&j, NULL);
    reply_json_done(&req->reply);
}

void api_admin_kill_query(struct request *req)
{
    struct form form;
    struct error err;
    uint64_t id = 0;
    if (!api_admin_allowed(req)) return;
    enum status st = params_read(req, &form, &err);
    if (!st) st = params_count(&form, "id", 0, &id, &err);
    if (!st && !query_pool_cancel(req->app->pool, id))
        st = error_set(&err, ERR_NOT_FOUND,
                       "no such query, it may have ended: /api/v1/status/active_queries has the "
                       "ids");
    if (st)
        reply_error(&req->reply, st, &err);
    else
        reply_empty(&req->reply);
}
