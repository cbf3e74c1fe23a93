/*
 * dispatch - from a request to its handler: readiness, routes, methods, CORS, the query pool,
 * compression, counting. The callbacks that server/http.h asks for.
 */
#ifndef HEARTH_SERVER_DISPATCH_H
#define HEARTH_SERVER_DISPATCH_H

#include "server/http.h"

struct http_callbacks dispatch_callbacks(void);

#endif
