/* expect - series in the order of the last batch are recognized, and whatever else comes is, too.
 */
#include "storage/expect.h"

#include <stdio.h>

#include "tests/unit/storage/known.h"
#include "tests/unit/suite.h"

enum { SERIES = 60 };

struct sender {
    struct store store;
    struct labels labels[SERIES];
    struct str messages[SERIES];
    int64_t now_ms;
};

static void open(struct sender *sender)
{
    store_open(&sender->store);
    sender->now_ms = STORE_NOW_MS;
    for (int i = 0; i < SERIES; i++) {
        char text[16];
        snprintf(text, sizeof(text), "%d", i);
        sender->labels[i] = store_labels(&sender->store.arena, "__name__", "up", "i", text, NULL);
        sender->messages[i] = known_message(&sender->store.arena, sender->labels[i]);
    }
}

struct counts {
    int how[3];
};

/* One sample for each of the series in this order. */
static struct counts send(struct sender *sender, const int *order, int count)
{
    struct counts counts = {{0}};
    struct append_result result;
    struct appender *app;
    struct sample samples[SERIES];
    struct arena a;
    arena_init(&a, HEAP_HTTP, 1 << 24);
    sender->now_ms++;
    ck_assert_int_eq(appender_begin(sender->store.db, &a, &app, NULL), OK);
    for (int i = 0; i < count; i++) {
        samples[i] = (struct sample){sender->now_ms, order[i]};
        counts.how[known_add(app, sender->messages[order[i]], sender->labels[order[i]], &samples[i],
                             1)]++;
    }
    ck_assert_int_eq(appender_commit(app, &result, NULL), OK);
    ck_assert_uint_eq(result.stored, (uint64_t)count);
    arena_release(&a);
    return counts;
}

static void in_order(int order[SERIES])
{
    for (int i = 0; i < SERIES; i++)
        order[i] = i;
}

static void expect_counts(struct counts c, int expected, int found, int unknown)
{
    ck_assert_int_eq(c.how[KNOWN_EXPECTED], expected);
    ck_assert_int_eq(c.how[KNOWN_FOUND], found);
    ck_assert_int_eq(c.how[KNOWN_NOT], unknown);
}

/* Every sample is in its series. */
static void close(struct sender *sender)
{
    struct querier *q = store_query(&sender->store);
    struct selection selection = store_select(q, NULL, 0);
    for (size_t i = 0; i < selection.count; i++) {
        struct columns columns = store_read(&sender->store, q, selection.series[i]);
        struct str number = labels_get(labels_of(selection.series[i]), STR("i"));
        char text[16];
        snprintf(text, sizeof(text), "%.*s", STR_ARG(number));
        for (size_t n = 0; n < columns.count; n++)
            EXPECT(columns.v[n] == strtod(text, NULL));
    }
    querier_close(q);
    store_close(&sender->store);
}

START_TEST(what_followed_once_is_expected)
{
    struct sender sender;
    int order[SERIES];
    open(&sender);
    in_order(order);
    expect_counts(send(&sender, order, SERIES), 0, 0, SERIES);
    expect_counts(send(&sender, order, SERIES), SERIES - 1, 1, 0);
    expect_counts(send(&sender, order + 20, 30), 29, 1, 0); /* a batch may begin anywhere */
    close(&sender);
}
END_TEST

START_TEST(one_that_ended_is_passed_over)
{
    struct sender sender;
    int order[SERIES];
    open(&sender);
    in_order(order);
    send(&sender, order, SERIES);
    for (int i = 10; i < SERIES - 1; i++)
        order[i] = i + 1;
    expect_counts(send(&sender, order, SERIES - 1), SERIES - 2, 1, 0);
    for (int i = 10; i < SERIES - 3; i++) /* and then two at once: one look, and it goes on */
        order[i] = i + 3;
    expect_counts(send(&sender, order, SERIES - 3), SERIES - 5, 2, 0);
    expect_counts(send(&sender, order, SERIES - 3), SERIES - 4, 1, 0);
    close(&sender);
}
END_TEST

START_TEST(a_new_order_is_learned)
{
    struct sender sender;
    int order[SERIES];
    open(&sender);
    in_order(order);
    send(&sender, order, SERIES);
    for (int i = 0; i < SERIES; i++)
        order[i] = i * 7 % SERIES;
    expect_counts(send(&sender, order, SERIES), 0, SERIES, 0);
    expect_counts(send(&sender, order, SERIES), SERIES - 1, 1, 0);
    close(&sender);
}
END_TEST

START_TEST(labels_that_only_begin_alike_are_others)
{
    struct sender sender;
    struct append_result result;
    struct appender *app;
    int order[] = {0, 1};
    size_t bytes = 0;
    open(&sender);
    send(&sender, order, 2);
    send(&sender, order, 2);
    struct arena *a = &sender.store.arena;
    struct labels longer = store_labels(a, "__name__", "up", "i", "1", "j", "x", NULL);
    struct labels shorter = store_labels(a, "__name__", "up", NULL);
    struct sample zero = {sender.now_ms + 1, 0};
    struct sample sample = {sender.now_ms + 1, 1};
    ck_assert_int_eq(appender_begin(sender.store.db, a, &app, NULL), OK);
    ck_assert_int_eq(known_add(app, sender.messages[0], sender.labels[0], &zero, 1), KNOWN_FOUND);
    ck_assert_ptr_nonnull(appender_expect(app, known_message(a, longer), &bytes));
    ck_assert_uint_eq(bytes, sender.messages[1].size); /* the caller sees that there is more */
    ck_assert_ptr_null(appender_find(app, longer));
    ck_assert_ptr_null(appender_expect(app, known_message(a, shorter), &bytes));
    ck_assert_ptr_null(appender_expect(app, STR(""), &bytes));
    ck_assert_int_eq(known_add(app, known_message(a, longer), longer, &sample, 1), KNOWN_NOT);
    ck_assert_int_eq(appender_commit(app, &result, NULL), OK);
    ck_assert_uint_eq(result.stored, 2);
    close(&sender);
}
END_TEST

START_TEST(labels_in_disorder_are_found_by_nobody)
{
    struct sender sender;
    struct appender *app;
    int order[] = {0, 1};
    open(&sender);
    send(&sender, order, 2);
    struct label turned[] = {sender.labels[0].items[1], sender.labels[0].items[0]};
    struct label twice[] = {turned[1], turned[0], turned[0]};
    ck_assert_int_eq(appender_begin(sender.store.db, &sender.store.arena, &app, NULL), OK);
    ck_assert_ptr_nonnull(appender_find(app, sender.labels[0]));
    ck_assert_ptr_null(appender_find(app, (struct labels){turned, 2}));
    ck_assert_ptr_null(appender_find(app, (struct labels){twice, 3}));
    ck_assert_ptr_null(appender_find(app, (struct labels){0}));
    appender_abort(app);
    close(&sender);
}
END_TEST

/* A series ends, its id is given to another one, and links to it lead there. */
START_TEST(links_to_another_series_are_harmless)
{
    struct sender sender;
    struct storage_stats stats;
    int order[SERIES];
    open(&sender);
    in_order(order);
    send(&sender, order, SERIES / 2);
    clock_advance(40 * HOUR_MS);
    sender.now_ms += 40 * HOUR_MS;
    store_settle(&sender.store);
    storage_stats_read(sender.store.db, &stats);
    ck_assert_uint_eq(stats.series, 0);
    expect_counts(send(&sender, order + SERIES / 2, SERIES / 2), 0, 0, SERIES / 2);
    expect_counts(send(&sender, order, SERIES / 2), 0, 0, SERIES / 2);
    expect_counts(send(&sender, order, SERIES), SERIES - 2, 2, 0);
    close(&sender);
}
END_TEST

/* Between finding and committing everything expires. */
START_TEST(a_series_that_is_forgotten_meanwhile_is_made_again)
{
    struct sender sender;
    struct storage_stats stats;
    struct append_result result;
    struct appender *app;
    struct sample samples[3];
    int order[] = {0, 1, 2};
    open(&sender);
    send(&sender, order, 3);
    ck_assert_int_eq(appender_begin(sender.store.db, &sender.store.arena, &app, NULL), OK);
    clock_advance(40 * HOUR_MS);
    for (int i = 0; i < 3; i++) {
        samples[i] = (struct sample){STORE_NOW_MS + 40 * HOUR_MS, i % 2};
        ck_assert_int_ne(
            known_add(app, sender.messages[i % 2], sender.labels[i % 2], &samples[i], 1),
            KNOWN_NOT);
    }
    for (int i = 0; i < 1000; i++) /* it cannot settle: the appender holds up the epoch */
        (void)storage_maintain(sender.store.db);
    storage_stats_read(sender.store.db, &stats);
    ck_assert_uint_eq(stats.series, 0);
    ck_assert_int_eq(appender_commit(app, &result, NULL), OK);
    ck_assert_uint_eq(result.stored, 2);
    ck_assert_uint_eq(result.duplicates, 1);
    storage_stats_read(sender.store.db, &stats);
    ck_assert_uint_eq(stats.series, 2);
    close(&sender);
}
END_TEST

SUITE(expect, what_followed_once_is_expected, one_that_ended_is_passed_over, a_new_order_is_learned,
      labels_that_only_begin_alike_are_others, labels_in_disorder_are_found_by_nobody,
      links_to_another_series_are_harmless, a_series_that_is_forgotten_meanwhile_is_made_again)
