/* id_set - from nothing to a list of containers and back, and intersections by container. */
#include "storage/id_set.h"

#include <string.h>

#include "alloc/heap.h"
#include "base/assert.h"

enum id_set_form { FORM_EMPTY, FORM_ONE, FORM_CONTAINER, FORM_LIST };
enum { FORM_MASK = ID_SET_FORM_MASK, ONE_SHIFT = 2, LIST_CAPACITY_MIN = 2 };

struct container_list {
    uint32_t count;
    uint32_t capacity;
    struct id_container *items[]; /* ascending by key */
};

static enum id_set_form form_of(const struct id_set *s)
{
    return (enum id_set_form)(s->word & FORM_MASK);
}

static uint32_t one_of(const struct id_set *s)
{
    return (uint32_t)(s->word >> ONE_SHIFT);
}

static void *address_of(const struct id_set *s)
{
    return (void *)(uintptr_t)(s->word & ~(uint64_t)FORM_MASK);
}

static struct id_set set_of(const void *address, enum id_set_form form)
{
    return (struct id_set){.word = (uint64_t)(uintptr_t)address | form};
}

static uint16_t key_of(uint32_t id)
{
    return (uint16_t)(id >> 16);
}

static size_t list_bytes(uint32_t capacity)
{
    return sizeof(struct container_list) + capacity * sizeof(struct id_container *);
}

/* The containers of a set that has any. */
struct containers {
    struct id_container *const *items;
    size_t count;
    struct id_container *single; /* what items shows when there is one */
};

static void containers_of(const struct id_set *s, struct containers *out)
{
    const struct container_list *list = address_of(s);
    *out = (struct containers){0};
    if (form_of(s) == FORM_CONTAINER) {
        out->single = address_of(s);
        out->items = &out->single;
        out->count = 1;
    } else if (form_of(s) == FORM_LIST) {
        out->items = list->items;
        out->count = list->count;
    }
}

/* Where the key is or belongs. */
static size_t search(const struct containers *all, uint16_t key)
{
    size_t low = 0;
    size_t high = all->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (all->items[middle]->key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct id_container *find(const struct id_set *s, uint16_t key)
{
    struct containers all;
    containers_of(s, &all);
    size_t at = search(&all, key);
    return at < all.count && all.items[at]->key == key ? all.items[at] : NULL;
}

static struct id_container *container_of(uint32_t id)
{
    return id_container_create(key_of(id), (uint16_t)id);
}

/* A list of the one container there is, with room for another. NULL at the limit. */
static struct container_list *list_of_single(struct id_container *c)
{
    struct container_list *list = heap_alloc(list_bytes(LIST_CAPACITY_MIN), HEAP_INDEX);
    if (!list) return NULL;
    *list = (struct container_list){.count = 1, .capacity = LIST_CAPACITY_MIN};
    list->items[0] = c;
    return list;
}

static struct container_list *list_reserve(struct container_list *list)
{
    if (list->count < list->capacity) return list;
    uint32_t capacity = list->capacity * 2;
    list = heap_resize(list, list_bytes(list->capacity), list_bytes(capacity), HEAP_INDEX);
    if (list) list->capacity = capacity;
    return list;
}

/* The first id of a key that the containers do not have. */
static bool add_container(struct id_set *s, size_t at, uint32_t id)
{
    struct id_container *c = container_of(id);
    struct container_list *list = NULL;
    if (c && form_of(s) == FORM_CONTAINER)
        list = list_of_single(address_of(s));
    else if (c)
        list = list_reserve(address_of(s));
    if (!list) {
        id_container_destroy(c);
        return false;
    }
    memmove(&list->items[at + 1], &list->items[at], (list->count - at) * sizeof(list->items[0]));
    list->items[at] = c;
    list->count++;
    *s = set_of(list, FORM_LIST);
    return true;
}

/* Let *at become another container, wherever its address is kept. */
static void put(struct id_set *s, size_t at, struct id_container *c)
{
    struct container_list *list = address_of(s);
    if (form_of(s) == FORM_CONTAINER)
        *s = set_of(c, FORM_CONTAINER);
    else
        list->items[at] = c;
}

static bool add_to_containers(struct id_set *s, uint32_t id)
{
    struct containers all;
    containers_of(s, &all);
    size_t at = search(&all, key_of(id));
    struct id_container *c = at < all.count ? all.items[at] : NULL;
    if (!c || c->key != key_of(id)) return add_container(s, at, id);
    if (!id_container_add(&c, (uint16_t)id)) return false;
    put(s, at, c);
    return true;
}

/* New series have the highest ids, so it is nearly always the last container that gets one. */
static bool append(const struct id_set *s, uint32_t id)
{
    struct id_container *last = NULL;
    if (form_of(s) == FORM_CONTAINER) {
        last = address_of(s);
    } else if (form_of(s) == FORM_LIST) {
        const struct container_list *list = address_of(s);
        last = list->items[list->count - 1];
    }
    return last && last->key == key_of(id) && id_container_put(last, (uint16_t)id);
}

bool id_set_add(struct id_set *s, uint32_t id)
{
    if (LIKELY(append(s, id))) return true;
    if (form_of(s) == FORM_EMPTY) {
        s->word = (uint64_t)id << ONE_SHIFT | FORM_ONE;
        return true;
    }
    if (form_of(s) != FORM_ONE) return add_to_containers(s, id);
    struct id_container *c = container_of(one_of(s));
    if (!c) return false;
    struct id_set grown = set_of(c, FORM_CONTAINER);
    if (!add_to_containers(&grown, id)) {
        id_container_destroy(c);
        return false;
    }
    *s = grown;
    return true;
}

/* A single container of one id needs no memory, an empty set neither. */
static void settle_single(struct id_set *s)
{
    struct id_container *c = address_of(s);
    if (c->count > 1) return;
    uint32_t id = (uint32_t)c->key << 16 | id_container_first(c);
    id_container_destroy(c);
    s->word = (uint64_t)id << ONE_SHIFT | FORM_ONE;
}

static void drop_container(struct id_set *s, size_t at)
{
    struct container_list *list = address_of(s);
    list->count--;
    memmove(&list->items[at], &list->items[at + 1], (list->count - at) * sizeof(list->items[0]));
    if (list->count == 1) {
        *s = set_of(list->items[0], FORM_CONTAINER);
        heap_free(list, list_bytes(list->capacity), HEAP_INDEX);
        settle_single(s);
    } else if (list->capacity > LIST_CAPACITY_MIN && list->count < list->capacity / 2) {
        uint32_t capacity = list->capacity / 2;
        struct container_list *shrunk =
            heap_resize(list, list_bytes(list->capacity), list_bytes(capacity), HEAP_INDEX);
        if (!shrunk) return; /* it stays large, and works */
        shrunk->capacity = capacity;
        *s = set_of(shrunk, FORM_LIST);
    }
}

void id_set_remove(struct id_set *s, uint32_t id)
{
    if (form_of(s) == FORM_EMPTY) return;
    if (form_of(s) == FORM_ONE) {
        s->word = 0;
        return;
    }
    struct containers all;
    containers_of(s, &all);
    size_t at = search(&all, key_of(id));
    struct id_container *c = all.items[at];
    id_container_remove(&c, (uint16_t)id);
    if (!c) {
        drop_container(s, at); /* a single one never empties: it becomes one id before */
    } else {
        put(s, at, c);
        if (form_of(s) == FORM_CONTAINER) settle_single(s);
    }
}

void id_set_release(struct id_set *s)
{
    struct containers all;
    containers_of(s, &all);
    for (size_t i = 0; i < all.count; i++)
        id_container_destroy(all.items[i]);
    struct container_list *list = address_of(s);
    if (form_of(s) == FORM_LIST) heap_free(list, list_bytes(list->capacity), HEAP_INDEX);
    s->word = 0;
}

size_t id_set_count(const struct id_set *s)
{
    struct containers all;
    size_t count = form_of(s) == FORM_ONE;
    containers_of(s, &all);
    for (size_t i = 0; i < all.count; i++)
        count += all.items[i]->count;
    return count;
}

bool id_set_contains(const struct id_set *s, uint32_t id)
{
    if (form_of(s) == FORM_ONE) return one_of(s) == id;
    const struct id_container *c = find(s, key_of(id));
    return c && id_container_contains(c, (uint16_t)id);
}

bool id_set_touches(const struct id_set *s, const uint64_t *bits, size_t words)
{
    struct containers all;
    if (form_of(s) == FORM_ONE) {
        uint32_t id = one_of(s);
        return id / ID_CONTAINER_WORD_BITS < words &&
               bits[id / ID_CONTAINER_WORD_BITS] >> id % ID_CONTAINER_WORD_BITS & 1;
    }
    containers_of(s, &all);
    for (size_t i = 0; i < all.count; i++)
        if (id_container_touches(all.items[i], bits, words)) return true;
    return false;
}

/* The only id of one of the sets, if the others let it through. */
static enum status intersect_one(const struct id_terms *terms, uint32_t id, struct arena *a,
                                 struct id_list *out, struct error *err)
{
    for (size_t i = 0; i < terms->with_count; i++)
        if (!id_set_contains(terms->with[i], id)) return OK;
    for (size_t i = 0; i < terms->without_count; i++)
        if (id_set_contains(terms->without[i], id)) return OK;
    out->items = arena_alloc(a, sizeof(*out->items));
    if (!out->items) return arena_error(a, err);
    out->items[out->count++] = id;
    return OK;
}

/* The containers of one key in an intersection. */
struct key_terms {
    const struct id_container **with;
    const struct id_container **without;
    size_t without_count;
};

/* Find those that go with with[0]; false when one that is needed is missing. */
static bool gather(const struct id_terms *terms, struct key_terms *k)
{
    uint16_t key = k->with[0]->key;
    k->without_count = 0;
    for (size_t i = 1; i < terms->with_count; i++) {
        k->with[i] = find(terms->with[i], key);
        if (!k->with[i]) return false;
    }
    for (size_t i = 0; i < terms->without_count; i++) {
        const struct id_container *c = find(terms->without[i], key);
        if (c) k->without[k->without_count++] = c;
    }
    return true;
}

/* Sets of one id have no container: those to leave out are taken off the list. */
static void drop_ones(const struct id_terms *terms, struct id_list *list)
{
    for (size_t i = 0; i < terms->without_count; i++) {
        if (form_of(terms->without[i]) != FORM_ONE) continue;
        size_t kept = 0;
        for (size_t n = 0; n < list->count; n++)
            if (list->items[n] != one_of(terms->without[i])) list->items[kept++] = list->items[n];
        list->count = kept;
    }
}

enum status id_set_intersect(const struct id_terms *terms, struct arena *a, struct id_list *out,
                             struct error *err)
{
    struct containers base;
    *out = (struct id_list){0};
    for (size_t i = 0; i < terms->with_count; i++)
        if (form_of(terms->with[i]) == FORM_ONE)
            return intersect_one(terms, one_of(terms->with[i]), a, out, err);
    out->items = arena_alloc_array(a, id_set_count(terms->with[0]), sizeof(*out->items));
    struct arena_mark mark = arena_mark(a);
    struct key_terms k = {
        .with = arena_alloc_array(a, terms->with_count, sizeof(*k.with)),
        .without = arena_alloc_array(a, terms->without_count, sizeof(*k.without)),
    };
    if (!k.with || !k.without || !out->items) return arena_error(a, err);
    containers_of(terms->with[0], &base);
    for (size_t i = 0; i < base.count; i++) {
        k.with[0] = base.items[i];
        if (!gather(terms, &k)) continue;
        out->count += id_container_intersect(k.with, terms->with_count, k.without, k.without_count,
                                             out->items + out->count);
    }
    arena_rewind(a, mark);
    drop_ones(terms, out);
    return OK;
}

void id_set_check(const struct id_set *s)
{
    struct containers all;
    containers_of(s, &all);
    ASSERT(form_of(s) != FORM_CONTAINER || all.items[0]->count > 1);
    ASSERT(form_of(s) != FORM_LIST || all.count > 1);
    for (size_t i = 0; i < all.count; i++) {
        id_container_check(all.items[i]);
        ASSERT(i == 0 || all.items[i - 1]->key < all.items[i]->key);
    }
}
