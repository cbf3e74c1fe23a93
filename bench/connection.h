/*
 * connection - one keep-alive connection to a server that takes remote write, as a sender has it:
 * one request at a time. What the network refuses ends the program, with its name.
 */
#ifndef HEARTH_BENCH_CONNECTION_H
#define HEARTH_BENCH_CONNECTION_H

#include <stddef.h>

struct connection {
    const char *program; /* its name, for the last words */
    const char *host, *path;
    int fd;
    char *reply; /* the last one, as text; malloc'ed */
};

void connection_open(struct connection *c, const char *program, const char *host, const char *port,
                     const char *path);
void connection_close(struct connection *c);

/* Post a snappy block and read the whole reply: the status code. */
int connection_post(struct connection *c, const void *body, size_t size);

#endif
