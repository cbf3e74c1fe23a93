/*
 * remote_reference - remote write bodies read by protobuf-c: what wire/remote_write.h has to equal.
 *
 * Slow, and simple: the message is unpacked into a tree, and the tree is looked at.
 *
 * Threads: one at a time.
 */
#ifndef HEARTH_TESTS_REFERENCE_REMOTE_REFERENCE_H
#define HEARTH_TESTS_REFERENCE_REMOTE_REFERENCE_H

#include "wire/remote_write.h"

struct remote_reference_message; /* the unpacked protobuf */

struct remote_reference {
    struct remote_write_counts counts;              /* of the whole request */
    const struct remote_reference_message *message; /* private from here on */
    size_t next;
    struct arena *arena;
};

/* Unpack and count.
 * ERR_INVALID                    not a WriteRequest
 * ERR_TOO_LARGE, ERR_NO_MEMORY   from the arena */
MUST_USE enum status remote_reference_decode(struct remote_reference *r, struct str body,
                                             struct arena *a, struct error *err);

/* The next series as remote_write_read would leave it, message aside; false behind the last one, or
 * when the arena refuses. */
bool remote_reference_next(struct remote_reference *r, struct remote_series *out);

#endif
