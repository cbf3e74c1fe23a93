/* links: server */
/*
 * fuzz_explain - any bytes as the answer to hearth explain: nothing is printed, or a table that is
 * no longer than they give reason for, without control characters but the ends of its lines.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "server/explain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SAID_MAX = 4096, SAID_PER_BYTE = 512 };

static bool is_printed(char c)
{
    return c == '\n' || (unsigned char)c >= ' ';
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *said = NULL;
    size_t said_bytes = 0;
    FILE *out = open_memstream(&said, &said_bytes);
    ASSERT(out);
    bool done = explain_print((struct str){.data = (const char *)data, .size = size}, out);
    ASSERT(fclose(out) == 0);
    ASSERT(done == (said_bytes > 0) && said_bytes <= SAID_MAX + size * SAID_PER_BYTE);
    for (size_t i = 0; i < said_bytes; i++)
        ASSERT(is_printed(said[i]));
    free(said);
    return 0;
}
