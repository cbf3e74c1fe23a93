/*
 * measure - bytes and nanoseconds per sample of chunk encodings, on captured metrics.
 *
 *     measure FILE [CHUNK_SAMPLES [EVERY]]        every EVERYth sample, chunks of CHUNK_SAMPLES
 *
 * FILE, little-endian: "HSER", u32 count of series, then per series u32 bytes of labels, the
 * labels, u32 count of samples, and per sample i64 ms and the 64 bits of the double.
 *
 * What is left at the end of a series, less than half a chunk, is left out: in storage windows cut
 * all series, and none into so short a piece.
 *
 * Encodings: Prometheus' XOR in chunks of 120 samples and in one chunk, the open one, and the
 * sealed one in scalar code and in what this CPU has. Sealed chunks with the same times and values
 * are stored once. "in a region" is what storage makes of them: heads, and objects of whole words.
 * Each is timed in turn, several rounds, and the least CPU time of a round counts. Everything is
 * decoded and compared bit for bit first.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "alloc/region.h"
#include "base/bits.h"
#include "base/endian.h"
#include "base/hash.h"
#include "encoding/block.h"
#include "encoding/open_lanes.h"
#include "encoding/times.h"
#include "encoding/values.h"
#include "storage/sealed.h"
#include "storage/xor_codec.h"

enum {
    ROUNDS = 7,
    PROMETHEUS_CHUNK = 120,
    SAMPLE_BYTES_MAX = 24,
    REFERENCE_BYTES = 4,
    TOGETHER = 16 /* open chunks */
};

static void die(const char *what)
{
    fprintf(stderr, "measure: %s\n", what);
    exit(1);
}

/* One chunk of one series, and what it became. */
struct chunk_data {
    const int64_t *t_ms;
    const double *v;
    uint32_t count;
    const uint8_t *bytes;
    size_t size;
    const uint8_t *times; /* of the sealed encoding: the column is another's when it is equal */
    size_t times_size;
};

struct data {
    struct chunk_data *chunks;
    size_t chunk_count;
    uint64_t samples;
    size_t samples_max; /* of a chunk */
};

static uint8_t *read_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    if (!f || fseek(f, 0, SEEK_END)) die("cannot read the file");
    *size = (size_t)ftell(f);
    uint8_t *bytes = malloc(*size);
    rewind(f);
    if (!bytes || fread(bytes, 1, *size, f) != *size) die("cannot read the file");
    fclose(f);
    return bytes;
}

static void add_chunk(struct data *d, const int64_t *t_ms, const double *v, uint32_t count)
{
    d->chunks = realloc(d->chunks, (d->chunk_count + 1) * sizeof(*d->chunks));
    if (!d->chunks) die("no memory");
    d->chunks[d->chunk_count++] = (struct chunk_data){.t_ms = t_ms, .v = v, .count = count};
    d->samples += count;
    if (count > d->samples_max) d->samples_max = count;
}

static void cut_series(struct data *d, const uint8_t *at, uint32_t count, uint32_t chunk_samples,
                       uint32_t every)
{
    int64_t *t_ms = malloc((count + 1) * sizeof(*t_ms));
    double *v = malloc((count + 1) * sizeof(*v));
    uint32_t kept = 0;
    if (!t_ms || !v) die("no memory");
    for (uint32_t i = 0; i < count; i += every, kept++) {
        t_ms[kept] = (int64_t)get_le64(at + (size_t)i * 16);
        v[kept] = bits_to_double(get_le64(at + (size_t)i * 16 + 8));
    }
    for (uint32_t i = 0; i < kept && kept - i >= chunk_samples / 2; i += chunk_samples)
        add_chunk(d, t_ms + i, v + i, kept - i < chunk_samples ? kept - i : chunk_samples);
}

static struct data read_data(const char *path, uint32_t chunk_samples, uint32_t every)
{
    struct data d = {0};
    size_t size;
    uint8_t *bytes = read_file(path, &size);
    if (size < 8 || memcmp(bytes, "HSER", 4) != 0) die("not such a file");
    size_t at = 8;
    for (uint32_t left = get_le32(bytes + 4); left > 0; left--) {
        if (size - at < 4) die("the file is cut");
        at += 4 + (size_t)get_le32(bytes + at);
        if (at + 4 > size) die("the file is cut");
        uint32_t count = get_le32(bytes + at);
        at += 4;
        if ((size - at) / 16 < count) die("the file is cut");
        cut_series(&d, bytes + at, count, chunk_samples, every);
        at += (size_t)count * 16;
    }
    free(bytes);
    return d;
}

/* ---- encodings ---- */

/* Where encoded bytes go, and scratch. */
struct work {
    uint8_t *out; /* enough for the longest chunk */
    size_t size;
    uint64_t bits;
    int64_t *t_ms;
    double *v;
    struct arena arena;
    struct buf buf;
    struct buf times;
};

static void put_bits(struct work *w, const uint64_t *words, uint32_t count)
{
    for (uint32_t done = 0; done < count; done += 64) {
        uint8_t *at = w->out + w->bits / 8;
        uint32_t used = w->bits % 8;
        uint64_t word = words[done / 64];
        uint64_t first = htobe64(word >> used);
        if (used) first |= *at;
        memcpy(at, &first, 8);
        at[8] = used ? (uint8_t)(word << (8 - used)) : 0;
        w->bits += count - done < 64 ? count - done : 64;
    }
}

static void xor_put(struct work *w, const struct chunk_data *c, uint32_t from, uint32_t count)
{
    struct xor_state state = {.count = 0};
    w->bits = 0;
    for (uint32_t i = from; i < from + count; i++) {
        struct sample_bits bits;
        xor_encode(&state, c->t_ms[i], c->v[i], &bits);
        put_bits(w, bits.words, bits.count);
    }
    w->size = (w->bits + 7) / 8;
}

static void xor_chunk(struct work *w, const struct chunk_data *c)
{
    xor_put(w, c, 0, c->count);
}

static void open_chunk(struct work *w, const struct chunk_data *c)
{
    struct open_state state = {.bits = 0};
    w->bits = 0;
    for (uint32_t i = 0; i < c->count; i++) {
        struct sample_bits bits;
        open_encode(&state, c->t_ms[i], c->v[i], &bits);
        put_bits(w, bits.words, bits.count);
    }
    w->size = (w->bits + 7) / 8;
}

static void sealed_chunk(struct work *w, const struct chunk_data *c)
{
    buf_reset(&w->buf);
    if (values_encode(c->v, c->count, &w->arena, &w->buf)) die("values_encode");
}

static void sealed_times(struct work *w, const struct chunk_data *c)
{
    buf_reset(&w->times);
    if (times_encode(c->t_ms, c->count, &w->arena, &w->times)) die("times_encode");
}

static void xor_read(struct work *w, const struct chunk_data *c)
{
    struct xor_state state;
    struct columns columns = {.t_ms = w->t_ms, .v = w->v, .capacity = c->count};
    if (xor_decode(c->bytes, c->size, c->count, INT64_MIN, INT64_MAX, &columns, &state))
        die("xor_decode");
}

static void open_read(struct work *w, const struct chunk_data *c)
{
    struct open_state state;
    uint32_t count = c->count;
    if (open_decode(c->bytes, c->size, &count, w->t_ms, w->v, &state)) die("open_decode");
}

static void sealed_decode_values(struct work *w, const struct chunk_data *c)
{
    if (values_decode(c->bytes, c->size, w->v, c->count, NULL)) die("values_decode");
}

static void sealed_decode(struct work *w, const struct chunk_data *c)
{
    if (times_decode(c->times, c->times_size, w->t_ms, c->count)) die("times_decode");
    sealed_decode_values(w, c);
}

/* So many chunks from the first on at once, as a query over many series does. */
static void open_read_together(struct work *w, const struct chunk_data *first, size_t count)
{
    struct open_lane lanes[TOGETHER];
    size_t at = 0;
    for (size_t i = 0; i < count; at += first[i++].count)
        lanes[i] = (struct open_lane){.bytes = first[i].bytes,
                                      .size = first[i].size,
                                      .t_ms = w->t_ms + at,
                                      .v = w->v + at,
                                      .count = first[i].count};
    open_lanes_decode(lanes, count);
    for (size_t i = 0; i < count; i++)
        if (lanes[i].status) die("open_lanes_decode");
}

typedef void step(struct work *, const struct chunk_data *);

static double cpu_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* One round over all chunks; keeps the least. */
static void timed(step *f, struct work *w, const struct data *d, double *least)
{
    double start = cpu_ns();
    for (size_t i = 0; i < d->chunk_count; i++)
        f(w, &d->chunks[i]);
    double ns = (cpu_ns() - start) / (double)d->samples;
    if (*least == 0 || ns < *least) *least = ns;
}

static void timed_together(struct work *w, const struct data *d, double *least)
{
    double start = cpu_ns();
    for (size_t i = 0; i < d->chunk_count; i += TOGETHER)
        open_read_together(w, &d->chunks[i],
                           d->chunk_count - i < TOGETHER ? d->chunk_count - i : TOGETHER);
    double ns = (cpu_ns() - start) / (double)d->samples;
    if (*least == 0 || ns < *least) *least = ns;
}

static const uint8_t *copy(const void *bytes, size_t size)
{
    uint8_t *kept = calloc(1, size + OPEN_LANE_SLACK_BYTES);
    if (!kept) die("no memory");
    memcpy(kept, bytes, size);
    return kept;
}

static void check_same(const struct work *w, const struct chunk_data *c)
{
    if (memcmp(w->v, c->v, c->count * sizeof(*w->v)) != 0) die("other values came back");
    if (memcmp(w->t_ms, c->t_ms, c->count * sizeof(*w->t_ms)) != 0) die("other times came back");
}

struct row {
    const char *name;
    double bytes; /* per sample */
    double encode_ns;
    double decode_ns;
};

/* Encode all chunks with a bit stream encoding, and check. */
static struct data bit_streams(const struct data *d, struct work *w, step *encode, step *decode,
                               struct row *row)
{
    struct data out = *d;
    uint64_t bytes = 0;
    out.chunks = malloc(d->chunk_count * sizeof(*out.chunks));
    if (!out.chunks) die("no memory");
    for (size_t i = 0; i < d->chunk_count; i++) {
        struct chunk_data *c = &out.chunks[i];
        *c = d->chunks[i];
        encode(w, c);
        c->bytes = copy(w->out, w->size);
        c->size = w->size;
        bytes += w->size;
        decode(w, c);
        check_same(w, c);
    }
    row->bytes = (double)bytes / (double)d->samples;
    return out;
}

/* An earlier chunk with the same column of times; NULL: there is none. A chunk looks at those
 * before it, newest first: series of one scrape stand together. */
static const struct chunk_data *find_times(const struct data *d, size_t before, const struct buf *b)
{
    for (size_t i = before; i-- > 0;) {
        const struct chunk_data *c = &d->chunks[i];
        if (c->times_size == b->size && memcmp(c->times, b->data, b->size) == 0) return c;
    }
    return NULL;
}

/* Whether an earlier chunk is the same; times that are equal are one column. */
static bool is_there(const struct data *d, size_t before)
{
    const struct chunk_data *this = &d->chunks[before];
    for (size_t i = before; i-- > 0;) {
        const struct chunk_data *c = &d->chunks[i];
        if (c->times == this->times && c->size == this->size &&
            memcmp(c->bytes, this->bytes, c->size) == 0)
            return true;
    }
    return false;
}

static uint64_t object_bytes(uint64_t bytes)
{
    return bits_align_up(bytes, REGION_ALIGNMENT);
}

static struct data sealed_chunks(const struct data *d, struct work *w, struct row *row)
{
    struct data out = *d;
    uint64_t bytes = 0;
    uint64_t times_bytes = 0;
    uint64_t region_bytes = 0;
    uint64_t columns = 0;
    uint64_t stored = 0;
    out.chunks = malloc(d->chunk_count * sizeof(*out.chunks));
    if (!out.chunks) die("no memory");
    for (size_t i = 0; i < d->chunk_count; i++) {
        struct chunk_data *c = &out.chunks[i];
        *c = d->chunks[i];
        sealed_chunk(w, c);
        c->bytes = copy(w->buf.data, w->buf.size);
        c->size = w->buf.size;
        sealed_times(w, c);
        const struct chunk_data *same = find_times(&out, i, &w->times);
        c->times_size = w->times.size;
        c->times = same ? same->times : copy(w->times.data, w->times.size);
        if (!same) {
            times_bytes += c->times_size;
            region_bytes += object_bytes(sizeof(struct sealed_times) + c->times_size);
            columns++;
        }
        if (!same || !is_there(&out, i)) {
            times_bytes += REFERENCE_BYTES;
            bytes += c->size;
            region_bytes += object_bytes(sealed_bytes_for((uint32_t)c->size));
            stored++;
        }
        sealed_decode(w, c);
        check_same(w, c);
    }
    row->bytes = (double)(bytes + times_bytes) / (double)d->samples;
    printf("sealed: %.4f of values in %" PRIu64 " distinct chunks, %.4f of times in %" PRIu64
           " columns and references of %d; in a region %.4f\n",
           (double)bytes / (double)d->samples, stored, (double)times_bytes / (double)d->samples,
           columns, REFERENCE_BYTES, (double)region_bytes / (double)d->samples);
    return out;
}

static double xor_120_bytes(const struct data *d, struct work *w)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < d->chunk_count; i++) {
        const struct chunk_data *c = &d->chunks[i];
        for (uint32_t from = 0; from < c->count; from += PROMETHEUS_CHUNK) {
            uint32_t left = c->count - from;
            xor_put(w, c, from, left < PROMETHEUS_CHUNK ? left : PROMETHEUS_CHUNK);
            bytes += w->size;
        }
    }
    return (double)bytes / (double)d->samples;
}

/* Not measured: 0. */
static void print_cell(double v, int digits)
{
    if (v > 0)
        printf(" %8.*f", digits, v);
    else
        printf(" %8s", "");
}

static void print_row(const struct row *r, const struct row *x)
{
    printf("%-28s", r->name);
    print_cell(r->bytes, 4);
    print_cell(r->encode_ns, 2);
    print_cell(r->decode_ns, 3);
    if (r->decode_ns > 0) printf(" %7.2fx", x->decode_ns / r->decode_ns);
    printf("\n");
}

static void measure(const struct data *d, struct work *w)
{
    struct row prom = {.name = "XOR, chunks of 120"};
    struct row x = {.name = "XOR"};
    struct row open = {.name = "open"};
    struct row together = {.name = "open, several at once"};
    struct row scalar = {.name = "sealed, scalar"};
    struct row scalar_values = {.name = "- its values alone"};
    struct row best = {.name = "sealed, this CPU"};
    struct row best_values = {.name = "- its values alone"};
    double times_ns = 0;
    prom.bytes = xor_120_bytes(d, w);
    struct data xors = bit_streams(d, w, xor_chunk, xor_read, &x);
    struct data opens = bit_streams(d, w, open_chunk, open_read, &open);
    struct data sealed = sealed_chunks(d, w, &scalar);
    best.bytes = scalar.bytes;
    for (int round = 0; round < ROUNDS; round++) {
        timed(xor_chunk, w, d, &x.encode_ns);
        timed(open_chunk, w, d, &open.encode_ns);
        timed(sealed_chunk, w, d, &best.encode_ns);
        timed(sealed_times, w, d, &times_ns);
        timed(xor_read, w, &xors, &x.decode_ns);
        timed(open_read, w, &opens, &open.decode_ns);
        timed_together(w, &opens, &together.decode_ns);
        timed(sealed_decode, w, &sealed, &best.decode_ns);
        timed(sealed_decode_values, w, &sealed, &best_values.decode_ns);
        block_choose(&block_scalar);
        timed(sealed_decode, w, &sealed, &scalar.decode_ns);
        timed(sealed_decode_values, w, &sealed, &scalar_values.decode_ns);
        block_choose(NULL);
    }
    printf("%-28s %8s %8s %8s %8s\n", "", "bytes", "enc ns", "dec ns", "of XOR");
    print_row(&prom, &x);
    print_row(&x, &x);
    print_row(&open, &x);
    print_row(&together, &x);
    print_row(&scalar, &x);
    print_row(&scalar_values, &x);
    print_row(&best, &x);
    print_row(&best_values, &x);
    printf(
        "sealed is %.2f times smaller than XOR in chunks of 120; encoding a column of times takes "
        "%.2f ns a sample\n\n",
        prom.bytes / best.bytes, times_ns);
}

int main(int argc, char **argv)
{
    if (argc < 2) die("measure FILE [CHUNK_SAMPLES [EVERY]]");
    uint32_t chunk_samples = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 960;
    uint32_t every = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 1;
    if (chunk_samples == 0 || every == 0) die("counts are at least 1");
    struct data d = read_data(argv[1], chunk_samples, every);
    struct work w = {.out = malloc(d.samples_max * SAMPLE_BYTES_MAX + 64),
                     .t_ms = malloc((d.samples_max + 1) * TOGETHER * sizeof(int64_t)),
                     .v = malloc((d.samples_max + 1) * TOGETHER * sizeof(double))};
    if (!w.out || !w.t_ms || !w.v) die("no memory");
    arena_init(&w.arena, HEAP_QUERY, UINT64_C(1) << 32);
    buf_init(&w.buf, HEAP_QUERY, UINT64_C(1) << 32);
    buf_init(&w.times, HEAP_QUERY, UINT64_C(1) << 32);
    printf("%s: %" PRIu64 " samples in %zu chunks of %u, every %u\n", argv[1], d.samples,
           d.chunk_count, chunk_samples, every);
    measure(&d, &w);
    return 0;
}
