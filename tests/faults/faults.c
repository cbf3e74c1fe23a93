/*
 * faults - a layer under a program (LD_PRELOAD) that makes operations on files fail, come late, or
 * be the last one, counts them, and writes down what was really synced.
 *
 *     LD_PRELOAD=libfaults.so FAULTS_UNDER=/data FAULTS="op=fdatasync err=EIO after=3 count=1" prog
 *
 * Only what happens to files and folders whose path begins with FAULTS_UNDER is looked at. In the
 * environment, all optional:
 *
 *     FAULTS          rules, separated by ';' or new lines
 *     FAULTS_FILE     a file of rules, read again whenever it changes (replace it by rename); its
 *                     rules take the place of all before, and their counting begins anew
 *     FAULTS_SEED     for p and flip; 1 unless told
 *     FAULTS_LOG      the log, see below
 *     FAULTS_COUNTS   a file of 2 x 64-bit counters for each operation, in the order of op_names:
 *                     how often it was asked for, and how often a rule changed its outcome. It is
 *                     shared memory: right at any time, also after a kill
 *
 * A rule is words; all conditions have to hold, and the first rule that fires decides:
 *
 *     op=NAME         see op_names; "write" are all forms of it, "sync" fsync and fdatasync,
 *                     "change" all that changes a disk (create, write, sync, truncate, rename,
 *                     link, unlink, mkdir), "any" everything that has to do with files. "memory"
 *                     (anonymous mmap), "accept" and "thread" (pthread_create) are only meant by
 *                     their names
 *     path=TEXT       the path contains it
 *     after=N         not the first N times that op and path agree
 *     count=N         at most N times
 *     p=0.01          each time with this probability
 *
 * what then happens, any of these together:
 *
 *     delay=MS        it waits first
 *     hold=1          it waits first, until there are other rules
 *     err=EIO         it is refused; err=0: it says yes, and nothing is done
 *     short=N         a write or read does N bytes at most; with kill: N bytes, then the end
 *     flip=1          one bit of what was read is turned
 *     kill=before     SIGKILL to ourselves instead of the operation; kill=after: behind it
 *
 * The log has two lines for each operation of "change", so that the order of lines is the order of
 * things (one write each, appended):
 *
 *     N begin OP NANOSECONDS OFFSET SIZE PATH [\t PATH]      N: the number of the operation
 *     N end RESULT NANOSECONDS                               or -errno
 *
 * write: where and how much; sync: size of the file before it, 0 for folders; truncate, also by
 * open: the new size. So a change is on stable storage when a sync of its file (of its folder, for
 * names) began behind its end and ended with 0. Behind that stands "not done" when a rule took the
 * operation's place; one that killed has no end.
 *
 * Not seen: what libc does inside itself (stdio, opendir's open) and descriptors made by dup.
 *
 * Threads: any.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/compiler.h"

#define EXPORT __attribute__((visibility("default")))

enum op {
    OP_OPEN, /* an existing file */
    OP_CREATE,
    OP_READ,
    OP_WRITE,
    OP_FSYNC,
    OP_FDATASYNC,
    OP_TRUNCATE,
    OP_RENAME,
    OP_UNLINK,
    OP_MKDIR,
    OP_STAT,
    OP_LOCK,
    OP_LIST,
    OP_MMAP,
    OP_LINK,
    OP_MEMORY,
    OP_ACCEPT,
    OP_THREAD,
    OP_COUNT
};

static const char *const op_names[OP_COUNT] = {
    "open",  "create", "read", "write", "fsync", "fdatasync", "truncate", "rename", "unlink",
    "mkdir", "stat",   "lock", "list",  "mmap",  "link",      "memory",   "accept", "thread"};

#define BIT(op) (UINT32_C(1) << (op))
enum { BITS_SYNC = 1 << OP_FSYNC | 1 << OP_FDATASYNC };
enum {
    BITS_CHANGE = 1 << OP_CREATE | 1 << OP_WRITE | BITS_SYNC | 1 << OP_TRUNCATE | 1 << OP_RENAME |
                  1 << OP_UNLINK | 1 << OP_MKDIR | 1 << OP_LINK
};
enum { BITS_ANY = (1 << OP_MEMORY) - 1 };

enum kill { KILL_NOT, KILL_BEFORE, KILL_AFTER };

struct rule {
    uint32_t ops;
    char path[128]; /* empty: any */
    uint64_t after, count, seen, fired;
    double p;
    long delay_ms;
    int error; /* -1: none */
    size_t length_max;
    bool flip, hold;
    enum kill kill;
};

enum {
    PIECES_MAX = 256,
    RULES_MAX = 64,
    FD_MAX = 65536,
    PATH_BYTES = 1024,
    LINE_BYTES = 2 * PATH_BYTES + 128
};

static struct {
    pthread_mutex_t lock;
    struct rule rules[RULES_MAX];
    size_t rule_count;
    uint64_t rules_age; /* how often there were others */
    uint64_t random;
    struct stat file; /* FAULTS_FILE as it was read */
    bool file_read;
    const char *under, *file_path;
    size_t under_size;
    int log_fd;
    _Atomic uint64_t *counts;
    char *paths[FD_MAX]; /* of descriptors that are ours to watch */
    _Atomic uint64_t number;
} g = {.lock = PTHREAD_MUTEX_INITIALIZER, .log_fd = -1};

/* ---- rules ---- */

static void complain(const char *what)
{
    dprintf(STDERR_FILENO, "faults: not understood: %s\n", what);
    _exit(99);
}

static int error_number(const char *name)
{
    static const int known[] = {EIO,    ENOSPC, EROFS,  EDQUOT, ENODEV, EACCES, EPERM,  EINTR,
                                EAGAIN, EMFILE, ENFILE, ENOMEM, ENOENT, EINVAL, ESTALE, ETIMEDOUT};
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(name, strerrorname_np(known[i])) == 0) return known[i];
    char *end;
    long n = strtol(name, &end, 10);
    if (*end || end == name || n < 0) complain(name);
    return (int)n;
}

static uint32_t op_bits(const char *name)
{
    if (strcmp(name, "any") == 0) return BITS_ANY;
    if (strcmp(name, "change") == 0) return BITS_CHANGE;
    if (strcmp(name, "sync") == 0) return BITS_SYNC;
    for (int op = 0; op < OP_COUNT; op++)
        if (strcmp(name, op_names[op]) == 0) return BIT(op);
    complain(name);
    return 0;
}

static void rule_word(struct rule *r, char *word)
{
    char *value = strchr(word, '=');
    if (!value) complain(word);
    *value++ = '\0';
    if (strcmp(word, "op") == 0)
        r->ops = op_bits(value);
    else if (strcmp(word, "path") == 0)
        (void)snprintf(r->path, sizeof(r->path), "%s", value);
    else if (strcmp(word, "after") == 0)
        r->after = strtoull(value, NULL, 10);
    else if (strcmp(word, "count") == 0)
        r->count = strtoull(value, NULL, 10);
    else if (strcmp(word, "p") == 0)
        r->p = strtod(value, NULL);
    else if (strcmp(word, "delay") == 0)
        r->delay_ms = strtol(value, NULL, 10);
    else if (strcmp(word, "err") == 0)
        r->error = error_number(value);
    else if (strcmp(word, "short") == 0)
        r->length_max = strtoull(value, NULL, 10);
    else if (strcmp(word, "flip") == 0)
        r->flip = strcmp(value, "0") != 0;
    else if (strcmp(word, "hold") == 0)
        r->hold = strcmp(value, "0") != 0;
    else if (strcmp(word, "kill") == 0)
        r->kill = strcmp(value, "after") == 0 ? KILL_AFTER : KILL_BEFORE;
    else
        complain(word);
}

/* Takes the place of all rules before; the text is used up. */
static void rules_set(char *text)
{
    char *next_rule;
    g.rule_count = 0;
    g.rules_age++;
    for (char *line = strtok_r(text, ";\n", &next_rule); line;
         line = strtok_r(NULL, ";\n", &next_rule)) {
        struct rule r = {.count = UINT64_MAX, .p = 1, .error = -1, .length_max = SIZE_MAX};
        char *next_word;
        for (char *word = strtok_r(line, " \t", &next_word); word;
             word = strtok_r(NULL, " \t", &next_word))
            rule_word(&r, word);
        if (!r.ops) continue;
        if (g.rule_count == RULES_MAX) complain("more than 64 rules");
        g.rules[g.rule_count++] = r;
    }
}

/* Lock held. */
static void rules_read_again(void)
{
    static char text[1 << 16];
    struct stat st;
    if (!g.file_path || syscall(SYS_newfstatat, AT_FDCWD, g.file_path, &st, 0) != 0) return;
    if (g.file_read && st.st_ino == g.file.st_ino && st.st_size == g.file.st_size &&
        st.st_mtim.tv_sec == g.file.st_mtim.tv_sec && st.st_mtim.tv_nsec == g.file.st_mtim.tv_nsec)
        return;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, g.file_path, O_RDONLY | O_CLOEXEC, 0);
    if (fd < 0) return;
    long got = syscall(SYS_read, fd, text, sizeof(text) - 1);
    syscall(SYS_close, fd);
    if (got < 0) return;
    text[got] = '\0';
    g.file = st;
    g.file_read = true;
    rules_set(text);
}

static double random_unit(void)
{
    g.random ^= g.random << 13;
    g.random ^= g.random >> 7;
    g.random ^= g.random << 17;
    return (double)(g.random >> 11) / (double)(UINT64_C(1) << 53);
}

/* ---- start ---- */

__attribute__((constructor)) static void start(void)
{
    const char *rules = getenv("FAULTS");
    const char *seed = getenv("FAULTS_SEED");
    const char *log = getenv("FAULTS_LOG");
    const char *counts = getenv("FAULTS_COUNTS");
    g.under = getenv("FAULTS_UNDER");
    g.under_size = g.under ? strlen(g.under) : 0;
    g.file_path = getenv("FAULTS_FILE");
    g.random = (seed ? strtoull(seed, NULL, 10) : 1) * UINT64_C(0x9e3779b97f4a7c15) | 1;
    if (rules) {
        char *copy = strdup(rules);
        rules_set(copy);
        free(copy);
    }
    if (log)
        g.log_fd = (int)syscall(SYS_openat, AT_FDCWD, log,
                                O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (!counts) return;
    size_t size = 2 * sizeof(uint64_t) * OP_COUNT;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, counts, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0 || syscall(SYS_ftruncate, fd, size) != 0) complain(counts);
    long at = syscall(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (at != -1) g.counts = (void *)at;
}

/* ---- one operation ---- */

struct call {
    enum op op;
    uint64_t number; /* in the log; 0: not written */
    size_t length_max;
    int error; /* -1: do it */
    bool flip;
    enum kill kill;
};

static bool is_ours(const char *path)
{
    return g.under && path && strncmp(path, g.under, g.under_size) == 0;
}

static char *path_of(int fd)
{
    return fd >= 0 && fd < FD_MAX ? g.paths[fd] : NULL;
}

static void remember(int fd, const char *path)
{
    if (fd >= 0 && fd < FD_MAX && is_ours(path)) g.paths[fd] = strdup(path);
}

PRINTF_LIKE(1, 2) static void log_line(const char *format, ...)
{
    char line[LINE_BYTES];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (size > 0) (void)!syscall(SYS_write, g.log_fd, line, size);
}

static int64_t now_ns(void)
{
    struct timespec t;
    syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void wait_ms(long ms)
{
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (syscall(SYS_nanosleep, &t, &t) != 0 && errno == EINTR) {
    }
}

static void end_of_us(void)
{
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;)
        pause();
}

/* Lock held: the rule that fires, or NULL. */
static struct rule *decide(enum op op, const char *path)
{
    for (size_t i = 0; i < g.rule_count; i++) {
        struct rule *r = &g.rules[i];
        if (!(r->ops & BIT(op)) || (r->path[0] && (!path || !strstr(path, r->path)))) continue;
        if (r->seen++ < r->after || r->fired >= r->count) continue;
        if (r->p < 1 && random_unit() >= r->p) continue;
        r->fired++;
        return r;
    }
    return NULL;
}

static void wait_for_other_rules(uint64_t age)
{
    for (bool same = true; same; wait_ms(1)) {
        pthread_mutex_lock(&g.lock);
        rules_read_again();
        same = g.rules_age == age;
        pthread_mutex_unlock(&g.lock);
    }
}

/* path: NULL for what is no file. */
static struct call begin(enum op op, const char *path, const char *to, int64_t offset,
                         uint64_t size)
{
    struct call c = {.op = op, .length_max = SIZE_MAX, .error = -1};
    long delay_ms = 0;
    bool hold = false;
    pthread_mutex_lock(&g.lock);
    rules_read_again();
    uint64_t age = g.rules_age;
    const struct rule *r = decide(op, path);
    if (r) {
        c.length_max = r->length_max;
        c.error = r->error;
        c.flip = r->flip;
        c.kill = r->kill;
        delay_ms = r->delay_ms;
        hold = r->hold;
    }
    pthread_mutex_unlock(&g.lock);
    if (g.counts) {
        atomic_fetch_add(&g.counts[2 * op], 1);
        if (r) atomic_fetch_add(&g.counts[2 * op + 1], 1);
    }
    if (g.log_fd >= 0 && (BITS_CHANGE & BIT(op))) {
        c.number = atomic_fetch_add(&g.number, 1) + 1;
        log_line("%" PRIu64 " begin %s %" PRId64 " %" PRId64 " %" PRIu64 " %s%s%s\n", c.number,
                 op_names[op], now_ns(), offset, size, path, to ? "\t" : "", to ? to : "");
    }
    if (delay_ms > 0) wait_ms(delay_ms);
    if (hold) wait_for_other_rules(age);
    if (c.kill == KILL_BEFORE && c.length_max == SIZE_MAX) end_of_us();
    return c;
}

/* What the caller is told: result, or for a refusal -1 with errno. done: the operation was. */
static long end(const struct call *c, long result, bool done)
{
    int saved = errno;
    if (c->number)
        log_line("%" PRIu64 " end %ld %" PRId64 "%s\n", c->number,
                 result < 0 ? -(long)saved : result, now_ns(), done ? "" : " not done");
    if (c->kill != KILL_NOT) end_of_us();
    errno = saved;
    return result;
}

static long instead(const struct call *c, long success)
{
    errno = c->error;
    return end(c, c->error ? -1 : success, false);
}

/* ---- names ---- */

#define ALIAS(of) EXPORT __attribute__((alias(#of), copy(of)))

static int open_any(int folder, const char *path, int flags, mode_t mode)
{
    if (!is_ours(path)) return (int)syscall(SYS_openat, folder, path, flags, mode);
    bool there = syscall(SYS_faccessat, folder, path, F_OK) == 0;
    enum op op = there               ? (flags & O_TRUNC) ? OP_TRUNCATE : OP_OPEN
                 : (flags & O_CREAT) ? OP_CREATE
                                     : OP_OPEN;
    struct call c = begin(op, path, NULL, 0, 0);
    if (c.error >= 0) return (int)instead(&c, -1);
    int fd = (int)syscall(SYS_openat, folder, path, flags, mode);
    remember(fd, path);
    return (int)end(&c, fd, true);
}

static mode_t mode_of(int flags, va_list args)
{
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

EXPORT int open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_of(flags, args);
    va_end(args);
    return open_any(AT_FDCWD, path, flags, mode);
}

EXPORT int openat(int folder, const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = mode_of(flags, args);
    va_end(args);
    return open_any(folder, path, flags, mode);
}

int __open_2(const char *path, int flags);
EXPORT int __open_2(const char *path, int flags)
{
    return open_any(AT_FDCWD, path, flags, 0);
}

ALIAS(open) int open64(const char *path, int flags, ...);
ALIAS(openat) int openat64(int folder, const char *path, int flags, ...);
ALIAS(__open_2) int __open64_2(const char *path, int flags);

EXPORT int close(int fd)
{
    if (path_of(fd)) {
        free(g.paths[fd]);
        g.paths[fd] = NULL;
    }
    return (int)syscall(SYS_close, fd);
}

EXPORT int rename(const char *from, const char *to)
{
    if (!is_ours(from) && !is_ours(to)) return (int)syscall(SYS_rename, from, to);
    struct call c = begin(OP_RENAME, from, to, 0, 0);
    if (c.error >= 0) return (int)instead(&c, 0);
    return (int)end(&c, syscall(SYS_rename, from, to), true);
}

static int unlink_any(int folder, const char *path, int flags)
{
    if (!is_ours(path)) return (int)syscall(SYS_unlinkat, folder, path, flags);
    struct call c = begin(OP_UNLINK, path, NULL, 0, 0);
    if (c.error >= 0) return (int)instead(&c, 0);
    return (int)end(&c, syscall(SYS_unlinkat, folder, path, flags), true);
}

EXPORT int unlink(const char *path)
{
    return unlink_any(AT_FDCWD, path, 0);
}

EXPORT int unlinkat(int folder, const char *path, int flags)
{
    return unlink_any(folder, path, flags);
}

EXPORT int rmdir(const char *path)
{
    return unlink_any(AT_FDCWD, path, AT_REMOVEDIR);
}

EXPORT int link(const char *from, const char *to)
{
    if (!is_ours(to)) return (int)syscall(SYS_link, from, to);
    struct call c = begin(OP_LINK, from, to, 0, 0);
    if (c.error >= 0) return (int)instead(&c, 0);
    return (int)end(&c, syscall(SYS_link, from, to), true);
}

EXPORT int mkdir(const char *path, mode_t mode)
{
    if (!is_ours(path)) return (int)syscall(SYS_mkdir, path, mode);
    struct call c = begin(OP_MKDIR, path, NULL, 0, 0);
    if (c.error >= 0) return (int)instead(&c, 0);
    return (int)end(&c, syscall(SYS_mkdir, path, mode), true);
}

EXPORT DIR *opendir(const char *path)
{
    static DIR *(*next)(const char *path);
    if (!next) *(void **)&next = dlsym(RTLD_NEXT, "opendir");
    if (!is_ours(path)) return next(path);
    struct call c = begin(OP_LIST, path, NULL, 0, 0);
    if (c.error > 0) {
        (void)instead(&c, -1);
        return NULL;
    }
    DIR *folder = next(path);
    (void)end(&c, folder ? 0 : -1, true);
    return folder;
}

/* ---- descriptors ---- */

/* The first `max` bytes of the pieces, of at most PIECES_MAX of them. */
static int shorten(struct iovec *out, const struct iovec *pieces, int count, size_t max)
{
    int n = 0;
    for (; n < count && n < PIECES_MAX && max > 0; n++) {
        out[n] = pieces[n];
        if (out[n].iov_len > max) out[n].iov_len = max;
        max -= out[n].iov_len;
    }
    return n;
}

static size_t whole_size(const struct iovec *pieces, int count)
{
    size_t size = 0;
    for (int i = 0; i < count; i++)
        size += pieces[i].iov_len;
    return size;
}

/* offset -1: at the descriptor's own. */
static ssize_t transfer(long number, int fd, const struct iovec *pieces, int count, off_t offset)
{
    return syscall(number, fd, pieces, count, offset, (long)0, 0);
}

static void turn_a_bit(const struct iovec *pieces, int count, ssize_t got)
{
    size_t at = (size_t)(random_unit() * (double)got);
    for (int i = 0; i < count; i++) {
        if (at < pieces[i].iov_len) {
            ((uint8_t *)pieces[i].iov_base)[at] ^= (uint8_t)(1 << (int)(random_unit() * 8));
            return;
        }
        at -= pieces[i].iov_len;
    }
}

static ssize_t read_any(int fd, const struct iovec *pieces, int count, off_t offset)
{
    const char *path = path_of(fd);
    if (!path) return transfer(SYS_preadv2, fd, pieces, count, offset);
    struct iovec some[PIECES_MAX];
    struct call c = begin(OP_READ, path, NULL, offset, whole_size(pieces, count));
    if (c.error >= 0) return instead(&c, 0);
    int n = shorten(some, pieces, count, c.length_max);
    ssize_t got = transfer(SYS_preadv2, fd, some, n, offset);
    if (c.flip && got > 0) turn_a_bit(some, n, got);
    return end(&c, got, true);
}

static ssize_t write_any(int fd, const struct iovec *pieces, int count, off_t offset)
{
    const char *path = path_of(fd);
    if (!path) return transfer(SYS_pwritev2, fd, pieces, count, offset);
    struct iovec some[PIECES_MAX];
    off_t at = offset >= 0 ? offset : syscall(SYS_lseek, fd, 0, SEEK_CUR);
    size_t size = whole_size(pieces, count);
    struct call c = begin(OP_WRITE, path, NULL, at, size);
    if (c.error >= 0) return instead(&c, (long)size);
    int n = shorten(some, pieces, count, c.length_max);
    return end(&c, transfer(SYS_pwritev2, fd, some, n, offset), true);
}

EXPORT ssize_t read(int fd, void *to, size_t size)
{
    const struct iovec piece = {.iov_base = to, .iov_len = size};
    return path_of(fd) ? read_any(fd, &piece, 1, -1) : syscall(SYS_read, fd, to, size);
}

EXPORT ssize_t pread(int fd, void *to, size_t size, off_t offset)
{
    const struct iovec piece = {.iov_base = to, .iov_len = size};
    return path_of(fd) ? read_any(fd, &piece, 1, offset)
                       : syscall(SYS_pread64, fd, to, size, offset);
}

EXPORT ssize_t preadv(int fd, const struct iovec *pieces, int count, off_t offset)
{
    return path_of(fd) ? read_any(fd, pieces, count, offset)
                       : syscall(SYS_preadv, fd, pieces, count, offset, (long)0);
}

EXPORT ssize_t write(int fd, const void *from, size_t size)
{
    const struct iovec piece = {.iov_base = (void *)(uintptr_t)from, .iov_len = size};
    return path_of(fd) ? write_any(fd, &piece, 1, -1) : syscall(SYS_write, fd, from, size);
}

EXPORT ssize_t pwrite(int fd, const void *from, size_t size, off_t offset)
{
    const struct iovec piece = {.iov_base = (void *)(uintptr_t)from, .iov_len = size};
    return path_of(fd) ? write_any(fd, &piece, 1, offset)
                       : syscall(SYS_pwrite64, fd, from, size, offset);
}

EXPORT ssize_t writev(int fd, const struct iovec *pieces, int count)
{
    return path_of(fd) ? write_any(fd, pieces, count, -1) : syscall(SYS_writev, fd, pieces, count);
}

EXPORT ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t offset)
{
    return path_of(fd) ? write_any(fd, pieces, count, offset)
                       : syscall(SYS_pwritev, fd, pieces, count, offset, (long)0);
}

ALIAS(pread) ssize_t pread64(int fd, void *to, size_t size, off64_t offset);
ALIAS(preadv) ssize_t preadv64(int fd, const struct iovec *pieces, int count, off64_t offset);
ALIAS(pwrite) ssize_t pwrite64(int fd, const void *from, size_t size, off64_t offset);
ALIAS(pwritev) ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off64_t offset);

ssize_t __read_chk(int fd, void *to, size_t size, size_t room);
EXPORT ssize_t __read_chk(int fd, void *to, size_t size, size_t room)
{
    if (size > room) abort();
    return read(fd, to, size);
}

ssize_t __pread_chk(int fd, void *to, size_t size, off_t offset, size_t room);
EXPORT ssize_t __pread_chk(int fd, void *to, size_t size, off_t offset, size_t room)
{
    if (size > room) abort();
    return pread(fd, to, size, offset);
}

/* Taken before the sync: what comes meanwhile may not be in it. */
static uint64_t size_of(int fd)
{
    struct stat st;
    if (syscall(SYS_fstat, fd, &st) != 0 || !S_ISREG(st.st_mode)) return 0;
    return (uint64_t)st.st_size;
}

static int sync_any(int fd, enum op op, long number)
{
    const char *path = path_of(fd);
    if (!path) return (int)syscall(number, fd);
    struct call c = begin(op, path, NULL, 0, size_of(fd));
    if (c.error >= 0) return (int)instead(&c, 0);
    return (int)end(&c, syscall(number, fd), true);
}

EXPORT int fsync(int fd)
{
    return sync_any(fd, OP_FSYNC, SYS_fsync);
}

EXPORT int fdatasync(int fd)
{
    return sync_any(fd, OP_FDATASYNC, SYS_fdatasync);
}

EXPORT int ftruncate(int fd, off_t size)
{
    const char *path = path_of(fd);
    if (!path) return (int)syscall(SYS_ftruncate, fd, size);
    struct call c = begin(OP_TRUNCATE, path, NULL, 0, (uint64_t)size);
    if (c.error >= 0) return (int)instead(&c, 0);
    return (int)end(&c, syscall(SYS_ftruncate, fd, size), true);
}
ALIAS(ftruncate) int ftruncate64(int fd, off64_t size);

EXPORT int fstat(int fd, struct stat *out)
{
    const char *path = path_of(fd);
    if (!path) return (int)syscall(SYS_fstat, fd, out);
    struct call c = begin(OP_STAT, path, NULL, 0, 0);
    if (c.error >= 0) return (int)instead(&c, 0);
    return (int)end(&c, syscall(SYS_fstat, fd, out), true);
}

EXPORT int fstat64(int fd, struct stat64 *out)
{
    return fstat(fd, (struct stat *)out); /* the same on 64-bit systems */
}

EXPORT int flock(int fd, int operation)
{
    const char *path = path_of(fd);
    if (!path) return (int)syscall(SYS_flock, fd, operation);
    struct call c = begin(OP_LOCK, path, NULL, 0, 0);
    if (c.error >= 0) return (int)instead(&c, 0);
    return (int)end(&c, syscall(SYS_flock, fd, operation), true);
}

/* ---- what is no file ---- */

EXPORT void *mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    const char *path = flags & MAP_ANONYMOUS ? NULL : path_of(fd);
    /* libc's and the sanitizers' own come before us. */
    bool watched = path || ((flags & MAP_ANONYMOUS) && (g.rule_count || g.file_path || g.counts));
    if (watched) {
        struct call c = begin(path ? OP_MMAP : OP_MEMORY, path, NULL, offset, size);
        if (c.error > 0) {
            (void)instead(&c, -1);
            return MAP_FAILED;
        }
        if (c.kill != KILL_NOT) end_of_us();
    }
    return (void *)syscall(SYS_mmap, at, size, protection, flags, fd, offset);
}
ALIAS(mmap) void *mmap64(void *at, size_t size, int protection, int flags, int fd, off64_t offset);

EXPORT int accept4(int fd, __SOCKADDR_ARG address, socklen_t *restrict size, int flags)
{
    struct call c = begin(OP_ACCEPT, NULL, NULL, 0, 0);
    if (c.error > 0) return (int)instead(&c, -1);
    return (int)end(&c, syscall(SYS_accept4, fd, address.__sockaddr__, size, flags), true);
}

EXPORT int accept(int fd, __SOCKADDR_ARG address, socklen_t *restrict size)
{
    return accept4(fd, address, size, 0);
}

EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*run)(void *arg), void *arg)
{
    static int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (!next) *(void **)&next = dlsym(RTLD_NEXT, "pthread_create");
    struct call c = begin(OP_THREAD, NULL, NULL, 0, 0);
    if (c.error > 0) return c.error;
    return next(thread, attributes, run, arg);
}
