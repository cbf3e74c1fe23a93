/*
 * self_scrape - our own metrics as samples in our own store, as if a Prometheus had scraped us.
 *
 * Labels job="prometheus" and instance=<listen address> are added, and the series that every scrape
 * has: up, scrape_duration_seconds, scrape_samples_scraped, ... The first scrape is at once, so
 * that a fresh start already answers `up`.
 *
 * Threads: a ticker of its own; last() from any thread.
 */
#ifndef HEARTH_SERVER_SELF_SCRAPE_H
#define HEARTH_SERVER_SELF_SCRAPE_H

#include "base/counter.h"
#include "server/ticker.h"

struct hearth;

enum { SELF_SCRAPE_ARENA_BYTES_MAX = 8 << 20 };

struct self_scrape {
    struct hearth *app;
    struct ticker ticker;
    uint64_t sample_count;   /* of the last scrape; the ticker's own */
    struct gauge last_ms;    /* wall time of the last scrape; 0: none yet */
    struct gauge last_ns;    /* how long it took */
    struct counter failures; /* samples were not all stored */
};

/* s is zeroed. Does nothing when the interval is 0. */
MUST_USE enum status self_scrape_start(struct self_scrape *s, struct hearth *app,
                                       struct error *err);
void self_scrape_stop(struct self_scrape *s);

#endif
