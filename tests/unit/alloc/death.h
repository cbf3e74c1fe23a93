/*
 * death - does this end the process, by an ASSERT or by a sanitizer? Asked in a child.
 * (tests/unit/aborts.h knows ASSERT alone.)
 */
#ifndef HEARTH_TESTS_UNIT_ALLOC_DEATH_H
#define HEARTH_TESTS_UNIT_ALLOC_DEATH_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* As dies_saying; what it says does not matter. */
static inline bool dies(void (*fn)(void))
{
    pid_t child = fork();
    if (child == 0) {
        close(STDERR_FILENO);
        fn();
        _exit(0);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) return false;
    return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Does fn end the process, and are these among its last words? */
static inline bool dies_saying(void (*fn)(void), const char *words)
{
    char said[16384];
    size_t size = 0;
    int ends[2];
    if (pipe(ends)) return false;
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        fn();
        _exit(0);
    }
    close(ends[1]);
    ssize_t got;
    while (size < sizeof(said) - 1 &&
           (got = read(ends[0], said + size, sizeof(said) - 1 - size)) > 0)
        size += (size_t)got;
    close(ends[0]);
    said[size] = '\0';
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) return false;
    bool died = !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    if (died && strstr(said, words)) return true;
    printf("%s, saying: %s\n", died ? "it died" : "it lived", said);
    return false;
}

#endif
