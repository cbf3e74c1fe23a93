/*
 * aborts - whether a function ends the process by an ASSERT, tried in a child of its own.
 */
#ifndef HEARTH_TESTS_UNIT_ABORTS_H
#define HEARTH_TESTS_UNIT_ABORTS_H

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static inline bool aborts(void (*fn)(void))
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        close(STDERR_FILENO); /* what ASSERT prints is expected here */
        signal(SIGABRT, SIG_DFL);
        fn();
        _exit(EXIT_SUCCESS);
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status) &&
           WTERMSIG(status) == SIGABRT;
}

#endif
