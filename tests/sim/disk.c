/*
 * disk - see disk.h.
 */
#include "tests/sim/disk.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "tests/sim/bytes.h"

/* Small, so that short records are torn too. */
enum { SECTOR_BYTES = 64, PATH_BYTES = 96, FILES_MAX = 1024, OPEN_MAX = 64, FIRST_FD = 1000 };

/* A change of a file's bytes that waits for a sync. */
struct change {
    bool truncates; /* to `offset` bytes; else bytes are written there */
    uint64_t offset;
    struct bytes bytes;
};

struct inode {
    bool used;
    bool owed; /* the disk said that it was synced, and it was not */
    struct bytes seen;
    struct bytes stable;
    struct change *changes;
    size_t change_count;
};

struct name {
    char path[PATH_BYTES];
    int inode;      /* NO_FILE as a change: the name goes */
    bool with_next; /* a rename is two changes, and both or none */
};

struct name_list {
    struct name *items;
    size_t count;
};

enum { NO_FILE = -1 };

static struct {
    struct random random;
    struct sim_weather weather;
    struct inode inodes[FILES_MAX];
    struct name_list seen, stable, changes;
    int open[OPEN_MAX]; /* inode + 1 */
    int64_t left;       /* operations until the machine stops */
    bool stopped;
    bool names_owed;
    bool lied;
    struct sim_disk_stats stats;
} sim;

/* ---- chance ---- */

static uint64_t below(uint64_t end)
{
    return end ? random_below(&sim.random, end) : 0;
}

static bool happens(unsigned of_1024)
{
    return of_1024 && below(1024) < of_1024;
}

static void trace(uint64_t what)
{
    sim.stats.trace = (sim.stats.trace ^ what) * UINT64_C(0x9E3779B97F4A7C15);
    sim.stats.trace ^= sim.stats.trace >> 29;
}

static int refuse(int why)
{
    trace((uint64_t)why);
    sim.stats.refused++;
    errno = why;
    return -1;
}

/* Before every operation; false when it does not happen any more. */
static bool begin(char operation)
{
    if (sim.stopped) {
        errno = EIO;
        return false;
    }
    sim.stats.operations++;
    trace((uint64_t)operation);
    sim.stopped = sim.left-- <= 0;
    if (sim.stopped) errno = EIO;
    return !sim.stopped;
}

/* ---- names ---- */

static struct name *name_find(const struct name_list *list, const char *path)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].path, path) == 0) return &list->items[i];
    return NULL;
}

static void name_push(struct name_list *list, const char *path, int inode, bool with_next)
{
    list->items = realloc(list->items, (list->count + 1) * sizeof(*list->items));
    ASSERT(list->items && strlen(path) < PATH_BYTES);
    struct name *name = &list->items[list->count++];
    memset(name, 0, sizeof(*name));
    memcpy(name->path, path, strlen(path));
    name->inode = inode;
    name->with_next = with_next;
}

static void name_set(struct name_list *list, const char *path, int inode)
{
    struct name *name = name_find(list, path);
    if (inode == NO_FILE) {
        if (name) *name = list->items[--list->count];
    } else if (name) {
        name->inode = inode;
    } else {
        name_push(list, path, inode, false);
    }
}

static void name_change(const char *path, int inode, bool with_next)
{
    name_set(&sim.seen, path, inode);
    name_push(&sim.changes, path, inode, with_next);
}

static bool is_in(const char *path, const char *folder)
{
    size_t size = strlen(folder);
    return strncmp(path, folder, size) == 0 && path[size] == '/' && !strchr(path + size + 1, '/');
}

/* ---- files ---- */

static void changes_drop(struct inode *f)
{
    for (size_t i = 0; i < f->change_count; i++)
        bytes_release(&f->changes[i].bytes);
    free(f->changes);
    f->changes = NULL;
    f->change_count = 0;
}

static struct change *change_add(struct inode *f)
{
    f->changes = realloc(f->changes, (f->change_count + 1) * sizeof(*f->changes));
    ASSERT(f->changes);
    struct change *c = &f->changes[f->change_count++];
    *c = (struct change){0};
    return c;
}

static void file_put(struct inode *f, uint64_t offset, const void *data, size_t size)
{
    struct change *c = change_add(f);
    c->offset = offset;
    bytes_write(&c->bytes, 0, data, size);
    bytes_write(&f->seen, offset, data, size);
}

static void file_cut(struct inode *f, uint64_t size)
{
    *change_add(f) = (struct change){.truncates = true, .offset = size};
    bytes_resize(&f->seen, size);
}

static bool named(int inode)
{
    const struct name_list *lists[] = {&sim.seen, &sim.stable, &sim.changes};
    for (size_t l = 0; l < 3; l++)
        for (size_t i = 0; i < lists[l]->count; i++)
            if (lists[l]->items[i].inode == inode) return true;
    for (size_t i = 0; i < OPEN_MAX; i++)
        if (sim.open[i] == inode + 1) return true;
    return false;
}

static void inode_release(struct inode *f)
{
    changes_drop(f);
    bytes_release(&f->seen);
    bytes_release(&f->stable);
    f->used = false;
}

static void forget_unnamed(void)
{
    for (int i = 0; i < FILES_MAX; i++)
        if (sim.inodes[i].used && !named(i)) inode_release(&sim.inodes[i]);
}

static int inode_new(void)
{
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < FILES_MAX; i++)
            if (!sim.inodes[i].used) {
                sim.inodes[i] = (struct inode){.used = true};
                return i;
            }
        forget_unnamed();
    }
    ASSERT(!"too many simulated files");
    return NO_FILE;
}

static struct inode *inode_of(int fd)
{
    ASSERT(fd >= FIRST_FD && fd < FIRST_FD + OPEN_MAX && sim.open[fd - FIRST_FD]);
    return &sim.inodes[sim.open[fd - FIRST_FD] - 1];
}

static uint64_t bytes_used(void)
{
    uint64_t used = 0;
    for (size_t i = 0; i < sim.seen.count; i++)
        used += sim.inodes[sim.seen.items[i].inode].seen.size;
    return used;
}

/* ---- operations ---- */

static int descriptor(int inode)
{
    for (int i = 0; i < OPEN_MAX; i++)
        if (!sim.open[i]) {
            sim.open[i] = inode + 1;
            return FIRST_FD + i;
        }
    ASSERT(!"too many open files");
    return -1;
}

static int sim_open(const char *path, enum file_mode mode)
{
    if (!begin('o')) return -1;
    if (happens(sim.weather.name_fails)) return refuse(EIO);
    const struct name *name = name_find(&sim.seen, path);
    if (!name && mode != FILE_CREATE && mode != FILE_OVERWRITE) return refuse(ENOENT);
    if (name && mode == FILE_CREATE) return refuse(EEXIST);
    int inode = name ? name->inode : inode_new();
    if (!name) name_change(path, inode, false);
    if (name && mode == FILE_OVERWRITE) file_cut(&sim.inodes[inode], 0);
    return descriptor(inode);
}

static void sim_close(int fd)
{
    sim.open[fd - FIRST_FD] = 0;
}

static int sim_size(int fd, uint64_t *out)
{
    if (!begin('s')) return -1;
    *out = inode_of(fd)->seen.size;
    return 0;
}

static ssize_t sim_read(int fd, uint64_t offset, void *to, size_t size)
{
    if (!begin('r')) return -1;
    if (happens(sim.weather.read_fails)) return refuse(EIO);
    const struct bytes *seen = &inode_of(fd)->seen;
    if (offset >= seen->size) return 0;
    if (size > seen->size - offset) size = seen->size - offset;
    memcpy(to, seen->data + offset, size);
    return (ssize_t)size;
}

/* The pieces as one. */
static struct bytes gather(const struct iovec *pieces, int count)
{
    struct bytes all = {0};
    for (int i = 0; i < count; i++)
        bytes_write(&all, all.size, pieces[i].iov_base, pieces[i].iov_len);
    return all;
}

/* To another place of this file, or into another one. */
static void write_astray(struct inode *f, const struct bytes *all)
{
    if (below(2) && sim.seen.count) f = &sim.inodes[sim.seen.items[below(sim.seen.count)].inode];
    file_put(f, below(f->seen.size + 1), all->data, all->size);
    sim.stats.astray++;
    sim.lied = true;
}

static ssize_t write_all(struct inode *f, uint64_t offset, const struct bytes *all, bool alive)
{
    size_t size = all->size;
    bool fails = !alive || happens(sim.weather.write_fails);
    if (fails) size = below(size + 1);
    if (!fails && happens(sim.weather.write_short) && size > 1) size = 1 + below(size - 1);
    uint64_t end = offset + size;
    uint64_t grows = end > f->seen.size ? end - f->seen.size : 0;
    uint64_t room = UINT64_MAX;
    if (sim.weather.capacity) {
        uint64_t used = bytes_used();
        room = used < sim.weather.capacity ? sim.weather.capacity - used : 0;
    }
    if (grows > room) {
        if (grows - room >= size) return refuse(ENOSPC);
        size -= grows - room;
    }
    if (size) file_put(f, offset, all->data, size);
    if (!alive) return -1;
    return fails ? refuse(EIO) : (ssize_t)size;
}

static ssize_t sim_write(int fd, uint64_t offset, const struct iovec *pieces, int count)
{
    bool stopped = sim.stopped;
    bool alive = begin('w');
    if (stopped) return -1;
    ssize_t result;
    struct bytes all = gather(pieces, count);
    if (alive && happens(sim.weather.write_astray)) {
        write_astray(inode_of(fd), &all);
        result = (ssize_t)all.size;
    } else {
        result = write_all(inode_of(fd), offset, &all, alive);
    }
    bytes_release(&all);
    if (!alive) errno = EIO;
    return result;
}

static int sim_sync(int fd)
{
    if (!begin('y')) return -1;
    struct inode *f = inode_of(fd);
    if (happens(sim.weather.sync_lies)) {
        f->owed = true;
        sim.stats.unsynced++;
        return 0;
    }
    if (happens(sim.weather.sync_fails)) {
        changes_drop(f); /* the kernel takes them for written */
        return refuse(EIO);
    }
    for (size_t i = 0; i < f->change_count; i++) {
        const struct change *c = &f->changes[i];
        if (c->truncates)
            bytes_resize(&f->stable, c->offset);
        else
            bytes_write(&f->stable, c->offset, c->bytes.data, c->bytes.size);
    }
    changes_drop(f);
    f->owed = false;
    return 0;
}

static int sim_truncate(int fd, uint64_t size)
{
    if (!begin('t')) return -1;
    if (happens(sim.weather.write_fails)) return refuse(EIO);
    file_cut(inode_of(fd), size);
    return 0;
}

static int sim_lock(int fd)
{
    (void)fd;
    return 0;
}

static int sim_at(int fd, const char *path)
{
    if (!begin('a')) return -1;
    const struct name *name = name_find(&sim.seen, path);
    return name && &sim.inodes[name->inode] == inode_of(fd);
}

static int sim_rename(const char *from, const char *to)
{
    if (!begin('m')) return -1;
    if (happens(sim.weather.name_fails)) return refuse(EIO);
    const struct name *name = name_find(&sim.seen, from);
    if (!name) return refuse(ENOENT);
    int inode = name->inode;
    name_change(from, NO_FILE, true);
    name_change(to, inode, false);
    return 0;
}

static int sim_remove(const char *path)
{
    if (!begin('d')) return -1;
    if (happens(sim.weather.name_fails)) return refuse(EIO);
    if (!name_find(&sim.seen, path)) return refuse(ENOENT);
    name_change(path, NO_FILE, false);
    return 0;
}

static int sim_folder_make(const char *path)
{
    (void)path; /* folders are as durable as one needs them */
    if (!begin('f')) return -1;
    return happens(sim.weather.name_fails) ? refuse(EIO) : 0;
}

static int sim_folder_open(const char *path)
{
    (void)path;
    if (!begin('p')) return -1;
    return happens(sim.weather.name_fails) ? refuse(EIO) : descriptor(inode_new());
}

static int sim_folder_sync(const char *path)
{
    if (!begin('n')) return -1;
    if (happens(sim.weather.sync_lies)) {
        sim.names_owed = true;
        sim.stats.unsynced++;
        return 0;
    }
    if (happens(sim.weather.sync_fails)) return refuse(EIO);
    struct name_list rest = {0};
    for (size_t i = 0; i < sim.changes.count; i++) {
        const struct name *change = &sim.changes.items[i];
        if (is_in(change->path, path))
            name_set(&sim.stable, change->path, change->inode);
        else
            name_push(&rest, change->path, change->inode, change->with_next);
    }
    free(sim.changes.items);
    sim.changes = rest;
    return 0;
}

static int sim_folder_list(const char *path, bool (*each)(void *context, const char *name),
                           void *context)
{
    if (!begin('l')) return -1;
    if (happens(sim.weather.read_fails)) return refuse(EIO);
    for (size_t i = 0; i < sim.seen.count; i++)
        if (is_in(sim.seen.items[i].path, path) &&
            !each(context, sim.seen.items[i].path + strlen(path) + 1))
            break;
    return 0;
}

const struct disk sim_disk = {
    .open = sim_open,
    .close = sim_close,
    .size = sim_size,
    .read = sim_read,
    .write = sim_write,
    .sync = sim_sync,
    .truncate = sim_truncate,
    .lock = sim_lock,
    .at = sim_at,
    .rename = sim_rename,
    .remove = sim_remove,
    .link = NULL, /* no life keeps a snapshot under a name of its own */
    .folder_make = sim_folder_make,
    .folder_open = sim_folder_open,
    .folder_sync = sim_folder_sync,
    .folder_list = sim_folder_list,
};

/* ---- from outside ---- */

void sim_disk_format(uint64_t seed)
{
    for (int i = 0; i < FILES_MAX; i++)
        if (sim.inodes[i].used) inode_release(&sim.inodes[i]);
    free(sim.seen.items);
    free(sim.stable.items);
    free(sim.changes.items);
    memset(&sim, 0, sizeof(sim));
    sim.random.state = seed;
    sim.left = INT64_MAX;
}

void sim_disk_weather(const struct sim_weather *weather)
{
    sim.weather = *weather;
}

void sim_disk_stop_after(int64_t operations)
{
    sim.left = operations;
}

bool sim_disk_stopped(void)
{
    return sim.stopped;
}

/* What a power cut keeps of the changes that waited. */
enum luck { NOTHING, EVERYTHING, THE_FIRST, ANY, LUCKS };

static bool kept(enum luck luck, size_t i, size_t first)
{
    switch (luck) {
    case NOTHING: return false;
    case EVERYTHING: return true;
    case THE_FIRST: return i < first;
    default: return below(2) == 0;
    }
}

/* Each sector by itself reaches the disk or does not; the size may, all the same. */
static void write_torn(struct bytes *to, const struct change *c)
{
    sim.stats.torn++;
    if (below(2) && to->size < c->offset + c->bytes.size)
        bytes_resize(to, c->offset + c->bytes.size);
    for (size_t at = 0; at < c->bytes.size;) {
        size_t size = SECTOR_BYTES - (size_t)((c->offset + at) % SECTOR_BYTES);
        if (size > c->bytes.size - at) size = c->bytes.size - at;
        if (below(2)) bytes_write(to, c->offset + at, c->bytes.data + at, size);
        at += size;
    }
}

static void cut_file(struct inode *f)
{
    enum luck luck = (enum luck)below(LUCKS);
    size_t first = below(f->change_count + 1);
    for (size_t i = 0; i < f->change_count; i++) {
        const struct change *c = &f->changes[i];
        if (!kept(luck, i, first)) continue;
        if (c->truncates)
            bytes_resize(&f->stable, c->offset);
        else if (luck == ANY && below(2))
            write_torn(&f->stable, c);
        else
            bytes_write(&f->stable, c->offset, c->bytes.data, c->bytes.size);
    }
    changes_drop(f);
    sim.lied |= f->owed;
    f->owed = false;
    bytes_copy(&f->seen, &f->stable);
}

static void cut_names(void)
{
    enum luck luck = (enum luck)below(LUCKS);
    size_t first = below(sim.changes.count + 1);
    bool with_previous = false;
    bool keep = false;
    for (size_t i = 0; i < sim.changes.count; i++) {
        const struct name *change = &sim.changes.items[i];
        if (!with_previous) keep = kept(luck, i, first);
        if (keep) name_set(&sim.stable, change->path, change->inode);
        with_previous = change->with_next;
    }
    sim.lied |= sim.names_owed;
    sim.names_owed = false;
    sim.changes.count = 0;
    sim.seen.count = 0;
    for (size_t i = 0; i < sim.stable.count; i++)
        name_push(&sim.seen, sim.stable.items[i].path, sim.stable.items[i].inode, false);
}

void sim_disk_restart(bool power_cut)
{
    memset(sim.open, 0, sizeof(sim.open));
    sim.weather = (struct sim_weather){0};
    sim.left = INT64_MAX;
    sim.stopped = false;
    if (power_cut) {
        for (int i = 0; i < FILES_MAX; i++)
            if (sim.inodes[i].used) cut_file(&sim.inodes[i]);
        cut_names();
    }
    forget_unnamed();
}

void sim_disk_rot(void)
{
    if (!sim.seen.count) return;
    struct inode *f = &sim.inodes[sim.seen.items[below(sim.seen.count)].inode];
    if (!f->seen.size) return;
    uint64_t at = below(f->seen.size);
    uint8_t bit = (uint8_t)(1U << below(8));
    f->seen.data[at] ^= bit;
    if (at < f->stable.size) f->stable.data[at] ^= bit;
    sim.stats.rotted++;
    sim.lied = true;
}

bool sim_disk_lied(void)
{
    bool lied = sim.lied;
    sim.lied = false;
    return lied;
}

struct sim_disk_stats sim_disk_stats(void)
{
    return sim.stats;
}
