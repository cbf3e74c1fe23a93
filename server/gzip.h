/*
 * gzip - bodies made smaller: the one door to zlib. Its memory is taken from our heap.
 */
#ifndef HEARTH_SERVER_GZIP_H
#define HEARTH_SERVER_GZIP_H

#include "alloc/buf.h"

/* Append the gzip form of data to out. ERR_NO_MEMORY, ERR_TOO_LARGE: out holds part of it. */
MUST_USE enum status gzip_encode(const uint8_t *data, size_t size, struct buf *out,
                                 struct error *err);

#endif
