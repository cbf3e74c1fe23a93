/*
 * scavenge - for alloc/fork: between the two no round and no call of heap_scavenge is under way.
 *
 * What it does is behind doors of heap.h.
 *
 * Threads: any.
 */
#ifndef HEARTH_ALLOC_SCAVENGE_H
#define HEARTH_ALLOC_SCAVENGE_H

void scavenge_hold(void);
void scavenge_let_go(void);

#endif
