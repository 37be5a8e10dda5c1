/* Zones as TZif files have them (RFC 8536): a table of transitions, and in the footer a POSIX rule for the time after
 * the last of them. Where tzdata is built slim, the table ends with the last change of the law, so the rule answers for
 * today; it is evaluated for the years before, of and after an instant, because the offset at New Year comes from the
 * year before, and the next change may be in the year after. All questions come down to two: the offset at an instant,
 * and the next instant at which it may change. Between two changes local time runs evenly, which zone_reaches() makes
 * use of. localtime() would need TZ, which is process-wide, and forgets which of two zones it answered for. */
#include "base/zone.h"
#include "base/clock.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum {
  FILE_MAX = 256 * 1024, /* bytes; the largest known zone has 4 KiB */
  NAME_MAX_LENGTH = 64,
  HEADER_SIZE = 44,
  FOOTER_MAX = 128,
  DAY_S = 86400,
  RULE_YEARS = 3, /* whose transitions are looked at around an instant */
};

/* A date of a POSIX TZ rule: Mm.w.d, Jn or n (RFC 8536 3.3.1). */
struct rule_date {
  enum { DATE_MONTH, DATE_JULIAN, DATE_ZERO } kind;
  int month, week, weekday; /* weekday 0 is Sunday here */
  int day;
  int32_t time_s; /* since local midnight; -167 to 167 hours */
};

struct transition {
  int64_t at_s;
  int32_t offset_s; /* from then on */
};

struct zone {
  struct transition *transitions; /* by time */
  size_t count;
  int32_t first_s; /* the offset before the first of them */
  /* After the last of them: */
  bool has_rule, has_summer;
  int32_t standard_s, summer_s;
  struct rule_date start, end; /* of summer time */
};

/* ---- The calendar ---- */

/* Days since 1970-01-01 of a proleptic Gregorian date, after Howard Hinnant's well-known algorithm. */
static int64_t days_from_civil(int64_t year, int month, int day)
{
  year -= month <= 2;
  int64_t era = (year >= 0 ? year : year - 399) / 400;
  int64_t year_of_era = year - era * 400;
  int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

static void civil_from_days(int64_t days, int *ret_year, int *ret_month, int *ret_day)
{
  days += 719468;
  int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  int64_t day_of_era = days - era * 146097;
  int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t shifted = (5 * day_of_year + 2) / 153; /* months since March */
  *ret_day = (int)(day_of_year - (153 * shifted + 2) / 5 + 1);
  *ret_month = (int)(shifted < 10 ? shifted + 3 : shifted - 9);
  *ret_year = (int)(year_of_era + era * 400 + (*ret_month <= 2));
}

static bool is_leap(int64_t year)
{
  return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* C's division truncates towards zero, which would count days before 1970 from the wrong end. */
static int64_t floor_div(int64_t a, int64_t b)
{
  return a / b - (a % b < 0);
}

/* ---- The footer: "CET-1CEST,M3.5.0,M10.5.0/3" ---- */

static bool take_number(const char **text, int max, int *ret_number)
{
  int number = 0;
  const char *start = *text;
  for (; **text >= '0' && **text <= '9'; (*text)++) {
    number = number * 10 + (**text - '0');
    if (number > max)
      return false;
  }
  *ret_number = number;
  return *text > start;
}

static bool take_name(const char **text)
{
  const char *start = *text;
  if (*start == '<') {
    const char *close = strchr(start, '>');
    *text = close == NULL ? start : close + 1;
  } else {
    while ((**text >= 'A' && **text <= 'Z') || (**text >= 'a' && **text <= 'z'))
      (*text)++;
  }
  /* POSIX has names of three letters and more; what they say does not matter here. */
  return *text - start >= 3;
}

/* [+-]h[h][h][:mm[:ss]] in seconds. */
static bool take_time(const char **text, int32_t *ret_seconds)
{
  int sign = **text == '-' ? -1 : 1, parts[3] = {0};
  if (**text == '-' || **text == '+')
    (*text)++;
  if (!take_number(text, 167, &parts[0]))
    return false;
  for (int i = 1; i < 3 && **text == ':'; i++) {
    (*text)++;
    if (!take_number(text, 59, &parts[i]))
      return false;
  }
  *ret_seconds = sign * (parts[0] * 3600 + parts[1] * 60 + parts[2]);
  return true;
}

static bool take_char(const char **text, char wanted)
{
  if (**text != wanted)
    return false;
  (*text)++;
  return true;
}

static bool take_date(const char **text, struct rule_date *date)
{
  bool ok;
  /* Two in the morning, POSIX's default. */
  *date = (struct rule_date){.time_s = 2 * 3600};
  if (take_char(text, 'M')) {
    date->kind = DATE_MONTH;
    ok = take_number(text, 12, &date->month) && take_char(text, '.') && take_number(text, 5, &date->week) &&
         take_char(text, '.') && take_number(text, 6, &date->weekday) && date->month > 0 && date->week > 0;
  } else {
    date->kind = take_char(text, 'J') ? DATE_JULIAN : DATE_ZERO;
    ok = take_number(text, 365, &date->day) && (date->kind == DATE_ZERO || date->day > 0);
  }
  return ok && (!take_char(text, '/') || take_time(text, &date->time_s));
}

static bool parse_rule(const char *text, struct zone *zone)
{
  /* POSIX counts west of Greenwich as positive, all else here east. */
  int32_t west;
  if (!take_name(&text) || !take_time(&text, &west))
    return false;
  zone->has_rule = true;
  zone->standard_s = -west;
  if (*text == '\0')
    return true;
  zone->has_summer = true;
  zone->summer_s = zone->standard_s + 3600;
  if (!take_name(&text))
    return false;
  if (*text != ',') {
    if (!take_time(&text, &west))
      return false;
    zone->summer_s = -west;
  }
  return take_char(&text, ',') && take_date(&text, &zone->start) && take_char(&text, ',') &&
         take_date(&text, &zone->end) && *text == '\0';
}

static int64_t date_in_year(const struct rule_date *date, int64_t year)
{
  int64_t first = days_from_civil(year, 1, 1);
  if (date->kind == DATE_ZERO)
    return first + date->day;
  if (date->kind == DATE_JULIAN) /* never counts 29 February */
    return first + date->day - 1 + (is_leap(year) && date->day > 59);
  int64_t day = days_from_civil(year, date->month, 1);
  int64_t next = date->month == 12 ? days_from_civil(year + 1, 1, 1) : days_from_civil(year, date->month + 1, 1);
  int64_t weekday = (day + 4) % 7; /* 1970-01-01 was a Thursday */
  day += (date->weekday - (weekday + 7) % 7 + 7) % 7 + (date->week - 1) * 7;
  while (day >= next) /* week 5: the last one */
    day -= 7;
  return day;
}

/* The rule's transitions in the years around `at_s`, by time. Returns their number. */
static int rule_transitions(const struct zone *zone, int64_t at_s, struct transition to[2 * RULE_YEARS])
{
  int year, month, day, count = 0;
  civil_from_days(floor_div(at_s + zone->standard_s, DAY_S), &year, &month, &day);
  for (int64_t y = year - 1; y <= year + 1; y++) {
    /* The moments are of the local clock: summer begins by winter's offset, and ends by summer's. */
    to[count++] = (struct transition){
        date_in_year(&zone->start, y) * DAY_S + zone->start.time_s - zone->standard_s, zone->summer_s};
    to[count++] =
        (struct transition){date_in_year(&zone->end, y) * DAY_S + zone->end.time_s - zone->summer_s, zone->standard_s};
  }
  for (int i = 1; i < count; i++) /* the south has its summer over New Year */
    for (int j = i; j > 0 && to[j].at_s < to[j - 1].at_s; j--) {
      struct transition swap = to[j];
      to[j] = to[j - 1];
      to[j - 1] = swap;
    }
  return count;
}

/* ---- The file ---- */

struct reader {
  const unsigned char *bytes;
  size_t length, at;
  bool short_of;
};

static uint64_t read_big(struct reader *reader, size_t size)
{
  uint64_t number = 0;
  if (reader->length - reader->at < size) {
    reader->short_of = true;
    return 0;
  }
  for (size_t i = 0; i < size; i++)
    number = number << 8 | reader->bytes[reader->at++];
  return number;
}

struct header {
  unsigned char version;
  size_t is_ut, is_standard, leaps, transitions, types, characters;
};

static bool read_header(struct reader *reader, struct header *header)
{
  if (reader->length - reader->at < HEADER_SIZE || memcmp(reader->bytes + reader->at, "TZif", 4) != 0)
    return false;
  header->version = reader->bytes[reader->at + 4];
  reader->at += 20;
  header->is_ut = (size_t)read_big(reader, 4);
  header->is_standard = (size_t)read_big(reader, 4);
  header->leaps = (size_t)read_big(reader, 4);
  header->transitions = (size_t)read_big(reader, 4);
  header->types = (size_t)read_big(reader, 4);
  header->characters = (size_t)read_big(reader, 4);
  /* Leap seconds are refused: with them (the database's "right" files) instants would not be Unix time. The bounds keep
   * body_size() from wrapping. */
  return header->types > 0 && header->types <= 256 && header->leaps == 0 && header->transitions < FILE_MAX &&
         header->characters < FILE_MAX && header->is_ut < FILE_MAX && header->is_standard < FILE_MAX;
}

static size_t body_size(const struct header *header, size_t time_size)
{
  return header->transitions * (time_size + 1) + header->types * 6 + header->characters + header->is_standard +
         header->is_ut;
}

static bool read_body(struct reader *reader, const struct header *header, size_t time_size, struct zone *zone)
{
  size_t size = body_size(header, time_size), at = reader->at;
  if (reader->length - at < size)
    return false;
  zone->count = header->transitions;
  zone->transitions = must_alloc((zone->count + 1) * sizeof *zone->transitions);
  /* Times, indices and types are arrays one behind the other, each with a reader of its own. */
  struct reader indices = *reader, types = *reader;
  indices.at = at + header->transitions * time_size;
  types.at = indices.at + header->transitions;
  int32_t offsets[256];
  for (size_t i = 0; i < header->types; i++) {
    offsets[i] = (int32_t)(uint32_t)read_big(&types, 4);
    types.at += 2; /* is it summer time, and how is it called: not needed */
    if (offsets[i] < -DAY_S || offsets[i] > DAY_S)
      return false;
  }
  zone->first_s = offsets[0];
  for (size_t i = 0; i < zone->count; i++) {
    uint64_t time = read_big(reader, time_size), index = read_big(&indices, 1);
    int64_t at_s = time_size == 4 ? (int32_t)(uint32_t)time : (int64_t)time;
    /* Ascending without exception: passed() searches by halves. */
    if (index >= header->types || (i > 0 && at_s <= zone->transitions[i - 1].at_s))
      return false;
    zone->transitions[i] = (struct transition){at_s, offsets[index]};
  }
  reader->at = at + size;
  return !reader->short_of;
}

static bool read_footer(struct reader *reader, struct zone *zone)
{
  char text[FOOTER_MAX];
  size_t length = 0;
  if (read_big(reader, 1) != '\n')
    return false;
  while (reader->at < reader->length && reader->bytes[reader->at] != '\n' && length < sizeof text - 1)
    text[length++] = (char)reader->bytes[reader->at++];
  text[length] = '\0';
  return read_big(reader, 1) == '\n' && (length == 0 || parse_rule(text, zone));
}

struct zone *zone_parse(const void *bytes, size_t length)
{
  struct reader reader = {.bytes = bytes, .length = length};
  struct header header;
  struct zone *zone = must_alloc(sizeof *zone);
  bool ok = read_header(&reader, &header);
  if (ok && header.version < '2') {
    ok = read_body(&reader, &header, 4, zone);
  } else if (ok) { /* the first block is for readers that do not know the second */
    size_t skipped = body_size(&header, 4);
    ok = reader.length - reader.at >= skipped;
    reader.at += ok ? skipped : 0;
    ok = ok && read_header(&reader, &header) && read_body(&reader, &header, 8, zone) && read_footer(&reader, zone);
  }
  if (!ok) {
    zone_free(zone);
    return NULL;
  }
  return zone;
}

void zone_free(struct zone *zone)
{
  if (zone == NULL)
    return;
  free(zone->transitions);
  free(zone);
}

/* ---- The zone database ---- */

static const char *database(void)
{
  const char *folder = getenv("TZDIR");
  return folder == NULL || *folder == '\0' ? "/usr/share/zoneinfo" : folder;
}

static bool is_zone_name(const char *name)
{
  /* No dot, so that a name cannot lead out of the database. */
  size_t length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/");
  return length > 0 && length <= NAME_MAX_LENGTH && name[length] == '\0' && *name != '/';
}

/* The name in the same region that was most probably meant; "" for none. */
static void suggest(const char *name, char to[2 * NAME_MAX_LENGTH])
{
  const char *slash = strrchr(name, '/');
  char path[512];
  *to = '\0';
  int region = slash == NULL ? 0 : (int)(slash - name);
  snprintf(path, sizeof path, "%s/%.*s", database(), region, name);
  DIR *folder = is_zone_name(name) ? opendir(path) : NULL;
  if (folder == NULL)
    return;
  char best[NAME_MAX_LENGTH] = "";
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    /* Each against the best so far: no list of the folder is needed. */
    const char *candidates[] = {entry->d_name, best};
    const char *nearest = str_nearest(slash == NULL ? name : slash + 1, candidates, *best == '\0' ? 1 : 2);
    if (nearest == entry->d_name && strlen(nearest) < sizeof best)
      str_cut(best, sizeof best, nearest);
  }
  closedir(folder);
  if (*best != '\0')
    snprintf(to, 2 * NAME_MAX_LENGTH, "%.*s%s%s", region, name, slash == NULL ? "" : "/", best);
}

static struct zone *no_such_zone(const char *name, struct err *err)
{
  char nearest[2 * NAME_MAX_LENGTH];
  DIR *folder = opendir(database());
  if (folder == NULL) {
    err_set(err, ERR_CONFIG, "there is no zone database in %s; install the package tzdata", database());
    return NULL;
  }
  closedir(folder);
  suggest(name, nearest);
  if (*nearest != '\0')
    err_set(err, ERR_CONFIG, "there is no timezone \"%.64s\"; did you mean \"%s\"?", name, nearest);
  else
    err_set(err, ERR_CONFIG, "there is no timezone \"%.64s\"; write one like \"Europe/Amsterdam\" or \"UTC\"", name);
  return NULL;
}

struct zone *zone_load(const char *name, struct err *err)
{
  char path[512];
  snprintf(path, sizeof path, "%s/%s", database(), name);
  FILE *file = is_zone_name(name) ? fopen(path, "re") : NULL;
  if (file == NULL)
    return no_such_zone(name, err);
  char *bytes = must_alloc(FILE_MAX);
  size_t length = fread(bytes, 1, FILE_MAX, file);
  bool failed = ferror(file) != 0;
  fclose(file);
  struct zone *zone = failed ? NULL : zone_parse(bytes, length);
  free(bytes);
  if (zone == NULL && failed) /* a folder: "Europe" */
    return no_such_zone(name, err);
  if (zone == NULL)
    err_set(err, ERR_CONFIG, "timezone \"%.64s\" cannot be read from %s; name another one", name, database());
  return zone;
}

/* ---- Questions ---- */

/* How many transitions are at or before `at_s`. */
static size_t passed(const struct zone *zone, int64_t at_s)
{
  size_t low = 0, high = zone->count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (zone->transitions[middle].at_s <= at_s)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static int32_t offset_at(const struct zone *zone, int64_t at_s)
{
  size_t count = passed(zone, at_s);
  /* Up to the last transition the table is right, whatever the rule would say of those years. */
  if (count < zone->count || !zone->has_rule)
    return count == 0 ? zone->first_s : zone->transitions[count - 1].offset_s;
  if (!zone->has_summer)
    return zone->standard_s;
  struct transition around[2 * RULE_YEARS];
  int i = rule_transitions(zone, at_s, around);
  /* Those of the year before lie behind `at_s`, so there is always one. */
  while (i > 1 && around[i - 1].at_s > at_s)
    i--;
  return around[i - 1].offset_s;
}

int32_t zone_offset_s(const struct zone *zone, int64_t at_ms)
{
  return offset_at(zone, floor_div(at_ms, 1000));
}

int64_t zone_next_change(const struct zone *zone, int64_t at_ms)
{
  int64_t at_s = floor_div(at_ms, 1000);
  size_t count = passed(zone, at_s);
  if (count < zone->count)
    return zone->transitions[count].at_s * 1000;
  if (!zone->has_summer)
    return CLOCK_NEVER;
  struct transition around[2 * RULE_YEARS];
  int total = rule_transitions(zone, at_s, around);
  for (int i = 0; i < total; i++)
    if (around[i].at_s > at_s)
      return around[i].at_s * 1000;
  return CLOCK_NEVER;
}

struct zone_local zone_local_at(const struct zone *zone, int64_t at_ms)
{
  int64_t at_s = floor_div(at_ms, 1000);
  at_s += offset_at(zone, at_s);
  struct zone_local local = {.day = floor_div(at_s, DAY_S)};
  int second = (int)(at_s - local.day * DAY_S);
  civil_from_days(local.day, &local.year, &local.month, &local.day_of_month);
  local.hour = second / 3600;
  local.minute = second / 60 % 60;
  local.second = second % 60;
  local.weekday = (int)(((local.day + 3) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
  return local;
}

const char *zone_weekday_str(int weekday)
{
  static const char *const names[] = {"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"};
  return weekday >= 0 && weekday < 7 ? names[weekday] : "?";
}

int64_t zone_reaches(const struct zone *zone, int64_t day, int minute)
{
  int64_t wanted_ms = (day * DAY_S + minute * INT64_C(60)) * 1000;
  /* From two days before, more than any offset and jump, through the stretches of equal offset. */
  int64_t from_ms = wanted_ms - 2 * CLOCK_DAY;
  /* Of the stretches, the first in which the clock shows the time gives the answer, so of a time that is shown twice
   * the first. Where the stretch begins later than that, the clock has jumped over it: reached at the jump. The instant
   * lies within a day or so of wanted_ms, so few stretches are looked at. */
  for (;;) {
    int64_t until_ms = zone_next_change(zone, from_ms);
    int64_t at_ms = wanted_ms - zone_offset_s(zone, from_ms) * INT64_C(1000);
    if (at_ms < from_ms)
      at_ms = from_ms;
    if (at_ms < until_ms)
      return at_ms;
    from_ms = until_ms;
  }
}

int64_t zone_next_time(const struct zone *zone, int64_t after_ms, int minute)
{
  /* From the day before: minute 1440 of it is the midnight that has just begun, and a clock set back shows a day
   * twice. */
  for (int64_t day = zone_local_at(zone, after_ms).day - 1;; day++) {
    int64_t at_ms = zone_reaches(zone, day, minute);
    if (at_ms > after_ms)
      return at_ms;
  }
}
