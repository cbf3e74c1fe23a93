/*
 * place - where in the source memory was asked for: debug builds remember it per object.
 *
 * heap_alloc and its kin are macros there: they say their place (heap_place) and then call the
 * function of the same name, which takes the place up when it hands out an object. A place is a
 * file, a line and the tag of the owner, and has a number that fits into an object's note
 * (alloc/live.h). Files that allocate on behalf of their callers (arena, buf, vec, tiny) define
 * PLACE_OF_CALLER before their first include: their own calls say nothing then, and the place of
 * whoever called them counts.
 *
 * The table is one block of alloc/meta and only grows. When it is full, or when there is no memory
 * for it, new places are nowhere: number 0.
 *
 * Release builds say no places and have no table.
 *
 * Threads: any. What was said is the thread's own; reading the table takes no lock.
 */
#ifndef HEARTH_ALLOC_PLACE_H
#define HEARTH_ALLOC_PLACE_H

#include <stdint.h>

#include "alloc/heap.h"

enum { PLACE_NOWHERE = 0, PLACE_SLOTS = 4096 };

struct place {
    const char *file; /* of __FILE__; "?" for nowhere */
    uint32_t line;
    enum heap_tag tag;
};

/* The number of the place that was said last, which is used up by that, with the tag. */
uint16_t place_take(enum heap_tag tag);

/* What was said last and not taken yet; nowhere when nothing was. */
struct place place_said(void);

/* number < PLACE_SLOTS */
struct place place_at(uint16_t number);

#endif
