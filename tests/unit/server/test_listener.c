/* listener: connections are handed over, nothing is accepted that nobody wants, and it closes. */
#include "server/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include "base/lock.h"
#include "tests/unit/suite.h"

enum { PATIENCE_MS = 20000, MOMENT_MS = 30 };

static struct {
    struct mutex lock;
    struct cond changed;
    uint32_t wanted;
    uint32_t taken;
    bool closing;
} taker;

static bool wait_until_wanted(void *self)
{
    (void)self;
    mutex_lock(&taker.lock);
    while (!taker.closing && taker.taken == taker.wanted)
        cond_wait(&taker.changed, &taker.lock);
    bool closing = taker.closing;
    mutex_unlock(&taker.lock);
    return !closing;
}

static void take(void *self, int fd, const struct sockaddr *peer, socklen_t peer_size)
{
    (void)self;
    ck_assert_uint_eq(peer_size, sizeof(struct sockaddr_in));
    ck_assert_int_eq(peer->sa_family, AF_INET);
    close(fd);
    mutex_lock(&taker.lock);
    taker.taken++;
    cond_broadcast(&taker.changed);
    mutex_unlock(&taker.lock);
}

static void open_one(struct listener *l, const char *address, enum status expected)
{
    const struct listener_taker to = {.wait = wait_until_wanted, .take = take};
    struct error err = {0};
    enum status st = listener_open(l, address, &to, &err);
    ck_assert_msg(st == expected, "%s", err.text);
    if (st) ck_assert_msg(strstr(err.text, address) != NULL, "%s", err.text);
}

static void want(uint32_t more)
{
    mutex_lock(&taker.lock);
    taker.wanted += more;
    cond_broadcast(&taker.changed);
    mutex_unlock(&taker.lock);
}

/* How many are taken, within the time, of those that are wanted. */
static uint32_t taken_within(int64_t timeout_ms)
{
    mutex_lock(&taker.lock);
    while (taker.taken < taker.wanted)
        if (!cond_wait_for(&taker.changed, &taker.lock, timeout_ms)) break;
    uint32_t taken = taker.taken;
    mutex_unlock(&taker.lock);
    return taken;
}

static void close_one(struct listener *l)
{
    mutex_lock(&taker.lock);
    taker.closing = true;
    cond_broadcast(&taker.changed);
    mutex_unlock(&taker.lock);
    listener_close(l);
}

static int connect_to(const struct listener *l)
{
    int port = (int)strtol(strrchr(l->address, ':') + 1, NULL, 10);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

static void set_up(void)
{
    memset(&taker, 0, sizeof(taker));
    mutex_init(&taker.lock, LOCK_QUEUE);
    cond_init(&taker.changed);
}

START_TEST(connections_are_taken_when_they_are_wanted)
{
    enum { CONNECTIONS = 5 };
    struct listener l;
    int fds[CONNECTIONS];
    set_up();
    open_one(&l, "127.0.0.1:0", OK);
    for (int i = 0; i < CONNECTIONS; i++)
        fds[i] = connect_to(&l);
    want(2);
    ck_assert_uint_eq(taken_within(PATIENCE_MS), 2);
    thread_sleep_ms(MOMENT_MS);
    ck_assert_uint_eq(taken_within(0), 2);
    want(CONNECTIONS - 2);
    ck_assert_uint_eq(taken_within(PATIENCE_MS), CONNECTIONS);
    want(1);
    close_one(&l); /* while it waits in accept, probably */
    for (int i = 0; i < CONNECTIONS; i++)
        close(fds[i]);
}
END_TEST

START_TEST(it_closes_while_nobody_wants_connections)
{
    struct listener l;
    set_up();
    open_one(&l, "127.0.0.1:0", OK);
    int fd = connect_to(&l);
    close_one(&l);
    ck_assert_uint_eq(taken_within(0), 0);
    close(fd);
}
END_TEST

START_TEST(an_address_that_is_taken_or_no_address_is_refused)
{
    struct listener l;
    struct listener second;
    set_up();
    open_one(&l, "127.0.0.1:0", OK);
    open_one(&second, l.address, ERR_UNAVAILABLE);
    open_one(&second, "no address", ERR_INVALID);
    open_one(&second, "192.0.2.1:0", ERR_UNAVAILABLE);
    close_one(&l);
}
END_TEST

SUITE(listener, connections_are_taken_when_they_are_wanted,
      it_closes_while_nobody_wants_connections, an_address_that_is_taken_or_no_address_is_refused)
