/* time_text - strftime and three digits. */
#include "server/time_text.h"

#include <stdio.h>
#include <time.h>

#include "base/bits.h"

size_t time_text_format(char out[TIME_TEXT_BYTES], int64_t t_ms)
{
    int64_t seconds = bits_floor_div(t_ms, 1000);
    time_t whole = (time_t)seconds;
    struct tm utc;
    if (!gmtime_r(&whole, &utc)) utc = (struct tm){.tm_mday = 1, .tm_year = 70};
    size_t size = strftime(out, TIME_TEXT_BYTES - 8, "%Y-%m-%dT%H:%M:%S", &utc);
    return size + (size_t)snprintf(out + size, TIME_TEXT_BYTES - size, ".%03dZ",
                                   (int)(t_ms - seconds * 1000));
}
