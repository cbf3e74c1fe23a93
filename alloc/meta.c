/* meta - bump pointer and free lists under one lock. */
#include "alloc/meta.h"

#include <stdbool.h>

#include "alloc/limit.h"
#include "alloc/os.h"
#include "base/assert.h"
#include "base/bits.h"
#include "base/lock.h"

enum { COMMIT_STEP_BYTES = 64 << 10, LIST_COUNT = META_RECORD_MAX / META_GRANULE + 1 };

struct free_record {
    struct free_record *next;
};

static struct {
    struct mutex lock;
    struct os_range range;
    size_t used_bytes;
    size_t bits_bytes, bits_end; /* the same for META_BITS, and the end of their block */
    /* By kind, so that carved_bytes stays true, and by size in granules. */
    struct free_record *free[META_KIND_COUNT][LIST_COUNT];
    struct meta_stats stats;
} meta = {.lock = MUTEX_INIT(LOCK_META)};

uint8_t *meta_base;

void meta_init(size_t bytes)
{
    if (!os_range_reserve(&meta.range, bytes)) os_end_without_room();
    meta_base = meta.range.base;
    meta.used_bytes = META_GRANULE; /* reference 0 is nobody */
}

static bool commit(size_t bytes)
{
    size_t committed = meta.range.committed_bytes;
    if (bytes <= committed) return true;
    size_t wanted = bits_align_up(bytes, COMMIT_STEP_BYTES);
    if (wanted > meta.range.reserved_bytes) return false;
    if (!limit_charge(wanted - committed)) return false;
    if (!os_range_commit(&meta.range, wanted)) {
        limit_uncharge(wanted - committed);
        return false;
    }
    meta.stats.committed_bytes = wanted;
    return true;
}

static void *carve_bits(size_t bytes)
{
    if (meta.bits_end - meta.bits_bytes < bytes) {
        size_t start = bits_align_up(meta.used_bytes, OS_PAGE_BYTES);
        if (!commit(start + COMMIT_STEP_BYTES)) return NULL;
        meta.bits_bytes = start;
        meta.bits_end = meta.used_bytes = start + COMMIT_STEP_BYTES;
    }
    void *p = meta_base + meta.bits_bytes;
    meta.bits_bytes += bytes;
    return p;
}

static void *carve(size_t bytes, enum meta_kind kind)
{
    if (kind == META_BITS) return carve_bits(bytes);
    size_t start = meta.used_bytes;
    if (bytes > META_RECORD_MAX) start = bits_align_up(start, CACHE_LINE_BYTES);
    if (!commit(start + bytes)) return NULL;
    meta.used_bytes = start + bytes;
    return meta_base + start;
}

void *meta_alloc(size_t bytes, enum meta_kind kind)
{
    bytes = bits_align_up(bytes, META_GRANULE);
    struct free_record **list =
        bytes <= META_RECORD_MAX ? &meta.free[kind][bytes / META_GRANULE] : &meta.free[kind][0];
    mutex_lock(&meta.lock);
    void *p = *list;
    if (p) {
        *list = (*list)->next;
    } else {
        p = carve(bytes, kind);
        if (p) meta.stats.carved_bytes[kind] += bytes;
    }
    if (p) meta.stats.inuse_bytes[kind] += bytes;
    mutex_unlock(&meta.lock);
    return p;
}

void meta_free(void *p, size_t bytes, enum meta_kind kind)
{
    bytes = bits_align_up(bytes, META_GRANULE);
    DEBUG_ASSERT(bytes <= META_RECORD_MAX);
    struct free_record *record = p;
    mutex_lock(&meta.lock);
    record->next = meta.free[kind][bytes / META_GRANULE];
    meta.free[kind][bytes / META_GRANULE] = record;
    meta.stats.inuse_bytes[kind] -= bytes;
    mutex_unlock(&meta.lock);
}

/* All free records of a kind; ends in a ring, too, since that has too many. */
static uint64_t free_bytes(enum meta_kind kind)
{
    uint64_t bytes = 0;
    for (size_t granules = 1; granules < LIST_COUNT; granules++)
        for (const struct free_record *r = meta.free[kind][granules]; r; r = r->next) {
            size_t offset = (size_t)((const uint8_t *)r - meta_base);
            ASSERT(offset % META_GRANULE == 0 && offset < meta.used_bytes);
            bytes += granules * META_GRANULE;
            ASSERT(bytes <= meta.stats.carved_bytes[kind]);
        }
    return bytes;
}

void meta_check(void)
{
    mutex_lock(&meta.lock);
    for (int kind = 0; kind < META_KIND_COUNT; kind++)
        ASSERT(meta.stats.inuse_bytes[kind] + free_bytes((enum meta_kind)kind) ==
               meta.stats.carved_bytes[kind]);
    mutex_unlock(&meta.lock);
}

void meta_hold(void)
{
    mutex_lock(&meta.lock);
}

void meta_let_go(void)
{
    mutex_unlock(&meta.lock);
}

void meta_stats(struct meta_stats *out)
{
    mutex_lock(&meta.lock);
    *out = meta.stats;
    mutex_unlock(&meta.lock);
}
