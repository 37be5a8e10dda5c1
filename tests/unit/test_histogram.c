/* base/histogram: into which range a value falls. */
#include "cases.h"

#include "base/histogram.h"
#include "base/must.h"

static const double bounds[] = {0.5, 1, 10};

static void a_value_falls_into_one_range(void **state UNUSED)
{
  static const struct {
    double value;
    uint64_t up_to[COUNT_OF(bounds) + 1];
  } table[] = {
      {0, {1, 1, 1, 1}},    {-3, {1, 1, 1, 1}}, {0.5, {1, 1, 1, 1}},  {0.50001, {0, 1, 1, 1}}, {1, {0, 1, 1, 1}},
      {9.99, {0, 0, 1, 1}}, {10, {0, 0, 1, 1}}, {10.5, {0, 0, 0, 1}}, {1e12, {0, 0, 0, 1}},
  };
  for (size_t i = 0; i < COUNT_OF(table); i++) {
    struct histogram histogram = {.bounds = bounds, .bound_count = COUNT_OF(bounds)};
    histogram_add(&histogram, table[i].value);
    for (size_t bound = 0; bound <= COUNT_OF(bounds); bound++)
      assert_int_equal(histogram_up_to(&histogram, bound), table[i].up_to[bound]);
  }
}

static void values_add_up(void **state UNUSED)
{
  static const double values[] = {0.25, 0.5, 2, 100, -1};
  static const uint64_t up_to[] = {3, 3, 4, 5};
  struct histogram histogram = {.bounds = bounds, .bound_count = COUNT_OF(bounds)};
  for (size_t bound = 0; bound <= COUNT_OF(bounds); bound++)
    assert_int_equal(histogram_up_to(&histogram, bound), 0);
  for (size_t i = 0; i < COUNT_OF(values); i++)
    histogram_add(&histogram, values[i]);
  for (size_t bound = 0; bound <= COUNT_OF(bounds); bound++)
    assert_int_equal(histogram_up_to(&histogram, bound), up_to[bound]);
  assert_true(histogram.sum > 102.749 && histogram.sum < 102.751);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_value_falls_into_one_range), cmocka_unit_test(values_add_up)};
  return cases_run(argc, argv, tests, NULL, NULL);
}
