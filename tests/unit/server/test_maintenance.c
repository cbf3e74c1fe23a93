/* maintenance: expired windows go, snapshots come, memory is measured. */
#include "server/maintenance.h"

#include "tests/unit/server/served.h"

static struct served s;

START_TEST(expired_samples_go_by_themselves)
{
    struct storage_stats stats;
    served_open(&s, "--self-scrape.interval=0", "--storage.chunk-duration=1s",
                "--storage.windows=2", "--storage.future-tolerance=1s", NULL);
    served_store(&s, "m", clock_wall_ms(), 1);
    for (int waited = 0;; waited++) {
        storage_stats_read(s.app->storage, &stats);
        if (stats.series == 0 && stats.samples == 0) break;
        ck_assert_int_lt(waited, 1500);
        thread_sleep_ms(10);
    }
    served_close(&s);
}
END_TEST

START_TEST(snapshots_are_taken_at_their_interval)
{
    struct durability_stats stats;
    served_open(&s, "--snapshot.interval=1s", "--self-scrape.interval=100ms", NULL);
    for (int waited = 0;; waited++) {
        durability_stats_read(s.app->durability, &stats);
        if (stats.snapshots >= 1) break;
        ck_assert_int_lt(waited, 1500);
        thread_sleep_ms(10);
    }
    served_close(&s);
}
END_TEST

START_TEST(memory_that_is_not_ours_is_measured)
{
    served_open(&s, NULL);
    for (int waited = 0; gauge_read(&s.app->maintenance.other_bytes) == 0; waited++) {
        ck_assert_int_lt(waited, 1500);
        thread_sleep_ms(10);
    }
    ck_assert_uint_gt(maintenance_other_bytes(), 100 << 10);
    ck_assert(!maintenance_refuses_writes(&s.app->maintenance));
    served_close(&s);
}
END_TEST

SUITE(maintenance, expired_samples_go_by_themselves, snapshots_are_taken_at_their_interval,
      memory_that_is_not_ours_is_measured)
