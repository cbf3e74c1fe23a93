/* id_container - two forms of a set of 16-bit numbers, and which one takes less. */
#include "storage/id_container.h"

#include <string.h>

#include "alloc/heap.h"
#include "base/assert.h"

enum {
    WORD_BITS = ID_CONTAINER_WORD_BITS,
    ARRAY_MAX = 4096, /* more take 8 KiB, as bits never do */
};

static uint16_t *array_of(struct id_container *c)
{
    return (uint16_t *)c->words;
}

static const uint16_t *array_read(const struct id_container *c)
{
    return (const uint16_t *)c->words;
}

static size_t array_bytes(size_t capacity)
{
    return sizeof(struct id_container) + capacity * sizeof(uint16_t);
}

static size_t bits_bytes(size_t words)
{
    return sizeof(struct id_container) + words * sizeof(uint64_t);
}

static size_t bytes_of(const struct id_container *c)
{
    return c->is_bits ? bits_bytes(c->capacity) : array_bytes(c->capacity);
}

static size_t words_for(uint16_t low)
{
    return low / WORD_BITS + 1u;
}

static uint64_t bit_of(uint16_t low)
{
    return UINT64_C(1) << low % WORD_BITS;
}

static size_t less(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Capacity for at least so many, with the heap's rounding used up. */
static uint16_t array_capacity(size_t wanted)
{
    size_t bytes = heap_good_size(array_bytes(less(wanted, ARRAY_MAX)));
    return (uint16_t)less((bytes - sizeof(struct id_container)) / sizeof(uint16_t), ARRAY_MAX);
}

static uint16_t bits_capacity(size_t wanted)
{
    size_t bytes = heap_good_size(bits_bytes(less(wanted, ID_CONTAINER_WORDS)));
    return (uint16_t)less((bytes - sizeof(struct id_container)) / sizeof(uint64_t),
                          ID_CONTAINER_WORDS);
}

struct id_container *id_container_create(uint16_t key, uint16_t low)
{
    uint16_t capacity = array_capacity(2);
    struct id_container *c = heap_alloc(array_bytes(capacity), HEAP_INDEX);
    if (!c) return NULL;
    *c = (struct id_container){.key = key, .capacity = capacity, .count = 1};
    array_of(c)[0] = low;
    return c;
}

void id_container_destroy(struct id_container *c)
{
    if (c) heap_free(c, bytes_of(c), HEAP_INDEX);
}

/* Where low is or belongs. */
static uint32_t array_search(const struct id_container *c, uint16_t low)
{
    const uint16_t *ids = array_read(c);
    uint32_t from = 0;
    uint32_t high = c->count;
    if (high > 0 && ids[high - 1] < low) return high; /* new series come at the end */
    while (from < high) {
        uint32_t middle = from + (high - from) / 2;
        if (ids[middle] < low)
            from = middle + 1;
        else
            high = middle;
    }
    return from;
}

static bool array_contains(const struct id_container *c, uint16_t low)
{
    uint32_t at = array_search(c, low);
    return at < c->count && array_read(c)[at] == low;
}

static bool bits_contain(const struct id_container *c, uint16_t low)
{
    return low / WORD_BITS < c->capacity && c->words[low / WORD_BITS] & bit_of(low);
}

bool id_container_contains(const struct id_container *c, uint16_t low)
{
    return c->is_bits ? bits_contain(c, low) : array_contains(c, low);
}

/* Write the numbers of these words, ascending, each with the key in front. */
static size_t list_bits(const uint64_t *words, size_t word_count, uint32_t key, uint32_t *out)
{
    size_t count = 0;
    for (size_t w = 0; w < word_count; w++) {
        for (uint64_t rest = words[w]; rest; rest &= rest - 1)
            out[count++] = key << 16 | (uint32_t)(w * WORD_BITS) | (uint32_t)__builtin_ctzll(rest);
    }
    return count;
}

uint16_t id_container_first(const struct id_container *c)
{
    size_t word = 0;
    if (!c->is_bits) return array_read(c)[0];
    while (c->words[word] == 0)
        word++;
    return (uint16_t)(word * WORD_BITS + (size_t)__builtin_ctzll(c->words[word]));
}

/* Replace the array by bits of so many words. */
static bool array_to_bits(struct id_container **at, size_t words)
{
    struct id_container *c = *at;
    uint16_t capacity = bits_capacity(words);
    struct id_container *bits = heap_calloc(1, bits_bytes(capacity), HEAP_INDEX);
    if (!bits) return false;
    *bits = (struct id_container){
        .key = c->key, .capacity = capacity, .count = c->count, .is_bits = true};
    for (uint32_t i = 0; i < c->count; i++)
        bits->words[array_of(c)[i] / WORD_BITS] |= bit_of(array_of(c)[i]);
    id_container_destroy(c);
    *at = bits;
    return true;
}

/* Replace the bits by an array with room for so many. */
static bool bits_to_array(struct id_container **at, size_t wanted)
{
    struct id_container *c = *at;
    uint16_t capacity = array_capacity(wanted);
    struct id_container *array = heap_alloc(array_bytes(capacity), HEAP_INDEX);
    if (!array) return false;
    *array = (struct id_container){.key = c->key, .capacity = capacity, .count = c->count};
    uint32_t count = 0;
    for (size_t w = 0; w < c->capacity; w++) {
        for (uint64_t rest = c->words[w]; rest; rest &= rest - 1)
            array_of(array)[count++] = (uint16_t)(w * WORD_BITS + (size_t)__builtin_ctzll(rest));
    }
    id_container_destroy(c);
    *at = array;
    return true;
}

static bool array_resize(struct id_container **at, size_t wanted)
{
    uint16_t capacity = array_capacity(wanted);
    struct id_container *c =
        heap_resize(*at, array_bytes((*at)->capacity), array_bytes(capacity), HEAP_INDEX);
    if (!c) return false;
    c->capacity = capacity;
    *at = c;
    return true;
}

static bool bits_resize(struct id_container **at, size_t wanted)
{
    uint16_t before = (*at)->capacity;
    uint16_t capacity = bits_capacity(wanted);
    struct id_container *c = heap_resize(*at, bits_bytes(before), bits_bytes(capacity), HEAP_INDEX);
    if (!c) return false;
    if (capacity > before)
        memset(&c->words[before], 0, (size_t)(capacity - before) * sizeof(c->words[0]));
    c->capacity = capacity;
    *at = c;
    return true;
}

/* Room for one more in the form that takes less. */
static bool reserve(struct id_container **at, uint16_t low)
{
    struct id_container *c = *at;
    size_t words = words_for(low);
    if (c->is_bits) {
        if (words <= c->capacity) return true;
        size_t grown = words + words / 8;
        if (array_bytes(c->count * 2 + 2) <= bits_bytes(grown) && c->count < ARRAY_MAX / 2)
            return bits_to_array(at, c->count + 1);
        return bits_resize(at, grown);
    }
    if (c->count < c->capacity) return true;
    size_t grown = c->count + c->count / 2 + 1;
    uint16_t last = array_of(c)[c->count - 1];
    if (last > low) words = words_for(last);
    if (c->count == ARRAY_MAX || bits_bytes(words + words / 8) <= array_bytes(grown))
        return array_to_bits(at, words + words / 8);
    return array_resize(at, grown);
}

bool id_container_add(struct id_container **at, uint16_t low)
{
    DEBUG_ASSERT(!id_container_contains(*at, low));
    if (!reserve(at, low)) return false;
    struct id_container *c = *at;
    if (id_container_put(c, low)) return true;
    uint32_t place = array_search(c, low);
    memmove(&array_of(c)[place + 1], &array_of(c)[place], (c->count - place) * sizeof(uint16_t));
    array_of(c)[place] = low;
    c->count++;
    return true;
}

static void remove_from_array(struct id_container **at, uint16_t low)
{
    struct id_container *c = *at;
    uint32_t place = array_search(c, low);
    c->count--;
    memmove(&array_of(c)[place], &array_of(c)[place + 1], (c->count - place) * sizeof(uint16_t));
    if (c->count > 2 && c->count < c->capacity / 2) (void)array_resize(at, c->count + c->count / 4);
}

/* Words up to the last one that is not 0. */
static size_t words_used(const struct id_container *c)
{
    size_t used = c->capacity;
    while (c->words[used - 1] == 0)
        used--;
    return used;
}

static void remove_from_bits(struct id_container **at, uint16_t low)
{
    struct id_container *c = *at;
    size_t word = low / WORD_BITS;
    c->words[word] &= ~bit_of(low);
    c->count--;
    if (c->count == 0) return;
    if (array_bytes(2 * (size_t)c->count) < bits_bytes(c->capacity)) {
        (void)bits_to_array(at, c->count + c->count / 4);
    } else if (c->words[word] == 0 && word >= c->capacity / 2) {
        size_t used = words_used(c);
        if (used <= c->capacity / 2) (void)bits_resize(at, used + used / 8);
    }
}

void id_container_remove(struct id_container **at, uint16_t low)
{
    DEBUG_ASSERT(id_container_contains(*at, low));
    if ((*at)->is_bits)
        remove_from_bits(at, low);
    else
        remove_from_array(at, low);
    if ((*at)->count > 0) return;
    id_container_destroy(*at);
    *at = NULL;
}

/* An array so many times longer than the ids is searched, a shorter one walked beside them. */
enum { SEARCH_RATIO = 16 };

/* filter() beside an array of about the same length; without branches on what comes next. */
static size_t filter_walking(const struct id_container *c, bool contained, uint32_t *ids,
                             size_t count)
{
    const uint16_t *others = array_read(c);
    size_t kept = 0;
    size_t i = 0;
    for (size_t j = 0; i < count && j < c->count;) {
        uint32_t id = ids[i];
        uint16_t low = (uint16_t)id;
        uint16_t other = others[j];
        ids[kept] = id;
        kept += contained ? low == other : low < other;
        i += low <= other;
        j += low >= other;
    }
    for (; !contained && i < count; i++)
        ids[kept++] = ids[i];
    return kept;
}

/* Keep those of ascending ids that are in c, or those that are not. */
static size_t filter(const struct id_container *c, bool contained, uint32_t *ids, size_t count)
{
    size_t kept = 0;
    if (!c->is_bits && c->count / SEARCH_RATIO < count)
        return filter_walking(c, contained, ids, count);
    for (size_t i = 0; i < count; i++) {
        if (id_container_contains(c, (uint16_t)ids[i]) == contained) ids[kept++] = ids[i];
    }
    return kept;
}

/* The words of `base`, combined with those of all others that are bits. */
static size_t combine(const struct id_container *base, const struct id_container *const *with,
                      size_t with_count, const struct id_container *const *without,
                      size_t without_count, uint64_t *words)
{
    size_t count = base->capacity;
    memcpy(words, base->words, count * sizeof(*words));
    for (size_t i = 0; i < with_count; i++) {
        if (!with[i]->is_bits) continue;
        count = less(count, with[i]->capacity);
        for (size_t w = 0; w < count; w++)
            words[w] &= with[i]->words[w];
    }
    for (size_t i = 0; i < without_count; i++) {
        if (!without[i]->is_bits) continue;
        size_t both = less(count, without[i]->capacity);
        for (size_t w = 0; w < both; w++)
            words[w] &= ~without[i]->words[w];
    }
    return count;
}

static size_t list_array(const struct id_container *c, uint32_t *out)
{
    for (uint32_t i = 0; i < c->count; i++)
        out[i] = (uint32_t)c->key << 16 | array_read(c)[i];
    return c->count;
}

size_t id_container_intersect(const struct id_container *const *with, size_t with_count,
                              const struct id_container *const *without, size_t without_count,
                              uint32_t *out)
{
    const struct id_container *base = with[0];
    for (size_t i = 1; i < with_count; i++)
        if (with[i]->count < base->count) base = with[i];
    bool combined = base->is_bits;
    uint64_t words[ID_CONTAINER_WORDS];
    size_t count =
        combined ? list_bits(words, combine(base, with, with_count, without, without_count, words),
                             base->key, out)
                 : list_array(base, out);
    for (size_t i = 0; i < with_count && count > 0; i++) {
        if (with[i] == base || (combined && with[i]->is_bits)) continue;
        count = filter(with[i], true, out, count);
    }
    for (size_t i = 0; i < without_count && count > 0; i++) {
        if (combined && without[i]->is_bits) continue;
        count = filter(without[i], false, out, count);
    }
    return count;
}

bool id_container_touches(const struct id_container *c, const uint64_t *bits, size_t words)
{
    size_t first = (size_t)c->key * ID_CONTAINER_WORDS;
    if (first >= words) return false;
    size_t count = words - first;
    bits += first;
    if (c->is_bits) {
        count = less(count, c->capacity);
        for (size_t w = 0; w < count; w++)
            if (c->words[w] & bits[w]) return true;
        return false;
    }
    for (uint32_t i = 0; i < c->count; i++) {
        uint16_t low = array_read(c)[i];
        if (low / WORD_BITS >= count) return false; /* they ascend */
        if (bits[low / WORD_BITS] & bit_of(low)) return true;
    }
    return false;
}

void id_container_check(const struct id_container *c)
{
    size_t count = 0;
    ASSERT(c->count > 0);
    if (c->is_bits) {
        ASSERT(c->capacity <= ID_CONTAINER_WORDS);
        for (size_t w = 0; w < c->capacity; w++)
            count += (size_t)__builtin_popcountll(c->words[w]);
        ASSERT(count == c->count);
        return;
    }
    ASSERT(c->count <= c->capacity && c->capacity <= ARRAY_MAX);
    for (uint32_t i = 1; i < c->count; i++)
        ASSERT(array_read(c)[i - 1] < array_read(c)[i]);
}
