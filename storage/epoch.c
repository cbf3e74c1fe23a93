/* epoch - counting readers, and lists of what waits for them. */
#include "storage/epoch.h"

#include "base/assert.h"
#include "base/hash.h"

/* Objects destroyed between two holds of the lock. */
enum { COLLECT_BATCH = 64 };

static void list_push(struct epoch_list *list, struct epoch_node *node)
{
    node->next = list->first;
    list->first = node;
    if (!list->last) list->last = node;
}

/* Move everything from `from` to the front of `to`. */
static void list_move(struct epoch_list *to, struct epoch_list *from)
{
    if (!from->first) return;
    from->last->next = to->first;
    to->first = from->first;
    if (!to->last) to->last = from->last;
    *from = (struct epoch_list){0};
}

static struct epoch_node *list_pop(struct epoch_list *list)
{
    struct epoch_node *node = list->first;
    if (!node) return NULL;
    list->first = node->next;
    if (!list->first) list->last = NULL;
    return node;
}

/* Retired and not destroyed; the lock is held, or nobody else is there. */
static size_t garbage_locked(const struct epoch *e)
{
    size_t count = e->ready_count;
    for (size_t generation = 0; generation < EPOCH_GENERATIONS; generation++)
        count += e->limbo_count[generation];
    return count;
}

void epoch_init(struct epoch *e, epoch_destroy *const destroy[EPOCH_KIND_COUNT], void *self)
{
    *e = (struct epoch){.self = self};
    for (size_t kind = 0; kind < EPOCH_KIND_COUNT; kind++)
        e->destroy[kind] = destroy[kind];
    atomic_init(&e->now, EPOCH_GENERATIONS); /* so that now - 1 is never negative */
    mutex_init(&e->lock, LOCK_EPOCH);
}

void epoch_release(struct epoch *e)
{
    for (size_t generation = 0; generation < EPOCH_GENERATIONS; generation++) {
        for (size_t i = 0; i < EPOCH_SLOTS; i++)
            ASSERT(atomic_load(&e->slots[i].readers[generation]) == 0);
    }
    while (epoch_collect(e, SIZE_MAX) || garbage_locked(e) > 0)
        continue;
    mutex_release(&e->lock);
}

/* Threads spread over the slots by the address of something each of them has. */
static struct epoch_slot *slot_of_thread(struct epoch *e)
{
    static _Thread_local char here;
    return &e->slots[hash_mix(0, (uint64_t)(uintptr_t)&here) % EPOCH_SLOTS];
}

/* The counter of an epoch is raised first and the epoch looked at again: had it moved on in
 * between, whoever moves it next might have missed this reader. Both are sequentially consistent,
 * as are the stores and loads of advance(), so one of the two sees the other. */
struct epoch_pin epoch_enter(struct epoch *e)
{
    struct epoch_slot *slot = slot_of_thread(e);
    for (;;) {
        uint64_t now = atomic_load(&e->now);
        _Atomic uint32_t *readers = &slot->readers[now % EPOCH_GENERATIONS];
        atomic_fetch_add(readers, 1);
        if (LIKELY(atomic_load(&e->now) == now)) return (struct epoch_pin){.readers = readers};
        atomic_fetch_sub(readers, 1);
    }
}

void epoch_leave(struct epoch_pin *pin)
{
    if (!pin->readers) return;
    uint32_t before = atomic_fetch_sub(pin->readers, 1);
    ASSERT(before > 0);
    pin->readers = NULL;
}

void epoch_retire(struct epoch *e, enum epoch_kind kind, struct epoch_node *node)
{
    mutex_lock(&e->lock);
    uint64_t now = atomic_load(&e->now); /* moves under the lock only */
    list_push(&e->limbo[now % EPOCH_GENERATIONS][kind], node);
    e->limbo_count[now % EPOCH_GENERATIONS]++;
    mutex_unlock(&e->lock);
}

/* From epoch e to e + 1: only when nobody is left in e - 1. Then what was retired in e - 1 is out
 * of everybody's reach. */
static bool advance(struct epoch *e)
{
    uint64_t now = atomic_load(&e->now);
    size_t previous = (now - 1) % EPOCH_GENERATIONS;
    if (garbage_locked(e) == e->ready_count) return false; /* nothing waits for it */
    for (size_t i = 0; i < EPOCH_SLOTS; i++) {
        if (atomic_load(&e->slots[i].readers[previous]) != 0) return false;
    }
    atomic_store(&e->now, now + 1);
    for (size_t kind = 0; kind < EPOCH_KIND_COUNT; kind++)
        list_move(&e->ready[kind], &e->limbo[previous][kind]);
    e->ready_count += e->limbo_count[previous];
    e->limbo_count[previous] = 0;
    return true;
}

/* Take up to max objects off the ready lists; they come linked, all of one kind. */
static struct epoch_node *take(struct epoch *e, size_t max, enum epoch_kind *kind, size_t *taken)
{
    struct epoch_list batch = {0};
    *taken = 0;
    for (size_t k = 0; k < EPOCH_KIND_COUNT && *taken == 0; k++) {
        struct epoch_node *node;
        *kind = (enum epoch_kind)k;
        while (*taken < max && (node = list_pop(&e->ready[k])) != NULL) {
            list_push(&batch, node);
            ++*taken;
        }
    }
    e->ready_count -= *taken;
    return batch.first;
}

bool epoch_collect(struct epoch *e, size_t max)
{
    bool moved = false; /* one step a round: the next one waits for the readers of this */
    bool more = true;
    for (size_t done = 0; more && done < max;) {
        size_t batch = max - done < COLLECT_BATCH ? max - done : COLLECT_BATCH;
        enum epoch_kind kind;
        size_t taken;
        mutex_lock(&e->lock);
        struct epoch_node *node = take(e, batch, &kind, &taken);
        if (e->ready_count == 0 && !moved) moved = advance(e);
        more = e->ready_count > 0;
        mutex_unlock(&e->lock);
        while (node) {
            struct epoch_node *next = node->next;
            e->destroy[kind](e->self, node);
            node = next;
        }
        done += taken;
    }
    return more || moved;
}

size_t epoch_garbage(struct epoch *e)
{
    mutex_lock(&e->lock);
    size_t count = garbage_locked(e);
    mutex_unlock(&e->lock);
    return count;
}
