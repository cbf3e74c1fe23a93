/*
 * client - one connection to a server that may be killed at any moment: every failure of the
 * network is an answer, and the next question connects again.
 *
 * Threads: one per client.
 */
#ifndef HEARTH_TESTS_CRASH_CLIENT_H
#define HEARTH_TESTS_CRASH_CLIENT_H

#include <stddef.h>
#include <stdint.h>

struct client {
    uint16_t port; /* on 127.0.0.1 */
    int fd;        /* -1: not connected */
    char *reply;   /* head and body of the last answer, NUL-terminated; malloc'ed */
    size_t capacity;
    const char *body; /* in reply */
    size_t body_size;
};

void client_init(struct client *c, uint16_t port);
void client_release(struct client *c);
/* The next question connects again: for a server that was started anew. */
void client_hang_up(struct client *c);

/* headers: "Name: value\r\n" each. The status code; 0: the connection failed, and nobody knows what
 * became of the request. */
int client_post(struct client *c, const char *path, const char *headers, const void *body,
                size_t size);

#endif
