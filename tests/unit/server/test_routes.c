/* routes: which path finds which handler, and what Allow says. */
#include "server/routes.h"

#include "server/api.h"
#include "server/traffic.h"
#include "tests/unit/suite.h"

static const struct route *find(const char *path, struct str *value)
{
    return routes_find(str_from(path), value);
}

START_TEST(literal_paths_are_found_and_nothing_near_them)
{
    struct str value;
    ck_assert(find("/api/v1/query", &value)->handle == api_query);
    ck_assert(find("/api/v1/query_range", &value)->handle == api_query_range);
    ck_assert(find("/", &value)->handle == api_root);
    ck_assert(find("/-/ready", &value)->handle == api_ready);
    static const char *const absent[] = {"",
                                         "/api",
                                         "/api/v1",
                                         "/api/v1/",
                                         "/api/v1/query/",
                                         "//api/v1/query",
                                         "/API/v1/query",
                                         "/api/v1/nothing",
                                         "/metrics/",
                                         "/-/",
                                         "api/v1/query",
                                         "/../etc/passwd"};
    for (size_t i = 0; i < ARRAY_COUNT(absent); i++)
        ck_assert_msg(!find(absent[i], &value), "found: %s", absent[i]);
}
END_TEST

START_TEST(one_segment_is_variable_and_not_empty)
{
    struct str value;
    const struct route *route = find("/api/v1/label/job/values", &value);
    ck_assert(route && route->handle == api_label_values);
    ck_assert(str_equal(value, STR("job")));
    ck_assert(find("/api/v1/label/a%2fb/values", &value) == route);
    ck_assert(str_equal(value, STR("a%2fb")));
    ck_assert_ptr_null(find("/api/v1/label//values", &value));
    ck_assert_ptr_null(find("/api/v1/label/values", &value));
    ck_assert_ptr_null(find("/api/v1/label/a/b/values", &value));
    ck_assert_ptr_null(find("/api/v1/label/job/value", &value));
    ck_assert_ptr_null(find("/api/v1/label/job/values/", &value));
}
END_TEST

START_TEST(allow_lists_the_methods)
{
    struct str value;
    char allow[ROUTES_ALLOW_BYTES];
    routes_allow(find("/api/v1/label/job/values", &value), allow);
    ck_assert_str_eq(allow, "GET, OPTIONS");
    routes_allow(find("/api/v1/query", &value), allow);
    ck_assert_str_eq(allow, "GET, POST, OPTIONS");
    routes_allow(find("/api/v1/write", &value), allow);
    ck_assert_str_eq(allow, "POST, OPTIONS");
    routes_allow(find("/-/healthy", &value), allow);
    ck_assert_str_eq(allow, "GET, HEAD");
    routes_allow(find("/-/quit", &value), allow);
    ck_assert_str_eq(allow, "POST, PUT");
}
END_TEST

START_TEST(every_route_finds_itself_and_has_a_counter)
{
    struct str value;
    ck_assert_uint_le(routes_count(), TRAFFIC_ROUTES_MAX);
    for (size_t i = 0; i < routes_count(); i++) {
        const struct route *route = routes_at(i);
        ck_assert(find(route->pattern, &value) == route);
        ck_assert_uint_eq(routes_index(route), i);
        ck_assert(route->handle != NULL);
        ck_assert_uint_ne(route->methods, 0);
    }
}
END_TEST

SUITE(routes, literal_paths_are_found_and_nothing_near_them, one_segment_is_variable_and_not_empty,
      allow_lists_the_methods, every_route_finds_itself_and_has_a_counter)
