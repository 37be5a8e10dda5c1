/* The time conditions of a ruleset, `between` and `days` in its zone. A span begins and ends at instants, those at
 * which the local clock first reaches its times, so it neither flaps in an overlap nor gets lost in a gap. Lua is told
 * what holds only when that changes; a decision costs nothing for it. */
#include "rules/times.h"
#include "base/clock.h"
#include "base/str.h"
#include "rules/internal.h"

#include <stdlib.h>
#include <string.h>

enum {
  DAYS_BACK = 2,  /* a span may have begun yesterday, and yesterday lasts as long as the zone likes */
  DAYS_AHEAD = 8, /* to the same weekday again */
  WINDOWS_MAX = (DAYS_BACK + DAYS_AHEAD + 1) * RULES_SPANS_MAX,
};

/* What time.* answers about: as lua/times.lua has it. */
#define HELPERS_UNTIL_MS (INT64_C(4102444800) * 1000)

struct window {
  int64_t from_ms, until_ms;
};

static int by_start(const void *a, const void *b)
{
  int64_t from_a = ((const struct window *)a)->from_ms, from_b = ((const struct window *)b)->from_ms;
  return (from_a > from_b) - (from_a < from_b);
}

/* The stretches of time in which it holds, from the days around `today`; sorted, those that touch joined. */
static size_t windows_around(
    const struct zone *zone, const struct rules_time *time, int64_t today, struct window to[WINDOWS_MAX])
{
  size_t count = 0, kept = 0;
  for (int64_t day = today - DAYS_BACK; day <= today + DAYS_AHEAD; day++) {
    unsigned weekday = (unsigned)(((day + 3) % 7 + 7) % 7); /* 1970-01-01 was a Thursday */
    if ((time->days & 1U << weekday) == 0)
      continue;
    if (time->span_count == 0)
      to[count++] = (struct window){zone_reaches(zone, day, 0), zone_reaches(zone, day + 1, 0)};
    for (size_t i = 0; i < time->span_count; i++) {
      int from = time->spans[i].from, until = time->spans[i].to;
      to[count++] = (struct window){zone_reaches(zone, day, from), zone_reaches(zone, day + (until < from), until)};
    }
  }
  /* Joined, because the end of a stretch is when the agent is decided again: two spans that touch, as 08:00 to 12:00
   * and 12:00 to 17:00, change nothing at noon. */
  qsort(to, count, sizeof *to, by_start);
  for (size_t i = 0; i < count; i++) {
    if (to[i].until_ms <= to[i].from_ms) /* all of it lies in a gap */
      continue;
    if (kept > 0 && to[i].from_ms <= to[kept - 1].until_ms) {
      if (to[i].until_ms > to[kept - 1].until_ms)
        to[kept - 1].until_ms = to[i].until_ms;
    } else {
      to[kept++] = to[i];
    }
  }
  return kept;
}

bool rules_time_holds(
    const struct zone *zone, const struct rules_time *time, int64_t moment_ms, int64_t *ret_from, int64_t *ret_until)
{
  struct window windows[WINDOWS_MAX];
  int64_t today = zone_local_at(zone, moment_ms).day;
  size_t count = windows_around(zone, time, today, windows);
  /* Before yesterday not everything was looked at, nor after the last day. */
  *ret_from = zone_reaches(zone, today - 1, 0);
  *ret_until = zone_reaches(zone, today + DAYS_AHEAD, 0);
  for (size_t i = 0; i < count; i++) {
    if (windows[i].from_ms > moment_ms) {
      if (windows[i].from_ms < *ret_until)
        *ret_until = windows[i].from_ms;
      return false;
    }
    if (moment_ms < windows[i].until_ms) {
      if (windows[i].from_ms > *ret_from)
        *ret_from = windows[i].from_ms;
      if (windows[i].until_ms < *ret_until)
        *ret_until = windows[i].until_ms;
      return true;
    }
    if (windows[i].until_ms > *ret_from)
      *ret_from = windows[i].until_ms;
  }
  return false;
}

/* ---- Loading ---- */

static bool read_time(const struct value *from, struct rules_time *time)
{
  const struct value *spans = value_get(from, "spans");
  double days = value_get_number(from, "days", 0);
  size_t numbers = value_count(spans);
  if (!(days >= 1 && days <= 127) || numbers % 2 != 0 || numbers / 2 > RULES_SPANS_MAX)
    return false;
  time->days = (unsigned)days;
  time->span_count = numbers / 2;
  for (size_t i = 0; i < numbers; i++) {
    const struct value *minute = value_at(spans, i);
    if (!value_is(minute, VALUE_NUMBER) || !(minute->u.number >= 0 && minute->u.number <= 1440))
      return false;
    *(i % 2 == 0 ? &time->spans[i / 2].from : &time->spans[i / 2].to) = (int)minute->u.number;
  }
  return true;
}

/* For time.*: where the offset changes, as {start, offset, start, offset, ...} in seconds. */
static bool tell_zone(struct ruleset *ruleset, struct err *err)
{
  struct values values = {0};
  struct value *list = value_list(&values), *done;
  /* All of them at once, while loading: a rule function has no way to ask the host. */
  for (int64_t at_ms = 0; at_ms < HELPERS_UNTIL_MS; at_ms = zone_next_change(ruleset->zone, at_ms)) {
    value_add(&values, list, value_number(&values, (double)(at_ms / 1000)));
    value_add(&values, list, value_number(&values, zone_offset_s(ruleset->zone, at_ms)));
  }
  const struct value *arguments[] = {list};
  bool ok = rules_load_call(ruleset, "set_zone", arguments, 1, ruleset->chunk, &values, &done, err);
  values_release(&values);
  return ok;
}

bool rules_read_times(struct ruleset *ruleset, const struct value *compiled, struct err *err)
{
  const char *timezone = value_get_text(compiled, "timezone", NULL);
  const struct value *list = value_get(compiled, "times");
  if (timezone != NULL) {
    ruleset->zone = zone_load(timezone, err);
    if (ruleset->zone == NULL)
      return err_add(err, "%s", value_get_text(compiled, "timezone_place", ruleset->chunk));
  }
  size_t count = value_count(list);
  if (count > 0 && ruleset->zone == NULL)
    return rules_bad_answer(err, "times but no timezone");
  ruleset->times = must_alloc((count + 1) * sizeof *ruleset->times);
  ruleset->time_count = count;
  for (size_t i = 0; i < count; i++)
    if (!read_time(value_at(list, i), &ruleset->times[i]))
      return rules_bad_answer(err, "a time out of range");
  return !value_get_bool(compiled, "uses_time", false) || ruleset->zone == NULL || tell_zone(ruleset, err);
}

/* ---- Deciding ---- */

bool rules_tell_times(struct ruleset *ruleset, int64_t moment_ms, struct err *err)
{
  if (ruleset->time_count == 0 || (moment_ms >= ruleset->times_from_ms && moment_ms < ruleset->times_until_ms))
    return true;
  struct values values = {0};
  struct value *list = value_list(&values), *done;
  int64_t from_ms = INT64_MIN, until_ms = CLOCK_NEVER;
  for (size_t i = 0; i < ruleset->time_count; i++) {
    int64_t since_ms, change_ms;
    bool holds = rules_time_holds(ruleset->zone, &ruleset->times[i], moment_ms, &since_ms, &change_ms);
    value_add(&values, list, value_bool(&values, holds));
    value_add(&values, list, value_number(&values, (double)change_ms));
    from_ms = since_ms > from_ms ? since_ms : from_ms;
    until_ms = change_ms < until_ms ? change_ms : until_ms;
  }
  const struct value *arguments[] = {list};
  bool ok = vm_call(
      ruleset->vm, "ruleset", "set_times", arguments, 1, &ruleset->decision_budget, ERR_RULE, &values, &done, err);
  /* After a failure Lua may know some of it: an empty span, so that the next decision tells all of it again. */
  ruleset->times_from_ms = ok ? from_ms : 0;
  ruleset->times_until_ms = ok ? until_ms : 0;
  values_release(&values);
  return ok;
}
