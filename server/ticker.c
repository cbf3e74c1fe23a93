/* ticker - call, wait, call. */
#include "server/ticker.h"

/* Lock held. */
static void wait(struct ticker *t, int64_t wait_ms)
{
    if (wait_ms != TICKER_UNTIL_WOKEN) {
        if (!t->stopping && !t->woken) cond_wait_for(&t->wake, &t->lock, wait_ms);
        return;
    }
    while (!t->stopping && !t->woken)
        cond_wait(&t->wake, &t->lock);
}

static void ticker_main(void *arg)
{
    struct ticker *t = arg;
    mutex_lock(&t->lock);
    while (!t->stopping) {
        mutex_unlock(&t->lock);
        int64_t wait_ms = t->round(t->arg);
        mutex_lock(&t->lock);
        if (wait_ms > 0) wait(t, wait_ms);
        t->woken = false;
    }
    mutex_unlock(&t->lock);
}

enum status ticker_start(struct ticker *t, const char *name, int64_t (*round)(void *arg), void *arg,
                         struct error *err)
{
    mutex_init(&t->lock, LOCK_SERVER);
    cond_init(&t->wake);
    t->stopping = false;
    t->woken = false;
    t->round = round;
    t->arg = arg;
    enum status st = thread_start(&t->thread, name, ticker_main, t, err);
    if (st) {
        cond_release(&t->wake);
        mutex_release(&t->lock);
        return st;
    }
    t->started = true;
    return OK;
}

void ticker_wake(struct ticker *t)
{
    mutex_lock(&t->lock);
    t->woken = true;
    cond_signal(&t->wake);
    mutex_unlock(&t->lock);
}

void ticker_stop(struct ticker *t)
{
    if (!t->started) return;
    mutex_lock(&t->lock);
    t->stopping = true;
    cond_signal(&t->wake);
    mutex_unlock(&t->lock);
    thread_join(&t->thread);
    t->started = false;
}
