/*
 * suite - a Check program in one line: SUITE(chunk, first_test, second_test).
 *
 * Prints Check's own summary; CK_FORK=no runs the tests in this process (ThreadSanitizer,
 * debuggers).
 */
#ifndef HEARTH_TESTS_UNIT_SUITE_H
#define HEARTH_TESTS_UNIT_SUITE_H

#include <check.h>
#include <stdlib.h>

enum { SUITE_TIMEOUT_S = 100 };

#define SUITE(name, ...)                                                                           \
    int main(void)                                                                                 \
    {                                                                                              \
        const TTest *tests[] = {__VA_ARGS__};                                                      \
        Suite *suite = suite_create(#name);                                                        \
        TCase *tcase = tcase_create(#name);                                                        \
        tcase_set_timeout(tcase, SUITE_TIMEOUT_S);                                                 \
        for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)                              \
            tcase_add_test(tcase, tests[i]);                                                       \
        suite_add_tcase(suite, tcase);                                                             \
        SRunner *runner = srunner_create(suite);                                                   \
        srunner_run_all(runner, CK_ENV);                                                           \
        int failed = srunner_ntests_failed(runner);                                                \
        srunner_free(runner);                                                                      \
        return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;                                          \
    }

#endif
