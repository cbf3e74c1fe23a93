/*
 * buf - bytes that grow, with a named ceiling (the idea of curl's dynbuf).
 *
 * Failure is sticky: after the first refusal every append is a no-op and buf_status tells why, so
 * that a writer of many small pieces checks once, at the end.
 *
 * Threads: one at a time.
 */
#ifndef HEARTH_ALLOC_BUF_H
#define HEARTH_ALLOC_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "alloc/heap.h"
#include "base/error.h"
#include "base/str.h"

struct buf {
    uint8_t *data; /* heap; owned; NULL while capacity is 0 */
    size_t size;
    size_t capacity;
    size_t ceiling_bytes;
    enum heap_tag tag;
    enum status refused; /* sticky: ERR_TOO_LARGE or ERR_NO_MEMORY; OK so far otherwise */
};

/* Empty; takes no memory yet. */
void buf_init(struct buf *b, enum heap_tag tag, size_t ceiling_bytes);
/* Give the memory back; as after buf_init. */
void buf_release(struct buf *b);
/* Empty, failure forgotten, capacity kept. */
void buf_reset(struct buf *b);

/* Room for size more bytes behind the end: the address to write at, NULL when refused. The caller
 * writes there and then adds to b->size. What is behind them is poisoned under ASan. */
MUST_USE uint8_t *buf_reserve(struct buf *b, size_t size);

/* The room that is there already: the address to write at as after buf_reserve, and how much. */
uint8_t *buf_room(struct buf *b, size_t *size);

void buf_append(struct buf *b, const void *data, size_t size);
void buf_append_str(struct buf *b, struct str text);
void buf_append_byte(struct buf *b, uint8_t byte);
PRINTF_LIKE(2, 3) void buf_printf(struct buf *b, const char *format, ...);

/* OK, or the sticky refusal with its words. */
enum status buf_status(const struct buf *b, struct error *err);

#if HEARTH_DEBUG && !defined(PLACE_OF_CALLER)
#    define buf_reserve(b, size)      (HEAP_PLACE(), buf_reserve(b, size))
#    define buf_append(b, data, size) (HEAP_PLACE(), buf_append(b, data, size))
#    define buf_append_str(b, ...)    (HEAP_PLACE(), buf_append_str(b, __VA_ARGS__))
#    define buf_append_byte(b, byte)  (HEAP_PLACE(), buf_append_byte(b, byte))
#    define buf_printf(b, ...)        (HEAP_PLACE(), buf_printf(b, __VA_ARGS__))
#endif

#endif
