/* Zones: offsets, local fields and the moments at which clocks on walls show something. The expectations were computed
 * with another implementation (Python's zoneinfo), minute by minute where clocks jump. */
#include "cases.h"

#include "base/clock.h"
#include "base/str.h"
#include "base/zone.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static int64_t instant(const char *text)
{
  int64_t ms;
  assert_true(clock_parse_rfc3339(text, &ms));
  return ms;
}

static struct zone *load(const char *name)
{
  struct err err = ERR_INIT;
  struct zone *zone = zone_load(name, &err);
  if (zone == NULL)
    fail_msg("%s", err.text);
  return zone;
}

struct moment {
  const char *zone, *at;
  int offset_s;
  const char *local;
};

static const struct moment moments[] = {
    {"Europe/Amsterdam", "2026-03-29T00:59:59Z", 3600, "Sun 2026-03-29 01:59:59"},
    {"Europe/Amsterdam", "2026-03-29T01:00:00Z", 7200, "Sun 2026-03-29 03:00:00"},
    {"Europe/Amsterdam", "2026-10-25T00:59:59Z", 7200, "Sun 2026-10-25 02:59:59"},
    {"Europe/Amsterdam", "2026-10-25T01:00:00Z", 3600, "Sun 2026-10-25 02:00:00"},
    {"Europe/Amsterdam", "2099-07-01T12:00:00Z", 7200, "Wed 2099-07-01 14:00:00"},
    {"Europe/Amsterdam", "2400-01-01T00:00:00Z", 3600, "Sat 2400-01-01 01:00:00"},
    {"Europe/Amsterdam", "1970-01-01T00:00:00Z", 3600, "Thu 1970-01-01 01:00:00"},
    {"Europe/Amsterdam", "2024-02-29T23:30:00Z", 3600, "Fri 2024-03-01 00:30:00"},
    {"America/New_York", "2026-03-08T06:59:59Z", -18000, "Sun 2026-03-08 01:59:59"},
    {"America/New_York", "2026-03-08T07:00:00Z", -14400, "Sun 2026-03-08 03:00:00"},
    {"America/New_York", "2026-11-01T05:59:59Z", -14400, "Sun 2026-11-01 01:59:59"},
    {"America/New_York", "2026-11-01T06:00:00Z", -18000, "Sun 2026-11-01 01:00:00"},
    {"America/New_York", "2150-07-04T00:00:00Z", -14400, "Fri 2150-07-03 20:00:00"},
    {"Australia/Lord_Howe", "2026-04-04T14:59:59Z", 39600, "Sun 2026-04-05 01:59:59"},
    {"Australia/Lord_Howe", "2026-04-04T15:00:00Z", 37800, "Sun 2026-04-05 01:30:00"},
    {"Australia/Lord_Howe", "2026-10-03T15:29:59Z", 37800, "Sun 2026-10-04 01:59:59"},
    {"Australia/Lord_Howe", "2026-10-03T15:30:00Z", 39600, "Sun 2026-10-04 02:30:00"},
    {"Australia/Lord_Howe", "2060-01-01T00:00:00Z", 39600, "Thu 2060-01-01 11:00:00"},
    {"Asia/Kathmandu", "2026-01-01T00:00:00Z", 20700, "Thu 2026-01-01 05:45:00"},
    {"Asia/Kathmandu", "1985-12-31T18:29:59Z", 19800, "Tue 1985-12-31 23:59:59"},
    {"Asia/Kathmandu", "1985-12-31T18:30:00Z", 20700, "Wed 1986-01-01 00:15:00"},
    {"Pacific/Apia", "2011-12-30T09:59:59Z", -36000, "Thu 2011-12-29 23:59:59"},
    {"Pacific/Apia", "2011-12-30T10:00:00Z", 50400, "Sat 2011-12-31 00:00:00"},
    {"Pacific/Apia", "2026-01-01T00:00:00Z", 46800, "Thu 2026-01-01 13:00:00"},
    {"Europe/Dublin", "2026-03-29T00:59:59Z", 0, "Sun 2026-03-29 00:59:59"},
    {"Europe/Dublin", "2026-03-29T01:00:00Z", 3600, "Sun 2026-03-29 02:00:00"},
    {"Europe/Dublin", "2080-12-31T23:59:59Z", 0, "Tue 2080-12-31 23:59:59"},
    {"America/Santiago", "2026-01-01T02:59:59Z", -10800, "Wed 2025-12-31 23:59:59"},
    {"America/Santiago", "2026-04-05T02:59:59Z", -10800, "Sat 2026-04-04 23:59:59"},
    {"America/Santiago", "2026-04-05T03:00:00Z", -14400, "Sat 2026-04-04 23:00:00"},
    {"America/Santiago", "2045-07-01T00:00:00Z", -14400, "Fri 2045-06-30 20:00:00"},
    {"Pacific/Chatham", "2026-09-26T13:59:59Z", 45900, "Sun 2026-09-27 02:44:59"},
    {"Pacific/Chatham", "2026-09-26T14:00:00Z", 49500, "Sun 2026-09-27 03:45:00"},
    {"Pacific/Chatham", "2077-12-31T12:00:00Z", 49500, "Sat 2078-01-01 01:45:00"},
    {"UTC", "2026-06-01T00:00:00Z", 0, "Mon 2026-06-01 00:00:00"},
    {"UTC", "2999-12-31T23:59:59Z", 0, "Tue 2999-12-31 23:59:59"},
    {"Asia/Tokyo", "2026-06-01T15:00:00Z", 32400, "Tue 2026-06-02 00:00:00"},
    {"America/St_Johns", "2026-03-08T05:29:59Z", -12600, "Sun 2026-03-08 01:59:59"},
    {"America/St_Johns", "2026-03-08T05:30:00Z", -9000, "Sun 2026-03-08 03:00:00"},
    {"America/St_Johns", "2090-06-01T02:30:00Z", -9000, "Thu 2090-06-01 00:00:00"},
};

static void tells_local_time(void **state UNUSED)
{
  for (size_t i = 0; i < COUNT_OF(moments); i++) {
    struct zone *zone = load(moments[i].zone);
    int64_t at_ms = instant(moments[i].at);
    struct zone_local local = zone_local_at(zone, at_ms);
    char text[80];
    snprintf(
        text, sizeof text, "%s %04d-%02d-%02d %02d:%02d:%02d", zone_weekday_str(local.weekday), local.year, local.month,
        local.day_of_month, local.hour, local.minute, local.second);
    assert_string_equal(text, moments[i].local);
    assert_int_equal(zone_offset_s(zone, at_ms), moments[i].offset_s);
    assert_int_equal(zone_offset_s(zone, at_ms + 999), moments[i].offset_s);
    zone_free(zone);
  }
}

struct reached {
  const char *zone, *day;
  int minute;
  const char *at;
};

static const struct reached reaches[] = {
    {"Europe/Amsterdam", "2026-01-05", 480, "2026-01-05T07:00:00Z"},
    {"Europe/Amsterdam", "2026-07-06", 1080, "2026-07-06T16:00:00Z"},
    {"Europe/Amsterdam", "2026-03-29", 150, "2026-03-29T01:00:00Z"},
    {"Europe/Amsterdam", "2026-03-29", 120, "2026-03-29T01:00:00Z"},
    {"Europe/Amsterdam", "2026-03-29", 180, "2026-03-29T01:00:00Z"},
    {"Europe/Amsterdam", "2026-10-25", 150, "2026-10-25T00:30:00Z"},
    {"Europe/Amsterdam", "2026-10-25", 120, "2026-10-25T00:00:00Z"},
    {"Europe/Amsterdam", "2026-10-25", 180, "2026-10-25T02:00:00Z"},
    {"Europe/Amsterdam", "2026-10-25", 1440, "2026-10-25T23:00:00Z"},
    {"Europe/Amsterdam", "2099-07-01", 0, "2099-06-30T22:00:00Z"},
    {"America/New_York", "2026-03-08", 150, "2026-03-08T07:00:00Z"},
    {"America/New_York", "2026-11-01", 90, "2026-11-01T05:30:00Z"},
    {"Australia/Lord_Howe", "2026-04-05", 105, "2026-04-04T14:45:00Z"},
    {"Australia/Lord_Howe", "2026-10-04", 135, "2026-10-03T15:30:00Z"},
    {"Pacific/Apia", "2011-12-30", 600, "2011-12-30T10:00:00Z"},
    {"Pacific/Apia", "2011-12-31", 0, "2011-12-30T10:00:00Z"},
    {"America/Santiago", "2026-09-06", 0, "2026-09-06T04:00:00Z"},
    {"America/Santiago", "2026-04-05", 0, "2026-04-05T04:00:00Z"},
    {"Pacific/Chatham", "2060-09-26", 1439, "2060-09-26T10:14:00Z"},
    {"Asia/Kathmandu", "2026-01-01", 0, "2025-12-31T18:15:00Z"},
};

static void finds_when_a_clock_shows(void **state UNUSED)
{
  for (size_t i = 0; i < COUNT_OF(reaches); i++) {
    struct zone *zone = load(reaches[i].zone);
    char midnight[40], got[CLOCK_TEXT_SIZE], wanted[CLOCK_TEXT_SIZE];
    snprintf(midnight, sizeof midnight, "%sT00:00:00Z", reaches[i].day);
    int64_t at_ms = zone_reaches(zone, instant(midnight) / CLOCK_DAY, reaches[i].minute);
    assert_string_equal(clock_rfc3339(at_ms, got), clock_rfc3339(instant(reaches[i].at), wanted));
    zone_free(zone);
  }
}

static void finds_the_next_time(void **state UNUSED)
{
  static const struct {
    const char *zone, *after;
    int minute;
    const char *at;
  } cases[] = {
      {"Europe/Amsterdam", "2026-01-05T16:59:59.999Z", 1080, "2026-01-05T17:00:00Z"},
      {"Europe/Amsterdam", "2026-01-05T17:00:00Z", 1080, "2026-01-06T17:00:00Z"},
      {"Europe/Amsterdam", "2026-03-28T17:00:00Z", 1080, "2026-03-29T16:00:00Z"}, /* 23 hours later */
      {"Europe/Amsterdam", "2026-03-28T01:30:00Z", 150, "2026-03-29T01:00:00Z"},  /* 02:30 is never shown */
      {"Europe/Amsterdam", "2026-10-25T00:30:00Z", 150, "2026-10-26T01:30:00Z"},  /* the second 02:30 does not count */
      {"Europe/Amsterdam", "2026-10-24T22:00:00Z", 0, "2026-10-25T23:00:00Z"},
      {"UTC", "2026-12-31T23:59:00Z", 0, "2027-01-01T00:00:00Z"},
      {"Pacific/Apia", "2011-12-30T09:30:00Z", 0, "2011-12-30T10:00:00Z"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct zone *zone = load(cases[i].zone);
    char got[CLOCK_TEXT_SIZE], wanted[CLOCK_TEXT_SIZE];
    int64_t at_ms = zone_next_time(zone, instant(cases[i].after), cases[i].minute);
    assert_string_equal(clock_rfc3339(at_ms, got), clock_rfc3339(instant(cases[i].at), wanted));
    zone_free(zone);
  }
}

static void finds_the_next_change(void **state UNUSED)
{
  struct zone *zone = load("Europe/Amsterdam");
  assert_int_equal(zone_next_change(zone, instant("2026-01-05T12:00:00Z")), instant("2026-03-29T01:00:00Z"));
  assert_int_equal(zone_next_change(zone, instant("2026-03-29T01:00:00Z")), instant("2026-10-25T01:00:00Z"));
  assert_int_equal(zone_next_change(zone, instant("2300-12-31T00:00:00Z")), instant("2301-03-31T01:00:00Z"));
  zone_free(zone);
  zone = load("Asia/Tokyo");
  assert_true(zone_next_change(zone, instant("2026-01-05T12:00:00Z")) == CLOCK_NEVER);
  zone_free(zone);
}

static void refuses_names(void **state UNUSED)
{
  static const struct {
    const char *name, *error;
  } cases[] = {
      {"Europe/Amsterdm", "there is no timezone \"Europe/Amsterdm\"; did you mean \"Europe/Amsterdam\"?"},
      {"Mars/Olympus", "there is no timezone \"Mars/Olympus\"; write one like \"Europe/Amsterdam\" or \"UTC\""},
      {"Europe", "there is no timezone \"Europe\"; did you mean"},
      {"", "there is no timezone \"\""},
      {"../../../etc/passwd", "there is no timezone"},
      {"/etc/localtime", "there is no timezone"},
      {"zone.tab", "there is no timezone"},
  };
  for (size_t i = 0; i < COUNT_OF(cases); i++) {
    struct err err = ERR_INIT;
    assert_null(zone_load(cases[i].name, &err));
    assert_int_equal(err.kind, ERR_CONFIG);
    if (!str_starts(err.text, cases[i].error))
      fail_msg("%s", err.text);
  }
}

/* A TZif file without transitions, of version 2: only the rule counts. */
static size_t file_of_rule(const char *rule, unsigned char to[256])
{
  size_t length = 0;
  for (int block = 0; block < 2; block++) {
    memcpy(to + length, "TZif2", 5);
    memset(to + length + 5, 0, 39 + 6 + 4);
    to[length + 39] = 1; /* one type */
    to[length + 43] = 4; /* of four characters */
    memcpy(to + length + 50, "UTC", 3);
    length += 54;
  }
  length += (size_t)snprintf((char *)to + length, 256 - length, "\n%s\n", rule);
  return length;
}

struct ruled {
  const char *rule, *at;
  int offset_s; /* -1: refused */
};

static const struct ruled rules[] = {
    {"", "2026-01-01T00:00:00Z", 0},
    {"CET-1", "2026-01-01T00:00:00Z", 3600},
    {"<-0330>3:30", "2026-01-01T00:00:00Z", -12600},
    {"CET-1CEST,M3.5.0,M10.5.0/3", "2026-06-01T00:00:00Z", 7200},
    {"AAA0BBB-2,J60/0,J61/0", "2028-02-29T12:00:00Z", 0}, /* J60 is always 1 March */
    {"AAA0BBB-2,J60/0,J61/0", "2028-03-01T12:00:00Z", 7200},
    {"AAA0BBB-2,59/0,60/0", "2028-02-29T12:00:00Z", 7200}, /* 59 is 29 February in a leap year */
    {"AAA0BBB-2,59/0,60/0", "2027-03-01T12:00:00Z", 7200},
    {"XXX3EDT4,0/0,J365/23", "2026-07-01T00:00:00Z", -14400}, /* summer all year long */
    {"XXX3EDT4,0/0,J365/23", "2026-12-31T23:30:00Z", -14400},
    {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T00:59:59Z", -7200},
    {"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", "2026-03-29T01:00:00Z", -3600},
    {"EET-2EEST,M3.4.4/50,M10.4.4/50", "2026-03-27T23:59:59Z", 7200},
    {"EET-2EEST,M3.4.4/50,M10.4.4/50", "2026-03-28T00:00:00Z", 10800},
    {"CET", "2026-01-01T00:00:00Z", -1},
    {"CET-1CEST", "2026-01-01T00:00:00Z", -1},
    {"CET-1CEST,M13.5.0,M10.5.0", "2026-01-01T00:00:00Z", -1},
    {"CET-1CEST,M3.6.0,M10.5.0", "2026-01-01T00:00:00Z", -1},
    {"CET-1CEST,J0,J1", "2026-01-01T00:00:00Z", -1},
    {"CET-1CEST,M3.5.0,M10.5.0/3x", "2026-01-01T00:00:00Z", -1},
    {"CET-999", "2026-01-01T00:00:00Z", -1},
    {"<CET-1", "2026-01-01T00:00:00Z", -1},
};

static void reads_rules(void **state UNUSED)
{
  for (size_t i = 0; i < COUNT_OF(rules); i++) {
    unsigned char bytes[256];
    struct zone *zone = zone_parse(bytes, file_of_rule(rules[i].rule, bytes));
    if ((zone == NULL) != (rules[i].offset_s == -1))
      fail_msg("%s", rules[i].rule);
    if (zone != NULL)
      assert_int_equal(zone_offset_s(zone, instant(rules[i].at)), rules[i].offset_s);
    zone_free(zone);
  }
}

/* Whatever a damaged file says, it is read within its bytes and answers or is refused. */
static void survives_damage(void **state UNUSED)
{
  FILE *file = fopen("/usr/share/zoneinfo/Europe/Amsterdam", "r");
  assert_non_null(file);
  static unsigned char bytes[65536], changed[65536];
  size_t length = fread(bytes, 1, sizeof bytes, file);
  fclose(file);
  struct zone *zone = zone_parse(bytes, length);
  assert_non_null(zone);
  zone_free(zone);
  int refused = 0;
  for (size_t cut = 0; cut < length; cut++) {
    unsigned char *exact = must_alloc(cut + 1);
    memcpy(exact, bytes, cut);
    zone = zone_parse(exact, cut);
    refused += zone == NULL;
    zone_free(zone);
    free(exact);
  }
  assert_int_equal(refused, length);
  for (size_t at = 0; at < length; at++)
    for (int with = 0; with < 256; with += 51) {
      memcpy(changed, bytes, length);
      changed[at] = (unsigned char)with;
      zone = zone_parse(changed, length);
      if (zone != NULL) {
        int32_t offset = zone_offset_s(zone, instant("2026-06-01T00:00:00Z"));
        assert_true(offset >= -167 * 3600 - 3600 && offset <= 167 * 3600 + 3600);
      }
      zone_free(zone);
    }
}

int main(int argc, char **argv)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(tells_local_time),    cmocka_unit_test(finds_when_a_clock_shows),
      cmocka_unit_test(finds_the_next_time), cmocka_unit_test(finds_the_next_change),
      cmocka_unit_test(refuses_names),       cmocka_unit_test(reads_rules),
      cmocka_unit_test(survives_damage),
  };
  return cases_run(argc, argv, tests, NULL, NULL);
}
