/* base/metrics: samples and their descriptions, as Prometheus reads them. */
#include "cases.h"

#include "base/metrics.h"

#include <string.h>

static const struct metric plain = {"plain_total", METRIC_COUNTER, "What is counted.", {NULL}};
static const struct metric of_one = {"of_one", METRIC_GAUGE, "By one label.", {"name"}};
static const struct metric of_two = {"of_two_total", METRIC_COUNTER, "By two.", {"ruleset", "rule"}};
static const struct metric of_three = {"of_three", METRIC_GAUGE, "By three.", {"a", "b", "c"}};
static const struct metric seconds = {"seconds", METRIC_HISTOGRAM, "How long.", {NULL}};

static void add_all(struct metrics *metrics)
{
  static const double bounds[] = {0.5, 10};
  struct histogram histogram = {.bounds = bounds, .bound_count = COUNT_OF(bounds)};
  histogram_add(&histogram, 0.25);
  histogram_add(&histogram, 20);
  METRICS_ADD(metrics, &of_one, 1, "first");
  metrics_add(metrics, &plain, 3, NULL);
  METRICS_ADD(metrics, &of_one, 0.5, "odd \"n\\am\ne\"");
  metrics_declare(metrics, &of_two);
  METRICS_ADD(metrics, &of_three, 3599.5, "x", "", "z");
  metrics_add_histogram(metrics, &seconds, &histogram);
}

/* Each family stands in one place, whatever the order in which samples were added. */
static void families_stand_together(void **state UNUSED)
{
  static const char expected[] = "# HELP presenced_of_one By one label.\n"
                                 "# TYPE presenced_of_one gauge\n"
                                 "presenced_of_one{name=\"first\"} 1\n"
                                 "presenced_of_one{name=\"odd \\\"n\\\\am\\ne\\\"\"} 0.5\n"
                                 "# HELP presenced_plain_total What is counted.\n"
                                 "# TYPE presenced_plain_total counter\n"
                                 "presenced_plain_total 3\n"
                                 "# HELP presenced_of_two_total By two.\n"
                                 "# TYPE presenced_of_two_total counter\n"
                                 "# HELP presenced_of_three By three.\n"
                                 "# TYPE presenced_of_three gauge\n"
                                 "presenced_of_three{a=\"x\",b=\"\",c=\"z\"} 3599.5\n"
                                 "# HELP presenced_seconds How long.\n"
                                 "# TYPE presenced_seconds histogram\n"
                                 "presenced_seconds_bucket{le=\"0.5\"} 1\n"
                                 "presenced_seconds_bucket{le=\"10\"} 1\n"
                                 "presenced_seconds_bucket{le=\"+Inf\"} 2\n"
                                 "presenced_seconds_sum 20.25\n"
                                 "presenced_seconds_count 2\n";
  struct metrics metrics;
  struct buf text;
  metrics_init(&metrics, 4096);
  buf_init(&text, 4096);
  add_all(&metrics);
  metrics_write(&metrics, &text);
  assert_string_equal(buf_text(&text), expected);
  buf_release(&text);
  metrics_release(&metrics);
}

static void nothing_is_nothing(void **state UNUSED)
{
  struct metrics metrics;
  struct buf text;
  metrics_init(&metrics, 64);
  buf_init(&text, 64);
  metrics_write(&metrics, &text);
  assert_string_equal(buf_text(&text), "");
  metrics_release(&metrics);
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {cmocka_unit_test(families_stand_together), cmocka_unit_test(nothing_is_nothing)};
  return cases_run(argc, argv, tests, NULL, NULL);
}
