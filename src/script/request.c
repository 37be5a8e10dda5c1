/* What a primitive asks for, checked, and the answers as Lua takes them. The request's shape is that of lua/script.lua,
 * but its texts and numbers are the author's, and whatever Lua can hold may be in them.
 *
 * There are two ways to fail, and they must not be mixed. {wrong=...} is a mistake in the script and is raised at the
 * author's line; {err=...} is what the world has answered, and comes back behind nil for the script to branch on. */
#include "base/clock.h"
#include "base/str.h"
#include "script/internal.h"

#include <string.h>

static bool read_kind(const char *op, enum script_operation_kind *ret_kind)
{
  static const struct {
    const char *op;
    enum script_operation_kind kind;
  } kinds[] = {
      {"auth", SCRIPT_AUTH},   {"lookup", SCRIPT_LOOKUP},   {"publish", SCRIPT_PUBLISH},
      {"clear", SCRIPT_CLEAR}, {"release", SCRIPT_RELEASE}, {"presence", SCRIPT_PRESENCE},
  };
  for (size_t i = 0; i < COUNT_OF(kinds); i++)
    if (strcmp(kinds[i].op, op) == 0) {
      *ret_kind = kinds[i].kind;
      return true;
    }
  return false;
}

static bool read_name(const struct value *request, struct script_operation *operation, struct err *why)
{
  const struct value *name = value_get(request, "name");
  char text[2 * SCRIPT_UPN_SIZE];
  str_cut(text, sizeof text, value_text(name, ""));
  str_trim(text);
  /* Trimmed with room to spare, so that spaces around a name do not make it too long; the length counts below. */
  bool may_be_empty = operation->kind == SCRIPT_AUTH;
  if (value_is(name, VALUE_STRING) && str_is_utf8(name->u.string.bytes, name->u.string.length) &&
      (may_be_empty || *text != '\0') && str_copy(operation->name, sizeof operation->name, text))
    return true;
  return err_set(why, ERR_INPUT, "\"%.40s\" is no name of a user; give a UPN or an object id", text);
}

bool script_read_duration(const struct value *time, const char *what, int64_t *ret_ms, struct err *why)
{
  if (value_is(time, VALUE_NUMBER) && time->u.number > 0 && time->u.number < 1e9) {
    *ret_ms = (int64_t)(time->u.number * 1000);
    return true;
  }
  if (value_is(time, VALUE_STRING) && clock_parse_duration(time->u.string.bytes, ret_ms) && *ret_ms > 0)
    return true;
  return err_set(
      why, ERR_INPUT, "a %s of %.40s is no duration; write it like \"1h30m\", or in seconds", what,
      value_text(time, "that size"));
}

bool script_read_operation(const struct value *request, struct script_operation *ret_operation, struct err *why)
{
  struct script_operation operation = {.hold_ms = -1};
  if (!read_kind(value_get_text(request, "op", ""), &operation.kind))
    return err_set(why, ERR_BUG, "there is no such primitive");
  if (!read_name(request, &operation, why))
    return false;
  const struct value *hold = value_get(request, "hold");
  if (hold != NULL && !value_is(hold, VALUE_NIL) && !script_read_duration(hold, "hold", &operation.hold_ms, why))
    return false;
  const char *presence = value_get_text(request, "presence", "");
  /* As a person would type it, pairs of Graph's words included; teams.busy is a plain text in scripts. */
  if (operation.kind == SCRIPT_PUBLISH && !presence_parse_words(presence, &operation.presence))
    return err_set(
        why, ERR_INPUT, "\"%.40s\" is no presence; write teams.busy, or a pair like \"Busy InACall\"", presence);
  const char *reason = value_get_text(request, "why", "");
  if (!str_is_utf8(reason, strlen(reason)))
    return err_set(why, ERR_INPUT, "the text of why is no UTF-8; save the script as UTF-8");
  /* Cut, not refused: it is for people, and no reason to leave an agent's presence as it is. */
  str_cut(operation.why, sizeof operation.why, reason);
  *ret_operation = operation;
  return true;
}

struct value *script_answer_value(struct values *values, struct value *value)
{
  struct value *answer = value_map(values);
  value_set(values, answer, "value", value);
  return answer;
}

struct value *script_answer_failure(struct values *values, const struct script_answer *failed)
{
  struct value *answer = value_map(values), *err = value_map(values);
  value_set(values, err, "code", value_string(values, failed->code));
  value_set(values, err, "message", value_string(values, failed->message.text));
  value_set(values, err, "status", value_number(values, failed->status));
  if (failed->retry_after_ms >= 0)
    value_set(values, err, "retry_after", value_number(values, (double)failed->retry_after_ms / 1000));
  value_set(values, answer, "err", err);
  return answer;
}

struct value *script_answer_wrong(struct values *values, const char *text)
{
  struct value *answer = value_map(values);
  value_set(values, answer, "wrong", value_string(values, text));
  return answer;
}

struct value *script_presence_names(struct values *values)
{
  struct value *names = value_list(values);
  /* From src/model's table, as for rules: what is not in it cannot be published. */
  for (int i = PRESENCE_NONE + 1; i < PRESENCE_COUNT; i++) {
    enum presence presence = (enum presence)i, same;
    const char *name = presence_str(presence);
    char teams[64];
    snprintf(teams, sizeof teams, "teams%s", strchr(name, '.'));
    value_add(values, names, value_string(values, name));
    if (presence_parse(teams, &same) && same == presence)
      value_add(values, names, value_string(values, teams));
  }
  return names;
}

bool script_overrides(enum script_operation_kind kind)
{
  return kind == SCRIPT_PUBLISH || kind == SCRIPT_CLEAR || kind == SCRIPT_RELEASE;
}
