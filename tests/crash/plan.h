/*
 * plan - what the requests of a crash test hold: a pure function of seed and number, so that a
 * ledger of them needs no more than a state per request, and any sample that a server shows can be
 * traced back to the one request that may have brought it.
 *
 * Time goes on by PLAN_STEP_MS a request. Of a step's milliseconds the first ones belong to the
 * request of that number, for as many samples of each of its series as it brings; the second half
 * belongs to later requests that are late by plan_lateness[r], with one sample each:
 *
 *     start + number * STEP + j            sample j of request `number`, in order
 *     start + slot * STEP + STEP/2 + r     the sample of request `slot + plan_lateness(r)`
 *
 * A request belongs to a group of series; its series are a stretch of the group's, which moves on:
 * new ones come, old ones end.
 */
#ifndef HEARTH_TESTS_CRASH_PLAN_H
#define HEARTH_TESTS_CRASH_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PLAN_STEP_MS = 64,
    PLAN_LATE = PLAN_STEP_MS / 2, /* distances */
    PLAN_SAMPLES_MAX = 8,         /* of one series in a request */
    PLAN_LABELS_BYTES_MAX = 256
};

struct plan {
    uint64_t seed;
    int64_t start_ms;  /* of request 0; a multiple of PLAN_STEP_MS */
    uint32_t groups;   /* one after the other */
    uint32_t series;   /* in a request */
    uint32_t churn;    /* requests of a group until some of its series are replaced; 0: never */
    uint32_t late_max; /* the furthest distance, in requests */
};

struct batch {
    uint32_t number;
    uint32_t group;
    uint32_t first_series; /* of the group's */
    uint32_t series;
    uint32_t samples; /* of each series, a millisecond apart */
    int64_t t_ms;     /* of the first */
};

struct batch plan_batch(const struct plan *p, uint32_t number);

/* The request that may hold a sample at t_ms, and which of its samples it is; false: none. */
bool plan_trace(const struct plan *p, int64_t t_ms, struct batch *out, uint32_t *sample);

/* Counters, constants, -0, any finite double, decimals, infinities, NaN; `variant` 1 is a value
 * that contradicts 0's. */
double plan_value(const struct batch *b, uint32_t series, uint32_t sample, uint32_t variant);

/* The labels of a series as fields of a TimeSeries message; returns how many bytes. */
size_t plan_labels(uint8_t out[PLAN_LABELS_BYTES_MAX], uint32_t group, uint32_t series);

/* A WriteRequest with all samples of a batch: malloc'ed, snappy-compressed. */
void *plan_body(const struct batch *b, uint32_t variant, size_t *size);

#endif
