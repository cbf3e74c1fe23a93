/*
 * packed - a snappy block of which the samples can be changed without compressing it again.
 *
 * A sender of the same series sends the same labels every time; only values and times differ. So
 * the block is made once, with the bytes of each sample as a literal at a known place, which no
 * copy refers to: a step of the simulation writes 15 bytes per sample there, and the block is the
 * next one. The ratio is like that of the library, whose literals these bytes would be, too.
 */
#ifndef HEARTH_BENCH_HOURS_PACKED_H
#define HEARTH_BENCH_HOURS_PACKED_H

#include <stdint.h>
#include <stdio.h>

/* Value, key of the time, time: the tail of a Sample with a time of six bytes as a varint. */
enum { PACKED_TIME_AT = 9, PACKED_SAMPLE_BYTES = 15 };

struct packed {
    uint8_t *bytes; /* malloc'ed; a whole snappy block */
    size_t size;
    uint32_t *places; /* malloc'ed; [count], of the samples in bytes */
    size_t count;
};

/* samples: where in the message each sample begins, ascending. Ends the program without memory. */
void packed_make(struct packed *p, const uint8_t *message, size_t size, const uint32_t *samples,
                 size_t count);
void packed_release(struct packed *p);

/* t_ms between 2^35 and 2^42: 1971 to 2109. */
void packed_set(struct packed *p, size_t sample, double value, int64_t t_ms);

#endif
