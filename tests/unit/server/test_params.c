/* params: where parameters come from, and the words for wrong ones. */
#include "server/params.h"

#include "tests/unit/suite.h"

static struct request req;
static struct form form;
static struct error err;

static void setup(enum http_method method, const char *query, const char *content_type,
                  const char *body)
{
    req = (struct request){.method = method,
                           .query = str_from(query),
                           .content_type = str_from(content_type),
                           .body = str_from(body)};
    arena_init(&req.mem, HEAP_HTTP, 1 << 20);
}

static void teardown(void)
{
    arena_release(&req.mem);
}

static void expect_value(const char *name, const char *value)
{
    struct str found = form_get(&form, str_from(name));
    ck_assert_msg(str_equal(found, str_from(value)), "%s is \"%.*s\", not \"%s\"", name,
                  STR_ARG(found), value);
}

START_TEST(the_body_wins_over_the_url)
{
    setup(HTTP_POST, "query=url&step=1", "application/x-www-form-urlencoded; charset=utf-8",
          "query=body&time=2");
    ck_assert_int_eq(params_read(&req, &form, &err), OK);
    expect_value("query", "body");
    expect_value("step", "1");
    expect_value("time", "2");
    teardown();
}
END_TEST

START_TEST(a_json_body_leaves_the_url)
{
    setup(HTTP_POST, "query=url", "application/json", "{\"query\":\"body\"}");
    ck_assert_int_eq(params_read(&req, &form, &err), OK);
    expect_value("query", "url");
    teardown();
}
END_TEST

START_TEST(a_put_has_a_form_too)
{
    setup(HTTP_PUT, "", "application/x-www-form-urlencoded", "skip_head=true");
    ck_assert_int_eq(params_read(&req, &form, &err), OK);
    expect_value("skip_head", "true");
    teardown();
}
END_TEST

START_TEST(a_form_in_parts_is_refused_and_not_overlooked)
{
    setup(HTTP_POST, "", "multipart/form-data; boundary=x",
          "--x\r\nContent-Disposition: form-data; name=\"match[]\"\r\n\r\nup\r\n--x--\r\n");
    ck_assert_int_eq(params_read(&req, &form, &err), ERR_INVALID);
    ck_assert_str_eq(err.text, "error parsing form values: multipart/form-data is not read, send "
                               "application/x-www-form-urlencoded");
    teardown();
}
END_TEST

START_TEST(a_get_has_no_body)
{
    setup(HTTP_GET, "query=a%2Bb", "application/x-www-form-urlencoded", "query=body");
    ck_assert_int_eq(params_read(&req, &form, &err), OK);
    expect_value("query", "a+b");
    teardown();
}
END_TEST

START_TEST(bad_escapes_are_refused)
{
    setup(HTTP_GET, "query=%zz", "", "");
    ck_assert_int_eq(params_read(&req, &form, &err), ERR_INVALID);
    teardown();
}
END_TEST

START_TEST(times_fall_back_or_name_themselves)
{
    int64_t t_ms;
    setup(HTTP_GET, "start=1.5&end=abc", "", "");
    ck_assert_int_eq(params_read(&req, &form, &err), OK);
    ck_assert_int_eq(params_time(&form, "start", 7, &t_ms, &err), OK);
    ck_assert_int_eq(t_ms, 1500);
    ck_assert_int_eq(params_time(&form, "time", 7, &t_ms, &err), OK);
    ck_assert_int_eq(t_ms, 7);
    ck_assert_int_eq(params_time(&form, "end", 7, &t_ms, &err), ERR_INVALID);
    ck_assert_str_eq(
        err.text,
        "invalid parameter \"end\": invalid time value for 'end': cannot parse \"abc\" to a "
        "valid timestamp");
    ck_assert_int_eq(params_required_time(&form, "time", &t_ms, &err), ERR_INVALID);
    teardown();
}
END_TEST

START_TEST(counts_are_whole_and_not_negative)
{
    uint64_t count;
    setup(HTTP_GET, "a=12&b=-1&c=abc&d=9223372036854775808&e=-0&f=1.5", "", "");
    ck_assert_int_eq(params_read(&req, &form, &err), OK);
    ck_assert_int_eq(params_count(&form, "a", 0, &count, &err), OK);
    ck_assert_uint_eq(count, 12);
    ck_assert_int_eq(params_count(&form, "none", 10, &count, &err), OK);
    ck_assert_uint_eq(count, 10);
    ck_assert_int_eq(params_count(&form, "b", 0, &count, &err), ERR_INVALID);
    ck_assert_str_eq(err.text, "invalid parameter \"b\": b must be non-negative");
    ck_assert_int_eq(params_count(&form, "c", 0, &count, &err), ERR_INVALID);
    ck_assert_int_eq(params_count(&form, "d", 0, &count, &err), ERR_INVALID);
    ck_assert_int_eq(params_count(&form, "e", 0, &count, &err), OK);
    ck_assert_int_eq(params_count(&form, "f", 0, &count, &err), ERR_INVALID);
    ck_assert_str_eq(err.text,
                     "invalid parameter \"f\": strconv.Atoi: parsing \"1.5\": invalid syntax");
    teardown();
    setup(HTTP_GET, "a=%2b12&b=-9223372036854775808&c=-9223372036854775809&d=%2b", "", "");
    ck_assert_int_eq(params_read(&req, &form, &err), OK);
    ck_assert_int_eq(params_count(&form, "a", 0, &count, &err), OK);
    ck_assert_uint_eq(count, 12);
    ck_assert_int_eq(params_count(&form, "b", 0, &count, &err), ERR_INVALID);
    ck_assert_str_eq(err.text, "invalid parameter \"b\": b must be non-negative");
    ck_assert_int_eq(params_count(&form, "c", 0, &count, &err), ERR_INVALID);
    ck_assert_str_eq(err.text, "invalid parameter \"c\": strconv.Atoi: parsing "
                               "\"-9223372036854775809\": value out of range");
    ck_assert_int_eq(params_count(&form, "d", 0, &count, &err), ERR_INVALID);
    teardown();
}
END_TEST

START_TEST(selectors_are_parsed_and_named_when_wrong)
{
    struct params_selectors selectors;
    setup(HTTP_GET, "match[]=up&match[]={job=~\"a.*\"}", "", "");
    ck_assert_int_eq(params_read(&req, &form, &err), OK);
    ck_assert_int_eq(params_selectors(&form, &req.mem, &selectors, &err), OK);
    ck_assert_uint_eq(selectors.count, 2);
    params_release_selectors(&selectors);
    teardown();
    setup(HTTP_GET, "match[]={job=~\"a.*\"}&match[]={}", "", "");
    ck_assert_int_eq(params_read(&req, &form, &err), OK);
    ck_assert_int_eq(params_selectors(&form, &req.mem, &selectors, &err), ERR_INVALID);
    ck_assert(str_starts_with(str_from(err.text), STR("invalid parameter \"match[]\": ")));
    params_release_selectors(&selectors);
    teardown();
}
END_TEST

SUITE(params, the_body_wins_over_the_url, a_json_body_leaves_the_url, a_put_has_a_form_too,
      a_form_in_parts_is_refused_and_not_overlooked, a_get_has_no_body, bad_escapes_are_refused,
      times_fall_back_or_name_themselves, counts_are_whole_and_not_negative,
      selectors_are_parsed_and_named_when_wrong)
