/*
 * routes - the table of paths and methods: which handler answers what.
 *
 * A pattern is literal but for one segment ":name", which matches any one non-empty segment. The
 * handler's name on /metrics is its pattern.
 *
 * Threads: constant data.
 */
#ifndef HEARTH_SERVER_ROUTES_H
#define HEARTH_SERVER_ROUTES_H

#include "server/http.h"

enum {
    ROUTE_POOLED = 1,        /* runs on the query pool: may take long */
    ROUTE_WHEN_STARTING = 2, /* also answered before recovery has finished */
    ROUTE_API = 4,           /* Prometheus' API conventions: CORS, compression */
    ROUTE_QUICK = 8,  /* of pooled ones: may be little work, is tried at once (request.tries) */
    ROUTE_LOGGED = 16 /* waits for the log: on the writers' threads, when there are any */
};

struct route {
    const char *pattern;
    unsigned methods; /* enum http_method, or-ed */
    unsigned flags;
    void (*handle)(struct request *req);
};

/* The route of a path, NULL when there is none; *value views the variable segment. The methods of
 * the route are not looked at. */
const struct route *routes_find(struct str path, struct str *value);

/* All routes; the index of one of them. */
size_t routes_count(void);
const struct route *routes_at(size_t index);
size_t routes_index(const struct route *route);

/* Of the API, every path can be asked for its options, also those that have no route. */
bool routes_have_options(struct str path);

/* "GET, OPTIONS": the value of an Allow header, at most ROUTES_ALLOW_BYTES with its NUL. */
enum { ROUTES_ALLOW_BYTES = 48 };
void routes_allow(const struct route *route, char out[ROUTES_ALLOW_BYTES]);

#endif
