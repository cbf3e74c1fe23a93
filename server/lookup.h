/*
 * lookup - one question about which series there are: match[], start, end and limit of a request,
 * and the pinned storage that answers it.
 *
 *     lookup_open -> lookup_series -> lookup_close, whatever open said
 *
 * Threads: one at a time.
 */
#ifndef HEARTH_SERVER_LOOKUP_H
#define HEARTH_SERVER_LOOKUP_H

#include "server/params.h"
#include "storage/querier.h"

struct lookup {
    struct arena mem; /* HEAP_QUERY */
    struct form form;
    struct params_selectors selectors;
    struct querier *querier;
    int64_t start_ms;
    int64_t end_ms;
    uint64_t limit; /* 0: none */
};

/* Statuses as those of server/params.h and querier_open. */
MUST_USE enum status lookup_open(struct request *req, struct lookup *l, struct error *err);
void lookup_close(struct lookup *l);

/* The request for one selector; without any, the one for everything. */
struct select_request lookup_request(const struct lookup *l, size_t index);
/* The series of all selectors, sorted by labels, without doubles. As querier_select, and
 * ERR_CANCELLED. */
MUST_USE enum status lookup_series(struct request *req, struct lookup *l, struct selection *out,
                                   struct error *err);
/* ERR_CANCELLED when nobody waits for the answer any more. */
MUST_USE enum status lookup_check_alive(const struct request *req, struct error *err);

#endif
