/*
 * arena - memory that dies together: one per request.
 *
 * A bump pointer through blocks taken from the heap, each twice the last up to 1 MiB; larger
 * requests get a block of their own. Nothing is freed singly. Free and rewound memory is poisoned
 * under ASan.
 *
 * The ceiling bounds the bytes one request may take; it is a clear error, not a crash.
 *
 * Threads: one at a time; arenas that share a ceiling each on its own.
 */
#ifndef HEARTH_ALLOC_ARENA_H
#define HEARTH_ALLOC_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "alloc/heap.h"
#include "base/error.h"
#include "base/str.h"

struct arena_block;
struct arena_common;

struct arena {
    struct arena_block *last; /* newest first; NULL before the first allocation */
    uint8_t *at;              /* next free byte of `last` */
    uint8_t *end;
    uint64_t held_bytes;    /* of all blocks */
    uint64_t ceiling_bytes; /* held_bytes never exceeds it */
    /* The owner's to set; 0 after arena_init. */
    uint64_t spare_bytes;        /* below the heap's limit that are left to others, ... */
    uint64_t granted_bytes;      /* ... once the arena holds more than these */
    struct arena_common *common; /* alloc/arena_share.h; NULL: the ceiling is its own */
    enum heap_tag tag;
    enum status refused; /* why the last NULL: ERR_TOO_LARGE or ERR_NO_MEMORY; else OK */
};

/* Empty; takes no memory yet. */
void arena_init(struct arena *a, enum heap_tag tag, uint64_t ceiling_bytes);
/* Free everything; the arena may be used again. */
void arena_reset(struct arena *a);
void arena_release(struct arena *a);

/* size bytes, 16-byte aligned, undefined; size 0 gives a valid address.
 * NULL at the ceiling or at the heap's limit; arena_error says which. */
MUST_USE void *arena_alloc(struct arena *a, size_t size);
MUST_USE void *arena_calloc(struct arena *a, size_t count, size_t size);
/* count * size bytes, checked for overflow. */
MUST_USE void *arena_alloc_array(struct arena *a, size_t count, size_t size);
/* Grow what was the last allocation in place, or copy: old_size bytes are kept. p may be NULL. */
MUST_USE void *arena_resize(struct arena *a, void *p, size_t old_size, size_t new_size);

/* A copy of the text with a NUL behind it (not counted in size); data is NULL when refused. */
MUST_USE struct str arena_copy(struct arena *a, struct str text);
PRINTF_LIKE(2, 3) MUST_USE struct str arena_printf(struct arena *a, const char *format, ...);

/* Turn the last NULL into an error: ERR_TOO_LARGE "needs more than N bytes of memory ...", or
 * ERR_NO_MEMORY. */
enum status arena_error(const struct arena *a, struct error *err);

/* Scratch: everything allocated after a mark goes with arena_rewind (blocks included). */
struct arena_mark {
    struct arena_block *last;
    uint8_t *at;
};
struct arena_mark arena_mark(const struct arena *a);
void arena_rewind(struct arena *a, struct arena_mark mark);

#if HEARTH_DEBUG && !defined(PLACE_OF_CALLER)
#    define arena_alloc(a, size)               (HEAP_PLACE(), arena_alloc(a, size))
#    define arena_calloc(a, n, size)           (HEAP_PLACE(), arena_calloc(a, n, size))
#    define arena_alloc_array(a, n, size)      (HEAP_PLACE(), arena_alloc_array(a, n, size))
#    define arena_resize(a, p, old_size, size) (HEAP_PLACE(), arena_resize(a, p, old_size, size))
#    define arena_copy(a, ...)                 (HEAP_PLACE(), arena_copy(a, __VA_ARGS__))
#    define arena_printf(a, ...)               (HEAP_PLACE(), arena_printf(a, __VA_ARGS__))
#endif

#endif
