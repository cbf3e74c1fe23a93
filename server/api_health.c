/* api_health - is it alive, is it ready, and what is it: plain text for people and probes. */
#include <signal.h>
#include <unistd.h>

#include "server/api.h"
#include "server/hearth.h"
#include "server/version.h"

void api_healthy(struct request *req)
{
    reply_text(&req->reply, 200, REPLY_TEXT_PLAIN, STR("Prometheus Server is Healthy.\n"));
}

/* Before recovery has finished, dispatch answers 503. */
void api_ready(struct request *req)
{
    reply_text(&req->reply, 200, REPLY_TEXT_PLAIN, STR("Prometheus Server is Ready.\n"));
}

void api_root(struct request *req)
{
    static const char text[] =
        "Hearth " HEARTH_VERSION "\n"
        "\n"
        "Keeps the last hours of a monitoring system in memory: remote write in, PromQL out.\n"
        "\n"
        "/api/v1/write                Prometheus remote write\n"
        "/api/v1/query?query=up       PromQL, now\n"
        "/api/v1/query_range          PromQL over a range\n"
        "/api/v1/series, /api/v1/labels, /api/v1/label/<name>/values\n"
        "/api/v1/status/tsdb          what is held\n"
        "/api/v1/status/flags         how it was started\n"
        "/federate?match[]=up         newest samples, for a Prometheus that scrapes them\n"
        "/metrics                     numbers about itself\n"
        "/-/healthy, /-/ready         for probes\n";
    reply_text(&req->reply, 200, REPLY_TEXT_PLAIN, STR(text));
}

static bool lifecycle_allowed(struct request *req)
{
    if (req->app->config.web_lifecycle) return true;
    reply_plain_error(&req->reply, 403, "Lifecycle API is not enabled.");
    return false;
}

/* The same way as SIGTERM from outside. */
void api_quit(struct request *req)
{
    if (!lifecycle_allowed(req)) return;
    reply_text(&req->reply, 200, REPLY_TEXT_PLAIN, STR("Requesting termination... Goodbye!"));
    (void)kill(getpid(), SIGTERM);
}

/* All configuration is on the command line: there is nothing to read again. */
void api_reload(struct request *req)
{
    if (!lifecycle_allowed(req)) return;
    reply_text(&req->reply, 200, REPLY_TEXT_PLAIN, STR(""));
}
