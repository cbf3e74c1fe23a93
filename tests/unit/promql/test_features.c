/* features: names, lists, and what they turn on. */
#include "promql/engine.h"
#include "tests/unit/suite.h"

static struct engine_options with(const char *names)
{
    struct engine_options options = engine_options_default();
    struct error err;
    ck_assert_int_eq(engine_enable_features(&options, str_from(names), &err), OK);
    return options;
}

START_TEST(each_name_turns_on_its_own)
{
    struct engine_options options = with("");
    ck_assert(!options.syntax.experimental_functions && !options.syntax.fill_modifiers);
    ck_assert(!options.syntax.extended_range_selectors && !options.delayed_name_removal);
    options = with("promql-experimental-functions");
    ck_assert(options.syntax.experimental_functions && !options.syntax.fill_modifiers);
    options = with("promql-extended-range-selectors,,promql-delayed-name-removal,");
    ck_assert(options.syntax.extended_range_selectors && options.delayed_name_removal);
    ck_assert(!options.syntax.experimental_functions);
    options = with("promql-binop-fill-modifiers");
    ck_assert(options.syntax.fill_modifiers && !options.delayed_name_removal);
}
END_TEST

START_TEST(all_turns_on_every_one)
{
    struct engine_options options = with("all");
    ck_assert(options.syntax.experimental_functions && options.syntax.fill_modifiers);
    ck_assert(options.syntax.extended_range_selectors && options.delayed_name_removal);
}
END_TEST

START_TEST(names_of_other_parts_are_accepted_and_unknown_ones_are_not)
{
    struct engine_options options = with("native-histograms,exemplar-storage,promql-at-modifier");
    struct error err;
    ck_assert(!options.syntax.experimental_functions && !options.delayed_name_removal);
    ck_assert_int_eq(engine_enable_features(&options, STR("old-ui,promql-fill"), &err),
                     ERR_INVALID);
    ck_assert_ptr_nonnull(strstr(err.text, "there is no feature \"promql-fill\""));
}
END_TEST

SUITE(features, each_name_turns_on_its_own, all_turns_on_every_one,
      names_of_other_parts_are_accepted_and_unknown_ones_are_not)
