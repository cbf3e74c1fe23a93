/*
 * bytes - an array of bytes that grows, filled with zeros where nothing was written.
 */
#ifndef HEARTH_TESTS_SIM_BYTES_H
#define HEARTH_TESTS_SIM_BYTES_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

struct bytes {
    uint8_t *data;
    size_t size;
    size_t capacity;
};

static inline void bytes_resize(struct bytes *b, size_t size)
{
    if (size > b->capacity) {
        b->capacity = size * 2;
        b->data = realloc(b->data, b->capacity);
        ASSERT(b->data);
    }
    if (size > b->size) memset(b->data + b->size, 0, size - b->size);
    b->size = size;
}

static inline void bytes_write(struct bytes *b, size_t offset, const void *data, size_t size)
{
    if (size == 0) return;
    if (offset + size > b->size) bytes_resize(b, offset + size);
    memcpy(b->data + offset, data, size);
}

static inline void bytes_release(struct bytes *b)
{
    free(b->data);
    *b = (struct bytes){0};
}

static inline void bytes_copy(struct bytes *to, const struct bytes *from)
{
    bytes_resize(to, 0);
    bytes_write(to, 0, from->data, from->size);
}

#endif
