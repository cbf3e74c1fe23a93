/* routes - one row per endpoint; matching is a walk over the table, which is short. */
#include "server/routes.h"

#include <stdio.h>

#include "base/assert.h"
#include "server/api.h"

#define READ      (HTTP_GET | HTTP_POST)
#define PROBE     (HTTP_GET | HTTP_HEAD)
#define LIFECYCLE (HTTP_POST | HTTP_PUT)
#define ADMIN     (HTTP_POST | HTTP_PUT)
#define API       ROUTE_API
#define API_SLOW  (ROUTE_API | ROUTE_POOLED)
#define API_QUERY (ROUTE_API | ROUTE_POOLED | ROUTE_QUICK)
#define EARLY     ROUTE_WHEN_STARTING

static const struct route routes[] = {
    {"/api/v1/write", HTTP_POST, ROUTE_LOGGED, api_write},
    {"/api/v1/query", READ, API_QUERY, api_query},
    {"/api/v1/query_range", READ, API_QUERY, api_query_range},
    {"/api/v1/query_exemplars", READ, API, api_query_exemplars},
    {"/api/v1/format_query", READ, API, api_format_query},
    {"/api/v1/parse_query", READ, API, api_parse_query},
    {"/api/v1/series", READ, API_SLOW, api_series},
    {"/api/v1/labels", READ, API_SLOW, api_labels},
    {"/api/v1/label/:name/values", HTTP_GET, API_SLOW, api_label_values},
    {"/api/v1/metadata", HTTP_GET, API, api_metadata},
    {"/api/v1/rules", HTTP_GET, API, api_rules},
    {"/api/v1/alerts", HTTP_GET, API, api_alerts},
    {"/api/v1/alertmanagers", HTTP_GET, API, api_alertmanagers},
    {"/api/v1/targets", HTTP_GET, API, api_targets},
    {"/api/v1/targets/metadata", HTTP_GET, API, api_target_metadata},
    {"/api/v1/scrape_pools", HTTP_GET, API, api_scrape_pools},
    {"/api/v1/status/buildinfo", HTTP_GET, API, api_status_buildinfo},
    {"/api/v1/status/runtimeinfo", HTTP_GET, API, api_status_runtimeinfo},
    {"/api/v1/status/config", HTTP_GET, API, api_status_config},
    {"/api/v1/status/flags", HTTP_GET, API, api_status_flags},
    {"/api/v1/status/tsdb", HTTP_GET, API_SLOW, api_status_tsdb},
    {"/api/v1/status/walreplay", HTTP_GET, API | EARLY, api_status_walreplay},
    {"/api/v1/status/active_queries", HTTP_GET, API, api_active_queries},
    {"/api/v1/admin/queries/kill", ADMIN, API, api_admin_kill_query},
    {"/api/v1/admin/tsdb/snapshot", ADMIN, API_SLOW, api_admin_snapshot},
    {"/api/v1/admin/tsdb/delete_series", ADMIN, API, api_admin_delete_series},
    {"/api/v1/admin/tsdb/clean_tombstones", ADMIN, API, api_admin_clean_tombstones},
    {"/metrics", HTTP_GET, EARLY, api_metrics},
    {"/federate", HTTP_GET, ROUTE_POOLED, api_federate},
    {"/debug/heap", HTTP_GET, API | EARLY, api_debug_heap},
    {"/debug/heap/release", HTTP_POST, ROUTE_POOLED, api_debug_heap_release},
    {"/", PROBE, 0, api_root},
    {"/-/healthy", PROBE, EARLY, api_healthy},
    {"/-/ready", PROBE, 0, api_ready},
    {"/-/quit", LIFECYCLE, EARLY, api_quit},
    {"/-/reload", LIFECYCLE, 0, api_reload},
};

static struct str cut_segment(struct str *rest)
{
    const char *slash = rest->size ? memchr(rest->data, '/', rest->size) : NULL;
    size_t size = slash ? (size_t)(slash - rest->data) : rest->size;
    struct str segment = {rest->data, size};
    size_t step = size + (slash != NULL);
    *rest = (struct str){rest->data + step, rest->size - step};
    return segment;
}

static bool pattern_matches(struct str pattern, struct str path, struct str *value)
{
    const char *colon = memchr(pattern.data, ':', pattern.size);
    if (!colon) return str_equal(pattern, path);
    size_t slashes = 0;
    for (size_t i = 0; i < pattern.size; i++)
        slashes += pattern.data[i] == '/';
    for (size_t i = 0; i < path.size; i++)
        slashes -= path.data[i] == '/';
    if (slashes != 0) return false;
    while (pattern.size > 0) {
        struct str expected = cut_segment(&pattern);
        struct str segment = cut_segment(&path);
        bool variable = expected.size > 0 && expected.data[0] == ':';
        if (variable && segment.size == 0) return false;
        if (!variable && !str_equal(expected, segment)) return false;
        if (variable) *value = segment;
    }
    return true;
}

const struct route *routes_find(struct str path, struct str *value)
{
    *value = (struct str){0};
    for (size_t i = 0; i < ARRAY_COUNT(routes); i++)
        if (pattern_matches(str_from(routes[i].pattern), path, value)) return &routes[i];
    return NULL;
}

size_t routes_count(void)
{
    return ARRAY_COUNT(routes);
}

const struct route *routes_at(size_t index)
{
    return &routes[index];
}

size_t routes_index(const struct route *route)
{
    return (size_t)(route - routes);
}

bool routes_have_options(struct str path)
{
    return str_starts_with(path, STR("/api/v1/"));
}

void routes_allow(const struct route *route, char out[ROUTES_ALLOW_BYTES])
{
    static const struct {
        unsigned method;
        const char *name;
    } names[] = {{HTTP_GET, "GET"},
                 {HTTP_HEAD, "HEAD"},
                 {HTTP_POST, "POST"},
                 {HTTP_PUT, "PUT"},
                 {HTTP_OPTIONS, "OPTIONS"}};
    bool has_options = routes_have_options(str_from(route->pattern));
    unsigned methods = route->methods | (has_options ? (unsigned)HTTP_OPTIONS : 0);
    size_t size = 0;
    out[0] = '\0';
    for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
        if (!(methods & names[i].method)) continue;
        size += (size_t)snprintf(out + size, ROUTES_ALLOW_BYTES - size, "%s%s", size ? ", " : "",
                                 names[i].name);
        ASSERT(size < ROUTES_ALLOW_BYTES);
    }
}
