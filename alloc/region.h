/*
 * region - memory that dies together: the sealed data of one window.
 *
 *     blocks:  | object | object | ... | tail |    64 KiB at first, up to 2 MiB
 *
 * Objects are cut exactly to their size, rounded to 8 bytes, by a bump pointer; nothing stands
 * between them. A new block is a sixteenth of the region so far, so that its tail is no more than
 * that either, and region_trim gives the tail back; one that fills the place of a region that went
 * is down to half as long where only such runs of pages are resident and free. Blocks of a region
 * that is longer than a huge page are parts of huge pages, which windows share. An object longer
 * than a quarter of a block gets pages of its own. Two regions never share a page: when one goes,
 * its blocks go whole to the page heap, where the region that is filled next finds them, still
 * resident.
 *
 * What is in a region knows no pointers, and is named by a 36-bit offset (in units of 8 bytes, from
 * the start of the heap's address range), so that an index entry has room for more.
 *
 * Nothing is freed singly. region_delete only counts an object as dead; its bytes stay until the
 * region goes.
 *
 * In the books (alloc/memstats.h) an object is one allocation of its rounded size; whole blocks are
 * in use; the difference, tails and deleted objects, is heap_inuse - heap_alloc.
 *
 * Threads: one at a time for a region; different regions at once. Readers of objects need no lock;
 * the owner sees to it that none is left before region_release.
 */
#ifndef HEARTH_ALLOC_REGION_H
#define HEARTH_ALLOC_REGION_H

#include <stdint.h>

#include "alloc/heap.h"
#include "alloc/size_class.h"

struct span;

enum {
    REGION_ALIGNMENT = 8,
    REGION_BLOCK_BYTES_MIN = 64 << 10,
    REGION_BLOCK_BYTES_MAX = 2 << 20,
    REGION_REF_BITS = 36 /* 512 GiB / REGION_ALIGNMENT */
};

#define REGION_NONE UINT64_C(0) /* a reference to nothing */

struct region {
    uint8_t *at; /* next free byte of the open block */
    uint8_t *end;
    struct span *open;    /* the block that `at` is in; NULL at first */
    struct span *full;    /* those before it, by after */
    struct span *ahead;   /* the next one, if it was taken ahead */
    uint64_t block_bytes; /* of all blocks */
    uint32_t block_count;
    uint64_t live_bytes;                /* of the objects that are not deleted, rounded */
    uint64_t requested_bytes;           /* of the same, as asked for */
    uint64_t deleted_bytes;             /* of deleted objects, rounded */
    uint32_t objects[SIZE_CLASS_COUNT]; /* live ones by the class that would hold them; 0: large */
    enum heap_tag tag;
};

/* Empty; takes no memory yet. */
void region_init(struct region *r, enum heap_tag tag);

/* Give every block back; the region is empty again. */
void region_release(struct region *r);

/* An object of `size` (> 0) bytes, undefined, aligned to REGION_ALIGNMENT. Returns its reference;
 * REGION_NONE at the limit. */
MUST_USE uint64_t region_alloc(struct region *r, uint32_t size);

/* Count an object of this region as dead. */
void region_delete(struct region *r, uint32_t size);

/* A new block may take some 100 us (alloc/page_heap.h). Who allocates under locks that others wait
 * for takes it ahead, without any: region_wants_block tells how many bytes the next one should
 * have, 0 when it is not needed soon; region_take_block gets it, or half of it, resident (any
 * thread; NULL at the limit); region_put_block hands it over, or gives it back when it is not
 * wanted any more (NULL: nothing).
 */
uint64_t region_wants_block(const struct region *r);
MUST_USE struct span *region_take_block(uint64_t bytes);
void region_put_block(struct region *r, struct span *block);

/* Give the pages behind the last object back. Allocation goes on in a new block. */
void region_trim(struct region *r);

/* The object behind a reference from region_alloc, and back. */
void *region_at(uint64_t ref);
uint64_t region_ref(const void *object);

/* Bytes of the blocks of all regions that no live object is in: tails and deleted objects. */
uint64_t region_unused_bytes(void);
/* Of those, deleted objects. */
uint64_t region_deleted_bytes(void);

/* Aborts on a broken invariant; in debug builds, and in region_release too, on a write behind the
 * last object of a block. */
void region_check(const struct region *r);

#endif
