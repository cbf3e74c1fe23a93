/*
 * place - symbols with an epoch of their own, and an arena: for the tests of symbols and of
 * what finds them.
 */
#ifndef HEARTH_TESTS_UNIT_STORAGE_PLACE_H
#define HEARTH_TESTS_UNIT_STORAGE_PLACE_H

#include "storage/match_cache.h"
#include "storage/symbols.h"
#include "tests/unit/suite.h"

struct place {
    struct epoch *epoch;
    struct symbols symbols;
    struct arena arena;
};

UNUSED static void place_open(struct place *p)
{
    static epoch_destroy *const functions[EPOCH_KIND_COUNT] = {
        [EPOCH_SYMBOL] = symbols_destroy_retired,
        [EPOCH_SYMBOL_SLOTS] = symbol_table_destroy_retired,
        [EPOCH_MATCHES] = match_cache_destroy_retired,
    };
    p->epoch = heap_alloc_aligned(sizeof(*p->epoch), CACHE_LINE_BYTES, HEAP_PROCESS);
    ck_assert_ptr_nonnull(p->epoch);
    epoch_init(p->epoch, functions, NULL);
    symbols_init(&p->symbols, p->epoch);
    arena_init(&p->arena, HEAP_QUERY, 1 << 24);
}

/* The symbol of a label; NULL when there is none. */
UNUSED static struct symbol *place_value(struct place *p, struct str name, struct str value)
{
    struct symbol *found = NULL;
    const struct symbol *of = symbols_find_name(&p->symbols, name);
    if (of) (void)symbols_find_values(&p->symbols, of, &value, 1, &found);
    return found;
}

UNUSED static void place_close(struct place *p)
{
    symbols_check(&p->symbols);
    epoch_release(p->epoch);
    symbols_release(&p->symbols);
    heap_free(p->epoch, sizeof(*p->epoch), HEAP_PROCESS);
    arena_release(&p->arena);
}

#endif
