/* log: logfmt and JSON lines, levels, quoting, cutting. */
#include "base/log.h"

#include <stdio.h>

#include "base/clock.h"
#include "tests/unit/suite.h"

static char last[LOG_LINE_BYTES + 1];
static int lines;

static void keep(const char *line)
{
    snprintf(last, sizeof(last), "%s", line);
    lines++;
}

static void begin(enum log_format format)
{
    clock_freeze(1767225600123);
    log_configure(LOG_INFO, format);
    log_tap(keep);
    last[0] = '\0';
    lines = 0;
}

static void end(void)
{
    log_tap(NULL);
    log_configure(LOG_INFO, LOG_FORMAT_LOGFMT);
    clock_thaw();
}

START_TEST(logfmt_lines)
{
    begin(LOG_FORMAT_LOGFMT);
    log_info("wal", "segment sealed", "segment=%u bytes=%zu", 7u, (size_t)1024);
    ck_assert_str_eq(last, "ts=2026-01-01T00:00:00.123Z level=info component=wal "
                           "msg=\"segment sealed\" segment=7 bytes=1024");
    log_error("server", "gone", "%s", "");
    ck_assert_str_eq(last, "ts=2026-01-01T00:00:00.123Z level=error component=server msg=\"gone\"");
    end();
}
END_TEST

START_TEST(json_lines_are_made_from_the_same_fields)
{
    begin(LOG_FORMAT_JSON);
    log_warn("wal", "a \"quoted\" text",
             "n=-12 x=1.5 zero=0 padded=007 half=1. yes=true no=false word=abc path=%s empty=",
             LOG_TEXT(STR("a b\"c\\d\n")));
    ck_assert_str_eq(last, "{\"ts\":\"2026-01-01T00:00:00.123Z\",\"level\":\"warn\","
                           "\"component\":\"wal\",\"msg\":\"a \\\"quoted\\\" text\",\"n\":-12,"
                           "\"x\":1.5,\"zero\":0,\"padded\":\"007\",\"half\":\"1.\",\"yes\":true,"
                           "\"no\":false,\"word\":\"abc\",\"path\":\"a b\\\"c\\\\d\\n\","
                           "\"empty\":\"\"}");
    end();
}
END_TEST

START_TEST(levels_below_the_least_are_not_written)
{
    begin(LOG_FORMAT_LOGFMT);
    log_debug("x", "quiet", "n=%d", 1);
    ck_assert_int_eq(lines, 0);
    ck_assert(!log_enabled(LOG_DEBUG));
    log_configure(LOG_ERROR, LOG_FORMAT_LOGFMT);
    log_warn("x", "quiet", "n=%d", 1);
    ck_assert_int_eq(lines, 0);
    log_error("x", "loud", "n=%d", 1);
    ck_assert_int_eq(lines, 1);
    end();
}
END_TEST

START_TEST(quoting_keeps_a_line_one_line)
{
    ck_assert_str_eq(LOG_TEXT(STR("")), "\"\"");
    ck_assert_str_eq(LOG_TEXT(STR("a\"b\\c\n\t\x7F")), "\"a\\\"b\\\\c\\n\\u0009\\u007f\"");
    ck_assert_str_eq(LOG_TEXT(STR("caf\xC3\xA9")), "\"caf\xC3\xA9\"");
    ck_assert_str_eq(LOG_TEXT(((struct str){"a\0b", 3})), "\"a\\u0000b\"");
}
END_TEST

START_TEST(long_texts_are_cut_inside_their_quotes)
{
    static char many[5000];
    memset(many, '\x01', sizeof(many));
    const char *quoted = LOG_TEXT(((struct str){many, sizeof(many)}));
    size_t size = strlen(quoted);
    ck_assert_uint_lt(size, LOG_TEXT_BYTES);
    ck_assert(quoted[0] == '"' && quoted[size - 1] == '"');
    ck_assert_uint_eq((size - 2) % 6, 0);
}
END_TEST

START_TEST(a_cut_character_is_left_out)
{
    static char many[5000];
    for (size_t lead = 0; lead < 3; lead++) {
        memset(many, 'x', lead);
        for (size_t i = lead; i + 3 <= sizeof(many); i += 3)
            memcpy(many + i, "\xE2\x82\xAC", 3);
        const char *quoted = LOG_TEXT(((struct str){many, sizeof(many)}));
        ck_assert_uint_eq((strlen(quoted) - 2 - lead) % 3, 0);
    }
}
END_TEST

START_TEST(long_lines_stay_well_formed)
{
    static char many[LOG_LINE_BYTES * 2];
    memset(many, 'x', sizeof(many) - 1);
    begin(LOG_FORMAT_LOGFMT);
    log_info("x", "m", "f=%s", many);
    ck_assert_uint_le(strlen(last), LOG_LINE_BYTES - 2);
    begin(LOG_FORMAT_JSON);
    log_info("x", "m", "a=1 f=%s g=2", many);
    ck_assert_uint_le(strlen(last), LOG_LINE_BYTES - 2);
    ck_assert_str_eq(last, "{\"ts\":\"2026-01-01T00:00:00.123Z\",\"level\":\"info\",\"component\":"
                           "\"x\",\"msg\":\"m\",\"a\":1}");
    end();
}
END_TEST

SUITE(log, logfmt_lines, json_lines_are_made_from_the_same_fields,
      levels_below_the_least_are_not_written, quoting_keeps_a_line_one_line,
      long_texts_are_cut_inside_their_quotes, a_cut_character_is_left_out,
      long_lines_stay_well_formed)
