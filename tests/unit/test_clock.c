/* base/clock: instants and durations as text. Every row is a promise of base/clock.h. */
#include "cases.h"

#include "base/clock.h"
#include "base/must.h"

#include <stdio.h>
#include <string.h>

#define UNTOUCHED INT64_C(-4711)

static void rfc3339_is_read(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    int64_t ms;
  } rows[] = {
      {"1970-01-01T00:00:00Z", 0},
      {"1969-12-31T23:59:59.999Z", -1},
      {"2026-01-05T12:00:00Z", INT64_C(1767614400000)},
      {"2026-01-05t12:00:00z", INT64_C(1767614400000)},
      {"2026-01-05 12:00:00Z", INT64_C(1767614400000)},
      {"2026-01-05T13:00:00+01:00", INT64_C(1767614400000)},
      {"2026-01-05T06:30:00-05:30", INT64_C(1767614400000)},
      {"2026-01-06T11:59:00+23:59", INT64_C(1767614400000)},
      {"2026-01-05T12:00:00-00:00", INT64_C(1767614400000)},
      {"2026-01-05T12:00:00.5Z", INT64_C(1767614400500)},
      {"2026-01-05T12:00:00.05Z", INT64_C(1767614400050)},
      {"2026-01-05T12:00:00.1239999Z", INT64_C(1767614400123)},
      {"2000-02-29T00:00:00Z", INT64_C(951782400000)}, /* divisible by 400: a leap year */
      {"2024-02-29T23:59:59Z", INT64_C(1709251199000)},
      {"2016-12-31T23:59:60Z", INT64_C(1483228799000)}, /* leap second: the second before */
      {"0001-01-01T00:00:00Z", INT64_C(-62135596800000)},
      {"9999-12-31T23:59:59Z", INT64_C(253402300799000)},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    int64_t ms = UNTOUCHED;
    if (!clock_parse_rfc3339(rows[i].text, &ms) || ms != rows[i].ms)
      fail_msg("%s: got %lld", rows[i].text, (long long)ms);
  }
}

static void what_is_no_rfc3339_is_refused(void **state)
{
  (void)state;
  static const char *const rows[] = {
      "",
      "now",
      "2026",
      "2026-01-05",
      "2026-01-05T12:00Z",
      "2026-01-05T12:00:00",
      "2026-01-05T12:00:00.Z",
      "2026-01-05T12:00:00+0100",
      "2026-01-05T12:00:00+01",
      "2026-01-05T12:00:00+24:00",
      "2026-01-05T12:00:00+01:60",
      "2026-1-05T12:00:00Z",
      "26-01-05T12:00:00Z",
      "2026-00-05T12:00:00Z",
      "2026-13-05T12:00:00Z",
      "2026-01-00T12:00:00Z",
      "2026-01-32T12:00:00Z",
      "2026-04-31T12:00:00Z",
      "2025-02-29T12:00:00Z",
      "1900-02-29T12:00:00Z",
      "2026-02-30T12:00:00Z",
      "2026-01-05T24:00:00Z",
      "2026-01-05T12:60:00Z",
      "2026-01-05T12:00:61Z",
      "2026-01-05T12:00:00Z ",
      " 2026-01-05T12:00:00Z",
      "2026-01-05T12:00:00ZZ",
      "2026-01-05X12:00:00Z",
      "2026/01/05T12:00:00Z",
      "-2026-01-05T12:00:00Z",
      "2026-01-05T12:00:00,5Z",
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    int64_t ms = UNTOUCHED;
    if (clock_parse_rfc3339(rows[i], &ms) || ms != UNTOUCHED)
      fail_msg("\"%s\" was taken, or touched the result", rows[i]);
  }
}

static void instants_are_written(void **state)
{
  (void)state;
  static const struct {
    int64_t ms;
    const char *rfc3339, *graph;
  } rows[] = {
      {0, "1970-01-01T00:00:00.000Z", "1970-01-01T00:00:00"},
      {-1, "1969-12-31T23:59:59.999Z", "1969-12-31T23:59:59"},
      {INT64_C(1767614400123), "2026-01-05T12:00:00.123Z", "2026-01-05T12:00:00"},
      {INT64_C(1709251199999), "2024-02-29T23:59:59.999Z", "2024-02-29T23:59:59"},
      {CLOCK_NEVER, "292278994-08-17T07:12:55.807Z", "292278994-08-17T07:12:55"},
  };
  char text[CLOCK_TEXT_SIZE];
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    assert_string_equal(clock_rfc3339(rows[i].ms, text), rows[i].rfc3339);
    assert_string_equal(clock_graph_datetime(rows[i].ms, text), rows[i].graph);
  }
}

static void every_hour_of_four_years_comes_back(void **state)
{
  (void)state;
  char text[CLOCK_TEXT_SIZE];
  int64_t begin, ms;
  assert_true(clock_parse_rfc3339("2023-06-01T00:00:00Z", &begin));
  for (int64_t t = begin; t < begin + 4 * 366 * CLOCK_DAY; t += CLOCK_HOUR - 1) {
    assert_true(clock_parse_rfc3339(clock_rfc3339(t, text), &ms));
    assert_true(ms == t);
  }
}

static void http_dates_of_all_three_forms_are_read(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    int64_t ms;
  } rows[] = {
      {"Sun, 06 Nov 1994 08:49:37 GMT", INT64_C(784111777000)},
      {"Sunday, 06-Nov-94 08:49:37 GMT", INT64_C(784111777000)},
      {"Sun Nov  6 08:49:37 1994", INT64_C(784111777000)},
      {"Mon, 05 Jan 2026 12:00:00 GMT", INT64_C(1767614400000)},
      {"Monday, 05-Jan-26 12:00:00 GMT", INT64_C(1767614400000)},
      {"Mon Jan  5 12:00:00 2026", INT64_C(1767614400000)},
      {"Thu, 29 Feb 2024 23:59:60 GMT", INT64_C(1709251199000)},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    int64_t ms = UNTOUCHED;
    if (!clock_parse_http_date(rows[i].text, &ms) || ms != rows[i].ms)
      fail_msg("%s: got %lld", rows[i].text, (long long)ms);
  }
}

static void what_is_no_http_date_is_refused(void **state)
{
  (void)state;
  static const char *const rows[] = {
      "",
      "10",
      "soon",
      "Sun, 06 Nov 1994 08:49:37",
      "Sun, 06 Nov 1994 08:49:37 CET",
      "Sun, 06 Nov 1994 08:49:37 GMT!",
      "Sun, 31 Nov 1994 08:49:37 GMT",
      "Sun, 06 Nov 1994 25:00:00 GMT",
      "Wed, 29 Feb 2023 08:49:37 GMT",
      "2026-01-05T12:00:00Z",
      "Nov 6 1994",
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    int64_t ms = UNTOUCHED;
    if (clock_parse_http_date(rows[i], &ms) || ms != UNTOUCHED)
      fail_msg("\"%s\" was taken, or touched the result", rows[i]);
  }
}

static void durations_are_read(void **state)
{
  (void)state;
  static const struct {
    const char *text;
    int64_t ms;
  } rows[] = {
      {"0s", 0},
      {"1s", CLOCK_SECOND},
      {"90s", 90 * CLOCK_SECOND},
      {"45m", 45 * CLOCK_MINUTE},
      {"45M", 45 * CLOCK_MINUTE},
      {"4h", 4 * CLOCK_HOUR},
      {"1h30m", 90 * CLOCK_MINUTE},
      {"1d", CLOCK_DAY},
      {"30d", 30 * CLOCK_DAY},
      {"1d2h3m4s", CLOCK_DAY + 2 * CLOCK_HOUR + 3 * CLOCK_MINUTE + 4 * CLOCK_SECOND},
      {"1d4s", CLOCK_DAY + 4 * CLOCK_SECOND},
      {"PT45M", 45 * CLOCK_MINUTE},
      {"PT5M", 5 * CLOCK_MINUTE},
      {"PT4H", 4 * CLOCK_HOUR},
      {"P1D", CLOCK_DAY},
      {"P1DT12H", 36 * CLOCK_HOUR},
      {"PT1H30M15S", 90 * CLOCK_MINUTE + 15 * CLOCK_SECOND},
      {"pt45m", 45 * CLOCK_MINUTE},
      {"PT0S", 0},
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    int64_t ms = UNTOUCHED;
    if (!clock_parse_duration(rows[i].text, &ms) || ms != rows[i].ms)
      fail_msg("%s: got %lld", rows[i].text, (long long)ms);
  }
}

static void what_is_no_duration_is_refused(void **state)
{
  (void)state;
  static const char *const rows[] = {
      "",      "45",   "m",   "h1",     "-5m",   "+5m", "1.5h", "5 m",   " 5m",          "5m ",
      "30m1h", "1h1h", "5x",  "5ms",    "1w",    "P",   "PT",   "P1DT",  "P1H",          "P45M",
      "PT1D",  "P1Y",  "P1W", "PT1M1H", "PT-5M", "PT5", "T5M",  "1hT5M", "99999999999h", "forever",
  };
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    int64_t ms = UNTOUCHED;
    if (clock_parse_duration(rows[i], &ms) || ms != UNTOUCHED)
      fail_msg("\"%s\" was taken as %lld, or touched the result", rows[i], (long long)ms);
  }
}

static void durations_are_written(void **state)
{
  (void)state;
  static const struct {
    int64_t ms;
    const char *iso, *people;
  } rows[] = {
      {-5, "PT0S", "0s"},
      {0, "PT0S", "0s"},
      {1, "PT1S", "0s"},
      {999, "PT1S", "1s"},
      {1000, "PT1S", "1s"},
      {12 * CLOCK_SECOND, "PT12S", "12s"},
      {5 * CLOCK_MINUTE, "PT5M", "5m"},
      {5 * CLOCK_MINUTE + 1, "PT5M1S", "5m"},
      {450 * CLOCK_SECOND, "PT7M30S", "7m 30s"},
      {CLOCK_HOUR, "PT1H", "1h"},
      {65 * CLOCK_MINUTE, "PT1H5M", "1h 5m"},
      {4 * CLOCK_HOUR, "PT4H", "4h"},
      {CLOCK_DAY, "PT24H", "1d"},
      {7 * CLOCK_DAY, "PT168H", "7d"},
      {26 * CLOCK_HOUR, "PT26H", "1d 2h"},
  };
  char text[CLOCK_TEXT_SIZE];
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    assert_string_equal(clock_iso_duration(rows[i].ms, text), rows[i].iso);
    assert_string_equal(clock_short_duration(rows[i].ms, text), rows[i].people);
  }
  /* The longest texts fit, and nothing overflows on the way. */
  assert_true(strlen(clock_iso_duration(CLOCK_NEVER, text)) < CLOCK_TEXT_SIZE);
  assert_true(strlen(clock_short_duration(CLOCK_NEVER, text)) < CLOCK_TEXT_SIZE);
}

static void durations_are_written_as_rules_have_them(void **state)
{
  (void)state;
  static const struct {
    int64_t ms;
    const char *text;
  } rows[] = {{0, "0s"},          {999, "0s"},       {90000, "1m30s"}, {2700000, "45m"},
              {5400000, "1h30m"}, {3601000, "1h1s"}, {86400000, "1d"}, {604799000, "6d23h59m59s"}};
  char text[CLOCK_TEXT_SIZE];
  for (size_t i = 0; i < COUNT_OF(rows); i++) {
    int64_t ms;
    assert_string_equal(clock_rule_duration(rows[i].ms, text), rows[i].text);
    assert_true(clock_parse_duration(text, &ms) && ms == rows[i].ms - rows[i].ms % 1000);
  }
  assert_true(strlen(clock_rule_duration(CLOCK_NEVER, text)) < CLOCK_TEXT_SIZE);
}

static void the_processor_works(void **state)
{
  (void)state;
  int64_t before = clock_cpu_ms();
  while (clock_cpu_ms() < before + 5)
    ;
  assert_true(before >= 0);
}

static void the_clock_goes(void **state)
{
  (void)state;
  int64_t earlier, now = clock_now_ms();
  assert_true(clock_parse_rfc3339("2024-01-01T00:00:00Z", &earlier));
  assert_true(now > earlier && now <= clock_now_ms());
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(rfc3339_is_read),
      cmocka_unit_test(durations_are_written_as_rules_have_them),
      cmocka_unit_test(the_processor_works),
      cmocka_unit_test(what_is_no_rfc3339_is_refused),
      cmocka_unit_test(instants_are_written),
      cmocka_unit_test(every_hour_of_four_years_comes_back),
      cmocka_unit_test(http_dates_of_all_three_forms_are_read),
      cmocka_unit_test(what_is_no_http_date_is_refused),
      cmocka_unit_test(durations_are_read),
      cmocka_unit_test(what_is_no_duration_is_refused),
      cmocka_unit_test(durations_are_written),
      cmocka_unit_test(the_clock_goes),
  };
  return cases_run(argc, argv, tests, NULL, NULL);
}
