/* api_metrics - /metrics: text for whoever scrapes us, OpenMetrics when asked for. */
#include "server/api.h"
#include "server/hearth.h"
#include "server/metrics.h"
#include "wire/exposition.h"

void api_metrics(struct request *req)
{
    static const char wanted[] = "application/openmetrics-text";
    struct exposition exposition;
    struct error err;
    bool open = req->accept.size > 0 &&
                memmem(req->accept.data, req->accept.size, wanted, sizeof(wanted) - 1) != NULL;
    enum exposition_format format = open ? EXPOSITION_OPENMETRICS : EXPOSITION_TEXT;
    exposition_init(&exposition, &req->reply.body, format);
    metrics_collect(req->app, &exposition.sink);
    exposition_finish(&exposition);
    enum status st = buf_status(&req->reply.body, &err);
    if (st) {
        reply_error_text(&req->reply, st, &err);
        return;
    }
    req->reply.code = 200;
    req->reply.content_type = exposition_content_type(format);
    reply_compress(&req->reply, req->accept_encoding);
}
