/* packed - a greedy compressor in the format of snappy (format_description.txt of the library),
 * that leaves samples alone. */
#include "bench/hours/packed.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { HASH_BITS = 15, MATCH_LEAST = 8, COPY_MOST = 64, DISTANCE_MOST = 65535, TIME_BYTES = 6 };

struct packer {
    const uint8_t *in;
    struct packed *out;
    size_t literal; /* the input from here on is not out yet */
    const bool *is_sample;
    uint32_t table[1 << HASH_BITS]; /* place + 1 of a hash of MATCH_LEAST bytes */
};

static uint32_t hash_at(const uint8_t *at)
{
    uint64_t bytes;
    memcpy(&bytes, at, sizeof(bytes));
    return (uint32_t)(bytes * 0x9E3779B97F4A7C15u >> (64 - HASH_BITS));
}

static void put(struct packed *out, unsigned byte)
{
    out->bytes[out->size++] = (uint8_t)byte;
}

/* Everything up to here as literals of at most 64 KiB. Returns where `end` is in the output. */
static void flush(struct packer *p, size_t end)
{
    while (p->literal < end) {
        size_t size = end - p->literal < 65536 ? end - p->literal : 65536;
        put(p->out, 61 << 2);
        put(p->out, (unsigned)(size - 1) & 0xFF);
        put(p->out, (unsigned)(size - 1) >> 8);
        memcpy(p->out->bytes + p->out->size, p->in + p->literal, size);
        p->out->size += size;
        p->literal += size;
    }
}

static void copy(struct packer *p, size_t at, size_t from, size_t length)
{
    flush(p, at);
    for (size_t left = length; left > 0;) {
        size_t size = left < COPY_MOST ? left : COPY_MOST;
        put(p->out, (unsigned)(size - 1) << 2 | 2);
        put(p->out, (unsigned)(at - from) & 0xFF);
        put(p->out, (unsigned)(at - from) >> 8);
        left -= size;
    }
    p->literal = at + length;
}

/* The bytes from `at` on that are the same as those from `from` on, up to end and to a sample. */
static size_t match(const struct packer *p, size_t from, size_t at, size_t end)
{
    size_t length = 0;
    while (at + length < end && !p->is_sample[from + length] &&
           p->in[from + length] == p->in[at + length])
        length++;
    return length;
}

/* Input without samples in it, from `at` to `end`. */
static void pack_text(struct packer *p, size_t at, size_t end)
{
    while (at + MATCH_LEAST <= end) {
        uint32_t *slot = &p->table[hash_at(p->in + at)];
        size_t from = *slot - 1;
        bool near = *slot > 0 && at - from <= DISTANCE_MOST;
        size_t length = near ? match(p, from, at, end) : 0;
        *slot = (uint32_t)at + 1;
        if (length >= MATCH_LEAST) copy(p, at, from, length);
        at += length >= MATCH_LEAST ? length : 1;
    }
}

static void *need(void *memory)
{
    if (!memory) {
        fputs("no memory\n", stderr);
        exit(1);
    }
    return memory;
}

void packed_make(struct packed *p, const uint8_t *message, size_t size, const uint32_t *samples,
                 size_t count)
{
    bool *is_sample = need(calloc(size + 1, sizeof(*is_sample)));
    struct packer *packer = need(calloc(1, sizeof(*packer)));
    size_t at = 0;
    *p = (struct packed){.count = count};
    p->bytes = need(malloc(size + size / 64 + 4 * count + 64));
    p->places = need(malloc((count + 1) * sizeof(*p->places)));
    *packer = (struct packer){.in = message, .out = p, .is_sample = is_sample};
    size_t left = size;
    for (; left >= 0x80; left >>= 7)
        put(p, (unsigned)left | 0x80);
    put(p, (unsigned)left);
    for (size_t i = 0; i < count; i++) {
        memset(is_sample + samples[i], true, PACKED_SAMPLE_BYTES);
        pack_text(packer, at, samples[i]);
        at = samples[i] + PACKED_SAMPLE_BYTES;
        flush(packer, at);
        p->places[i] = (uint32_t)(p->size - PACKED_SAMPLE_BYTES);
    }
    pack_text(packer, at, size);
    flush(packer, size);
    p->bytes = need(realloc(p->bytes, p->size));
    free(packer);
    free(is_sample);
}

void packed_release(struct packed *p)
{
    free(p->bytes);
    free(p->places);
    *p = (struct packed){0};
}

void packed_set(struct packed *p, size_t sample, double value, int64_t t_ms)
{
    uint8_t *at = p->bytes + p->places[sample];
    memcpy(at, &value, sizeof(value));
    uint64_t t = (uint64_t)t_ms;
    for (int i = 0; i < TIME_BYTES; i++, t >>= 7)
        at[PACKED_TIME_AT + i] = (uint8_t)((t & 0x7F) | (i < TIME_BYTES - 1 ? 0x80 : 0));
}
