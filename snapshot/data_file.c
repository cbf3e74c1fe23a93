/*
 * data_file - see data_file.h.
 */
#include "snapshot/data_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/crc32c.h"
#include "base/log.h"

enum { BLOCK_BYTES = 256 << 10 }; /* read at once */

enum status data_file_crc(const struct file *f, uint64_t size, uint32_t *out, struct error *err)
{
    uint8_t *block = heap_alloc(BLOCK_BYTES, HEAP_SNAPSHOT);
    if (!block) return error_set(err, ERR_NO_MEMORY, "no memory to check %s", f->path.text);
    enum status st = OK;
    uint32_t crc = 0;
    for (uint64_t offset = 0; offset < size && st == OK;) {
        size_t got = 0;
        size_t want = size - offset < BLOCK_BYTES ? (size_t)(size - offset) : BLOCK_BYTES;
        st = file_read(f, offset, block, want, &got, err);
        if (st == OK && got < want)
            st = error_set(err, ERR_CORRUPT, "%s ends at %" PRIu64 " of %" PRIu64 " bytes",
                           f->path.text, offset + got, size);
        crc = crc32c(crc, block, got);
        offset += got;
    }
    heap_free(block, BLOCK_BYTES, HEAP_SNAPSHOT);
    *out = crc;
    return st;
}

enum status data_file_publish(struct file *temporary, const struct file_path *path,
                              const char *folder_path, uint64_t size, uint32_t crc,
                              struct error *err)
{
    struct file_path old = temporary->path;
    uint32_t read_back = 0;
    enum status st = file_sync(temporary, err);
    if (st == OK) st = data_file_crc(temporary, size, &read_back, err);
    if (st == OK && read_back != crc)
        st = error_set(err, ERR_IO, "%s does not read back as it was written", old.text);
    file_close(temporary);
    if (st == OK) st = file_rename(old.text, path->text, err);
    if (st) {
        (void)!file_remove(old.text, NULL);
        return st;
    }
    return folder_sync(folder_path, err);
}

static enum status copy(const struct file *from, const struct file *to, uint64_t *size,
                        uint32_t *crc, struct error *err)
{
    uint8_t *block = heap_alloc(BLOCK_BYTES, HEAP_SNAPSHOT);
    if (!block) return error_set(err, ERR_NO_MEMORY, "no memory to copy %s", from->path.text);
    enum status st;
    size_t got = 0;
    *size = 0;
    *crc = 0;
    while ((st = file_read(from, *size, block, BLOCK_BYTES, &got, err)) == OK && got > 0) {
        struct file_piece piece = {.data = block, .size = got};
        st = file_write(to, *size, &piece, 1, err);
        if (st) break;
        *crc = crc32c(*crc, block, got);
        *size += got;
    }
    heap_free(block, BLOCK_BYTES, HEAP_SNAPSHOT);
    return st;
}

enum status data_file_copy(const struct file_path *from, const struct file_path *to,
                           const char *folder_path, struct error *err)
{
    struct file_path temporary;
    struct file old;
    struct file new;
    uint64_t size = 0; /* gcc -O1 does not see that they are set */
    uint32_t crc = 0;
    data_folder_temporary(to, &temporary);
    enum status st = file_open(&old, from->text, FILE_READ, err);
    if (st) return st;
    st = file_open(&new, temporary.text, FILE_OVERWRITE, err);
    if (st == OK) {
        st = copy(&old, &new, &size, &crc, err);
        if (st == OK)
            st = data_file_publish(&new, to, folder_path, size, crc, err);
        else
            file_close(&new);
        if (st) (void)!file_remove(temporary.text, NULL);
    }
    file_close(&old);
    return st;
}

enum status data_file_renew(const struct data_folder *folder, enum data_kind kind,
                            struct data_name name, struct error *err)
{
    struct file_path path;
    struct file_path sub;
    data_folder_path(folder, kind, name, &path);
    data_folder_subfolder(folder, kind, &sub);
    return data_file_copy(&path, &path, sub.text, err);
}

uint64_t data_file_size(const struct data_folder *folder, enum data_kind kind,
                        struct data_name name)
{
    struct file_path path;
    struct file f;
    uint64_t size = 0;
    data_folder_path(folder, kind, name, &path);
    if (file_open(&f, path.text, FILE_READ, NULL)) return 0;
    if (file_size(&f, &size, NULL)) size = 0;
    file_close(&f);
    return size;
}

enum status data_file_read_start(const char *path, uint8_t out[HEAD_BYTES], size_t *size,
                                 struct error *err)
{
    struct file f;
    enum status st = file_open(&f, path, FILE_READ, err);
    if (st) return st;
    st = file_read(&f, 0, out, HEAD_BYTES, size, err);
    file_close(&f);
    return st;
}

size_t data_file_start(const char *path, uint8_t out[HEAD_BYTES])
{
    size_t size;
    return data_file_read_start(path, out, &size, NULL) ? 0 : size;
}

static bool set_aside(const char *path, const char *suffix, const char *told)
{
    char aside[FILE_PATH_BYTES + 16];
    struct error refused;
    (void)snprintf(aside, sizeof(aside), "%s%s", path, suffix);
    if (file_rename(path, aside, &refused)) {
        log_error("snapshot", "file could not be set aside", "why=%s reason=%s",
                  LOG_TEXT(str_from(told)), LOG_TEXT(str_from(refused.text)));
        return false;
    }
    log_error("snapshot", "file set aside", "why=%s file=%s", LOG_TEXT(str_from(told)),
              LOG_TEXT(str_from(aside)));
    return true;
}

void data_file_set_aside(const struct data_folder *folder, enum data_kind kind, const char *path)
{
    struct file_path sub;
    struct error refused;
    if (!set_aside(path, ".unreadable", "the disk refuses to read it")) return;
    data_folder_subfolder(folder, kind, &sub);
    if (folder_sync(sub.text, &refused))
        log_warn("snapshot", "the name of a file that was set aside is not on the disk yet",
                 "reason=%s", LOG_TEXT(str_from(refused.text)));
}

bool data_file_keep_foreign(const struct data_folder *folder, enum data_kind kind,
                            struct data_name name)
{
    struct file_path path;
    struct head head;
    uint8_t bytes[HEAD_BYTES];
    data_folder_path(folder, kind, name, &path);
    size_t size = data_file_start(path.text, bytes);
    if (head_decode(bytes, size, data_head_kind(kind), &head, NULL) ||
        memcmp(&head.identity, &folder->identity, sizeof(head.identity)) == 0)
        return false;
    (void)set_aside(path.text, ".foreign", "it belongs to another data folder");
    return true;
}
