/*
 * poison - telling AddressSanitizer which of our bytes nobody may touch.
 *
 * Free objects, free pages and the unused ends of arena blocks are poisoned, so that a use after
 * heap_free is reported as one after free(3) would be. In builds without ASan all of it is nothing.
 *
 * LeakSanitizer does not know mappings made by mmap; memory of libc that is reachable only from our
 * heap would be reported as leaked, so the whole address range is registered as a root.
 *
 * Threads: any.
 */
#ifndef HEARTH_ALLOC_POISON_H
#define HEARTH_ALLOC_POISON_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#    define POISON_ACTIVE 1
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer)
#        define POISON_ACTIVE 1
#    endif
#endif
#ifndef POISON_ACTIVE
#    define POISON_ACTIVE 0
#endif

#if POISON_ACTIVE
#    include <sanitizer/asan_interface.h>
#    include <sanitizer/lsan_interface.h>

static inline void poison_hide(const void *p, size_t size)
{
    __asan_poison_memory_region(p, size);
}

static inline void poison_show(const void *p, size_t size)
{
    __asan_unpoison_memory_region(p, size);
}

static inline void poison_register_root(const void *p, size_t size)
{
    __lsan_register_root_region(p, size);
}
#else
static inline void poison_hide(const void *p, size_t size)
{
    (void)p;
    (void)size;
}

static inline void poison_show(const void *p, size_t size)
{
    (void)p;
    (void)size;
}

static inline void poison_register_root(const void *p, size_t size)
{
    (void)p;
    (void)size;
}
#endif

#endif
