/*
 * bodies - remote-write bodies as a monitoring system of many hosts would send them, made in
 * advance.
 *
 * A target is one host: 250 series of node exporter, kubelet and one application with a classic
 * histogram, about 8 labels and 170 bytes of names and values each. A quarter never changes; the
 * rest are counters with no, two and nine decimals, gauges with two decimals or in pages of memory,
 * and a little full-mantissa noise. Every target has its own phase in the scrape step, and is late
 * now and then.
 *
 * File: records of { u32 connection, u32 size, size bytes of snappy-compressed WriteRequest },
 * little-endian, in the order in which they are to be sent.
 */
#ifndef HEARTH_BENCH_BODIES_H
#define HEARTH_BENCH_BODIES_H

#include <stdint.h>
#include <stdio.h>

enum { SERIES_PER_TARGET = 250, BODIES_LABELS_BYTES_MAX = 1024 };

struct body_plan {
    uint32_t series;              /* rounded down to whole targets, at least one */
    uint32_t samples;             /* per series */
    uint32_t series_per_request;  /* 2000 */
    uint32_t samples_per_request; /* of one series in one request: 1, or a backlog */
    uint32_t connections;         /* a series always goes over the same one */
    int64_t start_ms;
    int64_t step_ms;
};

/* Write the bodies for samples [first, first + count) of every series; returns samples written, or
 * -1 with errno. */
int64_t bodies_write(FILE *out, const struct body_plan *plan, uint32_t first, uint32_t count);

/* The parts, for senders that put bodies together themselves: the labels of row 0 .. 249 of a
 * target as fields of a TimeSeries (at most BODIES_LABELS_BYTES_MAX bytes; returns how many), its
 * value and time at step n. */
size_t bodies_labels(uint8_t *out, uint32_t target, uint32_t row);
double bodies_value(uint32_t target, uint32_t row, uint32_t n);
int64_t bodies_time_ms(const struct body_plan *plan, uint32_t target, uint32_t n);

#endif
