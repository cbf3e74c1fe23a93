/*
 * traffic - what went over HTTP, counted by route: requests by code, durations, sizes.
 *
 * Threads: any, at any time.
 */
#ifndef HEARTH_SERVER_TRAFFIC_H
#define HEARTH_SERVER_TRAFFIC_H

#include <stdint.h>

#include "base/counter.h"

enum {
    TRAFFIC_ROUTES_MAX = 48,
    TRAFFIC_DURATIONS = 9, /* upper bounds, seconds: traffic_duration_bounds */
    TRAFFIC_SIZES = 8      /* upper bounds, bytes: 100, 1000 ... 10^9 */
};

/* The codes that are counted one by one; anything else is the last row. */
enum { TRAFFIC_CODES = 17 };
extern const unsigned traffic_codes[TRAFFIC_CODES];
extern const double traffic_duration_bounds[TRAFFIC_DURATIONS];

struct traffic_route {
    struct counter requests[TRAFFIC_CODES];
    struct counter durations[TRAFFIC_DURATIONS + 1]; /* [i]: in bucket i, not below it */
    struct counter duration_ns;
    struct counter sizes[TRAFFIC_SIZES + 1];
    struct counter size_bytes;
};

struct traffic {
    struct traffic_route routes[TRAFFIC_ROUTES_MAX]; /* by routes_index */
    struct counter unrouted;                         /* 404: no such path */
};

void traffic_count(struct traffic_route *route, unsigned code, int64_t duration_ns, uint64_t bytes);

#endif
