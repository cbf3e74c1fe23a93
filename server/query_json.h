/*
 * query_json - answers in Prometheus' envelope:
 *
 *     {"status":"success","data":{"resultType":"vector","result":[...]},"warnings":[...]}
 *
 * Everything but the status is left out when empty; results are [], never null.
 */
#ifndef HEARTH_SERVER_QUERY_JSON_H
#define HEARTH_SERVER_QUERY_JSON_H

#include "promql/engine.h"
#include "wire/json.h"

/* {"status":"success","data":   - one value is to follow - and the rest of the envelope. */
void query_json_begin(struct json *j, struct buf *out);
void query_json_end(struct json *j, const struct annotations *annotations);

/* The warning of an answer that was cut at the limit that the request set. */
#define QUERY_JSON_TRUNCATED STR("results truncated due to limit")

/* With explained nodes when the query has them. */
enum query_json_stats { QUERY_JSON_NO_STATS, QUERY_JSON_STATS };

struct query_json_options {
    uint64_t limit; /* of series; 0: all */
    enum query_json_stats stats;
    struct str warning; /* about the request; may be empty */
    int64_t queued_ns;
};

/* The complete envelope of a query's answer. Cut at the limit with a warning. */
void query_json_write(struct buf *out, const struct query *query,
                      const struct query_json_options *options);

#endif
