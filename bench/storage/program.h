/*
 * program - what every program here starts with: its options, its CPU time, and the end when
 * something is refused.
 */
#ifndef HEARTH_BENCH_STORAGE_PROGRAM_H
#define HEARTH_BENCH_STORAGE_PROGRAM_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"

/* Of the calling thread. */
static inline double cpu_s(void)
{
    return (double)clock_thread_cpu_ns() * 1e-9;
}

static inline void must(enum status st, const struct error *err)
{
    if (!st) return;
    fprintf(stderr, "%s\n", err->text);
    exit(1);
}

/* The number behind name= among the arguments. */
static inline unsigned option(int argc, char **argv, const char *name, unsigned fallback)
{
    size_t length = strlen(name);
    for (int i = 1; i < argc; i++)
        if (strncmp(argv[i], name, length) == 0 && argv[i][length] == '=')
            return (unsigned)strtoul(argv[i] + length + 1, NULL, 10);
    return fallback;
}

#endif
