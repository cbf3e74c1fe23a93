/* storage when the clock jumps: nothing expires, nothing acknowledged goes, writers come again. */
#include "storage/storage.h"

#include "tests/unit/storage/store.h"
#include "tests/unit/suite.h"

enum { OLD = 30, COUNT = 31 }; /* a sample for each of the last 31 hours */

static struct store s;
static struct labels labels;

static void setup(void)
{
    store_open(&s);
    labels = store_labels(&s.arena, "__name__", "m", NULL);
    for (int64_t h = OLD; h >= 0; h--)
        ck_assert_uint_eq(store_append(&s, labels, STORE_NOW_MS - h * HOUR_MS, (double)h).stored,
                          1);
}

static void jump(int64_t ms)
{
    clock_freeze(clock_wall_ms() + ms);
}

/* As a sender from outside. */
static enum status send(int64_t t_ms, struct append_result *result)
{
    struct arena a;
    struct appender *app;
    struct error err;
    struct labels m;
    const struct sample sample = {.t_ms = t_ms, .v = 1};
    arena_init(&a, HEAP_HTTP, 1 << 20);
    m = store_labels(&a, "__name__", "sent", NULL);
    ck_assert(appender_begin(s.db, &a, &app, &err) == OK);
    appender_is_witness(app);
    ck_assert(appender_add(app, m, &sample, 1, &err) == OK);
    enum status st = appender_commit(app, result, &err);
    arena_release(&a);
    return st;
}

static void expect_held(size_t count)
{
    size_t samples;
    store_settle(&s);
    store_count(&s, &samples);
    ck_assert_uint_eq(samples, count);
    labels = store_labels(&s.arena, "__name__", "m", NULL);
}

START_TEST(a_jump_expires_nothing)
{
    static const int64_t hours[] = {4, 24, 33, 100000, -1, -24, -33, -400000};
    for (size_t i = 0; i < sizeof(hours) / sizeof(hours[0]); i++) {
        struct append_result result;
        struct storage_clock clock;
        setup();
        jump(hours[i] * HOUR_MS);
        expect_held(COUNT);
        clock_advance(60000);
        expect_held(COUNT);
        storage_clock_read(s.db, &clock);
        ck_assert_int_eq(clock.offset_ms, hours[i] * HOUR_MS);
        ck_assert_uint_eq(clock.jumps[hours[i] < 0], 1);
        /* Senders whose clocks are right do not notice. */
        ck_assert_int_eq(send(STORE_NOW_MS + 60000, &result), OK);
        ck_assert_uint_eq(result.stored, 1);
        jump(-hours[i] * HOUR_MS);
        expect_held(COUNT + 1);
        storage_clock_read(s.db, &clock);
        ck_assert_int_eq(clock.offset_ms, 0);
        store_close(&s);
    }
}
END_TEST

START_TEST(an_empty_store_believes_at_once)
{
    struct append_result result;
    store_open(&s);
    jump(1000 * HOUR_MS);
    ck_assert_int_eq(send(clock_wall_ms(), &result), OK);
    ck_assert_uint_eq(result.stored, 1);
    ck_assert_int_eq(storage_now_ms(s.db), clock_wall_ms());
    store_close(&s);
}
END_TEST

START_TEST(samples_of_both_times_are_taken_as_far_as_there_is_room)
{
    struct append_result result;
    setup();
    jump(3 * HOUR_MS); /* into the next window */
    ck_assert_int_eq(send(clock_wall_ms(), &result), OK);
    ck_assert_uint_eq(result.stored, 1);
    ck_assert_int_eq(send(storage_now_ms(s.db), &result), OK);
    ck_assert_uint_eq(result.stored, 1);
    expect_held(COUNT + 2);
    store_close(&s);
}
END_TEST

START_TEST(senders_come_again_until_it_is_clear)
{
    struct append_result result;
    setup();
    jump(40 * HOUR_MS);
    for (int i = 0; i < 4; i++, clock_advance(20000))
        ck_assert_int_eq(send(clock_wall_ms(), &result), i < 3 ? ERR_UNAVAILABLE : OK);
    ck_assert_uint_eq(result.stored, 1);
    expect_held(1);
    store_close(&s);
}
END_TEST

START_TEST(one_sender_with_the_wrong_time_does_not_matter_when_others_have_the_right_one)
{
    struct append_result result;
    setup();
    jump(40 * HOUR_MS);
    for (int i = 1; i <= 40; i++) {
        clock_advance(20000);
        ck_assert_int_eq(send(STORE_NOW_MS + i * 20000, &result), OK);
        ck_assert_int_eq(send(clock_wall_ms(), &result), ERR_UNAVAILABLE);
    }
    expect_held(COUNT + 40);
    store_close(&s);
}
END_TEST

START_TEST(a_clock_put_back_is_believed_when_samples_say_so)
{
    struct append_result result;
    setup();
    jump(-31 * HOUR_MS);
    int64_t t_ms = clock_wall_ms() - 2 * HOUR_MS; /* not retained by the later time */
    ck_assert_int_eq(send(t_ms, &result), ERR_UNAVAILABLE);
    clock_advance(61000);
    ck_assert_int_eq(send(t_ms, &result), OK);
    ck_assert_uint_eq(result.stored, 1);
    jump(31 * HOUR_MS); /* so far time has come already: there are samples */
    ck_assert_int_eq(send(clock_wall_ms(), &result), OK);
    expect_held(COUNT + 1);
    store_close(&s);
}
END_TEST

START_TEST(what_is_read_at_a_start_says_what_time_it_is)
{
    size_t samples;
    store_open(&s);
    clock_advance(100 * HOUR_MS);
    storage_resume_at(s.db, INT64_MIN);
    labels = store_labels(&s.arena, "__name__", "m", NULL);
    for (int64_t h = OLD; h >= 0; h--)
        ck_assert_uint_eq(store_append(&s, labels, STORE_NOW_MS - h * HOUR_MS, (double)h).stored,
                          1);
    storage_resumed(s.db);
    ck_assert_int_eq(storage_now_ms(s.db), STORE_NOW_MS);
    expect_held(COUNT);
    jump(-100 * HOUR_MS + 60000);
    store_count(&s, &samples);
    ck_assert_uint_eq(samples, COUNT);
    store_close(&s);

    /* After an hour in which nobody was there, samples of now have their place. */
    struct append_result result;
    struct storage_clock clock;
    store_open(&s);
    labels = store_labels(&s.arena, "__name__", "m", NULL);
    storage_resume_at(s.db, STORE_NOW_MS - HOUR_MS);
    ck_assert_uint_eq(store_append(&s, labels, STORE_NOW_MS - HOUR_MS, 1).stored, 1);
    storage_resumed(s.db);
    ck_assert_int_eq(storage_now_ms(s.db), STORE_NOW_MS - HOUR_MS);
    ck_assert_int_eq(send(STORE_NOW_MS, &result), OK);
    clock_advance(61000);
    ck_assert_int_eq(send(STORE_NOW_MS, &result), OK);
    ck_assert_int_eq(storage_now_ms(s.db), clock_wall_ms());
    storage_clock_read(s.db, &clock);
    ck_assert_uint_eq(clock.jumps[0] + clock.jumps[1], 0);
    store_close(&s);
}
END_TEST

SUITE(storage_clock, a_jump_expires_nothing, an_empty_store_believes_at_once,
      samples_of_both_times_are_taken_as_far_as_there_is_room, senders_come_again_until_it_is_clear,
      one_sender_with_the_wrong_time_does_not_matter_when_others_have_the_right_one,
      a_clock_put_back_is_believed_when_samples_say_so,
      what_is_read_at_a_start_says_what_time_it_is)
