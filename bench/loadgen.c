/*
 * loadgen - makes remote-write bodies and sends them.
 *
 *     loadgen encode FILE series=N samples=N [first=0 count=N per-request=2000 backlog=1
 *                                             connections=2 start=MS step=15000]
 *     loadgen send FILE HOST PORT PATH [connections=2]
 *
 * encode writes a file of bodies (bench/bodies.h); send posts them over keep-alive connections, one
 * thread each, one request at a time, and prints one line of JSON: requests, refused (not 2xx),
 * seconds, and the latencies' p50, p99 and max in milliseconds.
 */
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/bodies.h"
#include "bench/connection.h"

enum { CONNECTIONS_MAX = 64 };

struct body {
    const char *bytes;
    uint32_t size;
    uint32_t connection;
};

struct job {
    const struct body *bodies;
    size_t count;
    const char *host;
    const char *port;
    const char *path;
};

struct sender {
    const struct job *job;
    uint32_t connection;
    pthread_t thread;
    double *latencies_ms;
    size_t requests;
    size_t refused;
    char first_refusal[200];
};

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void die(const char *what)
{
    fprintf(stderr, "loadgen: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void *run(void *opaque)
{
    struct sender *sender = opaque;
    const struct job *job = sender->job;
    struct connection c;
    connection_open(&c, "loadgen", job->host, job->port, job->path);
    for (size_t i = 0; i < job->count; i++) {
        const struct body *body = &job->bodies[i];
        if (body->connection != sender->connection) continue;
        double start = now_s();
        int code = connection_post(&c, body->bytes, body->size);
        sender->latencies_ms[sender->requests++] = (now_s() - start) * 1000;
        if (code / 100 == 2) continue;
        if (sender->refused++ == 0)
            snprintf(sender->first_refusal, sizeof(sender->first_refusal), "%.180s", c.reply);
    }
    connection_close(&c);
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void report(struct sender *senders, uint32_t connections, size_t count, double seconds)
{
    double *all = malloc(sizeof(*all) * (count + 1));
    size_t requests = 0;
    size_t refused = 0;
    for (uint32_t i = 0; i < connections; i++) {
        memcpy(all + requests, senders[i].latencies_ms, senders[i].requests * sizeof(*all));
        requests += senders[i].requests;
        refused += senders[i].refused;
        if (senders[i].refused) fprintf(stderr, "loadgen: refused: %s\n", senders[i].first_refusal);
    }
    qsort(all, requests, sizeof(*all), by_value);
    printf("{\"requests\": %zu, \"refused\": %zu, \"seconds\": %.6f, \"p50_ms\": %.4f, "
           "\"p99_ms\": %.4f, \"max_ms\": %.4f}\n",
           requests, refused, seconds, requests ? all[requests / 2] : 0,
           requests ? all[requests * 99 / 100] : 0, requests ? all[requests - 1] : 0);
    free(all);
}

/* The whole file in memory, and where each body lies. */
static struct body *load_bodies(const char *file, char **bytes, size_t *count)
{
    FILE *in = fopen(file, "rb");
    if (!in || fseek(in, 0, SEEK_END)) die(file);
    size_t size = (size_t)ftell(in);
    rewind(in);
    *bytes = malloc(size + 1);
    if (!*bytes || fread(*bytes, 1, size, in) != size) die(file);
    fclose(in);
    struct body *bodies = malloc(sizeof(*bodies) * (size / 8 + 1));
    *count = 0;
    for (size_t at = 0; at + 8 <= size;) {
        struct body *body = &bodies[(*count)++];
        memcpy(&body->connection, *bytes + at, 4);
        memcpy(&body->size, *bytes + at + 4, 4);
        body->bytes = *bytes + at + 8;
        at += 8 + (size_t)body->size;
    }
    return bodies;
}

static int command_send(const char *file, const struct job *template, uint32_t connections)
{
    struct sender senders[CONNECTIONS_MAX] = {0};
    struct job job = *template;
    char *bytes;
    struct body *bodies = load_bodies(file, &bytes, &job.count);
    job.bodies = bodies;
    for (uint32_t i = 0; i < connections; i++) {
        senders[i] = (struct sender){.job = &job, .connection = i};
        senders[i].latencies_ms = malloc(sizeof(double) * (job.count + 1));
    }
    double start = now_s();
    for (uint32_t i = 0; i < connections; i++) {
        if (pthread_create(&senders[i].thread, NULL, run, &senders[i])) die("thread");
    }
    for (uint32_t i = 0; i < connections; i++)
        pthread_join(senders[i].thread, NULL);
    report(senders, connections, job.count, now_s() - start);
    for (uint32_t i = 0; i < connections; i++)
        free(senders[i].latencies_ms);
    free(bodies);
    free(bytes);
    return 0;
}

/* The number behind name= among the arguments, or a default. */
static int64_t option(int argc, char **argv, const char *name, int64_t otherwise)
{
    size_t size = strlen(name);
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], name, size) == 0 && argv[i][size] == '=')
            return strtoll(argv[i] + size + 1, NULL, 10);
    }
    return otherwise;
}

static int command_encode(int argc, char **argv)
{
    struct body_plan plan = {
        .series = (uint32_t)option(argc, argv, "series", 10000),
        .samples = (uint32_t)option(argc, argv, "samples", 120),
        .series_per_request = (uint32_t)option(argc, argv, "per-request", 2000),
        .samples_per_request = (uint32_t)option(argc, argv, "backlog", 1),
        .connections = (uint32_t)option(argc, argv, "connections", 2),
        .start_ms = option(argc, argv, "start", 0),
        .step_ms = option(argc, argv, "step", 15000),
    };
    uint32_t first = (uint32_t)option(argc, argv, "first", 0);
    uint32_t count = (uint32_t)option(argc, argv, "count", plan.samples - first);
    FILE *out = fopen(argv[2], "wb");
    if (!out) die(argv[2]);
    int64_t samples = bodies_write(out, &plan, first, count);
    if (samples < 0 || fclose(out)) die("write");
    printf("{\"samples\": %lld}\n", (long long)samples);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc >= 3 && strcmp(argv[1], "encode") == 0) return command_encode(argc, argv);
    if (argc >= 6 && strcmp(argv[1], "send") == 0) {
        struct job job = {.host = argv[3], .port = argv[4], .path = argv[5]};
        int64_t connections = option(argc, argv, "connections", 2);
        if (connections < 1 || connections > CONNECTIONS_MAX) {
            fprintf(stderr, "loadgen: connections: 1 to %d\n", CONNECTIONS_MAX);
            return 2;
        }
        return command_send(argv[2], &job, (uint32_t)connections);
    }
    fprintf(stderr, "usage: loadgen encode FILE [name=value ...]\n"
                    "       loadgen send FILE HOST PORT PATH [connections=2]\n");
    return 2;
}
