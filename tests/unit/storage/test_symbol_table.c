/* symbol_table - symbols in and out at random, beside a list of them. */
#include "storage/symbol_table.h"

#include <stdio.h>

#include "alloc/heap.h"
#include "tests/unit/suite.h"

static epoch_destroy *const functions[EPOCH_KIND_COUNT] = {
    [EPOCH_SYMBOL_SLOTS] = symbol_table_destroy_retired,
};

static struct epoch *epoch_open(void)
{
    struct epoch *e = heap_alloc_aligned(sizeof(*e), CACHE_LINE_BYTES, HEAP_PROCESS);
    ck_assert_ptr_nonnull(e);
    epoch_init(e, functions, NULL);
    return e;
}

static void epoch_close(struct epoch *e)
{
    epoch_release(e);
    heap_free(e, sizeof(*e), HEAP_PROCESS);
}

enum { SYMBOLS = 500, TEXT_BYTES = 8 };

/* Few different hashes, so that runs are long and go around the end. */
static struct symbol *symbol_make(size_t i)
{
    struct symbol *item = heap_calloc(1, sizeof(*item) + TEXT_BYTES, HEAP_LABELS);
    ck_assert_ptr_nonnull(item);
    item->size = (uint32_t)snprintf((char *)item->bytes, TEXT_BYTES, "%zu", i);
    item->bytes_size = item->size;
    item->hash = (uint32_t)(i % 40) * 0x3FFFFFF;
    return item;
}

START_TEST(a_random_walk_finds_what_is_there_and_nothing_else)
{
    enum { STEPS = 40000 };
    struct symbol_table table = {0};
    struct epoch *e = epoch_open();
    struct symbol *symbols[SYMBOLS];
    bool there[SYMBOLS] = {false};
    uint64_t random = 1;
    printf("seed 1\n");
    for (size_t i = 0; i < SYMBOLS; i++)
        symbols[i] = symbol_make(i);
    for (int step = 0; step < STEPS; step++) {
        random = hash_mix(random, 1);
        size_t i = random % SYMBOLS;
        bool growing = step / 4000 % 2 == 0;
        if (!there[i] && (growing || random >> 62 == 0)) {
            ck_assert(symbol_table_reserve(&table, e));
            symbol_table_insert(&table, symbols[i]);
            there[i] = true;
        } else if (there[i] && (!growing || random >> 62 == 0)) {
            symbol_table_remove(&table, symbols[i], e);
            there[i] = false;
        }
        size_t asked = (random >> 20) % SYMBOLS;
        const struct symbol *item = symbols[asked];
        ck_assert_ptr_eq(symbol_table_find(&table, NULL, symbol_text(item), item->hash),
                         there[asked] ? item : NULL);
        ck_assert_ptr_null(symbol_table_find(&table, item, symbol_text(item), item->hash));
        if (step % 100 == 0) epoch_collect(e, 1000);
    }
    for (size_t i = 0; i < SYMBOLS; i++) {
        if (there[i]) symbol_table_remove(&table, symbols[i], e);
        heap_free(symbols[i], sizeof(*symbols[i]) + TEXT_BYTES, HEAP_LABELS);
    }
    ck_assert_uint_eq(symbol_table_spare(&table), 0); /* an empty table has no slots */
    symbol_table_release(&table);
    epoch_close(e);
}
END_TEST

START_TEST(without_memory_a_table_stays_as_it_is)
{
    struct symbol_table table = {0};
    struct epoch *e = epoch_open();
    heap_fail_after(0);
    ck_assert(!symbol_table_reserve(&table, e));
    heap_fail_after(UINT64_MAX);
    ck_assert(symbol_table_reserve(&table, e));
    heap_fail_after(0);
    ck_assert(symbol_table_reserve(&table, e));
    heap_fail_after(UINT64_MAX);
    symbol_table_release(&table);
    epoch_close(e);
}
END_TEST

SUITE(symbol_table, a_random_walk_finds_what_is_there_and_nothing_else,
      without_memory_a_table_stays_as_it_is)
