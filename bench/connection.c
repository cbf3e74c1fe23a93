/* connection - see connection.h. */
#include "bench/connection.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { REPLY_BYTES = 65536 };

static void die(const struct connection *c, const char *what)
{
    fprintf(stderr, "%s: %s: %s\n", c->program, what, strerror(errno));
    exit(1);
}

void connection_open(struct connection *c, const char *program, const char *host, const char *port,
                     const char *path)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found;
    int one = 1;
    *c = (struct connection){
        .program = program, .host = host, .path = path, .reply = malloc(REPLY_BYTES)};
    if (!c->reply) die(c, "memory");
    if (getaddrinfo(host, port, &hints, &found)) die(c, "address");
    c->fd = socket(found->ai_family, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, found->ai_addr, found->ai_addrlen)) die(c, "connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    freeaddrinfo(found);
}

void connection_close(struct connection *c)
{
    close(c->fd);
    free(c->reply);
}

static void send_all(const struct connection *c, const void *bytes, size_t size)
{
    for (const char *at = bytes; size > 0;) {
        ssize_t sent = send(c->fd, at, size, MSG_NOSIGNAL);
        if (sent <= 0) die(c, "send");
        at += sent;
        size -= (size_t)sent;
    }
}

static int read_reply(struct connection *c)
{
    size_t size = 0;
    for (;;) {
        ssize_t got = recv(c->fd, c->reply + size, REPLY_BYTES - 1 - size, 0);
        if (got <= 0) die(c, "receive");
        size += (size_t)got;
        c->reply[size] = '\0';
        const char *end = strstr(c->reply, "\r\n\r\n");
        if (!end) continue;
        const char *length = strcasestr(c->reply, "content-length:");
        size_t body = length && length < end ? strtoul(length + 15, NULL, 10) : 0;
        if (size >= (size_t)(end + 4 - c->reply) + body) return (int)strtol(c->reply + 9, NULL, 10);
    }
}

int connection_post(struct connection *c, const void *body, size_t size)
{
    char head[512];
    int head_size = snprintf(head, sizeof(head),
                             "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: "
                             "application/x-protobuf\r\nContent-Encoding: snappy\r\n"
                             "X-Prometheus-Remote-Write-Version: 0.1.0\r\n"
                             "Content-Length: %zu\r\n\r\n",
                             c->path, c->host, size);
    send_all(c, head, (size_t)head_size);
    send_all(c, body, size);
    return read_reply(c);
}
