/*
 * every_byte: a small data folder with all kinds of files, and one with a log of 64 KiB alone, of
 * which each byte of each file is flipped in two ways, each file is cut at each length, and
 * stretches are filled with zeros. Each start gives everything but what the damage hit, says so
 * with file and offset, shows nothing that was not written, and takes no more memory than an
 * undamaged one may.
 *
 * HEARTH_EVERY_BYTE=1 tries every one; otherwise it is one of some, the first by chance.
 */
#include "alloc/heap.h"
#include "base/endian.h"
#include "snapshot/head.h"
#include "snapshot/record.h"
#include "tests/unit/alloc/random.h"
#include "tests/unit/snapshot/world.h"

/*
 * Windows of a minute, batches of a second. Window 0 is sealed, and its file is the same in both
 * generations: no log holds it any more. Window 1 was open in the older generation and is sealed in
 * the newer one. Window 2 was open then, and the log goes on behind the newer generation.
 */
enum {
    SEALED_ALONE = 20, /* batches 0 to 19: window 0 */
    LONG_LOG = 800,    /* batches: 64 KiB */
    LONG_WINDOWS = 16,
    ONE_OF_FOLDER = 13,
    ONE_OF_LOG = 601, /* bytes, in the short form */
    FILES_MAX = 32,
    ZEROS_MAX = 100,
    SAYING_STARTS = 61, /* of so many starts, one is heard */
    HEAP_BYTES = 24 << 20
};

struct victim {
    char name[64]; /* below the folder */
    uint8_t *bytes;
    size_t size;
};

static struct {
    struct world w;
    struct victim files[FILES_MAX];
    size_t count;
    uint32_t order[WORLD_BATCHES_MAX]; /* of writing: sequence - 1 -> batch */
    size_t written;
    uint64_t log_first; /* segment of the newer generation */
    size_t one_of;      /* bytes are tried */
    uint64_t starts, heard;
    const char *damaged; /* a line that names this file and an offset has come */
    bool named;
} g;

/* ---- the patient ---- */

static void add_file(const char *name)
{
    char path[512];
    struct victim *v = &g.files[g.count++];
    ck_assert_uint_le(g.count, FILES_MAX);
    snprintf(v->name, sizeof(v->name), "%s", name);
    snprintf(path, sizeof(path), "%s/%s", g.w.path, name);
    v->bytes = world_read_file(path, &v->size);
}

static void each_name(const char *sub, void (*act)(const char *name))
{
    char path[512];
    struct dirent *entry;
    snprintf(path, sizeof(path), "%s/%s", g.w.path, sub);
    DIR *folder = opendir(path);
    ck_assert_ptr_nonnull(folder);
    while ((entry = readdir(folder))) {
        char name[300];
        if (entry->d_name[0] == '.') continue;
        snprintf(name, sizeof(name), "%s/%s", sub, entry->d_name);
        act(name);
    }
    closedir(folder);
}

static void write_until(size_t from, size_t to)
{
    for (size_t k = from; k < to; k++) {
        clock_freeze(world_time(k));
        g.order[g.written++] = (uint32_t)k;
        world_write_all(&g.w, k, k + 1);
    }
}

/* What the clock has closed is sealed. */
static void seal(void)
{
    for (int rounds = 0; storage_maintain(g.w.db); rounds++)
        ck_assert_int_lt(rounds, 1000);
}

static void begin_patient(size_t one_of, uint64_t segment_bytes, uint32_t windows)
{
    memset(&g, 0, sizeof(g));
    g.one_of = getenv("HEARTH_EVERY_BYTE") ? 1 : one_of;
    world_init(&g.w);
    g.w.options.segment_bytes = segment_bytes;
    g.w.windows = windows;
    world_open(&g.w);
}

static void end_patient(void)
{
    world_close(&g.w);
    add_file("HEARTH");
    add_file("lock");
    each_name("wal", add_file);
    each_name("windows", add_file);
    each_name("manifests", add_file);
    heap_set_limit(heap_used_bytes() + HEAP_BYTES);
}

static void make_folder(void)
{
    begin_patient(ONE_OF_FOLDER, 3000, 0);
    write_until(0, SEALED_ALONE);
    write_until(60, 80);
    seal();
    world_snapshot(&g.w);
    write_until(80, 90);
    write_until(120, 130);
    seal();
    world_snapshot(&g.w);
    struct durability_stats stats = world_stats(&g.w);
    g.log_first = stats.wal_segment;
    write_until(130, 175);
    end_patient();
}

static void make_long_log(void)
{
    size_t bytes = 0;
    begin_patient(ONE_OF_LOG, 16384, LONG_WINDOWS);
    write_until(0, LONG_LOG);
    end_patient();
    for (size_t i = 0; i < g.count; i++)
        bytes += g.files[i].size;
    ck_assert_uint_ge(bytes, 1 << 16);
}

static void remove_if_new(const char *name)
{
    char path[512];
    for (size_t i = 0; i < g.count; i++)
        if (strcmp(g.files[i].name, name) == 0) return;
    snprintf(path, sizeof(path), "%s/%s", g.w.path, name);
    unlink(path);
}

static void put_bytes(const struct victim *v, const uint8_t *bytes, size_t size)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", g.w.path, v->name);
    world_write_file(path, bytes, size);
}

static void heal(const struct victim *v)
{
    world_close(&g.w);
    put_bytes(v, v->bytes, v->size);
    each_name("wal", remove_if_new);
    each_name("windows", remove_if_new);
    each_name("manifests", remove_if_new);
}

static void release_patient(void)
{
    if (g.starts) printf("%llu starts\n", (unsigned long long)g.starts);
    fflush(stdout);
    heap_set_limit(0);
    for (size_t i = 0; i < g.count; i++)
        free(g.files[i].bytes);
    world_release(&g.w);
}

/* ---- what damage may cost ---- */

static bool overlaps(size_t from, size_t to, size_t a, size_t b)
{
    return from < b && a < to;
}

/* The batches of a segment whose records it hits; with the first two of them go the labels. */
static void expect_log_hit(const struct victim *v, size_t from, size_t to, bool *hit)
{
    bool labels = to - from > 1;
    size_t number = 0;
    for (size_t at = HEAD_BYTES; at < v->size; number++) {
        size_t size = RECORD_HEADER_BYTES + get_le32(v->bytes + at + 8);
        uint64_t sequence = get_le64(v->bytes + at + 16);
        ck_assert_uint_le(sequence, g.written);
        bool here = overlaps(from, to, at, at + size);
        if (number > 1 || !here) labels = labels && number > 1;
        if (here || labels) hit[g.order[sequence - 1]] = true;
        at += (size + RECORD_ALIGNMENT - 1) / RECORD_ALIGNMENT * RECORD_ALIGNMENT;
    }
}

/* [from, to) of the file is not what it was. */
static void expect_hit(const struct victim *v, size_t from, size_t to, bool *hit)
{
    memset(hit, 0, WORLD_BATCHES_MAX * sizeof(*hit));
    if (strncmp(v->name, "wal/", 4) == 0 && strtoull(v->name + 4, NULL, 10) >= g.log_first)
        expect_log_hit(v, from, to, hit);
    char alone[64];
    snprintf(alone, sizeof(alone), "windows/%lld-00000001",
             (long long)(WORLD_START_MS / WORLD_CHUNK_MS));
    if (strcmp(v->name, alone) == 0)
        for (size_t k = 0; k < SEALED_ALONE; k++)
            hit[k] = true;
}

/* ---- a start ---- */

static void hear(const char *line)
{
    if (strstr(line, g.damaged) && strstr(line, "offset=")) g.named = true;
}

static size_t damages(const struct world *w)
{
    struct durability_stats stats = world_stats(w);
    return stats.wal_corruptions + stats.wal_truncations + stats.wal_lost_batches +
           stats.snapshot_corruptions;
}

/* What is not hit is there; what is missing is told. silent: a file that ends with a record may
 * have been so. */
static void start_damaged(const struct victim *v, const uint8_t *bytes, size_t size,
                          const bool *hit, bool silent)
{
    bool kept[WORLD_BATCHES_MAX];
    size_t expected = 0;
    bool heard = g.starts++ % SAYING_STARTS == 0;
    put_bytes(v, bytes, size);
    g.damaged = strrchr(v->name, '/') ? strrchr(v->name, '/') + 1 : v->name;
    g.named = false;
    if (heard) log_configure(LOG_WARN, LOG_FORMAT_LOGFMT);
    world_open(&g.w);
    world_quiet();
    memcpy(kept, g.w.acknowledged, sizeof(kept));
    for (size_t k = 0; k < WORLD_BATCHES_MAX; k++) {
        expected += kept[k];
        g.w.acknowledged[k] = kept[k] && !hit[k];
    }
    size_t found = world_check(&g.w, 0);
    memcpy(g.w.acknowledged, kept, sizeof(kept));
    if (found < expected && !silent) {
        ck_assert_msg(damages(&g.w) > 0, "%s: %zu batches are gone and nothing is said", v->name,
                      expected - found);
        if (heard) ck_assert_msg(g.named, "%s: no line with file and offset", v->name);
        g.heard += heard;
    }
    heal(v);
}

/* ---- damage ---- */

static size_t first_at(struct random *r)
{
    return (size_t)random_below(r, g.one_of);
}

static void flip_each_byte(void (*make_patient)(void))
{
    static bool hit[WORLD_BATCHES_MAX];
    struct random r = random_start("flips");
    make_patient();
    log_tap(hear);
    for (size_t f = 0; f < g.count; f++) {
        struct victim *v = &g.files[f];
        for (size_t i = first_at(&r); i < v->size; i += g.one_of) {
            const uint8_t flips[] = {(uint8_t)(1 << i % 8), 0xFF};
            expect_hit(v, i, i + 1, hit);
            for (size_t k = 0; k < ARRAY_COUNT(flips); k++) {
                v->bytes[i] ^= flips[k];
                uint8_t *damaged = malloc(v->size);
                memcpy(damaged, v->bytes, v->size);
                v->bytes[i] ^= flips[k];
                start_damaged(v, damaged, v->size, hit, false);
                free(damaged);
            }
        }
    }
    log_tap(NULL);
    if (g.one_of == 1) ck_assert_uint_gt(g.heard, 0);
    release_patient();
}

static bool ends_with_a_record(const struct victim *v, size_t cut)
{
    size_t at = HEAD_BYTES;
    while (at < cut) {
        size_t size = RECORD_HEADER_BYTES + get_le32(v->bytes + at + 8);
        if (cut > at + size - 1 && cut < at + size + RECORD_ALIGNMENT) return true;
        at += (size + RECORD_ALIGNMENT - 1) / RECORD_ALIGNMENT * RECORD_ALIGNMENT;
    }
    return cut <= HEAD_BYTES;
}

static void cut_at_each_length(void (*make_patient)(void))
{
    static bool hit[WORLD_BATCHES_MAX];
    struct random r = random_start("cuts");
    make_patient();
    log_tap(hear);
    for (size_t f = 0; f < g.count; f++) {
        const struct victim *v = &g.files[f];
        for (size_t cut = first_at(&r); cut < v->size; cut += g.one_of) {
            expect_hit(v, cut, v->size, hit);
            start_damaged(v, v->bytes, cut, hit,
                          strncmp(v->name, "wal/", 4) == 0 && ends_with_a_record(v, cut));
        }
        expect_hit(v, 0, v->size, hit);
        start_damaged(v, v->bytes, 0, hit, strncmp(v->name, "wal/", 4) == 0);
    }
    log_tap(NULL);
    release_patient();
}

static void zero_from_each_byte(void (*make_patient)(void))
{
    static bool hit[WORLD_BATCHES_MAX];
    struct random r = random_start("zeros");
    make_patient();
    log_tap(hear);
    for (size_t f = 0; f < g.count; f++) {
        const struct victim *v = &g.files[f];
        uint8_t *damaged = malloc(v->size);
        for (size_t from = first_at(&r); from < v->size; from += g.one_of) {
            size_t to = from + 2 + (size_t)random_below(&r, ZEROS_MAX);
            if (random_below(&r, 10) == 0 || to > v->size) to = v->size;
            memcpy(damaged, v->bytes, v->size);
            memset(damaged + from, 0, to - from);
            expect_hit(v, from, to, hit);
            start_damaged(v, damaged, v->size, hit, false);
        }
        free(damaged);
    }
    log_tap(NULL);
    release_patient();
}

START_TEST(a_flipped_byte_costs_the_request_or_block_it_hit)
{
    flip_each_byte(make_folder);
    flip_each_byte(make_long_log);
}
END_TEST

START_TEST(a_file_cut_at_any_length_costs_what_is_behind)
{
    cut_at_each_length(make_folder);
    cut_at_each_length(make_long_log);
}
END_TEST

START_TEST(stretches_of_zeros_cost_what_they_cover)
{
    zero_from_each_byte(make_folder);
    zero_from_each_byte(make_long_log);
}
END_TEST

/* ---- a window of several blocks ---- */

enum { WIDE_SERIES = 12000, WIDE_SAMPLES = 40, WIDE_BATCH = 500 };

static void write_wide(struct world *w, struct random *r)
{
    for (int first = 0; first < WIDE_SERIES; first += WIDE_BATCH) {
        struct arena arena;
        struct appender *app;
        struct append_result result;
        struct error err;
        arena_init(&arena, HEAP_HTTP, WORLD_ARENA_BYTES);
        ck_assert_int_eq(appender_begin(w->db, &arena, &app, &err), OK);
        for (int i = first; i < first + WIDE_BATCH; i++) {
            struct sample *samples = arena_alloc(&arena, WIDE_SAMPLES * sizeof(*samples));
            struct str name = arena_printf(&arena, "%d", i);
            struct label *labels = arena_alloc(&arena, 2 * sizeof(*labels));
            labels[0] = (struct label){LABEL_METRIC_NAME, STR("wide")};
            labels[1] = (struct label){STR("i"), name};
            for (int k = 0; k < WIDE_SAMPLES; k++) /* full mantissas: nothing to compress */
                samples[k] = (struct sample){world_time((size_t)k),
                                             1 + (double)(random_next(r) >> 11) * 0x1p-53};
            ck_assert_int_eq(
                appender_add(app, (struct labels){labels, 2}, samples, WIDE_SAMPLES, &err), OK);
        }
        ck_assert_int_eq(appender_commit(app, &result, &err), OK);
        ck_assert_uint_eq(result.stored, (uint64_t)WIDE_BATCH * WIDE_SAMPLES);
        arena_release(&arena);
    }
}

static uint64_t samples_there(const struct world *w)
{
    struct storage_stats stats;
    storage_stats_read(w->db, &stats);
    return stats.samples;
}

START_TEST(of_a_window_of_several_blocks_a_flip_costs_one)
{
    const uint64_t all = (uint64_t)WIDE_SERIES * WIDE_SAMPLES;
    struct random r = random_start("blocks");
    memset(&g, 0, sizeof(g));
    world_init(&g.w);
    world_open(&g.w);
    clock_freeze(world_time(WIDE_SAMPLES));
    write_wide(&g.w, &r);
    world_snapshot(&g.w);
    for (size_t k = 60; k < 180; k += 60) { /* no log holds the window any more */
        write_until(k, k + 1);
        world_snapshot(&g.w);
    }
    world_close(&g.w);
    each_name("windows", add_file);
    const struct victim *v = &g.files[0];
    for (size_t f = 1; f < g.count; f++)
        if (g.files[f].size > v->size) v = &g.files[f];
    log_tap(hear);
    for (int round = 0; round < 4; round++) {
        uint8_t *damaged = malloc(v->size);
        memcpy(damaged, v->bytes, v->size);
        damaged[HEAD_BYTES + random_below(&r, v->size - HEAD_BYTES)] ^= 0x20;
        put_bytes(v, damaged, v->size);
        free(damaged);
        g.damaged = strrchr(v->name, '/') + 1;
        g.named = false;
        log_configure(LOG_WARN, LOG_FORMAT_LOGFMT);
        world_open(&g.w);
        world_quiet();
        ck_assert(g.named && world_stats(&g.w).snapshot_corruptions > 0);
        ck_assert_uint_ge(samples_there(&g.w), all / 2); /* it has three or four */
        ck_assert_uint_le(samples_there(&g.w), all + (uint64_t)2 * WORLD_SERIES);
        heal(v);
    }
    log_tap(NULL);
    release_patient();
}
END_TEST

SUITE(every_byte, a_flipped_byte_costs_the_request_or_block_it_hit,
      a_file_cut_at_any_length_costs_what_is_behind, stretches_of_zeros_cost_what_they_cover,
      of_a_window_of_several_blocks_a_flip_costs_one)
