/*
 * span - the record of a run of pages: objects of one class, one large object, or free.
 *
 *     page heap:  SPAN_IDLE      free, resident, in the tree of idle runs
 *                 SPAN_QUICK     free, resident, in the list of its length, not joined yet
 *                 SPAN_RELEASED  free, given back or never touched: reads as zero
 *                 SPAN_MOVING    between the two, madvise under way; nobody else touches it
 *                 SPAN_HOLLOWING released, madvise for its part of the page map under way
 *     users:      SPAN_SMALL     slots of one class; the bits say which of them are in the span
 *                 SPAN_LARGE     one object, or room for one in a thread cache
 *     nobody:     SPAN_NONE      a record that was given back
 *
 * A slot whose bit is clear is with a user or in a thread cache. The record lives in alloc/meta;
 * the bits follow it directly, and in debug builds a note per slot (alloc/live.h). Records of the
 * other states have no bits, or keep unused ones from an earlier life (record_bytes tells).
 *
 * A new span needs no bits: slots leave it in the order of addresses, and from `fresh` on all are
 * still in it. The bits are written when the first slot comes back (span_start_bits). Where there
 * would be many, they lie apart from the record, in META_BITS, and as long as nothing is freed they
 * are not resident: of a 16-byte object they would be most of the cost.
 *
 * A system page of a class span that only free slots touch may be given back to the system: its bit
 * in `gone` is set, it is not charged, and its slots go to nobody before that is undone.
 *
 *     slots   |#####|.....|.....|.....|.....|.....|##  # in use or cached, . free
 *     pages   |    0    |    1    |    2    |          page 1 can go
 *
 * Threads: page, pages, state and the tree belong to LOCK_PAGE_HEAP; of a SPAN_SMALL, the list, the
 * bits and the counts belong to its class's LOCK_CENTRAL. page, pages and size_class do not change
 * while the span is in use, except by heap_resize of the owner of a large object.
 */
#ifndef HEARTH_ALLOC_SPAN_H
#define HEARTH_ALLOC_SPAN_H

#include <stdbool.h>
#include <stdint.h>

#include "alloc/meta.h"
#include "alloc/size_class.h"
#include "base/compiler.h"

enum span_state {
    SPAN_IDLE,
    SPAN_QUICK,
    SPAN_RELEASED,
    SPAN_MOVING,
    SPAN_HOLLOWING,
    SPAN_SMALL,
    SPAN_LARGE,
    SPAN_NONE /* stale references in the page map find it: records stay records */
};

enum { SPAN_WORD_BITS = 64, SPAN_WORD_BYTES = 8, SPAN_NOTE_BYTES = 8, SPAN_INLINE_WORDS_MAX = 8 };

struct span {
    uint32_t page; /* of the first, counted from the start of the heap's range */
    uint32_t pages;
    uint8_t state; /* enum span_state */
    uint8_t size_class;
    union {
        uint8_t list;    /* SPAN_SMALL: of its central, which one it is in */
        bool known_zero; /* SPAN_LARGE: taken from released pages; its owner's, without a lock */
    };
    union {
        uint8_t owner;   /* SPAN_LARGE: tag + 1; 0 while it is in a thread cache */
        uint8_t touched; /* SPAN_SMALL: tick when slots last came or went (see central_trim) */
    };
    uint8_t first_word;    /* no bit is set in any word before it */
    bool block : 1;        /* SPAN_LARGE: of a region, instead of an object */
    bool trimmed : 1;      /* SPAN_SMALL: no slot came since pages were last given back */
    bool has_bits : 1;     /* SPAN_SMALL */
    bool emptying : 1;     /* SPAN_SMALL: so are its pages in the page map; see alloc/central.h */
    bool hollow : 1;       /* SPAN_RELEASED: the page map has no entries but for its ends */
    uint16_t record_bytes; /* of this record, as asked from meta */
    union {
        uint16_t free_slots;    /* those in the span */
        uint16_t tail_granules; /* block: behind the last object, once no more come; of 8 bytes */
    };
    union {
        uint16_t fresh;      /* without bits: slots from here on never left the span */
        uint16_t gone_slots; /* with bits: free ones on pages that are gone */
    };
    uint32_t gone;       /* SPAN_SMALL: system pages given back, bit 0 the first; with bits only */
    struct span *before; /* neighbour in a list, or left child in a tree */
    struct span *after;  /* neighbour in a list, or right child in a tree */
    uint64_t words[];    /* the bits, 1: the slot is in the span; or a reference to them */
};

/* Of a span of a class: fewer than the class says when it is shorter (alloc/size_class.h). Records
 * and bits are as long in any case. */
static inline uint32_t span_slots(const struct span *span)
{
    const struct size_class *k = &size_classes[span->size_class];
    if (span->pages == k->pages) return k->slots;
    return size_class_slot(span->size_class, span->pages * HEAP_PAGE_BYTES - k->bytes) + 1;
}

/* Words of bits for a class; 0 for SIZE_CLASS_LARGE. */
static inline uint32_t span_words(unsigned size_class)
{
    return (size_classes[size_class].slots + SPAN_WORD_BITS - 1u) / SPAN_WORD_BITS;
}

/* Whether they are a record of META_BITS. */
static inline bool span_bits_apart(unsigned size_class)
{
    return span_words(size_class) > SPAN_INLINE_WORDS_MAX;
}

/* What follows struct span in any case. */
static inline uint32_t span_inline_words(unsigned size_class)
{
    return span_bits_apart(size_class) ? 1 : span_words(size_class);
}

/* Of its notes, which only debug builds keep; a large object is one slot. */
static inline uint32_t span_note_bytes(unsigned size_class)
{
    if (!HEARTH_DEBUG) return 0;
    return size_class == SIZE_CLASS_LARGE ? SPAN_NOTE_BYTES
                                          : size_classes[size_class].slots * SPAN_NOTE_BYTES;
}

static inline uint32_t span_record_bytes(unsigned size_class)
{
    return (uint32_t)sizeof(struct span) + span_inline_words(size_class) * SPAN_WORD_BYTES +
           span_note_bytes(size_class);
}

static inline uint64_t *span_bits(struct span *span)
{
    return span_bits_apart(span->size_class) ? meta_at((uint32_t)span->words[0]) : span->words;
}

/* Whether the slot is in the span. */
static inline bool span_has(struct span *span, uint32_t slot)
{
    if (!span->has_bits) return slot >= span->fresh;
    return span_bits(span)[slot / SPAN_WORD_BITS] >> (slot % SPAN_WORD_BITS) & 1;
}

/* A record in no state yet, without bits; NULL at the limit. */
MUST_USE struct span *span_create(unsigned size_class, uint32_t page, uint32_t pages);
void span_destroy(struct span *span);

/* The same record, of the same run, as if new; for a class that its bytes are enough for, and
 * neither the old nor the new class with bits apart. */
void span_renew(struct span *span, unsigned size_class);

/* Write the bits of a span that had none. */
void span_start_bits(struct span *span);

/* The system pages that a slot touches. */
uint32_t span_slot_pages(unsigned size_class, uint32_t slot);

/* The system pages of a class span with bits that no slot but free ones touches, gone ones
 * included. */
uint32_t span_free_pages(struct span *span);

/* How many slots touch any of these system pages. */
uint32_t span_slots_on(const struct span *span, uint32_t pages);

#endif
