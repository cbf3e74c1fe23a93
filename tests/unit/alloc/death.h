/*
 * death - does this end the process, by an ASSERT or by a sanitizer? Asked in a child, whose last
 * words are dropped. (tests/unit/aborts.h knows ASSERT alone.)
 */
#ifndef HEARTH_TESTS_UNIT_ALLOC_DEATH_H
#define HEARTH_TESTS_UNIT_ALLOC_DEATH_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

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

#endif
