/* shard - series and chunks in and out of every index, under one lock. */
#include "storage/shard.h"

#include "storage/shard_run.h"
#include "storage/state.h"
#include "tests/unit/storage/store.h"
#include "tests/unit/suite.h"

/* The only shard of a storage, locked for the test. */
static struct shard *shard_lock(struct store *s)
{
    struct storage_options options = storage_options_default();
    options.shards = 1;
    store_open_with(s, options);
    struct shard *sh = &s->db->shards[0];
    rwlock_write_lock(&sh->lock);
    return sh;
}

static void shard_unlock(struct store *s, struct shard *sh)
{
    shard_check(sh);
    rwlock_write_unlock(&sh->lock);
    store_settle(s);
    store_close(s);
}

/* What is known of the labels, on the arena. */
static const struct resolved *resolved(struct store *s, struct labels labels)
{
    struct resolver resolver;
    struct resolved *set = arena_alloc(&s->arena, sizeof(*set));
    ck_assert_ptr_nonnull(set);
    resolver_init(&resolver, &s->db->symbols, &s->arena);
    ck_assert(resolve(&resolver, labels, set));
    return set;
}

/* With an empty ring; NULL at the limit. */
static struct series *make(struct store *s, struct shard *sh, const struct resolved *set)
{
    struct labels labels = set->labels;
    if (!symbols_acquire(&s->db->symbols, labels, set->symbols)) return NULL;
    struct series *series = shard_create_series(sh, set);
    if (!series) symbols_drop(&s->db->symbols, set->symbols, labels.count);
    return series;
}

static struct series *create(struct store *s, struct shard *sh, const char *name)
{
    struct labels labels = store_labels(&s->arena, "__name__", name, NULL);
    struct sample sample = {STORE_NOW_MS, 1};
    struct series *series = make(s, sh, resolved(s, labels));
    ck_assert_ptr_nonnull(series);
    ck_assert_int_eq(shard_add_sample(sh, series, &sample, false), CHUNK_APPENDED);
    return series;
}

START_TEST(a_series_is_found_by_its_labels_until_it_is_forgotten)
{
    struct store s;
    struct shard *sh = shard_lock(&s);
    struct labels up = store_labels(&s.arena, "__name__", "up", NULL);
    ck_assert_ptr_null(shard_find(sh, resolved(&s, up)));
    struct series *series = create(&s, sh, "up");
    ck_assert_ptr_eq(shard_find(sh, resolved(&s, up)), series);
    ck_assert_uint_eq(series->birth, 1);
    ck_assert_uint_eq(create(&s, sh, "down")->birth, 2);
    /* Equal hashes are told apart by the labels. */
    struct resolved other = *resolved(&s, store_labels(&s.arena, "a", "b", NULL));
    other.hash = resolved(&s, up)->hash;
    ck_assert_ptr_null(shard_find(sh, &other));
    shard_put(sh, series, window_slot(&s.db->grid, window_of(&s.db->grid, STORE_NOW_MS)), 0);
    shard_forget_series(sh, series);
    ck_assert_ptr_null(shard_find(sh, resolved(&s, up)));
    shard_unlock(&s, sh);
}
END_TEST

START_TEST(an_id_is_given_out_again_only_when_no_reader_can_hold_it)
{
    struct store s;
    struct shard *sh = shard_lock(&s);
    uint32_t slot = window_slot(&s.db->grid, window_of(&s.db->grid, STORE_NOW_MS));
    struct series *first = create(&s, sh, "first");
    uint32_t id = first->id;
    struct epoch_pin pin = epoch_enter(&s.db->epoch);
    shard_put(sh, first, slot, 0);
    shard_forget_series(sh, first);
    ck_assert_uint_ne(create(&s, sh, "second")->id, id);
    rwlock_write_unlock(&sh->lock);
    store_settle(&s);
    rwlock_write_lock(&sh->lock);
    ck_assert_uint_ne(create(&s, sh, "third")->id, id);
    epoch_leave(&pin);
    rwlock_write_unlock(&sh->lock);
    store_settle(&s);
    rwlock_write_lock(&sh->lock);
    ck_assert_uint_eq(create(&s, sh, "fourth")->id, id);
    shard_unlock(&s, sh);
}
END_TEST

START_TEST(a_new_window_in_an_old_slot_drops_what_was_there)
{
    struct store s;
    struct shard *sh = shard_lock(&s);
    struct series *series = create(&s, sh, "m");
    struct sample sample = {STORE_NOW_MS + 36 * HOUR_MS, 2};
    ck_assert_int_eq(shard_add_sample(sh, series, &sample, false), CHUNK_APPENDED);
    ck_assert_uint_eq(counter_read(&sh->counters.chunks_expired), 1);
    ck_assert_uint_eq(gauge_read(&sh->counters.samples), 1);
    sample.t_ms = STORE_NOW_MS; /* never back */
    ck_assert_int_eq(shard_add_sample(sh, series, &sample, false), SHARD_EXPIRED);
    shard_unlock(&s, sh);
}
END_TEST

START_TEST(a_long_late_run_is_merged_outside_the_lock)
{
    struct store s;
    struct shard *sh = shard_lock(&s);
    struct series *series = create(&s, sh, "m");
    uint32_t slot = window_slot(&s.db->grid, window_of(&s.db->grid, STORE_NOW_MS));
    struct epoch_pin pin = epoch_enter(&s.db->epoch);
    int merges = 0;
    for (int i = 1; i <= 2000; i++) {
        struct sample sample = {STORE_NOW_MS - i, i};
        struct shard_run run = {0};
        ck_assert_int_eq(shard_run_add(sh, &run, series, &sample, false), CHUNK_LATE);
        ck_assert_int_le(gauge_read(&sh->counters.samples_waiting), 512);
        shard_run_end(sh, &run);
        if (!run.merge) continue;
        uint64_t before = series_word(series, slot);
        ck_assert_ptr_eq(run.merge, series);
        ck_assert_uint_eq(run.merge_slot, slot);
        rwlock_write_unlock(&sh->lock);
        shard_merge_late(sh, series, slot, &s.arena);
        rwlock_write_lock(&sh->lock);
        ck_assert_uint_ne(series_word(series, slot), before);
        ck_assert_int_eq(gauge_read(&sh->counters.samples_waiting), 0);
        merges++;
    }
    ck_assert_int_gt(merges, 4);
    epoch_leave(&pin);
    ck_assert_uint_eq(gauge_read(&sh->counters.samples), 2001);
    ck_assert_uint_eq(gauge_read(&sh->counters.chunks), 1);
    ck_assert_uint_eq(gauge_read(&sh->counters.chunk_bytes),
                      chunk_bytes(shard_hold(sh, series, slot).open));
    shard_unlock(&s, sh);
}
END_TEST

START_TEST(creating_a_series_survives_the_failure_of_any_allocation)
{
    struct store s;
    struct shard *sh = shard_lock(&s);
    for (int i = 0; i < 100; i++) {
        struct labels labels = store_numbered(&s.arena, i);
        struct sample sample = {STORE_NOW_MS, 1};
        struct series *series = NULL;
        for (uint64_t n = 0; !series; n++) {
            const struct resolved *set = resolved(&s, labels);
            heap_fail_after(n);
            series = make(&s, sh, set);
            heap_fail_after(UINT64_MAX);
            ck_assert_uint_eq(sh->map.count, i + (series != NULL));
            ck_assert_uint_eq(id_set_count(&sh->all), i + (series != NULL));
        }
        ck_assert_int_eq(shard_add_sample(sh, series, &sample, false), CHUNK_APPENDED);
        shard_check(sh);
        symbols_check(&s.db->symbols);
    }
    shard_unlock(&s, sh);
}
END_TEST

SUITE(shard, a_series_is_found_by_its_labels_until_it_is_forgotten,
      an_id_is_given_out_again_only_when_no_reader_can_hold_it,
      a_new_window_in_an_old_slot_drops_what_was_there, a_long_late_run_is_merged_outside_the_lock,
      creating_a_series_survives_the_failure_of_any_allocation)
