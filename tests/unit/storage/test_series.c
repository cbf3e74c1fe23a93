/* series - label sets through shared symbols, and the ring. */
#include "storage/series.h"

#include "storage/querier.h"

#include "tests/unit/storage/place.h"
#include "tests/unit/storage/store.h"

enum { SLOTS = 9 };

/* What is known of the labels; the symbols are on the arena. */
static struct resolved resolved_of(struct place *p, struct labels labels)
{
    struct resolver resolver;
    struct resolved set;
    resolver_init(&resolver, &p->symbols, &p->arena);
    ck_assert(resolve(&resolver, labels, &set));
    return set;
}

static struct series *create(struct place *p, struct labels labels)
{
    struct resolved set = resolved_of(p, labels);
    ck_assert(symbols_acquire(&p->symbols, labels, set.symbols));
    struct series *s = series_create(&set, SLOTS);
    ck_assert_ptr_nonnull(s);
    return s;
}

static bool has(struct place *p, const struct series *s, struct labels labels)
{
    struct resolved set = resolved_of(p, labels);
    return series_has_labels(s, &set);
}

START_TEST(a_series_knows_its_labels_and_no_others)
{
    struct place p;
    struct label items[4];
    place_open(&p);
    struct labels set = store_labels(&p.arena, "__name__", "up", "job", "node", NULL);
    struct series *s = create(&p, set);
    ck_assert_ptr_nonnull(s);
    ck_assert(has(&p, s, set));
    ck_assert(labels_equal(series_labels(s, items), set));
    ck_assert(!has(&p, s, store_labels(&p.arena, "__name__", "up", NULL)));
    ck_assert(!has(&p, s, store_labels(&p.arena, "__name__", "up", "job", "nod", NULL)));
    ck_assert(!has(&p, s, store_labels(&p.arena, "__name__", "up", "jab", "node", NULL)));
    const struct symbol *job = symbols_find_name(&p.symbols, STR("job"));
    ck_assert(str_equal(symbol_text(series_find_symbol(s, job)), STR("node")));
    ck_assert_ptr_null(series_find_symbol(s, NULL));
    series_destroy(s);
    place_close(&p);
}
END_TEST

START_TEST(series_are_ordered_as_their_label_sets)
{
    struct place p;
    place_open(&p);
    struct labels sets[] = {
        (struct labels){0},
        store_labels(&p.arena, "a", "1", NULL),
        store_labels(&p.arena, "a", "1", "b", "1", NULL),
        store_labels(&p.arena, "a", "1", "c", "0", NULL),
        store_labels(&p.arena, "a", "10", NULL),
        store_labels(&p.arena, "a", "2", "b", "0", NULL),
        store_labels(&p.arena, "b", "0", NULL),
    };
    struct series *series[ARRAY_COUNT(sets)];
    for (size_t i = 0; i < ARRAY_COUNT(sets); i++) {
        series[i] = create(&p, sets[i]);
        ck_assert_ptr_nonnull(series[i]);
    }
    for (size_t i = 0; i < ARRAY_COUNT(sets); i++) {
        for (size_t j = 0; j < ARRAY_COUNT(sets); j++) {
            int order = series_compare(series[i], series[j]);
            ck_assert_int_eq((order > 0) - (order < 0), (i > j) - (i < j));
            int expected = labels_compare(sets[i], sets[j]);
            ck_assert_int_eq((order > 0) - (order < 0), (expected > 0) - (expected < 0));
        }
    }
    for (size_t i = 0; i < ARRAY_COUNT(sets); i++)
        series_destroy(series[i]);
    place_close(&p);
}
END_TEST

START_TEST(a_slot_of_the_ring_holds_a_chunk)
{
    struct place p;
    struct regions r;
    const struct window_grid grid = {.chunk_ms = 1000, .windows = SLOTS - 1, .slots = SLOTS};
    place_open(&p);
    ck_assert(regions_init(&r, &grid, p.epoch));
    struct series *s = create(&p, (struct labels){0});
    ck_assert_ptr_nonnull(s);
    ck_assert(series_is_empty(s));
    struct chunk *c = chunk_create(100);
    ck_assert_ptr_nonnull(c);
    series_set_word(s, 1, ring_word(c));
    ck_assert(!series_is_empty(s));
    ck_assert_ptr_eq(series_hold(s, &r, 1).open, c);
    ck_assert_int_eq(series_hold(s, &r, 1).window, 100);
    ck_assert_ptr_null(series_hold(s, &r, 2).open);
    chunk_destroy(c);
    series_destroy(s);
    regions_release(&r);
    place_close(&p);
}
END_TEST

START_TEST(a_refused_allocation_takes_nothing_over)
{
    struct place p;
    place_open(&p);
    struct labels labels = store_labels(&p.arena, "a", "1", "b", "2", NULL);
    struct resolved set = resolved_of(&p, labels);
    ck_assert(symbols_acquire(&p.symbols, labels, set.symbols));
    heap_fail_after(0);
    ck_assert_ptr_null(series_create(&set, SLOTS));
    heap_fail_after(UINT64_MAX);
    symbols_drop(&p.symbols, set.symbols, labels.count);
    ck_assert_uint_eq(gauge_read(&p.symbols.symbol_count), 0);
    place_close(&p);
}
END_TEST

SUITE(series, a_series_knows_its_labels_and_no_others, series_are_ordered_as_their_label_sets,
      a_slot_of_the_ring_holds_a_chunk, a_refused_allocation_takes_nothing_over)
