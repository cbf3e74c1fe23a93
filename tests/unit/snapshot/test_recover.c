/* recover: every byte of every file flipped, every file cut everywhere, pages zeroed, pieces moved;
 * what is not touched is there, and nothing is ever wrong. */
#include "snapshot/durability.h"

#include "base/crc32c.h"
#include "base/endian.h"
#include "snapshot/record.h"
#include "tests/unit/snapshot/world.h"

/* A folder to damage again and again. */
struct patient {
    struct world w;
    char original[300];
};

static void patient_take(struct patient *p)
{
    world_close(&p->w);
    snprintf(p->original, sizeof(p->original), "%s.original", p->w.path);
    world_copy(p->w.path, p->original);
}

static void patient_heal(struct patient *p)
{
    if (p->w.d) world_close(&p->w);
    world_remove(p->w.path);
    world_copy(p->original, p->w.path);
}

static void patient_release(struct patient *p)
{
    world_remove(p->original);
    world_release(&p->w);
}

/* As patient_heal when nothing was snapshot or set aside since: the other files are as they were,
 * and the starts have only added segments. */
static void patient_heal_quickly(struct patient *p)
{
    char path[512];
    if (p->w.d) world_close(&p->w);
    for (int number = 1; number < 100; number++) {
        snprintf(path, sizeof(path), "%s/wal/%08d", p->original, number);
        if (access(path, F_OK) == 0) continue;
        snprintf(path, sizeof(path), "%s/wal/%08d", p->w.path, number);
        unlink(path);
    }
}

static void damage_open(struct patient *p, const char *file, const uint8_t *bytes, size_t size)
{
    char path[512];
    patient_heal_quickly(p);
    snprintf(path, sizeof(path), "%s/%s", p->w.path, file);
    world_write_file(path, bytes, size);
    world_open(&p->w);
}

static uint8_t *original_bytes(const struct patient *p, const char *file, size_t *size)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", p->original, file);
    return world_read_file(path, size);
}

/* The head of another folder, in one of our files. */
static void make_foreign(const struct patient *p, const char *file)
{
    char path[512];
    size_t size;
    uint8_t *bytes = original_bytes(p, file, &size);
    bytes[16] ^= 1;
    put_le32(bytes + 56, crc32c(0, bytes, 56));
    snprintf(path, sizeof(path), "%s/%s", p->w.path, file);
    world_write_file(path, bytes, size);
    free(bytes);
}

/* Afterwards a second start must show the same, and writing must go on. */
static void expect_stable(struct patient *p, size_t found, size_t missing_allowed)
{
    world_write_all(&p->w, 300, 301);
    world_close(&p->w);
    world_open(&p->w);
    ck_assert_uint_eq(world_check(&p->w, missing_allowed), found + 1);
    p->w.tried[300] = p->w.acknowledged[300] = false;
    patient_heal(p);
}

static void log_patient(struct patient *p, size_t batches)
{
    *p = (struct patient){0};
    world_init(&p->w);
    world_open(&p->w);
    world_write_all(&p->w, 0, batches);
    patient_take(p);
}

/* The first snapshot, and a log behind it. */
static void young_patient(struct patient *p)
{
    *p = (struct patient){0};
    world_init(&p->w);
    world_open(&p->w);
    world_write_all(&p->w, 0, 2);
    world_snapshot(&p->w);
    world_write_all(&p->w, 2, 4);
    patient_take(p);
}

/* Two generations whose windows differ, and a log behind them. */
static void snapshot_patient(struct patient *p)
{
    *p = (struct patient){0};
    world_init(&p->w);
    world_open(&p->w);
    world_write_all(&p->w, 0, 4);
    world_snapshot(&p->w);
    world_write_all(&p->w, 4, 8);
    world_snapshot(&p->w);
    world_write_all(&p->w, 8, 12);
    patient_take(p);
}

START_TEST(a_flipped_bit_in_the_log_takes_at_most_one_batch)
{
    enum { BATCHES = 8 };
    struct patient p;
    size_t size;
    log_patient(&p, BATCHES);
    uint8_t *bytes = original_bytes(&p, "wal/00000001", &size);
    for (size_t i = 0; i < size; i++) {
        bytes[i] ^= (uint8_t)(1 << i % 8);
        damage_open(&p, "wal/00000001", bytes, size);
        ck_assert_uint_ge(world_check(&p.w, 1), BATCHES - 1);
        bytes[i] ^= (uint8_t)(1 << i % 8);
        if (i % 97 == 0) expect_stable(&p, world_check(&p.w, 1), 1);
    }
    free(bytes);
    patient_release(&p);
}
END_TEST

START_TEST(a_log_cut_anywhere_keeps_what_is_before)
{
    enum { BATCHES = 8 };
    struct patient p;
    size_t size;
    log_patient(&p, BATCHES);
    uint8_t *bytes = original_bytes(&p, "wal/00000001", &size);
    size_t previous = 0;
    for (size_t cut = 0; cut <= size; cut++) {
        damage_open(&p, "wal/00000001", bytes, cut);
        size_t found = world_check(&p.w, BATCHES);
        ck_assert(found == previous || found == previous + 1);
        for (size_t k = found; k < BATCHES; k++)
            p.w.acknowledged[k] = false;
        ck_assert_uint_eq(world_check(&p.w, 0), found); /* exactly the first ones */
        for (size_t k = found; k < BATCHES; k++)
            p.w.acknowledged[k] = true;
        ck_assert_uint_le(world_stats(&p.w).wal_truncations, 1);
        if (cut % 97 == 0) expect_stable(&p, found, BATCHES);
        previous = found;
    }
    ck_assert_uint_eq(previous, BATCHES);
    free(bytes);
    patient_release(&p);
}
END_TEST

START_TEST(a_torn_tail_is_cut_once)
{
    struct patient p;
    size_t size;
    log_patient(&p, 4);
    uint8_t *bytes = original_bytes(&p, "wal/00000001", &size);
    damage_open(&p, "wal/00000001", bytes, size - 12);
    ck_assert_uint_eq(world_stats(&p.w).wal_truncations, 1);
    ck_assert_uint_eq(world_stats(&p.w).wal_corruptions, 0);
    world_close(&p.w);
    world_open(&p.w);
    ck_assert_uint_eq(world_stats(&p.w).wal_truncations, 0);
    ck_assert_uint_eq(world_stats(&p.w).wal_corruptions, 0);
    ck_assert_uint_eq(world_check(&p.w, 1), 3);
    free(bytes);
    patient_release(&p);
}
END_TEST

START_TEST(zeros_garbage_and_moved_pieces_take_only_what_they_cover)
{
    enum { BATCHES = 400, PIECE = 4096, SLACK = 3 };
    struct patient p;
    size_t size;
    uint64_t seed = 88172645463325252u;
    log_patient(&p, BATCHES);
    uint8_t *bytes = original_bytes(&p, "wal/00000001", &size);
    uint8_t *damaged = malloc(2 * size);
    size_t per_batch = size / BATCHES;
    size_t touched = PIECE / per_batch * 5 / 4 + SLACK;
    for (int round = 0; round < 100; round++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        size_t at = (size_t)(seed >> 33) % (size - PIECE);
        size_t to = (size_t)(seed >> 13) % (size - PIECE);
        size_t new_size = size;
        memcpy(damaged, bytes, size);
        switch (round % 5) {
        case 0: memset(damaged + at, 0, PIECE); break;
        case 1:
            for (size_t i = 0; i < PIECE; i++)
                damaged[at + i] = (uint8_t)(seed >> (i % 57));
            break;
        case 2: memcpy(damaged + to, bytes + at, PIECE); break; /* misdirected */
        case 3:                                                 /* repeated */
            memmove(damaged + at + PIECE, damaged + at, size - at);
            new_size += PIECE;
            break;
        default: /* taken out */
            memmove(damaged + at, damaged + at + PIECE, size - at - PIECE);
            new_size -= PIECE;
            break;
        }
        damage_open(&p, "wal/00000001", damaged, new_size);
        size_t found = world_check(&p.w, BATCHES);
        ck_assert_msg(found + touched >= BATCHES, "round %d at %zu: %zu of %d", round, at, found,
                      BATCHES);
    }
    free(bytes);
    free(damaged);
    patient_release(&p);
}
END_TEST

START_TEST(junk_and_zeros_behind_the_log_lose_nothing)
{
    struct patient p;
    size_t size;
    log_patient(&p, 6);
    uint8_t *bytes = original_bytes(&p, "wal/00000001", &size);
    uint8_t *longer = calloc(1, size + 10000);
    memcpy(longer, bytes, size);
    damage_open(&p, "wal/00000001", longer, size + 10000);
    ck_assert_uint_eq(world_check(&p.w, 0), 6);
    for (size_t i = 0; i < 10000; i++)
        longer[size + i] = (uint8_t)(i * 37 + i / 11);
    damage_open(&p, "wal/00000001", longer, size + 9999);
    ck_assert_uint_eq(world_check(&p.w, 0), 6);
    free(bytes);
    free(longer);
    patient_release(&p);
}
END_TEST

/* As another version may write them. */
START_TEST(a_record_of_an_unknown_type_is_skipped_however_long)
{
    enum { UNKNOWN = 9, BATCHES = 4 };
    static const uint32_t lengths[] = {0, 104, 2 * RECORD_BATCH_MAX + RECORD_ALIGNMENT};
    struct patient p;
    size_t size;
    log_patient(&p, BATCHES);
    uint8_t *bytes = original_bytes(&p, "wal/00000001", &size);
    for (size_t i = 0; i < ARRAY_COUNT(lengths); i++) {
        size_t longer_size = size + RECORD_HEADER_BYTES + lengths[i];
        uint8_t *longer = calloc(1, longer_size);
        uint8_t *header = longer + size;
        memcpy(longer, bytes, size);
        record_header(header, (enum record_type)UNKNOWN, lengths[i],
                      crc32c(0, header + RECORD_HEADER_BYTES, lengths[i]));
        record_seal(header, get_le32(bytes + 56), BATCHES + 1);
        damage_open(&p, "wal/00000001", longer, longer_size);
        ck_assert_uint_eq(world_check(&p.w, 0), BATCHES);
        ck_assert_uint_eq(world_stats(&p.w).wal_corruptions, 0);
        ck_assert_uint_eq(world_stats(&p.w).wal_truncations, 0);
        free(longer);
    }
    free(bytes);
    patient_release(&p);
}
END_TEST

START_TEST(segments_missing_renamed_foreign_or_no_files_at_all)
{
    struct patient p = {0};
    char from[512];
    char to[512];
    world_init(&p.w);
    p.w.options.segment_bytes = 1; /* one batch a segment */
    world_open(&p.w);
    world_write_all(&p.w, 0, 6);
    patient_take(&p);

    patient_heal(&p);
    snprintf(from, sizeof(from), "%s/wal/00000003", p.w.path);
    ck_assert_int_eq(unlink(from), 0);
    world_open(&p.w);
    ck_assert_uint_eq(world_check(&p.w, 1), 5);
    ck_assert_uint_eq(world_stats(&p.w).wal_lost_batches, 1);

    patient_heal(&p); /* the head wins over the name */
    snprintf(to, sizeof(to), "%s/wal/00000000", p.w.path);
    ck_assert_int_eq(rename(from, to), 0);
    world_open(&p.w);
    ck_assert_uint_eq(world_check(&p.w, 0), 6);

    patient_heal(&p); /* a folder in its place */
    ck_assert_int_eq(unlink(from), 0);
    ck_assert_int_eq(mkdir(from, 0700), 0);
    world_open(&p.w);
    ck_assert_uint_eq(world_check(&p.w, 1), 5);
    ck_assert_uint_eq(world_stats(&p.w).wal_corruptions, 1);

    patient_heal(&p); /* a FIFO: opening it must not wait */
    ck_assert_int_eq(unlink(from), 0);
    ck_assert_int_eq(mkfifo(from, 0600), 0);
    world_open(&p.w);
    ck_assert_uint_eq(world_check(&p.w, 1), 5);

    patient_heal(&p);
    make_foreign(&p, "wal/00000003");
    world_open(&p.w);
    ck_assert_uint_eq(world_check(&p.w, 1), 5);
    patient_release(&p);
}
END_TEST

static bool is_there(const struct patient *p, const char *file)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", p->w.path, file);
    return access(path, F_OK) == 0;
}

/* Somebody's samples that were put into the wrong folder: not ours to read, nor to delete. */
START_TEST(files_of_another_folder_are_never_deleted)
{
    static const char *const files[] = {"wal/00000001", "windows/28333333-00000001",
                                        "manifests/00000001"};
    struct patient p;
    young_patient(&p);
    for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
        char aside[512];
        patient_heal(&p);
        make_foreign(&p, files[i]);
        world_open(&p.w);
        world_write_all(&p.w, 4, 5);
        world_snapshot(&p.w);
        world_write_all(&p.w, 5, 6);
        world_snapshot(&p.w);
        snprintf(aside, sizeof(aside), "%s.foreign", files[i]);
        ck_assert_msg(is_there(&p, aside), "%s", files[i]);
        world_close(&p.w);
        world_open(&p.w);
        ck_assert(is_there(&p, aside));
        ck_assert_uint_ge(world_check(&p.w, 2), 4);
    }
    patient_release(&p);
}
END_TEST

/* As when somebody has copied files into the wrong folder: a start would find nothing that is its
 * own, and show an empty store. */
START_TEST(an_identity_that_no_file_has_is_refused)
{
    struct patient p;
    char path[512];
    char other[512];
    struct error err = {0};
    young_patient(&p);
    patient_heal(&p);
    make_foreign(&p, "HEARTH");
    ck_assert_int_eq(world_start(&p.w, &err), ERR_IO);
    ck_assert_msg(strstr(err.text, "manifests/00000001") && strstr(err.text, "HEARTH"), "%s",
                  err.text);
    for (int i = 0; i < 2; i++) { /* a file of which nobody knows may be its own */
        static const char *const files[] = {"wal/00000001", "manifests/00000001"};
        size_t size;
        uint8_t *bytes = original_bytes(&p, files[i], &size);
        bytes[i == 0 ? 3 : 40] ^= 1;
        patient_heal(&p);
        make_foreign(&p, "HEARTH");
        snprintf(path, sizeof(path), "%s/%s", p.w.path, files[i]);
        world_write_file(path, bytes, size);
        world_open(&p.w);
        free(bytes);
    }
    patient_heal(&p); /* as it says */
    make_foreign(&p, "HEARTH");
    snprintf(path, sizeof(path), "%s/HEARTH", p.w.path);
    ck_assert_int_eq(unlink(path), 0);
    world_open(&p.w);
    ck_assert_uint_eq(world_check(&p.w, 0), 4);

    patient_heal(&p); /* a folder that never held anything, and a stray file */
    snprintf(path, sizeof(path), "%s/wal/00000001", p.w.path);
    snprintf(other, sizeof(other), "%s/manifests/00000001", p.w.path);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(unlink(other), 0);
    world_open(&p.w);
    patient_release(&p);
}
END_TEST

/* Its first batches have none before them that a gap could show. */
START_TEST(the_segment_that_a_snapshot_goes_on_with_is_named_when_it_is_missing)
{
    struct patient p;
    young_patient(&p);
    for (int missing = 0; missing < 2; missing++) {
        char path[512];
        patient_heal(&p);
        snprintf(path, sizeof(path), "%s/wal/00000002", p.w.path);
        if (missing) ck_assert_int_eq(unlink(path), 0);
        world_open_heard(&p.w);
        ck_assert_msg((strstr(world_told, "wal/00000002") != NULL) == missing, "%s", world_told);
        ck_assert_uint_eq(world_check(&p.w, missing ? 2 : 0), missing ? 2 : 4);
    }
    patient_release(&p);
}
END_TEST

/* A number behind which there is no other. */
START_TEST(a_stray_name_at_the_end_of_numbers_loses_nothing)
{
    static const char *const files[] = {"wal/9223372036854775807", "manifests/9223372036854775807",
                                        "windows/1-9223372036854775807"};
    for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
        struct world w;
        char path[512];
        world_init(&w);
        world_open(&w);
        world_write_all(&w, 0, 2);
        world_close(&w);
        snprintf(path, sizeof(path), "%s/%s", w.path, files[i]);
        world_write_file(path, (const uint8_t *)"", 0);
        world_open(&w);
        world_write_all(&w, 2, 4);
        world_close(&w);
        world_open(&w);
        ck_assert_uint_eq(world_check(&w, 0), 4);
        world_snapshot(&w);
        world_close(&w);
        world_open(&w);
        ck_assert_uint_eq(world_check(&w, 0), 4);
        ck_assert_uint_eq(world_stats(&w).wal_records, 0);
        world_release(&w);
    }
}
END_TEST

static void flip_all(struct patient *p, const char *file)
{
    size_t size;
    uint8_t *bytes = original_bytes(p, file, &size);
    for (size_t i = 0; i < size; i++) {
        bytes[i] ^= (uint8_t)(1 << i % 8);
        damage_open(p, file, bytes, size);
        ck_assert_uint_eq(world_check(&p->w, 0), 12);
        bytes[i] ^= (uint8_t)(1 << i % 8);
        if (i % 50 == 0) { /* the next snapshot heals the folder */
            world_snapshot(&p->w);
            world_close(&p->w);
            world_open(&p->w);
            ck_assert_uint_eq(world_check(&p->w, 0), 12);
            ck_assert_uint_eq(world_stats(&p->w).snapshot_corruptions, 0);
            patient_heal(p);
        }
    }
    free(bytes);
}

static void cut_all(struct patient *p, const char *file)
{
    size_t size;
    uint8_t *bytes = original_bytes(p, file, &size);
    for (size_t cut = 0; cut < size; cut++) {
        damage_open(p, file, bytes, cut);
        ck_assert_uint_eq(world_check(&p->w, 0), 12);
    }
    free(bytes);
}

#define NEWEST_WINDOW   "windows/28333333-00000002"
#define NEWEST_MANIFEST "manifests/00000002"

START_TEST(a_damaged_window_file_is_replaced_by_the_older_generation)
{
    struct patient p;
    snapshot_patient(&p);
    flip_all(&p, NEWEST_WINDOW);
    cut_all(&p, NEWEST_WINDOW);
    patient_release(&p);
}
END_TEST

START_TEST(a_damaged_manifest_or_identity_loses_nothing)
{
    struct patient p;
    snapshot_patient(&p);
    flip_all(&p, NEWEST_MANIFEST);
    cut_all(&p, NEWEST_MANIFEST);
    flip_all(&p, "HEARTH");
    cut_all(&p, "HEARTH");
    patient_release(&p);
}
END_TEST

START_TEST(files_that_are_missing_are_made_up_for)
{
    static const char *const files[] = {
        NEWEST_WINDOW,       NEWEST_MANIFEST, "HEARTH", "lock", "windows/28333333-00000001",
        "manifests/00000001"};
    struct patient p;
    char path[512];
    snapshot_patient(&p);
    for (size_t i = 0; i < ARRAY_COUNT(files); i++) {
        patient_heal(&p);
        snprintf(path, sizeof(path), "%s/%s", p.w.path, files[i]);
        ck_assert_int_eq(unlink(path), 0);
        world_open(&p.w);
        ck_assert_uint_eq(world_check(&p.w, 0), 12);
    }
    patient_heal(&p); /* no manifest at all: every file there is */
    snprintf(path, sizeof(path), "%s/manifests", p.w.path);
    world_remove(path);
    world_open(&p.w);
    ck_assert_uint_eq(world_check(&p.w, 0), 12);

    patient_heal(&p); /* no window file at all: the log of the first generation is still there */
    snprintf(path, sizeof(path), "%s/windows", p.w.path);
    world_remove(path);
    world_open(&p.w);
    ck_assert_uint_eq(world_check(&p.w, 4), 8);
    patient_release(&p);
}
END_TEST

START_TEST(a_file_of_both_generations_loses_only_its_damaged_block)
{
    struct patient p = {0};
    size_t size;
    world_init(&p.w);
    world_open(&p.w);
    world_write_all(&p.w, 0, 4);
    clock_advance(WORLD_CHUNK_MS);
    world_write_all(&p.w, 60, 64);
    world_snapshot(&p.w);
    world_write_all(&p.w, 64, 66);
    world_snapshot(&p.w);
    world_write_all(&p.w, 66, 68);
    world_snapshot(&p.w); /* the first window's file is older than any log */
    patient_take(&p);
    uint8_t *bytes = original_bytes(&p, "windows/28333333-00000001", &size);
    for (size_t i = 64; i < size; i += 3) {
        bytes[i] ^= 0x10;
        damage_open(&p, "windows/28333333-00000001", bytes, size);
        ck_assert_uint_ge(world_check(&p.w, 4), 8);
        bytes[i] ^= 0x10;
    }
    free(bytes);
    patient_release(&p);
}
END_TEST

/* Change a payload and make its crcs right again: what the decoders themselves must catch. */
START_TEST(any_payload_behind_right_checksums_is_harmless)
{
    enum { BATCHES = 6 };
    struct patient p;
    size_t size;
    log_patient(&p, BATCHES);
    uint8_t *bytes = original_bytes(&p, "wal/00000001", &size);
    uint8_t *copy = malloc(size);
    uint32_t seed = get_le32(bytes + 56);
    for (size_t i = 64 + 32; i < size; i++) {
        memcpy(copy, bytes, size);
        size_t at = 64; /* find the record that holds byte i */
        while (at + 32 + ((get_le32(copy + at + 8) + 7) & ~7u) <= i)
            at += 32 + ((get_le32(copy + at + 8) + 7) & ~7u);
        uint32_t payload = get_le32(copy + at + 8);
        if (i < at + 32 || i >= at + 32 + payload) continue;
        copy[i] = (uint8_t)(copy[i] + 1 + i % 254);
        put_le32(copy + at + 12, crc32c(0, copy + at + 32, payload));
        put_le32(copy + at + 28, crc32c(seed, copy + at, 28));
        damage_open(&p, "wal/00000001", copy, size);
        storage_check(p.w.db); /* what it says now is as good as any; it must only be sane */
        world_close(&p.w);
    }
    free(bytes);
    free(copy);
    patient_release(&p);
}
END_TEST

SUITE(recover, a_flipped_bit_in_the_log_takes_at_most_one_batch,
      a_log_cut_anywhere_keeps_what_is_before, a_torn_tail_is_cut_once,
      zeros_garbage_and_moved_pieces_take_only_what_they_cover,
      junk_and_zeros_behind_the_log_lose_nothing,
      a_record_of_an_unknown_type_is_skipped_however_long,
      segments_missing_renamed_foreign_or_no_files_at_all, an_identity_that_no_file_has_is_refused,
      the_segment_that_a_snapshot_goes_on_with_is_named_when_it_is_missing,
      files_of_another_folder_are_never_deleted, a_stray_name_at_the_end_of_numbers_loses_nothing,
      a_damaged_window_file_is_replaced_by_the_older_generation,
      a_damaged_manifest_or_identity_loses_nothing, files_that_are_missing_are_made_up_for,
      a_file_of_both_generations_loses_only_its_damaged_block,
      any_payload_behind_right_checksums_is_harmless)
