/* What Lua says of one outcome, checked: when the file is loaded, or at each decision for what a function computes. The
 * Lua side is ours and has checked the same things before, with the author's line; a failure here is therefore a defect
 * of ours (ERR_BUG). It is looked at all the same, because the next to see it would be Graph, and because scheduling
 * reckons with these times.
 *
 * Ranges are written as !(x > 0 && x <= max), never as x <= 0 || x > max: only so does a NaN fail them. */
#include "base/clock.h"
#include "base/str.h"
#include "rules/internal.h"

#include <string.h>

bool rules_bad_answer(struct err *err, const char *what)
{
  return err_set(err, ERR_BUG, "ruleset.lua: a decision with %s; please report this", what);
}

static bool read_plane(const struct value *from, const char *key, enum plane plane, enum presence *ret_presence)
{
  const char *text = value_get_text(from, key, NULL);
  *ret_presence = PRESENCE_NONE;
  if (text == NULL)
    return value_get(from, key) == NULL;
  return presence_parse(text, ret_presence) && presence_plane(*ret_presence) == plane;
}

/* Every byte but those that continue a character (10xxxxxx). */
static size_t characters(const char *text)
{
  size_t count = 0;
  for (; *text != '\0'; text++)
    count += ((unsigned char)*text & 0xC0) != 0x80;
  return count;
}

/* What follows the hold, if anything. */
static bool read_after(const struct value *from, struct decision_after *after, struct err *err)
{
  if (!read_plane(from, "after_session", PLANE_SESSION, &after->session) ||
      !read_plane(from, "after_preferred", PLANE_PREFERRED, &after->preferred))
    return rules_bad_answer(err, "a presence afterwards that is not legal on its plane");
  /* Both or neither: a presence afterwards without an end would never end, and an end without a presence means
   * nothing. */
  bool some = after->session != PRESENCE_NONE || after->preferred != PRESENCE_NONE;
  double hold = value_get_number(from, "after_hold_ms", 0);
  if (some != (hold > 0) || !(hold <= (double)(7 * CLOCK_DAY)))
    return rules_bad_answer(err, "a hold afterwards out of range");
  after->hold_ms = (int64_t)hold;
  return true;
}

static bool read_show(const struct value *from, struct decision_terms *terms, const char **ret_message, struct err *err)
{
  if (!read_plane(from, "session", PLANE_SESSION, &terms->session) ||
      !read_plane(from, "preferred", PLANE_PREFERRED, &terms->preferred))
    return rules_bad_answer(err, "a presence that is not legal on its plane");
  if (terms->session == PRESENCE_NONE && terms->preferred == PRESENCE_NONE)
    return rules_bad_answer(err, "no presence");
  double hold = value_get_number(from, "hold_ms", 0);
  if (!(hold > 0 && hold <= (double)(7 * CLOCK_DAY)))
    return rules_bad_answer(err, "a hold out of range");
  terms->hold_ms = (int64_t)hold;
  terms->expires_given = value_get_bool(from, "expires_given", false);
  *ret_message = value_get_text(from, "message", "");
  if (!str_is_utf8(*ret_message, strlen(*ret_message)) || characters(*ret_message) > RULES_TEMPLATE_MAX)
    return rules_bad_answer(err, "a message that is too long or no UTF-8");
  return read_after(from, &terms->after, err);
}

bool rules_read_outcome(
    const struct value *from, struct decision_terms *terms, const char **ret_message, struct err *err)
{
  static const enum decision_kind kinds[] = {DECISION_SHOW, DECISION_CLEAR, DECISION_KEEP, DECISION_NEVER};
  const char *kind = value_get_text(from, "kind", "");
  double delay = value_get_number(from, "delay_ms", 0);
  size_t i = 0;
  while (i < COUNT_OF(kinds) && strcmp(kind, decision_kind_str(kinds[i])) != 0)
    i++;
  if (i == COUNT_OF(kinds))
    return rules_bad_answer(err, "an unknown kind");
  if (!(delay >= 0 && delay <= (double)(7 * CLOCK_DAY)))
    return rules_bad_answer(err, "a delay out of range");
  terms->kind = kinds[i];
  terms->delay_ms = (int64_t)delay;
  *ret_message = "";
  return terms->kind != DECISION_SHOW || read_show(from, terms, ret_message, err);
}
