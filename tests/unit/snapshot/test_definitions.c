/* definitions and the table of texts behind them. */
#include "snapshot/definitions.h"

#include <stdio.h>

#include "tests/unit/suite.h"

START_TEST(definitions_are_found_replaced_and_forgotten)
{
    enum { COUNT = 5000 };
    struct definitions d;
    struct arena arena;
    struct labels out;
    char text[32];
    definitions_init(&d);
    arena_init(&arena, HEAP_SNAPSHOT, 1 << 24);
    for (int round = 0; round < 2; round++) {
        for (uint32_t id = 0; id < COUNT; id++) {
            snprintf(text, sizeof(text), "value %u %d", id % 700, round);
            const struct label labels[] = {{LABEL_METRIC_NAME, STR("up")},
                                           {STR("x"), str_from(text)}};
            ck_assert_int_eq(definitions_set(&d, id * 7919, (struct labels){labels, 2}, NULL), OK);
        }
        for (uint32_t id = 0; id < COUNT; id++) {
            snprintf(text, sizeof(text), "value %u %d", id % 700, round);
            ck_assert_int_eq(definitions_get(&d, id * 7919, &arena, &out, NULL), OK);
            ck_assert_uint_eq(out.count, 2);
            ck_assert(str_equal(labels_get(out, STR("x")), str_from(text)));
        }
    }
    ck_assert_uint_le(d.texts.count, 2 * 700 + 3);
    ck_assert_int_eq(definitions_get(&d, 1, &arena, &out, NULL), ERR_NOT_FOUND);
    definitions_reset(&d);
    ck_assert_int_eq(definitions_get(&d, 7919, &arena, &out, NULL), ERR_NOT_FOUND);
    definitions_release(&d);
    arena_release(&arena);
}
END_TEST

START_TEST(what_the_caller_has_found_stays_with_the_id)
{
    enum { COUNT = 3000, STRIDE = 7 };
    struct definitions d;
    struct arena arena;
    struct labels out;
    definitions_init(&d);
    arena_init(&arena, HEAP_SNAPSHOT, 1 << 20);
    ck_assert_ptr_null(definitions_find(&d, 0));
    for (uintptr_t id = 0; id < COUNT; id++) {
        struct definition_slot *slot = definitions_claim(&d, (uint32_t)id * STRIDE);
        ck_assert_int_eq(slot->what, DEFINITION_NONE);
        definition_point(slot, DEFINITION_SERIES, (const void *)(id * 16));
    }
    for (uint32_t id = 0; id < COUNT * STRIDE; id++) {
        const struct definition_slot *slot = definitions_find(&d, id);
        ck_assert(!slot == (id % STRIDE != 0));
        if (slot) ck_assert_uint_eq((uintptr_t)definition_series(slot), id / STRIDE * 16);
    }
    ck_assert_int_eq(definitions_get(&d, 0, &arena, &out, NULL), ERR_NOT_FOUND); /* not kept */
    definitions_reset(&d);
    ck_assert_ptr_null(definitions_find(&d, 0));
    definitions_release(&d);
    arena_release(&arena);
}
END_TEST

SUITE(definitions, definitions_are_found_replaced_and_forgotten,
      what_the_caller_has_found_stays_with_the_id)
