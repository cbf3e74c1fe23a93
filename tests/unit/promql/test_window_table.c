/* window_table: ends against a walk over all times, and tables that come back or give way. */
#include "promql/window_table.h"

#include "tests/unit/promql/asking.h"

enum { TIMES = 200, STEPS = 90, ROUNDS = 300 };

static void random_times(int64_t *t_ms, uint64_t *state)
{
    t_ms[0] = START_MS + (int64_t)(next_random(state) % 60000);
    for (size_t i = 1; i < TIMES; i++)
        t_ms[i] = t_ms[i - 1] + (int64_t)(next_random(state) % 30000) + 1;
}

static struct window_steps random_steps(uint64_t *state)
{
    return (struct window_steps){
        .count = next_random(state) % STEPS + 1,
        .first_end_ms = START_MS + (int64_t)(next_random(state) % 7200000) - 3600000,
        .step_ms = (int64_t)(next_random(state) % 90000),
        .range_ms = (int64_t)(next_random(state) % 600000) + 1,
        .before_ms = (int64_t)(next_random(state) % 2) * 60000,
        .after_ms = (int64_t)(next_random(state) % 2) * 60000,
    };
}

static void check_ends(const struct window_table *table, const struct window_steps *steps,
                       const int64_t *t_ms)
{
    for (size_t i = 0; i < steps->count; i++) {
        int64_t end_ms = window_end_ms(steps, i);
        size_t low = 0;
        size_t high = 0;
        for (size_t k = 0; k < TIMES; k++) {
            high += t_ms[k] <= end_ms + steps->after_ms;
            low += t_ms[k] <= end_ms - steps->range_ms - steps->before_ms;
        }
        EXPECT(bit_get(table->present, i) == (low < high));
        EXPECT(table->high[i] - table->low[i] == high - low);
        EXPECT(low >= high || table->low[i] == low);
    }
}

START_TEST(ends_are_those_of_a_walk)
{
    int64_t t_ms[TIMES];
    uint64_t state = random_seed();
    for (int round = 0; round < ROUNDS; round++) {
        struct arena a;
        struct eval ev = {.arena = &a};
        struct window_tables own;
        struct window_tables *tables;
        struct window_table *table;
        struct window_steps steps = random_steps(&state);
        struct columns columns = {.t_ms = t_ms, .count = TIMES};
        random_times(t_ms, &state);
        arena_init(&a, HEAP_QUERY, UINT64_MAX);
        ck_assert_int_eq(window_tables_open(&ev, NULL, &own, &tables, NULL), OK);
        ck_assert_int_eq(window_tables_find(tables, &steps, &columns, 5, &table, NULL), OK);
        ck_assert(table->fresh);
        check_ends(table, &steps, t_ms);
        arena_release(&a);
    }
}
END_TEST

/* More columns of times than there is room for: what is handed out is always the right one, and
 * those that fit are made once. */
START_TEST(tables_come_back_as_long_as_there_is_room)
{
    enum { MANY = 40, ROOM_FOR = 16, ASKED = 2000 };
    static int64_t t_ms[MANY][TIMES];
    uint64_t state = random_seed();
    struct arena a;
    struct eval ev = {.arena = &a};
    struct window_steps steps = {
        .count = STEPS, .first_end_ms = START_MS + 600000, .step_ms = 15000, .range_ms = 300000};
    for (size_t i = 0; i < MANY; i++)
        random_times(t_ms[i], &state);
    arena_init(&a, HEAP_QUERY, UINT64_MAX);
    for (size_t known = 6; known <= MANY; known += MANY - 6) {
        struct window_tables own;
        struct window_tables *tables;
        struct window_table *table;
        size_t fresh = 0;
        ck_assert_int_eq(window_tables_open(&ev, NULL, &own, &tables, NULL), OK);
        for (size_t i = 0; i < ASKED; i++) {
            struct columns c = {.t_ms = t_ms[next_random(&state) % known], .count = TIMES};
            ck_assert_int_eq(window_tables_find(tables, &steps, &c, ROOM_FOR, &table, NULL), OK);
            check_ends(table, &steps, c.t_ms);
            fresh += table->fresh;
        }
        ck_assert_uint_le(tables->max, ROOM_FOR);
        if (known == 6) ck_assert_uint_eq(fresh, known);
        if (known == MANY) ck_assert_uint_gt(fresh, known);
    }
    arena_release(&a);
}
END_TEST

/* A part begins with the tables that the part before it left. */
START_TEST(a_keeper_keeps_tables_from_part_to_part)
{
    int64_t t_ms[TIMES];
    uint64_t state = random_seed();
    struct arena kept;
    struct window_keeper keeper = {.arena = &kept};
    struct window_steps steps = {.count = 2, .first_end_ms = START_MS, .range_ms = 60000};
    struct ast nodes[2] = {0};
    struct columns columns = {.t_ms = t_ms, .count = TIMES};
    random_times(t_ms, &state);
    arena_init(&kept, HEAP_QUERY, UINT64_MAX);
    for (size_t part = 0; part < 4; part++) {
        struct arena a;
        struct eval ev = {.arena = &a, .keeper = &keeper};
        struct window_tables own;
        struct window_tables *tables;
        struct window_table *table;
        arena_init(&a, HEAP_QUERY, UINT64_MAX);
        ck_assert_int_eq(window_tables_open(&ev, &nodes[part % 2], &own, &tables, NULL), OK);
        ck_assert_int_eq(window_tables_find(tables, &steps, &columns, 5, &table, NULL), OK);
        ck_assert_int_eq(table->fresh, part < 2);
        arena_release(&a);
    }
    arena_release(&kept);
}
END_TEST

/* What is known by its chain is not compared; what is behind it is, and so is everything when the
 * chain is another reader's. */
START_TEST(times_of_one_chain_are_not_compared)
{
    enum { KNOWN = TIMES / 2 };
    int64_t t_ms[TIMES];
    uint64_t state = random_seed();
    struct arena a;
    struct eval ev = {.arena = &a};
    struct window_tables own;
    struct window_tables *tables;
    struct window_table *table;
    struct window_steps steps = {.count = 2, .first_end_ms = START_MS, .range_ms = 60000};
    struct columns c = {.t_ms = t_ms, .count = TIMES, .chain = {.id = 1, .count = KNOWN}};
    random_times(t_ms, &state);
    arena_init(&a, HEAP_QUERY, UINT64_MAX);
    ck_assert_int_eq(window_tables_open(&ev, NULL, &own, &tables, NULL), OK);
    ck_assert_int_eq(window_tables_find(tables, &steps, &c, 9, &table, NULL), OK);
    t_ms[1]++; /* which nobody does: a mark */
    ck_assert_int_eq(window_tables_find(tables, &steps, &c, 9, &table, NULL), OK);
    ck_assert(!table->fresh);
    c.chain.id = 2;
    ck_assert_int_eq(window_tables_find(tables, &steps, &c, 9, &table, NULL), OK);
    ck_assert(table->fresh);
    t_ms[KNOWN]++;
    ck_assert_int_eq(window_tables_find(tables, &steps, &c, 9, &table, NULL), OK);
    ck_assert(table->fresh);
    arena_release(&a);
}
END_TEST

SUITE(window_table, ends_are_those_of_a_walk, tables_come_back_as_long_as_there_is_room,
      a_keeper_keeps_tables_from_part_to_part, times_of_one_chain_are_not_compared)
