/*
 * heap_view - what of the heap a request to /debug/heap wants to see, and how much a request to
 * /debug/heap/release wants gone: their parameters, read and checked.
 *
 * Pure functions of a form.
 */
#ifndef HEARTH_SERVER_HEAP_VIEW_H
#define HEARTH_SERVER_HEAP_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "wire/form.h"

enum { HEAP_VIEW_PAGES_DEFAULT = 4096, HEAP_VIEW_PAGES_MAX = 65536 };

struct heap_view {
    bool spans;         /* the runs of pages in a range; else sums and blocks, of everything */
    uint32_t from, end; /* pages, end > from */
};

/* detail=spans, from=<page>, pages=<count>. ERR_INVALID names the parameter. */
MUST_USE enum status heap_view_read(const struct form *form, struct heap_view *out,
                                    struct error *err);

/* bytes=<count>; absent: UINT64_MAX, all there is. ERR_INVALID names the parameter. */
MUST_USE enum status heap_view_read_bytes(const struct form *form, uint64_t *out,
                                          struct error *err);

#endif
