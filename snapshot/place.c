/* place - see place.h. */
#include "snapshot/place.h"

#include <stdio.h>
#include <string.h>

#include "snapshot/data_file.h"

static const char *base_name(const char *path)
{
    const char *last = strrchr(path, '/');
    return last ? last + 1 : path;
}

bool place_head(const char *path, struct head *out)
{
    static const struct {
        const char *folder;
        enum data_kind kind;
    } rows[] = {{"wal/", DATA_SEGMENT}, {"windows/", DATA_WINDOW}, {"manifests/", DATA_MANIFEST}};
    const char *name = base_name(path);
    *out = (struct head){.kind = HEAD_IDENTITY};
    if (strcmp(name, "HEARTH") == 0) return true;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct data_name parsed;
        size_t size = strlen(rows[i].folder);
        if (name - path < (ptrdiff_t)size || strncmp(name - size, rows[i].folder, size) != 0)
            continue;
        if (!data_name_parse(name, rows[i].kind, &parsed)) continue;
        out->kind = data_head_kind(rows[i].kind);
        out->number = (uint64_t)parsed.number;
        out->sequence = parsed.snapshot;
        return true;
    }
    return false;
}

/* One of our names, and this behind it. */
static bool is_ours_with(const char *path, const char *suffix)
{
    struct file_path ours;
    struct head head;
    size_t size = strlen(path);
    size_t tail = strlen(suffix);
    if (size < tail || strcmp(path + size - tail, suffix) != 0) return false;
    int written = snprintf(ours.text, sizeof(ours.text), "%.*s", (int)(size - tail), path);
    return written >= 0 && (size_t)written < sizeof(ours.text) && place_head(ours.text, &head);
}

enum place_kind place_of(const char *path)
{
    struct head head;
    if (place_head(path, &head)) return PLACE_OURS;
    if (strcmp(base_name(path), "lock") == 0) return PLACE_LOCK;
    if (is_ours_with(path, ".tmp")) return PLACE_UNFINISHED;
    if (is_ours_with(path, ".unreadable")) return PLACE_UNREADABLE;
    if (is_ours_with(path, ".foreign")) return PLACE_FOREIGN;
    return PLACE_OTHER;
}

bool place_sibling(const char *path, const char *name, struct file_path *out)
{
    const char *last = strrchr(path, '/');
    int keep = last ? (int)(last - path) : 1;
    int size = snprintf(out->text, sizeof(out->text), "%.*s/../%s", keep, last ? path : ".", name);
    return size > 0 && (size_t)size < sizeof(out->text);
}

bool place_identity(const char *path, struct identity *out)
{
    struct file_path hearth;
    struct head head;
    uint8_t bytes[HEAD_BYTES];
    if (!place_sibling(path, "HEARTH", &hearth)) return false;
    size_t size = data_file_start(hearth.text, bytes);
    if (head_decode(bytes, size, HEAD_IDENTITY, &head, NULL)) return false;
    *out = head.identity;
    return true;
}

const char *place_refusal(const char *path, const struct head *head)
{
    struct head expected;
    struct identity identity;
    if (!place_head(path, &expected)) return NULL;
    if (head->kind != expected.kind) return "a file of another kind under this name";
    if (head->kind == HEAD_IDENTITY) return NULL;
    if (place_identity(path, &identity) &&
        memcmp(&identity, &head->identity, sizeof(identity)) != 0)
        return "it belongs to another data folder";
    bool moved = (head->kind == HEAD_WINDOW &&
                  (head->number != expected.number || head->sequence != expected.sequence)) ||
                 (head->kind == HEAD_MANIFEST && head->sequence != expected.number);
    return moved ? "another file under this name: it was made under another name" : NULL;
}
