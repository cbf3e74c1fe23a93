/* sweep - chunks that are sealed while samples come for them, and how long their shards are held.
 */
#include "storage/sweep.h"

#include "base/hash.h"
#include "base/thread.h"
#include "tests/unit/storage/store.h"
#include "tests/unit/suite.h"

enum { SERIES = 8, ROUNDS = 400, WINDOW_STEPS = 2400, STEP_MS = 6000 };

/* Samples at the multiples of STEP_MS of a window that has closed, each time written once. */
struct race {
    struct store store;
    struct labels labels[SERIES];
    int64_t start_ms;
    bool written[SERIES][WINDOW_STEPS];
    _Atomic bool done;
};

static double value_of(int series, uint32_t step)
{
    return series * 10000.0 + step;
}

static void write_late(void *arg)
{
    struct race *race = arg;
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < SERIES; i++) {
            uint32_t step = (uint32_t)(hash_mix((uint64_t)round, (uint64_t)i) % WINDOW_STEPS);
            struct append_result result =
                store_append(&race->store, race->labels[i],
                             race->start_ms + step * (int64_t)STEP_MS, value_of(i, step));
            EXPECT(result.stored + result.duplicates == 1);
            EXPECT((result.duplicates == 1) == race->written[i][step]);
            race->written[i][step] = true;
        }
    }
    heap_flush_thread();
    atomic_store(&race->done, true);
}

static void check_series(struct race *race, int i)
{
    struct querier *q = store_query(&race->store);
    struct matcher m =
        store_matcher(MATCH_EQUAL, "i", arena_printf(&race->store.arena, "%d", i).data);
    struct selection selection = store_select(q, &m, 1);
    ck_assert_uint_eq(selection.count, 1);
    struct columns columns = store_read(&race->store, q, selection.series[0]);
    size_t at = 0;
    for (uint32_t step = 0; step < WINDOW_STEPS; step++) {
        if (!race->written[i][step]) continue;
        EXPECT(at < columns.count);
        EXPECT(columns.t_ms[at] == race->start_ms + step * (int64_t)STEP_MS);
        EXPECT(columns.v[at] == value_of(i, step));
        at++;
    }
    ck_assert_uint_eq(at, columns.count);
    querier_close(q);
    arena_reset(&race->store.arena);
}

START_TEST(no_late_sample_is_lost_while_its_chunk_is_sealed_again_and_again)
{
    static struct race race;
    struct store *s = &race.store;
    struct thread writer;
    struct error err;
    store_open(s);
    race.start_ms = storage_window_start_ms(s->db, storage_window_of(s->db, STORE_NOW_MS));
    for (int i = 0; i < SERIES; i++)
        race.labels[i] = store_numbered(&s->arena, i);
    struct arena labels = s->arena; /* stays until the end */
    arena_init(&s->arena, HEAP_QUERY, UINT64_C(1) << 30);
    clock_advance(4 * HOUR_MS);
    ck_assert(thread_start(&writer, "writer", write_late, &race, &err) == OK);
    for (int64_t sweeps = 0; !atomic_load(&race.done) || sweeps < 8; sweeps++) {
        clock_advance(STORE_NOW_MS + 4 * HOUR_MS + sweeps % 64 * (HOUR_MS / 4) - clock_wall_ms());
        while (storage_maintain(s->db))
            continue;
        if (sweeps % 16 == 0) storage_check(s->db);
    }
    thread_join(&writer);
    clock_advance(STORE_NOW_MS + 24 * HOUR_MS - clock_wall_ms());
    store_settle(s);
    storage_check(s->db);
    uint32_t slot = window_slot(&s->db->grid, storage_window_of(s->db, race.start_ms));
    for (uint32_t n = 0; n < s->db->shard_count; n++) {
        const struct shard_window *w = &s->db->shards[n].windows[slot];
        ck_assert_uint_eq(atomic_load(&w->sealed_chunks), atomic_load(&w->chunks));
    }
    for (int i = 0; i < SERIES; i++)
        check_series(&race, i);
    store_close(s);
    arena_release(&labels);
}
END_TEST

SUITE(sweep, no_late_sample_is_lost_while_its_chunk_is_sealed_again_and_again)
