/*
 * feed - the requests of bench/bodies.h held in memory, and what a server does with one, without
 * network and log.
 */
#ifndef HEARTH_BENCH_STORAGE_FEED_H
#define HEARTH_BENCH_STORAGE_FEED_H

#include "alloc/arena.h"
#include "base/str.h"
#include "storage/appender.h"
#include "storage/storage.h"

/* The requests of one sample of every series, 2000 series in each. */
struct feed {
    struct str *items;
    size_t count;
    char *bytes;
};

/* The n-th sample of each series. For the life of the program. */
void feed_make(struct feed *out, unsigned series, unsigned n, int64_t start_ms, int64_t step_ms);
/* The next body of bench/bodies.h's file format; *at moves on. */
struct str feed_next(const char *bytes, size_t *at);
/* Stage the series of a decoded body, which may be known, as server/api_write.c does it; returns
 * how many samples they have. */
uint64_t feed_stage(struct appender *app, struct arena *a, struct str plain);
/* Decode, stage and commit. */
void feed_write(struct storage *db, struct arena *a, struct str body);

#endif
