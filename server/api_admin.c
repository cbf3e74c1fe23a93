/*
 * api_admin - what Prometheus has behind --web.enable-admin-api.
 *
 * A snapshot is the same: a folder under DATA/snapshots that a server can be started on. Series
 * cannot be deleted: samples go with their window, and there is nothing like a tombstone.
 */
#include "base/clock.h"
#include "base/thread.h"
#include "server/api.h"
#include "server/hearth.h"
#include "server/params.h"
#include "server/query_json.h"

enum { RETRY_MS = 20 };

bool api_admin_allowed(struct request *req)
{
    if (req->app->config.web_admin) return true;
    reply_api_error(&req->reply, 503, "unavailable", STR("admin APIs disabled"));
    return false;
}

/* As Go's ParseBool. */
static enum status read_flag(const struct form *form, const char *name, bool *out,
                             struct error *err)
{
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const no[] = {"", "0", "f", "F", "false", "FALSE", "False"};
    struct str text = form_get(form, str_from(name));
    for (size_t i = 0; i < ARRAY_COUNT(yes); i++)
        if (str_equal(text, str_from(yes[i]))) {
            *out = true;
            return OK;
        }
    for (size_t i = 0; i < ARRAY_COUNT(no); i++)
        if (str_equal(text, str_from(no[i]))) {
            *out = false;
            return OK;
        }
    return error_set(err, ERR_INVALID, "invalid parameter \"%s\": unable to parse boolean \"%.*s\"",
                     name, STR_ARG(text));
}

/* The one that is being taken at its interval is waited for. */
static enum status take(struct request *req, bool skip_head, char name[BACKUP_NAME_BYTES],
                        struct error *err)
{
    struct hearth *h = req->app;
    enum status st;
    while ((st = durability_backup(h->durability, h->storage, skip_head, name, err)) ==
               ERR_CONFLICT &&
           clock_mono_ns() < req->deadline_ns)
        thread_sleep_ms(RETRY_MS);
    return st == ERR_CONFLICT ? error_set(err, ERR_TIMEOUT, "%s", err->text) : st;
}

void api_admin_snapshot(struct request *req)
{
    char name[BACKUP_NAME_BYTES];
    struct form form;
    struct error err;
    struct json j;
    bool skip_head = false;
    if (!api_admin_allowed(req)) return;
    enum status st = params_read(req, &form, &err);
    if (!st) st = read_flag(&form, "skip_head", &skip_head, &err);
    if (!st) st = take(req, skip_head, name, &err);
    if (st) {
        reply_error(&req->reply, st, &err);
        return;
    }
    query_json_begin(&j, &req->reply.body);
    json_object_begin(&j);
    json_text(&j, "name", str_from(name));
    json_object_end(&j);
    query_json_end(&j, NULL);
    reply_json_done(&req->reply);
}

void api_admin_delete_series(struct request *req)
{
    if (!api_admin_allowed(req)) return;
    reply_api_error(&req->reply, 501, "not_implemented",
                    STR("series cannot be deleted: samples go when their window expires, all else "
                        "with them"));
}

/* Nothing is ever marked as deleted, so all that was is gone already. */
void api_admin_clean_tombstones(struct request *req)
{
    if (api_admin_allowed(req)) reply_empty(&req->reply);
}
