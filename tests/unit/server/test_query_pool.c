/* query_pool: every task runs once, the queue is bounded, deadlines and lost clients are noticed.
 */
#include "server/query_pool.h"

#include "base/clock.h"
#include "base/compiler.h"
#include "base/thread.h"
#include "tests/unit/suite.h"

enum { PATIENCE_MS = 20000 };

struct job {
    struct query_task task;
    atomic_int runs;
    atomic_int fate;
    atomic_bool gone; /* its client */
    atomic_bool hold; /* run() waits until this is false or it is cancelled */
    atomic_bool running;
    atomic_bool done;
    atomic_bool was_cancelled;
};

static void run(struct query_task *task)
{
    struct job *job = task->owner;
    atomic_fetch_add(&job->runs, 1);
    atomic_store(&job->fate, task->fate);
    atomic_store(&job->running, true);
    while (task->fate == QUERY_RUNS && atomic_load(&job->hold) && !atomic_load(&task->cancelled))
        thread_sleep_ms(1);
    atomic_store(&job->was_cancelled, atomic_load(&task->cancelled));
}

static void done(struct query_task *task)
{
    struct job *job = task->owner;
    atomic_store(&job->done, true);
}

static bool abandoned(struct query_task *task)
{
    struct job *job = task->owner;
    return atomic_load(&job->gone);
}

static void prepare(struct job *job)
{
    *job = (struct job){.task = {.run = run, .done = done, .abandoned = abandoned}};
    job->task.owner = job;
    atomic_store(&job->fate, -1);
}

static void wait_for(atomic_bool *flag)
{
    for (int waited = 0; !atomic_load(flag); waited++) {
        ck_assert_int_lt(waited, PATIENCE_MS);
        thread_sleep_ms(1);
    }
}

static struct query_pool *open_pool(uint32_t threads, uint64_t queue_max)
{
    struct query_pool *pool;
    struct error err;
    ck_assert_int_eq(query_pool_open(threads, queue_max, &pool, &err), OK);
    return pool;
}

/* A job that occupies the only worker. */
static void submit_holding(struct query_pool *pool, struct job *job)
{
    prepare(job);
    atomic_store(&job->hold, true);
    ck_assert(query_pool_submit(pool, &job->task));
    wait_for(&job->running);
}

START_TEST(every_task_runs_once)
{
    enum { JOBS = 2000 };
    static struct job jobs[JOBS];
    struct query_pool *pool = open_pool(4, JOBS);
    for (int i = 0; i < JOBS; i++) {
        prepare(&jobs[i]);
        ck_assert(query_pool_submit(pool, &jobs[i].task));
    }
    for (int i = 0; i < JOBS; i++)
        wait_for(&jobs[i].done);
    for (int i = 0; i < JOBS; i++) {
        ck_assert_int_eq(atomic_load(&jobs[i].runs), 1);
        ck_assert_int_eq(atomic_load(&jobs[i].fate), QUERY_RUNS);
    }
    query_pool_close(pool);
}
END_TEST

START_TEST(a_full_queue_refuses)
{
    static struct job holding;
    static struct job queued;
    static struct job refused;
    struct query_pool_stats stats;
    struct query_pool *pool = open_pool(1, 1);
    submit_holding(pool, &holding);
    prepare(&queued);
    prepare(&refused);
    ck_assert(query_pool_submit(pool, &queued.task));
    ck_assert(!query_pool_submit(pool, &refused.task));
    query_pool_stats_read(pool, &stats);
    ck_assert_uint_eq(stats.running, 1);
    ck_assert_uint_eq(stats.queued, 1);
    ck_assert_uint_eq(stats.rejected, 1);
    atomic_store(&holding.hold, false);
    wait_for(&queued.done);
    ck_assert_int_eq(atomic_load(&refused.runs), 0);
    query_pool_close(pool);
}
END_TEST

struct seen {
    uint64_t ids[4];
    bool running[4];
    int count;
};

static void see(void *self, const struct query_task *task, bool running)
{
    struct seen *seen = self;
    ck_assert_int_lt(seen->count, 4);
    seen->ids[seen->count] = task->id;
    seen->running[seen->count++] = running;
}

START_TEST(tasks_are_listed_and_cancelled_by_id)
{
    static struct job jobs[3];
    struct seen seen = {0};
    struct query_pool_stats stats;
    struct query_pool *pool = open_pool(1, 2);
    submit_holding(pool, &jobs[0]);
    for (int i = 1; i < 3; i++) {
        prepare(&jobs[i]);
        ck_assert(query_pool_submit(pool, &jobs[i].task));
    }
    query_pool_visit(pool, see, &seen);
    ck_assert_int_eq(seen.count, 3);
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(seen.ids[i], seen.ids[0] + (uint64_t)i);
        ck_assert_int_eq(seen.running[i], i == 0);
    }
    ck_assert(!query_pool_cancel(pool, seen.ids[2] + 1));
    ck_assert(query_pool_cancel(pool, seen.ids[2]));
    wait_for(&jobs[2].done);
    ck_assert_int_eq(atomic_load(&jobs[2].fate), QUERY_DROPPED);
    ck_assert(query_pool_cancel(pool, seen.ids[0]));
    wait_for(&jobs[1].done);
    ck_assert(atomic_load(&jobs[0].was_cancelled));
    ck_assert_int_eq(atomic_load(&jobs[1].fate), QUERY_RUNS);
    query_pool_stats_read(pool, &stats);
    ck_assert_uint_eq(stats.cancelled, 2);
    query_pool_close(pool);
}
END_TEST

START_TEST(a_deadline_in_the_queue_is_answered_without_a_worker)
{
    static struct job holding;
    static struct job late;
    struct query_pool *pool = open_pool(1, 10);
    submit_holding(pool, &holding);
    prepare(&late);
    late.task.deadline_ns = clock_mono_ns() + 1000000;
    ck_assert(query_pool_submit(pool, &late.task));
    wait_for(&late.done);
    ck_assert_int_eq(atomic_load(&late.fate), QUERY_EXPIRED);
    ck_assert(!atomic_load(&holding.done));
    atomic_store(&holding.hold, false);
    query_pool_close(pool);
}
END_TEST

START_TEST(a_lost_client_cancels_its_query)
{
    static struct job running;
    static struct job queued;
    struct query_pool *pool = open_pool(1, 10);
    submit_holding(pool, &running);
    prepare(&queued);
    atomic_store(&queued.gone, true);
    ck_assert(query_pool_submit(pool, &queued.task));
    wait_for(&queued.done);
    ck_assert_int_eq(atomic_load(&queued.fate), QUERY_DROPPED);
    atomic_store(&running.gone, true);
    wait_for(&running.done);
    ck_assert(atomic_load(&running.was_cancelled));
    query_pool_close(pool);
}
END_TEST

START_TEST(closing_cancels_and_runs_down)
{
    enum { JOBS = 50 };
    static struct job holding;
    static struct job jobs[JOBS];
    struct query_pool *pool = open_pool(1, JOBS);
    submit_holding(pool, &holding);
    for (int i = 0; i < JOBS; i++) {
        prepare(&jobs[i]);
        ck_assert(query_pool_submit(pool, &jobs[i].task));
    }
    query_pool_close(pool);
    ck_assert(atomic_load(&holding.done));
    ck_assert(atomic_load(&holding.was_cancelled));
    for (int i = 0; i < JOBS; i++) {
        ck_assert(atomic_load(&jobs[i].done));
        ck_assert_int_eq(atomic_load(&jobs[i].runs), 1);
        ck_assert_int_eq(atomic_load(&jobs[i].fate), QUERY_DROPPED);
    }
}
END_TEST

SUITE(query_pool, every_task_runs_once, a_full_queue_refuses, tasks_are_listed_and_cancelled_by_id,
      a_deadline_in_the_queue_is_answered_without_a_worker, a_lost_client_cancels_its_query,
      closing_cancels_and_runs_down)
