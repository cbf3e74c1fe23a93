/* publish: a request is in a snapshot's files as a whole or with its record in the log. */
#include "base/thread.h"
#include "tests/unit/snapshot/world.h"

/* A log that keeps requests waiting before it takes them. */
struct slow_log {
    struct world world;
    struct journal log;
    _Atomic bool waits; /* somebody does */
    _Atomic bool open;
    _Atomic bool published;
};

static enum status log_slowly(void *self, const struct journal_batch *batch, struct error *err)
{
    struct slow_log *l = self;
    atomic_store(&l->waits, true);
    while (!atomic_load(&l->open))
        thread_sleep_ms(1);
    return l->log.log(l->log.self, batch, err);
}

static void write_one(void *arg)
{
    struct slow_log *l = arg;
    world_write_all(&l->world, 10, 11);
    heap_flush_thread();
}

static void publish(void *arg)
{
    struct slow_log *l = arg;
    world_snapshot(&l->world);
    atomic_store(&l->published, true);
    heap_flush_thread();
}

static void await(const _Atomic bool *condition)
{
    while (!atomic_load(condition))
        thread_sleep_ms(1);
}

START_TEST(a_manifest_waits_for_the_log)
{
    struct slow_log l = {.open = false};
    struct thread writer;
    struct thread publisher;
    struct error err;
    struct world then;
    world_init(&l.world);
    world_open(&l.world);
    world_write_all(&l.world, 0, 10);
    l.log = durability_journal(l.world.d);
    storage_set_journal(l.world.db, (struct journal){.self = &l, .log = log_slowly});
    ck_assert_int_eq(thread_start(&writer, "writer", write_one, &l, &err), OK);
    await(&l.waits);
    ck_assert_int_eq(thread_start(&publisher, "publisher", publish, &l, &err), OK);
    thread_sleep_ms(200);
    ck_assert(!atomic_load(&l.published));

    /* As if it were killed now: nothing of the request is there. */
    then = l.world;
    snprintf(then.path, sizeof(then.path), "%.200s-then", l.world.path);
    then.options.path = then.path;
    then.acknowledged[10] = false;
    world_copy(l.world.path, then.path);
    atomic_store(&l.open, true);
    thread_join(&writer);
    thread_join(&publisher);
    world_close(&l.world);
    world_open(&l.world);
    ck_assert_uint_eq(world_check(&l.world, 0), 11);
    world_close(&l.world);

    world_open(&then);
    ck_assert_uint_eq(world_check(&then, 0), 10);
    world_release(&then);
    world_remove(l.world.path);
}
END_TEST

SUITE(publish, a_manifest_waits_for_the_log)
