/* symbols - interning, listing, forgetting, and every allocation failing in turn. */
#include "storage/symbols.h"

#include <stdio.h>

#include "alloc/memstats.h"
#include "base/hash.h"
#include "tests/unit/storage/place.h"

static uint64_t label_bytes(void)
{
    struct memstats stats;
    memstats_read(&stats);
    return stats.tag_bytes[HEAP_LABELS];
}

#define PAIR(n, v)                                                                                 \
    {                                                                                              \
        .name = STR(n), .value = STR(v)                                                            \
    }

START_TEST(equal_pairs_are_one_symbol_and_values_belong_to_their_name)
{
    struct place p;
    struct label a[] = {PAIR("instance", "x"), PAIR("job", "x")};
    struct label b[] = {PAIR("job", "x"), PAIR("zone", "x")};
    struct symbol *as[2] = {NULL};
    struct symbol *bs[2] = {NULL};
    place_open(&p);
    ck_assert(symbols_acquire(&p.symbols, (struct labels){a, 2}, as));
    ck_assert(symbols_acquire(&p.symbols, (struct labels){b, 2}, bs));
    ck_assert_ptr_eq(as[1], bs[0]);
    ck_assert_ptr_ne(as[0], as[1]);
    ck_assert(str_equal(symbol_label(as[0]).name, STR("instance")));
    ck_assert_ptr_eq(place_value(&p, STR("job"), STR("x")), as[1]);
    ck_assert_ptr_eq(symbols_find_name(&p.symbols, STR("job")), as[1]->name);
    ck_assert_ptr_null(place_value(&p, STR("job"), STR("y")));
    ck_assert_ptr_null(symbols_find_name(&p.symbols, STR("x")));
    ck_assert_uint_eq(gauge_read(&p.symbols.pair_count), 3);
    ck_assert_uint_eq(gauge_read(&p.symbols.symbol_count), 6);
    place_close(&p);
}
END_TEST

START_TEST(the_last_reference_takes_value_and_name_with_it)
{
    struct place p;
    struct label a[] = {PAIR("job", "a")};
    struct label b[] = {PAIR("job", "b")};
    struct symbol *as[1] = {NULL};
    struct symbol *bs[1] = {NULL};
    uint64_t before = label_bytes();
    place_open(&p);
    ck_assert(symbols_acquire(&p.symbols, (struct labels){a, 1}, as));
    ck_assert(symbols_acquire(&p.symbols, (struct labels){a, 1}, as));
    ck_assert(symbols_acquire(&p.symbols, (struct labels){b, 1}, bs));
    symbols_drop(&p.symbols, as, 1);
    ck_assert_ptr_nonnull(place_value(&p, STR("job"), STR("a")));
    symbols_drop(&p.symbols, as, 1);
    ck_assert_ptr_null(place_value(&p, STR("job"), STR("a")));
    ck_assert_ptr_nonnull(symbols_find_name(&p.symbols, STR("job")));
    symbols_drop(&p.symbols, bs, 1);
    ck_assert_ptr_null(symbols_find_name(&p.symbols, STR("job")));
    while (epoch_collect(p.epoch, 100))
        continue;
    ck_assert_uint_eq(label_bytes(), before);
    place_close(&p);
}
END_TEST

START_TEST(a_symbol_that_was_forgotten_is_not_referred_to_again)
{
    struct place p;
    struct label a[] = {PAIR("job", "a"), PAIR("zone", "z")};
    place_open(&p);
    struct epoch_pin pin = epoch_enter(p.epoch);
    struct symbol *first[2] = {NULL};
    ck_assert(symbols_acquire(&p.symbols, (struct labels){a, 2}, first));
    struct symbol *found[2] = {first[0], first[1]};
    symbols_drop(&p.symbols, &first[0], 1);
    ck_assert(symbols_acquire(&p.symbols, (struct labels){a, 2}, found));
    ck_assert_ptr_ne(found[0], first[0]);
    ck_assert_ptr_eq(found[1], first[1]);
    ck_assert_uint_eq(found[0]->refs, 1);
    ck_assert_uint_eq(found[1]->refs, 2);
    ck_assert_ptr_eq(place_value(&p, STR("job"), STR("a")), found[0]);
    epoch_leave(&pin);
    place_close(&p);
}
END_TEST

/* Sets as a sender makes them: two labels that stay for a while, one that is always another. */
START_TEST(what_is_taken_ahead_for_the_next_sets_is_given_back)
{
    enum { SETS = 300, STAYS = 100 };
    struct place p;
    struct symbol_credits credits = {0};
    static struct symbol *sets[SETS][3];
    place_open(&p);
    struct epoch_pin pin = epoch_enter(p.epoch);
    for (int i = 0; i < SETS; i++) {
        struct label items[] = {{STR("i"), arena_printf(&p.arena, "%d", i)},
                                {STR("job"), i / STAYS == 1 ? STR("b") : STR("a")},
                                PAIR("zone", "z")};
        for (int n = 0; n < 3; n++)
            sets[i][n] = place_value(&p, items[n].name, items[n].value);
        ck_assert(symbols_acquire_next(&p.symbols, &credits, (struct labels){items, 3}, sets[i]));
        symbols_check(&p.symbols);
    }
    ck_assert_uint_gt(sets[0][2]->refs, SETS); /* or nothing was taken ahead */
    symbols_settle(&p.symbols, &credits);
    ck_assert_uint_eq(sets[0][0]->refs, 1);
    ck_assert_uint_eq(sets[0][1]->refs, SETS - STAYS);
    ck_assert_uint_eq(sets[STAYS][1]->refs, STAYS);
    ck_assert_uint_eq(sets[0][2]->refs, SETS);
    for (int i = 0; i < SETS; i++)
        symbols_drop(&p.symbols, sets[i], 3);
    ck_assert_uint_eq(gauge_read(&p.symbols.symbol_count), 0);
    epoch_leave(&pin);
    place_close(&p);
}
END_TEST

START_TEST(credit_keeps_a_symbol_until_it_is_settled)
{
    struct place p;
    struct symbol_credits credits = {0};
    struct label a[] = {PAIR("job", "a")};
    struct symbol *got[3] = {NULL};
    place_open(&p);
    struct epoch_pin pin = epoch_enter(p.epoch);
    for (int i = 0; i < 3; i++) { /* made; found; found again, and one ahead */
        if (i > 0) got[i] = got[0];
        ck_assert(symbols_acquire_next(&p.symbols, &credits, (struct labels){a, 1}, &got[i]));
    }
    ck_assert_uint_eq(got[0]->refs, 4);
    symbols_drop(&p.symbols, &got[0], 1);
    symbols_drop(&p.symbols, &got[1], 1);
    symbols_drop(&p.symbols, &got[2], 1);
    ck_assert_ptr_nonnull(place_value(&p, STR("job"), STR("a")));
    symbols_settle(&p.symbols, &credits);
    ck_assert_ptr_null(place_value(&p, STR("job"), STR("a")));
    epoch_leave(&pin);
    place_close(&p);
}
END_TEST

START_TEST(names_and_values_are_listed)
{
    struct place p;
    struct symbol_list list;
    struct error err;
    place_open(&p);
    for (int i = 0; i < 100; i++) {
        struct str text = arena_printf(&p.arena, "%d", i);
        struct label items[] = {{STR("even"), i % 2 ? STR("no") : STR("yes")}, {STR("i"), text}};
        struct symbol *out[2] = {NULL};
        ck_assert(symbols_acquire(&p.symbols, (struct labels){items, 2}, out));
    }
    ck_assert(symbols_names(&p.symbols, &p.arena, &list, &err) == OK);
    ck_assert_uint_eq(list.count, 2);
    ck_assert(symbols_values(&p.symbols, STR("i"), &p.arena, &list, &err) == OK);
    ck_assert_uint_eq(list.count, 100);
    ck_assert(symbols_values(&p.symbols, STR("even"), &p.arena, &list, &err) == OK);
    ck_assert_uint_eq(list.count, 2);
    ck_assert(symbols_values(&p.symbols, STR("odd"), &p.arena, &list, &err) == OK);
    ck_assert_uint_eq(list.count, 0);
    struct symbol_family_sizes sizes;
    ck_assert(symbols_sizes(&p.symbols, &p.arena, &sizes, &err) == OK);
    ck_assert_uint_eq(sizes.count, 2);
    ck_assert_uint_eq(sizes.items[0].values + sizes.items[1].values, 102);
    ck_assert_uint_eq(sizes.items[0].value_bytes + sizes.items[1].value_bytes, 190 + 5);
    place_close(&p);
}
END_TEST

START_TEST(a_refused_allocation_changes_nothing)
{
    struct place p;
    struct label items[] = {PAIR("a", "1"), PAIR("b", "2"), PAIR("c", "3")};
    struct symbol *out[3];
    bool done = false;
    place_open(&p);
    for (uint64_t n = 0; !done; n++) {
        memset(out, 0, sizeof(out));
        heap_fail_after(n);
        done = symbols_acquire(&p.symbols, (struct labels){items, 3}, out);
        heap_fail_after(UINT64_MAX);
        symbols_check(&p.symbols);
        ck_assert_uint_eq(gauge_read(&p.symbols.pair_count), done ? 3 : 0);
        ck_assert_uint_eq(gauge_read(&p.symbols.symbol_count), done ? 6 : 0);
    }
    place_close(&p);
}
END_TEST

START_TEST(a_random_walk_keeps_count)
{
    enum { VALUES = 2000, STEPS = 40000 };
    struct place p;
    struct symbol *held[VALUES] = {NULL};
    uint32_t refs[VALUES] = {0};
    uint64_t random = 1;
    printf("seed 1\n");
    place_open(&p);
    for (int step = 0; step < STEPS; step++) {
        random = hash_mix(random, 1);
        size_t i = random % VALUES;
        char text[32];
        int size = snprintf(text, sizeof(text), "%zu", i / 10);
        struct label item = {.name = {&"names"[i % 5], 1}, .value = {text, (size_t)size}};
        if (random >> 50 & 1) {
            struct symbol *got = random >> 51 & 1 ? held[i] : NULL; /* known, or looked up */
            ck_assert(symbols_acquire(&p.symbols, (struct labels){&item, 1}, &got));
            ck_assert(!held[i] || held[i] == got);
            held[i] = got;
            refs[i]++;
        } else if (refs[i] > 0) {
            symbols_drop(&p.symbols, &held[i], 1);
            refs[i]--;
        }
        /* Two numbers in ten share a pair: look it up only when this one holds it. */
        if (refs[i]) ck_assert_ptr_eq(place_value(&p, item.name, item.value), held[i]);
        if (!refs[i]) held[i] = NULL;
        if (step % 4000 == 0) symbols_check(&p.symbols);
    }
    place_close(&p);
}
END_TEST

SUITE(symbols, equal_pairs_are_one_symbol_and_values_belong_to_their_name,
      the_last_reference_takes_value_and_name_with_it,
      a_symbol_that_was_forgotten_is_not_referred_to_again,
      what_is_taken_ahead_for_the_next_sets_is_given_back,
      credit_keeps_a_symbol_until_it_is_settled, names_and_values_are_listed,
      a_refused_allocation_changes_nothing, a_random_walk_keeps_count)
