/* place: numbers for places, one each. */
#include "alloc/place.h"

#include "base/thread.h"
#include "tests/unit/suite.h"

static uint16_t number_of(const char *file, int line, enum heap_tag tag)
{
    heap_place(file, line);
    return place_take(tag);
}

static void set_up(void)
{
    heap_free(heap_alloc(1, HEAP_HTTP), 1, HEAP_HTTP);
}

START_TEST(a_place_has_a_number_of_its_own)
{
    set_up();
    uint16_t a = number_of("a.c", 1, HEAP_HTTP);
    uint16_t b = number_of("a.c", 2, HEAP_HTTP);
    uint16_t c = number_of("a.c", 1, HEAP_QUERY);
    ck_assert_uint_ne(a, PLACE_NOWHERE);
    ck_assert(a != b && b != c && a != c);
    ck_assert_uint_eq(number_of("a.c", 1, HEAP_HTTP), a);
    ck_assert_uint_eq(number_of("a.c", 1, HEAP_QUERY), c);
    struct place place = place_at(b);
    ck_assert_str_eq(place.file, "a.c");
    ck_assert_uint_eq(place.line, 2);
    ck_assert_uint_eq(place.tag, HEAP_HTTP);
}
END_TEST

START_TEST(a_place_is_used_up_when_taken)
{
    set_up();
    heap_place("a.c", 7);
    ck_assert_uint_eq(place_said().line, 7);
    ck_assert_uint_ne(place_take(HEAP_HTTP), PLACE_NOWHERE);
    ck_assert_uint_eq(place_take(HEAP_HTTP), PLACE_NOWHERE);
    ck_assert_str_eq(place_said().file, "?");
    ck_assert_str_eq(place_at(PLACE_NOWHERE).file, "?");
}
END_TEST

START_TEST(too_many_places_are_nowhere)
{
    set_up();
    int numbered = 0;
    while (number_of("many.c", numbered, HEAP_HTTP) != PLACE_NOWHERE)
        numbered++;
    ck_assert_int_gt(numbered, PLACE_SLOTS / 2);
    ck_assert_int_lt(numbered, PLACE_SLOTS);
    /* The old ones are still known. */
    for (int i = 0; i < numbered; i++)
        ck_assert_uint_eq(place_at(number_of("many.c", i, HEAP_HTTP)).line, i);
}
END_TEST

START_TEST(without_memory_for_the_table_places_are_nowhere)
{
    heap_set_limit(1);
    ck_assert_ptr_null(heap_alloc(1, HEAP_HTTP));
    ck_assert_uint_eq(number_of("a.c", 1, HEAP_HTTP), PLACE_NOWHERE);
    ck_assert_str_eq(place_at(1).file, "?");
    heap_set_limit(0);
    ck_assert_uint_ne(number_of("a.c", 1, HEAP_HTTP), PLACE_NOWHERE);
}
END_TEST

enum { THREADS = 4, LINES = 500 };

static uint16_t seen[THREADS][LINES];

static void number_all(void *arg)
{
    uint16_t *numbers = arg;
    for (int i = 0; i < LINES; i++)
        numbers[i] = number_of("shared.c", i, HEAP_HTTP);
}

START_TEST(threads_agree_on_the_numbers)
{
    struct thread threads[THREADS];
    set_up();
    for (int t = 0; t < THREADS; t++)
        ck_assert_int_eq(thread_start(&threads[t], "numberer", number_all, seen[t], NULL), OK);
    for (int t = 0; t < THREADS; t++)
        thread_join(&threads[t]);
    for (int t = 1; t < THREADS; t++)
        ck_assert_mem_eq(seen[t], seen[0], sizeof(seen[0]));
    for (int i = 0; i < LINES; i++)
        ck_assert_uint_eq(place_at(seen[0][i]).line, i);
}
END_TEST

/* The first needs a heap that is not set up, the last leaves no room: this order also when all of
 * them run in one process. */
SUITE(place, without_memory_for_the_table_places_are_nowhere, threads_agree_on_the_numbers,
      a_place_has_a_number_of_its_own, a_place_is_used_up_when_taken, too_many_places_are_nowhere)
