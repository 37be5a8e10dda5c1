/* Time conditions of rules: what of a ruleset depends on the time of day, and when that changes. */
#ifndef RULES_TIMES_H
#define RULES_TIMES_H

#include "base/err.h"
#include "base/value.h"
#include "base/zone.h"

struct ruleset;

enum { RULES_SPANS_MAX = 8 }; /* of one time condition */

/* `between` and `days` of a rule: local times of the day, which on some days hold. */
struct rules_time {
  unsigned days;     /* bits, Monday is 1 */
  size_t span_count; /* 0: the whole day */
  struct {
    int from, to; /* minutes since midnight; `to` is exclusive, and on the next day when it is before `from` */
  } spans[RULES_SPANS_MAX];
};

/* The time conditions and the zone that Lua has found in the files. */
bool rules_read_times(struct ruleset *ruleset, const struct value *compiled, struct err *err) MUST_CHECK;
/* Tells Lua which of them hold at that moment, where it does not know. */
bool rules_tell_times(struct ruleset *ruleset, int64_t moment_ms, struct err *err) MUST_CHECK;
/* Does one hold? And since when and until when the answer is so, as far as was looked: *ret_from <= moment <
 * *ret_until. */
bool rules_time_holds(
    const struct zone *zone, const struct rules_time *time, int64_t moment_ms, int64_t *ret_from, int64_t *ret_until);

#endif
