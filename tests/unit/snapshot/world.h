/*
 * world - a data folder, a store and a ledger of what was written, for the tests of snapshot/.
 *
 * Batch k holds one sample of each of WORLD_SERIES series at world_time(k), with a value that
 * follows from series and k. So the content of a store is checked against two bitmaps: which
 * batches were acknowledged (all of them must be there, whole) and which were ever tried (nothing
 * else may be there, and no batch in part).
 *
 * The clock stands still at WORLD_START_MS until a test moves it.
 */
#ifndef HEARTH_TESTS_UNIT_SNAPSHOT_WORLD_H
#define HEARTH_TESTS_UNIT_SNAPSHOT_WORLD_H

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "snapshot/durability.h"
#include "snapshot/file.h"
#include "storage/appender.h"
#include "storage/querier.h"
#include "storage/storage.h"
#include "tests/unit/labels_of.h"
#include "tests/unit/suite.h"

#define WORLD_START_MS INT64_C(1700000000000)
enum {
    WORLD_CHUNK_MS = 60000,
    WORLD_STEP_MS = 1000,
    WORLD_SERIES = 5,
    WORLD_BATCHES_MAX = 4096,
    WORLD_ARENA_BYTES = 64 << 20
};

struct world {
    char path[256];
    struct durability_options options;
    int64_t future_ms; /* of the store; 0: the default */
    uint32_t windows;  /* of the store; 0: eight */
    struct durability *d;
    struct storage *db;
    bool acknowledged[WORLD_BATCHES_MAX];
    bool tried[WORLD_BATCHES_MAX];
};

UNUSED static void world_quiet(void)
{
    log_configure(getenv("VERBOSE") ? LOG_DEBUG : LOG_ERROR + 1, LOG_FORMAT_LOGFMT);
}

UNUSED static void world_remove(const char *path)
{
    DIR *folder = opendir(path);
    if (folder) {
        struct dirent *entry;
        while ((entry = readdir(folder))) {
            char child[512];
            if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
            snprintf(child, sizeof(child), "%s/%s", path, entry->d_name);
            world_remove(child);
        }
        closedir(folder);
        rmdir(path);
    } else {
        unlink(path);
    }
}

UNUSED static void world_copy(const char *from, const char *to)
{
    DIR *folder = opendir(from);
    if (!folder) {
        char buffer[65536];
        FILE *in = fopen(from, "rb");
        FILE *out = fopen(to, "wb");
        ck_assert(in && out);
        size_t n;
        while ((n = fread(buffer, 1, sizeof(buffer), in)) > 0)
            ck_assert_uint_eq(fwrite(buffer, 1, n, out), n);
        fclose(in);
        fclose(out);
        return;
    }
    struct dirent *entry;
    mkdir(to, 0700);
    while ((entry = readdir(folder))) {
        char a[512];
        char b[512];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        snprintf(a, sizeof(a), "%s/%s", from, entry->d_name);
        snprintf(b, sizeof(b), "%s/%s", to, entry->d_name);
        world_copy(a, b);
    }
    closedir(folder);
}

UNUSED static int64_t world_time(size_t k)
{
    return WORLD_START_MS + (int64_t)k * WORLD_STEP_MS;
}

UNUSED static double world_value(size_t series, size_t k)
{
    if ((series + k) % 17 == 0) return bits_to_double(STALE_NAN_BITS);
    if (series == 1) return -0.0;
    return series == 0 ? (double)k : sin((double)(series * 1000 + k)) * 1e6;
}

UNUSED static void world_init(struct world *w)
{
    *w = (struct world){0};
    world_quiet();
    clock_freeze(WORLD_START_MS);
    /* In memory where there is such a folder: these tests sync all the time. */
    const char *parent = getenv("TMPDIR");
    if (!parent) parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    snprintf(w->path, sizeof(w->path), "%s/hearth-XXXXXX", parent);
    ck_assert_ptr_nonnull(mkdtemp(w->path));
    w->options = (struct durability_options){.path = w->path, .sync = WAL_SYNC_NEVER};
}

UNUSED static enum status world_start(struct world *w, struct error *err)
{
    struct storage_options options = storage_options_default();
    options.chunk_ms = WORLD_CHUNK_MS;
    options.windows = w->windows ? w->windows : 8;
    options.shards = 2;
    if (w->future_ms) options.future_ms = w->future_ms;
    enum status st = storage_open(&options, &w->db, err);
    ck_assert_int_eq(st, OK);
    w->d = NULL;
    st = durability_open(&w->options, &w->d, err);
    if (st == OK) st = durability_recover(w->d, w->db, err);
    if (st) {
        durability_close(w->d);
        storage_close(w->db);
        w->d = NULL;
        w->db = NULL;
        return st;
    }
    storage_set_journal(w->db, durability_journal(w->d));
    return OK;
}

UNUSED static void world_open(struct world *w)
{
    struct error err = {0};
    ck_assert_msg(world_start(w, &err) == OK, "%s", err.text);
}

/* world_open; what it says from warnings on is in world_told. */
static char world_told[4096];

static void world_keep_told(const char *line)
{
    size_t used = strlen(world_told);
    (void)snprintf(world_told + used, sizeof(world_told) - used, "%s", line);
}

UNUSED static void world_open_heard(struct world *w)
{
    world_told[0] = '\0';
    log_configure(LOG_WARN, LOG_FORMAT_LOGFMT);
    log_tap(world_keep_told);
    world_open(w);
    log_tap(NULL);
    world_quiet();
}

UNUSED static void world_close(struct world *w)
{
    durability_close(w->d);
    storage_close(w->db);
    w->d = NULL;
    w->db = NULL;
}

UNUSED static void world_release(struct world *w)
{
    if (w->d) world_close(w);
    world_remove(w->path);
    clock_thaw();
}

UNUSED static enum status world_write(struct world *w, size_t k, struct error *err)
{
    struct arena arena;
    struct appender *app;
    struct append_result result;
    struct sample samples[WORLD_SERIES];
    struct label labels[WORLD_SERIES][3];
    static const char *const names[WORLD_SERIES] = {"0", "1", "2", "3", "4"};
    static const char *const instances[] = {"a:9100", "b:9100"};
    ck_assert_uint_lt(k, WORLD_BATCHES_MAX);
    w->tried[k] = true;
    arena_init(&arena, HEAP_HTTP, WORLD_ARENA_BYTES);
    enum status st = appender_begin(w->db, &arena, &app, err);
    if (st == OK) appender_is_witness(app);
    for (size_t i = 0; i < WORLD_SERIES && st == OK; i++) {
        labels[i][0] = (struct label){LABEL_METRIC_NAME, STR("metric")};
        labels[i][1] = (struct label){STR("instance"), str_from(instances[i % 2])};
        labels[i][2] = (struct label){STR("series"), str_from(names[i])};
        samples[i] = (struct sample){world_time(k), world_value(i, k)};
        st = appender_add(app, (struct labels){labels[i], 3}, &samples[i], 1, err);
    }
    if (st == OK) {
        st = appender_commit(app, &result, err);
        if (st == OK) ck_assert_uint_eq(result.stored + result.duplicates, WORLD_SERIES);
    }
    arena_release(&arena);
    if (st == OK) w->acknowledged[k] = true;
    return st;
}

UNUSED static void world_write_all(struct world *w, size_t from, size_t to)
{
    struct error err = {0};
    for (size_t k = from; k < to; k++)
        ck_assert_msg(world_write(w, k, &err) == OK, "batch %zu: %s", k, err.text);
}

UNUSED static void world_snapshot(struct world *w)
{
    struct error err = {0};
    ck_assert_msg(durability_snapshot(w->d, w->db, &err) == OK, "%s", err.text);
}

/* Compare memory with the ledger; `missing` acknowledged batches may be gone. Returns how many
 * batches are there. */
UNUSED static size_t world_check(struct world *w, size_t missing_allowed)
{
    static uint8_t present[WORLD_BATCHES_MAX];
    struct arena arena;
    struct querier *q;
    struct selection selection;
    struct error err = {0};
    size_t found = 0;
    size_t missing = 0;
    memset(present, 0, sizeof(present));
    arena_init(&arena, HEAP_QUERY, WORLD_ARENA_BYTES);
    ck_assert_int_eq(querier_open(w->db, &arena, &q, &err), OK);
    const struct select_request request = {.t_min_ms = INT64_MIN, .t_max_ms = INT64_MAX};
    ck_assert_int_eq(querier_select(q, &request, &selection, &err), OK);
    ck_assert_uint_le(selection.count, WORLD_SERIES);
    struct columns columns = {.arena = &arena};
    for (size_t i = 0; i < selection.count; i++) {
        struct str name = labels_get(labels_of(selection.series[i]), STR("series"));
        ck_assert_uint_eq(name.size, 1);
        ck_assert_uint_eq(labels_of(selection.series[i]).count, 3);
        size_t series = (size_t)(name.data[0] - '0');
        ck_assert_uint_lt(series, WORLD_SERIES);
        ck_assert_int_eq(series_read(q, selection.series[i], INT64_MIN, INT64_MAX, &columns, &err),
                         OK);
        for (size_t s = 0; s < columns.count; s++) {
            int64_t offset = columns.t_ms[s] - WORLD_START_MS;
            EXPECT_MSG(offset >= 0 && offset % WORLD_STEP_MS == 0, "phantom time");
            size_t k = (size_t)(offset / WORLD_STEP_MS);
            EXPECT_MSG(k < WORLD_BATCHES_MAX && w->tried[k], "phantom batch %zu", k);
            EXPECT_MSG(bits_from_double(columns.v[s]) == bits_from_double(world_value(series, k)),
                       "wrong value in batch %zu", k);
            present[k]++;
        }
    }
    querier_close(q);
    arena_release(&arena);
    int64_t oldest_ms = storage_bounds(w->db).oldest_ms;
    for (size_t k = 0; k < WORLD_BATCHES_MAX; k++) {
        if (world_time(k) < oldest_ms) continue;
        EXPECT_MSG(present[k] == 0 || present[k] == WORLD_SERIES, "batch %zu in part: %u", k,
                   present[k]);
        if (present[k]) found++;
        if (!present[k] && w->acknowledged[k]) {
            missing++;
            EXPECT_MSG(missing <= missing_allowed, "batch %zu is lost", k);
        }
    }
    return found;
}

UNUSED static struct durability_stats world_stats(const struct world *w)
{
    struct durability_stats stats;
    durability_stats_read(w->d, &stats);
    return stats;
}

/* Whole files, for damage. */
UNUSED static uint8_t *world_read_file(const char *path, size_t *size)
{
    struct stat st;
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "%s", path);
    ck_assert_int_eq(fstat(fileno(f), &st), 0);
    *size = (size_t)st.st_size;
    uint8_t *bytes = malloc(*size + 1);
    ck_assert_uint_eq(fread(bytes, 1, *size, f), *size);
    fclose(f);
    return bytes;
}

UNUSED static void world_write_file(const char *path, const uint8_t *bytes, size_t size)
{
    FILE *f = fopen(path, "wb");
    ck_assert_msg(f != NULL, "%s", path);
    ck_assert_uint_eq(fwrite(bytes, 1, size, f), size);
    fclose(f);
}

#endif
