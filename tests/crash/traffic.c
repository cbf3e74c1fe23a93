/*
 * traffic - writers and readers of a server that is killed under their hands, and the judge of what
 * it shows afterwards.
 *
 *     traffic PORT [seed=N] [start=MS] [writers=4] [readers=1] [groups=8] [series=50] [churn=100]
 *             [late=1000] [rate=0] [pause_us=0] [conflicts=1] [clock=FILE] [chunk=14400000]
 *             [windows=8]
 *
 * A writer sends one request after the other (plan.h) and notes in the ledger what was
 * acknowledged; now and then it sends one again, as it was or with other values, which has to be
 * refused. A reader asks for the newest acknowledged request, which has to be there whole, and for
 * one that is under way, of which all has to be there or nothing. With a rate there are so many
 * requests a second, as long as the server and the machine can. With a clock file the wall clock
 * of the server goes with the requests (bench/hours).
 *
 * When a connection fails all of them stop and wait; half of the writers then send their request
 * again, the others go on to the next. Commands on stdin, each answered by a line of JSON:
 *
 *     go            begin, or go on
 *     check         stop; compare the server's samples with the ledger
 *     check MS      the same after a power cut: what was acknowledged later than that may be gone
 *     clock         the clock by which answers are noted
 *     end
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tests/crash/ledger.h"

enum { THREADS_MAX = 64, REFUSED_PAUSE_US = 5000, AGAIN_BEHIND = 200 };

struct traffic {
    struct ledger ledger;
    uint16_t port;
    uint32_t writers, readers;
    uint32_t rate; /* of requests, all writers together; 0: as many as can be */
    uint32_t pause_us;
    bool conflicts;
    _Atomic int64_t *clock_ms; /* NULL: the real one */
    int64_t chunk_ms, windows;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool hold;       /* everybody waits */
    uint32_t parked; /* who does */
    uint32_t rounds; /* how often they went on */

    _Atomic uint32_t newest_kept;  /* number + 1 */
    _Atomic uint32_t newest_tried; /* number + 1 */
    _Atomic uint64_t requests, samples, again, contradicted, refused;
    _Atomic uint64_t pairs, missed, halves; /* of the readers */
    char fault[300];                        /* under the lock: the first wrong answer */
};

struct worker {
    struct traffic *traffic;
    pthread_t thread;
    struct client client;
    uint64_t dice;
    int64_t due_ns; /* its next request */
};

static int64_t monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static uint32_t monotonic_ms(void)
{
    return (uint32_t)(monotonic_ns() / 1000000);
}

static int64_t wall_ms(const struct traffic *t)
{
    struct timespec now;
    if (t->clock_ms) return *t->clock_ms;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static uint32_t below(struct worker *w, uint32_t end)
{
    w->dice = w->dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(w->dice >> 33) % end;
}

/* ---- stopping and going on ---- */

/* Wait while the traffic is held; `failed`: hold it. True when it was. */
static bool park(struct worker *w, bool failed)
{
    struct traffic *t = w->traffic;
    pthread_mutex_lock(&t->lock);
    bool held = t->hold || failed;
    uint32_t round = t->rounds;
    if (failed) t->hold = true;
    t->parked += held;
    if (held) pthread_cond_broadcast(&t->changed);
    while (held && round == t->rounds)
        pthread_cond_wait(&t->changed, &t->lock);
    t->parked -= held;
    pthread_mutex_unlock(&t->lock);
    if (held) client_hang_up(&w->client);
    return held;
}

static void hold(struct traffic *t)
{
    pthread_mutex_lock(&t->lock);
    t->hold = true;
    while (t->parked < t->writers + t->readers)
        pthread_cond_wait(&t->changed, &t->lock);
    pthread_mutex_unlock(&t->lock);
}

static void go_on(struct traffic *t)
{
    pthread_mutex_lock(&t->lock);
    t->hold = false;
    t->rounds++;
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->lock);
}

static void note_fault(struct traffic *t, const char *what, uint32_t number, int code,
                       const char *body)
{
    pthread_mutex_lock(&t->lock);
    if (!t->fault[0])
        (void)snprintf(t->fault, sizeof(t->fault), "%s request %u: %d %.200s", what, number, code,
                       body);
    pthread_mutex_unlock(&t->lock);
}

/* ---- writers ---- */

static int post(struct worker *w, const void *body, size_t size)
{
    return client_post(&w->client, "/api/v1/write",
                       "Content-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\n", body,
                       size);
}

static void raise_to(_Atomic uint32_t *a, uint32_t v)
{
    uint32_t now = atomic_load(a);
    while (now < v && !atomic_compare_exchange_weak(a, &now, v)) {
    }
}

static void turn_clock(struct traffic *t, uint32_t number)
{
    int64_t to_ms = t->ledger.plan.start_ms + ((int64_t)number + 1) * PLAN_STEP_MS;
    if (!t->clock_ms) return;
    int64_t now_ms = atomic_load(t->clock_ms);
    while (now_ms < to_ms && !atomic_compare_exchange_weak(t->clock_ms, &now_ms, to_ms)) {
    }
}

/* Until it is acknowledged, or given up after a failure of the server. */
static void deliver(struct worker *w, uint32_t number)
{
    struct traffic *t = w->traffic;
    const struct batch b = plan_batch(&t->ledger.plan, number);
    size_t size;
    void *body = plan_body(&b, 0, &size);
    turn_clock(t, number);
    ledger_set(&t->ledger, number, LEDGER_TRIED);
    raise_to(&t->newest_tried, number + 1);
    for (;;) {
        int code = post(w, body, size);
        if (code == 204) {
            t->ledger.entries[number].answered_ms = monotonic_ms();
            ledger_set(&t->ledger, number, LEDGER_KEPT);
            raise_to(&t->newest_kept, number + 1);
            t->requests++;
            t->samples += (uint64_t)b.series * b.samples;
            break;
        }
        if (code != 0 && code != 503) {
            note_fault(t, "write of", number, code, w->client.body);
            break;
        }
        t->refused += code == 503;
        if (code == 503) usleep(REFUSED_PAUSE_US);
        if (park(w, code == 0) && below(w, 2)) break; /* nobody knows: it may be in or not */
    }
    free(body);
}

/* One that is there already: the same is fine, other values are refused. */
static void repeat(struct worker *w, uint32_t newest)
{
    struct traffic *t = w->traffic;
    uint32_t number = newest - below(w, newest < AGAIN_BEHIND ? newest + 1 : AGAIN_BEHIND);
    bool contradicts = t->conflicts && below(w, 3) == 0;
    if (ledger_get(&t->ledger, number) != LEDGER_KEPT) return;
    const struct batch b = plan_batch(&t->ledger.plan, number);
    size_t size;
    void *body = plan_body(&b, contradicts, &size);
    int code = post(w, body, size);
    free(body);
    if (contradicts ? code == 400 : code == 204) {
        atomic_fetch_add(contradicts ? &t->contradicted : &t->again, 1);
    } else if (code == 0 || code == 503) {
        park(w, code == 0);
    } else {
        note_fault(t, contradicts ? "contradiction of" : "repetition of", number, code,
                   w->client.body);
    }
}

/* What was missed is not made good. */
static void await_turn(struct worker *w)
{
    const struct traffic *t = w->traffic;
    if (!t->rate) return;
    int64_t now_ns = monotonic_ns();
    if (w->due_ns > now_ns) usleep((useconds_t)((w->due_ns - now_ns) / 1000));
    if (w->due_ns < now_ns) w->due_ns = now_ns;
    w->due_ns += INT64_C(1000000000) * t->writers / t->rate;
}

static void *write_requests(void *opaque)
{
    struct worker *w = opaque;
    struct traffic *t = w->traffic;
    for (;;) {
        await_turn(w);
        park(w, false);
        uint32_t number = atomic_fetch_add(&t->ledger.next, 1);
        if (number >= LEDGER_MAX) {
            note_fault(t, "the ledger is full before", number, 0, "");
            return NULL;
        }
        deliver(w, number);
        if (below(w, 16) == 0) repeat(w, number);
        if (t->pause_us) usleep(t->pause_us);
    }
}

/* ---- readers ---- */

/* How many samples of a request a query finds, of one moment or of a range with one step; -1: no
 * answer. */
static int64_t look(struct worker *w, const struct batch *b)
{
    char form[300];
    char time[40];
    bool range = below(w, 2);
    const char *before = range ? "\"values\":[[" : "\"value\":[";
    int64_t last_ms = b->t_ms + b->samples - 1;
    (void)snprintf(time, sizeof(time), "%" PRId64 ".%03" PRId64, last_ms / 1000, last_ms % 1000);
    int size = snprintf(form, sizeof(form),
                        "query=sum(count_over_time(ledger%%7Bg%%3D%%22%u%%22%%7D%%5B%ums%%5D))"
                        "&time=%s&start=%s&end=%s&step=1",
                        b->group, b->samples, time, time, time);
    int code =
        client_post(&w->client, range ? "/api/v1/query_range" : "/api/v1/query",
                    "Content-Type: application/x-www-form-urlencoded\r\n", form, (size_t)size);
    if (code == 0 || code == 503) {
        park(w, code == 0);
        return -1;
    }
    const char *value = code == 200 ? strstr(w->client.body, before) : NULL;
    if (code != 200) note_fault(w->traffic, "query of", b->number, code, w->client.body);
    if (value) value = strstr(value, ",\"");
    return value ? strtoll(value + 2, NULL, 10) : 0;
}

static void *read_requests(void *opaque)
{
    struct worker *w = opaque;
    struct traffic *t = w->traffic;
    while (atomic_load(&t->newest_tried) < LEDGER_MAX) {
        park(w, false);
        bool kept = below(w, 2);
        uint32_t newest = atomic_load(kept ? &t->newest_kept : &t->newest_tried);
        if (newest == 0) {
            usleep(1000);
            continue;
        }
        /* Before it is asked for. Of one that a power cut has left in part nothing is expected. */
        enum ledger_state state = ledger_get(&t->ledger, newest - 1);
        kept = state == LEDGER_KEPT;
        const struct batch b = plan_batch(&t->ledger.plan, newest - 1);
        int64_t found = look(w, &b);
        if (found < 0) continue;
        bool whole = found == (int64_t)b.series * b.samples;
        t->pairs++;
        if (kept && !whole) t->missed++;
        if (!kept && state != LEDGER_PARTLY && !whole && found > 0) t->halves++;
        if (t->pause_us) usleep(t->pause_us);
    }
    return NULL;
}

/* ---- commands ---- */

static void check(struct traffic *t, struct client *c, const char *stable_ms)
{
    struct ledger_verdict v;
    client_hang_up(c);
    hold(t);
    int64_t now_ms = wall_ms(t);
    int64_t window = now_ms / t->chunk_ms - (t->windows - 1);
    const struct ledger_question question = {.now_ms = now_ms,
                                             .oldest_ms = window * t->chunk_ms,
                                             .power_cut = *stable_ms != '\0',
                                             .stable_ms = (uint32_t)strtoul(stable_ms, NULL, 10)};
    bool asked = ledger_check(&t->ledger, c, &question, &v);
    for (char *p = v.first; *p; p++)
        if (*p == '"' || *p == '\\' || *p < ' ') *p = '\'';
    for (char *p = t->fault; *p; p++)
        if (*p == '"' || *p == '\\' || *p < ' ') *p = '\'';
    printf("{\"asked\": %s, \"first\": \"%s\", \"fault\": \"%s\", \"there\": %" PRIu64
           ", \"series\": %" PRIu64 ", \"kept\": %" PRIu64 ", \"lost\": %" PRIu64
           ", \"wrong\": %" PRIu64 ", \"twice\": %" PRIu64 ", \"invented\": %" PRIu64
           ", \"torn\": %" PRIu64 ", \"gone\": %" PRIu64 ", \"acknowledged\": %" PRIu64
           ", \"requests\": %" PRIu64 ", \"again\": %" PRIu64 ", \"contradicted\": %" PRIu64
           ", \"refused\": %" PRIu64 ", \"pairs\": %" PRIu64 ", \"missed\": %" PRIu64
           ", \"halves\": %" PRIu64 "}\n",
           asked ? "true" : "false", v.first, t->fault, v.samples, v.series, v.kept, v.lost,
           v.wrong, v.twice, v.invented, v.torn, v.gone, t->samples, t->requests, t->again,
           t->contradicted, t->refused, t->pairs, t->missed, t->halves);
}

static void obey(struct traffic *t)
{
    char line[100];
    struct client c;
    client_init(&c, t->port);
    while (fgets(line, sizeof(line), stdin) && strcmp(line, "end\n") != 0) {
        if (strncmp(line, "check", 5) == 0) {
            line[strcspn(line, "\n")] = '\0';
            check(t, &c, line[5] ? line + 6 : "");
        } else if (strcmp(line, "clock\n") == 0) {
            printf("{\"clock\": %u}\n", monotonic_ms());
        } else if (strcmp(line, "go\n") == 0) {
            go_on(t);
            printf("{}\n");
        }
        fflush(stdout);
    }
}

/* ---- the start ---- */

static const char *option(int argc, char **argv, const char *name)
{
    size_t size = strlen(name);
    for (int i = 2; i < argc; i++)
        if (strncmp(argv[i], name, size) == 0 && argv[i][size] == '=') return argv[i] + size + 1;
    return NULL;
}

static int64_t number_option(int argc, char **argv, const char *name, int64_t otherwise)
{
    const char *text = option(argc, argv, name);
    return text ? strtoll(text, NULL, 10) : otherwise;
}

static _Atomic int64_t *map_clock(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *mapped = fd < 0 ? MAP_FAILED
                          : mmap(NULL, sizeof(int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped == MAP_FAILED) {
        fprintf(stderr, "traffic: %s: %s\n", path, strerror(errno));
        exit(1);
    }
    close(fd);
    return mapped;
}

int main(int argc, char **argv)
{
    static struct worker workers[THREADS_MAX];
    static struct traffic t;
    if (argc < 2) {
        fprintf(stderr, "usage: traffic PORT [name=value ...]\n");
        return 2;
    }
    const struct plan plan = {.seed = (uint64_t)number_option(argc, argv, "seed", 1),
                              .start_ms = number_option(argc, argv, "start", 0) / PLAN_STEP_MS *
                                          PLAN_STEP_MS,
                              .groups = (uint32_t)number_option(argc, argv, "groups", 8),
                              .series = (uint32_t)number_option(argc, argv, "series", 50),
                              .churn = (uint32_t)number_option(argc, argv, "churn", 100),
                              .late_max = (uint32_t)number_option(argc, argv, "late", 1000)};
    ledger_init(&t.ledger, &plan);
    t.port = (uint16_t)strtoul(argv[1], NULL, 10);
    t.writers = (uint32_t)number_option(argc, argv, "writers", 4);
    t.readers = (uint32_t)number_option(argc, argv, "readers", 1);
    t.rate = (uint32_t)number_option(argc, argv, "rate", 0);
    t.pause_us = (uint32_t)number_option(argc, argv, "pause_us", 0);
    t.conflicts = number_option(argc, argv, "conflicts", 1) != 0;
    t.chunk_ms = number_option(argc, argv, "chunk", INT64_C(4) * 3600 * 1000);
    t.windows = number_option(argc, argv, "windows", 8);
    const char *clock_path = option(argc, argv, "clock");
    if (clock_path) t.clock_ms = map_clock(clock_path);
    if (t.writers + t.readers > THREADS_MAX || plan.late_max < PLAN_LATE || !plan.groups) return 2;
    pthread_mutex_init(&t.lock, NULL);
    pthread_cond_init(&t.changed, NULL);
    t.hold = true;
    for (uint32_t i = 0; i < t.writers + t.readers; i++) {
        struct worker *w = &workers[i];
        *w = (struct worker){.traffic = &t, .dice = plan.seed + i};
        client_init(&w->client, t.port);
        if (pthread_create(&w->thread, NULL, i < t.writers ? write_requests : read_requests, w))
            abort();
    }
    obey(&t);
    exit(0); /* the workers know no end */
}
