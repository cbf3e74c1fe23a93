/* assert: what holds is silent, what does not ends the process with place and condition. */
#include "base/assert.h"

#include <stdio.h>
#include <string.h>

#include "tests/unit/aborts.h"
#include "tests/unit/suite.h"

static int two = 2;

static void break_it(void)
{
    ASSERT(two == 3);
}

static void break_it_in_debug(void)
{
    DEBUG_ASSERT(two == 3);
}

static void get_there(void)
{
    UNREACHABLE();
}

START_TEST(true_conditions_are_silent)
{
    ASSERT(two == 2);
    DEBUG_ASSERT(two == 2);
}
END_TEST

START_TEST(false_conditions_end_the_process)
{
    ck_assert(aborts(break_it));
    ck_assert(aborts(get_there));
    ck_assert_int_eq(aborts(break_it_in_debug), HEARTH_DEBUG);
}
END_TEST

START_TEST(the_message_names_place_and_condition)
{
    int ends[2];
    char text[512];
    int status;
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        break_it();
    }
    close(ends[1]);
    ssize_t size = read(ends[0], text, sizeof(text) - 1);
    ck_assert_int_gt(size, 0);
    text[size] = '\0';
    close(ends[0]);
    waitpid(child, &status, 0);
    ck_assert_ptr_nonnull(strstr(text, "test_assert.c:"));
    ck_assert_ptr_nonnull(strstr(text, "break_it: "));
    ck_assert_ptr_nonnull(strstr(text, "two == 3"));
}
END_TEST

SUITE(assert, true_conditions_are_silent, false_conditions_end_the_process,
      the_message_names_place_and_condition)
