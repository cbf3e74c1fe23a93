/* listener - getaddrinfo, bind, and a loop around accept. */
#include "server/listener.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "server/config.h"

enum { LISTEN_BACKLOG = 1024, PAUSE_MS = 50 };

enum status listener_format(const struct sockaddr *address, socklen_t size,
                            char out[LISTENER_ADDRESS_BYTES], struct error *err)
{
    char host[64];
    char port[8];
    int failed = getnameinfo(address, size, host, sizeof(host), port, sizeof(port),
                             NI_NUMERICHOST | NI_NUMERICSERV);
    if (failed) return error_set(err, ERR_IO, "getnameinfo: %s", gai_strerror(failed));
    snprintf(out, LISTENER_ADDRESS_BYTES, address->sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s",
             host, port);
    return OK;
}

static enum status describe_address(struct listener *l, struct error *err)
{
    struct sockaddr_storage bound = {0};
    socklen_t size = sizeof(bound);
    if (getsockname(l->fd, (struct sockaddr *)&bound, &size) != 0)
        return error_set_errno(err, ERR_IO, errno, "getsockname");
    return listener_format((struct sockaddr *)&bound, size, l->address, err);
}

static int bind_first(const struct addrinfo *candidates, int *errno_out)
{
    for (const struct addrinfo *a = candidates; a; a = a->ai_next) {
        int on = 1;
        int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        if (fd < 0) {
            *errno_out = errno;
            continue;
        }
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
        if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, LISTEN_BACKLOG) == 0) return fd;
        *errno_out = errno;
        close(fd);
    }
    return -1;
}

/* An empty host is every address: the IPv6 wildcard takes IPv4 as well, so it comes first. */
static enum status open_socket(struct listener *l, const char *address, struct error *err)
{
    struct str host = {0};
    struct str port = {0};
    char host_text[256];
    char port_text[8];
    int bind_errno = 0;
    enum status st = config_split_address(str_from(address), &host, &port, err);
    if (st) return st;
    if (host.size >= sizeof(host_text) || port.size >= sizeof(port_text))
        return error_set(err, ERR_INVALID, "address %s is too long", address);
    snprintf(host_text, sizeof(host_text), "%.*s", (int)host.size, host.data);
    snprintf(port_text, sizeof(port_text), "%.*s", (int)port.size, port.data);
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    if (host.size == 0) hints.ai_family = AF_INET6;
    int failed = getaddrinfo(host.size ? host_text : NULL, port_text, &hints, &found);
    if (failed)
        return error_set(err, ERR_IO, "cannot listen on %s: %s", address, gai_strerror(failed));
    l->fd = bind_first(found, &bind_errno);
    freeaddrinfo(found);
    if (l->fd < 0 && host.size == 0) { /* no IPv6 here */
        hints.ai_family = AF_INET;
        if (getaddrinfo(NULL, port_text, &hints, &found) == 0) {
            l->fd = bind_first(found, &bind_errno);
            freeaddrinfo(found);
        }
    }
    if (l->fd < 0)
        return error_set_errno(err, ERR_UNAVAILABLE, bind_errno, "cannot listen on %s", address);
    return OK;
}

/* Of the connection, which has gone again; else what is short for all. */
static bool is_passing(int accept_errno)
{
    return accept_errno == EINTR || accept_errno == ECONNABORTED || accept_errno == EPROTO;
}

static void run(void *arg)
{
    struct listener *l = arg;
    bool complained = false;
    while (l->taker.wait(l->taker.self)) {
        struct sockaddr_storage peer;
        socklen_t size = sizeof(peer);
        int fd = accept4(l->fd, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        int accept_errno = errno;
        if (fd >= 0) {
            l->taker.take(l->taker.self, fd, (const struct sockaddr *)&peer, size);
        } else if (atomic_load(&l->closing)) {
            return;
        } else if (!is_passing(accept_errno)) {
            if (!complained)
                log_warn("http", "cannot accept connections", "address=%s errno=%d", l->address,
                         accept_errno);
            complained = true;
            thread_sleep_ms(PAUSE_MS);
        }
    }
}

enum status listener_open(struct listener *l, const char *address,
                          const struct listener_taker *taker, struct error *err)
{
    *l = (struct listener){.taker = *taker, .fd = -1};
    enum status st = open_socket(l, address, err);
    if (!st) st = describe_address(l, err);
    if (!st) st = thread_start(&l->thread, "accept", run, l, err);
    if (st && l->fd >= 0) close(l->fd);
    return st;
}

void listener_close(struct listener *l)
{
    atomic_store(&l->closing, true);
    (void)shutdown(l->fd, SHUT_RDWR); /* ends an accept that waits */
    thread_join(&l->thread);
    close(l->fd);
}
