/*
 * life - see life.h.
 */
#include "tests/sim/life.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "storage/appender.h"

#define FOLDER "/data"
enum { WINDOW_MS = 60000, WINDOWS = 8, BATCH_MAX = 6 };

static uint64_t below(struct sim *s, uint64_t end)
{
    return random_below(&s->random, end);
}

static bool chance(struct sim *s, unsigned percent)
{
    return below(s, 100) < percent;
}

static int64_t right_ms(const struct sim *s)
{
    return clock_wall_ms() - s->error_ms;
}

/* What is retained by the right time. */
static int64_t right_oldest_ms(const struct sim *s)
{
    return (right_ms(s) / WINDOW_MS - (WINDOWS - 1)) * WINDOW_MS;
}

static bool is_empty(const struct sim *s)
{
    struct storage_stats stats;
    storage_stats_read(s->db, &stats);
    return stats.samples == 0;
}

/* ---- birth ---- */

static uint64_t count_damages(const struct durability *d)
{
    struct durability_stats stats;
    durability_stats_read(d, &stats);
    return stats.wal_corruptions + stats.snapshot_corruptions;
}

static uint64_t count_write_errors(const struct durability *d)
{
    struct durability_stats stats;
    durability_stats_read(d, &stats);
    return stats.wal_write_errors;
}

/* A file that the disk refused to read twice was set aside, or what was in it is damaged; the log
 * said so. */
static void forgive_refused(struct sim *s)
{
    uint64_t damages = count_damages(s->durability);
    if (!s->fair && damages > s->damages) ledger_forgive(&s->ledger);
    s->damages = damages;
}

static bool start(struct sim *s)
{
    static const uint64_t segment_bytes[] = {200, 1000, 5000, 0};
    struct error err = {0};
    struct storage_options options = storage_options_default();
    options.chunk_ms = WINDOW_MS;
    options.windows = WINDOWS;
    options.future_ms = WINDOW_MS;
    options.shards = 2;
    s->sync = (enum wal_sync)below(s, 3);
    struct durability_options how = {
        .path = FOLDER, .sync = s->sync, .segment_bytes = segment_bytes[below(s, 4)]};
    if (storage_open(&options, &s->db, &err)) return false;
    enum status st = durability_open(&how, &s->durability, &err);
    if (st) s->durability = NULL;
    if (st == OK) st = durability_recover(s->durability, s->db, &err);
    if (s->durability) forgive_refused(s);
    if (st) {
        durability_close(s->durability);
        storage_close(s->db);
        snprintf(s->fault, sizeof(s->fault), "no start: %.300s", err.text);
        return false;
    }
    storage_set_journal(s->db, durability_journal(s->durability));
    bool goes_on = s->ahead && storage_now_ms(s->db) == clock_wall_ms();
    s->ahead = s->error_ms > 0 && (is_empty(s) || goes_on);
    return true;
}

static void stop(struct sim *s)
{
    durability_close(s->durability);
    storage_close(s->db);
}

/* ---- what a process does ---- */

/* One request. */
struct batch {
    struct label labels[BATCH_MAX][3];
    struct sample samples[BATCH_MAX];
    struct ledger_entry *entries[BATCH_MAX];
    unsigned variants[BATCH_MAX];
    size_t count;
};

/* Mostly now, at times late, at times what is there already. */
static int64_t choose_second(struct sim *s)
{
    int64_t now_s = right_ms(s) / 1000;
    if (chance(s, 70)) return now_s;
    int64_t oldest_s = right_oldest_ms(s) / 1000;
    return oldest_s + (int64_t)below(s, (uint64_t)(now_s - oldest_s) + 1);
}

/* Of a sample that was tried before, the same again. */
static unsigned choose_variant(const struct ledger_entry *e)
{
    if (e->state >= LEDGER_PROMISED) return e->promised;
    return e->tried == 2 ? 1 : 0;
}

static void batch_add(struct sim *s, struct batch *b, unsigned series, bool conflict)
{
    static const char names[] = "abcdefghijkl";
    int64_t t_s = choose_second(s);
    struct ledger_entry *e = ledger_at(&s->ledger, series, t_s);
    unsigned variant = choose_variant(e) ^ (unsigned)conflict;
    struct label *labels = b->labels[b->count];
    labels[0] = (struct label){LABEL_METRIC_NAME, STR("metric")};
    labels[1] = (struct label){STR("instance"), series % 2 ? STR("a:9100") : STR("b:9100")};
    labels[2] = (struct label){STR("series"), {.data = &names[series], .size = 1}};
    b->samples[b->count] = (struct sample){t_s * 1000, ledger_value(series, t_s, variant)};
    b->entries[b->count] = e;
    b->variants[b->count++] = variant;
}

static void forget_batch(const struct batch *b)
{
    for (size_t i = 0; i < b->count; i++)
        b->entries[i]->batch = 0;
}

/* Up to APPEND_EXAMPLES refusals are told one by one; of more nothing is known. */
static bool is_taken(const struct batch *b, size_t i, const struct append_result *result)
{
    uint64_t refused = b->count - result->stored - result->duplicates;
    for (size_t k = 0; k < result->example_count; k++)
        if (result->examples[k].sample.t_ms == b->samples[i].t_ms &&
            labels_equal(result->examples[k].labels,
                         (struct labels){(struct label *)b->labels[i], 3}))
            return false;
    return refused <= result->example_count;
}

static void note_promises(struct sim *s, const struct batch *b, const struct append_result *result)
{
    for (size_t i = 0; i < b->count; i++) {
        struct ledger_entry *e = b->entries[i];
        if (!is_taken(b, i, result)) continue;
        if (e->state >= LEDGER_PROMISED && e->promised != b->variants[i])
            snprintf(s->fault, sizeof(s->fault), "two values were accepted at %lld s",
                     (long long)e->t_s);
        ledger_promise(e, b->variants[i], s->ledger.batches, s->sync != WAL_SYNC_NEVER,
                       s->sync == WAL_SYNC_ALWAYS);
        s->promised++;
    }
}

static void write_batch(struct sim *s)
{
    struct batch b = {.count = 0};
    struct arena arena;
    struct appender *app;
    struct append_result result = {0};
    struct error err = {0};
    bool conflict = chance(s, 4);
    size_t count = conflict ? 1 : 1 + below(s, BATCH_MAX);
    unsigned first = (unsigned)below(s, LEDGER_SERIES);
    uint32_t number = ++s->ledger.batches;
    for (unsigned i = 0; i < count; i++)
        batch_add(s, &b, (first + i) % LEDGER_SERIES, conflict);
    for (size_t i = 0; i < count; i++)
        ledger_try(b.entries[i], b.variants[i], number);

    arena_init(&arena, HEAP_HTTP, 16 << 20);
    enum status st = appender_begin(s->db, &arena, &app, &err);
    if (st == OK) appender_is_witness(app);
    for (size_t i = 0; i < count && st == OK; i++)
        st = appender_add(app, (struct labels){b.labels[i], 3}, &b.samples[i], 1, &err);
    if (st == OK) st = appender_commit(app, &result, &err);
    if (getenv("VERBOSE")) {
        fprintf(stderr, "batch %u st %d stored %lu dup %lu:", number, st, result.stored,
                result.duplicates);
        for (size_t i = 0; i < count; i++)
            fprintf(stderr, " s%u@%ld v%u", (first + (unsigned)i) % LEDGER_SERIES,
                    b.entries[i]->t_s, b.variants[i]);
        fprintf(stderr, " now %ld\n", clock_wall_ms() / 1000);
    }
    if (st == OK) note_promises(s, &b, &result);
    arena_release(&arena);
    /* Whose sender was told no is in memory all the same, as far as it was not refused, and a
     * snapshot has it; of one that is not finished any part counts when there is no manifest. */
    bool may_have_none = s->snapshots == 0 || !s->honest;
    if (result.stored + result.duplicates < count || (st && may_have_none)) forget_batch(&b);
}

static void sync_log(struct sim *s)
{
    if (s->sync != WAL_SYNC_INTERVAL) return;
    durability_sync(s->durability);
    /* What a sync that failed was for waits for a snapshot. */
    if (!sim_disk_stopped() && count_write_errors(s->durability) == s->write_errors)
        ledger_settle(&s->ledger, false, s->first_batch);
}

static void take_snapshot(struct sim *s)
{
    if (durability_snapshot(s->durability, s->db, NULL)) return;
    s->write_errors = count_write_errors(s->durability);
    ledger_settle(&s->ledger, true, 0);
    s->snapshots++;
}

static void note_gone(struct sim *s)
{
    int64_t oldest_ms = storage_bounds(s->db).oldest_ms;
    if (s->ahead && oldest_ms > s->gone_ms) s->gone_ms = oldest_ms;
}

/* All that is promised has to be there when the clock is right, and what waited for that is loaded:
 * until the disk lets it be read, only what is shown has to be right. */
static bool check(struct sim *s)
{
    bool waits = s->error_ms || storage_held_is_due(s->db);
    int64_t oldest_ms = waits ? INT64_MAX : right_oldest_ms(s);
    forgive_refused(s);
    note_gone(s);
    if (oldest_ms < s->gone_ms) oldest_ms = s->gone_ms;
    return ledger_check(&s->ledger, s->db, oldest_ms, s->fault, sizeof(s->fault));
}

/* It is right again: what was kept on disk meanwhile is loaded, and everything is there. */
static void put_clock_right(struct sim *s)
{
    clock_freeze(right_ms(s));
    s->error_ms = 0;
    if (durability_snapshot(s->durability, s->db, NULL)) return;
    if (storage_held_is_due(s->db))
        snprintf(s->fault, sizeof(s->fault), "what waited for the clock is not loaded");
    else
        (void)check(s);
}

static void jump(struct sim *s)
{
    static const int64_t seconds[] = {100, 300, 1000, 3600, 86400, 119000, 1700000000};
    int64_t ms = seconds[below(s, 7)] * 1000;
    s->error_ms = chance(s, 50) ? ms : -ms;
    s->error_left_ms = (int64_t)WINDOWS * WINDOW_MS / 2;
    clock_freeze(clock_wall_ms() + s->error_ms);
    s->ahead |= s->error_ms > 0 && is_empty(s);
    s->jumps++;
}

static void pass_time(struct sim *s, int64_t ms)
{
    if (s->error_ms && s->error_left_ms < ms) put_clock_right(s);
    s->error_left_ms -= ms;
    clock_advance(ms);
}

static void act(struct sim *s)
{
    uint64_t what = below(s, 100);
    note_gone(s);
    if (what < 60) {
        write_batch(s);
    } else if (what < 70) {
        sync_log(s);
    } else if (what < 77) {
        take_snapshot(s);
    } else if (what < 79) {
        if (!sim_disk_stopped()) (void)check(s);
    } else if (what < 88) {
        for (uint64_t rounds = below(s, 4); rounds > 0; rounds--)
            (void)storage_maintain(s->db);
    } else {
        pass_time(s, (int64_t)(chance(s, 90) ? below(s, 5) : below(s, 90)) * 1000);
    }
    if (s->error_ms ? chance(s, 5) : s->jumpy && chance(s, 3)) {
        if (s->error_ms)
            put_clock_right(s);
        else
            jump(s);
    }
}

/* ---- weather ---- */

/* Most lives see nothing but their end, some one kind of trouble, some all of them. */
static struct sim_weather forecast(struct sim *s)
{
    struct sim_weather w = {0};
    uint64_t kind = below(s, 12);
    if (kind == 0 || kind == 1) w.write_fails = 1 + (unsigned)below(s, 200);
    if (kind == 0 || kind == 2) w.sync_fails = 1 + (unsigned)below(s, 300);
    if (kind == 0 || kind == 3) w.name_fails = 1 + (unsigned)below(s, 200);
    if (kind == 0 || kind == 4) w.read_fails = 1 + (unsigned)below(s, 50);
    if (kind == 0 || kind == 5) w.write_short = 1 + (unsigned)below(s, 1024);
    if (kind == 0 || kind == 6) w.capacity = 1 + below(s, 20000);
    if (s->honest) return w;
    if (kind == 7) w.write_astray = 1 + (unsigned)below(s, 50);
    if (kind == 8) w.sync_lies = 1 + (unsigned)below(s, 500);
    return w;
}

/* A write that goes astray may hit what only the log has: samples that wait for the clock. */
static bool is_fair(const struct sim_weather *w)
{
    return !w->write_fails && !w->sync_fails && !w->name_fails && !w->read_fails && !w->capacity &&
           !w->write_astray;
}

/* A full disk keeps nobody from starting. */
static bool may_start(const struct sim_weather *w)
{
    return !w->write_fails && !w->sync_fails && !w->name_fails && !w->read_fails;
}

/* ---- death ---- */

static void die(struct sim *s)
{
    bool power_cut = chance(s, 50);
    s->lives++;
    s->kills += !power_cut;
    s->power_cuts += power_cut;
    if (getenv("VERBOSE"))
        fprintf(stderr, "--- life %lu ends, power cut %d, sync %d\n", s->lives, power_cut, s->sync);
    sim_disk_restart(power_cut);
    if (power_cut) ledger_power_cut(&s->ledger);
    if (!s->honest && chance(s, 10)) sim_disk_rot();
    if (sim_disk_lied()) ledger_forgive(&s->ledger);
}

bool life_run(struct sim *s)
{
    const struct sim_weather weather = forecast(s);
    bool from_birth = chance(s, 50);
    if (from_birth) sim_disk_weather(&weather);
    if (chance(s, 85)) sim_disk_stop_after((int64_t)below(s, chance(s, 40) ? 60 : 800));
    s->damages = 0;
    s->write_errors = 0;
    s->first_batch = s->ledger.batches + 1;
    s->fair = !from_birth || is_fair(&weather);
    bool started = start(s);
    bool lied = sim_disk_lied(); /* what the start wrote went to another place, perhaps */
    if (lied) ledger_forgive(&s->ledger);
    if (started) {
        s->begun = true;
        bool good = sim_disk_stopped() || check(s);
        sim_disk_weather(&weather);
        s->fair = is_fair(&weather);
        for (uint64_t acts = 5 + below(s, 100); good && acts > 0 && !s->fault[0]; acts--)
            act(s);
        forgive_refused(s);
        note_gone(s);
        stop(s);
    } else if (sim_disk_stopped() || (from_birth && !is_fair(&weather) &&
                                      !(s->honest && s->begun && may_start(&weather)))) {
        s->fault[0] = '\0';
        s->refused_starts++;
    }
    die(s);
    return !s->fault[0];
}
