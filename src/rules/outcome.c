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

static size_t characters(const char *text)
{
  size_t count = 0;
  for (; *text != '\0'; text++)
    count += ((unsigned char)*text & 0xC0) != 0x80;
  return count;
}

static bool read_show(const struct value *from, struct rules_outcome *outcome, struct err *err)
{
  if (!read_plane(from, "session", PLANE_SESSION, &outcome->session) ||
      !read_plane(from, "preferred", PLANE_PREFERRED, &outcome->preferred))
    return rules_bad_answer(err, "a presence that is not legal on its plane");
  if (outcome->session == PRESENCE_NONE && outcome->preferred == PRESENCE_NONE)
    return rules_bad_answer(err, "no presence");
  double hold = value_get_number(from, "hold_ms", 0);
  if (!(hold > 0 && hold <= (double)(7 * CLOCK_DAY)))
    return rules_bad_answer(err, "a hold out of range");
  outcome->hold_ms = (int64_t)hold;
  outcome->expires_given = value_get_bool(from, "expires_given", false);
  outcome->message = value_get_text(from, "message", "");
  if (!str_is_utf8(outcome->message, strlen(outcome->message)) || characters(outcome->message) > RULES_MESSAGE_MAX)
    return rules_bad_answer(err, "a message that is too long or no UTF-8");
  return true;
}

bool rules_read_outcome(const struct value *from, struct rules_outcome *outcome, struct err *err)
{
  const char *kind = value_get_text(from, "kind", "");
  outcome->message = "";
  if (strcmp(kind, "show") == 0) {
    outcome->kind = DECISION_SHOW;
    return read_show(from, outcome, err);
  }
  if (strcmp(kind, "clear") != 0 && strcmp(kind, "keep") != 0)
    return rules_bad_answer(err, "an unknown kind");
  outcome->kind = strcmp(kind, "clear") == 0 ? DECISION_CLEAR : DECISION_KEEP;
  return true;
}
