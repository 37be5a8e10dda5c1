/* Time as text and number. Instants are milliseconds since 1970-01-01T00:00Z (int64_t, suffix _ms), durations are
 * milliseconds too unless the name ends in _s. Only clock_now_ms(), clock_steady_ms() and clock_steady_us() look at a
 * clock; the core is given `now`. Budgets of work are counted with clock_cpu_ms(). */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/must.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLOCK_NEVER INT64_MAX
#define CLOCK_SECOND INT64_C(1000)
#define CLOCK_MINUTE (60 * CLOCK_SECOND)
#define CLOCK_HOUR (60 * CLOCK_MINUTE)
#define CLOCK_DAY (24 * CLOCK_HOUR)

enum { CLOCK_TEXT_SIZE = 32 }; /* room for any text made here */

static inline int64_t clock_earlier(int64_t a_ms, int64_t b_ms)
{
  return a_ms < b_ms ? a_ms : b_ms;
}

static inline int64_t clock_later(int64_t a_ms, int64_t b_ms)
{
  return a_ms > b_ms ? a_ms : b_ms;
}

int64_t clock_now_ms(void);
int64_t clock_steady_ms(void); /* since some moment; nobody sets it, and it goes on while the machine sleeps */
int64_t clock_steady_us(void); /* likewise, for what takes less than a millisecond */
int64_t clock_cpu_ms(void);    /* CPU time that this thread has used */

/* RFC 3339 with offset or Z; fractions beyond milliseconds are cut; a leap second counts as the second before. */
bool clock_parse_rfc3339(const char *text, int64_t *ret_ms) MUST_CHECK;
/* "2026-01-05T12:00:00.000Z"; returns to. */
char *clock_rfc3339(int64_t ms, char to[CLOCK_TEXT_SIZE]);
/* "2026-01-05T12:00:00" in UTC, as Graph's dateTimeTimeZone wants it (FACTS.md, "Status message"); returns to. */
char *clock_graph_datetime(int64_t ms, char to[CLOCK_TEXT_SIZE]);
/* An IMF-fixdate, RFC 850 or asctime date (RFC 9110 5.6.7). */
bool clock_parse_http_date(const char *text, int64_t *ret_ms) MUST_CHECK;
/* "45m", "1h30m", "90s", "1d" or ISO 8601 "PT45M", "P1D"; result in ms, never negative. */
bool clock_parse_duration(const char *text, int64_t *ret_ms) MUST_CHECK;
/* ISO 8601 in whole seconds, rounded up: "PT1H", "PT7M30S"; returns to. */
char *clock_iso_duration(int64_t ms, char to[CLOCK_TEXT_SIZE]);
/* For people: "45m", "1h 5m", "12s"; returns to. */
char *clock_short_duration(int64_t ms, char to[CLOCK_TEXT_SIZE]);
/* Exactly, as rulesets write it: "1h30m", "90s" is "1m30s"; fractions of a second are cut; returns to. */
char *clock_rule_duration(int64_t ms, char to[CLOCK_TEXT_SIZE]);

#endif
