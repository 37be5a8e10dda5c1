#include "model/decision.h"
#include "base/clock.h"

#include <stdio.h>
#include <string.h>

const char *decision_kind_str(enum decision_kind kind)
{
  switch (kind) {
  case DECISION_SHOW:
    return "show";
  case DECISION_CLEAR:
    return "clear";
  case DECISION_KEEP:
    return "keep";
  case DECISION_NEVER:
    return "never";
  }
  return "unknown";
}

bool decision_kind_parse(const char *text, enum decision_kind *ret_kind)
{
  for (int kind = DECISION_SHOW; kind <= DECISION_NEVER; kind++)
    if (strcmp(decision_kind_str((enum decision_kind)kind), text) == 0) {
      *ret_kind = (enum decision_kind)kind;
      return true;
    }
  return false;
}

enum availability decision_availability(const struct decision *decision)
{
  return presence_availability(decision->preferred != PRESENCE_NONE ? decision->preferred : decision->session);
}

bool decision_equal(const struct decision *a, const struct decision *b)
{
  return a->kind == b->kind && a->session == b->session && a->preferred == b->preferred && a->hold_ms == b->hold_ms &&
         a->delay_ms == b->delay_ms && a->after.session == b->after.session &&
         a->after.preferred == b->after.preferred && a->after.hold_ms == b->after.hold_ms &&
         strcmp(a->message, b->message) == 0;
}

char *decision_brief(
    enum decision_kind kind, enum presence session, enum presence preferred, int64_t hold_ms,
    char to[DECISION_BRIEF_SIZE])
{
  char hold[CLOCK_TEXT_SIZE];
  if (kind != DECISION_SHOW)
    snprintf(to, DECISION_BRIEF_SIZE, "%s", decision_kind_str(kind));
  else
    snprintf(
        to, DECISION_BRIEF_SIZE, "%s %s", presence_str(preferred != PRESENCE_NONE ? preferred : session),
        clock_short_duration(hold_ms, hold));
  return to;
}
