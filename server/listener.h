/*
 * listener - an address, bound, and a thread that accepts connections and gives them away.
 *
 * Whose turn it is to take a connection is the taker's to say; while it waits, the thread waits,
 * and so do clients, in the kernel's backlog.
 *
 * Threads: open and close from one; take runs on the listener's.
 */
#ifndef HEARTH_SERVER_LISTENER_H
#define HEARTH_SERVER_LISTENER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/error.h"
#include "base/thread.h"

enum { LISTENER_ADDRESS_BYTES = 96 };

/* Who gets connections. */
struct listener_taker {
    void *self;
    /* Wait until there is room for one more; false: nobody takes any more, the listener closes. */
    bool (*wait)(void *self);
    /* The socket is the taker's. */
    void (*take)(void *self, int fd, const struct sockaddr *peer, socklen_t peer_size);
};

/* "127.0.0.1:9428", "[::1]:9428". ERR_IO. */
MUST_USE enum status listener_format(const struct sockaddr *address, socklen_t size,
                                     char out[LISTENER_ADDRESS_BYTES], struct error *err);

struct listener {
    struct listener_taker taker;
    struct thread thread;
    char address[LISTENER_ADDRESS_BYTES]; /* as bound, "127.0.0.1:9428" */
    int fd;
    atomic_bool closing;
};

/* Bind "host:port" and begin to accept. ERR_UNAVAILABLE: the address is taken or not ours, the text
 * names it; ERR_INVALID, ERR_IO. */
MUST_USE enum status listener_open(struct listener *l, const char *address,
                                   const struct listener_taker *taker, struct error *err);
/* No more connections; those that were taken stay. The taker's wait returns by now. */
void listener_close(struct listener *l);

#endif
