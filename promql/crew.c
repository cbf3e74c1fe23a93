/* crew - a list of work that wants help, and threads that go through it. */
#include "promql/crew.h"

#include <stdbool.h>

#include "alloc/heap.h"
#include "base/assert.h"
#include "base/lock.h"
#include "base/thread.h"

struct crew {
    struct mutex lock;     /* LOCK_QUEUE: everything below, and the crew's part of all work */
    struct cond called;    /* there is work, or the end */
    struct cond left;      /* a helper came to the end of its work */
    struct crew_work list; /* a ring; this one is no work */
    bool closing;
    size_t bytes;
    uint32_t thread_count; /* of threads[] that run */
    struct thread threads[];
};

/* The work that waits longest for another helper. */
static struct crew_work *find_work(struct crew *crew)
{
    for (struct crew_work *w = crew->list.next; w != &crew->list; w = w->next)
        if (w->wanted) return w;
    return NULL;
}

static void help(struct crew *crew, struct crew_work *work)
{
    work->wanted--;
    work->active++;
    mutex_unlock(&crew->lock);
    work->run(work);
    if (heap_pressure() != HEAP_CALM)
        heap_flush_thread();
    else
        heap_flush_large();
    mutex_lock(&crew->lock);
    work->active--;
    if (!work->active) cond_broadcast(&crew->left);
}

static void helper_main(void *arg)
{
    struct crew *crew = arg;
    mutex_lock(&crew->lock);
    while (!crew->closing) {
        struct crew_work *work = find_work(crew);
        if (work)
            help(crew, work);
        else
            cond_wait(&crew->called, &crew->lock);
    }
    mutex_unlock(&crew->lock);
}

enum status crew_open(uint32_t threads, struct crew **out, struct error *err)
{
    size_t bytes = sizeof(struct crew) + threads * sizeof(struct thread);
    struct crew *crew = heap_calloc(1, bytes, HEAP_PROCESS);
    if (!crew) return error_set(err, ERR_NO_MEMORY, "no memory for helpers of queries");
    mutex_init(&crew->lock, LOCK_QUEUE);
    cond_init(&crew->called);
    cond_init(&crew->left);
    crew->list.next = crew->list.previous = &crew->list;
    crew->bytes = bytes;
    while (crew->thread_count < threads) {
        enum status st = thread_start(&crew->threads[crew->thread_count], "query-helper",
                                      helper_main, crew, err);
        if (st) {
            crew_close(crew);
            return st;
        }
        crew->thread_count++;
    }
    *out = crew;
    return OK;
}

void crew_close(struct crew *crew)
{
    if (!crew) return;
    mutex_lock(&crew->lock);
    ASSERT(crew->list.next == &crew->list);
    crew->closing = true;
    cond_broadcast(&crew->called);
    mutex_unlock(&crew->lock);
    for (uint32_t i = 0; i < crew->thread_count; i++)
        thread_join(&crew->threads[i]);
    cond_release(&crew->left);
    cond_release(&crew->called);
    mutex_release(&crew->lock);
    heap_free(crew, crew->bytes, HEAP_PROCESS);
}

void crew_call(struct crew *crew, struct crew_work *work, uint32_t helpers)
{
    mutex_lock(&crew->lock);
    work->wanted = helpers < crew->thread_count ? helpers : crew->thread_count;
    work->active = 0;
    work->next = &crew->list;
    work->previous = crew->list.previous;
    work->previous->next = work;
    crew->list.previous = work;
    for (uint32_t i = 0; i < work->wanted; i++)
        cond_signal(&crew->called);
    mutex_unlock(&crew->lock);
}

void crew_dismiss(struct crew *crew, struct crew_work *work)
{
    mutex_lock(&crew->lock);
    work->wanted = 0;
    work->previous->next = work->next;
    work->next->previous = work->previous;
    while (work->active)
        cond_wait(&crew->left, &crew->lock);
    mutex_unlock(&crew->lock);
}
