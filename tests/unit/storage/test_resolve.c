/* resolve - symbols and hashes of label sets, beside a model and beside writers. */
#include "storage/resolve.h"

#include <stdio.h>

#include "base/thread.h"
#include "tests/unit/storage/place.h"
#include "tests/unit/storage/store.h"

/* A resolver of the symbols of a place. */
struct resolving {
    struct place at;
    struct resolver resolver;
    atomic_bool stop;
};

static void resolving_open(struct resolving *p)
{
    place_open(&p->at);
    resolver_init(&p->resolver, &p->at.symbols, &p->at.arena);
    p->stop = false;
}

static struct resolved resolve_set(struct resolving *p, struct labels labels)
{
    struct resolved set;
    ck_assert(resolve(&p->resolver, labels, &set));
    return set;
}

START_TEST(a_set_hashes_the_same_before_and_after_its_symbols_are_there)
{
    struct resolving p;
    resolving_open(&p);
    struct labels labels = store_labels(&p.at.arena, "__name__", "up", "job", "node", NULL);
    struct resolved before = resolve_set(&p, labels);
    ck_assert(!before.complete);
    ck_assert_ptr_null(before.symbols[0]);
    ck_assert(symbols_acquire(&p.at.symbols, labels, before.symbols));
    struct resolved after = resolve_set(&p, labels);
    ck_assert(after.complete);
    ck_assert_uint_eq(after.hash, before.hash);
    ck_assert_ptr_eq(after.symbols[1], before.symbols[1]);
    ck_assert_uint_ne(
        resolve_set(&p, store_labels(&p.at.arena, "__name__", "node", "job", "up", NULL)).hash,
        after.hash);
    ck_assert(resolve_set(&p, (struct labels){0}).complete);
    place_close(&p.at);
}
END_TEST

/* A random set of some of 70 names, so that there is more than fits at first; short and long
 * values. Not even in order, now and then. */
static struct labels random_set(struct arena *a, uint64_t *random)
{
    enum { NAMES = 70 };
    struct label *items = arena_alloc_array(a, NAMES, sizeof(*items));
    size_t count = 0;
    ck_assert_ptr_nonnull(items);
    *random = hash_mix(*random, 1);
    uint64_t share = *random >> 60;
    for (size_t i = 0; i < NAMES; i++) {
        *random = hash_mix(*random, 2);
        if (*random % 16 > share) continue;
        items[count++] = (struct label){
            .name = arena_printf(a, "n%0*zu", (int)(i % 9), i),
            .value = arena_printf(a, "%0*d", (int)(*random >> 20 & 31), (int)(*random >> 40 & 3))};
    }
    if (count > 1 && *random >> 61 == 0) {
        struct label kept = items[0];
        items[0] = items[count - 1];
        items[count - 1] = kept;
    }
    return (struct labels){.items = items, .count = count};
}

START_TEST(random_sets_resolve_to_what_is_there)
{
    enum { STEPS = 3000 };
    struct resolving p;
    uint64_t random = 1;
    printf("seed 1\n");
    resolving_open(&p);
    for (int step = 0; step < STEPS; step++) {
        struct labels labels = random_set(&p.at.arena, &random);
        struct resolved set = resolve_set(&p, labels);
        bool complete = true;
        for (size_t i = 0; i < labels.count; i++) {
            struct label l = labels.items[i];
            ck_assert_ptr_eq(set.symbols[i], place_value(&p.at, l.name, l.value));
            complete = complete && set.symbols[i];
        }
        ck_assert(set.complete == complete);
        if (step % 3 == 0) ck_assert(symbols_acquire(&p.at.symbols, labels, set.symbols));
    }
    place_close(&p.at);
}
END_TEST

START_TEST(without_memory_nothing_is_resolved)
{
    struct resolving p;
    struct resolved set;
    resolving_open(&p);
    struct labels labels = store_labels(&p.at.arena, "a", "1", NULL);
    struct arena small;
    arena_init(&small, HEAP_QUERY, 64);
    resolver_init(&p.resolver, &p.at.symbols, &small);
    ck_assert(!resolve(&p.resolver, labels, &set));
    arena_release(&small);
    place_close(&p.at);
}
END_TEST

enum { CHURNED = 64 };

/* Symbols that come and go under those who look. */
static void churn(void *self)
{
    struct resolving *p = self;
    for (uint64_t n = 0; !atomic_load(&p->stop); n++) {
        char text[16];
        struct symbol *items[2] = {NULL};
        int size = snprintf(text, sizeof(text), "v%d", (int)(n % CHURNED));
        struct label labels[] = {{STR("a"), {text, (size_t)size}}, {STR("b"), STR("stays")}};
        struct epoch_pin pin = epoch_enter(p->at.epoch);
        ck_assert(symbols_acquire(&p->at.symbols, (struct labels){labels, 2}, items));
        symbols_drop(&p->at.symbols, items, 2);
        epoch_leave(&pin);
        epoch_collect(p->at.epoch, 100);
    }
}

START_TEST(what_is_found_beside_writers_has_the_text_that_was_looked_for)
{
    enum { LOOKS = 20000, WRITERS = 2 };
    struct resolving p;
    struct thread writers[WRITERS];
    resolving_open(&p);
    struct labels kept = store_labels(&p.at.arena, "a", "kept", "b", "stays", NULL);
    struct symbol *items[2] = {NULL};
    ck_assert(symbols_acquire(&p.at.symbols, kept, items));
    for (size_t i = 0; i < WRITERS; i++)
        ck_assert_int_eq(thread_start(&writers[i], "churn", churn, &p, NULL), OK);
    for (int i = 0; i < LOOKS; i++) {
        char text[16];
        int size = snprintf(text, sizeof(text), "v%d", i % CHURNED);
        struct label labels[] = {{STR("a"), {text, (size_t)size}}, {STR("b"), STR("stays")}};
        struct epoch_pin pin = epoch_enter(p.at.epoch);
        struct resolved set = resolve_set(&p, (struct labels){labels, 2});
        if (set.symbols[0]) ck_assert(str_equal(symbol_text(set.symbols[0]), labels[0].value));
        ck_assert_ptr_eq(place_value(&p.at, STR("a"), STR("kept")), items[0]);
        epoch_leave(&pin);
        p.resolver.count = 0; /* outside the epoch, its symbols may go */
    }
    atomic_store(&p.stop, true);
    for (size_t i = 0; i < WRITERS; i++)
        thread_join(&writers[i]);
    place_close(&p.at);
}
END_TEST

SUITE(resolve, a_set_hashes_the_same_before_and_after_its_symbols_are_there,
      random_sets_resolve_to_what_is_there, without_memory_nothing_is_resolved,
      what_is_found_beside_writers_has_the_text_that_was_looked_for)
