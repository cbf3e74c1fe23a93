/*
 * arena_share - several arenas below one ceiling: one request on several threads.
 *
 *     arena_share(main, &common);            the ceiling, the spare and the granted bytes of `main`
 *     arena_init_beside(&other, main);       are from here on those of all of them together
 *     ... arena_release(&other) ...
 *     arena_unshare(main);
 *
 * Threads: each arena has one at a time; init_beside any, while others are used.
 */
#ifndef HEARTH_ALLOC_ARENA_SHARE_H
#define HEARTH_ALLOC_ARENA_SHARE_H

#include <stdatomic.h>

#include "alloc/arena.h"

/* The caller's memory, from share to unshare. */
struct arena_common {
    atomic_uint_fast64_t held_bytes; /* of all arenas */
};

void arena_share(struct arena *of, struct arena_common *common);
/* When those beside it have been released. */
void arena_unshare(struct arena *of);
/* Empty. */
void arena_init_beside(struct arena *a, const struct arena *of);

#endif
