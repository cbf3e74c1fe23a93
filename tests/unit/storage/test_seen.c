/* seen - the newest window and the 64 before it, beside a list of all windows ever marked. */
#include "storage/seen.h"

#include <stdlib.h>

#include "tests/unit/suite.h"

START_TEST(nothing_is_seen_before_the_first_mark)
{
    struct seen s;
    seen_init(&s);
    ck_assert(!seen_within(&s, INT64_MIN, INT64_MAX));
    seen_mark(&s, -5);
    ck_assert(seen_within(&s, -5, -5));
    ck_assert(seen_within(&s, INT64_MIN, INT64_MAX));
    ck_assert(!seen_within(&s, -4, INT64_MAX));
    ck_assert(!seen_within(&s, INT64_MIN, -6));
    ck_assert(!seen_within(&s, -5, -6));
}
END_TEST

START_TEST(sixty_four_windows_behind_the_newest_are_remembered)
{
    struct seen s;
    seen_init(&s);
    seen_mark(&s, 100);
    seen_mark(&s, 164);
    ck_assert(seen_within(&s, 100, 100));
    ck_assert(!seen_within(&s, 101, 163));
    seen_mark(&s, 165);
    ck_assert(!seen_within(&s, 101, 163)); /* 100 had the bit of 164 */
    ck_assert(seen_within(&s, 164, 164));
    seen_mark(&s, 165 + 1000);
    ck_assert(!seen_within(&s, 165 + 936, 165 + 999));
}
END_TEST

START_TEST(a_late_window_is_marked_behind_the_newest)
{
    struct seen s;
    seen_init(&s);
    seen_mark(&s, 10);
    seen_mark(&s, 7);
    seen_mark(&s, -54);
    ck_assert(seen_within(&s, 6, 8));
    ck_assert(!seen_within(&s, 8, 9));
    ck_assert(seen_within(&s, -54, -54));
    seen_mark(&s, -55); /* too old to be remembered, and harmless */
    ck_assert(!seen_within(&s, -53, 6));
}
END_TEST

/* Marks wander upwards through WALK windows; every range that may be asked for is compared. */
enum { WALK = 400, STEPS = 300, ROUNDS = 30 };

static bool model_within(const bool *marked, int64_t first, int64_t last)
{
    for (int64_t w = first; w <= last; w++) {
        if (w >= 0 && marked[w]) return true;
    }
    return false;
}

START_TEST(random_marks_agree_with_a_list)
{
    srand(1);
    for (int round = 0; round < ROUNDS; round++) {
        bool marked[WALK] = {false};
        struct seen s;
        int64_t newest = 0; /* visible: SEEN_WINDOWS up to this one */
        seen_init(&s);
        for (int step = 0; step < STEPS; step++) {
            int64_t jump = rand() % 10 == 0 ? rand() % 90 : rand() % 2;
            newest = newest + jump < WALK ? newest + jump : WALK - 1;
            int64_t window = newest - rand() % SEEN_WINDOWS;
            if (window < 0) continue;
            seen_mark(&s, window);
            marked[window] = true;
            for (int64_t first = newest - SEEN_WINDOWS + 1; first <= newest; first++) {
                int64_t last = first + rand() % SEEN_WINDOWS;
                if (last > newest) last = newest;
                if (seen_within(&s, first, last) != model_within(marked, first, last))
                    ck_abort_msg("round %d: [%ld, %ld] of %ld", round, (long)first, (long)last,
                                 (long)newest);
            }
        }
    }
}
END_TEST

SUITE(seen, nothing_is_seen_before_the_first_mark,
      sixty_four_windows_behind_the_newest_are_remembered,
      a_late_window_is_marked_behind_the_newest, random_marks_agree_with_a_list)
