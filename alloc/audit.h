/*
 * audit - are the books right? Objects are counted twice: by the tallies of the threads that took
 * and gave them (alloc/memstats), and by a walk over all spans and all caches.
 *
 *     by class   slots of its spans - slots free in them - objects in caches = objects in the books
 *     large      pages in use - those of class spans - spans in caches - what no object of a
 *                region is in = bytes in the books, those of regions included
 *     by owner   in debug builds, class by class: what the notes of live objects say (alloc/live)
 *                = objects in the books; of large ones the bytes, too
 *
 * Threads: any, but the two can be compared only while nobody allocates or frees, and no thread
 * ends: the caller sees to that, or is told. That nobody flushes or scavenges meanwhile is the
 * caller's to see to. Contents of other threads' caches are read without a lock.
 */
#ifndef HEARTH_ALLOC_AUDIT_H
#define HEARTH_ALLOC_AUDIT_H

#include <stdbool.h>

#include "base/compiler.h"

/* True: counted, and the same. False: somebody was at work meanwhile, or when this process was
 * forked off (alloc/fork.h), and nothing can be said. Aborts when the two differ. */
MUST_USE bool audit_books(void);

#endif
