/*
 * hearth - the process put together: what exists, in the order in which it is opened.
 *
 *     memory limit -> storage -> data folder -> query pool -> HTTP (answers 503)
 *       -> recovery -> journal -> ready -> background threads
 *
 * Closing is the same in reverse, with a snapshot before the data folder goes.
 *
 * Threads: open, run and close from main; the rest as their modules say.
 */
#ifndef HEARTH_SERVER_HEARTH_H
#define HEARTH_SERVER_HEARTH_H

#include <stdatomic.h>

#include "model/regex.h"
#include "promql/crew.h"
#include "promql/engine.h"
#include "server/config.h"
#include "server/http.h"
#include "server/maintenance.h"
#include "server/query_pool.h"
#include "server/self_scrape.h"
#include "server/traffic.h"
#include "server/write_counters.h"
#include "snapshot/durability.h"
#include "storage/storage.h"

enum hearth_state { HEARTH_STARTING, HEARTH_READY, HEARTH_STOPPING };

/* Of one write request or the like: the decoded body and what it swells to. */
#define HEARTH_REQUEST_ARENA_BYTES_MAX (UINT64_C(256) << 20)

struct query_counters {
    struct histogram prepare_time; /* parsing */
    struct histogram eval_time;
    struct counter samples_read;
    struct counter samples_queryable;
    struct counter at_once; /* answered by the thread that had the request, without the pool */
    struct counter refused; /* by a ceiling: samples, memory, size of the answer */
};

struct hearth {
    struct config config;
    _Atomic int state; /* enum hearth_state */
    int64_t start_ms;  /* wall time */
    uint64_t memory_limit_bytes;
    uint64_t query_arena_bytes; /* when memory is not short */
    struct storage *storage;
    struct durability *durability;
    struct engine engine;
    struct regex *cors_origin; /* of origins that are allowed */
    struct query_pool *pool;
    struct query_pool *writers; /* for requests that wait for a sync; NULL: they do not */
    struct crew *crew;          /* the engine's */
    struct http *http;
    struct maintenance maintenance;
    struct self_scrape self_scrape;
    struct traffic traffic;
    struct write_counters writes;
    struct query_counters queries;
};

/* Everything but the data: ERR_UNAVAILABLE (port taken, folder locked), ERR_IO, ERR_NO_MEMORY,
 * ERR_INVALID. The HTTP server answers from here on. */
MUST_USE enum status hearth_open(const struct config *config, struct hearth **out,
                                 struct error *err);
/* Load the data, then serve. Nothing to undo but hearth_close when it fails. */
MUST_USE enum status hearth_recover(struct hearth *h, struct error *err);
/* Refuse new requests, finish the running ones, take a snapshot when recovery was through. */
void hearth_close(struct hearth *h);

/* An arena for a query that starts now: with what it may take, leaving to writes what is theirs. */
void hearth_query_arena(const struct hearth *h, struct arena *a);

#endif
