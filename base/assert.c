/* assert - the abort path; relies on nothing but write(2), because the heap may be what broke. */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void assert_failed(const char *file, int line, const char *function, const char *what)
{
    char text[512];
    int length =
        snprintf(text, sizeof(text), "hearth: bug: %s:%d: %s: %s\n", file, line, function, what);

    if (length > 0) {
        size_t bytes = (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1;
        ssize_t ignored = write(STDERR_FILENO, text, bytes);
        (void)ignored;
    }
    abort();
}
