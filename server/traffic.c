/* traffic - buckets as Prometheus has them for its own web server. */
#include "server/traffic.h"

#include <stddef.h>

const unsigned traffic_codes[TRAFFIC_CODES] = {200, 204, 400, 401, 403, 404, 405, 408, 409,
                                               413, 415, 417, 422, 500, 501, 503, 0};
const double traffic_duration_bounds[TRAFFIC_DURATIONS] = {0.1, 0.2, 0.4, 1, 3, 8, 20, 60, 120};

void traffic_count(struct traffic_route *route, unsigned code, int64_t duration_ns, uint64_t bytes)
{
    size_t row = 0;
    while (row < TRAFFIC_CODES - 1 && traffic_codes[row] != code)
        row++;
    counter_add(&route->requests[row], 1);

    double seconds = (double)duration_ns / 1e9;
    size_t bucket = 0;
    while (bucket < TRAFFIC_DURATIONS && seconds > traffic_duration_bounds[bucket])
        bucket++;
    counter_add(&route->durations[bucket], 1);
    counter_add(&route->duration_ns, duration_ns > 0 ? (uint64_t)duration_ns : 0);

    uint64_t bound = 100;
    size_t size = 0;
    while (size < TRAFFIC_SIZES && bytes > bound) {
        bound *= 10;
        size++;
    }
    counter_add(&route->sizes[size], 1);
    counter_add(&route->size_bytes, bytes);
}
