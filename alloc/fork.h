/*
 * fork - the heap across fork(2): a child must not find a lock held by a thread it does not have.
 *
 * For pthread_atfork, by programs that fork and go on without exec (tests/preload); the server does
 * not. fork_prepare takes every lock of the heap, in their order, and fork_done lets them go, in
 * the parent; fork_done_in_child does it in the child and forgets where the threads that are not
 * there had their caches. What other threads had in their caches is lost to the child,
 * and what they were counting: its books keep their identities, but alloc/audit can say nothing.
 *
 * Debug builds abort here: their locks of one rank exclude each other.
 *
 * Threads: any.
 */
#ifndef HEARTH_ALLOC_FORK_H
#define HEARTH_ALLOC_FORK_H

void fork_prepare(void);
void fork_done(void);
void fork_done_in_child(void);

#endif
