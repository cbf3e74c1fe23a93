/* seal - windows that close, samples that come after that, and the memory of it all. */
#include "storage/seal.h"

#include "alloc/memstats.h"
#include "storage/state.h"
#include "tests/unit/storage/store.h"
#include "tests/unit/suite.h"

enum { SERIES = 300, STEP_MS = 60000, WINDOW_SAMPLES = 120 };

/* Two hours of samples in the window of STORE_NOW_MS, up to it. */
static void fill(struct store *s)
{
    static struct sample samples[WINDOW_SAMPLES];
    for (int i = 0; i < SERIES; i++) {
        for (int k = 0; k < WINDOW_SAMPLES; k++)
            samples[k] = (struct sample){STORE_NOW_MS - (WINDOW_SAMPLES - 1 - k) * STEP_MS,
                                         (double)(i * 1000 + k)};
        struct append_result result =
            store_append_many(s, store_numbered(&s->arena, i), samples, WINDOW_SAMPLES);
        ck_assert_uint_eq(result.stored, WINDOW_SAMPLES);
    }
    arena_reset(&s->arena);
}

static uint64_t sealed_chunks(const struct store *s)
{
    uint64_t count = 0;
    for (uint32_t n = 0; n < s->db->shard_count; n++)
        for (uint32_t slot = 0; slot < s->db->grid.slots; slot++)
            count += atomic_load(&s->db->shards[n].windows[slot].sealed_chunks);
    return count;
}

/* The values of one series at the times of fill, and so many more. */
static void check_series(struct store *s, int i, size_t more)
{
    struct querier *q = store_query(s);
    struct matcher m = store_matcher(MATCH_EQUAL, "i", arena_printf(&s->arena, "%d", i).data);
    struct selection selection = store_select(q, &m, 1);
    ck_assert_uint_eq(selection.count, 1);
    struct columns columns = store_read(s, q, selection.series[0]);
    ck_assert_uint_eq(columns.count, WINDOW_SAMPLES + more);
    size_t found = 0;
    for (size_t k = 0; k < columns.count; k++) {
        ck_assert(k == 0 || columns.t_ms[k - 1] < columns.t_ms[k]);
        int64_t behind_ms = STORE_NOW_MS - columns.t_ms[k];
        if (behind_ms < 0 || behind_ms % STEP_MS) continue;
        ck_assert_double_eq(columns.v[k],
                            (double)(i * 1000 + WINDOW_SAMPLES - 1 - behind_ms / STEP_MS));
        found++;
    }
    ck_assert_uint_eq(found, WINDOW_SAMPLES);
    querier_close(q);
    arena_reset(&s->arena);
}

START_TEST(a_closed_window_is_sealed_as_a_whole)
{
    struct store s;
    struct memstats open;
    struct memstats sealed;
    struct storage_stats stats;
    store_open(&s);
    fill(&s);
    store_settle(&s);
    ck_assert_uint_eq(sealed_chunks(&s), 0);
    memstats_read(&open);
    clock_advance(4 * HOUR_MS);
    store_settle(&s);
    storage_check(s.db);
    ck_assert_uint_eq(sealed_chunks(&s), SERIES);
    ck_assert_uint_eq(counter_read(&storage_sweep_times(s.db)->sweeps), 1);
    uint64_t holds = 0;
    for (size_t i = 0; i <= HISTOGRAM_BUCKETS; i++)
        holds += counter_read(&storage_sweep_times(s.db)->holds.buckets[i]);
    ck_assert_uint_ge(holds, s.db->shard_count);
    memstats_read(&sealed);
    struct window_bytes rows[STORAGE_WINDOWS_MAX];
    ck_assert_uint_eq(storage_window_bytes(s.db, rows), 1);
    ck_assert_int_eq(rows[0].start_ms, STORE_NOW_MS - 2 * HOUR_MS);
    ck_assert_uint_eq(rows[0].open, 0);
    ck_assert_uint_ge(rows[0].blocks, 1);
    ck_assert_uint_le(rows[0].blocks, (rows[0].sealed + rows[0].tail) / (64 << 10) + 1);
    ck_assert_uint_eq(rows[0].deleted, 0);
    ck_assert_uint_gt(rows[0].sealed, 0);
    ck_assert_uint_lt(rows[0].tail, HEAP_PAGE_BYTES + rows[0].sealed / 50);
    /* No cells, no records: what is left is what the samples need. */
    ck_assert_uint_lt(sealed.tag_bytes[HEAP_CHUNKS], open.tag_bytes[HEAP_CHUNKS] * 7 / 10);
    storage_stats_read(s.db, &stats);
    ck_assert_uint_eq(stats.samples, SERIES * WINDOW_SAMPLES);
    ck_assert_uint_eq(stats.chunks, SERIES);
    for (int i = 0; i < SERIES; i += 37)
        check_series(&s, i, 0);
    store_close(&s);
}
END_TEST

static uint64_t spans_of_cells(void)
{
    struct memstats stats;
    uint64_t spans = 0;
    memstats_read(&stats);
    for (uint32_t c = 0; c < stats.class_count; c++)
        if (stats.classes[c].cells) spans += stats.classes[c].spans;
    return spans;
}

/* Else those of the next window would come from here and there. */
START_TEST(cells_of_a_window_leave_no_span_behind)
{
    struct store s;
    store_open(&s);
    fill(&s);
    store_settle(&s);
    ck_assert_uint_gt(spans_of_cells(), 0);
    clock_advance(4 * HOUR_MS);
    store_settle(&s);
    ck_assert_uint_eq(sealed_chunks(&s), SERIES);
    ck_assert_uint_eq(spans_of_cells(), 0);
    store_close(&s);
}
END_TEST

START_TEST(a_late_sample_joins_a_sealed_chunk)
{
    struct store s;
    store_open(&s);
    fill(&s);
    clock_advance(4 * HOUR_MS);
    store_settle(&s);
    int64_t t_ms = STORE_NOW_MS - 5000;
    ck_assert_uint_eq(store_append(&s, store_numbered(&s.arena, 7), t_ms, 1).stored, 1);
    ck_assert_uint_eq(store_append(&s, store_numbered(&s.arena, 7), t_ms, 1).duplicates, 1);
    ck_assert_uint_eq(
        store_append(&s, store_numbered(&s.arena, 7), t_ms, 2).refused[REFUSED_CONFLICT], 1);
    /* Those that are in the sealed bytes are known, too. */
    ck_assert_uint_eq(store_append(&s, store_numbered(&s.arena, 8), STORE_NOW_MS, 8119).duplicates,
                      1);
    ck_assert_uint_eq(
        store_append(&s, store_numbered(&s.arena, 8), STORE_NOW_MS, 1).refused[REFUSED_CONFLICT],
        1);
    ck_assert_uint_eq(sealed_chunks(&s), SERIES - 1);
    storage_check(s.db);
    check_series(&s, 7, 1);
    check_series(&s, 8, 0);
    /* After a while both are sealed as one. */
    store_settle(&s);
    ck_assert_uint_eq(sealed_chunks(&s), SERIES - 1);
    clock_advance(HOUR_MS / 2);
    store_settle(&s);
    ck_assert_uint_eq(sealed_chunks(&s), SERIES);
    storage_check(s.db);
    check_series(&s, 7, 1);
    store_close(&s);
}
END_TEST

START_TEST(backfill_ends_with_the_bytes_of_ingestion)
{
    struct store s;
    struct storage_stats in_order;
    struct storage_stats backfilled;
    store_open(&s);
    fill(&s);
    clock_advance(4 * HOUR_MS);
    store_settle(&s);
    storage_stats_read(s.db, &in_order);
    store_close(&s);

    store_open(&s);
    clock_advance(4 * HOUR_MS);
    for (int k = 0; k < WINDOW_SAMPLES; k++) {
        int at = (k * 77 + 13) % WINDOW_SAMPLES; /* 77 and 120 share no factor: each once */
        for (int i = 0; i < SERIES; i++)
            ck_assert_uint_eq(store_append(&s, store_numbered(&s.arena, i),
                                           STORE_NOW_MS - (WINDOW_SAMPLES - 1 - at) * STEP_MS,
                                           (double)(i * 1000 + at))
                                  .stored,
                              1);
        arena_reset(&s.arena);
    }
    store_settle(&s);
    clock_advance(HOUR_MS / 2);
    store_settle(&s);
    ck_assert_uint_eq(sealed_chunks(&s), SERIES);
    storage_stats_read(s.db, &backfilled);
    ck_assert_uint_eq(backfilled.chunk_bytes, in_order.chunk_bytes);
    ck_assert_uint_eq(backfilled.samples, in_order.samples);
    for (int i = 0; i < SERIES; i += 37)
        check_series(&s, i, 0);
    store_close(&s);
}
END_TEST

START_TEST(dribbling_late_samples_do_not_pile_up_dead_bytes)
{
    struct store s;
    store_open(&s);
    fill(&s);
    clock_advance(4 * HOUR_MS);
    store_settle(&s);
    for (int round = 0; round < 40; round++) {
        for (int i = 0; i < SERIES; i++)
            ck_assert_uint_eq(store_append(&s, store_numbered(&s.arena, i),
                                           STORE_NOW_MS - round * STEP_MS - 1, round)
                                  .stored,
                              1);
        arena_reset(&s.arena);
        clock_advance(HOUR_MS / 4);
        store_settle(&s);
        ck_assert_uint_eq(sealed_chunks(&s), SERIES);
    }
    struct memstats stats;
    heap_flush_thread();
    memstats_read(&stats);
    /* Forty times all was written anew; what is dead is bounded by what is live, and a floor. */
    ck_assert_uint_lt(stats.region_bytes, stats.tag_bytes[HEAP_CHUNKS] / 2 + (512 << 10));
    storage_check(s.db);
    for (int i = 0; i < SERIES; i += 37)
        check_series(&s, i, 40);
    store_close(&s);
}
END_TEST

START_TEST(an_expired_window_goes_at_once_and_with_late_chunks)
{
    struct store s;
    struct memstats before;
    struct memstats after;
    struct storage_stats stats;
    size_t samples;
    store_open(&s);
    memstats_read(&before);
    fill(&s);
    clock_advance(4 * HOUR_MS);
    store_settle(&s);
    ck_assert_uint_eq(store_append(&s, store_numbered(&s.arena, 7), STORE_NOW_MS - 5000, 1).stored,
                      1);
    clock_advance(28 * HOUR_MS);
    struct epoch_pin pin = epoch_enter(&s.db->epoch);
    store_settle(&s);
    /* A reader holds the region back; nobody sees it any more. */
    ck_assert_uint_eq(atomic_load(&s.db->regions.pending), 1);
    ck_assert_uint_eq(store_count(&s, &samples), 0);
    epoch_leave(&pin);
    store_settle(&s);
    storage_stats_read(s.db, &stats);
    ck_assert_uint_eq(stats.series, 0);
    ck_assert_uint_eq(stats.chunks, 0);
    ck_assert_uint_eq(stats.samples, 0);
    ck_assert_uint_eq(stats.chunk_bytes, 0);
    memstats_read(&after);
    ck_assert_uint_eq(after.tag_bytes[HEAP_CHUNKS], before.tag_bytes[HEAP_CHUNKS]);
    ck_assert_uint_eq(after.region_bytes, 0);
    store_close(&s);
}
END_TEST

START_TEST(a_clock_that_goes_back_finds_no_dropped_region)
{
    struct store s;
    size_t samples;
    store_open(&s);
    fill(&s);
    clock_advance(4 * HOUR_MS);
    store_settle(&s);
    ck_assert_uint_eq(store_append(&s, store_numbered(&s.arena, 7), STORE_NOW_MS - 5000, 1).stored,
                      1);
    clock_advance(36 * HOUR_MS);
    regions_drop_before(&s.db->regions, storage_bounds(s.db).oldest_window); /* a sweep begins */
    clock_advance(STORE_NOW_MS + 4 * HOUR_MS - clock_wall_ms());
    ck_assert_uint_eq(store_count(&s, &samples), 0);
    ck_assert_uint_eq(store_append(&s, store_numbered(&s.arena, 7), STORE_NOW_MS - 5000, 1).stored,
                      1);
    ck_assert_uint_eq(store_append(&s, store_numbered(&s.arena, 8), STORE_NOW_MS - 5000, 1).stored,
                      1);
    ck_assert_uint_eq(store_count(&s, &samples), 2);
    store_settle(&s);
    store_close(&s);
}
END_TEST

START_TEST(a_region_is_not_left_by_those_who_stand_on_it_while_the_clock_is_back)
{
    struct store s;
    struct region_bytes bytes;
    size_t rounds = 0;
    store_open(&s);
    uint32_t slot = window_slot(&s.db->grid, storage_window_of(s.db, STORE_NOW_MS));
    fill(&s);
    clock_advance(4 * HOUR_MS);
    store_settle(&s);
    do { /* until the next sweep will leave the region */
        for (int i = 0; i < SERIES; i++)
            store_append(&s, store_numbered(&s.arena, i),
                         STORE_NOW_MS - (int64_t)rounds * STEP_MS - 1, 1);
        arena_reset(&s.arena);
        clock_advance(HOUR_MS / 4);
        store_settle(&s);
        rounds++;
        regions_bytes(&s.db->regions, slot, &bytes);
    } while (bytes.deleted < (256 << 10) || bytes.deleted < bytes.blocks / 4);
    ck_assert_uint_eq(store_append(&s, store_numbered(&s.arena, 7), STORE_NOW_MS - 5000, 1).stored,
                      1);
    clock_advance(STORE_NOW_MS + STEP_MS - clock_wall_ms());
    /* A late chunk of the window before makes a sweep due. */
    ck_assert_uint_eq(
        store_append(&s, store_numbered(&s.arena, 9), STORE_NOW_MS - 4 * HOUR_MS, 1).stored, 1);
    store_settle(&s);
    regions_bytes(&s.db->regions, slot, &bytes);
    ck_assert_uint_lt(bytes.deleted, 256 << 10); /* it was left */
    check_series(&s, 7, rounds + 1);
    check_series(&s, 8, rounds);
    store_close(&s);
}
END_TEST

START_TEST(without_memory_chunks_stay_open_and_are_sealed_later)
{
    struct store s;
    store_open(&s);
    fill(&s);
    heap_flush_thread();
    (void)heap_scavenge(UINT64_MAX);
    heap_set_limit(heap_used_bytes());
    clock_advance(4 * HOUR_MS);
    store_settle(&s);
    ck_assert_uint_lt(sealed_chunks(&s), SERIES);
    storage_check(s.db);
    heap_set_limit(0);
    for (int i = 0; i < SERIES; i += 37)
        check_series(&s, i, 0);
    clock_advance(HOUR_MS / 2);
    store_settle(&s);
    ck_assert_uint_eq(sealed_chunks(&s), SERIES);
    for (int i = 0; i < SERIES; i += 37)
        check_series(&s, i, 0);
    store_close(&s);
}
END_TEST

SUITE(seal, a_closed_window_is_sealed_as_a_whole, cells_of_a_window_leave_no_span_behind,
      a_late_sample_joins_a_sealed_chunk, backfill_ends_with_the_bytes_of_ingestion,
      dribbling_late_samples_do_not_pile_up_dead_bytes,
      an_expired_window_goes_at_once_and_with_late_chunks,
      a_clock_that_goes_back_finds_no_dropped_region,
      a_region_is_not_left_by_those_who_stand_on_it_while_the_clock_is_back,
      without_memory_chunks_stay_open_and_are_sealed_later)
