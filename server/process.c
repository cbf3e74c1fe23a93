/*
 * process - small text files of the kernel, read whole into a buffer on the stack.
 *
 * man 5 proc, man 7 cgroups; Documentation/admin-guide/cgroup-v2.rst (memory.max).
 */
#include "server/process.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

enum { PROC_TEXT_BYTES = 4096, PATH_BYTES = 1024 };

/* The start of a file as text; empty when it cannot be read. The kernel gives each of them in one
 * piece: no buffer of the stream's own. */
static void read_text(const char *path, char out[PROC_TEXT_BYTES])
{
    size_t size = 0;
    FILE *file = fopen(path, "re");
    if (file) {
        (void)setvbuf(file, NULL, _IONBF, 0);
        size = fread(out, 1, PROC_TEXT_BYTES - 1, file);
        (void)fclose(file);
    }
    out[size] = '\0';
}

/* The number behind a key at the start of a line, "VmRSS:   123 kB" -> 123; 0 without it. */
static uint64_t number_after(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    return at ? strtoull(at + strlen(key), NULL, 10) : 0;
}

uint64_t process_resident_bytes(void)
{
    char text[PROC_TEXT_BYTES];
    read_text("/proc/self/statm", text);
    const char *resident = strchr(text, ' ');
    return resident ? strtoull(resident, NULL, 10) * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

uint64_t process_lazyfree_bytes(void)
{
    char text[PROC_TEXT_BYTES];
    read_text("/proc/self/smaps_rollup", text);
    return number_after(text, "LazyFree:") * 1024;
}

static uint64_t count_fds(void)
{
    uint64_t count = 0;
    struct stat info;
    if (stat("/proc/self/fd", &info) == 0 && info.st_size > 0) return (uint64_t)info.st_size;
    DIR *folder = opendir("/proc/self/fd"); /* before Linux 6.2 */
    if (!folder) return 0;
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone */
    while (readdir(folder))
        count++;
    (void)closedir(folder);
    return count > 3 ? count - 3 : 0; /* ".", ".." and the folder itself */
}

void process_stats_read(struct process_stats *out)
{
    char text[PROC_TEXT_BYTES];
    struct rlimit limit;
    *out = (struct process_stats){0};
    read_text("/proc/self/status", text);
    out->resident_bytes = number_after(text, "VmRSS:") * 1024;
    out->virtual_bytes = number_after(text, "VmSize:") * 1024;
    out->threads = number_after(text, "Threads:");
    out->cpu_seconds = (double)clock_process_cpu_ns() / 1e9;
    out->open_fds = count_fds();
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) out->max_fds = limit.rlim_cur;
    if (getrlimit(RLIMIT_AS, &limit) == 0)
        out->virtual_max_bytes = limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    if (a == 0) return b;
    if (b == 0) return a;
    return a < b ? a : b;
}

/* The limit in one cgroup file; "max" and unreadable are 0, no limit. */
static uint64_t cgroup_limit(const char *folder, const char *file)
{
    char path[PATH_BYTES];
    char text[PROC_TEXT_BYTES];
    if (snprintf(path, sizeof(path), "%s/%s", folder, file) >= (int)sizeof(path)) return 0;
    read_text(path, text);
    return strtoull(text, NULL, 10);
}

/* The least limit from a cgroup's folder up to the root of its hierarchy. */
static uint64_t cgroup_walk(const char *root, const char *group, const char *file)
{
    char folder[PATH_BYTES];
    uint64_t limit = cgroup_limit(root, file);
    int size = snprintf(folder, sizeof(folder), "%s%s", root, group);
    if (size < 0 || size >= (int)sizeof(folder)) return limit;
    while (strlen(folder) > strlen(root)) {
        limit = least(limit, cgroup_limit(folder, file));
        *strrchr(folder, '/') = '\0';
    }
    return limit;
}

uint64_t process_memory_available_bytes(void)
{
    char text[PROC_TEXT_BYTES];
    read_text("/proc/meminfo", text);
    uint64_t limit = number_after(text, "MemTotal:") * 1024;
    read_text("/proc/self/cgroup", text);
    char *rest = text;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        char *group = strchr(line, '/');
        if (!group) continue;
        if (strncmp(line, "0::", 3) == 0)
            limit = least(limit, cgroup_walk("/sys/fs/cgroup", group, "memory.max"));
        else if (strstr(line, ":memory:"))
            limit =
                least(limit, cgroup_walk("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes"));
    }
    return limit;
}

void process_raise_fd_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}
