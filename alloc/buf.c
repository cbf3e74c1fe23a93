/* buf - doubling along the heap's own sizes, up to the ceiling. */
#define PLACE_OF_CALLER
#include "alloc/buf.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "alloc/memstats.h"
#include "alloc/poison.h"
#include "base/assert.h"

enum { FIRST_BYTES = 64 };

void buf_init(struct buf *b, enum heap_tag tag, size_t ceiling_bytes)
{
    *b = (struct buf){.tag = tag, .ceiling_bytes = ceiling_bytes};
}

void buf_release(struct buf *b)
{
    heap_free(b->data, b->capacity, b->tag);
    buf_init(b, b->tag, b->ceiling_bytes);
}

void buf_reset(struct buf *b)
{
    b->size = 0;
    b->refused = OK;
}

/* The capacity to ask for when `needed` (<= ceiling) do not fit. */
static size_t next_capacity(const struct buf *b, size_t needed)
{
    size_t doubled = b->capacity <= b->ceiling_bytes / 2 ? b->capacity * 2 : b->ceiling_bytes;
    if (doubled < FIRST_BYTES) doubled = FIRST_BYTES;
    return heap_good_size(doubled > needed ? doubled : needed);
}

static bool set_capacity(struct buf *b, size_t capacity)
{
    poison_show(b->data, b->capacity); /* it may be copied */
    uint8_t *data = heap_resize(b->data, b->capacity, capacity, b->tag);
    if (!data) return false;
    b->data = data;
    b->capacity = capacity;
    return true;
}

uint8_t *buf_reserve(struct buf *b, size_t size)
{
    if (b->refused) return NULL;
    if (size > b->ceiling_bytes || b->size > b->ceiling_bytes - size) {
        b->refused = ERR_TOO_LARGE;
        return NULL;
    }
    size_t needed = b->size + size;
    if (needed > b->capacity || !b->data) {
        if (needed == 0) needed = 1; /* a valid address even for nothing */
        if (!set_capacity(b, next_capacity(b, needed)) &&
            !set_capacity(b, heap_good_size(needed))) {
            b->refused = ERR_NO_MEMORY;
            return NULL;
        }
    }
    poison_show(b->data + b->size, size);
    poison_hide(b->data + needed, b->capacity - needed);
    return b->data + b->size;
}

uint8_t *buf_room(struct buf *b, size_t *size)
{
    *size = b->capacity - b->size;
    poison_show(b->data + b->size, *size);
    return b->data + b->size;
}

void buf_append(struct buf *b, const void *data, size_t size)
{
    if (size == 0) return;
    uint8_t *at = buf_reserve(b, size);
    if (!at) return;
    memcpy(at, data, size);
    b->size += size;
}

void buf_append_str(struct buf *b, struct str text)
{
    buf_append(b, text.data, text.size);
}

void buf_append_byte(struct buf *b, uint8_t byte)
{
    uint8_t *at = buf_reserve(b, 1);
    if (!at) return;
    *at = byte;
    b->size++;
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ASSERT(length >= 0);
    /* The NUL of vsnprintf needs a place, but is not part of the text and not of the ceiling. */
    size_t size = (size_t)length;
    uint8_t *at = buf_reserve(b, size);
    if (!at) return;
    if (b->capacity - b->size == size && !set_capacity(b, heap_good_size(b->capacity + 1))) {
        b->refused = ERR_NO_MEMORY;
        return;
    }
    poison_show(at + size, 1);
    va_start(args, format);
    vsnprintf((char *)b->data + b->size, size + 1, format, args);
    va_end(args);
    b->size += size;
}

enum status buf_status(const struct buf *b, struct error *err)
{
    if (!b->refused) return OK;
    if (b->refused == ERR_TOO_LARGE)
        return error_set(err, ERR_TOO_LARGE, "more than %zu bytes (%s)", b->ceiling_bytes,
                         heap_tag_name(b->tag));
    return error_set(err, b->refused, "the memory limit is reached (%s)", heap_tag_name(b->tag));
}
