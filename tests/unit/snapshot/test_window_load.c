/* window_load: several files by several threads give the store that one thread gives; damage costs
 * the record it is in, whoever meets it. */
#include "snapshot/window_load.h"

#include "snapshot/window_file.h"
#include "tests/unit/snapshot/world.h"

enum { SERIES = 6000, WINDOWS = 3, TEXT_BYTES = 400, THREADS = 4 };

/* A store with long texts, so that a window is several records, and its files. */
struct files {
    struct world w;
    struct data_folder folder;
    struct window_load loads[WINDOWS];
    uint64_t chunks; /* of each window */
};

static struct storage *open_store(void)
{
    struct storage_options options = storage_options_default();
    struct storage *db;
    options.chunk_ms = WORLD_CHUNK_MS;
    options.shards = 4;
    ck_assert_int_eq(storage_open(&options, &db, NULL), OK);
    return db;
}

static double value_of(unsigned series, unsigned window)
{
    return series * 10.0 + window;
}

static void fill(struct storage *db)
{
    static char texts[SERIES][TEXT_BYTES];
    static struct sample samples[SERIES][WINDOWS];
    struct arena a;
    struct appender *app;
    struct append_result result;
    arena_init(&a, HEAP_HTTP, WORLD_ARENA_BYTES);
    ck_assert_int_eq(appender_begin(db, &a, &app, NULL), OK);
    for (unsigned i = 0; i < SERIES; i++) {
        memset(texts[i], 'a' + (int)(i % 26), TEXT_BYTES);
        snprintf(texts[i], TEXT_BYTES, "%u", i);
        struct label *labels = arena_alloc_array(&a, 2, sizeof(*labels));
        labels[0] = (struct label){LABEL_METRIC_NAME, i % 2 ? STR("odd") : STR("even")};
        labels[1] = (struct label){STR("series"), {texts[i], TEXT_BYTES - 1}};
        memset(texts[i] + strlen(texts[i]), 'x', TEXT_BYTES - strlen(texts[i]));
        for (unsigned k = 0; k < WINDOWS; k++)
            samples[i][k] = (struct sample){
                WORLD_START_MS - (int64_t)(WINDOWS - 1 - k) * WORLD_CHUNK_MS, value_of(i, k)};
        ck_assert_int_eq(appender_add(app, (struct labels){labels, 2}, samples[i], WINDOWS, NULL),
                         OK);
    }
    ck_assert_int_eq(appender_commit(app, &result, NULL), OK);
    ck_assert_uint_eq(result.stored, SERIES * WINDOWS);
    arena_release(&a);
}

static struct window_span span_of(const struct storage *db, unsigned k)
{
    int64_t window = storage_window_of(db, WORLD_START_MS) - (WINDOWS - 1 - k);
    return (struct window_span){.window = window,
                                .start_ms = storage_window_start_ms(db, window),
                                .chunk_ms = WORLD_CHUNK_MS};
}

static void files_make(struct files *f)
{
    struct window_block scratch;
    struct arena a;
    world_init(&f->w);
    arena_init(&a, HEAP_SNAPSHOT, WORLD_ARENA_BYTES);
    ck_assert_int_eq(data_folder_open(&f->folder, f->w.path, &a, NULL), OK);
    struct storage *db = open_store();
    fill(db);
    window_block_init(&scratch);
    for (unsigned k = 0; k < WINDOWS; k++) {
        struct window_entry entry;
        struct window_span span = span_of(db, k);
        const struct window_writer how = {.folder = &f->folder, .db = db, .scratch = &scratch};
        ck_assert_int_eq(window_file_write(&how, &span, 1, &entry, NULL), OK);
        ck_assert_uint_eq(entry.chunks, SERIES);
        ck_assert_uint_gt(entry.size, 2 * WINDOW_BLOCK_BYTES);
        f->loads[k] =
            (struct window_load){.span = span, .snapshot = 1, .size_expected = UINT64_C(1) << 40};
    }
    window_block_release(&scratch);
    storage_close(db);
    arena_release(&a);
}

static void files_release(struct files *f)
{
    data_folder_close(&f->folder);
    world_release(&f->w);
}

static struct storage *load(struct files *f, uint32_t threads)
{
    struct storage *db = open_store();
    _Atomic uint64_t bytes = 0;
    const struct window_loader loader = {
        .folder = &f->folder, .db = db, .threads = threads, .bytes_done = &bytes};
    struct error err = {0};
    ck_assert_msg(window_load(&loader, f->loads, WINDOWS, &err) == OK, "%s", err.text);
    uint64_t sizes = 0;
    for (unsigned k = 0; k < WINDOWS; k++)
        if (f->loads[k].totals.bytes) sizes += f->loads[k].totals.bytes - HEAD_BYTES;
    ck_assert_uint_eq(bytes, sizes);
    storage_check(db);
    return db;
}

/* Every sample that is there is right; how many are. */
static size_t check(struct storage *db)
{
    struct arena a;
    struct querier *q;
    struct selection selection;
    size_t samples = 0;
    arena_init(&a, HEAP_QUERY, WORLD_ARENA_BYTES);
    ck_assert_int_eq(querier_open(db, &a, &q, NULL), OK);
    const struct select_request request = {.t_min_ms = INT64_MIN, .t_max_ms = INT64_MAX};
    ck_assert_int_eq(querier_select(q, &request, &selection, NULL), OK);
    struct columns columns = {.arena = &a};
    for (size_t i = 0; i < selection.count; i++) {
        struct str text = labels_get(labels_of(selection.series[i]), STR("series"));
        unsigned series = (unsigned)strtoul(text.data, NULL, 10);
        columns.count = 0;
        EXPECT_MSG(series_read(q, selection.series[i], INT64_MIN, INT64_MAX, &columns, NULL) == OK,
                   "series %u does not read", series);
        for (size_t s = 0; s < columns.count; s++) {
            unsigned window = (unsigned)(storage_window_of(db, columns.t_ms[s]) -
                                         storage_window_of(db, WORLD_START_MS) + WINDOWS - 1);
            EXPECT_MSG(columns.v[s] == value_of(series, window), "a wrong value of series %u",
                       series);
        }
        samples += columns.count;
    }
    querier_close(q);
    arena_release(&a);
    return samples;
}

START_TEST(any_number_of_threads_gives_the_same_store)
{
    struct files f;
    files_make(&f);
    for (uint32_t threads = 0; threads <= THREADS; threads += SUITE_FEWER > 1 ? 2 : 1) {
        struct storage *db = load(&f, threads);
        struct storage_stats stats;
        storage_stats_read(db, &stats);
        ck_assert_uint_eq(stats.series, SERIES);
        ck_assert_uint_eq(stats.symbols, SERIES + 2 + 2);
        ck_assert_uint_eq(check(db), SERIES * WINDOWS);
        for (unsigned k = 0; k < WINDOWS; k++) {
            ck_assert(f.loads[k].whole);
            ck_assert_uint_eq(f.loads[k].totals.chunks, SERIES);
            ck_assert_uint_eq(f.loads[k].totals.corruptions, 0);
        }
        storage_close(db);
    }
    files_release(&f);
}
END_TEST

START_TEST(damage_costs_the_record_it_is_in)
{
    enum { PLACES = 12 / SUITE_FEWER };
    struct files f;
    char path[512];
    size_t size;
    files_make(&f);
    snprintf(path, sizeof(path), "%s/windows/%lld-00000001", f.w.path,
             (long long)f.loads[1].span.window);
    uint8_t *bytes = world_read_file(path, &size);
    for (size_t i = 0; i < PLACES; i++) {
        size_t at = HEAD_BYTES + i * (size - HEAD_BYTES) / PLACES;
        bytes[at] ^= 0x20;
        world_write_file(path, bytes, size);
        struct storage *db = load(&f, THREADS);
        ck_assert(f.loads[0].whole && !f.loads[1].whole && f.loads[2].whole);
        ck_assert_uint_ge(f.loads[1].totals.corruptions, 1);
        uint64_t there = f.loads[1].totals.chunks;
        ck_assert_uint_gt(there, SERIES / 4);
        ck_assert_uint_eq(check(db), SERIES * (WINDOWS - 1) + there);
        storage_close(db);
        bytes[at] ^= 0x20;
    }
    world_write_file(path, bytes, size / 2); /* cut */
    struct storage *db = load(&f, THREADS);
    ck_assert(f.loads[0].whole && !f.loads[1].whole && f.loads[2].whole);
    storage_close(db);
    unlink(path);
    db = load(&f, THREADS);
    ck_assert(f.loads[0].whole && !f.loads[1].whole && f.loads[2].whole);
    ck_assert_uint_eq(check(db), SERIES * (WINDOWS - 1));
    storage_close(db);
    free(bytes);
    files_release(&f);
}
END_TEST

SUITE(window_load, any_number_of_threads_gives_the_same_store, damage_costs_the_record_it_is_in)
