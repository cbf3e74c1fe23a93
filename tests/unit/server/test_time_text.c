/* time_text: RFC 3339 before and after 1970. */
#include "server/time_text.h"

#include <string.h>

#include "tests/unit/suite.h"

static void expect_text(int64_t t_ms, const char *text)
{
    char out[TIME_TEXT_BYTES];
    ck_assert_uint_eq(time_text_format(out, t_ms), strlen(text));
    ck_assert_str_eq(out, text);
}

START_TEST(times_have_three_decimals)
{
    expect_text(0, "1970-01-01T00:00:00.000Z");
    expect_text(1435781451781, "2015-07-01T20:10:51.781Z");
    expect_text(-1, "1969-12-31T23:59:59.999Z");
    expect_text(4102444800000, "2100-01-01T00:00:00.000Z");
}
END_TEST

SUITE(time_text, times_have_three_decimals)
