/* query_pool - a queue, workers, and a watcher, under one lock. */
#include "server/query_pool.h"

#include "alloc/heap.h"
#include "base/clock.h"
#include "base/lock.h"
#include "base/thread.h"

/* Tasks in a ring with a head that is no task. */
struct task_list {
    struct query_task head;
    uint64_t count;
};

struct query_pool {
    struct mutex lock;   /* LOCK_QUEUE: everything below, and the tasks' links */
    struct cond work;    /* a task was queued, or the pool closes */
    struct cond watch;   /* wakes the watcher, when there are tasks again and at close */
    bool watcher_sleeps; /* there are no tasks */
    struct task_list queue;
    struct task_list running;
    uint64_t queue_max;
    uint64_t last_id;
    bool closing;
    bool stopped; /* the threads have ended */
    struct counter submitted;
    struct counter rejected;
    struct counter expired;
    struct counter cancelled;
    struct histogram queue_time;
    struct thread watcher;
    size_t bytes;          /* of this record, threads[] with it */
    uint32_t thread_count; /* of threads[] that run */
    struct thread threads[];
};

static void list_init(struct task_list *list)
{
    list->head.next = &list->head;
    list->head.previous = &list->head;
    list->count = 0;
}

static void list_append(struct task_list *list, struct query_task *task)
{
    task->next = &list->head;
    task->previous = list->head.previous;
    task->previous->next = task;
    list->head.previous = task;
    list->count++;
}

static void list_remove(struct task_list *list, struct query_task *task)
{
    task->previous->next = task->next;
    task->next->previous = task->previous;
    list->count--;
}

static bool is_expired(const struct query_task *task, int64_t now_ns)
{
    return task->deadline_ns && now_ns >= task->deadline_ns;
}

/* Decide what becomes of a task that leaves the queue. */
static void settle_fate(struct query_pool *pool, struct query_task *task, int64_t now_ns)
{
    task->queued_ns = now_ns - task->submitted_ns;
    histogram_observe_ns(&pool->queue_time, task->queued_ns);
    task->fate = QUERY_RUNS;
    if (atomic_load(&task->cancelled)) {
        task->fate = QUERY_DROPPED;
    } else if (is_expired(task, now_ns)) {
        task->fate = QUERY_EXPIRED;
        counter_add(&pool->expired, 1);
    }
}

/* Take the first of the queue to the running list; called and returns with the lock held. */
static void run_next(struct query_pool *pool)
{
    struct query_task *task = pool->queue.head.next;
    list_remove(&pool->queue, task);
    list_append(&pool->running, task);
    mutex_unlock(&pool->lock);
    settle_fate(pool, task, clock_mono_ns());
    task->run(task);
    if (heap_pressure() != HEAP_CALM)
        heap_flush_thread();
    else
        heap_flush_large(); /* what an arena was made of: twenty threads would each keep it */
    mutex_lock(&pool->lock);
    list_remove(&pool->running, task);
    mutex_unlock(&pool->lock);
    task->done(task);
    mutex_lock(&pool->lock);
}

static void worker_main(void *arg)
{
    struct query_pool *pool = arg;
    mutex_lock(&pool->lock);
    for (;;) {
        while (pool->queue.count == 0 && !pool->closing)
            cond_wait(&pool->work, &pool->lock);
        if (pool->queue.count == 0) break;
        run_next(pool);
    }
    mutex_unlock(&pool->lock);
}

/* abandoned() asks the kernel about a socket without blocking, and holding the lock is what keeps
 * the task alive meanwhile. */
static void cancel_abandoned(struct query_pool *pool, struct task_list *list)
{
    for (struct query_task *t = list->head.next; t != &list->head; t = t->next) {
        if (atomic_load(&t->cancelled) || !t->abandoned(t)) continue;
        atomic_store(&t->cancelled, true);
        counter_add(&pool->cancelled, 1);
    }
}

/* The first queued task that no worker needs to see; out of the queue. */
static struct query_task *take_finished(struct query_pool *pool, int64_t now_ns)
{
    for (struct query_task *t = pool->queue.head.next; t != &pool->queue.head; t = t->next) {
        if (!atomic_load(&t->cancelled) && !is_expired(t, now_ns)) continue;
        list_remove(&pool->queue, t);
        return t;
    }
    return NULL;
}

/* Until it is time to look at the tasks; without tasks until there are some. */
static void watcher_wait(struct query_pool *pool)
{
    pool->watcher_sleeps = pool->queue.count == 0 && pool->running.count == 0;
    while (pool->watcher_sleeps && !pool->closing)
        cond_wait(&pool->watch, &pool->lock);
    if (!pool->closing) cond_wait_for(&pool->watch, &pool->lock, QUERY_WATCH_MS);
}

static void watcher_main(void *arg)
{
    struct query_pool *pool = arg;
    mutex_lock(&pool->lock);
    while (!pool->closing) {
        watcher_wait(pool);
        cancel_abandoned(pool, &pool->queue);
        cancel_abandoned(pool, &pool->running);
        struct query_task *task;
        while ((task = take_finished(pool, clock_mono_ns())) != NULL) {
            mutex_unlock(&pool->lock);
            settle_fate(pool, task, clock_mono_ns());
            task->run(task);
            task->done(task);
            mutex_lock(&pool->lock);
        }
    }
    mutex_unlock(&pool->lock);
}

static void pool_free(struct query_pool *pool)
{
    cond_release(&pool->watch);
    cond_release(&pool->work);
    mutex_release(&pool->lock);
    heap_free(pool, pool->bytes, HEAP_PROCESS);
}

static enum status start_threads(struct query_pool *pool, uint32_t threads, struct error *err)
{
    enum status st = thread_start(&pool->watcher, "query-watch", watcher_main, pool, err);
    if (st) {
        pool_free(pool);
        return st;
    }
    while (pool->thread_count < threads) {
        st = thread_start(&pool->threads[pool->thread_count], "query", worker_main, pool, err);
        if (st) {
            query_pool_close(pool);
            return st;
        }
        pool->thread_count++;
    }
    return OK;
}

enum status query_pool_open(uint32_t threads, uint64_t queue_max, struct query_pool **out,
                            struct error *err)
{
    size_t bytes = sizeof(struct query_pool) + threads * sizeof(struct thread);
    struct query_pool *pool = heap_calloc(1, bytes, HEAP_PROCESS);
    if (!pool) return error_set(err, ERR_NO_MEMORY, "no memory for the query pool");
    mutex_init(&pool->lock, LOCK_QUEUE);
    cond_init(&pool->work);
    cond_init(&pool->watch);
    list_init(&pool->queue);
    list_init(&pool->running);
    pool->queue_max = queue_max;
    pool->bytes = bytes;
    enum status st = start_threads(pool, threads, err);
    if (st) return st;
    *out = pool;
    return OK;
}

bool query_pool_submit(struct query_pool *pool, struct query_task *task)
{
    bool accepted = false;
    atomic_store(&task->cancelled, false);
    task->submitted_ns = clock_mono_ns();
    mutex_lock(&pool->lock);
    if (!pool->closing && pool->queue.count < pool->queue_max) {
        task->id = ++pool->last_id;
        list_append(&pool->queue, task);
        cond_signal(&pool->work);
        if (pool->watcher_sleeps) {
            pool->watcher_sleeps = false;
            cond_signal(&pool->watch);
        }
        accepted = true;
    }
    mutex_unlock(&pool->lock);
    counter_add(accepted ? &pool->submitted : &pool->rejected, 1);
    return accepted;
}

static struct query_task *find_task(struct task_list *list, uint64_t id)
{
    for (struct query_task *t = list->head.next; t != &list->head; t = t->next)
        if (t->id == id) return t;
    return NULL;
}

bool query_pool_cancel(struct query_pool *pool, uint64_t id)
{
    mutex_lock(&pool->lock);
    struct query_task *task = find_task(&pool->running, id);
    if (!task) task = find_task(&pool->queue, id);
    bool cancelled = task && !atomic_exchange(&task->cancelled, true);
    mutex_unlock(&pool->lock);
    if (cancelled) counter_add(&pool->cancelled, 1);
    return cancelled;
}

void query_pool_visit(struct query_pool *pool,
                      void (*visit)(void *self, const struct query_task *task, bool running),
                      void *self)
{
    mutex_lock(&pool->lock);
    for (struct query_task *t = pool->running.head.next; t != &pool->running.head; t = t->next)
        visit(self, t, true);
    for (struct query_task *t = pool->queue.head.next; t != &pool->queue.head; t = t->next)
        visit(self, t, false);
    mutex_unlock(&pool->lock);
}

static void cancel_list(struct query_pool *pool, struct task_list *list)
{
    for (struct query_task *t = list->head.next; t != &list->head; t = t->next) {
        if (atomic_exchange(&t->cancelled, true)) continue;
        counter_add(&pool->cancelled, 1);
    }
}

void query_pool_cancel_all(struct query_pool *pool)
{
    mutex_lock(&pool->lock);
    cancel_list(pool, &pool->queue);
    cancel_list(pool, &pool->running);
    mutex_unlock(&pool->lock);
}

void query_pool_stop(struct query_pool *pool)
{
    query_pool_cancel_all(pool);
    mutex_lock(&pool->lock);
    pool->closing = true;
    cond_broadcast(&pool->work);
    cond_broadcast(&pool->watch);
    mutex_unlock(&pool->lock);
    thread_join(&pool->watcher);
    for (uint32_t i = 0; i < pool->thread_count; i++)
        thread_join(&pool->threads[i]);
    pool->stopped = true;
}

void query_pool_close(struct query_pool *pool)
{
    if (!pool) return;
    if (!pool->stopped) query_pool_stop(pool);
    pool_free(pool);
}

void query_pool_stats_read(struct query_pool *pool, struct query_pool_stats *out)
{
    mutex_lock(&pool->lock);
    out->running = pool->running.count;
    out->queued = pool->queue.count;
    mutex_unlock(&pool->lock);
    out->threads = pool->thread_count;
    out->submitted = counter_read(&pool->submitted);
    out->rejected = counter_read(&pool->rejected);
    out->expired = counter_read(&pool->expired);
    out->cancelled = counter_read(&pool->cancelled);
    out->queue_time = &pool->queue_time;
}
