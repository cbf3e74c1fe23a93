/*
 * meta - memory for the allocator's own records: spans, thread caches and their stacks, debug
 * builds' places. Never from the heap itself.
 *
 * A bump pointer through one reserved range, and free lists for records up to META_RECORD_MAX.
 * META_BITS lie on pages of their own: bits that nobody wrote are charged, but not resident.
 * Larger blocks are never given back; their owners reuse them. Addresses are named by 32-bit
 * references (offset / META_GRANULE), which is what the page map stores.
 *
 * Threads: any; LOCK_META.
 */
#ifndef HEARTH_ALLOC_META_H
#define HEARTH_ALLOC_META_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* Spans of debug builds have notes (alloc/live.h). */
enum { META_GRANULE = 16, META_RECORD_MAX = HEARTH_DEBUG ? 40960 : 8192 };

enum meta_kind { META_SPAN, META_BITS, META_CACHE, META_PLACES, META_KIND_COUNT };

/* Reserve the range. Once, before everything else; aborts when the system refuses. */
void meta_init(size_t bytes);

/* bytes of undefined content, aligned to META_GRANULE, larger than META_RECORD_MAX to a cache line.
 * NULL at the memory limit. */
MUST_USE void *meta_alloc(size_t bytes, enum meta_kind kind);

/* Give back what meta_alloc gave, with the same bytes (<= META_RECORD_MAX) and kind. */
void meta_free(void *p, size_t bytes, enum meta_kind kind);

/* Walk the free records; aborts when one was written to, or some are lost. */
void meta_check(void);

/* For alloc/fork: no record comes or goes between the two. */
void meta_hold(void);
void meta_let_go(void);

struct meta_stats {
    uint64_t inuse_bytes[META_KIND_COUNT];
    uint64_t carved_bytes[META_KIND_COUNT]; /* in use or in free lists */
    uint64_t committed_bytes;               /* all that is charged */
};
void meta_stats(struct meta_stats *out);

extern uint8_t *meta_base; /* constant after meta_init */

static inline uint32_t meta_ref(const void *p)
{
    return (uint32_t)((size_t)((const uint8_t *)p - meta_base) / META_GRANULE);
}

static inline void *meta_at(uint32_t ref)
{
    return meta_base + (size_t)ref * META_GRANULE;
}

#endif
