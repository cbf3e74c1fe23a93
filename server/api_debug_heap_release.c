/*
 * api_debug_heap_release - free memory goes back to the system now, not when it is due.
 *
 * In steps, each as short as any other work of the scavenger: whoever allocates meanwhile waits for
 * no more than he would at any other time. What threads keep at hand goes first, but for those that
 * are in the middle of something.
 */
#include "base/clock.h"
#include "server/api.h"
#include "server/heap_view.h"
#include "server/hearth.h"
#include "server/params.h"
#include "server/query_json.h"

/* Until so many bytes are gone, there are no more, or the request has run out of time. */
static uint64_t release(struct hearth *h, uint64_t bytes, int64_t deadline_ns)
{
    uint64_t gone = 0;
    uint64_t step = 1;
    int64_t before_ns = clock_thread_cpu_ns();
    heap_flush_all();
    while (step > 0 && gone < bytes && clock_mono_ns() < deadline_ns) {
        uint64_t left = bytes - gone;
        step = heap_scavenge(left < SCAVENGE_STEP_BYTES ? left : SCAVENGE_STEP_BYTES);
        gone += step;
    }
    counter_add(&h->maintenance.scavenge_ns, (uint64_t)(clock_thread_cpu_ns() - before_ns));
    counter_add(&h->maintenance.forced_releases, 1);
    return gone;
}

static void answer(struct request *req, uint64_t gone)
{
    struct json j;
    query_json_begin(&j, &req->reply.body);
    json_object_begin(&j);
    json_count(&j, "releasedBytes", gone);
    json_object_end(&j);
    query_json_end(&j, NULL);
    reply_json_done(&req->reply);
}

void api_debug_heap_release(struct request *req)
{
    struct form form;
    struct error err;
    uint64_t bytes = 0;
    if (!api_admin_allowed(req)) return;
    enum status st = params_read(req, &form, &err);
    if (!st) st = heap_view_read_bytes(&form, &bytes, &err);
    if (st)
        reply_error(&req->reply, st, &err);
    else
        answer(req, release(req->app, bytes, req->deadline_ns));
}
