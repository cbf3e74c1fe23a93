/*
 * client - see client.h.
 */
#include "tests/crash/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { REPLY_BYTES = 65536, PATIENCE_S = 60 };

void client_init(struct client *c, uint16_t port)
{
    *c = (struct client){.port = port, .fd = -1, .capacity = REPLY_BYTES};
    c->reply = malloc(c->capacity);
    if (!c->reply) abort();
}

void client_hang_up(struct client *c)
{
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
}

void client_release(struct client *c)
{
    client_hang_up(c);
    free(c->reply);
}

static bool connected(struct client *c)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons(c->port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval patience = {.tv_sec = PATIENCE_S};
    int one = 1;
    if (c->fd >= 0) return true;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0) return false;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    setsockopt(c->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) == 0) return true;
    client_hang_up(c);
    return false;
}

static bool send_all(const struct client *c, const void *bytes, size_t size)
{
    for (const char *at = bytes; size > 0;) {
        ssize_t sent = send(c->fd, at, size, MSG_NOSIGNAL);
        if (sent <= 0) return false;
        at += sent;
        size -= (size_t)sent;
    }
    return true;
}

static bool receive_some(struct client *c, size_t *size, size_t wanted)
{
    if (*size + wanted + 1 > c->capacity) {
        c->capacity = 2 * (*size + wanted + 1);
        c->reply = realloc(c->reply, c->capacity);
        if (!c->reply) abort();
    }
    ssize_t got;
    do { /* with a timeout, a stop of the process interrupts it */
        got = recv(c->fd, c->reply + *size, c->capacity - 1 - *size, 0);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) return false;
    *size += (size_t)got;
    c->reply[*size] = '\0';
    return true;
}

static int receive(struct client *c)
{
    size_t size = 0;
    const char *end = NULL;
    while (!end) {
        if (!receive_some(c, &size, 0)) return 0;
        end = strstr(c->reply, "\r\n\r\n");
    }
    size_t head = (size_t)(end - c->reply) + 4;
    const char *length = strcasestr(c->reply, "\r\ncontent-length:");
    size_t body = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
    bool closes = strcasestr(c->reply, "\r\nconnection: close") != NULL;
    while (size < head + body)
        if (!receive_some(c, &size, head + body - size)) return 0;
    c->body = c->reply + head;
    c->body_size = body;
    if (closes) client_hang_up(c);
    return (int)strtol(c->reply + 9, NULL, 10);
}

int client_post(struct client *c, const char *path, const char *headers, const void *body,
                size_t size)
{
    char head[512];
    int head_size = snprintf(head, sizeof(head),
                             "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\n%sContent-Length: %zu\r\n\r\n",
                             path, headers, size);
    if (!connected(c)) return 0;
    int code = send_all(c, head, (size_t)head_size) && send_all(c, body, size) ? receive(c) : 0;
    if (code == 0) client_hang_up(c);
    return code;
}
