/* place - a hash table whose slots are the numbers; a slot never changes once it is taken. */
#include "alloc/place.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "alloc/meta.h"
#include "base/lock.h"

enum { PLACES_MAX = PLACE_SLOTS / 4 * 3 }; /* searches stay short */

struct place_slot {
    _Atomic(const char *) file; /* written last; NULL: free */
    uint32_t line;
    enum heap_tag tag;
};

static struct {
    struct mutex lock;
    uint32_t count; /* under the lock, as are all changes */
    _Atomic(struct place_slot *) slots;
} places = {.lock = MUTEX_INIT(LOCK_PLACES)};

static _Thread_local struct place said;

void heap_place(const char *file, int line)
{
    said.file = file;
    said.line = (uint32_t)line;
}

static size_t first_slot(const struct place *place)
{
    uint64_t key =
        (uintptr_t)place->file * 64 + (uint64_t)place->line * HEAP_TAG_COUNT + place->tag;
    return (key * UINT64_C(0x9E3779B97F4A7C15)) >> 32; /* Fibonacci hashing: Knuth, vol. 3, 6.4 */
}

/* The slot of the place, or the free one where it would be; never 0. Ends because some are free. */
static uint16_t search(struct place_slot *slots, const struct place *place)
{
    for (size_t i = first_slot(place);; i++) {
        size_t number = i % PLACE_SLOTS;
        if (number == PLACE_NOWHERE) continue;
        const char *file = atomic_load_explicit(&slots[number].file, memory_order_acquire);
        if (!file) return (uint16_t)number;
        if (file == place->file && slots[number].line == place->line &&
            slots[number].tag == place->tag)
            return (uint16_t)number;
    }
}

static struct place_slot *create_table(void)
{
    const size_t bytes = PLACE_SLOTS * sizeof(struct place_slot);
    struct place_slot *slots = meta_alloc(bytes, META_PLACES);
    if (!slots) return NULL;
    memset((void *)slots, 0, bytes);
    atomic_store_explicit(&places.slots, slots, memory_order_release);
    return slots;
}

static uint16_t add(const struct place *place)
{
    uint16_t number = PLACE_NOWHERE;
    mutex_lock(&places.lock);
    struct place_slot *slots = atomic_load_explicit(&places.slots, memory_order_relaxed);
    if (!slots) slots = create_table();
    if (slots && places.count < PLACES_MAX) {
        number = search(slots, place);
        /* Another thread may have been here first. */
        if (!atomic_load_explicit(&slots[number].file, memory_order_relaxed)) {
            places.count++;
            slots[number].line = place->line;
            slots[number].tag = place->tag;
            atomic_store_explicit(&slots[number].file, place->file, memory_order_release);
        }
    }
    mutex_unlock(&places.lock);
    return number;
}

uint16_t place_take(enum heap_tag tag)
{
    struct place place = said;
    if (!place.file) return PLACE_NOWHERE;
    said.file = NULL;
    place.tag = tag;
    struct place_slot *slots = atomic_load_explicit(&places.slots, memory_order_acquire);
    if (slots) {
        uint16_t number = search(slots, &place);
        if (atomic_load_explicit(&slots[number].file, memory_order_relaxed)) return number;
    }
    return add(&place);
}

static const struct place nowhere = {.file = "?"};

struct place place_said(void)
{
    return said.file ? said : nowhere;
}

struct place place_at(uint16_t number)
{
    struct place_slot *slots = atomic_load_explicit(&places.slots, memory_order_acquire);
    const char *file =
        slots ? atomic_load_explicit(&slots[number].file, memory_order_acquire) : NULL;
    if (!file) return nowhere;
    return (struct place){.file = file, .line = slots[number].line, .tag = slots[number].tag};
}
