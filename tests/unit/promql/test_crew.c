/* crew: work is done once by however many come, and nobody is in it after it was dismissed. */
#include "promql/crew.h"

#include <stdatomic.h>
#include <stddef.h>

#include "base/thread.h"
#include "tests/unit/suite.h"

enum { PIECES = 500, PATIENCE_MS = 20000 };

struct pile {
    struct crew_work work;
    atomic_int left;
    atomic_int done;
    atomic_int inside;
    atomic_int most; /* at once */
    atomic_bool hold;
};

static void carry(struct crew_work *work)
{
    struct pile *pile = (struct pile *)work;
    int inside = atomic_fetch_add(&pile->inside, 1) + 1;
    if (inside > atomic_load(&pile->most)) atomic_store(&pile->most, inside);
    while (atomic_load(&pile->hold))
        thread_sleep_ms(1);
    while (atomic_fetch_sub(&pile->left, 1) > 0)
        atomic_fetch_add(&pile->done, 1);
    atomic_fetch_sub(&pile->inside, 1);
}

static void carry_away(struct crew *crew, struct pile *pile, uint32_t helpers)
{
    *pile = (struct pile){.work = {.run = carry}, .left = PIECES};
    crew_call(crew, &pile->work, helpers);
    carry(&pile->work);
    crew_dismiss(crew, &pile->work);
}

START_TEST(every_piece_is_carried_once)
{
    struct crew *crew;
    struct pile pile;
    ck_assert_int_eq(crew_open(3, &crew, NULL), OK);
    for (uint32_t helpers = 0; helpers < 6; helpers++) {
        for (int round = 0; round < 50; round++) {
            carry_away(crew, &pile, helpers);
            ck_assert_int_eq(atomic_load(&pile.done), PIECES);
            ck_assert_int_eq(atomic_load(&pile.inside), 0);
            ck_assert_int_le(atomic_load(&pile.most), (int)helpers + 1);
        }
    }
    crew_close(crew);
}
END_TEST

static void wait_inside(struct pile *pile, int count)
{
    for (int waited = 0; atomic_load(&pile->inside) < count; waited++) {
        ck_assert_int_lt(waited, PATIENCE_MS);
        thread_sleep_ms(1);
    }
}

START_TEST(a_busy_crew_is_not_waited_for)
{
    struct crew *crew;
    struct pile slow = {.work = {.run = carry}, .hold = true, .left = PIECES};
    struct pile other;
    ck_assert_int_eq(crew_open(2, &crew, NULL), OK);
    crew_call(crew, &slow.work, 2);
    wait_inside(&slow, 2);
    carry_away(crew, &other, 2); /* nobody comes */
    ck_assert_int_eq(atomic_load(&other.done), PIECES);
    ck_assert_int_eq(atomic_load(&other.most), 1);
    atomic_store(&slow.hold, false);
    crew_dismiss(crew, &slow.work);
    ck_assert_int_eq(atomic_load(&slow.done), PIECES);
    crew_close(crew);
}
END_TEST

START_TEST(who_is_free_again_goes_to_what_waits)
{
    struct crew *crew;
    struct pile first = {.work = {.run = carry}, .hold = true, .left = PIECES};
    struct pile second = {.work = {.run = carry}, .hold = true, .left = PIECES};
    ck_assert_int_eq(crew_open(1, &crew, NULL), OK);
    crew_call(crew, &first.work, 1);
    wait_inside(&first, 1);
    crew_call(crew, &second.work, 1);
    atomic_store(&first.hold, false);
    wait_inside(&second, 1);
    atomic_store(&second.hold, false);
    crew_dismiss(crew, &first.work);
    crew_dismiss(crew, &second.work);
    ck_assert_int_eq(atomic_load(&first.done) + atomic_load(&second.done), 2 * PIECES);
    crew_close(crew);
}
END_TEST

SUITE(crew, every_piece_is_carried_once, a_busy_crew_is_not_waited_for,
      who_is_free_again_goes_to_what_waits)
