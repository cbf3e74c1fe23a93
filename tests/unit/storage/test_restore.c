/*
 * Whatever the order, the sizes or the threads of a restore: its memory is that of a process that
 * ingested.
 */
#include "alloc/memstats.h"
#include "base/thread.h"
#include "storage/export.h"
#include "tests/unit/alloc/random.h"
#include "tests/unit/storage/transfer.h"
#include "tests/unit/suite.h"

enum {
    SERIES = 2000,
    SAMPLES = 240, /* of a series in a window: a minute apart, or every second one of them */
    WINDOWS = 8,
    CHUNKS = SERIES * WINDOWS,
    THREADS_MAX = 3,
    BATCH_MAX = 50,               /* chunks of one import */
    BEGUN_SPANS_BYTES = 192 << 10 /* of a thread */
};

/* The window that is open when all was ingested, and its predecessors. */
static const int64_t first_ms = STORE_NOW_MS - 2 * HOUR_MS;
static const int64_t window_ms = 4 * HOUR_MS;
static const int64_t end_ms =
    STORE_NOW_MS - 2 * HOUR_MS + INT64_C(4) * (WINDOWS - 1) * HOUR_MS + HOUR_MS;

/* What one storage takes. */
struct footprint {
    uint64_t inuse_bytes;
    uint64_t unused_bytes; /* inuse - alloc */
    size_t window_count;
    struct window_bytes windows[STORAGE_WINDOWS_MAX];
};

static struct memstats heap_now(void)
{
    struct memstats s;
    heap_flush_thread();
    memstats_read(&s);
    return s;
}

static struct footprint footprint_since(struct storage *db, const struct memstats *before)
{
    struct footprint f;
    struct memstats now = heap_now();
    f.inuse_bytes = now.heap_inuse - before->heap_inuse;
    f.unused_bytes = f.inuse_bytes - (now.heap_alloc - before->heap_alloc);
    f.window_count = storage_window_bytes(db, f.windows);
    return f;
}

/* Doubles with all their bits, of a length that depends on the series. */
static void ingest_window(struct store *s, int64_t from_ms, struct random *r)
{
    static struct sample samples[SAMPLES];
    for (int i = 0; i < SERIES; i++) {
        struct str text = arena_printf(&s->arena, "%d", i);
        size_t count = 0;
        for (int k = 0; k < SAMPLES; k += 1 + i % 4) {
            int64_t t_ms = from_ms + k * INT64_C(60000);
            double v = (double)random_below(r, UINT64_C(1) << 50);
            if (t_ms <= clock_wall_ms()) samples[count++] = (struct sample){t_ms, v};
        }
        store_append_many(s, store_labels(&s->arena, "i", text.data, NULL), samples, count);
    }
    arena_reset(&s->arena);
}

/* Window by window, as time goes by. */
static void ingest(struct store *s, struct random *r)
{
    for (int window = 0; window < WINDOWS; window++) {
        int64_t from_ms = first_ms + window * window_ms;
        bool last = window == WINDOWS - 1;
        clock_advance((last ? end_ms : from_ms + window_ms - 1) - clock_wall_ms());
        ingest_window(s, from_ms, r);
        if (!last) clock_advance(from_ms + window_ms + 60000 - clock_wall_ms());
        store_settle(s);
    }
}

static struct chunk_image images[CHUNKS];
static size_t image_count;

/* All chunks, oldest window first. */
static void keep_images(struct storage *db, struct arena *a)
{
    struct window_info windows[STORAGE_WINDOWS_MAX];
    struct arena walk;
    struct error err;
    arena_init(&walk, HEAP_SNAPSHOT, 1 << 26);
    size_t count = export_windows(db, windows);
    image_count = 0;
    for (size_t w = 0; w < count; w++) {
        struct exporter *e;
        struct chunk_image image;
        bool more;
        ck_assert(export_open(db, windows[w].window, &walk, &e, &err) == OK);
        while (export_next(e, &image, &more, &err) == OK && more) {
            EXPECT(image_count < CHUNKS);
            images[image_count] = keep_image(&image, a);
            image_count++;
        }
        export_close(e);
        arena_reset(&walk);
    }
    arena_release(&walk);
    ck_assert_uint_eq(image_count, CHUNKS);
}

enum order { BY_TIME, NEWEST_FIRST, BY_SERIES, RANDOM, ORDER_COUNT };

/* Each order by one thread, and then by all of them. */
#ifdef __SANITIZE_THREAD__
enum { FIRST_RUN = ORDER_COUNT + RANDOM };
#else
enum { FIRST_RUN = SUITE_FEWER > 1 ? ORDER_COUNT : 0 };
#endif

static void put_in_order(size_t *list, enum order order, struct random *r)
{
    for (size_t i = 0; i < CHUNKS; i++) {
        list[i] = i;
        if (order == NEWEST_FIRST) list[i] = CHUNKS - 1 - i;
        if (order == BY_SERIES) list[i] = i % WINDOWS * SERIES + i / WINDOWS;
    }
    for (size_t i = CHUNKS - 1; order == RANDOM && i > 0; i--) {
        size_t other = random_below(r, i + 1);
        size_t swapped = list[i];
        list[i] = list[other];
        list[other] = swapped;
    }
}

struct reader {
    struct storage *db;
    const size_t *list;
    size_t first, step;
    struct thread thread;
};

static void read_some(void *arg)
{
    const struct reader *r = arg;
    struct error err;
    for (size_t i = r->first; i < CHUNKS;) {
        struct chunk_image batch[BATCH_MAX];
        size_t done;
        size_t count = 0;
        size_t most = 1 + i % BATCH_MAX;
        for (; count < most && i < CHUNKS; i += r->step)
            batch[count++] = images[r->list[i]];
        EXPECT(import_chunks(r->db, batch, count, &done, &err) == OK && done == count);
    }
    heap_flush_thread();
}

static void read_all(struct storage *db, const size_t *list, size_t threads)
{
    struct reader readers[THREADS_MAX];
    for (size_t i = 0; i < threads; i++) {
        readers[i] = (struct reader){.db = db, .list = list, .first = i, .step = threads};
        ck_assert(thread_start(&readers[i].thread, "reader", read_some, &readers[i], NULL) == OK);
    }
    for (size_t i = 0; i < threads; i++)
        thread_join(&readers[i].thread);
    import_finish(db);
}

static void check_same(const struct footprint *restored, const struct footprint *ingested,
                       size_t threads)
{
    ck_assert_uint_eq(restored->window_count, ingested->window_count);
    for (size_t i = 0; i < restored->window_count; i++) {
        const struct window_bytes *a = &restored->windows[i];
        const struct window_bytes *b = &ingested->windows[i];
        ck_assert_int_eq(a->start_ms, b->start_ms);
        ck_assert_uint_eq(a->open, b->open);
        ck_assert_uint_eq(a->sealed, b->sealed);
        ck_assert_uint_eq(a->deleted, 0);
        ck_assert_uint_le(a->tail, HEAP_PAGE_BYTES + a->sealed / 100);
    }
    /* A fifth of a per cent, and what does not grow with what is held: spans of some classes that
     * each thread has begun. */
    ck_assert_uint_le(restored->unused_bytes, ingested->unused_bytes + restored->inuse_bytes / 500 +
                                                  threads * BEGUN_SPANS_BYTES);
}

START_TEST(a_restore_leaves_no_trace_in_the_heap)
{
    static size_t list[CHUNKS];
    struct random r = random_start("a_restore_leaves_no_trace");
    struct storage_options options = storage_options_default();
    struct arena kept;
    struct store s;
    struct error err;
    options.shards = 4;
    arena_init(&kept, HEAP_SNAPSHOT, UINT64_C(1) << 30);
    heap_free(heap_alloc(1, HEAP_PROCESS), 1, HEAP_PROCESS);
    struct memstats before = heap_now();
    store_open_with(&s, options);
    ingest(&s, &r);
    struct footprint ingested = footprint_since(s.db, &before);
    ck_assert_uint_eq(ingested.window_count, WINDOWS);
    keep_images(s.db, &kept);
    storage_close(s.db);

    for (int run = FIRST_RUN; run < ORDER_COUNT * 2; run++) {
        put_in_order(list, (enum order)(run % ORDER_COUNT), &r);
        before = heap_now();
        ck_assert(storage_open(&options, &s.db, &err) == OK);
        size_t threads = run < ORDER_COUNT ? 1 : THREADS_MAX;
        read_all(s.db, list, threads);
        struct footprint restored = footprint_since(s.db, &before);
        check_same(&restored, &ingested, threads);
        storage_check(s.db);
        storage_close(s.db);
    }
    arena_release(&kept);
    arena_release(&s.arena);
    clock_thaw();
    heap_check();
}
END_TEST

SUITE(restore, a_restore_leaves_no_trace_in_the_heap)
