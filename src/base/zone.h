/* Time zones, from the zone database's own files (TZif, RFC 8536), without touching the process's TZ. Pure functions
 * over a loaded zone. Instants are milliseconds since 1970-01-01T00:00Z, as in clock.h.
 *
 * What a clock on the wall shows jumps. Forward: a time in the gap is never shown, and counts as reached at the jump.
 * Back: a time in the overlap is shown twice, and counts as reached the first time. */
#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include "base/err.h"

#include <stdint.h>

struct zone;

/* "Europe/Amsterdam", below $TZDIR or /usr/share/zoneinfo. ERR_CONFIG: "there is no timezone ...; REMEDY". */
struct zone *zone_load(const char *name, struct err *err) MUST_CHECK;
/* The bytes of a TZif file, version 1 to 4. NULL: they are none, or count leap seconds. */
struct zone *zone_parse(const void *bytes, size_t length) MUST_CHECK;
void zone_free(struct zone *zone); /* NULL is fine */

/* Seconds east of UTC. */
int32_t zone_offset_s(const struct zone *zone, int64_t at_ms);
/* The next instant after `at_ms` at which the offset may change; CLOCK_NEVER when there is none. */
int64_t zone_next_change(const struct zone *zone, int64_t at_ms);

struct zone_local {
  int64_t day; /* of the local calendar, since 1970-01-01 */
  int year, month, day_of_month;
  int hour, minute, second;
  int weekday; /* 0 is Monday */
};
struct zone_local zone_local_at(const struct zone *zone, int64_t at_ms);
const char *zone_weekday_str(int weekday); /* "Mon" */

/* The first instant at which the local clock shows `minute` (of the day, 0..1440) of local day `day`, or later. */
int64_t zone_reaches(const struct zone *zone, int64_t day, int minute);
/* The first instant after `after_ms` at which the local clock reaches that minute of a day. */
int64_t zone_next_time(const struct zone *zone, int64_t after_ms, int minute);

#endif
