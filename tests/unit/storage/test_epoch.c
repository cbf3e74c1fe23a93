/* epoch - nothing is freed under a reader, everything is freed in the end. */
#include "storage/epoch.h"

#include "alloc/heap.h"
#include "base/thread.h"
#include "tests/unit/suite.h"

struct thing {
    struct epoch_node node;
    int alive;
    bool heir; /* retires another when destroyed */
};

static _Atomic size_t destroyed;

static void destroy_thing(void *self, struct epoch_node *node)
{
    struct thing *thing = (struct thing *)node;
    (void)self;
    ck_assert_int_eq(thing->alive, 1);
    thing->alive = 0;
    atomic_fetch_add(&destroyed, 1);
    heap_free(thing, sizeof(*thing), HEAP_SERIES);
}

static struct thing *thing_create(void);

/* What is destroyed may leave something else to be destroyed: here a thing of another kind. */
static void destroy_and_retire(void *self, struct epoch_node *node)
{
    if (((struct thing *)node)->heir) epoch_retire(self, EPOCH_SEGMENT, &thing_create()->node);
    destroy_thing(self, node);
}

static struct thing *thing_create(void)
{
    struct thing *thing = heap_calloc(1, sizeof(*thing), HEAP_SERIES);
    ck_assert_ptr_nonnull(thing);
    thing->alive = 1;
    return thing;
}

static struct epoch *epoch_create(void)
{
    epoch_destroy *functions[EPOCH_KIND_COUNT];
    for (size_t kind = 0; kind < EPOCH_KIND_COUNT; kind++)
        functions[kind] = destroy_thing;
    struct epoch *e = heap_alloc_aligned(sizeof(*e), CACHE_LINE_BYTES, HEAP_PROCESS);
    ck_assert_ptr_nonnull(e);
    functions[EPOCH_SERIES] = destroy_and_retire;
    epoch_init(e, functions, e);
    atomic_store(&destroyed, 0);
    return e;
}

static void epoch_free(struct epoch *e)
{
    epoch_release(e);
    heap_free(e, sizeof(*e), HEAP_PROCESS);
}

static void settle(struct epoch *e)
{
    while (epoch_collect(e, 100))
        continue;
}

START_TEST(without_readers_garbage_goes_in_a_few_rounds)
{
    struct epoch *e = epoch_create();
    for (int i = 0; i < 1000; i++)
        epoch_retire(e, (enum epoch_kind)(i % EPOCH_KIND_COUNT), &thing_create()->node);
    ck_assert_uint_eq(epoch_garbage(e), 1000);
    settle(e);
    ck_assert_uint_eq(epoch_garbage(e), 0);
    ck_assert_uint_eq(destroyed, 1000);
    epoch_free(e);
}
END_TEST

START_TEST(what_is_destroyed_may_retire_other_things)
{
    for (int by_release = 0; by_release < 2; by_release++) {
        struct epoch *e = epoch_create();
        struct thing *thing = thing_create();
        thing->heir = true;
        epoch_retire(e, EPOCH_SERIES, &thing->node);
        while (!by_release && epoch_garbage(e) > 0)
            settle(e);
        epoch_free(e);
        ck_assert_uint_eq(destroyed, 2);
    }
}
END_TEST

START_TEST(a_reader_keeps_what_was_retired_after_it_came)
{
    struct epoch *e = epoch_create();
    struct epoch_pin pin = epoch_enter(e);
    epoch_retire(e, EPOCH_CHUNK, &thing_create()->node);
    settle(e);
    ck_assert_uint_eq(destroyed, 0);
    epoch_leave(&pin);
    settle(e);
    ck_assert_uint_eq(destroyed, 1);
    epoch_free(e);
}
END_TEST

START_TEST(a_reader_that_comes_later_does_not_keep_it_for_ever)
{
    struct epoch *e = epoch_create();
    struct epoch_pin first = epoch_enter(e);
    epoch_retire(e, EPOCH_CHUNK, &thing_create()->node);
    settle(e);
    for (int i = 0; i < 10; i++) {
        struct epoch_pin next = epoch_enter(e);
        epoch_leave(&first);
        first = next;
        settle(e);
    }
    ck_assert_uint_eq(destroyed, 1);
    epoch_leave(&first);
    epoch_free(e);
}
END_TEST

START_TEST(a_round_destroys_no_more_than_asked)
{
    struct epoch *e = epoch_create();
    for (int i = 0; i < 100; i++)
        epoch_retire(e, EPOCH_CHUNK, &thing_create()->node);
    for (size_t before = 0; epoch_collect(e, 7); before = destroyed)
        ck_assert_uint_le(destroyed - before, 7);
    ck_assert_uint_eq(destroyed, 100);
    epoch_free(e);
}
END_TEST

START_TEST(an_idle_epoch_has_nothing_to_do)
{
    struct epoch *e = epoch_create();
    ck_assert(!epoch_collect(e, 100));
    struct epoch_pin none = {0};
    epoch_leave(&none);
    epoch_free(e);
}
END_TEST

/* Threads read the object in a shared place while one replaces and retires it. */
struct shared {
    struct epoch *e;
    _Atomic(struct thing *) place;
    _Atomic bool stop;
};

static void read_shared(void *arg)
{
    struct shared *shared = arg;
    while (!atomic_load(&shared->stop)) {
        struct epoch_pin pin = epoch_enter(shared->e);
        struct thing *thing = atomic_load_explicit(&shared->place, memory_order_acquire);
        for (int i = 0; i < 10; i++)
            ck_assert_int_eq(thing->alive, 1);
        epoch_leave(&pin);
    }
}

START_TEST(readers_never_see_a_destroyed_object)
{
    enum { READERS = 3, ROUNDS = 20000 };
    struct shared shared = {.e = epoch_create()};
    struct thread threads[READERS];
    struct error err;
    atomic_store(&shared.place, thing_create());
    for (int i = 0; i < READERS; i++)
        ck_assert(thread_start(&threads[i], "reader", read_shared, &shared, &err) == OK);
    for (int i = 0; i < ROUNDS; i++) {
        struct thing *old = atomic_exchange(&shared.place, thing_create());
        epoch_retire(shared.e, EPOCH_SERIES, &old->node);
        if (i % 16 == 0) epoch_collect(shared.e, 64);
    }
    atomic_store(&shared.stop, true);
    for (int i = 0; i < READERS; i++)
        thread_join(&threads[i]);
    settle(shared.e);
    ck_assert_uint_eq(destroyed, ROUNDS);
    heap_free(atomic_load(&shared.place), sizeof(struct thing), HEAP_SERIES);
    epoch_free(shared.e);
}
END_TEST

SUITE(epoch, without_readers_garbage_goes_in_a_few_rounds,
      what_is_destroyed_may_retire_other_things, a_reader_keeps_what_was_retired_after_it_came,
      a_reader_that_comes_later_does_not_keep_it_for_ever, a_round_destroys_no_more_than_asked,
      an_idle_epoch_has_nothing_to_do, readers_never_see_a_destroyed_object)
