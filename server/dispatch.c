/* dispatch - what happens around every handler. */
#include "server/dispatch.h"

#include "base/clock.h"
#include "server/hearth.h"
#include "server/params.h"
#include "server/routes.h"

static void add_cors(struct request *req)
{
    bool any = strcmp(req->app->config.cors_origin, ".*") == 0;
    reply_add_header(&req->reply, "Vary", "Origin");
    if (req->origin.size == 0) return;
    if (!regex_matches(req->app->cors_origin, req->origin)) return;
    reply_add_header(&req->reply, "Access-Control-Allow-Headers",
                     "Accept, Authorization, Content-Type, Origin");
    reply_add_header(&req->reply, "Access-Control-Allow-Methods", "GET, POST, OPTIONS");
    reply_add_header(&req->reply, "Access-Control-Allow-Origin", any ? "*" : req->origin.data);
    reply_add_header(&req->reply, "Access-Control-Expose-Headers", "Date");
}

static void refuse_not_ready(struct request *req, bool stopping)
{
    reply_plain_error(&req->reply, 503,
                      stopping ? "Service Unavailable: stopping"
                               : "Service Unavailable: data is being restored, "
                                 "/api/v1/status/walreplay says how far it is");
    reply_add_header(&req->reply, "X-Prometheus-Stopping", stopping ? "true" : "false");
    reply_add_header(&req->reply, "Retry-After", "5");
    req->reply.close = stopping;
}

/* Where two slashes are one, as in Prometheus: a base address often ends in one. NULL: the path has
 * none of these. */
static const char *target_with_single_slashes(struct request *req)
{
    struct str path = req->path;
    struct str query = req->query;
    char *target = arena_alloc(&req->mem, path.size + query.size + sizeof("?"));
    size_t size = 0;
    if (!target) return NULL;
    for (size_t i = 0; i < path.size; i++)
        if (i == 0 || path.data[i] != '/' || path.data[i - 1] != '/') target[size++] = path.data[i];
    if (size == path.size) return NULL;
    if (query.size > 0) {
        target[size++] = '?';
        memcpy(target + size, query.data, query.size);
        size += query.size;
    }
    target[size] = '\0';
    return target;
}

static void refuse_path(struct request *req)
{
    const char *target = target_with_single_slashes(req);
    if (!target) {
        reply_plain_error(&req->reply, 404, "404 page not found");
        return;
    }
    reply_text(&req->reply, 307, REPLY_TEXT_PLAIN, STR(""));
    reply_add_header(&req->reply, "Location", target);
}

static void refuse_method(struct request *req)
{
    static const char fallback[] = "GET";
    char allow[ROUTES_ALLOW_BYTES];
    routes_allow(req->route, allow);
    struct str kept = arena_copy(&req->mem, str_from(allow));
    reply_plain_error(&req->reply, 405, "Method Not Allowed");
    reply_add_header(&req->reply, "Allow", kept.data ? kept.data : fallback);
}

static void on_begin(struct request *req)
{
    int state = atomic_load(&req->app->state);
    req->route = routes_find(req->path, &req->path_value);
    bool early = req->route && (req->route->flags & ROUTE_WHEN_STARTING);
    if (state == HEARTH_STOPPING || (state == HEARTH_STARTING && !early)) {
        refuse_not_ready(req, state == HEARTH_STOPPING);
        return;
    }
    if (req->method == HTTP_OPTIONS && routes_have_options(req->path)) {
        add_cors(req);
        reply_empty(&req->reply);
        return;
    }
    if (!req->route) {
        refuse_path(req);
        return;
    }
    if (req->route->flags & ROUTE_API) add_cors(req);
    if (!(req->route->methods & (unsigned)req->method)) refuse_method(req);
}

static void handle(struct request *req)
{
    req->route->handle(req);
    if (req->gave_up) return;
    if (req->route->flags & ROUTE_API) reply_compress(&req->reply, req->accept_encoding);
}

static void run_task(struct query_task *task)
{
    struct request *req = task->owner;
    struct error err;
    switch (task->fate) {
    case QUERY_RUNS: handle(req); return;
    case QUERY_EXPIRED: error_set(&err, ERR_TIMEOUT, "query timed out in query queue"); break;
    case QUERY_DROPPED: error_set(&err, ERR_CANCELLED, "query was canceled in query queue"); break;
    }
    reply_error(&req->reply, err.status, &err);
}

static void task_done(struct query_task *task)
{
    http_resume(task->owner);
}

static bool task_abandoned(struct query_task *task)
{
    return http_client_gone(task->owner);
}

/* Little work is done by the thread that has the request: to hand it over and back takes longer. */
static bool is_done_at_once(struct request *req)
{
    if (!(req->route->flags & ROUTE_QUICK)) return false;
    req->tries = true;
    handle(req);
    bool done = !req->gave_up;
    req->tries = req->gave_up = false;
    return done;
}

/* Whoever waits for the disk holds up no query on a connection of the same thread; and more of them
 * share a sync. */
static bool serve_logged(struct request *req)
{
    req->task = (struct query_task){
        .owner = req, .run = run_task, .done = task_done, .abandoned = task_abandoned};
    http_park(req);
    if (query_pool_submit(req->app->writers, &req->task)) return false;
    reply_plain_error(&req->reply, 503, "too many writes are waiting for the disk");
    reply_add_header(&req->reply, "Retry-After", "1");
    http_resume(req);
    return false;
}

static bool on_serve(struct request *req)
{
    if ((req->route->flags & ROUTE_LOGGED) && req->app->writers) return serve_logged(req);
    if (!(req->route->flags & ROUTE_POOLED)) {
        handle(req);
        return true;
    }
    struct form form;
    struct error err;
    enum status st = params_read(req, &form, &err); /* before others may look at it */
    if (st) {
        reply_error(&req->reply, st, &err);
        return true;
    }
    req->deadline_ns = req->start_ns + req->app->config.query_timeout_ms * 1000000;
    req->task = (struct query_task){.owner = req,
                                    .run = run_task,
                                    .done = task_done,
                                    .abandoned = task_abandoned,
                                    .deadline_ns = req->deadline_ns};
    if (is_done_at_once(req)) return true;
    http_park(req);
    if (query_pool_submit(req->app->pool, &req->task)) return false;
    reply_api_error(&req->reply, 503, "timeout", STR("too many queries are waiting"));
    reply_add_header(&req->reply, "Retry-After", "5");
    http_resume(req);
    return false;
}

static void on_finish(struct request *req, bool sent)
{
    (void)sent;
    struct traffic *traffic = &req->app->traffic;
    if (heap_pressure() != HEAP_CALM) heap_flush_thread();
    maintenance_notice(&req->app->maintenance);
    if (!req->route) {
        counter_add(&traffic->unrouted, 1);
        return;
    }
    traffic_count(&traffic->routes[routes_index(req->route)], req->reply.code,
                  clock_mono_ns() - req->start_ns, req->reply.sent_bytes);
}

struct http_callbacks dispatch_callbacks(void)
{
    return (struct http_callbacks){.begin = on_begin, .serve = on_serve, .finish = on_finish};
}
