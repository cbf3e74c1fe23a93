/*
 * sender - remote write of many series for many hours, as fast as the server takes it, with the
 * server's wall clock in its hand (clock_shim.c).
 *
 *     sender CLOCK HOST PORT PATH series=N hours=N start=MS [churn=1 connections=2 step=15000
 *                                                               batch=1 first=0]
 *
 * A step is one sample of every series, 2000 series a request (bench/bodies.h), over keep-alive
 * connections, one request at a time on each. Before a step the clock moves to its end, so samples
 * are up to one step old. batch: so many steps go into one request, as from a sender that waits.
 * first: begin with this step, as if those before had been sent; start and hours are of the whole.
 * `churn` per cent of the targets an hour, one after the other, are replaced by new ones; the last
 * samples of the old one are stale markers. Refused with 5xx: sent again after a tenth of a second,
 * as a sender would.
 *
 * After each ten minutes of steps it prints a line of JSON: hour, series (alive), ended, samples,
 * requests, refused (for good), again, and the latencies' p50, p99 and max in milliseconds, of
 * these ten minutes. Last: a line "checks", of instant queries and what they have to answer.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bench/bodies.h"
#include "bench/connection.h"
#include "bench/hours/packed.h"

enum {
    TARGETS_PER_REQUEST = 8,
    SERIES_PER_REQUEST = TARGETS_PER_REQUEST * SERIES_PER_TARGET,
    CONNECTIONS_MAX = 64,
    BATCH_MAX = 40,
    MESSAGE_SAMPLE_BYTES = PACKED_SAMPLE_BYTES + 3, /* with its keys and size */
    REPORT_MS = 600000,
    HOUR_MS = 3600000,
    AGAIN_US = 100000,
    BUCKETS = 640, /* of latencies: 16 for each power of two, from a microsecond on */
    BUCKETS_PER_POWER = 16
};
static const uint64_t stale_bits = 0x7FF0000000000002u;

struct target {
    uint32_t number;
    uint32_t born; /* step */
};

struct request {
    struct target targets[TARGETS_PER_REQUEST];
    uint32_t target_count;
    struct packed body;
    struct packed farewell; /* stale markers of a target that ended; no bytes: none */
};

struct tally {
    uint64_t requests, refused, again, samples;
    double max_ms;
    uint32_t latencies[BUCKETS];
};

struct run {
    struct body_plan plan;
    _Atomic int64_t *clock_ms;
    struct request *requests;
    uint32_t request_count, target_count;
    uint32_t next_number;
    uint32_t step, steps;
    pthread_barrier_t barrier;
};

struct sender {
    struct run *run;
    uint32_t number; /* of the connection */
    pthread_t thread;
    struct connection to;
    struct tally tally;
};

static void die(const char *what)
{
    fprintf(stderr, "sender: %s: %s\n", what, strerror(errno));
    exit(1);
}

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* ---- requests ---- */

struct message {
    uint8_t *bytes;
    size_t size;
    uint32_t *samples;
    size_t sample_count;
};

static void put_size(struct message *m, uint8_t key, size_t size)
{
    m->bytes[m->size++] = key;
    for (; size >= 0x80; size >>= 7)
        m->bytes[m->size++] = (uint8_t)(size | 0x80);
    m->bytes[m->size++] = (uint8_t)size;
}

static void put_sample(struct message *m)
{
    put_size(m, 0x12, 1 + PACKED_SAMPLE_BYTES);
    m->bytes[m->size++] = 0x09; /* value, then time */
    m->samples[m->sample_count++] = (uint32_t)m->size;
    memset(m->bytes + m->size, 0, PACKED_SAMPLE_BYTES);
    m->bytes[m->size + PACKED_TIME_AT - 1] = 0x10;
    m->size += PACKED_SAMPLE_BYTES;
}

/* One TimeSeries with room for samples. */
static void put_series(struct message *m, uint32_t target, uint32_t row, uint32_t samples)
{
    uint8_t labels[BODIES_LABELS_BYTES_MAX];
    size_t size = bodies_labels(labels, target, row);
    put_size(m, 0x0A, size + (size_t)samples * MESSAGE_SAMPLE_BYTES);
    memcpy(m->bytes + m->size, labels, size);
    m->size += size;
    for (uint32_t i = 0; i < samples; i++)
        put_sample(m);
}

static void pack_targets(struct packed *out, const struct target *targets, uint32_t count,
                         uint32_t samples)
{
    size_t series = (size_t)count * SERIES_PER_TARGET;
    size_t each = BODIES_LABELS_BYTES_MAX + 16 + (size_t)samples * MESSAGE_SAMPLE_BYTES;
    struct message m = {.bytes = malloc(series * each),
                        .samples = malloc(series * samples * sizeof(*m.samples))};
    if (!m.bytes || !m.samples) die("memory");
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t row = 0; row < SERIES_PER_TARGET; row++)
            put_series(&m, targets[i].number, row, samples);
    packed_make(out, m.bytes, m.size, m.samples, m.sample_count);
    free(m.bytes);
    free(m.samples);
}

static void fill(const struct run *run, struct request *r)
{
    size_t sample = 0;
    for (uint32_t i = 0; i < r->target_count; i++) {
        const struct target *t = &r->targets[i];
        uint32_t batch = run->plan.samples_per_request;
        int64_t t_ms[BATCH_MAX];
        for (uint32_t k = 0; k < batch; k++)
            t_ms[k] = bodies_time_ms(&run->plan, t->number, run->step + k);
        for (uint32_t row = 0; row < SERIES_PER_TARGET; row++)
            for (uint32_t k = 0; k < batch; k++)
                packed_set(&r->body, sample++,
                           bodies_value(t->number, row, run->step + k - t->born), t_ms[k]);
    }
}

static void fill_farewell(const struct run *run, struct packed *farewell, uint32_t number)
{
    double stale;
    memcpy(&stale, &stale_bits, sizeof(stale));
    for (size_t i = 0; i < farewell->count; i++)
        packed_set(farewell, i, stale, bodies_time_ms(&run->plan, number, run->step));
}

/* The next target in line ends, and a new one takes its place. */
static void replace_target(struct run *run, uint32_t place)
{
    struct request *r = &run->requests[place / TARGETS_PER_REQUEST];
    struct target *t = &r->targets[place % TARGETS_PER_REQUEST];
    pack_targets(&r->farewell, t, 1, 1);
    fill_farewell(run, &r->farewell, t->number);
    *t = (struct target){.number = run->next_number++, .born = run->step};
    packed_release(&r->body);
    pack_targets(&r->body, r->targets, r->target_count, run->plan.samples_per_request);
}

/* ---- connections ---- */

static void note_latency(struct tally *tally, double ms)
{
    double power = log2(ms * 1000);
    int bucket = power < 0 ? 0 : (int)(power * BUCKETS_PER_POWER);
    tally->latencies[bucket < BUCKETS ? bucket : BUCKETS - 1]++;
    if (ms > tally->max_ms) tally->max_ms = ms;
}

static int post(struct sender *s, const struct packed *body)
{
    double start_s = now_s();
    int code = connection_post(&s->to, body->bytes, body->size);
    note_latency(&s->tally, (now_s() - start_s) * 1000);
    s->tally.requests++;
    return code;
}

static void deliver(struct sender *s, const struct packed *body)
{
    int code;
    while ((code = post(s, body)) / 100 == 5) {
        if (s->tally.again++ == 0) fprintf(stderr, "sender: again: %.300s\n", s->to.reply);
        usleep(AGAIN_US);
    }
    s->tally.samples += body->count;
    if (code / 100 == 2) return;
    if (s->tally.refused++ == 0) fprintf(stderr, "sender: refused: %.600s\n", s->to.reply);
}

static void *send_steps(void *opaque)
{
    struct sender *s = opaque;
    struct run *run = s->run;
    for (;;) {
        pthread_barrier_wait(&run->barrier); /* a step begins */
        if (run->step == run->steps) return NULL;
        for (uint32_t i = s->number; i < run->request_count; i += run->plan.connections) {
            struct request *r = &run->requests[i];
            if (r->farewell.bytes) deliver(s, &r->farewell);
            packed_release(&r->farewell);
            fill(run, r);
            deliver(s, &r->body);
        }
        pthread_barrier_wait(&run->barrier);
    }
}

/* ---- reports ---- */

static double quantile_ms(const struct tally *all, double q)
{
    uint64_t left = (uint64_t)((double)all->requests * q);
    for (int i = 0; i < BUCKETS; i++) {
        if (all->latencies[i] > left) return exp2((i + 0.5) / BUCKETS_PER_POWER) / 1000;
        left -= all->latencies[i];
    }
    return all->max_ms;
}

static void report(struct run *run, struct sender *senders)
{
    struct tally all = {0};
    for (uint32_t c = 0; c < run->plan.connections; c++) {
        struct tally *tally = &senders[c].tally;
        all.requests += tally->requests;
        all.refused += tally->refused;
        all.again += tally->again;
        all.samples += tally->samples;
        for (int i = 0; i < BUCKETS; i++)
            all.latencies[i] += tally->latencies[i];
        if (tally->max_ms > all.max_ms) all.max_ms = tally->max_ms;
        *tally = (struct tally){0};
    }
    printf("{\"hour\": %.4f, \"series\": %u, \"ended\": %u, \"samples\": %llu, \"requests\": %llu, "
           "\"refused\": %llu, \"again\": %llu, \"p50_ms\": %.3f, \"p99_ms\": %.3f, "
           "\"max_ms\": %.3f}\n",
           (double)run->step * (double)run->plan.step_ms / HOUR_MS,
           run->target_count * SERIES_PER_TARGET,
           (run->next_number - run->target_count) * SERIES_PER_TARGET,
           (unsigned long long)all.samples, (unsigned long long)all.requests,
           (unsigned long long)all.refused, (unsigned long long)all.again, quantile_ms(&all, 0.5),
           quantile_ms(&all, 0.99), all.max_ms);
    fflush(stdout);
}

/* The value of one series at some steps, as queries that a server has to answer so, and how many
 * samples there were in the 59 minutes and 7 seconds before. */
static void print_checks(const struct run *run, double hours_checked)
{
    enum { CPU_IDLE_ROW = 2, PARTS = 8, TARGETS = 16, BEHIND = 236 };
    uint32_t retained = (uint32_t)(hours_checked * HOUR_MS / (double)run->plan.step_ms);
    uint32_t first = run->steps > retained ? run->steps - retained + BEHIND + 1 : 0;
    bool more = false;
    printf("{\"checks\": [");
    for (uint32_t i = 0; i < TARGETS; i++) {
        uint32_t place = run->target_count * i / TARGETS;
        const struct target *t =
            &run->requests[place / TARGETS_PER_REQUEST].targets[place % TARGETS_PER_REQUEST];
        for (uint32_t part = 1; part <= PARTS; part++) {
            uint32_t step = first + (run->steps - 1 - first) / PARTS * part;
            if (step < t->born) continue;
            printf("%s{\"query\": \"node_cpu_seconds_total{instance=\\\"node-%05u.example.internal:"
                   "9100\\\",cpu=\\\"cpu-0\\\",mode=\\\"idle\\\"}\", \"t_ms\": %lld, "
                   "\"value\": %.17g, \"count\": %u}",
                   more ? ", " : "", t->number,
                   (long long)bodies_time_ms(&run->plan, t->number, step),
                   bodies_value(t->number, CPU_IDLE_ROW, step - t->born),
                   step - t->born < BEHIND ? step - t->born + 1 : BEHIND + 1);
            more = true;
        }
    }
    printf("]}\n");
}

/* ---- the run ---- */

static double option(int argc, char **argv, const char *name, double otherwise)
{
    size_t size = strlen(name);
    for (int i = 0; i < argc; i++) {
        if (strncmp(argv[i], name, size) == 0 && argv[i][size] == '=')
            return strtod(argv[i] + size + 1, NULL);
    }
    return otherwise;
}

static _Atomic int64_t *map_clock(const char *path)
{
    int fd = open(path, O_RDWR);
    void *mapped = fd < 0 ? MAP_FAILED
                          : mmap(NULL, sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED) die(path);
    return mapped;
}

static void make_requests(struct run *run)
{
    run->target_count = run->plan.series / SERIES_PER_TARGET;
    run->request_count = (run->target_count + TARGETS_PER_REQUEST - 1) / TARGETS_PER_REQUEST;
    run->requests = calloc(run->request_count, sizeof(*run->requests));
    if (!run->requests) die("memory");
    for (uint32_t n = 0; n < run->target_count; n++) {
        struct request *r = &run->requests[n / TARGETS_PER_REQUEST];
        r->targets[r->target_count++].number = run->next_number++;
    }
    for (uint32_t i = 0; i < run->request_count; i++)
        pack_targets(&run->requests[i].body, run->requests[i].targets,
                     run->requests[i].target_count, run->plan.samples_per_request);
}

/* The targets that have ended by now; returns how many. */
static uint32_t replace_due(struct run *run, double ends_per_step, uint32_t ended)
{
    for (; ended < (uint32_t)(ends_per_step * run->step); ended++)
        replace_target(run, ended % run->target_count);
    return ended;
}

static void simulate(struct run *run, struct sender *senders, double churn_percent, uint32_t first)
{
    uint32_t report_steps = (uint32_t)(REPORT_MS / run->plan.step_ms);
    uint32_t batch = run->plan.samples_per_request;
    double ends_per_step =
        run->target_count * churn_percent / 100 * (double)run->plan.step_ms / HOUR_MS;
    uint32_t ended = 0;
    for (; run->step < first; run->step += batch) { /* another sender has done these */
        ended = replace_due(run, ends_per_step, ended);
        for (uint32_t i = 0; i < run->request_count; i++)
            packed_release(&run->requests[i].farewell);
    }
    while (run->step < run->steps) {
        ended = replace_due(run, ends_per_step, ended);
        *run->clock_ms = run->plan.start_ms + (run->step + batch) * run->plan.step_ms;
        pthread_barrier_wait(&run->barrier);
        pthread_barrier_wait(&run->barrier); /* the step has ended */
        run->step += batch;
        if (run->step % report_steps < batch) report(run, senders);
    }
    pthread_barrier_wait(&run->barrier);
}

int main(int argc, char **argv)
{
    struct sender senders[CONNECTIONS_MAX] = {0};
    if (argc < 5) {
        fprintf(stderr, "usage: sender CLOCK HOST PORT PATH series=N hours=N start=MS ...\n");
        return 2;
    }
    struct run run = {.clock_ms = map_clock(argv[1])};
    run.plan = (struct body_plan){
        .series = (uint32_t)option(argc, argv, "series", 20000),
        .connections = (uint32_t)option(argc, argv, "connections", 2),
        .start_ms = (int64_t)option(argc, argv, "start", 0),
        .step_ms = (int64_t)option(argc, argv, "step", 15000),
        .samples_per_request = (uint32_t)option(argc, argv, "batch", 1),
    };
    if (run.plan.series < SERIES_PER_TARGET || run.plan.connections - 1 >= CONNECTIONS_MAX ||
        run.plan.samples_per_request - 1 >= BATCH_MAX)
        return 2;
    run.steps = (uint32_t)(option(argc, argv, "hours", 40) * HOUR_MS / (double)run.plan.step_ms);
    run.steps -= run.steps % run.plan.samples_per_request;
    make_requests(&run);
    if (pthread_barrier_init(&run.barrier, NULL, run.plan.connections + 1)) die("barrier");
    for (uint32_t c = 0; c < run.plan.connections; c++) {
        senders[c] = (struct sender){.run = &run, .number = c};
        connection_open(&senders[c].to, "sender", argv[2], argv[3], argv[4]);
        if (pthread_create(&senders[c].thread, NULL, send_steps, &senders[c])) die("thread");
    }
    simulate(&run, senders, option(argc, argv, "churn", 1),
             (uint32_t)option(argc, argv, "first", 0));
    for (uint32_t c = 0; c < run.plan.connections; c++) {
        pthread_join(senders[c].thread, NULL);
        connection_close(&senders[c].to);
    }
    print_checks(&run, option(argc, argv, "checked", 28));
    return 0;
}
