/*
 * status - the vocabulary of failure: what a caller may do about it, in one word.
 *
 * Words for people travel beside it in a struct error (base/error.h). Only server/reply.c maps a
 * status to an HTTP code and a log level.
 */
#ifndef HEARTH_BASE_STATUS_H
#define HEARTH_BASE_STATUS_H

#include "base/compiler.h"

enum status {
    OK = 0,
    ERR_INVALID,      /* the input is wrong; asking again with the same input is useless */
    ERR_TOO_LARGE,    /* a named ceiling was reached */
    ERR_NOT_FOUND,    /* the thing asked for does not exist */
    ERR_CONFLICT,     /* it exists already, differently */
    ERR_OUT_OF_RANGE, /* a timestamp outside what is retained or tolerated */
    ERR_NO_MEMORY,    /* the memory limit; later it may succeed */
    ERR_TIMEOUT,      /* the deadline passed */
    ERR_CANCELLED,    /* someone asked to stop */
    ERR_UNAVAILABLE,  /* not now (starting, stopping, disk refuses); later it may succeed */
    ERR_CORRUPT,      /* bytes that should be ours are damaged */
    ERR_IO,           /* the operating system refused; the text says what */
    ERR_UNSUPPORTED,  /* well formed, but not something this version does */
    STATUS_COUNT
};

/* The status as a lower-case word, "ok", "too_large"; static storage. */
const char *status_name(enum status st);

#endif
