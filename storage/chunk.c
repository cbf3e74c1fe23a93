/*
 * chunk - writing: appending to the stream and to the late run, and replacing both by one stream.
 *
 * Word w of the stream is word w % 31 of cell w / 31. The last word is written again with every
 * sample; readers never look past the bits that were published with their count.
 */
#include "storage/chunk.h"

#include <endian.h>

#include "alloc/cells.h"
#include "base/assert.h"
#include "base/bits.h"
#include "storage/regions.h"

enum {
    WORD_BITS = 32,
    CELL_WORDS = CELL_PAYLOAD_BYTES / 4,
    CELL_BITS = CELL_WORDS * WORD_BITS,
    LATE_WORDS = 4, /* t low, t high, v low, v high */
    LATE_PER_CELL = CELL_WORDS / LATE_WORDS,
    LATE_REWRITE_MIN = 18 * LATE_PER_CELL /* shorter runs are not worth a rewrite */
};

/* One reading of chunk.published. */
struct extent {
    uint32_t count;
    uint32_t bits;
};

static struct extent extent_load(const struct chunk *c)
{
    uint64_t published = atomic_load_explicit(&c->published, memory_order_acquire);
    return (struct extent){.count = (uint32_t)(published >> 32), .bits = (uint32_t)published};
}

static void extent_publish(struct chunk *c, uint32_t count, uint32_t bits)
{
    atomic_store_explicit(&c->published, (uint64_t)count << 32 | bits, memory_order_release);
}

static uint32_t late_count(const struct chunk *c)
{
    return atomic_load_explicit(&c->late_published, memory_order_acquire);
}

static void word_store(struct cell *cell, uint32_t index, uint32_t word)
{
    atomic_store_explicit(&cell->words[index], word, memory_order_relaxed);
}

static uint32_t word_load(const struct cell *cell, uint32_t index)
{
    return atomic_load_explicit(&cell->words[index], memory_order_relaxed);
}

struct chunk *chunk_create_over(int64_t window, uint64_t base)
{
    struct chunk *c = heap_calloc(1, sizeof(*c), HEAP_CHUNKS);
    if (!c) return NULL;
    c->window = window;
    c->base = base;
    if (base) c->base_count = sealed_sample_count(regions_at(base));
    if (base) c->base_bytes = sealed_bytes(regions_at(base));
    atomic_init(&c->late_min_ms, INT64_MAX);
    return c;
}

struct chunk *chunk_create(int64_t window)
{
    return chunk_create_over(window, 0);
}

void chunk_destroy(struct chunk *c)
{
    if (!c) return;
    cells_free_chain(c->first_cell);
    cells_free_chain(c->late_first_cell);
    heap_free(c, sizeof(*c), HEAP_CHUNKS);
}

/* Put one more cell behind a chain; CELL_NONE when there is none to be had. */
static uint32_t link_cell(struct chunk *c, uint32_t *first, uint32_t *last)
{
    uint32_t index = cells_alloc();
    if (index == CELL_NONE) return CELL_NONE;
    if (*first == CELL_NONE)
        *first = index;
    else
        atomic_store_explicit(&cells_at(*last)->next, index, memory_order_relaxed);
    *last = index;
    c->cell_count++;
    return index;
}

/* 32 bits of the sample from bit `position` on; zeros behind its end. */
static uint32_t bits_at(const struct sample_bits *bits, uint32_t position)
{
    uint32_t word = position / 64;
    uint32_t shift = position % 64;
    uint64_t value = bits->words[word] << shift;
    if (shift > WORD_BITS && word + 1 < SAMPLE_BITS_WORDS)
        value |= bits->words[word + 1] >> (64 - shift);
    return (uint32_t)(value >> WORD_BITS);
}

/* Write the bits of a sample at bit `at` of the stream; the cells are there: the one that holds bit
 * `at`, and its successor when they do not fit. */
static void write_bits(struct cell *cell, uint32_t at, const struct sample_bits *bits)
{
    uint32_t index = at % CELL_BITS / WORD_BITS;
    uint32_t used = at % WORD_BITS;
    uint32_t word = bits_at(bits, 0) >> used;
    if (used) word |= word_load(cell, index);
    word_store(cell, index, word);
    for (uint32_t done = WORD_BITS - used; done < bits->count; done += WORD_BITS) {
        if (++index == CELL_WORDS) {
            cell = cells_at(atomic_load_explicit(&cell->next, memory_order_relaxed));
            index = 0;
        }
        word_store(cell, index, bits_at(bits, done));
    }
}

static enum chunk_outcome append(struct chunk *c, int64_t t_ms, double v)
{
    struct open_state state = c->state;
    struct sample_bits bits;
    uint32_t at = state.bits;
    if (at > UINT32_MAX - SAMPLE_BITS_MAX) return CHUNK_NO_MEMORY;
    open_encode(&state, t_ms, v, &bits);

    uint32_t cell = c->last_cell; /* holds bit `at`, unless that starts a new one */
    uint32_t room = at % CELL_BITS ? CELL_BITS - at % CELL_BITS : 0;
    if (bits.count > room) {
        uint32_t fresh = link_cell(c, &c->first_cell, &c->last_cell);
        if (fresh == CELL_NONE) return CHUNK_NO_MEMORY;
        if (room == 0) cell = fresh;
    }
    write_bits(cells_at(cell), at, &bits);
    if (state.count == 1) c->t_first_ms = t_ms;
    c->state = state;
    extent_publish(c, state.count, state.bits);
    return CHUNK_APPENDED;
}

static void late_store(struct cell *cell, uint32_t slot, int64_t t_ms, uint64_t v_bits)
{
    uint32_t at = slot * LATE_WORDS;
    word_store(cell, at, (uint32_t)t_ms);
    word_store(cell, at + 1, (uint32_t)((uint64_t)t_ms >> 32));
    word_store(cell, at + 2, (uint32_t)v_bits);
    word_store(cell, at + 3, (uint32_t)(v_bits >> 32));
}

static struct sample late_load(const struct cell *cell, uint32_t slot)
{
    uint32_t at = slot * LATE_WORDS;
    uint64_t t = word_load(cell, at) | (uint64_t)word_load(cell, at + 1) << 32;
    uint64_t v_bits = word_load(cell, at + 2) | (uint64_t)word_load(cell, at + 3) << 32;
    return (struct sample){.t_ms = (int64_t)t, .v = bits_to_double(v_bits)};
}

static enum chunk_outcome append_late(struct chunk *c, int64_t t_ms, double v)
{
    uint32_t count = late_count(c);
    uint32_t slot = count % LATE_PER_CELL;
    if (slot == 0 && link_cell(c, &c->late_first_cell, &c->late_last_cell) == CELL_NONE)
        return CHUNK_NO_MEMORY;
    late_store(cells_at(c->late_last_cell), slot, t_ms, bits_from_double(v));
    if (t_ms < atomic_load_explicit(&c->late_min_ms, memory_order_relaxed))
        atomic_store_explicit(&c->late_min_ms, t_ms, memory_order_relaxed);
    atomic_store_explicit(&c->late_published, count + 1, memory_order_release);
    return CHUNK_LATE;
}

/* Copy `count` samples of the late run, in order of arrival. */
static void late_copy(const struct chunk *c, uint32_t count, struct sample *out)
{
    const struct cell *cell = cells_at(c->late_first_cell);
    for (uint32_t i = 0; i < count; i++) {
        out[i] = late_load(cell, i % LATE_PER_CELL);
        if (i + 1 < count && (i + 1) % LATE_PER_CELL == 0)
            cell = cells_at(atomic_load_explicit(&cell->next, memory_order_relaxed));
    }
}

static size_t stream_bytes(struct extent extent)
{
    return bits_align_up(extent.bits, WORD_BITS) / 8;
}

/* Copy the stream up to the extent into bytes, most significant first; room for stream_bytes. */
static void stream_copy(const struct chunk *c, struct extent extent, uint8_t *out)
{
    struct cells_copy copy = {
        .cell = c->first_cell, .bytes = (uint32_t)stream_bytes(extent), .out = out};
    cells_gather(&copy, 1);
}

/* Look for a time in the late run. */
static bool late_find(const struct chunk *c, int64_t t_ms, double *v)
{
    uint32_t count = late_count(c);
    if (count == 0) return false;
    const struct cell *cell = cells_at(c->late_first_cell);
    for (uint32_t i = 0; i < count; i++) {
        struct sample sample = late_load(cell, i % LATE_PER_CELL);
        if (sample.t_ms == t_ms) {
            *v = sample.v;
            return true;
        }
        if (i + 1 < count && (i + 1) % LATE_PER_CELL == 0)
            cell = cells_at(atomic_load_explicit(&cell->next, memory_order_relaxed));
    }
    return false;
}

/* Look for a time in the stream. ERR_NO_MEMORY when there is no room to decode it. */
static enum status stream_find(const struct chunk *c, int64_t t_ms, bool *found, double *v)
{
    struct extent extent = extent_load(c);
    size_t size = bits_align_up(stream_bytes(extent), sizeof(int64_t));
    size_t scratch_bytes = size + extent.count * (sizeof(int64_t) + sizeof(double));
    struct open_state state;
    uint8_t *scratch = heap_alloc(scratch_bytes, HEAP_CHUNKS);
    if (!scratch) return ERR_NO_MEMORY;
    struct columns all = {.t_ms = (int64_t *)(void *)(scratch + size), .count = extent.count};
    all.v = (double *)(void *)(all.t_ms + extent.count);
    stream_copy(c, extent, scratch);
    enum status st = open_decode(scratch, size, extent.count, all.t_ms, all.v, &state);
    ASSERT(st == OK);
    *found = columns_find(&all, t_ms, v);
    heap_free(scratch, scratch_bytes, HEAP_CHUNKS);
    return OK;
}

static enum chunk_outcome same_or_conflict(double present, double offered)
{
    return bits_from_double(present) == bits_from_double(offered) ? CHUNK_DUPLICATE
                                                                  : CHUNK_CONFLICT;
}

static enum chunk_outcome add_late(struct chunk *c, int64_t t_ms, double v)
{
    double present;
    bool found = false;
    if (late_find(c, t_ms, &present)) return same_or_conflict(present, v);
    enum status st = OK;
    if (c->base)
        st = sealed_find(regions_at(c->base), t_ms, &found, &present);
    else if (t_ms >= c->t_first_ms)
        st = stream_find(c, t_ms, &found, &present);
    if (st) return CHUNK_NO_MEMORY;
    if (found) return same_or_conflict(present, v);
    return append_late(c, t_ms, v);
}

enum chunk_outcome chunk_add(struct chunk *c, int64_t t_ms, double v)
{
    if (c->base) return add_late(c, t_ms, v);
    if (c->state.count == 0 || t_ms > c->state.t_ms) return append(c, t_ms, v);
    if (t_ms == c->state.t_ms) return same_or_conflict(bits_to_double(c->state.v_bits), v);
    return add_late(c, t_ms, v);
}

bool chunk_wants_rewrite(const struct chunk *c)
{
    uint32_t late = late_count(c);
    uint32_t count = c->base_count + c->state.count;
    return late >= LATE_REWRITE_MIN && late >= count / 8;
}

/* Sorted by time, by insertion: runs are short and often nearly sorted. */
static void sort_samples(struct sample *samples, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        struct sample moving = samples[i];
        uint32_t hole = i;
        for (; hole > 0 && samples[hole - 1].t_ms > moving.t_ms; hole--)
            samples[hole] = samples[hole - 1];
        samples[hole] = moving;
    }
}

/* Merge sorted late samples into columns[first ..], which has room; from the back, so that nothing
 * is overwritten before it was moved. */
static void merge_late(struct columns *columns, size_t first, const struct sample *late,
                       size_t count)
{
    size_t from = columns->count;
    size_t to = columns->count + count;
    columns->count = to;
    while (count > 0) {
        to--;
        if (from > first && columns->t_ms[from - 1] > late[count - 1].t_ms) {
            from--;
            columns->t_ms[to] = columns->t_ms[from];
            columns->v[to] = columns->v[from];
        } else {
            count--;
            columns->t_ms[to] = late[count].t_ms;
            columns->v[to] = late[count].v;
        }
    }
}

static enum status read_late(const struct chunk *c, uint32_t count, const int64_t range_ms[2],
                             struct columns *columns, size_t first)
{
    struct sample *late = arena_alloc_array(columns->arena, count, sizeof(*late));
    if (!late) return columns->arena->refused;
    late_copy(c, count, late);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (late[i].t_ms >= range_ms[0] && late[i].t_ms <= range_ms[1]) late[kept++] = late[i];
    }
    sort_samples(late, kept);
    merge_late(columns, first, late, kept);
    return OK;
}

/* The samples of the stream, or of the base; the columns have room. */
static enum status read_stream(const struct chunk *c, struct extent extent,
                               const int64_t range_ms[2], struct columns *columns,
                               struct error *err)
{
    struct open_state state;
    size_t first = columns->count;
    if (c->base) return sealed_read(regions_at(c->base), range_ms[0], range_ms[1], columns, err);
    if (extent.count == 0) return OK;
    uint8_t *bytes = arena_alloc(columns->arena, stream_bytes(extent));
    if (!bytes) return arena_error(columns->arena, err);
    stream_copy(c, extent, bytes);
    if (open_decode(bytes, stream_bytes(extent), extent.count, columns->t_ms + first,
                    columns->v + first, &state))
        return error_set(err, ERR_CORRUPT, "chunk of window %lld does not decode",
                         (long long)c->window);
    columns->count += extent.count;
    columns_keep(columns, first, range_ms[0], range_ms[1]);
    return OK;
}

enum status chunk_read(const struct chunk *c, int64_t t_min_ms, int64_t t_max_ms,
                       struct columns *columns, struct error *err)
{
    struct extent extent = extent_load(c);
    uint32_t late = late_count(c);
    size_t first = columns->count;
    const int64_t range_ms[2] = {t_min_ms, t_max_ms};
    if (!columns_reserve(columns, (size_t)c->base_count + extent.count + late))
        return arena_error(columns->arena, err);

    struct arena_mark mark = arena_mark(columns->arena);
    enum status st = read_stream(c, extent, range_ms, columns, err);
    if (!st && late) {
        st = read_late(c, late, range_ms, columns, first);
        if (st) st = arena_error(columns->arena, err);
    }
    arena_rewind(columns->arena, mark);
    return st;
}

struct chunk *chunk_rewrite(const struct chunk *old, struct arena *scratch)
{
    struct arena_mark mark = arena_mark(scratch);
    struct columns columns = {.arena = scratch};
    struct chunk *fresh = NULL;
    if (chunk_read(old, INT64_MIN, INT64_MAX, &columns, NULL)) goto out;
    fresh = chunk_create(old->window);
    for (size_t i = 0; fresh && i < columns.count; i++) {
        if (append(fresh, columns.t_ms[i], columns.v[i]) == CHUNK_APPENDED) continue;
        chunk_destroy(fresh);
        fresh = NULL;
    }
out:
    arena_rewind(scratch, mark);
    return fresh;
}

uint32_t chunk_sample_count(const struct chunk *c)
{
    return c->base_count + extent_load(c).count + late_count(c);
}

uint64_t chunk_bytes(const struct chunk *c)
{
    return (uint64_t)c->cell_count * CELL_BYTES + c->base_bytes;
}

void chunk_prefetch(const struct chunk *c)
{
    for (size_t at = 0; at < sizeof(*c); at += CACHE_LINE_BYTES)
        __builtin_prefetch((const char *)c + at);
}

void chunk_prefetch_end(const struct chunk *c)
{
    uint32_t index = c->state.bits % CELL_BITS / WORD_BITS;
    if (c->last_cell != CELL_NONE) __builtin_prefetch(&cells_at(c->last_cell)->words[index]);
}

bool chunk_is_plain(const struct chunk *c)
{
    return !c->base && late_count(c) == 0;
}

uint64_t chunk_spare_bytes(const struct chunk *c)
{
    uint64_t late_bytes = (uint64_t)late_count(c) * LATE_WORDS * sizeof(uint32_t);
    return (uint64_t)c->cell_count * CELL_BYTES - (c->state.bits + 7) / 8 - late_bytes;
}

/* The stream of a chunk without late samples, as an image. */
static enum status export_stream(const struct chunk *c, struct arena *a, struct chunk_image *image,
                                 struct error *err)
{
    struct extent extent = extent_load(c);
    struct open_state state = {.count = 0};
    image->window = c->window;
    image->encoding = CHUNK_OPEN;
    image->sample_count = extent.count;
    if (extent.count == 0) return OK;
    uint8_t *bytes = arena_alloc(a, stream_bytes(extent));
    if (!bytes) return arena_error(a, err);
    stream_copy(c, extent, bytes);
    image->bytes = bytes;
    image->size = (uint32_t)(((uint64_t)extent.bits + 7) / 8);
    /* The last byte may hold the start of a sample that came meanwhile. */
    if (extent.bits % 8) bytes[image->size - 1] &= (uint8_t)(0xFF00 >> extent.bits % 8);
    enum status st = open_decode(bytes, image->size, extent.count, NULL, NULL, &state);
    if (st) return error_set(err, st, "chunk of window %lld does not decode", (long long)c->window);
    uint64_t t_first;
    memcpy(&t_first, bytes, sizeof(t_first));
    image->t_first_ms = (int64_t)be64toh(t_first);
    image->t_last_ms = state.t_ms;
    return OK;
}

enum status chunk_export(const struct chunk *c, struct arena *a, struct chunk_image *image,
                         struct error *err)
{
    if (!c->base && late_count(c) == 0) return export_stream(c, a, image, err);
    struct chunk *merged = chunk_rewrite(c, a);
    if (!merged) return error_set(err, ERR_NO_MEMORY, "no memory to merge late samples");
    enum status st = export_stream(merged, a, image, err);
    chunk_destroy(merged);
    return st;
}

/* Put checked bytes into cells: the reverse of stream_copy. */
static bool stream_load(struct chunk *c, const uint8_t *bytes, size_t size)
{
    struct cell *cell = NULL;
    for (size_t done = 0, index = CELL_WORDS; done < size; done += 4, index++) {
        if (index == CELL_WORDS) {
            if (link_cell(c, &c->first_cell, &c->last_cell) == CELL_NONE) return false;
            cell = cells_at(c->last_cell);
            index = 0;
        }
        uint32_t word = 0;
        memcpy(&word, bytes + done, size - done < 4 ? size - done : 4);
        word_store(cell, (uint32_t)index, be32toh(word));
    }
    return true;
}

static enum status check_image(const struct chunk_image *image, int64_t t_min_ms, int64_t t_max_ms,
                               struct open_state *state, struct error *err)
{
    if (image->encoding != CHUNK_OPEN)
        return error_set(err, ERR_UNSUPPORTED, "unknown chunk encoding %u", image->encoding);
    if (image->sample_count == 0 || image->size < 16)
        return error_set(err, ERR_CORRUPT, "chunk of %u samples in %u bytes", image->sample_count,
                         image->size);
    if (open_decode(image->bytes, image->size, image->sample_count, NULL, NULL, state))
        return error_set(err, ERR_CORRUPT, "chunk does not decode after %u of %u samples",
                         state->count, image->sample_count);
    uint64_t t_first;
    memcpy(&t_first, image->bytes, sizeof(t_first));
    t_first = be64toh(t_first);
    if ((int64_t)t_first != image->t_first_ms || state->t_ms != image->t_last_ms ||
        ((uint64_t)state->bits + 7) / 8 != image->size)
        return error_set(err, ERR_CORRUPT, "chunk and its description do not agree");
    if (image->t_first_ms < t_min_ms || image->t_last_ms > t_max_ms)
        return error_set(err, ERR_CORRUPT, "chunk holds times outside its window");
    return OK;
}

enum status chunk_import(const struct chunk_image *image, int64_t t_min_ms, int64_t t_max_ms,
                         struct chunk **out, struct error *err)
{
    struct open_state state = {.count = 0};
    enum status st = check_image(image, t_min_ms, t_max_ms, &state, err);
    if (st) return st;
    struct chunk *c = chunk_create(image->window);
    if (!c || !stream_load(c, image->bytes, image->size)) {
        chunk_destroy(c);
        return error_set(err, ERR_NO_MEMORY, "memory limit reached while loading a chunk");
    }
    /* What follows the last bit must be zero: append ORs the next sample into that word. */
    if (state.bits % WORD_BITS) {
        uint32_t index = state.bits % CELL_BITS / WORD_BITS;
        struct cell *last = cells_at(c->last_cell);
        uint32_t keep = UINT32_MAX << (WORD_BITS - state.bits % WORD_BITS);
        word_store(last, index, word_load(last, index) & keep);
    }
    c->state = state;
    c->t_first_ms = image->t_first_ms;
    extent_publish(c, state.count, state.bits);
    *out = c;
    return OK;
}

void chunk_check(const struct chunk *c)
{
    struct extent extent = extent_load(c);
    uint32_t cells = 0;
    ASSERT(extent.count == c->state.count && extent.bits == c->state.bits);
    for (uint32_t i = c->first_cell; i != CELL_NONE; i = atomic_load(&cells_at(i)->next))
        cells++;
    ASSERT(cells == (extent.bits + CELL_BITS - 1) / CELL_BITS);
    for (uint32_t i = c->late_first_cell; i != CELL_NONE; i = atomic_load(&cells_at(i)->next))
        cells++;
    ASSERT(cells == c->cell_count);
    ASSERT(!c->base || extent.count == 0);
    if (extent.count == 0) return;
    uint8_t *bytes = heap_alloc(stream_bytes(extent), HEAP_CHUNKS);
    struct open_state state;
    if (!bytes) return;
    stream_copy(c, extent, bytes);
    ASSERT(open_decode(bytes, stream_bytes(extent), extent.count, NULL, NULL, &state) == OK);
    ASSERT(state.t_ms == c->state.t_ms && state.v_bits == c->state.v_bits);
    heap_free(bytes, stream_bytes(extent), HEAP_CHUNKS);
}
