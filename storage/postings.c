/* postings - sets of ids in three forms, and the table of them. */
#include "storage/postings.h"

#include <roaring/roaring.h>

#include "base/assert.h"
#include "base/bits.h"
#include "base/hash.h"

enum { TABLE_CAPACITY_MIN = 32 };
enum posting_form { FORM_EMPTY, FORM_ONE, FORM_ARRAY, FORM_BITMAP };
enum { FORM_MASK = 3, ONE_SHIFT = 2 };

struct id_array {
    uint32_t count;
    uint32_t capacity;
    uint32_t ids[];
};

static enum posting_form form_of(const struct posting *p)
{
    return (enum posting_form)(p->word & FORM_MASK);
}

static uint32_t one_of(const struct posting *p)
{
    return (uint32_t)(p->word >> ONE_SHIFT);
}

static struct id_array *array_of(const struct posting *p)
{
    return (struct id_array *)(uintptr_t)(p->word & ~(uint64_t)FORM_MASK);
}

static roaring_bitmap_t *bitmap_of(const struct posting *p)
{
    return (roaring_bitmap_t *)(uintptr_t)(p->word & ~(uint64_t)FORM_MASK);
}

static struct posting posting_of(const void *address, enum posting_form form)
{
    return (struct posting){.word = (uint64_t)(uintptr_t)address | form};
}

static size_t array_bytes(const struct id_array *array)
{
    return array ? sizeof(*array) + array->capacity * sizeof(array->ids[0]) : 0;
}

/* An array with room for at least `capacity` ids; the heap's rounding is used up. */
static struct id_array *array_resize(struct id_array *array, uint32_t capacity)
{
    size_t bytes = heap_good_size(sizeof(*array) + capacity * sizeof(array->ids[0]));
    struct id_array *grown = heap_resize(array, array_bytes(array), bytes, HEAP_INDEX);
    if (!grown) return NULL;
    if (!array) grown->count = 0;
    grown->capacity = (uint32_t)((bytes - sizeof(*grown)) / sizeof(grown->ids[0]));
    return grown;
}

/* Where id is or belongs. */
static uint32_t array_search(const struct id_array *array, uint32_t id)
{
    uint32_t low = 0;
    uint32_t high = array->count;
    if (high && array->ids[high - 1] < id) return high; /* new series come at the end */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (array->ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool array_contains(const struct id_array *array, uint32_t id)
{
    uint32_t at = array_search(array, id);
    return at < array->count && array->ids[at] == id;
}

static void array_insert(struct id_array *array, uint32_t id)
{
    uint32_t at = array_search(array, id);
    DEBUG_ASSERT(at == array->count || array->ids[at] != id);
    memmove(&array->ids[at + 1], &array->ids[at], (array->count - at) * sizeof(array->ids[0]));
    array->ids[at] = id;
    array->count++;
}

static bool add_to_one(struct posting *p, uint32_t id)
{
    struct id_array *array = array_resize(NULL, 2);
    if (!array) return false;
    array_insert(array, one_of(p));
    array_insert(array, id);
    *p = posting_of(array, FORM_ARRAY);
    return true;
}

static bool add_to_array(struct posting *p, uint32_t id)
{
    struct id_array *array = array_of(p);
    if (array->count == POSTING_ARRAY_MAX) {
        roaring_bitmap_t *bitmap = roaring_bitmap_of_ptr(array->count, array->ids);
        if (!bitmap) return false;
        roaring_bitmap_add(bitmap, id);
        heap_free(array, array_bytes(array), HEAP_INDEX);
        *p = posting_of(bitmap, FORM_BITMAP);
        return true;
    }
    if (array->count == array->capacity) {
        array = array_resize(array, array->count + array->count / 2 + 1);
        if (!array) return false;
        *p = posting_of(array, FORM_ARRAY);
    }
    array_insert(array, id);
    return true;
}

bool posting_add(struct posting *p, uint32_t id)
{
    switch (form_of(p)) {
    case FORM_EMPTY: p->word = (uint64_t)id << ONE_SHIFT | FORM_ONE; return true;
    case FORM_ONE: return add_to_one(p, id);
    case FORM_ARRAY: return add_to_array(p, id);
    case FORM_BITMAP: roaring_bitmap_add(bitmap_of(p), id); return true;
    }
    return false;
}

static void remove_from_array(struct posting *p, uint32_t id)
{
    struct id_array *array = array_of(p);
    uint32_t at = array_search(array, id);
    DEBUG_ASSERT(at < array->count && array->ids[at] == id);
    array->count--;
    memmove(&array->ids[at], &array->ids[at + 1], (array->count - at) * sizeof(array->ids[0]));
    if (array->count == 1) {
        uint32_t last = array->ids[0];
        heap_free(array, array_bytes(array), HEAP_INDEX);
        p->word = (uint64_t)last << ONE_SHIFT | FORM_ONE;
    } else if (array->count < array->capacity / 4) {
        struct id_array *shrunk = array_resize(array, array->capacity / 2);
        if (shrunk) *p = posting_of(shrunk, FORM_ARRAY); /* refused: it stays large, and works */
    }
}

static void remove_from_bitmap(struct posting *p, uint32_t id)
{
    roaring_bitmap_t *bitmap = bitmap_of(p);
    roaring_bitmap_remove(bitmap, id);
    uint64_t count = roaring_bitmap_get_cardinality(bitmap);
    if (count > POSTING_ARRAY_MAX / 2) return;
    struct posting smaller = {0};
    if (count == 1) {
        smaller.word = (uint64_t)roaring_bitmap_minimum(bitmap) << ONE_SHIFT | FORM_ONE;
    } else if (count > 1) {
        struct id_array *array = array_resize(NULL, (uint32_t)count);
        if (!array) return; /* it stays a bitmap, and works */
        roaring_bitmap_to_uint32_array(bitmap, array->ids);
        array->count = (uint32_t)count;
        smaller = posting_of(array, FORM_ARRAY);
    }
    roaring_bitmap_free(bitmap);
    *p = smaller;
}

void posting_remove(struct posting *p, uint32_t id)
{
    switch (form_of(p)) {
    case FORM_EMPTY: break;
    case FORM_ONE: p->word = 0; break;
    case FORM_ARRAY: remove_from_array(p, id); break;
    case FORM_BITMAP: remove_from_bitmap(p, id); break;
    }
}

void posting_release(struct posting *p)
{
    if (form_of(p) == FORM_ARRAY) heap_free(array_of(p), array_bytes(array_of(p)), HEAP_INDEX);
    if (form_of(p) == FORM_BITMAP) roaring_bitmap_free(bitmap_of(p));
    p->word = 0;
}

size_t posting_count(const struct posting *p)
{
    switch (form_of(p)) {
    case FORM_EMPTY: return 0;
    case FORM_ONE: return 1;
    case FORM_ARRAY: return array_of(p)->count;
    case FORM_BITMAP: return roaring_bitmap_get_cardinality(bitmap_of(p));
    }
    return 0;
}

bool posting_contains(const struct posting *p, uint32_t id)
{
    switch (form_of(p)) {
    case FORM_EMPTY: return false;
    case FORM_ONE: return one_of(p) == id;
    case FORM_ARRAY: return array_contains(array_of(p), id);
    case FORM_BITMAP: return roaring_bitmap_contains(bitmap_of(p), id);
    }
    return false;
}

static enum status bitmap_to_list(const roaring_bitmap_t *bitmap, struct arena *a,
                                  struct id_list *out, struct error *err)
{
    uint64_t count = roaring_bitmap_get_cardinality(bitmap);
    out->items = arena_alloc_array(a, count, sizeof(*out->items));
    if (!out->items) return arena_error(a, err);
    roaring_bitmap_to_uint32_array(bitmap, out->items);
    out->count = count;
    return OK;
}

static enum status posting_to_list(const struct posting *p, struct arena *a, struct id_list *out,
                                   struct error *err)
{
    if (form_of(p) == FORM_BITMAP) return bitmap_to_list(bitmap_of(p), a, out, err);
    out->count = posting_count(p);
    out->items = arena_alloc_array(a, out->count, sizeof(*out->items));
    if (!out->items) return arena_error(a, err);
    if (form_of(p) == FORM_ONE) out->items[0] = one_of(p);
    if (form_of(p) == FORM_ARRAY)
        memcpy(out->items, array_of(p)->ids, out->count * sizeof(*out->items));
    return OK;
}

/* What the bitmaps among the terms leave of a base that is a bitmap; NULL when there is nothing to
 * combine. */
static roaring_bitmap_t *combine_bitmaps(const struct posting_terms *terms)
{
    roaring_bitmap_t *result = NULL;
    const roaring_bitmap_t *base = bitmap_of(terms->base);
    for (size_t i = 0; i < terms->with_count; i++) {
        if (form_of(terms->with[i]) != FORM_BITMAP) continue;
        if (result)
            roaring_bitmap_and_inplace(result, bitmap_of(terms->with[i]));
        else
            result = roaring_bitmap_and(base, bitmap_of(terms->with[i]));
    }
    for (size_t i = 0; i < terms->without_count; i++) {
        if (form_of(terms->without[i]) != FORM_BITMAP) continue;
        if (result)
            roaring_bitmap_andnot_inplace(result, bitmap_of(terms->without[i]));
        else
            result = roaring_bitmap_andnot(base, bitmap_of(terms->without[i]));
    }
    return result;
}

static void keep_if(struct id_list *list, const struct posting *p, bool contained)
{
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (posting_contains(p, list->items[i]) == contained) list->items[kept++] = list->items[i];
    }
    list->count = kept;
}

enum status posting_intersect(const struct posting_terms *terms, struct arena *a,
                              struct id_list *out, struct error *err)
{
    bool combined = form_of(terms->base) == FORM_BITMAP;
    roaring_bitmap_t *bitmap = combined ? combine_bitmaps(terms) : NULL;
    enum status st =
        bitmap ? bitmap_to_list(bitmap, a, out, err) : posting_to_list(terms->base, a, out, err);
    if (bitmap) roaring_bitmap_free(bitmap);
    if (st) return st;
    for (size_t i = 0; i < terms->with_count; i++) {
        if (!combined || form_of(terms->with[i]) != FORM_BITMAP) keep_if(out, terms->with[i], true);
    }
    for (size_t i = 0; i < terms->without_count; i++) {
        if (!combined || form_of(terms->without[i]) != FORM_BITMAP)
            keep_if(out, terms->without[i], false);
    }
    return OK;
}

static uint32_t home_of(const struct symbol *symbol, uint32_t mask)
{
    return (uint32_t)hash_mix(0, (uint64_t)(uintptr_t)symbol) & mask;
}

static bool table_resize(struct postings *p, uint32_t capacity)
{
    struct postings_entry *entries = heap_calloc(capacity, sizeof(*entries), HEAP_INDEX);
    if (!entries) return false;
    for (uint32_t i = 0; i < p->capacity; i++) {
        if (!p->entries[i].symbol) continue;
        uint32_t at = home_of(p->entries[i].symbol, capacity - 1);
        while (entries[at].symbol)
            at = (at + 1) & (capacity - 1);
        entries[at] = p->entries[i];
    }
    heap_free(p->entries, p->capacity * sizeof(*p->entries), HEAP_INDEX);
    p->entries = entries;
    p->capacity = capacity;
    return true;
}

static struct postings_entry *entry_find(const struct postings *p, const struct symbol *symbol)
{
    if (p->capacity == 0) return NULL;
    uint32_t mask = p->capacity - 1;
    uint32_t at = home_of(symbol, mask);
    while (p->entries[at].symbol && p->entries[at].symbol != symbol)
        at = (at + 1) & mask;
    return &p->entries[at];
}

static void entry_remove(struct postings *p, const struct postings_entry *entry)
{
    uint32_t mask = p->capacity - 1;
    uint32_t gap = (uint32_t)(entry - p->entries);
    /* Every later entry of the run that may move towards its home does (Knuth, 6.4 R). */
    for (uint32_t at = (gap + 1) & mask; p->entries[at].symbol; at = (at + 1) & mask) {
        uint32_t from_home = (at - home_of(p->entries[at].symbol, mask)) & mask;
        if (from_home < ((at - gap) & mask)) continue;
        p->entries[gap] = p->entries[at];
        gap = at;
    }
    p->entries[gap] = (struct postings_entry){0};
    p->count--;
    if (p->count == 0) {
        heap_free(p->entries, p->capacity * sizeof(*p->entries), HEAP_INDEX);
        *p = (struct postings){0};
    } else if (p->capacity > TABLE_CAPACITY_MIN && p->count < p->capacity / 8) {
        (void)table_resize(p, p->capacity / 2); /* refused: it stays large, and works */
    }
}

static bool add_one(struct postings *p, const struct symbol *symbol, uint32_t id)
{
    if ((uint64_t)(p->count + 1) * 4 > (uint64_t)p->capacity * 3 &&
        !table_resize(p, p->capacity ? p->capacity * 2 : TABLE_CAPACITY_MIN))
        return false;
    struct postings_entry *entry = entry_find(p, symbol);
    if (!posting_add(&entry->posting, id)) return false;
    if (!entry->symbol) {
        entry->symbol = symbol;
        p->count++;
    }
    return true;
}

bool postings_add(struct postings *p, struct symbol *const *symbols, size_t count, uint32_t id)
{
    for (size_t i = 0; i < count; i++) {
        if (add_one(p, symbols[i], id)) continue;
        postings_remove(p, symbols, i, id);
        return false;
    }
    return true;
}

void postings_remove(struct postings *p, struct symbol *const *symbols, size_t count, uint32_t id)
{
    for (size_t i = 0; i < count; i++) {
        struct postings_entry *entry = entry_find(p, symbols[i]);
        DEBUG_ASSERT(entry && entry->symbol);
        posting_remove(&entry->posting, id);
        if (entry->posting.word == 0) entry_remove(p, entry);
    }
}

const struct posting *postings_find(const struct postings *p, const struct symbol *symbol)
{
    const struct postings_entry *entry = entry_find(p, symbol);
    return entry && entry->symbol ? &entry->posting : NULL;
}

void postings_release(struct postings *p)
{
    for (uint32_t i = 0; i < p->capacity; i++)
        posting_release(&p->entries[i].posting);
    heap_free(p->entries, p->capacity * sizeof(*p->entries), HEAP_INDEX);
    *p = (struct postings){0};
}

static void check_posting(const struct posting *p)
{
    ASSERT(posting_count(p) > 0);
    if (form_of(p) != FORM_ARRAY) return;
    const struct id_array *array = array_of(p);
    ASSERT(array->count > 1 && array->count <= array->capacity);
    for (uint32_t i = 1; i < array->count; i++)
        ASSERT(array->ids[i - 1] < array->ids[i]);
}

void postings_check(const struct postings *p)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < p->capacity; i++) {
        if (!p->entries[i].symbol) continue;
        count++;
        check_posting(&p->entries[i].posting);
        ASSERT(entry_find(p, p->entries[i].symbol) == &p->entries[i]);
    }
    ASSERT(count == p->count);
}
