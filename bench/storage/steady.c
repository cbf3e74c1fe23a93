/*
 * steady - what a sample of a known series costs, step by step, from the bytes of a request to the
 * bytes of the log, without network and disk.
 *
 *     steady [series=100000] [samples=30] [backlog=1] [rounds=3] [queries=0]
 *
 * Bodies as in bench/bodies.h, `backlog` samples of a series in each; the first ones make the
 * series and are not counted. Each round has a store of its own. With every so many requests a
 * query begins, and lasts until the next one does; 0: none does.
 *
 * Prints the CPU per sample of each step, of its best round.
 */
#include "bench/bodies.h"
#include "bench/storage/feed.h"
#include "bench/storage/program.h"
#include "snapshot/wal_batch.h"
#include "storage/querier.h"
#include "storage/storage.h"
#include "wire/frame.h"

enum { PER_REQUEST = 2000, STEP_MS = 15000, RECORD_BYTES_MAX = 64 << 20 };

/* The steps of a request. */
enum { STEP_SNAPPY, STEP_FIND, STEP_APPEND, STEP_ENCODE, STEP_RELEASE, STEPS };

struct meter {
    double cpu_s[STEPS];
    double at_s;
    struct buf record;
    uint64_t logged_bytes; /* so far, all in one segment */
    unsigned queries;      /* one every so many requests */
    unsigned requests;
    struct querier *querier;
    struct arena arena; /* of the querier */
};

static void step_done(struct meter *m, int step)
{
    double now_s = cpu_s();
    m->cpu_s[step] += now_s - m->at_s;
    m->at_s = now_s;
}

/* The journal: encodes the batch as the log does, and forgets it. */
static enum status encode(void *self, const struct journal_batch *batch, struct error *err)
{
    struct meter *m = self;
    struct wal_place place = {.ordinal = 1, .unit = wal_unit_at(m->logged_bytes)};
    size_t labeled;
    step_done(m, STEP_APPEND);
    buf_reset(&m->record);
    enum status st = wal_batch_encode(batch, place, &m->record, &labeled, err);
    if (!st && labeled > 0) wal_batch_note(batch, place, place.unit);
    m->logged_bytes += m->record.size;
    step_done(m, STEP_ENCODE);
    return st;
}

static void write_body(struct storage *db, struct meter *m, struct str body)
{
    struct error err;
    struct arena a;
    struct append_result result;
    struct appender *app;
    struct str plain;
    m->at_s = cpu_s();
    arena_init(&a, HEAP_HTTP, UINT64_MAX);
    must(frame_decode(body, FRAME_DECODED_BYTES_MAX, &a, &plain, &err), &err);
    step_done(m, STEP_SNAPPY);
    must(appender_begin(db, &a, &app, &err), &err);
    uint64_t samples = feed_stage(app, &a, plain);
    step_done(m, STEP_FIND);
    must(appender_commit(app, &result, &err), &err);
    if (result.stored != samples) exit(1);
    arena_release(&a);
    step_done(m, STEP_RELEASE);
}

/* All bodies of a plan; how many bytes they have is *size. */
static char *make_bodies(const struct body_plan *plan, uint32_t first, uint32_t count, size_t *size)
{
    char *bytes = NULL;
    FILE *file = open_memstream(&bytes, size);
    if (!file || bodies_write(file, plan, first, count) < 0 || fclose(file) != 0) exit(1);
    return bytes;
}

static void end_query(struct meter *m)
{
    querier_close(m->querier);
    m->querier = NULL;
    arena_reset(&m->arena);
}

static void next_query(struct storage *db, struct meter *m)
{
    struct error err;
    if (!m->queries || m->requests++ % m->queries != 0) return;
    end_query(m);
    must(querier_open(db, &m->arena, &m->querier, &err), &err);
}

static void write_bodies(struct storage *db, struct meter *m, const char *bytes, size_t size)
{
    for (size_t at = 0; at < size;) {
        next_query(db, m);
        write_body(db, m, feed_next(bytes, &at));
    }
    end_query(m);
}

int main(int argc, char **argv)
{
    unsigned series = option(argc, argv, "series", 100000);
    unsigned samples = option(argc, argv, "samples", 30);
    unsigned backlog = option(argc, argv, "backlog", 1);
    unsigned rounds = option(argc, argv, "rounds", 3);
    static const char *const names[STEPS] = {"snappy", "find", "append", "encode", "release"};
    struct body_plan plan = {.series = series,
                             .samples = samples + backlog,
                             .series_per_request = PER_REQUEST,
                             .samples_per_request = backlog,
                             .connections = 1,
                             .start_ms = clock_wall_ms() - (int64_t)(samples + backlog) * STEP_MS,
                             .step_ms = STEP_MS};
    size_t first_size;
    size_t size;
    char *first = make_bodies(&plan, 0, backlog, &first_size);
    char *bodies = make_bodies(&plan, backlog, samples, &size);
    double best_s[STEPS] = {0};
    double total_s = 0;
    for (unsigned round = 0; round < rounds; round++) {
        struct meter m = {.queries = option(argc, argv, "queries", 0)};
        struct storage_options options = storage_options_default();
        struct storage *db;
        struct error err;
        buf_init(&m.record, HEAP_SNAPSHOT, RECORD_BYTES_MAX);
        arena_init(&m.arena, HEAP_QUERY, UINT64_MAX);
        options.journal = (struct journal){.self = &m, .log = encode};
        must(storage_open(&options, &db, &err), &err);
        write_bodies(db, &m, first, first_size);
        memset(m.cpu_s, 0, sizeof(m.cpu_s));
        write_bodies(db, &m, bodies, size);
        for (int i = 0; i < STEPS; i++)
            if (round == 0 || m.cpu_s[i] < best_s[i]) best_s[i] = m.cpu_s[i];
        storage_close(db);
        buf_release(&m.record);
        arena_release(&m.arena);
    }
    printf("%u series, ns per sample:", series);
    for (int i = 0; i < STEPS; i++) {
        total_s += best_s[i];
        printf(" %s %.1f,", names[i], best_s[i] * 1e9 / ((double)series * samples));
    }
    printf(" all %.1f\n", total_s * 1e9 / ((double)series * samples));
    return 0;
}
