/* bodies - a series is a row of a table of shapes; its value at step n is a pure function of
 * target, row and n, so that any part of the data can be made again. */
#include "bench/bodies.h"

#include <math.h>
#include <snappy-c.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum value_kind {
    KIND_CONSTANT,
    KIND_COUNTER_INT,
    KIND_COUNTER_CENTI, /* two decimals */
    KIND_COUNTER_NANO,  /* nine decimals */
    KIND_GAUGE_CENTI,
    KIND_GAUGE_PAGES,
    KIND_NOISE
};

/* `count` series of one metric; label_a and label_b get the values index / b_count and index %
 * b_count of their lists, or the plain number where the list is empty. */
struct shape {
    const char *metric;
    const char *job;
    enum value_kind kind;
    uint32_t count;
    const char *label_a;
    const char *const *values_a;
    const char *label_b;
    const char *const *values_b;
    uint32_t b_count;
};

static const char *const modes[] = {"user",    "system", "idle",  "iowait",
                                    "softirq", "irq",    "steal", "nice"};
static const char *const bounds[] = {"0.005", "0.01", "0.025", "0.05", "0.1", "0.25",
                                     "0.5",   "1",    "2.5",   "5",    "10",  "+Inf"};
static const char *const handlers[] = {"/api/v1/items", "/api/v1/items/:id", "/healthz"};
static const char *const devices[] = {"eth0", "eth1", "lo", "docker0"};
static const char *const directions[] = {"receive", "transmit"};

static const struct shape shapes[] = {
    {"node_cpu_seconds_total", "node", KIND_COUNTER_CENTI, 64, "cpu", NULL, "mode", modes, 8},
    {"http_request_duration_seconds_bucket", "shop", KIND_COUNTER_INT, 36, "handler", handlers,
     "le", bounds, 12},
    {"http_request_duration_seconds_sum", "shop", KIND_COUNTER_NANO, 3, "handler", handlers, NULL,
     NULL, 1},
    {"http_request_duration_seconds_count", "shop", KIND_COUNTER_INT, 3, "handler", handlers, NULL,
     NULL, 1},
    {"container_memory_working_set_bytes", "kubelet", KIND_GAUGE_PAGES, 10, "container", NULL, NULL,
     NULL, 1},
    {"container_cpu_usage_seconds_total", "kubelet", KIND_COUNTER_NANO, 10, "container", NULL, NULL,
     NULL, 1},
    {"node_network_bytes_total", "node", KIND_COUNTER_INT, 8, "device", devices, "direction",
     directions, 2},
    {"node_disk_io_total", "node", KIND_COUNTER_INT, 8, "disk", NULL, "direction", directions, 2},
    {"kube_pod_info", "kube-state-metrics", KIND_CONSTANT, 40, "container", NULL, NULL, NULL, 1},
    {"node_filesystem_size_bytes", "node", KIND_CONSTANT, 25, "mountpoint", NULL, NULL, NULL, 1},
    {"node_filesystem_avail_bytes", "node", KIND_GAUGE_PAGES, 14, "mountpoint", NULL, NULL, NULL,
     1},
    {"node_load", "node", KIND_GAUGE_CENTI, 24, "window", NULL, NULL, NULL, 1},
    {"node_thermal_celsius", "node", KIND_NOISE, 5, "zone", NULL, NULL, NULL, 1},
};
enum { SAMPLE_BYTES = 24 };

static uint64_t mix(uint64_t x)
{
    x += 0x9E3779B97F4A7C15u;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9u;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBu;
    return x ^ (x >> 31);
}

/* A number in [0, 1) that depends on its arguments only. */
static double chance(uint64_t series, uint64_t n)
{
    return (double)(mix(series * 0x100000001B3u + n) >> 11) * 0x1p-53;
}

static double value_at(enum value_kind kind, uint64_t series, uint32_t n)
{
    double pace = 1 + floor(chance(series, 1u << 30) * 200);
    double drift = floor(chance(series, n) * 8);
    switch (kind) {
    case KIND_CONSTANT: return floor(chance(series, 7) * 1e6);
    case KIND_COUNTER_INT: return floor(pace) * n + drift;
    case KIND_COUNTER_CENTI: return round((pace * 0.07 * n + drift * 0.01) * 100) / 100;
    case KIND_COUNTER_NANO: return round((pace * 0.031234567 * n + chance(series, n)) * 1e9) / 1e9;
    case KIND_GAUGE_CENTI: return round((pace + 3 * sin(n * 0.05) + drift * 0.1) * 100) / 100;
    case KIND_GAUGE_PAGES: return 4096 * floor(pace * 1000 + 40 * drift);
    case KIND_NOISE: return 40 + chance(series, n) * 20;
    }
    return 0;
}

/* The protobuf bytes of one message under construction; callers keep it large enough. */
struct message {
    uint8_t *bytes;
    size_t size;
};

static void put_varint(struct message *m, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        m->bytes[m->size++] = (uint8_t)(v | 0x80);
    m->bytes[m->size++] = (uint8_t)v;
}

static void put_bytes(struct message *m, uint8_t key, const void *bytes, size_t size)
{
    m->bytes[m->size++] = key;
    put_varint(m, size);
    memcpy(m->bytes + m->size, bytes, size);
    m->size += size;
}

static void put_label(struct message *m, const char *name, const char *value)
{
    uint8_t bytes[512];
    struct message label = {.bytes = bytes};
    put_bytes(&label, 0x0A, name, strlen(name));
    put_bytes(&label, 0x12, value, strlen(value));
    put_bytes(m, 0x0A, bytes, label.size);
}

static void put_sample(struct message *m, int64_t t_ms, double v)
{
    uint8_t bytes[SAMPLE_BYTES];
    struct message sample = {.bytes = bytes};
    sample.bytes[sample.size++] = 0x09;
    memcpy(sample.bytes + sample.size, &v, sizeof(v));
    sample.size += sizeof(v);
    sample.bytes[sample.size++] = 0x10;
    put_varint(&sample, (uint64_t)t_ms);
    put_bytes(m, 0x12, bytes, sample.size);
}

static void label_value(char *out, size_t size, const char *const *values, const char *prefix,
                        uint32_t index)
{
    if (values)
        snprintf(out, size, "%s", values[index]);
    else
        snprintf(out, size, "%s-%u", prefix, index);
}

/* The labels of row `row` (0 .. 249) of a target, in the order Prometheus sends them: by name. */
static void put_labels(struct message *m, const struct shape *shape, uint32_t target, uint32_t row)
{
    struct {
        const char *name;
        char value[96];
    } labels[10];
    size_t count = 0;
    uint32_t a = row / shape->b_count;
    uint32_t b = row % shape->b_count;
#define ADD(label, ...)                                                                            \
    (labels[count].name = (label),                                                                 \
     snprintf(labels[count++].value, sizeof(labels[0].value), __VA_ARGS__))
    ADD("__name__", "%s", shape->metric);
    ADD("cluster", "production-eu-central-%u", target % 3);
    ADD("env", "production");
    ADD("instance", "node-%05u.example.internal:9100", target);
    ADD("job", "%s", shape->job);
    ADD("namespace", "team-%02u", target % 20);
    ADD("pod", "%s-%08x-%04x", shape->job, (uint32_t)mix(target), target & 0xFFFFu);
#undef ADD
    labels[count].name = shape->label_a;
    label_value(labels[count++].value, sizeof(labels[0].value), shape->values_a, shape->label_a, a);
    if (shape->label_b) {
        labels[count].name = shape->label_b;
        label_value(labels[count++].value, sizeof(labels[0].value), shape->values_b, shape->label_b,
                    b);
    }
    for (size_t done = 0; done < count; done++) {
        size_t least = done;
        for (size_t i = done + 1; i < count; i++) {
            if (strcmp(labels[i].name, labels[least].name) < 0) least = i;
        }
        if (least != done) {
            __typeof__(labels[0]) swapped = labels[done];
            labels[done] = labels[least];
            labels[least] = swapped;
        }
        put_label(m, labels[done].name, labels[done].value);
    }
}

/* The shape that row 0 .. 249 of a target has, and the place of the row in it. */
static const struct shape *shape_of(uint32_t *row)
{
    const struct shape *shape = shapes;
    while (*row >= shape->count)
        *row -= shape++->count;
    return shape;
}

size_t bodies_labels(uint8_t *out, uint32_t target, uint32_t row)
{
    struct message labels = {.bytes = out};
    const struct shape *shape = shape_of(&row);
    put_labels(&labels, shape, target, row);
    return labels.size;
}

double bodies_value(uint32_t target, uint32_t row, uint32_t n)
{
    uint64_t series = (uint64_t)target * SERIES_PER_TARGET + row;
    return value_at(shape_of(&row)->kind, series, n);
}

/* Senders put the time of a scrape on their grid when it is less than a few ms off. What is left in
 * captures of Prometheus is 2 to 4 % late scrapes, half of them by 8 ms or less, one in twenty by
 * more than 30 to 50. */
static int64_t lateness_ms(uint32_t target, uint32_t n)
{
    enum { LATE_PERCENT = 3, LATE_MAX_MS = 60 };
    if (chance(target, n) * 100 >= LATE_PERCENT) return 0;
    double late_ms = 3 + floor(2 / (1 - chance(target, ~n)));
    return late_ms < LATE_MAX_MS ? (int64_t)late_ms : LATE_MAX_MS;
}

int64_t bodies_time_ms(const struct body_plan *plan, uint32_t target, uint32_t n)
{
    int64_t phase = (int64_t)(mix(target) % (uint64_t)plan->step_ms);
    return plan->start_ms + phase + (int64_t)n * plan->step_ms + lateness_ms(target, n);
}

static void put_series(struct message *request, const struct body_plan *plan, uint32_t index,
                       uint32_t first, uint32_t count)
{
    uint32_t target = index / SERIES_PER_TARGET;
    uint32_t row = index % SERIES_PER_TARGET;
    const struct shape *shape = shape_of(&row);
    uint8_t bytes[BODIES_LABELS_BYTES_MAX + 512 * SAMPLE_BYTES];
    struct message series = {.bytes = bytes};
    put_labels(&series, shape, target, row);
    for (uint32_t n = first; n < first + count; n++)
        put_sample(&series, bodies_time_ms(plan, target, n), value_at(shape->kind, index, n));
    put_bytes(request, 0x0A, bytes, series.size);
}

static bool write_body(FILE *out, uint32_t connection, const struct message *request, char *packed)
{
    size_t size = snappy_max_compressed_length(request->size);
    uint32_t header[2] = {connection, 0};
    if (snappy_compress((const char *)request->bytes, request->size, packed, &size) != SNAPPY_OK)
        return false;
    header[1] = (uint32_t)size;
    return fwrite(header, sizeof(header), 1, out) == 1 && fwrite(packed, size, 1, out) == 1;
}

int64_t bodies_write(FILE *out, const struct body_plan *plan, uint32_t first, uint32_t count)
{
    size_t bytes_max = (size_t)plan->series_per_request *
                       (BODIES_LABELS_BYTES_MAX + (size_t)plan->samples_per_request * SAMPLE_BYTES);
    struct message request = {.bytes = malloc(bytes_max)};
    char *packed = malloc(snappy_max_compressed_length(bytes_max));
    int64_t written = -1;
    if (!request.bytes || !packed || plan->samples_per_request > 512) goto out;
    int64_t samples = 0;
    for (uint32_t n = first; n < first + count; n += plan->samples_per_request) {
        uint32_t left = first + count - n;
        uint32_t each = left < plan->samples_per_request ? left : plan->samples_per_request;
        uint32_t number = 0;
        for (uint32_t series = 0; series < plan->series; number++) {
            request.size = 0;
            uint32_t end = series + plan->series_per_request;
            if (end > plan->series) end = plan->series;
            for (; series < end; series++, samples += each)
                put_series(&request, plan, series, n, each);
            if (!write_body(out, number % plan->connections, &request, packed)) goto out;
        }
    }
    written = samples;
out:
    free(packed);
    free(request.bytes);
    return written;
}
