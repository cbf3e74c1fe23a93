/* cells: chains, indices, and a reader that follows a writer. */
#include "alloc/cells.h"

#include <string.h>

#include "alloc/central.h"
#include "alloc/heap.h"
#include "alloc/memstats.h"
#include "alloc/size_class.h"
#include "alloc/transfer.h"
#include "base/thread.h"
#include "tests/unit/suite.h"

static uint64_t chunk_objects(void)
{
    struct memstats s;
    memstats_read(&s);
    return s.tag_objects[HEAP_CHUNKS];
}

START_TEST(a_cell_is_aligned_and_linked_to_nobody)
{
    uint32_t index = cells_alloc();
    ck_assert_uint_ne(index, CELL_NONE);
    struct cell *cell = cells_at(index);
    ck_assert_uint_eq((uintptr_t)cell % 64, 0);
    ck_assert_uint_eq(atomic_load(&cell->next), CELL_NONE);
    ck_assert_uint_eq(sizeof(struct cell), CELL_BYTES);
    ck_assert_uint_eq(heap_usable_size(cell), CELL_BYTES);
    ck_assert_uint_eq(cells_free_chain(index), 1);
    ck_assert_uint_eq(cells_free_chain(CELL_NONE), 0);
    ck_assert_uint_eq(chunk_objects(), 0);
}
END_TEST

START_TEST(a_chain_is_freed_whole)
{
    enum { CELLS = 10000 };
    uint32_t first = cells_alloc();
    uint32_t last = first;
    for (uint32_t i = 1; i < CELLS; i++) {
        uint32_t index = cells_alloc();
        ck_assert_uint_ne(index, CELL_NONE);
        atomic_store(&cells_at(index)->words[0], i);
        atomic_store(&cells_at(last)->next, index);
        last = index;
    }
    uint32_t i = 0;
    for (uint32_t at = first; at != CELL_NONE; at = atomic_load(&cells_at(at)->next), i++)
        if (i) ck_assert_uint_eq(atomic_load(&cells_at(at)->words[0]), i);
    ck_assert_uint_eq(i, CELLS);
    ck_assert_uint_eq(chunk_objects(), CELLS);
    ck_assert_uint_eq(cells_free_chain(first), CELLS);
    ck_assert_uint_eq(chunk_objects(), 0);
    heap_check();
}
END_TEST

START_TEST(at_the_limit_there_is_no_cell)
{
    heap_fail_after(0);
    ck_assert_uint_eq(cells_alloc(), CELL_NONE);
    heap_fail_after(UINT64_MAX);
}
END_TEST

/* The writer fills a word and then publishes how many there are; the reader may read that many. */
struct chain {
    uint32_t first;
    _Atomic uint32_t words;
};

enum { CHAIN_WORDS = 31 * 300 };

static void write_chain(void *arg)
{
    struct chain *chain = arg;
    uint32_t at = chain->first;
    for (uint32_t i = 0; i < CHAIN_WORDS; i++) {
        if (i && i % 31 == 0) {
            uint32_t more = cells_alloc();
            atomic_store_explicit(&cells_at(at)->next, more, memory_order_relaxed);
            at = more;
        }
        atomic_store_explicit(&cells_at(at)->words[i % 31], i * 3, memory_order_relaxed);
        atomic_store_explicit(&chain->words, i + 1, memory_order_release);
    }
}

START_TEST(a_reader_follows_the_writer_of_a_chain)
{
    struct chain chain = {.first = cells_alloc()};
    struct thread writer;
    ck_assert_int_eq(thread_start(&writer, "writer", write_chain, &chain, NULL), OK);
    uint32_t words = 0;
    while (words < CHAIN_WORDS) {
        words = atomic_load_explicit(&chain.words, memory_order_acquire);
        uint32_t at = chain.first;
        for (uint32_t i = 0; i < words; i++) {
            if (i && i % 31 == 0)
                at = atomic_load_explicit(&cells_at(at)->next, memory_order_relaxed);
            ck_assert_uint_eq(
                atomic_load_explicit(&cells_at(at)->words[i % 31], memory_order_relaxed), i * 3);
        }
    }
    thread_join(&writer);
    ck_assert_uint_eq(cells_free_chain(chain.first), CHAIN_WORDS / 31);
}
END_TEST

/* So many cells of each chain at a time. */
static void check_copies(uint32_t cells)
{
    enum { WORDS_PER_CELL = CELL_PAYLOAD_BYTES / 4 };
    struct cells_copy copies[CELLS_COPIES_MAX];
    uint32_t first[CELLS_COPIES_MAX];
    static uint8_t out[CELLS_COPIES_MAX][40 * CELL_PAYLOAD_BYTES];
    for (uint32_t chain = 0; chain < CELLS_COPIES_MAX; chain++) {
        /* Chains of 1 to 40 cells, some ending in the middle of one, or of a word; one is empty. */
        uint32_t bytes = chain == 5 ? 0 : 1 + chain * 317 % (40 * CELL_PAYLOAD_BYTES);
        uint32_t last = first[chain] = cells_alloc();
        for (uint32_t word = 0; word * 4 < bytes; word++) {
            if (word && word % WORDS_PER_CELL == 0) {
                uint32_t next = cells_alloc();
                atomic_store(&cells_at(last)->next, next);
                last = next;
            }
            atomic_store(&cells_at(last)->words[word % WORDS_PER_CELL], chain << 24 | word);
        }
        copies[chain] =
            (struct cells_copy){.cell = first[chain], .bytes = bytes, .out = out[chain]};
    }
    struct cells_copy asked[CELLS_COPIES_MAX];
    memcpy(asked, copies, sizeof(asked));
    if (cells == UINT32_MAX) cells_gather(copies, CELLS_COPIES_MAX);
    uint32_t left = cells == UINT32_MAX ? 0 : CELLS_COPIES_MAX;
    while (left)
        left = cells_gather_some(copies, left, cells);
    for (uint32_t chain = 0; chain < CELLS_COPIES_MAX; chain++) {
        for (uint32_t i = 0; i < asked[chain].bytes; i++) {
            uint32_t word = chain << 24 | i / 4;
            ck_assert_uint_eq(out[chain][i], (uint8_t)(word >> (24 - i % 4 * 8)));
        }
        cells_free_chain(first[chain]);
    }
    ck_assert_uint_eq(chunk_objects(), 0);
}

START_TEST(many_chains_are_copied_in_lock_step)
{
    check_copies(UINT32_MAX);
    check_copies(1);
    check_copies(7);
}
END_TEST

/* Where a long-lived object lies between them, their span stays. */
START_TEST(cells_lie_apart_from_other_objects_of_their_size)
{
    enum { COUNT = 1024 };
    uint32_t cells[COUNT];
    void *others[COUNT];
    for (int i = 0; i < COUNT; i++) {
        cells[i] = cells_alloc();
        others[i] = heap_alloc(CELL_BYTES, HEAP_INDEX);
    }
    ck_assert_uint_ge(central_spans(SIZE_CLASS_CELLS), COUNT / 256);
    for (int i = 0; i < COUNT; i++)
        cells_free_chain(cells[i]);
    heap_flush_thread();
    transfer_flush();
    ck_assert_uint_eq(central_spans(SIZE_CLASS_CELLS), 0);
    for (int i = 0; i < COUNT; i++)
        heap_free(others[i], CELL_BYTES, HEAP_INDEX);
}
END_TEST

SUITE(cells, many_chains_are_copied_in_lock_step, cells_lie_apart_from_other_objects_of_their_size,
      a_cell_is_aligned_and_linked_to_nobody, a_chain_is_freed_whole, at_the_limit_there_is_no_cell,
      a_reader_follows_the_writer_of_a_chain)
