/* Instants and durations to text and back. Texts come from peers and from people, so parsers go character by character:
 * strptime() and sscanf() would let white space, signs and missing digits pass. The calendar is the C library's
 * timegm() and gmtime_r(), which know no time zone; mktime() would use the zone of the process. timegm() does not
 * refuse a field out of range but carries it over, so every field is checked before, and the day of the month after. */
#include "base/clock.h"
#include "base/str.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

int64_t clock_now_ms(void)
{
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t clock_steady_ms(void)
{
  struct timespec now;
  /* Not CLOCK_MONOTONIC, which stops while the machine sleeps: Graph's leases go on, and a sleep would look like a step
   * of the wall clock. */
  clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec * CLOCK_SECOND + now.tv_nsec / 1000000;
}

int64_t clock_steady_us(void)
{
  struct timespec now;
  clock_gettime(CLOCK_BOOTTIME, &now);
  return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

int64_t clock_cpu_ms(void)
{
  struct timespec used;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return (int64_t)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

static bool digits(const char **text, int count, int *ret_number)
{
  int number = 0;
  for (int i = 0; i < count; i++, (*text)++) {
    if (**text < '0' || **text > '9')
      return false;
    number = number * 10 + (**text - '0');
  }
  *ret_number = number;
  return true;
}

static bool skip(const char **text, char wanted)
{
  if (**text != wanted)
    return false;
  (*text)++;
  return true;
}

static bool fields_to_ms(struct tm *tm, int64_t *ret_ms)
{
  int day = tm->tm_mday;
  if (tm->tm_mon < 0 || tm->tm_mon > 11 || day < 1 || day > 31 || tm->tm_hour > 23 || tm->tm_min > 59 ||
      tm->tm_sec > 60)
    return false;
  /* Unix time has no leap seconds; timegm() would make it the first second of the next minute. */
  if (tm->tm_sec == 60)
    tm->tm_sec = 59;
  int64_t seconds = timegm(tm);
  if (tm->tm_mday != day) /* timegm() made the 31st of a short month the 1st of the next */
    return false;
  *ret_ms = seconds * 1000;
  return true;
}

bool clock_parse_rfc3339(const char *text, int64_t *ret_ms)
{
  struct tm tm = {0};
  int year, month, fraction = 0;
  if (!digits(&text, 4, &year) || !skip(&text, '-') || !digits(&text, 2, &month) || !skip(&text, '-') ||
      !digits(&text, 2, &tm.tm_mday))
    return false;
  if (*text != 'T' && *text != 't' && *text != ' ')
    return false;
  text++;
  if (!digits(&text, 2, &tm.tm_hour) || !skip(&text, ':') || !digits(&text, 2, &tm.tm_min) || !skip(&text, ':') ||
      !digits(&text, 2, &tm.tm_sec))
    return false;
  if (*text == '.') {
    text++;
    int place = 100;
    if (*text < '0' || *text > '9')
      return false;
    /* Senders write up to nine digits; from the fourth on `place` is 0, so they are skipped. */
    for (; *text >= '0' && *text <= '9'; text++, place /= 10)
      fraction += (*text - '0') * place;
  }
  int offset = 0;
  if (*text == 'Z' || *text == 'z') {
    text++;
  } else {
    int sign = *text == '-' ? -1 : 1, hours, minutes;
    if (*text != '+' && *text != '-')
      return false;
    text++;
    if (!digits(&text, 2, &hours) || !skip(&text, ':') || !digits(&text, 2, &minutes) || hours > 23 || minutes > 59)
      return false;
    offset = sign * (hours * 60 + minutes);
  }
  tm.tm_year = year - 1900;
  tm.tm_mon = month - 1;
  int64_t ms;
  if (*text != '\0' || !fields_to_ms(&tm, &ms))
    return false;
  *ret_ms = ms - offset * CLOCK_MINUTE + fraction;
  return true;
}

static void utc(int64_t ms, struct tm *tm, int *ret_fraction)
{
  int64_t seconds = ms / 1000;
  int fraction = (int)(ms % 1000);
  /* Division truncates towards zero; before 1970 it must round down, or the fraction would be negative. */
  if (fraction < 0) {
    seconds--;
    fraction += 1000;
  }
  time_t t = (time_t)seconds;
  gmtime_r(&t, tm);
  *ret_fraction = fraction;
}

char *clock_rfc3339(int64_t ms, char to[CLOCK_TEXT_SIZE])
{
  struct tm tm;
  int fraction;
  utc(ms, &tm, &fraction);
  size_t length = strftime(to, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
  snprintf(to + length, CLOCK_TEXT_SIZE - length, ".%03dZ", fraction);
  return to;
}

/* Graph takes the time zone from a field beside this one, so the text has neither Z nor offset. */
char *clock_graph_datetime(int64_t ms, char to[CLOCK_TEXT_SIZE])
{
  struct tm tm;
  int fraction;
  utc(ms, &tm, &fraction);
  strftime(to, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
  return to;
}

bool clock_parse_http_date(const char *text, int64_t *ret_ms)
{
  /* strptime() will do here: an HTTP date has a fixed shape. The names of days and months are English because LC_TIME
   * is never set. */
  static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"};
  for (size_t i = 0; i < COUNT_OF(forms); i++) {
    struct tm tm = {0};
    const char *end = strptime(text, forms[i], &tm);
    if (end != NULL && *end == '\0')
      return fields_to_ms(&tm, ret_ms);
  }
  return false;
}

bool clock_parse_duration(const char *text, int64_t *ret_ms)
{
  /* Units in the order in which they may appear, each at most once. ISO 8601 puts T before the time units. */
  static const struct {
    char letter;
    int64_t ms;
  } units[] = {{'d', CLOCK_DAY}, {'h', CLOCK_HOUR}, {'m', CLOCK_MINUTE}, {'s', CLOCK_SECOND}};
  /* ISO 8601's years, months and weeks are refused: "P1M" is not a fixed time, and read as a minute it would be a
   * trap. */
  bool iso = *text == 'P' || *text == 'p';
  bool in_time = !iso;
  if (iso)
    text++;
  int64_t total = 0;
  size_t unit = 0;
  bool any = false;
  while (*text != '\0') {
    if (iso && !in_time && (*text == 'T' || *text == 't')) {
      in_time = true;
      unit = 1;
      text++;
      if (*text == '\0')
        return false;
      continue;
    }
    int64_t number = 0;
    const char *start = text;
    for (; *text >= '0' && *text <= '9'; text++) {
      number = number * 10 + (*text - '0');
      /* Bounds the product: so many days still fit into 64 bits of milliseconds. */
      if (number > 100000000)
        return false;
    }
    if (text == start)
      return false;
    char letter = (char)(*text | 0x20);
    while (unit < COUNT_OF(units) && units[unit].letter != letter)
      unit++;
    /* Before T only days may stand, behind it only the others. */
    if (unit == COUNT_OF(units) || (iso && (unit == 0) == in_time))
      return false;
    total += number * units[unit++].ms;
    any = true;
    text++;
  }
  if (!any)
    return false;
  *ret_ms = total;
  return true;
}

char *clock_iso_duration(int64_t ms, char to[CLOCK_TEXT_SIZE])
{
  /* Up, never down: what is sent must not end before the hold that it is for. */
  int64_t seconds = ms <= 0 ? 0 : ms / 1000 + (ms % 1000 > 0);
  int64_t hours = seconds / 3600, minutes = seconds / 60 % 60;
  size_t length = (size_t)snprintf(to, CLOCK_TEXT_SIZE, "PT");
  if (hours > 0)
    length += (size_t)snprintf(to + length, CLOCK_TEXT_SIZE - length, "%" PRId64 "H", hours);
  if (minutes > 0)
    length += (size_t)snprintf(to + length, CLOCK_TEXT_SIZE - length, "%" PRId64 "M", minutes);
  /* "PT" alone is not a duration. */
  if (seconds % 60 > 0 || length == 2)
    snprintf(to + length, CLOCK_TEXT_SIZE - length, "%" PRId64 "S", seconds % 60);
  return to;
}

/* The two largest units only: a reader of `status` wants the size, not the sum. */
char *clock_short_duration(int64_t ms, char to[CLOCK_TEXT_SIZE])
{
  int64_t seconds = ms <= 0 ? 0 : ms / 1000 + (ms % 1000 >= 500);
  int64_t days = seconds / 86400, hours = seconds / 3600 % 24, minutes = seconds / 60 % 60;
  if (days > 0)
    snprintf(to, CLOCK_TEXT_SIZE, hours > 0 ? "%" PRId64 "d %" PRId64 "h" : "%" PRId64 "d", days, hours);
  else if (hours > 0)
    snprintf(to, CLOCK_TEXT_SIZE, minutes > 0 ? "%" PRId64 "h %" PRId64 "m" : "%" PRId64 "h", hours, minutes);
  else if (minutes > 0)
    snprintf(
        to, CLOCK_TEXT_SIZE, seconds % 60 > 0 ? "%" PRId64 "m %" PRId64 "s" : "%" PRId64 "m", minutes, seconds % 60);
  else
    snprintf(to, CLOCK_TEXT_SIZE, "%" PRId64 "s", seconds);
  return to;
}

char *clock_rule_duration(int64_t ms, char to[CLOCK_TEXT_SIZE])
{
  static const struct {
    int64_t ms;
    char unit;
  } units[] = {{CLOCK_DAY, 'd'}, {CLOCK_HOUR, 'h'}, {CLOCK_MINUTE, 'm'}, {CLOCK_SECOND, 's'}};
  int used = 0;
  must(ms >= 0);
  /* Seconds also when all is zero: a duration needs a number. */
  for (size_t i = 0; i < COUNT_OF(units); i++) {
    if (ms >= units[i].ms || (used == 0 && units[i].unit == 's'))
      used += snprintf(to + used, CLOCK_TEXT_SIZE - (size_t)used, "%" PRId64 "%c", ms / units[i].ms, units[i].unit);
    ms %= units[i].ms;
  }
  return to;
}
