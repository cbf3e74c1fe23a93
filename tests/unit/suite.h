/*
 * suite - a Check program in one line: SUITE(chunk, first_test, second_test).
 *
 * Prints Check's own summary; CK_FORK=no runs the tests in this process (ThreadSanitizer,
 * debuggers).
 *
 * A test gives back all memory that it takes from the heap: what is left when it ends is reported
 * by place, and the test has failed. (The tests of base know no heap.)
 */
#ifndef HEARTH_TESTS_UNIT_SUITE_H
#define HEARTH_TESTS_UNIT_SUITE_H

#include <check.h>
#include <stdlib.h>

#ifdef SUITE_FINDS_LEAKS
#    include "alloc/leaks.h"

static uint64_t suite_objects_before;

static void suite_before_test(void)
{
    suite_objects_before = leaks_objects();
}

static void suite_after_test(void)
{
    if (leaks_objects() <= suite_objects_before) return;
    leaks_report(HEAP_TAG_COUNT);
    ck_abort_msg("memory is left");
}
#else
static void suite_before_test(void)
{
}

static void suite_after_test(void)
{
}
#endif

/* ck_assert for inner loops: it costs a comparison when it holds, where Check's own tells its
 * parent process about every one. */
#define EXPECT(condition)          EXPECT_MSG(condition, "%s", #condition)
#define EXPECT_MSG(condition, ...) ((condition) ? (void)0 : ck_abort_msg(__VA_ARGS__))

enum { SUITE_TIMEOUT_S = 100 };

/* What is repeated or long is done so many times less where a sanitizer makes all of it as much
 * slower; how threads meet does not depend on it. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
enum { SUITE_FEWER = 4 };
#else
enum { SUITE_FEWER = 1 };
#endif

/* Each test so many times, with _i from 0. */
#define SUITE_TIMES(name, times, ...)                                                              \
    int main(void)                                                                                 \
    {                                                                                              \
        const TTest *tests[] = {__VA_ARGS__};                                                      \
        Suite *suite = suite_create(#name);                                                        \
        TCase *tcase = tcase_create(#name);                                                        \
        tcase_set_timeout(tcase, SUITE_TIMEOUT_S);                                                 \
        tcase_add_checked_fixture(tcase, suite_before_test, suite_after_test);                     \
        for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)                              \
            tcase_add_loop_test(tcase, tests[i], 0, times);                                        \
        suite_add_tcase(suite, tcase);                                                             \
        SRunner *runner = srunner_create(suite);                                                   \
        srunner_run_all(runner, CK_ENV);                                                           \
        int failed = srunner_ntests_failed(runner);                                                \
        srunner_free(runner);                                                                      \
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;                                          \
    }

#define SUITE(name, ...) SUITE_TIMES(name, 1, __VA_ARGS__)

#endif
