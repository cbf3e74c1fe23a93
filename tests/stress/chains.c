/*
 * chains - chains of cells that one thread lengthens while others read them, as open chunks are.
 *
 * The owner writes whole words and then publishes how many bytes there are; a reader, in the epoch,
 * copies so many. Retired, a chain is given back when its readers have left.
 */
#include "alloc/cells.h"

#include <endian.h>

#include "tests/stress/pattern.h"
#include "tests/stress/walk.h"

enum { CHAINS = 64, CHAIN_BYTES_MAX = 40 * CELL_PAYLOAD_BYTES, WORD_BYTES = 4 };

struct chain {
    struct epoch_node retired; /* first: destroyed through it */
    uint64_t name;
    uint32_t first, last;
    _Atomic uint32_t bytes; /* published */
};

static _Atomic(struct chain *) chains[WALK_THREADS_MAX][CHAINS];
static unsigned owners;
static uint8_t scratch[WALK_THREADS_MAX][CELLS_COPIES_MAX][CHAIN_BYTES_MAX];

void chains_init(unsigned threads)
{
    owners = threads;
}

/* So that the bytes that are gathered are the pattern. */
static void write_word(struct cell *cell, const struct chain *c, uint32_t offset)
{
    uint32_t word;
    pattern_fill(&word, offset, sizeof(word), c->name);
    atomic_store_explicit(&cell->words[offset % CELL_PAYLOAD_BYTES / WORD_BYTES], be32toh(word),
                          memory_order_relaxed);
}

static uint32_t take_cell(struct walker *w)
{
    uint64_t ticket = weather_ticket();
    uint32_t cell = cells_alloc();
    if (cell == CELL_NONE)
        weather_refused(w, ticket);
    else
        ASSERT(cells_at(cell)->next == CELL_NONE);
    return cell;
}

/* By so many bytes, or fewer at the limit; what was written is published at the end. */
static void lengthen(struct walker *w, struct chain *c, uint32_t more)
{
    uint32_t bytes = atomic_load_explicit(&c->bytes, memory_order_relaxed);
    for (uint32_t end = bytes + more; bytes < end && bytes < CHAIN_BYTES_MAX; bytes += WORD_BYTES) {
        if (bytes % CELL_PAYLOAD_BYTES == 0 && bytes > 0) {
            uint32_t cell = take_cell(w);
            if (cell == CELL_NONE) break;
            atomic_store_explicit(&cells_at(c->last)->next, cell, memory_order_relaxed);
            c->last = cell;
        }
        write_word(cells_at(c->last), c, bytes);
    }
    atomic_store_explicit(&c->bytes, bytes, memory_order_release);
}

static void create(struct walker *w, _Atomic(struct chain *) *slot)
{
    uint32_t cell = take_cell(w);
    if (cell == CELL_NONE) return;
    uint64_t ticket = weather_ticket();
    struct chain *c = heap_alloc(sizeof(*c), HEAP_SERIES);
    if (!c) {
        weather_refused(w, ticket);
        ASSERT(cells_free_chain(cell) == 1);
        return;
    }
    *c = (struct chain){.name = walk_name(w), .first = cell, .last = cell};
    atomic_store_explicit(slot, c, memory_order_release);
}

void chains_destroy(void *self, struct epoch_node *retired)
{
    struct chain *c = (struct chain *)(void *)retired;
    uint32_t bytes = atomic_load(&c->bytes);
    uint32_t cells = bytes ? (bytes - 1) / CELL_PAYLOAD_BYTES + 1 : 1;
    (void)self;
    ASSERT(cells_free_chain(c->first) == cells);
    heap_free(c, sizeof(*c), HEAP_SERIES);
}

void chains_retire(struct walker *w, unsigned slot)
{
    struct chain *c = atomic_load_explicit(&chains[w->index][slot], memory_order_relaxed);
    atomic_store_explicit(&chains[w->index][slot], NULL, memory_order_release);
    epoch_retire(&walk_epoch, EPOCH_CHUNK, &c->retired);
}

static void check_bytes(const uint8_t *p, uint32_t bytes, uint64_t name)
{
    for (uint32_t at = 0; at < bytes; at += PATTERN_PIECE)
        pattern_expect(p + at, at, bytes - at < PATTERN_PIECE ? bytes - at : PATTERN_PIECE, name);
}

/* Chains of anybody, in lock step; one of them sometimes only in part. */
static void gather(struct walker *w)
{
    struct cells_copy copies[CELLS_COPIES_MAX];
    uint64_t names[CELLS_COPIES_MAX];
    uint32_t bytes[CELLS_COPIES_MAX];
    uint32_t count = 0;
    uint64_t wanted = random_size(&w->random, CELLS_COPIES_MAX);
    struct epoch_pin pin = epoch_enter(&walk_epoch);
    for (uint64_t i = 0; i < wanted; i++) {
        const struct chain *c = atomic_load_explicit(
            &chains[random_below(&w->random, owners)][random_below(&w->random, CHAINS)],
            memory_order_acquire);
        if (!c) continue;
        bytes[count] = atomic_load_explicit(&c->bytes, memory_order_acquire);
        if (random_below(&w->random, 4) == 0)
            bytes[count] = (uint32_t)random_below(&w->random, bytes[count] + 1);
        names[count] = c->name;
        copies[count] = (struct cells_copy){
            .cell = c->first, .bytes = bytes[count], .out = scratch[w->index][count]};
        count++;
    }
    cells_gather(copies, count);
    epoch_leave(&pin);
    for (uint32_t i = 0; i < count; i++)
        check_bytes(scratch[w->index][i], bytes[i], names[i]);
    w->gathered += count;
}

void chains_step(struct walker *w)
{
    unsigned slot = (unsigned)random_below(&w->random, CHAINS);
    uint64_t what = random_below(&w->random, 100);
    struct chain *c = atomic_load_explicit(&chains[w->index][slot], memory_order_relaxed);
    if (what < 8)
        gather(w);
    else if (!c)
        create(w, &chains[w->index][slot]);
    else if (what < 16)
        chains_retire(w, slot);
    else
        lengthen(w, c, (uint32_t)random_size(&w->random, 400));
}

unsigned chains_pick(struct walker *w, struct ready_chain out[CELLS_COPIES_MAX])
{
    unsigned count = 0, start = (unsigned)random_below(&w->random, CHAINS);
    unsigned wanted = (unsigned)random_size(&w->random, CELLS_COPIES_MAX);
    for (unsigned i = 0; i < CHAINS && count < wanted; i++) {
        unsigned slot = (start + i) % CHAINS;
        const struct chain *c = atomic_load_explicit(&chains[w->index][slot], memory_order_relaxed);
        uint32_t bytes = c ? atomic_load_explicit(&c->bytes, memory_order_relaxed) : 0;
        if (bytes == 0) continue;
        out[count++] =
            (struct ready_chain){.slot = slot, .first = c->first, .bytes = bytes, .name = c->name};
    }
    return count;
}

void chains_drop(struct walker *w)
{
    for (unsigned slot = 0; slot < CHAINS; slot++)
        if (atomic_load(&chains[w->index][slot])) chains_retire(w, slot);
}

void chains_count(const struct walker *w, struct census *census)
{
    for (unsigned slot = 0; slot < CHAINS; slot++) {
        const struct chain *c = atomic_load(&chains[w->index][slot]);
        if (!c) continue;
        census_add(census, HEAP_SERIES, heap_good_size(sizeof(*c)), sizeof(*c));
        for (uint32_t cell = c->first; cell != CELL_NONE; cell = cells_at(cell)->next)
            census_add(census, HEAP_CHUNKS, CELL_BYTES, CELL_BYTES);
    }
}
