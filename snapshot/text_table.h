/*
 * text_table - texts that occur often, each kept once and named by a small number.
 *
 * Scratch of a block of a window file or of the replay of one segment. Numbers count from 0 in
 * order of first use.
 *
 * Threads: one at a time.
 */
#ifndef HEARTH_SNAPSHOT_TEXT_TABLE_H
#define HEARTH_SNAPSHOT_TEXT_TABLE_H

#include "alloc/arena.h"

struct text_table {
    struct arena arena; /* the texts */
    struct str *items;  /* heap; by number */
    uint32_t count;
    uint32_t capacity; /* of items; the table has twice as many slots */
    uint32_t *table;   /* heap; open addressing; number + 1, 0: free */
};

void text_table_init(struct text_table *s);
void text_table_release(struct text_table *s);
/* Forget all; the tables are kept. */
void text_table_reset(struct text_table *s);

/* The number of text, which is copied when it is new. ERR_NO_MEMORY. */
MUST_USE enum status text_table_intern(struct text_table *s, struct str text, uint32_t *out,
                                       struct error *err);

#endif
